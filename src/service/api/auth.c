/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - one read of the store per request: the key's project, and the one that a secret key selects beside it.
 * Who the end user is comes later, in user.c. */
#include "service/api/auth.h"

#include <stdlib.h>
#include <string.h>

#include "service/api/limits.h"
#include "service/api/signed.h"
#include "service/store/keys.h"

struct auth {
    dreamd_signed *signature;    /* NULL: none, a key was sent */
    bool is_spent;               /* the signature, by this call */
    const char *secret_key;      /* NULL: asked with a publishable key */
    const char *publishable_key; /* NULL: none given */
    dreamd_project own;          /* of the secret key */
    bool is_own_found;
    dreamd_project named; /* of the publishable key */
    bool is_named_found;
    dreamd_step *then;
};

dreamd_credential dreamd_credential_read(const char *authorization, const char *publishable_key, const char **out_key)
{
    static const char scheme[] = "Bearer ";
    bool is_bearer = authorization && strncmp(authorization, scheme, sizeof scheme - 1) == 0;
    const char *bearer = is_bearer ? authorization + sizeof scheme - 1 : "";

    *out_key = NULL;
    if (strncmp(bearer, "sk_", 3) == 0) {
        *out_key = bearer;
        return DREAMD_CREDENTIAL_SECRET;
    }
    if (publishable_key && *publishable_key) {
        *out_key = publishable_key;
        return DREAMD_CREDENTIAL_PUBLISHABLE;
    }
    return *bearer ? DREAMD_CREDENTIAL_BAD_BEARER : DREAMD_CREDENTIAL_NONE;
}

static void refuse_secret(dreamd_call *call)
{
    dreamd_call_refuse(call, 401, "Invalid API key", "API key not found or expired");
}

static void refuse_publishable(dreamd_call *call)
{
    dreamd_call_refuse(call, 401, "Invalid publishable key", "Publishable key not found or invalid");
}

/* Longer texts are no keys of ours, and need no look-up. */
static bool fits(const char *key)
{
    return strlen(key) < DREAMD_KEY_SIZE;
}

static dreamd_db_status look_up(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct auth *auth = call->state;
    dreamd_db_status status = DREAMD_DB_OK;

    auth->is_own_found = false;
    auth->is_named_found = false;
    if (auth->signature)
        status = dreamd_signed_look_up(db, call, auth->signature, &auth->own, &auth->is_own_found);
    if (auth->secret_key && fits(auth->secret_key))
        status = dreamd_project_by_secret_key(db, auth->secret_key, call->now_ms, &auth->own, &auth->is_own_found);
    if (status == DREAMD_DB_OK && auth->publishable_key && fits(auth->publishable_key))
        status = dreamd_project_by_publishable_key(db, auth->publishable_key, call->now_ms, &auth->named,
                                                   &auth->is_named_found);
    return status;
}

static void go_on(dreamd_call *call)
{
    dreamd_step *then = ((struct auth *)call->state)->then;

    call->state = NULL;
    then(call);
}

struct use {
    dreamd_project project;
    int64_t now_ms;
};

static dreamd_db_status note_use(dreamd_db *db, void *arg)
{
    const struct use *use = arg;

    return dreamd_key_note_use(db, &use->project, use->now_ms);
}

static void on_noted(void *arg, dreamd_db_status status)
{
    (void)status; /* the next request notes it */
    free(arg);
}

/* Nobody waits for it: it shares the commit of whatever else is written. */
static void note_use_behind(const dreamd_call *call, const dreamd_project *project)
{
    struct use *use = project->is_use_due ? malloc(sizeof *use) : NULL;

    if (!use)
        return;
    *use = (struct use){ *project, call->now_ms };
    dreamd_store_write(call->service->store, note_use, on_noted, use);
}

/* A secret key may look at a sibling project, where the endpoint allows it; never at another platform's or mode's. */
static void select_project(dreamd_call *call)
{
    const struct auth *auth = call->state;
    bool is_selecting = call->route && (call->route->flags & DREAMD_ROUTE_SELECTS);
    bool is_for_user = call->route && (call->route->flags & DREAMD_ROUTE_USER);

    if (!auth->is_named_found) {
        refuse_publishable(call);
    } else if (strcmp(auth->named.platform_id, auth->own.platform_id) != 0) {
        dreamd_call_refuse(call, 403, "Publishable key mismatch", "Publishable key does not belong to your platform");
    } else if (!is_selecting) {
        go_on(call);
    } else if (auth->named.mode == auth->own.mode) {
        call->project = auth->named;
        go_on(call);
    } else if (is_for_user) {
        dreamd_call_refuse(call, 403, "Publishable key mismatch", "Live and test keys do not go together");
    } else {
        call->is_selection_empty = true;
        go_on(call);
    }
}

/* Under which name failures are counted. */
static const char *name_of(const struct auth *auth)
{
    if (auth->signature)
        return dreamd_signed_name(auth->signature);
    return auth->secret_key ? auth->secret_key : auth->publishable_key;
}

static void note_outcome(dreamd_call *call, const struct auth *auth)
{
    bool is_found = call->has_secret_key ? auth->is_own_found : auth->is_named_found;

    if (!is_found)
        dreamd_limits_key_failed(call, name_of(auth));
    else if (!auth->signature || dreamd_signed_is_good(auth->signature))
        dreamd_limits_key_accepted(call, name_of(auth));
    else
        dreamd_limits_address_failed(call);
}

static dreamd_db_status spend(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct auth *auth = call->state;

    auth->is_spent = true;
    return dreamd_signed_spend(db, call, auth->signature, &auth->own);
}

static void on_looked_up(dreamd_call *call)
{
    struct auth *auth = call->state;

    call->has_secret_key = auth->secret_key || auth->signature;
    note_outcome(call, auth);
    if (call->has_secret_key && !auth->is_own_found) {
        refuse_secret(call);
        return;
    }
    if (!call->has_secret_key && !auth->is_named_found) {
        refuse_publishable(call);
        return;
    }
    if (auth->signature && !dreamd_signed_accept(call, auth->signature))
        return;
    /* Who only asks whether the body may come signs nothing away yet. */
    if (auth->signature && !auth->is_spent && auth->then != dreamd_call_admit) {
        dreamd_call_write(call, spend, on_looked_up);
        return;
    }
    call->project = call->has_secret_key ? auth->own : auth->named;
    note_use_behind(call, &call->project);
    if (dreamd_project_is_blocked(&call->project, call->now_ms)) {
        dreamd_call_refuse(call, 403, "subscription_expired",
                           "Subscription expired. Please renew at dashboard to restore API access.");
        return;
    }
    if (call->has_secret_key && auth->publishable_key)
        select_project(call);
    else
        go_on(call);
}

/* False with the call refused: what is there opens nothing. */
static bool read_credential(dreamd_call *call, struct auth *auth)
{
    const char *publishable_key = dreamd_request_header(call->request, "X-Publishable-Key");
    const char *key = NULL;
    dreamd_credential credential =
        dreamd_credential_read(dreamd_request_header(call->request, "Authorization"), publishable_key, &key);

    auth->publishable_key = publishable_key && *publishable_key ? publishable_key : NULL;
    if (credential == DREAMD_CREDENTIAL_SECRET) {
        auth->secret_key = key;
        return true;
    }
    if (dreamd_request_is_signed(call->request)) {
        dreamd_signed *signature = dreamd_signed_read(call, auth->then == dreamd_call_admit);
        if (signature) /* else the call is over, and `auth` with it */
            auth->signature = signature;
        return signature != NULL;
    }
    if (credential == DREAMD_CREDENTIAL_NONE)
        dreamd_call_refuse(call, 401, "Missing authentication",
                           "Provide Authorization: Bearer {secret_key} or X-Publishable-Key header");
    else if (credential == DREAMD_CREDENTIAL_BAD_BEARER)
        refuse_secret(call);
    else if (!call->route || !(call->route->flags & DREAMD_ROUTE_PUBLISHABLE))
        dreamd_call_refuse(call, 403, "Forbidden", "This endpoint requires a secret key (backend only)");
    else
        return true;
    return false;
}

void dreamd_auth(dreamd_call *call, dreamd_step *then)
{
    struct auth *auth = dream_arena_alloc(call->arena, sizeof *auth);

    if (!auth) {
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
        return;
    }
    auth->then = then;
    if (!read_credential(call, auth))
        return;
    if (!dreamd_limits_may_try(call, name_of(auth))) {
        dreamd_call_send(call);
        return;
    }
    call->state = auth;
    dreamd_call_read(call, look_up, on_looked_up);
}
