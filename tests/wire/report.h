/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what the programs of this folder share: sentences about what was wrong, and reading their JSON files. One thread. */
#ifndef DREAM_TESTS_WIRE_REPORT_H
#define DREAM_TESTS_WIRE_REPORT_H

#include <cjson/cJSON.h>
#include <dreamapi.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wire_report {
    char text[8192]; /* TAP's comment lines; "": nothing was wrong so far */
} wire_report;

void wire_wrong(wire_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* NULL is a text of its own. */
void wire_expect_text(wire_report *report, const char *what, const char *got, const char *expected);
void wire_expect_int(wire_report *report, const char *what, int64_t got, int64_t expected);

/* Ends the program: this is no finding, but a test that cannot run. */
void wire_bail_out(const char *what, const char *where) __attribute__((noreturn));
void wire_must(dreamapi_status status);

/* Owned (cJSON_Delete). */
cJSON *wire_read_json(const char *path);
const cJSON *wire_member(const cJSON *object, const char *name);
/* NULL for what is absent, null or no text: as the accessors have it. */
const char *wire_text_of(const cJSON *object, const char *name);
/* "unlimited" and null are without an end; `absent` stands in for nothing at all. */
int64_t wire_int_of(const cJSON *object, const char *name, int64_t absent);
int wire_bool_of(const cJSON *object, const char *name, int absent);

#ifdef __cplusplus
}
#endif

#endif
