/* SPDX-License-Identifier: Apache-2.0 */
/* customer_row.h - what the dashboard and the list of customers say alike about a customer. */
#ifndef DREAMD_API_CUSTOMER_ROW_H
#define DREAMD_API_CUSTOMER_ROW_H

#include "common/json.h"
#include "service/store/customer_list.h"
#include "service/store/tiers.h"

/* As metering finds it: the lower-cased name first, then exactly as written. NULL if there is none: the limit then is 0. */
const dreamd_tier *dreamd_row_tier(const dreamd_tier *tiers, size_t count, const char *plan);
/* Unlimited is a word. */
bool dreamd_row_set_limit(cJSON *json, const char *name, int64_t limit);
/* The provider's word, or "none". */
const char *dreamd_row_status(const dreamd_listed_customer *listed);
/* `count`, `limit`, and the days of the running period, or null. */
bool dreamd_row_set_usage(cJSON *json, const char *count_name, const dreamd_listed_customer *listed, int64_t limit);

#endif
