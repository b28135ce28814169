/* SPDX-License-Identifier: Apache-2.0 */
/* grants.c - answers GET /health and POST /api/leases in the call that brings them; no thread, no descriptor, no state. */
#include "support/grants.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/instant.h"

/* Any id in 32 hex digits will do, as long as no other lease has it: the request's own is one. */
static void add_lease(cJSON *grant, const cJSON *wish, const grants *settings)
{
    const cJSON *want = cJSON_GetObjectItem(wish, "want");

    cJSON_AddStringToObject(grant, "leaseId", cJSON_GetStringValue(cJSON_GetObjectItem(wish, "requestId")));
    cJSON_AddStringToObject(grant, "state", "active");
    cJSON_AddNumberToObject(grant, "granted", settings->units > 0 ? (double)settings->units : want->valuedouble);
    cJSON_AddNumberToObject(grant, "ttlMs", (double)settings->ttl_ms);
    cJSON_AddStringToObject(grant, "plan", "pro");
    cJSON_AddStringToObject(grant, "limit", "unlimited");
    cJSON_AddNumberToObject(grant, "used", 0);
    cJSON_AddNumberToObject(grant, "held", 0);
    cJSON_AddNumberToObject(grant, "lost", 0);
    if (settings->rate_calls > 0) {
        cJSON *rate = cJSON_AddObjectToObject(grant, "rate");
        cJSON_AddNumberToObject(rate, "limit", (double)settings->rate_calls);
        cJSON_AddNumberToObject(rate, "windowMs", 60000);
        cJSON_AddNumberToObject(rate, "windowEndsInMs", 60000);
        cJSON_AddNumberToObject(rate, "granted", (double)settings->rate_calls);
    }
}

static void add_refusal(cJSON *grant)
{
    cJSON_AddStringToObject(grant, "error", "limit_reached");
    cJSON_AddNumberToObject(grant, "retryAfterMs", 1000);
    cJSON_AddStringToObject(grant, "plan", "free");
    cJSON_AddNumberToObject(grant, "limit", 1000);
    cJSON_AddNumberToObject(grant, "used", 1000);
}

static void answer_wish(cJSON *grants_made, const cJSON *wish, const grants *settings)
{
    const char *user = cJSON_GetStringValue(cJSON_GetObjectItem(wish, "userId"));
    cJSON *grant = cJSON_CreateObject();

    cJSON_AddItemToArray(grants_made, grant);
    cJSON_AddStringToObject(grant, "requestId", cJSON_GetStringValue(cJSON_GetObjectItem(wish, "requestId")));
    cJSON_AddStringToObject(grant, "periodStart", "2026-01-01");
    cJSON_AddStringToObject(grant, "periodEnd", "2026-02-01");
    if (strncmp(user, GRANTS_DENIED, strlen(GRANTS_DENIED)) == 0)
        add_refusal(grant);
    else
        add_lease(grant, wish, settings);
}

static void answer_report(cJSON *settled, const cJSON *report)
{
    cJSON *item = cJSON_CreateObject();

    cJSON_AddItemToArray(settled, item);
    cJSON_AddStringToObject(item, "leaseId", cJSON_GetStringValue(cJSON_GetObjectItem(report, "leaseId")));
    cJSON_AddStringToObject(item, "state", cJSON_IsTrue(cJSON_GetObjectItem(report, "final")) ? "final" : "active");
}

static char *answer_leases(const char *body, size_t size, const grants *settings)
{
    cJSON *request = cJSON_ParseWithLength(body, size);
    cJSON *answer = cJSON_CreateObject();
    cJSON *settled = cJSON_AddArrayToObject(answer, "settled");
    cJSON *made = cJSON_AddArrayToObject(answer, "grants");
    const cJSON *item;
    char *text;

    cJSON_AddNumberToObject(answer, "storeEpoch", 1);
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(request, "settle")) answer_report(settled, item);
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(request, "acquire")) answer_wish(made, item, settings);
    text = cJSON_PrintUnformatted(answer);
    cJSON_Delete(answer);
    cJSON_Delete(request);
    return text;
}

/* ---- the transport ---- */

static dreamapi_status start(void *instance, dreamapi_exchange *exchange)
{
    static const char health[] = "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"server-side\",\"leases\"]}";
    size_t size = 0;
    const char *body = dreamapi_exchange_body(exchange, &size);
    char *text = body == NULL ? strdup(health) : answer_leases(body, size, instance);
    bool is_added = text != NULL && dreamapi_exchange_add_body(exchange, text, strlen(text)) == DREAMAPI_OK;

    free(text);
    if (is_added)
        dreamapi_exchange_finish(exchange, 200);
    else
        dreamapi_exchange_fail(exchange, DREAMAPI_FAILURE_NOMEM, 0, NULL);
    return DREAMAPI_OK;
}

dreamapi_transport grants_transport(grants *settings)
{
    return instant_transport(settings, start);
}
