/* SPDX-License-Identifier: Apache-2.0 */
/* test_command.c - the command line's words: what is taken, and what is refused. */
#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const cli_option options[] = {
    { "plan", "TIER", "which", false },
    { "all", NULL, "all", false },
    { "item", "NAME", "again and again", true },
    { NULL, NULL, NULL, false },
};
static const cli_command command = {
    "list", "Lists", "[FILE]", options, CLI_TAKES_OUTPUT | CLI_TAKES_CALL, NULL, NULL
};

struct line {
    const char *words[5];
    const char *error; /* a part of it; NULL: fine */
};

static cli_reading read_line(const struct line *line, cli_arguments *out, char error[256])
{
    char *words[5];
    int count = 0;
    for (; count < 5 && line->words[count]; count++)
        words[count] = (char *)(uintptr_t)line->words[count];
    return cli_arguments_read(&command, count, words, out, error);
}

static void test_command__takes_both_spellings_and_any_order(void **state)
{
    static const struct line lines[] = {
        { { "--plan", "pro", "--all", "file" }, NULL },
        { { "file", "--all", "--plan=pro" }, NULL },
        { { "--all", "--plan=pro", "--", "file" }, NULL },
    };
    cli_arguments arguments;
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(read_line(&lines[i], &arguments, error), CLI_READING_OK);
        assert_string_equal(cli_value(&arguments, "plan"), "pro");
        assert_true(cli_has(&arguments, "all"));
        assert_false(cli_has(&arguments, "json"));
        assert_string_equal(arguments.operand, "file");
    }
}

static void test_command__refuses_each_mistake_with_its_reason(void **state)
{
    static const struct line lines[] = {
        { { "--plan" }, "needs a value" },        { { "--plan=" }, "needs a value" },
        { { "--all=1" }, "takes no value" },      { { "--all", "--all" }, "twice" },
        { { "--pla", "x" }, "no option --pla;" }, { { "-x" }, "no option -x;" },
        { { "a", "b" }, "what to do with" },      { { "" }, "is empty" },
    };
    cli_arguments arguments;
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(read_line(&lines[i], &arguments, error), CLI_READING_BAD);
        assert_non_null(strstr(error, lines[i].error));
    }
}

static void test_command__a_dash_is_an_operand_and_help_wins(void **state)
{
    cli_arguments arguments;
    char error[256];
    (void)state;
    assert_int_equal(read_line(&(const struct line){ { "-", "--item", "a", "--item=b" }, NULL }, &arguments, error),
                     CLI_READING_OK);
    assert_string_equal(arguments.operand, "-");
    assert_int_equal(arguments.given_count, 2);
    assert_int_equal(read_line(&(const struct line){ { "--all", "--help" }, NULL }, &arguments, error),
                     CLI_READING_HELP);
}

static void test_command__seconds_have_decimals_and_bounds(void **state)
{
    static const struct {
        const char *text;
        long long ms; /* 0: refused */
    } rows[] = { { "--timeout=10", 10000 },       { "--timeout=0.5", 500 },  { "--timeout=1.025", 1025 },
                 { "--timeout=86400", 86400000 }, { "--timeout=0", 0 },      { "--timeout=86401", 0 },
                 { "--timeout=1.", 0 },           { "--timeout=1.0005", 0 }, { "--timeout=-1", 0 },
                 { "--timeout=1s", 0 },           { "--timeout=.5", 0 },     { "--timeout=99999999999999999999", 0 } };
    cli_arguments arguments;
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        long long ms = 7;
        assert_int_equal(read_line(&(const struct line){ { rows[i].text }, NULL }, &arguments, error), CLI_READING_OK);
        assert_int_equal(cli_read_seconds(&arguments, "timeout", &ms), rows[i].ms != 0);
        assert_int_equal(ms, rows[i].ms != 0 ? rows[i].ms : 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command__takes_both_spellings_and_any_order),
        cmocka_unit_test(test_command__refuses_each_mistake_with_its_reason),
        cmocka_unit_test(test_command__a_dash_is_an_operand_and_help_wins),
        cmocka_unit_test(test_command__seconds_have_decimals_and_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
