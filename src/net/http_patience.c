/* SPDX-License-Identifier: Apache-2.0 */
/* http_patience.c - a list of visits and a thread that looks through it once a second. What is overdue is shut down, not closed: the
 * server's thread then finds the end of it, and closes it as if the client had gone. A visit leaves the list, under the
 * mutex, before its socket is closed, so that no later one of the same number is shut. */
#include "net/http_patience.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "net/http_internal.h"

enum { NEVER = 0, ROUND_S = 1 };

struct dreamd_visit {
    dreamd_visit *previous;
    dreamd_visit *next;
    int socket;
    int64_t limit_us;
    atomic_int_least64_t due_us; /* NEVER: nothing is awaited */
};

struct dreamd_patience {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    dreamd_visit *first;
    bool is_stopping;
};

static void end_overdue(dreamd_patience *patience, int64_t now_us)
{
    for (dreamd_visit *visit = patience->first; visit; visit = visit->next) {
        int64_t due_us = atomic_load_explicit(&visit->due_us, memory_order_relaxed);
        if (due_us == NEVER || now_us < due_us)
            continue;
        (void)shutdown(visit->socket, SHUT_RDWR);
        atomic_store_explicit(&visit->due_us, NEVER, memory_order_relaxed);
    }
}

static void *run(void *context)
{
    dreamd_patience *patience = context;

    pthread_mutex_lock(&patience->mutex);
    while (!patience->is_stopping) {
        if (!patience->first) {
            pthread_cond_wait(&patience->changed, &patience->mutex);
            continue;
        }
        struct timespec at;
        (void)clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_sec += ROUND_S;
        while (!patience->is_stopping && pthread_cond_timedwait(&patience->changed, &patience->mutex, &at) == 0)
            ; /* somebody came or went: the round goes on */
        if (!patience->is_stopping)
            end_overdue(patience, dreamd_monotonic_us());
    }
    pthread_mutex_unlock(&patience->mutex);
    return NULL;
}

dreamd_patience *dreamd_patience_new(void)
{
    dreamd_patience *patience = calloc(1, sizeof *patience);
    pthread_condattr_t attributes;

    if (!patience || pthread_condattr_init(&attributes) != 0) {
        free(patience);
        return NULL;
    }
    /* Neither of these fails on Linux. */
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&patience->changed, &attributes);
    (void)pthread_mutex_init(&patience->mutex, NULL);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&patience->thread, NULL, run, patience) == 0)
        return patience;
    pthread_mutex_destroy(&patience->mutex);
    pthread_cond_destroy(&patience->changed);
    free(patience);
    return NULL;
}

void dreamd_patience_free(dreamd_patience *patience)
{
    if (!patience)
        return;
    pthread_mutex_lock(&patience->mutex);
    patience->is_stopping = true;
    pthread_cond_signal(&patience->changed);
    pthread_mutex_unlock(&patience->mutex);
    (void)pthread_join(patience->thread, NULL);
    pthread_mutex_destroy(&patience->mutex);
    pthread_cond_destroy(&patience->changed);
    free(patience);
}

dreamd_visit *dreamd_visit_new(dreamd_patience *patience, int socket, int64_t limit_us)
{
    dreamd_visit *visit = calloc(1, sizeof *visit);

    if (!visit)
        return NULL;
    visit->socket = socket;
    visit->limit_us = limit_us;
    atomic_init(&visit->due_us, dreamd_monotonic_us() + limit_us);
    pthread_mutex_lock(&patience->mutex);
    visit->next = patience->first;
    if (visit->next)
        visit->next->previous = visit;
    else
        pthread_cond_signal(&patience->changed);
    patience->first = visit;
    pthread_mutex_unlock(&patience->mutex);
    return visit;
}

void dreamd_visit_free(dreamd_patience *patience, dreamd_visit *visit)
{
    if (!visit)
        return;
    pthread_mutex_lock(&patience->mutex);
    if (visit->previous)
        visit->previous->next = visit->next;
    else
        patience->first = visit->next;
    if (visit->next)
        visit->next->previous = visit->previous;
    pthread_mutex_unlock(&patience->mutex);
    free(visit);
}

void dreamd_visit_await(dreamd_visit *visit, int64_t now_us)
{
    if (visit)
        atomic_store_explicit(&visit->due_us, now_us + visit->limit_us, memory_order_relaxed);
}

void dreamd_visit_extend(dreamd_visit *visit, size_t bytes)
{
    if (!visit)
        return;
    /* Not by an exchange: only the thread that ends it writes beside this one, and then nothing matters any more. */
    int64_t due_us = atomic_load_explicit(&visit->due_us, memory_order_relaxed);
    if (due_us != NEVER)
        atomic_store_explicit(&visit->due_us, due_us + (int64_t)bytes * 1000000 / DREAMD_SLOW_BODY_RATE,
                              memory_order_relaxed);
}

void dreamd_visit_rest(dreamd_visit *visit)
{
    if (visit)
        atomic_store_explicit(&visit->due_us, NEVER, memory_order_relaxed);
}
