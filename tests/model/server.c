/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the service without HTTP and without threads: the real handlers and the real store over a database of this run.
 *
 * What stands in for the rest is small: dreamd_request_... hand a body in and an answer out (net/http_request.c reads sockets),
 * dreamd_store_write and _read run their work at once (store/store.c queues it for a thread). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/timefmt.h"
#include "model.h"
#include "service/api/handlers.h"
#include "service/store/check.h"
#include "service/store/customers.h"
#include "service/store/migrations.h"
#include "service/store/tenants.h"
#include "service/store/tiers.h"

#define PLATFORM "plt_00000000000000000000000000000001"
#define PROJECT "prj_00000000000000000000000000000001"

const tariff plans[PLANS] = {
    { "tiny", 8, DREAMD_UNLIMITED },
    { "small", 40, DREAMD_UNLIMITED },
    { "large", 400, DREAMD_UNLIMITED },
    { "paced", 400, 6 },
    { "hurried", 1000, 30 },
    { "open", DREAMD_UNLIMITED, DREAMD_UNLIMITED },
};

static char template_path[128];

/* ---- accounts ---- */

void account_name(int account, char out[16])
{
    (void)snprintf(out, 16, "user_%u", (unsigned)account / METERS % 100);
}

const char *account_meter(int account)
{
    return account % METERS == 0 ? DREAMD_DEFAULT_METER : "tokens";
}

int account_of(const char *user, const char *meter)
{
    return atoi(user + sizeof "user_" - 1) * METERS + (strcmp(meter, DREAMD_DEFAULT_METER) != 0);
}

static int64_t tokens_of(const tariff *plan)
{
    return plan->limit == DREAMD_UNLIMITED ? DREAMD_UNLIMITED : plan->limit / 2;
}

int64_t server_limit(const model *m, int user)
{
    return user % METERS == 0 ? server_plan(m, user)->limit : tokens_of(server_plan(m, user));
}

/* ---- requests ---- */

struct dreamd_request {
    dream_arena *arena;
    const char *method;
    const char *path;
    const char *body;
    answer answer;
};

dream_arena *dreamd_request_arena(dreamd_request *request)
{
    return request->arena;
}

const void *dreamd_request_body(const dreamd_request *request, size_t *out_size)
{
    *out_size = request->body ? strlen(request->body) : 0;
    return request->body;
}

const char *dreamd_request_method(const dreamd_request *request)
{
    return request->method;
}

const char *dreamd_request_path(const dreamd_request *request)
{
    return request->path;
}

const char *dreamd_request_query(dreamd_request *request, const char *name)
{
    (void)request;
    (void)name;
    return NULL;
}

const char *dreamd_request_header(dreamd_request *request, const char *name)
{
    (void)request;
    (void)name;
    return NULL;
}

bool dreamd_request_set_header(dreamd_request *request, const char *name, const char *value)
{
    (void)request;
    (void)name;
    (void)value;
    return true;
}

void dreamd_request_answer(dreamd_request *request, unsigned status, const char *content_type, const void *body,
                           size_t size)
{
    (void)content_type;
    request->answer.status = (int)status;
    request->answer.body = strndup(body ? body : "", size);
}

/* Bodies are whole from the start here. */
void dreamd_request_admit(dreamd_request *request)
{
    (void)request;
    abort();
}

/* ---- the store ---- */

static dreamd_db_status run(dreamd_store *store, dreamd_work *work, void *arg)
{
    dreamd_db_status status = dreamd_db_begin(store->db);

    if (status != DREAMD_DB_OK)
        return status;
    status = work(store->db, arg);
    /* Now and then the service dies before the commit. */
    if (status == DREAMD_DB_OK && (store->model->server.is_dependable || !model_chance(store->model, 1)))
        return dreamd_db_commit(store->db);
    dreamd_db_rollback(store->db);
    return status == DREAMD_DB_OK ? DREAMD_DB_BUSY : status;
}

void dreamd_store_write(dreamd_store *store, dreamd_work *work, dreamd_done *done, void *arg)
{
    done(arg, run(store, work, arg));
}

void dreamd_store_read(dreamd_store *store, dreamd_work *work, dreamd_done *done, void *arg)
{
    done(arg, run(store, work, arg));
}

/* The same for what is no request. */
static void now(model *m, dreamd_work *work, void *arg)
{
    dreamd_db *db = m->server.store.db;
    dreamd_db_status status = dreamd_db_begin(db);

    if (status == DREAMD_DB_OK)
        status = work(db, arg);
    if (status == DREAMD_DB_OK)
        status = dreamd_db_commit(db);
    if (status == DREAMD_DB_OK)
        return;
    model_fail(m, "the store failed: %d %s", (int)status, dreamd_db_message(db));
    dreamd_db_rollback(db);
}

/* ---- the files ---- */

static const char *const endings[] = { "", "-wal", "-shm" };

static bool copy_file(const char *from, const char *to)
{
    char buffer[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t size = 0;

    while (out >= 0 && (size = read(in, buffer, sizeof buffer)) > 0 && write(out, buffer, (size_t)size) == size)
        ;
    if (in >= 0)
        (void)close(in);
    return out >= 0 && close(out) == 0 && size == 0;
}

/* A database that nobody writes to at the moment; the shared memory beside it is made anew from the log. */
static bool copy_database(const char *from, const char *to)
{
    char source[160];
    char target[160];

    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(target, sizeof target, "%s%s", to, endings[i]);
        (void)unlink(target);
    }
    (void)snprintf(source, sizeof source, "%s-wal", from);
    (void)snprintf(target, sizeof target, "%s-wal", to);
    return copy_file(from, to) && (access(source, F_OK) != 0 || copy_file(source, target));
}

static void database_path(const model *m, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s.db", m->folder, name);
}

static dreamd_db_status fill(dreamd_db *db, void *arg)
{
    dreamd_project *project = arg;
    dreamd_platform platform = { .platform_id = PLATFORM, .email = "dev@example.test" };
    dreamd_lease_terms terms = { TTL_MS, GRACE_MS, CLOSE_DAYS };
    dreamd_db_status status = dreamd_platform_insert(db, &platform, 1);

    if (status == DREAMD_DB_OK)
        status = dreamd_project_insert(db, project, 1);
    for (int i = 0; status == DREAMD_DB_OK && i < PLANS; i++) {
        dreamd_tier tier = DREAMD_TIER_INIT;
        char meters[64];
        tier.name = plans[i].name;
        tier.limit = plans[i].limit;
        tier.rate_limit = plans[i].rate;
        if (tier.limit == DREAMD_UNLIMITED)
            (void)snprintf(meters, sizeof meters, "{\"tokens\":{\"limit\":null}}");
        else
            (void)snprintf(meters, sizeof meters, "{\"tokens\":{\"limit\":%lld}}", (long long)tokens_of(&plans[i]));
        tier.meters_json = meters;
        status = dreamd_tier_insert(db, project, &tier, 1);
    }
    return status == DREAMD_DB_OK ? dreamd_lease_terms_note(db, &terms) : status;
}

static dreamd_project the_project(void)
{
    return (dreamd_project){ .platform_id = PLATFORM,
                             .project_id = PROJECT,
                             .publishable_key = "pk_live_00000000000000000000000000000001",
                             .mode = DREAMD_LIVE,
                             .type = "saas",
                             .name = "App" };
}

bool server_prepare(const char *folder)
{
    char error[256];
    dreamd_project project = the_project();
    dreamd_db *db;
    bool is_ok;

    (void)snprintf(template_path, sizeof template_path, "%s/template.db", folder);
    db = dreamd_db_open_sqlite(template_path, DREAMD_DB_READ_WRITE, error);
    is_ok = db && dreamd_schema_migrate(db, error) && dreamd_db_begin(db) == DREAMD_DB_OK
            && fill(db, &project) == DREAMD_DB_OK && dreamd_db_commit(db) == DREAMD_DB_OK;
    dreamd_db_close(db);
    return is_ok;
}

static void open_database(model *m)
{
    char path[128];
    char error[256];

    database_path(m, "service", path);
    m->server.store.db = dreamd_db_open_sqlite(path, DREAMD_DB_READ_WRITE, error);
    if (!m->server.store.db)
        model_fail(m, "the database does not open: %s", error);
}

static dreamd_db_status put_customers(dreamd_db *db, void *arg)
{
    model *m = arg;
    dreamd_db_status status = DREAMD_DB_OK;

    for (int i = 0; status == DREAMD_DB_OK && i < ACCOUNTS; i += METERS) {
        char name[16];
        dreamd_customer customer = { .user_id = name, .plan = plans[m->server.plan_of[i]].name };
        account_name(i, name);
        status = dreamd_customer_put(db, &m->server.project, &customer, server_now(m));
    }
    return status;
}

bool server_open(model *m)
{
    server *s = &m->server;
    char path[128];

    s->project = the_project();
    s->store.model = m;
    s->settings.lease_ttl_ms = TTL_MS;
    s->settings.lease_grace_ms = GRACE_MS;
    s->settings.lease_close_days = CLOSE_DAYS;
    s->context.settings = &s->settings;
    s->context.store = &s->store;
    (void)pthread_mutex_init(&s->context.mutex, NULL);
    (void)pthread_cond_init(&s->context.is_idle, NULL);
    database_path(m, "service", path);
    if (!copy_database(template_path, path))
        return false;
    open_database(m);
    if (!m->is_over)
        now(m, put_customers, m);
    return !m->is_over;
}

void server_close(model *m)
{
    dreamd_db_close(m->server.store.db);
    m->server.store.db = NULL;
    (void)pthread_mutex_destroy(&m->server.context.mutex);
    (void)pthread_cond_destroy(&m->server.context.is_idle);
}

int64_t server_now(const model *m)
{
    return m->now_ms + m->server.clock_ms + m->server.leapt_ms;
}

const tariff *server_plan(const model *m, int user)
{
    return &plans[m->server.plan_of[user]];
}

/* ---- answering ---- */

/* What it told whom, for the truth. */
static void spy(model *m, int machine, const char *body)
{
    cJSON *json = dream_json_parse(body, strlen(body), NULL);
    const cJSON *entry = NULL;

    cJSON_ArrayForEach(entry, dream_json_get(json, "grants"))
    {
        if (dream_json_get(entry, "error"))
            truth_refused(m, dream_json_string(entry, "requestId"));
        else
            truth_granted(m, machine, entry);
    }
    cJSON_ArrayForEach(entry, dream_json_get(json, "settled"))
    {
        truth_settled(m, machine, entry);
    }
    cJSON_ArrayForEach(entry, dream_json_get(json, "refunded"))
    {
        truth_refund_answered(m, entry);
    }
    cJSON_Delete(json);
}

answer server_ask(model *m, int machine, const char *method, const char *path, const char *body)
{
    dreamd_request request = { dream_arena_new(), method, path, body, { 0, NULL } };
    bool is_leases = strcmp(path, "/api/leases") == 0;
    dreamd_call *call;

    if (m->server.is_down) {
        dream_arena_free(request.arena);
        return request.answer;
    }
    call = dreamd_call_new(&m->server.context, &request);
    call->now_ms = server_now(m);
    call->project = m->server.project;
    call->has_secret_key = true;
    call->is_server_side = true;
    if (is_leases)
        dreamd_leases(call);
    else if (strcmp(path, "/health") == 0)
        dreamd_health(call);
    else
        dreamd_call_refuse(call, 404, "Not found", NULL);
    dream_arena_free(request.arena);
    if (is_leases && request.answer.status == 200) {
        m->server.was_right = m->server.was_right || m->server.leapt_ms == 0;
        spy(m, machine, request.answer.body);
    }
    return request.answer;
}

/* ---- what happens to it ---- */

typedef struct errand {
    model *m;
    int user;
    char name[16];
    int64_t number;
    dreamd_usage_result usage;
    dreamd_epoch epoch;
} errand;

static errand errand_for(model *m, int user, int64_t number)
{
    errand e = { .m = m, .user = user, .number = number };

    account_name(user, e.name);
    return e;
}

static dreamd_db_status use_directly(dreamd_db *db, void *arg)
{
    errand *e = arg;
    dreamd_usage_request request = { .project = &e->m->server.project,
                                     .user_id = e->name,
                                     .meter = account_meter(e->user),
                                     .units = e->number,
                                     .now_ms = server_now(e->m),
                                     .is_server_side = true };

    return dreamd_usage_admit(db, &request, &e->usage);
}

void server_direct(model *m, int user, int64_t units)
{
    errand e = errand_for(m, user, units);

    now(m, use_directly, &e);
    model_say(m, "direct use of %lld by user_%d: outcome %d", (long long)units, user, (int)e.usage.outcome);
    if (e.usage.outcome == DREAMD_USAGE_OK && !m->is_over)
        truth_direct(m, user, &e.usage, units);
}

static dreamd_db_status change_plan(dreamd_db *db, void *arg)
{
    errand *e = arg;
    bool is_found = false;

    return dreamd_customer_set_plan(db, &e->m->server.project, e->name, plans[e->number].name, server_now(e->m),
                                    &is_found);
}

void server_set_plan(model *m, int user, int plan)
{
    errand e = errand_for(m, user, plan);

    model_say(m, "user_%d gets the plan %s", user, plans[plan].name);
    now(m, change_plan, &e);
    for (int i = 0; i < METERS; i++)
        m->server.plan_of[user / METERS * METERS + i] = plan;
}

static dreamd_db_status delete_customer(dreamd_db *db, void *arg)
{
    errand *e = arg;
    bool is_found = false;

    return dreamd_customer_delete(db, &e->m->server.project, e->name, server_now(e->m), &is_found);
}

void server_delete(model *m, int user)
{
    errand e = errand_for(m, user, 0);

    model_say(m, "user_%d is deleted", user);
    now(m, delete_customer, &e);
    for (int i = 0; i < METERS; i++)
        m->server.is_deleted[user / METERS * METERS + i] = true;
}

static dreamd_db_status write_off(dreamd_db *db, void *arg)
{
    errand *e = arg;
    dreamd_lease_write_off wanted = { &e->m->server.project, e->name, account_meter(e->user), INT64_MAX,
                                      server_now(e->m),      "model" };

    return dreamd_lease_write_off_lost(db, &wanted, &e->number);
}

void server_write_off(model *m, int user)
{
    errand e = errand_for(m, user, 0);
    int32_t latest = INT32_MIN;
    const count_row *rows = NULL;
    size_t count = server_counts(m, &rows);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].user == user && rows[i].start_day > latest)
            latest = rows[i].start_day;
    }
    now(m, write_off, &e);
    model_say(m, "%lld lost units of user_%d are written off", (long long)e.number, user);
    if (e.number > 0)
        truth_period_of(m, user, latest, latest + DREAMD_PERIOD_DAYS - 1)->written_off += e.number;
}

static dreamd_db_status sweep(dreamd_db *db, void *arg)
{
    errand *e = arg;

    return dreamd_leases_sweep(db, server_now(e->m), 500, &e->number);
}

void server_sweep(model *m)
{
    errand e = errand_for(m, 0, 0);

    now(m, sweep, &e);
    if (e.number > 0)
        model_say(m, "%lld silent leases are lost", (long long)e.number);
}

void server_restart(model *m)
{
    model_say(m, "the service restarts");
    dreamd_db_close(m->server.store.db);
    open_database(m);
}

void server_back_up(model *m)
{
    char from[128];
    char to[128];
    backup *b = &m->server.backup;

    model_say(m, "a backup is made");
    database_path(m, "service", from);
    database_path(m, "backup", to);
    b->is_there = copy_database(from, to);
    memcpy(b->plan_of, m->server.plan_of, sizeof b->plan_of);
    memcpy(b->is_deleted, m->server.is_deleted, sizeof b->is_deleted);
    b->period_count = m->truth.period_count;
    for (size_t i = 0; i < b->period_count; i++)
        b->direct[i] = m->truth.periods[i].direct;
}

static dreamd_db_status mark_restored(dreamd_db *db, void *arg)
{
    errand *e = arg;
    dreamd_lease_terms terms = { TTL_MS, GRACE_MS, CLOSE_DAYS };
    dreamd_restore restore = { &terms, server_now(e->m), "model" };

    return dreamd_store_mark_restored(db, &restore, &e->epoch);
}

void server_restore(model *m)
{
    char from[128];
    char to[128];
    backup *b = &m->server.backup;
    errand e = errand_for(m, 0, 0);

    if (!b->is_there)
        return;
    model_say(m, "the backup is restored");
    database_path(m, "backup", from);
    database_path(m, "service", to);
    dreamd_db_close(m->server.store.db);
    if (!copy_database(from, to))
        model_fail(m, "the backup cannot be copied");
    open_database(m);
    if (m->is_over)
        return;
    now(m, mark_restored, &e);
    memcpy(m->server.plan_of, b->plan_of, sizeof b->plan_of);
    memcpy(m->server.is_deleted, b->is_deleted, sizeof b->is_deleted);
    for (size_t i = 0; i < m->truth.period_count; i++) {
        truth_period *p = &m->truth.periods[i];
        int64_t kept = i < b->period_count ? b->direct[i] : 0;
        p->forgotten += p->direct - kept;
        p->direct = kept;
    }
    m->server.recovering_until_ms = m->now_ms + TTL_MS + GRACE_MS;
    truth_restored(m);
}

/* ---- looking at it ---- */

static void report(void *context, const char *rule, const char *what)
{
    model *m = context;

    /* What nobody reports again after a restore may come to more than the limit; truth.c knows how much. */
    if (m->truth.was_restored && strcmp(rule, "count-is-within-limit") == 0)
        return;
    model_fail(m, "dreamapid check: %s: %s", rule, what);
}

void server_check(model *m)
{
    int64_t violations = 0;

    if (dreamd_check(m->server.store.db, server_now(m), report, m, &violations) != DREAMD_DB_OK)
        model_fail(m, "the store cannot be checked: %s", dreamd_db_message(m->server.store.db));
}

size_t server_leases(model *m, const lease_row **out)
{
    static lease_row rows[2048];
    size_t count = 0;
    dreamd_rows *found = NULL;
    dreamd_db_status status = dreamd_db_query(m->server.store.db,
                                              "SELECT lease_id, period_start_day, state, granted, admitted, refunded, "
                                              "event_refunded, written_off FROM leases",
                                              DREAMD_NO_PARAMS, &found);

    while (status == DREAMD_DB_OK && count < sizeof rows / sizeof rows[0] && dreamd_rows_next(found) == DREAMD_DB_ROW) {
        lease_row *row = &rows[count++];
        (void)snprintf(row->id, sizeof row->id, "%s", dreamd_rows_text(found, 0));
        row->start_day = (int32_t)dreamd_rows_int(found, 1);
        row->state = dreamd_rows_int(found, 2);
        row->granted = dreamd_rows_int(found, 3);
        row->admitted = dreamd_rows_int(found, 4);
        row->refunded = dreamd_rows_int(found, 5);
        row->event_refunded = dreamd_rows_int(found, 6);
        row->written_off = dreamd_rows_int(found, 7);
    }
    dreamd_rows_finish(found);
    *out = rows;
    return count;
}

size_t server_counts(model *m, const count_row **out)
{
    static count_row rows[ACCOUNTS * PERIODS_MAX];
    size_t count = 0;
    dreamd_rows *found = NULL;
    dreamd_db_status status = dreamd_db_query(
        m->server.store.db, "SELECT user_id, period_start_day, used, held, lost, is_closed, meter FROM usage_counts",
        DREAMD_NO_PARAMS, &found);

    while (status == DREAMD_DB_OK && count < sizeof rows / sizeof rows[0] && dreamd_rows_next(found) == DREAMD_DB_ROW) {
        count_row *row = &rows[count++];
        row->user = account_of(dreamd_rows_text(found, 0), dreamd_rows_text(found, 6));
        row->start_day = (int32_t)dreamd_rows_int(found, 1);
        row->used = dreamd_rows_int(found, 2);
        row->held = dreamd_rows_int(found, 3);
        row->lost = dreamd_rows_int(found, 4);
        row->is_closed = dreamd_rows_int(found, 5) != 0;
    }
    dreamd_rows_finish(found);
    *out = rows;
    return count;
}
