/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_subscriptions.c - subscriptions after the sale: changed, to be canceled at the period's end, canceled. Time
 * does not renew or end one: there is no clock in the sandbox that bills. */
#include "sandbox/stripe.h"

#include <string.h>

#include "common/json.h"

enum { MAX_QUANTITY = 999999, MAX_COMMENT = 500 };
#define TEN_YEARS_S INT64_C(315360000)

const char stripe_feedbacks[] =
    "too_expensive missing_features switched_service unused customer_service too_complex low_quality other ";

static void save(sandbox_call *call, const cJSON *subscription)
{
    stripe_update(call, subscription, dream_json_string(subscription, "customer"), NULL);
}

static bool has_status(const cJSON *subscription, const char *status)
{
    const char *have = dream_json_string(subscription, "status");
    return have && strcmp(have, status) == 0;
}

static void set_reason(sandbox_call *call, cJSON *subscription, const char *reason)
{
    sandbox_set_text(call, sandbox_member(subscription, "cancellation_details"), "reason", reason);
}

static void set_cancellation_details(sandbox_call *call, cJSON *subscription)
{
    const cJSON *given = stripe_table(call, call->params, NULL, "cancellation_details");
    cJSON *details = sandbox_member(subscription, "cancellation_details");
    if (!given || !stripe_check_names(call, given, "cancellation_details", "comment feedback "))
        return;
    stripe_set_text(call, given, details, "comment");
    stripe_set_text(call, given, details, "feedback");
    const char *feedback = dream_json_string(details, "feedback");
    if (feedback && !sandbox_is_named(stripe_feedbacks, feedback))
        stripe_refuse(call, NULL, "cancellation_details[feedback]", "Invalid feedback: must be one of %s",
                      stripe_feedbacks);
}

static void set_cancel_at_period_end(sandbox_call *call, cJSON *subscription, bool is_wanted)
{
    sandbox_set_bool(call, subscription, "cancel_at_period_end", is_wanted);
    sandbox_set_text(call, subscription, "cancel_at", NULL);
    sandbox_set_text(call, subscription, "canceled_at", NULL);
    set_reason(call, subscription, is_wanted ? "cancellation_requested" : NULL);
    if (is_wanted) {
        sandbox_embed(call, subscription, "cancel_at", dream_json_get(subscription, "current_period_end"));
        sandbox_set_int(call, subscription, "canceled_at", call->now_s);
    }
}

static void set_cancellation(sandbox_call *call, cJSON *subscription)
{
    if (stripe_has(call->params, "cancel_at_period_end"))
        set_cancel_at_period_end(call, subscription,
                                 stripe_flag(call, call->params, NULL, "cancel_at_period_end", false));
    if (!dream_json_get(call->params, "cancel_at"))
        return;
    bool is_set = stripe_has(call->params, "cancel_at");
    sandbox_set_text(call, subscription, "cancel_at", NULL);
    sandbox_set_text(call, subscription, "canceled_at", NULL);
    set_reason(call, subscription, is_set ? "cancellation_requested" : NULL);
    if (is_set) {
        sandbox_set_int(call, subscription, "cancel_at",
                        stripe_int(call, call->params, NULL, "cancel_at", 0, call->now_s, call->now_s + TEN_YEARS_S));
        sandbox_set_int(call, subscription, "canceled_at", call->now_s);
    }
}

/* ---- periods ---- */

static void set_period(sandbox_call *call, cJSON *subscription, int64_t start, int64_t end)
{
    cJSON *item;
    sandbox_set_int(call, subscription, "current_period_start", start);
    sandbox_set_int(call, subscription, "current_period_end", end);
    cJSON_ArrayForEach(item, sandbox_member(sandbox_member(subscription, "items"), "data"))
    {
        sandbox_set_int(call, item, "current_period_start", start);
        sandbox_set_int(call, item, "current_period_end", end);
    }
    if (dream_json_bool(subscription, "cancel_at_period_end", false))
        sandbox_set_int(call, subscription, "cancel_at", end);
}

/* A new period of the first item's interval, from now on, and its invoice. */
static void restart_period(sandbox_call *call, cJSON *subscription)
{
    const cJSON *items = dream_json_get(dream_json_get(subscription, "items"), "data");
    const cJSON *recurring = dream_json_get(dream_json_get(items->child, "price"), "recurring");
    const char *interval = dream_json_string(recurring, "interval");
    int64_t count = 1;
    (void)dream_json_int(recurring, "interval_count", &count);
    sandbox_set_int(call, subscription, "billing_cycle_anchor", call->now_s);
    set_period(call, subscription, call->now_s, stripe_add_interval(call->now_s, interval ? interval : "month", count));
    stripe_bill(call, subscription);
}

bool stripe_subscription_restarts(const cJSON *subscription, const cJSON *from_price, const cJSON *to_price)
{
    int64_t from = 0, to = 0;
    (void)dream_json_int(from_price, "unit_amount", &from);
    (void)dream_json_int(to_price, "unit_amount", &to);
    const cJSON *before = dream_json_get(from_price, "recurring");
    const cJSON *after = dream_json_get(to_price, "recurring");
    bool is_other =
        !cJSON_Compare(dream_json_get(before, "interval"), dream_json_get(after, "interval"), true)
        || !cJSON_Compare(dream_json_get(before, "interval_count"), dream_json_get(after, "interval_count"), true);
    return !has_status(subscription, "trialing") && (is_other || (from == 0 && to > 0));
}

/* trial_end=now ends a trial. True if a new period begins. */
static bool set_trial_end(sandbox_call *call, cJSON *subscription)
{
    const char *text = stripe_text(call, call->params, NULL, "trial_end");
    if (!text)
        return false;
    bool is_now = strcmp(text, "now") == 0;
    int64_t end = is_now ? call->now_s
                         : stripe_int(call, call->params, NULL, "trial_end", 0, call->now_s, call->now_s + TEN_YEARS_S);
    bool was_trial = has_status(subscription, "trialing");
    sandbox_set_int(call, subscription, "trial_end", end);
    sandbox_set_text(call, subscription, "status", is_now ? "active" : "trialing");
    int64_t start = call->now_s;
    (void)dream_json_int(subscription, "current_period_start", &start);
    if (!is_now)
        set_period(call, subscription, start, end);
    return is_now && was_trial;
}

/* ---- items ---- */

static cJSON *find_item(cJSON *items, const char *id)
{
    cJSON *item;
    cJSON_ArrayForEach(item, items)
    {
        const char *have = dream_json_string(item, "id");
        if (have && strcmp(have, id) == 0)
            return item;
    }
    return NULL;
}

static const cJSON *read_price(sandbox_call *call, const cJSON *given, const char *prefix)
{
    const char *id = stripe_text(call, given, prefix, "price");
    const cJSON *price = id ? sandbox_read(call, "price", id) : NULL;
    const char *param = stripe_param_name(call, prefix, "price");
    if (id && !price)
        stripe_no_such(call, &stripe_price, id, param);
    else if (price && !cJSON_IsObject(dream_json_get(price, "recurring")))
        stripe_refuse(call, NULL, param,
                      "The price specified is set to `type=one_time` but this field only accepts prices "
                      "with `type=recurring`.");
    return call->status == 0 ? price : NULL;
}

static void set_price(sandbox_call *call, cJSON *item, const cJSON *made)
{
    sandbox_embed(call, item, "price", dream_json_get(made, "price"));
    sandbox_embed(call, item, "plan", dream_json_get(made, "plan"));
}

/* True if a new period begins. */
static bool change_item(sandbox_call *call, cJSON *subscription, const cJSON *given, const char *prefix)
{
    bool restarts = false;
    cJSON *items = sandbox_member(sandbox_member(subscription, "items"), "data");
    if (!stripe_check_names(call, given, prefix, "id price quantity deleted "))
        return false;
    const char *id = stripe_text(call, given, prefix, "id");
    cJSON *item = id ? find_item(items, id) : NULL;
    if (id && !item) {
        stripe_refuse(call, "resource_missing", stripe_param_name(call, prefix, "id"),
                      "No such subscription item: '%.100s'", id);
        return false;
    }
    if (item && stripe_flag(call, given, prefix, "deleted", false)) {
        cJSON_Delete(cJSON_DetachItemViaPointer(items, item));
        return false;
    }
    const cJSON *price = read_price(call, given, prefix);
    int64_t quantity = stripe_int(call, given, prefix, "quantity", -1, 0, MAX_QUANTITY);
    if (!item && !price)
        stripe_refuse(call, "parameter_missing", stripe_param_name(call, prefix, "price"),
                      "Missing required param: %s[price].", prefix);
    if (call->status != 0)
        return false;
    if (price) {
        cJSON *made = stripe_make_item(call, subscription, price, item ? dream_json_get(item, "quantity") : NULL);
        if (!made)
            return false;
        if (item) { /* the item stays; what it is priced at changes */
            restarts = stripe_subscription_restarts(subscription, dream_json_get(item, "price"), price);
            set_price(call, item, made);
        } else {
            sandbox_append(call, items, made);
            item = find_item(items, dream_json_string(made, "id"));
        }
    }
    if (quantity >= 0 && item)
        sandbox_set_int(call, item, "quantity", quantity);
    return restarts;
}

/* The members of the subscription that repeat its only item's. */
static void mirror_item(sandbox_call *call, cJSON *subscription)
{
    cJSON *list = sandbox_member(subscription, "items");
    const cJSON *items = dream_json_get(list, "data");
    int count = cJSON_GetArraySize(items);
    sandbox_set_int(call, list, "total_count", count);
    if (count == 1) {
        sandbox_embed(call, subscription, "plan", dream_json_get(items->child, "plan"));
        sandbox_embed(call, subscription, "quantity", dream_json_get(items->child, "quantity"));
    } else {
        sandbox_set_text(call, subscription, "plan", NULL);
    }
}

/* True if a new period begins. */
static bool set_items(sandbox_call *call, cJSON *subscription)
{
    const cJSON *given = dream_json_get(call->params, "items");
    const cJSON *one;
    bool restarts = false;
    int index = 0;
    if (!given)
        return false;
    cJSON_ArrayForEach(one, given)
    {
        if (change_item(call, subscription, one, sandbox_printf(call, "items[%d]", index++)))
            restarts = true;
    }
    if (cJSON_GetArraySize(dream_json_get(dream_json_get(subscription, "items"), "data")) == 0)
        stripe_refuse(call, NULL, "items", "A subscription must have at least one active plan.");
    else
        mirror_item(call, subscription);
    return restarts && call->status == 0;
}

/* ---- handlers ---- */

void stripe_subscription_update(sandbox_call *call)
{
    cJSON *subscription = stripe_read(call, &stripe_subscription);
    const cJSON *before = subscription ? sandbox_copy(call, subscription) : NULL;
    if (!before)
        return;
    if (has_status(subscription, "canceled")) {
        stripe_refuse(call, NULL, NULL,
                      "A canceled subscription can only update its cancellation_details and metadata.");
        return;
    }
    set_cancellation(call, subscription);
    set_cancellation_details(call, subscription);
    bool is_charged = set_trial_end(call, subscription);
    if (set_items(call, subscription))
        is_charged = true;
    stripe_set_text(call, call->params, subscription, "description");
    stripe_set_metadata(call, call->params, NULL, subscription);
    if (call->status != 0)
        return;
    if (is_charged)
        restart_period(call, subscription);
    save(call, subscription);
    stripe_emit_change(call, "customer.subscription.updated", before, subscription);
    stripe_answer(call, subscription);
}

void stripe_subscription_end(sandbox_call *call, cJSON *subscription)
{
    if (has_status(subscription, "canceled"))
        return;
    sandbox_set_text(call, subscription, "status", "canceled");
    sandbox_set_int(call, subscription, "canceled_at", call->now_s);
    sandbox_set_int(call, subscription, "ended_at", call->now_s);
    set_reason(call, subscription, "cancellation_requested");
    save(call, subscription);
    stripe_emit(call, "customer.subscription.deleted", subscription, NULL);
}

void stripe_subscription_end_later(sandbox_call *call, cJSON *subscription, bool is_wanted, const char *feedback)
{
    const cJSON *before = sandbox_copy(call, subscription);
    if (!before || dream_json_bool(subscription, "cancel_at_period_end", false) == is_wanted)
        return; /* a form sent twice is not told twice */
    set_cancel_at_period_end(call, subscription, is_wanted);
    sandbox_set_text(call, sandbox_member(subscription, "cancellation_details"), "feedback", feedback);
    save(call, subscription);
    stripe_emit_change(call, "customer.subscription.updated", before, subscription);
}

void stripe_subscription_switch(sandbox_call *call, cJSON *subscription, const cJSON *price, bool ends_trial)
{
    const cJSON *before = sandbox_copy(call, subscription);
    cJSON *item = sandbox_member(sandbox_member(subscription, "items"), "data")->child;
    const cJSON *made = stripe_make_item(call, subscription, price, dream_json_get(item, "quantity"));
    if (!before || !made)
        return;
    bool restarts = ends_trial || stripe_subscription_restarts(subscription, dream_json_get(item, "price"), price);
    if (ends_trial) {
        sandbox_set_int(call, subscription, "trial_end", call->now_s);
        sandbox_set_text(call, subscription, "status", "active");
    }
    set_price(call, item, made);
    mirror_item(call, subscription);
    if (restarts)
        restart_period(call, subscription);
    save(call, subscription);
    stripe_emit_change(call, "customer.subscription.updated", before, subscription);
}

void stripe_subscription_cancel(sandbox_call *call)
{
    cJSON *subscription = stripe_read(call, &stripe_subscription);
    if (!subscription)
        return;
    if (has_status(subscription, "canceled")) { /* Stripe knows a canceled one no longer under this verb */
        stripe_no_such(call, &stripe_subscription, call->id, NULL);
        return;
    }
    set_cancellation_details(call, subscription);
    if (call->status != 0)
        return;
    stripe_subscription_end(call, subscription);
    stripe_answer(call, subscription);
}
