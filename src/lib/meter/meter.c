/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - dreamapi_meter_*: arguments are checked here, the answers are admit.c's. */
#include <dreamapi/meter.h>

#include <stdlib.h>
#include <string.h>

#include "common/rule.h"
#include "lib/error.h"
#include "lib/meter/metering.h"
#include "lib/meter/point.h"
#include "lib/params.h"
#include "lib/text.h"

enum { METER_NAME_MAX = 64, NS_PER_MS = 1000000 };

static dreamapi_status check_params(const dreamapi_meter_params *params, dreamapi_error *error)
{
    if (params->meter != NULL && (!dream_text_is_id(params->meter) || strlen(params->meter) > METER_NAME_MAX))
        return dream_error_refuse(error, DREAMAPI_INVALID, "meter is no name of 1 to 64 bytes");
    if ((int)params->policy < DREAMAPI_POLICY_WAIT || params->policy > DREAMAPI_POLICY_ALLOW)
        return dream_error_refuse(error, DREAMAPI_INVALID, "policy is none that this library knows");
    if (params->wait_ms < 0 || params->wait_ms > DREAMAPI_MAX_TIMEOUT_MS)
        return dream_error_refuse(error, DREAMAPI_INVALID, "wait_ms is out of range");
    if (params->allow_units < 0 || params->allow_units > DREAMAPI_MAX_UNITS || params->cached_units < 0
        || params->cached_units > DREAMAPI_MAX_UNITS)
        return dream_error_refuse(error, DREAMAPI_INVALID, "allow_units or cached_units is out of range");
    if (params->user_token != NULL && !dream_text_is_visible(params->user_token, DREAM_USER_TOKEN_MAX))
        return dream_error_refuse(error, DREAMAPI_INVALID, "user_token has characters that tokens do not have");
    return DREAMAPI_OK;
}

dreamapi_status dream_meter_params_read(const dreamapi_meter_params *given, dreamapi_meter_params *out,
                                        dreamapi_error *error)
{
    static const dreamapi_meter_params defaults = DREAMAPI_METER_PARAMS_INIT;
    dreamapi_status status;

    if (given == NULL) {
        *out = defaults;
        return DREAMAPI_OK;
    }
    status = dream_params_copy(given, out, sizeof(*out), error);
    return status == DREAMAPI_OK ? check_params(out, error) : status;
}

static void set_up(dreamapi_meter *meter, dream_metering *metering, const dreamapi_meter_params *params)
{
    meter->metering = metering;
    meter->base = metering->journal->base;
    meter->params = params;
}

/* A token is one user's. */
static bool can_be_shared(const dreamapi_meter_params *params)
{
    return params->user_token == NULL;
}

static bool are_equal(const dreamapi_meter_params *a, const dreamapi_meter_params *b)
{
    return a->policy == b->policy && a->wait_ms == b->wait_ms && a->allow_units == b->allow_units
           && a->token_function == b->token_function && a->token_data == b->token_data
           && a->cached_units == b->cached_units;
}

static dreamapi_meter_params *copy_params(const dreamapi_meter_params *params)
{
    dreamapi_meter_params *own = malloc(sizeof(*own));

    if (own == NULL)
        return NULL;
    *own = *params;
    own->meter = NULL;
    own->user_token = params->user_token == NULL ? NULL : strdup(params->user_token);
    if (params->user_token == NULL || own->user_token != NULL)
        return own;
    free(own);
    return NULL;
}

static bool is_shared(dream_metering *metering, const dreamapi_meter_params *params)
{
    for (size_t i = 0; i < DREAM_SHARED_PARAMS; i++) {
        if (params != NULL && atomic_load(&metering->params[i]) == params)
            return true;
    }
    return false;
}

static void free_params(dream_metering *metering, const dreamapi_meter_params *params)
{
    dreamapi_meter_params *own = (dreamapi_meter_params *)params;

    if (own == NULL || is_shared(metering, params))
        return;
    dream_free_secret((char *)own->user_token);
    free(own);
}

/* What an open meter keeps of its caller's parameters: one copy for all meters that have the same ones, as long as there are few
 * different ones; else its own. A place, once taken, stays so until the end: no lock is needed. */
static const dreamapi_meter_params *keep_params(dream_metering *metering, const dreamapi_meter_params *params)
{
    const dreamapi_meter_params *own = NULL;

    for (size_t i = 0; i < DREAM_SHARED_PARAMS && can_be_shared(params); i++) {
        const dreamapi_meter_params *there = atomic_load(&metering->params[i]);
        if (there == NULL && own == NULL && (own = copy_params(params)) == NULL)
            return NULL;
        if (there == NULL && atomic_compare_exchange_strong(&metering->params[i], &there, own))
            return own;
        if (are_equal(there, params)) {
            free((void *)own);
            return there;
        }
    }
    return own != NULL ? own : copy_params(params);
}

static dreamapi_status find_account(dream_metering *metering, const char *user_id, const char *meter,
                                    dream_account **out_account, dreamapi_error *error)
{
    dreamapi_status status = DREAMAPI_INVALID;

    if (user_id == NULL || !dream_text_is_id(user_id))
        return dream_error_refuse(error, status, "user_id is no id");
    status = dream_accounts_get(&metering->accounts, user_id, meter, out_account);
    if (status != DREAMAPI_OK)
        return dream_error_refuse(error, status, "the journal has no room for another user");
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_meter_open(dreamapi_client *client, const char *user_id, const dreamapi_meter_params *params,
                                    dreamapi_meter **out_meter, dreamapi_error *error)
{
    dreamapi_meter_params read;
    dream_metering *metering = NULL;
    dreamapi_meter *meter;
    dreamapi_status status;

    if (out_meter == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "out_meter is NULL");
    *out_meter = NULL;
    status = dream_client_check(client, error);
    if (status == DREAMAPI_OK)
        status = dream_meter_params_read(params, &read, error);
    if (status == DREAMAPI_OK)
        status = dream_metering_of(client, &metering, error);
    if (status != DREAMAPI_OK)
        return status;
    meter = calloc(1, sizeof(*meter));
    if (meter == NULL)
        return dream_error_nomem(error);
    set_up(meter, metering, &read);
    meter->params = keep_params(metering, &read);
    status = meter->params == NULL ? dream_error_nomem(error)
                                   : find_account(metering, user_id, read.meter, &meter->account, error);
    if (status != DREAMAPI_OK) {
        free_params(metering, meter->params);
        free(meter);
        return status;
    }
    dream_client_hold(client);
    meter->client = client;
    atomic_fetch_add(&metering->meters_open, 1);
    dream_direct_opened(meter);
    dream_error_clear(error);
    *out_meter = meter;
    return DREAMAPI_OK;
}

void dreamapi_meter_close(dreamapi_meter *meter)
{
    dream_metering *metering;

    if (meter == NULL)
        return;
    metering = atomic_load(&meter->client->metering);
    if (metering != NULL)
        atomic_fetch_sub(&metering->meters_open, 1);
    free_params(meter->metering, meter->params);
    dream_client_release(meter->client);
    free(meter);
}

/* ---- use ---- */

static dreamapi_status refuse_argument(dreamapi_decision *decision)
{
    if (decision != NULL)
        *decision = (dreamapi_decision){ .reason = DREAMAPI_REASON_REFUSED,
                                         .plan = "",
                                         .limit = -1,
                                         .used = -1,
                                         .remaining = -1,
                                         .retry_after_ms = -1,
                                         .age_ms = -1 };
    return DREAMAPI_INVALID;
}

static inline bool is_good(int64_t units)
{
    return units >= 1 && units <= DREAMAPI_MAX_UNITS;
}

dreamapi_status dreamapi_meter_use(dreamapi_meter *meter, int64_t units, dreamapi_decision *decision)
{
    if (meter == NULL || !is_good(units))
        return refuse_argument(decision);
    return dream_admit(meter, units, decision);
}

dreamapi_status dreamapi_meter_check(dreamapi_meter *meter, int64_t units, dreamapi_decision *decision)
{
    if (meter == NULL || !is_good(units))
        return refuse_argument(decision);
    return dream_admit_check(meter, units, decision);
}

dreamapi_status dreamapi_client_use(dreamapi_client *client, const char *user_id, const char *meter, int64_t units,
                                    dreamapi_decision *decision)
{
    dreamapi_meter transient = { 0 };
    dream_metering *metering;
    dreamapi_status status;

    if (client == NULL || user_id == NULL || (meter != NULL && meter[0] == '\0') || !is_good(units))
        return refuse_argument(decision);
    metering = atomic_load_explicit(&client->metering, memory_order_acquire);
    if (metering == NULL) {
        (void)refuse_argument(decision);
        status = dream_client_check(client, NULL);
        if (status == DREAMAPI_OK)
            status = dream_metering_of(client, &metering, NULL);
        if (status != DREAMAPI_OK)
            return status;
    }
    transient.account = dream_accounts_find(&metering->accounts, user_id, meter);
    if (transient.account == NULL) {
        (void)refuse_argument(decision);
        if (meter != NULL && (!dream_text_is_id(meter) || strlen(meter) > METER_NAME_MAX))
            return DREAMAPI_INVALID;
        status = find_account(metering, user_id, meter, &transient.account, NULL);
        if (status != DREAMAPI_OK)
            return status;
    }
    set_up(&transient, metering, &client->settings.meter_defaults);
    transient.client = client;
    return dream_admit(&transient, units, decision);
}

/* ---- refunds and reservations ---- */

static bool is_lease(const dream_metering *metering, uint64_t line, const unsigned char lease_id[16])
{
    const dream_lease *lease;

    if (line < DREAM_JOURNAL_FIRST || line >= atomic_load(&dream_journal_header_of(metering->journal)->used))
        return false;
    lease = dream_journal_at(metering->journal, (dream_line)line);
    return dream_tag_kind(lease->main.tag) == DREAM_TAG_LEASE && memcmp(lease->lease_id, lease_id, 16) == 0;
}

/* For a lease whose end is settled: an event that the agent sends. The lock is held. */
static dreamapi_status record_refund(dream_metering *metering, const unsigned char lease_id[16], uint32_t units)
{
    unsigned char id[16];
    dream_refund *refund;
    dream_line line;

    if (!dream_settings_random(metering->journal->settings, id, sizeof(id)))
        return DREAMAPI_NOMEM;
    line = dream_journal_take(metering->journal, DREAM_TAG_REFUND, sizeof(*refund));
    if (line == 0)
        return DREAMAPI_JOURNAL;
    refund = dream_journal_at(metering->journal, line);
    memcpy(refund->id, id, sizeof(id));
    memcpy(refund->lease_id, lease_id, 16);
    refund->units = units;
    DREAM_POINT(refund_written);
    refund->state = 1;
    DREAM_POINT(refund_recorded);
    atomic_store(&metering->has_refunds, true);
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_meter_refund(dreamapi_meter *meter, dreamapi_decision *decision)
{
    unsigned char lease_id[16];
    dream_metering *metering;
    dreamapi_status status = DREAMAPI_OK;
    uint64_t line;

    if (meter == NULL || decision == NULL || !decision->allowed || !is_good(decision->units))
        return DREAMAPI_INVALID;
    if (decision->source != DREAMAPI_SOURCE_LEASE)
        return DREAMAPI_UNSUPPORTED;
    metering = meter->metering;
    if (dream_client_is_foreign(metering->client) && !dream_metering_adopt(metering))
        return DREAMAPI_NOMEM;
    if (!dream_journal_lock(metering->journal))
        return DREAMAPI_JOURNAL;
    /* Only now: another thread may refund the same one. */
    line = decision->refund_token[0];
    memcpy(lease_id, &decision->refund_token[1], sizeof(lease_id));
    if (line == 0)
        status = DREAMAPI_INVALID;
    else if (!is_lease(metering, line, lease_id)
             || !dream_lease_refund(dream_journal_at(metering->journal, (dream_line)line), (uint32_t)decision->units))
        status = record_refund(metering, lease_id, (uint32_t)decision->units);
    if (status == DREAMAPI_OK && DREAM_RULE(refund_is_consumed))
        decision->refund_token[0] = 0;
    dream_journal_unlock(metering->journal);
    if (atomic_load(&metering->has_refunds))
        dream_metering_wake(metering);
    return status;
}

dreamapi_status dreamapi_meter_reserve(dreamapi_meter *meter, int64_t units, int64_t hold_ms,
                                       dreamapi_reservation *out_reservation, dreamapi_decision *decision)
{
    if (out_reservation != NULL)
        *out_reservation = (dreamapi_reservation){ 0 };
    if (meter == NULL || out_reservation == NULL || !is_good(units) || hold_ms < 1 || hold_ms > DREAMAPI_MAX_TIMEOUT_MS)
        return refuse_argument(decision);
    return dream_admit_reserve(meter, units, hold_ms, out_reservation, decision);
}

dreamapi_status dreamapi_meter_commit(dreamapi_meter *meter, dreamapi_reservation *reservation, int64_t units,
                                      dreamapi_decision *decision)
{
    dream_metering *metering;
    dream_share *share;
    int64_t reserved;
    bool is_booked = false;

    (void)refuse_argument(decision);
    if (meter == NULL || reservation == NULL || units < 0 || units > DREAMAPI_MAX_UNITS)
        return DREAMAPI_INVALID;
    metering = meter->metering;
    if (reservation->token[0] < DREAM_JOURNAL_FIRST
        || reservation->token[0] >= atomic_load(&dream_journal_header_of(metering->journal)->used))
        return DREAMAPI_NOT_FOUND;
    if (!dream_journal_lock(metering->journal))
        return DREAMAPI_JOURNAL;
    share = dream_journal_at(metering->journal, (dream_line)reservation->token[0]);
    reserved = reservation->units;
    if (dream_tag_kind(share->tag) == DREAM_TAG_RESERVATION
        && (uint64_t)atomic_load(&share->slow_at_ns) == reservation->token[1]) {
        dream_lease *lease = dream_journal_at(metering->journal, share->lease);
        is_booked = dream_reservation_end(metering->journal, share, (uint32_t)(units < reserved ? units : reserved));
        if (is_booked)
            dream_admit_describe(meter, lease, units, decision);
    }
    dream_journal_unlock(metering->journal);
    *reservation = (dreamapi_reservation){ 0 };
    if (!is_booked) {
        (void)refuse_argument(decision);
        return DREAMAPI_NOT_FOUND;
    }
    return units > reserved ? dream_admit(meter, units - reserved, decision) : DREAMAPI_OK;
}
