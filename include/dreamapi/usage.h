/* SPDX-License-Identifier: Apache-2.0 */
/** @file usage.h
 * Usage: what a user has used of their plan in this period, and using one more.
 *
 * Whose usage: `user_id` names the user, which needs a secret key and a server
 * that takes user ids (the extension `server-side`); with `user_id` NULL it is the user of
 * dreamapi_call_options.user_token. Giving both is DREAMAPI_INVALID. Neither, or a user id that this
 * client or server cannot use, is DREAMAPI_TOKEN_REQUIRED with nothing sent.
 *
 * After the server answered that a user makes too many requests, the client
 * itself refuses further ones for that user (DREAMAPI_RATE_LIMITED, dreamapi_error.local 1)
 * until the time that the server named is over.
 *
 * A usage object is a value: it is owned by whoever received it, does not change,
 * and outlives client and call. Any thread may read it; texts are borrowed until
 * dreamapi_usage_free. Accessors take NULL. */
#ifndef DREAMAPI_USAGE_H
#define DREAMAPI_USAGE_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a user used, and what the plan allows. */
typedef struct dreamapi_usage dreamapi_usage;

/** How to count. There is nothing to choose yet. */
typedef struct dreamapi_usage_track_params {
    /** sizeof(dreamapi_usage_track_params), set by DREAMAPI_USAGE_TRACK_PARAMS_INIT. */
    size_t struct_size;
} dreamapi_usage_track_params;

/** Every field at its default. */
#define DREAMAPI_USAGE_TRACK_PARAMS_INIT                                                                               \
    {                                                                                                                  \
        sizeof(dreamapi_usage_track_params)                                                                            \
    }

/** Reads a user's usage (GET /api/usage); counts nothing. `*out_usage` is owned, NULL on failure; may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_usage_get(dreamapi_client *client, const char *user_id,
                                                const dreamapi_call_options *options, dreamapi_usage **out_usage,
                                                dreamapi_error *error);
/** dreamapi_usage_get without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_usage_get_start(dreamapi_client *client, const char *user_id,
                                                      const dreamapi_call_options *options, dreamapi_call **out_call,
                                                      dreamapi_error *error);

/** Counts one unit if the plan allows it (POST /api/data); `params` may be NULL. DREAMAPI_OK: counted. DREAMAPI_LIMIT: refused, nothing
 * counted; dreamapi_error.used and .limit tell. DREAMAPI_OUTCOME_UNKNOWN: may have been counted. `*out_usage` is owned, NULL on
 * failure; may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_usage_track(dreamapi_client *client, const char *user_id,
                                                  const dreamapi_usage_track_params *params,
                                                  const dreamapi_call_options *options, dreamapi_usage **out_usage,
                                                  dreamapi_error *error);
/** dreamapi_usage_track without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_usage_track_start(dreamapi_client *client, const char *user_id,
                                                        const dreamapi_usage_track_params *params,
                                                        const dreamapi_call_options *options, dreamapi_call **out_call,
                                                        dreamapi_error *error);

/** Takes the usage out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_usage` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_usage_result(dreamapi_call *call, dreamapi_usage **out_usage,
                                                   dreamapi_error *error);

/** The user's id; NULL when the answer does not say (after dreamapi_usage_track). */
DREAMAPI_API const char *dreamapi_usage_user_id(const dreamapi_usage *usage);
/** The name of the tier in force; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_usage_plan(const dreamapi_usage *usage);
/** Units used in this period; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_usage_usage_count(const dreamapi_usage *usage);
/** The same number under the wire's other name. */
DREAMAPI_API int64_t dreamapi_usage_count(const dreamapi_usage *usage);
/** Units the plan allows in a period, or DREAMAPI_UNLIMITED; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_usage_limit(const dreamapi_usage *usage);
/** Units left, or DREAMAPI_UNLIMITED; never negative. Limit minus count where the answer does not say. 0 for NULL. */
DREAMAPI_API int64_t dreamapi_usage_remaining(const dreamapi_usage *usage);
/** First day of the period, "YYYY-MM-DD" in UTC; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_usage_period_start(const dreamapi_usage *usage);
/** Last day of the period, "YYYY-MM-DD" in UTC; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_usage_period_end(const dreamapi_usage *usage);
/** The server's remark on what it did; NULL if it made none. */
DREAMAPI_API const char *dreamapi_usage_message(const dreamapi_usage *usage);
/** 1 unless the answer says "success": false; 0 for NULL. */
DREAMAPI_API int dreamapi_usage_success(const dreamapi_usage *usage);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_usage_json(const dreamapi_usage *usage);
/** Releases the object. NULL is fine. */
DREAMAPI_API void dreamapi_usage_free(dreamapi_usage *usage);

#ifdef __cplusplus
}
#endif

#endif
