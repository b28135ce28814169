/* SPDX-License-Identifier: Apache-2.0 */
/* test_exchange.c - what a transport sees of a request and reports of its answer. */
#include "lib/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    dreamapi_exchange exchange;
    dream_exchange_queue queue;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof(fixture));
    dream_exchange_prepare(&fixture.exchange, "POST", "http://x/y", 10, &fixture.queue, &fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    dream_exchange_clear(&fixture->exchange);
    return 0;
}

static void test_exchange__shows_the_request(void **state)
{
    struct fixture *fixture = *state;
    dreamapi_exchange *exchange = &fixture->exchange;
    size_t size = 7;

    dream_exchange_set_header(exchange, "A", "1");
    dream_exchange_set_header(exchange, "B", NULL);
    dream_exchange_set_header(exchange, "C", "3");
    assert_string_equal(dreamapi_exchange_method(exchange), "POST");
    assert_string_equal(dreamapi_exchange_url(exchange), "http://x/y");
    assert_int_equal(dreamapi_exchange_header_count(exchange), 2);
    assert_string_equal(dreamapi_exchange_header_name(exchange, 1), "C");
    assert_string_equal(dreamapi_exchange_header_value(exchange, 1), "3");
    assert_null(dreamapi_exchange_header_name(exchange, 2));
    assert_null(dreamapi_exchange_header_value(exchange, (size_t)-1));
    assert_null(dreamapi_exchange_body(exchange, &size));
    assert_int_equal(size, 0);
    assert_null(dreamapi_exchange_body(exchange, NULL));
    assert_int_equal(dreamapi_exchange_is_repeatable(exchange), 0);
    assert_null(dreamapi_exchange_user_data(exchange));
    dreamapi_exchange_set_user_data(exchange, fixture);
    assert_ptr_equal(dreamapi_exchange_user_data(exchange), fixture);
}

static void test_exchange__keeps_the_headers_that_matter(void **state)
{
    dreamapi_exchange *exchange = &((struct fixture *)*state)->exchange;

    assert_int_equal(dreamapi_exchange_add_header(exchange, "CF-Ray", "ray"), DREAMAPI_OK);
    assert_string_equal(exchange->request_id, "ray");
    assert_int_equal(dreamapi_exchange_add_header(exchange, "x-request-id", "id\r1"), DREAMAPI_OK);
    assert_string_equal(exchange->request_id, "id 1");
    assert_int_equal(dreamapi_exchange_add_header(exchange, "cf-ray", "other"), DREAMAPI_OK);
    assert_string_equal(exchange->request_id, "id 1");
    assert_int_equal(dreamapi_exchange_add_header(exchange, "RETRY-AFTER", "60"), DREAMAPI_OK);
    assert_string_equal(exchange->retry_after, "60");
    assert_int_equal(dreamapi_exchange_add_header(exchange, "Server", "x"), DREAMAPI_OK);
}

static void test_exchange__bounds_headers_and_body(void **state)
{
    dreamapi_exchange *exchange = &((struct fixture *)*state)->exchange;
    char value[1024];
    dreamapi_status status = DREAMAPI_OK;
    int added = 0;

    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    while (status == DREAMAPI_OK && added < 100) {
        status = dreamapi_exchange_add_header(exchange, "N", value);
        added++;
    }
    assert_int_equal(status, DREAMAPI_PROTOCOL);
    assert_int_equal(added, 65);

    assert_int_equal(dreamapi_exchange_add_body(exchange, "1234567", 7), DREAMAPI_OK);
    assert_int_equal(dreamapi_exchange_add_body(exchange, "8901", 4), DREAMAPI_PROTOCOL);
    assert_int_equal(dreamapi_exchange_add_body(exchange, "890", 3), DREAMAPI_OK);
    assert_int_equal(dreamapi_exchange_add_body(exchange, "x", 1), DREAMAPI_PROTOCOL);
    assert_int_equal(dreamapi_exchange_add_body(exchange, "x", (size_t)-1), DREAMAPI_PROTOCOL);
    assert_int_equal(exchange->answer.size, 10);
}

static void test_exchange__the_first_end_counts(void **state)
{
    struct fixture *fixture = *state;

    dreamapi_exchange_finish(&fixture->exchange, 204);
    dreamapi_exchange_fail(&fixture->exchange, DREAMAPI_FAILURE_RESET, 1, "late");
    dreamapi_exchange_finish(&fixture->exchange, 200);
    assert_ptr_equal(dream_exchange_take_ended(&fixture->queue), &fixture->exchange);
    assert_null(dream_exchange_take_ended(&fixture->queue));
    assert_int_equal(fixture->exchange.http_status, 204);
}

static void test_exchange__a_status_out_of_range_is_a_failure(void **state)
{
    struct fixture *fixture = *state;

    dreamapi_exchange_finish(&fixture->exchange, 99);
    assert_int_equal(fixture->exchange.http_status, 0);
    assert_int_equal(fixture->exchange.failure, DREAMAPI_FAILURE_PROTOCOL);
    assert_true(fixture->exchange.maybe_sent);
    assert_ptr_equal(dream_exchange_take_ended(&fixture->queue), &fixture->exchange);
}

static void test_exchange__ended_ones_come_in_order_and_may_be_taken_out_before(void **state)
{
    dream_exchange_queue queue = { NULL, NULL };
    dreamapi_exchange many[4];

    (void)state;
    memset(many, 0, sizeof(many));
    for (int i = 0; i < 4; i++) {
        dream_exchange_prepare(&many[i], "GET", "u", 10, &queue, NULL);
        dreamapi_exchange_fail(&many[i], DREAMAPI_FAILURE_OTHER, 0, NULL);
    }
    dream_exchange_remove_ended(&queue, &many[1]);
    dream_exchange_remove_ended(&queue, &many[3]);
    assert_ptr_equal(dream_exchange_take_ended(&queue), &many[0]);
    dream_exchange_remove_ended(&queue, &many[2]);
    assert_null(dream_exchange_take_ended(&queue));
    dream_exchange_prepare(&many[0], "GET", "u", 10, &queue, NULL);
    dreamapi_exchange_finish(&many[0], 200);
    assert_ptr_equal(dream_exchange_take_ended(&queue), &many[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exchange__shows_the_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange__keeps_the_headers_that_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange__bounds_headers_and_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange__the_first_end_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange__a_status_out_of_range_is_a_failure, set_up, tear_down),
        cmocka_unit_test(test_exchange__ended_ones_come_in_order_and_may_be_taken_out_before),
    };
    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
