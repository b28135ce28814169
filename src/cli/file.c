/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - reading what the user named. A file larger than its bound is refused, never cut. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terminal.h"
#include "text.h"

enum { STEP = 16 * 1024, MOST_SECRET = 16 * 1024 };

/* Reads until the file ends; gives why it could not. */
static const char *read_all(int fd, size_t most, char **out_text, size_t *out_size)
{
    size_t room = STEP;
    char *text = cli_allocate(room + 1);
    size_t size = 0;
    ssize_t got;

    while ((got = read(fd, text + size, room - size)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        size += got > 0 ? (size_t)got : 0;
        if (got < 0 || size > most)
            break;
        if (size == room) {
            /* Not realloc: what it leaves behind cannot be wiped. */
            char *grown = cli_allocate(room * 2 + 1);
            memcpy(grown, text, size);
            explicit_bzero(text, size);
            free(text);
            text = grown;
            room *= 2;
        }
    }
    text[size] = '\0';
    *out_text = text;
    *out_size = size;
    return got < 0 ? strerror(errno) : got > 0 ? "it is larger than it may be" : NULL;
}

char *cli_file_read(const char *path, size_t most, size_t *out_size)
{
    bool is_input = strcmp(path, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *text = NULL;
    const char *why = fd < 0 ? strerror(errno) : read_all(fd, most, &text, out_size);

    if (why) {
        (void)cli_failed("Cannot read %s: %s.", is_input ? "standard input" : path, why);
        cli_file_free(text);
        text = NULL;
    }
    if (fd >= 0 && !is_input)
        (void)close(fd);
    return text;
}

char *cli_file_read_secret(const char *path)
{
    size_t size = 0;
    char *text = cli_file_read(path, MOST_SECRET, &size);

    if (!text)
        return NULL;
    text[strcspn(text, "\r\n")] = '\0';
    if (text[0] != '\0')
        return text;
    (void)cli_failed("%s is empty, or its first line is.", path);
    cli_file_free(text);
    return NULL;
}

char *cli_file_copy(const char *text)
{
    size_t size = text ? strlen(text) + 1 : 0;

    return text ? memcpy(cli_allocate(size), text, size) : NULL;
}

void cli_file_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}
