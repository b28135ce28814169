/* SPDX-License-Identifier: Apache-2.0 */
/** @file usage_batch.h
 * Usage reported afterwards, many events at once, each counted at most once by its id. Needs the secret key
 * and a server with the extension `usage-batch`; else DREAMAPI_UNSUPPORTED with nothing sent.
 *
 * A list of outcomes is a value: it is owned by whoever received it, does not
 * change, and outlives client and call. Any thread may read it. Its outcomes and their
 * texts are borrowed until dreamapi_usage_outcomes_free. Accessors take NULL. */
#ifndef DREAMAPI_USAGE_BATCH_H
#define DREAMAPI_USAGE_BATCH_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The most events of one call. */
#define DREAMAPI_USAGE_BATCH_MAX 1000

/** Units that a user used. Unlike other structs this one lies in arrays, so it has no size of its own and does not grow. Zero
 * it, then set what you need. */
typedef struct dreamapi_usage_event {
    /** What the event is counted once by; best one that sorts by time, such as a UUIDv7. NULL makes one: then the library itself
     * never counts it twice, but you cannot repeat the call yourself. */
    const char *id;
    /** Required. */
    const char *user_id;
    /** NULL takes the default meter. */
    const char *meter;
    /** From 1 up; 0 counts as 1. Negative ones are DREAMAPI_INVALID. */
    int64_t units;
    /** When it happened, in milliseconds since 1970-01-01T00:00Z; 0: when it reaches the server. Negative ones are DREAMAPI_INVALID. */
    int64_t at_ms;
} dreamapi_usage_event;

/** What became of one event. */
typedef struct dreamapi_usage_outcome dreamapi_usage_outcome;
/** What became of each event, in the order in which they were given. */
typedef struct dreamapi_usage_outcomes dreamapi_usage_outcomes;

/** Reports `count` events, 1 to DREAMAPI_USAGE_BATCH_MAX (POST /api/usage/batch); all are copied. DREAMAPI_OK: the server looked at each; what it
 * found is in the outcomes, and some may have been refused. `*out_outcomes` is owned, NULL on failure; may be NULL. With an id in every
 * event an unclear outcome is repeated by the library, and may be by you, since an event that was counted is not counted again. */
DREAMAPI_API dreamapi_status dreamapi_usage_batch(dreamapi_client *client, const dreamapi_usage_event *events,
                                                  size_t count, const dreamapi_call_options *options,
                                                  dreamapi_usage_outcomes **out_outcomes, dreamapi_error *error);
/** dreamapi_usage_batch without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_usage_batch_start(dreamapi_client *client, const dreamapi_usage_event *events,
                                                        size_t count, const dreamapi_call_options *options,
                                                        dreamapi_call **out_call, dreamapi_error *error);
/** Takes the outcomes out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_outcomes` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_usage_outcomes_result(dreamapi_call *call, dreamapi_usage_outcomes **out_outcomes,
                                                            dreamapi_error *error);

/** Number of outcomes, which is the number of events; 0 for NULL. */
DREAMAPI_API size_t dreamapi_usage_outcomes_count(const dreamapi_usage_outcomes *outcomes);
/** One of them, borrowed from the list; NULL past the end. */
DREAMAPI_API const dreamapi_usage_outcome *dreamapi_usage_outcomes_at(const dreamapi_usage_outcomes *outcomes,
                                                                      size_t index);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_usage_outcomes_json(const dreamapi_usage_outcomes *outcomes);
/** Releases the list and its outcomes. NULL is fine. */
DREAMAPI_API void dreamapi_usage_outcomes_free(dreamapi_usage_outcomes *outcomes);

/** The event's id, given or made; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_usage_outcome_id(const dreamapi_usage_outcome *outcome);
/** "applied": counted now. "duplicate": counted before, also by an earlier try of this call. "limit": the plan has too few units
 * left, nothing counted. "error": nothing counted, see dreamapi_usage_outcome_error. Others may be added. Never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_usage_outcome_status(const dreamapi_usage_outcome *outcome);
/** What was wrong with the event, in the server's words; NULL if nothing was. */
DREAMAPI_API const char *dreamapi_usage_outcome_error(const dreamapi_usage_outcome *outcome);

#ifdef __cplusplus
}
#endif

#endif
