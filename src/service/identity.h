/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - who is behind an end user's token: verifies it with the signing keys of the identity instance of a mode.
 *
 * Keys are fetched from the instance, by one transfer at a time, and kept per mode: a token of the test instance never passes
 * for a live project, whatever was verified before. How old keys may be is common/verifier.h. */
#ifndef DREAMD_SERVICE_IDENTITY_H
#define DREAMD_SERVICE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/verifier.h"
#include "service/provider/upstream.h"
#include "service/settings.h"

typedef struct dreamd_identity dreamd_identity;

typedef enum dreamd_identity_status {
    DREAMD_IDENTITY_OK = 0,
    DREAMD_IDENTITY_INVALID,    /* the token: `message` says why */
    DREAMD_IDENTITY_UNAVAILABLE /* no keys to check with: the provider is down or not configured, or out of memory */
} dreamd_identity_status;

/* `claims` is taken by the callback (dream_claims_unref); NULL unless the status is OK. `message` is borrowed. */
typedef void dreamd_identity_fn(void *context, dreamd_identity_status status, dream_claims *claims,
                                const char *message);

/* Where keys come from and what time it is: replaceable in tests. */
typedef struct dreamd_identity_world {
    void (*fetch_keys)(void *world, enum dreamd_mode mode, dreamd_upstream_fn *fn, void *context);
    int64_t (*monotonic_ms)(void *world);
    int64_t (*wall_ms)(void *world);
    void *world;
} dreamd_identity_world;

/* NULL when out of memory. `upstream` is borrowed for the identity's life. */
dreamd_identity *dreamd_identity_new(dreamd_upstream *upstream);
dreamd_identity *dreamd_identity_new_in(const dreamd_identity_world *world);
/* No verification and no fetch may be under way (stop the upstream first). NULL is fine. */
void dreamd_identity_free(dreamd_identity *identity);

/* Calls `fn` exactly once: before returning if keys are at hand, else when they were fetched. `token` is borrowed until then. */
void dreamd_identity_verify(dreamd_identity *identity, enum dreamd_mode mode, const char *token, dreamd_identity_fn *fn,
                            void *context);

#endif
