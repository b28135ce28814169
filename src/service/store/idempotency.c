/* SPDX-License-Identifier: Apache-2.0 */
/* idempotency.c - rows of idempotency_keys: a claim (claimed_until_ms is set) or an answer (it is NULL).
 * Claiming is one conditional upsert, so of two requests with the same key one gets it. Finishing names the claim, so a request
 * that outlived its claim cannot overwrite its successor's answer. */
#include "service/store/idempotency.h"

#include <string.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/ids.h"
#include "service/store/row.h"

enum {
    RETRY_MS = 1000,  /* handlers are done long before their claim ends */
    PRUNE_AT_ONCE = 4 /* more than one, so that a backlog shrinks; few, so that no request waits for it */
};

bool dreamd_request_hash(const char *method, const char *path, const void *body, size_t size,
                         char out[DREAMD_REQUEST_HASH_SIZE])
{
    /* The body enters as its own hash: no copy, and no way to move bytes from one part into the next, as neither method nor path
     * holds a line feed. */
    char body_hash[2 * DREAM_SHA256_SIZE + 1];
    dream_buffer text = DREAM_BUFFER_INIT;
    bool is_done = dream_sha256_hex(body ? body : "", body ? size : 0, body_hash);
    dream_buffer_printf(&text, "%s\n%s\n%s", method, path, body_hash);
    is_done = is_done && !text.is_failed && dream_sha256_hex(text.data, text.size, out);
    dream_buffer_clear(&text);
    return is_done;
}

/* Removes the oldest row if it is past keeping. Found first, then removed by its key: nearly always there is none, and a DELETE with
 * a sub-select costs SQLite a table of its own each time. */
static dreamd_db_status prune_one(dreamd_db *db, int64_t now_ms, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT platform_id, project_id, path, idempotency_key FROM idempotency_keys WHERE created_at_ms <= $1 "
        "ORDER BY created_at_ms LIMIT 1",
        DREAMD_PARAMS(dreamd_int(now_ms - DREAMD_IDEMPOTENCY_KEEP_MS)), &rows);
    *out_found = rows != NULL;
    if (rows)
        status =
            dreamd_db_run(db,
                          "DELETE FROM idempotency_keys WHERE platform_id = $1 AND project_id = $2 AND path = $3 "
                          "AND idempotency_key = $4",
                          DREAMD_PARAMS(dreamd_text(dreamd_rows_text(rows, 0)), dreamd_text(dreamd_rows_text(rows, 1)),
                                        dreamd_text(dreamd_rows_text(rows, 2)), dreamd_text(dreamd_rows_text(rows, 3))),
                          NULL);
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status prune(dreamd_db *db, int64_t now_ms)
{
    dreamd_db_status status = DREAMD_DB_OK;
    bool is_found = true;
    for (int i = 0; i < PRUNE_AT_ONCE && is_found && status == DREAMD_DB_OK; i++)
        status = prune_one(db, now_ms, &is_found);
    return status;
}

/* Ours if the key is free, its claim is over, or its answer too old to be given again. */
static dreamd_db_status try_claim(dreamd_db *db, const dreamd_idempotency_scope *scope, const char *request_hash,
                                  int64_t now_ms, const char *claim_id, bool *out_is_ours)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO idempotency_keys (platform_id, project_id, path, idempotency_key, request_hash, claim_id, "
        "claimed_until_ms, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (platform_id, project_id, path, idempotency_key) DO UPDATE SET "
        "request_hash = excluded.request_hash, claim_id = excluded.claim_id, "
        "claimed_until_ms = excluded.claimed_until_ms, created_at_ms = excluded.created_at_ms, "
        "status = NULL, content_type = NULL, body = NULL "
        "WHERE idempotency_keys.claimed_until_ms <= $8 OR idempotency_keys.created_at_ms <= $9",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(scope->path), dreamd_text(scope->key), dreamd_text(request_hash),
                      dreamd_text(claim_id), dreamd_int(now_ms + DREAMD_IDEMPOTENCY_CLAIM_MS), dreamd_int(now_ms),
                      dreamd_int(now_ms - DREAMD_IDEMPOTENCY_KEEP_MS)),
        &changed);
    *out_is_ours = changed > 0;
    return status;
}

static bool copy_answer(const dreamd_rows *rows, dream_arena *arena, dreamd_idempotency_claim_result *out)
{
    const void *body = dreamd_rows_blob(rows, 4, &out->body_size);
    char *copy = dream_arena_alloc(arena, out->body_size + 1); /* zeroed, so it ends in a NUL */
    if (copy && out->body_size > 0)
        memcpy(copy, body, out->body_size);
    out->body = copy;
    out->status = (int)dreamd_rows_int(rows, 2);
    return copy && dreamd_row_dup(rows, 3, arena, &out->content_type);
}

static dreamd_db_status tell_holder(dreamd_db *db, const dreamd_idempotency_scope *scope, const char *request_hash,
                                    int64_t now_ms, dream_arena *arena, dreamd_idempotency_claim_result *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status =
        dreamd_row_one(db,
                       "SELECT request_hash, claimed_until_ms, status, content_type, body FROM idempotency_keys WHERE "
                       "platform_id = $1 AND project_id = $2 AND path = $3 AND idempotency_key = $4",
                       DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                                     dreamd_text(scope->path), dreamd_text(scope->key)),
                       &rows);
    if (!rows) /* it was there a moment ago, in this transaction */
        return status == DREAMD_DB_OK ? DREAMD_DB_BUSY : status;
    if (strcmp(dreamd_rows_text(rows, 0), request_hash) != 0) {
        out->outcome = DREAMD_IDEMPOTENCY_MISMATCH;
    } else if (!dreamd_rows_is_null(rows, 1)) {
        int64_t left_ms = dreamd_rows_int(rows, 1) - now_ms;
        out->outcome = DREAMD_IDEMPOTENCY_IN_FLIGHT;
        out->retry_after_ms = left_ms < RETRY_MS ? left_ms : RETRY_MS;
    } else {
        out->outcome = DREAMD_IDEMPOTENCY_REPLAY;
        status = copy_answer(rows, arena, out) ? DREAMD_DB_OK : DREAMD_DB_NOMEM;
    }
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_idempotency_claim(dreamd_db *db, const dreamd_idempotency_scope *scope,
                                          const char request_hash[DREAMD_REQUEST_HASH_SIZE], int64_t now_ms,
                                          dream_arena *arena, dreamd_idempotency_claim_result *out)
{
    bool is_ours = false;
    *out = (dreamd_idempotency_claim_result){ .outcome = DREAMD_IDEMPOTENCY_FRESH };
    if (!dream_random_id("", (DREAMD_CLAIM_ID_SIZE - 1) / 2, out->claim_id))
        return DREAMD_DB_ERROR;
    dreamd_db_status status = try_claim(db, scope, request_hash, now_ms, out->claim_id, &is_ours);
    if (status != DREAMD_DB_OK)
        return status;
    if (is_ours)
        return prune(db, now_ms);
    out->claim_id[0] = '\0';
    return tell_holder(db, scope, request_hash, now_ms, arena, out);
}

static bool is_kept(int status)
{
    return status < 500 && status != 409 && status != 429;
}

dreamd_db_status dreamd_idempotency_finish(dreamd_db *db, const dreamd_idempotency_scope *scope, const char *claim_id,
                                           int status, const char *content_type, const void *body, size_t size)
{
    if (!is_kept(status))
        return dreamd_idempotency_release(db, scope, claim_id);
    return dreamd_db_run(
        db,
        "UPDATE idempotency_keys SET claimed_until_ms = NULL, status = $6, content_type = $7, body = $8 WHERE "
        "platform_id = $1 AND project_id = $2 AND path = $3 AND idempotency_key = $4 AND claim_id = $5 AND "
        "claimed_until_ms IS NOT NULL",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(scope->path), dreamd_text(scope->key), dreamd_text(claim_id), dreamd_int(status),
                      dreamd_text(content_type), dreamd_blob(body, size)),
        NULL);
}

dreamd_db_status dreamd_idempotency_release(dreamd_db *db, const dreamd_idempotency_scope *scope, const char *claim_id)
{
    return dreamd_db_run(
        db,
        "DELETE FROM idempotency_keys WHERE platform_id = $1 AND project_id = $2 AND path = $3 AND "
        "idempotency_key = $4 AND claim_id = $5 AND claimed_until_ms IS NOT NULL",
        DREAMD_PARAMS(dreamd_text(scope->project->platform_id), dreamd_text(scope->project->project_id),
                      dreamd_text(scope->path), dreamd_text(scope->key), dreamd_text(claim_id)),
        NULL);
}
