/* SPDX-License-Identifier: Apache-2.0 */
/* error.c - names and texts of the statuses, and filling in dreamapi_error.
 * What an HTTP answer means is answer.c; what a call ends with is pipeline.c. */
#include "lib/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/encoding.h"
#include "lib/text.h"

static const struct {
    dreamapi_status status;
    const char *name;
    const char *text;
} statuses[] = {
    { DREAMAPI_OK, "DREAMAPI_OK", "Done." },
    { DREAMAPI_INVALID, "DREAMAPI_INVALID", "An argument was refused, here or by the server." },
    { DREAMAPI_NOMEM, "DREAMAPI_NOMEM", "Out of memory." },
    { DREAMAPI_AUTH, "DREAMAPI_AUTH", "The key or the user's token is missing, unknown, revoked or expired." },
    { DREAMAPI_FORBIDDEN, "DREAMAPI_FORBIDDEN", "The key may not do this." },
    { DREAMAPI_NOT_FOUND, "DREAMAPI_NOT_FOUND", "There is no such thing in this project." },
    { DREAMAPI_CONFLICT, "DREAMAPI_CONFLICT", "The request contradicts the present state." },
    { DREAMAPI_LIMIT, "DREAMAPI_LIMIT", "The user's plan has no units left in this period." },
    { DREAMAPI_RATE_LIMITED, "DREAMAPI_RATE_LIMITED", "Too many requests; try again later." },
    { DREAMAPI_TIMEOUT, "DREAMAPI_TIMEOUT", "The deadline passed." },
    { DREAMAPI_CANCELLED, "DREAMAPI_CANCELLED", "The call was cancelled." },
    { DREAMAPI_UNAVAILABLE, "DREAMAPI_UNAVAILABLE", "The service cannot be reached or cannot answer now." },
    { DREAMAPI_OUTCOME_UNKNOWN, "DREAMAPI_OUTCOME_UNKNOWN", "The request may have been carried out; nobody can tell." },
    { DREAMAPI_UNSUPPORTED, "DREAMAPI_UNSUPPORTED", "This library or this server cannot do that." },
    { DREAMAPI_TOKEN_REQUIRED, "DREAMAPI_TOKEN_REQUIRED", "The server wants the end user's token for this." },
    { DREAMAPI_PROTOCOL, "DREAMAPI_PROTOCOL", "The answer was not understood." },
    { DREAMAPI_SUBSCRIPTION_EXPIRED, "DREAMAPI_SUBSCRIPTION_EXPIRED", "The platform's own subscription has ended." },
    { DREAMAPI_TLS, "DREAMAPI_TLS", "No trusted connection to the server could be made." },
    { DREAMAPI_SERVER, "DREAMAPI_SERVER", "The server failed." },
    { DREAMAPI_FORKED, "DREAMAPI_FORKED", "The client was made before fork() and belongs to the parent process." },
    { DREAMAPI_PENDING, "DREAMAPI_PENDING", "The call is not finished yet." },
    { DREAMAPI_JOURNAL, "DREAMAPI_JOURNAL", "The journal of the meters cannot be used." },
};

enum { STATUS_COUNT = sizeof(statuses) / sizeof(statuses[0]) };

const char *dreamapi_status_name(dreamapi_status status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (statuses[i].status == status)
            return statuses[i].name;
    }
    return "DREAMAPI_UNKNOWN";
}

const char *dreamapi_status_text(dreamapi_status status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (statuses[i].status == status)
            return statuses[i].text;
    }
    return "A failure this version of the library has no words for.";
}

void dream_error_clear(dreamapi_error *error)
{
    if (error == NULL)
        return;
    memset(error, 0, sizeof(*error));
    error->retry_after_ms = -1;
    error->used = -1;
    error->limit = -1;
}

__attribute__((format(printf, 3, 0))) static void state(dreamapi_error *error, dreamapi_status status,
                                                        const char *format, va_list arguments)
{
    char text[sizeof(error->message)];

    dream_error_clear(error);
    error->status = status;
    (void)vsnprintf(text, sizeof(text), format, arguments);
    dream_error_copy_text(error->message, sizeof(error->message), text);
}

dreamapi_status dream_error_set(dreamapi_error *error, dreamapi_status status, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return status;
    va_start(arguments, format);
    state(error, status, format, arguments);
    va_end(arguments);
    return status;
}

dreamapi_status dream_error_refuse(dreamapi_error *error, dreamapi_status status, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return status;
    va_start(arguments, format);
    state(error, status, format, arguments);
    va_end(arguments);
    error->local = 1;
    return status;
}

dreamapi_status dream_error_nomem(dreamapi_error *error)
{
    return dream_error_refuse(error, DREAMAPI_NOMEM, "out of memory");
}

void dream_error_copy_text(char *out, size_t out_size, const char *text)
{
    size_t at = 0;

    while (*text != '\0') {
        size_t size = dream_utf8_size(text);
        unsigned char c = (unsigned char)text[0];
        if (at + (size == 0 ? 1 : size) >= out_size)
            break;
        if (size <= 1)
            out[at] = size == 0 ? '?' : c < 0x20 || c == 0x7f ? ' ' : (char)c;
        else
            memcpy(out + at, text, size);
        size = size == 0 ? 1 : size;
        at += size;
        text += size;
    }
    out[at] = '\0';
}
