/* SPDX-License-Identifier: Apache-2.0 */
/* clerk.h - the Clerk side: the Backend API of one app in one mode, on one server. Documents: "user" (looked up by
 * primary address), "email" (id: the address in lower case, so that no two users have one), "password" (id: the
 * user's), "session" (parent: the user), "jwt_template" (id: its name), "event" (id: the message's). */
#ifndef SANDBOX_CLERK_H
#define SANDBOX_CLERK_H

#include "sandbox/call.h"

/* A dreamd_http_handler; `context` is the sandbox_instance. */
void clerk_handle(void *context, dreamd_request *request);

/* Clerk's error envelope with one error. `param` may be NULL. */
void clerk_error(sandbox_call *call, unsigned status, const char *code, const char *message, const char *long_message,
                 const char *param);
void clerk_not_found(sandbox_call *call, const char *what, const char *id);

/* Query parameters come as arrays of texts under their names (a name may be repeated). */
const char *clerk_query(sandbox_call *call, const char *name);
/* A whole number of the query within limits; `fallback` if absent. Refuses the call if it is none. */
int64_t clerk_query_int(sandbox_call *call, const char *name, int64_t fallback, int64_t min, int64_t max);
/* A text member of the body; NULL if absent or null. Refuses the call if it is something else. */
const char *clerk_body_text(sandbox_call *call, const char *name);
/* The same for a whole number. */
int64_t clerk_body_int(sandbox_call *call, const char *name, int64_t fallback, int64_t min, int64_t max);

const char *clerk_primary_email(const cJSON *user); /* borrowed; NULL if none */

/* Notes that something happened to a user, for the webhooks; a user's events are delivered in order. To be called
 * before the answer is set. */
void clerk_emit(sandbox_call *call, const char *type, const cJSON *data, const char *user_id);

/* Puts the templates an app has from the start into a new file. */
void clerk_templates_prepare(sandbox_tx *tx, enum sandbox_mode mode, int64_t now_ms);
/* `claims` with its shortcodes ({{user.public_metadata.plan}}) replaced; kept by the call. */
cJSON *clerk_claims_expand(sandbox_call *call, const cJSON *claims, const cJSON *user);

/* The instance's signing key, made at first need; NULL and the call marked on failure. Opens its own transactions. */
typedef struct dream_rsa_key dream_rsa_key;
dream_rsa_key *clerk_signing_key(sandbox_call *call);
/* A signed token; in the call's arena. `category` tells session tokens from template ones, as Clerk's header does. */
const char *clerk_sign(sandbox_call *call, const dream_rsa_key *key, const char *category, const cJSON *claims);

/* handlers */
sandbox_handler clerk_user_create, clerk_user_get, clerk_user_list, clerk_user_count, clerk_user_update,
    clerk_user_merge_metadata, clerk_user_delete, clerk_user_verify_password;
sandbox_handler clerk_session_create, clerk_session_get, clerk_session_list, clerk_session_revoke, clerk_session_token;
sandbox_handler clerk_template_create, clerk_template_list, clerk_template_get;
sandbox_handler clerk_jwks;

#endif
