/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - the slow path of a lease, under the journal's lock, while other threads go on spending from it without one.
 *
 * Why a quota is lowered the way `carve` does it, and why counts are moved the way `fold` does it, is in record.h: after a
 * kill at any point, no unit was admitted that no count shows, and no count shows a unit twice. */
#include "lib/meter/lease.h"

#include <string.h>

#include "common/rule.h"

#include "lib/meter/point.h"

/* A refill is asked for when a quarter of the units, or a third of the time, is left. */
enum { NS_PER_MS = 1000000, LOW_WATER_PART = 4, REFILL_PART = 3 };

static dream_share *share_at(const dream_journal *journal, dream_line line)
{
    return dream_journal_at(journal, line);
}

/* ---- shares ---- */

static _Atomic uint32_t next_thread;
static _Thread_local uint32_t this_thread __attribute__((tls_model("initial-exec")));

static uint32_t thread_number(void)
{
    if (this_thread == 0)
        this_thread = 1 + atomic_fetch_add_explicit(&next_thread, 1, memory_order_relaxed) % 0x10000;
    return this_thread;
}

dream_share *dream_fan_share(const dream_journal *journal, dream_line fan)
{
    return share_at(journal, fan + thread_number() % DREAM_FAN);
}

dream_share *dream_lease_share(const dream_journal *journal, dream_lease *lease)
{
    dream_line fan = atomic_load_explicit(&lease->main.lease, memory_order_acquire);

    return fan == 0 ? &lease->main : dream_fan_share(journal, fan);
}

static uint32_t spare_of(const dream_share *share)
{
    uint64_t word = atomic_load(&share->word);
    uint32_t quota = atomic_load(&share->quota);

    return (word & DREAM_SEALED) != 0 || quota < dream_word_units(word) ? 0 : quota - dream_word_units(word);
}

/* Takes up to `units` of what the share may still spend away from it. Returns how many. `call_step` also takes a call of its rate. */
static uint32_t carve(dream_share *share, uint32_t units, uint64_t call_step)
{
    uint64_t word = atomic_load(&share->word);
    uint32_t quota = atomic_load(&share->quota);
    uint32_t attention = atomic_load(&share->attention);
    uint32_t taken;

    for (;;) {
        if ((word & DREAM_SEALED) != 0 || quota <= dream_word_units(word)
            || (call_step != 0 && dream_word_calls(word) >= atomic_load(&share->calls_quota)))
            return 0;
        taken = quota - dream_word_units(word);
        if (taken > units)
            taken = units;
        if (attention > quota - taken)
            atomic_store(&share->attention, quota - taken);
        atomic_store(&share->quota, quota - taken);
        DREAM_POINT(carve_lowered);
        if (atomic_compare_exchange_strong(&share->word, &word, dream_word_next_generation(word) + call_step)) {
            DREAM_POINT(carve_taken);
            return taken;
        }
        /* Somebody spent meanwhile. Until the swap succeeds they may have gone by either quota, so start over. */
        atomic_store(&share->quota, quota);
        atomic_store(&share->attention, attention);
    }
}

static void raise_quota(dream_share *share, uint32_t units, bool is_noticed)
{
    uint32_t quota = atomic_load(&share->quota) + units;

    atomic_store(&share->quota, quota);
    DREAM_POINT(raise_begun);
    if (!is_noticed)
        atomic_store(&share->attention, quota);
}

typedef void each_share(dream_share *share, void *context);

static void for_shares(const dream_journal *journal, const dream_lease *lease, each_share *act, void *context)
{
    dream_line fan = atomic_load(&lease->main.lease);

    act((dream_share *)&lease->main, context);
    for (uint32_t i = 0; fan != 0 && i < DREAM_FAN; i++)
        act(share_at(journal, fan + i), context);
}

static void add_share(dream_share *share, void *sum)
{
    dream_tally *tally = sum;

    tally->spare += spare_of(share);
    tally->admitted += dream_word_units(atomic_load(&share->word));
}

dream_tally dream_lease_tally(const dream_journal *journal, const dream_lease *lease)
{
    dream_tally sum = { 0, 0 };

    for_shares(journal, lease, add_share, &sum);
    for (dream_line line = atomic_load(&lease->reservations); line != 0;
         line = atomic_load(&share_at(journal, line)->next))
        sum.admitted += dream_word_units(atomic_load(&share_at(journal, line)->word));
    return sum;
}

uint32_t dream_lease_spare(const dream_journal *journal, const dream_lease *lease)
{
    dream_tally sum = { 0, 0 };

    for_shares(journal, lease, add_share, &sum); /* no list: a thread without the lock may ask */
    return sum.spare;
}

uint32_t dream_lease_admitted(const dream_journal *journal, const dream_lease *lease)
{
    return dream_lease_tally(journal, lease).admitted;
}

bool dream_lease_fan_out(dream_journal *journal, dream_lease *lease)
{
    dream_line line;

    if (lease->window_ms != 0 || atomic_load(&lease->main.lease) != 0)
        return false;
    line = dream_journal_take(journal, DREAM_TAG_FAN, DREAM_FAN * DREAM_LINE);
    if (line == 0)
        return false;
    for (uint32_t i = 0; i < DREAM_FAN; i++) {
        dream_share *share = share_at(journal, line + i);
        share->lease = dream_journal_line(journal, lease);
        atomic_store(&share->slow_at_ns, lease->ends_at_ns);
        atomic_store(&share->word, atomic_load(&share->word) & DREAM_GENERATIONS);
    }
    DREAM_POINT(fan_filled);
    atomic_store(&lease->main.lease, line);
    DREAM_POINT(fan_named);
    return true;
}

struct gathering {
    dream_share *into;
    uint32_t wanted;
    uint32_t taken;
};

static void gather_from(dream_share *share, void *context)
{
    struct gathering *gathering = context;

    if (share != gathering->into && gathering->taken < gathering->wanted)
        gathering->taken += carve(share, gathering->wanted - gathering->taken, 0);
}

/* Moves units to `share` from the others, which have `spare` units together with it, so that it can spend `units` and some more. */
static void gather(dream_journal *journal, dream_lease *lease, dream_share *share, uint32_t units, uint32_t spare)
{
    uint32_t part = spare / DREAM_FAN;
    uint32_t own = spare_of(share);
    struct gathering gathering = { share, part > units ? part : units, own };

    if (gathering.wanted <= own)
        return;
    for_shares(journal, lease, gather_from, &gathering);
    DREAM_POINT(gather_taken);
    raise_quota(share, gathering.taken - own, false);
}

/* ---- the rate ---- */

/* What a turn that was begun and not counted leaves; whether its swap was done, the generation tells. */
static uint32_t turn_mark(const dream_lease *lease)
{
    return UINT32_C(1) << 31 | (lease->rate_turns & 0xFFFFF) << 11
           | (uint32_t)((atomic_load(&lease->main.word) & DREAM_GENERATIONS) >> 52);
}

static bool is_at_edge(const dream_lease *lease)
{
    return lease->rate_turns % 2 != 0;
}

/* When the window turns next: into where it may be this or the next, or out of there. */
static int64_t next_turn_ns(const dream_lease *lease)
{
    return lease->edge_ns + (int64_t)(lease->rate_turns / 2) * lease->window_ms * NS_PER_MS
           + (is_at_edge(lease) ? (int64_t)lease->edge_width_ms * NS_PER_MS : 0);
}

/* Counts calls from none again. `is_shared`: those that follow count against the window that ends, too; else those taken
 * so far already count against the one that begins. Computed from the very word that is replaced, so none slips between. */
static void restart_calls(dream_share *share, uint32_t calls, bool is_shared)
{
    uint64_t word = atomic_load(&share->word);
    uint32_t before = atomic_load(&share->calls_quota);
    uint32_t taken;
    uint32_t left;

    do {
        taken = dream_word_calls(word);
        left = is_shared ? (before > taken ? before - taken : 0) : calls > taken ? calls - taken : 0;
        atomic_store(&share->calls_quota, left < calls ? left : calls);
        DREAM_POINT(calls_lowered);
        if (is_shared && !DREAM_RULE(edge_counts_twice))
            atomic_store(&share->calls_quota, calls);
    } while ((word & DREAM_SEALED) == 0
             && !atomic_compare_exchange_strong(&share->word, &word, dream_word_next_generation(word) & ~DREAM_CALLS));
}

static uint32_t calls_left(const dream_share *share)
{
    uint32_t taken = dream_word_calls(atomic_load(&share->word));
    uint32_t quota = atomic_load(&share->calls_quota);

    return quota > taken ? quota - taken : 0;
}

static void set_slow_at(dream_lease *lease)
{
    int64_t at_ns = lease->ends_at_ns < lease->refill_at_ns ? lease->ends_at_ns : lease->refill_at_ns;
    int64_t turn_ns = next_turn_ns(lease);

    atomic_store(&lease->main.slow_at_ns, lease->window_ms != 0 && turn_ns < at_ns ? turn_ns : at_ns);
}

/* The server's windows turn somewhere between an edge and edge_width_ms later. In between a call counts against both, the one that
 * ends and the one that begins. */
static void turn_windows(dream_lease *lease, int64_t now_ns)
{
    while (lease->window_ms != 0 && now_ns >= next_turn_ns(lease)) {
        lease->turning = turn_mark(lease);
        DREAM_POINT(turn_begun);
        restart_calls(&lease->main, lease->rate_calls, !is_at_edge(lease));
        DREAM_POINT(turn_restarted);
        lease->rate_turns++;
        DREAM_POINT(turn_counted);
        lease->turning = 0;
    }
    set_slow_at(lease);
}

bool dream_lease_wants_refill(dream_lease *lease, int64_t now_ns)
{
    if (now_ns < lease->refill_at_ns)
        return false;
    lease->refill_at_ns = INT64_MAX;
    set_slow_at(lease);
    return true;
}

int64_t dream_lease_rate_wait_ms(const dream_lease *lease, int64_t now_ns)
{
    int64_t at_ns = next_turn_ns(lease) + (is_at_edge(lease) ? 0 : (int64_t)lease->edge_width_ms * NS_PER_MS);

    return at_ns <= now_ns ? 1 : (at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
}

/* ---- reservations that end ---- */

static void unlink_reservation(dream_journal *journal, dream_lease *lease, dream_line line)
{
    dream_line next = atomic_load(&share_at(journal, line)->next);
    dream_line at = atomic_load(&lease->reservations);

    if (at == line) {
        atomic_store(&lease->reservations, next);
        return;
    }
    while (at != 0 && atomic_load(&share_at(journal, at)->next) != line)
        at = atomic_load(&share_at(journal, at)->next);
    if (at != 0)
        atomic_store(&share_at(journal, at)->next, next);
}

/* Moves the booked units of an ended reservation into the lease's own count, so that its record can serve again. */
static void fold(dream_journal *journal, dream_lease *lease, dream_share *reservation)
{
    uint64_t word = atomic_load(&lease->main.word);
    uint32_t units = dream_word_units(atomic_load(&reservation->word));

    do {
        if ((word & DREAM_SEALED) != 0) {
            lease->fold_share = 0;
            return; /* stays where it is, and is summed up with the rest */
        }
        atomic_store(&lease->fold_from, word);
        DREAM_POINT(fold_noted);
        lease->fold_share = dream_journal_line(journal, reservation);
        DREAM_POINT(fold_begun);
    } while (!atomic_compare_exchange_strong(&lease->main.word, &word, dream_word_next_generation(word) + units));
    DREAM_POINT(fold_counted);
    atomic_store(&reservation->word, DREAM_SEALED);
    DREAM_POINT(fold_sealed);
    lease->fold_share = 0;
    DREAM_POINT(fold_over);
    /* Only now: the count is there, so the room for it and for what was not booked may follow. */
    raise_quota(&lease->main, atomic_load(&reservation->quota), true);
    DREAM_POINT(fold_raised);
    unlink_reservation(journal, lease, dream_journal_line(journal, reservation));
    DREAM_POINT(fold_unlinked);
    dream_journal_give(journal, dream_journal_line(journal, reservation));
}

/* Ends, with nothing, reservations whose time is over, and those of dead owners once the lease is sealed (asking for them
 * takes too long to be done at each use). True if none is open. */
static bool end_overdue(dream_journal *journal, dream_lease *lease, int64_t now_ns)
{
    bool is_sealed = atomic_load(&lease->state) == DREAM_LEASE_SEALED;
    bool is_none_open = true;
    dream_line line = atomic_load(&lease->reservations);

    while (line != 0) {
        dream_share *reservation = share_at(journal, line);
        uint64_t open = 0;
        line = atomic_load(&reservation->next);
        if (atomic_load(&reservation->word) != 0)
            continue;
        if (now_ns < reservation->until_ns && DREAM_RULE(reservation_pins)
            && !(is_sealed && dream_process_is_dead(journal, reservation->owner_pid, reservation->owner_start))) {
            is_none_open = false;
            continue;
        }
        if (atomic_compare_exchange_strong(&reservation->word, &open, DREAM_SEALED))
            fold(journal, lease, reservation);
    }
    return is_none_open;
}

/* ---- spending ---- */

/* Units that can be spent; overdue reservations are ended if that is too few. */
static uint32_t make_room(dream_journal *journal, dream_lease *lease, uint32_t units, int64_t now_ns)
{
    uint32_t spare = dream_lease_spare(journal, lease);

    if (spare >= units)
        return spare;
    (void)end_overdue(journal, lease, now_ns);
    return dream_lease_spare(journal, lease);
}

dream_slow dream_lease_spend(dream_journal *journal, dream_lease *lease, dream_share *share, uint32_t units,
                             int64_t now_ns)
{
    uint32_t spare;

    if (atomic_load(&lease->state) != DREAM_LEASE_ACTIVE || now_ns >= lease->ends_at_ns)
        return DREAM_SLOW_OVER;
    turn_windows(lease, now_ns);
    atomic_store(&share->slow_at_ns, atomic_load(&lease->main.slow_at_ns));
    for (;;) {
        uint32_t quota = atomic_load(&share->quota);
        /* From here on only the quota itself is worth a look; the time was looked at above. */
        atomic_store(&share->attention, quota);
        if (dream_share_spend(share, units, INT64_MIN) != DREAM_SPENT_SLOW)
            return DREAM_SLOW_SPENT;
        if ((atomic_load(&share->word) & DREAM_SEALED) != 0)
            return DREAM_SLOW_OVER;
        if (atomic_load(&share->call_step) != 0 && calls_left(share) == 0)
            return DREAM_SLOW_RATE;
        spare = make_room(journal, lease, units, now_ns);
        if (spare < units)
            return DREAM_SLOW_EMPTY;
        gather(journal, lease, share, units, spare);
    }
}

#define DEBT_UNITS UINT64_C(0xFFFFFFFF)

void dream_account_lower_debt(dream_account *account, uint32_t units, uint32_t generation)
{
    uint64_t debt = atomic_load(&account->debt);

    while (units > 0 && (uint32_t)(debt >> 32) == generation) {
        uint64_t owed = debt & DEBT_UNITS;
        uint64_t rest = owed > units ? owed - units : 0; /* fewer are owed only on a page that is older than others */
        if (atomic_compare_exchange_strong(&account->debt, &debt, ((uint64_t)generation + 1) << 32 | rest))
            return;
    }
}

/* In words: a thread that comes late may be reading it as another lease's. */
void dream_lease_set_id(dream_lease *lease, const unsigned char id[16])
{
    _Atomic uint64_t *words = (_Atomic uint64_t *)(void *)lease->lease_id;
    uint64_t halves[2];

    memcpy(halves, id, sizeof(halves));
    atomic_store_explicit(&words[0], halves[0], memory_order_relaxed);
    atomic_store_explicit(&words[1], halves[1], memory_order_relaxed);
}

void dream_lease_install(dream_lease *lease, const dream_grant *grant, dream_account *account)
{
    dream_share *share = &lease->main;
    uint32_t low = grant->granted / LOW_WATER_PART;
    uint64_t debt = atomic_load(&account->debt);
    uint64_t owed = debt & DEBT_UNITS;

    dream_lease_set_id(lease, grant->lease_id);
    DREAM_POINT(install_begun);
    atomic_store(&lease->granted, grant->granted);
    lease->ends_at_ns = grant->ends_at_ns;
    atomic_store(&lease->granted_at_ns, grant->granted_at_ns);
    atomic_store(&lease->limit, grant->limit);
    atomic_store(&lease->used_before, grant->used);
    atomic_store(&lease->left_elsewhere, grant->left);
    lease->period_start_day = grant->period_start_day;
    lease->period_end_day = grant->period_end_day;
    atomic_store(&lease->plan, grant->plan);
    lease->window_ms = grant->window_ms;
    lease->rate_calls = grant->rate_calls < DREAM_MAX_CALLS ? grant->rate_calls : DREAM_MAX_CALLS;
    lease->edge_ns = grant->edge_ns;
    lease->edge_width_ms = grant->edge_width_ms;
    lease->rate_turns = lease->turning = 0;
    lease->refill_at_ns =
        grant->granted_at_ns + (grant->ends_at_ns - grant->granted_at_ns) / REFILL_PART * (REFILL_PART - 1);
    atomic_store(&share->call_step, grant->window_ms != 0);
    atomic_store(&share->calls_quota, lease->rate_calls);
    atomic_store(&share->quota, grant->granted);
    atomic_store(&share->attention, grant->granted - low);
    set_slow_at(lease);
    lease->debt_generation = (uint32_t)(debt >> 32);
    lease->debt_paid = owed < grant->granted ? (uint32_t)owed : grant->granted;
    atomic_store(&lease->spent_seen, lease->debt_paid);
    atomic_store(&lease->state, DREAM_LEASE_ACTIVE);
    DREAM_POINT(install_active);
    /* The word opens the lease: everything above is in place before. What is owed is its first count. */
    atomic_store(&share->word, (atomic_load(&share->word) & DREAM_GENERATIONS) | lease->debt_paid);
    DREAM_POINT(install_open);
    dream_account_lower_debt(account, lease->debt_paid, lease->debt_generation);
}

/* ---- reservations ---- */

dream_slow dream_lease_reserve(dream_journal *journal, dream_lease *lease, uint32_t units, int64_t until_ns,
                               int64_t now_ns, dream_line *out_line)
{
    static _Atomic int64_t last_serial;
    int64_t serial = now_ns + atomic_fetch_add(&last_serial, 1);
    dream_share *share = &lease->main;
    dream_share *reservation;
    uint64_t call_step = (uint64_t)atomic_load(&share->call_step) * DREAM_CALL;
    uint32_t spare;
    uint32_t taken;

    *out_line = 0;
    if (atomic_load(&lease->state) != DREAM_LEASE_ACTIVE || now_ns >= lease->ends_at_ns)
        return DREAM_SLOW_OVER;
    turn_windows(lease, now_ns);
    if (call_step != 0 && calls_left(share) == 0)
        return DREAM_SLOW_RATE;
    if (spare_of(share) < units) {
        spare = make_room(journal, lease, units, now_ns);
        if (spare < units)
            return DREAM_SLOW_EMPTY;
        gather(journal, lease, share, units, spare);
    }
    *out_line = dream_journal_take(journal, DREAM_TAG_RESERVATION, sizeof(*reservation));
    if (*out_line == 0)
        return DREAM_SLOW_EMPTY;
    taken = carve(share, units, call_step);
    if (taken < units) {
        raise_quota(share, taken, true);
        dream_journal_give(journal, *out_line);
        *out_line = 0;
        return call_step != 0 && calls_left(share) == 0 ? DREAM_SLOW_RATE : DREAM_SLOW_EMPTY;
    }
    DREAM_POINT(reserve_carved);
    reservation = share_at(journal, *out_line);
    reservation->lease = dream_journal_line(journal, lease);
    reservation->owner_pid = (uint32_t)atomic_load(&journal->pid);
    reservation->owner_start = journal->process_start;
    reservation->until_ns = until_ns;
    atomic_store(&reservation->slow_at_ns, serial);
    atomic_store(&reservation->quota, units);
    atomic_store(&reservation->next, atomic_load(&lease->reservations));
    DREAM_POINT(reserve_filled);
    atomic_store(&lease->reservations, *out_line);
    DREAM_POINT(reserve_linked);
    return DREAM_SLOW_SPENT;
}

bool dream_reservation_end(dream_journal *journal, dream_share *reservation, uint32_t units)
{
    uint64_t open = 0;
    uint32_t quota = atomic_load(&reservation->quota);
    uint32_t booked = units < quota ? units : quota;

    if (!atomic_compare_exchange_strong(&reservation->word, &open, DREAM_SEALED | booked))
        return false;
    DREAM_POINT(commit_booked);
    fold(journal, dream_journal_at(journal, reservation->lease), reservation);
    return true;
}

/* ---- the end ---- */

static void seal_share(dream_share *share, void *context)
{
    (void)context;
    atomic_fetch_or(&share->word, DREAM_SEALED);
    DREAM_POINT(seal_begun);
}

void dream_lease_seal(dream_journal *journal, dream_lease *lease)
{
    for_shares(journal, lease, seal_share, NULL);
    DREAM_POINT(seal_shares);
    if (atomic_load(&lease->state) == DREAM_LEASE_ACTIVE)
        atomic_store(&lease->state, DREAM_LEASE_SEALED);
}

bool dream_lease_is_final(dream_journal *journal, dream_lease *lease, int64_t now_ns)
{
    return end_overdue(journal, lease, now_ns) && atomic_load(&lease->state) == DREAM_LEASE_SEALED;
}

int64_t dream_lease_overdue_at_ns(const dream_journal *journal, const dream_lease *lease)
{
    int64_t first_ns = INT64_MAX;

    for (dream_line line = atomic_load(&lease->reservations); line != 0;
         line = atomic_load(&share_at(journal, line)->next)) {
        const dream_share *reservation = share_at(journal, line);
        if (atomic_load(&reservation->word) == 0 && reservation->until_ns < first_ns)
            first_ns = reservation->until_ns;
    }
    return first_ns;
}

static void mend_fold(dream_journal *journal, dream_lease *lease)
{
    uint64_t from = atomic_load(&lease->fold_from);
    uint64_t now = atomic_load(&lease->main.word);

    if (lease->fold_share == 0)
        return;
    if ((now & DREAM_GENERATIONS) == (dream_word_next_generation(from) & DREAM_GENERATIONS))
        atomic_store(&share_at(journal, lease->fold_share)->word, DREAM_SEALED);
    lease->fold_share = 0;
}

/* Calls were counted from none again: then the turn counts, too. */
static void mend_turn(dream_lease *lease)
{
    uint32_t mark = turn_mark(lease);

    if (lease->turning != 0 && (lease->turning ^ mark) >> 11 == 0 && lease->turning != mark)
        lease->rate_turns++;
    lease->turning = 0;
}

void dream_lease_mend(dream_journal *journal, dream_lease *lease)
{
    mend_fold(journal, lease);
    mend_turn(lease);
}

void dream_lease_free(dream_journal *journal, dream_lease *lease)
{
    dream_line line = atomic_load(&lease->reservations);
    dream_line fan = atomic_load(&lease->main.lease);

    /* From here on it is no lease to anybody who finds it: its parts may soon be another one's. */
    atomic_store(&lease->state, 0);
    DREAM_POINT(free_begun);
    while (line != 0) {
        dream_line next = atomic_load(&share_at(journal, line)->next);
        dream_journal_give(journal, line);
        line = next;
    }
    if (fan != 0)
        dream_journal_give(journal, fan);
    DREAM_POINT(free_parts);
    dream_journal_give(journal, dream_journal_line(journal, lease));
    DREAM_POINT(free_done);
}

/* ---- refunds ---- */

bool dream_lease_refund(dream_lease *lease, uint32_t units)
{
    uint64_t word = atomic_load(&lease->refunded);

    do {
        if ((word & DREAM_SEALED) != 0)
            return false;
    } while (!atomic_compare_exchange_weak(&lease->refunded, &word, word + units));
    return true;
}

uint32_t dream_lease_refunded(const dream_lease *lease)
{
    return (uint32_t)atomic_load(&lease->refunded);
}

void dream_lease_close_refunds(dream_lease *lease)
{
    if (DREAM_RULE(final_closes_refunds))
        atomic_fetch_or(&lease->refunded, DREAM_SEALED);
}
