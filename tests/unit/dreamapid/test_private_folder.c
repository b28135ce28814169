/* SPDX-License-Identifier: Apache-2.0 */
/* test_private_folder.c - a temporary folder that only we may enter, and that leaves nothing behind. */
#include "dreamapid/private_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_private_folder__is_ours_alone_and_goes_with_its_files(void **state)
{
    static const char *const names[] = { "dreamapid.db", "dreamapid.db-wal", ".hidden" };
    char error[256], path[128];
    struct stat facts;
    char *folder = dreamd_private_folder_make(error);
    (void)state;
    assert_non_null(folder);
    assert_int_equal(stat(folder, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0700);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        (void)fclose(file);
    }
    dreamd_private_folder_remove(folder);
    assert_int_not_equal(stat(folder, &facts), 0);
    dreamd_private_folder_remove(folder); /* once more does nothing */
    dreamd_private_folder_remove(NULL);
    free(folder);
}

static void test_private_folder__says_where_it_could_not_be_made(void **state)
{
    char error[256];
    (void)state;
    assert_int_equal(setenv("TMPDIR", "/nonexistent", 1), 0);
    assert_null(dreamd_private_folder_make(error));
    assert_non_null(strstr(error, "/nonexistent/dreamapid-"));
    assert_int_equal(unsetenv("TMPDIR"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private_folder__is_ours_alone_and_goes_with_its_files),
        cmocka_unit_test(test_private_folder__says_where_it_could_not_be_made),
    };
    return cmocka_run_group_tests_name("private_folder", tests, NULL, NULL);
}
