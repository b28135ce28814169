/* SPDX-License-Identifier: Apache-2.0 */
/* clerk.c - builds requests of Clerk's Backend API and reads its users. Transfers, outcomes and metrics are upstream.c.
 * User ids come from outside: what cannot be one is answered as unknown, and never becomes part of a path. No state, any
 * thread. */
#include "service/provider/clerk.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "common/encoding.h"
#include "common/json.h"

enum { MAX_USER_ID = 128 };

/* {"errors":[{"message":...,"code":...}]} */
static const cJSON *first_error(const cJSON *json)
{
    const cJSON *errors = dream_json_get(json, "errors");

    return cJSON_IsArray(errors) ? cJSON_GetArrayItem(errors, 0) : NULL;
}

static const char *error_text(const cJSON *json)
{
    return dream_json_string(first_error(json), "message");
}

bool dreamd_clerk_is_taken(const dreamd_upstream_answer *answer)
{
    const char *code = dream_json_string(first_error(answer->json), "code");

    return answer->outcome == DREAMD_UPSTREAM_REFUSED && code && strcmp(code, "form_identifier_exists") == 0;
}

/* `body` may be NULL; taken. */
static void call_clerk(dreamd_upstream *upstream, enum dreamd_mode mode, const char *method, const dream_buffer *path,
                       cJSON *body, dreamd_upstream_fn *fn, void *context)
{
    const dreamd_clerk_settings *clerk = &dreamd_upstream_settings(upstream)->clerk_end_user[mode];
    dream_buffer url = DREAM_BUFFER_INIT;
    dream_buffer authorization = { .is_secret = true };
    char *text = body ? dream_json_print(body) : NULL;
    bool is_nomem = body && !text;

    cJSON_Delete(body);
    if (!clerk->api_base || !clerk->secret_key) {
        dreamd_upstream_fail(fn, context, "The identity provider is not configured");
        goto done;
    }
    dream_buffer_printf(&url, "%s%s", clerk->api_base, path->is_failed ? "" : path->data);
    dream_buffer_printf(&authorization, "Authorization: Bearer %s", clerk->secret_key);
    if (is_nomem || path->is_failed || url.is_failed || authorization.is_failed) {
        dreamd_upstream_fail(fn, context, "Out of memory");
        goto done;
    }
    {
        const char *headers[] = { authorization.data, "User-Agent: dreamapid",
                                  text ? "Content-Type: application/json" : NULL, NULL };
        dreamd_upstream_call call = { DREAMD_PROVIDER_CLERK,   method,    url.data, headers, text,
                                      text ? strlen(text) : 0, error_text };
        dreamd_upstream_start(upstream, &call, fn, context);
    }
done:
    if (text) { /* a new user's password may be in it */
        dream_wipe_text(text);
        free(text);
    }
    dream_buffer_clear(&authorization);
    dream_buffer_clear(&url);
}

/* "user_" and letters, digits, "_", "-"; 128 in all. Anything else could name another part of the API, as "count" does. */
static bool is_user_id(const char *text)
{
    static const char prefix[] = "user_";
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t size = strspn(text, allowed);

    return text[size] == '\0' && size > strlen(prefix) && size <= MAX_USER_ID
           && strncmp(text, prefix, strlen(prefix)) == 0;
}

/* What the provider says of a user it does not know. */
static void tell_unknown(dreamd_upstream_fn *fn, void *context)
{
    dreamd_upstream_answer answer = { DREAMD_UPSTREAM_NOT_FOUND, 404, "Not Found", -1, NULL };

    fn(context, &answer);
}

/* "/v1/users/<id><rest>" */
static void user_path(dream_buffer *path, const char *user_id, const char *rest)
{
    dream_buffer_text(path, "/v1/users/");
    dream_percent_encode(path, user_id, strlen(user_id));
    dream_buffer_text(path, rest);
}

/* ---- users ---- */

struct user_call {
    dreamd_clerk_user_fn *fn;
    void *context;
};

static const char *find_email(const cJSON *json)
{
    const cJSON *addresses = dream_json_get(json, "email_addresses");
    const char *primary_id = dream_json_string(json, "primary_email_address_id");
    const cJSON *address = NULL;

    if (!cJSON_IsArray(addresses))
        return NULL;
    cJSON_ArrayForEach(address, addresses)
    {
        const char *id = dream_json_string(address, "id");

        if (primary_id && id && strcmp(id, primary_id) == 0)
            return dream_json_string(address, "email_address");
    }
    return dream_json_string(cJSON_GetArrayItem(addresses, 0), "email_address");
}

bool dreamd_clerk_read_user(const cJSON *json, dreamd_clerk_user *out)
{
    *out = (dreamd_clerk_user){
        .id = dream_json_string(json, "id"),
        .email = find_email(json),
        .first_name = dream_json_string(json, "first_name"),
        .last_name = dream_json_string(json, "last_name"),
        .metadata = dream_json_get(json, "public_metadata"),
    };
    if (!cJSON_IsObject(out->metadata))
        out->metadata = NULL;
    (void)dream_json_int(json, "created_at", &out->created_at_ms);
    return out->id && *out->id;
}

static void on_user(void *context, const dreamd_upstream_answer *answer)
{
    struct user_call *call = context;
    dreamd_upstream_answer reported = *answer;
    dreamd_clerk_user user;
    bool is_user = answer->outcome == DREAMD_UPSTREAM_OK && dreamd_clerk_read_user(answer->json, &user);

    if (answer->outcome == DREAMD_UPSTREAM_OK && !is_user) {
        reported.outcome = DREAMD_UPSTREAM_UNAVAILABLE;
        reported.message = "The identity provider's answer is no user";
    }
    call->fn(call->context, &reported, is_user ? &user : NULL);
    free(call);
}

/* NULL when out of memory: `fn` has been told. */
static struct user_call *user_call_new(dreamd_clerk_user_fn *fn, void *context)
{
    struct user_call *call = malloc(sizeof *call);

    if (!call) {
        dreamd_upstream_answer answer = { DREAMD_UPSTREAM_UNAVAILABLE, 0, "Out of memory", -1, NULL };
        fn(context, &answer, NULL);
        return NULL;
    }
    *call = (struct user_call){ fn, context };
    return call;
}

void dreamd_clerk_get_user(dreamd_upstream *upstream, enum dreamd_mode mode, const char *user_id,
                           dreamd_clerk_user_fn *fn, void *context)
{
    dream_buffer path = DREAM_BUFFER_INIT;
    struct user_call *call = user_call_new(fn, context);

    if (!call)
        return;
    if (!is_user_id(user_id)) {
        tell_unknown(on_user, call);
        return;
    }
    user_path(&path, user_id, "");
    call_clerk(upstream, mode, "GET", &path, NULL, on_user, call);
    dream_buffer_clear(&path);
}

/* The answer is a list with at most this one. */
static void on_users(void *context, const dreamd_upstream_answer *answer)
{
    dreamd_upstream_answer reported = *answer;

    if (answer->outcome == DREAMD_UPSTREAM_OK) {
        reported.json = cJSON_IsArray(answer->json) ? cJSON_GetArrayItem(answer->json, 0) : NULL;
        if (!reported.json) {
            reported.outcome = DREAMD_UPSTREAM_NOT_FOUND;
            reported.message = "Not Found";
        }
    }
    on_user(context, &reported);
}

void dreamd_clerk_find_user(dreamd_upstream *upstream, enum dreamd_mode mode, const char *email,
                            dreamd_clerk_user_fn *fn, void *context)
{
    dream_buffer path = DREAM_BUFFER_INIT;
    struct user_call *call = user_call_new(fn, context);

    if (!call)
        return;
    dream_buffer_text(&path, "/v1/users?email_address=");
    dream_percent_encode(&path, email, strlen(email));
    call_clerk(upstream, mode, "GET", &path, NULL, on_users, call);
    dream_buffer_clear(&path);
}

static cJSON *new_user_json(const dreamd_clerk_new_user *new_user)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *emails = cJSON_CreateStringArray(&new_user->email, 1);
    cJSON *metadata = cJSON_CreateObject();
    bool is_ok = dream_json_set(body, "email_address", emails);

    if (new_user->password)
        is_ok = dream_json_set_string(body, "password", new_user->password) && is_ok;
    if (new_user->first_name)
        is_ok = dream_json_set_string(body, "first_name", new_user->first_name) && is_ok;
    if (new_user->last_name)
        is_ok = dream_json_set_string(body, "last_name", new_user->last_name) && is_ok;
    is_ok = dream_json_set_string(metadata, "publishableKey", new_user->publishable_key) && is_ok;
    is_ok = dream_json_set_string(metadata, "plan", new_user->plan) && is_ok;
    is_ok = dream_json_set(body, "public_metadata", metadata) && is_ok;
    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

/* Takes `body` (NULL: out of memory) to the user's path and reports the user of the answer. */
static void send_user(dreamd_upstream *upstream, enum dreamd_mode mode, const char *method, const dream_buffer *path,
                      cJSON *body, struct user_call *call)
{
    if (body)
        call_clerk(upstream, mode, method, path, body, on_user, call);
    else
        dreamd_upstream_fail(on_user, call, "Out of memory");
}

void dreamd_clerk_create_user(dreamd_upstream *upstream, enum dreamd_mode mode, const dreamd_clerk_new_user *new_user,
                              dreamd_clerk_user_fn *fn, void *context)
{
    dream_buffer path = DREAM_BUFFER_INIT;
    struct user_call *call = user_call_new(fn, context);

    if (!call)
        return;
    dream_buffer_text(&path, "/v1/users");
    send_user(upstream, mode, "POST", &path, new_user_json(new_user), call);
    dream_buffer_clear(&path);
}

static cJSON *metadata_json(const cJSON *metadata)
{
    cJSON *body = cJSON_CreateObject();

    if (dream_json_set(body, "public_metadata", cJSON_Duplicate(metadata, true)))
        return body;
    cJSON_Delete(body);
    return NULL;
}

void dreamd_clerk_merge_metadata(dreamd_upstream *upstream, enum dreamd_mode mode, const char *user_id,
                                 const cJSON *metadata, dreamd_clerk_user_fn *fn, void *context)
{
    dream_buffer path = DREAM_BUFFER_INIT;
    struct user_call *call = user_call_new(fn, context);

    if (!call)
        return;
    if (!is_user_id(user_id)) {
        tell_unknown(on_user, call);
        return;
    }
    user_path(&path, user_id, "/metadata");
    send_user(upstream, mode, "PATCH", &path, metadata_json(metadata), call);
    dream_buffer_clear(&path);
}

void dreamd_clerk_delete_user(dreamd_upstream *upstream, enum dreamd_mode mode, const char *user_id,
                              dreamd_upstream_fn *fn, void *context)
{
    dream_buffer path = DREAM_BUFFER_INIT;

    if (!is_user_id(user_id)) {
        tell_unknown(fn, context);
        return;
    }
    user_path(&path, user_id, "");
    call_clerk(upstream, mode, "DELETE", &path, NULL, fn, context);
    dream_buffer_clear(&path);
}

void dreamd_clerk_get_keys(dreamd_upstream *upstream, enum dreamd_mode mode, dreamd_upstream_fn *fn, void *context)
{
    dream_buffer path = DREAM_BUFFER_INIT;

    dream_buffer_text(&path, "/v1/jwks");
    call_clerk(upstream, mode, "GET", &path, NULL, fn, context);
    dream_buffer_clear(&path);
}
