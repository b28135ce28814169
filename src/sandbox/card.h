/* SPDX-License-Identifier: Apache-2.0 */
/* card.h - checks what a person typed about a card, and decides what it would pay. Nothing of it is kept. Any thread. */
#ifndef SANDBOX_CARD_H
#define SANDBOX_CARD_H

#include <stdint.h>

typedef struct sandbox_card_check {
    const char *number; /* a sentence about the field, or NULL if it is right; static text */
    const char *expiry;
    const char *code;
    const char *decline; /* all fields are right, but the bank says no */
} sandbox_card_check;

/* The texts may be NULL. Only 4242 4242 4242 4242 pays; other numbers that are well formed are declined. */
sandbox_card_check sandbox_card(const char *number, const char *expiry, const char *code, int64_t now_s);

#endif
