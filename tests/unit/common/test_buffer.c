/* SPDX-License-Identifier: Apache-2.0 */
/* test_buffer.c - the growable byte string: growth, limits, failure that sticks. */
#include "common/buffer.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_buffer__is_an_empty_text_before_any_append(void **state)
{
    dream_buffer buffer = DREAM_BUFFER_INIT;

    (void)state;
    assert_string_equal(dream_buffer_str(&buffer), "");
    assert_null(buffer.data);
    dream_buffer_clear(&buffer);
}

static void test_buffer__builds_a_text_from_all_kinds_of_appends(void **state)
{
    dream_buffer buffer = DREAM_BUFFER_INIT;

    (void)state;
    dream_buffer_text(&buffer, "ab");
    dream_buffer_char(&buffer, 'c');
    dream_buffer_append(&buffer, "d\0e", 3);
    dream_buffer_printf(&buffer, "%d-%s", 42, "x");
    dream_buffer_append(&buffer, NULL, 0);
    assert_int_equal(buffer.size, 10);
    assert_memory_equal(buffer.data, "abcd\0e42-x", 11);
    assert_false(buffer.is_failed);
    dream_buffer_clear(&buffer);
}

static void test_buffer__keeps_content_while_growing(void **state)
{
    dream_buffer plain = DREAM_BUFFER_INIT;
    dream_buffer secret = DREAM_BUFFER_INIT;
    size_t i;

    (void)state;
    secret.is_secret = true;
    for (i = 0; i < 5000; i++) {
        dream_buffer_char(&plain, (char)('a' + i % 26));
        dream_buffer_char(&secret, (char)('a' + i % 26));
    }
    assert_int_equal(plain.size, 5000);
    assert_int_equal(strlen(dream_buffer_str(&plain)), 5000);
    assert_string_equal(dream_buffer_str(&plain), dream_buffer_str(&secret));
    for (i = 0; i < 5000; i++)
        assert_int_equal(plain.data[i], 'a' + i % 26);
    dream_buffer_clear(&plain);
    dream_buffer_clear(&secret);
}

static void test_buffer__accepts_exactly_its_limit(void **state)
{
    dream_buffer buffer = DREAM_BUFFER_INIT;

    (void)state;
    buffer.limit = 4;
    dream_buffer_text(&buffer, "abcd");
    assert_string_equal(dream_buffer_str(&buffer), "abcd");
    dream_buffer_char(&buffer, 'e');
    assert_true(buffer.is_failed);
    assert_null(dream_buffer_str(&buffer));
    dream_buffer_clear(&buffer);
}

static void test_buffer__append_after_failure_does_nothing(void **state)
{
    dream_buffer buffer = DREAM_BUFFER_INIT;

    (void)state;
    buffer.limit = 4;
    dream_buffer_printf(&buffer, "%s", "abcde");
    assert_true(buffer.is_failed);
    dream_buffer_text(&buffer, "a");
    dream_buffer_printf(&buffer, "%d", 1);
    assert_int_equal(buffer.size, 0);
    assert_null(dream_buffer_take(&buffer));
}

static void test_buffer__refuses_a_size_that_overflows(void **state)
{
    dream_buffer buffer = DREAM_BUFFER_INIT;

    (void)state;
    dream_buffer_text(&buffer, "abc");
    dream_buffer_append(&buffer, "x", SIZE_MAX - 1);
    assert_true(buffer.is_failed);
    dream_buffer_clear(&buffer);
}

static void test_buffer__take_hands_over_and_leaves_it_usable(void **state)
{
    dream_buffer buffer = DREAM_BUFFER_INIT;
    char *text;

    (void)state;
    dream_buffer_text(&buffer, "abc");
    text = dream_buffer_take(&buffer);
    assert_string_equal(text, "abc");
    free(text);
    assert_int_equal(buffer.size, 0);
    assert_string_equal(dream_buffer_str(&buffer), "");
    text = dream_buffer_take(&buffer);
    assert_string_equal(text, "");
    free(text);
    dream_buffer_text(&buffer, "again");
    assert_string_equal(dream_buffer_str(&buffer), "again");
    dream_buffer_clear(&buffer);
}

static void test_buffer__clear_forgets_a_failure_but_keeps_the_limit(void **state)
{
    dream_buffer buffer = DREAM_BUFFER_INIT;

    (void)state;
    buffer.limit = 2;
    dream_buffer_text(&buffer, "abc");
    dream_buffer_clear(&buffer);
    dream_buffer_text(&buffer, "ab");
    assert_string_equal(dream_buffer_str(&buffer), "ab");
    dream_buffer_char(&buffer, 'c');
    assert_true(buffer.is_failed);
    dream_buffer_clear(&buffer);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer__is_an_empty_text_before_any_append),
        cmocka_unit_test(test_buffer__builds_a_text_from_all_kinds_of_appends),
        cmocka_unit_test(test_buffer__keeps_content_while_growing),
        cmocka_unit_test(test_buffer__accepts_exactly_its_limit),
        cmocka_unit_test(test_buffer__append_after_failure_does_nothing),
        cmocka_unit_test(test_buffer__refuses_a_size_that_overflows),
        cmocka_unit_test(test_buffer__take_hands_over_and_leaves_it_usable),
        cmocka_unit_test(test_buffer__clear_forgets_a_failure_but_keeps_the_limit),
    };

    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
