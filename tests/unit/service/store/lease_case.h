/* SPDX-License-Identifier: Apache-2.0 */
/* lease_case.h - short ways to ask for leases and to report them, for the tests of leases. Lease ids are the store's own. */
#ifndef TESTS_UNIT_SERVICE_STORE_LEASE_CASE_H
#define TESTS_UNIT_SERVICE_STORE_LEASE_CASE_H

#include "store_case.h"

#include "service/store/leases.h"

#define TTL_MS (60 * SECOND)
#define GRACE_MS (30 * SECOND)
#define CLOSE_DAYS 7

/* A customer on one of the case's tiers. */
void put_customer(const store_case *self, const char *user, const char *plan);

dreamd_lease_scope scope_of(const store_case *self, const char *holder, int64_t now_ms);

/* Asks for units of user_a's default meter; `request` is the request id. */
dreamd_lease_grant acquire(const store_case *self, const dreamd_lease_scope *scope, const char *request, int64_t want);
dreamd_lease_grant acquire_for(const store_case *self, const dreamd_lease_scope *scope, const dreamd_lease_want *want);
/* The same, and fails the test unless it was granted. */
dreamd_lease_grant granted(const store_case *self, const dreamd_lease_scope *scope, const char *request, int64_t want);

/* A check-in about a grant of `acquire`: fields may be changed before it is settled. */
dreamd_lease_report report_of(const dreamd_lease_grant *grant, const char *request, int64_t admitted);
dreamd_lease_settled settle(const store_case *self, const dreamd_lease_scope *scope, const dreamd_lease_report *report);
/* A proven end. */
dreamd_lease_settled finish(const store_case *self, const dreamd_lease_scope *scope, const dreamd_lease_grant *grant,
                            int64_t admitted);
dreamd_lease_refund_outcome refund(const store_case *self, const dreamd_lease_scope *scope, const char *id,
                                   const char *lease_id, int64_t units);

/* used, held and lost of the user's latest period. */
void assert_counts(const store_case *self, int64_t used, int64_t held, int64_t lost);

#define assert_sound(self, now_ms) assert_int_equal(violations_of((self)->db, (now_ms)), 0)

#endif
