/* SPDX-License-Identifier: Apache-2.0 */
/* lease_rate.h - a lease's share of the calls a minute: taken from each window that it spans, never given back. Private to the
 * lease_*.c files. */
#ifndef DREAMD_SERVICE_STORE_LEASE_RATE_H
#define DREAMD_SERVICE_STORE_LEASE_RATE_H

#include "net/db.h"
#include "service/store/leases.h"

typedef struct dreamd_lease_rate {
    const char *user_id;
    int64_t limit;          /* calls a window */
    int64_t want;           /* calls a window */
    int64_t divisor;        /* at most this part of what a window has left; at least one call */
    int64_t ends_at_ms;     /* in and out: brought forward to the first later window that has nothing left */
    int64_t granted;        /* out: calls in each window; 0: the running one, or one close ahead, has none left */
    int64_t retry_after_ms; /* out: of 0 */
} dreamd_lease_rate;

dreamd_db_status dreamd_lease_rate_take(dreamd_db *db, const dreamd_lease_scope *scope, dreamd_lease_rate *rate);

#endif
