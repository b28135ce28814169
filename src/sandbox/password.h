/* SPDX-License-Identifier: Apache-2.0 */
/* password.h - end users' passwords as the sandbox keeps them: PBKDF2-HMAC-SHA256 (RFC 8018 5.2), 16 bytes of salt. Never in
 * clear. Any thread. */
#ifndef SANDBOX_PASSWORD_H
#define SANDBOX_PASSWORD_H

#include <stdbool.h>

enum { SANDBOX_PASSWORD_HASH_SIZE = 160 };

/* "pbkdf2_sha256$ROUNDS$SALT$HASH" in hex; false without randomness or memory. */
bool sandbox_password_hash(const char *password, char out[SANDBOX_PASSWORD_HASH_SIZE]);
bool sandbox_password_matches(const char *password, const char *hash);

#endif
