/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.h - the few primitives both ends need, over mbedTLS (2.28 and 3.x).
 * mbedTLS codes never leave crypto.c. All functions are thread-safe. */
#ifndef DREAM_COMMON_CRYPTO_H
#define DREAM_COMMON_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DREAM_SHA256_SIZE = 32, DREAM_AEAD_OVERHEAD = 12 + 16 };

bool dream_sha256(const void *bytes, size_t size, unsigned char out[DREAM_SHA256_SIZE]);
bool dream_sha256_hex(const void *bytes, size_t size, char out[2 * DREAM_SHA256_SIZE + 1]);
bool dream_hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size,
                       unsigned char out[DREAM_SHA256_SIZE]);
/* RFC 5869. */
bool dream_hkdf_sha256(const void *key, size_t key_size, const void *salt, size_t salt_size, const char *info,
                       unsigned char *out, size_t out_size);
/* AES-256-GCM; `out` holds nonce (12), ciphertext, tag (16): size + DREAM_AEAD_OVERHEAD bytes. */
bool dream_aead_seal(const unsigned char key[32], const void *aad, size_t aad_size, const void *plain, size_t size,
                     unsigned char *out);
/* `out` takes size - DREAM_AEAD_OVERHEAD bytes; false when anything was changed. */
bool dream_aead_open(const unsigned char key[32], const void *aad, size_t aad_size, const void *sealed, size_t size,
                     unsigned char *out);
/* Operating system randomness (getrandom); false only if the kernel has none to give. */
bool dream_random(void *out, size_t size);
/* Constant time in the content for equal lengths. */
bool dream_equal_secret(const void *a, const void *b, size_t size);
bool dream_equal_secret_text(const char *a, const char *b);
/* A memset the compiler may not drop. NULL is fine. */
void dream_wipe(void *bytes, size_t size);
void dream_wipe_text(char *text);
/* Wipes, then free()s. */
void dream_free_secret(char *text);

#endif
