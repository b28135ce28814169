/* SPDX-License-Identifier: Apache-2.0 */
/* customers.c - rows of customers. The plan stored here is one of several sources: usage.c decides. */
#include "service/store/customers.h"

#include <string.h>

#include "service/store/row.h"

/* Longer would not fit what usage.h answers. */
static bool is_plan(const char *plan)
{
    return plan[0] && strlen(plan) < DREAMD_PLAN_SIZE;
}

dreamd_db_status dreamd_customer_put(dreamd_db *db, const dreamd_project *project, const dreamd_customer *customer,
                                     int64_t now_ms)
{
    if (customer->plan && !is_plan(customer->plan))
        return DREAMD_DB_CONFLICT;
    int64_t created_at_ms = customer->created_at_ms ? customer->created_at_ms : now_ms;
    dreamd_db_status status = dreamd_db_run(
        db,
        "INSERT INTO customers (platform_id, project_id, user_id, status, email, first_name, last_name, plan, "
        "created_at_ms, updated_at_ms) VALUES ($1, $2, $3, 'active', $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (platform_id, project_id, user_id) DO UPDATE SET "
        "email = COALESCE(excluded.email, customers.email), "
        "first_name = COALESCE(excluded.first_name, customers.first_name), "
        "last_name = COALESCE(excluded.last_name, customers.last_name), "
        "plan = COALESCE(excluded.plan, customers.plan), updated_at_ms = excluded.updated_at_ms "
        "WHERE customers.status <> 'deleted'",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                      dreamd_text(customer->user_id), dreamd_text(customer->email), dreamd_text(customer->first_name),
                      dreamd_text(customer->last_name), dreamd_text(customer->plan), dreamd_int(created_at_ms),
                      dreamd_int(now_ms)),
        NULL);
    if (status == DREAMD_DB_OK && customer->plan)
        status = dreamd_customer_refresh_plan(db, project, customer->user_id);
    return status;
}

dreamd_db_status dreamd_customer_ensure(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                        const char *email, int64_t now_ms)
{
    /* Nothing is written when nothing changes: this runs at every use. */
    return dreamd_db_run(
        db,
        "INSERT INTO customers (platform_id, project_id, user_id, status, email, created_at_ms, updated_at_ms) "
        "VALUES ($1, $2, $3, 'active', $4, $5, $5) ON CONFLICT (platform_id, project_id, user_id) DO UPDATE SET "
        "email = excluded.email, updated_at_ms = excluded.updated_at_ms "
        "WHERE excluded.email IS NOT NULL AND excluded.email <> COALESCE(customers.email, '') AND "
        "customers.status <> 'deleted'",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id),
                      dreamd_text(email), dreamd_int(now_ms)),
        NULL);
}

static bool read_customer(const dreamd_rows *rows, dream_arena *arena, dreamd_customer *out)
{
    *out = (dreamd_customer){ .is_deleted = dreamd_rows_int(rows, 5) != 0,
                              .created_at_ms = dreamd_rows_int(rows, 6),
                              .updated_at_ms = dreamd_rows_int(rows, 7) };
    return dreamd_row_dup(rows, 0, arena, &out->user_id) && dreamd_row_dup(rows, 1, arena, &out->email)
           && dreamd_row_dup(rows, 2, arena, &out->first_name) && dreamd_row_dup(rows, 3, arena, &out->last_name)
           && dreamd_row_dup(rows, 4, arena, &out->plan);
}

dreamd_db_status dreamd_customer_find(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                      dream_arena *arena, dreamd_customer *out, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(
        db,
        "SELECT user_id, email, first_name, last_name, plan, CASE status WHEN 'active' THEN 0 ELSE 1 END, "
        "created_at_ms, updated_at_ms FROM customers WHERE platform_id = $1 AND project_id = $2 AND user_id = $3",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id)),
        &rows);
    *out_found = rows != NULL;
    if (rows && !read_customer(rows, arena, out))
        status = DREAMD_DB_NOMEM;
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_customer_set_plan(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                          const char *plan, int64_t now_ms, bool *out_found)
{
    int64_t changed = 0;
    *out_found = false;
    if (!is_plan(plan))
        return DREAMD_DB_CONFLICT;
    dreamd_db_status status =
        dreamd_db_run(db,
                      "UPDATE customers SET plan = $4, updated_at_ms = $5 WHERE platform_id = $1 AND project_id = $2 "
                      "AND user_id = $3 AND status <> 'deleted'",
                      DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                                    dreamd_text(user_id), dreamd_text(plan), dreamd_int(now_ms)),
                      &changed);
    *out_found = changed > 0;
    if (status == DREAMD_DB_OK && changed > 0)
        status = dreamd_customer_refresh_plan(db, project, user_id);
    return status;
}

dreamd_db_status dreamd_customer_refresh_plan(dreamd_db *db, const dreamd_project *project, const char *user_id)
{
    return dreamd_db_run(
        db,
        "UPDATE customers SET current_plan = lower(COALESCE((SELECT s.plan FROM subscriptions s WHERE "
        "s.platform_id = $1 AND s.project_id = $2 AND s.user_id = $3 AND (s.status = 'active' OR "
        "s.status = 'trialing') ORDER BY s.started_s DESC, s.subscription_id DESC LIMIT 1), plan, 'free')) "
        "WHERE platform_id = $1 AND project_id = $2 AND user_id = $3",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id)), NULL);
}

dreamd_db_status dreamd_customer_delete(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                        int64_t now_ms, bool *out_found)
{
    int64_t changed = 0;
    dreamd_db_status status = dreamd_db_run(
        db,
        "UPDATE customers SET status = 'deleted', email = NULL, first_name = NULL, last_name = NULL, "
        "deleted_at_ms = $4, updated_at_ms = $4 WHERE platform_id = $1 AND project_id = $2 AND user_id = $3 AND "
        "status <> 'deleted'",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id),
                      dreamd_int(now_ms)),
        &changed);
    *out_found = changed > 0;
    if (status != DREAMD_DB_OK || changed > 0)
        return status;
    return dreamd_db_run(
        db,
        "INSERT INTO customers (platform_id, project_id, user_id, status, created_at_ms, updated_at_ms, deleted_at_ms) "
        "VALUES ($1, $2, $3, 'deleted', $4, $4, $4) ON CONFLICT (platform_id, project_id, user_id) DO NOTHING",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(user_id),
                      dreamd_int(now_ms)),
        NULL);
}

dreamd_db_status dreamd_customer_delete_everywhere(dreamd_db *db, enum dreamd_mode mode, const char *user_id,
                                                   int64_t now_ms)
{
    return dreamd_db_run(
        db,
        "UPDATE customers SET status = 'deleted', email = NULL, first_name = NULL, last_name = NULL, "
        "deleted_at_ms = $3, updated_at_ms = $3 WHERE user_id = $2 AND status <> 'deleted' AND EXISTS (SELECT 1 FROM "
        "projects p WHERE p.platform_id = customers.platform_id AND p.project_id = customers.project_id AND "
        "p.mode = $1)",
        DREAMD_PARAMS(dreamd_text(dreamd_mode_text(mode)), dreamd_text(user_id), dreamd_int(now_ms)), NULL);
}
