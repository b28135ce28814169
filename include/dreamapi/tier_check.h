/* SPDX-License-Identifier: Apache-2.0 */
/** @file tier_check.h
 * "Is this user's plan at least X?", "does it have the feature Y?", mostly answered without a request.
 *
 * The list of tiers (GET /api/tiers) is kept by the client. For five minutes it is used as it is; for an hour it is used while
 * it is fetched anew in the background; when it is older, or missing, a check waits for it. Many threads that need it at once
 * cause one request. A tier that is not in the list is looked for in a new one, at most every ten seconds.
 *
 * Plans are in the order of their tiers' prices, and where prices are equal, in the order of the server's list. Names of plans compare
 * without regard to the case of ASCII letters, features by every byte. */
#ifndef DREAMAPI_TIER_CHECK_H
#define DREAMAPI_TIER_CHECK_H

#include <dreamapi/call.h>
#include <dreamapi/meter.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The question: either min_plan or feature. */
typedef struct dreamapi_tier_check_params {
    /** sizeof(dreamapi_tier_check_params), set by DREAMAPI_TIER_CHECK_PARAMS_INIT. */
    size_t struct_size;
    /** Allowed if the user's plan is this one or a later one in the order of plans. */
    const char *min_plan;
    /** Allowed if the tier of the user's plan lists this feature. */
    const char *feature;
    /** The user's plan, if it is known already, as from dreamapi_decision.plan: then neither user_id nor token is needed. NULL: it
     * is found out. */
    const char *plan;
    /** How old a remembered plan of the user may be, in milliseconds; 0: the server is asked each time. */
    int64_t max_age_ms;
} dreamapi_tier_check_params;

/** No question yet; a plan may be remembered for a minute. */
#define DREAMAPI_TIER_CHECK_PARAMS_INIT                                                                                \
    {                                                                                                                  \
        sizeof(dreamapi_tier_check_params), NULL, NULL, NULL, 60000                                                    \
    }

/** The answer. The caller owns the memory, and there is nothing to free. Functions write all of it and read nothing. */
typedef struct dreamapi_tier_verdict {
    /** 1: yes. 0 also after every failure. */
    int allowed;
    /** Where the user's plan comes from: DREAMAPI_SOURCE_CALLER, _LEASE (a meter's), _CACHE (remembered) or _SERVER. */
    dreamapi_source source;
    /** How old the older of the plan and the list of tiers is, in milliseconds; -1 without an answer. */
    int64_t age_ms;
    /** The user's plan; "" when it is not known. */
    char plan[256];
    /** Zero; room to grow. */
    int64_t reserved[4];
} dreamapi_tier_verdict;

/** Asks about one user: `user_id` (with the secret key, to a server with the extension `server-side`), or NULL and
 * dreamapi_call_options.user_token, as for dreamapi_usage_get; the plan is taken from the user's meter "default" or from an earlier check
 * if that is young enough, else from GET /api/usage. `options` may be NULL; its timeout covers all.
 * DREAMAPI_OK: `*out_verdict` has the answer, yes or no. A plan that is no tier of the list has no feature and is below every tier.
 * DREAMAPI_NOT_FOUND: there is no tier min_plan (dreamapi_error.local 1), or no such user. Else what fetching the list or the plan came to.
 * Any thread; waits as blocking calls do, with threads = 0 too. */
DREAMAPI_API dreamapi_status dreamapi_tier_check(dreamapi_client *client, const char *user_id,
                                                 const dreamapi_tier_check_params *params,
                                                 const dreamapi_call_options *options,
                                                 dreamapi_tier_verdict *out_verdict, dreamapi_error *error);

#ifdef __cplusplus
}
#endif

#endif
