/* SPDX-License-Identifier: Apache-2.0 */
/* lease_sweeper.h - makes silent leases lost while nobody asks about them, so that usage answers and `check` are up to date. */
#ifndef DREAMD_SERVICE_LEASE_SWEEPER_H
#define DREAMD_SERVICE_LEASE_SWEEPER_H

#include <stdint.h>

#include "service/store/store.h"

typedef struct dreamd_lease_sweeper dreamd_lease_sweeper;

/* Looks every half `grace_ms`, within reason. `store` is borrowed until the stop. NULL when out of memory or threads. */
dreamd_lease_sweeper *dreamd_lease_sweeper_start(dreamd_store *store, int64_t grace_ms);
/* Waits for a sweep that is under way. NULL is fine. */
void dreamd_lease_sweeper_stop(dreamd_lease_sweeper *sweeper);

#endif
