/* SPDX-License-Identifier: Apache-2.0 */
/* dashboard.c - dreamapi_dashboard_*: the call, and the object it brings. The totals are totals.c. */
#include <dreamapi/dashboard.h>

#include <stdlib.h>

#include "lib/object/document.h"

struct dreamapi_dashboard_customer {
    const char *user_id;
    const char *email;
    const char *plan;
    const char *status;
    int64_t usage_count;
    int64_t limit;
    const char *period_start;
    const char *period_end;
    const char *current_period_end;
    const char *canceled_at;
    const char *subscription_id;
    const char *stripe_customer_id;
    const char *price_id;
    const char *product_id;
    int64_t amount;
    const char *currency;
    const char *publishable_key;
};

struct dreamapi_dashboard_tier {
    const char *name;
    const char *display_name;
    int64_t price;
    int64_t limit;
    const char *price_id;
    const char *product_id;
    bool popular;
    int64_t inventory;
    bool sold_out;
    const char *publishable_key;
    const char *project_type;
};

struct dreamapi_dashboard_api_key {
    const char *publishable_key;
    const char *created_at;
    const char *status;
    const char *name;
    const char *project_type;
    const char *mode;
};

struct dreamapi_dashboard_event {
    const char *type;
    const char *created_at;
    char *payload; /* owned */
};

struct dreamapi_dashboard {
    dream_document document;
    int64_t active_subs;
    int64_t canceling_subs;
    int64_t mrr;
    int64_t usage_this_period;
    int64_t store_sales_count;
    int64_t store_total_revenue;
    int64_t low_stock_products;
    int64_t total_inventory;
    const char *publishable_key;
    const char *secret_key_masked;
    const char *platform_id;
    const char *stripe_account_id;
    const char *last_event_at;
    const char *filter_platform_id;
    const char *filter_publishable_key;
    const char *filter_mode;
    bool has_more_customers;
    dream_list customers;
    dream_list tiers;
    dream_list api_keys;
    dream_list events;
};

static const dream_field metrics_fields[] = {
    { "activeSubs", DREAM_FIELD_INT, offsetof(dreamapi_dashboard, active_subs), true, 0 },
    { "cancelingSubs", DREAM_FIELD_INT, offsetof(dreamapi_dashboard, canceling_subs), true, 0 },
    { "mrr", DREAM_FIELD_INT, offsetof(dreamapi_dashboard, mrr), true, 0 },
    { "usageThisPeriod", DREAM_FIELD_INT, offsetof(dreamapi_dashboard, usage_this_period), true, 0 },
    { "storeSalesCount", DREAM_FIELD_INT, offsetof(dreamapi_dashboard, store_sales_count), true, 0 },
    { "storeTotalRevenue", DREAM_FIELD_INT, offsetof(dreamapi_dashboard, store_total_revenue), true, 0 },
    { "lowStockProducts", DREAM_FIELD_INT, offsetof(dreamapi_dashboard, low_stock_products), true, 0 },
    { "totalInventory", DREAM_FIELD_INT, offsetof(dreamapi_dashboard, total_inventory), true, 0 },
};

static const dream_field keys_fields[] = {
    { "publishableKey", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard, publishable_key), false, 0 },
    { "secretKeyMasked", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard, secret_key_masked), false, 0 },
    { "platformId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard, platform_id), false, 0 },
    { "stripeAccountId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard, stripe_account_id), false, 0 },
};

static const dream_field webhook_fields[] = {
    { "lastEventAt", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard, last_event_at), false, 0 },
};

static const dream_field filters_fields[] = {
    { "platformId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard, filter_platform_id), false, 0 },
    { "publishableKey", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard, filter_publishable_key), false, 0 },
    { "mode", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard, filter_mode), false, 0 },
};

static const dream_field outer_fields[] = {
    { "hasMoreCustomers", DREAM_FIELD_BOOL, offsetof(dreamapi_dashboard, has_more_customers), false, 0 },
};

static const dream_field customer_fields[] = {
    { "userId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, user_id), true, 0 },
    { "email", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, email), false, 0 },
    { "plan", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, plan), false, 0 },
    { "status", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, status), false, 0 },
    { "usageCount", DREAM_FIELD_INT, offsetof(dreamapi_dashboard_customer, usage_count), false, 0 },
    { "limit", DREAM_FIELD_LIMIT, offsetof(dreamapi_dashboard_customer, limit), true, 0 },
    { "periodStart", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, period_start), false, 0 },
    { "periodEnd", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, period_end), false, 0 },
    { "currentPeriodEnd", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, current_period_end), false, 0 },
    { "canceledAt", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, canceled_at), false, 0 },
    { "subscriptionId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, subscription_id), false, 0 },
    { "stripeCustomerId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, stripe_customer_id), false, 0 },
    { "priceId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, price_id), false, 0 },
    { "productId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, product_id), false, 0 },
    { "amount", DREAM_FIELD_INT, offsetof(dreamapi_dashboard_customer, amount), false, -1 },
    { "currency", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, currency), false, 0 },
    { "publishableKey", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_customer, publishable_key), false, 0 },
};

static const dream_field tier_fields[] = {
    { "name", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_tier, name), true, 0 },
    { "displayName", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_tier, display_name), false, 0 },
    { "price", DREAM_FIELD_INT, offsetof(dreamapi_dashboard_tier, price), true, 0 },
    { "limit", DREAM_FIELD_LIMIT, offsetof(dreamapi_dashboard_tier, limit), true, 0 },
    { "priceId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_tier, price_id), false, 0 },
    { "productId", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_tier, product_id), false, 0 },
    { "popular", DREAM_FIELD_BOOL, offsetof(dreamapi_dashboard_tier, popular), false, 0 },
    { "inventory", DREAM_FIELD_LIMIT, offsetof(dreamapi_dashboard_tier, inventory), false, DREAMAPI_UNLIMITED },
    { "soldOut", DREAM_FIELD_BOOL, offsetof(dreamapi_dashboard_tier, sold_out), false, 0 },
    { "publishableKey", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_tier, publishable_key), false, 0 },
    { "projectType", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_tier, project_type), false, 0 },
};

static const dream_field api_key_fields[] = {
    { "publishableKey", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_api_key, publishable_key), true, 0 },
    { "createdAt", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_api_key, created_at), false, 0 },
    { "status", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_api_key, status), false, 0 },
    { "name", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_api_key, name), false, 0 },
    { "projectType", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_api_key, project_type), false, 0 },
    { "mode", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_api_key, mode), false, 0 },
};

static const dream_field event_fields[] = {
    { "type", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_event, type), true, 0 },
    { "createdAt", DREAM_FIELD_TEXT, offsetof(dreamapi_dashboard_event, created_at), false, 0 },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const dream_list_kind customer_kind = { "customers", customer_fields, COUNT(customer_fields),
                                               sizeof(dreamapi_dashboard_customer), NULL };
static const dream_list_kind tier_kind = { "tiers", tier_fields, COUNT(tier_fields), sizeof(dreamapi_dashboard_tier),
                                           NULL };
static const dream_list_kind api_key_kind = { "apiKeys", api_key_fields, COUNT(api_key_fields),
                                              sizeof(dreamapi_dashboard_api_key), NULL };
static const dream_list_kind event_kind = { "recent", event_fields, COUNT(event_fields),
                                            sizeof(dreamapi_dashboard_event), NULL };

static void release(void *object)
{
    dreamapi_dashboard_free(object);
}

static dreamapi_status read_part(dreamapi_dashboard *dashboard, const char *name, const dream_field *fields,
                                 size_t count, const cJSON **out_part, char problem[DREAM_PROBLEM_SIZE])
{
    *out_part = dream_json_get(dashboard->document.root, name);
    if (!cJSON_IsObject(*out_part))
        return dream_document_problem(problem, name, "is missing");
    return dream_fields_read(*out_part, fields, count, dashboard, problem);
}

/* What was reported is anything at all, so it is handed out as JSON. */
static dreamapi_status print_payloads(dreamapi_dashboard *dashboard, const cJSON *recent)
{
    dreamapi_dashboard_event *event = dashboard->events.items;
    const cJSON *item;

    cJSON_ArrayForEach(item, recent)
    {
        const cJSON *payload = dream_json_get(item, "payload");
        if (payload != NULL && !cJSON_IsNull(payload)) {
            event->payload = dream_json_print(payload);
            if (event->payload == NULL)
                return DREAMAPI_NOMEM;
        }
        event++;
    }
    return DREAMAPI_OK;
}

static dreamapi_status read_lists(dreamapi_dashboard *dashboard, const cJSON *keys, const cJSON *webhook,
                                  char problem[DREAM_PROBLEM_SIZE])
{
    const cJSON *root = dashboard->document.root;
    dreamapi_status status = dream_list_read(root, &customer_kind, &dashboard->customers, problem);

    if (status == DREAMAPI_OK)
        status = dream_list_read(root, &tier_kind, &dashboard->tiers, problem);
    if (status == DREAMAPI_OK)
        status = dream_list_read(keys, &api_key_kind, &dashboard->api_keys, problem);
    if (status == DREAMAPI_OK)
        status = dream_list_read(webhook, &event_kind, &dashboard->events, problem);
    if (status == DREAMAPI_OK)
        status = print_payloads(dashboard, dream_json_get(webhook, event_kind.name));
    return status;
}

static dreamapi_status read_dashboard(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_dashboard *dashboard = object;
    const cJSON *keys = NULL, *webhook = NULL, *part;
    dreamapi_status status = read_part(dashboard, "metrics", metrics_fields, COUNT(metrics_fields), &part, problem);

    if (status == DREAMAPI_OK)
        status = read_part(dashboard, "keys", keys_fields, COUNT(keys_fields), &keys, problem);
    if (status == DREAMAPI_OK)
        status = read_part(dashboard, "webhook", webhook_fields, COUNT(webhook_fields), &webhook, problem);
    if (status == DREAMAPI_OK)
        status = read_part(dashboard, "filters", filters_fields, COUNT(filters_fields), &part, problem);
    if (status == DREAMAPI_OK)
        status = dream_fields_read(dashboard->document.root, outer_fields, COUNT(outer_fields), dashboard, problem);
    return status == DREAMAPI_OK ? read_lists(dashboard, keys, webhook, problem) : status;
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_dashboard), read_dashboard, release, out_object, problem);
}

static const dream_noun noun = { "dashboard", parse, release };

/* ---- calls ---- */

dreamapi_status dreamapi_dashboard_get(dreamapi_client *client, const dreamapi_call_options *options,
                                       dreamapi_dashboard **out_dashboard, dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    dream_request_begin(&request, client, "GET", "/api/dashboard", options);
    status = dream_call_run(client, "dashboard_get", &noun, &request, &object, error);
    if (out_dashboard != NULL)
        *out_dashboard = object;
    else
        dreamapi_dashboard_free(object);
    return status;
}

dreamapi_status dreamapi_dashboard_get_start(dreamapi_client *client, const dreamapi_call_options *options,
                                             dreamapi_call **out_call, dreamapi_error *error)
{
    dream_request request;

    dream_request_begin(&request, client, "GET", "/api/dashboard", options);
    return dream_call_start(client, "dashboard_get", &noun, &request, out_call, error);
}

dreamapi_status dreamapi_dashboard_result(dreamapi_call *call, dreamapi_dashboard **out_dashboard,
                                          dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &noun, out_dashboard == NULL ? NULL : &object, error);

    if (out_dashboard != NULL)
        *out_dashboard = object;
    return status;
}

/* ---- the object ---- */

int64_t dreamapi_dashboard_active_subs(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->active_subs;
}

int64_t dreamapi_dashboard_canceling_subs(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->canceling_subs;
}

int64_t dreamapi_dashboard_mrr(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->mrr;
}

int64_t dreamapi_dashboard_usage_this_period(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->usage_this_period;
}

int64_t dreamapi_dashboard_store_sales_count(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->store_sales_count;
}

int64_t dreamapi_dashboard_store_total_revenue(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->store_total_revenue;
}

int64_t dreamapi_dashboard_low_stock_products(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->low_stock_products;
}

int64_t dreamapi_dashboard_total_inventory(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->total_inventory;
}

const char *dreamapi_dashboard_publishable_key(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? NULL : dashboard->publishable_key;
}

const char *dreamapi_dashboard_secret_key_masked(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? NULL : dashboard->secret_key_masked;
}

const char *dreamapi_dashboard_platform_id(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? NULL : dashboard->platform_id;
}

const char *dreamapi_dashboard_stripe_account_id(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? NULL : dashboard->stripe_account_id;
}

const char *dreamapi_dashboard_last_event_at(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? NULL : dashboard->last_event_at;
}

const char *dreamapi_dashboard_filter_platform_id(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? NULL : dashboard->filter_platform_id;
}

const char *dreamapi_dashboard_filter_publishable_key(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? NULL : dashboard->filter_publishable_key;
}

const char *dreamapi_dashboard_filter_mode(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? NULL : dashboard->filter_mode;
}

size_t dreamapi_dashboard_customer_count(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->customers.count;
}

const dreamapi_dashboard_customer *dreamapi_dashboard_customer_at(const dreamapi_dashboard *dashboard, size_t index)
{
    const dreamapi_dashboard_customer *items = dashboard == NULL ? NULL : dashboard->customers.items;

    return dashboard == NULL || index >= dashboard->customers.count ? NULL : &items[index];
}

int dreamapi_dashboard_has_more_customers(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->has_more_customers;
}

size_t dreamapi_dashboard_tier_count(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->tiers.count;
}

const dreamapi_dashboard_tier *dreamapi_dashboard_tier_at(const dreamapi_dashboard *dashboard, size_t index)
{
    const dreamapi_dashboard_tier *items = dashboard == NULL ? NULL : dashboard->tiers.items;

    return dashboard == NULL || index >= dashboard->tiers.count ? NULL : &items[index];
}

size_t dreamapi_dashboard_api_key_count(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->api_keys.count;
}

const dreamapi_dashboard_api_key *dreamapi_dashboard_api_key_at(const dreamapi_dashboard *dashboard, size_t index)
{
    const dreamapi_dashboard_api_key *items = dashboard == NULL ? NULL : dashboard->api_keys.items;

    return dashboard == NULL || index >= dashboard->api_keys.count ? NULL : &items[index];
}

size_t dreamapi_dashboard_event_count(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? 0 : dashboard->events.count;
}

const dreamapi_dashboard_event *dreamapi_dashboard_event_at(const dreamapi_dashboard *dashboard, size_t index)
{
    const dreamapi_dashboard_event *items = dashboard == NULL ? NULL : dashboard->events.items;

    return dashboard == NULL || index >= dashboard->events.count ? NULL : &items[index];
}

const char *dreamapi_dashboard_json(const dreamapi_dashboard *dashboard)
{
    return dashboard == NULL ? NULL : dashboard->document.json;
}

void dreamapi_dashboard_free(dreamapi_dashboard *dashboard)
{
    dreamapi_dashboard_event *events = dashboard == NULL ? NULL : dashboard->events.items;

    if (dashboard == NULL)
        return;
    for (size_t i = 0; i < dashboard->events.count; i++)
        free(events[i].payload);
    dream_document_clear(&dashboard->document);
    free(dashboard->customers.items);
    free(dashboard->tiers.items);
    free(dashboard->api_keys.items);
    free(dashboard->events.items);
    free(dashboard);
}

/* ---- its parts ---- */

const char *dreamapi_dashboard_customer_user_id(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->user_id;
}

const char *dreamapi_dashboard_customer_email(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->email;
}

const char *dreamapi_dashboard_customer_plan(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->plan;
}

const char *dreamapi_dashboard_customer_status(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->status;
}

int64_t dreamapi_dashboard_customer_usage_count(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? 0 : customer->usage_count;
}

int64_t dreamapi_dashboard_customer_limit(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? 0 : customer->limit;
}

const char *dreamapi_dashboard_customer_period_start(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->period_start;
}

const char *dreamapi_dashboard_customer_period_end(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->period_end;
}

const char *dreamapi_dashboard_customer_current_period_end(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->current_period_end;
}

const char *dreamapi_dashboard_customer_canceled_at(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->canceled_at;
}

const char *dreamapi_dashboard_customer_subscription_id(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->subscription_id;
}

const char *dreamapi_dashboard_customer_stripe_customer_id(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->stripe_customer_id;
}

const char *dreamapi_dashboard_customer_price_id(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->price_id;
}

const char *dreamapi_dashboard_customer_product_id(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->product_id;
}

int64_t dreamapi_dashboard_customer_amount(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? -1 : customer->amount;
}

const char *dreamapi_dashboard_customer_currency(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->currency;
}

const char *dreamapi_dashboard_customer_publishable_key(const dreamapi_dashboard_customer *customer)
{
    return customer == NULL ? NULL : customer->publishable_key;
}

const char *dreamapi_dashboard_tier_name(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? NULL : tier->name;
}

const char *dreamapi_dashboard_tier_display_name(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? NULL : tier->display_name;
}

int64_t dreamapi_dashboard_tier_price(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? 0 : tier->price;
}

int64_t dreamapi_dashboard_tier_limit(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? 0 : tier->limit;
}

const char *dreamapi_dashboard_tier_price_id(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? NULL : tier->price_id;
}

const char *dreamapi_dashboard_tier_product_id(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? NULL : tier->product_id;
}

int dreamapi_dashboard_tier_popular(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? 0 : tier->popular;
}

int64_t dreamapi_dashboard_tier_inventory(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? 0 : tier->inventory;
}

int dreamapi_dashboard_tier_sold_out(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? 0 : tier->sold_out;
}

const char *dreamapi_dashboard_tier_publishable_key(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? NULL : tier->publishable_key;
}

const char *dreamapi_dashboard_tier_project_type(const dreamapi_dashboard_tier *tier)
{
    return tier == NULL ? NULL : tier->project_type;
}

const char *dreamapi_dashboard_api_key_publishable_key(const dreamapi_dashboard_api_key *api_key)
{
    return api_key == NULL ? NULL : api_key->publishable_key;
}

const char *dreamapi_dashboard_api_key_created_at(const dreamapi_dashboard_api_key *api_key)
{
    return api_key == NULL ? NULL : api_key->created_at;
}

const char *dreamapi_dashboard_api_key_status(const dreamapi_dashboard_api_key *api_key)
{
    return api_key == NULL ? NULL : api_key->status;
}

const char *dreamapi_dashboard_api_key_name(const dreamapi_dashboard_api_key *api_key)
{
    return api_key == NULL ? NULL : api_key->name;
}

const char *dreamapi_dashboard_api_key_project_type(const dreamapi_dashboard_api_key *api_key)
{
    return api_key == NULL ? NULL : api_key->project_type;
}

const char *dreamapi_dashboard_api_key_mode(const dreamapi_dashboard_api_key *api_key)
{
    return api_key == NULL ? NULL : api_key->mode;
}

const char *dreamapi_dashboard_event_type(const dreamapi_dashboard_event *event)
{
    return event == NULL ? NULL : event->type;
}

const char *dreamapi_dashboard_event_created_at(const dreamapi_dashboard_event *event)
{
    return event == NULL ? NULL : event->created_at;
}

const char *dreamapi_dashboard_event_payload(const dreamapi_dashboard_event *event)
{
    return event == NULL ? NULL : event->payload;
}
