/* SPDX-License-Identifier: Apache-2.0 */
/* test_overview.c - the dashboard, the list of customers, batches and Clerk's webhooks where the store or the provider is at
 * fault: rows that make no sense, profiles that are another project's or never come. The quiet times are tests/e2e's. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "common/timefmt.h"
#include "common/webhook.h"
#include "service/store/customers.h"
#include "service/store/subscriptions.h"
#include "service/store/tiers.h"

#define SECRET "Authorization: Bearer " STAGE_SK
#define CLERK_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define PROFILE "GET /v1/users/user_1"
#define USER(key)                                                                                                      \
    "{\"id\":\"user_1\",\"public_metadata\":{\"publishableKey\":\"" key "\",\"plan\":\"pro\",\"subscriptionId\":"      \
    "\"sub_told\",\"stripeCustomerId\":\"cus_told\"}}"

static char clerk_secret[] = CLERK_SECRET;
static char *kept_secret;

static dreamd_db_status record(dreamd_db *db, const char *id, const char *payload)
{
    dreamd_event_outcome outcome;
    dreamd_event event = { .source = "stripe-live",
                           .event_id = id,
                           .type = "checkout.session.completed",
                           .payload = payload,
                           .project = &stage_project };

    return dreamd_event_apply(db, &event, 1, &outcome);
}

static dreamd_db_status fill(dreamd_db *db, void *arg)
{
    dreamd_tier tier = DREAMD_TIER_INIT;
    dreamd_db_status status = DREAMD_DB_OK;

    (void)arg;
    tier.name = "pro";
    tier.price_minor = 2900;
    tier.price_id = "price_pro";
    status = dreamd_tier_insert(db, &stage_project, &tier, 1);
    if (status == DREAMD_DB_OK)
        status = dreamd_customer_ensure(db, &stage_project, "user_1", NULL, 1);
    if (status == DREAMD_DB_OK)
        status = record(db, "evt_1", "no JSON at all");
    if (status == DREAMD_DB_OK)
        status = record(db, "evt_2", NULL);
    return status;
}

static int begin(void **state)
{
    (void)state;
    kept_secret = stage_settings.clerk_end_user[DREAMD_LIVE].webhook_secret;
    return stage_begin(fill);
}

static int end(void **state)
{
    (void)state;
    stage_settings.clerk_end_user[DREAMD_LIVE].webhook_secret = kept_secret;
    return stage_end();
}

static void assert_has(const stage_answer *answer, int status, const char *text)
{
    if (answer->status != status || !strstr(answer->body, text))
        fail_msg("%d %s\nwithout %s", answer->status, answer->body, text);
}

/* ---- the dashboard ---- */

static void test_dashboard__rows_that_make_no_sense_take_no_page_down(void **state)
{
    stage_answer answer = stage_ask("GET", "/api/dashboard", SECRET, NULL);

    (void)state;
    assert_has(&answer, 200, "\"payload\":null");
    assert_has(&answer, 200, "\"storeSalesCount\":0");
}

static void test_dashboard__takes_what_the_provider_tells_of_its_own(void **state)
{
    stage_answer answer;

    (void)state;
    stage_tell(PROFILE, 200, USER(STAGE_PK));
    answer = stage_ask("GET", "/api/dashboard", SECRET, NULL);
    assert_has(&answer, 200, "\"subscriptionId\":\"sub_told\"");
    assert_has(&answer, 200, "\"plan\":\"pro\"");
    assert_has(&answer, 200, "\"amount\":2900");
}

static void test_dashboard__takes_nothing_of_another_projects_profile(void **state)
{
    stage_answer answer;

    (void)state;
    stage_tell(PROFILE, 200, USER("pk_live_of_another"));
    answer = stage_ask("GET", "/api/dashboard", SECRET, NULL);
    assert_has(&answer, 200, "\"subscriptionId\":null");
    assert_has(&answer, 200, "\"plan\":\"free\"");
}

static void test_dashboard__a_provider_that_fails_is_left_alone_for_a_while(void **state)
{
    stage_answer answer;

    (void)state;
    stage_tell(PROFILE, 503, "{}");
    answer = stage_ask("GET", "/api/dashboard", SECRET, NULL);
    assert_has(&answer, 200, "\"userId\":\"user_1\"");
    assert_int_equal(stage_call_count(), 1);
    answer = stage_ask("GET", "/api/dashboard", SECRET, NULL);
    assert_has(&answer, 200, "\"userId\":\"user_1\"");
    assert_int_equal(stage_call_count(), 1);
}

static void test_totals__ask_no_provider(void **state)
{
    stage_answer answer = stage_ask("GET", "/api/dashboard/totals", SECRET, NULL);

    (void)state;
    assert_has(&answer, 200, "\"totalProducts\":1");
    assert_int_equal(stage_call_count(), 0);
}

/* ---- lists and batches ---- */

static void test_list__asks_no_provider(void **state)
{
    stage_answer answer = stage_ask("GET", "/api/customers", SECRET, NULL);

    (void)state;
    assert_has(&answer, 200, "\"nextCursor\":null");
    assert_int_equal(stage_call_count(), 0);
}

static void test_batch__answers_in_the_order_asked(void **state)
{
    stage_answer answer =
        stage_ask("POST", "/api/usage/batch", SECRET,
                  "{\"events\":[{\"id\":\"a\",\"userId\":\"user_x\"},{\"userId\":\"user_1\"},{\"id\":\"c\","
                  "\"userId\":\"user_1\"}]}");

    (void)state;
    assert_has(&answer, 200, "[{\"id\":\"a\",\"status\":\"error\",\"error\":\"Customer not found\"},{\"id\":null,");
    /* No tier is called "free" here, so its limit is 0. */
    assert_has(&answer, 200, "{\"id\":\"c\",\"status\":\"limit\"}]");
}

/* ---- Clerk's webhooks ---- */

static stage_answer deliver(const char *id, const char *body)
{
    dream_buffer signature = DREAM_BUFFER_INIT;
    char headers[512];
    int64_t now_s = dream_wall_ms() / 1000;
    stage_answer answer;

    assert_true(dream_svix_signature_make(&signature, id, CLERK_SECRET, body, strlen(body), now_s));
    (void)snprintf(headers, sizeof headers, "svix-id: %s\nsvix-timestamp: %lld\nsvix-signature: %s", id,
                   (long long)now_s, signature.data);
    dream_buffer_clear(&signature);
    answer = stage_ask("POST", "/webhook/clerk", headers, body);
    return answer;
}

static void test_clerk__a_deleted_user_is_gone_from_the_list(void **state)
{
    stage_answer answer;

    (void)state;
    stage_settings.clerk_end_user[DREAMD_LIVE].webhook_secret = clerk_secret;
    answer = deliver("msg_1", "{\"type\":\"user.deleted\",\"data\":{\"id\":\"user_1\",\"deleted\":true}}");
    assert_has(&answer, 200, "{\"received\":true}");
    answer = deliver("msg_1", "{\"type\":\"user.deleted\",\"data\":{\"id\":\"user_1\",\"deleted\":true}}");
    assert_has(&answer, 200, "\"idempotent\":true");
    answer = stage_ask("GET", "/api/customers", SECRET, NULL);
    assert_has(&answer, 200, "{\"customers\":[],");
}

static void test_clerk__what_is_no_event_is_refused(void **state)
{
    static const char *const bad[] = { "",
                                       "[]",
                                       "{}",
                                       "{\"type\":\"user.created\"}",
                                       "{\"type\":\"user.updated\",\"data\":{\"id\":\"\"}}",
                                       "{\"type\":\"user.deleted\",\"data\":{}}" };

    (void)state;
    stage_settings.clerk_end_user[DREAMD_LIVE].webhook_secret = clerk_secret;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        stage_answer answer = deliver("msg_1", bad[i]);

        assert_has(&answer, 400, "Invalid payload");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    static const struct CMUnitTest tests[] = {
        TEST(test_dashboard__rows_that_make_no_sense_take_no_page_down),
        TEST(test_dashboard__takes_what_the_provider_tells_of_its_own),
        TEST(test_dashboard__takes_nothing_of_another_projects_profile),
        TEST(test_dashboard__a_provider_that_fails_is_left_alone_for_a_while),
        TEST(test_totals__ask_no_provider),
        TEST(test_list__asks_no_provider),
        TEST(test_batch__answers_in_the_order_asked),
        TEST(test_clerk__a_deleted_user_is_gone_from_the_list),
        TEST(test_clerk__what_is_no_event_is_refused),
    };

    return cmocka_run_group_tests_name("service overview", tests, NULL, NULL);
}
