/* SPDX-License-Identifier: Apache-2.0 */
/* environment.h - the settings' variables: the process environment first, then an env file.
 * Values are credentials: they are never logged or put into a message, and the file's copies are wiped. */
#ifndef DREAMAPID_ENVIRONMENT_H
#define DREAMAPID_ENVIRONMENT_H

#include <stddef.h>

typedef struct dreamd_environment dreamd_environment;

/* `path` NULL: the process environment alone. Owned; NULL with a sentence ("FILE:LINE: ...") in `error`. */
dreamd_environment *dreamd_environment_open(const char *path, char error[256]);
/* The same from text; `name` stands for the file in messages. */
dreamd_environment *dreamd_environment_parse(const char *name, const char *text, size_t size, char error[256]);
void dreamd_environment_free(dreamd_environment *environment); /* NULL is fine */

/* A dreamd_getenv (service/settings.h): `context` is the dreamd_environment. Borrowed; NULL if set nowhere. */
const char *dreamd_environment_get(void *context, const char *name);

#endif
