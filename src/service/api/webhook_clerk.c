/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_clerk.c - POST /webhook/clerk: what becomes of end users at the identity provider.
 *
 * Deliveries are signed as svix does; the secret that the signature matches decides the mode of all that follows. A user who
 * was made or changed gets its profile into the project that its metadata names, if that is one of the mode; a user who is gone
 * leaves a tombstone wherever it was known, so that tokens still around meter no more. One transaction records the delivery
 * and applies it (store/profiles.h): once, and never an older state over a newer one. */
#include <string.h>

#include "common/webhook.h"
#include "service/api/handlers.h"
#include "service/provider/clerk.h"
#include "service/store/profiles.h"

enum { MAX_TYPE = 64 };

/* The year 9999. */
static const int64_t max_ms = INT64_C(253402300799999);

struct delivery {
    dreamd_profile_event event;
    dreamd_event_outcome outcome;
};

/* ---- the ends ---- */

static void refuse(dreamd_call *call, unsigned status, const char *error)
{
    dreamd_call_refuse(call, status, error, NULL);
}

static void answer_received(dreamd_call *call)
{
    const struct delivery *delivery = call->state;
    cJSON *body = cJSON_CreateObject();
    bool is_ok = dream_json_set_bool(body, "received", true);

    if (delivery->outcome == DREAMD_EVENT_DUPLICATE)
        is_ok = dream_json_set_bool(body, "idempotent", true) && is_ok;
    if (!is_ok) {
        cJSON_Delete(body);
        body = NULL;
    }
    dreamd_call_answer(call, 200, body);
}

/* ---- reading ---- */

/* NULL if absent, empty or longer than `max`. */
static const char *bounded(const char *text, size_t max)
{
    return text && *text && strlen(text) <= max ? text : NULL;
}

/* The time of the change: the user's own where it is told, as deliveries may be late and out of order. */
static int64_t time_of(const dreamd_call *call, const cJSON *data)
{
    int64_t at_ms = 0;

    if (!dream_json_int(data, "updated_at", &at_ms) || at_ms <= 0 || at_ms > max_ms)
        at_ms = 0;
    if (at_ms == 0 && dream_json_int(call->body, "timestamp", &at_ms) && (at_ms <= 0 || at_ms > max_ms))
        at_ms = 0;
    return at_ms ? at_ms : call->now_ms;
}

static bool is_change(const char *type)
{
    return strcmp(type, "user.created") == 0 || strcmp(type, "user.updated") == 0;
}

/* What says nothing about users is recorded only. */
static void read_user(const cJSON *data, dreamd_profile_event *event)
{
    dreamd_clerk_user user;

    event->is_deleted = strcmp(event->type, "user.deleted") == 0;
    if (event->is_deleted)
        event->user_id = bounded(dream_json_string(data, "id"), DREAMD_MAX_USER_ID);
    if (!is_change(event->type) || !dreamd_clerk_read_user(data, &user))
        return;
    event->user_id = bounded(user.id, DREAMD_MAX_USER_ID);
    event->email = bounded(user.email, DREAMD_MAX_EMAIL);
    event->first_name = bounded(user.first_name, DREAMD_MAX_NAME);
    event->last_name = bounded(user.last_name, DREAMD_MAX_NAME);
    event->plan = bounded(dream_json_string(user.metadata, "plan"), DREAMD_MAX_PLAN);
    event->publishable_key = bounded(dream_json_string(user.metadata, "publishableKey"), DREAMD_KEY_SIZE - 1);
    event->created_at_ms = user.created_at_ms > 0 && user.created_at_ms <= max_ms ? user.created_at_ms : 0;
}

static bool read_event(dreamd_call *call, dreamd_profile_event *event)
{
    const cJSON *data = dream_json_get(call->body, "data");

    event->type = bounded(dream_json_string(call->body, "type"), MAX_TYPE);
    if (!event->type || !cJSON_IsObject(data))
        return false;
    event->at_ms = time_of(call, data);
    read_user(data, event);
    /* A user's event without a user is not ours to make sense of. */
    return event->user_id || (!event->is_deleted && !is_change(event->type));
}

/* ---- the delivery ---- */

static dreamd_db_status apply(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct delivery *delivery = call->state;

    return dreamd_profile_apply(db, &delivery->event, call->now_ms, &delivery->outcome);
}

/* The mode whose secret signed this; false if none did. The test secret is tried first. */
static bool find_mode(const dreamd_call *call, const dream_svix_headers *headers, enum dreamd_mode *out)
{
    static const enum dreamd_mode order[] = { DREAMD_TEST, DREAMD_LIVE };
    size_t size = 0;
    const void *body = dreamd_request_body(call->request, &size);

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        *out = order[i];
        if (dream_svix_signature_verify(headers, call->service->settings->clerk_end_user[order[i]].webhook_secret, body,
                                        size, call->now_ms / 1000, DREAM_WEBHOOK_TOLERANCE_S))
            return true;
    }
    return false;
}

static bool has_secret(const dreamd_settings *settings)
{
    return settings->clerk_end_user[DREAMD_LIVE].webhook_secret || settings->clerk_end_user[DREAMD_TEST].webhook_secret;
}

void dreamd_webhook_clerk(dreamd_call *call)
{
    dream_svix_headers headers = {
        .id = dreamd_request_header(call->request, "svix-id"),
        .timestamp = dreamd_request_header(call->request, "svix-timestamp"),
        .signature = dreamd_request_header(call->request, "svix-signature"),
    };
    struct delivery *delivery = dream_arena_alloc(call->arena, sizeof *delivery);

    call->content_type = DREAMD_WEBHOOK_TYPE;
    call->state = delivery;
    if (!delivery)
        refuse(call, 500, "Out of memory");
    else if (!headers.id || !headers.timestamp || !headers.signature || !*headers.signature)
        refuse(call, 400, "No signature");
    else if (!has_secret(call->service->settings))
        refuse(call, 500, "Webhook secret not configured");
    else if (!find_mode(call, &headers, &delivery->event.mode))
        refuse(call, 400, "Webhook signature verification failed");
    else if (dreamd_call_body(call) != DREAMD_BODY_OBJECT || !read_event(call, &delivery->event))
        refuse(call, 400, "Invalid payload");
    else {
        delivery->event.event_id = headers.id;
        dreamd_call_write(call, apply, answer_received);
    }
}
