/* SPDX-License-Identifier: Apache-2.0 */
/* test_replay.c - which idempotency keys are taken, and what becomes of them towards the payment provider. */
#include "service/api/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_replay__takes_printable_keys_up_to_255(void **state)
{
    char key[DREAMD_MAX_IDEMPOTENCY_KEY + 2];

    (void)state;
    memset(key, 'k', sizeof key);
    key[DREAMD_MAX_IDEMPOTENCY_KEY + 1] = '\0';
    assert_false(dreamd_idempotency_key_is_valid(key));
    key[DREAMD_MAX_IDEMPOTENCY_KEY] = '\0';
    assert_true(dreamd_idempotency_key_is_valid(key));
    assert_true(dreamd_idempotency_key_is_valid("0"));
    assert_true(dreamd_idempotency_key_is_valid("a key with ~!\"blanks"));
    assert_false(dreamd_idempotency_key_is_valid(""));
    assert_false(dreamd_idempotency_key_is_valid("tab\there"));
    assert_false(dreamd_idempotency_key_is_valid("line\nhere"));
    assert_false(dreamd_idempotency_key_is_valid("caf\xc3\xa9"));
    assert_false(dreamd_idempotency_key_is_valid("\x7f"));
}

static void test_replay__without_a_key_there_is_nothing_to_wait_for(void **state)
{
    dreamd_call call = { .key = NULL };

    (void)state;
    assert_true(dreamd_replay_is_fresh(&call));
    assert_int_equal(dreamd_replay_claim(NULL, &call), DREAMD_DB_OK);
    assert_int_equal(dreamd_replay_finish(NULL, &call), DREAMD_DB_OK);
    assert_false(dreamd_replay_upstream_key(&call, (char[65]){ 0 }));
}

static void test_replay__is_fresh_only_when_claimed(void **state)
{
    dreamd_call call = { .key = "k" };

    (void)state;
    call.claim.outcome = DREAMD_IDEMPOTENCY_FRESH;
    assert_true(dreamd_replay_is_fresh(&call));
    call.claim.outcome = DREAMD_IDEMPOTENCY_REPLAY;
    assert_false(dreamd_replay_is_fresh(&call));
    call.claim.outcome = DREAMD_IDEMPOTENCY_MISMATCH;
    assert_false(dreamd_replay_is_fresh(&call));
    call.claim.outcome = DREAMD_IDEMPOTENCY_IN_FLIGHT;
    assert_false(dreamd_replay_is_fresh(&call));
}

static void test_replay__gives_the_first_answer_again(void **state)
{
    dreamd_call call = { .key = "k", .retry_after_s = 7 };

    (void)state;
    call.claim = (dreamd_idempotency_claim_result){
        .outcome = DREAMD_IDEMPOTENCY_REPLAY,
        .status = 201,
        .content_type = "application/json",
        .body = "{\"a\":1}",
    };
    dreamd_replay_set_answer(&call);
    assert_int_equal(call.status, 201);
    assert_string_equal(call.text, "{\"a\":1}");
    assert_int_equal(call.retry_after_s, 0);
    assert_true(call.is_replayed);
}

static void test_replay__tells_mismatch_and_flight_apart(void **state)
{
    static const struct {
        dreamd_idempotency_outcome outcome;
        int64_t retry_after_ms;
        unsigned status;
        int64_t retry_after_s;
    } cases[] = {
        { DREAMD_IDEMPOTENCY_MISMATCH, 0, 422, 0 },
        { DREAMD_IDEMPOTENCY_IN_FLIGHT, 0, 409, 1 },
        { DREAMD_IDEMPOTENCY_IN_FLIGHT, 1, 409, 1 },
        { DREAMD_IDEMPOTENCY_IN_FLIGHT, 2001, 409, 3 },
    };
    dream_arena *arena = dream_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dreamd_call call = { .key = "k", .arena = arena };

        call.claim.outcome = cases[i].outcome;
        call.claim.retry_after_ms = cases[i].retry_after_ms;
        dreamd_replay_set_answer(&call);
        assert_int_equal(call.status, cases[i].status);
        assert_int_equal(call.retry_after_s, cases[i].retry_after_s);
        assert_false(call.is_replayed);
    }
    dream_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay__takes_printable_keys_up_to_255),
        cmocka_unit_test(test_replay__without_a_key_there_is_nothing_to_wait_for),
        cmocka_unit_test(test_replay__is_fresh_only_when_claimed),
        cmocka_unit_test(test_replay__gives_the_first_answer_again),
        cmocka_unit_test(test_replay__tells_mismatch_and_flight_apart),
    };

    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
