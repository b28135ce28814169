/* SPDX-License-Identifier: Apache-2.0 */
/* upstream.c - starts transfers to the providers and sorts their answers into outcomes.
 *
 * The gate: dreamd_upstream_stop must be able to end the HTTP client while handlers on other threads still go on to their
 * next call. So a send is counted in together with the look at `is_stopped`, and the stop waits until all are out again;
 * after it a send fails on the spot instead. No callback runs under the mutex, one that the client calls before its send
 * returns (out of memory) neither: it may start the next call. */
#include "service/provider/upstream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "net/log.h"

enum { STATUS_CLASSES = 6 }; /* 0: no answer, then 1xx to 5xx */

struct provider_metrics {
    dreamd_metric *answers[STATUS_CLASSES];
    dreamd_metric *seconds;
};

struct dreamd_upstream {
    const dreamd_settings *settings;
    dreamd_http_client *client; /* owned; NULL over another transport */
    dreamd_upstream_send *send;
    void *transport;
    struct provider_metrics metrics[DREAMD_PROVIDERS];
    pthread_mutex_t gate;
    pthread_cond_t is_empty;
    int sending;     /* under `gate`: threads within `send` */
    bool is_stopped; /* under `gate` */
};

/* One transfer under way. */
struct transfer {
    dreamd_upstream *upstream;
    enum dreamd_provider provider;
    const char *(*error_text)(const cJSON *json);
    dreamd_upstream_fn *fn;
    void *context;
};

static const char *const provider_names[DREAMD_PROVIDERS] = { "clerk", "stripe" };
static const char *const provider_silences[DREAMD_PROVIDERS] = {
    "The identity provider could not be reached",
    "The payment provider could not be reached",
};

static void client_send(void *transport, const dreamd_outbound *outbound, dreamd_reply_fn *fn, void *context)
{
    dreamd_http_client_send(transport, outbound, fn, context);
}

static void make_metrics(dreamd_upstream *upstream, dreamd_metrics *metrics)
{
    static const char *const classes[STATUS_CLASSES] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };
    char labels[64];

    if (!metrics)
        return;
    for (int p = 0; p < DREAMD_PROVIDERS; p++) {
        for (int c = 0; c < STATUS_CLASSES; c++) {
            (void)snprintf(labels, sizeof labels, "provider=\"%s\",status=\"%s\"", provider_names[p], classes[c]);
            upstream->metrics[p].answers[c] = dreamd_metrics_counter(
                metrics, "dreamapid_provider_requests_total", "Calls to providers by status of the answer.", labels);
        }
        (void)snprintf(labels, sizeof labels, "provider=\"%s\"", provider_names[p]);
        upstream->metrics[p].seconds = dreamd_metrics_histogram(metrics, "dreamapid_provider_seconds",
                                                                "Time that calls to providers took.", labels);
    }
}

dreamd_upstream *dreamd_upstream_new_over(const dreamd_settings *settings, dreamd_metrics *metrics,
                                          dreamd_upstream_send *send, void *transport)
{
    dreamd_upstream *upstream = calloc(1, sizeof *upstream);

    if (!upstream)
        return NULL;
    if (pthread_mutex_init(&upstream->gate, NULL) != 0) {
        free(upstream);
        return NULL;
    }
    if (pthread_cond_init(&upstream->is_empty, NULL) != 0) {
        pthread_mutex_destroy(&upstream->gate);
        free(upstream);
        return NULL;
    }
    upstream->settings = settings;
    upstream->send = send;
    upstream->transport = transport;
    make_metrics(upstream, metrics);
    return upstream;
}

dreamd_upstream *dreamd_upstream_new(const dreamd_settings *settings, dreamd_metrics *metrics)
{
    dreamd_http_client *client = dreamd_http_client_new();
    dreamd_upstream *upstream = NULL;

    if (!client)
        return NULL;
    upstream = dreamd_upstream_new_over(settings, metrics, client_send, client);
    if (!upstream) {
        dreamd_http_client_free(client);
        return NULL;
    }
    upstream->client = client;
    return upstream;
}

void dreamd_upstream_stop(dreamd_upstream *upstream)
{
    pthread_mutex_lock(&upstream->gate);
    upstream->is_stopped = true;
    while (upstream->sending > 0)
        pthread_cond_wait(&upstream->is_empty, &upstream->gate);
    pthread_mutex_unlock(&upstream->gate);
    /* From here on no send gets through; what is under way is failed, and its callbacks may only fail in turn. */
    dreamd_http_client_free(upstream->client);
    upstream->client = NULL;
}

void dreamd_upstream_free(dreamd_upstream *upstream)
{
    if (!upstream)
        return;
    dreamd_upstream_stop(upstream);
    pthread_cond_destroy(&upstream->is_empty);
    pthread_mutex_destroy(&upstream->gate);
    free(upstream);
}

const dreamd_settings *dreamd_upstream_settings(const dreamd_upstream *upstream)
{
    return upstream->settings;
}

void dreamd_upstream_fail(dreamd_upstream_fn *fn, void *context, const char *message)
{
    dreamd_upstream_answer answer = { DREAMD_UPSTREAM_UNAVAILABLE, 0, message, -1, NULL };

    fn(context, &answer);
}

/* 401 and 403 are about our credentials, 408 and 429 about the moment: nothing the caller could put right. */
static dreamd_upstream_outcome outcome_of(int status)
{
    if (status >= 200 && status < 300)
        return DREAMD_UPSTREAM_OK;
    if (status == 404)
        return DREAMD_UPSTREAM_NOT_FOUND;
    if (status == 401 || status == 403 || status == 408 || status == 429)
        return DREAMD_UPSTREAM_UNAVAILABLE;
    return status >= 400 && status < 500 ? DREAMD_UPSTREAM_REFUSED : DREAMD_UPSTREAM_UNAVAILABLE;
}

static void measure(const struct transfer *transfer, const dreamd_reply *reply)
{
    const struct provider_metrics *metrics = &transfer->upstream->metrics[transfer->provider];
    int class = reply->status >= 100 && reply->status < 600 ? reply->status / 100 : 0;

    dreamd_metric_add(metrics->answers[class], 1);
    dreamd_metric_observe_us(metrics->seconds, reply->elapsed_us);
}

static void log_trouble(const struct transfer *transfer, const dreamd_reply *reply)
{
    dreamd_log(DREAMD_LOG_WARN, "provider_unavailable", dreamd_log_text("provider", provider_names[transfer->provider]),
               dreamd_log_int("status", reply->status), dreamd_log_text("failure", reply->failure),
               dreamd_log_int("elapsed_us", reply->elapsed_us));
}

/* The provider's words, bounded; else the status' own. */
static void find_message(const struct transfer *transfer, const dreamd_reply *reply, const cJSON *json,
                         char out[DREAMD_UPSTREAM_MESSAGE_SIZE])
{
    const char *text = json && transfer->error_text ? transfer->error_text(json) : NULL;

    /* Those words are about our keys, and none of a client's business. */
    if (reply->status == 401 || reply->status == 403)
        (void)snprintf(out, DREAMD_UPSTREAM_MESSAGE_SIZE, "The provider refused the service's credentials");
    else if (text && *text)
        (void)snprintf(out, DREAMD_UPSTREAM_MESSAGE_SIZE, "%s", text);
    else if (reply->status == 0)
        (void)snprintf(out, DREAMD_UPSTREAM_MESSAGE_SIZE, "%s", provider_silences[transfer->provider]);
    else if (reply->status == 404)
        (void)snprintf(out, DREAMD_UPSTREAM_MESSAGE_SIZE, "Not Found");
    else
        (void)snprintf(out, DREAMD_UPSTREAM_MESSAGE_SIZE, "The provider answered %d", reply->status);
}

static void on_reply(void *context, const dreamd_reply *reply)
{
    struct transfer *transfer = context;
    char message[DREAMD_UPSTREAM_MESSAGE_SIZE] = "";
    cJSON *json = reply->status != 0 ? dream_json_parse(reply->body, reply->body_size, NULL) : NULL;
    dreamd_upstream_answer answer = { outcome_of(reply->status), reply->status, message, reply->retry_after_ms, json };

    measure(transfer, reply);
    if (answer.outcome == DREAMD_UPSTREAM_OK && !json) {
        answer.outcome = DREAMD_UPSTREAM_UNAVAILABLE;
        (void)snprintf(message, sizeof message, "The provider's answer could not be read");
    } else if (answer.outcome != DREAMD_UPSTREAM_OK) {
        find_message(transfer, reply, json, message);
    }
    if (answer.outcome == DREAMD_UPSTREAM_UNAVAILABLE)
        log_trouble(transfer, reply);
    transfer->fn(transfer->context, &answer);
    cJSON_Delete(json);
    free(transfer);
}

/* False: stopped. */
static bool enter_gate(dreamd_upstream *upstream)
{
    bool is_open = false;

    pthread_mutex_lock(&upstream->gate);
    is_open = !upstream->is_stopped;
    if (is_open)
        upstream->sending++;
    pthread_mutex_unlock(&upstream->gate);
    return is_open;
}

static void leave_gate(dreamd_upstream *upstream)
{
    pthread_mutex_lock(&upstream->gate);
    if (--upstream->sending == 0)
        pthread_cond_broadcast(&upstream->is_empty);
    pthread_mutex_unlock(&upstream->gate);
}

void dreamd_upstream_start(dreamd_upstream *upstream, const dreamd_upstream_call *call, dreamd_upstream_fn *fn,
                           void *context)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    dreamd_outbound outbound = {
        .method = call->method,
        .url = call->url,
        .headers = call->headers,
        .body = call->body,
        .body_size = call->body_size,
        .timeout_ms = DREAMD_UPSTREAM_TIMEOUT_MS,
    };

    if (!transfer) {
        dreamd_upstream_fail(fn, context, "Out of memory");
        return;
    }
    *transfer = (struct transfer){ upstream, call->provider, call->error_text, fn, context };
    if (!enter_gate(upstream)) {
        free(transfer);
        dreamd_upstream_fail(fn, context, "The service is stopping");
        return;
    }
    upstream->send(upstream->transport, &outbound, on_reply, transfer);
    leave_gate(upstream);
}
