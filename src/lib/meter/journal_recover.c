/* SPDX-License-Identifier: Apache-2.0 */
/* journal_recover.c - run while nobody else has the file open; dream_recover_mend also when a process was killed in a change.
 *
 * After a kill, the pages are as the process left them: counts are exact, and leases settle as proven. After a reboot
 * without a clean close, pages may be torn or older than others: leases settle as unproven, which bills what they show and returns
 * nothing. A copy settles unproven under a holder's id of its own, as the original may still be spending. */
#include "lib/meter/journal_recover.h"

#include <stdlib.h>
#include <string.h>

#include "common/rule.h"
#include "lib/meter/direct.h"
#include "lib/meter/lease.h"
#include "lib/meter/point.h"
#include "lib/text.h"

typedef struct recovery_walk {
    dream_journal *journal;
    const dream_recovery *recovery;
    unsigned char *starts; /* one bit a line: a record begins there */
    unsigned char *seen;   /* the same: a list names it */
    bool is_proven;
} recovery_walk;

static bool has_bit(const unsigned char *bits, dream_line line)
{
    return (bits[line / 8] >> line % 8 & 1) != 0;
}

static void set_bit(unsigned char *bits, dream_line line)
{
    bits[line / 8] |= (unsigned char)(1u << line % 8);
}

static bool is_kind(const recovery_walk *walk, dream_line line, dream_tag kind)
{
    uint32_t used = atomic_load(&dream_journal_header_of(walk->journal)->used);

    return line >= DREAM_JOURNAL_FIRST && line < used && has_bit(walk->starts, line)
           && dream_tag_kind(*(const uint32_t *)dream_journal_at(walk->journal, line)) == kind;
}

static bool is_name(const char *text, size_t size)
{
    return text[size] == '\0' && strlen(text) == size && dream_text_is_id(text);
}

/* Names that could not be sent would be tried again without end. */
static bool is_sound_account(const dream_account *account, uint32_t lines)
{
    size_t room = (size_t)lines * DREAM_LINE - offsetof(dream_account, names);
    const char *meter = account->names + account->user_size + 1;

    return (size_t)account->user_size + account->meter_size + 2 <= room && is_name(account->names, account->user_size)
           && (account->meter_size == 0 ? *meter == '\0' : is_name(meter, account->meter_size));
}

static bool is_sound(const dream_journal *journal, dream_line line, uint32_t used)
{
    const uint32_t *tag = dream_journal_at(journal, line);
    const dream_text_record *text = (const dream_text_record *)tag;
    uint32_t lines = dream_tag_lines(*tag);

    if (lines == 0 || lines > used - line)
        return false;
    switch (dream_tag_kind(*tag)) {
    case DREAM_TAG_ACCOUNT:
        return (size_t)lines * DREAM_LINE > sizeof(dream_account)
               && is_sound_account((const dream_account *)tag, lines);
    case DREAM_TAG_LEASE:
        return lines == sizeof(dream_lease) / DREAM_LINE;
    case DREAM_TAG_DIRECT:
        return lines == sizeof(dream_direct) / DREAM_LINE;
    case DREAM_TAG_FAN:
        return lines == DREAM_FAN;
    case DREAM_TAG_RESERVATION:
    case DREAM_TAG_SETTLED:
    case DREAM_TAG_REFUND:
        return lines == 1;
    case DREAM_TAG_TEXT:
        return text->size < (size_t)lines * DREAM_LINE - offsetof(dream_text_record, text)
               && text->text[text->size] == '\0';
    case DREAM_TAG_FREE:
        return lines == 1 || lines == sizeof(dream_lease) / DREAM_LINE || lines == DREAM_FAN;
    case DREAM_TAG_NONE:
        break;
    }
    return false;
}

/* Finds where records begin. What a torn write cut short ends the journal; without such an excuse it is damage. */
static bool find_starts(recovery_walk *walk)
{
    dream_journal_header *header = dream_journal_header_of(walk->journal);
    uint32_t used = atomic_load(&header->used);
    dream_line line = DREAM_JOURNAL_FIRST;

    walk->starts = calloc(used / 8 + 1, 2);
    if (walk->starts == NULL)
        return false;
    walk->seen = walk->starts + used / 8 + 1;
    while (line < used) {
        if (!is_sound(walk->journal, line, used)) {
            if (walk->is_proven)
                return false;
            dream_journal_note_damage(walk->journal); /* one at least, if it was of a lease */
            atomic_store(&header->used, line);
            return true;
        }
        set_bit(walk->starts, line);
        line += dream_tag_lines(*(const uint32_t *)dream_journal_at(walk->journal, line));
    }
    return line == used;
}

/* Units that the next lease would pay. In a copy they are the original's to pay; in pages of which some are older than others, a lease may
 * have paid them already: they are doubtful, and go on counting against the bound of those who allow them. Moving the generation on
 * keeps leases that paid from taking them off again. */
static void forget_debt(const recovery_walk *walk, dream_account *account)
{
    uint64_t debt = atomic_load(&account->debt);
    dream_line line = atomic_load(&account->direct);
    dream_direct *direct = line == 0 || walk->recovery->is_copy ? NULL : dream_journal_at(walk->journal, line);
    dream_direct_values values;

    if (direct != NULL && dream_account_owed(account) > 0) {
        dream_direct_finish(direct, account);
        values = dream_direct_values_of(direct);
        values.debt = dream_account_owed(account);
        values.doubtful += values.debt;
        direct->since_day = 0;
        dream_direct_change(direct, account, &values);
    } else {
        atomic_store(&account->debt, ((debt >> 32) + 1) << 32);
    }
}

static void recover_account(const recovery_walk *walk, dream_account *account)
{
    if (!is_kind(walk, atomic_load(&account->direct), DREAM_TAG_DIRECT))
        atomic_store(&account->direct, 0);
    if (!walk->is_proven)
        forget_debt(walk, account);
    atomic_store(&account->current, 0);
    atomic_store(&account->pending, 0);
    atomic_store(&account->flags, 0);
    /* The text may be gone, or another record by now; the next answer names it again. */
    atomic_store(&account->plan, 0);
    atomic_store(&account->denied_until_ns, 0);
    atomic_store(&account->limit, -1);
    atomic_store(&account->answered_at_ns, 0);
    account->next_try_ns = 0;
    account->want = 0;
}

/* Keeps only those that are there, and breaks circles. */
static void mend_reservations(const recovery_walk *walk, dream_lease *lease)
{
    _Atomic dream_line *link = &lease->reservations;
    dream_line own = dream_journal_line(walk->journal, lease);

    for (dream_line line; (line = atomic_load(link)) != 0;) {
        dream_share *reservation = dream_journal_at(walk->journal, line);
        if (!is_kind(walk, line, DREAM_TAG_RESERVATION) || reservation->lease != own || has_bit(walk->seen, line)) {
            atomic_store(link, 0);
            return;
        }
        set_bit(walk->seen, line);
        /* Nobody is left who could commit it. */
        atomic_fetch_or(&reservation->word, DREAM_SEALED);
        DREAM_POINT(recover_reservations);
        link = &reservation->next;
    }
}

static void mend_changes(const recovery_walk *walk, dream_lease *lease)
{
    if (!is_kind(walk, lease->fold_share, DREAM_TAG_RESERVATION))
        lease->fold_share = 0;
    dream_lease_mend(walk->journal, lease);
}

/* If the lease was opened, its count began with the units of the debt that it pays. Of pages that are older than others nothing
 * follows: forget_debt has what is owed then. */
static void finish_debt(const recovery_walk *walk, const dream_lease *lease)
{
    if (walk->is_proven && atomic_load(&lease->state) != DREAM_LEASE_PENDING
        && dream_word_units(atomic_load(&lease->main.word)) >= lease->debt_paid)
        dream_account_lower_debt(dream_journal_at(walk->journal, lease->account), lease->debt_paid,
                                 lease->debt_generation);
}

#ifdef DREAM_MUTABLE_RULES
static void revive(const recovery_walk *walk, dream_lease *lease)
{
    dream_account *account = dream_journal_at(walk->journal, lease->account);

    lease->flags &= ~(uint32_t)DREAM_LEASE_IS_OLD;
    atomic_fetch_and(&lease->main.word, ~DREAM_SEALED);
    atomic_store(&lease->state, DREAM_LEASE_ACTIVE);
    atomic_store(&account->current, dream_journal_line(walk->journal, lease));
}
#endif

/* What no store of this library leaves, but a torn or older page may. */
static bool is_damaged(const recovery_walk *walk, const dream_lease *lease)
{
    uint32_t state = atomic_load(&lease->state);

    return state > DREAM_LEASE_SEALED || (state != 0 && !is_kind(walk, lease->account, DREAM_TAG_ACCOUNT));
}

static void recover_lease(recovery_walk *walk, dream_lease *lease)
{
    dream_line fan = atomic_load(&lease->main.lease);

    if (is_damaged(walk, lease))
        dream_journal_note_damage(walk->journal);
    if (is_damaged(walk, lease) || atomic_load(&lease->state) == 0
        || (walk->recovery->is_copy && atomic_load(&lease->state) == DREAM_LEASE_PENDING)) {
        atomic_store(&lease->main.lease, 0);
        atomic_store(&lease->reservations, 0);
        lease->main.tag = dream_tag_make(DREAM_TAG_FREE, sizeof(*lease) / DREAM_LINE);
        return;
    }
    if (fan != 0
        && (!is_kind(walk, fan, DREAM_TAG_FAN)
            || ((dream_share *)dream_journal_at(walk->journal, fan))->lease
                   != dream_journal_line(walk->journal, lease)))
        atomic_store(&lease->main.lease, 0);
    mend_changes(walk, lease);
    mend_reservations(walk, lease);
    DREAM_POINT(recover_lease);
    finish_debt(walk, lease);
    lease->flags |= DREAM_LEASE_IS_OLD | (walk->is_proven ? 0 : DREAM_LEASE_IS_UNPROVEN);
    lease->asked_at_ns = 0;
    dream_lease_seal(walk->journal, lease);
#ifdef DREAM_MUTABLE_RULES
    if (!DREAM_RULE(sealing_is_for_good) && atomic_load(&lease->state) == DREAM_LEASE_SEALED && walk->is_proven)
        revive(walk, lease);
#endif
}

/* A report that was under way stays so if the server remembers its id; else nobody knows, and it is never sent again. A copy's
 * original may still report; pages that are older than others may show what was reported since: both bill nothing. */
static void recover_direct(const recovery_walk *walk, dream_line line)
{
    dream_direct *direct = dream_journal_at(walk->journal, line);
    bool is_repeatable = (direct->flags & DREAM_DIRECT_IS_REPEATABLE) != 0;
    dream_direct_values values;
    dream_account *account;

    direct->next_ns = 0;
    direct->owner_pid = 0;
    direct->owner_start = 0;
    if (!is_kind(walk, direct->account, DREAM_TAG_ACCOUNT)) {
        direct->account = 0;
        direct->is_changing = 0;
        dream_direct_set(direct, 0, 0);
        return;
    }
    account = dream_journal_at(walk->journal, direct->account);
    dream_direct_finish(direct, account);
    values = dream_direct_values_of(direct);
    if (walk->recovery->is_copy) {
        values.waiting = values.reporting = 0;
    } else {
        values.doubtful += (walk->is_proven ? 0 : values.waiting) + (is_repeatable ? 0 : values.reporting);
        values.waiting = walk->is_proven ? values.waiting : 0;
        values.reporting = is_repeatable ? values.reporting : 0;
    }
    dream_direct_change(direct, account, &values);
    atomic_store(&account->direct, line);
}

static void recover_settled(recovery_walk *walk, dream_line line)
{
    dream_journal_header *header = dream_journal_header_of(walk->journal);
    dream_settled *settled = dream_journal_at(walk->journal, line);

    if (!is_kind(walk, settled->account, DREAM_TAG_ACCOUNT) || walk->recovery->is_copy) {
        settled->tag = dream_tag_make(DREAM_TAG_FREE, 1);
        return;
    }
    if (!walk->is_proven)
        settled->flags |= DREAM_SETTLED_UNPROVEN;
    if (!walk->recovery->is_same_boot)
        settled->flags &= ~DREAM_SETTLED_SECONDS; /* kept for a whole retention again */
    atomic_store(&settled->next, 0);
    if (header->settled_last == 0)
        atomic_store(&header->settled_first, line);
    else
        atomic_store(&((dream_settled *)dream_journal_at(walk->journal, header->settled_last))->next, line);
    header->settled_last = line;
    atomic_fetch_add(&header->settled_count, 1);
}

/* Its state is stored last: without one, nobody was told that the refund is recorded. Times of another boot say nothing: what is
 * confirmed is kept for a whole retention again, the rest is sent at once. */
static void recover_refund(const recovery_walk *walk, dream_refund *refund)
{
    if (refund->state == 0)
        refund->tag = dream_tag_make(DREAM_TAG_FREE, 1);
    else if (!walk->recovery->is_same_boot)
        refund->told_at_ns = refund->state == 1 ? 0 : dream_settings_now_ms(walk->journal->settings) * 1000000;
}

static void recover_record(recovery_walk *walk, dream_line line)
{
    void *record = dream_journal_at(walk->journal, line);

    switch (dream_tag_kind(*(uint32_t *)record)) {
    case DREAM_TAG_ACCOUNT:
        recover_account(walk, record);
        break;
    case DREAM_TAG_DIRECT:
        recover_direct(walk, line);
        break;
    case DREAM_TAG_LEASE:
        recover_lease(walk, record);
        break;
    case DREAM_TAG_SETTLED:
        recover_settled(walk, line);
        break;
    case DREAM_TAG_REFUND:
        recover_refund(walk, record);
        break;
    default:
        break;
    }
}

/* After the leases: a fan or a reservation that no lease names is free. */
static void collect_free(recovery_walk *walk, dream_line line)
{
    uint32_t *tag = dream_journal_at(walk->journal, line);
    dream_share *share = (dream_share *)tag;
    dream_tag kind = dream_tag_kind(*tag);
    bool is_part = kind == DREAM_TAG_FAN || kind == DREAM_TAG_RESERVATION;
    dream_lease *lease =
        is_part && is_kind(walk, share->lease, DREAM_TAG_LEASE) ? dream_journal_at(walk->journal, share->lease) : NULL;
    bool is_used = kind == DREAM_TAG_FAN && lease != NULL && atomic_load(&lease->main.lease) == line;

    for (dream_line at = kind == DREAM_TAG_RESERVATION && lease != NULL ? atomic_load(&lease->reservations) : 0;
         at != 0 && !is_used; at = atomic_load(&((dream_share *)dream_journal_at(walk->journal, at))->next))
        is_used = at == line;
    if (kind == DREAM_TAG_FREE || (is_part && !is_used))
        dream_journal_give(walk->journal, line);
    DREAM_POINT(recover_collected);
}

/* They are made anew from the records. */
static void forget_lists(dream_journal *journal)
{
    dream_journal_header *header = dream_journal_header_of(journal);

    header->free_line = header->free_lease = header->free_fan = 0;
    atomic_store(&header->settled_first, 0);
    header->settled_last = 0;
    atomic_store(&header->settled_count, 0);
    DREAM_POINT(recover_emptied);
}

/* Makes every record whole, and then the lists of what is free. Of a damaged journal all stays as it is: another try would find no more. */
static dreamapi_status treat_records(recovery_walk *walk, void (*treat)(recovery_walk *walk, dream_line line))
{
    bool is_sound = find_starts(walk);
    bool has_memory = walk->starts != NULL;

    if (is_sound) {
        forget_lists(walk->journal);
        for (dream_line line = 0; (line = dream_journal_next(walk->journal, line)) != 0;)
            treat(walk, line);
        for (dream_line line = 0; (line = dream_journal_next(walk->journal, line)) != 0;)
            collect_free(walk, line);
    }
    free(walk->starts);
    return is_sound ? DREAMAPI_OK : has_memory ? DREAMAPI_JOURNAL : DREAMAPI_NOMEM;
}

dreamapi_status dream_recover(dream_journal *journal, const dream_recovery *recovery)
{
    recovery_walk walk = { journal, recovery, NULL, NULL,
                           !recovery->is_copy && (recovery->is_same_boot || recovery->is_clean) };

    return treat_records(&walk, recover_record);
}

/* Others may be spending from this lease. */
static void mend_lease(const recovery_walk *walk, dream_lease *lease)
{
    if (atomic_load(&lease->state) == 0 || !is_kind(walk, lease->account, DREAM_TAG_ACCOUNT)) {
        lease->main.tag = dream_tag_make(DREAM_TAG_FREE, sizeof(*lease) / DREAM_LINE);
        return;
    }
    mend_changes(walk, lease);
    finish_debt(walk, lease);
}

static void mend_direct(const recovery_walk *walk, dream_line line)
{
    dream_direct *direct = dream_journal_at(walk->journal, line);
    dream_account *account = dream_journal_at(walk->journal, direct->account);

    if (!is_kind(walk, direct->account, DREAM_TAG_ACCOUNT))
        return;
    dream_direct_finish(direct, account);
    if (atomic_load(&account->direct) == 0)
        atomic_store(&account->direct, line);
}

static void mend_record(recovery_walk *walk, dream_line line)
{
    void *record = dream_journal_at(walk->journal, line);

    switch (dream_tag_kind(*(uint32_t *)record)) {
    case DREAM_TAG_LEASE:
        mend_lease(walk, record);
        break;
    case DREAM_TAG_DIRECT:
        mend_direct(walk, line);
        break;
    case DREAM_TAG_SETTLED:
        recover_settled(walk, line);
        break;
    case DREAM_TAG_REFUND:
        recover_refund(walk, record);
        break;
    default:
        break;
    }
}

bool dream_recover_mend(dream_journal *journal)
{
    static const dream_recovery as_it_is = { true, false, false };
    recovery_walk walk = { journal, &as_it_is, NULL, NULL, true };

    return treat_records(&walk, mend_record) != DREAMAPI_NOMEM;
}

bool dream_recover_has_debts(const dream_journal *journal)
{
    for (dream_line line = 0; (line = dream_journal_next(journal, line)) != 0;) {
        const void *record = dream_journal_at(journal, line);
        switch (dream_tag_kind(*(const uint32_t *)record)) {
        case DREAM_TAG_LEASE:
            return true;
        case DREAM_TAG_ACCOUNT:
            if ((uint32_t)atomic_load(&((const dream_account *)record)->debt)
                != 0) /* above it is how often it was lowered */
                return true;
            break;
        case DREAM_TAG_DIRECT:
            if (atomic_load(&((const dream_direct *)record)->units) != 0)
                return true;
            break;
        case DREAM_TAG_REFUND:
            if (((const dream_refund *)record)->state == 1)
                return true;
            break;
        default:
            break;
        }
    }
    return false;
}

void dream_recover_seal(dream_journal *journal)
{
    for (dream_line line = 0; (line = dream_journal_next(journal, line)) != 0;) {
        dream_lease *lease = dream_journal_at(journal, line);
        if (dream_tag_kind(lease->main.tag) == DREAM_TAG_LEASE)
            dream_lease_seal(journal, lease);
    }
}
