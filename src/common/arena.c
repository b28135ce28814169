/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - a list of blocks, cut from the front. Blocks come zeroed, so an
 * allocation needs no further clearing; something larger than a block gets one
 * of its own. No locks: one thread works on a request at a time. */
#include "common/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 4096, ALIGNMENT = _Alignof(max_align_t) };

struct block {
    struct block *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

struct dream_arena {
    struct block *blocks; /* the newest first; only that one is cut from */
};

dream_arena *dream_arena_new(void)
{
    return calloc(1, sizeof(dream_arena));
}

void dream_arena_free(dream_arena *arena)
{
    struct block *block, *next;

    if (arena == NULL)
        return;
    for (block = arena->blocks; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

/* Links a block with at least `size` free bytes. A large one goes behind the
 * newest, so that the rest of the newest stays in use. */
static struct block *block_add(dream_arena *arena, size_t size)
{
    size_t payload = size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE;
    struct block *block = calloc(1, sizeof(*block) + payload);

    if (block == NULL)
        return NULL;
    block->size = payload;
    if (payload != BLOCK_SIZE && arena->blocks != NULL) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *dream_arena_alloc(dream_arena *arena, size_t size)
{
    struct block *block = arena->blocks;
    char *bytes;

    if (size > SIZE_MAX / 2)
        return NULL;
    /* Nothing asked for still gets an address of its own. */
    size = size > 0 ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    if (block == NULL || size > block->size - block->used)
        block = block_add(arena, size);
    if (block == NULL)
        return NULL;
    bytes = block->bytes + block->used;
    block->used += size;
    return bytes;
}

char *dream_arena_strdup(dream_arena *arena, const char *text)
{
    return text != NULL ? dream_arena_strndup(arena, text, strlen(text)) : NULL;
}

char *dream_arena_strndup(dream_arena *arena, const char *text, size_t size)
{
    char *copy;

    if (text == NULL || size == SIZE_MAX)
        return NULL;
    size = strnlen(text, size);
    copy = dream_arena_alloc(arena, size + 1);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

char *dream_arena_printf(dream_arena *arena, const char *format, ...)
{
    va_list arguments, measured;
    char *text = NULL;
    int size;

    va_start(arguments, format);
    va_copy(measured, arguments);
    size = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (size >= 0)
        text = dream_arena_alloc(arena, (size_t)size + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return text;
}
