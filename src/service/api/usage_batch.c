/* SPDX-License-Identifier: Apache-2.0 */
/* usage_batch.c - POST /api/usage/batch: up to 1000 uses that a developer's backend reports after the fact, each under its own
 * id. Every event that can be counted is; what happened to each is in the answer, in the order asked. The whole request is one
 * piece of work: a crash leaves all of it or nothing, and a repeat finds its ids counted. Events take nothing of the rate. */
#include <string.h>

#include "common/timefmt.h"
#include "service/api/handlers.h"
#include "service/api/replay.h"
#include "service/store/usage_events.h"

enum { MAX_EVENTS = 1000, MAX_EVENT_ID = 128, MAX_METER = 64, PRUNED_AT_ONCE = 2 * MAX_EVENTS };

static const char bad_request[] = "Invalid request";

struct event {
    const char *id;    /* NULL: unusable */
    const char *error; /* what is wrong with the event itself; NULL: nothing */
    const char *user_id;
    const char *meter;
    int64_t units;
    int64_t at_ms;
    dreamd_usage_event_outcome outcome;
};

struct batch {
    struct event *events;
    size_t count;
};

/* ---- reading ---- */

/* Absent and null mean now. */
static bool read_time(const cJSON *json, int64_t now_ms, int64_t *out)
{
    const cJSON *at = dream_json_get(json, "at");

    *out = now_ms;
    if (!at || cJSON_IsNull(at))
        return true;
    if (cJSON_IsString(at))
        return dream_iso_parse(at->valuestring, out);
    return dream_json_int(json, "at", out) && *out >= 0;
}

static const char *read_event(const cJSON *json, int64_t now_ms, struct event *out)
{
    const char *id = dream_json_string(json, "id");
    const cJSON *meter = dream_json_get(json, "meter");

    *out = (struct event){ .user_id = dream_json_string(json, "userId"), .units = 1 };
    if (!id || !dreamd_is_printable(id, MAX_EVENT_ID))
        return "id must have 1 to 128 printable characters";
    out->id = id;
    if (!out->user_id || !dreamd_is_printable(out->user_id, DREAMD_MAX_USER_ID))
        return "userId must have 1 to 128 characters";
    if (meter && !cJSON_IsNull(meter)) {
        if (!cJSON_IsString(meter) || !dreamd_is_printable(meter->valuestring, MAX_METER))
            return "meter must have 1 to 64 characters";
        out->meter = meter->valuestring;
    }
    if (dream_json_get(json, "units") && (!dream_json_int(json, "units", &out->units) || out->units < 1))
        return "units must be a positive integer";
    return read_time(json, now_ms, &out->at_ms) ? NULL : "at must be an ISO 8601 time or milliseconds since 1970";
}

static bool refuse(dreamd_call *call, const char *message)
{
    dreamd_call_set_error(call, 400, bad_request, message);
    return false;
}

/* False, with the answer prepared, if there is nothing to work on. Texts stay in the body. */
static bool read_batch(dreamd_call *call, struct batch *batch)
{
    dreamd_body body = dreamd_call_body(call);
    const cJSON *list = dream_json_get(call->body, "events");
    const cJSON *json = NULL;
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;

    if (body == DREAMD_BODY_MALFORMED)
        return refuse(call, "Body is no JSON object");
    if (count < 1 || count > MAX_EVENTS)
        return refuse(call, "events must be a list of 1 to 1000 events");
    batch->events = dream_arena_alloc(call->arena, (size_t)count * sizeof *batch->events);
    if (!batch->events) {
        dreamd_call_set_error(call, 500, "Internal error", "Out of memory");
        return false;
    }
    cJSON_ArrayForEach(json, list)
    {
        struct event *event = &batch->events[batch->count++];

        event->error = read_event(json, call->now_ms, event);
    }
    return true;
}

/* ---- counting ---- */

struct shared {
    dreamd_usage_memory memory;
    dreamd_totals_gathered gathered;
};

static dreamd_db_status apply_event(dreamd_db *db, const dreamd_call *call, struct event *event, struct shared *shared)
{
    dreamd_usage_event wanted = {
        .event_id = event->id,
        .request = { .project = &call->project,
                     .user_id = event->user_id,
                     .meter = event->meter,
                     .units = event->units,
                     .now_ms = call->now_ms,
                     .memory = &shared->memory,
                     .gathered = &shared->gathered },
        .at_ms = event->at_ms,
    };

    return event->error ? DREAMD_DB_OK : dreamd_usage_event_apply(db, &wanted, &event->outcome);
}

static const char *status_of(const struct event *event)
{
    if (event->error)
        return "error";
    switch (event->outcome) {
    case DREAMD_USAGE_EVENT_APPLIED:
        return "applied";
    case DREAMD_USAGE_EVENT_DUPLICATE:
        return "duplicate";
    case DREAMD_USAGE_EVENT_LIMIT:
        return "limit";
    default:
        return "error";
    }
}

static const char *error_of(const struct event *event)
{
    if (event->error)
        return event->error;
    switch (event->outcome) {
    case DREAMD_USAGE_EVENT_FULL:
        return "The count would pass 9007199254740991, the most that can be said";
    case DREAMD_USAGE_EVENT_HELD:
        return "The units that are left are lent out to meters; try again";
    case DREAMD_USAGE_EVENT_RECOVERING:
        return "The store was restored from a backup a moment ago; try again";
    case DREAMD_USAGE_EVENT_UNKNOWN:
        return "Customer not found";
    case DREAMD_USAGE_EVENT_OUTSIDE:
        return "at is in neither the running nor the previous period, or more than 35 days ago";
    case DREAMD_USAGE_EVENT_AHEAD:
        return "at is in the future";
    default:
        return NULL;
    }
}

static cJSON *result_json(const struct event *event)
{
    cJSON *json = cJSON_CreateObject();
    const char *error = error_of(event);
    bool is_ok =
        dream_json_set_string(json, "id", event->id) && dream_json_set_string(json, "status", status_of(event));

    if (error)
        is_ok = dream_json_set_string(json, "error", error) && is_ok;
    if (is_ok)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static cJSON *results_json(const struct batch *batch)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < batch->count; i++) {
        cJSON *json = result_json(&batch->events[i]);

        is_ok = json && cJSON_AddItemToArray(list, json);
        if (!is_ok)
            cJSON_Delete(json);
    }
    is_ok = dream_json_set(body, "results", list) && is_ok;
    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

static dreamd_db_status apply_batch(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    const struct batch *batch = call->state;
    struct shared shared = { .gathered.count = 0 };
    dreamd_db_status status = dreamd_replay_claim(db, call);

    if (status != DREAMD_DB_OK || !dreamd_replay_is_fresh(call))
        return status;
    for (size_t i = 0; status == DREAMD_DB_OK && i < batch->count; i++)
        status = apply_event(db, call, &batch->events[i], &shared);
    if (status == DREAMD_DB_OK)
        status = dreamd_totals_flush(db, &call->project, &shared.gathered);
    if (status == DREAMD_DB_OK)
        status = dreamd_usage_events_prune(db, call->now_ms, PRUNED_AT_ONCE);
    if (status != DREAMD_DB_OK)
        return status;
    dreamd_call_set(call, 200, results_json(batch));
    return call->text ? dreamd_replay_finish(db, call) : DREAMD_DB_NOMEM;
}

static void on_applied(dreamd_call *call)
{
    if (!dreamd_replay_is_fresh(call))
        dreamd_replay_set_answer(call);
    dreamd_call_send(call);
}

void dreamd_usage_batch(dreamd_call *call)
{
    struct batch *batch = dream_arena_alloc(call->arena, sizeof *batch);

    call->state = batch;
    if (!batch)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (!read_batch(call, batch))
        dreamd_call_send(call);
    else
        dreamd_call_write(call, apply_batch, on_applied);
}
