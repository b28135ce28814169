/* SPDX-License-Identifier: Apache-2.0 */
/* test_timers.c - the heap of timers. */
#include "lib/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 500 };

/* A fixed sequence that looks like none (Knuth's multiplicative constant). */
static int64_t scrambled(size_t i)
{
    return (int64_t)((uint32_t)i * 2654435761u % 1000);
}

static void test_timers__come_out_in_order_of_their_time(void **state)
{
    dream_timers timers = { 0 };
    dream_timer many[MANY];
    int64_t last = -1;

    (void)state;
    memset(many, 0, sizeof(many));
    for (size_t i = 0; i < MANY; i++)
        assert_true(dream_timers_set(&timers, &many[i], scrambled(i)));
    for (size_t i = 0; i < MANY; i++) {
        dream_timer *first = dream_timers_first(&timers);
        assert_non_null(first);
        assert_true(first->due_ms >= last);
        last = first->due_ms;
        dream_timers_cancel(&timers, first);
    }
    assert_null(dream_timers_first(&timers));
    dream_timers_clear(&timers);
}

static void test_timers__stay_in_order_when_moved_and_cancelled(void **state)
{
    dream_timers timers = { 0 };
    dream_timer many[MANY];
    int64_t last = -1;
    size_t left = 0;

    (void)state;
    memset(many, 0, sizeof(many));
    for (size_t i = 0; i < MANY; i++)
        assert_true(dream_timers_set(&timers, &many[i], scrambled(i)));
    for (size_t i = 0; i < MANY; i += 3)
        dream_timers_cancel(&timers, &many[i]);
    for (size_t i = 1; i < MANY; i += 3)
        assert_true(dream_timers_set(&timers, &many[i], scrambled(i * 7 + 1)));
    for (dream_timer *first; (first = dream_timers_first(&timers)) != NULL; left++) {
        assert_true(first->due_ms >= last);
        last = first->due_ms;
        assert_int_not_equal((first - many) % 3, 0);
        dream_timers_cancel(&timers, first);
    }
    assert_int_equal(left, MANY - (MANY + 2) / 3);
    dream_timers_clear(&timers);
}

static void test_timers__cancelling_one_that_is_not_set_does_nothing(void **state)
{
    dream_timers timers = { 0 };
    dream_timer one = { 0 };

    (void)state;
    dream_timers_cancel(&timers, &one);
    assert_true(dream_timers_set(&timers, &one, 5));
    dream_timers_cancel(&timers, &one);
    dream_timers_cancel(&timers, &one);
    assert_null(dream_timers_first(&timers));
    dream_timers_clear(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers__come_out_in_order_of_their_time),
        cmocka_unit_test(test_timers__stay_in_order_when_moved_and_cancelled),
        cmocka_unit_test(test_timers__cancelling_one_that_is_not_set_does_nothing),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
