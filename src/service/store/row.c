/* SPDX-License-Identifier: Apache-2.0 */
/* row.c - reading one row: dreamd_row_one and the ways to take its columns. Whoever asked finishes the row. */
#include "service/store/row.h"

#include <string.h>

dreamd_db_status dreamd_row_one(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                                dreamd_rows **out_rows)
{
    dreamd_rows *rows = NULL;
    *out_rows = NULL;
    dreamd_db_status status = dreamd_db_query(db, sql, params, count, &rows);
    if (status != DREAMD_DB_OK)
        return status;
    status = dreamd_rows_next(rows);
    if (status == DREAMD_DB_ROW) {
        *out_rows = rows;
        return DREAMD_DB_OK;
    }
    dreamd_rows_finish(rows);
    return status;
}

dreamd_db_status dreamd_row_exists(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                                   bool *out_found)
{
    dreamd_rows *rows = NULL;
    dreamd_db_status status = dreamd_row_one(db, sql, params, count, &rows);
    *out_found = rows != NULL;
    dreamd_rows_finish(rows);
    return status;
}

bool dreamd_row_text(const dreamd_rows *rows, int column, char *out, size_t size)
{
    const char *text = dreamd_rows_text(rows, column);
    size_t length = text ? strlen(text) : 0;
    if (length >= size)
        return false;
    memcpy(out, text ? text : "", length + 1);
    return true;
}

bool dreamd_row_dup(const dreamd_rows *rows, int column, dream_arena *arena, const char **out)
{
    const char *text = dreamd_rows_text(rows, column);
    *out = dream_arena_strdup(arena, text);
    return *out || dreamd_rows_is_null(rows, column);
}

int64_t dreamd_row_int(const dreamd_rows *rows, int column, int64_t fallback)
{
    return dreamd_rows_is_null(rows, column) ? fallback : dreamd_rows_int(rows, column);
}
