/* SPDX-License-Identifier: Apache-2.0 */
/* test_cors.c - the headers that browsers go by. */
#include "service/api/cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *value_of(const char *origin, const char *name)
{
    const dreamd_constant_header *header = dreamd_cors_headers(origin);

    while (header->name && strcmp(header->name, name) != 0)
        header++;
    return header->value;
}

static void test_cors__allows_any_origin_where_there_is_none_to_echo(void **state)
{
    (void)state;
    assert_string_equal(value_of(NULL, "Access-Control-Allow-Origin"), "*");
    assert_string_equal(value_of("", "Access-Control-Allow-Origin"), "*");
    assert_null(value_of("https://shop.example.test", "Access-Control-Allow-Origin"));
    assert_null(value_of("null", "Access-Control-Allow-Origin"));
}

static void test_cors__has_each_header_once_and_safe_to_send(void **state)
{
    size_t count = 0;

    (void)state;
    for (const dreamd_constant_header *a = dreamd_cors_headers(NULL); a->name; a++, count++) {
        assert_null(strpbrk(a->value, "\r\n"));
        for (const dreamd_constant_header *b = a + 1; b->name; b++)
            assert_string_not_equal(a->name, b->name);
    }
    assert_int_equal(count, 11);
}

static void test_cors__says_what_the_contract_says(void **state)
{
    (void)state;
    assert_string_equal(value_of(NULL, "Access-Control-Allow-Methods"), "GET, POST, PATCH, DELETE, OPTIONS");
    assert_string_equal(value_of(NULL, "Access-Control-Max-Age"), "86400");
    assert_string_equal(value_of(NULL, "X-Frame-Options"), "SAMEORIGIN");
    assert_string_equal(value_of(NULL, "X-Content-Type-Options"), "nosniff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cors__allows_any_origin_where_there_is_none_to_echo),
        cmocka_unit_test(test_cors__has_each_header_once_and_safe_to_send),
        cmocka_unit_test(test_cors__says_what_the_contract_says),
    };

    return cmocka_run_group_tests_name("cors", tests, NULL, NULL);
}
