/* SPDX-License-Identifier: Apache-2.0 */
/* test_out_of_memory.c - refuses each allocation of our own in turn while a client
 * is made and used: every run must end with an orderly status, and leak nothing. */
#include <stdlib.h>

#include "../common/rsa_vectors.h"
#include "fixture.h"
#include "support/refusing.h"

static bool is_orderly(dreamapi_status status)
{
    /* While nothing is refused every call has to reach its end, or what follows it would not be tried. */
    if (!refusing_is_on())
        return status == DREAMAPI_OK;
    switch (status) {
    case DREAMAPI_OK:
    case DREAMAPI_NOMEM:
    /* The transport's own memory ran out, or a scripted answer was lost with it. */
    case DREAMAPI_UNAVAILABLE:
    case DREAMAPI_TOKEN_REQUIRED:
    case DREAMAPI_UNSUPPORTED:
    case DREAMAPI_OUTCOME_UNKNOWN:
        return true;
    default:
        return false;
    }
}

/* A key that there was no memory for is one that the set lacks. */
static bool is_orderly_for_token(dreamapi_status status)
{
    return is_orderly(status) || (refusing_is_on() && status == DREAMAPI_AUTH);
}

static dreamapi_client *make_client(dreamapi_options *options, dreamapi_test_transport *transport,
                                    dreamapi_test_clock *clock)
{
    dreamapi_client *client = NULL;

    if (options == NULL || transport == NULL || clock == NULL
        || dreamapi_options_set_base_url(options, "http://127.0.0.1:1") != DREAMAPI_OK
        || dreamapi_options_set_secret_key(options, "sk_live_1") != DREAMAPI_OK
        || dreamapi_options_set_user_agent_suffix(options, "x") != DREAMAPI_OK
        || dreamapi_options_set_ca_file(options, "/nowhere") != DREAMAPI_OK)
        return NULL;
    dreamapi_options_set_threads(options, 0);
    dreamapi_test_transport_install(transport, options);
    dreamapi_test_clock_install(clock, options);
    if (dreamapi_options_set_publishable_key(options, "pk_live_1") != DREAMAPI_OK
        || dreamapi_options_set_jwks_url(options, "http://127.0.0.1:1/jwks.json") != DREAMAPI_OK)
        return NULL;
    assert_true(is_orderly(dreamapi_client_new(options, &client, NULL)));
    return client;
}

static void use_sales(dreamapi_client *client, dreamapi_test_transport *transport)
{
    dreamapi_portal_params portal = DREAMAPI_PORTAL_PARAMS_INIT;
    dreamapi_cart_item item = { "price_1", NULL, NULL, 1 };
    dreamapi_cart_params cart = DREAMAPI_CART_PARAMS_INIT;
    dreamapi_asset_params file = DREAMAPI_ASSET_PARAMS_INIT;

    portal.user_id = "user_1";
    dreamapi_test_transport_add_simple(transport, "/api/customer-portal", 200, "{\"url\":\"u\"}");
    assert_true(is_orderly(dreamapi_portal_create(client, &portal, NULL, NULL, NULL)));
    dreamapi_test_transport_add_simple(transport, "/api/products", 200,
                                       "{\"products\":[{\"id\":\"a\",\"price\":1,\"features\":[\"x\"]}]}");
    assert_true(is_orderly(dreamapi_product_list(client, NULL, NULL, NULL)));
    cart.items = &item;
    cart.item_count = 1;
    dreamapi_test_transport_add_simple(transport, "/api/cart/checkout", 200, "{\"url\":\"u\"}");
    assert_true(is_orderly(dreamapi_cart_checkout(client, &cart, NULL, NULL, NULL)));
    file.filename = "a";
    file.data = "x";
    file.size = 1;
    dreamapi_test_transport_add_simple(transport, "/api/assets", 200, "{\"key\":\"k\",\"url\":\"u\"}");
    assert_true(is_orderly(dreamapi_asset_upload(client, &file, NULL, NULL, NULL)));
}

static void use_dashboard(dreamapi_client *client, dreamapi_test_transport *transport)
{
    dreamapi_test_transport_add_simple(
        transport, "/api/dashboard", 200,
        "{\"metrics\":{\"activeSubs\":0,\"cancelingSubs\":0,\"mrr\":0,\"usageThisPeriod\":0,\"storeSalesCount\":0,"
        "\"storeTotalRevenue\":0,\"lowStockProducts\":0,\"totalInventory\":0},\"customers\":[{\"userId\":\"u\","
        "\"limit\":1}],"
        "\"tiers\":[{\"name\":\"a\",\"price\":1,\"limit\":1}],\"keys\":{\"apiKeys\":[{\"publishableKey\":\"p\"}]},"
        "\"webhook\":{\"recent\":[{\"type\":\"t\",\"payload\":{\"a\":1}}]},\"filters\":{}}");
    assert_true(is_orderly(dreamapi_dashboard_get(client, NULL, NULL, NULL)));
    dreamapi_test_transport_add_simple(transport, "/api/dashboard/totals", 200,
                                       "{\"totals\":{\"mrr\":0,\"activeSubs\":0,\"cancelingSubs\":0,"
                                       "\"totalProducts\":0,\"liveProjects\":0}}");
    assert_true(is_orderly(dreamapi_dashboard_totals(client, NULL, NULL, NULL)));
}

static void use_lists(dreamapi_client *client, dreamapi_test_transport *transport)
{
    dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;
    dreamapi_customer_pages *pages = NULL;
    dreamapi_customers *page = NULL;

    params.email = "a";
    params.plan = "p";
    dreamapi_test_transport_add_simple(transport, "/api/customers", 200,
                                       "{\"customers\":[{\"id\":\"u\"}],\"nextCursor\":\"c\"}");
    dreamapi_test_transport_add_simple(transport, "/api/customers", 200, "{\"customers\":[]}");
    if (dreamapi_customer_pages_open(client, &params, NULL, &pages, NULL) != DREAMAPI_OK)
        return;
    do {
        dreamapi_customers_free(page);
        assert_true(is_orderly(dreamapi_customer_pages_next(pages, &page, NULL)));
    } while (page != NULL);
    dreamapi_customer_pages_close(pages);
}

static void use_batch(dreamapi_client *client, dreamapi_test_transport *transport)
{
    static const dreamapi_usage_event events[] = { { NULL, "u", NULL, 1, 0 }, { "e", "u", "m", 1, 1 } };

    dreamapi_test_transport_add_simple(transport, "/api/usage/batch", 200,
                                       "{\"results\":[{\"id\":\"e\",\"status\":\"applied\"}]}");
    assert_true(is_orderly(dreamapi_usage_batch(client, events, 2, NULL, NULL, NULL)));
    dreamapi_test_transport_add_simple(
        transport, "/api/usage/history", 200,
        "{\"days\":[{\"date\":\"d\",\"units\":1}],\"events\":[{\"at\":\"t\",\"type\":\"x\"}]}");
    assert_true(is_orderly(dreamapi_usage_history(client, NULL, NULL, NULL, NULL)));
}

static void use_main(dreamapi_client *client, dreamapi_test_transport *transport)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_call *call = NULL;

    params.email = "a@example.test";
    options.user_token = "e30.eyJzdWIiOiJ1c2VyXzEifQ.x";
    dreamapi_test_transport_add_simple(transport, "/api/customers", 503, "{\"error\":\"x\"}");
    dreamapi_test_transport_add_simple(transport, "/api/customers", 201, CUSTOMER);
    assert_true(is_orderly(dreamapi_customer_create(client, &params, NULL, NULL, NULL)));
    dreamapi_test_transport_add_simple(transport, "/api/usage", 200, USAGE);
    assert_true(is_orderly(dreamapi_usage_get(client, "user_1", NULL, NULL, NULL)));
    dreamapi_test_transport_add_simple(transport, "/api/tiers", 200,
                                       "{\"tiers\":[{\"id\":\"a\",\"price\":1,\"limit\":1,\"features\":[\"x\"]}]}");
    assert_true(is_orderly(dreamapi_tier_list(client, NULL, NULL, NULL)));
    dreamapi_test_transport_add_simple(transport, "/api/data", 429, "{\"retryAfter\":60}");
    (void)dreamapi_usage_track(client, NULL, NULL, &options, NULL, NULL);
    if (dreamapi_health_get_start(client, NULL, &call, NULL) == DREAMAPI_OK)
        (void)dreamapi_client_perform(client);
    dreamapi_call_free(call);
}

/* The keys are fetched by the first; what it remembers the last can do without. */
static void use_tokens(dreamapi_client *client, dreamapi_test_transport *transport)
{
    static const char *const parties[] = { "https://a", NULL };
    dreamapi_token_params params = DREAMAPI_TOKEN_PARAMS_INIT;
    dreamapi_token *token = NULL;
    dreamapi_call *call = NULL;

    for (int i = 0; i < 2; i++) {
        dreamapi_test_transport_add_simple(transport, "/jwks.json", 200,
                                           "{\"keys\":[" VECTOR_EC_JWK
                                           ",{\"kty\":\"RSA\",\"kid\":\"py-key\",\"e\":\"AQAB\",\"n\":\"" VECTOR_MODULUS
                                           "\"}]}");
        assert_true(is_orderly_for_token(dreamapi_token_verify(client, VECTOR_JWT, NULL, NULL, &token, NULL)));
        dreamapi_token_free(token);
    }
    params.authorized_parties = parties;
    params.issuer = "i";
    if (dreamapi_token_verify_start(client, VECTOR_EC_JWT, &params, NULL, &call, NULL) == DREAMAPI_OK)
        (void)dreamapi_call_wait(call, -1, NULL);
    dreamapi_call_free(call);
}

typedef void use_function(dreamapi_client *client, dreamapi_test_transport *transport);

static void run(use_function *use)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_test_transport *transport = dreamapi_test_transport_new();
    dreamapi_test_clock *clock = dreamapi_test_clock_new(INT64_C(1700000000000));
    dreamapi_client *client = make_client(options, transport, clock);

    if (client != NULL) {
        dreamapi_test_transport_add_simple(transport, "/health", 200, EVERY_EXTENSION);
        use(client, transport);
    }
    dreamapi_options_free(options);
    dreamapi_test_transport_free(transport);
    dreamapi_client_free(client);
    dreamapi_test_clock_free(clock);
}

/* Each with a client and a script of its own, so that no answer left over from one call meets another. */
static use_function *const uses[] = { use_main, use_sales, use_dashboard, use_lists, use_batch, use_tokens };

static void test_out_of_memory__every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        long total;
        refusing_begin(-1);
        run(uses[i]);
        total = refusing_count();
        assert_true(total > 50);
        for (long j = 0; j < total; j++) {
            refusing_begin(j);
            run(uses[i]);
        }
        (void)refusing_end();
    }
}

/* The built-in transport: its own allocations, with nobody at the other end. */
static void run_curl(void)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_client *client = NULL;
    dreamapi_call_options limits = DREAMAPI_CALL_OPTIONS_INIT;

    limits.timeout_ms = 1000;
    if (options != NULL && dreamapi_options_set_base_url(options, "http://127.0.0.1:1") == DREAMAPI_OK) {
        dreamapi_options_set_threads(options, 0);
        dreamapi_options_set_max_retries(options, 0);
        (void)dreamapi_options_set_proxy(options, "http://127.0.0.1:1");
        if (dreamapi_client_new(options, &client, NULL) == DREAMAPI_OK) {
            dreamapi_status status = dreamapi_tier_list(client, &limits, NULL, NULL);
            assert_true(status == DREAMAPI_UNAVAILABLE || is_orderly(status));
        }
    }
    dreamapi_client_free(client);
    dreamapi_options_free(options);
}

static void test_out_of_memory__every_allocation_of_the_built_in_transport_may_fail(void **state)
{
    long total;

    (void)state;
    refusing_begin(-1);
    run_curl();
    total = refusing_count();
    for (long i = 0; i < total; i++) {
        refusing_begin(i);
        run_curl();
    }
    (void)refusing_end();
}

static bool verify_webhooks(void)
{
    static const char *const secrets[] = { "whsec_bmV3", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL };
    dreamapi_webhook_params params = DREAMAPI_WEBHOOK_PARAMS_INIT;
    dreamapi_webhook_replays *replays = NULL;
    dreamapi_status status = dreamapi_webhook_replays_new(1, &replays, NULL);

    if (status == DREAMAPI_OK) {
        params.scheme = DREAMAPI_WEBHOOK_STANDARD;
        params.id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        params.timestamp = "1614265330";
        params.signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        params.body = "{\"test\": 2432232314}";
        params.body_size = strlen(params.body);
        params.secrets = secrets;
        params.now_s = 1614265330;
        params.replays = replays;
        status = dreamapi_webhook_verify(&params, NULL);
    }
    dreamapi_webhook_replays_free(replays);
    /* Not "no signature matches": the sender would be taken for a forger. */
    assert_true(status == DREAMAPI_OK || status == DREAMAPI_NOMEM);
    return status == DREAMAPI_OK;
}

static void test_out_of_memory__a_webhook_that_cannot_be_checked_is_not_called_forged(void **state)
{
    (void)state;
    for (long index = 0;; index++) {
        refusing_begin(index);
        bool is_good = verify_webhooks();
        if (!refusing_end()) {
            assert_true(is_good && index > 3);
            return;
        }
        assert_false(is_good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory__a_webhook_that_cannot_be_checked_is_not_called_forged),
        cmocka_unit_test(test_out_of_memory__every_allocation_may_fail),
        cmocka_unit_test(test_out_of_memory__every_allocation_of_the_built_in_transport_may_fail),
    };
    return cmocka_run_group_tests_name("lib_out_of_memory", tests, NULL, NULL);
}
