/* SPDX-License-Identifier: Apache-2.0 */
/* test_fixture_file.c - fixtures: billing in prose, keys and ids for placeholders, rows by their field names, and precise
 * refusals. Writing them is tested with the store (test_fixture_rows.c). */
#include "dreamapid/fixture_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"

/* 2026-11-23T12:00:00Z. */
static const int64_t noon_ms = INT64_C(1795435200000);
static const int64_t day_ms = INT64_C(86400000);

struct reading {
    cJSON *document;
    dream_arena *arena;
    dreamd_fixture fixture;
    char error[256];
};

static bool read_fixture(struct reading *reading, const char *text)
{
    reading->document = dream_json_parse(text, strlen(text), NULL);
    assert_non_null(reading->document);
    reading->arena = dream_arena_new();
    return dreamd_fixture_read(reading->document, noon_ms, reading->arena, &reading->fixture, reading->error);
}

static void end(struct reading *reading)
{
    dreamd_fixture_clear(&reading->fixture);
    dream_arena_free(reading->arena);
    cJSON_Delete(reading->document);
}

static const char *value_of(const struct reading *reading, const char *placeholder)
{
    const char *value = dream_json_string(reading->fixture.placeholders.values, placeholder);
    assert_non_null(value);
    return value;
}

static void test_fixture_file__reads_billing_prose_literally(void **state)
{
    static const struct {
        const char *prose;
        const char *status;
        bool has_end;
        int64_t end_days; /* from now */
    } rows[] = {
        { "no record", "", false, 0 },
        { "active", "active", true, 14 },
        { "trialing", "trialing", true, 14 },
        { "past_due", "past_due", false, 0 },
        { "canceled", "canceled", false, 0 },
        { "canceled, grace ended 13 days ago", "canceled", true, -20 },
        { "canceled, grace ended 1 day ago", "canceled", true, -8 },
        { "canceled, grace ended 0 days ago", "canceled", true, -7 },
        { "canceled, 5 days of grace left", "canceled", true, -2 },
        { "unpaid, 7 days of grace left", "unpaid", true, 0 },
        { "canceled, 1 day of grace left", "canceled", true, -6 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dreamd_platform platform;
        memset(&platform, 0xff, sizeof platform);
        assert_true(dreamd_fixture_read_billing(rows[i].prose, noon_ms, &platform));
        assert_string_equal(platform.subscription_status, rows[i].status);
        assert_int_equal(platform.has_current_period_end, rows[i].has_end);
        if (rows[i].has_end)
            assert_true(platform.current_period_end_ms == noon_ms + rows[i].end_days * day_ms);
    }
}

static void test_fixture_file__refuses_billing_prose_it_does_not_know(void **state)
{
    static const char *const rows[] = {
        "",
        "Active",
        "canceled,",
        "canceled, soon",
        "canceled, grace ended x days ago",
        "canceled, grace ended 3 days",
        "gone",
        "active ",
        "canceled, 5 weeks of grace left",
        "canceled, -5 days of grace left",
        "canceled, 99999999999999999999 days of grace left",
        "no record, 5 days of grace left",
        "canceled, 5 days of grace left!",
    };
    dreamd_platform platform;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_false(dreamd_fixture_read_billing(rows[i], noon_ms, &platform));
}

static const char two_platforms[] =
    "{\"note\":\"x\",\"platforms\":{"
    "\"<platform>\":{\"subscription\":\"active\",\"stripe_connected\":true,\"projects\":["
    "{\"pk\":\"<pk>\",\"sk\":\"<sk>\",\"mode\":\"live\",\"type\":\"saas\",\"name\":\"App\",\"tiers\":["
    "{\"name\":\"free\",\"displayName\":\"Free\",\"price\":0,\"limit\":5,\"priceId\":null,\"productId\":null},"
    "{\"name\":\"pro\",\"displayName\":\"Pro\",\"price\":2900,\"limit\":null,\"priceId\":\"price_pro\",\"productId\":"
    "\"prod_pro\"}]},"
    "{\"pk\":\"<pk-test>\",\"sk\":\"<sk-test>\",\"mode\":\"test\",\"type\":\"membership\",\"name\":\"Club\",\"tax\":"
    "true,"
    "\"status\":\"revoked\"}]},"
    "\"<platform-other>\":{\"subscription\":\"no record\",\"stripe_connected\":true,\"projects\":["
    "{\"pk\":\"pk_live_given\",\"sk\":\"sk_live_given\",\"mode\":\"live\",\"type\":\"store\",\"tiers\":[]}]},"
    "\"plt_literal\":{\"projects\":[]}}";

static void test_fixture_file__gives_platforms_and_projects_their_keys(void **state)
{
    struct reading reading;
    char text[4096];
    (void)state;
    (void)snprintf(text, sizeof text, "%s}", two_platforms);
    assert_true(read_fixture(&reading, text));
    const dreamd_fixture *fixture = &reading.fixture;
    assert_int_equal(fixture->platform_count, 3);
    const dreamd_fixture_platform *first = &fixture->platforms[0];
    assert_string_equal(first->platform.platform_id, value_of(&reading, "<platform>"));
    assert_int_equal(strlen(first->platform.platform_id), 4 + 32);
    assert_string_equal(first->platform.subscription_status, "active");
    assert_string_equal(fixture->platforms[2].platform.platform_id, "plt_literal");

    const dreamd_fixture_project *app = &first->projects[0];
    assert_string_equal(app->project.publishable_key, value_of(&reading, "<pk>"));
    assert_string_equal(app->secret_key, value_of(&reading, "<sk>"));
    assert_int_equal(strlen(app->project.publishable_key), strlen("pk_live_") + 32);
    assert_int_equal(strlen(app->secret_key), strlen("sk_live_") + 64);
    assert_string_equal(app->project.platform_id, first->platform.platform_id);
    assert_int_equal(app->tiers.count, 2);
    assert_true(app->tiers.tiers[1].limit == DREAMD_UNLIMITED);
    assert_string_equal(app->tiers.tiers[1].price_id, "price_pro");
    assert_false(app->is_revoked);

    const dreamd_fixture_project *club = &first->projects[1];
    assert_int_equal(strncmp(club->project.publishable_key, "pk_test_", 8), 0);
    assert_int_equal(strncmp(club->secret_key, "sk_test_", 8), 0);
    assert_int_equal(club->project.mode, DREAMD_TEST);
    assert_string_equal(club->project.type, "membership");
    assert_true(club->project.is_tax_enabled);
    assert_true(club->is_revoked);
    assert_string_not_equal(club->project.project_id, app->project.project_id);
    assert_string_equal(fixture->platforms[1].projects[0].project.publishable_key, "pk_live_given");
    end(&reading);
}

static void test_fixture_file__connects_stripe_accounts_in_order_with_a_token_for_each_mode(void **state)
{
    struct reading reading;
    char text[4096];
    (void)state;
    (void)snprintf(text, sizeof text, "%s}", two_platforms);
    assert_true(read_fixture(&reading, text));
    const dreamd_fixture_platform *platforms = reading.fixture.platforms;
    assert_string_equal(platforms[0].accounts[DREAMD_LIVE].account_id, "acct_a");
    assert_string_equal(platforms[0].accounts[DREAMD_TEST].account_id, "acct_a");
    assert_string_equal(platforms[1].accounts[DREAMD_LIVE].account_id, "acct_b");
    assert_string_equal(platforms[0].accounts[DREAMD_LIVE].access_token, value_of(&reading, "<connected-token-live>"));
    assert_string_equal(platforms[0].accounts[DREAMD_TEST].access_token, value_of(&reading, "<connected-token-test>"));
    assert_string_equal(platforms[1].accounts[DREAMD_LIVE].access_token,
                        value_of(&reading, "<connected-token-live-other>"));
    assert_false(platforms[2].is_stripe_connected);
    end(&reading);
}

static void test_fixture_file__reads_rows_with_their_placeholders(void **state)
{
    struct reading reading;
    char text[8192];
    (void)state;
    (void)snprintf(
        text, sizeof text,
        "{\"about\":\"a document that has it inside\",\"fixture\":%s,"
        "\"users\":[{\"platformId\":\"<platform>\",\"publishableKey\":\"<pk>\",\"clerkUserId\":\"<user>\",\"email\":"
        "\"a@b.test\","
        "\"status\":\"deleted\",\"createdAt\":\"2026-01-02T03:04:05.678Z\",\"plan\":\"pro\"}],"
        "\"usage\":[{\"publishableKey\":\"<pk>\",\"userId\":\"<user>\",\"plan\":\"pro\",\"usageCount\":9,"
        "\"periodStart\":\"<today-40>\",\"periodEnd\":\"<today-11>\"},"
        "{\"publishableKey\":\"pk_live_given\",\"userId\":\"user_x\",\"usageCount\":0,\"meter\":\"tokens\"}],"
        "\"subscriptions\":[{\"publishableKey\":\"<pk>\",\"userId\":\"<user>\",\"plan\":\"pro\",\"status\":"
        "\"trialing\","
        "\"subscriptionId\":\"sub_1\",\"stripeCustomerId\":\"cus_1\",\"priceId\":\"price_pro\",\"productId\":null,"
        "\"amount\":2900,"
        "\"currency\":\"usd\",\"currentPeriodEnd\":\"<today+20>\",\"canceledAt\":null,\"createdAt\":\"2026-11-01T00:00:"
        "00.000Z\"}],"
        "\"rates\":[{\"publishableKey\":\"<pk>\",\"userId\":\"<user>\",\"requestsThisMinute\":99}]}}",
        two_platforms);
    assert_true(read_fixture(&reading, text));
    const dreamd_fixture *fixture = &reading.fixture;
    const char *user = value_of(&reading, "<user>");

    assert_int_equal(fixture->user_count, 1);
    assert_string_equal(fixture->users[0].customer.user_id, user);
    assert_string_equal(fixture->users[0].customer.email, "a@b.test");
    assert_string_equal(fixture->users[0].customer.plan, "pro");
    assert_true(fixture->users[0].customer.is_deleted);
    assert_true(fixture->users[0].customer.created_at_ms == INT64_C(1767323045678));
    assert_ptr_equal(fixture->users[0].project, &fixture->platforms[0].projects[0].project);

    assert_int_equal(fixture->usage_count, 2);
    assert_int_equal(fixture->usage[0].row.used, 9);
    assert_int_equal(fixture->usage[0].row.period_start_day, noon_ms / day_ms - 40);
    assert_int_equal(fixture->usage[0].row.period_end_day, noon_ms / day_ms - 11);
    assert_string_equal(fixture->usage[0].plan, "pro");
    assert_int_equal(fixture->usage[1].row.period_start_day, noon_ms / day_ms);
    assert_int_equal(fixture->usage[1].row.period_end_day, noon_ms / day_ms + 29);
    assert_string_equal(fixture->usage[1].row.meter, "tokens");
    assert_ptr_equal(fixture->usage[1].project, &fixture->platforms[1].projects[0].project);

    assert_int_equal(fixture->subscription_count, 1);
    const dreamd_fixture_subscription *subscription = &fixture->subscriptions[0];
    assert_string_equal(subscription->subscription.status, "trialing");
    assert_string_equal(subscription->subscription.subscription_id, "sub_1");
    assert_null(subscription->subscription.product_id);
    assert_int_equal(subscription->subscription.amount_minor, 2900);
    assert_true(subscription->subscription.current_period_end_ms == (noon_ms / day_ms + 20) * day_ms);
    assert_true(subscription->subscription.canceled_at_ms == -1);
    assert_true(subscription->created_s == 1793491200);
    assert_int_equal(strncmp(subscription->event_id, "import_", 7), 0);

    assert_int_equal(fixture->rate_count, 1);
    assert_int_equal(fixture->rates[0].requests_this_minute, 99);
    end(&reading);
}

static void test_fixture_file__says_where_it_stopped_and_why(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        { "{}", "the fixture: \"platforms\" must be an object from platform id to platform" },
        { "{\"platforms\":[]}", "the fixture: \"platforms\" must be an object from platform id to platform" },
        { "{\"fixture\":5}", "the fixture: a JSON object is wanted" },
        { "{\"platforms\":{},\"usages\":[]}", "the fixture: usages is not a field of it" },
        { "{\"platforms\":{\"<p>\":5}}", "<p>: a JSON object is wanted" },
        { "{\"platforms\":{\"<p>\":{}}}", "<p>: \"projects\" must be a list" },
        { "{\"platforms\":{\"<p>\":{\"subscription\":\"maybe\",\"projects\":[]}}}",
          "<p>: subscription must be as \"active\", \"no record\", \"past_due\", \"canceled, grace ended 3 days ago\" "
          "or "
          "\"canceled, 3 days of grace left\"" },
        { "{\"platforms\":{\"<p>\":{\"stripe_connected\":1,\"projects\":[]}}}",
          "<p>: stripe_connected must be true or false" },
        { "{\"platforms\":{\"<p>\":{\"projects\":[{\"sk\":\"<s>\"}]}}}", "<p> projects[0]: pk is missing" },
        { "{\"platforms\":{\"<p>\":{\"projects\":[{\"pk\":\"pk_test_1\",\"sk\":\"<s>\"}]}}}",
          "<p> projects[0]: pk must begin with pk_live_ or pk_test_, as its mode says" },
        { "{\"platforms\":{\"<p>\":{\"projects\":[{\"pk\":\"<k>\",\"sk\":\"sk_live_1\",\"mode\":\"test\"}]}}}",
          "<p> projects[0]: sk must begin with sk_live_ or sk_test_, as its mode says" },
        { "{\"platforms\":{\"<p>\":{\"projects\":[{\"pk\":\"<k>\",\"sk\":\"<s>\",\"mode\":\"prod\"}]}}}",
          "<p> projects[0]: mode must be live or test" },
        { "{\"platforms\":{\"<p>\":{\"projects\":[{\"pk\":\"<k>\",\"sk\":\"<s>\",\"type\":\"shop\"}]}}}",
          "<p> projects[0]: type must be saas, store or membership" },
        { "{\"platforms\":{\"<p>\":{\"projects\":[{\"pk\":\"<k>\",\"sk\":\"<s>\",\"tiers\":[{\"name\":\"a\"}]}]}}}",
          "tier \"a\": price is missing" },
        { "{\"platforms\":{},\"users\":{}}", "users: must be a list of rows" },
        { "{\"platforms\":{},\"users\":[5]}", "users[0]: a JSON object is wanted" },
        { "{\"platforms\":{},\"users\":[{\"publishableKey\":\"<pk>\",\"userId\":\"u\"}]}",
          "users: the placeholder <pk> stands for nothing" },
        { "{\"platforms\":{},\"users\":[{\"publishableKey\":\"pk_live_1\",\"userId\":\"u\"}]}",
          "users[0]: publishableKey must be that of a project in this fixture" },
        { "{\"platforms\":{},\"users\":[{\"userId\":\"u\"}]}", "users[0]: publishableKey is missing" },
        { "{\"platforms\":{},\"usage\":[{\"publishableKey\":\"k\",\"userId\":\"u\",\"count\":1}]}",
          "usage[0]: count is not a field of it" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reading reading;
        assert_false(read_fixture(&reading, rows[i].text));
        assert_string_equal(reading.error, rows[i].error);
        end(&reading);
    }
}

static void test_fixture_file__refuses_rows_that_make_no_sense(void **state)
{
    static const char *const rows[][3] = {
        { "usage", "\"usageCount\":-1", "usageCount must be a whole number from 0 to 9007199254740991" },
        { "usage", "\"plan\":\"pro\"", "usageCount is missing" },
        { "usage", "\"usageCount\":1,\"periodStart\":\"yesterday\"", "periodStart must be a day, YYYY-MM-DD" },
        { "usage", "\"usageCount\":1,\"periodStart\":\"<today>\",\"periodEnd\":\"<today-1>\"",
          "periodEnd must not be before periodStart" },
        { "users", "\"status\":\"gone\"", "status must be active or deleted" },
        { "users", "\"createdAt\":\"soon\"", "createdAt must be a day (YYYY-MM-DD) or an ISO 8601 time" },
        { "subscriptions", "\"status\":\"active\"", "plan is missing" },
        { "subscriptions", "\"plan\":\"pro\"", "status is missing" },
        { "subscriptions", "\"plan\":\"pro\",\"status\":\"active\",\"amount\":1.5",
          "amount must be a whole number from 0 to 9007199254740991" },
        { "subscriptions", "\"plan\":\"pro\",\"status\":\"a status that is longer than any\"",
          "status must not be longer than 23 bytes" },
        { "rates", "\"requestsThisMinute\":10001", "requestsThisMinute must be a whole number from 0 to 10000" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reading reading;
        char text[4096], expected[256];
        (void)snprintf(text, sizeof text, "%s,\"%s\":[{\"publishableKey\":\"<pk>\",\"userId\":\"<user>\",%s}]}",
                       two_platforms, rows[i][0], rows[i][1]);
        assert_false(read_fixture(&reading, text));
        (void)snprintf(expected, sizeof expected, "%s[0]: %s", rows[i][0], rows[i][2]);
        assert_string_equal(reading.error, expected);
        end(&reading);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixture_file__reads_billing_prose_literally),
        cmocka_unit_test(test_fixture_file__refuses_billing_prose_it_does_not_know),
        cmocka_unit_test(test_fixture_file__gives_platforms_and_projects_their_keys),
        cmocka_unit_test(test_fixture_file__connects_stripe_accounts_in_order_with_a_token_for_each_mode),
        cmocka_unit_test(test_fixture_file__reads_rows_with_their_placeholders),
        cmocka_unit_test(test_fixture_file__says_where_it_stopped_and_why),
        cmocka_unit_test(test_fixture_file__refuses_rows_that_make_no_sense),
    };
    return cmocka_run_group_tests_name("fixture_file", tests, NULL, NULL);
}
