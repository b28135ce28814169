/* SPDX-License-Identifier: Apache-2.0 */
/* siphash.c - SipHash-2-4-128 after its paper and the authors' note on 128 bits. No state. */
#include "common/siphash.h"

#include <endian.h>
#include <string.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void mix(struct state *s, int rounds)
{
    for (; rounds > 0; rounds--) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 = rotate(s->v2, 32);
    }
}

static uint64_t read_word(const unsigned char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

dream_siphash dream_siphash_of(const unsigned char key[DREAM_SIPHASH_KEY_SIZE], const void *bytes, size_t size)
{
    uint64_t k0 = read_word(key), k1 = read_word(key + 8);
    struct state s = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee, k0 ^ 0x6c7967656e657261,
                       k1 ^ 0x7465646279746573 };
    const unsigned char *at = bytes;
    unsigned char last[8] = { 0 };
    uint64_t word;
    dream_siphash name;

    /* The last word is what is left over, and the size. */
    last[7] = (unsigned char)size;
    for (size_t left = size;; left -= 8, at += 8) {
        if (left < 8 && left > 0)
            memcpy(last, at, left);
        word = read_word(left < 8 ? last : at);
        s.v3 ^= word;
        mix(&s, 2);
        s.v0 ^= word;
        if (left < 8)
            break;
    }
    s.v2 ^= 0xee;
    mix(&s, 4);
    name.low = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    s.v1 ^= 0xdd;
    mix(&s, 4);
    name.high = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    return name;
}
