/* SPDX-License-Identifier: Apache-2.0 */
/* measure_leases.c - how fast leases are granted and settled, beside bare SQLite upserts of the same rows in the same batches.
 * Not a test: `ninja measure_leases && measure_leases [FOLDER]` prints figures of this machine's disk. A batch is a request of 1000 items, each
 * of another user, committed on its own (synchronous=FULL); the floor writes the rows that a settlement changes (lease, period, day) by
 * their keys, with nothing decided. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/db.h"
#include "service/store/customers.h"
#include "service/store/leases.h"
#include "service/store/store.h"
#include "service/store/tenants.h"
#include "service/store/tiers.h"
#include "service/store/usage.h"

enum { BATCH = 1000, USERS = 20000, BATCHES = USERS / BATCH };
static const int64_t now_ms = INT64_C(1767225610000);
static const dreamd_lease_terms terms = { 60000, 30000, 7 };

#define PLATFORM "plt_00000000000000000000000000000001"

static dreamd_project project = {
    .platform_id = PLATFORM, .project_id = "prj_00000000000000000000000000000001", .type = "saas", .name = "App"
};
static struct item {
    char user[32];
    char request[40];
    dreamd_lease_grant grant;
} items[USERS];

static double us_of(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void need(dreamd_db *db, dreamd_db_status status, const char *what)
{
    if (status == DREAMD_DB_OK)
        return;
    (void)fprintf(stderr, "measure_leases: %s: %s\n", what, dreamd_db_message(db));
    exit(1);
}

static void make_tenant(dreamd_db *db)
{
    dreamd_platform platform = { .platform_id = PLATFORM };
    dreamd_tier tier = DREAMD_TIER_INIT;
    tier.name = "free";
    tier.limit = 1000000;
    tier.rate_limit = DREAMD_UNLIMITED;
    need(db, dreamd_db_begin(db), "begin");
    need(db, dreamd_platform_insert(db, &platform, now_ms), "platform");
    need(db, dreamd_project_insert(db, &project, now_ms), "project");
    need(db, dreamd_tier_insert(db, &project, &tier, now_ms), "tier");
    for (int i = 0; i < USERS; i++) {
        (void)snprintf(items[i].user, sizeof items[i].user, "user_2abcDEFghiJKL%08d", i);
        (void)snprintf(items[i].request, sizeof items[i].request, "019b76da-cf10-7000-8000-%012d", i);
        need(db, dreamd_customer_ensure(db, &project, items[i].user, NULL, now_ms), "customer");
    }
    need(db, dreamd_db_commit(db), "commit");
}

static void acquire(dreamd_db *db, const dreamd_lease_scope *scope, struct item *item)
{
    dreamd_lease_want want = { item->request, item->user, DREAMD_DEFAULT_METER, 100, 100 };
    need(db, dreamd_lease_acquire(db, scope, &want, &item->grant), "acquire");
    if (item->grant.refusal != DREAMD_LEASE_GRANTED)
        need(db, DREAMD_DB_ERROR, "refused");
}

static void settle(dreamd_db *db, const dreamd_lease_scope *scope, const struct item *item, int64_t admitted,
                   bool is_final)
{
    dreamd_lease_report report = { .lease_id = item->grant.lease_id,
                                   .request_id = item->request,
                                   .user_id = item->user,
                                   .meter = DREAMD_DEFAULT_METER,
                                   .period_start_day = item->grant.period_start_day,
                                   .granted = item->grant.granted,
                                   .admitted = admitted,
                                   .is_final = is_final };
    dreamd_lease_settled settled;
    need(db, dreamd_lease_settle(db, scope, &report, &settled), "settle");
}

static void check_in_once(dreamd_db *db, const dreamd_lease_scope *scope, struct item *item)
{
    settle(db, scope, item, 10, false);
}

static void check_in_again(dreamd_db *db, const dreamd_lease_scope *scope, struct item *item)
{
    settle(db, scope, item, 20, false);
}

static void finish(dreamd_db *db, const dreamd_lease_scope *scope, struct item *item)
{
    settle(db, scope, item, 30, true);
}

/* ---- the floor ---- */

/* The columns of leases, usage_counts and usage_daily, with no index but the key, and nothing checked. */
static void make_bare_tables(dreamd_db *db)
{
    static const char *const tables[] = {
        "CREATE TABLE bare_leases (platform_id TEXT, project_id TEXT, lease_id TEXT, request_id TEXT, holder TEXT, "
        "user_id "
        "TEXT, meter TEXT, period_start_day INTEGER, period_end_day INTEGER, state INTEGER, granted INTEGER, admitted "
        "INTEGER, "
        "refunded INTEGER, event_refunded INTEGER, written_off INTEGER, plan TEXT, usage_limit INTEGER, rate_limit "
        "INTEGER, "
        "rate_granted INTEGER, is_recalled INTEGER, granted_at_ms INTEGER, ends_at_ms INTEGER, silent_at_ms INTEGER, "
        "revision "
        "INTEGER, PRIMARY KEY (platform_id, project_id, lease_id)) STRICT, WITHOUT ROWID",
        "CREATE TABLE bare_counts (platform_id TEXT, project_id TEXT, user_id TEXT, meter TEXT, period_start_day "
        "INTEGER, "
        "period_end_day INTEGER, used INTEGER, held INTEGER, lost INTEGER, highest_limit INTEGER, updated_at_ms "
        "INTEGER, leased "
        "INTEGER, written_off INTEGER, is_closed INTEGER, held_refused_at_ms INTEGER, PRIMARY KEY (platform_id, "
        "project_id, "
        "user_id, meter, period_start_day)) STRICT, WITHOUT ROWID",
        "CREATE TABLE bare_days (platform_id TEXT, project_id TEXT, user_id TEXT, meter TEXT, period_start_day "
        "INTEGER, day "
        "INTEGER, used INTEGER, PRIMARY KEY (platform_id, project_id, user_id, meter, period_start_day, day)) STRICT, "
        "WITHOUT "
        "ROWID",
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        need(db, dreamd_db_script(db, tables[i]), "bare tables");
}

static void upsert_bare(dreamd_db *db, const dreamd_lease_scope *scope, struct item *item)
{
    const dreamd_param platform = dreamd_text(project.platform_id), app = dreamd_text(project.project_id);
    const dreamd_param user = dreamd_text(item->user), meter = dreamd_text(DREAMD_DEFAULT_METER);
    const dreamd_param now = dreamd_int(scope->now_ms), day = dreamd_int(20454), units = dreamd_int(10);
    need(
        db,
        dreamd_db_run(
            db,
            "INSERT INTO bare_leases VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0, $9, $9, 0, 0, 0, 'free', $9, NULL, "
            "NULL, 0, $10, $10, $10, 0) ON CONFLICT (platform_id, project_id, lease_id) DO UPDATE SET admitted = "
            "admitted + excluded.admitted, refunded = excluded.refunded, revision = revision + 1",
            DREAMD_PARAMS(platform, app, dreamd_text(item->grant.lease_id), dreamd_text(item->request),
                          dreamd_text(scope->holder), user, meter, day, units, now),
            NULL),
        "bare lease");
    need(db,
         dreamd_db_run(
             db,
             "INSERT INTO bare_counts VALUES ($1, $2, $3, $4, $5, $5, $6, $6, 0, $7, $7, $6, 0, 0, 0) ON CONFLICT "
             "(platform_id, project_id, user_id, meter, period_start_day) DO UPDATE SET used = used + excluded.used, "
             "held = held + excluded.held, leased = leased + excluded.leased, updated_at_ms = excluded.updated_at_ms",
             DREAMD_PARAMS(platform, app, user, meter, day, units, now), NULL),
         "bare count");
    need(db,
         dreamd_db_run(
             db,
             "INSERT INTO bare_days VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT (platform_id, project_id, user_id, "
             "meter, period_start_day, day) DO UPDATE SET used = used + excluded.used",
             DREAMD_PARAMS(platform, app, user, meter, day, units), NULL),
         "bare day");
}

/* ---- measuring ---- */

static double measure(dreamd_db *db, const char *what,
                      void (*one)(dreamd_db *, const dreamd_lease_scope *, struct item *))
{
    dreamd_lease_scope scope = { &project, "6f9b0000-0000-4000-8000-000000000000", &terms, now_ms + 1000, 0, now_ms };
    double begun_us = us_of(CLOCK_MONOTONIC), begun_cpu_us = us_of(CLOCK_PROCESS_CPUTIME_ID);
    for (int batch = 0; batch < BATCHES; batch++) {
        need(db, dreamd_db_begin(db), "begin");
        for (int i = 0; i < BATCH; i++)
            one(db, &scope, &items[batch * BATCH + i]);
        need(db, dreamd_db_commit(db), "commit");
    }
    double cpu_us = (us_of(CLOCK_PROCESS_CPUTIME_ID) - begun_cpu_us) / USERS;
    (void)printf("%-52s %10.0f a second, %6.1f us of CPU each\n", what,
                 USERS / ((us_of(CLOCK_MONOTONIC) - begun_us) / 1e6), cpu_us);
    return cpu_us;
}

int main(int argc, char **argv)
{
    char folder[256], path[300], error[256];
    (void)snprintf(folder, sizeof folder, "%s/measure-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(path, sizeof path, "%s/store.db", folder);
    dreamd_db *db = dreamd_store_migrate(path, error) ? dreamd_db_open_sqlite(path, DREAMD_DB_READ_WRITE, error) : NULL;
    if (!db) {
        (void)fprintf(stderr, "measure_leases: %s\n", error);
        return 1;
    }
    make_tenant(db);
    make_bare_tables(db);
    (void)measure(db, "grants", acquire);
    (void)measure(db, "bare upserts of the three rows, new", upsert_bare);
    double floor = measure(db, "bare upserts of the three rows, there", upsert_bare);
    (void)measure(db, "check-ins, the day's first", check_in_once);
    double check_ins = measure(db, "check-ins", check_in_again);
    double finals = measure(db, "finals", finish);
    (void)printf("of the floor, by CPU: check-ins %.2f, finals %.2f\n", floor / check_ins, floor / finals);
    dreamd_db_close(db);
    for (int i = 0; i < 3; i++) {
        static const char *const endings[] = { "", "-wal", "-shm" };
        char file[320];
        (void)snprintf(file, sizeof file, "%s%s", path, endings[i]);
        (void)unlink(file);
    }
    (void)rmdir(folder);
    return 0;
}
