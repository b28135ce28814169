/* SPDX-License-Identifier: Apache-2.0 */
/* verifier.h - verifies the tokens of one issuer: its keys, how old they may be, when newer ones are worth asking for, and
 * the tokens that passed. It does no I/O: it says when a fetch is due, and is told what came of it. Any thread; one short lock,
 * held over no signature check. In a child after fork it can only be abandoned. */
#ifndef DREAM_COMMON_VERIFIER_H
#define DREAM_COMMON_VERIFIER_H

#include <stdbool.h>

#include "common/token.h"

enum {
    DREAM_KEYS_FRESH_MS = 5 * 60 * 1000,        /* older keys are fetched anew beside their use */
    DREAM_KEYS_USABLE_MS = 24 * 60 * 60 * 1000, /* older ones are not used at all */
    DREAM_KEYS_UNKNOWN_MS = 10 * 1000,          /* a token with an unknown key causes a fetch at most this often */
    DREAM_KEYS_RETRY_MS = 1000                  /* after a failed fetch, with no keys to go on with */
};

typedef struct dream_verifier dream_verifier;

/* One token on its way. */
typedef struct dream_verification {
    const char *token;
    dream_token_rules rules;
    int64_t now_ms; /* monotonic */
    /* The answer. */
    dream_claims *claims; /* owned; NULL unless DREAM_TOKEN_OK */
    bool must_fetch; /* whatever the status: fetch the keys, then call dream_verifier_fetched; nobody else is told to */
    unsigned fetches; /* that had ended: with DREAM_TOKEN_WAIT, try again after the next one */
    char message[DREAM_TOKEN_MESSAGE];
} dream_verification;

/* Keeps up to `tokens` verified ones. With `fixed` keys (a reference is taken) there is never anything to fetch. NULL when out of memory, or when
 * the system has no random numbers. */
dream_verifier *dream_verifier_new(size_t tokens, dream_jwks *fixed);
void dream_verifier_free(dream_verifier *verifier); /* NULL is fine */
/* The same in a forked child: unless a thread of the parent's was at work with it, which leaves its memory half changed and its lock held. */
void dream_verifier_abandon(dream_verifier *verifier);

/* OK, INVALID, FOREIGN, NOMEM, NO_KEYS or WAIT; never waits. */
dream_token_status dream_verifier_try(dream_verifier *verifier, dream_verification *work);
/* The fetch ended: `keys` is taken, NULL if it failed; then `problem` says why. What a key vouched for that is gone or changed
 * is forgotten. */
void dream_verifier_fetched(dream_verifier *verifier, dream_jwks *keys, int64_t now_ms, const char *problem);
/* How many fetches have ended. */
unsigned dream_verifier_fetches(dream_verifier *verifier);

#endif
