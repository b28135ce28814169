/* SPDX-License-Identifier: Apache-2.0 */
/* profiles.c - writes customers as the identity provider tells of them. Recording the event is subscriptions.c's. */
#include "service/store/profiles.h"

#include <string.h>

#include "service/store/customers.h"
#include "service/store/keys.h"
#include "service/store/row.h"

static dreamd_event event_of(const dreamd_profile_event *profile, const dreamd_project *project)
{
    return (dreamd_event){
        .source = profile->mode == DREAMD_LIVE ? "clerk-live" : "clerk-test",
        .event_id = profile->event_id,
        .type = profile->type,
        .created_s = profile->at_ms / 1000,
        .project = project,
    };
}

/* ---- a user as it is ---- */

/* Is something newer known of the user: a newer profile, or that it is gone, from here or altogether? */
static dreamd_db_status is_old(dreamd_db *db, const dreamd_project *project, const dreamd_profile_event *profile,
                               bool *out_is_old)
{
    return dreamd_row_exists(db,
                             "SELECT 1 FROM customers WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
                             "(profile_at_ms > $4 OR status = 'deleted') UNION ALL "
                             "SELECT 1 FROM deleted_users WHERE mode = $5 AND user_id = $3",
                             DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                                           dreamd_text(profile->user_id), dreamd_int(profile->at_ms),
                                           dreamd_text(dreamd_mode_text(profile->mode))),
                             out_is_old);
}

/* What the profile no longer has is removed. The condition is that of is_old, for engines where transactions run side by side. */
static dreamd_db_status put_profile(dreamd_db *db, const dreamd_project *project, const dreamd_profile_event *profile,
                                    int64_t now_ms)
{
    bool has_plan = profile->plan && profile->plan[0] && strlen(profile->plan) < DREAMD_PLAN_SIZE;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO customers (platform_id, project_id, user_id, status, email, first_name, last_name, plan, "
        "created_at_ms, updated_at_ms, profile_at_ms) VALUES ($1, $2, $3, 'active', $4, $5, $6, $7, $8, $9, $10) "
        "ON CONFLICT (platform_id, project_id, user_id) DO UPDATE SET email = excluded.email, "
        "first_name = excluded.first_name, last_name = excluded.last_name, "
        "plan = COALESCE(customers.plan, excluded.plan), updated_at_ms = excluded.updated_at_ms, "
        "profile_at_ms = excluded.profile_at_ms WHERE customers.status <> 'deleted' AND "
        "COALESCE(customers.profile_at_ms, 0) <= excluded.profile_at_ms",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                      dreamd_text(profile->user_id), dreamd_text(profile->email), dreamd_text(profile->first_name),
                      dreamd_text(profile->last_name), dreamd_text(has_plan ? profile->plan : NULL),
                      dreamd_int(profile->created_at_ms > 0 ? profile->created_at_ms : now_ms), dreamd_int(now_ms),
                      dreamd_int(profile->at_ms)),
        NULL);
    return status == DREAMD_DB_OK ? dreamd_customer_refresh_plan(db, project, profile->user_id) : status;
}

static dreamd_db_status apply_change(dreamd_db *db, const dreamd_profile_event *profile, int64_t now_ms,
                                     dreamd_event_outcome *out)
{
    dreamd_project project;
    bool is_found = false;
    dreamd_event event;
    dreamd_db_status status = DREAMD_DB_OK;
    /* A revoked key still says whose the user is. */
    if (profile->user_id && profile->publishable_key)
        status = dreamd_project_of_publishable_key(db, profile->publishable_key, &project, &is_found);
    if (status != DREAMD_DB_OK)
        return status;
    is_found = is_found && project.mode == profile->mode;
    event = event_of(profile, is_found ? &project : NULL);
    if (is_found)
        status = is_old(db, &project, profile, &event.is_overtaken);
    if (status == DREAMD_DB_OK)
        status = dreamd_event_apply(db, &event, now_ms, out);
    if (status == DREAMD_DB_OK && is_found && *out == DREAMD_EVENT_APPLIED)
        status = put_profile(db, &project, profile, now_ms);
    return status;
}

/* ---- a user who is gone ---- */

/* The first of the mode's projects that know the user, tombstones too: the delivery is recorded as that one's. */
static dreamd_db_status find_project(dreamd_db *db, const dreamd_profile_event *profile, dreamd_project *out,
                                     bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT p.platform_id, p.project_id FROM customers c JOIN projects p ON p.platform_id = c.platform_id AND "
        "p.project_id = c.project_id WHERE c.user_id = $1 AND p.mode = $2 ORDER BY p.platform_id, p.project_id LIMIT 1",
        DREAMD_PARAMS(dreamd_text(profile->user_id), dreamd_text(dreamd_mode_text(profile->mode))), &rows);
    *out = (dreamd_project){ .mode = profile->mode };
    *out_found = rows != NULL;
    if (rows
        && (!dreamd_row_text(rows, 0, out->platform_id, sizeof out->platform_id)
            || !dreamd_row_text(rows, 1, out->project_id, sizeof out->project_id)))
        status = DREAMD_DB_CORRUPT;
    dreamd_rows_finish(rows);
    return status;
}

/* Also of a user nobody knows: deliveries cross, and what tells of its making may be on its way. */
static dreamd_db_status remember_deletion(dreamd_db *db, const dreamd_profile_event *profile, int64_t now_ms)
{
    return dreamd_db_run(
        db,
        "INSERT INTO deleted_users (mode, user_id, deleted_at_ms) VALUES ($1, $2, $3) "
        "ON CONFLICT (mode, user_id) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(dreamd_mode_text(profile->mode)), dreamd_text(profile->user_id), dreamd_int(now_ms)),
        NULL);
}

static dreamd_db_status apply_deletion(dreamd_db *db, const dreamd_profile_event *profile, int64_t now_ms,
                                       dreamd_event_outcome *out)
{
    dreamd_project project;
    bool is_found = false;
    dreamd_db_status status = DREAMD_DB_OK;
    if (profile->user_id)
        status = find_project(db, profile, &project, &is_found);
    if (status != DREAMD_DB_OK)
        return status;
    dreamd_event event = event_of(profile, is_found ? &project : NULL);
    status = dreamd_event_apply(db, &event, now_ms, out);
    if (status != DREAMD_DB_OK || *out != DREAMD_EVENT_APPLIED || !profile->user_id)
        return status;
    status = remember_deletion(db, profile, now_ms);
    return status == DREAMD_DB_OK ? dreamd_customer_delete_everywhere(db, profile->mode, profile->user_id, now_ms)
                                  : status;
}

dreamd_db_status dreamd_profile_apply(dreamd_db *db, const dreamd_profile_event *event, int64_t now_ms,
                                      dreamd_event_outcome *out)
{
    return event->is_deleted ? apply_deletion(db, event, now_ms, out) : apply_change(db, event, now_ms, out);
}
