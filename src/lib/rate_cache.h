/* SPDX-License-Identifier: Apache-2.0 */
/* rate_cache.h - users whom the server told to wait, and until when. Belongs to the thread that drives the client. */
#ifndef DREAM_LIB_RATE_CACHE_H
#define DREAM_LIB_RATE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/user_key.h"

enum {
    DREAM_RATE_CACHE_MAX = 4096,
    /* The hosted service's window is a minute. A server that names a far longer time, by mistake or by a wrong clock,
     * is believed this long without being asked again. */
    DREAM_RATE_CACHE_MAX_MS = 60 * 60 * 1000
};

typedef struct dream_rate_cache dream_rate_cache;

dream_rate_cache *dream_rate_cache_new(void); /* owned; NULL when out of memory. Takes no room until used */
void dream_rate_cache_free(dream_rate_cache *cache);
/* Notes that a user must wait `wait_ms` from now. Out of memory: nothing is noted, and the server will say it again. */
void dream_rate_cache_note(dream_rate_cache *cache, const dream_user_key *user, int64_t now_ms, int64_t wait_ms);
/* Milliseconds the user must still wait; 0 if none. */
int64_t dream_rate_cache_wait_ms(const dream_rate_cache *cache, const dream_user_key *user, int64_t now_ms);

#endif
