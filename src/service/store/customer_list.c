/* SPDX-License-Identifier: Apache-2.0 */
/* customer_list.c - pages of customers, each row with its subscription and running count, which are found by their keys.
 *
 * Which index serves a page: by age, or by plan and age, walked from the newest, so that the page ends the work. A search by
 * email walks them too, if so many addresses match that a page is soon full; a rare address is found through the index of
 * addresses, and what matches is sorted. */
#include "service/store/customer_list.h"

#include <string.h>

#include "service/store/lower.h"
#include "service/store/row.h"

enum {
    PREFIX_MAX = 320,
    RARE_MAX = 2000 /* so many matches are sorted in a few ms */
};

#define COLUMNS "user_id, email, first_name, last_name, plan, created_at_ms, updated_at_ms"
#define OF_PROJECT "FROM customers WHERE platform_id = $1 AND project_id = $2 AND status = 'active' "
#define BEHIND "AND (created_at_ms, user_id) < ($3, $4) "
#define NEWEST_FIRST "ORDER BY created_at_ms DESC, user_id DESC LIMIT $5"
/* Expressions that compute nothing keep an engine from the index that it might take for the better one: where few match, from
 * walking by age; where many do, from gathering them all by address. */
#define FEW_BEHIND "AND (created_at_ms + 0, user_id) < ($3, $4) AND lower(email) >= $6 AND lower(email) < $7 "
#define FEW_SORTED "ORDER BY created_at_ms + 0 DESC, user_id DESC LIMIT $5"
#define MANY_BEHIND BEHIND "AND lower(email) || '' >= $6 AND lower(email) || '' < $7 "

/* What the statements share. */
typedef struct search {
    const dreamd_project *project;
    const dreamd_customer_query *query;
    int64_t after_ms;
    const char *after_id;
    char plan[DREAMD_PLAN_SIZE];
    char from[PREFIX_MAX + 1];
    char to[PREFIX_MAX + 5];
} search;

/* The texts that begin with `from` are those from it up to `to`. No character sorts behind U+10FFFF. */
static bool prepare(search *self, const dreamd_project *project, const dreamd_customer_query *query)
{
    *self = (search){ .project = project, .query = query, .after_ms = INT64_MAX, .after_id = "" };
    if (query->has_after) {
        self->after_ms = query->after_created_at_ms;
        self->after_id = query->after_user_id;
    }
    if ((query->plan && strlen(query->plan) >= sizeof self->plan)
        || (query->email_prefix && strlen(query->email_prefix) > PREFIX_MAX))
        return false;
    if (query->plan)
        memcpy(self->plan, query->plan, strlen(query->plan) + 1);
    if (query->email_prefix)
        memcpy(self->from, query->email_prefix, strlen(query->email_prefix) + 1);
    dreamd_lower(self->plan);
    dreamd_lower(self->from);
    memcpy(self->to, self->from, strlen(self->from) + 1);
    memcpy(self->to + strlen(self->to), "\xF4\x8F\xBF\xBF", 5);
    return true;
}

/* Are there so few matches that they are better found by address? */
static dreamd_db_status is_rare(dreamd_db *db, const search *self, bool *out_is_rare)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status =
        dreamd_row_one(db,
                       "SELECT COUNT(*) FROM (SELECT 1 " OF_PROJECT "AND email IS NOT NULL AND lower(email) >= $3 AND "
                       "lower(email) < $4 LIMIT $5) m",
                       DREAMD_PARAMS(dreamd_text(self->project->platform_id), dreamd_text(self->project->project_id),
                                     dreamd_text(self->from), dreamd_text(self->to), dreamd_int(RARE_MAX)),
                       &rows);
    *out_is_rare = rows && dreamd_rows_int(rows, 0) < RARE_MAX;
    dreamd_rows_finish(rows);
    return status;
}

/* One more than the page tells whether it is the last. */
#define COMMON_PARAMS(self)                                                                                            \
    dreamd_text((self)->project->platform_id), dreamd_text((self)->project->project_id), dreamd_int((self)->after_ms), \
        dreamd_text((self)->after_id), dreamd_int((int64_t)(self)->query->limit + 1)

static dreamd_db_status start_by_email(dreamd_db *db, const search *self, dreamd_rows **out_rows)
{
    bool has_few = false;
    dreamd_db_status status = is_rare(db, self, &has_few);
    if (status != DREAMD_DB_OK)
        return status;
    if (has_few)
        return dreamd_db_query(
            db,
            "SELECT " COLUMNS " " OF_PROJECT "AND email IS NOT NULL " FEW_BEHIND
            "AND ($8 = '' OR current_plan = $8) " FEW_SORTED,
            DREAMD_PARAMS(COMMON_PARAMS(self), dreamd_text(self->from), dreamd_text(self->to), dreamd_text(self->plan)),
            out_rows);
    if (self->plan[0])
        return dreamd_db_query(
            db, "SELECT " COLUMNS " " OF_PROJECT "AND current_plan = $8 " MANY_BEHIND NEWEST_FIRST,
            DREAMD_PARAMS(COMMON_PARAMS(self), dreamd_text(self->from), dreamd_text(self->to), dreamd_text(self->plan)),
            out_rows);
    return dreamd_db_query(db, "SELECT " COLUMNS " " OF_PROJECT MANY_BEHIND NEWEST_FIRST,
                           DREAMD_PARAMS(COMMON_PARAMS(self), dreamd_text(self->from), dreamd_text(self->to)),
                           out_rows);
}

static dreamd_db_status start(dreamd_db *db, const search *self, dreamd_rows **out_rows)
{
    if (self->query->email_prefix && self->query->email_prefix[0])
        return start_by_email(db, self, out_rows);
    if (self->plan[0])
        return dreamd_db_query(db, "SELECT " COLUMNS " " OF_PROJECT "AND current_plan = $6 " BEHIND NEWEST_FIRST,
                               DREAMD_PARAMS(COMMON_PARAMS(self), dreamd_text(self->plan)), out_rows);
    return dreamd_db_query(db, "SELECT " COLUMNS " " OF_PROJECT BEHIND NEWEST_FIRST, DREAMD_PARAMS(COMMON_PARAMS(self)),
                           out_rows);
}

static bool read_row(const dreamd_rows *rows, dream_arena *arena, dreamd_customer *out)
{
    *out = (dreamd_customer){ .created_at_ms = dreamd_rows_int(rows, 5), .updated_at_ms = dreamd_rows_int(rows, 6) };
    return dreamd_row_dup(rows, 0, arena, &out->user_id) && dreamd_row_dup(rows, 1, arena, &out->email)
           && dreamd_row_dup(rows, 2, arena, &out->first_name) && dreamd_row_dup(rows, 3, arena, &out->last_name)
           && dreamd_row_dup(rows, 4, arena, &out->plan);
}

static dreamd_db_status read_page(dreamd_rows *rows, size_t limit, dream_arena *arena, dreamd_listed_customer *list,
                                  size_t *out_count, bool *out_has_more)
{
    dreamd_db_status status;
    *out_count = 0;
    *out_has_more = false;
    while ((status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        if (*out_count == limit) {
            *out_has_more = true;
            return DREAMD_DB_OK;
        }
        if (!read_row(rows, arena, &list[*out_count].customer))
            return DREAMD_DB_NOMEM;
        *out_count += 1;
    }
    return status;
}

static dreamd_db_status complete(dreamd_db *db, const dreamd_project *project, int64_t now_ms, dream_arena *arena,
                                 dreamd_listed_customer *listed)
{
    const dreamd_customer *customer = &listed->customer;
    const dreamd_subscription *subscription = &listed->subscription;
    dreamd_usage_request request = { .project = project, .user_id = customer->user_id, .units = 1, .now_ms = now_ms };
    dreamd_db_status status = dreamd_subscription_find(db, project, customer->user_id, arena, &listed->subscription,
                                                       &listed->has_subscription);
    if (status == DREAMD_DB_OK)
        status = dreamd_usage_peek(db, &request, &listed->usage, &listed->has_period);
    bool gives_plan = status == DREAMD_DB_OK && listed->has_subscription && subscription->status
                      && (strcmp(subscription->status, "active") == 0 || strcmp(subscription->status, "trialing") == 0);
    listed->plan = gives_plan ? subscription->plan : customer->plan;
    listed->has_plan = listed->plan != NULL;
    if (!listed->plan)
        listed->plan = "free";
    return status;
}

dreamd_db_status dreamd_customer_list(dreamd_db *db, const dreamd_project *project, const dreamd_customer_query *query,
                                      dream_arena *arena, dreamd_listed_customer **out, size_t *out_count,
                                      bool *out_has_more)
{
    search self;
    dreamd_rows *rows = NULL;
    *out = NULL;
    *out_count = 0;
    *out_has_more = false;
    if (query->limit < 1 || query->limit > DREAMD_CUSTOMER_PAGE_MAX || !prepare(&self, project, query))
        return DREAMD_DB_CONFLICT;
    *out = dream_arena_alloc(arena, query->limit * sizeof **out);
    if (!*out)
        return DREAMD_DB_NOMEM;
    dreamd_db_status status = start(db, &self, &rows);
    if (status == DREAMD_DB_OK)
        status = read_page(rows, query->limit, arena, *out, out_count, out_has_more);
    dreamd_rows_finish(rows);
    for (size_t i = 0; status == DREAMD_DB_OK && i < *out_count; i++)
        status = complete(db, project, query->now_ms, arena, &(*out)[i]);
    return status;
}
