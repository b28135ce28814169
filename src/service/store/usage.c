/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - admits, refuses and counts. The rules are in usage.h; the tables usage_counts, usage_daily and rate_windows.
 *
 * Nothing here reads a count to decide by it: the UPDATEs in `charge` and `take_begun` carry their condition, and what is read
 * afterwards only words the answer. That holds whatever the engine's isolation level.
 *
 * This is the path every metered request takes, so its statements avoid what makes SQLite build a table of its own each time they
 * run (RETURNING, ORDER BY without an index, IN with a list): a read by key afterwards costs a tenth of that. */
#include "service/store/usage.h"

#include <string.h>

#include "common/json.h"
#include "common/rule.h"
#include "common/timefmt.h"
#include "service/store/customers.h"
#include "service/store/lease_account.h"
#include "service/store/leases.h"
#include "service/store/lower.h"
#include "service/store/row.h"
#include "service/store/totals.h"
#include "service/store/usage_days.h"

enum {
    MINUTE_MS = 60000,
    /* Older windows of a user are removed when a new one begins. Not the last few: a process whose clock is behind may still be
     * counting in them. */
    RATE_KEEP_MINUTES = 5,
    HELD_RETRY_MS = 1000
};
static const char free_plan[] = "free";

static const char *meter_of(const dreamd_usage_request *request)
{
    return request->meter ? request->meter : DREAMD_DEFAULT_METER;
}

/* ---- who asks, and what their plan gives ---- */

typedef struct caller {
    bool is_known;
    bool is_deleted;
    char lower_plan[DREAMD_PLAN_SIZE];
} caller;

/* Copies a plan, cut between characters if it is too long: what is cut is no tier's name, and text stays UTF-8. */
static void copy_plan(char out[DREAMD_PLAN_SIZE], const char *plan)
{
    size_t length = strlen(plan);
    if (length >= DREAMD_PLAN_SIZE) {
        length = DREAMD_PLAN_SIZE - 1;
        while (length > 0 && ((unsigned char)plan[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(out, plan, length);
    out[length] = '\0';
}

/* The first that says something, from the strongest. */
static void choose_plan(char out[DREAMD_PLAN_SIZE], const char *subscribed, const char *stored, const char *token)
{
    const char *sources[] = { subscribed, stored, token, free_plan };
    size_t i = 0;
    while (!sources[i] || !sources[i][0])
        i++;
    copy_plan(out, sources[i]);
}

/* One row for each subscription that gives a plan, or one with NULLs. Chosen here, not by ORDER BY: see the head of this file. */
static dreamd_db_status read_caller(dreamd_rows *rows, const dreamd_usage_request *request, caller *who,
                                    dreamd_usage_result *out)
{
    int64_t newest_s = INT64_MIN;
    dreamd_db_status status;
    choose_plan(out->plan, NULL, NULL, request->token_plan);
    while ((status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        int64_t started_s = dreamd_row_int(rows, 3, INT64_MIN);
        who->is_known = true;
        who->is_deleted = strcmp(dreamd_rows_text(rows, 0), "active") != 0;
        /* Of several subscriptions the one begun last counts; rows come by id, so ties always end the same way. */
        if (started_s >= newest_s) {
            newest_s = started_s;
            choose_plan(out->plan, dreamd_rows_text(rows, 2), dreamd_rows_text(rows, 1), request->token_plan);
        }
    }
    return status;
}

static dreamd_db_status find_caller(dreamd_db *db, const dreamd_usage_request *request, caller *who,
                                    dreamd_usage_result *out)
{
    dreamd_rows *rows = NULL;
    *who = (caller){ .is_known = false };
    dreamd_db_status status =
        dreamd_db_query(db,
                        "SELECT c.status, c.plan, s.plan, s.started_s FROM customers c LEFT JOIN subscriptions s ON "
                        "s.platform_id = c.platform_id AND s.project_id = c.project_id AND s.user_id = c.user_id AND "
                        "(s.status = 'active' OR s.status = 'trialing') "
                        "WHERE c.platform_id = $1 AND c.project_id = $2 AND c.user_id = $3",
                        DREAMD_PARAMS(dreamd_text(request->project->platform_id),
                                      dreamd_text(request->project->project_id), dreamd_text(request->user_id)),
                        &rows);
    if (status == DREAMD_DB_OK)
        status = read_caller(rows, request, who, out);
    dreamd_rows_finish(rows);
    memcpy(who->lower_plan, out->plan, sizeof out->plan);
    dreamd_lower(who->lower_plan);
    return status;
}

/* {"tokens":{"limit":1000}}: null is unlimited; a meter that is not there or makes no sense has nothing. */
static int64_t meter_limit(const char *meters_json, const char *meter)
{
    int64_t limit = 0;
    cJSON *meters = meters_json ? dream_json_parse(meters_json, strlen(meters_json), NULL) : NULL;
    const cJSON *entry = dream_json_get(meters, meter);
    if (cJSON_IsNull(dream_json_get(entry, "limit")))
        limit = DREAMD_UNLIMITED;
    else if (!dream_json_int(entry, "limit", &limit) || limit < 0)
        limit = 0;
    cJSON_Delete(meters);
    return limit;
}

static dreamd_db_status read_limits(dreamd_db *db, const dreamd_usage_request *request, const char *tier,
                                    dreamd_usage_result *out, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT usage_limit, rate_limit, meters_json, " DREAMD_RECOVERY_SQL " FROM tiers WHERE platform_id = $1 AND "
        "project_id = $2 AND name = $3",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(tier)),
        &rows);
    *out_found = rows != NULL;
    if (rows) {
        bool is_default = strcmp(meter_of(request), DREAMD_DEFAULT_METER) == 0;
        out->limit = is_default ? dreamd_row_int(rows, 0, DREAMD_UNLIMITED)
                                : meter_limit(dreamd_rows_text(rows, 2), meter_of(request));
        out->rate_limit = dreamd_row_int(rows, 1, DREAMD_UNLIMITED);
        out->recovering_until_ms = dreamd_row_int(rows, 3, 0);
    }
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status find_limits_anew(dreamd_db *db, const dreamd_usage_request *request, const caller *who,
                                         dreamd_usage_result *out)
{
    bool is_found = false;
    out->limit = 0;
    out->rate_limit = DREAMD_DEFAULT_RATE_LIMIT;
    dreamd_db_status status = read_limits(db, request, who->lower_plan, out, &is_found);
    if (status == DREAMD_DB_OK && !is_found && strcmp(who->lower_plan, out->plan) != 0)
        status = read_limits(db, request, out->plan, out, &is_found);
    if (status == DREAMD_DB_OK && !is_found)
        status = dreamd_recovery_read(db, &out->recovering_until_ms);
    return status;
}

/* Within one piece of work a plan gives the same to all. */
static dreamd_db_status find_limits(dreamd_db *db, const dreamd_usage_request *request, const caller *who,
                                    dreamd_usage_result *out)
{
    dreamd_usage_memory *memory = request->memory;
    const char *meter = meter_of(request);
    if (memory && memory->is_filled && strcmp(memory->plan, out->plan) == 0 && strcmp(memory->meter, meter) == 0) {
        out->limit = memory->limit;
        out->rate_limit = memory->rate_limit;
        out->recovering_until_ms = memory->recovering_until_ms;
        return DREAMD_DB_OK;
    }
    dreamd_db_status status = find_limits_anew(db, request, who, out);
    if (status != DREAMD_DB_OK || !memory || strlen(meter) >= sizeof memory->meter)
        return status;
    *memory = (dreamd_usage_memory){ true, "", "", out->limit, out->rate_limit, out->recovering_until_ms };
    memcpy(memory->plan, out->plan, sizeof memory->plan);
    memcpy(memory->meter, meter, strlen(meter) + 1);
    return DREAMD_DB_OK;
}

/* ---- the rate ---- */

static dreamd_db_status forget_old_windows(dreamd_db *db, const dreamd_usage_request *request, int64_t minute)
{
    return dreamd_db_run(
        db,
        "DELETE FROM rate_windows WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "window_minute < $4",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(request->user_id), dreamd_int(minute - RATE_KEEP_MINUTES)),
        NULL);
}

/* Takes one of a window that was begun. */
static dreamd_db_status take_begun(dreamd_db *db, const dreamd_usage_request *request, int64_t minute, int64_t limit,
                                   int64_t *out_taken)
{
    return dreamd_db_run(
        db,
        "UPDATE rate_windows SET calls = calls + 1 WHERE platform_id = $1 AND project_id = $2 AND "
        "user_id = $3 AND window_minute = $4 AND calls < $5",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(request->user_id), dreamd_int(minute), dreamd_int(limit)),
        out_taken);
}

/* Begins the window with its first call, if nobody has. */
static dreamd_db_status take_first(dreamd_db *db, const dreamd_usage_request *request, int64_t minute,
                                   int64_t *out_taken)
{
    return dreamd_db_run(
        db,
        "INSERT INTO rate_windows (platform_id, project_id, user_id, window_minute, calls) "
        "VALUES ($1, $2, $3, $4, 1) ON CONFLICT (platform_id, project_id, user_id, window_minute) "
        "DO NOTHING",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(request->user_id), dreamd_int(minute)),
        out_taken);
}

static dreamd_db_status take_from_window(dreamd_db *db, const dreamd_usage_request *request, int64_t minute,
                                         int64_t limit, int64_t *out_taken)
{
    dreamd_db_status status = take_begun(db, request, minute, limit, out_taken);
    if (status != DREAMD_DB_OK || *out_taken > 0 || limit < 1)
        return status;
    status = take_first(db, request, minute, out_taken);
    if (status != DREAMD_DB_OK)
        return status;
    if (*out_taken > 0)
        return forget_old_windows(db, request, minute);
    /* The window is full, or (where transactions run side by side) was begun between the two. */
    return take_begun(db, request, minute, limit, out_taken);
}

static dreamd_db_status take_rate(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out)
{
    int64_t taken = 0;
    if (out->rate_limit == DREAMD_UNLIMITED)
        return DREAMD_DB_OK;
    dreamd_db_status status = take_from_window(db, request, request->now_ms / MINUTE_MS, out->rate_limit, &taken);
    if (status == DREAMD_DB_OK && taken == 0) {
        out->outcome = DREAMD_USAGE_RATE_LIMITED;
        out->retry_after_ms = MINUTE_MS - request->now_ms % MINUTE_MS;
    }
    return status;
}

/* Who asks, and what their plan gives. out->outcome is OK if the request may go on. */
dreamd_db_status dreamd_usage_identify(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out)
{
    caller who;
    *out = (dreamd_usage_result){ .outcome = DREAMD_USAGE_OK };
    dreamd_db_status status = find_caller(db, request, &who, out);
    if (status == DREAMD_DB_OK)
        status = find_limits(db, request, &who, out);
    out->is_known_customer = who.is_known;
    if (who.is_deleted)
        out->outcome = DREAMD_USAGE_DELETED;
    else if (!who.is_known && request->is_server_side)
        out->outcome = DREAMD_USAGE_NO_CUSTOMER;
    return status;
}

/* What each request of its own does first. */
static dreamd_db_status begin_request(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out)
{
    dreamd_db_status status = dreamd_usage_identify(db, request, out);
    if (status != DREAMD_DB_OK || out->outcome != DREAMD_USAGE_OK)
        return status;
    return take_rate(db, request, out);
}

dreamd_db_status dreamd_rate_take(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out)
{
    return begin_request(db, request, out);
}

/* ---- counting ---- */

static dreamd_period period_of(const dreamd_usage_request *request, const dreamd_usage_result *counted)
{
    return (dreamd_period){ request->project,          request->user_id,        meter_of(request),
                            counted->period_start_day, counted->period_end_day, request->gathered };
}

static int64_t highest_count(const dreamd_usage_result *plan)
{
    return plan->limit < DREAMD_COUNT_MAX ? plan->limit : DREAMD_COUNT_MAX;
}

/* What may be counted already for the request to fit. */
static int64_t most_before(const dreamd_usage_request *request, const dreamd_usage_result *plan)
{
    return DREAM_RULE(direct_within_limit) ? highest_count(plan) - request->units : INT64_MAX;
}

/* Into a period with nothing in it. What does not fit begins none: a refusal is no use. */
static bool would_fit_alone(const dreamd_usage_request *request, const dreamd_usage_result *plan)
{
    return most_before(request, plan) >= 0;
}

/* The statement that decides. `out_is_charged` false: no room, or no running period. */
static dreamd_db_status charge(dreamd_db *db, const dreamd_usage_request *request, int32_t today,
                               const dreamd_usage_result *out, bool *out_is_charged)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "UPDATE usage_counts SET used = used + $5, updated_at_ms = $8, "
        "highest_limit = CASE WHEN highest_limit < $6 THEN $6 ELSE highest_limit END "
        "WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND meter = $4 AND period_start_day = "
        "(SELECT MAX(p.period_start_day) FROM usage_counts p WHERE p.platform_id = $1 AND p.project_id = $2 AND "
        "p.user_id = $3 AND p.meter = $4) AND period_end_day >= $7 AND used + held + lost <= $9",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(request->user_id), dreamd_text(meter_of(request)), dreamd_int(request->units),
                      dreamd_int(out->limit), dreamd_int(today), dreamd_int(request->now_ms),
                      dreamd_int(most_before(request, out))),
        &changed);
    *out_is_charged = changed > 0;
    return status;
}

dreamd_db_status dreamd_usage_start_period(dreamd_db *db, const dreamd_usage_request *request, int32_t start_day,
                                           const dreamd_usage_result *plan, bool *out_is_started)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO usage_counts (platform_id, project_id, user_id, meter, period_start_day, period_end_day, used, "
        "held, lost, highest_limit, updated_at_ms) SELECT $1, $2, $3, $4, $5, $6, 0, 0, 0, $7, $8 WHERE NOT EXISTS "
        "(SELECT 1 FROM usage_counts p WHERE p.platform_id = $1 AND p.project_id = $2 AND p.user_id = $3 AND "
        "p.meter = $4 AND p.period_end_day >= $5) "
        "ON CONFLICT (platform_id, project_id, user_id, meter, period_start_day) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(request->user_id), dreamd_text(meter_of(request)), dreamd_int(start_day),
                      dreamd_int(start_day + DREAMD_PERIOD_DAYS - 1), dreamd_int(plan->limit),
                      dreamd_int(request->now_ms)),
        &changed);
    *out_is_started = changed > 0;
    return status;
}

/* Books the units of a period under their day, and in the project's sums. A clock that stepped back books on its first day. */
static dreamd_db_status count_day(dreamd_db *db, const dreamd_usage_request *request, int32_t today,
                                  const dreamd_usage_result *counted)
{
    dreamd_period period = period_of(request, counted);
    return dreamd_usage_days_add(db, &period, today, request->units);
}

/* The period that runs, if one does. */
static dreamd_db_status read_running(dreamd_db *db, const dreamd_usage_request *request, int32_t today,
                                     dreamd_usage_result *out, bool *out_is_running)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT used, held, lost, period_start_day, period_end_day FROM usage_counts WHERE platform_id = $1 AND "
        "project_id = $2 AND user_id = $3 AND meter = $4 ORDER BY period_start_day DESC LIMIT 1",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(request->user_id), dreamd_text(meter_of(request))),
        &rows);
    *out_is_running = rows && dreamd_rows_int(rows, 4) >= today;
    if (*out_is_running) {
        out->used = dreamd_rows_int(rows, 0);
        out->held = dreamd_rows_int(rows, 1);
        out->lost = dreamd_rows_int(rows, 2);
        out->period_start_day = (int32_t)dreamd_rows_int(rows, 3);
        out->period_end_day = (int32_t)dreamd_rows_int(rows, 4);
    }
    dreamd_rows_finish(rows);
    return status;
}

/* Tells the running period, or the one that would begin today. */
static dreamd_db_status describe_period(dreamd_db *db, const dreamd_usage_request *request, int32_t today,
                                        dreamd_usage_result *out)
{
    bool is_running = false;
    out->period_start_day = today;
    out->period_end_day = today + DREAMD_PERIOD_DAYS - 1;
    return read_running(db, request, today, out, &is_running);
}

/* After a restore, until every lease that the backup does not know has ended. */
static void wait_for_recovery(const dreamd_usage_request *request, dreamd_usage_result *out)
{
    if (request->now_ms < out->recovering_until_ms && DREAM_RULE(recovering_admits_nothing)) {
        out->outcome = DREAMD_USAGE_RECOVERING;
        out->retry_after_ms = out->recovering_until_ms - request->now_ms;
    }
}

/* Silent leases hold no more; what they did not report is lost. */
static dreamd_db_status age_leases(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out)
{
    dreamd_period period = period_of(request, out);
    dreamd_lease_crowd crowd;
    bool is_running = false;
    if (out->held == 0)
        return DREAMD_DB_OK;
    dreamd_db_status status = dreamd_lease_crowd_read(db, &period, "", request->now_ms, &crowd);
    if (status != DREAMD_DB_OK || !crowd.has_aged)
        return status;
    return read_running(db, request, out->period_end_day, out, &is_running);
}

static void word_refusal(const dreamd_usage_request *request, dreamd_usage_result *out)
{
    bool would_fit = out->held > 0 && out->used + out->lost <= highest_count(out) - request->units;
    out->outcome = would_fit ? DREAMD_USAGE_HELD : DREAMD_USAGE_LIMIT;
    out->retry_after_ms = would_fit ? HELD_RETRY_MS : 0;
}

/* Units that others hold are called back, for the next try. */
static dreamd_db_status refuse(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out)
{
    dreamd_db_status status = age_leases(db, request, out);
    dreamd_period period = period_of(request, out);
    if (status != DREAMD_DB_OK)
        return status;
    word_refusal(request, out);
    return out->outcome == DREAMD_USAGE_HELD ? dreamd_lease_recall(db, &period, "", request->now_ms) : DREAMD_DB_OK;
}

/* Who is known already, and comes with no address, would be written as they are. */
static dreamd_db_status ensure_customer(dreamd_db *db, const dreamd_usage_request *request,
                                        const dreamd_usage_result *out)
{
    if (out->is_known_customer && !request->email)
        return DREAMD_DB_OK;
    return dreamd_customer_ensure(db, request->project, request->user_id, request->email, request->now_ms);
}

static dreamd_db_status charge_period(dreamd_db *db, const dreamd_usage_request *request, int32_t today,
                                      const dreamd_usage_result *out, bool *out_is_charged)
{
    bool is_started = false;
    dreamd_db_status status = charge(db, request, today, out, out_is_charged);
    if (status != DREAMD_DB_OK || *out_is_charged || !would_fit_alone(request, out))
        return status;
    status = dreamd_usage_start_period(db, request, today, out, &is_started);
    if (status != DREAMD_DB_OK || !is_started)
        return status;
    return charge(db, request, today, out, out_is_charged);
}

dreamd_db_status dreamd_usage_admit(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out)
{
    int32_t today = dream_day_of_ms(request->now_ms);
    bool is_charged = false;

    if (request->units < 1 || request->units > DREAM_JSON_MAX_INT)
        return DREAMD_DB_CONFLICT;
    dreamd_db_status status = begin_request(db, request, out);
    if (status == DREAMD_DB_OK && out->outcome == DREAMD_USAGE_OK)
        wait_for_recovery(request, out);
    if (status != DREAMD_DB_OK || out->outcome != DREAMD_USAGE_OK)
        return status;
    status = ensure_customer(db, request, out);
    if (status == DREAMD_DB_OK)
        status = charge_period(db, request, today, out, &is_charged);
    if (status == DREAMD_DB_OK)
        status = describe_period(db, request, today, out);
    if (status != DREAMD_DB_OK)
        return status;
    return is_charged ? count_day(db, request, today, out) : refuse(db, request, out);
}

dreamd_db_status dreamd_usage_read(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out)
{
    dreamd_db_status status = begin_request(db, request, out);
    if (status != DREAMD_DB_OK || out->outcome != DREAMD_USAGE_OK)
        return status;
    status = describe_period(db, request, dream_day_of_ms(request->now_ms), out);
    return status == DREAMD_DB_OK ? age_leases(db, request, out) : status;
}

/* ---- events of another time ---- */

typedef struct period {
    bool is_there;
    int32_t start_day;
    int32_t end_day;
} period;

/* The period that begins last, and the one before it. */
static dreamd_db_status read_periods(dreamd_db *db, const dreamd_usage_request *request, period out[2])
{
    dreamd_rows *rows = NULL;
    size_t count = 0;
    out[0] = out[1] = (period){ .is_there = false };
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT period_start_day, period_end_day FROM usage_counts WHERE platform_id = $1 AND project_id = $2 AND "
        "user_id = $3 AND meter = $4 ORDER BY period_start_day DESC LIMIT 2",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(request->user_id), dreamd_text(meter_of(request))),
        &rows);
    while (status == DREAMD_DB_OK && count < 2 && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        out[count++] = (period){ true, (int32_t)dreamd_rows_int(rows, 0), (int32_t)dreamd_rows_int(rows, 1) };
        status = DREAMD_DB_OK;
    }
    dreamd_rows_finish(rows);
    return status;
}

static bool holds(const period *asked, int32_t day)
{
    return asked->is_there && day >= asked->start_day && day <= asked->end_day;
}

/* The period that `day` is booked in; `out->is_there` false: one is to begin on that day. False: neither the running nor the
 * previous one holds it, and none may begin there. */
static bool choose_period(const period latest[2], int32_t day, int32_t today, period *out)
{
    bool is_running = latest[0].is_there && latest[0].end_day >= today;
    /* Today is in the running period even if the clock says that it has not begun. */
    bool is_in_latest = holds(&latest[0], day) || (is_running && day == today);
    *out = is_in_latest ? latest[0] : (period){ false, day, day + DREAMD_PERIOD_DAYS - 1 };
    if (is_in_latest)
        return true;
    if (is_running) {
        *out = latest[1];
        return holds(&latest[1], day);
    }
    return (!latest[0].is_there || day > latest[0].end_day) && day > today - DREAMD_PERIOD_DAYS;
}

/* The same decision as in `charge`, for a period that is named. */
static dreamd_db_status charge_in(dreamd_db *db, const dreamd_usage_request *request, const period *chosen,
                                  const dreamd_usage_result *out, bool *out_is_charged)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "UPDATE usage_counts SET used = used + $5, updated_at_ms = $8, "
        "highest_limit = CASE WHEN highest_limit < $6 THEN $6 ELSE highest_limit END "
        "WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND meter = $4 AND period_start_day = $7 AND "
        "used + held + lost <= $9",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(request->user_id), dreamd_text(meter_of(request)), dreamd_int(request->units),
                      dreamd_int(out->limit), dreamd_int(chosen->start_day), dreamd_int(request->now_ms),
                      dreamd_int(most_before(request, out))),
        &changed);
    *out_is_charged = changed > 0;
    return status;
}

static dreamd_db_status describe_chosen(dreamd_db *db, const dreamd_usage_request *request, const period *chosen,
                                        dreamd_usage_result *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT used, held, lost FROM usage_counts WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "meter = $4 AND period_start_day = $5",
        DREAMD_PARAMS(dreamd_text(request->project->platform_id), dreamd_text(request->project->project_id),
                      dreamd_text(request->user_id), dreamd_text(meter_of(request)), dreamd_int(chosen->start_day)),
        &rows);
    if (rows) {
        out->used = dreamd_rows_int(rows, 0);
        out->held = dreamd_rows_int(rows, 1);
        out->lost = dreamd_rows_int(rows, 2);
    }
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status book_in(dreamd_db *db, const dreamd_usage_request *request, int32_t day, const period *chosen,
                                dreamd_usage_result *out)
{
    bool is_charged = false;
    bool is_started = false;
    dreamd_db_status status = DREAMD_DB_OK;
    out->period_start_day = chosen->start_day;
    out->period_end_day = chosen->end_day;
    if (!chosen->is_there && would_fit_alone(request, out))
        status = dreamd_usage_start_period(db, request, day, out, &is_started);
    if (status == DREAMD_DB_OK)
        status = charge_in(db, request, chosen, out, &is_charged);
    if (status == DREAMD_DB_OK && is_charged)
        return count_day(db, request, day, out);
    if (status == DREAMD_DB_OK)
        status = describe_chosen(db, request, chosen, out);
    return status == DREAMD_DB_OK ? refuse(db, request, out) : status;
}

dreamd_db_status dreamd_usage_book(dreamd_db *db, const dreamd_usage_request *request, int64_t at_ms,
                                   dreamd_usage_result *out)
{
    int32_t today = dream_day_of_ms(request->now_ms);
    int32_t day = dream_day_of_ms(at_ms);
    period latest[2];
    period chosen;

    if (request->units < 1 || request->units > DREAM_JSON_MAX_INT)
        return DREAMD_DB_CONFLICT;
    dreamd_db_status status = dreamd_usage_identify(db, request, out);
    if (status == DREAMD_DB_OK && out->outcome == DREAMD_USAGE_OK)
        wait_for_recovery(request, out);
    if (status != DREAMD_DB_OK || out->outcome != DREAMD_USAGE_OK)
        return status;
    /* A sender's clock that is a little ahead must not open tomorrow's period. */
    if (day > today)
        day = today;
    status = ensure_customer(db, request, out);
    if (status == DREAMD_DB_OK)
        status = read_periods(db, request, latest);
    if (status != DREAMD_DB_OK)
        return status;
    if (choose_period(latest, day, today, &chosen))
        return book_in(db, request, day, &chosen, out);
    out->outcome = DREAMD_USAGE_OUTSIDE;
    return DREAMD_DB_OK;
}

dreamd_db_status dreamd_usage_peek(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out,
                                   bool *out_is_running)
{
    *out = (dreamd_usage_result){ .outcome = DREAMD_USAGE_OK };
    return read_running(db, request, dream_day_of_ms(request->now_ms), out, out_is_running);
}

/* ---- counts from elsewhere ---- */

static dreamd_db_status overlaps_another(dreamd_db *db, const dreamd_project *project, const dreamd_usage_row *row,
                                         const char *meter, bool *out_overlaps)
{
    return dreamd_row_exists(
        db,
        "SELECT 1 FROM usage_counts WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 "
        "AND meter = $4 AND period_start_day <> $5 AND period_start_day <= $6 AND "
        "period_end_day >= $5",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(row->user_id),
                      dreamd_text(meter), dreamd_int(row->period_start_day), dreamd_int(row->period_end_day)),
        out_overlaps);
}

static dreamd_db_status put_count(dreamd_db *db, const dreamd_project *project, const dreamd_usage_row *row,
                                  const char *meter, int64_t now_ms)
{
    int64_t changed = 0;
    /* The limit it was counted under is not known; at least what was counted must have been allowed. */
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO usage_counts (platform_id, project_id, user_id, meter, period_start_day, period_end_day, used, "
        "held, lost, highest_limit, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $7, $8) "
        "ON CONFLICT (platform_id, project_id, user_id, meter, period_start_day) DO UPDATE SET "
        "period_end_day = excluded.period_end_day, used = excluded.used, updated_at_ms = excluded.updated_at_ms, "
        "highest_limit = CASE WHEN usage_counts.highest_limit - usage_counts.held - usage_counts.lost < excluded.used "
        "THEN excluded.used + usage_counts.held + usage_counts.lost ELSE usage_counts.highest_limit END "
        "WHERE usage_counts.leased <= excluded.used",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(row->user_id),
                      dreamd_text(meter), dreamd_int(row->period_start_day), dreamd_int(row->period_end_day),
                      dreamd_int(row->used), dreamd_int(now_ms)),
        &changed);
    return status == DREAMD_DB_OK && changed == 0 ? DREAMD_DB_CONFLICT : status;
}

static dreamd_db_status put_days(dreamd_db *db, const dreamd_project *project, const dreamd_usage_row *row,
                                 const char *meter)
{
    dreamd_db_status status = dreamd_db_run(
        db,
        "DELETE FROM usage_daily WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND meter = $4 AND "
        "period_start_day = $5",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(row->user_id),
                      dreamd_text(meter), dreamd_int(row->period_start_day)),
        NULL);
    if (status != DREAMD_DB_OK)
        return status;
    /* On which days is not known: the first stands for all. */
    return dreamd_db_run(
        db,
        "INSERT INTO usage_daily (platform_id, project_id, user_id, meter, period_start_day, day, used) "
        "VALUES ($1, $2, $3, $4, $5, $5, $6)",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(row->user_id),
                      dreamd_text(meter), dreamd_int(row->period_start_day), dreamd_int(row->used)),
        NULL);
}

/* Takes the days of the period that is to be replaced out of the project's sums. */
static dreamd_db_status take_back_days(dreamd_db *db, const dreamd_project *project, const dreamd_usage_row *row,
                                       const char *meter)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status =
        dreamd_db_query(db,
                        "SELECT d.day, c.period_end_day, d.used FROM usage_daily d JOIN usage_counts c ON "
                        "c.platform_id = d.platform_id AND c.project_id = d.project_id AND c.user_id = d.user_id AND "
                        "c.meter = d.meter AND c.period_start_day = d.period_start_day WHERE d.platform_id = $1 AND "
                        "d.project_id = $2 AND d.user_id = $3 AND d.meter = $4 AND d.period_start_day = $5",
                        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                                      dreamd_text(row->user_id), dreamd_text(meter), dreamd_int(row->period_start_day)),
                        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW)
        status = dreamd_totals_add_usage(db, project, meter, (int32_t)dreamd_rows_int(rows, 0),
                                         (int32_t)dreamd_rows_int(rows, 1), -dreamd_rows_int(rows, 2));
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_usage_put(dreamd_db *db, const dreamd_project *project, const dreamd_usage_row *row,
                                  int64_t now_ms)
{
    const char *meter = row->meter ? row->meter : DREAMD_DEFAULT_METER;
    bool overlaps = false;
    if (row->used < 0 || row->used > DREAM_JSON_MAX_INT || row->period_end_day < row->period_start_day)
        return DREAMD_DB_CONFLICT;
    dreamd_db_status status = overlaps_another(db, project, row, meter, &overlaps);
    if (status == DREAMD_DB_OK && overlaps)
        status = DREAMD_DB_CONFLICT;
    if (status == DREAMD_DB_OK)
        status = dreamd_customer_ensure(db, project, row->user_id, NULL, now_ms);
    if (status == DREAMD_DB_OK)
        status = take_back_days(db, project, row, meter);
    if (status == DREAMD_DB_OK)
        status = put_count(db, project, row, meter, now_ms);
    if (status == DREAMD_DB_OK)
        status = put_days(db, project, row, meter);
    if (status == DREAMD_DB_OK)
        status = dreamd_totals_add_usage(db, project, meter, row->period_start_day, row->period_end_day, row->used);
    return status;
}
