/* SPDX-License-Identifier: Apache-2.0 */
/* test_token.c - dreamapi_token_verify: where keys come from and when, whose tokens pass, and what is said when none can be checked.
 * The tokens and keys are those of the tests of src/common, signed elsewhere. */
#include "../common/rsa_vectors.h"
#include "common/timefmt.h"
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYS "/jwks.json"
#define RSA_JWK "{\"kty\":\"RSA\",\"kid\":\"py-key\",\"e\":\"AQAB\",\"n\":\"" VECTOR_MODULUS "\"}"
#define RSA_SET "{\"keys\":[" RSA_JWK "]}"
#define EC_SET "{\"keys\":[" VECTOR_EC_JWK "]}"
#define BOTH "{\"keys\":[" RSA_JWK "," VECTOR_EC_JWK "]}"

enum { FRESH_MS = 5 * 60 * 1000, USABLE_MS = 24 * 60 * 60 * 1000, UNKNOWN_MS = 10 * 1000 };

static int set_up(void **state)
{
    fixture *f;

    (void)fixture_set_up(state);
    f = *state;
    assert_int_equal(dreamapi_options_set_publishable_key(f->options, "pk_live_1"), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_jwks_url(f->options, "https://id.example.test/.well-known" KEYS),
                     DREAMAPI_OK);
    return 0;
}

static int set_up_client(void **state)
{
    (void)set_up(state);
    fixture_make_client(*state);
    return 0;
}

/* The wall clock stands: what the tests are about is how old keys are. */
static void advance(fixture *f, int64_t ms)
{
    dreamapi_test_clock_advance(f->clock, ms);
    dreamapi_test_clock_set_wall_ms(f->clock, (int64_t)FIXTURE_WALL_MS * 1000);
}

static dreamapi_status verify(fixture *f, const char *token)
{
    dreamapi_token *out = NULL;
    dreamapi_status status = dreamapi_token_verify(f->client, token, NULL, NULL, &out, &f->error);

    assert_int_equal(status == DREAMAPI_OK, out != NULL);
    assert_int_equal(f->error.status, status);
    dreamapi_token_free(out);
    return status;
}

static dreamapi_status verify_as(fixture *f, const dreamapi_token_params *params)
{
    dreamapi_token *out = NULL;
    dreamapi_status status = dreamapi_token_verify(f->client, VECTOR_JWT, params, NULL, &out, &f->error);

    dreamapi_token_free(out);
    return status;
}

static void test_token__keys_are_fetched_once_and_no_secret_with_them(void **state)
{
    fixture *f = *state;
    dreamapi_token *token = NULL;

    fixture_answer(f, KEYS, 200, NULL, BOTH);
    fixture_expect(f, dreamapi_token_verify(f->client, VECTOR_JWT, NULL, NULL, &token, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_token_user_id(token), "user_py");
    assert_string_equal(dreamapi_token_publishable_key(token), "pk_live_1");
    assert_string_equal(dreamapi_token_plan(token), "pro");
    assert_string_equal(dreamapi_token_email(token), "py@example.test");
    assert_string_equal(dreamapi_token_session_id(token), "sess_1");
    assert_int_equal(dreamapi_token_expires_at_ms(token), INT64_C(1700000060000));
    assert_int_equal(strncmp(dreamapi_token_json(token), "{\"sub\":\"user_py\",", 17), 0);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
    fixture_expect(f, verify(f, VECTOR_EC_JWT), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, KEYS), 1);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 1);
    assert_string_equal(dreamapi_test_request_url(fixture_request(f, KEYS, 0)),
                        "https://id.example.test/.well-known/jwks.json");
    assert_null(fixture_header(f, KEYS, 0, "Authorization"));
    assert_null(fixture_header(f, KEYS, 0, "X-Publishable-Key"));
    assert_null(fixture_header(f, KEYS, 0, "X-Clerk-Token"));
    /* The token outlives the client. */
    dreamapi_client_free(f->client);
    f->client = NULL;
    assert_string_equal(dreamapi_token_user_id(token), "user_py");
    dreamapi_token_free(token);
    dreamapi_token_free(NULL);
    assert_null(dreamapi_token_user_id(NULL));
}

static void test_token__params_say_whose_tokens_pass(void **state)
{
    static const char *const ours[] = { "pk_live_0", "pk_live_1", NULL }, *const others[] = { "pk_live_2", NULL };
    fixture *f = *state;
    const struct {
        dreamapi_token_params params;
        dreamapi_status status;
    } cases[] = {
        { DREAMAPI_TOKEN_PARAMS_INIT, DREAMAPI_OK },
        { { .struct_size = sizeof(dreamapi_token_params), .publishable_keys = ours }, DREAMAPI_OK },
        { { .struct_size = sizeof(dreamapi_token_params), .publishable_keys = others }, DREAMAPI_FORBIDDEN },
        { { .struct_size = sizeof(dreamapi_token_params), .publishable_keys = others, .any_project = 1 }, DREAMAPI_OK },
        { { .struct_size = sizeof(dreamapi_token_params), .issuer = "https://id.example.test" }, DREAMAPI_AUTH },
        { { .struct_size = sizeof(dreamapi_token_params), .audience = "shop" }, DREAMAPI_AUTH },
        { { .struct_size = sizeof(dreamapi_token_params), .authorized_parties = ours }, DREAMAPI_AUTH },
        { { .struct_size = sizeof(dreamapi_token_params), .skew_ms = -1 }, DREAMAPI_INVALID },
        { { .struct_size = sizeof(dreamapi_token_params), .skew_ms = 300001 }, DREAMAPI_INVALID },
        { { .struct_size = 0 }, DREAMAPI_INVALID },
    };

    fixture_answer(f, KEYS, 200, NULL, RSA_SET);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dreamapi_call *call = NULL;
        dreamapi_token *token = NULL;

        if (verify_as(f, &cases[i].params) != cases[i].status)
            fail_msg("row %zu: %s", i, f->error.message);
        /* A call that was started has a copy of them. */
        if (dreamapi_token_verify_start(f->client, VECTOR_JWT, &cases[i].params, NULL, &call, &f->error)
            == DREAMAPI_OK) {
            assert_int_equal(dreamapi_call_wait(call, -1, &f->error), cases[i].status);
            assert_int_equal(dreamapi_token_result(call, &token, NULL), cases[i].status);
        }
        assert_int_equal(f->error.status, cases[i].status);
        dreamapi_token_free(token);
        dreamapi_call_free(call);
    }
    assert_int_equal(fixture_count(f, KEYS), 1);
}

static void test_token__skew_and_expiry(void **state)
{
    fixture *f = *state;
    dreamapi_token_params params = DREAMAPI_TOKEN_PARAMS_INIT;

    fixture_answer(f, KEYS, 200, NULL, RSA_SET);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
    dreamapi_test_clock_set_wall_ms(f->clock, INT64_C(1700000120000) - 1);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
    params.skew_ms = 0;
    fixture_expect(f, verify_as(f, &params), DREAMAPI_AUTH);
    assert_non_null(strstr(f->error.message, "expired"));
    dreamapi_test_clock_set_wall_ms(f->clock, INT64_C(1700000120000));
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_AUTH);
    dreamapi_test_clock_set_wall_ms(f->clock, INT64_C(1699999930000));
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_AUTH);
}

static void test_token__without_a_project_or_keys_nothing_is_verified(void **state)
{
    fixture *f = *state;
    dreamapi_token_params params = DREAMAPI_TOKEN_PARAMS_INIT;

    dreamapi_options_set_publishable_key(f->options, NULL);
    fixture_make_client(f);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_INVALID);
    params.any_project = 1;
    fixture_answer(f, KEYS, 200, NULL, RSA_SET);
    fixture_expect(f, verify_as(f, &params), DREAMAPI_OK);
    dreamapi_client_free(f->client);
    dreamapi_options_set_jwks_url(f->options, NULL);
    fixture_make_client(f);
    fixture_expect(f, verify_as(f, &params), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_token_verify(NULL, VECTOR_JWT, NULL, NULL, NULL, NULL), DREAMAPI_INVALID);
}

static void test_token__given_keys_need_no_network(void **state)
{
    static const char *const keys[] = { RSA_SET, VECTOR_PUBLIC_PEM };
    fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        dreamapi_client_free(f->client);
        assert_int_equal(dreamapi_options_set_token_keys(f->options, keys[i]), DREAMAPI_OK);
        fixture_make_client(f);
        fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
        fixture_expect(f, verify(f, VECTOR_EC_JWT), DREAMAPI_AUTH);
        fixture_expect(f, verify(f, "x"), DREAMAPI_AUTH);
        fixture_expect(f, verify(f, ""), DREAMAPI_AUTH);
        assert_int_equal(dreamapi_token_verify(f->client, NULL, NULL, NULL, NULL, NULL), DREAMAPI_INVALID);
        advance(f, 10 * (int64_t)USABLE_MS);
        fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
    }
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
}

static void test_token__options_refuse_what_cannot_be_trusted(void **state)
{
    static const char *const bad_urls[] = {
        "http://id.example.test/jwks.json", "ftp://x/", "x", "", "https://u:p@id.example.test/k",
        "https://id.example.test/k?x=1"
    };
    static const char *const good_urls[] = { "https://id.example.test/k", "HTTPS://id.example.test/k",
                                             "http://127.0.0.1:1/k", "http://localhost/k" };
    static const char *const bad_keys[] = { "",
                                            "{}",
                                            "{\"keys\":[]}",
                                            "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"YQ\"}]}",
                                            "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n",
                                            "pem" };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof(bad_urls) / sizeof(bad_urls[0]); i++) {
        if (dreamapi_options_set_jwks_url(f->options, bad_urls[i]) != DREAMAPI_INVALID)
            fail_msg("%s was taken", bad_urls[i]);
    }
    for (size_t i = 0; i < sizeof(good_urls) / sizeof(good_urls[0]); i++)
        assert_int_equal(dreamapi_options_set_jwks_url(f->options, good_urls[i]), DREAMAPI_OK);
    for (size_t i = 0; i < sizeof(bad_keys) / sizeof(bad_keys[0]); i++) {
        if (dreamapi_options_set_token_keys(f->options, bad_keys[i]) != DREAMAPI_INVALID)
            fail_msg("%s was taken", bad_keys[i]);
    }
    assert_int_equal(dreamapi_options_set_token_keys(f->options, VECTOR_EC_PEM), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_token_keys(f->options, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_token_keys(NULL, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_jwks_url(NULL, NULL), DREAMAPI_INVALID);
}

static void test_token__with_the_provider_down_known_tokens_go_on_for_a_day(void **state)
{
    dreamapi_test_answer down = DREAMAPI_TEST_ANSWER_INIT;
    fixture *f = *state;
    size_t before;

    fixture_answer(f, KEYS, 200, NULL, RSA_SET);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
    down.path = KEYS;
    down.http_status = 503;
    down.times = DREAMAPI_TEST_ALWAYS;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &down), DREAMAPI_OK);
    advance(f, FRESH_MS + 1);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
    (void)dreamapi_client_perform(f->client);
    assert_int_equal(fixture_count(f, KEYS), 2);
    advance(f, USABLE_MS - FRESH_MS - 1);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
    advance(f, 1);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_UNAVAILABLE);
    assert_int_equal(f->error.retriable, 1);
    assert_non_null(strstr(f->error.message, "503"));
    /* At once: a provider that is down is not hammered. */
    before = fixture_count(f, KEYS);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_UNAVAILABLE);
    assert_int_equal(fixture_count(f, KEYS), before);
}

static void test_token__an_unknown_key_is_asked_for_every_ten_seconds(void **state)
{
    fixture *f = *state;

    fixture_answer(f, KEYS, 200, NULL, RSA_SET);
    fixture_answer(f, KEYS, 200, NULL, RSA_SET);
    fixture_answer(f, KEYS, 200, NULL, BOTH);
    fixture_expect(f, verify(f, VECTOR_EC_JWT), DREAMAPI_AUTH);
    advance(f, UNKNOWN_MS - 1);
    fixture_expect(f, verify(f, VECTOR_EC_JWT), DREAMAPI_AUTH);
    assert_int_equal(fixture_count(f, KEYS), 1);
    advance(f, 1);
    fixture_expect(f, verify(f, VECTOR_EC_JWT), DREAMAPI_AUTH);
    assert_int_equal(fixture_count(f, KEYS), 2);
    advance(f, UNKNOWN_MS);
    fixture_expect(f, verify(f, VECTOR_EC_JWT), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, KEYS), 3);
}

static void test_token__a_withdrawn_key_takes_its_tokens_along(void **state)
{
    fixture *f = *state;

    fixture_answer(f, KEYS, 200, NULL, RSA_SET);
    fixture_answer(f, KEYS, 200, NULL, EC_SET);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
    advance(f, FRESH_MS + 1);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK); /* the last time, while the new keys come */
    (void)dreamapi_client_perform(f->client);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_AUTH);
    fixture_expect(f, verify(f, VECTOR_EC_JWT), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, KEYS), 2);
}

static void test_token__many_calls_that_wait_make_one_request(void **state)
{
    fixture *f = *state;
    dreamapi_call *calls[6];

    fixture_answer(f, KEYS, 200, NULL, RSA_SET);
    for (int i = 0; i < 6; i++)
        fixture_expect(
            f,
            dreamapi_token_verify_start(f->client, i % 2 == 0 ? VECTOR_JWT : "x.y.z", NULL, NULL, &calls[i], &f->error),
            DREAMAPI_OK);
    assert_int_equal(dreamapi_call_result(calls[0], NULL), DREAMAPI_PENDING);
    for (int i = 0; i < 6; i++) {
        dreamapi_token *token = NULL;

        assert_int_equal(dreamapi_call_wait(calls[i], -1, NULL), i % 2 == 0 ? DREAMAPI_OK : DREAMAPI_AUTH);
        (void)dreamapi_token_result(calls[i], &token, NULL);
        assert_int_equal(token != NULL, i % 2 == 0);
        dreamapi_token_free(token);
        dreamapi_call_free(calls[i]);
    }
    assert_int_equal(fixture_count(f, KEYS), 1);
}

static void test_token__waiting_ends_with_the_deadline_a_cancel_or_the_client(void **state)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    fixture *f = *state;
    dreamapi_token *token = NULL;
    dreamapi_call *call = NULL;

    fixture_never(f, KEYS);
    options.timeout_ms = 500;
    fixture_expect(f, dreamapi_token_verify(f->client, VECTOR_JWT, NULL, &options, &token, &f->error),
                   DREAMAPI_TIMEOUT);
    assert_null(token);
    options.timeout_ms = -1;
    fixture_expect(f, dreamapi_token_verify(f->client, VECTOR_JWT, NULL, &options, &token, &f->error),
                   DREAMAPI_INVALID);
    fixture_expect(f, dreamapi_token_verify_start(f->client, VECTOR_JWT, NULL, NULL, &call, &f->error), DREAMAPI_OK);
    (void)dreamapi_client_perform(f->client);
    dreamapi_call_cancel(call);
    fixture_expect(f, dreamapi_call_wait(call, -1, &f->error), DREAMAPI_CANCELLED);
    dreamapi_call_free(call);
    fixture_expect(f, dreamapi_token_verify_start(f->client, VECTOR_JWT, NULL, NULL, &call, &f->error), DREAMAPI_OK);
    (void)dreamapi_client_perform(f->client);
    dreamapi_client_free(f->client);
    f->client = NULL;
    fixture_expect(f, dreamapi_call_result(call, &f->error), DREAMAPI_CANCELLED);
    dreamapi_call_free(call);
    assert_int_equal(fixture_count(f, KEYS), 1);
}

static void test_token__an_answer_that_is_no_key_set_is_none(void **state)
{
    fixture *f = *state;

    fixture_answer(f, KEYS, 200, NULL, "{\"no\":\"key set\"}");
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_UNAVAILABLE);
    assert_non_null(strstr(f->error.message, "no key set"));
    advance(f, 1000);
    fixture_answer(f, KEYS, 302, "Location: https://elsewhere.example.test" KEYS, RSA_SET);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_UNAVAILABLE);
}

static void test_token__a_child_is_told_so(void **state)
{
    fixture *f = *state;
    int result = -1;
    pid_t child;

    fixture_answer(f, KEYS, 200, NULL, RSA_SET);
    fixture_expect(f, verify(f, VECTOR_JWT), DREAMAPI_OK);
    child = fork();
    if (child == 0) {
        dreamapi_status status = verify(f, VECTOR_JWT);
        dreamapi_client_free(f->client);
        _exit(status == DREAMAPI_FORKED ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

/* ---- threads ---- */

static atomic_int wrong;
static atomic_llong leap_ms;

/* Real time, so that a thread which is about to begin a fetch is not overtaken by it, and leaps. */
static int64_t leaping_ms(void *unused)
{
    (void)unused;
    return dream_monotonic_ms() + atomic_load(&leap_ms);
}

static int64_t standing_ms(void *unused)
{
    (void)unused;
    return (int64_t)FIXTURE_WALL_MS * 1000;
}

static void *verify_in_thread(void *argument)
{
    fixture *f = argument;

    for (int i = 0; i < 60; i++) {
        dreamapi_token *token = NULL;
        dreamapi_status status =
            dreamapi_token_verify(f->client, i % 2 == 0 ? VECTOR_JWT : VECTOR_EC_JWT, NULL, NULL, &token, NULL);

        if (status == DREAMAPI_OK && strcmp(dreamapi_token_user_id(token), i % 2 == 0 ? "user_py" : "user_ec") != 0)
            atomic_fetch_add(&wrong, 1);
        /* The key may be the one that is out of the set just now. */
        if (status != DREAMAPI_OK && status != DREAMAPI_AUTH)
            atomic_fetch_add(&wrong, 1);
        dreamapi_token_free(token);
        atomic_fetch_add(&leap_ms, UNKNOWN_MS / 20);
    }
    return NULL;
}

static void test_token__many_threads_verify_while_keys_rotate(void **state)
{
    const dreamapi_clock clock = { sizeof(clock), NULL, leaping_ms, standing_ms, NULL };
    fixture *f = *state;
    pthread_t threads[4];

    assert_int_equal(dreamapi_options_set_clock(f->options, &clock), DREAMAPI_OK);
    /* The others' leaps are no reason to give up. */
    assert_int_equal(dreamapi_options_set_timeout_ms(f->options, DREAMAPI_MAX_TIMEOUT_MS), DREAMAPI_OK);
    for (int i = 0; i < 40; i++) {
        fixture_answer(f, KEYS, 200, NULL, RSA_SET);
        fixture_answer(f, KEYS, 200, NULL, EC_SET);
    }
    dreamapi_options_set_threads(f->options, 1);
    fixture_make_client(f);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_in_thread, f), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&wrong), 0);
    assert_true(fixture_count(f, KEYS) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_token__keys_are_fetched_once_and_no_secret_with_them, set_up_client,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__params_say_whose_tokens_pass, set_up_client, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__skew_and_expiry, set_up_client, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__without_a_project_or_keys_nothing_is_verified, set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__given_keys_need_no_network, set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__options_refuse_what_cannot_be_trusted, set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__with_the_provider_down_known_tokens_go_on_for_a_day, set_up_client,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__an_unknown_key_is_asked_for_every_ten_seconds, set_up_client,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__a_withdrawn_key_takes_its_tokens_along, set_up_client,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__many_calls_that_wait_make_one_request, set_up_client,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__waiting_ends_with_the_deadline_a_cancel_or_the_client,
                                        set_up_client, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__an_answer_that_is_no_key_set_is_none, set_up_client,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__a_child_is_told_so, set_up_client, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token__many_threads_verify_while_keys_rotate, set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests_name("lib_token", tests, NULL, NULL);
}
