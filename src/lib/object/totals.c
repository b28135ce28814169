/* SPDX-License-Identifier: Apache-2.0 */
/* totals.c - dreamapi_dashboard_totals and dreamapi_totals_*: the call, and the object it brings. */
#include <dreamapi/dashboard.h>
#include <stdlib.h>

#include "lib/object/document.h"

struct dreamapi_totals {
    dream_document document;
    int64_t mrr;
    int64_t active_subs;
    int64_t canceling_subs;
    int64_t total_products;
    int64_t live_projects;
    const char *platform_id;
    const char *mode;
    int64_t projects;
};

enum { NOT_SAID = -1 };

static const dream_field fields[] = {
    { "mrr", DREAM_FIELD_INT, offsetof(dreamapi_totals, mrr), true, 0 },
    { "activeSubs", DREAM_FIELD_INT, offsetof(dreamapi_totals, active_subs), true, 0 },
    { "cancelingSubs", DREAM_FIELD_INT, offsetof(dreamapi_totals, canceling_subs), true, 0 },
    { "totalProducts", DREAM_FIELD_INT, offsetof(dreamapi_totals, total_products), true, 0 },
    { "liveProjects", DREAM_FIELD_INT, offsetof(dreamapi_totals, live_projects), true, 0 },
    { "projects", DREAM_FIELD_INT, offsetof(dreamapi_totals, projects), false, NOT_SAID },
};

static const dream_field outer_fields[] = {
    { "mode", DREAM_FIELD_TEXT, offsetof(dreamapi_totals, mode), false, 0 },
    { "platformId", DREAM_FIELD_TEXT, offsetof(dreamapi_totals, platform_id), false, 0 },
};

static void release(void *object)
{
    dreamapi_totals_free(object);
}

static dreamapi_status read_totals(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_totals *totals = object;
    const cJSON *inner = dream_json_get(totals->document.root, "totals");

    if (!cJSON_IsObject(inner))
        return dream_document_problem(problem, "totals", "is missing");
    if (dream_fields_read(inner, fields, sizeof(fields) / sizeof(fields[0]), totals, problem) != DREAMAPI_OK)
        return DREAMAPI_PROTOCOL;
    return dream_fields_read(totals->document.root, outer_fields, sizeof(outer_fields) / sizeof(outer_fields[0]),
                             totals, problem);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_totals), read_totals, release, out_object, problem);
}

static const dream_noun noun = { "totals", parse, release };

/* ---- calls ---- */

dreamapi_status dreamapi_dashboard_totals(dreamapi_client *client, const dreamapi_call_options *options,
                                          dreamapi_totals **out_totals, dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    dream_request_begin(&request, client, "GET", "/api/dashboard/totals", options);
    status = dream_call_run(client, "dashboard_totals", &noun, &request, &object, error);
    if (out_totals != NULL)
        *out_totals = object;
    else
        dreamapi_totals_free(object);
    return status;
}

dreamapi_status dreamapi_dashboard_totals_start(dreamapi_client *client, const dreamapi_call_options *options,
                                                dreamapi_call **out_call, dreamapi_error *error)
{
    dream_request request;

    dream_request_begin(&request, client, "GET", "/api/dashboard/totals", options);
    return dream_call_start(client, "dashboard_totals", &noun, &request, out_call, error);
}

dreamapi_status dreamapi_totals_result(dreamapi_call *call, dreamapi_totals **out_totals, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &noun, out_totals == NULL ? NULL : &object, error);

    if (out_totals != NULL)
        *out_totals = object;
    return status;
}

/* ---- the object ---- */

int64_t dreamapi_totals_mrr(const dreamapi_totals *totals)
{
    return totals == NULL ? 0 : totals->mrr;
}

int64_t dreamapi_totals_active_subs(const dreamapi_totals *totals)
{
    return totals == NULL ? 0 : totals->active_subs;
}

int64_t dreamapi_totals_canceling_subs(const dreamapi_totals *totals)
{
    return totals == NULL ? 0 : totals->canceling_subs;
}

int64_t dreamapi_totals_total_products(const dreamapi_totals *totals)
{
    return totals == NULL ? 0 : totals->total_products;
}

int64_t dreamapi_totals_live_projects(const dreamapi_totals *totals)
{
    return totals == NULL ? 0 : totals->live_projects;
}

int64_t dreamapi_totals_projects(const dreamapi_totals *totals)
{
    return totals == NULL ? NOT_SAID : totals->projects;
}

const char *dreamapi_totals_mode(const dreamapi_totals *totals)
{
    return totals == NULL ? NULL : totals->mode;
}

const char *dreamapi_totals_platform_id(const dreamapi_totals *totals)
{
    return totals == NULL ? NULL : totals->platform_id;
}

const char *dreamapi_totals_json(const dreamapi_totals *totals)
{
    return totals == NULL ? NULL : totals->document.json;
}

void dreamapi_totals_free(dreamapi_totals *totals)
{
    if (totals == NULL)
        return;
    dream_document_clear(&totals->document);
    free(totals);
}
