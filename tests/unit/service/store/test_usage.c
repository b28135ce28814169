/* SPDX-License-Identifier: Apache-2.0 */
/* test_usage.c - limits, rates, periods and plans, one connection at a time. That they hold between threads and processes is
 * test_store.c. */
#include "store_case.h"

#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"

static void subscribe(const store_case *self, const char *user, const char *plan, const char *status)
{
    static int number;
    char id[32];
    dreamd_event_outcome outcome;
    dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
    (void)snprintf(id, sizeof id, "evt_%d", ++number);
    subscription.user_id = user;
    subscription.subscription_id = "sub_1";
    subscription.plan = plan;
    subscription.status = status;
    dreamd_event event = { .source = "stripe-live",
                           .event_id = id,
                           .type = "customer.subscription.updated",
                           .created_s = T0 / 1000 + number,
                           .project = &self->project,
                           .subscription = &subscription };
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    assert_int_equal(outcome, DREAMD_EVENT_APPLIED);
}

/* ---- the limit ---- */

static void test_admit__first_use_counts_one_and_begins_a_period(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    dreamd_usage_result result = admit(self, &request);
    assert_int_equal(result.outcome, DREAMD_USAGE_OK);
    assert_string_equal(result.plan, "free");
    assert_int_equal(result.used, 1);
    assert_int_equal(result.limit, 5);
    assert_int_equal(result.rate_limit, 100);
    assert_int_equal(result.period_start_day, dream_day_of_ms(T0));
    assert_int_equal(result.period_end_day, dream_day_of_ms(T0) + 29);
}

static void test_admit__refuses_beyond_the_limit_and_counts_nothing(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(admit(self, &request).used, i);
    dreamd_usage_result refused = admit(self, &request);
    assert_int_equal(refused.outcome, DREAMD_USAGE_LIMIT);
    assert_int_equal(refused.used, 5);
    assert_int_equal(refused.limit, 5);
    assert_int_equal(refused.retry_after_ms, 0);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), 5);
    assert_int_equal(number_of(self->db, "SELECT SUM(used) FROM usage_daily"), 5);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_admit__takes_all_units_or_none(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.units = 3;
    assert_int_equal(admit(self, &request).used, 3);
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_LIMIT);
    request.units = 2;
    assert_int_equal(admit(self, &request).used, 5);
}

static void test_admit__units_must_be_from_1_to_the_largest_json_integer(void **state)
{
    store_case *self = *state;
    static const int64_t bad[] = { 0, -1, INT64_MIN, INT64_C(9007199254740992), INT64_MAX };
    dreamd_usage_result result;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        request.units = bad[i];
        assert_int_equal(dreamd_usage_admit(self->db, &request, &result), DREAMD_DB_CONFLICT);
    }
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM rate_windows"), 0);
}

static void test_admit__unlimited_counts_on_to_the_most_that_can_be_said(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "enterprise";
    request.units = INT64_C(3002399751580330); /* a third, rounded down */
    for (int i = 1; i <= 3; i++) {
        dreamd_usage_result result = admit(self, &request);
        assert_int_equal(result.outcome, DREAMD_USAGE_OK);
        assert_int_equal(result.limit, DREAMD_UNLIMITED);
        assert_int_equal(result.used, i * request.units);
    }
    request.units = 2;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_LIMIT);
    request.units = 1;
    assert_int_equal(admit(self, &request).used, DREAMD_COUNT_MAX);
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_LIMIT);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_admit__held_and_lost_units_count_against_the_limit(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    assert_int_equal(admit(self, &request).used, 1);
    assert_ok(dreamd_db_script(self->db, "UPDATE usage_counts SET held = 3, lost = 1"));
    dreamd_usage_result result = admit(self, &request);
    assert_int_equal(result.outcome, DREAMD_USAGE_HELD);
    assert_int_equal(result.held, 3);
    assert_int_equal(result.lost, 1);
    assert_true(result.retry_after_ms > 0);
    request.units = 4; /* would not fit without the held ones either */
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_LIMIT);
}

/* ---- periods ---- */

static void test_admit__last_day_of_a_period_still_counts_into_it(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    (void)admit(self, &request);
    request.now_ms = T0 + 29 * DAY;
    dreamd_usage_result result = admit(self, &request);
    assert_int_equal(result.used, 2);
    assert_int_equal(result.period_start_day, dream_day_of_ms(T0));
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_daily"), 2);
}

static void test_admit__rolls_over_after_the_last_day(void **state)
{
    store_case *self = *state;
    static const char *const plans[] = { "free", "enterprise" };
    for (size_t i = 0; i < 2; i++) {
        dreamd_usage_request request = request_of(self, plans[i], T0);
        request.token_plan = plans[i];
        request.units = 5;
        (void)admit(self, &request);
        request.now_ms = T0 + 30 * DAY;
        request.units = 1;
        dreamd_usage_result result = admit(self, &request);
        assert_int_equal(result.outcome, DREAMD_USAGE_OK);
        assert_int_equal(result.used, 1);
        assert_int_equal(result.period_start_day, dream_day_of_ms(T0) + 30);
    }
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts WHERE used = 5"), 2);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_admit__clock_going_back_does_not_open_an_older_period(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0 + 40 * DAY);
    (void)admit(self, &request);
    request.now_ms = T0;
    dreamd_usage_result result = admit(self, &request);
    assert_int_equal(result.used, 2);
    assert_int_equal(result.period_start_day, dream_day_of_ms(T0) + 40);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_read__shows_a_new_period_once_the_old_is_over_and_writes_none(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    (void)admit(self, &request);
    assert_int_equal(read_usage(self, &request).used, 1);
    request.now_ms = T0 + 30 * DAY;
    dreamd_usage_result result = read_usage(self, &request);
    assert_int_equal(result.used, 0);
    assert_int_equal(result.period_start_day, dream_day_of_ms(T0) + 30);
    assert_int_equal(result.period_end_day, dream_day_of_ms(T0) + 59);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts"), 1);
}

static void test_read__unknown_user_has_used_nothing_and_is_not_made(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    dreamd_usage_result result = read_usage(self, &request);
    assert_int_equal(result.outcome, DREAMD_USAGE_OK);
    assert_int_equal(result.used, 0);
    assert_int_equal(result.limit, 5);
    assert_int_equal(result.period_start_day, dream_day_of_ms(T0));
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM customers"), 0);
}

/* ---- plans ---- */

typedef struct plan_row {
    const char *what;
    const char *subscribed, *status; /* NULL: none */
    const char *stored;
    const char *token;
    const char *plan;
    int64_t limit;
} plan_row;

static const plan_row plan_rows[] = {
    { "nothing known", NULL, NULL, NULL, NULL, "free", 5 },
    { "empty token plan", NULL, NULL, NULL, "", "free", 5 },
    { "token", NULL, NULL, NULL, "pro", "pro", 100 },
    { "stored before token", NULL, NULL, "pro", "enterprise", "pro", 100 },
    { "active before stored", "pro", "active", "enterprise", "free", "pro", 100 },
    { "trialing before stored", "pro", "trialing", "free", "free", "pro", 100 },
    { "past_due gives nothing", "pro", "past_due", NULL, "free", "free", 5 },
    { "past_due is not revived by an old token", "pro", "past_due", NULL, "pro", "free", 5 },
    { "past_due leaves another stored plan", "pro", "past_due", "enterprise", "free", "enterprise", DREAMD_UNLIMITED },
    { "canceled is free whatever was stored", "pro", "canceled", "enterprise", "enterprise", "free", 5 },
    { "incomplete takes nothing away", "pro", "incomplete", "pro", "free", "pro", 100 },
    { "unknown word gives nothing", "pro", "on_holiday", NULL, "pro", "free", 5 },
    { "plan without a tier", NULL, NULL, NULL, "platinum", "platinum", 0 },
    { "case is ignored, spelling kept", NULL, NULL, NULL, "PRO", "PRO", 100 },
    { "stored spelling kept", NULL, NULL, "Pro", NULL, "Pro", 100 },
};

static void test_plan__first_source_that_says_something_wins(void **state)
{
    store_case *self = *state;
    for (size_t i = 0; i < sizeof plan_rows / sizeof plan_rows[0]; i++) {
        const plan_row *row = &plan_rows[i];
        dreamd_customer customer = { .user_id = row->what, .plan = row->stored };
        dreamd_usage_request request = request_of(self, row->what, T0);
        request.token_plan = row->token;
        assert_ok(dreamd_customer_put(self->db, &self->project, &customer, T0));
        if (row->subscribed)
            subscribe(self, row->what, row->subscribed, row->status);
        dreamd_usage_result result = read_usage(self, &request);
        if (strcmp(result.plan, row->plan) != 0 || result.limit != row->limit)
            fail_msg("%s: plan %s, limit %lld", row->what, result.plan, (long long)result.limit);
    }
}

static void test_plan__exact_name_is_used_where_no_lower_case_one_is(void **state)
{
    store_case *self = *state;
    dreamd_tier gold = DREAMD_TIER_INIT;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    gold.name = "GOLD";
    gold.limit = 7;
    assert_ok(dreamd_tier_insert(self->db, &self->project, &gold, T0));
    request.token_plan = "GOLD";
    assert_int_equal(read_usage(self, &request).limit, 7);
    request.token_plan = "gold";
    assert_int_equal(read_usage(self, &request).limit, 0);
    gold.name = "gold";
    gold.limit = 8;
    assert_ok(dreamd_tier_insert(self->db, &self->project, &gold, T0));
    request.token_plan = "GOLD";
    assert_int_equal(read_usage(self, &request).limit, 8);
}

static void test_plan__without_a_tier_admits_nothing(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "platinum";
    dreamd_usage_result result = admit(self, &request);
    assert_int_equal(result.outcome, DREAMD_USAGE_LIMIT);
    assert_int_equal(result.used, 0);
    assert_int_equal(result.limit, 0);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_plan__too_long_in_a_token_is_cut_between_characters_and_has_no_tier(void **state)
{
    store_case *self = *state;
    char plan[400];
    dreamd_usage_request request = request_of(self, "user_a", T0);
    memset(plan, 'x', 126);
    (void)snprintf(plan + 126, sizeof plan - 126, "\xc3\xa4 and more");
    request.token_plan = plan;
    dreamd_usage_result result = read_usage(self, &request);
    assert_int_equal(strlen(result.plan), 126); /* 127 would be half an ä */
    assert_int_equal(result.limit, 0);
}

static void test_plan__changing_it_keeps_the_count(void **state)
{
    store_case *self = *state;
    bool is_found = false;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    for (int i = 0; i < 5; i++)
        (void)admit(self, &request);
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_LIMIT);
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "pro", T0, &is_found));
    assert_true(is_found);
    dreamd_usage_result up = admit(self, &request);
    assert_int_equal(up.outcome, DREAMD_USAGE_OK);
    assert_int_equal(up.used, 6);
    assert_ok(dreamd_customer_set_plan(self->db, &self->project, "user_a", "free", T0, &is_found));
    dreamd_usage_result down = admit(self, &request);
    assert_int_equal(down.outcome, DREAMD_USAGE_LIMIT);
    assert_int_equal(down.used, 6);
    assert_int_equal(violations_of(self->db, T0), 0); /* what was right under pro stays right */
}

static void test_plan__period_remembers_the_highest_limit_it_was_used_under(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "free";
    (void)admit(self, &request);
    assert_int_equal(number_of(self->db, "SELECT highest_limit FROM usage_counts"), 5);
    request.token_plan = "pro";
    (void)admit(self, &request);
    assert_int_equal(number_of(self->db, "SELECT highest_limit FROM usage_counts"), 100);
    request.token_plan = "free";
    (void)admit(self, &request);
    assert_int_equal(number_of(self->db, "SELECT highest_limit FROM usage_counts"), 100);
}

/* ---- meters ---- */

static void test_meter__each_has_its_own_limit_and_count(void **state)
{
    store_case *self = *state;
    static const struct {
        const char *meter;
        int64_t limit;
    } rows[] = {
        { NULL, 10 }, { "tokens", 50 }, { "images", DREAMD_UNLIMITED }, { "odd", 0 }, { "absent", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dreamd_usage_request request = request_of(self, "user_a", T0);
        request.token_plan = "metered";
        request.meter = rows[i].meter;
        dreamd_usage_result result = admit(self, &request);
        assert_int_equal(result.limit, rows[i].limit);
        assert_int_equal(result.used, rows[i].limit > 0);
    }
    assert_int_equal(violations_of(self->db, T0), 0);
}

/* ---- the rate ---- */

static void test_rate__is_exact_and_ends_with_the_minute(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "slow";
    for (int i = 0; i < 3; i++)
        assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    request.now_ms = T0 + 49999; /* the last millisecond of the minute */
    dreamd_usage_result refused = admit(self, &request);
    assert_int_equal(refused.outcome, DREAMD_USAGE_RATE_LIMITED);
    assert_int_equal(refused.retry_after_ms, 1);
    assert_int_equal(refused.rate_limit, 3);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), 3);
    request.now_ms = T0 + 50000;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
}

static void test_rate__refused_calls_do_not_use_up_anything(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "slow";
    for (int i = 0; i < 20; i++)
        (void)admit(self, &request);
    assert_int_equal(number_of(self->db, "SELECT calls FROM rate_windows"), 3);
}

static void test_rate__reads_and_other_calls_share_it(void **state)
{
    store_case *self = *state;
    dreamd_usage_result result;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "slow";
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    assert_int_equal(read_usage(self, &request).outcome, DREAMD_USAGE_OK);
    assert_ok(dreamd_rate_take(self->db, &request, &result));
    assert_int_equal(result.outcome, DREAMD_USAGE_OK);
    assert_ok(dreamd_rate_take(self->db, &request, &result));
    assert_int_equal(result.outcome, DREAMD_USAGE_RATE_LIMITED);
    assert_int_equal(read_usage(self, &request).outcome, DREAMD_USAGE_RATE_LIMITED);
    request.user_id = "user_b";
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
}

static void test_rate__refusals_by_the_limit_count_against_it(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    for (int i = 0; i < 100; i++)
        assert_int_not_equal(admit(self, &request).outcome, DREAMD_USAGE_RATE_LIMITED);
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_RATE_LIMITED);
}

static void test_rate__none_counts_no_calls(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "enterprise";
    for (int i = 0; i < 150; i++)
        assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM rate_windows"), 0);
}

static void test_rate__zero_lets_nothing_through(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    dreamd_tier shut = DREAMD_TIER_INIT;
    shut.name = "shut";
    shut.rate_limit = 0;
    assert_ok(dreamd_tier_insert(self->db, &self->project, &shut, T0));
    request.token_plan = "shut";
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_RATE_LIMITED);
}

static void test_rate__old_windows_are_removed(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "slow";
    for (int i = 0; i < 60; i++) {
        request.now_ms = T0 + i * MINUTE;
        assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    }
    assert_true(number_of(self->db, "SELECT COUNT(*) FROM rate_windows") <= 6);
}

/* ---- who asks ---- */

static void test_admit__server_side_refuses_a_user_nobody_knows_and_writes_nothing(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_x", T0);
    request.is_server_side = true;
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_NO_CUSTOMER);
    assert_int_equal(read_usage(self, &request).outcome, DREAMD_USAGE_NO_CUSTOMER);
    assert_int_equal(
        number_of(self->db, "SELECT (SELECT COUNT(*) FROM customers) + (SELECT COUNT(*) FROM rate_windows)"), 0);
    assert_ok(dreamd_customer_ensure(self->db, &self->project, "user_x", NULL, T0));
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
}

static void test_admit__deleted_customer_meters_no_more(void **state)
{
    store_case *self = *state;
    bool is_found = false;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "pro";
    (void)admit(self, &request);
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_a", T0, &is_found));
    assert_true(is_found);
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_DELETED);
    assert_int_equal(read_usage(self, &request).outcome, DREAMD_USAGE_DELETED);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), 1);
}

static void test_admit__keeps_news_of_the_email(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    (void)admit(self, &request);
    assert_int_equal(number_of(self->db, "SELECT email IS NULL FROM customers"), 1);
    request.email = "a@example.test";
    (void)admit(self, &request);
    request.email = NULL;
    (void)admit(self, &request);
    assert_int_equal(number_of(self->db, "SELECT email = 'a@example.test' FROM customers"), 1);
}

static void test_admit__projects_of_a_platform_count_apart(void **state)
{
    store_case *self = *state;
    dreamd_project sibling = self->project;
    dreamd_tier free_tier = DREAMD_TIER_INIT;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    (void)snprintf(sibling.project_id, sizeof sibling.project_id, "prj_2");
    assert_ok(dreamd_project_insert(self->db, &sibling, T0));
    free_tier.name = "free";
    free_tier.limit = 2;
    assert_ok(dreamd_tier_insert(self->db, &sibling, &free_tier, T0));
    (void)admit(self, &request);
    request.project = &sibling;
    dreamd_usage_result result = admit(self, &request);
    assert_int_equal(result.used, 1);
    assert_int_equal(result.limit, 2);
}

/* ---- counts from elsewhere ---- */

static void test_put__sets_the_count_that_requests_then_meet(void **state)
{
    store_case *self = *state;
    int32_t today = dream_day_of_ms(T0);
    dreamd_usage_row row = { .user_id = "user_a", .used = 9, .period_start_day = today, .period_end_day = today + 29 };
    dreamd_usage_request request = request_of(self, "user_a", T0);
    assert_ok(dreamd_usage_put(self->db, &self->project, &row, T0));
    dreamd_usage_result result = admit(self, &request);
    assert_int_equal(result.outcome, DREAMD_USAGE_LIMIT);
    assert_int_equal(result.used, 9);
    row.used = 3;
    assert_ok(dreamd_usage_put(self->db, &self->project, &row, T0));
    assert_int_equal(admit(self, &request).used, 4);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_put__refuses_overlaps_and_numbers_out_of_range(void **state)
{
    store_case *self = *state;
    int32_t today = dream_day_of_ms(T0);
    const dreamd_usage_row first = {
        .user_id = "user_a", .used = 1, .period_start_day = today, .period_end_day = today + 29
    };
    const dreamd_usage_row bad[] = {
        { .user_id = "user_a", .used = 1, .period_start_day = today + 29, .period_end_day = today + 58 },
        { .user_id = "user_a", .used = 1, .period_start_day = today - 29, .period_end_day = today },
        { .user_id = "user_b", .used = -1, .period_start_day = today, .period_end_day = today + 29 },
        { .user_id = "user_b", .used = INT64_MAX, .period_start_day = today, .period_end_day = today + 29 },
        { .user_id = "user_b", .used = 1, .period_start_day = today, .period_end_day = today - 1 },
    };
    assert_ok(dreamd_usage_put(self->db, &self->project, &first, T0));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(dreamd_usage_put(self->db, &self->project, &bad[i], T0), DREAMD_DB_CONFLICT);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts"), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_admit__first_use_counts_one_and_begins_a_period),
        CASE(test_admit__refuses_beyond_the_limit_and_counts_nothing),
        CASE(test_admit__takes_all_units_or_none),
        CASE(test_admit__units_must_be_from_1_to_the_largest_json_integer),
        CASE(test_admit__unlimited_counts_on_to_the_most_that_can_be_said),
        CASE(test_admit__held_and_lost_units_count_against_the_limit),
        CASE(test_admit__last_day_of_a_period_still_counts_into_it),
        CASE(test_admit__rolls_over_after_the_last_day),
        CASE(test_admit__clock_going_back_does_not_open_an_older_period),
        CASE(test_read__shows_a_new_period_once_the_old_is_over_and_writes_none),
        CASE(test_read__unknown_user_has_used_nothing_and_is_not_made),
        CASE(test_plan__first_source_that_says_something_wins),
        CASE(test_plan__exact_name_is_used_where_no_lower_case_one_is),
        CASE(test_plan__without_a_tier_admits_nothing),
        CASE(test_plan__too_long_in_a_token_is_cut_between_characters_and_has_no_tier),
        CASE(test_plan__changing_it_keeps_the_count),
        CASE(test_plan__period_remembers_the_highest_limit_it_was_used_under),
        CASE(test_meter__each_has_its_own_limit_and_count),
        CASE(test_rate__is_exact_and_ends_with_the_minute),
        CASE(test_rate__refused_calls_do_not_use_up_anything),
        CASE(test_rate__reads_and_other_calls_share_it),
        CASE(test_rate__refusals_by_the_limit_count_against_it),
        CASE(test_rate__none_counts_no_calls),
        CASE(test_rate__zero_lets_nothing_through),
        CASE(test_rate__old_windows_are_removed),
        CASE(test_admit__server_side_refuses_a_user_nobody_knows_and_writes_nothing),
        CASE(test_admit__deleted_customer_meters_no_more),
        CASE(test_admit__keeps_news_of_the_email),
        CASE(test_admit__projects_of_a_platform_count_apart),
        CASE(test_put__sets_the_count_that_requests_then_meet),
        CASE(test_put__refuses_overlaps_and_numbers_out_of_range),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
