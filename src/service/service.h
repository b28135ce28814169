/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - the hosted service as a library: dreamapid starts it, tests may embed it. */
#ifndef DREAMD_SERVICE_SERVICE_H
#define DREAMD_SERVICE_SERVICE_H

#include <stdint.h>

#include "net/http_proxy.h"
#include "net/http_tls.h"
#include "net/metrics.h"
#include "service/settings.h"
#include "service/store/store.h"

typedef struct dreamd_service dreamd_service;

typedef struct dreamd_service_options {
    const dreamd_settings *settings; /* borrowed for the service's life */
    dreamd_store *store;             /* borrowed for the service's life */
    dreamd_metrics *metrics;         /* borrowed for the service's life */
    const char *listen_api;          /* "ADDR:PORT" */
    const char *listen_admin;        /* /metrics, /health (alive), /ready (store answers, not draining) */
    const char *assets_folder;       /* where uploaded files are; made if absent; NULL: none are taken */
    const dreamd_tls *tls;           /* of the API; borrowed during the start; NULL: plain HTTP */
    const dreamd_proxies *proxies;   /* whose word about clients counts; borrowed for the service's life; may be NULL */
} dreamd_service_options;

/* NULL with a sentence in `error`. */
dreamd_service *dreamd_service_start(const dreamd_service_options *options, char error[256]);
const char *dreamd_service_api_url(const dreamd_service *service);
const char *dreamd_service_admin_url(const dreamd_service *service);
/* Turns /ready red, stops accepting, finishes what is in hand for at most `drain_ms`, ends. NULL is fine. */
void dreamd_service_stop(dreamd_service *service, int64_t drain_ms);

#endif
