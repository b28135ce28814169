/* SPDX-License-Identifier: Apache-2.0 */
/* lease_restore.c - rows of meta that tell a restored store from an older one. A backup does not know the leases that were granted
 * after it: until the last of them has surely ended, nothing is granted or admitted; their holders see the new epoch and
 * report them again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rule.h"
#include "service/store/audit.h"
#include "service/store/leases.h"
#include "service/store/row.h"

enum { NUMBER_SIZE = 24 };

static dreamd_db_status read_number(dreamd_db *db, const char *name, int64_t *out)
{
    dreamd_rows *rows = NULL;
    *out = 0;
    dreamd_db_status status =
        dreamd_row_one(db, "SELECT value FROM meta WHERE name = $1", DREAMD_PARAMS(dreamd_text(name)), &rows);
    if (rows)
        *out = strtoll(dreamd_rows_text(rows, 0), NULL, 10);
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status write_number(dreamd_db *db, const char *name, int64_t number)
{
    char text[NUMBER_SIZE];
    (void)snprintf(text, sizeof text, "%" PRId64, number);
    return dreamd_db_run(db,
                         "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET "
                         "value = excluded.value",
                         DREAMD_PARAMS(dreamd_text(name), dreamd_text(text)), NULL);
}

dreamd_db_status dreamd_epoch_read(dreamd_db *db, dreamd_epoch *out)
{
    dreamd_db_status status = read_number(db, "store_epoch", &out->store_epoch);
    return status == DREAMD_DB_OK ? dreamd_recovery_read(db, &out->recovering_until_ms) : status;
}

dreamd_db_status dreamd_recovery_read(dreamd_db *db, int64_t *out_until_ms)
{
    return read_number(db, "recovering_until_ms", out_until_ms);
}

static dreamd_db_status note_longest(dreamd_db *db, const dreamd_lease_terms *terms, int64_t *out_longest_ms)
{
    int64_t span_ms = terms->ttl_ms + terms->grace_ms;
    dreamd_db_status status = read_number(db, "longest_lease_ms", out_longest_ms);
    if (status != DREAMD_DB_OK || *out_longest_ms >= span_ms)
        return status;
    *out_longest_ms = span_ms;
    return write_number(db, "longest_lease_ms", span_ms);
}

dreamd_db_status dreamd_lease_terms_note(dreamd_db *db, const dreamd_lease_terms *terms)
{
    int64_t longest_ms = 0;
    return note_longest(db, terms, &longest_ms);
}

/* The same backup may be restored twice: one more than its epoch would be an epoch that holders have seen. The time is not. */
static int64_t next_epoch(int64_t epoch, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;
    return epoch < now_s ? now_s : epoch + 1;
}

dreamd_db_status dreamd_store_mark_restored(dreamd_db *db, const dreamd_restore *restore, dreamd_epoch *out)
{
    char detail[96];
    const dreamd_audit audit = { "", restore->actor, "restore", detail };
    int64_t longest_ms = 0;
    dreamd_db_status status = dreamd_epoch_read(db, out);
    if (status == DREAMD_DB_OK)
        status = note_longest(db, restore->terms, &longest_ms);
    if (DREAM_RULE(restore_raises_epoch))
        out->store_epoch = next_epoch(out->store_epoch, restore->now_ms);
    out->recovering_until_ms = restore->now_ms + longest_ms;
    if (status == DREAMD_DB_OK)
        status = write_number(db, "store_epoch", out->store_epoch);
    if (status == DREAMD_DB_OK)
        status = write_number(db, "recovering_until_ms", out->recovering_until_ms);
    (void)snprintf(detail, sizeof detail, "{\"storeEpoch\":%" PRId64 ",\"recoveringUntil\":%" PRId64 "}",
                   out->store_epoch, out->recovering_until_ms);
    return status == DREAMD_DB_OK ? dreamd_audit_note(db, &audit, restore->now_ms) : status;
}
