/* SPDX-License-Identifier: Apache-2.0 */
/* metering.c - a client's metering: made at the first use (at once, when a journal is named), let go at the end. */
#include "lib/meter/metering.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/rule.h"
#include "common/timefmt.h"
#include "lib/engine.h"
#include "lib/error.h"

enum { NS_PER_MS = 1000000, CLOSE_SLICE_MS = 20 };

void dream_metering_wake(dream_metering *metering)
{
    dreamapi_client *client = metering->client;

    atomic_store(&metering->is_wanted, true);
    pthread_mutex_lock(&client->lock);
    dream_engine_wake(client);
    pthread_mutex_unlock(&client->lock);
}

static dreamapi_status make(dreamapi_client *client, dream_metering **out_metering, dreamapi_error *error)
{
    dream_metering *metering = calloc(1, sizeof(*metering));
    dreamapi_status status;

    if (metering == NULL)
        return dream_error_nomem(error);
    metering->client = client;
    metering->is_clock_real = client->settings.is_clock_real;
    status = dream_journal_open(client->settings.journal, &client->settings, &metering->journal, error);
    if (status == DREAMAPI_OK && !dream_accounts_init(&metering->accounts, metering->journal)) {
        dream_journal_close(metering->journal);
        status = dream_error_nomem(error);
    }
    if (status != DREAMAPI_OK) {
        free(metering);
        return status;
    }
    *out_metering = metering;
    return DREAMAPI_OK;
}

dreamapi_status dream_metering_of(dreamapi_client *client, dream_metering **out_metering, dreamapi_error *error)
{
    dreamapi_status status = DREAMAPI_OK;
    dream_metering *metering = atomic_load(&client->metering);
    bool is_new = false;

    if (metering == NULL) {
        pthread_mutex_lock(&client->metering_lock);
        metering = atomic_load(&client->metering);
        if (metering == NULL) {
            status = make(client, &metering, error);
            is_new = status == DREAMAPI_OK;
            if (is_new)
                atomic_store(&client->metering, metering);
        }
        pthread_mutex_unlock(&client->metering_lock);
    }
    /* What an earlier run or another process left in the file is looked at without a use. */
    if (is_new && metering->journal->path != NULL)
        dream_metering_wake(metering);
    *out_metering = metering;
    return status;
}

/* ---- forked children ---- */

/* The child's copy of this struct is its own; only the journal is shared. What the parent's driver was doing is the parent's. */
bool dream_metering_adopt(dream_metering *metering)
{
    static pthread_mutex_t adopting = PTHREAD_MUTEX_INITIALIZER;
    dreamapi_client *own = NULL;

    /* The client was freed before the fork: its meters end with that here, too. */
    if (atomic_load(&metering->is_closed))
        return true;
    pthread_mutex_lock(&adopting);
    if (dream_client_is_foreign(metering->client) && dream_client_clone(metering->client, &own) == DREAMAPI_OK) {
        metering->wanted.count = metering->ended.count = 0;
        metering->request = NULL;
        metering->is_leader = false;
        metering->next_sweep_ns = 0;
        metering->not_before_ns = 0;
        dream_direct_adopt(&metering->direct);
        metering->client = own;
        atomic_store(&own->metering, metering);
        own->is_metering_borrowed = true;
    }
    pthread_mutex_unlock(&adopting);
    return !dream_client_is_foreign(metering->client);
}

/* ---- flush and the end ---- */

/* A wish, too: it may have been granted, and what was granted is to be handed back. */
static bool is_waited_for(const dream_lease *lease)
{
    return atomic_load(&lease->state) != DREAM_LEASE_PENDING || DREAM_RULE(flush_waits_for_wishes);
}

bool dream_agent_is_settled(dream_metering *metering)
{
    bool is_settled = true;

    if (!dream_journal_lock(metering->journal))
        return false;
    for (dream_line line = 0; is_settled && (line = dream_journal_next(metering->journal, line)) != 0;) {
        const uint32_t *tag = dream_journal_at(metering->journal, line);
        if ((dream_tag_kind(*tag) == DREAM_TAG_LEASE && is_waited_for((const dream_lease *)tag))
            || (dream_tag_kind(*tag) == DREAM_TAG_ACCOUNT && dream_account_owed((const dream_account *)tag) != 0)
            || (dream_tag_kind(*tag) == DREAM_TAG_DIRECT && atomic_load(&((const dream_direct *)tag)->units) != 0)
            || (dream_tag_kind(*tag) == DREAM_TAG_REFUND && ((const dream_refund *)tag)->state == 1))
            is_settled = false;
    }
    dream_journal_unlock(metering->journal);
    return is_settled;
}

static void wait_for_agent(dream_metering *metering, uint32_t seen, int64_t left_ms)
{
    int64_t slice_ms = left_ms < CLOSE_SLICE_MS ? left_ms : CLOSE_SLICE_MS;

    if (metering->client->has_worker)
        dream_journal_wait(metering->journal, seen, slice_ms);
    else
        dream_engine_drive(metering->client, slice_ms);
}

static dreamapi_status flush(dream_metering *metering, int64_t timeout_ms, bool is_closing)
{
    dreamapi_client *client = metering->client;
    int64_t until_ms = dream_settings_now_ms(&client->settings) + timeout_ms;
    int64_t failed = atomic_load(&metering->requests_failed);
    int64_t left_ms = timeout_ms;
    dreamapi_status stuck = DREAMAPI_OK;

    atomic_store(&metering->is_flushing, true);
    atomic_store(&metering->direct.is_wanted, true);
    dream_metering_wake(metering);
    while (!dream_agent_is_settled(metering)) {
        uint32_t seen = dream_journal_events(metering->journal);
        /* A server that is out of reach does not get back within a close; the journal has it all. */
        bool is_hopeless =
            is_closing && metering->journal->path != NULL && atomic_load(&metering->requests_failed) > failed + 2;
        if (left_ms <= 0 || is_hopeless || dream_direct_is_stuck(metering, &stuck))
            break;
        if (!atomic_load(&metering->is_flushing)) {
            atomic_store(&metering->is_flushing, true);
            dream_metering_wake(metering);
        }
        wait_for_agent(metering, seen, left_ms);
        left_ms = until_ms - dream_settings_now_ms(&client->settings);
    }
    atomic_store(&metering->is_flushing, false);
    if (dream_agent_is_settled(metering))
        return DREAMAPI_OK;
    if (stuck == DREAMAPI_OK)
        stuck = (dreamapi_status)atomic_load(&metering->direct.trouble);
    if (stuck != DREAMAPI_OK)
        return stuck;
    return atomic_load(&metering->trouble) != DREAMAPI_OK ? (dreamapi_status)atomic_load(&metering->trouble)
                                                          : DREAMAPI_TIMEOUT;
}

dreamapi_status dreamapi_client_flush(dreamapi_client *client, int64_t timeout_ms, dreamapi_error *error)
{
    dreamapi_status status = dream_client_check(client, error);
    dream_metering *metering;

    if (status != DREAMAPI_OK)
        return status;
    if (timeout_ms < 0 || timeout_ms > DREAMAPI_MAX_TIMEOUT_MS)
        return dream_error_refuse(error, DREAMAPI_INVALID, "timeout_ms is out of range");
    metering = atomic_load(&client->metering);
    if (metering == NULL) {
        dream_error_clear(error);
        return DREAMAPI_OK;
    }
    status = flush(metering, timeout_ms, false);
    if (status == DREAMAPI_OK)
        dream_error_clear(error);
    else
        (void)dream_error_set(
            error, status,
            status == DREAMAPI_UNSUPPORTED
                ? "the journal has leases to settle, and the server announces none (or no secret key is set)"
                : "not everything could be settled; the journal has the rest");
    return status;
}

/* A report that is cut off may never be billed, so the last ones are waited for. */
static void end_reports(dream_metering *metering, int64_t until_ms)
{
    /* Under the lock: whatever is begun is counted before it is let go. */
    if (!dream_journal_lock(metering->journal))
        return;
    atomic_store(&metering->direct.is_ending, true);
    dream_journal_unlock(metering->journal);
    for (;;) {
        uint32_t seen = dream_journal_events(metering->journal);
        int64_t left_ms = until_ms - dream_settings_now_ms(&metering->client->settings);
        if (left_ms <= 0 || atomic_load(&metering->direct.calls) == 0)
            return;
        wait_for_agent(metering, seen, left_ms);
    }
}

void dream_metering_settle_at_close(dreamapi_client *client)
{
    dream_metering *metering = atomic_load(&client->metering);
    int64_t timeout_ms = client->settings.close_timeout_ms;
    int64_t until_ms;

    if (metering == NULL)
        return;
    until_ms = dream_settings_now_ms(&client->settings) + timeout_ms;
    dream_journal_leave(metering->journal);
    /* Leases that processes spend which stay are theirs to settle. Reports take nothing from them, and the tokens to report with
     * may be here alone. */
    if (timeout_ms > 0 && (dream_journal_is_last(metering->journal) || dream_direct_is_on(metering)))
        (void)flush(metering, timeout_ms, true);
    end_reports(metering, until_ms);
    atomic_store(&metering->is_closed, true);
}

void dream_metering_close(dreamapi_client *client)
{
    dream_metering *metering = atomic_load(&client->metering);

    if (metering == NULL || client->is_metering_borrowed)
        return;
    atomic_store(&client->metering, NULL);
    for (size_t i = 0; i < DREAM_SHARED_PARAMS; i++)
        free((void *)atomic_load(&metering->params[i]));
    free(metering->request);
    free(metering->wanted.items);
    free(metering->ended.items);
    dream_direct_clear(&metering->direct);
    dream_accounts_clear(&metering->accounts);
    dream_journal_close(metering->journal);
    free(metering);
}

static void count_direct(const dream_direct *direct, dreamapi_meter_stats *out)
{
    out->units_unreported += (int64_t)dream_direct_waiting(direct) + dream_direct_reporting(direct);
    out->units_doubtful += atomic_load(&direct->doubtful);
}

static void count_record(dream_metering *metering, dream_line line, int64_t now_ns, dreamapi_meter_stats *out)
{
    const dream_lease *lease = dream_journal_at(metering->journal, line);
    int64_t lag_ms;

    if (dream_tag_kind(lease->main.tag) == DREAM_TAG_ACCOUNT)
        out->units_owed += dream_account_owed(dream_journal_at(metering->journal, line));
    if (dream_tag_kind(lease->main.tag) == DREAM_TAG_DIRECT)
        count_direct(dream_journal_at(metering->journal, line), out);
    if (dream_tag_kind(lease->main.tag) != DREAM_TAG_LEASE)
        return;
    switch ((dream_lease_state)atomic_load(&lease->state)) {
    case DREAM_LEASE_ACTIVE:
        out->leases_active++;
        break;
    case DREAM_LEASE_SEALED:
        out->leases_unsettled++;
        lag_ms = (now_ns - lease->ends_at_ns) / NS_PER_MS;
        if (lag_ms > out->settle_lag_ms)
            out->settle_lag_ms = lag_ms;
        break;
    case DREAM_LEASE_PENDING:
        break;
    }
}

dreamapi_status dreamapi_client_meter_stats(dreamapi_client *client, dreamapi_meter_stats *out_stats)
{
    dreamapi_status status = dream_client_check(client, NULL);
    dream_metering *metering;
    int64_t now_ns;

    if (status != DREAMAPI_OK || out_stats == NULL)
        return status != DREAMAPI_OK ? status : DREAMAPI_INVALID;
    *out_stats = (dreamapi_meter_stats){ 0 };
    metering = atomic_load(&client->metering);
    if (metering == NULL)
        return DREAMAPI_OK;
    for (size_t i = 0; i < sizeof(out_stats->denied) / sizeof(out_stats->denied[0]); i++)
        out_stats->denied[i] = atomic_load(&metering->denied[i]);
    out_stats->slow_admitted = atomic_load(&metering->slow_admitted);
    out_stats->units_granted = atomic_load(&metering->units_granted);
    out_stats->units_settled = atomic_load(&metering->units_settled);
    out_stats->requests = atomic_load(&metering->requests);
    out_stats->requests_failed = atomic_load(&metering->requests_failed);
    out_stats->meters_open = atomic_load(&metering->meters_open);
    if (!dream_journal_lock(metering->journal))
        return DREAMAPI_JOURNAL;
    now_ns = dream_metering_now_ns(metering);
    out_stats->journal_bytes = (int64_t)atomic_load(&dream_journal_header_of(metering->journal)->allocated);
    out_stats->journal_used_bytes =
        (int64_t)atomic_load(&dream_journal_header_of(metering->journal)->used) * DREAM_LINE;
    out_stats->leases_damaged = atomic_load(&dream_journal_header_of(metering->journal)->leases_damaged);
    for (dream_line line = 0; (line = dream_journal_next(metering->journal, line)) != 0;)
        count_record(metering, line, now_ns, out_stats);
    dream_journal_unlock(metering->journal);
    return DREAMAPI_OK;
}
