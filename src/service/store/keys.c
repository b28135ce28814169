/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - rows of api_keys and of the two tables that route a key to its platform.
 * A route says where to look; the key's own row decides. So access ends with the update of one row, and a stale route lets
 * nobody in. Secrets and derived keys are wiped before any return. */
#include "service/store/keys.h"

#include <string.h>

#include "common/crypto.h"
#include "common/http_signature.h"
#include "net/log.h"
#include "service/store/row.h"

enum { SEALED_SIZE = DREAMD_SIGNING_KEY_SIZE + DREAM_AEAD_OVERHEAD, HASH_SIZE = 2 * DREAM_SHA256_SIZE + 1 };

/* ---- making ---- */

static bool derive_and_seal(const dreamd_new_key *key, unsigned char out[SEALED_SIZE])
{
    unsigned char signing_key[DREAMD_SIGNING_KEY_SIZE];
    bool is_done = dream_signing_key_derive(key->secret_key, signing_key)
                   && dream_aead_seal(key->master_key, key->publishable_key, strlen(key->publishable_key), signing_key,
                                      sizeof signing_key, out);
    dream_wipe(signing_key, sizeof signing_key);
    return is_done;
}

/* The first secret of a publishable key makes its route; CONFLICT when another project has it. */
static dreamd_db_status route_publishable_key(dreamd_db *db, const dreamd_new_key *key)
{
    bool is_ours = false;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO publishable_key_routes (publishable_key, platform_id, project_id) VALUES ($1, $2, $3) "
        "ON CONFLICT (publishable_key) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(key->publishable_key), dreamd_text(key->platform_id), dreamd_text(key->project_id)),
        NULL);
    if (status == DREAMD_DB_OK)
        status = dreamd_row_exists(db,
                                   "SELECT 1 FROM publishable_key_routes WHERE publishable_key = $1 AND "
                                   "platform_id = $2 AND project_id = $3",
                                   DREAMD_PARAMS(dreamd_text(key->publishable_key), dreamd_text(key->platform_id),
                                                 dreamd_text(key->project_id)),
                                   &is_ours);
    return status == DREAMD_DB_OK && !is_ours ? DREAMD_DB_CONFLICT : status;
}

static dreamd_db_status insert_key(dreamd_db *db, const dreamd_new_key *key, const char *hash, const char *key_id,
                                   int64_t now_ms)
{
    unsigned char sealed[SEALED_SIZE];
    if (!derive_and_seal(key, sealed))
        return DREAMD_DB_ERROR;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO api_keys (platform_id, publishable_key, key_id, project_id, secret_key_hash, signing_key_sealed, "
        "status, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, 'active', $7)",
        DREAMD_PARAMS(dreamd_text(key->platform_id), dreamd_text(key->publishable_key), dreamd_text(key_id),
                      dreamd_text(key->project_id), dreamd_text(hash), dreamd_blob(sealed, sizeof sealed),
                      dreamd_int(now_ms)),
        NULL);
    if (status != DREAMD_DB_OK)
        return status;
    return dreamd_db_run(db,
                         "INSERT INTO secret_key_routes (secret_key_hash, platform_id, publishable_key, key_id) "
                         "VALUES ($1, $2, $3, $4)",
                         DREAMD_PARAMS(dreamd_text(hash), dreamd_text(key->platform_id),
                                       dreamd_text(key->publishable_key), dreamd_text(key_id)),
                         NULL);
}

static bool hash_secret_key(const char *secret_key, char hash[HASH_SIZE], char key_id[DREAMD_KEY_ID_SIZE])
{
    return dream_sha256_hex(secret_key, strlen(secret_key), hash) && dream_key_id_of(secret_key, key_id);
}

dreamd_db_status dreamd_key_insert(dreamd_db *db, const dreamd_new_key *key, int64_t now_ms,
                                   char out_key_id[DREAMD_KEY_ID_SIZE])
{
    char hash[HASH_SIZE];
    char key_id[DREAMD_KEY_ID_SIZE];
    if (!hash_secret_key(key->secret_key, hash, key_id))
        return DREAMD_DB_ERROR;
    dreamd_db_status status = route_publishable_key(db, key);
    if (status == DREAMD_DB_OK)
        status = insert_key(db, key, hash, key_id, now_ms);
    if (status == DREAMD_DB_OK && out_key_id)
        memcpy(out_key_id, key_id, sizeof key_id);
    return status;
}

dreamd_db_status dreamd_key_revoke(dreamd_db *db, const char *platform_id, const char *publishable_key,
                                   const char *key_id, int64_t now_ms, bool *out_found)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "UPDATE api_keys SET status = 'revoked', revoked_at_ms = $4 WHERE platform_id = $1 AND publishable_key = $2 "
        "AND key_id = COALESCE($3, key_id) AND status = 'active'",
        DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(publishable_key), dreamd_text(key_id), dreamd_int(now_ms)),
        &changed);
    *out_found = changed > 0;
    return status;
}

dreamd_db_status dreamd_key_expire(dreamd_db *db, const char *platform_id, const char *publishable_key, int64_t end_ms)
{
    return dreamd_db_run(db,
                         "UPDATE api_keys SET expires_at_ms = $3 WHERE platform_id = $1 AND publishable_key = $2 AND "
                         "status = 'active' AND (expires_at_ms IS NULL OR expires_at_ms > $3)",
                         DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(publishable_key), dreamd_int(end_ms)),
                         NULL);
}

/* ---- looking up ---- */

/* At the time $2. */
#define IS_VALID(k) k ".status = 'active' AND (" k ".expires_at_ms IS NULL OR " k ".expires_at_ms > $2)"

#define SELECT_PROJECT                                                                                                 \
    "SELECT p.platform_id, p.project_id, r.publishable_key, p.mode, p.type, p.name, p.is_tax_enabled, "                \
    "f.subscription_status, f.current_period_end_ms "
#define JOIN_PROJECT                                                                                                   \
    "JOIN projects p ON p.platform_id = r.platform_id AND p.project_id = r.project_id "                                \
    "JOIN platforms f ON f.platform_id = r.platform_id "

static bool read_project(const dreamd_rows *rows, dreamd_project *out)
{
    *out = (dreamd_project){ .is_tax_enabled = dreamd_rows_int(rows, 6) != 0,
                             .has_current_period_end = !dreamd_rows_is_null(rows, 8),
                             .current_period_end_ms = dreamd_rows_int(rows, 8) };
    return dreamd_row_text(rows, 0, out->platform_id, sizeof out->platform_id)
           && dreamd_row_text(rows, 1, out->project_id, sizeof out->project_id)
           && dreamd_row_text(rows, 2, out->publishable_key, sizeof out->publishable_key)
           && dreamd_mode_parse(dreamd_rows_text(rows, 3), &out->mode)
           && dreamd_row_text(rows, 4, out->type, sizeof out->type)
           && dreamd_row_text(rows, 5, out->name, sizeof out->name)
           && dreamd_row_text(rows, 7, out->subscription_status, sizeof out->subscription_status);
}

static dreamd_db_status find_project(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                                     dreamd_project *out, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(db, sql, params, count, &rows);
    *out_found = rows != NULL;
    if (rows && !read_project(rows, out)) {
        *out_found = false; /* a project that cannot be read lets nobody in */
        status = DREAMD_DB_CORRUPT;
    }
    dreamd_rows_finish(rows);
    return status;
}

/* The index was asked for the hash, so what it takes tells of hashes at most, of which nobody finds the key. Whether a row is the
 * key's is decided here, in constant time. */
static bool is_key_of(const dreamd_rows *rows, const char hash[HASH_SIZE])
{
    const char *stored = dreamd_rows_text(rows, 9);
    return stored && dream_equal_secret_text(stored, hash);
}

static dreamd_db_status read_key(const dreamd_rows *rows, const char hash[HASH_SIZE], int64_t now_ms,
                                 dreamd_project *out, bool *out_found)
{
    if (!is_key_of(rows, hash))
        return DREAMD_DB_OK;
    if (!read_project(rows, out))
        return DREAMD_DB_CORRUPT; /* a project that cannot be read lets nobody in */
    memcpy(out->key_id, hash, DREAMD_KEY_ID_SIZE - 1);
    out->is_use_due = now_ms - dreamd_row_int(rows, 10, INT64_MIN / 2) >= DREAMD_KEY_USE_GRAIN_MS;
    *out_found = true;
    return DREAMD_DB_OK;
}

dreamd_db_status dreamd_project_by_secret_key(dreamd_db *db, const char *secret_key, int64_t now_ms,
                                              dreamd_project *out, bool *out_found)
{
    char hash[HASH_SIZE];
    dreamd_rows *rows = NULL;
    *out_found = false;
    if (!dream_sha256_hex(secret_key, strlen(secret_key), hash))
        return DREAMD_DB_ERROR;
    dreamd_db_status status =
        dreamd_row_one(db,
                       SELECT_PROJECT ", r.secret_key_hash, r.last_used_at_ms "
                                      "FROM secret_key_routes s JOIN api_keys r ON r.platform_id = s.platform_id AND "
                                      "r.publishable_key = s.publishable_key AND r.key_id = s.key_id " JOIN_PROJECT
                                      "WHERE s.secret_key_hash = $1 AND " IS_VALID("r"),
                       DREAMD_PARAMS(dreamd_text(hash), dreamd_int(now_ms)), &rows);
    if (rows)
        status = read_key(rows, hash, now_ms, out, out_found);
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_key_note_use(dreamd_db *db, const dreamd_project *project, int64_t now_ms)
{
    return dreamd_db_run(
        db,
        "UPDATE api_keys AS k SET last_used_at_ms = $2 WHERE k.platform_id = $1 AND "
        "k.publishable_key = $3 AND k.key_id = $4 AND (k.last_used_at_ms IS NULL OR "
        "k.last_used_at_ms <= $5) AND " IS_VALID("k"),
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_int(now_ms), dreamd_text(project->publishable_key),
                      dreamd_text(project->key_id), dreamd_int(now_ms - DREAMD_KEY_USE_GRAIN_MS)),
        NULL);
}

dreamd_db_status dreamd_project_by_publishable_key(dreamd_db *db, const char *publishable_key, int64_t now_ms,
                                                   dreamd_project *out, bool *out_found)
{
    return find_project(
        db,
        SELECT_PROJECT "FROM publishable_key_routes r " JOIN_PROJECT
                       "WHERE r.publishable_key = $1 AND EXISTS (SELECT 1 FROM api_keys k WHERE "
                       "k.platform_id = r.platform_id AND k.publishable_key = r.publishable_key AND " IS_VALID("k") ")",
        DREAMD_PARAMS(dreamd_text(publishable_key), dreamd_int(now_ms)), out, out_found);
}

dreamd_db_status dreamd_project_of_publishable_key(dreamd_db *db, const char *publishable_key, dreamd_project *out,
                                                   bool *out_found)
{
    return find_project(db, SELECT_PROJECT "FROM publishable_key_routes r " JOIN_PROJECT "WHERE r.publishable_key = $1",
                        DREAMD_PARAMS(dreamd_text(publishable_key)), out, out_found);
}

dreamd_db_status dreamd_key_signing_key(dreamd_db *db, const char *publishable_key, const char *key_id, int64_t now_ms,
                                        const unsigned char master_key[32], unsigned char out[DREAMD_SIGNING_KEY_SIZE],
                                        bool *out_found)
{
    dreamd_rows *rows = NULL;
    size_t size = 0;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT k.signing_key_sealed FROM publishable_key_routes r JOIN api_keys k ON k.platform_id = r.platform_id "
        "AND k.publishable_key = r.publishable_key WHERE r.publishable_key = $1 AND k.key_id = $3 AND " IS_VALID("k"),
        DREAMD_PARAMS(dreamd_text(publishable_key), dreamd_int(now_ms), dreamd_text(key_id)), &rows);
    *out_found = rows != NULL;
    const void *sealed = rows ? dreamd_rows_blob(rows, 0, &size) : NULL;
    if (rows
        && (size != SEALED_SIZE
            || !dream_aead_open(master_key, publishable_key, strlen(publishable_key), sealed, size, out))) {
        dreamd_log(DREAMD_LOG_ERROR, "signing_key_not_opened", dreamd_log_text("key", publishable_key));
        status = DREAMD_DB_ERROR;
    }
    dreamd_rows_finish(rows);
    return status;
}
