/* SPDX-License-Identifier: Apache-2.0 */
/* db.h - a database connection, as narrow as the service needs, over SQLite (db_sqlite.c).
 * SQL uses $1, $2, ... and what both SQLite and PostgreSQL accept; a statement takes exactly the values it names.
 * A connection belongs to one thread at a time. Statements are prepared once per connection and SQL text (by address:
 * pass string literals) and reused. When the engine ends a transaction by itself (disk full, I/O error), everything is
 * refused with DREAMD_DB_ERROR until dreamd_db_rollback, so that nothing of it is committed piece by piece. */
#ifndef DREAMD_NET_DB_H
#define DREAMD_NET_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dreamd_db dreamd_db;
typedef struct dreamd_rows dreamd_rows;

typedef enum dreamd_db_status {
    DREAMD_DB_OK = 0,
    DREAMD_DB_ROW,      /* dreamd_rows_next: a row is there */
    DREAMD_DB_CONFLICT, /* a unique or check constraint refused the row */
    DREAMD_DB_BUSY, /* locked by another process for longer than the busy timeout, or a serialization failure: try again */
    DREAMD_DB_FULL, /* disk full or read-only */
    DREAMD_DB_CORRUPT,
    DREAMD_DB_NOMEM,
    DREAMD_DB_ERROR /* anything else: dreamd_db_message */
} dreamd_db_status;

typedef struct dreamd_param {
    enum { DREAMD_PARAM_NULL, DREAMD_PARAM_INT, DREAMD_PARAM_TEXT, DREAMD_PARAM_BLOB } type;
    int64_t number;
    const void *bytes;
    size_t size;
} dreamd_param;

dreamd_param dreamd_text(const char *text); /* NULL binds NULL; borrowed until the call returns */
dreamd_param dreamd_int(int64_t number);
dreamd_param dreamd_opt_int(const int64_t *number); /* NULL binds NULL */
dreamd_param dreamd_blob(const void *bytes, size_t size);
dreamd_param dreamd_null(void);
/* dreamd_db_run(db, "UPDATE t SET a=$1 WHERE b=$2", DREAMD_PARAMS(dreamd_int(1), dreamd_text(b)), &changed); */
#define DREAMD_PARAMS(...)                                                                                             \
    (const dreamd_param[]){ __VA_ARGS__ }, sizeof((const dreamd_param[]){ __VA_ARGS__ }) / sizeof(dreamd_param)
#define DREAMD_NO_PARAMS NULL, 0

typedef enum dreamd_db_mode { DREAMD_DB_READ_WRITE, DREAMD_DB_READ_ONLY } dreamd_db_mode;

/* WAL, synchronous=FULL, foreign keys on, busy timeout 5 s. Files are made with mode 0600. `error` says what to do. */
dreamd_db *dreamd_db_open_sqlite(const char *path, dreamd_db_mode mode, char error[256]);
void dreamd_db_close(dreamd_db *db);                /* NULL is fine */
const char *dreamd_db_message(const dreamd_db *db); /* of the last failure; borrowed */

dreamd_db_status dreamd_db_begin(dreamd_db *db);      /* takes the write lock at once (BEGIN IMMEDIATE) */
dreamd_db_status dreamd_db_begin_read(dreamd_db *db); /* a snapshot, taken by the first query */
dreamd_db_status dreamd_db_commit(dreamd_db *db);
void dreamd_db_rollback(dreamd_db *db);
dreamd_db_status dreamd_db_savepoint(dreamd_db *db); /* one level */
dreamd_db_status dreamd_db_release(dreamd_db *db);
void dreamd_db_rollback_to_savepoint(dreamd_db *db);

/* Several statements without parameters, for migrations. */
dreamd_db_status dreamd_db_script(dreamd_db *db, const char *sql);
/* One statement; `out_changed` (may be NULL) gets the number of rows changed. */
dreamd_db_status dreamd_db_run(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                               int64_t *out_changed);
/* One statement with rows (SELECT, or ... RETURNING). Step with _next until it is not DREAMD_DB_ROW, then _finish, always. */
dreamd_db_status dreamd_db_query(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                                 dreamd_rows **out_rows);
dreamd_db_status dreamd_rows_next(dreamd_rows *rows);
void dreamd_rows_finish(dreamd_rows *rows); /* NULL is fine */
bool dreamd_rows_is_null(const dreamd_rows *rows, int column);
int64_t dreamd_rows_int(const dreamd_rows *rows, int column);
const char *dreamd_rows_text(const dreamd_rows *rows, int column); /* NULL for NULL; borrowed until _next or _finish */
const void *dreamd_rows_blob(const dreamd_rows *rows, int column, size_t *out_size);

#endif
