/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - builds a log line on the stack and writes it with one write(2).
 * No lock and no allocation: a line is at most what the kernel writes to a pipe in one piece, so lines of several threads
 * do not mix. Texts are hostile input (paths, server answers): whatever could end the line, forge a field or steer a
 * terminal is escaped. A line that cannot be written is dropped; a log must not stop the service. */
#include "net/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/encoding.h"
#include "common/timefmt.h"

enum {
    TEXT_MAX = 1024, /* bytes of one text before escaping; the rest is cut, marked with "..." */
    TAIL = 2,        /* room kept for "}" and the line's end */
    ISO_TIME_AT = 11 /* where "HH:MM:SS.mmm" starts in an ISO date */
};

static const char *const level_names[] = { "debug", "info", "warn", "error" };

static atomic_int lowest_level = DREAMD_LOG_INFO;

/* A line under construction. `room` is left for content; an append that does not fit sets is_full and writes nothing. */
struct line {
    char *at;
    size_t room;
    bool is_full;
};

static void put(struct line *line, const char *bytes, size_t size)
{
    if (line->is_full || size > line->room) {
        line->is_full = true;
        return;
    }
    memcpy(line->at, bytes, size);
    line->at += size;
    line->room -= size;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* C1 controls (U+0080 to U+009F) steer terminals as escape sequences do. */
static bool is_control(const unsigned char *text, size_t size)
{
    if (size <= 1)
        return text[0] < 0x20 || text[0] == 0x7f;
    return size == 2 && text[0] == 0xc2 && text[1] < 0xa0;
}

/* Writes one character of `text` escaped and returns how many bytes of it that took. */
static size_t put_character(struct line *line, const unsigned char *text)
{
    char escape[8];
    size_t size = dream_utf8_size((const char *)text);
    if (is_control(text, size)) {
        (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)text[size > 1 ? 1 : 0]);
        put(line, escape, 6);
    } else if (size > 1) {
        put(line, (const char *)text, size);
    } else if (text[0] >= 0x80) {
        put(line, "\\ufffd", 6);
    } else {
        if (text[0] == '"' || text[0] == '\\')
            put(line, "\\", 1);
        put(line, (const char *)text, 1);
    }
    return size ? size : 1;
}

/* How many bytes from `text` on go out as they are: ASCII, and nothing to escape. */
static size_t plain_size(const unsigned char *text)
{
    size_t size = 0;
    while (size < TEXT_MAX && text[size] >= 0x20 && text[size] < 0x7f && text[size] != '"' && text[size] != '\\')
        size++;
    return size;
}

static void put_quoted(struct line *line, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t plain = plain_size(at);
    put(line, "\"", 1);
    put(line, text, plain);
    at += plain;
    while (*at && (size_t)(at - (const unsigned char *)text) < TEXT_MAX)
        at += put_character(line, at);
    if (*at)
        put_text(line, "...");
    put(line, "\"", 1);
}

static bool is_bare_word(const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || size > TEXT_MAX)
        return false;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\' || *c == '=')
            return false;
    return true;
}

/* Without printf, as every line has some. */
static void put_number(struct line *line, int64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--at = '-';
    put(line, at, (size_t)(digits + sizeof digits - at));
}

static void put_value(struct line *line, const dreamd_log_field *field, bool is_plain)
{
    if (!field->text) {
        put_number(line, field->number);
    } else if (is_plain && is_bare_word(field->text)) {
        put_text(line, field->text);
    } else {
        put_quoted(line, field->text);
    }
}

/* A field is written whole or not at all. */
static void put_field(struct line *line, const dreamd_log_field *field, bool is_plain)
{
    struct line before = *line;
    put_text(line, is_plain ? " " : ",\"");
    put_text(line, field->name);
    put_text(line, is_plain ? "=" : "\":");
    put_value(line, field, is_plain);
    if (line->is_full)
        *line = before;
}

static void put_event(struct line *line, const char *event, bool is_plain)
{
    struct line before = *line;
    if (is_plain && is_bare_word(event))
        put_text(line, event);
    else
        put_quoted(line, event);
    if (line->is_full) { /* no name of an event is that long, but the line must be whole whatever comes */
        *line = before;
        put_text(line, "\"...\"");
    }
}

static void put_head(struct line *line, const char *time, const char *level, const char *event, bool is_plain)
{
    char head[64];
    if (is_plain) {
        (void)snprintf(head, sizeof head, "%.12s %-5s ", time + ISO_TIME_AT, level);
        put_text(line, head);
    } else {
        put_text(line, "{\"time\":\"");
        put_text(line, time);
        put_text(line, "\",\"level\":\"");
        put_text(line, level);
        put_text(line, "\",\"event\":");
    }
    put_event(line, event, is_plain);
}

size_t dreamd_log_format(char out[DREAMD_LOG_LINE_MAX], bool is_plain, int64_t wall_ms, dreamd_log_level level,
                         const char *event, const dreamd_log_field *fields, unsigned count)
{
    char time[25];
    struct line line = { out, DREAMD_LOG_LINE_MAX - TAIL, false };

    dream_iso_text(wall_ms, time);
    put_head(&line, time, level_names[level], event, is_plain);
    for (unsigned i = 0; i < count; i++)
        put_field(&line, &fields[i], is_plain);
    if (!is_plain)
        *line.at++ = '}';
    *line.at++ = '\n';
    return (size_t)(line.at - out);
}

void dreamd_log_set_level(dreamd_log_level level)
{
    atomic_store_explicit(&lowest_level, (int)level, memory_order_relaxed);
}

/* Asked once: a system call for each line would cost as much as the line. */
static bool is_terminal(void)
{
    static atomic_int known; /* 0: not yet, 1: no, 2: yes */
    int is_known = atomic_load_explicit(&known, memory_order_relaxed);
    if (is_known == 0) {
        is_known = isatty(STDERR_FILENO) ? 2 : 1;
        atomic_store_explicit(&known, is_known, memory_order_relaxed);
    }
    return is_known == 2;
}

void dreamd_log_write(dreamd_log_level level, const char *event, const dreamd_log_field *fields, unsigned count)
{
    char line[DREAMD_LOG_LINE_MAX];
    if ((int)level < atomic_load_explicit(&lowest_level, memory_order_relaxed))
        return;
    int kept = errno; /* callers log a failure before they look at why */
    size_t size = dreamd_log_format(line, is_terminal(), dream_wall_ms(), level, event, fields, count);
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line, size);
    } while (written < 0 && errno == EINTR);
    errno = kept;
}
