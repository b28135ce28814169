/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c - the sandbox's file: documents, order, keys, replays, deliveries; alone and shared. */
#include "sandbox/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder with one sandbox file in it. */
struct place {
    char folder[64];
    char path[128];
    sandbox_store *store;
};

static const sandbox_scope live = { SANDBOX_STRIPE, SANDBOX_LIVE, "acct_1" };
static const sandbox_scope test_mode = { SANDBOX_STRIPE, SANDBOX_TEST, "acct_1" };
static const sandbox_scope clerk = { SANDBOX_CLERK_END_USER, SANDBOX_LIVE, "" };
static const sandbox_scope other = { SANDBOX_STRIPE, SANDBOX_LIVE, "acct_2" };

static sandbox_store *open_store(const char *path)
{
    char error[256];
    sandbox_store *store = sandbox_store_open(path, error);
    if (!store)
        fail_msg("%s", error);
    return store;
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    (void)snprintf(place->folder, sizeof place->folder, "/tmp/test-sandbox-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof place->path, "%s/state.db", place->folder);
    place->store = open_store(place->path);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    static const char *const endings[] = { "", "-wal", "-shm" };
    struct place *place = *state;
    sandbox_store_close(place->store);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s%s", place->path, endings[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->folder), 0);
    free(place);
    return 0;
}

static sandbox_tx *begin(sandbox_store *store, bool is_write)
{
    sandbox_store_status status;
    sandbox_tx *tx = sandbox_tx_begin(store, is_write, &status);
    assert_non_null(tx);
    return tx;
}

static bool insert(sandbox_tx *tx, const sandbox_scope *scope, const char *id, const char *parent, const char *lookup)
{
    cJSON *json = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(json, "id", id);
    bool done = sandbox_doc_insert(tx, scope, &(sandbox_doc){ "thing", id, parent, lookup }, json);
    cJSON_Delete(json);
    return done;
}

static bool is_there(sandbox_tx *tx, const sandbox_scope *scope, const char *id)
{
    cJSON *json = sandbox_doc_read(tx, scope, "thing", id);
    cJSON_Delete(json);
    return json != NULL;
}

static bool append_id(void *context, cJSON *json)
{
    char *text = context;
    (void)strcat(text, cJSON_GetObjectItem(json, "id")->valuestring);
    cJSON_Delete(json);
    return strlen(text) < 3;
}

static void expect_scan(sandbox_tx *tx, const sandbox_scan *scan, const char *ids)
{
    char text[64] = "";
    sandbox_doc_scan(tx, &live, scan, append_id, text);
    assert_string_equal(text, ids);
}

static void test_store__committed_document_is_there_after_reopening(void **state)
{
    struct place *place = *state;
    sandbox_tx *tx = begin(place->store, true);
    assert_true(insert(tx, &live, "a", NULL, NULL));
    assert_int_equal(sandbox_tx_commit(tx), SANDBOX_STORE_OK);
    sandbox_store_close(place->store);
    place->store = open_store(place->path);
    tx = begin(place->store, false);
    assert_true(is_there(tx, &live, "a"));
    sandbox_tx_rollback(tx);
}

static void test_store__rolled_back_document_is_not(void **state)
{
    struct place *place = *state;
    sandbox_tx *tx = begin(place->store, true);
    assert_true(insert(tx, &live, "a", NULL, NULL));
    sandbox_tx_rollback(tx);
    tx = begin(place->store, false);
    assert_false(is_there(tx, &live, "a"));
    sandbox_tx_rollback(tx);
}

static void test_store__scopes_do_not_see_each_other(void **state)
{
    struct place *place = *state;
    char account[SANDBOX_ID_SIZE];
    sandbox_tx *tx = begin(place->store, true);
    assert_true(insert(tx, &other, "a", NULL, NULL));
    assert_false(is_there(tx, &live, "a"));
    assert_false(is_there(tx, &test_mode, "a"));
    assert_false(sandbox_doc_delete(tx, &live, "thing", "a"));
    cJSON *found = sandbox_doc_find(tx, &live, "thing", "a", account);
    assert_non_null(found);
    assert_string_equal(account, "acct_2");
    cJSON_Delete(found);
    assert_null(sandbox_doc_find(tx, &test_mode, "thing", "a", account));
    assert_true(insert(tx, &live, "a", NULL, NULL));
    sandbox_tx_rollback(tx);
}

static void test_store__taken_id_is_an_answer_and_no_failure(void **state)
{
    struct place *place = *state;
    sandbox_tx *tx = begin(place->store, true);
    assert_true(insert(tx, &live, "a", NULL, NULL));
    assert_false(insert(tx, &live, "a", NULL, NULL));
    assert_int_equal(sandbox_tx_status(tx), SANDBOX_STORE_OK);
    assert_true(insert(tx, &live, "b", NULL, NULL));
    assert_int_equal(sandbox_tx_commit(tx), SANDBOX_STORE_OK);
}

static void test_store__failed_transaction_does_nothing_more_and_commits_nothing(void **state)
{
    struct place *place = *state;
    sandbox_tx *tx = begin(place->store, true);
    assert_true(insert(tx, &live, "a", NULL, NULL));
    sandbox_tx_fail(tx, SANDBOX_STORE_NOMEM);
    sandbox_tx_fail(tx, SANDBOX_STORE_BUSY); /* the first counts */
    assert_false(insert(tx, &live, "b", NULL, NULL));
    assert_false(is_there(tx, &live, "a"));
    assert_int_equal(sandbox_tx_commit(tx), SANDBOX_STORE_NOMEM);
    tx = begin(place->store, false);
    assert_false(is_there(tx, &live, "a"));
    sandbox_tx_rollback(tx);
}

static void test_store__update_and_delete_tell_whether_there_was_one(void **state)
{
    struct place *place = *state;
    sandbox_tx *tx = begin(place->store, true);
    cJSON *json = cJSON_CreateObject();
    sandbox_doc doc = { "thing", "a", NULL, "new" };
    assert_false(sandbox_doc_update(tx, &live, &doc, json));
    assert_true(insert(tx, &live, "a", "p", "old"));
    assert_true(insert(tx, &live, "b", "p", NULL));
    assert_true(sandbox_doc_update(tx, &live, &doc, json));
    assert_int_equal(sandbox_doc_delete_children(tx, &live, "thing", "p"), 1); /* a has no parent any more */
    assert_true(sandbox_doc_delete(tx, &live, "thing", "a"));
    assert_false(sandbox_doc_delete(tx, &live, "thing", "a"));
    cJSON_Delete(json);
    sandbox_tx_rollback(tx);
}

static void test_store__scan_goes_by_creation_and_within_bounds(void **state)
{
    struct place *place = *state;
    sandbox_tx *tx = begin(place->store, true);
    assert_true(insert(tx, &live, "c", "p", "x") && insert(tx, &live, "a", "q", "x")
                && insert(tx, &live, "b", "p", NULL));
    assert_true(insert(tx, &other, "z", "p", "x"));
    int64_t middle = sandbox_doc_seq(tx, &live, "thing", "a");
    assert_true(middle > 0);
    assert_int_equal(sandbox_doc_seq(tx, &live, "thing", "z"), 0);
    expect_scan(tx, &(sandbox_scan){ .kind = "thing" }, "bac");
    expect_scan(tx, &(sandbox_scan){ .kind = "thing", .is_oldest_first = true }, "cab");
    expect_scan(tx, &(sandbox_scan){ .kind = "thing", .before_seq = middle }, "c");
    expect_scan(tx, &(sandbox_scan){ .kind = "thing", .after_seq = middle }, "b");
    expect_scan(tx, &(sandbox_scan){ .kind = "thing", .parent = "p" }, "bc");
    expect_scan(tx, &(sandbox_scan){ .kind = "thing", .lookup = "x" }, "ac");
    expect_scan(tx, &(sandbox_scan){ .kind = "none" }, "");
    assert_true(insert(tx, &live, "d", NULL, NULL));
    expect_scan(tx, &(sandbox_scan){ .kind = "thing" }, "dba"); /* the callback said enough */
    sandbox_tx_rollback(tx);
}

static void test_store__keys_are_made_once_and_differ(void **state)
{
    struct place *place = *state;
    sandbox_store *second = open_store(place->path);
    sandbox_identity one, two, next;
    sandbox_tx *tx = begin(place->store, false);
    assert_true(sandbox_identity_read(tx, SANDBOX_STRIPE, SANDBOX_LIVE, &one));
    assert_true(sandbox_identity_read(tx, SANDBOX_STRIPE, SANDBOX_TEST, &next));
    sandbox_tx_rollback(tx);
    tx = begin(second, false);
    assert_true(sandbox_identity_read(tx, SANDBOX_STRIPE, SANDBOX_LIVE, &two));
    sandbox_tx_rollback(tx);
    sandbox_store_close(second);
    assert_memory_equal(one.id, two.id, strlen(one.id) + 1);
    assert_string_equal(one.secret_key, two.secret_key);
    assert_string_equal(one.webhook_secret, two.webhook_secret);
    assert_string_not_equal(one.secret_key + 8, next.secret_key + 8);
    assert_memory_equal(one.secret_key, "sk_live_", 8);
    assert_memory_equal(next.secret_key, "sk_test_", 8);
    assert_memory_equal(one.webhook_secret, "whsec_", 6);
}

static void test_store__first_signing_key_stays(void **state)
{
    struct place *place = *state;
    sandbox_tx *tx = begin(place->store, true);
    assert_null(sandbox_signing_key_read(tx, SANDBOX_CLERK_END_USER, SANDBOX_LIVE));
    sandbox_signing_key_offer(tx, SANDBOX_CLERK_END_USER, SANDBOX_LIVE, "first");
    sandbox_signing_key_offer(tx, SANDBOX_CLERK_END_USER, SANDBOX_LIVE, "second");
    char *pem = sandbox_signing_key_read(tx, SANDBOX_CLERK_END_USER, SANDBOX_LIVE);
    assert_string_equal(pem, "first");
    free(pem);
    assert_null(sandbox_signing_key_read(tx, SANDBOX_CLERK_END_USER, SANDBOX_TEST));
    sandbox_tx_rollback(tx);
}

static void test_store__replay_is_forgotten_in_time(void **state)
{
    struct place *place = *state;
    sandbox_replay kept = { .path = "/v1/x", .hash = "h", .status = 200, .body = (char *)(uintptr_t) "{}" };
    sandbox_replay read = { .body = NULL };
    sandbox_tx *tx = begin(place->store, true);
    sandbox_replay_keep(tx, &live, "key", &kept, 1000, 0);
    assert_true(sandbox_replay_read(tx, &live, "key", 1000, &read));
    assert_string_equal(read.body, "{}");
    free(read.body);
    assert_false(sandbox_replay_read(tx, &live, "key", 1001, &read));
    assert_false(sandbox_replay_read(tx, &other, "key", 0, &read));
    sandbox_replay_keep(tx, &live, "key", &kept, 5000, 1001); /* the old one makes room */
    assert_true(sandbox_replay_read(tx, &live, "key", 5000, &read));
    free(read.body);
    assert_int_equal(sandbox_tx_commit(tx), SANDBOX_STORE_OK);
}

static void expect_heads(sandbox_tx *tx, unsigned slot, const char *ids)
{
    sandbox_delivery heads[4];
    char text[64] = "";
    size_t count = sandbox_delivery_heads(tx, SANDBOX_STRIPE, SANDBOX_LIVE, slot, heads, 4);
    for (size_t i = 0; i < count; i++)
        (void)strcat(text, heads[i].event_id);
    assert_string_equal(text, ids);
}

static int64_t head_seq(sandbox_tx *tx, unsigned slot)
{
    sandbox_delivery heads[1];
    assert_int_equal(sandbox_delivery_heads(tx, SANDBOX_STRIPE, SANDBOX_LIVE, slot, heads, 1), 1);
    return heads[0].seq;
}

static void test_store__deliveries_go_in_order_per_queue_and_address(void **state)
{
    struct place *place = *state;
    sandbox_tx *tx = begin(place->store, true);
    assert_false(sandbox_tx_has_delivery(tx));
    sandbox_delivery_add(tx, &live, "one", "a");
    sandbox_delivery_add(tx, &live, "two", "b");
    sandbox_delivery_add(tx, &live, "one", "c");
    sandbox_delivery_add(tx, &test_mode, "one", "t");
    sandbox_delivery_add(tx, &clerk, "one", "u");
    assert_true(sandbox_tx_has_delivery(tx));
    expect_heads(tx, 0, "ab");
    sandbox_delivery_done(tx, head_seq(tx, 0), 0, 3);
    expect_heads(tx, 0, "bc");
    expect_heads(tx, 1, "ab"); /* the second address is served on its own */
    assert_true(sandbox_delivery_is_open(tx, &live, "a"));
    sandbox_delivery_done(tx, head_seq(tx, 1), 1, 3);
    assert_false(sandbox_delivery_is_open(tx, &live, "a"));
    expect_heads(tx, 2, "bc"); /* done is done, whatever address comes later */
    sandbox_tx_rollback(tx);
}

static void test_store__unusable_path_is_refused_with_a_sentence(void **state)
{
    (void)state;
    char error[256] = "";
    assert_null(sandbox_store_open("/nonexistent/folder/state.db", error));
    assert_true(strlen(error) > 10);
}

static void test_random_id__has_the_size_asked_for(void **state)
{
    (void)state;
    char one[SANDBOX_ID_SIZE], two[SANDBOX_ID_SIZE];
    assert_true(sandbox_random_id("user_", 27, one) && sandbox_random_id("user_", 27, two));
    assert_int_equal(strlen(one), 32);
    assert_string_not_equal(one, two);
    assert_int_equal(strspn(one + 5, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), 27);
    assert_true(sandbox_random_id("", SANDBOX_ID_SIZE - 1, one));
    assert_false(sandbox_random_id("x", SANDBOX_ID_SIZE - 1, one));
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(test_store__committed_document_is_there_after_reopening),
        IN_PLACE(test_store__rolled_back_document_is_not),
        IN_PLACE(test_store__scopes_do_not_see_each_other),
        IN_PLACE(test_store__taken_id_is_an_answer_and_no_failure),
        IN_PLACE(test_store__failed_transaction_does_nothing_more_and_commits_nothing),
        IN_PLACE(test_store__update_and_delete_tell_whether_there_was_one),
        IN_PLACE(test_store__scan_goes_by_creation_and_within_bounds),
        IN_PLACE(test_store__keys_are_made_once_and_differ),
        IN_PLACE(test_store__first_signing_key_stays),
        IN_PLACE(test_store__replay_is_forgotten_in_time),
        IN_PLACE(test_store__deliveries_go_in_order_per_queue_and_address),
        cmocka_unit_test(test_store__unusable_path_is_refused_with_a_sentence),
        cmocka_unit_test(test_random_id__has_the_size_asked_for),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
