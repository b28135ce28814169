/* SPDX-License-Identifier: Apache-2.0 */
/* retry.h - may a try be repeated, when, and is there budget for it? Pure rules
 * without clock or network; the pipeline asks and obeys. */
#ifndef DREAM_LIB_RETRY_H
#define DREAM_LIB_RETRY_H

#include <dreamapi/error.h>
#include <dreamapi/transport.h>
#include <stdbool.h>
#include <stdint.h>

/* What is known after one try that did not succeed. */
typedef struct dream_try {
    int http_status;        /* 0: no complete answer, see failure */
    dreamapi_status status; /* what the answer means (answer.h); unused without one */
    dreamapi_failure failure;
    bool maybe_sent; /* the request may have reached the server */
    bool is_safe;    /* doing it twice is harmless: idempotent, or the server goes by the key */
    bool is_keyed;   /* a POST whose key the server goes by */
    bool has_retry_after;
} dream_try;

typedef enum dream_verdict {
    DREAM_VERDICT_FINAL,   /* the try's own result stands */
    DREAM_VERDICT_UNCLEAR, /* it may have been carried out, and repeating it could do so twice */
    DREAM_VERDICT_AGAIN,   /* after a pause */
    DREAM_VERDICT_AT_ONCE  /* a stale connection: nothing is wrong with the server */
} dream_verdict;

dream_verdict dream_retry_judge(const dream_try *last);

/* The pause before retry number `retry` (0 is the first): a random part of an exponentially growing span.
 * `random` is 32 random bits. Milliseconds. */
int64_t dream_retry_backoff_ms(int retry, uint32_t random);

/* The client's retry budget, so that retries never multiply the load on a service in trouble. In tenths of a retry. */
typedef struct dream_retry_budget {
    int tenths;
} dream_retry_budget;

void dream_retry_budget_init(dream_retry_budget *budget);
void dream_retry_budget_earn(dream_retry_budget *budget);  /* for each first try */
bool dream_retry_budget_spend(dream_retry_budget *budget); /* for each retry; false: none left */

#endif
