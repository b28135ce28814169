/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - rows of audit_entries; they are only ever added. */
#include "service/store/audit.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/ids.h"
#include "common/json.h"
#include "common/timefmt.h"

dreamd_db_status dreamd_audit_note(dreamd_db *db, const dreamd_audit *audit, int64_t now_ms)
{
    unsigned char random[16];
    char entry_id[37];
    if (!dream_random(random, sizeof random))
        return DREAMD_DB_ERROR;
    dream_uuid7_text(now_ms, random, entry_id);
    return dreamd_db_run(
        db,
        "INSERT INTO audit_entries (platform_id, entry_id, at_ms, actor, action, detail_json) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        DREAMD_PARAMS(dreamd_text(audit->platform_id), dreamd_text(entry_id), dreamd_int(now_ms),
                      dreamd_text(audit->actor), dreamd_text(audit->action), dreamd_text(audit->detail_json)),
        NULL);
}

dreamd_db_status dreamd_audit_note_project(dreamd_db *db, const dreamd_audit_project *made, int64_t now_ms)
{
    const char *account_id = made->stripe_account_id;
    cJSON *detail = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(detail, "projectId", made->project->project_id)
                 && dream_json_set_string(detail, "publishableKey", made->project->publishable_key)
                 && dream_json_set_int(detail, "tiers", (int64_t)made->tier_count)
                 && (!account_id || dream_json_set_string(detail, "stripeAccount", account_id));
    char *text = is_ok ? dream_json_print(detail) : NULL;
    const dreamd_audit audit = { made->project->platform_id, made->actor, made->action, text };
    dreamd_db_status status = text ? dreamd_audit_note(db, &audit, now_ms) : DREAMD_DB_NOMEM;
    free(text);
    cJSON_Delete(detail);
    return status;
}

static bool tell(const dreamd_rows *rows, dreamd_audit_line *line, void *context)
{
    char at[25];
    const char *detail = dreamd_rows_text(rows, 4);
    cJSON *json = cJSON_CreateObject();
    dream_iso_text(dreamd_rows_int(rows, 0), at);
    bool is_ok = dream_json_set_string(json, "at", at)
                 && dream_json_set_string(json, "platformId", dreamd_rows_text(rows, 1))
                 && dream_json_set_string(json, "actor", dreamd_rows_text(rows, 2))
                 && dream_json_set_string(json, "action", dreamd_rows_text(rows, 3))
                 && dream_json_set(json, "detail", cJSON_Parse(detail));
    char *text = is_ok ? dream_json_print(json) : NULL;
    bool is_told = text && line(context, text);
    free(text);
    cJSON_Delete(json);
    return is_told;
}

dreamd_db_status dreamd_audit_list(dreamd_db *db, const char *platform_id, int64_t most, dreamd_audit_line *line,
                                   void *context)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status =
        dreamd_db_query(db,
                        "SELECT * FROM (SELECT at_ms, platform_id, actor, action, detail_json, entry_id FROM "
                        "audit_entries WHERE $1 IS NULL OR platform_id = $1 ORDER BY at_ms DESC, entry_id DESC "
                        "LIMIT $2) newest ORDER BY at_ms, entry_id",
                        DREAMD_PARAMS(dreamd_text(platform_id), dreamd_int(most)), &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW)
        status = tell(rows, line, context) ? DREAMD_DB_OK : DREAMD_DB_NOMEM;
    dreamd_rows_finish(rows);
    return status;
}
