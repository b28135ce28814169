/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c - the writer thread, readers, and what must hold across threads, processes and kill -9.
 *
 * Works are put into one batch by holding the writer in a work of its own (`gate`) while they queue up. */
#include "store_case.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buffer.h"

enum { QUEUE_MAX = 8192 /* as in store.c */ };

static dreamd_store *open_store(const store_case *self)
{
    char error[256] = "";
    dreamd_store *store = dreamd_store_open(self->path, NULL, error);
    if (!store)
        fail_msg("%s", error);
    return store;
}

/* ---- a gate in the writer ---- */

typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_entered, is_open;
} gate;
#define GATE_INIT                                                                                                      \
    {                                                                                                                  \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false                                              \
    }

static dreamd_db_status gate_work(dreamd_db *db, void *arg)
{
    gate *self = arg;
    (void)db;
    pthread_mutex_lock(&self->lock);
    self->is_entered = true;
    pthread_cond_broadcast(&self->changed);
    while (!self->is_open)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
    return DREAMD_DB_OK;
}

static void ignore_done(void *arg, dreamd_db_status status)
{
    (void)arg;
    (void)status;
}

/* Returns once the writer stands in it. */
static void gate_enter(gate *self, dreamd_store *store)
{
    dreamd_store_write(store, gate_work, ignore_done, self);
    pthread_mutex_lock(&self->lock);
    while (!self->is_entered)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
}

static void gate_leave(gate *self)
{
    pthread_mutex_lock(&self->lock);
    self->is_open = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

/* ---- works ---- */

typedef struct job {
    const store_case *self;
    dreamd_usage_request request;
    dreamd_usage_result result;
    const char *sql;         /* run instead of an admission */
    dreamd_db_status answer; /* of the work, once its SQL is run */
    int busy_times;          /* answers BUSY so often first */
    atomic_int runs, dones;
    atomic_int status;
} job;

static dreamd_db_status admit_work(dreamd_db *db, void *arg)
{
    job *self = arg;
    atomic_fetch_add(&self->runs, 1);
    return dreamd_usage_admit(db, &self->request, &self->result);
}

static dreamd_db_status sql_work(dreamd_db *db, void *arg)
{
    job *self = arg;
    atomic_fetch_add(&self->runs, 1);
    dreamd_db_status status = dreamd_db_script(db, self->sql);
    if (status != DREAMD_DB_OK)
        return status;
    return self->busy_times-- > 0 ? DREAMD_DB_BUSY : self->answer;
}

static void job_done(void *arg, dreamd_db_status status)
{
    job *self = arg;
    atomic_store(&self->status, (int)status);
    atomic_fetch_add(&self->dones, 1);
}

#define INSERT_META(name) "INSERT INTO meta (name, value) VALUES ('" name "', '1')"

/* ---- one work of a batch ---- */

/* Runs the jobs as one batch and closes the store, so that all are done. */
/* As one batch. */
static void write_gated(gate *hold, dreamd_store *store, job *jobs, size_t count)
{
    gate_enter(hold, store);
    for (size_t i = 0; i < count; i++)
        dreamd_store_write(store, sql_work, job_done, &jobs[i]);
    gate_leave(hold);
}

static void run_together(const store_case *self, job *jobs, size_t count)
{
    gate hold = GATE_INIT;
    dreamd_store *store = open_store(self);
    write_gated(&hold, store, jobs, count);
    dreamd_store_close(store);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(atomic_load(&jobs[i].dones), 1);
}

static int64_t metas(const store_case *self)
{
    return number_of(self->db, "SELECT COUNT(*) FROM meta WHERE name <> 'store_epoch'");
}

static void test_batch__failing_work_is_undone_alone(void **state)
{
    store_case *self = *state;
    job jobs[] = { { .sql = INSERT_META("a") },
                   { .sql = INSERT_META("b"), .answer = DREAMD_DB_CONFLICT },
                   { .sql = INSERT_META("a") }, /* the key is taken */
                   { .sql = INSERT_META("c") } };
    run_together(self, jobs, 4);
    assert_int_equal(jobs[0].status, DREAMD_DB_OK);
    assert_int_equal(jobs[1].status, DREAMD_DB_CONFLICT);
    assert_int_equal(jobs[2].status, DREAMD_DB_CONFLICT);
    assert_int_equal(jobs[3].status, DREAMD_DB_OK);
    assert_int_equal(metas(self), 2);
    /* Those before the first that fails run again, with savepoints. */
    for (int i = 0; i < 4; i++)
        assert_int_equal(jobs[i].runs, i < 2 ? 2 : 1);
}

static void test_batch__works_that_fail_make_others_run_twice_only_once_in_a_while(void **state)
{
    store_case *self = *state;
    job first[] = { { .sql = INSERT_META("a") }, { .sql = INSERT_META("b"), .answer = DREAMD_DB_CONFLICT } };
    job second[] = { { .sql = INSERT_META("c") }, { .sql = INSERT_META("d"), .answer = DREAMD_DB_CONFLICT } };
    gate holds[] = { GATE_INIT, GATE_INIT };
    dreamd_store *store = open_store(self);
    write_gated(&holds[0], store, first, 2);
    write_gated(&holds[1], store, second, 2);
    dreamd_store_close(store);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(first[i].runs, 2);
        assert_int_equal(second[i].runs, 1);
        assert_int_equal(second[i].status, second[i].answer);
    }
    assert_int_equal(metas(self), 2);
}

static void test_batch__failed_commit_fails_only_the_work_at_fault(void **state)
{
    store_case *self = *state;
    job jobs[] = { { .sql = INSERT_META("a") },
                   { .sql =
                         "PRAGMA defer_foreign_keys=ON; INSERT INTO projects VALUES ('plt_x', 'prj_x', 'live', 'saas', "
                         "'X', 0, 1)" },
                   { .sql = INSERT_META("b") } };
    run_together(self, jobs, 3);
    assert_int_equal(jobs[0].status, DREAMD_DB_OK);
    assert_int_not_equal(jobs[1].status, DREAMD_DB_OK);
    assert_int_equal(jobs[2].status, DREAMD_DB_OK);
    assert_int_equal(metas(self), 2);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_batch__full_disk_is_told_to_the_work_that_did_not_fit(void **state)
{
    store_case *self = *state;
    /* The limit is the connection's, so it is set by a work; twenty pages more than there are. */
    char limit[64];
    (void)snprintf(limit, sizeof limit, "PRAGMA max_page_count=%lld",
                   (long long)number_of(self->db, "PRAGMA page_count") + 20);
    job jobs[] = { { .sql = limit },
                   { .sql = INSERT_META("a") },
                   { .sql = "INSERT INTO meta VALUES ('big', CAST(zeroblob(1000000) AS TEXT))" },
                   { .sql = INSERT_META("b") } };
    run_together(self, jobs, 4);
    assert_int_equal(jobs[1].status, DREAMD_DB_OK);
    assert_int_equal(jobs[2].status, DREAMD_DB_FULL);
    assert_int_equal(jobs[3].status, DREAMD_DB_OK);
    assert_int_equal(metas(self), 2);
}

static void test_batch__work_that_ends_the_transaction_takes_no_other_with_it(void **state)
{
    store_case *self = *state;
    job jobs[] = { { .sql = INSERT_META("a") }, { .sql = "ROLLBACK" }, { .sql = INSERT_META("b") } };
    run_together(self, jobs, 3);
    assert_int_equal(jobs[0].status, DREAMD_DB_OK);
    assert_int_not_equal(jobs[1].status, DREAMD_DB_OK);
    assert_int_equal(jobs[2].status, DREAMD_DB_OK);
    assert_int_equal(metas(self), 2);
}

static void test_batch__busy_work_is_tried_again_and_undone_each_time(void **state)
{
    store_case *self = *state;
    job jobs[] = { { .sql = INSERT_META("a"), .busy_times = 2 },
                   { .sql = INSERT_META("b"), .busy_times = 1000 },
                   { .sql = INSERT_META("c") } };
    run_together(self, jobs, 3);
    assert_int_equal(jobs[0].status, DREAMD_DB_OK);
    assert_int_equal(jobs[0].runs, 3);
    assert_int_equal(jobs[1].status, DREAMD_DB_BUSY);
    assert_in_range(jobs[1].runs, 2, 5); /* bounded */
    assert_int_equal(jobs[2].runs, 1);   /* held up by neither */
    assert_int_equal(metas(self), 2);
}

static void test_write__waits_while_another_process_has_the_lock(void **state)
{
    store_case *self = *state;
    job waiting = { .sql = INSERT_META("a") };
    dreamd_store *store = open_store(self);
    assert_ok(dreamd_db_begin(self->db));
    dreamd_store_write(store, sql_work, job_done, &waiting);
    assert_ok(dreamd_db_script(self->db, INSERT_META("b")));
    assert_int_equal(waiting.dones, 0);
    assert_ok(dreamd_db_commit(self->db));
    dreamd_store_close(store);
    assert_int_equal(waiting.status, DREAMD_DB_OK);
    assert_int_equal(metas(self), 2);
}

/* ---- queue, close, reads ---- */

static void test_close__finishes_what_is_queued(void **state)
{
    store_case *self = *state;
    enum { JOBS = 600 }; /* more than two batches */
    job *jobs = calloc(JOBS, sizeof *jobs);
    gate hold = GATE_INIT;
    assert_non_null(jobs);
    dreamd_store *store = open_store(self);
    gate_enter(&hold, store);
    for (int i = 0; i < JOBS; i++) {
        jobs[i].request = request_of(self, "user_a", T0);
        jobs[i].request.token_plan = "enterprise";
        dreamd_store_write(store, admit_work, job_done, &jobs[i]);
    }
    gate_leave(&hold);
    dreamd_store_close(store);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].dones, 1);
        assert_int_equal(jobs[i].status, DREAMD_DB_OK);
        assert_int_equal(jobs[i].result.used, i + 1); /* in order */
    }
    free(jobs);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), JOBS);
}

static void test_write__full_queue_answers_busy_at_once(void **state)
{
    store_case *self = *state;
    gate hold = GATE_INIT;
    job filler = { .sql = "SELECT 1" }, refused = { .sql = INSERT_META("a") };
    dreamd_store *store = open_store(self);
    gate_enter(&hold, store);
    for (int i = 0; i < QUEUE_MAX; i++)
        dreamd_store_write(store, sql_work, job_done, &filler);
    assert_int_equal(filler.dones, 0);
    dreamd_store_write(store, sql_work, job_done, &refused);
    assert_int_equal(refused.dones, 1);
    assert_int_equal(refused.status, DREAMD_DB_BUSY);
    gate_leave(&hold);
    dreamd_store_close(store);
    assert_int_equal(filler.dones, QUEUE_MAX);
    assert_int_equal(refused.runs, 0);
}

static dreamd_db_status count_work(dreamd_db *db, void *arg)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_db_query(db, "SELECT COUNT(*) FROM meta", DREAMD_NO_PARAMS, &rows);
    if (status != DREAMD_DB_OK)
        return status;
    status = dreamd_rows_next(rows);
    *(int64_t *)arg = status == DREAMD_DB_ROW ? dreamd_rows_int(rows, 0) : -1;
    dreamd_rows_finish(rows);
    return status == DREAMD_DB_ROW ? DREAMD_DB_OK : status;
}

static void test_read__sees_what_was_acknowledged_before(void **state)
{
    store_case *self = *state;
    dreamd_store *store = open_store(self);
    for (int i = 0; i < 20; i++) {
        char sql[96];
        int64_t seen = 0;
        job write = { .sql = sql };
        (void)snprintf(sql, sizeof sql, "INSERT INTO meta VALUES ('m%d', '1')", i);
        assert_ok(dreamd_store_write_now(store, sql_work, &write));
        assert_ok(dreamd_store_read_now(store, count_work, &seen));
        assert_int_equal(seen, i + 2);
    }
    dreamd_store_close(store);
}

static void test_read__cannot_write(void **state)
{
    store_case *self = *state;
    job write = { .sql = INSERT_META("a") };
    dreamd_store *store = open_store(self);
    dreamd_store_read(store, sql_work, job_done, &write);
    assert_int_equal(write.dones, 1);
    assert_int_not_equal(write.status, DREAMD_DB_OK);
    dreamd_store_close(store);
    assert_int_equal(metas(self), 0);
}

static void *read_often(void *arg)
{
    dreamd_store *store = arg;
    intptr_t failures = 0;
    for (int i = 0; i < 50; i++) {
        int64_t seen = 0;
        failures += dreamd_store_read_now(store, count_work, &seen) != DREAMD_DB_OK || seen < 1;
    }
    return (void *)failures;
}

static void test_read__more_threads_than_connections_share_them(void **state)
{
    store_case *self = *state;
    enum { READERS = 20 };
    pthread_t threads[READERS];
    dreamd_store *store = open_store(self);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, store), 0);
    for (int i = 0; i < READERS; i++) {
        void *failures = NULL;
        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
    dreamd_store_close(store);
}

static void test_metrics__count_writes_and_commits(void **state)
{
    store_case *self = *state;
    char error[256];
    dream_buffer page = DREAM_BUFFER_INIT;
    job write = { .sql = INSERT_META("a") };
    dreamd_metrics *metrics = dreamd_metrics_new();
    dreamd_store *store = dreamd_store_open(self->path, metrics, error);
    assert_non_null(store);
    assert_ok(dreamd_store_write_now(store, sql_work, &write));
    dreamd_store_close(store);
    dreamd_metrics_print(metrics, &page);
    assert_non_null(strstr(dream_buffer_str(&page), "dreamapid_store_writes_total 1"));
    assert_non_null(strstr(dream_buffer_str(&page), "dreamapid_store_commit_seconds_count 1"));
    assert_non_null(strstr(dream_buffer_str(&page), "dreamapid_store_queue_depth 0"));
    dream_buffer_clear(&page);
    dreamd_metrics_free(metrics);
}

static void test_close__of_nothing_is_fine(void **state)
{
    (void)state;
    dreamd_store_close(NULL);
}

/* ---- limits between threads and processes ---- */

enum { THREADS = 6, EACH = 40 };

typedef struct submitter {
    dreamd_store *store;
    dreamd_usage_request request;
    int admitted, limited, rate_limited, failed;
} submitter;

static void *submit_admits(void *arg)
{
    submitter *self = arg;
    for (int i = 0; i < EACH; i++) {
        job one = { .request = self->request };
        if (dreamd_store_write_now(self->store, admit_work, &one) != DREAMD_DB_OK)
            self->failed++;
        else if (one.result.outcome == DREAMD_USAGE_OK)
            self->admitted++;
        else if (one.result.outcome == DREAMD_USAGE_LIMIT)
            self->limited++;
        else
            self->rate_limited++;
    }
    return NULL;
}

/* THREADS threads, one store; the sum of what they were told. */
static submitter submit_from_threads(const store_case *self, const dreamd_usage_request *request)
{
    pthread_t threads[THREADS];
    submitter submitters[THREADS], sum = { 0 };
    char error[256];
    dreamd_store *store = dreamd_store_open(self->path, NULL, error);
    if (!store)
        return (submitter){ .failed = 1 };
    for (int i = 0; i < THREADS; i++) {
        submitters[i] = (submitter){ .store = store, .request = *request };
        if (pthread_create(&threads[i], NULL, submit_admits, &submitters[i]) != 0)
            abort();
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        sum.admitted += submitters[i].admitted;
        sum.limited += submitters[i].limited;
        sum.rate_limited += submitters[i].rate_limited;
        sum.failed += submitters[i].failed;
    }
    dreamd_store_close(store);
    return sum;
}

/* The same in two processes at once; the child tells its sum through a pipe. */
static submitter submit_from_two_processes(store_case *self, const dreamd_usage_request *request)
{
    int told[2], counts[4], status = -1;
    assert_int_equal(pipe(told), 0);
    store_case_let_go(self);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        submitter sum = submit_from_threads(self, request);
        const int own[4] = { sum.admitted, sum.limited, sum.rate_limited, sum.failed };
        _exit(write(told[1], own, sizeof own) == (ssize_t)sizeof own ? 0 : 1);
    }
    submitter sum = submit_from_threads(self, request);
    store_case_take_up(self);
    assert_int_equal(read(told[0], counts, sizeof counts), sizeof counts);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(told[0]);
    (void)close(told[1]);
    sum.admitted += counts[0];
    sum.limited += counts[1];
    sum.rate_limited += counts[2];
    sum.failed += counts[3];
    return sum;
}

static void test_limit__exactly_so_many_of_many_threads_succeed(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "pro";
    submitter sum = submit_from_threads(self, &request);
    assert_int_equal(sum.failed, 0);
    assert_int_equal(sum.admitted, 100);
    assert_int_equal(sum.limited, THREADS * EACH - 100);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), 100);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_limit__exactly_so_many_of_two_processes_succeed(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "pro";
    submitter sum = submit_from_two_processes(self, &request);
    assert_int_equal(sum.failed, 0);
    assert_int_equal(sum.admitted, 100);
    assert_int_equal(sum.limited, 2 * THREADS * EACH - 100);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), 100);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_rate__exactly_so_many_of_two_processes_succeed(void **state)
{
    store_case *self = *state;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    request.token_plan = "slow";
    submitter sum = submit_from_two_processes(self, &request);
    assert_int_equal(sum.failed, 0);
    assert_int_equal(sum.admitted, 3);
    assert_int_equal(sum.rate_limited, 2 * THREADS * EACH - 3);
}

/* ---- kill -9 ---- */

typedef struct keyed {
    const store_case *self;
    char key[32];
    dream_arena *arena;
    dreamd_idempotency_claim_result claimed;
} keyed;

/* As POST /api/data does it: claim, charge and remembered answer in one work. */
static dreamd_db_status keyed_work(dreamd_db *db, void *arg)
{
    keyed *one = arg;
    dreamd_usage_result result;
    char hash[DREAMD_REQUEST_HASH_SIZE];
    dreamd_usage_request request = request_of(one->self, "user_a", T0);
    dreamd_idempotency_scope scope = { &one->self->project, "/api/data", one->key };
    request.token_plan = "enterprise";
    if (!dreamd_request_hash("POST", "/api/data", one->key, strlen(one->key), hash))
        return DREAMD_DB_NOMEM;
    dreamd_db_status status = dreamd_idempotency_claim(db, &scope, hash, T0, one->arena, &one->claimed);
    if (status != DREAMD_DB_OK || one->claimed.outcome != DREAMD_IDEMPOTENCY_FRESH)
        return status;
    status = dreamd_usage_admit(db, &request, &result);
    if (status != DREAMD_DB_OK)
        return status;
    return dreamd_idempotency_finish(db, &scope, one->claimed.claim_id, 200, "application/json", "{}", 2);
}

typedef struct burst {
    const store_case *self;
    dreamd_store *store;
    int number;
    int acks;
} burst;

/* Submits until killed, and says what was acknowledged: thread and request, in one write. */
static void *burst_thread(void *arg)
{
    burst *self = arg;
    for (int i = 0;; i++) {
        int ack[2] = { self->number, i };
        keyed one = { .self = self->self, .arena = dream_arena_new() };
        (void)snprintf(one.key, sizeof one.key, "%d-%d", self->number, i);
        if (!one.arena || dreamd_store_write_now(self->store, keyed_work, &one) != DREAMD_DB_OK
            || write(self->acks, ack, sizeof ack) != (ssize_t)sizeof ack)
            _exit(1);
        dream_arena_free(one.arena);
    }
    return NULL;
}

static void burst_until_killed(const store_case *self, int acks)
{
    pthread_t threads[THREADS];
    burst bursts[THREADS];
    char error[256];
    dreamd_store *store = dreamd_store_open(self->path, NULL, error);
    if (!store)
        _exit(1);
    for (int i = 0; i < THREADS; i++) {
        bursts[i] = (burst){ self, store, i, acks };
        if (pthread_create(&threads[i], NULL, burst_thread, &bursts[i]) != 0)
            _exit(1);
    }
    (void)pthread_join(threads[0], NULL); /* never comes */
    _exit(1);
}

/* Kills the burst after about `wanted` acknowledgements; returns how many there were, and the highest of each thread. */
static int burst_and_kill(store_case *self, int wanted, int highest[THREADS])
{
    int acks[2], ack[2], count = 0, status = 0;
    assert_int_equal(pipe(acks), 0);
    store_case_let_go(self);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(acks[0]);
        burst_until_killed(self, acks[1]);
    }
    (void)close(acks[1]);
    for (int i = 0; i < THREADS; i++)
        highest[i] = -1;
    while (read(acks[0], ack, sizeof ack) == (ssize_t)sizeof ack) {
        highest[ack[0]] = ack[1];
        if (++count == wanted)
            assert_int_equal(kill(pid, SIGKILL), 0); /* what was written before still comes out of the pipe */
    }
    (void)close(acks[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    store_case_take_up(self);
    return count;
}

static void test_kill__what_was_acknowledged_is_counted_and_a_retry_charges_once(void **state)
{
    store_case *self = *state;
    int highest[THREADS];
    int count = burst_and_kill(self, 150, highest);
    assert_int_equal(violations_of(self->db, T0), 0);
    int64_t used = number_of(self->db, "SELECT used FROM usage_counts");
    assert_int_equal(used, number_of(self->db, "SELECT COUNT(*) FROM idempotency_keys"));
    assert_true(used >= count);           /* nothing acknowledged is lost */
    assert_true(used <= count + THREADS); /* and at most one a thread was under way */

    dreamd_store *store = open_store(self);
    int total = 0;
    for (int i = 0; i < THREADS; i++) {
        /* Everything acknowledged, and the one that was not. */
        for (int j = 0; j <= highest[i] + 1; j++, total++) {
            keyed one = { .self = self, .arena = self->arena };
            (void)snprintf(one.key, sizeof one.key, "%d-%d", i, j);
            assert_ok(dreamd_store_write_now(store, keyed_work, &one));
            if (j <= highest[i])
                assert_int_equal(one.claimed.outcome, DREAMD_IDEMPOTENCY_REPLAY);
        }
    }
    dreamd_store_close(store);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), total);
    assert_int_equal(violations_of(self->db, T0), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_batch__failing_work_is_undone_alone),
        CASE(test_batch__works_that_fail_make_others_run_twice_only_once_in_a_while),
        CASE(test_batch__failed_commit_fails_only_the_work_at_fault),
        CASE(test_batch__full_disk_is_told_to_the_work_that_did_not_fit),
        CASE(test_batch__work_that_ends_the_transaction_takes_no_other_with_it),
        CASE(test_batch__busy_work_is_tried_again_and_undone_each_time),
        CASE(test_write__waits_while_another_process_has_the_lock),
        CASE(test_close__finishes_what_is_queued),
        CASE(test_write__full_queue_answers_busy_at_once),
        CASE(test_read__sees_what_was_acknowledged_before),
        CASE(test_read__cannot_write),
        CASE(test_read__more_threads_than_connections_share_them),
        CASE(test_metrics__count_writes_and_commits),
        cmocka_unit_test(test_close__of_nothing_is_fine),
        CASE(test_limit__exactly_so_many_of_many_threads_succeed),
        CASE(test_limit__exactly_so_many_of_two_processes_succeed),
        CASE(test_rate__exactly_so_many_of_two_processes_succeed),
        CASE(test_kill__what_was_acknowledged_is_counted_and_a_retry_charges_once),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
