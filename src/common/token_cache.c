/* SPDX-License-Identifier: Apache-2.0 */
/* token_cache.c - a table of groups: a token's name tells the group it may be in, and a group that is full pushes one out.
 * A miss costs no more than a signature check, and only tokens with a good signature get in, so nobody can aim at one group. */
#include "common/token_cache.h"

#include <stdlib.h>
#include <string.h>

enum { MS_PER_S = 1000 };

struct entry {
    dream_claims *claims; /* NULL: free */
    uint64_t number;      /* of its put */
    int64_t expires_at_s; /* as the claims say, who are elsewhere in memory */
};

/* The names apart: a search touches two lines of the cache, or three, not one for each entry. */
struct group {
    dream_siphash names[DREAM_TOKEN_CACHE_WAYS];
    struct entry entries[DREAM_TOKEN_CACHE_WAYS];
};

struct dream_token_cache {
    size_t mask; /* groups - 1 */
    uint64_t puts;
    uint64_t forgotten; /* puts up to this one are not found */
    struct group groups[];
};

dream_token_cache *dream_token_cache_new(size_t entries)
{
    dream_token_cache *cache;
    size_t groups = 1;

    while (groups * DREAM_TOKEN_CACHE_WAYS < entries)
        groups *= 2;
    cache = calloc(1, sizeof(*cache) + groups * sizeof(struct group));
    if (cache != NULL)
        cache->mask = groups - 1;
    return cache;
}

void dream_token_cache_free(dream_token_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i <= cache->mask; i++) {
        for (int way = 0; way < DREAM_TOKEN_CACHE_WAYS; way++)
            dream_claims_unref(cache->groups[i].entries[way].claims);
    }
    free(cache);
}

static bool is_live(const dream_token_cache *cache, const struct entry *entry)
{
    return entry->claims != NULL && entry->number > cache->forgotten;
}

static bool is_same(dream_siphash a, dream_siphash b)
{
    return ((a.low ^ b.low) | (a.high ^ b.high)) == 0;
}

dream_claims *dream_token_cache_get(const dream_token_cache *cache, dream_siphash name)
{
    const struct group *group = &cache->groups[name.low & cache->mask];

    for (int i = 0; i < DREAM_TOKEN_CACHE_WAYS; i++) {
        if (is_same(group->names[i], name) && is_live(cache, &group->entries[i]))
            return group->entries[i].claims;
    }
    return NULL;
}

/* The smallest goes first: what is no longer found, then what has expired, then the oldest. */
static uint64_t worth(const dream_token_cache *cache, const struct entry *entry, int64_t now_wall_ms)
{
    if (!is_live(cache, entry))
        return 0;
    if (entry->expires_at_s * MS_PER_S <= now_wall_ms - DREAM_TOKEN_SKEW_S * MS_PER_S)
        return 1;
    return entry->number + 1;
}

void dream_token_cache_put(dream_token_cache *cache, dream_siphash name, dream_claims *claims, int64_t now_wall_ms)
{
    struct group *group = &cache->groups[name.low & cache->mask];
    struct entry *entries = group->entries;
    int worst = 0;

    for (int i = 0; i < DREAM_TOKEN_CACHE_WAYS; i++) {
        /* Two threads may have verified the same token. */
        if (is_same(group->names[i], name)) {
            worst = i;
            break;
        }
        if (worth(cache, &entries[i], now_wall_ms) < worth(cache, &entries[worst], now_wall_ms))
            worst = i;
    }
    dream_claims_unref(entries[worst].claims);
    entries[worst].claims = dream_claims_ref(claims);
    entries[worst].number = ++cache->puts;
    entries[worst].expires_at_s = claims->expires_at_s;
    group->names[worst] = name;
}

void dream_token_cache_forget(dream_token_cache *cache)
{
    cache->forgotten = cache->puts;
}
