/* SPDX-License-Identifier: Apache-2.0 */
/* direct_change.c - changes to more than one word of a dream_direct, among them the account's debt. The new values are noted before the
 * first is stored: whoever finds the note stores them again, so after a kill no unit is there twice and none is missing. */
#include "lib/meter/lease.h"
#include "lib/meter/metering.h"
#include "lib/meter/point.h"

void dream_direct_finish(dream_direct *direct, dream_account *account)
{
    if (direct->is_changing == 0)
        return;
    atomic_store(&direct->units, direct->next_units);
    DREAM_POINT(change_units);
    atomic_store(&direct->doubtful, direct->next_doubtful);
    DREAM_POINT(change_doubtful);
    dream_account_lower_debt(account, direct->debt_taken, direct->debt_generation);
    DREAM_POINT(change_debt);
    direct->is_changing = 0;
}

void dream_direct_change(dream_direct *direct, dream_account *account, const dream_direct_values *to)
{
    direct->next_units = (uint64_t)to->reporting << 32 | to->waiting;
    direct->next_doubtful = to->doubtful;
    direct->debt_taken = to->debt;
    direct->debt_generation = (uint32_t)(atomic_load(&account->debt) >> 32);
    DREAM_POINT(change_noted);
    direct->is_changing = 1;
    dream_direct_finish(direct, account);
}

dream_direct_values dream_direct_values_of(const dream_direct *direct)
{
    return (dream_direct_values){ dream_direct_waiting(direct), dream_direct_reporting(direct),
                                  atomic_load(&direct->doubtful), 0 };
}

dream_direct *dream_direct_of(dream_journal *journal, dream_account *account)
{
    dream_line line = atomic_load(&account->direct);
    dream_direct *direct;

    if (line != 0)
        return dream_journal_at(journal, line);
    line = dream_journal_take_new(journal, DREAM_TAG_DIRECT, sizeof(*direct));
    if (line == 0)
        return NULL;
    direct = dream_journal_at(journal, line);
    direct->account = dream_journal_line(journal, account);
    direct->counted = -1;
    dream_journal_publish_new(journal, line);
    DREAM_POINT(direct_published);
    atomic_store(&account->direct, line);
    DREAM_POINT(direct_named);
    return direct;
}

int64_t dream_direct_unconfirmed(const dream_direct *direct)
{
    uint64_t units = direct == NULL ? 0 : atomic_load(&direct->units);

    return direct == NULL ? 0 : (int64_t)(units & UINT32_MAX) + (int64_t)(units >> 32) + atomic_load(&direct->doubtful);
}

void dream_direct_see_period(dream_direct *direct, int32_t start_day)
{
    if (atomic_load(&direct->doubtful) == 0 || start_day == direct->since_day)
        return;
    if (direct->since_day != 0 && start_day > direct->since_day)
        atomic_store(&direct->doubtful, 0);
    direct->since_day = start_day;
}

bool dream_direct_owe(const dreamapi_meter *meter, uint32_t units)
{
    dream_metering *metering = meter->metering;
    dream_account *account = meter->account;
    dream_direct *direct;
    bool is_within = false;

    if (!dream_journal_lock(metering->journal))
        return false;
    direct = dream_direct_of(metering->journal, account);
    if (direct != NULL
        && dream_account_owed(account) + dream_direct_unconfirmed(direct) + units
               <= (int64_t)meter->params->allow_units) {
        is_within = true;
        atomic_fetch_add(&account->debt, units);
        DREAM_POINT(debt_owed);
        account->want = 0; /* what this use waited for; others that wait say so again */
        dream_agent_want_debt(metering, account);
    }
    dream_journal_unlock(metering->journal);
    if (is_within)
        dream_metering_wake(metering);
    return is_within;
}
