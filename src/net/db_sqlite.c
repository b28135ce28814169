/* SPDX-License-Identifier: Apache-2.0 */
/* db_sqlite.c - db.h over SQLite. SQLite's names and codes stay in this file.
 * A connection is used by one thread at a time (SQLITE_OPEN_NOMUTEX); only opening takes a process-wide lock.
 *
 * Statements live in a hash table by the address of their SQL text and are reused. The text is compared too, as a caller
 * may hand in text from the heap whose address later holds another statement. While rows of a statement are open, the
 * same SQL gets a second one.
 *
 * SQLite ends a transaction by itself on some failures (disk full, I/O error, out of memory). What followed would then be
 * committed piece by piece, so from there on everything is refused until dreamd_db_rollback. */
#include "net/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CACHE_BUCKETS = 256, /* a power of two, about the number of statements in a service */
    CACHE_MAX = 1024,    /* statements kept; more come from SQL made at run time and are not worth keeping */
    BUSY_TIMEOUT_MS = 5000,
    BUSY_PAUSE_MS = 10,
    CHECKPOINT_PAGES = 1000,
    ERROR_SIZE = 256,
    PATH_SHOWN = 120,  /* bytes of a path in an error sentence, so that the rest still fits */
    MAX_PLACES = 32766 /* SQLite's own limit of parameters */
};

/* 64 MiB at most. A batch of 1000 settlements touches thousands of pages; in SQLite's 2 MB it would read most of them again. */
#define WRITER_CACHE "PRAGMA cache_size=-65536"

/* One prepared statement; also the handle of its open rows. */
struct dreamd_rows {
    dreamd_db *db;
    sqlite3_stmt *statement;
    const char *key;          /* the address only; never read */
    struct dreamd_rows *next; /* in its bucket */
    bool is_open;
    bool is_cached;
    int places;
    int values;          /* the highest n in $n */
    uint16_t value_of[]; /* place i + 1 in the statement takes value $value_of[i] */
};

struct dreamd_db {
    sqlite3 *handle;
    dreamd_rows *buckets[CACHE_BUCKETS];
    size_t cached;
    bool is_in_transaction; /* as the caller sees it; SQLite may have ended it */
    char message[ERROR_SIZE];
};

/* Held from the check whether a file exists until it was made and closed: closing any descriptor of a file drops all
 * POSIX locks this process has on it, also those of another connection. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t memory_once = PTHREAD_ONCE_INIT;

/* SQLite's count of its memory takes a lock of the whole process at each of the hundred or so allocations of a request, and nobody
 * asks for it. Refused once SQLite was used by somebody else: then it goes on counting. */
static void stop_counting_memory(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static dreamd_db_status status_of_constraint(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_CHECK:
    case SQLITE_CONSTRAINT_TRIGGER: /* RAISE(ABORT): a check that spans rows */
        return DREAMD_DB_CONFLICT;
    default: /* a foreign key or NOT NULL: the statement is wrong, not the data's state */
        return DREAMD_DB_ERROR;
    }
}

static dreamd_db_status status_of(int code)
{
    if (code == SQLITE_IOERR_NOMEM)
        return DREAMD_DB_NOMEM;
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
        return DREAMD_DB_OK;
    case SQLITE_ROW:
        return DREAMD_DB_ROW;
    case SQLITE_CONSTRAINT:
        return status_of_constraint(code);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return DREAMD_DB_BUSY;
    case SQLITE_FULL:
    case SQLITE_READONLY:
        return DREAMD_DB_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return DREAMD_DB_CORRUPT;
    case SQLITE_NOMEM:
        return DREAMD_DB_NOMEM;
    default:
        return DREAMD_DB_ERROR;
    }
}

/* Translates `code` and keeps its message. Extended codes are on, so `code` is one. */
static dreamd_db_status result(dreamd_db *db, int code)
{
    dreamd_db_status status = status_of(code);
    if (status != DREAMD_DB_OK && status != DREAMD_DB_ROW)
        (void)snprintf(db->message, sizeof db->message, "%s", sqlite3_errmsg(db->handle));
    return status;
}

static dreamd_db_status refuse(dreamd_db *db, dreamd_db_status status, const char *message)
{
    (void)snprintf(db->message, sizeof db->message, "%s", message);
    return status;
}

/* ---- opening ---- */

static bool is_file_name(const char *path)
{
    /* SQLite reads "" and ":memory:" as databases that vanish. */
    return path && path[0] && path[0] != ':';
}

/* The -wal and -shm files take the mode of the database, so only that one needs care. False: errno tells. */
static bool make_private_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return errno == EEXIST;
    bool is_done = fchmod(fd, S_IRUSR | S_IWUSR) == 0; /* whatever the umask took away */
    int kept = errno;
    (void)close(fd);
    errno = kept;
    return is_done;
}

static void explain_no_file(const char *path, int reason, char error[ERROR_SIZE])
{
    const char *advice = reason == ENOENT    ? "its folder does not exist; make it or choose another path"
                         : reason == EACCES  ? "this user may not write there; change the folder's owner or mode"
                         : reason == EROFS   ? "the file system is read-only; choose another path"
                         : reason == ENOSPC  ? "the disk is full; free some space"
                         : reason == ENOTDIR ? "a part of the path is a file, not a folder"
                                             : strerror(reason);
    (void)snprintf(error, ERROR_SIZE, "Cannot create the database %.*s: %s", PATH_SHOWN, path, advice);
}

static void explain_open(dreamd_db *db, const char *path, int code, char error[ERROR_SIZE])
{
    const char *advice = NULL;
    switch (status_of(code)) {
    case DREAMD_DB_CORRUPT:
        advice = (code & 0xff) == SQLITE_NOTADB ? "it is not a SQLite database; choose another path"
                                                : "it is damaged; restore a backup";
        break;
    case DREAMD_DB_BUSY:
        advice = "another process keeps it locked; stop that process or try again";
        break;
    case DREAMD_DB_FULL:
        advice = "it or its folder cannot be written (disk full or read-only); free space or change owner or mode";
        break;
    case DREAMD_DB_NOMEM:
        advice = "out of memory";
        break;
    default:
        if ((code & 0xff) == SQLITE_CANTOPEN)
            advice = "it does not exist, is not a file, or it or its folder is closed to this user";
        break;
    }
    if (!advice)
        advice = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
    (void)snprintf(error, ERROR_SIZE, "Cannot open the database %.*s: %s", PATH_SHOWN, path, advice);
}

static int open_handle(dreamd_db *db, const char *path, dreamd_db_mode mode, char error[ERROR_SIZE])
{
    bool is_made = true;
    int code = SQLITE_CANTOPEN;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= mode == DREAMD_DB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;

    pthread_mutex_lock(&open_lock);
    if (mode == DREAMD_DB_READ_WRITE)
        is_made = make_private_file(path);
    if (is_made)
        code = sqlite3_open_v2(path, &db->handle, flags, NULL);
    else
        explain_no_file(path, errno, error);
    pthread_mutex_unlock(&open_lock);
    if (is_made && code != SQLITE_OK)
        explain_open(db, path, code, error);
    return code;
}

static int is_wal_callback(void *out_is_wal, int count, char **values, char **names)
{
    (void)names;
    *(bool *)out_is_wal = count == 1 && values[0] && strcmp(values[0], "wal") == 0;
    return 0;
}

/* Changing to WAL needs the file alone for a moment, and SQLite does not always wait for it: processes that start
 * together on a new file would fail at random. */
static int enable_wal(dreamd_db *db, bool *out_is_wal)
{
    int code = SQLITE_BUSY;
    for (int waited_ms = 0; waited_ms < BUSY_TIMEOUT_MS; waited_ms += BUSY_PAUSE_MS) {
        code = sqlite3_exec(db->handle, "PRAGMA journal_mode=WAL", is_wal_callback, out_is_wal, NULL);
        if ((code & 0xff) != SQLITE_BUSY)
            break;
        (void)sqlite3_sleep(BUSY_PAUSE_MS);
    }
    return code;
}

static bool configure(dreamd_db *db, const char *path, dreamd_db_mode mode, char error[ERROR_SIZE])
{
    bool is_wal = mode == DREAMD_DB_READ_ONLY;
    (void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    /* The first statement reads the file's header, so this is where a file that is no database shows. */
    int code = sqlite3_exec(db->handle, "PRAGMA schema_version", NULL, NULL, NULL);
    if (code == SQLITE_OK && mode == DREAMD_DB_READ_WRITE && sqlite3_db_readonly(db->handle, "main") == 1)
        code = SQLITE_READONLY; /* SQLite falls back to reading a write-protected file */
    if (code == SQLITE_OK && mode == DREAMD_DB_READ_WRITE)
        code = enable_wal(db, &is_wal);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db->handle, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON", NULL, NULL, NULL);
    if (code == SQLITE_OK && mode == DREAMD_DB_READ_WRITE)
        code = sqlite3_exec(db->handle, WRITER_CACHE, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_wal_autocheckpoint(db->handle, CHECKPOINT_PAGES);
    if (code != SQLITE_OK) {
        explain_open(db, path, code, error);
        return false;
    }
    if (!is_wal)
        (void)snprintf(error, ERROR_SIZE,
                       "Cannot open the database %.*s: its file system has no shared memory, which write-ahead logging "
                       "needs; use a local disk",
                       PATH_SHOWN, path);
    return is_wal;
}

dreamd_db *dreamd_db_open_sqlite(const char *path, dreamd_db_mode mode, char error[256])
{
    error[0] = '\0';
    if (!is_file_name(path)) {
        (void)snprintf(error, ERROR_SIZE, "Cannot open the database \"%.*s\": give it a file name", PATH_SHOWN,
                       path ? path : "");
        return NULL;
    }
    (void)pthread_once(&memory_once, stop_counting_memory);
    dreamd_db *db = calloc(1, sizeof *db);
    if (!db) {
        (void)snprintf(error, ERROR_SIZE, "Cannot open the database %.*s: out of memory", PATH_SHOWN, path);
        return NULL;
    }
    if (open_handle(db, path, mode, error) != SQLITE_OK || !configure(db, path, mode, error)) {
        dreamd_db_close(db);
        return NULL;
    }
    return db;
}

const char *dreamd_db_message(const dreamd_db *db)
{
    return db->message;
}

/* ---- the statement cache ---- */

static dreamd_rows **bucket_of(dreamd_db *db, const char *sql)
{
    uint64_t hash = (uint64_t)(uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing: high bits are good */
    return &db->buckets[hash >> 56 & (CACHE_BUCKETS - 1)];
}

static void rows_free(dreamd_rows *rows)
{
    (void)sqlite3_finalize(rows->statement);
    free(rows);
}

void dreamd_db_close(dreamd_db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < CACHE_BUCKETS; i++) {
        while (db->buckets[i]) {
            dreamd_rows *rows = db->buckets[i];
            db->buckets[i] = rows->next;
            rows_free(rows);
        }
    }
    (void)sqlite3_close_v2(db->handle);
    free(db);
}

/* A cached statement that is free; drops one whose address now holds another text. */
static dreamd_rows *cache_find(dreamd_db *db, const char *sql)
{
    dreamd_rows **link = bucket_of(db, sql);
    while (*link) {
        dreamd_rows *rows = *link;
        if (rows->key == sql && !rows->is_open) {
            if (strcmp(sqlite3_sql(rows->statement), sql) == 0)
                return rows;
            *link = rows->next;
            db->cached--;
            rows_free(rows);
        } else {
            link = &rows->next;
        }
    }
    return NULL;
}

static void cache_add(dreamd_db *db, dreamd_rows *rows)
{
    if (db->cached >= CACHE_MAX)
        return;
    dreamd_rows **link = bucket_of(db, rows->key);
    rows->next = *link;
    *link = rows;
    rows->is_cached = true;
    db->cached++;
}

/* "$12" gives 12; 0 for any other kind of parameter. */
static int value_number(const char *name)
{
    int number = 0;
    if (!name || name[0] != '$' || name[1] == '0')
        return 0;
    for (const char *c = name + 1; *c; c++) {
        if (*c < '0' || *c > '9')
            return 0;
        number = number * 10 + (*c - '0');
        if (number > MAX_PLACES)
            return 0;
    }
    return number;
}

static bool map_places(dreamd_rows *rows)
{
    for (int i = 0; i < rows->places; i++) {
        int number = value_number(sqlite3_bind_parameter_name(rows->statement, i + 1));
        if (number == 0)
            return false;
        rows->value_of[i] = (uint16_t)number;
        if (number > rows->values)
            rows->values = number;
    }
    return true;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n;")] == '\0';
}

static dreamd_db_status prepare(dreamd_db *db, const char *sql, dreamd_rows **out_rows)
{
    sqlite3_stmt *statement = NULL;
    const char *rest = NULL;
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, &rest);
    if (code != SQLITE_OK)
        return result(db, code);
    /* A second statement would silently never run. */
    if (!statement || !is_blank(rest)) {
        (void)sqlite3_finalize(statement);
        return refuse(db, DREAMD_DB_ERROR, "exactly one SQL statement is wanted");
    }
    int places = sqlite3_bind_parameter_count(statement);
    dreamd_rows *rows = calloc(1, sizeof *rows + (size_t)places * sizeof rows->value_of[0]);
    if (!rows) {
        (void)sqlite3_finalize(statement);
        return refuse(db, DREAMD_DB_NOMEM, "out of memory");
    }
    *rows = (dreamd_rows){ .db = db, .statement = statement, .key = sql, .places = places };
    if (!map_places(rows)) {
        rows_free(rows);
        return refuse(db, DREAMD_DB_ERROR, "SQL parameters must be written $1, $2, ...");
    }
    cache_add(db, rows);
    *out_rows = rows;
    return DREAMD_DB_OK;
}

static int bind_value(sqlite3_stmt *statement, int place, const dreamd_param *value, sqlite3_destructor_type copies)
{
    switch (value->type) {
    case DREAMD_PARAM_INT:
        return sqlite3_bind_int64(statement, place, value->number);
    case DREAMD_PARAM_TEXT:
        return sqlite3_bind_text64(statement, place, value->bytes, value->size, copies, SQLITE_UTF8);
    case DREAMD_PARAM_BLOB:
        return sqlite3_bind_blob64(statement, place, value->bytes, value->size, copies);
    case DREAMD_PARAM_NULL:
    default:
        return sqlite3_bind_null(statement, place);
    }
}

static dreamd_db_status bind_all(dreamd_rows *rows, const dreamd_param *params, size_t count,
                                 sqlite3_destructor_type copies)
{
    if (count != (size_t)rows->values)
        return refuse(rows->db, DREAMD_DB_ERROR, "the SQL statement takes another number of values");
    for (int i = 0; i < rows->places; i++) {
        int code = bind_value(rows->statement, i + 1, &params[rows->value_of[i] - 1], copies);
        if (code != SQLITE_OK)
            return result(rows->db, code);
    }
    return DREAMD_DB_OK;
}

/* ---- running ---- */

/* False once SQLite ended the caller's transaction by itself; see the head of this file. */
static bool is_usable(const dreamd_db *db)
{
    return !(db->is_in_transaction && sqlite3_get_autocommit(db->handle));
}

static dreamd_db_status acquire(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                                sqlite3_destructor_type copies, dreamd_rows **out_rows)
{
    *out_rows = NULL;
    if (!is_usable(db)) /* keeps the message of the failure that ended it */
        return DREAMD_DB_ERROR;
    dreamd_rows *rows = cache_find(db, sql);
    dreamd_db_status status = rows ? DREAMD_DB_OK : prepare(db, sql, &rows);
    if (status != DREAMD_DB_OK)
        return status;
    rows->is_open = true;
    status = bind_all(rows, params, count, copies);
    if (status != DREAMD_DB_OK) {
        dreamd_rows_finish(rows);
        return status;
    }
    *out_rows = rows;
    return DREAMD_DB_OK;
}

dreamd_db_status dreamd_db_query(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                                 dreamd_rows **out_rows)
{
    /* Rows are stepped after this call, when the caller's values may be gone: SQLite copies them. */
    return acquire(db, sql, params, count, SQLITE_TRANSIENT, out_rows);
}

dreamd_db_status dreamd_rows_next(dreamd_rows *rows)
{
    return result(rows->db, sqlite3_step(rows->statement));
}

void dreamd_rows_finish(dreamd_rows *rows)
{
    if (!rows)
        return;
    (void)sqlite3_reset(rows->statement); /* repeats the failure that _next has already told */
    (void)sqlite3_clear_bindings(rows->statement);
    rows->is_open = false;
    if (!rows->is_cached)
        rows_free(rows);
}

dreamd_db_status dreamd_db_run(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                               int64_t *out_changed)
{
    dreamd_rows *rows = NULL;
    if (out_changed)
        *out_changed = 0;
    dreamd_db_status status = acquire(db, sql, params, count, SQLITE_STATIC, &rows);
    if (status != DREAMD_DB_OK)
        return status;
    int64_t before = sqlite3_total_changes64(db->handle);
    do {
        status = dreamd_rows_next(rows);
    } while (status == DREAMD_DB_ROW);
    /* sqlite3_changes64 keeps the figure of an earlier statement where this one changes no rows (CREATE, PRAGMA). */
    if (out_changed && status == DREAMD_DB_OK && sqlite3_total_changes64(db->handle) != before)
        *out_changed = sqlite3_changes64(db->handle);
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_db_script(dreamd_db *db, const char *sql)
{
    if (!is_usable(db))
        return DREAMD_DB_ERROR;
    return result(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

/* ---- transactions ---- */

static dreamd_db_status begin(dreamd_db *db, const char *sql)
{
    if (db->is_in_transaction)
        return refuse(db, DREAMD_DB_ERROR, "a transaction is already open");
    dreamd_db_status status = dreamd_db_run(db, sql, DREAMD_NO_PARAMS, NULL);
    db->is_in_transaction = status == DREAMD_DB_OK;
    return status;
}

dreamd_db_status dreamd_db_begin(dreamd_db *db)
{
    return begin(db, "BEGIN IMMEDIATE");
}

dreamd_db_status dreamd_db_begin_read(dreamd_db *db)
{
    return begin(db, "BEGIN");
}

dreamd_db_status dreamd_db_commit(dreamd_db *db)
{
    dreamd_db_status status = dreamd_db_run(db, "COMMIT", DREAMD_NO_PARAMS, NULL);
    if (status == DREAMD_DB_OK)
        db->is_in_transaction = false;
    return status;
}

void dreamd_db_rollback(dreamd_db *db)
{
    db->is_in_transaction = false;
    if (!sqlite3_get_autocommit(db->handle))
        (void)dreamd_db_run(db, "ROLLBACK", DREAMD_NO_PARAMS, NULL);
}

dreamd_db_status dreamd_db_savepoint(dreamd_db *db)
{
    /* Outside a transaction a savepoint would be one by itself, without the write lock. */
    if (!db->is_in_transaction)
        return refuse(db, DREAMD_DB_ERROR, "a savepoint needs an open transaction");
    return dreamd_db_run(db, "SAVEPOINT step", DREAMD_NO_PARAMS, NULL);
}

dreamd_db_status dreamd_db_release(dreamd_db *db)
{
    return dreamd_db_run(db, "RELEASE step", DREAMD_NO_PARAMS, NULL);
}

void dreamd_db_rollback_to_savepoint(dreamd_db *db)
{
    /* Two statements: ROLLBACK TO leaves the savepoint open. */
    if (dreamd_db_run(db, "ROLLBACK TO step", DREAMD_NO_PARAMS, NULL) == DREAMD_DB_OK)
        (void)dreamd_db_run(db, "RELEASE step", DREAMD_NO_PARAMS, NULL);
}

/* ---- columns ---- */

bool dreamd_rows_is_null(const dreamd_rows *rows, int column)
{
    return sqlite3_column_type(rows->statement, column) == SQLITE_NULL;
}

int64_t dreamd_rows_int(const dreamd_rows *rows, int column)
{
    return sqlite3_column_int64(rows->statement, column);
}

const char *dreamd_rows_text(const dreamd_rows *rows, int column)
{
    return (const char *)sqlite3_column_text(rows->statement, column);
}

const void *dreamd_rows_blob(const dreamd_rows *rows, int column, size_t *out_size)
{
    /* In this order: asking for the bytes may convert the value and so change its size. */
    const void *bytes = sqlite3_column_blob(rows->statement, column);
    *out_size = (size_t)sqlite3_column_bytes(rows->statement, column);
    return bytes;
}
