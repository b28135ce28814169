/* SPDX-License-Identifier: Apache-2.0 */
/* small_socket.h - ways to be stuck: sockets that take but a few kilobytes until
 * the other end reads, with a request too large for them, and a listener whose backlog is full. Programs that use this
 * are linked with --wrap=socket. */
#ifndef DREAM_TESTS_FAULTS_SMALL_SOCKET_H
#define DREAM_TESTS_FAULTS_SMALL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "stage.h"

/* Set before the client is made. */
extern bool small_socket_is_on;

/* A POST that fits into no small socket. */
dreamapi_status start_long_post(stage *s, dreamapi_call **out_call);

typedef struct crowded_listener {
    int fds[8];
    size_t count;
    char url[64];
} crowded_listener;

/* Nobody accepts, and the backlog is full: attempts to connect to the address it returns get no answer. */
const char *crowded_listener_open(crowded_listener *crowd);
void crowded_listener_close(crowded_listener *crowd);

#endif
