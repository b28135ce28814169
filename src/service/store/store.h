/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - where the service keeps its state, and the only way to it: work handed to a store thread.
 *
 * A piece of work is a function over a connection, inside a transaction. Writes of many requests share one commit (group
 * commit), each in its own savepoint; a request is answered only after its commit is durable. What the work may call are
 * the topic headers beside this one (keys.h, tiers.h, customers.h, usage.h, subscriptions.h, idempotency.h, ...). */
#ifndef DREAMD_SERVICE_STORE_STORE_H
#define DREAMD_SERVICE_STORE_STORE_H

#include <stdbool.h>

#include "net/db.h"
#include "net/metrics.h"

typedef struct dreamd_store dreamd_store;

/* Anything but DREAMD_DB_OK undoes this work alone and is handed to `done`. Work must not touch anything that `arg`'s owner
 * uses at the same time, and may run twice (a commit that failed for a passing reason is tried again). */
typedef dreamd_db_status dreamd_work(dreamd_db *db, void *arg);
/* After the commit (or the failure), on a store thread for writes, possibly before the call returns for reads. Must not block. */
typedef void dreamd_done(void *arg, dreamd_db_status status);

/* `location` is a SQLite path. The schema must be current: dreamd_store_migrate. */
dreamd_store *dreamd_store_open(const char *location, dreamd_metrics *metrics, char error[256]);
/* Makes or brings the schema up to date; each migration is one transaction; safe to run by several processes at once. */
bool dreamd_store_migrate(const char *location, char error[256]);
/* Finishes all queued work, then closes. NULL is fine. */
void dreamd_store_close(dreamd_store *store);

/* Called exactly once per call of these: `done`. When the queue is full or the store is closing, with DREAMD_DB_BUSY. */
void dreamd_store_write(dreamd_store *store, dreamd_work *work, dreamd_done *done, void *arg);
void dreamd_store_read(dreamd_store *store, dreamd_work *work, dreamd_done *done, void *arg);
/* The same for programs that wait: runs, commits, returns. */
dreamd_db_status dreamd_store_write_now(dreamd_store *store, dreamd_work *work, void *arg);
dreamd_db_status dreamd_store_read_now(dreamd_store *store, dreamd_work *work, void *arg);

#endif
