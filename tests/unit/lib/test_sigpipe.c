/* SPDX-License-Identifier: Apache-2.0 */
/* test_sigpipe.c - a write to nobody raises no signal in the host, and the host's own mask stays. */
#include "lib/sigpipe.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void write_to_nobody(void)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    (void)close(ends[1]);
}

static int set_up(void **state)
{
    (void)state;
    signals = 0;
    return signal(SIGPIPE, count_signal) == SIG_ERR ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : 0;
}

static void test_sigpipe__is_not_raised_inside_nor_left_behind(void **state)
{
    dream_sigpipe_guard guard;

    (void)state;
    dream_sigpipe_block(&guard);
    write_to_nobody();
    dream_sigpipe_unblock(&guard);
    assert_int_equal(signals, 0);
    /* Outside, the host's own mistakes are its own again. */
    write_to_nobody();
    assert_int_equal(signals, 1);
}

static void test_sigpipe__a_host_that_blocks_it_keeps_what_is_pending(void **state)
{
    dream_sigpipe_guard guard;
    sigset_t set;
    sigset_t pending;

    (void)state;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    write_to_nobody();
    dream_sigpipe_block(&guard);
    dream_sigpipe_unblock(&guard);
    (void)sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 1);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    assert_int_equal(signals, 1);
}

static void test_sigpipe__guards_may_nest(void **state)
{
    dream_sigpipe_guard outer;
    dream_sigpipe_guard inner;

    (void)state;
    dream_sigpipe_block(&outer);
    dream_sigpipe_block(&inner);
    write_to_nobody();
    dream_sigpipe_unblock(&inner);
    write_to_nobody();
    dream_sigpipe_unblock(&outer);
    assert_int_equal(signals, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sigpipe__is_not_raised_inside_nor_left_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sigpipe__a_host_that_blocks_it_keeps_what_is_pending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sigpipe__guards_may_nest, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("sigpipe", tests, NULL, NULL);
}
