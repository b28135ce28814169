/* SPDX-License-Identifier: Apache-2.0 */
/* profiles.h - what the identity provider's events say about users: recorded once, applied if not older than what was applied
 * to that user before. The payload is not kept: it is personal data, and what is needed of it is in the customer's row.
 * The rules of model.h hold. */
#ifndef DREAMD_SERVICE_STORE_PROFILES_H
#define DREAMD_SERVICE_STORE_PROFILES_H

#include "net/db.h"
#include "service/store/subscriptions.h"

typedef struct dreamd_profile_event {
    enum dreamd_mode mode;
    const char *event_id;
    const char *type;            /* "user.updated" */
    int64_t at_ms;               /* the provider's time of the change */
    const char *user_id;         /* NULL: of nobody; recorded only */
    const char *publishable_key; /* NULL: names no project; recorded only */
    const char *email;           /* NULL: has none */
    const char *first_name;
    const char *last_name;
    const char *plan; /* kept only where the store has none; NULL: none */
    int64_t created_at_ms;
    bool
        is_deleted; /* the user is gone: every project of the mode that knows it keeps a tombstone, and none gets it later */
} dreamd_profile_event;

dreamd_db_status dreamd_profile_apply(dreamd_db *db, const dreamd_profile_event *event, int64_t now_ms,
                                      dreamd_event_outcome *out);

#endif
