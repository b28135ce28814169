/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - which texts from a caller may go on the wire. What reaches a header is visible ASCII, so that no
 * parameter can end a header line and begin another. Any thread. */
#ifndef DREAM_LIB_TEXT_H
#define DREAM_LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    DREAM_TEXT_MAX = 4096,
    DREAM_ID_MAX = 255,
    DREAM_KEY_MAX = 512,
    DREAM_TRACEPARENT_SIZE = 55,
    DREAM_USER_TOKEN_MAX = 16384 /* as much as the service reads of one */
};

/* 1 to `max` characters, each visible ASCII (no space). */
bool dream_text_is_visible(const char *text, size_t max);
/* 1 to `max` characters of printable ASCII (space allowed). */
bool dream_text_is_printable(const char *text, size_t max);
/* A traceparent of W3C Trace Context as of version 00: the version, two ids that are not all zeros, and flags. */
bool dream_text_is_traceparent(const char *text);
/* 0 to `max` bytes of valid UTF-8 (RFC 3629) without control characters. */
bool dream_text_is_plain(const char *text, size_t max);
/* A plain text that can stand as one segment of a path: not empty, not "." or "..". */
bool dream_text_is_id(const char *text);

#endif
