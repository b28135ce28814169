/* SPDX-License-Identifier: Apache-2.0 */
/* lease_account.c - active leases by account: aging, and recalls. A recall is a row in lease_recalls that the holder's next request
 * finds by its own id, so that a holder of 100 000 leases costs no search; it goes when the lease is active no more. */
#include "service/store/lease_account.h"

#include <string.h>

#include "service/store/lease_row.h"
#include "service/store/row.h"

enum {
    AT_ONCE = 32,      /* leases of one period looked at by one request; more would hold up the others */
    LATELY_MS = 60000, /* for so long a refusal for held units keeps grants small */
    RECALL_MS = 1000   /* those who are refused try again at about this pace */
};

typedef struct lease_list {
    dreamd_lease_row leases[AT_ONCE];
    size_t count;
} lease_list;

/* Read before any of them is changed: a scan of an index must not lose its rows under way. */
static dreamd_db_status list_active(dreamd_db *db, const dreamd_period *period, lease_list *out)
{
    dreamd_rows *rows = NULL;
    out->count = 0;
    dreamd_db_status status =
        dreamd_db_query(db,
                        "SELECT " DREAMD_LEASE_COLUMNS " FROM leases WHERE platform_id = $1 AND project_id = $2 AND "
                        "user_id = $3 AND meter = $4 AND period_start_day = $5 AND state < 3 AND state = 0 LIMIT $6",
                        DREAMD_PARAMS(dreamd_text(period->project->platform_id),
                                      dreamd_text(period->project->project_id), dreamd_text(period->user_id),
                                      dreamd_text(period->meter), dreamd_int(period->start_day), dreamd_int(AT_ONCE)),
                        &rows);
    while (status == DREAMD_DB_OK && out->count < AT_ONCE && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW)
        status = dreamd_lease_row_read(rows, &out->leases[out->count++]) ? DREAMD_DB_OK : DREAMD_DB_ERROR;
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status read_refusal(dreamd_db *db, const dreamd_period *period, int64_t *out_at_ms)
{
    dreamd_rows *rows = NULL;
    *out_at_ms = 0;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT held_refused_at_ms FROM usage_counts WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "meter = $4 AND period_start_day = $5",
        DREAMD_PARAMS(dreamd_text(period->project->platform_id), dreamd_text(period->project->project_id),
                      dreamd_text(period->user_id), dreamd_text(period->meter), dreamd_int(period->start_day)),
        &rows);
    if (rows)
        *out_at_ms = dreamd_rows_int(rows, 0);
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_lease_crowd_read(dreamd_db *db, const dreamd_period *period, const char *holder, int64_t now_ms,
                                         dreamd_lease_crowd *out)
{
    dreamd_lease_scope scope = { .project = period->project, .now_ms = now_ms };
    lease_list list;
    int64_t refused_at_ms = 0;
    dreamd_db_status status = read_refusal(db, period, &refused_at_ms);
    *out = (dreamd_lease_crowd){ .has_others = refused_at_ms > now_ms - LATELY_MS };
    if (status == DREAMD_DB_OK)
        status = list_active(db, period, &list);
    for (size_t i = 0; status == DREAMD_DB_OK && i < list.count; i++) {
        status = dreamd_lease_age(db, &scope, &list.leases[i]);
        if (list.leases[i].state != DREAMD_LEASE_ACTIVE)
            out->has_aged = true;
        else if (strcmp(list.leases[i].holder, holder) != 0)
            out->has_others = true;
    }
    return status;
}

static dreamd_db_status mark_refusal(dreamd_db *db, const dreamd_period *period, int64_t now_ms, bool *out_is_due)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "UPDATE usage_counts SET held_refused_at_ms = $6 WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 "
        "AND meter = $4 AND period_start_day = $5 AND held_refused_at_ms <= $7",
        DREAMD_PARAMS(dreamd_text(period->project->platform_id), dreamd_text(period->project->project_id),
                      dreamd_text(period->user_id), dreamd_text(period->meter), dreamd_int(period->start_day),
                      dreamd_int(now_ms), dreamd_int(now_ms - RECALL_MS)),
        &changed);
    *out_is_due = changed > 0;
    return status;
}

static dreamd_db_status recall(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_row *lease)
{
    dreamd_lease_row after = *lease;
    after.is_recalled = true;
    dreamd_db_status status = dreamd_lease_change(db, scope, lease, &after);
    if (status != DREAMD_DB_OK)
        return status;
    return dreamd_db_run(
        db,
        "INSERT INTO lease_recalls (platform_id, project_id, holder, lease_id) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (platform_id, project_id, holder, lease_id) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(lease->holder), dreamd_text(lease->lease_id)),
        NULL);
}

dreamd_db_status dreamd_lease_recall(dreamd_db *db, const dreamd_period *period, const char *holder, int64_t now_ms)
{
    dreamd_lease_scope scope = { .project = period->project, .now_ms = now_ms };
    lease_list list;
    bool is_due = false;
    dreamd_db_status status = mark_refusal(db, period, now_ms, &is_due);
    if (status != DREAMD_DB_OK || !is_due)
        return status;
    status = list_active(db, period, &list);
    for (size_t i = 0; status == DREAMD_DB_OK && i < list.count; i++) {
        const dreamd_lease_row *lease = &list.leases[i];
        if (!lease->is_recalled && strcmp(lease->holder, holder) != 0)
            status = recall(db, &scope, lease);
    }
    return status;
}

dreamd_db_status dreamd_lease_recalls(dreamd_db *db, const dreamd_lease_scope *scope, int64_t max,
                                      dreamd_lease_name *name, void *context)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_db_query(
        db, "SELECT lease_id FROM lease_recalls WHERE platform_id = $1 AND project_id = $2 AND holder = $3 LIMIT $4",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(scope->holder), dreamd_int(max)),
        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        name(context, dreamd_rows_text(rows, 0));
        status = DREAMD_DB_OK;
    }
    dreamd_rows_finish(rows);
    return status;
}
