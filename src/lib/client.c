/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - making and freeing a client, and what it offers to a host's loop.
 * The driver's work is engine.c. */
#include "lib/client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/call.h"
#include "lib/engine.h"
#include "lib/error.h"
#include "lib/meter/metering.h"
#include "lib/object/token.h"

bool dream_client_is_foreign(const dreamapi_client *client)
{
    return client->pid != getpid();
}

dreamapi_status dream_client_check(const dreamapi_client *client, dreamapi_error *error)
{
    if (client == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "client is NULL");
    if (dream_client_is_foreign(client))
        return dream_error_refuse(error, DREAMAPI_FORKED, "the client was made before fork()");
    return DREAMAPI_OK;
}

void dream_client_hold(dreamapi_client *client)
{
    atomic_fetch_add_explicit(&client->holds, 1, memory_order_relaxed);
}

static void close_descriptor(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* What the driver owned. The transport is gone already. */
static void clear_driver_state(dreamapi_client *client)
{
    dream_timers_clear(&client->timers);
    dream_rate_cache_free(client->rates);
    client->rates = NULL;
    dream_exchange_clear(&client->probe);
    free(client->health_url);
    client->health_url = NULL;
}

static void close_descriptors(dreamapi_client *client)
{
    close_descriptor(&client->host_fd);
    close_descriptor(&client->engine_fd);
    close_descriptor(&client->wake_fd);
    close_descriptor(&client->done_fd);
}

/* In a forked child the meters may have got a client of this process's own, which nobody else has. */
static void release_metering(dreamapi_client *client)
{
    const dream_metering *metering = atomic_load(&client->metering);

    if (metering != NULL && metering->client != client)
        dreamapi_client_free(metering->client);
    dream_metering_close(client);
}

void dream_client_release(dreamapi_client *client)
{
    if (atomic_fetch_sub_explicit(&client->holds, 1, memory_order_acq_rel) != 1)
        return;
    release_metering(client);
    dream_settings_clear(&client->settings);
    dream_tier_cache_clear(&client->tiers, dream_client_is_foreign(client));
    dream_token_clear(client);
    /* In a child the lock may be held, and the condition count waiters, of threads that do not exist there. */
    if (!dream_client_is_foreign(client)) {
        pthread_cond_destroy(&client->role_changed);
        pthread_mutex_destroy(&client->lock);
        pthread_mutex_destroy(&client->metering_lock);
    }
    free(client);
}

/* ---- making one ---- */

static bool init_locks(dreamapi_client *client)
{
    pthread_condattr_t attributes;
    bool is_done;

    if (pthread_condattr_init(&attributes) != 0)
        return false;
    is_done = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0
              && pthread_cond_init(&client->role_changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (!is_done)
        return false;
    if (pthread_mutex_init(&client->metering_lock, NULL) == 0) {
        if (pthread_mutex_init(&client->lock, NULL) == 0) {
            if (dream_tier_cache_init(&client->tiers))
                return true;
            pthread_mutex_destroy(&client->lock);
        }
        pthread_mutex_destroy(&client->metering_lock);
    }
    pthread_cond_destroy(&client->role_changed);
    return false;
}

static bool watch(int epoll_fd, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_descriptors(dreamapi_client *client)
{
    client->engine_fd = epoll_create1(EPOLL_CLOEXEC);
    client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    client->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (client->engine_fd < 0 || client->wake_fd < 0 || client->done_fd < 0)
        return false;
    if (!watch(client->engine_fd, client->wake_fd))
        return false;
    if (client->transport_fd >= 0 && !watch(client->engine_fd, client->transport_fd))
        return false;
    if (client->settings.has_thread)
        return true;
    /* One level more than the driver waits on: else a finished call that nobody fetched would keep it from sleeping. */
    client->host_fd = epoll_create1(EPOLL_CLOEXEC);
    return client->host_fd >= 0 && watch(client->host_fd, client->engine_fd) && watch(client->host_fd, client->done_fd);
}

static dreamapi_status open_transport(dreamapi_client *client, dreamapi_error *error)
{
    const dream_settings *settings = &client->settings;
    dreamapi_transport_settings given = { sizeof(given), &settings->clock, settings->user_agent, settings->ca_file,
                                          settings->proxy };
    dreamapi_status status = settings->transport.open(settings->transport.user_data, &given, &client->transport);

    if (status != DREAMAPI_OK) {
        client->transport = NULL;
        return dream_error_refuse(error, status, "the transport could not be opened");
    }
    client->transport_fd = settings->transport.fd(client->transport);
    return DREAMAPI_OK;
}

/* The host's signal handlers run on the host's threads. */
static bool start_worker(dreamapi_client *client)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    client->has_worker = true;
    if (pthread_create(&client->worker, NULL, dream_engine_worker, client) != 0)
        client->has_worker = false;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return client->has_worker;
}

static bool init_driver_state(dreamapi_client *client)
{
    static const char path[] = "/health";
    size_t size = strlen(client->settings.base_url.text) + sizeof(path);

    dream_retry_budget_init(&client->budget);
    client->rates = dream_rate_cache_new();
    client->health_url = malloc(size);
    if (client->rates == NULL || client->health_url == NULL)
        return false;
    (void)strcpy(stpcpy(client->health_url, client->settings.base_url.text), path);
    return true;
}

static dreamapi_client *make_empty(void)
{
    dreamapi_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return NULL;
    if (!init_locks(client)) {
        free(client);
        return NULL;
    }
    atomic_init(&client->holds, 1);
    client->pid = getpid();
    client->engine_fd = client->wake_fd = client->done_fd = client->host_fd = client->transport_fd = -1;
    client->next_due_ms = -1;
    return client;
}

static void drop(dreamapi_client *client)
{
    if (client->transport != NULL)
        client->settings.transport.destroy(client->transport);
    client->transport = NULL;
    clear_driver_state(client);
    /* Calls outlive this, and taking one off the list of finished ones reads a descriptor. */
    pthread_mutex_lock(&client->lock);
    close_descriptors(client);
    pthread_mutex_unlock(&client->lock);
    dream_settings_clear(&client->settings);
    dream_client_release(client);
}

/* From its settings to the running client. */
static dreamapi_status bring_up(dreamapi_client *client, dreamapi_error *error)
{
    dreamapi_status status = open_transport(client, error);

    if (status != DREAMAPI_OK)
        return status;
    if (!init_driver_state(client))
        return dream_error_nomem(error);
    if (!open_descriptors(client))
        return dream_error_refuse(error, DREAMAPI_NOMEM, "no descriptors or threads left: %s", strerror(errno));
    return DREAMAPI_OK;
}

static dreamapi_status start(dreamapi_client *client, dreamapi_error *error)
{
    if (client->settings.has_thread && !start_worker(client))
        return dream_error_refuse(error, DREAMAPI_NOMEM, "no descriptors or threads left: %s", strerror(errno));
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_client_new(const dreamapi_options *options, dreamapi_client **out_client,
                                    dreamapi_error *error)
{
    dreamapi_client *client = NULL;
    dream_metering *metering = NULL;
    dreamapi_status status;

    if (out_client == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "out_client is NULL");
    *out_client = NULL;
    client = make_empty();
    if (client == NULL)
        return dream_error_nomem(error);
    status = dream_settings_make(options, &client->settings, error);
    if (status == DREAMAPI_OK)
        status = bring_up(client, error);
    if (status == DREAMAPI_OK)
        status = dream_token_prepare(client, error);
    /* What an earlier run left in the journal is settled from now on. */
    if (status == DREAMAPI_OK && client->settings.journal != NULL)
        status = dream_metering_of(client, &metering, error);
    if (status == DREAMAPI_OK)
        status = start(client, error);
    if (status != DREAMAPI_OK) {
        drop(client);
        return status;
    }
    dream_error_clear(error);
    *out_client = client;
    return DREAMAPI_OK;
}

dreamapi_status dream_client_clone(const dreamapi_client *client, dreamapi_client **out_client)
{
    dreamapi_client *clone = make_empty();
    dreamapi_status status = DREAMAPI_NOMEM;

    *out_client = NULL;
    if (clone == NULL)
        return status;
    if (dream_settings_copy(&client->settings, &clone->settings))
        status = bring_up(clone, NULL);
    if (status == DREAMAPI_OK)
        status = start(clone, NULL);
    if (status != DREAMAPI_OK) {
        drop(clone);
        return status;
    }
    *out_client = clone;
    return DREAMAPI_OK;
}

/* ---- freeing one ---- */

/* Everything here is this process's copy, but the connections are the parent's, so nothing is said on them. If the
 * parent's driver was at work when it forked, its state may be half changed: then that memory is left alone. */
static void free_in_child(dreamapi_client *client)
{
    const dreamapi_transport *transport = &client->settings.transport;

    if (!atomic_load(&client->is_busy)) {
        if (transport->abandon != NULL)
            transport->abandon(client->transport);
        client->transport = NULL;
        clear_driver_state(client);
    }
    close_descriptors(client);
    /* Its meters work on, so they keep what they go by. */
    if (atomic_load(&client->metering) == NULL)
        dream_settings_clear(&client->settings);
    dream_client_release(client);
}

void dreamapi_client_free(dreamapi_client *client)
{
    if (client == NULL)
        return;
    if (dream_client_is_foreign(client)) {
        free_in_child(client);
        return;
    }
    dream_metering_settle_at_close(client);
    dream_engine_close(client);
    drop(client);
}

/* ---- the host's loop ---- */

int dreamapi_client_fd(const dreamapi_client *client)
{
    if (client == NULL || dream_client_is_foreign(client))
        return -1;
    return client->host_fd >= 0 ? client->host_fd : client->done_fd;
}

void dream_client_list(dreamapi_client *client, dreamapi_call *call)
{
    static const uint64_t one = 1;
    ssize_t written;

    if (client->finished_first == NULL) {
        written = write(client->done_fd, &one, sizeof(one));
        (void)written;
    }
    call->is_listed = true;
    call->finished_next = NULL;
    call->finished_previous = client->finished_last;
    if (client->finished_last == NULL)
        client->finished_first = call;
    else
        client->finished_last->finished_next = call;
    client->finished_last = call;
}

void dream_client_unlist(dreamapi_client *client, dreamapi_call *call)
{
    uint64_t count;
    ssize_t got;

    if (!call->is_listed)
        return;
    call->is_listed = false;
    if (call->finished_previous == NULL)
        client->finished_first = call->finished_next;
    else
        call->finished_previous->finished_next = call->finished_next;
    if (call->finished_next == NULL)
        client->finished_last = call->finished_previous;
    else
        call->finished_next->finished_previous = call->finished_previous;
    /* A client that was freed has closed it. */
    if (client->finished_first == NULL && client->done_fd >= 0) {
        got = read(client->done_fd, &count, sizeof(count));
        (void)got;
    }
}

dreamapi_call *dreamapi_client_next(dreamapi_client *client)
{
    dreamapi_call *call;

    if (dream_client_check(client, NULL) != DREAMAPI_OK)
        return NULL;
    pthread_mutex_lock(&client->lock);
    call = client->finished_first;
    if (call != NULL)
        dream_client_unlist(client, call);
    pthread_mutex_unlock(&client->lock);
    return call;
}

dreamapi_status dreamapi_client_perform(dreamapi_client *client)
{
    dreamapi_status status = dream_client_check(client, NULL);

    if (status == DREAMAPI_OK)
        dream_engine_perform(client);
    return status;
}

int64_t dreamapi_client_timeout_ms(dreamapi_client *client)
{
    int64_t due_ms;
    bool is_waiting;

    if (dream_client_check(client, NULL) != DREAMAPI_OK || client->has_worker)
        return -1;
    pthread_mutex_lock(&client->lock);
    due_ms = client->next_due_ms;
    is_waiting = client->inbox_first != NULL;
    pthread_mutex_unlock(&client->lock);
    if (is_waiting)
        return 0;
    if (due_ms < 0)
        return -1;
    due_ms -= dream_settings_now_ms(&client->settings);
    return due_ms < 0 ? 0 : due_ms;
}
