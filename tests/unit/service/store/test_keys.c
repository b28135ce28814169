/* SPDX-License-Identifier: Apache-2.0 */
/* test_keys.c - which project a key names, that revoking ends it at once, and that signing keys open with the master key only. */
#include "store_case.h"

#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "service/store/audit.h"
#include "service/store/key_admin.h"

#define SK2 "sk_live_0000000000000000000000000000000000000000000000000000000000000002"

static dreamd_db_status insert(const store_case *self, const char *pk, const char *sk, char key_id[DREAMD_KEY_ID_SIZE])
{
    dreamd_new_key key = { PLATFORM, PROJECT, pk, sk, master_key };
    return dreamd_key_insert(self->db, &key, T0, key_id);
}

static bool is_found_by_secret(const store_case *self, const char *sk)
{
    dreamd_project project;
    bool is_found = false;
    assert_ok(dreamd_project_by_secret_key(self->db, sk, T0, &project, &is_found));
    return is_found;
}

static bool is_found_by_publishable(const store_case *self, const char *pk)
{
    dreamd_project project;
    bool is_found = false;
    assert_ok(dreamd_project_by_publishable_key(self->db, pk, T0, &project, &is_found));
    return is_found;
}

static void test_find__both_keys_name_the_project(void **state)
{
    store_case *self = *state;
    int64_t period_end_ms = T0 + DAY;
    dreamd_project found[2];
    bool is_found[2] = { false, false };
    assert_ok(dreamd_platform_set_billing(self->db, PLATFORM, "trialing", &period_end_ms, T0, NULL));
    assert_ok(dreamd_project_by_secret_key(self->db, SK, T0, &found[0], &is_found[0]));
    assert_ok(dreamd_project_by_publishable_key(self->db, PK, T0, &found[1], &is_found[1]));
    for (int i = 0; i < 2; i++) {
        assert_true(is_found[i]);
        assert_string_equal(found[i].platform_id, PLATFORM);
        assert_string_equal(found[i].project_id, PROJECT);
        assert_string_equal(found[i].publishable_key, PK);
        assert_int_equal(found[i].mode, DREAMD_LIVE);
        assert_string_equal(found[i].type, "saas");
        assert_string_equal(found[i].name, "App");
        assert_string_equal(found[i].subscription_status, "trialing");
        assert_true(found[i].has_current_period_end);
        assert_int_equal(found[i].current_period_end_ms, period_end_ms);
    }
}

static void test_find__unknown_and_swapped_keys_name_nothing(void **state)
{
    store_case *self = *state;
    static const char *const bad[] = { "", "sk_live_", SK "0", PK, "' OR 1=1 --" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(is_found_by_secret(self, bad[i]));
    assert_false(is_found_by_publishable(self, SK));
    assert_false(is_found_by_publishable(self, ""));
}

static void test_secret__is_stored_only_as_its_hash(void **state)
{
    store_case *self = *state;
    assert_int_equal(number_of(self->db, "SELECT COUNT(*) FROM api_keys WHERE secret_key_hash LIKE '%sk_live_%' OR "
                                         "instr(signing_key_sealed, 'sk_live') > 0"),
                     0);
    assert_int_equal(number_of(self->db, "SELECT length(secret_key_hash) FROM api_keys"), 64);
}

static void test_revoke__publishable_key_ends_both_at_once(void **state)
{
    store_case *self = *state;
    dreamd_project project;
    bool is_found = false;
    assert_true(is_found_by_secret(self, SK));
    assert_ok(dreamd_key_revoke(self->db, PLATFORM, PK, NULL, T0, &is_found));
    assert_true(is_found);
    assert_false(is_found_by_secret(self, SK));
    assert_false(is_found_by_publishable(self, PK));
    assert_ok(dreamd_project_of_publishable_key(self->db, PK, &project, &is_found));
    assert_true(is_found); /* whose it was is still known */
    assert_string_equal(project.project_id, PROJECT);
    assert_ok(dreamd_key_revoke(self->db, PLATFORM, PK, NULL, T0, &is_found));
    assert_false(is_found);
    assert_int_equal(violations_of(self->db, T0), 0);
}

static void test_revoke__is_seen_by_a_connection_that_used_the_key_before(void **state)
{
    store_case *self = *state;
    char error[256];
    bool is_found = false;
    dreamd_project project;
    dreamd_db *other = dreamd_db_open_sqlite(self->path, DREAMD_DB_READ_ONLY, error);
    assert_non_null(other);
    assert_ok(dreamd_project_by_secret_key(other, SK, T0, &project, &is_found));
    assert_true(is_found);
    assert_ok(dreamd_key_revoke(self->db, PLATFORM, PK, NULL, T0, &is_found));
    assert_ok(dreamd_project_by_secret_key(other, SK, T0, &project, &is_found));
    assert_false(is_found);
    dreamd_db_close(other);
}

static void test_revoke__one_of_two_secrets_leaves_the_other(void **state)
{
    store_case *self = *state;
    char key_id[DREAMD_KEY_ID_SIZE];
    bool is_found = false;
    assert_ok(insert(self, PK, SK2, key_id));
    assert_int_equal(strlen(key_id), 16);
    assert_ok(dreamd_key_revoke(self->db, PLATFORM, PK, key_id, T0, &is_found));
    assert_true(is_found);
    assert_false(is_found_by_secret(self, SK2));
    assert_true(is_found_by_secret(self, SK));
    assert_true(is_found_by_publishable(self, PK));
}

static void test_revoke__of_another_platform_does_nothing(void **state)
{
    store_case *self = *state;
    bool is_found = true;
    assert_ok(dreamd_key_revoke(self->db, "plt_other", PK, NULL, T0, &is_found));
    assert_false(is_found);
    assert_true(is_found_by_secret(self, SK));
}

static void test_route__left_behind_by_a_replaced_secret_lets_nobody_in(void **state)
{
    store_case *self = *state;
    assert_ok(dreamd_db_script(self->db, "UPDATE api_keys SET secret_key_hash = 'f' || substr(secret_key_hash, 2)"));
    assert_false(is_found_by_secret(self, SK));
}

static void test_insert__refuses_a_key_that_exists(void **state)
{
    store_case *self = *state;
    dreamd_project sibling = self->project;
    dreamd_new_key key = { PLATFORM, "prj_2", PK, SK2, master_key };
    (void)snprintf(sibling.project_id, sizeof sibling.project_id, "prj_2");
    assert_ok(dreamd_project_insert(self->db, &sibling, T0));
    assert_int_equal(insert(self, PK, SK, NULL), DREAMD_DB_CONFLICT);
    assert_int_equal(dreamd_key_insert(self->db, &key, T0, NULL),
                     DREAMD_DB_CONFLICT); /* the sibling's, under our key */
    assert_false(is_found_by_secret(self, SK2));
}

static void test_insert__refuses_a_project_that_does_not_exist(void **state)
{
    store_case *self = *state;
    dreamd_new_key key = { PLATFORM, "prj_none", "pk_live_x", SK2, master_key };
    assert_int_not_equal(dreamd_key_insert(self->db, &key, T0, NULL), DREAMD_DB_OK);
}

/* ---- signing keys ---- */

static void key_id_of(const char *sk, char out[DREAMD_KEY_ID_SIZE])
{
    char hash[65];
    assert_true(dream_sha256_hex(sk, strlen(sk), hash));
    (void)snprintf(out, DREAMD_KEY_ID_SIZE, "%.16s", hash);
}

static void test_signing_key__is_the_derivation_of_the_secret(void **state)
{
    store_case *self = *state;
    char key_id[DREAMD_KEY_ID_SIZE];
    unsigned char stored[DREAMD_SIGNING_KEY_SIZE], derived[DREAMD_SIGNING_KEY_SIZE];
    bool is_found = false;
    key_id_of(SK, key_id);
    assert_ok(dreamd_key_signing_key(self->db, PK, key_id, T0, master_key, stored, &is_found));
    assert_true(is_found);
    assert_true(dream_hkdf_sha256(SK, strlen(SK), NULL, 0, "dreamapi-http-signature-v1", derived, sizeof derived));
    assert_memory_equal(stored, derived, sizeof derived);
    assert_int_equal(number_of(self->db, "SELECT length(signing_key_sealed) FROM api_keys"), 60);
}

static void test_signing_key__does_not_open_with_another_master_key(void **state)
{
    store_case *self = *state;
    char key_id[DREAMD_KEY_ID_SIZE];
    unsigned char wrong[32], out[DREAMD_SIGNING_KEY_SIZE];
    bool is_found = false;
    key_id_of(SK, key_id);
    memcpy(wrong, master_key, sizeof wrong);
    wrong[31] ^= 1;
    assert_int_equal(dreamd_key_signing_key(self->db, PK, key_id, T0, wrong, out, &is_found), DREAMD_DB_ERROR);
}

static void test_signing_key__does_not_open_under_another_publishable_key(void **state)
{
    store_case *self = *state;
    char key_id[DREAMD_KEY_ID_SIZE];
    unsigned char out[DREAMD_SIGNING_KEY_SIZE];
    bool is_found = false;
    assert_ok(insert(self, "pk_live_2", SK2, key_id));
    assert_ok(dreamd_db_script(self->db, "UPDATE api_keys SET signing_key_sealed = (SELECT signing_key_sealed FROM "
                                         "api_keys WHERE publishable_key <> 'pk_live_2')"));
    assert_int_equal(dreamd_key_signing_key(self->db, "pk_live_2", key_id, T0, master_key, out, &is_found),
                     DREAMD_DB_ERROR);
}

static void test_signing_key__is_not_found_after_revocation(void **state)
{
    store_case *self = *state;
    char key_id[DREAMD_KEY_ID_SIZE];
    unsigned char out[DREAMD_SIGNING_KEY_SIZE];
    bool is_found = false;
    key_id_of(SK, key_id);
    assert_ok(dreamd_key_revoke(self->db, PLATFORM, PK, key_id, T0, &is_found));
    assert_ok(dreamd_key_signing_key(self->db, PK, key_id, T0, master_key, out, &is_found));
    assert_false(is_found);
}

/* ---- ends, rotation, last use ---- */

static bool is_valid_at(const store_case *self, const char *sk, int64_t now_ms)
{
    dreamd_project project;
    bool is_found = false;
    assert_ok(dreamd_project_by_secret_key(self->db, sk, now_ms, &project, &is_found));
    return is_found;
}

static void rotate(const store_case *self, const char *sk, int64_t overlap_ms, int64_t now_ms)
{
    const dreamd_new_key key = { PLATFORM, PROJECT, PK, sk, master_key };
    const dreamd_key_change change = { "operator:ada", now_ms };
    char key_id[DREAMD_KEY_ID_SIZE];
    assert_ok(dreamd_key_rotate(self->db, &key, overlap_ms, &change, key_id));
}

static void test_rotate__refuses_the_old_secret_when_the_overlap_ends(void **state)
{
    store_case *self = *state;
    char key_id[DREAMD_KEY_ID_SIZE];
    unsigned char out[DREAMD_SIGNING_KEY_SIZE];
    bool is_found = false;
    rotate(self, SK2, MINUTE, T0);
    assert_true(is_valid_at(self, SK, T0 + MINUTE - 1));
    assert_true(is_valid_at(self, SK2, T0 + MINUTE - 1));
    assert_false(is_valid_at(self, SK, T0 + MINUTE));
    assert_true(is_valid_at(self, SK2, T0 + 1000 * DAY));
    /* As a signing key too. */
    key_id_of(SK, key_id);
    assert_ok(dreamd_key_signing_key(self->db, PK, key_id, T0 + MINUTE - 1, master_key, out, &is_found));
    assert_true(is_found);
    assert_ok(dreamd_key_signing_key(self->db, PK, key_id, T0 + MINUTE, master_key, out, &is_found));
    assert_false(is_found);
}

static void test_rotate__never_puts_an_end_off(void **state)
{
    store_case *self = *state;
    rotate(self, SK2, MINUTE, T0);
    rotate(self, SK "3", DAY, T0 + SECOND);
    assert_false(is_valid_at(self, SK, T0 + MINUTE));
    assert_true(is_valid_at(self, SK2, T0 + DAY));
    rotate(self, SK "4", 0, T0 + MINUTE);
    assert_false(is_valid_at(self, SK2, T0 + MINUTE));
    assert_false(is_valid_at(self, SK "3", T0 + MINUTE));
    assert_true(is_valid_at(self, SK "4", T0 + MINUTE));
    assert_int_equal(violations_of(self->db, T0 + DAY), 0);
}

static void test_find__publishable_key_ends_with_its_last_secret(void **state)
{
    store_case *self = *state;
    dreamd_project project;
    bool is_found = false;
    assert_ok(dreamd_key_expire(self->db, PLATFORM, PK, T0 + MINUTE));
    assert_ok(dreamd_project_by_publishable_key(self->db, PK, T0 + MINUTE - 1, &project, &is_found));
    assert_true(is_found);
    assert_ok(dreamd_project_by_publishable_key(self->db, PK, T0 + MINUTE, &project, &is_found));
    assert_false(is_found);
}

/* Notes a use as a request does. Was it due? */
static bool use(const store_case *self, int64_t now_ms)
{
    dreamd_project project;
    bool is_found = false;
    assert_ok(dreamd_project_by_secret_key(self->db, SK, now_ms, &project, &is_found));
    assert_true(is_found);
    if (project.is_use_due)
        assert_ok(dreamd_key_note_use(self->db, &project, now_ms));
    return project.is_use_due;
}

static void test_last_use__is_written_once_a_minute(void **state)
{
    store_case *self = *state;
    dreamd_project late;
    bool is_found = false;
    assert_true(use(self, T0));
    assert_false(use(self, T0 + 1));
    assert_false(use(self, T0 + MINUTE - 1));
    assert_int_equal(number_of(self->db, "SELECT last_used_at_ms FROM api_keys"), T0);
    assert_ok(dreamd_project_by_secret_key(self->db, SK, T0 + MINUTE, &late, &is_found));
    assert_true(use(self, T0 + MINUTE));
    /* Another request saw it due as well, and is later: it changes nothing. */
    assert_true(late.is_use_due);
    assert_ok(dreamd_key_note_use(self->db, &late, T0 + MINUTE + 5));
    assert_int_equal(number_of(self->db, "SELECT last_used_at_ms FROM api_keys"), T0 + MINUTE);
    /* As does one that was revoked meanwhile. */
    assert_ok(dreamd_key_revoke(self->db, PLATFORM, PK, NULL, T0 + 3 * MINUTE, &is_found));
    assert_ok(dreamd_key_note_use(self->db, &late, T0 + 3 * MINUTE));
    assert_int_equal(number_of(self->db, "SELECT last_used_at_ms FROM api_keys"), T0 + MINUTE);
}

/* ---- audit ---- */

struct lines {
    char text[4096];
    int count;
};

static bool keep(void *context, const char *json)
{
    struct lines *lines = context;
    size_t size = strlen(lines->text);
    (void)snprintf(lines->text + size, sizeof lines->text - size, "%s\n", json);
    lines->count++;
    return true;
}

static void test_audit__tells_each_change_and_no_secret(void **state)
{
    store_case *self = *state;
    const dreamd_key_change change = { "operator:ada", T0 + SECOND };
    const dreamd_new_key key = { PLATFORM, PROJECT, "pk_live_2", SK "5", master_key };
    struct lines lines = { .count = 0 };
    char key_id[DREAMD_KEY_ID_SIZE];
    bool is_found = false;
    rotate(self, SK2, MINUTE, T0);
    assert_ok(dreamd_key_create(self->db, &key, &change, key_id));
    assert_ok(dreamd_key_withdraw(self->db, &self->project, NULL, &change, &is_found));
    assert_true(is_found);
    assert_ok(dreamd_key_withdraw(self->db, &self->project, NULL, &change, &is_found)); /* again: no change, no entry */
    assert_false(is_found);
    assert_ok(dreamd_audit_list(self->db, PLATFORM, 100, keep, &lines));
    assert_int_equal(lines.count, 3);
    assert_non_null(strstr(lines.text, "{\"at\":\"2026-01-01T00:00:10.000Z\",\"platformId\":\"" PLATFORM
                                       "\",\"actor\":\"operator:ada\",\"action\":\"key rotate\",\"detail\":{"
                                       "\"projectId\":\"" PROJECT "\",\"publishableKey\":\"" PK "\""));
    assert_true(strstr(lines.text, "key rotate") < strstr(lines.text, "key create"));
    assert_non_null(strstr(lines.text, "key revoke"));
    assert_null(strstr(lines.text, "sk_live"));
    lines.count = 0;
    assert_ok(dreamd_audit_list(self->db, NULL, 1, keep, &lines));
    assert_ok(dreamd_audit_list(self->db, "plt_other", 9, keep, &lines));
    assert_int_equal(lines.count, 1);
    assert_int_equal(violations_of(self->db, T0 + DAY), 0);
}

static void test_key_list__shows_states_and_no_secret(void **state)
{
    store_case *self = *state;
    const dreamd_project_filter all = { NULL, NULL, NULL }, other = { NULL, NULL, "test" };
    struct lines lines = { .count = 0 };
    rotate(self, SK2, MINUTE, T0);
    assert_ok(dreamd_key_list(self->db, &all, T0 + MINUTE, keep, &lines));
    assert_int_equal(lines.count, 2);
    assert_non_null(strstr(lines.text, "\"state\":\"expired\""));
    assert_non_null(strstr(lines.text, "\"state\":\"active\""));
    assert_null(strstr(lines.text, "sk_live"));
    assert_ok(dreamd_key_list(self->db, &other, T0, keep, &lines));
    assert_int_equal(lines.count, 2);
}

static void test_select__wants_exactly_one_project(void **state)
{
    store_case *self = *state;
    static const struct {
        dreamd_project_filter filter;
        int64_t count;
    } rows[] = {
        { { NULL, NULL, NULL }, 2 },        { { "App", NULL, NULL }, 2 }, { { "App", NULL, "test" }, 1 },
        { { NULL, PK, NULL }, 1 },          { { NULL, PK, "test" }, 0 },  { { "App2", NULL, NULL }, 0 },
        { { NULL, "pk_live_0", NULL }, 0 },
    };
    dreamd_project second = self->project, found;
    int64_t count;
    (void)snprintf(second.project_id, sizeof second.project_id, "prj_2");
    second.mode = DREAMD_TEST;
    assert_ok(dreamd_project_insert(self->db, &second, T0));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(dreamd_project_select(self->db, &rows[i].filter, &found, &count));
        assert_int_equal(count, rows[i].count);
    }
    assert_ok(dreamd_project_only_key(self->db, &second, T0, &count));
    assert_int_equal(count, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_case_setup, store_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_find__both_keys_name_the_project),
        CASE(test_find__unknown_and_swapped_keys_name_nothing),
        CASE(test_secret__is_stored_only_as_its_hash),
        CASE(test_revoke__publishable_key_ends_both_at_once),
        CASE(test_revoke__is_seen_by_a_connection_that_used_the_key_before),
        CASE(test_revoke__one_of_two_secrets_leaves_the_other),
        CASE(test_revoke__of_another_platform_does_nothing),
        CASE(test_route__left_behind_by_a_replaced_secret_lets_nobody_in),
        CASE(test_insert__refuses_a_key_that_exists),
        CASE(test_insert__refuses_a_project_that_does_not_exist),
        CASE(test_signing_key__is_the_derivation_of_the_secret),
        CASE(test_signing_key__does_not_open_with_another_master_key),
        CASE(test_signing_key__does_not_open_under_another_publishable_key),
        CASE(test_signing_key__is_not_found_after_revocation),
        CASE(test_rotate__refuses_the_old_secret_when_the_overlap_ends),
        CASE(test_rotate__never_puts_an_end_off),
        CASE(test_find__publishable_key_ends_with_its_last_secret),
        CASE(test_last_use__is_written_once_a_minute),
        CASE(test_audit__tells_each_change_and_no_secret),
        CASE(test_key_list__shows_states_and_no_secret),
        CASE(test_select__wants_exactly_one_project),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
