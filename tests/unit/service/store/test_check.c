/* SPDX-License-Identifier: Apache-2.0 */
/* test_check.c - a busy store passes every rule; each kind of corruption is found by the rule made for it. The corruption is
 * planted past the database's own constraints, as a bad restore or a repair by hand would. */
#include "lease_case.h"

#include <string.h>

#define OF_USER "'" PLATFORM "', '" PROJECT "', 'user_a'"
#define IN_PROJECT "'" PLATFORM "', '" PROJECT "'"

/* Leases of user_a in a period of their own: a final one with a refund, a recalled one, a lost one; and a refusal. */
static void fill_leases(const store_case *self)
{
    dreamd_lease_scope scope = scope_of(self, "h1", T0 + 80 * DAY);
    dreamd_lease_scope other = scope_of(self, "h2", T0 + 80 * DAY);
    dreamd_lease_grant lost = granted(self, &scope, "r1", 7);
    scope.now_ms += TTL_MS + GRACE_MS;
    other.now_ms = scope.now_ms;
    dreamd_lease_grant done = granted(self, &scope, "r2", 6);
    (void)granted(self, &scope, "r3", 200);
    for (int i = 0; i < 20; i++)
        (void)acquire(self, &other, (const char[]){ 'o', (char)('a' + i), '\0' }, 200);
    assert_int_equal(finish(self, &scope, &done, 4).charged, 4);
    assert_int_equal(refund(self, &scope, "x1", done.lease_id, 1), DREAMD_LEASE_REFUND_APPLIED);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM leases WHERE state = 1"), 1);
    assert_int_equal(lost.granted, 7);
}

/* Some of everything. */
static void fill(const store_case *self)
{
    bool is_found = false;
    char hash[DREAMD_REQUEST_HASH_SIZE];
    dreamd_event_outcome outcome;
    dreamd_idempotency_claim_result claimed;
    dreamd_idempotency_scope scope = { &self->project, "/api/data", "k" };
    const dreamd_stripe_account account = { "acct_1", "token" };
    dreamd_usage_request request = request_of(self, "user_a", T0);
    dreamd_subscription subscription = DREAMD_SUBSCRIPTION_INIT;
    subscription.user_id = "user_a";
    subscription.subscription_id = "sub_1";
    subscription.plan = "pro";
    subscription.status = "active";
    subscription.amount_minor = 2900;
    dreamd_event event = { .source = "stripe-live",
                           .event_id = "evt_1",
                           .type = "customer.subscription.created",
                           .created_s = 100,
                           .project = &self->project,
                           .subscription = &subscription };

    for (int i = 0; i < 3; i++)
        (void)admit(self, &request);
    request.now_ms += 40 * DAY;
    (void)admit(self, &request);
    assert_ok(dreamd_event_apply(self->db, &event, T0, &outcome));
    fill_leases(self);
    assert_ok(dreamd_stripe_account_put(self->db, PLATFORM, DREAMD_LIVE, &account, master_key, T0));
    assert_ok(dreamd_customer_delete(self->db, &self->project, "user_gone", T0, &is_found));
    assert_true(dreamd_request_hash("POST", "/api/data", "", 0, hash));
    assert_ok(dreamd_idempotency_claim(self->db, &scope, hash, T0, self->arena, &claimed));
    assert_ok(dreamd_idempotency_finish(self->db, &scope, claimed.claim_id, 200, "text/plain", "x", 1));
    scope.key = "k2"; /* crashed long ago: no harm */
    assert_ok(dreamd_idempotency_claim(self->db, &scope, hash, T0, self->arena, &claimed));
}

static void test_check__healthy_store_breaks_no_rule(void **state)
{
    store_case *self = *state;
    assert_int_equal(violations_of(self->db, T0), 0);
    fill(self);
    assert_int_equal(violations_of(self->db, T0), 0);
    assert_int_equal(violations_of(self->db, T0 + 365 * DAY), 0);
}

typedef struct planted {
    const char *rule;
    const char *sql;
} planted;

static const planted plantings[] = {
    { "schema-is-known", "INSERT INTO schema_migrations (version) VALUES (9)" },
    { "store-has-an-epoch", "DELETE FROM meta" },
    { "store-has-an-epoch", "UPDATE meta SET value = 'one'" },
    { "project-has-platform", "INSERT INTO projects VALUES ('plt_x', 'prj_x', 'live', 'saas', 'X', 0, 1)" },
    { "key-has-project", "DELETE FROM projects" },
    { "tier-has-project", "UPDATE tiers SET project_id = 'prj_x' WHERE name = 'free'" },
    { "account-has-platform", "UPDATE stripe_accounts SET platform_id = 'plt_x'" },
    { "customer-has-project", "UPDATE customers SET project_id = 'prj_x' WHERE user_id = 'user_gone'" },
    { "subscription-has-customer", "DELETE FROM customers WHERE user_id = 'user_a'" },
    { "count-has-customer", "DELETE FROM customers WHERE user_id = 'user_a'" },
    { "day-has-count", "DELETE FROM usage_counts" },
    { "history-has-event", "DELETE FROM events" },
    { "event-has-project", "UPDATE events SET project_id = 'prj_x'" },
    { "secret-hash-is-well-formed", "UPDATE api_keys SET secret_key_hash = upper(secret_key_hash) || 'G'" },
    { "secret-hash-is-well-formed", "UPDATE api_keys SET key_id = '0123456789abcdef'" },
    { "signing-key-is-sealed", "UPDATE api_keys SET signing_key_sealed = x'00'" },
    { "key-is-of-its-mode", "UPDATE projects SET mode = 'test'" },
    { "key-has-routes", "DELETE FROM secret_key_routes" },
    { "key-has-routes", "UPDATE publishable_key_routes SET project_id = 'prj_x'" },
    { "route-has-key", "INSERT INTO secret_key_routes VALUES ('00', '" PLATFORM "', 'pk_live_x', '00')" },
    { "route-has-key", "INSERT INTO publishable_key_routes VALUES ('pk_live_x', " IN_PROJECT ")" },
    { "revocation-is-dated", "UPDATE api_keys SET status = 'revoked'" },
    { "end-follows-beginning", "UPDATE api_keys SET expires_at_ms = created_at_ms - 1" },
    { "audit-is-readable", "INSERT INTO audit_entries VALUES ('', 'x', 1, 'key create', 'sk', '')" },
    { "audit-holds-no-secret",
      "INSERT INTO audit_entries VALUES ('', 'x', 1, 'key create', '{\"secretKey\":\"sk_live_1\"}', '')" },
    { "tier-makes-sense", "UPDATE tiers SET usage_limit = -1 WHERE name = 'free'" },
    { "deleted-customer-is-bare", "UPDATE customers SET email = 'x@example.test' WHERE user_id = 'user_gone'" },
    { "deleted-customer-is-bare", "UPDATE customers SET deleted_at_ms = NULL WHERE user_id = 'user_gone'" },
    { "count-is-not-negative", "UPDATE usage_counts SET held = -1 WHERE used = 3" },
    { "count-is-within-limit", "UPDATE usage_counts SET lost = 3 WHERE used = 3" },
    { "days-sum-to-count", "UPDATE usage_counts SET used = 4 WHERE used = 3" },
    { "days-sum-to-count", "DELETE FROM usage_daily WHERE used = 3" },
    { "day-is-in-period", "UPDATE usage_daily SET day = day - 1 WHERE used = 3" },
    { "period-is-whole", "UPDATE usage_counts SET period_end_day = period_start_day - 1 WHERE used = 3" },
    { "periods-do-not-overlap", "UPDATE usage_counts SET period_end_day = period_end_day + 20 WHERE used = 3" },
    { "rate-is-counted", "UPDATE rate_windows SET calls = 0" },
    { "lease-has-count", "DELETE FROM usage_counts WHERE held > 0" },
    { "lease-has-count", "UPDATE leases SET period_end_day = period_end_day + 1 WHERE state = 3" },
    { "lease-makes-sense", "UPDATE leases SET state = 4 WHERE state = 3" },
    { "lease-makes-sense", "UPDATE leases SET admitted = granted + 1 WHERE state = 3" },
    { "lease-ends-with-its-period", "UPDATE leases SET ends_at_ms = ends_at_ms + 2592000000" },
    { "leases-sum-to-count", "UPDATE usage_counts SET held = held - 1 WHERE held > 0" },
    { "leases-sum-to-count", "UPDATE usage_counts SET lost = lost + 1 WHERE lost > 0" },
    { "leases-sum-to-count", "UPDATE leases SET admitted = admitted + 1 WHERE state = 3" },
    { "leases-sum-to-count", "UPDATE leases SET state = 1 WHERE state = 0" },
    { "leases-sum-to-count", "DELETE FROM leases WHERE state = 1" },
    { "leased-is-used", "UPDATE usage_counts SET leased = used + 1 WHERE leased > 0" },
    { "refund-has-lease", "DELETE FROM leases WHERE state = 3" },
    { "refunds-sum-to-lease", "DELETE FROM lease_refunds" },
    { "request-has-its-answer", "DELETE FROM leases WHERE state = 1" },
    { "request-has-its-answer", "UPDATE lease_requests SET error = NULL" },
    { "recall-has-lease", "UPDATE leases SET is_recalled = 0" },
    { "recall-has-lease", "UPDATE leases SET state = 3 WHERE state = 0" },
    { "subscription-has-its-events", "DELETE FROM subscription_events" },
    { "subscription-has-its-events", "UPDATE subscriptions SET status = 'canceled'" },
    { "subscription-has-its-events", "UPDATE subscriptions SET plan = 'enterprise'" },
    { "history-has-subscription", "DELETE FROM subscriptions" },
    { "user-gone-has-no-profile",
      "INSERT INTO deleted_users VALUES ('live', 'user_a', 1); UPDATE customers SET profile_at_ms = 1" },
    { "subscription-costs-what-it-told", "UPDATE subscriptions SET amount_minor = 0" },
    { "subscription-costs-what-it-told", "UPDATE subscriptions SET terms_s = 1" },
    { "totals-sum-up-the-subscriptions", "UPDATE subscriptions SET interval_count = 2" },
    { "totals-sum-up-the-subscriptions", "UPDATE subscriptions SET amount_minor = 0" },
    { "totals-sum-up-the-sales", "INSERT INTO project_totals VALUES (" IN_PROJECT ", 1, 500)" },
    { "applied-is-the-newest", "UPDATE subscriptions SET last_created_s = 99" },
    { "claim-comes-to-an-end",
      "UPDATE idempotency_keys SET claimed_until_ms = 9000000000000 WHERE idempotency_key = 'k2'" },
    { "kept-answer-is-whole", "UPDATE idempotency_keys SET body = NULL WHERE idempotency_key = 'k'" },
};

typedef struct wanted {
    const char *rule;
    int seen;
} wanted;

static void note(void *context, const char *rule, const char *what)
{
    wanted *self = context;
    if (strcmp(rule, self->rule) == 0 && what[0] && strcmp(what, "(a key is missing)") != 0)
        self->seen++;
}

static void test_check__finds_each_planted_corruption(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plantings / sizeof plantings[0]; i++) {
        wanted sought = { plantings[i].rule, 0 };
        int64_t violations = 0;
        void *fresh = NULL;
        assert_int_equal(store_case_setup(&fresh), 0);
        store_case *other = fresh;
        fill(other);
        assert_ok(dreamd_db_script(other->db, "PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON"));
        assert_ok(dreamd_db_script(other->db, plantings[i].sql));
        assert_ok(dreamd_check(other->db, T0, note, &sought, &violations));
        if (sought.seen == 0 || violations == 0)
            print_error("not found: %s after %s\n", plantings[i].rule, plantings[i].sql);
        assert_true(sought.seen > 0 && violations > 0);
        assert_int_equal(store_case_teardown(&fresh), 0);
    }
}

static void count_reports(void *context, const char *rule, const char *what)
{
    (void)rule;
    (void)what;
    ++*(int *)context;
}

static void test_check__reports_no_more_than_a_hundred_rows_of_a_rule_but_counts_all(void **state)
{
    store_case *self = *state;
    int reports = 0;
    int64_t violations = 0;
    assert_ok(dreamd_db_script(self->db, "PRAGMA foreign_keys=OFF"));
    assert_ok(dreamd_db_script(self->db,
                               "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) "
                               "INSERT INTO projects SELECT 'plt_x', 'prj_' || i, 'live', 'saas', 'X', 0, 1 FROM n"));
    assert_ok(dreamd_check(self->db, T0, count_reports, &reports, &violations));
    assert_int_equal(violations, 150);
    assert_int_equal(reports, 100);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_check__healthy_store_breaks_no_rule),
        cmocka_unit_test(test_check__finds_each_planted_corruption),
        CASE(test_check__reports_no_more_than_a_hundred_rows_of_a_rule_but_counts_all),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
