/* SPDX-License-Identifier: Apache-2.0 */
/* row.h - reading one row, the way every topic does it. Private to this folder. */
#ifndef DREAMD_SERVICE_STORE_ROW_H
#define DREAMD_SERVICE_STORE_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "net/db.h"

/* Runs a statement that gives at most one row. With a row, `*out_rows` stands on it and is the caller's to finish; without,
 * and on failure, it is NULL. */
dreamd_db_status dreamd_row_one(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                                dreamd_rows **out_rows);
/* Is there a row? */
dreamd_db_status dreamd_row_exists(dreamd_db *db, const char *sql, const dreamd_param *params, size_t count,
                                   bool *out_found);
/* Copies a text column, NULL as "". False when it does not fit: a key or status cut short would be another one. */
bool dreamd_row_text(const dreamd_rows *rows, int column, char *out, size_t size);
/* Copies a text column into the arena, NULL as NULL. False when out of memory. */
bool dreamd_row_dup(const dreamd_rows *rows, int column, dream_arena *arena, const char **out);
/* An integer column, NULL as `fallback`. */
int64_t dreamd_row_int(const dreamd_rows *rows, int column, int64_t fallback);

#endif
