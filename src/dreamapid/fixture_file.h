/* SPDX-License-Identifier: Apache-2.0 */
/* fixture_file.h - a described state of the service (platforms, projects, tiers, users, usage, subscriptions), read from
 * JSON into the store's terms. Nothing is written here: that is fixture_rows.c. */
#ifndef DREAMAPID_FIXTURE_FILE_H
#define DREAMAPID_FIXTURE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/json.h"
#include "dreamapid/placeholders.h"
#include "dreamapid/tiers_file.h"
#include "service/store/customers.h"
#include "service/store/subscriptions.h"
#include "service/store/tenants.h"
#include "service/store/usage.h"

typedef struct dreamd_fixture_project {
    dreamd_project project; /* complete, the platform's billing included */
    const char *secret_key;
    bool is_revoked;
    dreamd_tier_set tiers;
} dreamd_fixture_project;

typedef struct dreamd_fixture_platform {
    dreamd_platform platform;
    bool is_stripe_connected;
    dreamd_stripe_account accounts[DREAMD_MODES];
    dreamd_fixture_project *projects;
    size_t project_count;
} dreamd_fixture_platform;

typedef struct dreamd_fixture_user {
    const dreamd_project *project;
    dreamd_customer customer; /* is_deleted counts as an input here */
} dreamd_fixture_user;

typedef struct dreamd_fixture_usage {
    const dreamd_project *project;
    dreamd_usage_row row;
    const char *plan; /* NULL: none given */
} dreamd_fixture_usage;

typedef struct dreamd_fixture_subscription {
    const dreamd_project *project;
    dreamd_subscription subscription;
    char event_id[48]; /* the row arrives as an event, as every subscription does */
    int64_t created_s;
} dreamd_fixture_subscription;

typedef struct dreamd_fixture_rate {
    const dreamd_project *project;
    const char *user_id;
    int64_t requests_this_minute;
} dreamd_fixture_rate;

typedef struct dreamd_fixture {
    dreamd_placeholders placeholders;
    dreamd_fixture_platform *platforms;
    dreamd_fixture_user *users;
    dreamd_fixture_usage *usage;
    dreamd_fixture_subscription *subscriptions;
    dreamd_fixture_rate *rates;
    size_t platform_count, user_count, usage_count, subscription_count, rate_count;
} dreamd_fixture;

/* `document` is the fixture itself or an object that has it under "fixture"; its placeholders are replaced in place, and
 * results borrow from it and from `arena`. False with a sentence in `error`. Clear it in both cases. */
bool dreamd_fixture_read(cJSON *document, int64_t now_ms, dream_arena *arena, dreamd_fixture *out, char error[256]);
void dreamd_fixture_clear(dreamd_fixture *fixture);

/* "active", "no record", "canceled, grace ended 13 days ago", "canceled, 5 days of grace left": into status and period end. */
bool dreamd_fixture_read_billing(const char *prose, int64_t now_ms, dreamd_platform *out);

#endif
