/* SPDX-License-Identifier: Apache-2.0 */
/* checkout.c - POST /api/create-checkout (and POST /checkout): a page of the payment provider where a user buys a tier.
 *
 * Steps: one piece of work claims the key, takes one of the rate and settles what is bought; the identity provider gives the
 * buyer's address; a read finds the developer's payment account; the provider makes the session. The account's token is a
 * secret: it is in memory from that read to the call, then wiped. */
#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "common/json.h"
#include "service/api/handlers.h"
#include "service/api/ownership.h"
#include "service/api/payment.h"
#include "service/api/replay.h"
#include "service/provider/clerk.h"
#include "service/store/tiers.h"

enum { MAX_TIER = DREAMD_MAX_NAME, MAX_PRICE_ID = 128 };

struct checkout {
    const char *tier_name; /* as asked for */
    const char *price_id;  /* as asked for; NULL: the tier's own */
    const char *success_url;
    const char *cancel_url;
    bool is_refused; /* by the first piece of work: the answer is prepared and remembered */
    dreamd_tier tier;
    const char *email;    /* NULL: none */
    const char *user_key; /* the publishable key in the user's metadata; NULL: none */
    bool is_own_user;
    dreamd_payment_account account;
};

/* ---- what is asked for ---- */

static bool read_request(dreamd_call *call, struct checkout *checkout)
{
    if (dreamd_call_body(call) == DREAMD_BODY_MALFORMED) {
        dreamd_call_set_error(call, 400, "Invalid JSON body", NULL);
        return false;
    }
    if (!dreamd_call_text(call, "tier", MAX_TIER, "Invalid request", &checkout->tier_name)
        || !dreamd_call_text(call, "priceId", MAX_PRICE_ID, "Invalid request", &checkout->price_id)
        || !dreamd_payment_read_url(call, "successUrl", "/dashboard?success=true", &checkout->success_url)
        || !dreamd_payment_read_url(call, "cancelUrl", "/dashboard?canceled=true", &checkout->cancel_url))
        return false;
    if (!checkout->tier_name)
        checkout->tier_name = "pro";
    return true;
}

/* ---- the first piece of work ---- */

static dreamd_db_status is_price_of_project(dreamd_db *db, const dreamd_call *call, const char *price_id, bool *out)
{
    dreamd_tier *tiers = NULL;
    size_t count = 0;
    dreamd_db_status status = dreamd_tier_list(db, &call->project, call->arena, &tiers, &count);

    *out = false;
    for (size_t i = 0; status == DREAMD_DB_OK && i < count; i++) {
        if (tiers[i].price_id && strcmp(tiers[i].price_id, price_id) == 0)
            *out = true;
    }
    return status;
}

/* Sets the refusal if the tier cannot be bought at this price. */
static dreamd_db_status check_tier(dreamd_db *db, dreamd_call *call, struct checkout *checkout)
{
    bool is_found = false;
    bool is_of_project = false;
    char text[MAX_TIER + MAX_PRICE_ID + 64];
    dreamd_db_status status =
        dreamd_tier_find(db, &call->project, checkout->tier_name, DREAMD_TIER_BY_NAME_OR_DISPLAY_NAME, call->arena,
                         &checkout->tier, &is_found);

    if (status != DREAMD_DB_OK)
        return status;
    if (!is_found || !checkout->tier.price_id) {
        (void)snprintf(text, sizeof text, "No price ID configured for tier: %s", checkout->tier_name);
    } else if (checkout->price_id && strcmp(checkout->price_id, checkout->tier.price_id) != 0) {
        status = is_price_of_project(db, call, checkout->price_id, &is_of_project);
        if (is_of_project)
            (void)snprintf(text, sizeof text, "Price '%s' does not belong to tier: %s", checkout->price_id,
                           checkout->tier_name);
        else
            (void)snprintf(text, sizeof text, "No such price: '%s'", checkout->price_id);
    } else {
        return DREAMD_DB_OK;
    }
    checkout->is_refused = true;
    dreamd_call_set_error(call, 400, text, NULL);
    return status;
}

static dreamd_db_status settle(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct checkout *checkout = call->state;
    dreamd_usage_request request = dreamd_call_usage(call, 1);
    dreamd_usage_result result;
    dreamd_db_status status = dreamd_replay_claim(db, call);

    checkout->is_refused = false;
    if (status != DREAMD_DB_OK || !dreamd_replay_is_fresh(call))
        return status;
    status = dreamd_rate_take(db, &request, &result);
    if (status != DREAMD_DB_OK)
        return status;
    checkout->is_refused = dreamd_call_set_usage_refusal(call, &result);
    if (!checkout->is_refused)
        status = check_tier(db, call, checkout);
    if (status == DREAMD_DB_OK && checkout->is_refused)
        status = dreamd_replay_finish(db, call);
    return status;
}

/* ---- the session ---- */

static void on_session(void *context, const dreamd_upstream_answer *answer, const char *url)
{
    dreamd_call *call = context;

    if (answer->outcome == DREAMD_UPSTREAM_UNAVAILABLE)
        dreamd_call_refuse_upstream(call, answer, NULL);
    else if (answer->outcome != DREAMD_UPSTREAM_OK)
        dreamd_call_refuse(call, 400, answer->message, NULL);
    else
        dreamd_payment_answer_url(call, url);
}

static dreamd_db_status find_account(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct checkout *checkout = call->state;
    dreamd_db_status status = DREAMD_DB_OK;

    checkout->is_own_user = true;
    if (checkout->user_key)
        status = dreamd_is_own_key(db, &call->project, checkout->user_key, &checkout->is_own_user);
    if (status == DREAMD_DB_OK && checkout->is_own_user)
        status = dreamd_payment_find_account(db, call, &call->project, &checkout->account);
    return status;
}

static void on_account(dreamd_call *call)
{
    struct checkout *checkout = call->state;
    char key[65];
    const char *upstream_key = dreamd_replay_upstream_key(call, key) ? key : NULL;
    dreamd_stripe_checkout wanted = {
        .success_url = checkout->success_url,
        .cancel_url = checkout->cancel_url,
        .customer_email = checkout->email,
        .user_id = call->user_id,
        .tier = checkout->tier_name,
        .publishable_key = call->project.publishable_key,
        .price_id = checkout->tier.price_id,
        .is_tax_enabled = call->project.is_tax_enabled,
        .trial_days = checkout->tier.trial_days,
    };
    dreamd_stripe_account account;
    dreamd_stripe_actor actor;

    if (!checkout->is_own_user) {
        dreamd_call_refuse(call, 403, "Publishable key mismatch", "End user does not belong to this project");
        return;
    }
    if (!checkout->account.is_found) {
        dreamd_call_refuse(call, 500, "Developer has not connected their Stripe account", NULL);
        return;
    }
    dreamd_payment_take_account(&checkout->account, &account);
    actor = dreamd_payment_actor(&account, call->project.mode, upstream_key);
    dreamd_stripe_create_checkout(call->service->upstream, &actor, &wanted, on_session, call);
    dream_wipe(&account, sizeof account);
}

static void on_buyer(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;
    struct checkout *checkout = call->state;

    if (answer->outcome == DREAMD_UPSTREAM_UNAVAILABLE) {
        dreamd_call_refuse_upstream(call, answer, NULL);
    } else if (!user) {
        dreamd_call_refuse(call, answer->outcome == DREAMD_UPSTREAM_NOT_FOUND ? 404 : 400, answer->message, NULL);
    } else {
        checkout->email = dream_arena_strdup(call->arena, user->email);
        checkout->user_key = dream_arena_strdup(call->arena, dream_json_string(user->metadata, "publishableKey"));
        dreamd_call_read(call, find_account, on_account);
    }
}

static void on_settled(dreamd_call *call)
{
    const struct checkout *checkout = call->state;

    if (!dreamd_replay_is_fresh(call)) {
        dreamd_replay_set_answer(call);
        dreamd_call_send(call);
    } else if (checkout->is_refused) {
        dreamd_call_send(call);
    } else {
        call->has_claim = call->key != NULL;
        dreamd_clerk_get_user(call->service->upstream, call->project.mode, call->user_id, on_buyer, call);
    }
}

void dreamd_checkout_create(dreamd_call *call)
{
    struct checkout *checkout = dream_arena_alloc(call->arena, sizeof *checkout);

    call->state = checkout;
    if (!checkout)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (!read_request(call, checkout))
        dreamd_call_send(call);
    else
        dreamd_call_write(call, settle, on_settled);
}
