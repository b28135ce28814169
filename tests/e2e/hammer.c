/* SPDX-License-Identifier: Apache-2.0 */
/* hammer.c - what test_library.py runs: threads that use one user's units through one client, as a busy backend would.
 * hammer USER THREADS CALLS-EACH; where the service is and its key come from the environment. Each call has a key of its own
 * and, as usage.h and call.h promise, is repeated with it as long as the error says retriable. Prints "N" at each
 * hundredth success, then "ok=N limit=N repeated=N"; anything else that a call ends with is an error and ends the program. */
#include <dreamapi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_THREADS = 64, MAX_REPEATS = 2000, PAUSE_NS = 20 * 1000 * 1000 };

struct crowd {
    dreamapi_client *client;
    const char *user;
    int calls_each;
    atomic_int next_thread, ok, limit, repeated, failed;
};

static void pause_a_little(void)
{
    struct timespec pause = { 0, PAUSE_NS };
    (void)nanosleep(&pause, NULL);
}

/* The status in the end; DREAMAPI_TIMEOUT if repeating did not help. */
static dreamapi_status use_one(struct crowd *crowd, const char *key)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_error error;

    options.idempotency_key = key;
    for (int i = 0; i < MAX_REPEATS; i++) {
        dreamapi_status status = dreamapi_usage_track(crowd->client, crowd->user, NULL, &options, NULL, &error);
        if (!error.retriable)
            return status;
        atomic_fetch_add(&crowd->repeated, 1);
        pause_a_little();
    }
    (void)fprintf(stderr, "hammer: gave up on %s: %s\n", key, error.message);
    return DREAMAPI_TIMEOUT;
}

static void count(struct crowd *crowd, dreamapi_status status)
{
    if (status == DREAMAPI_OK) {
        int done = atomic_fetch_add(&crowd->ok, 1) + 1;
        if (done % 100 == 0)
            (void)printf("%d\n", done);
    } else if (status == DREAMAPI_LIMIT) {
        atomic_fetch_add(&crowd->limit, 1);
    } else {
        (void)fprintf(stderr, "hammer: %s\n", dreamapi_status_name(status));
        atomic_fetch_add(&crowd->failed, 1);
    }
}

static void *work(void *argument)
{
    struct crowd *crowd = argument;
    int number = atomic_fetch_add(&crowd->next_thread, 1);

    for (int i = 0; i < crowd->calls_each && atomic_load(&crowd->failed) == 0; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "thread-%d-call-%d", number, i);
        count(crowd, use_one(crowd, key));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct crowd crowd = { .user = argc == 4 ? argv[1] : NULL, .calls_each = argc == 4 ? atoi(argv[3]) : 0 };
    int threads = argc == 4 ? atoi(argv[2]) : 0, started = 0;
    pthread_t ids[MAX_THREADS];
    dreamapi_error error;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (threads < 1 || threads > MAX_THREADS || dreamapi_client_new(NULL, &crowd.client, &error) != DREAMAPI_OK) {
        (void)fprintf(stderr, "hammer: %s\n", threads < 1 ? "USER THREADS CALLS-EACH" : error.message);
        return 2;
    }
    while (started < threads && pthread_create(&ids[started], NULL, work, &crowd) == 0)
        started++;
    for (int i = 0; i < started; i++)
        (void)pthread_join(ids[i], NULL);
    dreamapi_client_free(crowd.client);
    (void)printf("ok=%d limit=%d repeated=%d\n", crowd.ok, crowd.limit, crowd.repeated);
    return crowd.failed == 0 && started == threads ? 0 : 1;
}
