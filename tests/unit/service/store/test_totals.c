/* SPDX-License-Identifier: Apache-2.0 */
/* test_totals.c - sums over a project follow what they sum: uses, replaced counts, subscriptions that come and go, sales.
 * Histories by day are read from the same sums. */
#include "store_case.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/timefmt.h"
#include "service/store/history.h"
#include "service/store/totals.h"

static int number;

static void send(const store_case *self, const char *type, const dreamd_subscription *subscription)
{
    char id[32];
    dreamd_event_outcome outcome;
    (void)snprintf(id, sizeof id, "evt_%d", ++number);
    dreamd_event event = { .source = "stripe-live",
                           .event_id = id,
                           .type = type,
                           .created_s = T0 / 1000 + number,
                           .project = &self->project,
                           .subscription = subscription };
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    assert_int_equal(outcome, DREAMD_EVENT_APPLIED);
    /* Told twice is counted once. */
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    assert_int_equal(outcome, DREAMD_EVENT_DUPLICATE);
}

static void subscribe(const store_case *self, const char *user, const char *id, const char *status, int64_t amount,
                      int64_t canceled_at_ms)
{
    dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
    subscription.user_id = user;
    subscription.subscription_id = id;
    subscription.plan = "pro";
    subscription.status = status;
    subscription.amount_minor = amount;
    subscription.canceled_at_ms = canceled_at_ms;
    send(self, id[0] ? "customer.subscription.updated" : "checkout.session.completed", &subscription);
}

static void expect(const store_case *self, int64_t active, int64_t canceling, int64_t mrr)
{
    dreamd_totals totals;
    assert_ok(dreamd_totals_read(self->db, &self->project, &totals));
    assert_int_equal(totals.active_subs, active);
    assert_int_equal(totals.canceling_subs, canceling);
    assert_int_equal(totals.currency_count ? totals.mrr[0].mrr_minor : 0, mrr);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_gathered__sums_are_written_by_the_flush(void **state)
{
    const store_case *self = *state;
    const int32_t today = dream_day_of_ms(T0);
    dreamd_totals_gathered gathered = { .count = 0 };
    int64_t used = 0;
    assert_true(dreamd_totals_gather(&gathered, "default", today, today + 29, 2));
    assert_true(dreamd_totals_gather(&gathered, "default", today, today + 29, 3));
    assert_true(dreamd_totals_gather(&gathered, "tokens", today, today + 29, 70));
    assert_false(
        dreamd_totals_gather(&gathered, "tokens", today, today + 29, DREAM_JSON_MAX_INT)); /* too much for one */
    assert_ok(dreamd_totals_usage(self->db, &self->project, today, &used));
    assert_int_equal(used, 0);
    assert_ok(dreamd_totals_flush(self->db, &self->project, &gathered));
    assert_ok(dreamd_totals_flush(self->db, &self->project, &gathered)); /* nothing is left */
    assert_ok(dreamd_totals_usage(self->db, &self->project, today, &used));
    assert_int_equal(used, 5);
    for (int i = 0; i < DREAMD_TOTALS_GATHERED_MAX; i++)
        assert_true(dreamd_totals_gather(&gathered, "default", today + i, today + 29, 1));
    assert_false(dreamd_totals_gather(&gathered, "default", today - 1, today + 29, 1)); /* no room */
}

static void test_totals__follow_a_subscription_through_its_life(void **state)
{
    const store_case *self = *state;
    expect(self, 0, 0, 0);
    subscribe(self, "user_a", "", "active", 2900, -1);
    expect(self, 1, 0, 2900);
    subscribe(self, "user_a", "sub_1", "active", 2900, 0); /* takes the nameless one's place */
    expect(self, 1, 0, 2900);
    subscribe(self, "user_b", "sub_2", "trialing", 9900, 0);
    expect(self, 2, 0, 12800);
    subscribe(self, "user_b", "sub_2", "active", 4900, T0);
    expect(self, 2, 1, 7800);
    subscribe(self, "user_b", "sub_2", "past_due", -1, -1);
    expect(self, 1, 0, 2900);
    subscribe(self, "user_a", "sub_1", "canceled", -1, T0);
    expect(self, 0, 0, 0);
}

/* A running subscription of a user of its own. */
static void subscribe_at(const store_case *self, int64_t amount, const char *currency, const char *interval,
                         int64_t count)
{
    char user[32];
    dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
    (void)snprintf(user, sizeof user, "user_%d", number);
    subscription.user_id = user;
    subscription.subscription_id = "sub_1";
    subscription.plan = "pro";
    subscription.status = "active";
    subscription.amount_minor = amount;
    subscription.currency = currency;
    subscription.interval = interval;
    subscription.interval_count = count;
    send(self, "customer.subscription.created", &subscription);
}

static void test_totals__bring_every_interval_to_a_month(void **state)
{
    static const struct {
        const char *interval;
        int64_t count, amount, mrr;
    } cases[] = {
        { "month", 1, 2900, 2900 }, { "month", 3, 3000, 1000 }, { "year", 1, 12000, 1000 },
        { "year", 2, 24000, 1000 }, { "week", 1, 300, 1300 },   { "week", 2, 300, 650 },
        { "day", 1, 12, 365 },      { "day", 5, 12, 73 },       { NULL, 0, 700, 700 },
    };
    int64_t sum = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        subscribe_at(*state, cases[i].amount, "usd", cases[i].interval, cases[i].count);
        sum += cases[i].mrr;
        expect(*state, (int64_t)i + 1, 0, sum);
    }
}

static void test_totals__round_down_once_not_each(void **state)
{
    subscribe_at(*state, 100, "usd", "year", 1); /* 8.33 a month */
    expect(*state, 1, 0, 8);
    subscribe_at(*state, 100, "usd", "year", 1);
    expect(*state, 2, 0, 16);
    subscribe_at(*state, 100, "usd", "year", 1);
    expect(*state, 3, 0, 25);
}

static void test_totals__add_no_currency_to_another(void **state)
{
    const store_case *self = *state;
    dreamd_totals totals;
    subscribe_at(self, 900, "eur", "month", 1);
    subscribe_at(self, 2900, "usd", "month", 1);
    expect(self, 2, 0, 2900); /* of as many, what tiers are priced in */
    subscribe_at(self, 12000, "EUR", "year", 1);
    assert_ok(dreamd_totals_read(self->db, &self->project, &totals));
    assert_int_equal(totals.active_subs, 3);
    assert_int_equal(totals.currency_count, 2);
    assert_string_equal(totals.mrr[0].currency, "eur"); /* the one of most */
    assert_int_equal(totals.mrr[0].mrr_minor, 1900);
    assert_string_equal(totals.mrr[1].currency, "usd");
    assert_int_equal(totals.mrr[1].mrr_minor, 2900);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_totals__follow_a_subscription_into_another_currency_and_interval(void **state)
{
    const store_case *self = *state;
    dreamd_totals totals;
    dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
    subscribe(self, "user_a", "sub_1", "active", 2900, 0);
    subscription.user_id = "user_a";
    subscription.subscription_id = "sub_1";
    subscription.status = "active";
    subscription.amount_minor = 24000;
    subscription.currency = "gbp";
    subscription.interval = "year";
    subscription.interval_count = 1;
    send(self, "customer.subscription.updated", &subscription);
    expect(self, 1, 0, 2000);
    assert_ok(dreamd_totals_read(self->db, &self->project, &totals));
    assert_int_equal(totals.currency_count, 1);
    assert_string_equal(totals.mrr[0].currency, "gbp");
}

static void test_totals__an_amount_that_is_not_told_counts_nothing(void **state)
{
    subscribe(*state, "user_a", "sub_1", "active", -1, 0);
    expect(*state, 1, 0, 0);
}

static dreamd_event_outcome sell(const store_case *self, const dreamd_sale *sale)
{
    char id[32];
    dreamd_event_outcome outcome;
    (void)snprintf(id, sizeof id, "evt_%d", ++number);
    dreamd_event event = { .source = "stripe-live",
                           .event_id = id,
                           .type = DREAMD_CHECKOUT_PAID_LATER,
                           .project = &self->project,
                           .sale = sale };
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    return outcome;
}

static void test_totals__count_a_sale_once_whatever_tells_of_it(void **state)
{
    const store_case *self = *state;
    static const dreamd_sale sales[] = { { "cs_1", 5000 }, { "cs_2", 100 }, { "cs_3", 0 } };
    dreamd_totals totals;
    for (size_t i = 0; i < sizeof sales / sizeof sales[0]; i++) {
        assert_int_equal(sell(self, &sales[i]), DREAMD_EVENT_APPLIED);
        assert_int_equal(sell(self, &sales[i]), DREAMD_EVENT_STALE); /* another event of the same checkout */
    }
    assert_int_equal(sell(self, NULL), DREAMD_EVENT_APPLIED);
    assert_ok(dreamd_totals_read(self->db, &self->project, &totals));
    assert_int_equal(totals.sales_count, 3);
    assert_int_equal(totals.revenue_minor, 5100);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static int64_t usage_on(const store_case *self, int64_t now_ms)
{
    int64_t usage = 0;
    assert_ok(dreamd_totals_usage(self->db, &self->project, dream_day_of_ms(now_ms), &usage));
    return usage;
}

static void test_totals__sum_the_running_periods_of_the_default_meter(void **state)
{
    const store_case *self = *state;
    dreamd_usage_request first = request_of(self, "user_a", T0);
    dreamd_usage_request second = request_of(self, "user_b", T0 + 10 * DAY);
    dreamd_usage_request other = request_of(self, "user_b", T0 + 10 * DAY);
    other.meter = "images";
    other.token_plan = "metered";
    first.units = 3;
    (void)admit(self, &first);
    (void)admit(self, &second);
    assert_int_equal(admit(self, &other).outcome, DREAMD_USAGE_OK);
    assert_int_equal(usage_on(self, T0 + 10 * DAY), 4);
    assert_int_equal(usage_on(self, T0 + 29 * DAY), 4);
    assert_int_equal(usage_on(self, T0 + 30 * DAY), 1);
    assert_int_equal(usage_on(self, T0 + 40 * DAY), 0);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_totals__follow_a_count_that_is_replaced(void **state)
{
    const store_case *self = *state;
    int32_t day = dream_day_of_ms(T0);
    dreamd_usage_row row = { "user_a", NULL, 9, day, day + 29 };
    dreamd_usage_request request = request_of(self, "user_a", T0 + DAY);
    request.token_plan = "enterprise";
    assert_ok(dreamd_usage_put(self->db, &self->project, &row, T0));
    assert_int_equal(admit(self, &request).outcome, DREAMD_USAGE_OK);
    assert_int_equal(usage_on(self, T0), 10);
    row.used = 4;
    row.period_end_day = day + 40;
    assert_ok(dreamd_usage_put(self->db, &self->project, &row, T0));
    assert_int_equal(usage_on(self, T0 + 35 * DAY), 4);
    assert_int_equal(violations_of(self->db, T0), 0);
}

/* Sums that pass what a number in JSON can say stay there: a sum that lost track must not look like one that is right. */
static void test_totals__stay_at_the_most_that_can_be_said(void **state)
{
    const store_case *self = *state;
    int32_t day = dream_day_of_ms(T0);
    assert_ok(dreamd_db_begin(self->db));
    for (int i = 0; i < 1100; i++) {
        char user[32];
        (void)snprintf(user, sizeof user, "user_%04d", i);
        /* A day of its own for each: the rows' sum is beyond 2^63, too. */
        dreamd_usage_row row = { user, NULL, DREAM_JSON_MAX_INT, day - i / 4, day + i % 4 };
        assert_ok(dreamd_usage_put(self->db, &self->project, &row, T0));
    }
    assert_ok(dreamd_db_commit(self->db));
    assert_int_equal(usage_on(self, T0), DREAM_JSON_MAX_INT);
    dreamd_usage_row more = { "user_more", NULL, 5, day, day };
    dreamd_usage_row less = { "user_more", NULL, 3, day, day };
    assert_ok(dreamd_usage_put(self->db, &self->project, &more, T0));
    assert_ok(dreamd_usage_put(self->db, &self->project, &less, T0));
    assert_int_equal(usage_on(self, T0), DREAM_JSON_MAX_INT);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_totals__of_money_stay_at_the_most_that_can_be_said(void **state)
{
    const store_case *self = *state;
    dreamd_totals totals;
    dreamd_platform_totals platform;
    assert_ok(dreamd_db_begin(self->db));
    for (int i = 0; i < 1100; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "sub_%04d", i);
        subscribe(self, i % 2 ? "user_a" : id, id, "active", DREAM_JSON_MAX_INT, 0);
        assert_int_equal(sell(self, &(dreamd_sale){ id, DREAM_JSON_MAX_INT }), DREAMD_EVENT_APPLIED);
    }
    assert_ok(dreamd_db_commit(self->db));
    expect(self, 1100, 0, DREAM_JSON_MAX_INT / 12);
    subscribe(self, "user_a", "sub_0001", "canceled", -1, T0);
    expect(self, 1099, 0, DREAM_JSON_MAX_INT / 12);
    assert_ok(dreamd_totals_read(self->db, &self->project, &totals));
    assert_int_equal(totals.revenue_minor, DREAM_JSON_MAX_INT);
    /* A currency of its own is summed on its own. */
    subscribe_at(self, 12000, "eur", "year", 1);
    assert_ok(dreamd_totals_of_platform(self->db, PLATFORM, DREAMD_LIVE, &platform));
    assert_int_equal(platform.sums.mrr[0].mrr_minor, DREAM_JSON_MAX_INT / 12);
    assert_string_equal(platform.sums.mrr[1].currency, "eur");
    assert_int_equal(platform.sums.mrr[1].mrr_minor, 1000);
    assert_int_equal(platform.sums.revenue_minor, DREAM_JSON_MAX_INT);
    assert_int_equal(platform.sums.sales_count, 1100);
}

static void test_totals__of_a_platform_keep_the_modes_apart(void **state)
{
    const store_case *self = *state;
    dreamd_platform_totals totals;
    store_case test = *self;
    memcpy(test.project.project_id, "prj_2", 6);
    test.project.mode = DREAMD_TEST;
    assert_ok(dreamd_project_insert(self->db, &test.project, T0));
    subscribe(self, "user_a", "sub_1", "active", 2900, 0);
    subscribe(&test, "user_b", "sub_2", "active", 1, 0);
    assert_ok(dreamd_totals_of_platform(self->db, PLATFORM, DREAMD_LIVE, &totals));
    assert_int_equal(totals.sums.mrr[0].mrr_minor, 2900);
    assert_int_equal(totals.projects, 1);
    assert_int_equal(totals.products, 5);
    assert_ok(dreamd_totals_of_platform(self->db, PLATFORM, DREAMD_TEST, &totals));
    assert_int_equal(totals.sums.mrr[0].mrr_minor, 1);
    assert_int_equal(totals.projects, 1);
    assert_int_equal(totals.products, 0);
    assert_ok(dreamd_totals_of_platform(self->db, "plt_none", DREAMD_LIVE, &totals));
    assert_int_equal(totals.sums.active_subs + totals.projects + totals.products, 0);
}

static void test_check__notices_sums_and_plans_that_are_off(void **state)
{
    static const char *const breaks[] = {
        "UPDATE usage_totals SET used = used + 1",
        "DELETE FROM usage_totals",
        "UPDATE subscription_totals SET yearly_minor = yearly_minor + 1",
        "UPDATE subscription_totals SET canceling_subs = 1",
        "UPDATE subscription_totals SET currency = 'eur'",
        "DELETE FROM subscription_totals",
        "UPDATE subscriptions SET billing_interval = 'year'",
        "UPDATE project_totals SET revenue_minor = revenue_minor + 1",
        "DELETE FROM project_totals",
        "UPDATE customers SET current_plan = 'pro'",
    };
    const store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_c", T0);
    (void)admit(self, &request);
    subscribe(self, "user_a", "sub_1", "active", 2900, 0);
    assert_int_equal(sell(self, &(dreamd_sale){ "cs_1", 500 }), DREAMD_EVENT_APPLIED);
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        assert_ok(dreamd_db_begin(self->db));
        assert_ok(dreamd_db_run(self->db, breaks[i], DREAMD_NO_PARAMS, NULL));
        if (violations_of(self->db, T0) == 0)
            fail_msg("not noticed: %s", breaks[i]);
        dreamd_db_rollback(self->db);
    }
    assert_int_equal(violations_of(self->db, T0), 0);
}

/* ---- history ---- */

static dreamd_history read_history(const store_case *self, const char *user, int from, int to)
{
    dreamd_history out;
    int32_t day = dream_day_of_ms(T0);
    dreamd_history_query query = { user, DREAMD_DEFAULT_METER, day + from, day + to };
    assert_ok(dreamd_history_read(self->db, &self->project, &query, self->arena, &out));
    return out;
}

static void test_history__gives_every_day_of_a_user_and_of_all(void **state)
{
    const store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    (void)admit(self, &request);
    request.now_ms = T0 + 2 * DAY;
    request.units = 2;
    (void)admit(self, &request);
    request = request_of(self, "user_b", T0 + 2 * DAY);
    (void)admit(self, &request);
    dreamd_history one = read_history(self, "user_a", -1, 2);
    assert_int_equal(one.day_count, 4);
    assert_int_equal(one.units[0], 0);
    assert_int_equal(one.units[1], 1);
    assert_int_equal(one.units[2], 0);
    assert_int_equal(one.units[3], 2);
    dreamd_history all = read_history(self, NULL, 2, 2);
    assert_int_equal(all.day_count, 1);
    assert_int_equal(all.units[0], 3);
    assert_int_equal(read_history(self, "user_x", 0, 0).units[0], 0);
}

static void test_history__of_a_day_stays_at_the_most_that_can_be_said(void **state)
{
    const store_case *self = *state;
    int32_t day = dream_day_of_ms(T0);
    assert_ok(dreamd_db_begin(self->db));
    for (int i = 0; i < 1100; i++) {
        char user[32];
        (void)snprintf(user, sizeof user, "user_%04d", i);
        dreamd_usage_row row = { user, NULL, DREAM_JSON_MAX_INT, day, day + i };
        assert_ok(dreamd_usage_put(self->db, &self->project, &row, T0));
    }
    assert_ok(dreamd_db_commit(self->db));
    assert_int_equal(read_history(self, NULL, 0, 0).units[0], DREAM_JSON_MAX_INT);
}

static void test_history__tells_applied_events_of_the_days_newest_first(void **state)
{
    const store_case *self = *state;
    subscribe(self, "user_a", "sub_1", "trialing", 2900, 0);
    subscribe(self, "user_a", "sub_1", "active", 2900, 0);
    subscribe(self, "user_b", "sub_2", "active", -1, 0);
    dreamd_history one = read_history(self, "user_a", 0, 0);
    assert_int_equal(one.event_count, 2);
    assert_string_equal(one.events[0].status, "active");
    assert_string_equal(one.events[1].status, "trialing");
    assert_int_equal(one.events[0].amount_minor, 2900);
    assert_false(one.has_more_events);
    assert_int_equal(read_history(self, NULL, 0, 0).event_count, 3);
    assert_int_equal(read_history(self, NULL, 0, 0).events[0].amount_minor, -1);
    assert_int_equal(read_history(self, NULL, 1, 9).event_count, 0);
    assert_int_equal(read_history(self, NULL, -9, -1).event_count, 0);
}

static void test_history__refuses_too_many_days_and_the_wrong_order(void **state)
{
    const store_case *self = *state;
    dreamd_history out;
    dreamd_history_query longest = { NULL, DREAMD_DEFAULT_METER, 0, 399 };
    dreamd_history_query too_long = { NULL, DREAMD_DEFAULT_METER, 0, 400 };
    dreamd_history_query backwards = { NULL, DREAMD_DEFAULT_METER, 1, 0 };
    assert_ok(dreamd_history_read(self->db, &self->project, &longest, self->arena, &out));
    assert_int_equal(dreamd_history_read(self->db, &self->project, &too_long, self->arena, &out), DREAMD_DB_CONFLICT);
    assert_int_equal(dreamd_history_read(self->db, &self->project, &backwards, self->arena, &out), DREAMD_DB_CONFLICT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_gathered__sums_are_written_by_the_flush),
        TEST(test_totals__follow_a_subscription_through_its_life),
        TEST(test_totals__bring_every_interval_to_a_month),
        TEST(test_totals__round_down_once_not_each),
        TEST(test_totals__add_no_currency_to_another),
        TEST(test_totals__follow_a_subscription_into_another_currency_and_interval),
        TEST(test_totals__an_amount_that_is_not_told_counts_nothing),
        TEST(test_totals__count_a_sale_once_whatever_tells_of_it),
        TEST(test_totals__sum_the_running_periods_of_the_default_meter),
        TEST(test_totals__follow_a_count_that_is_replaced),
        TEST(test_totals__stay_at_the_most_that_can_be_said),
        TEST(test_totals__of_money_stay_at_the_most_that_can_be_said),
        TEST(test_totals__of_a_platform_keep_the_modes_apart),
        TEST(test_check__notices_sums_and_plans_that_are_off),
        TEST(test_history__gives_every_day_of_a_user_and_of_all),
        TEST(test_history__of_a_day_stays_at_the_most_that_can_be_said),
        TEST(test_history__tells_applied_events_of_the_days_newest_first),
        TEST(test_history__refuses_too_many_days_and_the_wrong_order),
    };
    return cmocka_run_group_tests_name("store totals", tests, NULL, NULL);
}
