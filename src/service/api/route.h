/* SPDX-License-Identifier: Apache-2.0 */
/* route.h - the API's endpoints as data: method, path, who may call, what the router settles before the handler. */
#ifndef DREAMD_API_ROUTE_H
#define DREAMD_API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dreamd_call dreamd_call;

enum dreamd_route_flags {
    DREAMD_ROUTE_PUBLISHABLE = 1 << 0, /* a publishable key is enough */
    DREAMD_ROUTE_SELECTS = 1 << 1,     /* a secret key may name a sibling project by its publishable key */
    DREAMD_ROUTE_USER = 1 << 2,        /* acts for an end user: token, or userId beside a secret key */
    DREAMD_ROUTE_NAMED_USER = 1 << 3,  /* acts for the user in the body, no token read */
    DREAMD_ROUTE_IDEMPOTENT = 1 << 4   /* honours Idempotency-Key */
};

typedef struct dreamd_route {
    const char *name; /* for metrics: "GET /api/customers/{id}" */
    const char *method;
    const char *path; /* a final "*" stands for one more part of the path, not empty */
    unsigned flags;
    void (*handler)(dreamd_call *call);
} dreamd_route;

/* NULL if there is none. `out_tail` (may be NULL) gets where the "*" begins in `path`, else NULL. */
const dreamd_route *dreamd_route_find(const char *method, const char *path, const char **out_tail);
/* The table, for tests and documentation. */
const dreamd_route *dreamd_routes(size_t *out_count);

#endif
