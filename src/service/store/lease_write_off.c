/* SPDX-License-Identifier: Apache-2.0 */
/* lease_write_off.c - an operator gives lost units back. They may have been used all the same: what is written off may be used on
 * top of the limit, and no more than that. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "service/store/audit.h"
#include "service/store/lease_row.h"
#include "service/store/row.h"
#include "service/store/usage.h"

static dreamd_db_status find_period(dreamd_db *db, const dreamd_lease_write_off *wanted, int64_t *out_start_day,
                                    bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT period_start_day FROM usage_counts WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "meter = $4 ORDER BY period_start_day DESC LIMIT 1",
        DREAMD_PARAMS(dreamd_text(wanted->project->platform_id), dreamd_text(wanted->project->project_id),
                      dreamd_text(wanted->user_id), dreamd_text(wanted->meter)),
        &rows);
    *out_found = rows != NULL;
    if (rows)
        *out_start_day = dreamd_rows_int(rows, 0);
    dreamd_rows_finish(rows);
    return status;
}

/* One that still has lost units. */
static dreamd_db_status find_lost(dreamd_db *db, const dreamd_lease_write_off *wanted, int64_t start_day,
                                  dreamd_lease_row *out, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT " DREAMD_LEASE_COLUMNS " FROM leases WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "meter = $4 AND period_start_day = $5 AND state < 3 AND state > 0 AND "
        "granted - CASE WHEN admitted > refunded THEN admitted ELSE refunded END > written_off LIMIT 1",
        DREAMD_PARAMS(dreamd_text(wanted->project->platform_id), dreamd_text(wanted->project->project_id),
                      dreamd_text(wanted->user_id), dreamd_text(wanted->meter), dreamd_int(start_day)),
        &rows);
    *out_found = rows != NULL;
    if (rows && !dreamd_lease_row_read(rows, out))
        status = DREAMD_DB_ERROR;
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status write_off_one(dreamd_db *db, const dreamd_lease_write_off *wanted,
                                      const dreamd_lease_row *lease, int64_t *units)
{
    dreamd_lease_scope scope = { .project = wanted->project, .now_ms = wanted->now_ms };
    dreamd_lease_row after = *lease;
    int64_t part = dreamd_lease_lost(lease);
    if (part > wanted->units - *units)
        part = wanted->units - *units;
    after.written_off += part;
    *units += part;
    return dreamd_lease_change(db, &scope, lease, &after);
}

static dreamd_db_status note(dreamd_db *db, const dreamd_lease_write_off *wanted, int64_t start_day, int64_t units)
{
    cJSON *detail = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(detail, "projectId", wanted->project->project_id)
                 && dream_json_set_string(detail, "userId", wanted->user_id)
                 && dream_json_set_string(detail, "meter", wanted->meter)
                 && dream_json_set_int(detail, "periodStartDay", start_day)
                 && dream_json_set_int(detail, "units", units);
    char *text = is_ok ? dream_json_print(detail) : NULL;
    const dreamd_audit audit = { wanted->project->platform_id, wanted->actor, "lease write-off", text };
    dreamd_db_status status = text ? dreamd_audit_note(db, &audit, wanted->now_ms) : DREAMD_DB_NOMEM;
    free(text);
    cJSON_Delete(detail);
    return status;
}

dreamd_db_status dreamd_lease_write_off_lost(dreamd_db *db, const dreamd_lease_write_off *wanted, int64_t *out_units)
{
    int64_t start_day = 0;
    int64_t aged = 0;
    bool is_found = false;
    *out_units = 0;
    dreamd_db_status status = dreamd_leases_sweep(db, wanted->now_ms, INT64_MAX, &aged);
    if (status == DREAMD_DB_OK)
        status = find_period(db, wanted, &start_day, &is_found);
    while (status == DREAMD_DB_OK && is_found && *out_units < wanted->units) {
        dreamd_lease_row lease;
        status = find_lost(db, wanted, start_day, &lease, &is_found);
        if (status == DREAMD_DB_OK && is_found && dreamd_lease_lost(&lease) == 0)
            break;
        if (status == DREAMD_DB_OK && is_found)
            status = write_off_one(db, wanted, &lease, out_units);
    }
    return status == DREAMD_DB_OK && *out_units > 0 ? note(db, wanted, start_day, *out_units) : status;
}
