/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - see calls.h. The answers hold every field that an object reads. */
#include "calls.h"

#define CUSTOMER                                                                                                       \
    "{\"success\":true,\"customer\":{\"id\":\"user_1\",\"email\":\"a@example.test\",\"firstName\":\"A\",\"lastName\":" \
    "\"B\","                                                                                                           \
    "\"plan\":\"free\",\"createdAt\":1700000000000}}"
#define URL "{\"url\":\"https://pay.example.test/1\"}"

static dreamapi_status asset_upload(dreamapi_client *client, dreamapi_call **out_call)
{
    dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;

    params.filename = "a.png";
    params.content_type = "image/png";
    params.data = "x";
    params.size = 1;
    return dreamapi_asset_upload_start(client, &params, NULL, out_call, NULL);
}

static dreamapi_status cart_checkout(dreamapi_client *client, dreamapi_call **out_call)
{
    static const dreamapi_cart_item item = { "price_1", NULL, NULL, 1 };
    dreamapi_cart_params params = DREAMAPI_CART_PARAMS_INIT;

    params.items = &item;
    params.item_count = 1;
    params.email = "a@example.test";
    return dreamapi_cart_checkout_start(client, &params, NULL, out_call, NULL);
}

static dreamapi_status checkout_create(dreamapi_client *client, dreamapi_call **out_call)
{
    dreamapi_checkout_params params = DREAMAPI_CHECKOUT_PARAMS_INIT;

    params.user_id = "user_1";
    params.tier = "pro";
    return dreamapi_checkout_create_start(client, &params, NULL, out_call, NULL);
}

static dreamapi_status customer_create(dreamapi_client *client, dreamapi_call **out_call)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;

    params.email = "a@example.test";
    params.first_name = "A";
    params.password = "secret";
    return dreamapi_customer_create_start(client, &params, NULL, out_call, NULL);
}

static dreamapi_status customer_delete(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_customer_delete_start(client, "user_1", NULL, out_call, NULL);
}

static dreamapi_status customer_get(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_customer_get_start(client, "user_1", NULL, out_call, NULL);
}

static dreamapi_status customer_list(dreamapi_client *client, dreamapi_call **out_call)
{
    dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;

    params.email = "a@example.test";
    return dreamapi_customer_list_start(client, &params, NULL, out_call, NULL);
}

static dreamapi_status customer_update(dreamapi_client *client, dreamapi_call **out_call)
{
    dreamapi_customer_update_params params = DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT;

    params.plan = "pro";
    return dreamapi_customer_update_start(client, "user_1", &params, NULL, out_call, NULL);
}

static dreamapi_status dashboard_get(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_dashboard_get_start(client, NULL, out_call, NULL);
}

static dreamapi_status dashboard_totals(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_dashboard_totals_start(client, NULL, out_call, NULL);
}

static dreamapi_status health_get(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_health_get_start(client, NULL, out_call, NULL);
}

static dreamapi_status portal_create(dreamapi_client *client, dreamapi_call **out_call)
{
    dreamapi_portal_params params = DREAMAPI_PORTAL_PARAMS_INIT;

    params.user_id = "user_1";
    return dreamapi_portal_create_start(client, &params, NULL, out_call, NULL);
}

static dreamapi_status product_list(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_product_list_start(client, NULL, out_call, NULL);
}

static dreamapi_status tier_list(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_tier_list_start(client, NULL, out_call, NULL);
}

static dreamapi_status usage_batch(dreamapi_client *client, dreamapi_call **out_call)
{
    static const dreamapi_usage_event events[] = { { NULL, "u", NULL, 1, 0 }, { "e", "u", "m", 1, 1 } };

    return dreamapi_usage_batch_start(client, events, 2, NULL, out_call, NULL);
}

static dreamapi_status usage_get(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_usage_get_start(client, "user_1", NULL, out_call, NULL);
}

static dreamapi_status usage_history(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_usage_history_start(client, NULL, NULL, out_call, NULL);
}

static dreamapi_status usage_track(dreamapi_client *client, dreamapi_call **out_call)
{
    return dreamapi_usage_track_start(client, "user_1", NULL, NULL, out_call, NULL);
}

typed_call typed_calls[] = {
    { "asset_upload", asset_upload, "/api/assets",
      "{\"key\":\"k\",\"url\":\"https://assets.example.test/k\",\"success\":true}" },
    { "cart_checkout", cart_checkout, "/api/cart/checkout", URL },
    { "checkout_create", checkout_create, "/api/create-checkout", URL },
    { "customer_create", customer_create, "/api/customers", CUSTOMER },
    { "customer_delete", customer_delete, "/api/customers/user_1",
      "{\"success\":true,\"deleted\":{\"id\":\"user_1\"}}" },
    { "customer_get", customer_get, "/api/customers/user_1", CUSTOMER },
    { "customer_list", customer_list, "/api/customers",
      "{\"customers\":[{\"id\":\"u\",\"email\":\"a@example.test\",\"plan\":\"free\",\"createdAt\":1}],\"nextCursor\":"
      "\"c\"}" },
    { "customer_update", customer_update, "/api/customers/user_1", CUSTOMER },
    { "dashboard_get", dashboard_get, "/api/dashboard",
      "{\"metrics\":{\"activeSubs\":0,\"cancelingSubs\":0,\"mrr\":0,\"usageThisPeriod\":0,\"storeSalesCount\":0,"
      "\"storeTotalRevenue\":0,\"lowStockProducts\":0,\"totalInventory\":0},\"customers\":[{\"userId\":\"u\",\"limit\":"
      "1}],"
      "\"tiers\":[{\"name\":\"a\",\"price\":1,\"limit\":1}],\"keys\":{\"apiKeys\":[{\"publishableKey\":\"p\"}]},"
      "\"webhook\":{\"recent\":[{\"type\":\"t\",\"payload\":{\"a\":1}}]},\"filters\":{}}" },
    { "dashboard_totals", dashboard_totals, "/api/dashboard/totals",
      "{\"totals\":{\"mrr\":0,\"activeSubs\":0,\"cancelingSubs\":0,\"totalProducts\":0,\"liveProjects\":0}}" },
    { "health_get", health_get, "/health",
      "{\"status\":\"ok\",\"timestamp\":\"t\",\"version\":\"1\",\"extensions\":[\"idempotency\"]}" },
    { "portal_create", portal_create, "/api/customer-portal", URL },
    { "product_list", product_list, "/api/products",
      "{\"products\":[{\"id\":\"a\",\"name\":\"n\",\"price\":1,\"features\":[\"x\"],\"inventory\":1,\"soldOut\":false}]"
      "}" },
    { "tier_list", tier_list, "/api/tiers",
      "{\"tiers\":[{\"id\":\"a\",\"name\":\"n\",\"displayName\":\"N\",\"price\":1,\"limit\":1,\"features\":[\"x\"],"
      "\"description\":\"d\",\"billingMode\":\"subscription\",\"imageUrl\":\"u\",\"inventory\":1,\"soldOut\":false,"
      "\"popular\":true,\"stripePriceId\":\"p\",\"priceId\":\"p\",\"productId\":\"q\",\"trialDays\":3}]}" },
    { "usage_batch", usage_batch, "/api/usage/batch", "{\"results\":[{\"id\":\"e\",\"status\":\"applied\"}]}" },
    { "usage_get", usage_get, "/api/usage",
      "{\"userId\":\"user_1\",\"plan\":\"free\",\"usageCount\":2,\"limit\":5,\"remaining\":3,\"periodStart\":\"2026-11-"
      "23\","
      "\"periodEnd\":\"2026-12-22\"}" },
    { "usage_history", usage_history, "/api/usage/history",
      "{\"days\":[{\"date\":\"d\",\"units\":1}],\"events\":[{\"at\":\"t\",\"type\":\"x\"}]}" },
    { "usage_track", usage_track, "/api/data",
      "{\"success\":true,\"data\":{\"message\":\"m\"},\"usage\":{\"count\":1,\"limit\":5,\"plan\":\"free\"}}" },
};

const size_t typed_call_count = sizeof(typed_calls) / sizeof(typed_calls[0]);
