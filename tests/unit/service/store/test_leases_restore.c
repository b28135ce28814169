/* SPDX-License-Identifier: Apache-2.0 */
/* test_leases_restore.c - stores that were put back from a backup, and units that an operator writes off. A test that carries a
 * rule's name fails when that rule is switched off (common/rule.h). */
#include "lease_case.h"

#include <string.h>

#include "service/store/lease_list.h"
#include "service/store/usage_events.h"

static const dreamd_lease_terms terms = { TTL_MS, GRACE_MS, CLOSE_DAYS };

static dreamd_epoch restore_at(const store_case *self, int64_t now_ms)
{
    const dreamd_restore restore = { &terms, now_ms, "operator:ada" };
    dreamd_epoch epoch;
    assert_ok(dreamd_store_mark_restored(self->db, &restore, &epoch));
    return epoch;
}

static void test_rule__restore_raises_epoch(void **state)
{
    const store_case *self = *state;
    dreamd_epoch before, epoch;
    assert_ok(dreamd_epoch_read(self->db, &before));
    assert_int_equal(before.store_epoch, 1);
    assert_int_equal(before.recovering_until_ms, 0);
    dreamd_epoch first = restore_at(self, T0);
    assert_true(first.store_epoch > before.store_epoch);
    assert_int_equal(first.recovering_until_ms, T0 + TTL_MS + GRACE_MS);
    assert_ok(dreamd_epoch_read(self->db, &epoch));
    assert_int_equal(epoch.store_epoch, first.store_epoch);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM audit_entries WHERE action = 'restore'"), 1);
    assert_true(restore_at(self, T0).store_epoch > first.store_epoch);
    assert_sound(self, T0);
    /* The same backup again: an epoch that holders have not seen. */
    assert_ok(dreamd_db_script(self->db, "UPDATE meta SET value = '1' WHERE name = 'store_epoch'"));
    assert_true(restore_at(self, T0 + MINUTE).store_epoch > first.store_epoch + 1);
}

static void test_restore__waits_for_the_longest_lease_there_ever_was(void **state)
{
    const store_case *self = *state;
    const dreamd_lease_terms longer = { 10 * MINUTE, MINUTE, CLOSE_DAYS };
    assert_ok(dreamd_lease_terms_note(self->db, &longer));
    assert_ok(dreamd_lease_terms_note(self->db, &terms));
    assert_int_equal(restore_at(self, T0).recovering_until_ms, T0 + 11 * MINUTE);
}

static void test_rule__recovering_grants_nothing(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0 + SECOND);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant before = granted(self, &scope, "r0", 3);
    scope.recovering_until_ms = restore_at(self, T0).recovering_until_ms;
    dreamd_lease_grant refused = acquire(self, &scope, "r1", 10);
    assert_int_equal(refused.refusal, DREAMD_LEASE_RECOVERING);
    assert_int_equal(refused.retry_after_ms, TTL_MS + GRACE_MS - SECOND);
    /* What was granted before stays granted, and settles. */
    assert_string_equal(granted(self, &scope, "r0", 3).lease_id, before.lease_id);
    assert_int_equal(finish(self, &scope, &before, 2).state, DREAMD_LEASE_FINAL);
    /* The refusal was for the time being: the same request is granted then. */
    scope.now_ms = scope.recovering_until_ms;
    (void)granted(self, &scope, "r1", 10);
    assert_sound(self, scope.now_ms);
}

static void test_rule__recovering_admits_nothing(void **state)
{
    const store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0 + SECOND);
    dreamd_usage_event event = { .event_id = "e1", .request = request, .at_ms = T0 };
    dreamd_usage_event_outcome outcome;
    put_customer(self, "user_a", "pro");
    (void)restore_at(self, T0);
    dreamd_usage_result refused = admit(self, &request);
    assert_int_equal(refused.outcome, DREAMD_USAGE_RECOVERING);
    assert_int_equal(refused.retry_after_ms, TTL_MS + GRACE_MS - SECOND);
    assert_ok(dreamd_usage_event_apply(self->db, &event, &outcome));
    assert_int_equal(outcome, DREAMD_USAGE_EVENT_RECOVERING);
    assert_int_equal(read_usage(self, &request).outcome, DREAMD_USAGE_OK);
    request.now_ms = T0 + TTL_MS + GRACE_MS;
    event.request.now_ms = request.now_ms;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    assert_ok(dreamd_usage_event_apply(self->db, &event, &outcome));
    assert_int_equal(outcome, DREAMD_USAGE_EVENT_APPLIED);
    assert_sound(self, request.now_ms);
}

/* ---- write-offs ---- */

static int64_t write_off(const store_case *self, int64_t most, int64_t now_ms)
{
    const dreamd_lease_write_off wanted = {
        &self->project, "user_a", DREAMD_DEFAULT_METER, most, now_ms, "operator:ada"
    };
    int64_t units = -1;
    assert_ok(dreamd_lease_write_off_lost(self->db, &wanted, &units));
    return units;
}

static void test_write_off__gives_lost_units_back_and_is_the_most_a_period_goes_over(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    int64_t later_ms = T0 + TTL_MS + GRACE_MS;
    dreamd_usage_request request = request_of(self, "user_a", later_ms);
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant grant = granted(self, &scope, "r1", 20);
    assert_int_equal(write_off(self, INT64_MAX, T0), 0); /* held is not lost */
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM audit_entries"), 0);
    assert_int_equal(write_off(self, 15, later_ms), 15);
    assert_counts(self, 0, 0, 5);
    assert_int_equal(write_off(self, INT64_MAX, later_ms), 5);
    assert_int_equal(write_off(self, INT64_MAX, later_ms), 0);
    assert_counts(self, 0, 0, 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM audit_entries WHERE action = 'lease write-off'"), 2);
    request.units = 100;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    /* They were used after all: billed, and over the limit by no more than was written off. */
    scope.now_ms = later_ms;
    dreamd_lease_settled settled = finish(self, &scope, &grant, 20);
    assert_int_equal(settled.charged, 20);
    assert_counts(self, 120, 0, 0);
    assert_int_equal(number_of(self->db, "SELECT written_off FROM usage_counts"), 20);
    assert_sound(self, later_ms);
}

static void test_write_off__a_final_afterwards_returns_nothing_twice(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    int64_t later_ms = T0 + TTL_MS + GRACE_MS;
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant grant = granted(self, &scope, "r1", 20);
    assert_int_equal(write_off(self, 12, later_ms), 12);
    scope.now_ms = later_ms;
    dreamd_lease_report report = report_of(&grant, "r1", 5);
    assert_int_equal(settle(self, &scope, &report).state, DREAMD_LEASE_LOST);
    assert_counts(self, 5, 0, 3);
    (void)finish(self, &scope, &grant, 5);
    assert_counts(self, 5, 0, 0);
    assert_sound(self, later_ms);
}

/* ---- what an operator sees ---- */

struct lines {
    int count;
    char text[4096];
};

static bool add_line(void *context, const char *json)
{
    struct lines *lines = context;
    lines->count++;
    (void)strncat(lines->text, json, sizeof lines->text - strlen(lines->text) - 1);
    return true;
}

static void test_list__shows_what_is_open_and_what_came_too_late(void **state)
{
    const store_case *self = *state;
    dreamd_lease_scope scope = scope_of(self, "h1", T0);
    dreamd_account_filter filter = { "user_a", "App", PK };
    dreamd_project project;
    struct lines lines = { 0 };
    int64_t count = 0;
    put_customer(self, "user_a", "pro");
    dreamd_lease_grant done = granted(self, &scope, "r1", 20);
    (void)granted(self, &scope, "r2", 7);
    (void)finish(self, &scope, &done, 5);
    scope = scope_of(self, "h1", T0 + 40 * DAY);
    dreamd_lease_report late = report_of(&done, "r3", 5);
    late.lease_id = "late-one";
    assert_int_equal(settle(self, &scope, &late).state, DREAMD_LEASE_CLOSED);
    assert_ok(dreamd_account_find(self->db, &filter, &project, &count));
    assert_int_equal(count, 1);
    assert_string_equal(project.project_id, PROJECT);
    assert_ok(dreamd_lease_list(self->db, &project, "user_a", add_line, &lines));
    assert_int_equal(lines.count, 2);
    assert_non_null(strstr(lines.text, "\"granted\":7"));
    assert_non_null(strstr(lines.text, "\"leaseId\":\"late-one\""));
    filter.project_name = "Another";
    assert_ok(dreamd_account_find(self->db, &filter, &project, &count));
    assert_int_equal(count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_rule__restore_raises_epoch),
        TEST(test_restore__waits_for_the_longest_lease_there_ever_was),
        TEST(test_rule__recovering_grants_nothing),
        TEST(test_rule__recovering_admits_nothing),
        TEST(test_write_off__gives_lost_units_back_and_is_the_most_a_period_goes_over),
        TEST(test_write_off__a_final_afterwards_returns_nothing_twice),
        TEST(test_list__shows_what_is_open_and_what_came_too_late),
    };
    return cmocka_run_group_tests_name("store leases restore", tests, NULL, NULL);
}
