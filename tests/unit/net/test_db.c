/* SPDX-License-Identifier: Apache-2.0 */
/* test_db.c - db.h over SQLite, on real files in a private folder. */
#include "net/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder with one database in it. */
struct place {
    char folder[64];
    char path[128];
    dreamd_db *db;
};

static dreamd_db *open_path(const char *path, dreamd_db_mode mode)
{
    char error[256];
    dreamd_db *db = dreamd_db_open_sqlite(path, mode, error);
    if (!db)
        fail_msg("%s", error);
    return db;
}

static void run(dreamd_db *db, const char *sql)
{
    if (dreamd_db_script(db, sql) != DREAMD_DB_OK)
        fail_msg("%s: %s", sql, dreamd_db_message(db));
}

static int64_t ask(dreamd_db *db, const char *sql)
{
    dreamd_rows *rows = NULL;
    assert_int_equal(dreamd_db_query(db, sql, DREAMD_NO_PARAMS, &rows), DREAMD_DB_OK);
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_ROW);
    int64_t number = dreamd_rows_int(rows, 0);
    dreamd_rows_finish(rows);
    return number;
}

static int set_up_folder(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    if (!place)
        return -1;
    (void)snprintf(place->folder, sizeof place->folder, "%s", "/tmp/dreamd-test-db-XXXXXX");
    if (!mkdtemp(place->folder))
        return -1;
    (void)snprintf(place->path, sizeof place->path, "%s/shop.db", place->folder);
    *state = place;
    return 0;
}

static int set_up(void **state)
{
    if (set_up_folder(state) != 0)
        return -1;
    struct place *place = *state;
    place->db = open_path(place->path, DREAMD_DB_READ_WRITE);
    run(place->db,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, units INTEGER CHECK (units < 100), bytes BLOB)");
    return 0;
}

static int tear_down(void **state)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    struct place *place = *state;
    char path[160];
    dreamd_db_close(place->db);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", place->path, ends[i]);
        (void)unlink(path);
    }
    int code = rmdir(place->folder); /* also shows that nothing else was left there */
    free(place);
    return code;
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 07777;
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void assert_refused(const char *path, dreamd_db_mode mode, const char *words)
{
    char error[256];
    dreamd_db *db = dreamd_db_open_sqlite(path, mode, error);
    dreamd_db_close(db);
    assert_null(db);
    if (!strstr(error, words))
        fail_msg("\"%s\" does not say \"%s\"", error, words);
}

/* ---- opening ---- */

static void test_open__files_are_private_whatever_the_umask(void **state)
{
    struct place *place = *state;
    static const mode_t masks[] = { 0, 022, 0777 };
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        char path[160], wal[170], shm[170];
        (void)snprintf(path, sizeof path, "%s/mask%zu.db", place->folder, i);
        (void)snprintf(wal, sizeof wal, "%s-wal", path);
        (void)snprintf(shm, sizeof shm, "%s-shm", path);
        mode_t before = umask(masks[i]);
        dreamd_db *db = open_path(path, DREAMD_DB_READ_WRITE);
        run(db, "CREATE TABLE t (id INTEGER)");
        (void)umask(before);
        assert_int_equal(mode_of(path), 0600);
        assert_int_equal(mode_of(wal), 0600);
        assert_int_equal(mode_of(shm), 0600);
        dreamd_db_close(db);
        assert_int_equal(unlink(path), 0);
    }
}

static void test_open__sets_what_durability_needs(void **state)
{
    struct place *place = *state;
    dreamd_rows *rows = NULL;
    assert_int_equal(dreamd_db_query(place->db, "PRAGMA journal_mode", DREAMD_NO_PARAMS, &rows), DREAMD_DB_OK);
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_ROW);
    assert_string_equal(dreamd_rows_text(rows, 0), "wal");
    dreamd_rows_finish(rows);
    assert_int_equal(ask(place->db, "PRAGMA synchronous"), 2);
    assert_int_equal(ask(place->db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(ask(place->db, "PRAGMA busy_timeout"), 5000);
}

static void test_open__says_why_it_cannot(void **state)
{
    struct place *place = *state;
    char path[160];
    assert_refused(NULL, DREAMD_DB_READ_WRITE, "file name");
    assert_refused("", DREAMD_DB_READ_WRITE, "file name");
    assert_refused(":memory:", DREAMD_DB_READ_WRITE, "file name");
    assert_refused(place->folder, DREAMD_DB_READ_WRITE, "is not a file");
    (void)snprintf(path, sizeof path, "%s/no/such/shop.db", place->folder);
    assert_refused(path, DREAMD_DB_READ_WRITE, "folder does not exist");
    (void)snprintf(path, sizeof path, "%s/shop.db/shop.db", place->folder);
    dreamd_db_close(open_path(place->path, DREAMD_DB_READ_WRITE));
    assert_refused(path, DREAMD_DB_READ_WRITE, "not a folder");
    (void)snprintf(path, sizeof path, "%s/missing.db", place->folder);
    assert_refused(path, DREAMD_DB_READ_ONLY, "does not exist");
}

static void test_open__long_path_leaves_room_for_the_reason(void **state)
{
    char path[2048] = "/tmp/";
    (void)state;
    memset(path + 5, 'x', sizeof path - 6);
    path[sizeof path - 1] = '\0';
    assert_refused(path, DREAMD_DB_READ_WRITE, "File name too long");
}

static void test_open__refuses_a_file_that_is_no_database(void **state)
{
    struct place *place = *state;
    char text[4096];
    memset(text, 'x', sizeof text);
    write_file(place->path, text, sizeof text);
    assert_refused(place->path, DREAMD_DB_READ_WRITE, "not a SQLite database");
    assert_refused(place->path, DREAMD_DB_READ_ONLY, "not a SQLite database");
}

/* Root may write everywhere, so the test becomes someone else for a moment. */
static void test_open__refuses_what_this_user_may_not_write(void **state)
{
    struct place *place = *state;
    uid_t before = geteuid();
    char path[160];
    run(place->db, "INSERT INTO t (id) VALUES (1)");
    dreamd_db_close(place->db);
    place->db = NULL;
    assert_int_equal(chmod(place->folder, 0555), 0);
    assert_int_equal(chmod(place->path, 0444), 0);
    if (before == 0)
        assert_int_equal(seteuid(65534), 0);
    (void)snprintf(path, sizeof path, "%s/new.db", place->folder);
    assert_refused(path, DREAMD_DB_READ_WRITE, "may not write there");
    assert_refused(place->path, DREAMD_DB_READ_WRITE, "cannot be written");
    assert_int_equal(seteuid(before), 0);
    assert_int_equal(chmod(place->folder, 0755), 0);
}

static void test_open__read_only_reads_and_does_not_write(void **state)
{
    struct place *place = *state;
    run(place->db, "INSERT INTO t (id, units) VALUES (1, 7)");
    dreamd_db *reader = open_path(place->path, DREAMD_DB_READ_ONLY);
    assert_int_equal(ask(reader, "SELECT units FROM t"), 7);
    assert_int_equal(dreamd_db_run(reader, "DELETE FROM t", DREAMD_NO_PARAMS, NULL), DREAMD_DB_FULL);
    dreamd_db_close(reader);
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 1);
}

/* Closing a descriptor drops the process's POSIX locks on its file, which opening must not do to a neighbour. */
static void test_open__keeps_the_locks_of_another_connection(void **state)
{
    struct place *place = *state;
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    dreamd_db *other = open_path(place->path, DREAMD_DB_READ_WRITE);
    run(other, "PRAGMA busy_timeout=20");
    assert_int_equal(dreamd_db_begin(other), DREAMD_DB_BUSY);
    dreamd_db_rollback(place->db);
    assert_int_equal(dreamd_db_begin(other), DREAMD_DB_OK);
    dreamd_db_rollback(other);
    dreamd_db_close(other);
}

static void *open_and_insert(void *path)
{
    char error[256];
    dreamd_db *db = dreamd_db_open_sqlite(path, DREAMD_DB_READ_WRITE, error);
    bool is_done = db && dreamd_db_script(db, "CREATE TABLE IF NOT EXISTS n (id INTEGER)") == DREAMD_DB_OK
                   && dreamd_db_script(db, "INSERT INTO n VALUES (1)") == DREAMD_DB_OK;
    dreamd_db_close(db);
    return is_done ? path : NULL;
}

static void test_open__many_at_once_on_a_new_file(void **state)
{
    enum { THREADS = 6 };
    struct place *place = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_insert, place->path), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    place->db = open_path(place->path, DREAMD_DB_READ_WRITE);
    assert_int_equal(ask(place->db, "SELECT count(*) FROM n"), THREADS);
}

static void test_close__null_is_fine(void **state)
{
    (void)state;
    dreamd_db_close(NULL);
    dreamd_rows_finish(NULL);
}

/* ---- values ---- */

static void test_values__come_back_as_they_went_in(void **state)
{
    struct place *place = *state;
    static const char bytes[] = { 'a', 0, 'b', (char)0xff };
    dreamd_rows *rows = NULL;
    size_t size = 0;
    int64_t units = INT64_MIN;
    run(place->db, "CREATE TABLE v (i INTEGER, o INTEGER, n INTEGER, t TEXT, u TEXT, b BLOB, e BLOB)");
    assert_int_equal(dreamd_db_run(place->db, "INSERT INTO v VALUES ($1, $2, $3, $4, $5, $6, $7)",
                                   DREAMD_PARAMS(dreamd_int(INT64_MAX), dreamd_opt_int(&units), dreamd_opt_int(NULL),
                                                 dreamd_text("caf\xc3\xa9"), dreamd_text(NULL),
                                                 dreamd_blob(bytes, sizeof bytes), dreamd_blob(NULL, 0)),
                                   NULL),
                     DREAMD_DB_OK);
    assert_int_equal(dreamd_db_query(place->db, "SELECT i, o, n, t, u, b, e FROM v", DREAMD_NO_PARAMS, &rows),
                     DREAMD_DB_OK);
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_ROW);
    assert_true(dreamd_rows_int(rows, 0) == INT64_MAX);
    assert_true(dreamd_rows_int(rows, 1) == INT64_MIN);
    assert_true(dreamd_rows_is_null(rows, 2));
    assert_false(dreamd_rows_is_null(rows, 0));
    assert_string_equal(dreamd_rows_text(rows, 3), "caf\xc3\xa9");
    assert_null(dreamd_rows_text(rows, 4));
    const void *found = dreamd_rows_blob(rows, 5, &size);
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(found, bytes, sizeof bytes);
    (void)dreamd_rows_blob(rows, 6, &size);
    assert_int_equal(size, 0);
    assert_false(dreamd_rows_is_null(rows, 6));
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_OK);
    dreamd_rows_finish(rows);
}

static void test_values__number_may_be_used_twice_and_in_any_order(void **state)
{
    struct place *place = *state;
    dreamd_rows *rows = NULL;
    assert_int_equal(
        dreamd_db_query(place->db, "SELECT $2, $1, $2 || $3",
                        DREAMD_PARAMS(dreamd_text("one"), dreamd_text("two"), dreamd_text("three")), &rows),
        DREAMD_DB_OK);
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_ROW);
    assert_string_equal(dreamd_rows_text(rows, 0), "two");
    assert_string_equal(dreamd_rows_text(rows, 1), "one");
    assert_string_equal(dreamd_rows_text(rows, 2), "twothree");
    dreamd_rows_finish(rows);
}

static void test_values__of_a_query_are_copied(void **state)
{
    struct place *place = *state;
    char text[] = "before";
    dreamd_rows *rows = NULL;
    assert_int_equal(dreamd_db_query(place->db, "SELECT $1", DREAMD_PARAMS(dreamd_text(text)), &rows), DREAMD_DB_OK);
    memcpy(text, "AFTER!", 6);
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_ROW);
    assert_string_equal(dreamd_rows_text(rows, 0), "before");
    dreamd_rows_finish(rows);
}

static void test_values__wrong_number_or_spelling_is_refused(void **state)
{
    struct place *place = *state;
    static const char *const spellings[] = { "SELECT ?",  "SELECT ?1",  "SELECT :a", "SELECT $a",
                                             "SELECT $0", "SELECT $01", "SELECT @1", "SELECT $99999" };
    dreamd_rows *rows = NULL;
    assert_int_equal(dreamd_db_query(place->db, "SELECT $1, $2", DREAMD_PARAMS(dreamd_int(1)), &rows), DREAMD_DB_ERROR);
    assert_null(rows);
    assert_int_equal(dreamd_db_query(place->db, "SELECT $1", DREAMD_PARAMS(dreamd_int(1), dreamd_int(2)), &rows),
                     DREAMD_DB_ERROR);
    assert_int_equal(dreamd_db_query(place->db, "SELECT $1", DREAMD_NO_PARAMS, &rows), DREAMD_DB_ERROR);
    assert_string_not_equal(dreamd_db_message(place->db), "");
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
        assert_int_equal(dreamd_db_query(place->db, spellings[i], DREAMD_PARAMS(dreamd_int(1)), &rows),
                         DREAMD_DB_ERROR);
}

static void test_values__do_not_stay_bound(void **state)
{
    static const char sql[] = "INSERT INTO t (name, units) VALUES ($1, $2)";
    struct place *place = *state;
    assert_int_equal(dreamd_db_run(place->db, sql, DREAMD_PARAMS(dreamd_text("a"), dreamd_int(5)), NULL), DREAMD_DB_OK);
    assert_int_equal(dreamd_db_run(place->db, sql, DREAMD_PARAMS(dreamd_text("b"), dreamd_null()), NULL), DREAMD_DB_OK);
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t WHERE units IS NULL"), 1);
}

/* ---- running ---- */

static void test_run__counts_changed_rows(void **state)
{
    struct place *place = *state;
    int64_t changed = -1;
    run(place->db, "INSERT INTO t (id) VALUES (1), (2), (3)");
    assert_int_equal(
        dreamd_db_run(place->db, "UPDATE t SET units=1 WHERE id<$1", DREAMD_PARAMS(dreamd_int(3)), &changed),
        DREAMD_DB_OK);
    assert_int_equal(changed, 2);
    assert_int_equal(dreamd_db_run(place->db, "UPDATE t SET units=1 WHERE id>9", DREAMD_NO_PARAMS, &changed),
                     DREAMD_DB_OK);
    assert_int_equal(changed, 0);
    assert_int_equal(dreamd_db_run(place->db, "DELETE FROM t", DREAMD_NO_PARAMS, &changed), DREAMD_DB_OK);
    assert_int_equal(changed, 3);
    assert_int_equal(dreamd_db_run(place->db, "CREATE TABLE u (id INTEGER)", DREAMD_NO_PARAMS, &changed), DREAMD_DB_OK);
    assert_int_equal(changed, 0);
}

static void test_run__tells_conflict_from_fault(void **state)
{
    static const struct {
        const char *sql;
        dreamd_db_status status;
        const char *words;
    } rows[] = {
        { "INSERT INTO t (id, name) VALUES (2, 'a')", DREAMD_DB_CONFLICT, "t.name" },
        { "INSERT INTO t (id) VALUES (1)", DREAMD_DB_CONFLICT, "t.id" },
        { "INSERT INTO t (units) VALUES (100)", DREAMD_DB_CONFLICT, "CHECK" },
        { "INSERT INTO child VALUES (9)", DREAMD_DB_ERROR, "FOREIGN KEY" },
        { "INSERT INTO child VALUES (NULL)", DREAMD_DB_ERROR, "NOT NULL" },
        { "INSERT INTO nowhere VALUES (1)", DREAMD_DB_ERROR, "nowhere" },
        { "INSERT INTO", DREAMD_DB_ERROR, "incomplete" },
        { "DELETE FROM guarded", DREAMD_DB_CONFLICT, "guarded" },
        { "DELETE FROM t; DELETE FROM t", DREAMD_DB_ERROR, "one SQL statement" },
        { "", DREAMD_DB_ERROR, "one SQL statement" },
        { " ; ", DREAMD_DB_ERROR, "one SQL statement" },
    };
    struct place *place = *state;
    run(place->db, "INSERT INTO t (id, name) VALUES (1, 'a');"
                   "CREATE TABLE child (t INTEGER NOT NULL REFERENCES t (id));"
                   "CREATE TABLE guarded (id INTEGER); INSERT INTO guarded VALUES (1);"
                   "CREATE TRIGGER g BEFORE DELETE ON guarded BEGIN SELECT RAISE(ABORT, 'guarded row'); END");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t changed = -1;
        assert_int_equal(dreamd_db_run(place->db, rows[i].sql, DREAMD_NO_PARAMS, &changed), rows[i].status);
        assert_int_equal(changed, 0);
        if (!strstr(dreamd_db_message(place->db), rows[i].words))
            fail_msg("%s: %s", rows[i].sql, dreamd_db_message(place->db));
    }
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 1);
}

static void test_run__statement_works_again_after_a_conflict(void **state)
{
    static const char sql[] = "INSERT INTO t (id) VALUES ($1)";
    struct place *place = *state;
    assert_int_equal(dreamd_db_run(place->db, sql, DREAMD_PARAMS(dreamd_int(1)), NULL), DREAMD_DB_OK);
    assert_int_equal(dreamd_db_run(place->db, sql, DREAMD_PARAMS(dreamd_int(1)), NULL), DREAMD_DB_CONFLICT);
    assert_int_equal(dreamd_db_run(place->db, sql, DREAMD_PARAMS(dreamd_int(2)), NULL), DREAMD_DB_OK);
}

static void test_query__returning_gives_rows(void **state)
{
    struct place *place = *state;
    dreamd_rows *rows = NULL;
    assert_int_equal(
        dreamd_db_query(place->db, "INSERT INTO t (name) VALUES ('a'), ('b') RETURNING name", DREAMD_NO_PARAMS, &rows),
        DREAMD_DB_OK);
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_ROW);
    assert_string_equal(dreamd_rows_text(rows, 0), "a");
    dreamd_rows_finish(rows); /* early: both rows are in all the same */
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 2);
}

static void test_query__same_sql_nests(void **state)
{
    static const char sql[] = "SELECT id FROM t WHERE id >= $1 ORDER BY id";
    struct place *place = *state;
    dreamd_rows *outer = NULL, *inner = NULL;
    run(place->db, "INSERT INTO t (id) VALUES (1), (2), (3)");
    for (int round = 0; round < 3; round++) {
        assert_int_equal(dreamd_db_query(place->db, sql, DREAMD_PARAMS(dreamd_int(1)), &outer), DREAMD_DB_OK);
        for (int64_t id = 1; id <= 3; id++) {
            assert_int_equal(dreamd_rows_next(outer), DREAMD_DB_ROW);
            assert_int_equal(dreamd_rows_int(outer, 0), id);
            assert_int_equal(dreamd_db_query(place->db, sql, DREAMD_PARAMS(dreamd_int(id)), &inner), DREAMD_DB_OK);
            assert_ptr_not_equal(inner, outer);
            assert_int_equal(dreamd_rows_next(inner), DREAMD_DB_ROW);
            assert_int_equal(dreamd_rows_int(inner, 0), id);
            dreamd_rows_finish(inner);
        }
        assert_int_equal(dreamd_rows_next(outer), DREAMD_DB_OK);
        dreamd_rows_finish(outer);
    }
}

static void test_query__statement_is_reused(void **state)
{
    static const char sql[] = "SELECT $1";
    struct place *place = *state;
    dreamd_rows *first = NULL, *second = NULL;
    assert_int_equal(dreamd_db_query(place->db, sql, DREAMD_PARAMS(dreamd_int(1)), &first), DREAMD_DB_OK);
    dreamd_rows_finish(first);
    assert_int_equal(dreamd_db_query(place->db, sql, DREAMD_PARAMS(dreamd_int(2)), &second), DREAMD_DB_OK);
    assert_ptr_equal(first, second);
    assert_int_equal(dreamd_rows_next(second), DREAMD_DB_ROW);
    assert_int_equal(dreamd_rows_int(second, 0), 2);
    dreamd_rows_finish(second);
}

static void test_query__address_that_holds_another_text_now(void **state)
{
    struct place *place = *state;
    char sql[32];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(ask(place->db, sql), i);
    }
}

static void test_query__more_statements_than_are_kept(void **state)
{
    enum { TEXTS = 1500 };
    struct place *place = *state;
    static char sql[TEXTS][32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TEXTS; i++) {
            (void)snprintf(sql[i], sizeof sql[i], "SELECT %d", i);
            assert_int_equal(ask(place->db, sql[i]), i);
        }
    }
}

static void test_query__statement_survives_a_schema_change(void **state)
{
    static const char sql[] = "SELECT count(*) FROM t";
    struct place *place = *state;
    assert_int_equal(ask(place->db, sql), 0);
    run(place->db, "ALTER TABLE t ADD COLUMN later TEXT");
    assert_int_equal(ask(place->db, sql), 0);
}

static void test_script__stops_at_the_first_failure(void **state)
{
    struct place *place = *state;
    assert_int_equal(
        dreamd_db_script(place->db, "INSERT INTO t (id) VALUES (1); INSERT INTO t (id) VALUES (1); DELETE FROM t"),
        DREAMD_DB_CONFLICT);
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 1);
}

/* ---- transactions ---- */

static void test_transaction__rollback_undoes_and_commit_keeps(void **state)
{
    struct place *place = *state;
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    run(place->db, "INSERT INTO t (id) VALUES (1)");
    dreamd_db_rollback(place->db);
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 0);
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    run(place->db, "INSERT INTO t (id) VALUES (1)");
    assert_int_equal(dreamd_db_commit(place->db), DREAMD_DB_OK);
    dreamd_db_rollback(place->db); /* after a commit it has nothing to undo */
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 1);
}

static void test_transaction__misuse_is_refused(void **state)
{
    struct place *place = *state;
    assert_int_equal(dreamd_db_commit(place->db), DREAMD_DB_ERROR);
    assert_int_equal(dreamd_db_savepoint(place->db), DREAMD_DB_ERROR);
    assert_int_equal(dreamd_db_release(place->db), DREAMD_DB_ERROR);
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_ERROR);
    assert_int_equal(dreamd_db_begin_read(place->db), DREAMD_DB_ERROR);
    assert_int_equal(dreamd_db_commit(place->db), DREAMD_DB_OK);
}

static void test_transaction__savepoint_undoes_its_part_only(void **state)
{
    struct place *place = *state;
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    for (int id = 1; id <= 4; id++) {
        assert_int_equal(dreamd_db_savepoint(place->db), DREAMD_DB_OK);
        assert_int_equal(
            dreamd_db_run(place->db, "INSERT INTO t (id) VALUES ($1)", DREAMD_PARAMS(dreamd_int(id)), NULL),
            DREAMD_DB_OK);
        if (id % 2)
            dreamd_db_rollback_to_savepoint(place->db);
        else
            assert_int_equal(dreamd_db_release(place->db), DREAMD_DB_OK);
    }
    assert_int_equal(dreamd_db_release(place->db), DREAMD_DB_ERROR); /* none is left open */
    assert_int_equal(dreamd_db_commit(place->db), DREAMD_DB_OK);
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 2);
    assert_int_equal(ask(place->db, "SELECT sum(id) FROM t"), 6);
}

static void test_transaction__second_writer_is_busy(void **state)
{
    struct place *place = *state;
    dreamd_db *other = open_path(place->path, DREAMD_DB_READ_WRITE);
    run(other, "PRAGMA busy_timeout=20");
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    assert_int_equal(dreamd_db_begin(other), DREAMD_DB_BUSY);
    assert_int_equal(dreamd_db_run(other, "INSERT INTO t (id) VALUES (1)", DREAMD_NO_PARAMS, NULL), DREAMD_DB_BUSY);
    assert_int_equal(ask(other, "SELECT count(*) FROM t"), 0); /* readers go on */
    assert_int_equal(dreamd_db_commit(place->db), DREAMD_DB_OK);
    assert_int_equal(dreamd_db_begin(other), DREAMD_DB_OK);
    dreamd_db_rollback(other);
    dreamd_db_close(other);
}

static void test_transaction__reader_keeps_its_snapshot(void **state)
{
    struct place *place = *state;
    dreamd_db *reader = open_path(place->path, DREAMD_DB_READ_ONLY);
    assert_int_equal(dreamd_db_begin_read(reader), DREAMD_DB_OK);
    assert_int_equal(ask(reader, "SELECT count(*) FROM t"), 0);
    run(place->db, "INSERT INTO t (id) VALUES (1)");
    assert_int_equal(ask(reader, "SELECT count(*) FROM t"), 0);
    assert_int_equal(dreamd_db_commit(reader), DREAMD_DB_OK);
    assert_int_equal(ask(reader, "SELECT count(*) FROM t"), 1);
    dreamd_db_close(reader);
}

static void fill(dreamd_db *db)
{
    dreamd_db_status status = DREAMD_DB_OK;
    for (int i = 0; i < 1000 && status == DREAMD_DB_OK; i++)
        status = dreamd_db_run(db, "INSERT INTO t (bytes) VALUES (zeroblob(4000))", DREAMD_NO_PARAMS, NULL);
    assert_int_equal(status, DREAMD_DB_FULL);
}

static void test_full__is_told_and_passes(void **state)
{
    struct place *place = *state;
    run(place->db, "PRAGMA max_page_count=20");
    fill(place->db);
    assert_non_null(strstr(dreamd_db_message(place->db), "full"));
    run(place->db, "PRAGMA max_page_count=1000");
    run(place->db, "INSERT INTO t (bytes) VALUES (zeroblob(4000))");
}

/* ON CONFLICT ROLLBACK ends the transaction as a full disk does, but at will. */
static void test_transaction__ended_by_the_engine_commits_nothing_more(void **state)
{
    struct place *place = *state;
    dreamd_rows *rows = NULL;
    run(place->db, "INSERT INTO t (id) VALUES (1)");
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    run(place->db, "INSERT INTO t (id) VALUES (2)");
    assert_int_equal(dreamd_db_savepoint(place->db), DREAMD_DB_OK);
    assert_int_equal(dreamd_db_run(place->db, "INSERT OR ROLLBACK INTO t (id) VALUES (1)", DREAMD_NO_PARAMS, NULL),
                     DREAMD_DB_CONFLICT);
    dreamd_db_rollback_to_savepoint(place->db);
    /* A caller that only undid its part goes on; none of this may reach the file. */
    assert_int_equal(dreamd_db_run(place->db, "INSERT INTO t (id) VALUES (3)", DREAMD_NO_PARAMS, NULL),
                     DREAMD_DB_ERROR);
    assert_int_equal(dreamd_db_script(place->db, "INSERT INTO t (id) VALUES (4)"), DREAMD_DB_ERROR);
    assert_int_equal(dreamd_db_query(place->db, "SELECT 1", DREAMD_NO_PARAMS, &rows), DREAMD_DB_ERROR);
    assert_int_equal(dreamd_db_commit(place->db), DREAMD_DB_ERROR);
    dreamd_db_rollback(place->db);
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 1);
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    dreamd_db_rollback(place->db);
}

static void test_rollback__with_open_rows(void **state)
{
    struct place *place = *state;
    dreamd_rows *rows = NULL;
    run(place->db, "INSERT INTO t (id) VALUES (1), (2)");
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    run(place->db, "INSERT INTO t (id) VALUES (3)");
    assert_int_equal(dreamd_db_query(place->db, "SELECT id FROM t", DREAMD_NO_PARAMS, &rows), DREAMD_DB_OK);
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_ROW);
    dreamd_db_rollback(place->db);
    dreamd_rows_finish(rows);
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 2);
}

static void test_close__with_open_rows_and_transaction(void **state)
{
    struct place *place = *state;
    dreamd_rows *rows = NULL;
    assert_int_equal(dreamd_db_begin(place->db), DREAMD_DB_OK);
    run(place->db, "INSERT INTO t (id) VALUES (1)");
    assert_int_equal(dreamd_db_query(place->db, "SELECT id FROM t", DREAMD_NO_PARAMS, &rows), DREAMD_DB_OK);
    assert_int_equal(dreamd_rows_next(rows), DREAMD_DB_ROW);
    dreamd_db_close(place->db); /* its statements with it */
    place->db = open_path(place->path, DREAMD_DB_READ_WRITE);
    assert_int_equal(ask(place->db, "SELECT count(*) FROM t"), 0);
}

/* ---- damage ---- */

static void test_corrupt__page_is_told(void **state)
{
    struct place *place = *state;
    char garbage[4096];
    for (int i = 0; i < 200; i++)
        run(place->db, "INSERT INTO t (bytes) VALUES (zeroblob(2000))");
    dreamd_db_close(place->db); /* the last one moves the log into the file */
    place->db = NULL;
    int fd = open(place->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    memset(garbage, 0x5a, sizeof garbage);
    for (off_t page = 1; page < 100; page++)
        assert_int_equal(pwrite(fd, garbage, sizeof garbage, page * 4096), sizeof garbage);
    assert_int_equal(close(fd), 0);
    place->db = open_path(place->path, DREAMD_DB_READ_WRITE);
    dreamd_db_status status = dreamd_db_run(place->db, "SELECT sum(length(bytes)) FROM t", DREAMD_NO_PARAMS, NULL);
    assert_int_equal(status, DREAMD_DB_CORRUPT);
}

int main(void)
{
#define WITH_DB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up_folder, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_open__files_are_private_whatever_the_umask),
        WITH_DB(test_open__sets_what_durability_needs),
        WITH_FOLDER(test_open__says_why_it_cannot),
        cmocka_unit_test(test_open__long_path_leaves_room_for_the_reason),
        WITH_FOLDER(test_open__refuses_a_file_that_is_no_database),
        WITH_DB(test_open__refuses_what_this_user_may_not_write),
        WITH_DB(test_open__read_only_reads_and_does_not_write),
        WITH_DB(test_open__keeps_the_locks_of_another_connection),
        WITH_FOLDER(test_open__many_at_once_on_a_new_file),
        cmocka_unit_test(test_close__null_is_fine),
        WITH_DB(test_values__come_back_as_they_went_in),
        WITH_DB(test_values__number_may_be_used_twice_and_in_any_order),
        WITH_DB(test_values__of_a_query_are_copied),
        WITH_DB(test_values__wrong_number_or_spelling_is_refused),
        WITH_DB(test_values__do_not_stay_bound),
        WITH_DB(test_run__counts_changed_rows),
        WITH_DB(test_run__tells_conflict_from_fault),
        WITH_DB(test_run__statement_works_again_after_a_conflict),
        WITH_DB(test_query__returning_gives_rows),
        WITH_DB(test_query__same_sql_nests),
        WITH_DB(test_query__statement_is_reused),
        WITH_DB(test_query__address_that_holds_another_text_now),
        WITH_DB(test_query__more_statements_than_are_kept),
        WITH_DB(test_query__statement_survives_a_schema_change),
        WITH_DB(test_script__stops_at_the_first_failure),
        WITH_DB(test_transaction__rollback_undoes_and_commit_keeps),
        WITH_DB(test_transaction__misuse_is_refused),
        WITH_DB(test_transaction__savepoint_undoes_its_part_only),
        WITH_DB(test_transaction__second_writer_is_busy),
        WITH_DB(test_transaction__reader_keeps_its_snapshot),
        WITH_DB(test_full__is_told_and_passes),
        WITH_DB(test_transaction__ended_by_the_engine_commits_nothing_more),
        WITH_DB(test_rollback__with_open_rows),
        WITH_DB(test_close__with_open_rows_and_transaction),
        WITH_DB(test_corrupt__page_is_told),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
