/* SPDX-License-Identifier: Apache-2.0 */
/* nonces.h - the numbers of signed requests that were let in: each counts once for each key, for as long as its signature would.
 * The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_NONCES_H
#define DREAMD_SERVICE_STORE_NONCES_H

#include <stdbool.h>
#include <stdint.h>

#include "net/db.h"

typedef struct dreamd_nonce {
    const char *platform_id;
    const char *keyid;
    const char *nonce;
    int64_t forget_at_ms; /* later than any process takes the signature for fresh */
} dreamd_nonce;

/* `out_is_new` false: it was spent before, and stays so. Also forgets some that are past keeping. */
dreamd_db_status dreamd_nonce_spend(dreamd_db *db, const dreamd_nonce *nonce, int64_t now_ms, bool *out_is_new);
dreamd_db_status dreamd_nonce_is_spent(dreamd_db *db, const dreamd_nonce *nonce, bool *out_is_spent);

#endif
