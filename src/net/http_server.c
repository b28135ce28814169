/* SPDX-License-Identifier: Apache-2.0 */
/* http_server.c - start, stop, and the callbacks through which libmicrohttpd brings requests and takes answers.
 * The life of a request is told in http_internal.h; its accessors are http_request.c, its answer is http_answer.c.
 *
 * libmicrohttpd aborts if it is stopped while a connection is suspended. So stop first keeps new work out, waits for what
 * is in hand, claims and answers the rest with 503, waits until nobody is inside an answer any more, and only then stops
 * the daemon. server->lock is held over no call into libmicrohttpd and no handler. */
#include "net/http_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto.h"
#include "net/log.h"

enum {
    DEFAULT_THREADS = 2,
    DEFAULT_MAX_BODY = 1 << 20,
    DEFAULT_IDLE_S = 30,
    DEFAULT_CONNECTIONS = 4096,
    DEFAULT_LARGE_GRACE_MS = 10000,
    CROWDED_IDLE_S = 2,
    OTHER_FILES = 256, /* that the process may need beside connections: the store's, assets, connections to providers */
    /* Also bounds the head of a request: more is 414 or 431. libmicrohttpd clears all of it after each request. */
    CONNECTION_MEMORY = 16 * 1024,
    LAST_WRITE_MS = 1000, /* for the 503s of a stop to leave; a client that does not read is not waited for */
    ERROR_SIZE = 256,
    LOGGED_SIZE = 512
};

static const char shutting_down[] = "Service is shutting down";

/* ---- waiting for an answer ---- */

/* Suspends the connection until the handler's side is done with the request; false if it is already. Suspend first: whoever sees
 * SUSPENDED resumes at once, so it must be true by then. */
static bool suspend(dreamd_request *request)
{
    int state = DREAMD_HANDLING;
    if (atomic_load(&request->state) != DREAMD_HANDLING)
        return false;
    MHD_suspend_connection(request->connection);
    if (!atomic_compare_exchange_strong(&request->state, &state, DREAMD_SUSPENDED))
        MHD_resume_connection(request->connection);
    return true;
}

/* A stop may be about to answer in our place, if the body was let in before: then its answer is waited for. */
static enum MHD_Result refuse(dreamd_request *request, unsigned status, const char *text)
{
    dreamd_request_refuse(request, status, text);
    dreamd_visit_rest(request->visit);
    return suspend(request) ? MHD_YES : dreamd_request_queue_answer(request);
}

/* ---- the head of a request ---- */

static const char *only_header(const dreamd_request *request, const char *name, size_t *out_count)
{
    const char *value = NULL;
    *out_count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0) {
            value = request->headers[i].value;
            (*out_count)++;
        }
    }
    return value;
}

/* Digits only; a length too long for the type is too large for any limit too. */
static bool parse_length(const char *text, uint64_t *out_length)
{
    uint64_t length = 0;
    if (!*text)
        return false;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9')
            return false;
        length = length > UINT64_MAX / 10 - 1 ? UINT64_MAX / 10 : length * 10 + (uint64_t)(*c - '0');
    }
    *out_length = length;
    return true;
}

/* libmicrohttpd is lenient about what two servers in a row could read differently (request smuggling); we are not.
 * NULL if the head is fine. */
static const char *fault_of_head(dreamd_request *request, const char *version, uint64_t *out_length)
{
    size_t hosts, lengths, encodings;
    bool is_old = strcasecmp(version, "HTTP/1.0") == 0;
    (void)only_header(request, "Host", &hosts);
    const char *length = only_header(request, "Content-Length", &lengths);
    const char *encoding = only_header(request, "Transfer-Encoding", &encodings);
    *out_length = 0;
    if (request->is_malformed)
        return "The method, the target or a header is malformed";
    if (!request->path[0])
        return "The request target is not a path";
    if (hosts > 1 || (hosts == 0 && !is_old))
        return "A request needs exactly one Host header";
    if (lengths > 1 || (length && !parse_length(length, out_length)))
        return "The Content-Length header is not valid";
    if (encoding && length)
        return "A request has either Content-Length or Transfer-Encoding";
    if (encodings > 1 || (encoding && (is_old || strcasecmp(encoding, "chunked") != 0)))
        return "The only Transfer-Encoding taken is chunked";
    return NULL;
}

static enum MHD_Result begin(dreamd_request *request, const char *method, const char *version)
{
    uint64_t length;
    const dreamd_http_server *server = request->server;
    request->is_begun = true;
    request->started_us = dreamd_monotonic_us();
    dreamd_visit_await(request->visit, request->started_us); /* now the body; without one, hand_over comes at once */
    if (!dreamd_request_take_head(request, method))
        return MHD_NO;
    const char *fault = fault_of_head(request, version, &length);
    if (fault)
        return refuse(request, MHD_HTTP_BAD_REQUEST, fault);
    bool is_large = server->is_large && server->is_large(request->method, request->path);
    size_t max = is_large ? server->max_large_body : server->max_body;
    request->max_body = max;
    request->is_too_large = length > max;
    /* A client in the midst of sending does not read: closing on it would lose the answer. A little too much is
     * therefore read and thrown away; more is not worth it, and who asks with Expect is not sending yet. */
    if (request->is_too_large && (length / 2 > max || dreamd_request_header(request, "Expect")))
        return refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "The request body is too large");
    return MHD_YES;
}

/* ---- among the live ---- */

/* Enters the request among the live ones; false when stopping. Under the lock, so that stop sees every one it must answer. */
static bool go_live(dreamd_http_server *server, dreamd_request *request)
{
    pthread_mutex_lock(&server->lock);
    request->is_live = !atomic_load(&server->is_stopping);
    if (request->is_live) {
        request->previous = NULL;
        request->next = server->live;
        if (server->live)
            server->live->previous = request;
        server->live = request;
        server->live_count++;
        dreamd_observe_start(server);
    }
    pthread_mutex_unlock(&server->lock);
    return request->is_live;
}

static void leave_live(dreamd_http_server *server, dreamd_request *request)
{
    if (request->previous)
        request->previous->next = request->next;
    else
        server->live = request->next;
    if (request->next)
        request->next->previous = request->previous;
    server->live_count--;
    request->is_live = false;
    dreamd_observe_leave(server);
    if (atomic_load(&server->is_stopping))
        pthread_cond_broadcast(&server->changed);
}

/* ---- bodies ---- */

/* A body that outgrows the usual bound takes one of a few places, until its memory goes. */
static bool take_place(dreamd_request *request, size_t size)
{
    atomic_uint *count = &request->server->large_bodies;
    if (request->is_large || size <= request->server->max_body)
        return true;
    request->is_large = atomic_fetch_add(count, 1) < DREAMD_MAX_LARGE_BODIES;
    if (!request->is_large)
        atomic_fetch_sub(count, 1);
    request->large_us = dreamd_monotonic_us();
    return request->is_large;
}

/* Of who has a place. Asked with each piece; without any, the connection's idle timeout ends it: so a place is free again after the
 * grace, what the largest body takes at this rate, and that timeout, at the latest. */
static bool is_slow(const dreamd_request *request)
{
    int64_t allowed_us =
        request->server->large_grace_us + (int64_t)(request->large_received * 1000000 / DREAMD_LARGE_BODY_RATE);
    return request->is_large && dreamd_monotonic_us() - request->large_us > allowed_us;
}

static bool is_thrown_away(const dreamd_request *request)
{
    return request->is_too_large || request->is_too_many || request->is_too_slow
           || atomic_load(&request->state) == DREAMD_ANSWERED;
}

static enum MHD_Result take_body(dreamd_request *request, const char *data, size_t size)
{
    size_t max = request->max_body;
    if (!is_thrown_away(request)) {
        request->is_too_large = size > max - request->body.size;
        request->is_too_many = !request->is_too_large && !take_place(request, request->body.size + size);
        request->is_too_slow = is_slow(request);
    }
    if (is_thrown_away(request)) {
        dreamd_request_drop_body(request);
        request->discarded += size;
        return request->discarded / 2 > max ? MHD_NO : MHD_YES; /* a chunked body without end */
    }
    request->large_received += request->is_large ? size : 0;
    dream_buffer_append(&request->body, data, size);
    return request->body.is_failed ? MHD_NO : MHD_YES;
}

static bool is_admission_due(const dreamd_request *request, size_t size)
{
    size_t received = request->body.size + size;
    return request->server->admit_large && !request->is_admission_asked && !is_thrown_away(request)
           && received > request->server->max_body && received <= request->max_body;
}

/* True if the connection was suspended: the piece of the body that is there comes again. */
static bool ask_for_admission(dreamd_http_server *server, dreamd_request *request)
{
    request->is_admission_asked = true;
    dreamd_visit_rest(request->visit);
    atomic_store(&request->state, DREAMD_HANDLING);
    dreamd_request_ref(request); /* the handler's, as in hand_over */
    if (!go_live(server, request)) {
        dreamd_request_unref(request);
        dreamd_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, shutting_down);
        return false;
    }
    server->admit_large(server->context, request);
    return suspend(request);
}

/* Stop waits for its own answers to leave, so these requests stay among the live until they are complete. */
static bool is_answered_by_stop(const dreamd_request *request)
{
    return atomic_load(&request->state) == DREAMD_ANSWERED && atomic_load(&request->claim) != DREAMD_BY_HANDLER;
}

static enum MHD_Result take_piece(dreamd_http_server *server, dreamd_request *request, const char *data, size_t *size)
{
    if (is_admission_due(request, *size) && ask_for_admission(server, request))
        return MHD_YES;
    /* Back from the admission: a stop need not wait for the rest of the body. */
    if (request->is_live && !is_answered_by_stop(request)) {
        pthread_mutex_lock(&server->lock);
        leave_live(server, request);
        pthread_mutex_unlock(&server->lock);
        dreamd_visit_await(request->visit, dreamd_monotonic_us());
    }
    dreamd_visit_extend(request->visit, *size);
    enum MHD_Result result = take_body(request, data, *size);
    *size = 0;
    return result;
}

/* ---- handing over ---- */

static enum MHD_Result hand_over(dreamd_http_server *server, dreamd_request *request)
{
    int state = DREAMD_RECEIVING;
    dreamd_visit_rest(request->visit);
    if (!atomic_compare_exchange_strong(&request->state, &state, DREAMD_HANDLING))
        return dreamd_request_queue_answer(request); /* by a stop, since the body was let in */
    if (request->is_too_large)
        return refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "The request body is too large");
    if (request->is_too_many)
        return refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "Too many large requests at a time; try again");
    if (request->is_too_slow)
        return refuse(request, MHD_HTTP_REQUEST_TIMEOUT, "The request body came too slowly");
    request->started_us = dreamd_monotonic_us();
    dreamd_request_ref(request); /* the handler's, before stop can see the request */
    if (!go_live(server, request)) {
        dreamd_request_unref(request);
        return refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, shutting_down);
    }
    server->handler(server->context, request);
    return suspend(request) ? MHD_YES : dreamd_request_queue_answer(request);
}

/* ---- libmicrohttpd's callbacks ---- */

/* Comes with the raw target, before libmicrohttpd decodes it in place. What it returns is the request from here on. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    return dreamd_request_new(context, connection, target);
}

/* Comes when the head is there, for each piece of the body, at the end of the request, and after a resume. */
static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *decoded_path,
                                 const char *method, const char *version, const char *data, size_t *size,
                                 void **in_request)
{
    dreamd_request *request = *in_request;
    (void)connection;
    (void)decoded_path;
    if (!request) /* no memory when the target came */
        return MHD_NO;
    if (!request->is_begun)
        return begin(request, method, version);
    if (*size > 0)
        return take_piece(context, request, data, size);
    switch (atomic_load(&request->state)) {
    case DREAMD_RECEIVING:
        return hand_over(context, request);
    case DREAMD_ANSWERED:
        return dreamd_request_queue_answer(request);
    default:
        return MHD_YES;
    }
}

/* Comes once for each request whose target came, sent or broken off. */
static void on_completed(void *context, struct MHD_Connection *connection, void **in_request,
                         enum MHD_RequestTerminationCode reason)
{
    dreamd_http_server *server = context;
    dreamd_request *request = *in_request;
    (void)connection;
    (void)reason;
    if (!request)
        return;
    *in_request = NULL;
    bool is_answered = atomic_load(&request->state) == DREAMD_ANSWERED;
    int64_t now_us = dreamd_monotonic_us();
    int64_t elapsed_us = now_us - request->started_us;
    pthread_mutex_lock(&server->lock);
    if (is_answered)
        dreamd_observe_finish(server, request, elapsed_us);
    if (request->is_live)
        leave_live(server, request);
    pthread_mutex_unlock(&server->lock);
    dreamd_visit_await(request->visit, now_us);
    dreamd_answers_put(&server->answers, request);
    if (is_answered)
        dreamd_observe_log(server, request, elapsed_us);
    dreamd_request_unref(request);
}

/* Comes when a connection was accepted and before it goes. */
static void on_connection(void *context, struct MHD_Connection *connection, void **in_socket,
                          enum MHD_ConnectionNotificationCode code)
{
    dreamd_http_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        atomic_fetch_sub(&server->connections, 1);
        dreamd_visit_free(server->patience, *in_socket);
        *in_socket = NULL;
        return;
    }
    bool is_crowded = atomic_fetch_add(&server->connections, 1) >= server->crowd;
    const union MHD_ConnectionInfo *socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (is_crowded)
        (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)CROWDED_IDLE_S);
    if (socket)
        *in_socket = dreamd_visit_new(server->patience, socket->connect_fd,
                                      is_crowded ? CROWDED_IDLE_S * INT64_C(1000000) : server->idle_us);
}

static void on_log(void *context, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* Mostly clients that break off: worth a line for whoever looks, not a warning. */
static void on_log(void *context, const char *format, va_list arguments)
{
    const dreamd_http_server *server = context;
    char text[LOGGED_SIZE];
    (void)vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    dreamd_log(DREAMD_LOG_DEBUG, "http_library", dreamd_log_text("server", server->name),
               dreamd_log_text("message", text));
}

/* ---- start ---- */

static void server_free(dreamd_http_server *server)
{
    for (size_t i = 0; i < DREAMD_RETIRED_KEPT; i++)
        free(server->retired[i]);
    dreamd_answers_clear(&server->answers);
    dreamd_patience_free(server->patience);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server->name);
    free(server);
}

void dreamd_http_server_unref(dreamd_http_server *server)
{
    if (atomic_fetch_sub_explicit(&server->references, 1, memory_order_acq_rel) == 1)
        server_free(server);
}

static bool init_lock(dreamd_http_server *server)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool is_done = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0
                   && pthread_cond_init(&server->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (!is_done)
        return false;
    if (pthread_mutex_init(&server->lock, NULL) == 0) {
        if (dreamd_answers_init(&server->answers))
            return true;
        pthread_mutex_destroy(&server->lock);
    }
    pthread_cond_destroy(&server->changed);
    return false;
}

static dreamd_http_server *server_new(const dreamd_http_server_options *options)
{
    dreamd_http_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    if (!init_lock(server)) {
        free(server);
        return NULL;
    }
    atomic_init(&server->references, 1);
    server->listener = -1;
    server->max_body = options->max_body ? options->max_body : DEFAULT_MAX_BODY;
    server->is_large = options->is_large;
    server->max_large_body = options->max_large_body;
    server->admit_large = options->admit_large;
    server->large_grace_us =
        1000 * (int64_t)(options->large_grace_ms ? options->large_grace_ms : DEFAULT_LARGE_GRACE_MS);
    server->idle_us = 1000000 * (int64_t)(options->idle_timeout_s ? options->idle_timeout_s : DEFAULT_IDLE_S);
    server->handler = options->handler;
    server->context = options->context;
    server->is_logged = options->is_logged;
    server->is_tls = options->tls != NULL;
    server->proxies = options->proxies && options->proxies->count > 0 ? options->proxies : NULL;
    server->metrics = options->metrics;
    server->name = strdup(options->name ? options->name : "http");
    if (!server->name || !dream_random(&server->id_seed, sizeof server->id_seed)) {
        server_free(server);
        return NULL;
    }
    char labels[128];
    (void)snprintf(labels, sizeof labels, "server=\"%.100s\"", server->name);
    server->in_flight = dreamd_metrics_gauge(server->metrics, "dreamapid_http_in_flight",
                                             "Requests handed over and not yet answered.", labels);
    return server;
}

/* Accepting fails when there are no descriptors left, and then no connection is short-lived for being too many. */
static unsigned room_for(unsigned connections)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= (rlim_t)connections + OTHER_FILES)
        return connections;
    return (unsigned)(files.rlim_cur > 2 * OTHER_FILES ? files.rlim_cur - OTHER_FILES : files.rlim_cur / 2);
}

static struct MHD_Daemon *start_daemon(dreamd_http_server *server, const dreamd_http_server_options *options)
{
    unsigned threads = options->threads ? options->threads : DEFAULT_THREADS;
    unsigned connections = options->max_connections ? options->max_connections : DEFAULT_CONNECTIONS;
    unsigned idle_s = options->idle_timeout_s ? options->idle_timeout_s : DEFAULT_IDLE_S;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    const struct MHD_OptionItem secure[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0,
          options->tls ? (void *)(uintptr_t)dreamd_tls_certificate_pem(options->tls) : NULL },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, options->tls ? (void *)(uintptr_t)dreamd_tls_key_pem(options->tls) : NULL },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)dreamd_tls_priorities() },
        { MHD_OPTION_END, 0, NULL },
    };
    flags |= options->tls ? (unsigned)MHD_USE_TLS : 0U;
    connections = room_for(connections);
    if (connections < threads) /* each thread gets its share, and none may be zero */
        connections = threads;
    server->crowd = connections / 2;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_log,
                            server, /* first, so that it hears of the others */
                            MHD_OPTION_LISTEN_SOCKET, server->listener, MHD_OPTION_THREAD_POOL_SIZE,
                            threads > 1 ? threads : 0U, MHD_OPTION_CONNECTION_LIMIT, connections,
                            MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT,
                            0, /* fault_of_head is stricter, and answers in JSON */
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
                            server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_ARRAY,
                            options->tls ? secure : secure + 3, MHD_OPTION_END);
}

/* Signals are the main thread's business: the daemon's threads inherit a mask that blocks them all. */
static void start_daemon_masked(dreamd_http_server *server, const dreamd_http_server_options *options)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    server->patience = dreamd_patience_new();
    if (server->patience)
        server->daemon = start_daemon(server, options);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

dreamd_http_server *dreamd_http_server_start(const dreamd_http_server_options *options, char error[256])
{
    error[0] = '\0';
    dreamd_http_server *server = server_new(options);
    if (!server) {
        (void)snprintf(error, ERROR_SIZE, "Cannot start the server: out of memory");
        return NULL;
    }
    char authority[64];
    server->listener = dreamd_http_listen(options->listen, authority, error);
    if (server->listener < 0)
        goto failed;
    (void)snprintf(server->url, sizeof server->url, "%s://%s", server->is_tls ? "https" : "http", authority);
    start_daemon_masked(server, options);
    if (!server->daemon) {
        (void)snprintf(error, ERROR_SIZE, "Cannot start the server at %s: no memory, threads or descriptors left (%s)",
                       server->url, strerror(errno));
        (void)close(server->listener);
        goto failed;
    }
    return server;
failed:
    dreamd_http_server_unref(server);
    return NULL;
}

const char *dreamd_http_server_url(const dreamd_http_server *server)
{
    return server->url;
}

/* ---- stop ---- */

static struct timespec deadline_in(int64_t ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static void wait_until_idle(dreamd_http_server *server, int64_t limit_ms)
{
    const struct timespec at = deadline_in(limit_ms > 0 ? limit_ms : 0);
    int code = 0;
    pthread_mutex_lock(&server->lock);
    while (server->live_count > 0 && code == 0)
        code = pthread_cond_timedwait(&server->changed, &server->lock, &at);
    pthread_mutex_unlock(&server->lock);
}

/* No claim is left open after this: whoever comes later loses it, and does not touch the daemon. */
static void refuse_the_rest(dreamd_http_server *server)
{
    dreamd_request *rest = NULL;
    pthread_mutex_lock(&server->lock);
    for (dreamd_request *request = server->live; request; request = request->next) {
        dreamd_request_ref(request);
        request->next_refused = rest;
        rest = request;
    }
    pthread_mutex_unlock(&server->lock);
    while (rest) {
        dreamd_request *request = rest;
        rest = request->next_refused;
        dreamd_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, shutting_down);
        dreamd_request_unref(request);
    }
}

static void wait_for_answerers(dreamd_http_server *server)
{
    pthread_mutex_lock(&server->lock);
    while (atomic_load(&server->answering) > 0)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
}

/* Has the kernel refuse clients from now on. MHD_quiesce_daemon is for that, but it and a thread of the pool that is just awake
 * both take the socket out of the thread's epoll set, and libmicrohttpd aborts the process for whoever comes second. So the
 * socket goes without its knowledge, which takes it out of every set; its number, which threads may be about to accept
 * from, stands for something from which nothing ever comes. */
static void stop_listening(const dreamd_http_server *server)
{
    int nothing = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (nothing < 0 || dup3(nothing, server->listener, O_CLOEXEC) < 0)
        (void)shutdown(server->listener, SHUT_RDWR); /* threads find it broken again and again, until the end */
    if (nothing >= 0)
        (void)close(nothing);
}

void dreamd_http_server_stop(dreamd_http_server *server, int64_t drain_ms)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    atomic_store(&server->is_stopping, true);
    pthread_mutex_unlock(&server->lock);
    stop_listening(server);
    wait_until_idle(server, drain_ms);
    refuse_the_rest(server);
    wait_for_answerers(server);
    wait_until_idle(server, LAST_WRITE_MS);
    MHD_stop_daemon(server->daemon); /* closes the listener's number too */
    dreamd_http_server_unref(server);
}
