/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - see report.h. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wire_wrong(wire_report *report, const char *format, ...)
{
    size_t used = strlen(report->text);
    va_list arguments;

    (void)snprintf(report->text + used, sizeof(report->text) - used, "#   ");
    used = strlen(report->text);
    va_start(arguments, format);
    (void)vsnprintf(report->text + used, sizeof(report->text) - used, format, arguments);
    va_end(arguments);
    used = strlen(report->text);
    (void)snprintf(report->text + used, sizeof(report->text) - used, "\n");
}

void wire_expect_text(wire_report *report, const char *what, const char *got, const char *expected)
{
    if (got == NULL || expected == NULL ? got != expected : strcmp(got, expected) != 0)
        wire_wrong(report, "%s: expected %s, not %s", what, expected == NULL ? "NULL" : expected,
                   got == NULL ? "NULL" : got);
}

void wire_expect_int(wire_report *report, const char *what, int64_t got, int64_t expected)
{
    if (got != expected)
        wire_wrong(report, "%s: expected %lld, not %lld", what, (long long)expected, (long long)got);
}

void wire_bail_out(const char *what, const char *where)
{
    printf("Bail out! %s: %s\n", what, where);
    exit(1);
}

/* ---- reading JSON ---- */

const cJSON *wire_member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *wire_text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(wire_member(object, name));
}

int64_t wire_int_of(const cJSON *object, const char *name, int64_t absent)
{
    const cJSON *item = wire_member(object, name);

    if (item == NULL)
        return absent;
    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : DREAMAPI_UNLIMITED;
}

int wire_bool_of(const cJSON *object, const char *name, int absent)
{
    const cJSON *item = wire_member(object, name);

    return item == NULL ? absent : cJSON_IsTrue(item);
}

/* Owned (free()); NULL if it cannot be read. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long size;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0
        && (text = calloc(1, (size_t)size + 1)) != NULL && fread(text, 1, (size_t)size, file) != (size_t)size)
        text[0] = '\0';
    if (file != NULL)
        fclose(file);
    return text;
}

void wire_must(dreamapi_status status)
{
    if (status != DREAMAPI_OK)
        wire_bail_out("setting up failed", dreamapi_status_name(status));
}

cJSON *wire_read_json(const char *path)
{
    char *text = read_file(path);
    cJSON *root = text == NULL ? NULL : cJSON_Parse(text);

    free(text);
    if (root == NULL)
        wire_bail_out("no JSON", path);
    return root;
}
