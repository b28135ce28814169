/* SPDX-License-Identifier: Apache-2.0 */
/* http_client.h - outbound HTTP: one thread, one curl multi handle, many transfers.
 * Callbacks run on that thread and must not block. libcurl's names and codes stay in http_client.c.
 * http and https only, certificates verified, redirects handed back as they are. A request is sent at most once: only one
 * that may be repeated (its method is idempotent, or it has an Idempotency-Key) is sent again by itself, and only when a
 * kept connection turns out to be dead. Proxies come from the environment, never for loopback. */
#ifndef DREAMD_NET_HTTP_CLIENT_H
#define DREAMD_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dreamd_http_client dreamd_http_client;

typedef struct dreamd_outbound {
    const char *method;
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const void *body;
    size_t body_size;
    int64_t timeout_ms;  /* whole transfer; 0: 10 000 */
    size_t max_response; /* 0: 1 MiB */
    /* "sha256//BASE64" of the only public key to be talked to over https, in place of what the system's authorities vouch
     * for and of the name; NULL: as usual. */
    const char *pin;
} dreamd_outbound;

typedef struct dreamd_reply {
    int status;          /* 0: no answer, see `failure` */
    const char *failure; /* a sentence, NULL with an answer */
    bool is_timeout;
    bool is_unsent;   /* with status 0: the request surely never left, so sending it again is safe */
    const char *body; /* NUL-terminated, borrowed until the callback returns; "" if none */
    size_t body_size;
    int64_t retry_after_ms; /* -1: none given */
    int64_t elapsed_us;
} dreamd_reply;

typedef void dreamd_reply_fn(void *context, const dreamd_reply *reply);

dreamd_http_client *dreamd_http_client_new(void);
/* Copies the request (wipes its copies: they hold credentials). `fn` is called exactly once, on the client's thread;
 * when out of memory or stopping too, with status 0. (If memory does not even last to queue that failure, `fn` is called
 * before this returns.) Any thread, callbacks included. */
void dreamd_http_client_send(dreamd_http_client *client, const dreamd_outbound *outbound, dreamd_reply_fn *fn,
                             void *context);
/* Fails what is under way (callbacks are called), ends the thread. Not from a callback, nor while others send. NULL is
 * fine. */
void dreamd_http_client_free(dreamd_http_client *client);

#endif
