/* SPDX-License-Identifier: Apache-2.0 */
/** @file token.h
 * Who is behind an end user's token, answered here, mostly without a request.
 *
 * A token is a JWT (RFC 7519) that the identity provider signed with RS256, RS384, RS512 or ES256 (RFC 7518). Its keys come from
 * dreamapi_options_set_jwks_url, fetched when the first token needs them, or from dreamapi_options_set_token_keys, and then no request
 * is ever made. The key decides on the algorithm; the token's `alg` can only agree with it. `none`, HMAC and extensions that are
 * critical (`crit`) are refused.
 *
 * Fetched keys are used for five minutes as they are; then they are fetched anew in the background, while verifying goes on with
 * those there are, for 24 hours after the last fetch that succeeded: with the provider down, tokens are verified until then, and
 * DREAMAPI_UNAVAILABLE after that. A token whose key is not in the set has it fetched anew, at most every ten seconds. Many threads that need
 * keys at once cause one request. With threads = 0 the fetch moves along while the client is worked.
 *
 * Up to 4096 verified tokens are remembered, by a keyed hash of the whole text: seeing one again costs about a microsecond. Everything
 * but the signature is checked each time. All are forgotten when a key of the set is gone or changed. */
#ifndef DREAMAPI_TOKEN_H
#define DREAMAPI_TOKEN_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a verified token says. Immutable; any thread may read it, also after the client is gone. */
typedef struct dreamapi_token dreamapi_token;

/** What a token must say besides being signed and in time. */
typedef struct dreamapi_token_params {
    /** sizeof(dreamapi_token_params), set by DREAMAPI_TOKEN_PARAMS_INIT. */
    size_t struct_size;
    /** `iss` must be this; NULL: any or none. */
    const char *issuer;
    /** `aud` must be this or have it in its list; NULL: `aud` is not looked at. */
    const char *audience;
    /** `azp` must be one of these, the list ended by NULL; NULL: `azp` is not looked at. Name your own origins here. */
    const char *const *authorized_parties;
    /** The token must name one of these projects, the list ended by NULL: its publishable key, `publicMetadata.publishableKey` before
     * `publishableKey`. NULL: the client's own (dreamapi_options_set_publishable_key). */
    const char *const *publishable_keys;
    /** 1: tokens of any project, or none. 0 unless set: with neither publishable_keys nor a key of the client's the call is
     * DREAMAPI_INVALID, since all projects' users share one provider. */
    int any_project;
    /** How far clocks may differ, for `exp`, `nbf` and `iat`: 0 to 300000 milliseconds. */
    int64_t skew_ms;
} dreamapi_token_params;

/** The client's own project; a skew of a minute. */
#define DREAMAPI_TOKEN_PARAMS_INIT                                                                                     \
    {                                                                                                                  \
        sizeof(dreamapi_token_params), NULL, NULL, NULL, NULL, 0, 60000                                                \
    }

/** Verifies a token. Of `options` (may be NULL) the timeout counts, if keys have to be waited for. `params` may be NULL.
 * DREAMAPI_OK: `*out_token` is owned (dreamapi_token_free). DREAMAPI_AUTH: malformed, no good signature, not in time, or not as `params`
 * ask; dreamapi_error.message says which. DREAMAPI_FORBIDDEN: good, but of another project. DREAMAPI_UNAVAILABLE: there are no keys, or
 * not the token's, and none could be fetched; this says nothing about the token. DREAMAPI_TIMEOUT: they did not come in time.
 * DREAMAPI_INVALID: also when the client has no source of keys. Any thread; with keys at hand it does not wait. */
DREAMAPI_API dreamapi_status dreamapi_token_verify(dreamapi_client *client, const char *token,
                                                   const dreamapi_token_params *params,
                                                   const dreamapi_call_options *options, dreamapi_token **out_token,
                                                   dreamapi_error *error);
/** The same, without waiting. The signature is checked by whoever works for the client. */
DREAMAPI_API dreamapi_status dreamapi_token_verify_start(dreamapi_client *client, const char *token,
                                                         const dreamapi_token_params *params,
                                                         const dreamapi_call_options *options, dreamapi_call **out_call,
                                                         dreamapi_error *error);
/** The end of dreamapi_token_verify_start. Takes the object: a second time is DREAMAPI_INVALID. */
DREAMAPI_API dreamapi_status dreamapi_token_result(dreamapi_call *call, dreamapi_token **out_token,
                                                   dreamapi_error *error);

/* Texts are borrowed from the token; NULL if it does not say. */

/** `sub`. Never NULL or empty. */
DREAMAPI_API const char *dreamapi_token_user_id(const dreamapi_token *token);
/** The project: `publicMetadata.publishableKey`, else `publishableKey`. */
DREAMAPI_API const char *dreamapi_token_publishable_key(const dreamapi_token *token);
/** `publicMetadata.plan`, else `plan`: as the provider had it when the token was made. dreamapi_tier_check takes it as a plan. */
DREAMAPI_API const char *dreamapi_token_plan(const dreamapi_token *token);
/** `email`, else `publicMetadata.email`, else `primary_email`. */
DREAMAPI_API const char *dreamapi_token_email(const dreamapi_token *token);
/** `sid`. */
DREAMAPI_API const char *dreamapi_token_session_id(const dreamapi_token *token);
/** `exp`, in milliseconds since 1970-01-01T00:00Z, without the skew. */
DREAMAPI_API int64_t dreamapi_token_expires_at_ms(const dreamapi_token *token);
/** The payload as it was signed: JSON. Never NULL. */
DREAMAPI_API const char *dreamapi_token_json(const dreamapi_token *token);
/** NULL is fine. */
DREAMAPI_API void dreamapi_token_free(dreamapi_token *token);

#ifdef __cplusplus
}
#endif

#endif
