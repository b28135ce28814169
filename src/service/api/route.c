/* SPDX-License-Identifier: Apache-2.0 */
/* route.c - the table of endpoints and the look-up in it. Paths compare byte by byte: a trailing slash is another path. */
#include "service/api/route.h"

#include <string.h>

#include "service/api/handlers.h"

enum {
    PUBLIC_USER = DREAMD_ROUTE_PUBLISHABLE | DREAMD_ROUTE_SELECTS | DREAMD_ROUTE_USER,
    PUBLIC_USER_POST = PUBLIC_USER | DREAMD_ROUTE_IDEMPOTENT
};

static const dreamd_route routes[] = {
    { "GET /api/tiers", "GET", "/api/tiers", DREAMD_ROUTE_PUBLISHABLE | DREAMD_ROUTE_SELECTS, dreamd_tiers_list },
    { "GET /api/usage", "GET", "/api/usage", PUBLIC_USER, dreamd_usage_get },
    { "POST /api/data", "POST", "/api/data", PUBLIC_USER_POST, dreamd_usage_track },
    { "POST /api/create-checkout", "POST", "/api/create-checkout", PUBLIC_USER_POST, dreamd_checkout_create },
    { "POST /checkout", "POST", "/checkout", DREAMD_ROUTE_NAMED_USER | DREAMD_ROUTE_IDEMPOTENT,
      dreamd_checkout_create },
    { "POST /api/customer-portal", "POST", "/api/customer-portal", PUBLIC_USER_POST, dreamd_portal_create },
    { "GET /api/products", "GET", "/api/products", DREAMD_ROUTE_PUBLISHABLE | DREAMD_ROUTE_SELECTS,
      dreamd_products_list },
    { "POST /api/cart/checkout", "POST", "/api/cart/checkout",
      DREAMD_ROUTE_PUBLISHABLE | DREAMD_ROUTE_SELECTS | DREAMD_ROUTE_IDEMPOTENT, dreamd_cart_checkout },
    { "POST /api/assets", "POST", "/api/assets", DREAMD_ROUTE_IDEMPOTENT, dreamd_asset_upload },
    { "POST /api/usage/batch", "POST", "/api/usage/batch", DREAMD_ROUTE_IDEMPOTENT, dreamd_usage_batch },
    { "POST /api/leases", "POST", "/api/leases", 0, dreamd_leases },
    { "GET /api/usage/history", "GET", "/api/usage/history", 0, dreamd_usage_history },
    { "GET /api/dashboard", "GET", "/api/dashboard", DREAMD_ROUTE_SELECTS, dreamd_dashboard_get },
    { "GET /api/dashboard/totals", "GET", "/api/dashboard/totals", 0, dreamd_dashboard_totals },
    { "GET /api/customers", "GET", "/api/customers", 0, dreamd_customers_list },
    { "POST /api/customers", "POST", "/api/customers", DREAMD_ROUTE_IDEMPOTENT, dreamd_customer_create },
    { "POST /customers", "POST", "/customers", DREAMD_ROUTE_IDEMPOTENT, dreamd_customer_create },
    { "GET /api/customers/{id}", "GET", "/api/customers/*", 0, dreamd_customer_get },
    { "PATCH /api/customers/{id}", "PATCH", "/api/customers/*", 0, dreamd_customer_update },
    { "DELETE /api/customers/{id}", "DELETE", "/api/customers/*", 0, dreamd_customer_remove },
};

/* The rest of `path` behind the pattern's "*"; NULL if it does not match or is no single part. */
static const char *match_tail(const char *pattern, const char *path)
{
    size_t size = strlen(pattern) - 1;
    const char *tail = path + size;

    if (strncmp(pattern, path, size) != 0 || *tail == '\0' || strchr(tail, '/'))
        return NULL;
    return tail;
}

static bool match(const dreamd_route *route, const char *path, const char **out_tail)
{
    size_t size = strlen(route->path);

    *out_tail = NULL;
    if (route->path[size - 1] != '*')
        return strcmp(route->path, path) == 0;
    *out_tail = match_tail(route->path, path);
    return *out_tail != NULL;
}

const dreamd_route *dreamd_route_find(const char *method, const char *path, const char **out_tail)
{
    const char *tail = NULL;

    if (out_tail)
        *out_tail = NULL;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].method, method) != 0 || !match(&routes[i], path, &tail))
            continue;
        if (out_tail)
            *out_tail = tail;
        return &routes[i];
    }
    return NULL;
}

const dreamd_route *dreamd_routes(size_t *out_count)
{
    *out_count = sizeof routes / sizeof routes[0];
    return routes;
}
