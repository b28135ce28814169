/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - API keys: which project a key names, and whether it still does.
 * A secret key is stored as its SHA-256; beside it, sealed with the master key, the key that signed requests are checked with
 * (HKDF of the secret). Every look-up reads the database: a revoked key is refused from the commit on, by every process.
 * The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_KEYS_H
#define DREAMD_SERVICE_STORE_KEYS_H

#include "net/db.h"
#include "service/store/model.h"

enum { DREAMD_SIGNING_KEY_SIZE = 32, DREAMD_KEY_ID_SIZE = 17 /* 16 hex digits: how SHA-256(secret key) begins */ };

typedef struct dreamd_new_key {
    const char *platform_id;
    const char *project_id;
    const char *publishable_key;     /* a publishable key may have several secret keys, always in one project */
    const char *secret_key;          /* not stored */
    const unsigned char *master_key; /* 32 bytes */
} dreamd_new_key;

/* CONFLICT when the secret key exists or the publishable key belongs to another project. `out_key_id` may be NULL. */
dreamd_db_status dreamd_key_insert(dreamd_db *db, const dreamd_new_key *key, int64_t now_ms,
                                   char out_key_id[DREAMD_KEY_ID_SIZE]);
/* Revokes one secret key, or with `key_id` NULL the publishable key with all its secrets. `out_found`: was any active? */
dreamd_db_status dreamd_key_revoke(dreamd_db *db, const char *platform_id, const char *publishable_key,
                                   const char *key_id, int64_t now_ms, bool *out_found);

/* Active keys only. */
dreamd_db_status dreamd_project_by_secret_key(dreamd_db *db, const char *secret_key, dreamd_project *out,
                                              bool *out_found);
dreamd_db_status dreamd_project_by_publishable_key(dreamd_db *db, const char *publishable_key, dreamd_project *out,
                                                   bool *out_found);
/* Revoked keys too: whose is what the identity provider or Stripe keeps under this key? Never to let anyone in. */
dreamd_db_status dreamd_project_of_publishable_key(dreamd_db *db, const char *publishable_key, dreamd_project *out,
                                                   bool *out_found);

/* The key that checks a signed request: keyid is "<publishable key>.<key id>". Active keys only; ERROR when it does not open
 * with this master key. `out` is a secret. */
dreamd_db_status dreamd_key_signing_key(dreamd_db *db, const char *publishable_key, const char *key_id,
                                        const unsigned char master_key[32], unsigned char out[DREAMD_SIGNING_KEY_SIZE],
                                        bool *out_found);

#endif
