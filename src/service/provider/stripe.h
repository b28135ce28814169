/* SPDX-License-Identifier: Apache-2.0 */
/* stripe.h - the calls the service makes to Stripe: form-encoded requests, JSON answers.
 *
 * A call acts for a connected account with that account's own token, or, without one, with the platform's key and a
 * Stripe-Account header. The _wait_ forms are for programs that may block (never call them on a server's thread). */
#ifndef DREAMD_PROVIDER_STRIPE_H
#define DREAMD_PROVIDER_STRIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "service/provider/upstream.h"

enum { DREAMD_STRIPE_ID_SIZE = 128, DREAMD_STRIPE_MAX_LINES = 100 };

/* On whose behalf a call is made; every text is borrowed until the call returns. */
typedef struct dreamd_stripe_actor {
    enum dreamd_mode mode;
    const char *access_token;    /* the connected account's; NULL: the platform's key of the mode */
    const char *account;         /* acct_...; sent only without an access token; NULL: the platform's own account */
    const char *idempotency_key; /* NULL: none */
} dreamd_stripe_actor;

typedef struct dreamd_stripe_checkout {
    const char *success_url;
    const char *cancel_url;
    const char *customer_email; /* NULL or "": left out */
    const char *user_id;
    const char *tier;
    const char *publishable_key;
    const char *price_id;
    bool is_tax_enabled;
    int64_t trial_days; /* 0 or less: none */
} dreamd_stripe_checkout;

/* `url` is where the buyer pays; NULL unless the outcome is OK; borrowed until the callback returns. */
typedef void dreamd_stripe_url_fn(void *context, const dreamd_upstream_answer *answer, const char *url);

/* POST /v1/checkout/sessions, mode subscription. */
void dreamd_stripe_create_checkout(dreamd_upstream *upstream, const dreamd_stripe_actor *actor,
                                   const dreamd_stripe_checkout *checkout, dreamd_stripe_url_fn *fn, void *context);

typedef struct dreamd_stripe_line {
    const char *price_id;
    int64_t quantity;
} dreamd_stripe_line;

typedef struct dreamd_stripe_order {
    const char *success_url;
    const char *cancel_url;
    const char *customer_email;  /* NULL: left out */
    const char *publishable_key; /* metadata */
    const char *platform_id;     /* metadata */
    const dreamd_stripe_line *lines;
    size_t count;
    bool is_tax_enabled;
} dreamd_stripe_order;

/* POST /v1/checkout/sessions, mode payment. */
void dreamd_stripe_create_order(dreamd_upstream *upstream, const dreamd_stripe_actor *actor,
                                const dreamd_stripe_order *order, dreamd_stripe_url_fn *fn, void *context);
/* POST /v1/billing_portal/sessions. */
void dreamd_stripe_create_portal(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *customer_id,
                                 const char *return_url, dreamd_stripe_url_fn *fn, void *context);

/* `lines` and their texts are borrowed until the callback returns; NULL unless the outcome is OK. */
typedef void dreamd_stripe_lines_fn(void *context, const dreamd_upstream_answer *answer,
                                    const dreamd_stripe_line *lines, size_t count);

/* GET /v1/checkout/sessions/{id}/line_items: what was sold. A session of ours has at most DREAMD_STRIPE_MAX_LINES of them, which is
 * one page. */
void dreamd_stripe_get_lines(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *session_id,
                             dreamd_stripe_lines_fn *fn, void *context);

typedef struct dreamd_stripe_product {
    const char *name;
    const char *description; /* NULL: none */
    const char *image_url;   /* NULL: none */
    const char *platform_id; /* metadata */
    const char *tier_name;   /* metadata */
    int64_t limit;           /* metadata; 0 stands for unlimited */
} dreamd_stripe_product;

typedef struct dreamd_stripe_price {
    const char *product_id;
    int64_t unit_amount; /* minor units of usd */
    bool is_recurring;   /* monthly; else one-off */
} dreamd_stripe_price;

/* Each makes one object, waits for the answer (at most DREAMD_UPSTREAM_TIMEOUT_MS) and gives its id.
 * False with a sentence in `error`. */
bool dreamd_stripe_wait_account(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *email,
                                char out_id[DREAMD_STRIPE_ID_SIZE], char error[256]);
bool dreamd_stripe_wait_product(dreamd_upstream *upstream, const dreamd_stripe_actor *actor,
                                const dreamd_stripe_product *product, char out_id[DREAMD_STRIPE_ID_SIZE],
                                char error[256]);
bool dreamd_stripe_wait_price(dreamd_upstream *upstream, const dreamd_stripe_actor *actor,
                              const dreamd_stripe_price *price, char out_id[DREAMD_STRIPE_ID_SIZE], char error[256]);

#endif
