/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - rows in columns, for people (aligned) or for scripts (separated by tabs). Rows are printed in portions, so that a list
 * of any length takes the memory of one page: a column is as wide as its widest cell so far. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CLI_COLUMNS_MAX = 10 };

typedef struct cli_column {
    const char *title; /* NULL in the first one: no head */
    bool is_number;    /* to the right */
} cli_column;

typedef struct cli_table cli_table;

/* `columns` is borrowed; `out` gets the lines. Owned (cli_table_free). */
cli_table *cli_table_new(const cli_column *columns, size_t count, bool is_tsv, FILE *out);
/* Two columns without a head: a name and its value. */
cli_table *cli_table_new_fields(bool is_tsv, FILE *out);
/* Prints what is left; a table that nothing was added to and that was not flushed prints nothing. */
void cli_table_free(cli_table *table);

/* The next cell, by row. Copied and made harmless. NULL: "-". */
void cli_table_text(cli_table *table, const char *text);
void cli_table_units(cli_table *table, int64_t units);
void cli_table_money(cli_table *table, int64_t amount_minor, const char *currency);
void cli_table_time(cli_table *table, int64_t at_ms);
/* Of a table of fields. Nothing where `text` is NULL. */
void cli_table_field(cli_table *table, const char *name, const char *text);

/* Prints the rows so far and forgets them. */
void cli_table_flush(cli_table *table);

#endif
