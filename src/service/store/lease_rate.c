/* SPDX-License-Identifier: Apache-2.0 */
/* lease_rate.c - rows of rate_windows that leases take calls from, beside the direct requests of usage.c.
 *
 * A holder cannot know where a window ends exactly, so what it was given for one counts to that window's end whether it was
 * used or not. Windows ahead of now are begun by whoever takes from them first. */
#include "service/store/lease_rate.h"

#include "common/rule.h"
#include "service/store/row.h"

enum {
    KEEP_WINDOWS = 5,  /* as in usage.c: a process whose clock is behind may still be counting in them */
    SHORTEST_MS = 1000 /* a lease cut shorter than that would be over before it is used */
};

static dreamd_db_status read_left(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_rate *rate,
                                  int64_t window, int64_t *out_left)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status =
        dreamd_row_one(db,
                       "SELECT calls FROM rate_windows WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
                       "window_minute = $4",
                       DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                                     dreamd_text(rate->user_id), dreamd_int(window)),
                       &rows);
    *out_left = rate->limit - (rows ? dreamd_rows_int(rows, 0) : 0);
    dreamd_rows_finish(rows);
    return status;
}

/* `window` has no calls left: the lease ends before it, or waits until it is over. */
static void cut(const dreamd_lease_scope *scope, dreamd_lease_rate *rate, int64_t window)
{
    rate->ends_at_ms = window * DREAMD_LEASE_WINDOW_MS;
    if (rate->ends_at_ms - scope->now_ms >= SHORTEST_MS)
        return;
    rate->granted = 0;
    rate->retry_after_ms = rate->ends_at_ms + DREAMD_LEASE_WINDOW_MS - scope->now_ms;
}

/* How many calls each window from now to the lease's end can give. */
static dreamd_db_status choose(dreamd_db *db, const dreamd_lease_scope *scope, dreamd_lease_rate *rate)
{
    int64_t first = scope->now_ms / DREAMD_LEASE_WINDOW_MS;
    dreamd_db_status status = DREAMD_DB_OK;
    rate->granted = rate->want;
    rate->retry_after_ms = DREAMD_LEASE_WINDOW_MS - scope->now_ms % DREAMD_LEASE_WINDOW_MS;
    for (int64_t window = first; status == DREAMD_DB_OK && window * DREAMD_LEASE_WINDOW_MS < rate->ends_at_ms;
         window++) {
        int64_t left = 0;
        status = read_left(db, scope, rate, window, &left);
        if (left < 1 && window > first) {
            cut(scope, rate, window);
            return status;
        }
        int64_t part = left > rate->divisor ? left / rate->divisor : left > 0 ? 1 : 0;
        if (part < rate->granted)
            rate->granted = part;
        if (part == 0)
            break;
    }
    return status;
}

static dreamd_db_status take_begun(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_rate *rate,
                                   int64_t window, int64_t *out_taken)
{
    return dreamd_db_run(
        db,
        "UPDATE rate_windows SET calls = calls + $5 WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "window_minute = $4 AND calls <= $6",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(rate->user_id), dreamd_int(window), dreamd_int(rate->granted),
                      dreamd_int(rate->limit - rate->granted)),
        out_taken);
}

static dreamd_db_status take_first(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_rate *rate,
                                   int64_t window, int64_t *out_taken)
{
    return dreamd_db_run(
        db,
        "INSERT INTO rate_windows (platform_id, project_id, user_id, window_minute, calls) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (platform_id, project_id, user_id, window_minute) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(rate->user_id), dreamd_int(window), dreamd_int(rate->granted)),
        out_taken);
}

static dreamd_db_status forget_old(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_rate *rate)
{
    return dreamd_db_run(
        db,
        "DELETE FROM rate_windows WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND window_minute < $4",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(rate->user_id), dreamd_int(scope->now_ms / DREAMD_LEASE_WINDOW_MS - KEEP_WINDOWS)),
        NULL);
}

/* BUSY: somebody took from it between `choose` and now; the whole request is run again. */
static dreamd_db_status take(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_rate *rate,
                             int64_t window)
{
    int64_t taken = 0;
    dreamd_db_status status = take_begun(db, scope, rate, window, &taken);
    if (status != DREAMD_DB_OK || taken > 0)
        return status;
    status = take_first(db, scope, rate, window, &taken);
    if (status != DREAMD_DB_OK)
        return status;
    return taken > 0 ? forget_old(db, scope, rate) : DREAMD_DB_BUSY;
}

dreamd_db_status dreamd_lease_rate_take(dreamd_db *db, const dreamd_lease_scope *scope, dreamd_lease_rate *rate)
{
    int64_t first = scope->now_ms / DREAMD_LEASE_WINDOW_MS;
    dreamd_db_status status = choose(db, scope, rate);
    if (status != DREAMD_DB_OK || rate->granted < 1)
        return status;
    for (int64_t window = first; status == DREAMD_DB_OK && window * DREAMD_LEASE_WINDOW_MS < rate->ends_at_ms;
         window++) {
        if (window == first || DREAM_RULE(rate_in_every_window))
            status = take(db, scope, rate, window);
    }
    return status;
}
