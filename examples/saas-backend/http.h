/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - a web server as small as the backend needs it, over libmicrohttpd: whole requests in, JSON out. It knows nothing of
 * plans or users; a program that has a web server keeps that, and takes routes.c. */
#ifndef SAAS_BACKEND_HTTP_H
#define SAAS_BACKEND_HTTP_H

#include <stddef.h>
#include <stdint.h>

typedef struct http_server http_server;

/* A request that has come in whole. Borrowed by the handler for its call; the body ends with a NUL beyond its size. */
typedef struct http_request {
    const char *method;
    const char *path;
    const char *body;
    size_t body_size;
    void *connection; /* for http_header */
} http_request;

/* The value of a header, borrowed like the request; NULL if it was not sent. */
const char *http_header(const http_request *request, const char *name);

/* One JSON object, filled member by member. What does not fit makes the answer a 500. */
typedef struct http_answer {
    int status;
    int64_t retry_after_ms; /* sent as whole seconds, rounded up; 0: not sent */
    int is_too_large;
    size_t size;
    char json[8192];
} http_answer;

void http_add_text(http_answer *answer, const char *name, const char *text);
/* A negative number is nothing known, or without an end: null. */
void http_add_number(http_answer *answer, const char *name, int64_t number);
/* A whole answer that is an error with a sentence for people. */
void http_refuse(http_answer *answer, int status, const char *words);

/* Called for each request, on its connection's own thread, so it may wait. Many at once. The answer is 200 and empty. */
typedef void (*http_handler)(void *context, const http_request *request, http_answer *answer);

/* Listens at an IPv4 "address:port" (port 0: any that is free); NULL with a line on stderr if it cannot. Owned (http_stop). */
http_server *http_start(const char *address, http_handler handler, void *context);
/* Where it listens. */
int http_port(const http_server *server);
/* Takes no new connections, waits for the requests under way, at most `wait_ms`, and ends. Returns how many it cut off. */
int http_stop(http_server *server, int64_t wait_ms);

#endif
