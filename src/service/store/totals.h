/* SPDX-License-Identifier: Apache-2.0 */
/* totals.h - sums over a whole project that are kept up to date with what they sum, in the same transaction, so that a
 * dashboard costs the same with ten customers and with a million. Tables usage_totals and project_totals; check.h compares
 * them with the rows they sum. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_TOTALS_H
#define DREAMD_SERVICE_STORE_TOTALS_H

#include "net/db.h"
#include "service/store/model.h"

typedef struct dreamd_totals {
    int64_t active_subs; /* active and trialing */
    int64_t canceling_subs;
    int64_t mrr_minor; /* of active and trialing ones; an amount that was not told counts nothing */
    int64_t sales_count;
    int64_t revenue_minor; /* of one-time payments */
} dreamd_totals;

/* Adds `units` (may be below 0, for what is taken back) to what was used on that day in periods that end on that day. */
dreamd_db_status dreamd_totals_add_usage(dreamd_db *db, const dreamd_project *project, const char *meter, int32_t day,
                                         int32_t period_end_day, int64_t units);
/* What a user's subscriptions are worth now; the sales stay 0. Read before and after a change, then hand in the difference. */
dreamd_db_status dreamd_totals_of_user(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                       dreamd_totals *out);
dreamd_db_status dreamd_totals_add(dreamd_db *db, const dreamd_project *project, const dreamd_totals *change);

dreamd_db_status dreamd_totals_read(dreamd_db *db, const dreamd_project *project, dreamd_totals *out);
/* Units of the default meter used in all periods that run on `today`. */
dreamd_db_status dreamd_totals_usage(dreamd_db *db, const dreamd_project *project, int32_t today, int64_t *out);

typedef struct dreamd_platform_totals {
    dreamd_totals sums;
    int64_t products;
    int64_t projects;
} dreamd_platform_totals;
/* Over the platform's projects of one mode. */
dreamd_db_status dreamd_totals_of_platform(dreamd_db *db, const char *platform_id, enum dreamd_mode mode,
                                           dreamd_platform_totals *out);

#endif
