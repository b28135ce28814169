/* SPDX-License-Identifier: Apache-2.0 */
/* lease_sweep.c - what time does to leases: silent ones become lost, and those whose books are closed go. Either may be done at any
 * time, by any number of processes, or late: whoever reads a lease first asks its age (lease_row.h). */
#include <string.h>

#include "common/timefmt.h"
#include "service/store/lease_row.h"
#include "service/store/row.h"

static const int64_t day_ms = 86400000;

/* ---- silence ---- */

typedef struct silent_lease {
    bool is_there;
    dreamd_project project; /* only its ids */
    dreamd_lease_row lease;
} silent_lease;

static dreamd_db_status find_silent(dreamd_db *db, int64_t now_ms, silent_lease *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status =
        dreamd_row_one(db,
                       "SELECT " DREAMD_LEASE_COLUMNS ", platform_id, project_id FROM leases WHERE state = 0 AND "
                       "silent_at_ms <= $1 LIMIT 1",
                       DREAMD_PARAMS(dreamd_int(now_ms)), &rows);
    out->is_there = rows != NULL;
    if (rows
        && !(dreamd_lease_row_read(rows, &out->lease)
             && dreamd_row_text(rows, 16, out->project.platform_id, sizeof out->project.platform_id)
             && dreamd_row_text(rows, 17, out->project.project_id, sizeof out->project.project_id)))
        status = DREAMD_DB_ERROR;
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_leases_sweep(dreamd_db *db, int64_t now_ms, int64_t count, int64_t *out_count)
{
    silent_lease found = { .is_there = true };
    dreamd_lease_scope scope = { .project = &found.project, .now_ms = now_ms };
    dreamd_db_status status = DREAMD_DB_OK;
    *out_count = 0;
    while (status == DREAMD_DB_OK && *out_count < count) {
        status = find_silent(db, now_ms, &found);
        if (status != DREAMD_DB_OK || !found.is_there)
            break;
        status = dreamd_lease_age(db, &scope, &found.lease);
        *out_count += 1;
    }
    return status;
}

dreamd_db_status dreamd_leases_are_silent(dreamd_db *db, int64_t now_ms, bool *out)
{
    return dreamd_row_exists(db, "SELECT 1 FROM leases WHERE state = 0 AND silent_at_ms <= $1",
                             DREAMD_PARAMS(dreamd_int(now_ms)), out);
}

/* ---- closed books ---- */

typedef struct old_lease {
    bool is_there;
    char lease_id[DREAMD_LEASE_ID_MAX + 1];
    char request_id[DREAMD_LEASE_ID_MAX + 1];
    char holder[DREAMD_LEASE_ID_MAX + 1];
    char user_id[DREAMD_LEASE_USER_MAX + 1];
    char meter[DREAMD_LEASE_METER_MAX + 1];
    int32_t period_start_day;
    int32_t period_end_day;
} old_lease;

/* Ids begin with the time: the first is the oldest. */
static dreamd_db_status find_oldest(dreamd_db *db, const dreamd_lease_scope *scope, old_lease *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT lease_id, request_id, holder, user_id, meter, period_start_day, period_end_day FROM leases WHERE "
        "platform_id = $1 AND project_id = $2 ORDER BY lease_id LIMIT 1",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id)), &rows);
    out->is_there = rows != NULL;
    if (rows) {
        bool fits = dreamd_row_text(rows, 0, out->lease_id, sizeof out->lease_id)
                    && dreamd_row_text(rows, 1, out->request_id, sizeof out->request_id)
                    && dreamd_row_text(rows, 2, out->holder, sizeof out->holder)
                    && dreamd_row_text(rows, 3, out->user_id, sizeof out->user_id)
                    && dreamd_row_text(rows, 4, out->meter, sizeof out->meter);
        out->period_start_day = (int32_t)dreamd_rows_int(rows, 5);
        out->period_end_day = (int32_t)dreamd_rows_int(rows, 6);
        status = fits ? status : DREAMD_DB_ERROR;
    }
    dreamd_rows_finish(rows);
    return status;
}

/* From then on its counts stand without leases to compare them with. */
static dreamd_db_status close_period(dreamd_db *db, const dreamd_lease_scope *scope, const old_lease *lease)
{
    return dreamd_db_run(
        db,
        "UPDATE usage_counts SET is_closed = 1 WHERE platform_id = $1 AND project_id = $2 AND "
        "user_id = $3 AND meter = $4 AND period_start_day = $5 AND is_closed = 0",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(lease->user_id), dreamd_text(lease->meter), dreamd_int(lease->period_start_day)),
        NULL);
}

#define OF_LEASE                                                                                                       \
    DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),                   \
                  dreamd_text(lease->lease_id)),                                                                       \
        NULL

static dreamd_db_status remove_lease(dreamd_db *db, const dreamd_lease_scope *scope, const old_lease *lease)
{
    dreamd_db_status status = close_period(db, scope, lease);
    if (status == DREAMD_DB_OK)
        status = dreamd_db_run(
            db, "DELETE FROM lease_refunds WHERE platform_id = $1 AND project_id = $2 AND lease_id = $3", OF_LEASE);
    if (status == DREAMD_DB_OK)
        status = dreamd_db_run(
            db,
            "DELETE FROM lease_recalls WHERE platform_id = $1 AND project_id = $2 AND holder = $3 AND lease_id = $4",
            DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                          dreamd_text(lease->holder), dreamd_text(lease->lease_id)),
            NULL);
    if (status == DREAMD_DB_OK)
        status = dreamd_db_run(
            db,
            "DELETE FROM lease_requests WHERE platform_id = $1 AND project_id = $2 AND request_id = $3 AND lease_id = "
            "$4",
            DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                          dreamd_text(lease->request_id), dreamd_text(lease->lease_id)),
            NULL);
    if (status == DREAMD_DB_OK)
        status = dreamd_db_run(db, "DELETE FROM leases WHERE platform_id = $1 AND project_id = $2 AND lease_id = $3",
                               OF_LEASE);
    return status;
}

static dreamd_db_status prune_leases(dreamd_db *db, const dreamd_lease_scope *scope, int64_t count)
{
    int32_t today = dream_day_of_ms(scope->books_ms);
    dreamd_db_status status = DREAMD_DB_OK;
    for (int64_t i = 0; status == DREAMD_DB_OK && i < count; i++) {
        old_lease oldest;
        status = find_oldest(db, scope, &oldest);
        if (status != DREAMD_DB_OK || !oldest.is_there || today <= oldest.period_end_day + scope->terms->close_days)
            break;
        status = remove_lease(db, scope, &oldest);
    }
    return status;
}

/* Found first, then removed by its key: see idempotency.c. */
static dreamd_db_status prune_refusal(dreamd_db *db, int64_t books_ms, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status =
        dreamd_row_one(db,
                       "SELECT platform_id, project_id, request_id FROM lease_requests WHERE lease_id IS NULL AND "
                       "recorded_at_ms < $1 ORDER BY recorded_at_ms LIMIT 1",
                       DREAMD_PARAMS(dreamd_int(books_ms - DREAMD_LEASE_REFUSED_KEEP_DAYS * day_ms)), &rows);
    *out_found = rows != NULL;
    if (rows)
        status = dreamd_db_run(
            db, "DELETE FROM lease_requests WHERE platform_id = $1 AND project_id = $2 AND request_id = $3",
            DREAMD_PARAMS(dreamd_text(dreamd_rows_text(rows, 0)), dreamd_text(dreamd_rows_text(rows, 1)),
                          dreamd_text(dreamd_rows_text(rows, 2))),
            NULL);
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_leases_prune(dreamd_db *db, const dreamd_lease_scope *scope, int64_t count)
{
    dreamd_db_status status = prune_leases(db, scope, count);
    bool is_found = true;
    for (int64_t i = 0; status == DREAMD_DB_OK && is_found && i < count; i++)
        status = prune_refusal(db, scope->books_ms, &is_found);
    return status;
}
