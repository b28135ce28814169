/* SPDX-License-Identifier: Apache-2.0 */
/* lease_account.h - the active leases of one period: who holds them, which have fallen silent, which are wanted back. Private to
 * this folder: for whoever is about to refuse somebody for units that are held. */
#ifndef DREAMD_SERVICE_STORE_LEASE_ACCOUNT_H
#define DREAMD_SERVICE_STORE_LEASE_ACCOUNT_H

#include "net/db.h"
#include "service/store/usage_days.h"

typedef struct dreamd_lease_crowd {
    bool has_others; /* somebody else than `holder` holds an active lease, or was refused for held units lately */
    bool has_aged;   /* some lease became lost: the counts are other ones now */
} dreamd_lease_crowd;

/* Makes silent leases of the period lost. */
dreamd_db_status dreamd_lease_crowd_read(dreamd_db *db, const dreamd_period *period, const char *holder, int64_t now_ms,
                                         dreamd_lease_crowd *out);
/* Somebody was refused for held units alone: their holders, but for `holder`, are to hand them back. Done once a second at most. */
dreamd_db_status dreamd_lease_recall(dreamd_db *db, const dreamd_period *period, const char *holder, int64_t now_ms);

#endif
