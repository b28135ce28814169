/* SPDX-License-Identifier: Apache-2.0 */
/* history.h - what was used on which day, and what became of subscriptions meanwhile: of one user, or of a whole project.
 * A project's days come from its sums (totals.h), so they cost the same with any number of users.
 * The rules of model.h hold; results live in the arena that is handed in. */
#ifndef DREAMD_SERVICE_STORE_HISTORY_H
#define DREAMD_SERVICE_STORE_HISTORY_H

#include <stddef.h>

#include "common/arena.h"
#include "net/db.h"
#include "service/store/model.h"

enum { DREAMD_HISTORY_MAX_DAYS = 400, DREAMD_HISTORY_MAX_EVENTS = 1000 };

typedef struct dreamd_history_query {
    const char *user_id; /* NULL: the whole project */
    const char *meter;
    int32_t from_day;
    int32_t to_day; /* the last one; at most DREAMD_HISTORY_MAX_DAYS with the first */
} dreamd_history_query;

typedef struct dreamd_history_event {
    const char *user_id;
    const char *subscription_id;
    const char *type;
    const char *plan;
    const char *status;
    const char *currency; /* may be NULL */
    int64_t amount_minor; /* -1 = not told */
    int64_t created_s;
} dreamd_history_event;

typedef struct dreamd_history {
    int64_t *units; /* one a day, from from_day on */
    size_t day_count;
    dreamd_history_event *events; /* those applied, newest first */
    size_t event_count;
    bool has_more_events; /* older ones of the same days were left out */
} dreamd_history;

/* CONFLICT: the days are in the wrong order or too many. */
dreamd_db_status dreamd_history_read(dreamd_db *db, const dreamd_project *project, const dreamd_history_query *query,
                                     dream_arena *arena, dreamd_history *out);

#endif
