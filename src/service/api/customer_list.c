/* SPDX-License-Identifier: Apache-2.0 */
/* customer_list.c - GET /api/customers: the project's customers, newest first, a page at a time. Nobody but the store is asked.
 * The cursor is where the page ended, creation time and id of the last one looked at; clients treat it as opaque. */
#include <inttypes.h>
#include <string.h>

#include "common/buffer.h"
#include "common/encoding.h"
#include "service/api/customer_row.h"
#include "service/api/handlers.h"

enum { DEFAULT_LIMIT = 20, MAX_LIMIT = 100, MAX_CURSOR = 512 };

struct page {
    dreamd_customer_query query;
    dreamd_tier *tiers;
    size_t tier_count;
    dreamd_listed_customer *list;
    size_t count;
    dreamd_customer_place next;
};

/* ---- the cursor ---- */

/* "1767225610000.user_1" in base64url. NULL when out of memory. */
static const char *write_cursor(dream_arena *arena, const dreamd_customer_place *next)
{
    dream_buffer plain = DREAM_BUFFER_INIT;
    dream_buffer encoded = DREAM_BUFFER_INIT;
    const char *cursor = NULL;

    dream_buffer_printf(&plain, "%" PRId64 ".%s", next->created_at_ms, next->user_id);
    if (!plain.is_failed)
        dream_base64url_encode(&encoded, plain.data, plain.size);
    if (!plain.is_failed && !encoded.is_failed)
        cursor = dream_arena_strdup(arena, encoded.data);
    dream_buffer_clear(&plain);
    dream_buffer_clear(&encoded);
    return cursor;
}

static bool read_digits(const char *text, size_t size, int64_t *out)
{
    if (size < 1 || size > 16)
        return false;
    for (*out = 0; size > 0; text++, size--) {
        if (*text < '0' || *text > '9')
            return false;
        *out = *out * 10 + (*text - '0');
    }
    return true;
}

static bool read_cursor(dream_arena *arena, const char *cursor, dreamd_customer_place *out)
{
    dream_buffer plain = DREAM_BUFFER_INIT;
    const char *dot = NULL;
    bool is_ok = strlen(cursor) <= MAX_CURSOR && dream_base64url_decode(&plain, cursor, strlen(cursor))
                 && plain.size > 0 && !memchr(plain.data, '\0', plain.size);

    dot = is_ok ? strchr(dream_buffer_str(&plain), '.') : NULL;
    if (dot && dot[1] && read_digits(plain.data, (size_t)(dot - plain.data), &out->created_at_ms)) {
        out->user_id = dream_arena_strdup(arena, dot + 1);
        out->is_there = out->user_id != NULL;
    }
    dream_buffer_clear(&plain);
    return out->is_there;
}

/* ---- the request ---- */

static bool refuse(dreamd_call *call, const char *error, const char *message)
{
    dreamd_call_set_error(call, 400, error, message);
    return false;
}

static bool read_limit(dreamd_call *call, size_t *out)
{
    const char *text = dreamd_request_query(call->request, "limit");
    int64_t limit = DEFAULT_LIMIT;

    if (text && (!read_digits(text, strlen(text), &limit) || limit < 1 || limit > MAX_LIMIT))
        return refuse(call, "Invalid limit", "limit must be a whole number from 1 to 100");
    *out = (size_t)limit;
    return true;
}

/* False, with the answer prepared, if a parameter is unusable. */
static bool read_query(dreamd_call *call, dreamd_customer_query *out)
{
    const char *cursor = dreamd_request_query(call->request, "cursor");

    out->now_ms = call->now_ms;
    out->email_prefix = dreamd_request_query(call->request, "email");
    out->plan = dreamd_request_query(call->request, "plan");
    if (!read_limit(call, &out->limit))
        return false;
    if (out->email_prefix && (!*out->email_prefix || strlen(out->email_prefix) > DREAMD_MAX_EMAIL))
        return refuse(call, "Invalid email", "email must have 1 to 320 characters");
    if (out->plan && (!*out->plan || strlen(out->plan) > DREAMD_MAX_PLAN))
        return refuse(call, "Invalid plan", "plan must have 1 to 64 characters");
    if (cursor && !read_cursor(call->arena, cursor, &out->after))
        return refuse(call, "Invalid cursor", "cursor must be the nextCursor of an earlier answer");
    return true;
}

/* ---- the answer ---- */

static dreamd_db_status load(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct page *page = call->state;
    dreamd_db_status status = dreamd_tier_list(db, &call->project, call->arena, &page->tiers, &page->tier_count);

    if (status != DREAMD_DB_OK)
        return status;
    return dreamd_customer_list(db, &call->project, &page->query, call->arena, &page->list, &page->count, &page->next);
}

static cJSON *customer_json(const dreamd_call *call, const struct page *page, const dreamd_listed_customer *listed)
{
    const dreamd_customer *customer = &listed->customer;
    const dreamd_tier *tier = dreamd_row_tier(page->tiers, page->tier_count, listed->plan);
    cJSON *json = cJSON_CreateObject();
    cJSON *usage = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(json, "id", customer->user_id)
                 && dream_json_set_string(json, "email", customer->email)
                 && dream_json_set_string(json, "firstName", customer->first_name)
                 && dream_json_set_string(json, "lastName", customer->last_name)
                 && dream_json_set_string(json, "plan", listed->plan)
                 && dream_json_set_string(json, "status", dreamd_row_status(listed))
                 && dream_json_set_string(json, "publishableKey", call->project.publishable_key)
                 && dream_json_set_int(json, "createdAt", customer->created_at_ms)
                 && dreamd_row_set_usage(usage, "count", listed, tier ? tier->limit : 0);

    is_ok = dream_json_set(json, "usage", usage) && is_ok;
    if (is_ok)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static bool set_customers(const dreamd_call *call, const struct page *page, cJSON *body)
{
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < page->count; i++) {
        cJSON *json = customer_json(call, page, &page->list[i]);

        is_ok = json && cJSON_AddItemToArray(list, json);
        if (!is_ok)
            cJSON_Delete(json);
    }
    return dream_json_set(body, "customers", list) && is_ok;
}

static void answer_page(dreamd_call *call)
{
    const struct page *page = call->state;
    cJSON *body = cJSON_CreateObject();
    const char *cursor = page->next.is_there ? write_cursor(call->arena, &page->next) : NULL;
    bool is_ok = set_customers(call, page, body) && (cursor || !page->next.is_there)
                 && dream_json_set_string(body, "nextCursor", cursor);

    if (!is_ok) {
        cJSON_Delete(body);
        body = NULL;
    }
    dreamd_call_answer(call, 200, body);
}

void dreamd_customers_list(dreamd_call *call)
{
    struct page *page = dream_arena_alloc(call->arena, sizeof *page);

    call->state = page;
    if (!page)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (!read_query(call, &page->query))
        dreamd_call_send(call);
    else
        dreamd_call_read(call, load, answer_page);
}
