/* SPDX-License-Identifier: Apache-2.0 */
/** @file usage_history.h
 * Usage day by day, with what became of subscriptions meanwhile, of one user or of the whole project. Needs the
 * secret key and a server with the extension `usage-history`; else DREAMAPI_UNSUPPORTED with nothing sent.
 *
 * A history is a value: it is owned by whoever received it, does not change, and
 * outlives client and call. Any thread may read it. Its days, events and texts are borrowed until
 * dreamapi_history_free. Accessors take NULL. */
#ifndef DREAMAPI_USAGE_HISTORY_H
#define DREAMAPI_USAGE_HISTORY_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Usage day by day. */
typedef struct dreamapi_history dreamapi_history;
/** One day of a history. */
typedef struct dreamapi_history_day dreamapi_history_day;
/** What became of a subscription. */
typedef struct dreamapi_history_event dreamapi_history_event;

/** Which history. NULL fields are not sent. */
typedef struct dreamapi_usage_history_params {
    /** sizeof(dreamapi_usage_history_params), set by DREAMAPI_USAGE_HISTORY_PARAMS_INIT. */
    size_t struct_size;
    /** Whose; NULL: the whole project's. */
    const char *user_id;
    /** The first day, "YYYY-MM-DD" in UTC; NULL takes the server's choice, 30 days up to `to`. */
    const char *from;
    /** The last day, which belongs to it; NULL: today. */
    const char *to;
    /** Of which meter; NULL takes the default meter. */
    const char *meter;
} dreamapi_usage_history_params;

/** No field set. */
#define DREAMAPI_USAGE_HISTORY_PARAMS_INIT                                                                             \
    {                                                                                                                  \
        sizeof(dreamapi_usage_history_params), NULL, NULL, NULL, NULL                                                  \
    }

/** Reads a history (GET /api/usage/history); `params` may be NULL. DREAMAPI_INVALID also for days that the server does not take, such as
 * too many. `*out_history` is owned, NULL on failure; may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_usage_history(dreamapi_client *client,
                                                    const dreamapi_usage_history_params *params,
                                                    const dreamapi_call_options *options,
                                                    dreamapi_history **out_history, dreamapi_error *error);
/** dreamapi_usage_history without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_usage_history_start(dreamapi_client *client,
                                                          const dreamapi_usage_history_params *params,
                                                          const dreamapi_call_options *options,
                                                          dreamapi_call **out_call, dreamapi_error *error);
/** Takes the history out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_history` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_history_result(dreamapi_call *call, dreamapi_history **out_history,
                                                     dreamapi_error *error);

/** Whose history; NULL: the whole project's. */
DREAMAPI_API const char *dreamapi_history_user_id(const dreamapi_history *history);
/** Of which meter; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_history_meter(const dreamapi_history *history);
/** The first day, "YYYY-MM-DD" in UTC; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_history_from(const dreamapi_history *history);
/** The last day, "YYYY-MM-DD" in UTC; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_history_to(const dreamapi_history *history);
/** Number of days, without gaps, oldest first; 0 for NULL. */
DREAMAPI_API size_t dreamapi_history_day_count(const dreamapi_history *history);
/** One of them, borrowed from the history; NULL past the end. */
DREAMAPI_API const dreamapi_history_day *dreamapi_history_day_at(const dreamapi_history *history, size_t index);
/** Number of events, newest first; 0 for NULL. */
DREAMAPI_API size_t dreamapi_history_event_count(const dreamapi_history *history);
/** One of them, borrowed from the history; NULL past the end. */
DREAMAPI_API const dreamapi_history_event *dreamapi_history_event_at(const dreamapi_history *history, size_t index);
/** 1 when there were more events in these days than the server tells at once. */
DREAMAPI_API int dreamapi_history_has_more_events(const dreamapi_history *history);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_history_json(const dreamapi_history *history);
/** Releases the history, its days and events. NULL is fine. */
DREAMAPI_API void dreamapi_history_free(dreamapi_history *history);

/** "YYYY-MM-DD" in UTC; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_history_day_date(const dreamapi_history_day *day);
/** Units used on that day; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_history_day_units(const dreamapi_history_day *day);

/** When it happened ("at" on the wire), in ISO 8601; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_history_event_time(const dreamapi_history_event *event);
/** Whose subscription; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_history_event_user_id(const dreamapi_history_event *event);
/** Stripe's; NULL if there is none. */
DREAMAPI_API const char *dreamapi_history_event_subscription_id(const dreamapi_history_event *event);
/** What happened, as the server names it; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_history_event_type(const dreamapi_history_event *event);
/** The name of the tier; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_history_event_plan(const dreamapi_history_event *event);
/** The subscription's from then on; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_history_event_status(const dreamapi_history_event *event);
/** What a period costs, in the currency's smallest unit (cents); -1 when the answer does not say. */
DREAMAPI_API int64_t dreamapi_history_event_amount(const dreamapi_history_event *event);
/** Three small letters, as in "usd"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_history_event_currency(const dreamapi_history_event *event);

#ifdef __cplusplus
}
#endif

#endif
