/* SPDX-License-Identifier: Apache-2.0 */
/* test_threads.c - one client and sixteen threads. Rows are those of the table "Threads" in
 * docs/threads-and-forks.md, whose numbers their sentences begin with (check_rows.py compares). */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

enum { THREADS = 16, PLAIN_ROUNDS = 25, LONG_ROUNDS = 400, SOON_MS = 30000 };

typedef struct scene scene;

typedef struct thread_row {
    const char *sentence;
    int threads; /* the client's */
    void (*play)(scene *c);
} thread_row;

struct scene {
    stage stage;
    int rounds;
    dreamapi_call *shared;
    dreamapi_call *calls[THREADS];
    atomic_int next_thread;
    atomic_int failures;
    atomic_int handed_out;
    atomic_bool is_over;
};

static void run_threads(scene *c, void *(*function)(void *))
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, function, c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&c->failures), 0);
}

static void note(scene *c, bool is_good)
{
    if (!is_good)
        atomic_fetch_add(&c->failures, 1);
}

/* ---- T1: mixed calls ---- */

static dreamapi_status call_one(dreamapi_client *client, int which, dreamapi_error *error)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;

    params.email = "a@example.test";
    switch (which % 6) {
    case 0:
        return dreamapi_customer_get(client, "user_1", NULL, NULL, error);
    case 1:
        return dreamapi_customer_create(client, &params, NULL, NULL, error);
    case 2:
        return dreamapi_usage_get(client, "user_1", NULL, NULL, error);
    case 3:
        return dreamapi_usage_track(client, "user_1", NULL, NULL, NULL, error);
    case 4:
        return dreamapi_tier_list(client, NULL, NULL, error);
    default:
        return dreamapi_health_get(client, NULL, NULL, error);
    }
}

static void *mix(void *argument)
{
    scene *c = argument;
    int number = atomic_fetch_add(&c->next_thread, 1);
    dreamapi_error error;

    for (int i = 0; i < c->rounds; i++) {
        dreamapi_status status = call_one(c->stage.client, number + i, &error);
        if (status != DREAMAPI_OK)
            print_message("# %s\n", error.message);
        note(c, status == DREAMAPI_OK);
    }
    return NULL;
}

static void play_mixed(scene *c)
{
    fault_counts counts;

    run_threads(c, mix);
    counts = fault_server_counts(&c->stage.server);
    assert_true(counts.most_open <= 64);
    assert_true(counts.requests > 0);
}

/* ---- T2: many wait for one ---- */

static void *wait_for_shared(void *argument)
{
    scene *c = argument;

    note(c, dreamapi_call_wait(c->shared, SOON_MS, NULL) == DREAMAPI_OK);
    note(c, dreamapi_call_result(c->shared, NULL) == DREAMAPI_OK && dreamapi_call_json(c->shared));
    if (dreamapi_customer_result(c->shared, NULL, NULL) != DREAMAPI_OK)
        note(c, false);
    return NULL;
}

static void play_many_wait(scene *c)
{
    for (int i = 0; i < c->rounds; i++) {
        stage_expect(&c->stage, "start", stage_start(&c->stage, WORK_POST, &c->shared), DREAMAPI_OK);
        run_threads(c, wait_for_shared);
        dreamapi_call_free(c->shared);
    }
}

/* ---- T3: many cancel one ---- */

static void *cancel_shared(void *argument)
{
    scene *c = argument;
    dreamapi_status status;

    dreamapi_call_cancel(c->shared);
    status = dreamapi_call_wait(c->shared, SOON_MS, NULL);
    note(c, status == DREAMAPI_CANCELLED || status == DREAMAPI_OK);
    return NULL;
}

static void play_many_cancel(scene *c)
{
    for (int i = 0; i < c->rounds; i++) {
        stage_expect(&c->stage, "start", stage_start(&c->stage, WORK_GET, &c->shared), DREAMAPI_OK);
        run_threads(c, cancel_shared);
        dreamapi_call_free(c->shared);
    }
}

/* ---- T4: start, cancel, wait and free at random ---- */

static void *race(void *argument)
{
    scene *c = argument;
    unsigned seed = 100u + (unsigned)atomic_fetch_add(&c->next_thread, 1);
    stage copy = { .client = c->stage.client }; /* each thread has an error of its own */

    for (int i = 0; i < c->rounds; i++) {
        dreamapi_call *call = NULL;
        note(c, stage_start(&copy, rand_r(&seed) % 2 == 0 ? WORK_GET : WORK_POST, &call) == DREAMAPI_OK);
        if (rand_r(&seed) % 3 == 0)
            dreamapi_call_cancel(call);
        if (rand_r(&seed) % 3 == 0)
            (void)dreamapi_call_wait(call, rand_r(&seed) % 3, NULL);
        if (rand_r(&seed) % 3 == 0)
            (void)dreamapi_call_result(call, NULL);
        if (rand_r(&seed) % 4 == 0)
            (void)dreamapi_client_perform(copy.client);
        dreamapi_call_free(call);
    }
    return NULL;
}

static void play_race(scene *c)
{
    run_threads(c, race);
    stage_expect(&c->stage, "afterwards", stage_do(&c->stage, WORK_GET), DREAMAPI_OK);
}

/* ---- T5: started by some, fetched by others ---- */

static void fetch(scene *c)
{
    dreamapi_call *call;
    struct pollfd wait = { dreamapi_client_fd(c->stage.client), POLLIN, 0 };

    (void)poll(&wait, 1, 10);
    (void)dreamapi_client_perform(c->stage.client);
    while ((call = dreamapi_client_next(c->stage.client))) {
        note(c, dreamapi_call_result(call, NULL) == DREAMAPI_OK);
        dreamapi_call_free(call);
        atomic_fetch_add(&c->handed_out, 1);
    }
}

static void *start_or_fetch(void *argument)
{
    scene *c = argument;
    int number = atomic_fetch_add(&c->next_thread, 1);
    int total = c->rounds * THREADS / 2;
    stage copy = { .client = c->stage.client };
    int64_t until_ms = stage_now_ms() + SOON_MS;

    if (number % 2 == 0) {
        for (int i = 0; i < c->rounds; i++) {
            dreamapi_call *call = NULL;
            note(c, stage_start(&copy, WORK_GET, &call) == DREAMAPI_OK);
        }
        return NULL;
    }
    while (atomic_load(&c->handed_out) < total && stage_now_ms() < until_ms)
        fetch(c);
    return NULL;
}

static void play_fetch(scene *c)
{
    run_threads(c, start_or_fetch);
    assert_int_equal(atomic_load(&c->handed_out), c->rounds * THREADS / 2);
}

/* ---- T6 and T7: the client goes while calls are in flight ---- */

static void *wait_until_freed(void *argument)
{
    scene *c = argument;
    int number = atomic_fetch_add(&c->next_thread, 1);
    dreamapi_status status = dreamapi_call_wait(c->calls[number], -1, NULL);

    note(c, status == DREAMAPI_CANCELLED);
    dreamapi_call_free(c->calls[number]);
    return NULL;
}

static void start_unanswered(scene *c)
{
    static const fault_act hold = { .cut = FAULT_CUT_ANSWER, .end = FAULT_HOLD };
    static fault_act holds[THREADS];

    for (int i = 0; i < THREADS; i++)
        holds[i] = hold;
    stage_learn(&c->stage, KNOWS_NOTHING);
    fault_server_arm(&c->stage.server, holds, THREADS);
    for (int i = 0; i < THREADS; i++)
        stage_expect(&c->stage, "start", stage_start(&c->stage, i % 2 == 0 ? WORK_GET : WORK_POST, &c->calls[i]),
                     DREAMAPI_OK);
}

static void play_freed_under_waiters(scene *c)
{
    pthread_t threads[THREADS];

    start_unanswered(c);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_until_freed, c), 0);
    assert_true(fault_server_wait_touched(&c->stage.server, THREADS));
    dreamapi_client_free(c->stage.client);
    c->stage.client = NULL;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&c->failures), 0);
}

static void play_freed_before_calls(scene *c)
{
    start_unanswered(c);
    dreamapi_client_free(c->stage.client);
    c->stage.client = NULL;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(dreamapi_call_result(c->calls[i], NULL), DREAMAPI_CANCELLED);
        assert_int_equal(dreamapi_call_wait(c->calls[i], -1, NULL), DREAMAPI_CANCELLED);
        dreamapi_call_cancel(c->calls[i]);
        dreamapi_call_free(c->calls[i]);
    }
}

/* ---- T8: clients of each thread's own ---- */

static void *make_and_free(void *argument)
{
    scene *c = argument;
    dreamapi_error error;

    for (int i = 0; i < 5; i++) {
        dreamapi_options *options = dreamapi_options_new();
        dreamapi_client *client = NULL;
        note(c, dreamapi_options_set_base_url(options, c->stage.server.url) == DREAMAPI_OK);
        note(c, dreamapi_options_set_secret_key(options, "sk_live_1") == DREAMAPI_OK);
        note(c, dreamapi_client_new(options, &client, &error) == DREAMAPI_OK);
        note(c, dreamapi_customer_get(client, "user_1", NULL, NULL, &error) == DREAMAPI_OK);
        dreamapi_client_free(client);
        dreamapi_options_free(options);
    }
    return NULL;
}

static void play_own_clients(scene *c)
{
    run_threads(c, make_and_free);
}

static thread_row rows[] = {
    { "T1: sixteen threads make mixed calls on one client with a thread", 1, play_mixed },
    { "T1: sixteen threads make mixed calls on one client without a thread", 0, play_mixed },
    { "T2: sixteen threads wait for one call, with a thread", 1, play_many_wait },
    { "T2: sixteen threads wait for one call, without a thread", 0, play_many_wait },
    { "T3: sixteen threads cancel one call, with a thread", 1, play_many_cancel },
    { "T3: sixteen threads cancel one call, without a thread", 0, play_many_cancel },
    { "T4: start, cancel, wait and free race, with a thread", 1, play_race },
    { "T4: start, cancel, wait and free race, without a thread", 0, play_race },
    { "T5: calls started by some threads are fetched by others, each once, with a thread", 1, play_fetch },
    { "T5: calls started by some threads are fetched by others, each once, without a thread", 0, play_fetch },
    { "T6: a client freed under sixteen waiting threads lets them go, with a thread", 1, play_freed_under_waiters },
    { "T6: a client freed under sixteen waiting threads lets them go, without a thread", 0, play_freed_under_waiters },
    { "T7: calls outlive their client, with a thread", 1, play_freed_before_calls },
    { "T7: calls outlive their client, without a thread", 0, play_freed_before_calls },
    { "T8: sixteen threads make and free clients of their own", 1, play_own_clients },
};

static void test_threads(void **state)
{
    const thread_row *row = *state;
    static scene c;

    memset(&c, 0, sizeof(c));
    c.rounds = stage_is_long() ? LONG_ROUNDS : PLAIN_ROUNDS;
    stage_open(&c.stage);
    fault_server_health(&c.stage.server, KNOWS_KEYS, false);
    stage_make_client(&c.stage, row->threads);
    row->play(&c);
    stage_close(&c.stage);
}

int main(void)
{
    return stage_run("faults_threads", test_threads, rows, sizeof(rows[0]), sizeof(rows) / sizeof(rows[0]));
}
