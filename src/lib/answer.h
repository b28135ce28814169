/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - what an answer that is not a success means. Any thread. */
#ifndef DREAM_LIB_ANSWER_H
#define DREAM_LIB_ANSWER_H

#include <dreamapi/error.h>
#include <dreamapi/transport.h>
#include <stddef.h>

/* Fills status, http_status, server_error, used, limit and retry_after_ms (from the body alone; the header, which
 * the caller reads, goes before it). `error` is not NULL. Never fails: an answer that cannot be read is judged by its HTTP status. */
void dream_answer_read(int http_status, const char *body, size_t size, dreamapi_error *error);

/* The status of an exchange that brought no answer. */
dreamapi_status dream_answer_of_failure(dreamapi_failure failure);

#endif
