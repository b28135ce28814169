/* SPDX-License-Identifier: Apache-2.0 */
/* fixture_rows.c - a fixture's rows, written through the same functions that requests and webhooks use, so that what a
 * fixture makes is what the service would have made: a subscription arrives as an event, a count has its days.
 * Runs on the store's writer thread, perhaps twice (store.h). */
#include "dreamapid/fixture_rows.h"

#include <stdio.h>

#include "service/store/audit.h"
#include "service/store/keys.h"

static const int64_t minute_ms = 60 * 1000;

/* Where the work is, for the message if it stops there. */
static void note(dreamd_fixture_rows *rows, const char *section, size_t number)
{
    (void)snprintf(rows->place, sizeof rows->place, "%s[%zu]", section, number);
}

static dreamd_db_status write_keys(dreamd_db *db, const dreamd_fixture_rows *rows, const dreamd_fixture_project *it)
{
    const dreamd_project *project = &it->project;
    const dreamd_new_key key = { project->platform_id, project->project_id, project->publishable_key, it->secret_key,
                                 rows->master_key };
    bool is_found = false;
    dreamd_db_status status = dreamd_key_insert(db, &key, rows->now_ms, NULL);
    if (status == DREAMD_DB_OK && it->is_revoked)
        status = dreamd_key_revoke(db, project->platform_id, project->publishable_key, NULL, rows->now_ms, &is_found);
    return status;
}

static dreamd_db_status write_project(dreamd_db *db, const dreamd_fixture_rows *rows, const dreamd_fixture_platform *of,
                                      const dreamd_fixture_project *it)
{
    const dreamd_audit_project made = { rows->actor, "fixture load", &it->project, it->tiers.count,
                                        of->is_stripe_connected ? of->accounts[it->project.mode].account_id : NULL };
    dreamd_db_status status = dreamd_project_insert(db, &it->project, rows->now_ms);
    if (status == DREAMD_DB_OK)
        status = write_keys(db, rows, it);
    for (size_t i = 0; i < it->tiers.count && status == DREAMD_DB_OK; i++)
        status = dreamd_tier_insert(db, &it->project, &it->tiers.tiers[i], rows->now_ms);
    if (status == DREAMD_DB_OK)
        status = dreamd_audit_note_project(db, &made, rows->now_ms);
    return status;
}

static dreamd_db_status write_platform(dreamd_db *db, const dreamd_fixture_rows *rows,
                                       const dreamd_fixture_platform *it)
{
    dreamd_db_status status = dreamd_platform_insert(db, &it->platform, rows->now_ms);
    for (int mode = 0; mode < DREAMD_MODES && it->is_stripe_connected && status == DREAMD_DB_OK; mode++)
        status = dreamd_stripe_account_put(db, it->platform.platform_id, (enum dreamd_mode)mode, &it->accounts[mode],
                                           rows->master_key, rows->now_ms);
    for (size_t i = 0; i < it->project_count && status == DREAMD_DB_OK; i++)
        status = write_project(db, rows, it, &it->projects[i]);
    return status;
}

static dreamd_db_status write_user(dreamd_db *db, const dreamd_fixture_rows *rows, const dreamd_fixture_user *it)
{
    bool is_found = false;
    dreamd_db_status status = dreamd_customer_put(db, it->project, &it->customer, rows->now_ms);
    if (status == DREAMD_DB_OK && it->customer.is_deleted)
        status = dreamd_customer_delete(db, it->project, it->customer.user_id, rows->now_ms, &is_found);
    return status;
}

static dreamd_db_status write_usage(dreamd_db *db, const dreamd_fixture_rows *rows, const dreamd_fixture_usage *it)
{
    const dreamd_customer customer = { .user_id = it->row.user_id, .plan = it->plan };
    dreamd_db_status status = dreamd_usage_put(db, it->project, &it->row, rows->now_ms);
    if (status == DREAMD_DB_OK && it->plan)
        status = dreamd_customer_put(db, it->project, &customer, rows->now_ms);
    return status;
}

static dreamd_db_status write_subscription(dreamd_db *db, const dreamd_fixture_rows *rows,
                                           const dreamd_fixture_subscription *it)
{
    const dreamd_event event = { .source = "import",
                                 .event_id = it->event_id,
                                 .type = "customer.subscription.updated",
                                 .created_s = it->created_s,
                                 .payload = NULL,
                                 .project = it->project,
                                 .subscription = &it->subscription };
    dreamd_event_outcome outcome = DREAMD_EVENT_APPLIED;
    dreamd_db_status status = dreamd_event_apply(db, &event, rows->now_ms, &outcome);
    return status == DREAMD_DB_OK && outcome != DREAMD_EVENT_APPLIED ? DREAMD_DB_CONFLICT : status;
}

/* In the running minute and in the next: a test that begins at the end of a minute finds the count all the same. */
static dreamd_db_status write_rate(dreamd_db *db, const dreamd_fixture_rows *rows, const dreamd_fixture_rate *it)
{
    dreamd_db_status status = dreamd_customer_ensure(db, it->project, it->user_id, NULL, rows->now_ms);
    for (int64_t minutes = 0; minutes < 2; minutes++) {
        const dreamd_usage_request request = { .project = it->project,
                                               .user_id = it->user_id,
                                               .now_ms = rows->now_ms + minutes * minute_ms };
        dreamd_usage_result result;
        for (int64_t i = 0; i < it->requests_this_minute && status == DREAMD_DB_OK; i++)
            status = dreamd_rate_take(db, &request, &result);
    }
    return status;
}

/* Users come first: what follows makes those that are missing. */
static dreamd_db_status write_rows(dreamd_db *db, dreamd_fixture_rows *rows)
{
    const dreamd_fixture *fixture = rows->fixture;
    dreamd_db_status status = DREAMD_DB_OK;
    for (size_t i = 0; i < fixture->user_count && status == DREAMD_DB_OK; i++) {
        note(rows, "users", i);
        status = write_user(db, rows, &fixture->users[i]);
    }
    for (size_t i = 0; i < fixture->usage_count && status == DREAMD_DB_OK; i++) {
        note(rows, "usage", i);
        status = write_usage(db, rows, &fixture->usage[i]);
    }
    for (size_t i = 0; i < fixture->subscription_count && status == DREAMD_DB_OK; i++) {
        note(rows, "subscriptions", i);
        status = write_subscription(db, rows, &fixture->subscriptions[i]);
    }
    for (size_t i = 0; i < fixture->rate_count && status == DREAMD_DB_OK; i++) {
        note(rows, "rates", i);
        status = write_rate(db, rows, &fixture->rates[i]);
    }
    return status;
}

dreamd_db_status dreamd_fixture_write(dreamd_db *db, void *arg)
{
    dreamd_fixture_rows *rows = arg;
    dreamd_db_status status = DREAMD_DB_OK;
    for (size_t i = 0; i < rows->fixture->platform_count && status == DREAMD_DB_OK; i++) {
        note(rows, "platforms", i);
        status = write_platform(db, rows, &rows->fixture->platforms[i]);
    }
    return status == DREAMD_DB_OK ? write_rows(db, rows) : status;
}
