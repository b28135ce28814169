/* SPDX-License-Identifier: Apache-2.0 */
/* usage_events.h - uses that are reported after the fact, each under an id of the reporter's choice and counted once.
 *
 * The ids that were counted are kept for DREAMD_EVENT_KEEP_DAYS; an event that says when it was may not be older than
 * DREAMD_EVENT_MAX_AGE_DAYS, so it is refused before its id is forgotten. Ids that sort by time are cheap, random ones are not.
 * The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_USAGE_EVENTS_H
#define DREAMD_SERVICE_STORE_USAGE_EVENTS_H

#include "net/db.h"
#include "service/store/usage.h"

enum { DREAMD_EVENT_MAX_AGE_DAYS = 35, DREAMD_EVENT_KEEP_DAYS = 36, DREAMD_EVENT_MAX_AHEAD_MS = 300000 };

typedef enum dreamd_usage_event_outcome {
    DREAMD_USAGE_EVENT_APPLIED,
    DREAMD_USAGE_EVENT_DUPLICATE,  /* counted before; nothing done */
    DREAMD_USAGE_EVENT_LIMIT,      /* does not fit; the id is not remembered: it may come again after an upgrade */
    DREAMD_USAGE_EVENT_FULL,       /* no limit is in the way, but the count would pass DREAMD_COUNT_MAX */
    DREAMD_USAGE_EVENT_HELD,       /* would fit but for held units: worth trying again */
    DREAMD_USAGE_EVENT_RECOVERING, /* the store was restored a moment ago: worth trying again */
    DREAMD_USAGE_EVENT_UNKNOWN,    /* no such customer, or a deleted one */
    DREAMD_USAGE_EVENT_OUTSIDE, /* in neither the running nor the previous period, or older than the oldest allowed */
    DREAMD_USAGE_EVENT_AHEAD    /* from the future */
} dreamd_usage_event_outcome;

typedef struct dreamd_usage_event {
    const char *event_id;
    dreamd_usage_request request; /* project, user_id, meter, units, now_ms */
    int64_t at_ms;
} dreamd_usage_event;

/* CONFLICT: units out of range. */
dreamd_db_status dreamd_usage_event_apply(dreamd_db *db, const dreamd_usage_event *event,
                                          dreamd_usage_event_outcome *out);
/* Forgets at most `count` ids that are past keeping, the oldest first. */
dreamd_db_status dreamd_usage_events_prune(dreamd_db *db, int64_t now_ms, int64_t count);

#endif
