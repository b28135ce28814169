/* SPDX-License-Identifier: Apache-2.0 */
/* test_checkout.c - what a checkout asks the payment provider for, where buyers return to, and why there is no page. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/store/customers.h"
#include "service/store/tiers.h"

#define SECRET "Authorization: Bearer " STAGE_SK
#define GET_USER "GET /v1/users/user_1"
#define SESSIONS "POST /v1/checkout/sessions"
#define PAGE "{\"id\":\"cs_1\",\"url\":\"https://pay.test/1\"}"
#define USER(key)                                                                                                      \
    "{\"id\":\"user_1\",\"email_addresses\":[{\"id\":\"i\",\"email_address\":\"a@b.test\"}],\"public_metadata\":{"     \
    "\"publishableKey\":\"" key "\"}}"
#define BUY(more) "{\"userId\":\"user_1\",\"tier\":\"pro\"" more "}"

static dreamd_db_status fill(dreamd_db *db, void *arg)
{
    static const char *const names[][2] = { { "free", NULL }, { "pro", "price_pro" }, { "max", "price_max" } };
    dreamd_db_status status = dreamd_customer_ensure(db, &stage_project, "user_1", NULL, 1);

    (void)arg;
    for (size_t i = 0; status == DREAMD_DB_OK && i < sizeof names / sizeof names[0]; i++) {
        dreamd_tier tier = DREAMD_TIER_INIT;

        tier.name = names[i][0];
        tier.price_id = names[i][1];
        status = dreamd_tier_insert(db, &stage_project, &tier, 1);
    }
    return status;
}

static int begin(void **state)
{
    (void)state;
    return stage_begin(fill);
}

static int end(void **state)
{
    (void)state;
    return stage_end();
}

static void expect(stage_answer answer, int status, const char *part)
{
    if (answer.status != status || !strstr(answer.body, part))
        fail_msg("%d %s: not %d with %s", answer.status, answer.body, status, part);
}

static stage_answer buy(const char *header, const char *body)
{
    return stage_ask("POST", "/api/create-checkout", header, body);
}

/* Buys, and gives the form that the provider was sent. */
static const char *form_of(const char *header, const char *body)
{
    stage_tell(GET_USER, 200, USER(STAGE_PK));
    stage_tell(SESSIONS, 200, PAGE);
    expect(buy(header, body), 200, "{\"url\":\"https://pay.test/1\"}");
    assert_string_equal(stage_call(stage_call_count() - 1), SESSIONS);
    return stage_call_body(stage_call_count() - 1);
}

static void expect_in(const char *form, const char *part)
{
    assert_non_null(strstr(form, part));
}

static void test_checkout__asks_for_a_page_for_the_tier(void **state)
{
    const char *form = form_of(SECRET, BUY(""));

    (void)state;
    expect_in(form, "mode=subscription");
    expect_in(form, "line_items%5B0%5D%5Bprice%5D=price_pro");
    expect_in(form, "customer_email=a%40b.test");
    expect_in(form, "client_reference_id=user_1");
    expect_in(form, "publishableKey%5D=" STAGE_PK);
    expect_in(form_of(SECRET, BUY(",\"priceId\":\"price_pro\"")), "price_pro");
}

static void test_checkout__returns_home_unless_another_place_is_allowed(void **state)
{
    static char any[] = "*";
    static char list[] = "https://shop.test";
    static const char home[] = "success_url=https%3A%2F%2Fapp.example.test%2Fdashboard%3Fsuccess%3Dtrue";
    static const char shop[] = "success_url=https%3A%2F%2Fshop.test%2Fdashboard%3Fsuccess%3Dtrue";

    (void)state;
    expect_in(form_of(SECRET, BUY("")), home);
    expect_in(form_of(SECRET "\nOrigin: https://shop.test", BUY("")), home);
    expect_in(form_of(SECRET "\nOrigin: http://localhost:3000", BUY("")),
              "success_url=http%3A%2F%2Flocalhost%3A3000%2F");
    expect(buy(SECRET, BUY(",\"successUrl\":\"https://shop.test/ok\"")), 400, "Invalid return address");
    expect(buy(SECRET, BUY(",\"cancelUrl\":\"https://shop.test/no\"")), 400, "Invalid return address");
    expect_in(form_of(SECRET, BUY(",\"successUrl\":\"http://127.0.0.1:3000/ok\"")), "127.0.0.1%3A3000%2Fok");
    stage_settings.allowed_origins = list;
    expect_in(form_of(SECRET "\nOrigin: https://shop.test", BUY("")), shop);
    expect_in(form_of(SECRET "\nOrigin: https://evil.test", BUY("")), home);
    expect(buy(SECRET, BUY(",\"successUrl\":\"http://localhost:3000/ok\"")), 400, "Invalid return address");
    stage_settings.allowed_origins = any;
    expect_in(form_of(SECRET, BUY(",\"successUrl\":\"https://any.test/ok\"")),
              "success_url=https%3A%2F%2Fany.test%2Fok");
}

static void test_checkout__tells_why_a_tier_is_not_sold(void **state)
{
    static const struct {
        const char *body;
        const char *error;
    } cases[] = {
        { "{\"userId\":\"user_1\",\"tier\":\"nope\"}", "No price ID configured for tier: nope" },
        { "{\"userId\":\"user_1\",\"tier\":\"free\"}", "No price ID configured for tier: free" },
        { BUY(",\"priceId\":\"price_max\""), "Price 'price_max' does not belong to tier: pro" },
        { BUY(",\"priceId\":\"price_nope\""), "No such price: 'price_nope'" },
        { "{\"userId\":\"user_1\",\"tier\":7}", "tier must be a string" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(buy(SECRET, cases[i].body), 400, cases[i].error);
    assert_int_equal(stage_call_count(), 0);
}

static void test_checkout__sells_nothing_to_another_projects_user(void **state)
{
    (void)state;
    stage_tell(GET_USER, 200, USER("pk_live_x"));
    expect(buy(SECRET, BUY("")), 403, "End user does not belong to this project");
    assert_int_equal(stage_call_count(), 1);
}

static void test_checkout__passes_on_what_a_provider_says(void **state)
{
    static const struct {
        int clerk;
        int stripe; /* 0: not asked */
        int status;
        const char *part;
    } cases[] = {
        { 404, 0, 404, "Not Found" },       { 503, 0, 502, "The provider answered 503" },
        { 200, 400, 400, "No such thing" }, { 200, 500, 502, "No such thing" },
        { 200, 401, 502, "credentials" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage_tell(GET_USER, (unsigned)cases[i].clerk, cases[i].clerk == 200 ? USER(STAGE_PK) : "{}");
        if (cases[i].stripe)
            stage_tell(SESSIONS, (unsigned)cases[i].stripe, "{\"error\":{\"message\":\"No such thing\"}}");
        expect(buy(SECRET, BUY("")), cases[i].status, cases[i].part);
    }
}

static void test_checkout__the_same_order_is_the_same_page(void **state)
{
    int asked = 0;

    (void)state;
    (void)form_of(SECRET "\nIdempotency-Key: order-1", BUY(""));
    asked = stage_call_count();
    expect(buy(SECRET "\nIdempotency-Key: order-1", BUY("")), 200, "https://pay.test/1");
    assert_int_equal(stage_call_count(), asked);
    expect(buy(SECRET "\nIdempotency-Key: order-1", BUY(",\"priceId\":\"price_pro\"")), 422, "error");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_checkout__asks_for_a_page_for_the_tier),
        CASE(test_checkout__returns_home_unless_another_place_is_allowed),
        CASE(test_checkout__tells_why_a_tier_is_not_sold),
        CASE(test_checkout__sells_nothing_to_another_projects_user),
        CASE(test_checkout__passes_on_what_a_provider_says),
        CASE(test_checkout__the_same_order_is_the_same_page),
    };

    return cmocka_run_group_tests_name("checkout", tests, NULL, NULL);
}
