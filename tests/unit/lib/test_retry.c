/* SPDX-License-Identifier: Apache-2.0 */
/* test_retry.c - the retry policy, row by row; the pauses; the budget. */
#include "lib/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define FINAL DREAM_VERDICT_FINAL
#define UNCLEAR DREAM_VERDICT_UNCLEAR
#define AGAIN DREAM_VERDICT_AGAIN
#define AT_ONCE DREAM_VERDICT_AT_ONCE

static const struct {
    int http_status;
    dreamapi_status status;
    bool has_retry_after;
    dream_verdict idempotent;
    dream_verdict keyed;
    dream_verdict unkeyed; /* a POST to a server that ignores keys */
} answers[] = {
    { 400, DREAMAPI_INVALID, false, FINAL, FINAL, FINAL },
    { 401, DREAMAPI_AUTH, false, FINAL, FINAL, FINAL },
    { 403, DREAMAPI_LIMIT, false, FINAL, FINAL, FINAL },
    { 404, DREAMAPI_NOT_FOUND, false, FINAL, FINAL, FINAL },
    { 408, DREAMAPI_UNAVAILABLE, false, AGAIN, AGAIN, FINAL },
    { 409, DREAMAPI_CONFLICT, false, FINAL, FINAL, FINAL },
    { 409, DREAMAPI_CONFLICT, true, FINAL, AGAIN, FINAL },
    { 422, DREAMAPI_INVALID, true, FINAL, FINAL, FINAL },
    { 429, DREAMAPI_RATE_LIMITED, true, AGAIN, AGAIN, AGAIN },
    { 429, DREAMAPI_RATE_LIMITED, false, AGAIN, AGAIN, AGAIN },
    { 500, DREAMAPI_SERVER, false, AGAIN, AGAIN, FINAL },
    { 500, DREAMAPI_NOT_FOUND, false, FINAL, FINAL, FINAL },
    { 501, DREAMAPI_UNSUPPORTED, false, FINAL, FINAL, FINAL },
    { 502, DREAMAPI_UNAVAILABLE, false, AGAIN, AGAIN, FINAL },
    { 503, DREAMAPI_UNAVAILABLE, true, AGAIN, AGAIN, FINAL },
    { 504, DREAMAPI_UNAVAILABLE, false, AGAIN, AGAIN, FINAL },
    { 302, DREAMAPI_PROTOCOL, false, FINAL, FINAL, FINAL },
};

static dream_verdict judge_answer(size_t row, bool is_safe, bool is_keyed)
{
    dream_try last = { 0 };

    last.http_status = answers[row].http_status;
    last.status = answers[row].status;
    last.has_retry_after = answers[row].has_retry_after;
    last.maybe_sent = true;
    last.is_safe = is_safe;
    last.is_keyed = is_keyed;
    return dream_retry_judge(&last);
}

static void test_retry__answers_are_judged_by_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (judge_answer(i, true, false) != answers[i].idempotent || judge_answer(i, true, true) != answers[i].keyed
            || judge_answer(i, false, false) != answers[i].unkeyed)
            fail_msg("row %zu, HTTP %d", i, answers[i].http_status);
    }
}

static const struct {
    dreamapi_failure failure;
    bool maybe_sent;
    dream_verdict safe;
    dream_verdict unsafe;
} failures[] = {
    { DREAMAPI_FAILURE_DNS, false, AGAIN, AGAIN },       { DREAMAPI_FAILURE_CONNECT, false, AGAIN, AGAIN },
    { DREAMAPI_FAILURE_CONNECT, true, AGAIN, UNCLEAR },  { DREAMAPI_FAILURE_TIMEOUT, false, AGAIN, AGAIN },
    { DREAMAPI_FAILURE_TIMEOUT, true, AGAIN, UNCLEAR },  { DREAMAPI_FAILURE_RESET, false, AGAIN, AGAIN },
    { DREAMAPI_FAILURE_RESET, true, AGAIN, UNCLEAR },    { DREAMAPI_FAILURE_OTHER, false, AGAIN, AGAIN },
    { DREAMAPI_FAILURE_OTHER, true, AGAIN, UNCLEAR },    { DREAMAPI_FAILURE_STALE, true, AT_ONCE, UNCLEAR },
    { DREAMAPI_FAILURE_STALE, false, AT_ONCE, AT_ONCE }, { DREAMAPI_FAILURE_PROTOCOL, true, FINAL, UNCLEAR },
    { DREAMAPI_FAILURE_TLS, false, FINAL, FINAL },       { DREAMAPI_FAILURE_TOO_LARGE, true, FINAL, FINAL },
    { DREAMAPI_FAILURE_NOMEM, true, FINAL, FINAL },      { (dreamapi_failure)999, true, AGAIN, UNCLEAR },
};

static void test_retry__failures_are_judged_by_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        dream_try last = { 0 };
        last.failure = failures[i].failure;
        last.maybe_sent = failures[i].maybe_sent;
        if (dream_retry_judge(&last) != failures[i].unsafe)
            fail_msg("row %zu, unsafe", i);
        last.is_safe = true;
        if (dream_retry_judge(&last) != failures[i].safe)
            fail_msg("row %zu, safe", i);
    }
}

static void test_retry__pauses_grow_from_100_ms_to_5_s_and_are_random_below(void **state)
{
    static const int64_t spans[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };

    (void)state;
    for (int i = 0; i < (int)(sizeof(spans) / sizeof(spans[0])); i++) {
        assert_int_equal(dream_retry_backoff_ms(i, 0), 0);
        assert_int_equal(dream_retry_backoff_ms(i, (uint32_t)spans[i]), spans[i]);
        assert_int_equal(dream_retry_backoff_ms(i, (uint32_t)spans[i] + 1), 0);
        assert_true(dream_retry_backoff_ms(i, 0xffffffff) <= spans[i]);
    }
    assert_true(dream_retry_backoff_ms(100, 0xdeadbeef) <= 5000);
}

static void test_retry__budget_holds_ten_retries_and_earns_one_in_ten_first_tries(void **state)
{
    dream_retry_budget budget;

    (void)state;
    dream_retry_budget_init(&budget);
    for (int i = 0; i < 50; i++)
        dream_retry_budget_earn(&budget); /* full stays full */
    for (int i = 0; i < 10; i++)
        assert_true(dream_retry_budget_spend(&budget));
    assert_false(dream_retry_budget_spend(&budget));
    for (int i = 0; i < 9; i++)
        dream_retry_budget_earn(&budget);
    assert_false(dream_retry_budget_spend(&budget));
    dream_retry_budget_earn(&budget);
    assert_true(dream_retry_budget_spend(&budget));
    assert_false(dream_retry_budget_spend(&budget));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry__answers_are_judged_by_the_table),
        cmocka_unit_test(test_retry__failures_are_judged_by_the_table),
        cmocka_unit_test(test_retry__pauses_grow_from_100_ms_to_5_s_and_are_random_below),
        cmocka_unit_test(test_retry__budget_holds_ten_retries_and_earns_one_in_ten_first_tries),
    };
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
