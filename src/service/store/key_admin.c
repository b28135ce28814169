/* SPDX-License-Identifier: Apache-2.0 */
/* key_admin.c - finding a project by what an operator calls it, and changing and listing its keys. */
#include "service/store/key_admin.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/timefmt.h"
#include "service/store/audit.h"
#include "service/store/row.h"

#define FITS                                                                                                           \
    "($1 IS NULL OR p.name = $1) AND ($2 IS NULL OR EXISTS (SELECT 1 FROM publishable_key_routes r WHERE "             \
    "r.publishable_key = $2 AND r.platform_id = p.platform_id AND r.project_id = p.project_id)) AND "                  \
    "($3 IS NULL OR p.mode = $3)"

dreamd_db_status dreamd_project_select(dreamd_db *db, const dreamd_project_filter *filter, dreamd_project *out,
                                       int64_t *out_count)
{
    dreamd_rows *rows = NULL;
    *out_count = 0;
    *out = (dreamd_project){ .mode = DREAMD_LIVE };
    dreamd_db_status status = dreamd_db_query(
        db, "SELECT p.platform_id, p.project_id, p.mode, COALESCE($2, '') FROM projects p WHERE " FITS,
        DREAMD_PARAMS(dreamd_text(filter->name), dreamd_text(filter->publishable_key), dreamd_text(filter->mode)),
        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        bool fits = dreamd_row_text(rows, 0, out->platform_id, sizeof out->platform_id)
                    && dreamd_row_text(rows, 1, out->project_id, sizeof out->project_id)
                    && dreamd_mode_parse(dreamd_rows_text(rows, 2), &out->mode)
                    && dreamd_row_text(rows, 3, out->publishable_key, sizeof out->publishable_key);
        *out_count += 1;
        status = fits ? DREAMD_DB_OK : DREAMD_DB_CORRUPT;
    }
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_project_only_key(dreamd_db *db, dreamd_project *project, int64_t now_ms, int64_t *out_count)
{
    dreamd_rows *rows = NULL;
    *out_count = 0;
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT DISTINCT publishable_key FROM api_keys WHERE platform_id = $1 AND project_id = $2 AND status = "
        "'active' AND (expires_at_ms IS NULL OR expires_at_ms > $3) AND ($4 = '' OR publishable_key = $4)",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_int(now_ms),
                      dreamd_text(project->publishable_key)),
        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        *out_count += 1;
        status = dreamd_row_text(rows, 0, project->publishable_key, sizeof project->publishable_key)
                     ? DREAMD_DB_OK
                     : DREAMD_DB_CORRUPT;
    }
    dreamd_rows_finish(rows);
    return status;
}

/* ---- changes ---- */

/* What changed: NULL and negative values are left out. */
struct note {
    const char *platform_id, *project_id, *publishable_key, *key_id;
    int64_t overlap_ms;
};

static dreamd_db_status note_change(dreamd_db *db, const char *action, const struct note *note,
                                    const dreamd_key_change *change)
{
    cJSON *detail = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(detail, "projectId", note->project_id)
                 && dream_json_set_string(detail, "publishableKey", note->publishable_key)
                 && (!note->key_id || dream_json_set_string(detail, "keyId", note->key_id))
                 && (note->overlap_ms < 0 || dream_json_set_int(detail, "overlapMs", note->overlap_ms));
    char *text = is_ok ? dream_json_print(detail) : NULL;
    const dreamd_audit audit = { note->platform_id, change->actor, action, text };
    dreamd_db_status status = text ? dreamd_audit_note(db, &audit, change->now_ms) : DREAMD_DB_NOMEM;
    free(text);
    cJSON_Delete(detail);
    return status;
}

dreamd_db_status dreamd_key_create(dreamd_db *db, const dreamd_new_key *key, const dreamd_key_change *change,
                                   char out_key_id[DREAMD_KEY_ID_SIZE])
{
    const struct note note = { key->platform_id, key->project_id, key->publishable_key, out_key_id, -1 };
    dreamd_db_status status = dreamd_key_insert(db, key, change->now_ms, out_key_id);
    return status == DREAMD_DB_OK ? note_change(db, "key create", &note, change) : status;
}

dreamd_db_status dreamd_key_rotate(dreamd_db *db, const dreamd_new_key *key, int64_t overlap_ms,
                                   const dreamd_key_change *change, char out_key_id[DREAMD_KEY_ID_SIZE])
{
    const struct note note = { key->platform_id, key->project_id, key->publishable_key, out_key_id, overlap_ms };
    /* The old ones first: the new one must not get their end. */
    dreamd_db_status status =
        dreamd_key_expire(db, key->platform_id, key->publishable_key, change->now_ms + overlap_ms);
    if (status == DREAMD_DB_OK)
        status = dreamd_key_insert(db, key, change->now_ms, out_key_id);
    return status == DREAMD_DB_OK ? note_change(db, "key rotate", &note, change) : status;
}

dreamd_db_status dreamd_key_withdraw(dreamd_db *db, const dreamd_project *project, const char *key_id,
                                     const dreamd_key_change *change, bool *out_found)
{
    const struct note note = { project->platform_id, project->project_id, project->publishable_key, key_id, -1 };
    dreamd_db_status status =
        dreamd_key_revoke(db, project->platform_id, project->publishable_key, key_id, change->now_ms, out_found);
    return status == DREAMD_DB_OK && *out_found ? note_change(db, "key revoke", &note, change) : status;
}

/* ---- the list ---- */

static bool set_time(cJSON *json, const char *name, const dreamd_rows *rows, int column)
{
    char text[25];
    if (dreamd_rows_is_null(rows, column))
        return dream_json_set_null(json, name);
    dream_iso_text(dreamd_rows_int(rows, column), text);
    return dream_json_set_string(json, name, text);
}

static bool tell(const dreamd_rows *rows, dreamd_key_line *line, void *context)
{
    static const char *const texts[] = { "keyId", "publishableKey", "platformId", "project", "mode", "state" };
    static const char *const times[] = { "createdAt", "lastUsedAt", "expiresAt", "revokedAt" };
    enum { TEXTS = sizeof texts / sizeof texts[0], TIMES = sizeof times / sizeof times[0] };
    cJSON *json = cJSON_CreateObject();
    bool is_ok = json != NULL;
    for (int i = 0; is_ok && i < TEXTS; i++)
        is_ok = dream_json_set_string(json, texts[i], dreamd_rows_text(rows, i));
    for (int i = 0; is_ok && i < TIMES; i++)
        is_ok = set_time(json, times[i], rows, TEXTS + i);
    char *text = is_ok ? dream_json_print(json) : NULL;
    bool is_told = text && line(context, text);
    free(text);
    cJSON_Delete(json);
    return is_told;
}

dreamd_db_status dreamd_key_list(dreamd_db *db, const dreamd_project_filter *filter, int64_t now_ms,
                                 dreamd_key_line *line, void *context)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT k.key_id, k.publishable_key, k.platform_id, p.name, p.mode, CASE WHEN k.status = 'active' AND "
        "k.expires_at_ms <= $4 THEN 'expired' ELSE k.status END, k.created_at_ms, k.last_used_at_ms, "
        "k.expires_at_ms, k.revoked_at_ms FROM api_keys k JOIN projects p ON p.platform_id = k.platform_id AND "
        "p.project_id = k.project_id WHERE " FITS " AND ($2 IS NULL OR k.publishable_key = $2) ORDER BY "
        "k.created_at_ms, k.publishable_key, k.key_id",
        DREAMD_PARAMS(dreamd_text(filter->name), dreamd_text(filter->publishable_key), dreamd_text(filter->mode),
                      dreamd_int(now_ms)),
        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW)
        status = tell(rows, line, context) ? DREAMD_DB_OK : DREAMD_DB_NOMEM;
    dreamd_rows_finish(rows);
    return status;
}
