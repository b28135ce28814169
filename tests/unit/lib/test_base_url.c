/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_url.c - which base URLs are taken, and which hosts are this machine. */
#include "lib/base_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *url;
    const char *text;
    bool is_https;
    bool is_loopback;
} good[] = {
    { "https://api.example.com", "https://api.example.com", true, false },
    { "https://api.example.com/", "https://api.example.com", true, false },
    { "https://api.example.com/v1//", "https://api.example.com/v1", true, false },
    { "HTTPS://api.example.com:8443/a/b", "HTTPS://api.example.com:8443/a/b", true, false },
    { "http://127.0.0.1:8787", "http://127.0.0.1:8787", false, true },
    { "http://127.255.1.2", "http://127.255.1.2", false, true },
    { "http://localhost:1", "http://localhost:1", false, true },
    { "http://LOCALHOST", "http://LOCALHOST", false, true },
    { "http://[::1]:8787/x", "http://[::1]:8787/x", false, true },
    { "http://[::2]", "http://[::2]", false, false },
    { "http://128.0.0.1", "http://128.0.0.1", false, false },
    { "http://127.0.0.1.example.com", "http://127.0.0.1.example.com", false, false },
    { "http://127.1", "http://127.1", false, false },
    { "http://localhost.example.com", "http://localhost.example.com", false, false },
    { "http://[::ffff:127.0.0.1]", "http://[::ffff:127.0.0.1]", false, false },
};

static void test_base_url__good_ones_are_taken_without_the_last_slash(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        dream_base_url url;
        assert_null(dream_base_url_check(good[i].url));
        assert_true(dream_base_url_make(good[i].url, &url));
        assert_string_equal(url.text, good[i].text);
        assert_int_equal(url.is_https, good[i].is_https);
        if (url.is_loopback != good[i].is_loopback || dream_url_is_loopback(good[i].url) != good[i].is_loopback)
            fail_msg("%s", good[i].url);
        free(url.text);
    }
}

static void test_base_url__bad_ones_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "api.example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "https:/example.com",
        "https://",
        "https:///path",
        "https://user@example.com",
        "https://user:pw@example.com",
        "https://example.com?x=1",
        "https://example.com/?x=1",
        "https://example.com#f",
        "https://example.com/#",
        "https://example.com:",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:12a",
        "https://example.com:999999",
        "https://exa mple.com",
        "https://example.com/a b",
        "https://example.com/a\r\nX: y",
        "https://exa\nmple.com",
        "https://[::1",
        "https://[::1]x",
        "https://[nonsense]",
        "https://[]",
        "https://example.com\\@evil.example",
        "https://example.com/\\evil",
        "https://ex\xc3\xa4mple.com",
        "https://example.com/<",
        "http://127.0.0.1@evil",
    };
    char too_long[2100];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (dream_base_url_check(bad[i]) == NULL)
            fail_msg("taken: %s", bad[i]);
    }
    memset(too_long, 'a', sizeof(too_long));
    memcpy(too_long, "https://a/", 10);
    too_long[sizeof(too_long) - 1] = '\0';
    assert_non_null(dream_base_url_check(too_long));
    memset(too_long + 8, 'a', 300);
    too_long[8 + 300] = '\0';
    assert_non_null(dream_base_url_check(too_long));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_url__good_ones_are_taken_without_the_last_slash),
        cmocka_unit_test(test_base_url__bad_ones_are_refused),
    };
    return cmocka_run_group_tests_name("base_url", tests, NULL, NULL);
}
