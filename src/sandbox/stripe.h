/* SPDX-License-Identifier: Apache-2.0 */
/* stripe.h - the Stripe side: the API of one mode, the platform's own account and its connected ones.
 *
 * A document is the object the API shows; members whose name begins with an underscore are the sandbox's own and are
 * left out of answers and events. Kinds are the objects' own names, plus "token" (id: SHA-256 of a connected account's
 * key; parent: the account) and "portal" (a portal session; id: the secret in its address; parent: the customer).
 * Accounts and tokens lie in the platform's account, everything else in the account it belongs to. */
#ifndef SANDBOX_STRIPE_H
#define SANDBOX_STRIPE_H

#include "sandbox/call.h"
#include "sandbox/card.h"

#define STRIPE_API_VERSION "2025-09-30.clover"

/* A dreamd_http_handler; `context` is the sandbox_instance. */
void stripe_handle(void *context, dreamd_request *request);

/* ---- refusals ---- */

/* 400 invalid_request_error. `code` and `param` may be NULL. */
void stripe_refuse(sandbox_call *call, const char *code, const char *param, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void stripe_error(sandbox_call *call, unsigned status, const char *type, const char *code, const char *param,
                  const char *message);

/* ---- kinds of object that are fetched and listed ---- */

typedef enum stripe_match {
    STRIPE_MATCH_PARENT, /* the document's parent */
    STRIPE_MATCH_LOOKUP,
    STRIPE_MATCH_TEXT,
    STRIPE_MATCH_FLAG,
    STRIPE_MATCH_TIME, /* a time, or bounds [gt] [gte] [lt] [lte] */
    STRIPE_MATCH_ANY   /* one of several texts */
} stripe_match;

typedef struct stripe_filter {
    const char *param;
    const char *member; /* of the document */
    stripe_match match;
} stripe_filter;

typedef struct stripe_resource {
    const char *kind;
    const char *param; /* what an error calls the id in the path */
    const char *url;   /* of the list */
    const stripe_filter *filters;
    size_t filter_count;
    /* Further conditions of a list; may be NULL. */
    bool (*is_listed)(sandbox_call *call, const cJSON *object);
} stripe_resource;

extern const stripe_resource stripe_account, stripe_customer, stripe_product, stripe_price, stripe_session,
    stripe_subscription, stripe_invoice, stripe_event, stripe_payment_intent, stripe_portal_configuration;

/* The object of the path; answers 404 and gives NULL if there is none. Not for objects that may be deleted. */
cJSON *stripe_read(sandbox_call *call, const stripe_resource *resource);
/* "No such price: 'x'": 404 for an id of the path (param NULL), 400 for one in a parameter. */
void stripe_no_such(sandbox_call *call, const stripe_resource *resource, const char *id, const char *param);
bool stripe_is_deleted(const cJSON *object);

/* ---- parameters ---- */
/* `from` is call->params or a table in it, `prefix` its name in errors (NULL at the top): line_items[0]. All refuse
 * the call when the value is wrong and give the fallback then. */

char *stripe_param_name(sandbox_call *call, const char *prefix, const char *name);
/* NULL if absent. An empty text is refused, unless the member may be unset: see stripe_set_text. */
const char *stripe_text(sandbox_call *call, const cJSON *from, const char *prefix, const char *name);
const char *stripe_required_text(sandbox_call *call, const cJSON *from, const char *prefix, const char *name);
bool stripe_has(const cJSON *from, const char *name); /* given, and not as an empty text */
int64_t stripe_int(sandbox_call *call, const cJSON *from, const char *prefix, const char *name, int64_t fallback,
                   int64_t min, int64_t max);
bool stripe_flag(sandbox_call *call, const cJSON *from, const char *prefix, const char *name, bool fallback);
/* A table; NULL if absent. */
const cJSON *stripe_table(sandbox_call *call, const cJSON *from, const char *prefix, const char *name);
/* Refuses names in a table that are not in the list of names, each followed by a blank. */
bool stripe_check_names(sandbox_call *call, const cJSON *from, const char *prefix, const char *names);
/* An http or https address. */
const char *stripe_url(sandbox_call *call, const char *name, bool is_required);
/* Copies a text parameter into the object; an empty one unsets it (null). Absent: unchanged. */
void stripe_set_text(sandbox_call *call, const cJSON *from, cJSON *object, const char *name);
void stripe_set_flag(sandbox_call *call, const cJSON *from, cJSON *object, const char *name);
/* Merges metadata into the object: an empty value removes a key, empty metadata all of them. */
void stripe_set_metadata(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *object);

/* ---- answers ---- */

/* The object as the API shows it, with what `expand` asks for. */
void stripe_answer(sandbox_call *call, const cJSON *object);
/* Replaces the ids that expand[] names by their objects; refuses the call where that cannot be. */
void stripe_expand(sandbox_call *call, cJSON *object);
/* A copy without the sandbox's own members. */
cJSON *stripe_public(sandbox_call *call, const cJSON *object);
/* A list object of all of an array. */
cJSON *stripe_list_of(sandbox_call *call, const cJSON *array, const char *url);

/* ---- objects ---- */

/* A new object from its skeleton, with id, created and livemode. */
cJSON *stripe_new(sandbox_call *call, const char *skeleton, const char *prefix, size_t size);
/* Keeps a new or changed object; parent and lookup may be NULL. */
void stripe_insert(sandbox_call *call, const cJSON *object, const char *parent, const char *lookup);
void stripe_update(sandbox_call *call, const cJSON *object, const char *parent, const char *lookup);
/* Notes that something happened: an event, and its delivery if webhooks get this type. `previous` (may be NULL) holds
 * the former values of what changed. */
void stripe_emit(sandbox_call *call, const char *type, const cJSON *object, const cJSON *previous);
/* The same, with `before` a copy made before the change: finds out what differs. */
void stripe_emit_change(sandbox_call *call, const char *type, const cJSON *before, const cJSON *object);

/* Makes a price for `product` from the parameters in `from`; NULL, and the call refused, if they are wrong. */
cJSON *stripe_make_price(sandbox_call *call, const cJSON *from, const char *prefix, const cJSON *product);
/* A customer who is known by nothing but an address, as checkout makes them. */
cJSON *stripe_make_customer(sandbox_call *call, const char *email);
cJSON *stripe_make_product(sandbox_call *call, const cJSON *from, const char *prefix);

/* `count` intervals ("day", "week", "month", "year") later; the day is clamped to the month's end. */
int64_t stripe_add_interval(int64_t from_s, const char *interval, int64_t count);
/* Makes customer, subscription and invoice, or the payment, completes the session and emits the events. The caller has
 * checked the card (NULL: a good one); one that `fails_later` makes the subscription's next invoice fail. What is debited from a bank
 * account is open when the session completes; the bank answers right after. */
void stripe_complete_session(sandbox_call *call, cJSON *session, const char *email, const sandbox_card_check *card);
/* Invoices a subscription's items for the period that begins now; charges the card, unless that fails: the
 * subscription is past due then. The caller saves the subscription and tells of it. */
void stripe_bill(sandbox_call *call, cJSON *subscription);
/* A subscription item; `quantity` may be NULL (1). */
cJSON *stripe_make_item(sandbox_call *call, const cJSON *subscription, const cJSON *price, const cJSON *quantity);
/* What the customer does in the portal, each saved and told of as if it came through the API. */
void stripe_subscription_end(sandbox_call *call, cJSON *subscription); /* now, unless it is over already */
void stripe_subscription_end_later(sandbox_call *call, cJSON *subscription, bool is_wanted, const char *feedback);
void stripe_subscription_switch(sandbox_call *call, cJSON *subscription, const cJSON *price, bool ends_trial);
/* Whether moving to a price begins a new period, billed at once: another interval, or the end of what was free. */
bool stripe_subscription_restarts(const cJSON *subscription, const cJSON *from_price, const cJSON *to_price);
/* The reasons a customer may choose from, each followed by a blank. */
extern const char stripe_feedbacks[];
bool stripe_session_is(const cJSON *session, const char *status);
/* Writes the end of a session whose time is over, as seen now. */
void stripe_session_settle(sandbox_call *call, cJSON *session);

/* handlers */
sandbox_handler stripe_get, stripe_list;
sandbox_handler stripe_account_create, stripe_account_own;
sandbox_handler stripe_customer_create, stripe_customer_update, stripe_customer_delete;
sandbox_handler stripe_product_create, stripe_product_update, stripe_price_create, stripe_price_update;
sandbox_handler stripe_session_create, stripe_session_get, stripe_session_expire, stripe_session_line_items;
sandbox_handler stripe_subscription_update, stripe_subscription_cancel;
sandbox_handler stripe_event_get;
sandbox_handler stripe_portal_configuration_create, stripe_portal_configuration_update, stripe_portal_session_create;
sandbox_handler portal_page_show, portal_page_cancel_show, portal_page_cancel, portal_page_resume,
    portal_page_plan_show, portal_page_plan;
sandbox_handler pay_page_show, pay_page_submit, pay_page_confirm_show, pay_page_confirm;

#endif
