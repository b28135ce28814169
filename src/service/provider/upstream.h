/* SPDX-License-Identifier: Apache-2.0 */
/* upstream.h - calls to the identity provider and to Stripe, as the service sees them: one outcome for each thing a
 * handler can do about an answer. What the two say and mean is in clerk.h and stripe.h; the transfers themselves are
 * net/http_client.
 *
 * Callbacks run on the HTTP client's thread, or, once the upstream is stopped, on the caller's. They must not block.
 * Any thread may start calls. */
#ifndef DREAMD_PROVIDER_UPSTREAM_H
#define DREAMD_PROVIDER_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"
#include "net/http_client.h"
#include "net/metrics.h"
#include "service/settings.h"

enum { DREAMD_UPSTREAM_TIMEOUT_MS = 10000, DREAMD_UPSTREAM_MESSAGE_SIZE = 512 };

typedef struct dreamd_upstream dreamd_upstream;

enum dreamd_provider { DREAMD_PROVIDER_CLERK, DREAMD_PROVIDER_STRIPE, DREAMD_PROVIDERS };

typedef enum dreamd_upstream_outcome {
    DREAMD_UPSTREAM_OK = 0,
    DREAMD_UPSTREAM_NOT_FOUND,  /* 404 */
    DREAMD_UPSTREAM_REFUSED,    /* another 4xx about what was asked: the caller's to change */
    DREAMD_UPSTREAM_UNAVAILABLE /* no answer, 5xx, 429, our own credentials refused, unreadable, or not configured */
} dreamd_upstream_outcome;

typedef struct dreamd_upstream_answer {
    dreamd_upstream_outcome outcome;
    int status; /* 0: no answer */
    const char
        *message; /* the provider's own words where it had some; never NULL; borrowed until the callback returns */
    int64_t retry_after_ms; /* -1: none given */
    const cJSON *json;      /* NULL if the answer held none; borrowed until the callback returns */
} dreamd_upstream_answer;

typedef void dreamd_upstream_fn(void *context, const dreamd_upstream_answer *answer);

typedef struct dreamd_upstream_call {
    enum dreamd_provider provider;
    const char *method;
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated */
    const void *body;
    size_t body_size;
    const char *(*error_text)(const cJSON *json); /* finds the provider's words in its error envelope; NULL if none */
} dreamd_upstream_call;

/* How a transfer is made: dreamd_http_client_send, or a script in tests. */
typedef void dreamd_upstream_send(void *transport, const dreamd_outbound *outbound, dreamd_reply_fn *fn, void *context);

/* `settings` and `metrics` (may be NULL) are borrowed for the upstream's life. NULL when out of memory. */
dreamd_upstream *dreamd_upstream_new(const dreamd_settings *settings, dreamd_metrics *metrics);
/* The same over another transport, which is borrowed. */
dreamd_upstream *dreamd_upstream_new_over(const dreamd_settings *settings, dreamd_metrics *metrics,
                                          dreamd_upstream_send *send, void *transport);
/* Fails what is under way and everything asked for later. When it returns, no callback runs on the client's thread. */
void dreamd_upstream_stop(dreamd_upstream *upstream);
void dreamd_upstream_free(dreamd_upstream *upstream); /* stops first; NULL is fine */
const dreamd_settings *dreamd_upstream_settings(const dreamd_upstream *upstream);

/* Copies what it needs of `call`. `fn` is called exactly once. */
void dreamd_upstream_start(dreamd_upstream *upstream, const dreamd_upstream_call *call, dreamd_upstream_fn *fn,
                           void *context);
/* Calls `fn` at once with UNAVAILABLE and this message: for what cannot even be asked. */
void dreamd_upstream_fail(dreamd_upstream_fn *fn, void *context, const char *message);

#endif
