/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - preparing and sending answers, store work, and what handlers read from a body. Claiming idempotency keys is
 * replay.c; the order of a request's steps is router.c. */
#include "service/api/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/timefmt.h"
#include "net/log.h"
#include "service/api/replay.h"

static const char no_memory_text[] = "{\"error\":\"Out of memory\"}";

dreamd_call *dreamd_call_new(dreamd_context *service, dreamd_request *request)
{
    dream_arena *arena = dreamd_request_arena(request);
    dreamd_call *call = dream_arena_alloc(arena, sizeof *call);

    if (!call) {
        dreamd_request_answer(request, 500, DREAMD_JSON_TYPE, no_memory_text, sizeof no_memory_text - 1);
        return NULL;
    }
    call->service = service;
    call->request = request;
    call->arena = arena;
    call->now_ms = dream_wall_ms();
    call->content_type = DREAMD_JSON_TYPE;
    dreamd_context_enter(service);
    return call;
}

/* ---- answers ---- */

void dreamd_call_set(dreamd_call *call, unsigned status, cJSON *body)
{
    char *text = body ? dream_json_print(body) : NULL;

    cJSON_Delete(body);
    call->status = status;
    call->text = dream_arena_strdup(call->arena, text);
    call->retry_after_s = 0;
    call->is_replayed = false;
    free(text);
}

void dreamd_call_set_error(dreamd_call *call, unsigned status, const char *error, const char *message)
{
    cJSON *body = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(body, "error", error);

    if (message)
        is_ok = dream_json_set_string(body, "message", message) && is_ok;
    if (!is_ok) {
        cJSON_Delete(body);
        body = NULL;
    }
    dreamd_call_set(call, status, body);
}

static void send_now(dreamd_call *call)
{
    dreamd_context *service = call->service;
    dreamd_lanes *lanes = call->lanes;
    const char *text = call->text ? call->text : no_memory_text;
    unsigned status = call->text ? call->status : 500;
    char seconds[24];

    /* The place lives in the call: it must be left before the answer takes the memory away. */
    if (lanes)
        dreamd_lane_leave(lanes, &call->place);
    dream_claims_unref(call->claims);
    cJSON_Delete(call->body);
    if (call->retry_after_s > 0) {
        (void)snprintf(seconds, sizeof seconds, "%" PRId64, call->retry_after_s);
        (void)dreamd_request_set_header(call->request, "Retry-After", seconds);
    }
    if (call->is_replayed)
        (void)dreamd_request_set_header(call->request, "Idempotent-Replayed", "true");
    dreamd_request_answer(call->request, status, status == 204 ? NULL : call->content_type, text,
                          status == 204 ? 0 : strlen(text));
    dreamd_context_leave(service);
}

void dreamd_call_admit(dreamd_call *call)
{
    dreamd_context *service = call->service;

    dreamd_request_admit(call->request); /* the call may be gone with it */
    dreamd_context_leave(service);
}

static void on_claim_settled(void *arg, dreamd_db_status status)
{
    if (status != DREAMD_DB_OK)
        dreamd_log(DREAMD_LOG_WARN, "idempotency_key_not_settled", dreamd_log_int("store_status", status));
    /* The answer is true all the same; the claim runs out by itself. */
    send_now(arg);
}

static dreamd_db_status settle_claim(dreamd_db *db, void *arg)
{
    return dreamd_replay_finish(db, arg);
}

void dreamd_call_send(dreamd_call *call)
{
    if (call->has_claim)
        dreamd_store_write(call->service->store, settle_claim, on_claim_settled, call);
    else
        send_now(call);
}

void dreamd_call_answer(dreamd_call *call, unsigned status, cJSON *body)
{
    dreamd_call_set(call, status, body);
    dreamd_call_send(call);
}

void dreamd_call_refuse(dreamd_call *call, unsigned status, const char *error, const char *message)
{
    dreamd_call_set_error(call, status, error, message);
    dreamd_call_send(call);
}

void dreamd_call_refuse_store(dreamd_call *call, dreamd_db_status status)
{
    if (status == DREAMD_DB_BUSY) {
        dreamd_call_set_error(call, 503, "Service busy", "The database is busy; try again");
        call->retry_after_s = 1;
    } else if (status == DREAMD_DB_FULL) {
        dreamd_call_set_error(call, 503, "Service unavailable", "The database cannot be written");
        call->retry_after_s = DREAMD_UPSTREAM_RETRY_S;
    } else {
        dreamd_call_set_error(call, 500, "Internal error", "The database failed");
    }
    dreamd_call_send(call);
}

/* What the provider asked for, within reason. */
static int64_t upstream_retry_s(int64_t retry_after_ms)
{
    if (retry_after_ms < 0)
        return DREAMD_UPSTREAM_RETRY_S;
    if (retry_after_ms > DREAMD_UPSTREAM_MAX_RETRY_S * INT64_C(1000))
        return DREAMD_UPSTREAM_MAX_RETRY_S;
    return retry_after_ms < 1000 ? 1 : (retry_after_ms + 999) / 1000;
}

void dreamd_call_refuse_upstream(dreamd_call *call, const dreamd_upstream_answer *answer, const char *error)
{
    dreamd_call_set_error(call, 502, error ? error : answer->message, error ? answer->message : NULL);
    call->retry_after_s = upstream_retry_s(answer->retry_after_ms);
    dreamd_call_send(call);
}

/* ---- store work ---- */

static void on_work_done(void *arg, dreamd_db_status status)
{
    dreamd_call *call = arg;

    if (status == DREAMD_DB_OK)
        call->then(call);
    else
        dreamd_call_refuse_store(call, status);
}

void dreamd_call_read(dreamd_call *call, dreamd_work *work, dreamd_step *then)
{
    call->then = then;
    dreamd_store_read(call->service->store, work, on_work_done, call);
}

void dreamd_call_write(dreamd_call *call, dreamd_work *work, dreamd_step *then)
{
    call->then = then;
    dreamd_store_write(call->service->store, work, on_work_done, call);
}

/* ---- bodies ---- */

static bool is_blank(const char *text, size_t size)
{
    return strspn(text, " \t\r\n") == size;
}

dreamd_body dreamd_call_body(dreamd_call *call)
{
    size_t size = 0;
    const char *text = NULL;

    if (call->body_state != DREAMD_BODY_UNREAD)
        return call->body_state;
    text = dreamd_request_body(call->request, &size);
    if (!text || is_blank(text, size)) {
        call->body_state = DREAMD_BODY_ABSENT;
        return call->body_state;
    }
    call->body = dream_json_parse(text, size, NULL);
    call->body_state = cJSON_IsObject(call->body) ? DREAMD_BODY_OBJECT : DREAMD_BODY_MALFORMED;
    if (call->body_state == DREAMD_BODY_MALFORMED) {
        cJSON_Delete(call->body);
        call->body = NULL;
    }
    return call->body_state;
}

bool dreamd_call_text(dreamd_call *call, const char *name, size_t max, const char *error, const char **out)
{
    const cJSON *value = dream_json_get(call->body, name);
    char message[96];

    *out = NULL;
    if (!value || cJSON_IsNull(value))
        return true;
    if (!cJSON_IsString(value)) {
        (void)snprintf(message, sizeof message, "%s must be a string", name);
        dreamd_call_set_error(call, 400, error, message);
        return false;
    }
    if (strlen(value->valuestring) > max) {
        (void)snprintf(message, sizeof message, "%s must have at most %zu characters", name, max);
        dreamd_call_set_error(call, 400, error, message);
        return false;
    }
    if (value->valuestring[0] != '\0')
        *out = value->valuestring;
    return true;
}

bool dreamd_is_printable(const char *text, size_t max)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    }
    return size >= 1 && size <= max;
}

/* ---- users and their limits ---- */

dreamd_usage_request dreamd_call_usage(const dreamd_call *call, int64_t units)
{
    return (dreamd_usage_request){
        .project = &call->project,
        .user_id = call->user_id,
        .units = units,
        .token_plan = call->claims ? call->claims->plan : NULL,
        .email = call->claims ? call->claims->email : NULL,
        .now_ms = call->now_ms,
        .is_server_side = call->is_server_side,
    };
}

void dreamd_call_set_retry_later(dreamd_call *call, const char *error, const char *message, int64_t retry_after_s)
{
    cJSON *body = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(body, "error", error);

    is_ok = dream_json_set_string(body, "message", message) && is_ok;
    is_ok = dream_json_set_int(body, "retryAfter", retry_after_s) && is_ok;
    if (!is_ok) {
        cJSON_Delete(body);
        body = NULL;
    }
    dreamd_call_set(call, 429, body);
    call->retry_after_s = retry_after_s;
}

bool dreamd_call_set_usage_refusal(dreamd_call *call, const dreamd_usage_result *result)
{
    char message[80];

    switch (result->outcome) {
    case DREAMD_USAGE_RATE_LIMITED:
        (void)snprintf(message, sizeof message, "Maximum %" PRId64 " requests per minute", result->rate_limit);
        /* The contract names the whole window, not what is left of it. */
        dreamd_call_set_retry_later(call, "Rate limit exceeded", message, 60);
        return true;
    case DREAMD_USAGE_HELD:
        dreamd_call_set_retry_later(call, "Units are held", "The units that are left are lent out to meters; try again",
                                    result->retry_after_ms > 1000 ? (result->retry_after_ms + 999) / 1000 : 1);
        return true;
    case DREAMD_USAGE_RECOVERING:
        dreamd_call_set_error(call, 503, "Service recovering",
                              "The store was restored from a backup a moment ago; try again");
        call->retry_after_s = (result->retry_after_ms + 999) / 1000;
        return true;
    case DREAMD_USAGE_NO_CUSTOMER:
        dreamd_call_set_error(call, 404, "Customer not found", "No customer of this project has this userId");
        return true;
    case DREAMD_USAGE_DELETED:
        if (call->is_server_side)
            dreamd_call_set_error(call, 404, "Customer not found", "Customer was deleted");
        else
            dreamd_call_set_error(call, 401, "Invalid or missing end-user token",
                                  "The customer of this token was deleted");
        return true;
    case DREAMD_USAGE_OK:
    case DREAMD_USAGE_LIMIT:
    case DREAMD_USAGE_OUTSIDE: /* of events alone: usage_batch.c */
        break;
    }
    return false;
}
