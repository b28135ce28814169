/* SPDX-License-Identifier: Apache-2.0 */
/* subscriptions.c - records events and applies them in order: rows of events, subscription_events and subscriptions.
 * A subscription's row carries the time and rank of the newest event applied to it; an older event only enters the history.
 * Which plan a user has in the end is usage.c's to say. */
#include "service/store/subscriptions.h"

#include <string.h>

#include "service/store/customers.h"
#include "service/store/row.h"
#include "service/store/totals.h"

typedef struct type_rank {
    const char *type;
    int rank;
} type_rank;

/* How far along a subscription is, for events of the same second. Other types, such as imports, come before all. */
enum { RANK_OTHER, RANK_CHECKOUT, RANK_CREATED, RANK_UPDATED, RANK_DELETED };
static const type_rank ranks[] = {
    { DREAMD_CHECKOUT_COMPLETED, RANK_CHECKOUT },      { DREAMD_CHECKOUT_PAID_LATER, RANK_CHECKOUT },
    { DREAMD_CHECKOUT_NOT_PAID, RANK_CHECKOUT },       { "customer.subscription.created", RANK_CREATED },
    { "customer.subscription.updated", RANK_UPDATED }, { "customer.subscription.deleted", RANK_DELETED },
};

static bool gives_plan(const char *status)
{
    return strcmp(status, "active") == 0 || strcmp(status, "trialing") == 0;
}

static int rank_of_type(const char *type)
{
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
        if (strcmp(type, ranks[i].type) == 0)
            return ranks[i].rank;
    }
    return RANK_OTHER;
}

/* A beginning ranks before a change, as it often says "incomplete" of what the change made active. One that gives a plan is as
 * good as a change: of the two, the later delivery counts. */
static int rank_of(const dreamd_event *event)
{
    int rank = rank_of_type(event->type);
    bool is_complete = event->subscription && gives_plan(event->subscription->status);
    return rank == RANK_CREATED && is_complete ? RANK_UPDATED : rank;
}

static const char *platform_of(const dreamd_event *event)
{
    return event->project ? event->project->platform_id : "";
}

static bool is_about_subscription(const dreamd_event *event)
{
    return event->project && event->subscription;
}

/* ---- looking ---- */

/* What is stored of the subscription that an event is about. */
typedef struct stored {
    bool is_known;
    int64_t last_created_s;
    int64_t last_rank;
    int64_t terms_s; /* -1: price and amount are not told by the subscription's own events */
    char plan[DREAMD_PLAN_SIZE];
    char status[DREAMD_WORD_SIZE];
} stored;

static dreamd_db_status read_stored(dreamd_db *db, const dreamd_event *event, stored *out)
{
    dreamd_rows *rows = NULL;
    *out = (stored){ .plan = "free", .terms_s = -1 };
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT last_created_s, last_rank, plan, status, terms_s FROM subscriptions WHERE platform_id = $1 AND "
        "project_id = $2 AND user_id = $3 AND subscription_id = $4",
        DREAMD_PARAMS(dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
                      dreamd_text(event->subscription->user_id), dreamd_text(event->subscription->subscription_id)),
        &rows);
    if (rows) {
        out->is_known = true;
        out->last_created_s = dreamd_rows_int(rows, 0);
        out->last_rank = dreamd_rows_int(rows, 1);
        out->terms_s = dreamd_row_int(rows, 4, -1);
        if (!dreamd_row_text(rows, 2, out->plan, sizeof out->plan)
            || !dreamd_row_text(rows, 3, out->status, sizeof out->status))
            status = DREAMD_DB_CORRUPT;
    }
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status has_named_one(dreamd_db *db, const dreamd_event *event, bool *out_found)
{
    return dreamd_row_exists(
        db,
        "SELECT 1 FROM subscriptions WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 "
        "AND subscription_id <> ''",
        DREAMD_PARAMS(dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
                      dreamd_text(event->subscription->user_id)),
        out_found);
}

static dreamd_db_status is_stale(dreamd_db *db, const dreamd_event *event, stored *out_stored, bool *out_is_stale)
{
    *out_is_stale = false;
    dreamd_db_status status = read_stored(db, event, out_stored);
    if (status != DREAMD_DB_OK)
        return status;
    if (!event->subscription->subscription_id[0])
        return has_named_one(db, event, out_is_stale);
    if (out_stored->is_known)
        *out_is_stale = event->created_s < out_stored->last_created_s
                        || (event->created_s == out_stored->last_created_s && rank_of(event) < out_stored->last_rank);
    return DREAMD_DB_OK;
}

/* Stripe tells of a paid checkout once; this holds should it tell twice. */
static dreamd_db_status is_sold(dreamd_db *db, const dreamd_event *event, bool *out_is_sold)
{
    return dreamd_row_exists(
        db, "SELECT 1 FROM events WHERE platform_id = $1 AND project_id = $2 AND source = $3 AND sale_session_id = $4",
        DREAMD_PARAMS(dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
                      dreamd_text(event->source), dreamd_text(event->sale->session_id)),
        out_is_sold);
}

static dreamd_db_status look(dreamd_db *db, const dreamd_event *event, stored *out_stored, dreamd_event_outcome *out)
{
    bool is_seen = false;
    bool is_old = false;
    dreamd_db_status status = dreamd_row_exists(
        db, "SELECT 1 FROM events WHERE platform_id = $1 AND source = $2 AND event_id = $3",
        DREAMD_PARAMS(dreamd_text(platform_of(event)), dreamd_text(event->source), dreamd_text(event->event_id)),
        &is_seen);
    if (status == DREAMD_DB_OK && !is_seen && is_about_subscription(event))
        status = is_stale(db, event, out_stored, &is_old);
    if (status == DREAMD_DB_OK && !is_seen && event->project && event->sale)
        status = is_sold(db, event, &is_old);
    *out = is_seen ? DREAMD_EVENT_DUPLICATE : is_old ? DREAMD_EVENT_STALE : DREAMD_EVENT_APPLIED;
    return status;
}

dreamd_db_status dreamd_event_look(dreamd_db *db, const dreamd_event *event, dreamd_event_outcome *out)
{
    stored unused;
    return look(db, event, &unused, out);
}

/* ---- applying ---- */

static dreamd_db_status count_sale(dreamd_db *db, const dreamd_event *event)
{
    return dreamd_totals_add_sale(db, event->project, event->sale->amount_minor);
}

static dreamd_db_status record_event(dreamd_db *db, const dreamd_event *event, bool is_old, int64_t now_ms)
{
    bool is_sale = event->project && event->sale && !is_old;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO events (platform_id, source, event_id, project_id, type, created_s, is_stale, "
        "payload, recorded_at_ms, sale_minor, sale_session_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        DREAMD_PARAMS(dreamd_text(platform_of(event)), dreamd_text(event->source), dreamd_text(event->event_id),
                      dreamd_text(event->project ? event->project->project_id : NULL), dreamd_text(event->type),
                      dreamd_int(event->created_s), dreamd_int(is_old), dreamd_text(event->payload), dreamd_int(now_ms),
                      is_sale ? dreamd_int(event->sale->amount_minor) : dreamd_null(),
                      dreamd_text(is_sale ? event->sale->session_id : NULL)),
        NULL);
    return status == DREAMD_DB_OK && is_sale ? count_sale(db, event) : status;
}

static dreamd_param told_amount(const dreamd_subscription *subscription)
{
    return subscription->amount_minor < 0 ? dreamd_null() : dreamd_int(subscription->amount_minor);
}

static dreamd_db_status record_history(dreamd_db *db, const dreamd_event *event,
                                       const dreamd_subscription *subscription, bool is_old, int64_t now_ms)
{
    return dreamd_db_run(
        db,
        "INSERT INTO subscription_events (platform_id, project_id, user_id, subscription_id, source, event_id, type, "
        "created_s, event_rank, is_applied, plan, status, price_id, amount_minor, currency, recorded_at_ms) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        DREAMD_PARAMS(dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
                      dreamd_text(subscription->user_id), dreamd_text(subscription->subscription_id),
                      dreamd_text(event->source), dreamd_text(event->event_id), dreamd_text(event->type),
                      dreamd_int(event->created_s), dreamd_int(rank_of(event)), dreamd_int(!is_old),
                      dreamd_text(subscription->plan), dreamd_text(subscription->status),
                      dreamd_text(subscription->price_id), told_amount(subscription),
                      dreamd_text(subscription->currency), dreamd_int(now_ms)),
        NULL);
}

static dreamd_db_status drop_nameless(dreamd_db *db, const dreamd_event *event)
{
    return dreamd_db_run(
        db,
        "DELETE FROM subscriptions WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "subscription_id = ''",
        DREAMD_PARAMS(dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
                      dreamd_text(event->subscription->user_id)),
        NULL);
}

/* Does the event tell what the subscription costs? What a checkout took may be more, less or, for a trial, nothing. */
static bool tells_terms(const dreamd_event *event)
{
    const dreamd_subscription *subscription = event->subscription;
    return rank_of(event) != RANK_CHECKOUT && (subscription->price_id || subscription->amount_minor >= 0);
}

static dreamd_param told_count(const dreamd_subscription *subscription)
{
    return subscription->interval_count > 0 ? dreamd_int(subscription->interval_count) : dreamd_null();
}

static dreamd_db_status put_subscription(dreamd_db *db, const dreamd_event *event,
                                         const dreamd_subscription *subscription, int64_t now_ms)
{
    int64_t period_end_ms = subscription->current_period_end_ms;
    return dreamd_db_run(
        db,
        "INSERT INTO subscriptions (platform_id, project_id, user_id, subscription_id, stripe_customer_id, plan, "
        "status, price_id, product_id, amount_minor, currency, current_period_end_ms, canceled_at_ms, cancel_reason, "
        "started_s, last_created_s, last_rank, updated_at_ms, billing_interval, interval_count, terms_s) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
        "CASE WHEN $13 > 0 THEN $13 END, $14, $15, $15, $16, $17, $18, $19, $20) "
        "ON CONFLICT (platform_id, project_id, user_id, subscription_id) DO UPDATE SET "
        "stripe_customer_id = COALESCE(excluded.stripe_customer_id, subscriptions.stripe_customer_id), "
        "plan = excluded.plan, status = excluded.status, "
        "price_id = COALESCE(excluded.price_id, subscriptions.price_id), "
        "product_id = COALESCE(excluded.product_id, subscriptions.product_id), "
        "amount_minor = COALESCE(excluded.amount_minor, subscriptions.amount_minor), "
        "currency = COALESCE(excluded.currency, subscriptions.currency), "
        "billing_interval = COALESCE(excluded.billing_interval, subscriptions.billing_interval), "
        "interval_count = COALESCE(excluded.interval_count, subscriptions.interval_count), "
        "terms_s = COALESCE(excluded.terms_s, subscriptions.terms_s), "
        "current_period_end_ms = COALESCE(excluded.current_period_end_ms, subscriptions.current_period_end_ms), "
        "canceled_at_ms = CASE WHEN $13 < 0 THEN subscriptions.canceled_at_ms ELSE excluded.canceled_at_ms END, "
        "cancel_reason = COALESCE(excluded.cancel_reason, subscriptions.cancel_reason), "
        "last_created_s = excluded.last_created_s, last_rank = excluded.last_rank, "
        "updated_at_ms = excluded.updated_at_ms",
        DREAMD_PARAMS(
            dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
            dreamd_text(subscription->user_id), dreamd_text(subscription->subscription_id),
            dreamd_text(subscription->stripe_customer_id), dreamd_text(subscription->plan),
            dreamd_text(subscription->status), dreamd_text(subscription->price_id),
            dreamd_text(subscription->product_id), told_amount(subscription), dreamd_text(subscription->currency),
            period_end_ms < 0 ? dreamd_null() : dreamd_int(period_end_ms), dreamd_int(subscription->canceled_at_ms),
            dreamd_text(subscription->cancel_reason), dreamd_int(event->created_s), dreamd_int(rank_of(event)),
            dreamd_int(now_ms), dreamd_text(subscription->interval), told_count(subscription),
            tells_terms(event) ? dreamd_int(event->created_s) : dreamd_null()),
        NULL);
}

/* The terms alone, of an event that a checkout has overtaken: nobody else tells them before the next change. */
static dreamd_db_status put_terms(dreamd_db *db, const dreamd_event *event, const dreamd_subscription *subscription)
{
    return dreamd_db_run(
        db,
        "UPDATE subscriptions SET price_id = COALESCE($5, price_id), product_id = COALESCE($6, product_id), "
        "amount_minor = COALESCE($7, amount_minor), currency = COALESCE($8, currency), "
        "billing_interval = COALESCE($9, billing_interval), interval_count = COALESCE($10, interval_count), "
        "terms_s = $11 WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND subscription_id = $4",
        DREAMD_PARAMS(dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
                      dreamd_text(subscription->user_id), dreamd_text(subscription->subscription_id),
                      dreamd_text(subscription->price_id), dreamd_text(subscription->product_id),
                      told_amount(subscription), dreamd_text(subscription->currency),
                      dreamd_text(subscription->interval), told_count(subscription), dreamd_int(event->created_s)),
        NULL);
}

/* A token or a stored plan may still name what is no longer paid for; the stored plan outranks the token, so it is set. An incomplete
 * subscription never gave anything: it takes nothing from a customer the developer gave that plan. */
static dreamd_db_status end_plan(dreamd_db *db, const dreamd_event *event, const dreamd_subscription *subscription,
                                 int64_t now_ms)
{
    bool is_over = strcmp(subscription->status, "canceled") == 0;
    bool has_begun = strncmp(subscription->status, "incomplete", strlen("incomplete")) != 0;
    return dreamd_db_run(
        db,
        "UPDATE customers SET plan = 'free', updated_at_ms = $4 WHERE platform_id = $1 AND project_id = $2 AND "
        "user_id = $3 AND status <> 'deleted' AND (plan IS NULL OR $5 = 1 OR ($6 = 1 AND lower(plan) = lower($7)))",
        DREAMD_PARAMS(dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
                      dreamd_text(subscription->user_id), dreamd_int(now_ms), dreamd_int(is_over),
                      dreamd_int(has_begun), dreamd_text(subscription->plan)),
        NULL);
}

static dreamd_db_status change_subscription(dreamd_db *db, const dreamd_event *event,
                                            const dreamd_subscription *subscription, int64_t now_ms)
{
    dreamd_db_status status = DREAMD_DB_OK;
    if (subscription->subscription_id[0])
        status = drop_nameless(db, event);
    if (status == DREAMD_DB_OK)
        status = put_subscription(db, event, subscription, now_ms);
    if (status == DREAMD_DB_OK && !gives_plan(subscription->status))
        status = end_plan(db, event, subscription, now_ms);
    if (status == DREAMD_DB_OK)
        status = dreamd_customer_refresh_plan(db, event->project, subscription->user_id);
    return status;
}

static dreamd_db_status change(dreamd_db *db, const dreamd_event *event, const dreamd_subscription *subscription,
                               bool is_old, int64_t now_ms)
{
    dreamd_db_status status = dreamd_totals_remove_user(db, event->project, subscription->user_id);
    if (status == DREAMD_DB_OK)
        status = is_old ? put_terms(db, event, subscription) : change_subscription(db, event, subscription, now_ms);
    return status == DREAMD_DB_OK ? dreamd_totals_add_user(db, event->project, subscription->user_id) : status;
}

const char *dreamd_subscription_status_after(const dreamd_event *event, const char *before)
{
    const char *told = event->subscription->status;
    if (rank_of(event) != RANK_CHECKOUT || !before)
        return told;
    if (gives_plan(before))
        return strcmp(event->type, DREAMD_CHECKOUT_NOT_PAID) == 0 && strcmp(before, "active") == 0 ? "past_due"
                                                                                                   : before;
    /* A payment may arrive after the subscription's end. */
    bool completes = strcmp(event->type, DREAMD_CHECKOUT_COMPLETED) == 0 || strcmp(before, "incomplete") == 0;
    return gives_plan(told) && completes ? told : before;
}

static dreamd_db_status apply(dreamd_db *db, const dreamd_event *event, const stored *before, bool is_old,
                              int64_t now_ms)
{
    dreamd_subscription subscription = *event->subscription;
    if (!subscription.plan)
        subscription.plan = before->plan;
    if (!subscription.plan[0] || strlen(subscription.plan) >= DREAMD_PLAN_SIZE
        || strlen(subscription.status) >= DREAMD_WORD_SIZE)
        return DREAMD_DB_CONFLICT;
    subscription.status = dreamd_subscription_status_after(event, before->is_known ? before->status : NULL);
    dreamd_db_status status = dreamd_customer_ensure(db, event->project, subscription.user_id, NULL, now_ms);
    if (status == DREAMD_DB_OK)
        status = record_history(db, event, &subscription, is_old, now_ms);
    if (rank_of(event) == RANK_CHECKOUT && before->terms_s >= 0) {
        subscription.amount_minor = -1;
        subscription.currency = NULL;
    }
    bool is_news = !is_old || (tells_terms(event) && before->is_known && event->created_s > before->terms_s);
    return status == DREAMD_DB_OK && is_news ? change(db, event, &subscription, is_old, now_ms) : status;
}

dreamd_db_status dreamd_event_apply(dreamd_db *db, const dreamd_event *event, int64_t now_ms, dreamd_event_outcome *out)
{
    stored before;
    dreamd_db_status status = look(db, event, &before, out);
    if (status != DREAMD_DB_OK || *out == DREAMD_EVENT_DUPLICATE)
        return status;
    if (event->is_overtaken)
        *out = DREAMD_EVENT_STALE;
    bool is_old = *out == DREAMD_EVENT_STALE;
    status = record_event(db, event, is_old, now_ms);
    if (status == DREAMD_DB_OK && is_about_subscription(event))
        status = apply(db, event, &before, is_old, now_ms);
    return status;
}

/* ---- finding ---- */

static bool read_subscription(const dreamd_rows *rows, dream_arena *arena, dreamd_subscription *out)
{
    *out = (dreamd_subscription){
        .amount_minor = dreamd_row_int(rows, 9, -1),
        .current_period_end_ms = dreamd_row_int(rows, 10, -1),
        .canceled_at_ms = dreamd_row_int(rows, 11, 0),
    };
    const char **const texts[] = { &out->user_id,    &out->subscription_id, &out->stripe_customer_id,
                                   &out->plan,       &out->status,          &out->price_id,
                                   &out->product_id, &out->currency,        &out->cancel_reason };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!dreamd_row_dup(rows, (int)i, arena, texts[i]))
            return false;
    }
    return true;
}

dreamd_db_status dreamd_subscription_find(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                          dream_arena *arena, dreamd_subscription *out, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT user_id, subscription_id, stripe_customer_id, plan, status, price_id, product_id, currency, "
        "cancel_reason, amount_minor, current_period_end_ms, canceled_at_ms FROM subscriptions WHERE platform_id = $1 "
        "AND project_id = $2 AND user_id = $3 ORDER BY CASE WHEN status IN ('active', 'trialing') THEN 0 ELSE 1 END, "
        "CASE WHEN status IN ('active', 'trialing') THEN started_s ELSE last_created_s END DESC, "
        "subscription_id DESC LIMIT 1",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id)),
        &rows);
    *out_found = rows != NULL;
    if (rows && !read_subscription(rows, arena, out))
        status = DREAMD_DB_NOMEM;
    dreamd_rows_finish(rows);
    return status;
}
