/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - settlements of leases and batches of events beside bare SQLite, which upserts the same rows in the same batches with nothing
 * decided: store [--smoke] FOLDER. A batch is a request of 1000 items, each of another user, and one commit (WAL, synchronous=FULL). The
 * floor's tables are the store's own, without their indexes, and without foreign keys being looked at. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "net/db.h"
#include "service/store/customers.h"
#include "service/store/leases.h"
#include "service/store/store.h"
#include "service/store/tenants.h"
#include "service/store/tiers.h"
#include "service/store/usage_events.h"

enum { BATCH = 1000, USERS_MAX = 20000, PER_CHECK_IN = 10, GRANT = 1000000, DAY = 20454 };
#define PLATFORM "plt_00000000000000000000000000000001"
#define PROJECT "prj_00000000000000000000000000000001"
#define HOLDER "6f9b0000-0000-4000-8000-000000000000"
static const int64_t now_ms = INT64_C(1767225610000);
static const dreamd_lease_terms terms = { 60000, 30000, 7 };
static dreamd_project project = { .platform_id = PLATFORM, .project_id = PROJECT, .type = "saas", .name = "App" };

typedef struct item {
    char user[40];
    char request[48];
    dreamd_lease_grant grant;
    int64_t admitted;
} item;
static item items[USERS_MAX];

typedef enum bare { BARE_LEASE, BARE_COUNT, BARE_DAY, BARE_EVENT, BARE_KINDS } bare;
/* Parameters: 1 a lease or an event, 2 a user. */
static const char *const bare_upserts[BARE_KINDS] = {
    "INSERT INTO leases VALUES ('" PLATFORM "', '" PROJECT "', ?1, ?1, '" HOLDER
    "', ?2, 'default', 20454, 20484, 0, 1000000, 10, 0, 0, 0, 'free', 1000000000, NULL, NULL, 0, 1, 1, 1, 0) "
    "ON CONFLICT (platform_id, project_id, lease_id) DO UPDATE SET admitted = admitted + excluded.admitted, "
    "silent_at_ms = silent_at_ms + 1, revision = revision + 1",
    "INSERT INTO usage_counts VALUES ('" PLATFORM "', '" PROJECT
    "', ?2, 'default', 20454, 20484, 10, 1000000, 0, 1000000000, 1, 10, 0, 0, 0) ON CONFLICT (platform_id, project_id, "
    "user_id, "
    "meter, period_start_day) DO UPDATE SET used = used + excluded.used, leased = leased + excluded.leased, "
    "updated_at_ms = updated_at_ms + 1",
    "INSERT INTO usage_daily VALUES ('" PLATFORM "', '" PROJECT "', ?2, 'default', 20454, 20454, 10) "
    "ON CONFLICT (platform_id, project_id, user_id, meter, period_start_day, day) DO UPDATE SET used = used + "
    "excluded.used",
    "INSERT INTO usage_events VALUES ('" PLATFORM "', '" PROJECT
    "', ?1, 1) ON CONFLICT (platform_id, project_id, event_id) DO NOTHING",
};

typedef struct stage {
    dreamd_db *db;
    sqlite3 *bare;
    sqlite3_stmt *upserts[BARE_KINDS];
    dreamd_lease_scope scope;
    int users;
    long next_event;
} stage;

static void need(const stage *s, dreamd_db_status status)
{
    if (status != DREAMD_DB_OK)
        bench_die(dreamd_db_message(s->db));
}

static void need_bare(const stage *s, int code)
{
    if (code != SQLITE_OK && code != SQLITE_DONE)
        bench_die(sqlite3_errmsg(s->bare));
}

static void make_tenant(const stage *s)
{
    dreamd_platform platform = { .platform_id = PLATFORM };
    dreamd_tier tier = DREAMD_TIER_INIT;

    tier.name = "free";
    tier.limit = INT64_C(1000000000);
    tier.rate_limit = DREAMD_UNLIMITED;
    need(s, dreamd_db_begin(s->db));
    need(s, dreamd_platform_insert(s->db, &platform, now_ms));
    need(s, dreamd_project_insert(s->db, &project, now_ms));
    need(s, dreamd_tier_insert(s->db, &project, &tier, now_ms));
    for (int i = 0; i < s->users; i++) {
        dreamd_lease_want want = { items[i].request, items[i].user, DREAMD_DEFAULT_METER, GRANT, 100 };
        (void)snprintf(items[i].user, sizeof(items[i].user), "user_2abcDEFghiJKL%08d", i);
        (void)snprintf(items[i].request, sizeof(items[i].request), "019b76da-cf10-7000-8000-%012d", i);
        need(s, dreamd_customer_ensure(s->db, &project, items[i].user, NULL, now_ms));
        need(s, dreamd_lease_acquire(s->db, &s->scope, &want, &items[i].grant));
        if (items[i].grant.refusal != DREAMD_LEASE_GRANTED)
            bench_die("a lease was refused");
    }
    need(s, dreamd_db_commit(s->db));
}

/* The definition of a table, and nothing else, from the store's file. */
static void copy_table(const stage *s, const char *name)
{
    char *sql = sqlite3_mprintf("SELECT sql FROM store.sqlite_master WHERE type = 'table' AND name = %Q", name);
    sqlite3_stmt *statement = NULL;
    char *definition;

    need_bare(s, sqlite3_prepare_v2(s->bare, sql, -1, &statement, NULL));
    if (sqlite3_step(statement) != SQLITE_ROW)
        bench_die("the store has no such table");
    definition = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
    need_bare(s, sqlite3_finalize(statement));
    need_bare(s, sqlite3_exec(s->bare, definition, NULL, NULL, NULL));
    sqlite3_free(definition);
    sqlite3_free(sql);
}

static void make_bare(stage *s, const char *path, const char *store_path)
{
    static const char *const tables[] = { "leases", "usage_counts", "usage_daily", "usage_events" };
    char *attach = sqlite3_mprintf("ATTACH %Q AS store", store_path);

    need_bare(s, sqlite3_open(path, &s->bare));
    need_bare(s, sqlite3_exec(s->bare, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", NULL, NULL, NULL));
    need_bare(s, sqlite3_exec(s->bare, attach, NULL, NULL, NULL));
    sqlite3_free(attach);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        copy_table(s, tables[i]);
    need_bare(s, sqlite3_exec(s->bare, "DETACH store", NULL, NULL, NULL));
    for (int i = 0; i < BARE_KINDS; i++)
        need_bare(s, sqlite3_prepare_v2(s->bare, bare_upserts[i], -1, &s->upserts[i], NULL));
}

static void upsert(const stage *s, bare kind, const char *name, const char *user)
{
    sqlite3_stmt *statement = s->upserts[kind];

    if (kind == BARE_LEASE || kind == BARE_EVENT)
        need_bare(s, sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC));
    if (kind != BARE_EVENT)
        need_bare(s, sqlite3_bind_text(statement, 2, user, -1, SQLITE_STATIC));
    need_bare(s, sqlite3_step(statement));
    need_bare(s, sqlite3_reset(statement));
}

/* ---- batches ---- */

typedef void batch(stage *s, int first);

static void settle_batch(stage *s, int first, bool is_final)
{
    need(s, dreamd_db_begin(s->db));
    for (int i = first; i < first + BATCH; i++) {
        dreamd_lease_report report = { .lease_id = items[i].grant.lease_id,
                                       .request_id = items[i].request,
                                       .user_id = items[i].user,
                                       .meter = DREAMD_DEFAULT_METER,
                                       .period_start_day = items[i].grant.period_start_day,
                                       .granted = items[i].grant.granted,
                                       .admitted = items[i].admitted += PER_CHECK_IN,
                                       .is_final = is_final };
        dreamd_lease_settled settled;
        need(s, dreamd_lease_settle(s->db, &s->scope, &report, &settled));
    }
    need(s, dreamd_db_commit(s->db));
}

static void check_in(stage *s, int first)
{
    settle_batch(s, first, false);
}

static void finish(stage *s, int first)
{
    settle_batch(s, first, true);
}

static void settle_bare(stage *s, int first)
{
    need_bare(s, sqlite3_exec(s->bare, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    for (int i = first; i < first + BATCH; i++) {
        upsert(s, BARE_LEASE, items[i].grant.lease_id, items[i].user);
        upsert(s, BARE_COUNT, NULL, items[i].user);
        upsert(s, BARE_DAY, NULL, items[i].user);
    }
    need_bare(s, sqlite3_exec(s->bare, "COMMIT", NULL, NULL, NULL));
}

/* Ids that sort by time, as UUIDv7 does. */
static void name_event(char out[48], long number)
{
    (void)snprintf(out, 48, "019b76da-cf10-7000-9000-%012lx", (unsigned long)number);
}

static void apply_events(stage *s, int first)
{
    char id[48];
    dreamd_totals_gathered gathered = { .count = 0 };
    dreamd_usage_memory memory = { .is_filled = false };

    need(s, dreamd_db_begin(s->db));
    for (int i = first; i < first + BATCH; i++) {
        dreamd_usage_event event = { .event_id = id,
                                     .request = { .project = &project,
                                                  .user_id = items[i].user,
                                                  .meter = DREAMD_DEFAULT_METER,
                                                  .units = 1,
                                                  .now_ms = now_ms,
                                                  .memory = &memory,
                                                  .gathered = &gathered },
                                     .at_ms = now_ms };
        dreamd_usage_event_outcome outcome;
        name_event(id, s->next_event + i - first);
        need(s, dreamd_usage_event_apply(s->db, &event, &outcome));
        if (outcome != DREAMD_USAGE_EVENT_APPLIED)
            bench_die("an event was not applied");
    }
    need(s, dreamd_totals_flush(s->db, &project, &gathered));
    need(s, dreamd_db_commit(s->db));
}

static void apply_bare(stage *s, int first)
{
    char id[48];

    need_bare(s, sqlite3_exec(s->bare, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    for (int i = first; i < first + BATCH; i++) {
        name_event(id, s->next_event + i - first);
        upsert(s, BARE_EVENT, id, NULL);
        upsert(s, BARE_COUNT, NULL, items[i].user);
        upsert(s, BARE_DAY, NULL, items[i].user);
    }
    need_bare(s, sqlite3_exec(s->bare, "COMMIT", NULL, NULL, NULL));
}

/* ---- measuring ---- */

typedef struct cost {
    double wall_ns;
    double cpu_ns;
} cost;

static cost cost_of(stage *s, batch *work, int first)
{
    int64_t wall = bench_ns(CLOCK_MONOTONIC), cpu = bench_ns(CLOCK_THREAD_CPUTIME_ID);

    work(s, first);
    return (cost){ (double)(bench_ns(CLOCK_MONOTONIC) - wall), (double)(bench_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) };
}

static void report(const char *name, const cost *floors, const cost *values, int rounds)
{
    double floor_rates[BENCH_ROUNDS_MAX], rates[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX];
    double floor_cpu[BENCH_ROUNDS_MAX], cpu[BENCH_ROUNDS_MAX], cpu_ratios[BENCH_ROUNDS_MAX];
    char text[64];

    for (int i = 0; i < rounds; i++) {
        floor_rates[i] = BATCH * 1e9 / floors[i].wall_ns;
        rates[i] = BATCH * 1e9 / values[i].wall_ns;
        ratios[i] = rates[i] / floor_rates[i];
        floor_cpu[i] = floors[i].cpu_ns / BATCH / 1e3;
        cpu[i] = values[i].cpu_ns / BATCH / 1e3;
        cpu_ratios[i] = cpu[i] / floor_cpu[i];
    }
    bench_print(&(bench_row){ name, "/s", bench_median(rates, rounds), bench_median(floor_rates, rounds),
                              bench_median(ratios, rounds), BENCH_AT_LEAST, 0.5 });
    (void)snprintf(text, sizeof(text), "CPU per item, %s", name);
    bench_print(&(bench_row){ text, "us CPU", bench_median(cpu, rounds), bench_median(floor_cpu, rounds),
                              bench_median(cpu_ratios, rounds), BENCH_NO_GATE, 0 });
}

static void compare(stage *s, const char *name, batch *bare_work, batch *work, int rounds)
{
    static cost floors[BENCH_ROUNDS_MAX], values[BENCH_ROUNDS_MAX];

    (void)fprintf(stderr, "store: %s\n", name);
    for (int i = 0; i < rounds; i++) {
        int first = i * BATCH % s->users;
        floors[i] = cost_of(s, bare_work, first);
        values[i] = cost_of(s, work, first);
        s->next_event += BATCH;
    }
    report(name, floors, values, rounds);
}

int main(int argc, char **argv)
{
    static stage s;
    char path[512], bare_path[512], error[256];
    int batches;

    bench_begin("store", &argc, &argv);
    if (argc != 2)
        bench_die("FOLDER");
    (void)snprintf(path, sizeof(path), "%s/store.db", argv[1]);
    (void)snprintf(bare_path, sizeof(bare_path), "%s/bare.db", argv[1]);
    s.users = (int)bench_count(USERS_MAX, 2 * BATCH);
    s.scope = (dreamd_lease_scope){ &project, HOLDER, &terms, now_ms + 1000, 0, now_ms };
    s.db = dreamd_store_migrate(path, error) ? dreamd_db_open_sqlite(path, DREAMD_DB_READ_WRITE, error) : NULL;
    if (s.db == NULL)
        bench_die(error);
    batches = s.users / BATCH;
    make_tenant(&s);
    make_bare(&s, bare_path, path);
    /* Once over all: rows are there after that, as they are for all but a period's first report. */
    for (int i = 0; i < batches; i++) {
        settle_bare(&s, i * BATCH);
        check_in(&s, i * BATCH);
    }
    compare(&s, "lease check-ins, durable, batches of 1000", settle_bare, check_in, batches * 2);
    compare(&s, "batch events, durable, batches of 1000", apply_bare, apply_events, batches * 2);
    compare(&s, "lease settlements, durable, batches of 1000", settle_bare, finish, batches);
    for (int i = 0; i < BARE_KINDS; i++)
        need_bare(&s, sqlite3_finalize(s.upserts[i]));
    need_bare(&s, sqlite3_close(s.bare));
    dreamd_db_close(s.db);
    return 0;
}
