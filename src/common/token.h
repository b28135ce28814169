/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - verifies an end user's token: a JWT (RFC 7519) signed with RS256, RS384 or RS512.
 * The key decides what may verify it; `alg` only picks the hash. Fetching keys is the caller's work. */
#ifndef DREAM_COMMON_TOKEN_H
#define DREAM_COMMON_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/jwks.h"

enum { DREAM_TOKEN_MAX_SIZE = 16384, DREAM_TOKEN_SKEW_S = 300 };

typedef enum dream_token_status {
    DREAM_TOKEN_OK = 0,
    DREAM_TOKEN_INVALID,     /* malformed, bad signature, expired, not yet valid, missing claim: `message` says which */
    DREAM_TOKEN_UNKNOWN_KEY, /* no key with this kid in `jwks`: fetching it anew may help */
    DREAM_TOKEN_NOMEM
} dream_token_status;

/* One allocation, texts included: only dream_claims_free releases it, and only as a whole. */
typedef struct dream_claims {
    char *user_id;         /* sub; never NULL */
    char *email;           /* email, publicMetadata.email or primary_email; may be NULL */
    char *publishable_key; /* nested publicMetadata.publishableKey, else flat; may be NULL */
    char *plan;            /* nested, else flat; may be NULL */
    char *session_id;      /* sid; may be NULL */
    char *json;            /* the payload as sent */
    int64_t issued_at_s;   /* iat; 0 if absent */
    int64_t expires_at_s;  /* exp, skew not added */
} dream_claims;

/* `jwks` may be NULL (then every well-formed token is UNKNOWN_KEY). On OK `*out` is owned (dream_claims_free).
 * `message` (may be NULL) gets the reason, in the words of the contract (wire cases jwt-*). */
dream_token_status dream_token_verify(const char *token, const dream_jwks *jwks, int64_t now_wall_ms,
                                      dream_claims **out, char message[256]);
void dream_claims_free(dream_claims *claims); /* NULL is fine */

/* A bounded cache of verified tokens, by SHA-256 of the token. An entry answers until exp + skew; forgetting a key set
 * forgets what it verified. Thread-safe; no lock is held over a signature check. Not for use in a child after fork: make
 * a new one. Whoever puts what was verified with a key set that has been replaced meanwhile must forget the realm again. */
typedef struct dream_token_cache dream_token_cache;
dream_token_cache *dream_token_cache_new(size_t max_entries);
void dream_token_cache_free(dream_token_cache *cache);
/* Copies out the claims if known and still valid. `realm` keeps live and test, and unrelated issuers, apart. */
bool dream_token_cache_get(dream_token_cache *cache, const char *realm, const char *token, int64_t now_wall_ms,
                           dream_claims **out);
void dream_token_cache_put(dream_token_cache *cache, const char *realm, const char *token, const dream_claims *claims);
void dream_token_cache_forget(dream_token_cache *cache, const char *realm); /* everything of that realm */

#endif
