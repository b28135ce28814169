/* SPDX-License-Identifier: Apache-2.0 */
/* retry.c - the retry policy as a table. The one rule behind all rows: never
 * repeat what could then be done twice, and never guess about it. */
#include "lib/retry.h"

#include <stddef.h>

enum {
    /* Exponential backoff with full jitter: sleep = random(0, min(cap, base * 2^n)), after Marc Brooker, "Exponential
     * Backoff And Jitter", AWS Architecture Blog, 2015. */
    BACKOFF_BASE_MS = 100,
    BACKOFF_CAP_MS = 5000,
    BUDGET_CAP = 100,
    BUDGET_FIRST_TRY = 1,
    BUDGET_RETRY = 10
};

static const struct {
    int http_status;
    bool needs_retry_after; /* only when the answer names a time */
    bool needs_key;
    dream_verdict if_safe;
    dream_verdict if_not;
} answers[] = {
    /* 429: refused before anything was done. */
    { 429, false, false, DREAM_VERDICT_AGAIN, DREAM_VERDICT_AGAIN },
    /* 409 with Retry-After, to a key: the first try with this key is still being worked on. */
    { 409, true, true, DREAM_VERDICT_AGAIN, DREAM_VERDICT_FINAL },
    { 408, false, false, DREAM_VERDICT_AGAIN, DREAM_VERDICT_FINAL },
    { 500, false, false, DREAM_VERDICT_AGAIN, DREAM_VERDICT_FINAL },
    { 502, false, false, DREAM_VERDICT_AGAIN, DREAM_VERDICT_FINAL },
    { 503, false, false, DREAM_VERDICT_AGAIN, DREAM_VERDICT_FINAL },
    { 504, false, false, DREAM_VERDICT_AGAIN, DREAM_VERDICT_FINAL },
};

static dream_verdict judge_answer(const dream_try *last)
{
    /* The hosted service answers 500 to some mistakes of the caller; answer.c knows which, and they do not heal. */
    if (last->http_status == 500 && last->status != DREAMAPI_SERVER)
        return DREAM_VERDICT_FINAL;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i].http_status != last->http_status)
            continue;
        if ((answers[i].needs_retry_after && !last->has_retry_after) || (answers[i].needs_key && !last->is_keyed))
            return DREAM_VERDICT_FINAL;
        return last->is_safe ? answers[i].if_safe : answers[i].if_not;
    }
    return DREAM_VERDICT_FINAL;
}

static dream_verdict judge_failure(const dream_try *last)
{
    switch (last->failure) {
    case DREAMAPI_FAILURE_TLS:
    case DREAMAPI_FAILURE_NOMEM:
    case DREAMAPI_FAILURE_TOO_LARGE:
        /* Repeating these gives the same; an answer that is too large is an answer all the same. */
        return DREAM_VERDICT_FINAL;
    case DREAMAPI_FAILURE_PROTOCOL:
        return last->maybe_sent && !last->is_safe ? DREAM_VERDICT_UNCLEAR : DREAM_VERDICT_FINAL;
    case DREAMAPI_FAILURE_STALE:
        return last->maybe_sent && !last->is_safe ? DREAM_VERDICT_UNCLEAR : DREAM_VERDICT_AT_ONCE;
    case DREAMAPI_FAILURE_OTHER:
    case DREAMAPI_FAILURE_TIMEOUT:
    case DREAMAPI_FAILURE_DNS:
    case DREAMAPI_FAILURE_CONNECT:
    case DREAMAPI_FAILURE_RESET:
        break;
    }
    return last->maybe_sent && !last->is_safe ? DREAM_VERDICT_UNCLEAR : DREAM_VERDICT_AGAIN;
}

dream_verdict dream_retry_judge(const dream_try *last)
{
    return last->http_status != 0 ? judge_answer(last) : judge_failure(last);
}

int64_t dream_retry_backoff_ms(int retry, uint32_t random)
{
    uint32_t span = BACKOFF_BASE_MS;

    for (int i = 0; i < retry && span < BACKOFF_CAP_MS; i++)
        span *= 2;
    if (span > BACKOFF_CAP_MS)
        span = BACKOFF_CAP_MS;
    return random % (span + 1);
}

void dream_retry_budget_init(dream_retry_budget *budget)
{
    budget->tenths = BUDGET_CAP;
}

void dream_retry_budget_earn(dream_retry_budget *budget)
{
    if (budget->tenths < BUDGET_CAP)
        budget->tenths += BUDGET_FIRST_TRY;
}

bool dream_retry_budget_spend(dream_retry_budget *budget)
{
    if (budget->tenths < BUDGET_RETRY)
        return false;
    budget->tenths -= BUDGET_RETRY;
    return true;
}
