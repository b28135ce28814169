/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - the invariants, one row of a table each: a query that gives what breaks it, one line of text a row.
 * A healthy store gives no rows. The queries join what foreign keys already hold, as a repaired or restored file need not. */
#include "service/store/check.h"

#include "service/store/row.h"
#include "service/store/totals.h"

enum { REPORTED_MAX = 100 };

typedef struct rule {
    const char *name;
    const char *sql;
    bool takes_now; /* as $1 */
} rule;

#define USER_KEY(t) t ".platform_id || '/' || " t ".project_id || '/' || " t ".user_id"
#define PERIOD_KEY(t) USER_KEY(t) " || '/' || " t ".meter || '/' || " t ".period_start_day"
#define NO_PARENT(child, parent, on, key)                                                                              \
    "SELECT '" child " ' || " key " || ' has no row in " parent "' FROM " child " c WHERE NOT EXISTS "                 \
    "(SELECT 1 FROM " parent " p WHERE " on ")"
#define SAME_PROJECT "p.platform_id = c.platform_id AND p.project_id = c.project_id"
#define SAME_USER SAME_PROJECT " AND p.user_id = c.user_id"

static const rule rules[] = {
    { "file-is-sound", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'", false },
    { "schema-is-known",
      "SELECT 'schema version ' || s.version || ' after ' || s.steps || ' steps' FROM (SELECT COUNT(*) AS steps, "
      "COALESCE(MAX(version), 0) AS version FROM schema_migrations) s WHERE s.steps = 0 OR s.steps <> s.version",
      false },
    { "store-has-an-epoch",
      "SELECT 'meta store_epoch is missing or no number' WHERE NOT EXISTS (SELECT 1 FROM meta "
      "WHERE name = 'store_epoch' AND value <> '' AND ltrim(value, '0123456789') = '')",
      false },

    /* ---- no orphans ---- */
    { "project-has-platform",
      NO_PARENT("projects", "platforms", "p.platform_id = c.platform_id", "c.platform_id || '/' || c.project_id"),
      false },
    { "key-has-project", NO_PARENT("api_keys", "projects", SAME_PROJECT, "c.publishable_key"), false },
    { "tier-has-project",
      NO_PARENT("tiers", "projects", SAME_PROJECT, "c.platform_id || '/' || c.project_id || '/' || c.name"), false },
    { "account-has-platform",
      NO_PARENT("stripe_accounts", "platforms", "p.platform_id = c.platform_id", "c.platform_id || '/' || c.mode"),
      false },
    { "customer-has-project", NO_PARENT("customers", "projects", SAME_PROJECT, USER_KEY("c")), false },
    { "subscription-has-customer",
      NO_PARENT("subscriptions", "customers", SAME_USER, USER_KEY("c") " || '/' || c.subscription_id"), false },
    { "count-has-customer", NO_PARENT("usage_counts", "customers", SAME_USER, PERIOD_KEY("c")), false },
    { "day-has-count",
      NO_PARENT("usage_daily", "usage_counts",
                SAME_USER " AND p.meter = c.meter AND p.period_start_day = c.period_start_day",
                PERIOD_KEY("c") " || '/' || c.day"),
      false },
    { "history-has-event",
      NO_PARENT("subscription_events", "events",
                "p.platform_id = c.platform_id AND p.source = c.source AND p.event_id = c.event_id",
                USER_KEY("c") " || '/' || c.event_id"),
      false },
    { "event-has-project", NO_PARENT("events", "projects", SAME_PROJECT " OR c.project_id IS NULL", "c.event_id"),
      false },

    /* ---- keys ---- */
    { "secret-hash-is-well-formed",
      "SELECT 'api_keys ' || publishable_key || ': secret_key_hash is no SHA-256, or key_id not its beginning' "
      "FROM api_keys WHERE length(secret_key_hash) <> 64 OR ltrim(secret_key_hash, '0123456789abcdef') <> '' OR "
      "key_id <> substr(secret_key_hash, 1, 16)",
      false },
    { "signing-key-is-sealed",
      "SELECT 'api_keys ' || publishable_key || ': signing_key_sealed has ' || length(signing_key_sealed) || ' bytes' "
      "FROM api_keys WHERE length(signing_key_sealed) <> 60",
      false },
    { "key-is-of-its-mode",
      "SELECT 'api_keys ' || k.publishable_key || ' is a key of a ' || p.mode || ' project' FROM api_keys k "
      "JOIN projects p ON p.platform_id = k.platform_id AND p.project_id = k.project_id "
      "WHERE substr(k.publishable_key, 1, 8) <> 'pk_' || p.mode || '_'",
      false },
    { "key-has-routes",
      "SELECT 'api_keys ' || k.publishable_key || ' (' || k.key_id || ') is not found by both routes' FROM api_keys k "
      "WHERE NOT EXISTS (SELECT 1 FROM secret_key_routes s WHERE s.secret_key_hash = k.secret_key_hash AND "
      "s.platform_id = k.platform_id AND s.publishable_key = k.publishable_key AND s.key_id = k.key_id) OR NOT EXISTS "
      "(SELECT 1 FROM publishable_key_routes r WHERE r.publishable_key = k.publishable_key AND "
      "r.platform_id = k.platform_id AND r.project_id = k.project_id)",
      false },
    { "route-has-key",
      "SELECT 'secret_key_routes ' || s.publishable_key || ' (' || s.key_id || ') has no key' FROM secret_key_routes s "
      "WHERE NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.platform_id = s.platform_id AND "
      "k.publishable_key = s.publishable_key AND k.key_id = s.key_id) UNION ALL "
      "SELECT 'publishable_key_routes ' || r.publishable_key || ' has no key' FROM publishable_key_routes r "
      "WHERE NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.platform_id = r.platform_id AND "
      "k.publishable_key = r.publishable_key)",
      false },
    { "revocation-is-dated",
      "SELECT 'api_keys ' || publishable_key || ' is ' || status || ', revoked_at_ms says otherwise' FROM api_keys "
      "WHERE (status = 'revoked') <> (revoked_at_ms IS NOT NULL)",
      false },

    { "end-follows-beginning",
      "SELECT 'api_keys ' || publishable_key || ' (' || key_id || ') ends before it was made' FROM api_keys WHERE "
      "expires_at_ms < created_at_ms",
      false },
    { "audit-is-readable",
      "SELECT 'audit_entries ' || platform_id || '/' || entry_id || ' has no action, or its detail is no object' FROM "
      "audit_entries WHERE action = '' OR substr(detail_json, 1, 1) <> '{'",
      false },
    { "audit-holds-no-secret",
      "SELECT 'audit_entries ' || platform_id || '/' || entry_id || ' holds what looks like a secret' FROM "
      "audit_entries WHERE detail_json LIKE '%sk\\_live\\_%' ESCAPE '\\' OR detail_json LIKE '%sk\\_test\\_%' ESCAPE "
      "'\\' OR detail_json LIKE '%whsec\\_%' ESCAPE '\\'",
      false },

    /* ---- tiers, customers ---- */
    { "tier-makes-sense",
      "SELECT 'tiers ' || platform_id || '/' || project_id || '/' || name || ': a number is below 0' FROM tiers WHERE "
      "price_minor < 0 OR usage_limit < 0 OR rate_limit < 0 OR inventory < 0 OR trial_days < 0",
      false },
    { "deleted-customer-is-bare",
      "SELECT 'customers ' || " USER_KEY(
          "c") " || ' is deleted, but keeps data or has no date' FROM customers c "
               "WHERE status = 'deleted' AND (deleted_at_ms IS NULL OR email IS NOT NULL OR first_name IS NOT NULL OR "
               "last_name IS NOT NULL) OR status <> 'deleted' AND deleted_at_ms IS NOT NULL",
      false },

    /* Uses of a token that is still around may make a customer; what the identity provider tells may not. */
    { "user-gone-has-no-profile",
      "SELECT 'customers ' || " USER_KEY(
          "c") " || ' has a profile, but its user was deleted' FROM deleted_users d JOIN "
               "customers c ON c.user_id = d.user_id JOIN projects p ON p.platform_id = c.platform_id AND "
               "p.project_id = c.project_id WHERE p.mode = d.mode AND c.status <> 'deleted' AND c.profile_at_ms IS NOT "
               "NULL",
      false },

    /* ---- usage ---- */
    { "count-is-not-negative",
      "SELECT 'usage_counts ' || " PERIOD_KEY("c") " || ': used ' || used || ', held ' || held || ', lost ' || lost "
                                                   "FROM usage_counts c WHERE used < 0 OR held < 0 OR lost < 0",
      false },
    /* The highest limit that was in force: a downgrade makes nothing wrong that was right. What an operator wrote off may be used
     * on top of it; so may, after a restore, what was admitted past the backup. */
    { "count-is-within-limit",
      "SELECT 'usage_counts ' || " PERIOD_KEY("c") " || ': used ' || used || ', held ' || held || ', lost ' || lost "
                                                   "|| ' with a limit of ' || highest_limit || ' and ' || written_off "
                                                   "|| ' written off' FROM usage_counts c "
                                                   "WHERE used + held + lost - written_off > highest_limit",
      false },
    { "days-sum-to-count",
      "SELECT 'usage_counts ' || " PERIOD_KEY(
          "c") " || ': used ' || c.used || ', but its days sum to ' || "
               "COALESCE(d.total, 0) FROM usage_counts c LEFT JOIN (SELECT platform_id, project_id, user_id, meter, "
               "period_start_day, SUM(used) AS total FROM usage_daily GROUP BY 1, 2, 3, 4, 5) d ON "
               "d.platform_id = c.platform_id AND d.project_id = c.project_id AND d.user_id = c.user_id AND d.meter = "
               "c.meter "
               "AND d.period_start_day = c.period_start_day WHERE c.used <> COALESCE(d.total, 0)",
      false },
    { "day-is-in-period",
      "SELECT 'usage_daily ' || " PERIOD_KEY(
          "d") " || '/' || d.day || ' is outside its period or below 0' "
               "FROM usage_daily d JOIN usage_counts c ON c.platform_id = d.platform_id AND c.project_id = "
               "d.project_id AND "
               "c.user_id = d.user_id AND c.meter = d.meter AND c.period_start_day = d.period_start_day "
               "WHERE d.day < c.period_start_day OR d.day > c.period_end_day OR d.used < 0",
      false },
    /* Times 1.0, as an integer SUM fails beyond 2^63. A sum that is at its end (totals.h) is not compared. */
    { "totals-sum-up-the-days",
      "SELECT 'usage_totals ' || s.platform_id || '/' || s.project_id || '/' || s.meter || '/' || s.day || ' (period "
      "to ' "
      "|| s.period_end_day || ') is off by ' || CAST(SUM(s.used) AS BIGINT) FROM (SELECT platform_id, "
      "project_id, meter, day, period_end_day, used * 1.0 AS used FROM usage_totals UNION ALL SELECT d.platform_id, "
      "d.project_id, d.meter, d.day, c.period_end_day, -d.used * 1.0 FROM usage_daily d JOIN usage_counts c ON "
      "c.platform_id = d.platform_id AND "
      "c.project_id = d.project_id AND c.user_id = d.user_id AND c.meter = d.meter AND "
      "c.period_start_day = d.period_start_day) s GROUP BY s.platform_id, s.project_id, s.meter, s.day, "
      "s.period_end_day HAVING SUM(s.used) <> 0 AND MAX(s.used) < " DREAMD_TOTAL_MAX_SQL,
      false },
    { "period-is-whole",
      "SELECT 'usage_counts ' || " PERIOD_KEY("c") " || ' ends on day ' || period_end_day FROM usage_counts c "
                                                   "WHERE period_end_day < period_start_day",
      false },
    { "periods-do-not-overlap",
      "SELECT 'usage_counts ' || " PERIOD_KEY(
          "c") " || ' overlaps the period from day ' || o.period_start_day "
               "FROM usage_counts c JOIN usage_counts o ON o.platform_id = c.platform_id AND o.project_id = "
               "c.project_id AND "
               "o.user_id = c.user_id AND o.meter = c.meter AND o.period_start_day > c.period_start_day AND "
               "o.period_start_day <= c.period_end_day",
      false },
    { "rate-is-counted",
      "SELECT 'rate_windows ' || " USER_KEY("c") " || '/' || window_minute || ': ' || calls || ' calls' "
                                                 "FROM rate_windows c WHERE calls < 1",
      false },

    /* ---- leases ---- */
    { "lease-has-count",
      NO_PARENT("leases", "usage_counts",
                SAME_USER " AND p.meter = c.meter AND p.period_start_day = c.period_start_day AND p.period_end_day = "
                          "c.period_end_day",
                PERIOD_KEY("c") " || '/' || c.lease_id"),
      false },
    { "lease-makes-sense",
      "SELECT 'leases ' || " PERIOD_KEY(
          "l") " || '/' || lease_id || ': state ' || state || ', granted ' || granted || ', admitted ' || admitted || "
               "', "
               "refunded ' || refunded FROM leases l WHERE state NOT BETWEEN 0 AND 3 OR granted < 1 OR admitted NOT "
               "BETWEEN 0 AND granted OR refunded NOT BETWEEN 0 AND granted OR event_refunded < 0 OR written_off < 0",
      false },
    { "lease-ends-with-its-period",
      "SELECT 'leases ' || " PERIOD_KEY("l") " || '/' || lease_id || ' ends after its period' FROM leases l WHERE "
                                             "plan <> '' AND ends_at_ms > (period_end_day + 1) * 86400000",
      false },
    /* Where the books are closed, the rows may be gone. */
    { "leases-sum-to-count",
      "SELECT 'usage_counts ' || " PERIOD_KEY(
          "c") " || ': held ' || c.held || ', lost ' || c.lost || ', leased ' || c.leased || ', but its leases come to "
               "' "
               "|| COALESCE(l.held, 0) || ', ' || COALESCE(l.lost, 0) || ', ' || COALESCE(l.charged, 0) FROM "
               "usage_counts c LEFT JOIN (SELECT platform_id, project_id, user_id, meter, period_start_day, "
               "SUM(CASE WHEN state = 0 THEN rest ELSE 0 END) AS held, "
               "SUM(CASE WHEN state IN (1, 2) AND rest > written_off THEN rest - written_off ELSE 0 END) AS lost, "
               "SUM(CASE WHEN charged > 0 THEN charged ELSE 0 END) AS charged FROM (SELECT platform_id, project_id, "
               "user_id, meter, period_start_day, state, written_off, "
               "granted - CASE WHEN admitted > refunded THEN admitted ELSE refunded END AS rest, "
               "admitted - CASE WHEN admitted < refunded THEN admitted ELSE refunded END - event_refunded AS charged "
               "FROM leases) GROUP BY 1, 2, 3, 4, 5) l ON l.platform_id = c.platform_id AND l.project_id = "
               "c.project_id "
               "AND l.user_id = c.user_id AND l.meter = c.meter AND l.period_start_day = c.period_start_day WHERE "
               "c.is_closed = 0 AND (c.held <> COALESCE(l.held, 0) OR c.lost <> COALESCE(l.lost, 0) OR "
               "c.leased <> COALESCE(l.charged, 0))",
      false },
    { "leased-is-used",
      "SELECT 'usage_counts ' || " PERIOD_KEY("c") " || ': used ' || used || ', of it leased ' || leased FROM "
                                                   "usage_counts c WHERE leased > used OR leased < 0 OR "
                                                   "written_off < 0",
      false },
    { "refund-has-lease",
      NO_PARENT("lease_refunds", "leases", SAME_PROJECT " AND p.lease_id = c.lease_id",
                "c.platform_id || '/' || c.project_id || '/' || c.lease_id || '/' || c.refund_id"),
      false },
    { "refunds-sum-to-lease",
      "SELECT 'leases ' || " PERIOD_KEY(
          "l") " || '/' || l.lease_id || ': refunded ' || l.event_refunded || ' by events "
               "that come to ' || COALESCE(r.units, 0) FROM leases l LEFT JOIN (SELECT "
               "platform_id, project_id, lease_id, SUM(units) AS units FROM lease_refunds "
               "GROUP BY 1, 2, 3) r ON r.platform_id = l.platform_id AND r.project_id = "
               "l.project_id AND r.lease_id = l.lease_id WHERE l.event_refunded <> "
               "COALESCE(r.units, 0)",
      false },
    { "request-has-its-answer",
      "SELECT 'lease_requests ' || q.platform_id || '/' || q.project_id || '/' || q.request_id || ' has neither a "
      "lease "
      "nor a refusal' FROM lease_requests q WHERE q.lease_id IS NULL AND q.error IS NULL OR q.lease_id IS NOT NULL AND "
      "NOT EXISTS (SELECT 1 FROM leases l WHERE l.platform_id = q.platform_id AND l.project_id = q.project_id AND "
      "l.lease_id = q.lease_id)",
      false },
    { "recall-has-lease",
      "SELECT 'lease_recalls ' || r.platform_id || '/' || r.project_id || '/' || r.lease_id || ' is not active' FROM "
      "lease_recalls r WHERE NOT EXISTS (SELECT 1 FROM leases l WHERE l.platform_id = r.platform_id AND l.project_id = "
      "r.project_id AND l.lease_id = r.lease_id AND l.holder = r.holder AND l.state = 0 AND l.is_recalled = 1)",
      false },

    /* ---- subscriptions ---- */
    /* The row is what its newest applied event made it; a checkout's status may have given way. */
    { "subscription-has-its-events",
      "SELECT 'subscriptions ' || " USER_KEY("c") " || '/' || c.subscription_id || ' is not what its events say' "
                                                  "FROM subscriptions c WHERE NOT EXISTS (SELECT 1 FROM "
                                                  "subscription_events e WHERE e.platform_id = c.platform_id "
                                                  "AND e.project_id = c.project_id AND e.user_id = c.user_id AND "
                                                  "e.subscription_id = c.subscription_id AND "
                                                  "e.is_applied = 1 AND e.created_s = c.last_created_s AND "
                                                  "e.event_rank = c.last_rank AND e.status = c.status AND "
                                                  "e.plan = c.plan)",
      false },
    { "history-has-subscription",
      "SELECT 'subscription_events ' || " USER_KEY(
          "e") " || '/' || e.event_id || ' is of no subscription' "
               "FROM subscription_events e WHERE e.subscription_id <> '' AND NOT EXISTS (SELECT 1 FROM subscriptions c "
               "WHERE "
               "c.platform_id = e.platform_id AND c.project_id = e.project_id AND c.user_id = e.user_id AND "
               "c.subscription_id = e.subscription_id)",
      false },
    { "applied-is-the-newest",
      "SELECT 'subscriptions ' || " USER_KEY(
          "c") " || '/' || c.subscription_id || ' is behind event ' || e.event_id "
               "FROM subscriptions c JOIN subscription_events e ON e.platform_id = c.platform_id AND "
               "e.project_id = c.project_id AND e.user_id = c.user_id AND e.subscription_id = c.subscription_id "
               "WHERE c.subscription_id <> '' AND (e.created_s > c.last_created_s OR e.created_s = c.last_created_s "
               "AND "
               "e.event_rank > c.last_rank)",
      false },

    /* Not what a checkout took. */
    { "subscription-costs-what-it-told",
      "SELECT 'subscriptions ' || " USER_KEY(
          "c") " || '/' || c.subscription_id || ': no event of it told the amount ' || "
               "COALESCE(CAST(c.amount_minor AS TEXT), 'NULL') FROM subscriptions c WHERE c.terms_s IS NOT NULL AND "
               "NOT EXISTS "
               "(SELECT 1 FROM "
               "subscription_events e WHERE e.platform_id = c.platform_id AND e.project_id = c.project_id AND "
               "e.user_id = c.user_id AND e.subscription_id = c.subscription_id AND e.created_s = c.terms_s AND "
               "e.type NOT LIKE 'checkout.%' AND (e.amount_minor IS NULL OR e.amount_minor = c.amount_minor))",
      false },
    { "totals-sum-up-the-subscriptions",
      "SELECT 'subscription_totals ' || s.platform_id || '/' || s.project_id || '/' || s.currency || ' is off by ' || "
      "SUM(s.subs) || ' subscriptions (' || SUM(s.ending) || ' ending, ' || CAST(SUM(s.yearly) AS BIGINT) || ' a "
      "year)' FROM (SELECT platform_id, project_id, currency, active_subs AS subs, canceling_subs AS ending, "
      "yearly_minor * 1.0 AS yearly FROM subscription_totals UNION ALL SELECT platform_id, "
      "project_id, " DREAMD_COUNTED_CURRENCY
      ", -1, CASE WHEN canceled_at_ms IS NULL THEN 0 ELSE -1 END, -(" DREAMD_COUNTED_YEARLY
      ") * 1.0 FROM subscriptions WHERE status IN ('active', 'trialing')) s GROUP BY s.platform_id, s.project_id, "
      "s.currency HAVING SUM(s.subs) <> 0 OR SUM(s.ending) <> 0 OR (SUM(s.yearly) <> 0 AND MAX(s.yearly) "
      "< " DREAMD_TOTAL_MAX_SQL ")",
      false },
    { "totals-sum-up-the-sales",
      "SELECT 'project_totals ' || s.platform_id || '/' || s.project_id || ' is off by ' || SUM(s.sales) || ' sales (' "
      "|| CAST(SUM(s.revenue) AS BIGINT) || ')' FROM (SELECT platform_id, project_id, sales_count AS sales, "
      "revenue_minor * 1.0 AS revenue FROM project_totals UNION ALL SELECT platform_id, project_id, -1, "
      "-sale_minor * 1.0 FROM events WHERE sale_minor IS NOT NULL) s GROUP BY s.platform_id, s.project_id "
      "HAVING SUM(s.sales) <> 0 OR (SUM(s.revenue) <> 0 AND MAX(s.revenue) < " DREAMD_TOTAL_MAX_SQL ")",
      false },
    { "customer-has-its-plan",
      "SELECT 'customers ' || " USER_KEY(
          "c") " || ' is listed with the plan ' || c.current_plan FROM customers c WHERE c.status = 'active' AND "
               "c.current_plan <> lower(COALESCE((SELECT s.plan FROM subscriptions s WHERE s.platform_id = "
               "c.platform_id AND s.project_id = c.project_id AND s.user_id = c.user_id AND s.status IN ('active', "
               "'trialing') ORDER BY s.started_s DESC, s.subscription_id DESC LIMIT 1), c.plan, 'free'))",
      false },

    /* ---- idempotency ---- */
    /* What is past its end and was not taken over is no harm: the clean-up gets it. */
    { "claim-comes-to-an-end",
      "SELECT 'idempotency_keys ' || platform_id || '/' || project_id || path || ': in flight for more than a day' "
      "FROM idempotency_keys WHERE claimed_until_ms > $1 AND claimed_until_ms > created_at_ms + 86400000",
      true },
    { "kept-answer-is-whole",
      "SELECT 'idempotency_keys ' || platform_id || '/' || project_id || path || ': done without an answer' "
      "FROM idempotency_keys WHERE claimed_until_ms IS NULL AND (status IS NULL OR body IS NULL)",
      false },
};

static dreamd_db_status ask(dreamd_db *db, const rule *asked, int64_t now_ms, dreamd_check_report *report,
                            void *context, int64_t *violations)
{
    dreamd_rows *rows = NULL;
    dreamd_param now = dreamd_int(now_ms);
    int64_t found = 0;
    dreamd_db_status status = dreamd_db_query(db, asked->sql, &now, asked->takes_now ? 1 : 0, &rows);
    if (status != DREAMD_DB_OK)
        return status;
    while ((status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        const char *what = dreamd_rows_text(rows, 0);
        if (++found <= REPORTED_MAX)
            report(context, asked->name, what ? what : "(a key is missing)");
    }
    dreamd_rows_finish(rows);
    *violations += found;
    return status;
}

dreamd_db_status dreamd_check(dreamd_db *db, int64_t now_ms, dreamd_check_report *report, void *context,
                              int64_t *out_violations)
{
    dreamd_db_status status = DREAMD_DB_OK;
    *out_violations = 0;
    for (size_t i = 0; status == DREAMD_DB_OK && i < sizeof rules / sizeof rules[0]; i++)
        status = ask(db, &rules[i], now_ms, report, context, out_violations);
    return status;
}
