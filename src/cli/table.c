/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - aligning columns. What a cell says is text.c. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "terminal.h"
#include "text.h"

struct cli_table {
    const cli_column *columns;
    size_t column_count;
    bool is_tsv;
    bool has_head; /* to be printed yet */
    FILE *out;
    size_t widths[CLI_COLUMNS_MAX];
    char **cells; /* row by row */
    size_t cell_count;
    size_t room;
};

cli_table *cli_table_new(const cli_column *columns, size_t count, bool is_tsv, FILE *out)
{
    cli_table *table = cli_allocate(sizeof *table);

    memset(table, 0, sizeof *table);
    table->columns = columns;
    table->column_count = count;
    table->is_tsv = is_tsv;
    table->has_head = columns[0].title != NULL;
    table->out = out;
    for (size_t i = 0; i < count && table->has_head; i++)
        table->widths[i] = cli_text_width(columns[i].title);
    return table;
}

cli_table *cli_table_new_fields(bool is_tsv, FILE *out)
{
    static const cli_column columns[] = { { NULL, false }, { NULL, false } };

    return cli_table_new(columns, 2, is_tsv, out);
}

void cli_table_text(cli_table *table, const char *text)
{
    char *cell = cli_text_harmless(text && text[0] != '\0' ? text : NULL);
    size_t width = cli_text_width(cell);
    size_t column = table->cell_count % table->column_count;

    if (table->cell_count == table->room) {
        table->room = table->room > 0 ? table->room * 2 : 64;
        table->cells = cli_reallocate(table->cells, table->room * sizeof *table->cells);
    }
    table->cells[table->cell_count++] = cell;
    if (width > table->widths[column])
        table->widths[column] = width;
}

void cli_table_units(cli_table *table, int64_t units)
{
    char text[CLI_NUMBER_SIZE];

    cli_table_text(table, cli_units(units, text));
}

void cli_table_money(cli_table *table, int64_t amount_minor, const char *currency)
{
    char text[CLI_NUMBER_SIZE];

    cli_table_text(table, cli_money(amount_minor, currency, text));
}

void cli_table_time(cli_table *table, int64_t at_ms)
{
    char text[CLI_NUMBER_SIZE];

    cli_table_text(table, cli_time(at_ms, text));
}

void cli_table_field(cli_table *table, const char *name, const char *text)
{
    if (!text)
        return;
    cli_table_text(table, name);
    cli_table_text(table, text);
}

static void print_cell(const cli_table *table, size_t column, const char *text)
{
    bool is_last = column + 1 == table->column_count;
    size_t width = cli_text_width(text);
    int space = table->is_tsv || width > table->widths[column] ? 0 : (int)(table->widths[column] - width);
    bool is_number = table->columns[column].is_number;

    (void)fprintf(table->out, "%*s%s%*s%s", is_number ? space : 0, "", text, is_number || is_last ? 0 : space, "",
                  is_last         ? ""
                  : table->is_tsv ? "\t"
                                  : "  ");
}

static void print_head(cli_table *table)
{
    bool is_bold = !table->is_tsv && cli_has_colour(table->out);

    (void)fputs(is_bold ? "\033[1m" : "", table->out);
    for (size_t i = 0; i < table->column_count; i++)
        print_cell(table, i, table->columns[i].title);
    (void)fputs(is_bold ? "\033[0m\n" : "\n", table->out);
    table->has_head = false;
}

void cli_table_flush(cli_table *table)
{
    cli_progress_pause();
    if (table->has_head)
        print_head(table);
    for (size_t i = 0; i < table->cell_count; i++) {
        print_cell(table, i % table->column_count, table->cells[i]);
        if ((i + 1) % table->column_count == 0)
            (void)fputc('\n', table->out);
        free(table->cells[i]);
    }
    table->cell_count = 0;
    cli_output_flush(table->out);
    cli_progress_resume();
}

void cli_table_free(cli_table *table)
{
    if (table->cell_count > 0)
        cli_table_flush(table);
    free(table->cells);
    free(table);
}
