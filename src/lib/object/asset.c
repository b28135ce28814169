/* SPDX-License-Identifier: Apache-2.0 */
/* asset.c - dreamapi_asset_*: the call, and the object it brings. */
#include <dreamapi/asset.h>

#include <stdlib.h>

#include "lib/object/document.h"

struct dreamapi_asset {
    dream_document document;
    const char *key;
    const char *url;
};

static const dream_field fields[] = {
    { "key", DREAM_FIELD_TEXT, offsetof(dreamapi_asset, key), true, 0 },
    { "url", DREAM_FIELD_TEXT, offsetof(dreamapi_asset, url), true, 0 },
};

static void release(void *object)
{
    dreamapi_asset_free(object);
}

static dreamapi_status read_asset(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_asset *asset = object;

    return dream_fields_read(asset->document.root, fields, sizeof(fields) / sizeof(fields[0]), asset, problem);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_asset), read_asset, release, out_object, problem);
}

static const dream_noun noun = { "asset", parse, release };

/* ---- calls ---- */

static void build_upload(dream_request *request, const dreamapi_client *client, const dreamapi_asset_params *given,
                         const dreamapi_call_options *options)
{
    dreamapi_asset_params params;

    dream_request_begin(request, client, "POST", "/api/assets", options);
    dream_request_params(request, given, &params, sizeof(params));
    if (params.data == NULL || params.size == 0 || params.size > DREAMAPI_ASSET_MAX_SIZE) {
        dream_request_refuse(request, "data is missing, or is larger than %d bytes", DREAMAPI_ASSET_MAX_SIZE);
        return;
    }
    dream_request_required_field(request, "filename", "filename", params.filename);
    dream_request_field(request, "contentType", "content_type", params.content_type);
    dream_request_base64(request, "data", params.data, params.size);
}

dreamapi_status dreamapi_asset_upload(dreamapi_client *client, const dreamapi_asset_params *params,
                                      const dreamapi_call_options *options, dreamapi_asset **out_asset,
                                      dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    build_upload(&request, client, params, options);
    status = dream_call_run(client, "asset_upload", &noun, &request, &object, error);
    if (out_asset != NULL)
        *out_asset = object;
    else
        dreamapi_asset_free(object);
    return status;
}

dreamapi_status dreamapi_asset_upload_start(dreamapi_client *client, const dreamapi_asset_params *params,
                                            const dreamapi_call_options *options, dreamapi_call **out_call,
                                            dreamapi_error *error)
{
    dream_request request;

    build_upload(&request, client, params, options);
    return dream_call_start(client, "asset_upload", &noun, &request, out_call, error);
}

dreamapi_status dreamapi_asset_result(dreamapi_call *call, dreamapi_asset **out_asset, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &noun, out_asset == NULL ? NULL : &object, error);

    if (out_asset != NULL)
        *out_asset = object;
    return status;
}

/* ---- the object ---- */

const char *dreamapi_asset_key(const dreamapi_asset *asset)
{
    return asset == NULL ? NULL : asset->key;
}

const char *dreamapi_asset_url(const dreamapi_asset *asset)
{
    return asset == NULL ? NULL : asset->url;
}

const char *dreamapi_asset_json(const dreamapi_asset *asset)
{
    return asset == NULL ? NULL : asset->document.json;
}

void dreamapi_asset_free(dreamapi_asset *asset)
{
    if (asset == NULL)
        return;
    dream_document_clear(&asset->document);
    free(asset);
}
