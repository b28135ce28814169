/* SPDX-License-Identifier: Apache-2.0 */
/* jwks.h - a JSON Web Key Set (RFC 7517): the signing keys in it, RSA and P-256, by `kid`.
 * Immutable once parsed, but for what it remembers; shared by reference count between threads. */
#ifndef DREAM_COMMON_JWKS_H
#define DREAM_COMMON_JWKS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/crypto.h"

typedef struct dream_jwks dream_jwks;
typedef struct dream_jwks_key dream_jwks_key; /* lives as long as its set */

/* How a signature is made (RFC 7518 3.1). Others are not supported, `none` and HMAC least of all. */
typedef enum dream_signature {
    DREAM_SIGNATURE_RS256,
    DREAM_SIGNATURE_RS384,
    DREAM_SIGNATURE_RS512,
    DREAM_SIGNATURE_ES256
} dream_signature;
bool dream_signature_named(const char *alg, dream_signature *out); /* NULL is no name */

/* Keys of other types or uses are passed over. NULL if the text is no key set or memory ran out. */
dream_jwks *dream_jwks_parse(const char *text, size_t size);
/* A set of one key without a name, for tokens with any `kid` or none, from a PEM public key (SubjectPublicKeyInfo). NULL if it is
 * none that we can use, or memory ran out. */
dream_jwks *dream_jwks_from_pem(const char *pem);
dream_jwks *dream_jwks_ref(dream_jwks *jwks);
void dream_jwks_unref(dream_jwks *jwks);                                        /* NULL is fine */
const dream_jwks_key *dream_jwks_find(const dream_jwks *jwks, const char *kid); /* borrowed; NULL if not listed */
size_t dream_jwks_count(const dream_jwks *jwks);
const char *dream_jwks_kid(const dream_jwks *jwks, size_t index); /* NULL for a key without a name */
/* What a token's first part came to: it is the same text for all tokens of a key, so that the next one's need not be read. */
typedef struct dream_jwks_header {
    const char *text;
    size_t size;
    const dream_jwks_key *key; /* of the same set */
    dream_signature how;
} dream_jwks_header;

/* Fills the answer if the text is the one that is remembered, byte for byte. */
bool dream_jwks_recall(const dream_jwks *jwks, dream_jwks_header *header);
/* Keeps the first one it is given, if that is of usual size. It must have passed every check. */
void dream_jwks_remember(dream_jwks *jwks, const dream_jwks_header *header);
/* True if each key of `before` (may be NULL) is in `after` by the same name, bit for bit. */
bool dream_jwks_has_all(const dream_jwks *after, const dream_jwks *before);

/* It is the key that decides which signatures it vouches for: those of its type and, if the set says so, of one algorithm alone. */
bool dream_jwks_key_takes(const dream_jwks_key *key, dream_signature signature);
/* False also for a signature that the key does not take. */
bool dream_jwks_key_verify(const dream_jwks_key *key, dream_signature how, const void *bytes, size_t size,
                           const unsigned char *signature, size_t signature_size);

#endif
