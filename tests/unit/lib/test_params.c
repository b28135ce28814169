/* SPDX-License-Identifier: Apache-2.0 */
/* test_params.c - structs of callers compiled against older and newer headers. */
#include "lib/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct today {
    size_t struct_size;
    int a;
    int b;
};

struct tomorrow {
    struct today today;
    int c;
};

static void test_params__null_is_all_zero(void **state)
{
    struct today out;

    (void)state;
    memset(&out, 0xff, sizeof(out));
    assert_int_equal(dream_params_copy(NULL, &out, sizeof(out), NULL), DREAMAPI_OK);
    assert_int_equal(out.a, 0);
    assert_int_equal(out.b, 0);
}

static void test_params__an_older_struct_leaves_the_rest_zero(void **state)
{
    struct today given = { offsetof(struct today, b), 1, 2 };
    struct today out;

    (void)state;
    memset(&out, 0xff, sizeof(out));
    assert_int_equal(dream_params_copy(&given, &out, sizeof(out), NULL), DREAMAPI_OK);
    assert_int_equal(out.a, 1);
    assert_int_equal(out.b, 0);
}

static void test_params__a_newer_struct_is_taken_while_its_news_are_unused(void **state)
{
    struct tomorrow given;
    struct today out;
    dreamapi_error error;

    (void)state;
    memset(&given, 0, sizeof(given));
    given.today.struct_size = sizeof(given);
    given.today.a = 1;
    assert_int_equal(dream_params_copy(&given, &out, sizeof(out), &error), DREAMAPI_OK);
    assert_int_equal(out.a, 1);
    given.c = 1;
    assert_int_equal(dream_params_copy(&given, &out, sizeof(out), &error), DREAMAPI_UNSUPPORTED);
    assert_int_equal(error.status, DREAMAPI_UNSUPPORTED);
    assert_int_equal(error.local, 1);
}

static void test_params__a_size_that_was_never_set_is_refused(void **state)
{
    static const size_t sizes[] = { 0, 1, sizeof(size_t) - 1, 4097, (size_t)-1 };
    struct today out;
    dreamapi_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct today given = { sizes[i], 1, 2 };
        assert_int_equal(dream_params_copy(&given, &out, sizeof(out), &error), DREAMAPI_INVALID);
        assert_int_equal(out.a, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params__null_is_all_zero),
        cmocka_unit_test(test_params__an_older_struct_leaves_the_rest_zero),
        cmocka_unit_test(test_params__a_newer_struct_is_taken_while_its_news_are_unused),
        cmocka_unit_test(test_params__a_size_that_was_never_set_is_refused),
    };
    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
