/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - filling in the caller's dreamapi_error. Every function takes NULL for it. Any thread. */
#ifndef DREAM_LIB_ERROR_H
#define DREAM_LIB_ERROR_H

#include <dreamapi/error.h>
#include <stddef.h>

/* Writes "nothing went wrong" over whatever the memory held. */
void dream_error_clear(dreamapi_error *error);

/* Clears, then states what went wrong; returns `status`, so that a caller can leave with it. */
dreamapi_status dream_error_set(dreamapi_error *error, dreamapi_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, for what this client refused by itself. */
dreamapi_status dream_error_refuse(dreamapi_error *error, dreamapi_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

dreamapi_status dream_error_nomem(dreamapi_error *error);

/* Copies untrusted text: control characters become spaces, what is not UTF-8 becomes '?', and a text that is too long is
 * cut between characters. */
void dream_error_copy_text(char *out, size_t out_size, const char *text);

#endif
