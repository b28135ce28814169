/* SPDX-License-Identifier: Apache-2.0 */
/* router.c - the order of a request's steps: CORS and OPTIONS, health, webhooks, files, the key (auth.c), the endpoint, a query that
 * can be read, the end user (user.c), the idempotency key (replay.c), the handler. The rate comes with the handlers' first
 * store work, so that it and what it guards commit together. Missing settings do not get here: a provider that is not
 * configured answers 502. */
#include "service/api/router.h"

#include <string.h>

#include "common/buffer.h"
#include "common/encoding.h"
#include "service/api/auth.h"
#include "service/api/cors.h"
#include "service/api/handlers.h"
#include "service/api/replay.h"
#include "service/api/route.h"
#include "service/api/user.h"

static void run_handler(dreamd_call *call)
{
    if (dreamd_replay_read_key(call))
        call->route->handler(call);
    else
        dreamd_call_send(call);
}

/* No text that is kept or passed on is anything but UTF-8. */
static bool accept_query(void *context, const char *name, const char *value)
{
    (void)context;
    return dream_utf8_is_valid(name) && dream_utf8_is_valid(value);
}

/* A pair that cannot be decoded would else count as absent, and the request as another one. */
static bool is_query_readable(dreamd_call *call)
{
    return dreamd_request_each_query(call->request, accept_query, NULL);
}

static void on_authenticated(dreamd_call *call)
{
    if (!call->route)
        dreamd_call_refuse(call, 404, "Not found", NULL);
    else if (call->tail && !dream_utf8_is_valid(call->tail))
        dreamd_call_refuse(call, 400, "Invalid path", "A part of the path is not UTF-8");
    else if (!is_query_readable(call))
        dreamd_call_refuse(call, 400, "Invalid query", "A part of the query cannot be decoded");
    else if (call->route->flags & (DREAMD_ROUTE_USER | DREAMD_ROUTE_NAMED_USER))
        dreamd_user(call, run_handler);
    else
        run_handler(call);
}

/* A tail that does not decode, or to something no id can be, is another path: no endpoint. */
static const char *decode_tail(dreamd_call *call, const char *tail)
{
    dream_buffer decoded = DREAM_BUFFER_INIT;
    const char *copy = NULL;

    if (dream_percent_decode(&decoded, tail, strlen(tail), false) && decoded.size > 0
        && decoded.size <= DREAMD_MAX_USER_ID && !strchr(decoded.data, '/'))
        copy = dream_arena_strdup(call->arena, decoded.data);
    dream_buffer_clear(&decoded);
    return copy;
}

static void find_route(dreamd_call *call)
{
    const char *tail = NULL;
    const dreamd_route *route =
        dreamd_route_find(dreamd_request_method(call->request), dreamd_request_path(call->request), &tail);

    if (tail)
        call->tail = decode_tail(call, tail);
    call->route = tail && !call->tail ? NULL : route;
    dreamd_request_set_route(call->request, call->route ? call->route->name : "other");
}

/* The key is looked at again when the body is there, as it may have been revoked meanwhile. */
void dreamd_api_admit(void *context, dreamd_request *request)
{
    dreamd_call *call = dreamd_call_new(context, request);

    if (!call)
        return;
    dreamd_cors_set(request);
    find_route(call);
    dreamd_auth(call, dreamd_call_admit);
}

void dreamd_api_handle(void *context, dreamd_request *request)
{
    const char *method = dreamd_request_method(request);
    const char *path = dreamd_request_path(request);
    dreamd_call *call = dreamd_call_new(context, request);

    if (!call)
        return;
    if (strcmp(method, "POST") == 0 && strcmp(path, "/webhook/stripe") == 0) {
        dreamd_request_set_route(request, "POST /webhook/stripe");
        dreamd_webhook_stripe(call);
        return;
    }
    if (strcmp(method, "POST") == 0 && strcmp(path, "/webhook/clerk") == 0) {
        dreamd_request_set_route(request, "POST /webhook/clerk");
        dreamd_webhook_clerk(call);
        return;
    }
    dreamd_cors_set(request);
    if (strcmp(method, "OPTIONS") == 0) {
        dreamd_request_set_route(request, "OPTIONS");
        call->status = 204;
        call->text = "";
        dreamd_call_send(call);
    } else if (strcmp(path, "/health") == 0) {
        dreamd_request_set_route(request, "/health");
        dreamd_health(call);
    } else if (dreamd_asset_is_download(method, path)) {
        dreamd_request_set_route(request, "GET /api/assets/{platform}/{file}");
        dreamd_asset_get(call);
    } else {
        find_route(call);
        dreamd_auth(call, on_authenticated);
    }
}
