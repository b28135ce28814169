/* SPDX-License-Identifier: Apache-2.0 */
/* card.h - checks what a person typed about a card, and decides what it would pay. Nothing of it is kept. Any
 * thread. */
#ifndef SANDBOX_CARD_H
#define SANDBOX_CARD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sandbox_card_check {
    const char *number; /* a sentence about the field, or NULL if it is right; static text */
    const char *expiry;
    const char *code;
    const char *decline;         /* all fields are right, but the bank says no */
    bool is_confirmed_by_holder; /* it pays when the holder has confirmed it (3-D Secure) */
    bool fails_later;            /* it is taken, but nothing can be charged to it */
    bool is_debit;               /* a bank account: the money comes, or fails to, after the checkout is complete */
} sandbox_card_check;

/* What is said when the holder did not confirm. */
extern const char sandbox_card_unconfirmed[];

/* The texts may be NULL. Stripe's test numbers do what they do at Stripe; other numbers that are well formed are
 * declined. An account number of Stripe's for tests of bank debits needs no expiry and no code. */
sandbox_card_check sandbox_card(const char *number, const char *expiry, const char *code, int64_t now_s);

#endif
