/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c - the answer to "may this user do this now?".
 *
 * The fast path is one pass through dream_share_spend on the account's current lease: no lock, no system call, no allocation. All else
 * is slow: the lease is low, over or missing, its rate's window turns, or other threads are in the way. A refusal that
 * the server gave is remembered in the account for a second, and repeated from there as fast as an admission. */
#include <string.h>
#include <time.h>

#include "lib/engine.h"
#include "lib/meter/metering.h"

enum { NS_PER_MS = 1000000, CLASHES_TO_FAN_OUT = 256, DRIVE_MS = 20 };

static dream_line line_of(const dream_metering *metering, const void *record)
{
    return dream_journal_line(metering->journal, record);
}

static dream_lease *current_of(const dream_metering *metering, const dream_account *account)
{
    dream_line line = atomic_load_explicit(&account->current, memory_order_acquire);

    return line == 0 ? NULL : dream_journal_at(metering->journal, line);
}

static const char *plan_text(const dream_metering *metering, dream_line plan)
{
    return plan == 0 ? "" : ((const dream_text_record *)dream_journal_at(metering->journal, plan))->text;
}

/* ---- what is said about it ---- */

/* What a decision tells of a lease, read before the swap that admits: afterwards the record may be another lease's already. */
typedef struct view {
    dream_line line;
    uint64_t lease_id[2];
    int64_t limit, used_before, left_elsewhere, granted, granted_at_ns, spent;
    dream_line plan;
} view;

/* Each load is an acquire, so that whoever looks at account->current afterwards knows that all of it was this lease's. `spent` is
 * exact with one share. With a fan, what other threads spent is summed up on the slow path only: looking at their shares
 * each time would cost what the fan saves. */
static inline void read_lease(const dream_lease *lease, view *out)
{
    const _Atomic uint64_t *id = (const _Atomic uint64_t *)(const void *)lease->lease_id;

    out->lease_id[0] = atomic_load_explicit(&id[0], memory_order_acquire);
    out->lease_id[1] = atomic_load_explicit(&id[1], memory_order_acquire);
    out->limit = atomic_load_explicit(&lease->limit, memory_order_acquire);
    out->used_before = atomic_load_explicit(&lease->used_before, memory_order_acquire);
    out->left_elsewhere = atomic_load_explicit(&lease->left_elsewhere, memory_order_acquire);
    out->granted = atomic_load_explicit(&lease->granted, memory_order_acquire);
    out->granted_at_ns = atomic_load_explicit(&lease->granted_at_ns, memory_order_acquire);
    out->plan = atomic_load_explicit(&lease->plan, memory_order_acquire);
    out->spent = atomic_load_explicit(&lease->main.lease, memory_order_acquire) == 0
                     ? dream_word_units(atomic_load_explicit(&lease->main.word, memory_order_acquire))
                     : atomic_load_explicit(&lease->spent_seen, memory_order_acquire);
}

static inline void tell_lease(const dream_metering *metering, const view *lease, int64_t now_ns, dreamapi_decision *out)
{
    out->source = DREAMAPI_SOURCE_LEASE;
    out->plan = plan_text(metering, lease->plan);
    out->limit = lease->limit;
    out->used = lease->used_before + lease->spent;
    out->remaining = lease->left_elsewhere == DREAMAPI_UNLIMITED
                         ? DREAMAPI_UNLIMITED
                         : lease->left_elsewhere + (lease->granted > lease->spent ? lease->granted - lease->spent : 0);
    out->age_ms = (now_ns - lease->granted_at_ns) / NS_PER_MS;
    out->refund_token[0] = lease->line;
    out->refund_token[1] = lease->lease_id[0];
    out->refund_token[2] = lease->lease_id[1];
}

/* The journal's lock is held. */
static void describe_lease(const dream_metering *metering, const dream_lease *lease, int64_t now_ns,
                           dreamapi_decision *out)
{
    view seen;

    read_lease(lease, &seen);
    seen.line = line_of(metering, lease);
    tell_lease(metering, &seen, now_ns, out);
}

static void describe_account(const dream_metering *metering, const dream_account *account, int64_t now_ns,
                             dreamapi_decision *out)
{
    int64_t answered_ns = atomic_load_explicit(&account->answered_at_ns, memory_order_relaxed);

    if (answered_ns == 0)
        return;
    out->source = DREAMAPI_SOURCE_CACHE;
    out->plan = plan_text(metering, atomic_load_explicit(&account->plan, memory_order_relaxed));
    out->limit = atomic_load_explicit(&account->limit, memory_order_relaxed);
    out->used = atomic_load_explicit(&account->used, memory_order_relaxed);
    out->remaining = atomic_load_explicit(&account->left, memory_order_relaxed);
    out->age_ms = (now_ns - answered_ns) / NS_PER_MS;
}

/* Field by field: for a whole struct compilers call for a block of zeros, which takes longer than the admission. */
static inline void begin_decision(dreamapi_decision *out, int64_t units)
{
    out->allowed = 0;
    out->reason = DREAMAPI_REASON_NONE;
    out->source = DREAMAPI_SOURCE_NONE;
    out->reserved = 0;
    out->units = units;
    out->plan = "";
    out->limit = out->used = out->remaining = -1;
    out->retry_after_ms = out->age_ms = -1;
    out->max_over = 0;
    out->refund_token[0] = out->refund_token[1] = out->refund_token[2] = 0;
}

static inline void allow(dreamapi_decision *out)
{
    out->allowed = 1;
    out->reason = DREAMAPI_REASON_NONE;
    out->reserved = 0;
    out->retry_after_ms = 0;
    out->max_over = 0;
}

/* The journal's lock is held. */
static void allow_from_lease(const dream_metering *metering, const dream_lease *lease, int64_t now_ns,
                             dreamapi_decision *out)
{
    allow(out);
    describe_lease(metering, lease, now_ns, out);
}

static const dreamapi_status status_of_reason[] = {
    [DREAMAPI_REASON_NONE] = DREAMAPI_OK,
    [DREAMAPI_REASON_LIMIT] = DREAMAPI_LIMIT,
    [DREAMAPI_REASON_HELD] = DREAMAPI_RATE_LIMITED,
    [DREAMAPI_REASON_RATE] = DREAMAPI_RATE_LIMITED,
    [DREAMAPI_REASON_EMPTY] = DREAMAPI_TIMEOUT,
    [DREAMAPI_REASON_UNAVAILABLE] = DREAMAPI_UNAVAILABLE,
    [DREAMAPI_REASON_NO_CUSTOMER] = DREAMAPI_NOT_FOUND,
    [DREAMAPI_REASON_REFUSED] = DREAMAPI_FORBIDDEN,
};

/* What the last request that failed came to, as a reason; EMPTY if none did. */
static dreamapi_reason trouble_reason(const dream_metering *metering, dreamapi_status *out_status)
{
    dreamapi_status trouble = (dreamapi_status)atomic_load(&metering->trouble);

    *out_status = status_of_reason[DREAMAPI_REASON_EMPTY];
    switch (trouble) {
    case DREAMAPI_OK: return DREAMAPI_REASON_EMPTY;
    case DREAMAPI_AUTH:
    case DREAMAPI_FORBIDDEN:
    case DREAMAPI_SUBSCRIPTION_EXPIRED:
    case DREAMAPI_TOKEN_REQUIRED:
    case DREAMAPI_UNSUPPORTED:
    case DREAMAPI_TLS:
    case DREAMAPI_CONFLICT:
    case DREAMAPI_JOURNAL: *out_status = trouble; return DREAMAPI_REASON_REFUSED;
    default: *out_status = DREAMAPI_UNAVAILABLE; return DREAMAPI_REASON_UNAVAILABLE;
    }
}

static dreamapi_status refuse(dream_metering *metering, dreamapi_reason reason, dreamapi_status status,
                              dreamapi_decision *out)
{
    atomic_fetch_add_explicit(&metering->denied[reason], 1, memory_order_relaxed);
    out->allowed = 0;
    out->reason = reason;
    return status;
}

/* ---- the slow path ---- */

typedef struct admission {
    const dreamapi_meter *meter;
    dream_metering *metering;
    dream_account *account;
    uint32_t units;
    int64_t now_ns;
    dreamapi_decision *out;
    bool is_wanted; /* the agent has something new to do */
    dream_slow slow; /* what the lease said last */
    dreamapi_reservation *reservation; /* NULL: spend at once */
    int64_t hold_ns;
} admission;

/* The rate of a lease is used up for this window, and no other lease came. */
static dreamapi_status refuse_rate(admission *a, const dream_lease *lease)
{
    describe_lease(a->metering, lease, a->now_ns, a->out);
    a->out->retry_after_ms = dream_lease_rate_wait_ms(lease, a->now_ns);
    return refuse(a->metering, DREAMAPI_REASON_RATE, DREAMAPI_RATE_LIMITED, a->out);
}

/* Also notes what was spent, for decisions: one pass over the shares gives both. */
static bool is_low(const admission *a, dream_lease *lease)
{
    dream_tally tally = dream_lease_tally(a->metering->journal, lease);

    atomic_store(&lease->spent_seen, tally.admitted);
    return dream_lease_wants_refill(lease, a->now_ns) || tally.spare <= atomic_load(&lease->granted) / 4;
}

static void spread_if_crowded(const admission *a, dream_lease *lease)
{
    uint32_t flags = atomic_load(&a->account->flags);

    if ((flags & DREAM_ACCOUNT_FANNED) == 0 && atomic_load(&a->account->clash) >= CLASHES_TO_FAN_OUT)
        atomic_fetch_or(&a->account->flags, DREAM_ACCOUNT_FANNED);
    if ((atomic_load(&a->account->flags) & DREAM_ACCOUNT_FANNED) != 0 && atomic_load(&lease->main.lease) == 0)
        (void)dream_lease_fan_out(a->metering->journal, lease);
}

/* The lock is held. */
static dream_slow take(admission *a, dream_lease *lease)
{
    dream_journal *journal = a->metering->journal;
    dream_line line;
    dream_slow slow;

    if (a->reservation == NULL)
        return dream_lease_spend(journal, lease, dream_lease_share(journal, lease), a->units, a->now_ns);
    slow = dream_lease_reserve(journal, lease, a->units, a->now_ns + a->hold_ns, a->now_ns, &line);
    if (slow == DREAM_SLOW_SPENT) {
        a->reservation->units = a->units;
        a->reservation->token[0] = line;
        a->reservation->token[1] = (uint64_t)atomic_load(&((dream_share *)dream_journal_at(journal, line))->slow_at_ns);
    }
    return slow;
}

/* The lock is held. */
static dream_slow spend_locked(admission *a, dream_lease **out_lease)
{
    dream_lease *lease = current_of(a->metering, a->account);
    dream_slow slow;

    *out_lease = lease;
    if (lease == NULL)
        return DREAM_SLOW_OVER;
    spread_if_crowded(a, lease);
    slow = take(a, lease);
    /* When the rate is used up, another lease may bring another share of it. */
    if (is_low(a, lease) || slow != DREAM_SLOW_SPENT)
        a->is_wanted = dream_agent_want(a->metering, a->account, slow == DREAM_SLOW_SPENT ? 1 : a->units);
    return slow;
}

/* A refusal by the server, as long as it counts. */
static bool is_denied(const dream_account *account, int64_t now_ns)
{
    return now_ns < atomic_load_explicit(&account->denied_until_ns, memory_order_acquire);
}

/* Whatever is asked for: nothing is left here that the refusal would not cover. */
static bool is_denied_in_full(const dream_lease *lease, const dream_account *account)
{
    uint64_t word;

    if (lease == NULL)
        return true;
    word = atomic_load_explicit(&lease->main.word, memory_order_relaxed);
    if (atomic_load_explicit(&account->denied_reason, memory_order_relaxed) == DREAMAPI_REASON_RATE)
        return dream_word_calls(word) >= atomic_load_explicit(&lease->main.calls_quota, memory_order_relaxed);
    return atomic_load_explicit(&lease->main.lease, memory_order_relaxed) == 0
           && dream_word_units(word) >= atomic_load_explicit(&lease->main.quota, memory_order_relaxed);
}

static dreamapi_status repeat_denial(dream_metering *metering, const dream_account *account, int64_t now_ns,
                                     dreamapi_decision *out)
{
    dreamapi_reason reason = (dreamapi_reason)atomic_load_explicit(&account->denied_reason, memory_order_relaxed);
    int64_t until_ns = atomic_load_explicit(&account->denied_until_ns, memory_order_relaxed);

    describe_account(metering, account, now_ns, out);
    out->source = DREAMAPI_SOURCE_CACHE; /* the refusal, even if no numbers came with it */
    out->retry_after_ms = until_ns > now_ns ? (until_ns - now_ns) / NS_PER_MS + 1 : 1;
    return refuse(metering, reason, status_of_reason[reason], out);
}

void dream_admit_describe(const dreamapi_meter *meter, const dream_lease *lease, int64_t units,
                          dreamapi_decision *decision)
{
    if (decision == NULL)
        return;
    decision->units = units;
    allow_from_lease(meter->metering, lease, dream_metering_now_ns(meter->metering), decision);
}

static void admitted_slowly(admission *a, const dream_lease *lease)
{
    allow_from_lease(a->metering, lease, a->now_ns, a->out);
    atomic_fetch_add_explicit(&a->metering->slow_admitted, 1, memory_order_relaxed);
}

/* One look under the lock. DREAMAPI_PENDING: nothing is known yet, it is worth waiting. */
static dreamapi_status look(admission *a)
{
    dreamapi_status status = DREAMAPI_PENDING;
    dream_lease *lease;
    dream_slow slow;

    a->is_wanted = false;
    if (atomic_load(&a->metering->is_closed))
        return refuse(a->metering, DREAMAPI_REASON_REFUSED, DREAMAPI_CANCELLED, a->out);
    a->now_ns = dream_metering_now_ns(a->metering);
    if (!dream_journal_lock(a->metering->journal))
        return refuse(a->metering, DREAMAPI_REASON_REFUSED, DREAMAPI_JOURNAL, a->out);
    a->slow = slow = spend_locked(a, &lease);
    if (slow == DREAM_SLOW_SPENT) {
        admitted_slowly(a, lease);
        status = DREAMAPI_OK;
    } else if (is_denied(a->account, a->now_ns)) {
        status = repeat_denial(a->metering, a->account, a->now_ns, a->out);
    } else if (lease == NULL) {
        a->is_wanted = dream_agent_want(a->metering, a->account, a->units);
    }
    dream_journal_unlock(a->metering->journal);
    if (a->is_wanted)
        dream_metering_wake(a->metering);
    return status;
}

static dreamapi_status give_up(admission *a)
{
    dreamapi_status status;
    dreamapi_reason reason = trouble_reason(a->metering, &status);
    const dream_lease *lease = current_of(a->metering, a->account);

    if (a->slow == DREAM_SLOW_RATE && lease != NULL)
        return refuse_rate(a, lease);
    describe_account(a->metering, a->account, a->now_ns, a->out);
    if (a->out->source == DREAMAPI_SOURCE_CACHE)
        a->out->remaining = -1;
    return refuse(a->metering, reason, status, a->out);
}

/* Beyond what is granted, within the bound that the caller chose; billed from the next leases. */
static dreamapi_status allow_beyond(admission *a)
{
    if (!dream_direct_owe(a->meter, a->units))
        return give_up(a);
    describe_account(a->metering, a->account, a->now_ns, a->out);
    a->out->source = DREAMAPI_SOURCE_FALLBACK;
    a->out->allowed = 1;
    a->out->retry_after_ms = 0;
    a->out->max_over = a->meter->params->allow_units;
    atomic_fetch_add_explicit(&a->metering->slow_admitted, 1, memory_order_relaxed);
    return DREAMAPI_OK;
}

/* With a thread the driver works meanwhile; without, this thread does the client's work itself. */
static void wait_a_little(dream_metering *metering, uint32_t seen, int64_t left_ms)
{
    if (metering->client->has_worker)
        dream_journal_wait(metering->journal, seen, left_ms < DRIVE_MS * 5 ? left_ms : DRIVE_MS * 5);
    else
        dream_engine_drive(metering->client, left_ms < DRIVE_MS ? left_ms : DRIVE_MS);
}

/* The server has no leases. */
static dreamapi_status admit_directly(admission *a, int64_t until_ns)
{
    if (a->reservation != NULL)
        return refuse(a->metering, DREAMAPI_REASON_REFUSED, DREAMAPI_UNSUPPORTED, a->out);
    return dream_direct_admit(a->meter, a->units, until_ns, a->out);
}

static dreamapi_status admit_slowly(admission *a)
{
    int64_t until_ns = a->now_ns + a->meter->params->wait_ms * NS_PER_MS;
    dreamapi_status status;

    for (;;) {
        uint32_t seen = dream_journal_events(a->metering->journal);
        if (dream_direct_is_on(a->metering))
            return admit_directly(a, until_ns);
        status = look(a);
        if (status != DREAMAPI_PENDING)
            return status;
        if (a->meter->params->policy == DREAMAPI_POLICY_ALLOW && a->reservation == NULL)
            return allow_beyond(a);
        if (a->meter->params->policy == DREAMAPI_POLICY_DENY || a->now_ns >= until_ns)
            return give_up(a);
        /* Nothing gets better by waiting while the server refuses this client. */
        if (trouble_reason(a->metering, &status) == DREAMAPI_REASON_REFUSED)
            return give_up(a);
        wait_a_little(a->metering, seen, (until_ns - a->now_ns + NS_PER_MS - 1) / NS_PER_MS);
    }
}

/* ---- the fast path ---- */

static dreamapi_status __attribute__((noinline)) admit_with_care(const dreamapi_meter *meter, int64_t units,
                                                                 int64_t now_ns, dreamapi_decision *decision)
{
    dreamapi_decision own;
    dreamapi_decision *out = decision == NULL ? &own : decision;
    admission a = { meter, meter->metering, meter->account, (uint32_t)units, now_ns, out, false, DREAM_SLOW_OVER, NULL, 0 };

    begin_decision(out, units);
    if (dream_client_is_foreign(meter->metering->client) && !dream_metering_adopt(meter->metering))
        return refuse(meter->metering, DREAMAPI_REASON_REFUSED, DREAMAPI_NOMEM, out);
    return admit_slowly(&a);
}

/* Apart, so that the fast path has no decision of its own on its stack. */
static dreamapi_status __attribute__((noinline)) deny_again(const dreamapi_meter *meter, int64_t units, int64_t now_ns,
                                                            dreamapi_decision *decision)
{
    dreamapi_decision own;
    dreamapi_decision *out = decision == NULL ? &own : decision;

    begin_decision(out, units);
    return repeat_denial(meter->metering, meter->account, now_ns, out);
}

/* Spends from the account's current lease. A thread may stand still anywhere in here while the lease is settled and its record
 * taken for another account's: so after the word, and whatever else was read, it is asked once more whether this lease is current
 * and this its fan. If so, all was read of this lease, and should it be gone by the swap, the word's generation has moved on. */
static inline dream_spent spend_current(const dreamapi_meter *meter, uint32_t units, int64_t now_ns, view *out_seen)
{
    const dream_journal *journal = meter->metering->journal;
    const dream_account *account = meter->account;
    dream_line line = atomic_load_explicit(&account->current, memory_order_acquire);
    dream_lease *lease = dream_journal_at(journal, line);
    bool is_clash = false;
    dream_line fan;
    dream_share *share;
    uint64_t word, next;

    if (line == 0)
        return DREAM_SPENT_SLOW;
    fan = atomic_load_explicit(&lease->main.lease, memory_order_acquire);
    share = fan == 0 ? &lease->main : dream_fan_share(journal, fan);
    word = atomic_load_explicit(&share->word, memory_order_acquire);
    for (;;) {
        next = dream_share_next(share, word, units, now_ns);
        if (next == 0)
            return DREAM_SPENT_SLOW;
        if (out_seen != NULL)
            read_lease(lease, out_seen);
        if (atomic_load_explicit(&account->current, memory_order_acquire) != line
            || atomic_load_explicit(&lease->main.lease, memory_order_acquire) != fan)
            return DREAM_SPENT_SLOW;
        if (atomic_compare_exchange_weak_explicit(&share->word, &word, next, memory_order_acq_rel, memory_order_acquire))
            break;
        is_clash = true;
    }
    if (out_seen != NULL) {
        out_seen->line = line;
        if (fan == 0)
            out_seen->spent = dream_word_units(next);
    }
    return is_clash ? DREAM_SPENT_CLASH : DREAM_SPENT;
}

dreamapi_status dream_admit(const dreamapi_meter *meter, int64_t units, dreamapi_decision *decision)
{
    dream_metering *metering = meter->metering;
    dream_account *account = meter->account;
    int64_t now_ns = dream_metering_now_ns(metering);
    view seen;
    dream_spent spent = spend_current(meter, (uint32_t)units, now_ns, decision == NULL ? NULL : &seen);

    if (spent != DREAM_SPENT_SLOW) {
        if (spent == DREAM_SPENT_CLASH)
            atomic_fetch_add_explicit(&account->clash, 1, memory_order_relaxed);
        if (decision != NULL) {
            decision->units = units;
            allow(decision);
            tell_lease(metering, &seen, now_ns, decision);
        }
        return DREAMAPI_OK;
    }
    if (is_denied(account, now_ns) && is_denied_in_full(current_of(metering, account), account))
        return deny_again(meter, units, now_ns, decision);
    return admit_with_care(meter, units, now_ns, decision);
}

/* ---- reservations and checks ---- */

/* Like a use, but the units are set aside instead of spent. */
dreamapi_status dream_admit_reserve(const dreamapi_meter *meter, int64_t units, int64_t hold_ms,
                                    dreamapi_reservation *out_reservation, dreamapi_decision *decision)
{
    dreamapi_decision own;
    dreamapi_decision *out = decision == NULL ? &own : decision;
    admission a = { meter, meter->metering, meter->account, (uint32_t)units, dream_metering_now_ns(meter->metering), out,
                    false, DREAM_SLOW_OVER, out_reservation, hold_ms * NS_PER_MS };

    begin_decision(out, units);
    if (dream_client_is_foreign(meter->metering->client) && !dream_metering_adopt(meter->metering))
        return refuse(meter->metering, DREAMAPI_REASON_REFUSED, DREAMAPI_NOMEM, out);
    return admit_slowly(&a);
}

/* True, with the decision filled, if the current lease has the units. No lock: what was read counts if the lease is still current
 * afterwards. */
static bool has_units(const dreamapi_meter *meter, int64_t units, int64_t now_ns, dreamapi_decision *out)
{
    const dream_metering *metering = meter->metering;
    dream_line line;
    bool is_there;
    view seen;

    do {
        const dream_lease *lease;
        line = atomic_load(&meter->account->current);
        if (line == 0)
            return false;
        lease = dream_journal_at(metering->journal, line);
        read_lease(lease, &seen);
        is_there = now_ns < atomic_load(&lease->ends_at_ns)
                   && dream_lease_spare(metering->journal, lease) >= (uint32_t)units;
    } while (atomic_load(&meter->account->current) != line);
    if (!is_there)
        return false;
    seen.line = 0; /* nothing was counted that could be refunded */
    allow(out);
    tell_lease(metering, &seen, now_ns, out);
    return true;
}

dreamapi_status dream_admit_check(const dreamapi_meter *meter, int64_t units, dreamapi_decision *decision)
{
    dream_metering *metering = meter->metering;
    int64_t now_ns = dream_metering_now_ns(metering);
    dreamapi_decision own;
    dreamapi_decision *out = decision == NULL ? &own : decision;
    dreamapi_status status;

    begin_decision(out, units);
    if (has_units(meter, units, now_ns, out))
        return DREAMAPI_OK;
    if (is_denied(meter->account, now_ns))
        return repeat_denial(metering, meter->account, now_ns, out);
    if (dream_direct_is_on(metering))
        return dream_direct_check(meter, units, now_ns, out);
    describe_account(metering, meter->account, now_ns, out);
    out->reason = trouble_reason(metering, &status);
    return status;
}

/* ---- for direct.c ---- */

void dream_admit_from_account(const dream_metering *metering, const dream_account *account, int64_t now_ns,
                              dreamapi_decision *out)
{
    describe_account(metering, account, now_ns, out);
}

dreamapi_status dream_admit_refuse(dream_metering *metering, dreamapi_reason reason, dreamapi_status status,
                                   dreamapi_decision *out)
{
    return refuse(metering, reason, status, out);
}

dreamapi_status dream_admit_repeat(dream_metering *metering, const dream_account *account, int64_t now_ns,
                                   dreamapi_decision *out)
{
    return repeat_denial(metering, account, now_ns, out);
}
