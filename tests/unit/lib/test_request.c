/* SPDX-License-Identifier: Apache-2.0 */
/* test_request.c - which parameters are refused, and how good ones are written. */
#include "fixture.h"

static const char *const bad_texts[] = { "a\r\nX-Evil: 1", "a\nb", "a\x01z", "\x7f", "\xc3", "\xff\xfe" };

enum { BAD_TEXTS = sizeof(bad_texts) / sizeof(bad_texts[0]) };

static void test_request__ids_that_cannot_be_a_path_segment_send_nothing(void **state)
{
    static const char *const ids[] = { NULL, "", ".", "..", "a\r\nb", "a\x01", "\xc3" };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_int_equal(dreamapi_customer_get(f->client, ids[i], NULL, NULL, &f->error), DREAMAPI_INVALID);
        assert_int_equal(f->error.local, 1);
        assert_int_equal(dreamapi_customer_delete(f->client, ids[i], NULL, NULL, &f->error), DREAMAPI_INVALID);
        assert_int_equal(dreamapi_customer_update(f->client, ids[i], NULL, NULL, NULL, &f->error), DREAMAPI_INVALID);
        if (ids[i] != NULL) {
            assert_int_equal(dreamapi_usage_get(f->client, ids[i], NULL, NULL, &f->error), DREAMAPI_INVALID);
            assert_int_equal(dreamapi_usage_track(f->client, ids[i], NULL, NULL, NULL, &f->error), DREAMAPI_INVALID);
        }
    }
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
}

static void test_request__ids_are_percent_encoded_into_the_path(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_get(f->client, "../a b/?#%\xc3\xa4", NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_test_request_url(dreamapi_test_transport_request(f->transport, 0)),
                        "https://api.example.test/api/customers/..%2Fa%20b%2F%3F%23%25%C3%A4");
}

static void test_request__no_text_of_a_customer_can_carry_a_control_character(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < BAD_TEXTS; i++) {
        for (int field = 0; field < 5; field++) {
            dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
            const char **fields[] = { &params.email, &params.first_name, &params.last_name, &params.plan,
                                      &params.password };
            params.email = "a@example.test";
            *fields[field] = bad_texts[i];
            assert_int_equal(dreamapi_customer_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
            assert_int_equal(f->error.local, 1);
        }
    }
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
}

static void test_request__no_text_of_a_checkout_can_carry_a_control_character(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < BAD_TEXTS; i++) {
        for (int field = 0; field < 5; field++) {
            dreamapi_checkout_params params = DREAMAPI_CHECKOUT_PARAMS_INIT;
            const char **fields[] = { &params.user_id, &params.tier, &params.price_id, &params.success_url,
                                      &params.cancel_url };
            params.user_id = "user_1";
            *fields[field] = bad_texts[i];
            assert_int_equal(dreamapi_checkout_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
        }
    }
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
}

static void test_request__call_options_are_checked(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    for (size_t i = 0; i < BAD_TEXTS; i++) {
        options.idempotency_key = bad_texts[i];
        assert_int_equal(dreamapi_tier_list(f->client, &options, NULL, &f->error), DREAMAPI_INVALID);
        options.idempotency_key = NULL;
        options.user_token = bad_texts[i];
        assert_int_equal(dreamapi_usage_get(f->client, NULL, &options, NULL, &f->error), DREAMAPI_INVALID);
        options.user_token = NULL;
    }
    options.idempotency_key = "";
    assert_int_equal(dreamapi_tier_list(f->client, &options, NULL, &f->error), DREAMAPI_INVALID);
    options.idempotency_key = NULL;
    options.timeout_ms = -1;
    assert_int_equal(dreamapi_tier_list(f->client, &options, NULL, &f->error), DREAMAPI_INVALID);
    options.timeout_ms = DREAMAPI_MAX_TIMEOUT_MS + 1;
    assert_int_equal(dreamapi_tier_list(f->client, &options, NULL, &f->error), DREAMAPI_INVALID);
    options.timeout_ms = 0;
    options.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n";
    assert_int_equal(dreamapi_tier_list(f->client, &options, NULL, &f->error), DREAMAPI_INVALID);
    assert_non_null(strstr(f->error.message, "traceparent"));
    options.traceparent = NULL;
    options.struct_size = 0;
    assert_int_equal(dreamapi_tier_list(f->client, &options, NULL, &f->error), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
}

static void test_request__a_users_token_is_not_sent_in_the_clear(void **state)
{
    static const struct {
        const char *url;
        dreamapi_status status;
    } rows[] = {
        { "http://api.example.test", DREAMAPI_INVALID }, { "http://10.0.0.1:8787", DREAMAPI_INVALID },
        { "http://127.0.0.1:8787", DREAMAPI_OK },        { "http://localhost:8787", DREAMAPI_OK },
        { "https://api.example.test", DREAMAPI_OK },
    };
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    (void)state;
    options.user_token = "a.b.c";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *inner;
        fixture *f;
        fixture_set_up(&inner);
        f = inner;
        dreamapi_options_set_secret_key(f->options, NULL);
        dreamapi_options_set_publishable_key(f->options, "pk_live_1");
        dreamapi_options_set_base_url(f->options, rows[i].url);
        fixture_make_client(f);
        fixture_answer(f, NULL, 200, NULL, USAGE);
        fixture_expect(f, dreamapi_usage_get(f->client, NULL, &options, NULL, &f->error), rows[i].status);
        assert_int_equal(f->error.local, rows[i].status != DREAMAPI_OK);
        assert_int_equal(dreamapi_test_transport_request_count(f->transport), rows[i].status == DREAMAPI_OK);
        fixture_tear_down(&inner);
    }
}

static void test_request__options_of_an_older_caller_are_taken(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    int64_t start_ms = fixture_now_ms(f);

    options.struct_size = offsetof(dreamapi_call_options, idempotency_key);
    options.timeout_ms = 100;
    options.idempotency_key = (const char *)1; /* beyond the size: must not be looked at */
    fixture_never(f, NULL);
    fixture_expect(f, dreamapi_tier_list(f->client, &options, NULL, &f->error), DREAMAPI_TIMEOUT);
    assert_int_equal(fixture_now_ms(f) - start_ms, 100);
}

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void test_request__a_trace_context_is_passed_on_with_each_try(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    char trace[] = TRACE;
    dreamapi_call *call = NULL;

    options.traceparent = trace;
    options.user_token = "a.b.c";
    fixture_fail(f, "/api/data", DREAMAPI_FAILURE_CONNECT, 0);
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    assert_int_equal(dreamapi_usage_track_start(f->client, NULL, NULL, &options, &call, NULL), DREAMAPI_OK);
    memset(trace, 'x', sizeof(trace) - 1); /* it was copied */
    fixture_expect(f, dreamapi_call_wait(call, -1, &f->error), DREAMAPI_OK);
    dreamapi_call_free(call);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(fixture_header(f, "/api/data", i, "traceparent"), TRACE);
        assert_string_equal(fixture_header(f, "/api/data", i, "X-Clerk-Token"), "a.b.c");
        assert_non_null(fixture_header(f, "/api/data", i, "Idempotency-Key"));
        assert_non_null(fixture_header(f, "/api/data", i, "Content-Type"));
    }
    assert_null(fixture_header(f, "/health", 0, "traceparent"));
    options.traceparent = NULL;
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_expect(f, dreamapi_usage_track(f->client, NULL, NULL, &options, NULL, &f->error), DREAMAPI_OK);
    assert_null(fixture_header(f, "/api/data", 2, "traceparent"));
}

static void test_request__a_customer_needs_an_address(void **state)
{
    fixture *f = *state;
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;

    assert_int_equal(dreamapi_customer_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
    params.email = "";
    assert_int_equal(dreamapi_customer_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_customer_create(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_INVALID);
    assert_non_null(strstr(f->error.message, "email"));
}

static void test_request__texts_are_escaped_in_the_body(void **state)
{
    fixture *f = *state;
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;

    params.email = "a@example.test";
    params.first_name = "\"Ad\\a\"";
    params.last_name = "L\xc3\xb6we";
    params.plan = "pro";
    params.password = "pass word";
    fixture_answer(f, NULL, 201, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_test_request_body(fixture_request(f, "/api/customers", 0)),
                        "{\"email\":\"a@example.test\",\"firstName\":\"\\\"Ad\\\\a\\\"\",\"lastName\":\"L\xc3\xb6we\","
                        "\"plan\":\"pro\",\"password\":\"pass word\"}");
    assert_string_equal(fixture_header(f, "/api/customers", 0, "Content-Type"), "application/json");
}

static void test_request__a_get_and_a_delete_have_no_body(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_answer(f, NULL, 200, NULL, "{\"success\":true,\"deleted\":{\"id\":\"user_1\"}}");
    fixture_expect(f, dreamapi_customer_get(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_OK);
    fixture_expect(f, dreamapi_customer_delete(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_null(dreamapi_test_request_body(fixture_request(f, "user_1", i)));
        assert_null(fixture_header(f, "user_1", i, "Content-Type"));
    }
    assert_string_equal(dreamapi_test_request_method(fixture_request(f, "user_1", 1)), "DELETE");
}

static void test_request__an_update_without_fields_sends_an_empty_object(void **state)
{
    fixture *f = *state;

    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_update(f->client, "user_1", NULL, NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_test_request_body(fixture_request(f, "user_1", 0)), "{}");
}

static int no_random(void *data, void *out, size_t size)
{
    (void)data;
    (void)out;
    (void)size;
    return -1;
}

static void test_request__without_randomness_a_post_wants_the_callers_key(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    dreamapi_options_set_random(f->options, no_random, NULL);
    fixture_make_client(f);
    options.user_token = "a.b.c";
    fixture_answer(f, NULL, 200, NULL, TRACKED);
    assert_int_equal(dreamapi_usage_track(f->client, NULL, NULL, &options, NULL, &f->error), DREAMAPI_UNSUPPORTED);
    options.idempotency_key = "k";
    fixture_expect(f, dreamapi_usage_track(f->client, NULL, NULL, &options, NULL, &f->error), DREAMAPI_OK);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_client, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_request__ids_that_cannot_be_a_path_segment_send_nothing),
        WITH(test_request__ids_are_percent_encoded_into_the_path),
        WITH(test_request__no_text_of_a_customer_can_carry_a_control_character),
        WITH(test_request__no_text_of_a_checkout_can_carry_a_control_character),
        WITH(test_request__call_options_are_checked),
        cmocka_unit_test(test_request__a_users_token_is_not_sent_in_the_clear),
        WITH(test_request__options_of_an_older_caller_are_taken),
        WITH(test_request__a_trace_context_is_passed_on_with_each_try),
        WITH(test_request__a_customer_needs_an_address),
        WITH(test_request__texts_are_escaped_in_the_body),
        WITH(test_request__a_get_and_a_delete_have_no_body),
        WITH(test_request__an_update_without_fields_sends_an_empty_object),
        cmocka_unit_test_setup_teardown(test_request__without_randomness_a_post_wants_the_callers_key, fixture_set_up,
                                        fixture_tear_down),
    };
    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
