/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - POST /api/data (one use, or `units` of them for a developer's backend) and GET /api/usage.
 * The decision is the store's (store/usage.h). Claiming the idempotency key, charging and remembering the answer are one
 * piece of work: a crash leaves all of it or nothing. */
#include <string.h>

#include "common/json.h"
#include "common/timefmt.h"
#include "service/api/handlers.h"
#include "service/api/replay.h"
#include "service/provider/clerk.h"
#include "service/store/customers.h"

enum { EMAIL_PAUSE_MS = 10000 };

struct usage {
    int64_t units;
    const char *email; /* found at the identity provider; NULL: not asked, or not told */
    bool is_email_missing;
};

static struct usage *usage_new(dreamd_call *call)
{
    struct usage *usage = dream_arena_alloc(call->arena, sizeof *usage);

    if (usage)
        usage->units = 1;
    call->state = usage;
    return usage;
}

static bool set_limit(cJSON *json, const char *name, int64_t limit)
{
    return limit == DREAMD_UNLIMITED ? dream_json_set_string(json, name, "unlimited")
                                     : dream_json_set_int(json, name, limit);
}

/* ---- POST /api/data ---- */

static cJSON *admitted_json(const dreamd_usage_result *result)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *data = cJSON_CreateObject();
    cJSON *usage = cJSON_CreateObject();
    bool is_ok = dream_json_set_bool(body, "success", true);

    is_ok = dream_json_set_string(data, "message", "Request processed successfully") && is_ok;
    is_ok = dream_json_set_int(usage, "count", result->used) && is_ok;
    is_ok = set_limit(usage, "limit", result->limit) && is_ok;
    is_ok = dream_json_set_int(usage, "held", result->held) && is_ok;
    is_ok = dream_json_set_int(usage, "lost", result->lost) && is_ok;
    is_ok = dream_json_set_string(usage, "plan", result->plan) && is_ok;
    is_ok = dream_json_set(body, "data", data) && is_ok;
    is_ok = dream_json_set(body, "usage", usage) && is_ok;
    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

static cJSON *limit_json(const dreamd_usage_result *result)
{
    cJSON *body = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(body, "error", "Tier limit reached")
                 && dream_json_set_int(body, "usageCount", result->used) && set_limit(body, "limit", result->limit)
                 && dream_json_set_int(body, "held", result->held) && dream_json_set_int(body, "lost", result->lost)
                 && dream_json_set_string(body, "message", "Please upgrade to unlock more requests");

    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

static dreamd_db_status track(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    const struct usage *usage = call->state;
    dreamd_usage_request request = dreamd_call_usage(call, usage->units);
    dreamd_usage_result result;
    dreamd_db_status status = dreamd_replay_claim(db, call);

    if (status != DREAMD_DB_OK || !dreamd_replay_is_fresh(call))
        return status;
    if (!request.email)
        request.email = usage->email;
    status = dreamd_usage_admit(db, &request, &result);
    if (status != DREAMD_DB_OK)
        return status;
    if (result.outcome == DREAMD_USAGE_LIMIT)
        dreamd_call_set(call, 403, limit_json(&result));
    else if (!dreamd_call_set_usage_refusal(call, &result))
        dreamd_call_set(call, 200, admitted_json(&result));
    /* An answer there is no memory for cannot be remembered: then nothing is charged either. */
    return call->text ? dreamd_replay_finish(db, call) : DREAMD_DB_NOMEM;
}

static void on_tracked(dreamd_call *call)
{
    if (!dreamd_replay_is_fresh(call))
        dreamd_replay_set_answer(call);
    dreamd_call_send(call);
}

static void on_email_answer(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;
    struct usage *usage = call->state;

    /* Metering does not wait for, or fail with, the identity provider: an address is only nice to have. */
    if (user)
        usage->email = dream_arena_strdup(call->arena, user->email ? user->email : "");
    else if (answer->outcome == DREAMD_UPSTREAM_UNAVAILABLE)
        atomic_store(&call->service->email_pause_until_ms, dream_monotonic_ms() + EMAIL_PAUSE_MS);
    dreamd_call_write(call, track, on_tracked);
}

static dreamd_db_status look_for_email(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct usage *usage = call->state;
    dreamd_customer customer;
    bool is_found = false;
    dreamd_db_status status =
        dreamd_customer_find(db, &call->project, call->user_id, call->arena, &customer, &is_found);

    usage->is_email_missing = !is_found || (!customer.email && !customer.is_deleted);
    return status;
}

static void on_email_looked_for(dreamd_call *call)
{
    const struct usage *usage = call->state;
    bool is_paused = dream_monotonic_ms() < atomic_load(&call->service->email_pause_until_ms);

    if (usage->is_email_missing && !is_paused)
        dreamd_clerk_get_user(call->service->upstream, call->project.mode, call->user_id, on_email_answer, call);
    else
        dreamd_call_write(call, track, on_tracked);
}

/* Only the backend that names the user may say how many: a browser's body is not read. */
static bool read_units(dreamd_call *call, int64_t *out)
{
    *out = 1;
    if (!call->has_secret_key || !dream_json_string(call->body, "userId") || !dream_json_get(call->body, "units"))
        return true;
    if (dream_json_int(call->body, "units", out) && *out >= 1)
        return true;
    dreamd_call_set_error(call, 400, "Invalid units", "units must be a positive integer");
    return false;
}

void dreamd_usage_track(dreamd_call *call)
{
    struct usage *usage = usage_new(call);

    if (!usage)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (!read_units(call, &usage->units))
        dreamd_call_send(call);
    else if (call->claims && !call->claims->email)
        dreamd_call_read(call, look_for_email, on_email_looked_for);
    else
        dreamd_call_write(call, track, on_tracked);
}

/* ---- GET /api/usage ---- */

static int64_t remaining_of(const dreamd_usage_result *result)
{
    int64_t left = result->limit - result->used - result->held - result->lost;

    return left > 0 ? left : 0;
}

static cJSON *usage_json(const dreamd_call *call, const dreamd_usage_result *result)
{
    cJSON *body = cJSON_CreateObject();
    char start[11];
    char end[11];
    bool is_unlimited = result->limit == DREAMD_UNLIMITED;
    bool is_ok = dream_json_set_string(body, "userId", call->user_id)
                 && dream_json_set_string(body, "plan", result->plan)
                 && dream_json_set_int(body, "usageCount", result->used) && set_limit(body, "limit", result->limit)
                 && set_limit(body, "remaining", is_unlimited ? DREAMD_UNLIMITED : remaining_of(result))
                 && dream_json_set_int(body, "held", result->held) && dream_json_set_int(body, "lost", result->lost);

    dream_day_text(result->period_start_day, start);
    dream_day_text(result->period_end_day, end);
    is_ok = is_ok && dream_json_set_string(body, "periodStart", start) && dream_json_set_string(body, "periodEnd", end);
    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

static dreamd_db_status read_usage(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    dreamd_usage_request request = dreamd_call_usage(call, 1);
    dreamd_usage_result result;
    dreamd_db_status status = dreamd_usage_read(db, &request, &result);

    if (status != DREAMD_DB_OK)
        return status;
    if (!dreamd_call_set_usage_refusal(call, &result))
        dreamd_call_set(call, 200, usage_json(call, &result));
    return DREAMD_DB_OK;
}

void dreamd_usage_get(dreamd_call *call)
{
    dreamd_call_write(call, read_usage, dreamd_call_send);
}
