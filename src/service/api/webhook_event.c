/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_event.c - field by field, with every text bounded and every number checked. Stripe moved a few fields between API
 * versions (the period's end went from the subscription to its items): both places are read. */
#include "service/api/webhook_event.h"

#include <string.h>

#include "common/json.h"

enum {
    MAX_ID = 255,
    MAX_TIER = DREAMD_PLAN_SIZE - 1,
    MAX_USER_ID = 128,
    MAX_STATUS = DREAMD_WORD_SIZE - 1,
    MAX_INTERVALS = 10000
};

/* Later times in ms would not fit; no real one is near it (the year 9999). */
static const int64_t max_second = INT64_C(253402300799);

/* Stripe's amounts have at most twelve digits; sums of these do not overflow. */
static const int64_t max_amount = INT64_C(999999999999);

/* NULL if absent, empty or longer than `max`. */
static const char *bounded(const cJSON *object, const char *name, size_t max)
{
    const char *text = dream_json_string(object, name);

    return text && *text && strlen(text) <= max ? text : NULL;
}

/* An id, or an expanded object with one. */
static const char *reference(const cJSON *object, const char *name)
{
    const cJSON *value = dream_json_get(object, name);

    return cJSON_IsObject(value) ? bounded(value, "id", MAX_ID) : bounded(object, name, MAX_ID);
}

/* Seconds to ms; `fallback` if absent or out of range. */
static int64_t time_ms(const cJSON *object, const char *name, int64_t fallback)
{
    int64_t seconds = 0;

    if (!dream_json_int(object, name, &seconds) || seconds < 0 || seconds > max_second)
        return fallback;
    return seconds * 1000;
}

/* -1 if absent or out of range. */
static int64_t amount(const cJSON *object, const char *name)
{
    int64_t minor = 0;

    return dream_json_int(object, name, &minor) && minor >= 0 && minor <= max_amount ? minor : -1;
}

/* Is the event about a checkout, and has its money come? A debit takes days: the checkout completes first, and is paid, or not,
 * later. One that completes is paid unless it says otherwise; free ones, and trials, need no payment. */
static bool read_payment(const char *type, const cJSON *object, bool *out_is_paid)
{
    const char *told = dream_json_string(object, "payment_status");
    bool is_completed = strcmp(type, DREAMD_CHECKOUT_COMPLETED) == 0;
    bool is_paid_later = strcmp(type, DREAMD_CHECKOUT_PAID_LATER) == 0;

    *out_is_paid = is_paid_later || (is_completed && !(told && strcmp(told, "unpaid") == 0));
    return is_completed || is_paid_later || strcmp(type, DREAMD_CHECKOUT_NOT_PAID) == 0;
}

/* A payment that names no project sold nothing of ours, and one that is not paid nothing at all. */
static const char *read_order(const cJSON *object, bool is_paid, dreamd_stripe_event *out)
{
    if (!out->publishable_key || !is_paid)
        return NULL;
    out->kind = DREAMD_STRIPE_ORDER;
    out->sale.session_id = bounded(object, "id", MAX_ID);
    out->sale.amount_minor = amount(object, "amount_total");
    if (out->sale.amount_minor < 0)
        out->sale.amount_minor = 0;
    return out->sale.session_id ? NULL : "Invalid payload";
}

static const char *read_checkout(const cJSON *object, bool is_paid, dreamd_stripe_event *out)
{
    const cJSON *metadata = dream_json_get(object, "metadata");
    const char *mode = dream_json_string(object, "mode");

    if (mode && strcmp(mode, "payment") == 0)
        return read_order(object, is_paid, out);
    if (!mode || strcmp(mode, "subscription") != 0)
        return NULL;
    out->kind = DREAMD_STRIPE_CHECKOUT;
    out->user_id = bounded(object, "client_reference_id", MAX_USER_ID);
    if (!out->user_id)
        out->user_id = bounded(metadata, "userId", MAX_USER_ID);
    out->subscription.subscription_id = reference(object, "subscription");
    out->subscription.status = is_paid ? "active" : "incomplete";
    out->subscription.amount_minor = amount(object, "amount_total");
    out->subscription.currency = bounded(object, "currency", 3);
    return NULL;
}

/* How often the price is paid; words and numbers that Stripe does not know count as not told. */
static void read_interval(const cJSON *recurring, dreamd_subscription *out)
{
    static const char *const words[] = { "day", "week", "month", "year" };
    const char *told = dream_json_string(recurring, "interval");

    for (size_t i = 0; told && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(told, words[i]) == 0)
            out->interval = words[i];
    }
    if (out->interval
        && (!dream_json_int(recurring, "interval_count", &out->interval_count) || out->interval_count < 1
            || out->interval_count > MAX_INTERVALS))
        out->interval_count = 1;
}

static void read_item(const cJSON *item, dreamd_subscription *out)
{
    const cJSON *price = dream_json_get(item, "price");

    out->price_id = bounded(price, "id", MAX_ID);
    out->product_id = reference(price, "product");
    out->amount_minor = amount(price, "unit_amount");
    out->currency = bounded(price, "currency", 3);
    read_interval(dream_json_get(price, "recurring"), out);
    if (out->current_period_end_ms < 0)
        out->current_period_end_ms = time_ms(item, "current_period_end", -1);
}

static const char *read_subscription(const cJSON *object, dreamd_stripe_kind kind, dreamd_stripe_event *out)
{
    const cJSON *metadata = dream_json_get(object, "metadata");
    const cJSON *items = dream_json_get(dream_json_get(object, "items"), "data");
    dreamd_subscription *subscription = &out->subscription;

    out->kind = kind;
    out->user_id = bounded(metadata, "userId", MAX_USER_ID);
    subscription->subscription_id = bounded(object, "id", MAX_ID);
    subscription->status = kind == DREAMD_STRIPE_ENDED ? "canceled" : bounded(object, "status", MAX_STATUS);
    subscription->current_period_end_ms = time_ms(object, "current_period_end", -1);
    /* Null says: not canceled (any more). */
    subscription->canceled_at_ms = time_ms(object, "canceled_at", 0);
    subscription->cancel_reason = bounded(dream_json_get(object, "cancellation_details"), "comment", 4096);
    if (cJSON_IsArray(items))
        read_item(cJSON_GetArrayItem(items, 0), subscription);
    return subscription->status && subscription->subscription_id ? NULL : "Invalid payload";
}

static const char *read_object(const cJSON *object, dreamd_stripe_event *out)
{
    bool is_paid = false;

    if (read_payment(out->type, object, &is_paid))
        return read_checkout(object, is_paid, out);
    if (strcmp(out->type, "customer.subscription.created") == 0
        || strcmp(out->type, "customer.subscription.updated") == 0)
        return read_subscription(object, DREAMD_STRIPE_CHANGED, out);
    if (strcmp(out->type, "customer.subscription.deleted") == 0)
        return read_subscription(object, DREAMD_STRIPE_ENDED, out);
    return NULL;
}

const char *dreamd_stripe_event_read(const cJSON *json, dreamd_stripe_event *out)
{
    const cJSON *object = dream_json_get(dream_json_get(json, "data"), "object");
    const cJSON *metadata = dream_json_get(object, "metadata");
    const char *error = NULL;

    *out = (dreamd_stripe_event){
        .id = bounded(json, "id", MAX_ID),
        .type = bounded(json, "type", MAX_ID),
        .account = bounded(json, "account", MAX_ID),
        .is_live = dream_json_bool(json, "livemode", false),
        .publishable_key = bounded(metadata, "publishableKey", DREAMD_KEY_SIZE - 1),
        .subscription = DREAMD_SUBSCRIPTION_INIT,
    };
    if (!out->id || !out->type || !dream_json_int(json, "created", &out->created_s) || out->created_s < 0
        || out->created_s > max_second || !cJSON_IsBool(dream_json_get(json, "livemode")))
        return "Invalid payload";
    error = read_object(object, out);
    if (out->kind == DREAMD_STRIPE_OTHER || out->kind == DREAMD_STRIPE_ORDER)
        return error;
    out->tier = bounded(metadata, "tier", MAX_TIER);
    out->subscription.user_id = out->user_id;
    out->subscription.stripe_customer_id = reference(object, "customer");
    if (!out->subscription.subscription_id)
        out->subscription.subscription_id = "";
    if (!out->user_id)
        return "No userId";
    if (!out->tier && out->kind != DREAMD_STRIPE_ENDED)
        return "Missing tier metadata";
    return error;
}
