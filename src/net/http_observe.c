/* SPDX-License-Identifier: Apache-2.0 */
/* http_observe.c - what is counted and logged of a request once its answer is out.
 * Series are made when a route is first seen and found again by the route's address. Their number is bounded: a handler
 * that, by mistake, made routes from paths would fill a table, not the memory. Nothing of the query, the headers or the
 * bodies is logged. */
#include "net/http_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/log.h"

enum { PATH_SHOWN = 256 };

static const char *const class_names[] = { "0xx", "1xx", "2xx", "3xx", "4xx", "5xx" };

int64_t dreamd_monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static dreamd_route_series *series_of(dreamd_http_server *server, const char *route)
{
    for (size_t i = 0; route && i < DREAMD_ROUTES_MAX; i++) {
        dreamd_route_series *series = &server->routes[i];
        if (!series->route)
            series->route = route;
        if (series->route == route)
            return series;
    }
    server->other.route = "other";
    return &server->other;
}

static void make_seconds(dreamd_http_server *server, dreamd_route_series *series)
{
    char labels[320];
    (void)snprintf(labels, sizeof labels, "server=\"%s\",route=\"%.200s\"", server->name, series->route);
    series->seconds = dreamd_metrics_histogram(server->metrics, "dreamapid_http_request_seconds",
                                               "Time from a complete request to its last answered byte.", labels);
}

static dreamd_metric *make_class(dreamd_http_server *server, const dreamd_route_series *series, unsigned class)
{
    char labels[320];
    (void)snprintf(labels, sizeof labels, "server=\"%s\",route=\"%.200s\",status=\"%s\"", server->name, series->route,
                   class_names[class]);
    return dreamd_metrics_counter(server->metrics, "dreamapid_http_requests_total", "Requests answered.", labels);
}

void dreamd_observe_start(dreamd_http_server *server)
{
    dreamd_metric_add(server->in_flight, 1);
}

void dreamd_observe_leave(dreamd_http_server *server)
{
    dreamd_metric_add(server->in_flight, -1);
}

void dreamd_observe_finish(dreamd_http_server *server, const dreamd_request *request, int64_t elapsed_us)
{
    if (!server->metrics)
        return;
    dreamd_route_series *series = series_of(server, atomic_load_explicit(&request->route, memory_order_acquire));
    unsigned class = request->status / 100;
    if (class >= sizeof class_names / sizeof class_names[0])
        class = 0;
    if (!series->seconds)
        make_seconds(server, series);
    if (!series->classes[class])
        series->classes[class] = make_class(server, series, class);
    dreamd_metric_add(series->classes[class], 1);
    dreamd_metric_observe_us(series->seconds, elapsed_us);
}

/* What begins with "sk_" is a secret key here, at Clerk and at Stripe, and some client will put one where a name belongs. */
static const char *loggable_path(const dreamd_request *request, char out[PATH_SHOWN])
{
    const char *key = strstr(request->path, "/sk_");
    if (!key)
        return request->path;
    size_t size = (size_t)(key - request->path);
    (void)snprintf(out, PATH_SHOWN, "%.*s/sk_...", (int)(size < PATH_SHOWN / 2 ? size : PATH_SHOWN / 2), request->path);
    return out;
}

void dreamd_observe_log(const dreamd_http_server *server, const dreamd_request *request, int64_t elapsed_us)
{
    char path[PATH_SHOWN];
    if (!server->is_logged)
        return;
    dreamd_log(DREAMD_LOG_INFO, "request", dreamd_log_text("server", server->name),
               dreamd_log_text("method", request->method), dreamd_log_text("path", loggable_path(request, path)),
               dreamd_log_int("status", request->status), dreamd_log_int("us", elapsed_us),
               dreamd_log_text("request_id", request->id), dreamd_log_text("remote", request->remote));
}
