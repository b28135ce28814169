/* SPDX-License-Identifier: Apache-2.0 */
/* test_testing.c - the test doubles that the library ships. */
#include "fixture.h"

static dreamapi_status get_customer(fixture *f)
{
    return dreamapi_customer_get(f->client, "user_1", NULL, NULL, &f->error);
}

static void test_testing__the_clock_moves_only_when_told(void **state)
{
    dreamapi_test_clock *clock = dreamapi_test_clock_new(5000);
    int64_t start_ms = dreamapi_test_clock_monotonic_ms(clock);

    (void)state;
    assert_int_equal(dreamapi_test_clock_wall_ms(clock), 5000);
    dreamapi_test_clock_advance(clock, 100);
    dreamapi_test_clock_advance(clock, -100);
    assert_int_equal(dreamapi_test_clock_wall_ms(clock), 5100);
    assert_int_equal(dreamapi_test_clock_monotonic_ms(clock), start_ms + 100);
    dreamapi_test_clock_set_wall_ms(clock, 7);
    assert_int_equal(dreamapi_test_clock_wall_ms(clock), 7);
    assert_int_equal(dreamapi_test_clock_monotonic_ms(clock), start_ms + 100);
    dreamapi_test_clock_free(clock);
}

static void test_testing__null_is_taken(void **state)
{
    (void)state;
    dreamapi_test_clock_free(NULL);
    dreamapi_test_clock_advance(NULL, 1);
    dreamapi_test_clock_set_wall_ms(NULL, 1);
    assert_int_equal(dreamapi_test_clock_monotonic_ms(NULL), 0);
    assert_int_equal(dreamapi_test_clock_wall_ms(NULL), 0);
    dreamapi_test_transport_free(NULL);
    assert_int_equal(dreamapi_test_transport_add(NULL, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_test_transport_request_count(NULL), 0);
    assert_int_equal(dreamapi_test_transport_count_path(NULL, "/"), 0);
    assert_null(dreamapi_test_transport_request(NULL, 0));
    assert_null(dreamapi_test_request_method(NULL));
    assert_null(dreamapi_test_request_url(NULL));
    assert_null(dreamapi_test_request_header(NULL, "x"));
    assert_null(dreamapi_test_request_body(NULL));
    assert_int_equal(dreamapi_test_request_at_ms(NULL), 0);
}

static void test_testing__senseless_answers_are_refused(void **state)
{
    fixture *f = *state;
    static const char *const no_colon[] = { "Retry-After 5", NULL };
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    assert_int_equal(dreamapi_test_transport_add(f->transport, NULL), DREAMAPI_INVALID);
    answer.times = 0;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_INVALID);
    answer.times = -2;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_INVALID);
    answer.times = 1;
    answer.http_status = 99;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_INVALID);
    answer.http_status = 200;
    answer.delay_ms = -1;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_INVALID);
    answer.delay_ms = 0;
    answer.headers = no_colon;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_INVALID);
    answer.headers = NULL;
    answer.struct_size = 0;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_INVALID);
}

static void test_testing__an_empty_script_refuses_and_is_healthy(void **state)
{
    fixture *f = *state;

    fixture_expect(f, dreamapi_health_get(f->client, NULL, NULL, &f->error), DREAMAPI_OK);
    fixture_expect(f, get_customer(f), DREAMAPI_UNAVAILABLE);
}

static void test_testing__answers_are_chosen_by_method_and_path_in_their_order(void **state)
{
    fixture *f = *state;
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    answer.method = "DELETE";
    answer.http_status = 404;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_OK);
    fixture_answer(f, "/api/tiers", 200, NULL, "{\"tiers\":[]}");
    fixture_answer(f, NULL, 401, NULL, "{}");
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, get_customer(f), DREAMAPI_AUTH);
    fixture_expect(f, dreamapi_tier_list(f->client, NULL, NULL, &f->error), DREAMAPI_OK);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    fixture_expect(f, dreamapi_customer_delete(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_NOT_FOUND);
}

static void test_testing__an_answer_may_serve_several_times_or_always(void **state)
{
    fixture *f = *state;
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    answer.times = 2;
    answer.http_status = 401;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_OK);
    answer.times = DREAMAPI_TEST_ALWAYS;
    answer.http_status = 200;
    answer.body = CUSTOMER;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_OK);
    for (int i = 0; i < 2; i++)
        fixture_expect(f, get_customer(f), DREAMAPI_AUTH);
    for (int i = 0; i < 10; i++)
        fixture_expect(f, get_customer(f), DREAMAPI_OK);
}

static void test_testing__a_delay_passes_in_virtual_time(void **state)
{
    fixture *f = *state;
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;
    int64_t start_ms = fixture_now_ms(f);

    answer.delay_ms = 12345;
    answer.body = CUSTOMER;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_OK);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    assert_int_equal(fixture_now_ms(f) - start_ms, 12345);
}

static void test_testing__requests_are_recorded_for_as_long_as_the_transport_lives(void **state)
{
    fixture *f = *state;
    const dreamapi_test_request *request;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    dreamapi_client_free(f->client);
    f->client = NULL;
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 1);
    assert_null(dreamapi_test_transport_request(f->transport, 1));
    request = dreamapi_test_transport_request(f->transport, 0);
    assert_string_equal(dreamapi_test_request_method(request), "GET");
    assert_string_equal(dreamapi_test_request_header(request, "AUTHORIZATION"), "Bearer sk_live_1");
    assert_null(dreamapi_test_request_header(request, "X-None"));
    assert_null(dreamapi_test_request_header(request, NULL));
    assert_null(dreamapi_test_request_body(request));
    assert_int_equal(dreamapi_test_request_at_ms(request), fixture_now_ms(f));
    assert_int_equal(dreamapi_test_transport_count_path(f->transport, "/user_1"), 1);
    assert_int_equal(dreamapi_test_transport_count_path(f->transport, "/user_2"), 0);
}

static void test_testing__the_transport_may_be_freed_before_its_client(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    dreamapi_test_transport_free(f->transport);
    f->transport = NULL;
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
}

static void test_testing__a_month_passes_in_a_moment(void **state)
{
    fixture *f = *state;
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    int64_t start_ms = fixture_now_ms(f);

    options.timeout_ms = DREAMAPI_MAX_TIMEOUT_MS;
    answer.times = DREAMAPI_TEST_ALWAYS;
    answer.delay_ms = DREAMAPI_MAX_TIMEOUT_MS - 1;
    answer.body = CUSTOMER;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_OK);
    for (int day = 0; day < 30; day++)
        fixture_expect(f, dreamapi_customer_get(f->client, "u", &options, NULL, &f->error), DREAMAPI_OK);
    assert_int_equal(fixture_now_ms(f) - start_ms, INT64_C(30) * (DREAMAPI_MAX_TIMEOUT_MS - 1));
}

/* ---- the process-wide part ---- */

static void test_testing__global_init_is_counted_and_optional(void **state)
{
    fixture *f = *state;

    dreamapi_global_cleanup(); /* one too many does nothing */
    assert_int_equal(dreamapi_global_init(), DREAMAPI_OK);
    assert_int_equal(dreamapi_global_init(), DREAMAPI_OK);
    dreamapi_options_set_transport(f->options, NULL);
    dreamapi_client_free(f->client);
    fixture_make_client(f);
    dreamapi_global_cleanup();
    dreamapi_global_cleanup(); /* a client is left: libcurl stays */
    dreamapi_client_free(f->client);
    fixture_make_client(f);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_client, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_testing__the_clock_moves_only_when_told),
        cmocka_unit_test(test_testing__null_is_taken),
        WITH(test_testing__senseless_answers_are_refused),
        WITH(test_testing__an_empty_script_refuses_and_is_healthy),
        WITH(test_testing__answers_are_chosen_by_method_and_path_in_their_order),
        WITH(test_testing__an_answer_may_serve_several_times_or_always),
        WITH(test_testing__a_delay_passes_in_virtual_time),
        WITH(test_testing__requests_are_recorded_for_as_long_as_the_transport_lives),
        WITH(test_testing__the_transport_may_be_freed_before_its_client),
        WITH(test_testing__a_month_passes_in_a_moment),
        WITH(test_testing__global_init_is_counted_and_optional),
    };
    return cmocka_run_group_tests_name("testing", tests, NULL, NULL);
}
