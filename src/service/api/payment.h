/* SPDX-License-Identifier: Apache-2.0 */
/* payment.h - what the endpoints that send a user to a page of the payment provider have in common: where the user comes back
 * to, on whose account the page is made, and the answer that names it. */
#ifndef DREAMD_API_PAYMENT_H
#define DREAMD_API_PAYMENT_H

#include <stdbool.h>

#include "service/api/call.h"
#include "service/provider/stripe.h"
#include "service/store/tenants.h"

/* Reads a return address of the body; absent, it is `default_path` under the request's Origin, if that is allowed, or the
 * frontend. False, with the call's answer prepared (400), if it is not allowed, or absent with no default. */
bool dreamd_payment_read_url(dreamd_call *call, const char *name, const char *default_path, const char **out);

/* The connected account of the call's platform in the call's mode. A secret, in the call's memory from the find to the take. */
typedef struct dreamd_payment_account {
    dreamd_stripe_account stored;
    bool is_found;
} dreamd_payment_account;

/* In store work. */
dreamd_db_status dreamd_payment_find_account(dreamd_db *db, const dreamd_call *call, const dreamd_project *project,
                                             dreamd_payment_account *out);
/* Moves the secret to `out`, which is the caller's to wipe when the provider has been asked: the call and its memory may be
 * gone by then. */
void dreamd_payment_take_account(dreamd_payment_account *account, dreamd_stripe_account *out);
/* Who asks the provider: the account with its own token, or our platform on its behalf. `idempotency_key` NULL: none. */
dreamd_stripe_actor dreamd_payment_actor(const dreamd_stripe_account *account, enum dreamd_mode mode,
                                         const char *idempotency_key);

/* Answers 200 {"url": url}. */
void dreamd_payment_answer_url(dreamd_call *call, const char *url);

#endif
