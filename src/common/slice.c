/* SPDX-License-Identifier: Apache-2.0 */
/* slice.c - what is asked of pieces of text. */
#include "common/slice.h"

#include <string.h>

dream_slice dream_slice_of(const char *text)
{
    return (dream_slice){ text, text == NULL ? 0 : strlen(text) };
}

bool dream_slice_is(dream_slice slice, const char *text)
{
    return slice.size == strlen(text) && memcmp(slice.at, text, slice.size) == 0;
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t';
}

dream_slice dream_slice_trim(dream_slice slice)
{
    while (slice.size > 0 && is_white(slice.at[0])) {
        slice.at++;
        slice.size--;
    }
    while (slice.size > 0 && is_white(slice.at[slice.size - 1]))
        slice.size--;
    return slice;
}
