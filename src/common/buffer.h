/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.h - a growable byte string that remembers running out of memory.
 * Appends after a failure do nothing, so a caller builds a whole text and asks
 * once at the end. Not thread-safe; one owner. */
#ifndef DREAM_COMMON_BUFFER_H
#define DREAM_COMMON_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct dream_buffer {
    char *data;  /* always NUL-terminated once anything was appended; NULL before */
    size_t size; /* bytes used, without the NUL */
    size_t capacity;
    size_t limit;   /* most bytes ever held; 0 = no limit. Going over counts as a failure */
    bool is_failed; /* out of memory, or over `limit` */
    bool is_secret; /* wipe old storage when growing and when cleared */
} dream_buffer;

#define DREAM_BUFFER_INIT                                                                                              \
    {                                                                                                                  \
        NULL, 0, 0, 0, false, false                                                                                    \
    }

/* Makes room for `size` more bytes, so that appending them moves nothing. */
void dream_buffer_reserve(dream_buffer *buffer, size_t size);
/* Appends `size` bytes that the caller writes at the returned place; NULL after a failure. */
char *dream_buffer_extend(dream_buffer *buffer, size_t size);
void dream_buffer_append(dream_buffer *buffer, const void *bytes, size_t size);
void dream_buffer_text(dream_buffer *buffer, const char *text);
void dream_buffer_char(dream_buffer *buffer, char c);
void dream_buffer_printf(dream_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The content, never NULL unless failed; borrowed until the next append. */
const char *dream_buffer_str(const dream_buffer *buffer);
/* Hands the storage to the caller (owned, free()); NULL if failed. The buffer is empty afterwards. */
char *dream_buffer_take(dream_buffer *buffer);
void dream_buffer_clear(dream_buffer *buffer); /* releases the storage; may be used again */

#endif
