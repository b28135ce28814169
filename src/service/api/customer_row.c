/* SPDX-License-Identifier: Apache-2.0 */
/* customer_row.c - parts of a customer's row in answers. No state, any thread. */
#include "service/api/customer_row.h"

#include <string.h>

#include "common/timefmt.h"

static bool is_lower_of(const char *name, const char *plan)
{
    for (; *name && *plan; name++, plan++) {
        char c = *plan >= 'A' && *plan <= 'Z' ? (char)(*plan - 'A' + 'a') : *plan;

        if (*name != c)
            return false;
    }
    return *name == *plan;
}

const dreamd_tier *dreamd_row_tier(const dreamd_tier *tiers, size_t count, const char *plan)
{
    const dreamd_tier *as_written = NULL;

    for (size_t i = 0; i < count; i++) {
        if (is_lower_of(tiers[i].name, plan))
            return &tiers[i];
        if (strcmp(tiers[i].name, plan) == 0)
            as_written = &tiers[i];
    }
    return as_written;
}

bool dreamd_row_set_limit(cJSON *json, const char *name, int64_t limit)
{
    return limit == DREAMD_UNLIMITED ? dream_json_set_string(json, name, "unlimited")
                                     : dream_json_set_int(json, name, limit);
}

const char *dreamd_row_status(const dreamd_listed_customer *listed)
{
    return listed->has_subscription && listed->subscription.status ? listed->subscription.status : "none";
}

bool dreamd_row_set_usage(cJSON *json, const char *count_name, const dreamd_listed_customer *listed, int64_t limit)
{
    char start[11];
    char end[11];

    dream_day_text(listed->usage.period_start_day, start);
    dream_day_text(listed->usage.period_end_day, end);
    return dream_json_set_int(json, count_name, listed->usage.used) && dreamd_row_set_limit(json, "limit", limit)
           && dream_json_set_string(json, "periodStart", listed->has_period ? start : NULL)
           && dream_json_set_string(json, "periodEnd", listed->has_period ? end : NULL);
}
