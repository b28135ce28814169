/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_answers.c - an answer to each typed call of the library: the first byte picks the call, the second the HTTP status, the
 * rest is the body. The call ends, as carried out or with an error that says what happened. */
#include "fuzz.h"

#include <dreamapi.h>
#include <dreamapi/testing.h>

#include "faults/calls.h"
#include "faults/scripted.h"

static const int statuses[] = { 200, 200, 200, 200, 201, 400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503 };

static int add_answer(scripted *s, const typed_call *row, int http_status, const char *body)
{
    static const char *const headers[] = { "Content-Type: application/json", NULL };
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    answer.path = row->path;
    answer.times = DREAMAPI_TEST_ALWAYS;
    answer.http_status = http_status;
    answer.headers = headers;
    answer.body = body;
    return dreamapi_test_transport_add(s->transport, &answer);
}

static void check_end(dreamapi_call *call, int http_status)
{
    dreamapi_error error;
    dreamapi_status status = dreamapi_call_wait(call, 60000, &error);

    FUZZ_CHECK(status == error.status);
    FUZZ_CHECK(memchr(error.message, '\0', sizeof(error.message)) != NULL);
    FUZZ_CHECK(memchr(error.server_error, '\0', sizeof(error.server_error)) != NULL);
    FUZZ_CHECK(status != DREAMAPI_NOMEM);
    FUZZ_CHECK(http_status < 300 ? status == DREAMAPI_OK || status == DREAMAPI_PROTOCOL : status != DREAMAPI_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scripted s;
    dreamapi_call *call = NULL;
    const typed_call *row;
    int http_status;
    char *body;

    if (size < 2)
        return 0;
    row = &typed_calls[data[0] % typed_call_count];
    http_status = statuses[data[1] % (sizeof(statuses) / sizeof(statuses[0]))];
    body = fuzz_text(data + 2, size - 2);
    scripted_open(&s);
    if (strcmp(row->path, "/health") != 0)
        (void)dreamapi_test_transport_add_simple(s.transport, "/health", 200, EVERY_EXTENSION);
    FUZZ_CHECK(add_answer(&s, row, http_status, body) == DREAMAPI_OK);
    FUZZ_CHECK(row->start(s.client, &call) == DREAMAPI_OK);
    check_end(call, http_status);
    dreamapi_call_free(call);
    scripted_close(&s);
    free(body);
    return 0;
}
