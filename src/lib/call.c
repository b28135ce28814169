/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - a call's life as its caller sees it: start, wait, result, free.
 * How it moves along is pipeline.c. Whatever is read of a call before it is finished
 * is read under the client's lock; in a forked child the lock may be held for ever by a thread
 * that does not exist there, so each function asks for the process first. */
#include "lib/call.h"

#include <stdlib.h>
#include <string.h>

#include "lib/client.h"
#include "lib/engine.h"
#include "lib/error.h"

void dream_call_hold(dreamapi_call *call)
{
    atomic_fetch_add_explicit(&call->holds, 1, memory_order_relaxed);
}

static void destroy(dreamapi_call *call)
{
    dreamapi_client *client = call->client;

    if (call->object != NULL)
        call->noun->release(call->object);
    dream_exchange_clear(&call->exchange);
    dream_request_clear(&call->request);
    free(call->body);
    free(call->job);
    free(call);
    dream_client_release(client);
}

void dream_call_release(dreamapi_call *call)
{
    if (atomic_fetch_sub_explicit(&call->holds, 1, memory_order_acq_rel) != 1)
        return;
    pthread_cond_destroy(&call->changed);
    destroy(call);
}

/* ---- start ---- */

static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    bool is_done;

    if (pthread_condattr_init(&attributes) != 0)
        return false;
    is_done =
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 && pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return is_done;
}

static dreamapi_call *make(dreamapi_client *client, const char *name, const dream_noun *noun, dream_request *request)
{
    dreamapi_call *call = calloc(1, sizeof(*call));
    int64_t timeout_ms = request->options.timeout_ms;

    if (call == NULL)
        return NULL;
    if (!init_condition(&call->changed)) {
        free(call);
        return NULL;
    }
    atomic_init(&call->holds, 1);
    dream_client_hold(client);
    call->client = client;
    call->name = name;
    call->noun = noun;
    call->deadline_ms =
        dream_settings_now_ms(&client->settings) + (timeout_ms > 0 ? timeout_ms : client->settings.timeout_ms);
    memset(&request->options, 0, sizeof(request->options));
    call->request = *request;
    memset(request, 0, sizeof(*request));
    return call;
}

dreamapi_status dream_call_start_as(dreamapi_client *client, const char *name, const dream_noun *noun,
                                    dream_request *request, const dreamapi_call *template, dreamapi_call **out_call,
                                    dreamapi_error *error)
{
    dreamapi_status status = DREAMAPI_OK;
    dreamapi_call *call = NULL;

    dream_request_end(request, client);
    status = request->problem.status;
    if (status != DREAMAPI_OK) {
        if (error != NULL)
            *error = request->problem;
        goto done;
    }
    call = make(client, name, noun, request);
    if (call == NULL) {
        status = dream_error_nomem(error);
        goto done;
    }
    call->is_quiet = template->is_quiet;
    call->on_finished = template->on_finished;
    call->context = template->context;
    call->work = template->work;
    call->job = template->job;
    dream_error_clear(error);
    pthread_mutex_lock(&client->lock);
    dream_engine_post(client, call);
    pthread_mutex_unlock(&client->lock);
done:
    if (call == NULL)
        free(template->job);
    dream_request_clear(request);
    *out_call = call;
    return status;
}

dreamapi_status dream_call_start(dreamapi_client *client, const char *name, const dream_noun *noun,
                                 dream_request *request, dreamapi_call **out_call, dreamapi_error *error)
{
    if (out_call == NULL) {
        dream_request_clear(request);
        return dream_error_refuse(error, DREAMAPI_INVALID, "out_call is NULL");
    }
    return dream_call_start_as(client, name, noun, request, &(const dreamapi_call){ .is_quiet = false }, out_call,
                               error);
}

dreamapi_status dream_call_start_inside(dreamapi_client *client, const char *name, const dream_noun *noun,
                                        dream_request *request, void (*on_finished)(dreamapi_call *call, void *context),
                                        void *context, dreamapi_error *error)
{
    const dreamapi_call template = { .is_quiet = true, .on_finished = on_finished, .context = context };
    dreamapi_call *call = NULL;

    return dream_call_start_as(client, name, noun, request, &template, &call, error);
}

dreamapi_status dream_call_complete(dreamapi_call *call, const dream_noun *noun, void **out_object,
                                    dreamapi_error *error)
{
    dreamapi_status status = dreamapi_call_wait(call, -1, error);

    if (status == DREAMAPI_OK)
        status = dream_call_take(call, noun, out_object, error);
    dreamapi_call_free(call);
    return status;
}

dreamapi_status dream_call_run(dreamapi_client *client, const char *name, const dream_noun *noun,
                               dream_request *request, void **out_object, dreamapi_error *error)
{
    const dreamapi_call template = { .is_quiet = true };
    dreamapi_call *call = NULL;
    dreamapi_status status = dream_call_start_as(client, name, noun, request, &template, &call, error);

    *out_object = NULL;
    return status == DREAMAPI_OK ? dream_call_complete(call, noun, out_object, error) : status;
}

/* ---- wait and result ---- */

/* The lock is held. */
static dreamapi_status report(const dreamapi_call *call, dreamapi_error *error)
{
    if (!call->is_finished)
        return dream_error_refuse(error, DREAMAPI_PENDING, "%s is not finished", call->name);
    if (error != NULL)
        *error = call->error;
    return call->error.status;
}

static dreamapi_status check(const dreamapi_call *call, dreamapi_error *error)
{
    if (call == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "call is NULL");
    return dream_client_check(call->client, error);
}

dreamapi_status dreamapi_call_wait(dreamapi_call *call, int64_t timeout_ms, dreamapi_error *error)
{
    dreamapi_client *client;
    dreamapi_status status = check(call, error);

    if (status != DREAMAPI_OK)
        return status;
    client = call->client;
    /* No call lives longer than that, so it is as good as no limit, and sums with it cannot overflow. */
    if (timeout_ms > DREAMAPI_MAX_TIMEOUT_MS)
        timeout_ms = -1;
    pthread_mutex_lock(&client->lock);
    call->waiters++;
    if (timeout_ms != 0)
        dream_engine_wait_for(client, call, timeout_ms);
    call->waiters--;
    if (call->is_finished)
        dream_client_unlist(client, call);
    status = report(call, error);
    pthread_mutex_unlock(&client->lock);
    return status;
}

dreamapi_status dreamapi_call_result(dreamapi_call *call, dreamapi_error *error)
{
    dreamapi_status status = check(call, error);

    if (status != DREAMAPI_OK)
        return status;
    pthread_mutex_lock(&call->client->lock);
    status = report(call, error);
    pthread_mutex_unlock(&call->client->lock);
    return status;
}

dreamapi_status dream_call_take(dreamapi_call *call, const dream_noun *noun, void **out_object, dreamapi_error *error)
{
    dreamapi_status status = check(call, error);

    if (out_object != NULL)
        *out_object = NULL;
    if (status != DREAMAPI_OK)
        return status;
    if (call->noun != noun)
        return dream_error_refuse(error, DREAMAPI_INVALID, "%s does not bring a %s", call->name, noun->name);
    pthread_mutex_lock(&call->client->lock);
    status = report(call, error);
    if (status == DREAMAPI_OK && out_object != NULL) {
        *out_object = call->object;
        call->object = NULL;
        if (*out_object == NULL)
            status = dream_error_refuse(error, DREAMAPI_INVALID, "the %s was taken before", noun->name);
    }
    pthread_mutex_unlock(&call->client->lock);
    return status;
}

const char *dreamapi_call_json(dreamapi_call *call)
{
    const char *body = NULL;

    if (check(call, NULL) != DREAMAPI_OK)
        return NULL;
    pthread_mutex_lock(&call->client->lock);
    if (call->is_finished)
        body = call->body;
    pthread_mutex_unlock(&call->client->lock);
    return body;
}

const char *dreamapi_call_idempotency_key(const dreamapi_call *call)
{
    return call == NULL ? NULL : call->request.idempotency_key;
}

void dreamapi_call_set_user_data(dreamapi_call *call, void *user_data)
{
    if (call != NULL)
        atomic_store(&call->user_data, user_data);
}

void *dreamapi_call_user_data(dreamapi_call *call)
{
    return call == NULL ? NULL : atomic_load(&call->user_data);
}

/* ---- the end ---- */

/* The lock is held. */
static void want_cancel(dreamapi_call *call)
{
    if (call->is_finished)
        return;
    call->is_cancel_wanted = true;
    dream_engine_post(call->client, call);
}

void dreamapi_call_cancel(dreamapi_call *call)
{
    if (check(call, NULL) != DREAMAPI_OK)
        return;
    pthread_mutex_lock(&call->client->lock);
    want_cancel(call);
    pthread_mutex_unlock(&call->client->lock);
}

/* In a child no other thread exists, so nobody else can hold the call. If the parent's driver was in the middle of
 * something when it forked, parts of the call may be half changed: then its memory is left alone. The condition is not
 * destroyed: it may count waiters that do not exist here, for whom that would wait. */
static void free_in_child(dreamapi_call *call)
{
    if (!atomic_load(&call->client->is_busy))
        destroy(call);
}

void dreamapi_call_free(dreamapi_call *call)
{
    if (call == NULL)
        return;
    if (dream_client_is_foreign(call->client)) {
        free_in_child(call);
        return;
    }
    pthread_mutex_lock(&call->client->lock);
    call->is_dropped = true;
    dream_client_unlist(call->client, call);
    want_cancel(call);
    pthread_mutex_unlock(&call->client->lock);
    dream_call_release(call);
}

void dream_call_publish(dreamapi_call *call)
{
    dreamapi_client *client = call->client;

    pthread_mutex_lock(&client->lock);
    call->is_finished = true;
    if (!call->is_quiet && !call->is_dropped && call->waiters == 0)
        dream_client_list(client, call);
    pthread_cond_broadcast(&call->changed);
    if (!client->has_worker)
        pthread_cond_broadcast(&client->role_changed);
    pthread_mutex_unlock(&client->lock);
}
