/* SPDX-License-Identifier: Apache-2.0 */
/* master_key.c - one row of `meta` holds an HMAC of a fixed text under the master key.
 * Without it a lost key file, replaced by a new one at the next start, would show only when a signed request or a sealed token
 * failed, days later and for no visible reason. */
#include "service/store/master_key.h"

#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "service/store/row.h"

dreamd_db_status dreamd_master_key_is_set(dreamd_db *db, bool *out_is_set)
{
    return dreamd_row_exists(db, "SELECT 1 FROM meta WHERE name = 'master_key_digest'", DREAMD_NO_PARAMS, out_is_set);
}

dreamd_db_status dreamd_master_key_check(dreamd_db *db, const unsigned char master_key[32], bool *out_is_right)
{
    static const char text[] = "dreamapid master key";
    unsigned char digest[DREAM_SHA256_SIZE];
    char expected[2 * DREAM_SHA256_SIZE + 1], stored[2 * DREAM_SHA256_SIZE + 1] = "";
    dreamd_rows *rows = NULL;

    *out_is_right = false;
    if (!dream_hmac_sha256(master_key, 32, text, strlen(text), digest))
        return DREAMD_DB_ERROR;
    dream_hex_encode(digest, sizeof digest, expected);
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
