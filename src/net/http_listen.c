/* SPDX-License-Identifier: Apache-2.0 */
/* http_listen.c - opens the listening socket of a server from "ADDR:PORT".
 * libmicrohttpd could, but would only say that it failed; people need to hear why. Numeric addresses and "localhost" only:
 * a name server has no say in where we listen. No state. */
#include "net/http_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 1024, HOST_MAX = 63, LISTEN_SHOWN = 100, ERROR_SIZE = 256, AUTHORITY_SIZE = 64 };

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t size;
};

static bool parse_port(const char *text, uint16_t *out_port)
{
    unsigned long port = 0;
    if (!*text)
        return false;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9')
            return false;
        port = port * 10 + (unsigned long)(*c - '0');
        if (port > 65535)
            return false;
    }
    *out_port = (uint16_t)port;
    return true;
}

/* "ADDR:PORT" or "[ADDR]:PORT" into its parts. */
static bool split(const char *text, char host[HOST_MAX + 1], uint16_t *out_port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !parse_port(colon + 1, out_port))
        return false;
    size_t size = (size_t)(colon - text);
    bool is_bracketed = size >= 2 && text[0] == '[' && colon[-1] == ']';
    if (is_bracketed) {
        text++;
        size -= 2;
    }
    if (size == 0 || size > HOST_MAX || (!is_bracketed && memchr(text, ':', size)))
        return false;
    memcpy(host, text, size);
    host[size] = '\0';
    return true;
}

static bool parse(const char *text, struct address *out)
{
    char host[HOST_MAX + 1];
    uint16_t port;
    memset(out, 0, sizeof *out);
    if (!split(text, host, &port))
        return false;
    const char *v4 = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (inet_pton(AF_INET, v4, &out->socket.v4.sin_addr) == 1) {
        out->socket.v4.sin_family = AF_INET;
        out->socket.v4.sin_port = htons(port);
        out->size = sizeof out->socket.v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &out->socket.v6.sin6_addr) != 1)
        return false;
    out->socket.v6.sin6_family = AF_INET6;
    out->socket.v6.sin6_port = htons(port);
    out->size = sizeof out->socket.v6;
    return true;
}

static void explain(const char *listen_at, int reason, char error[ERROR_SIZE])
{
    const char *advice = reason == EADDRINUSE
                             ? "another program listens there; stop it or choose another port (0 takes a "
                               "free one)"
                         : reason == EACCES        ? "this user may not use that port; choose one above 1023"
                         : reason == EADDRNOTAVAIL ? "this machine has no such address"
                         : reason == EAFNOSUPPORT  ? "this machine has no IPv6; use an IPv4 address"
                         : reason == EMFILE        ? "too many open files; raise the limit (ulimit -n)"
                                                   : strerror(reason);
    (void)snprintf(error, ERROR_SIZE, "Cannot listen on %.*s: %s", LISTEN_SHOWN, listen_at, advice);
}

/* A wildcard address is no place to connect to; loopback is in it. */
static void write_authority(const struct address *address, char out[AUTHORITY_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = &address->socket.v4;
    const struct sockaddr_in6 *v6 = &address->socket.v6;
    if (address->socket.any.sa_family == AF_INET) {
        bool is_wildcard = v4->sin_addr.s_addr == htonl(INADDR_ANY);
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        (void)snprintf(out, AUTHORITY_SIZE, "%s:%u", is_wildcard ? "127.0.0.1" : host, ntohs(v4->sin_port));
    } else if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
        (void)snprintf(out, AUTHORITY_SIZE, "127.0.0.1:%u", ntohs(v6->sin6_port));
    } else {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        (void)snprintf(out, AUTHORITY_SIZE, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

static bool prepare(int fd, struct address *address)
{
    const int on = 1, off = 0;
    /* Without this a restart has to wait for the last connections' TIME_WAIT. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return false;
    /* [::] takes IPv4 too, as its URL promises, whatever the system's default. */
    if (address->socket.any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0)
        return false;
    if (bind(fd, &address->socket.any, address->size) != 0 || listen(fd, BACKLOG) != 0)
        return false;
    return getsockname(fd, &address->socket.any, &address->size) == 0;
}

int dreamd_http_listen(const char *listen_at, char out_authority[64], char error[256])
{
    struct address address;
    if (!listen_at || !parse(listen_at, &address)) {
        (void)snprintf(error, ERROR_SIZE,
                       "Cannot listen on \"%.*s\": write it as ADDR:PORT, such as 127.0.0.1:8787 or "
                       "[::1]:8787",
                       LISTEN_SHOWN, listen_at ? listen_at : "");
        return -1;
    }
    int fd = socket(address.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        explain(listen_at, errno, error);
        return -1;
    }
    if (!prepare(fd, &address)) {
        explain(listen_at, errno, error);
        (void)close(fd);
        return -1;
    }
    write_authority(&address, out_authority);
    return fd;
}
