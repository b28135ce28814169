/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.c - a hash table of places in the journal, a cache line of eight entries at a probe. An entry holds the place of an account,
 * a part of its hash, and the place of the lease that was current when it was last looked up:
 *
 *    63 .. 48   47 .. 24   23 .. 0
 *      hash      lease     account
 *
 * What hashes cannot tell apart, the names in the record do. The lease is a guess: nothing is decided by it, but so its line is on its
 * way from memory together with the account's, where else each would wait for the one before. */
#include "lib/meter/accounts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/meter/point.h"

enum { SLOTS = DREAM_LINE / 8, FIRST_BUCKETS = 32, PLACE_BITS = 24 };
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)
#define HASH_SHIFT (2 * PLACE_BITS)
_Static_assert(DREAM_LINES_MAX <= PLACE_MASK + 1, "each place in a journal fits an entry");

/* In pages of its own, zeroed. */
struct dream_account_table {
    size_t mask; /* of buckets */
    size_t count;
    _Alignas(DREAM_LINE) _Atomic uint64_t buckets[][SLOTS];
};

static dream_line account_in(uint64_t entry)
{
    return (dream_line)(entry & PLACE_MASK);
}

static dream_line lease_in(uint64_t entry)
{
    return (dream_line)(entry >> PLACE_BITS & PLACE_MASK);
}

static uint64_t entry_of(uint64_t hash, dream_line lease, dream_line account)
{
    return hash >> HASH_SHIFT << HASH_SHIFT | (uint64_t)lease << PLACE_BITS | account;
}

/* ---- hashing ---- */

/* Folded 64x64->128 multiplication (as in wyhash and its kin): a few nanoseconds for an id, and not to be guessed without the seed. */
__extension__ typedef unsigned __int128 wide;

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t part_of(const char *text)
{
    uint64_t part;

    memcpy(&part, text, sizeof(part));
    return part;
}

static uint64_t hash_text(uint64_t seed, const char *text, size_t size)
{
    uint64_t hash = seed ^ size;
    uint64_t rest = 0;

    /* The last eight bytes are taken whole, whatever of them was taken before. */
    if (size >= 8)
        rest = part_of(text + size - 8);
    else
        for (size_t i = 0; i < size; i++)
            rest = rest << 8 | (unsigned char)text[i];
    for (; size > 8; size -= 8, text += 8)
        hash = mix(hash ^ part_of(text), UINT64_C(0x9E3779B97F4A7C15) ^ seed);
    return mix(hash ^ rest, UINT64_C(0xD6E8FEB86659FD93) ^ seed);
}

static uint64_t hash_names(uint64_t seed, const char *user, size_t user_size, const char *meter, size_t meter_size)
{
    uint64_t hash = hash_text(seed, user, user_size);

    return meter_size == 0 ? hash : hash_text(hash, meter, meter_size);
}

/* ---- the table ---- */

static size_t bytes_of(size_t buckets)
{
    return sizeof(dream_account_table) + buckets * DREAM_LINE;
}

static dream_account_table *make_table(size_t buckets)
{
    dream_account_table *table =
        mmap(NULL, bytes_of(buckets), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (table == MAP_FAILED)
        return NULL;
    table->mask = buckets - 1;
    return table;
}

static void put(dream_account_table *table, uint64_t entry, uint64_t hash)
{
    for (size_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        for (size_t i = 0; i < SLOTS; i++) {
            _Atomic uint64_t *slot = &table->buckets[at][i];
            if (atomic_load_explicit(slot, memory_order_relaxed) != 0)
                continue;
            atomic_store_explicit(slot, entry, memory_order_release);
            table->count++;
            return;
        }
    }
}

static uint64_t hash_of(const dream_accounts *accounts, const dream_account *account)
{
    return hash_names(accounts->seed, account->names, account->user_size, account->names + account->user_size + 1,
                      account->meter_size);
}

static void enter(const dream_accounts *accounts, dream_account_table *table, dream_line line)
{
    const dream_account *account = dream_journal_at(accounts->journal, line);
    uint64_t hash = hash_of(accounts, account);

    put(table, entry_of(hash, atomic_load_explicit(&account->current, memory_order_relaxed), line), hash);
}

/* Somebody may be reading the table that is replaced, for however long. So its place is kept, but its memory is handed back: what is
 * read there from now on is zeros, as of a table that knows nobody, and who is told so asks the next one.
 * (Where pages are locked into memory that is refused, and the old table goes on knowing whom it knew.) */
static bool grow(dream_accounts *accounts)
{
    dream_account_table *from = atomic_load(&accounts->table);
    size_t buckets = from->mask + 1;
    dream_account_table *to;

    /* At most seven in eight slots are taken: few probes go on to a second line. */
    if ((from->count + 1) * 8 <= buckets * SLOTS * 7)
        return true;
    to = make_table(buckets * 2);
    if (to == NULL)
        return false;
    for (size_t at = 0; at < buckets; at++) {
        for (size_t i = 0; i < SLOTS; i++) {
            dream_line line = account_in(atomic_load_explicit(&from->buckets[at][i], memory_order_relaxed));
            if (line != 0)
                enter(accounts, to, line);
        }
    }
    accounts->old[accounts->old_count++] = from;
    atomic_store_explicit(&accounts->table, to, memory_order_release);
    (void)madvise(from, bytes_of(buckets), MADV_DONTNEED);
    return true;
}

static bool add(dream_accounts *accounts, dream_line line)
{
    if (!grow(accounts))
        return false;
    enter(accounts, atomic_load(&accounts->table), line);
    return true;
}

bool dream_accounts_init(dream_accounts *accounts, dream_journal *journal)
{
    dream_account_table *table = make_table(FIRST_BUCKETS);

    memset(accounts, 0, sizeof(*accounts));
    accounts->journal = journal;
    if (table == NULL || !dream_settings_random(journal->settings, &accounts->seed, sizeof(accounts->seed))) {
        if (table != NULL)
            (void)munmap(table, bytes_of(FIRST_BUCKETS));
        return false;
    }
    atomic_store(&accounts->table, table);
    return true;
}

void dream_accounts_clear(dream_accounts *accounts)
{
    dream_account_table *table = atomic_load(&accounts->table);

    if (table != NULL)
        (void)munmap(table, bytes_of((size_t)FIRST_BUCKETS << accounts->old_count));
    for (size_t i = 0; i < accounts->old_count; i++)
        (void)munmap(accounts->old[i], bytes_of((size_t)FIRST_BUCKETS << i));
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
    bool is_default = meter == NULL || strcmp(meter, DREAM_DEFAULT_METER) == 0;
    names wanted = { user_id, is_default ? "" : meter, strlen(user_id), 0, 0 };

    wanted.meter_size = strlen(wanted.meter);
    wanted.hash = hash_names(accounts->seed, user_id, wanted.user_size, wanted.meter, wanted.meter_size);
    return wanted;
}

static bool is_named(const dream_account *account, const names *wanted)
{
    return account->user_size == wanted->user_size && account->meter_size == wanted->meter_size
           && memcmp(account->names, wanted->user, wanted->user_size) == 0
           && (wanted->meter_size == 0
               || memcmp(account->names + wanted->user_size + 1, wanted->meter, wanted->meter_size) == 0);
}

/* Starts the way from memory of what a use reads: the account's second line, and the first of its lease. */
static void fetch(const dream_journal *journal, uint64_t entry)
{
    __builtin_prefetch((const char *)dream_journal_at(journal, account_in(entry)) + DREAM_LINE);
    __builtin_prefetch(dream_journal_at(journal, lease_in(entry)));
}

/* An entry stays where it is and its account what it is: whoever stores last is as right as any. */
static void note_lease(_Atomic uint64_t *slot, uint64_t entry, const dream_account *account)
{
    dream_line lease = atomic_load_explicit(&account->current, memory_order_relaxed);

    if (lease != lease_in(entry))
        atomic_store_explicit(slot, entry_of(entry, lease, account_in(entry)), memory_order_release);
}

static dream_account *look_up_in(const dream_accounts *accounts, dream_account_table *table, const names *wanted)
{
    size_t mask = table->mask;
    size_t at = wanted->hash & mask;

    for (size_t probes = 0; probes <= mask; probes++, at = (at + 1) & mask) {
        for (size_t i = 0; i < SLOTS; i++) {
            uint64_t entry = atomic_load_explicit(&table->buckets[at][i], memory_order_acquire);
            dream_account *account;
            if (entry == 0)
                return NULL;
            if ((entry ^ wanted->hash) >> HASH_SHIFT != 0)
                continue;
            fetch(accounts->journal, entry);
            account = dream_journal_at(accounts->journal, account_in(entry));
            if (!is_named(account, wanted))
                continue;
            note_lease(&table->buckets[at][i], entry, account);
            return account;
        }
    }
    return NULL;
}

/* A table that was replaced meanwhile may have known nobody: then the next one is asked. It was in place before the old one's
 * memory went, and to see that gone a thread takes a page fault, so it sees the next one, too. */
static dream_account *look_up(const dream_accounts *accounts, const names *wanted)
{
    dream_account_table *table = atomic_load_explicit(&accounts->table, memory_order_acquire);
    dream_account_table *asked;
    dream_account *account;

    do {
        asked = table;
        account = look_up_in(accounts, asked, wanted);
        if (account != NULL)
            return account;
        table = atomic_load_explicit(&accounts->table, memory_order_acquire);
    } while (table != asked);
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
