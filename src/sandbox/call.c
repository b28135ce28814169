/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - call.h. Knows neither Clerk's nor Stripe's errors: those sides set their own. One thread works on a call. */
#include "sandbox/call.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/encoding.h"
#include "common/json.h"
#include "common/timefmt.h"

struct sandbox_kept {
    cJSON *json;
    sandbox_kept *next;
};

enum { MAX_EMAIL = 254 }; /* RFC 5321 4.5.3.1.3, without the angle brackets */

bool sandbox_call_init(sandbox_call *call, const sandbox_instance *instance, dreamd_request *request)
{
    memset(call, 0, sizeof *call);
    call->instance = instance;
    call->request = request;
    call->scope = (sandbox_scope){ instance->service, instance->mode, "" };
    call->now_ms = dream_wall_ms();
    call->now_s = call->now_ms / 1000;
    call->arena = dream_arena_new();
    return call->arena != NULL;
}

void sandbox_call_finish(sandbox_call *call)
{
    if (call->status == 0 || call->body.is_failed)
        dreamd_request_answer(call->request, 500, NULL, "", 0);
    else
        dreamd_request_answer(call->request, call->status, call->content_type, dream_buffer_str(&call->body),
                              call->body.size);
    for (sandbox_kept *kept = call->kept; kept; kept = kept->next)
        cJSON_Delete(kept->json);
    dream_buffer_clear(&call->body);
    dream_arena_free(call->arena);
}

/* ---- routes ---- */

/* Cuts one segment off `*at`; NULL at the end. */
static const char *next_segment(const char **at, size_t *size)
{
    if (**at != '/')
        return NULL;
    const char *start = *at + 1;
    *size = strcspn(start, "/");
    *at = start + *size;
    return start;
}

static const char *decode_segment(sandbox_call *call, const char *segment, size_t size)
{
    dream_buffer text = DREAM_BUFFER_INIT;
    const char *decoded = NULL;
    if (size > 0 && dream_percent_decode(&text, segment, size, false) && !text.is_failed)
        decoded = dream_arena_strdup(call->arena, dream_buffer_str(&text));
    dream_buffer_clear(&text);
    return decoded;
}

static bool match_path(sandbox_call *call, const char *pattern, const char *path)
{
    const char *found[2] = { NULL, NULL };
    size_t count = 0, want_size, have_size;
    while (*pattern) {
        const char *want = next_segment(&pattern, &want_size);
        const char *have = next_segment(&path, &have_size);
        if (!want || !have)
            return false;
        if (*want == ':') {
            const char *value = decode_segment(call, have, have_size);
            if (!value)
                return false;
            found[count++] = value;
        } else if (want_size != have_size || memcmp(want, have, want_size) != 0) {
            return false;
        }
    }
    if (*path)
        return false;
    call->id = found[0];
    call->sub = found[1];
    return true;
}

const sandbox_route *sandbox_route_find(sandbox_call *call, const sandbox_route *routes, size_t count,
                                        bool *out_other_method)
{
    const char *method = dreamd_request_method(call->request);
    const char *path = dreamd_request_path(call->request);
    *out_other_method = false;
    for (size_t i = 0; i < count; i++) {
        if (!match_path(call, routes[i].path, path))
            continue;
        if (strcmp(method, routes[i].method) == 0)
            return call->route = &routes[i];
        *out_other_method = true;
    }
    return NULL;
}

bool sandbox_is_named(const char *names, const char *name)
{
    size_t size = strcspn(name, " ");
    for (const char *at = names; size > 0 && !name[size] && (at = strstr(at, name)) != NULL; at++)
        if ((at == names || at[-1] == ' ') && at[size] == ' ')
            return true;
    return false;
}

static void forget_answer(sandbox_call *call)
{
    call->status = 0;
    dream_buffer_clear(&call->body);
}

sandbox_store_status sandbox_call_run(sandbox_call *call, sandbox_handler *handler)
{
    sandbox_store_status status = SANDBOX_STORE_OK;
    bool is_own = call->route->access == SANDBOX_NO_TX;
    if (!is_own && !(call->tx = sandbox_tx_begin(call->instance->store, call->route->access == SANDBOX_WRITE, &status)))
        return status;
    handler(call);
    if (call->body.is_failed || call->status == 0)
        call->is_nomem = true;
    if (is_own) {
        status = call->is_nomem ? SANDBOX_STORE_NOMEM : SANDBOX_STORE_OK;
    } else if (call->is_nomem || call->status >= 400) {
        status = sandbox_tx_status(call->tx);
        if (status == SANDBOX_STORE_OK && call->is_nomem)
            status = SANDBOX_STORE_NOMEM;
        sandbox_tx_rollback(call->tx);
    } else {
        bool has_delivery = sandbox_tx_has_delivery(call->tx);
        status = sandbox_tx_commit(call->tx);
        if (status == SANDBOX_STORE_OK && has_delivery)
            sandbox_deliver_wake(call->instance->deliver);
    }
    call->tx = NULL;
    if (status != SANDBOX_STORE_OK)
        forget_answer(call);
    return status;
}

/* ---- JSON that lives as long as the call ---- */

cJSON *sandbox_keep(sandbox_call *call, cJSON *json)
{
    sandbox_kept *kept = json ? dream_arena_alloc(call->arena, sizeof *kept) : NULL;
    if (!kept) {
        call->is_nomem = true;
        cJSON_Delete(json);
        return NULL;
    }
    kept->json = json;
    kept->next = call->kept;
    call->kept = kept;
    return json;
}

cJSON *sandbox_skeleton(sandbox_call *call, const char *text)
{
    return sandbox_keep(call, dream_json_parse(text, strlen(text), NULL));
}

cJSON *sandbox_copy(sandbox_call *call, const cJSON *json)
{
    return sandbox_keep(call, cJSON_Duplicate(json, true));
}

static void note(sandbox_call *call, bool done)
{
    if (!done)
        call->is_nomem = true;
}

void sandbox_embed(sandbox_call *call, cJSON *object, const char *name, const cJSON *json)
{
    note(call, dream_json_set(object, name, cJSON_Duplicate(json, true)));
}

void sandbox_append(sandbox_call *call, cJSON *array, const cJSON *json)
{
    cJSON *copy = cJSON_Duplicate(json, true);
    if (!copy || !cJSON_AddItemToArray(array, copy)) {
        cJSON_Delete(copy);
        call->is_nomem = true;
    }
}

void sandbox_set_text(sandbox_call *call, cJSON *object, const char *name, const char *text)
{
    note(call, dream_json_set_string(object, name, text));
}

void sandbox_set_int(sandbox_call *call, cJSON *object, const char *name, int64_t value)
{
    note(call, dream_json_set_int(object, name, value));
}

void sandbox_set_bool(sandbox_call *call, cJSON *object, const char *name, bool value)
{
    note(call, dream_json_set_bool(object, name, value));
}

cJSON *sandbox_member(cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

char *sandbox_printf(sandbox_call *call, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    char *raw = NULL;
    int size = vasprintf(&raw, format, values);
    va_end(values);
    char *copy = size >= 0 ? dream_arena_strdup(call->arena, raw) : NULL;
    if (size >= 0)
        free(raw);
    note(call, copy != NULL);
    return copy;
}

const char *sandbox_new_id(sandbox_call *call, const char *prefix, size_t size)
{
    char id[SANDBOX_ID_SIZE];
    const char *copy = sandbox_random_id(prefix, size, id) ? dream_arena_strdup(call->arena, id) : NULL;
    note(call, copy != NULL);
    return copy;
}

/* ---- documents ---- */

cJSON *sandbox_read(sandbox_call *call, const char *kind, const char *id)
{
    cJSON *json = id ? sandbox_doc_read(call->tx, &call->scope, kind, id) : NULL;
    return json ? sandbox_keep(call, json) : NULL;
}

bool sandbox_insert(sandbox_call *call, const sandbox_doc *doc, const cJSON *json)
{
    return !call->is_nomem && sandbox_doc_insert(call->tx, &call->scope, doc, json);
}

bool sandbox_update(sandbox_call *call, const sandbox_doc *doc, const cJSON *json)
{
    return !call->is_nomem && sandbox_doc_update(call->tx, &call->scope, doc, json);
}

/* ---- answers ---- */

void sandbox_answer_json(sandbox_call *call, unsigned status, const cJSON *json)
{
    if (call->status != 0)
        return;
    char *text = call->is_nomem ? NULL : dream_json_print(json);
    note(call, text != NULL);
    if (text) {
        call->status = status;
        call->content_type = "application/json";
        dream_buffer_text(&call->body, text);
    }
    cJSON_free(text);
}

void sandbox_answer_text(sandbox_call *call, unsigned status, const char *content_type, dream_buffer *text)
{
    if (call->status == 0) {
        call->status = status;
        call->content_type = content_type;
        call->body = *text;
        *text = (dream_buffer)DREAM_BUFFER_INIT;
    }
    dream_buffer_clear(text);
}

/* ---- texts ---- */

/* What both services take for an address: one @, something before it, a name with a dot after it. */
bool sandbox_is_email(const char *text)
{
    static const char allowed[] = "!#$%&'*+-/=?^_`{|}~.";
    const char *at = strchr(text, '@');
    size_t size = strlen(text);
    if (!at || at == text || size > MAX_EMAIL || *text == '.' || at[-1] == '.' || strstr(text, ".."))
        return false;
    for (const char *p = text; p < at; p++)
        if (!isalnum((unsigned char)*p) && !strchr(allowed, *p))
            return false;
    const char *domain = at + 1;
    const char *dot = strrchr(domain, '.');
    if (!dot || dot == domain || !dot[1] || *domain == '.' || *domain == '-')
        return false;
    for (const char *p = domain; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '-' && *p != '.')
            return false;
    return true;
}

const char *sandbox_lower(sandbox_call *call, const char *text)
{
    char *copy = dream_arena_strdup(call->arena, text);
    note(call, copy != NULL);
    for (char *p = copy; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}
