/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that lives exactly as long as one request.
 * Everything allocated from an arena is released by dream_arena_free, in one
 * step. Not thread-safe: a request is worked on by one thread at a time. */
#ifndef DREAM_COMMON_ARENA_H
#define DREAM_COMMON_ARENA_H

#include <stddef.h>

typedef struct dream_arena dream_arena;

dream_arena *dream_arena_new(void);        /* owned; NULL when out of memory */
void dream_arena_free(dream_arena *arena); /* NULL is fine */
/* All return NULL when out of memory; zeroed, aligned for any type. */
void *dream_arena_alloc(dream_arena *arena, size_t size);
char *dream_arena_strdup(dream_arena *arena, const char *text); /* NULL in, NULL out */
char *dream_arena_strndup(dream_arena *arena, const char *text, size_t size);
char *dream_arena_printf(dream_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
