/* SPDX-License-Identifier: Apache-2.0 */
/** @file customer.h
 * Customers: the developer's own users, made and managed by a backend. These
 * calls need the secret key.
 *
 * A customer object is a value: it is owned by whoever received it, does not
 * change, and outlives client and call. Any thread may read it; texts are borrowed
 * until dreamapi_customer_free. Accessors take NULL. */
#ifndef DREAMAPI_CUSTOMER_H
#define DREAMAPI_CUSTOMER_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the service says about a customer. */
typedef struct dreamapi_customer dreamapi_customer;

/** A customer to create. NULL fields are not sent. */
typedef struct dreamapi_customer_params {
    /** sizeof(dreamapi_customer_params), set by DREAMAPI_CUSTOMER_PARAMS_INIT. */
    size_t struct_size;
    /** Required. */
    const char *email;
    /** Any text. */
    const char *first_name;
    /** Any text. */
    const char *last_name;
    /** The name of a tier; the server's choice is "free". */
    const char *plan;
    /** NULL: the customer signs in by other means. Wiped after sending. */
    const char *password;
} dreamapi_customer_params;

/** No field set. */
#define DREAMAPI_CUSTOMER_PARAMS_INIT                                                                                  \
    {                                                                                                                  \
        sizeof(dreamapi_customer_params), NULL, NULL, NULL, NULL, NULL                                                 \
    }

/** What to change of a customer. NULL fields stay as they are. */
typedef struct dreamapi_customer_update_params {
    /** sizeof(dreamapi_customer_update_params), set by DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT. */
    size_t struct_size;
    /** The name of a tier. */
    const char *plan;
} dreamapi_customer_update_params;

/** No field set. */
#define DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT                                                                           \
    {                                                                                                                  \
        sizeof(dreamapi_customer_update_params), NULL                                                                  \
    }

/** Creates a customer (POST /api/customers). `*out_customer` is owned, NULL on failure; `out_customer` may be NULL.
 * DREAMAPI_INVALID also when the address is taken. Any status of a call may come. */
DREAMAPI_API dreamapi_status dreamapi_customer_create(dreamapi_client *client, const dreamapi_customer_params *params,
                                                      const dreamapi_call_options *options,
                                                      dreamapi_customer **out_customer, dreamapi_error *error);
/** dreamapi_customer_create without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_customer_create_start(dreamapi_client *client,
                                                            const dreamapi_customer_params *params,
                                                            const dreamapi_call_options *options,
                                                            dreamapi_call **out_call, dreamapi_error *error);

/** Reads a customer (GET /api/customers/{id}). `*out_customer` is owned, NULL on failure; may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_customer_get(dreamapi_client *client, const char *customer_id,
                                                   const dreamapi_call_options *options,
                                                   dreamapi_customer **out_customer, dreamapi_error *error);
/** dreamapi_customer_get without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_customer_get_start(dreamapi_client *client, const char *customer_id,
                                                         const dreamapi_call_options *options, dreamapi_call **out_call,
                                                         dreamapi_error *error);

/** Changes a customer (PATCH /api/customers/{id}); `params` may be NULL, which changes nothing. `*out_customer` is owned,
 * NULL on failure; may be NULL. The answer holds id, email and plan only. It sets values, so it is repeated like a GET. */
DREAMAPI_API dreamapi_status dreamapi_customer_update(dreamapi_client *client, const char *customer_id,
                                                      const dreamapi_customer_update_params *params,
                                                      const dreamapi_call_options *options,
                                                      dreamapi_customer **out_customer, dreamapi_error *error);
/** dreamapi_customer_update without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_customer_update_start(dreamapi_client *client, const char *customer_id,
                                                            const dreamapi_customer_update_params *params,
                                                            const dreamapi_call_options *options,
                                                            dreamapi_call **out_call, dreamapi_error *error);

/** Deletes a customer (DELETE /api/customers/{id}). `*out_customer` tells who it was (id and email); owned, NULL on
 * failure; may be NULL. DREAMAPI_NOT_FOUND after a retry can mean that the first try did it: the message says so. */
DREAMAPI_API dreamapi_status dreamapi_customer_delete(dreamapi_client *client, const char *customer_id,
                                                      const dreamapi_call_options *options,
                                                      dreamapi_customer **out_customer, dreamapi_error *error);
/** dreamapi_customer_delete without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_customer_delete_start(dreamapi_client *client, const char *customer_id,
                                                            const dreamapi_call_options *options,
                                                            dreamapi_call **out_call, dreamapi_error *error);

/** Takes the customer out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_customer` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_customer_result(dreamapi_call *call, dreamapi_customer **out_customer,
                                                      dreamapi_error *error);

/** The customer's id, never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_customer_id(const dreamapi_customer *customer);
/** NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_customer_email(const dreamapi_customer *customer);
/** NULL when not known. */
DREAMAPI_API const char *dreamapi_customer_first_name(const dreamapi_customer *customer);
/** NULL when not known. */
DREAMAPI_API const char *dreamapi_customer_last_name(const dreamapi_customer *customer);
/** The name of the tier; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_customer_plan(const dreamapi_customer *customer);
/** The project's publishable key; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_customer_publishable_key(const dreamapi_customer *customer);
/** Milliseconds since 1970-01-01T00:00Z; 0 when the answer does not say. */
DREAMAPI_API int64_t dreamapi_customer_created_at(const dreamapi_customer *customer);
/** The subscription's, as in "active"; "none" without one; NULL when the answer does not say (only lists do). */
DREAMAPI_API const char *dreamapi_customer_status(const dreamapi_customer *customer);
/** Units used in this period; -1 when the answer does not say (only lists do), and for NULL. */
DREAMAPI_API int64_t dreamapi_customer_usage_count(const dreamapi_customer *customer);
/** Units the plan allows in a period, or DREAMAPI_UNLIMITED; -1 when the answer does not say (only lists do), and for NULL. */
DREAMAPI_API int64_t dreamapi_customer_usage_limit(const dreamapi_customer *customer);
/** The server's remark on what it did; NULL if it made none. */
DREAMAPI_API const char *dreamapi_customer_message(const dreamapi_customer *customer);
/** 1 unless the answer says "success": false; 0 for NULL. */
DREAMAPI_API int dreamapi_customer_success(const dreamapi_customer *customer);
/** The whole answer as it came; NULL for NULL and for a customer of a list. */
DREAMAPI_API const char *dreamapi_customer_json(const dreamapi_customer *customer);
/** Releases the object. NULL is fine. Not for a customer of a list, which is the list's. */
DREAMAPI_API void dreamapi_customer_free(dreamapi_customer *customer);

/** One page of a list of customers. A value, like a customer; its customers and their texts are borrowed until
 * dreamapi_customers_free. */
typedef struct dreamapi_customers dreamapi_customers;

/** Which customers, and how many at once. NULL fields are not sent. */
typedef struct dreamapi_customer_list_params {
    /** sizeof(dreamapi_customer_list_params), set by DREAMAPI_CUSTOMER_LIST_PARAMS_INIT. */
    size_t struct_size;
    /** The most customers on a page; 0 takes the server's choice. A server has its own upper bound. Negative ones are
     * DREAMAPI_INVALID. */
    int64_t limit;
    /** Where to go on: dreamapi_customers_next_cursor of the page before, with the same `email` and `plan`; NULL: from the
     * beginning. */
    const char *cursor;
    /** Only those whose address begins with this. */
    const char *email;
    /** Only those on the tier of this name. */
    const char *plan;
} dreamapi_customer_list_params;

/** No field set. */
#define DREAMAPI_CUSTOMER_LIST_PARAMS_INIT                                                                             \
    {                                                                                                                  \
        sizeof(dreamapi_customer_list_params), 0, NULL, NULL, NULL                                                     \
    }

/** Reads one page of the project's customers, newest first (GET /api/customers); `params` may be NULL. Needs a server with the
 * extension `customer-list`; else DREAMAPI_UNSUPPORTED with nothing sent. `*out_customers` is owned, NULL on failure; may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_customer_list(dreamapi_client *client,
                                                    const dreamapi_customer_list_params *params,
                                                    const dreamapi_call_options *options,
                                                    dreamapi_customers **out_customers, dreamapi_error *error);
/** dreamapi_customer_list without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_customer_list_start(dreamapi_client *client,
                                                          const dreamapi_customer_list_params *params,
                                                          const dreamapi_call_options *options,
                                                          dreamapi_call **out_call, dreamapi_error *error);
/** Takes the page out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_customers` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_customers_result(dreamapi_call *call, dreamapi_customers **out_customers,
                                                       dreamapi_error *error);

/** Number of customers on the page; 0 for NULL. */
DREAMAPI_API size_t dreamapi_customers_count(const dreamapi_customers *customers);
/** One of them, borrowed from the page; NULL past the end. */
DREAMAPI_API const dreamapi_customer *dreamapi_customers_at(const dreamapi_customers *customers, size_t index);
/** Where the next page begins; NULL when this is the last one. One with few customers, or none, need not be the last. */
DREAMAPI_API const char *dreamapi_customers_next_cursor(const dreamapi_customers *customers);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_customers_json(const dreamapi_customers *customers);
/** Releases the page and its customers. NULL is fine. */
DREAMAPI_API void dreamapi_customers_free(dreamapi_customers *customers);

/** A walk over all pages of a list. Used by one thread at a time. It keeps its client's memory alive, so both may be closed in any
 * order; after a fork the child can only close it. */
typedef struct dreamapi_customer_pages dreamapi_customer_pages;

/** Begins a walk at `params->cursor`, or at the beginning; `params` may be NULL. Nothing is sent yet. Of `options` the walk keeps
 * timeout_ms, which counts for each page; all else is ignored. `*out_pages` is owned (dreamapi_customer_pages_close), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_customer_pages_open(dreamapi_client *client,
                                                          const dreamapi_customer_list_params *params,
                                                          const dreamapi_call_options *options,
                                                          dreamapi_customer_pages **out_pages, dreamapi_error *error);
/** Reads the next page; waits. `*out_customers` is owned; with DREAMAPI_OK and NULL the walk is over. After a failure the same page
 * may be asked for again. DREAMAPI_CANCELLED: the client was freed. DREAMAPI_PROTOCOL also if the server's cursor does not move on. */
DREAMAPI_API dreamapi_status dreamapi_customer_pages_next(dreamapi_customer_pages *pages,
                                                          dreamapi_customers **out_customers, dreamapi_error *error);
/** Ends the walk. NULL is fine. Pages that were read stay valid. */
DREAMAPI_API void dreamapi_customer_pages_close(dreamapi_customer_pages *pages);

#ifdef __cplusplus
}
#endif

#endif
