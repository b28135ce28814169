/* SPDX-License-Identifier: Apache-2.0 */
/* Tests for meter/direct.c and direct_report.c: meters of a server that announces no leases. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fixture.h"
#include "lib/meter/metering.h"

#define NO_EXTENSIONS "{\"status\":\"ok\"}"
#define KEYED_SERVER "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"server-side\"]}"
#define BATCH_SERVER "{\"status\":\"ok\",\"extensions\":[\"server-side\",\"usage-batch\"]}"
#define LEASE_SERVER "{\"status\":\"ok\",\"extensions\":[\"server-side\",\"leases\"]}"
#define COUNTED(n)                                                                                                     \
    "{\"success\":true,\"data\":{\"message\":\"m\"},\"usage\":{\"count\":" #n ",\"limit\":5,\"plan\":\"free\"}}"
#define USED(n) "{\"userId\":\"user_1\",\"plan\":\"free\",\"usageCount\":" #n ",\"limit\":5}"
#define LIMIT_REACHED "{\"error\":\"Tier limit reached\",\"usageCount\":5,\"limit\":5,\"message\":\"Please upgrade\"}"
#define RATE_REACHED                                                                                                   \
    "{\"error\":\"Rate limit exceeded\",\"message\":\"Maximum 100 requests per minute\",\"retryAfter\":60}"

static dreamapi_meter *open_meter(fixture *f, const char *token, int64_t cached_units)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    dreamapi_meter *meter = NULL;

    params.user_token = token;
    params.cached_units = cached_units;
    fixture_expect(f, dreamapi_meter_open(f->client, "user_1", &params, &meter, &f->error), DREAMAPI_OK);
    return meter;
}

static dreamapi_meter_stats stats_of(const fixture *f)
{
    dreamapi_meter_stats stats;

    assert_int_equal(dreamapi_client_meter_stats(f->client, &stats), DREAMAPI_OK);
    return stats;
}

/* Works until nothing is due for the next `ms` of virtual time. */
static void pass(fixture *f, int64_t ms)
{
    int64_t until_ms = fixture_now_ms(f) + ms;

    for (;;) {
        int64_t due_ms;
        dreamapi_client_perform(f->client);
        due_ms = dreamapi_client_timeout_ms(f->client);
        if (due_ms < 0 || fixture_now_ms(f) + due_ms > until_ms)
            break;
        dreamapi_test_clock_advance(f->clock, due_ms);
    }
    if (fixture_now_ms(f) < until_ms)
        dreamapi_test_clock_advance(f->clock, until_ms - fixture_now_ms(f));
}

/* ---- strict ---- */

static void test_strict__one_use_is_one_request_with_the_users_token(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(2));
    meter = open_meter(f, "jwt-1", 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OK);
    assert_int_equal(decision.allowed, 1);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_SERVER);
    assert_string_equal(decision.plan, "free");
    assert_int_equal(decision.used, 2);
    assert_int_equal(decision.limit, 5);
    assert_int_equal(decision.remaining, 3);
    assert_int_equal(decision.max_over, 0);
    assert_string_equal(fixture_header(f, "/api/data", 0, "X-Clerk-Token"), "jwt-1");
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    assert_int_equal(fixture_count(f, "/api/leases"), 0);
    assert_int_equal(dreamapi_meter_refund(meter, &decision), DREAMAPI_UNSUPPORTED);
    dreamapi_meter_close(meter);
}

static void test_strict__without_token_or_extension_the_token_is_missing(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, NO_EXTENSIONS);
    meter = open_meter(f, NULL, 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_TOKEN_REQUIRED);
    assert_int_equal(decision.reason, DREAMAPI_REASON_REFUSED);
    assert_int_equal(fixture_count(f, "/api/data"), 0);
    dreamapi_meter_close(meter);
}

static void test_strict__server_side_names_the_user_by_id(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, SERVER_SIDE_ONLY);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, NULL, 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OK);
    assert_non_null(strstr(dreamapi_test_request_body(fixture_request(f, "/api/data", 0)), "\"userId\":\"user_1\""));
    dreamapi_meter_close(meter);
}

static void test_strict__a_publishable_key_never_asks_for_leases(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;

    dreamapi_options_set_secret_key(f->options, NULL);
    dreamapi_options_set_publishable_key(f->options, "pk_live_1");
    fixture_make_client(f);
    fixture_extensions(f, LEASE_SERVER);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, "jwt-1", 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/api/leases"), 0);
    dreamapi_meter_close(meter);
}

static void test_strict__a_limit_is_answered_here_for_a_second(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 403, NULL, LIMIT_REACHED);
    meter = open_meter(f, "jwt-1", 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_LIMIT);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_SERVER);
    assert_int_equal(decision.reason, DREAMAPI_REASON_LIMIT);
    assert_int_equal(decision.used, 5);
    assert_int_equal(decision.limit, 5);
    dreamapi_test_clock_advance(f->clock, 900);
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_LIMIT);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_CACHE);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    dreamapi_test_clock_advance(f->clock, 200);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OK);
    dreamapi_meter_close(meter);
}

static void test_strict__a_rate_window_is_answered_here_until_it_ends(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 429, "Retry-After: 60", RATE_REACHED);
    meter = open_meter(f, "jwt-1", 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_RATE_LIMITED);
    assert_int_equal(decision.reason, DREAMAPI_REASON_RATE);
    assert_int_equal(decision.retry_after_ms, 60000);
    dreamapi_test_clock_advance(f->clock, 59000);
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_RATE_LIMITED);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_CACHE);
    assert_in_range(decision.retry_after_ms, 1, 1001);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    dreamapi_test_clock_advance(f->clock, 1100);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OK);
    dreamapi_meter_close(meter);
}

static void test_strict__an_unclear_outcome_is_no_admission_and_is_not_repeated(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_fail(f, "/api/data", DREAMAPI_FAILURE_RESET, 1);
    meter = open_meter(f, "jwt-1", 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OUTCOME_UNKNOWN);
    assert_int_equal(decision.allowed, 0);
    assert_int_equal(decision.reason, DREAMAPI_REASON_UNAVAILABLE);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    dreamapi_meter_close(meter);
}

static void test_strict__wait_ms_bounds_the_request(void **state)
{
    fixture *f = *state;
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    dreamapi_meter *meter = NULL;
    int64_t began_ms;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    fixture_never(f, "/api/data");
    params.user_token = "jwt-1";
    params.wait_ms = 700;
    fixture_expect(f, dreamapi_meter_open(f->client, "user_1", &params, &meter, &f->error), DREAMAPI_OK);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    began_ms = fixture_now_ms(f);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OUTCOME_UNKNOWN);
    assert_in_range(fixture_now_ms(f) - began_ms, 690, 710);
    dreamapi_meter_close(meter);
}

static void test_strict__what_a_direct_request_cannot_say_is_unsupported(void **state)
{
    fixture *f = *state;
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    dreamapi_reservation reservation;
    dreamapi_meter *meter;

    fixture_extensions(f, NO_EXTENSIONS);
    meter = open_meter(f, "jwt-1", 0);
    fixture_expect(f, dreamapi_meter_use(meter, 2, NULL), DREAMAPI_UNSUPPORTED);
    fixture_expect(f, dreamapi_meter_reserve(meter, 1, 1000, &reservation, NULL), DREAMAPI_UNSUPPORTED);
    dreamapi_meter_close(meter);
    params.meter = "tokens";
    params.user_token = "jwt-1";
    fixture_expect(f, dreamapi_meter_open(f->client, "user_1", &params, &meter, &f->error), DREAMAPI_OK);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_UNSUPPORTED);
    assert_int_equal(fixture_count(f, "/api/data"), 0);
    dreamapi_meter_close(meter);
}

static void test_strict__check_answers_from_what_was_said(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(4));
    meter = open_meter(f, "jwt-1", 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    fixture_expect(f, dreamapi_meter_check(meter, 1, &decision), DREAMAPI_OK);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_CACHE);
    assert_int_equal(decision.remaining, 1);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    dreamapi_meter_close(meter);
}

static void test_strict__leases_are_used_once_they_are_announced(void **state)
{
    fixture *f = *state;
    dreamapi_test_answer health = DREAMAPI_TEST_ANSWER_INIT;
    dreamapi_meter *meter;

    health.path = "/health";
    health.body = NO_EXTENSIONS;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &health), DREAMAPI_OK);
    fixture_extensions(f, LEASE_SERVER);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(2));
    meter = open_meter(f, "jwt-1", 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    dreamapi_test_clock_advance(f->clock, 61 * 60 * 1000);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/api/leases"), 0);
    (void)dreamapi_meter_use(meter, 1, NULL);
    assert_true(fixture_count(f, "/api/leases") > 0);
    assert_int_equal(fixture_count(f, "/api/data"), 2);
    dreamapi_meter_close(meter);
}

/* ---- cached ---- */

static void test_cached__a_use_is_admitted_at_once_and_reported_once(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, NO_EXTENSIONS);
    for (int i = 0; i < 3; i++)
        fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, "jwt-1", 10);
    fixture_expect(f, dreamapi_meter_use(meter, 3, &decision), DREAMAPI_OK);
    assert_int_equal(decision.source, DREAMAPI_SOURCE_CACHE);
    assert_int_equal(decision.max_over, 10);
    assert_int_equal(fixture_count(f, "/api/data"), 0);
    assert_int_equal(stats_of(f).units_unreported, 3);
    pass(f, 1000);
    assert_int_equal(fixture_count(f, "/api/data"), 3);
    assert_int_equal(stats_of(f).units_unreported, 0);
    assert_int_equal(stats_of(f).units_settled, 3);
    fixture_expect(f, dreamapi_client_flush(f->client, 1000, &f->error), DREAMAPI_OK);
    dreamapi_meter_close(meter);
}

static void test_cached__no_more_than_the_bound_is_admitted_unconfirmed(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    int admitted = 0;

    fixture_extensions(f, NO_EXTENSIONS);
    meter = open_meter(f, "jwt-1", 4);
    for (int i = 0; i < 8; i++)
        admitted += dreamapi_meter_use(meter, 1, NULL) == DREAMAPI_OK;
    assert_int_equal(admitted, 4);
    assert_int_equal(stats_of(f).units_unreported, 4);
    fixture_expect(f, dreamapi_meter_use(meter, 5, NULL), DREAMAPI_UNSUPPORTED);
    dreamapi_meter_close(meter);
}

static void test_cached__a_report_with_no_clear_outcome_is_never_sent_again(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    int admitted = 0;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(3));
    fixture_fail(f, "/api/data", DREAMAPI_FAILURE_RESET, 1);
    meter = open_meter(f, "jwt-1", 2);
    fixture_expect(f, dreamapi_meter_use(meter, 2, NULL), DREAMAPI_OK);
    pass(f, 60000);
    assert_int_equal(fixture_count(f, "/api/data"), 2);
    assert_int_equal(stats_of(f).units_unreported, 0);
    assert_int_equal(stats_of(f).units_doubtful, 1);
    /* It still counts against the bound. */
    for (int i = 0; i < 3; i++)
        admitted += dreamapi_meter_use(meter, 1, NULL) == DREAMAPI_OK;
    assert_int_equal(admitted, 1);
    /* Until a new period begins at the server. */
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    pass(f, 60000);
    assert_int_equal(stats_of(f).units_doubtful, 0);
    dreamapi_meter_close(meter);
}

static void test_cached__a_bound_full_of_doubt_is_freed_by_a_new_period(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(3));
    fixture_fail(f, "/api/data", DREAMAPI_FAILURE_RESET, 1);
    meter = open_meter(f, "jwt-1", 1);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 5000);
    assert_int_equal(stats_of(f).units_doubtful, 1);
    fixture_answer(f, "/api/usage", 200, NULL, USED(3));
    assert_int_not_equal(dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OK);
    assert_int_equal(decision.allowed, 0);
    pass(f, 5000);
    fixture_answer(f, "/api/usage", 200, NULL, USED(0));
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    dreamapi_meter_close(meter);
}

static void test_cached__a_token_that_stays_refused_is_no_reason_to_wait(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    int64_t began_ms;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 401, NULL, "{\"error\":\"Invalid or missing end-user token\"}");
    fixture_answer(f, "/api/data", 401, NULL, "{\"error\":\"Invalid or missing end-user token\"}");
    meter = open_meter(f, "jwt-1", 5);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 10);
    began_ms = fixture_now_ms(f);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_AUTH);
    assert_in_range(fixture_now_ms(f) - began_ms, 0, 100);
    assert_int_equal(fixture_count(f, "/api/data"), 2);
    dreamapi_meter_close(meter);
}

static void test_strict__a_server_that_was_down_first_leaves_nothing_unsettled(void **state)
{
    fixture *f = *state;
    dreamapi_test_answer health = DREAMAPI_TEST_ANSWER_INIT;
    dreamapi_meter *meter;

    health.path = "/health";
    health.http_status = 0;
    health.failure = DREAMAPI_FAILURE_CONNECT;
    health.maybe_sent = 0;
    health.times = 20;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &health), DREAMAPI_OK);
    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, "jwt-1", 0);
    (void)dreamapi_meter_use(meter, 1, NULL);
    pass(f, 120000);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    fixture_expect(f, dreamapi_client_flush(f->client, 1000, &f->error), DREAMAPI_OK);
    dreamapi_meter_close(meter);
}

static void test_cached__a_server_that_knows_keys_gets_the_same_report_again(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    char key[64];

    dreamapi_options_set_max_retries(f->options, 0);
    fixture_make_client(f);
    fixture_extensions(f, KEYED_SERVER);
    fixture_fail(f, "/api/data", DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, NULL, 2);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 10000);
    assert_int_equal(fixture_count(f, "/api/data"), 2);
    (void)snprintf(key, sizeof(key), "%s", fixture_header(f, "/api/data", 0, "Idempotency-Key"));
    assert_string_equal(fixture_header(f, "/api/data", 1, "Idempotency-Key"), key);
    assert_int_equal(stats_of(f).units_unreported, 0);
    assert_int_equal(stats_of(f).units_doubtful, 0);
    dreamapi_meter_close(meter);
}

/* How long ago it was sent, nobody knows: the server may have forgotten its key. */
static void test_cached__a_report_of_the_future_is_not_sent_again(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;

    dreamapi_options_set_max_retries(f->options, 0);
    fixture_make_client(f);
    fixture_extensions(f, KEYED_SERVER);
    fixture_fail(f, "/api/data", DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, NULL, 2);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 10);
    dreamapi_test_clock_set_wall_ms(f->clock, dreamapi_test_clock_wall_ms(f->clock) - 3600000);
    pass(f, 10000);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    assert_int_equal(stats_of(f).units_unreported, 0);
    assert_int_equal(stats_of(f).units_doubtful, 1);
    dreamapi_meter_close(meter);
}

static void test_cached__a_refusal_stops_admissions_and_is_asked_about_again(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 403, NULL, LIMIT_REACHED);
    meter = open_meter(f, "jwt-1", 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_LIMIT);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    assert_int_equal(stats_of(f).units_unreported, 1);
    assert_int_equal(dreamapi_client_flush(f->client, 1000, &f->error), DREAMAPI_LIMIT);
    /* A second later the next use asks, by the unit that is still to be billed; the upgrade shows. */
    dreamapi_test_clock_advance(f->clock, 1100);
    fixture_answer(f, "/api/data", 200, NULL,
                   "{\"success\":true,\"usage\":{\"count\":6,\"limit\":100,\"plan\":\"pro\"}}");
    fixture_expect(f, dreamapi_meter_use(meter, 1, &decision), DREAMAPI_OK);
    assert_string_equal(decision.plan, "pro");
    assert_int_equal(fixture_count(f, "/api/data"), 2);
    assert_int_equal(stats_of(f).units_unreported, 1);
    dreamapi_meter_close(meter);
}

static void test_cached__the_known_rest_of_the_plan_is_not_passed(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    dreamapi_decision decision;
    int admitted = 0;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(3));
    meter = open_meter(f, "jwt-1", 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 10);
    for (int i = 0; i < 4; i++)
        admitted += dreamapi_meter_use(meter, 1, &decision) == DREAMAPI_OK;
    assert_int_equal(admitted, 2);
    assert_int_equal(decision.reason, DREAMAPI_REASON_LIMIT);
    assert_int_equal(decision.remaining, 0);
    dreamapi_meter_close(meter);
}

static void test_cached__numbers_that_are_old_are_asked_for_before_a_refusal(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(5));
    meter = open_meter(f, "jwt-1", 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 5000);
    fixture_answer(f, "/api/usage", 200, NULL, USED(0));
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/api/usage"), 1);
    dreamapi_meter_close(meter);
}

static dreamapi_status tell_token(void *user_data, const char *user_id, char *out, size_t size)
{
    int *asked = user_data;

    (void)snprintf(out, size, "jwt-%s-%d", user_id, ++*asked);
    return DREAMAPI_OK;
}

static void test_cached__a_token_that_was_refused_is_replaced_by_the_next_use(void **state)
{
    fixture *f = *state;
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    dreamapi_meter *meter = NULL;
    int asked = 0;

    fixture_extensions(f, NO_EXTENSIONS);
    fixture_answer(f, "/api/data", 401, NULL, "{\"error\":\"Invalid or missing end-user token\"}");
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(2));
    params.token_function = tell_token;
    params.token_data = &asked;
    params.cached_units = 5;
    fixture_expect(f, dreamapi_meter_open(f->client, "user_1", &params, &meter, &f->error), DREAMAPI_OK);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 100);
    assert_int_equal(asked, 1);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 100);
    assert_int_equal(asked, 2);
    assert_int_equal(fixture_count(f, "/api/data"), 3);
    assert_string_equal(fixture_header(f, "/api/data", 1, "X-Clerk-Token"), "jwt-user_1-2");
    assert_int_equal(stats_of(f).units_unreported, 0);
    dreamapi_meter_close(meter);
}

static void test_cached__a_batch_says_how_many_and_is_repeated_by_its_id(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;
    const char *body;

    dreamapi_options_set_max_retries(f->options, 0);
    fixture_make_client(f);
    fixture_extensions(f, BATCH_SERVER);
    fixture_fail(f, "/api/usage/batch", DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, "/api/usage/batch", 200, NULL, "{\"results\":[{\"id\":\"x\",\"status\":\"duplicate\"}]}");
    fixture_answer(f, "/api/usage", 200, NULL, USED(3));
    meter = open_meter(f, NULL, 10);
    fixture_expect(f, dreamapi_meter_use(meter, 3, NULL), DREAMAPI_OK);
    pass(f, 10000);
    assert_int_equal(fixture_count(f, "/api/usage/batch"), 2);
    body = dreamapi_test_request_body(fixture_request(f, "/api/usage/batch", 0));
    assert_non_null(strstr(body, "\"units\":3"));
    assert_string_equal(dreamapi_test_request_body(fixture_request(f, "/api/usage/batch", 1)), body);
    assert_int_equal(stats_of(f).units_unreported, 0);
    assert_int_equal(fixture_count(f, "/api/data"), 0);
    dreamapi_meter_close(meter);
}

static void test_cached__an_event_that_does_not_fit_is_made_smaller(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;

    fixture_extensions(f, BATCH_SERVER);
    fixture_answer(f, "/api/usage/batch", 200, NULL, "{\"results\":[{\"id\":\"x\",\"status\":\"limit\"}]}");
    fixture_answer(f, "/api/usage/batch", 200, NULL, "{\"results\":[{\"id\":\"x\",\"status\":\"applied\"}]}");
    fixture_answer(f, "/api/usage/batch", 200, NULL, "{\"results\":[{\"id\":\"x\",\"status\":\"limit\"}]}");
    fixture_answer(f, "/api/usage", 200, NULL, USED(5));
    fixture_answer(f, "/api/usage", 200, NULL, USED(5));
    meter = open_meter(f, NULL, 10);
    fixture_expect(f, dreamapi_meter_use(meter, 2, NULL), DREAMAPI_OK);
    pass(f, 500);
    assert_int_equal(fixture_count(f, "/api/usage/batch"), 3);
    assert_non_null(strstr(dreamapi_test_request_body(fixture_request(f, "/api/usage/batch", 1)), "\"units\":1"));
    assert_int_equal(stats_of(f).units_unreported, 1);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_LIMIT);
    dreamapi_meter_close(meter);
}

/* ---- over the end of a run ---- */

static void name_journal(fixture *f, char *path)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(dreamapi_options_set_journal(f->options, path), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_close_timeout_ms(f->options, 0), DREAMAPI_OK);
}

static void make_again(fixture *f)
{
    dreamapi_client_free(f->client);
    f->client = NULL;
    fixture_make_client(f);
}

static void test_journal__the_next_run_reports_what_this_one_did_not(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/dreamapi-direct-XXXXXX";
    dreamapi_meter *meter;

    name_journal(f, path);
    fixture_make_client(f);
    fixture_extensions(f, SERVER_SIDE_ONLY);
    meter = open_meter(f, NULL, 10);
    fixture_expect(f, dreamapi_meter_use(meter, 3, NULL), DREAMAPI_OK);
    dreamapi_meter_close(meter);
    assert_int_equal(fixture_count(f, "/api/data"), 0);
    make_again(f);
    assert_int_equal(stats_of(f).units_unreported, 3);
    fixture_answer(f, "/api/usage", 200, NULL, USED(0));
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(2));
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(3));
    pass(f, 1000);
    assert_int_equal(fixture_count(f, "/api/data"), 3);
    assert_int_equal(stats_of(f).units_unreported, 0);
    (void)unlink(path);
}

static void test_journal__units_of_a_user_with_a_token_wait_for_one(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/dreamapi-direct-XXXXXX";
    dreamapi_meter *meter;

    name_journal(f, path);
    fixture_make_client(f);
    fixture_extensions(f, NO_EXTENSIONS);
    meter = open_meter(f, "jwt-1", 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    dreamapi_meter_close(meter);
    make_again(f);
    pass(f, 1000);
    assert_int_equal(fixture_count(f, "/api/data"), 0);
    assert_int_equal(dreamapi_client_flush(f->client, 1000, &f->error), DREAMAPI_TOKEN_REQUIRED);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, "jwt-2", 10);
    pass(f, 1000);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    assert_string_equal(fixture_header(f, "/api/data", 0, "X-Clerk-Token"), "jwt-2");
    dreamapi_meter_close(meter);
    (void)unlink(path);
}

static void test_journal__a_report_that_was_cut_off_is_not_sent_again(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/dreamapi-direct-XXXXXX";
    dreamapi_meter *meter;

    name_journal(f, path);
    fixture_make_client(f);
    fixture_extensions(f, NO_EXTENSIONS);
    fixture_never(f, "/api/data");
    meter = open_meter(f, "jwt-1", 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 10);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    dreamapi_meter_close(meter);
    make_again(f);
    meter = open_meter(f, "jwt-1", 10);
    pass(f, 10000);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    assert_int_equal(stats_of(f).units_doubtful, 1);
    dreamapi_meter_close(meter);
    (void)unlink(path);
}

/* ---- two clients of one process on one journal ---- */

/* Owned. `f->client` stays the first one. */
static dreamapi_client *make_second(fixture *f)
{
    dreamapi_client *first = f->client;
    dreamapi_client *second;

    fixture_make_client(f);
    second = f->client;
    f->client = first;
    return second;
}

/* The same as `pass`, of the other one. */
static void pass_of(fixture *f, dreamapi_client *client, int64_t ms)
{
    dreamapi_client *first = f->client;

    f->client = client;
    pass(f, ms);
    f->client = first;
}

static void test_journal__a_report_under_way_is_of_the_client_that_sent_it(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/dreamapi-direct-XXXXXX";
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;
    dreamapi_meter *meter;
    dreamapi_client *second;

    name_journal(f, path);
    fixture_make_client(f);
    second = make_second(f);
    fixture_extensions(f, NO_EXTENSIONS);
    answer.path = "/api/data";
    answer.body = COUNTED(1);
    answer.delay_ms = 4000;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_OK);
    meter = open_meter(f, "jwt-1", 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 10);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    pass_of(f, second, 3000);
    assert_int_equal(stats_of(f).units_doubtful, 0);
    pass(f, 2000);
    assert_int_equal(stats_of(f).units_unreported, 0);
    assert_int_equal(stats_of(f).units_doubtful, 0);
    assert_int_equal(stats_of(f).units_settled, 1);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    dreamapi_meter_close(meter);
    dreamapi_client_free(second);
    (void)unlink(path);
}

static void expect_one_key(const fixture *f)
{
    char key[64];

    assert_int_equal(fixture_count(f, "/api/data"), 2);
    (void)snprintf(key, sizeof(key), "%s", fixture_header(f, "/api/data", 0, "Idempotency-Key"));
    assert_string_equal(fixture_header(f, "/api/data", 1, "Idempotency-Key"), key);
    assert_int_equal(stats_of(f).units_unreported, 0);
    assert_int_equal(stats_of(f).units_doubtful, 0);
}

static void test_journal__a_report_of_a_closed_client_is_repeated_by_another(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/dreamapi-direct-XXXXXX";
    dreamapi_meter *meter;
    dreamapi_client *second;

    name_journal(f, path);
    fixture_make_client(f);
    second = make_second(f);
    fixture_extensions(f, KEYED_SERVER);
    fixture_never(f, "/api/data");
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, NULL, 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 10);
    dreamapi_meter_close(meter);
    pass_of(f, second, 3000);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    dreamapi_client_free(f->client);
    f->client = second;
    pass(f, 6000);
    expect_one_key(f);
    (void)unlink(path);
}

/* As a program leaves it that replaced itself by exec(), or an older version of the library. */
static void forget_the_client(const dreamapi_meter *meter, uint64_t handle)
{
    dream_journal *journal = meter->metering->journal;
    dream_direct *direct;

    assert_true(dream_journal_lock(journal));
    direct = dream_journal_at(journal, atomic_load(&meter->account->direct));
    assert_int_equal(direct->owner_handle, (uintptr_t)journal);
    direct->owner_handle = handle;
    dream_journal_unlock(journal);
}

static void test_journal__a_report_of_a_client_that_is_not_known_is_repeated(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/dreamapi-direct-XXXXXX";
    dreamapi_meter *meter;
    dreamapi_client *second;

    name_journal(f, path);
    fixture_make_client(f);
    second = make_second(f);
    fixture_extensions(f, KEYED_SERVER);
    meter = open_meter(f, NULL, 10);
    for (uint64_t handle = 0; handle < 2; handle++) {
        fixture_never(f, "/api/data");
        fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
        fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
        pass(f, 10);
        assert_int_equal(stats_of(f).units_unreported, 1);
        forget_the_client(meter, handle);
        pass_of(f, second, 6000);
        assert_int_equal(stats_of(f).units_unreported, 0);
        assert_int_equal(stats_of(f).units_doubtful, 0);
        pass(f, 60000);
    }
    assert_int_equal(fixture_count(f, "/api/data"), 4);
    dreamapi_meter_close(meter);
    dreamapi_client_free(second);
    (void)unlink(path);
}

/* The first one lives, but nobody drives it. */
static void test_journal__a_report_that_ended_unclear_is_repeated_by_whoever_looks(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/dreamapi-direct-XXXXXX";
    dreamapi_meter *meter;
    dreamapi_client *second;

    name_journal(f, path);
    dreamapi_options_set_max_retries(f->options, 0);
    fixture_make_client(f);
    second = make_second(f);
    fixture_extensions(f, KEYED_SERVER);
    fixture_fail(f, "/api/data", DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, NULL, 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 10);
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    pass_of(f, second, 1000);
    expect_one_key(f);
    dreamapi_meter_close(meter);
    dreamapi_client_free(second);
    (void)unlink(path);
}

/* As a call leaves it that ends while the journal's lock is refused. */
static void test_journal__a_call_that_could_not_book_its_end_holds_nothing_up(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter;

    fixture_make_client(f);
    fixture_extensions(f, KEYED_SERVER);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(2));
    meter = open_meter(f, NULL, 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 1000);
    assert_int_equal(meter->metering->direct.count, 1);
    meter->metering->direct.entries[0].is_busy = true;
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    pass(f, 1000);
    assert_int_equal(fixture_count(f, "/api/data"), 2);
    dreamapi_meter_close(meter);
}

/* Those that stay may never have it. */
static void test_journal__a_process_that_leaves_reports_what_it_has_the_token_for(void **state)
{
    fixture *f = *state;
    char path[] = "/tmp/dreamapi-direct-XXXXXX";
    dreamapi_client *stays;
    dreamapi_meter *meter;

    name_journal(f, path);
    assert_int_equal(dreamapi_options_set_close_timeout_ms(f->options, 2000), DREAMAPI_OK);
    fixture_make_client(f);
    fixture_extensions(f, NO_EXTENSIONS);
    fixture_expect(f, dreamapi_client_new(f->options, &stays, &f->error), DREAMAPI_OK);
    fixture_answer(f, "/api/data", 200, NULL, COUNTED(1));
    meter = open_meter(f, "jwt-1", 10);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    dreamapi_meter_close(meter);
    assert_int_equal(fixture_count(f, "/api/data"), 0);
    dreamapi_client_free(f->client);
    f->client = NULL;
    assert_int_equal(fixture_count(f, "/api/data"), 1);
    assert_string_equal(fixture_header(f, "/api/data", 0, "X-Clerk-Token"), "jwt-1");
    dreamapi_client_free(stays);
    (void)unlink(path);
}

/* ---- many threads ---- */

enum { THREADS = 4, TRIES = 50, BOUND = 30 };

static void *use_many(void *meter)
{
    intptr_t admitted = 0;

    for (int i = 0; i < TRIES; i++)
        admitted += dreamapi_meter_use(meter, 1, NULL) == DREAMAPI_OK;
    return (void *)admitted;
}

static void test_cached__threads_together_stay_within_the_bound(void **state)
{
    fixture *f = *state;
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    dreamapi_meter *meter = NULL;
    pthread_t threads[THREADS];
    intptr_t admitted = 0;

    fixture_extensions(f, SERVER_SIDE_ONLY);
    /* Learns that there are no leases. */
    fixture_answer(f, "/api/data", 200, NULL, "{\"usage\":{\"count\":1,\"limit\":1000,\"plan\":\"free\"}}");
    meter = open_meter(f, NULL, 0);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    dreamapi_meter_close(meter);
    params.cached_units = BOUND;
    params.policy = DREAMAPI_POLICY_DENY;
    fixture_expect(f, dreamapi_meter_open(f->client, "user_1", &params, &meter, &f->error), DREAMAPI_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_many, meter), 0);
    for (int i = 0; i < THREADS; i++) {
        void *one;
        assert_int_equal(pthread_join(threads[i], &one), 0);
        admitted += (intptr_t)one;
    }
    assert_int_equal(admitted, BOUND);
    assert_int_equal(stats_of(f).units_unreported, BOUND);
    dreamapi_meter_close(meter);
}

int main(void)
{
#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, fixture_set_up_client, fixture_tear_down)
#define WITHOUT_CLIENT(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(test_strict__one_use_is_one_request_with_the_users_token),
        WITH_CLIENT(test_strict__without_token_or_extension_the_token_is_missing),
        WITH_CLIENT(test_strict__server_side_names_the_user_by_id),
        WITHOUT_CLIENT(test_strict__a_publishable_key_never_asks_for_leases),
        WITH_CLIENT(test_strict__a_limit_is_answered_here_for_a_second),
        WITH_CLIENT(test_strict__a_rate_window_is_answered_here_until_it_ends),
        WITH_CLIENT(test_strict__an_unclear_outcome_is_no_admission_and_is_not_repeated),
        WITH_CLIENT(test_strict__wait_ms_bounds_the_request),
        WITH_CLIENT(test_strict__what_a_direct_request_cannot_say_is_unsupported),
        WITH_CLIENT(test_strict__check_answers_from_what_was_said),
        WITH_CLIENT(test_strict__leases_are_used_once_they_are_announced),
        WITH_CLIENT(test_cached__a_use_is_admitted_at_once_and_reported_once),
        WITH_CLIENT(test_cached__no_more_than_the_bound_is_admitted_unconfirmed),
        WITH_CLIENT(test_cached__a_report_with_no_clear_outcome_is_never_sent_again),
        WITH_CLIENT(test_cached__a_bound_full_of_doubt_is_freed_by_a_new_period),
        WITH_CLIENT(test_cached__a_token_that_stays_refused_is_no_reason_to_wait),
        WITH_CLIENT(test_strict__a_server_that_was_down_first_leaves_nothing_unsettled),
        WITHOUT_CLIENT(test_cached__a_server_that_knows_keys_gets_the_same_report_again),
        WITHOUT_CLIENT(test_cached__a_report_of_the_future_is_not_sent_again),
        WITH_CLIENT(test_cached__a_refusal_stops_admissions_and_is_asked_about_again),
        WITH_CLIENT(test_cached__the_known_rest_of_the_plan_is_not_passed),
        WITH_CLIENT(test_cached__numbers_that_are_old_are_asked_for_before_a_refusal),
        WITH_CLIENT(test_cached__a_token_that_was_refused_is_replaced_by_the_next_use),
        WITHOUT_CLIENT(test_cached__a_batch_says_how_many_and_is_repeated_by_its_id),
        WITH_CLIENT(test_cached__an_event_that_does_not_fit_is_made_smaller),
        WITHOUT_CLIENT(test_journal__the_next_run_reports_what_this_one_did_not),
        WITHOUT_CLIENT(test_journal__units_of_a_user_with_a_token_wait_for_one),
        WITHOUT_CLIENT(test_journal__a_report_that_was_cut_off_is_not_sent_again),
        WITHOUT_CLIENT(test_journal__a_call_that_could_not_book_its_end_holds_nothing_up),
        WITHOUT_CLIENT(test_journal__a_process_that_leaves_reports_what_it_has_the_token_for),
        WITHOUT_CLIENT(test_journal__a_report_under_way_is_of_the_client_that_sent_it),
        WITHOUT_CLIENT(test_journal__a_report_of_a_closed_client_is_repeated_by_another),
        WITHOUT_CLIENT(test_journal__a_report_of_a_client_that_is_not_known_is_repeated),
        WITHOUT_CLIENT(test_journal__a_report_that_ended_unclear_is_repeated_by_whoever_looks),
        WITH_CLIENT(test_cached__threads_together_stay_within_the_bound),
    };
#undef WITH_CLIENT
#undef WITHOUT_CLIENT

    return cmocka_run_group_tests_name("meter_direct", tests, NULL, NULL);
}
