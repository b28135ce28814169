/* SPDX-License-Identifier: Apache-2.0 */
/* customer_list.h - a project's customers, a page at a time, newest first. A page is found through an index, and goes on from
 * where a customer stands (creation time and id), not from a count: what is made or deleted meanwhile moves nothing.
 * Deleted customers are not listed. The rules of model.h hold; texts of results live in the arena that is handed in. */
#ifndef DREAMD_SERVICE_STORE_CUSTOMER_LIST_H
#define DREAMD_SERVICE_STORE_CUSTOMER_LIST_H

#include <stddef.h>

#include "common/arena.h"
#include "net/db.h"
#include "service/store/customers.h"
#include "service/store/subscriptions.h"
#include "service/store/usage.h"

enum { DREAMD_CUSTOMER_PAGE_MAX = 1000 };

typedef struct dreamd_customer_query {
    const char *email_prefix;    /* ASCII letters compare without case; NULL: any */
    const char *plan;            /* what counts now, without case; NULL: any */
    bool has_after;              /* only what stands behind this one: */
    int64_t after_created_at_ms; /* of the last one of the page before */
    const char *after_user_id;
    size_t limit; /* 1 to DREAMD_CUSTOMER_PAGE_MAX */
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

/* `out_has_more`: there are further ones behind the page. */
dreamd_db_status dreamd_customer_list(dreamd_db *db, const dreamd_project *project, const dreamd_customer_query *query,
                                      dream_arena *arena, dreamd_listed_customer **out, size_t *out_count,
                                      bool *out_has_more);

#endif
