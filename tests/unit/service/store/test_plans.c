/* SPDX-License-Identifier: Apache-2.0 */
/* test_plans.c - the plan that counts, and that what is foreseen of an event is what comes of it. */
#include "store_case.h"

#include <stdio.h>
#include <string.h>

#include "service/store/plans.h"

#define UPDATED "customer.subscription.updated"

static char user[64];
static int event_count;

static dreamd_event event_of(const store_case *self, const char *type, int64_t created_s,
                             dreamd_subscription *subscription, const char *subscription_id, const char *plan,
                             const char *status)
{
    static char event_id[32];

    (void)snprintf(event_id, sizeof event_id, "evt_%d", ++event_count);
    *subscription = (dreamd_subscription)DREAMD_SUBSCRIPTION_INIT;
    subscription->user_id = user;
    subscription->subscription_id = subscription_id;
    subscription->plan = plan;
    subscription->status = status;
    return (dreamd_event){ .source = "stripe-live",
                           .event_id = event_id,
                           .type = type,
                           .created_s = created_s,
                           .payload = "{}",
                           .project = &self->project,
                           .subscription = subscription };
}

static void apply(const store_case *self, int64_t created_s, const char *subscription_id, const char *plan,
                  const char *status)
{
    dreamd_subscription subscription;
    dreamd_event_outcome outcome;
    dreamd_event event = event_of(self, UPDATED, created_s, &subscription, subscription_id, plan, status);

    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    assert_int_equal(outcome, DREAMD_EVENT_APPLIED);
}

static const char *in_force(const store_case *self)
{
    const char *plan = NULL;

    assert_ok(dreamd_plan_in_force(self->db, &self->project, user, self->arena, &plan));
    return plan;
}

static void put_plan(const store_case *self, const char *plan)
{
    dreamd_customer customer = { .user_id = user, .plan = plan };

    assert_ok(dreamd_customer_put(self->db, &self->project, &customer, T0));
}

static void test_in_force__a_running_subscription_outranks_the_stored_plan(void **state)
{
    const store_case *self = *state;
    bool is_found = false;

    (void)snprintf(user, sizeof user, "user_a");
    assert_null(in_force(self));
    put_plan(self, NULL);
    assert_null(in_force(self));
    put_plan(self, "enterprise");
    assert_string_equal(in_force(self), "enterprise");
    apply(self, 100, "sub_1", "pro", "active");
    assert_string_equal(in_force(self), "pro");
    apply(self, 200, "sub_2", "free", "trialing");
    assert_string_equal(in_force(self), "free");
    apply(self, 300, "sub_2", "free", "past_due");
    assert_string_equal(in_force(self), "pro");
    apply(self, 400, "sub_1", "pro", "unpaid");
    assert_string_equal(in_force(self), "enterprise");
    assert_ok(dreamd_customer_delete(self->db, &self->project, user, T0, &is_found));
    assert_null(in_force(self));
}

static void test_after__is_what_comes_of_the_event(void **state)
{
    static const char *const given[] = { "nobody", NULL, "free", "pro", "enterprise" };
    static const char *const before[] = { NULL, "active", "past_due" };
    static const char *const after[] = { "active", "trialing", "past_due", "incomplete_expired", "canceled" };
    static const char *const plans[] = { "pro", "PRO", "enterprise", NULL };
    static const char *const types[] = { UPDATED, "checkout.session.completed" };
    const store_case *self = *state;
    int count = 0;

    assert_ok(dreamd_db_script(self->db, "BEGIN;"));
    for (int i = 0; i < 5 * 3 * 3 * 5 * 4 * 2; i++) {
        const char *const type = types[i / 900];
        /* A finished checkout says "active", and nothing else. */
        const char *const told = i >= 900 ? "active" : after[i / 45 % 5];
        const char *const mine = before[i / 5 % 3];
        const char *const other = before[i / 15 % 3];
        const char *plan = plans[i / 225 % 4];
        const char *foreseen = NULL;
        dreamd_subscription subscription;
        dreamd_event_outcome outcome;
        dreamd_event event;

        (void)snprintf(user, sizeof user, "user_%d", i);
        if (!given[i % 5] || strcmp(given[i % 5], "nobody") != 0)
            put_plan(self, given[i % 5]);
        if (mine)
            apply(self, 100, "sub_mine", "pro", mine);
        if (other) /* begun before mine, or after */
            apply(self, i % 2 ? 50 : 150, "sub_other", "slow", other);
        event = event_of(self, type, 200, &subscription, "sub_mine", plan, told);
        assert_ok(dreamd_plan_after(self->db, &event, self->arena, &foreseen));
        assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
        assert_int_equal(outcome, DREAMD_EVENT_APPLIED);
        if (strcmp(foreseen, in_force(self)) != 0)
            fail_msg("case %d: foreseen %s, came %s", i, foreseen, in_force(self));
        count++;
    }
    assert_ok(dreamd_db_script(self->db, "COMMIT;"));
    assert_int_equal(count, 1800);
}

static void test_after__a_nameless_subscription_gives_way(void **state)
{
    const store_case *self = *state;
    const char *foreseen = NULL;
    dreamd_subscription subscription;
    dreamd_event event;

    (void)snprintf(user, sizeof user, "user_a");
    apply(self, 100, "", "pro", "active");
    event = event_of(self, UPDATED, 200, &subscription, "sub_1", "enterprise", "canceled");
    assert_ok(dreamd_plan_after(self->db, &event, self->arena, &foreseen));
    assert_string_equal(foreseen, "free");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_in_force__a_running_subscription_outranks_the_stored_plan),
        CASE(test_after__is_what_comes_of_the_event),
        CASE(test_after__a_nameless_subscription_gives_way),
    };

    return cmocka_run_group_tests_name("plans", tests, NULL, NULL);
}
