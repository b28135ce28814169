/* SPDX-License-Identifier: Apache-2.0 */
/* usage_days.c - rows of usage_daily, and with them those of usage_totals. The days of a period sum to its count. */
#include "service/store/usage_days.h"

#include "service/store/totals.h"

static dreamd_db_status add(dreamd_db *db, const dreamd_period *period, int32_t day, int64_t units)
{
    dreamd_db_status status =
        dreamd_db_run(db,
                      "INSERT INTO usage_daily (platform_id, project_id, user_id, meter, period_start_day, day, used) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7) "
                      "ON CONFLICT (platform_id, project_id, user_id, meter, period_start_day, day) "
                      "DO UPDATE SET used = usage_daily.used + excluded.used",
                      DREAMD_PARAMS(dreamd_text(period->project->platform_id), dreamd_text(period->project->project_id),
                                    dreamd_text(period->user_id), dreamd_text(period->meter),
                                    dreamd_int(period->start_day), dreamd_int(day), dreamd_int(units)),
                      NULL);
    if (status != DREAMD_DB_OK)
        return status;
    if (period->gathered && dreamd_totals_gather(period->gathered, period->meter, day, period->end_day, units))
        return DREAMD_DB_OK;
    return dreamd_totals_add_usage(db, period->project, period->meter, day, period->end_day, units);
}

/* Takes from a day that has enough, or nothing. */
static dreamd_db_status take(dreamd_db *db, const dreamd_period *period, int32_t day, int64_t units, bool *out_is_taken)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "UPDATE usage_daily SET used = used - $7 WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "meter = $4 AND period_start_day = $5 AND day = $6 AND used >= $7",
        DREAMD_PARAMS(dreamd_text(period->project->platform_id), dreamd_text(period->project->project_id),
                      dreamd_text(period->user_id), dreamd_text(period->meter), dreamd_int(period->start_day),
                      dreamd_int(day), dreamd_int(units)),
        &changed);
    *out_is_taken = changed > 0;
    if (status != DREAMD_DB_OK || changed == 0)
        return status;
    return dreamd_totals_add_usage(db, period->project, period->meter, day, period->end_day, -units);
}

/* The latest day that has any. */
static dreamd_db_status find_day(dreamd_db *db, const dreamd_period *period, int32_t *out_day, int64_t *out_used)
{
    dreamd_rows *rows = NULL;
    *out_used = 0;
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT day, used FROM usage_daily WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "meter = $4 AND period_start_day = $5 AND used > 0 ORDER BY day DESC LIMIT 1",
        DREAMD_PARAMS(dreamd_text(period->project->platform_id), dreamd_text(period->project->project_id),
                      dreamd_text(period->user_id), dreamd_text(period->meter), dreamd_int(period->start_day)),
        &rows);
    if (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        *out_day = (int32_t)dreamd_rows_int(rows, 0);
        *out_used = dreamd_rows_int(rows, 1);
        status = DREAMD_DB_OK;
    }
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status take_from_latest(dreamd_db *db, const dreamd_period *period, int64_t units)
{
    dreamd_db_status status = DREAMD_DB_OK;
    while (status == DREAMD_DB_OK && units > 0) {
        bool is_taken = false;
        int32_t day = 0;
        int64_t used = 0;
        status = find_day(db, period, &day, &used);
        if (status == DREAMD_DB_OK && used == 0) /* the days no longer sum to the count */
            return DREAMD_DB_ERROR;
        if (used > units)
            used = units;
        if (status == DREAMD_DB_OK)
            status = take(db, period, day, used, &is_taken);
        units -= is_taken ? used : 0;
    }
    return status;
}

dreamd_db_status dreamd_usage_days_add(dreamd_db *db, const dreamd_period *period, int32_t day, int64_t units)
{
    bool is_taken = false;
    if (day < period->start_day)
        day = period->start_day;
    if (day > period->end_day)
        day = period->end_day;
    if (units > 0)
        return add(db, period, day, units);
    if (units == 0)
        return DREAMD_DB_OK;
    dreamd_db_status status = take(db, period, day, -units, &is_taken);
    return status != DREAMD_DB_OK || is_taken ? status : take_from_latest(db, period, -units);
}
