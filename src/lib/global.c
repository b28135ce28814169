/* SPDX-License-Identifier: Apache-2.0 */
/* global.c - guards curl_global_init, which is not safe to call from two threads
 * in every build of libcurl, with one lock and two counts.
 *
 * A client going away does not undo the initialisation: a program may be using
 * libcurl without having initialised it (libcurl then does that silently and
 * without counting), and undoing ours would pull it from under that program. Only
 * dreamapi_global_cleanup, a program's own word, may.
 *
 * At exit OpenSSL frees what every connection reads, in a handler that it registered when libcurl was initialised, while threads still run. Ours is
 * registered after that, so it comes first: it waits until no thread is at work in libcurl and lets none in again. */
#include "lib/global.h"

#include <curl/curl.h>
#include <dreamapi/client.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* Nothing in libcurl waits. What takes longest is a new connection's reading of the system's certificates, some 40 ms, and libcurl may begin
 * MAX_CONNECTIONS (transport_curl.c) at a time. */
enum { MAX_EXIT_WAIT_MS = 5000 };

static struct {
    pthread_mutex_t lock;
    unsigned program_holds; /* dreamapi_global_init less dreamapi_global_cleanup */
    unsigned client_holds;
    bool is_initialised;
    bool is_cleanup_wanted; /* the program took its last hold back */
    bool has_exit_handler;
    _Atomic pid_t pid; /* whose threads are counted */
    atomic_int inside; /* threads at work in libcurl */
    atomic_bool is_ending;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A forked child that made no client has none of the threads that were counted. */
static void wait_at_exit(void)
{
    atomic_store(&shared.is_ending, true);
    for (int ms = 0; ms < MAX_EXIT_WAIT_MS && atomic_load(&shared.inside) > 0 && shared.pid == getpid(); ms++)
        (void)poll(NULL, 0, 1);
}

bool dream_global_is_ending(void)
{
    return atomic_load(&shared.is_ending);
}

bool dream_global_enter(void)
{
    atomic_fetch_add(&shared.inside, 1);
    return !dream_global_is_ending();
}

void dream_global_leave(void)
{
    atomic_fetch_sub(&shared.inside, 1);
}

/* The lock is held. */
static bool initialise(void)
{
    if (shared.pid != getpid()) {
        shared.pid = getpid();
        atomic_store(&shared.inside, 0);
    }
    if (!shared.is_initialised)
        shared.is_initialised = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (shared.is_initialised && !shared.has_exit_handler)
        shared.has_exit_handler = atexit(wait_at_exit) == 0;
    return shared.is_initialised;
}

/* The lock is held. */
static void clean_up_if_unused(void)
{
    if (!shared.is_initialised || !shared.is_cleanup_wanted || shared.program_holds > 0 || shared.client_holds > 0)
        return;
    curl_global_cleanup();
    shared.is_initialised = false;
    shared.is_cleanup_wanted = false;
}

bool dream_global_acquire(void)
{
    bool is_ready;

    pthread_mutex_lock(&shared.lock);
    is_ready = initialise();
    if (is_ready)
        shared.client_holds++;
    pthread_mutex_unlock(&shared.lock);
    return is_ready;
}

void dream_global_release(void)
{
    pthread_mutex_lock(&shared.lock);
    if (shared.client_holds > 0)
        shared.client_holds--;
    clean_up_if_unused();
    pthread_mutex_unlock(&shared.lock);
}

dreamapi_status dreamapi_global_init(void)
{
    bool is_ready;

    pthread_mutex_lock(&shared.lock);
    is_ready = initialise();
    if (is_ready) {
        shared.program_holds++;
        shared.is_cleanup_wanted = false;
    }
    pthread_mutex_unlock(&shared.lock);
    return is_ready ? DREAMAPI_OK : DREAMAPI_NOMEM;
}

void dreamapi_global_cleanup(void)
{
    pthread_mutex_lock(&shared.lock);
    if (shared.program_holds > 0 && --shared.program_holds == 0) {
        shared.is_cleanup_wanted = true;
        clean_up_if_unused();
    }
    pthread_mutex_unlock(&shared.lock);
}
