/* SPDX-License-Identifier: Apache-2.0 */
/* lease_wire.c - writes the request item by item, and reads the answer whole: one that is not as agreed is refused as a whole, so
 * that nothing is booked from half of it. */
#include "lib/meter/lease_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"
#include "lib/client.h"
#include "lib/extensions.h"
#include "lib/meter/record.h"

void dream_lease_id_text(const unsigned char id[16], char out[33])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 16; i++) {
        out[2 * i] = digits[id[i] >> 4];
        out[2 * i + 1] = digits[id[i] & 15];
    }
    out[32] = '\0';
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool dream_lease_id_read(const char *text, unsigned char out[16])
{
    if (text == NULL || strlen(text) != 32)
        return false;
    for (size_t i = 0; i < 16; i++) {
        int high = digit_of(text[2 * i]);
        int low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* ---- the request ---- */

void dream_lease_request_begin(dream_request *request, const dreamapi_client *client, const char *holder,
                               const char *project)
{
    dream_request_begin(request, client, "POST", "/api/leases", NULL);
    request->needed_extension = DREAM_EXTENSION_LEASES;
    /* The request ids and the counts make it so: it may be sent any number of times. */
    request->is_idempotent = true;
    dream_request_field(request, "holder", "holder", holder);
    if (project[0] != '\0')
        dream_request_field(request, "project", "project", project);
}

static void add_id(dream_request *request, const char *name, const unsigned char id[16])
{
    char text[33];

    dream_lease_id_text(id, text);
    dream_request_field(request, name, name, text);
}

void dream_lease_request_settle(dream_request *request, const dream_settle_item *item)
{
    char day[11];

    dream_day_text(item->period_start_day, day);
    dream_request_item_begin(request);
    add_id(request, "leaseId", item->lease_id);
    add_id(request, "requestId", item->request_id);
    dream_request_field(request, "userId", "userId", item->user_id);
    dream_request_field(request, "meter", "meter", item->meter);
    dream_request_field(request, "periodStart", "periodStart", day);
    dream_request_int(request, "granted", item->granted);
    dream_request_int(request, "admitted", item->admitted);
    dream_request_int(request, "refunded", item->refunded);
    dream_request_bool(request, "final", item->is_final);
    dream_request_bool(request, "unproven", item->is_unproven);
    dream_request_item_end(request);
}

void dream_lease_request_acquire(dream_request *request, const unsigned char request_id[16], const char *user_id,
                                 const char *meter, uint32_t want, uint32_t least)
{
    dream_request_item_begin(request);
    add_id(request, "requestId", request_id);
    dream_request_field(request, "userId", "userId", user_id);
    dream_request_field(request, "meter", "meter", meter);
    dream_request_int(request, "want", want);
    if (least > 1)
        dream_request_int(request, "least", least);
    dream_request_item_end(request);
}

void dream_lease_request_refund(dream_request *request, const unsigned char id[16], const unsigned char lease_id[16],
                                uint32_t units)
{
    dream_request_item_begin(request);
    add_id(request, "id", id);
    add_id(request, "leaseId", lease_id);
    dream_request_int(request, "units", units);
    dream_request_item_end(request);
}

/* ---- the answer ---- */

static dreamapi_status complain(char problem[DREAM_PROBLEM_SIZE], const char *what)
{
    (void)snprintf(problem, DREAM_PROBLEM_SIZE, "%s", what);
    return DREAMAPI_PROTOCOL;
}

static dreamapi_status read_settled(void *item, const cJSON *object, char problem[DREAM_PROBLEM_SIZE])
{
    static const dream_field fields[] = {
        { "leaseId", DREAM_FIELD_TEXT, offsetof(dream_settled_answer, lease_id), true, 0 },
        { "state", DREAM_FIELD_TEXT, offsetof(dream_settled_answer, state), true, 0 },
        { "charged", DREAM_FIELD_INT, offsetof(dream_settled_answer, charged), false, 0 },
    };

    return dream_fields_read(object, fields, sizeof(fields) / sizeof(fields[0]), item, problem);
}

static dreamapi_status read_refunded(void *item, const cJSON *object, char problem[DREAM_PROBLEM_SIZE])
{
    static const dream_field fields[] = {
        { "id", DREAM_FIELD_TEXT, offsetof(dream_refunded_answer, id), true, 0 },
        { "state", DREAM_FIELD_TEXT, offsetof(dream_refunded_answer, state), true, 0 },
    };

    return dream_fields_read(object, fields, sizeof(fields) / sizeof(fields[0]), item, problem);
}

static dreamapi_status read_rate(const cJSON *object, dream_grant_answer *grant, char problem[DREAM_PROBLEM_SIZE])
{
    static const dream_field fields[] = {
        { "windowMs", DREAM_FIELD_INT, offsetof(dream_grant_answer, window_ms), true, 0 },
        { "windowEndsInMs", DREAM_FIELD_INT, offsetof(dream_grant_answer, window_ends_in_ms), true, 0 },
        { "granted", DREAM_FIELD_INT, offsetof(dream_grant_answer, rate_granted), true, 0 },
    };
    const cJSON *rate = dream_json_get(object, "rate");
    dreamapi_status status = DREAMAPI_OK;

    if (rate == NULL || cJSON_IsNull(rate))
        return DREAMAPI_OK;
    if (!cJSON_IsObject(rate))
        return complain(problem, "a grant's rate is no object");
    status = dream_fields_read(rate, fields, sizeof(fields) / sizeof(fields[0]), grant, problem);
    if (status != DREAMAPI_OK)
        return status;
    grant->has_rate = true;
    if (grant->window_ms < 1 || grant->window_ms > DREAMAPI_MAX_TIMEOUT_MS || grant->window_ends_in_ms < 0
        || grant->window_ends_in_ms > grant->window_ms || grant->rate_granted < 0)
        return complain(problem, "a grant's rate makes no sense");
    return DREAMAPI_OK;
}

static bool read_day(const cJSON *object, const char *name, int32_t *out_day)
{
    const char *text = dream_json_string(object, name);

    *out_day = 0;
    return text != NULL && dream_day_parse(text, out_day);
}

static dreamapi_status read_grant(void *item, const cJSON *object, char problem[DREAM_PROBLEM_SIZE])
{
    static const dream_field fields[] = {
        { "requestId", DREAM_FIELD_TEXT, offsetof(dream_grant_answer, request_id), true, 0 },
        { "error", DREAM_FIELD_TEXT, offsetof(dream_grant_answer, error), false, 0 },
        { "retryAfterMs", DREAM_FIELD_INT, offsetof(dream_grant_answer, retry_after_ms), false, -1 },
        { "leaseId", DREAM_FIELD_TEXT, offsetof(dream_grant_answer, lease_id), false, 0 },
        { "state", DREAM_FIELD_TEXT, offsetof(dream_grant_answer, state), false, 0 },
        { "granted", DREAM_FIELD_INT, offsetof(dream_grant_answer, granted), false, 0 },
        { "ttlMs", DREAM_FIELD_INT, offsetof(dream_grant_answer, ttl_ms), false, 0 },
        { "plan", DREAM_FIELD_TEXT, offsetof(dream_grant_answer, plan), false, 0 },
        { "limit", DREAM_FIELD_LIMIT, offsetof(dream_grant_answer, limit), false, -1 },
        { "used", DREAM_FIELD_INT, offsetof(dream_grant_answer, used), false, 0 },
        { "held", DREAM_FIELD_INT, offsetof(dream_grant_answer, held), false, 0 },
        { "lost", DREAM_FIELD_INT, offsetof(dream_grant_answer, lost), false, 0 },
    };
    dream_grant_answer *grant = item;
    unsigned char id[16];
    dreamapi_status status = dream_fields_read(object, fields, sizeof(fields) / sizeof(fields[0]), grant, problem);

    if (status != DREAMAPI_OK)
        return status;
    if (grant->error != NULL) {
        (void)read_day(object, "periodStart", &grant->period_start_day);
        return DREAMAPI_OK;
    }
    if (!dream_lease_id_read(grant->lease_id, id) || grant->state == NULL || grant->granted < 1
        || grant->granted > DREAM_MAX_GRANT || grant->ttl_ms < 0 || grant->ttl_ms > DREAMAPI_MAX_TIMEOUT_MS
        || !read_day(object, "periodStart", &grant->period_start_day)
        || !read_day(object, "periodEnd", &grant->period_end_day))
        return complain(problem, "a grant makes no sense");
    return read_rate(object, grant, problem);
}

static const dream_list_kind settled_kind = { "settled", NULL, 0, sizeof(dream_settled_answer), read_settled };
static const dream_list_kind refunded_kind = { "refunded", NULL, 0, sizeof(dream_refunded_answer), read_refunded };
static const dream_list_kind grants_kind = { "grants", NULL, 0, sizeof(dream_grant_answer), read_grant };

static void release(void *object)
{
    dream_lease_answer *answer = object;

    if (answer == NULL)
        return;
    dream_document_clear(&answer->document);
    free(answer->settled);
    free(answer->refunded);
    free(answer->grants);
    free(answer);
}

static dreamapi_status read_answer(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dream_lease_answer *answer = object;
    const cJSON *root = answer->document.root;
    dream_list list = { 0 };
    dreamapi_status status;

    if (!dream_json_int(root, "storeEpoch", &answer->store_epoch))
        return complain(problem, "storeEpoch is missing");
    answer->project = dream_json_string(root, "project");
    answer->recall = dream_json_get(root, "recall");
    status = dream_list_read(root, &settled_kind, &list, problem);
    answer->settled = list.items;
    answer->settled_count = list.count;
    if (status != DREAMAPI_OK)
        return status;
    memset(&list, 0, sizeof(list));
    if (dream_json_get(root, "refunded") != NULL)
        status = dream_list_read(root, &refunded_kind, &list, problem);
    answer->refunded = list.items;
    answer->refunded_count = list.count;
    if (status != DREAMAPI_OK)
        return status;
    memset(&list, 0, sizeof(list));
    status = dream_list_read(root, &grants_kind, &list, problem);
    answer->grants = list.items;
    answer->grant_count = list.count;
    return status;
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dream_lease_answer), read_answer, release, out_object, problem);
}

const dream_noun dream_noun_lease_answer = { "lease answer", parse, release };
