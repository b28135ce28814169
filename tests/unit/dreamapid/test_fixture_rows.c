/* SPDX-License-Identifier: Apache-2.0 */
/* test_fixture_rows.c - a fixture in a real store: what requests then see, that the store's invariants hold, and that a fixture
 * which does not fit leaves nothing. */
#include "dreamapid/fixture_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/timefmt.h"
#include "dreamapid/private_folder.h"
#include "service/store/audit.h"
#include "service/store/check.h"
#include "service/store/keys.h"
#include "service/store/store.h"

static const unsigned char master_key[32] = { 7 };

struct place {
    char *folder;
    dreamd_store *store;
};

static void place_open(struct place *place)
{
    char error[256], path[128];
    place->folder = dreamd_private_folder_make(error);
    assert_non_null(place->folder);
    (void)snprintf(path, sizeof path, "%s/a.db", place->folder);
    assert_true(dreamd_store_migrate(path, error));
    place->store = dreamd_store_open(path, NULL, error);
    assert_non_null(place->store);
}

static void place_close(struct place *place)
{
    dreamd_store_close(place->store);
    dreamd_private_folder_remove(place->folder);
    free(place->folder);
}

struct loaded {
    cJSON *document;
    dream_arena *arena;
    dreamd_fixture fixture;
    dreamd_fixture_rows rows;
};

static dreamd_db_status load(struct place *place, struct loaded *loaded, const char *text)
{
    char error[256];
    loaded->document = dream_json_parse(text, strlen(text), NULL);
    loaded->arena = dream_arena_new();
    if (!dreamd_fixture_read(loaded->document, dream_wall_ms(), loaded->arena, &loaded->fixture, error))
        fail_msg("%s", error);
    loaded->rows = (dreamd_fixture_rows){ .fixture = &loaded->fixture,
                                          .master_key = master_key,
                                          .actor = "operator:test",
                                          .now_ms = loaded->fixture.placeholders.now_ms };
    return dreamd_store_write_now(place->store, dreamd_fixture_write, &loaded->rows);
}

static void unload(struct loaded *loaded)
{
    dreamd_fixture_clear(&loaded->fixture);
    dream_arena_free(loaded->arena);
    cJSON_Delete(loaded->document);
}

static void report(void *context, const char *rule, const char *what)
{
    (void)context;
    print_error("%s: %s\n", rule, what);
}

static dreamd_db_status count_violations(dreamd_db *db, void *arg)
{
    return dreamd_check(db, dream_wall_ms(), report, NULL, arg);
}

static void assert_invariants_hold(struct place *place)
{
    int64_t violations = -1;
    assert_int_equal(dreamd_store_read_now(place->store, count_violations, &violations), DREAMD_DB_OK);
    assert_int_equal(violations, 0);
}

#define PROJECT(PK, SK, MORE)                                                                                          \
    "{\"pk\":\"" PK "\",\"sk\":\"" SK "\",\"mode\":\"live\",\"type\":\"saas\",\"name\":\"App\",\"tiers\":["            \
    "{\"name\":\"free\",\"price\":0,\"limit\":5},{\"name\":\"pro\",\"price\":2900,\"limit\":100,\"rateLimit\":3}"      \
    "]" MORE "}"
#define PLATFORMS                                                                                                      \
    "\"platforms\":{\"<platform>\":{\"subscription\":\"canceled, 5 days of grace left\",\"stripe_connected\":true,"    \
    "\"projects\":[" PROJECT("<pk>", "<sk>", "") "," PROJECT("<pk-old>", "<sk-old>", ",\"status\":\"revoked\"") "]}}"

/* What a request would find. */
struct question {
    const struct loaded *loaded;
    dreamd_project project;
    bool is_found, is_revoked_found, is_account_found;
    dreamd_stripe_account account;
    const char *user_id;
    dreamd_usage_result usage;
};

static dreamd_db_status ask_keys(dreamd_db *db, void *arg)
{
    struct question *question = arg;
    dreamd_project revoked;
    const dreamd_fixture_platform *platform = &question->loaded->fixture.platforms[0];
    assert_int_equal(
        dreamd_project_by_secret_key(db, platform->projects[0].secret_key, 1, &question->project, &question->is_found),
        DREAMD_DB_OK);
    assert_int_equal(
        dreamd_project_by_secret_key(db, platform->projects[1].secret_key, 1, &revoked, &question->is_revoked_found),
        DREAMD_DB_OK);
    return dreamd_stripe_account_find(db, platform->platform.platform_id, DREAMD_LIVE, master_key, &question->account,
                                      &question->is_account_found);
}

static bool count_entry(void *context, const char *json)
{
    assert_non_null(strstr(json, "\"actor\":\"operator:test\",\"action\":\"fixture load\""));
    assert_non_null(strstr(json, "\"tiers\":2,\"stripeAccount\":\"acct_a\""));
    (*(int *)context)++;
    return true;
}

static dreamd_db_status count_entries(dreamd_db *db, void *arg)
{
    return dreamd_audit_list(db, NULL, 10, count_entry, arg);
}

static void test_fixture_rows__leave_an_audit_entry_for_each_project(void **state)
{
    struct place place;
    struct loaded loaded;
    int entries = 0;
    (void)state;
    place_open(&place);
    assert_int_equal(load(&place, &loaded, "{" PLATFORMS "}"), DREAMD_DB_OK);
    assert_int_equal(dreamd_store_read_now(place.store, count_entries, &entries), DREAMD_DB_OK);
    assert_int_equal(entries, 2);
    unload(&loaded);
    place_close(&place);
}

static void test_fixture_rows__make_keys_platforms_and_accounts_that_requests_find(void **state)
{
    struct place place;
    struct loaded loaded;
    (void)state;
    place_open(&place);
    assert_int_equal(load(&place, &loaded, "{" PLATFORMS "}"), DREAMD_DB_OK);
    struct question question = { .loaded = &loaded };
    assert_int_equal(dreamd_store_read_now(place.store, ask_keys, &question), DREAMD_DB_OK);
    assert_true(question.is_found);
    assert_false(question.is_revoked_found);
    assert_string_equal(question.project.subscription_status, "canceled");
    assert_false(dreamd_project_is_blocked(&question.project, loaded.rows.now_ms));
    assert_true(dreamd_project_is_blocked(&question.project, loaded.rows.now_ms + INT64_C(6) * 86400000));
    assert_true(question.is_account_found);
    assert_string_equal(question.account.account_id, "acct_a");
    assert_string_equal(question.account.access_token,
                        dream_json_string(loaded.fixture.placeholders.values, "<connected-token-live>"));
    assert_invariants_hold(&place);
    unload(&loaded);
    place_close(&place);
}

static dreamd_db_status ask_usage(dreamd_db *db, void *arg)
{
    struct question *question = arg;
    const dreamd_usage_request request = { .project = &question->loaded->fixture.platforms[0].projects[0].project,
                                           .user_id = question->user_id,
                                           .now_ms = question->loaded->rows.now_ms,
                                           .is_server_side = true };
    return dreamd_usage_read(db, &request, &question->usage);
}

static void test_fixture_rows__make_usage_plans_rates_and_tombstones_that_limits_see(void **state)
{
    static const struct {
        const char *user_id;
        dreamd_usage_outcome outcome;
        const char *plan;
        int64_t used;
    } rows[] = {
        { "user_old", DREAMD_USAGE_OK, "free", 0 }, /* its period is over */
        { "user_over", DREAMD_USAGE_OK, "free", 9 },         { "user_plan", DREAMD_USAGE_OK, "pro", 3 },
        { "user_sub", DREAMD_USAGE_OK, "pro", 0 },           { "user_gone", DREAMD_USAGE_DELETED, NULL, 0 },
        { "user_fast", DREAMD_USAGE_RATE_LIMITED, NULL, 0 }, { "user_none", DREAMD_USAGE_NO_CUSTOMER, NULL, 0 },
    };
    struct place place;
    struct loaded loaded;
    (void)state;
    place_open(&place);
    assert_int_equal(
        load(&place, &loaded,
             "{" PLATFORMS ",\"users\":[{\"publishableKey\":\"<pk>\",\"userId\":\"user_gone\",\"status\":\"deleted\"},"
             "{\"publishableKey\":\"<pk>\",\"userId\":\"user_fast\",\"plan\":\"pro\"}],"
             "\"usage\":[{\"publishableKey\":\"<pk>\",\"userId\":\"user_old\",\"usageCount\":5,\"periodStart\":\"<"
             "today-40>\","
             "\"periodEnd\":\"<today-11>\"},"
             "{\"publishableKey\":\"<pk>\",\"userId\":\"user_over\",\"usageCount\":9},"
             "{\"publishableKey\":\"<pk>\",\"userId\":\"user_plan\",\"usageCount\":3,\"plan\":\"pro\"}],"
             "\"subscriptions\":[{\"publishableKey\":\"<pk>\",\"userId\":\"user_sub\",\"plan\":\"pro\",\"status\":"
             "\"active\"}],"
             "\"rates\":[{\"publishableKey\":\"<pk>\",\"userId\":\"user_fast\",\"requestsThisMinute\":3}]}"),
        DREAMD_DB_OK);
    assert_invariants_hold(&place);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct question question = { .loaded = &loaded, .user_id = rows[i].user_id };
        assert_int_equal(dreamd_store_write_now(place.store, ask_usage, &question), DREAMD_DB_OK);
        assert_int_equal(question.usage.outcome, rows[i].outcome);
        if (rows[i].plan) {
            assert_string_equal(question.usage.plan, rows[i].plan);
            assert_int_equal(question.usage.used, rows[i].used);
        }
    }
    unload(&loaded);
    place_close(&place);
}

static void test_fixture_rows__that_contradict_the_store_leave_nothing(void **state)
{
    static const struct {
        const char *text;
        const char *place;
    } rows[] = {
        { "{\"platforms\":{\"plt_1\":{\"projects\":[]}}}", "platforms[0]" }, /* there already */
        { "{" PLATFORMS ",\"usage\":[{\"publishableKey\":\"<pk>\",\"userId\":\"u\",\"usageCount\":1},"
          "{\"publishableKey\":\"<pk>\",\"userId\":\"u\",\"usageCount\":1,\"periodStart\":\"<today-5>\"}]}",
          "usage[1]" }, /* periods overlap */
    };
    struct place place;
    struct loaded loaded;
    (void)state;
    place_open(&place);
    assert_int_equal(load(&place, &loaded, rows[0].text), DREAMD_DB_OK);
    unload(&loaded);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(load(&place, &loaded, rows[i].text), DREAMD_DB_CONFLICT);
        assert_string_equal(loaded.rows.place, rows[i].place);
        if (loaded.fixture.platforms[0].project_count) {
            struct question question = { .loaded = &loaded };
            assert_int_equal(dreamd_store_read_now(place.store, ask_keys, &question), DREAMD_DB_OK);
            assert_false(question.is_found);
            assert_false(question.is_account_found);
        }
        unload(&loaded);
    }
    assert_invariants_hold(&place);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixture_rows__leave_an_audit_entry_for_each_project),
        cmocka_unit_test(test_fixture_rows__make_keys_platforms_and_accounts_that_requests_find),
        cmocka_unit_test(test_fixture_rows__make_usage_plans_rates_and_tombstones_that_limits_see),
        cmocka_unit_test(test_fixture_rows__that_contradict_the_store_leave_nothing),
    };
    return cmocka_run_group_tests_name("fixture_rows", tests, NULL, NULL);
}
