/* SPDX-License-Identifier: Apache-2.0 */
/* usage_history.c - GET /api/usage/history: units by day, and what became of subscriptions on those days, for one user or for
 * the whole project. Days are UTC, both ends belong to the answer. */
#include <string.h>

#include "common/timefmt.h"
#include "service/api/handlers.h"
#include "service/store/customers.h"
#include "service/store/history.h"

enum { DEFAULT_DAYS = 30, MAX_METER = 64 };

struct history {
    dreamd_history_query query;
    dreamd_history found;
    bool is_unknown; /* the user */
};

static bool refuse(dreamd_call *call, const char *error, const char *message)
{
    dreamd_call_set_error(call, 400, error, message);
    return false;
}

/* Nothing but YYYY-MM-DD, between 1970 and 9999: times of day would be a promise that is not kept. */
static bool read_day(dreamd_call *call, const char *name, int32_t fallback, int32_t *out)
{
    const char *text = dreamd_request_query(call->request, name);

    *out = fallback;
    return !text || (strlen(text) == 10 && dream_day_parse(text, out) && *out >= 0);
}

static bool read_text(dreamd_call *call, const char *name, size_t max, const char **out)
{
    const char *text = dreamd_request_query(call->request, name);

    if (text)
        *out = text;
    return !text || (*text && strlen(text) <= max);
}

/* False, with the answer prepared, if a parameter is unusable. */
static bool read_query(dreamd_call *call, dreamd_history_query *out)
{
    int32_t today = dream_day_of_ms(call->now_ms);

    out->meter = DREAMD_DEFAULT_METER;
    if (!read_text(call, "userId", DREAMD_MAX_USER_ID, &out->user_id))
        return refuse(call, "Invalid userId", "userId must have 1 to 128 characters");
    if (!read_text(call, "meter", MAX_METER, &out->meter))
        return refuse(call, "Invalid meter", "meter must have 1 to 64 characters");
    if (!read_day(call, "to", today, &out->to_day))
        return refuse(call, "Invalid to", "to must be a day, YYYY-MM-DD");
    if (!read_day(call, "from", out->to_day - DEFAULT_DAYS + 1, &out->from_day))
        return refuse(call, "Invalid from", "from must be a day, YYYY-MM-DD");
    if (out->from_day > out->to_day)
        return refuse(call, "Invalid from", "from must not be after to");
    if (out->to_day - out->from_day >= DREAMD_HISTORY_MAX_DAYS)
        return refuse(call, "Invalid from", "from and to may be at most 400 days apart, both included");
    return true;
}

static dreamd_db_status load(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct history *history = call->state;
    dreamd_customer customer;
    bool is_found = true;
    dreamd_db_status status = DREAMD_DB_OK;

    /* One who was deleted has a history all the same. */
    if (history->query.user_id)
        status = dreamd_customer_find(db, &call->project, history->query.user_id, call->arena, &customer, &is_found);
    history->is_unknown = !is_found;
    if (status != DREAMD_DB_OK || history->is_unknown)
        return status;
    return dreamd_history_read(db, &call->project, &history->query, call->arena, &history->found);
}

/* ---- the answer ---- */

static bool add(cJSON *list, cJSON *item, bool is_ok)
{
    if (is_ok && item && list && cJSON_AddItemToArray(list, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static cJSON *days_json(const struct history *history)
{
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < history->found.day_count; i++) {
        cJSON *json = cJSON_CreateObject();
        char day[11];

        dream_day_text(history->query.from_day + (int32_t)i, day);
        is_ok = dream_json_set_string(json, "date", day) && dream_json_set_int(json, "units", history->found.units[i]);
        is_ok = add(list, json, is_ok);
    }
    if (is_ok)
        return list;
    cJSON_Delete(list);
    return NULL;
}

static cJSON *event_json(const dreamd_history_event *event)
{
    cJSON *json = cJSON_CreateObject();
    char at[25];
    bool is_ok = false;

    dream_iso_text(event->created_s * 1000, at);
    is_ok = dream_json_set_string(json, "at", at) && dream_json_set_string(json, "userId", event->user_id)
            && dream_json_set_string(json, "subscriptionId", *event->subscription_id ? event->subscription_id : NULL)
            && dream_json_set_string(json, "type", event->type) && dream_json_set_string(json, "plan", event->plan)
            && dream_json_set_string(json, "status", event->status)
            && (event->amount_minor < 0 ? dream_json_set_null(json, "amount")
                                        : dream_json_set_int(json, "amount", event->amount_minor))
            && dream_json_set_string(json, "currency", event->currency);
    if (is_ok)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static cJSON *events_json(const struct history *history)
{
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < history->found.event_count; i++)
        is_ok = add(list, event_json(&history->found.events[i]), true);
    if (is_ok)
        return list;
    cJSON_Delete(list);
    return NULL;
}

static void answer_history(dreamd_call *call)
{
    const struct history *history = call->state;
    cJSON *body = NULL;
    char from[11];
    char to[11];
    bool is_ok = false;

    if (history->is_unknown) {
        dreamd_call_refuse(call, 404, "Customer not found", "No customer of this project has this userId");
        return;
    }
    dream_day_text(history->query.from_day, from);
    dream_day_text(history->query.to_day, to);
    body = cJSON_CreateObject();
    is_ok = dream_json_set_string(body, "userId", history->query.user_id)
            && dream_json_set_string(body, "meter", history->query.meter) && dream_json_set_string(body, "from", from)
            && dream_json_set_string(body, "to", to) && dream_json_set(body, "days", days_json(history))
            && dream_json_set(body, "events", events_json(history))
            && dream_json_set_bool(body, "hasMoreEvents", history->found.has_more_events);
    if (!is_ok) {
        cJSON_Delete(body);
        body = NULL;
    }
    dreamd_call_answer(call, 200, body);
}

void dreamd_usage_history(dreamd_call *call)
{
    struct history *history = dream_arena_alloc(call->arena, sizeof *history);

    call->state = history;
    if (!history)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (!read_query(call, &history->query))
        dreamd_call_send(call);
    else
        dreamd_call_read(call, load, answer_history);
}
