/* SPDX-License-Identifier: Apache-2.0 */
/* customer_list.h - a project's customers, a page at a time, newest first. A page is found through an index, and goes on from
 * where a customer stands (creation time and id), not from a count: what is made or deleted meanwhile moves nothing.
 * Deleted customers are not listed.
 *
 * A page costs the same however many customers there are. Where most do not match what is searched for, it ends after
 * DREAMD_CUSTOMER_SEEN_MAX customers, with fewer than asked for or none, and says where to go on. The rules of model.h hold; texts of results live in the arena that is handed in. */
#ifndef DREAMD_SERVICE_STORE_CUSTOMER_LIST_H
#define DREAMD_SERVICE_STORE_CUSTOMER_LIST_H

#include <stddef.h>

#include "common/arena.h"
#include "net/db.h"
#include "service/store/customers.h"
#include "service/store/subscriptions.h"
#include "service/store/usage.h"

enum { DREAMD_CUSTOMER_PAGE_MAX = 1000, DREAMD_CUSTOMER_SEEN_MAX = 5000 };

/* Between two customers, behind this one. */
typedef struct dreamd_customer_place {
    bool is_there;
    int64_t created_at_ms;
    const char *user_id;
} dreamd_customer_place;

typedef struct dreamd_customer_query {
    const char *email_prefix;    /* ASCII letters compare without case; NULL: any */
    const char *plan;            /* what counts now, without case; NULL: any */
    dreamd_customer_place after; /* only what stands there, if it is one: the page before ended there */
    size_t limit;                /* 1 to DREAMD_CUSTOMER_PAGE_MAX */
    int64_t now_ms;
} dreamd_customer_query;

typedef struct dreamd_listed_customer {
    dreamd_customer customer;
    const char *plan; /* that counts, spelled as at its source; "free" if nothing says any */
    bool has_plan;    /* something says one: a running subscription, or the store */
    bool has_subscription;
    dreamd_subscription subscription;
    bool has_period; /* a period of the default meter is running; else `usage` is zero */
    dreamd_usage_result usage;
} dreamd_listed_customer;

/* `out_next`: where the page ended, if it is not the last. */
dreamd_db_status dreamd_customer_list(dreamd_db *db, const dreamd_project *project, const dreamd_customer_query *query,
                                      dream_arena *arena, dreamd_listed_customer **out, size_t *out_count,
                                      dreamd_customer_place *out_next);

#endif
