/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_subscriptions.c - subscriptions after the sale: changed, to be canceled at the period's end, canceled. Time does not
 * renew or end one: there is no clock in the sandbox that bills. */
#include "sandbox/stripe.h"

#include <string.h>

#include "common/json.h"

enum { MAX_QUANTITY = 999999, MAX_COMMENT = 500 };
#define TEN_YEARS_S INT64_C(315360000)

static void save(sandbox_call *call, const cJSON *subscription)
{
    stripe_update(call, subscription, dream_json_string(subscription, "customer"), NULL);
}

static bool is_canceled(const cJSON *subscription)
{
    const char *status = dream_json_string(subscription, "status");
    return status && strcmp(status, "canceled") == 0;
}

static void set_reason(sandbox_call *call, cJSON *subscription, const char *reason)
{
    sandbox_set_text(call, sandbox_member(subscription, "cancellation_details"), "reason", reason);
}

static void set_cancellation_details(sandbox_call *call, cJSON *subscription)
{
    static const char feedbacks[] =
        "customer_service low_quality missing_features other switched_service too_complex too_expensive unused ";
    const cJSON *given = stripe_table(call, call->params, NULL, "cancellation_details");
    cJSON *details = sandbox_member(subscription, "cancellation_details");
    if (!given || !stripe_check_names(call, given, "cancellation_details", "comment feedback "))
        return;
    stripe_set_text(call, given, details, "comment");
    stripe_set_text(call, given, details, "feedback");
    const char *feedback = dream_json_string(details, "feedback");
    if (feedback && !sandbox_is_named(feedbacks, feedback))
        stripe_refuse(call, NULL, "cancellation_details[feedback]", "Invalid feedback: must be one of %s", feedbacks);
}

static void set_cancellation(sandbox_call *call, cJSON *subscription)
{
    if (stripe_has(call->params, "cancel_at_period_end")) {
        bool is_wanted = stripe_flag(call, call->params, NULL, "cancel_at_period_end", false);
        sandbox_set_bool(call, subscription, "cancel_at_period_end", is_wanted);
        sandbox_set_text(call, subscription, "cancel_at", NULL);
        sandbox_set_text(call, subscription, "canceled_at", NULL);
        set_reason(call, subscription, is_wanted ? "cancellation_requested" : NULL);
        if (is_wanted) {
            sandbox_embed(call, subscription, "cancel_at", dream_json_get(subscription, "current_period_end"));
            sandbox_set_int(call, subscription, "canceled_at", call->now_s);
        }
    }
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

/* trial_end=now ends a trial. */
static void set_trial_end(sandbox_call *call, cJSON *subscription)
{
    const char *text = stripe_text(call, call->params, NULL, "trial_end");
    if (!text)
        return;
    bool is_now = strcmp(text, "now") == 0;
    int64_t end = is_now ? call->now_s
                         : stripe_int(call, call->params, NULL, "trial_end", 0, call->now_s, call->now_s + TEN_YEARS_S);
    sandbox_set_int(call, subscription, "trial_end", end);
    sandbox_set_text(call, subscription, "status", is_now ? "active" : "trialing");
    if (!is_now)
        sandbox_set_int(call, subscription, "current_period_end", end);
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

static void change_item(sandbox_call *call, cJSON *subscription, const cJSON *given, const char *prefix)
{
    cJSON *items = sandbox_member(sandbox_member(subscription, "items"), "data");
    if (!stripe_check_names(call, given, prefix, "id price quantity deleted "))
        return;
    const char *id = stripe_text(call, given, prefix, "id");
    cJSON *item = id ? find_item(items, id) : NULL;
    if (id && !item) {
        stripe_refuse(call, "resource_missing", stripe_param_name(call, prefix, "id"),
                      "No such subscription item: '%.100s'", id);
        return;
    }
    if (item && stripe_flag(call, given, prefix, "deleted", false)) {
        cJSON_Delete(cJSON_DetachItemViaPointer(items, item));
        return;
    }
    const cJSON *price = read_price(call, given, prefix);
    int64_t quantity = stripe_int(call, given, prefix, "quantity", -1, 0, MAX_QUANTITY);
    if (!item && !price)
        stripe_refuse(call, "parameter_missing", stripe_param_name(call, prefix, "price"),
                      "Missing required param: %s[price].", prefix);
    if (call->status != 0)
        return;
    if (price) {
        cJSON *made = stripe_make_item(call, subscription, price, item ? dream_json_get(item, "quantity") : NULL);
        if (!made)
            return;
        if (item) { /* the item stays; what it is priced at changes */
            sandbox_embed(call, item, "price", dream_json_get(made, "price"));
            sandbox_embed(call, item, "plan", dream_json_get(made, "plan"));
        } else {
            sandbox_append(call, items, made);
            item = find_item(items, dream_json_string(made, "id"));
        }
    }
    if (quantity >= 0 && item)
        sandbox_set_int(call, item, "quantity", quantity);
}

static void set_items(sandbox_call *call, cJSON *subscription)
{
    const cJSON *given = dream_json_get(call->params, "items");
    const cJSON *one;
    int index = 0;
    if (!given)
        return;
    cJSON_ArrayForEach(one, given) change_item(call, subscription, one, sandbox_printf(call, "items[%d]", index++));
    cJSON *list = sandbox_member(subscription, "items");
    cJSON *items = sandbox_member(list, "data");
    int count = cJSON_GetArraySize(items);
    sandbox_set_int(call, list, "total_count", count);
    if (count == 0)
        stripe_refuse(call, NULL, "items", "A subscription must have at least one active plan.");
    else if (count == 1) {
        sandbox_embed(call, subscription, "plan", dream_json_get(items->child, "plan"));
        sandbox_embed(call, subscription, "quantity", dream_json_get(items->child, "quantity"));
    } else {
        sandbox_set_text(call, subscription, "plan", NULL);
    }
}

/* ---- handlers ---- */

void stripe_subscription_update(sandbox_call *call)
{
    cJSON *subscription = stripe_read(call, &stripe_subscription);
    const cJSON *before = subscription ? sandbox_copy(call, subscription) : NULL;
    if (!before)
        return;
    if (is_canceled(subscription)) {
        stripe_refuse(call, NULL, NULL,
                      "A canceled subscription can only update its cancellation_details and metadata.");
        return;
    }
    set_cancellation(call, subscription);
    set_cancellation_details(call, subscription);
    set_trial_end(call, subscription);
    set_items(call, subscription);
    stripe_set_text(call, call->params, subscription, "description");
    stripe_set_metadata(call, call->params, NULL, subscription);
    if (call->status != 0)
        return;
    save(call, subscription);
    stripe_emit_change(call, "customer.subscription.updated", before, subscription);
    stripe_answer(call, subscription);
}

void stripe_subscription_end(sandbox_call *call, cJSON *subscription)
{
    if (is_canceled(subscription))
        return;
    sandbox_set_text(call, subscription, "status", "canceled");
    sandbox_set_int(call, subscription, "canceled_at", call->now_s);
    sandbox_set_int(call, subscription, "ended_at", call->now_s);
    set_reason(call, subscription, "cancellation_requested");
    save(call, subscription);
    stripe_emit(call, "customer.subscription.deleted", subscription, NULL);
}

void stripe_subscription_cancel(sandbox_call *call)
{
    cJSON *subscription = stripe_read(call, &stripe_subscription);
    if (!subscription)
        return;
    if (is_canceled(subscription)) { /* Stripe knows a canceled one no longer under this verb */
        stripe_no_such(call, &stripe_subscription, call->id, NULL);
        return;
    }
    set_cancellation_details(call, subscription);
    if (call->status != 0)
        return;
    stripe_subscription_end(call, subscription);
    stripe_answer(call, subscription);
}
