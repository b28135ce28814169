/* SPDX-License-Identifier: Apache-2.0 */
/* test_shop.c - products, carts, orders that come back from Stripe, and the billing portal: what is asked of the providers, what
 * happens to the stock, and every refusal. The recorded answers are the wire cases' business. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/store/customers.h"
#include "service/store/tiers.h"

#define PUBLISHABLE "X-Publishable-Key: " STAGE_PK
#define SECRET "Authorization: Bearer " STAGE_SK
#define SESSIONS "POST /v1/checkout/sessions"
#define PORTALS "POST /v1/billing_portal/sessions"
#define PAGE "{\"id\":\"cs_1\",\"url\":\"https://pay.test/1\"}"
#define USER(metadata) "{\"id\":\"user_1\",\"public_metadata\":" metadata "}"
#define OWN "{\"publishableKey\":\"" STAGE_PK "\",\"stripeCustomerId\":\"cus_1\"}"

static dreamd_db_status put_tier(dreamd_db *db, const char *name, const char *mode, const char *price, int64_t stock)
{
    dreamd_tier tier = DREAMD_TIER_INIT;
    char display[32];
    char product[32];

    (void)snprintf(display, sizeof display, "The %s", name);
    (void)snprintf(product, sizeof product, "prod_%s", name);
    tier.name = name;
    tier.display_name = display;
    tier.price_minor = 500;
    tier.price_id = price;
    tier.product_id = price ? product : NULL;
    tier.billing_mode = mode;
    tier.inventory = stock;
    tier.is_sold_out = strcmp(name, "gone") == 0;
    return dreamd_tier_insert(db, &stage_project, &tier, 1);
}

static dreamd_db_status fill(dreamd_db *db, void *arg)
{
    dreamd_db_status status = put_tier(db, "shirt", "one_off", "price_shirt", 10);

    (void)arg;
    if (status == DREAMD_DB_OK)
        status = put_tier(db, "card", "one_off", "price_card", DREAMD_UNLIMITED);
    if (status == DREAMD_DB_OK)
        status = put_tier(db, "mug", "one_off", "price_mug", 0);
    if (status == DREAMD_DB_OK)
        status = put_tier(db, "gone", "one_off", "price_gone", 5);
    if (status == DREAMD_DB_OK)
        status = put_tier(db, "poster", "one_off", NULL, 4);
    if (status == DREAMD_DB_OK)
        status = put_tier(db, "vip", "subscription", "price_vip", DREAMD_UNLIMITED);
    if (status == DREAMD_DB_OK)
        status = dreamd_customer_ensure(db, &stage_project, "user_1", NULL, 1);
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

static dreamd_db_status read_stock(dreamd_db *db, void *arg)
{
    int64_t *stock = arg;
    dream_arena *arena = dream_arena_new();
    dreamd_tier tier = DREAMD_TIER_INIT;
    bool is_found = false;
    dreamd_db_status status =
        dreamd_tier_find(db, &stage_project, "shirt", DREAMD_TIER_BY_NAME, arena, &tier, &is_found);

    *stock = is_found ? tier.inventory : -1;
    dream_arena_free(arena);
    return status;
}

static int64_t stock(void)
{
    int64_t stock = -1;

    assert_int_equal(dreamd_store_read_now(stage_store, read_stock, &stock), DREAMD_DB_OK);
    return stock;
}

static void expect(stage_answer answer, int status, const char *part)
{
    if (answer.status != status || !strstr(answer.body, part))
        fail_msg("%d %s: not %d with %s", answer.status, answer.body, status, part);
}

/* ---- products ---- */

static void test_shop__products_are_what_is_sold_once(void **state)
{
    stage_answer answer = stage_ask("GET", "/api/products", PUBLISHABLE, NULL);

    (void)state;
    expect(answer, 200,
           "{\"id\":\"prod_shirt\",\"key\":\"shirt\",\"name\":\"The shirt\",\"displayName\":\"The shirt\","
           "\"description\":\"\",\"price\":500,\"currency\":\"usd\",\"imageUrl\":null,\"inventory\":10,\"soldOut\":"
           "false,\"priceId\":\"price_shirt\",\"productId\":\"prod_shirt\",\"features\":[]}");
    assert_non_null(strstr(answer.body, "{\"id\":\"poster\",\"key\":\"poster\""));
    assert_null(strstr(answer.body, "vip"));
    expect(stage_ask("GET", "/api/products", SECRET, NULL), 200, "\"soldOut\":true");
    expect(stage_ask("GET", "/api/products", NULL, NULL), 401, "Missing authentication");
}

/* ---- carts ---- */

static void test_shop__a_cart_becomes_one_session(void **state)
{
    static char allowed[] = "https://shop.test";

    (void)state;
    stage_settings.allowed_origins = allowed;
    stage_tell(SESSIONS, 200, PAGE);
    expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE "\nOrigin: https://shop.test",
                     "{\"items\":[{\"priceId\":\"price_shirt\",\"quantity\":2},{\"tier\":\"CARD\"},{\"productId\":"
                     "\"prod_shirt\",\"quantity\":3}],\"email\":\"g@example.test\"}"),
           200, "{\"url\":\"https://pay.test/1\"}");
    assert_string_equal(stage_call(0), SESSIONS);
    assert_string_equal(
        stage_call_body(0),
        "mode=payment&success_url=https%3A%2F%2Fshop.test%2Fcart%3Fsuccess%3Dtrue&cancel_url=https%3A%2F%2Fshop.test%"
        "2Fcart%3Fcanceled%3Dtrue&customer_email=g%40example.test&metadata%5BpublishableKey%5D=" STAGE_PK
        "&metadata%5BplatformId%5D=plt_1&line_items%5B0%5D%5Bprice%5D=price_shirt&line_items%5B0%5D%5Bquantity%5D=5&"
        "line_items%5B1%5D%5Bprice%5D=price_card&line_items%5B1%5D%5Bquantity%5D=1");
    assert_int_equal(stock(), 10); /* nothing is sold yet */
}

static void test_shop__what_cannot_be_bought_is_refused_before_the_provider_hears_of_it(void **state)
{
    static const struct {
        const char *body;
        const char *error;
    } cases[] = {
        { "", "No items provided" },
        { "{bad", "No items provided" },
        { "{\"items\":[]}", "No items provided" },
        { "{\"items\":{}}", "No items provided" },
        { "{\"items\":[null]}", "Invalid item" },
        { "{\"items\":[{}]}", "Invalid item" },
        { "{\"items\":[{\"priceId\":7}]}", "Invalid item" },
        { "{\"items\":[{\"priceId\":\"price_nope\"}]}", "\"Invalid item: price_nope\"" },
        { "{\"items\":[{\"tier\":\"poster\"}]}", "\"Invalid item: poster\"" },
        { "{\"items\":[{\"priceId\":\"price_vip\"}]}", "\"Invalid item: price_vip\"" },
        { "{\"items\":[{\"priceId\":\"price_shirt\",\"tier\":\"card\"}]}", "\"Invalid item: price_shirt\"" },
        { "{\"items\":[{\"tier\":\"mug\"}]}", "\"Item sold out: The mug\"" },
        { "{\"items\":[{\"tier\":\"gone\"}]}", "\"Item sold out: The gone\"" },
        { "{\"items\":[{\"tier\":\"shirt\",\"quantity\":11}]}", "\"Not enough inventory for The shirt\"" },
        { "{\"items\":[{\"tier\":\"shirt\",\"quantity\":6},{\"priceId\":\"price_shirt\",\"quantity\":5}]}",
          "\"Not enough inventory for The shirt\"" },
        { "{\"items\":[{\"tier\":\"card\",\"quantity\":0}]}", "Invalid quantity" },
        { "{\"items\":[{\"tier\":\"card\",\"quantity\":-3}]}", "Invalid quantity" },
        { "{\"items\":[{\"tier\":\"card\",\"quantity\":1.5}]}", "Invalid quantity" },
        { "{\"items\":[{\"tier\":\"card\",\"quantity\":\"2\"}]}", "Invalid quantity" },
        { "{\"items\":[{\"tier\":\"card\",\"quantity\":1e300}]}", "Invalid quantity" },
        { "{\"items\":[{\"tier\":\"card\"},{\"tier\":\"card\",\"quantity\":true}]}",
          "items[1] needs a quantity that is a positive integer" },
        { "{\"items\":[{\"tier\":\"card\"}],\"email\":7}", "email must be a string" },
        { "{\"items\":[{\"tier\":\"card\"}],\"successUrl\":\"javascript:1\"}", "Invalid return address" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE, cases[i].body), 400, cases[i].error);
    assert_int_equal(stage_call_count(), 0);
}

static void test_shop__a_line_is_cut_to_99_and_a_cart_to_nothing(void **state)
{
    char body[4096] = "{\"items\":[";
    size_t size = strlen(body);

    (void)state;
    stage_tell(SESSIONS, 200, PAGE);
    expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE, "{\"items\":[{\"tier\":\"card\",\"quantity\":500}]}"),
           200, "url");
    assert_non_null(strstr(stage_call_body(0), "quantity%5D=99"));
    for (int i = 0; i <= 100; i++)
        size += (size_t)snprintf(body + size, sizeof body - size, "%s{\"tier\":\"card\"}", i ? "," : "");
    (void)snprintf(body + size, sizeof body - size, "]}");
    expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE, body), 400, "A cart has at most 100 items");
}

static void test_shop__the_providers_refusal_is_passed_on_and_its_failure_is_a_502(void **state)
{
    static const char body[] = "{\"items\":[{\"tier\":\"card\"}]}";

    (void)state;
    stage_tell(SESSIONS, 400, "{\"error\":{\"message\":\"No such price: 'price_card'\"}}");
    expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE, body), 400, "{\"error\":\"No such price");
    stage_tell(SESSIONS, 429, "{\"error\":{\"message\":\"Too many requests\"}}");
    expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE, body), 502, "Too many requests");
}

static void test_shop__a_cart_repeated_with_its_key_makes_one_session(void **state)
{
    static const char body[] = "{\"items\":[{\"tier\":\"card\"}]}";

    (void)state;
    stage_tell(SESSIONS, 200, PAGE);
    for (int i = 0; i < 2; i++)
        expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE "\nIdempotency-Key: k1", body), 200, "pay.test/1");
    assert_int_equal(stage_call_count(), 1);
    expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE "\nIdempotency-Key: k1", "{\"items\":[]}"), 400,
           "No items");
    expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE "\nIdempotency-Key: k1",
                     "{\"items\":[{\"tier\":\"shirt\"}]}"),
           422, "Idempotency key reused");
}

/* ---- orders ---- */

#define ORDER_OF(id, session, account, key)                                                                            \
    "{\"id\":\"" id "\",\"created\":100,\"livemode\":true,\"account\":\"" account                                      \
    "\",\"type\":\"checkout.session.completed\",\"data\":{\"object\":{\"id\":\"" session                               \
    "\",\"mode\":\"payment\",\"metadata\":{\"publishableKey\":\"" key "\",\"platformId\":\"plt_1\"}}}}"
#define ORDER(id, session) ORDER_OF(id, session, "acct_a", STAGE_PK)
#define LINES(session) "GET /v1/checkout/sessions/" session "/line_items?limit=100"
#define SHIRTS(count)                                                                                                  \
    "{\"data\":[{\"price\":{\"id\":\"price_shirt\"},\"quantity\":" count                                               \
    "},{\"price\":{\"id\":\"price_card\"},\"quantity\":1},{\"price\":{\"id\":\"price_foreign\"},\"quantity\":1}]}"

static void test_shop__an_order_lowers_the_stock_once(void **state)
{
    (void)state;
    stage_tell(LINES("cs_1"), 200, SHIRTS("3"));
    expect(stage_deliver(ORDER("evt_1", "cs_1")), 200, "{\"received\":true}");
    assert_int_equal(stock(), 7);
    expect(stage_deliver(ORDER("evt_1", "cs_1")), 200, "\"idempotent\":true");
    assert_int_equal(stock(), 7);
    assert_int_equal(stage_call_count(), 1);
}

#define CHECKOUT_OF(id, type, status)                                                                                  \
    "{\"id\":\"" id "\",\"created\":100,\"livemode\":true,\"account\":\"acct_a\",\"type\":\"checkout.session." type    \
    "\",\"data\":{\"object\":{\"id\":\"cs_1\",\"mode\":\"payment\",\"payment_status\":\"" status                       \
    "\",\"metadata\":{\"publishableKey\":\"" STAGE_PK "\"}}}}"
#define OPEN CHECKOUT_OF("evt_1", "completed", "unpaid")
#define PAID_LATER(id) CHECKOUT_OF(id, "async_payment_succeeded", "paid")
#define NOT_PAID CHECKOUT_OF("evt_3", "async_payment_failed", "unpaid")

static void test_shop__a_debited_order_lowers_the_stock_when_it_is_paid(void **state)
{
    (void)state;
    stage_tell(LINES("cs_1"), 200, SHIRTS("3"));
    expect(stage_deliver(OPEN), 200, "{\"received\":true}");
    assert_int_equal(stage_call_count(), 0);
    assert_int_equal(stock(), 10);
    expect(stage_deliver(PAID_LATER("evt_2")), 200, "{\"received\":true}");
    assert_int_equal(stock(), 7);
    expect(stage_deliver(PAID_LATER("evt_2")), 200, "\"idempotent\":true");
    expect(stage_deliver(PAID_LATER("evt_9")), 200, "{\"received\":true}"); /* the same checkout, another event */
    assert_int_equal(stock(), 7);
    assert_int_equal(stage_call_count(), 1);
}

static void test_shop__a_debited_order_may_be_told_paid_before_it_is_told_open(void **state)
{
    (void)state;
    stage_tell(LINES("cs_1"), 200, SHIRTS("3"));
    expect(stage_deliver(PAID_LATER("evt_2")), 200, "{\"received\":true}");
    expect(stage_deliver(OPEN), 200, "{\"received\":true}");
    assert_int_equal(stock(), 7);
}

static void test_shop__a_debit_that_fails_sells_nothing_and_is_recorded(void **state)
{
    (void)state;
    expect(stage_deliver(OPEN), 200, "{\"received\":true}");
    expect(stage_deliver(NOT_PAID), 200, "{\"received\":true}");
    expect(stage_deliver(NOT_PAID), 200, "\"idempotent\":true");
    assert_int_equal(stage_call_count(), 0);
    assert_int_equal(stock(), 10);
}

static void test_shop__an_oversold_order_leaves_no_stock(void **state)
{
    (void)state;
    stage_tell(LINES("cs_1"), 200, SHIRTS("20"));
    expect(stage_deliver(ORDER("evt_1", "cs_1")), 200, "{\"received\":true}");
    assert_int_equal(stock(), 0);
    expect(stage_ask("POST", "/api/cart/checkout", PUBLISHABLE, "{\"items\":[{\"tier\":\"shirt\"}]}"), 400,
           "Item sold out: The shirt");
}

static void test_shop__an_order_whose_lines_cannot_be_read_is_delivered_again(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        int answer;
    } cases[] = {
        { 500, "{}", 502 },
        { 429, "{}", 502 },
        { 404, "{\"error\":{\"message\":\"No such session\"}}", 500 },
        { 200, "[]", 502 },
        { 200, "{\"data\":[{\"quantity\":1}]}", 502 },
        { 200, "{\"data\":[{\"price\":{\"id\":\"price_shirt\"},\"quantity\":-4}]}", 502 },
        { 200, "{\"has_more\":true,\"data\":[]}", 502 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage_tell(LINES("cs_1"), cases[i].status, cases[i].body);
        expect(stage_deliver(ORDER("evt_1", "cs_1")), cases[i].answer, "Failed to read the order's line items");
        assert_int_equal(stock(), 10);
    }
    stage_tell(LINES("cs_1"), 200, SHIRTS("1"));
    expect(stage_deliver(ORDER("evt_1", "cs_1")), 200, "{\"received\":true}");
    assert_int_equal(stock(), 9);
}

static void test_shop__nobody_elses_order_touches_the_stock(void **state)
{
    (void)state;
    expect(stage_deliver(ORDER_OF("evt_1", "cs_1", "acct_evil", STAGE_PK)), 200, "{\"received\":true}");
    expect(stage_deliver(ORDER_OF("evt_2", "cs_1", "acct_a", "pk_live_x")), 200, "{\"received\":true}");
    expect(
        stage_deliver("{\"id\":\"evt_3\",\"created\":1,\"livemode\":true,\"account\":\"acct_a\",\"type\":"
                      "\"checkout.session.completed\",\"data\":{\"object\":{\"id\":\"cs_1\",\"mode\":\"payment\"}}}"),
        200, "{\"received\":true}");
    assert_int_equal(stage_call_count(), 0);
    assert_int_equal(stock(), 10);
}

/* ---- the portal ---- */

#define PORTAL_OF_USER "{\"userId\":\"user_1\"}"

static void test_shop__the_portal_opens_for_a_named_user(void **state)
{
    (void)state;
    stage_tell("GET /v1/users/user_1", 200, USER(OWN));
    stage_tell(PORTALS, 200, PAGE);
    expect(stage_ask("POST", "/api/customer-portal", SECRET, PORTAL_OF_USER), 200, "{\"url\":\"https://pay.test/1\"}");
    assert_string_equal(stage_call(1), PORTALS);
    assert_string_equal(stage_call_body(1), "customer=cus_1&return_url=https%3A%2F%2Fapp.example.test%2Fdashboard");
}

static void test_shop__the_portal_honours_an_allowed_return_address(void **state)
{
    static char allowed[] = "https://shop.test";

    (void)state;
    stage_settings.allowed_origins = allowed;
    stage_tell("GET /v1/users/user_1", 200, USER(OWN));
    stage_tell(PORTALS, 200, PAGE);
    expect(stage_ask("POST", "/api/customer-portal", SECRET,
                     "{\"userId\":\"user_1\",\"returnUrl\":\"https://shop.test/account\"}"),
           200, "url");
    assert_string_equal(stage_call_body(1), "customer=cus_1&return_url=https%3A%2F%2Fshop.test%2Faccount");
    expect(stage_ask("POST", "/api/customer-portal", SECRET,
                     "{\"userId\":\"user_1\",\"returnUrl\":\"https://evil.test/account\"}"),
           400, "Invalid return address");
    assert_int_equal(stage_call_count(), 2);
}

static void test_shop__the_portal_tells_why_it_does_not_open(void **state)
{
    static const struct {
        unsigned clerk;
        const char *user;
        int status;
        const char *error;
    } cases[] = {
        { 200, USER("{\"publishableKey\":\"" STAGE_PK "\"}"), 400, "{\"error\":\"No active subscription found\"}" },
        { 200, USER("{\"stripeCustomerId\":\"cus_1\"}"), 400,
          "{\"error\":\"Customer not associated with a platform\"}" },
        { 200, USER("{\"stripeCustomerId\":\"cus_1\",\"publishableKey\":\"pk_live_x\"}"), 403,
          "End user does not belong" },
        { 200, "{\"id\":\"user_1\"}", 400, "No active subscription found" },
        { 404, "{\"errors\":[{\"message\":\"Not Found\"}]}", 404, "Not Found" },
        { 500, "{}", 502, "error" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage_tell("GET /v1/users/user_1", cases[i].clerk, cases[i].user);
        expect(stage_ask("POST", "/api/customer-portal", SECRET, PORTAL_OF_USER), cases[i].status, cases[i].error);
    }
    expect(stage_ask("POST", "/api/customer-portal", SECRET, "{\"userId\":\"user_2\"}"), 404, "Customer not found");
    expect(stage_ask("POST", "/api/customer-portal", SECRET, "{bad"), 400, "Invalid JSON body");
    stage_tell("GET /v1/users/user_1", 200, USER(OWN));
    stage_tell(PORTALS, 400, "{\"error\":{\"message\":\"No such customer: 'cus_1'\"}}");
    expect(stage_ask("POST", "/api/customer-portal", SECRET, PORTAL_OF_USER), 400,
           "{\"error\":\"Failed to create portal session\",\"detail\":\"No such customer: 'cus_1'\"}");
    stage_tell("GET /v1/users/user_1", 200, USER(OWN));
    stage_tell(PORTALS, 503, "{}");
    expect(stage_ask("POST", "/api/customer-portal", SECRET, PORTAL_OF_USER), 502, "error");
}

static void test_shop__a_portal_asked_for_twice_with_its_key_is_one(void **state)
{
    (void)state;
    stage_tell("GET /v1/users/user_1", 200, USER(OWN));
    stage_tell(PORTALS, 200, PAGE);
    for (int i = 0; i < 2; i++)
        expect(stage_ask("POST", "/api/customer-portal", SECRET "\nIdempotency-Key: k1", PORTAL_OF_USER), 200, "url");
    assert_int_equal(stage_call_count(), 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_shop__products_are_what_is_sold_once),
        CASE(test_shop__a_cart_becomes_one_session),
        CASE(test_shop__what_cannot_be_bought_is_refused_before_the_provider_hears_of_it),
        CASE(test_shop__a_line_is_cut_to_99_and_a_cart_to_nothing),
        CASE(test_shop__the_providers_refusal_is_passed_on_and_its_failure_is_a_502),
        CASE(test_shop__a_cart_repeated_with_its_key_makes_one_session),
        CASE(test_shop__an_order_lowers_the_stock_once),
        CASE(test_shop__a_debited_order_lowers_the_stock_when_it_is_paid),
        CASE(test_shop__a_debited_order_may_be_told_paid_before_it_is_told_open),
        CASE(test_shop__a_debit_that_fails_sells_nothing_and_is_recorded),
        CASE(test_shop__an_oversold_order_leaves_no_stock),
        CASE(test_shop__an_order_whose_lines_cannot_be_read_is_delivered_again),
        CASE(test_shop__nobody_elses_order_touches_the_stock),
        CASE(test_shop__the_portal_opens_for_a_named_user),
        CASE(test_shop__the_portal_honours_an_allowed_return_address),
        CASE(test_shop__the_portal_tells_why_it_does_not_open),
        CASE(test_shop__a_portal_asked_for_twice_with_its_key_is_one),
    };

    return cmocka_run_group_tests_name("shop", tests, NULL, NULL);
}
