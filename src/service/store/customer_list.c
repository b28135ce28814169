/* SPDX-License-Identifier: Apache-2.0 */
/* customer_list.c - pages of customers, each row with its subscription and running count, which are found by their keys.
 *
 * Which index serves a page: by age, or by plan and age, walked from the newest, so that the page ends the work. A search by
 * address walks them too, past those that do not match. Where that fills no page soon, and few match, they are found through the
 * index of addresses and sorted. Where many match but are old, no index gives those of one beginning by age, and the walk ends
 * before the page is full (customer_list.h). Listing a search by address instead would be cheap, but break the one order that
 * lists promise. */
#include "service/store/customer_list.h"

#include <string.h>

#include "service/store/lower.h"
#include "service/store/row.h"

enum {
    PREFIX_MAX = 320,
    GLANCE_MAX = 500, /* of a walk, before anything is counted: enough where many match */
    RARE_MAX = 5000   /* so many matches are counted and sorted about as fast as a page's longest walk */
};

#define COLUMNS "user_id, email, first_name, last_name, plan, created_at_ms, updated_at_ms"
#define OF_PROJECT "FROM customers WHERE platform_id = $1 AND project_id = $2 AND status = 'active' "
#define BEHIND "AND (created_at_ms, user_id) < ($3, $4) "
#define NEWEST_FIRST "ORDER BY created_at_ms DESC, user_id DESC LIMIT $5"
/* An expression that computes nothing keeps an engine from walking by age where few match. */
#define FEW_BEHIND "AND (created_at_ms + 0, user_id) < ($3, $4) AND lower(email) >= $6 AND lower(email) < $7 "
#define FEW_SORTED "ORDER BY created_at_ms + 0 DESC, user_id DESC LIMIT $5"

/* What the statements share. */
typedef struct search {
    const dreamd_project *project;
    const dreamd_customer_query *query;
    int64_t after_ms;
    const char *after_id;
    char plan[DREAMD_PLAN_SIZE];
    char from[PREFIX_MAX + 1];
    char to[PREFIX_MAX + 5];
    size_t row_max; /* how many may be looked at */
} search;

/* The texts that begin with `from` are those from it up to `to`. No character sorts behind U+10FFFF. */
static bool prepare(search *self, const dreamd_project *project, const dreamd_customer_query *query)
{
    *self =
        (search){ .project = project, .query = query, .after_ms = INT64_MAX, .after_id = "", .row_max = query->limit };
    if (query->after.is_there) {
        self->after_ms = query->after.created_at_ms;
        self->after_id = query->after.user_id;
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

/* One more than may be looked at tells whether the page is the last. */
#define COMMON_PARAMS(self)                                                                                            \
    dreamd_text((self)->project->platform_id), dreamd_text((self)->project->project_id), dreamd_int((self)->after_ms), \
        dreamd_text((self)->after_id), dreamd_int((int64_t)(self)->row_max + 1)

static dreamd_db_status start_few(dreamd_db *db, const search *self, dreamd_rows **out_rows)
{
    return dreamd_db_query(
        db,
        "SELECT " COLUMNS " " OF_PROJECT "AND email IS NOT NULL " FEW_BEHIND
        "AND ($8 = '' OR current_plan = $8) " FEW_SORTED,
        DREAMD_PARAMS(COMMON_PARAMS(self), dreamd_text(self->from), dreamd_text(self->to), dreamd_text(self->plan)),
        out_rows);
}

/* Of a search by address the rows that do not match come too: `is_match` tells. */
static dreamd_db_status start_walk(dreamd_db *db, const search *self, dreamd_rows **out_rows)
{
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

static bool is_match(const search *self, const dreamd_rows *rows)
{
    const char *email = dreamd_rows_text(rows, 1);
    return self->from[0] == '\0' || (email && dreamd_begins_lower(email, self->from));
}

/* The page ends behind the row that is there. */
static dreamd_db_status end_page(const dreamd_rows *rows, dream_arena *arena, dreamd_customer_place *out_next)
{
    *out_next = (dreamd_customer_place){ .is_there = true, .created_at_ms = dreamd_rows_int(rows, 5) };
    return dreamd_row_dup(rows, 0, arena, &out_next->user_id) ? DREAMD_DB_OK : DREAMD_DB_NOMEM;
}

/* What a page is read into. */
typedef struct page {
    dreamd_listed_customer *list;
    size_t count;
    dreamd_customer_place next;
} page;

static dreamd_db_status read_page(const search *self, dreamd_rows *rows, dream_arena *arena, page *out)
{
    dreamd_db_status status;
    size_t limit = self->query->limit;
    size_t seen = 0;
    out->count = 0;
    out->next = (dreamd_customer_place){ .is_there = false };
    while ((status = dreamd_rows_next(rows)) == DREAMD_DB_ROW) {
        bool is_listed = is_match(self, rows);
        if (is_listed && out->count == limit) {
            const dreamd_customer *last = &out->list[limit - 1].customer;
            out->next = (dreamd_customer_place){ true, last->created_at_ms, last->user_id };
            return DREAMD_DB_OK;
        }
        if (is_listed && !read_row(rows, arena, &out->list[out->count++].customer))
            return DREAMD_DB_NOMEM;
        if (++seen == self->row_max && seen > limit)
            return end_page(rows, arena, &out->next);
    }
    return status;
}

typedef dreamd_db_status starter(dreamd_db *db, const search *self, dreamd_rows **out_rows);

static dreamd_db_status look(dreamd_db *db, const search *self, starter *start, dream_arena *arena, page *out)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = start(db, self, &rows);
    if (status == DREAMD_DB_OK)
        status = read_page(self, rows, arena, out);
    dreamd_rows_finish(rows);
    return status;
}

static dreamd_db_status find(dreamd_db *db, search *self, dream_arena *arena, page *out)
{
    size_t limit = self->query->limit;
    bool has_few = false;
    if (self->from[0])
        self->row_max = limit < GLANCE_MAX ? GLANCE_MAX : limit + 1;
    dreamd_db_status status = look(db, self, start_walk, arena, out);
    if (status != DREAMD_DB_OK || out->count == limit || !out->next.is_there)
        return status;
    status = is_rare(db, self, &has_few);
    if (status != DREAMD_DB_OK)
        return status;
    self->row_max = has_few ? limit : DREAMD_CUSTOMER_SEEN_MAX;
    return look(db, self, has_few ? start_few : start_walk, arena, out);
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
                                      dreamd_customer_place *out_next)
{
    search self;
    page found = { .count = 0 };
    *out = NULL;
    *out_count = 0;
    *out_next = found.next;
    if (query->limit < 1 || query->limit > DREAMD_CUSTOMER_PAGE_MAX || !prepare(&self, project, query))
        return DREAMD_DB_CONFLICT;
    found.list = dream_arena_alloc(arena, query->limit * sizeof *found.list);
    if (!found.list)
        return DREAMD_DB_NOMEM;
    dreamd_db_status status = find(db, &self, arena, &found);
    for (size_t i = 0; status == DREAMD_DB_OK && i < found.count; i++)
        status = complete(db, project, query->now_ms, arena, &found.list[i]);
    *out = found.list;
    *out_count = found.count;
    *out_next = found.next;
    return status;
}
