/* SPDX-License-Identifier: Apache-2.0 */
/* run_library.c - the recorded wire cases in C: every accessor of an answer must say what the answer says. See cases.h. */
#include "cases.h"

#include <stdlib.h>
#include <string.h>

const char *const wire_language = "C";

static dreamapi_status send_health(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_health *health;
    dreamapi_status status = dreamapi_health_get(run->client, &run->options, &health, &run->error);

    (void)body;
    if (health != NULL) {
        wire_expect_text(&run->report, "status", dreamapi_health_status(health), wire_text_of(answer, "status"));
        wire_expect_int(&run->report, "extension_count", (int64_t)dreamapi_health_extension_count(health), 0);
        wire_expect_text(&run->report, "extension", dreamapi_health_extension(health, 0), NULL);
        wire_expect_int(&run->report, "has_extension", dreamapi_health_has_extension(health, "idempotency"), 0);
    }
    dreamapi_health_free(health);
    return status;
}

static void check_features(wire_run *run, const dreamapi_tier *tier, const cJSON *features)
{
    int count = cJSON_GetArraySize(features);

    wire_expect_int(&run->report, "feature_count", (int64_t)dreamapi_tier_feature_count(tier), count);
    for (int i = 0; i < count; i++)
        wire_expect_text(&run->report, "feature", dreamapi_tier_feature(tier, (size_t)i),
                         cJSON_GetStringValue(cJSON_GetArrayItem(features, i)));
    wire_expect_text(&run->report, "feature past the end", dreamapi_tier_feature(tier, (size_t)count), NULL);
}

static void check_tier(wire_run *run, const dreamapi_tier *tier, const cJSON *recorded)
{
    const cJSON *trial = wire_member(recorded, "trialDays");

    wire_expect_text(&run->report, "id", dreamapi_tier_id(tier), wire_text_of(recorded, "id"));
    wire_expect_text(&run->report, "name", dreamapi_tier_name(tier), wire_text_of(recorded, "name"));
    wire_expect_text(&run->report, "display_name", dreamapi_tier_display_name(tier),
                     wire_text_of(recorded, "displayName"));
    wire_expect_int(&run->report, "price", dreamapi_tier_price(tier), wire_int_of(recorded, "price", 0));
    wire_expect_int(&run->report, "limit", dreamapi_tier_limit(tier), wire_int_of(recorded, "limit", 0));
    check_features(run, tier, wire_member(recorded, "features"));
    wire_expect_text(&run->report, "description", dreamapi_tier_description(tier),
                     wire_text_of(recorded, "description"));
    wire_expect_text(&run->report, "billing_mode", dreamapi_tier_billing_mode(tier),
                     wire_text_of(recorded, "billingMode"));
    wire_expect_text(&run->report, "image_url", dreamapi_tier_image_url(tier), wire_text_of(recorded, "imageUrl"));
    wire_expect_int(&run->report, "inventory", dreamapi_tier_inventory(tier),
                    wire_int_of(recorded, "inventory", DREAMAPI_UNLIMITED));
    wire_expect_int(&run->report, "sold_out", dreamapi_tier_sold_out(tier), wire_bool_of(recorded, "soldOut", 0));
    wire_expect_int(&run->report, "popular", dreamapi_tier_popular(tier), wire_bool_of(recorded, "popular", 0));
    wire_expect_text(&run->report, "stripe_price_id", dreamapi_tier_stripe_price_id(tier),
                     wire_text_of(recorded, "stripePriceId"));
    wire_expect_text(&run->report, "price_id", dreamapi_tier_price_id(tier), wire_text_of(recorded, "priceId"));
    wire_expect_text(&run->report, "product_id", dreamapi_tier_product_id(tier), wire_text_of(recorded, "productId"));
    wire_expect_int(&run->report, "trial_days", dreamapi_tier_trial_days(tier),
                    cJSON_IsNumber(trial) ? (int64_t)trial->valuedouble : -1);
}

static dreamapi_status send_tiers(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_tiers *tiers;
    dreamapi_status status = dreamapi_tier_list(run->client, &run->options, &tiers, &run->error);
    const cJSON *recorded = wire_member(answer, "tiers");
    char *sent = cJSON_PrintUnformatted(answer);

    (void)body;
    if (tiers != NULL) {
        int count = cJSON_GetArraySize(recorded);
        wire_expect_int(&run->report, "tiers_count", (int64_t)dreamapi_tiers_count(tiers), count);
        for (int i = 0; i < count; i++)
            check_tier(run, dreamapi_tiers_at(tiers, (size_t)i), cJSON_GetArrayItem(recorded, i));
        if (dreamapi_tiers_at(tiers, (size_t)count) != NULL)
            wire_wrong(&run->report, "there is a tier past the end");
        wire_expect_text(&run->report, "json", dreamapi_tiers_json(tiers), sent);
    }
    cJSON_free(sent);
    dreamapi_tiers_free(tiers);
    return status;
}

/* Usage comes flat from GET /api/usage and in parts from POST /api/data. */
static void check_usage(wire_run *run, const dreamapi_usage *usage, const cJSON *answer)
{
    const cJSON *part = wire_member(answer, "usage");
    const cJSON *usual = part == NULL ? answer : part;
    int64_t count = wire_int_of(usual, part == NULL ? "usageCount" : "count", 0);
    int64_t limit = wire_int_of(usual, "limit", 0);
    int64_t left = limit == DREAMAPI_UNLIMITED ? limit : limit > count ? limit - count : 0;
    char *sent = cJSON_PrintUnformatted(answer);

    wire_expect_text(&run->report, "user_id", dreamapi_usage_user_id(usage), wire_text_of(answer, "userId"));
    wire_expect_text(&run->report, "plan", dreamapi_usage_plan(usage), wire_text_of(usual, "plan"));
    wire_expect_int(&run->report, "usage_count", dreamapi_usage_usage_count(usage), count);
    wire_expect_int(&run->report, "count", dreamapi_usage_count(usage), count);
    wire_expect_int(&run->report, "limit", dreamapi_usage_limit(usage), limit);
    wire_expect_int(&run->report, "remaining", dreamapi_usage_remaining(usage), wire_int_of(answer, "remaining", left));
    wire_expect_text(&run->report, "period_start", dreamapi_usage_period_start(usage),
                     wire_text_of(answer, "periodStart"));
    wire_expect_text(&run->report, "period_end", dreamapi_usage_period_end(usage), wire_text_of(answer, "periodEnd"));
    wire_expect_text(&run->report, "message", dreamapi_usage_message(usage),
                     wire_text_of(wire_member(answer, "data"), "message"));
    wire_expect_int(&run->report, "success", dreamapi_usage_success(usage), wire_bool_of(answer, "success", 1));
    wire_expect_text(&run->report, "json", dreamapi_usage_json(usage), sent);
    cJSON_free(sent);
}

static dreamapi_status send_usage_get(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_usage *usage;
    dreamapi_status status = dreamapi_usage_get(run->client, NULL, &run->options, &usage, &run->error);

    (void)body;
    if (usage != NULL)
        check_usage(run, usage, answer);
    dreamapi_usage_free(usage);
    return status;
}

static dreamapi_status send_usage_track(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_usage *usage;
    dreamapi_status status = dreamapi_usage_track(run->client, NULL, NULL, &run->options, &usage, &run->error);

    (void)body;
    if (usage != NULL)
        check_usage(run, usage, answer);
    dreamapi_usage_free(usage);
    return status;
}

static dreamapi_status send_checkout(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_checkout_params params = DREAMAPI_CHECKOUT_PARAMS_INIT;
    dreamapi_checkout *checkout;
    dreamapi_status status;
    char *sent = cJSON_PrintUnformatted(answer);

    params.tier = wire_text_of(body, "tier");
    params.price_id = wire_text_of(body, "priceId");
    params.success_url = wire_text_of(body, "successUrl");
    params.cancel_url = wire_text_of(body, "cancelUrl");
    status =
        dreamapi_checkout_create(run->client, body == NULL ? NULL : &params, &run->options, &checkout, &run->error);
    if (checkout != NULL) {
        wire_expect_text(&run->report, "url", dreamapi_checkout_url(checkout), wire_text_of(answer, "url"));
        wire_expect_text(&run->report, "json", dreamapi_checkout_json(checkout), sent);
    }
    cJSON_free(sent);
    dreamapi_checkout_free(checkout);
    return status;
}

static dreamapi_status send_portal(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_portal_params params = DREAMAPI_PORTAL_PARAMS_INIT;
    dreamapi_portal *portal;
    dreamapi_status status;
    char *sent = cJSON_PrintUnformatted(answer);

    params.return_url = wire_text_of(body, "returnUrl");
    status = dreamapi_portal_create(run->client, body == NULL ? NULL : &params, &run->options, &portal, &run->error);
    if (portal != NULL) {
        wire_expect_text(&run->report, "url", dreamapi_portal_url(portal), wire_text_of(answer, "url"));
        wire_expect_text(&run->report, "json", dreamapi_portal_json(portal), sent);
    }
    cJSON_free(sent);
    dreamapi_portal_free(portal);
    return status;
}

static void check_product(wire_run *run, const dreamapi_product *product, const cJSON *recorded)
{
    const cJSON *features = wire_member(recorded, "features");
    int count = cJSON_GetArraySize(features);

    wire_expect_text(&run->report, "id", dreamapi_product_id(product), wire_text_of(recorded, "id"));
    wire_expect_text(&run->report, "key", dreamapi_product_key(product), wire_text_of(recorded, "key"));
    wire_expect_text(&run->report, "name", dreamapi_product_name(product), wire_text_of(recorded, "name"));
    wire_expect_text(&run->report, "display_name", dreamapi_product_display_name(product),
                     wire_text_of(recorded, "displayName"));
    wire_expect_text(&run->report, "description", dreamapi_product_description(product),
                     wire_text_of(recorded, "description"));
    wire_expect_int(&run->report, "price", dreamapi_product_price(product), wire_int_of(recorded, "price", 0));
    wire_expect_text(&run->report, "currency", dreamapi_product_currency(product), wire_text_of(recorded, "currency"));
    wire_expect_text(&run->report, "image_url", dreamapi_product_image_url(product),
                     wire_text_of(recorded, "imageUrl"));
    wire_expect_int(&run->report, "inventory", dreamapi_product_inventory(product),
                    wire_int_of(recorded, "inventory", DREAMAPI_UNLIMITED));
    wire_expect_int(&run->report, "sold_out", dreamapi_product_sold_out(product), wire_bool_of(recorded, "soldOut", 0));
    wire_expect_text(&run->report, "price_id", dreamapi_product_price_id(product), wire_text_of(recorded, "priceId"));
    wire_expect_text(&run->report, "product_id", dreamapi_product_product_id(product),
                     wire_text_of(recorded, "productId"));
    wire_expect_int(&run->report, "feature_count", (int64_t)dreamapi_product_feature_count(product), count);
    for (int i = 0; i < count; i++)
        wire_expect_text(&run->report, "feature", dreamapi_product_feature(product, (size_t)i),
                         cJSON_GetStringValue(cJSON_GetArrayItem(features, i)));
    wire_expect_text(&run->report, "feature past the end", dreamapi_product_feature(product, (size_t)count), NULL);
}

static dreamapi_status send_products(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_products *products;
    dreamapi_status status = dreamapi_product_list(run->client, &run->options, &products, &run->error);
    const cJSON *recorded = wire_member(answer, "products");
    char *sent = cJSON_PrintUnformatted(answer);

    (void)body;
    if (products != NULL) {
        int count = cJSON_GetArraySize(recorded);
        wire_expect_int(&run->report, "products_count", (int64_t)dreamapi_products_count(products), count);
        for (int i = 0; i < count; i++)
            check_product(run, dreamapi_products_at(products, (size_t)i), cJSON_GetArrayItem(recorded, i));
        if (dreamapi_products_at(products, (size_t)count) != NULL)
            wire_wrong(&run->report, "there is a product past the end");
        wire_expect_text(&run->report, "json", dreamapi_products_json(products), sent);
    }
    cJSON_free(sent);
    dreamapi_products_free(products);
    return status;
}

static dreamapi_status send_cart(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_cart_item items[DREAMAPI_CART_MAX_ITEMS] = { { NULL, NULL, NULL, 0 } };
    dreamapi_cart_params params = DREAMAPI_CART_PARAMS_INIT;
    dreamapi_checkout *checkout;
    dreamapi_status status;
    const cJSON *item;
    char *sent = cJSON_PrintUnformatted(answer);

    params.items = items;
    cJSON_ArrayForEach(item, wire_member(body, "items"))
    {
        dreamapi_cart_item *at = &items[params.item_count++];
        at->price_id = wire_text_of(item, "priceId");
        at->product_id = wire_text_of(item, "productId");
        at->tier = wire_text_of(item, "tier");
        at->quantity = wire_int_of(item, "quantity", 0);
    }
    params.email = wire_text_of(body, "email");
    params.success_url = wire_text_of(body, "successUrl");
    params.cancel_url = wire_text_of(body, "cancelUrl");
    status = dreamapi_cart_checkout(run->client, &params, &run->options, &checkout, &run->error);
    if (checkout != NULL) {
        wire_expect_text(&run->report, "url", dreamapi_checkout_url(checkout), wire_text_of(answer, "url"));
        wire_expect_text(&run->report, "json", dreamapi_checkout_json(checkout), sent);
    }
    cJSON_free(sent);
    dreamapi_checkout_free(checkout);
    return status;
}

static dreamapi_status send_asset(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;
    dreamapi_asset *asset;
    dreamapi_status status;
    unsigned char data[WIRE_TEXT_SIZE];
    char *sent = cJSON_PrintUnformatted(answer);

    params.filename = wire_text_of(body, "filename");
    params.content_type = wire_text_of(body, "contentType");
    params.data = data;
    params.size = (size_t)wire_decode_base64(wire_text_of(body, "data"), data);
    status = dreamapi_asset_upload(run->client, &params, &run->options, &asset, &run->error);
    if (asset != NULL) {
        wire_expect_text(&run->report, "key", dreamapi_asset_key(asset), wire_text_of(answer, "key"));
        wire_expect_text(&run->report, "url", dreamapi_asset_url(asset), wire_text_of(answer, "url"));
        wire_expect_text(&run->report, "json", dreamapi_asset_json(asset), sent);
    }
    cJSON_free(sent);
    dreamapi_asset_free(asset);
    return status;
}

static void check_dashboard_customer(wire_run *run, const dreamapi_dashboard_customer *customer, const cJSON *recorded)
{
    wire_expect_text(&run->report, "user_id", dreamapi_dashboard_customer_user_id(customer),
                     wire_text_of(recorded, "userId"));
    wire_expect_text(&run->report, "email", dreamapi_dashboard_customer_email(customer),
                     wire_text_of(recorded, "email"));
    wire_expect_text(&run->report, "plan", dreamapi_dashboard_customer_plan(customer), wire_text_of(recorded, "plan"));
    wire_expect_text(&run->report, "status", dreamapi_dashboard_customer_status(customer),
                     wire_text_of(recorded, "status"));
    wire_expect_int(&run->report, "usage_count", dreamapi_dashboard_customer_usage_count(customer),
                    wire_int_of(recorded, "usageCount", 0));
    wire_expect_int(&run->report, "limit", dreamapi_dashboard_customer_limit(customer),
                    wire_int_of(recorded, "limit", 0));
    wire_expect_text(&run->report, "period_start", dreamapi_dashboard_customer_period_start(customer),
                     wire_text_of(recorded, "periodStart"));
    wire_expect_text(&run->report, "period_end", dreamapi_dashboard_customer_period_end(customer),
                     wire_text_of(recorded, "periodEnd"));
    wire_expect_text(&run->report, "current_period_end", dreamapi_dashboard_customer_current_period_end(customer),
                     wire_text_of(recorded, "currentPeriodEnd"));
    wire_expect_text(&run->report, "canceled_at", dreamapi_dashboard_customer_canceled_at(customer),
                     wire_text_of(recorded, "canceledAt"));
    wire_expect_text(&run->report, "subscription_id", dreamapi_dashboard_customer_subscription_id(customer),
                     wire_text_of(recorded, "subscriptionId"));
    wire_expect_text(&run->report, "stripe_customer_id", dreamapi_dashboard_customer_stripe_customer_id(customer),
                     wire_text_of(recorded, "stripeCustomerId"));
    wire_expect_text(&run->report, "price_id", dreamapi_dashboard_customer_price_id(customer),
                     wire_text_of(recorded, "priceId"));
    wire_expect_text(&run->report, "product_id", dreamapi_dashboard_customer_product_id(customer),
                     wire_text_of(recorded, "productId"));
    wire_expect_int(&run->report, "amount", dreamapi_dashboard_customer_amount(customer),
                    cJSON_IsNumber(wire_member(recorded, "amount")) ? wire_int_of(recorded, "amount", -1) : -1);
    wire_expect_text(&run->report, "currency", dreamapi_dashboard_customer_currency(customer),
                     wire_text_of(recorded, "currency"));
    wire_expect_text(&run->report, "publishable_key", dreamapi_dashboard_customer_publishable_key(customer),
                     wire_text_of(recorded, "publishableKey"));
}

static void check_dashboard_tier(wire_run *run, const dreamapi_dashboard_tier *tier, const cJSON *recorded)
{
    wire_expect_text(&run->report, "name", dreamapi_dashboard_tier_name(tier), wire_text_of(recorded, "name"));
    wire_expect_text(&run->report, "display_name", dreamapi_dashboard_tier_display_name(tier),
                     wire_text_of(recorded, "displayName"));
    wire_expect_int(&run->report, "price", dreamapi_dashboard_tier_price(tier), wire_int_of(recorded, "price", 0));
    wire_expect_int(&run->report, "limit", dreamapi_dashboard_tier_limit(tier), wire_int_of(recorded, "limit", 0));
    wire_expect_text(&run->report, "price_id", dreamapi_dashboard_tier_price_id(tier),
                     wire_text_of(recorded, "priceId"));
    wire_expect_text(&run->report, "product_id", dreamapi_dashboard_tier_product_id(tier),
                     wire_text_of(recorded, "productId"));
    wire_expect_int(&run->report, "popular", dreamapi_dashboard_tier_popular(tier),
                    wire_bool_of(recorded, "popular", 0));
    wire_expect_int(&run->report, "inventory", dreamapi_dashboard_tier_inventory(tier),
                    wire_int_of(recorded, "inventory", DREAMAPI_UNLIMITED));
    wire_expect_int(&run->report, "sold_out", dreamapi_dashboard_tier_sold_out(tier),
                    wire_bool_of(recorded, "soldOut", 0));
    wire_expect_text(&run->report, "publishable_key", dreamapi_dashboard_tier_publishable_key(tier),
                     wire_text_of(recorded, "publishableKey"));
    wire_expect_text(&run->report, "project_type", dreamapi_dashboard_tier_project_type(tier),
                     wire_text_of(recorded, "projectType"));
}

static void check_dashboard_api_key(wire_run *run, const dreamapi_dashboard_api_key *api_key, const cJSON *recorded)
{
    wire_expect_text(&run->report, "publishable_key", dreamapi_dashboard_api_key_publishable_key(api_key),
                     wire_text_of(recorded, "publishableKey"));
    wire_expect_text(&run->report, "created_at", dreamapi_dashboard_api_key_created_at(api_key),
                     wire_text_of(recorded, "createdAt"));
    wire_expect_text(&run->report, "status", dreamapi_dashboard_api_key_status(api_key),
                     wire_text_of(recorded, "status"));
    wire_expect_text(&run->report, "name", dreamapi_dashboard_api_key_name(api_key), wire_text_of(recorded, "name"));
    wire_expect_text(&run->report, "project_type", dreamapi_dashboard_api_key_project_type(api_key),
                     wire_text_of(recorded, "projectType"));
    wire_expect_text(&run->report, "mode", dreamapi_dashboard_api_key_mode(api_key), wire_text_of(recorded, "mode"));
}

static void check_dashboard_event(wire_run *run, const dreamapi_dashboard_event *event, const cJSON *recorded)
{
    char *payload = cJSON_PrintUnformatted(wire_member(recorded, "payload"));

    wire_expect_text(&run->report, "type", dreamapi_dashboard_event_type(event), wire_text_of(recorded, "type"));
    wire_expect_text(&run->report, "created_at", dreamapi_dashboard_event_created_at(event),
                     wire_text_of(recorded, "createdAt"));
    wire_expect_text(&run->report, "payload", dreamapi_dashboard_event_payload(event), payload);
    cJSON_free(payload);
}

static void check_figures(wire_run *run, const dreamapi_dashboard *dashboard, const cJSON *answer)
{
    const cJSON *metrics = wire_member(answer, "metrics"), *keys = wire_member(answer, "keys"),
                *webhook = wire_member(answer, "webhook"), *filters = wire_member(answer, "filters");

    wire_expect_int(&run->report, "active_subs", dreamapi_dashboard_active_subs(dashboard),
                    wire_int_of(metrics, "activeSubs", 0));
    wire_expect_int(&run->report, "canceling_subs", dreamapi_dashboard_canceling_subs(dashboard),
                    wire_int_of(metrics, "cancelingSubs", 0));
    wire_expect_int(&run->report, "mrr", dreamapi_dashboard_mrr(dashboard), wire_int_of(metrics, "mrr", 0));
    wire_expect_int(&run->report, "usage_this_period", dreamapi_dashboard_usage_this_period(dashboard),
                    wire_int_of(metrics, "usageThisPeriod", 0));
    wire_expect_int(&run->report, "store_sales_count", dreamapi_dashboard_store_sales_count(dashboard),
                    wire_int_of(metrics, "storeSalesCount", 0));
    wire_expect_int(&run->report, "store_total_revenue", dreamapi_dashboard_store_total_revenue(dashboard),
                    wire_int_of(metrics, "storeTotalRevenue", 0));
    wire_expect_int(&run->report, "low_stock_products", dreamapi_dashboard_low_stock_products(dashboard),
                    wire_int_of(metrics, "lowStockProducts", 0));
    wire_expect_int(&run->report, "total_inventory", dreamapi_dashboard_total_inventory(dashboard),
                    wire_int_of(metrics, "totalInventory", 0));
    wire_expect_text(&run->report, "publishable_key", dreamapi_dashboard_publishable_key(dashboard),
                     wire_text_of(keys, "publishableKey"));
    wire_expect_text(&run->report, "secret_key_masked", dreamapi_dashboard_secret_key_masked(dashboard),
                     wire_text_of(keys, "secretKeyMasked"));
    wire_expect_text(&run->report, "platform_id", dreamapi_dashboard_platform_id(dashboard),
                     wire_text_of(keys, "platformId"));
    wire_expect_text(&run->report, "stripe_account_id", dreamapi_dashboard_stripe_account_id(dashboard),
                     wire_text_of(keys, "stripeAccountId"));
    wire_expect_text(&run->report, "last_event_at", dreamapi_dashboard_last_event_at(dashboard),
                     wire_text_of(webhook, "lastEventAt"));
    wire_expect_text(&run->report, "filter_platform_id", dreamapi_dashboard_filter_platform_id(dashboard),
                     wire_text_of(filters, "platformId"));
    wire_expect_text(&run->report, "filter_publishable_key", dreamapi_dashboard_filter_publishable_key(dashboard),
                     wire_text_of(filters, "publishableKey"));
    wire_expect_text(&run->report, "filter_mode", dreamapi_dashboard_filter_mode(dashboard),
                     wire_text_of(filters, "mode"));
}

#define CHECK_PARTS(part, recorded)                                                                                    \
    do {                                                                                                               \
        const cJSON *list = recorded;                                                                                  \
        size_t count = (size_t)cJSON_GetArraySize(list);                                                               \
        wire_expect_int(&run->report, #part "_count", (int64_t)dreamapi_dashboard_##part##_count(dashboard),           \
                        (int64_t)count);                                                                               \
        for (size_t i = 0; i < count; i++)                                                                             \
            check_dashboard_##part(run, dreamapi_dashboard_##part##_at(dashboard, i),                                  \
                                   cJSON_GetArrayItem(list, (int)i));                                                  \
        if (dreamapi_dashboard_##part##_at(dashboard, count) != NULL)                                                  \
            wire_wrong(&run->report, "there is a " #part " past the end");                                             \
    } while (0)

static dreamapi_status send_dashboard(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_dashboard *dashboard;
    dreamapi_status status = dreamapi_dashboard_get(run->client, &run->options, &dashboard, &run->error);
    char *sent = cJSON_PrintUnformatted(answer);

    (void)body;
    if (dashboard != NULL) {
        check_figures(run, dashboard, answer);
        wire_expect_int(&run->report, "has_more_customers", dreamapi_dashboard_has_more_customers(dashboard),
                        wire_bool_of(answer, "hasMoreCustomers", 0));
        CHECK_PARTS(customer, wire_member(answer, "customers"));
        CHECK_PARTS(tier, wire_member(answer, "tiers"));
        CHECK_PARTS(api_key, wire_member(wire_member(answer, "keys"), "apiKeys"));
        CHECK_PARTS(event, wire_member(wire_member(answer, "webhook"), "recent"));
        wire_expect_text(&run->report, "json", dreamapi_dashboard_json(dashboard), sent);
    }
    cJSON_free(sent);
    dreamapi_dashboard_free(dashboard);
    return status;
}

static dreamapi_status send_totals(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_totals *totals;
    dreamapi_status status = dreamapi_dashboard_totals(run->client, &run->options, &totals, &run->error);
    const cJSON *recorded = wire_member(answer, "totals");
    char *sent = cJSON_PrintUnformatted(answer);

    (void)body;
    if (totals != NULL) {
        wire_expect_int(&run->report, "mrr", dreamapi_totals_mrr(totals), wire_int_of(recorded, "mrr", 0));
        wire_expect_int(&run->report, "active_subs", dreamapi_totals_active_subs(totals),
                        wire_int_of(recorded, "activeSubs", 0));
        wire_expect_int(&run->report, "canceling_subs", dreamapi_totals_canceling_subs(totals),
                        wire_int_of(recorded, "cancelingSubs", 0));
        wire_expect_int(&run->report, "total_products", dreamapi_totals_total_products(totals),
                        wire_int_of(recorded, "totalProducts", 0));
        wire_expect_int(&run->report, "live_projects", dreamapi_totals_live_projects(totals),
                        wire_int_of(recorded, "liveProjects", 0));
        wire_expect_int(&run->report, "projects", dreamapi_totals_projects(totals),
                        wire_int_of(recorded, "projects", -1));
        wire_expect_text(&run->report, "mode", dreamapi_totals_mode(totals), wire_text_of(answer, "mode"));
        wire_expect_text(&run->report, "platform_id", dreamapi_totals_platform_id(totals),
                         wire_text_of(answer, "platformId"));
        wire_expect_text(&run->report, "json", dreamapi_totals_json(totals), sent);
    }
    cJSON_free(sent);
    dreamapi_totals_free(totals);
    return status;
}

static void check_customer(wire_run *run, dreamapi_customer *customer, const cJSON *answer)
{
    const cJSON *recorded = wire_member(answer, "customer");
    char *sent = cJSON_PrintUnformatted(answer);

    if (recorded == NULL)
        recorded = wire_member(answer, "deleted");
    if (customer != NULL) {
        wire_expect_text(&run->report, "id", dreamapi_customer_id(customer), wire_text_of(recorded, "id"));
        wire_expect_text(&run->report, "email", dreamapi_customer_email(customer), wire_text_of(recorded, "email"));
        wire_expect_text(&run->report, "first_name", dreamapi_customer_first_name(customer),
                         wire_text_of(recorded, "firstName"));
        wire_expect_text(&run->report, "last_name", dreamapi_customer_last_name(customer),
                         wire_text_of(recorded, "lastName"));
        wire_expect_text(&run->report, "plan", dreamapi_customer_plan(customer), wire_text_of(recorded, "plan"));
        wire_expect_text(&run->report, "publishable_key", dreamapi_customer_publishable_key(customer),
                         wire_text_of(recorded, "publishableKey"));
        wire_expect_int(&run->report, "created_at", dreamapi_customer_created_at(customer),
                        wire_int_of(recorded, "createdAt", 0));
        wire_expect_text(&run->report, "message", dreamapi_customer_message(customer), wire_text_of(answer, "message"));
        wire_expect_int(&run->report, "success", dreamapi_customer_success(customer),
                        wire_bool_of(answer, "success", 1));
        wire_expect_text(&run->report, "json", dreamapi_customer_json(customer), sent);
    }
    cJSON_free(sent);
    dreamapi_customer_free(customer);
}

static dreamapi_status send_customer_create(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_customer *customer;
    dreamapi_status status;

    params.email = wire_text_of(body, "email");
    params.first_name = wire_text_of(body, "firstName");
    params.last_name = wire_text_of(body, "lastName");
    params.plan = wire_text_of(body, "plan");
    params.password = wire_text_of(body, "password");
    status = dreamapi_customer_create(run->client, &params, &run->options, &customer, &run->error);
    check_customer(run, customer, answer);
    return status;
}

static dreamapi_status send_customer_get(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_customer *customer;
    dreamapi_status status = dreamapi_customer_get(run->client, run->id, &run->options, &customer, &run->error);

    (void)body;
    check_customer(run, customer, answer);
    return status;
}

static dreamapi_status send_customer_update(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_customer_update_params params = DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT;
    dreamapi_customer *customer;
    dreamapi_status status;

    params.plan = wire_text_of(body, "plan");
    status = dreamapi_customer_update(run->client, run->id, &params, &run->options, &customer, &run->error);
    check_customer(run, customer, answer);
    return status;
}

static dreamapi_status send_customer_delete(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_customer *customer;
    dreamapi_status status = dreamapi_customer_delete(run->client, run->id, &run->options, &customer, &run->error);

    (void)body;
    check_customer(run, customer, answer);
    return status;
}

typedef dreamapi_status (*sender)(wire_run *run, const cJSON *body, const cJSON *answer);

static const sender senders[] = {
    [WIRE_HEALTH_GET] = send_health,
    [WIRE_TIER_LIST] = send_tiers,
    [WIRE_USAGE_GET] = send_usage_get,
    [WIRE_USAGE_TRACK] = send_usage_track,
    [WIRE_CHECKOUT_CREATE] = send_checkout,
    [WIRE_CUSTOMER_CREATE] = send_customer_create,
    [WIRE_CUSTOMER_GET] = send_customer_get,
    [WIRE_CUSTOMER_UPDATE] = send_customer_update,
    [WIRE_CUSTOMER_DELETE] = send_customer_delete,
    [WIRE_PORTAL_CREATE] = send_portal,
    [WIRE_PRODUCT_LIST] = send_products,
    [WIRE_CART_CHECKOUT] = send_cart,
    [WIRE_DASHBOARD_GET] = send_dashboard,
    [WIRE_DASHBOARD_TOTALS] = send_totals,
    [WIRE_ASSET_UPLOAD] = send_asset,
};

static void make_client(wire_run *run)
{
    dreamapi_options *options = dreamapi_options_new();

    wire_must(options == NULL ? DREAMAPI_NOMEM : DREAMAPI_OK);
    wire_must(dreamapi_options_set_base_url(options, run->base_url));
    wire_must(dreamapi_options_set_secret_key(options, run->secret_key));
    wire_must(dreamapi_options_set_publishable_key(options, run->publishable_key));
    wire_must(dreamapi_options_set_max_retries(options, 0));
    wire_must(dreamapi_options_set_threads(options, 0));
    wire_must(dreamapi_test_transport_install(run->transport, options));
    wire_must(dreamapi_client_new(options, &run->client, &run->error));
    dreamapi_options_free(options);
}

dreamapi_status wire_send(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_status status;

    make_client(run);
    status = senders[run->kind->call](run, body, answer);
    dreamapi_client_free(run->client);
    return status;
}

/* That no accessor is left out is for reviewers to see. */
void wire_all_done(wire_report *report)
{
    (void)report;
}
