/* SPDX-License-Identifier: Apache-2.0 */
/* rsa.h - RSASSA-PKCS1-v1_5 with SHA-256/384/512 (RFC 8017 8.2), as JWTs use it.
 * The library and the service verify; the sandbox also makes keys and signs. */
#ifndef DREAM_COMMON_RSA_H
#define DREAM_COMMON_RSA_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/crypto.h"

typedef struct dream_rsa_key dream_rsa_key; /* immutable once made; any thread may use it */

typedef enum dream_rsa_hash { DREAM_RSA_SHA256, DREAM_RSA_SHA384, DREAM_RSA_SHA512 } dream_rsa_hash;

/* From the big-endian modulus and exponent of a JWK. NULL if it is no usable key (2048 to 8192 bits) or out of memory. */
dream_rsa_key *dream_rsa_public(const void *modulus, size_t modulus_size, const void *exponent, size_t exponent_size);
dream_rsa_key *dream_rsa_from_pem(const char *pem); /* public or private */
dream_rsa_key *dream_rsa_public_from_pem(const char *pem);
dream_rsa_key *dream_rsa_generate(unsigned bits);
void dream_rsa_free(dream_rsa_key *key);
bool dream_rsa_is_same(const dream_rsa_key *a, const dream_rsa_key *b); /* of the public halves */

bool dream_rsa_verify(const dream_rsa_key *key, dream_rsa_hash hash, const void *bytes, size_t size,
                      const unsigned char *signature, size_t signature_size);
bool dream_rsa_sign(const dream_rsa_key *key, dream_rsa_hash hash, const void *bytes, size_t size,
                    dream_buffer *out_signature);
bool dream_rsa_private_pem(const dream_rsa_key *key, dream_buffer *out);
bool dream_rsa_public_pem(const dream_rsa_key *key, dream_buffer *out);
/* Big-endian modulus and exponent without leading zeroes, for a JWK. */
bool dream_rsa_public_parts(const dream_rsa_key *key, dream_buffer *out_modulus, dream_buffer *out_exponent);

#endif
