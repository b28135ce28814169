/* SPDX-License-Identifier: Apache-2.0 */
/* test_table.c - columns: aligned for people, tabs for scripts, printed in portions. */
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const cli_column columns[] = { { "NAME", false }, { "USED", true }, { "PLAN", false } };

static void add(cli_table *table, const char *name, int64_t used, const char *plan)
{
    cli_table_text(table, name);
    cli_table_units(table, used);
    cli_table_text(table, plan);
}

static char *print(bool is_tsv, bool has_portions)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cli_table *table = cli_table_new(columns, 3, is_tsv, out);

    add(table, "ada", 1, "pro");
    if (has_portions)
        cli_table_flush(table);
    add(table, "j\xC3\xBCrgen\t", 12345, NULL);
    cli_table_free(table);
    (void)fclose(out);
    return text;
}

static void check(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

static void test_table__columns_are_aligned_by_what_is_seen(void **state)
{
    (void)state;
    check(print(false, false), "NAME         USED  PLAN\nada             1  pro\nj\xC3\xBCrgen\\x09  12345  -\n");
}

static void test_table__a_later_portion_only_widens(void **state)
{
    (void)state;
    check(print(false, true), "NAME  USED  PLAN\nada      1  pro\nj\xC3\xBCrgen\\x09  12345  -\n");
}

static void test_table__tabs_separate_for_scripts(void **state)
{
    (void)state;
    check(print(true, false), "NAME\tUSED\tPLAN\nada\t1\tpro\nj\xC3\xBCrgen\\x09\t12345\t-\n");
}

static void test_table__without_rows_the_head_is_printed_when_flushed(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cli_table *table = cli_table_new(columns, 3, false, out);
    (void)state;
    cli_table_flush(table);
    cli_table_free(table);
    (void)fclose(out);
    check(text, "NAME  USED  PLAN\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table__columns_are_aligned_by_what_is_seen),
        cmocka_unit_test(test_table__a_later_portion_only_widens),
        cmocka_unit_test(test_table__tabs_separate_for_scripts),
        cmocka_unit_test(test_table__without_rows_the_head_is_printed_when_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
