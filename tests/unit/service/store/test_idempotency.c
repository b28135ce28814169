/* SPDX-License-Identifier: Apache-2.0 */
/* test_idempotency.c - a repeated request gets its first answer; a crash, a failure or a day frees the key. */
#include "store_case.h"

#include <string.h>

static char hash_a[DREAMD_REQUEST_HASH_SIZE], hash_b[DREAMD_REQUEST_HASH_SIZE];

static dreamd_idempotency_scope scope_of(const store_case *self, const char *key)
{
    return (dreamd_idempotency_scope){ &self->project, "/api/data", key };
}

static dreamd_idempotency_claim_result claim(const store_case *self, const char *key, const char *hash, int64_t now_ms)
{
    dreamd_idempotency_claim_result result;
    dreamd_idempotency_scope scope = scope_of(self, key);
    assert_ok(dreamd_idempotency_claim(self->db, &scope, hash, now_ms, self->arena, &result));
    return result;
}

static void finish(const store_case *self, const char *key, const char *claim_id, int status, const char *body)
{
    dreamd_idempotency_scope scope = scope_of(self, key);
    assert_ok(dreamd_idempotency_finish(self->db, &scope, claim_id, status, "application/json", body, strlen(body)));
}

static void test_hash__tells_method_path_and_body_apart(void **state)
{
    static const struct {
        const char *method, *path, *body;
    } rows[] = {
        { "POST", "/a", "b" }, { "PUT", "/a", "b" },   { "POST", "/ab", "" },
        { "POST", "/a", "" },  { "POST", "/a", "bb" },
    };
    char hashes[5][DREAMD_REQUEST_HASH_SIZE];
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_true(dreamd_request_hash(rows[i].method, rows[i].path, rows[i].body, strlen(rows[i].body), hashes[i]));
        assert_int_equal(strlen(hashes[i]), 64);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(hashes[i], hashes[j]);
    }
    char again[DREAMD_REQUEST_HASH_SIZE];
    assert_true(dreamd_request_hash("POST", "/a", NULL, 0, again));
    assert_string_equal(again, hashes[3]);
}

static void test_replay__gives_the_first_answer_byte_for_byte(void **state)
{
    store_case *self = *state;
    static const char body[] = "{\"a\":\"\0b\"}";
    dreamd_idempotency_scope scope = scope_of(self, "k");
    dreamd_idempotency_claim_result first = claim(self, "k", hash_a, T0);
    assert_int_equal(first.outcome, DREAMD_IDEMPOTENCY_FRESH);
    assert_ok(
        dreamd_idempotency_finish(self->db, &scope, first.claim_id, 201, "application/json", body, sizeof body - 1));
    dreamd_idempotency_claim_result again = claim(self, "k", hash_a, T0 + DAY - 1);
    assert_int_equal(again.outcome, DREAMD_IDEMPOTENCY_REPLAY);
    assert_int_equal(again.status, 201);
    assert_string_equal(again.content_type, "application/json");
    assert_int_equal(again.body_size, sizeof body - 1);
    assert_memory_equal(again.body, body, sizeof body);
    assert_string_equal(again.claim_id, "");
}

static void test_replay__an_empty_answer_is_an_answer(void **state)
{
    store_case *self = *state;
    dreamd_idempotency_claim_result first = claim(self, "k", hash_a, T0);
    finish(self, "k", first.claim_id, 204, "");
    dreamd_idempotency_claim_result again = claim(self, "k", hash_a, T0);
    assert_int_equal(again.outcome, DREAMD_IDEMPOTENCY_REPLAY);
    assert_int_equal(again.body_size, 0);
    assert_string_equal(again.body, "");
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_mismatch__same_key_other_request(void **state)
{
    store_case *self = *state;
    dreamd_idempotency_claim_result first = claim(self, "k", hash_a, T0);
    assert_int_equal(claim(self, "k", hash_b, T0).outcome, DREAMD_IDEMPOTENCY_MISMATCH); /* in flight */
    finish(self, "k", first.claim_id, 200, "{}");
    assert_int_equal(claim(self, "k", hash_b, T0).outcome, DREAMD_IDEMPOTENCY_MISMATCH); /* done */
}

static void test_in_flight__asks_to_come_back_soon(void **state)
{
    store_case *self = *state;
    (void)claim(self, "k", hash_a, T0);
    dreamd_idempotency_claim_result again = claim(self, "k", hash_a, T0 + 1);
    assert_int_equal(again.outcome, DREAMD_IDEMPOTENCY_IN_FLIGHT);
    assert_int_equal(again.retry_after_ms, 1000);
    again = claim(self, "k", hash_a, T0 + DREAMD_IDEMPOTENCY_CLAIM_MS - 1);
    assert_int_equal(again.outcome, DREAMD_IDEMPOTENCY_IN_FLIGHT);
    assert_int_equal(again.retry_after_ms, 1);
}

static void test_claim__of_a_crashed_request_expires(void **state)
{
    store_case *self = *state;
    dreamd_idempotency_claim_result dead = claim(self, "k", hash_a, T0);
    dreamd_idempotency_claim_result next = claim(self, "k", hash_b, T0 + DREAMD_IDEMPOTENCY_CLAIM_MS);
    assert_int_equal(next.outcome, DREAMD_IDEMPOTENCY_FRESH);
    assert_string_not_equal(next.claim_id, dead.claim_id);
    /* Not dead after all: its answer must not become the other's. */
    finish(self, "k", dead.claim_id, 200, "{\"late\":true}");
    assert_int_equal(claim(self, "k", hash_b, T0 + DREAMD_IDEMPOTENCY_CLAIM_MS).outcome, DREAMD_IDEMPOTENCY_IN_FLIGHT);
    finish(self, "k", next.claim_id, 200, "{\"late\":false}");
    assert_string_equal(claim(self, "k", hash_b, T0 + DREAMD_IDEMPOTENCY_CLAIM_MS).body, "{\"late\":false}");
}

static void test_finish__answers_a_retry_may_better_free_the_key(void **state)
{
    store_case *self = *state;
    static const struct {
        int status;
        bool is_kept;
    } rows[] = {
        { 200, true }, { 201, true },  { 302, true },  { 400, true },  { 403, true },  { 404, true },
        { 422, true }, { 409, false }, { 429, false }, { 500, false }, { 502, false }, { 503, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *key = dream_arena_printf(self->arena, "k%d", rows[i].status);
        finish(self, key, claim(self, key, hash_a, T0).claim_id, rows[i].status, "{}");
        dreamd_idempotency_outcome expected = rows[i].is_kept ? DREAMD_IDEMPOTENCY_REPLAY : DREAMD_IDEMPOTENCY_FRESH;
        if (claim(self, key, hash_a, T0).outcome != expected)
            fail_msg("status %d", rows[i].status);
    }
}

static void test_release__frees_only_its_own_claim(void **state)
{
    store_case *self = *state;
    dreamd_idempotency_scope scope = scope_of(self, "k");
    dreamd_idempotency_claim_result first = claim(self, "k", hash_a, T0);
    assert_ok(dreamd_idempotency_release(self->db, &scope, "another"));
    assert_int_equal(claim(self, "k", hash_a, T0).outcome, DREAMD_IDEMPOTENCY_IN_FLIGHT);
    assert_ok(dreamd_idempotency_release(self->db, &scope, first.claim_id));
    assert_int_equal(claim(self, "k", hash_b, T0).outcome, DREAMD_IDEMPOTENCY_FRESH);
}

static void test_release__does_not_undo_a_kept_answer(void **state)
{
    store_case *self = *state;
    dreamd_idempotency_scope scope = scope_of(self, "k");
    dreamd_idempotency_claim_result first = claim(self, "k", hash_a, T0);
    finish(self, "k", first.claim_id, 200, "{}");
    assert_ok(dreamd_idempotency_release(self->db, &scope, first.claim_id));
    assert_int_equal(claim(self, "k", hash_a, T0).outcome, DREAMD_IDEMPOTENCY_REPLAY);
}

static void test_scope__path_and_project_keep_keys_apart(void **state)
{
    store_case *self = *state;
    dreamd_idempotency_claim_result result;
    dreamd_project other = self->project;
    other.project_id[5] = 'f';
    dreamd_idempotency_scope scopes[] = { { &self->project, "/api/data", "k" },
                                          { &self->project, "/customers", "k" },
                                          { &other, "/api/data", "k" } };
    for (size_t i = 0; i < 3; i++) {
        assert_ok(dreamd_idempotency_claim(self->db, &scopes[i], hash_a, T0, self->arena, &result));
        assert_int_equal(result.outcome, DREAMD_IDEMPOTENCY_FRESH);
    }
}

static void test_kept_answer__is_forgotten_after_a_day(void **state)
{
    store_case *self = *state;
    finish(self, "k", claim(self, "k", hash_a, T0).claim_id, 200, "{}");
    assert_int_equal(claim(self, "k", hash_a, T0 + DAY - 1).outcome, DREAMD_IDEMPOTENCY_REPLAY);
    assert_int_equal(claim(self, "k", hash_b, T0 + DAY).outcome, DREAMD_IDEMPOTENCY_FRESH);
}

static void test_old_rows__are_removed_a_few_at_each_claim(void **state)
{
    store_case *self = *state;
    for (int i = 0; i < 10; i++) {
        const char *key = dream_arena_printf(self->arena, "old%d", i);
        finish(self, key, claim(self, key, hash_a, T0 + i).claim_id, 200, "{}");
    }
    (void)claim(self, "new1", hash_a, T0 + 2 * DAY);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM idempotency_keys"), 7);
    (void)claim(self, "new2", hash_a, T0 + 2 * DAY);
    (void)claim(self, "new3", hash_a, T0 + 2 * DAY);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM idempotency_keys"), 3);
}

/* As POST /api/data does it: claim, charge and answer in one transaction. */
static dreamd_db_status charge_once(const store_case *self, const char *key, dreamd_idempotency_claim_result *claimed)
{
    dreamd_usage_result result;
    dreamd_usage_request request = request_of(self, "user_a", T0);
    dreamd_idempotency_scope scope = scope_of(self, key);
    dreamd_db_status status = dreamd_idempotency_claim(self->db, &scope, hash_a, T0, self->arena, claimed);
    if (status != DREAMD_DB_OK || claimed->outcome != DREAMD_IDEMPOTENCY_FRESH)
        return status;
    status = dreamd_usage_admit(self->db, &request, &result);
    return status == DREAMD_DB_OK
               ? dreamd_idempotency_finish(self->db, &scope, claimed->claim_id, 200, "application/json", "{}", 2)
               : status;
}

static void test_one_transaction__charge_and_answer_stand_or_fall_together(void **state)
{
    store_case *self = *state;
    dreamd_idempotency_claim_result claimed;
    assert_ok(dreamd_db_begin(self->db));
    assert_ok(charge_once(self, "k", &claimed));
    dreamd_db_rollback(self->db); /* as a crash before the commit */
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM idempotency_keys"), 0);
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM usage_counts"), 0);

    assert_ok(dreamd_db_begin(self->db));
    assert_ok(charge_once(self, "k", &claimed));
    /* Repeated before the commit, in the same batch, and after it. */
    assert_ok(charge_once(self, "k", &claimed));
    assert_int_equal(claimed.outcome, DREAMD_IDEMPOTENCY_REPLAY);
    assert_ok(dreamd_db_commit(self->db));
    assert_ok(charge_once(self, "k", &claimed));
    assert_int_equal(claimed.outcome, DREAMD_IDEMPOTENCY_REPLAY);
    assert_int_equal(number_of(self->db, "SELECT used FROM usage_counts"), 1);
}

static int make_hashes(void **state)
{
    (void)state;
    return dreamd_request_hash("POST", "/api/data", "a", 1, hash_a)
                   && dreamd_request_hash("POST", "/api/data", "b", 1, hash_b)
               ? 0
               : -1;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__tells_method_path_and_body_apart),
        CASE(test_replay__gives_the_first_answer_byte_for_byte),
        CASE(test_replay__an_empty_answer_is_an_answer),
        CASE(test_mismatch__same_key_other_request),
        CASE(test_in_flight__asks_to_come_back_soon),
        CASE(test_claim__of_a_crashed_request_expires),
        CASE(test_finish__answers_a_retry_may_better_free_the_key),
        CASE(test_release__frees_only_its_own_claim),
        CASE(test_release__does_not_undo_a_kept_answer),
        CASE(test_scope__path_and_project_keep_keys_apart),
        CASE(test_kept_answer__is_forgotten_after_a_day),
        CASE(test_old_rows__are_removed_a_few_at_each_claim),
        CASE(test_one_transaction__charge_and_answer_stand_or_fall_together),
    };
    return cmocka_run_group_tests_name("idempotency", tests, make_hashes, NULL);
}
