/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - the web server. Each connection has a thread of its own: a request that waits for the service delays no other, and
 * handlers read from top to bottom. Beyond MAX_CONNECTIONS new ones are closed. */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 512, IDLE_S = 30, MAX_BODY = 1 << 20 };

struct http_server {
    struct MHD_Daemon *daemon;
    http_handler handler;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* no request is under way */
    int under_way;
    int is_stopping;
};

/* A request while it comes in. */
struct incoming {
    char *body;
    size_t size;
    int is_too_large;
};

const char *http_header(const http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* ---- answers ---- */

static void add_bytes(http_answer *answer, const char *bytes, size_t size)
{
    if (size > sizeof(answer->json) - 2 - answer->size) { /* the end of the object has its room */
        answer->is_too_large = 1;
        return;
    }
    memcpy(answer->json + answer->size, bytes, size);
    answer->size += size;
}

static void add_quoted(http_answer *answer, const char *text)
{
    add_bytes(answer, "\"", 1);
    for (; *text; text++) {
        char escaped[8] = { *text };
        if (*text == '"' || *text == '\\')
            (void)snprintf(escaped, sizeof(escaped), "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            (void)snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned char)*text);
        add_bytes(answer, escaped, strlen(escaped));
    }
    add_bytes(answer, "\"", 1);
}

static void add_name(http_answer *answer, const char *name)
{
    add_bytes(answer, answer->size == 0 ? "{" : ",", 1);
    add_quoted(answer, name);
    add_bytes(answer, ":", 1);
}

void http_add_text(http_answer *answer, const char *name, const char *text)
{
    add_name(answer, name);
    if (text)
        add_quoted(answer, text);
    else
        add_bytes(answer, "null", 4);
}

void http_add_number(http_answer *answer, const char *name, int64_t number)
{
    char digits[24] = "null";
    if (number >= 0)
        (void)snprintf(digits, sizeof(digits), "%lld", (long long)number);
    add_name(answer, name);
    add_bytes(answer, digits, strlen(digits));
}

void http_refuse(http_answer *answer, int status, const char *words)
{
    answer->status = status;
    answer->size = 0;
    http_add_text(answer, "error", words);
}

static void add_headers(struct MHD_Response *response, const http_answer *answer, int is_last)
{
    char seconds[24];
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    if (answer->status == MHD_HTTP_UNAUTHORIZED)
        (void)MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (answer->retry_after_ms > 0) {
        (void)snprintf(seconds, sizeof(seconds), "%lld", (long long)(answer->retry_after_ms + 999) / 1000);
        (void)MHD_add_response_header(response, "Retry-After", seconds);
    }
    if (is_last)
        (void)MHD_add_response_header(response, "Connection", "close");
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, http_answer *answer, int is_last)
{
    if (answer->is_too_large) {
        answer->is_too_large = 0;
        http_refuse(answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "The answer is too large.");
    }
    if (answer->size == 0)
        answer->json[answer->size++] = '{';
    memcpy(answer->json + answer->size, "}\n", 2);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->size + 2, answer->json, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    add_headers(response, answer, is_last);
    enum MHD_Result sent = MHD_queue_response(connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return sent;
}

/* ---- requests ---- */

static struct incoming *begin(http_server *server)
{
    struct incoming *incoming = calloc(1, sizeof(*incoming));
    if (incoming) {
        pthread_mutex_lock(&server->lock);
        server->under_way++;
        pthread_mutex_unlock(&server->lock);
    }
    return incoming;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how)
{
    http_server *server = context;
    struct incoming *incoming = *state;
    (void)connection;
    (void)how;
    if (!incoming)
        return;
    free(incoming->body);
    free(incoming);
    *state = NULL;
    pthread_mutex_lock(&server->lock);
    if (--server->under_way == 0)
        pthread_cond_signal(&server->idle);
    pthread_mutex_unlock(&server->lock);
}

static void take(struct incoming *incoming, const char *bytes, size_t size)
{
    char *grown = size <= MAX_BODY - incoming->size ? realloc(incoming->body, incoming->size + size + 1) : NULL;
    if (!grown) {
        incoming->is_too_large = 1;
        return;
    }
    memcpy(grown + incoming->size, bytes, size);
    incoming->body = grown;
    incoming->size += size;
    grown[incoming->size] = '\0';
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *bytes, size_t *size,
                                  void **state)
{
    http_server *server = context;
    struct incoming *incoming = *state;
    (void)version;
    if (!incoming) /* the headers alone: what a client that waits for "100 Continue" needs */
        return (*state = begin(server)) ? MHD_YES : MHD_NO;
    if (*size > 0) {
        if (!incoming->is_too_large)
            take(incoming, bytes, *size);
        *size = 0;
        return MHD_YES;
    }
    const char *body = incoming->body ? incoming->body : "";
    const http_request request = { method, path, body, incoming->size, connection };
    http_answer answer = { .status = MHD_HTTP_OK };
    if (incoming->is_too_large)
        http_refuse(&answer, MHD_HTTP_CONTENT_TOO_LARGE, "The body is too large.");
    else
        server->handler(server->context, &request, &answer);
    pthread_mutex_lock(&server->lock);
    int is_last = server->is_stopping;
    pthread_mutex_unlock(&server->lock);
    return send_answer(connection, &answer, is_last);
}

/* ---- start and stop ---- */

static int read_address(const char *text, struct sockaddr_in *out)
{
    char host[INET_ADDRSTRLEN];
    char *end;
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof(host))
        return 0;
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    long port = strtol(colon + 1, &end, 10);
    *out = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    return end != colon + 1 && *end == '\0' && port >= 0 && port <= UINT16_MAX
           && inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

http_server *http_start(const char *address, http_handler handler, void *context)
{
    struct sockaddr_in where;
    http_server *server = read_address(address, &where) ? calloc(1, sizeof(*server)) : NULL;
    if (!server) {
        fprintf(stderr, "not an address to listen at, such as 127.0.0.1:8080: %s\n", address);
        return NULL;
    }
    server->handler = handler;
    server->context = context;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->idle, NULL);
    server->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC,
                         0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&where,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                         (unsigned)IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_END);
    if (!server->daemon) {
        fprintf(stderr, "cannot listen at %s: %s\n", address, strerror(errno));
        http_stop(server, 0);
        return NULL;
    }
    return server;
}

int http_port(const http_server *server)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

/* Waits until no request is under way; returns how many still are. */
static int drain(http_server *server, int64_t wait_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&server->lock);
    server->is_stopping = 1; /* connections that are kept end with the answer under way */
    while (server->under_way > 0 && pthread_cond_timedwait(&server->idle, &server->lock, &until) == 0)
        continue;
    int left = server->under_way;
    pthread_mutex_unlock(&server->lock);
    return left;
}

int http_stop(http_server *server, int64_t wait_ms)
{
    int left = 0;
    if (server->daemon) {
        /* Let go of, the socket would go on collecting connections that nobody serves. It is closed when no thread can be looking at it. */
        MHD_socket listening = MHD_quiesce_daemon(server->daemon);
        if (listening != MHD_INVALID_SOCKET)
            (void)shutdown(listening, SHUT_RDWR);
        left = drain(server, wait_ms);
        MHD_stop_daemon(server->daemon);
        if (listening != MHD_INVALID_SOCKET)
            close(listening);
    }
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->lock);
    free(server);
    return left;
}
