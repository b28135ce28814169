/* SPDX-License-Identifier: Apache-2.0 */
/* customer.c - dreamapi_customer_*: the calls, and the object they bring.
 * Create, get and update answer with "customer", delete with "deleted". */
#include "lib/object/customer.h"

#include <stdlib.h>

enum { NOT_SAID = -1 };

static const dream_field fields[] = {
    { "id", DREAM_FIELD_TEXT, offsetof(dreamapi_customer, id), true, 0 },
    { "email", DREAM_FIELD_TEXT, offsetof(dreamapi_customer, email), false, 0 },
    { "firstName", DREAM_FIELD_TEXT, offsetof(dreamapi_customer, first_name), false, 0 },
    { "lastName", DREAM_FIELD_TEXT, offsetof(dreamapi_customer, last_name), false, 0 },
    { "plan", DREAM_FIELD_TEXT, offsetof(dreamapi_customer, plan), false, 0 },
    { "publishableKey", DREAM_FIELD_TEXT, offsetof(dreamapi_customer, publishable_key), false, 0 },
    { "createdAt", DREAM_FIELD_INT, offsetof(dreamapi_customer, created_at), false, 0 },
    { "status", DREAM_FIELD_TEXT, offsetof(dreamapi_customer, status), false, 0 },
};

static const dream_field usage_fields[] = {
    { "count", DREAM_FIELD_INT, offsetof(dreamapi_customer, usage_count), false, NOT_SAID },
    { "limit", DREAM_FIELD_LIMIT, offsetof(dreamapi_customer, usage_limit), false, NOT_SAID },
};

static const dream_field outer_fields[] = {
    { "message", DREAM_FIELD_TEXT, offsetof(dreamapi_customer, message), false, 0 },
    { "success", DREAM_FIELD_BOOL, offsetof(dreamapi_customer, success), false, 1 },
};

static void release(void *object)
{
    dreamapi_customer_free(object);
}

dreamapi_status dream_customer_read(dreamapi_customer *customer, const cJSON *object, char problem[DREAM_PROBLEM_SIZE])
{
    const cJSON *usage = dream_json_get(object, "usage");
    dreamapi_status status = dream_fields_read(object, fields, sizeof(fields) / sizeof(fields[0]), customer, problem);

    if (status != DREAMAPI_OK)
        return status;
    /* NULL has no fields: then all are absent. */
    return dream_fields_read(usage, usage_fields, sizeof(usage_fields) / sizeof(usage_fields[0]), customer, problem);
}

static dreamapi_status read_customer(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_customer *customer = object;
    const cJSON *root = customer->document.root;
    const cJSON *inner = dream_json_get(root, "customer");
    dreamapi_status status;

    if (inner == NULL)
        inner = dream_json_get(root, "deleted");
    if (!cJSON_IsObject(inner))
        return dream_document_problem(problem, "customer", "is missing");
    status = dream_customer_read(customer, inner, problem);
    if (status == DREAMAPI_OK)
        status =
            dream_fields_read(root, outer_fields, sizeof(outer_fields) / sizeof(outer_fields[0]), customer, problem);
    return status;
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_customer), read_customer, release, out_object, problem);
}

static const dream_noun noun = { "customer", parse, release };

/* ---- calls ---- */

static const char path[] = "/api/customers";

static dreamapi_status run(dreamapi_client *client, const char *name, dream_request *request,
                           dreamapi_customer **out_customer, dreamapi_error *error)
{
    void *object;
    dreamapi_status status = dream_call_run(client, name, &noun, request, &object, error);

    if (out_customer != NULL)
        *out_customer = object;
    else
        dreamapi_customer_free(object);
    return status;
}

static void build_create(dream_request *request, const dreamapi_client *client, const dreamapi_customer_params *given,
                         const dreamapi_call_options *options)
{
    dreamapi_customer_params params;

    dream_request_begin(request, client, "POST", path, options);
    dream_request_params(request, given, &params, sizeof(params));
    dream_request_required_field(request, "email", "email", params.email);
    dream_request_field(request, "firstName", "first_name", params.first_name);
    dream_request_field(request, "lastName", "last_name", params.last_name);
    dream_request_field(request, "plan", "plan", params.plan);
    dream_request_field(request, "password", "password", params.password);
}

dreamapi_status dreamapi_customer_create(dreamapi_client *client, const dreamapi_customer_params *params,
                                         const dreamapi_call_options *options, dreamapi_customer **out_customer,
                                         dreamapi_error *error)
{
    dream_request request;

    build_create(&request, client, params, options);
    return run(client, "customer_create", &request, out_customer, error);
}

dreamapi_status dreamapi_customer_create_start(dreamapi_client *client, const dreamapi_customer_params *params,
                                               const dreamapi_call_options *options, dreamapi_call **out_call,
                                               dreamapi_error *error)
{
    dream_request request;

    build_create(&request, client, params, options);
    return dream_call_start(client, "customer_create", &noun, &request, out_call, error);
}

static void build_by_id(dream_request *request, const dreamapi_client *client, const char *method,
                        const char *customer_id, const dreamapi_call_options *options)
{
    dream_request_begin(request, client, method, path, options);
    dream_request_path_id(request, "customer_id", customer_id);
}

dreamapi_status dreamapi_customer_get(dreamapi_client *client, const char *customer_id,
                                      const dreamapi_call_options *options, dreamapi_customer **out_customer,
                                      dreamapi_error *error)
{
    dream_request request;

    build_by_id(&request, client, "GET", customer_id, options);
    return run(client, "customer_get", &request, out_customer, error);
}

dreamapi_status dreamapi_customer_get_start(dreamapi_client *client, const char *customer_id,
                                            const dreamapi_call_options *options, dreamapi_call **out_call,
                                            dreamapi_error *error)
{
    dream_request request;

    build_by_id(&request, client, "GET", customer_id, options);
    return dream_call_start(client, "customer_get", &noun, &request, out_call, error);
}

static void build_update(dream_request *request, const dreamapi_client *client, const char *customer_id,
                         const dreamapi_customer_update_params *given, const dreamapi_call_options *options)
{
    dreamapi_customer_update_params params;

    build_by_id(request, client, "PATCH", customer_id, options);
    dream_request_params(request, given, &params, sizeof(params));
    dream_request_field(request, "plan", "plan", params.plan);
}

dreamapi_status dreamapi_customer_update(dreamapi_client *client, const char *customer_id,
                                         const dreamapi_customer_update_params *params,
                                         const dreamapi_call_options *options, dreamapi_customer **out_customer,
                                         dreamapi_error *error)
{
    dream_request request;

    build_update(&request, client, customer_id, params, options);
    return run(client, "customer_update", &request, out_customer, error);
}

dreamapi_status dreamapi_customer_update_start(dreamapi_client *client, const char *customer_id,
                                               const dreamapi_customer_update_params *params,
                                               const dreamapi_call_options *options, dreamapi_call **out_call,
                                               dreamapi_error *error)
{
    dream_request request;

    build_update(&request, client, customer_id, params, options);
    return dream_call_start(client, "customer_update", &noun, &request, out_call, error);
}

dreamapi_status dreamapi_customer_delete(dreamapi_client *client, const char *customer_id,
                                         const dreamapi_call_options *options, dreamapi_customer **out_customer,
                                         dreamapi_error *error)
{
    dream_request request;

    build_by_id(&request, client, "DELETE", customer_id, options);
    return run(client, "customer_delete", &request, out_customer, error);
}

dreamapi_status dreamapi_customer_delete_start(dreamapi_client *client, const char *customer_id,
                                               const dreamapi_call_options *options, dreamapi_call **out_call,
                                               dreamapi_error *error)
{
    dream_request request;

    build_by_id(&request, client, "DELETE", customer_id, options);
    return dream_call_start(client, "customer_delete", &noun, &request, out_call, error);
}

dreamapi_status dreamapi_customer_result(dreamapi_call *call, dreamapi_customer **out_customer, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &noun, out_customer == NULL ? NULL : &object, error);

    if (out_customer != NULL)
        *out_customer = object;
    return status;
}

/* ---- the object ---- */

const char *dreamapi_customer_id(const dreamapi_customer *customer)
{
    return customer == NULL ? NULL : customer->id;
}

const char *dreamapi_customer_email(const dreamapi_customer *customer)
{
    return customer == NULL ? NULL : customer->email;
}

const char *dreamapi_customer_first_name(const dreamapi_customer *customer)
{
    return customer == NULL ? NULL : customer->first_name;
}

const char *dreamapi_customer_last_name(const dreamapi_customer *customer)
{
    return customer == NULL ? NULL : customer->last_name;
}

const char *dreamapi_customer_plan(const dreamapi_customer *customer)
{
    return customer == NULL ? NULL : customer->plan;
}

const char *dreamapi_customer_publishable_key(const dreamapi_customer *customer)
{
    return customer == NULL ? NULL : customer->publishable_key;
}

int64_t dreamapi_customer_created_at(const dreamapi_customer *customer)
{
    return customer == NULL ? 0 : customer->created_at;
}

const char *dreamapi_customer_status(const dreamapi_customer *customer)
{
    return customer == NULL ? NULL : customer->status;
}

int64_t dreamapi_customer_usage_count(const dreamapi_customer *customer)
{
    return customer == NULL ? NOT_SAID : customer->usage_count;
}

int64_t dreamapi_customer_usage_limit(const dreamapi_customer *customer)
{
    return customer == NULL ? NOT_SAID : customer->usage_limit;
}

const char *dreamapi_customer_message(const dreamapi_customer *customer)
{
    return customer == NULL ? NULL : customer->message;
}

int dreamapi_customer_success(const dreamapi_customer *customer)
{
    return customer == NULL ? 0 : customer->success;
}

const char *dreamapi_customer_json(const dreamapi_customer *customer)
{
    return customer == NULL ? NULL : customer->document.json;
}

void dreamapi_customer_free(dreamapi_customer *customer)
{
    if (customer == NULL)
        return;
    dream_document_clear(&customer->document);
    free(customer);
}
