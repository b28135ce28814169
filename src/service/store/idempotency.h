/* SPDX-License-Identifier: Apache-2.0 */
/* idempotency.h - a request repeated with its Idempotency-Key gets its first answer again, and is done once.
 *
 * A request claims its key, then finishes it with the answer. Where charge and answer must stand or fall together, claim, charge and
 * finish run in one piece of work. A claim that is never finished (a crash) expires. Answers that a retry may better (5xx,
 * 409, 429) are not kept: the key is free again. Rows a day old are removed, a few at each claim.
 * The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_IDEMPOTENCY_H
#define DREAMD_SERVICE_STORE_IDEMPOTENCY_H

#include <stddef.h>

#include "common/arena.h"
#include "net/db.h"
#include "service/store/model.h"

enum {
    DREAMD_IDEMPOTENCY_CLAIM_MS = 30000,   /* longer than any handler waits for its providers */
    DREAMD_IDEMPOTENCY_KEEP_MS = 86400000, /* how long an answer is given again */
    DREAMD_REQUEST_HASH_SIZE = 65,
    DREAMD_CLAIM_ID_SIZE = 33
};

/* SHA-256 over method, path and body, in hex. */
bool dreamd_request_hash(const char *method, const char *path, const void *body, size_t size,
                         char out[DREAMD_REQUEST_HASH_SIZE]);

typedef struct dreamd_idempotency_scope {
    const dreamd_project *project;
    const char *path;
    const char *key; /* as the client sent it */
} dreamd_idempotency_scope;

typedef enum dreamd_idempotency_outcome {
    DREAMD_IDEMPOTENCY_FRESH,    /* claimed: do it, then finish or release with claim_id */
    DREAMD_IDEMPOTENCY_REPLAY,   /* status, content_type and body are the first answer */
    DREAMD_IDEMPOTENCY_MISMATCH, /* the key was used for another request: 422 */
    DREAMD_IDEMPOTENCY_IN_FLIGHT /* 409, with retry_after_ms */
} dreamd_idempotency_outcome;

typedef struct dreamd_idempotency_claim_result {
    dreamd_idempotency_outcome outcome;
    char claim_id[DREAMD_CLAIM_ID_SIZE];
    int64_t retry_after_ms;
    int status;
    const char *content_type; /* in the arena */
    const char *body;         /* in the arena; NUL-terminated beyond its size */
    size_t body_size;
} dreamd_idempotency_claim_result;

dreamd_db_status dreamd_idempotency_claim(dreamd_db *db, const dreamd_idempotency_scope *scope,
                                          const char request_hash[DREAMD_REQUEST_HASH_SIZE], int64_t now_ms,
                                          dream_arena *arena, dreamd_idempotency_claim_result *out);
/* Keeps the answer, or frees the key if `status` is 5xx, 409 or 429. Does nothing when the claim expired and is another's now. */
dreamd_db_status dreamd_idempotency_finish(dreamd_db *db, const dreamd_idempotency_scope *scope, const char *claim_id,
                                           int status, const char *content_type, const void *body, size_t size);
/* Frees the key: the request came to nothing. */
dreamd_db_status dreamd_idempotency_release(dreamd_db *db, const dreamd_idempotency_scope *scope, const char *claim_id);

#endif
