/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - dreamapi_usage_*: the calls, and the object they bring.
 * GET /api/usage answers with all fields at the top; POST /api/data with
 * {"success","data":{"message"},"usage":{"count","limit","plan"}}. */
#include "lib/object/usage.h"

#include <stdlib.h>

#include "lib/object/document.h"

struct dreamapi_usage {
    dream_document document;
    const char *user_id;
    const char *plan;
    int64_t count;
    int64_t limit;
    int64_t remaining;
    const char *period_start;
    const char *period_end;
    const char *message;
    bool success;
};

enum { NOT_SAID = -1 };

static const dream_field got_fields[] = {
    { "userId", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, user_id), false, 0 },
    { "plan", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, plan), true, 0 },
    { "usageCount", DREAM_FIELD_INT, offsetof(dreamapi_usage, count), true, 0 },
    { "limit", DREAM_FIELD_LIMIT, offsetof(dreamapi_usage, limit), true, 0 },
    { "periodStart", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, period_start), false, 0 },
    { "periodEnd", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, period_end), false, 0 },
    { "message", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, message), false, 0 },
    { "success", DREAM_FIELD_BOOL, offsetof(dreamapi_usage, success), false, 1 },
};

static const dream_field tracked_fields[] = {
    { "userId", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, user_id), false, 0 },
    { "plan", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, plan), true, 0 },
    { "count", DREAM_FIELD_INT, offsetof(dreamapi_usage, count), true, 0 },
    { "limit", DREAM_FIELD_LIMIT, offsetof(dreamapi_usage, limit), true, 0 },
    { "periodStart", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, period_start), false, 0 },
    { "periodEnd", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, period_end), false, 0 },
};

static const dream_field remaining_fields[] = {
    { "remaining", DREAM_FIELD_LIMIT, offsetof(dreamapi_usage, remaining), false, NOT_SAID },
};

static const dream_field success_fields[] = {
    { "success", DREAM_FIELD_BOOL, offsetof(dreamapi_usage, success), false, 1 },
};

static const dream_field data_fields[] = {
    { "message", DREAM_FIELD_TEXT, offsetof(dreamapi_usage, message), false, 0 },
};

#define READ(object, table) dream_fields_read(object, table, sizeof(table) / sizeof((table)[0]), usage, problem)

/* The hosted service answers a negative remainder when more was used than the plan now allows. */
static dreamapi_status read_remaining(dreamapi_usage *usage, const cJSON *from, char problem[DREAM_PROBLEM_SIZE])
{
    int64_t said;

    if (usage->count < 0)
        return dream_document_problem(problem, "the count", "is negative");
    if (dream_json_int(from, "remaining", &said) && said < 0)
        usage->remaining = 0;
    else if (READ(from, remaining_fields) != DREAMAPI_OK)
        return DREAMAPI_PROTOCOL;
    if (usage->remaining != NOT_SAID)
        return DREAMAPI_OK;
    if (usage->limit == DREAMAPI_UNLIMITED)
        usage->remaining = DREAMAPI_UNLIMITED;
    else
        usage->remaining = usage->limit > usage->count ? usage->limit - usage->count : 0;
    return DREAMAPI_OK;
}

static dreamapi_status read_tracked(dreamapi_usage *usage, const cJSON *inner, char problem[DREAM_PROBLEM_SIZE])
{
    const cJSON *data = dream_json_get(usage->document.root, "data");
    dreamapi_status status = READ(inner, tracked_fields);

    if (status == DREAMAPI_OK)
        status = READ(usage->document.root, success_fields);
    if (status == DREAMAPI_OK && cJSON_IsObject(data))
        status = READ(data, data_fields);
    return status == DREAMAPI_OK ? read_remaining(usage, inner, problem) : status;
}

static dreamapi_status read_usage(dreamapi_usage *usage, char problem[DREAM_PROBLEM_SIZE])
{
    const cJSON *inner = dream_json_get(usage->document.root, "usage");
    dreamapi_status status;

    if (cJSON_IsObject(inner))
        return read_tracked(usage, inner, problem);
    status = READ(usage->document.root, got_fields);
    return status == DREAMAPI_OK ? read_remaining(usage, usage->document.root, problem) : status;
}

#undef READ

static void release(void *object)
{
    dreamapi_usage_free(object);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_usage *usage = calloc(1, sizeof(*usage));
    dreamapi_status status;

    if (usage == NULL)
        return DREAMAPI_NOMEM;
    status = dream_document_read(&usage->document, body, size, problem);
    if (status == DREAMAPI_OK)
        status = read_usage(usage, problem);
    if (status == DREAMAPI_OK)
        *out_object = usage;
    else
        dreamapi_usage_free(usage);
    return status;
}

const dream_noun dream_noun_usage = { "usage", parse, release };

/* ---- calls ---- */

static dreamapi_status run(dreamapi_client *client, const char *name, dream_request *request,
                           dreamapi_usage **out_usage, dreamapi_error *error)
{
    void *object;
    dreamapi_status status = dream_call_run(client, name, &dream_noun_usage, request, &object, error);

    if (out_usage != NULL)
        *out_usage = object;
    else
        dreamapi_usage_free(object);
    return status;
}

void dream_usage_build_get(dream_request *request, const dreamapi_client *client, const char *user_id,
                           const dreamapi_call_options *options)
{
    dream_request_begin(request, client, "GET", "/api/usage", options);
    dream_request_on_behalf(request, client, user_id);
}

dreamapi_status dreamapi_usage_get(dreamapi_client *client, const char *user_id, const dreamapi_call_options *options,
                                   dreamapi_usage **out_usage, dreamapi_error *error)
{
    dream_request request;

    dream_usage_build_get(&request, client, user_id, options);
    return run(client, "usage_get", &request, out_usage, error);
}

dreamapi_status dreamapi_usage_get_start(dreamapi_client *client, const char *user_id,
                                         const dreamapi_call_options *options, dreamapi_call **out_call,
                                         dreamapi_error *error)
{
    dream_request request;

    dream_usage_build_get(&request, client, user_id, options);
    return dream_call_start(client, "usage_get", &dream_noun_usage, &request, out_call, error);
}

void dream_usage_build_track(dream_request *request, const dreamapi_client *client, const char *user_id,
                             const dreamapi_usage_track_params *given, const dreamapi_call_options *options)
{
    dreamapi_usage_track_params params;

    dream_request_begin(request, client, "POST", "/api/data", options);
    dream_request_params(request, given, &params, sizeof(params));
    dream_request_on_behalf(request, client, user_id);
}

dreamapi_status dreamapi_usage_track(dreamapi_client *client, const char *user_id,
                                     const dreamapi_usage_track_params *params, const dreamapi_call_options *options,
                                     dreamapi_usage **out_usage, dreamapi_error *error)
{
    dream_request request;

    dream_usage_build_track(&request, client, user_id, params, options);
    return run(client, "usage_track", &request, out_usage, error);
}

dreamapi_status dreamapi_usage_track_start(dreamapi_client *client, const char *user_id,
                                           const dreamapi_usage_track_params *params,
                                           const dreamapi_call_options *options, dreamapi_call **out_call,
                                           dreamapi_error *error)
{
    dream_request request;

    dream_usage_build_track(&request, client, user_id, params, options);
    return dream_call_start(client, "usage_track", &dream_noun_usage, &request, out_call, error);
}

dreamapi_status dreamapi_usage_result(dreamapi_call *call, dreamapi_usage **out_usage, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &dream_noun_usage, out_usage == NULL ? NULL : &object, error);

    if (out_usage != NULL)
        *out_usage = object;
    return status;
}

/* ---- the object ---- */

const char *dreamapi_usage_user_id(const dreamapi_usage *usage)
{
    return usage == NULL ? NULL : usage->user_id;
}

const char *dreamapi_usage_plan(const dreamapi_usage *usage)
{
    return usage == NULL ? NULL : usage->plan;
}

int64_t dreamapi_usage_usage_count(const dreamapi_usage *usage)
{
    return usage == NULL ? 0 : usage->count;
}

int64_t dreamapi_usage_count(const dreamapi_usage *usage)
{
    return usage == NULL ? 0 : usage->count;
}

int64_t dreamapi_usage_limit(const dreamapi_usage *usage)
{
    return usage == NULL ? 0 : usage->limit;
}

int64_t dreamapi_usage_remaining(const dreamapi_usage *usage)
{
    return usage == NULL ? 0 : usage->remaining;
}

const char *dreamapi_usage_period_start(const dreamapi_usage *usage)
{
    return usage == NULL ? NULL : usage->period_start;
}

const char *dreamapi_usage_period_end(const dreamapi_usage *usage)
{
    return usage == NULL ? NULL : usage->period_end;
}

const char *dreamapi_usage_message(const dreamapi_usage *usage)
{
    return usage == NULL ? NULL : usage->message;
}

int dreamapi_usage_success(const dreamapi_usage *usage)
{
    return usage == NULL ? 0 : usage->success;
}

const char *dreamapi_usage_json(const dreamapi_usage *usage)
{
    return usage == NULL ? NULL : usage->document.json;
}

void dreamapi_usage_free(dreamapi_usage *usage)
{
    if (usage == NULL)
        return;
    dream_document_clear(&usage->document);
    free(usage);
}
