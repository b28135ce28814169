/* SPDX-License-Identifier: Apache-2.0 */
/* test_error.c - names of statuses, and what is written into the caller's struct. */
#include "lib/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The numbers are ABI: a change of one of these rows is a break. */
static const struct {
    int number;
    const char *name;
} rows[] = {
    { 0, "DREAMAPI_OK" },
    { 1, "DREAMAPI_INVALID" },
    { 2, "DREAMAPI_NOMEM" },
    { 3, "DREAMAPI_AUTH" },
    { 4, "DREAMAPI_FORBIDDEN" },
    { 5, "DREAMAPI_NOT_FOUND" },
    { 6, "DREAMAPI_CONFLICT" },
    { 7, "DREAMAPI_LIMIT" },
    { 8, "DREAMAPI_RATE_LIMITED" },
    { 9, "DREAMAPI_TIMEOUT" },
    { 10, "DREAMAPI_CANCELLED" },
    { 11, "DREAMAPI_UNAVAILABLE" },
    { 12, "DREAMAPI_OUTCOME_UNKNOWN" },
    { 13, "DREAMAPI_UNSUPPORTED" },
    { 14, "DREAMAPI_TOKEN_REQUIRED" },
    { 15, "DREAMAPI_PROTOCOL" },
    { 16, "DREAMAPI_SUBSCRIPTION_EXPIRED" },
    { 17, "DREAMAPI_TLS" },
    { 18, "DREAMAPI_SERVER" },
    { 19, "DREAMAPI_FORKED" },
    { 20, "DREAMAPI_PENDING" },
    { 21, "DREAMAPI_JOURNAL" },
    { 22, "DREAMAPI_UNKNOWN" },
    { 4711, "DREAMAPI_UNKNOWN" },
};

static void test_error__statuses_keep_their_numbers_and_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(dreamapi_status_name((dreamapi_status)rows[i].number), rows[i].name);
        assert_true(strlen(dreamapi_status_text((dreamapi_status)rows[i].number)) > 0);
    }
}

static void test_error__everything_is_written_whatever_the_memory_held(void **state)
{
    dreamapi_error error;

    (void)state;
    memset(&error, 0xa5, sizeof(error));
    assert_int_equal(dream_error_set(&error, DREAMAPI_TIMEOUT, "n=%d", 5), DREAMAPI_TIMEOUT);
    assert_int_equal(error.status, DREAMAPI_TIMEOUT);
    assert_int_equal(error.http_status, 0);
    assert_int_equal(error.retriable, 0);
    assert_int_equal(error.local, 0);
    assert_int_equal(error.retry_after_ms, -1);
    assert_int_equal(error.used, -1);
    assert_int_equal(error.limit, -1);
    assert_string_equal(error.request_id, "");
    assert_string_equal(error.server_error, "");
    assert_string_equal(error.message, "n=5");
    for (size_t i = 0; i < sizeof(error.reserved); i++)
        assert_int_equal(error.reserved[i], 0);
}

static void test_error__no_struct_is_fine(void **state)
{
    (void)state;
    dream_error_clear(NULL);
    assert_int_equal(dream_error_set(NULL, DREAMAPI_TLS, "x"), DREAMAPI_TLS);
    assert_int_equal(dream_error_refuse(NULL, DREAMAPI_TLS, "x"), DREAMAPI_TLS);
    assert_int_equal(dream_error_nomem(NULL), DREAMAPI_NOMEM);
}

static const struct {
    const char *text;
    const char *copy; /* in 8 bytes */
} copies[] = {
    { "", "" },
    { "abc", "abc" },
    { "1234567", "1234567" },
    { "12345678", "1234567" },
    { "a\r\nb\x7f", "a  b " },
    { "123456\xc3\xa8", "123456" }, /* cut in front of the character */
    { "12345\xc3\xa8", "12345\xc3\xa8" },
    { "12345\xe2\x82\xac", "12345" },
    { "a\xffz", "a?z" },
    { "\xc3", "?" },
};

static void test_error__untrusted_text_is_cleaned_and_cut_between_characters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
        char out[8];
        memset(out, 'x', sizeof(out));
        dream_error_copy_text(out, sizeof(out), copies[i].text);
        assert_string_equal(out, copies[i].copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__statuses_keep_their_numbers_and_names),
        cmocka_unit_test(test_error__everything_is_written_whatever_the_memory_held),
        cmocka_unit_test(test_error__no_struct_is_fine),
        cmocka_unit_test(test_error__untrusted_text_is_cleaned_and_cut_between_characters),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
