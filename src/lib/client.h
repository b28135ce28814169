/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - the client's state and who may touch it.
 *
 * One thread at a time is the client's driver: its own worker thread, or with
 * threads = 0 whoever is inside perform or a blocking wait. The driver owns all
 * that moves calls along (pipeline.c) and needs no lock for it. The lock guards only what other
 * threads hand over: the inbox, the list of finished calls, and the ends of calls.
 *
 * The lock is held for a few assignments (and a write to an eventfd), never over a transport's
 * function or a callback, and no other lock is taken under it.
 *
 *   other threads --inbox--> driver: engine.c -> pipeline.c -> transport
 *   other threads <--finished list, call->changed-- driver */
#ifndef DREAM_LIB_CLIENT_H
#define DREAM_LIB_CLIENT_H

#include <dreamapi/client.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lib/exchange.h"
#include "lib/extensions.h"
#include "lib/rate_cache.h"
#include "lib/retry.h"
#include "lib/settings.h"
#include "lib/signer.h"
#include "lib/tier_cache.h"
#include "lib/timers.h"

struct dream_metering;
struct dream_verifier;

struct dreamapi_client {
    atomic_uint holds; /* the caller's handle, each call and each meter */

    /* Made at the first use of a meter; metering_lock is held over opening the journal, and no other lock under it. */
    _Atomic(struct dream_metering *) metering;
    pthread_mutex_t metering_lock;
    bool is_metering_borrowed;       /* in a forked child: of the client that was inherited */
    dream_tier_cache tiers;          /* has a lock of its own */
    struct dream_verifier *verifier; /* NULL without a source of keys; has a lock of its own */

    /* Fixed. */
    pid_t pid;
    dream_settings settings;
    char *health_url;
    int transport_fd; /* -1 if it has none */
    int engine_fd;    /* epoll over transport_fd and wake_fd: what the driver waits on */
    int wake_fd;      /* eventfd: the inbox has something */
    int done_fd;      /* eventfd: the list of finished calls is not empty */
    int host_fd;      /* epoll over engine_fd and done_fd, for a host's loop; -1 with a thread */
    bool has_worker;
    pthread_t worker;

    /* Guarded by lock. */
    pthread_mutex_t lock;
    pthread_cond_t role_changed; /* threads = 0: the driver left, or a call ended */
    bool is_driven;              /* threads = 0: somebody is the driver */
    bool is_closing;
    bool is_woken; /* wake_fd was written and not yet read */
    dreamapi_call *inbox_first;
    dreamapi_call *inbox_last;
    dreamapi_call *finished_first;
    dreamapi_call *finished_last;
    int64_t next_due_ms; /* when the driver wants to work next; -1 never */

    /* The driver is at work, so its state may be half changed: read in a forked child. */
    atomic_bool is_busy;

    /* The driver's. */
    void *transport; /* the instance */
    size_t exchanges_under_way;
    dream_exchange_queue ended;
    dream_timers timers;
    dream_retry_budget budget;
    dream_rate_cache *rates;
    dreamapi_call *live_first; /* admitted and not finished, oldest first */
    dreamapi_call *live_last;
    dream_nonces nonces;
    dream_extensions extensions;
    dreamapi_exchange probe;
    dream_timer probe_timer;
    bool is_probing;
    bool is_probe_repeated;
    dreamapi_failure probe_failure; /* why the last one got no answer, and in words */
    char probe_problem[160];
};

/* DREAMAPI_INVALID for NULL, DREAMAPI_FORKED in a child of the process that made the client. */
dreamapi_status dream_client_check(const dreamapi_client *client, dreamapi_error *error);
bool dream_client_is_foreign(const dreamapi_client *client); /* made by another process */
/* A client like this one, for a forked child. */
dreamapi_status dream_client_clone(const dreamapi_client *client, dreamapi_client **out_client);
void dream_client_hold(dreamapi_client *client);
void dream_client_release(dreamapi_client *client);

/* The list of finished calls. The lock is held. */
void dream_client_list(dreamapi_client *client, dreamapi_call *call);
void dream_client_unlist(dreamapi_client *client, dreamapi_call *call);

#endif
