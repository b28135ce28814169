/* SPDX-License-Identifier: Apache-2.0 */
/* clerk_sessions.c - sessions and the tokens made from them. A session's end by time is worked out when it is read; only a
 * revocation is written. */
#include "sandbox/clerk.h"

#include <string.h>

#include "common/json.h"
#include "common/rsa.h"

#define DAY_MS INT64_C(86400000)
enum {
    SESSION_DAYS = 7,
    ABANDON_DAYS = 30,
    TOKEN_LIFETIME_S = 60,
    TOKEN_SKEW_S = 10, /* Clerk dates a session token's `nbf` back by this much */
    MIN_LIFETIME_S = 30,
    MAX_LIFETIME_S = 315360000,
    DEFAULT_PAGE = 10,
    MAX_PAGE = 500,
    MAX_OFFSET = 1000000000
};

static const char session_skeleton[] =
    "{\"object\":\"session\",\"id\":\"\",\"client_id\":\"\",\"user_id\":\"\",\"status\":\"active\",\"actor\":null,"
    "\"last_active_organization_id\":null,\"last_active_at\":0,\"latest_activity\":null,\"expire_at\":0,\"abandon_at\":"
    "0,"
    "\"created_at\":0,\"updated_at\":0,\"tasks\":null}";

static void expire(sandbox_call *call, cJSON *session)
{
    int64_t expire_at = 0;
    const char *status = dream_json_string(session, "status");
    (void)dream_json_int(session, "expire_at", &expire_at);
    if (status && strcmp(status, "active") == 0 && expire_at <= call->now_ms)
        sandbox_set_text(call, session, "status", "expired");
}

static cJSON *read_session(sandbox_call *call)
{
    cJSON *session = sandbox_read(call, "session", call->id);
    if (session)
        expire(call, session);
    else
        clerk_not_found(call, "session", call->id);
    return session;
}

void clerk_session_create(sandbox_call *call)
{
    const char *user_id = clerk_body_text(call, "user_id");
    cJSON *session = sandbox_skeleton(call, session_skeleton);
    const char *id = sandbox_new_id(call, "sess_", 27);
    if (call->status != 0 || !session || !id)
        return;
    if (!user_id) {
        clerk_error(call, 422, "form_param_missing", "is missing", "user_id must be included.", "user_id");
        return;
    }
    if (!sandbox_read(call, "user", user_id)) {
        clerk_not_found(call, "user", user_id);
        return;
    }
    sandbox_set_text(call, session, "id", id);
    sandbox_set_text(call, session, "client_id", sandbox_new_id(call, "client_", 27));
    sandbox_set_text(call, session, "user_id", user_id);
    sandbox_set_int(call, session, "last_active_at", call->now_ms);
    sandbox_set_int(call, session, "created_at", call->now_ms);
    sandbox_set_int(call, session, "updated_at", call->now_ms);
    sandbox_set_int(call, session, "expire_at", call->now_ms + SESSION_DAYS * DAY_MS);
    sandbox_set_int(call, session, "abandon_at", call->now_ms + ABANDON_DAYS * DAY_MS);
    (void)sandbox_insert(call, &(sandbox_doc){ "session", id, user_id, NULL }, session);
    clerk_emit(call, "session.created", session, user_id);
    sandbox_answer_json(call, 200, session);
}

void clerk_session_get(sandbox_call *call)
{
    sandbox_answer_json(call, 200, read_session(call));
}

typedef struct session_list {
    sandbox_call *call;
    cJSON *answer;
    int64_t skip;
    int64_t left;
    const char *status;
} session_list;

static bool collect(void *context, cJSON *json)
{
    session_list *list = context;
    if (!sandbox_keep(list->call, json))
        return false;
    expire(list->call, json);
    const char *status = dream_json_string(json, "status");
    if (list->status && strcmp(list->status, status ? status : "") != 0)
        return true;
    if (list->skip > 0) {
        list->skip--;
        return true;
    }
    sandbox_append(list->call, list->answer, json);
    return --list->left > 0;
}

void clerk_session_list(sandbox_call *call)
{
    const char *user_id = clerk_query(call, "user_id");
    if (!user_id) {
        clerk_error(call, 422, "form_param_missing", "is missing", "user_id must be included.", "user_id");
        return;
    }
    session_list list = { .call = call,
                          .answer = sandbox_skeleton(call, "[]"),
                          .skip = clerk_query_int(call, "offset", 0, 0, MAX_OFFSET),
                          .left = clerk_query_int(call, "limit", DEFAULT_PAGE, 1, MAX_PAGE),
                          .status = clerk_query(call, "status") };
    if (call->status != 0 || !list.answer)
        return;
    sandbox_doc_scan(call->tx, &call->scope, &(sandbox_scan){ .kind = "session", .parent = user_id }, collect, &list);
    sandbox_answer_json(call, 200, list.answer);
}

void clerk_session_revoke(sandbox_call *call)
{
    cJSON *session = read_session(call);
    if (!session)
        return;
    sandbox_set_text(call, session, "status", "revoked");
    sandbox_set_int(call, session, "updated_at", call->now_ms);
    (void)sandbox_update(call, &(sandbox_doc){ "session", call->id, dream_json_string(session, "user_id"), NULL },
                         session);
    sandbox_answer_json(call, 200, session);
}

/* ---- tokens ---- */

typedef struct token_source {
    const cJSON *session;
    const cJSON *user;
    const cJSON *template; /* NULL for a plain session token */
} token_source;

/* What the token tells is read in one snapshot; it is signed after that. */
static bool read_source(sandbox_call *call, token_source *source)
{
    sandbox_store_status status;
    bool is_there = false;
    call->tx = sandbox_tx_begin(call->instance->store, false, &status);
    if (!call->tx) {
        call->is_nomem = true;
        return false;
    }
    source->session = read_session(call);
    source->user = source->session ? sandbox_read(call, "user", dream_json_string(source->session, "user_id")) : NULL;
    source->template = call->sub ? sandbox_read(call, "jwt_template", call->sub) : NULL;
    const char *state = dream_json_string(source->session, "status");
    if (sandbox_tx_status(call->tx) != SANDBOX_STORE_OK)
        call->is_nomem = true;
    else if (!source->user || strcmp(state ? state : "", "active") != 0)
        clerk_not_found(call, "active session", call->id);
    else if (call->sub && !source->template)
        clerk_error(call, 404, "resource_not_found", "Not Found",
                    sandbox_printf(call, "No JWT template exists with name: %s", call->sub), NULL);
    else
        is_there = true;
    sandbox_tx_rollback(call->tx);
    call->tx = NULL;
    return is_there;
}

/* The claims every token has; put in last, so that no template replaces one. */
static void set_fixed_claims(sandbox_call *call, cJSON *claims, const token_source *source)
{
    int64_t lifetime = TOKEN_LIFETIME_S, skew = TOKEN_SKEW_S;
    const char *origin = dreamd_request_header(call->request, "Origin");
    if (source->template) {
        (void)dream_json_int(source->template, "lifetime", &lifetime);
        (void)dream_json_int(source->template, "allowed_clock_skew", &skew);
    }
    lifetime = clerk_body_int(call, "expires_in_seconds", lifetime, MIN_LIFETIME_S, MAX_LIFETIME_S);
    if (origin)
        sandbox_set_text(call, claims, "azp", origin);
    sandbox_set_int(call, claims, "exp", call->now_s + lifetime);
    sandbox_set_int(call, claims, "iat", call->now_s);
    sandbox_set_text(call, claims, "iss", call->instance->url);
    sandbox_set_text(call, claims, "jti", sandbox_new_id(call, "", 20));
    sandbox_set_int(call, claims, "nbf", call->now_s - skew);
    sandbox_set_text(call, claims, "sid", dream_json_string(source->session, "id"));
    sandbox_set_text(call, claims, "sub", dream_json_string(source->user, "id"));
}

void clerk_session_token(sandbox_call *call)
{
    token_source source = { NULL };
    if (!read_source(call, &source))
        return;
    cJSON *claims = source.template ? clerk_claims_expand(call, dream_json_get(source.template, "claims"), source.user)
                                    : sandbox_skeleton(call, "{\"fva\":[0,-1],\"sts\":\"active\",\"v\":2}");
    cJSON *answer = sandbox_skeleton(call, "{\"object\":\"token\",\"jwt\":\"\"}");
    if (!claims || !answer)
        return;
    set_fixed_claims(call, claims, &source);
    dream_rsa_key *key = call->status == 0 ? clerk_signing_key(call) : NULL;
    if (key) {
        sandbox_set_text(call, answer, "jwt",
                         clerk_sign(call, key, source.template ? "cl_B7d4PD222AAA" : "cl_B7d4PD111AAA", claims));
        sandbox_answer_json(call, 200, answer);
    }
    dream_rsa_free(key);
}
