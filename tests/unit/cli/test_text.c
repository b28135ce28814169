/* SPDX-License-Identifier: Apache-2.0 */
/* test_text.c - how values are written: what is escaped and what is not, money, units, JSON on one line. */
#include "cli/text.h"

#include <dreamapi.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_text__what_could_drive_a_terminal_is_escaped(void **state)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        { NULL, "-" },
        { "Ada \xC3\xA9 \xE6\x97\xA5 \xF0\x9F\x98\x80", "Ada \xC3\xA9 \xE6\x97\xA5 \xF0\x9F\x98\x80" },
        { "a\x1B[2J\tb\x7F", "a\\x1B[2J\\x09b\\x7F" },
        { "\xC2\x9B"
          "1m",
          "\\xC2\\x9B1m" },
        { "\x9B"
          "1m",
          "\\x9B1m" },
        { "\xE2\x80\xAE"
          "abc",
          "\\xE2\\x80\\xAE"
          "abc" },
        { "\xC0\x9B", "\\xC0\\x9B" },
        { "\xED\xA0\x80", "\\xED\\xA0\\x80" },
        { "end\xE2\x80", "end\\xE2\\x80" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *shown = cli_text_harmless(rows[i].text);
        assert_string_equal(shown, rows[i].shown);
        free(shown);
    }
}

static void test_text__money_has_its_currencys_decimals(void **state)
{
    char out[CLI_NUMBER_SIZE];
    (void)state;
    assert_string_equal(cli_money(2900, "usd", out), "29.00 USD");
    assert_string_equal(cli_money(5, "EUR", out), "0.05 EUR");
    assert_string_equal(cli_money(500, "jpy", out), "500 JPY");
    assert_string_equal(cli_money(1234, "kwd", out), "1.234 KWD");
    assert_string_equal(cli_money(-250, "usd", out), "-2.50 USD");
    assert_string_equal(cli_money(2900, NULL, out), "29.00");
    assert_string_equal(cli_money(100, "\x1B[m", out), "1.00");
    assert_string_equal(cli_money(INT64_MIN, "usd", out), "-92233720368547758.08 USD");
}

static void test_text__units_without_an_end_or_not_known_are_words(void **state)
{
    char out[CLI_NUMBER_SIZE];
    (void)state;
    assert_string_equal(cli_units(DREAMAPI_UNLIMITED, out), "unlimited");
    assert_string_equal(cli_units(-1, out), "-");
    assert_string_equal(cli_units(0, out), "0");
    assert_string_equal(cli_time(0, out), "-");
    assert_string_equal(cli_time(INT64_C(1767225600000), out), "2026-01-01 00:00:00Z");
}

static void test_text__json_comes_on_one_line_and_means_the_same(void **state)
{
    static const struct {
        const char *json, *line;
    } rows[] = {
        { "{\r\n\t\"a b\" : [1, 2]\n}", "{\"a b\":[1,2]}\n" },
        { "{\"a\":\"x \\\" : y\\\\\" , \"b\":1}", "{\"a\":\"x \\\" : y\\\\\",\"b\":1}\n" },
        { "\"\x1B\x7F\xC2\x9B\"", "\"\\u001b\\u007f\\u009b\"\n" },
        { "\"cut\\", "\"cut\\\n" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        cli_json_line(out, rows[i].json);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(text, rows[i].line);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__what_could_drive_a_terminal_is_escaped),
        cmocka_unit_test(test_text__money_has_its_currencys_decimals),
        cmocka_unit_test(test_text__units_without_an_end_or_not_known_are_words),
        cmocka_unit_test(test_text__json_comes_on_one_line_and_means_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
