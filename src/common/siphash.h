/* SPDX-License-Identifier: Apache-2.0 */
/* siphash.h - names a text by a number that nobody without the key can foresee: SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012).
 * For tables: a seventh of SHA-256's cost. Not a digest: whoever has the key finds two texts with one name. Any thread. */
#ifndef DREAM_COMMON_SIPHASH_H
#define DREAM_COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { DREAM_SIPHASH_KEY_SIZE = 16 };

typedef struct dream_siphash {
    uint64_t low; /* the reference's first eight bytes, little endian */
    uint64_t high;
} dream_siphash;

/* `bytes` may be NULL if `size` is 0. */
dream_siphash dream_siphash_of(const unsigned char key[DREAM_SIPHASH_KEY_SIZE], const void *bytes, size_t size);

#endif
