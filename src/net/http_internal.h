/* SPDX-License-Identifier: Apache-2.0 */
/* http_internal.h - what the files behind http_server.h share. libmicrohttpd's names stay in those files.
 *
 *   http_listen.c   the listening socket and the URL it answers at
 *   http_server.c   start, stop, and libmicrohttpd's callbacks: reads a request, hands it over, queues its answer
 *   http_request.c  the request: what the handler reads, the one answer, and when its memory goes
 *   http_answer.c   the answer in libmicrohttpd's terms, made once for many requests where they differ in little
 *   http_patience.c ends connections whose request does not come (http_patience.h)
 *   http_observe.c  the metrics and the log line of a finished request
 *   http_tls.c      the certificate, before all that (http_tls.h)
 *
 * A request has two owners: libmicrohttpd until its "completed" callback, and the handler until its answer. Each holds a
 * reference. Its state says who queues the answer:
 *
 *   RECEIVING -> HANDLING -> ANSWERED                answered inside the handler: queued when it returns
 *                HANDLING -> SUSPENDED -> ANSWERED   answered later: the answerer resumes the connection
 *
 * A large body takes the same way once more, in its middle, to be let in; then it is RECEIVING again, or ANSWERED already.
 *
 * and its claim says who may answer: the handler's side, or the server when it stops. Whoever claims writes the answer;
 * the exchange to ANSWERED publishes it. */
#ifndef DREAMD_NET_HTTP_INTERNAL_H
#define DREAMD_NET_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "common/arena.h"
#include "common/buffer.h"
#include "net/http_patience.h"
#include "net/http_proxy.h"
#include "net/http_server.h"

enum {
    DREAMD_REQUEST_ID_MAX = 128,
    DREAMD_RETIRED_KEPT = 256, /* shells of finished requests kept, so that a second answer finds out that it is one */
    DREAMD_ANSWER_KINDS = 32,  /* places in the table of kept answers; bounds their memory with the next two */
    DREAMD_ANSWERS_KEPT = 4,   /* in each place: a server thread has one answer under way at most times */
    DREAMD_ANSWER_KEPT_MAX = 2048, /* bytes of body; making a larger one costs more than its headers */
    DREAMD_ROUTES_MAX = 128        /* routes with series of their own; more are counted together as "other" */
};

enum dreamd_request_state { DREAMD_RECEIVING, DREAMD_HANDLING, DREAMD_SUSPENDED, DREAMD_ANSWERED };
enum dreamd_request_claim {
    DREAMD_UNCLAIMED,
    DREAMD_BY_HANDLER,
    DREAMD_BY_SERVER,
    DREAMD_BY_BOTH /* the server, and then the handler's side came too and let go of its reference */
};

/* Headers that every answer has; a handler may give another value. */
enum dreamd_safe_header { DREAMD_HAS_NOSNIFF = 1, DREAMD_HAS_CACHE_CONTROL = 2, DREAMD_HAS_TRANSPORT_SECURITY = 4 };

typedef struct dreamd_kept_answer dreamd_kept_answer; /* http_answer.c */

/* Answers that are out, kept to be sent again with another body and request id. */
typedef struct dreamd_answers {
    pthread_mutex_t lock; /* held over no call into libmicrohttpd */
    dreamd_kept_answer *kept[DREAMD_ANSWER_KINDS][DREAMD_ANSWERS_KEPT];
} dreamd_answers;

typedef struct dreamd_http_header {
    const char *name;
    const char *value;
} dreamd_http_header;

typedef struct dreamd_answer_header {
    struct dreamd_answer_header *next;
    const char *name;
    const char *value;
} dreamd_answer_header;

struct dreamd_request {
    dreamd_http_server *server;        /* a reference, given back when the request retires */
    struct MHD_Connection *connection; /* touched on its server thread, or while suspended */
    dreamd_visit *visit;               /* the connection's; NULL: none. The server thread's */
    atomic_uint references;
    atomic_int state;                /* enum dreamd_request_state */
    atomic_int claim;                /* enum dreamd_request_claim */
    struct dreamd_request *previous; /* among the live ones; under the server's lock */
    struct dreamd_request *next;
    struct dreamd_request *next_refused; /* used by stop alone */

    /* What was sent. Written by the server thread before the handler is called, then only read. Everything is copied: an
     * owner may still read it when the server, stopping, has already answered and closed the connection. */
    char *target; /* the whole request target, cut in two at '?' */
    size_t target_size;
    const char *path;
    const char *query;     /* "" if none */
    const char *authority; /* of an absolute target; NULL else */
    char *head;            /* one block: the headers' array, then all texts */
    size_t head_size;
    dreamd_http_header *headers;
    size_t header_count;
    const char *method;
    dream_buffer body;
    dream_arena *arena; /* the handler's, never touched by the server while it is out */
    char id[DREAMD_REQUEST_ID_MAX + 1];
    char remote[DREAMD_ADDRESS_SIZE];
    bool is_https;     /* to the client's knowledge: also when a trusted proxy ended TLS */
    bool is_begun;     /* the head was taken over */
    bool is_malformed; /* its method, target or a header holds what cannot be there */
    size_t max_body;
    bool is_admission_asked;
    bool is_large;         /* its body is counted among the server's large ones */
    int64_t large_us;      /* since when */
    size_t large_received; /* and what has come since */
    bool is_too_large;     /* the rest of the body is read and thrown away */
    bool is_too_many;      /* the same, as there are enough large ones */
    bool is_too_slow;      /* the same, as it held a place for too long */
    bool is_live;
    size_t discarded;
    int64_t started_us;

    /* The answer. Written by whoever claimed. */
    unsigned status;
    const char *answer_type;
    void *answer; /* owned, wiped */
    size_t answer_size;
    int answer_fd;                        /* a file in place of `answer`, owned; -1: none */
    bool is_fallback;                     /* no memory for `answer`: a fixed text instead */
    dreamd_answer_header *answer_headers; /* in the arena, last first */
    unsigned has;                         /* of enum dreamd_safe_header, what the handler set by itself */
    const dreamd_constant_header *constant_headers;
    dreamd_kept_answer *kept; /* what was queued, if it may be used again; NULL: it may not */
    _Atomic(const char *) route;
};

typedef struct dreamd_route_series {
    const char *route;
    dreamd_metric *seconds;
    dreamd_metric *classes[6]; /* [status / 100]; 0 is not used */
} dreamd_route_series;

struct dreamd_http_server {
    atomic_uint references; /* the starter's, and one for each request that has not retired */
    struct MHD_Daemon *daemon;
    int listener;
    char url[80];
    char *name;
    bool is_tls;
    const dreamd_proxies *proxies; /* NULL: none */
    size_t max_body;
    bool (*is_large)(const char *method, const char *path);
    size_t max_large_body;
    dreamd_http_handler *admit_large;
    int64_t large_grace_us;
    atomic_uint large_bodies;
    atomic_uint connections;
    dreamd_patience *patience;
    int64_t idle_us;
    unsigned crowd; /* so many connections, and new ones may not be idle for long */
    dreamd_http_handler *handler;
    void *context;
    bool is_logged;
    uint64_t id_seed;
    atomic_uint_least64_t id_count;
    atomic_bool is_stopping;
    atomic_size_t answering; /* answers between their claim and the end of their resume: the daemon must live */

    pthread_mutex_t lock;   /* guards what follows; held over nothing that waits */
    pthread_cond_t changed; /* signalled while stopping: fewer live, or nobody answering */
    dreamd_request *live;   /* handed over and not completed */
    size_t live_count;
    dreamd_request *retired[DREAMD_RETIRED_KEPT];
    size_t retired_next;
    dreamd_answers answers; /* has its own lock */
    dreamd_metrics *metrics;
    dreamd_metric *in_flight;
    dreamd_route_series routes[DREAMD_ROUTES_MAX];
    dreamd_route_series other;
};

/* http_listen.c: an open listening socket, -1 with `error` filled. `out_authority` is what a client on this machine connects to. */
int dreamd_http_listen(const char *listen_at, char out_authority[64], char error[256]);

/* http_server.c */
void dreamd_http_server_unref(dreamd_http_server *server);

/* http_request.c */
dreamd_request *dreamd_request_new(dreamd_http_server *server, struct MHD_Connection *connection, const char *target);
void dreamd_request_ref(dreamd_request *request);
void dreamd_request_unref(dreamd_request *request);
/* Gives the body's memory back, and its place among the large ones. */
void dreamd_request_drop_body(dreamd_request *request);
/* Copies method and headers. False when out of memory. */
bool dreamd_request_take_head(dreamd_request *request, const char *method);
/* Answers in the server's name, unless the handler's side has. The text goes out as {"error": text}: a literal without
 * characters that JSON escapes. */
void dreamd_request_refuse(dreamd_request *request, unsigned status, const char *text);

/* Which of the safe headers this is; 0: none. */
unsigned dreamd_safe_header_of(const char *name);

/* http_answer.c. Queues the answer; MHD_NO closes the connection, the only answer left without memory. The server thread's. */
enum MHD_Result dreamd_request_queue_answer(dreamd_request *request);
bool dreamd_answers_init(dreamd_answers *answers);
void dreamd_answers_clear(dreamd_answers *answers);
/* Takes back what the request, which is complete, has been answered with. */
void dreamd_answers_put(dreamd_answers *answers, dreamd_request *request);

/* http_observe.c; with the server's lock held but for the log line */
void dreamd_observe_start(dreamd_http_server *server);
void dreamd_observe_leave(dreamd_http_server *server);
void dreamd_observe_finish(dreamd_http_server *server, const dreamd_request *request, int64_t elapsed_us);
void dreamd_observe_log(const dreamd_http_server *server, const dreamd_request *request, int64_t elapsed_us);
int64_t dreamd_monotonic_us(void);

#endif
