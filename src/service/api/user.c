/* SPDX-License-Identifier: Apache-2.0 */
/* user.c - reads token and userId, has the token verified in the key's mode (identity.c), and refuses tokens of other
 * projects. A token that names no project is let in, as the contract has it. */
#include "service/api/user.h"

#include <string.h>

#include "common/json.h"
#include "service/api/ownership.h"

struct user_search {
    const char *named; /* userId of the request; NULL: none */
    bool is_same_project;
    dreamd_step *then;
};

static void refuse_token(dreamd_call *call, const char *message)
{
    dreamd_call_refuse(call, 401, "Invalid or missing end-user token", message);
}

static void go_on(dreamd_call *call)
{
    dreamd_step *then = ((struct user_search *)call->state)->then;

    call->state = NULL;
    then(call);
}

static const char *find_token(dreamd_request *request)
{
    static const char *const names[] = { "X-Clerk-Token", "X-User-Token", "X-End-User-Token" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *token = dreamd_request_header(request, names[i]);

        if (token && *token)
            return token;
    }
    return NULL;
}

/* ---- the token's project ---- */

static dreamd_db_status look_up_project(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct user_search *search = call->state;

    return dreamd_is_own_key(db, &call->project, call->claims->publishable_key, &search->is_same_project);
}

static void on_project_known(dreamd_call *call)
{
    const struct user_search *search = call->state;

    if (!search->is_same_project)
        dreamd_call_refuse(call, 403, "Publishable key mismatch", "End-user token does not match this project");
    else
        go_on(call);
}

/* ---- the token ---- */

static bool is_usable(const dream_claims *claims)
{
    return strlen(claims->user_id) <= DREAMD_MAX_USER_ID && (!claims->plan || strlen(claims->plan) < DREAMD_PLAN_SIZE)
           && (!claims->email || strlen(claims->email) <= DREAMD_MAX_EMAIL);
}

static void on_verified(void *context, dreamd_identity_status status, dream_claims *claims, const char *message)
{
    dreamd_call *call = context;
    const struct user_search *search = call->state;

    call->claims = claims;
    if (status == DREAMD_IDENTITY_UNAVAILABLE) {
        dreamd_upstream_answer answer = { DREAMD_UPSTREAM_UNAVAILABLE, 0, message, -1, NULL };
        dreamd_call_refuse_upstream(call, &answer, "End-user token could not be verified");
    } else if (status == DREAMD_IDENTITY_INVALID) {
        refuse_token(call, message);
    } else if (!is_usable(claims)) {
        refuse_token(call, "A claim of the token is too long");
    } else if (search->named && strcmp(search->named, claims->user_id) != 0) {
        dreamd_call_refuse(call, 403, "User mismatch", "Token user does not match request userId");
    } else {
        call->user_id = claims->user_id;
        if (claims->publishable_key && strcmp(claims->publishable_key, call->project.publishable_key) != 0)
            dreamd_call_read(call, look_up_project, on_project_known);
        else
            go_on(call);
    }
}

/* ---- the userId ---- */

/* False, with the answer prepared, if there is one and it is unusable. */
static bool read_named_in_body(dreamd_call *call, bool has_token, const char **out)
{
    const cJSON *value = NULL;

    *out = NULL;
    if (dreamd_call_body(call) == DREAMD_BODY_MALFORMED && !has_token) {
        dreamd_call_set_error(call, 400, "Invalid JSON body", NULL);
        return false;
    }
    value = dream_json_get(call->body, "userId");
    if (!value || cJSON_IsNull(value))
        return true;
    if (!cJSON_IsString(value)) {
        dreamd_call_set_error(call, 400, "Invalid userId", "userId must be a string");
        return false;
    }
    *out = value->valuestring;
    return true;
}

static bool read_named(dreamd_call *call, bool has_token, const char **out)
{
    bool has_body = strcmp(dreamd_request_method(call->request), "GET") != 0;

    *out = NULL;
    if (!call->has_secret_key)
        return true;
    if (has_body && !read_named_in_body(call, has_token, out))
        return false;
    if (!has_body)
        *out = dreamd_request_query(call->request, "userId");
    if (*out && (**out == '\0' || strlen(*out) > DREAMD_MAX_USER_ID)) {
        dreamd_call_set_error(call, 400, "Invalid userId", "userId must have 1 to 128 characters");
        return false;
    }
    return true;
}

void dreamd_user(dreamd_call *call, dreamd_step *then)
{
    bool is_token_read = (call->route->flags & DREAMD_ROUTE_USER) != 0;
    const char *token = is_token_read ? find_token(call->request) : NULL;
    struct user_search *search = dream_arena_alloc(call->arena, sizeof *search);

    if (!search) {
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
        return;
    }
    search->then = then;
    call->state = search;
    if (!read_named(call, token != NULL, &search->named)) {
        dreamd_call_send(call);
    } else if (token) {
        dreamd_identity_verify(call->service->identity, call->project.mode, token, on_verified, call);
    } else if (search->named) {
        call->user_id = search->named;
        call->is_server_side = true;
        go_on(call);
    } else if (is_token_read) {
        refuse_token(call, "Missing end-user token (send X-Clerk-Token with a valid JWT)");
    } else {
        dreamd_call_refuse(call, 400, "Missing required field", "userId is required");
    }
}
