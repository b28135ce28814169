/* SPDX-License-Identifier: Apache-2.0 */
/* test_usage_events.c - uses reported after the fact: once each, in the right period, within the limit. */
#include "store_case.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/timefmt.h"
#include "service/store/usage_events.h"

/* Free: 5 units. */
static void put_customer(const store_case *self, const char *user)
{
    dreamd_customer customer = { .user_id = user, .plan = "free" };
    assert_ok(dreamd_customer_put(self->db, &self->project, &customer, T0));
}

static dreamd_usage_event_outcome apply_at(const store_case *self, const char *id, const char *user, int64_t units,
                                           int64_t at_ms, int64_t now_ms)
{
    dreamd_usage_event_outcome outcome;
    dreamd_usage_event event = { .event_id = id, .request = request_of(self, user, now_ms), .at_ms = at_ms };
    event.request.units = units;
    assert_ok(dreamd_usage_event_apply(self->db, &event, &outcome));
    return outcome;
}

static dreamd_usage_event_outcome apply(const store_case *self, const char *id, int64_t units)
{
    return apply_at(self, id, "user_a", units, T0, T0);
}

static void test_event__counts_once(void **state)
{
    const store_case *self = *state;
    put_customer(self, "user_a");
    assert_int_equal(apply(self, "e1", 2), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(apply(self, "e1", 2), DREAMD_USAGE_EVENT_DUPLICATE);
    assert_int_equal(apply(self, "e1", 9), DREAMD_USAGE_EVENT_DUPLICATE);
    assert_int_equal(apply(self, "e2", 1), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), 3);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM rate_windows"), 0);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_event__one_beyond_the_limit_may_come_again(void **state)
{
    const store_case *self = *state;
    bool is_found = false;
    put_customer(self, "user_a");
    assert_int_equal(apply(self, "e1", 6), DREAMD_USAGE_EVENT_LIMIT);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_events"), 0);
    assert_int_equal(apply(self, "e2", 5), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(apply(self, "e3", 1), DREAMD_USAGE_EVENT_LIMIT);
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "pro", T0, &is_found));
    assert_int_equal(apply(self, "e1", 6), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), 11);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_event__one_that_no_period_has_room_for_begins_none(void **state)
{
    const store_case *self = *state;
    put_customer(self, "user_a");
    assert_int_equal(apply_at(self, "e1", "user_a", 6, T0 - 3 * DAY, T0), DREAMD_USAGE_EVENT_LIMIT);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts"), 0);
    assert_int_equal(apply_at(self, "e2", "user_a", 1, T0, T0), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT period_start_day FROM usage_counts"), dream_day_of_ms(T0));
}

/* Counts end where a number in JSON ends being exact, also those of an unlimited plan. */
static void test_event__beyond_what_a_count_can_say_is_an_error_of_its_own(void **state)
{
    const store_case *self = *state;
    dreamd_customer customer = { .user_id = "user_a", .plan = "enterprise" };
    assert_ok(dreamd_customer_put(self->db, &self->project, &customer, T0));
    assert_int_equal(apply(self, "e1", DREAM_JSON_MAX_INT - 1), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(apply(self, "e2", 2), DREAMD_USAGE_EVENT_FULL);
    assert_int_equal(apply(self, "e3", 1), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(apply(self, "e3", 1), DREAMD_USAGE_EVENT_DUPLICATE);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), DREAM_JSON_MAX_INT);
    dreamd_usage_request request = request_of(self, "user_a", T0);
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_LIMIT);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_events"), 2);
    assert_int_equal(violations_of(self->db, T0), 0);
}

/* 1100 x (2^53 - 1) is beyond 2^63. */
static void test_event__users_who_together_pass_any_sum_are_all_counted(void **state)
{
    const store_case *self = *state;
    assert_ok(dreamd_db_begin(self->db));
    for (int i = 0; i < 1100; i++) {
        char user[32];
        (void)snprintf(user, sizeof user, "user_%04d", i);
        dreamd_customer customer = { .user_id = user, .plan = "enterprise" };
        assert_ok(dreamd_customer_put(self->db, &self->project, &customer, T0));
        assert_int_equal(apply_at(self, user, user, DREAM_JSON_MAX_INT, T0, T0), DREAMD_USAGE_EVENT_APPLIED);
    }
    assert_ok(dreamd_db_commit(self->db));
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_totals"), DREAM_JSON_MAX_INT);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_event__held_units_are_no_limit(void **state)
{
    const store_case *self = *state;
    put_customer(self, "user_a");
    assert_int_equal(apply(self, "e1", 1), DREAMD_USAGE_EVENT_APPLIED);
    assert_ok(dreamd_db_script(self->db, "UPDATE usage_counts SET held = 3"));
    assert_int_equal(apply(self, "e2", 2), DREAMD_USAGE_EVENT_HELD);
    assert_int_equal(apply(self, "e3", 5), DREAMD_USAGE_EVENT_LIMIT);
    assert_int_equal(apply(self, "e4", 1), DREAMD_USAGE_EVENT_APPLIED);
}

static void test_event__nobody_and_deleted_ones_are_unknown(void **state)
{
    const store_case *self = *state;
    bool is_found = false;
    put_customer(self, "user_a");
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_a", T0, &is_found));
    assert_int_equal(apply(self, "e1", 1), DREAMD_USAGE_EVENT_UNKNOWN);
    assert_int_equal(apply_at(self, "e1", "user_b", 1, T0, T0), DREAMD_USAGE_EVENT_UNKNOWN);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_events"), 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers"), 1);
}

static void test_event__ids_are_a_projects_own(void **state)
{
    const store_case *self = *state;
    store_case other = *self;
    memcpy(other.project.project_id, "prj_2", 6);
    assert_ok(dreamd_project_insert(self->db, &other.project, T0));
    dreamd_tier tier = DREAMD_TIER_INIT;
    tier.name = "free";
    assert_ok(dreamd_tier_insert(self->db, &other.project, &tier, T0));
    put_customer(self, "user_a");
    put_customer(&other, "user_a");
    assert_int_equal(apply(self, "e1", 1), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(apply(&other, "e1", 1), DREAMD_USAGE_EVENT_APPLIED);
}

static void test_event__time_decides_the_period(void **state)
{
    const store_case *self = *state;
    int32_t day = dream_day_of_ms(T0);
    /* The previous period, a gap of five days, the running one since ten days. */
    dreamd_usage_row previous = { "user_a", NULL, 1, day - 44, day - 15 };
    dreamd_usage_row running = { "user_a", NULL, 2, day - 9, day + 20 };
    static const struct {
        int days_ago;
        dreamd_usage_event_outcome outcome;
        int64_t previous, running; /* used afterwards */
    } cases[] = {
        { 0, DREAMD_USAGE_EVENT_APPLIED, 1, 3 },  { 9, DREAMD_USAGE_EVENT_APPLIED, 1, 4 },
        { 10, DREAMD_USAGE_EVENT_OUTSIDE, 1, 4 }, { 14, DREAMD_USAGE_EVENT_OUTSIDE, 1, 4 },
        { 15, DREAMD_USAGE_EVENT_APPLIED, 2, 4 }, { 35, DREAMD_USAGE_EVENT_APPLIED, 3, 4 },
        { 36, DREAMD_USAGE_EVENT_OUTSIDE, 3, 4 },
    };
    put_customer(self, "user_a");
    assert_ok(dreamd_usage_put(self->db, &self->project, &previous, T0));
    assert_ok(dreamd_usage_put(self->db, &self->project, &running, T0));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "e%zu", i);
        if (apply_at(self, id, "user_a", 1, T0 - cases[i].days_ago * DAY, T0) != cases[i].outcome)
            fail_msg("%d days ago", cases[i].days_ago);
        assert_int_equal(number_of(self->db, "SELECT MIN(used) FROM (SELECT used FROM usage_counts ORDER BY "
                                             "period_start_day LIMIT 1)"),
                         cases[i].previous);
        assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts ORDER BY period_start_day DESC LIMIT 1"),
                         cases[i].running);
    }
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_event__begins_a_period_on_its_day_where_none_runs(void **state)
{
    const store_case *self = *state;
    int32_t day = dream_day_of_ms(T0);
    put_customer(self, "user_a");
    put_customer(self, "user_b");
    assert_int_equal(apply_at(self, "e1", "user_a", 1, T0 - 29 * DAY, T0), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT period_start_day FROM usage_counts"), day - 29);
    assert_int_equal(number_of(self->db, "SELECT period_end_day FROM usage_counts"), day);
    assert_int_equal(apply_at(self, "e2", "user_b", 1, T0 - 30 * DAY, T0), DREAMD_USAGE_EVENT_OUTSIDE);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts"), 1);
    /* A month on, that period is the previous one. */
    assert_int_equal(apply_at(self, "e3", "user_a", 1, T0, T0 + DAY), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(apply_at(self, "e4", "user_a", 1, T0 + DAY, T0 + DAY), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts"), 2);
    assert_int_equal(violations_of(self->db, T0 + DAY), 0);
}

static void test_event__a_clock_a_little_ahead_counts_as_now(void **state)
{
    const store_case *self = *state;
    int64_t late = T0 + DAY - 70 * SECOND; /* a minute before midnight */
    put_customer(self, "user_a");
    assert_int_equal(apply_at(self, "e1", "user_a", 1, late + 300 * SECOND, late), DREAMD_USAGE_EVENT_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT day FROM usage_daily"), dream_day_of_ms(late));
    assert_int_equal(apply_at(self, "e2", "user_a", 1, late + 300 * SECOND + 1, late), DREAMD_USAGE_EVENT_AHEAD);
    assert_int_equal(apply_at(self, "e3", "user_a", 1, INT64_MAX, late), DREAMD_USAGE_EVENT_AHEAD);
}

static void test_event__old_ids_are_forgotten_in_slices(void **state)
{
    const store_case *self = *state;
    char id[16];
    put_customer(self, "user_a");
    for (int i = 0; i < 5; i++) {
        (void)snprintf(id, sizeof id, "e%d", i);
        assert_int_equal(apply(self, id, 1), DREAMD_USAGE_EVENT_APPLIED);
    }
    assert_ok(dreamd_usage_events_prune(self->db, T0 + 36 * DAY, 3));
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_events"), 5);
    assert_ok(dreamd_usage_events_prune(self->db, T0 + 36 * DAY + 1, 3));
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_events"), 2);
}

/* When the id is forgotten, the event's own time already refuses it. */
static void test_event__one_with_a_time_is_never_counted_twice(void **state)
{
    const store_case *self = *state;
    put_customer(self, "user_a");
    for (int day = 0; day <= 40; day++) {
        dreamd_usage_event_outcome outcome = apply_at(self, "e1", "user_a", 1, T0, T0 + day * DAY);
        assert_true(day == 0 ? outcome == DREAMD_USAGE_EVENT_APPLIED : outcome != DREAMD_USAGE_EVENT_APPLIED);
        assert_ok(dreamd_usage_events_prune(self->db, T0 + day * DAY, 100));
    }
    assert_int_equal(number_of(self->db, "SELECT SUM(used) FROM usage_counts"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_event__counts_once),
        TEST(test_event__one_beyond_the_limit_may_come_again),
        TEST(test_event__one_that_no_period_has_room_for_begins_none),
        TEST(test_event__beyond_what_a_count_can_say_is_an_error_of_its_own),
        TEST(test_event__users_who_together_pass_any_sum_are_all_counted),
        TEST(test_event__held_units_are_no_limit),
        TEST(test_event__nobody_and_deleted_ones_are_unknown),
        TEST(test_event__ids_are_a_projects_own),
        TEST(test_event__time_decides_the_period),
        TEST(test_event__begins_a_period_on_its_day_where_none_runs),
        TEST(test_event__a_clock_a_little_ahead_counts_as_now),
        TEST(test_event__old_ids_are_forgotten_in_slices),
        TEST(test_event__one_with_a_time_is_never_counted_twice),
    };
    return cmocka_run_group_tests_name("store usage events", tests, NULL, NULL);
}
