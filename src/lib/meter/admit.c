/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c - the answer to "may this user do this now?".
 *
 * The fast path is one pass through dream_share_spend on the account's current lease: no lock, no system call, no allocation. All else
 * is slow: the lease is low, over or missing, its rate's window turns, or other threads are in the way. A refusal that
 * the server gave is remembered in the account for a second, and repeated from there as fast as an admission. */
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "lib/engine.h"
#include "lib/meter/metering.h"

enum { NS_PER_MS = 1000000, CLASHES_TO_FAN_OUT = 256, DRIVE_MS = 20 };

#define INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
/* No array is on the stack of the fast path, nothing that could be overrun: a guard there would guard nothing. */
#if defined(__has_attribute)
#if __has_attribute(no_stack_protector)
#define BARE __attribute__((no_stack_protector))
#endif
#endif
#ifndef BARE
#define BARE
#endif

static dream_line line_of(const dream_metering *metering, const void *record)
{
    return dream_journal_line(metering->journal, record);
}

static dream_lease *current_of(const dream_metering *metering, const dream_account *account)
{
    dream_line line = atomic_load_explicit(&account->current, memory_order_acquire);

    return line == 0 ? NULL : dream_journal_at(metering->journal, line);
}

/* Of a use, which has the journal's base at hand. */
static inline void *at(const unsigned char *base, dream_line line)
{
    return (void *)(base + (size_t)line * DREAM_LINE);
}

static inline const char *plan_text(const unsigned char *base, dream_line plan)
{
    return plan == 0 ? "" : ((const dream_text_record *)at(base, plan))->text;
}

/* ---- what is said about it ---- */

/* Two fields that lie side by side, for one store. A decision is as long as two lines, and the swap of the next admission waits
 * until all of it is on its way: half the stores are half the wait. */
typedef int64_t pair __attribute__((vector_size(16)));
/* Makes the compiler have it in a register by now: left alone it keeps the many words that pairs are made of until after the swap,
 * on the stack. */
#if defined(__x86_64__)
#define KEEP(both) __asm__ volatile("" : "+x"(both))
#elif defined(__aarch64__)
#define KEEP(both) __asm__ volatile("" : "+w"(both))
#else
#define KEEP(both) (void)0
#endif
/* Two ints as they lie in the struct. */
#define INTS(first, second) ((int64_t)(first) | (int64_t)(second) << 32)

/* A decision that allows, to be written. What it tells of a lease is read before the swap that admits: afterwards the record may be
 * another lease's already. */
typedef struct telling {
    pair allowed_to_reserved, units_plan, limit_used, remaining_retry, age_over, token;
    uint64_t last_token;
} telling;

/* Exact with one share. With a fan, what other threads spent is summed up on the slow path only: looking at their shares each time
 * would cost what the fan saves. */
static inline uint32_t spent_of(const dream_lease *lease)
{
    return atomic_load_explicit(&lease->main.lease, memory_order_acquire) == 0
               ? dream_word_units(atomic_load_explicit(&lease->main.word, memory_order_acquire))
               : atomic_load_explicit(&lease->spent_seen, memory_order_acquire);
}

typedef struct spending {
    dream_line line; /* of the lease; 0: nothing that could be refunded */
    uint32_t spent;  /* of it, these units included */
    int64_t units;
    int64_t now_ns;
} spending;

/* Each load is an acquire, so that whoever looks at account->current afterwards knows that all of it was this lease's. */
static INLINE void read_lease(const unsigned char *base, const dream_lease *lease, const spending *of, telling *out)
{
    const _Atomic int64_t *id = (const _Atomic int64_t *)(const void *)lease->lease_id;
    int64_t spent = of->spent;
    int64_t granted = atomic_load_explicit(&lease->granted, memory_order_acquire);
    int64_t remaining = atomic_load_explicit(&lease->left_elsewhere, memory_order_acquire);
    int64_t age_ns = of->now_ns - atomic_load_explicit(&lease->granted_at_ns, memory_order_acquire);
    const char *plan = plan_text(base, atomic_load_explicit(&lease->plan, memory_order_acquire));

    if (remaining != DREAMAPI_UNLIMITED && granted > spent)
        remaining += granted - spent;
    out->remaining_retry = (pair){ remaining, 0 };
    KEEP(out->remaining_retry);
    out->age_over = (pair){ age_ns / NS_PER_MS, 0 };
    KEEP(out->age_over);
    out->units_plan = (pair){ of->units, (intptr_t)plan };
    KEEP(out->units_plan);
    out->limit_used = (pair){ atomic_load_explicit(&lease->limit, memory_order_acquire),
                              atomic_load_explicit(&lease->used_before, memory_order_acquire) + spent };
    KEEP(out->limit_used);
    out->token = (pair){ of->line, atomic_load_explicit(&id[0], memory_order_acquire) };
    KEEP(out->token);
    out->allowed_to_reserved = (pair){ INTS(1, DREAMAPI_REASON_NONE), INTS(DREAMAPI_SOURCE_LEASE, 0) };
    out->last_token = (uint64_t)atomic_load_explicit(&id[1], memory_order_acquire);
}

static INLINE void put(dreamapi_decision *out, size_t at, pair both)
{
    memcpy((char *)out + at, &both, sizeof(both));
}
#define PUT(out, first, second, both)                                                                                  \
    do {                                                                                                               \
        _Static_assert(offsetof(dreamapi_decision, first) + 8 == offsetof(dreamapi_decision, second), "neighbours");   \
        put(out, offsetof(dreamapi_decision, first), both);                                                            \
    } while (0)

static INLINE void tell(const telling *told, dreamapi_decision *out)
{
    PUT(out, allowed, source, told->allowed_to_reserved);
    PUT(out, units, plan, told->units_plan);
    PUT(out, limit, used, told->limit_used);
    PUT(out, remaining, retry_after_ms, told->remaining_retry);
    PUT(out, age_ms, max_over, told->age_over);
    PUT(out, refund_token[0], refund_token[1], told->token);
    out->refund_token[2] = told->last_token;
}

/* The journal's lock is held. */
static void tell_of_lease(const dream_metering *metering, const dream_lease *lease, int64_t now_ns,
                          dreamapi_decision *out)
{
    spending of = { line_of(metering, lease), spent_of(lease), out->units, now_ns };
    telling told;

    read_lease(metering->journal->base, lease, &of, &told);
    tell(&told, out);
}

static void describe_account(const dream_metering *metering, const dream_account *account, int64_t now_ns,
                             dreamapi_decision *out)
{
    int64_t answered_ns = atomic_load_explicit(&account->answered_at_ns, memory_order_relaxed);

    if (answered_ns == 0)
        return;
    out->source = DREAMAPI_SOURCE_CACHE;
    out->plan = plan_text(metering->journal->base, atomic_load_explicit(&account->plan, memory_order_relaxed));
    out->limit = atomic_load_explicit(&account->limit, memory_order_relaxed);
    out->used = atomic_load_explicit(&account->used, memory_order_relaxed);
    out->remaining = atomic_load_explicit(&account->left, memory_order_relaxed);
    out->age_ms = (now_ns - answered_ns) / NS_PER_MS;
}

/* Not as a whole struct: for that compilers call for a block of zeros, which takes longer than the admission. */
static INLINE void begin_decision(dreamapi_decision *out, int64_t units)
{
    PUT(out, allowed, source, ((pair){ INTS(0, DREAMAPI_REASON_NONE), INTS(DREAMAPI_SOURCE_NONE, 0) }));
    PUT(out, units, plan, ((pair){ units, (intptr_t) "" }));
    PUT(out, limit, used, ((pair){ -1, -1 }));
    PUT(out, remaining, retry_after_ms, ((pair){ -1, -1 }));
    PUT(out, age_ms, max_over, ((pair){ -1, 0 }));
    PUT(out, refund_token[0], refund_token[1], ((pair){ 0, 0 }));
    out->refund_token[2] = 0;
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
    case DREAMAPI_OK:
        return DREAMAPI_REASON_EMPTY;
    case DREAMAPI_AUTH:
    case DREAMAPI_FORBIDDEN:
    case DREAMAPI_SUBSCRIPTION_EXPIRED:
    case DREAMAPI_TOKEN_REQUIRED:
    case DREAMAPI_UNSUPPORTED:
    case DREAMAPI_TLS:
    case DREAMAPI_CONFLICT:
    case DREAMAPI_JOURNAL:
        *out_status = trouble;
        return DREAMAPI_REASON_REFUSED;
    default:
        *out_status = DREAMAPI_UNAVAILABLE;
        return DREAMAPI_REASON_UNAVAILABLE;
    }
}

static void count_denial(dream_metering *metering, dreamapi_reason reason)
{
    atomic_fetch_add_explicit(&metering->denied[reason], 1, memory_order_relaxed);
}

static dreamapi_status refuse(dream_metering *metering, dreamapi_reason reason, dreamapi_status status,
                              dreamapi_decision *out)
{
    count_denial(metering, reason);
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
    bool is_wanted;                    /* the agent has something new to do */
    dream_slow slow;                   /* what the lease said last */
    dreamapi_reservation *reservation; /* NULL: spend at once */
    int64_t hold_ns;
} admission;

/* The rate of a lease is used up for this window, and no other lease came. */
static dreamapi_status refuse_rate(admission *a, const dream_lease *lease)
{
    tell_of_lease(a->metering, lease, a->now_ns, a->out);
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
    tell_of_lease(meter->metering, lease, dream_metering_now_ns(meter->metering), decision);
}

static void admitted_slowly(admission *a, const dream_lease *lease)
{
    tell_of_lease(a->metering, lease, a->now_ns, a->out);
    /* What is set aside is not counted: nothing that could be refunded. */
    if (a->reservation != NULL)
        a->out->refund_token[0] = 0;
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

static dreamapi_status NOINLINE admit_with_care(const dreamapi_meter *meter, int64_t units, int64_t now_ns,
                                                dreamapi_decision *decision)
{
    dreamapi_decision own;
    dreamapi_decision *out = decision == NULL ? &own : decision;
    admission a = { meter, meter->metering, meter->account, (uint32_t)units, now_ns, out, false, DREAM_SLOW_OVER, NULL,
                    0 };

    begin_decision(out, units);
    if (dream_client_is_foreign(meter->metering->client) && !dream_metering_adopt(meter->metering))
        return refuse(meter->metering, DREAMAPI_REASON_REFUSED, DREAMAPI_NOMEM, out);
    return admit_slowly(&a);
}

static dreamapi_status deny_again(const dreamapi_meter *meter, int64_t units, int64_t now_ns, dreamapi_decision *out)
{
    dreamapi_reason reason;

    if (out != NULL) {
        begin_decision(out, units);
        return repeat_denial(meter->metering, meter->account, now_ns, out);
    }
    reason = (dreamapi_reason)atomic_load_explicit(&meter->account->denied_reason, memory_order_relaxed);
    count_denial(meter->metering, reason);
    return status_of_reason[reason];
}

static dreamapi_status NOINLINE admit_otherwise(const dreamapi_meter *meter, int64_t units, int64_t now_ns,
                                                dreamapi_decision *decision)
{
    const dream_account *account = meter->account;

    if (is_denied(account, now_ns) && is_denied_in_full(current_of(meter->metering, account), account))
        return deny_again(meter, units, now_ns, decision);
    return admit_with_care(meter, units, now_ns, decision);
}

/* One try at a share of the account's current lease. A thread may stand still anywhere in here while the lease is settled and its
 * record taken for another account's: so after the word, and whatever else was read, it is asked once more whether this lease is
 * current and this its fan. If so, all was read of this lease, and should it be gone by the swap, the word's generation has moved on.
 * What is to be told is read before the swap, and written after it, as a swap waits for the writes before it. */
typedef struct target {
    dream_lease *lease;
    dream_share *share;
    dream_line line, fan;
} target;

static INLINE dream_spent try_to_spend(const dreamapi_meter *meter, const target *from, int64_t units, int64_t now_ns,
                                       dreamapi_decision *out)
{
    uint64_t word = atomic_load_explicit(&from->share->word, memory_order_acquire);
    uint64_t next = dream_share_next(from->share, word, (uint32_t)units, now_ns);
    spending of = { from->line, dream_word_units(next), units, now_ns };
    telling told;

    if (next == 0)
        return DREAM_SPENT_SLOW;
    if (from->fan != 0 && out != NULL)
        of.spent = atomic_load_explicit(&from->lease->spent_seen, memory_order_acquire);
    if (out != NULL)
        read_lease(meter->base, from->lease, &of, &told);
    if (atomic_load_explicit(&meter->account->current, memory_order_acquire) != from->line
        || atomic_load_explicit(&from->lease->main.lease, memory_order_acquire) != from->fan)
        return DREAM_SPENT_SLOW;
    if (!atomic_compare_exchange_strong_explicit(&from->share->word, &word, next, memory_order_acq_rel,
                                                 memory_order_acquire))
        return DREAM_SPENT_CLASH;
    if (out != NULL)
        tell(&told, out);
    return DREAM_SPENT;
}

/* What the account's current lease is, and which share of it is this thread's; false if there is none. */
static INLINE bool aim(const dreamapi_meter *meter, target *out)
{
    out->line = atomic_load_explicit(&meter->account->current, memory_order_acquire);
    if (out->line == 0)
        return false;
    out->lease = at(meter->base, out->line);
    out->fan = atomic_load_explicit(&out->lease->main.lease, memory_order_acquire);
    out->share = out->fan == 0 ? &out->lease->main : dream_fan_share(meter->metering->journal, out->fan);
    return true;
}

/* Another thread got in between. */
static dreamapi_status NOINLINE admit_after_clash(const dreamapi_meter *meter, int64_t units, int64_t now_ns,
                                                  dreamapi_decision *decision)
{
    target from;
    dream_spent spent = DREAM_SPENT_SLOW;

    atomic_fetch_add_explicit(&meter->account->clash, 1, memory_order_relaxed);
    if (aim(meter, &from)) {
        do
            spent = try_to_spend(meter, &from, units, now_ns, decision);
        while (spent == DREAM_SPENT_CLASH);
    }
    return spent == DREAM_SPENT ? DREAMAPI_OK : admit_otherwise(meter, units, now_ns, decision);
}

/* The fast path. Whatever does not go straight on leaves it, so that it needs few registers. */
static INLINE dreamapi_status admit(const dreamapi_meter *meter, int64_t units, dreamapi_decision *decision)
{
    int64_t now_ns = dream_metering_now_ns(meter->metering);
    target from;

    if (!aim(meter, &from))
        return admit_otherwise(meter, units, now_ns, decision);
    switch (try_to_spend(meter, &from, units, now_ns, decision)) {
    case DREAM_SPENT:
        return DREAMAPI_OK;
    case DREAM_SPENT_CLASH:
        return admit_after_clash(meter, units, now_ns, decision);
    case DREAM_SPENT_SLOW:
        break;
    }
    return admit_otherwise(meter, units, now_ns, decision);
}

/* Apart: what a decision needs in registers, a use without one does not pay for. */
static dreamapi_status NOINLINE BARE admit_quietly(const dreamapi_meter *meter, int64_t units)
{
    return admit(meter, units, NULL);
}

static dreamapi_status NOINLINE BARE admit_and_tell(const dreamapi_meter *meter, int64_t units,
                                                    dreamapi_decision *decision)
{
    if (decision == NULL) /* as dream_admit knows */
        __builtin_unreachable();
    return admit(meter, units, decision);
}

dreamapi_status dream_admit(const dreamapi_meter *meter, int64_t units, dreamapi_decision *decision)
{
    return decision == NULL ? admit_quietly(meter, units) : admit_and_tell(meter, units, decision);
}

/* ---- reservations and checks ---- */

/* Like a use, but the units are set aside instead of spent. */
dreamapi_status dream_admit_reserve(const dreamapi_meter *meter, int64_t units, int64_t hold_ms,
                                    dreamapi_reservation *out_reservation, dreamapi_decision *decision)
{
    dreamapi_decision own;
    dreamapi_decision *out = decision == NULL ? &own : decision;
    admission a = { meter, meter->metering, meter->account,  (uint32_t)units, dream_metering_now_ns(meter->metering),
                    out,   false,           DREAM_SLOW_OVER, out_reservation, hold_ms * NS_PER_MS };

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
    spending of;
    telling told;

    do {
        const dream_lease *lease;
        line = atomic_load(&meter->account->current);
        if (line == 0)
            return false;
        lease = dream_journal_at(metering->journal, line);
        /* Line 0: nothing was counted that could be refunded. */
        of = (spending){ 0, spent_of(lease), units, now_ns };
        read_lease(meter->base, lease, &of, &told);
        is_there =
            now_ns < atomic_load(&lease->ends_at_ns) && dream_lease_spare(metering->journal, lease) >= (uint32_t)units;
    } while (atomic_load(&meter->account->current) != line);
    if (!is_there)
        return false;
    tell(&told, out);
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
