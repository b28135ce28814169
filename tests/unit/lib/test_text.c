/* SPDX-License-Identifier: Apache-2.0 */
/* test_text.c - which texts may go on the wire. */
#include "lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    bool is_visible;
    bool is_printable;
    bool is_plain;
    bool is_id;
} rows[] = {
    { "user_1", true, true, true, true },
    { "", false, false, true, false },
    { "a b", false, true, true, true },
    { "a\rb", false, false, false, false },
    { "a\nb", false, false, false, false },
    { "a\tb", false, false, false, false },
    { "\x01", false, false, false, false },
    { "\x7f", false, false, false, false },
    { ".", true, true, true, false },
    { "..", true, true, true, false },
    { "...", true, true, true, true },
    { "a/b", true, true, true, true },
    { "Ad\xc3\xa8le", false, false, true, true },
    { "\xf0\x9f\x98\x80", false, false, true, true },
    { "\xc3", false, false, false, false }, /* cut off */
    { "\xc3(", false, false, false, false },
    { "\xc0\xaf", false, false, false, false },         /* overlong slash */
    { "\xe0\x80\xaf", false, false, false, false },     /* overlong */
    { "\xed\xa0\x80", false, false, false, false },     /* surrogate */
    { "\xf4\x90\x80\x80", false, false, false, false }, /* above U+10FFFF */
    { "\xf0\x8f\xbf\xbf", false, false, false, false }, /* overlong */
    { "\xff", false, false, false, false },
    { "\x80", false, false, false, false },
};

static void test_text__rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (dream_text_is_visible(rows[i].text, 10) != rows[i].is_visible
            || dream_text_is_printable(rows[i].text, 10) != rows[i].is_printable
            || dream_text_is_plain(rows[i].text, 10) != rows[i].is_plain
            || dream_text_is_id(rows[i].text) != rows[i].is_id)
            fail_msg("row %zu: %s", i, rows[i].text);
    }
}

static void test_text__the_longest_is_taken_and_one_more_is_refused(void **state)
{
    char text[DREAM_ID_MAX + 2];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[DREAM_ID_MAX + 1] = '\0';
    assert_false(dream_text_is_id(text));
    assert_false(dream_text_is_visible(text, DREAM_ID_MAX));
    assert_false(dream_text_is_printable(text, DREAM_ID_MAX));
    assert_false(dream_text_is_plain(text, DREAM_ID_MAX));
    text[DREAM_ID_MAX] = '\0';
    assert_true(dream_text_is_id(text));
    assert_true(dream_text_is_visible(text, DREAM_ID_MAX));
    assert_true(dream_text_is_printable(text, DREAM_ID_MAX));
    assert_true(dream_text_is_plain(text, DREAM_ID_MAX));
}

static void test_text__trace_contexts(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
    } traces[] = {
        { "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true },
        { "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", true },
        { "00-00000000000000000000000000000001-0000000000000001-00", true },
        { "00-00000000000000000000000000000000-00f067aa0ba902b7-01", false },
        { "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false },
        { "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false },
        { "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false },
        { "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false },
        { "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", false },
        { "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01", false },
        { "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", false },
        { "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", false },
        { "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-\r\n", false },
        { "", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
        if (dream_text_is_traceparent(traces[i].text) != traces[i].is_good)
            fail_msg("%s", traces[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__rows),
        cmocka_unit_test(test_text__the_longest_is_taken_and_one_more_is_refused),
        cmocka_unit_test(test_text__trace_contexts),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
