/* SPDX-License-Identifier: Apache-2.0 */
/* test_leases_clock.c - a service whose clock is wrong for a while: what was granted meanwhile, and what still ran, settles. */
#include "lease_case.h"

static const int64_t hour = 60 * MINUTE;

/* What a request of h1 works with at that reading of the clock. */
static dreamd_lease_scope scope_at(const store_case *self, int64_t now_ms)
{
    dreamd_lease_scope scope = scope_of(self, "h1", now_ms);
    assert_ok(dreamd_books_clock(self->db, now_ms, &scope.books_ms));
    return scope;
}

static int64_t books_at(const store_case *self, int64_t now_ms)
{
    return scope_at(self, now_ms).books_ms;
}

static void test_clock__one_that_goes_on_is_believed(void **state)
{
    const store_case *self = *state;
    int64_t now_ms = T0;
    for (int i = 0; i < 200; i++, now_ms += 59 * MINUTE)
        assert_int_equal(books_at(self, now_ms), now_ms);
    now_ms += 22 * hour;
    assert_int_equal(books_at(self, now_ms), now_ms);
    assert_sound(self, now_ms);
}

static void test_clock__a_leap_is_believed_after_twelve_hours(void **state)
{
    const store_case *self = *state;
    int64_t leapt_ms = T0 + 90 * DAY;
    assert_int_equal(books_at(self, T0), T0);
    assert_int_equal(books_at(self, leapt_ms), T0);
    assert_int_equal(books_at(self, leapt_ms + 11 * hour), T0);
    assert_int_equal(books_at(self, leapt_ms + 12 * hour), leapt_ms + 12 * hour);
    assert_int_equal(books_at(self, leapt_ms + 13 * hour), leapt_ms + 13 * hour);
}

static void test_clock__of_a_store_that_is_hardly_asked_is_believed_the_next_time(void **state)
{
    const store_case *self = *state;
    assert_int_equal(books_at(self, T0), T0);
    assert_int_equal(books_at(self, T0 + 30 * DAY), T0);
    assert_int_equal(books_at(self, T0 + 60 * DAY), T0 + 30 * DAY);
    assert_int_equal(books_at(self, T0 + 90 * DAY), T0 + 60 * DAY);
}

static void test_clock__a_leap_does_not_confirm_itself_after_a_rest(void **state)
{
    const store_case *self = *state;
    int64_t back_ms = T0 + 30 * DAY;
    assert_int_equal(books_at(self, T0), T0);
    assert_int_equal(books_at(self, back_ms), T0);
    assert_int_equal(books_at(self, back_ms + 10 * DAY), back_ms);
    assert_int_equal(books_at(self, back_ms + MINUTE), back_ms + MINUTE);
    assert_int_equal(books_at(self, back_ms + 10 * DAY + MINUTE), back_ms + MINUTE);
}

static void test_clock__leaps_that_were_put_right_do_not_add_up(void **state)
{
    const store_case *self = *state;
    for (int i = 0; i < 100; i++) { /* or two processes, of which one has a wrong clock */
        int64_t now_ms = T0 + i * 40 * MINUTE;
        assert_int_equal(books_at(self, now_ms), now_ms);
        assert_true(books_at(self, now_ms + 60 * DAY) <= now_ms);
    }
}

/* After a month of rest somebody with a wrong clock asks first. */
static void test_clock__the_lowest_that_is_doubted_counts(void **state)
{
    const store_case *self = *state;
    assert_int_equal(books_at(self, T0), T0);
    assert_int_equal(books_at(self, T0 + 90 * DAY), T0);
    assert_int_equal(books_at(self, T0 + 30 * DAY), T0);
    assert_int_equal(books_at(self, T0 + 30 * DAY + 12 * hour), T0 + 30 * DAY + 12 * hour);
}

static void test_clock__one_that_is_put_back_is_believed_at_once(void **state)
{
    const store_case *self = *state;
    assert_int_equal(books_at(self, T0 + 60 * DAY), T0 + 60 * DAY);
    assert_int_equal(books_at(self, T0), T0);
    assert_int_equal(books_at(self, T0 + 60 * DAY), T0);
}

/* The user's period begins five days from now, and is the running one all the same. */
static void test_clock__leases_of_a_period_begun_too_early_settle(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope ahead = scope_at(self, T0 + 5 * DAY);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant before = granted(self, &ahead, "r1", 20);
    dreamd_lease_scope right = scope_at(self, T0);
    dreamd_lease_grant after = granted(self, &right, "r2", 10);
    dreamd_lease_report unknown = report_of(&before, "r3", 1);
    assert_int_equal(after.period_start_day, before.period_start_day);
    assert_int_equal(granted(self, &right, "r1", 20).ttl_ms, TTL_MS); /* a repeat */
    assert_int_equal(finish(self, &right, &before, 20).charged, 20);
    assert_int_equal(finish(self, &right, &after, 10).charged, 10);
    assert_counts(self, 30, 0, 0);
    unknown.lease_id = "of the future";
    assert_int_equal(settle(self, &right, &unknown).state, DREAMD_LEASE_INVALID);
    assert_sound(self, T0);
}

static void test_clock__a_leap_closes_no_books(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope right = scope_at(self, T0);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant first = granted(self, &right, "r1", 20);
    dreamd_lease_grant second = granted(self, &right, "r2", 10);
    dreamd_lease_want refused = { "r3", "nobody", DREAMD_DEFAULT_METER, 1, 1 };
    (void)acquire_for(self, &right, &refused);
    dreamd_lease_scope ahead = scope_at(self, T0 + 60 * DAY);
    assert_int_equal(finish(self, &ahead, &first, 20).charged, 20);
    assert_int_equal(refund(self, &ahead, "x1", first.lease_id, 5), DREAMD_LEASE_REFUND_APPLIED);
    assert_ok(dreamd_leases_prune(self->db, &ahead, 10));
    right = scope_at(self, T0 + MINUTE);
    assert_int_equal(finish(self, &right, &second, 10).charged, 10);
    assert_counts(self, 25, 0, 0);
    (void)granted(self, &right, "r4", 10);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM lease_requests WHERE request_id = 'r3'"), 1);
    assert_sound(self, right.now_ms);
}

/* The clock was wrong for too long. What is gone must not be billed twice; what is new is as ever. */
static void test_clock__a_period_that_is_closed_and_runs_goes_on(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope right = scope_at(self, T0);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant gone = granted(self, &right, "r1", 20);
    (void)scope_at(self, T0 + 60 * DAY);
    dreamd_lease_scope ahead = scope_at(self, T0 + 61 * DAY);
    assert_ok(dreamd_leases_prune(self->db, &ahead, 10));
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM leases"), 0);
    right = scope_at(self, T0 + 2 * DAY);
    assert_int_equal(finish(self, &right, &gone, 20).state, DREAMD_LEASE_CLOSED);
    dreamd_lease_grant grant = granted(self, &right, "r2", 10);
    assert_int_equal(finish(self, &right, &grant, 8).charged, 8);
    assert_counts(self, 8, 20, 0);
    assert_sound(self, right.now_ms);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_clock__one_that_goes_on_is_believed),
        TEST(test_clock__a_leap_is_believed_after_twelve_hours),
        TEST(test_clock__of_a_store_that_is_hardly_asked_is_believed_the_next_time),
        TEST(test_clock__a_leap_does_not_confirm_itself_after_a_rest),
        TEST(test_clock__leaps_that_were_put_right_do_not_add_up),
        TEST(test_clock__the_lowest_that_is_doubted_counts),
        TEST(test_clock__one_that_is_put_back_is_believed_at_once),
        TEST(test_clock__leases_of_a_period_begun_too_early_settle),
        TEST(test_clock__a_leap_closes_no_books),
        TEST(test_clock__a_period_that_is_closed_and_runs_goes_on),
    };
    return cmocka_run_group_tests_name("store leases clock", tests, NULL, NULL);
}
