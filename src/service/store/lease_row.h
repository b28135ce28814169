/* SPDX-License-Identifier: Apache-2.0 */
/* lease_row.h - one row of leases, and the only way to change it: together with what its period counts. Private to the
 * lease_*.c files. */
#ifndef DREAMD_SERVICE_STORE_LEASE_ROW_H
#define DREAMD_SERVICE_STORE_LEASE_ROW_H

#include "net/db.h"
#include "service/store/leases.h"

typedef struct dreamd_lease_row {
    char lease_id[DREAMD_LEASE_ID_MAX + 1];
    char holder[DREAMD_LEASE_ID_MAX + 1];
    char user_id[DREAMD_LEASE_USER_MAX + 1];
    char meter[DREAMD_LEASE_METER_MAX + 1];
    int32_t period_start_day;
    int32_t period_end_day;
    dreamd_lease_state state;
    int64_t granted;
    int64_t admitted;
    int64_t refunded;
    int64_t event_refunded;
    int64_t written_off;
    bool is_recalled;
    int64_t ends_at_ms;
    int64_t silent_at_ms;
    int64_t revision;
} dreamd_lease_row;

/* The columns that dreamd_lease_row_read expects, in its order. */
#define DREAMD_LEASE_COLUMNS                                                                                           \
    "lease_id, holder, user_id, meter, period_start_day, period_end_day, state, granted, admitted, refunded, "         \
    "event_refunded, written_off, is_recalled, ends_at_ms, silent_at_ms, revision"
/* False: a text does not fit, which no row of ours has. */
bool dreamd_lease_row_read(const dreamd_rows *rows, dreamd_lease_row *out);
dreamd_db_status dreamd_lease_find(dreamd_db *db, const dreamd_project *project, const char *lease_id,
                                   dreamd_lease_row *out, bool *out_found);

int64_t dreamd_lease_charged(const dreamd_lease_row *lease);
int64_t dreamd_lease_rest(const dreamd_lease_row *lease); /* granted and neither admitted nor refunded */
int64_t dreamd_lease_lost(const dreamd_lease_row *lease); /* what of the rest counts as lost */

/* Makes `after` of `before`, and changes the period's counts by the difference of what the two come to. Does nothing where
 * they are the same. BUSY: somebody else changed the lease since it was read. */
dreamd_db_status dreamd_lease_change(dreamd_db *db, const dreamd_lease_scope *scope, const dreamd_lease_row *before,
                                     const dreamd_lease_row *after);
/* Makes the lease lost if it is active and has been silent for too long. */
dreamd_db_status dreamd_lease_age(dreamd_db *db, const dreamd_lease_scope *scope, dreamd_lease_row *lease);

#endif
