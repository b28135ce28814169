/* SPDX-License-Identifier: Apache-2.0 */
/* customers.h - the end users of a project, as far as the service keeps them; the identity provider has the rest.
 * Deleting leaves a tombstone: usage and subscriptions stay, so that late settlements still book, but the customer meters no
 * more and its personal data is gone. Nothing revives a tombstone. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_CUSTOMERS_H
#define DREAMD_SERVICE_STORE_CUSTOMERS_H

#include "common/arena.h"
#include "net/db.h"
#include "service/store/model.h"

typedef struct dreamd_customer {
    const char *user_id;
    const char *email; /* may be NULL, as all below */
    const char *first_name;
    const char *last_name;
    const char *plan;      /* as set by the developer; NULL = never set. A subscription outranks it: usage.h */
    bool is_deleted;       /* results only */
    int64_t created_at_ms; /* inputs: 0 = now */
    int64_t updated_at_ms; /* results only */
} dreamd_customer;

/* Makes the customer, or changes what is given: fields that are NULL stay as they are. CONFLICT: the plan
 * is empty or too long. */
dreamd_db_status dreamd_customer_put(dreamd_db *db, const dreamd_project *project, const dreamd_customer *customer,
                                     int64_t now_ms);
/* Makes the customer if absent; keeps `email` (may be NULL) if it is news. */
dreamd_db_status dreamd_customer_ensure(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                        const char *email, int64_t now_ms);
/* Finds tombstones too: look at is_deleted. Texts live in `arena`. */
dreamd_db_status dreamd_customer_find(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                      dream_arena *arena, dreamd_customer *out, bool *out_found);
/* `out_found` is false for unknown and deleted ones. The count of the running period stays. CONFLICT as for put. */
dreamd_db_status dreamd_customer_set_plan(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                          const char *plan, int64_t now_ms, bool *out_found);
/* Leaves a tombstone also where nothing was stored: a token that is still around must not meter.
 * `out_found`: was there a customer, not deleted before? */
dreamd_db_status dreamd_customer_delete(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                        int64_t now_ms, bool *out_found);
/* Leaves a tombstone in every project of the mode that has the customer. */
dreamd_db_status dreamd_customer_delete_everywhere(dreamd_db *db, enum dreamd_mode mode, const char *user_id,
                                                   int64_t now_ms);
/* Brings the plan that lists go by up to date with the stored one and the subscriptions. Called by whoever changes either. */
dreamd_db_status dreamd_customer_refresh_plan(dreamd_db *db, const dreamd_project *project, const char *user_id);

#endif
