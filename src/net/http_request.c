/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.c - a request: what its handler may read, its one answer, and when its memory goes.
 * Queuing the answer at libmicrohttpd is http_answer.c. States and claims are explained in http_internal.h. */
#include "net/http_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "net/log.h"

/* ---- making ---- */

/* Splits the target (RFC 9112 3.2): "/path?query", "http://authority/path?query", "*". Anything else has path "". */
static void split_target(dreamd_request *request)
{
    char *text = request->target;
    char *mark = strchr(text, '?');
    request->query = "";
    request->path = text;
    if (mark) {
        *mark = '\0';
        request->query = mark + 1;
    }
    if (text[0] == '/' || strcmp(text, "*") == 0)
        return;
    char *authority = strncasecmp(text, "http://", 7) == 0    ? text + 7
                      : strncasecmp(text, "https://", 8) == 0 ? text + 8
                                                              : NULL;
    if (!authority || !*authority || *authority == '/') {
        request->path = "";
        return;
    }
    /* The authority moves one to the front, over the last '/' of "://", to make room for its end before the path. */
    size_t size = strcspn(authority, "/");
    request->path = authority[size] ? authority + size : "/";
    memmove(authority - 1, authority, size);
    authority[size - 1] = '\0';
    request->authority = authority - 1;
}

/* inet_ntop would go through snprintf, with every request. */
static void write_ipv4(const unsigned char *bytes, char *out)
{
    for (int i = 0; i < 4; i++) {
        unsigned value = bytes[i];
        if (value >= 100)
            *out++ = (char)('0' + value / 100);
        if (value >= 10)
            *out++ = (char)('0' + value / 10 % 10);
        *out++ = (char)('0' + value % 10);
        *out++ = i < 3 ? '.' : '\0';
    }
}

static void write_remote(dreamd_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *any = info ? info->client_addr : NULL;
    const void *bytes = NULL;
    int family = any ? any->sa_family : AF_UNSPEC;
    if (family == AF_INET)
        bytes = &((const struct sockaddr_in *)(const void *)any)->sin_addr;
    if (family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)any)->sin6_addr;
        bytes = v6;
        if (IN6_IS_ADDR_V4MAPPED(v6)) { /* an IPv4 client of [::]: one spelling for one peer */
            family = AF_INET;
            bytes = &v6->s6_addr[12];
        }
    }
    if (bytes && family == AF_INET)
        write_ipv4(bytes, request->remote);
    else if (!bytes || !inet_ntop(family, bytes, request->remote, sizeof request->remote))
        (void)snprintf(request->remote, sizeof request->remote, "unknown");
}

dreamd_request *dreamd_request_new(dreamd_http_server *server, struct MHD_Connection *connection, const char *target)
{
    dreamd_request *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    request->answer_fd = -1;
    request->target_size = strlen(target) + 1;
    request->target = malloc(request->target_size);
    request->arena = dream_arena_new();
    if (!request->target || !request->arena) {
        free(request->target);
        dream_arena_free(request->arena);
        free(request);
        return NULL;
    }
    memcpy(request->target, target, request->target_size);
    split_target(request);
    request->connection = connection;
    const union MHD_ConnectionInfo *visit = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request->visit = visit ? visit->socket_context : NULL;
    request->body.is_secret = true;
    request->method = "";
    atomic_init(&request->references, 1);
    atomic_init(&request->state, DREAMD_RECEIVING);
    atomic_init(&request->claim, DREAMD_UNCLAIMED);
    atomic_init(&request->route, NULL);
    write_remote(request);
    request->server = server;
    request->is_https = server->is_tls;
    atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
    return request;
}

/* RFC 9110 5.6.2. */
static bool is_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
              || (c && strchr("!#$%&'*+-.^_`|~", c))))
            return false;
    }
    return size > 0;
}

static bool has_control(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

/* Two passes over the headers: one to measure, one to copy into a single block that is wiped as a whole. */
struct head_copy {
    dreamd_request *request;
    size_t count;
    size_t text_size;
    char *at; /* NULL in the first pass */
};

static const char *copy_text(struct head_copy *copy, const char *text, size_t size)
{
    char *start = copy->at;
    if (size > 0)
        memcpy(start, text, size);
    start[size] = '\0';
    copy->at += size + 1;
    return start;
}

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                 const char *value, size_t value_size)
{
    struct head_copy *copy = context;
    (void)kind;
    if (!copy->at) {
        if (!is_token(name, name_size) || has_control(value, value_size))
            copy->request->is_malformed = true;
        copy->count++;
        copy->text_size += name_size + value_size + 2;
        return MHD_YES;
    }
    while (value_size > 0 && (value[value_size - 1] == ' ' || value[value_size - 1] == '\t'))
        value_size--; /* RFC 9112 5.1: white space around a value is no part of it; libmicrohttpd leaves what is behind */
    dreamd_http_header *header = &copy->request->headers[copy->request->header_count++];
    header->name = copy_text(copy, name, name_size);
    header->value = copy_text(copy, value, value_size);
    return MHD_YES;
}

static bool is_sane_id(const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || size > DREAMD_REQUEST_ID_MAX)
        return false;
    for (const char *c = text; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-_.:", *c)))
            return false;
    return true;
}

/* Ids need to be unique, not secret: a random start and a mixed counter (splitmix64) cost no system call each. */
static void make_id(dreamd_request *request)
{
    uint64_t count = atomic_fetch_add_explicit(&request->server->id_count, 1, memory_order_relaxed);
    uint64_t mixed = request->server->id_seed + count * UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    mixed ^= mixed >> 31;
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(mixed >> (8 * i));
    memcpy(request->id, "req_", 4);
    dream_hex_encode(bytes, sizeof bytes, request->id + 4);
}

/* A list may come in several headers, which are one (RFC 9110 5.3). */
static const char *joined_header(dreamd_request *request, const char *name)
{
    const char *all = NULL;
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            all = all ? dream_arena_printf(request->arena, "%s,%s", all, request->headers[i].value)
                      : request->headers[i].value;
    return all;
}

/* The peer is one proxy; the last word of each list is what it wrote itself. */
static void ask_proxy(dreamd_request *request)
{
    const dreamd_proxies *proxies = request->server->proxies;
    if (!proxies || !dreamd_proxies_trust(proxies, request->remote))
        return;
    const char *forwarded_for = joined_header(request, "X-Forwarded-For");
    const char *scheme = joined_header(request, "X-Forwarded-Proto");
    if (forwarded_for)
        dreamd_proxies_client(proxies, forwarded_for, request->remote);
    if (scheme) {
        const char *comma = strrchr(scheme, ',');
        const char *last = comma ? comma + 1 : scheme;
        request->is_https = strcasecmp(last + strspn(last, " \t"), "https") == 0;
    }
}

bool dreamd_request_take_head(dreamd_request *request, const char *method)
{
    struct head_copy copy = { .request = request };
    size_t method_size = strlen(method);
    request->is_malformed = !is_token(method, method_size) || has_control(request->path, strlen(request->path))
                            || has_control(request->query, strlen(request->query));
    (void)MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, on_header, &copy);
    /* libmicrohttpd holds all of it in 16 KiB, so nothing here overflows. */
    request->head_size = copy.count * sizeof *request->headers + copy.text_size + method_size + 1;
    request->head = malloc(request->head_size);
    if (!request->head)
        return false;
    request->headers = (dreamd_http_header *)(void *)request->head;
    copy.at = request->head + copy.count * sizeof *request->headers;
    request->method = copy_text(&copy, method, method_size);
    (void)MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, on_header, &copy);

    const char *sent_id = dreamd_request_header(request, "X-Request-Id");
    if (sent_id && is_sane_id(sent_id))
        memcpy(request->id, sent_id, strlen(sent_id) + 1);
    else
        make_id(request);
    ask_proxy(request);
    return true;
}

/* ---- memory ---- */

void dreamd_request_ref(dreamd_request *request)
{
    atomic_fetch_add_explicit(&request->references, 1, memory_order_relaxed);
}

static void free_wiped(void *bytes, size_t size)
{
    dream_wipe(bytes, size);
    free(bytes);
}

void dreamd_request_drop_body(dreamd_request *request)
{
    dream_buffer_clear(&request->body);
    if (request->is_large)
        atomic_fetch_sub(&request->server->large_bodies, 1);
    request->is_large = false;
}

/* Everything goes at once but the shell, which waits in the server's ring: a handler's second answer, soon after the
 * first, must find a claim and not freed memory. */
static void retire(dreamd_request *request)
{
    dreamd_http_server *server = request->server;
    free_wiped(request->target, request->target_size);
    free_wiped(request->head, request->head_size);
    if (request->answer)
        free_wiped(request->answer, request->answer_size);
    if (request->answer_fd >= 0)
        (void)close(request->answer_fd);
    dreamd_request_drop_body(request);
    dream_arena_free(request->arena);

    pthread_mutex_lock(&server->lock);
    dreamd_request *oldest = server->retired[server->retired_next];
    server->retired[server->retired_next] = request;
    server->retired_next = (server->retired_next + 1) % DREAMD_RETIRED_KEPT;
    pthread_mutex_unlock(&server->lock);
    free(oldest);
    dreamd_http_server_unref(server);
}

void dreamd_request_unref(dreamd_request *request)
{
    if (atomic_fetch_sub_explicit(&request->references, 1, memory_order_acq_rel) == 1)
        retire(request);
}

/* ---- what the handler reads ---- */

const char *dreamd_request_method(const dreamd_request *request)
{
    return request->method;
}

const char *dreamd_request_path(const dreamd_request *request)
{
    return request->path;
}

const char *dreamd_request_remote(const dreamd_request *request)
{
    return request->remote;
}

const char *dreamd_request_id(const dreamd_request *request)
{
    return request->id;
}

dream_arena *dreamd_request_arena(dreamd_request *request)
{
    return request->arena;
}

const void *dreamd_request_body(const dreamd_request *request, size_t *out_size)
{
    if (out_size)
        *out_size = request->body.size;
    return request->body.data ? request->body.data : "";
}

const char *dreamd_request_header(dreamd_request *request, const char *name)
{
    /* RFC 9112 3.2.2: an absolute target overrides Host. */
    if (request->authority && strcasecmp(name, "Host") == 0)
        return request->authority;
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

bool dreamd_request_has_twice(const dreamd_request *request, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++)
        count += strcasecmp(request->headers[i].name, name) == 0;
    return count > 1;
}

bool dreamd_request_is_https(const dreamd_request *request)
{
    return request->is_https;
}

const char *dreamd_request_raw_query(const dreamd_request *request)
{
    return request->query;
}

static bool is_decoded_as(const char *text, size_t size, const char *name)
{
    dream_buffer decoded = DREAM_BUFFER_INIT;
    bool is_same = dream_percent_decode(&decoded, text, size, true) && !decoded.is_failed
                   && decoded.size == strlen(name) && memcmp(dream_buffer_str(&decoded), name, decoded.size) == 0;
    dream_buffer_clear(&decoded);
    return is_same;
}

static const char *decode_into_arena(dreamd_request *request, const char *text, size_t size)
{
    dream_buffer decoded = DREAM_BUFFER_INIT;
    char *copy = NULL;
    decoded.is_secret = true; /* codes and tokens travel here */
    if (dream_percent_decode(&decoded, text, size, true) && !decoded.is_failed)
        copy = dream_arena_strndup(request->arena, dream_buffer_str(&decoded), decoded.size);
    dream_buffer_clear(&decoded);
    return copy;
}

const char *dreamd_request_query(dreamd_request *request, const char *name)
{
    const char *at = request->query;
    while (*at) {
        size_t size = strcspn(at, "&");
        size_t name_size = strcspn(at, "=&");
        if (is_decoded_as(at, name_size, name)) {
            if (name_size == size)
                return "";
            return decode_into_arena(request, at + name_size + 1, size - name_size - 1);
        }
        at += size + (at[size] == '&');
    }
    return NULL;
}

bool dreamd_request_each_query(dreamd_request *request, dreamd_query_fn *fn, void *context)
{
    const char *at = request->query;
    while (*at) {
        size_t size = strcspn(at, "&");
        size_t name_size = strcspn(at, "=&");
        const char *value_at = at + name_size + (name_size < size);
        const char *name = decode_into_arena(request, at, name_size);
        const char *value = decode_into_arena(request, value_at, (size_t)(at + size - value_at));
        /* An empty pair ("a=1&&b=2") is none; one that cannot be decoded ends it, as it would be misread. */
        if (size > 0 && (!name || !value || !fn(context, name, value)))
            return false;
        at += size + (at[size] == '&');
    }
    return true;
}

/* ---- the answer ---- */

/* What frames the message is the server's alone: a second, different statement of it is how requests are smuggled. */
static bool is_framing(const char *name)
{
    return strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0
           || strcasecmp(name, "Connection") == 0;
}

/* Their lengths differ, so that most headers are told apart at no cost. */
unsigned dreamd_safe_header_of(const char *name)
{
    switch (strlen(name)) {
    case sizeof "Cache-Control" - 1:
        return strcasecmp(name, "Cache-Control") == 0 ? DREAMD_HAS_CACHE_CONTROL : 0;
    case sizeof "X-Content-Type-Options" - 1:
        return strcasecmp(name, "X-Content-Type-Options") == 0 ? DREAMD_HAS_NOSNIFF : 0;
    case sizeof "Strict-Transport-Security" - 1:
        return strcasecmp(name, "Strict-Transport-Security") == 0 ? DREAMD_HAS_TRANSPORT_SECURITY : 0;
    default:
        return 0;
    }
}

bool dreamd_request_set_header(dreamd_request *request, const char *name, const char *value)
{
    if (!name || !value || !is_token(name, strlen(name)) || is_framing(name) || value[strcspn(value, "\r\n")])
        return false;
    dreamd_answer_header *header = dream_arena_alloc(request->arena, sizeof *header);
    if (!header)
        return false;
    header->name = dream_arena_strdup(request->arena, name);
    header->value = dream_arena_strdup(request->arena, value);
    if (!header->name || !header->value)
        return false;
    request->has |= dreamd_safe_header_of(name);
    header->next = request->answer_headers;
    request->answer_headers = header;
    return true;
}

void dreamd_request_set_constant_headers(dreamd_request *request, const dreamd_constant_header *headers)
{
    request->constant_headers = headers;
}

void dreamd_request_set_route(dreamd_request *request, const char *route)
{
    atomic_store_explicit(&request->route, route, memory_order_release);
}

static void answering_end(dreamd_http_server *server)
{
    if (atomic_fetch_sub(&server->answering, 1) != 1 || !atomic_load(&server->is_stopping))
        return;
    pthread_mutex_lock(&server->lock);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* Publishes the answer. Inside `answering`, so that the connection and its daemon are there to be resumed. */
static void publish(dreamd_request *request)
{
    struct MHD_Connection *connection = request->connection;
    if (atomic_exchange(&request->state, DREAMD_ANSWERED) == DREAMD_SUSPENDED)
        MHD_resume_connection(connection);
}

static void write_answer(dreamd_request *request, unsigned status, const char *type, const void *body, size_t size)
{
    request->status = status;
    request->answer_type = type;
    /* These have no body by definition (RFC 9110 15.3.5, 15.4.5). */
    if (!body || size == 0 || status == MHD_HTTP_NO_CONTENT || status == MHD_HTTP_NOT_MODIFIED)
        return;
    request->answer = malloc(size);
    if (!request->answer) {
        request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        request->answer_type = "application/json";
        request->is_fallback = true;
        return;
    }
    memcpy(request->answer, body, size);
    request->answer_size = size;
}

/* The handler's side claims the right to answer. False if the answer is not to be used. */
static bool claim_for_handler(dreamd_request *request)
{
    int claim = DREAMD_UNCLAIMED;
    if (atomic_compare_exchange_strong(&request->claim, &claim, DREAMD_BY_HANDLER))
        return true;
    if (claim == DREAMD_BY_SERVER && atomic_compare_exchange_strong(&request->claim, &claim, DREAMD_BY_BOTH))
        dreamd_request_unref(request); /* too late: the server stopped. Its memory was kept until now */
    else
        dreamd_log(DREAMD_LOG_ERROR, "answered_twice", dreamd_log_text("request_id", request->id));
    return false;
}

/* `fd` -1: `body` is the answer. */
static void answer(dreamd_request *request, unsigned status, const char *content_type, const void *body, int fd,
                   size_t size)
{
    dreamd_http_server *server = request->server;
    atomic_fetch_add_explicit(&server->references, 1,
                              memory_order_relaxed); /* the request's own goes with the request */
    atomic_fetch_add(&server->answering, 1); /* before the claim: stop claims what is left, then waits for this */
    if (claim_for_handler(request)) {
        const char *type = dream_arena_strdup(request->arena, content_type);
        write_answer(request, status, type, body, fd < 0 ? size : 0);
        if (fd >= 0)
            request->answer_size = size;
        request->answer_fd = fd;
        publish(request);
        dreamd_request_unref(request);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    answering_end(server);
    dreamd_http_server_unref(server);
}

void dreamd_request_answer(dreamd_request *request, unsigned status, const char *content_type, const void *body,
                           size_t size)
{
    answer(request, status, content_type, body, -1, size);
}

void dreamd_request_answer_file(dreamd_request *request, unsigned status, const char *content_type, int fd, size_t size)
{
    answer(request, status, content_type, NULL, fd, size);
}

void dreamd_request_admit(dreamd_request *request)
{
    dreamd_http_server *server = request->server;
    int state = DREAMD_HANDLING;
    atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
    atomic_fetch_add(&server->answering, 1); /* as in `answer`: the connection is there to be resumed */
    request->answer_headers = NULL;
    request->has = 0;
    request->constant_headers = NULL;
    /* Neither exchange works when the server, stopping, has answered. */
    if (!atomic_compare_exchange_strong(&request->state, &state, DREAMD_RECEIVING) && state == DREAMD_SUSPENDED
        && atomic_compare_exchange_strong(&request->state, &state, DREAMD_RECEIVING))
        MHD_resume_connection(request->connection);
    dreamd_request_unref(request);
    answering_end(server);
    dreamd_http_server_unref(server);
}

void dreamd_request_refuse(dreamd_request *request, unsigned status, const char *text)
{
    int claim = DREAMD_UNCLAIMED;
    if (!atomic_compare_exchange_strong(&request->claim, &claim, DREAMD_BY_SERVER))
        return;
    char body[256];
    int size = snprintf(body, sizeof body, "{\"error\":\"%s\"}", text);
    write_answer(request, status, "application/json", body, (size_t)size);
    publish(request);
}
