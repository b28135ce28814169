/* SPDX-License-Identifier: Apache-2.0 */
/* test_profiles.c - what the identity provider tells of users: once, in order, of the right mode, and never back to life. */
#include "store_case.h"

#include <stdio.h>
#include <string.h>

#include "service/store/profiles.h"

static dreamd_profile_event changed(const char *event_id, int64_t at_ms)
{
    return (dreamd_profile_event){ .mode = DREAMD_LIVE,
                                   .event_id = event_id,
                                   .type = "user.updated",
                                   .at_ms = at_ms,
                                   .user_id = "user_a",
                                   .publishable_key = PK,
                                   .email = "ada@example.test",
                                   .first_name = "Ada",
                                   .plan = "pro",
                                   .created_at_ms = T0 - DAY };
}

static dreamd_profile_event gone(const char *event_id)
{
    return (dreamd_profile_event){ .mode = DREAMD_LIVE,
                                   .event_id = event_id,
                                   .type = "user.deleted",
                                   .at_ms = T0,
                                   .user_id = "user_a",
                                   .is_deleted = true };
}

static dreamd_event_outcome apply(const store_case *self, const dreamd_profile_event *event)
{
    dreamd_event_outcome outcome;
    assert_ok(dreamd_profile_apply(self->db, event, T0, &outcome));
    return outcome;
}

static dreamd_customer find(const store_case *self, bool *out_found)
{
    dreamd_customer customer = { 0 };
    assert_ok(dreamd_customer_find(self->db, &self->project, "user_a", self->arena, &customer, out_found));
    return customer;
}

static void test_profile__makes_the_member_with_its_plan(void **state)
{
    const store_case *self = *state;
    dreamd_profile_event event = changed("msg_1", T0);
    bool is_found = false;
    assert_int_equal(apply(self, &event), DREAMD_EVENT_APPLIED);
    dreamd_customer customer = find(self, &is_found);
    assert_true(is_found);
    assert_string_equal(customer.email, "ada@example.test");
    assert_string_equal(customer.first_name, "Ada");
    assert_null(customer.last_name);
    assert_string_equal(customer.plan, "pro");
    assert_int_equal(customer.created_at_ms, T0 - DAY);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM events WHERE source = 'clerk-live' AND payload IS NULL"),
                     1);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_profile__keeps_the_stored_plan_and_takes_the_names_as_told(void **state)
{
    const store_case *self = *state;
    dreamd_customer before = {
        .user_id = "user_a", .email = "old@example.test", .first_name = "A", .last_name = "L", .plan = "free"
    };
    dreamd_profile_event event = changed("msg_1", T0);
    bool is_found = false;
    assert_ok(dreamd_customer_put(self->db, &self->project, &before, T0));
    (void)apply(self, &event);
    dreamd_customer customer = find(self, &is_found);
    assert_string_equal(customer.plan, "free");
    assert_string_equal(customer.email, "ada@example.test");
    assert_null(customer.last_name);
}

static void test_profile__applies_once_and_never_an_older_state(void **state)
{
    const store_case *self = *state;
    dreamd_profile_event event = changed("msg_1", T0);
    bool is_found = false;
    assert_int_equal(apply(self, &event), DREAMD_EVENT_APPLIED);
    event.email = "changed@example.test";
    assert_int_equal(apply(self, &event), DREAMD_EVENT_DUPLICATE);
    event.event_id = "msg_2";
    event.at_ms = T0 - 1;
    assert_int_equal(apply(self, &event), DREAMD_EVENT_STALE);
    assert_string_equal(find(self, &is_found).email, "ada@example.test");
    assert_int_equal(number_of(self->db, "SELECT is_stale FROM events WHERE event_id = 'msg_2'"), 1);
    event.event_id = "msg_3";
    event.at_ms = T0;
    assert_int_equal(apply(self, &event), DREAMD_EVENT_APPLIED);
    assert_string_equal(find(self, &is_found).email, "changed@example.test");
}

static void test_profile__records_only_what_it_may_not_apply(void **state)
{
    const store_case *self = *state;
    dreamd_profile_event events[] = { changed("msg_1", T0), changed("msg_2", T0), changed("msg_3", T0),
                                      changed("msg_4", T0) };
    events[0].publishable_key = "pk_live_unknown";
    events[1].publishable_key = NULL;
    events[2].mode = DREAMD_TEST;
    events[3].type = "session.created";
    events[3].user_id = NULL;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        assert_int_equal(apply(self, &events[i]), DREAMD_EVENT_APPLIED);
    assert_int_equal(apply(self, &events[0]), DREAMD_EVENT_DUPLICATE);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers"), 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM events WHERE platform_id = ''"), 4);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_profile__a_deleted_user_meters_no_more_and_stays_deleted(void **state)
{
    const store_case *self = *state;
    dreamd_profile_event event = changed("msg_1", T0);
    dreamd_profile_event end = gone("msg_2");
    dreamd_usage_request request = request_of(self, "user_a", T0);
    bool is_found = false;
    (void)apply(self, &event);
    assert_int_equal(apply(self, &end), DREAMD_EVENT_APPLIED);
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_DELETED);
    assert_int_equal(apply(self, &end), DREAMD_EVENT_DUPLICATE);
    event = changed("msg_3", T0 + DAY);
    assert_int_equal(apply(self, &event), DREAMD_EVENT_STALE);
    assert_true(find(self, &is_found).is_deleted);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_profile__a_deletion_reaches_every_project_of_its_mode(void **state)
{
    const store_case *self = *state;
    dreamd_project second = self->project;
    dreamd_project test = self->project;
    dreamd_customer customer = { .user_id = "user_a" };
    dreamd_profile_event end = gone("msg_1");
    memcpy(second.project_id, "prj_2", 6);
    memcpy(test.project_id, "prj_3", 6);
    test.mode = DREAMD_TEST;
    assert_ok(dreamd_project_insert(self->db, &second, T0));
    assert_ok(dreamd_project_insert(self->db, &test, T0));
    assert_ok(dreamd_customer_put(self->db, &self->project, &customer, T0));
    assert_ok(dreamd_customer_put(self->db, &second, &customer, T0));
    assert_ok(dreamd_customer_put(self->db, &test, &customer, T0));
    assert_int_equal(apply(self, &end), DREAMD_EVENT_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers WHERE status = 'deleted'"), 2);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers WHERE project_id = 'prj_3' AND status = "
                                         "'active'"),
                     1);
}

static void test_profile__a_deletion_reaches_a_user_of_any_number_of_projects(void **state)
{
    const store_case *self = *state;
    dreamd_project project = self->project;
    dreamd_customer customer = { .user_id = "user_a", .email = "ada@example.test" };
    dreamd_profile_event end = gone("msg_1");
    for (int i = 0; i < 150; i++) {
        (void)snprintf(project.project_id, sizeof project.project_id, "prj_%d", i);
        assert_ok(dreamd_project_insert(self->db, &project, T0));
        assert_ok(dreamd_customer_put(self->db, &project, &customer, T0));
    }
    assert_int_equal(apply(self, &end), DREAMD_EVENT_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers WHERE status = 'active'"), 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers WHERE status = 'deleted'"), 150);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_profile__the_deletion_of_nobody_is_recorded(void **state)
{
    const store_case *self = *state;
    dreamd_profile_event end = gone("msg_1");
    assert_int_equal(apply(self, &end), DREAMD_EVENT_APPLIED);
    assert_int_equal(apply(self, &end), DREAMD_EVENT_DUPLICATE);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers"), 0);
}

static void test_profile__what_is_told_of_a_user_after_its_deletion_is_late(void **state)
{
    const store_case *self = *state;
    dreamd_profile_event end = gone("msg_1");
    dreamd_profile_event made = changed("msg_2", T0 - DAY);
    dreamd_profile_event renamed = changed("msg_3", T0 + DAY);
    made.type = "user.created";
    assert_int_equal(apply(self, &end), DREAMD_EVENT_APPLIED);
    assert_int_equal(apply(self, &made), DREAMD_EVENT_STALE);
    assert_int_equal(apply(self, &renamed), DREAMD_EVENT_STALE);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers"), 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM events WHERE is_stale = 1"), 2);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_profile__a_deletion_in_one_mode_says_nothing_of_the_other(void **state)
{
    const store_case *self = *state;
    dreamd_profile_event end = gone("msg_1");
    dreamd_profile_event made = changed("msg_2", T0);
    bool is_found = false;
    end.mode = DREAMD_TEST;
    assert_int_equal(apply(self, &end), DREAMD_EVENT_APPLIED);
    assert_int_equal(apply(self, &made), DREAMD_EVENT_APPLIED);
    assert_false(find(self, &is_found).is_deleted);
    assert_true(is_found);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_profile__makes_the_member_with_its_plan),
        TEST(test_profile__keeps_the_stored_plan_and_takes_the_names_as_told),
        TEST(test_profile__applies_once_and_never_an_older_state),
        TEST(test_profile__records_only_what_it_may_not_apply),
        TEST(test_profile__a_deleted_user_meters_no_more_and_stays_deleted),
        TEST(test_profile__a_deletion_reaches_every_project_of_its_mode),
        TEST(test_profile__a_deletion_reaches_a_user_of_any_number_of_projects),
        TEST(test_profile__the_deletion_of_nobody_is_recorded),
        TEST(test_profile__what_is_told_of_a_user_after_its_deletion_is_late),
        TEST(test_profile__a_deletion_in_one_mode_says_nothing_of_the_other),
    };
    return cmocka_run_group_tests_name("store profiles", tests, NULL, NULL);
}
