/* SPDX-License-Identifier: Apache-2.0 */
/** @file health.h
 * Is the service up, and which extensions of the contract does it announce?
 *
 * A health object is a value: it is owned by whoever received it, does not
 * change, and outlives client and call. Any thread may read it; texts are borrowed
 * until dreamapi_health_free. Accessors take NULL. */
#ifndef DREAMAPI_HEALTH_H
#define DREAMAPI_HEALTH_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the service says about itself. */
typedef struct dreamapi_health dreamapi_health;

/** Asks the service (GET /health), sending no key. `*out_health` is owned, NULL on failure; may be NULL. What it announces is
 * also what the client goes by from then on. */
DREAMAPI_API dreamapi_status dreamapi_health_get(dreamapi_client *client, const dreamapi_call_options *options,
                                                 dreamapi_health **out_health, dreamapi_error *error);
/** dreamapi_health_get without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_health_get_start(dreamapi_client *client, const dreamapi_call_options *options,
                                                       dreamapi_call **out_call, dreamapi_error *error);

/** Takes the object out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_health` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_health_result(dreamapi_call *call, dreamapi_health **out_health,
                                                    dreamapi_error *error);

/** "ok" when all is well; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_health_status(const dreamapi_health *health);
/** Number of announced extensions; 0 for NULL, and for a server that knows of none. */
DREAMAPI_API size_t dreamapi_health_extension_count(const dreamapi_health *health);
/** The name of one of them, such as "idempotency"; NULL past the end. */
DREAMAPI_API const char *dreamapi_health_extension(const dreamapi_health *health, size_t index);
/** 1 if the server announces this extension. NULL is never announced. */
DREAMAPI_API int dreamapi_health_has_extension(const dreamapi_health *health, const char *name);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_health_json(const dreamapi_health *health);
/** Releases the object. NULL is fine. */
DREAMAPI_API void dreamapi_health_free(dreamapi_health *health);

#ifdef __cplusplus
}
#endif

#endif
