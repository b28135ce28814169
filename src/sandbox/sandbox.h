/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.h - stand-ins for Clerk and Stripe on loopback ports, in this process.
 *
 * Six servers that speak those services' real wire protocols: Stripe, the developers' Clerk app and the end users'
 * Clerk app, each as a live and a test instance. All state and signing keys live in one SQLite file and are read from
 * it at each request, so a kill -9 loses nothing and two processes may run a sandbox over the same file. The service
 * knows none of this: it gets base URLs and keys, as it would from the real ones. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "net/metrics.h"

enum sandbox_mode { SANDBOX_LIVE, SANDBOX_TEST, SANDBOX_MODES };
enum sandbox_service { SANDBOX_STRIPE, SANDBOX_CLERK_PLATFORM, SANDBOX_CLERK_END_USER, SANDBOX_SERVICES };

typedef struct sandbox sandbox;

typedef struct sandbox_options {
    const char *path; /* the state's SQLite file, made if absent; copied */
    uint16_t
        first_port; /* the six servers take this port and the next five, in the order service, mode; 0: free ports */
    dreamd_metrics *metrics; /* may be NULL */
    const char *
        webhook_pin; /* the public key of webhook URLs that are https (see net/http_client.h); NULL: as usual; copied */
} sandbox_options;

typedef struct sandbox_endpoint {
    char url[64];            /* "http://127.0.0.1:PORT" */
    char secret_key[96];     /* sk_live_... / sk_test_... */
    char webhook_secret[96]; /* whsec_... */
} sandbox_endpoint;

/* NULL with a sentence in `error` when it cannot start. */
sandbox *sandbox_start(const sandbox_options *options, char error[256]);
const sandbox_endpoint *sandbox_endpoint_of(const sandbox *box, enum sandbox_service service, enum sandbox_mode mode);
/* Where the events of this service and mode are delivered, signed with the endpoint's webhook secret (by Stripe's
 * scheme or, at Clerk, svix's) and tried again until a 2xx; replaces the earlier list; may be called while running.
 * `urls` is NULL-terminated, copied. */
bool sandbox_set_webhook_urls(sandbox *box, enum sandbox_service service, enum sandbox_mode mode,
                              const char *const *urls);
/* Undelivered events stay in the file and go out at the next start. NULL is fine. */
void sandbox_stop(sandbox *box, int64_t drain_ms);

#endif
