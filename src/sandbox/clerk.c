/* SPDX-License-Identifier: Apache-2.0 */
/* clerk.c - Clerk's front door: routes, the secret key, bodies, the error envelope. What the routes do is in clerk_users.c,
 * clerk_sessions.c, clerk_templates.c and clerk_keys.c. Handlers run on the server's threads; nothing is shared but the store. */
#include "sandbox/clerk.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/json.h"

/* What a user's fields are called; those after the metadata are accepted as Clerk takes them and only kept. */
#define USER_FIELDS                                                                                                    \
    "external_id first_name last_name username password skip_password_checks public_metadata private_metadata "        \
    "unsafe_metadata locale delete_self_enabled create_organization_enabled create_organizations_limit "               \
    "bypass_client_trust skip_legal_checks "

static const sandbox_route routes[] = {
    { "POST", "/v1/users", SANDBOX_WRITE, clerk_user_create, USER_FIELDS "email_address skip_password_requirement " },
    { "GET", "/v1/users", SANDBOX_READ, clerk_user_list, NULL },
    { "GET", "/v1/users/count", SANDBOX_READ, clerk_user_count, NULL },
    { "GET", "/v1/users/:id", SANDBOX_READ, clerk_user_get, NULL },
    { "PATCH", "/v1/users/:id", SANDBOX_WRITE, clerk_user_update,
      USER_FIELDS "primary_email_address_id notify_primary_email_address_changed " },
    { "DELETE", "/v1/users/:id", SANDBOX_WRITE, clerk_user_delete, NULL },
    { "PATCH", "/v1/users/:id/metadata", SANDBOX_WRITE, clerk_user_merge_metadata,
      "public_metadata private_metadata unsafe_metadata " },
    { "POST", "/v1/users/:id/verify_password", SANDBOX_READ, clerk_user_verify_password, "password " },
    { "POST", "/v1/sessions", SANDBOX_WRITE, clerk_session_create, "user_id " },
    { "GET", "/v1/sessions", SANDBOX_READ, clerk_session_list, NULL },
    { "GET", "/v1/sessions/:id", SANDBOX_READ, clerk_session_get, NULL },
    { "POST", "/v1/sessions/:id/revoke", SANDBOX_WRITE, clerk_session_revoke, NULL },
    { "POST", "/v1/sessions/:id/tokens", SANDBOX_NO_TX, clerk_session_token, "expires_in_seconds " },
    { "POST", "/v1/sessions/:id/tokens/:template", SANDBOX_NO_TX, clerk_session_token, "expires_in_seconds " },
    { "POST", "/v1/jwt_templates", SANDBOX_WRITE, clerk_template_create,
      "name claims lifetime allowed_clock_skew custom_signing_key signing_algorithm " },
    { "GET", "/v1/jwt_templates", SANDBOX_READ, clerk_template_list, NULL },
    { "GET", "/v1/jwt_templates/:id", SANDBOX_READ, clerk_template_get, NULL },
    { "GET", "/v1/jwks", SANDBOX_NO_TX, clerk_jwks, NULL },
    /* The address under which Clerk publishes the same keys to everyone. */
    { "GET", "/.well-known/jwks.json", SANDBOX_NO_TX, clerk_jwks, NULL },
};

void clerk_error(sandbox_call *call, unsigned status, const char *code, const char *message, const char *long_message,
                 const char *param)
{
    cJSON *envelope =
        sandbox_skeleton(call, "{\"errors\":[{\"message\":\"\",\"long_message\":\"\",\"code\":\"\",\"meta\":{}}]}");
    cJSON *error = envelope ? sandbox_member(envelope, "errors")->child : NULL;
    if (!error)
        return;
    sandbox_set_text(call, error, "message", message);
    sandbox_set_text(call, error, "long_message", long_message);
    sandbox_set_text(call, error, "code", code);
    if (param)
        sandbox_set_text(call, sandbox_member(error, "meta"), "param_name", param);
    sandbox_set_text(call, envelope, "clerk_trace_id", dreamd_request_id(call->request));
    sandbox_answer_json(call, status, envelope);
}

void clerk_not_found(sandbox_call *call, const char *what, const char *id)
{
    clerk_error(call, 404, "resource_not_found", "Not Found",
                sandbox_printf(call, "No %s was found with id %s", what, id), NULL);
}

static bool is_public(const sandbox_call *call)
{
    return strncmp(call->route->path, "/v1/", 4) != 0;
}

static bool check_key(sandbox_call *call)
{
    static const char bearer[] = "Bearer ";
    const char *header = dreamd_request_header(call->request, "Authorization");
    if (!header || strncmp(header, bearer, sizeof bearer - 1) != 0) {
        clerk_error(call, 401, "authorization_header_format_invalid", "Invalid Authorization header format",
                    "Invalid Authorization header format. Must be \"Bearer <YOUR_API_KEY>\"", NULL);
        return false;
    }
    if (dream_equal_secret_text(header + sizeof bearer - 1, call->instance->identity.secret_key))
        return true;
    clerk_error(call, 401, "clerk_key_invalid", "The provided Clerk Secret Key is invalid.",
                "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.", NULL);
    return false;
}

/* ---- what came in ---- */

/* One more value of a query name; "name[]" means the same as "name". */
static bool add_query(void *context, const char *name, const char *value)
{
    cJSON *params = context;
    size_t size = strlen(name);
    char plain[64];
    if (size > 2 && strcmp(name + size - 2, "[]") == 0)
        size -= 2;
    if (size >= sizeof plain)
        return true; /* no parameter is called so */
    memcpy(plain, name, size);
    plain[size] = '\0';
    cJSON *values = sandbox_member(params, plain);
    if (!values)
        values = cJSON_AddArrayToObject(params, plain);
    cJSON *text = cJSON_CreateString(value);
    if (values && text && cJSON_AddItemToArray(values, text))
        return true;
    cJSON_Delete(text);
    return false;
}

static bool check_names(sandbox_call *call)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, call->params)
    {
        if (sandbox_is_named(call->route->params, member->string))
            continue;
        clerk_error(call, 422, "form_param_unknown", "is unknown",
                    sandbox_printf(call, "%s is not a valid parameter for this request.", member->string),
                    member->string);
        return false;
    }
    return true;
}

static bool read_body(sandbox_call *call)
{
    size_t size;
    const char *body = dreamd_request_body(call->request, &size);
    bool is_nomem = false;
    cJSON *json = size > 0 ? dream_json_parse(body, size, &is_nomem) : cJSON_CreateObject();
    if (json)
        call->params = sandbox_keep(call, json);
    if (is_nomem || call->is_nomem || (!json && size == 0)) {
        call->is_nomem = true;
        return false;
    }
    if (!cJSON_IsObject(json)) {
        clerk_error(call, 400, "request_body_invalid", "Request body invalid",
                    "The request body is invalid. Please consult the API documentation for more information.", NULL);
        return false;
    }
    return !call->route->params || check_names(call);
}

static bool read_query(sandbox_call *call)
{
    cJSON *params = sandbox_skeleton(call, "{}");
    if (!params)
        return false;
    if (!dreamd_request_each_query(call->request, add_query, params)) {
        clerk_error(call, 400, "request_query_invalid", "Request query invalid",
                    "The request's query cannot be read. Check its encoding.", NULL);
        return false;
    }
    call->params = params;
    return true;
}

const char *clerk_query(sandbox_call *call, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetArrayItem(dream_json_get(call->params, name), 0));
}

static void refuse_number(sandbox_call *call, const char *name, int64_t min, int64_t max)
{
    clerk_error(
        call, 422, "form_param_value_invalid", "is invalid",
        sandbox_printf(call, "%s must be a whole number between %lld and %lld.", name, (long long)min, (long long)max),
        name);
}

int64_t clerk_query_int(sandbox_call *call, const char *name, int64_t fallback, int64_t min, int64_t max)
{
    const char *text = clerk_query(call, name);
    if (!text)
        return fallback;
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end != text && !*end && value >= min && value <= max)
        return value;
    refuse_number(call, name, min, max);
    return fallback;
}

int64_t clerk_body_int(sandbox_call *call, const char *name, int64_t fallback, int64_t min, int64_t max)
{
    const cJSON *value = dream_json_get(call->params, name);
    int64_t number;
    if (!value || cJSON_IsNull(value))
        return fallback;
    if (dream_json_int(call->params, name, &number) && number >= min && number <= max)
        return number;
    refuse_number(call, name, min, max);
    return fallback;
}

const char *clerk_body_text(sandbox_call *call, const char *name)
{
    const cJSON *value = dream_json_get(call->params, name);
    if (!value || cJSON_IsNull(value))
        return NULL;
    if (!cJSON_IsString(value))
        clerk_error(call, 422, "form_param_type_invalid", "is invalid",
                    sandbox_printf(call, "`%s` must be a `string`.", name), name);
    return cJSON_GetStringValue(value);
}

/* ---- from request to answer ---- */

static void answer_failure(sandbox_call *call, sandbox_store_status status)
{
    call->is_nomem = false;
    if (status == SANDBOX_STORE_BUSY)
        clerk_error(call, 503, "service_unavailable", "Service unavailable", "The sandbox's file is locked. Try again.",
                    NULL);
    else
        clerk_error(call, 500, "internal_clerk_error", "Oops, an unexpected error occurred",
                    "There was an internal error on the sandbox's side. Its log says more.", NULL);
}

static void serve(sandbox_call *call)
{
    bool is_other_method;
    if (!sandbox_route_find(call, routes, sizeof routes / sizeof *routes, &is_other_method)) {
        clerk_error(call, is_other_method ? 405 : 404, is_other_method ? "method_not_allowed" : "resource_not_found",
                    is_other_method ? "Method not allowed" : "Not Found", "The sandbox does not serve this request.",
                    NULL);
        return;
    }
    dreamd_request_set_route(call->request, call->route->path);
    if (!is_public(call) && !check_key(call))
        return;
    bool is_get = strcmp(call->route->method, "GET") == 0;
    sandbox_store_status status = SANDBOX_STORE_NOMEM;
    if (is_get ? read_query(call) : read_body(call))
        status = sandbox_call_run(call, call->route->handler);
    if (call->status == 0)
        answer_failure(call, status);
}

void clerk_handle(void *context, dreamd_request *request)
{
    sandbox_call call;
    if (sandbox_call_init(&call, context, request))
        serve(&call);
    sandbox_call_finish(&call);
}
