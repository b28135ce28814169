/* SPDX-License-Identifier: Apache-2.0 */
/* test_migrations.c - the schema is made once, by however many start at once, and never by a program too old for it. */
#include "store_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_migrate__twice_changes_nothing(void **state)
{
    store_case *self = *state;
    char error[256] = "";
    int64_t steps = number_of(self->db, "SELECT COUNT(*) FROM schema_migrations");
    assert_true(dreamd_store_migrate(self->path, error));
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM schema_migrations"), steps);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM meta"), 1);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM platforms"), 1); /* what was there stays */
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_migrate__by_several_processes_at_once_works_for_all(void **state)
{
    store_case *self = *state;
    enum { PROCESSES = 4 };
    char path[128], error[256];
    pid_t pids[PROCESSES];
    int gate[2];
    (void)snprintf(path, sizeof path, "%s/new.db", self->folder);
    assert_int_equal(pipe(gate), 0);
    store_case_let_go(self);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            char byte;
            (void)close(gate[1]);
            ssize_t got = read(gate[0], &byte, 1); /* until the parent closes: all start together */
            _exit(got == 0 && dreamd_store_migrate(path, error) ? 0 : 1);
        }
    }
    (void)close(gate[0]);
    (void)close(gate[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    dreamd_db *db = dreamd_db_open_sqlite(path, DREAMD_DB_READ_WRITE, error);
    assert_non_null(db);
    assert_int_equal(number_of(db, "SELECT COUNT(*) - MAX(version) FROM schema_migrations"), 0);
    assert_int_equal(violations_of(db, T0), 0);
    dreamd_db_close(db);
    assert_int_equal(unlink(path), 0);
    for (size_t i = 0; i < 2; i++) {
        char side[160];
        (void)snprintf(side, sizeof side, "%s%s", path, i ? "-wal" : "-shm");
        (void)unlink(side);
    }
}

static void test_open__refuses_a_schema_that_is_missing_or_newer(void **state)
{
    store_case *self = *state;
    char path[128], error[256] = "";
    (void)snprintf(path, sizeof path, "%s/empty.db", self->folder);
    assert_null(dreamd_store_open(path, NULL, error));
    assert_non_null(strstr(error, "dreamapid migrate"));
    (void)unlink(path);
    assert_ok(dreamd_db_script(self->db, "INSERT INTO schema_migrations (version) VALUES (1000)"));
    assert_null(dreamd_store_open(self->path, NULL, error));
    assert_non_null(strstr(error, "newer"));
    assert_false(dreamd_store_migrate(self->path, error));
    assert_non_null(strstr(error, "newer"));
}

static void test_open__says_what_is_wrong_with_the_path(void **state)
{
    char error[256] = "";
    (void)state;
    assert_null(dreamd_store_open("/nonexistent/store.db", NULL, error));
    assert_true(error[0] != '\0');
    error[0] = '\0';
    assert_false(dreamd_store_migrate("/nonexistent/store.db", error));
    assert_true(error[0] != '\0');
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_migrate__twice_changes_nothing),
        CASE(test_migrate__by_several_processes_at_once_works_for_all),
        CASE(test_open__refuses_a_schema_that_is_missing_or_newer),
        cmocka_unit_test(test_open__says_what_is_wrong_with_the_path),
    };
    return cmocka_run_group_tests_name("migrations", tests, NULL, NULL);
}
