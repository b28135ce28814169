/* SPDX-License-Identifier: Apache-2.0 */
/* fault_server.c - see fault_server.h. */
#include "fault_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { REQUEST_SIZE = 64 * 1024, ANSWER_SIZE = 4096, SOON_S = 10, STACK_SIZE = 256 * 1024 };

typedef struct connection {
    fault_server *server;
    int fd;
    size_t size; /* of the request so far */
    char request[REQUEST_SIZE];
} connection;

/* ---- counting ---- */

static const char *find_key(const char *request, char key[FAULT_KEY_SIZE])
{
    static const char name[] = "\r\nIdempotency-Key: ";
    const char *start = strstr(request, name);
    size_t size;

    if (!start)
        return NULL;
    start += strlen(name);
    size = strcspn(start, "\r");
    if (size >= FAULT_KEY_SIZE)
        size = FAULT_KEY_SIZE - 1;
    memcpy(key, start, size);
    key[size] = '\0';
    return key;
}

/* The lock is held. True when this key was not seen before. */
static bool is_new_key(fault_server *server, const char *key)
{
    for (int i = 0; i < server->counts.keys && i < FAULT_MAX_KEYS; i++) {
        if (strcmp(server->keys[i], key) == 0)
            return false;
    }
    if (server->counts.keys < FAULT_MAX_KEYS)
        (void)strcpy(server->keys[server->counts.keys], key);
    server->counts.keys++;
    return true;
}

static void count_request(connection *c)
{
    fault_server *server = c->server;
    char key[FAULT_KEY_SIZE];
    bool knows_keys;
    bool is_new = true;

    pthread_mutex_lock(&server->lock);
    knows_keys = server->health && strstr(server->health, "idempotency");
    server->counts.requests++;
    server->received = c->size;
    if (strncmp(c->request, "POST ", 5) == 0) {
        server->counts.posts++;
        if (find_key(c->request, key))
            is_new = is_new_key(server, key);
        server->counts.works += is_new || !knows_keys;
    }
    pthread_mutex_unlock(&server->lock);
}

static void count_open(fault_server *server, int difference)
{
    pthread_mutex_lock(&server->lock);
    server->counts.open += difference;
    server->counts.connections += difference > 0;
    if (server->counts.open > server->counts.most_open)
        server->counts.most_open = server->counts.open;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* The act for the request that is about to come or has begun to come. */
static fault_act take_act(fault_server *server)
{
    fault_act act = { .wait_us = server->good_wait_us };

    pthread_mutex_lock(&server->lock);
    if (server->next_act < server->act_count)
        act = server->acts[server->next_act++];
    server->counts.touched++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return act;
}

static void wait_for_release(fault_server *server)
{
    pthread_mutex_lock(&server->lock);
    while (!server->is_released && !server->is_stopping)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
}

/* ---- reading ---- */

static bool wait_readable(fault_server *server, int fd)
{
    struct pollfd fds[2] = { { fd, POLLIN, 0 }, { server->stop_pipe[0], POLLIN, 0 } };

    while (poll(fds, 2, -1) >= 0) {
        if (fds[1].revents != 0)
            return false;
        if (fds[0].revents != 0)
            return true;
    }
    return false;
}

/* Only stop and the client's farewell end this, not what it still sends. */
static void hold(fault_server *server, int fd)
{
    struct pollfd fds[2] = { { fd, POLLRDHUP, 0 }, { server->stop_pipe[0], POLLIN, 0 } };

    (void)poll(fds, 2, -1);
}

static bool is_complete(const connection *c)
{
    const char *end = strstr(c->request, "\r\n\r\n");
    const char *length;
    size_t body = 0;

    if (!end)
        return false;
    length = strcasestr(c->request, "\r\nContent-Length:");
    if (length && length < end)
        body = (size_t)strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    return c->size >= (size_t)(end + 4 - c->request) + body;
}

/* Reads at most up to `limit` bytes of a request; false when the client or the test ends first. */
static bool read_request(connection *c, size_t limit)
{
    while (c->size < limit && !is_complete(c)) {
        ssize_t got;
        size_t room = sizeof(c->request) - 1 - c->size;
        if (room > limit - c->size)
            room = limit - c->size;
        if (room == 0 || !wait_readable(c->server, c->fd))
            return false;
        got = recv(c->fd, c->request + c->size, room, 0);
        if (got <= 0)
            return false;
        c->size += (size_t)got;
        c->request[c->size] = '\0';
    }
    return true;
}

/* ---- answering ---- */

void fault_answer(char *out, size_t size, int http_status, const char *headers, const char *body)
{
    (void)snprintf(out, size,
                   "HTTP/1.1 %d Whatever\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   http_status, headers, strlen(body), body);
}

const char *fault_good_body(const char *request)
{
    static const struct {
        const char *start;
        const char *body;
    } bodies[] = {
        { "POST /api/data",
          "{\"success\":true,\"data\":{\"message\":\"m\"},\"usage\":{\"count\":1,\"limit\":5,\"plan\":\"free\"}}" },
        { "GET /api/usage", "{\"userId\":\"user_1\",\"plan\":\"free\",\"usageCount\":2,\"limit\":5,\"remaining\":3}" },
        { "GET /api/tiers", "{\"tiers\":[{\"id\":\"free\",\"price\":0,\"limit\":5,\"features\":[]}]}" },
    };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (strncmp(request, bodies[i].start, strlen(bodies[i].start)) == 0)
            return bodies[i].body;
    }
    return "{\"success\":true,\"customer\":{\"id\":\"user_1\",\"email\":\"a@example.test\",\"plan\":\"free\"}}";
}

static bool send_all(connection *c, const char *bytes, size_t size, const fault_act *act)
{
    size_t piece = act->piece == 0 ? size : act->piece;

    for (size_t at = 0; at < size;) {
        size_t count = size - at < piece ? size - at : piece;
        ssize_t sent;
        if (act->wait_us > 0)
            (void)usleep(act->wait_us);
        sent = send(c->fd, bytes + at, count, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += (size_t)sent;
    }
    return true;
}

static bool end_connection(connection *c, fault_end end)
{
    struct linger linger = { 1, 0 };

    if (end == FAULT_RESET)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    if (end == FAULT_HOLD)
        hold(c->server, c->fd);
    return end == FAULT_KEEP;
}

/* True when the connection goes on. */
static bool answer(connection *c, const fault_act *act)
{
    char good[ANSWER_SIZE];
    const char *text = act->answer;
    size_t size;

    if (!text) {
        fault_answer(good, sizeof(good), 200, "", fault_good_body(c->request));
        text = good;
    }
    size = strlen(text);
    if (act->cut == FAULT_CUT_ANSWER && act->at < size)
        size = act->at;
    if (act->cut == FAULT_GATE_ANSWER) {
        if (!send_all(c, text, act->at, act))
            return false;
        wait_for_release(c->server);
        text += act->at;
        size -= act->at;
    }
    if (!send_all(c, text, size, act))
        return false;
    return end_connection(c, act->end);
}

static bool answer_health(connection *c)
{
    fault_server *server = c->server;
    char text[ANSWER_SIZE] = "";
    fault_act act = { 0 };
    bool closes;
    bool is_gated;

    pthread_mutex_lock(&server->lock);
    server->counts.probes++;
    if (server->health)
        fault_answer(text, sizeof(text), 200, server->closes_after_health ? "Connection: close\r\n" : "",
                     server->health);
    closes = server->closes_after_health;
    is_gated = server->is_health_gated;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (is_gated)
        wait_for_release(server);
    if (text[0] == '\0')
        return end_connection(c, FAULT_HOLD);
    return send_all(c, text, strlen(text), &act) && !closes;
}

/* An act that ends the connection before the request has begun must not wait for it. */
static bool is_cut_at_once(fault_server *server)
{
    bool is_cut;

    pthread_mutex_lock(&server->lock);
    is_cut = server->next_act < server->act_count && server->acts[server->next_act].cut == FAULT_CUT_REQUEST
             && server->acts[server->next_act].at == 0;
    pthread_mutex_unlock(&server->lock);
    return is_cut;
}

/* One request; true when the connection goes on. */
static bool serve_one(connection *c, bool is_first)
{
    static const char health[] = "GET /health";
    char start[sizeof(health)] = "";
    fault_act act;

    c->size = 0;
    c->request[0] = '\0';
    if (is_first && is_cut_at_once(c->server)) {
        act = take_act(c->server);
        return end_connection(c, act.end);
    }
    if (!wait_readable(c->server, c->fd) || recv(c->fd, start, sizeof(start) - 1, MSG_PEEK) <= 0)
        return false;
    if (strcmp(start, health) == 0)
        return read_request(c, SIZE_MAX) && answer_health(c);
    act = take_act(c->server);
    if (act.cut == FAULT_GATE_REQUEST) {
        if (!read_request(c, act.at))
            return false;
        wait_for_release(c->server);
    }
    if (!read_request(c, act.cut == FAULT_CUT_REQUEST ? act.at : SIZE_MAX))
        return false;
    if (act.cut == FAULT_CUT_REQUEST)
        return end_connection(c, act.end);
    count_request(c);
    return answer(c, &act);
}

static void *serve_connection(void *argument)
{
    connection *c = argument;
    fault_server *server = c->server;
    bool is_first = true;

    while (serve_one(c, is_first))
        is_first = false;
    (void)close(c->fd);
    free(c);
    count_open(server, -1);
    return NULL;
}

static void begin_connection(fault_server *server, int fd)
{
    connection *c = malloc(sizeof(*c));
    pthread_attr_t attributes;
    pthread_t thread;

    if (!c) {
        (void)close(fd);
        return;
    }
    c->server = server;
    c->fd = fd;
    count_open(server, 1);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    if (pthread_create(&thread, &attributes, serve_connection, c) != 0) {
        (void)close(fd);
        free(c);
        count_open(server, -1);
    }
    (void)pthread_attr_destroy(&attributes);
}

static void *accept_all(void *argument)
{
    fault_server *server = argument;

    while (wait_readable(server, server->listen_fd)) {
        int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            begin_connection(server, fd);
    }
    return NULL;
}

/* ---- for the test ---- */

void fault_server_start(fault_server *server, int backlog, int receive_buffer)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);

    memset(server, 0, sizeof(*server));
    assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&server->changed, NULL), 0);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listen_fd >= 0);
    if (receive_buffer > 0)
        assert_int_equal(setsockopt(server->listen_fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer)),
                         0);
    assert_int_equal(bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listen_fd, backlog), 0);
    assert_int_equal(getsockname(server->listen_fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    (void)snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", server->port);
    assert_int_equal(pipe(server->stop_pipe), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, accept_all, server), 0);
}

void fault_server_stop(fault_server *server)
{
    assert_int_equal(write(server->stop_pipe[1], "x", 1), 1);
    pthread_join(server->thread, NULL);
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_cond_broadcast(&server->changed);
    while (server->counts.open > 0)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    (void)close(server->listen_fd);
    (void)close(server->stop_pipe[0]);
    (void)close(server->stop_pipe[1]);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
}

void fault_server_arm(fault_server *server, const fault_act *acts, size_t count)
{
    int open;

    pthread_mutex_lock(&server->lock);
    open = server->counts.open;
    memset(&server->counts, 0, sizeof(server->counts));
    server->counts.open = server->counts.most_open = open;
    server->acts = acts;
    server->act_count = count;
    server->next_act = 0;
    pthread_mutex_unlock(&server->lock);
}

void fault_server_health(fault_server *server, const char *body, bool closes)
{
    pthread_mutex_lock(&server->lock);
    server->health = body;
    server->closes_after_health = closes;
    pthread_mutex_unlock(&server->lock);
}

void fault_server_gate_health(fault_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->is_health_gated = true;
    pthread_mutex_unlock(&server->lock);
}

void fault_server_release(fault_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->is_released = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

fault_counts fault_server_counts(fault_server *server)
{
    fault_counts counts;

    pthread_mutex_lock(&server->lock);
    counts = server->counts;
    pthread_mutex_unlock(&server->lock);
    return counts;
}

size_t fault_server_received(fault_server *server)
{
    size_t received;

    pthread_mutex_lock(&server->lock);
    received = server->received;
    pthread_mutex_unlock(&server->lock);
    return received;
}

static bool wait_for(fault_server *server, const int *count, int wanted)
{
    struct timespec until;
    int code = 0;
    bool has_come;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SOON_S;
    pthread_mutex_lock(&server->lock);
    while (*count < wanted && code == 0)
        code = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    has_come = *count >= wanted;
    pthread_mutex_unlock(&server->lock);
    return has_come;
}

bool fault_server_wait_touched(fault_server *server, int touched)
{
    return wait_for(server, &server->counts.touched, touched);
}

bool fault_server_wait_probes(fault_server *server, int probes)
{
    return wait_for(server, &server->counts.probes, probes);
}

bool fault_server_wait_connections(fault_server *server, int connections)
{
    return wait_for(server, &server->counts.connections, connections);
}
