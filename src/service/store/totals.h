/* SPDX-License-Identifier: Apache-2.0 */
/* totals.h - sums over a whole project that are kept up to date with what they sum, in the same transaction, so that a
 * dashboard costs the same with ten customers and with a million. Tables usage_totals, subscription_totals and project_totals;
 * check.h compares them with the rows they sum. A sum that would pass DREAM_JSON_MAX_INT, as what many users use together may,
 * stays there from then on, whatever is taken back: it says "at least", fails no request, and never looks like one that is right.
 * The rules of model.h hold.
 *
 * Recurring revenue is kept by currency, and for a year: a year has 12 months, 52 weeks and 365 days, and a subscription that is
 * paid every n of them counts n-th part of so many payments, rounded down. A month's is a twelfth of the sum, rounded down once. */
#ifndef DREAMD_SERVICE_STORE_TOTALS_H
#define DREAMD_SERVICE_STORE_TOTALS_H

#include <stdbool.h>

#include "net/db.h"
#include "service/store/model.h"

#define DREAMD_TOTAL_MAX_SQL "9007199254740991" /* DREAM_JSON_MAX_INT, for SQL texts */

/* What a row of subscriptions counts as, and for how much a year. An amount that was not told counts nothing, a currency that was
 * not told as the one that tiers are priced in, an interval that was not told as a month. */
#define DREAMD_COUNTED_CURRENCY "COALESCE(NULLIF(lower(currency), ''), 'usd')"
#define DREAMD_COUNTED_YEARLY                                                                                          \
    "COALESCE(amount_minor, 0) * CASE billing_interval WHEN 'day' THEN 365 WHEN 'week' THEN 52 WHEN 'year' THEN 1 "    \
    "ELSE 12 END / COALESCE(interval_count, 1)"

enum { DREAMD_CURRENCIES_MAX = 160 /* Stripe knows some 140 */ };

typedef struct dreamd_currency_mrr {
    char currency[DREAMD_WORD_SIZE];
    int64_t mrr_minor;
} dreamd_currency_mrr;

typedef struct dreamd_totals {
    int64_t active_subs; /* active and trialing */
    int64_t canceling_subs;
    dreamd_currency_mrr mrr[DREAMD_CURRENCIES_MAX]; /* first the main one: that of most running subscriptions */
    size_t currency_count;
    int64_t sales_count;
    int64_t revenue_minor; /* of one-time payments */
} dreamd_totals;

/* Adds `units` (may be below 0, for what is taken back) to what was used on that day in periods that end on that day. */
dreamd_db_status dreamd_totals_add_usage(dreamd_db *db, const dreamd_project *project, const char *meter, int32_t day,
                                         int32_t period_end_day, int64_t units);

/* What many uses of one piece of work add, gathered to be written once: a batch of events mostly adds to one row. Made anew whenever
 * the work runs. Texts are borrowed until the flush. */
enum { DREAMD_TOTALS_GATHERED_MAX = 16 };
typedef struct dreamd_totals_gathered {
    size_t count;
    struct {
        const char *meter;
        int32_t day;
        int32_t period_end_day;
        int64_t units;
    } rows[DREAMD_TOTALS_GATHERED_MAX];
} dreamd_totals_gathered;
/* `units` from 1 on. False: there is no room, and it is to be added by itself. */
bool dreamd_totals_gather(dreamd_totals_gathered *gathered, const char *meter, int32_t day, int32_t period_end_day,
                          int64_t units);
dreamd_db_status dreamd_totals_flush(dreamd_db *db, const dreamd_project *project, dreamd_totals_gathered *gathered);

/* A user's subscriptions are taken out of the sums before they change, and put in again after. */
dreamd_db_status dreamd_totals_remove_user(dreamd_db *db, const dreamd_project *project, const char *user_id);
dreamd_db_status dreamd_totals_add_user(dreamd_db *db, const dreamd_project *project, const char *user_id);
dreamd_db_status dreamd_totals_add_sale(dreamd_db *db, const dreamd_project *project, int64_t minor);

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
