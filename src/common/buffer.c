/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.c - the growable byte string. Storage doubles, so appending is linear
 * over a text's life. A secret buffer never goes through realloc: that could
 * leave a copy of the old bytes in freed memory. One owner, no locks. */
#include "common/buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"

enum { FIRST_CAPACITY = 64 };

static void release(dream_buffer *buffer)
{
    if (buffer->is_secret)
        dream_wipe(buffer->data, buffer->capacity);
    free(buffer->data);
    buffer->data = NULL;
    buffer->size = 0;
    buffer->capacity = 0;
}

static bool grow_to(dream_buffer *buffer, size_t capacity)
{
    char *data;

    if (!buffer->is_secret) {
        data = realloc(buffer->data, capacity);
        if (data == NULL)
            return false;
    } else {
        data = malloc(capacity);
        if (data == NULL)
            return false;
        if (buffer->data != NULL)
            memcpy(data, buffer->data, buffer->size + 1);
        dream_wipe(buffer->data, buffer->capacity);
        free(buffer->data);
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

/* Makes room for `size` more bytes and the NUL; remembers the failure if there is none to have. */
static bool reserve(dream_buffer *buffer, size_t size)
{
    size_t needed;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;

    if (buffer->is_failed)
        return false;
    if (size >= SIZE_MAX / 2 - buffer->size)
        goto failed;
    if (buffer->limit > 0 && (size > buffer->limit || buffer->size > buffer->limit - size))
        goto failed;
    needed = buffer->size + size + 1;
    if (needed <= buffer->capacity)
        return true;
    while (capacity < needed)
        capacity *= 2;
    if (grow_to(buffer, capacity))
        return true;
failed:
    buffer->is_failed = true;
    return false;
}

void dream_buffer_reserve(dream_buffer *buffer, size_t size)
{
    (void)reserve(buffer, size);
}

char *dream_buffer_extend(dream_buffer *buffer, size_t size)
{
    char *added;

    /* Most texts are made of many short pieces. */
    if ((size >= buffer->capacity - buffer->size || buffer->limit > 0 || buffer->is_failed) && !reserve(buffer, size))
        return NULL;
    added = buffer->data + buffer->size;
    buffer->size += size;
    added[size] = '\0';
    return added;
}

void dream_buffer_append(dream_buffer *buffer, const void *bytes, size_t size)
{
    char *to = dream_buffer_extend(buffer, size);

    if (to != NULL && size > 0)
        memcpy(to, bytes, size);
}

void dream_buffer_text(dream_buffer *buffer, const char *text)
{
    dream_buffer_append(buffer, text, strlen(text));
}

void dream_buffer_char(dream_buffer *buffer, char c)
{
    dream_buffer_append(buffer, &c, 1);
}

void dream_buffer_printf(dream_buffer *buffer, const char *format, ...)
{
    va_list arguments, measured;
    int size;

    va_start(arguments, format);
    va_copy(measured, arguments);
    size = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (size < 0) {
        buffer->is_failed = true;
    } else if (reserve(buffer, (size_t)size)) {
        (void)vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, arguments);
        buffer->size += (size_t)size;
    }
    va_end(arguments);
}

const char *dream_buffer_str(const dream_buffer *buffer)
{
    if (buffer->is_failed)
        return NULL;
    return buffer->data != NULL ? buffer->data : "";
}

char *dream_buffer_take(dream_buffer *buffer)
{
    char *data = NULL;

    /* An empty text is a result too: give it storage to hand over. */
    dream_buffer_append(buffer, "", 0);
    if (!buffer->is_failed) {
        data = buffer->data;
        buffer->data = NULL;
    }
    dream_buffer_clear(buffer);
    return data;
}

void dream_buffer_clear(dream_buffer *buffer)
{
    release(buffer);
    buffer->is_failed = false;
}
