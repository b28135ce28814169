/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - rows of audit_entries; they are only ever added. */
#include "service/store/audit.h"

#include "common/crypto.h"
#include "common/ids.h"

dreamd_db_status dreamd_audit_add(dreamd_db *db, const char *platform_id, const char *action, const char *detail_json,
                                  int64_t now_ms)
{
    unsigned char random[16];
    char entry_id[37];
    if (!dream_random(random, sizeof random))
        return DREAMD_DB_ERROR;
    dream_uuid7_text(now_ms, random, entry_id);
    return dreamd_db_run(db,
                         "INSERT INTO audit_entries (platform_id, entry_id, at_ms, action, detail_json) "
                         "VALUES ($1, $2, $3, $4, $5)",
                         DREAMD_PARAMS(dreamd_text(platform_id), dreamd_text(entry_id), dreamd_int(now_ms),
                                       dreamd_text(action), dreamd_text(detail_json)),
                         NULL);
}
