/* SPDX-License-Identifier: Apache-2.0 */
/* test_subscriptions.c - events twice, late, out of order, and what is left of them. */
#include "store_case.h"

#include <stdio.h>
#include <string.h>

#define CHECKOUT "checkout.session.completed"
#define PAID_LATER "checkout.session.async_payment_succeeded"
#define NOT_PAID "checkout.session.async_payment_failed"
#define CREATED "customer.subscription.created"
#define UPDATED "customer.subscription.updated"
#define DELETED "customer.subscription.deleted"
#define USER "user_a"

typedef struct step {
    const char *event_id;
    const char *type;
    int64_t created_s;
    const char *subscription_id;
    const char *plan;
    const char *status;
    dreamd_event_outcome outcome;
} step;

static dreamd_event event_of(const store_case *self, const step *told, const dreamd_subscription *subscription)
{
    return (dreamd_event){ .source = "stripe-live",
                           .event_id = told->event_id,
                           .type = told->type,
                           .created_s = told->created_s,
                           .payload = "{}",
                           .project = &self->project,
                           .subscription = subscription };
}

static void play(const store_case *self, const step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dreamd_event_outcome looked, applied;
        dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
        subscription.user_id = USER;
        subscription.subscription_id = steps[i].subscription_id;
        subscription.plan = steps[i].plan;
        subscription.status = steps[i].status;
        dreamd_event event = event_of(self, &steps[i], &subscription);
        assert_ok(dreamd_event_look(self->db, &event, &looked));
        assert_ok(dreamd_event_apply(self->db, &event, T0, &applied));
        assert_int_equal(looked, applied);
        if (applied != steps[i].outcome)
            fail_msg("step %zu (%s): outcome %d", i, steps[i].event_id, (int)applied);
    }
    assert_int_equal(violations_of(self->db, T0), 0);
}
#define PLAY(self, ...)                                                                                                \
    play((self), (const step[]){ __VA_ARGS__ }, sizeof((const step[]){ __VA_ARGS__ }) / sizeof(step))

static dreamd_subscription find(const store_case *self)
{
    dreamd_subscription found;
    bool is_found = false;
    assert_ok(dreamd_subscription_find(self->db, &self->project, USER, self->arena, &found, &is_found));
    assert_true(is_found);
    return found;
}

static const char *plan_of(const store_case *self, const char *token_plan)
{
    dreamd_usage_request request = request_of(self, USER, T0);
    request.token_plan = token_plan;
    dreamd_usage_result result = read_usage(self, &request);
    return dream_arena_strdup(self->arena, result.plan);
}

static void test_event__second_delivery_is_a_duplicate(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CREATED, 100, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED },
         { "evt_1", CREATED, 100, "sub_1", "enterprise", "active", DREAMD_EVENT_DUPLICATE });
    assert_string_equal(find(self).plan, "pro");
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM events"), 1);
}

static void test_event__same_id_from_another_source_is_another_event(void **state)
{
    store_case *self = *state;
    dreamd_event_outcome outcome;
    dreamd_event event = { .source = "stripe-live", .event_id = "evt_1", .type = "x", .project = &self->project };
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    event.source = "stripe-test";
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    assert_int_equal(outcome, DREAMD_EVENT_APPLIED);
}

static void test_event__of_nobody_is_recorded_once(void **state)
{
    store_case *self = *state;
    dreamd_event_outcome outcome;
    const dreamd_event event = { .source = "stripe-live", .event_id = "evt_1", .type = "invoice.paid", .created_s = 1 };
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    assert_int_equal(outcome, DREAMD_EVENT_APPLIED);
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    assert_int_equal(outcome, DREAMD_EVENT_DUPLICATE);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_event__older_one_arriving_late_changes_nothing_but_the_history(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_2", UPDATED, 200, "sub_1", "enterprise", "active", DREAMD_EVENT_APPLIED },
         { "evt_1", CREATED, 100, "sub_1", "pro", "incomplete", DREAMD_EVENT_STALE });
    assert_string_equal(find(self).plan, "enterprise");
    assert_string_equal(find(self).status, "active");
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM subscription_events"), 2);
    assert_int_equal(number_of(self->db, "SELECT is_applied FROM subscription_events WHERE event_id = 'evt_1'"), 0);
}

static void test_event__within_a_second_the_type_decides(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_3", DELETED, 100, "sub_1", "free", "canceled", DREAMD_EVENT_APPLIED },
         { "evt_2", UPDATED, 100, "sub_1", "pro", "active", DREAMD_EVENT_STALE },
         { "evt_1", CREATED, 100, "sub_1", "pro", "active", DREAMD_EVENT_STALE },
         { "evt_0", CHECKOUT, 100, "sub_1", "pro", "active", DREAMD_EVENT_STALE });
    assert_string_equal(find(self).status, "canceled");
    assert_string_equal(plan_of(self, "pro"), "free");
}

static void test_event__two_updates_of_one_second_apply_as_they_come(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", UPDATED, 100, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED },
         { "evt_2", UPDATED, 100, "sub_1", "enterprise", "active", DREAMD_EVENT_APPLIED });
    assert_string_equal(find(self).plan, "enterprise");
}

static void test_event__a_beginning_of_the_same_second_counts_if_it_gives_a_plan(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", UPDATED, 100, "sub_1", "enterprise", "active", DREAMD_EVENT_APPLIED },
         { "evt_2", CREATED, 100, "sub_1", "enterprise", "incomplete", DREAMD_EVENT_STALE },
         { "evt_3", CREATED, 100, "sub_1", "pro", "trialing", DREAMD_EVENT_APPLIED });
    assert_string_equal(find(self).plan, "pro");
    PLAY(self, { "evt_4", UPDATED, 100, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED },
         { "evt_5", DELETED, 100, "sub_1", "pro", "canceled", DREAMD_EVENT_APPLIED },
         { "evt_6", CREATED, 100, "sub_1", "pro", "trialing", DREAMD_EVENT_STALE });
    assert_string_equal(find(self).status, "canceled");
}

static void test_event__end_of_an_old_subscription_leaves_the_new_one(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CREATED, 100, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED },
         { "evt_2", CREATED, 200, "sub_2", "enterprise", "active", DREAMD_EVENT_APPLIED },
         { "evt_3", DELETED, 300, "sub_1", "free", "canceled", DREAMD_EVENT_APPLIED });
    assert_string_equal(plan_of(self, "pro"), "enterprise");
    assert_string_equal(find(self).subscription_id, "sub_2");
}

static void test_event__of_two_subscriptions_the_one_begun_last_gives_the_plan(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CREATED, 100, "sub_2", "pro", "active", DREAMD_EVENT_APPLIED },
         { "evt_2", CREATED, 200, "sub_1", "enterprise", "trialing", DREAMD_EVENT_APPLIED },
         { "evt_3", UPDATED, 300, "sub_2", "pro", "active", DREAMD_EVENT_APPLIED }); /* a renewal of the older */
    assert_string_equal(plan_of(self, NULL), "enterprise");
    assert_string_equal(find(self).subscription_id, "sub_1");
    PLAY(self, { "evt_4", DELETED, 400, "sub_1", "free", "canceled", DREAMD_EVENT_APPLIED });
    assert_string_equal(plan_of(self, NULL), "pro");
}

static void test_checkout__does_not_undo_a_trial(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CREATED, 100, "sub_1", "pro", "trialing", DREAMD_EVENT_APPLIED },
         { "evt_2", CHECKOUT, 101, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED });
    assert_string_equal(find(self).status, "trialing");
}

static void test_checkout__without_a_subscription_gives_way_to_a_named_one(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CHECKOUT, 100, "", "pro", "active", DREAMD_EVENT_APPLIED });
    assert_string_equal(plan_of(self, NULL), "pro");
    PLAY(self, { "evt_2", CREATED, 101, "sub_1", "enterprise", "active", DREAMD_EVENT_APPLIED },
         { "evt_3", CHECKOUT, 102, "", "pro", "active", DREAMD_EVENT_STALE });
    assert_string_equal(plan_of(self, NULL), "enterprise");
    PLAY(self, { "evt_4", DELETED, 103, "sub_1", "free", "canceled", DREAMD_EVENT_APPLIED });
    assert_string_equal(plan_of(self, "pro"), "free");
}

static void test_checkout__gives_nothing_before_it_is_paid(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CHECKOUT, 100, "sub_1", "pro", "incomplete", DREAMD_EVENT_APPLIED });
    assert_string_equal(plan_of(self, NULL), "free");
    PLAY(self, { "evt_2", PAID_LATER, 500, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED });
    assert_string_equal(plan_of(self, NULL), "pro");
}

/* Stripe calls a subscription active while its first debit is on the way. */
static void test_checkout__not_paid_yet_takes_nothing_the_subscription_has(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CREATED, 100, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED },
         { "evt_2", CHECKOUT, 101, "sub_1", "pro", "incomplete", DREAMD_EVENT_APPLIED });
    assert_string_equal(find(self).status, "active");
    PLAY(self, { "evt_3", PAID_LATER, 500, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED });
    assert_string_equal(find(self).status, "active");
}

static void test_checkout__whose_payment_failed_takes_the_plan_until_the_subscription_says_otherwise(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CREATED, 100, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED },
         { "evt_2", NOT_PAID, 500, "sub_1", "pro", "incomplete", DREAMD_EVENT_APPLIED });
    assert_string_equal(find(self).status, "past_due");
    assert_string_equal(plan_of(self, "pro"), "free");
    PLAY(self, { "evt_3", UPDATED, 600, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED },
         { "evt_4", NOT_PAID, 550, "sub_1", "pro", "incomplete", DREAMD_EVENT_STALE });
    assert_string_equal(plan_of(self, NULL), "pro");
}

static void test_checkout__whose_payment_failed_changes_no_trial_and_no_end(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CREATED, 100, "sub_1", "pro", "trialing", DREAMD_EVENT_APPLIED },
         { "evt_2", NOT_PAID, 200, "sub_1", "pro", "incomplete", DREAMD_EVENT_APPLIED });
    assert_string_equal(find(self).status, "trialing");
    PLAY(self, { "evt_3", DELETED, 300, "sub_1", "pro", "canceled", DREAMD_EVENT_APPLIED },
         { "evt_4", NOT_PAID, 400, "sub_1", "pro", "incomplete", DREAMD_EVENT_APPLIED });
    assert_string_equal(find(self).status, "canceled");
}

static void test_checkout__paid_after_the_subscriptions_end_revives_nothing(void **state)
{
    store_case *self = *state;
    PLAY(self, { "evt_1", CREATED, 100, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED },
         { "evt_2", DELETED, 200, "sub_1", "pro", "canceled", DREAMD_EVENT_APPLIED },
         { "evt_3", PAID_LATER, 300, "sub_1", "pro", "active", DREAMD_EVENT_APPLIED });
    assert_string_equal(find(self).status, "canceled");
    assert_string_equal(plan_of(self, "pro"), "free");
}

/* One event about sub_1, in this order of arrival. */
typedef struct price_step {
    const char *event_id;
    const char *type;
    int64_t created_s;
    int64_t amount_minor;
    const char *price_id;
    dreamd_event_outcome outcome;
} price_step;

static void tell_price(const store_case *self, const price_step *told)
{
    dreamd_event_outcome outcome;
    dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
    step plain = { told->event_id, told->type, told->created_s, NULL, NULL, NULL, told->outcome };
    dreamd_event event = event_of(self, &plain, &subscription);
    subscription.user_id = USER;
    subscription.subscription_id = "sub_1";
    subscription.plan = "pro";
    subscription.status = "active";
    subscription.amount_minor = told->amount_minor;
    subscription.currency = "usd";
    subscription.price_id = told->price_id;
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    assert_int_equal(outcome, told->outcome);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_checkout__leaves_the_amount_that_the_subscription_told(void **state)
{
    store_case *self = *state;
    tell_price(self, &(price_step){ "evt_1", CREATED, 100, 2900, "price_1", DREAMD_EVENT_APPLIED });
    tell_price(self, &(price_step){ "evt_2", CHECKOUT, 101, 0, NULL, DREAMD_EVENT_APPLIED });
    assert_int_equal(find(self).amount_minor, 2900);
    assert_int_equal(number_of(self->db, "SELECT amount_minor FROM subscription_events WHERE event_id = 'evt_2'"), 0);
}

static void test_checkout__gives_its_amount_until_the_subscription_tells_one_however_late(void **state)
{
    store_case *self = *state;
    tell_price(self, &(price_step){ "evt_3", CHECKOUT, 102, 0, NULL, DREAMD_EVENT_APPLIED });
    assert_int_equal(find(self).amount_minor, 0);
    tell_price(self, &(price_step){ "evt_2", UPDATED, 101, 2900, "price_2", DREAMD_EVENT_STALE });
    assert_int_equal(find(self).amount_minor, 2900);
    assert_string_equal(find(self).price_id, "price_2");
    /* Older than what told it. */
    tell_price(self, &(price_step){ "evt_1", CREATED, 100, 900, "price_1", DREAMD_EVENT_STALE });
    assert_int_equal(find(self).amount_minor, 2900);
    tell_price(self, &(price_step){ "evt_4", UPDATED, 103, 9900, "price_4", DREAMD_EVENT_APPLIED });
    assert_int_equal(find(self).amount_minor, 9900);
}

static void test_event__untold_fields_keep_what_is_stored(void **state)
{
    store_case *self = *state;
    dreamd_event_outcome outcome;
    dreamd_subscription full = { .user_id = USER,
                                 .subscription_id = "sub_1",
                                 .stripe_customer_id = "cus_1",
                                 .plan = "pro",
                                 .status = "active",
                                 .price_id = "price_1",
                                 .product_id = "prod_1",
                                 .currency = "usd",
                                 .cancel_reason = "too dear",
                                 .amount_minor = 2900,
                                 .current_period_end_ms = T0 + 30 * DAY,
                                 .canceled_at_ms = T0 };
    dreamd_subscription bare = DREAMD_SUBSCRIPTION_INIT;
    bare.user_id = USER;
    bare.subscription_id = "sub_1";
    bare.status = "past_due";
    dreamd_event event = { .source = "stripe-live",
                           .event_id = "evt_1",
                           .type = UPDATED,
                           .created_s = 1,
                           .project = &self->project,
                           .subscription = &full };
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    event.event_id = "evt_2";
    event.subscription = &bare;
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    dreamd_subscription found = find(self);
    assert_string_equal(found.status, "past_due");
    assert_string_equal(found.plan, "pro");
    assert_string_equal(found.stripe_customer_id, "cus_1");
    assert_string_equal(found.price_id, "price_1");
    assert_string_equal(found.product_id, "prod_1");
    assert_string_equal(found.currency, "usd");
    assert_string_equal(found.cancel_reason, "too dear");
    assert_int_equal(found.amount_minor, 2900);
    assert_int_equal(found.current_period_end_ms, T0 + 30 * DAY);
    assert_int_equal(found.canceled_at_ms, T0);
    bare.canceled_at_ms = 0; /* told: not canceled any more */
    event.event_id = "evt_3";
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    assert_int_equal(find(self).canceled_at_ms, 0);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_event__refuses_a_plan_that_does_not_fit_and_leaves_nothing(void **state)
{
    store_case *self = *state;
    char plan[DREAMD_PLAN_SIZE + 1];
    dreamd_event_outcome outcome;
    dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
    memset(plan, 'x', DREAMD_PLAN_SIZE);
    plan[DREAMD_PLAN_SIZE] = '\0';
    subscription.user_id = USER;
    subscription.subscription_id = "sub_1";
    subscription.status = "active";
    subscription.plan = plan;
    dreamd_event event = { .source = "stripe-live",
                           .event_id = "evt_1",
                           .type = UPDATED,
                           .project = &self->project,
                           .subscription = &subscription };
    assert_ok(dreamd_db_begin(self->db));
    assert_int_equal(dreamd_event_apply(self->db, &event, T0, &outcome), DREAMD_DB_CONFLICT);
    dreamd_db_rollback(self->db);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM events"), 0);
}

static void test_find__nobody_subscribed(void **state)
{
    store_case *self = *state;
    dreamd_subscription found;
    bool is_found = true;
    assert_ok(dreamd_subscription_find(self->db, &self->project, USER, self->arena, &found, &is_found));
    assert_false(is_found);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_event__second_delivery_is_a_duplicate),
        CASE(test_event__same_id_from_another_source_is_another_event),
        CASE(test_event__of_nobody_is_recorded_once),
        CASE(test_event__older_one_arriving_late_changes_nothing_but_the_history),
        CASE(test_event__within_a_second_the_type_decides),
        CASE(test_event__two_updates_of_one_second_apply_as_they_come),
        CASE(test_event__a_beginning_of_the_same_second_counts_if_it_gives_a_plan),
        CASE(test_event__end_of_an_old_subscription_leaves_the_new_one),
        CASE(test_event__of_two_subscriptions_the_one_begun_last_gives_the_plan),
        CASE(test_checkout__does_not_undo_a_trial),
        CASE(test_checkout__without_a_subscription_gives_way_to_a_named_one),
        CASE(test_checkout__gives_nothing_before_it_is_paid),
        CASE(test_checkout__not_paid_yet_takes_nothing_the_subscription_has),
        CASE(test_checkout__whose_payment_failed_takes_the_plan_until_the_subscription_says_otherwise),
        CASE(test_checkout__whose_payment_failed_changes_no_trial_and_no_end),
        CASE(test_checkout__paid_after_the_subscriptions_end_revives_nothing),
        CASE(test_checkout__leaves_the_amount_that_the_subscription_told),
        CASE(test_checkout__gives_its_amount_until_the_subscription_tells_one_however_late),
        CASE(test_event__untold_fields_keep_what_is_stored),
        CASE(test_event__refuses_a_plan_that_does_not_fit_and_leaves_nothing),
        CASE(test_find__nobody_subscribed),
    };
    return cmocka_run_group_tests_name("subscriptions", tests, NULL, NULL);
}
