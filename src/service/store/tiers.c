/* SPDX-License-Identifier: Apache-2.0 */
/* tiers.c - rows of tiers. What a limit does is usage.c. */
#include "service/store/tiers.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "net/log.h"
#include "service/store/lower.h"
#include "service/store/row.h"

static dreamd_param unless(int64_t value, int64_t nothing)
{
    return value == nothing ? dreamd_null() : dreamd_int(value);
}

typedef enum json_kind { JSON_ARRAY, JSON_OBJECT } json_kind;

static bool is_json(const char *text, json_kind kind)
{
    cJSON *value = text ? dream_json_parse(text, strlen(text), NULL) : NULL;
    bool is_right = kind == JSON_ARRAY ? cJSON_IsArray(value) : cJSON_IsObject(value);
    cJSON_Delete(value);
    return is_right;
}

dreamd_db_status dreamd_tier_insert(dreamd_db *db, const dreamd_project *project, const dreamd_tier *tier,
                                    int64_t now_ms)
{
    /* Numbers out of range are the table's to refuse. */
    if (!is_json(tier->features_json, JSON_ARRAY) || (tier->meters_json && !is_json(tier->meters_json, JSON_OBJECT)))
        return DREAMD_DB_CONFLICT;
    return dreamd_db_run(
        db,
        "INSERT INTO tiers (platform_id, project_id, name, display_name, price_minor, usage_limit, rate_limit, "
        "price_id, "
        "product_id, features_json, description, billing_mode, image_url, inventory, is_sold_out, is_popular, "
        "trial_days, meters_json, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
        "$15, $16, $17, $18, $19)",
        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id), dreamd_text(tier->name),
                      dreamd_text(tier->display_name ? tier->display_name : tier->name), dreamd_int(tier->price_minor),
                      unless(tier->limit, DREAMD_UNLIMITED), unless(tier->rate_limit, DREAMD_UNLIMITED),
                      dreamd_text(tier->price_id), dreamd_text(tier->product_id), dreamd_text(tier->features_json),
                      dreamd_text(tier->description), dreamd_text(tier->billing_mode), dreamd_text(tier->image_url),
                      unless(tier->inventory, DREAMD_UNLIMITED), dreamd_int(tier->is_sold_out),
                      dreamd_int(tier->is_popular), unless(tier->trial_days, DREAMD_NO_TRIAL),
                      dreamd_text(tier->meters_json), dreamd_int(now_ms)),
        NULL);
}

#define SELECT_TIER                                                                                                    \
    "SELECT name, display_name, price_minor, usage_limit, rate_limit, price_id, product_id, features_json, "           \
    "description, billing_mode, image_url, inventory, is_sold_out, is_popular, trial_days, meters_json FROM tiers "    \
    "WHERE platform_id = $1 AND project_id = $2 "

static dreamd_db_status read_tier(const dreamd_rows *rows, dream_arena *arena, dreamd_tier *out)
{
    *out = (dreamd_tier){
        .price_minor = dreamd_rows_int(rows, 2),
        .limit = dreamd_row_int(rows, 3, DREAMD_UNLIMITED),
        .rate_limit = dreamd_row_int(rows, 4, DREAMD_UNLIMITED),
        .inventory = dreamd_row_int(rows, 11, DREAMD_UNLIMITED),
        .is_sold_out = dreamd_rows_int(rows, 12) != 0,
        .is_popular = dreamd_rows_int(rows, 13) != 0,
        .trial_days = dreamd_row_int(rows, 14, DREAMD_NO_TRIAL),
    };
    bool is_copied =
        dreamd_row_dup(rows, 0, arena, &out->name) && dreamd_row_dup(rows, 1, arena, &out->display_name)
        && dreamd_row_dup(rows, 5, arena, &out->price_id) && dreamd_row_dup(rows, 6, arena, &out->product_id)
        && dreamd_row_dup(rows, 7, arena, &out->features_json) && dreamd_row_dup(rows, 8, arena, &out->description)
        && dreamd_row_dup(rows, 9, arena, &out->billing_mode) && dreamd_row_dup(rows, 10, arena, &out->image_url)
        && dreamd_row_dup(rows, 15, arena, &out->meters_json);
    return is_copied ? DREAMD_DB_OK : DREAMD_DB_NOMEM;
}

/* The table's own checks keep numbers in range; an older or repaired database may still hold anything. */
static bool makes_sense(const dreamd_tier *tier)
{
    return tier->name[0] && tier->price_minor >= 0 && tier->limit >= 0 && tier->rate_limit >= 0 && tier->inventory >= 0
           && tier->trial_days >= DREAMD_NO_TRIAL && is_json(tier->features_json, JSON_ARRAY);
}

static void log_bad_row(const dreamd_project *project, const char *name)
{
    dreamd_log(DREAMD_LOG_ERROR, "stored_tier_left_out", dreamd_log_text("platform", project->platform_id),
               dreamd_log_text("project", project->project_id), dreamd_log_text("tier", name));
}

/* Room in the arena for one more; what it outgrew stays there until the request ends. */
static dreamd_tier *grow(dream_arena *arena, dreamd_tier *tiers, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return tiers;
    *capacity = *capacity ? 2 * *capacity : 8;
    dreamd_tier *larger = dream_arena_alloc(arena, *capacity * sizeof *larger);
    if (larger && count > 0)
        memcpy(larger, tiers, count * sizeof *tiers);
    return larger;
}

dreamd_db_status dreamd_tier_list(dreamd_db *db, const dreamd_project *project, dream_arena *arena, dreamd_tier **out,
                                  size_t *out_count)
{
    dreamd_rows *rows = NULL;
    size_t capacity = 0;
    *out = NULL;
    *out_count = 0;
    dreamd_db_status status =
        dreamd_db_query(db, SELECT_TIER "ORDER BY name",
                        DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id)), &rows);
    if (status != DREAMD_DB_OK)
        return status;
    while ((status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        *out = grow(arena, *out, *out_count, &capacity);
        status = *out ? read_tier(rows, arena, &(*out)[*out_count]) : DREAMD_DB_NOMEM;
        if (status != DREAMD_DB_OK)
            break;
        if (makes_sense(&(*out)[*out_count]))
            *out_count += 1;
        else
            log_bad_row(project, (*out)[*out_count].name);
    }
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status find_tier(dreamd_db *db, const char *sql, const dreamd_project *project, const char *first,
                                  const char *second, dream_arena *arena, dreamd_tier *out, bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status =
        dreamd_row_one(db, sql,
                       DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                                     dreamd_text(first), dreamd_text(second)),
                       &rows);
    *out_found = false;
    if (rows) {
        status = read_tier(rows, arena, out);
        *out_found = status == DREAMD_DB_OK && makes_sense(out);
        if (status == DREAMD_DB_OK && !*out_found)
            log_bad_row(project, out->name);
    }
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_tier_find(dreamd_db *db, const dreamd_project *project, const char *name, dreamd_tier_by by,
                                  dream_arena *arena, dreamd_tier *out, bool *out_found)
{
    char *lower = dream_arena_strdup(arena, name);
    if (!lower)
        return DREAMD_DB_NOMEM;
    dreamd_lower(lower);
    dreamd_db_status status =
        find_tier(db, SELECT_TIER "AND (name = $3 OR name = $4) ORDER BY CASE WHEN name = $3 THEN 0 ELSE 1 END LIMIT 1",
                  project, lower, name, arena, out, out_found);
    if (status != DREAMD_DB_OK || *out_found || by == DREAMD_TIER_BY_NAME)
        return status;
    return find_tier(db,
                     SELECT_TIER "AND (display_name = $4 OR lower(display_name) = $3) "
                                 "ORDER BY CASE WHEN display_name = $4 THEN 0 ELSE 1 END, name LIMIT 1",
                     project, lower, name, arena, out, out_found);
}

dreamd_db_status dreamd_tier_take_stock(dreamd_db *db, const dreamd_project *project, const char *price_id,
                                        int64_t quantity, bool *out_found)
{
    int64_t changed = 0;
    *out_found = false;
    if (quantity <= 0)
        return DREAMD_DB_CONFLICT;
    dreamd_db_status status =
        dreamd_db_run(db,
                      "UPDATE tiers SET inventory = CASE WHEN inventory > $4 THEN inventory - $4 ELSE 0 END "
                      "WHERE platform_id = $1 AND project_id = $2 AND price_id = $3 AND inventory IS NOT NULL",
                      DREAMD_PARAMS(dreamd_text(project->platform_id), dreamd_text(project->project_id),
                                    dreamd_text(price_id), dreamd_int(quantity)),
                      &changed);
    *out_found = changed > 0;
    return status;
}
