/* SPDX-License-Identifier: Apache-2.0 */
/* test_return_url.c - where a buyer may be sent, and above all where not. */
#include "service/api/return_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_return_url__finds_the_origin(void **state)
{
    static const struct {
        const char *url;
        const char *origin; /* NULL: refused */
    } cases[] = {
        { "https://shop.example.test/ok?a=b#c", "https://shop.example.test" },
        { "https://shop.example.test", "https://shop.example.test" },
        { "HTTPS://Shop.Example.TEST/Ok", "https://shop.example.test" },
        { "https://shop.example.test:443/ok", "https://shop.example.test" },
        { "https://shop.example.test:8443/ok", "https://shop.example.test:8443" },
        { "http://localhost:5173/dashboard", "http://localhost:5173" },
        { "http://localhost:80", "http://localhost" },
        { "http://localhost:443", "http://localhost:443" },
        { "http://[::1]:8080/x", "http://[::1]:8080" },
        { "https://shop.example.test?session={CHECKOUT_SESSION_ID}", "https://shop.example.test" },
        { "", NULL },
        { "/dashboard", NULL },
        { "//shop.example.test/ok", NULL },
        { "javascript:alert(1)", NULL },
        { "data:text/html,x", NULL },
        { "ftp://shop.example.test", NULL },
        { "https:shop.example.test", NULL },
        { "https://", NULL },
        { "https:///ok", NULL },
        { "https://:443/ok", NULL },
        { "https://good.test@evil.test/", NULL },
        { "https://good.test\\@evil.test/", NULL },
        { "https://good.test\\evil", NULL },
        { "https://good.test /", NULL },
        { "https://good.test/\n", NULL },
        { " https://good.test/", NULL },
        { "https://good.test/\xc3\xa9", NULL },
        { "https://g%6fod.test/", NULL },
    };
    char origin[DREAMD_ORIGIN_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(dreamd_origin_of(cases[i].url, origin), cases[i].origin != NULL);
        if (cases[i].origin)
            assert_string_equal(origin, cases[i].origin);
    }
}

static void test_return_url__refuses_an_endless_host(void **state)
{
    char url[400] = "https://";
    char origin[DREAMD_ORIGIN_SIZE];

    (void)state;
    memset(url + 8, 'a', 390);
    url[398] = '\0';
    assert_false(dreamd_origin_of(url, origin));
}

static void test_return_url__allows_listed_origins_and_its_own(void **state)
{
    static const char list[] = " https://shop.example.test ,http://localhost:3000,, not an origin";
    static const char own[] = "https://app.example.test/base";
    static const struct {
        const char *url;
        bool is_allowed;
    } cases[] = {
        { "https://shop.example.test/ok", true },
        { "https://SHOP.example.test:443/ok", true },
        { "http://localhost:3000/", true },
        { "https://app.example.test/dashboard", true },
        { "http://shop.example.test/ok", false },
        { "https://shop.example.test:8443/ok", false },
        { "https://shop.example.test.evil.test/ok", false },
        { "https://evil.test/?https://shop.example.test", false },
        { "https://sub.shop.example.test/", false },
        { "http://localhost:30000/", false },
        { "not an origin", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(dreamd_return_url_is_allowed(cases[i].url, list, own), cases[i].is_allowed);
}

static void test_return_url__without_a_list_only_its_own_and_loopback_will_do(void **state)
{
    static const char own[] = "https://app.example.test";
    static const struct {
        const char *url;
        bool is_allowed;
    } cases[] = {
        { "https://app.example.test/ok", true },
        { "http://localhost:5173/ok", true },
        { "http://localhost/ok", true },
        { "http://LOCALHOST:80", true },
        { "https://localhost:8443/ok", true },
        { "http://127.0.0.1:3000/ok", true },
        { "http://[::1]:3000/ok", true },
        { "http://[::1]", true },
        { "https://anything.test/ok", false },
        { "http://app.example.test/ok", false },
        { "http://localhost.evil.test/ok", false },
        { "http://localhost-evil.test/ok", false },
        { "http://localhost:80.evil.test/ok", false },
        { "http://127.0.0.1.evil.test/ok", false },
        { "http://127.0.0.10/ok", false },
        { "http://[::1]evil.test/ok", false },
        { "http://[::11]/ok", false },
        { "http://notlocalhost/ok", false },
        { "javascript:alert(1)", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (dreamd_return_url_is_allowed(cases[i].url, NULL, own) != cases[i].is_allowed)
            fail_msg("%s", cases[i].url);
    }
    assert_false(dreamd_return_url_is_allowed("https://app.example.test/ok", NULL, NULL));
    assert_false(dreamd_return_url_is_allowed("http://localhost:5173/ok", "https://shop.test", own));
}

static void test_return_url__a_star_allows_any_http_origin(void **state)
{
    (void)state;
    assert_true(dreamd_return_url_is_allowed("https://anything.test/ok", "*", NULL));
    assert_false(dreamd_return_url_is_allowed("javascript:alert(1)", "*", NULL));
    assert_false(dreamd_return_url_is_allowed("https://anything.test/ok", "", NULL));
}

static void test_return_url__defaults_come_from_a_bare_allowed_origin(void **state)
{
    static const char own[] = "https://app.example.test";

    (void)state;
    assert_string_equal(dreamd_return_base("https://shop.test", "*", own), "https://shop.test");
    assert_string_equal(dreamd_return_base("http://localhost:3000", NULL, own), "http://localhost:3000");
    assert_string_equal(dreamd_return_base("https://shop.test", NULL, own), own);
    assert_string_equal(dreamd_return_base("https://shop.test/path", "*", own), own);
    assert_string_equal(dreamd_return_base("https://shop.test", "https://other.test", own), own);
    assert_string_equal(dreamd_return_base("null", NULL, own), own);
    assert_string_equal(dreamd_return_base("", NULL, own), own);
    assert_string_equal(dreamd_return_base(NULL, NULL, own), own);
    assert_null(dreamd_return_base(NULL, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_return_url__finds_the_origin),
        cmocka_unit_test(test_return_url__refuses_an_endless_host),
        cmocka_unit_test(test_return_url__allows_listed_origins_and_its_own),
        cmocka_unit_test(test_return_url__without_a_list_only_its_own_and_loopback_will_do),
        cmocka_unit_test(test_return_url__a_star_allows_any_http_origin),
        cmocka_unit_test(test_return_url__defaults_come_from_a_bare_allowed_origin),
    };

    return cmocka_run_group_tests_name("return_url", tests, NULL, NULL);
}
