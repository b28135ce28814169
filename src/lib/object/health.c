/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - dreamapi_health_*: the call, and the object it brings. */
#include "lib/object/health.h"

#include <dreamapi/health.h>
#include <stdlib.h>
#include <string.h>

#include "lib/object/document.h"

struct dreamapi_health {
    dream_document document;
    const char *status;
    const cJSON *extensions;
};

static const dream_field fields[] = {
    { "status", DREAM_FIELD_TEXT, offsetof(dreamapi_health, status), true, 0 },
    { "extensions", DREAM_FIELD_TEXTS, offsetof(dreamapi_health, extensions), false, 0 },
};

static void release(void *object)
{
    dreamapi_health_free(object);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_health *health = calloc(1, sizeof(*health));
    dreamapi_status status;

    if (health == NULL)
        return DREAMAPI_NOMEM;
    status = dream_document_read(&health->document, body, size, problem);
    if (status == DREAMAPI_OK)
        status = dream_fields_read(health->document.root, fields, sizeof(fields) / sizeof(fields[0]), health, problem);
    if (status == DREAMAPI_OK)
        *out_object = health;
    else
        dreamapi_health_free(health);
    return status;
}

const dream_noun dream_noun_health = { "health", parse, release };

/* ---- calls ---- */

/* Anonymous: a question about the service needs no key, so none is shown. */
static void build_get(dream_request *request, const dreamapi_client *client, const dreamapi_call_options *options)
{
    dream_request_begin(request, client, "GET", "/health", options);
    request->is_anonymous = true;
}

dreamapi_status dreamapi_health_get(dreamapi_client *client, const dreamapi_call_options *options,
                                    dreamapi_health **out_health, dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    build_get(&request, client, options);
    status = dream_call_run(client, "health_get", &dream_noun_health, &request, &object, error);
    if (out_health != NULL)
        *out_health = object;
    else
        dreamapi_health_free(object);
    return status;
}

dreamapi_status dreamapi_health_get_start(dreamapi_client *client, const dreamapi_call_options *options,
                                          dreamapi_call **out_call, dreamapi_error *error)
{
    dream_request request;

    build_get(&request, client, options);
    return dream_call_start(client, "health_get", &dream_noun_health, &request, out_call, error);
}

dreamapi_status dreamapi_health_result(dreamapi_call *call, dreamapi_health **out_health, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &dream_noun_health, out_health == NULL ? NULL : &object, error);

    if (out_health != NULL)
        *out_health = object;
    return status;
}

/* ---- the object ---- */

const char *dreamapi_health_status(const dreamapi_health *health)
{
    return health == NULL ? NULL : health->status;
}

size_t dreamapi_health_extension_count(const dreamapi_health *health)
{
    return health == NULL ? 0 : dream_texts_count(health->extensions);
}

const char *dreamapi_health_extension(const dreamapi_health *health, size_t index)
{
    return health == NULL ? NULL : dream_texts_at(health->extensions, index);
}

int dreamapi_health_has_extension(const dreamapi_health *health, const char *name)
{
    const cJSON *item;

    if (health == NULL || name == NULL || health->extensions == NULL)
        return 0;
    cJSON_ArrayForEach(item, health->extensions)
    {
        if (strcmp(item->valuestring, name) == 0)
            return 1;
    }
    return 0;
}

const char *dreamapi_health_json(const dreamapi_health *health)
{
    return health == NULL ? NULL : health->document.json;
}

void dreamapi_health_free(dreamapi_health *health)
{
    if (health == NULL)
        return;
    dream_document_clear(&health->document);
    free(health);
}
