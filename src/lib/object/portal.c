/* SPDX-License-Identifier: Apache-2.0 */
/* portal.c - dreamapi_portal_*: the call, and the object it brings. */
#include <dreamapi/portal.h>

#include <stdlib.h>

#include "lib/object/document.h"

struct dreamapi_portal {
    dream_document document;
    const char *url;
};

static const dream_field fields[] = {
    { "url", DREAM_FIELD_TEXT, offsetof(dreamapi_portal, url), true, 0 },
};

static void release(void *object)
{
    dreamapi_portal_free(object);
}

static dreamapi_status read_portal(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_portal *portal = object;

    return dream_fields_read(portal->document.root, fields, sizeof(fields) / sizeof(fields[0]), portal, problem);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_portal), read_portal, release, out_object, problem);
}

static const dream_noun noun = { "portal", parse, release };

/* ---- calls ---- */

static void build_create(dream_request *request, const dreamapi_client *client, const dreamapi_portal_params *given,
                         const dreamapi_call_options *options)
{
    dreamapi_portal_params params;

    dream_request_begin(request, client, "POST", "/api/customer-portal", options);
    dream_request_params(request, given, &params, sizeof(params));
    dream_request_on_behalf(request, client, params.user_id);
    dream_request_field(request, "returnUrl", "return_url", params.return_url);
}

dreamapi_status dreamapi_portal_create(dreamapi_client *client, const dreamapi_portal_params *params,
                                       const dreamapi_call_options *options, dreamapi_portal **out_portal,
                                       dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    build_create(&request, client, params, options);
    status = dream_call_run(client, "portal_create", &noun, &request, &object, error);
    if (out_portal != NULL)
        *out_portal = object;
    else
        dreamapi_portal_free(object);
    return status;
}

dreamapi_status dreamapi_portal_create_start(dreamapi_client *client, const dreamapi_portal_params *params,
                                             const dreamapi_call_options *options, dreamapi_call **out_call,
                                             dreamapi_error *error)
{
    dream_request request;

    build_create(&request, client, params, options);
    return dream_call_start(client, "portal_create", &noun, &request, out_call, error);
}

dreamapi_status dreamapi_portal_result(dreamapi_call *call, dreamapi_portal **out_portal, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &noun, out_portal == NULL ? NULL : &object, error);

    if (out_portal != NULL)
        *out_portal = object;
    return status;
}

/* ---- the object ---- */

const char *dreamapi_portal_url(const dreamapi_portal *portal)
{
    return portal == NULL ? NULL : portal->url;
}

const char *dreamapi_portal_json(const dreamapi_portal *portal)
{
    return portal == NULL ? NULL : portal->document.json;
}

void dreamapi_portal_free(dreamapi_portal *portal)
{
    if (portal == NULL)
        return;
    dream_document_clear(&portal->document);
    free(portal);
}
