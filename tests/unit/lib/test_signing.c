/* SPDX-License-Identifier: Apache-2.0 */
/* test_signing.c - signed mode: what is sent, what is never sent, and what the options keep. The signatures themselves are judged by
 * common's test_http_signature.c and, against other implementations, by tests/e2e/test_signatures.py. */
#include <stdio.h>
#include <stdlib.h>

#include "common/http_signature.h"
#include "fixture.h"
#include "lib/client.h"
#include "lib/settings.h"

#define SECRET "sk_live_very_secret_0123456789"
#define PUBLISHABLE "pk_live_1"
#define SIGNATURES "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"server-side\",\"signatures\"]}"

static void make_signing_client(fixture *f)
{
    assert_int_equal(dreamapi_options_set_auth(f->options, DREAMAPI_AUTH_SIGNATURE), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_publishable_key(f->options, PUBLISHABLE), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_secret_key(f->options, SECRET), DREAMAPI_OK);
    fixture_make_client(f);
}

static dreamapi_status track(fixture *f)
{
    return dreamapi_usage_track(f->client, "user_1", NULL, NULL, NULL, &f->error);
}

static dreamapi_status get_usage(fixture *f)
{
    return dreamapi_usage_get(f->client, "user_1", NULL, NULL, &f->error);
}

/* NULL if what was sent as number `index` is signed as it should be. */
static const char *judge(fixture *f, const char *path, size_t index, dream_http_signature *out)
{
    unsigned char key[DREAM_SIGNING_KEY_SIZE];
    const char *digest = fixture_header(f, path, index, "Content-Digest");
    const char *url = dreamapi_test_request_url(fixture_request(f, path, index));
    const char *body = dreamapi_test_request_body(fixture_request(f, path, index));
    const char *query = strchr(url, '?');
    const char *begin = strstr(url, path);
    size_t size = query == NULL ? strlen(begin) : (size_t)(query - begin);
    const char *method = dreamapi_test_request_method(fixture_request(f, path, index));
    dream_signed_request request = { .method = { method, strlen(method) },
                                     .authority = { "api.example.test", 16 },
                                     .path = { begin, size },
                                     .query = { query == NULL ? "" : query + 1, query == NULL ? 0 : strlen(query + 1) },
                                     .content_digest = digest };
    bool has_body = body != NULL && body[0] != '\0';
    const char *problem = dream_signature_parse(fixture_header(f, path, index, "Signature-Input"),
                                                fixture_header(f, path, index, "Signature"), out);

    assert_true(dream_signing_key_derive(SECRET, key));
    if (problem == NULL)
        problem = dream_signature_check_form(out, has_body);
    if (problem == NULL && has_body)
        problem = dream_content_digest_check(digest, body, strlen(body));
    if (problem == NULL && !has_body && digest != NULL)
        problem = "a digest of no body";
    return problem == NULL ? dream_signature_verify(out, &request, key) : problem;
}

static void test_signing__requests_are_signed_and_carry_no_key(void **state)
{
    fixture *f = *state;
    dream_http_signature signature;

    make_signing_client(f);
    fixture_extensions(f, SIGNATURES);
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_answer(f, "/api/usage", 200, NULL, USAGE);
    fixture_expect(f, track(f), DREAMAPI_OK);
    fixture_expect(f, get_usage(f), DREAMAPI_OK);
    assert_null(judge(f, "/api/data", 0, &signature));
    assert_int_equal(signature.params.created_s, dream_settings_wall_ms(&f->client->settings) / 1000);
    assert_int_equal(signature.params.expires_s, signature.params.created_s + 300);
    assert_memory_equal(signature.params.keyid, PUBLISHABLE ".", strlen(PUBLISHABLE) + 1);
    assert_null(judge(f, "/api/usage", 0, &signature));
    assert_null(fixture_header(f, "/api/data", 0, "Authorization"));
    assert_null(fixture_header(f, "/api/usage", 0, "X-Publishable-Key"));
}

static void test_signing__health_is_asked_first_and_without_a_signature(void **state)
{
    fixture *f = *state;

    make_signing_client(f);
    fixture_extensions(f, SIGNATURES);
    fixture_answer(f, "/api/usage", 200, NULL, USAGE);
    fixture_expect(f, get_usage(f), DREAMAPI_OK);
    assert_int_equal(fixture_count(f, "/health"), 1);
    assert_null(fixture_header(f, "/health", 0, "Signature"));
    assert_null(fixture_header(f, "/health", 0, "Authorization"));
}

static void test_signing__each_try_is_signed_anew(void **state)
{
    fixture *f = *state;
    dream_http_signature first, second, third;

    make_signing_client(f);
    fixture_extensions(f, SIGNATURES);
    fixture_answer(f, "/api/data", 503, "Retry-After: 2", "{}");
    fixture_fail(f, "/api/data", DREAMAPI_FAILURE_STALE, 0);
    fixture_answer(f, "/api/data", 200, NULL, TRACKED);
    fixture_expect(f, track(f), DREAMAPI_OK);
    assert_null(judge(f, "/api/data", 0, &first));
    assert_null(judge(f, "/api/data", 1, &second));
    assert_null(judge(f, "/api/data", 2, &third));
    assert_string_not_equal(first.params.nonce, second.params.nonce);
    assert_string_not_equal(second.params.nonce, third.params.nonce);
    assert_true(second.params.created_s >= first.params.created_s + 2);
    assert_string_equal(fixture_header(f, "/api/data", 0, "Idempotency-Key"),
                        fixture_header(f, "/api/data", 2, "Idempotency-Key"));
}

/* They are drawn for several requests at once. */
static void test_signing__no_number_is_used_twice(void **state)
{
    enum { REQUESTS = 3 * DREAM_NONCES + 1 };
    fixture *f = *state;
    dream_http_signature signature;
    char nonces[REQUESTS][2 * DREAM_NONCE_SIZE + 1];
    unsigned draws;

    make_signing_client(f);
    fixture_extensions(f, SIGNATURES);
    draws = f->random_calls;
    for (size_t i = 0; i < REQUESTS; i++) {
        fixture_answer(f, "/api/usage", 200, NULL, USAGE);
        fixture_expect(f, get_usage(f), DREAMAPI_OK);
        assert_null(judge(f, "/api/usage", i, &signature));
        assert_int_equal(strlen(signature.params.nonce), 2 * DREAM_NONCE_SIZE);
        memcpy(nonces[i], signature.params.nonce, sizeof(nonces[i]));
        for (size_t earlier = 0; earlier < i; earlier++)
            assert_string_not_equal(nonces[i], nonces[earlier]);
    }
    assert_int_equal(f->random_calls - draws, 4);
}

static void test_signing__a_server_that_takes_no_signatures_is_sent_nothing(void **state)
{
    fixture *f = *state;

    make_signing_client(f);
    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_expect(f, track(f), DREAMAPI_UNSUPPORTED);
    assert_non_null(strstr(f->error.message, "extension signatures"));
    assert_int_equal(f->error.local, 1);
    fixture_expect(f, get_usage(f), DREAMAPI_UNSUPPORTED);
    assert_int_equal(fixture_count(f, "/api/data"), 0);
    assert_int_equal(fixture_count(f, "/api/usage"), 0);
}

static void test_signing__a_silent_server_is_sent_nothing(void **state)
{
    fixture *f = *state;

    dreamapi_options_set_max_retries(f->options, 0);
    make_signing_client(f);
    fixture_fail(f, "/health", DREAMAPI_FAILURE_CONNECT, 0);
    fixture_expect(f, get_usage(f), DREAMAPI_UNAVAILABLE);
    assert_non_null(strstr(f->error.message, "takes signed requests"));
    assert_int_equal(fixture_count(f, "/api/usage"), 0);
}

static void test_signing__a_clock_that_is_wrong_is_told(void **state)
{
    fixture *f = *state;

    make_signing_client(f);
    fixture_extensions(f, SIGNATURES);
    fixture_answer(f, "/api/usage", 401, NULL,
                   "{\"error\":\"Signature out of time\",\"message\":\"It was made 900 seconds ahead\"}");
    fixture_expect(f, get_usage(f), DREAMAPI_AUTH);
    assert_non_null(strstr(f->error.message, "Signature out of time: It was made 900 seconds ahead"));
}

static void test_signing__without_its_keys_no_client_is_made(void **state)
{
    fixture *f = *state;
    dreamapi_client *client = NULL;

    assert_int_equal(dreamapi_options_set_auth(f->options, DREAMAPI_AUTH_SIGNATURE), DREAMAPI_OK);
    assert_int_equal(dreamapi_client_new(f->options, &client, &f->error), DREAMAPI_INVALID);
    assert_non_null(strstr(f->error.message, "publishable key"));
    dreamapi_options_set_publishable_key(f->options, PUBLISHABLE);
    dreamapi_options_set_secret_key(f->options, NULL);
    assert_int_equal(dreamapi_client_new(f->options, &client, &f->error), DREAMAPI_INVALID);
    assert_non_null(strstr(f->error.message, "secret key"));
    dreamapi_options_set_publishable_key(f->options, "pk\"quoted");
    dreamapi_options_set_secret_key(f->options, SECRET);
    assert_int_equal(dreamapi_client_new(f->options, &client, &f->error), DREAMAPI_INVALID);
}

static void test_signing__the_options_forget_the_key_in_either_order(void **state)
{
    fixture *f = *state;

    dreamapi_options_set_secret_key(f->options, SECRET);
    assert_non_null(f->options->secret_key);
    assert_int_equal(dreamapi_options_set_auth(f->options, DREAMAPI_AUTH_SIGNATURE), DREAMAPI_OK);
    assert_null(f->options->secret_key);
    assert_non_null(f->options->signing_key);
    dreamapi_options_set_secret_key(f->options, SECRET);
    assert_null(f->options->secret_key);
    assert_int_equal(dreamapi_options_set_auth(f->options, DREAMAPI_AUTH_BEARER), DREAMAPI_INVALID);
    dreamapi_options_set_secret_key(f->options, NULL);
    assert_int_equal(dreamapi_options_set_auth(f->options, DREAMAPI_AUTH_BEARER), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_auth(f->options, (dreamapi_auth)7), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_auth(NULL, DREAMAPI_AUTH_BEARER), DREAMAPI_INVALID);
}

static void test_signing__a_taken_buffer_is_wiped_always(void **state)
{
    static const struct {
        const char *key;
        dreamapi_status status;
    } cases[] = { { SECRET, DREAMAPI_OK }, { "", DREAMAPI_INVALID }, { "sk_with a space", DREAMAPI_INVALID } };
    fixture *f = *state;
    char buffer[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(buffer, 'x', sizeof(buffer));
        memcpy(buffer, cases[i].key, strlen(cases[i].key) + 1);
        assert_int_equal(dreamapi_options_take_secret_key(f->options, buffer, sizeof(buffer)), cases[i].status);
        for (size_t at = 0; at < sizeof(buffer); at++)
            assert_int_equal(buffer[at], 0);
    }
    assert_string_equal(f->options->secret_key, SECRET);
    /* One that fills its buffer to the last byte. */
    memcpy(buffer, "sk_12345", 8);
    buffer[8] = 'x';
    assert_int_equal(dreamapi_options_take_secret_key(f->options, buffer, 8), DREAMAPI_OK);
    assert_string_equal(f->options->secret_key, "sk_12345");
    assert_int_equal(buffer[8], 'x');
    assert_int_equal(dreamapi_options_take_secret_key(f->options, NULL, 0), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_take_secret_key(NULL, buffer, 9), DREAMAPI_INVALID);
    assert_int_equal(buffer[8], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_signing__requests_are_signed_and_carry_no_key, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_signing__health_is_asked_first_and_without_a_signature, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_signing__each_try_is_signed_anew, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_signing__no_number_is_used_twice, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_signing__a_server_that_takes_no_signatures_is_sent_nothing, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_signing__a_silent_server_is_sent_nothing, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_signing__a_clock_that_is_wrong_is_told, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_signing__without_its_keys_no_client_is_made, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_signing__the_options_forget_the_key_in_either_order, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_signing__a_taken_buffer_is_wiped_always, fixture_set_up,
                                        fixture_tear_down),
    };

    return cmocka_run_group_tests_name("signing", tests, NULL, NULL);
}
