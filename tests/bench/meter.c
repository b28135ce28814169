/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - what one use of a meter costs, through the public interface of the shared library, with its journal on disk.
 * meter [--smoke] FOLDER. The server of leases is in the process (tests/support/grants.c): its leases are large enough that the
 * hot path is what is measured. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "support/grants.h"

enum { USERS = 100000, SMOKE_USERS = 2000, ID_SIZE = 40, THREADS_MAX = 8, STEPS = 4 };
static const int steps[STEPS] = { 1, 2, 4, 8 };

typedef struct stage {
    grants settings;
    dreamapi_client *client;
    dreamapi_meter *meter;   /* used by one thread */
    dreamapi_meter *crowded; /* by many */
    dreamapi_meter *denied;
    long users;
    char (*ids)[ID_SIZE];
    dreamapi_meter **meters;
    uint32_t *order; /* of the users, shuffled */
} stage;

static long rounds_of(long normal)
{
    return bench_count(normal, 3);
}

static void need(dreamapi_status status, const char *what)
{
    char text[128];

    if (status == DREAMAPI_OK)
        return;
    (void)snprintf(text, sizeof(text), "%s: %s", what, dreamapi_status_name(status));
    bench_die(text);
}

/* ---- floors ---- */

static _Alignas(64) _Atomic uint64_t bare_counter;

static void add_and_look(void *context, long count)
{
    struct timespec now;

    (void)context;
    for (long i = 0; i < count; i++) {
        atomic_fetch_add_explicit(&bare_counter, 1, memory_order_relaxed);
        (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    }
}

static void look_at_clock(void *context, long count)
{
    struct timespec now;

    (void)context;
    for (long i = 0; i < count; i++)
        (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
}

/* A plain hash table: open addressing, half full at the most, each entry with its key in place and something to count. */
typedef struct bare_entry {
    char key[ID_SIZE];
    uint64_t uses;
} bare_entry;
static bare_entry *bare_entries;
static size_t bare_mask;

/* As good and as fast as hashes of short texts get: eight bytes a step. */
static uint64_t bare_hash(const char *key, size_t size)
{
    uint64_t hash = size, part;

    for (; size >= 8; size -= 8, key += 8) {
        memcpy(&part, key, 8);
        hash = (hash ^ part) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    part = 0;
    memcpy(&part, key, size);
    hash = (hash ^ part) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static bare_entry *bare_find(const char *key)
{
    size_t at = bare_hash(key, strlen(key)) & bare_mask;

    while (bare_entries[at].key[0] != '\0' && strcmp(bare_entries[at].key, key) != 0)
        at = (at + 1) & bare_mask;
    return &bare_entries[at];
}

static void fill_bare_table(const stage *s)
{
    for (bare_mask = 64; bare_mask < (size_t)s->users * 2; bare_mask *= 2)
        ;
    bare_entries = calloc(bare_mask, sizeof(*bare_entries));
    if (bare_entries == NULL)
        bench_die("out of memory");
    bare_mask--;
    for (long i = 0; i < s->users; i++)
        memcpy(bare_find(s->ids[i])->key, s->ids[i], ID_SIZE);
}

/* ---- what is measured ---- */

static void use(void *context, long count)
{
    dreamapi_meter *meter = context;

    for (long i = 0; i < count; i++) {
        if (dreamapi_meter_use(meter, 1, NULL) != DREAMAPI_OK)
            bench_die("a use was refused");
    }
}

static void use_and_tell(void *context, long count)
{
    dreamapi_meter *meter = context;
    dreamapi_decision decision;

    for (long i = 0; i < count; i++) {
        if (dreamapi_meter_use(meter, 1, &decision) != DREAMAPI_OK || !decision.allowed)
            bench_die("a use was refused");
    }
}

static void be_denied(void *context, long count)
{
    dreamapi_meter *meter = context;

    for (long i = 0; i < count; i++) {
        if (dreamapi_meter_use(meter, 1, NULL) != DREAMAPI_LIMIT)
            bench_die("a use was not refused");
    }
}

static void be_denied_and_told(void *context, long count)
{
    dreamapi_meter *meter = context;
    dreamapi_decision decision;

    for (long i = 0; i < count; i++) {
        if (dreamapi_meter_use(meter, 1, &decision) != DREAMAPI_LIMIT || decision.reason != DREAMAPI_REASON_LIMIT)
            bench_die("a use was not refused");
    }
}

/* A walk over the users in random order that goes on where the last slice ended. */
typedef struct walk {
    const stage *stage;
    long at;
} walk;

static long next_user(walk *w)
{
    if (w->at >= w->stage->users)
        w->at = 0;
    return w->stage->order[w->at++];
}

static void find_by_id(void *context, long count)
{
    walk *w = context;

    for (long i = 0; i < count; i++)
        ((volatile bare_entry *)bare_find(w->stage->ids[next_user(w)]))->uses++;
}

static void use_by_id(void *context, long count)
{
    walk *w = context;

    for (long i = 0; i < count; i++) {
        if (dreamapi_client_use(w->stage->client, w->stage->ids[next_user(w)], NULL, 1, NULL) != DREAMAPI_OK)
            bench_die("a use by id was refused");
    }
}

static void use_any_meter(void *context, long count)
{
    walk *w = context;

    for (long i = 0; i < count; i++) {
        if (dreamapi_meter_use(w->stage->meters[next_user(w)], 1, NULL) != DREAMAPI_OK)
            bench_die("a use was refused");
    }
}

/* ---- many threads ---- */

typedef struct worker {
    bench_act *act;
    void *context;
    long count;
    pthread_barrier_t *start;
    pthread_t id;
    int64_t cpu_ns;
    int64_t begun_ns, ended_ns;
} worker;

static void *work(void *arg)
{
    worker *self = arg;
    int64_t cpu_ns;

    (void)pthread_barrier_wait(self->start);
    self->begun_ns = bench_ns(CLOCK_MONOTONIC);
    cpu_ns = bench_ns(CLOCK_THREAD_CPUTIME_ID);
    self->act(self->context, self->count);
    self->cpu_ns = bench_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
    self->ended_ns = bench_ns(CLOCK_MONOTONIC);
    return NULL;
}

typedef struct crowd_result {
    double cpu_ns;  /* of each */
    double wall_ns; /* of each, over all threads */
    double in_step; /* cores that worked at a time */
} crowd_result;

/* `contexts`: one a thread. */
static crowd_result run_crowd(int threads, bench_act *act, void *const *contexts, long total)
{
    pthread_barrier_t start;
    worker workers[THREADS_MAX];
    int64_t begun = INT64_MAX, ended = 0;
    double cpu = 0, count = (double)(total / threads) * threads;

    (void)pthread_barrier_init(&start, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        workers[i] = (worker){ .act = act, .context = contexts[i], .count = total / threads, .start = &start };
        if (pthread_create(&workers[i].id, NULL, work, &workers[i]) != 0)
            bench_die("cannot start a thread");
    }
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(workers[i].id, NULL);
        cpu += (double)workers[i].cpu_ns;
        begun = workers[i].begun_ns < begun ? workers[i].begun_ns : begun;
        ended = workers[i].ended_ns > ended ? workers[i].ended_ns : ended;
    }
    (void)pthread_barrier_destroy(&start);
    return (crowd_result){ cpu / count, (double)(ended - begun) / count, cpu / (double)(ended - begun) };
}

static int cores_for(int threads)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return threads < cores ? threads : (int)cores;
}

/* What the cores would do if they were ours alone: from the CPU time that each use took. */
static double per_us(const crowd_result *result, int threads)
{
    return cores_for(threads) * 1e3 / result->cpu_ns;
}

/* False where other programs kept threads from running side by side: they would have been in nobody's way. */
static bool is_side_by_side(const crowd_result *result, int threads)
{
    return result->in_step > 0.85 * cores_for(threads);
}

static void report_step(const char *name, const crowd_result *results, const crowd_result *before, int step, int rounds)
{
    double values[BENCH_ROUNDS_MAX], floors[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX];
    int used = 0, good = 0;
    char text[64];

    for (int i = 0; i < rounds; i++)
        good += is_side_by_side(&results[i], steps[step]) && is_side_by_side(&before[i], steps[step - 1]);
    for (int i = 0; i < rounds; i++) {
        bool is_good = is_side_by_side(&results[i], steps[step]) && is_side_by_side(&before[i], steps[step - 1]);
        if (good >= 3 && !is_good)
            continue;
        values[used] = per_us(&results[i], steps[step]);
        floors[used] = per_us(&before[i], steps[step - 1]);
        ratios[used] = values[used] / floors[used];
        used++;
    }
    (void)fprintf(stderr, "  %d threads: %d of %d slices had their cores to themselves\n", steps[step], good, rounds);
    (void)snprintf(text, sizeof(text), "%s, %d threads", name, steps[step]);
    bench_print(&(bench_row){ text, "M/s", bench_median(values, used), bench_median(floors, used),
                              bench_median(ratios, used), BENCH_AT_LEAST, 0.95 });
}

static void measure_crowds_of_one_user(stage *s)
{
    static crowd_result results[STEPS][BENCH_ROUNDS_MAX];
    void *contexts[THREADS_MAX];
    int rounds = (int)rounds_of(BENCH_ROUNDS_MAX);
    /* A slice ends before the kernel's next look at who else wants the cores. */
    long total = bench_count(160000, 8000);

    (void)fprintf(stderr, "meter: threads on one user\n");
    for (int i = 0; i < THREADS_MAX; i++)
        contexts[i] = s->crowded;
    /* Until the threads have met often enough for the next lease to be shared out. */
    for (int i = 0; i < 100; i++)
        (void)run_crowd(8, use, contexts, total);
    need(dreamapi_client_flush(s->client, 5000, NULL), "flush");
    use(s->crowded, 1);
    for (int round = 0; round < rounds; round++) {
        void *alone = s->meter;
        results[0][round] = run_crowd(1, use, &alone, total);
        for (int step = 1; step < STEPS; step++)
            results[step][round] = run_crowd(steps[step], use, contexts, total);
    }
    for (int step = 1; step < STEPS; step++)
        report_step("dreamapi_meter_use, one user", results[step], results[step - 1], step, rounds);
}

/* ---- 100 000 meters ---- */

static void make_users(stage *s)
{
    uint64_t state = 42;

    s->users = bench_count(USERS, SMOKE_USERS);
    s->ids = calloc((size_t)s->users, sizeof(*s->ids));
    s->meters = calloc((size_t)s->users, sizeof(dreamapi_meter *));
    s->order = calloc((size_t)s->users, sizeof(*s->order));
    if (s->ids == NULL || s->meters == NULL || s->order == NULL)
        bench_die("out of memory");
    for (long i = 0; i < s->users; i++) {
        (void)snprintf(s->ids[i], ID_SIZE, "user_2abcDEFghiJKL%08ld", i);
        s->order[i] = (uint32_t)i;
    }
    for (long i = s->users - 1; i > 0; i--) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        long other = (long)((state >> 33) % (uint64_t)(i + 1));
        uint32_t kept = s->order[i];
        s->order[i] = s->order[other];
        s->order[other] = kept;
    }
}

/* Meters that refuse at once ask for their leases by the thousand. */
static void open_users(stage *s)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    long waiting;

    (void)fprintf(stderr, "meter: opening %ld meters\n", s->users);
    params.policy = DREAMAPI_POLICY_DENY;
    for (long i = 0; i < s->users; i++)
        need(dreamapi_meter_open(s->client, s->ids[i], &params, &s->meters[i], NULL), "open");
    do {
        waiting = 0;
        for (long i = 0; i < s->users; i++)
            waiting += dreamapi_meter_use(s->meters[i], 1, NULL) != DREAMAPI_OK;
        (void)usleep(10000);
    } while (waiting > 0);
}

static void measure_users(const stage *s, int threads)
{
    walk walks[THREADS_MAX];
    void *contexts[THREADS_MAX];
    double floors[BENCH_ROUNDS_MAX], ids[BENCH_ROUNDS_MAX], handles[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX];
    double handle_ratios[BENCH_ROUNDS_MAX];
    int rounds = (int)rounds_of(31);
    long total = bench_count(200000, 4000);
    char text[80];

    for (int i = 0; i < THREADS_MAX; i++) {
        walks[i] = (walk){ s, s->users / THREADS_MAX * i };
        contexts[i] = &walks[i];
    }
    for (int i = 0; i < rounds; i++) {
        floors[i] = run_crowd(threads, find_by_id, contexts, total).cpu_ns;
        ids[i] = run_crowd(threads, use_by_id, contexts, total).cpu_ns;
        handles[i] = run_crowd(threads, use_any_meter, contexts, total).cpu_ns;
        ratios[i] = ids[i] / floors[i];
        handle_ratios[i] = handles[i] / floors[i];
    }
    (void)snprintf(text, sizeof(text), "dreamapi_client_use, %ld users, %d thread%s", s->users, threads,
                   threads == 1 ? "" : "s");
    bench_print(&(bench_row){ text, "ns CPU", bench_median(ids, rounds), bench_median(floors, rounds),
                              bench_median(ratios, rounds), BENCH_AT_MOST, 3 });
    (void)snprintf(text, sizeof(text), "dreamapi_meter_use, %ld meters, %d thread%s", s->users, threads,
                   threads == 1 ? "" : "s");
    bench_print(&(bench_row){ text, "ns CPU", bench_median(handles, rounds), bench_median(floors, rounds),
                              bench_median(handle_ratios, rounds), BENCH_NO_GATE, 0 });
}

/* ---- one thread, one user ---- */

static void compare_one(const char *name, bench_act *subject, dreamapi_meter *meter, bool is_denial)
{
    bench_pair pair = { .floor = is_denial ? look_at_clock : add_and_look,
                        .subject = subject,
                        .subject_context = meter,
                        .count = bench_count(100000, 1000),
                        .rounds = (int)rounds_of(101),
                        .floor_extra_ns = is_denial ? 2 : 0,
                        .clock = CLOCK_THREAD_CPUTIME_ID };
    bench_result result = bench_compare(&pair);

    bench_print(
        &(bench_row){ name, "ns", result.value_ns, result.floor_ns, result.ratio, BENCH_AT_MOST, is_denial ? 2 : 3 });
}

static void measure_one_thread(const stage *s)
{
    (void)fprintf(stderr, "meter: one thread, one user\n");
    compare_one("dreamapi_meter_use", use, s->meter, false);
    compare_one("dreamapi_meter_use, with decision", use_and_tell, s->meter, false);
    compare_one("dreamapi_meter_use, denied", be_denied, s->denied, true);
    compare_one("dreamapi_meter_use, denied, with decision", be_denied_and_told, s->denied, true);
}

static void open_stage(stage *s, const char *folder)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_transport transport = grants_transport(&s->settings);
    char path[512];

    s->settings = (grants){ .units = 2000000000, .ttl_ms = 3600000 };
    (void)snprintf(path, sizeof(path), "%s/bench.journal", folder);
    need(dreamapi_options_set_base_url(options, "http://127.0.0.1:1"), "base URL");
    need(dreamapi_options_set_secret_key(options, "sk_test_bench"), "secret key");
    need(dreamapi_options_set_transport(options, &transport), "transport");
    need(dreamapi_options_set_journal(options, path), "journal");
    need(dreamapi_client_new(options, &s->client, NULL), "client");
    dreamapi_options_free(options);
    need(dreamapi_meter_open(s->client, "user_alone", NULL, &s->meter, NULL), "open");
    need(dreamapi_meter_open(s->client, "user_crowded", NULL, &s->crowded, NULL), "open");
    need(dreamapi_meter_open(s->client, GRANTS_DENIED, NULL, &s->denied, NULL), "open");
}

static void close_stage(stage *s, const char *folder)
{
    char path[512];

    for (long i = 0; i < s->users; i++)
        dreamapi_meter_close(s->meters[i]);
    dreamapi_meter_close(s->meter);
    dreamapi_meter_close(s->crowded);
    dreamapi_meter_close(s->denied);
    dreamapi_client_free(s->client);
    free(s->ids);
    free(s->meters);
    free(s->order);
    free(bare_entries);
    (void)snprintf(path, sizeof(path), "%s/bench.journal", folder);
    (void)unlink(path);
}

int main(int argc, char **argv)
{
    static stage s;

    bench_begin("meter", &argc, &argv);
    if (argc != 2)
        bench_die("FOLDER");
    open_stage(&s, argv[1]);
    measure_one_thread(&s);
    measure_crowds_of_one_user(&s);
    make_users(&s);
    fill_bare_table(&s);
    open_users(&s);
    for (int i = 0; i < STEPS; i++)
        measure_users(&s, steps[i]);
    close_stage(&s, argv[1]);
    return 0;
}
