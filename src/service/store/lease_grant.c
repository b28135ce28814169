/* SPDX-License-Identifier: Apache-2.0 */
/* lease_grant.c - answers requests for leases, each once: the answer is remembered with the request's id.
 *
 * What decides is the UPDATE in `take_units`; what is read before only sizes the grant. Where transactions run side by side and
 * the two disagree, the item is answered `unavailable` and comes again. */
#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "common/rule.h"
#include "common/timefmt.h"
#include "service/store/lease_account.h"
#include "service/store/lease_rate.h"
#include "service/store/lease_row.h"
#include "service/store/row.h"
#include "service/store/usage.h"

enum {
    RETRY_MS = 1000, /* an upgrade should show soon */
    ALONE = 2,       /* at most this part of what is left, */
    SHARED = 4,      /* so that others who come find some */
    RANDOM_SIZE = 10
};
static const int64_t day_ms = 86400000;

/* ---- a request that was answered before ---- */

static dreamd_db_status read_terms(dreamd_db *db, const dreamd_lease_scope *scope, dreamd_lease_grant *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT plan, usage_limit, rate_limit, rate_granted FROM leases WHERE platform_id = $1 AND project_id = $2 AND "
        "lease_id = $3",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(out->lease_id)),
        &rows);
    if (rows) {
        out->has_plan = dreamd_row_text(rows, 0, out->plan, sizeof out->plan) && out->plan[0];
        out->limit = dreamd_rows_int(rows, 1);
        out->has_rate = !dreamd_rows_is_null(rows, 2);
        out->rate_limit = dreamd_row_int(rows, 2, 0);
        out->rate_granted = dreamd_row_int(rows, 3, 0);
    }
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status read_counts(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_row *lease,
                                    dreamd_lease_grant *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT used, held, lost FROM usage_counts WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "meter = $4 AND period_start_day = $5",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(lease->user_id), dreamd_text(lease->meter), dreamd_int(lease->period_start_day)),
        &rows);
    if (rows) {
        out->has_period = true;
        out->used = dreamd_rows_int(rows, 0);
        out->held = dreamd_rows_int(rows, 1);
        out->lost = dreamd_rows_int(rows, 2);
        out->period_start_day = lease->period_start_day;
        out->period_end_day = lease->period_end_day;
    }
    dreamd_rows_finish(rows);
    return status;
}

static void set_time(const dreamd_lease_scope *scope, int64_t ends_at_ms, dreamd_lease_grant *out)
{
    int64_t left_ms = ends_at_ms - scope->now_ms;
    /* Granted while the clock was ahead: what remains would be days, which no holder believes. */
    if (left_ms > scope->terms->ttl_ms)
        left_ms = scope->terms->ttl_ms;
    out->ttl_ms = left_ms > 0 && out->state == DREAMD_LEASE_ACTIVE ? left_ms : 0;
    out->window_ends_in_ms = DREAMD_LEASE_WINDOW_MS - scope->now_ms % DREAMD_LEASE_WINDOW_MS;
}

static dreamd_db_status repeat_grant(dreamd_db *db, const dreamd_lease_scope *scope, const char *lease_id,
                                     dreamd_lease_grant *out)
{
    dreamd_lease_row lease;
    bool is_found = false;
    dreamd_db_status status = dreamd_lease_find(db, scope->project, lease_id, &lease, &is_found);
    if (status != DREAMD_DB_OK || !is_found) {
        out->refusal = DREAMD_LEASE_BAD_REQUEST; /* its lease is gone, which `check` reports */
        return status;
    }
    status = dreamd_lease_age(db, scope, &lease);
    memcpy(out->lease_id, lease.lease_id, sizeof out->lease_id);
    out->granted = lease.granted;
    out->state = DREAM_RULE(repeat_tells_state) ? lease.state : DREAMD_LEASE_ACTIVE;
    set_time(scope, lease.ends_at_ms, out);
    if (!DREAM_RULE(ttl_is_what_remains))
        out->ttl_ms = scope->terms->ttl_ms;
    if (status == DREAMD_DB_OK)
        status = read_terms(db, scope, out);
    return status == DREAMD_DB_OK ? read_counts(db, scope, &lease, out) : status;
}

static void repeat_refusal(const dreamd_rows *rows, const dreamd_lease_scope *scope, dreamd_lease_grant *out)
{
    int64_t left_ms = dreamd_row_int(rows, 4, 0) - scope->now_ms;
    out->refusal = (dreamd_lease_refusal)dreamd_rows_int(rows, 3);
    out->retry_after_ms = left_ms > 0 ? left_ms : 0;
    out->has_plan = !dreamd_rows_is_null(rows, 5) && dreamd_row_text(rows, 5, out->plan, sizeof out->plan);
    out->limit = dreamd_row_int(rows, 6, 0);
    out->has_period = !dreamd_rows_is_null(rows, 10);
    out->used = dreamd_row_int(rows, 7, 0);
    out->held = dreamd_row_int(rows, 8, 0);
    out->lost = dreamd_row_int(rows, 9, 0);
    out->period_start_day = (int32_t)dreamd_row_int(rows, 10, 0);
    out->period_end_day = (int32_t)dreamd_row_int(rows, 11, 0);
}

static dreamd_db_status find_answer(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_want *want,
                                    dreamd_lease_grant *out, bool *out_is_found)
{
    dreamd_rows *rows = NULL;
    char lease_id[DREAMD_LEASE_ID_MAX + 1] = "";
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT user_id, meter, lease_id, error, retry_at_ms, plan, usage_limit, used, held, lost, period_start_day, "
        "period_end_day FROM lease_requests WHERE platform_id = $1 AND project_id = $2 AND request_id = $3",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(want->request_id)),
        &rows);
    *out_is_found = rows && DREAM_RULE(request_keeps_answer);
    if (!*out_is_found) {
        dreamd_rows_finish(rows);
        return status;
    }
    bool is_same =
        strcmp(dreamd_rows_text(rows, 0), want->user_id) == 0 && strcmp(dreamd_rows_text(rows, 1), want->meter) == 0;
    if (!is_same)
        out->refusal = DREAMD_LEASE_BAD_REQUEST;
    else if (dreamd_rows_is_null(rows, 2))
        repeat_refusal(rows, scope, out);
    else if (!dreamd_row_text(rows, 2, lease_id, sizeof lease_id))
        status = DREAMD_DB_ERROR;
    dreamd_rows_finish(rows);
    return status == DREAMD_DB_OK && lease_id[0] ? repeat_grant(db, scope, lease_id, out) : status;
}

static dreamd_db_status remember_refusal(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_want *want,
                                         const dreamd_lease_grant *refused)
{
    int64_t start_day = refused->period_start_day, end_day = refused->period_end_day;
    return dreamd_db_run(
        db,
        "INSERT INTO lease_requests (platform_id, project_id, request_id, lease_id, user_id, meter, error, "
        "retry_at_ms, plan, usage_limit, used, held, lost, period_start_day, period_end_day, recorded_at_ms) "
        "VALUES ($1, $2, $3, NULL, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) "
        "ON CONFLICT (platform_id, project_id, request_id) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(want->request_id), dreamd_text(want->user_id), dreamd_text(want->meter),
                      dreamd_int(refused->refusal), dreamd_int(scope->now_ms + refused->retry_after_ms),
                      dreamd_text(refused->has_plan ? refused->plan : NULL), dreamd_int(refused->limit),
                      dreamd_int(refused->used), dreamd_int(refused->held), dreamd_int(refused->lost),
                      dreamd_opt_int(refused->has_period ? &start_day : NULL),
                      dreamd_opt_int(refused->has_period ? &end_day : NULL), dreamd_int(scope->now_ms)),
        NULL);
}

/* ---- a new request ---- */

/* What a grant is made of, as it is found out. */
typedef struct draft {
    const dreamd_lease_scope *scope;
    const dreamd_lease_want *want;
    dreamd_usage_request request;
    dreamd_usage_result plan;   /* who asks, and what their plan gives */
    dreamd_usage_result counts; /* of the running period */
    bool is_running;
    bool has_others;
    int32_t period_start_day;
    int32_t period_end_day;
    int64_t ends_at_ms;
} draft;

static dreamd_period period_of(const draft *self)
{
    return (dreamd_period){ self->scope->project, self->want->user_id, self->want->meter, self->period_start_day,
                            self->period_end_day };
}

static dreamd_db_status look_at_period(dreamd_db *db, draft *self)
{
    int32_t today = dream_day_of_ms(self->scope->now_ms);
    dreamd_db_status status = dreamd_usage_peek(db, &self->request, &self->counts, &self->is_running);
    self->period_start_day = self->is_running ? self->counts.period_start_day : today;
    self->period_end_day = self->is_running ? self->counts.period_end_day : today + DREAMD_PERIOD_DAYS - 1;
    return status;
}

static dreamd_db_status look_at_holders(dreamd_db *db, draft *self)
{
    dreamd_period period = period_of(self);
    dreamd_lease_crowd crowd;
    if (self->counts.held == 0)
        return DREAMD_DB_OK;
    dreamd_db_status status = dreamd_lease_crowd_read(db, &period, self->scope->holder, self->scope->now_ms, &crowd);
    self->has_others = crowd.has_others;
    return status == DREAMD_DB_OK && crowd.has_aged ? look_at_period(db, self) : status;
}

static void describe(const draft *self, dreamd_lease_grant *out)
{
    out->has_plan = true;
    memcpy(out->plan, self->plan.plan, sizeof out->plan);
    out->limit = self->plan.limit;
    out->has_period = true;
    out->used = self->counts.used;
    out->held = self->counts.held;
    out->lost = self->counts.lost;
    out->period_start_day = self->period_start_day;
    out->period_end_day = self->period_end_day;
}

static int64_t left_of(const draft *self)
{
    if (self->plan.limit == DREAMD_UNLIMITED)
        return DREAMD_LEASE_UNITS_MAX * SHARED;
    return self->plan.limit - self->counts.used - self->counts.held - self->counts.lost;
}

static int64_t size_of_grant(const draft *self)
{
    int64_t part = left_of(self) / (self->has_others ? SHARED : ALONE);
    int64_t granted = self->want->want < DREAMD_LEASE_UNITS_MAX ? self->want->want : DREAMD_LEASE_UNITS_MAX;
    if (!DREAM_RULE(grant_within_limit))
        return granted;
    if (part < 1)
        part = 1;
    /* Less would be handed back unspent, however often it is asked for. */
    if (part < self->want->least && self->want->least <= left_of(self))
        part = self->want->least;
    return granted < part ? granted : part;
}

static dreamd_db_status refuse_units(dreamd_db *db, draft *self, dreamd_lease_grant *out)
{
    dreamd_period period = period_of(self);
    bool is_held = self->counts.held > 0 && self->counts.used + self->counts.lost < self->plan.limit;
    out->refusal = is_held ? DREAMD_LEASE_HELD : DREAMD_LEASE_LIMIT_REACHED;
    out->retry_after_ms = is_held ? DREAMD_LEASE_HELD_RETRY_MS : RETRY_MS;
    return is_held ? dreamd_lease_recall(db, &period, self->scope->holder, self->scope->now_ms) : DREAMD_DB_OK;
}

static dreamd_db_status take_rate(dreamd_db *db, draft *self, dreamd_lease_grant *out)
{
    dreamd_lease_rate rate = { .user_id = self->want->user_id,
                               .limit = self->plan.rate_limit,
                               .want = self->want->want_rate,
                               .divisor = self->has_others ? SHARED : ALONE,
                               .ends_at_ms = self->ends_at_ms };
    if (self->plan.rate_limit == DREAMD_UNLIMITED)
        return DREAMD_DB_OK;
    dreamd_db_status status = dreamd_lease_rate_take(db, self->scope, &rate);
    self->ends_at_ms = rate.ends_at_ms;
    out->has_rate = true;
    out->rate_limit = rate.limit;
    out->rate_granted = rate.granted;
    if (rate.granted < 1) {
        out->refusal = DREAMD_LEASE_RATE_LIMITED;
        out->retry_after_ms = rate.retry_after_ms;
    }
    return status;
}

/* The statement that decides. */
static dreamd_db_status take_units(dreamd_db *db, const draft *self, int64_t granted, bool *out_is_taken)
{
    int64_t changed = 0;
    bool is_counted = self->plan.limit != DREAMD_UNLIMITED || DREAM_RULE(unlimited_holds);
    int64_t most = DREAM_RULE(grant_within_limit) ? self->plan.limit - granted : INT64_MAX;
    dreamd_db_status status = dreamd_db_run(
        db,
        "UPDATE usage_counts SET held = held + $6, updated_at_ms = $7, "
        "highest_limit = CASE WHEN highest_limit < $8 THEN $8 ELSE highest_limit END "
        "WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND meter = $4 AND period_start_day = $5 AND "
        "used + held + lost <= $9",
        DREAMD_PARAMS(dreamd_text(self->scope->project->platform_id), dreamd_text(self->scope->project->project_id),
                      dreamd_text(self->want->user_id), dreamd_text(self->want->meter),
                      dreamd_int(self->period_start_day), dreamd_int(is_counted ? granted : 0),
                      dreamd_int(self->scope->now_ms), dreamd_int(self->plan.limit), dreamd_int(most)),
        &changed);
    *out_is_taken = changed > 0;
    return status;
}

/* 32 hexadecimal digits: the time in front, so that rows of one project are appended; behind it 80 random bits. */
static bool make_lease_id(int64_t now_ms, char out[DREAMD_LEASE_ID_MAX + 1])
{
    unsigned char bytes[RANDOM_SIZE] = { 0 };
    if (DREAM_RULE(lease_ids_are_random) && !dream_random(bytes, sizeof bytes))
        return false;
    (void)snprintf(out, DREAMD_LEASE_ID_MAX + 1, "%012llx", (unsigned long long)now_ms & 0xffffffffffffULL);
    dream_hex_encode(bytes, sizeof bytes, out + 12);
    return true;
}

static dreamd_db_status insert_lease(dreamd_db *db, const draft *self, const dreamd_lease_grant *grant)
{
    return dreamd_db_run(
        db,
        "INSERT INTO leases (platform_id, project_id, lease_id, request_id, holder, user_id, meter, period_start_day, "
        "period_end_day, state, granted, admitted, refunded, event_refunded, written_off, plan, usage_limit, "
        "rate_limit, "
        "rate_granted, is_recalled, granted_at_ms, ends_at_ms, silent_at_ms, revision) VALUES ($1, $2, $3, $4, $5, $6, "
        "$7, $8, $9, 0, $10, 0, 0, 0, 0, $11, $12, $13, $14, 0, $15, $16, $17, 0)",
        DREAMD_PARAMS(dreamd_text(self->scope->project->platform_id), dreamd_text(self->scope->project->project_id),
                      dreamd_text(grant->lease_id), dreamd_text(self->want->request_id),
                      dreamd_text(self->scope->holder), dreamd_text(self->want->user_id),
                      dreamd_text(self->want->meter), dreamd_int(self->period_start_day),
                      dreamd_int(self->period_end_day), dreamd_int(grant->granted), dreamd_text(self->plan.plan),
                      dreamd_int(self->plan.limit), dreamd_opt_int(grant->has_rate ? &grant->rate_limit : NULL),
                      dreamd_opt_int(grant->has_rate ? &grant->rate_granted : NULL), dreamd_int(self->scope->now_ms),
                      dreamd_int(self->ends_at_ms), dreamd_int(self->ends_at_ms + self->scope->terms->grace_ms)),
        NULL);
}

static dreamd_db_status remember_grant(dreamd_db *db, const draft *self, const char *lease_id)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO lease_requests (platform_id, project_id, request_id, lease_id, user_id, meter, "
        "recorded_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "ON CONFLICT (platform_id, project_id, request_id) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(self->scope->project->platform_id), dreamd_text(self->scope->project->project_id),
                      dreamd_text(self->want->request_id), dreamd_text(lease_id), dreamd_text(self->want->user_id),
                      dreamd_text(self->want->meter), dreamd_int(self->scope->now_ms)),
        &changed);
    bool is_crossed = changed == 0 && DREAM_RULE(request_keeps_answer);
    return status == DREAMD_DB_OK && is_crossed ? DREAMD_DB_BUSY : status;
}

/* There is at least one unit, and a call where calls are counted. */
static dreamd_db_status grant(dreamd_db *db, draft *self, dreamd_lease_grant *out)
{
    bool is_started = false;
    bool is_taken = false;
    dreamd_db_status status = DREAMD_DB_OK;
    out->granted = size_of_grant(self);
    if (!self->is_running)
        status = dreamd_usage_start_period(db, &self->request, self->period_start_day, &self->plan, &is_started);
    if (status == DREAMD_DB_OK && make_lease_id(self->scope->now_ms, out->lease_id))
        status = take_units(db, self, out->granted, &is_taken);
    if (status != DREAMD_DB_OK)
        return status;
    if (!is_taken) { /* others took them meanwhile, or there is no randomness: this item alone is to come again */
        out->refusal = DREAMD_LEASE_UNAVAILABLE;
        out->retry_after_ms = RETRY_MS;
        return DREAMD_DB_OK;
    }
    status = insert_lease(db, self, out);
    if (status == DREAMD_DB_OK)
        status = remember_grant(db, self, out->lease_id);
    out->held += out->granted;
    out->state = DREAMD_LEASE_ACTIVE;
    set_time(self->scope, self->ends_at_ms, out);
    return status;
}

static dreamd_db_status decide_units(dreamd_db *db, draft *self, dreamd_lease_grant *out)
{
    int64_t period_ends_at_ms = 0;
    dreamd_db_status status = look_at_period(db, self);
    if (status == DREAMD_DB_OK && self->is_running)
        status = look_at_holders(db, self);
    if (status != DREAMD_DB_OK)
        return status;
    describe(self, out);
    if (left_of(self) < 1 && DREAM_RULE(grant_within_limit))
        return refuse_units(db, self, out);
    period_ends_at_ms = (self->period_end_day + (int64_t)1) * day_ms;
    self->ends_at_ms = self->scope->now_ms + self->scope->terms->ttl_ms;
    if (self->ends_at_ms > period_ends_at_ms && DREAM_RULE(ends_with_period))
        self->ends_at_ms = period_ends_at_ms;
    status = take_rate(db, self, out);
    return status == DREAMD_DB_OK && out->refusal == DREAMD_LEASE_GRANTED ? grant(db, self, out) : status;
}

static dreamd_db_status decide(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_want *want,
                               dreamd_lease_grant *out)
{
    draft self = { .scope = scope,
                   .want = want,
                   .request = { .project = scope->project,
                                .user_id = want->user_id,
                                .meter = want->meter,
                                .units = 1,
                                .now_ms = scope->now_ms,
                                .is_server_side = true } };
    if (scope->now_ms < scope->recovering_until_ms && DREAM_RULE(recovering_grants_nothing)) {
        out->refusal = DREAMD_LEASE_RECOVERING;
        out->retry_after_ms = scope->recovering_until_ms - scope->now_ms;
        return DREAMD_DB_OK;
    }
    dreamd_db_status status = dreamd_usage_identify(db, &self.request, &self.plan);
    if (status != DREAMD_DB_OK)
        return status;
    if (self.plan.outcome == DREAMD_USAGE_NO_CUSTOMER)
        out->refusal = DREAMD_LEASE_NOT_FOUND;
    else if (self.plan.outcome == DREAMD_USAGE_DELETED && DREAM_RULE(deleted_gets_nothing))
        out->refusal = DREAMD_LEASE_DELETED;
    else
        status = decide_units(db, &self, out);
    return status;
}

static bool is_remembered(dreamd_lease_refusal refusal)
{
    return refusal != DREAMD_LEASE_GRANTED && refusal != DREAMD_LEASE_RECOVERING && refusal != DREAMD_LEASE_UNAVAILABLE;
}

dreamd_db_status dreamd_lease_acquire(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_want *want,
                                      dreamd_lease_grant *out)
{
    bool is_found = false;
    *out = (dreamd_lease_grant){ .refusal = DREAMD_LEASE_GRANTED };
    dreamd_db_status status = find_answer(db, scope, want, out, &is_found);
    if (status != DREAMD_DB_OK || is_found)
        return status;
    status = decide(db, scope, want, out);
    return status == DREAMD_DB_OK && is_remembered(out->refusal) ? remember_refusal(db, scope, want, out) : status;
}
