/* SPDX-License-Identifier: Apache-2.0 */
/** @file testing.h
 * For the tests of programs that use this library: a transport that answers
 * from a script and records what it was asked, and a clock that only moves when
 * the client waits. With both, an hour of retries runs in a moment, the same
 * way each time.
 *
 *   dreamapi_test_transport *transport = dreamapi_test_transport_new();
 *   dreamapi_test_clock *clock = dreamapi_test_clock_new(1700000000000);
 *   dreamapi_test_transport_install(transport, options);
 *   dreamapi_test_clock_install(clock, options);
 *
 *   dreamapi_test_answer busy = DREAMAPI_TEST_ANSWER_INIT;
 *   busy.http_status = 503;
 *   dreamapi_test_transport_add(transport, &busy);
 *
 * Not included by dreamapi.h. Any thread may call these functions. */
#ifndef DREAMAPI_TESTING_H
#define DREAMAPI_TESTING_H

#include <dreamapi/base.h>
#include <dreamapi/error.h>
#include <dreamapi/options.h>
#include <dreamapi/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A virtual clock. Its monotonic time starts at 1000000 ms. */
typedef struct dreamapi_test_clock dreamapi_test_clock;

/** A clock that stands at `wall_ms` milliseconds since 1970-01-01T00:00Z. Owned (dreamapi_test_clock_free); NULL when out of
 * memory. */
DREAMAPI_API dreamapi_test_clock *dreamapi_test_clock_new(int64_t wall_ms);
/** Releases the clock. Every client that uses it must have been freed. NULL is fine. */
DREAMAPI_API void dreamapi_test_clock_free(dreamapi_test_clock *clock);
/** Makes clients that are made from these options live by this clock, which must outlive them. */
DREAMAPI_API dreamapi_status dreamapi_test_clock_install(dreamapi_test_clock *clock, dreamapi_options *options);
/** Moves both times on by `ms`; negative values do nothing. */
DREAMAPI_API void dreamapi_test_clock_advance(dreamapi_test_clock *clock, int64_t ms);
/** Sets the wall time alone, as when an administrator corrects it. */
DREAMAPI_API void dreamapi_test_clock_set_wall_ms(dreamapi_test_clock *clock, int64_t wall_ms);
/** Monotonic milliseconds. */
DREAMAPI_API int64_t dreamapi_test_clock_monotonic_ms(const dreamapi_test_clock *clock);
/** Milliseconds since 1970-01-01T00:00Z. */
DREAMAPI_API int64_t dreamapi_test_clock_wall_ms(const dreamapi_test_clock *clock);

/** A transport that answers from a script. */
typedef struct dreamapi_test_transport dreamapi_test_transport;

/** dreamapi_test_answer.delay_ms of an answer that never comes. */
#define DREAMAPI_TEST_NEVER INT64_MAX
/** dreamapi_test_answer.times of an answer that serves any number of requests. */
#define DREAMAPI_TEST_ALWAYS (-1)

/** One scripted answer, or one scripted failure. */
typedef struct dreamapi_test_answer {
    /** sizeof(dreamapi_test_answer), set by DREAMAPI_TEST_ANSWER_INIT. */
    size_t struct_size;
    /** Only for requests with this method; NULL: any. */
    const char *method;
    /** Only for requests whose path ends with this, a query left out, as in "/api/usage". NULL: any path but /health,
     * so that the question for extensions does not use up answers meant for others. */
    const char *path;
    /** How many requests it serves; DREAMAPI_TEST_ALWAYS: any number. */
    int times;
    /** The HTTP status; 0: the exchange fails as `failure` and `maybe_sent` say. */
    int http_status;
    /** "Name: value" texts, ended by NULL; may be NULL. */
    const char *const *headers;
    /** May be NULL. */
    const char *body;
    /** Milliseconds on the client's clock from the request to the answer; DREAMAPI_TEST_NEVER. */
    int64_t delay_ms;
    /** With http_status 0. */
    dreamapi_failure failure;
    /** With http_status 0: 0 when the request surely never left. */
    int maybe_sent;
} dreamapi_test_answer;

/** 200 with no body, at once, once, to any request. */
#define DREAMAPI_TEST_ANSWER_INIT                                                                                      \
    {                                                                                                                  \
        sizeof(dreamapi_test_answer), NULL, NULL, 1, 200, NULL, NULL, 0, DREAMAPI_FAILURE_OTHER, 1                     \
    }

/** A transport with an empty script: GET /health is answered {"status":"ok"}, as by a server that has no extensions; other
 * requests fail as if refused by the server's machine. Owned (dreamapi_test_transport_free); NULL when out of memory. */
DREAMAPI_API dreamapi_test_transport *dreamapi_test_transport_new(void);
/** Lets go of the transport; it lives on while a client uses it. NULL is fine. */
DREAMAPI_API void dreamapi_test_transport_free(dreamapi_test_transport *transport);
/** Makes clients that are made from these options use this transport, of which these options, and copies of them, keep no
 * hold: make the clients before freeing it. Several clients may share it. */
DREAMAPI_API dreamapi_status dreamapi_test_transport_install(dreamapi_test_transport *transport,
                                                             dreamapi_options *options);
/** Appends an answer to the script; everything is copied. A request is served by the first answer that fits it.
 * DREAMAPI_INVALID or DREAMAPI_NOMEM if it was not appended. */
DREAMAPI_API dreamapi_status dreamapi_test_transport_add(dreamapi_test_transport *transport,
                                                         const dreamapi_test_answer *answer);
/** Short for an answer with this path (NULL: any but /health), status and body, once. */
DREAMAPI_API dreamapi_status dreamapi_test_transport_add_simple(dreamapi_test_transport *transport, const char *path,
                                                                int http_status, const char *body);

/** Number of requests so far, questions for extensions included. */
DREAMAPI_API size_t dreamapi_test_transport_request_count(const dreamapi_test_transport *transport);
/** Number of requests so far whose path ends with this, a query left out. */
DREAMAPI_API size_t dreamapi_test_transport_count_path(const dreamapi_test_transport *transport, const char *path);

/** A recorded request; lives as long as the transport. */
typedef struct dreamapi_test_request dreamapi_test_request;

/** One of the requests, oldest first; NULL past the end. Borrowed from the transport. */
DREAMAPI_API const dreamapi_test_request *dreamapi_test_transport_request(const dreamapi_test_transport *transport,
                                                                          size_t index);
/** "GET", "POST", ... */
DREAMAPI_API const char *dreamapi_test_request_method(const dreamapi_test_request *request);
/** The absolute URL with its query. */
DREAMAPI_API const char *dreamapi_test_request_url(const dreamapi_test_request *request);
/** The value of a header by its name, in any case; NULL if it was not sent. */
DREAMAPI_API const char *dreamapi_test_request_header(const dreamapi_test_request *request, const char *name);
/** The body; NULL if there was none. */
DREAMAPI_API const char *dreamapi_test_request_body(const dreamapi_test_request *request);
/** When it was made, in the client's monotonic milliseconds. */
DREAMAPI_API int64_t dreamapi_test_request_at_ms(const dreamapi_test_request *request);

#ifdef __cplusplus
}
#endif

#endif
