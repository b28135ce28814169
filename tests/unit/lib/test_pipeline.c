/* SPDX-License-Identifier: Apache-2.0 */
/* test_pipeline.c - deadlines, retries, extensions, keys and the local rate limit,
 * on virtual time and with scripted answers. */
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"

static dreamapi_status get_customer(fixture *f)
{
    return dreamapi_customer_get(f->client, "user_1", NULL, NULL, &f->error);
}

static dreamapi_status create_customer(fixture *f, const dreamapi_call_options *options)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;

    params.email = "a@example.test";
    return dreamapi_customer_create(f->client, &params, options, NULL, &f->error);
}

static dreamapi_status track(fixture *f, const char *user_id)
{
    return dreamapi_usage_track(f->client, user_id, NULL, NULL, NULL, &f->error);
}

/* ---- retries of what may be repeated ---- */

static void test_pipeline__an_idempotent_call_is_tried_again_until_it_succeeds(void **state)
{
    fixture *f = *state;

    fixture_fail(f, NULL, DREAMAPI_FAILURE_CONNECT, 0);
    fixture_answer(f, NULL, 503, NULL, "{}");
    fixture_answer(f, NULL, 500, NULL, "{}");
    fixture_fail(f, NULL, DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "user_1"), 5);
    assert_int_equal(f->error.status, DREAMAPI_OK);
    assert_int_equal(f->error.http_status, 200);
}

static void test_pipeline__pauses_stay_below_the_growing_span(void **state)
{
    fixture *f = *state;
    static const int64_t spans[] = { 100, 200, 400, 800 };
    int64_t sum = 0;

    for (int i = 0; i < 5; i++)
        fixture_answer(f, NULL, 503, NULL, "{}");
    fixture_expect(f, get_customer(f), DREAMAPI_UNAVAILABLE);
    assert_int_equal(fixture_count(f, "user_1"), 5);
    for (size_t i = 0; i < 4; i++) {
        int64_t pause_ms = fixture_pause_ms(f, "user_1", i, i + 1);
        assert_in_range(pause_ms, 0, spans[i]);
        sum += pause_ms;
    }
    assert_true(sum > 0);
    assert_int_equal(f->error.http_status, 503);
    assert_int_equal(f->error.retriable, 1);
}

static void test_pipeline__max_retries_0_means_one_try(void **state)
{
    fixture *f = *state;

    dreamapi_options_set_max_retries(f->options, 0);
    fixture_make_client(f);
    fixture_answer(f, NULL, 503, NULL, "{}");
    fixture_expect(f, get_customer(f), DREAMAPI_UNAVAILABLE);
    assert_int_equal(fixture_count(f, "user_1"), 1);
}

static void test_pipeline__a_final_answer_is_not_repeated(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 404, "X-Request-Id: req_7", "{\"error\":\"Not found\",\"message\":\"No\"}");
    fixture_expect(f, get_customer(f), DREAMAPI_NOT_FOUND);
    assert_int_equal(fixture_count(f, "user_1"), 1);
    assert_string_equal(f->error.server_error, "Not found: No");
    assert_string_equal(f->error.request_id, "req_7");
    assert_int_equal(f->error.retriable, 0);
    assert_int_equal(f->error.local, 0);
}

static void test_pipeline__a_stale_connection_is_retried_at_once_and_costs_nothing(void **state)
{
    fixture *f = *state;

    dreamapi_options_set_max_retries(f->options, 0);
    fixture_make_client(f);
    fixture_fail(f, NULL, DREAMAPI_FAILURE_STALE, 1);
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    assert_int_equal(fixture_pause_ms(f, "user_1", 0, 1), 0);

    /* Once only. */
    fixture_fail(f, NULL, DREAMAPI_FAILURE_STALE, 1);
    fixture_fail(f, NULL, DREAMAPI_FAILURE_STALE, 1);
    fixture_expect(f, get_customer(f), DREAMAPI_UNAVAILABLE);
    assert_int_equal(fixture_count(f, "user_1"), 4);
}

static void test_pipeline__a_delete_that_finds_nothing_after_a_retry_says_why_that_may_be(void **state)
{
    fixture *f = *state;

    fixture_fail(f, NULL, DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, NULL, 404, NULL, "{}");
    fixture_expect(f, dreamapi_customer_delete(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_NOT_FOUND);
    assert_non_null(strstr(f->error.message, "earlier try"));
}

/* ---- Retry-After ---- */

static void test_pipeline__retry_after_is_waited_for(void **state)
{
    fixture *f = *state;

    f->has_no_jitter = true;
    fixture_answer(f, NULL, 429, "Retry-After: 7", "{}");
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    assert_int_equal(fixture_pause_ms(f, "user_1", 0, 1), 7000);
}

static void test_pipeline__retry_after_as_a_date_is_waited_for(void **state)
{
    fixture *f = *state;

    f->has_no_jitter = true;
    /* The clock stands at 2023-11-14T22:13:20Z. */
    fixture_answer(f, NULL, 503, "Retry-After: Tue, 14 Nov 2023 22:13:31 GMT", "{}");
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    assert_int_equal(fixture_pause_ms(f, "user_1", 0, 1), 11000);
}

static void test_pipeline__retry_after_beyond_the_deadline_ends_the_call_at_once(void **state)
{
    fixture *f = *state;
    int64_t start_ms = fixture_now_ms(f);

    fixture_answer(f, NULL, 429, "Retry-After: 60", "{\"error\":\"Rate limit exceeded\",\"retryAfter\":61}");
    fixture_expect(f, get_customer(f), DREAMAPI_RATE_LIMITED);
    assert_int_equal(fixture_now_ms(f), start_ms);
    assert_int_equal(f->error.retry_after_ms, 60000);
    assert_int_equal(f->error.retriable, 1);
    assert_int_equal(f->error.local, 0);
    assert_int_equal(f->error.http_status, 429);
}

static void test_pipeline__retry_after_in_the_body_alone_counts(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 429, NULL, "{\"retryAfter\":61}");
    fixture_expect(f, get_customer(f), DREAMAPI_RATE_LIMITED);
    assert_int_equal(f->error.retry_after_ms, 61000);
}

/* ---- the deadline ---- */

static void test_pipeline__a_call_without_an_answer_ends_at_its_deadline(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    int64_t start_ms = fixture_now_ms(f);

    options.timeout_ms = 1234;
    fixture_never(f, NULL);
    fixture_expect(f, dreamapi_customer_get(f->client, "user_1", &options, NULL, &f->error), DREAMAPI_TIMEOUT);
    assert_int_equal(fixture_now_ms(f) - start_ms, 1234);
    assert_int_equal(f->error.retriable, 1);
}

static void test_pipeline__the_default_deadline_is_30_s(void **state)
{
    fixture *f = *state;
    int64_t start_ms = fixture_now_ms(f);

    fixture_never(f, NULL);
    fixture_expect(f, get_customer(f), DREAMAPI_TIMEOUT);
    assert_int_equal(fixture_now_ms(f) - start_ms, 30000);
}

static void test_pipeline__the_deadline_covers_all_tries_together(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_test_answer slow = DREAMAPI_TEST_ANSWER_INIT;
    int64_t start_ms = fixture_now_ms(f);

    options.timeout_ms = 2500;
    slow.times = DREAMAPI_TEST_ALWAYS;
    slow.http_status = 503;
    slow.delay_ms = 1000;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &slow), DREAMAPI_OK);
    fixture_expect(f, dreamapi_customer_get(f->client, "user_1", &options, NULL, &f->error), DREAMAPI_TIMEOUT);
    assert_int_equal(fixture_now_ms(f) - start_ms, 2500);
    assert_int_equal(fixture_count(f, "user_1"), 3);
}

static void test_pipeline__wall_time_may_step_without_moving_a_deadline(void **state)
{
    fixture *f = *state;
    int64_t start_ms = fixture_now_ms(f);

    dreamapi_test_clock_set_wall_ms(f->clock, 5);
    fixture_never(f, NULL);
    fixture_expect(f, get_customer(f), DREAMAPI_TIMEOUT);
    assert_int_equal(fixture_now_ms(f) - start_ms, 30000);
}

/* ---- the budget ---- */

static void test_pipeline__ten_retries_are_in_the_budget_and_then_none(void **state)
{
    fixture *f = *state;
    dreamapi_test_answer down = DREAMAPI_TEST_ANSWER_INIT;

    down.times = DREAMAPI_TEST_ALWAYS;
    down.http_status = 503;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &down), DREAMAPI_OK);
    for (int i = 0; i < 5; i++)
        fixture_expect(f, get_customer(f), DREAMAPI_UNAVAILABLE);
    /* 5 first tries and 10 retries: 4 + 4 + 2 + 0 + 0. */
    assert_int_equal(fixture_count(f, "user_1"), 15);
}

/* ---- POST: keys and unclear outcomes ---- */

static void test_pipeline__every_post_carries_a_key_and_no_other_call_does(void **state)
{
    fixture *f = *state;
    const char *key;

    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    key = fixture_header(f, "/api/customers", 0, "Idempotency-Key");
    assert_non_null(key);
    assert_int_equal(strlen(key), 36);
    assert_int_equal(key[14], '4'); /* UUID version 4 */
    assert_null(fixture_header(f, "user_1", 0, "Idempotency-Key"));
}

static void test_pipeline__the_key_stays_the_same_over_all_tries_and_differs_between_calls(void **state)
{
    fixture *f = *state;
    const char *first;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_fail(f, NULL, DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, NULL, 502, NULL, "{}");
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    first = fixture_header(f, "/api/customers", 0, "Idempotency-Key");
    assert_string_equal(first, fixture_header(f, "/api/customers", 1, "Idempotency-Key"));
    assert_string_equal(first, fixture_header(f, "/api/customers", 2, "Idempotency-Key"));
    assert_string_not_equal(first, fixture_header(f, "/api/customers", 3, "Idempotency-Key"));
    assert_string_equal(dreamapi_test_request_body(fixture_request(f, "/api/customers", 0)),
                        dreamapi_test_request_body(fixture_request(f, "/api/customers", 2)));
}

static void test_pipeline__the_callers_key_is_used(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    options.idempotency_key = "order-4711";
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, &options), DREAMAPI_OK);
    assert_string_equal(fixture_header(f, "/api/customers", 0, "Idempotency-Key"), "order-4711");
}

static void test_pipeline__an_unkeyed_post_that_may_have_arrived_is_not_repeated(void **state)
{
    static const dreamapi_failure failures[] = { DREAMAPI_FAILURE_RESET, DREAMAPI_FAILURE_STALE,
                                                 DREAMAPI_FAILURE_TIMEOUT, DREAMAPI_FAILURE_PROTOCOL };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        fixture_fail(f, NULL, failures[i], 1);
        fixture_expect(f, create_customer(f, NULL), DREAMAPI_OUTCOME_UNKNOWN);
        assert_int_equal(fixture_count(f, "/api/customers"), i + 1);
        assert_int_equal(f->error.retriable, 0);
    }
}

static void test_pipeline__an_unkeyed_post_that_surely_never_left_is_repeated(void **state)
{
    fixture *f = *state;

    fixture_fail(f, NULL, DREAMAPI_FAILURE_CONNECT, 0);
    fixture_fail(f, NULL, DREAMAPI_FAILURE_DNS, 0);
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/api/customers"), 3);
}

static void test_pipeline__an_unkeyed_post_is_not_repeated_after_a_server_error(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 503, "Retry-After: 1", "{}");
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_UNAVAILABLE);
    assert_int_equal(fixture_count(f, "/api/customers"), 1);
    assert_int_equal(f->error.retriable, 0);
    assert_int_equal(f->error.retry_after_ms, 1000);
}

static void test_pipeline__an_unkeyed_post_is_repeated_after_429(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 429, "Retry-After: 1", "{}");
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
}

static void test_pipeline__a_post_without_an_answer_at_the_deadline_is_unclear(void **state)
{
    fixture *f = *state;

    fixture_never(f, NULL);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OUTCOME_UNKNOWN);
    assert_int_equal(f->error.retriable, 0);
}

static void test_pipeline__a_keyed_post_whose_tries_all_failed_is_unclear(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_fail(f, NULL, DREAMAPI_FAILURE_RESET, 1);
    for (int i = 0; i < 4; i++)
        fixture_fail(f, NULL, DREAMAPI_FAILURE_CONNECT, 0);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OUTCOME_UNKNOWN);
    assert_int_equal(fixture_count(f, "/api/customers"), 5);
    /* The key was made here: the caller cannot give it again. */
    assert_int_equal(f->error.retriable, 0);
}

static void test_pipeline__with_the_callers_own_key_an_unclear_outcome_may_be_repeated(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    options.idempotency_key = "order-4711";
    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_never(f, NULL);
    fixture_expect(f, create_customer(f, &options), DREAMAPI_OUTCOME_UNKNOWN);
    assert_int_equal(f->error.retriable, 1);
}

static void test_pipeline__a_refusal_settles_what_an_earlier_keyed_try_came_to(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_fail(f, NULL, DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, NULL, 400, NULL, "{\"error\":\"Failed to create customer\"}");
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_INVALID);
}

static void test_pipeline__a_429_after_an_unclear_try_leaves_it_unclear(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_fail(f, NULL, DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, NULL, 429, "Retry-After: 60", "{}");
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OUTCOME_UNKNOWN);
}

static void test_pipeline__a_key_in_flight_is_waited_for(void **state)
{
    fixture *f = *state;

    f->has_no_jitter = true;
    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_answer(f, NULL, 409, "Retry-After: 2", "{}");
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    assert_int_equal(fixture_pause_ms(f, "/api/customers", 0, 1), 2000);
}

static void test_pipeline__an_update_sets_values_and_is_repeated(void **state)
{
    fixture *f = *state;
    dreamapi_customer_update_params params = DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT;

    params.plan = "pro";
    fixture_fail(f, NULL, DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_update(f->client, "user_1", &params, NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_test_request_method(fixture_request(f, "user_1", 1)), "PATCH");
    assert_string_equal(dreamapi_test_request_body(fixture_request(f, "user_1", 1)), "{\"plan\":\"pro\"}");
}

/* ---- asking for extensions ---- */

static void test_pipeline__the_first_post_asks_and_the_next_ones_know(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/health"), 0);
    for (int i = 0; i < 3; i++) {
        fixture_answer(f, NULL, 201, NULL, CUSTOMER);
        fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    }
    assert_int_equal(fixture_count(f, "/health"), 1);
    /* The question needs no key, so it shows none. */
    assert_null(fixture_header(f, "/health", 0, "Authorization"));
}

static void test_pipeline__extensions_are_asked_for_again_after_an_hour(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    dreamapi_test_clock_advance(f->clock, 3600 * 1000 - 1);
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/health"), 1);
    dreamapi_test_clock_advance(f->clock, 1);
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/health"), 2);
}

static void test_pipeline__calls_that_wait_share_one_question(void **state)
{
    fixture *f = *state;
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_test_answer slow = DREAMAPI_TEST_ANSWER_INIT;
    dreamapi_call *calls[5];

    params.email = "a@example.test";
    slow.path = "/health";
    slow.delay_ms = 700;
    slow.body = ALL_EXTENSIONS;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &slow), DREAMAPI_OK);
    for (size_t i = 0; i < 5; i++) {
        fixture_answer(f, NULL, 201, NULL, CUSTOMER);
        fixture_expect(f, dreamapi_customer_create_start(f->client, &params, NULL, &calls[i], &f->error), DREAMAPI_OK);
    }
    for (size_t i = 0; i < 5; i++) {
        fixture_expect(f, dreamapi_call_wait(calls[i], -1, &f->error), DREAMAPI_OK);
        dreamapi_call_free(calls[i]);
    }
    assert_int_equal(fixture_count(f, "/health"), 1);
    assert_int_equal(fixture_count(f, "/api/customers"), 5);
    assert_int_equal(dreamapi_test_request_at_ms(fixture_request(f, "/api/customers", 0))
                         - dreamapi_test_request_at_ms(fixture_request(f, "/health", 0)),
                     700);
}

static void test_pipeline__a_silent_health_page_costs_half_of_a_short_call_and_means_no_extensions(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    options.timeout_ms = 2000;
    fixture_never(f, "/health");
    fixture_fail(f, "/api/customers", DREAMAPI_FAILURE_RESET, 1);
    fixture_expect(f, create_customer(f, &options), DREAMAPI_OUTCOME_UNKNOWN);
    assert_int_equal(dreamapi_test_request_at_ms(fixture_request(f, "/api/customers", 0))
                         - dreamapi_test_request_at_ms(fixture_request(f, "/health", 0)),
                     1000);
}

static void test_pipeline__a_silent_health_page_costs_a_long_call_5_s_at_most(void **state)
{
    fixture *f = *state;

    fixture_never(f, "/health");
    fixture_answer(f, "/api/customers", 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_test_request_at_ms(fixture_request(f, "/api/customers", 0))
                         - dreamapi_test_request_at_ms(fixture_request(f, "/health", 0)),
                     5000);
}

static void test_pipeline__after_silence_the_question_is_put_again_after_30_s(void **state)
{
    fixture *f = *state;

    fixture_fail(f, "/health", DREAMAPI_FAILURE_CONNECT, 0);
    for (int i = 0; i < 3; i++)
        fixture_answer(f, "/api/customers", 201, NULL, CUSTOMER);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    dreamapi_test_clock_advance(f->clock, 29999);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/health"), 1);
    dreamapi_test_clock_advance(f->clock, 1);
    fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/health"), 2);
}

static const struct {
    int http_status;
    size_t questions; /* over three POSTs, the second right away, the third 30 s later */
} silences[] = { { 500, 2 }, { 503, 2 }, { 429, 2 }, { 408, 2 }, { 404, 1 }, { 401, 1 }, { 302, 1 } };

static void test_pipeline__a_busy_health_page_is_asked_again_sooner_than_a_missing_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(silences) / sizeof(silences[0]); i++) {
        void *inner;
        fixture *f;
        size_t count;

        fixture_set_up_client(&inner);
        f = inner;
        fixture_answer(f, "/health", silences[i].http_status, NULL, "{}");
        for (int post = 0; post < 3; post++) {
            fixture_answer(f, "/api/customers", 201, NULL, CUSTOMER);
            dreamapi_test_clock_advance(f->clock, post == 2 ? 30000 : 0);
            fixture_expect(f, create_customer(f, NULL), DREAMAPI_OK);
        }
        count = fixture_count(f, "/health");
        if (count != silences[i].questions)
            fail_msg("%d: asked %zu times", silences[i].http_status, count);
        fixture_tear_down(&inner);
    }
}

static const struct {
    int http_status;
    const char *body;
    bool is_repeated; /* the POST that follows, after it broke off */
} healths[] = {
    { 200, ALL_EXTENSIONS, true },
    { 200, SERVER_SIDE_ONLY, false },
    { 200, "{\"status\":\"ok\"}", false },
    { 200, "{\"status\":\"ok\",\"extensions\":null}", false },
    { 200, "{\"status\":\"ok\",\"extensions\":\"idempotency\"}", false },
    { 200, "{\"status\":\"ok\",\"extensions\":[1]}", false },
    { 200, "{\"extensions\":[\"idempotency\"]}", false },
    { 200, "not json", false },
    { 404, ALL_EXTENSIONS, false },
    { 500, ALL_EXTENSIONS, false },
    { 429, ALL_EXTENSIONS, false },
    { 302, "", false },
};

static void test_pipeline__only_a_clear_announcement_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(healths) / sizeof(healths[0]); i++) {
        void *inner;
        fixture *f;
        dreamapi_status status;

        fixture_set_up_client(&inner);
        f = inner;
        fixture_answer(f, "/health", healths[i].http_status, NULL, healths[i].body);
        fixture_fail(f, "/api/customers", DREAMAPI_FAILURE_RESET, 1);
        fixture_answer(f, "/api/customers", 201, NULL, CUSTOMER);
        status = create_customer(f, NULL);
        if (status != (healths[i].is_repeated ? DREAMAPI_OK : DREAMAPI_OUTCOME_UNKNOWN))
            fail_msg("row %zu: %s", i, dreamapi_status_name(status));
        fixture_tear_down(&inner);
    }
}

static void test_pipeline__health_get_teaches_the_client(void **state)
{
    fixture *f = *state;

    fixture_answer(f, "/health", 200, NULL, ALL_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_expect(f, dreamapi_health_get(f->client, NULL, NULL, &f->error), DREAMAPI_OK);
    fixture_expect(f, track(f, "user_1"), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/health"), 1);
}

/* ---- user ids and tokens ---- */

static void test_pipeline__a_user_id_travels_where_the_server_takes_it(void **state)
{
    fixture *f = *state;
    dreamapi_checkout_params params = DREAMAPI_CHECKOUT_PARAMS_INIT;

    fixture_extensions(f, SERVER_SIDE_ONLY);
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_answer(f, "/api/usage", 200, NULL, USAGE);
    fixture_answer(f, "/api/create-checkout", 200, NULL, "{\"url\":\"https://pay\"}");
    fixture_expect(f, track(f, "user 1&x"), DREAMAPI_OK);
    fixture_expect(f, dreamapi_usage_get(f->client, "user 1&x", NULL, NULL, &f->error), DREAMAPI_OK);
    params.user_id = "user_2";
    params.tier = "pro";
    fixture_expect(f, dreamapi_checkout_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_test_request_body(fixture_request(f, "/api/data", 0)), "{\"userId\":\"user 1&x\"}");
    assert_string_equal(dreamapi_test_request_url(fixture_request(f, "/api/usage", 0)),
                        "https://api.example.test/api/usage?userId=user%201%26x");
    assert_string_equal(dreamapi_test_request_body(fixture_request(f, "/api/create-checkout", 0)),
                        "{\"userId\":\"user_2\",\"tier\":\"pro\"}");
    assert_null(fixture_header(f, "/api/data", 0, "X-Clerk-Token"));
    assert_string_equal(fixture_header(f, "/api/data", 0, "Authorization"), "Bearer sk_live_1");
}

static void test_pipeline__a_user_id_that_the_server_does_not_take_sends_nothing(void **state)
{
    fixture *f = *state;
    dreamapi_checkout_params params = DREAMAPI_CHECKOUT_PARAMS_INIT;

    params.user_id = "user_1";
    fixture_expect(f, track(f, "user_1"), DREAMAPI_TOKEN_REQUIRED);
    assert_int_equal(f->error.local, 1);
    assert_int_equal(f->error.retriable, 0);
    fixture_expect(f, dreamapi_usage_get(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_TOKEN_REQUIRED);
    fixture_expect(f, dreamapi_checkout_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_TOKEN_REQUIRED);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 1);
    assert_int_equal(fixture_count(f, "/health"), 1);
}

static void test_pipeline__a_user_id_needs_the_secret_key(void **state)
{
    fixture *f = *state;

    dreamapi_options_set_secret_key(f->options, NULL);
    dreamapi_options_set_publishable_key(f->options, "pk_live_1");
    fixture_make_client(f);
    fixture_expect(f, track(f, "user_1"), DREAMAPI_TOKEN_REQUIRED);
    fixture_expect(f, track(f, NULL), DREAMAPI_TOKEN_REQUIRED);
    assert_int_equal(f->error.local, 1);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
}

static void test_pipeline__a_user_id_waits_for_a_server_that_is_coming_back(void **state)
{
    fixture *f = *state;

    fixture_fail(f, "/health", DREAMAPI_FAILURE_CONNECT, 0);
    fixture_fail(f, "/health", DREAMAPI_FAILURE_CONNECT, 0);
    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_expect(f, track(f, "user_1"), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/health"), 3);
}

static void test_pipeline__a_user_id_and_a_server_that_is_away_is_unavailable_not_token_required(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 10; i++)
        fixture_fail(f, "/health", DREAMAPI_FAILURE_CONNECT, 0);
    fixture_expect(f, track(f, "user_1"), DREAMAPI_UNAVAILABLE);
    assert_int_equal(fixture_count(f, "/health"), 5);
    assert_int_equal(fixture_count(f, "/api/data"), 0);
    assert_int_equal(f->error.retriable, 1);
}

static void test_pipeline__a_token_travels_beside_either_key(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    options.user_token = "aaa.bbb.ccc";
    dreamapi_options_set_secret_key(f->options, NULL);
    dreamapi_options_set_publishable_key(f->options, "pk_live_1");
    fixture_make_client(f);
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_expect(f, dreamapi_usage_track(f->client, NULL, NULL, &options, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(fixture_header(f, "/api/data", 0, "X-Publishable-Key"), "pk_live_1");
    assert_string_equal(fixture_header(f, "/api/data", 0, "X-Clerk-Token"), "aaa.bbb.ccc");
    assert_null(fixture_header(f, "/api/data", 0, "Authorization"));
    assert_string_equal(dreamapi_test_request_body(fixture_request(f, "/api/data", 0)), "{}");
    fixture_expect(f, dreamapi_usage_track(f->client, "user_1", NULL, &options, NULL, &f->error), DREAMAPI_INVALID);
}

/* ---- limits ---- */

static void test_pipeline__a_tier_limit_tells_the_numbers(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_answer(f, "/api/data", 403, NULL, "{\"error\":\"Tier limit reached\",\"usageCount\":5,\"limit\":5}");
    fixture_expect(f, track(f, "user_1"), DREAMAPI_LIMIT);
    assert_int_equal(f->error.used, 5);
    assert_int_equal(f->error.limit, 5);
    assert_int_equal(f->error.retriable, 0);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
}

static void test_pipeline__after_429_the_client_refuses_that_user_itself(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_answer(f, "/api/data", 429, "Retry-After: 60", "{}");
    fixture_expect(f, track(f, "user_1"), DREAMAPI_RATE_LIMITED);
    assert_int_equal(f->error.local, 0);

    dreamapi_test_clock_advance(f->clock, 20000);
    fixture_expect(f, track(f, "user_1"), DREAMAPI_RATE_LIMITED);
    assert_int_equal(f->error.local, 1);
    assert_int_equal(f->error.retry_after_ms, 40000);
    assert_int_equal(f->error.http_status, 0);
    assert_non_null(strstr(f->error.message, "not sent"));
    fixture_expect(f, dreamapi_usage_get(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_RATE_LIMITED);
    assert_int_equal(f->error.local, 1);
    /* The same user by a token: {"sub":"user_1"}. */
    options.user_token = "e30.eyJzdWIiOiJ1c2VyXzEifQ.x";
    fixture_expect(f, dreamapi_usage_get(f->client, NULL, &options, NULL, &f->error), DREAMAPI_RATE_LIMITED);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    assert_int_equal(fixture_count(f, "/api/usage"), 0);

    dreamapi_test_clock_advance(f->clock, 40000);
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_expect(f, track(f, "user_1"), DREAMAPI_OK);
}

static void test_pipeline__after_429_others_are_not_refused(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_answer(f, "/api/data", 429, "Retry-After: 60", "{}");
    fixture_expect(f, track(f, "user_1"), DREAMAPI_RATE_LIMITED);
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_expect(f, track(f, "user_2"), DREAMAPI_OK);
    fixture_answer(f, "user_1", 200, NULL, CUSTOMER);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
}

static void test_pipeline__a_retry_that_waited_its_time_is_sent(void **state)
{
    fixture *f = *state;

    f->has_no_jitter = true;
    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_answer(f, "/api/data", 429, "Retry-After: 3", "{}");
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_expect(f, track(f, "user_1"), DREAMAPI_OK);
    assert_int_equal(fixture_pause_ms(f, "/api/data", 0, 1), 3000);
}

static void test_pipeline__a_call_already_sent_once_is_not_refused_for_what_another_was_told(void **state)
{
    fixture *f = *state;
    dreamapi_call *first = NULL;
    dreamapi_call *second = NULL;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_fail(f, "/api/data", DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, "/api/data", 429, "Retry-After: 60", "{}");
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_expect(f, dreamapi_usage_track_start(f->client, "user_1", NULL, NULL, &first, &f->error), DREAMAPI_OK);
    fixture_expect(f, dreamapi_usage_track_start(f->client, "user_1", NULL, NULL, &second, &f->error), DREAMAPI_OK);
    /* "Not sent" would be a lie about the first one: its first try may have been counted. */
    fixture_expect(f, dreamapi_call_wait(second, -1, &f->error), DREAMAPI_RATE_LIMITED);
    assert_int_equal(f->error.local, 0);
    fixture_expect(f, dreamapi_call_wait(first, -1, &f->error), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/api/data"), 3);
    dreamapi_call_free(first);
    dreamapi_call_free(second);
}

/* ---- answers that are none ---- */

static void test_pipeline__an_answer_larger_than_allowed_is_a_protocol_error(void **state)
{
    fixture *f = *state;
    char body[1100];

    dreamapi_options_set_max_response_size(f->options, 1024);
    fixture_make_client(f);
    (void)snprintf(body, sizeof(body), "{\"customer\":{\"id\":\"%01000d\"}}", 1);
    fixture_answer(f, NULL, 200, NULL, body);
    fixture_expect(f, get_customer(f), DREAMAPI_OK);
    (void)snprintf(body, sizeof(body), "{\"customer\":{\"id\":\"%01020d\"}}", 1);
    fixture_answer(f, NULL, 200, NULL, body);
    fixture_expect(f, get_customer(f), DREAMAPI_PROTOCOL);
    assert_int_equal(fixture_count(f, "user_1"), 2);
}

static void test_pipeline__a_redirect_is_not_followed(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 302, "Location: https://evil.example/", "");
    fixture_expect(f, get_customer(f), DREAMAPI_PROTOCOL);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 1);
}

static void test_pipeline__a_refused_certificate_is_not_retried(void **state)
{
    fixture *f = *state;

    fixture_fail(f, NULL, DREAMAPI_FAILURE_TLS, 0);
    fixture_expect(f, get_customer(f), DREAMAPI_TLS);
    assert_int_equal(fixture_count(f, "user_1"), 1);
}

/* ---- the log ---- */

static void keep_lines(void *data, dreamapi_log_level level, const char *message)
{
    char *lines = data;

    (void)level;
    strncat(lines, message, 4000 - strlen(lines));
    strncat(lines, "\n", 4000 - strlen(lines));
}

static void test_pipeline__the_log_tells_of_retries_and_holds_no_secret(void **state)
{
    fixture *f = *state;
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    char lines[4096] = "";

    dreamapi_options_set_log(f->options, keep_lines, lines);
    fixture_make_client(f);
    fixture_extensions(f, ALL_EXTENSIONS);
    params.email = "a@example.test";
    params.password = "hunter2hunter2";
    fixture_answer(f, NULL, 503, NULL, "{}");
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_OK);
    options.user_token = "e30.token.x";
    fixture_answer(f, NULL, 503, NULL, "{}");
    fixture_answer(f, NULL, 200, NULL, TRACKED);
    fixture_expect(f, dreamapi_usage_track(f->client, NULL, NULL, &options, NULL, &f->error), DREAMAPI_OK);
    assert_non_null(strstr(lines, "trying again"));
    assert_null(strstr(lines, "sk_live_1"));
    assert_null(strstr(lines, "hunter2"));
    assert_null(strstr(lines, "e30.token"));
}

#define WITH_CLIENT(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_client, fixture_tear_down)
#define WITH_OPTIONS(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(test_pipeline__an_idempotent_call_is_tried_again_until_it_succeeds),
        WITH_CLIENT(test_pipeline__pauses_stay_below_the_growing_span),
        WITH_OPTIONS(test_pipeline__max_retries_0_means_one_try),
        WITH_CLIENT(test_pipeline__a_final_answer_is_not_repeated),
        WITH_OPTIONS(test_pipeline__a_stale_connection_is_retried_at_once_and_costs_nothing),
        WITH_CLIENT(test_pipeline__a_delete_that_finds_nothing_after_a_retry_says_why_that_may_be),
        WITH_CLIENT(test_pipeline__retry_after_is_waited_for),
        WITH_CLIENT(test_pipeline__retry_after_as_a_date_is_waited_for),
        WITH_CLIENT(test_pipeline__retry_after_beyond_the_deadline_ends_the_call_at_once),
        WITH_CLIENT(test_pipeline__retry_after_in_the_body_alone_counts),
        WITH_CLIENT(test_pipeline__a_call_without_an_answer_ends_at_its_deadline),
        WITH_CLIENT(test_pipeline__the_default_deadline_is_30_s),
        WITH_CLIENT(test_pipeline__the_deadline_covers_all_tries_together),
        WITH_CLIENT(test_pipeline__wall_time_may_step_without_moving_a_deadline),
        WITH_CLIENT(test_pipeline__ten_retries_are_in_the_budget_and_then_none),
        WITH_CLIENT(test_pipeline__every_post_carries_a_key_and_no_other_call_does),
        WITH_CLIENT(test_pipeline__the_key_stays_the_same_over_all_tries_and_differs_between_calls),
        WITH_CLIENT(test_pipeline__the_callers_key_is_used),
        WITH_CLIENT(test_pipeline__an_unkeyed_post_that_may_have_arrived_is_not_repeated),
        WITH_CLIENT(test_pipeline__an_unkeyed_post_that_surely_never_left_is_repeated),
        WITH_CLIENT(test_pipeline__an_unkeyed_post_is_not_repeated_after_a_server_error),
        WITH_CLIENT(test_pipeline__an_unkeyed_post_is_repeated_after_429),
        WITH_CLIENT(test_pipeline__a_post_without_an_answer_at_the_deadline_is_unclear),
        WITH_CLIENT(test_pipeline__a_keyed_post_whose_tries_all_failed_is_unclear),
        WITH_CLIENT(test_pipeline__with_the_callers_own_key_an_unclear_outcome_may_be_repeated),
        WITH_CLIENT(test_pipeline__a_refusal_settles_what_an_earlier_keyed_try_came_to),
        WITH_CLIENT(test_pipeline__a_429_after_an_unclear_try_leaves_it_unclear),
        WITH_CLIENT(test_pipeline__a_key_in_flight_is_waited_for),
        WITH_CLIENT(test_pipeline__an_update_sets_values_and_is_repeated),
        WITH_CLIENT(test_pipeline__the_first_post_asks_and_the_next_ones_know),
        WITH_CLIENT(test_pipeline__extensions_are_asked_for_again_after_an_hour),
        WITH_CLIENT(test_pipeline__calls_that_wait_share_one_question),
        WITH_CLIENT(test_pipeline__a_silent_health_page_costs_half_of_a_short_call_and_means_no_extensions),
        WITH_CLIENT(test_pipeline__a_silent_health_page_costs_a_long_call_5_s_at_most),
        WITH_CLIENT(test_pipeline__after_silence_the_question_is_put_again_after_30_s),
        cmocka_unit_test(test_pipeline__a_busy_health_page_is_asked_again_sooner_than_a_missing_one),
        cmocka_unit_test(test_pipeline__only_a_clear_announcement_counts),
        WITH_CLIENT(test_pipeline__health_get_teaches_the_client),
        WITH_CLIENT(test_pipeline__a_user_id_travels_where_the_server_takes_it),
        WITH_CLIENT(test_pipeline__a_user_id_that_the_server_does_not_take_sends_nothing),
        WITH_OPTIONS(test_pipeline__a_user_id_needs_the_secret_key),
        WITH_CLIENT(test_pipeline__a_user_id_waits_for_a_server_that_is_coming_back),
        WITH_CLIENT(test_pipeline__a_user_id_and_a_server_that_is_away_is_unavailable_not_token_required),
        WITH_OPTIONS(test_pipeline__a_token_travels_beside_either_key),
        WITH_CLIENT(test_pipeline__a_tier_limit_tells_the_numbers),
        WITH_CLIENT(test_pipeline__after_429_the_client_refuses_that_user_itself),
        WITH_CLIENT(test_pipeline__after_429_others_are_not_refused),
        WITH_CLIENT(test_pipeline__a_retry_that_waited_its_time_is_sent),
        WITH_CLIENT(test_pipeline__a_call_already_sent_once_is_not_refused_for_what_another_was_told),
        WITH_OPTIONS(test_pipeline__an_answer_larger_than_allowed_is_a_protocol_error),
        WITH_CLIENT(test_pipeline__a_redirect_is_not_followed),
        WITH_CLIENT(test_pipeline__a_refused_certificate_is_not_retried),
        WITH_OPTIONS(test_pipeline__the_log_tells_of_retries_and_holds_no_secret),
    };
    return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
