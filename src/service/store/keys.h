/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - API keys: which project a key names, and whether it still does.
 * A secret key is stored as its SHA-256; beside it, sealed with the master key, the key that signed requests are checked with
 * (HKDF of the secret). Every look-up reads the database: a revoked key is refused from the commit on, by every process.
 * A key may also have an end: active, and refused from that time on. What an operator does with keys, with its audit, is
 * key_admin.h. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_KEYS_H
#define DREAMD_SERVICE_STORE_KEYS_H

#include "common/http_signature.h"
#include "net/db.h"
#include "service/store/model.h"

enum {
    DREAMD_SIGNING_KEY_SIZE = DREAM_SIGNING_KEY_SIZE,
    DREAMD_KEY_USE_GRAIN_MS = 60000 /* a key's last use is written at most so often */
};

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

/* Lets every secret of the publishable key that has no earlier end, end at `end_ms`. */
dreamd_db_status dreamd_key_expire(dreamd_db *db, const char *platform_id, const char *publishable_key, int64_t end_ms);

/* Active keys only, whose end has not come. */
dreamd_db_status dreamd_project_by_secret_key(dreamd_db *db, const char *secret_key, int64_t now_ms,
                                              dreamd_project *out, bool *out_found);
dreamd_db_status dreamd_project_by_publishable_key(dreamd_db *db, const char *publishable_key, int64_t now_ms,
                                                   dreamd_project *out, bool *out_found);
/* Notes that the key named by the project was used. Changes nothing when it was noted within DREAMD_KEY_USE_GRAIN_MS, or when the
 * key is not valid any more. */
dreamd_db_status dreamd_key_note_use(dreamd_db *db, const dreamd_project *project, int64_t now_ms);
/* Revoked keys too: whose is what the identity provider or Stripe keeps under this key? Never to let anyone in. */
dreamd_db_status dreamd_project_of_publishable_key(dreamd_db *db, const char *publishable_key, dreamd_project *out,
                                                   bool *out_found);

/* The key that checks a signed request: keyid is "<publishable key>.<key id>". Active keys only, whose end has not come; ERROR when
 * it does not open with this master key. `out` is a secret. */
dreamd_db_status dreamd_key_signing_key(dreamd_db *db, const char *publishable_key, const char *key_id, int64_t now_ms,
                                        const unsigned char master_key[32], unsigned char out[DREAMD_SIGNING_KEY_SIZE],
                                        bool *out_found);

#endif
