/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h - one HTTP request and its answer, between the pipeline and a
 * transport. It lives inside the call (or the probe) that it serves and is
 * prepared anew for each try. Touched only by the thread that drives the client. */
#ifndef DREAM_LIB_EXCHANGE_H
#define DREAM_LIB_EXCHANGE_H

#include <dreamapi/transport.h>
#include <stdbool.h>

#include "common/buffer.h"

enum { DREAM_EXCHANGE_HEADERS = 10, DREAM_EXCHANGE_ANSWER_HEADER_BYTES = 64 * 1024 };

typedef struct dream_header {
    const char *name;
    const char *value;
} dream_header;

/* Where ended exchanges wait for the pipeline. */
typedef struct dream_exchange_queue {
    dreamapi_exchange *first;
    dreamapi_exchange *last;
} dream_exchange_queue;

struct dreamapi_exchange {
    /* The request. Everything is borrowed from the client's settings or from the call. */
    const char *method;
    const char *url;
    dream_header headers[DREAM_EXCHANGE_HEADERS];
    size_t header_count;
    const char *body;
    size_t body_size;
    bool is_repeatable;
    void *transport_data;

    /* The answer. */
    dream_buffer answer;
    size_t answer_header_bytes;
    char retry_after[64];
    char request_id[64];

    /* The end. */
    bool is_ended;
    int http_status; /* 0: failed */
    dreamapi_failure failure;
    bool maybe_sent;
    char failure_text[160];

    void *owner; /* the call; NULL for the probe */
    dream_exchange_queue *queue;
    dreamapi_exchange *next_ended;
};

/* Forgets an earlier try and sets what stays the same for all tries. */
void dream_exchange_prepare(dreamapi_exchange *exchange, const char *method, const char *url, size_t max_answer,
                            dream_exchange_queue *queue, void *owner);
/* `value` is borrowed; NULL adds nothing. */
void dream_exchange_set_header(dreamapi_exchange *exchange, const char *name, const char *value);
void dream_exchange_clear(dreamapi_exchange *exchange);
/* The oldest ended exchange, taken out of the queue; NULL if there is none. */
dreamapi_exchange *dream_exchange_take_ended(dream_exchange_queue *queue);
/* Takes an ended exchange out of the queue before its turn. */
void dream_exchange_remove_ended(dream_exchange_queue *queue, dreamapi_exchange *exchange);

#endif
