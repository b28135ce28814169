/* SPDX-License-Identifier: Apache-2.0 */
/* test_database.c - where the database is when nobody says, and that it opens with its own master key only. */
#include "dreamapid/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dreamapid/private_folder.h"

static void set_variables(const char *state, const char *data, const char *home)
{
    const char *const pairs[][2] = { { "STATE_DIRECTORY", state }, { "XDG_DATA_HOME", data }, { "HOME", home } };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_int_equal(pairs[i][1] ? setenv(pairs[i][0], pairs[i][1], 1) : unsetenv(pairs[i][0]), 0);
}

static void test_database__takes_the_given_path_as_it_is(void **state)
{
    char error[256];
    bool is_misuse = true;
    char *path = dreamd_database_locate("some/where.db", &is_misuse, error);
    (void)state;
    assert_string_equal(path, "some/where.db");
    assert_false(is_misuse);
    free(path);
}

static void test_database__refuses_another_engine_as_a_misuse(void **state)
{
    static const char *const rows[] = { "postgresql://localhost/x", "postgres://x", "PostgreSQL:x" };
    char error[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_misuse = false;
        assert_null(dreamd_database_locate(rows[i], &is_misuse, error));
        assert_true(is_misuse);
        assert_non_null(strstr(error, "PostgreSQL"));
    }
}

static void test_database__finds_a_default_place_and_makes_its_folders(void **state)
{
    char error[256], base[300], expected[512];
    bool is_misuse;
    struct stat facts;
    char *folder = dreamd_private_folder_make(error);
    (void)state;
    assert_non_null(folder);
    const struct {
        const char *state, *data, *home, *expected;
    } rows[] = {
        { "%s/s:/elsewhere", "%s/d", "%s/h", "%s/s/dreamapid.db" },
        { NULL, "%s/d", "%s/h", "%s/d/dreamapid/dreamapid.db" },
        { "relative", "relative", "%s/h", "%s/h/.local/share/dreamapid/dreamapid.db" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char values[3][300];
        const char *const formats[] = { rows[i].state, rows[i].data, rows[i].home };
        const char *set[3];
        for (int j = 0; j < 3; j++) {
            const char *rest = formats[j] && strncmp(formats[j], "%s", 2) == 0 ? formats[j] + 2 : NULL;
            (void)snprintf(values[j], sizeof values[j], "%s%s", rest ? folder : "",
                           rest         ? rest
                           : formats[j] ? formats[j]
                                        : "");
            set[j] = formats[j] ? values[j] : NULL;
        }
        set_variables(set[0], set[1], set[2]);
        char *path = dreamd_database_locate(NULL, &is_misuse, error);
        (void)snprintf(expected, sizeof expected, "%s%s", folder, rows[i].expected + 2);
        assert_non_null(path);
        assert_string_equal(path, expected);
        (void)snprintf(base, sizeof base, "%.*s", (int)(strrchr(path, '/') - path), path);
        assert_int_equal(stat(base, &facts), 0);
        assert_int_equal(facts.st_mode & 0777, 0700);
        free(path);
    }
    set_variables(NULL, NULL, NULL);
    assert_null(dreamd_database_locate(NULL, &is_misuse, error));
    assert_false(is_misuse);
    assert_non_null(strstr(error, "--db"));
    static const char *const made[] = {
        "h/.local/share/dreamapid", "h/.local/share", "h/.local", "h", "d/dreamapid", "d", "s"
    };
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        (void)snprintf(expected, sizeof expected, "%s/%s", folder, made[i]);
        assert_int_equal(rmdir(expected), 0);
    }
    dreamd_private_folder_remove(folder);
    free(folder);
}

static void test_database__says_which_folder_it_could_not_make(void **state)
{
    char error[256];
    bool is_misuse;
    (void)state;
    set_variables("/proc/nonexistent", NULL, NULL);
    assert_null(dreamd_database_locate(NULL, &is_misuse, error));
    assert_false(is_misuse);
    assert_non_null(strstr(error, "/proc/nonexistent"));
    set_variables(NULL, NULL, NULL);
}

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* "" or what was wrong. */
static const char *open_and_close(const char *path, const char *variables)
{
    static char error[256];
    dreamd_settings settings = { .frontend_url = NULL };
    dreamd_environment *environment = dreamd_environment_parse("f", variables, strlen(variables), error);
    assert_non_null(environment);
    dreamd_store *store = dreamd_database_open(path, &settings, environment, NULL, error);
    dreamd_store_close(store);
    dreamd_environment_free(environment);
    return store ? "" : error;
}

static void test_database__opens_with_the_master_key_it_was_made_with_and_no_other(void **state)
{
    char error[256], path[128];
    char *folder = dreamd_private_folder_make(error);
    (void)state;
    assert_non_null(folder);
    (void)snprintf(path, sizeof path, "%s/a.db", folder);
    assert_string_equal(open_and_close(path, "DREAMAPID_MASTER_KEY=" KEY_A), "");
    assert_string_equal(open_and_close(path, "DREAMAPID_MASTER_KEY=" KEY_A), "");
    assert_non_null(strstr(open_and_close(path, "DREAMAPID_MASTER_KEY=" KEY_B), "another master key"));
    assert_string_equal(open_and_close(path, "DREAMAPID_MASTER_KEY=" KEY_A), "");
    dreamd_private_folder_remove(folder);
    free(folder);
}

static void test_database__makes_a_key_file_with_a_new_database_but_never_in_place_of_a_lost_one(void **state)
{
    char error[256], path[128], key[136];
    char *folder = dreamd_private_folder_make(error);
    (void)state;
    assert_non_null(folder);
    (void)snprintf(path, sizeof path, "%s/a.db", folder);
    (void)snprintf(key, sizeof key, "%s.key", path);
    assert_string_equal(open_and_close(path, ""), "");
    assert_string_equal(open_and_close(path, ""), "");
    assert_int_equal(unlink(key), 0);
    assert_non_null(strstr(open_and_close(path, ""), "its master key is missing"));
    assert_int_not_equal(access(key, F_OK), 0);
    dreamd_private_folder_remove(folder);
    free(folder);
}

static void test_database__says_what_is_wrong_with_its_folder(void **state)
{
    (void)state;
    assert_non_null(strstr(open_and_close("/nonexistent/a.db", ""), "its folder does not exist"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_database__takes_the_given_path_as_it_is),
        cmocka_unit_test(test_database__refuses_another_engine_as_a_misuse),
        cmocka_unit_test(test_database__finds_a_default_place_and_makes_its_folders),
        cmocka_unit_test(test_database__says_which_folder_it_could_not_make),
        cmocka_unit_test(test_database__opens_with_the_master_key_it_was_made_with_and_no_other),
        cmocka_unit_test(test_database__makes_a_key_file_with_a_new_database_but_never_in_place_of_a_lost_one),
        cmocka_unit_test(test_database__says_what_is_wrong_with_its_folder),
    };
    return cmocka_run_group_tests_name("database", tests, NULL, NULL);
}
