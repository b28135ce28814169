/* SPDX-License-Identifier: Apache-2.0 */
/* test_route.c - which endpoint a method and a path name, and who may reach it. */
#include "service/api/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *name_of(const char *method, const char *path)
{
    const dreamd_route *route = dreamd_route_find(method, path, NULL);

    return route ? route->name : "none";
}

static void test_route__finds_by_method_and_whole_path(void **state)
{
    static const struct {
        const char *method;
        const char *path;
        const char *name;
    } cases[] = {
        { "GET", "/api/tiers", "GET /api/tiers" },
        { "GET", "/api/tiers/", "none" },
        { "DELETE", "/api/tiers", "none" },
        { "get", "/api/tiers", "none" },
        { "GET", "/api/TIERS", "none" },
        { "GET", "/api/usage", "GET /api/usage" },
        { "POST", "/api/data", "POST /api/data" },
        { "GET", "/api/data", "none" },
        { "PUT", "/api/data", "none" },
        { "POST", "/api/create-checkout", "POST /api/create-checkout" },
        { "POST", "/checkout", "POST /checkout" },
        { "POST", "/api/checkout", "none" },
        { "POST", "/api/customers", "POST /api/customers" },
        { "POST", "/customers", "POST /customers" },
        { "GET", "/api/customers", "GET /api/customers" },
        { "GET", "/api/customers/", "none" },
        { "GET", "/api/customers/user_1", "GET /api/customers/{id}" },
        { "PATCH", "/api/customers/user_1", "PATCH /api/customers/{id}" },
        { "DELETE", "/api/customers/user_1", "DELETE /api/customers/{id}" },
        { "POST", "/api/customers/user_1", "none" },
        { "GET", "/api/customers/user_1/", "none" },
        { "GET", "/api/customers/user_1/x", "none" },
        { "GET", "/customers/user_1", "none" },
        { "POST", "/api/customer-portal", "POST /api/customer-portal" },
        { "GET", "/api/customer-portal", "none" },
        { "GET", "/api/products", "GET /api/products" },
        { "POST", "/api/cart/checkout", "POST /api/cart/checkout" },
        { "POST", "/api/cart", "none" },
        { "POST", "/api/assets", "POST /api/assets" },
        { "GET", "/api/dashboard", "GET /api/dashboard" },
        { "GET", "/api/dashboard/totals", "GET /api/dashboard/totals" },
        { "GET", "/api/dashboard/other", "none" },
        { "POST", "/api/usage/batch", "POST /api/usage/batch" },
        { "GET", "/api/usage/batch", "none" },
        { "GET", "/api/usage/history", "GET /api/usage/history" },
        { "GET", "/", "none" },
        { "GET", "", "none" },
        { "GET", "/api/nope", "none" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(name_of(cases[i].method, cases[i].path), cases[i].name);
}

static void test_route__gives_the_tail_of_the_path(void **state)
{
    const char *tail = "old";

    (void)state;
    assert_non_null(dreamd_route_find("GET", "/api/customers/user%201", &tail));
    assert_string_equal(tail, "user%201");
    assert_non_null(dreamd_route_find("GET", "/api/tiers", &tail));
    assert_null(tail);
    assert_null(dreamd_route_find("GET", "/api/customers/a/b", &tail));
    assert_null(tail);
}

static void test_route__publishable_keys_reach_no_customer(void **state)
{
    static const char *const open_to_browsers[] = { "GET /api/tiers",
                                                    "GET /api/usage",
                                                    "POST /api/data",
                                                    "POST /api/create-checkout",
                                                    "POST /api/customer-portal",
                                                    "GET /api/products",
                                                    "POST /api/cart/checkout" };
    size_t count = 0;
    size_t open_count = 0;
    const dreamd_route *routes = dreamd_routes(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool is_listed = false;

        for (size_t j = 0; j < sizeof open_to_browsers / sizeof open_to_browsers[0]; j++)
            is_listed = is_listed || strcmp(routes[i].name, open_to_browsers[j]) == 0;
        assert_int_equal(is_listed, (routes[i].flags & DREAMD_ROUTE_PUBLISHABLE) != 0);
        open_count += is_listed;
    }
    assert_int_equal(open_count, sizeof open_to_browsers / sizeof open_to_browsers[0]);
}

/* Leases have ids of their own: a retry with grown counts must not be refused as another request. */
static void test_route__every_post_but_leases_honours_idempotency_keys(void **state)
{
    size_t count = 0;
    const dreamd_route *routes = dreamd_routes(&count);

    (void)state;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(strcmp(routes[i].method, "POST") == 0 && strcmp(routes[i].path, "/api/leases") != 0,
                         (routes[i].flags & DREAMD_ROUTE_IDEMPOTENT) != 0);
}

static void test_route__users_named_in_bodies_need_the_secret_key(void **state)
{
    size_t count = 0;
    const dreamd_route *routes = dreamd_routes(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        if (routes[i].flags & DREAMD_ROUTE_NAMED_USER)
            assert_false(routes[i].flags & (DREAMD_ROUTE_PUBLISHABLE | DREAMD_ROUTE_USER));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route__finds_by_method_and_whole_path),
        cmocka_unit_test(test_route__gives_the_tail_of_the_path),
        cmocka_unit_test(test_route__publishable_keys_reach_no_customer),
        cmocka_unit_test(test_route__every_post_but_leases_honours_idempotency_keys),
        cmocka_unit_test(test_route__users_named_in_bodies_need_the_secret_key),
    };

    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
