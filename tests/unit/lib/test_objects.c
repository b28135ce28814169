/* SPDX-License-Identifier: Apache-2.0 */
/* test_objects.c - every accessor on the answers the service gives, and answers
 * that break the contract. */
#include "fixture.h"

/* ---- good answers ---- */

static void test_objects__customer_created(void **state)
{
    static const char body[] =
        "{\"success\":true,\"message\":\"hello\",\"news\":{\"x\":[1]},\"customer\":{\"id\":\"user_9\","
        "\"email\":\"bob@example.test\",\"firstName\":\"Bob\",\"lastName\":\"Example\","
        "\"plan\":\"pro\",\"publishableKey\":\"pk_live_1\",\"createdAt\":1700000000123,"
        "\"later\":null}}";
    fixture *f = *state;
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_customer *customer = NULL;

    params.email = "bob@example.test";
    fixture_answer(f, NULL, 201, NULL, body);
    fixture_expect(f, dreamapi_customer_create(f->client, &params, NULL, &customer, &f->error), DREAMAPI_OK);
    assert_int_equal(f->error.http_status, 201);
    assert_string_equal(dreamapi_customer_id(customer), "user_9");
    assert_string_equal(dreamapi_customer_email(customer), "bob@example.test");
    assert_string_equal(dreamapi_customer_first_name(customer), "Bob");
    assert_string_equal(dreamapi_customer_last_name(customer), "Example");
    assert_string_equal(dreamapi_customer_plan(customer), "pro");
    assert_string_equal(dreamapi_customer_publishable_key(customer), "pk_live_1");
    assert_int_equal(dreamapi_customer_created_at(customer), INT64_C(1700000000123));
    assert_string_equal(dreamapi_customer_message(customer), "hello");
    assert_int_equal(dreamapi_customer_success(customer), 1);
    assert_string_equal(dreamapi_customer_json(customer), body);
    dreamapi_customer_free(customer);
}

static void test_objects__customer_without_names_and_deleted(void **state)
{
    fixture *f = *state;
    dreamapi_customer *customer = NULL;

    fixture_answer(f, NULL, 200, NULL,
                   "{\"customer\":{\"id\":\"u\",\"email\":\"a@b\",\"firstName\":null,\"lastName\":null}}");
    fixture_expect(f, dreamapi_customer_get(f->client, "u", NULL, &customer, &f->error), DREAMAPI_OK);
    assert_null(dreamapi_customer_first_name(customer));
    assert_null(dreamapi_customer_last_name(customer));
    assert_null(dreamapi_customer_plan(customer));
    assert_int_equal(dreamapi_customer_created_at(customer), 0);
    assert_int_equal(dreamapi_customer_success(customer), 1);
    dreamapi_customer_free(customer);

    fixture_answer(f, NULL, 200, NULL,
                   "{\"success\":true,\"message\":\"Customer deleted successfully\","
                   "\"deleted\":{\"id\":\"u\",\"email\":\"a@b\"}}");
    fixture_expect(f, dreamapi_customer_delete(f->client, "u", NULL, &customer, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_customer_id(customer), "u");
    assert_string_equal(dreamapi_customer_message(customer), "Customer deleted successfully");
    dreamapi_customer_free(customer);
}

static void test_objects__usage_got(void **state)
{
    fixture *f = *state;
    dreamapi_usage *usage = NULL;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_answer(f, NULL, 200, NULL, USAGE);
    fixture_expect(f, dreamapi_usage_get(f->client, "user_1", NULL, &usage, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_usage_user_id(usage), "user_1");
    assert_string_equal(dreamapi_usage_plan(usage), "free");
    assert_int_equal(dreamapi_usage_usage_count(usage), 2);
    assert_int_equal(dreamapi_usage_count(usage), 2);
    assert_int_equal(dreamapi_usage_limit(usage), 5);
    assert_int_equal(dreamapi_usage_remaining(usage), 3);
    assert_string_equal(dreamapi_usage_period_start(usage), "2026-11-23");
    assert_string_equal(dreamapi_usage_period_end(usage), "2026-12-22");
    assert_null(dreamapi_usage_message(usage));
    assert_int_equal(dreamapi_usage_success(usage), 1);
    assert_string_equal(dreamapi_usage_json(usage), USAGE);
    dreamapi_usage_free(usage);
}

static const struct {
    const char *body;
    int64_t count;
    int64_t limit;
    int64_t remaining;
} usages[] = {
    { "{\"plan\":\"e\",\"usageCount\":1000001,\"limit\":\"unlimited\",\"remaining\":\"unlimited\"}", 1000001,
      DREAMAPI_UNLIMITED, DREAMAPI_UNLIMITED },
    { "{\"plan\":\"e\",\"usageCount\":1,\"limit\":null,\"remaining\":null}", 1, DREAMAPI_UNLIMITED,
      DREAMAPI_UNLIMITED },
    { "{\"plan\":\"e\",\"usageCount\":9,\"limit\":5,\"remaining\":-4}", 9, 5, 0 },
    { "{\"plan\":\"e\",\"usageCount\":0,\"limit\":0,\"remaining\":0}", 0, 0, 0 },
    { "{\"plan\":\"e\",\"usageCount\":2,\"limit\":5}", 2, 5, 3 },
    { "{\"plan\":\"e\",\"usageCount\":9,\"limit\":5}", 9, 5, 0 },
    { "{\"plan\":\"e\",\"usageCount\":2.0,\"limit\":5e0}", 2, 5, 3 },
    { "{\"usage\":{\"plan\":\"e\",\"count\":51,\"limit\":\"unlimited\"}}", 51, DREAMAPI_UNLIMITED, DREAMAPI_UNLIMITED },
    { "{\"usage\":{\"plan\":\"e\",\"count\":4,\"limit\":5,\"remaining\":0}}", 4, 5, 0 },
};

static void test_objects__usage_numbers(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ALL_EXTENSIONS);
    for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
        dreamapi_usage *usage = NULL;
        fixture_answer(f, NULL, 200, NULL, usages[i].body);
        fixture_expect(f, dreamapi_usage_get(f->client, "user_1", NULL, &usage, &f->error), DREAMAPI_OK);
        assert_int_equal(dreamapi_usage_count(usage), usages[i].count);
        assert_int_equal(dreamapi_usage_limit(usage), usages[i].limit);
        assert_int_equal(dreamapi_usage_remaining(usage), usages[i].remaining);
        dreamapi_usage_free(usage);
    }
}

static void test_objects__usage_tracked(void **state)
{
    fixture *f = *state;
    dreamapi_usage *usage = NULL;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_answer(f, NULL, 200, NULL, TRACKED);
    fixture_expect(f, dreamapi_usage_track(f->client, "user_1", NULL, NULL, &usage, &f->error), DREAMAPI_OK);
    assert_null(dreamapi_usage_user_id(usage));
    assert_string_equal(dreamapi_usage_plan(usage), "free");
    assert_int_equal(dreamapi_usage_count(usage), 1);
    assert_int_equal(dreamapi_usage_remaining(usage), 4);
    assert_string_equal(dreamapi_usage_message(usage), "m");
    assert_int_equal(dreamapi_usage_success(usage), 1);
    assert_null(dreamapi_usage_period_start(usage));
    dreamapi_usage_free(usage);
}

static void test_objects__tiers(void **state)
{
    static const char body[] =
        "{\"tiers\":[{\"id\":\"pro\",\"name\":\"Pro Plan\",\"displayName\":\"Pro\",\"price\":2900,\"limit\":100,"
        "\"features\":[\"100 calls\",\"Email\"],\"description\":\"For teams\",\"billingMode\":\"subscription\","
        "\"imageUrl\":\"https://i\",\"inventory\":4,\"soldOut\":true,\"popular\":true,\"stripePriceId\":\"price_1\","
        "\"priceId\":\"price_2\",\"productId\":\"prod_1\",\"trialDays\":14},"
        "{\"id\":\"e\",\"name\":\"E\",\"displayName\":\"E\",\"price\":0,\"limit\":\"unlimited\",\"features\":[],"
        "\"description\":\"\",\"imageUrl\":null,\"inventory\":null,\"soldOut\":false,\"popular\":false,"
        "\"stripePriceId\":null,\"priceId\":null,\"productId\":null,\"trialDays\":null}]}";
    fixture *f = *state;
    dreamapi_tiers *tiers = NULL;
    const dreamapi_tier *tier;

    fixture_answer(f, NULL, 200, NULL, body);
    fixture_expect(f, dreamapi_tier_list(f->client, NULL, &tiers, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_tiers_count(tiers), 2);
    assert_string_equal(dreamapi_tiers_json(tiers), body);
    tier = dreamapi_tiers_at(tiers, 0);
    assert_string_equal(dreamapi_tier_id(tier), "pro");
    assert_string_equal(dreamapi_tier_name(tier), "Pro Plan");
    assert_string_equal(dreamapi_tier_display_name(tier), "Pro");
    assert_int_equal(dreamapi_tier_price(tier), 2900);
    assert_int_equal(dreamapi_tier_limit(tier), 100);
    assert_int_equal(dreamapi_tier_feature_count(tier), 2);
    assert_string_equal(dreamapi_tier_feature(tier, 1), "Email");
    assert_null(dreamapi_tier_feature(tier, 2));
    assert_null(dreamapi_tier_feature(tier, (size_t)-1));
    assert_string_equal(dreamapi_tier_description(tier), "For teams");
    assert_string_equal(dreamapi_tier_billing_mode(tier), "subscription");
    assert_string_equal(dreamapi_tier_image_url(tier), "https://i");
    assert_int_equal(dreamapi_tier_inventory(tier), 4);
    assert_int_equal(dreamapi_tier_sold_out(tier), 1);
    assert_int_equal(dreamapi_tier_popular(tier), 1);
    assert_string_equal(dreamapi_tier_stripe_price_id(tier), "price_1");
    assert_string_equal(dreamapi_tier_price_id(tier), "price_2");
    assert_string_equal(dreamapi_tier_product_id(tier), "prod_1");
    assert_int_equal(dreamapi_tier_trial_days(tier), 14);
    tier = dreamapi_tiers_at(tiers, 1);
    assert_int_equal(dreamapi_tier_limit(tier), DREAMAPI_UNLIMITED);
    assert_int_equal(dreamapi_tier_inventory(tier), DREAMAPI_UNLIMITED);
    assert_int_equal(dreamapi_tier_trial_days(tier), -1);
    assert_int_equal(dreamapi_tier_feature_count(tier), 0);
    assert_null(dreamapi_tier_billing_mode(tier));
    assert_null(dreamapi_tier_price_id(tier));
    assert_null(dreamapi_tiers_at(tiers, 2));
    dreamapi_tiers_free(tiers);

    fixture_answer(f, NULL, 200, NULL, "{\"tiers\":[]}");
    fixture_expect(f, dreamapi_tier_list(f->client, NULL, &tiers, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_tiers_count(tiers), 0);
    assert_null(dreamapi_tiers_at(tiers, 0));
    dreamapi_tiers_free(tiers);
}

static void test_objects__checkout_and_health(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_checkout *checkout = NULL;
    dreamapi_health *health = NULL;

    options.user_token = "a.b.c";
    fixture_answer(f, "/health", 200, NULL, "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"later\"]}");
    fixture_expect(f, dreamapi_health_get(f->client, NULL, &health, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_health_status(health), "ok");
    assert_int_equal(dreamapi_health_extension_count(health), 2);
    assert_string_equal(dreamapi_health_extension(health, 1), "later");
    assert_null(dreamapi_health_extension(health, 2));
    assert_int_equal(dreamapi_health_has_extension(health, "idempotency"), 1);
    assert_int_equal(dreamapi_health_has_extension(health, "idem"), 0);
    assert_int_equal(dreamapi_health_has_extension(health, NULL), 0);
    assert_non_null(dreamapi_health_json(health));
    dreamapi_health_free(health);

    fixture_answer(f, NULL, 200, NULL, "{\"url\":\"https://pay.example.test/1\"}");
    fixture_expect(f, dreamapi_checkout_create(f->client, NULL, &options, &checkout, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_checkout_url(checkout), "https://pay.example.test/1");
    assert_string_equal(dreamapi_checkout_json(checkout), "{\"url\":\"https://pay.example.test/1\"}");
    dreamapi_checkout_free(checkout);
}

/* Each noun's typed result, through a started call. */
static void test_objects__each_noun_is_taken_out_of_a_started_call(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_call *call = NULL;
    dreamapi_usage *usage = NULL;
    dreamapi_tiers *tiers = NULL;
    dreamapi_health *health = NULL;
    dreamapi_checkout *checkout = NULL;
    dreamapi_customer *customer = NULL;

    options.user_token = "a.b.c";
    fixture_answer(f, "/api/usage", 200, NULL, USAGE);
    assert_int_equal(dreamapi_usage_get_start(f->client, NULL, &options, &call, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_usage_result(call, &usage, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_usage_free(usage);

    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    assert_int_equal(dreamapi_usage_track_start(f->client, NULL, NULL, &options, &call, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_usage_result(call, &usage, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_usage_free(usage);

    fixture_answer(f, "/api/tiers", 200, NULL, "{\"tiers\":[]}");
    assert_int_equal(dreamapi_tier_list_start(f->client, NULL, &call, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_tiers_result(call, &tiers, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_tiers_free(tiers);

    assert_int_equal(dreamapi_health_get_start(f->client, NULL, &call, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_health_result(call, &health, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_health_free(health);

    fixture_answer(f, "/api/create-checkout", 200, NULL, "{\"url\":\"u\"}");
    assert_int_equal(dreamapi_checkout_create_start(f->client, NULL, &options, &call, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_checkout_result(call, &checkout, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_checkout_free(checkout);

    fixture_answer(f, "user_1", 200, NULL, CUSTOMER);
    assert_int_equal(dreamapi_customer_delete_start(f->client, "user_1", NULL, &call, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_customer_result(call, &customer, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_customer_free(customer);

    fixture_answer(f, "user_1", 200, NULL, CUSTOMER);
    assert_int_equal(dreamapi_customer_update_start(f->client, "user_1", NULL, NULL, &call, &f->error), DREAMAPI_OK);
    dreamapi_call_free(call);
}

/* ---- answers that break the contract ---- */

static dreamapi_status call_customer(fixture *f)
{
    return dreamapi_customer_get(f->client, "u", NULL, NULL, &f->error);
}

static dreamapi_status call_usage(fixture *f)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    options.user_token = "a.b.c";
    return dreamapi_usage_get(f->client, NULL, &options, NULL, &f->error);
}

static dreamapi_status call_track(fixture *f)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    options.user_token = "a.b.c";
    return dreamapi_usage_track(f->client, NULL, NULL, &options, NULL, &f->error);
}

static dreamapi_status call_tiers(fixture *f)
{
    return dreamapi_tier_list(f->client, NULL, NULL, &f->error);
}

static dreamapi_status call_checkout(fixture *f)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    options.user_token = "a.b.c";
    return dreamapi_checkout_create(f->client, NULL, &options, NULL, &f->error);
}

static dreamapi_status call_health(fixture *f)
{
    return dreamapi_health_get(f->client, NULL, NULL, &f->error);
}

#define TIER(fields) "{\"tiers\":[{" fields "}]}"

static const struct {
    dreamapi_status (*call)(fixture *f);
    const char *path;
    const char *body;
} broken[] = {
    { call_customer, NULL, "" },
    { call_customer, NULL, "null" },
    { call_customer, NULL, "[]" },
    { call_customer, NULL, "\"customer\"" },
    { call_customer, NULL, "{\"customer\":{\"id\":\"u\"}} trailing" },
    { call_customer, NULL, "{\"customer\":{\"id\":\"u\"}" },
    { call_customer, NULL, "{}" },
    { call_customer, NULL, "{\"customer\":null}" },
    { call_customer, NULL, "{\"customer\":[]}" },
    { call_customer, NULL, "{\"customer\":{}}" },
    { call_customer, NULL, "{\"customer\":{\"id\":null}}" },
    { call_customer, NULL, "{\"customer\":{\"id\":5}}" },
    { call_customer, NULL, "{\"customer\":{\"id\":\"u\",\"email\":5}}" },
    { call_customer, NULL, "{\"customer\":{\"id\":\"u\",\"createdAt\":\"today\"}}" },
    { call_customer, NULL, "{\"customer\":{\"id\":\"u\",\"createdAt\":1.5}}" },
    { call_customer, NULL, "{\"customer\":{\"id\":\"u\",\"createdAt\":1e300}}" },
    { call_customer, NULL, "{\"success\":\"yes\",\"customer\":{\"id\":\"u\"}}" },
    { call_customer, NULL, "{\"customer\":{\"id\":\"u\",\"id\":\"v\"}}" },
    { call_usage, NULL, "{\"usageCount\":1,\"limit\":5}" },
    { call_usage, NULL, "{\"plan\":\"e\",\"limit\":5}" },
    { call_usage, NULL, "{\"plan\":\"e\",\"usageCount\":1}" },
    { call_usage, NULL, "{\"plan\":\"e\",\"usageCount\":-1,\"limit\":5}" },
    { call_usage, NULL, "{\"plan\":\"e\",\"usageCount\":\"1\",\"limit\":5}" },
    { call_usage, NULL, "{\"plan\":\"e\",\"usageCount\":1,\"limit\":-5}" },
    { call_usage, NULL, "{\"plan\":\"e\",\"usageCount\":1,\"limit\":\"many\"}" },
    { call_usage, NULL, "{\"plan\":\"e\",\"usageCount\":1,\"limit\":5,\"remaining\":\"some\"}" },
    { call_usage, NULL, "{\"plan\":\"e\",\"usageCount\":1e99,\"limit\":5}" },
    { call_usage, NULL, "{\"plan\":\"e\",\"usageCount\":1,\"limit\":true}" },
    { call_track, "/api/data", "{\"success\":true}" },
    { call_track, "/api/data", "{\"usage\":{\"count\":1,\"limit\":5}}" },
    { call_track, "/api/data", "{\"usage\":{\"plan\":\"e\",\"limit\":5}}" },
    { call_track, "/api/data", "{\"usage\":{\"plan\":\"e\",\"count\":1,\"limit\":5},\"data\":{\"message\":1}}" },
    { call_tiers, NULL, "{}" },
    { call_tiers, NULL, "{\"tiers\":{}}" },
    { call_tiers, NULL, "{\"tiers\":[1]}" },
    { call_tiers, NULL, TIER("\"price\":1,\"limit\":1") },
    { call_tiers, NULL, TIER("\"id\":\"a\",\"limit\":1") },
    { call_tiers, NULL, TIER("\"id\":\"a\",\"price\":1") },
    { call_tiers, NULL, TIER("\"id\":\"a\",\"price\":1.5,\"limit\":1") },
    { call_tiers, NULL, TIER("\"id\":\"a\",\"price\":1,\"limit\":1,\"features\":\"x\"") },
    { call_tiers, NULL, TIER("\"id\":\"a\",\"price\":1,\"limit\":1,\"features\":[1]") },
    { call_tiers, NULL, TIER("\"id\":\"a\",\"price\":1,\"limit\":1,\"soldOut\":1") },
    { call_tiers, NULL, TIER("\"id\":\"a\",\"price\":1,\"limit\":1,\"trialDays\":\"x\"") },
    { call_tiers, NULL, TIER("\"id\":\"a\",\"price\":1,\"limit\":1,\"inventory\":-1") },
    { call_checkout, "/api/create-checkout", "{}" },
    { call_checkout, "/api/create-checkout", "{\"url\":null}" },
    { call_checkout, "/api/create-checkout", "{\"url\":[\"x\"]}" },
    { call_health, "/health", "{}" },
    { call_health, "/health", "{\"status\":true}" },
    { call_health, "/health", "{\"status\":\"ok\",\"extensions\":{}}" },
    { call_health, "/health", "<html></html>" },
};

static void test_objects__an_answer_that_breaks_the_contract_is_a_protocol_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        void *inner;
        fixture *f;
        dreamapi_status status;
        size_t count;

        fixture_set_up_client(&inner);
        f = inner;
        fixture_answer(f, broken[i].path, 200, NULL, broken[i].body);
        status = broken[i].call(f);
        count = dreamapi_test_transport_request_count(f->transport);
        if (status != DREAMAPI_PROTOCOL || count > 2 || f->error.http_status != 200 || f->error.retriable != 0)
            fail_msg("row %zu, %s: %s", i, broken[i].body, dreamapi_status_name(status));
        fixture_tear_down(&inner);
    }
}

static void test_objects__deep_nesting_is_refused_without_a_crash(void **state)
{
    fixture *f = *state;
    static char body[100001];

    memset(body, '[', sizeof(body) - 1);
    fixture_answer(f, NULL, 200, NULL, body);
    fixture_expect(f, call_customer(f), DREAMAPI_PROTOCOL);
    fixture_answer(f, NULL, 400, NULL, body);
    fixture_expect(f, call_customer(f), DREAMAPI_INVALID);
}

static void test_objects__accessors_take_null(void **state)
{
    (void)state;
    assert_null(dreamapi_customer_id(NULL));
    assert_null(dreamapi_customer_email(NULL));
    assert_null(dreamapi_customer_first_name(NULL));
    assert_null(dreamapi_customer_last_name(NULL));
    assert_null(dreamapi_customer_plan(NULL));
    assert_null(dreamapi_customer_publishable_key(NULL));
    assert_int_equal(dreamapi_customer_created_at(NULL), 0);
    assert_null(dreamapi_customer_message(NULL));
    assert_int_equal(dreamapi_customer_success(NULL), 0);
    assert_null(dreamapi_customer_json(NULL));
    dreamapi_customer_free(NULL);
    assert_null(dreamapi_usage_user_id(NULL));
    assert_null(dreamapi_usage_plan(NULL));
    assert_int_equal(dreamapi_usage_count(NULL) + dreamapi_usage_usage_count(NULL), 0);
    assert_int_equal(dreamapi_usage_limit(NULL) + dreamapi_usage_remaining(NULL), 0);
    assert_null(dreamapi_usage_period_start(NULL));
    assert_null(dreamapi_usage_period_end(NULL));
    assert_null(dreamapi_usage_message(NULL));
    assert_int_equal(dreamapi_usage_success(NULL), 0);
    assert_null(dreamapi_usage_json(NULL));
    dreamapi_usage_free(NULL);
    assert_int_equal(dreamapi_tiers_count(NULL), 0);
    assert_null(dreamapi_tiers_at(NULL, 0));
    assert_null(dreamapi_tiers_json(NULL));
    dreamapi_tiers_free(NULL);
    assert_null(dreamapi_tier_id(NULL));
    assert_null(dreamapi_tier_name(NULL));
    assert_null(dreamapi_tier_display_name(NULL));
    assert_int_equal(dreamapi_tier_price(NULL) + dreamapi_tier_limit(NULL) + dreamapi_tier_inventory(NULL), 0);
    assert_int_equal(dreamapi_tier_feature_count(NULL), 0);
    assert_null(dreamapi_tier_feature(NULL, 0));
    assert_null(dreamapi_tier_description(NULL));
    assert_null(dreamapi_tier_billing_mode(NULL));
    assert_null(dreamapi_tier_image_url(NULL));
    assert_int_equal(dreamapi_tier_sold_out(NULL) + dreamapi_tier_popular(NULL), 0);
    assert_null(dreamapi_tier_stripe_price_id(NULL));
    assert_null(dreamapi_tier_price_id(NULL));
    assert_null(dreamapi_tier_product_id(NULL));
    assert_int_equal(dreamapi_tier_trial_days(NULL), -1);
    assert_null(dreamapi_checkout_url(NULL));
    assert_null(dreamapi_checkout_json(NULL));
    dreamapi_checkout_free(NULL);
    assert_null(dreamapi_health_status(NULL));
    assert_int_equal(dreamapi_health_extension_count(NULL), 0);
    assert_null(dreamapi_health_extension(NULL, 0));
    assert_int_equal(dreamapi_health_has_extension(NULL, "x"), 0);
    assert_null(dreamapi_health_json(NULL));
    dreamapi_health_free(NULL);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_client, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_objects__customer_created),
        WITH(test_objects__customer_without_names_and_deleted),
        WITH(test_objects__usage_got),
        WITH(test_objects__usage_numbers),
        WITH(test_objects__usage_tracked),
        WITH(test_objects__tiers),
        WITH(test_objects__checkout_and_health),
        WITH(test_objects__each_noun_is_taken_out_of_a_started_call),
        cmocka_unit_test(test_objects__an_answer_that_breaks_the_contract_is_a_protocol_error),
        WITH(test_objects__deep_nesting_is_refused_without_a_crash),
        cmocka_unit_test(test_objects__accessors_take_null),
    };
    return cmocka_run_group_tests_name("objects", tests, NULL, NULL);
}
