/* SPDX-License-Identifier: Apache-2.0 */
/* test_token_cache.c - what the table of verified tokens keeps, and what it lets go. */
#include "common/token_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000)

/* The names of a test's tokens: the group is in the low half. */
static dream_siphash name_of(unsigned group, int token)
{
    return (dream_siphash){ .low = group, .high = (uint64_t)token };
}

static void put(dream_token_cache *cache, unsigned group, int token, int64_t expires_at_s)
{
    char user[24];
    const dream_claims sample = { .user_id = user, .json = user, .expires_at_s = expires_at_s };
    dream_claims *claims;

    (void)snprintf(user, sizeof(user), "user_%d", token);
    claims = dream_claims_copy(&sample);
    assert_non_null(claims);
    dream_token_cache_put(cache, name_of(group, token), claims, NOW * 1000);
    dream_claims_unref(claims);
}

static bool has(const dream_token_cache *cache, unsigned group, int token)
{
    const dream_claims *claims;
    char user[24];

    claims = dream_token_cache_get(cache, name_of(group, token));
    (void)snprintf(user, sizeof(user), "user_%d", token);
    if (claims != NULL)
        assert_string_equal(claims->user_id, user);
    return claims != NULL;
}

static void test_cache__keeps_as_many_as_were_asked_for_if_they_spread(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(4 * DREAM_TOKEN_CACHE_WAYS);

    (void)state;
    for (int i = 0; i < 4 * DREAM_TOKEN_CACHE_WAYS; i++)
        put(cache, (unsigned)i, i, NOW);
    for (int i = 0; i < 4 * DREAM_TOKEN_CACHE_WAYS; i++)
        assert_true(has(cache, (unsigned)i, i));
    assert_false(has(cache, 0, 1));
    dream_token_cache_free(cache);
    dream_token_cache_free(NULL);
}

static void test_cache__a_full_group_lets_the_expired_go_then_the_oldest(void **state)
{
    enum { LONG_AGO = NOW - DREAM_TOKEN_SKEW_S };
    dream_token_cache *cache = dream_token_cache_new(1);
    int last = DREAM_TOKEN_CACHE_WAYS - 1;

    (void)state;
    for (int i = 0; i <= last; i++)
        put(cache, 0, i, i == 5 ? (int64_t)LONG_AGO : (int64_t)LONG_AGO + 1);
    put(cache, 0, 100, NOW);
    assert_false(has(cache, 0, 5));
    assert_true(has(cache, 0, 0));
    put(cache, 0, 101, NOW);
    assert_false(has(cache, 0, 0));
    assert_true(has(cache, 0, 1));
    /* Put again, it is the newest, and takes no second place. */
    put(cache, 0, 1, NOW);
    put(cache, 0, 102, NOW);
    assert_true(has(cache, 0, 1));
    assert_false(has(cache, 0, 2));
    assert_true(has(cache, 0, 3));
    dream_token_cache_free(cache);
}

static void test_cache__what_is_forgotten_is_not_found_and_goes_first(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(1);

    (void)state;
    put(cache, 0, 1, NOW + 5000);
    put(cache, 0, 2, NOW + 5000);
    dream_token_cache_forget(cache);
    assert_false(has(cache, 0, 1));
    for (int i = 2; i < 2 + DREAM_TOKEN_CACHE_WAYS; i++)
        put(cache, 0, i, NOW);
    for (int i = 2; i < 2 + DREAM_TOKEN_CACHE_WAYS; i++)
        assert_true(has(cache, 0, i));
    dream_token_cache_free(cache);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache__keeps_as_many_as_were_asked_for_if_they_spread),
        cmocka_unit_test(test_cache__a_full_group_lets_the_expired_go_then_the_oldest),
        cmocka_unit_test(test_cache__what_is_forgotten_is_not_found_and_goes_first),
    };

    return cmocka_run_group_tests_name("token_cache", tests, NULL, NULL);
}
