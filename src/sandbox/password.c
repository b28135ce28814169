/* SPDX-License-Identifier: Apache-2.0 */
/* password.c - PBKDF2 over the HMAC of common/crypto.h. One block of output is all a check needs. */
#include "sandbox/password.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"

enum {
    SALT_SIZE = 16,
    /* A sandbox's users are made by tests, many in a row: about ten milliseconds each. Kept with the hash, so that it may
     * grow. */
    ROUNDS = 10000,
    MAX_ROUNDS = 10000000
};

static const char prefix[] = "pbkdf2_sha256$";

static bool derive(const char *password, const unsigned char salt[SALT_SIZE], long rounds,
                   unsigned char out[DREAM_SHA256_SIZE])
{
    unsigned char block[SALT_SIZE + 4] = { 0 };
    unsigned char last[DREAM_SHA256_SIZE];
    size_t size = strlen(password);
    memcpy(block, salt, SALT_SIZE);
    block[SALT_SIZE + 3] = 1; /* the number of the output block */
    bool done = dream_hmac_sha256(password, size, block, sizeof block, last);
    memcpy(out, last, sizeof last);
    for (long round = 1; done && round < rounds; round++) {
        done = dream_hmac_sha256(password, size, last, sizeof last, last);
        for (size_t i = 0; i < sizeof last; i++)
            out[i] ^= last[i];
    }
    dream_wipe(last, sizeof last);
    return done;
}

bool sandbox_password_hash(const char *password, char out[SANDBOX_PASSWORD_HASH_SIZE])
{
    unsigned char salt[SALT_SIZE];
    unsigned char hash[DREAM_SHA256_SIZE];
    char salt_text[2 * SALT_SIZE + 1];
    char hash_text[2 * DREAM_SHA256_SIZE + 1];
    if (!dream_random(salt, sizeof salt) || !derive(password, salt, ROUNDS, hash))
        return false;
    dream_hex_encode(salt, sizeof salt, salt_text);
    dream_hex_encode(hash, sizeof hash, hash_text);
    (void)snprintf(out, SANDBOX_PASSWORD_HASH_SIZE, "%s%d$%s$%s", prefix, ROUNDS, salt_text, hash_text);
    return true;
}

bool sandbox_password_matches(const char *password, const char *hash)
{
    unsigned char salt[SALT_SIZE];
    unsigned char want[DREAM_SHA256_SIZE];
    unsigned char have[DREAM_SHA256_SIZE];
    if (strncmp(hash, prefix, sizeof prefix - 1) != 0)
        return false;
    char *at;
    long rounds = strtol(hash + sizeof prefix - 1, &at, 10);
    if (rounds < 1 || rounds > MAX_ROUNDS || *at++ != '$' || strlen(at) != 2 * SALT_SIZE + 1 + 2 * DREAM_SHA256_SIZE)
        return false;
    return dream_hex_decode(at, 2 * (size_t)SALT_SIZE, salt, sizeof salt) && at[2 * SALT_SIZE] == '$'
           && dream_hex_decode(at + 2 * SALT_SIZE + 1, 2 * (size_t)DREAM_SHA256_SIZE, want, sizeof want)
           && derive(password, salt, rounds, have) && dream_equal_secret(want, have, sizeof want);
}
