/* SPDX-License-Identifier: Apache-2.0 */
/* environment.c - reads env files: KEY=VALUE lines as a shell would take them, without a shell's expansions.
 * Blank lines and lines that begin with # say nothing; "export " may stand before the name; a value may stand in single
 * quotes (as it is) or double quotes (\\ \" \$ \n); without quotes a # after a blank begins a comment. The last line for
 * a name counts. Which names exist is the settings' matter (service/settings.c). */
#include "dreamapid/environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/crypto.h"
#include "dreamapid/text_file.h"

enum {
    ERROR_SIZE = 256,
    SHOWN = 120,           /* of a path in a message */
    MAX_FILE = 1024 * 1024 /* bytes; an env file is a page */
};

struct variable {
    char *name;
    char *value;
};

struct dreamd_environment {
    struct variable *variables;
    size_t count;
    size_t capacity;
};

/* One line being read. */
struct cursor {
    const char *at;
    const char *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && is_blank(*cursor->at))
        cursor->at++;
}

static bool is_name_char(char c, bool is_first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!is_first && c >= '0' && c <= '9');
}

static bool is_at_end_or_comment(const struct cursor *cursor)
{
    return cursor->at == cursor->end || *cursor->at == '#';
}

static void skip_export(struct cursor *cursor)
{
    static const char word[] = "export";
    size_t size = sizeof word - 1;
    if ((size_t)(cursor->end - cursor->at) > size && memcmp(cursor->at, word, size) == 0
        && is_blank(cursor->at[size])) {
        cursor->at += size;
        skip_blanks(cursor);
    }
}

/* NULL, or what is wrong with the line. */
static const char *read_name(struct cursor *cursor, dream_buffer *out)
{
    const char *start = cursor->at;
    while (cursor->at < cursor->end && is_name_char(*cursor->at, cursor->at == start))
        cursor->at++;
    if (cursor->at == start)
        return "a variable's name begins with a letter or _";
    dream_buffer_append(out, start, (size_t)(cursor->at - start));
    skip_blanks(cursor);
    if (cursor->at == cursor->end || *cursor->at != '=')
        return "NAME=VALUE is wanted";
    cursor->at++;
    skip_blanks(cursor);
    return NULL;
}

static void append_escaped(dream_buffer *out, char c)
{
    if (c == 'n') {
        dream_buffer_char(out, '\n');
        return;
    }
    if (c != '"' && c != '\\' && c != '$')
        dream_buffer_char(out, '\\'); /* as in a shell, the backslash stays before anything else */
    dream_buffer_char(out, c);
}

static const char *read_quoted(struct cursor *cursor, dream_buffer *out)
{
    char quote = *cursor->at++;
    while (cursor->at < cursor->end && *cursor->at != quote) {
        if (quote == '"' && *cursor->at == '\\' && cursor->at + 1 < cursor->end) {
            append_escaped(out, cursor->at[1]);
            cursor->at += 2;
        } else {
            dream_buffer_char(out, *cursor->at++);
        }
    }
    if (cursor->at == cursor->end)
        return "the closing quote is missing";
    cursor->at++;
    skip_blanks(cursor);
    return is_at_end_or_comment(cursor) ? NULL : "there is text after the closing quote";
}

static void read_plain(struct cursor *cursor, dream_buffer *out)
{
    const char *start = cursor->at;
    const char *end = cursor->end;
    for (const char *c = start; c < end; c++) {
        if (*c == '#' && (c == start || is_blank(c[-1]))) {
            end = c;
            break;
        }
    }
    while (end > start && is_blank(end[-1]))
        end--;
    dream_buffer_append(out, start, (size_t)(end - start));
}

static bool store(dreamd_environment *environment, dream_buffer *name, dream_buffer *value)
{
    if (name->is_failed || value->is_failed)
        return false;
    if (environment->count == environment->capacity) {
        size_t capacity = environment->capacity ? 2 * environment->capacity : 16;
        struct variable *grown = realloc(environment->variables, capacity * sizeof *grown);
        if (!grown)
            return false;
        environment->variables = grown;
        environment->capacity = capacity;
    }
    struct variable *variable = &environment->variables[environment->count];
    variable->name = strdup(dream_buffer_str(name));
    variable->value = strdup(dream_buffer_str(value));
    environment->count++; /* also when one of them is missing: freeing knows NULL */
    return variable->name && variable->value;
}

static const char *read_line(dreamd_environment *environment, struct cursor line)
{
    dream_buffer name = DREAM_BUFFER_INIT;
    dream_buffer value = DREAM_BUFFER_INIT;
    const char *wrong = NULL;
    value.is_secret = true;
    skip_blanks(&line);
    if (is_at_end_or_comment(&line))
        goto done;
    if (memchr(line.at, '\0', (size_t)(line.end - line.at))) {
        wrong = "the line holds a NUL character";
        goto done;
    }
    skip_export(&line);
    wrong = read_name(&line, &name);
    if (wrong)
        goto done;
    if (line.at < line.end && (*line.at == '\'' || *line.at == '"'))
        wrong = read_quoted(&line, &value);
    else
        read_plain(&line, &value);
    if (!wrong && !store(environment, &name, &value))
        wrong = "out of memory";
done:
    dream_buffer_clear(&name);
    dream_buffer_clear(&value);
    return wrong;
}

dreamd_environment *dreamd_environment_parse(const char *name, const char *text, size_t size, char error[ERROR_SIZE])
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    const char *end = text + size;
    error[0] = '\0';
    dreamd_environment *environment = calloc(1, sizeof *environment);
    if (!environment) {
        (void)snprintf(error, ERROR_SIZE, "%.*s: out of memory", SHOWN, name);
        return NULL;
    }
    if (size >= 3 && memcmp(text, byte_order_mark, 3) == 0)
        text += 3;
    for (unsigned number = 1; text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        struct cursor line = { text, stop ? stop : end };
        const char *wrong = read_line(environment, line);
        if (wrong) {
            (void)snprintf(error, ERROR_SIZE, "%.*s:%u: %s", SHOWN, name, number, wrong);
            dreamd_environment_free(environment);
            return NULL;
        }
        text = stop ? stop + 1 : end;
    }
    return environment;
}

dreamd_environment *dreamd_environment_open(const char *path, char error[ERROR_SIZE])
{
    if (!path)
        return dreamd_environment_parse("", "", 0, error);
    size_t size = 0;
    char *text = dreamd_text_file_read(path, MAX_FILE, &size, error);
    if (!text)
        return NULL;
    dreamd_environment *environment = dreamd_environment_parse(path, text, size, error);
    dream_wipe(text, size);
    free(text);
    return environment;
}

void dreamd_environment_free(dreamd_environment *environment)
{
    if (!environment)
        return;
    for (size_t i = 0; i < environment->count; i++) {
        free(environment->variables[i].name);
        dream_free_secret(environment->variables[i].value);
    }
    free(environment->variables);
    free(environment);
}

const char *dreamd_environment_get(void *context, const char *name)
{
    const dreamd_environment *environment = context;
    /* Set but empty counts: it is how one switches off a line of the file. */
    const char *value = getenv(name);
    for (size_t i = environment->count; !value && i > 0; i--) {
        if (strcmp(environment->variables[i - 1].name, name) == 0)
            value = environment->variables[i - 1].value;
    }
    return value;
}
