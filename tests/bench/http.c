/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - dreamapid beside bare libmicrohttpd, both asked by the same 64 connections, in turn.
 * http [--smoke] SECRET-KEY FLOOR-PORT FLOOR-PID PORT PID; the servers run already. The users user_0 to user_63 exist. */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { CONNECTIONS = 64, ANSWER_SIZE = 4096 };

typedef struct connection {
    int fd;
    char request[512];
    size_t request_size;
    char answer[ANSWER_SIZE + 1];
    size_t have;
} connection;

typedef struct target {
    int port;
    clockid_t cpu; /* of its process */
    int epoll;
    connection connections[CONNECTIONS];
} target;

typedef struct slice {
    double per_s;
    double cpu_us; /* of the server, for each answer */
} slice;

static void open_connection(target *to, connection *c)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)to->port) };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) != 0
        || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0
        || epoll_ctl(to->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        bench_die("cannot connect");
}

static void open_target(target *to, const char *port, const char *pid)
{
    to->port = atoi(port);
    to->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (clock_getcpuclockid((pid_t)atol(pid), &to->cpu) != 0)
        bench_die("no such process");
    for (int i = 0; i < CONNECTIONS; i++)
        open_connection(to, &to->connections[i]);
}

static void close_target(target *to)
{
    for (int i = 0; i < CONNECTIONS; i++)
        (void)close(to->connections[i].fd);
    (void)close(to->epoll);
}

static void set_requests(target *to, const char *key, bool is_post)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        connection *c = &to->connections[i];
        char body[64] = "";
        if (is_post)
            (void)snprintf(body, sizeof(body), "{\"userId\":\"user_%d\"}", i);
        c->request_size = (size_t)snprintf(
            c->request, sizeof(c->request),
            is_post ? "POST /api/data HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: "
                      "application/json\r\nContent-Length: %zu\r\n\r\n%s"
                    : "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            key, strlen(body), body);
    }
}

static void send_request(connection *c)
{
    /* A few hundred bytes into an empty socket: never in parts. */
    if (send(c->fd, c->request, c->request_size, MSG_NOSIGNAL) != (ssize_t)c->request_size)
        bench_die("cannot send");
    c->have = 0;
}

/* True once the answer is whole; anything but 200 ends the program. */
static bool receive(connection *c)
{
    ssize_t got = recv(c->fd, c->answer + c->have, ANSWER_SIZE - c->have, 0);
    const char *end, *length;

    if (got <= 0)
        bench_die("a server closed a connection, or answered more than expected");
    c->have += (size_t)got;
    c->answer[c->have] = '\0';
    end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL)
        return false;
    length = strcasestr(c->answer, "\r\nContent-Length:");
    if (length == NULL || length > end)
        bench_die("an answer without Content-Length");
    if (c->have < (size_t)(end + 4 - c->answer) + strtoul(length + 17, NULL, 10))
        return false;
    if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0) {
        (void)fprintf(stderr, "%s\n", c->answer);
        bench_die("a server refused");
    }
    return true;
}

static slice run_slice(target *to, int64_t for_ns)
{
    struct epoll_event events[CONNECTIONS];
    int64_t begun = bench_ns(CLOCK_MONOTONIC), cpu = bench_ns(to->cpu), now = begun;
    long answers = 0;
    int under_way = CONNECTIONS;

    for (int i = 0; i < CONNECTIONS; i++)
        send_request(&to->connections[i]);
    while (under_way > 0) {
        int count = epoll_wait(to->epoll, events, CONNECTIONS, 10000);
        if (count <= 0)
            bench_die("a server does not answer");
        now = bench_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < count; i++) {
            connection *c = events[i].data.ptr;
            if (!receive(c))
                continue;
            answers++;
            if (now - begun < for_ns)
                send_request(c);
            else
                under_way--;
        }
    }
    return (slice){ (double)answers * 1e9 / (double)(now - begun),
                    (double)(bench_ns(to->cpu) - cpu) / 1e3 / (double)answers };
}

/* Throughput by the clock on the wall, CPU by the server's own clock. */
static void compare(target *floor_server, target *service, const char *key, bool is_post)
{
    double floors[BENCH_ROUNDS_MAX], values[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX];
    double cpu_floors[BENCH_ROUNDS_MAX], cpus[BENCH_ROUNDS_MAX], cpu_ratios[BENCH_ROUNDS_MAX];
    int rounds = (int)bench_count(21, 3);
    int64_t for_ns = bench_count(200, 5) * 1000000;

    (void)fprintf(stderr, "http: %s\n", is_post ? "POST /api/data" : "GET /health");
    set_requests(floor_server, key, is_post);
    set_requests(service, key, is_post);
    (void)run_slice(floor_server, for_ns);
    (void)run_slice(service, for_ns);
    for (int i = 0; i < rounds; i++) {
        slice bare = run_slice(floor_server, for_ns), own = run_slice(service, for_ns);
        floors[i] = bare.per_s;
        values[i] = own.per_s;
        ratios[i] = own.per_s / bare.per_s;
        cpu_floors[i] = bare.cpu_us;
        cpus[i] = own.cpu_us;
        cpu_ratios[i] = own.cpu_us / bare.cpu_us;
    }
    if (is_post)
        bench_print(&(bench_row){ "POST /api/data, durable, 64 connections", "/s", bench_median(values, rounds),
                                  bench_median(floors, rounds), bench_median(ratios, rounds), BENCH_AT_LEAST, 0.5 });
    bench_print(&(bench_row){ is_post ? "CPU per POST /api/data" : "CPU per GET /health", "us CPU",
                              bench_median(cpus, rounds), bench_median(cpu_floors, rounds),
                              bench_median(cpu_ratios, rounds), is_post ? BENCH_NO_GATE : BENCH_AT_MOST, 1.5 });
}

int main(int argc, char **argv)
{
    static target floor_server, service;

    bench_begin("http", &argc, &argv);
    if (argc != 6)
        bench_die("SECRET-KEY FLOOR-PORT FLOOR-PID PORT PID");
    open_target(&floor_server, argv[2], argv[3]);
    open_target(&service, argv[4], argv[5]);
    compare(&floor_server, &service, argv[1], true);
    compare(&floor_server, &service, argv[1], false);
    close_target(&floor_server);
    close_target(&service);
    return 0;
}
