/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - one request to one of the six servers, from route to answer; what Clerk's and Stripe's sides have in common.
 *
 * A handler reads `params`, works inside `tx` and answers once: the first answer counts, later ones are dropped, so that a
 * parameter reader may refuse and the handler just returns. An error answer undoes the transaction. JSON made or read through
 * a call is kept by it (sandbox_keep) and borrowed by everyone else until the call ends: put one tree into another with
 * sandbox_embed, which copies. Memory running out marks the call, and it ends as a failure. */
#ifndef SANDBOX_CALL_H
#define SANDBOX_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buffer.h"
#include "common/json.h"
#include "net/http_server.h"
#include "sandbox/deliver.h"
#include "sandbox/sandbox.h"
#include "sandbox/store.h"

/* One of the six servers. Immutable once started. */
typedef struct sandbox_instance {
    enum sandbox_service service;
    enum sandbox_mode mode;
    sandbox_store *store;
    sandbox_deliver *deliver;
    sandbox_identity identity;
    char url[64];
} sandbox_instance;

typedef struct sandbox_call sandbox_call;
typedef void sandbox_handler(sandbox_call *call);

typedef enum sandbox_access {
    SANDBOX_READ,
    SANDBOX_WRITE,
    SANDBOX_NO_TX /* the handler opens its own transactions, because it has slow work to do outside them */
} sandbox_access;

typedef struct sandbox_route {
    const char *method;
    const char *path; /* "/v1/customers/:id"; the first two names become call->id and call->sub */
    sandbox_access access;
    sandbox_handler *handler;
    const char *params;  /* the names it takes, each followed by a blank; NULL: any */
    const void *subject; /* what a handler that serves several kinds of object works on */
} sandbox_route;

typedef struct sandbox_kept sandbox_kept;

struct sandbox_call {
    const sandbox_instance *instance;
    dreamd_request *request;
    dream_arena *arena; /* dies with the call */
    sandbox_tx *tx;
    const sandbox_route *route;
    const char *id; /* path parameters, decoded; NULL if the route has none */
    const char *sub;
    const cJSON *params; /* what came in body and query, an object */
    sandbox_scope scope; /* whose documents */
    int64_t now_ms;
    int64_t now_s;
    unsigned status; /* 0: not answered yet */
    const char *content_type;
    dream_buffer body;
    sandbox_kept *kept;
    bool is_nomem;
};

/* False when out of memory; clear in any case. */
bool sandbox_call_init(sandbox_call *call, const sandbox_instance *instance, dreamd_request *request);
/* Sends what was answered and releases everything but the request. */
void sandbox_call_finish(sandbox_call *call);

/* The route of method and path, its path parameters set in `call`; NULL if none. `out_other_method` tells that the path
 * exists under another method. */
const sandbox_route *sandbox_route_find(sandbox_call *call, const sandbox_route *routes, size_t count,
                                        bool *out_other_method);
/* Whether `name` is in a list of names each followed by a blank. */
bool sandbox_is_named(const char *names, const char *name);
/* Opens the route's transaction, calls `handler`, commits what it answered with 2xx or 3xx, undoes anything else.
 * Anything but SANDBOX_STORE_OK: no answer is set and nothing was changed. */
sandbox_store_status sandbox_call_run(sandbox_call *call, sandbox_handler *handler);

/* Takes `json` (NULL is out of memory) and gives it back, borrowed; NULL when out of memory. */
cJSON *sandbox_keep(sandbox_call *call, cJSON *json);
/* A new tree from a text of ours: the shape of an object is written as the JSON it is. */
cJSON *sandbox_skeleton(sandbox_call *call, const char *text);
cJSON *sandbox_copy(sandbox_call *call, const cJSON *json);
/* Setters that mark the call when out of memory. `json` is copied. */
void sandbox_embed(sandbox_call *call, cJSON *object, const char *name, const cJSON *json);
void sandbox_append(sandbox_call *call, cJSON *array, const cJSON *json);
void sandbox_set_text(sandbox_call *call, cJSON *object, const char *name, const char *text); /* NULL: null */
void sandbox_set_int(sandbox_call *call, cJSON *object, const char *name, int64_t value);
void sandbox_set_bool(sandbox_call *call, cJSON *object, const char *name, bool value);
/* The member, to be changed in place; `object` is kept by the call. */
cJSON *sandbox_member(cJSON *object, const char *name);
char *sandbox_printf(sandbox_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An identifier in the call's arena. */
const char *sandbox_new_id(sandbox_call *call, const char *prefix, size_t size);

/* Documents in the call's own scope; read ones are kept by the call. */
cJSON *sandbox_read(sandbox_call *call, const char *kind, const char *id);
bool sandbox_insert(sandbox_call *call, const sandbox_doc *doc, const cJSON *json);
bool sandbox_update(sandbox_call *call, const sandbox_doc *doc, const cJSON *json);

void sandbox_answer_json(sandbox_call *call, unsigned status, const cJSON *json);
/* Takes the text's storage. */
void sandbox_answer_text(sandbox_call *call, unsigned status, const char *content_type, dream_buffer *text);

bool sandbox_is_email(const char *text);
/* Lower case, in the call's arena: addresses are compared in any letter case. */
const char *sandbox_lower(sandbox_call *call, const char *text);

#endif
