/* SPDX-License-Identifier: Apache-2.0 */
/* master_key.c - one row of `meta` holds an HMAC of a fixed text under the master key.
 * Without it a lost key file, replaced by a new one at the next start, would show only when a signed request or a sealed token
 * failed, days later and for no visible reason. */
#include "service/store/master_key.h"

#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "net/log.h"
#include "service/store/audit.h"
#include "service/store/row.h"

enum { DIGEST_TEXT = 2 * DREAM_SHA256_SIZE + 1, SEALED_MAX = 1024 };

dreamd_db_status dreamd_master_key_is_set(dreamd_db *db, bool *out_is_set)
{
    return dreamd_row_exists(db, "SELECT 1 FROM meta WHERE name = 'master_key_digest'", DREAMD_NO_PARAMS, out_is_set);
}

static bool digest_of(const unsigned char master_key[32], char out[DIGEST_TEXT])
{
    static const char text[] = "dreamapid master key";
    unsigned char digest[DREAM_SHA256_SIZE];

    if (!dream_hmac_sha256(master_key, 32, text, strlen(text), digest))
        return false;
    dream_hex_encode(digest, sizeof digest, out);
    return true;
}

dreamd_db_status dreamd_master_key_check(dreamd_db *db, const unsigned char master_key[32], bool *out_is_right)
{
    char expected[DIGEST_TEXT], stored[DIGEST_TEXT] = "";
    dreamd_rows *rows = NULL;

    *out_is_right = false;
    if (!digest_of(master_key, expected))
        return DREAMD_DB_ERROR;
    dreamd_db_status status = dreamd_db_run(
        db, "INSERT INTO meta (name, value) VALUES ('master_key_digest', $1) ON CONFLICT (name) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(expected)), NULL);
    if (status == DREAMD_DB_OK)
        status = dreamd_row_one(db, "SELECT value FROM meta WHERE name = 'master_key_digest'", DREAMD_NO_PARAMS, &rows);
    /* One that does not fit was not written here: not the right one either. */
    *out_is_right =
        rows && dreamd_row_text(rows, 0, stored, sizeof stored) && dream_equal_secret_text(stored, expected);
    dreamd_rows_finish(rows);
    return status;
}

/* ---- rotation ---- */

/* Every column that is sealed. A row's key has three parts at most; `next` gives the first row after one: what the seal is bound
 * to, the sealed value, and the key. */
static const struct sealed_column {
    const char *name, *next, *update;
} columns[] = {
    { "api_keys",
      "SELECT publishable_key, signing_key_sealed, platform_id, publishable_key, key_id FROM api_keys "
      "WHERE (platform_id, publishable_key, key_id) > ($1, $2, $3) ORDER BY platform_id, publishable_key, key_id LIMIT "
      "1",
      "UPDATE api_keys SET signing_key_sealed = $4 WHERE platform_id = $1 AND publishable_key = $2 AND key_id = $3" },
    { "stripe_accounts",
      "SELECT platform_id || ':' || mode, access_token_sealed, platform_id, mode, '' FROM stripe_accounts "
      "WHERE access_token_sealed IS NOT NULL AND (platform_id, mode, '') > ($1, $2, $3) ORDER BY platform_id, mode "
      "LIMIT 1",
      "UPDATE stripe_accounts SET access_token_sealed = $4 WHERE platform_id = $1 AND mode = $2 AND $3 = ''" },
};

struct rotation {
    const unsigned char *old_key, *new_key;
    char place[3][DREAMD_KEY_SIZE]; /* the row in hand */
    unsigned char sealed[SEALED_MAX];
    size_t size;
};

static bool seal_anew(struct rotation *self, const char *bound_to, const void *sealed, size_t size)
{
    unsigned char plain[SEALED_MAX];
    bool is_done =
        size >= DREAM_AEAD_OVERHEAD && size <= sizeof plain
        && dream_aead_open(self->old_key, bound_to, strlen(bound_to), sealed, size, plain)
        && dream_aead_seal(self->new_key, bound_to, strlen(bound_to), plain, size - DREAM_AEAD_OVERHEAD, self->sealed);
    self->size = size;
    dream_wipe(plain, sizeof plain);
    return is_done;
}

static bool read_place(struct rotation *self, const dreamd_rows *rows)
{
    for (int i = 0; i < 3; i++) {
        if (!dreamd_row_text(rows, 2 + i, self->place[i], sizeof self->place[i]))
            return false;
    }
    return true;
}

static dreamd_db_status next_value(dreamd_db *db, const struct sealed_column *column, struct rotation *self,
                                   bool *out_found)
{
    dreamd_rows *rows = NULL;
    size_t size = 0;
    dreamd_db_status status = dreamd_row_one(
        db, column->next,
        DREAMD_PARAMS(dreamd_text(self->place[0]), dreamd_text(self->place[1]), dreamd_text(self->place[2])), &rows);
    const char *bound_to = rows ? dreamd_rows_text(rows, 0) : NULL;
    const void *sealed = rows ? dreamd_rows_blob(rows, 1, &size) : NULL;
    *out_found = rows != NULL;
    if (rows && !(bound_to && sealed && read_place(self, rows) && seal_anew(self, bound_to, sealed, size))) {
        dreamd_log(DREAMD_LOG_ERROR, "sealed_value_not_opened", dreamd_log_text("table", column->name));
        status = DREAMD_DB_ERROR;
    }
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status rotate_column(dreamd_db *db, const struct sealed_column *column, struct rotation *self,
                                      int64_t *count)
{
    dreamd_db_status status;
    bool is_found = false;
    memset(self->place, 0, sizeof self->place);
    while ((status = next_value(db, column, self, &is_found)) == DREAMD_DB_OK && is_found) {
        status = dreamd_db_run(db, column->update,
                               DREAMD_PARAMS(dreamd_text(self->place[0]), dreamd_text(self->place[1]),
                                             dreamd_text(self->place[2]), dreamd_blob(self->sealed, self->size)),
                               NULL);
        if (status != DREAMD_DB_OK)
            break;
        *count += 1;
    }
    return status;
}

dreamd_db_status dreamd_master_key_rotate(dreamd_db *db, const dreamd_master_key_change *change, int64_t *out_count)
{
    struct rotation rotation = { .old_key = change->old_key, .new_key = change->new_key };
    const dreamd_audit audit = { "", change->actor, "master-key rotate", "{}" };
    char digest[DIGEST_TEXT];
    dreamd_db_status status = digest_of(change->new_key, digest) ? DREAMD_DB_OK : DREAMD_DB_ERROR;

    *out_count = 0;
    for (size_t i = 0; status == DREAMD_DB_OK && i < sizeof columns / sizeof columns[0]; i++)
        status = rotate_column(db, &columns[i], &rotation, out_count);
    if (status == DREAMD_DB_OK)
        status = dreamd_db_run(db, "UPDATE meta SET value = $1 WHERE name = 'master_key_digest'",
                               DREAMD_PARAMS(dreamd_text(digest)), NULL);
    if (status == DREAMD_DB_OK)
        status = dreamd_audit_note(db, &audit, change->now_ms);
    return status;
}
