/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_event.h - reads a Stripe event into what the service does about it. Reading only: what is true, new or allowed
 * is webhook_stripe.c's to find out. */
#ifndef DREAMD_API_WEBHOOK_EVENT_H
#define DREAMD_API_WEBHOOK_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json.h"
#include "service/store/subscriptions.h"

typedef enum dreamd_stripe_kind {
    DREAMD_STRIPE_OTHER,    /* recorded only */
    DREAMD_STRIPE_CHECKOUT, /* a checkout of a subscription: completed, or paid or not paid in the end */
    DREAMD_STRIPE_ORDER,    /* a checkout of a one-time payment that names a project, now paid */
    DREAMD_STRIPE_CHANGED,  /* customer.subscription.created and .updated */
    DREAMD_STRIPE_ENDED     /* customer.subscription.deleted */
} dreamd_stripe_kind;

typedef struct dreamd_stripe_event {
    const char *id;
    const char *type;
    const char *account; /* the connected account; NULL: the platform's own */
    int64_t created_s;
    bool is_live;
    dreamd_stripe_kind kind;
    dreamd_sale sale;                 /* of an ORDER */
    const char *user_id;              /* NULL for OTHER and ORDER */
    const char *tier;                 /* NULL for OTHER and ORDER, may be NULL for ENDED */
    const char *publishable_key;      /* of the metadata; NULL: none */
    dreamd_subscription subscription; /* of the rest; plan is left NULL */
} dreamd_stripe_event;

/* Texts are borrowed from `json`. NULL, or why the event is refused (the answer's `error`). */
const char *dreamd_stripe_event_read(const cJSON *json, dreamd_stripe_event *out);

#endif
