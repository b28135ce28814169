/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - one lease in an anonymous journal: what is spent, moved among threads, set aside and sealed adds up to what was
 * granted, whoever does it at the same time. */
#include "lib/meter/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto.h"
#include "lib/meter/accounts.h"

#define SECOND INT64_C(1000000000)
static const int64_t start_ns = 1000 * SECOND;

typedef struct scene {
    dream_settings settings;
    dream_journal *journal;
    dream_accounts accounts;
    dream_account *account;
    dream_lease *lease;
} scene;

static int64_t ms(int64_t count)
{
    return count * 1000000;
}

static int fill(void *data, void *out, size_t size)
{
    (void)data;
    return dream_random(out, size) ? 0 : -1;
}

static int set_up(void **state)
{
    scene *s = calloc(1, sizeof(*s));
    dreamapi_error error;

    s->settings.base_url.text = (char *)"https://api.example.test";
    s->settings.random = fill;
    assert_int_equal(dream_journal_open(NULL, &s->settings, &s->journal, &error), DREAMAPI_OK);
    assert_true(dream_accounts_init(&s->accounts, s->journal));
    assert_int_equal(dream_accounts_get(&s->accounts, "user_1", "default", &s->account), DREAMAPI_OK);
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

static void lock(scene *s)
{
    assert_true(dream_journal_lock(s->journal));
}

static void unlock(scene *s)
{
    dream_journal_unlock(s->journal);
}

static dream_grant make_grant(uint32_t granted)
{
    return (dream_grant){
        .granted = granted, .ends_at_ns = start_ns + 60 * SECOND, .granted_at_ns = start_ns, .limit = 1000000, .left = 0
    };
}

static dream_lease *install(scene *s, const dream_grant *grant)
{
    dream_line line;

    lock(s);
    line = dream_journal_take(s->journal, DREAM_TAG_LEASE, sizeof(dream_lease));
    assert_int_not_equal(line, 0);
    s->lease = dream_journal_at(s->journal, line);
    s->lease->account = dream_journal_line(s->journal, s->account);
    atomic_store(&s->lease->state, DREAM_LEASE_PENDING);
    dream_lease_install(s->lease, grant, s->account);
    unlock(s);
    return s->lease;
}

static dream_lease *install_units(scene *s, uint32_t granted)
{
    dream_grant grant = make_grant(granted);

    return install(s, &grant);
}

static dream_slow spend_from(scene *s, dream_share *share, uint32_t units, int64_t now_ns)
{
    dream_slow slow;

    lock(s);
    slow = dream_lease_spend(s->journal, s->lease, share, units, now_ns);
    unlock(s);
    return slow;
}

static dream_slow spend(scene *s, uint32_t units)
{
    return spend_from(s, dream_lease_share(s->journal, s->lease), units, start_ns);
}

static dream_share *share_at(const scene *s, dream_line line)
{
    return dream_journal_at(s->journal, line);
}

static dream_slow reserve_at(scene *s, uint32_t units, int64_t until_ns, int64_t now_ns, dream_share **out)
{
    dream_line line;
    dream_slow slow;

    lock(s);
    slow = dream_lease_reserve(s->journal, s->lease, units, until_ns, now_ns, &line);
    unlock(s);
    *out = line == 0 ? NULL : share_at(s, line);
    return slow;
}

static dream_share *reserve(scene *s, uint32_t units)
{
    dream_share *reservation;

    assert_int_equal(reserve_at(s, units, start_ns + 10 * SECOND, start_ns, &reservation), DREAM_SLOW_SPENT);
    return reservation;
}

static bool end(scene *s, dream_share *reservation, uint32_t units)
{
    bool is_booked;

    lock(s);
    is_booked = dream_reservation_end(s->journal, reservation, units);
    unlock(s);
    return is_booked;
}

static uint32_t spare(scene *s)
{
    return dream_lease_spare(s->journal, s->lease);
}

static uint32_t admitted(scene *s)
{
    return dream_lease_admitted(s->journal, s->lease);
}

/* Quotas and what is set aside. */
static uint64_t permitted(const scene *s)
{
    const dream_lease *lease = s->lease;
    dream_line fan = atomic_load(&lease->main.lease);
    uint64_t sum = atomic_load(&lease->main.quota);

    for (uint32_t i = 0; fan != 0 && i < DREAM_FAN; i++)
        sum += atomic_load(&share_at(s, fan + i)->quota);
    for (dream_line line = atomic_load(&lease->reservations); line != 0; line = atomic_load(&share_at(s, line)->next))
        sum += atomic_load(&share_at(s, line)->quota);
    return sum;
}

/* ---- spending ---- */

static void test_lease__exactly_what_was_granted_is_spent(void **state)
{
    scene *s = *state;

    install_units(s, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(spend(s, 1), DREAM_SLOW_SPENT);
    assert_int_equal(spend(s, 1), DREAM_SLOW_EMPTY);
    assert_int_equal(admitted(s), 10);
    assert_int_equal(spare(s), 0);
}

static void test_lease__units_are_admitted_all_or_none(void **state)
{
    scene *s = *state;

    install_units(s, 10);
    assert_int_equal(spend(s, 8), DREAM_SLOW_SPENT);
    assert_int_equal(spend(s, 3), DREAM_SLOW_EMPTY);
    assert_int_equal(admitted(s), 8);
    assert_int_equal(spend(s, 2), DREAM_SLOW_SPENT);
}

static void test_lease__the_largest_grant_and_the_largest_use_do_not_overflow(void **state)
{
    scene *s = *state;

    install_units(s, (uint32_t)DREAM_MAX_GRANT);
    assert_int_equal(spend(s, 1000000000), DREAM_SLOW_SPENT);
    assert_int_equal(spend(s, 1000000000), DREAM_SLOW_SPENT);
    assert_int_equal(spend(s, 1000000000), DREAM_SLOW_EMPTY);
    assert_int_equal(admitted(s), 2000000000);
}

static void test_lease__the_last_quarter_takes_the_slow_path(void **state)
{
    scene *s = *state;
    dream_lease *lease = install_units(s, 100);

    assert_int_equal(dream_share_spend(&lease->main, 75, start_ns), DREAM_SPENT);
    assert_int_equal(dream_share_spend(&lease->main, 1, start_ns), DREAM_SPENT_SLOW);
    assert_int_equal(spend(s, 1), DREAM_SLOW_SPENT);
}

static void test_lease__nothing_is_spent_from_its_end_on(void **state)
{
    scene *s = *state;
    dream_lease *lease = install_units(s, 100);

    assert_int_equal(spend_from(s, &lease->main, 1, lease->ends_at_ns - 1), DREAM_SLOW_SPENT);
    assert_int_equal(dream_share_spend(&lease->main, 1, lease->ends_at_ns), DREAM_SPENT_SLOW);
    assert_int_equal(spend_from(s, &lease->main, 1, lease->ends_at_ns), DREAM_SLOW_OVER);
    assert_int_equal(admitted(s), 1);
}

static void test_lease__a_pending_one_is_not_spent(void **state)
{
    scene *s = *state;
    dream_line line;

    lock(s);
    line = dream_journal_take(s->journal, DREAM_TAG_LEASE, sizeof(dream_lease));
    unlock(s);
    s->lease = dream_journal_at(s->journal, line);
    atomic_store(&s->lease->state, DREAM_LEASE_PENDING);
    assert_int_equal(dream_share_spend(&s->lease->main, 1, 0), DREAM_SPENT_SLOW);
    assert_int_equal(spend(s, 1), DREAM_SLOW_OVER);
}

static void test_lease__a_refill_is_wanted_once_when_a_third_of_the_time_is_left(void **state)
{
    scene *s = *state;
    dream_lease *lease = install_units(s, 100);

    assert_false(dream_lease_wants_refill(lease, start_ns + 40 * SECOND - 1));
    assert_int_equal(dream_share_spend(&lease->main, 1, start_ns + 40 * SECOND - 1), DREAM_SPENT);
    assert_int_equal(dream_share_spend(&lease->main, 1, start_ns + 40 * SECOND), DREAM_SPENT_SLOW);
    assert_true(dream_lease_wants_refill(lease, start_ns + 40 * SECOND));
    assert_false(dream_lease_wants_refill(lease, start_ns + 41 * SECOND));
    assert_int_equal(dream_share_spend(&lease->main, 1, start_ns + 41 * SECOND), DREAM_SPENT);
}

/* A swap that was prepared before a quota was lowered fails afterwards. */
static void test_lease__a_use_that_read_the_old_quota_fails_once_units_were_set_aside(void **state)
{
    scene *s = *state;
    dream_lease *lease = install_units(s, 10);
    uint64_t seen = atomic_load(&lease->main.word);

    (void)reserve(s, 10);
    assert_false(atomic_compare_exchange_strong(&lease->main.word, &seen, seen + 1));
    assert_int_equal(spend(s, 1), DREAM_SLOW_EMPTY);
}

/* ---- the fan ---- */

static void test_lease__a_fan_spends_exactly_what_was_granted(void **state)
{
    scene *s = *state;
    dream_lease *lease = install_units(s, 1000);
    dream_line fan;
    uint32_t count = 0;

    assert_int_equal(spend(s, 100), DREAM_SLOW_SPENT);
    lock(s);
    assert_true(dream_lease_fan_out(s->journal, lease));
    assert_false(dream_lease_fan_out(s->journal, lease));
    unlock(s);
    fan = atomic_load(&lease->main.lease);
    assert_int_equal(spare(s), 900);
    while (spend_from(s, share_at(s, fan + count % DREAM_FAN), 1, start_ns) == DREAM_SLOW_SPENT)
        count++;
    assert_int_equal(count, 900);
    assert_int_equal(admitted(s), 1000);
    assert_int_equal(permitted(s), 1000);
}

static void test_lease__a_share_of_a_fan_gathers_a_part_and_leaves_the_rest_to_others(void **state)
{
    scene *s = *state;
    dream_lease *lease = install_units(s, 1600);
    dream_share *first;

    lock(s);
    assert_true(dream_lease_fan_out(s->journal, lease));
    unlock(s);
    first = share_at(s, atomic_load(&lease->main.lease));
    assert_int_equal(spend_from(s, first, 1, start_ns), DREAM_SLOW_SPENT);
    assert_int_equal(atomic_load(&first->quota), 100);
    assert_int_equal(atomic_load(&lease->main.quota), 1500);
    for (int i = 0; i < 99; i++)
        assert_int_equal(dream_share_spend(first, 1, start_ns), DREAM_SPENT);
    assert_int_equal(dream_share_spend(first, 1, start_ns), DREAM_SPENT_SLOW);
}

static void test_lease__one_use_takes_what_lies_scattered_over_a_fan(void **state)
{
    scene *s = *state;
    dream_lease *lease = install_units(s, 160);
    dream_line fan;

    lock(s);
    assert_true(dream_lease_fan_out(s->journal, lease));
    unlock(s);
    fan = atomic_load(&lease->main.lease);
    for (uint32_t i = 0; i < DREAM_FAN; i++)
        assert_int_equal(spend_from(s, share_at(s, fan + i), 1, start_ns), DREAM_SLOW_SPENT);
    assert_int_equal(spend_from(s, share_at(s, fan + 3), 144, start_ns), DREAM_SLOW_SPENT);
    assert_int_equal(spare(s), 0);
    assert_int_equal(permitted(s), 160);
}

static void test_lease__one_with_a_rate_has_no_fan(void **state)
{
    scene *s = *state;
    dream_grant grant = make_grant(100);

    grant.window_ms = 60000;
    grant.rate_calls = 5;
    grant.edge_ns = start_ns + 30 * SECOND;
    install(s, &grant);
    lock(s);
    assert_false(dream_lease_fan_out(s->journal, s->lease));
    unlock(s);
}

static void test_lease__a_record_that_serves_again_fails_swaps_that_were_prepared_before(void **state)
{
    scene *s = *state;
    dream_lease *lease = install_units(s, 10);
    uint64_t seen = atomic_load(&lease->main.word);
    dream_line line = dream_journal_line(s->journal, lease);

    lock(s);
    dream_lease_seal(s->journal, lease);
    dream_lease_free(s->journal, lease);
    unlock(s);
    assert_ptr_equal(install_units(s, 10), lease);
    assert_int_equal(dream_journal_line(s->journal, s->lease), line);
    assert_false(atomic_compare_exchange_strong(&lease->main.word, &seen, seen + 1));
}

/* ---- reservations ---- */

static void test_lease__what_is_set_aside_cannot_be_spent(void **state)
{
    scene *s = *state;
    dream_share *reservation;

    install_units(s, 10);
    reservation = reserve(s, 6);
    assert_int_equal(spare(s), 4);
    assert_int_equal(admitted(s), 0);
    assert_int_equal(spend(s, 5), DREAM_SLOW_EMPTY);
    assert_int_equal(spend(s, 4), DREAM_SLOW_SPENT);
    assert_true(end(s, reservation, 6));
    assert_int_equal(admitted(s), 10);
}

static void test_lease__what_a_commit_does_not_book_can_be_spent_again(void **state)
{
    static const struct {
        uint32_t booked, admitted, spare;
    } rows[] = { { 0, 0, 10 }, { 1, 1, 9 }, { 6, 6, 4 }, { 7, 6, 4 }, { UINT32_MAX, 6, 4 } };
    scene *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        install_units(s, 10);
        assert_true(end(s, reserve(s, 6), rows[i].booked));
        assert_int_equal(admitted(s), rows[i].admitted);
        assert_int_equal(spare(s), rows[i].spare);
        assert_int_equal(permitted(s), 10);
        assert_int_equal(atomic_load(&s->lease->reservations), 0);
    }
}

static void test_lease__a_reservation_ends_once(void **state)
{
    scene *s = *state;
    dream_share *reservation;

    install_units(s, 10);
    reservation = reserve(s, 6);
    lock(s);
    dream_lease_seal(s->journal, s->lease);
    unlock(s);
    assert_true(end(s, reservation, 2));
    assert_false(end(s, reservation, 2));
    assert_int_equal(admitted(s), 2);
}

static void test_lease__too_large_a_reservation_changes_nothing(void **state)
{
    scene *s = *state;
    dream_share *reservation;

    install_units(s, 10);
    assert_int_equal(reserve_at(s, 11, start_ns + SECOND, start_ns, &reservation), DREAM_SLOW_EMPTY);
    assert_null(reservation);
    assert_int_equal(spare(s), 10);
    assert_int_equal(permitted(s), 10);
    assert_int_equal(spend(s, 10), DREAM_SLOW_SPENT);
}

static void test_lease__several_reservations_end_in_any_order(void **state)
{
    static const int orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    scene *s = *state;

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        dream_share *reservations[3];
        install_units(s, 30);
        for (int j = 0; j < 3; j++)
            reservations[j] = reserve(s, 10);
        for (int j = 0; j < 3; j++)
            assert_true(end(s, reservations[orders[i][j]], (uint32_t)(j + 1)));
        assert_int_equal(admitted(s), 6);
        assert_int_equal(spare(s), 24);
        assert_int_equal(atomic_load(&s->lease->reservations), 0);
    }
}

static void test_lease__a_reservation_gathers_units_from_a_fan(void **state)
{
    scene *s = *state;
    dream_line fan;

    install_units(s, 160);
    lock(s);
    assert_true(dream_lease_fan_out(s->journal, s->lease));
    unlock(s);
    fan = atomic_load(&s->lease->main.lease);
    for (uint32_t i = 0; i < DREAM_FAN; i++)
        assert_int_equal(spend_from(s, share_at(s, fan + i), 1, start_ns), DREAM_SLOW_SPENT);
    assert_true(end(s, reserve(s, 144), 100));
    assert_int_equal(admitted(s), 116);
    assert_int_equal(spare(s), 44);
}

/* docs/meters.md: units of a reservation that is never committed return when its time is over. */
static void test_lease__units_of_a_reservation_return_when_its_time_is_over(void **state)
{
    scene *s = *state;
    dream_share *reservation;

    install_units(s, 10);
    reservation = reserve(s, 6);
    assert_int_equal(spend_from(s, &s->lease->main, 10, start_ns + 10 * SECOND - 1), DREAM_SLOW_EMPTY);
    assert_int_equal(spend_from(s, &s->lease->main, 10, start_ns + 10 * SECOND), DREAM_SLOW_SPENT);
    assert_false(end(s, reservation, 6));
    assert_int_equal(admitted(s), 10);
}

static void test_lease__a_reservation_gets_the_units_of_those_whose_time_is_over(void **state)
{
    scene *s = *state;
    dream_share *again;

    install_units(s, 10);
    (void)reserve(s, 6);
    assert_int_equal(reserve_at(s, 10, start_ns + 20 * SECOND, start_ns + 10 * SECOND, &again), DREAM_SLOW_SPENT);
    assert_true(end(s, again, 10));
    assert_int_equal(admitted(s), 10);
}

/* ---- the end ---- */

static void test_lease__an_open_reservation_keeps_a_sealed_lease_from_its_final_count(void **state)
{
    scene *s = *state;
    dream_share *reservation;

    install_units(s, 10);
    reservation = reserve(s, 6);
    lock(s);
    dream_lease_seal(s->journal, s->lease);
    assert_false(dream_lease_is_final(s->journal, s->lease, start_ns));
    unlock(s);
    assert_true(end(s, reservation, 4));
    lock(s);
    assert_true(dream_lease_is_final(s->journal, s->lease, start_ns));
    unlock(s);
    assert_int_equal(admitted(s), 4);
}

static void test_lease__a_reservation_whose_time_is_over_is_ended_with_nothing(void **state)
{
    scene *s = *state;
    dream_share *reservation;

    install_units(s, 10);
    reservation = reserve(s, 6);
    lock(s);
    dream_lease_seal(s->journal, s->lease);
    assert_true(dream_lease_is_final(s->journal, s->lease, start_ns + 10 * SECOND));
    unlock(s);
    assert_false(end(s, reservation, 4));
    assert_int_equal(admitted(s), 0);
}

static void test_lease__a_dead_owners_reservation_is_ended_with_nothing(void **state)
{
    scene *s = *state;
    dream_share *reservation;

    install_units(s, 10);
    reservation = reserve(s, 6);
    reservation->owner_start += 1 << 16; /* a process of that number that began at another time */
    lock(s);
    dream_lease_seal(s->journal, s->lease);
    assert_true(dream_lease_is_final(s->journal, s->lease, start_ns));
    unlock(s);
    assert_int_equal(admitted(s), 0);
}

static void test_lease__an_owner_in_another_pid_namespace_is_not_taken_for_dead(void **state)
{
    scene *s = *state;
    dream_share *reservation;

    install_units(s, 10);
    reservation = reserve(s, 6);
    reservation->owner_start ^= 1;
    lock(s);
    dream_lease_seal(s->journal, s->lease);
    assert_false(dream_lease_is_final(s->journal, s->lease, start_ns));
    unlock(s);
}

static void test_lease__an_active_one_is_never_final(void **state)
{
    scene *s = *state;

    install_units(s, 10);
    lock(s);
    assert_false(dream_lease_is_final(s->journal, s->lease, start_ns + 3600 * SECOND));
    unlock(s);
}

static void test_lease__a_sealed_one_spends_nothing_and_keeps_its_counts(void **state)
{
    scene *s = *state;

    install_units(s, 100);
    assert_int_equal(spend(s, 7), DREAM_SLOW_SPENT);
    lock(s);
    assert_true(dream_lease_fan_out(s->journal, s->lease));
    unlock(s);
    assert_int_equal(spend(s, 7), DREAM_SLOW_SPENT);
    lock(s);
    dream_lease_seal(s->journal, s->lease);
    unlock(s);
    for (uint32_t i = 0; i < DREAM_FAN; i++)
        assert_int_equal(dream_share_spend(share_at(s, atomic_load(&s->lease->main.lease) + i), 1, start_ns),
                         DREAM_SPENT_SLOW);
    assert_int_equal(spend(s, 1), DREAM_SLOW_OVER);
    assert_int_equal(spare(s), 0);
    assert_int_equal(admitted(s), 14);
}

static void test_lease__freeing_frees_all_that_hangs_on_it(void **state)
{
    scene *s = *state;
    uint32_t used;

    for (int round = 0; round < 3; round++) {
        install_units(s, 100);
        lock(s);
        assert_true(dream_lease_fan_out(s->journal, s->lease));
        unlock(s);
        (void)reserve(s, 6);
        (void)reserve(s, 6);
        lock(s);
        dream_lease_seal(s->journal, s->lease);
        dream_lease_free(s->journal, s->lease);
        unlock(s);
        if (round == 0)
            used = atomic_load(&dream_journal_header_of(s->journal)->used);
        assert_int_equal(atomic_load(&dream_journal_header_of(s->journal)->used), used);
    }
}

/* ---- a fold that a kill cut short ---- */

/* As `fold` leaves it when it is killed before or after the count moved. */
static void begin_fold(scene *s, dream_share *reservation, bool is_counted)
{
    uint64_t word = atomic_load(&s->lease->main.word);

    atomic_store(&reservation->word, DREAM_SEALED | 4);
    s->lease->fold_share = dream_journal_line(s->journal, reservation);
    atomic_store(&s->lease->fold_from, word);
    if (is_counted)
        atomic_store(&s->lease->main.word, dream_word_next_generation(word) + 4);
}

static void mends_to_one_count(scene *s, bool is_counted)
{
    dream_share *reservation;

    install_units(s, 20);
    assert_int_equal(spend(s, 1), DREAM_SLOW_SPENT);
    reservation = reserve(s, 6);
    begin_fold(s, reservation, is_counted);
    assert_int_equal(spend(s, 1), DREAM_SLOW_SPENT); /* by a thread that does not wait for the lock */
    lock(s);
    dream_lease_mend(s->journal, s->lease);
    dream_lease_mend(s->journal, s->lease);
    unlock(s);
    assert_int_equal(admitted(s), 6);
    assert_int_equal(s->lease->fold_share, 0);
}

static void test_lease__a_fold_killed_before_the_count_moved_counts_once(void **state)
{
    mends_to_one_count(*state, false);
}

static void test_lease__a_fold_killed_after_the_count_moved_counts_once(void **state)
{
    mends_to_one_count(*state, true);
}

/* After 2048 changes the generation is 0 again, and so may the whole word be. */
static void test_lease__a_fold_from_a_word_of_zero_counts_once(void **state)
{
    scene *s = *state;
    dream_share *reservation;

    install_units(s, 20);
    reservation = reserve(s, 6);
    while (atomic_load(&s->lease->main.word) != 0)
        atomic_store(&s->lease->main.word, dream_word_next_generation(atomic_load(&s->lease->main.word)));
    begin_fold(s, reservation, true);
    lock(s);
    dream_lease_mend(s->journal, s->lease);
    unlock(s);
    assert_int_equal(admitted(s), 4);
}

/* ---- debt ---- */

static uint32_t debt_of(const scene *s)
{
    return (uint32_t)atomic_load(&s->account->debt);
}

static void test_lease__a_debt_is_the_first_count_of_the_next_lease(void **state)
{
    scene *s = *state;

    atomic_store(&s->account->debt, 4);
    install_units(s, 10);
    assert_int_equal(admitted(s), 4);
    assert_int_equal(spare(s), 6);
    assert_int_equal(debt_of(s), 0);
}

static void test_lease__a_debt_larger_than_a_grant_is_paid_from_several(void **state)
{
    scene *s = *state;

    atomic_store(&s->account->debt, 25);
    install_units(s, 10);
    assert_int_equal(spare(s), 0);
    assert_int_equal(debt_of(s), 15);
    install_units(s, 10);
    assert_int_equal(debt_of(s), 5);
    install_units(s, 10);
    assert_int_equal(admitted(s), 5);
    assert_int_equal(debt_of(s), 0);
}

static void test_lease__a_debt_is_lowered_once_however_often_it_is_tried(void **state)
{
    scene *s = *state;

    atomic_store(&s->account->debt, 4);
    install_units(s, 10);
    atomic_fetch_add(&s->account->debt, 7);
    dream_account_lower_debt(s->account, s->lease->debt_paid, s->lease->debt_generation);
    dream_account_lower_debt(s->account, s->lease->debt_paid, s->lease->debt_generation);
    assert_int_equal(debt_of(s), 7);
}

static void test_lease__a_debt_is_never_lowered_below_none(void **state)
{
    scene *s = *state;

    atomic_store(&s->account->debt, 3);
    dream_account_lower_debt(s->account, 5, 0);
    assert_true(atomic_load(&s->account->debt) == UINT64_C(1) << 32);
}

/* ---- refunds ---- */

static void test_lease__refunds_add_up_until_they_are_closed(void **state)
{
    scene *s = *state;

    install_units(s, 10);
    assert_true(dream_lease_refund(s->lease, 2));
    assert_true(dream_lease_refund(s->lease, 3));
    dream_lease_close_refunds(s->lease);
    assert_false(dream_lease_refund(s->lease, 1));
    assert_int_equal(dream_lease_refunded(s->lease), 5);
    assert_int_equal(spare(s), 10); /* they go to the allowance, not to the lease */
}

/* ---- the rate ---- */

enum { CALLS_MAX = 4096 };

typedef struct rate_run {
    scene *s;
    uint32_t window_ms, width_ms, calls;
    int64_t edge_ns;
    size_t count;
    int64_t at_ns[CALLS_MAX];
} rate_run;

static void begin_rate(rate_run *run)
{
    dream_grant grant = make_grant(1000000);

    grant.ends_at_ns = start_ns + 3600 * SECOND;
    grant.window_ms = run->window_ms;
    grant.rate_calls = run->calls;
    grant.edge_ns = run->edge_ns;
    grant.edge_width_ms = run->width_ms;
    run->count = 0;
    install(run->s, &grant);
}

static bool call_at(rate_run *run, int64_t now_ns, bool is_reserved)
{
    dream_share *reservation;
    bool is_admitted;

    if (is_reserved)
        is_admitted = reserve_at(run->s, 1, now_ns + SECOND, now_ns, &reservation) == DREAM_SLOW_SPENT;
    else
        is_admitted = dream_share_spend(&run->s->lease->main, 1, now_ns) != DREAM_SPENT_SLOW
                      || spend_from(run->s, &run->s->lease->main, 1, now_ns) == DREAM_SLOW_SPENT;
    if (is_admitted) {
        assert_true(run->count < CALLS_MAX);
        run->at_ns[run->count++] = now_ns;
    }
    if (is_reserved && is_admitted)
        assert_true(end(run->s, reservation, 1));
    return is_admitted;
}

static int64_t window_of(const rate_run *run, int64_t true_edge_ns, int64_t at_ns)
{
    int64_t window_ns = ms(run->window_ms);
    int64_t distance = at_ns - true_edge_ns;

    return distance >= 0 ? distance / window_ns : -((-distance + window_ns - 1) / window_ns);
}

/* The server's windows turn at edge_ns plus some part of the width: for each such place no window has more calls than were granted. */
static void expect_rate_kept(const rate_run *run)
{
    for (int part = 0; part <= 16; part++) {
        int64_t edge_ns = run->edge_ns + ms(run->width_ms) * part / 16;
        int64_t window = INT64_MIN;
        uint32_t calls = 0;
        for (size_t i = 0; i < run->count; i++) {
            int64_t of = window_of(run, edge_ns, run->at_ns[i]);
            calls = of == window ? calls + 1 : 1;
            window = of;
            if (calls > run->calls)
                fail_msg("%u calls of %u in window %lld, edge %d/16 of %u ms", calls, run->calls, (long long)window,
                         part, run->width_ms);
        }
    }
}

static void test_lease__calls_of_a_window_are_those_granted(void **state)
{
    rate_run run = { .s = *state, .window_ms = 60000, .width_ms = 20, .calls = 3, .edge_ns = start_ns + 10 * SECOND };

    begin_rate(&run);
    for (int i = 0; i < 3; i++)
        assert_true(call_at(&run, start_ns + i, false));
    assert_false(call_at(&run, start_ns + SECOND, false));
    lock(run.s);
    assert_int_equal(dream_lease_spend(run.s->journal, run.s->lease, &run.s->lease->main, 1, start_ns + SECOND),
                     DREAM_SLOW_RATE);
    unlock(run.s);
    assert_int_equal(dream_lease_rate_wait_ms(run.s->lease, start_ns + SECOND), 9020);
    assert_false(call_at(&run, start_ns + SECOND + ms(9020) - 1, false));
    assert_true(call_at(&run, start_ns + SECOND + ms(9020), false));
}

static void test_lease__calls_near_the_edge_count_against_both_windows(void **state)
{
    /* When to call, and what comes of it; the edge is between 1000 and 1100, the window 1000, three calls each. */
    static const struct {
        int at_ms;
        bool is_admitted;
    } rows[] = {
        { 900, true },   { 999, true },   { 1000, true },   { 1001, false }, { 1099, false }, { 1100, true },
        { 1101, true },  { 1102, false }, { 1999, false },  { 2000, false }, { 2099, false }, { 2100, true },
        { 2101, true },  { 2102, true },  { 2103, false },  { 9050, true },  { 9051, true },  { 9052, true },
        { 9053, false }, { 9100, false }, { 10000, false }, { 10100, true },
    };
    rate_run run = { .s = *state, .window_ms = 1000, .width_ms = 100, .calls = 3, .edge_ns = start_ns + ms(1000) };

    begin_rate(&run);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (call_at(&run, start_ns + ms(rows[i].at_ms), false) != rows[i].is_admitted)
            fail_msg("row %zu: at %d ms", i, rows[i].at_ms);
    }
    expect_rate_kept(&run);
}

/* Kills whoever turns the window between two of its stores: what is there then is put together from before and after. */
static void killed_in_a_turn(rate_run *run, int64_t at_ns, bool is_restarted, bool is_counted)
{
    dream_lease before;
    dream_lease *lease = run->s->lease;
    uint32_t mark;

    memcpy(&before, lease, sizeof(before));
    mark = UINT32_C(1) << 31 | (before.rate_turns & 0xFFFFF) << 11
           | (uint32_t)((atomic_load(&before.main.word) & DREAM_GENERATIONS) >> 52);
    assert_true(call_at(run, at_ns, false));
    run->count--;
    atomic_store(&lease->main.word, is_restarted
                                        ? dream_word_next_generation(atomic_load(&before.main.word)) & ~DREAM_CALLS
                                        : atomic_load(&before.main.word));
    lease->rate_turns = before.rate_turns + (is_counted ? 1 : 0);
    lease->turning = mark;
    lock(run->s);
    dream_lease_mend(run->s->journal, lease);
    dream_lease_mend(run->s->journal, lease);
    unlock(run->s);
}

static void test_lease__a_turn_that_a_kill_cut_short_admits_no_more_calls(void **state)
{
    static const struct {
        bool is_restarted, is_counted;
    } rows[] = { { false, false }, { true, false }, { true, true } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rate_run run = { .s = *state, .window_ms = 1000, .width_ms = 100, .calls = 3, .edge_ns = start_ns + ms(1000) };
        begin_rate(&run);
        for (int at_ms = 1001; at_ms < 1003; at_ms++)
            assert_true(call_at(&run, start_ns + ms(at_ms), false));
        killed_in_a_turn(&run, start_ns + ms(1100), rows[i].is_restarted, rows[i].is_counted);
        for (int at_ms = 1101; at_ms < 4200; at_ms += 7)
            (void)call_at(&run, start_ns + ms(at_ms), false);
        expect_rate_kept(&run);
        assert_int_equal(run.count, 2 + 1 + 3 + 3 + 3);
        lock(run.s);
        dream_lease_seal(run.s->journal, run.s->lease);
        dream_lease_free(run.s->journal, run.s->lease);
        unlock(run.s);
    }
}

static void test_lease__a_rate_of_no_calls_admits_none(void **state)
{
    rate_run run = { .s = *state, .window_ms = 1000, .width_ms = 100, .calls = 0, .edge_ns = start_ns + ms(1000) };

    begin_rate(&run);
    for (int i = 0; i < 100; i++)
        assert_false(call_at(&run, start_ns + ms(50) * i, i % 2 == 0));
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static void test_lease__no_window_has_more_calls_than_granted_wherever_its_edge_is(void **state)
{
    scene *s = *state;
    uint64_t seed = 7;

    for (int round = 0; round < 400; round++) {
        rate_run run = { .s = s, .window_ms = 1 + next_random(&seed) % 2000, .calls = 1 + next_random(&seed) % 12 };
        int64_t now_ns = start_ns;
        uint32_t pace = 1 + next_random(&seed) % (2 * run.window_ms / run.calls + 2);
        run.width_ms = next_random(&seed) % (round % 4 == 0 ? 3 * run.window_ms : run.window_ms);
        run.edge_ns = start_ns - ms(run.width_ms) + ms(next_random(&seed) % (run.window_ms + run.width_ms + 1));
        begin_rate(&run);
        for (int i = 0; i < 300; i++) {
            uint32_t what = next_random(&seed) % 32;
            now_ns += what == 0  ? ms(run.window_ms) * (next_random(&seed) % 4)
                      : what < 8 ? 0
                                 : ms(next_random(&seed) % pace);
            (void)call_at(&run, now_ns, what % 5 == 0);
        }
        expect_rate_kept(&run);
        lock(s);
        dream_lease_seal(s->journal, s->lease);
        dream_lease_free(s->journal, s->lease);
        unlock(s);
    }
}

/* ---- threads ---- */

enum { SPENDERS = 4, HAMMER_GRANT = 20000, ROUNDS = 12, RATE_CALLS = 300 };

typedef struct hammer {
    scene *s;
    uint32_t most; /* units of one use */
    int64_t now_ns;
    _Atomic uint32_t started;
    _Atomic uint64_t sum;
    _Atomic uint64_t uses;
    _Atomic uint32_t running;
} hammer;

/* Spends until the lease has nothing for it; how the last units are found is the slow path's. */
static void *spend_all(void *context)
{
    hammer *h = context;
    scene *s = h->s;
    uint64_t seed = atomic_fetch_add(&h->started, 1) + 1;
    uint64_t sum = 0;
    uint64_t uses = 0;
    dream_slow slow = DREAM_SLOW_SPENT;

    while (slow == DREAM_SLOW_SPENT) {
        uint32_t units = 1 + next_random(&seed) % h->most;
        dream_share *share = dream_lease_share(s->journal, s->lease);
        if (dream_share_spend(share, units, h->now_ns) == DREAM_SPENT_SLOW && dream_journal_lock(s->journal)) {
            slow = dream_lease_spend(s->journal, s->lease, dream_lease_share(s->journal, s->lease), units, h->now_ns);
            dream_journal_unlock(s->journal);
        }
        if (slow == DREAM_SLOW_SPENT) {
            sum += units;
            uses++;
        }
    }
    atomic_fetch_add(&h->sum, sum);
    atomic_fetch_add(&h->uses, uses);
    atomic_fetch_sub(&h->running, 1);
    return NULL;
}

/* Moves quotas as long as somebody spends. Returns what it booked by commits. */
static uint64_t move_quotas(hammer *h, uint64_t seed, int seal_after, uint64_t *out_reserved_calls)
{
    scene *s = h->s;
    dream_share *open[8] = { NULL };
    uint64_t booked = 0;

    *out_reserved_calls = 0;
    for (int i = 0; atomic_load(&h->running) > 0; i++) {
        size_t slot = next_random(&seed) % 8;
        uint32_t units = 1 + next_random(&seed) % 50;
        dream_line line = 0;
        lock(s);
        if (i == seal_after)
            dream_lease_seal(s->journal, s->lease);
        if (open[slot] != NULL) {
            uint32_t quota = atomic_load(&open[slot]->quota);
            assert_true(dream_reservation_end(s->journal, open[slot], units));
            booked += units < quota ? units : quota;
            open[slot] = NULL;
        } else if (dream_lease_reserve(s->journal, s->lease, units, INT64_MAX, h->now_ns, &line) == DREAM_SLOW_SPENT) {
            open[slot] = share_at(s, line);
            ++*out_reserved_calls;
        }
        if (i == 40)
            (void)dream_lease_fan_out(s->journal, s->lease);
        assert_true(admitted(s) <= atomic_load(&s->lease->granted));
        if ((atomic_load(&s->lease->main.word) & DREAM_SEALED) == 0)
            assert_int_equal(permitted(s), atomic_load(&s->lease->granted));
        unlock(s);
    }
    lock(s);
    for (size_t slot = 0; slot < 8; slot++) {
        if (open[slot] != NULL)
            assert_true(dream_reservation_end(s->journal, open[slot], 0));
    }
    unlock(s);
    return booked;
}

static uint64_t run_hammer(hammer *h, uint64_t seed, int seal_after, uint64_t *out_reserved_calls)
{
    pthread_t threads[SPENDERS];
    uint64_t booked;

    h->now_ns = start_ns;
    atomic_store(&h->running, SPENDERS);
    for (int i = 0; i < SPENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spend_all, h), 0);
    booked = move_quotas(h, seed, seal_after, out_reserved_calls);
    for (int i = 0; i < SPENDERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    return booked;
}

static void test_lease__threads_and_moved_quotas_add_up_exactly(void **state)
{
    scene *s = *state;
    uint64_t calls;

    for (int round = 0; round < ROUNDS; round++) {
        hammer h = { .s = s, .most = round % 3 == 0 ? 1 : 7 };
        uint64_t booked;
        install_units(s, HAMMER_GRANT * (1 + (uint32_t)round % 3));
        booked = run_hammer(&h, (uint64_t)round + 1, round % 2 == 0 ? -1 : 100 * round, &calls);
        assert_int_equal(atomic_load(&h.sum) + booked, admitted(s));
        assert_true(admitted(s) <= atomic_load(&s->lease->granted));
        lock(s);
        if ((atomic_load(&s->lease->main.word) & DREAM_SEALED) == 0)
            assert_int_equal(admitted(s) + spare(s), atomic_load(&s->lease->granted));
        dream_lease_seal(s->journal, s->lease);
        assert_int_equal(atomic_load(&h.sum) + booked, admitted(s));
        dream_lease_free(s->journal, s->lease);
        unlock(s);
    }
}

static void test_lease__threads_that_use_and_reserve_keep_the_rate(void **state)
{
    scene *s = *state;
    uint64_t calls;

    for (int round = 0; round < ROUNDS * 20; round++) {
        hammer h = { .s = s, .most = 1 };
        dream_grant grant = make_grant(1000000);
        grant.window_ms = 60000;
        grant.rate_calls = RATE_CALLS;
        grant.edge_ns = start_ns + 30 * SECOND;
        install(s, &grant);
        (void)run_hammer(&h, (uint64_t)round + 1, -1, &calls);
        assert_int_equal(atomic_load(&h.uses) + calls, dream_word_calls(atomic_load(&s->lease->main.word)));
        if (atomic_load(&h.uses) + calls > RATE_CALLS)
            fail_msg("round %d: %llu calls", round, (unsigned long long)(atomic_load(&h.uses) + calls));
        lock(s);
        dream_lease_seal(s->journal, s->lease);
        dream_lease_free(s->journal, s->lease);
        unlock(s);
    }
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_lease__exactly_what_was_granted_is_spent),
        WITH(test_lease__units_are_admitted_all_or_none),
        WITH(test_lease__the_largest_grant_and_the_largest_use_do_not_overflow),
        WITH(test_lease__the_last_quarter_takes_the_slow_path),
        WITH(test_lease__nothing_is_spent_from_its_end_on),
        WITH(test_lease__a_pending_one_is_not_spent),
        WITH(test_lease__a_refill_is_wanted_once_when_a_third_of_the_time_is_left),
        WITH(test_lease__a_use_that_read_the_old_quota_fails_once_units_were_set_aside),
        WITH(test_lease__a_fan_spends_exactly_what_was_granted),
        WITH(test_lease__a_share_of_a_fan_gathers_a_part_and_leaves_the_rest_to_others),
        WITH(test_lease__one_use_takes_what_lies_scattered_over_a_fan),
        WITH(test_lease__one_with_a_rate_has_no_fan),
        WITH(test_lease__a_record_that_serves_again_fails_swaps_that_were_prepared_before),
        WITH(test_lease__what_is_set_aside_cannot_be_spent),
        WITH(test_lease__what_a_commit_does_not_book_can_be_spent_again),
        WITH(test_lease__a_reservation_ends_once),
        WITH(test_lease__too_large_a_reservation_changes_nothing),
        WITH(test_lease__several_reservations_end_in_any_order),
        WITH(test_lease__a_reservation_gathers_units_from_a_fan),
        WITH(test_lease__units_of_a_reservation_return_when_its_time_is_over),
        WITH(test_lease__a_reservation_gets_the_units_of_those_whose_time_is_over),
        WITH(test_lease__an_open_reservation_keeps_a_sealed_lease_from_its_final_count),
        WITH(test_lease__a_reservation_whose_time_is_over_is_ended_with_nothing),
        WITH(test_lease__a_dead_owners_reservation_is_ended_with_nothing),
        WITH(test_lease__an_owner_in_another_pid_namespace_is_not_taken_for_dead),
        WITH(test_lease__an_active_one_is_never_final),
        WITH(test_lease__a_sealed_one_spends_nothing_and_keeps_its_counts),
        WITH(test_lease__freeing_frees_all_that_hangs_on_it),
        WITH(test_lease__a_fold_killed_before_the_count_moved_counts_once),
        WITH(test_lease__a_fold_killed_after_the_count_moved_counts_once),
        WITH(test_lease__a_fold_from_a_word_of_zero_counts_once),
        WITH(test_lease__a_debt_is_the_first_count_of_the_next_lease),
        WITH(test_lease__a_debt_larger_than_a_grant_is_paid_from_several),
        WITH(test_lease__a_debt_is_lowered_once_however_often_it_is_tried),
        WITH(test_lease__a_debt_is_never_lowered_below_none),
        WITH(test_lease__refunds_add_up_until_they_are_closed),
        WITH(test_lease__calls_of_a_window_are_those_granted),
        WITH(test_lease__calls_near_the_edge_count_against_both_windows),
        WITH(test_lease__a_rate_of_no_calls_admits_none),
        WITH(test_lease__a_turn_that_a_kill_cut_short_admits_no_more_calls),
        WITH(test_lease__no_window_has_more_calls_than_granted_wherever_its_edge_is),
        WITH(test_lease__threads_and_moved_quotas_add_up_exactly),
        WITH(test_lease__threads_that_use_and_reserve_keep_the_rate),
    };
    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
