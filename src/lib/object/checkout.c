/* SPDX-License-Identifier: Apache-2.0 */
/* checkout.c - dreamapi_checkout_*: the call, and the object it brings. */
#include "lib/object/checkout.h"

#include <dreamapi/checkout.h>
#include <stdlib.h>

#include "lib/object/document.h"

struct dreamapi_checkout {
    dream_document document;
    const char *url;
};

static const dream_field fields[] = {
    { "url", DREAM_FIELD_TEXT, offsetof(dreamapi_checkout, url), true, 0 },
};

static void release(void *object)
{
    dreamapi_checkout_free(object);
}

static dreamapi_status read_checkout(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_checkout *checkout = object;

    return dream_fields_read(checkout->document.root, fields, sizeof(fields) / sizeof(fields[0]), checkout, problem);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_checkout), read_checkout, release, out_object, problem);
}

const dream_noun dream_noun_checkout = { "checkout", parse, release };

/* ---- calls ---- */

static void build_create(dream_request *request, const dreamapi_client *client, const dreamapi_checkout_params *given,
                         const dreamapi_call_options *options)
{
    dreamapi_checkout_params params;

    dream_request_begin(request, client, "POST", "/api/create-checkout", options);
    dream_request_params(request, given, &params, sizeof(params));
    dream_request_on_behalf(request, client, params.user_id);
    dream_request_field(request, "tier", "tier", params.tier);
    dream_request_field(request, "priceId", "price_id", params.price_id);
    dream_request_field(request, "successUrl", "success_url", params.success_url);
    dream_request_field(request, "cancelUrl", "cancel_url", params.cancel_url);
}

dreamapi_status dreamapi_checkout_create(dreamapi_client *client, const dreamapi_checkout_params *params,
                                         const dreamapi_call_options *options, dreamapi_checkout **out_checkout,
                                         dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    build_create(&request, client, params, options);
    status = dream_call_run(client, "checkout_create", &dream_noun_checkout, &request, &object, error);
    if (out_checkout != NULL)
        *out_checkout = object;
    else
        dreamapi_checkout_free(object);
    return status;
}

dreamapi_status dreamapi_checkout_create_start(dreamapi_client *client, const dreamapi_checkout_params *params,
                                               const dreamapi_call_options *options, dreamapi_call **out_call,
                                               dreamapi_error *error)
{
    dream_request request;

    build_create(&request, client, params, options);
    return dream_call_start(client, "checkout_create", &dream_noun_checkout, &request, out_call, error);
}

dreamapi_status dreamapi_checkout_result(dreamapi_call *call, dreamapi_checkout **out_checkout, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &dream_noun_checkout, out_checkout == NULL ? NULL : &object, error);

    if (out_checkout != NULL)
        *out_checkout = object;
    return status;
}

/* ---- the object ---- */

const char *dreamapi_checkout_url(const dreamapi_checkout *checkout)
{
    return checkout == NULL ? NULL : checkout->url;
}

const char *dreamapi_checkout_json(const dreamapi_checkout *checkout)
{
    return checkout == NULL ? NULL : checkout->document.json;
}

void dreamapi_checkout_free(dreamapi_checkout *checkout)
{
    if (checkout == NULL)
        return;
    dream_document_clear(&checkout->document);
    free(checkout);
}
