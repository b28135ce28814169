/* SPDX-License-Identifier: Apache-2.0 */
/* http_server.h - an HTTP/1.1 server over libmicrohttpd (epoll, a small thread pool).
 *
 * A handler is called once per request, when head and body are complete, on a server thread. It must not block on the
 * network. It leads, now or later and from any thread, to exactly one dreamd_request_answer; until then the connection is
 * suspended and costs no thread. The server refuses by itself what is malformed or too large (400, 413, 414, 431).
 *
 * Bodies beyond the usual bound have few places in memory. One is taken only when `admit_large`, asked in the middle of the
 * body with nothing but the head to go by, lets the request in: else any stranger could hold them all. And it is lost by a
 * client that sends more slowly than DREAMD_LARGE_BODY_RATE (408), as one that is let in may be slow, too.
 *
 * Connections beyond the limit wait to be accepted. Those beyond half of it may be idle for 2 seconds only: so a crowd of clients
 * that send nothing, or stop in the middle, keeps others out for no longer than that. A head that is not there within the idle
 * timeout, and a body that comes with less than 4 KiB a second beyond it, end their connection, whatever trickles in. */
#ifndef DREAMD_NET_HTTP_SERVER_H
#define DREAMD_NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "net/http_proxy.h"
#include "net/http_tls.h"
#include "net/metrics.h"

typedef struct dreamd_http_server dreamd_http_server;
typedef struct dreamd_request dreamd_request;
typedef void dreamd_http_handler(void *context, dreamd_request *request);

enum {
    DREAMD_MAX_LARGE_BODIES = 8,
    DREAMD_LARGE_BODY_RATE = 64 << 10 /* bytes a second, on the average since it has its place and after a grace */
};

typedef struct dreamd_http_server_options {
    const char *name;      /* for logs and metrics: "api", "sandbox-stripe-live" ... copied */
    const char *listen;    /* "ADDR:PORT", "[v6]:PORT"; port 0 takes a free one */
    const dreamd_tls *tls; /* borrowed while it starts; NULL: plain HTTP */
    const dreamd_proxies
        *proxies;     /* whose X-Forwarded-For and -Proto are believed; borrowed for its life; NULL: nobody's */
    unsigned threads; /* 0: 2 */
    size_t max_body;  /* bytes; 0: 1 MiB */
    /* Which requests may have more, up to `max_large_body`; NULL: none. At most DREAMD_MAX_LARGE_BODIES at a time are in
     * memory; others are refused with 503. */
    bool (*is_large)(const char *method, const char *path);
    size_t max_large_body;
    /* Leads, now or later and from any thread, to exactly one dreamd_request_admit or dreamd_request_answer; after the latter
     * the rest of the body is thrown away and the handler not called. The body is not there yet. NULL: all are let in. */
    dreamd_http_handler *admit_large;
    unsigned large_grace_ms;  /* 0: 10000 */
    unsigned idle_timeout_s;  /* 0: 30; also the most a slow client may take between two pieces */
    unsigned max_connections; /* 0: 4096; fewer if the process may not open so many files */
    dreamd_http_handler *handler;
    void *context;           /* handed to the handler; outlives the server */
    dreamd_metrics *metrics; /* may be NULL */
    bool is_logged;          /* one log line a request */
} dreamd_http_server_options;

/* `error` gets a sentence that says what to do (address in use by ..., permission ...). */
dreamd_http_server *dreamd_http_server_start(const dreamd_http_server_options *options, char error[256]);
const char *dreamd_http_server_url(
    const dreamd_http_server *server); /* "http://127.0.0.1:8787", https with TLS; no final slash */
/* Stops accepting, lets requests in hand finish for at most `drain_ms`, answers what is left with 503, then ends. A request
 * answered later by its owner is still safe: its memory lives until then. NULL is fine. */
void dreamd_http_server_stop(dreamd_http_server *server, int64_t drain_ms);

/* What the client sent: borrowed, valid until the answer. Paths are as sent (not decoded), without the query. */
const char *dreamd_request_method(const dreamd_request *request);
const char *dreamd_request_path(const dreamd_request *request);
const char *dreamd_request_query(dreamd_request *request, const char *name); /* decoded; NULL if absent */
const char *dreamd_request_raw_query(const dreamd_request *request);         /* as sent, without "?"; "" if none */
/* Every query pair in the order sent, decoded; a name may come again. Stops, and returns false, when `fn` returns false. */
typedef bool dreamd_query_fn(void *context, const char *name, const char *value);
bool dreamd_request_each_query(dreamd_request *request, dreamd_query_fn *fn, void *context);
const char *dreamd_request_header(dreamd_request *request, const char *name);   /* any letter case; NULL if absent */
bool dreamd_request_has_twice(const dreamd_request *request, const char *name); /* does a header come more than once? */
bool dreamd_request_is_https(const dreamd_request *request); /* by its own TLS, or as a trusted proxy says */
const void *dreamd_request_body(const dreamd_request *request, size_t *out_size); /* NUL-terminated for convenience */
const char *dreamd_request_remote(const dreamd_request *request); /* numeric address of the peer, or of whom a
                                                                                     trusted proxy asks for */
const char *dreamd_request_id(
    const dreamd_request *request); /* X-Request-Id if sane, else made here; echoed in the answer */
dream_arena *dreamd_request_arena(dreamd_request *request); /* memory that dies with the request */

/* Adds a header to the coming answer (copied). Every answer has X-Content-Type-Options, Cache-Control: no-store and, over TLS,
 * Strict-Transport-Security, unless they are set here or among the constant ones. Values with CR, LF or NUL are refused: false. */
bool dreamd_request_set_header(dreamd_request *request, const char *name, const char *value);
/* Adds headers that are the same in all answers: the list, which ends with a NULL name, and its texts are borrowed and outlive the
 * server, and nothing is checked. The last list counts. */
typedef struct dreamd_constant_header {
    const char *name;
    const char *value;
} dreamd_constant_header;
void dreamd_request_set_constant_headers(dreamd_request *request, const dreamd_constant_header *headers);
/* A name for metrics ("POST /api/data"): a string that outlives the server. */
void dreamd_request_set_route(dreamd_request *request, const char *route);
/* In place of an answer to `admit_large`: goes on with the body. Headers that were set are forgotten. The request must not be
 * touched after. */
void dreamd_request_admit(dreamd_request *request);
/* Exactly once, from any thread; copies the body; `content_type` NULL for none. The request must not be touched after. */
void dreamd_request_answer(dreamd_request *request, unsigned status, const char *content_type, const void *body,
                           size_t size);
/* The same with the first `size` bytes of a file, which is read while it is sent. Takes `fd`. */
void dreamd_request_answer_file(dreamd_request *request, unsigned status, const char *content_type, int fd,
                                size_t size);

#endif
