/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - how values are written for people and for scripts. Everything a service or a file says passes through here: a name with
 * an escape sequence in it must not drive the reader's terminal. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CLI_NUMBER_SIZE = 40 };

/* Memory or the end of the program: CLI_EXIT_FAILED, with a message. */
void *cli_allocate(size_t size);
void *cli_reallocate(void *memory, size_t size);

/* A copy, owned (free()), in which control characters, marks that turn the direction of text, and bytes that are no UTF-8 are
 * written as \xNN. NULL gives "-". */
char *cli_text_harmless(const char *text);
/* Columns that the text takes on a terminal, wide characters counted as one. */
size_t cli_text_width(const char *text);

/* DREAMAPI_UNLIMITED is "unlimited", a negative number "-": not known. */
const char *cli_units(int64_t units, char out[CLI_NUMBER_SIZE]);
/* "29.00 USD" of the smallest unit; how many decimals there are is the currency's. `currency` NULL: cents of something. Negative
 * amounts are amounts. */
const char *cli_money(int64_t amount_minor, const char *currency, char out[CLI_NUMBER_SIZE]);
/* "2026-11-27 12:00:00Z" of milliseconds since 1970; 0 is "-". */
const char *cli_time(int64_t at_ms, char out[CLI_NUMBER_SIZE]);

/* A JSON document on one line: white space between values is dropped, control characters in texts are escaped. Its meaning
 * stays. */
void cli_json_line(FILE *out, const char *json);
/* A JSON text; NULL is null. */
void cli_json_text(FILE *out, const char *text);

#endif
