/* SPDX-License-Identifier: Apache-2.0 */
/* test_webhook.c - dreamapi_webhook_verify: what it takes, what it says of the rest, and the replay set. The Standard Webhooks
 * vector is the one of that specification and of Svix's documentation; Stripe's digests were computed with Python's hmac. */
#include <dreamapi/webhook.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/webhook.h"

#define STRIPE_NOW 1700000000
#define STRIPE_GOOD "t=1700000000,v1=d1e4aa90551919f198c22ba0a9691b35338d4b631d54ce1f1465e93b1d41c430"
#define STANDARD_NOW 1614265330

static const char stripe_body[] = "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"checkout.session.completed\"}";
static const char *const stripe_secrets[] = { "whsec_test_secret", NULL };
static const char standard_body[] = "{\"test\": 2432232314}";
static const char *const standard_secrets[] = { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL };

static dreamapi_webhook_params stripe(void)
{
    dreamapi_webhook_params params = DREAMAPI_WEBHOOK_PARAMS_INIT;

    params.scheme = DREAMAPI_WEBHOOK_STRIPE;
    params.signature = STRIPE_GOOD;
    params.body = stripe_body;
    params.body_size = sizeof(stripe_body) - 1;
    params.secrets = stripe_secrets;
    params.now_s = STRIPE_NOW;
    return params;
}

static dreamapi_webhook_params standard(void)
{
    dreamapi_webhook_params params = DREAMAPI_WEBHOOK_PARAMS_INIT;

    params.scheme = DREAMAPI_WEBHOOK_STANDARD;
    params.id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    params.timestamp = "1614265330";
    params.signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    params.body = standard_body;
    params.body_size = sizeof(standard_body) - 1;
    params.secrets = standard_secrets;
    params.now_s = STANDARD_NOW;
    return params;
}

static void expect(const dreamapi_webhook_params *params, dreamapi_status status, const char *words)
{
    dreamapi_error error;

    memset(&error, 0x5a, sizeof(error));
    assert_string_equal(dreamapi_status_name(dreamapi_webhook_verify(params, &error)), dreamapi_status_name(status));
    assert_int_equal(error.status, status);
    assert_int_equal(error.local, status != DREAMAPI_OK);
    if (strstr(error.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, error.message);
    assert_int_equal(dreamapi_webhook_verify(params, NULL) == DREAMAPI_OK,
                     status == DREAMAPI_OK && params->replays == NULL);
}

static void test_webhook__takes_what_the_published_examples_sign(void **state)
{
    dreamapi_webhook_params of_stripe = stripe(), of_standard = standard();

    (void)state;
    expect(&of_stripe, DREAMAPI_OK, "");
    expect(&of_standard, DREAMAPI_OK, "");
    of_standard.secrets = (const char *const[]){ "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL };
    expect(&of_standard, DREAMAPI_OK, "");
}

static void test_webhook__tells_a_missing_header_from_a_malformed_one(void **state)
{
    dreamapi_webhook_params params = stripe();

    (void)state;
    params.signature = NULL;
    expect(&params, DREAMAPI_PROTOCOL, "missing");
    params.signature = "t=1700000000";
    expect(&params, DREAMAPI_PROTOCOL, "malformed");
    params.signature = "t=17e8,v1=00";
    expect(&params, DREAMAPI_PROTOCOL, "malformed");
    params = standard();
    params.id = NULL;
    expect(&params, DREAMAPI_PROTOCOL, "missing");
    params.id = "";
    expect(&params, DREAMAPI_PROTOCOL, "malformed");
    params = standard();
    params.timestamp = "now";
    expect(&params, DREAMAPI_PROTOCOL, "malformed");
}

static void test_webhook__refuses_any_changed_byte(void **state)
{
    dreamapi_webhook_params params = stripe();
    char other[sizeof(stripe_body)];

    (void)state;
    for (size_t i = 0; i < sizeof(stripe_body) - 1; i++) {
        memcpy(other, stripe_body, sizeof(other));
        other[i] ^= 1;
        params.body = other;
        expect(&params, DREAMAPI_AUTH, "no signature matches");
    }
    params = standard();
    params.id = "msg_p5jXN8AQM9LWM0D4loKWxJeK";
    expect(&params, DREAMAPI_AUTH, "no signature matches");
    params = standard();
    params.timestamp = "1614265331";
    expect(&params, DREAMAPI_AUTH, "no signature matches");
}

static void test_webhook__says_outside_only_of_genuine_ones(void **state)
{
    dreamapi_webhook_params params = stripe();

    (void)state;
    params.now_s = STRIPE_NOW + 300;
    expect(&params, DREAMAPI_OK, "");
    params.now_s = STRIPE_NOW + 301;
    expect(&params, DREAMAPI_TIMEOUT, "outside tolerance");
    params.now_s = STRIPE_NOW - 301;
    expect(&params, DREAMAPI_TIMEOUT, "outside tolerance");
    params.body_size--;
    expect(&params, DREAMAPI_AUTH, "no signature matches");
    params = standard();
    params.now_s = STANDARD_NOW + 11;
    params.tolerance_s = 10;
    expect(&params, DREAMAPI_TIMEOUT, "outside tolerance");
}

static void test_webhook__asks_the_systems_clock_by_itself(void **state)
{
    dreamapi_webhook_params params = stripe();

    (void)state;
    params.now_s = 0;
    expect(&params, DREAMAPI_TIMEOUT, "outside tolerance");
    params.tolerance_s = INT64_MAX;
    expect(&params, DREAMAPI_OK, "");
}

static void test_webhook__tries_each_secret_with_each_signature(void **state)
{
    dreamapi_webhook_params params = stripe();

    (void)state;
    params.secrets = (const char *const[]){ "whsec_new", "whsec_test_secret", NULL };
    expect(&params, DREAMAPI_OK, "");
    params.secrets = (const char *const[]){ "whsec_test_secret", "whsec_new", NULL };
    expect(&params, DREAMAPI_OK, "");
    params.secrets = (const char *const[]){ "whsec_new", "whsec_other", NULL };
    expect(&params, DREAMAPI_AUTH, "no signature matches");
    params = standard();
    params.signature = "v1,A9tvYUxvVRf3KZODcc7Ikc08j2ku8QechJYsWbg28NY= v1a,xx "
                       "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    params.secrets = (const char *const[]){ "whsec_bmV3", standard_secrets[0], NULL };
    expect(&params, DREAMAPI_OK, "");
}

static void test_webhook__refuses_parameters_that_check_nothing(void **state)
{
    static const char *const none[] = { NULL }, *const empty[] = { "whsec_test_secret", "", NULL },
                             *const no_base64[] = { "whsec_%%", NULL };
    dreamapi_webhook_params params = stripe();

    (void)state;
    expect(&(dreamapi_webhook_params)DREAMAPI_WEBHOOK_PARAMS_INIT, DREAMAPI_INVALID, "scheme");
    params.secrets = NULL;
    expect(&params, DREAMAPI_INVALID, "secrets");
    params.secrets = none;
    expect(&params, DREAMAPI_INVALID, "secrets");
    params.secrets = empty;
    expect(&params, DREAMAPI_INVALID, "secrets");
    params = standard();
    params.secrets = no_base64;
    expect(&params, DREAMAPI_INVALID, "secrets");
    params = stripe();
    params.body = NULL;
    expect(&params, DREAMAPI_INVALID, "body");
    params = stripe();
    params.tolerance_s = -1;
    expect(&params, DREAMAPI_INVALID, "tolerance_s");
    params = stripe();
    params.struct_size = 0;
    expect(&params, DREAMAPI_INVALID, "struct_size");
    assert_int_equal(dreamapi_webhook_verify(NULL, NULL), DREAMAPI_INVALID);
}

/* ---- replays ---- */

static dreamapi_webhook_replays *new_replays(size_t capacity)
{
    dreamapi_webhook_replays *replays = NULL;

    assert_int_equal(dreamapi_webhook_replays_new(capacity, &replays, NULL), DREAMAPI_OK);
    return replays;
}

/* A webhook whose body is the number, signed at `time_s`, checked at `now_s`. */
static dreamapi_status check(dreamapi_webhook_replays *replays, int number, int64_t time_s, int64_t now_s)
{
    dreamapi_webhook_params params = stripe();
    dream_buffer header = DREAM_BUFFER_INIT;
    dreamapi_status status;
    char body[16];

    params.body = body;
    params.body_size = (size_t)snprintf(body, sizeof(body), "%d", number);
    assert_true(dream_stripe_signature_make(&header, stripe_secrets[0], body, params.body_size, time_s));
    params.signature = dream_buffer_str(&header);
    params.now_s = now_s;
    params.replays = replays;
    status = dreamapi_webhook_verify(&params, NULL);
    dream_buffer_clear(&header);
    return status;
}

static void test_replays__refuse_the_second_of_a_kind(void **state)
{
    dreamapi_webhook_replays *replays = new_replays(4);
    dreamapi_webhook_params params = stripe();
    dream_buffer two = DREAM_BUFFER_INIT;

    (void)state;
    params.replays = replays;
    assert_int_equal(dreamapi_webhook_verify(&params, NULL), DREAMAPI_OK);
    expect(&params, DREAMAPI_CONFLICT, "replayed");
    /* The same webhook under the other of two secrets. */
    assert_true(dream_stripe_signature_make(&two, "whsec_new", stripe_body, sizeof(stripe_body) - 1, STRIPE_NOW));
    params.signature = dream_buffer_str(&two);
    params.secrets = (const char *const[]){ "whsec_new", NULL };
    expect(&params, DREAMAPI_CONFLICT, "replayed");
    dream_buffer_clear(&two);
    /* The sender's own repetition. */
    assert_int_equal(check(replays, 1, STRIPE_NOW, STRIPE_NOW), DREAMAPI_OK);
    assert_int_equal(check(replays, 1, STRIPE_NOW + 1, STRIPE_NOW + 1), DREAMAPI_OK);
    dreamapi_webhook_replays_free(replays);
    dreamapi_webhook_replays_free(NULL);
}

static void test_replays__remember_nothing_that_was_refused(void **state)
{
    dreamapi_webhook_replays *replays = new_replays(1);
    dreamapi_webhook_params params = stripe();

    (void)state;
    params.replays = replays;
    params.body_size--;
    expect(&params, DREAMAPI_AUTH, "no signature matches");
    assert_int_equal(check(replays, 1, STRIPE_NOW, STRIPE_NOW + 301), DREAMAPI_TIMEOUT);
    assert_int_equal(check(replays, 1, STRIPE_NOW, STRIPE_NOW), DREAMAPI_OK);
    dreamapi_webhook_replays_free(replays);
}

static void test_replays__keep_an_entry_exactly_as_long_as_it_could_be_replayed(void **state)
{
    dreamapi_webhook_replays *replays = new_replays(1);

    (void)state;
    assert_int_equal(check(replays, 1, STRIPE_NOW, STRIPE_NOW), DREAMAPI_OK);
    assert_int_equal(check(replays, 1, STRIPE_NOW, STRIPE_NOW + 300), DREAMAPI_CONFLICT);
    assert_int_equal(check(replays, 2, STRIPE_NOW, STRIPE_NOW + 300), DREAMAPI_UNAVAILABLE);
    assert_int_equal(check(replays, 2, STRIPE_NOW + 301, STRIPE_NOW + 301), DREAMAPI_OK);
    /* The clock is set back: the first is forgotten, and is not let in again for that. */
    assert_int_equal(check(replays, 1, STRIPE_NOW, STRIPE_NOW), DREAMAPI_TIMEOUT);
    dreamapi_webhook_replays_free(replays);
}

static void test_replays__full_is_an_answer_that_may_be_tried_again(void **state)
{
    dreamapi_webhook_replays *replays = new_replays(1);
    dreamapi_webhook_params params = stripe();
    dreamapi_error error;

    (void)state;
    assert_int_equal(check(replays, 1, STRIPE_NOW, STRIPE_NOW), DREAMAPI_OK);
    params.replays = replays;
    assert_int_equal(dreamapi_webhook_verify(&params, &error), DREAMAPI_UNAVAILABLE);
    assert_int_equal(error.retriable, 1);
    dreamapi_webhook_replays_free(replays);
}

static void test_replays__have_a_capacity_within_bounds(void **state)
{
    dreamapi_webhook_replays *replays = (void *)&replays;

    (void)state;
    assert_int_equal(dreamapi_webhook_replays_new(0, &replays, NULL), DREAMAPI_INVALID);
    assert_null(replays);
    assert_int_equal(dreamapi_webhook_replays_new(DREAMAPI_WEBHOOK_REPLAYS_MAX + 1, &replays, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_webhook_replays_new(1, NULL, NULL), DREAMAPI_INVALID);
}

enum { THREADS = 4, WEBHOOKS = 50 };

static void *take_all(void *replays)
{
    size_t taken = 0;

    for (int i = 0; i < WEBHOOKS; i++)
        taken += check(replays, i, STRIPE_NOW, STRIPE_NOW) == DREAMAPI_OK;
    return (void *)taken;
}

static void test_replays__let_each_in_once_whatever_the_threads(void **state)
{
    dreamapi_webhook_replays *replays = new_replays(WEBHOOKS);
    pthread_t threads[THREADS];
    size_t taken = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, replays), 0);
    for (int i = 0; i < THREADS; i++) {
        void *of_one;
        assert_int_equal(pthread_join(threads[i], &of_one), 0);
        taken += (size_t)of_one;
    }
    assert_int_equal(taken, WEBHOOKS);
    dreamapi_webhook_replays_free(replays);
}

static void test_replays__are_refused_in_a_forked_child(void **state)
{
    dreamapi_webhook_replays *replays = new_replays(1);
    int status = -1;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        bool is_refused = check(replays, 1, STRIPE_NOW, STRIPE_NOW) == DREAMAPI_FORKED;
        dreamapi_webhook_replays_free(replays);
        _exit(is_refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(check(replays, 1, STRIPE_NOW, STRIPE_NOW), DREAMAPI_OK);
    dreamapi_webhook_replays_free(replays);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_webhook__takes_what_the_published_examples_sign),
        cmocka_unit_test(test_webhook__tells_a_missing_header_from_a_malformed_one),
        cmocka_unit_test(test_webhook__refuses_any_changed_byte),
        cmocka_unit_test(test_webhook__says_outside_only_of_genuine_ones),
        cmocka_unit_test(test_webhook__asks_the_systems_clock_by_itself),
        cmocka_unit_test(test_webhook__tries_each_secret_with_each_signature),
        cmocka_unit_test(test_webhook__refuses_parameters_that_check_nothing),
        cmocka_unit_test(test_replays__refuse_the_second_of_a_kind),
        cmocka_unit_test(test_replays__remember_nothing_that_was_refused),
        cmocka_unit_test(test_replays__keep_an_entry_exactly_as_long_as_it_could_be_replayed),
        cmocka_unit_test(test_replays__full_is_an_answer_that_may_be_tried_again),
        cmocka_unit_test(test_replays__have_a_capacity_within_bounds),
        cmocka_unit_test(test_replays__let_each_in_once_whatever_the_threads),
        cmocka_unit_test(test_replays__are_refused_in_a_forked_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
