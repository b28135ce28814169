/* SPDX-License-Identifier: Apache-2.0 */
/* test_tenants.c - platforms, projects, Stripe accounts, and when a platform's own billing shuts it out. */
#include "store_case.h"

#include <stdio.h>
#include <string.h>

static void test_platform__is_found_by_id_and_by_email_without_case(void **state)
{
    store_case *self = *state;
    dreamd_platform found;
    bool is_found = false;
    assert_ok(dreamd_platform_find(self->db, PLATFORM, &found, &is_found));
    assert_true(is_found);
    assert_string_equal(found.email, "dev@example.test");
    assert_string_equal(found.subscription_status, "");
    assert_false(found.has_current_period_end);
    assert_ok(dreamd_platform_find_by_email(self->db, "DEV@Example.Test", &found, &is_found));
    assert_true(is_found);
    assert_string_equal(found.platform_id, PLATFORM);
    assert_ok(dreamd_platform_find(self->db, "plt_none", &found, &is_found));
    assert_false(is_found);
}

static void test_platform__email_and_developer_are_unique(void **state)
{
    store_case *self = *state;
    dreamd_platform second = { .platform_id = "plt_2", .email = "Dev@example.test", .clerk_user_id = "user_dev" };
    assert_int_equal(dreamd_platform_insert(self->db, &second, T0), DREAMD_DB_CONFLICT);
    second.email[0] = '\0'; /* none is not the same as another's none */
    assert_ok(dreamd_platform_insert(self->db, &second, T0));
    dreamd_platform third = { .platform_id = "plt_3", .clerk_user_id = "user_dev" };
    assert_int_equal(dreamd_platform_insert(self->db, &third, T0), DREAMD_DB_CONFLICT);
    third.clerk_user_id[0] = '\0';
    assert_ok(dreamd_platform_insert(self->db, &third, T0));
}

static void test_billing__is_set_and_cleared(void **state)
{
    store_case *self = *state;
    int64_t end_ms = T0 + 5 * DAY;
    dreamd_platform found;
    bool is_found = false;
    assert_ok(dreamd_platform_set_billing(self->db, PLATFORM, "canceled", &end_ms, T0, &is_found));
    assert_true(is_found);
    assert_ok(dreamd_platform_find(self->db, PLATFORM, &found, &is_found));
    assert_string_equal(found.subscription_status, "canceled");
    assert_true(found.has_current_period_end);
    assert_int_equal(found.current_period_end_ms, end_ms);
    assert_ok(dreamd_platform_set_billing(self->db, PLATFORM, "", NULL, T0, &is_found));
    assert_ok(dreamd_platform_find(self->db, PLATFORM, &found, &is_found));
    assert_false(found.has_current_period_end);
    assert_ok(dreamd_platform_set_billing(self->db, "plt_none", "active", NULL, T0, &is_found));
    assert_false(is_found);
}

typedef struct blocked_row {
    const char *status;
    int64_t end_ms; /* 0: none */
    bool is_blocked;
} blocked_row;

static const blocked_row blocked_rows[] = {
    { "", 0, false },
    { "none", 0, false },
    { "active", T0 - 365 * DAY, false },
    { "trialing", 0, false },
    { "past_due", T0 - 365 * DAY, false },
    { "canceled", T0 - 7 * DAY - 1, true },
    { "canceled", T0 - 7 * DAY, false },
    { "canceled", T0 - 2 * DAY, false },
    { "canceled", T0 + DAY, false },
    { "canceled", 0, true },
    { "unpaid", T0 - 8 * DAY, true },
    { "incomplete", 0, true },
    { "incomplete_expired", T0 - 8 * DAY, true },
    { "paused", T0 - 8 * DAY, true },
    { "a new word", 0, true },
    { "canceled", INT64_MIN, true },
    { "canceled", INT64_MAX, false },
};

static void test_blocked__once_subscription_and_grace_are_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof blocked_rows / sizeof blocked_rows[0]; i++) {
        const blocked_row *row = &blocked_rows[i];
        dreamd_project project = { .has_current_period_end = row->end_ms != 0, .current_period_end_ms = row->end_ms };
        (void)snprintf(project.subscription_status, sizeof project.subscription_status, "%s", row->status);
        if (dreamd_project_is_blocked(&project, T0) != row->is_blocked)
            fail_msg("%s, period end %lld", row->status, (long long)row->end_ms);
    }
}

static void test_mode__text_and_back(void **state)
{
    enum dreamd_mode mode = DREAMD_LIVE;
    (void)state;
    assert_true(dreamd_mode_parse("test", &mode));
    assert_int_equal(mode, DREAMD_TEST);
    assert_string_equal(dreamd_mode_text(DREAMD_LIVE), "live");
    assert_false(dreamd_mode_parse("Live", &mode));
    assert_false(dreamd_mode_parse(NULL, &mode));
}

static void test_project__refuses_unknown_types_and_platforms(void **state)
{
    store_case *self = *state;
    dreamd_project project = { .platform_id = PLATFORM, .project_id = "prj_2", .type = "saas", .name = "App" };
    bool is_found = false;
    assert_int_equal(dreamd_project_insert(self->db, &self->project, T0), DREAMD_DB_CONFLICT);
    (void)snprintf(project.type, sizeof project.type, "casino");
    assert_int_equal(dreamd_project_insert(self->db, &project, T0), DREAMD_DB_CONFLICT);
    (void)snprintf(project.type, sizeof project.type, "store");
    (void)snprintf(project.platform_id, sizeof project.platform_id, "plt_none");
    assert_int_not_equal(dreamd_project_insert(self->db, &project, T0), DREAMD_DB_OK);
    assert_ok(dreamd_project_exists(self->db, PLATFORM, DREAMD_LIVE, "App", &is_found));
    assert_true(is_found);
    assert_ok(dreamd_project_exists(self->db, PLATFORM, DREAMD_TEST, "App", &is_found));
    assert_false(is_found);
}

/* ---- Stripe accounts ---- */

static void test_stripe__token_comes_back_and_is_stored_sealed(void **state)
{
    store_case *self = *state;
    const dreamd_stripe_account account = { "acct_1", "sk_connected_secret" };
    dreamd_stripe_account found;
    bool is_found = false;
    assert_ok(dreamd_stripe_account_put(self->db, PLATFORM, DREAMD_LIVE, &account, master_key, T0));
    assert_ok(dreamd_stripe_account_find(self->db, PLATFORM, DREAMD_LIVE, master_key, &found, &is_found));
    assert_true(is_found);
    assert_string_equal(found.account_id, "acct_1");
    assert_string_equal(found.access_token, "sk_connected_secret");
    assert_int_equal(number_of(self->db, "SELECT instr(access_token_sealed, 'connected') FROM stripe_accounts"), 0);
    assert_ok(dreamd_stripe_account_find(self->db, PLATFORM, DREAMD_TEST, master_key, &found, &is_found));
    assert_false(is_found);
}

static void test_stripe__putting_again_replaces(void **state)
{
    store_case *self = *state;
    const dreamd_stripe_account first = { "acct_1", "token" }, second = { "acct_2", "" };
    dreamd_stripe_account found;
    bool is_found = false;
    assert_ok(dreamd_stripe_account_put(self->db, PLATFORM, DREAMD_LIVE, &first, master_key, T0));
    assert_ok(dreamd_stripe_account_put(self->db, PLATFORM, DREAMD_LIVE, &second, master_key, T0));
    assert_ok(dreamd_stripe_account_find(self->db, PLATFORM, DREAMD_LIVE, master_key, &found, &is_found));
    assert_string_equal(found.account_id, "acct_2");
    assert_string_equal(found.access_token, "");
}

static void test_stripe__longest_token_fits(void **state)
{
    store_case *self = *state;
    dreamd_stripe_account account = { .account_id = "acct_1" }, found;
    bool is_found = false;
    memset(account.access_token, 'x', sizeof account.access_token - 1);
    assert_ok(dreamd_stripe_account_put(self->db, PLATFORM, DREAMD_LIVE, &account, master_key, T0));
    assert_ok(dreamd_stripe_account_find(self->db, PLATFORM, DREAMD_LIVE, master_key, &found, &is_found));
    assert_string_equal(found.access_token, account.access_token);
}

static void test_stripe__token_opens_only_here_and_with_the_master_key(void **state)
{
    store_case *self = *state;
    const dreamd_stripe_account account = { "acct_1", "token" };
    const unsigned char wrong[32] = "another key";
    dreamd_stripe_account found;
    bool is_found = false;
    assert_ok(dreamd_stripe_account_put(self->db, PLATFORM, DREAMD_LIVE, &account, master_key, T0));
    assert_int_equal(dreamd_stripe_account_find(self->db, PLATFORM, DREAMD_LIVE, wrong, &found, &is_found),
                     DREAMD_DB_ERROR);
    assert_ok(dreamd_db_script(self->db, "UPDATE stripe_accounts SET mode = 'test'"));
    assert_int_equal(dreamd_stripe_account_find(self->db, PLATFORM, DREAMD_TEST, master_key, &found, &is_found),
                     DREAMD_DB_ERROR);
    assert_ok(dreamd_db_script(self->db, "UPDATE stripe_accounts SET access_token_sealed = x'00', mode = 'live'"));
    assert_int_equal(dreamd_stripe_account_find(self->db, PLATFORM, DREAMD_LIVE, master_key, &found, &is_found),
                     DREAMD_DB_ERROR);
}

static void test_stripe__account_names_its_owner_in_its_mode(void **state)
{
    store_case *self = *state;
    const dreamd_stripe_account account = { "acct_1", "" };
    char owner[DREAMD_ID_SIZE];
    bool is_found = false;
    assert_ok(dreamd_stripe_account_put(self->db, PLATFORM, DREAMD_TEST, &account, master_key, T0));
    assert_ok(dreamd_stripe_account_owner(self->db, "acct_1", DREAMD_TEST, owner, &is_found));
    assert_true(is_found);
    assert_string_equal(owner, PLATFORM);
    assert_ok(dreamd_stripe_account_owner(self->db, "acct_1", DREAMD_LIVE, owner, &is_found));
    assert_false(is_found);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_platform__is_found_by_id_and_by_email_without_case),
        CASE(test_platform__email_and_developer_are_unique),
        CASE(test_billing__is_set_and_cleared),
        cmocka_unit_test(test_blocked__once_subscription_and_grace_are_over),
        cmocka_unit_test(test_mode__text_and_back),
        CASE(test_project__refuses_unknown_types_and_platforms),
        CASE(test_stripe__token_comes_back_and_is_stored_sealed),
        CASE(test_stripe__putting_again_replaces),
        CASE(test_stripe__longest_token_fits),
        CASE(test_stripe__token_opens_only_here_and_with_the_master_key),
        CASE(test_stripe__account_names_its_owner_in_its_mode),
    };
    return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}
