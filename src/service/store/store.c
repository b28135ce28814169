/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - runs pieces of work: writes on one thread, many to a commit; reads on the caller's thread.
 *
 * Group commit: the writer takes what is queued, runs it all, commits once, and only then tells the requests. It never waits
 * for more work: while one batch is being made durable, the next one gathers by itself. A work that fails is undone alone, by a
 * savepoint. As nearly all works succeed and a savepoint costs as much as two of their statements (SQLite copies each page that is
 * first changed in one), a batch is first run without any; if a work fails, the batch is undone and run again with them, and so
 * are the next few batches, so that whoever sends works that fail gains nothing. When the commit itself fails, the works are run again one by one, each in its own transaction, so that only
 * the one at fault is refused; a passing failure (BUSY) is tried again a few times first.
 *
 * Locks: `queue_lock` guards the queue, `reader_lock` the free readers; neither is held while SQL or a callback runs, and
 * never both. The writer's connection is the writer thread's alone. Works and callbacks must not call the _now functions or
 * close the store: the writer would wait for itself. */
#include "service/store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/log.h"
#include "service/store/migrations.h"

enum {
    QUEUE_MAX = 8192,    /* works waiting; about a second's worth. More would only time out in the queue */
    BATCH_MAX = 256,     /* works a commit; bounds how long the first one waits for the last */
    READERS_MAX = 8,     /* connections; reads are short, so more would only contend */
    TRIES_MAX = 3,       /* of a transaction that found the database busy; each has waited for the busy timeout */
    CAREFUL_BATCHES = 64 /* run with savepoints from the start after a work failed */
};

typedef struct item {
    dreamd_work *work;
    dreamd_done *done;
    void *arg;
    dreamd_db_status status;
} item;

typedef struct store_metrics {
    dreamd_metric *queue_depth;
    dreamd_metric *batches;
    dreamd_metric *writes;
    dreamd_metric *retries;
    dreamd_metric *failures;
    dreamd_metric *commit_seconds;
} store_metrics;

struct dreamd_store {
    char *location;
    store_metrics metrics;

    dreamd_db *writer; /* the writer thread's */
    pthread_t thread;
    item batch[BATCH_MAX]; /* the writer thread's */
    int careful_batches;   /* the writer thread's */

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_filled;
    item queue[QUEUE_MAX]; /* a ring */
    size_t queue_first;
    size_t queue_count;
    bool is_closing; /* nothing is queued from now on */

    pthread_mutex_t reader_lock;
    pthread_cond_t reader_freed;
    dreamd_db *free_readers[READERS_MAX];
    size_t free_count;
    size_t reader_count; /* open or being opened, free or in use */
    bool is_closed_for_reads;
};

/* ---- the writer ---- */

static int64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Conflicts and busy are answers; these an operator must hear of. */
static void log_fault(dreamd_db *db, const char *event, dreamd_db_status status)
{
    if (status == DREAMD_DB_FULL || status == DREAMD_DB_CORRUPT || status == DREAMD_DB_NOMEM
        || status == DREAMD_DB_ERROR)
        dreamd_log(DREAMD_LOG_ERROR, event, dreamd_log_int("status", status),
                   dreamd_log_text("message", dreamd_db_message(db)));
}

static dreamd_db_status run_in_savepoint(dreamd_db *db, item *it)
{
    dreamd_db_status status = dreamd_db_savepoint(db);
    if (status != DREAMD_DB_OK)
        return status;
    it->status = it->work(db, it->arg);
    if (it->status == DREAMD_DB_OK)
        return dreamd_db_release(db);
    log_fault(db, "store_work_failed", it->status);
    dreamd_db_rollback_to_savepoint(db);
    return DREAMD_DB_OK;
}

static void set_all(item *items, size_t count, dreamd_db_status status)
{
    for (size_t i = 0; i < count; i++)
        items[i].status = status;
}

/* Nothing but the transaction's end undoes a work that fails here. False: one did, and its status tells why. */
static bool run_together(dreamd_db *db, item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i].status = items[i].work(db, items[i].arg);
        if (items[i].status != DREAMD_DB_OK)
            return false;
    }
    return true;
}

static dreamd_db_status run_apart(dreamd_db *db, item *items, size_t count)
{
    dreamd_db_status status = DREAMD_DB_OK;
    for (size_t i = 0; i < count && status == DREAMD_DB_OK; i++)
        status = run_in_savepoint(db, &items[i]);
    return status;
}

/* Runs the works of a transaction that was begun, without savepoints if that works out. */
static dreamd_db_status run_works(dreamd_store *store, item *items, size_t count)
{
    dreamd_db *db = store->writer;
    if (store->careful_batches == 0) {
        if (run_together(db, items, count))
            return DREAMD_DB_OK;
        store->careful_batches = CAREFUL_BATCHES;
        dreamd_db_rollback(db);
        set_all(items, count, DREAMD_DB_OK);
        dreamd_db_status status = dreamd_db_begin(db);
        if (status != DREAMD_DB_OK)
            return status;
    }
    store->careful_batches--;
    return run_apart(db, items, count);
}

/* Not OK: nothing of the batch was written; an item's status is then what its work answered, if it ran. */
static dreamd_db_status try_batch(dreamd_store *store, item *items, size_t count)
{
    dreamd_db *db = store->writer;
    set_all(items, count, DREAMD_DB_OK);
    dreamd_db_status status = dreamd_db_begin(db);
    if (status != DREAMD_DB_OK)
        return status;
    status = run_works(store, items, count);
    if (status == DREAMD_DB_OK) {
        int64_t begun_us = monotonic_us();
        status = dreamd_db_commit(db);
        dreamd_metric_observe_us(store->metrics.commit_seconds, monotonic_us() - begun_us);
    }
    if (status != DREAMD_DB_OK) {
        log_fault(db, "store_commit_failed", status);
        dreamd_db_rollback(db);
    }
    return status;
}

static dreamd_db_status try_batch_while_busy(dreamd_store *store, item *items, size_t count)
{
    dreamd_db_status status = try_batch(store, items, count);
    for (int tries = 1; status == DREAMD_DB_BUSY && tries < TRIES_MAX; tries++) {
        dreamd_metric_add(store->metrics.retries, 1);
        status = try_batch(store, items, count);
    }
    return status;
}

/* One work in a transaction of its own. */
static void run_alone(dreamd_store *store, item *it)
{
    dreamd_db_status status = DREAMD_DB_BUSY;
    for (int tries = 0; tries < TRIES_MAX && status == DREAMD_DB_BUSY; tries++) {
        dreamd_metric_add(store->metrics.retries, tries > 0);
        status = try_batch(store, it, 1);
        /* Some failures end the transaction; then the work knows the reason and the commit only that it is gone. */
        if (it->status != DREAMD_DB_OK)
            status = it->status;
    }
    it->status = status;
}

/* Leaves each item with its final status. */
static void run_batch(dreamd_store *store, item *items, size_t count)
{
    if (count == 1) {
        run_alone(store, items);
        return;
    }
    dreamd_db_status status = try_batch_while_busy(store, items, count);
    if (status == DREAMD_DB_OK) {
        /* A work that found something busy gets its further tries without holding up the others. */
        for (size_t i = 0; i < count; i++) {
            if (items[i].status == DREAMD_DB_BUSY)
                run_alone(store, &items[i]);
        }
        return;
    }
    /* Busy and corrupt would fail alone as they failed together. The rest may be the fault of one work: too large for the disk
     * or the memory that is left, or against a constraint that is checked at commit. */
    if (status == DREAMD_DB_BUSY || status == DREAMD_DB_CORRUPT) {
        set_all(items, count, status);
        return;
    }
    for (size_t i = 0; i < count; i++)
        run_alone(store, &items[i]);
}

static void tell(dreamd_store *store, item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].status != DREAMD_DB_OK)
            dreamd_metric_add(store->metrics.failures, 1);
        items[i].done(items[i].arg, items[i].status);
    }
}

/* Waits for work. 0: the store is closing and nothing is left. */
static size_t take_batch(dreamd_store *store)
{
    size_t count = 0;
    pthread_mutex_lock(&store->queue_lock);
    while (store->queue_count == 0 && !store->is_closing)
        pthread_cond_wait(&store->queue_filled, &store->queue_lock);
    while (count < BATCH_MAX && store->queue_count > 0) {
        store->batch[count++] = store->queue[store->queue_first];
        store->queue_first = (store->queue_first + 1) % QUEUE_MAX;
        store->queue_count--;
    }
    dreamd_metric_set(store->metrics.queue_depth, (int64_t)store->queue_count);
    pthread_mutex_unlock(&store->queue_lock);
    return count;
}

static void *write_loop(void *arg)
{
    dreamd_store *store = arg;
    size_t count;
    while ((count = take_batch(store)) > 0) {
        run_batch(store, store->batch, count);
        dreamd_metric_add(store->metrics.batches, 1);
        dreamd_metric_add(store->metrics.writes, (int64_t)count);
        tell(store, store->batch, count);
    }
    return NULL;
}

void dreamd_store_write(dreamd_store *store, dreamd_work *work, dreamd_done *done, void *arg)
{
    pthread_mutex_lock(&store->queue_lock);
    bool is_taken = !store->is_closing && store->queue_count < QUEUE_MAX;
    if (is_taken) {
        size_t last = (store->queue_first + store->queue_count) % QUEUE_MAX;
        store->queue[last] = (item){ .work = work, .done = done, .arg = arg };
        store->queue_count++;
        dreamd_metric_set(store->metrics.queue_depth, (int64_t)store->queue_count);
        /* Only an idle writer waits, and it waits for the first. */
        if (store->queue_count == 1)
            pthread_cond_signal(&store->queue_filled);
    }
    pthread_mutex_unlock(&store->queue_lock);
    if (!is_taken) {
        dreamd_metric_add(store->metrics.failures, 1);
        done(arg, DREAMD_DB_BUSY);
    }
}

/* ---- reads ---- */

/* A connection that is free, or permission to open one more (`*out_db` NULL). False: the store is closing. */
static bool reserve_reader(dreamd_store *store, dreamd_db **out_db)
{
    *out_db = NULL;
    pthread_mutex_lock(&store->reader_lock);
    while (!store->is_closed_for_reads && store->free_count == 0 && store->reader_count == READERS_MAX)
        pthread_cond_wait(&store->reader_freed, &store->reader_lock);
    bool is_open = !store->is_closed_for_reads;
    if (is_open && store->free_count > 0)
        *out_db = store->free_readers[--store->free_count];
    else if (is_open)
        store->reader_count++;
    pthread_mutex_unlock(&store->reader_lock);
    return is_open;
}

/* NULL gives back a permission that came to nothing. */
static void return_reader(dreamd_store *store, dreamd_db *db)
{
    pthread_mutex_lock(&store->reader_lock);
    if (db)
        store->free_readers[store->free_count++] = db;
    else
        store->reader_count--;
    /* All: besides readers, close may be waiting for the last one. */
    pthread_cond_broadcast(&store->reader_freed);
    pthread_mutex_unlock(&store->reader_lock);
}

static dreamd_db_status acquire_reader(dreamd_store *store, dreamd_db **out_db)
{
    char error[256];
    if (!reserve_reader(store, out_db))
        return DREAMD_DB_BUSY;
    if (*out_db)
        return DREAMD_DB_OK;
    *out_db = dreamd_db_open_sqlite(store->location, DREAMD_DB_READ_ONLY, error);
    if (*out_db)
        return DREAMD_DB_OK;
    dreamd_log(DREAMD_LOG_ERROR, "store_reader_failed", dreamd_log_text("message", error));
    return_reader(store, NULL);
    return DREAMD_DB_ERROR;
}

static dreamd_db_status try_read(dreamd_db *db, dreamd_work *work, void *arg)
{
    dreamd_db_status status = dreamd_db_begin_read(db);
    if (status != DREAMD_DB_OK)
        return status;
    status = work(db, arg);
    dreamd_db_rollback(db); /* nothing to keep */
    return status;
}

dreamd_db_status dreamd_store_read_now(dreamd_store *store, dreamd_work *work, void *arg)
{
    dreamd_db *db = NULL;
    dreamd_db_status status = acquire_reader(store, &db);
    if (status != DREAMD_DB_OK)
        return status;
    status = try_read(db, work, arg);
    for (int tries = 1; status == DREAMD_DB_BUSY && tries < TRIES_MAX; tries++)
        status = try_read(db, work, arg);
    return_reader(store, db);
    return status;
}

void dreamd_store_read(dreamd_store *store, dreamd_work *work, dreamd_done *done, void *arg)
{
    done(arg, dreamd_store_read_now(store, work, arg));
}

/* ---- waiting for a write ---- */

typedef struct waiter {
    dreamd_work *work;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t is_told;
    bool is_done;
    dreamd_db_status status;
} waiter;

static dreamd_db_status waiter_work(dreamd_db *db, void *arg)
{
    waiter *self = arg;
    return self->work(db, self->arg);
}

static void waiter_done(void *arg, dreamd_db_status status)
{
    waiter *self = arg;
    pthread_mutex_lock(&self->lock);
    self->status = status;
    self->is_done = true;
    /* Under the lock: once it is released the waiter may be gone. */
    pthread_cond_signal(&self->is_told);
    pthread_mutex_unlock(&self->lock);
}

dreamd_db_status dreamd_store_write_now(dreamd_store *store, dreamd_work *work, void *arg)
{
    waiter self = { .work = work, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER, .is_told = PTHREAD_COND_INITIALIZER };
    dreamd_store_write(store, waiter_work, waiter_done, &self);
    pthread_mutex_lock(&self.lock);
    while (!self.is_done)
        pthread_cond_wait(&self.is_told, &self.lock);
    pthread_mutex_unlock(&self.lock);
    (void)pthread_cond_destroy(&self.is_told);
    (void)pthread_mutex_destroy(&self.lock);
    return self.status;
}

/* ---- open and close ---- */

static void make_metrics(dreamd_store *store, dreamd_metrics *metrics)
{
    if (!metrics)
        return;
    store->metrics = (store_metrics){
        .queue_depth =
            dreamd_metrics_gauge(metrics, "dreamapid_store_queue_depth", "Writes waiting for the writer.", ""),
        .batches =
            dreamd_metrics_counter(metrics, "dreamapid_store_batches_total",
                                   "Batches of writes; writes by batches is the mean size of a group commit.", ""),
        .writes = dreamd_metrics_counter(metrics, "dreamapid_store_writes_total", "Writes run.", ""),
        .retries = dreamd_metrics_counter(metrics, "dreamapid_store_retries_total",
                                          "Batches tried again because the database was busy.", ""),
        .failures = dreamd_metrics_counter(metrics, "dreamapid_store_failures_total",
                                           "Writes that failed or were refused because the queue was full.", ""),
        .commit_seconds =
            dreamd_metrics_histogram(metrics, "dreamapid_store_commit_seconds", "Time to make a batch durable.", ""),
    };
}

static dreamd_store *store_new(const char *location)
{
    dreamd_store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    store->location = strdup(location);
    if (!store->location) {
        free(store);
        return NULL;
    }
    (void)pthread_mutex_init(&store->queue_lock, NULL);
    (void)pthread_cond_init(&store->queue_filled, NULL);
    (void)pthread_mutex_init(&store->reader_lock, NULL);
    (void)pthread_cond_init(&store->reader_freed, NULL);
    return store;
}

static void store_free(dreamd_store *store)
{
    dreamd_db_close(store->writer);
    (void)pthread_cond_destroy(&store->reader_freed);
    (void)pthread_mutex_destroy(&store->reader_lock);
    (void)pthread_cond_destroy(&store->queue_filled);
    (void)pthread_mutex_destroy(&store->queue_lock);
    free(store->location);
    free(store);
}

dreamd_store *dreamd_store_open(const char *location, dreamd_metrics *metrics, char error[256])
{
    dreamd_store *store = store_new(location);
    if (!store) {
        (void)snprintf(error, 256, "Cannot open the store: out of memory");
        return NULL;
    }
    store->writer = dreamd_db_open_sqlite(location, DREAMD_DB_READ_WRITE, error);
    if (!store->writer || !dreamd_schema_is_current(store->writer, error)) {
        store_free(store);
        return NULL;
    }
    make_metrics(store, metrics);
    if (pthread_create(&store->thread, NULL, write_loop, store) != 0) {
        (void)snprintf(error, 256, "Cannot start the store's thread");
        store_free(store);
        return NULL;
    }
    return store;
}

bool dreamd_store_migrate(const char *location, char error[256])
{
    dreamd_db *db = dreamd_db_open_sqlite(location, DREAMD_DB_READ_WRITE, error);
    bool is_current = db && dreamd_schema_migrate(db, error);
    dreamd_db_close(db);
    return is_current;
}

static void close_queue(dreamd_store *store)
{
    pthread_mutex_lock(&store->queue_lock);
    store->is_closing = true;
    pthread_cond_signal(&store->queue_filled);
    pthread_mutex_unlock(&store->queue_lock);
    (void)pthread_join(store->thread, NULL);
}

static void close_readers(dreamd_store *store)
{
    pthread_mutex_lock(&store->reader_lock);
    store->is_closed_for_reads = true;
    pthread_cond_broadcast(&store->reader_freed);
    while (store->free_count < store->reader_count)
        pthread_cond_wait(&store->reader_freed, &store->reader_lock);
    pthread_mutex_unlock(&store->reader_lock);
    for (size_t i = 0; i < store->free_count; i++)
        dreamd_db_close(store->free_readers[i]);
}

void dreamd_store_close(dreamd_store *store)
{
    if (!store)
        return;
    close_queue(store);
    close_readers(store);
    store_free(store);
}
