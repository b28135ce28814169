/* SPDX-License-Identifier: Apache-2.0 */
/* leases.c - POST /api/leases: a holder settles what it spent and acquires more, up to 1000 items in one round trip.
 * What an item does is the store's (store/leases.h): settlements first, then refunds, then acquires, all of them one piece of
 * work. One bad item spoils no other. The request is idempotent by its items' own ids, so an Idempotency-Key is not read: a
 * retry whose counts have grown is the same request. */
#include "service/store/leases.h"

#include <string.h>

#include "common/timefmt.h"
#include "service/api/handlers.h"

enum { MAX_ITEMS = 1000, PRUNED_AT_LEAST = 4 };

static const char bad_request[] = "Invalid request";

struct settle {
    const char *lease_id; /* to name it in the answer; NULL: it has none */
    bool is_bad;
    dreamd_lease_report report;
    dreamd_lease_settled settled;
};

struct refund {
    const char *refund_id;
    const char *lease_id;
    bool is_bad;
    dreamd_lease_refund refund;
    dreamd_lease_refund_outcome outcome;
};

struct acquire {
    const char *request_id; /* all three to name it in the answer */
    const char *user_id;
    const char *meter;
    bool is_bad;
    dreamd_lease_want want;
    dreamd_lease_grant grant;
};

struct leases {
    const char *holder;
    const char *project_id;
    struct settle *settles;
    size_t settle_count;
    struct refund *refunds;
    size_t refund_count;
    struct acquire *acquires;
    size_t acquire_count;
    dreamd_lease_terms terms;
    dreamd_epoch epoch;
    const char **recalls;
    size_t recall_count;
    dream_arena *arena;
};

/* ---- reading ---- */

static bool refuse(dreamd_call *call, const char *message)
{
    dreamd_call_set_error(call, 400, bad_request, message);
    return false;
}

static const char *read_text(const cJSON *json, const char *name, size_t max)
{
    const char *text = dream_json_string(json, name);

    return text && dreamd_is_printable(text, max) ? text : NULL;
}

static const char *read_meter(const cJSON *json)
{
    const cJSON *meter = dream_json_get(json, "meter");

    return !meter || cJSON_IsNull(meter) ? DREAMD_DEFAULT_METER : read_text(json, "meter", DREAMD_LEASE_METER_MAX);
}

/* Absent and null leave `*out` as it is. */
static bool read_count(const cJSON *json, const char *name, int64_t min, int64_t *out)
{
    const cJSON *value = dream_json_get(json, name);

    if (!value || cJSON_IsNull(value))
        return true;
    return dream_json_int(json, name, out) && *out >= min;
}

static bool read_flag(const cJSON *json, const char *name, bool *out)
{
    const cJSON *value = dream_json_get(json, name);

    *out = cJSON_IsTrue(value);
    return !value || cJSON_IsNull(value) || cJSON_IsBool(value);
}

static bool read_day(const cJSON *json, const char *name, int32_t *out)
{
    const char *text = dream_json_string(json, name);

    return text && strlen(text) == sizeof "YYYY-MM-DD" - 1 && dream_day_parse(text, out);
}

static void read_settle(const cJSON *json, struct settle *out)
{
    dreamd_lease_report *report = &out->report;

    *out = (struct settle){ .lease_id = dream_json_string(json, "leaseId") };
    report->lease_id = read_text(json, "leaseId", DREAMD_LEASE_ID_MAX);
    report->request_id = read_text(json, "requestId", DREAMD_LEASE_ID_MAX);
    report->user_id = read_text(json, "userId", DREAMD_LEASE_USER_MAX);
    report->meter = read_meter(json);
    out->is_bad = !report->lease_id || !report->request_id || !report->user_id || !report->meter
                  || !read_day(json, "periodStart", &report->period_start_day)
                  || !read_count(json, "granted", 1, &report->granted)
                  || !read_count(json, "admitted", 0, &report->admitted)
                  || !read_count(json, "refunded", 0, &report->refunded) || !read_flag(json, "final", &report->is_final)
                  || !read_flag(json, "unproven", &report->is_unproven);
    out->settled.state = DREAMD_LEASE_INVALID;
}

static void read_refund(const cJSON *json, struct refund *out)
{
    *out = (struct refund){ .refund_id = dream_json_string(json, "id"),
                            .lease_id = dream_json_string(json, "leaseId"),
                            .outcome = DREAMD_LEASE_REFUND_INVALID };
    out->refund.refund_id = read_text(json, "id", DREAMD_LEASE_ID_MAX);
    out->refund.lease_id = read_text(json, "leaseId", DREAMD_LEASE_ID_MAX);
    out->is_bad = !out->refund.refund_id || !out->refund.lease_id || !read_count(json, "units", 1, &out->refund.units);
}

static void read_acquire(const cJSON *json, struct acquire *out)
{
    dreamd_lease_want *want = &out->want;

    *out = (struct acquire){ .request_id = dream_json_string(json, "requestId"),
                             .user_id = dream_json_string(json, "userId"),
                             .meter = dream_json_string(json, "meter"),
                             .grant.refusal = DREAMD_LEASE_BAD_REQUEST };
    want->request_id = read_text(json, "requestId", DREAMD_LEASE_ID_MAX);
    want->user_id = read_text(json, "userId", DREAMD_LEASE_USER_MAX);
    want->meter = read_meter(json);
    out->is_bad = !want->request_id || !want->user_id || !want->meter || !read_count(json, "want", 1, &want->want)
                  || want->want < 1;
    want->want_rate = want->want;
    out->is_bad = out->is_bad || !read_count(json, "least", 0, &want->least) || want->least > want->want;
    out->is_bad = out->is_bad || !read_count(json, "wantRate", 1, &want->want_rate);
    if (want->meter)
        out->meter = want->meter;
}

/* How many a list has; -1 if it is none. Absent and null are empty. */
static int count_list(const cJSON *json, const char *name)
{
    const cJSON *list = dream_json_get(json, name);

    if (!list || cJSON_IsNull(list))
        return 0;
    return cJSON_IsArray(list) ? cJSON_GetArraySize(list) : -1;
}

/* One more than asked for, as none would be no memory. */
static void *alloc_list(dreamd_call *call, int count, size_t size)
{
    return dream_arena_alloc(call->arena, ((size_t)count + 1) * size);
}

static void read_items(const cJSON *body, struct leases *out)
{
    const cJSON *json = NULL;

    cJSON_ArrayForEach(json, dream_json_get(body, "settle"))
    {
        read_settle(json, &out->settles[out->settle_count++]);
    }
    cJSON_ArrayForEach(json, dream_json_get(body, "refunds"))
    {
        read_refund(json, &out->refunds[out->refund_count++]);
    }
    cJSON_ArrayForEach(json, dream_json_get(body, "acquire"))
    {
        read_acquire(json, &out->acquires[out->acquire_count++]);
    }
}

/* A journal belongs to one project. With the key of another one its settlements would make leases there, for users of the
 * same name or of none. */
static bool is_of_this_project(dreamd_call *call)
{
    const char *project = dream_json_string(call->body, "project");

    if (!project || strcmp(project, call->project.project_id) == 0)
        return true;
    dreamd_call_set_error(call, 409, "Wrong project", "This journal has leases of another project: use that one's key");
    return false;
}

/* False, with the answer prepared, if there is nothing to work on. Texts stay in the body. */
static bool read_request(dreamd_call *call, struct leases *out)
{
    dreamd_body body = dreamd_call_body(call);
    int settles = count_list(call->body, "settle");
    int refunds = count_list(call->body, "refunds");
    int acquires = count_list(call->body, "acquire");

    if (body != DREAMD_BODY_OBJECT)
        return refuse(call, "Body is no JSON object");
    out->holder = read_text(call->body, "holder", DREAMD_LEASE_ID_MAX);
    if (!out->holder)
        return refuse(call, "holder must have 1 to 64 printable characters");
    if (!is_of_this_project(call))
        return false;
    out->project_id = call->project.project_id;
    if (settles < 0 || refunds < 0 || acquires < 0)
        return refuse(call, "settle, refunds and acquire must be lists");
    if (settles > MAX_ITEMS || refunds > MAX_ITEMS || acquires > MAX_ITEMS || settles + refunds + acquires > MAX_ITEMS)
        return refuse(call, "A request has at most 1000 items");
    out->settles = alloc_list(call, settles, sizeof *out->settles);
    out->refunds = alloc_list(call, refunds, sizeof *out->refunds);
    out->acquires = alloc_list(call, acquires, sizeof *out->acquires);
    out->recalls = alloc_list(call, MAX_ITEMS, sizeof *out->recalls);
    if (!out->settles || !out->refunds || !out->acquires || !out->recalls) {
        dreamd_call_set_error(call, 500, "Internal error", "Out of memory");
        return false;
    }
    read_items(call->body, out);
    return true;
}

/* ---- working ---- */

static void add_recall(void *context, const char *lease_id)
{
    struct leases *leases = context;
    const char *copy = dream_arena_strdup(leases->arena, lease_id);

    /* A recall that there is no memory for comes with the next request. */
    if (copy && leases->recall_count < MAX_ITEMS)
        leases->recalls[leases->recall_count++] = copy;
}

static dreamd_db_status work_on_items(dreamd_db *db, const dreamd_lease_scope *scope, struct leases *leases)
{
    dreamd_db_status status = DREAMD_DB_OK;

    for (size_t i = 0; status == DREAMD_DB_OK && i < leases->settle_count; i++) {
        struct settle *item = &leases->settles[i];
        if (!item->is_bad)
            status = dreamd_lease_settle(db, scope, &item->report, &item->settled);
    }
    for (size_t i = 0; status == DREAMD_DB_OK && i < leases->refund_count; i++) {
        struct refund *item = &leases->refunds[i];
        if (!item->is_bad)
            status = dreamd_lease_refund_apply(db, scope, &item->refund, &item->outcome);
    }
    for (size_t i = 0; status == DREAMD_DB_OK && i < leases->acquire_count; i++) {
        struct acquire *item = &leases->acquires[i];
        if (!item->is_bad)
            status = dreamd_lease_acquire(db, scope, &item->want, &item->grant);
    }
    return status;
}

static dreamd_db_status work_on_leases(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct leases *leases = call->state;
    dreamd_lease_scope scope = { &call->project, leases->holder, &leases->terms, call->now_ms, 0, 0 };
    dreamd_db_status status = dreamd_epoch_read(db, &leases->epoch);

    scope.recovering_until_ms = leases->epoch.recovering_until_ms;
    leases->recall_count = 0;
    if (status == DREAMD_DB_OK)
        status = dreamd_books_clock(db, call->now_ms, &scope.books_ms);
    if (status == DREAMD_DB_OK)
        status = work_on_items(db, &scope, leases);
    if (status == DREAMD_DB_OK)
        status = dreamd_lease_recalls(db, &scope, MAX_ITEMS, add_recall, leases);
    if (status == DREAMD_DB_OK)
        status = dreamd_leases_prune(db, &scope, PRUNED_AT_LEAST + 2 * (int64_t)leases->acquire_count);
    return status;
}

/* ---- answering ---- */

static const char *const state_words[] = {
    [DREAMD_LEASE_ACTIVE] = "active", [DREAMD_LEASE_LOST] = "lost",     [DREAMD_LEASE_UNPROVEN] = "unproven",
    [DREAMD_LEASE_FINAL] = "final",   [DREAMD_LEASE_CLOSED] = "closed", [DREAMD_LEASE_INVALID] = "invalid",
};

static const char *const refusal_words[] = {
    [DREAMD_LEASE_LIMIT_REACHED] = "limit_reached",
    [DREAMD_LEASE_HELD] = "held",
    [DREAMD_LEASE_RATE_LIMITED] = "rate_limited",
    [DREAMD_LEASE_NOT_FOUND] = "not_found",
    [DREAMD_LEASE_DELETED] = "deleted",
    [DREAMD_LEASE_RECOVERING] = "recovering",
    [DREAMD_LEASE_UNAVAILABLE] = "unavailable",
    [DREAMD_LEASE_BAD_REQUEST] = "invalid",
};

static const char *const refund_words[] = {
    [DREAMD_LEASE_REFUND_APPLIED] = "applied", [DREAMD_LEASE_REFUND_DUPLICATE] = "duplicate",
    [DREAMD_LEASE_REFUND_UNKNOWN] = "unknown", [DREAMD_LEASE_REFUND_CLOSED] = "closed",
    [DREAMD_LEASE_REFUND_INVALID] = "invalid",
};

static bool set_limit(cJSON *json, int64_t limit)
{
    return limit == DREAMD_UNLIMITED ? dream_json_set_string(json, "limit", "unlimited")
                                     : dream_json_set_int(json, "limit", limit);
}

static bool set_settled(cJSON *json, const void *item)
{
    const struct settle *settle = item;

    return dream_json_set_string(json, "leaseId", settle->lease_id)
           && dream_json_set_string(json, "state", state_words[settle->settled.state])
           && dream_json_set_int(json, "charged", settle->settled.charged)
           && dream_json_set_int(json, "returned", settle->settled.returned);
}

static bool set_refunded(cJSON *json, const void *item)
{
    const struct refund *refund = item;

    return dream_json_set_string(json, "id", refund->refund_id)
           && dream_json_set_string(json, "leaseId", refund->lease_id)
           && dream_json_set_string(json, "state", refund_words[refund->outcome]);
}

static bool set_rate(cJSON *json, const dreamd_lease_grant *grant)
{
    cJSON *rate = NULL;

    if (!grant->has_rate)
        return dream_json_set_null(json, "rate");
    rate = cJSON_CreateObject();
    bool is_ok = dream_json_set_int(rate, "limit", grant->rate_limit)
                 && dream_json_set_int(rate, "windowMs", DREAMD_LEASE_WINDOW_MS)
                 && dream_json_set_int(rate, "windowEndsInMs", grant->window_ends_in_ms)
                 && dream_json_set_int(rate, "granted", grant->rate_granted);
    return dream_json_set(json, "rate", rate) && is_ok;
}

static bool set_plan(cJSON *json, const dreamd_lease_grant *grant)
{
    char start[11];
    char end[11];
    bool is_ok = true;

    if (grant->has_plan)
        is_ok = dream_json_set_string(json, "plan", grant->plan) && set_limit(json, grant->limit);
    if (!grant->has_period)
        return is_ok;
    dream_day_text(grant->period_start_day, start);
    dream_day_text(grant->period_end_day, end);
    return is_ok && dream_json_set_int(json, "used", grant->used) && dream_json_set_int(json, "held", grant->held)
           && dream_json_set_int(json, "lost", grant->lost) && dream_json_set_string(json, "periodStart", start)
           && dream_json_set_string(json, "periodEnd", end);
}

static bool set_grant(cJSON *json, const void *item)
{
    const struct acquire *acquire = item;
    const dreamd_lease_grant *grant = &acquire->grant;
    bool is_ok = dream_json_set_string(json, "requestId", acquire->request_id)
                 && dream_json_set_string(json, "userId", acquire->user_id)
                 && dream_json_set_string(json, "meter", acquire->meter);

    if (grant->refusal != DREAMD_LEASE_GRANTED)
        return is_ok && dream_json_set_string(json, "error", refusal_words[grant->refusal])
               && dream_json_set_int(json, "retryAfterMs", grant->retry_after_ms) && set_plan(json, grant);
    return is_ok && dream_json_set_string(json, "leaseId", grant->lease_id)
           && dream_json_set_string(json, "state", state_words[grant->state])
           && dream_json_set_int(json, "granted", grant->granted) && dream_json_set_int(json, "ttlMs", grant->ttl_ms)
           && set_plan(json, grant) && set_rate(json, grant);
}

static bool set_recall(cJSON *body, const struct leases *leases)
{
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < leases->recall_count; i++) {
        cJSON *name = cJSON_CreateString(leases->recalls[i]);

        is_ok = name && cJSON_AddItemToArray(list, name);
        if (!is_ok)
            cJSON_Delete(name);
    }
    return dream_json_set(body, "recall", list) && is_ok;
}

struct list {
    const char *name;
    const void *items;
    size_t count;
    size_t size;
    bool (*set)(cJSON *json, const void *item);
};

static bool set_list(cJSON *body, const struct list *wanted)
{
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < wanted->count; i++) {
        cJSON *json = cJSON_CreateObject();

        is_ok = json && cJSON_AddItemToArray(list, json);
        if (!is_ok)
            cJSON_Delete(json);
        is_ok = is_ok && wanted->set(json, (const char *)wanted->items + i * wanted->size);
    }
    return dream_json_set(body, wanted->name, list) && is_ok;
}

static cJSON *answer_json(const struct leases *leases)
{
    const struct list settled = { "settled", leases->settles, leases->settle_count, sizeof *leases->settles,
                                  set_settled };
    const struct list refunded = { "refunded", leases->refunds, leases->refund_count, sizeof *leases->refunds,
                                   set_refunded };
    const struct list grants = { "grants", leases->acquires, leases->acquire_count, sizeof *leases->acquires,
                                 set_grant };
    cJSON *body = cJSON_CreateObject();
    bool is_ok = dream_json_set_int(body, "storeEpoch", leases->epoch.store_epoch)
                 && dream_json_set_string(body, "project", leases->project_id) && set_list(body, &settled)
                 && set_list(body, &refunded) && set_list(body, &grants) && set_recall(body, leases);

    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

/* Also when there is no memory for the answer, what was done stays: a repeat is told the same. */
static void on_done(dreamd_call *call)
{
    dreamd_call_answer(call, 200, answer_json(call->state));
}

void dreamd_leases(dreamd_call *call)
{
    const dreamd_settings *settings = call->service->settings;
    struct leases *leases = dream_arena_alloc(call->arena, sizeof *leases);

    call->state = leases;
    if (!leases) {
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
        return;
    }
    leases->arena = call->arena;
    leases->terms =
        (dreamd_lease_terms){ settings->lease_ttl_ms, settings->lease_grace_ms, (int32_t)settings->lease_close_days };
    if (read_request(call, leases))
        dreamd_call_write(call, work_on_leases, on_done);
    else
        dreamd_call_send(call);
}
