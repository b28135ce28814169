/* SPDX-License-Identifier: Apache-2.0 */
/* usage_days.h - the days of a period and the project's sums, which follow what the period counts. Private to this folder: for
 * whoever changes usage_counts.used. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_USAGE_DAYS_H
#define DREAMD_SERVICE_STORE_USAGE_DAYS_H

#include "net/db.h"
#include "service/store/model.h"
#include "service/store/totals.h"

typedef struct dreamd_period {
    const dreamd_project *project;
    const char *user_id;
    const char *meter;
    int32_t start_day;
    int32_t end_day;
    dreamd_totals_gathered
        *gathered; /* where added units are gathered for the project's sums; NULL: they are written at once */
} dreamd_period;

/* Adds units under `day`, or under the period's nearest day if it is outside. Below 0: takes them from that day, and what it
 * does not have from the latest days that have some. */
dreamd_db_status dreamd_usage_days_add(dreamd_db *db, const dreamd_period *period, int32_t day, int64_t units);

#endif
