/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - the driver's loop: take the inbox, fire timers, let the transport
 * work, hand ended exchanges to the pipeline, wait. What happens to a call in each of
 * these is pipeline.c. The lock guards the inbox and the driver's role only. */
#include "lib/engine.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "lib/call.h"
#include "lib/meter/metering.h"
#include "lib/pipeline.h"

/* With a virtual clock and a real connection: how long to wait at a time when the transport names no time. */
enum { REAL_WAIT_MS = 1000 };

void dream_engine_wake(dreamapi_client *client)
{
    static const uint64_t one = 1;
    ssize_t written;

    if (client->is_woken)
        return;
    client->is_woken = true;
    /* An eventfd that is read before each new write never blocks and never fails. */
    written = write(client->wake_fd, &one, sizeof(one));
    (void)written;
}

void dream_engine_post(dreamapi_client *client, dreamapi_call *call)
{
    if (call->is_in_inbox)
        return;
    dream_call_hold(call);
    call->is_in_inbox = true;
    call->inbox_next = NULL;
    if (client->inbox_last == NULL)
        client->inbox_first = call;
    else
        client->inbox_last->inbox_next = call;
    client->inbox_last = call;
    dream_engine_wake(client);
}

/* The oldest call in the inbox, with the inbox's hold on it; NULL when it is empty. */
static dreamapi_call *take_from_inbox(dreamapi_client *client, bool *out_is_cancel_wanted)
{
    dreamapi_call *call;
    uint64_t count;
    ssize_t got;

    pthread_mutex_lock(&client->lock);
    if (client->is_woken) {
        got = read(client->wake_fd, &count, sizeof(count));
        (void)got;
        client->is_woken = false;
    }
    call = client->inbox_first;
    if (call != NULL) {
        client->inbox_first = call->inbox_next;
        if (client->inbox_first == NULL)
            client->inbox_last = NULL;
        call->is_in_inbox = false;
        *out_is_cancel_wanted = call->is_cancel_wanted;
    }
    pthread_mutex_unlock(&client->lock);
    return call;
}

static void work_inbox(dreamapi_client *client)
{
    dreamapi_call *call;
    bool is_cancel_wanted = false;

    while ((call = take_from_inbox(client, &is_cancel_wanted)) != NULL) {
        if (is_cancel_wanted)
            dream_pipeline_cancel(call);
        else
            dream_pipeline_admit(call);
        dream_call_release(call);
    }
}

static void work_timers(dreamapi_client *client)
{
    dream_timer *timer;

    while ((timer = dream_timers_first(&client->timers)) != NULL
           && timer->due_ms <= dream_settings_now_ms(&client->settings))
        dream_pipeline_timer(client, timer);
}

static void work_transport(dreamapi_client *client)
{
    dreamapi_exchange *exchange;

    client->settings.transport.perform(client->transport);
    while ((exchange = dream_exchange_take_ended(&client->ended)) != NULL)
        dream_pipeline_ended(client, exchange);
}

/* What it has to say becomes a call, which the inbox takes next. */
static void work_meters(dreamapi_client *client)
{
    dream_metering *metering = atomic_load(&client->metering);

    if (metering != NULL)
        dream_agent_work(metering);
}

/* What the transport wants is relative; the earlier of it and of the first timer is when to work next. */
static void note_next_due(dreamapi_client *client)
{
    const dream_timer *timer = dream_timers_first(&client->timers);
    int64_t due_ms = timer == NULL ? -1 : timer->due_ms;
    int64_t wait_ms = client->settings.transport.timeout_ms(client->transport);
    const dream_metering *metering = atomic_load(&client->metering);

    if (wait_ms >= 0) {
        wait_ms += dream_settings_now_ms(&client->settings);
        if (due_ms < 0 || wait_ms < due_ms)
            due_ms = wait_ms;
    }
    if (metering != NULL) {
        wait_ms = dream_agent_due_ms(metering);
        if (wait_ms >= 0 && (due_ms < 0 || wait_ms < due_ms))
            due_ms = wait_ms;
    }
    pthread_mutex_lock(&client->lock);
    client->next_due_ms = due_ms;
    pthread_mutex_unlock(&client->lock);
}

/* One round; false when the client is being closed. */
static bool work(dreamapi_client *client)
{
    bool is_closing;

    atomic_store(&client->is_busy, true);
    work_meters(client);
    work_inbox(client);
    work_timers(client);
    work_transport(client);
    note_next_due(client);
    atomic_store(&client->is_busy, false);

    pthread_mutex_lock(&client->lock);
    is_closing = client->is_closing;
    pthread_mutex_unlock(&client->lock);
    return !is_closing;
}

static int clamp_to_int(int64_t ms)
{
    return ms < 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

/* True when a descriptor of the driver's became readable. `timeout_ms` negative: no limit. */
static bool wait_for_descriptors(const dreamapi_client *client, int timeout_ms)
{
    struct epoll_event events[2];

    return epoll_wait(client->engine_fd, events, 2, timeout_ms) > 0;
}

/* Waits for the next thing to do, at most until `until_ms` (-1: no limit). next_due_ms is the driver's own, so it may be
 * read without the lock here. */
static void wait_for_work(dreamapi_client *client, int64_t until_ms)
{
    const dreamapi_clock *clock = &client->settings.clock;
    int64_t due_ms = client->next_due_ms;
    int64_t left_ms;

    if (until_ms >= 0 && (due_ms < 0 || until_ms < due_ms))
        due_ms = until_ms;
    left_ms = due_ms < 0 ? -1 : due_ms - dream_settings_now_ms(&client->settings);
    if (due_ms >= 0 && left_ms <= 0)
        return;
    if (clock->sleep_ms == NULL || left_ms < 0) {
        (void)wait_for_descriptors(client, left_ms < 0 ? -1 : clamp_to_int(left_ms));
    } else if (client->transport_fd >= 0 && client->exchanges_under_way > 0) {
        /* Real time passes on the connection; virtual time stands still meanwhile. */
        left_ms = client->settings.transport.timeout_ms(client->transport);
        (void)wait_for_descriptors(client, left_ms < 0 || left_ms > REAL_WAIT_MS ? REAL_WAIT_MS : (int)left_ms);
    } else if (!wait_for_descriptors(client, 0)) {
        clock->sleep_ms(clock->user_data, left_ms);
    }
}

void *dream_engine_worker(void *argument)
{
    dreamapi_client *client = argument;

    while (work(client))
        wait_for_work(client, -1);
    return NULL;
}

/* The lock is held; is_driven was false. */
static void take_role(dreamapi_client *client)
{
    client->is_driven = true;
    pthread_mutex_unlock(&client->lock);
}

static void leave_role(dreamapi_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->is_driven = false;
    pthread_cond_broadcast(&client->role_changed);
}

void dream_engine_perform(dreamapi_client *client)
{
    pthread_mutex_lock(&client->lock);
    if (!client->has_worker && !client->is_driven && !client->is_closing) {
        take_role(client);
        (void)work(client);
        leave_role(client);
    }
    pthread_mutex_unlock(&client->lock);
}

static void wait_on(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t timeout_ms)
{
    struct timespec until;

    if (timeout_ms < 0) {
        pthread_cond_wait(condition, lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(condition, lock, &until);
}

void dream_engine_drive(dreamapi_client *client, int64_t timeout_ms)
{
    pthread_mutex_lock(&client->lock);
    if (client->is_closing) {
        pthread_mutex_unlock(&client->lock);
        return;
    }
    if (client->is_driven) {
        wait_on(&client->role_changed, &client->lock, timeout_ms);
    } else {
        take_role(client);
        if (work(client))
            wait_for_work(client, dream_settings_now_ms(&client->settings) + timeout_ms);
        (void)work(client);
        leave_role(client);
    }
    pthread_mutex_unlock(&client->lock);
}

/* This thread is the driver, which alone ends calls: it may look at is_finished without the lock. */
static void drive(dreamapi_client *client, const dreamapi_call *call, int64_t until_ms)
{
    while (work(client) && !call->is_finished) {
        if (until_ms >= 0 && dream_settings_now_ms(&client->settings) >= until_ms)
            break;
        wait_for_work(client, until_ms);
    }
}

static int64_t real_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_for_worker(dreamapi_client *client, dreamapi_call *call, int64_t timeout_ms)
{
    int64_t until_ms = timeout_ms < 0 ? -1 : real_now_ms() + timeout_ms;

    while (!call->is_finished) {
        int64_t left_ms = until_ms < 0 ? -1 : until_ms - real_now_ms();
        if (until_ms >= 0 && left_ms <= 0)
            break;
        wait_on(&call->changed, &client->lock, left_ms);
    }
}

static void wait_driving(dreamapi_client *client, dreamapi_call *call, int64_t timeout_ms)
{
    int64_t until_ms = timeout_ms < 0 ? -1 : dream_settings_now_ms(&client->settings) + timeout_ms;

    while (!call->is_finished) {
        int64_t left_ms = until_ms < 0 ? -1 : until_ms - dream_settings_now_ms(&client->settings);
        if (until_ms >= 0 && left_ms <= 0)
            break;
        if (client->is_driven || client->is_closing) {
            wait_on(&client->role_changed, &client->lock, left_ms);
            continue;
        }
        take_role(client);
        drive(client, call, until_ms);
        leave_role(client);
    }
}

void dream_engine_wait_for(dreamapi_client *client, dreamapi_call *call, int64_t timeout_ms)
{
    if (client->has_worker)
        wait_for_worker(client, call, timeout_ms);
    else
        wait_driving(client, call, timeout_ms);
}

/* The worker may leave on is_closing with calls still in the inbox: they are cancelled here like the others. */
void dream_engine_close(dreamapi_client *client)
{
    dreamapi_call *call;
    bool is_cancel_wanted;

    pthread_mutex_lock(&client->lock);
    client->is_closing = true;
    dream_engine_wake(client);
    while (client->is_driven)
        pthread_cond_wait(&client->role_changed, &client->lock);
    client->is_driven = !client->has_worker;
    pthread_mutex_unlock(&client->lock);
    if (client->has_worker)
        pthread_join(client->worker, NULL);

    while ((call = take_from_inbox(client, &is_cancel_wanted)) != NULL) {
        dream_pipeline_cancel(call);
        dream_call_release(call);
    }
    dream_pipeline_close(client);
}
