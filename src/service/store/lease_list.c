/* SPDX-License-Identifier: Apache-2.0 */
/* lease_list.c - the rows of leases and late_settlements of one user, as an operator reads them. */
#include "service/store/lease_list.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/timefmt.h"
#include "service/store/lease_row.h"
#include "service/store/row.h"

dreamd_db_status dreamd_account_find(dreamd_db *db, const dreamd_account_filter *filter, dreamd_project *out,
                                     int64_t *out_count)
{
    dreamd_rows *rows = NULL;
    *out_count = 0;
    *out = (dreamd_project){ .mode = DREAMD_LIVE };
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT c.platform_id, c.project_id FROM customers c JOIN projects p ON p.platform_id = c.platform_id AND "
        "p.project_id = c.project_id WHERE c.user_id = $1 AND ($2 IS NULL OR p.name = $2) AND ($3 IS NULL OR EXISTS "
        "(SELECT 1 FROM publishable_key_routes r WHERE r.publishable_key = $3 AND r.platform_id = c.platform_id AND "
        "r.project_id = c.project_id))",
        DREAMD_PARAMS(dreamd_text(filter->user_id), dreamd_text(filter->project_name),
                      dreamd_text(filter->publishable_key)),
        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        bool fits = dreamd_row_text(rows, 0, out->platform_id, sizeof out->platform_id)
                    && dreamd_row_text(rows, 1, out->project_id, sizeof out->project_id);
        *out_count += 1;
        status = fits ? DREAMD_DB_OK : DREAMD_DB_ERROR;
    }
    dreamd_rows_finish(rows);
    return status;
}

static bool set_day(cJSON *json, const char *name, int32_t day)
{
    char text[11];
    dream_day_text(day, text);
    return dream_json_set_string(json, name, text);
}

static bool tell(cJSON *json, bool is_ok, dreamd_lease_line *line, void *context)
{
    char *text = is_ok ? dream_json_print(json) : NULL;
    bool is_told = text && line(context, text);
    free(text);
    cJSON_Delete(json);
    return is_told;
}

static bool tell_lease(const dreamd_lease_row *lease, dreamd_lease_line *line, void *context)
{
    static const char *const states[] = { "active", "lost", "unproven", "final" };
    char end[25];
    cJSON *json = cJSON_CreateObject();
    dream_iso_text(lease->ends_at_ms, end);
    bool is_ok =
        dream_json_set_string(json, "leaseId", lease->lease_id) && dream_json_set_string(json, "holder", lease->holder)
        && dream_json_set_string(json, "meter", lease->meter) && set_day(json, "periodStart", lease->period_start_day)
        && dream_json_set_string(json, "state", states[lease->state])
        && dream_json_set_int(json, "granted", lease->granted)
        && dream_json_set_int(json, "charged", dreamd_lease_charged(lease))
        && dream_json_set_int(json, "lost", dreamd_lease_lost(lease))
        && dream_json_set_int(json, "writtenOff", lease->written_off) && dream_json_set_string(json, "endsAt", end);
    return tell(json, is_ok, line, context);
}

static dreamd_db_status list_open(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                  dreamd_lease_line *line, void *context)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT " DREAMD_LEASE_COLUMNS " FROM leases WHERE platform_id = $1 AND project_id = $2 AND "
        "user_id = $3 AND state < 3 ORDER BY meter, period_start_day, lease_id",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id)),
        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        dreamd_lease_row lease;
        bool is_read = dreamd_lease_row_read(rows, &lease);
        status = !is_read ? DREAMD_DB_ERROR : tell_lease(&lease, line, context) ? DREAMD_DB_OK : DREAMD_DB_NOMEM;
    }
    dreamd_rows_finish(rows);
    return status;
}

static bool tell_late(const dreamd_rows *rows, dreamd_lease_line *line, void *context)
{
    char at[25];
    cJSON *json = cJSON_CreateObject();
    dream_iso_text(dreamd_rows_int(rows, 6), at);
    bool is_ok = dream_json_set_string(json, "leaseId", dreamd_rows_text(rows, 0))
                 && dream_json_set_string(json, "meter", dreamd_rows_text(rows, 1))
                 && set_day(json, "periodStart", (int32_t)dreamd_rows_int(rows, 2))
                 && dream_json_set_string(json, "state", "closed")
                 && dream_json_set_int(json, "granted", dreamd_rows_int(rows, 3))
                 && dream_json_set_int(json, "admitted", dreamd_rows_int(rows, 4))
                 && dream_json_set_int(json, "refunded", dreamd_rows_int(rows, 5))
                 && dream_json_set_string(json, "receivedAt", at);
    return tell(json, is_ok, line, context);
}

static dreamd_db_status list_late(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                  dreamd_lease_line *line, void *context)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT lease_id, meter, period_start_day, granted, admitted, refunded, recorded_at_ms FROM "
        "late_settlements WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 ORDER BY lease_id",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id)),
        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW)
        status = tell_late(rows, line, context) ? DREAMD_DB_OK : DREAMD_DB_NOMEM;
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_lease_list(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                   dreamd_lease_line *line, void *context)
{
    dreamd_db_status status = list_open(db, project, user_id, line, context);
    return status == DREAMD_DB_OK ? list_late(db, project, user_id, line, context) : status;
}
