/* SPDX-License-Identifier: Apache-2.0 */
/* totals.c - rows of usage_totals and project_totals. Who changes what is summed calls here in the same piece of work:
 * usage.c and subscriptions.c. */
#include "service/store/totals.h"

#include "service/store/row.h"
#include "service/store/usage.h"

enum { LONGEST_PERIOD_DAYS = 366 /* of counts taken over from elsewhere; our own have 30 */ };

dreamd_db_status dreamd_totals_add_usage(dreamd_db *db, const dreamd_project *project, const char *meter, int32_t day,
                                         int32_t period_end_day, int64_t units)
{
    int64_t changed = 0;
    if (units == 0)
        return DREAMD_DB_OK;
    /* Nearly always the row is there. An upsert would refuse what is taken back: its check sees the row it would insert. */
    dreamd_db_status status = dreamd_db_run(
        db,
        "UPDATE usage_totals SET used = used + $6 WHERE platform_id = $1 AND project_id = $2 AND meter = $3 AND "
        "day = $4 AND period_end_day = $5",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(meter),
                      dreamd_int(day), dreamd_int(period_end_day), dreamd_int(units)),
        &changed);
    if (status != DREAMD_DB_OK || changed > 0)
        return status;
    return dreamd_db_run(
        db,
        "INSERT INTO usage_totals (platform_id, project_id, meter, day, period_end_day, used) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (platform_id, project_id, meter, day, period_end_day) "
        "DO UPDATE SET used = usage_totals.used + excluded.used",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(meter),
                      dreamd_int(day), dreamd_int(period_end_day), dreamd_int(units)),
        NULL);
}

dreamd_db_status dreamd_totals_of_user(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                       dreamd_totals *out)
{
    dreamd_rows *rows = NULL;
    *out = (dreamd_totals){ 0 };
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT COUNT(*), COALESCE(SUM(CASE WHEN canceled_at_ms IS NULL THEN 0 ELSE 1 END), 0), "
        "COALESCE(SUM(amount_minor), 0) FROM subscriptions WHERE platform_id = $1 AND project_id = $2 AND "
        "user_id = $3 AND (status = 'active' OR status = 'trialing')",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id)),
        &rows);
    if (rows) {
        out->active_subs = dreamd_rows_int(rows, 0);
        out->canceling_subs = dreamd_rows_int(rows, 1);
        out->mrr_minor = dreamd_rows_int(rows, 2);
    }
    dreamd_rows_finish(rows);
    return status;
}

static bool is_nothing(const dreamd_totals *change)
{
    return change->active_subs == 0 && change->canceling_subs == 0 && change->mrr_minor == 0 && change->sales_count == 0
           && change->revenue_minor == 0;
}

dreamd_db_status dreamd_totals_add(dreamd_db *db, const dreamd_project *project, const dreamd_totals *change)
{
    if (is_nothing(change))
        return DREAMD_DB_OK;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO project_totals (platform_id, project_id, active_subs, canceling_subs, mrr_minor, sales_count, "
        "revenue_minor) VALUES ($1, $2, 0, 0, 0, 0, 0) ON CONFLICT (platform_id, project_id) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id)), NULL);
    if (status != DREAMD_DB_OK)
        return status;
    return dreamd_db_run(
        db,
        "UPDATE project_totals SET active_subs = active_subs + $3, canceling_subs = canceling_subs + $4, "
        "mrr_minor = mrr_minor + $5, sales_count = sales_count + $6, revenue_minor = revenue_minor + $7 "
        "WHERE platform_id = $1 AND project_id = $2",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                      dreamd_int(change->active_subs), dreamd_int(change->canceling_subs),
                      dreamd_int(change->mrr_minor), dreamd_int(change->sales_count),
                      dreamd_int(change->revenue_minor)),
        NULL);
}

static void read_sums(const dreamd_rows *rows, dreamd_totals *out)
{
    *out = (dreamd_totals){
        .active_subs = dreamd_row_int(rows, 0, 0),
        .canceling_subs = dreamd_row_int(rows, 1, 0),
        .mrr_minor = dreamd_row_int(rows, 2, 0),
        .sales_count = dreamd_row_int(rows, 3, 0),
        .revenue_minor = dreamd_row_int(rows, 4, 0),
    };
}

dreamd_db_status dreamd_totals_read(dreamd_db *db, const dreamd_project *project, dreamd_totals *out)
{
    dreamd_rows *rows = NULL;
    *out = (dreamd_totals){ 0 };
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT active_subs, canceling_subs, mrr_minor, sales_count, revenue_minor FROM project_totals WHERE "
        "platform_id = $1 AND project_id = $2",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id)), &rows);
    if (rows)
        read_sums(rows, out);
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_totals_usage(dreamd_db *db, const dreamd_project *project, int32_t today, int64_t *out)
{
    dreamd_rows *rows = NULL;
    *out = 0;
    /* A period that runs today began at most its length ago: older days need not be looked at. */
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT SUM(used) FROM usage_totals WHERE platform_id = $1 AND project_id = $2 AND meter = $3 AND "
        "day > $4 AND period_end_day >= $5",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                      dreamd_text(DREAMD_DEFAULT_METER), dreamd_int(today - LONGEST_PERIOD_DAYS), dreamd_int(today)),
        &rows);
    if (rows)
        *out = dreamd_row_int(rows, 0, 0);
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status count_of(dreamd_db *db, const char *sql, const char *platform_id, enum dreamd_mode mode,
                                 int64_t *out)
{
    dreamd_rows *rows = NULL;
    *out = 0;
    dreamd_db_status status =
        dreamd_row_one(db, sql, DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(dreamd_mode_text(mode))), &rows);
    if (rows)
        *out = dreamd_row_int(rows, 0, 0);
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status sum_platform(dreamd_db *db, const char *platform_id, enum dreamd_mode mode, dreamd_totals *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT SUM(t.active_subs), SUM(t.canceling_subs), SUM(t.mrr_minor), SUM(t.sales_count), "
        "SUM(t.revenue_minor) FROM projects p JOIN project_totals t ON t.platform_id = p.platform_id AND "
        "t.project_id = p.project_id WHERE p.platform_id = $1 AND p.mode = $2",
        DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(dreamd_mode_text(mode))), &rows);
    if (rows)
        read_sums(rows, out);
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_totals_of_platform(dreamd_db *db, const char *platform_id, enum dreamd_mode mode,
                                           dreamd_platform_totals *out)
{
    *out = (dreamd_platform_totals){ .products = 0 };
    dreamd_db_status status = sum_platform(db, platform_id, mode, &out->sums);
    if (status == DREAMD_DB_OK)
        status = count_of(db, "SELECT COUNT(*) FROM projects WHERE platform_id = $1 AND mode = $2", platform_id, mode,
                          &out->projects);
    if (status == DREAMD_DB_OK)
        status = count_of(db,
                          "SELECT COUNT(*) FROM tiers t JOIN projects p ON p.platform_id = t.platform_id AND "
                          "p.project_id = t.project_id WHERE t.platform_id = $1 AND p.mode = $2",
                          platform_id, mode, &out->products);
    return status;
}
