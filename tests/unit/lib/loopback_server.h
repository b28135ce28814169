/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_server.h - a tiny HTTP/1.1 server inside the test, whose bad manners each
 * test chooses. One thread serves one connection after another with the test's
 * function, and counts what it saw. */
#ifndef DREAM_TESTS_LIB_LOOPBACK_SERVER_H
#define DREAM_TESTS_LIB_LOOPBACK_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { SERVER_MAX_REQUESTS = 64, SERVER_REQUEST_SIZE = 4096 };

typedef struct server server;

/* Serves connection number `connection` (0 is the first); the caller closes it. */
typedef void (*server_function)(server *s, int fd, int connection);

struct server {
    int listen_fd;
    int stop_pipe[2];
    int port;
    char url[64];
    server_function function;
    pthread_t thread;
    atomic_int connections;
    atomic_int request_count;
    char requests[SERVER_MAX_REQUESTS][SERVER_REQUEST_SIZE]; /* as they came, written before they are counted */
};

void server_start(server *s, server_function function);
void server_stop(server *s); /* joins the thread */

/* Reads a whole request and records it; false when the connection ends or the server is stopped first. */
bool server_read(server *s, int fd);
void server_send(int fd, const char *text);
/* Answers with a JSON body and the connection kept. */
void server_answer(int fd, int status, const char *body);
/* Waits until the server is stopped or the client hangs up. */
void server_wait(server *s, int fd);
/* Ends the connection with a reset instead of a farewell. */
void server_reset(int fd);
/* Number of recorded requests that begin with this, as in "POST ". */
int server_count(const server *s, const char *start);

#endif
