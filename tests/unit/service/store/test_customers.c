/* SPDX-License-Identifier: Apache-2.0 */
/* test_customers.c - customers come, change, go, and do not come back. */
#include "store_case.h"

#include <string.h>

static bool find(const store_case *self, const char *user, dreamd_customer *out)
{
    bool is_found = false;
    assert_ok(dreamd_customer_find(self->db, &self->project, user, self->arena, out, &is_found));
    return is_found;
}

static void test_put__makes_then_changes_only_what_is_given(void **state)
{
    store_case *self = *state;
    dreamd_customer found;
    const dreamd_customer first = {
        .user_id = "user_a", .email = "a@example.test", .first_name = "Ada", .plan = "pro"
    };
    const dreamd_customer second = { .user_id = "user_a", .last_name = "Example" };
    assert_ok(dreamd_customer_put(self->db, &self->project, &first, T0));
    assert_ok(dreamd_customer_put(self->db, &self->project, &second, T0 + 1));
    assert_true(find(self, "user_a", &found));
    assert_string_equal(found.user_id, "user_a");
    assert_string_equal(found.email, "a@example.test");
    assert_string_equal(found.first_name, "Ada");
    assert_string_equal(found.last_name, "Example");
    assert_string_equal(found.plan, "pro");
    assert_false(found.is_deleted);
    assert_int_equal(found.created_at_ms, T0);
    assert_int_equal(found.updated_at_ms, T0 + 1);
}

static void test_find__is_of_this_project_only(void **state)
{
    store_case *self = *state;
    dreamd_customer found;
    bool is_found = true;
    dreamd_project other = self->project;
    other.project_id[5] = 'f';
    assert_ok(dreamd_customer_ensure(self->db, &self->project, "user_a", NULL, T0));
    assert_ok(dreamd_customer_find(self->db, &other, "user_a", self->arena, &found, &is_found));
    assert_false(is_found);
    assert_false(find(self, "user_b", &found));
}

static void test_ensure__writes_nothing_when_nothing_is_new(void **state)
{
    store_case *self = *state;
    dreamd_customer found;
    assert_ok(dreamd_customer_ensure(self->db, &self->project, "user_a", "a@example.test", T0));
    assert_ok(dreamd_customer_ensure(self->db, &self->project, "user_a", "a@example.test", T0 + 5));
    assert_ok(dreamd_customer_ensure(self->db, &self->project, "user_a", NULL, T0 + 6));
    assert_true(find(self, "user_a", &found));
    assert_int_equal(found.updated_at_ms, T0);
    assert_null(found.plan);
}

static void test_set_plan__knows_unknown_and_deleted_customers(void **state)
{
    store_case *self = *state;
    bool is_found = true;
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "pro", T0, &is_found));
    assert_false(is_found);
    assert_ok(dreamd_customer_ensure(self->db, &self->project, "user_a", NULL, T0));
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "pro", T0, &is_found));
    assert_true(is_found);
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_a", T0, &is_found));
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "free", T0, &is_found));
    assert_false(is_found);
}

static void test_plan__longest_fits_and_longer_is_refused(void **state)
{
    store_case *self = *state;
    char plan[DREAMD_PLAN_SIZE + 1] = "";
    bool is_found = false;
    dreamd_customer customer = { .user_id = "user_a", .plan = plan };
    assert_int_equal(dreamd_customer_put(self->db, &self->project, &customer, T0), DREAMD_DB_CONFLICT);
    memset(plan, 'x', DREAMD_PLAN_SIZE);
    assert_int_equal(dreamd_customer_put(self->db, &self->project, &customer, T0), DREAMD_DB_CONFLICT);
    plan[DREAMD_PLAN_SIZE - 1] = '\0';
    assert_ok(dreamd_customer_put(self->db, &self->project, &customer, T0));
    assert_int_equal(dreamd_customer_set_plan(self->db, &self->project, "user_a", "", T0, &is_found),
                     DREAMD_DB_CONFLICT);
}

static void test_delete__leaves_a_bare_tombstone(void **state)
{
    store_case *self = *state;
    dreamd_customer found;
    bool is_found = false;
    const dreamd_customer ada = {
        .user_id = "user_a", .email = "a@example.test", .first_name = "Ada", .last_name = "E"
    };
    assert_ok(dreamd_customer_put(self->db, &self->project, &ada, T0));
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_a", T0 + 1, &is_found));
    assert_true(is_found);
    assert_true(find(self, "user_a", &found));
    assert_true(found.is_deleted);
    assert_null(found.email);
    assert_null(found.first_name);
    assert_null(found.last_name);
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_a", T0 + 2, &is_found));
    assert_false(is_found);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_delete__of_an_unknown_one_leaves_a_tombstone_too(void **state)
{
    store_case *self = *state;
    dreamd_customer found;
    bool is_found = true;
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_x", T0, &is_found));
    assert_false(is_found);
    assert_true(find(self, "user_x", &found));
    assert_true(found.is_deleted);
}

static void test_tombstone__is_not_revived(void **state)
{
    store_case *self = *state;
    dreamd_customer found;
    bool is_found = false;
    const dreamd_customer ada = { .user_id = "user_a", .email = "a@example.test" };
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_a", T0, &is_found));
    assert_ok(dreamd_customer_put(self->db, &self->project, &ada, T0));
    assert_ok(dreamd_customer_ensure(self->db, &self->project, "user_a", "a@example.test", T0));
    assert_true(find(self, "user_a", &found));
    assert_true(found.is_deleted);
    assert_null(found.email);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_put__makes_then_changes_only_what_is_given),
        CASE(test_find__is_of_this_project_only),
        CASE(test_ensure__writes_nothing_when_nothing_is_new),
        CASE(test_set_plan__knows_unknown_and_deleted_customers),
        CASE(test_plan__longest_fits_and_longer_is_refused),
        CASE(test_delete__leaves_a_bare_tombstone),
        CASE(test_delete__of_an_unknown_one_leaves_a_tombstone_too),
        CASE(test_tombstone__is_not_revived),
    };
    return cmocka_run_group_tests_name("customers", tests, NULL, NULL);
}
