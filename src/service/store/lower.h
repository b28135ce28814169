/* SPDX-License-Identifier: Apache-2.0 */
/* lower.h - names of plans compare without case: ASCII letters only, in any locale, so that every engine agrees.
 * Private to this folder. */
#ifndef DREAMD_SERVICE_STORE_LOWER_H
#define DREAMD_SERVICE_STORE_LOWER_H

static inline void dreamd_lower(char *text)
{
    for (; *text; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
    }
}

#endif
