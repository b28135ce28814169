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
/** The server's remark on what it did; NULL if it made none. */
DREAMAPI_API const char *dreamapi_customer_message(const dreamapi_customer *customer);
/** 1 unless the answer says "success": false; 0 for NULL. */
DREAMAPI_API int dreamapi_customer_success(const dreamapi_customer *customer);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_customer_json(const dreamapi_customer *customer);
/** Releases the object. NULL is fine. */
DREAMAPI_API void dreamapi_customer_free(dreamapi_customer *customer);

#ifdef __cplusplus
}
#endif

#endif
