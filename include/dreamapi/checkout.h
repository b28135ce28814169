/* SPDX-License-Identifier: Apache-2.0 */
/** @file checkout.h
 * Checkouts: a page where a user pays for a tier.
 *
 * A checkout object is a value: it is owned by whoever received it, does not
 * change, and outlives client and call. Any thread may read it; texts are borrowed
 * until dreamapi_checkout_free. Accessors take NULL. */
#ifndef DREAMAPI_CHECKOUT_H
#define DREAMAPI_CHECKOUT_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A page where a user pays. */
typedef struct dreamapi_checkout dreamapi_checkout;

/** Who buys what. NULL fields are not sent. */
typedef struct dreamapi_checkout_params {
    /** sizeof(dreamapi_checkout_params), set by DREAMAPI_CHECKOUT_PARAMS_INIT. */
    size_t struct_size;
    /** The buying user. Needs a secret key and a server that takes user ids; else give dreamapi_call_options.user_token
     * and leave this NULL. */
    const char *user_id;
    /** The tier's id or its display name; the server's choice is "pro". */
    const char *tier;
    /** One of the tier's prices; NULL takes the tier's own. */
    const char *price_id;
    /** Where the page sends the user after paying; NULL takes the server's choice. */
    const char *success_url;
    /** Where the page sends the user who does not pay; NULL takes the server's choice. */
    const char *cancel_url;
} dreamapi_checkout_params;

/** No field set. */
#define DREAMAPI_CHECKOUT_PARAMS_INIT                                                                                  \
    {                                                                                                                  \
        sizeof(dreamapi_checkout_params), NULL, NULL, NULL, NULL, NULL                                                 \
    }

/** Makes a checkout page (POST /api/create-checkout); `params` may be NULL when a user token is given. `*out_checkout` is
 * owned, NULL on failure; may be NULL. DREAMAPI_TOKEN_REQUIRED, with nothing sent: no token, and no user id that this client and
 * server could use. Any other status of a call may come. */
DREAMAPI_API dreamapi_status dreamapi_checkout_create(dreamapi_client *client, const dreamapi_checkout_params *params,
                                                      const dreamapi_call_options *options,
                                                      dreamapi_checkout **out_checkout, dreamapi_error *error);
/** dreamapi_checkout_create without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_checkout_create_start(dreamapi_client *client,
                                                            const dreamapi_checkout_params *params,
                                                            const dreamapi_call_options *options,
                                                            dreamapi_call **out_call, dreamapi_error *error);

/** Takes the checkout out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_checkout` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_checkout_result(dreamapi_call *call, dreamapi_checkout **out_checkout,
                                                      dreamapi_error *error);

/** The address to send the user to; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_checkout_url(const dreamapi_checkout *checkout);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_checkout_json(const dreamapi_checkout *checkout);
/** Releases the object. NULL is fine. */
DREAMAPI_API void dreamapi_checkout_free(dreamapi_checkout *checkout);

#ifdef __cplusplus
}
#endif

#endif
