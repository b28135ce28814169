/* SPDX-License-Identifier: Apache-2.0 */
/* test_leases_settle.c - what reports do to the books, in any order and however often they come. A test that carries a rule's name
 * fails when that rule is switched off (common/rule.h). */
#include "lease_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"

/* user_a on "pro" (100 units) with one lease of 20, granted at T0 to h1. */
static dreamd_lease_grant lease_of_20(const store_case *self)
{
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant grant = granted(self, &scope, "r1", 20);
    assert_int_equal(grant.granted, 20);
    return grant;
}

static dreamd_lease_settled check_in(const store_case *self, const dreamd_lease_grant *grant, int64_t admitted,
                                     int64_t refunded, int64_t now_ms)
{
    dreamd_lease_scope scope = scope_of(self, "h1", now_ms);
    dreamd_lease_report report = report_of(grant, "r1", admitted);
    report.refunded = refunded;
    return settle(self, &scope, &report);
}

static dreamd_lease_settled unproven(const store_case *self, const dreamd_lease_grant *grant, int64_t admitted,
                                     int64_t now_ms)
{
    dreamd_lease_scope scope = scope_of(self, "h1", now_ms);
    dreamd_lease_report report = report_of(grant, "r1", admitted);
    report.is_unproven = true;
    return settle(self, &scope, &report);
}

static void assert_settled(dreamd_lease_settled settled, dreamd_lease_state state, int64_t charged, int64_t returned)
{
    assert_int_equal(settled.state, state);
    assert_int_equal(settled.charged, charged);
    assert_int_equal(settled.returned, returned);
}

/* ---- states ---- */

static void test_settle__a_check_in_books_and_a_final_returns_the_rest(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0 + SECOND);
    assert_settled(check_in(self, &grant, 7, 2, T0), DREAMD_LEASE_ACTIVE, 5, 0);
    assert_counts(self, 5, 13, 0);
    assert_settled(check_in(self, &grant, 7, 2, T0), DREAMD_LEASE_ACTIVE, 5, 0);
    assert_counts(self, 5, 13, 0);
    assert_settled(finish(self, &scope, &grant, 9), DREAMD_LEASE_FINAL, 7, 11);
    assert_counts(self, 7, 0, 0);
    assert_int_equal(number_of(self->db, "SELECT SUM(used) FROM usage_daily"), 7);
    assert_int_equal(number_of(self->db, "SELECT SUM(used) FROM usage_totals"), 7);
    assert_int_equal(number_of(self->db, "SELECT leased FROM usage_counts"), 7);
    assert_sound(self, T0);
}

static void test_rule__state_only_rises(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    assert_settled(finish(self, &scope, &grant, 9), DREAMD_LEASE_FINAL, 9, 11);
    assert_settled(unproven(self, &grant, 9, T0), DREAMD_LEASE_FINAL, 9, 11);
    assert_settled(check_in(self, &grant, 4, 0, T0), DREAMD_LEASE_FINAL, 9, 11);
    assert_counts(self, 9, 0, 0);
    assert_sound(self, T0);
}

static void test_rule__final_beats_unproven(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    assert_settled(unproven(self, &grant, 6, T0), DREAMD_LEASE_UNPROVEN, 6, 0);
    assert_counts(self, 6, 0, 14);
    assert_settled(finish(self, &scope, &grant, 9), DREAMD_LEASE_FINAL, 9, 11);
    assert_counts(self, 9, 0, 0);
    assert_settled(finish(self, &scope, &grant, 9), DREAMD_LEASE_FINAL, 9, 11);
    assert_counts(self, 9, 0, 0);
    assert_sound(self, T0);
}

static void test_settle__one_that_is_both_is_unproven(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_lease_report report = report_of(&grant, "r1", 6);
    report.is_final = true;
    report.is_unproven = true;
    assert_settled(settle(self, &scope, &report), DREAMD_LEASE_UNPROVEN, 6, 0);
    assert_counts(self, 6, 0, 14);
}

static void test_rule__silent_becomes_lost(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    int64_t count = -1;
    bool is_silent = true;
    (void)check_in(self, &grant, 4, 0, T0 + SECOND);
    assert_ok(dreamd_leases_are_silent(self->db, T0 + TTL_MS + GRACE_MS - 1, &is_silent));
    assert_false(is_silent);
    assert_ok(dreamd_leases_sweep(self->db, T0 + TTL_MS + GRACE_MS - 1, 100, &count));
    assert_int_equal(count, 0);
    assert_counts(self, 4, 16, 0);
    assert_ok(dreamd_leases_are_silent(self->db, T0 + TTL_MS + GRACE_MS, &is_silent));
    assert_true(is_silent);
    for (int i = 0; i < 2; i++) {
        assert_ok(dreamd_leases_sweep(self->db, T0 + TTL_MS + GRACE_MS, 100, &count));
        assert_int_equal(count, i == 0);
        assert_counts(self, 4, 0, 16);
    }
    assert_sound(self, T0);
}

static void test_silence__is_noticed_by_whoever_asks(void **state)
{
    const store_case *self = *state;
    (void)lease_of_20(self);
    dreamd_usage_request request = request_of(self, "user_a", T0 + TTL_MS + GRACE_MS);
    dreamd_usage_result usage = read_usage(self, &request);
    assert_int_equal(usage.held, 0);
    assert_int_equal(usage.lost, 20);
    assert_counts(self, 0, 0, 20);
    request.units = 81;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_LIMIT); /* no longer "try again" */
    assert_sound(self, T0);
}

static void test_silence__a_check_in_after_the_end_puts_it_off(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    int64_t count = 0;
    int64_t last_ms = T0 + TTL_MS + GRACE_MS - SECOND; /* a reservation pins it */
    assert_settled(check_in(self, &grant, 4, 0, last_ms), DREAMD_LEASE_ACTIVE, 4, 0);
    assert_ok(dreamd_leases_sweep(self->db, last_ms + GRACE_MS - 1, 100, &count));
    assert_int_equal(count, 0);
    assert_ok(dreamd_leases_sweep(self->db, last_ms + GRACE_MS, 100, &count));
    assert_int_equal(count, 1);
    assert_sound(self, T0);
}

static void test_rule__check_in_revives_nothing(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0 + DAY);
    assert_settled(check_in(self, &grant, 8, 0, T0 + TTL_MS + GRACE_MS), DREAMD_LEASE_LOST, 8, 0);
    assert_counts(self, 8, 0, 12);
    assert_settled(finish(self, &scope, &grant, 9), DREAMD_LEASE_FINAL, 9, 11);
    assert_counts(self, 9, 0, 0);
    assert_sound(self, T0);
}

/* ---- counts ---- */

static void test_rule__largest_seen(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    assert_settled(check_in(self, &grant, 10, 3, T0), DREAMD_LEASE_ACTIVE, 7, 0);
    assert_settled(check_in(self, &grant, 6, 1, T0), DREAMD_LEASE_ACTIVE, 7, 0);
    assert_settled(unproven(self, &grant, 5, T0), DREAMD_LEASE_UNPROVEN, 7, 0);
    assert_settled(finish(self, &scope, &grant, 10), DREAMD_LEASE_FINAL, 7, 10);
    assert_counts(self, 7, 0, 0);
    assert_sound(self, T0);
}

static void test_rule__charge_is_not_negative(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    assert_settled(check_in(self, &grant, 3, 5, T0), DREAMD_LEASE_ACTIVE, 0, 0); /* torn: rest is 20 - 5 */
    assert_counts(self, 0, 15, 0);
    assert_int_equal(refund(self, &scope, "x1", grant.lease_id, 8), DREAMD_LEASE_REFUND_APPLIED);
    assert_counts(self, 0, 15, 0);
    assert_settled(finish(self, &scope, &grant, 20), DREAMD_LEASE_FINAL, 7, 0);
    assert_counts(self, 7, 0, 0);
    assert_sound(self, T0);
}

static void test_rule__only_final_returns(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h2", T0);
    assert_settled(unproven(self, &grant, 6, T0), DREAMD_LEASE_UNPROVEN, 6, 0);
    assert_counts(self, 6, 0, 14);
    dreamd_lease_grant next = granted(self, &scope, "r2", 1000);
    assert_int_equal(next.granted, 40); /* half of 80 */
    assert_int_equal(next.lost, 14);
    assert_sound(self, T0);
}

static void test_rule__refund_leaves_lease(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    assert_settled(check_in(self, &grant, 20, 6, T0), DREAMD_LEASE_ACTIVE, 14, 0);
    assert_counts(self, 14, 0, 0); /* back in the allowance, not in the lease */
    assert_settled(finish(self, &scope, &grant, 20), DREAMD_LEASE_FINAL, 14, 0);
    assert_counts(self, 14, 0, 0);
    assert_sound(self, T0);
}

static void test_rule__refund_once(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    (void)finish(self, &scope, &grant, 12);
    assert_int_equal(refund(self, &scope, "x1", grant.lease_id, 2), DREAMD_LEASE_REFUND_APPLIED);
    assert_counts(self, 10, 0, 0);
    scope.now_ms += 3 * DAY;
    assert_int_equal(refund(self, &scope, "x1", grant.lease_id, 2), DREAMD_LEASE_REFUND_DUPLICATE);
    assert_counts(self, 10, 0, 0);
    assert_int_equal(refund(self, &scope, "x2", grant.lease_id, 2), DREAMD_LEASE_REFUND_APPLIED);
    assert_counts(self, 8, 0, 0);
    assert_int_equal(refund(self, &scope, "x3", "nobody's", 2), DREAMD_LEASE_REFUND_UNKNOWN);
    assert_int_equal(refund(self, &scope, "x4", grant.lease_id, 0), DREAMD_LEASE_REFUND_INVALID);
    assert_settled(finish(self, &scope, &grant, 12), DREAMD_LEASE_FINAL, 8, 8);
    assert_sound(self, scope.now_ms);
}

static void test_refund__on_another_day_takes_from_the_days_that_have_some(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0 + 2 * DAY);
    (void)check_in(self, &grant, 12, 0, T0 + SECOND);
    (void)check_in(self, &grant, 15, 0, T0 + DAY);
    assert_int_equal(refund(self, &scope, "x1", grant.lease_id, 5), DREAMD_LEASE_REFUND_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_daily ORDER BY day LIMIT 1"), 10);
    assert_int_equal(number_of(self->db, "SELECT SUM(used) FROM usage_daily"), 10);
    assert_sound(self, scope.now_ms);
}

static void test_settle__a_report_that_contradicts_itself_or_its_lease_does_nothing(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    put_customer(self, "user_b", "pro");
    dreamd_lease_report cases[] = { report_of(&grant, "r1", 21), report_of(&grant, "r1", -1),
                                    report_of(&grant, "r1", 1),  report_of(&grant, "r1", 1),
                                    report_of(&grant, "r1", 1),  report_of(&grant, "r1", 1),
                                    report_of(&grant, "r1", 1) };
    cases[2].refunded = 21;
    cases[3].granted = 19;
    cases[4].user_id = "user_b";
    cases[5].meter = "tokens";
    cases[6].period_start_day += 2;
    cases[6].lease_id = "of the future";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cases[i].is_final = true;
        assert_settled(settle(self, &scope, &cases[i]), DREAMD_LEASE_INVALID, 0, 0);
        assert_counts(self, 0, 20, 0);
    }
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM leases"), 1);
    assert_sound(self, T0);
}

/* The same reports in any order, some of them twice, end in the same books. */
static void test_settle__any_order_ends_in_the_same_books(void **state)
{
    const store_case *self = *state;
    enum { REPORTS = 7, ROUNDS = 60 };
    unsigned seed = 7;
    put_customer(self, "user_a", "enterprise");
    for (int round = 0; round < ROUNDS; round++) {
        char request[16];
        (void)snprintf(request, sizeof request, "r%d", round);
        dreamd_lease_scope scope = scope_of(self, "h1", T0);
        dreamd_lease_grant grant = granted(self, &scope, request, 20);
        for (unsigned done = 0, tries = 0; done != (1U << REPORTS) - 1; tries++) {
            int which = rand_r(&seed) % REPORTS;
            dreamd_lease_report report = report_of(&grant, request, which == 6 ? 13 : 2 * which);
            report.refunded = which == 6 ? 4 : which / 2;
            report.is_unproven = which == 5;
            report.is_final = which == 6;
            scope.now_ms = T0 + (int64_t)(tries % 5) * 25 * SECOND; /* sometimes past its end */
            if (which == 0)
                (void)refund(self, &scope, "x1", grant.lease_id, 3);
            else if (which == 6 && done != (1U << 6) - 1 && tries < 40)
                continue; /* a final knows all that was admitted before it, so what comes later is older */
            else
                (void)settle(self, &scope, &report);
            done |= 1U << which;
        }
        assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), 6 * (round + 1));
        assert_counts(self, 6 * (round + 1), 0, 0);
    }
    assert_sound(self, T0);
}

/* ---- leases that are not known, periods, customers ---- */

static void test_rule__unknown_makes_row(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_lease_grant grant = { .lease_id = "from-after-the-backup",
                                 .granted = 20,
                                 .period_start_day = dream_day_of_ms(T0) };
    assert_settled(check_in(self, &grant, 5, 0, T0), DREAMD_LEASE_ACTIVE, 5, 0);
    assert_counts(self, 5, 15, 0);
    assert_settled(finish(self, &scope, &grant, 8), DREAMD_LEASE_FINAL, 8, 12);
    assert_settled(finish(self, &scope, &grant, 8), DREAMD_LEASE_FINAL, 8, 12);
    assert_counts(self, 8, 0, 0);
    /* The request it came from is answered with it, not granted anew. */
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant again = acquire(self, &scope, "r1", 20);
    assert_string_equal(again.lease_id, grant.lease_id);
    assert_int_equal(again.state, DREAMD_LEASE_FINAL);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM leases"), 1);
}

static void test_rule__books_into_its_period(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_grant unknown = grant;
    dreamd_usage_request request = request_of(self, "user_a", T0 + 31 * DAY);
    dreamd_lease_scope scope = scope_of(self, "h1", T0 + 31 * DAY);
    (void)strcpy(unknown.lease_id, "from-after-the-backup");
    unknown.granted = 10;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    assert_settled(finish(self, &scope, &grant, 9), DREAMD_LEASE_FINAL, 9, 11);
    assert_settled(finish(self, &scope, &unknown, 4), DREAMD_LEASE_FINAL, 4, 6);
    assert_counts(self, 1, 0, 0);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts ORDER BY period_start_day LIMIT 1"), 13);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts"), 2);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_daily ORDER BY day DESC LIMIT 1 OFFSET 1"), 13);
    assert_sound(self, scope.now_ms);
}

/* A restored store began a period of its own in the middle of one that the backup does not know. */
static void test_rule__periods_move_forward(void **state)
{
    const store_case *self = *state;
    int64_t now_ms = T0 + 10 * DAY;
    dreamd_usage_request request = request_of(self, "user_a", now_ms);
    dreamd_lease_scope scope = scope_of(self, "h1", now_ms);
    dreamd_lease_grant unknown = { .lease_id = "from-after-the-backup",
                                   .granted = 20,
                                   .period_start_day = dream_day_of_ms(T0) };
    put_customer(self, "user_a", "pro");
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    assert_settled(finish(self, &scope, &unknown, 4), DREAMD_LEASE_FINAL, 4, 16);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts"), 1);
    assert_counts(self, 5, 0, 0);
    assert_settled(finish(self, &scope, &unknown, 4), DREAMD_LEASE_FINAL, 4, 16);
    assert_counts(self, 5, 0, 0);
    assert_sound(self, now_ms);
}

static void test_rule__deleted_still_settles(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    bool is_found = false;
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_a", T0, &is_found));
    assert_settled(finish(self, &scope, &grant, 9), DREAMD_LEASE_FINAL, 9, 11);
    assert_counts(self, 9, 0, 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers WHERE status = 'deleted'"), 1);
    assert_sound(self, T0);
}

/* ---- closed books ---- */

static void test_rule__books_close(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_grant unknown = grant;
    int64_t last_day_ms = T0 + (DREAMD_PERIOD_DAYS - 1 + CLOSE_DAYS) * DAY;
    dreamd_lease_scope scope = scope_of(self, "h1", last_day_ms + DAY);
    (void)strcpy(unknown.lease_id, "from-after-the-backup");
    assert_settled(check_in(self, &grant, 5, 0, last_day_ms), DREAMD_LEASE_LOST, 5, 0);
    for (int i = 0; i < 2; i++) {
        assert_settled(finish(self, &scope, &grant, 9), DREAMD_LEASE_CLOSED, 0, 0);
        assert_settled(finish(self, &scope, &unknown, 20), DREAMD_LEASE_CLOSED, 0, 0);
    }
    assert_int_equal(refund(self, &scope, "x1", grant.lease_id, 1), DREAMD_LEASE_REFUND_CLOSED);
    assert_counts(self, 5, 0, 15);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM late_settlements"), 2);
    assert_int_equal(number_of(self->db, "SELECT SUM(admitted) FROM late_settlements WHERE is_final = 1"), 29);
    assert_sound(self, scope.now_ms);
}

static void test_close__leases_go_with_all_that_belongs_to_them(void **state)
{
    const store_case *self = *state;
    dreamd_lease_grant grant = lease_of_20(self);
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    (void)granted(self, &scope, "r2", 5);
    dreamd_lease_want refused = { "r3", "nobody", DREAMD_DEFAULT_METER, 1, 1 };
    assert_int_equal(acquire_for(self, &scope, &refused).refusal, DREAMD_LEASE_NOT_FOUND);
    (void)finish(self, &scope, &grant, 9);
    assert_int_equal(refund(self, &scope, "x1", grant.lease_id, 1), DREAMD_LEASE_REFUND_APPLIED);
    scope = scope_of(self, "h1", T0 + (DREAMD_PERIOD_DAYS - 1 + CLOSE_DAYS) * DAY);
    assert_ok(dreamd_leases_prune(self->db, &scope, 10));
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM leases"), 2);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM lease_requests"),
                     2); /* the refusal is older than a week */
    scope = scope_of(self, "h1", scope.now_ms + DAY);
    assert_ok(dreamd_leases_prune(self->db, &scope, 1));
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM leases"), 1);
    assert_ok(dreamd_leases_prune(self->db, &scope, 10));
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM leases"), 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM lease_requests"), 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM lease_refunds"), 0);
    assert_settled(finish(self, &scope, &grant, 9), DREAMD_LEASE_CLOSED, 0, 0); /* a pruned row must not bill twice */
    assert_counts(self, 8, 5, 0);
    assert_sound(self, scope.now_ms);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_settle__a_check_in_books_and_a_final_returns_the_rest),
        TEST(test_rule__state_only_rises),
        TEST(test_rule__final_beats_unproven),
        TEST(test_settle__one_that_is_both_is_unproven),
        TEST(test_rule__silent_becomes_lost),
        TEST(test_silence__is_noticed_by_whoever_asks),
        TEST(test_silence__a_check_in_after_the_end_puts_it_off),
        TEST(test_rule__check_in_revives_nothing),
        TEST(test_rule__largest_seen),
        TEST(test_rule__charge_is_not_negative),
        TEST(test_rule__only_final_returns),
        TEST(test_rule__refund_leaves_lease),
        TEST(test_rule__refund_once),
        TEST(test_refund__on_another_day_takes_from_the_days_that_have_some),
        TEST(test_settle__a_report_that_contradicts_itself_or_its_lease_does_nothing),
        TEST(test_settle__any_order_ends_in_the_same_books),
        TEST(test_rule__unknown_makes_row),
        TEST(test_rule__books_into_its_period),
        TEST(test_rule__periods_move_forward),
        TEST(test_rule__deleted_still_settles),
        TEST(test_rule__books_close),
        TEST(test_close__leases_go_with_all_that_belongs_to_them),
    };
    return cmocka_run_group_tests_name("store leases settle", tests, NULL, NULL);
}
