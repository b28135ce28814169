/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - a client over the scripted transport and the virtual clock, as most
 * tests of the library want it. No threads unless asked for; jitter and keys come from a fixed sequence. */
#ifndef DREAM_TESTS_LIB_FIXTURE_H
#define DREAM_TESTS_LIB_FIXTURE_H

#include <dreamapi.h>
#include <dreamapi/testing.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#define ALL_EXTENSIONS "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"server-side\"]}"
#define EVERY_EXTENSION                                                                                                \
    "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"server-side\",\"customer-list\",\"usage-batch\","            \
    "\"usage-history\",\"leases\"]}"
#define SERVER_SIDE_ONLY "{\"status\":\"ok\",\"extensions\":[\"server-side\"]}"
#define CUSTOMER "{\"success\":true,\"customer\":{\"id\":\"user_1\",\"email\":\"a@example.test\",\"plan\":\"free\"}}"
#define TRACKED "{\"success\":true,\"data\":{\"message\":\"m\"},\"usage\":{\"count\":1,\"limit\":5,\"plan\":\"free\"}}"
#define USAGE                                                                                                          \
    "{\"userId\":\"user_1\",\"plan\":\"free\",\"usageCount\":2,\"limit\":5,\"remaining\":3,"                           \
    "\"periodStart\":\"2026-11-23\",\"periodEnd\":\"2026-12-22\"}"

enum { FIXTURE_WALL_MS = 1700000000 }; /* times 1000 */

typedef struct fixture {
    dreamapi_test_transport *transport;
    dreamapi_test_clock *clock;
    dreamapi_options *options;
    dreamapi_client *client;
    dreamapi_error error;
    unsigned random_calls;
    bool has_no_jitter; /* random bytes are all zero */
} fixture;

/* Options for https://api.example.test with a secret key, and no client yet. For cmocka's setup. */
int fixture_set_up(void **state);
/* The same, and a client with no thread. */
int fixture_set_up_client(void **state);
int fixture_tear_down(void **state);

void fixture_make_client(fixture *f);
/* Scripts an answer. `headers` is "Name: value" or NULL. */
void fixture_answer(fixture *f, const char *path, int http_status, const char *header, const char *body);
/* Scripts a failure. */
void fixture_fail(fixture *f, const char *path, dreamapi_failure failure, int maybe_sent);
/* Scripts an answer that never comes. */
void fixture_never(fixture *f, const char *path);
/* Says what GET /health answers from now on. */
void fixture_extensions(fixture *f, const char *body);

size_t fixture_count(const fixture *f, const char *path);
/* The request number `index` to this path; fails the test if there was none. */
const dreamapi_test_request *fixture_request(const fixture *f, const char *path, size_t index);
const char *fixture_header(const fixture *f, const char *path, size_t index, const char *name);
/* Virtual milliseconds between two requests to this path. */
int64_t fixture_pause_ms(const fixture *f, const char *path, size_t before, size_t after);
int64_t fixture_now_ms(const fixture *f);

/* What a call with a fresh client makes of an answer that breaks the contract: DREAMAPI_PROTOCOL, and no second try. */
void fixture_expect_protocol(dreamapi_status (*call)(fixture *f), const char *path, const char *body);

/* Fails the test with the error's message unless the status is the expected one. */
void fixture_expect(const fixture *f, dreamapi_status status, dreamapi_status expected);

#endif
