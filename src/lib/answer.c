/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - from HTTP status and error body to one of our statuses. The hosted
 * service's known slips (an HTTP status that says something else than the text) are
 * rows of a table here and known nowhere else. */
#include "lib/answer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "lib/error.h"

/* Beyond a day a body's retryAfter is no statement about a rate limit. */
static const int64_t max_body_retry_after_s = 86400;

static const struct {
    int http_status;
    const char *text; /* the body's "error" or "message" begins with it */
    dreamapi_status status;
} by_text[] = {
    { 403, "Tier limit reached", DREAMAPI_LIMIT }, { 403, "subscription_expired", DREAMAPI_SUBSCRIPTION_EXPIRED },
    { 500, "Not Found", DREAMAPI_NOT_FOUND },      { 500, "No price ID configured for tier", DREAMAPI_INVALID },
    { 500, "No such price", DREAMAPI_INVALID },
};

static const struct {
    int http_status;
    dreamapi_status status;
} by_number[] = {
    { 400, DREAMAPI_INVALID },      { 401, DREAMAPI_AUTH },        { 403, DREAMAPI_FORBIDDEN },
    { 404, DREAMAPI_NOT_FOUND },    { 405, DREAMAPI_UNSUPPORTED }, { 408, DREAMAPI_UNAVAILABLE },
    { 409, DREAMAPI_CONFLICT },     { 413, DREAMAPI_INVALID },     { 422, DREAMAPI_INVALID },
    { 429, DREAMAPI_RATE_LIMITED }, { 501, DREAMAPI_UNSUPPORTED }, { 502, DREAMAPI_UNAVAILABLE },
    { 503, DREAMAPI_UNAVAILABLE },  { 504, DREAMAPI_UNAVAILABLE },
};

static dreamapi_status status_of_number(int http_status)
{
    for (size_t i = 0; i < sizeof(by_number) / sizeof(by_number[0]); i++) {
        if (by_number[i].http_status == http_status)
            return by_number[i].status;
    }
    if (http_status >= 500)
        return DREAMAPI_SERVER;
    /* 3xx: we follow no redirect, since it could lead a secret elsewhere. */
    return http_status >= 400 ? DREAMAPI_INVALID : DREAMAPI_PROTOCOL;
}

static bool begins_with(const char *text, const char *start)
{
    return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

static dreamapi_status status_of(int http_status, const char *what, const char *why)
{
    for (size_t i = 0; i < sizeof(by_text) / sizeof(by_text[0]); i++) {
        if (by_text[i].http_status == http_status
            && (begins_with(what, by_text[i].text) || begins_with(why, by_text[i].text)))
            return by_text[i].status;
    }
    return status_of_number(http_status);
}

static void read_numbers(const cJSON *body, dreamapi_error *error)
{
    int64_t number;
    const char *text = dream_json_string(body, "limit");

    if (dream_json_int(body, "retryAfter", &number) && number >= 0 && number <= max_body_retry_after_s)
        error->retry_after_ms = number * 1000;
    if (error->status != DREAMAPI_LIMIT)
        return;
    if (dream_json_int(body, "usageCount", &number) && number >= 0)
        error->used = number;
    if (dream_json_int(body, "limit", &number) && number >= 0)
        error->limit = number;
    else if (text != NULL && strcmp(text, "unlimited") == 0)
        error->limit = DREAMAPI_UNLIMITED;
}

void dream_answer_read(int http_status, const char *body, size_t size, dreamapi_error *error)
{
    cJSON *root = size > 0 ? dream_json_parse(body, size, NULL) : NULL;
    const char *what = dream_json_string(root, "error");
    const char *why = dream_json_string(root, "message");
    char text[2 * sizeof(error->server_error)];

    dream_error_clear(error);
    error->http_status = http_status;
    error->status = status_of(http_status, what, why);
    read_numbers(root, error);
    (void)snprintf(text, sizeof(text), "%s%s%s", what == NULL ? "" : what, what == NULL || why == NULL ? "" : ": ",
                   why == NULL ? "" : why);
    dream_error_copy_text(error->server_error, sizeof(error->server_error), text);
    cJSON_Delete(root);
}

dreamapi_status dream_answer_of_failure(dreamapi_failure failure)
{
    switch (failure) {
    case DREAMAPI_FAILURE_TIMEOUT:
        return DREAMAPI_TIMEOUT;
    case DREAMAPI_FAILURE_TLS:
        return DREAMAPI_TLS;
    case DREAMAPI_FAILURE_TOO_LARGE:
    case DREAMAPI_FAILURE_PROTOCOL:
        return DREAMAPI_PROTOCOL;
    case DREAMAPI_FAILURE_NOMEM:
        return DREAMAPI_NOMEM;
    case DREAMAPI_FAILURE_OTHER:
    case DREAMAPI_FAILURE_DNS:
    case DREAMAPI_FAILURE_CONNECT:
    case DREAMAPI_FAILURE_RESET:
    case DREAMAPI_FAILURE_STALE:
        break;
    }
    return DREAMAPI_UNAVAILABLE;
}
