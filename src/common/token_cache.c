/* SPDX-License-Identifier: Apache-2.0 */
/* token_cache.c - a table of groups: a token's digest names the group it may be in, and a group that is full pushes one out.
 * A miss costs no more than a signature check, and only tokens with a good signature get in, so nobody can aim at one group. */
#include "common/token_cache.h"

#include <stdlib.h>
#include <string.h>

enum { MS_PER_S = 1000 };

struct entry {
    unsigned char digest[DREAM_SHA256_SIZE];
    dream_claims *claims; /* NULL: free */
    uint64_t number;      /* of its put */
    int64_t expires_at_s; /* as the claims say, who are elsewhere in memory */
};

struct dream_token_cache {
    size_t mask; /* groups - 1 */
    uint64_t puts;
    uint64_t forgotten; /* puts up to this one are not found */
    struct entry entries[];
};

dream_token_cache *dream_token_cache_new(size_t entries)
{
    dream_token_cache *cache;
    size_t groups = 1;

    while (groups * DREAM_TOKEN_CACHE_WAYS < entries)
        groups *= 2;
    cache = calloc(1, sizeof(*cache) + groups * DREAM_TOKEN_CACHE_WAYS * sizeof(struct entry));
    if (cache != NULL)
        cache->mask = groups - 1;
    return cache;
}

void dream_token_cache_free(dream_token_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < (cache->mask + 1) * DREAM_TOKEN_CACHE_WAYS; i++)
        dream_claims_unref(cache->entries[i].claims);
    free(cache);
}

static size_t group_of(const dream_token_cache *cache, const unsigned char *digest)
{
    size_t hash;

    memcpy(&hash, digest, sizeof(hash));
    return (hash & cache->mask) * DREAM_TOKEN_CACHE_WAYS;
}

static bool is_live(const dream_token_cache *cache, const struct entry *entry)
{
    return entry->claims != NULL && entry->number > cache->forgotten;
}

dream_claims *dream_token_cache_get(const dream_token_cache *cache, const unsigned char digest[DREAM_SHA256_SIZE])
{
    const struct entry *entry = &cache->entries[group_of(cache, digest)];

    for (int i = 0; i < DREAM_TOKEN_CACHE_WAYS; i++, entry++) {
        if (is_live(cache, entry) && memcmp(entry->digest, digest, sizeof(entry->digest)) == 0)
            return entry->claims;
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

void dream_token_cache_put(dream_token_cache *cache, const unsigned char digest[DREAM_SHA256_SIZE],
                           dream_claims *claims, int64_t now_wall_ms)
{
    struct entry *entry = &cache->entries[group_of(cache, digest)];
    struct entry *worst = entry;

    for (int i = 0; i < DREAM_TOKEN_CACHE_WAYS; i++, entry++) {
        /* Two threads may have verified the same token. */
        if (memcmp(entry->digest, digest, sizeof(entry->digest)) == 0) {
            worst = entry;
            break;
        }
        if (worth(cache, entry, now_wall_ms) < worth(cache, worst, now_wall_ms))
            worst = entry;
    }
    dream_claims_unref(worst->claims);
    worst->claims = dream_claims_ref(claims);
    worst->number = ++cache->puts;
    worst->expires_at_s = claims->expires_at_s;
    memcpy(worst->digest, digest, sizeof(worst->digest));
}

void dream_token_cache_forget(dream_token_cache *cache)
{
    cache->forgotten = cache->puts;
}
