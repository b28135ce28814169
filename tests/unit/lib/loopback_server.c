/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_server.c - see loopback_server.h. */
#include "loopback_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* True when `fd` has something; false when the server is to stop. */
static bool wait_readable(server *s, int fd)
{
    struct pollfd fds[2] = { { fd, POLLIN, 0 }, { s->stop_pipe[0], POLLIN, 0 } };

    while (poll(fds, 2, -1) >= 0) {
        if (fds[1].revents != 0)
            return false;
        if (fds[0].revents != 0)
            return true;
    }
    return false;
}

static void *serve(void *argument)
{
    server *s = argument;

    while (wait_readable(s, s->listen_fd)) {
        int fd = accept(s->listen_fd, NULL, NULL);
        if (fd < 0)
            continue;
        s->function(s, fd, atomic_fetch_add(&s->connections, 1));
        (void)close(fd);
    }
    return NULL;
}

void server_start(server *s, server_function function)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);

    memset(s, 0, sizeof(*s));
    s->function = function;
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listen_fd >= 0);
    assert_int_equal(bind(s->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listen_fd, 64), 0);
    assert_int_equal(getsockname(s->listen_fd, (struct sockaddr *)&address, &size), 0);
    s->port = ntohs(address.sin_port);
    (void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", s->port);
    assert_int_equal(pipe(s->stop_pipe), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

void server_stop(server *s)
{
    assert_int_equal(write(s->stop_pipe[1], "x", 1), 1);
    pthread_join(s->thread, NULL);
    (void)close(s->listen_fd);
    (void)close(s->stop_pipe[0]);
    (void)close(s->stop_pipe[1]);
}

static size_t body_size(const char *request)
{
    const char *line = strcasestr(request, "\r\nContent-Length:");

    return line == NULL ? 0 : (size_t)strtoul(line + strlen("\r\nContent-Length:"), NULL, 10);
}

static bool is_complete(const char *request, size_t size)
{
    const char *end = strstr(request, "\r\n\r\n");

    return end != NULL && size >= (size_t)(end + 4 - request) + body_size(request);
}

bool server_read(server *s, int fd)
{
    int index = atomic_load(&s->request_count);
    char *request;
    size_t size = 0;

    if (index >= SERVER_MAX_REQUESTS)
        return false;
    request = s->requests[index];
    while (!is_complete(request, size)) {
        ssize_t got;
        if (size + 1 >= SERVER_REQUEST_SIZE || !wait_readable(s, fd))
            return false;
        got = recv(fd, request + size, SERVER_REQUEST_SIZE - 1 - size, 0);
        if (got <= 0)
            return false;
        size += (size_t)got;
        request[size] = '\0';
    }
    atomic_fetch_add(&s->request_count, 1);
    return true;
}

void server_send(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        left -= (size_t)sent;
    }
}

void server_answer(int fd, int status, const char *body)
{
    char head[256];

    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status,
                   strlen(body));
    server_send(fd, head);
    server_send(fd, body);
}

void server_wait(server *s, int fd)
{
    (void)wait_readable(s, fd);
}

void server_reset(int fd)
{
    struct linger linger = { 1, 0 };

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

int server_count(const server *s, const char *start)
{
    int count = 0;

    for (int i = 0; i < atomic_load(&s->request_count); i++)
        count += strncmp(s->requests[i], start, strlen(start)) == 0;
    return count;
}
