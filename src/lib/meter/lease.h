/* SPDX-License-Identifier: Apache-2.0 */
/* lease.h - a lease in the journal: spending from it, dividing it among threads, setting units aside, ending it.
 *
 * At every moment the quotas of a lease's shares and the units of its open reservations come to at most what was granted; what
 * was admitted is the sum of the counts. All functions but dream_share_spend want the journal's lock. */
#ifndef DREAM_LIB_METER_LEASE_H
#define DREAM_LIB_METER_LEASE_H

#include "lib/meter/journal.h"

typedef enum dream_spent {
    DREAM_SPENT,
    DREAM_SPENT_SLOW, /* something is to be looked at first: time, quota, rate, a seal */
    DREAM_SPENT_CLASH /* admitted, but other threads got in between */
} dream_spent;

/* What the word becomes when `units` are admitted; 0: something is to be looked at first. */
static inline uint64_t dream_share_next(const dream_share *share, uint64_t word, uint32_t units, int64_t now_ns)
{
    uint64_t step = (uint64_t)atomic_load_explicit(&share->call_step, memory_order_relaxed) * DREAM_CALL;

    if ((word & DREAM_SEALED) != 0
        || (uint64_t)dream_word_units(word) + units > atomic_load_explicit(&share->attention, memory_order_relaxed)
        || now_ns >= atomic_load_explicit(&share->slow_at_ns, memory_order_relaxed)
        || (step != 0 && dream_word_calls(word) >= atomic_load_explicit(&share->calls_quota, memory_order_relaxed)))
        return 0;
    return word + units + step;
}

/* Admits `units` from a share that surely is still the lease's: its journal's lock is held, or nobody can free it. */
static inline dream_spent dream_share_spend(dream_share *share, uint32_t units, int64_t now_ns)
{
    uint64_t word = atomic_load_explicit(&share->word, memory_order_acquire);
    bool is_clash = false;
    uint64_t next;

    for (;;) {
        next = dream_share_next(share, word, units, now_ns);
        if (next == 0)
            return DREAM_SPENT_SLOW;
        if (atomic_compare_exchange_weak_explicit(&share->word, &word, next, memory_order_acq_rel,
                                                  memory_order_acquire))
            return is_clash ? DREAM_SPENT_CLASH : DREAM_SPENT;
        is_clash = true;
    }
}

typedef enum dream_slow {
    DREAM_SLOW_SPENT,
    DREAM_SLOW_EMPTY, /* too few units left */
    DREAM_SLOW_RATE,  /* no call left in this window */
    DREAM_SLOW_OVER   /* sealed, or past its end */
} dream_slow;

/* The same with everything looked at: moves the rate's window on, gathers units from other threads' shares. `share` is
 * one of the lease's. */
dream_slow dream_lease_spend(dream_journal *journal, dream_lease *lease, dream_share *share, uint32_t units,
                             int64_t now_ns);
/* Both of the sums below in one pass over the shares. */
typedef struct dream_tally {
    uint32_t spare;
    uint32_t admitted;
} dream_tally;
dream_tally dream_lease_tally(const dream_journal *journal, const dream_lease *lease);
/* Units that can still be spent. */
uint32_t dream_lease_spare(const dream_journal *journal, const dream_lease *lease);
/* Units spent, those of ended reservations included. */
uint32_t dream_lease_admitted(const dream_journal *journal, const dream_lease *lease);
/* Milliseconds until a call fits the rate again. */
int64_t dream_lease_rate_wait_ms(const dream_lease *lease, int64_t now_ns);

/* True once, from the time on at which the next lease should be asked for. */
bool dream_lease_wants_refill(dream_lease *lease, int64_t now_ns);

/* From a grant; `lease` was pending and becomes active. */
typedef struct dream_grant {
    uint32_t granted;
    int64_t ends_at_ns;
    int64_t granted_at_ns;
    int64_t limit;
    int64_t used;
    int64_t left;
    int32_t period_start_day;
    int32_t period_end_day;
    dream_line plan;
    uint32_t window_ms; /* 0: no rate */
    uint32_t rate_calls;
    int64_t edge_ns;
    uint32_t edge_width_ms;
    unsigned char lease_id[16];
} dream_grant;
void dream_lease_install(dream_lease *lease, const dream_grant *grant, dream_account *account);
void dream_lease_set_id(dream_lease *lease, const unsigned char id[16]);
/* Takes units off the debt, unless it was lowered since it had this generation. */
void dream_account_lower_debt(dream_account *account, uint32_t units, uint32_t generation);

/* Gives the lease a share for each of many threads. False without room; a lease with a rate has one share. */
bool dream_lease_fan_out(dream_journal *journal, dream_lease *lease);
/* This thread's share of a fan. */
dream_share *dream_fan_share(const dream_journal *journal, dream_line fan);
/* The share that this thread spends from. */
dream_share *dream_lease_share(const dream_journal *journal, dream_lease *lease);

/* Sets units aside; takes a call of the rate. `*out_line` is the reservation; its slow_at_ns is a serial number. */
dream_slow dream_lease_reserve(dream_journal *journal, dream_lease *lease, uint32_t units, int64_t until_ns,
                               int64_t now_ns, dream_line *out_line);
/* Books up to its units and ends it; false if it was ended before. What is not booked can be spent again. */
bool dream_reservation_end(dream_journal *journal, dream_share *reservation, uint32_t units);

/* Nothing is spent from it any more. */
void dream_lease_seal(dream_journal *journal, dream_lease *lease);
/* True once its counts cannot change: sealed, and no reservation of a living owner is open. Ends the others. */
bool dream_lease_is_final(dream_journal *journal, dream_lease *lease, int64_t now_ns);
/* When the first of its open reservations is over; INT64_MAX if there is none. */
int64_t dream_lease_overdue_at_ns(const dream_journal *journal, const dream_lease *lease);
/* Finishes or forgets a fold and a turn of the rate's window that a killed process began. */
void dream_lease_mend(dream_journal *journal, dream_lease *lease);
/* Frees the lease and all that hangs on it. */
void dream_lease_free(dream_journal *journal, dream_lease *lease);

/* Takes units back; false once the lease was reported as final. Any thread, no lock. */
bool dream_lease_refund(dream_lease *lease, uint32_t units);
uint32_t dream_lease_refunded(const dream_lease *lease);
/* From here on refunds are events of their own. */
void dream_lease_close_refunds(dream_lease *lease);

#endif
