/* SPDX-License-Identifier: Apache-2.0 */
/* raw.c - raw.h over blocking sockets with timeouts. */
#include "raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

int64_t raw_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint16_t raw_port(const char *url)
{
    const char *colon = strrchr(url, ':');
    assert_non_null(colon);
    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

int raw_connect(uint16_t port)
{
    const struct timeval patience = { RAW_PATIENCE_MS / 1000, 0 };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void raw_send(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return;
        assert_true(sent > 0);
        at += sent;
        size -= (size_t)sent;
    }
}

void raw_text(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

/* One byte; false at the end of the connection. Slow, and never reads into the next answer. */
static bool read_byte(int fd, char *out)
{
    ssize_t size = recv(fd, out, 1, 0);
    if (size < 0 && errno != ECONNRESET)
        fail_msg("no answer: %s", strerror(errno));
    return size == 1;
}

static bool read_head(int fd, raw_answer *answer)
{
    size_t size = 0;
    while (size < sizeof answer->head - 1) {
        if (!read_byte(fd, &answer->head[size]))
            return false;
        answer->head[++size] = '\0';
        if (size >= 4 && strcmp(answer->head + size - 4, "\r\n\r\n") == 0)
            return true;
    }
    fail_msg("a head without end");
    return false;
}

bool raw_header(const raw_answer *answer, const char *name, char out[256])
{
    size_t name_size = strlen(name);
    for (const char *line = strchr(answer->head, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, name, name_size) != 0 || line[1 + name_size] != ':')
            continue;
        const char *value = line + 1 + name_size + 1;
        while (*value == ' ')
            value++;
        size_t size = strcspn(value, "\r\n");
        assert_true(size < 256);
        memcpy(out, value, size);
        out[size] = '\0';
        return true;
    }
    return false;
}

raw_answer raw_read(int fd, bool is_head)
{
    raw_answer answer = { .body = calloc(1, 1) };
    char length[256];
    assert_non_null(answer.body);
    if (!read_head(fd, &answer))
        return answer;
    assert_memory_equal(answer.head, "HTTP/1.1 ", 9);
    answer.status = atoi(answer.head + 9);
    if (is_head || !raw_header(&answer, "Content-Length", length))
        return answer;
    size_t wanted = strtoul(length, NULL, 10);
    assert_true(wanted < RAW_MAX);
    free(answer.body);
    answer.body = calloc(1, wanted + 1);
    assert_non_null(answer.body);
    while (answer.body_size < wanted) {
        ssize_t size = recv(fd, answer.body + answer.body_size, wanted - answer.body_size, 0);
        assert_true(size > 0);
        answer.body_size += (size_t)size;
    }
    return answer;
}

void raw_answer_clear(raw_answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

bool raw_is_closed(int fd)
{
    char byte;
    return !read_byte(fd, &byte);
}

void raw_rest(int fd, char out[4096])
{
    size_t size = 0;
    while (read_byte(fd, &out[size])) {
        size++;
        assert_true(size < 4096);
    }
    out[size] = '\0';
}

raw_answer raw_exchange(uint16_t port, const char *request)
{
    int fd = raw_connect(port);
    raw_text(fd, request);
    raw_answer answer = raw_read(fd, strncmp(request, "HEAD ", 5) == 0);
    (void)close(fd);
    return answer;
}
