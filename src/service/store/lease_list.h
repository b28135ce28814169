/* SPDX-License-Identifier: Apache-2.0 */
/* lease_list.h - what an operator asks about leases: whose account is meant, what is open or lost on it, and what came too late.
 * Reads. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_LEASE_LIST_H
#define DREAMD_SERVICE_STORE_LEASE_LIST_H

#include "net/db.h"
#include "service/store/model.h"

typedef struct dreamd_account_filter {
    const char *user_id;
    const char *project_name;    /* NULL: any */
    const char *publishable_key; /* NULL: any */
} dreamd_account_filter;

/* In how many projects that fit there is such a customer, deleted or not; the ids of one of them. */
dreamd_db_status dreamd_account_find(dreamd_db *db, const dreamd_account_filter *filter, dreamd_project *out,
                                     int64_t *out_count);

typedef bool dreamd_lease_line(void *context, const char *json);
/* One line of JSON for each lease of the user that is not final, then for each settlement that came after the books were closed. Ends
 * early, with NOMEM, if a line cannot be made or `line` says false. */
dreamd_db_status dreamd_lease_list(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                   dreamd_lease_line *line, void *context);

#endif
