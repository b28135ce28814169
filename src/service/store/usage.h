/* SPDX-License-Identifier: Apache-2.0 */
/* usage.h - the limits: how much a user may use in a period, and how often in a minute.
 *
 * Both are decided by one conditional statement each, in the database, so they hold over any number of threads and
 * processes: `used + held + lost + n <= limit`, and `calls < rate limit` in the running minute. A period is 30 days (UTC)
 * from its first use; it rolls over when it is past, forward only. A plan change keeps the count.
 *
 * The plan is that of an active or trialing subscription, else the stored customer's, else the token's, else "free". Its tier
 * is found by the lower-cased name, then as written; a plan without a tier has limit 0 and the default rate limit.
 * All but dreamd_usage_peek write: run them as writes. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_USAGE_H
#define DREAMD_SERVICE_STORE_USAGE_H

#include "common/json.h"
#include "net/db.h"
#include "service/store/model.h"
#include "service/store/tiers.h"
#include "service/store/totals.h"

enum { DREAMD_PERIOD_DAYS = 30 };
/* No count passes what a number in JSON can say exactly, not even on an unlimited plan. */
#define DREAMD_COUNT_MAX DREAM_JSON_MAX_INT
#define DREAMD_DEFAULT_METER "default"

typedef enum dreamd_usage_outcome {
    DREAMD_USAGE_OK,
    DREAMD_USAGE_LIMIT, /* too few units left, or DREAMD_COUNT_MAX reached; nothing counted, the call counts against the rate */
    DREAMD_USAGE_HELD,         /* would fit but for held units: worth trying again */
    DREAMD_USAGE_RATE_LIMITED, /* nothing counted at all */
    DREAMD_USAGE_NO_CUSTOMER,  /* is_server_side, and nobody knows this user; nothing written */
    DREAMD_USAGE_DELETED,      /* nothing written */
    DREAMD_USAGE_RECOVERING, /* admit and book: the store was restored; nothing counted until its old leases have ended */
    DREAMD_USAGE_OUTSIDE /* book only: neither the running nor the previous period holds that day; nothing counted */
} dreamd_usage_outcome;

/* What a plan gives, remembered while one piece of work asks for it again and again. Made anew, all zero, whenever the work runs. */
enum { DREAMD_METER_KNOWN = 65 };
typedef struct dreamd_usage_memory {
    bool is_filled;
    char plan[DREAMD_PLAN_SIZE];
    char meter[DREAMD_METER_KNOWN]; /* longer names are not remembered */
    int64_t limit;
    int64_t rate_limit;
    int64_t recovering_until_ms;
} dreamd_usage_memory;

typedef struct dreamd_usage_request {
    const dreamd_project *project;
    const char *user_id;
    const char *meter;      /* NULL: DREAMD_DEFAULT_METER */
    int64_t units;          /* admit: 1 to 2^53 - 1 */
    const char *token_plan; /* NULL if the token has none or there is no token */
    const char *email;      /* NULL if not known; stored when it is news */
    int64_t now_ms;
    bool is_server_side;              /* no token vouches for the user: an unknown one is refused, not made */
    dreamd_usage_memory *memory;      /* NULL, or shared by the requests of one piece of work, of one project */
    dreamd_totals_gathered *gathered; /* NULL, or where the project's sums are gathered; whoever gave it flushes it */
} dreamd_usage_request;

typedef struct dreamd_usage_result {
    dreamd_usage_outcome outcome;
    char plan[DREAMD_PLAN_SIZE]; /* spelled as at its source */
    int64_t limit;               /* DREAMD_UNLIMITED */
    int64_t used;                /* admit OK: with this request */
    int64_t held;                /* handed out and not yet settled */
    int64_t lost;                /* handed out and not accounted for; billed to nobody */
    int32_t period_start_day;    /* days since 1970-01-01 UTC */
    int32_t period_end_day;      /* the last day of the period */
    int64_t rate_limit;          /* calls a minute; DREAMD_UNLIMITED = none */
    int64_t retry_after_ms;      /* RATE_LIMITED, RECOVERING: to its end; HELD: a second; else 0 */
    bool is_known_customer;      /* before this request */
    int64_t recovering_until_ms; /* after a restore: nothing is admitted until then; 0: never restored */
} dreamd_usage_result;

/* Takes one of the rate, then `units` of the allowance. Makes the customer and the period's row as needed.
 * CONFLICT: units out of range. */
dreamd_db_status dreamd_usage_admit(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out);
/* Takes one of the rate, then tells the state; a period that is over is answered as the new one, with nothing used. */
dreamd_db_status dreamd_usage_read(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out);
/* Takes one of the rate only; used, held, lost and the period stay 0. */
dreamd_db_status dreamd_rate_take(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out);
/* Takes `units` of the allowance for a use at `at_ms`, in the running or the previous period, whichever holds that day, by the
 * limit that is in force now. Takes nothing of the rate. Where no period runs, one begins on that day, if it would still
 * run today. A time ahead counts as now. `out` OK tells neither used nor held nor lost. CONFLICT: units out of range. */
dreamd_db_status dreamd_usage_book(dreamd_db *db, const dreamd_usage_request *request, int64_t at_ms,
                                   dreamd_usage_result *out);
/* Looks without writing, takes no rate, asks for no plan: used, held, lost and the days of the period that runs at now_ms, if
 * one does. May run as a read. */
dreamd_db_status dreamd_usage_peek(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out,
                                   bool *out_is_running);

/* For leases. Who asks, and what their plan gives: outcome (OK, NO_CUSTOMER, DELETED), plan, limit and rate limit. */
dreamd_db_status dreamd_usage_identify(dreamd_db *db, const dreamd_usage_request *request, dreamd_usage_result *out);
/* For leases. Makes the row of a period that begins on that day, if none is running; the limit is that of `plan`. */
dreamd_db_status dreamd_usage_start_period(dreamd_db *db, const dreamd_usage_request *request, int32_t start_day,
                                           const dreamd_usage_result *plan, bool *out_is_started);

/* A period as it was counted elsewhere (fixtures, imports): replaces the count of that period. Makes the customer. CONFLICT when it
 * overlaps another period of this meter, is less than its leases were charged, or a number is out of range. */
typedef struct dreamd_usage_row {
    const char *user_id;
    const char *meter; /* NULL: DREAMD_DEFAULT_METER */
    int64_t used;
    int32_t period_start_day;
    int32_t period_end_day;
} dreamd_usage_row;
dreamd_db_status dreamd_usage_put(dreamd_db *db, const dreamd_project *project, const dreamd_usage_row *row,
                                  int64_t now_ms);

#endif
