/* SPDX-License-Identifier: Apache-2.0 */
/* test_sales.c - what a user pays for and pays with: portals, products, carts, and the files that picture them. */
#include <stdlib.h>

#include "fixture.h"

#define PORTAL "{\"url\":\"https://portal.example.test/1\",\"later\":1}"
#define CHECKOUT "{\"url\":\"https://pay.example.test/1\"}"
#define ASSET "{\"key\":\"plt_1/1-a.png\",\"url\":\"/api/assets/plt_1/1-a.png\"}"

static const char *sent_body(fixture *f, const char *path)
{
    return dreamapi_test_request_body(fixture_request(f, path, 0));
}

/* ---- portal ---- */

static void test_sales__a_portal_for_the_user_of_a_token(void **state)
{
    fixture *f = *state;
    dreamapi_portal_params params = DREAMAPI_PORTAL_PARAMS_INIT;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_portal *portal = NULL;

    options.user_token = "a.b.c";
    params.return_url = "https://shop.example.test/account";
    fixture_answer(f, "/api/customer-portal", 200, NULL, PORTAL);
    fixture_expect(f, dreamapi_portal_create(f->client, &params, &options, &portal, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_portal_url(portal), "https://portal.example.test/1");
    assert_string_equal(dreamapi_portal_json(portal), PORTAL);
    assert_string_equal(sent_body(f, "/api/customer-portal"), "{\"returnUrl\":\"https://shop.example.test/account\"}");
    assert_string_equal(fixture_header(f, "/api/customer-portal", 0, "X-Clerk-Token"), "a.b.c");
    dreamapi_portal_free(portal);
}

static void test_sales__a_portal_by_user_id_wants_a_server_that_takes_ids(void **state)
{
    fixture *f = *state;
    dreamapi_portal_params params = DREAMAPI_PORTAL_PARAMS_INIT;

    params.user_id = "user_1";
    fixture_expect(f, dreamapi_portal_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_TOKEN_REQUIRED);
    fixture_expect(f, dreamapi_portal_create(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_TOKEN_REQUIRED);
    assert_int_equal(fixture_count(f, "/api/customer-portal"), 0);
    dreamapi_client_free(f->client);
    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_make_client(f);
    fixture_answer(f, "/api/customer-portal", 200, NULL, PORTAL);
    fixture_expect(f, dreamapi_portal_create(f->client, &params, NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(sent_body(f, "/api/customer-portal"), "{\"userId\":\"user_1\"}");
}

/* ---- products ---- */

static void test_sales__products(void **state)
{
    static const char body[] =
        "{\"products\":[{\"id\":\"prod_1\",\"key\":\"shirt\",\"name\":\"Shirt\",\"displayName\":\"T-Shirt\","
        "\"description\":"
        "\"Cotton\",\"price\":2500,\"currency\":\"usd\",\"imageUrl\":\"https://i\",\"inventory\":10,\"soldOut\":false,"
        "\"priceId\":\"price_1\",\"productId\":\"prod_2\",\"features\":[\"M\",\"L\"]},"
        "{\"id\":\"poster\",\"price\":900,\"imageUrl\":null,\"inventory\":null,\"soldOut\":true,\"priceId\":null}]}";
    fixture *f = *state;
    dreamapi_products *products = NULL;
    const dreamapi_product *product;

    fixture_answer(f, "/api/products", 200, NULL, body);
    fixture_expect(f, dreamapi_product_list(f->client, NULL, &products, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_products_count(products), 2);
    assert_string_equal(dreamapi_products_json(products), body);
    product = dreamapi_products_at(products, 0);
    assert_string_equal(dreamapi_product_id(product), "prod_1");
    assert_string_equal(dreamapi_product_key(product), "shirt");
    assert_string_equal(dreamapi_product_name(product), "Shirt");
    assert_string_equal(dreamapi_product_display_name(product), "T-Shirt");
    assert_string_equal(dreamapi_product_description(product), "Cotton");
    assert_int_equal(dreamapi_product_price(product), 2500);
    assert_string_equal(dreamapi_product_currency(product), "usd");
    assert_string_equal(dreamapi_product_image_url(product), "https://i");
    assert_int_equal(dreamapi_product_inventory(product), 10);
    assert_int_equal(dreamapi_product_sold_out(product), 0);
    assert_string_equal(dreamapi_product_price_id(product), "price_1");
    assert_string_equal(dreamapi_product_product_id(product), "prod_2");
    assert_int_equal(dreamapi_product_feature_count(product), 2);
    assert_string_equal(dreamapi_product_feature(product, 1), "L");
    assert_null(dreamapi_product_feature(product, 2));
    product = dreamapi_products_at(products, 1);
    assert_null(dreamapi_product_key(product));
    assert_null(dreamapi_product_image_url(product));
    assert_int_equal(dreamapi_product_inventory(product), DREAMAPI_UNLIMITED);
    assert_int_equal(dreamapi_product_sold_out(product), 1);
    assert_null(dreamapi_product_price_id(product));
    assert_int_equal(dreamapi_product_feature_count(product), 0);
    assert_null(dreamapi_products_at(products, 2));
    dreamapi_products_free(products);

    fixture_answer(f, "/api/products", 200, NULL, "{\"products\":[]}");
    fixture_expect(f, dreamapi_product_list(f->client, NULL, &products, &f->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_products_count(products), 0);
    assert_null(dreamapi_products_at(products, 0));
    dreamapi_products_free(products);
}

/* ---- cart ---- */

static void test_sales__a_cart_sends_what_was_set_and_nothing_else(void **state)
{
    fixture *f = *state;
    dreamapi_cart_item items[3] = { { "price_1", NULL, NULL, 2 },
                                    { NULL, "prod_\"2", NULL, 0 },
                                    { NULL, NULL, "mug", 1 } };
    dreamapi_cart_params params = DREAMAPI_CART_PARAMS_INIT;
    dreamapi_checkout *checkout = NULL;

    params.items = items;
    params.item_count = 3;
    params.email = "guest@example.test";
    params.success_url = "https://s";
    params.cancel_url = "https://c";
    fixture_answer(f, "/api/cart/checkout", 200, NULL, CHECKOUT);
    fixture_expect(f, dreamapi_cart_checkout(f->client, &params, NULL, &checkout, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_checkout_url(checkout), "https://pay.example.test/1");
    assert_string_equal(
        sent_body(f, "/api/cart/checkout"),
        "{\"items\":[{\"priceId\":\"price_1\",\"quantity\":2},{\"productId\":\"prod_\\\"2\"},"
        "{\"tier\":\"mug\",\"quantity\":1}],\"email\":\"guest@example.test\",\"successUrl\":\"https://s\","
        "\"cancelUrl\":\"https://c\"}");
    assert_non_null(fixture_header(f, "/api/cart/checkout", 0, "Idempotency-Key"));
    dreamapi_checkout_free(checkout);
}

static void test_sales__a_cart_that_makes_no_sense_sends_nothing(void **state)
{
    static dreamapi_cart_item many[DREAMAPI_CART_MAX_ITEMS + 1];
    static const dreamapi_cart_item nameless = { NULL, NULL, NULL, 1 }, negative = { "p", NULL, NULL, -1 },
                                    malformed = { "p\n", NULL, NULL, 1 };
    static const struct {
        const dreamapi_cart_item *items;
        size_t count;
        const char *email;
    } rows[] = {
        { NULL, 0, NULL },       { NULL, 1, NULL },
        { many, 0, NULL },       { many, DREAMAPI_CART_MAX_ITEMS + 1, NULL },
        { &nameless, 1, NULL },  { &negative, 1, NULL },
        { &malformed, 1, NULL }, { many, 1, "a\r\nb" },
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
        many[i].price_id = "price_1";
    assert_int_equal(dreamapi_cart_checkout(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_INVALID);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dreamapi_cart_params params = DREAMAPI_CART_PARAMS_INIT;
        params.items = rows[i].items;
        params.item_count = rows[i].count;
        params.email = rows[i].email;
        if (dreamapi_cart_checkout(f->client, &params, NULL, NULL, &f->error) != DREAMAPI_INVALID || !f->error.local)
            fail_msg("row %zu: %s", i, f->error.message);
    }
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
}

/* ---- assets ---- */

static void test_sales__an_asset_travels_in_base64(void **state)
{
    fixture *f = *state;
    dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;
    dreamapi_asset *asset = NULL;

    params.filename = "a.png";
    params.content_type = "image/png";
    params.data = "\x00\xff\x10"
                  "ab";
    params.size = 5;
    fixture_answer(f, "/api/assets", 200, NULL, ASSET);
    fixture_expect(f, dreamapi_asset_upload(f->client, &params, NULL, &asset, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_asset_key(asset), "plt_1/1-a.png");
    assert_string_equal(dreamapi_asset_url(asset), "/api/assets/plt_1/1-a.png");
    assert_string_equal(dreamapi_asset_json(asset), ASSET);
    assert_string_equal(sent_body(f, "/api/assets"),
                        "{\"filename\":\"a.png\",\"contentType\":\"image/png\",\"data\":\"AP8QYWI=\"}");
    dreamapi_asset_free(asset);
}

static void test_sales__an_asset_has_a_name_and_a_bounded_size(void **state)
{
    fixture *f = *state;
    dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;
    char *data = calloc(1, DREAMAPI_ASSET_MAX_SIZE + 1);

    assert_non_null(data);
    assert_int_equal(dreamapi_asset_upload(f->client, NULL, NULL, NULL, &f->error), DREAMAPI_INVALID);
    params.data = data;
    params.size = 1;
    assert_int_equal(dreamapi_asset_upload(f->client, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
    assert_non_null(strstr(f->error.message, "filename"));
    params.filename = "a";
    params.size = 0;
    assert_int_equal(dreamapi_asset_upload(f->client, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
    params.size = DREAMAPI_ASSET_MAX_SIZE + 1;
    assert_int_equal(dreamapi_asset_upload(f->client, &params, NULL, NULL, &f->error), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_test_transport_request_count(f->transport), 0);
    params.size = DREAMAPI_ASSET_MAX_SIZE;
    fixture_answer(f, "/api/assets", 200, NULL, ASSET);
    fixture_expect(f, dreamapi_asset_upload(f->client, &params, NULL, NULL, &f->error), DREAMAPI_OK);
    free(data);
}

/* ---- all ---- */

static void test_sales__each_noun_is_taken_out_of_a_started_call(void **state)
{
    fixture *f = *state;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_cart_item item = { "price_1", NULL, NULL, 1 };
    dreamapi_cart_params cart = DREAMAPI_CART_PARAMS_INIT;
    dreamapi_asset_params file = DREAMAPI_ASSET_PARAMS_INIT;
    dreamapi_call *call = NULL;
    dreamapi_portal *portal = NULL;
    dreamapi_products *products = NULL;
    dreamapi_checkout *checkout = NULL;
    dreamapi_asset *asset = NULL;

    options.user_token = "a.b.c";
    fixture_answer(f, "/api/customer-portal", 200, NULL, PORTAL);
    assert_int_equal(dreamapi_portal_create_start(f->client, NULL, &options, &call, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_asset_result(call, &asset, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_portal_result(call, &portal, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_portal_free(portal);

    fixture_answer(f, "/api/products", 200, NULL, "{\"products\":[]}");
    assert_int_equal(dreamapi_product_list_start(f->client, NULL, &call, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_products_result(call, &products, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_products_free(products);

    cart.items = &item;
    cart.item_count = 1;
    fixture_answer(f, "/api/cart/checkout", 200, NULL, CHECKOUT);
    assert_int_equal(dreamapi_cart_checkout_start(f->client, &cart, NULL, &call, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_checkout_result(call, &checkout, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_checkout_free(checkout);

    file.filename = "a";
    file.data = "x";
    file.size = 1;
    fixture_answer(f, "/api/assets", 200, NULL, ASSET);
    assert_int_equal(dreamapi_asset_upload_start(f->client, &file, NULL, &call, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_asset_result(call, &asset, NULL), DREAMAPI_OK);
    dreamapi_call_free(call);
    dreamapi_asset_free(asset);
}

static dreamapi_status call_portal(fixture *f)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    options.user_token = "a.b.c";
    return dreamapi_portal_create(f->client, NULL, &options, NULL, &f->error);
}

static dreamapi_status call_products(fixture *f)
{
    return dreamapi_product_list(f->client, NULL, NULL, &f->error);
}

static dreamapi_status call_asset(fixture *f)
{
    dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;

    params.filename = "a";
    params.data = "x";
    params.size = 1;
    return dreamapi_asset_upload(f->client, &params, NULL, NULL, &f->error);
}

#define PRODUCT(fields) "{\"products\":[{" fields "}]}"

static const struct {
    dreamapi_status (*call)(fixture *f);
    const char *path;
    const char *body;
} broken[] = {
    { call_portal, "/api/customer-portal", "{}" },
    { call_portal, "/api/customer-portal", "{\"url\":null}" },
    { call_portal, "/api/customer-portal", "[\"https://x\"]" },
    { call_products, "/api/products", "{}" },
    { call_products, "/api/products", "{\"products\":{}}" },
    { call_products, "/api/products", "{\"products\":[[]]}" },
    { call_products, "/api/products", PRODUCT("\"price\":1") },
    { call_products, "/api/products", PRODUCT("\"id\":\"a\"") },
    { call_products, "/api/products", PRODUCT("\"id\":\"a\",\"price\":\"1\"") },
    { call_products, "/api/products", PRODUCT("\"id\":\"a\",\"price\":0.5") },
    { call_products, "/api/products", PRODUCT("\"id\":\"a\",\"price\":1,\"inventory\":-1") },
    { call_products, "/api/products", PRODUCT("\"id\":\"a\",\"price\":1,\"soldOut\":\"no\"") },
    { call_products, "/api/products", PRODUCT("\"id\":\"a\",\"price\":1,\"features\":[{}]") },
    { call_products, "/api/products", PRODUCT("\"id\":\"a\",\"price\":1},{\"id\":\"b\"") },
    { call_asset, "/api/assets", "{\"key\":\"k\"}" },
    { call_asset, "/api/assets", "{\"url\":\"u\"}" },
    { call_asset, "/api/assets", "{\"key\":1,\"url\":\"u\"}" },
};

static void test_sales__an_answer_that_breaks_the_contract_is_a_protocol_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        fixture_expect_protocol(broken[i].call, broken[i].path, broken[i].body);
}

static void test_sales__accessors_take_null(void **state)
{
    (void)state;
    assert_null(dreamapi_portal_url(NULL));
    assert_null(dreamapi_portal_json(NULL));
    dreamapi_portal_free(NULL);
    assert_int_equal(dreamapi_products_count(NULL), 0);
    assert_null(dreamapi_products_at(NULL, 0));
    assert_null(dreamapi_products_json(NULL));
    dreamapi_products_free(NULL);
    assert_null(dreamapi_product_id(NULL));
    assert_null(dreamapi_product_key(NULL));
    assert_null(dreamapi_product_name(NULL));
    assert_null(dreamapi_product_display_name(NULL));
    assert_null(dreamapi_product_description(NULL));
    assert_int_equal(dreamapi_product_price(NULL), 0);
    assert_null(dreamapi_product_currency(NULL));
    assert_null(dreamapi_product_image_url(NULL));
    assert_int_equal(dreamapi_product_inventory(NULL), 0);
    assert_int_equal(dreamapi_product_sold_out(NULL), 0);
    assert_null(dreamapi_product_price_id(NULL));
    assert_null(dreamapi_product_product_id(NULL));
    assert_int_equal(dreamapi_product_feature_count(NULL), 0);
    assert_null(dreamapi_product_feature(NULL, 0));
    assert_null(dreamapi_asset_key(NULL));
    assert_null(dreamapi_asset_url(NULL));
    assert_null(dreamapi_asset_json(NULL));
    dreamapi_asset_free(NULL);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_client, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_sales__a_portal_for_the_user_of_a_token),
        WITH(test_sales__a_portal_by_user_id_wants_a_server_that_takes_ids),
        WITH(test_sales__products),
        WITH(test_sales__a_cart_sends_what_was_set_and_nothing_else),
        WITH(test_sales__a_cart_that_makes_no_sense_sends_nothing),
        WITH(test_sales__an_asset_travels_in_base64),
        WITH(test_sales__an_asset_has_a_name_and_a_bounded_size),
        WITH(test_sales__each_noun_is_taken_out_of_a_started_call),
        cmocka_unit_test(test_sales__an_answer_that_breaks_the_contract_is_a_protocol_error),
        cmocka_unit_test(test_sales__accessors_take_null),
    };
    return cmocka_run_group_tests_name("sales", tests, NULL, NULL);
}
