/* SPDX-License-Identifier: Apache-2.0 */
/* text_file.c - reads a file that the user named: env files, tiers, fixtures.
 * What stands in it is the caller's matter. A file larger than its bound is refused, never cut. */
#include "dreamapid/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/json.h"

enum { ERROR_SIZE = 256, SHOWN = 120, STEP = 16 * 1024, MAX_JSON = 16 * 1024 * 1024 };

static void say_unreadable(const char *path, const char *why, char error[ERROR_SIZE])
{
    (void)snprintf(error, ERROR_SIZE, "Cannot read %.*s: %s", SHOWN, path, why);
}

/* Appends until end of file; the text may hold credentials, so that what is left behind by growing is wiped. */
static char *read_all(int fd, size_t max_size, size_t *out_size, const char **out_why)
{
    size_t size = 0, capacity = STEP;
    char *text = malloc(capacity + 1);
    *out_why = NULL;
    while (text) {
        ssize_t got = read(fd, text + size, capacity - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            *out_why = got < 0 ? strerror(errno) : NULL;
            break;
        }
        size += (size_t)got;
        if (size > max_size) {
            *out_why = "it is too large for what it should hold";
            break;
        }
        if (size == capacity) {
            char *grown = malloc(2 * capacity + 1);
            if (grown)
                memcpy(grown, text, size);
            dream_wipe(text, size);
            free(text);
            text = grown;
            capacity *= 2;
        }
    }
    if (!text) {
        *out_why = "out of memory";
        return NULL;
    }
    if (*out_why) {
        dream_wipe(text, size);
        free(text);
        return NULL;
    }
    text[size] = '\0';
    *out_size = size;
    return text;
}

char *dreamd_text_file_read(const char *path, size_t max_size, size_t *out_size, char error[ERROR_SIZE])
{
    const char *why = NULL;
    char *text = NULL;
    error[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        say_unreadable(path, strerror(errno), error);
        return NULL;
    }
    text = read_all(fd, max_size, out_size, &why);
    if (!text)
        say_unreadable(path, why, error);
    (void)close(fd);
    return text;
}

cJSON *dreamd_json_file_read(const char *path, char error[ERROR_SIZE])
{
    size_t size = 0;
    bool is_out_of_memory = false;
    char *text = dreamd_text_file_read(path, MAX_JSON, &size, error);
    if (!text)
        return NULL;
    cJSON *document = dream_json_parse(text, size, &is_out_of_memory);
    free(text);
    if (!document)
        say_unreadable(
            path, is_out_of_memory ? "out of memory" : "it is not JSON (or names a key twice, or is nested too deeply)",
            error);
    if (document && !cJSON_IsObject(document)) {
        say_unreadable(path, "its top level must be a JSON object", error);
        cJSON_Delete(document);
        document = NULL;
    }
    return document;
}
