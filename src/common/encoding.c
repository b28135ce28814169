/* SPDX-License-Identifier: Apache-2.0 */
/* encoding.c - hex, base64, base64url and percent-encoding. The decoders accept
 * exactly one spelling of each byte string (no stray bits, no white space):
 * otherwise one signed token would have many texts. Stateless, any thread. */
#include "common/encoding.h"

#include <stdint.h>
#include <string.h>

#include "common/crypto.h"

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void dream_hex_encode(const void *bytes, size_t size, char *out)
{
    const unsigned char *from = bytes;
    size_t i;

    for (i = 0; i < size; i++) {
        *out++ = hex_lower[from[i] >> 4];
        *out++ = hex_lower[from[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool dream_hex_decode(const char *text, size_t text_size, unsigned char *out, size_t out_size)
{
    size_t i;

    if (text_size % 2 != 0 || text_size / 2 != out_size)
        return false;
    for (i = 0; i < out_size; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* The two alphabets differ in their last two digits and in the padding. Written in place: a call for each group would cost more than
 * the group. */
static void encode(dream_buffer *out, const unsigned char *from, size_t size, const char *digits, bool is_padded)
{
    char *to = dream_buffer_extend(out, is_padded ? (size + 2) / 3 * 4 : size / 3 * 4 + (size % 3 * 4 + 2) / 3);

    if (to == NULL)
        return;
    for (; size > 0; from += 3) {
        size_t step = size < 3 ? size : 3;
        uint32_t bits = (uint32_t)from[0] << 16 | (step > 1 ? (uint32_t)from[1] << 8 : 0) | (step > 2 ? from[2] : 0);

        for (size_t i = 0; i <= step; i++)
            *to++ = digits[bits >> (18 - 6 * i) & 63];
        for (size_t i = step; i < 3 && is_padded; i++)
            *to++ = '=';
        size -= step;
    }
}

void dream_base64_encode(dream_buffer *out, const void *bytes, size_t size)
{
    encode(out, bytes, size, base64_digits, true);
}

void dream_base64url_encode(dream_buffer *out, const void *bytes, size_t size)
{
    encode(out, bytes, size, base64url_digits, false);
}

/* Looked up, since what a letter is in random text no branch can foresee. */
enum { NO_DIGIT = 64 };
/* What both alphabets share. */
static const unsigned char shared_values[128] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 52, 53, 54, 55,
    56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64, 64, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
    13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64, 64, 26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
};

/* Decodes unpadded text. `out` grows only if all of it is good. */
static bool decode(dream_buffer *out, const char *text, size_t size, const char *digits)
{
    const unsigned char *from = (const unsigned char *)text;
    size_t more = size * 3 / 4; /* exactly, as bits that fill up are no byte */
    unsigned char values[256];
    unsigned char *to;
    unsigned bad = 0;
    uint32_t bits = 0;

    if (size % 4 == 1)
        return false;
    if (size == 0)
        return !out->is_failed;
    to = (unsigned char *)dream_buffer_extend(out, more);
    if (to == NULL)
        return false;
    memcpy(values, shared_values, sizeof(shared_values));
    memset(values + sizeof(shared_values), NO_DIGIT, sizeof(values) - sizeof(shared_values));
    values[(unsigned char)digits[62]] = 62;
    values[(unsigned char)digits[63]] = 63;
    for (; size >= 4; size -= 4, from += 4, to += 3) {
        unsigned a = values[from[0]], b = values[from[1]], c = values[from[2]], d = values[from[3]];

        bad |= a | b | c | d;
        bits = a << 18 | b << 12 | c << 6 | d;
        to[0] = (unsigned char)(bits >> 16);
        to[1] = (unsigned char)(bits >> 8);
        to[2] = (unsigned char)bits;
    }
    /* Two or three digits carry one or two bytes; the bits left over must be zero. */
    if (size > 0) {
        unsigned a = values[from[0]], b = values[from[1]], c = size == 3 ? values[from[2]] : 0;

        bad |= a | b | c;
        bits = a << 12 | b << 6 | c;
        to[0] = (unsigned char)(bits >> 10);
        if (size == 3)
            to[1] = (unsigned char)(bits >> 2);
        bad |= (bits & (size == 3 ? 3 : 0x3ff)) != 0 ? NO_DIGIT : 0;
    }
    if ((bad & NO_DIGIT) == 0)
        return true;
    out->size -= more;
    out->data[out->size] = '\0';
    return false;
}

bool dream_base64_decode(dream_buffer *out, const char *text, size_t size)
{
    size_t padding = 0;

    if (size % 4 != 0)
        return false;
    while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
        padding++;
    return decode(out, text, size - padding, base64_digits);
}

bool dream_base64url_decode(dream_buffer *out, const char *text, size_t size)
{
    return decode(out, text, size, base64url_digits);
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'
           || c == '_' || c == '~';
}

void dream_percent_encode(dream_buffer *out, const char *text, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        char escape[3] = { '%', hex_upper[c >> 4], hex_upper[c & 15] };

        if (is_unreserved(text[i]))
            dream_buffer_char(out, text[i]);
        else
            dream_buffer_append(out, escape, sizeof(escape));
    }
}

bool dream_percent_decode(dream_buffer *out, const char *text, size_t size, bool plus_is_space)
{
    size_t i;

    for (i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '%') {
            /* A NUL would cut the decoded text short for whoever reads it as a C string. */
            if (size - i < 3 || !dream_hex_decode(text + i + 1, 2, &c, 1) || c == 0)
                return false;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        dream_buffer_char(out, (char)c);
    }
    return !out->is_failed;
}

/* ---- UTF-8 ---- */

size_t dream_utf8_size(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t size;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;

    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    size = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    /* No overlong forms, no surrogates, nothing above U+10FFFF. */
    if (at[0] == 0xe0)
        low = 0xa0;
    if (at[0] == 0xed)
        high = 0x9f;
    if (at[0] == 0xf0)
        low = 0x90;
    if (at[0] == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

bool dream_utf8_is_valid(const char *text)
{
    while (*text != '\0') {
        size_t size = dream_utf8_size(text);
        if (size == 0)
            return false;
        text += size;
    }
    return true;
}
