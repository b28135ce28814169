/* SPDX-License-Identifier: Apache-2.0 */
/* cors.c - the table of constant headers, as the contract has them. */
#include "service/api/cors.h"

#include <stddef.h>

enum { ALLOW_ORIGIN, AFTER_ORIGIN };

/* The first is left out where a request names its origin. */
static const dreamd_constant_header headers[] = {
    [ALLOW_ORIGIN] = { "Access-Control-Allow-Origin", "*" },
    { "Access-Control-Allow-Credentials", "true" },
    { "Access-Control-Allow-Headers", "Content-Type, Authorization, X-Platform-User-Id, X-User-Id, X-User-Plan, X-Env, "
                                      "X-Publishable-Key, X-Clerk-Token" },
    { "Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE, OPTIONS" },
    { "Access-Control-Max-Age", "86400" },
    { "Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload" },
    { "Content-Security-Policy",
      "default-src 'self'; script-src 'self' 'unsafe-inline' https://*.clerk.accounts.dev https://js.stripe.com; "
      "style-src 'self' 'unsafe-inline' https://*.clerk.accounts.dev; img-src 'self' data: https://*.clerk.com "
      "https://*.clerk.accounts.dev; connect-src 'self' https://*.clerk.accounts.dev https://api.clerk.com "
      "https://api.stripe.com https://*.workers.dev; font-src 'self' https://*.clerk.accounts.dev; frame-src 'self' "
      "https://*.clerk.accounts.dev https://checkout.stripe.com https://js.stripe.com; object-src 'none'; "
      "base-uri 'self'" },
    { "Permissions-Policy", "camera=(), microphone=(), geolocation=(), interest-cohort=()" },
    { "Referrer-Policy", "strict-origin-when-cross-origin" },
    { "X-Content-Type-Options", "nosniff" },
    { "X-Frame-Options", "SAMEORIGIN" },
    { NULL, NULL },
};

const dreamd_constant_header *dreamd_cors_headers(const char *origin)
{
    return origin && *origin ? headers + AFTER_ORIGIN : headers;
}

void dreamd_cors_set(dreamd_request *request)
{
    const char *origin = dreamd_request_header(request, "Origin");

    /* Without one, as backends ask, all headers are constant: then the server need not put them together each time. */
    if (origin && *origin)
        (void)dreamd_request_set_header(request, headers[ALLOW_ORIGIN].name, origin);
    dreamd_request_set_constant_headers(request, dreamd_cors_headers(origin));
}
