/* SPDX-License-Identifier: Apache-2.0 */
/* test_dashboard.c - what a developer sees of a project, and of all live ones together. */
#include "fixture.h"

#define METRICS                                                                                                        \
    "\"metrics\":{\"activeSubs\":2,\"cancelingSubs\":1,\"mrr\":12800,\"usageThisPeriod\":52,\"storeSalesCount\":3,"    \
    "\"storeTotalRevenue\":5000,\"lowStockProducts\":4,\"totalInventory\":14}"
#define KEYS                                                                                                           \
    "\"keys\":{\"publishableKey\":\"pk_1\",\"secretKeyMasked\":\"****\",\"platformId\":\"plt_1\",\"apiKeys\":[],"      \
    "\"stripeAccountId\":null}"
#define WEBHOOK "\"webhook\":{\"lastEventAt\":null,\"recent\":[]}"
#define FILTERS "\"filters\":{\"platformId\":\"plt_2\",\"publishableKey\":\"pk_2\",\"mode\":\"live\"}"
#define EMPTY "{" METRICS ",\"customers\":[],\"tiers\":[]," KEYS "," WEBHOOK "," FILTERS "}"
#define TOTALS                                                                                                         \
    "{\"totals\":{\"mrr\":12800,\"activeSubs\":2,\"cancelingSubs\":1,\"totalProducts\":10,\"liveProjects\":4},"        \
    "\"platformId\":\"plt_1\"}"

static dreamapi_dashboard *get(fixture *f, const char *body)
{
    dreamapi_dashboard *dashboard = NULL;

    fixture_answer(f, "/api/dashboard", 200, NULL, body);
    fixture_expect(f, dreamapi_dashboard_get(f->client, NULL, &dashboard, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_dashboard_json(dashboard), body);
    return dashboard;
}

static void test_dashboard__figures_of_an_empty_project(void **state)
{
    dreamapi_dashboard *dashboard = get(*state, EMPTY);

    assert_int_equal(dreamapi_dashboard_active_subs(dashboard), 2);
    assert_int_equal(dreamapi_dashboard_canceling_subs(dashboard), 1);
    assert_int_equal(dreamapi_dashboard_mrr(dashboard), 12800);
    assert_int_equal(dreamapi_dashboard_usage_this_period(dashboard), 52);
    assert_int_equal(dreamapi_dashboard_store_sales_count(dashboard), 3);
    assert_int_equal(dreamapi_dashboard_store_total_revenue(dashboard), 5000);
    assert_int_equal(dreamapi_dashboard_low_stock_products(dashboard), 4);
    assert_int_equal(dreamapi_dashboard_total_inventory(dashboard), 14);
    assert_string_equal(dreamapi_dashboard_publishable_key(dashboard), "pk_1");
    assert_string_equal(dreamapi_dashboard_secret_key_masked(dashboard), "****");
    assert_string_equal(dreamapi_dashboard_platform_id(dashboard), "plt_1");
    assert_null(dreamapi_dashboard_stripe_account_id(dashboard));
    assert_null(dreamapi_dashboard_last_event_at(dashboard));
    assert_string_equal(dreamapi_dashboard_filter_platform_id(dashboard), "plt_2");
    assert_string_equal(dreamapi_dashboard_filter_publishable_key(dashboard), "pk_2");
    assert_string_equal(dreamapi_dashboard_filter_mode(dashboard), "live");
    assert_int_equal(dreamapi_dashboard_customer_count(dashboard), 0);
    assert_null(dreamapi_dashboard_customer_at(dashboard, 0));
    assert_null(dreamapi_dashboard_tier_at(dashboard, 0));
    assert_null(dreamapi_dashboard_api_key_at(dashboard, 0));
    assert_null(dreamapi_dashboard_event_at(dashboard, 0));
    assert_int_equal(dreamapi_dashboard_has_more_customers(dashboard), 0);
    dreamapi_dashboard_free(dashboard);
    dashboard = get(*state, "{\"hasMoreCustomers\":true," METRICS ",\"customers\":[],\"tiers\":[]," KEYS "," WEBHOOK
                            "," FILTERS "}");
    assert_int_equal(dreamapi_dashboard_has_more_customers(dashboard), 1);
    dreamapi_dashboard_free(dashboard);
}

static void test_dashboard__customers(void **state)
{
    static const char body[] =
        "{" METRICS
        ",\"customers\":[{\"userId\":\"user_1\",\"email\":\"a@example.test\",\"plan\":\"pro\",\"status\":\"active\","
        "\"usageCount\":42,\"limit\":\"unlimited\",\"periodStart\":\"2026-11-23\",\"periodEnd\":\"2026-12-22\","
        "\"currentPeriodEnd\":\"t1\",\"canceledAt\":\"t2\",\"subscriptionId\":\"sub_1\",\"stripeCustomerId\":\"cus_1\","
        "\"priceId\":\"price_1\",\"productId\":\"prod_1\",\"amount\":2900,\"currency\":\"usd\",\"publishableKey\":\"pk_"
        "1\"},"
        "{\"userId\":\"user_2\",\"email\":null,\"plan\":\"free\",\"status\":\"none\",\"usageCount\":0,\"limit\":5,"
        "\"amount\":null,\"currency\":null}],\"tiers\":[]," KEYS "," WEBHOOK "," FILTERS "}";
    dreamapi_dashboard *dashboard = get(*state, body);
    const dreamapi_dashboard_customer *customer = dreamapi_dashboard_customer_at(dashboard, 0);

    assert_int_equal(dreamapi_dashboard_customer_count(dashboard), 2);
    assert_string_equal(dreamapi_dashboard_customer_user_id(customer), "user_1");
    assert_string_equal(dreamapi_dashboard_customer_email(customer), "a@example.test");
    assert_string_equal(dreamapi_dashboard_customer_plan(customer), "pro");
    assert_string_equal(dreamapi_dashboard_customer_status(customer), "active");
    assert_int_equal(dreamapi_dashboard_customer_usage_count(customer), 42);
    assert_int_equal(dreamapi_dashboard_customer_limit(customer), DREAMAPI_UNLIMITED);
    assert_string_equal(dreamapi_dashboard_customer_period_start(customer), "2026-11-23");
    assert_string_equal(dreamapi_dashboard_customer_period_end(customer), "2026-12-22");
    assert_string_equal(dreamapi_dashboard_customer_current_period_end(customer), "t1");
    assert_string_equal(dreamapi_dashboard_customer_canceled_at(customer), "t2");
    assert_string_equal(dreamapi_dashboard_customer_subscription_id(customer), "sub_1");
    assert_string_equal(dreamapi_dashboard_customer_stripe_customer_id(customer), "cus_1");
    assert_string_equal(dreamapi_dashboard_customer_price_id(customer), "price_1");
    assert_string_equal(dreamapi_dashboard_customer_product_id(customer), "prod_1");
    assert_int_equal(dreamapi_dashboard_customer_amount(customer), 2900);
    assert_string_equal(dreamapi_dashboard_customer_currency(customer), "usd");
    assert_string_equal(dreamapi_dashboard_customer_publishable_key(customer), "pk_1");
    customer = dreamapi_dashboard_customer_at(dashboard, 1);
    assert_null(dreamapi_dashboard_customer_email(customer));
    assert_int_equal(dreamapi_dashboard_customer_limit(customer), 5);
    assert_int_equal(dreamapi_dashboard_customer_amount(customer), -1);
    assert_null(dreamapi_dashboard_customer_currency(customer));
    assert_null(dreamapi_dashboard_customer_at(dashboard, 2));
    dreamapi_dashboard_free(dashboard);
}

static void test_dashboard__tiers_keys_and_events(void **state)
{
    static const char body[] =
        "{" METRICS ",\"customers\":[],\"tiers\":[{\"name\":\"mug\",\"displayName\":\"Mug\",\"price\":1250,\"limit\":7,"
        "\"priceId\":\"price_1\",\"productId\":\"prod_1\",\"popular\":true,\"inventory\":0,\"soldOut\":true,"
        "\"publishableKey\":\"pk_1\",\"projectType\":\"store\"}],\"keys\":{\"apiKeys\":[{\"publishableKey\":\"pk_1\","
        "\"createdAt\":\"t1\",\"status\":\"revoked\",\"name\":\"Old\",\"projectType\":\"saas\",\"mode\":\"test\"}],"
        "\"stripeAccountId\":\"acct_1\"},\"webhook\":{\"lastEventAt\":\"t3\",\"recent\":[{\"type\":\"x.y\","
        "\"createdAt\":\"t3\","
        "\"payload\":{\"id\": \"evt_1\", \"n\": [1, null]}},{\"type\":\"z\",\"payload\":null}]}," FILTERS "}";
    dreamapi_dashboard *dashboard = get(*state, body);
    const dreamapi_dashboard_tier *tier = dreamapi_dashboard_tier_at(dashboard, 0);
    const dreamapi_dashboard_api_key *key = dreamapi_dashboard_api_key_at(dashboard, 0);
    const dreamapi_dashboard_event *event = dreamapi_dashboard_event_at(dashboard, 0);

    assert_int_equal(dreamapi_dashboard_tier_count(dashboard), 1);
    assert_string_equal(dreamapi_dashboard_tier_name(tier), "mug");
    assert_string_equal(dreamapi_dashboard_tier_display_name(tier), "Mug");
    assert_int_equal(dreamapi_dashboard_tier_price(tier), 1250);
    assert_int_equal(dreamapi_dashboard_tier_limit(tier), 7);
    assert_string_equal(dreamapi_dashboard_tier_price_id(tier), "price_1");
    assert_string_equal(dreamapi_dashboard_tier_product_id(tier), "prod_1");
    assert_int_equal(dreamapi_dashboard_tier_popular(tier), 1);
    assert_int_equal(dreamapi_dashboard_tier_inventory(tier), 0);
    assert_int_equal(dreamapi_dashboard_tier_sold_out(tier), 1);
    assert_string_equal(dreamapi_dashboard_tier_publishable_key(tier), "pk_1");
    assert_string_equal(dreamapi_dashboard_tier_project_type(tier), "store");
    assert_int_equal(dreamapi_dashboard_api_key_count(dashboard), 1);
    assert_string_equal(dreamapi_dashboard_api_key_publishable_key(key), "pk_1");
    assert_string_equal(dreamapi_dashboard_api_key_created_at(key), "t1");
    assert_string_equal(dreamapi_dashboard_api_key_status(key), "revoked");
    assert_string_equal(dreamapi_dashboard_api_key_name(key), "Old");
    assert_string_equal(dreamapi_dashboard_api_key_project_type(key), "saas");
    assert_string_equal(dreamapi_dashboard_api_key_mode(key), "test");
    assert_string_equal(dreamapi_dashboard_stripe_account_id(dashboard), "acct_1");
    assert_string_equal(dreamapi_dashboard_last_event_at(dashboard), "t3");
    assert_int_equal(dreamapi_dashboard_event_count(dashboard), 2);
    assert_string_equal(dreamapi_dashboard_event_type(event), "x.y");
    assert_string_equal(dreamapi_dashboard_event_created_at(event), "t3");
    assert_string_equal(dreamapi_dashboard_event_payload(event), "{\"id\":\"evt_1\",\"n\":[1,null]}");
    assert_null(dreamapi_dashboard_event_payload(dreamapi_dashboard_event_at(dashboard, 1)));
    dreamapi_dashboard_free(dashboard);
}

static void test_dashboard__totals(void **state)
{
    fixture *f = *state;
    dreamapi_totals *totals = NULL;

    fixture_answer(f, "/api/dashboard/totals", 200, NULL, TOTALS);
    fixture_expect(f, dreamapi_dashboard_totals(f->client, NULL, &totals, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_totals_mrr(totals), 12800);
    assert_int_equal(dreamapi_totals_active_subs(totals), 2);
    assert_int_equal(dreamapi_totals_canceling_subs(totals), 1);
    assert_int_equal(dreamapi_totals_total_products(totals), 10);
    assert_int_equal(dreamapi_totals_live_projects(totals), 4);
    assert_string_equal(dreamapi_totals_platform_id(totals), "plt_1");
    assert_string_equal(dreamapi_totals_json(totals), TOTALS);
    assert_null(dreamapi_totals_mode(totals));
    assert_int_equal(dreamapi_totals_projects(totals), -1);
    dreamapi_totals_free(totals);

    fixture_answer(f, "/api/dashboard/totals", 200, NULL,
                   "{\"totals\":{\"mrr\":0,\"activeSubs\":0,\"cancelingSubs\":0,\"totalProducts\":0,\"liveProjects\":0,"
                   "\"projects\":3},\"mode\":\"test\"}");
    fixture_expect(f, dreamapi_dashboard_totals(f->client, NULL, &totals, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_totals_mode(totals), "test");
    assert_int_equal(dreamapi_totals_projects(totals), 3);
    assert_null(dreamapi_totals_platform_id(totals));
    dreamapi_totals_free(totals);
}

static void test_dashboard__both_are_taken_out_of_a_started_call(void **state)
{
    fixture *f = *state;
    dreamapi_call *call = NULL;
    dreamapi_dashboard *dashboard = NULL;
    dreamapi_totals *totals = NULL;

    fixture_answer(f, "/api/dashboard", 200, NULL, EMPTY);
    assert_int_equal(dreamapi_dashboard_get_start(f->client, NULL, &call, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_totals_result(call, &totals, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_dashboard_result(call, &dashboard, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_dashboard_free(dashboard);

    fixture_answer(f, "/api/dashboard/totals", 200, NULL, TOTALS);
    assert_int_equal(dreamapi_dashboard_totals_start(f->client, NULL, &call, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_totals_result(call, &totals, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_totals_free(totals);
}

static dreamapi_status call_dashboard(fixture *f)
{
    return dreamapi_dashboard_get(f->client, NULL, NULL, &f->error);
}

static dreamapi_status call_totals(fixture *f)
{
    return dreamapi_dashboard_totals(f->client, NULL, NULL, &f->error);
}

#define WITH_LISTS(customers, tiers)                                                                                   \
    "{" METRICS ",\"customers\":" customers ",\"tiers\":" tiers "," KEYS "," WEBHOOK "," FILTERS "}"
#define WITH_PARTS(keys, webhook) "{" METRICS ",\"customers\":[],\"tiers\":[]," keys "," webhook "," FILTERS "}"

static const char *const broken[] = {
    "{}",
    "{\"customers\":[],\"tiers\":[]," KEYS "," WEBHOOK "," FILTERS "}",
    "{\"metrics\":[],\"customers\":[],\"tiers\":[]," KEYS "," WEBHOOK "," FILTERS "}",
    "{\"metrics\":{\"mrr\":1.5},\"customers\":[],\"tiers\":[]," KEYS "," WEBHOOK "," FILTERS "}",
    "{" METRICS ",\"customers\":[],\"tiers\":[]," KEYS "," WEBHOOK "}",
    WITH_LISTS("{}", "[]"),
    WITH_LISTS("[]", "null"),
    WITH_LISTS("[1]", "[]"),
    WITH_LISTS("[{\"limit\":1}]", "[]"),
    WITH_LISTS("[{\"userId\":\"u\",\"limit\":-1}]", "[]"),
    WITH_LISTS("[{\"userId\":\"u\",\"limit\":1,\"amount\":\"x\"}]", "[]"),
    WITH_LISTS("[]", "[{\"price\":1,\"limit\":1}]"),
    WITH_LISTS("[]", "[{\"name\":\"a\",\"limit\":1}]"),
    WITH_PARTS("\"keys\":{}", WEBHOOK),
    WITH_PARTS("\"keys\":{\"apiKeys\":[{}]}", WEBHOOK),
    WITH_PARTS(KEYS, "\"webhook\":null"),
    WITH_PARTS(KEYS, "\"webhook\":{\"recent\":{}}"),
    WITH_PARTS(KEYS, "\"webhook\":{\"recent\":[{\"payload\":{}}]}"),
    WITH_PARTS(KEYS, "\"webhook\":{\"lastEventAt\":5,\"recent\":[]}"),
};

static void test_dashboard__an_answer_that_breaks_the_contract_is_a_protocol_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        fixture_expect_protocol(call_dashboard, "/api/dashboard", broken[i]);
    fixture_expect_protocol(call_totals, "/api/dashboard/totals", "{}");
    fixture_expect_protocol(call_totals, "/api/dashboard/totals", "{\"totals\":{\"mrr\":1}}");
    fixture_expect_protocol(call_totals, "/api/dashboard/totals", "{\"totals\":[]}");
}

static void test_dashboard__accessors_take_null(void **state)
{
    (void)state;
    assert_int_equal(dreamapi_dashboard_active_subs(NULL), 0);
    assert_int_equal(dreamapi_dashboard_canceling_subs(NULL), 0);
    assert_int_equal(dreamapi_dashboard_mrr(NULL), 0);
    assert_int_equal(dreamapi_dashboard_usage_this_period(NULL), 0);
    assert_int_equal(dreamapi_dashboard_store_sales_count(NULL), 0);
    assert_int_equal(dreamapi_dashboard_store_total_revenue(NULL), 0);
    assert_int_equal(dreamapi_dashboard_low_stock_products(NULL), 0);
    assert_int_equal(dreamapi_dashboard_total_inventory(NULL), 0);
    assert_null(dreamapi_dashboard_publishable_key(NULL));
    assert_null(dreamapi_dashboard_secret_key_masked(NULL));
    assert_null(dreamapi_dashboard_platform_id(NULL));
    assert_null(dreamapi_dashboard_stripe_account_id(NULL));
    assert_null(dreamapi_dashboard_last_event_at(NULL));
    assert_null(dreamapi_dashboard_filter_platform_id(NULL));
    assert_null(dreamapi_dashboard_filter_publishable_key(NULL));
    assert_null(dreamapi_dashboard_filter_mode(NULL));
    assert_int_equal(dreamapi_dashboard_customer_count(NULL), 0);
    assert_null(dreamapi_dashboard_customer_at(NULL, 0));
    assert_null(dreamapi_dashboard_customer_user_id(NULL));
    assert_null(dreamapi_dashboard_customer_email(NULL));
    assert_null(dreamapi_dashboard_customer_plan(NULL));
    assert_null(dreamapi_dashboard_customer_status(NULL));
    assert_int_equal(dreamapi_dashboard_customer_usage_count(NULL), 0);
    assert_int_equal(dreamapi_dashboard_customer_limit(NULL), 0);
    assert_null(dreamapi_dashboard_customer_period_start(NULL));
    assert_null(dreamapi_dashboard_customer_period_end(NULL));
    assert_null(dreamapi_dashboard_customer_current_period_end(NULL));
    assert_null(dreamapi_dashboard_customer_canceled_at(NULL));
    assert_null(dreamapi_dashboard_customer_subscription_id(NULL));
    assert_null(dreamapi_dashboard_customer_stripe_customer_id(NULL));
    assert_null(dreamapi_dashboard_customer_price_id(NULL));
    assert_null(dreamapi_dashboard_customer_product_id(NULL));
    assert_int_equal(dreamapi_dashboard_customer_amount(NULL), -1);
    assert_null(dreamapi_dashboard_customer_currency(NULL));
    assert_null(dreamapi_dashboard_customer_publishable_key(NULL));
    assert_int_equal(dreamapi_dashboard_tier_count(NULL), 0);
    assert_null(dreamapi_dashboard_tier_at(NULL, 0));
    assert_null(dreamapi_dashboard_tier_name(NULL));
    assert_null(dreamapi_dashboard_tier_display_name(NULL));
    assert_int_equal(dreamapi_dashboard_tier_price(NULL), 0);
    assert_int_equal(dreamapi_dashboard_tier_limit(NULL), 0);
    assert_null(dreamapi_dashboard_tier_price_id(NULL));
    assert_null(dreamapi_dashboard_tier_product_id(NULL));
    assert_int_equal(dreamapi_dashboard_tier_popular(NULL), 0);
    assert_int_equal(dreamapi_dashboard_tier_inventory(NULL), 0);
    assert_int_equal(dreamapi_dashboard_tier_sold_out(NULL), 0);
    assert_null(dreamapi_dashboard_tier_publishable_key(NULL));
    assert_null(dreamapi_dashboard_tier_project_type(NULL));
    assert_int_equal(dreamapi_dashboard_api_key_count(NULL), 0);
    assert_null(dreamapi_dashboard_api_key_at(NULL, 0));
    assert_null(dreamapi_dashboard_api_key_publishable_key(NULL));
    assert_null(dreamapi_dashboard_api_key_created_at(NULL));
    assert_null(dreamapi_dashboard_api_key_status(NULL));
    assert_null(dreamapi_dashboard_api_key_name(NULL));
    assert_null(dreamapi_dashboard_api_key_project_type(NULL));
    assert_null(dreamapi_dashboard_api_key_mode(NULL));
    assert_int_equal(dreamapi_dashboard_event_count(NULL), 0);
    assert_null(dreamapi_dashboard_event_at(NULL, 0));
    assert_null(dreamapi_dashboard_event_type(NULL));
    assert_null(dreamapi_dashboard_event_created_at(NULL));
    assert_null(dreamapi_dashboard_event_payload(NULL));
    assert_null(dreamapi_dashboard_json(NULL));
    dreamapi_dashboard_free(NULL);
    assert_int_equal(dreamapi_totals_mrr(NULL), 0);
    assert_int_equal(dreamapi_totals_active_subs(NULL), 0);
    assert_int_equal(dreamapi_totals_canceling_subs(NULL), 0);
    assert_int_equal(dreamapi_totals_total_products(NULL), 0);
    assert_int_equal(dreamapi_totals_live_projects(NULL), 0);
    assert_int_equal(dreamapi_dashboard_has_more_customers(NULL), 0);
    assert_int_equal(dreamapi_totals_projects(NULL), -1);
    assert_null(dreamapi_totals_mode(NULL));
    assert_null(dreamapi_totals_platform_id(NULL));
    assert_null(dreamapi_totals_json(NULL));
    dreamapi_totals_free(NULL);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_client, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_dashboard__figures_of_an_empty_project),
        WITH(test_dashboard__customers),
        WITH(test_dashboard__tiers_keys_and_events),
        WITH(test_dashboard__totals),
        WITH(test_dashboard__both_are_taken_out_of_a_started_call),
        cmocka_unit_test(test_dashboard__an_answer_that_breaks_the_contract_is_a_protocol_error),
        cmocka_unit_test(test_dashboard__accessors_take_null),
    };
    return cmocka_run_group_tests_name("dashboard", tests, NULL, NULL);
}
