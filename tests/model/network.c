/* SPDX-License-Identifier: Apache-2.0 */
/* network.c - requests and answers on their way, as a transport of the client's. Each may be lost, late or doubled; what a client
 * has given up on may still arrive. The second of a doubled request comes when it likes, and its answer reaches nobody. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

static void message_free(letter *message)
{
    free(message->method);
    free(message->path);
    free(message->body);
    free(message->answer.body);
    free(message);
}

static void append(model *m, letter *message)
{
    letter **last = &m->network.first;

    while (*last)
        last = &(*last)->next;
    *last = message;
}

void network_clear(model *m)
{
    while (m->network.first) {
        letter *message = m->network.first;
        m->network.first = message->next;
        message_free(message);
    }
}

/* Drops what neither side will see again. */
static void forget_done(model *m)
{
    letter **at = &m->network.first;

    while (*at) {
        letter *message = *at;
        if (message->arrives_ms == NEVER && !message->exchange) {
            *at = message->next;
            message_free(message);
        } else {
            at = &message->next;
        }
    }
}

int64_t network_next_ms(const model *m)
{
    int64_t next_ms = NEVER;

    for (const letter *message = m->network.first; message; message = message->next) {
        if (message->arrives_ms < next_ms)
            next_ms = message->arrives_ms;
    }
    return next_ms;
}

static void arrive(model *m, letter *message)
{
    m->server.is_orphan = !message->exchange;
    answer got = server_ask(m, message->machine, message->method, message->path, message->body);

    message->arrives_ms = NEVER;
    model_say(m, "%s %s of machine %d.%d arrives%s: %d %s <- %s", message->method, message->path, message->machine,
              message->process, message->exchange ? "" : " (nobody waits)", got.status, got.body ? got.body : "",
              message->body ? message->body : "");
    if (!message->exchange || message->is_failed) {
        free(got.body);
        return;
    }
    message->answer = got;
    message->is_failed = message->is_answer_lost || got.status == 0;
    message->answered_ms = m->now_ms + message->delay_ms;
}

void network_deliver(model *m)
{
    for (;;) {
        letter *due = NULL;
        for (letter *message = m->network.first; message; message = message->next) {
            if (message->arrives_ms <= m->now_ms && (!due || message->arrives_ms < due->arrives_ms))
                due = message;
        }
        if (!due || m->is_over)
            return;
        arrive(m, due);
    }
}

void network_drain(model *m)
{
    for (;;) {
        letter *chosen = NULL;
        int64_t seen = 0;
        for (letter *message = m->network.first; message; message = message->next) {
            if (message->arrives_ms != NEVER && model_draw(m, ++seen) == 0)
                chosen = message;
        }
        if (!chosen || m->is_over)
            break;
        arrive(m, chosen);
    }
    forget_done(m);
}

/* ---- the transport ---- */

static dreamapi_status begin(void *user_data, const dreamapi_transport_settings *settings, void **out_instance)
{
    (void)settings;
    *out_instance = user_data;
    return DREAMAPI_OK;
}

static int64_t some_delay(model *m)
{
    return 1 + model_draw(m, model_chance(m, 80) ? m->network.weather.delay_ms / 10 + 1 : m->network.weather.delay_ms);
}

static letter *write_message(const station *from, const dreamapi_exchange *exchange)
{
    letter *message = calloc(1, sizeof *message);
    const char *url = dreamapi_exchange_url(exchange);
    size_t size = 0;
    const char *body = dreamapi_exchange_body(exchange, &size);

    message->machine = from->machine;
    message->process = from->process;
    message->method = strdup(dreamapi_exchange_method(exchange));
    message->path = strdup(strchr(strstr(url, "//") + 2, '/'));
    message->body = body ? strndup(body, size) : NULL;
    message->arrives_ms = message->answered_ms = NEVER;
    return message;
}

/* A request for units that comes after its refusal was forgotten is granted to nobody: that is known, and takes a week. */
static int64_t late_ms(model *m, const letter *message)
{
    bool is_wish = message->body && strstr(message->body, "\"acquire\"");
    int64_t most_ms = m->network.weather.late_double_ms;

    return is_wish && most_ms > 5 * DAY_MS ? 5 * DAY_MS : most_ms;
}

static void send_double(model *m, const station *from, const dreamapi_exchange *exchange)
{
    letter *message = write_message(from, exchange);

    message->arrives_ms = m->now_ms + some_delay(m) + model_draw(m, late_ms(m, message) + 1);
    append(m, message);
}

static dreamapi_status start(void *instance, dreamapi_exchange *exchange)
{
    station *from = instance;
    model *m = from->model;
    letter *message = write_message(from, exchange);

    message->exchange = exchange;
    dreamapi_exchange_set_user_data(exchange, message);
    message->delay_ms = some_delay(m);
    message->is_answer_lost = model_chance(m, m->network.weather.loss_percent);
    if (m->machines[from->machine].is_cut_off || model_chance(m, m->network.weather.loss_percent)) {
        message->is_failed = true;
        message->answered_ms = model_chance(m, 50) ? NEVER : m->now_ms + message->delay_ms;
    } else {
        message->arrives_ms = m->now_ms + some_delay(m);
    }
    append(m, message);
    if (m->network.writes_back && model_chance(m, 15))
        machine_sync(m, from->machine);
    if (!m->machines[from->machine].is_cut_off && model_chance(m, m->network.weather.double_percent))
        send_double(m, from, exchange);
    return DREAMAPI_OK;
}

static int cancel(void *instance, dreamapi_exchange *exchange)
{
    letter *message = dreamapi_exchange_user_data(exchange);

    (void)instance;
    message->exchange = NULL;
    return 1;
}

static void finish(model *m, letter *message)
{
    dreamapi_exchange *exchange = message->exchange;

    message->exchange = NULL;
    message->arrives_ms = message->is_failed ? message->arrives_ms : NEVER;
    if (message->is_failed) {
        dreamapi_exchange_fail(exchange, DREAMAPI_FAILURE_RESET, 1, "the model's network lost it");
        return;
    }
    model_say(m, "machine %d.%d hears: %d", message->machine, message->process, message->answer.status);
    if (message->answer.status == 200 && strcmp(message->path, "/api/leases") == 0)
        truth_delivered(m, message->machine, message->answer.body);
    (void)dreamapi_exchange_add_body(exchange, message->answer.body, strlen(message->answer.body));
    dreamapi_exchange_finish(exchange, message->answer.status);
}

static letter *find_answered(const station *to)
{
    model *m = to->model;

    for (letter *message = m->network.first; message; message = message->next) {
        if (message->exchange && message->machine == to->machine && message->process == to->process
            && message->answered_ms <= m->now_ms)
            return message;
    }
    return NULL;
}

static void perform(void *instance)
{
    station *to = instance;
    letter *message;

    while ((message = find_answered(to)) != NULL)
        finish(to->model, message);
    forget_done(to->model);
}

static int no_descriptor(void *instance)
{
    (void)instance;
    return -1;
}

static int64_t timeout_ms(void *instance)
{
    station *to = instance;
    int64_t next_ms = NEVER;

    for (const letter *message = to->model->network.first; message; message = message->next) {
        /* What is still on its way to the server is looked for when its answer should be here. */
        int64_t at_ms = message->arrives_ms == NEVER || message->is_failed ? message->answered_ms
                                                                           : message->arrives_ms + message->delay_ms;
        if (message->exchange && message->machine == to->machine && message->process == to->process && at_ms < next_ms)
            next_ms = at_ms;
    }
    if (next_ms == NEVER)
        return -1;
    return next_ms > to->model->now_ms ? next_ms - to->model->now_ms : 0;
}

static void leave(void *instance)
{
    (void)instance;
}

dreamapi_transport network_transport(void *end)
{
    return (dreamapi_transport){
        sizeof(dreamapi_transport), end, begin, start, cancel, perform, no_descriptor, timeout_ms, leave, NULL
    };
}
