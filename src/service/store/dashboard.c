/* SPDX-License-Identifier: Apache-2.0 */
/* dashboard.c - reads api_keys, events and stripe_accounts for a developer's overview. */
#include "service/store/dashboard.h"

#include "service/store/row.h"

static dreamd_db_status read_keys(dreamd_db *db, const dreamd_project *project, dream_arena *arena,
                                  dreamd_overview *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT k.publishable_key, p.project_id, p.name, p.type, "
        "MAX(CASE k.status WHEN 'active' THEN 1 ELSE 0 END), MIN(k.created_at_ms) FROM api_keys k JOIN projects p ON "
        "p.platform_id = k.platform_id AND p.project_id = k.project_id WHERE k.platform_id = $1 AND p.mode = $2 "
        "GROUP BY k.publishable_key, p.project_id, p.name, p.type ORDER BY 6, 1 LIMIT $3",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(dreamd_mode_text(project->mode)),
                      dreamd_int(DREAMD_SHOWN_KEYS_MAX)),
        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        dreamd_shown_key *key = &out->keys[out->key_count++];
        key->is_active = dreamd_rows_int(rows, 4) != 0;
        key->created_at_ms = dreamd_rows_int(rows, 5);
        status = dreamd_row_dup(rows, 0, arena, &key->publishable_key)
                         && dreamd_row_dup(rows, 1, arena, &key->project_id)
                         && dreamd_row_dup(rows, 2, arena, &key->project_name)
                         && dreamd_row_dup(rows, 3, arena, &key->project_type)
                     ? DREAMD_DB_OK
                     : DREAMD_DB_NOMEM;
    }
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status read_events(dreamd_db *db, const dreamd_project *project, dream_arena *arena,
                                    dreamd_overview *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_db_query(
        db,
        "SELECT type, CASE WHEN length(payload) <= $5 THEN payload END, recorded_at_ms FROM events WHERE "
        "platform_id = $1 AND project_id = $2 AND source = $3 ORDER BY recorded_at_ms DESC LIMIT $4",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                      dreamd_text(project->mode == DREAMD_LIVE ? "stripe-live" : "stripe-test"),
                      dreamd_int(DREAMD_SHOWN_EVENTS_MAX), dreamd_int(DREAMD_SHOWN_PAYLOAD_MAX)),
        &rows);
    while (status == DREAMD_DB_OK && (status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        dreamd_shown_event *event = &out->events[out->event_count++];
        event->recorded_at_ms = dreamd_rows_int(rows, 2);
        status = dreamd_row_dup(rows, 0, arena, &event->type) && dreamd_row_dup(rows, 1, arena, &event->payload)
                     ? DREAMD_DB_OK
                     : DREAMD_DB_NOMEM;
    }
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status read_account(dreamd_db *db, const dreamd_project *project, dream_arena *arena,
                                     dreamd_overview *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db, "SELECT account_id FROM stripe_accounts WHERE platform_id = $1 AND mode = $2",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(dreamd_mode_text(project->mode))), &rows);
    if (rows && !dreamd_row_dup(rows, 0, arena, &out->stripe_account_id))
        status = DREAMD_DB_NOMEM;
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_overview_read(dreamd_db *db, const dreamd_project *project, dream_arena *arena,
                                      dreamd_overview *out)
{
    *out = (dreamd_overview){
        .keys = dream_arena_alloc(arena, DREAMD_SHOWN_KEYS_MAX * sizeof *out->keys),
        .events = dream_arena_alloc(arena, DREAMD_SHOWN_EVENTS_MAX * sizeof *out->events),
    };
    if (!out->keys || !out->events)
        return DREAMD_DB_NOMEM;
    dreamd_db_status status = read_keys(db, project, arena, out);
    if (status == DREAMD_DB_OK)
        status = read_events(db, project, arena, out);
    return status == DREAMD_DB_OK ? read_account(db, project, arena, out) : status;
}
