/* SPDX-License-Identifier: Apache-2.0 */
/* usage_events.c - rows of usage_events. The id is claimed first, by an insert that does nothing if it is there, and given back
 * if the event does not count: so of two that cross, one counts, whatever the engine's isolation level. */
#include "service/store/usage_events.h"

static const int64_t day_ms = 86400000;

static dreamd_db_status claim(dreamd_db *db, const dreamd_usage_event *event, bool *out_is_new)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO usage_events (platform_id, project_id, event_id, recorded_at_ms) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (platform_id, project_id, event_id) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(event->request.project->platform_id), dreamd_text(event->request.project->project_id),
                      dreamd_text(event->event_id), dreamd_int(event->request.now_ms)),
        &changed);
    *out_is_new = changed > 0;
    return status;
}

static dreamd_db_status give_back(dreamd_db *db, const dreamd_usage_event *event)
{
    return dreamd_db_run(db, "DELETE FROM usage_events WHERE platform_id = $1 AND project_id = $2 AND event_id = $3",
                         DREAMD_PARAMS(dreamd_text(event->request.project->platform_id),
                                       dreamd_text(event->request.project->project_id), dreamd_text(event->event_id)),
                         NULL);
}

static dreamd_usage_event_outcome outcome_of(const dreamd_usage_result *result)
{
    switch (result->outcome) {
    case DREAMD_USAGE_OK:
        return DREAMD_USAGE_EVENT_APPLIED;
    case DREAMD_USAGE_LIMIT:
        return result->limit > DREAMD_COUNT_MAX ? DREAMD_USAGE_EVENT_FULL : DREAMD_USAGE_EVENT_LIMIT;
    case DREAMD_USAGE_HELD:
    case DREAMD_USAGE_RATE_LIMITED: /* never: events take nothing of the rate */
        return DREAMD_USAGE_EVENT_HELD;
    case DREAMD_USAGE_RECOVERING:
        return DREAMD_USAGE_EVENT_RECOVERING;
    case DREAMD_USAGE_OUTSIDE:
        return DREAMD_USAGE_EVENT_OUTSIDE;
    case DREAMD_USAGE_NO_CUSTOMER:
    case DREAMD_USAGE_DELETED:
        break;
    }
    return DREAMD_USAGE_EVENT_UNKNOWN;
}

static dreamd_db_status book(dreamd_db *db, const dreamd_usage_event *event, dreamd_usage_event_outcome *out)
{
    dreamd_usage_request request = event->request;
    dreamd_usage_result result;
    int64_t now_ms = request.now_ms;
    request.is_server_side = true;
    if (event->at_ms > now_ms + DREAMD_EVENT_MAX_AHEAD_MS) {
        *out = DREAMD_USAGE_EVENT_AHEAD;
        return DREAMD_DB_OK;
    }
    if (event->at_ms < now_ms - DREAMD_EVENT_MAX_AGE_DAYS * day_ms) {
        *out = DREAMD_USAGE_EVENT_OUTSIDE;
        return DREAMD_DB_OK;
    }
    dreamd_db_status status = dreamd_usage_book(db, &request, event->at_ms, &result);
    if (status == DREAMD_DB_OK)
        *out = outcome_of(&result);
    return status;
}

dreamd_db_status dreamd_usage_event_apply(dreamd_db *db, const dreamd_usage_event *event,
                                          dreamd_usage_event_outcome *out)
{
    bool is_new = false;
    *out = DREAMD_USAGE_EVENT_DUPLICATE;
    dreamd_db_status status = claim(db, event, &is_new);
    if (status != DREAMD_DB_OK || !is_new)
        return status;
    status = book(db, event, out);
    if (status == DREAMD_DB_OK && *out != DREAMD_USAGE_EVENT_APPLIED)
        status = give_back(db, event);
    return status;
}

dreamd_db_status dreamd_usage_events_prune(dreamd_db *db, int64_t now_ms, int64_t count)
{
    return dreamd_db_run(
        db,
        "DELETE FROM usage_events WHERE (platform_id, project_id, event_id) IN (SELECT platform_id, project_id, "
        "event_id FROM usage_events WHERE recorded_at_ms < $1 ORDER BY recorded_at_ms LIMIT $2)",
        DREAMD_PARAMS(dreamd_int(now_ms - DREAMD_EVENT_KEEP_DAYS * day_ms), dreamd_int(count)), NULL);
}
