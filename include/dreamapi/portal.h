/* SPDX-License-Identifier: Apache-2.0 */
/** @file portal.h
 * Portals: a page where a user sees and changes what they pay for: cancels, changes
 * plan or card, reads invoices.
 *
 * A portal object is a value: it is owned by whoever received it, does not
 * change, and outlives client and call. Any thread may read it; texts are borrowed
 * until dreamapi_portal_free. Accessors take NULL. */
#ifndef DREAMAPI_PORTAL_H
#define DREAMAPI_PORTAL_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A page where a user manages what they pay for. */
typedef struct dreamapi_portal dreamapi_portal;

/** Whose portal. NULL fields are not sent. */
typedef struct dreamapi_portal_params {
    /** sizeof(dreamapi_portal_params), set by DREAMAPI_PORTAL_PARAMS_INIT. */
    size_t struct_size;
    /** The paying user. Needs a secret key and a server that takes user ids; else give dreamapi_call_options.user_token
     * and leave this NULL. */
    const char *user_id;
    /** Where the page sends the user back to; NULL takes the server's choice. A server may not heed it. */
    const char *return_url;
} dreamapi_portal_params;

/** No field set. */
#define DREAMAPI_PORTAL_PARAMS_INIT                                                                                    \
    {                                                                                                                  \
        sizeof(dreamapi_portal_params), NULL, NULL                                                                     \
    }

/** Makes a portal page (POST /api/customer-portal); `params` may be NULL when a user token is given. `*out_portal` is owned,
 * NULL on failure; may be NULL. DREAMAPI_TOKEN_REQUIRED, with nothing sent: no token, and no user id that this client and server
 * could use. DREAMAPI_INVALID also when the user never paid for anything. Any other status of a call may come. */
DREAMAPI_API dreamapi_status dreamapi_portal_create(dreamapi_client *client, const dreamapi_portal_params *params,
                                                    const dreamapi_call_options *options, dreamapi_portal **out_portal,
                                                    dreamapi_error *error);
/** dreamapi_portal_create without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_portal_create_start(dreamapi_client *client, const dreamapi_portal_params *params,
                                                          const dreamapi_call_options *options,
                                                          dreamapi_call **out_call, dreamapi_error *error);

/** Takes the portal out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_portal` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_portal_result(dreamapi_call *call, dreamapi_portal **out_portal,
                                                    dreamapi_error *error);

/** The address to send the user to; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_portal_url(const dreamapi_portal *portal);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_portal_json(const dreamapi_portal *portal);
/** Releases the object. NULL is fine. */
DREAMAPI_API void dreamapi_portal_free(dreamapi_portal *portal);

#ifdef __cplusplus
}
#endif

#endif
