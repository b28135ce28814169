/* SPDX-License-Identifier: Apache-2.0 */
/* lease_sweeper.c - a thread that mostly sleeps. It asks on a read connection first, so that a quiet store is not written to, and
 * sweeps in slices, so that requests are not held up. Several processes on one database may sweep at once. */
#include "service/lease_sweeper.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "common/timefmt.h"
#include "net/log.h"
#include "service/store/leases.h"

enum { SLICE = 500, MIN_PAUSE_MS = 100, MAX_PAUSE_MS = 10000 };

struct dreamd_lease_sweeper {
    dreamd_store *store;
    int64_t pause_ms;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t is_told;
    bool is_stopping; /* under `mutex` */
};

static dreamd_db_status look(dreamd_db *db, void *arg)
{
    return dreamd_leases_are_silent(db, dream_wall_ms(), arg);
}

static dreamd_db_status sweep_slice(dreamd_db *db, void *arg)
{
    return dreamd_leases_sweep(db, dream_wall_ms(), SLICE, arg);
}

static void sweep(dreamd_store *store)
{
    bool is_due = false;
    int64_t count = SLICE;
    dreamd_db_status status = dreamd_store_read_now(store, look, &is_due);

    while (status == DREAMD_DB_OK && is_due && count == SLICE)
        status = dreamd_store_write_now(store, sweep_slice, &count);
    if (status != DREAMD_DB_OK && status != DREAMD_DB_BUSY)
        dreamd_log(DREAMD_LOG_WARN, "leases_not_swept", dreamd_log_int("store_status", status));
}

/* False: the end has come. */
static bool pause(dreamd_lease_sweeper *self)
{
    struct timespec until;
    bool is_stopping = false;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += self->pause_ms / 1000;
    until.tv_nsec += self->pause_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&self->mutex);
    while (!self->is_stopping && pthread_cond_timedwait(&self->is_told, &self->mutex, &until) == 0)
        ;
    is_stopping = self->is_stopping;
    pthread_mutex_unlock(&self->mutex);
    return !is_stopping;
}

static void *run(void *arg)
{
    dreamd_lease_sweeper *self = arg;

    while (pause(self))
        sweep(self->store);
    return NULL;
}

static void release(dreamd_lease_sweeper *self)
{
    pthread_cond_destroy(&self->is_told);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

dreamd_lease_sweeper *dreamd_lease_sweeper_start(dreamd_store *store, int64_t grace_ms)
{
    dreamd_lease_sweeper *self = calloc(1, sizeof *self);
    pthread_condattr_t attributes;

    if (!self)
        return NULL;
    self->store = store;
    self->pause_ms = grace_ms / 2;
    if (self->pause_ms < MIN_PAUSE_MS)
        self->pause_ms = MIN_PAUSE_MS;
    if (self->pause_ms > MAX_PAUSE_MS)
        self->pause_ms = MAX_PAUSE_MS;
    (void)pthread_mutex_init(&self->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->is_told, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&self->thread, NULL, run, self) != 0) {
        release(self);
        return NULL;
    }
    return self;
}

void dreamd_lease_sweeper_stop(dreamd_lease_sweeper *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&self->mutex);
    self->is_stopping = true;
    pthread_cond_signal(&self->is_told);
    pthread_mutex_unlock(&self->mutex);
    (void)pthread_join(self->thread, NULL);
    release(self);
}
