/* SPDX-License-Identifier: Apache-2.0 */
/* tiers.h - the plans and products a project sells, and the limits that come with them.
 * The rules of model.h hold; texts of results live in the arena that is handed in. */
#ifndef DREAMD_SERVICE_STORE_TIERS_H
#define DREAMD_SERVICE_STORE_TIERS_H

#include <stddef.h>

#include "common/arena.h"
#include "net/db.h"
#include "service/store/model.h"

#define DREAMD_UNLIMITED INT64_MAX
enum { DREAMD_DEFAULT_RATE_LIMIT = 100, DREAMD_NO_TRIAL = -1 };

typedef struct dreamd_tier {
    const char *name;
    const char *display_name;
    int64_t price_minor;       /* cents */
    int64_t limit;             /* units a period; DREAMD_UNLIMITED */
    int64_t rate_limit;        /* calls per user and minute; DREAMD_UNLIMITED = none */
    const char *price_id;      /* may be NULL */
    const char *product_id;    /* may be NULL */
    const char *features_json; /* text of a JSON array */
    const char *description;   /* "" if none */
    const char *billing_mode;  /* "subscription" or "one_off" */
    const char *image_url;     /* may be NULL */
    int64_t inventory;         /* DREAMD_UNLIMITED */
    bool is_sold_out;          /* as set by the developer; an inventory of 0 is sold out too */
    bool is_popular;
    int64_t trial_days;      /* DREAMD_NO_TRIAL */
    const char *meters_json; /* text of a JSON object, {"tokens":{"limit":1000}}; may be NULL */
} dreamd_tier;

/* What a tier is where nothing is said: unlimited, 100 calls a minute, a subscription, no features. */
#define DREAMD_TIER_INIT                                                                                               \
    {                                                                                                                  \
        .limit = DREAMD_UNLIMITED, .rate_limit = DREAMD_DEFAULT_RATE_LIMIT, .features_json = "[]", .description = "",  \
        .billing_mode = "subscription", .inventory = DREAMD_UNLIMITED, .trial_days = DREAMD_NO_TRIAL                   \
    }

/* CONFLICT when the project has a tier of that name, or a value is out of range (price, limit or stock below 0, features no
 * JSON array, meters no JSON object). `display_name` NULL: the name. */
dreamd_db_status dreamd_tier_insert(dreamd_db *db, const dreamd_project *project, const dreamd_tier *tier,
                                    int64_t now_ms);
/* Ordered by name. A stored row that makes no sense is left out and logged. */
dreamd_db_status dreamd_tier_list(dreamd_db *db, const dreamd_project *project, dream_arena *arena, dreamd_tier **out,
                                  size_t *out_count);

typedef enum dreamd_tier_by { DREAMD_TIER_BY_NAME, DREAMD_TIER_BY_NAME_OR_DISPLAY_NAME } dreamd_tier_by;

/* The lower-cased name first, then exactly as written, then (if asked for) the display name without case. */
dreamd_db_status dreamd_tier_find(dreamd_db *db, const dreamd_project *project, const char *name, dreamd_tier_by by,
                                  dream_arena *arena, dreamd_tier *out, bool *out_found);
/* Takes `quantity` (> 0) of what this price sells out of stock, never below 0. `out_found` false: no stock is kept of it. */
dreamd_db_status dreamd_tier_take_stock(dreamd_db *db, const dreamd_project *project, const char *price_id,
                                        int64_t quantity, bool *out_found);

#endif
