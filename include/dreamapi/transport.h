/* SPDX-License-Identifier: Apache-2.0 */
/** @file transport.h
 * How requests reach the server. The built-in transport uses libcurl; a
 * program may bring its own (an existing HTTP stack, a recorder, a test double).
 *
 * A transport moves single HTTP exchanges and decides nothing: deadlines,
 * retries and the meaning of answers stay with the client. It must not follow
 * redirects, add headers that carry credentials, or repeat a request by itself, but for one that
 * dreamapi_exchange_is_repeatable when a kept connection turned out to be gone.
 *
 * Threads: the client calls one transport instance from one thread at a time,
 * though not always the same one, and holds no lock meanwhile. The exchange
 * functions below may be called only from within start and perform. */
#ifndef DREAMAPI_TRANSPORT_H
#define DREAMAPI_TRANSPORT_H

#include <dreamapi/base.h>
#include <dreamapi/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Time as the client sees it. Any thread may call; a function must be thread-safe and must not block. */
typedef struct dreamapi_clock {
    /** sizeof(dreamapi_clock). */
    size_t struct_size;
    /** Given to each function. Borrowed: must outlive every client made with it. */
    void *user_data;
    /** Milliseconds that never step back, from any origin. Required. */
    int64_t (*monotonic_ms)(void *user_data);
    /** Milliseconds since 1970-01-01T00:00Z. Required. */
    int64_t (*wall_ms)(void *user_data);
    /** NULL for real time. With a virtual clock: moves it on by `ms`. The client then never waits for time to pass:
     * when nothing else can go on, it calls this instead. */
    void (*sleep_ms)(void *user_data, int64_t ms);
} dreamapi_clock;

/** One HTTP request and its answer. The client's; borrowed by the transport from start until it reports the end, or
 * until cancel returns. */
typedef struct dreamapi_exchange dreamapi_exchange;

/** Why an exchange brought no complete answer. Codes are only ever added. */
typedef enum dreamapi_failure {
    DREAMAPI_FAILURE_OTHER = 0,
    DREAMAPI_FAILURE_TIMEOUT = 1,
    /** The server's name has no address. */
    DREAMAPI_FAILURE_DNS = 2,
    DREAMAPI_FAILURE_CONNECT = 3,
    /** Certificate, name or protocol version refused. Never retried. */
    DREAMAPI_FAILURE_TLS = 4,
    /** The connection broke. */
    DREAMAPI_FAILURE_RESET = 5,
    /** A connection kept from an earlier exchange turned out to be gone, and no byte of an answer came. */
    DREAMAPI_FAILURE_STALE = 6,
    /** dreamapi_exchange_add_header or _add_body refused more. */
    DREAMAPI_FAILURE_TOO_LARGE = 7,
    /** The answer is not HTTP. */
    DREAMAPI_FAILURE_PROTOCOL = 8,
    DREAMAPI_FAILURE_NOMEM = 9
} dreamapi_failure;

/** What a transport learns about the client it works for. Borrowed while open runs, but for `clock`, which lives as
 * long as the instance. */
typedef struct dreamapi_transport_settings {
    /** sizeof(dreamapi_transport_settings). */
    size_t struct_size;
    /** The client's clock. */
    const dreamapi_clock *clock;
    /** The whole User-Agent; it is also among each exchange's headers. */
    const char *user_agent;
    /** dreamapi_options_set_ca_file; may be NULL. */
    const char *ca_file;
    /** dreamapi_options_set_proxy; may be NULL. */
    const char *proxy;
} dreamapi_transport_settings;

/** A kind of transport. Copied by dreamapi_options_set_transport. All functions are required unless said otherwise. */
typedef struct dreamapi_transport {
    /** sizeof(dreamapi_transport). */
    size_t struct_size;
    /** Given to open. Borrowed: must outlive every client made with it. */
    void *user_data;
    /** Makes the instance that one client uses until its destroy. */
    dreamapi_status (*open)(void *user_data, const dreamapi_transport_settings *settings, void **out_instance);
    /** Begins an exchange. May report its end at once. A status other than DREAMAPI_OK means that nothing was begun
     * and nothing sent. */
    dreamapi_status (*start)(void *instance, dreamapi_exchange *exchange);
    /** Drops an exchange that was begun and whose end was not reported; touches it no more. Returns 0 only if surely no
     * byte of the request left this machine. */
    int (*cancel)(void *instance, dreamapi_exchange *exchange);
    /** Does what can be done without waiting and reports the exchanges that ended. */
    void (*perform)(void *instance);
    /** A descriptor that is readable when perform has something to do, the same one for the instance's life; -1 if
     * there is none, and perform is called by timeout_ms alone. */
    int (*fd)(void *instance);
    /** Milliseconds until perform should be called even if fd stays quiet; 0 at once, -1 never. */
    int64_t (*timeout_ms)(void *instance);
    /** Releases the instance. No exchange is under way. */
    void (*destroy)(void *instance);
    /** May be NULL. Called instead of destroy in a forked child: releases what it can without a word to the server,
     * since the connections are the parent's. */
    void (*abandon)(void *instance);
} dreamapi_transport;

/* The request. All borrowed from the exchange. */

/** "GET", "POST", "PATCH" or "DELETE". */
DREAMAPI_API const char *dreamapi_exchange_method(const dreamapi_exchange *exchange);
/** The absolute URL, percent-encoded, http or https. Send its path as it is. */
DREAMAPI_API const char *dreamapi_exchange_url(const dreamapi_exchange *exchange);
/** Number of request headers. */
DREAMAPI_API size_t dreamapi_exchange_header_count(const dreamapi_exchange *exchange);
/** Name of a request header; NULL past the end. */
DREAMAPI_API const char *dreamapi_exchange_header_name(const dreamapi_exchange *exchange, size_t index);
/** Value of a request header; NULL past the end. Some are secret: do not keep or log them. */
DREAMAPI_API const char *dreamapi_exchange_header_value(const dreamapi_exchange *exchange, size_t index);
/** The request's body, `*out_size` bytes (may be NULL); NULL with 0 if it has none. */
DREAMAPI_API const char *dreamapi_exchange_body(const dreamapi_exchange *exchange, size_t *out_size);
/** 1 if sending the request twice does no harm. */
DREAMAPI_API int dreamapi_exchange_is_repeatable(const dreamapi_exchange *exchange);

/** A place for the transport's own state of this exchange; NULL at first. */
DREAMAPI_API void dreamapi_exchange_set_user_data(dreamapi_exchange *exchange, void *user_data);
/** What dreamapi_exchange_set_user_data stored. */
DREAMAPI_API void *dreamapi_exchange_user_data(const dreamapi_exchange *exchange);

/* The answer. Headers and body are copied. */

/** Adds a response header. DREAMAPI_PROTOCOL when all of them exceed 64 KiB, DREAMAPI_NOMEM: then fail the exchange. */
DREAMAPI_API dreamapi_status dreamapi_exchange_add_header(dreamapi_exchange *exchange, const char *name,
                                                          const char *value);
/** Adds bytes of the body. DREAMAPI_PROTOCOL when it exceeds the client's maximum, DREAMAPI_NOMEM: then fail the exchange. */
DREAMAPI_API dreamapi_status dreamapi_exchange_add_body(dreamapi_exchange *exchange, const void *bytes, size_t size);
/** Reports the end: a complete answer with this HTTP status. The exchange is the client's again. */
DREAMAPI_API void dreamapi_exchange_finish(dreamapi_exchange *exchange, int http_status);
/** Reports the end: no complete answer. `maybe_sent` is 0 only if surely no byte of the request left this machine;
 * that decides whether a POST may be tried again. `text` (may be NULL) is copied into the error's message. The exchange is the
 * client's again. */
DREAMAPI_API void dreamapi_exchange_fail(dreamapi_exchange *exchange, dreamapi_failure failure, int maybe_sent,
                                         const char *text);

#ifdef __cplusplus
}
#endif

#endif
