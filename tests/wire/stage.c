/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - see stage.h. What the words of a row mean is in README.md. */
#include "stage.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/instant.h"

const char stage_base_url[] = "https://api.example.test/prefix";
const char stage_secret_key[] = "sk_live_scripted";

/* ---- answers ---- */

/* By its name, or itself. */
static const cJSON *named(const wire_stage *stage, const cJSON *answer)
{
    const char *name = cJSON_GetStringValue(answer);

    return name == NULL ? answer : wire_member(stage->answers, name);
}

/* The last one serves all that follow. */
static const cJSON *answer_at(const wire_stage *stage, const cJSON *list, size_t at)
{
    int last = cJSON_GetArraySize(list) - 1;

    return named(stage, cJSON_GetArrayItem(list, (int)at < last ? (int)at : last));
}

static void finish(dreamapi_exchange *exchange, int http_status, const char *body)
{
    wire_must(dreamapi_exchange_add_body(exchange, body, strlen(body)));
    dreamapi_exchange_finish(exchange, http_status);
}

static void finish_with(dreamapi_exchange *exchange, int http_status, const cJSON *body)
{
    char *text = body == NULL ? NULL : cJSON_PrintUnformatted(body);

    finish(exchange, http_status, text == NULL ? "" : text);
    cJSON_free(text);
}

/* "silent" is no answer at all: the client ends the exchange. */
static void give(dreamapi_exchange *exchange, const cJSON *answer)
{
    const cJSON *header;
    const char *text = wire_text_of(answer, "text");

    if (wire_member(answer, "cut") != NULL)
        dreamapi_exchange_fail(exchange, DREAMAPI_FAILURE_RESET, 1, "the answer was cut off");
    if (wire_member(answer, "status") == NULL)
        return;
    cJSON_ArrayForEach(header, wire_member(answer, "headers"))
        wire_must(dreamapi_exchange_add_header(exchange, header->string, header->valuestring));
    if (text != NULL)
        finish(exchange, (int)wire_int_of(answer, "status", 0), text);
    else
        finish_with(exchange, (int)wire_int_of(answer, "status", 0), wire_member(answer, "body"));
}

static void give_health(dreamapi_exchange *exchange, const cJSON *extensions)
{
    cJSON *body = cJSON_CreateObject();

    cJSON_AddStringToObject(body, "status", "ok");
    if (extensions != NULL)
        cJSON_AddItemReferenceToObject(body, "extensions", (cJSON *)extensions);
    finish_with(exchange, 200, body);
    cJSON_Delete(body);
}

/* ---- leases ---- */

static void copy(cJSON *to, const char *name, const cJSON *from, const char *there)
{
    cJSON_AddItemToObject(to, name, cJSON_Duplicate(wire_member(from, there), true));
}

static cJSON *settled(const cJSON *report)
{
    cJSON *item = cJSON_CreateObject();

    copy(item, "leaseId", report, "leaseId");
    cJSON_AddStringToObject(item, "state", cJSON_IsTrue(wire_member(report, "final")) ? "final" : "active");
    return item;
}

/* The row says what is granted, or the error; any id will do that no other lease has, such as the request's. */
static cJSON *granted(const cJSON *wish, const cJSON *grant)
{
    cJSON *item = cJSON_Duplicate(grant, true);

    copy(item, "requestId", wish, "requestId");
    cJSON_AddStringToObject(item, "periodStart", "2023-11-01");
    cJSON_AddStringToObject(item, "periodEnd", "2023-11-30");
    if (wire_member(grant, "error") != NULL)
        return item;
    cJSON_AddStringToObject(item, "leaseId", wire_text_of(wish, "requestId"));
    cJSON_AddStringToObject(item, "state", "active");
    cJSON_AddNumberToObject(item, "ttlMs", 60000);
    copy(item, "held", grant, "granted");
    cJSON_AddNumberToObject(item, "lost", 0);
    cJSON_AddNullToObject(item, "rate");
    return item;
}

static void give_leases(wire_stage *stage, dreamapi_exchange *exchange)
{
    const cJSON *grants = wire_member(stage->row, "leases"), *item;
    cJSON *request = cJSON_Parse(dreamapi_exchange_body(exchange, NULL));
    cJSON *answer = cJSON_CreateObject();
    cJSON *settles = cJSON_AddArrayToObject(answer, "settled"), *refunds = cJSON_AddArrayToObject(answer, "refunded");
    cJSON *made = cJSON_AddArrayToObject(answer, "grants");
    bool is_silent = false;

    cJSON_AddNumberToObject(answer, "storeEpoch", 1);
    cJSON_ArrayForEach(item, wire_member(request, "settle")) cJSON_AddItemToArray(settles, settled(item));
    cJSON_ArrayForEach(item, wire_member(request, "refunds"))
    {
        cJSON *refunded = cJSON_CreateObject();
        cJSON_AddItemToArray(refunds, refunded);
        copy(refunded, "id", item, "id");
        cJSON_AddStringToObject(refunded, "state", "applied");
    }
    cJSON_ArrayForEach(item, wire_member(request, "acquire"))
    {
        const cJSON *grant = answer_at(stage, grants, (size_t)stage->grants++);
        is_silent = is_silent || wire_member(grant, "silent") != NULL;
        cJSON_AddItemToArray(made, granted(item, grant));
    }
    if (!is_silent)
        finish_with(exchange, 200, answer);
    cJSON_Delete(answer);
    cJSON_Delete(request);
}

/* ---- the transport ---- */

static void keep_header(char *out, const dreamapi_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < dreamapi_exchange_header_count(exchange); i++) {
        if (strcmp(dreamapi_exchange_header_name(exchange, i), name) == 0)
            (void)snprintf(out, STAGE_TEXT_SIZE, "%s", dreamapi_exchange_header_value(exchange, i));
    }
}

static void keep(wire_stage *stage, const dreamapi_exchange *exchange, const char *path)
{
    stage_request *asked = &stage->asked[stage->asked_count++];
    const char *body;
    size_t size;

    if (stage->asked_count > STAGE_MAX_REQUESTS)
        wire_bail_out("too many requests", wire_text_of(stage->row, "name"));
    (void)snprintf(asked->method, sizeof(asked->method), "%s", dreamapi_exchange_method(exchange));
    (void)snprintf(asked->path, sizeof(asked->path), "%s", path);
    keep_header(asked->key, exchange, "Idempotency-Key");
    keep_header(asked->token, exchange, "X-Clerk-Token");
    keep_header(asked->authorization, exchange, "Authorization");
    body = dreamapi_exchange_body(exchange, &size);
    (void)snprintf(asked->body, sizeof(asked->body), "%.*s", (int)size, body == NULL ? "" : body);
    asked->at_ms = dreamapi_test_clock_monotonic_ms(stage->clock);
}

static dreamapi_status start(void *instance, dreamapi_exchange *exchange)
{
    wire_stage *stage = instance;
    const cJSON *server = wire_member(stage->row, "server");
    const char *path = dreamapi_exchange_url(exchange) + strlen(stage_base_url);

    if (strcmp(path, "/api/leases") == 0) {
        give_leases(stage, exchange);
    } else if (cJSON_GetArraySize(server) == 0 && wire_member(stage->row, "leases") == NULL) {
        dreamapi_exchange_fail(exchange, DREAMAPI_FAILURE_CONNECT, 0, "nobody listens");
    } else if (strcmp(path, "/health") == 0) {
        stage->probes++;
        give_health(exchange, wire_member(stage->row, "announces"));
    } else {
        keep(stage, exchange, path);
        give(exchange, answer_at(stage, server, stage->asked_count - 1));
    }
    return DREAMAPI_OK;
}

void stage_open(wire_stage *stage, const cJSON *row, const cJSON *answers)
{
    memset(stage, 0, sizeof(*stage));
    stage->row = row;
    stage->answers = answers;
    stage->clock = dreamapi_test_clock_new(1700000000000);
    wire_must(stage->clock == NULL ? DREAMAPI_NOMEM : DREAMAPI_OK);
    stage->transport = instant_transport(stage, start);
}

void stage_close(wire_stage *stage)
{
    dreamapi_test_clock_free(stage->clock);
}

void stage_install(wire_stage *stage, dreamapi_options *options)
{
    wire_must(dreamapi_test_clock_install(stage->clock, options));
    wire_must(dreamapi_options_set_transport(options, &stage->transport));
}
