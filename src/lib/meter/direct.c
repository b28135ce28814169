/* SPDX-License-Identifier: Apache-2.0 */
/* direct.c - uses where the server has no leases, on the thread that uses the meter. A refusal is remembered in the account like
 * that of a lease, so the fast path repeats it without a request. No lock is held over a request or the token function. */
#include "lib/meter/direct.h"

#include <dreamapi/usage.h>
#include <stdlib.h>
#include <string.h>

#include "lib/engine.h"
#include "lib/error.h"
#include "lib/meter/agent.h"
#include "lib/text.h"

enum { NS_PER_MS = 1000000, DENIAL_MS = 1000, DRIVE_MS = 20, WAIT_MS = 100, TOKEN_FRESH_MS = 30000 };

static unsigned announced(const dream_metering *metering)
{
    return atomic_load(&dream_journal_header_of(metering->journal)->announced);
}

bool dream_direct_is_on(const dream_metering *metering)
{
    return (announced(metering) & (DREAM_ANNOUNCED | DREAM_EXTENSION_LEASES)) == DREAM_ANNOUNCED
           || !metering->client->settings.has_secret_key;
}

/* ---- what the server said ---- */

dreamapi_reason dream_direct_reason(dreamapi_status status)
{
    switch (status) {
    case DREAMAPI_OK:
        return DREAMAPI_REASON_NONE;
    case DREAMAPI_LIMIT:
        return DREAMAPI_REASON_LIMIT;
    case DREAMAPI_RATE_LIMITED:
        return DREAMAPI_REASON_RATE;
    case DREAMAPI_TIMEOUT:
        return DREAMAPI_REASON_EMPTY;
    case DREAMAPI_NOT_FOUND:
        return DREAMAPI_REASON_NO_CUSTOMER;
    case DREAMAPI_NOMEM:
    case DREAMAPI_UNAVAILABLE:
    case DREAMAPI_OUTCOME_UNKNOWN:
    case DREAMAPI_PROTOCOL:
    case DREAMAPI_SERVER:
        return DREAMAPI_REASON_UNAVAILABLE;
    default:
        return DREAMAPI_REASON_REFUSED;
    }
}

void dream_direct_note(dream_metering *metering, dream_account *account, const dream_numbers *numbers)
{
    if (numbers->plan != NULL)
        atomic_store(&account->plan, dream_agent_find_plan(metering, account, numbers->plan));
    if (numbers->limit < 0 || numbers->used < 0)
        return;
    atomic_store(&account->limit, numbers->limit);
    atomic_store(&account->used, numbers->used);
    atomic_store(&account->left, numbers->left);
    atomic_store(&account->answered_at_ns, dream_metering_now_ns(metering));
}

void dream_direct_deny(dream_metering *metering, dream_account *account, dreamapi_reason reason, int64_t retry_after_ms)
{
    int64_t wait_ms = reason == DREAMAPI_REASON_RATE && retry_after_ms > 0 ? retry_after_ms : DENIAL_MS;

    atomic_store(&account->denied_reason, reason);
    atomic_store(&account->denied_until_ns, dream_metering_now_ns(metering) + wait_ms * NS_PER_MS);
}

/* Other refusals are worth another question at once: a new token, a new key. */
static bool is_remembered(dreamapi_reason reason)
{
    return reason == DREAMAPI_REASON_LIMIT || reason == DREAMAPI_REASON_RATE || reason == DREAMAPI_REASON_NO_CUSTOMER;
}

/* ---- whom a request is for ---- */

static bool is_by_id(const dreamapi_meter *meter)
{
    const dream_metering *metering = meter->metering;

    return metering->client->settings.has_secret_key && (announced(metering) & DREAM_EXTENSION_SERVER_SIDE) != 0;
}

/* `*out_token` is owned (dream_free_secret); NULL if the meter has none. */
static dreamapi_status fetch_token(const dreamapi_meter *meter, char **out_token)
{
    const dreamapi_meter_params *params = meter->params;
    dreamapi_status status;
    char *token;

    *out_token = NULL;
    if (params->token_function == NULL) {
        *out_token = params->user_token == NULL ? NULL : strdup(params->user_token);
        return params->user_token != NULL && *out_token == NULL ? DREAMAPI_NOMEM : DREAMAPI_OK;
    }
    token = calloc(1, DREAM_USER_TOKEN_MAX + 1);
    if (token == NULL)
        return DREAMAPI_NOMEM;
    status =
        params->token_function(params->token_data, dream_account_user(meter->account), token, DREAM_USER_TOKEN_MAX + 1);
    if (status == DREAMAPI_OK && !dream_text_is_visible(token, DREAM_USER_TOKEN_MAX))
        status = DREAMAPI_TOKEN_REQUIRED;
    if (status == DREAMAPI_OK)
        *out_token = token;
    else
        dream_free_secret(token);
    return status;
}

/* ---- strict ---- */

static dreamapi_status refuse(const dreamapi_meter *meter, dreamapi_status status, dreamapi_decision *out)
{
    return dream_admit_refuse(meter->metering, dream_direct_reason(status), status, out);
}

static dreamapi_status lock(const dreamapi_meter *meter, dreamapi_decision *out)
{
    return dream_journal_lock(meter->metering->journal) ? DREAMAPI_OK : refuse(meter, DREAMAPI_JOURNAL, out);
}

/* Plan and numbers as booked, and that they are the server's answer to this use. */
static void describe(const dreamapi_meter *meter, int64_t now_ns, dreamapi_decision *out)
{
    dream_admit_from_account(meter->metering, meter->account, now_ns, out);
    out->source = DREAMAPI_SOURCE_SERVER;
}

static dreamapi_status book_use(const dreamapi_meter *meter, const dreamapi_usage *usage, dreamapi_decision *out)
{
    dream_metering *metering = meter->metering;
    dream_numbers numbers = { dreamapi_usage_plan(usage), dreamapi_usage_count(usage), dreamapi_usage_limit(usage),
                              dreamapi_usage_remaining(usage) };

    /* It is admitted and billed, whatever the journal says. */
    if (dream_journal_lock(metering->journal)) {
        dream_direct_note(metering, meter->account, &numbers);
        if (numbers.left > 0)
            atomic_store(&meter->account->denied_until_ns, 0);
        dream_journal_unlock(metering->journal);
    }
    describe(meter, dream_metering_now_ns(metering), out);
    out->allowed = 1;
    out->retry_after_ms = 0;
    atomic_fetch_add_explicit(&metering->slow_admitted, 1, memory_order_relaxed);
    return DREAMAPI_OK;
}

static dreamapi_status book_refusal(const dreamapi_meter *meter, const dreamapi_error *error, dreamapi_decision *out)
{
    dream_metering *metering = meter->metering;
    dreamapi_reason reason = dream_direct_reason(error->status);
    dream_numbers numbers = { NULL, error->used, error->limit, 0 };

    if (is_remembered(reason) && dream_journal_lock(metering->journal)) {
        if (reason == DREAMAPI_REASON_LIMIT)
            dream_direct_note(metering, meter->account, &numbers);
        dream_direct_deny(metering, meter->account, reason, error->retry_after_ms);
        dream_journal_unlock(metering->journal);
    }
    dream_admit_from_account(metering, meter->account, dream_metering_now_ns(metering), out);
    if (error->http_status != 0)
        out->source = DREAMAPI_SOURCE_SERVER;
    else if (error->status == DREAMAPI_RATE_LIMITED)
        out->source = DREAMAPI_SOURCE_CACHE;
    out->retry_after_ms = error->retry_after_ms;
    if (out->retry_after_ms < 0 && is_remembered(reason))
        out->retry_after_ms = DENIAL_MS;
    return dream_admit_refuse(metering, reason, error->status, out);
}

static dreamapi_status ask(const dreamapi_meter *meter, int64_t until_ns, dreamapi_decision *out)
{
    dream_metering *metering = meter->metering;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    bool is_named = is_by_id(meter);
    dreamapi_usage *usage = NULL;
    dreamapi_error error;
    char *token = NULL;
    dreamapi_status status = is_named ? DREAMAPI_OK : fetch_token(meter, &token);

    if (status != DREAMAPI_OK)
        return refuse(meter, status, out);
    options.timeout_ms = (until_ns - dream_metering_now_ns(metering)) / NS_PER_MS;
    if (options.timeout_ms < 1) {
        dream_free_secret(token);
        return refuse(meter, DREAMAPI_TIMEOUT, out); /* an answer that nobody waits for would count all the same */
    }
    options.user_token = token;
    /* Without a token: says which of token, key and extension is missing. */
    status = dreamapi_usage_track(metering->client, token == NULL ? dream_account_user(meter->account) : NULL, NULL,
                                  &options, &usage, &error);
    dream_free_secret(token);
    status = status == DREAMAPI_OK ? book_use(meter, usage, out) : book_refusal(meter, &error, out);
    dreamapi_usage_free(usage);
    return status;
}

/* ---- cached ---- */

static dream_direct *direct_of(const dreamapi_meter *meter)
{
    dream_line line = atomic_load(&meter->account->direct);

    return line == 0 ? NULL : dream_journal_at(meter->metering->journal, line);
}

/* Units that the server is yet to count. */
static int64_t uncounted(const dream_direct *direct)
{
    uint64_t units = direct == NULL ? 0 : atomic_load(&direct->units);

    return (int64_t)(units & UINT32_MAX) + (int64_t)(units >> 32);
}

/* Units that the plan has left, as far as known here. Doubtful ones are not taken off: were they counted, the server's number has them. */
static int64_t known_left(const dream_account *account, const dream_direct *direct)
{
    int64_t left = atomic_load(&account->left);

    if (atomic_load(&account->answered_at_ns) == 0 || atomic_load(&account->limit) < 0 || left == DREAMAPI_UNLIMITED)
        return DREAMAPI_UNLIMITED;
    return left > uncounted(direct) ? left - uncounted(direct) : 0;
}

static void describe_cached(const dreamapi_meter *meter, int64_t now_ns, dreamapi_decision *out)
{
    const dream_direct *direct = direct_of(meter);

    dream_admit_from_account(meter->metering, meter->account, now_ns, out);
    out->max_over = meter->params->cached_units;
    if (out->limit < 0)
        return;
    out->used += uncounted(direct);
    out->remaining = known_left(meter->account, direct);
}

/* A token to report with, which the use brings along. DREAMAPI_OK if there is one, or none is needed. */
static dreamapi_status bring_token(const dreamapi_meter *meter, dreamapi_decision *out)
{
    dream_metering *metering = meter->metering;
    int64_t now_ns = dream_metering_now_ns(metering);
    dream_direct_entry *entry = NULL;
    dream_direct *direct;
    dreamapi_status status;
    char *token = NULL;
    bool is_good = false;

    if (is_by_id(meter))
        return DREAMAPI_OK;
    if ((status = lock(meter, out)) != DREAMAPI_OK)
        return status;
    if (direct_of(meter) != NULL
        && (entry = dream_direct_entry_of(metering, dream_journal_line(metering->journal, direct_of(meter)))) != NULL)
        is_good = entry->token != NULL && !entry->is_token_spent
                  && (meter->params->token_function == NULL
                      || now_ns - entry->token_at_ns < (int64_t)TOKEN_FRESH_MS * NS_PER_MS);
    dream_journal_unlock(metering->journal);
    if (is_good)
        return DREAMAPI_OK;
    status = fetch_token(meter, &token);
    if (status == DREAMAPI_OK && token == NULL)
        status = DREAMAPI_TOKEN_REQUIRED;
    if (status != DREAMAPI_OK)
        return refuse(meter, status, out);
    if ((status = lock(meter, out)) != DREAMAPI_OK) {
        dream_free_secret(token);
        return status;
    }
    direct = dream_direct_of(metering->journal, meter->account);
    entry = direct == NULL ? NULL : dream_direct_entry_of(metering, dream_journal_line(metering->journal, direct));
    if (entry != NULL) {
        bool is_other = entry->token == NULL || strcmp(entry->token, token) != 0;
        dream_free_secret(entry->token);
        entry->token = token;
        entry->token_at_ns = now_ns;
        /* What was refused with the last one is asked again. */
        if (is_other && atomic_load(&direct->refusal) == DREAMAPI_AUTH)
            direct->next_ns = 0;
        entry->is_token_spent = false;
        token = NULL;
    }
    dream_journal_unlock(metering->journal);
    dream_free_secret(token);
    return entry == NULL ? refuse(meter, DREAMAPI_JOURNAL, out) : DREAMAPI_OK;
}

static void wake(dream_metering *metering)
{
    atomic_store(&metering->direct.is_wanted, true);
    dream_metering_wake(metering);
}

/* The lock is held. DREAMAPI_PENDING: a word of the server is worth waiting for; it is asked. */
static dreamapi_status decide(const dreamapi_meter *meter, uint32_t units, int64_t now_ns, dreamapi_decision *out)
{
    dream_metering *metering = meter->metering;
    dream_account *account = meter->account;
    dream_direct *direct = dream_direct_of(metering->journal, account);
    dream_direct_entry *entry =
        direct == NULL ? NULL : dream_direct_entry_of(metering, dream_journal_line(metering->journal, direct));
    bool is_fresh;

    if (entry == NULL)
        return refuse(meter, DREAMAPI_JOURNAL, out);
    if (now_ns < atomic_load(&account->denied_until_ns))
        return dream_admit_repeat(metering, account, now_ns, out);
    if (atomic_load(&direct->refusal) == DREAMAPI_AUTH && entry->is_token_spent && !is_by_id(meter))
        return refuse(meter, DREAMAPI_AUTH, out);
    if (atomic_load(&direct->refusal) != 0 && dream_direct_waiting(direct) > 0) {
        /* The server's last word was no. Reported again, which is both the question and the count. */
        direct->next_ns = 0;
        return DREAMAPI_PENDING;
    }
    is_fresh = now_ns - atomic_load(&account->answered_at_ns) < (int64_t)DENIAL_MS * NS_PER_MS;
    if (dream_direct_unconfirmed(direct) + dream_account_owed(meter->account) + units > meter->params->cached_units) {
        /* With nothing left to report, only a new period makes room. */
        entry->wants_numbers = entry->wants_numbers || (!is_fresh && atomic_load(&direct->units) == 0);
        return DREAMAPI_PENDING;
    }
    if (known_left(account, direct) < units) {
        bool is_sure = is_fresh && direct->is_guessed == 0 && dream_direct_reporting(direct) == 0;
        if (is_sure && !entry->wants_numbers) {
            describe_cached(meter, now_ns, out);
            out->retry_after_ms = DENIAL_MS;
            return refuse(meter, DREAMAPI_LIMIT, out);
        }
        /* A report that is under way may be in the server's numbers or not. */
        entry->wants_numbers = entry->wants_numbers || dream_direct_reporting(direct) == 0;
        return DREAMAPI_PENDING;
    }
    dream_direct_set(direct, dream_direct_waiting(direct) + units, dream_direct_reporting(direct));
    describe_cached(meter, now_ns, out);
    out->source = DREAMAPI_SOURCE_CACHE;
    out->allowed = 1;
    out->retry_after_ms = 0;
    return DREAMAPI_OK;
}

static dreamapi_status give_up_cached(const dreamapi_meter *meter, dreamapi_decision *out)
{
    dreamapi_status trouble = (dreamapi_status)atomic_load(&meter->metering->direct.trouble);
    const dream_direct *direct = direct_of(meter);

    describe_cached(meter, dream_metering_now_ns(meter->metering), out);
    if (direct != NULL && atomic_load(&direct->refusal) != 0)
        trouble = (dreamapi_status)atomic_load(&direct->refusal);
    return refuse(meter, trouble == DREAMAPI_OK ? DREAMAPI_TIMEOUT : trouble, out);
}

static void wait_a_little(dream_metering *metering, uint32_t seen, int64_t left_ms)
{
    if (metering->client->has_worker)
        dream_journal_wait(metering->journal, seen, left_ms < WAIT_MS ? left_ms : WAIT_MS);
    else
        dream_engine_drive(metering->client, left_ms < DRIVE_MS ? left_ms : DRIVE_MS);
}

static dreamapi_status admit_cached(const dreamapi_meter *meter, uint32_t units, int64_t until_ns,
                                    dreamapi_decision *out)
{
    dream_metering *metering = meter->metering;
    dreamapi_status status = bring_token(meter, out);

    while (status == DREAMAPI_OK) {
        uint32_t seen = dream_journal_events(metering->journal);
        int64_t now_ns = dream_metering_now_ns(metering);
        if (atomic_load(&metering->is_closed))
            return refuse(meter, DREAMAPI_CANCELLED, out);
        if ((status = lock(meter, out)) != DREAMAPI_OK)
            return status;
        status = decide(meter, units, now_ns, out);
        dream_journal_unlock(metering->journal);
        if (status == DREAMAPI_OK || status == DREAMAPI_PENDING)
            wake(metering);
        if (status != DREAMAPI_PENDING)
            break;
        if (meter->params->policy != DREAMAPI_POLICY_WAIT || now_ns >= until_ns)
            return give_up_cached(meter, out);
        wait_a_little(metering, seen, (until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
        status = DREAMAPI_OK;
    }
    if (status == DREAMAPI_OK)
        atomic_fetch_add_explicit(&metering->slow_admitted, 1, memory_order_relaxed);
    return status;
}

/* ---- both ---- */

static bool is_default(const dream_account *account)
{
    return strcmp(dream_account_meter(account), "default") == 0;
}

/* Direct requests are about one unit of the default meter; events may be about more, and about others. */
static bool is_possible(const dreamapi_meter *meter, int64_t units)
{
    unsigned known = announced(meter->metering);
    bool has_events = meter->metering->client->settings.has_secret_key
                      && ((known & DREAM_ANNOUNCED) == 0 || (known & DREAM_EXTENSION_USAGE_BATCH) != 0);

    if (meter->params->cached_units == 0)
        return units == 1 && is_default(meter->account);
    return units <= meter->params->cached_units && (is_default(meter->account) || has_events);
}

dreamapi_status dream_direct_admit(const dreamapi_meter *meter, int64_t units, int64_t until_ns, dreamapi_decision *out)
{
    dream_metering *metering = meter->metering;
    int64_t now_ns = dream_metering_now_ns(metering);

    if (!is_possible(meter, units))
        return refuse(meter, DREAMAPI_UNSUPPORTED, out);
    if (meter->params->cached_units > 0)
        return admit_cached(meter, (uint32_t)units, until_ns, out);
    if (atomic_load(&metering->is_closed))
        return refuse(meter, DREAMAPI_CANCELLED, out);
    if (now_ns < atomic_load(&meter->account->denied_until_ns))
        return dream_admit_repeat(metering, meter->account, now_ns, out);
    return ask(meter, until_ns, out);
}

dreamapi_status dream_direct_check(const dreamapi_meter *meter, int64_t units, int64_t now_ns, dreamapi_decision *out)
{
    bool is_cached = meter->params->cached_units > 0;
    const dream_direct *direct = direct_of(meter);

    if (!is_possible(meter, units)) {
        out->reason = DREAMAPI_REASON_REFUSED;
        return DREAMAPI_UNSUPPORTED;
    }
    describe_cached(meter, now_ns, out);
    if (out->limit >= 0 && known_left(meter->account, direct) < units) {
        out->reason = DREAMAPI_REASON_LIMIT;
        return DREAMAPI_LIMIT;
    }
    if (out->limit < 0
        || (is_cached
            && dream_direct_unconfirmed(direct) + dream_account_owed(meter->account) + units
                   > meter->params->cached_units)) {
        out->reason = DREAMAPI_REASON_EMPTY;
        return DREAMAPI_TIMEOUT;
    }
    out->allowed = 1;
    out->retry_after_ms = 0;
    return DREAMAPI_OK;
}

void dream_direct_opened(const dreamapi_meter *meter)
{
    dreamapi_decision ignored;

    if (meter->params->cached_units > 0 && meter->params->user_token != NULL && direct_of(meter) != NULL
        && bring_token(meter, &ignored) == DREAMAPI_OK)
        wake(meter->metering);
}
