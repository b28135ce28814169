/* SPDX-License-Identifier: Apache-2.0 */
/* token_cache.h - a bounded table of the claims of verified tokens, by a keyed hash of the token (siphash.h), so that no token is kept.
 * It has no lock: whoever owns it has one. */
#ifndef DREAM_COMMON_TOKEN_CACHE_H
#define DREAM_COMMON_TOKEN_CACHE_H

#include "common/siphash.h"
#include "common/token.h"

enum { DREAM_TOKEN_CACHE_WAYS = 8 };

typedef struct dream_token_cache dream_token_cache;

/* Room for `entries` at least, in groups of DREAM_TOKEN_CACHE_WAYS. NULL when out of memory. */
dream_token_cache *dream_token_cache_new(size_t entries);
void dream_token_cache_free(dream_token_cache *cache); /* NULL is fine */
/* Borrowed until the next put; NULL if not there. They may have expired. */
dream_claims *dream_token_cache_get(const dream_token_cache *cache, dream_siphash name);
/* Takes a reference to the claims. Where a group is full, what expired first goes, if it has expired; else what was put first. */
void dream_token_cache_put(dream_token_cache *cache, dream_siphash name, dream_claims *claims, int64_t now_wall_ms);
/* Everything there is will not be found again. Its memory is reused as others are put. */
void dream_token_cache_forget(dream_token_cache *cache);

#endif
