/* SPDX-License-Identifier: Apache-2.0 */
/* refusing.h - an allocator that refuses one allocation, chosen by its number, for programs that are linked with
 * `refusing_link_args` (tests/meson.build): the linker then sends our own allocations to refusing.c. Any thread. */
#ifndef TESTS_SUPPORT_REFUSING_H
#define TESTS_SUPPORT_REFUSING_H

#include <stdbool.h>
#include <stddef.h>

/* Counts from 0 again and refuses the allocation with this number; a negative one refuses none. */
void refusing_begin(long index);
/* The same for this thread alone: the server of the test, on threads of its own, keeps its memory. */
void refusing_begin_here(long index);
/* Refuses no more. True when the allocation that was to be refused was asked for. */
bool refusing_end(void);
bool refusing_is_on(void);
long refusing_count(void); /* allocations since refusing_begin */

/* For libraries that take an allocator instead: cJSON through its hooks, libcurl through curl_global_init_mem. */
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

#endif
