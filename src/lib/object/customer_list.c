/* SPDX-License-Identifier: Apache-2.0 */
/* customer_list.c - dreamapi_customer_list and dreamapi_customers_*: the call, and the page it brings. Walking over
 * pages is customer_pages.c. */
#include <stdlib.h>

#include "lib/extensions.h"
#include "lib/object/customer.h"

struct dreamapi_customers {
    dream_document document;
    dream_list list;
    const char *next_cursor;
};

static const dream_field fields[] = {
    { "nextCursor", DREAM_FIELD_TEXT, offsetof(dreamapi_customers, next_cursor), false, 0 },
};

static void release(void *object)
{
    dreamapi_customers_free(object);
}

static dreamapi_status read_item(void *item, const cJSON *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_customer *customer = item;

    customer->success = true;
    return dream_customer_read(customer, object, problem);
}

static const dream_list_kind kind = { "customers", NULL, 0, sizeof(dreamapi_customer), read_item };

static dreamapi_status read_customers(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_customers *customers = object;
    const cJSON *root = customers->document.root;
    dreamapi_status status = dream_fields_read(root, fields, sizeof(fields) / sizeof(fields[0]), customers, problem);

    if (status != DREAMAPI_OK)
        return status;
    /* A cursor that says nothing would begin at the first page again. */
    if (customers->next_cursor != NULL && customers->next_cursor[0] == '\0')
        return dream_document_problem(problem, "nextCursor", "is empty");
    return dream_list_read(root, &kind, &customers->list, problem);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_customers), read_customers, release, out_object, problem);
}

static const dream_noun noun = { "list of customers", parse, release };

/* ---- calls ---- */

static void build_list(dream_request *request, const dreamapi_client *client,
                       const dreamapi_customer_list_params *given, const dreamapi_call_options *options)
{
    dreamapi_customer_list_params params;

    dream_request_begin(request, client, "GET", "/api/customers", options);
    dream_request_params(request, given, &params, sizeof(params));
    if (params.limit < 0)
        dream_request_refuse(request, "limit is negative");
    if (params.limit > 0)
        dream_request_query_int(request, "limit", params.limit);
    dream_request_query(request, "cursor", "cursor", params.cursor);
    dream_request_query(request, "email", "email", params.email);
    dream_request_query(request, "plan", "plan", params.plan);
    request->needed_extension = DREAM_EXTENSION_CUSTOMER_LIST;
}

dreamapi_status dreamapi_customer_list(dreamapi_client *client, const dreamapi_customer_list_params *params,
                                       const dreamapi_call_options *options, dreamapi_customers **out_customers,
                                       dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    build_list(&request, client, params, options);
    status = dream_call_run(client, "customer_list", &noun, &request, &object, error);
    if (out_customers != NULL)
        *out_customers = object;
    else
        dreamapi_customers_free(object);
    return status;
}

dreamapi_status dreamapi_customer_list_start(dreamapi_client *client, const dreamapi_customer_list_params *params,
                                             const dreamapi_call_options *options, dreamapi_call **out_call,
                                             dreamapi_error *error)
{
    dream_request request;

    build_list(&request, client, params, options);
    return dream_call_start(client, "customer_list", &noun, &request, out_call, error);
}

dreamapi_status dreamapi_customers_result(dreamapi_call *call, dreamapi_customers **out_customers,
                                          dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &noun, out_customers == NULL ? NULL : &object, error);

    if (out_customers != NULL)
        *out_customers = object;
    return status;
}

/* ---- the page ---- */

size_t dreamapi_customers_count(const dreamapi_customers *customers)
{
    return customers == NULL ? 0 : customers->list.count;
}

const dreamapi_customer *dreamapi_customers_at(const dreamapi_customers *customers, size_t index)
{
    const dreamapi_customer *items = customers == NULL ? NULL : customers->list.items;

    return customers == NULL || index >= customers->list.count ? NULL : &items[index];
}

const char *dreamapi_customers_next_cursor(const dreamapi_customers *customers)
{
    return customers == NULL ? NULL : customers->next_cursor;
}

const char *dreamapi_customers_json(const dreamapi_customers *customers)
{
    return customers == NULL ? NULL : customers->document.json;
}

void dreamapi_customers_free(dreamapi_customers *customers)
{
    if (customers == NULL)
        return;
    dream_document_clear(&customers->document);
    free(customers->list.items);
    free(customers);
}
