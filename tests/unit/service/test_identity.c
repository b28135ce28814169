/* SPDX-License-Identifier: Apache-2.0 */
/* test_identity.c - when keys are asked for, who waits, and that live and test never meet. Clock and keys are the test's. */
#include "service/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../common/rsa_vectors.h"
#include "common/json.h"

#define GOOD_KEYS "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"py-key\",\"e\":\"AQAB\",\"n\":\"" VECTOR_MODULUS "\"}]}"
#define OTHER_KEYS "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"other\",\"e\":\"AQAB\",\"n\":\"" VECTOR_MODULUS "\"}]}"
#define NOW_WALL_MS INT64_C(1700000000000)
#define TOO_LATE_WALL_MS (NOW_WALL_MS + 1000 * 1000)

enum { MAX_FETCHES = 16 };

/* The world as the test has it. */
static struct {
    int64_t monotonic_ms;
    int64_t wall_ms;
    int fetches;
    struct {
        enum dreamd_mode mode;
        dreamd_upstream_fn *fn;
        void *context;
    } fetch[MAX_FETCHES];
} world;

static struct heard {
    int count;
    dreamd_identity_status status;
    char user_id[32];
    char message[300];
} heard, heard_too;

static dreamd_identity *identity;

static void fetch_keys(void *unused, enum dreamd_mode mode, dreamd_upstream_fn *fn, void *context)
{
    (void)unused;
    assert_true(world.fetches < MAX_FETCHES);
    world.fetch[world.fetches].mode = mode;
    world.fetch[world.fetches].fn = fn;
    world.fetch[world.fetches].context = context;
    world.fetches++;
}

static int64_t monotonic_ms(void *unused)
{
    (void)unused;
    return world.monotonic_ms;
}

static int64_t wall_ms(void *unused)
{
    (void)unused;
    return world.wall_ms;
}

static void answer_fetch(int index, const char *keys)
{
    cJSON *json = keys ? dream_json_parse(keys, strlen(keys), NULL) : NULL;
    dreamd_upstream_answer answer = { keys ? DREAMD_UPSTREAM_OK : DREAMD_UPSTREAM_UNAVAILABLE, keys ? 200 : 0, "down",
                                      -1, json };

    assert_true(index < world.fetches);
    world.fetch[index].fn(world.fetch[index].context, &answer);
    cJSON_Delete(json);
}

static void hear(void *context, dreamd_identity_status status, dream_claims *claims, const char *message)
{
    struct heard *self = context;

    self->count++;
    self->status = status;
    (void)snprintf(self->user_id, sizeof self->user_id, "%s", claims ? claims->user_id : "none");
    (void)snprintf(self->message, sizeof self->message, "%s", message);
    assert_int_equal(status == DREAMD_IDENTITY_OK, claims != NULL);
    dream_claims_unref(claims);
}

static int begin(void **state)
{
    dreamd_identity_world own = { fetch_keys, monotonic_ms, wall_ms, NULL };

    (void)state;
    memset(&world, 0, sizeof world);
    memset(&heard, 0, sizeof heard);
    memset(&heard_too, 0, sizeof heard_too);
    world.monotonic_ms = 1000000;
    world.wall_ms = NOW_WALL_MS;
    identity = dreamd_identity_new_in(&own);
    return identity ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    dreamd_identity_free(identity);
    return 0;
}

static void verify(enum dreamd_mode mode, const char *token)
{
    heard.count = 0;
    dreamd_identity_verify(identity, mode, token, hear, &heard);
}

static void warm_up(void)
{
    verify(DREAMD_LIVE, VECTOR_JWT);
    answer_fetch(world.fetches - 1, GOOD_KEYS);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, DREAMD_IDENTITY_OK);
}

static void test_identity__the_first_token_waits_for_the_keys(void **state)
{
    (void)state;
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(heard.count, 0);
    assert_int_equal(world.fetches, 1);
    assert_int_equal(world.fetch[0].mode, DREAMD_LIVE);
    answer_fetch(0, GOOD_KEYS);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, DREAMD_IDENTITY_OK);
    assert_string_equal(heard.user_id, "user_py");
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(heard.count, 1);
    assert_int_equal(world.fetches, 1);
}

static void test_identity__one_fetch_serves_all_who_wait(void **state)
{
    (void)state;
    verify(DREAMD_LIVE, VECTOR_JWT);
    dreamd_identity_verify(identity, DREAMD_LIVE, "not-a-jwt", hear, &heard_too);
    assert_int_equal(world.fetches, 1);
    answer_fetch(0, GOOD_KEYS);
    assert_int_equal(heard.status, DREAMD_IDENTITY_OK);
    assert_int_equal(heard_too.count, 1);
    assert_int_equal(heard_too.status, DREAMD_IDENTITY_INVALID);
    assert_int_equal(strncmp(heard_too.message, "Invalid JWT form", 16), 0);
}

static void test_identity__live_and_test_never_meet(void **state)
{
    (void)state;
    warm_up();
    verify(DREAMD_TEST, VECTOR_JWT);
    assert_int_equal(heard.count, 0);
    assert_int_equal(world.fetches, 2);
    assert_int_equal(world.fetch[1].mode, DREAMD_TEST);
    answer_fetch(1, OTHER_KEYS);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, DREAMD_IDENTITY_INVALID);
    assert_non_null(strstr(heard.message, "py-key"));
}

static void test_identity__a_verified_token_ends_with_its_time(void **state)
{
    (void)state;
    warm_up();
    world.wall_ms = TOO_LATE_WALL_MS;
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(heard.status, DREAMD_IDENTITY_INVALID);
    assert_int_equal(strncmp(heard.message, "JWT is expired.", 15), 0);
}

static void test_identity__without_keys_the_provider_is_unavailable(void **state)
{
    (void)state;
    verify(DREAMD_LIVE, VECTOR_JWT);
    answer_fetch(0, NULL);
    assert_int_equal(heard.status, DREAMD_IDENTITY_UNAVAILABLE);
    verify(DREAMD_LIVE, VECTOR_JWT); /* at once: a provider that is down is not hammered */
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, DREAMD_IDENTITY_UNAVAILABLE);
    assert_int_equal(world.fetches, 1);
    world.monotonic_ms += DREAM_KEYS_RETRY_MS;
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(world.fetches, 2);
    answer_fetch(1, "{\"no\":\"key set\"}");
    assert_int_equal(heard.status, DREAMD_IDENTITY_UNAVAILABLE);
    world.monotonic_ms += DREAM_KEYS_RETRY_MS;
    verify(DREAMD_LIVE, VECTOR_JWT);
    answer_fetch(2, GOOD_KEYS);
    assert_int_equal(heard.status, DREAMD_IDENTITY_OK);
}

static void test_identity__an_unknown_key_is_asked_for_every_ten_seconds(void **state)
{
    (void)state;
    verify(DREAMD_LIVE, VECTOR_JWT);
    answer_fetch(0, OTHER_KEYS);
    assert_int_equal(heard.status, DREAMD_IDENTITY_INVALID);
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(heard.count, 1);
    assert_int_equal(world.fetches, 1);
    world.monotonic_ms += DREAM_KEYS_UNKNOWN_MS - 1;
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(world.fetches, 1);
    world.monotonic_ms += 1;
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(world.fetches, 2);
    assert_int_equal(heard.count, 0);
    answer_fetch(1, GOOD_KEYS); /* a rotated key shows */
    assert_int_equal(heard.status, DREAMD_IDENTITY_OK);
}

static void test_identity__old_keys_serve_while_newer_ones_come(void **state)
{
    (void)state;
    warm_up();
    world.monotonic_ms += DREAM_KEYS_FRESH_MS + 1;
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, DREAMD_IDENTITY_OK);
    assert_int_equal(world.fetches, 2);
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(world.fetches, 2);
    answer_fetch(1, NULL); /* down: the old ones still do, and the provider is left alone for a while */
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(heard.status, DREAMD_IDENTITY_OK);
    assert_int_equal(world.fetches, 2);
}

static void test_identity__keys_a_day_old_are_not_used(void **state)
{
    (void)state;
    warm_up();
    world.monotonic_ms += DREAM_KEYS_USABLE_MS + 1;
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(heard.count, 0);
    answer_fetch(1, NULL);
    assert_int_equal(heard.status, DREAMD_IDENTITY_UNAVAILABLE);
}

static void test_identity__a_withdrawn_key_takes_its_tokens_along(void **state)
{
    (void)state;
    warm_up();
    world.monotonic_ms += DREAM_KEYS_FRESH_MS + 1;
    verify(DREAMD_LIVE, VECTOR_JWT);
    answer_fetch(1, OTHER_KEYS);
    verify(DREAMD_LIVE, VECTOR_JWT);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.status, DREAMD_IDENTITY_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_identity__the_first_token_waits_for_the_keys, begin, end),
        cmocka_unit_test_setup_teardown(test_identity__one_fetch_serves_all_who_wait, begin, end),
        cmocka_unit_test_setup_teardown(test_identity__live_and_test_never_meet, begin, end),
        cmocka_unit_test_setup_teardown(test_identity__a_verified_token_ends_with_its_time, begin, end),
        cmocka_unit_test_setup_teardown(test_identity__without_keys_the_provider_is_unavailable, begin, end),
        cmocka_unit_test_setup_teardown(test_identity__an_unknown_key_is_asked_for_every_ten_seconds, begin, end),
        cmocka_unit_test_setup_teardown(test_identity__old_keys_serve_while_newer_ones_come, begin, end),
        cmocka_unit_test_setup_teardown(test_identity__keys_a_day_old_are_not_used, begin, end),
        cmocka_unit_test_setup_teardown(test_identity__a_withdrawn_key_takes_its_tokens_along, begin, end),
    };

    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
