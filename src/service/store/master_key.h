/* SPDX-License-Identifier: Apache-2.0 */
/* master_key.h - notices a master key that is not the one this database was sealed with, before it seals or opens anything.
 * The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_MASTER_KEY_H
#define DREAMD_SERVICE_STORE_MASTER_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "net/db.h"

/* Was this database made with some master key already? Then a new one would be the wrong one. */
dreamd_db_status dreamd_master_key_is_set(dreamd_db *db, bool *out_is_set);
/* The first key to come is remembered, by a digest that tells nothing about it. A write. */
dreamd_db_status dreamd_master_key_check(dreamd_db *db, const unsigned char master_key[32], bool *out_is_right);
typedef struct dreamd_master_key_change {
    const unsigned char *old_key; /* 32 bytes, as passed the check */
    const unsigned char *new_key;
    const char *actor; /* for the audit */
    int64_t now_ms;
} dreamd_master_key_change;

/* Seals everything anew, all or nothing within the caller's transaction, and leaves an audit entry. ERROR when a stored value does not
 * open with the old key. `out_count`: how many values there are. */
dreamd_db_status dreamd_master_key_rotate(dreamd_db *db, const dreamd_master_key_change *change, int64_t *out_count);

#endif
