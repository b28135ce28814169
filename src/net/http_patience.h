/* SPDX-License-Identifier: Apache-2.0 */
/* http_patience.h - ends connections that keep busy without ever sending a whole request ("slowloris"): libmicrohttpd's timeout starts
 * anew with each byte.
 *
 * While a request is awaited its connection has a time by which its head must be there; a body moves its own time on by what has come
 * of it. While the request is handled and answered there is none. */
#ifndef DREAMD_NET_HTTP_PATIENCE_H
#define DREAMD_NET_HTTP_PATIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DREAMD_SLOW_BODY_RATE = 4096 /* bytes a second that a body must come with, after as much time as a head has */ };

typedef struct dreamd_patience dreamd_patience;
typedef struct dreamd_visit dreamd_visit; /* a connection, from its accepting to its end */

/* Starts a thread that sleeps while nobody visits. */
dreamd_patience *dreamd_patience_new(void);
/* After the last visit's end; NULL is fine. */
void dreamd_patience_free(dreamd_patience *patience);

/* `limit_us`: for each head, and for the beginning of each body. NULL when out of memory: then nothing ends it. All of these accept
 * a NULL visit. */
dreamd_visit *dreamd_visit_new(dreamd_patience *patience, int socket, int64_t limit_us);
void dreamd_visit_free(dreamd_patience *patience, dreamd_visit *visit); /* before the socket is closed */
void dreamd_visit_await(dreamd_visit *visit, int64_t now_us);           /* a head, or a body, from now on */
void dreamd_visit_extend(dreamd_visit *visit, size_t bytes);            /* so much of a body came */
void dreamd_visit_rest(dreamd_visit *visit);                            /* nothing is awaited of the client */

#endif
