/* SPDX-License-Identifier: Apache-2.0 */
/* clerk_templates.c - JWT templates: kept by name, and what their shortcodes become. */
#include "sandbox/clerk.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"

enum { DEFAULT_LIFETIME_S = 60, MIN_LIFETIME_S = 30, MAX_LIFETIME_S = 315360000, DEFAULT_SKEW_S = 5, MAX_SKEW_S = 300 };
enum { MAX_PATH_PART = 128, MAX_NAME = 64 };

static const char *const reserved_claims[] = { "azp", "exp", "iat", "iss", "jti", "nbf", "sid", "sub" };

/* The template the end users' app has from the start: the published top-level claims, and the same nested, which is how
 * dream-api reads them first. */
static const char end_user_template[] =
    "{\"object\":\"jwt_template\",\"id\":\"\",\"name\":\"end-user-api\",\"claims\":{"
    "\"email\":\"{{user.primary_email_address}}\","
    "\"publishableKey\":\"{{user.public_metadata.publishableKey}}\","
    "\"plan\":\"{{user.public_metadata.plan}}\","
    "\"stripeCustomerId\":\"{{user.public_metadata.stripeCustomerId}}\","
    "\"subscriptionId\":\"{{user.public_metadata.subscriptionId}}\","
    "\"publicMetadata\":\"{{user.public_metadata}}\"},"
    "\"lifetime\":60,\"allowed_clock_skew\":5,\"custom_signing_key\":false,\"signing_algorithm\":\"RS256\","
    "\"created_at\":0,\"updated_at\":0}";

void clerk_templates_prepare(sandbox_tx *tx, enum sandbox_mode mode, int64_t now_ms)
{
    char id[SANDBOX_ID_SIZE];
    sandbox_scope scope = { SANDBOX_CLERK_END_USER, mode, "" };
    cJSON *json = dream_json_parse(end_user_template, sizeof end_user_template - 1, NULL);
    if (!json || !sandbox_random_id("jtmp_", 27, id) || !dream_json_set_string(json, "id", id)
        || !dream_json_set_int(json, "created_at", now_ms) || !dream_json_set_int(json, "updated_at", now_ms))
        sandbox_tx_fail(tx, SANDBOX_STORE_NOMEM);
    else
        (void)sandbox_doc_insert(tx, &scope, &(sandbox_doc){ "jwt_template", "end-user-api", NULL, id }, json);
    cJSON_Delete(json);
}

/* ---- shortcodes ---- */

/* The fields of a user that a template may show; private metadata is not among them, as at Clerk. */
static const char *const user_fields[] = { "id",
                                           "first_name",
                                           "last_name",
                                           "username",
                                           "external_id",
                                           "image_url",
                                           "has_image",
                                           "created_at",
                                           "updated_at",
                                           "last_sign_in_at",
                                           "two_factor_enabled",
                                           "public_metadata",
                                           "unsafe_metadata" };

static cJSON *text_or_null(const char *text)
{
    return text ? cJSON_CreateString(text) : cJSON_CreateNull();
}

static cJSON *full_name(sandbox_call *call, const cJSON *user)
{
    const char *first = dream_json_string(user, "first_name");
    const char *last = dream_json_string(user, "last_name");
    if (!first || !last)
        return text_or_null(first ? first : last);
    return text_or_null(sandbox_printf(call, "%s %s", first, last));
}

/* Walks "a.b.c" down from `value`; NULL if it is not there. */
static const cJSON *walk(const cJSON *value, const char *path, size_t size)
{
    while (value && size > 0) {
        char part[MAX_PATH_PART];
        const char *dot = memchr(path, '.', size);
        size_t part_size = dot ? (size_t)(dot - path) : size;
        if (part_size >= sizeof part)
            return NULL;
        memcpy(part, path, part_size);
        part[part_size] = '\0';
        value = dream_json_get(value, part);
        path += part_size + (dot ? 1 : 0);
        size -= part_size + (dot ? 1 : 0);
    }
    return value;
}

/* A new value, null if the user has none. */
static cJSON *resolve(sandbox_call *call, const cJSON *user, const char *path, size_t size)
{
    static const char prefix[] = "user.";
    if (size >= 2 && path[0] == '\'' && path[size - 1] == '\'')
        return text_or_null(sandbox_printf(call, "%.*s", (int)size - 2, path + 1));
    if (size < sizeof prefix || strncmp(path, prefix, sizeof prefix - 1) != 0)
        return cJSON_CreateNull();
    path += sizeof prefix - 1;
    size -= sizeof prefix - 1;
    const char *email = clerk_primary_email(user);
    if (size == strlen("primary_email_address") && strncmp(path, "primary_email_address", size) == 0)
        return text_or_null(email);
    if (size == strlen("email_verified") && strncmp(path, "email_verified", size) == 0)
        return cJSON_CreateBool(email != NULL);
    if (size == strlen("full_name") && strncmp(path, "full_name", size) == 0)
        return full_name(call, user);
    for (size_t i = 0; i < sizeof user_fields / sizeof *user_fields; i++) {
        size_t field = strlen(user_fields[i]);
        if (size >= field && strncmp(path, user_fields[i], field) == 0 && (size == field || path[field] == '.')) {
            const cJSON *value = walk(user, path, size);
            return value ? cJSON_Duplicate(value, true) : cJSON_CreateNull();
        }
    }
    return cJSON_CreateNull();
}

static bool is_nothing(const cJSON *value)
{
    return cJSON_IsNull(value) || (cJSON_IsString(value) && !*value->valuestring);
}

/* "user.first_name || user.username || 'someone'": the first that says something. */
static cJSON *resolve_first(sandbox_call *call, const cJSON *user, const char *code, size_t size)
{
    cJSON *value = NULL;
    const char *end = code + size;
    while (code < end) {
        const char *stop = memmem(code, (size_t)(end - code), "||", 2);
        const char *from = code, *to = stop ? stop : end;
        while (from < to && *from == ' ')
            from++;
        while (to > from && to[-1] == ' ')
            to--;
        cJSON_Delete(value);
        value = resolve(call, user, from, (size_t)(to - from));
        if (!value || !is_nothing(value))
            break;
        code = stop ? stop + 2 : end;
    }
    return value ? value : cJSON_CreateNull();
}

/* Inside a longer text a value is written as text: nothing for null, JSON for what is no text. */
static void append_value(dream_buffer *out, const cJSON *value)
{
    if (cJSON_IsString(value)) {
        dream_buffer_text(out, value->valuestring);
    } else if (!cJSON_IsNull(value)) {
        char *text = dream_json_print(value);
        dream_buffer_text(out, text ? text : "");
        cJSON_free(text);
    }
}

static cJSON *expand_text(sandbox_call *call, const cJSON *user, const char *text)
{
    size_t size = strlen(text);
    const char *open = strstr(text, "{{");
    const char *close = open ? strstr(open, "}}") : NULL;
    if (!close)
        return cJSON_CreateString(text);
    if (open == text && close + 2 == text + size) /* nothing else around it: the value keeps its type */
        return resolve_first(call, user, open + 2, (size_t)(close - open - 2));
    dream_buffer out = DREAM_BUFFER_INIT;
    while (close) {
        dream_buffer_append(&out, text, (size_t)(open - text));
        cJSON *value = resolve_first(call, user, open + 2, (size_t)(close - open - 2));
        if (value)
            append_value(&out, value);
        cJSON_Delete(value);
        text = close + 2;
        open = strstr(text, "{{");
        close = open ? strstr(open, "}}") : NULL;
    }
    dream_buffer_text(&out, text);
    cJSON *joined = out.is_failed ? NULL : cJSON_CreateString(dream_buffer_str(&out));
    dream_buffer_clear(&out);
    return joined;
}

/* A new tree; NULL when out of memory. Depth is bounded by the parser of the template. */
static cJSON *expand(sandbox_call *call, const cJSON *user, const cJSON *value)
{
    if (cJSON_IsString(value))
        return expand_text(call, user, value->valuestring);
    if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
        return cJSON_Duplicate(value, true);
    cJSON *copy = cJSON_IsObject(value) ? cJSON_CreateObject() : cJSON_CreateArray();
    const cJSON *member;
    cJSON_ArrayForEach(member, value)
    {
        cJSON *inner = copy ? expand(call, user, member) : NULL;
        bool done = inner
                    && (cJSON_IsObject(value) ? cJSON_AddItemToObject(copy, member->string, inner)
                                              : cJSON_AddItemToArray(copy, inner));
        if (!done) {
            cJSON_Delete(inner);
            cJSON_Delete(copy);
            return NULL;
        }
    }
    return copy;
}

cJSON *clerk_claims_expand(sandbox_call *call, const cJSON *claims, const cJSON *user)
{
    return sandbox_keep(call, expand(call, user, claims));
}

/* ---- handlers ---- */

static bool check_claims(sandbox_call *call, const cJSON *claims)
{
    if (!cJSON_IsObject(claims)) {
        clerk_error(call, 422, "form_param_missing", "is missing", "claims must be an object.", "claims");
        return false;
    }
    for (size_t i = 0; i < sizeof reserved_claims / sizeof *reserved_claims; i++)
        if (dream_json_get(claims, reserved_claims[i])) {
            clerk_error(call, 422, "jwt_template_reserved_claim", "reserved claim used",
                        sandbox_printf(call, "You can't use the reserved claim: `%s`", reserved_claims[i]), "claims");
            return false;
        }
    return true;
}

static bool check_name(sandbox_call *call, const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    if (name && *name && strlen(name) <= MAX_NAME && !name[strspn(name, allowed)])
        return true;
    clerk_error(call, 422, "form_param_format_invalid", "is invalid",
                "name may hold letters, digits, underscores and hyphens only.", "name");
    return false;
}

void clerk_template_create(sandbox_call *call)
{
    const char *name = clerk_body_text(call, "name");
    const char *algorithm = clerk_body_text(call, "signing_algorithm");
    const cJSON *claims = dream_json_get(call->params, "claims");
    int64_t lifetime = clerk_body_int(call, "lifetime", DEFAULT_LIFETIME_S, MIN_LIFETIME_S, MAX_LIFETIME_S);
    int64_t skew = clerk_body_int(call, "allowed_clock_skew", DEFAULT_SKEW_S, 0, MAX_SKEW_S);
    cJSON *json = sandbox_skeleton(call, end_user_template);
    const char *id = sandbox_new_id(call, "jtmp_", 27);
    if (call->status != 0 || !json || !id || !check_name(call, name) || !check_claims(call, claims))
        return;
    if (dream_json_bool(call->params, "custom_signing_key", false) || (algorithm && strcmp(algorithm, "RS256") != 0)) {
        clerk_error(call, 422, "form_param_value_invalid", "is invalid",
                    "The sandbox signs with the instance's RS256 key only.", "custom_signing_key");
        return;
    }
    sandbox_set_text(call, json, "id", id);
    sandbox_set_text(call, json, "name", name);
    sandbox_embed(call, json, "claims", claims);
    sandbox_set_int(call, json, "lifetime", lifetime);
    sandbox_set_int(call, json, "allowed_clock_skew", skew);
    sandbox_set_int(call, json, "created_at", call->now_ms);
    sandbox_set_int(call, json, "updated_at", call->now_ms);
    if (!sandbox_insert(call, &(sandbox_doc){ "jwt_template", name, NULL, id }, json)) {
        static const char message[] = "That name is taken. Please try another.";
        clerk_error(call, 422, "form_identifier_exists", message, message, "name");
        return;
    }
    sandbox_answer_json(call, 200, json);
}

typedef struct template_list {
    sandbox_call *call;
    cJSON *answer;
} template_list;

static bool collect(void *context, cJSON *json)
{
    template_list *list = context;
    if (!sandbox_keep(list->call, json))
        return false;
    sandbox_append(list->call, list->answer, json);
    return true;
}

void clerk_template_list(sandbox_call *call)
{
    template_list list = { call, sandbox_skeleton(call, "[]") };
    sandbox_doc_scan(call->tx, &call->scope, &(sandbox_scan){ .kind = "jwt_template", .is_oldest_first = true },
                     collect, &list);
    sandbox_answer_json(call, 200, list.answer);
}

void clerk_template_get(sandbox_call *call)
{
    template_list list = { call, sandbox_skeleton(call, "[]") };
    sandbox_doc_scan(call->tx, &call->scope, &(sandbox_scan){ .kind = "jwt_template", .lookup = call->id }, collect,
                     &list);
    if (list.answer && list.answer->child)
        sandbox_answer_json(call, 200, list.answer->child);
    else
        clerk_not_found(call, "JWT template", call->id);
}
