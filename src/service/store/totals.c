/* SPDX-License-Identifier: Apache-2.0 */
/* totals.c - rows of usage_totals, subscription_totals and project_totals. Who changes what is summed calls here in the same piece of work:
 * usage.c and subscriptions.c. */
#include "service/store/totals.h"

#include <string.h>

#include "common/json.h"
#include "service/store/row.h"
#include "service/store/usage.h"

/* `sum` and `change` are at most DREAM_JSON_MAX_INT, so that adding them passes nothing. */
#define RAISED(sum, change)                                                                                            \
    "CASE WHEN " sum " >= " DREAMD_TOTAL_MAX_SQL " OR " sum " + " change " >= " DREAMD_TOTAL_MAX_SQL                   \
    " THEN " DREAMD_TOTAL_MAX_SQL " ELSE " sum " + " change " END "
/* Over rows; an integer SUM would fail beyond 2^63. Times 1.0 it does not, and is exact up to where it is cut. */
#define CUT_SUM(column)                                                                                                \
    "CAST(CASE WHEN SUM(" column " * 1.0) > " DREAMD_TOTAL_MAX_SQL " THEN " DREAMD_TOTAL_MAX_SQL " ELSE SUM(" column   \
    " * 1.0) END AS BIGINT)"
#define USED_RAISED RAISED("used", "$6")
#define USED_MERGED RAISED("usage_totals.used", "excluded.used")
#define YEARLY_LOWERED RAISED("yearly_minor", "-u.yearly")
#define YEARLY_MERGED RAISED("subscription_totals.yearly_minor", "excluded.yearly_minor")
#define REVENUE_MERGED RAISED("project_totals.revenue_minor", "excluded.revenue_minor")
#define SUM_USED CUT_SUM("used")
#define SUM_YEARLY_OF_USER CUT_SUM("(" DREAMD_COUNTED_YEARLY ")")
#define SUM_YEARLY CUT_SUM("t.yearly_minor")
#define SUM_REVENUE CUT_SUM("t.revenue_minor")

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
        "UPDATE usage_totals SET used = " USED_RAISED "WHERE platform_id = $1 AND project_id = $2 AND meter = $3 AND "
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
        "DO UPDATE SET used = " USED_MERGED,
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(meter),
                      dreamd_int(day), dreamd_int(period_end_day), dreamd_int(units)),
        NULL);
}

bool dreamd_totals_gather(dreamd_totals_gathered *gathered, const char *meter, int32_t day, int32_t period_end_day,
                          int64_t units)
{
    size_t i = 0;
    while (i < gathered->count
           && (gathered->rows[i].day != day || gathered->rows[i].period_end_day != period_end_day
               || strcmp(gathered->rows[i].meter, meter) != 0))
        i++;
    if (i == DREAMD_TOTALS_GATHERED_MAX)
        return false;
    if (i == gathered->count) {
        gathered->rows[i].meter = meter;
        gathered->rows[i].day = day;
        gathered->rows[i].period_end_day = period_end_day;
        gathered->rows[i].units = 0;
        gathered->count++;
    }
    if (units > DREAM_JSON_MAX_INT - gathered->rows[i].units)
        return false;
    gathered->rows[i].units += units;
    return true;
}

dreamd_db_status dreamd_totals_flush(dreamd_db *db, const dreamd_project *project, dreamd_totals_gathered *gathered)
{
    dreamd_db_status status = DREAMD_DB_OK;
    for (size_t i = 0; status == DREAMD_DB_OK && i < gathered->count; i++)
        status = dreamd_totals_add_usage(db, project, gathered->rows[i].meter, gathered->rows[i].day,
                                         gathered->rows[i].period_end_day, gathered->rows[i].units);
    gathered->count = 0;
    return status;
}

#define RUNNING_OF_USER                                                                                                \
    "SELECT " DREAMD_COUNTED_CURRENCY " AS counted, COUNT(*) AS subs, SUM(CASE WHEN canceled_at_ms IS NULL THEN 0 "    \
    "ELSE 1 END) AS ending, " SUM_YEARLY_OF_USER " AS yearly FROM subscriptions WHERE platform_id = $1 AND "           \
    "project_id = $2 AND user_id = $3 AND status IN ('active', 'trialing') GROUP BY counted"

dreamd_db_status dreamd_totals_remove_user(dreamd_db *db, const dreamd_project *project, const char *user_id)
{
    return dreamd_db_run(
        db,
        "UPDATE subscription_totals SET active_subs = active_subs - u.subs, canceling_subs = canceling_subs - "
        "u.ending, yearly_minor = " YEARLY_LOWERED "FROM (" RUNNING_OF_USER ") u WHERE platform_id = $1 AND "
        "project_id = $2 AND currency = u.counted",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id)), NULL);
}

dreamd_db_status dreamd_totals_add_user(dreamd_db *db, const dreamd_project *project, const char *user_id)
{
    /* Without a WHERE, SQLite would read ON as that of a join. */
    return dreamd_db_run(
        db,
        "INSERT INTO subscription_totals (platform_id, project_id, currency, active_subs, canceling_subs, "
        "yearly_minor) SELECT $1, $2, u.counted, u.subs, u.ending, u.yearly FROM (" RUNNING_OF_USER
        ") u WHERE u.subs > 0 "
        "ON CONFLICT (platform_id, project_id, currency) DO UPDATE SET "
        "active_subs = subscription_totals.active_subs + excluded.active_subs, "
        "canceling_subs = subscription_totals.canceling_subs + excluded.canceling_subs, "
        "yearly_minor = " YEARLY_MERGED,
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id)), NULL);
}

dreamd_db_status dreamd_totals_add_sale(dreamd_db *db, const dreamd_project *project, int64_t minor)
{
    return dreamd_db_run(
        db,
        "INSERT INTO project_totals (platform_id, project_id, sales_count, revenue_minor) VALUES ($1, $2, 1, $3) "
        "ON CONFLICT (platform_id, project_id) DO UPDATE SET sales_count = project_totals.sales_count + 1, "
        "revenue_minor = " REVENUE_MERGED,
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_int(minor)), NULL);
}

/* Rows of currency, running and ending subscriptions, and a year's revenue. Takes the rows. */
static dreamd_db_status read_subscriptions(dreamd_rows *rows, dreamd_db_status status, dreamd_totals *out)
{
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        status = DREAMD_DB_OK;
        out->active_subs += dreamd_rows_int(rows, 1);
        out->canceling_subs += dreamd_rows_int(rows, 2);
        if (out->currency_count == DREAMD_CURRENCIES_MAX)
            continue;
        dreamd_currency_mrr *mrr = &out->mrr[out->currency_count];
        mrr->mrr_minor = dreamd_rows_int(rows, 3) / 12;
        /* What is no currency is not listed: one bad row takes no page down. */
        if (dreamd_row_text(rows, 0, mrr->currency, sizeof mrr->currency))
            out->currency_count++;
    }
    dreamd_rows_finish(rows);
    return status;
}

static void read_sales(dreamd_rows *rows, dreamd_totals *out)
{
    if (rows) {
        out->sales_count = dreamd_row_int(rows, 0, 0);
        out->revenue_minor = dreamd_row_int(rows, 1, 0);
    }
    dreamd_rows_finish(rows);
}

dreamd_db_status dreamd_totals_read(dreamd_db *db, const dreamd_project *project, dreamd_totals *out)
{
    dreamd_rows *rows = NULL;
    *out = (dreamd_totals){ .active_subs = 0 };
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT currency, active_subs, canceling_subs, yearly_minor FROM subscription_totals WHERE platform_id = $1 "
        "AND project_id = $2 AND active_subs > 0 ORDER BY active_subs DESC, "
        "CASE currency WHEN 'usd' THEN 0 ELSE 1 END, currency",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id)), &rows);
    status = read_subscriptions(rows, status, out);
    if (status != DREAMD_DB_OK)
        return status;
    rows = NULL;
    status = dreamd_row_one(
        db, "SELECT sales_count, revenue_minor FROM project_totals WHERE platform_id = $1 AND project_id = $2",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id)), &rows);
    read_sales(rows, out);
    return status;
}

dreamd_db_status dreamd_totals_usage(dreamd_db *db, const dreamd_project *project, int32_t today, int64_t *out)
{
    dreamd_rows *rows = NULL;
    *out = 0;
    /* A period that runs today began at most its length ago: older days need not be looked at. */
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT " SUM_USED " FROM usage_totals WHERE platform_id = $1 AND project_id = $2 AND meter = $3 AND "
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
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT t.currency, SUM(t.active_subs) AS subs, SUM(t.canceling_subs), " SUM_YEARLY " FROM projects p "
        "JOIN subscription_totals t ON t.platform_id = p.platform_id AND t.project_id = p.project_id WHERE "
        "p.platform_id = $1 AND p.mode = $2 AND t.active_subs > 0 GROUP BY t.currency ORDER BY subs DESC, "
        "CASE t.currency WHEN 'usd' THEN 0 ELSE 1 END, t.currency",
        DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(dreamd_mode_text(mode))), &rows);
    status = read_subscriptions(rows, status, out);
    if (status != DREAMD_DB_OK)
        return status;
    rows = NULL;
    status = dreamd_row_one(
        db,
        "SELECT SUM(t.sales_count), " SUM_REVENUE " FROM projects p JOIN project_totals t ON "
        "t.platform_id = p.platform_id AND t.project_id = p.project_id WHERE p.platform_id = $1 AND p.mode = $2",
        DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(dreamd_mode_text(mode))), &rows);
    read_sales(rows, out);
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
