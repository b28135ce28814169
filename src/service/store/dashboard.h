/* SPDX-License-Identifier: Apache-2.0 */
/* dashboard.h - what a developer's overview shows beside customers (customer_list.h), sums (totals.h) and tiers: the platform's
 * keys, its Stripe account, the last webhooks. All bounded. The rules of model.h hold; results live in the arena. */
#ifndef DREAMD_SERVICE_STORE_DASHBOARD_H
#define DREAMD_SERVICE_STORE_DASHBOARD_H

#include <stddef.h>

#include "common/arena.h"
#include "net/db.h"
#include "service/store/model.h"

enum { DREAMD_SHOWN_KEYS_MAX = 500, DREAMD_SHOWN_EVENTS_MAX = 10, DREAMD_SHOWN_PAYLOAD_MAX = 65536 };

typedef struct dreamd_shown_key {
    const char *publishable_key;
    const char *project_id;
    const char *project_name;
    const char *project_type;
    bool is_active; /* one of its secret keys is */
    int64_t created_at_ms;
} dreamd_shown_key;

typedef struct dreamd_shown_event {
    const char *type;
    const char *payload; /* NULL: not kept, or larger than DREAMD_SHOWN_PAYLOAD_MAX */
    int64_t recorded_at_ms;
} dreamd_shown_event;

typedef struct dreamd_overview {
    dreamd_shown_key *keys; /* of the platform in the project's mode, oldest first */
    size_t key_count;
    dreamd_shown_event *events; /* of Stripe, about the project, newest first */
    size_t event_count;
    const char *stripe_account_id; /* NULL: none connected */
} dreamd_overview;

dreamd_db_status dreamd_overview_read(dreamd_db *db, const dreamd_project *project, dream_arena *arena,
                                      dreamd_overview *out);

#endif
