/* SPDX-License-Identifier: Apache-2.0 */
/* test_accounts.c - finding accounts by name: many, alike, made by others, and while the table grows. */
#include "lib/meter/accounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/crypto.h"

enum { MANY = 100000, READERS = 3 };

typedef struct scene {
    dream_settings settings;
    dream_journal *journal;
    dream_accounts accounts;
    bool has_no_random;
    bool has_one_hash;
} scene;

/* The second factor of the last step of the hash is this, mixed with the seed: with it as the seed all hashes are zero. */
static const uint64_t seed_of_one_hash = UINT64_C(0xD6E8FEB86659FD93);

static int fill(void *data, void *out, size_t size)
{
    const scene *s = data;

    if (s->has_no_random)
        return -1;
    if (!s->has_one_hash || size != sizeof(seed_of_one_hash))
        return dream_random(out, size) ? 0 : -1;
    (void)memcpy(out, &seed_of_one_hash, size);
    return 0;
}

static int set_up(void **state)
{
    scene *s = calloc(1, sizeof(*s));
    dreamapi_error error;

    s->settings.base_url.text = (char *)"https://api.example.test";
    s->settings.random = fill;
    s->settings.random_data = s;
    assert_int_equal(dream_journal_open(NULL, &s->settings, &s->journal, &error), DREAMAPI_OK);
    assert_true(dream_accounts_init(&s->accounts, s->journal));
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene *s = *state;

    dream_accounts_clear(&s->accounts);
    dream_journal_close(s->journal);
    free(s);
    return 0;
}

static dream_account *get_from(dream_accounts *accounts, const char *user, const char *meter)
{
    dream_account *account = NULL;

    assert_int_equal(dream_accounts_get(accounts, user, meter, &account), DREAMAPI_OK);
    assert_non_null(account);
    assert_string_equal(dream_account_user(account), user);
    assert_string_equal(dream_account_meter(account), meter);
    return account;
}

static dream_account *get(scene *s, const char *user, const char *meter)
{
    return get_from(&s->accounts, user, meter);
}

static size_t count_records(const scene *s)
{
    size_t count = 0;

    for (dream_line line = 0; (line = dream_journal_next(s->journal, line)) != 0;)
        count++;
    return count;
}

static void test_accounts__one_that_was_never_made_is_not_found(void **state)
{
    scene *s = *state;

    assert_null(dream_accounts_find(&s->accounts, "user_1", "default"));
    assert_int_equal(count_records(s), 0);
}

static void test_accounts__the_same_names_give_the_same_account(void **state)
{
    scene *s = *state;
    dream_account *account = get(s, "user_1", "default");

    assert_ptr_equal(get(s, "user_1", "default"), account);
    assert_ptr_equal(dream_accounts_find(&s->accounts, "user_1", "default"), account);
    assert_int_equal(count_records(s), 1);
}

static void test_accounts__names_that_are_alike_are_told_apart(void **state)
{
    static const char *const rows[][2] = {
        { "a", "b" },
        { "ab", "default" },
        { "a", "default" },
        { "default", "a" },
        { "b", "a" },
        { "user_1", "m" },
        { "user_", "1m" },
        { "user_1m", "m" },
        { "12345678", "x" },
        { "123456789", "x" },
        { "1234567", "8x" },
        { "12345678", "8x" },
        { "aaaaaaaabbbbbbbb", "m" },
        { "bbbbbbbbaaaaaaaa", "m" },
        { "default", "default" },
        { "a_user_whose_id_is_longer_than_a_line_of_the_journal_can_hold_1", "default" },
        { "a_user_whose_id_is_longer_than_a_line_of_the_journal_can_hold_2", "default" },
        { "a_user_whose_id_is_longer_than_a_line_of_the_journal_can_hold_1", "and_a_long_meter_too" },
    };
    enum { COUNT = sizeof(rows) / sizeof(rows[0]) };
    scene *s = *state;
    dream_account *accounts[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        accounts[i] = get(s, rows[i][0], rows[i][1]);
    assert_int_equal(count_records(s), COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(dream_accounts_find(&s->accounts, rows[i][0], rows[i][1]), accounts[i]);
}

static void name(char out[32], uint32_t number)
{
    (void)snprintf(out, 32, "user_%u", (unsigned)number);
}

static void test_accounts__a_hundred_thousand_are_found_again(void **state)
{
    scene *s = *state;
    dream_line *lines = calloc(MANY, sizeof(*lines));
    char user[32];

    for (uint32_t i = 0; i < MANY; i++) {
        name(user, i);
        lines[i] = dream_journal_line(s->journal, get(s, user, i % 3 == 0 ? "tokens" : "default"));
    }
    for (uint32_t i = 0; i < MANY; i++) {
        name(user, i);
        assert_int_equal(dream_journal_line(s->journal, get(s, user, i % 3 == 0 ? "tokens" : "default")), lines[i]);
        assert_null(dream_accounts_find(&s->accounts, user, i % 3 == 0 ? "default" : "tokens"));
    }
    assert_int_equal(count_records(s), MANY);
    free(lines);
}

/* Not one page of them is in memory, but they can still be read: somebody may be at it. */
static void test_accounts__outgrown_tables_give_their_memory_back(void **state)
{
    scene *s = *state;
    long page = sysconf(_SC_PAGESIZE);
    unsigned char in_memory[8];
    char user[32];

    for (uint32_t i = 0; i < 10000; i++) {
        name(user, i);
        (void)get(s, user, "default");
    }
    assert_in_range(s->accounts.old_count, 4, DREAM_TABLES_MAX - 1);
    for (size_t i = 0; i < s->accounts.old_count; i++) {
        const uint64_t *old = (const uint64_t *)(const void *)s->accounts.old[i];
        assert_int_equal(mincore((void *)old, (size_t)page, in_memory), 0);
        assert_int_equal(in_memory[0] & 1, 0);
        assert_int_equal(old[0], 0);
    }
}

/* The guess beside each account is of no consequence: leases come, go, and are replaced. */
static void test_accounts__are_found_whatever_their_lease(void **state)
{
    static const dream_line leases[] = { 0, 1000, 0, DREAM_LINES_MAX - 1, 64 };
    scene *s = *state;
    dream_account *first = get(s, "user_1", "default");
    dream_account *other = get(s, "user_2", "tokens");

    for (size_t i = 0; i < sizeof(leases) / sizeof(leases[0]); i++) {
        atomic_store(&first->current, leases[i]);
        for (int again = 0; again < 2; again++) {
            assert_ptr_equal(dream_accounts_find(&s->accounts, "user_1", NULL), first);
            assert_ptr_equal(dream_accounts_find(&s->accounts, "user_2", "tokens"), other);
            assert_null(dream_accounts_find(&s->accounts, "user_1", "tokens"));
        }
    }
}

static void test_accounts__names_of_one_hash_are_told_apart(void **state)
{
    enum { COUNT = 500 };
    scene *s = *state;
    dream_accounts accounts;
    dream_account *first[COUNT];
    char user[32];

    s->has_one_hash = true;
    assert_true(dream_accounts_init(&accounts, s->journal));
    assert_int_equal(accounts.seed, seed_of_one_hash);
    for (uint32_t i = 0; i < COUNT; i++) {
        name(user, i);
        first[i] = get_from(&accounts, user, "default");
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        name(user, i);
        assert_ptr_equal(dream_accounts_find(&accounts, user, "default"), first[i]);
    }
    assert_null(dream_accounts_find(&accounts, "nobody", "default"));
    assert_int_equal(count_records(s), COUNT);
    dream_accounts_clear(&accounts);
}

static void test_accounts__a_second_table_learns_what_is_in_the_journal(void **state)
{
    scene *s = *state;
    dream_accounts other;
    char user[32];

    assert_true(dream_accounts_init(&other, s->journal));
    for (uint32_t i = 0; i < 1000; i++) {
        dream_accounts *from = i % 2 == 0 ? &s->accounts : &other;
        dream_accounts *to = i % 2 == 0 ? &other : &s->accounts;
        dream_account *account;
        name(user, i);
        account = get_from(from, user, "default");
        assert_null(dream_accounts_find(to, user, "default"));
        assert_ptr_equal(get_from(to, user, "default"), account);
    }
    assert_int_equal(count_records(s), 1000);
    dream_accounts_clear(&other);
}

static void test_accounts__without_randomness_there_is_no_table(void **state)
{
    scene *s = *state;
    dream_accounts other;

    s->has_no_random = true;
    assert_false(dream_accounts_init(&other, s->journal));
}

/* ---- threads ---- */

typedef struct race {
    scene *s;
    _Atomic uint32_t made;
    _Atomic uint32_t missing;
} race;

/* Whatever was made before is found, without a lock, while the table is replaced. */
static void *read_all(void *context)
{
    race *r = context;
    uint64_t seed = 1;
    char user[32];
    uint32_t made;

    while ((made = atomic_load(&r->made)) < MANY / 4) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        if (made == 0)
            continue;
        name(user, (uint32_t)(seed >> 33) % made);
        if (dream_accounts_find(&r->s->accounts, user, "default") == NULL)
            atomic_fetch_add(&r->missing, 1);
    }
    return NULL;
}

static void test_accounts__readers_find_all_that_was_made_while_the_table_grows(void **state)
{
    race r = { .s = *state };
    pthread_t threads[READERS];
    char user[32];

    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &r), 0);
    for (uint32_t i = 0; i < MANY / 4; i++) {
        name(user, i);
        (void)get(r.s, user, "default");
        atomic_store(&r.made, i + 1);
    }
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&r.missing), 0);
}

static void *make_all(void *context)
{
    race *r = context;
    dream_account *account;
    char user[32];

    for (uint32_t i = 0; i < 5000; i++) {
        name(user, i);
        if (dream_accounts_get(&r->s->accounts, user, "default", &account) != DREAMAPI_OK)
            atomic_fetch_add(&r->missing, 1);
    }
    return NULL;
}

static void test_accounts__threads_that_make_the_same_ones_make_each_once(void **state)
{
    race r = { .s = *state };
    pthread_t threads[READERS];

    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_all, &r), 0);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&r.missing), 0);
    assert_int_equal(count_records(r.s), 5000);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_accounts__one_that_was_never_made_is_not_found),
        WITH(test_accounts__the_same_names_give_the_same_account),
        WITH(test_accounts__names_that_are_alike_are_told_apart),
        WITH(test_accounts__a_hundred_thousand_are_found_again),
        WITH(test_accounts__outgrown_tables_give_their_memory_back),
        WITH(test_accounts__are_found_whatever_their_lease),
        WITH(test_accounts__names_of_one_hash_are_told_apart),
        WITH(test_accounts__a_second_table_learns_what_is_in_the_journal),
        WITH(test_accounts__without_randomness_there_is_no_table),
        WITH(test_accounts__readers_find_all_that_was_made_while_the_table_grows),
        WITH(test_accounts__threads_that_make_the_same_ones_make_each_once),
    };
    return cmocka_run_group_tests_name("accounts", tests, NULL, NULL);
}
