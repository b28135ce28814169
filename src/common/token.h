/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - checks an end user's token: a JWT (RFC 7519) signed with RS256, RS384, RS512 or ES256.
 * The key decides what may verify it; the token's `alg` can only agree. Where keys come from is verifier.h. */
#ifndef DREAM_COMMON_TOKEN_H
#define DREAM_COMMON_TOKEN_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/jwks.h"

/* The contract's tolerance for clocks that differ. */
enum { DREAM_TOKEN_MAX_SIZE = 16384, DREAM_TOKEN_SKEW_S = 300, DREAM_TOKEN_MESSAGE = 256 };

typedef enum dream_token_status {
    DREAM_TOKEN_OK = 0,
    DREAM_TOKEN_INVALID, /* malformed, bad signature, expired, not yet valid, wrong or missing claim: `message` says which */
    DREAM_TOKEN_FOREIGN,     /* good, but of another project */
    DREAM_TOKEN_UNKNOWN_KEY, /* no key with this kid in `jwks`: fetching it anew may help */
    DREAM_TOKEN_NOMEM,
    DREAM_TOKEN_NO_KEYS, /* verifier.h: there are none to check with, and none can be had now */
    DREAM_TOKEN_WAIT     /* verifier.h: keys are being fetched */
} dream_token_status;

/* What a token has to say besides being signed and in time. All pointers may be NULL: then anything does. Borrowed. */
typedef struct dream_token_rules {
    int64_t now_wall_ms;
    int64_t skew_ms; /* how far exp, nbf and iat may be off */
    const char *issuer;
    const char *audience;                  /* among `aud` */
    const char *const *authorized_parties; /* NULL at the end; `azp` is one of them */
    const char *const *publishable_keys;   /* NULL at the end; the token's is one of them */
} dream_token_rules;

/* Immutable, shared by reference count between threads. One allocation, texts included. */
typedef struct dream_claims {
    char *user_id;          /* sub; never NULL */
    char *email;            /* email, publicMetadata.email or primary_email; may be NULL */
    char *publishable_key;  /* nested publicMetadata.publishableKey, else flat; may be NULL */
    char *plan;             /* nested, else flat; may be NULL */
    char *session_id;       /* sid; may be NULL */
    char *issuer;           /* iss; may be NULL */
    char *authorized_party; /* azp; may be NULL */
    char *audiences;        /* each of aud, followed by a line feed; NULL if there are none */
    char *json;             /* the payload as sent */
    int64_t issued_at_s;    /* iat; 0 if absent */
    int64_t not_before_s;   /* nbf; 0 if absent */
    int64_t expires_at_s;   /* exp, skew not added */
    atomic_uint references;
} dream_claims;

/* `jwks` may be NULL (then every well-formed token is UNKNOWN_KEY). On OK `*out` is owned (dream_claims_unref).
 * `message` (may be NULL) gets the reason, in the words of the contract (wire cases jwt-*). */
dream_token_status dream_token_verify(const char *token, dream_jwks *jwks, const dream_token_rules *rules,
                                      dream_claims **out, char message[DREAM_TOKEN_MESSAGE]);
/* The rules alone, for claims of a token that was verified before: OK, INVALID or FOREIGN. */
dream_token_status dream_claims_check(const dream_claims *claims, const dream_token_rules *rules,
                                      char message[DREAM_TOKEN_MESSAGE]);
dream_claims *dream_claims_copy(const dream_claims *claims); /* with one reference; NULL when out of memory */
dream_claims *dream_claims_ref(dream_claims *claims);
void dream_claims_unref(dream_claims *claims); /* NULL is fine */

#endif
