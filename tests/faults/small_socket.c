/* SPDX-License-Identifier: Apache-2.0 */
/* small_socket.c - see small_socket.h. */
#include "small_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL_BUFFER = 4096, TEXT_SIZE = 4000, CROWD = 6 };

bool small_socket_is_on;

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);

int __wrap_socket(int domain, int type, int protocol)
{
    int size = SMALL_BUFFER;
    int fd = __real_socket(domain, type, protocol);

    if (fd >= 0 && small_socket_is_on)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return fd;
}

dreamapi_status start_long_post(stage *s, dreamapi_call **out_call)
{
    char text[TEXT_SIZE + 1];
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    memset(text, 'x', TEXT_SIZE);
    text[TEXT_SIZE] = '\0';
    params.email = params.first_name = params.last_name = params.plan = params.password = text;
    options.timeout_ms = s->timeout_ms;
    options.idempotency_key = s->key;
    return dreamapi_customer_create_start(s->client, &params, &options, out_call, &s->error);
}

const char *crowded_listener_open(crowded_listener *crowd)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    crowd->count = 0;
    crowd->fds[crowd->count++] = listener;
    while (crowd->count < CROWD) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fd, (struct sockaddr *)&address, sizeof(address));
        crowd->fds[crowd->count++] = fd;
    }
    (void)snprintf(crowd->url, sizeof(crowd->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    return crowd->url;
}

void crowded_listener_close(crowded_listener *crowd)
{
    for (size_t i = 0; i < crowd->count; i++)
        (void)close(crowd->fds[i]);
    crowd->count = 0;
}
