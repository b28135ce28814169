/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - dreamapi_token_verify: common/verifier with a client around it, which fetches the keys. Blocking calls verify on the
 * caller's thread and become a call of the engine's only if they have to wait; started ones are verified by the driver. */
#include <dreamapi/token.h>

#include <stdlib.h>
#include <string.h>

#include "common/verifier.h"
#include "lib/call.h"
#include "lib/error.h"
#include "lib/object/token.h"
#include "lib/params.h"
#include "lib/pipeline.h"

enum { REMEMBERED = 4096, MAX_SKEW_MS = DREAM_TOKEN_SKEW_S * 1000 };

dreamapi_status dream_token_prepare(dreamapi_client *client, dreamapi_error *error)
{
    const dream_settings *settings = &client->settings;

    if (settings->token_keys == NULL && settings->jwks_url == NULL)
        return DREAMAPI_OK;
    client->verifier = dream_verifier_new(REMEMBERED, settings->token_keys);
    return client->verifier != NULL ? DREAMAPI_OK : dream_error_nomem(error);
}

void dream_token_clear(dreamapi_client *client)
{
    if (dream_client_is_foreign(client))
        dream_verifier_abandon(client->verifier);
    else
        dream_verifier_free(client->verifier);
}

/* ---- the object ---- */

/* A token is its claims, shared with the table of verified ones. */
static const dream_claims *claims_of(const dreamapi_token *token)
{
    return (const dream_claims *)token;
}

const char *dreamapi_token_user_id(const dreamapi_token *token)
{
    return token == NULL ? NULL : claims_of(token)->user_id;
}

const char *dreamapi_token_publishable_key(const dreamapi_token *token)
{
    return token == NULL ? NULL : claims_of(token)->publishable_key;
}

const char *dreamapi_token_plan(const dreamapi_token *token)
{
    return token == NULL ? NULL : claims_of(token)->plan;
}

const char *dreamapi_token_email(const dreamapi_token *token)
{
    return token == NULL ? NULL : claims_of(token)->email;
}

const char *dreamapi_token_session_id(const dreamapi_token *token)
{
    return token == NULL ? NULL : claims_of(token)->session_id;
}

int64_t dreamapi_token_expires_at_ms(const dreamapi_token *token)
{
    return token == NULL ? 0 : claims_of(token)->expires_at_s * 1000;
}

const char *dreamapi_token_json(const dreamapi_token *token)
{
    return token == NULL ? NULL : claims_of(token)->json;
}

void dreamapi_token_free(dreamapi_token *token)
{
    dream_claims_unref((dream_claims *)token);
}

static void release_claims(void *object)
{
    dream_claims_unref(object);
}

static const dream_noun noun_token = { "token", NULL, release_claims };

/* ---- the keys ---- */

static dreamapi_status parse_keys(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    *out_object = dream_jwks_parse(body, size);
    if (*out_object != NULL)
        return DREAMAPI_OK;
    (void)strcpy(problem, "it is no key set");
    return DREAMAPI_PROTOCOL;
}

static void release_keys(void *object)
{
    dream_jwks_unref(object);
}

static const dream_noun noun_keys = { "key set", parse_keys, release_keys };

/* After one that took all its time no pause is due: it may have waited for its host, and those who waited for it have their own time. */
static void end_fetch(dreamapi_client *client, dream_jwks *keys, const dreamapi_error *error)
{
    int64_t pause_ms = error->status == DREAMAPI_TIMEOUT ? DREAM_KEYS_UNKNOWN_MS : 0;

    dream_verifier_fetched(client->verifier, keys, dream_settings_now_ms(&client->settings) - pause_ms, error->message);
}

/* The driver's. */
static void on_fetched(dreamapi_call *call, void *context)
{
    dreamapi_client *client = context;
    void *keys = NULL;
    dreamapi_error error;
    dreamapi_status status = dream_call_take(call, &noun_keys, &keys, &error);

    if (status != DREAMAPI_OK)
        dream_settings_log(&client->settings, DREAMAPI_LOG_WARNING, "%s", error.message);
    end_fetch(client, keys, &error);
    /* Only a client that is closing cancels this, and then those who wait for it too. */
    if (status != DREAMAPI_CANCELLED)
        dream_pipeline_work(client);
    dreamapi_call_free(call);
}

static void start_fetch(dreamapi_client *client)
{
    dream_request request;
    dreamapi_error error;

    dream_request_begin(&request, client, "GET", "", NULL);
    dream_buffer_clear(&request.url);
    dream_buffer_text(&request.url, client->settings.jwks_url);
    request.is_anonymous = true;
    if (dream_call_start_inside(client, "token_keys", &noun_keys, &request, on_fetched, client, &error) != DREAMAPI_OK)
        end_fetch(client, NULL, &error);
}

/* ---- verifying ---- */

static dreamapi_status report(dream_token_status status, const char *message, dreamapi_error *error)
{
    switch (status) {
    case DREAM_TOKEN_OK:
        dream_error_clear(error);
        return DREAMAPI_OK;
    case DREAM_TOKEN_NOMEM:
        return dream_error_nomem(error);
    case DREAM_TOKEN_FOREIGN:
        return dream_error_refuse(error, DREAMAPI_FORBIDDEN, "token_verify: %s", message);
    case DREAM_TOKEN_NO_KEYS:
        (void)dream_error_set(error, DREAMAPI_UNAVAILABLE, "token_verify: %s", message);
        if (error != NULL)
            error->retriable = 1;
        return DREAMAPI_UNAVAILABLE;
    default:
        return dream_error_refuse(error, DREAMAPI_AUTH, "token_verify: %s", message);
    }
}

/* False if keys have to be waited for. `*out` is owned. */
static bool try_token(dreamapi_client *client, const char *token, const dream_token_rules *rules, dream_claims **out,
                      dreamapi_error *error)
{
    dream_verification work;
    dream_token_status status;

    work.token = token;
    work.rules = *rules;
    work.rules.now_wall_ms = dream_settings_wall_ms(&client->settings);
    work.now_ms = dream_settings_now_ms(&client->settings);
    status = dream_verifier_try(client->verifier, &work);
    *out = work.claims;
    if (work.must_fetch)
        start_fetch(client);
    if (status == DREAM_TOKEN_WAIT)
        return false;
    (void)report(status, work.message, error);
    return true;
}

/* A call's: by the driver, again whenever keys came. */
static bool work_call(dreamapi_call *call)
{
    dream_claims *claims = NULL;
    bool is_done = try_token(call->client, call->request.user_token, call->job, &claims, &call->error);

    call->object = claims;
    return is_done;
}

/* ---- what is asked ---- */

static size_t list_size(const char *const *list)
{
    size_t count = 0;

    while (list != NULL && list[count] != NULL)
        count++;
    return count;
}

/* Puts a copy at `*at`; NULL stays NULL. */
static const char *put_text(const char *text, char **at)
{
    const char *copy = *at;

    if (text == NULL)
        return NULL;
    *at = stpcpy(*at, text) + 1;
    return copy;
}

static const char *const *put_list(const char *const *list, const char ***slot, char **at)
{
    const char **copy = *slot;

    if (list == NULL)
        return NULL;
    for (size_t i = 0; list[i] != NULL; i++)
        *(*slot)++ = put_text(list[i], at);
    *(*slot)++ = NULL;
    return copy;
}

static size_t texts_size(const char *const *list)
{
    size_t size = 0;

    for (; list != NULL && *list != NULL; list++)
        size += strlen(*list) + 1;
    return size;
}

/* One allocation (free()): the rules, the lists, the texts. */
static dream_token_rules *copy_rules(const dream_token_rules *from)
{
    const char *const texts[] = { from->issuer != NULL ? from->issuer : "",
                                  from->audience != NULL ? from->audience : "", NULL };
    size_t slots = list_size(from->authorized_parties) + list_size(from->publishable_keys) + 2;
    dream_token_rules *rules = malloc(sizeof(*rules) + slots * sizeof(char *) + texts_size(texts)
                                      + texts_size(from->authorized_parties) + texts_size(from->publishable_keys));
    const char **slot;
    char *at;

    if (rules == NULL)
        return NULL;
    slot = (const char **)(rules + 1);
    at = (char *)(slot + slots);
    *rules = *from;
    rules->issuer = put_text(from->issuer, &at);
    rules->audience = put_text(from->audience, &at);
    rules->authorized_parties = put_list(from->authorized_parties, &slot, &at);
    rules->publishable_keys = put_list(from->publishable_keys, &slot, &at);
    return rules;
}

/* `own` (two places) is room for the list of the client's key. */
static dreamapi_status read_params(const dreamapi_client *client, const dreamapi_token_params *params,
                                   dream_token_rules *out, const char **own, dreamapi_error *error)
{
    static const dreamapi_token_params defaults = DREAMAPI_TOKEN_PARAMS_INIT;
    dreamapi_token_params read;
    dreamapi_status status = dream_client_check(client, error);

    if (status == DREAMAPI_OK)
        status = dream_params_copy(params == NULL ? &defaults : params, &read, sizeof(read), error);
    if (status != DREAMAPI_OK)
        return status;
    if (client->verifier == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID,
                                  "no keys for tokens: dreamapi_options_set_jwks_url or _set_token_keys");
    if (read.skew_ms < 0 || read.skew_ms > MAX_SKEW_MS)
        return dream_error_refuse(error, DREAMAPI_INVALID, "skew_ms is out of range");
    own[0] = client->settings.publishable_key;
    own[1] = NULL;
    *out = (dream_token_rules){ .skew_ms = read.skew_ms,
                                .issuer = read.issuer,
                                .audience = read.audience,
                                .authorized_parties = read.authorized_parties,
                                .publishable_keys = read.publishable_keys };
    if (read.any_project != 0)
        out->publishable_keys = NULL;
    else if (read.publishable_keys == NULL && own[0] == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID,
                                  "whose tokens? Set the publishable key (DREAMAPI_PUBLISHABLE_KEY), or any_project");
    else if (read.publishable_keys == NULL)
        out->publishable_keys = own;
    return DREAMAPI_OK;
}

/* ---- calls ---- */

static dreamapi_status start(dreamapi_client *client, const char *token, const dream_token_rules *rules,
                             const dreamapi_call_options *options, const dreamapi_call *template,
                             dreamapi_call **out_call, dreamapi_error *error)
{
    dreamapi_call work = *template;
    dream_request request;

    dream_request_begin(&request, client, "GET", "", options);
    if (request.problem.status == DREAMAPI_OK) {
        request.user_token = strdup(token);
        work.job = copy_rules(rules);
        if (request.user_token == NULL || work.job == NULL)
            (void)dream_error_nomem(&request.problem);
    }
    work.work = work_call;
    return dream_call_start_as(client, "token_verify", &noun_token, &request, &work, out_call, error);
}

static dreamapi_status check_token(const char *token, dreamapi_error *error)
{
    return token != NULL ? DREAMAPI_OK : dream_error_refuse(error, DREAMAPI_INVALID, "token is NULL");
}

static dreamapi_status check_options(const dreamapi_client *client, const dreamapi_call_options *options,
                                     dreamapi_error *error)
{
    dreamapi_status status;
    dream_request request;

    if (options == NULL)
        return DREAMAPI_OK;
    dream_request_begin(&request, client, "GET", "", options);
    status = request.problem.status;
    if (status != DREAMAPI_OK && error != NULL)
        *error = request.problem;
    dream_request_clear(&request);
    return status;
}

dreamapi_status dreamapi_token_verify(dreamapi_client *client, const char *token, const dreamapi_token_params *params,
                                      const dreamapi_call_options *options, dreamapi_token **out_token,
                                      dreamapi_error *error)
{
    const dreamapi_call template = { .is_quiet = true };
    dream_token_rules rules;
    dreamapi_call *call = NULL;
    dream_claims *claims = NULL;
    void *object = NULL;
    const char *own[2];
    dreamapi_error problem;
    dreamapi_status status;

    if (error == NULL)
        error = &problem;
    if (out_token == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "out_token is NULL");
    *out_token = NULL;
    status = read_params(client, params, &rules, own, error);
    if (status == DREAMAPI_OK)
        status = check_token(token, error);
    if (status == DREAMAPI_OK)
        status = check_options(client, options, error);
    if (status != DREAMAPI_OK)
        return status;
    if (try_token(client, token, &rules, &claims, error)) {
        *out_token = (dreamapi_token *)claims;
        return error->status;
    }
    status = start(client, token, &rules, options, &template, &call, error);
    if (status == DREAMAPI_OK)
        status = dream_call_complete(call, &noun_token, &object, error);
    *out_token = object;
    return status;
}

dreamapi_status dreamapi_token_verify_start(dreamapi_client *client, const char *token,
                                            const dreamapi_token_params *params, const dreamapi_call_options *options,
                                            dreamapi_call **out_call, dreamapi_error *error)
{
    const dreamapi_call template = { .is_quiet = false };
    dream_token_rules rules;
    const char *own[2];
    dreamapi_status status;

    if (out_call == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "out_call is NULL");
    *out_call = NULL;
    status = read_params(client, params, &rules, own, error);
    if (status == DREAMAPI_OK)
        status = check_token(token, error);
    return status == DREAMAPI_OK ? start(client, token, &rules, options, &template, out_call, error) : status;
}

dreamapi_status dreamapi_token_result(dreamapi_call *call, dreamapi_token **out_token, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &noun_token, out_token != NULL ? &object : NULL, error);

    if (out_token != NULL)
        *out_token = object;
    return status;
}
