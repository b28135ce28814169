/* SPDX-License-Identifier: Apache-2.0 */
/* service.c - starts and stops the hosted service: the API's server and the operator's over one shared context.
 *
 * Order of the end: /ready turns red; the API's server drains; the upstream fails what is still under way; the last handlers
 * run out (their requests were answered with 503, but their store work is not torn); then everything is released. The
 * operator's server answers to the last. */
#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/http_server.h"
#include "service/admin.h"
#include "service/api/handlers.h"
#include "service/api/router.h"
#include "service/context.h"
#include "service/lease_sweeper.h"
#include "service/store/leases.h"

struct dreamd_service {
    dreamd_context context;
    bool has_locks;
    dreamd_http_server *api;
    dreamd_http_server *admin;
    dreamd_lease_sweeper *sweeper;
};

static bool make_context(dreamd_service *service, const dreamd_service_options *options)
{
    dreamd_context *context = &service->context;

    context->settings = options->settings;
    context->store = options->store;
    context->metrics = options->metrics;
    if (pthread_mutex_init(&context->mutex, NULL) != 0)
        return false;
    if (pthread_cond_init(&context->is_idle, NULL) != 0) {
        pthread_mutex_destroy(&context->mutex);
        return false;
    }
    service->has_locks = true;
    context->lanes = dreamd_lanes_new();
    context->throttle = dreamd_throttle_new();
    context->throttled = dreamd_metrics_counter(options->metrics, "dreamapid_throttled_total",
                                                "Requests refused for failing, or asking for carts, too often.", "");
    context->upstream = dreamd_upstream_new(options->settings, options->metrics);
    if (context->upstream)
        context->identity = dreamd_identity_new(context->upstream);
    return context->lanes && context->throttle && context->identity;
}

static dreamd_db_status note_lease_terms(dreamd_db *db, void *arg)
{
    return dreamd_lease_terms_note(db, arg);
}

/* Before the first lease is granted: a restore must know how long leases may run on. */
static bool start_leases(dreamd_service *service, char error[256])
{
    const dreamd_settings *settings = service->context.settings;
    dreamd_lease_terms terms = { settings->lease_ttl_ms, settings->lease_grace_ms,
                                 (int32_t)settings->lease_close_days };

    if (dreamd_store_write_now(service->context.store, note_lease_terms, &terms) != DREAMD_DB_OK) {
        (void)snprintf(error, 256, "Cannot write to the database");
        return false;
    }
    service->sweeper = dreamd_lease_sweeper_start(service->context.store, settings->lease_grace_ms);
    if (!service->sweeper)
        (void)snprintf(error, 256, "Cannot start the thread that looks after leases");
    return service->sweeper != NULL;
}

dreamd_service *dreamd_service_start(const dreamd_service_options *options, char error[256])
{
    dreamd_service *service = calloc(1, sizeof *service);
    dreamd_http_server_options api = {
        .name = "api",
        .listen = options->listen_api,
        .tls = options->tls,
        .proxies = options->proxies,
        .is_large = dreamd_asset_is_upload,
        .max_large_body = dreamd_asset_max_body(),
        .admit_large = dreamd_api_admit,
        .handler = dreamd_api_handle,
        .metrics = options->metrics,
        .is_logged = true,
    };
    dreamd_http_server_options admin = {
        .name = "admin",
        .listen = options->listen_admin,
        .threads = 1,
        .max_connections = 64,
        .handler = dreamd_admin_handle,
    };

    if (!service || !make_context(service, options)) {
        (void)snprintf(error, 256, "Not enough memory to start the service");
        dreamd_service_stop(service, 0);
        return NULL;
    }
    if (options->assets_folder) {
        service->context.assets = dreamd_asset_files_open(options->assets_folder, error);
        if (!service->context.assets) {
            dreamd_service_stop(service, 0);
            return NULL;
        }
    }
    if (!start_leases(service, error)) {
        dreamd_service_stop(service, 0);
        return NULL;
    }
    api.context = &service->context;
    admin.context = &service->context;
    service->admin = dreamd_http_server_start(&admin, error);
    if (service->admin)
        service->api = dreamd_http_server_start(&api, error);
    if (!service->api) {
        dreamd_service_stop(service, 0);
        return NULL;
    }
    return service;
}

const char *dreamd_service_api_url(const dreamd_service *service)
{
    return dreamd_http_server_url(service->api);
}

const char *dreamd_service_admin_url(const dreamd_service *service)
{
    return dreamd_http_server_url(service->admin);
}

void dreamd_service_stop(dreamd_service *service, int64_t drain_ms)
{
    dreamd_context *context = NULL;

    if (!service)
        return;
    context = &service->context;
    atomic_store(&context->is_draining, true);
    dreamd_http_server_stop(service->api, drain_ms);
    if (context->upstream)
        dreamd_upstream_stop(context->upstream);
    if (service->has_locks)
        dreamd_context_wait_idle(context);
    dreamd_lease_sweeper_stop(service->sweeper);
    dreamd_http_server_stop(service->admin, 1000);
    dreamd_asset_files_close(context->assets);
    dreamd_identity_free(context->identity);
    dreamd_upstream_free(context->upstream);
    dreamd_lanes_free(context->lanes);
    dreamd_throttle_free(context->throttle);
    if (service->has_locks) {
        pthread_cond_destroy(&context->is_idle);
        pthread_mutex_destroy(&context->mutex);
    }
    free(service);
}
