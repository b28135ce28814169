/* SPDX-License-Identifier: Apache-2.0 */
/* context.h - what every handler of the service shares. Made by service.c at start, immutable but for the count of
 * requests in hand, which service.c waits on before it takes anything away. Any thread. */
#ifndef DREAMD_SERVICE_CONTEXT_H
#define DREAMD_SERVICE_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "net/metrics.h"
#include "service/api/lanes.h"
#include "service/api/throttle.h"
#include "service/asset_files.h"
#include "service/identity.h"
#include "service/provider/upstream.h"
#include "service/settings.h"
#include "service/store/store.h"

typedef struct dreamd_context {
    const dreamd_settings *settings;
    dreamd_store *store;
    dreamd_metrics *metrics;
    dreamd_upstream *upstream;
    dreamd_identity *identity;
    dreamd_lanes *lanes;
    dreamd_throttle *throttle; /* NULL: nothing is limited (api/limits.h) */
    dreamd_metric *throttled;
    dreamd_asset_files *assets; /* NULL: this service keeps none */
    atomic_bool is_draining;
    /* Monotonic time until which no email is looked up, after a look-up that failed. */
    atomic_llong email_pause_until_ms;
    pthread_mutex_t mutex;
    pthread_cond_t is_idle;
    unsigned long in_hand; /* requests begun and not answered; under `mutex` */
} dreamd_context;

void dreamd_context_enter(dreamd_context *context);
void dreamd_context_leave(dreamd_context *context);
void dreamd_context_wait_idle(dreamd_context *context);

#endif
