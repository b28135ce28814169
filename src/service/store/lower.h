/* SPDX-License-Identifier: Apache-2.0 */
/* lower.h - names of plans, and addresses, compare without case: ASCII letters only, in any locale, so that every engine agrees.
 * Private to this folder. */
#ifndef DREAMD_SERVICE_STORE_LOWER_H
#define DREAMD_SERVICE_STORE_LOWER_H

#include <stdbool.h>

static inline void dreamd_lower(char *text)
{
    for (; *text; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
    }
}

/* `start` is in lower case already. */
static inline bool dreamd_begins_lower(const char *text, const char *start)
{
    for (; *start; text++, start++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
        if (c != *start)
            return false;
    }
    return true;
}

#endif
