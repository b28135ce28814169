/* SPDX-License-Identifier: Apache-2.0 */
/* history.c - reads usage_daily, usage_totals and subscription_events. */
#include "service/store/history.h"

#include "common/json.h"
#include "service/store/row.h"

enum { DAY_S = 86400 };

static dreamd_db_status query_days(dreamd_db *db, const dreamd_project *project, const dreamd_history_query *query,
                                   dreamd_rows **out_rows)
{
    if (!query->user_id)
        return dreamd_db_query(
            db,
            "SELECT day, used FROM usage_totals WHERE platform_id = $1 AND project_id = $2 AND meter = $3 AND "
            "day >= $4 AND day <= $5",
            DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                          dreamd_text(query->meter), dreamd_int(query->from_day), dreamd_int(query->to_day)),
            out_rows);
    return dreamd_db_query(
        db,
        "SELECT day, used FROM usage_daily WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "meter = $4 AND day >= $5 AND day <= $6",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(query->user_id),
                      dreamd_text(query->meter), dreamd_int(query->from_day), dreamd_int(query->to_day)),
        out_rows);
}

static dreamd_db_status read_days(dreamd_db *db, const dreamd_project *project, const dreamd_history_query *query,
                                  dreamd_history *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = query_days(db, project, query, &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        int64_t *units = &out->units[dreamd_rows_int(rows, 0) - query->from_day];
        int64_t used = dreamd_rows_int(rows, 1);
        *units = used > DREAM_JSON_MAX_INT - *units ? DREAM_JSON_MAX_INT : *units + used; /* as in totals.h */
        status = DREAMD_DB_OK;
    }
    dreamd_rows_finish(rows);
    return status;
}

#define EVENT_COLUMNS "user_id, subscription_id, type, plan, status, currency, amount_minor, created_s"

static dreamd_db_status query_events(dreamd_db *db, const dreamd_project *project, const dreamd_history_query *query,
                                     dreamd_rows **out_rows)
{
    int64_t from_s = (int64_t)query->from_day * DAY_S;
    int64_t to_s = ((int64_t)query->to_day + 1) * DAY_S;
    if (!query->user_id)
        return dreamd_db_query(
            db,
            "SELECT " EVENT_COLUMNS " FROM subscription_events WHERE platform_id = $1 AND project_id = $2 AND "
            "created_s >= $3 AND created_s < $4 AND is_applied = 1 ORDER BY created_s DESC LIMIT $5",
            DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_int(from_s),
                          dreamd_int(to_s), dreamd_int(DREAMD_HISTORY_MAX_EVENTS + 1)),
            out_rows);
    /* One user's events are few and found by their key: adding 0 keeps the engine from walking all the project's by time. */
    return dreamd_db_query(
        db,
        "SELECT " EVENT_COLUMNS " FROM subscription_events WHERE platform_id = $1 AND project_id = $2 AND "
        "user_id = $3 AND created_s + 0 >= $4 AND created_s + 0 < $5 AND is_applied = 1 ORDER BY created_s + 0 DESC "
        "LIMIT $6",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(query->user_id),
                      dreamd_int(from_s), dreamd_int(to_s), dreamd_int(DREAMD_HISTORY_MAX_EVENTS + 1)),
        out_rows);
}

static bool read_event(const dreamd_rows *rows, dream_arena *arena, dreamd_history_event *out)
{
    const char **const texts[] = { &out->user_id, &out->subscription_id, &out->type,
                                   &out->plan,    &out->status,          &out->currency };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!dreamd_row_dup(rows, (int)i, arena, texts[i]))
            return false;
    }
    out->amount_minor = dreamd_row_int(rows, 6, -1);
    out->created_s = dreamd_rows_int(rows, 7);
    return true;
}

static dreamd_db_status read_events(dreamd_db *db, const dreamd_project *project, const dreamd_history_query *query,
                                    dream_arena *arena, dreamd_history *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = query_events(db, project, query, &rows);
    while (status == DREAMD_DB_OK && !out->has_more_events && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        status = DREAMD_DB_OK;
        if (out->event_count == DREAMD_HISTORY_MAX_EVENTS)
            out->has_more_events = true;
        else if (!read_event(rows, arena, &out->events[out->event_count++]))
            status = DREAMD_DB_NOMEM;
    }
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_history_read(dreamd_db *db, const dreamd_project *project, const dreamd_history_query *query,
                                     dream_arena *arena, dreamd_history *out)
{
    *out = (dreamd_history){ .day_count = 0 };
    if (query->to_day < query->from_day || query->to_day - (int64_t)query->from_day >= DREAMD_HISTORY_MAX_DAYS)
        return DREAMD_DB_CONFLICT;
    out->day_count = (size_t)(query->to_day - query->from_day) + 1;
    out->units = dream_arena_alloc(arena, out->day_count * sizeof *out->units); /* zeroed */
    out->events = dream_arena_alloc(arena, DREAMD_HISTORY_MAX_EVENTS * sizeof *out->events);
    if (!out->units || !out->events)
        return DREAMD_DB_NOMEM;
    dreamd_db_status status = read_days(db, project, query, out);
    return status == DREAMD_DB_OK ? read_events(db, project, query, arena, out) : status;
}
