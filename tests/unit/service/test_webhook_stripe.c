/* SPDX-License-Identifier: Apache-2.0 */
/* test_webhook_stripe.c - whose events are applied, and what the identity provider is told of the plan. Events that cross are
 * test_service.c's, orders test_shop.c's. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "service/store/customers.h"
#include "service/store/plans.h"
#include "service/store/subscriptions.h"
#include "service/store/tiers.h"

#define UPDATED "customer.subscription.updated"
#define DELETED "customer.subscription.deleted"
#define EVENT_WITH(id, created, type, subscription, status, metadata)                                                  \
    "{\"id\":\"" id "\",\"created\":" created ",\"livemode\":true,\"account\":\"acct_a\",\"type\":\"" type             \
    "\",\"data\":{\"object\":{\"id\":\"" subscription "\",\"status\":\"" status                                        \
    "\",\"customer\":\"cus_9\",\"metadata\":{\"userId\":\"user_1\"" metadata "}}}}"
#define TIER(tier) ",\"tier\":\"" tier "\""
#define KEY(key) ",\"publishableKey\":\"" key "\""
#define EVENT(id, created, type, subscription, status, tier)                                                           \
    EVENT_WITH(id, created, type, subscription, status, TIER(tier) KEY(STAGE_PK))
#define USER(metadata) "{\"id\":\"user_1\",\"public_metadata\":{" metadata "}}"
#define OWN(plan) USER("\"publishableKey\":\"" STAGE_PK "\",\"plan\":\"" plan "\"")
#define GET_USER "GET /v1/users/user_1"
#define PATCH_USER "PATCH /v1/users/user_1/metadata"

static dreamd_db_status fill(dreamd_db *db, void *arg)
{
    static const char *const names[] = { "free", "pro", "Max" };
    dreamd_db_status status = DREAMD_DB_OK;

    (void)arg;
    for (size_t i = 0; status == DREAMD_DB_OK && i < sizeof names / sizeof names[0]; i++) {
        dreamd_tier tier = DREAMD_TIER_INIT;

        tier.name = names[i];
        tier.limit = 5;
        status = dreamd_tier_insert(db, &stage_project, &tier, 1);
    }
    return status;
}

static int begin(void **state)
{
    (void)state;
    return stage_begin(fill);
}

static int end(void **state)
{
    (void)state;
    return stage_end();
}

/* ---- the store ---- */

struct stored {
    bool has_customer;
    char plan[64]; /* in force; "" if nothing says */
};

static dreamd_db_status read_stored(dreamd_db *db, void *arg)
{
    struct stored *stored = arg;
    dream_arena *arena = dream_arena_new();
    dreamd_customer customer;
    const char *plan = NULL;
    dreamd_db_status status =
        dreamd_customer_find(db, &stage_project, "user_1", arena, &customer, &stored->has_customer);

    if (status == DREAMD_DB_OK)
        status = dreamd_plan_in_force(db, &stage_project, "user_1", arena, &plan);
    (void)snprintf(stored->plan, sizeof stored->plan, "%s", plan ? plan : "");
    dream_arena_free(arena);
    return status;
}

static struct stored look(void)
{
    struct stored stored = { .has_customer = false };

    assert_int_equal(dreamd_store_read_now(stage_store, read_stored, &stored), DREAMD_DB_OK);
    return stored;
}

static dreamd_db_status put_customer(dreamd_db *db, void *arg)
{
    dreamd_customer customer = { .user_id = "user_1", .plan = arg };

    return dreamd_customer_put(db, &stage_project, &customer, 1);
}

static void store_customer(const char *plan)
{
    char copy[64];

    (void)snprintf(copy, sizeof copy, "%s", plan ? plan : "");
    assert_int_equal(dreamd_store_write_now(stage_store, put_customer, plan ? copy : NULL), DREAMD_DB_OK);
}

static void pass(const char *event)
{
    stage_answer answer = stage_deliver(event);

    assert_string_equal(answer.body, "{\"received\":true}");
    assert_int_equal(answer.status, 200);
}

/* Delivers an event about a user with this metadata; the last call told the provider this plan. */
static void pass_and_tell(const char *event, const char *user, const char *plan)
{
    char member[80];
    int before = stage_call_count();

    stage_tell(GET_USER, 200, user);
    stage_tell(PATCH_USER, 200, user);
    pass(event);
    assert_int_equal(stage_call_count(), before + 2);
    assert_string_equal(stage_call(before + 1), PATCH_USER);
    (void)snprintf(member, sizeof member, "\"plan\":\"%s\"", plan);
    assert_non_null(strstr(stage_call_body(before + 1), member));
    assert_string_equal(look().plan, plan);
}

/* ---- whose the user is ---- */

static void test_webhook__a_user_of_no_project_is_not_claimed_by_an_event(void **state)
{
    (void)state;
    stage_tell(GET_USER, 200, USER(""));
    pass(EVENT("evt_1", "100", UPDATED, "sub_1", "active", "pro"));
    assert_int_equal(stage_call_count(), 1);
    assert_false(look().has_customer);
}

static void test_webhook__a_user_of_no_project_is_claimed_if_stored_as_a_customer(void **state)
{
    (void)state;
    store_customer(NULL);
    pass_and_tell(EVENT("evt_1", "100", UPDATED, "sub_1", "active", "pro"), USER(""), "pro");
    assert_non_null(strstr(stage_call_body(1), "\"publishableKey\":\"" STAGE_PK "\""));
}

static void test_webhook__a_user_of_another_project_is_not_claimed_even_if_stored(void **state)
{
    (void)state;
    store_customer("free");
    stage_tell(GET_USER, 200, USER("\"publishableKey\":\"pk_live_x\""));
    pass(EVENT("evt_1", "100", UPDATED, "sub_1", "active", "pro"));
    assert_int_equal(stage_call_count(), 1);
    assert_string_equal(look().plan, "free");
}

static void test_webhook__an_event_without_a_project_is_about_the_users(void **state)
{
    (void)state;
    pass_and_tell(EVENT_WITH("evt_1", "100", UPDATED, "sub_1", "active", TIER("pro")), OWN("free"), "pro");
}

/* ---- users who are gone ---- */

static void test_webhook__the_end_of_what_a_stranger_had_makes_no_customer(void **state)
{
    (void)state;
    pass(EVENT("evt_1", "100", DELETED, "sub_1", "canceled", "pro"));
    assert_int_equal(stage_call_count(), 1);
    assert_false(look().has_customer);
    assert_string_equal(stage_deliver(EVENT("evt_1", "100", DELETED, "sub_1", "canceled", "pro")).body,
                        "{\"received\":true,\"idempotent\":true}");
}

static void test_webhook__the_end_of_what_a_customer_had_counts_without_the_user(void **state)
{
    (void)state;
    pass_and_tell(EVENT("evt_1", "100", UPDATED, "sub_1", "active", "pro"), OWN("free"), "pro");
    pass(EVENT("evt_2", "200", DELETED, "sub_1", "canceled", "pro"));
    assert_string_equal(look().plan, "free");
}

static void test_webhook__a_beginning_for_a_user_who_is_unknown_is_delivered_again(void **state)
{
    (void)state;
    assert_int_equal(stage_deliver(EVENT("evt_1", "100", UPDATED, "sub_1", "active", "pro")).status, 500);
    assert_false(look().has_customer);
}

/* ---- the plan ---- */

static void test_webhook__the_provider_is_told_the_plan_that_is_left(void **state)
{
    static const char user[] = OWN("free");

    (void)state;
    pass_and_tell(EVENT("evt_1", "100", UPDATED, "sub_1", "active", "pro"), user, "pro");
    pass_and_tell(EVENT("evt_2", "200", UPDATED, "sub_2", "trialing", "max"), user, "Max");
    /* An older subscription's news changes nothing while a newer one runs. */
    pass_and_tell(EVENT("evt_3", "300", UPDATED, "sub_1", "active", "free"), user, "Max");
    pass_and_tell(EVENT("evt_4", "400", UPDATED, "sub_1", "active", "pro"), user, "Max");
    pass_and_tell(EVENT("evt_5", "500", DELETED, "sub_2", "canceled", "max"), user, "pro");
    pass_and_tell(EVENT("evt_6", "600", UPDATED, "sub_1", "past_due", "pro"), user, "free");
    pass_and_tell(EVENT("evt_7", "700", UPDATED, "sub_1", "active", "PRO"), user, "pro");
    pass_and_tell(EVENT("evt_8", "800", DELETED, "sub_1", "canceled", "pro"), user, "free");
}

static void test_webhook__what_was_not_paid_for_takes_no_plan_that_was_given(void **state)
{
    static const char *const statuses[] = { "incomplete", "past_due", "unpaid" };

    (void)state;
    store_customer("Max");
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        char event[600];

        (void)snprintf(event, sizeof event, EVENT("evt_%zu", "100", UPDATED, "sub_1", "%s", "pro"), i, statuses[i]);
        pass_and_tell(event, OWN("Max"), "Max");
    }
    pass_and_tell(EVENT("evt_end", "100", DELETED, "sub_1", "canceled", "pro"), OWN("Max"), "free");
}

static void test_webhook__a_plan_that_is_no_tier_is_only_recorded(void **state)
{
    static const char user[] = OWN("free");

    (void)state;
    pass_and_tell(EVENT("evt_1", "100", UPDATED, "sub_1", "active", "pro"), user, "pro");
    pass(EVENT("evt_2", "200", UPDATED, "sub_1", "active", "nope"));
    pass(EVENT("evt_3", "200", UPDATED, "sub_2", "trialing", "nope"));
    assert_int_equal(stage_call_count(), 2);
    assert_string_equal(look().plan, "pro");
    assert_string_equal(stage_deliver(EVENT("evt_2", "200", UPDATED, "sub_1", "active", "nope")).body,
                        "{\"received\":true,\"idempotent\":true}");
    /* A tier that is no more does not keep a subscription from ending. */
    pass_and_tell(EVENT("evt_4", "300", DELETED, "sub_1", "canceled", "nope"), user, "free");
}

static void test_webhook__a_plan_that_is_no_tier_of_the_users_project_is_only_recorded(void **state)
{
    (void)state;
    stage_tell(GET_USER, 200, OWN("free"));
    pass(EVENT_WITH("evt_1", "100", UPDATED, "sub_1", "active", TIER("nope")));
    assert_int_equal(stage_call_count(), 1);
    assert_false(look().has_customer);
}

#define DEBIT(id, created, type, status)                                                                               \
    "{\"id\":\"" id "\",\"created\":" created                                                                          \
    ",\"livemode\":true,\"account\":\"acct_a\",\"type\":\"checkout.session." type                                      \
    "\",\"data\":{\"object\":{\"id\":\"cs_1\",\"mode\":\"subscription\",\"payment_status\":\"" status                  \
    "\",\"subscription\":\"sub_1\",\"client_reference_id\":\"user_1\",\"metadata\":{\"tier\":\"pro\"" KEY(             \
        STAGE_PK) "}}}}"

static void test_webhook__a_debited_subscription_follows_its_payment(void **state)
{
    static const char user[] = OWN("free");

    (void)state;
    pass_and_tell(DEBIT("evt_1", "100", "completed", "unpaid"), user, "free");
    pass_and_tell(DEBIT("evt_2", "500", "async_payment_succeeded", "paid"), user, "pro");
    pass_and_tell(EVENT("evt_3", "600", UPDATED, "sub_1", "active", "pro"), user, "pro");
    pass_and_tell(DEBIT("evt_4", "700", "async_payment_failed", "unpaid"), user, "free");
    pass_and_tell(EVENT("evt_5", "800", UPDATED, "sub_1", "active", "pro"), user, "pro");
    pass_and_tell(EVENT("evt_6", "900", DELETED, "sub_1", "canceled", "pro"), user, "free");
    pass_and_tell(DEBIT("evt_7", "950", "async_payment_succeeded", "paid"), user, "free");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_webhook__a_user_of_no_project_is_not_claimed_by_an_event),
        CASE(test_webhook__a_user_of_no_project_is_claimed_if_stored_as_a_customer),
        CASE(test_webhook__a_user_of_another_project_is_not_claimed_even_if_stored),
        CASE(test_webhook__an_event_without_a_project_is_about_the_users),
        CASE(test_webhook__the_end_of_what_a_stranger_had_makes_no_customer),
        CASE(test_webhook__the_end_of_what_a_customer_had_counts_without_the_user),
        CASE(test_webhook__a_beginning_for_a_user_who_is_unknown_is_delivered_again),
        CASE(test_webhook__the_provider_is_told_the_plan_that_is_left),
        CASE(test_webhook__what_was_not_paid_for_takes_no_plan_that_was_given),
        CASE(test_webhook__a_plan_that_is_no_tier_is_only_recorded),
        CASE(test_webhook__a_plan_that_is_no_tier_of_the_users_project_is_only_recorded),
        CASE(test_webhook__a_debited_subscription_follows_its_payment),
    };

    return cmocka_run_group_tests_name("webhook_stripe", tests, NULL, NULL);
}
