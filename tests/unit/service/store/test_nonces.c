/* SPDX-License-Identifier: Apache-2.0 */
/* test_nonces.c - that each number counts once for its key, also within one transaction, and that the table does not grow without end. */
#include "service/store/nonces.h"

#include <stdio.h>

#include "store_case.h"

static bool spend(const store_case *self, const char *keyid, const char *number, int64_t now_ms)
{
    const dreamd_nonce nonce = { PLATFORM, keyid, number, now_ms + 10 * MINUTE };
    bool is_new = false;
    assert_ok(dreamd_nonce_spend(self->db, &nonce, now_ms, &is_new));
    return is_new;
}

static bool is_spent(const store_case *self, const char *keyid, const char *number)
{
    const dreamd_nonce nonce = { PLATFORM, keyid, number, 0 };
    bool is_spent = false;
    assert_ok(dreamd_nonce_is_spent(self->db, &nonce, &is_spent));
    return is_spent;
}

static void test_nonce__counts_once_for_its_key_until_it_may_be_forgotten(void **state)
{
    const store_case *self = *state;
    assert_false(is_spent(self, "pk.a", "1"));
    assert_true(spend(self, "pk.a", "1", T0));
    assert_true(is_spent(self, "pk.a", "1"));
    assert_false(spend(self, "pk.a", "1", T0));
    assert_false(spend(self, "pk.a", "1", T0 + 10 * MINUTE)); /* the last moment that it is kept for */
    assert_true(spend(self, "pk.b", "1", T0));
    assert_true(spend(self, "pk.a", "2", T0));
}

/* As of copies that share a group commit. */
static void test_nonce__of_copies_in_one_transaction_the_first_counts(void **state)
{
    const store_case *self = *state;
    assert_ok(dreamd_db_begin(self->db));
    assert_true(spend(self, "pk.a", "1", T0));
    assert_false(spend(self, "pk.a", "1", T0));
    dreamd_db_rollback(self->db);
    assert_true(spend(self, "pk.a", "1", T0)); /* what was not committed was not spent */
}

static void test_nonce__numbers_past_keeping_go_faster_than_new_ones_come(void **state)
{
    const store_case *self = *state;
    char number[16];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(number, sizeof number, "old %d", i);
        assert_true(spend(self, "pk.a", number, T0));
    }
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM signature_nonces"), 40);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(number, sizeof number, "new %d", i);
        assert_true(spend(self, "pk.b", number, T0 + 11 * MINUTE));
    }
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM signature_nonces"), 20);
    assert_true(is_spent(self, "pk.b", "new 0"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_nonce__counts_once_for_its_key_until_it_may_be_forgotten),
        CASE(test_nonce__of_copies_in_one_transaction_the_first_counts),
        CASE(test_nonce__numbers_past_keeping_go_faster_than_new_ones_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
