/* SPDX-License-Identifier: Apache-2.0 */
/* p256.h - ECDSA over the curve P-256 with SHA-256 (FIPS 186-4; ES256 of RFC 7518 3.4). It verifies only. */
#ifndef DREAM_COMMON_P256_H
#define DREAM_COMMON_P256_H

#include <stdbool.h>
#include <stddef.h>

#include "common/crypto.h"

enum { DREAM_P256_NUMBER = 32, DREAM_P256_SIGNATURE = 2 * DREAM_P256_NUMBER };

typedef struct dream_p256_key dream_p256_key; /* any thread may use it */

/* From the big-endian coordinates of a JWK, DREAM_P256_NUMBER bytes each. NULL if that is no point of the curve, or out of
 * memory. */
dream_p256_key *dream_p256_public(const unsigned char *x, const unsigned char *y);
dream_p256_key *dream_p256_from_pem(const char *pem); /* public only */
void dream_p256_free(dream_p256_key *key);
bool dream_p256_is_same(const dream_p256_key *a, const dream_p256_key *b);

/* The signature is r and s, DREAM_P256_NUMBER bytes each (IEEE P1363), not DER. */
bool dream_p256_verify(dream_p256_key *key, const void *bytes, size_t size, const unsigned char *signature,
                       size_t signature_size);

#endif
