/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.h - finding a user's account in the journal by name. The journal has no index: each process makes its own from the
 * records, and learns of accounts that others added when it misses one. Looking up takes no lock: the table is replaced
 * whole when it grows. Of the old ones only the address is kept until the end. */
#ifndef DREAM_LIB_METER_ACCOUNTS_H
#define DREAM_LIB_METER_ACCOUNTS_H

#include "lib/meter/journal.h"

#define DREAM_DEFAULT_METER "default"

/* More than a full journal needs. */
enum { DREAM_TABLES_MAX = 24 };

typedef struct dream_account_table dream_account_table;

typedef struct dream_accounts {
    dream_journal *journal;
    uint64_t seed; /* so that nobody can choose names that collide */
    _Atomic(dream_account_table *) table;
    /* Guarded by the journal's lock. */
    dream_account_table *old[DREAM_TABLES_MAX]; /* each of half the size of the next */
    size_t old_count;
    dream_line scanned; /* the last record that was looked at */
} dream_accounts;

/* False without memory or randomness. */
bool dream_accounts_init(dream_accounts *accounts, dream_journal *journal);
void dream_accounts_clear(dream_accounts *accounts);

/* NULL if it is not known in this process yet. Any thread, no lock. `meter` NULL is the default one. */
dream_account *dream_accounts_find(const dream_accounts *accounts, const char *user_id, const char *meter);
/* Finds or makes it. Takes the journal's lock. */
dreamapi_status dream_accounts_get(dream_accounts *accounts, const char *user_id, const char *meter,
                                   dream_account **out_account);

static inline const char *dream_account_user(const dream_account *account)
{
    return account->names;
}
static inline const char *dream_account_meter(const dream_account *account)
{
    return account->meter_size == 0 ? DREAM_DEFAULT_METER : account->names + account->user_size + 1;
}

#endif
