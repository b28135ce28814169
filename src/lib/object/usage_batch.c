/* SPDX-License-Identifier: Apache-2.0 */
/* usage_batch.c - dreamapi_usage_batch and dreamapi_usage_outcomes_*: the call, and the list it brings. */
#include "lib/object/usage.h"

#include <stdlib.h>

#include "common/ids.h"
#include "lib/client.h"
#include "lib/extensions.h"
#include "lib/object/document.h"

struct dreamapi_usage_outcome {
    const char *id;
    const char *status;
    const char *error;
};

struct dreamapi_usage_outcomes {
    dream_document document;
    dream_list list;
};

static const dream_field fields[] = {
    { "id", DREAM_FIELD_TEXT, offsetof(dreamapi_usage_outcome, id), false, 0 },
    { "status", DREAM_FIELD_TEXT, offsetof(dreamapi_usage_outcome, status), true, 0 },
    { "error", DREAM_FIELD_TEXT, offsetof(dreamapi_usage_outcome, error), false, 0 },
};

static const dream_list_kind kind = { "results", fields, sizeof(fields) / sizeof(fields[0]),
                                      sizeof(dreamapi_usage_outcome), NULL };

static void release(void *object)
{
    dreamapi_usage_outcomes_free(object);
}

static dreamapi_status read_outcomes(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_usage_outcomes *outcomes = object;

    return dream_list_read(outcomes->document.root, &kind, &outcomes->list, problem);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_usage_outcomes), read_outcomes, release, out_object, problem);
}

const dream_noun dream_noun_usage_outcomes = { "list of outcomes", parse, release };

/* ---- calls ---- */

/* Begins with the time, so that a server's index fills in order. */
static void add_made_id(dream_request *request, const dreamapi_client *client)
{
    unsigned char random[16];
    char id[37];

    if (!dream_settings_random(&client->settings, random, sizeof(random))) {
        dream_request_refuse(request, "no randomness for an event's id: give it yourself");
        return;
    }
    dream_uuid7_text(dream_settings_wall_ms(&client->settings), random, id);
    dream_request_field(request, "id", "id", id);
}

static void add_event(dream_request *request, const dreamapi_client *client, const dreamapi_usage_event *event)
{
    if (event->units < 0 || event->at_ms < 0)
        dream_request_refuse(request, "an event's units or at_ms is negative");
    dream_request_item_begin(request);
    if (event->id == NULL)
        add_made_id(request, client);
    else
        dream_request_id(request, "id", "an event's id", event->id);
    dream_request_id(request, "userId", "an event's user_id", event->user_id);
    if (event->meter != NULL)
        dream_request_id(request, "meter", "an event's meter", event->meter);
    dream_request_int(request, "units", event->units == 0 ? 1 : event->units);
    if (event->at_ms > 0)
        dream_request_int(request, "at", event->at_ms);
    dream_request_item_end(request);
}

void dream_usage_build_batch(dream_request *request, const dreamapi_client *client, const dreamapi_usage_event *events,
                             size_t count, const dreamapi_call_options *options)
{
    bool is_named = true;

    dream_request_begin(request, client, "POST", "/api/usage/batch", options);
    if (events == NULL || count == 0 || count > DREAMAPI_USAGE_BATCH_MAX)
        dream_request_refuse(request, "a batch has 1 to %d events", DREAMAPI_USAGE_BATCH_MAX);
    if (request->problem.status != DREAMAPI_OK)
        return;
    dream_request_list_begin(request, "events");
    for (size_t i = 0; i < count && request->problem.status == DREAMAPI_OK; i++) {
        add_event(request, client, &events[i]);
        is_named = is_named && events[i].id != NULL;
    }
    dream_request_list_end(request);
    request->needed_extension = DREAM_EXTENSION_USAGE_BATCH;
    /* Ids that were made are not the caller's: the same call again would have others, and count again. */
    request->is_idempotent = is_named;
}

dreamapi_status dreamapi_usage_batch(dreamapi_client *client, const dreamapi_usage_event *events, size_t count,
                                     const dreamapi_call_options *options, dreamapi_usage_outcomes **out_outcomes,
                                     dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    dream_usage_build_batch(&request, client, events, count, options);
    status = dream_call_run(client, "usage_batch", &dream_noun_usage_outcomes, &request, &object, error);
    if (out_outcomes != NULL)
        *out_outcomes = object;
    else
        dreamapi_usage_outcomes_free(object);
    return status;
}

dreamapi_status dreamapi_usage_batch_start(dreamapi_client *client, const dreamapi_usage_event *events, size_t count,
                                           const dreamapi_call_options *options, dreamapi_call **out_call,
                                           dreamapi_error *error)
{
    dream_request request;

    dream_usage_build_batch(&request, client, events, count, options);
    return dream_call_start(client, "usage_batch", &dream_noun_usage_outcomes, &request, out_call, error);
}

dreamapi_status dreamapi_usage_outcomes_result(dreamapi_call *call, dreamapi_usage_outcomes **out_outcomes,
                                               dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status =
        dream_call_take(call, &dream_noun_usage_outcomes, out_outcomes == NULL ? NULL : &object, error);

    if (out_outcomes != NULL)
        *out_outcomes = object;
    return status;
}

/* ---- the list ---- */

size_t dreamapi_usage_outcomes_count(const dreamapi_usage_outcomes *outcomes)
{
    return outcomes == NULL ? 0 : outcomes->list.count;
}

const dreamapi_usage_outcome *dreamapi_usage_outcomes_at(const dreamapi_usage_outcomes *outcomes, size_t index)
{
    const dreamapi_usage_outcome *items = outcomes == NULL ? NULL : outcomes->list.items;

    return outcomes == NULL || index >= outcomes->list.count ? NULL : &items[index];
}

const char *dreamapi_usage_outcomes_json(const dreamapi_usage_outcomes *outcomes)
{
    return outcomes == NULL ? NULL : outcomes->document.json;
}

void dreamapi_usage_outcomes_free(dreamapi_usage_outcomes *outcomes)
{
    if (outcomes == NULL)
        return;
    dream_document_clear(&outcomes->document);
    free(outcomes->list.items);
    free(outcomes);
}

/* ---- one outcome ---- */

const char *dreamapi_usage_outcome_id(const dreamapi_usage_outcome *outcome)
{
    return outcome == NULL ? NULL : outcome->id;
}

const char *dreamapi_usage_outcome_status(const dreamapi_usage_outcome *outcome)
{
    return outcome == NULL ? NULL : outcome->status;
}

const char *dreamapi_usage_outcome_error(const dreamapi_usage_outcome *outcome)
{
    return outcome == NULL ? NULL : outcome->error;
}
