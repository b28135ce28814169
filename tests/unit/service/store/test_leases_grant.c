/* SPDX-License-Identifier: Apache-2.0 */
/* test_leases_grant.c - what is granted, how much, until when, and that it is answered once. A test that carries a rule's name fails
 * when that rule is switched off (common/rule.h). */
#include "lease_case.h"

#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"

/* ---- how much ---- */

static void test_rule__grant_within_limit(void **state)
{
    const store_case *self = *state;
    static const char *const holders[] = { "h1", "h2" };
    int64_t sum = 0;
    put_customer(self, "user_a", "pro");
    for (int i = 0; i < 40; i++) {
        dreamd_lease_scope scope = scope_of(self, holders[i % 2], T0);
        char request[16];
        (void)snprintf(request, sizeof request, "r%d", i);
        dreamd_lease_grant grant = acquire(self, &scope, request, 100);
        sum += grant.refusal == DREAMD_LEASE_GRANTED ? grant.granted : 0;
        assert_true(grant.refusal == DREAMD_LEASE_GRANTED || grant.refusal == DREAMD_LEASE_HELD);
    }
    assert_int_equal(sum, 100);
    assert_counts(self, 0, 100, 0);
    assert_sound(self, T0);
}

static void test_rule__direct_within_limit(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_usage_request request = request_of(self, "user_a", T0);
    put_customer(self, "user_a", "pro");
    assert_int_equal(granted(self, &scope, "r1", 100).granted, 50);
    request.units = 51;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_HELD);
    request.units = 50;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    assert_counts(self, 50, 50, 0);
    request.units = 51;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_LIMIT);
    assert_sound(self, T0);
}

static void test_rule__unlimited_holds(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    bool is_found = false;
    put_customer(self, "user_a", "enterprise");
    dreamd_lease_grant grant = granted(self, &scope, "r1", 90);
    assert_int_equal(grant.granted, 90);
    assert_int_equal(grant.limit, DREAMD_UNLIMITED);
    assert_false(grant.has_rate);
    assert_counts(self, 0, 90, 0);
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "pro", T0, &is_found));
    assert_int_equal(granted(self, &scope, "r2", 100).granted, 5);
    assert_sound(self, T0);
}

static void test_grant__is_at_most_what_is_wanted_and_fits_an_int(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    put_customer(self, "user_a", "enterprise");
    assert_int_equal(granted(self, &scope, "r1", 1).granted, 1);
    assert_int_equal(granted(self, &scope, "r2", INT64_C(1) << 52).granted, DREAMD_LEASE_UNITS_MAX);
    assert_sound(self, T0);
}

static void test_grant__leaves_some_for_others(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope first = scope_of(self, "h1", T0);
    dreamd_lease_scope second = scope_of(self, "h2", T0);
    put_customer(self, "user_a", "pro");
    assert_int_equal(granted(self, &first, "r1", 100).granted, 50); /* half of 100 */
    assert_int_equal(granted(self, &first, "r2", 100).granted, 25); /* still alone: half of 50 */
    assert_int_equal(granted(self, &second, "r3", 100).granted, 6); /* a quarter of 25 */
    assert_int_equal(granted(self, &first, "r4", 100).granted, 4);  /* a quarter of 19 */
    assert_sound(self, T0);
}

static void test_grant__the_last_unit_is_granted(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    put_customer(self, "user_a", "free");
    assert_int_equal(granted(self, &scope, "r1", 9).granted, 2);
    assert_int_equal(granted(self, &scope, "r2", 9).granted, 1);
    assert_int_equal(granted(self, &scope, "r3", 9).granted, 1);
    assert_int_equal(granted(self, &scope, "r4", 9).granted, 1);
    assert_int_equal(acquire(self, &scope, "r5", 9).refusal, DREAMD_LEASE_HELD);
    assert_sound(self, T0);
}

/* The plan "metered" gives 50 tokens. */
static void test_grant__a_use_that_waits_for_more_than_a_share_gets_it_if_it_is_free(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_lease_want all = { "r1", "user_a", "tokens", 100, 100, 40 };
    dreamd_lease_want more = { "r2", "user_a", "tokens", 100, 100, 11 };
    put_customer(self, "user_a", "metered");
    assert_int_equal(acquire_for(self, &scope, &all).granted, 40);
    assert_true(acquire_for(self, &scope, &more).granted < 10);
    assert_sound(self, T0);
}

static void test_grant__meters_have_their_own_limits(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_lease_want tokens = { "r1", "user_a", "tokens", 100, 100 };
    dreamd_lease_want odd = { "r2", "user_a", "odd", 1, 1 };
    put_customer(self, "user_a", "metered");
    assert_int_equal(acquire_for(self, &scope, &tokens).granted, 25);
    dreamd_lease_grant refused = acquire_for(self, &scope, &odd);
    assert_int_equal(refused.refusal, DREAMD_LEASE_LIMIT_REACHED);
    assert_int_equal(refused.limit, 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts"), 1);
    assert_sound(self, T0);
}

static void test_grant__an_upgrade_counts_at_once_and_is_remembered(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    bool is_found = false;
    put_customer(self, "user_a", "free");
    (void)granted(self, &scope, "r1", 9);
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "pro", T0, &is_found));
    assert_int_equal(granted(self, &scope, "r2", 40).granted, 40);
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "free", T0, &is_found));
    assert_int_equal(acquire(self, &scope, "r3", 1).refusal, DREAMD_LEASE_HELD);
    assert_int_equal(number_of(self->db, "SELECT highest_limit FROM usage_counts"), 100);
    assert_sound(self, T0);
}

/* ---- who ---- */

static void test_grant__nobody_is_not_found_and_makes_no_customer(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_lease_grant refused = acquire(self, &scope, "r1", 1);
    assert_int_equal(refused.refusal, DREAMD_LEASE_NOT_FOUND);
    assert_false(refused.has_plan);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers"), 0);
}

static void test_rule__deleted_gets_nothing(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    bool is_found = false;
    put_customer(self, "user_a", "pro");
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_a", T0, &is_found));
    assert_int_equal(acquire(self, &scope, "r1", 1).refusal, DREAMD_LEASE_DELETED);
    assert_sound(self, T0);
}

/* ---- once ---- */

static void test_rule__request_keeps_answer(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    bool is_found = false;
    put_customer(self, "user_a", "free");
    dreamd_lease_grant first = granted(self, &scope, "r1", 9);
    dreamd_lease_grant again = granted(self, &scope, "r1", 9);
    assert_string_equal(again.lease_id, first.lease_id);
    assert_int_equal(again.granted, first.granted);
    assert_int_equal(again.rate_granted, first.rate_granted);
    assert_string_equal(again.plan, "free");
    assert_counts(self, 0, 2, 0);
    /* A refused one too, whatever has changed: its holder has long made another. */
    for (int i = 0; i < 3; i++)
        (void)granted(self, &scope, i == 0 ? "a" : i == 1 ? "b" : "c", 9);
    dreamd_lease_grant refused = acquire(self, &scope, "late", 1);
    assert_int_equal(refused.refusal, DREAMD_LEASE_HELD);
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "pro", T0, &is_found));
    scope.now_ms += 400;
    refused = acquire(self, &scope, "late", 1);
    assert_int_equal(refused.refusal, DREAMD_LEASE_HELD);
    assert_int_equal(refused.retry_after_ms, 600);
    assert_int_equal(refused.limit, 5);
    assert_int_equal(refused.held, 5);
    (void)granted(self, &scope, "new", 1);
    assert_sound(self, T0);
}

static void test_rule__repeat_tells_state(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant first = granted(self, &scope, "r1", 10);
    dreamd_lease_grant second = granted(self, &scope, "r2", 10);
    dreamd_lease_report report = report_of(&second, "r2", 3);
    (void)granted(self, &scope, "r3", 10);
    (void)finish(self, &scope, &first, 10);
    report.is_unproven = true;
    (void)settle(self, &scope, &report);
    assert_int_equal(acquire(self, &scope, "r1", 10).state, DREAMD_LEASE_FINAL);
    assert_int_equal(acquire(self, &scope, "r2", 10).state, DREAMD_LEASE_UNPROVEN);
    scope.now_ms += TTL_MS + GRACE_MS;
    dreamd_lease_grant lost = acquire(self, &scope, "r3", 10);
    assert_int_equal(lost.state, DREAMD_LEASE_LOST);
    assert_int_equal(lost.ttl_ms, 0);
    assert_sound(self, scope.now_ms);
}

static void test_rule__ttl_is_what_remains(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    put_customer(self, "user_a", "pro");
    assert_int_equal(granted(self, &scope, "r1", 10).ttl_ms, TTL_MS);
    scope.now_ms += 20 * SECOND;
    assert_int_equal(granted(self, &scope, "r1", 10).ttl_ms, TTL_MS - 20 * SECOND);
    scope.now_ms += TTL_MS;
    assert_int_equal(granted(self, &scope, "r1", 10).ttl_ms, 0);
}

static void test_rule__never_renewed(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant grant = granted(self, &scope, "r1", 10);
    dreamd_lease_report report = report_of(&grant, "r1", 1);
    scope.now_ms += 20 * SECOND;
    assert_int_equal(settle(self, &scope, &report).state, DREAMD_LEASE_ACTIVE);
    assert_int_equal(granted(self, &scope, "r1", 10).ttl_ms, TTL_MS - 20 * SECOND);
}

static void test_grant__a_request_id_means_one_thing(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_lease_want other = { "r1", "user_b", DREAMD_DEFAULT_METER, 1, 1 };
    put_customer(self, "user_a", "pro");
    put_customer(self, "user_b", "pro");
    (void)granted(self, &scope, "r1", 10);
    assert_int_equal(acquire_for(self, &scope, &other).refusal, DREAMD_LEASE_BAD_REQUEST);
    other.user_id = "user_a";
    other.meter = "tokens";
    assert_int_equal(acquire_for(self, &scope, &other).refusal, DREAMD_LEASE_BAD_REQUEST);
    assert_counts(self, 0, 10, 0);
}

static void test_rule__lease_ids_are_random(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    put_customer(self, "user_a", "enterprise");
    for (int i = 0; i < 100; i++) {
        dreamd_lease_grant grant;
        char request[16];
        (void)snprintf(request, sizeof request, "r%d", i);
        dreamd_lease_want want = { request, "user_a", DREAMD_DEFAULT_METER, 1, 1 };
        assert_ok(dreamd_lease_acquire(self->db, &scope, &want, &grant));
        assert_int_equal(strlen(grant.lease_id), 32);            /* what a record of the journal has room for */
        assert_memory_equal(grant.lease_id, "019b76dacf10", 12); /* T0 */
        scope.now_ms = T0;
    }
    assert_int_equal(number_of(self->db, "SELECT COUNT(DISTINCT substr(lease_id, 13)) FROM leases"), 100);
}

/* ---- until when ---- */

static void test_rule__ends_with_period(void **state)
{
    const store_case *self = *state;
    int64_t midnight = T0 - 10 * SECOND + DREAMD_PERIOD_DAYS * DAY;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant early = granted(self, &scope, "r1", 10);
    (void)finish(self, &scope, &early, 10);
    scope.now_ms = midnight - 5 * SECOND;
    assert_int_equal(granted(self, &scope, "r2", 10).ttl_ms, 5 * SECOND);
    scope.now_ms = midnight;
    dreamd_lease_grant next = granted(self, &scope, "r3", 10);
    assert_int_equal(next.period_start_day, early.period_start_day + DREAMD_PERIOD_DAYS);
    assert_int_equal(next.ttl_ms, TTL_MS);
    assert_counts(self, 0, 10, 0);
    assert_sound(self, scope.now_ms);
}

/* ---- the rate ---- */

static int64_t calls_in(const store_case *self, int64_t minute)
{
    dreamd_rows *rows = NULL;
    assert_ok(dreamd_db_query(self->db, "SELECT calls FROM rate_windows WHERE window_minute = $1",
                              DREAMD_PARAMS(dreamd_int(minute)), &rows));
    int64_t calls = dreamd_rows_next(rows) == DREAMD_DB_ROW ? dreamd_rows_int(rows, 0) : 0;
    dreamd_rows_finish(rows);
    return calls;
}

static void test_rule__rate_in_every_window(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_usage_request direct = request_of(self, "user_a", T0 + MINUTE);
    put_customer(self, "user_a", "slow"); /* 3 calls */
    dreamd_lease_grant grant = granted(self, &scope, "r1", 100);
    assert_true(grant.has_rate);
    assert_int_equal(grant.rate_limit, 3);
    assert_int_equal(grant.rate_granted, 1);
    assert_int_equal(grant.window_ends_in_ms, 50 * SECOND);
    assert_int_equal(calls_in(self, T0 / MINUTE), 1);
    assert_int_equal(calls_in(self, T0 / MINUTE + 1), 1);
    assert_int_equal(calls_in(self, T0 / MINUTE + 2), 0);
    /* Direct requests share what is left of the next window. A settled lease gives nothing back. */
    (void)finish(self, &scope, &grant, 0);
    assert_int_equal(admit(self, &direct).outcome, DREAMD_USAGE_OK);
    assert_int_equal(admit(self, &direct).outcome, DREAMD_USAGE_OK);
    assert_int_equal(admit(self, &direct).outcome, DREAMD_USAGE_RATE_LIMITED);
    assert_sound(self, T0);
}

static void test_rate__a_window_without_calls_refuses(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_usage_request direct = request_of(self, "user_a", T0);
    put_customer(self, "user_a", "slow");
    for (int i = 0; i < 3; i++)
        assert_int_equal(admit(self, &direct).outcome, DREAMD_USAGE_OK);
    dreamd_lease_grant refused = acquire(self, &scope, "r1", 1);
    assert_int_equal(refused.refusal, DREAMD_LEASE_RATE_LIMITED);
    assert_int_equal(refused.retry_after_ms, 50 * SECOND);
    assert_counts(self, 3, 0, 0);
    scope.now_ms += 50 * SECOND;
    (void)granted(self, &scope, "r2", 1);
}

static void test_rate__a_full_window_ahead_ends_the_lease(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_usage_request direct = request_of(self, "user_a", T0 + MINUTE);
    put_customer(self, "user_a", "slow");
    for (int i = 0; i < 3; i++)
        assert_int_equal(admit(self, &direct).outcome, DREAMD_USAGE_OK);
    assert_int_equal(granted(self, &scope, "r1", 1).ttl_ms, 50 * SECOND);
    assert_int_equal(calls_in(self, T0 / MINUTE + 1), 3);
    /* One of less than a second would be over before it is used. */
    scope.now_ms += 49 * SECOND + 1;
    dreamd_lease_grant refused = acquire(self, &scope, "r2", 1);
    assert_int_equal(refused.refusal, DREAMD_LEASE_RATE_LIMITED);
    assert_int_equal(refused.retry_after_ms, MINUTE + SECOND - 1);
    scope.now_ms += refused.retry_after_ms;
    (void)granted(self, &scope, "r3", 1);
}

static void test_rate__as_many_calls_as_wanted(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_lease_want want = { "r1", "user_a", DREAMD_DEFAULT_METER, 4, 7 };
    put_customer(self, "user_a", "free"); /* 100 calls */
    assert_int_equal(acquire_for(self, &scope, &want).rate_granted, 7);
    want.request_id = "r2";
    want.want_rate = 1000;
    assert_int_equal(acquire_for(self, &scope, &want).rate_granted, 46); /* half of 93 */
}

/* ---- recalls ---- */

struct names {
    int count;
    char last[DREAMD_LEASE_ID_MAX + 1];
};

static void add_name(void *context, const char *lease_id)
{
    struct names *names = context;
    names->count++;
    (void)strncpy(names->last, lease_id, sizeof names->last - 1);
}

static struct names recalls_of(const store_case *self, const char *holder)
{
    dreamd_lease_scope scope = scope_of(self, holder, T0);
    struct names names = { 0 };
    assert_ok(dreamd_lease_recalls(self->db, &scope, 10, add_name, &names));
    return names;
}

static void test_recall__others_hand_back_what_somebody_was_refused_for(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope first = scope_of(self, "h1", T0);
    dreamd_lease_scope second = scope_of(self, "h2", T0);
    put_customer(self, "user_a", "free");
    dreamd_lease_grant grant = granted(self, &first, "r1", 9);
    (void)granted(self, &first, "r2", 9);
    (void)granted(self, &first, "r3", 9);
    assert_int_equal(recalls_of(self, "h1").count, 0);
    (void)granted(self, &second, "r4", 9);
    assert_int_equal(acquire(self, &second, "r5", 9).refusal, DREAMD_LEASE_HELD);
    assert_int_equal(recalls_of(self, "h1").count, 3);
    assert_int_equal(recalls_of(self, "h2").count, 0);
    assert_sound(self, T0);
    (void)finish(self, &first, &grant, 1);
    assert_int_equal(recalls_of(self, "h1").count, 2);
    assert_int_equal(granted(self, &second, "r6", 9).granted, 1);
    assert_sound(self, T0);
}

static void test_recall__a_direct_request_recalls_too(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_usage_request request = request_of(self, "user_a", T0);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant grant = granted(self, &scope, "r1", 10);
    request.units = 100;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_HELD);
    struct names names = recalls_of(self, "h1");
    assert_int_equal(names.count, 1);
    assert_string_equal(names.last, grant.lease_id);
    /* What is left is given out in smaller parts for a while. */
    assert_int_equal(granted(self, &scope, "r2", 100).granted, 22);
    assert_int_equal(recalls_of(self, "h1").count, 1);
    /* One that falls silent is recalled no more. */
    request.now_ms += TTL_MS + GRACE_MS;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_LIMIT);
    assert_int_equal(recalls_of(self, "h1").count, 0);
    assert_sound(self, request.now_ms);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_rule__grant_within_limit),
        TEST(test_rule__direct_within_limit),
        TEST(test_rule__unlimited_holds),
        TEST(test_grant__is_at_most_what_is_wanted_and_fits_an_int),
        TEST(test_grant__leaves_some_for_others),
        TEST(test_grant__the_last_unit_is_granted),
        TEST(test_grant__a_use_that_waits_for_more_than_a_share_gets_it_if_it_is_free),
        TEST(test_grant__meters_have_their_own_limits),
        TEST(test_grant__an_upgrade_counts_at_once_and_is_remembered),
        TEST(test_grant__nobody_is_not_found_and_makes_no_customer),
        TEST(test_rule__deleted_gets_nothing),
        TEST(test_rule__request_keeps_answer),
        TEST(test_rule__repeat_tells_state),
        TEST(test_rule__ttl_is_what_remains),
        TEST(test_rule__never_renewed),
        TEST(test_grant__a_request_id_means_one_thing),
        TEST(test_rule__lease_ids_are_random),
        TEST(test_rule__ends_with_period),
        TEST(test_rule__rate_in_every_window),
        TEST(test_rate__a_window_without_calls_refuses),
        TEST(test_rate__a_full_window_ahead_ends_the_lease),
        TEST(test_rate__as_many_calls_as_wanted),
        TEST(test_recall__others_hand_back_what_somebody_was_refused_for),
        TEST(test_recall__a_direct_request_recalls_too),
    };
    return cmocka_run_group_tests_name("store leases grant", tests, NULL, NULL);
}
