/* SPDX-License-Identifier: Apache-2.0 */
/* test_environment.c - env files: what a line may look like, what is refused and where, and that the process's own
 * environment wins. */
#include "dreamapid/environment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A name that no one's environment holds. */
#define NAME "DREAMAPID_TEST_VALUE"

static void test_environment__reads_every_form_of_a_line(void **state)
{
    static const struct {
        const char *text;
        const char *value; /* NULL: not set */
    } rows[] = {
        { NAME "=plain", "plain" },
        { NAME "=plain\n", "plain" },
        { NAME "=plain\r\n", "plain" },
        { "  " NAME " =  spaced out  \n", "spaced out" },
        { "export " NAME "=exported", "exported" },
        { "export\t" NAME "=exported", "exported" },
        { NAME "=", "" },
        { NAME "=a=b==", "a=b==" },
        { NAME "=with#inside", "with#inside" },
        { NAME "=before # comment", "before" },
        { NAME "=# all comment", "" },
        { NAME "='single # \"quoted\" \\n'", "single # \"quoted\" \\n" },
        { NAME "=\"double # 'quoted'\" # comment", "double # 'quoted'" },
        { NAME "=\"a\\nb\\\"c\\\\d\\$e\\xf\"", "a\nb\"c\\d$e\\xf" },
        { NAME "=''", "" },
        { NAME "=$HOME`id`", "$HOME`id`" },
        { "# " NAME "=no", NULL },
        { "\n\n  \t\n", NULL },
        { "", NULL },
        { NAME "=first\n" NAME "=last\n", "last" },
        { "\xef\xbb\xbf" NAME "=after a byte order mark", "after a byte order mark" },
    };
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dreamd_environment *environment = dreamd_environment_parse("f", rows[i].text, strlen(rows[i].text), error);
        assert_non_null(environment);
        const char *value = dreamd_environment_get(environment, NAME);
        if (rows[i].value)
            assert_string_equal(value ? value : "(none)", rows[i].value);
        else
            assert_null(value);
        dreamd_environment_free(environment);
    }
}

static void test_environment__names_file_and_line_of_a_bad_one_and_keeps_its_value_to_itself(void **state)
{
    static const struct {
        const char *text;
        size_t size; /* 0: strlen */
        const char *error;
    } rows[] = {
        { "A=1\nB", 0, "my.env:2: NAME=VALUE is wanted" },
        { "A=1\n\n# c\n=sk_secret", 0, "my.env:4: a variable's name begins with a letter or _" },
        { "1A=sk_secret", 0, "my.env:1: a variable's name begins with a letter or _" },
        { "A B=sk_secret", 0, "my.env:1: NAME=VALUE is wanted" },
        { "A-B=sk_secret", 0, "my.env:1: NAME=VALUE is wanted" },
        { "A=\"sk_secret", 0, "my.env:1: the closing quote is missing" },
        { "A='sk_secret\nB='", 0, "my.env:1: the closing quote is missing" },
        { "A=\"sk_secret\\\"", 0, "my.env:1: the closing quote is missing" },
        { "A=\"x\" sk_secret", 0, "my.env:1: there is text after the closing quote" },
        { "A=x\0y", 5, "my.env:1: the line holds a NUL character" },
    };
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = rows[i].size ? rows[i].size : strlen(rows[i].text);
        assert_null(dreamd_environment_parse("my.env", rows[i].text, size, error));
        assert_string_equal(error, rows[i].error);
    }
}

static void test_environment__of_the_process_wins_even_when_it_is_empty(void **state)
{
    char error[256];
    dreamd_environment *environment = dreamd_environment_parse("f", NAME "=file", strlen(NAME "=file"), error);
    (void)state;
    assert_non_null(environment);
    assert_string_equal(dreamd_environment_get(environment, NAME), "file");
    assert_int_equal(setenv(NAME, "process", 1), 0);
    assert_string_equal(dreamd_environment_get(environment, NAME), "process");
    assert_int_equal(setenv(NAME, "", 1), 0);
    assert_string_equal(dreamd_environment_get(environment, NAME), "");
    assert_int_equal(unsetenv(NAME), 0);
    dreamd_environment_free(environment);
}

static void test_environment__without_a_file_is_that_of_the_process(void **state)
{
    char error[256];
    dreamd_environment *environment = dreamd_environment_open(NULL, error);
    (void)state;
    assert_non_null(environment);
    assert_null(dreamd_environment_get(environment, NAME));
    dreamd_environment_free(environment);
}

static void test_environment__says_why_a_file_cannot_be_read(void **state)
{
    char error[256];
    (void)state;
    assert_null(dreamd_environment_open("/nonexistent/my.env", error));
    assert_string_equal(error, "Cannot read /nonexistent/my.env: No such file or directory");
    assert_null(dreamd_environment_open("/", error));
    assert_non_null(strstr(error, "Is a directory"));
}

static void test_environment__reads_a_file_up_to_its_bound_and_none_beyond(void **state)
{
    enum { LINES = 40000 }; /* of 32 bytes: more than a megabyte */
    char path[] = "/tmp/test-environment-XXXXXX";
    char error[256];
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    (void)state;
    assert_non_null(file);
    for (int i = 0; i < LINES / 2; i++)
        (void)fprintf(file, "A%05d=%024d\n", i, i);
    (void)fflush(file);
    dreamd_environment *environment = dreamd_environment_open(path, error);
    assert_non_null(environment);
    assert_string_equal(dreamd_environment_get(environment, "A19999"), "000000000000000000019999");
    dreamd_environment_free(environment);
    for (int i = 0; i < LINES / 2; i++)
        (void)fprintf(file, "B%05d=%024d\n", i, i);
    (void)fclose(file);
    assert_null(dreamd_environment_open(path, error));
    assert_non_null(strstr(error, "too large"));
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment__reads_every_form_of_a_line),
        cmocka_unit_test(test_environment__names_file_and_line_of_a_bad_one_and_keeps_its_value_to_itself),
        cmocka_unit_test(test_environment__of_the_process_wins_even_when_it_is_empty),
        cmocka_unit_test(test_environment__without_a_file_is_that_of_the_process),
        cmocka_unit_test(test_environment__says_why_a_file_cannot_be_read),
        cmocka_unit_test(test_environment__reads_a_file_up_to_its_bound_and_none_beyond),
    };
    return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}
