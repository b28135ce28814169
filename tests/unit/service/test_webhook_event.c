/* SPDX-License-Identifier: Apache-2.0 */
/* test_webhook_event.c - what a Stripe event says, and what it must say to count. */
#include "service/api/webhook_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"

#define HEAD "\"id\":\"evt_1\",\"created\":1767225600,\"livemode\":true,\"account\":\"acct_a\""
#define CHECKOUT "{" HEAD ",\"type\":\"checkout.session.completed\",\"data\":{\"object\":"
#define UPDATED "{" HEAD ",\"type\":\"customer.subscription.updated\",\"data\":{\"object\":"
#define DELETED "{" HEAD ",\"type\":\"customer.subscription.deleted\",\"data\":{\"object\":"
#define META "\"metadata\":{\"userId\":\"user_1\",\"tier\":\"pro\",\"publishableKey\":\"pk_live_1\"}"

static cJSON *json;

static const char *read_event(const char *text, dreamd_stripe_event *out)
{
    cJSON_Delete(json);
    json = dream_json_parse(text, strlen(text), NULL);
    assert_non_null(json);
    return dreamd_stripe_event_read(json, out);
}

static int end(void **state)
{
    (void)state;
    cJSON_Delete(json);
    json = NULL;
    return 0;
}

static void test_webhook_event__reads_a_subscription_checkout(void **state)
{
    dreamd_stripe_event event;

    (void)state;
    assert_null(read_event(CHECKOUT
                           "{\"mode\":\"subscription\",\"customer\":\"cus_9\",\"subscription\":\"sub_9\","
                           "\"amount_total\":2900,\"currency\":\"usd\",\"client_reference_id\":\"user_2\"," META "}}}",
                           &event));
    assert_int_equal(event.kind, DREAMD_STRIPE_CHECKOUT);
    assert_string_equal(event.id, "evt_1");
    assert_string_equal(event.account, "acct_a");
    assert_true(event.is_live);
    assert_int_equal(event.created_s, 1767225600);
    assert_string_equal(event.user_id, "user_2"); /* the reference outranks the metadata */
    assert_string_equal(event.tier, "pro");
    assert_string_equal(event.publishable_key, "pk_live_1");
    assert_string_equal(event.subscription.user_id, "user_2");
    assert_string_equal(event.subscription.subscription_id, "sub_9");
    assert_string_equal(event.subscription.stripe_customer_id, "cus_9");
    assert_string_equal(event.subscription.status, "active");
    assert_string_equal(event.subscription.currency, "usd");
    assert_int_equal(event.subscription.amount_minor, 2900);
    assert_int_equal(event.subscription.canceled_at_ms, -1);
}

static void test_webhook_event__reads_a_subscription_in_both_api_versions(void **state)
{
    static const char *const objects[] = {
        "{\"id\":\"sub_9\",\"customer\":\"cus_9\",\"status\":\"trialing\",\"canceled_at\":1767312000,"
        "\"cancellation_details\":{\"comment\":\"too dear\"},\"current_period_end\":1769904000,"
        "\"items\":{\"data\":[{\"price\":{\"id\":\"price_pro\",\"product\":\"prod_pro\",\"unit_amount\":2900,"
        "\"currency\":\"usd\"}}]}," META "}}}",
        "{\"id\":\"sub_9\",\"customer\":{\"id\":\"cus_9\"},\"status\":\"trialing\",\"canceled_at\":1767312000,"
        "\"cancellation_details\":{\"comment\":\"too dear\"},"
        "\"items\":{\"data\":[{\"current_period_end\":1769904000,\"price\":{\"id\":\"price_pro\",\"product\":{\"id\":"
        "\"prod_pro\"},"
        "\"unit_amount\":2900,\"currency\":\"usd\"}}]}," META "}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        char text[1024] = UPDATED;
        dreamd_stripe_event event;

        assert_null(read_event(strcat(text, objects[i]), &event));
        assert_int_equal(event.kind, DREAMD_STRIPE_CHANGED);
        assert_string_equal(event.subscription.status, "trialing");
        assert_string_equal(event.subscription.stripe_customer_id, "cus_9");
        assert_string_equal(event.subscription.price_id, "price_pro");
        assert_string_equal(event.subscription.product_id, "prod_pro");
        assert_string_equal(event.subscription.cancel_reason, "too dear");
        assert_int_equal(event.subscription.amount_minor, 2900);
        assert_int_equal(event.subscription.current_period_end_ms, INT64_C(1769904000000));
        assert_int_equal(event.subscription.canceled_at_ms, INT64_C(1767312000000));
    }
}

static void test_webhook_event__a_deleted_subscription_is_canceled_whatever_it_says(void **state)
{
    dreamd_stripe_event event;

    (void)state;
    assert_null(
        read_event(DELETED "{\"id\":\"sub_9\",\"status\":\"active\",\"metadata\":{\"userId\":\"user_1\"}}}}", &event));
    assert_int_equal(event.kind, DREAMD_STRIPE_ENDED);
    assert_string_equal(event.subscription.status, "canceled");
    assert_null(event.tier);
}

static void test_webhook_event__a_payment_for_a_project_is_an_order(void **state)
{
    dreamd_stripe_event event;

    (void)state;
    assert_null(read_event(
        CHECKOUT "{\"id\":\"cs_1\",\"mode\":\"payment\",\"metadata\":{\"publishableKey\":\"pk_live_2\"}}}}", &event));
    assert_int_equal(event.kind, DREAMD_STRIPE_ORDER);
    assert_string_equal(event.sale.session_id, "cs_1");
    assert_int_equal(event.sale.amount_minor, 0);
    assert_string_equal(event.publishable_key, "pk_live_2");
    assert_null(event.user_id);
    assert_string_equal(
        read_event(CHECKOUT "{\"mode\":\"payment\",\"metadata\":{\"publishableKey\":\"pk_live_2\"}}}}", &event),
        "Invalid payload");
}

#define SESSION(type, more)                                                                                            \
    "{" HEAD ",\"type\":\"checkout.session." type                                                                      \
    "\",\"data\":{\"object\":{\"id\":\"cs_1\",\"amount_total\":5000,\"metadata\":{\"userId\":\"user_1\",\"tier\":"     \
    "\"pro\",\"publishableKey\":\"pk_live_2\"}" more "}}}"

static void test_webhook_event__an_order_is_one_when_it_is_paid(void **state)
{
    static const struct {
        const char *text;
        dreamd_stripe_kind kind;
    } cases[] = {
        { SESSION("completed", ",\"mode\":\"payment\""), DREAMD_STRIPE_ORDER },
        { SESSION("completed", ",\"mode\":\"payment\",\"payment_status\":\"paid\""), DREAMD_STRIPE_ORDER },
        { SESSION("completed", ",\"mode\":\"payment\",\"payment_status\":\"no_payment_required\""),
          DREAMD_STRIPE_ORDER },
        { SESSION("completed", ",\"mode\":\"payment\",\"payment_status\":\"unpaid\""), DREAMD_STRIPE_OTHER },
        { SESSION("async_payment_succeeded", ",\"mode\":\"payment\",\"payment_status\":\"paid\""),
          DREAMD_STRIPE_ORDER },
        { SESSION("async_payment_failed", ",\"mode\":\"payment\",\"payment_status\":\"unpaid\""), DREAMD_STRIPE_OTHER },
        { SESSION("expired", ",\"mode\":\"payment\",\"payment_status\":\"unpaid\""), DREAMD_STRIPE_OTHER },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dreamd_stripe_event event;

        assert_null(read_event(cases[i].text, &event));
        if (event.kind != cases[i].kind)
            fail_msg("kind %d: %s", (int)event.kind, cases[i].text);
        assert_int_equal(event.sale.amount_minor, cases[i].kind == DREAMD_STRIPE_ORDER ? 5000 : 0);
        assert_string_equal(event.publishable_key, "pk_live_2"); /* whose event it is, paid or not */
    }
}

static void test_webhook_event__a_subscription_begins_when_its_checkout_is_paid(void **state)
{
    static const struct {
        const char *text;
        const char *status;
    } cases[] = {
        { SESSION("completed", ",\"mode\":\"subscription\""), "active" },
        { SESSION("completed", ",\"mode\":\"subscription\",\"payment_status\":\"no_payment_required\""), "active" },
        { SESSION("completed", ",\"mode\":\"subscription\",\"payment_status\":\"unpaid\""), "incomplete" },
        { SESSION("async_payment_succeeded", ",\"mode\":\"subscription\",\"payment_status\":\"paid\""), "active" },
        { SESSION("async_payment_failed", ",\"mode\":\"subscription\",\"payment_status\":\"unpaid\""), "incomplete" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dreamd_stripe_event event;

        assert_null(read_event(cases[i].text, &event));
        assert_int_equal(event.kind, DREAMD_STRIPE_CHECKOUT);
        assert_string_equal(event.subscription.status, cases[i].status);
    }
}

static void test_webhook_event__other_types_and_payments_for_nobody_are_only_recorded(void **state)
{
    dreamd_stripe_event event;

    (void)state;
    assert_null(read_event("{" HEAD ",\"type\":\"invoice.paid\",\"data\":{\"object\":{\"id\":\"in_1\"}}}", &event));
    assert_int_equal(event.kind, DREAMD_STRIPE_OTHER);
    assert_null(
        read_event(CHECKOUT "{\"id\":\"cs_1\",\"mode\":\"payment\",\"metadata\":{\"platformId\":\"p\"}}}}", &event));
    assert_int_equal(event.kind, DREAMD_STRIPE_OTHER);
    assert_null(event.publishable_key);
    assert_null(read_event("{" HEAD ",\"type\":\"invoice.paid\"}", &event));
}

static void test_webhook_event__says_why_an_event_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        { "{}", "Invalid payload" },
        { "{\"id\":\"evt_1\",\"type\":\"x\",\"created\":1}", "Invalid payload" },
        { "{\"id\":\"evt_1\",\"type\":\"x\",\"created\":1,\"livemode\":\"true\"}", "Invalid payload" },
        { "{\"id\":\"evt_1\",\"type\":\"x\",\"created\":-1,\"livemode\":true}", "Invalid payload" },
        { "{\"id\":\"evt_1\",\"type\":\"x\",\"created\":1.5,\"livemode\":true}", "Invalid payload" },
        { "{\"id\":\"evt_1\",\"type\":\"x\",\"created\":9007199254740991,\"livemode\":true}", "Invalid payload" },
        { "{\"id\":\"\",\"type\":\"x\",\"created\":1,\"livemode\":true}", "Invalid payload" },
        { "{\"id\":7,\"type\":\"x\",\"created\":1,\"livemode\":true}", "Invalid payload" },
        { CHECKOUT "{\"mode\":\"subscription\",\"metadata\":{\"tier\":\"pro\"}}}}", "No userId" },
        { CHECKOUT "{\"mode\":\"subscription\",\"client_reference_id\":\"user_1\",\"metadata\":{}}}}",
          "Missing tier metadata" },
        { UPDATED "{\"id\":\"sub_9\",\"status\":\"active\",\"metadata\":{\"tier\":\"pro\"}}}}", "No userId" },
        { UPDATED "{\"id\":\"sub_9\",\"status\":\"active\",\"metadata\":{\"userId\":\"user_1\"}}}}",
          "Missing tier metadata" },
        { UPDATED "{\"id\":\"sub_9\"," META "}}}", "Invalid payload" },
        { UPDATED "{\"status\":\"active\"," META "}}}", "Invalid payload" },
        { UPDATED "{\"id\":\"sub_9\",\"status\":\"a word too long for a status\"," META "}}}", "Invalid payload" },
        { DELETED "{\"id\":\"sub_9\",\"metadata\":{}}}}", "No userId" },
        { UPDATED "7}}", "No userId" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dreamd_stripe_event event;
        const char *error = read_event(cases[i].text, &event);

        assert_non_null(error);
        assert_string_equal(error, cases[i].error);
    }
}

static void test_webhook_event__reads_how_often_a_price_is_paid(void **state)
{
    static const struct {
        const char *recurring;
        const char *interval;
        int count;
    } cases[] = {
        { "{\"interval\":\"year\",\"interval_count\":1}", "year", 1 },
        { "{\"interval\":\"month\",\"interval_count\":3}", "month", 3 },
        { "{\"interval\":\"week\"}", "week", 1 },
        { "{\"interval\":\"day\",\"interval_count\":0}", "day", 1 },
        { "{\"interval\":\"day\",\"interval_count\":1e15}", "day", 1 },
        { "{\"interval\":\"century\",\"interval_count\":2}", NULL, 0 },
        { "{\"interval\":7}", NULL, 0 },
        { "null", NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        dreamd_stripe_event event;

        (void)snprintf(
            text, sizeof text,
            UPDATED
            "{\"id\":\"sub_9\",\"status\":\"active\",\"items\":{\"data\":[{\"price\":{\"recurring\":%s}}]}," META "}}}",
            cases[i].recurring);
        assert_null(read_event(text, &event));
        if (cases[i].interval)
            assert_string_equal(event.subscription.interval, cases[i].interval);
        else
            assert_null(event.subscription.interval);
        assert_int_equal(event.subscription.interval_count, cases[i].count);
    }
}

static void test_webhook_event__numbers_out_of_range_count_as_not_told(void **state)
{
    dreamd_stripe_event event;

    (void)state;
    assert_null(read_event(UPDATED "{\"id\":\"sub_9\",\"status\":\"active\",\"current_period_end\":9007199254740991,"
                                   "\"canceled_at\":null,\"items\":{\"data\":[{\"price\":{\"unit_amount\":-5}}]}," META
                                   "}}}",
                           &event));
    assert_int_equal(event.subscription.current_period_end_ms, -1);
    assert_int_equal(event.subscription.canceled_at_ms, 0);
    assert_int_equal(event.subscription.amount_minor, -1);
    assert_null(event.subscription.price_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_webhook_event__reads_a_subscription_checkout, end),
        cmocka_unit_test_teardown(test_webhook_event__reads_a_subscription_in_both_api_versions, end),
        cmocka_unit_test_teardown(test_webhook_event__a_deleted_subscription_is_canceled_whatever_it_says, end),
        cmocka_unit_test_teardown(test_webhook_event__a_payment_for_a_project_is_an_order, end),
        cmocka_unit_test_teardown(test_webhook_event__an_order_is_one_when_it_is_paid, end),
        cmocka_unit_test_teardown(test_webhook_event__a_subscription_begins_when_its_checkout_is_paid, end),
        cmocka_unit_test_teardown(test_webhook_event__other_types_and_payments_for_nobody_are_only_recorded, end),
        cmocka_unit_test_teardown(test_webhook_event__says_why_an_event_is_refused, end),
        cmocka_unit_test_teardown(test_webhook_event__reads_how_often_a_price_is_paid, end),
        cmocka_unit_test_teardown(test_webhook_event__numbers_out_of_range_count_as_not_told, end),
    };

    return cmocka_run_group_tests_name("webhook_event", tests, NULL, NULL);
}
