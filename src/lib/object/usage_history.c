/* SPDX-License-Identifier: Apache-2.0 */
/* usage_history.c - dreamapi_usage_history and dreamapi_history_*: the call, and the object it brings. */
#include <dreamapi/usage_history.h>
#include <stdlib.h>

#include "lib/extensions.h"
#include "lib/object/document.h"

struct dreamapi_history_day {
    const char *date;
    int64_t units;
};

struct dreamapi_history_event {
    const char *at;
    const char *user_id;
    const char *subscription_id;
    const char *type;
    const char *plan;
    const char *status;
    int64_t amount;
    const char *currency;
};

struct dreamapi_history {
    dream_document document;
    const char *user_id;
    const char *meter;
    const char *from;
    const char *to;
    bool has_more_events;
    dream_list days;
    dream_list events;
};

static const dream_field fields[] = {
    { "userId", DREAM_FIELD_TEXT, offsetof(dreamapi_history, user_id), false, 0 },
    { "meter", DREAM_FIELD_TEXT, offsetof(dreamapi_history, meter), false, 0 },
    { "from", DREAM_FIELD_TEXT, offsetof(dreamapi_history, from), false, 0 },
    { "to", DREAM_FIELD_TEXT, offsetof(dreamapi_history, to), false, 0 },
    { "hasMoreEvents", DREAM_FIELD_BOOL, offsetof(dreamapi_history, has_more_events), false, 0 },
};

static const dream_field day_fields[] = {
    { "date", DREAM_FIELD_TEXT, offsetof(dreamapi_history_day, date), true, 0 },
    { "units", DREAM_FIELD_INT, offsetof(dreamapi_history_day, units), true, 0 },
};

static const dream_field event_fields[] = {
    { "at", DREAM_FIELD_TEXT, offsetof(dreamapi_history_event, at), true, 0 },
    { "userId", DREAM_FIELD_TEXT, offsetof(dreamapi_history_event, user_id), false, 0 },
    { "subscriptionId", DREAM_FIELD_TEXT, offsetof(dreamapi_history_event, subscription_id), false, 0 },
    { "type", DREAM_FIELD_TEXT, offsetof(dreamapi_history_event, type), true, 0 },
    { "plan", DREAM_FIELD_TEXT, offsetof(dreamapi_history_event, plan), false, 0 },
    { "status", DREAM_FIELD_TEXT, offsetof(dreamapi_history_event, status), false, 0 },
    { "amount", DREAM_FIELD_INT, offsetof(dreamapi_history_event, amount), false, -1 },
    { "currency", DREAM_FIELD_TEXT, offsetof(dreamapi_history_event, currency), false, 0 },
};

static const dream_list_kind day_kind = { "days", day_fields, sizeof(day_fields) / sizeof(day_fields[0]),
                                          sizeof(dreamapi_history_day), NULL };
static const dream_list_kind event_kind = { "events", event_fields, sizeof(event_fields) / sizeof(event_fields[0]),
                                            sizeof(dreamapi_history_event), NULL };

static void release(void *object)
{
    dreamapi_history_free(object);
}

static dreamapi_status read_history(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_history *history = object;
    const cJSON *root = history->document.root;
    dreamapi_status status = dream_fields_read(root, fields, sizeof(fields) / sizeof(fields[0]), history, problem);

    if (status == DREAMAPI_OK)
        status = dream_list_read(root, &day_kind, &history->days, problem);
    if (status == DREAMAPI_OK)
        status = dream_list_read(root, &event_kind, &history->events, problem);
    return status;
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_history), read_history, release, out_object, problem);
}

static const dream_noun noun = { "history", parse, release };

/* ---- calls ---- */

static void build_history(dream_request *request, const dreamapi_client *client,
                          const dreamapi_usage_history_params *given, const dreamapi_call_options *options)
{
    dreamapi_usage_history_params params;

    dream_request_begin(request, client, "GET", "/api/usage/history", options);
    dream_request_params(request, given, &params, sizeof(params));
    dream_request_query(request, "userId", "user_id", params.user_id);
    dream_request_query(request, "from", "from", params.from);
    dream_request_query(request, "to", "to", params.to);
    dream_request_query(request, "meter", "meter", params.meter);
    request->needed_extension = DREAM_EXTENSION_USAGE_HISTORY;
}

dreamapi_status dreamapi_usage_history(dreamapi_client *client, const dreamapi_usage_history_params *params,
                                       const dreamapi_call_options *options, dreamapi_history **out_history,
                                       dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    build_history(&request, client, params, options);
    status = dream_call_run(client, "usage_history", &noun, &request, &object, error);
    if (out_history != NULL)
        *out_history = object;
    else
        dreamapi_history_free(object);
    return status;
}

dreamapi_status dreamapi_usage_history_start(dreamapi_client *client, const dreamapi_usage_history_params *params,
                                             const dreamapi_call_options *options, dreamapi_call **out_call,
                                             dreamapi_error *error)
{
    dream_request request;

    build_history(&request, client, params, options);
    return dream_call_start(client, "usage_history", &noun, &request, out_call, error);
}

dreamapi_status dreamapi_history_result(dreamapi_call *call, dreamapi_history **out_history, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &noun, out_history == NULL ? NULL : &object, error);

    if (out_history != NULL)
        *out_history = object;
    return status;
}

/* ---- the object ---- */

const char *dreamapi_history_user_id(const dreamapi_history *history)
{
    return history == NULL ? NULL : history->user_id;
}

const char *dreamapi_history_meter(const dreamapi_history *history)
{
    return history == NULL ? NULL : history->meter;
}

const char *dreamapi_history_from(const dreamapi_history *history)
{
    return history == NULL ? NULL : history->from;
}

const char *dreamapi_history_to(const dreamapi_history *history)
{
    return history == NULL ? NULL : history->to;
}

size_t dreamapi_history_day_count(const dreamapi_history *history)
{
    return history == NULL ? 0 : history->days.count;
}

const dreamapi_history_day *dreamapi_history_day_at(const dreamapi_history *history, size_t index)
{
    const dreamapi_history_day *items = history == NULL ? NULL : history->days.items;

    return history == NULL || index >= history->days.count ? NULL : &items[index];
}

size_t dreamapi_history_event_count(const dreamapi_history *history)
{
    return history == NULL ? 0 : history->events.count;
}

const dreamapi_history_event *dreamapi_history_event_at(const dreamapi_history *history, size_t index)
{
    const dreamapi_history_event *items = history == NULL ? NULL : history->events.items;

    return history == NULL || index >= history->events.count ? NULL : &items[index];
}

int dreamapi_history_has_more_events(const dreamapi_history *history)
{
    return history == NULL ? 0 : history->has_more_events;
}

const char *dreamapi_history_json(const dreamapi_history *history)
{
    return history == NULL ? NULL : history->document.json;
}

void dreamapi_history_free(dreamapi_history *history)
{
    if (history == NULL)
        return;
    dream_document_clear(&history->document);
    free(history->days.items);
    free(history->events.items);
    free(history);
}

/* ---- its parts ---- */

const char *dreamapi_history_day_date(const dreamapi_history_day *day)
{
    return day == NULL ? NULL : day->date;
}

int64_t dreamapi_history_day_units(const dreamapi_history_day *day)
{
    return day == NULL ? 0 : day->units;
}

const char *dreamapi_history_event_time(const dreamapi_history_event *event)
{
    return event == NULL ? NULL : event->at;
}

const char *dreamapi_history_event_user_id(const dreamapi_history_event *event)
{
    return event == NULL ? NULL : event->user_id;
}

const char *dreamapi_history_event_subscription_id(const dreamapi_history_event *event)
{
    return event == NULL ? NULL : event->subscription_id;
}

const char *dreamapi_history_event_type(const dreamapi_history_event *event)
{
    return event == NULL ? NULL : event->type;
}

const char *dreamapi_history_event_plan(const dreamapi_history_event *event)
{
    return event == NULL ? NULL : event->plan;
}

const char *dreamapi_history_event_status(const dreamapi_history_event *event)
{
    return event == NULL ? NULL : event->status;
}

int64_t dreamapi_history_event_amount(const dreamapi_history_event *event)
{
    return event == NULL ? -1 : event->amount;
}

const char *dreamapi_history_event_currency(const dreamapi_history_event *event)
{
    return event == NULL ? NULL : event->currency;
}
