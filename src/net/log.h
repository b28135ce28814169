/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - structured logs: one JSON object a line on stderr, or plain text on a terminal.
 * Secrets never get here: callers log ids, statuses and durations. Any thread. */
#ifndef DREAMD_NET_LOG_H
#define DREAMD_NET_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DREAMD_LOG_LINE_MAX = 4096 }; /* bytes; what the kernel writes to a pipe in one piece */

typedef enum dreamd_log_level { DREAMD_LOG_DEBUG, DREAMD_LOG_INFO, DREAMD_LOG_WARN, DREAMD_LOG_ERROR } dreamd_log_level;

typedef struct dreamd_log_field {
    const char *name;
    const char *text; /* NULL: `number` counts */
    int64_t number;
} dreamd_log_field;

static inline dreamd_log_field dreamd_log_text(const char *name, const char *text)
{
    return (dreamd_log_field){ name, text ? text : "", 0 };
}
static inline dreamd_log_field dreamd_log_int(const char *name, int64_t number)
{
    return (dreamd_log_field){ name, 0, number };
}

void dreamd_log_set_level(dreamd_log_level level); /* default INFO */
/* Names of fields are literals of a-z and _; texts may hold anything.
 * dreamd_log(DREAMD_LOG_INFO, "request", dreamd_log_text("path", p), dreamd_log_int("status", 200)); */
void dreamd_log_write(dreamd_log_level level, const char *event, const dreamd_log_field *fields, unsigned count);
#define dreamd_log(level, event, ...)                                                                                  \
    dreamd_log_write((level), (event), (const dreamd_log_field[]){ __VA_ARGS__ },                                      \
                     sizeof((const dreamd_log_field[]){ __VA_ARGS__ }) / sizeof(dreamd_log_field))
/* What dreamd_log_write writes, for tests: one line with its end, always whole (fields that do not fit are left out, a
 * long text is cut). Returns its size; not NUL-terminated. */
size_t dreamd_log_format(char out[DREAMD_LOG_LINE_MAX], bool is_plain, int64_t wall_ms, dreamd_log_level level,
                         const char *event, const dreamd_log_field *fields, unsigned count);

#endif
