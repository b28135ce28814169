/* SPDX-License-Identifier: Apache-2.0 */
/* slice.h - a piece of somebody else's text, for reading headers without copying them. Borrowed, any thread. */
#ifndef DREAM_COMMON_SLICE_H
#define DREAM_COMMON_SLICE_H

#include <stdbool.h>
#include <stddef.h>

/* Need not end in a NUL; `at` NULL: none. */
typedef struct dream_slice {
    const char *at;
    size_t size;
} dream_slice;

/* The whole of `text`; NULL gives none. */
dream_slice dream_slice_of(const char *text);
/* `slice` is not none. */
bool dream_slice_is(dream_slice slice, const char *text);
/* Without the spaces and tabs around it. */
dream_slice dream_slice_trim(dream_slice slice);

#endif
