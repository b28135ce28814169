/* SPDX-License-Identifier: Apache-2.0 */
/* test_command.c - reading a command's options from its table: what is taken, and each way of being refused. */
#include "dreamapid/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { OPTION_DB, OPTION_FAST, OPTION_PEER };

static const dreamd_option options[] = {
    { "db", "PATH", "the database" },
    { "fast", NULL, "in a hurry" },
    { "peer", "ADDR", "whom to ask", true },
    { NULL, NULL, NULL },
};

static int run_nothing(const dreamd_arguments *arguments)
{
    (void)arguments;
    return DREAMD_EXIT_OK;
}

static const dreamd_command with_file = { "load", "Loads", "FILE", options, NULL, run_nothing };
static const dreamd_command plain = { "check", "Checks", NULL, options, NULL, run_nothing };

/* Up to five words behind the command's name. */
struct line {
    const dreamd_command *command;
    const char *words[6];
    const char *error; /* NULL: fine */
};

static dreamd_arguments_status read_line(const struct line *line, dreamd_arguments *out, char error[256])
{
    static char storage[8][128];
    char *argv[8] = { storage[0], NULL };
    int argc = 1;
    strcpy(storage[0], "x");
    for (; line->words[argc - 1]; argc++) {
        (void)snprintf(storage[argc], sizeof storage[argc], "%s", line->words[argc - 1]);
        argv[argc] = storage[argc];
    }
    argv[argc] = NULL;
    return dreamd_arguments_read(line->command, argc, argv, out, error);
}

static void test_command__takes_options_in_both_spellings_and_any_order(void **state)
{
    static const struct line lines[] = {
        { &with_file, { "--db", "a.db", "--fast", "f.json" }, NULL },
        { &with_file, { "f.json", "--fast", "--db=a.db" }, NULL },
        { &with_file, { "--fast", "--db=a.db", "--", "f.json" }, NULL },
    };
    dreamd_arguments arguments;
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(read_line(&lines[i], &arguments, error), DREAMD_ARGUMENTS_OK);
        assert_string_equal(arguments.values[OPTION_DB], "a.db");
        assert_string_equal(arguments.values[OPTION_FAST], "");
        assert_string_equal(arguments.operand, "f.json");
    }
}

static void test_command__keeps_each_value_of_an_option_that_may_be_repeated(void **state)
{
    static const struct line line = { &plain, { "--peer", "a", "--fast", "--peer=b" }, NULL };
    dreamd_arguments arguments;
    char error[256];
    (void)state;
    assert_int_equal(read_line(&line, &arguments, error), DREAMD_ARGUMENTS_OK);
    assert_int_equal(arguments.repeat_count, 2);
    assert_string_equal(arguments.repeats[0].value, "a");
    assert_string_equal(arguments.repeats[1].value, "b");
    assert_int_equal(arguments.repeats[1].place, OPTION_PEER);
}

static void test_command__leaves_out_what_is_not_given(void **state)
{
    static const struct line line = { &plain, { NULL }, NULL };
    dreamd_arguments arguments;
    char error[256];
    (void)state;
    assert_int_equal(read_line(&line, &arguments, error), DREAMD_ARGUMENTS_OK);
    assert_null(arguments.values[OPTION_DB]);
    assert_null(arguments.values[OPTION_FAST]);
    assert_null(arguments.operand);
}

static void test_command__says_precisely_what_it_does_not_take(void **state)
{
    static const struct line lines[] = {
        { &plain, { "--nope" }, "check has no option --nope." },
        { &plain, { "--nope=1" }, "check has no option --nope=1." },
        { &plain, { "-x" }, "check has no option -x." },
        { &plain, { "--db" }, "--db needs a value (PATH)." },
        { &plain, { "--db=" }, "--db needs a value (PATH)." },
        { &plain, { "--db", "" }, "--db needs a value (PATH)." },
        { &plain, { "--fast=yes" }, "--fast takes no value." },
        { &plain, { "--help=yes" }, "--help takes no value." },
        { &plain, { "--db", "a", "--db=b" }, "--db is given twice." },
        { &plain, { "--fast", "--fast" }, "--fast is given twice." },
        { &plain, { "--fas" }, "Options are written in full: --fast." },
        { &plain, { "--d", "a" }, "Options are written in full: --db." },
        { &plain, { "--d=a" }, "Options are written in full: --db." },
        { &plain, { "extra" }, "check does not know what to do with \"extra\"." },
        { &with_file, { "--fast" }, "load needs a FILE." },
        { &with_file, { "a", "b" }, "load does not know what to do with \"b\"." },
    };
    dreamd_arguments arguments;
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(read_line(&lines[i], &arguments, error), DREAMD_ARGUMENTS_BAD);
        assert_string_equal(error, lines[i].error);
    }
}

static void test_command__takes_a_value_that_looks_like_an_option(void **state)
{
    static const struct line line = { &plain, { "--db", "--fast" }, NULL };
    dreamd_arguments arguments;
    char error[256];
    (void)state;
    assert_int_equal(read_line(&line, &arguments, error), DREAMD_ARGUMENTS_OK);
    assert_string_equal(arguments.values[OPTION_DB], "--fast");
    assert_null(arguments.values[OPTION_FAST]);
}

static void test_command__asks_for_help_before_it_complains_of_what_is_missing(void **state)
{
    static const struct line lines[] = {
        { &with_file, { "--help" }, NULL },
        { &with_file, { "-h" }, NULL },
        { &with_file, { "--fast", "--help", "--nope" }, NULL },
    };
    dreamd_arguments arguments;
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_int_equal(read_line(&lines[i], &arguments, error), DREAMD_ARGUMENTS_HELP);
}

static void test_command__prints_help_from_the_table(void **state)
{
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    (void)state;
    assert_non_null(out);
    dreamd_command_print_help(&with_file, out);
    (void)fclose(out);
    assert_non_null(strstr(text, "Usage: dreamapid load [options] FILE\n"));
    assert_non_null(strstr(text, "  --db PATH                  the database\n"));
    assert_non_null(strstr(text, "  --fast                     in a hurry\n"));
    assert_non_null(strstr(text, "--help"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command__takes_options_in_both_spellings_and_any_order),
        cmocka_unit_test(test_command__keeps_each_value_of_an_option_that_may_be_repeated),
        cmocka_unit_test(test_command__leaves_out_what_is_not_given),
        cmocka_unit_test(test_command__says_precisely_what_it_does_not_take),
        cmocka_unit_test(test_command__takes_a_value_that_looks_like_an_option),
        cmocka_unit_test(test_command__asks_for_help_before_it_complains_of_what_is_missing),
        cmocka_unit_test(test_command__prints_help_from_the_table),
    };
    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
