/* SPDX-License-Identifier: Apache-2.0 */
/* subscriptions.h - what users have subscribed to, as told by events that may come twice, late and out of order.
 *
 * Every event is recorded once, with its payload. One about a subscription is applied only if it is newer than what was
 * applied to that subscription before: by the provider's `created` second, then by how far along the type is
 * (checkout < created < updated < deleted, where a created that gives a plan counts as updated). Recording and applying are
 * one transaction.
 * A checkout says less than the subscription's own events: it changes no status that already gives the plan, and one that names
 * no subscription gives way to any that is named. One that is not paid yet, as with a bank debit, gives nothing by itself; the
 * payment in the end completes what is incomplete and revives nothing; its failure makes an active subscription past due.
 * What a checkout took, nothing for a trial, is the amount only until the subscription's own events tell price and interval.
 * An order is sold once, whichever of its checkout's events says first that it is paid.
 * Only active and trialing subscriptions give a plan. When one ends, the customer's stored plan becomes "free", so that an old
 * token naming the paid plan gives nothing. The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_SUBSCRIPTIONS_H
#define DREAMD_SERVICE_STORE_SUBSCRIPTIONS_H

#include <stddef.h>

#include "common/arena.h"
#include "net/db.h"
#include "service/store/model.h"

typedef struct dreamd_subscription {
    const char *user_id;
    const char *subscription_id;    /* "" if the provider named none */
    const char *stripe_customer_id; /* may be NULL */
    const char *plan;               /* NULL = not told */
    const char *status;             /* the provider's own word */
    const char *price_id;           /* may be NULL, as product, currency, cancel reason */
    const char *product_id;
    const char *currency;
    const char *cancel_reason;
    const char *interval;          /* "day", "week", "month" or "year"; NULL = not told */
    int64_t interval_count;        /* of them, between two payments; 0 = not told */
    int64_t amount_minor;          /* for each such time; -1 = not told */
    int64_t current_period_end_ms; /* -1 = not told */
    int64_t canceled_at_ms;        /* -1 = not told, 0 = not canceled (any more) */
} dreamd_subscription;

#define DREAMD_SUBSCRIPTION_INIT                                                                                       \
    {                                                                                                                  \
        .amount_minor = -1, .current_period_end_ms = -1, .canceled_at_ms = -1                                          \
    }

/* A checkout's events: it is done; its money came, or did not, days after. */
#define DREAMD_CHECKOUT_COMPLETED "checkout.session.completed"
#define DREAMD_CHECKOUT_PAID_LATER "checkout.session.async_payment_succeeded"
#define DREAMD_CHECKOUT_NOT_PAID "checkout.session.async_payment_failed"

/* A one-time payment that was made. */
typedef struct dreamd_sale {
    const char *session_id; /* of the checkout */
    int64_t amount_minor;
} dreamd_sale;

typedef struct dreamd_event {
    const char *source; /* "stripe-live", "stripe-test", "clerk-live", "clerk-test", "import" */
    const char *event_id;
    const char *type;                        /* "customer.subscription.updated" */
    int64_t created_s;                       /* the provider's time */
    const char *payload;                     /* as received; may be NULL */
    const dreamd_project *project;           /* NULL: of no project we know; recorded only */
    const dreamd_subscription *subscription; /* NULL: the type has no effect on one; recorded only */
    const dreamd_sale *sale;                 /* NULL: nothing was sold */
    bool is_overtaken; /* the caller, who applies what it says elsewhere, found something newer there */
} dreamd_event;

typedef enum dreamd_event_outcome {
    DREAMD_EVENT_APPLIED,   /* or recorded, if there was nothing to apply */
    DREAMD_EVENT_DUPLICATE, /* seen before; nothing written */
    DREAMD_EVENT_STALE      /* recorded, not applied: something newer was, or the order was sold before */
} dreamd_event_outcome;

/* What applying would answer now; writes nothing. For work that must come first, such as telling the identity provider. */
dreamd_db_status dreamd_event_look(dreamd_db *db, const dreamd_event *event, dreamd_event_outcome *out);
/* Makes the customer if absent. Fields of the subscription that are not told keep what is stored. CONFLICT: the plan is empty
 * or too long. */
dreamd_db_status dreamd_event_apply(dreamd_db *db, const dreamd_event *event, int64_t now_ms,
                                    dreamd_event_outcome *out);

/* The status that an event gives its subscription, which had `before` (NULL: is not known). */
const char *dreamd_subscription_status_after(const dreamd_event *event, const char *before);

/* The one that gives the plan if any does, else the one changed last. Texts live in `arena`. */
dreamd_db_status dreamd_subscription_find(dreamd_db *db, const dreamd_project *project, const char *user_id,
                                          dream_arena *arena, dreamd_subscription *out, bool *out_found);

#endif
