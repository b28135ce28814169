/* SPDX-License-Identifier: Apache-2.0 */
/* test_answer.c - what refusals mean, with the texts that the hosted service sends. */
#include "lib/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    int http_status;
    const char *body;
    dreamapi_status status;
    const char *server_error;
} rows[] = {
    { 401, "{\"error\":\"Invalid API key\",\"message\":\"API key not found or expired\"}", DREAMAPI_AUTH,
      "Invalid API key: API key not found or expired" },
    { 403, "{\"error\":\"Forbidden\",\"message\":\"This endpoint requires a secret key (backend only)\"}",
      DREAMAPI_FORBIDDEN, "Forbidden: This endpoint requires a secret key (backend only)" },
    { 403, "{\"error\":\"Tier limit reached\",\"usageCount\":5,\"limit\":5}", DREAMAPI_LIMIT, "Tier limit reached" },
    { 403, "{\"error\":\"subscription_expired\",\"message\":\"Renew\"}", DREAMAPI_SUBSCRIPTION_EXPIRED,
      "subscription_expired: Renew" },
    { 404, "{\"error\":\"Not found\"}", DREAMAPI_NOT_FOUND, "Not found" },
    { 400, "{\"message\":\"only a message\"}", DREAMAPI_INVALID, "only a message" },
    { 422, "{}", DREAMAPI_INVALID, "" },
    { 409, "", DREAMAPI_CONFLICT, "" },
    { 429, "{\"error\":\"Rate limit exceeded\"}", DREAMAPI_RATE_LIMITED, "Rate limit exceeded" },
    { 418, "{}", DREAMAPI_INVALID, "" },
    { 405, "{}", DREAMAPI_UNSUPPORTED, "" },
    { 500, "<html>", DREAMAPI_SERVER, "" },
    { 500, "{\"error\":\"Failed to update customer\",\"message\":\"Not Found\"}", DREAMAPI_NOT_FOUND,
      "Failed to update customer: Not Found" },
    { 500, "{\"error\":\"Not Found\"}", DREAMAPI_NOT_FOUND, "Not Found" },
    { 500, "{\"error\":\"No price ID configured for tier: free\"}", DREAMAPI_INVALID,
      "No price ID configured for tier: free" },
    { 500, "{\"error\":\"Too many requests\"}", DREAMAPI_SERVER, "Too many requests" },
    { 403, "{\"error\":\"Not Found\"}", DREAMAPI_FORBIDDEN, "Not Found" },
    { 502, "{}", DREAMAPI_UNAVAILABLE, "" },
    { 503, "[]", DREAMAPI_UNAVAILABLE, "" },
    { 504, "null", DREAMAPI_UNAVAILABLE, "" },
    { 599, "{\"error\":5,\"message\":[]}", DREAMAPI_SERVER, "" },
    { 302, "", DREAMAPI_PROTOCOL, "" },
    { 400, "{\"error\":\"a\\r\\nb\"}", DREAMAPI_INVALID, "a  b" },
};

static void test_answer__rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dreamapi_error error;
        dream_answer_read(rows[i].http_status, rows[i].body, strlen(rows[i].body), &error);
        if (error.status != rows[i].status || strcmp(error.server_error, rows[i].server_error) != 0)
            fail_msg("row %zu: %s, '%s'", i, dreamapi_status_name(error.status), error.server_error);
        assert_int_equal(error.http_status, rows[i].http_status);
    }
}

static const struct {
    const char *body;
    int64_t used;
    int64_t limit;
    int64_t retry_after_ms;
} numbers[] = {
    { "{\"error\":\"Tier limit reached\",\"usageCount\":9,\"limit\":5}", 9, 5, -1 },
    { "{\"error\":\"Tier limit reached\",\"usageCount\":0,\"limit\":0}", 0, 0, -1 },
    { "{\"error\":\"Tier limit reached\",\"limit\":\"unlimited\"}", -1, DREAMAPI_UNLIMITED, -1 },
    { "{\"error\":\"Tier limit reached\",\"usageCount\":-1,\"limit\":\"x\"}", -1, -1, -1 },
    { "{\"error\":\"Tier limit reached\",\"usageCount\":\"9\",\"limit\":1.5}", -1, -1, -1 },
    { "{\"error\":\"other\",\"usageCount\":9,\"limit\":5}", -1, -1, -1 },
    { "{\"error\":\"x\",\"retryAfter\":60}", -1, -1, 60000 },
    { "{\"error\":\"x\",\"retryAfter\":-1}", -1, -1, -1 },
    { "{\"error\":\"x\",\"retryAfter\":1e15}", -1, -1, -1 },
};

static void test_answer__numbers_are_read_where_they_mean_something(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        dreamapi_error error;
        dream_answer_read(403, numbers[i].body, strlen(numbers[i].body), &error);
        assert_int_equal(error.used, numbers[i].used);
        assert_int_equal(error.limit, numbers[i].limit);
        assert_int_equal(error.retry_after_ms, numbers[i].retry_after_ms);
    }
}

static void test_answer__a_long_text_is_cut(void **state)
{
    char body[2000];
    dreamapi_error error;

    (void)state;
    (void)snprintf(body, sizeof(body), "{\"error\":\"%01000d\",\"message\":\"%0900d\"}", 1, 2);
    dream_answer_read(400, body, strlen(body), &error);
    assert_int_equal(strlen(error.server_error), sizeof(error.server_error) - 1);
}

static void test_answer__failures_have_a_status_each(void **state)
{
    (void)state;
    assert_int_equal(dream_answer_of_failure(DREAMAPI_FAILURE_DNS), DREAMAPI_UNAVAILABLE);
    assert_int_equal(dream_answer_of_failure(DREAMAPI_FAILURE_CONNECT), DREAMAPI_UNAVAILABLE);
    assert_int_equal(dream_answer_of_failure(DREAMAPI_FAILURE_TLS), DREAMAPI_TLS);
    assert_int_equal(dream_answer_of_failure(DREAMAPI_FAILURE_TIMEOUT), DREAMAPI_TIMEOUT);
    assert_int_equal(dream_answer_of_failure(DREAMAPI_FAILURE_TOO_LARGE), DREAMAPI_PROTOCOL);
    assert_int_equal(dream_answer_of_failure(DREAMAPI_FAILURE_PROTOCOL), DREAMAPI_PROTOCOL);
    assert_int_equal(dream_answer_of_failure(DREAMAPI_FAILURE_NOMEM), DREAMAPI_NOMEM);
    assert_int_equal(dream_answer_of_failure((dreamapi_failure)999), DREAMAPI_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer__rows),
        cmocka_unit_test(test_answer__numbers_are_read_where_they_mean_something),
        cmocka_unit_test(test_answer__a_long_text_is_cut),
        cmocka_unit_test(test_answer__failures_have_a_status_each),
    };
    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
