/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - between a request's Idempotency-Key and the store's memory of it. Store work here may run twice, so it only ever
 * overwrites the call's claim. */
#include "service/api/replay.h"

#include <string.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/json.h"

bool dreamd_idempotency_key_is_valid(const char *key)
{
    size_t size = strlen(key);

    if (size < 1 || size > DREAMD_MAX_IDEMPOTENCY_KEY)
        return false;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)key[i] < 0x20 || (unsigned char)key[i] > 0x7e)
            return false;
    }
    return true;
}

/* A plain hash of a password among known fields would let a thief of the database try passwords against it. Others stay plain, so that
 * their retries outlive a change of the master key. */
static bool blind_password(const dreamd_call *call, dream_buffer *whole)
{
    static const char field[] = "\"password\"";
    unsigned char mac[DREAM_SHA256_SIZE];

    if (!memmem(whole->data, whole->size, field, sizeof field - 1))
        return true;
    bool is_done = dream_hmac_sha256(call->service->settings->master_key, sizeof call->service->settings->master_key,
                                     whole->data, whole->size, mac);
    dream_buffer_clear(whole);
    dream_buffer_append(whole, mac, sizeof mac);
    return is_done;
}

/* Body and, if a token named one, user: another user's repeat is another request, never a look at this one's answer. */
static bool hash_request(dreamd_call *call)
{
    dream_buffer whole = DREAM_BUFFER_INIT;
    size_t size = 0;
    const void *body = dreamd_request_body(call->request, &size);
    bool is_ok = false;

    whole.is_secret = true;
    if (call->claims)
        dream_buffer_text(&whole, call->claims->user_id);
    dream_buffer_char(&whole, '\n');
    if (size > 0)
        dream_buffer_append(&whole, body, size);
    is_ok = !whole.is_failed && blind_password(call, &whole) && !whole.is_failed
            && dreamd_request_hash(dreamd_request_method(call->request), dreamd_request_path(call->request), whole.data,
                                   whole.size, call->request_hash);
    dream_buffer_clear(&whole);
    return is_ok;
}

bool dreamd_replay_read_key(dreamd_call *call)
{
    const char *key = dreamd_request_header(call->request, "Idempotency-Key");

    if (!key || !(call->route->flags & DREAMD_ROUTE_IDEMPOTENT))
        return true;
    if (!dreamd_idempotency_key_is_valid(key)) {
        dreamd_call_set_error(call, 400, "Invalid Idempotency-Key", "It must be 1 to 255 printable ASCII characters");
        return false;
    }
    if (!hash_request(call)) {
        dreamd_call_set_error(call, 500, "Internal error", "Out of memory");
        return false;
    }
    call->key = dream_arena_strdup(call->arena, key);
    if (!call->key)
        dreamd_call_set_error(call, 500, "Internal error", "Out of memory");
    return call->key != NULL;
}

static dreamd_idempotency_scope scope_of(const dreamd_call *call)
{
    return (dreamd_idempotency_scope){ &call->project, dreamd_request_path(call->request), call->key };
}

dreamd_db_status dreamd_replay_claim(dreamd_db *db, dreamd_call *call)
{
    dreamd_idempotency_scope scope;

    if (!call->key)
        return DREAMD_DB_OK;
    scope = scope_of(call);
    return dreamd_idempotency_claim(db, &scope, call->request_hash, call->now_ms, call->arena, &call->claim);
}

bool dreamd_replay_is_fresh(const dreamd_call *call)
{
    return !call->key || call->claim.outcome == DREAMD_IDEMPOTENCY_FRESH;
}

dreamd_db_status dreamd_replay_finish(dreamd_db *db, dreamd_call *call)
{
    dreamd_idempotency_scope scope;

    if (!call->key || call->claim.outcome != DREAMD_IDEMPOTENCY_FRESH)
        return DREAMD_DB_OK;
    scope = scope_of(call);
    if (!call->text)
        return dreamd_idempotency_release(db, &scope, call->claim.claim_id);
    return dreamd_idempotency_finish(db, &scope, call->claim.claim_id, (int)call->status, call->content_type,
                                     call->text, strlen(call->text));
}

static void set_in_flight(dreamd_call *call)
{
    dreamd_call_set_error(call, 409, "Request in progress",
                          "A request with this Idempotency-Key is still being worked on; try again");
    call->retry_after_s = (call->claim.retry_after_ms + 999) / 1000;
    if (call->retry_after_s < 1)
        call->retry_after_s = 1;
}

void dreamd_replay_set_answer(dreamd_call *call)
{
    switch (call->claim.outcome) {
    case DREAMD_IDEMPOTENCY_REPLAY:
        call->status = (unsigned)call->claim.status;
        call->content_type = call->claim.content_type ? call->claim.content_type : DREAMD_JSON_TYPE;
        call->text = call->claim.body;
        call->retry_after_s = 0;
        call->is_replayed = true;
        break;
    case DREAMD_IDEMPOTENCY_MISMATCH:
        dreamd_call_set_error(call, 422, "Idempotency key reused",
                              "This Idempotency-Key was used before, with another request");
        break;
    case DREAMD_IDEMPOTENCY_IN_FLIGHT:
    case DREAMD_IDEMPOTENCY_FRESH:
        set_in_flight(call);
        break;
    }
}

bool dreamd_replay_upstream_key(const dreamd_call *call, char out[65])
{
    dream_buffer whole = DREAM_BUFFER_INIT;
    bool is_ok = false;

    if (!call->key)
        return false;
    dream_buffer_printf(&whole, "%s\n%s\n%s", call->project.project_id, dreamd_request_path(call->request), call->key);
    is_ok = !whole.is_failed && dream_sha256_hex(whole.data, whole.size, out);
    dream_buffer_clear(&whole);
    return is_ok;
}
