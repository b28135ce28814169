/* SPDX-License-Identifier: Apache-2.0 */
/* tier_cache.h - what a client remembers for dreamapi_tier_check: the list of tiers, and plans of users seen lately. Guarded by its own
 * lock, under which no request waits and no callback runs; object/tier_check.c uses it. */
#ifndef DREAM_LIB_TIER_CACHE_H
#define DREAM_LIB_TIER_CACHE_H

#include <dreamapi/tier.h>
#include <pthread.h>
#include <stdbool.h>

#include "lib/user_key.h"

enum { DREAM_PLAN_SLOTS = 1024, DREAM_PLAN_SIZE = 64 };

/* A user's plan; each user has one slot to be in, and pushes out who was there. */
typedef struct dream_plan_slot {
    dream_user_key user;
    int64_t at_ms;
    char plan[DREAM_PLAN_SIZE]; /* "": empty */
} dream_plan_slot;

typedef struct dream_tier_cache {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    dreamapi_tiers *list; /* NULL before the first answer */
    int64_t fetched_ms;
    bool is_fetching;
    unsigned fetches;       /* that ended */
    dreamapi_error error;   /* of the last one that ended */
    int64_t not_before_ms;  /* in the background, after a failure */
    dream_plan_slot *plans; /* NULL before the first */
} dream_tier_cache;

bool dream_tier_cache_init(dream_tier_cache *cache);
/* `is_foreign`: in a forked child, where the lock may be held for ever. */
void dream_tier_cache_clear(dream_tier_cache *cache, bool is_foreign);

#endif
