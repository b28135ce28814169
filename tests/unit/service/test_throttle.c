/* SPDX-License-Identifier: Apache-2.0 */
/* test_throttle.c - service/api/throttle.h in made-up time. */
#include "service/api/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1000000, OTHERS = 100000 };

static const dreamd_rate three_then_one_a_second = { 3, 1000 };

static int set_up(void **state)
{
    *state = dreamd_throttle_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    dreamd_throttle_free(*state);
    return 0;
}

static int64_t wait_of(dreamd_throttle *throttle, uint64_t name, int64_t now_ms)
{
    return dreamd_throttle_wait(throttle, name, &three_then_one_a_second, now_ms);
}

static void count(dreamd_throttle *throttle, uint64_t name, int times, int64_t now_ms)
{
    for (int i = 0; i < times; i++)
        dreamd_throttle_count(throttle, name, &three_then_one_a_second, now_ms);
}

static void test_throttle__a_burst_is_let_through_and_then_one_an_interval(void **state)
{
    dreamd_throttle *throttle = *state;
    count(throttle, 7, 2, NOW);
    assert_int_equal(wait_of(throttle, 7, NOW), 0);
    count(throttle, 7, 1, NOW);
    assert_int_equal(wait_of(throttle, 7, NOW), 1000);
    assert_int_equal(wait_of(throttle, 7, NOW + 999), 1);
    assert_int_equal(wait_of(throttle, 7, NOW + 1000), 0);
    count(throttle, 7, 1, NOW + 1000);
    assert_int_equal(wait_of(throttle, 7, NOW + 1000), 1000);
}

static void test_throttle__what_is_not_used_comes_back_but_no_more_than_the_burst(void **state)
{
    dreamd_throttle *throttle = *state;
    count(throttle, 7, 3, NOW);
    count(throttle, 7, 3, NOW + 60000);
    assert_int_equal(wait_of(throttle, 7, NOW + 60000), 1000);
}

static void test_throttle__more_than_is_allowed_makes_nobody_wait_longer_than_for_one(void **state)
{
    dreamd_throttle *throttle = *state;
    count(throttle, 7, 1000, NOW);
    assert_int_equal(wait_of(throttle, 7, NOW), 1000);
}

static void test_throttle__names_do_not_pay_for_each_other(void **state)
{
    dreamd_throttle *throttle = *state;
    count(throttle, 7, 3, NOW);
    assert_int_equal(wait_of(throttle, 8, NOW), 0);
    assert_int_equal(wait_of(throttle, 7 + 1024, NOW), 0); /* of the same set */
}

static void test_throttle__the_most_active_names_are_kept_among_any_number_of_others(void **state)
{
    dreamd_throttle *throttle = *state;
    count(throttle, 7, 3, NOW);
    for (uint64_t i = 1; i <= OTHERS; i++)
        count(throttle, 100 + i, 1, NOW);
    assert_int_equal(wait_of(throttle, 7, NOW), 1000);
}

static void test_throttle__names_tell_kinds_and_contents_apart(void **state)
{
    dreamd_throttle *throttle = *state;
    uint64_t name = dreamd_throttle_name(throttle, 1, "sk_live_123", 11);
    assert_true(name == dreamd_throttle_name(throttle, 1, "sk_live_123", 11));
    assert_true(name != dreamd_throttle_name(throttle, 2, "sk_live_123", 11));
    assert_true(name != dreamd_throttle_name(throttle, 1, "sk_live_124", 11));
    assert_true(name != dreamd_throttle_name(throttle, 1, "sk_live_12", 10));
    assert_true(dreamd_throttle_name(throttle, 1, "a\0", 2) != dreamd_throttle_name(throttle, 1, "a", 1));
}

static void test_throttle__an_address_of_ipv6_counts_with_its_network(void **state)
{
    static const struct {
        const char *one;
        const char *other;
        bool is_same;
    } pairs[] = {
        { "192.0.2.1", "192.0.2.1", true },
        { "192.0.2.1", "192.0.2.2", false },
        { "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true },
        { "2001:db8:1:2::1", "2001:db8:1:3::1", false },
        { "unknown", "unknown", true },
    };
    dreamd_throttle *throttle = *state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_true(
            (dreamd_throttle_address(throttle, 0, pairs[i].one) == dreamd_throttle_address(throttle, 0, pairs[i].other))
            == pairs[i].is_same);
}

static void test_throttle__knows_what_it_was_told_until_it_is_to_forget(void **state)
{
    dreamd_throttle *throttle = *state;
    assert_false(dreamd_throttle_knows(throttle, 7));
    dreamd_throttle_know(throttle, 7);
    assert_true(dreamd_throttle_knows(throttle, 7));
    assert_false(dreamd_throttle_knows(throttle, 7 + 4096));
    dreamd_throttle_forget(throttle, 7 + 4096); /* of the same place: another */
    assert_true(dreamd_throttle_knows(throttle, 7));
    dreamd_throttle_forget(throttle, 7);
    assert_false(dreamd_throttle_knows(throttle, 7));
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_throttle__a_burst_is_let_through_and_then_one_an_interval),
        WITH(test_throttle__what_is_not_used_comes_back_but_no_more_than_the_burst),
        WITH(test_throttle__more_than_is_allowed_makes_nobody_wait_longer_than_for_one),
        WITH(test_throttle__names_do_not_pay_for_each_other),
        WITH(test_throttle__the_most_active_names_are_kept_among_any_number_of_others),
        WITH(test_throttle__names_tell_kinds_and_contents_apart),
        WITH(test_throttle__an_address_of_ipv6_counts_with_its_network),
        WITH(test_throttle__knows_what_it_was_told_until_it_is_to_forget),
    };
    return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
