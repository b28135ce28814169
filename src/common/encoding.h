/* SPDX-License-Identifier: Apache-2.0 */
/* encoding.h - hex, base64, base64url (RFC 4648) and percent-encoding (RFC 3986).
 * Decoders take untrusted input: they check every character and the room in `out`. */
#ifndef DREAM_COMMON_ENCODING_H
#define DREAM_COMMON_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"

/* `out` needs 2 * size + 1 bytes. Lower case. */
void dream_hex_encode(const void *bytes, size_t size, char *out);
/* Decodes exactly 2 * out_size characters of either case; false on anything else. */
bool dream_hex_decode(const char *text, size_t text_size, unsigned char *out, size_t out_size);

void dream_base64_encode(dream_buffer *out, const void *bytes, size_t size);
void dream_base64url_encode(dream_buffer *out, const void *bytes, size_t size); /* no padding */
/* Append the decoded bytes to `out`; false (out is then unspecified) on a bad character, bad length or no memory.
 * base64 wants right padding; base64url wants none. */
bool dream_base64_decode(dream_buffer *out, const char *text, size_t size);
bool dream_base64url_decode(dream_buffer *out, const char *text, size_t size);

/* Everything but unreserved characters (A-Z a-z 0-9 - . _ ~) becomes %XX. */
void dream_percent_encode(dream_buffer *out, const char *text, size_t size);
/* `plus_is_space` for application/x-www-form-urlencoded. False on a bad escape or an encoded NUL. */
bool dream_percent_decode(dream_buffer *out, const char *text, size_t size, bool plus_is_space);

/* Size of the well-formed UTF-8 character that begins here (RFC 3629); 0 if none does. Never reads past a NUL. */
size_t dream_utf8_size(const char *text);
/* Nothing but such characters. */
bool dream_utf8_is_valid(const char *text);

#endif
