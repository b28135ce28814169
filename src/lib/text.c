/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - checks of texts from callers, before they are put on the wire. */
#include "lib/text.h"

#include <string.h>

#include "common/encoding.h"

static bool all_between(const char *text, size_t max, unsigned char low, unsigned char high)
{
    size_t size = strnlen(text, max + 1);

    if (size == 0 || size > max)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < low || c > high)
            return false;
    }
    return true;
}

bool dream_text_is_visible(const char *text, size_t max)
{
    return all_between(text, max, 0x21, 0x7e);
}

bool dream_text_is_printable(const char *text, size_t max)
{
    return all_between(text, max, 0x20, 0x7e);
}

bool dream_text_is_plain(const char *text, size_t max)
{
    size_t left = strnlen(text, max + 1);

    if (left > max)
        return false;
    while (left > 0) {
        size_t size = dream_utf8_size(text);
        if (size == 0 || (unsigned char)text[0] < 0x20 || text[0] == 0x7f)
            return false;
        text += size;
        left -= size;
    }
    return true;
}

bool dream_text_is_id(const char *text)
{
    return text[0] != '\0' && strcmp(text, ".") != 0 && strcmp(text, "..") != 0
           && dream_text_is_plain(text, DREAM_ID_MAX);
}

bool dream_text_is_traceparent(const char *text)
{
    /* A later version may mean something else by the same places, and may not be passed on unread. */
    static const char shape[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

    _Static_assert(sizeof(shape) - 1 == DREAM_TRACEPARENT_SIZE, "the shape has the right size");
    if (strlen(text) != DREAM_TRACEPARENT_SIZE)
        return false;
    for (size_t i = 0; i < DREAM_TRACEPARENT_SIZE; i++) {
        bool is_hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (shape[i] == 'x' ? !is_hex : text[i] != shape[i])
            return false;
    }
    return strspn(text + 3, "0") < 32 && strspn(text + 36, "0") < 16;
}
