/* SPDX-License-Identifier: Apache-2.0 */
/* customer_pages.c - walks over the pages of a list of customers, one call a page. Holds the client, and its own copies of
 * what was asked for. One thread at a time. */
#include <dreamapi/customer.h>
#include <stdlib.h>
#include <string.h>

#include "lib/client.h"
#include "lib/error.h"
#include "lib/params.h"

struct dreamapi_customer_pages {
    dreamapi_client *client; /* held */
    dreamapi_call_options options;
    int64_t limit;
    char *cursor; /* of the next page; NULL: the first. All three are owned */
    char *email;
    char *plan;
    bool is_over;
};

/* False when out of memory. */
static bool copy(const char *text, char **out)
{
    *out = text == NULL ? NULL : strdup(text);
    return text == NULL || *out != NULL;
}

static dreamapi_customer_pages *make(dreamapi_client *client, const dreamapi_customer_list_params *params,
                                     const dreamapi_call_options *options)
{
    dreamapi_customer_pages *pages = calloc(1, sizeof(*pages));

    if (pages == NULL)
        return NULL;
    dream_client_hold(client);
    pages->client = client;
    pages->options = (dreamapi_call_options)DREAMAPI_CALL_OPTIONS_INIT;
    pages->options.timeout_ms = options->timeout_ms;
    pages->limit = params->limit;
    if (copy(params->cursor, &pages->cursor) && copy(params->email, &pages->email) && copy(params->plan, &pages->plan))
        return pages;
    dreamapi_customer_pages_close(pages);
    return NULL;
}

dreamapi_status dreamapi_customer_pages_open(dreamapi_client *client, const dreamapi_customer_list_params *params,
                                             const dreamapi_call_options *options, dreamapi_customer_pages **out_pages,
                                             dreamapi_error *error)
{
    dreamapi_customer_list_params own_params;
    dreamapi_call_options own_options;
    dreamapi_status status;

    if (out_pages == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "out_pages is NULL");
    *out_pages = NULL;
    status = dream_client_check(client, error);
    if (status == DREAMAPI_OK)
        status = dream_params_copy(params, &own_params, sizeof(own_params), error);
    if (status == DREAMAPI_OK)
        status = dream_params_copy(options, &own_options, sizeof(own_options), error);
    if (status != DREAMAPI_OK)
        return status;
    *out_pages = make(client, &own_params, &own_options);
    if (*out_pages == NULL)
        return dream_error_nomem(error);
    dream_error_clear(error);
    return DREAMAPI_OK;
}

/* The walk holds the client's memory only: a client that was freed sends nothing more. */
static dreamapi_status check_client(dreamapi_client *client, dreamapi_error *error)
{
    dreamapi_status status = dream_client_check(client, error);
    bool is_closing;

    if (status != DREAMAPI_OK)
        return status;
    pthread_mutex_lock(&client->lock);
    is_closing = client->is_closing;
    pthread_mutex_unlock(&client->lock);
    if (is_closing)
        return dream_error_refuse(error, DREAMAPI_CANCELLED, "customer_pages_next: the client was freed");
    dream_error_clear(error);
    return DREAMAPI_OK;
}

/* Moves on behind the page that was read. */
static dreamapi_status turn(dreamapi_customer_pages *pages, const dreamapi_customers *page, dreamapi_error *error)
{
    const char *cursor = dreamapi_customers_next_cursor(page);
    char *next = NULL;

    if (cursor != NULL && pages->cursor != NULL && strcmp(cursor, pages->cursor) == 0)
        return dream_error_set(error, DREAMAPI_PROTOCOL, "customer_pages_next: the server's cursor does not move on");
    if (!copy(cursor, &next))
        return dream_error_nomem(error);
    free(pages->cursor);
    pages->cursor = next;
    pages->is_over = next == NULL;
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_customer_pages_next(dreamapi_customer_pages *pages, dreamapi_customers **out_customers,
                                             dreamapi_error *error)
{
    dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;
    dreamapi_customers *page = NULL;
    dreamapi_status status;

    if (out_customers != NULL)
        *out_customers = NULL;
    if (pages == NULL || out_customers == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "pages or out_customers is NULL");
    status = check_client(pages->client, error);
    if (status != DREAMAPI_OK || pages->is_over)
        return status;
    params.limit = pages->limit;
    params.cursor = pages->cursor;
    params.email = pages->email;
    params.plan = pages->plan;
    status = dreamapi_customer_list(pages->client, &params, &pages->options, &page, error);
    if (status == DREAMAPI_OK)
        status = turn(pages, page, error);
    if (status == DREAMAPI_OK)
        *out_customers = page;
    else
        dreamapi_customers_free(page);
    return status;
}

void dreamapi_customer_pages_close(dreamapi_customer_pages *pages)
{
    if (pages == NULL)
        return;
    free(pages->cursor);
    free(pages->email);
    free(pages->plan);
    dream_client_release(pages->client);
    free(pages);
}
