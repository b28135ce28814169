/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - files that the user names, read whole and bounded. */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <stddef.h>

/* Owned (cli_file_free), with a NUL behind; "-" is standard input. NULL, with the reason said, if it cannot be read or has more than
 * `most` bytes. */
char *cli_file_read(const char *path, size_t most, size_t *out_size);
/* The first line of a file that holds a secret; NULL, with the reason said, if there is none. Owned (cli_file_free). */
char *cli_file_read_secret(const char *path);
/* A text's copy, owned as a file's; NULL of NULL. */
char *cli_file_copy(const char *text);
/* Wiped before: it may have been a secret. NULL is fine. */
void cli_file_free(char *text);

#endif
