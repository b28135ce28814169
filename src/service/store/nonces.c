/* SPDX-License-Identifier: Apache-2.0 */
/* nonces.c - rows of signature_nonces. The insert decides, so of two copies of a request that cross, on whatever processes, one
 * is let in. */
#include "service/store/nonces.h"

#include "service/store/row.h"

/* More than one, or a table once grown would never shrink; few, as a request waits for it. */
enum { FORGOTTEN_AT_ONCE = 4 };

static dreamd_db_status forget_old(dreamd_db *db, int64_t now_ms)
{
    return dreamd_db_run(
        db,
        "DELETE FROM signature_nonces WHERE (platform_id, keyid, nonce) IN (SELECT platform_id, keyid, "
        "nonce FROM signature_nonces WHERE forget_at_ms < $1 ORDER BY forget_at_ms LIMIT $2)",
        DREAMD_PARAMS(dreamd_int(now_ms), dreamd_int(FORGOTTEN_AT_ONCE)), NULL);
}

dreamd_db_status dreamd_nonce_spend(dreamd_db *db, const dreamd_nonce *nonce, int64_t now_ms, bool *out_is_new)
{
    int64_t changed = 0;
    dreamd_db_status status =
        dreamd_db_run(db,
                      "INSERT INTO signature_nonces (platform_id, keyid, nonce, forget_at_ms) VALUES ($1, $2, $3, $4) "
                      "ON CONFLICT (platform_id, keyid, nonce) DO NOTHING",
                      DREAMD_PARAMS(dreamd_text(nonce->platform_id), dreamd_text(nonce->keyid),
                                    dreamd_text(nonce->nonce), dreamd_int(nonce->forget_at_ms)),
                      &changed);
    *out_is_new = changed > 0;
    return status == DREAMD_DB_OK ? forget_old(db, now_ms) : status;
}

dreamd_db_status dreamd_nonce_is_spent(dreamd_db *db, const dreamd_nonce *nonce, bool *out_is_spent)
{
    return dreamd_row_exists(
        db, "SELECT 1 FROM signature_nonces WHERE platform_id = $1 AND keyid = $2 AND nonce = $3",
        DREAMD_PARAMS(dreamd_text(nonce->platform_id), dreamd_text(nonce->keyid), dreamd_text(nonce->nonce)),
        out_is_spent);
}
