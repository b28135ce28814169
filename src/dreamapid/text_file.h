/* SPDX-License-Identifier: Apache-2.0 */
/* text_file.h - files that the user names on the command line, read whole and bounded. */
#ifndef DREAMAPID_TEXT_FILE_H
#define DREAMAPID_TEXT_FILE_H

#include <stddef.h>

#include "common/json.h"

/* Owned (free()), NUL-terminated; NULL with a sentence in `error`. Pipes and /dev/stdin work. */
char *dreamd_text_file_read(const char *path, size_t max_size, size_t *out_size, char error[256]);
/* Owned (cJSON_Delete); the file's top level must be an object. */
cJSON *dreamd_json_file_read(const char *path, char error[256]);

#endif
