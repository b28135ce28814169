/* SPDX-License-Identifier: Apache-2.0 */
/* Tests for object/tier_check.c: plans and features from a list of tiers that is kept. */
#include <pthread.h>

#include "fixture.h"

#define TIER(id, price, features) "{\"id\":\"" id "\",\"price\":" #price ",\"limit\":10,\"features\":[" features "]}"
#define TIERS                                                                                                          \
    "{\"tiers\":[" TIER("max", 9900, "\"export\",\"sso\"") "," TIER("free", 0, "") "," TIER(                           \
        "pro", 2900, "\"export\"") "," TIER("trial", 0, "") "]}"
#define USES(plan) "{\"userId\":\"user_1\",\"plan\":\"" plan "\",\"usageCount\":2,\"limit\":5}"

enum { MINUTE_MS = 60 * 1000 };

static void tiers(fixture *f, int times)
{
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    answer.path = "/api/tiers";
    answer.body = TIERS;
    answer.times = times;
    assert_int_equal(dreamapi_test_transport_add(f->transport, &answer), DREAMAPI_OK);
}

static dreamapi_tier_verdict verdict;

/* A user whose plan is given. */
static int ask(fixture *f, const char *plan, const char *min_plan, const char *feature)
{
    dreamapi_tier_check_params params = DREAMAPI_TIER_CHECK_PARAMS_INIT;

    params.plan = plan;
    params.min_plan = min_plan;
    params.feature = feature;
    fixture_expect(f, dreamapi_tier_check(f->client, NULL, &params, NULL, &verdict, &f->error), DREAMAPI_OK);
    return verdict.allowed;
}

static dreamapi_status ask_user(fixture *f, const char *user_id, const char *feature, int64_t max_age_ms)
{
    dreamapi_tier_check_params params = DREAMAPI_TIER_CHECK_PARAMS_INIT;

    params.feature = feature;
    params.max_age_ms = max_age_ms;
    return dreamapi_tier_check(f->client, user_id, &params, NULL, &verdict, &f->error);
}

static void test_min_plan__plans_are_in_the_order_of_prices_then_of_the_list(void **state)
{
    static const struct {
        const char *plan;
        const char *min_plan;
        int allowed;
    } rows[] = {
        { "pro", "pro", 1 },   { "max", "pro", 1 },    { "free", "pro", 0 },   { "pro", "max", 0 },
        { "free", "free", 1 }, { "trial", "free", 1 }, { "free", "trial", 0 }, { "PRO", "Pro", 1 },
        { "none", "free", 0 }, { "pr", "pro", 0 },     { "prox", "pro", 0 },
    };
    fixture *f = *state;

    tiers(f, DREAMAPI_TEST_ALWAYS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (ask(f, rows[i].plan, rows[i].min_plan, NULL) != rows[i].allowed)
            fail_msg("%s at least %s: %d", rows[i].plan, rows[i].min_plan, verdict.allowed);
        assert_int_equal(verdict.source, DREAMAPI_SOURCE_CALLER);
        assert_string_equal(verdict.plan, rows[i].plan);
    }
}

static void test_feature__it_is_the_plans_own(void **state)
{
    fixture *f = *state;

    tiers(f, DREAMAPI_TEST_ALWAYS);
    assert_int_equal(ask(f, "pro", NULL, "export"), 1);
    assert_int_equal(ask(f, "pro", NULL, "sso"), 0);
    assert_int_equal(ask(f, "max", NULL, "sso"), 1);
    assert_int_equal(ask(f, "pro", NULL, "Export"), 0);
    assert_int_equal(ask(f, "none", NULL, "export"), 0);
}

static void test_question__it_has_one_part(void **state)
{
    fixture *f = *state;
    dreamapi_tier_check_params params = DREAMAPI_TIER_CHECK_PARAMS_INIT;

    params.plan = "pro";
    assert_int_equal(dreamapi_tier_check(f->client, NULL, &params, NULL, &verdict, &f->error), DREAMAPI_INVALID);
    params.min_plan = "pro";
    params.feature = "export";
    assert_int_equal(dreamapi_tier_check(f->client, NULL, &params, NULL, &verdict, &f->error), DREAMAPI_INVALID);
    assert_int_equal(verdict.allowed, 0);
    assert_int_equal(dreamapi_tier_check(f->client, NULL, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
    params.feature = NULL;
    params.plan = NULL;
    tiers(f, DREAMAPI_TEST_ALWAYS);
    assert_int_equal(dreamapi_tier_check(f->client, NULL, &params, NULL, &verdict, &f->error), DREAMAPI_TOKEN_REQUIRED);
}

static void test_list__it_is_kept_then_used_while_it_is_fetched_anew(void **state)
{
    fixture *f = *state;

    tiers(f, 1);
    assert_int_equal(ask(f, "pro", "pro", NULL), 1);
    dreamapi_test_clock_advance(f->clock, 4 * MINUTE_MS);
    assert_int_equal(ask(f, "pro", "pro", NULL), 1);
    assert_int_equal(verdict.age_ms, 4 * MINUTE_MS);
    assert_int_equal(fixture_count(f, "/api/tiers"), 1);
    /* Stale: answered at once, and refreshed behind. */
    dreamapi_test_clock_advance(f->clock, 2 * MINUTE_MS);
    tiers(f, 1);
    assert_int_equal(ask(f, "pro", "pro", NULL), 1);
    assert_int_equal(verdict.age_ms, 6 * MINUTE_MS);
    dreamapi_client_perform(f->client);
    dreamapi_client_perform(f->client);
    assert_int_equal(fixture_count(f, "/api/tiers"), 2);
    assert_int_equal(ask(f, "pro", "pro", NULL), 1);
    assert_int_equal(verdict.age_ms, 0);
    /* Too old to be used. */
    dreamapi_test_clock_advance(f->clock, 61 * MINUTE_MS);
    tiers(f, 1);
    assert_int_equal(ask(f, "pro", "pro", NULL), 1);
    assert_int_equal(verdict.age_ms, 0);
    assert_int_equal(fixture_count(f, "/api/tiers"), 3);
}

static void test_list__without_one_nothing_is_allowed(void **state)
{
    fixture *f = *state;
    dreamapi_tier_check_params params = DREAMAPI_TIER_CHECK_PARAMS_INIT;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    params.plan = "max";
    params.min_plan = "free";
    fixture_answer(f, "/api/tiers", 401, NULL, "{\"error\":\"Invalid API key\"}");
    assert_int_equal(dreamapi_tier_check(f->client, NULL, &params, NULL, &verdict, &f->error), DREAMAPI_AUTH);
    assert_int_equal(verdict.allowed, 0);
    assert_int_equal(verdict.age_ms, -1);
    fixture_never(f, "/api/tiers");
    options.timeout_ms = 500;
    assert_int_equal(dreamapi_tier_check(f->client, NULL, &params, &options, &verdict, &f->error), DREAMAPI_TIMEOUT);
    assert_int_equal(verdict.allowed, 0);
}

static void test_list__a_tier_that_is_missing_is_looked_for_again(void **state)
{
    fixture *f = *state;
    dreamapi_tier_check_params params = DREAMAPI_TIER_CHECK_PARAMS_INIT;

    tiers(f, 1);
    params.plan = "max";
    params.min_plan = "gold";
    assert_int_equal(dreamapi_tier_check(f->client, NULL, &params, NULL, &verdict, &f->error), DREAMAPI_NOT_FOUND);
    assert_int_equal(f->error.local, 1);
    assert_int_equal(fixture_count(f, "/api/tiers"), 1);
    dreamapi_test_clock_advance(f->clock, 11 * 1000);
    fixture_answer(f, "/api/tiers", 200, NULL, "{\"tiers\":[" TIER("max", 9900, "") "," TIER("gold", 9000, "") "]}");
    assert_int_equal(ask(f, "max", "gold", NULL), 1);
    assert_int_equal(fixture_count(f, "/api/tiers"), 2);
}

static void test_plan__it_is_asked_for_once_a_minute(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, SERVER_SIDE_ONLY);
    tiers(f, DREAMAPI_TEST_ALWAYS);
    fixture_answer(f, "/api/usage", 200, NULL, USES("pro"));
    fixture_expect(f, ask_user(f, "user_1", "export", MINUTE_MS), DREAMAPI_OK);
    assert_int_equal(verdict.allowed, 1);
    assert_int_equal(verdict.source, DREAMAPI_SOURCE_SERVER);
    dreamapi_test_clock_advance(f->clock, 59 * 1000);
    fixture_expect(f, ask_user(f, "user_1", "export", MINUTE_MS), DREAMAPI_OK);
    assert_int_equal(verdict.source, DREAMAPI_SOURCE_CACHE);
    assert_string_equal(verdict.plan, "pro");
    assert_int_equal(fixture_count(f, "/api/usage"), 1);
    fixture_answer(f, "/api/usage", 200, NULL, USES("free"));
    fixture_expect(f, ask_user(f, "user_1", "export", 0), DREAMAPI_OK);
    assert_int_equal(verdict.allowed, 0);
    assert_int_equal(fixture_count(f, "/api/usage"), 2);
}

static void test_plan__another_user_is_another_plan(void **state)
{
    fixture *f = *state;

    fixture_extensions(f, SERVER_SIDE_ONLY);
    tiers(f, DREAMAPI_TEST_ALWAYS);
    fixture_answer(f, "/api/usage", 200, NULL, USES("pro"));
    fixture_answer(f, "/api/usage", 200, NULL, USES("free"));
    fixture_expect(f, ask_user(f, "user_1", "export", MINUTE_MS), DREAMAPI_OK);
    assert_int_equal(verdict.allowed, 1);
    fixture_expect(f, ask_user(f, "user_2", "export", MINUTE_MS), DREAMAPI_OK);
    assert_int_equal(verdict.allowed, 0);
}

static void test_plan__a_meter_that_was_used_knows_it(void **state)
{
    fixture *f = *state;
    dreamapi_meter *meter = NULL;

    fixture_extensions(f, SERVER_SIDE_ONLY);
    tiers(f, DREAMAPI_TEST_ALWAYS);
    fixture_answer(f, "/api/data", 200, NULL, "{\"usage\":{\"count\":1,\"limit\":5,\"plan\":\"max\"}}");
    fixture_expect(f, dreamapi_meter_open(f->client, "user_1", NULL, &meter, &f->error), DREAMAPI_OK);
    fixture_expect(f, dreamapi_meter_use(meter, 1, NULL), DREAMAPI_OK);
    fixture_expect(f, ask_user(f, "user_1", "sso", MINUTE_MS), DREAMAPI_OK);
    assert_int_equal(verdict.allowed, 1);
    assert_int_equal(verdict.source, DREAMAPI_SOURCE_CACHE);
    assert_int_equal(fixture_count(f, "/api/usage"), 0);
    dreamapi_meter_close(meter);
}

/* ---- many threads ---- */

enum { THREADS = 8 };

static void *ask_once(void *client)
{
    dreamapi_tier_check_params params = DREAMAPI_TIER_CHECK_PARAMS_INIT;
    dreamapi_tier_verdict own;

    params.plan = "max";
    params.min_plan = "pro";
    return dreamapi_tier_check(client, NULL, &params, NULL, &own, NULL) == DREAMAPI_OK && own.allowed ? client : NULL;
}

static void expect_one_request(fixture *f)
{
    pthread_t threads[THREADS];
    void *result;

    tiers(f, 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_once, f->client), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    assert_int_equal(fixture_count(f, "/api/tiers"), 1);
}

static void test_list__many_threads_cause_one_request(void **state)
{
    expect_one_request(*state);
}

static void test_list__many_threads_cause_one_request_of_the_clients_thread(void **state)
{
    fixture *f = *state;

    dreamapi_options_set_threads(f->options, 1);
    fixture_make_client(f);
    expect_one_request(f);
}

int main(void)
{
#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, fixture_set_up_client, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(test_min_plan__plans_are_in_the_order_of_prices_then_of_the_list),
        WITH_CLIENT(test_feature__it_is_the_plans_own),
        WITH_CLIENT(test_question__it_has_one_part),
        WITH_CLIENT(test_list__it_is_kept_then_used_while_it_is_fetched_anew),
        WITH_CLIENT(test_list__without_one_nothing_is_allowed),
        WITH_CLIENT(test_list__a_tier_that_is_missing_is_looked_for_again),
        WITH_CLIENT(test_plan__it_is_asked_for_once_a_minute),
        WITH_CLIENT(test_plan__another_user_is_another_plan),
        WITH_CLIENT(test_plan__a_meter_that_was_used_knows_it),
        WITH_CLIENT(test_list__many_threads_cause_one_request),
        cmocka_unit_test_setup_teardown(test_list__many_threads_cause_one_request_of_the_clients_thread, fixture_set_up,
                                        fixture_tear_down),
    };
#undef WITH_CLIENT

    return cmocka_run_group_tests_name("tier_check", tests, NULL, NULL);
}
