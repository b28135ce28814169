/* SPDX-License-Identifier: Apache-2.0 */
/* test_usage_batch.c - usage reported afterwards, and read back day by day; only where the server announces it. */
#include "fixture.h"

#define ANNOUNCED "{\"status\":\"ok\",\"extensions\":[\"usage-batch\",\"usage-history\"]}"
#define DONE "{\"results\":[{\"id\":\"e1\",\"status\":\"applied\"}]}"
#define HISTORY "{\"days\":[],\"events\":[]}"

static const char batch_path[] = "/api/usage/batch";
static const char history_path[] = "/api/usage/history";
static const dreamapi_usage_event named = { "e1", "user_1", NULL, 0, 0 };
static const dreamapi_usage_event nameless = { NULL, "user_1", NULL, 0, 0 };

static dreamapi_status send(fixture *f, const dreamapi_usage_event *event)
{
    return dreamapi_usage_batch(f->client, event, 1, NULL, NULL, &f->error);
}

/* ---- batches ---- */

static void test_usage_batch__events_and_what_became_of_them(void **state)
{
    static const char answer[] =
        "{\"results\":[{\"id\":\"e1\",\"status\":\"applied\"},{\"id\":null,\"status\":\"error\",\"error\":\"why\"}]}";
    static const dreamapi_usage_event events[] = { { "e1", "user_1", "tokens", 5, INT64_C(1767225600123) },
                                                   { "e\"2", "user_2", NULL, 0, 0 } };
    fixture *f = *state;
    dreamapi_usage_outcomes *outcomes = NULL;
    const dreamapi_usage_outcome *outcome;

    fixture_extensions(f, ANNOUNCED);
    fixture_answer(f, batch_path, 200, NULL, answer);
    fixture_expect(f, dreamapi_usage_batch(f->client, events, 2, NULL, &outcomes, &f->error), DREAMAPI_OK);
    assert_string_equal(
        dreamapi_test_request_body(fixture_request(f, batch_path, 0)),
        "{\"events\":[{\"id\":\"e1\",\"userId\":\"user_1\",\"meter\":\"tokens\",\"units\":5,\"at\":1767225600123},"
        "{\"id\":\"e\\\"2\",\"userId\":\"user_2\",\"units\":1}]}");
    assert_non_null(fixture_header(f, batch_path, 0, "Idempotency-Key"));
    assert_int_equal(dreamapi_usage_outcomes_count(outcomes), 2);
    assert_string_equal(dreamapi_usage_outcomes_json(outcomes), answer);
    outcome = dreamapi_usage_outcomes_at(outcomes, 0);
    assert_string_equal(dreamapi_usage_outcome_id(outcome), "e1");
    assert_string_equal(dreamapi_usage_outcome_status(outcome), "applied");
    assert_null(dreamapi_usage_outcome_error(outcome));
    outcome = dreamapi_usage_outcomes_at(outcomes, 1);
    assert_null(dreamapi_usage_outcome_id(outcome));
    assert_string_equal(dreamapi_usage_outcome_status(outcome), "error");
    assert_string_equal(dreamapi_usage_outcome_error(outcome), "why");
    assert_null(dreamapi_usage_outcomes_at(outcomes, 2));
    dreamapi_usage_outcomes_free(outcomes);
}

static void test_usage_batch__ids_that_are_made_differ_and_sort_by_time(void **state)
{
    static const char start[] = "{\"events\":[{\"id\":\"018bcfe5-6800-7"; /* 1700000000000 ms in hex, and version 7 */
    fixture *f = *state;
    dreamapi_usage_event events[2] = { nameless, nameless };
    const char *body, *second;

    fixture_extensions(f, ANNOUNCED);
    fixture_answer(f, batch_path, 200, NULL, DONE);
    fixture_expect(f, dreamapi_usage_batch(f->client, events, 2, NULL, NULL, &f->error), DREAMAPI_OK);
    body = dreamapi_test_request_body(fixture_request(f, batch_path, 0));
    assert_memory_equal(body, start, sizeof(start) - 1);
    second = strstr(body + sizeof(start), "\"id\":\"");
    assert_non_null(second);
    assert_memory_not_equal(body + sizeof("{\"events\":[{\"id\":\"") - 1, second + sizeof("\"id\":\"") - 1, 36);
}

static void test_usage_batch__without_the_extension_nothing_is_sent(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_expect(f, send(f, &named), DREAMAPI_UNSUPPORTED);
    assert_non_null(strstr(f->error.message, "usage-batch"));
    fixture_expect(f, dreamapi_usage_history(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_UNSUPPORTED);
    assert_non_null(strstr(f->error.message, "usage-history"));
    assert_int_equal(fixture_count(f, batch_path) + fixture_count(f, history_path), 0);
}

static void test_usage_batch__events_that_make_no_sense_send_nothing(void **state)
{
    static dreamapi_usage_event many[DREAMAPI_USAGE_BATCH_MAX + 1];
    static const dreamapi_usage_event bad[] = {
        { "e", NULL, NULL, 1, 0 },  { "e", "", NULL, 1, 0 },      { "", "u", NULL, 1, 0 },
        { "e\n", "u", NULL, 1, 0 }, { "e", "u\x01", NULL, 1, 0 }, { "e", "u", "", 1, 0 },
        { "e", "u", "\xff", 1, 0 }, { "e", "u", NULL, -1, 0 },    { "e", "u", NULL, 1, -1 },
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
        many[i].user_id = "user_1";
    fixture_extensions(f, ANNOUNCED);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (send(f, &bad[i]) != DREAMAPI_INVALID || !f->error.local)
            fail_msg("row %zu: %s", i, f->error.message);
    }
    assert_int_equal(dreamapi_usage_batch(f->client, NULL, 1, NULL, NULL, &f->error), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_usage_batch(f->client, many, 0, NULL, NULL, &f->error), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_usage_batch(f->client, many, DREAMAPI_USAGE_BATCH_MAX + 1, NULL, NULL, &f->error),
                     DREAMAPI_INVALID);
    assert_int_equal(dreamapi_usage_batch(NULL, many, 1, NULL, NULL, &f->error), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
    fixture_answer(f, batch_path, 200, NULL, "{\"results\":[]}");
    fixture_expect(f, dreamapi_usage_batch(f->client, many, DREAMAPI_USAGE_BATCH_MAX, NULL, NULL, &f->error),
                   DREAMAPI_OK);
}

/* No idempotency announced: the ids alone make it safe. */
static void test_usage_batch__with_ids_given_a_lost_answer_is_asked_for_again(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ANNOUNCED);
    fixture_fail(f, batch_path, DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, batch_path, 200, NULL, DONE);
    fixture_expect(f, send(f, &named), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, batch_path), 2);
    assert_string_equal(dreamapi_test_request_body(fixture_request(f, batch_path, 0)),
                        dreamapi_test_request_body(fixture_request(f, batch_path, 1)));
}

static void test_usage_batch__with_ids_made_a_lost_answer_is_an_unknown_outcome(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, ANNOUNCED);
    fixture_fail(f, batch_path, DREAMAPI_FAILURE_RESET, 1);
    fixture_expect(f, send(f, &nameless), DREAMAPI_OUTCOME_UNKNOWN);
    assert_int_equal(f->error.retriable, 0);
    assert_int_equal(fixture_count(f, batch_path), 1);
}

static void test_usage_batch__with_ids_made_the_key_makes_repeating_safe(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, EVERY_EXTENSION);
    fixture_fail(f, batch_path, DREAMAPI_FAILURE_RESET, 1);
    fixture_answer(f, batch_path, 200, NULL, DONE);
    fixture_expect(f, send(f, &nameless), DREAMAPI_OK);
    assert_string_equal(fixture_header(f, batch_path, 0, "Idempotency-Key"),
                        fixture_header(f, batch_path, 1, "Idempotency-Key"));
}

/* ---- history ---- */

static void test_usage_batch__a_history(void **state)
{
    static const char body[] = "{\"userId\":\"user_1\",\"meter\":\"default\",\"from\":\"2026-11-22\",\"to\":\"2026-11-"
                               "23\",\"days\":[{\"date\":\"2026-11-22\","
                               "\"units\":3},{\"date\":\"2026-11-23\",\"units\":0}],\"events\":[{\"at\":\"2026-11-"
                               "23T00:00:01.000Z\",\"userId\":\"user_1\","
                               "\"subscriptionId\":\"sub_1\",\"type\":\"created\",\"plan\":\"pro\",\"status\":"
                               "\"active\",\"amount\":2900,\"currency\":\"usd\"},"
                               "{\"at\":\"t\",\"type\":\"deleted\",\"amount\":null}],\"hasMoreEvents\":true}";
    fixture *f = *state;
    dreamapi_usage_history_params params = DREAMAPI_USAGE_HISTORY_PARAMS_INIT;
    dreamapi_history *history = NULL;
    const dreamapi_history_event *event;

    params.user_id = "user 1";
    params.from = "2026-11-22";
    params.to = "2026-11-23";
    params.meter = "default";
    fixture_extensions(f, ANNOUNCED);
    fixture_answer(f, history_path, 200, NULL, body);
    fixture_expect(f, dreamapi_usage_history(f->client, &params, NULL, &history, &f->error), DREAMAPI_OK);
    assert_string_equal(strchr(dreamapi_test_request_url(fixture_request(f, history_path, 0)), '?'),
                        "?userId=user%201&from=2026-11-22&to=2026-11-23&meter=default");
    assert_string_equal(dreamapi_history_user_id(history), "user_1");
    assert_string_equal(dreamapi_history_meter(history), "default");
    assert_string_equal(dreamapi_history_from(history), "2026-11-22");
    assert_string_equal(dreamapi_history_to(history), "2026-11-23");
    assert_int_equal(dreamapi_history_has_more_events(history), 1);
    assert_string_equal(dreamapi_history_json(history), body);
    assert_int_equal(dreamapi_history_day_count(history), 2);
    assert_string_equal(dreamapi_history_day_date(dreamapi_history_day_at(history, 0)), "2026-11-22");
    assert_int_equal(dreamapi_history_day_units(dreamapi_history_day_at(history, 0)), 3);
    assert_int_equal(dreamapi_history_day_units(dreamapi_history_day_at(history, 1)), 0);
    assert_null(dreamapi_history_day_at(history, 2));
    assert_int_equal(dreamapi_history_event_count(history), 2);
    event = dreamapi_history_event_at(history, 0);
    assert_string_equal(dreamapi_history_event_time(event), "2026-11-23T00:00:01.000Z");
    assert_string_equal(dreamapi_history_event_user_id(event), "user_1");
    assert_string_equal(dreamapi_history_event_subscription_id(event), "sub_1");
    assert_string_equal(dreamapi_history_event_type(event), "created");
    assert_string_equal(dreamapi_history_event_plan(event), "pro");
    assert_string_equal(dreamapi_history_event_status(event), "active");
    assert_int_equal(dreamapi_history_event_amount(event), 2900);
    assert_string_equal(dreamapi_history_event_currency(event), "usd");
    assert_int_equal(dreamapi_history_event_amount(dreamapi_history_event_at(history, 1)), -1);
    assert_null(dreamapi_history_event_at(history, 2));
    dreamapi_history_free(history);
}

static void test_usage_batch__a_history_without_parameters_and_with_bad_ones(void **state)
{
    fixture *f = *state;
    dreamapi_usage_history_params params = DREAMAPI_USAGE_HISTORY_PARAMS_INIT;

    params.from = "2026\r\n";
    fixture_extensions(f, ANNOUNCED);
    fixture_expect(f, dreamapi_usage_history(f->client, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
    fixture_answer(f, history_path, 200, NULL, HISTORY);
    fixture_expect(f, dreamapi_usage_history(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_OK);
    assert_null(strchr(dreamapi_test_request_url(fixture_request(f, history_path, 0)), '?'));
}

/* ---- both ---- */

static void test_usage_batch__both_are_taken_out_of_a_started_call(void **state)
{
    fixture *f = *state;
    dreamapi_call *call = NULL;
    dreamapi_usage_outcomes *outcomes = NULL;
    dreamapi_history *history = NULL;

    fixture_extensions(f, ANNOUNCED);
    fixture_answer(f, batch_path, 200, NULL, DONE);
    assert_int_equal(dreamapi_usage_batch_start(f->client, &named, 1, NULL, &call, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_history_result(call, &history, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_usage_outcomes_result(call, &outcomes, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_usage_outcomes_free(outcomes);

    fixture_answer(f, history_path, 200, NULL, HISTORY);
    assert_int_equal(dreamapi_usage_history_start(f->client, NULL, NULL, &call, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_history_result(call, &history, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_history_free(history);
}

static void test_usage_batch__an_answer_that_breaks_the_contract_is_a_protocol_error(void **state)
{
    static const char *const batches[] = { "{}", "{\"results\":{}}", "{\"results\":[1]}",
                                           "{\"results\":[{\"id\":\"e\"}]}",
                                           "{\"results\":[{\"id\":1,\"status\":\"applied\"}]}" };
    static const char *const histories[] = {
        "{}",
        "{\"days\":[]}",
        "{\"events\":[]}",
        "{\"days\":[{\"date\":\"d\"}],\"events\":[]}",
        "{\"days\":[{\"units\":1}],\"events\":[]}",
        "{\"days\":[{\"date\":\"d\",\"units\":\"1\"}],\"events\":[]}",
        "{\"days\":[],\"events\":[{\"at\":\"t\"}]}",
        "{\"days\":[],\"events\":[{\"type\":\"t\"}]}",
        "{\"days\":[],\"events\":[],\"hasMoreEvents\":1}",
    };
    fixture *f = *state;

    fixture_extensions(f, ANNOUNCED);
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        fixture_answer(f, batch_path, 200, NULL, batches[i]);
        fixture_expect(f, send(f, &named), DREAMAPI_PROTOCOL);
    }
    for (size_t i = 0; i < sizeof(histories) / sizeof(histories[0]); i++) {
        fixture_answer(f, history_path, 200, NULL, histories[i]);
        fixture_expect(f, dreamapi_usage_history(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_PROTOCOL);
    }
}

static void test_usage_batch__accessors_take_null(void **state)
{
    (void)state;
    assert_int_equal(dreamapi_usage_outcomes_count(NULL), 0);
    assert_null(dreamapi_usage_outcomes_at(NULL, 0));
    assert_null(dreamapi_usage_outcomes_json(NULL));
    dreamapi_usage_outcomes_free(NULL);
    assert_null(dreamapi_usage_outcome_id(NULL));
    assert_null(dreamapi_usage_outcome_status(NULL));
    assert_null(dreamapi_usage_outcome_error(NULL));
    assert_null(dreamapi_history_user_id(NULL));
    assert_null(dreamapi_history_meter(NULL));
    assert_null(dreamapi_history_from(NULL));
    assert_null(dreamapi_history_to(NULL));
    assert_int_equal(dreamapi_history_has_more_events(NULL), 0);
    assert_null(dreamapi_history_json(NULL));
    dreamapi_history_free(NULL);
    assert_int_equal(dreamapi_history_day_count(NULL), 0);
    assert_null(dreamapi_history_day_at(NULL, 0));
    assert_null(dreamapi_history_day_date(NULL));
    assert_int_equal(dreamapi_history_day_units(NULL), 0);
    assert_int_equal(dreamapi_history_event_count(NULL), 0);
    assert_null(dreamapi_history_event_at(NULL, 0));
    assert_null(dreamapi_history_event_time(NULL));
    assert_null(dreamapi_history_event_user_id(NULL));
    assert_null(dreamapi_history_event_subscription_id(NULL));
    assert_null(dreamapi_history_event_type(NULL));
    assert_null(dreamapi_history_event_plan(NULL));
    assert_null(dreamapi_history_event_status(NULL));
    assert_int_equal(dreamapi_history_event_amount(NULL), -1);
    assert_null(dreamapi_history_event_currency(NULL));
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_client, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_usage_batch__events_and_what_became_of_them),
        WITH(test_usage_batch__ids_that_are_made_differ_and_sort_by_time),
        WITH(test_usage_batch__without_the_extension_nothing_is_sent),
        WITH(test_usage_batch__events_that_make_no_sense_send_nothing),
        WITH(test_usage_batch__with_ids_given_a_lost_answer_is_asked_for_again),
        WITH(test_usage_batch__with_ids_made_a_lost_answer_is_an_unknown_outcome),
        WITH(test_usage_batch__with_ids_made_the_key_makes_repeating_safe),
        WITH(test_usage_batch__a_history),
        WITH(test_usage_batch__a_history_without_parameters_and_with_bad_ones),
        WITH(test_usage_batch__both_are_taken_out_of_a_started_call),
        WITH(test_usage_batch__an_answer_that_breaks_the_contract_is_a_protocol_error),
        cmocka_unit_test(test_usage_batch__accessors_take_null),
    };
    return cmocka_run_group_tests_name("usage_batch", tests, NULL, NULL);
}
