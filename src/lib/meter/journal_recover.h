/* SPDX-License-Identifier: Apache-2.0 */
/* journal_recover.h - what an earlier run left in a journal: made whole and sealed, so that it is settled and never spent. */
#ifndef DREAM_LIB_METER_JOURNAL_RECOVER_H
#define DREAM_LIB_METER_JOURNAL_RECOVER_H

#include "lib/meter/journal.h"

typedef struct dream_recovery {
    bool is_same_boot;
    bool is_clean; /* closed by its last user */
    bool is_copy;  /* of another machine's or another file's journal */
} dream_recovery;

/* Nobody else has the file open. DREAMAPI_JOURNAL if it is damaged in a way that no crash explains; DREAMAPI_NOMEM, and nothing was changed. */
dreamapi_status dream_recover(dream_journal *journal, const dream_recovery *recovery);
/* Others have it open, and the lock is held: finishes or undoes what a process was killed in while it held the lock. False without the
 * memory for it: nothing may be changed before another try. */
bool dream_recover_mend(dream_journal *journal);
/* True if something in it has not been settled. */
bool dream_recover_has_debts(const dream_journal *journal);
/* The last user's close: nothing is spent any more. */
void dream_recover_seal(dream_journal *journal);

#endif
