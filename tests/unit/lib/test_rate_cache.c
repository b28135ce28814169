/* SPDX-License-Identifier: Apache-2.0 */
/* test_rate_cache.c - who must wait until when, within bounds. */
#include "lib/rate_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static dream_user_key user(int number)
{
    dream_user_key key;
    char id[32];

    (void)snprintf(id, sizeof(id), "user_%d", number);
    assert_true(dream_user_key_make(id, NULL, &key));
    return key;
}

static int set_up(void **state)
{
    *state = dream_rate_cache_new();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    dream_rate_cache_free(*state);
    return 0;
}

static void test_rate_cache__holds_one_user_until_the_time_is_over(void **state)
{
    dream_user_key ada = user(1);
    dream_user_key bob = user(2);

    assert_int_equal(dream_rate_cache_wait_ms(*state, &ada, 0), 0);
    dream_rate_cache_note(*state, &ada, 1000, 60000);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &ada, 1000), 60000);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &ada, 60999), 1);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &ada, 61000), 0);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &bob, 1000), 0);
}

static void test_rate_cache__a_later_word_replaces_an_earlier_one(void **state)
{
    dream_user_key ada = user(1);

    dream_rate_cache_note(*state, &ada, 0, 60000);
    dream_rate_cache_note(*state, &ada, 0, 1000);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &ada, 0), 1000);
}

static void test_rate_cache__no_time_or_a_negative_one_is_not_noted(void **state)
{
    dream_user_key ada = user(1);

    dream_rate_cache_note(*state, &ada, 0, 0);
    dream_rate_cache_note(*state, &ada, 0, -1);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &ada, 0), 0);
}

static void test_rate_cache__an_absurd_time_is_cut_to_an_hour(void **state)
{
    dream_user_key ada = user(1);

    dream_rate_cache_note(*state, &ada, 0, INT64_MAX);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &ada, 0), DREAM_RATE_CACHE_MAX_MS);
}

static void test_rate_cache__when_full_the_one_soonest_over_makes_room(void **state)
{
    dream_user_key first = user(0);
    dream_user_key key;

    /* User 7 is over soonest, then all others in order. */
    for (int i = 0; i < DREAM_RATE_CACHE_MAX; i++) {
        key = user(i);
        dream_rate_cache_note(*state, &key, 0, i == 7 ? 10 : 10000 + i);
    }
    key = user(DREAM_RATE_CACHE_MAX);
    dream_rate_cache_note(*state, &key, 0, 99999);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &key, 0), 99999);
    key = user(7);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &key, 0), 0);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &first, 0), 10000);
    /* And goes on so, many times over, without losing one that it keeps. */
    for (int i = 0; i < 3000; i++) {
        key = user(100000 + i);
        dream_rate_cache_note(*state, &key, 0, 200000 + i);
        assert_int_equal(dream_rate_cache_wait_ms(*state, &key, 0), 200000 + i);
    }
    assert_int_equal(dream_rate_cache_wait_ms(*state, &first, 0), 0);
    key = user(DREAM_RATE_CACHE_MAX - 1);
    assert_int_equal(dream_rate_cache_wait_ms(*state, &key, 0), 10000 + DREAM_RATE_CACHE_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rate_cache__holds_one_user_until_the_time_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rate_cache__a_later_word_replaces_an_earlier_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rate_cache__no_time_or_a_negative_one_is_not_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rate_cache__an_absurd_time_is_cut_to_an_hour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rate_cache__when_full_the_one_soonest_over_makes_room, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("rate_cache", tests, NULL, NULL);
}
