/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - what the backend offers: the part to make your own. A user is whoever a verified token names; what they may do is the
 * meter's to say; who has used up their plan is told where to get more. */
#include "routes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The user's bearer token, as the front end has it from the identity provider; NULL, with the answer filled, if it is not good. */
static dreamapi_token *signed_in(const struct shop *shop, const http_request *request, http_answer *answer)
{
    const char *header = http_header(request, "Authorization");
    dreamapi_token_params params = DREAMAPI_TOKEN_PARAMS_INIT;
    dreamapi_token *token = NULL;
    dreamapi_error error;
    if (!header || strncasecmp(header, "Bearer ", 7) != 0) {
        http_refuse(answer, 401, "Sign in first.");
        return NULL;
    }
    params.issuer = shop->token_issuer;
    switch (dreamapi_token_verify(shop->client, header + 7, &params, NULL, &token, &error)) {
    case DREAMAPI_OK:
        break;
    case DREAMAPI_AUTH:
        http_refuse(answer, 401, "Sign in again.");
        break;
    case DREAMAPI_FORBIDDEN:
        http_refuse(answer, 403, "This sign-in is for another product.");
        break;
    default: /* no keys at the moment: that says nothing about the token */
        fprintf(stderr, "token: %s\n", error.message);
        http_refuse(answer, 503, "Nobody can be signed in at the moment.");
        answer->retry_after_ms = 1000;
    }
    return token;
}

/* A call that failed, in words for the user; the reason goes to the log. */
static void refuse_call(http_answer *answer, const dreamapi_error *error)
{
    fprintf(stderr, "%s: %s (request %s)\n", dreamapi_status_name(error->status), error->message, error->request_id);
    switch (error->status) {
    case DREAMAPI_NOT_FOUND:
        http_refuse(answer, 403, "You are no customer of ours.");
        break;
    case DREAMAPI_RATE_LIMITED:
        http_refuse(answer, 429, "Too many requests.");
        break;
    default:
        http_refuse(answer, 503, "This does not work at the moment.");
    }
    answer->retry_after_ms = error->retry_after_ms > 0 ? error->retry_after_ms : 0;
}

/* ---- GET /me: who is signed in ---- */

static void me(const struct shop *shop, const http_request *request, http_answer *answer)
{
    dreamapi_token *token = signed_in(shop, request, answer);
    if (!token)
        return;
    http_add_text(answer, "user", dreamapi_token_user_id(token));
    http_add_text(answer, "email", dreamapi_token_email(token));
    http_add_text(answer, "plan", dreamapi_token_plan(token)); /* as of the sign-in; a meter knows better */
    dreamapi_token_free(token);
}

/* ---- POST /answer: one unit of the plan a request ---- */

static void add_plan(http_answer *answer, const dreamapi_decision *decision)
{
    http_add_text(answer, "plan", decision->plan);
    http_add_number(answer, "used", decision->used);
    http_add_number(answer, "limit", decision->limit); /* null: without one */
    http_add_number(answer, "remaining", decision->remaining);
}

static void refuse_use(http_answer *answer, const dreamapi_decision *decision)
{
    switch (decision->reason) {
    case DREAMAPI_REASON_LIMIT: /* only more units help, not patience */
        http_refuse(answer, 402, "Your plan is used up for this period.");
        add_plan(answer, decision);
        http_add_text(answer, "upgrade", "/upgrade");
        return;
    case DREAMAPI_REASON_RATE:
    case DREAMAPI_REASON_HELD:
        http_refuse(answer, 429, "Too many requests.");
        add_plan(answer, decision);
        http_add_text(answer, "upgrade", "/upgrade");
        break;
    case DREAMAPI_REASON_NO_CUSTOMER:
        http_refuse(answer, 403, "You are no customer of ours.");
        return;
    default:
        fprintf(stderr, "meter: reason %d\n", (int)decision->reason);
        http_refuse(answer, 503, "This does not work at the moment.");
    }
    answer->retry_after_ms = decision->retry_after_ms > 0 ? decision->retry_after_ms : 1000;
}

static void answer_question(const struct shop *shop, const http_request *request, http_answer *answer)
{
    dreamapi_decision decision;
    dreamapi_token *token = signed_in(shop, request, answer);
    if (!token)
        return;
    /* Nanoseconds from a lease; a user's first use asks the service and may wait two seconds for it. */
    if (dreamapi_client_use(shop->client, dreamapi_token_user_id(token), NULL, 1, &decision) == DREAMAPI_OK) {
        http_add_number(answer, "answer", 42); /* the product */
        add_plan(answer, &decision);
    } else {
        refuse_use(answer, &decision);
    }
    dreamapi_token_free(token);
}

/* ---- POST /upgrade: the page where more is paid for ---- */

static int is_subscription(const dreamapi_tier *tier)
{
    const char *mode = dreamapi_tier_billing_mode(tier);
    return !mode || strcmp(mode, "one_off") != 0;
}

/* -1 for a plan that is sold no longer: somebody may be paying for it. */
static int64_t price_of(const dreamapi_tiers *tiers, const char *plan)
{
    for (size_t i = 0; i < dreamapi_tiers_count(tiers); i++) {
        const dreamapi_tier *tier = dreamapi_tiers_at(tiers, i);
        if (strcasecmp(dreamapi_tier_id(tier), plan) == 0)
            return dreamapi_tier_price(tier);
    }
    return -1;
}

/* The cheapest plan above this price; NULL: there is none. */
static const char *next_tier(const dreamapi_tiers *tiers, int64_t price)
{
    const dreamapi_tier *next = NULL;
    for (size_t i = 0; i < dreamapi_tiers_count(tiers); i++) {
        const dreamapi_tier *tier = dreamapi_tiers_at(tiers, i);
        if (is_subscription(tier) && dreamapi_tier_price(tier) > price
            && (!next || dreamapi_tier_price(tier) < dreamapi_tier_price(next)))
            next = tier;
    }
    return next ? dreamapi_tier_id(next) : NULL;
}

/* Sells `tier` to a user who pays nothing yet. */
static void offer_checkout(const struct shop *shop, const char *user, const char *tier, http_answer *answer)
{
    dreamapi_checkout_params params = DREAMAPI_CHECKOUT_PARAMS_INIT;
    dreamapi_checkout *checkout = NULL;
    dreamapi_error error;
    params.user_id = user;
    params.tier = tier;
    /* The addresses to return to are left to the service: its FRONTEND_URL. */
    if (dreamapi_checkout_create(shop->client, &params, NULL, &checkout, &error) == DREAMAPI_OK) {
        answer->status = 201;
        http_add_text(answer, "tier", tier);
        http_add_text(answer, "url", dreamapi_checkout_url(checkout));
    } else {
        refuse_call(answer, &error);
    }
    dreamapi_checkout_free(checkout);
}

/* A second checkout would be a second subscription: who pays already changes plans on the portal's page. */
static void offer_portal(const struct shop *shop, const char *user, http_answer *answer)
{
    dreamapi_portal_params params = DREAMAPI_PORTAL_PARAMS_INIT;
    dreamapi_portal *portal = NULL;
    dreamapi_error error;
    params.user_id = user;
    if (dreamapi_portal_create(shop->client, &params, NULL, &portal, &error) == DREAMAPI_OK) {
        answer->status = 201;
        http_add_text(answer, "url", dreamapi_portal_url(portal));
    } else {
        refuse_call(answer, &error);
    }
    dreamapi_portal_free(portal);
}

static void upgrade(const struct shop *shop, const http_request *request, http_answer *answer)
{
    dreamapi_token *token = signed_in(shop, request, answer);
    dreamapi_usage *usage = NULL;
    dreamapi_tiers *tiers = NULL;
    dreamapi_error error;
    if (!token)
        return;
    const char *user = dreamapi_token_user_id(token);
    /* The service's word on the plan: the token's is as old as the token. */
    if (dreamapi_usage_get(shop->client, user, NULL, &usage, &error) != DREAMAPI_OK
        || dreamapi_tier_list(shop->client, NULL, &tiers, &error) != DREAMAPI_OK) {
        refuse_call(answer, &error);
        goto done;
    }
    int64_t price = price_of(tiers, dreamapi_usage_plan(usage));
    const char *tier = next_tier(tiers, price);
    if (!tier)
        http_refuse(answer, 409, "You have the largest plan.");
    else if (price != 0)
        offer_portal(shop, user, answer);
    else
        offer_checkout(shop, user, tier, answer);
done:
    dreamapi_tiers_free(tiers);
    dreamapi_usage_free(usage);
    dreamapi_token_free(token);
}

/* ---- POST /webhooks/stripe: what Stripe tells ---- */

/* What happened, as Stripe's JSON. Here it is a line in the log. A real program parses it, and in one transaction of its database
 * acts on it and remembers its id, as Stripe may send an event twice. Plans need nothing: the service hears of payments itself. */
static void on_event(const char *body, size_t size)
{
    (void)body;
    printf("event of %zu bytes\n", size);
}

static void webhook(const struct shop *shop, const http_request *request, http_answer *answer)
{
    dreamapi_webhook_params params = DREAMAPI_WEBHOOK_PARAMS_INIT;
    dreamapi_error error;
    if (!shop->webhook_secrets[0]) {
        http_refuse(answer, 404, "No events are taken here.");
        return;
    }
    params.scheme = DREAMAPI_WEBHOOK_STRIPE;
    params.signature = http_header(request, "Stripe-Signature");
    params.body = request->body;
    params.body_size = request->body_size;
    params.secrets = shop->webhook_secrets;
    params.replays = shop->replays;
    switch (dreamapi_webhook_verify(&params, &error)) {
    case DREAMAPI_OK:
        on_event(request->body, request->body_size);
        break;
    case DREAMAPI_CONFLICT: /* taken before */
        break;
    case DREAMAPI_PROTOCOL:
    case DREAMAPI_AUTH:
    case DREAMAPI_TIMEOUT:
        http_refuse(answer, 400, "This is not signed as it should be.");
        break;
    case DREAMAPI_UNAVAILABLE: /* too many at once: Stripe comes again */
        http_refuse(answer, 503, "Too many events.");
        break;
    default:
        fprintf(stderr, "webhook: %s\n", error.message);
        http_refuse(answer, 500, "This does not work at the moment.");
    }
}

/* ---- the table ---- */

static void health(const struct shop *shop, const http_request *request, http_answer *answer)
{
    (void)shop;
    (void)request;
    http_add_text(answer, "status", "ok");
}

static const struct route {
    const char *method;
    const char *path;
    void (*serve)(const struct shop *shop, const http_request *request, http_answer *answer);
} routes[] = {
    { "GET", "/health", health },
    { "GET", "/me", me },
    { "POST", "/answer", answer_question },
    { "POST", "/upgrade", upgrade },
    { "POST", "/webhooks/stripe", webhook },
};

void shop_serve(void *context, const http_request *request, http_answer *answer)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(request->path, routes[i].path) != 0)
            continue;
        if (strcmp(request->method, routes[i].method) == 0)
            routes[i].serve(context, request, answer);
        else
            http_refuse(answer, 405, "This address takes another method.");
        return;
    }
    http_refuse(answer, 404, "There is nothing here.");
}
