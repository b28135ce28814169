/* SPDX-License-Identifier: Apache-2.0 */
/* migrations.c - the schema, as the list of steps that made it. docs/data-model.md says what the tables mean.
 *
 * A step that was released is never changed: a later step corrects it. Each runs in one transaction that begins with the
 * write lock and then reads the version, so that of several processes one does the step and the others see it done.
 *
 * The text is what SQLite and PostgreSQL both accept; where they differ there is a word in braces, put in by `dialect`:
 * {int} a 64-bit integer, {bytes} binary, {keyed} the end of a table of small rows found by their key, {plain} of any other. */
#include "service/store/migrations.h"

#include <stdio.h>
#include <string.h>

#include "common/buffer.h"
#include "service/store/row.h"

/* A list of scripts only because compilers promise no more than 4095 bytes of text in one piece. */
static const char *const first_step[] = {
    "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL){keyed};",
    /* Raised by a restore from a backup, so that holders of leases notice. */
    "INSERT INTO meta (name, value) VALUES ('store_epoch', '1');",

    "CREATE TABLE platforms ("
    "  platform_id TEXT NOT NULL PRIMARY KEY,"
    "  email TEXT,"
    "  clerk_user_id TEXT UNIQUE,"
    "  subscription_status TEXT NOT NULL DEFAULT '',"
    "  current_period_end_ms {int},"
    "  created_at_ms {int} NOT NULL,"
    "  updated_at_ms {int} NOT NULL){plain};",
    "CREATE UNIQUE INDEX platforms_by_email ON platforms (lower(email));",

    "CREATE TABLE projects ("
    "  platform_id TEXT NOT NULL REFERENCES platforms,"
    "  project_id TEXT NOT NULL,"
    "  mode TEXT NOT NULL CHECK (mode IN ('live', 'test')),"
    "  type TEXT NOT NULL CHECK (type IN ('saas', 'store', 'membership')),"
    "  name TEXT NOT NULL,"
    "  is_tax_enabled {int} NOT NULL CHECK (is_tax_enabled IN (0, 1)),"
    "  created_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, project_id)){plain};",

    "CREATE TABLE api_keys ("
    "  platform_id TEXT NOT NULL,"
    "  publishable_key TEXT NOT NULL,"
    "  key_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  secret_key_hash TEXT NOT NULL,"
    "  signing_key_sealed {bytes} NOT NULL,"
    "  status TEXT NOT NULL CHECK (status IN ('active', 'revoked')),"
    "  created_at_ms {int} NOT NULL,"
    "  revoked_at_ms {int},"
    "  PRIMARY KEY (platform_id, publishable_key, key_id),"
    "  FOREIGN KEY (platform_id, project_id) REFERENCES projects){plain};",
    /* A request names no platform: these two say which one to look in. */
    "CREATE TABLE publishable_key_routes ("
    "  publishable_key TEXT NOT NULL PRIMARY KEY,"
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  FOREIGN KEY (platform_id, project_id) REFERENCES projects){keyed};",
    "CREATE TABLE secret_key_routes ("
    "  secret_key_hash TEXT NOT NULL PRIMARY KEY,"
    "  platform_id TEXT NOT NULL,"
    "  publishable_key TEXT NOT NULL,"
    "  key_id TEXT NOT NULL,"
    "  FOREIGN KEY (platform_id, publishable_key, key_id) REFERENCES api_keys){keyed};",

    "CREATE TABLE stripe_accounts ("
    "  platform_id TEXT NOT NULL REFERENCES platforms,"
    "  mode TEXT NOT NULL CHECK (mode IN ('live', 'test')),"
    "  account_id TEXT NOT NULL,"
    "  access_token_sealed {bytes},"
    "  updated_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, mode)){plain};",
    "CREATE INDEX stripe_accounts_by_account ON stripe_accounts (account_id, mode);",

    "CREATE TABLE tiers ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  name TEXT NOT NULL CHECK (name <> ''),"
    "  display_name TEXT NOT NULL,"
    "  price_minor {int} NOT NULL CHECK (price_minor >= 0),"
    "  usage_limit {int} CHECK (usage_limit >= 0)," /* NULL = unlimited */
    "  rate_limit {int} CHECK (rate_limit >= 0),"   /* NULL = none */
    "  price_id TEXT,"
    "  product_id TEXT,"
    "  features_json TEXT NOT NULL,"
    "  description TEXT NOT NULL,"
    "  billing_mode TEXT NOT NULL CHECK (billing_mode IN ('subscription', 'one_off')),"
    "  image_url TEXT,"
    "  inventory {int} CHECK (inventory >= 0)," /* NULL = unlimited */
    "  is_sold_out {int} NOT NULL CHECK (is_sold_out IN (0, 1)),"
    "  is_popular {int} NOT NULL CHECK (is_popular IN (0, 1)),"
    "  trial_days {int} CHECK (trial_days >= 0),"
    "  meters_json TEXT,"
    "  created_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, project_id, name),"
    "  FOREIGN KEY (platform_id, project_id) REFERENCES projects){plain};",

    /* A row stands for a file beside the database. */
    "CREATE TABLE assets ("
    "  platform_id TEXT NOT NULL REFERENCES platforms,"
    "  name TEXT NOT NULL CHECK (name <> ''),"
    "  content_type TEXT NOT NULL,"
    "  size_bytes {int} NOT NULL CHECK (size_bytes > 0),"
    "  created_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, name)){keyed};",

    "CREATE TABLE customers ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  user_id TEXT NOT NULL CHECK (user_id <> ''),"
    "  status TEXT NOT NULL CHECK (status IN ('active', 'deleted')),"
    "  email TEXT,"
    "  first_name TEXT,"
    "  last_name TEXT,"
    "  plan TEXT CHECK (plan <> '')," /* NULL = never set */
    /* What counts now, in lower case: a running subscription's plan, else `plan`, else 'free'. For lists; limits look themselves. */
    "  current_plan TEXT NOT NULL DEFAULT 'free' CHECK (current_plan <> ''),"
    "  profile_at_ms {int}," /* the identity provider's time of the newest profile told by its events */
    "  created_at_ms {int} NOT NULL,"
    "  updated_at_ms {int} NOT NULL,"
    "  deleted_at_ms {int},"
    "  PRIMARY KEY (platform_id, project_id, user_id),"
    "  FOREIGN KEY (platform_id, project_id) REFERENCES projects){keyed};",
    "CREATE INDEX customers_by_age ON customers (platform_id, project_id, created_at_ms, user_id) "
    "WHERE status = 'active';",
    "CREATE INDEX customers_by_plan ON customers (platform_id, project_id, current_plan, created_at_ms, user_id) "
    "WHERE status = 'active';",
    "CREATE INDEX customers_by_email ON customers (platform_id, project_id, lower(email), created_at_ms, user_id) "
    "WHERE status = 'active' AND email IS NOT NULL;",
    /* The identity provider tells of a deletion by the user's id alone. */
    "CREATE INDEX customers_by_user ON customers (user_id);",
    /* Whom the identity provider told to be gone, customers or not: what it says of them later is late. */
    "CREATE TABLE deleted_users ("
    "  mode TEXT NOT NULL CHECK (mode IN ('live', 'test')),"
    "  user_id TEXT NOT NULL CHECK (user_id <> ''),"
    "  deleted_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (mode, user_id)){keyed};",

    "CREATE TABLE subscriptions ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  user_id TEXT NOT NULL,"
    "  subscription_id TEXT NOT NULL,"
    "  stripe_customer_id TEXT,"
    "  plan TEXT NOT NULL CHECK (plan <> ''),"
    "  status TEXT NOT NULL,"
    "  price_id TEXT,"
    "  product_id TEXT,"
    "  amount_minor {int},"
    "  currency TEXT,"
    "  billing_interval TEXT CHECK (billing_interval IN ('day', 'week', 'month', 'year'))," /* NULL = not told: a month */
    "  interval_count {int} CHECK (interval_count >= 1),"
    "  terms_s {int}," /* the time of the subscription's own event that told price and amount; NULL = at most a checkout did */
    "  current_period_end_ms {int},"
    "  canceled_at_ms {int},"
    "  cancel_reason TEXT,"
    "  started_s {int} NOT NULL,"      /* the time of the first event applied */
    "  last_created_s {int} NOT NULL," /* of the newest event applied, with its type's rank */
    "  last_rank {int} NOT NULL,"
    "  updated_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, project_id, user_id, subscription_id),"
    "  FOREIGN KEY (platform_id, project_id, user_id) REFERENCES customers){keyed};",

    "CREATE TABLE subscription_events ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  user_id TEXT NOT NULL,"
    "  subscription_id TEXT NOT NULL,"
    "  source TEXT NOT NULL,"
    "  event_id TEXT NOT NULL,"
    "  type TEXT NOT NULL,"
    "  created_s {int} NOT NULL,"
    "  event_rank {int} NOT NULL,"
    "  is_applied {int} NOT NULL CHECK (is_applied IN (0, 1)),"
    "  plan TEXT NOT NULL,"
    "  status TEXT NOT NULL,"
    "  price_id TEXT,"
    "  amount_minor {int},"
    "  currency TEXT,"
    "  recorded_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, project_id, user_id, subscription_id, source, event_id),"
    "  FOREIGN KEY (platform_id, project_id, user_id) REFERENCES customers){keyed};",

    "CREATE INDEX subscription_events_by_time ON subscription_events (platform_id, project_id, created_s);",

    /* platform_id '' and project_id NULL: of nobody we know. */
    "CREATE TABLE events ("
    "  platform_id TEXT NOT NULL,"
    "  source TEXT NOT NULL,"
    "  event_id TEXT NOT NULL,"
    "  project_id TEXT,"
    "  type TEXT NOT NULL,"
    "  created_s {int} NOT NULL,"
    "  is_stale {int} NOT NULL CHECK (is_stale IN (0, 1)),"
    "  payload TEXT,"
    "  sale_minor {int}," /* what a one-time payment of the project brought; NULL = the event is none */
    "  sale_session_id TEXT,"
    "  recorded_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, source, event_id)){plain};",
    /* A checkout is sold once. */
    "CREATE UNIQUE INDEX events_by_sale ON events (platform_id, project_id, source, sale_session_id) "
    "WHERE sale_session_id IS NOT NULL;",
    "CREATE INDEX events_by_time ON events (platform_id, project_id, source, recorded_at_ms);",

    /* One row a period; the one that begins last is the running one, or the last one. */
    "CREATE TABLE usage_counts ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  user_id TEXT NOT NULL,"
    "  meter TEXT NOT NULL,"
    "  period_start_day {int} NOT NULL,"
    "  period_end_day {int} NOT NULL,"
    "  used {int} NOT NULL CHECK (used >= 0),"
    "  held {int} NOT NULL CHECK (held >= 0),"
    "  lost {int} NOT NULL CHECK (lost >= 0),"
    "  highest_limit {int} NOT NULL," /* that any request of the period was admitted under; the largest integer = unlimited */
    "  updated_at_ms {int} NOT NULL,"
    "  leased {int} NOT NULL DEFAULT 0 CHECK (leased >= 0),"            /* the part of used that leases were charged */
    "  written_off {int} NOT NULL DEFAULT 0 CHECK (written_off >= 0),"  /* lost units that an operator gave back */
    "  is_closed {int} NOT NULL DEFAULT 0 CHECK (is_closed IN (0, 1))," /* settlements are not booked any more */
    "  held_refused_at_ms {int} NOT NULL DEFAULT 0," /* when somebody was last refused for held units alone */
    "  PRIMARY KEY (platform_id, project_id, user_id, meter, period_start_day),"
    "  FOREIGN KEY (platform_id, project_id, user_id) REFERENCES customers,"
    "  CHECK (period_end_day >= period_start_day)){keyed};",

    /* The period is part of the key, so that the days of a period sum to its count whatever the clock did. */
    "CREATE TABLE usage_daily ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  user_id TEXT NOT NULL,"
    "  meter TEXT NOT NULL,"
    "  period_start_day {int} NOT NULL,"
    "  day {int} NOT NULL,"
    "  used {int} NOT NULL CHECK (used >= 0),"
    "  PRIMARY KEY (platform_id, project_id, user_id, meter, period_start_day, day),"
    "  FOREIGN KEY (platform_id, project_id, user_id, meter, period_start_day) REFERENCES usage_counts){keyed};",

    /* Sums of usage_daily over all users of a project, by day and by the end of the period: what runs today is summed from few rows. */
    "CREATE TABLE usage_totals ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  meter TEXT NOT NULL,"
    "  day {int} NOT NULL,"
    "  period_end_day {int} NOT NULL,"
    "  used {int} NOT NULL CHECK (used >= 0),"
    "  PRIMARY KEY (platform_id, project_id, meter, day, period_end_day),"
    "  FOREIGN KEY (platform_id, project_id) REFERENCES projects){keyed};",

    /* What the running subscriptions of a project come to, by currency. By the year, as that is a whole number for nearly all. */
    "CREATE TABLE subscription_totals ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  currency TEXT NOT NULL,"
    "  active_subs {int} NOT NULL CHECK (active_subs >= 0),"
    "  canceling_subs {int} NOT NULL CHECK (canceling_subs >= 0),"
    "  yearly_minor {int} NOT NULL CHECK (yearly_minor >= 0),"
    "  PRIMARY KEY (platform_id, project_id, currency),"
    "  FOREIGN KEY (platform_id, project_id) REFERENCES projects){keyed};",

    /* What the one-time payments of a project come to. */
    "CREATE TABLE project_totals ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  sales_count {int} NOT NULL CHECK (sales_count >= 0),"
    "  revenue_minor {int} NOT NULL CHECK (revenue_minor >= 0),"
    "  PRIMARY KEY (platform_id, project_id),"
    "  FOREIGN KEY (platform_id, project_id) REFERENCES projects){keyed};",

    /* Units taken out of a period's allowance and handed to a holder. Ids begin with the time, so that rows are appended. */
    "CREATE TABLE leases ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  lease_id TEXT NOT NULL CHECK (lease_id <> ''),"
    "  request_id TEXT NOT NULL,"
    "  holder TEXT NOT NULL,"
    "  user_id TEXT NOT NULL,"
    "  meter TEXT NOT NULL,"
    "  period_start_day {int} NOT NULL,"
    "  period_end_day {int} NOT NULL,"
    "  state {int} NOT NULL CHECK (state BETWEEN 0 AND 3)," /* active, lost, unproven, final: it only rises */
    "  granted {int} NOT NULL CHECK (granted >= 1),"
    "  admitted {int} NOT NULL CHECK (admitted BETWEEN 0 AND granted)," /* the largest seen, as is refunded */
    "  refunded {int} NOT NULL CHECK (refunded BETWEEN 0 AND granted),"
    "  event_refunded {int} NOT NULL CHECK (event_refunded >= 0)," /* by refund events */
    "  written_off {int} NOT NULL CHECK (written_off >= 0),"       /* of the rest, while it is lost */
    "  plan TEXT NOT NULL,"
    "  usage_limit {int} NOT NULL,"
    "  rate_limit {int},"   /* NULL: none */
    "  rate_granted {int}," /* calls in each window that it spans */
    "  is_recalled {int} NOT NULL CHECK (is_recalled IN (0, 1)),"
    "  granted_at_ms {int} NOT NULL,"
    "  ends_at_ms {int} NOT NULL,"
    "  silent_at_ms {int} NOT NULL," /* when it is lost unless it checks in */
    "  revision {int} NOT NULL,"     /* counts its changes: an update names the one it read */
    "  PRIMARY KEY (platform_id, project_id, lease_id),"
    "  FOREIGN KEY (platform_id, project_id, user_id, meter, period_start_day) REFERENCES usage_counts){keyed};",
    /* Few rows: what is final leaves both. */
    "CREATE INDEX leases_open ON leases (platform_id, project_id, user_id, meter, period_start_day) WHERE state < 3;",
    "CREATE INDEX leases_silent ON leases (silent_at_ms) WHERE state = 0;",

    /* The answer that a request id got, for as long as it may be repeated: a lease, or a refusal in full. */
    "CREATE TABLE lease_requests ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  request_id TEXT NOT NULL CHECK (request_id <> ''),"
    "  lease_id TEXT," /* NULL: refused */
    "  user_id TEXT NOT NULL,"
    "  meter TEXT NOT NULL,"
    "  error {int},"
    "  retry_at_ms {int},"
    "  plan TEXT,"
    "  usage_limit {int},"
    "  used {int},"
    "  held {int},"
    "  lost {int},"
    "  period_start_day {int},"
    "  period_end_day {int},"
    "  recorded_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, project_id, request_id)){keyed};",
    "CREATE INDEX lease_requests_refused ON lease_requests (recorded_at_ms) WHERE lease_id IS NULL;",

    "CREATE TABLE lease_refunds ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  lease_id TEXT NOT NULL,"
    "  refund_id TEXT NOT NULL CHECK (refund_id <> ''),"
    "  units {int} NOT NULL CHECK (units >= 1),"
    "  recorded_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, project_id, lease_id, refund_id),"
    "  FOREIGN KEY (platform_id, project_id, lease_id) REFERENCES leases){keyed};",

    /* Active leases that their holders are to hand back. */
    "CREATE TABLE lease_recalls ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  holder TEXT NOT NULL,"
    "  lease_id TEXT NOT NULL,"
    "  PRIMARY KEY (platform_id, project_id, holder, lease_id)){keyed};",

    /* What came after a period's books were closed: listed, not booked. */
    "CREATE TABLE late_settlements ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  lease_id TEXT NOT NULL,"
    "  user_id TEXT NOT NULL,"
    "  meter TEXT NOT NULL,"
    "  period_start_day {int} NOT NULL,"
    "  granted {int} NOT NULL,"
    "  admitted {int} NOT NULL,"
    "  refunded {int} NOT NULL,"
    "  is_final {int} NOT NULL CHECK (is_final IN (0, 1)),"
    "  recorded_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, project_id, lease_id)){keyed};",

    /* What an operator did past the rules. platform_id '': to the whole store. */
    "CREATE TABLE audit_entries ("
    "  platform_id TEXT NOT NULL,"
    "  entry_id TEXT NOT NULL,"
    "  at_ms {int} NOT NULL,"
    "  action TEXT NOT NULL CHECK (action <> ''),"
    "  detail_json TEXT NOT NULL,"
    "  PRIMARY KEY (platform_id, entry_id)){keyed};",

    /* Ids of usage events that were counted, so that none is counted twice. */
    "CREATE TABLE usage_events ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  event_id TEXT NOT NULL,"
    "  recorded_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, project_id, event_id)){keyed};",
    /* Read by the clean-up only, and appended to in order. */
    "CREATE INDEX usage_events_by_age ON usage_events (recorded_at_ms);",

    "CREATE TABLE rate_windows ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  user_id TEXT NOT NULL,"
    "  window_minute {int} NOT NULL," /* minutes since 1970 */
    "  calls {int} NOT NULL CHECK (calls >= 1),"
    "  PRIMARY KEY (platform_id, project_id, user_id, window_minute)){keyed};",

    "CREATE TABLE idempotency_keys ("
    "  platform_id TEXT NOT NULL,"
    "  project_id TEXT NOT NULL,"
    "  path TEXT NOT NULL,"
    "  idempotency_key TEXT NOT NULL,"
    "  request_hash TEXT NOT NULL,"
    "  claim_id TEXT NOT NULL,"
    "  claimed_until_ms {int}," /* NULL: done, and the answer is here */
    "  created_at_ms {int} NOT NULL,"
    "  status {int},"
    "  content_type TEXT,"
    "  body {bytes},"
    "  PRIMARY KEY (platform_id, project_id, path, idempotency_key)){keyed};",
    /* Read by the clean-up only, and appended to in order: it costs an insert little. */
    "CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at_ms);",
    NULL,
};

static const char *const key_life_step[] = {
    "ALTER TABLE api_keys ADD COLUMN expires_at_ms {int};" /* refused from then on, while it is active; NULL = never */
    "ALTER TABLE api_keys ADD COLUMN last_used_at_ms {int};" /* to the minute; NULL = never used */
    "ALTER TABLE audit_entries ADD COLUMN actor TEXT NOT NULL DEFAULT '';",
    NULL,
};

/* What was signed once must not be carried out twice, after a restart or by another process either. */
static const char *const nonces_step[] = {
    "CREATE TABLE signature_nonces ("
    "  platform_id TEXT NOT NULL,"
    "  keyid TEXT NOT NULL,"
    "  nonce TEXT NOT NULL CHECK (nonce <> ''),"
    "  forget_at_ms {int} NOT NULL,"
    "  PRIMARY KEY (platform_id, keyid, nonce)){keyed};",
    "CREATE INDEX signature_nonces_by_age ON signature_nonces (forget_at_ms);",
    NULL,
};

/* Step i makes version i + 1. */
static const char *const *const steps[] = { first_step, key_life_step, nonces_step };
enum { CURRENT_VERSION = sizeof steps / sizeof steps[0] };

typedef struct dialect_word {
    const char *word, *text;
} dialect_word;

static const dialect_word sqlite_dialect[] = {
    { "{int}", "INTEGER" },
    { "{bytes}", "BLOB" },
    { "{keyed}", " STRICT, WITHOUT ROWID" },
    { "{plain}", " STRICT" },
};

static const dialect_word *word_at(const char *sql)
{
    for (size_t i = 0; i < sizeof sqlite_dialect / sizeof sqlite_dialect[0]; i++) {
        if (strncmp(sql, sqlite_dialect[i].word, strlen(sqlite_dialect[i].word)) == 0)
            return &sqlite_dialect[i];
    }
    return NULL;
}

static void expand(const char *sql, dream_buffer *out)
{
    while (*sql) {
        const dialect_word *word = word_at(sql);
        size_t plain = word ? 0 : 1 + strcspn(sql + 1, "{");
        dream_buffer_append(out, sql, plain);
        if (word)
            dream_buffer_text(out, word->text);
        sql += word ? strlen(word->word) : plain;
    }
}

static dreamd_db_status read_version(dreamd_db *db, int64_t *out_version)
{
    dreamd_rows *rows = NULL;
    *out_version = 0;
    dreamd_db_status status =
        dreamd_row_one(db, "SELECT COALESCE(MAX(version), 0) FROM schema_migrations", DREAMD_NO_PARAMS, &rows);
    if (rows)
        *out_version = dreamd_rows_int(rows, 0);
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status apply_step(dreamd_db *db, int64_t version)
{
    dream_buffer sql = DREAM_BUFFER_INIT;
    for (const char *const *script = steps[version]; *script; script++)
        expand(*script, &sql);
    dreamd_db_status status = sql.is_failed ? DREAMD_DB_NOMEM : dreamd_db_script(db, dream_buffer_str(&sql));
    dream_buffer_clear(&sql);
    if (status != DREAMD_DB_OK)
        return status;
    return dreamd_db_run(db, "INSERT INTO schema_migrations (version) VALUES ($1)",
                         DREAMD_PARAMS(dreamd_int(version + 1)), NULL);
}

/* One step, if one is missing. */
static dreamd_db_status step_once(dreamd_db *db, int64_t *out_version)
{
    dreamd_db_status status = dreamd_db_begin(db);
    if (status != DREAMD_DB_OK)
        return status;
    status =
        dreamd_db_script(db, "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL PRIMARY KEY)");
    if (status == DREAMD_DB_OK)
        status = read_version(db, out_version);
    if (status == DREAMD_DB_OK && *out_version < CURRENT_VERSION) {
        status = apply_step(db, *out_version);
        *out_version += 1;
    }
    if (status == DREAMD_DB_OK)
        status = dreamd_db_commit(db);
    if (status != DREAMD_DB_OK)
        dreamd_db_rollback(db);
    return status;
}

static bool explain_version(int64_t version, char error[256])
{
    if (version == CURRENT_VERSION)
        return true;
    if (version > CURRENT_VERSION)
        (void)snprintf(
            error, 256,
            "The database has schema version %lld, made by a newer program; this one knows up to %d: use the "
            "newer one",
            (long long)version, (int)CURRENT_VERSION);
    else
        (void)snprintf(error, 256,
                       "The database has schema version %lld, this program needs %d: run `dreamapid migrate`",
                       (long long)version, (int)CURRENT_VERSION);
    return false;
}

bool dreamd_schema_migrate(dreamd_db *db, char error[256])
{
    int64_t version = 0;
    do {
        if (step_once(db, &version) != DREAMD_DB_OK) {
            (void)snprintf(error, 256, "Cannot bring the database schema up to date: %.160s", dreamd_db_message(db));
            return false;
        }
    } while (version < CURRENT_VERSION);
    return explain_version(version, error);
}

dreamd_db_status dreamd_schema_version(dreamd_db *db, int64_t *out_version)
{
    bool has_table = false;
    *out_version = 0;
    /* The engine's own catalogue, as asking a table that is not there is an error like any other. */
    dreamd_db_status status =
        dreamd_row_exists(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
                          DREAMD_NO_PARAMS, &has_table);
    return status == DREAMD_DB_OK && has_table ? read_version(db, out_version) : status;
}

bool dreamd_schema_is_current(dreamd_db *db, char error[256])
{
    int64_t version = 0;
    if (dreamd_schema_version(db, &version) != DREAMD_DB_OK) {
        (void)snprintf(error, 256, "Cannot read the database's schema version: %.160s", dreamd_db_message(db));
        return false;
    }
    return explain_version(version, error);
}
