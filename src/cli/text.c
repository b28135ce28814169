/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - escaping, numbers, money, times, JSON lines. Pure but for what it prints. */
#include "text.h"

#include <dreamapi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "terminal.h"

void *cli_allocate(size_t size)
{
    return cli_reallocate(NULL, size);
}

void *cli_reallocate(void *memory, size_t size)
{
    void *grown = realloc(memory, size > 0 ? size : 1);

    if (!grown)
        exit(cli_failed("Out of memory."));
    return grown;
}

/* ---- harmless text ---- */

/* The code point at `*io_at`, which is moved on; -1 for a byte that is no UTF-8, moved on by that byte. */
static int32_t next_code(const unsigned char **io_at)
{
    static const int32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    const unsigned char *at = *io_at;
    int more = *at < 0x80                  ? 0
               : *at >= 0xC2 && *at < 0xE0 ? 1
               : *at >= 0xE0 && *at < 0xF0 ? 2
               : *at >= 0xF0 && *at < 0xF5 ? 3
                                           : -1;
    int32_t code = more <= 0 ? *at : *at & (0x3F >> more);

    *io_at = at + 1;
    if (more < 0)
        return -1;
    for (int i = 1; i <= more; i++) {
        if ((at[i] & 0xC0) != 0x80) /* also the end */
            return -1;
        code = code << 6 | (at[i] & 0x3F);
    }
    if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return -1;
    *io_at = at + more + 1;
    return code;
}

static bool is_control(int32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) /* these alone would do: 0x9B is an escape, too */
           || code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E)
           || (code >= 0x2066 && code <= 0x2069);
}

char *cli_text_harmless(const char *text)
{
    const unsigned char *at = (const unsigned char *)(text ? text : "-");
    char *copy = cli_allocate(strlen((const char *)at) * 4 + 1);
    size_t size = 0;

    while (*at != '\0') {
        const unsigned char *from = at;
        bool is_harmful = is_control(next_code(&at)); /* -1 is, too */
        for (; from < at; from++) {
            if (is_harmful)
                size += (size_t)snprintf(copy + size, 5, "\\x%02X", *from);
            else
                copy[size++] = (char)*from;
        }
    }
    copy[size] = '\0';
    return copy;
}

size_t cli_text_width(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

/* ---- numbers ---- */

const char *cli_units(int64_t units, char out[CLI_NUMBER_SIZE])
{
    if (units == DREAMAPI_UNLIMITED)
        return "unlimited";
    if (units < 0)
        return "-";
    (void)snprintf(out, CLI_NUMBER_SIZE, "%lld", (long long)units);
    return out;
}

/* As Stripe counts them; all others have two. */
static const char no_decimals[] = "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf";
static const char three_decimals[] = "bhd jod kwd omr tnd";

static int decimals_of(const char *code)
{
    return strstr(no_decimals, code) ? 0 : strstr(three_decimals, code) ? 3 : 2;
}

/* Three letters, in either case, as small ones. */
static bool read_currency(const char *currency, char code[4])
{
    if (!currency || strlen(currency) != 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        code[i] = (char)(currency[i] | 0x20);
        if (code[i] < 'a' || code[i] > 'z')
            return false;
    }
    code[3] = '\0';
    return true;
}

const char *cli_money(int64_t amount_minor, const char *currency, char out[CLI_NUMBER_SIZE])
{
    char code[4] = "";
    bool is_known = read_currency(currency, code);
    int decimals = is_known ? decimals_of(code) : 2;
    uint64_t amount = amount_minor < 0 ? -(uint64_t)amount_minor : (uint64_t)amount_minor;
    uint64_t whole = amount;
    uint64_t one = 1;
    char tail[8] = "";

    for (int i = 0; i < decimals; i++)
        one *= 10;
    whole /= one;
    for (size_t i = 0; i < 3; i++)
        code[i] = is_known ? (char)(code[i] & ~0x20) : '\0';
    if (decimals > 0)
        (void)snprintf(tail, sizeof tail, ".%0*d", decimals, (int)(amount % one));
    (void)snprintf(out, CLI_NUMBER_SIZE, "%s%llu%s%s%s", amount_minor < 0 ? "-" : "", (unsigned long long)whole, tail,
                   is_known ? " " : "", code);
    return out;
}

const char *cli_time(int64_t at_ms, char out[CLI_NUMBER_SIZE])
{
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm parts;

    if (at_ms <= 0 || !gmtime_r(&seconds, &parts) || strftime(out, CLI_NUMBER_SIZE, "%Y-%m-%d %H:%M:%SZ", &parts) == 0)
        return "-";
    return out;
}

/* ---- JSON ---- */

static void put_escaped(FILE *out, int32_t code)
{
    (void)fprintf(out, "\\u%04x", (unsigned)code);
}

void cli_json_line(FILE *out, const char *json)
{
    const unsigned char *at = (const unsigned char *)json;
    bool is_text = false;

    while (at && *at != '\0') {
        const unsigned char *from = at;
        int32_t code = next_code(&at);
        bool is_space = code == ' ' || code == '\t' || code == '\r' || code == '\n';
        if (code == '"')
            is_text = !is_text;
        if (is_text && code == '\\' && *at >= 0x20 && *at < 0x7F)
            at++; /* what is escaped may be a quote */
        if (!is_text && is_space)
            continue;
        if (is_control(code))
            put_escaped(out, code < 0 ? 0xFFFD : code);
        else
            (void)fwrite(from, 1, (size_t)(at - from), out);
    }
    (void)fputc('\n', out);
}

void cli_json_text(FILE *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    if (!text) {
        (void)fputs("null", out);
        return;
    }
    (void)fputc('"', out);
    while (*at != '\0') {
        const unsigned char *from = at;
        int32_t code = next_code(&at);
        if (code == '"' || code == '\\')
            (void)fprintf(out, "\\%c", (char)code);
        else if (is_control(code))
            put_escaped(out, code < 0 ? 0xFFFD : code);
        else
            (void)fwrite(from, 1, (size_t)(at - from), out);
    }
    (void)fputc('"', out);
}
