/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - one request on its way through the API: who asks, for whom, and how it is answered.
 *
 * A call is worked on by one thread at a time and passed on from step to step (store, provider, next step); each path leads
 * to exactly one dreamd_call_send (or dreamd_call_admit). Its memory is the request's arena. Answers are prepared first (also within a piece of
 * store work, so that charge and remembered answer commit together) and sent last. */
#ifndef DREAMD_API_CALL_H
#define DREAMD_API_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/json.h"
#include "common/token.h"
#include "net/http_server.h"
#include "service/api/lanes.h"
#include "service/api/route.h"
#include "service/context.h"
#include "service/provider/upstream.h"
#include "service/store/idempotency.h"
#include "service/store/model.h"
#include "service/store/usage.h"

enum {
    DREAMD_MAX_EMAIL = 320,
    DREAMD_MAX_NAME = 256,
    DREAMD_MAX_PLAN = 64,
    DREAMD_MAX_USER_ID = 128,
    DREAMD_MAX_PASSWORD = 256,
    DREAMD_MAX_URL = 2048,
    DREAMD_UPSTREAM_RETRY_S = 5, /* Retry-After of a 502 where the provider named none */
    DREAMD_UPSTREAM_MAX_RETRY_S = 3600
};

#define DREAMD_JSON_TYPE "application/json"
#define DREAMD_WEBHOOK_TYPE "text/plain;charset=UTF-8"

typedef enum dreamd_body {
    DREAMD_BODY_UNREAD = 0,
    DREAMD_BODY_ABSENT,
    DREAMD_BODY_OBJECT,
    DREAMD_BODY_MALFORMED
} dreamd_body;

typedef void dreamd_step(dreamd_call *call);

struct dreamd_call {
    dreamd_context *service;
    dreamd_request *request;
    dream_arena *arena;
    int64_t now_ms;            /* wall time of arrival */
    const dreamd_route *route; /* NULL until found */
    const char *tail;          /* what the route's "*" stands for, decoded; else NULL */

    /* Who asks: auth.c. */
    bool has_secret_key;
    dreamd_project project;  /* whose data is meant */
    bool is_selection_empty; /* the key may ask, but the project it selected is out of its sight */

    /* For whom: user.c. Both NULL or zero on routes without a user. */
    const char *user_id;
    dream_claims *claims; /* owned until the answer; NULL without a token */
    bool is_server_side;  /* named by the developer's backend, not by a token */

    dreamd_body body_state;
    cJSON *body; /* owned until the answer; an object, or NULL */

    /* The Idempotency-Key: replay.c. */
    const char *key; /* NULL: none */
    char request_hash[DREAMD_REQUEST_HASH_SIZE];
    dreamd_idempotency_claim_result claim;
    bool has_claim; /* ours to finish */

    /* The answer. */
    unsigned status;
    const char *text; /* in the arena; NULL when there was no memory for it */
    const char *content_type;
    int64_t retry_after_s; /* 0: no header */
    bool is_replayed;

    dreamd_lanes *lanes; /* not NULL: `place` is to be left after the answer */
    dreamd_lane_place place;
    dreamd_step *then; /* the step after the one under way */
    void *state;       /* the handler's own, in the arena */
};

/* NULL when out of memory: the request has then been answered. */
dreamd_call *dreamd_call_new(dreamd_context *service, dreamd_request *request);

/* Prepares the answer; `body` is taken and may be NULL (out of memory). */
void dreamd_call_set(dreamd_call *call, unsigned status, cJSON *body);
/* {"error": error, "message": message}; `message` may be NULL. */
void dreamd_call_set_error(dreamd_call *call, unsigned status, const char *error, const char *message);
/* The call is over: keeps or frees a claimed idempotency key, then answers. The call must not be touched after. */
void dreamd_call_send(dreamd_call *call);
/* In place of an answer, for a call that only asked whether the rest of the body may come. */
void dreamd_call_admit(dreamd_call *call);
/* The common endings: set, then send. */
void dreamd_call_answer(dreamd_call *call, unsigned status, cJSON *body);
void dreamd_call_refuse(dreamd_call *call, unsigned status, const char *error, const char *message);
/* A piece of store work failed. */
void dreamd_call_refuse_store(dreamd_call *call, dreamd_db_status status);
/* A provider could not be asked: 502 with Retry-After. `error` NULL: the provider's message stands alone. */
void dreamd_call_refuse_upstream(dreamd_call *call, const dreamd_upstream_answer *answer, const char *error);

/* Store work on behalf of the call: its own `arg` is the call. `then` runs if it succeeded, else the call is refused. */
void dreamd_call_read(dreamd_call *call, dreamd_work *work, dreamd_step *then);
void dreamd_call_write(dreamd_call *call, dreamd_work *work, dreamd_step *then);

/* Parses the body once; blank counts as absent. */
dreamd_body dreamd_call_body(dreamd_call *call);
/* Reads a text field of the body, which must be an object. Absent, null and "" give NULL. False, with the call's answer
 * prepared (400), if it is no text or longer than `max` bytes; `error` is the answer's. */
bool dreamd_call_text(dreamd_call *call, const char *name, size_t max, const char *error, const char **out);

/* 1 to `max` bytes, none of them a control character. */
bool dreamd_is_printable(const char *text, size_t max);

/* Prepares a 429 that tells the wait in its body and in Retry-After. */
void dreamd_call_set_retry_later(dreamd_call *call, const char *error, const char *message, int64_t retry_after_s);
/* The usage request of the call's user, for the store. */
dreamd_usage_request dreamd_call_usage(const dreamd_call *call, int64_t units);
/* Prepares the answer to a use or check that did not get through; false for DREAMD_USAGE_OK. LIMIT is the handler's own. */
bool dreamd_call_set_usage_refusal(dreamd_call *call, const dreamd_usage_result *result);

#endif
