/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.c - a hash table of places in the journal: open addressing, linear probing, at most half full. An entry holds the upper
 * half of the hash and the place; what the two cannot tell apart, the names in the record do. */
#include "lib/meter/accounts.h"

#include <stdlib.h>
#include <string.h>

#include "lib/meter/point.h"

enum { FIRST_SIZE = 64 };

struct dream_account_table {
    dream_account_table *older;
    size_t mask;
    size_t count;
    _Atomic uint64_t entries[];
};

/* ---- hashing ---- */

/* Folded 64x64->128 multiplication (as in wyhash and its kin): a few nanoseconds for an id, and not to be guessed without the seed. */
__extension__ typedef unsigned __int128 wide;

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_text(uint64_t seed, const char *text, size_t size)
{
    uint64_t hash = seed ^ size;
    uint64_t part = 0;

    for (; size >= 8; size -= 8, text += 8) {
        memcpy(&part, text, 8);
        hash = mix(hash ^ part, UINT64_C(0x9E3779B97F4A7C15) ^ seed);
    }
    part = 0;
    memcpy(&part, text, size);
    return mix(hash ^ part, UINT64_C(0xD6E8FEB86659FD93) ^ seed);
}

static uint64_t hash_names(uint64_t seed, const char *user, size_t user_size, const char *meter, size_t meter_size)
{
    return hash_text(hash_text(seed, user, user_size), meter, meter_size);
}

/* ---- the table ---- */

static dream_account_table *make_table(size_t size)
{
    dream_account_table *table = calloc(1, sizeof(*table) + size * sizeof(table->entries[0]));

    if (table != NULL)
        table->mask = size - 1;
    return table;
}

static void put(dream_account_table *table, uint64_t hash, dream_line line)
{
    size_t at = hash & table->mask;

    while (atomic_load_explicit(&table->entries[at], memory_order_relaxed) != 0)
        at = (at + 1) & table->mask;
    atomic_store_explicit(&table->entries[at], (hash & ~UINT64_C(0xFFFFFFFF)) | line, memory_order_release);
    table->count++;
}

static uint64_t hash_of(const dream_accounts *accounts, const dream_account *account)
{
    return hash_names(accounts->seed, account->names, account->user_size, account->names + account->user_size + 1,
                      account->meter_size);
}

static bool grow(dream_accounts *accounts)
{
    dream_account_table *from = atomic_load(&accounts->table);
    dream_account_table *to;

    if ((from->count + 1) * 2 <= from->mask + 1)
        return true;
    to = make_table((from->mask + 1) * 2);
    if (to == NULL)
        return false;
    for (size_t i = 0; i <= from->mask; i++) {
        dream_line line = (dream_line)atomic_load(&from->entries[i]);
        if (line != 0)
            put(to, hash_of(accounts, dream_journal_at(accounts->journal, line)), line);
    }
    /* Somebody may be reading the old one. */
    from->older = accounts->old;
    accounts->old = from;
    atomic_store_explicit(&accounts->table, to, memory_order_release);
    return true;
}

static bool add(dream_accounts *accounts, dream_line line)
{
    if (!grow(accounts))
        return false;
    put(atomic_load(&accounts->table), hash_of(accounts, dream_journal_at(accounts->journal, line)), line);
    return true;
}

bool dream_accounts_init(dream_accounts *accounts, dream_journal *journal)
{
    dream_account_table *table = make_table(FIRST_SIZE);

    memset(accounts, 0, sizeof(*accounts));
    accounts->journal = journal;
    if (table == NULL || !dream_settings_random(journal->settings, &accounts->seed, sizeof(accounts->seed))) {
        free(table);
        return false;
    }
    atomic_store(&accounts->table, table);
    return true;
}

void dream_accounts_clear(dream_accounts *accounts)
{
    dream_account_table *table = atomic_load(&accounts->table);
    dream_account_table *older;

    free(table);
    for (table = accounts->old; table != NULL; table = older) {
        older = table->older;
        free(table);
    }
    memset(accounts, 0, sizeof(*accounts));
}

/* ---- finding ---- */

typedef struct names {
    const char *user;
    const char *meter;
    size_t user_size;
    size_t meter_size;
    uint64_t hash;
} names;

static names describe(const dream_accounts *accounts, const char *user_id, const char *meter)
{
    names wanted = { user_id, strcmp(meter, DREAM_DEFAULT_METER) == 0 ? "" : meter, strlen(user_id), 0, 0 };

    wanted.meter_size = strlen(wanted.meter);
    wanted.hash = hash_names(accounts->seed, user_id, wanted.user_size, wanted.meter, wanted.meter_size);
    return wanted;
}

static bool is_named(const dream_account *account, const names *wanted)
{
    return account->user_size == wanted->user_size && account->meter_size == wanted->meter_size
           && memcmp(account->names, wanted->user, wanted->user_size) == 0
           && memcmp(account->names + wanted->user_size + 1, wanted->meter, wanted->meter_size) == 0;
}

static dream_account *look_up(const dream_accounts *accounts, const names *wanted)
{
    const dream_account_table *table = atomic_load_explicit(&accounts->table, memory_order_acquire);
    uint64_t entry;

    for (size_t at = wanted->hash & table->mask;
         (entry = atomic_load_explicit(&table->entries[at], memory_order_acquire)) != 0; at = (at + 1) & table->mask) {
        dream_account *account;
        if (((entry ^ wanted->hash) >> 32) != 0)
            continue;
        account = dream_journal_at(accounts->journal, (dream_line)entry);
        if (is_named(account, wanted))
            return account;
    }
    return NULL;
}

dream_account *dream_accounts_find(const dream_accounts *accounts, const char *user_id, const char *meter)
{
    names wanted = describe(accounts, user_id, meter);

    return look_up(accounts, &wanted);
}

/* Learns what other processes added. `scanned` is a record that was looked at already. */
static bool catch_up(dream_accounts *accounts)
{
    dream_line line = accounts->scanned;

    while ((line = dream_journal_next(accounts->journal, line)) != 0) {
        if (dream_tag_kind(*(const uint32_t *)dream_journal_at(accounts->journal, line)) == DREAM_TAG_ACCOUNT
            && !add(accounts, line))
            return false;
        accounts->scanned = line;
    }
    return true;
}

static dream_line make_account(dream_accounts *accounts, const names *wanted)
{
    size_t size = offsetof(dream_account, names) + wanted->user_size + wanted->meter_size + 2;
    dream_account *account;
    dream_line line;

    line = dream_journal_take_new(accounts->journal, DREAM_TAG_ACCOUNT, size);
    if (line == 0)
        return 0;
    account = dream_journal_at(accounts->journal, line);
    account->user_size = (uint16_t)wanted->user_size;
    account->meter_size = (uint16_t)wanted->meter_size;
    memcpy(account->names, wanted->user, wanted->user_size + 1);
    memcpy(account->names + wanted->user_size + 1, wanted->meter, wanted->meter_size + 1);
    atomic_store(&account->limit, -1);
    DREAM_POINT(account_written);
    dream_journal_publish_new(accounts->journal, line);
    DREAM_POINT(account_published);
    return line;
}

dreamapi_status dream_accounts_get(dream_accounts *accounts, const char *user_id, const char *meter,
                                   dream_account **out_account)
{
    names wanted = describe(accounts, user_id, meter);
    dreamapi_status status = DREAMAPI_OK;

    *out_account = look_up(accounts, &wanted);
    if (*out_account != NULL)
        return DREAMAPI_OK;
    if (!dream_journal_lock(accounts->journal))
        return DREAMAPI_JOURNAL;
    if (!catch_up(accounts)) {
        status = DREAMAPI_NOMEM;
    } else if ((*out_account = look_up(accounts, &wanted)) == NULL) {
        if (make_account(accounts, &wanted) == 0)
            status = DREAMAPI_JOURNAL;
        else if (!catch_up(accounts))
            status = DREAMAPI_NOMEM;
        *out_account = look_up(accounts, &wanted);
    }
    dream_journal_unlock(accounts->journal);
    return status;
}
