/* SPDX-License-Identifier: Apache-2.0 */
/* form.c - the nested form parser. It builds tables only and turns numbered ones into arrays at the end, so that pairs may
 * come in any order and a number costs no memory by its size. No state, any thread. */
#include "sandbox/form.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/encoding.h"
#include "common/json.h"

/* An array index has at most this many digits: SANDBOX_FORM_MAX_PAIRS needs no more. */
enum { MAX_INDEX_DIGITS = 4 };

/* A name cut at its brackets: "a[b][]" is "a", "b", "". */
typedef struct name_parts {
    char text[SANDBOX_FORM_MAX_NAME];
    const char *part[SANDBOX_FORM_MAX_DEPTH];
    size_t count;
} name_parts;

static bool is_utf8(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p) {
        unsigned lead = *p++;
        unsigned more = lead < 0x80                   ? 0
                        : lead >= 0xC2 && lead < 0xE0 ? 1
                        : (lead & 0xF0) == 0xE0       ? 2
                        : lead >= 0xF0 && lead < 0xF5 ? 3
                                                      : 4;
        if (more == 4)
            return false;
        /* The first continuation byte also rules out overlong forms, surrogates and what lies beyond U+10FFFF. */
        if ((lead == 0xE0 && *p < 0xA0) || (lead == 0xED && *p > 0x9F) || (lead == 0xF0 && *p < 0x90)
            || (lead == 0xF4 && *p > 0x8F))
            return false;
        for (; more > 0; more--, p++)
            if ((*p & 0xC0) != 0x80)
                return false;
    }
    return true;
}

static sandbox_form_status split_name(const char *name, name_parts *parts)
{
    size_t size = strlen(name);
    if (size >= sizeof parts->text)
        return SANDBOX_FORM_TOO_LARGE;
    memcpy(parts->text, name, size + 1);
    char *rest = parts->text;
    parts->part[0] = rest;
    parts->count = 1;
    rest += strcspn(rest, "[]");
    if (rest == parts->text)
        return SANDBOX_FORM_MALFORMED;
    while (*rest) {
        char *close = *rest == '[' ? strpbrk(rest + 1, "[]") : NULL;
        if (!close || *close != ']')
            return SANDBOX_FORM_MALFORMED;
        if (parts->count == SANDBOX_FORM_MAX_DEPTH)
            return SANDBOX_FORM_TOO_LARGE;
        *rest = *close = '\0';
        /* "[]" appends a value; in the middle of a name it would be ambiguous. */
        if (close == rest + 1 && close[1])
            return SANDBOX_FORM_MALFORMED;
        parts->part[parts->count++] = rest + 1;
        rest = close + 1;
    }
    return SANDBOX_FORM_OK;
}

static sandbox_form_status put_leaf(cJSON *table, const char *key, const char *value)
{
    cJSON *old = cJSON_GetObjectItemCaseSensitive(table, key);
    if (old && !cJSON_IsString(old))
        return SANDBOX_FORM_MALFORMED;
    cJSON *leaf = cJSON_CreateString(value);
    if (!leaf)
        return SANDBOX_FORM_NOMEM;
    bool done =
        old ? cJSON_ReplaceItemInObjectCaseSensitive(table, key, leaf) : cJSON_AddItemToObject(table, key, leaf);
    if (!done && !old)
        cJSON_Delete(leaf);
    return done ? SANDBOX_FORM_OK : SANDBOX_FORM_NOMEM;
}

/* "name[]": the key is the number of values there, so that mixing "[]" with numbers still keeps every value. */
static sandbox_form_status append_leaf(cJSON *table, const char *value)
{
    char key[16];
    int next = cJSON_GetArraySize(table);
    do
        (void)snprintf(key, sizeof key, "%d", next++);
    while (cJSON_GetObjectItemCaseSensitive(table, key));
    return put_leaf(table, key, value);
}

sandbox_form_status sandbox_form_add(cJSON *root, const char *name, const char *value)
{
    name_parts parts;
    if (!is_utf8(name) || !is_utf8(value))
        return SANDBOX_FORM_MALFORMED;
    sandbox_form_status status = split_name(name, &parts);
    if (status != SANDBOX_FORM_OK)
        return status;
    cJSON *table = root;
    for (size_t i = 0; i + 1 < parts.count; i++) {
        cJSON *next = cJSON_GetObjectItemCaseSensitive(table, parts.part[i]);
        if (next && !cJSON_IsObject(next))
            return SANDBOX_FORM_MALFORMED;
        if (!next)
            next = cJSON_AddObjectToObject(table, parts.part[i]);
        if (!next)
            return SANDBOX_FORM_NOMEM;
        table = next;
    }
    const char *last = parts.part[parts.count - 1];
    return *last ? put_leaf(table, last, value) : append_leaf(table, value);
}

static bool is_index(const char *key)
{
    size_t digits = strspn(key, "0123456789");
    return digits > 0 && digits <= MAX_INDEX_DIGITS && !key[digits];
}

static bool is_numbered(const cJSON *table)
{
    const cJSON *child;
    cJSON_ArrayForEach(child, table) if (!is_index(child->string)) return false;
    return table->child != NULL;
}

static int compare_index(const void *a, const void *b)
{
    const cJSON *left = *(cJSON *const *)a;
    const cJSON *right = *(cJSON *const *)b;
    long difference = strtol(left->string, NULL, 10) - strtol(right->string, NULL, 10);
    return difference ? (difference < 0 ? -1 : 1) : strcmp(left->string, right->string);
}

static sandbox_form_status number_to_array(cJSON *table)
{
    size_t count = (size_t)cJSON_GetArraySize(table);
    cJSON **items = calloc(count, sizeof *items);
    if (!items)
        return SANDBOX_FORM_NOMEM;
    for (size_t i = 0; i < count; i++)
        items[i] = cJSON_DetachItemViaPointer(table, table->child);
    qsort(items, count, sizeof *items, compare_index);
    table->type = cJSON_Array;
    for (size_t i = 0; i < count; i++)
        (void)cJSON_AddItemToArray(table, items[i]); /* links in place: cannot fail */
    free(items);
    return SANDBOX_FORM_OK;
}

/* Depth is bounded by split_name. */
static sandbox_form_status finish_table(cJSON *table)
{
    cJSON *child;
    cJSON_ArrayForEach(child, table)
    {
        if (!cJSON_IsObject(child))
            continue;
        sandbox_form_status status = finish_table(child);
        if (status == SANDBOX_FORM_OK && is_numbered(child) && strcmp(child->string, "metadata") != 0)
            status = number_to_array(child);
        if (status != SANDBOX_FORM_OK)
            return status;
    }
    return SANDBOX_FORM_OK;
}

sandbox_form_status sandbox_form_finish(cJSON *root)
{
    return finish_table(root);
}

static sandbox_form_status parse_pair(cJSON *root, const char *pair, size_t size)
{
    const char *equals = memchr(pair, '=', size);
    size_t name_size = equals ? (size_t)(equals - pair) : size;
    dream_buffer name = DREAM_BUFFER_INIT;
    dream_buffer value = DREAM_BUFFER_INIT;
    sandbox_form_status status = SANDBOX_FORM_MALFORMED;
    if (!dream_percent_decode(&name, pair, name_size, true))
        goto done;
    if (equals && !dream_percent_decode(&value, equals + 1, size - name_size - 1, true))
        goto done;
    status = SANDBOX_FORM_NOMEM;
    if (name.is_failed || value.is_failed)
        goto done;
    status = sandbox_form_add(root, dream_buffer_str(&name), dream_buffer_str(&value));
done:
    dream_buffer_clear(&name);
    dream_buffer_clear(&value);
    return status;
}

sandbox_form_status sandbox_form_parse(const char *body, size_t size, cJSON **out_root)
{
    const char *end = body + size;
    size_t pairs = 0;
    sandbox_form_status status = SANDBOX_FORM_OK;
    *out_root = NULL;
    cJSON *root = cJSON_CreateObject();
    if (!root)
        return SANDBOX_FORM_NOMEM;
    while (status == SANDBOX_FORM_OK && body < end) {
        const char *stop = memchr(body, '&', (size_t)(end - body));
        if (!stop)
            stop = end;
        if (stop > body)
            status = ++pairs > SANDBOX_FORM_MAX_PAIRS ? SANDBOX_FORM_TOO_LARGE
                                                      : parse_pair(root, body, (size_t)(stop - body));
        body = stop < end ? stop + 1 : end;
    }
    if (status == SANDBOX_FORM_OK)
        status = sandbox_form_finish(root);
    if (status == SANDBOX_FORM_OK)
        *out_root = root;
    else
        cJSON_Delete(root);
    return status;
}
