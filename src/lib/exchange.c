/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - what a transport sees of a request, and what it reports. Only the
 * two response headers that mean something to the pipeline are kept; the rest is
 * counted, so that a server cannot make us read for ever. */
#include "lib/exchange.h"

#include <string.h>
#include <strings.h>

#include "lib/error.h"

void dream_exchange_prepare(dreamapi_exchange *exchange, const char *method, const char *url, size_t max_answer,
                            dream_exchange_queue *queue, void *owner)
{
    dream_exchange_clear(exchange);
    memset(exchange, 0, sizeof(*exchange));
    exchange->method = method;
    exchange->url = url;
    exchange->answer.limit = max_answer;
    exchange->queue = queue;
    exchange->owner = owner;
}

void dream_exchange_set_header(dreamapi_exchange *exchange, const char *name, const char *value)
{
    if (value == NULL || exchange->header_count == DREAM_EXCHANGE_HEADERS)
        return;
    exchange->headers[exchange->header_count].name = name;
    exchange->headers[exchange->header_count].value = value;
    exchange->header_count++;
}

void dream_exchange_clear(dreamapi_exchange *exchange)
{
    dream_buffer_clear(&exchange->answer);
}

dreamapi_exchange *dream_exchange_take_ended(dream_exchange_queue *queue)
{
    dreamapi_exchange *exchange = queue->first;

    if (exchange == NULL)
        return NULL;
    queue->first = exchange->next_ended;
    if (queue->first == NULL)
        queue->last = NULL;
    exchange->next_ended = NULL;
    return exchange;
}

void dream_exchange_remove_ended(dream_exchange_queue *queue, dreamapi_exchange *exchange)
{
    dreamapi_exchange *previous = NULL;

    for (dreamapi_exchange *at = queue->first; at != NULL && at != exchange; at = at->next_ended)
        previous = at;
    if (previous == NULL)
        queue->first = exchange->next_ended;
    else
        previous->next_ended = exchange->next_ended;
    if (queue->last == exchange)
        queue->last = previous;
    exchange->next_ended = NULL;
}

const char *dreamapi_exchange_method(const dreamapi_exchange *exchange)
{
    return exchange->method;
}

const char *dreamapi_exchange_url(const dreamapi_exchange *exchange)
{
    return exchange->url;
}

size_t dreamapi_exchange_header_count(const dreamapi_exchange *exchange)
{
    return exchange->header_count;
}

const char *dreamapi_exchange_header_name(const dreamapi_exchange *exchange, size_t index)
{
    return index < exchange->header_count ? exchange->headers[index].name : NULL;
}

const char *dreamapi_exchange_header_value(const dreamapi_exchange *exchange, size_t index)
{
    return index < exchange->header_count ? exchange->headers[index].value : NULL;
}

const char *dreamapi_exchange_body(const dreamapi_exchange *exchange, size_t *out_size)
{
    if (out_size != NULL)
        *out_size = exchange->body_size;
    return exchange->body;
}

int dreamapi_exchange_is_repeatable(const dreamapi_exchange *exchange)
{
    return exchange->is_repeatable;
}

void dreamapi_exchange_set_user_data(dreamapi_exchange *exchange, void *user_data)
{
    exchange->transport_data = user_data;
}

void *dreamapi_exchange_user_data(const dreamapi_exchange *exchange)
{
    return exchange->transport_data;
}

dreamapi_status dreamapi_exchange_add_header(dreamapi_exchange *exchange, const char *name, const char *value)
{
    exchange->answer_header_bytes += strlen(name) + strlen(value);
    if (exchange->answer_header_bytes > DREAM_EXCHANGE_ANSWER_HEADER_BYTES)
        return DREAMAPI_PROTOCOL;
    if (strcasecmp(name, "Retry-After") == 0)
        dream_error_copy_text(exchange->retry_after, sizeof(exchange->retry_after), value);
    else if (strcasecmp(name, "X-Request-Id") == 0)
        dream_error_copy_text(exchange->request_id, sizeof(exchange->request_id), value);
    else if (strcasecmp(name, "CF-Ray") == 0 && exchange->request_id[0] == '\0')
        dream_error_copy_text(exchange->request_id, sizeof(exchange->request_id), value);
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_exchange_add_body(dreamapi_exchange *exchange, const void *bytes, size_t size)
{
    if (size > exchange->answer.limit || exchange->answer.size > exchange->answer.limit - size)
        return DREAMAPI_PROTOCOL;
    dream_buffer_append(&exchange->answer, bytes, size);
    return exchange->answer.is_failed ? DREAMAPI_NOMEM : DREAMAPI_OK;
}

/* A second report of the same end is a transport's mistake; the first one counts. */
static void end(dreamapi_exchange *exchange)
{
    exchange->is_ended = true;
    if (exchange->queue->last == NULL)
        exchange->queue->first = exchange;
    else
        exchange->queue->last->next_ended = exchange;
    exchange->queue->last = exchange;
}

void dreamapi_exchange_finish(dreamapi_exchange *exchange, int http_status)
{
    if (exchange->is_ended)
        return;
    if (http_status < 100 || http_status > 599) {
        dreamapi_exchange_fail(exchange, DREAMAPI_FAILURE_PROTOCOL, 1, "an HTTP status out of range");
        return;
    }
    exchange->http_status = http_status;
    exchange->maybe_sent = true;
    end(exchange);
}

void dreamapi_exchange_fail(dreamapi_exchange *exchange, dreamapi_failure failure, int maybe_sent, const char *text)
{
    if (exchange->is_ended)
        return;
    exchange->failure = failure;
    exchange->maybe_sent = maybe_sent != 0;
    if (text != NULL)
        dream_error_copy_text(exchange->failure_text, sizeof(exchange->failure_text), text);
    end(exchange);
}
