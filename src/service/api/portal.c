/* SPDX-License-Identifier: Apache-2.0 */
/* portal.c - POST /api/customer-portal: a page of the payment provider where a user looks after a subscription.
 *
 * Steps: one piece of work claims the key and takes one of the rate; the identity provider tells which customer of the payment
 * provider the user is; a read finds the developer's payment account; the provider makes the session. */
#include <string.h>

#include "common/crypto.h"
#include "common/json.h"
#include "service/api/handlers.h"
#include "service/api/ownership.h"
#include "service/api/payment.h"
#include "service/api/replay.h"
#include "service/provider/clerk.h"

struct portal {
    const char *return_url;
    bool is_refused;         /* by the first piece of work: the answer is prepared and remembered */
    const char *customer_id; /* at the payment provider */
    const char *user_key;    /* the publishable key in the user's metadata */
    bool is_own_user;
    dreamd_payment_account account;
};

static dreamd_db_status settle(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct portal *portal = call->state;
    dreamd_usage_request request = dreamd_call_usage(call, 1);
    dreamd_usage_result result;
    dreamd_db_status status = dreamd_replay_claim(db, call);

    portal->is_refused = false;
    if (status != DREAMD_DB_OK || !dreamd_replay_is_fresh(call))
        return status;
    status = dreamd_rate_take(db, &request, &result);
    if (status != DREAMD_DB_OK)
        return status;
    portal->is_refused = dreamd_call_set_usage_refusal(call, &result);
    return portal->is_refused ? dreamd_replay_finish(db, call) : DREAMD_DB_OK;
}

static void refuse_portal(dreamd_call *call, const char *detail)
{
    cJSON *body = cJSON_CreateObject();

    if (!dream_json_set_string(body, "error", "Failed to create portal session")
        || !dream_json_set_string(body, "detail", detail)) {
        cJSON_Delete(body);
        body = NULL;
    }
    dreamd_call_answer(call, 400, body);
}

static void on_session(void *context, const dreamd_upstream_answer *answer, const char *url)
{
    dreamd_call *call = context;

    if (answer->outcome == DREAMD_UPSTREAM_UNAVAILABLE)
        dreamd_call_refuse_upstream(call, answer, NULL);
    else if (answer->outcome != DREAMD_UPSTREAM_OK)
        refuse_portal(call, answer->message);
    else
        dreamd_payment_answer_url(call, url);
}

static dreamd_db_status find_account(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct portal *portal = call->state;
    dreamd_db_status status = dreamd_is_own_key(db, &call->project, portal->user_key, &portal->is_own_user);

    if (status == DREAMD_DB_OK && portal->is_own_user)
        status = dreamd_payment_find_account(db, call, &call->project, &portal->account);
    return status;
}

static void on_account(dreamd_call *call)
{
    struct portal *portal = call->state;
    char key[65];
    const char *upstream_key = dreamd_replay_upstream_key(call, key) ? key : NULL;
    dreamd_stripe_account account;
    dreamd_stripe_actor actor;

    if (!portal->is_own_user) {
        dreamd_call_refuse(call, 403, "Publishable key mismatch", "End user does not belong to this project");
        return;
    }
    if (!portal->account.is_found) {
        dreamd_call_refuse(call, 400, "Developer has not connected their Stripe account", NULL);
        return;
    }
    dreamd_payment_take_account(&portal->account, &account);
    actor = dreamd_payment_actor(&account, call->project.mode, upstream_key);
    dreamd_stripe_create_portal(call->service->upstream, &actor, portal->customer_id, portal->return_url, on_session,
                                call);
    dream_wipe(&account, sizeof account);
}

/* A text of the user's metadata, copied; NULL if there is none. */
static const char *copy_text(dreamd_call *call, const dreamd_clerk_user *user, const char *name)
{
    const char *text = dream_json_string(user->metadata, name);

    return text && *text ? dream_arena_strdup(call->arena, text) : NULL;
}

static void on_user(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;
    struct portal *portal = call->state;

    if (answer->outcome == DREAMD_UPSTREAM_UNAVAILABLE) {
        dreamd_call_refuse_upstream(call, answer, NULL);
        return;
    }
    if (!user) {
        dreamd_call_refuse(call, answer->outcome == DREAMD_UPSTREAM_NOT_FOUND ? 404 : 400, answer->message, NULL);
        return;
    }
    portal->customer_id = copy_text(call, user, "stripeCustomerId");
    portal->user_key = copy_text(call, user, "publishableKey");
    if (!portal->customer_id)
        dreamd_call_refuse(call, 400, "No active subscription found", NULL);
    else if (!portal->user_key)
        dreamd_call_refuse(call, 400, "Customer not associated with a platform", NULL);
    else
        dreamd_call_read(call, find_account, on_account);
}

static void on_settled(dreamd_call *call)
{
    const struct portal *portal = call->state;

    if (!dreamd_replay_is_fresh(call)) {
        dreamd_replay_set_answer(call);
        dreamd_call_send(call);
    } else if (portal->is_refused) {
        dreamd_call_send(call);
    } else {
        call->has_claim = call->key != NULL;
        dreamd_clerk_get_user(call->service->upstream, call->project.mode, call->user_id, on_user, call);
    }
}

static bool read_request(dreamd_call *call, struct portal *portal)
{
    if (dreamd_call_body(call) != DREAMD_BODY_MALFORMED)
        return dreamd_payment_read_url(call, "returnUrl", "/dashboard", &portal->return_url);
    dreamd_call_set_error(call, 400, "Invalid JSON body", NULL);
    return false;
}

void dreamd_portal_create(dreamd_call *call)
{
    struct portal *portal = dream_arena_alloc(call->arena, sizeof *portal);

    call->state = portal;
    if (!portal)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (!read_request(call, portal))
        dreamd_call_send(call);
    else
        dreamd_call_write(call, settle, on_settled);
}
