/* SPDX-License-Identifier: Apache-2.0 */
/* test_options.c - what options refuse, and what a client is made from. */
#include <fcntl.h>
#include <stdlib.h>

#include "common/buffer.h"
#include "fixture.h"
#include "lib/settings.h"

static void test_options__null_objects_are_refused(void **state)
{
    (void)state;
    assert_int_equal(dreamapi_options_set_base_url(NULL, "https://x"), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_secret_key(NULL, "k"), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_publishable_key(NULL, "k"), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_timeout_ms(NULL, 1), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_threads(NULL, 1), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_max_response_size(NULL, 4096), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_max_retries(NULL, 1), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_ca_file(NULL, "f"), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_proxy(NULL, "p"), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_user_agent_suffix(NULL, "s"), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_clock(NULL, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_random(NULL, NULL, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_transport(NULL, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_log(NULL, NULL, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_test_clock_install(NULL, NULL), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_test_transport_install(NULL, NULL), DREAMAPI_INVALID);
    dreamapi_options_free(NULL);
}

static void test_options__numbers_out_of_range_are_refused(void **state)
{
    dreamapi_options *options = ((fixture *)*state)->options;

    assert_int_equal(dreamapi_options_set_timeout_ms(options, 0), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_timeout_ms(options, -1), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_timeout_ms(options, DREAMAPI_MAX_TIMEOUT_MS + 1), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_timeout_ms(options, INT64_MAX), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_timeout_ms(options, DREAMAPI_MAX_TIMEOUT_MS), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_threads(options, 2), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_threads(options, -1), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_max_response_size(options, 1023), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_max_response_size(options, SIZE_MAX), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_max_retries(options, -1), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_max_retries(options, 101), DREAMAPI_INVALID);
}

static void test_options__texts_that_could_break_a_header_are_refused(void **state)
{
    static const char *const bad[] = { "", "a\r\nX-Evil: 1", "a\nb", "a b", "a\tb", "\x7f", "\xc3\xa4" };
    dreamapi_options *options = ((fixture *)*state)->options;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(dreamapi_options_set_secret_key(options, bad[i]), DREAMAPI_INVALID);
        assert_int_equal(dreamapi_options_set_publishable_key(options, bad[i]), DREAMAPI_INVALID);
        assert_int_equal(dreamapi_options_set_proxy(options, bad[i]), DREAMAPI_INVALID);
        assert_int_equal(dreamapi_options_set_base_url(options, bad[i]), DREAMAPI_INVALID);
    }
    assert_int_equal(dreamapi_options_set_user_agent_suffix(options, "shop/1 (linux)"), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_user_agent_suffix(options, "shop\r\nX-Evil: 1"), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_user_agent_suffix(options, ""), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_ca_file(options, ""), DREAMAPI_INVALID);
    /* What was set before stays. */
    fixture_make_client(*state);
}

static void test_options__incomplete_clocks_and_transports_are_refused(void **state)
{
    dreamapi_options *options = ((fixture *)*state)->options;
    dreamapi_clock clock;
    dreamapi_transport transport;

    memset(&clock, 0, sizeof(clock));
    memset(&transport, 0, sizeof(transport));
    assert_int_equal(dreamapi_options_set_clock(options, &clock), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_transport(options, &transport), DREAMAPI_INVALID);
    clock.struct_size = sizeof(clock);
    transport.struct_size = sizeof(transport);
    assert_int_equal(dreamapi_options_set_clock(options, &clock), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_transport(options, &transport), DREAMAPI_INVALID);
    assert_int_equal(dreamapi_options_set_clock(options, NULL), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_transport(options, NULL), DREAMAPI_OK);
}

static void test_options__no_base_url_is_an_error(void **state)
{
    fixture *f = *state;

    assert_int_equal(dreamapi_options_set_base_url(f->options, NULL), DREAMAPI_OK);
    fixture_expect(f, dreamapi_client_new(f->options, &f->client, &f->error), DREAMAPI_INVALID);
    assert_null(f->client);
    assert_non_null(strstr(f->error.message, "DREAMAPI_BASE_URL"));
    assert_int_equal(dreamapi_client_new(NULL, &f->client, NULL), DREAMAPI_INVALID);
}

static const struct {
    const char *url;
    bool is_taken_with_secret;
} urls[] = {
    { "https://api.example.com", true },
    { "http://127.0.0.1:8787", true },
    { "http://127.9.9.9", true },
    { "http://[::1]:1", true },
    { "http://localhost:1", true },
    { "http://api.example.com", false },
    { "http://192.168.0.1", false },
    { "http://10.0.0.1", false },
    { "http://0.0.0.0", false },
    { "http://127.0.0.1.evil.test", false },
    { "http://localhost.evil.test", false },
    { "http://[::2]", false },
};

static void test_options__a_secret_goes_over_plain_http_to_loopback_only(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        dreamapi_status status;
        assert_int_equal(dreamapi_options_set_base_url(f->options, urls[i].url), DREAMAPI_OK);
        dreamapi_options_set_secret_key(f->options, "sk_live_1");
        status = dreamapi_client_new(f->options, &f->client, &f->error);
        if (status != (urls[i].is_taken_with_secret ? DREAMAPI_OK : DREAMAPI_INVALID))
            fail_msg("%s: %s", urls[i].url, dreamapi_status_name(status));
        assert_null(strstr(f->error.message, "sk_live"));
        dreamapi_client_free(f->client);
        f->client = NULL;
        /* A publishable key is no secret. */
        dreamapi_options_set_secret_key(f->options, NULL);
        dreamapi_options_set_publishable_key(f->options, "pk_live_1");
        fixture_make_client(f);
        dreamapi_client_free(f->client);
        f->client = NULL;
    }
}

static void test_options__the_environment_fills_in_what_is_not_set(void **state)
{
    fixture *f = *state;

    dreamapi_options_set_base_url(f->options, NULL);
    dreamapi_options_set_secret_key(f->options, NULL);
    setenv("DREAMAPI_BASE_URL", "https://env.example.test/v1/", 1);
    setenv("DREAMAPI_SECRET_KEY", "sk_env", 1);
    setenv("DREAMAPI_PUBLISHABLE_KEY", "pk_env", 1);
    fixture_make_client(f);
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_get(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(dreamapi_test_request_url(fixture_request(f, "user_1", 0)),
                        "https://env.example.test/v1/api/customers/user_1");
    assert_string_equal(fixture_header(f, "user_1", 0, "Authorization"), "Bearer sk_env");
    assert_null(fixture_header(f, "user_1", 0, "X-Publishable-Key"));
}

static void test_options__an_option_wins_over_the_environment(void **state)
{
    fixture *f = *state;

    setenv("DREAMAPI_BASE_URL", "https://env.example.test", 1);
    setenv("DREAMAPI_SECRET_KEY", "sk_env", 1);
    fixture_make_client(f);
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_get(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(fixture_header(f, "user_1", 0, "Authorization"), "Bearer sk_live_1");
}

static void test_options__a_malformed_environment_is_refused(void **state)
{
    fixture *f = *state;

    dreamapi_options_set_base_url(f->options, NULL);
    setenv("DREAMAPI_BASE_URL", "https://user:pw@env.example.test", 1);
    fixture_expect(f, dreamapi_client_new(f->options, &f->client, &f->error), DREAMAPI_INVALID);
    setenv("DREAMAPI_BASE_URL", "https://env.example.test", 1);
    dreamapi_options_set_secret_key(f->options, NULL);
    setenv("DREAMAPI_SECRET_KEY", "sk\r\nX: 1", 1);
    fixture_expect(f, dreamapi_client_new(f->options, &f->client, &f->error), DREAMAPI_INVALID);
    /* Empty counts as not set. */
    setenv("DREAMAPI_SECRET_KEY", "", 1);
    fixture_make_client(f);
}

static void test_options__the_user_agent_names_the_library_and_the_suffix(void **state)
{
    fixture *f = *state;

    dreamapi_options_set_user_agent_suffix(f->options, "shop/2.1");
    fixture_make_client(f);
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_get(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_OK);
    assert_string_equal(fixture_header(f, "user_1", 0, "User-Agent"), "libdreamapi/" DREAMAPI_VERSION " shop/2.1");
    assert_string_equal(fixture_header(f, "user_1", 0, "Accept"), "application/json");
}

static void test_options__may_be_freed_once_the_client_is_made(void **state)
{
    fixture *f = *state;

    fixture_make_client(f);
    dreamapi_options_free(f->options);
    f->options = NULL;
    fixture_answer(f, NULL, 200, NULL, CUSTOMER);
    fixture_expect(f, dreamapi_customer_get(f->client, "user_1", NULL, NULL, &f->error), DREAMAPI_OK);
}

static void test_options__the_secret_is_kept_once_and_wiped(void **state)
{
    fixture *f = *state;
    dream_settings settings;

    assert_int_equal(dream_settings_make(f->options, &settings, &f->error), DREAMAPI_OK);
    assert_string_equal(settings.authorization, "Bearer sk_live_1");
    assert_null(settings.publishable_key);
    dream_settings_clear(&settings);
    assert_null(settings.authorization);
    dream_settings_clear(&settings);
}

static void test_options__versions_agree(void **state)
{
    (void)state;
    assert_string_equal(dreamapi_version(), DREAMAPI_VERSION);
    assert_string_equal(dreamapi_version(), PROJECT_VERSION);
    assert_int_equal(dreamapi_version_number(), DREAMAPI_VERSION_NUMBER);
}

static int tear_down(void **state)
{
    unsetenv("DREAMAPI_BASE_URL");
    unsetenv("DREAMAPI_SECRET_KEY");
    unsetenv("DREAMAPI_PUBLISHABLE_KEY");
    return fixture_tear_down(state);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options__null_objects_are_refused),
        WITH(test_options__numbers_out_of_range_are_refused),
        WITH(test_options__texts_that_could_break_a_header_are_refused),
        WITH(test_options__incomplete_clocks_and_transports_are_refused),
        WITH(test_options__no_base_url_is_an_error),
        WITH(test_options__a_secret_goes_over_plain_http_to_loopback_only),
        WITH(test_options__the_environment_fills_in_what_is_not_set),
        WITH(test_options__an_option_wins_over_the_environment),
        WITH(test_options__a_malformed_environment_is_refused),
        WITH(test_options__the_user_agent_names_the_library_and_the_suffix),
        WITH(test_options__may_be_freed_once_the_client_is_made),
        WITH(test_options__the_secret_is_kept_once_and_wiped),
        cmocka_unit_test(test_options__versions_agree),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
