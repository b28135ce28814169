/* SPDX-License-Identifier: Apache-2.0 */
/* test_stripe.c - requests to the payment provider as recorded, on whose behalf they are made, and the waiting forms. */
#include "service/provider/stripe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "script.h"

static dreamd_settings settings;
static script provider;
static dreamd_upstream *upstream;

static struct {
    int count;
    dreamd_upstream_outcome outcome;
    char url[128];
    char message[64];
} heard;

static const dreamd_stripe_checkout checkout = {
    .success_url = "https://shop.test/ok",
    .cancel_url = "https://shop.test/no",
    .customer_email = "ada@example.test",
    .user_id = "user_1",
    .tier = "pro",
    .publishable_key = "pk_live_1",
    .price_id = "price_pro",
};

static void hear(void *context, const dreamd_upstream_answer *answer, const char *url)
{
    (void)context;
    heard.count++;
    heard.outcome = answer->outcome;
    (void)snprintf(heard.url, sizeof heard.url, "%s", url ? url : "none");
    (void)snprintf(heard.message, sizeof heard.message, "%s", answer->message);
}

static int begin(void **state)
{
    (void)state;
    memset(&heard, 0, sizeof heard);
    memset(&provider, 0, sizeof provider);
    settings = script_settings();
    upstream = dreamd_upstream_new_over(&settings, NULL, script_send, &provider);
    return upstream ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    dreamd_upstream_free(upstream);
    return 0;
}

static void test_stripe__makes_a_checkout_with_the_accounts_token(void **state)
{
    dreamd_stripe_actor actor = { .mode = DREAMD_LIVE, .access_token = "sk_acct_token", .account = "acct_a" };

    (void)state;
    dreamd_stripe_create_checkout(upstream, &actor, &checkout, hear, NULL);
    assert_string_equal(provider.calls[0].method, "POST");
    assert_string_equal(provider.calls[0].url, "https://stripe-live.test/v1/checkout/sessions");
    assert_non_null(strstr(provider.calls[0].headers, "Authorization: Bearer sk_acct_token\n"));
    assert_non_null(strstr(provider.calls[0].headers, "Content-Type: application/x-www-form-urlencoded\n"));
    assert_null(strstr(provider.calls[0].headers, "Stripe-Account"));
    assert_null(strstr(provider.calls[0].headers, "Idempotency-Key"));
    assert_string_equal(
        provider.calls[0].body,
        "success_url=https%3A%2F%2Fshop.test%2Fok&cancel_url=https%3A%2F%2Fshop.test%2Fno&customer_email=ada%40example."
        "test&client_reference_id=user_1&mode=subscription&line_items%5B0%5D%5Bprice%5D=price_pro&line_items%5B0%5D%5B"
        "quantity%5D=1&metadata%5BuserId%5D=user_1&metadata%5Btier%5D=pro&metadata%5BpublishableKey%5D=pk_live_1&"
        "subscription_data%5Bmetadata%5D%5BuserId%5D=user_1&subscription_data%5Bmetadata%5D%5Btier%5D=pro&"
        "subscription_data%5Bmetadata%5D%5BpublishableKey%5D=pk_live_1");
    script_reply(&provider, 0, 200, "{\"id\":\"cs_1\",\"url\":\"https://pay.test/cs_1\"}");
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_OK);
    assert_string_equal(heard.url, "https://pay.test/cs_1");
}

static void test_stripe__without_a_token_the_platform_speaks_for_the_account(void **state)
{
    dreamd_stripe_actor actor = { .mode = DREAMD_TEST, .account = "acct_a", .idempotency_key = "abc" };

    (void)state;
    dreamd_stripe_create_checkout(upstream, &actor, &checkout, hear, NULL);
    assert_string_equal(provider.calls[0].url, "https://stripe-test.test/v1/checkout/sessions");
    assert_non_null(strstr(provider.calls[0].headers, "Authorization: Bearer sk_stripe_test\n"));
    assert_non_null(strstr(provider.calls[0].headers, "Stripe-Account: acct_a\n"));
    assert_non_null(strstr(provider.calls[0].headers, "Idempotency-Key: abc\n"));
    script_reply(&provider, 0, 400, "{\"error\":{\"message\":\"No such price: 'price_pro'\",\"type\":\"x\"}}");
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_REFUSED);
    assert_string_equal(heard.message, "No such price: 'price_pro'");
    assert_string_equal(heard.url, "none");
}

static void test_stripe__adds_tax_and_trial_and_leaves_out_an_empty_address(void **state)
{
    dreamd_stripe_actor actor = { .mode = DREAMD_LIVE, .account = "acct_a" };
    dreamd_stripe_checkout member = checkout;

    (void)state;
    member.is_tax_enabled = true;
    member.trial_days = 14;
    member.customer_email = "";
    dreamd_stripe_create_checkout(upstream, &actor, &member, hear, NULL);
    assert_null(strstr(provider.calls[0].body, "customer_email"));
    assert_non_null(strstr(provider.calls[0].body, "&automatic_tax%5Benabled%5D=true"));
    assert_non_null(strstr(provider.calls[0].body, "&subscription_data%5Btrial_period_days%5D=14"));
    script_reply(&provider, 0, 200, "{\"id\":\"cs_1\"}");
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_UNAVAILABLE); /* no address to send the buyer to */
}

static void test_stripe__without_a_key_nothing_is_asked(void **state)
{
    dreamd_stripe_actor actor = { .mode = DREAMD_LIVE, .account = "acct_a" };

    (void)state;
    settings.stripe[DREAMD_LIVE].secret_key = NULL;
    dreamd_stripe_create_checkout(upstream, &actor, &checkout, hear, NULL);
    assert_int_equal(provider.count, 0);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_UNAVAILABLE);
}

/* Answers from another thread, as the HTTP client does. */
struct answerer {
    int status;
    const char *body;
    pthread_t thread;
};

static void *answer_later(void *argument)
{
    struct answerer *self = argument;

    script_reply(&provider, 0, self->status, self->body);
    return NULL;
}

static struct answerer answerer;

static void send_and_answer(void *transport, const dreamd_outbound *outbound, dreamd_reply_fn *fn, void *context)
{
    script_send(transport, outbound, fn, context);
    assert_int_equal(pthread_create(&answerer.thread, NULL, answer_later, &answerer), 0);
}

static int begin_waiting(void **state)
{
    (void)state;
    memset(&provider, 0, sizeof provider);
    settings = script_settings();
    upstream = dreamd_upstream_new_over(&settings, NULL, send_and_answer, &provider);
    return upstream ? 0 : -1;
}

static void test_stripe__waits_for_products_and_prices(void **state)
{
    static const dreamd_stripe_actor actor = { .mode = DREAMD_TEST, .account = "acct_a" };
    dreamd_stripe_product product = {
        .name = "T-Shirt", .description = "Cotton", .platform_id = "plt_1", .tier_name = "tshirt", .limit = 0
    };
    dreamd_stripe_price recurring = { "prod_1", 2900, true };
    dreamd_stripe_price once = { "prod_1", 0, false };
    char id[DREAMD_STRIPE_ID_SIZE] = "";
    char error[256] = "";

    (void)state;
    answerer = (struct answerer){ .status = 200, .body = "{\"id\":\"obj_1\"}" };
    assert_true(dreamd_stripe_wait_product(upstream, &actor, &product, id, error));
    pthread_join(answerer.thread, NULL);
    assert_string_equal(id, "obj_1");
    assert_string_equal(provider.calls[0].url, "https://stripe-test.test/v1/products");
    assert_string_equal(provider.calls[0].body, "name=T-Shirt&description=Cotton&metadata%5BplatformId%5D=plt_1&"
                                                "metadata%5BtierName%5D=tshirt&metadata%5Blimit%5D=0");
    provider.count = 0;
    assert_true(dreamd_stripe_wait_price(upstream, &actor, &recurring, id, error));
    pthread_join(answerer.thread, NULL);
    assert_string_equal(provider.calls[0].body,
                        "product=prod_1&unit_amount=2900&currency=usd&recurring%5Binterval%5D=month");
    provider.count = 0;
    assert_true(dreamd_stripe_wait_price(upstream, &actor, &once, id, error));
    pthread_join(answerer.thread, NULL);
    assert_string_equal(provider.calls[0].body, "product=prod_1&unit_amount=0&currency=usd");
    provider.count = 0;
    assert_true(dreamd_stripe_wait_account(upstream, &actor, "dev@example.test", id, error));
    pthread_join(answerer.thread, NULL);
    assert_string_equal(provider.calls[0].url, "https://stripe-test.test/v1/accounts");
}

static void test_stripe__tells_why_waiting_was_in_vain(void **state)
{
    static const dreamd_stripe_actor actor = { .mode = DREAMD_LIVE };
    static const struct {
        int status;
        const char *body;
        const char *error;
    } cases[] = {
        { 400, "{\"error\":{\"message\":\"No such product\"}}", "Stripe: No such product" },
        { 200, "{}", "Stripe: the answer names no usable id" },
        { 0, "", "Stripe: The payment provider could not be reached" },
    };
    dreamd_stripe_price price = { "prod_1", 100, true };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[DREAMD_STRIPE_ID_SIZE] = "";
        char error[256] = "";

        provider.count = 0;
        answerer = (struct answerer){ .status = cases[i].status, .body = cases[i].body };
        assert_false(dreamd_stripe_wait_price(upstream, &actor, &price, id, error));
        pthread_join(answerer.thread, NULL);
        assert_string_equal(error, cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stripe__makes_a_checkout_with_the_accounts_token, begin, end),
        cmocka_unit_test_setup_teardown(test_stripe__without_a_token_the_platform_speaks_for_the_account, begin, end),
        cmocka_unit_test_setup_teardown(test_stripe__adds_tax_and_trial_and_leaves_out_an_empty_address, begin, end),
        cmocka_unit_test_setup_teardown(test_stripe__without_a_key_nothing_is_asked, begin, end),
        cmocka_unit_test_setup_teardown(test_stripe__waits_for_products_and_prices, begin_waiting, end),
        cmocka_unit_test_setup_teardown(test_stripe__tells_why_waiting_was_in_vain, begin_waiting, end),
    };

    return cmocka_run_group_tests_name("stripe", tests, NULL, NULL);
}
