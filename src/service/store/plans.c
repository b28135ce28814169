/* SPDX-License-Identifier: Apache-2.0 */
/* plans.c - finds the plan in force, and foresees what an event makes of it: the identity provider is told before the event is
 * applied. How an event changes the rows is subscriptions.c's; what is foreseen here is compared with it afterwards. */
#include "service/store/plans.h"

#include <string.h>
#include <strings.h>

#include "service/store/customers.h"
#include "service/store/row.h"

#define FREE_PLAN "free"

static bool gives_plan(const char *status)
{
    return strcmp(status, "active") == 0 || strcmp(status, "trialing") == 0;
}

/* The customer's own plan; NULL: none is set, or there is no such customer. */
static dreamd_db_status find_stored(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                    dream_arena *arena, const char **out_plan)
{
    dreamd_customer customer = { 0 };
    bool is_found = false;
    dreamd_db_status status = dreamd_customer_find(db, project, user_id, arena, &customer, &is_found);

    *out_plan = status == DREAMD_DB_OK && is_found && !customer.is_deleted ? customer.plan : NULL;
    return status;
}

dreamd_db_status dreamd_plan_subscribed(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                        dream_arena *arena, const char **out_plan)
{
    dreamd_subscription subscription;
    bool is_found = false;
    dreamd_db_status status = dreamd_subscription_find(db, project, user_id, arena, &subscription, &is_found);

    *out_plan = NULL;
    if (status == DREAMD_DB_OK && is_found && gives_plan(subscription.status))
        *out_plan = subscription.plan;
    return status;
}

dreamd_db_status dreamd_plan_in_force(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                      dream_arena *arena, const char **out_plan)
{
    dreamd_db_status status = dreamd_plan_subscribed(db, project, user_id, arena, out_plan);

    if (status != DREAMD_DB_OK || *out_plan)
        return status;
    return find_stored(db, project, user_id, arena, out_plan);
}

/* ---- ahead of an event ---- */

typedef struct candidate {
    const char *plan; /* NULL: there is none */
    const char *status;
    const char *subscription_id;
    int64_t started_s;
} candidate;

static dreamd_db_status read_candidate(dreamd_rows *rows, dreamd_db_status status, dream_arena *arena, candidate *out)
{
    *out = (candidate){ .plan = NULL };
    if (rows) {
        out->started_s = dreamd_rows_int(rows, 2);
        if (!dreamd_row_dup(rows, 0, arena, &out->plan) || !dreamd_row_dup(rows, 1, arena, &out->subscription_id)
            || !dreamd_row_dup(rows, 3, arena, &out->status))
            status = DREAMD_DB_NOMEM;
    }
    dreamd_rows_finish(rows);
    return status;
}

/* The event's subscription as it is stored. */
static dreamd_db_status find_own(dreamd_db *db, const dreamd_event *event, dream_arena *arena, candidate *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT plan, subscription_id, started_s, status FROM subscriptions WHERE platform_id = $1 AND project_id = $2 "
        "AND "
        "user_id = $3 AND subscription_id = $4",
        DREAMD_PARAMS(dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
                      dreamd_text(event->subscription->user_id), dreamd_text(event->subscription->subscription_id)),
        &rows);

    return read_candidate(rows, status, arena, out);
}

/* Of the user's other running subscriptions the one that counts. A nameless one gives way to the event's. */
static dreamd_db_status find_other(dreamd_db *db, const dreamd_event *event, dream_arena *arena, candidate *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT plan, subscription_id, started_s, status FROM subscriptions WHERE platform_id = $1 AND project_id = $2 "
        "AND "
        "user_id = $3 AND subscription_id <> $4 AND subscription_id <> '' AND status IN ('active', 'trialing') "
        "ORDER BY started_s DESC, subscription_id DESC LIMIT 1",
        DREAMD_PARAMS(dreamd_text(event->project->platform_id), dreamd_text(event->project->project_id),
                      dreamd_text(event->subscription->user_id), dreamd_text(event->subscription->subscription_id)),
        &rows);

    return read_candidate(rows, status, arena, out);
}

static bool is_begun_later(const candidate *one, const candidate *other)
{
    if (one->started_s != other->started_s)
        return one->started_s > other->started_s;
    return strcmp(one->subscription_id, other->subscription_id) > 0;
}

/* What the end of the plan `ended` leaves of the stored one: subscriptions.c, end_plan. */
static const char *plan_without(const char *stored, const char *ended, const char *status)
{
    bool is_over = strcmp(status, "canceled") == 0;
    bool has_begun = strncmp(status, "incomplete", strlen("incomplete")) != 0;

    return !stored || is_over || (has_begun && strcasecmp(stored, ended) == 0) ? FREE_PLAN : stored;
}

dreamd_db_status dreamd_plan_after(dreamd_db *db, const dreamd_event *event, dream_arena *arena, const char **out_plan)
{
    const dreamd_subscription *told = event->subscription;
    const char *stored = NULL;
    const char *next = NULL;
    candidate own;
    candidate other;
    dreamd_db_status status = find_own(db, event, arena, &own);

    *out_plan = NULL;
    if (status == DREAMD_DB_OK)
        status = find_other(db, event, arena, &other);
    if (status == DREAMD_DB_OK)
        status = find_stored(db, event->project, told->user_id, arena, &stored);
    if (status != DREAMD_DB_OK)
        return status;
    next = dreamd_subscription_status_after(event, own.status);
    if (!own.plan)
        own = (candidate){ FREE_PLAN, next, told->subscription_id, event->created_s };
    if (told->plan)
        own.plan = told->plan;
    if (gives_plan(next) && (!other.plan || is_begun_later(&own, &other)))
        *out_plan = own.plan;
    else
        *out_plan = other.plan ? other.plan : plan_without(stored, own.plan, next);
    return DREAMD_DB_OK;
}
