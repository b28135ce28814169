/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_proxy.c - net/http_proxy.h: who is trusted, and whom a trusted peer asks for. */
#include "net/http_proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_http_proxy__takes_networks_and_addresses_and_nothing_else(void **state)
{
    static const char *const good[] = { "10.0.0.0/8", "192.0.2.7",     "0.0.0.0/0", "fd00::/8",
                                        "::1",        "2001:db8::/33", "::/0" };
    static const char *const bad[] = { "",          "10.0.0.0/",  "10.0.0.0/33",      "10.0.0.1/8",
                                       "10.0.0/8",  "fd00::/129", "fd00::/-1",        "10.0.0.0/ 8",
                                       "localhost", "::1/127",    "10.0.0.0/8,::1/8", " ::1",
                                       "/8" };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        dreamd_proxies proxies = { .count = 0 };
        if (!dreamd_proxies_add(&proxies, good[i]))
            fail_msg("%s was refused", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        dreamd_proxies proxies = { .count = 0 };
        if (dreamd_proxies_add(&proxies, bad[i]))
            fail_msg("%s was taken", bad[i]);
    }
}

static void test_http_proxy__one_too_many_is_refused(void **state)
{
    dreamd_proxies proxies = { .count = 0 };
    (void)state;
    for (int i = 0; i < DREAMD_PROXIES_MAX; i++)
        assert_true(dreamd_proxies_add(&proxies, "::1"));
    assert_false(dreamd_proxies_add(&proxies, "::1"));
}

static dreamd_proxies some(void)
{
    dreamd_proxies proxies = { .count = 0 };
    assert_true(dreamd_proxies_add(&proxies, "10.1.0.0/20"));
    assert_true(dreamd_proxies_add(&proxies, "fd00:1::/33"));
    return proxies;
}

static void test_http_proxy__a_prefix_ends_where_it_says(void **state)
{
    const dreamd_proxies proxies = some();
    (void)state;
    assert_true(dreamd_proxies_trust(&proxies, "10.1.0.1"));
    assert_true(dreamd_proxies_trust(&proxies, "10.1.15.255"));
    assert_false(dreamd_proxies_trust(&proxies, "10.1.16.0"));
    assert_true(dreamd_proxies_trust(&proxies, "::ffff:10.1.0.1"));
    assert_true(dreamd_proxies_trust(&proxies, "fd00:1:7fff::"));
    assert_false(dreamd_proxies_trust(&proxies, "fd00:1:8000::"));
    assert_false(dreamd_proxies_trust(&proxies, "unknown"));
}

static void test_http_proxy__the_client_is_the_last_whom_no_proxy_vouches_for(void **state)
{
    static const struct {
        const char *forwarded_for;
        const char *client;
    } rows[] = {
        { "192.0.2.1", "192.0.2.1" },
        { "203.0.113.9, 192.0.2.1", "192.0.2.1" }, /* what the client wrote itself does not count */
        { "192.0.2.1, 10.1.0.9", "192.0.2.1" },
        { "203.0.113.9,192.0.2.1 ,\t10.1.0.9", "192.0.2.1" },
        { "10.1.0.9", "10.1.0.9" }, /* proxies all the way: the first of them asks for itself */
        { "2001:db8::5", "2001:db8::5" },
        { "2001:0db8:0::5", "2001:db8::5" },
        { "[2001:db8::5]:4711", "2001:db8::5" },
        { "192.0.2.1:4711", "192.0.2.1" },
        { "::ffff:192.0.2.1", "192.0.2.1" },
        { "", "10.1.0.1" },
        { "unknown", "10.1.0.1" },
        { "192.0.2.1, unknown", "10.1.0.1" },
        { "192.0.2.1, unknown, 10.1.0.9", "10.1.0.9" },
        { ",", "10.1.0.1" },
        { "192.0.2.1, 1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.24.25", "10.1.0.1" },
        { "\"192.0.2.1\"", "10.1.0.1" },
    };
    const dreamd_proxies proxies = some();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char client[DREAMD_ADDRESS_SIZE] = "10.1.0.1";
        dreamd_proxies_client(&proxies, rows[i].forwarded_for, client);
        if (strcmp(client, rows[i].client) != 0)
            fail_msg("%s: %s in place of %s", rows[i].forwarded_for, client, rows[i].client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_proxy__takes_networks_and_addresses_and_nothing_else),
        cmocka_unit_test(test_http_proxy__one_too_many_is_refused),
        cmocka_unit_test(test_http_proxy__a_prefix_ends_where_it_says),
        cmocka_unit_test(test_http_proxy__the_client_is_the_last_whom_no_proxy_vouches_for),
    };
    return cmocka_run_group_tests_name("http_proxy", tests, NULL, NULL);
}
