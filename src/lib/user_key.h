/* SPDX-License-Identifier: Apache-2.0 */
/* user_key.h - on whose behalf a call is made, as a fixed-size key. A hash, so that no
 * user's id or token is kept longer than the call. Any thread. */
#ifndef DREAM_LIB_USER_KEY_H
#define DREAM_LIB_USER_KEY_H

#include <stdbool.h>

#include "common/crypto.h"

typedef struct dream_user_key {
    unsigned char bytes[DREAM_SHA256_SIZE];
} dream_user_key;

/* From the user's id, else from the `sub` of the token, else from the token itself. One of them must be given. The token
 * is not verified: the key only decides whom this client itself makes wait. False when out of memory. */
bool dream_user_key_make(const char *user_id, const char *token, dream_user_key *out);

#endif
