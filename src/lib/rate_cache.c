/* SPDX-License-Identifier: Apache-2.0 */
/* rate_cache.c - a chained hash over an array of entries.
 *
 *   buckets[hash] -> entry -> entry        (indexes plus 1; 0 ends a chain)
 *
 * Entries are never removed one by one: when the array is full, the one that is
 * over soonest makes room, which takes the expired ones first. That search is
 * linear; it happens only while thousands of users are being refused. One thread. */
#include "lib/rate_cache.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024, FIRST_CAPACITY = 32 };

struct entry {
    dream_user_key user;
    int64_t until_ms;
    uint32_t next;
};

struct dream_rate_cache {
    struct entry *entries;
    uint32_t count;
    uint32_t capacity;
    uint32_t buckets[BUCKETS];
};

dream_rate_cache *dream_rate_cache_new(void)
{
    return calloc(1, sizeof(dream_rate_cache));
}

void dream_rate_cache_free(dream_rate_cache *cache)
{
    if (cache == NULL)
        return;
    free(cache->entries);
    free(cache);
}

/* The key is a SHA-256: any of its bits are as good as a hash of it. */
static uint32_t bucket_of(const dream_user_key *user)
{
    return (user->bytes[0] | (uint32_t)user->bytes[1] << 8) % BUCKETS;
}

static struct entry *find(const dream_rate_cache *cache, const dream_user_key *user)
{
    for (uint32_t at = cache->buckets[bucket_of(user)]; at != 0; at = cache->entries[at - 1].next) {
        if (memcmp(&cache->entries[at - 1].user, user, sizeof(*user)) == 0)
            return &cache->entries[at - 1];
    }
    return NULL;
}

static void unlink_entry(dream_rate_cache *cache, uint32_t place)
{
    uint32_t *link = &cache->buckets[bucket_of(&cache->entries[place - 1].user)];

    while (*link != place)
        link = &cache->entries[*link - 1].next;
    *link = cache->entries[place - 1].next;
}

static uint32_t evict(dream_rate_cache *cache)
{
    uint32_t soonest = 0;

    for (uint32_t i = 1; i < cache->count; i++) {
        if (cache->entries[i].until_ms < cache->entries[soonest].until_ms)
            soonest = i;
    }
    unlink_entry(cache, soonest + 1);
    return soonest + 1;
}

/* The place of an unused entry; 0 when out of memory. */
static uint32_t take_place(dream_rate_cache *cache)
{
    uint32_t capacity = cache->capacity == 0 ? FIRST_CAPACITY : cache->capacity * 2;
    struct entry *entries;

    if (cache->count == DREAM_RATE_CACHE_MAX)
        return evict(cache);
    if (cache->count == cache->capacity) {
        entries = realloc(cache->entries, capacity * sizeof(*entries));
        if (entries == NULL)
            return 0;
        cache->entries = entries;
        cache->capacity = capacity;
    }
    return ++cache->count;
}

void dream_rate_cache_note(dream_rate_cache *cache, const dream_user_key *user, int64_t now_ms, int64_t wait_ms)
{
    struct entry *entry = find(cache, user);
    uint32_t place;

    if (wait_ms <= 0)
        return;
    if (entry == NULL) {
        place = take_place(cache);
        if (place == 0)
            return;
        entry = &cache->entries[place - 1];
        entry->user = *user;
        entry->next = cache->buckets[bucket_of(user)];
        cache->buckets[bucket_of(user)] = place;
    }
    entry->until_ms = now_ms + (wait_ms < DREAM_RATE_CACHE_MAX_MS ? wait_ms : DREAM_RATE_CACHE_MAX_MS);
}

int64_t dream_rate_cache_wait_ms(const dream_rate_cache *cache, const dream_user_key *user, int64_t now_ms)
{
    const struct entry *entry = find(cache, user);

    return entry != NULL && entry->until_ms > now_ms ? entry->until_ms - now_ms : 0;
}
