/* SPDX-License-Identifier: Apache-2.0 */
/* test_upstream.c - what a provider's answer amounts to, and what is left after the stop. */
#include "service/provider/upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "common/json.h"
#include "script.h"

static struct {
    int count;
    dreamd_upstream_outcome outcome;
    int status;
    int64_t retry_after_ms;
    bool has_json;
    char message[DREAMD_UPSTREAM_MESSAGE_SIZE];
} heard;

static void hear(void *context, const dreamd_upstream_answer *answer)
{
    assert_ptr_equal(context, &heard);
    heard.count++;
    heard.outcome = answer->outcome;
    heard.status = answer->status;
    heard.retry_after_ms = answer->retry_after_ms;
    heard.has_json = answer->json != NULL;
    (void)snprintf(heard.message, sizeof heard.message, "%s", answer->message);
}

static const char *error_text(const cJSON *json)
{
    return dream_json_string(json, "problem");
}

static void start(dreamd_upstream *upstream)
{
    dreamd_upstream_call call = { DREAMD_PROVIDER_STRIPE, "GET", "https://x.test/y", NULL, NULL, 0, error_text };

    dreamd_upstream_start(upstream, &call, hear, &heard);
}

static void test_upstream__sorts_answers_by_what_can_be_done(void **state)
{
    static const struct {
        int status;
        const char *body;
        dreamd_upstream_outcome outcome;
        const char *message;
    } cases[] = {
        { 200, "{}", DREAMD_UPSTREAM_OK, "" },
        { 201, "{\"problem\":\"none\"}", DREAMD_UPSTREAM_OK, "" },
        { 200, "<html>", DREAMD_UPSTREAM_UNAVAILABLE, "The provider's answer could not be read" },
        { 200, "", DREAMD_UPSTREAM_UNAVAILABLE, "The provider's answer could not be read" },
        { 404, "{\"problem\":\"no such user\"}", DREAMD_UPSTREAM_NOT_FOUND, "no such user" },
        { 404, "", DREAMD_UPSTREAM_NOT_FOUND, "Not Found" },
        { 400, "{\"problem\":\"bad\"}", DREAMD_UPSTREAM_REFUSED, "bad" },
        { 402, "{}", DREAMD_UPSTREAM_REFUSED, "The provider answered 402" },
        { 422, "{\"problem\":7}", DREAMD_UPSTREAM_REFUSED, "The provider answered 422" },
        { 401, "{}", DREAMD_UPSTREAM_UNAVAILABLE, "The provider refused the service's credentials" },
        { 403, "{\"problem\":\"sk_live_***\"}", DREAMD_UPSTREAM_UNAVAILABLE,
          "The provider refused the service's credentials" },
        { 429, "{\"problem\":\"slow down\"}", DREAMD_UPSTREAM_UNAVAILABLE, "slow down" },
        { 500, "{}", DREAMD_UPSTREAM_UNAVAILABLE, "The provider answered 500" },
        { 503, "{\"problem\":\"away\"}", DREAMD_UPSTREAM_UNAVAILABLE, "away" },
        { 302, "", DREAMD_UPSTREAM_UNAVAILABLE, "The provider answered 302" },
        /* Nothing of our network shows in what clients are told. */
        { 0, "", DREAMD_UPSTREAM_UNAVAILABLE, "The payment provider could not be reached" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dreamd_settings settings = script_settings();
        script provider = { .count = 0 };
        dreamd_upstream *upstream = dreamd_upstream_new_over(&settings, NULL, script_send, &provider);

        memset(&heard, 0, sizeof heard);
        start(upstream);
        assert_int_equal(heard.count, 0);
        script_reply(&provider, 0, cases[i].status, cases[i].body);
        assert_int_equal(heard.count, 1);
        assert_int_equal(heard.outcome, cases[i].outcome);
        assert_int_equal(heard.status, cases[i].status);
        assert_string_equal(heard.message, cases[i].message);
        assert_int_equal(heard.retry_after_ms, cases[i].status == 429 ? 2000 : -1);
        dreamd_upstream_free(upstream);
    }
}

static void test_upstream__bounds_the_providers_words(void **state)
{
    dreamd_settings settings = script_settings();
    script provider = { .count = 0 };
    dreamd_upstream *upstream = dreamd_upstream_new_over(&settings, NULL, script_send, &provider);
    char body[2000] = "{\"problem\":\"";

    (void)state;
    memset(body + strlen(body), 'a', 1900);
    memcpy(body + 1900, "\"}", 3);
    start(upstream);
    script_reply(&provider, 0, 400, body);
    assert_int_equal(strlen(heard.message), DREAMD_UPSTREAM_MESSAGE_SIZE - 1);
    dreamd_upstream_free(upstream);
}

static void test_upstream__after_the_stop_everything_fails_at_once(void **state)
{
    dreamd_settings settings = script_settings();
    script provider = { .count = 0 };
    dreamd_upstream *upstream = dreamd_upstream_new_over(&settings, NULL, script_send, &provider);

    (void)state;
    memset(&heard, 0, sizeof heard);
    dreamd_upstream_stop(upstream);
    start(upstream);
    assert_int_equal(provider.count, 0);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_UNAVAILABLE);
    dreamd_upstream_free(upstream);
    dreamd_upstream_free(NULL);
}

/* A transport without memory reports before its send returns; who is told may ask the next thing at once. */
static void send_nothing(void *transport, const dreamd_outbound *outbound, dreamd_reply_fn *fn, void *context)
{
    static const dreamd_reply reply = { .failure = "Out of memory", .body = "", .retry_after_ms = -1 };

    (void)transport;
    (void)outbound;
    fn(context, &reply);
}

static void ask_again(void *context, const dreamd_upstream_answer *answer)
{
    (void)answer;
    start(context);
}

static void test_upstream__a_failure_on_the_spot_may_be_followed_by_the_next_call(void **state)
{
    dreamd_settings settings = script_settings();
    dreamd_upstream *upstream = dreamd_upstream_new_over(&settings, NULL, send_nothing, NULL);
    dreamd_upstream_call call = { DREAMD_PROVIDER_STRIPE, "GET", "https://x.test/y", NULL, NULL, 0, error_text };

    (void)state;
    memset(&heard, 0, sizeof heard);
    (void)alarm(20); /* a lock held over the callback would wait for itself */
    dreamd_upstream_start(upstream, &call, ask_again, upstream);
    (void)alarm(0);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.outcome, DREAMD_UPSTREAM_UNAVAILABLE);
    dreamd_upstream_free(upstream);
}

static void test_upstream__counts_what_it_asked(void **state)
{
    dreamd_settings settings = script_settings();
    script provider = { .count = 0 };
    dreamd_metrics *metrics = dreamd_metrics_new();
    dreamd_upstream *upstream = dreamd_upstream_new_over(&settings, metrics, script_send, &provider);
    dream_buffer text = DREAM_BUFFER_INIT;

    (void)state;
    start(upstream);
    start(upstream);
    start(upstream);
    script_reply(&provider, 0, 200, "{}");
    script_reply(&provider, 1, 503, "{}");
    script_reply(&provider, 2, 0, "");
    dreamd_metrics_print(metrics, &text);
    assert_non_null(strstr(text.data, "dreamapid_provider_requests_total{provider=\"stripe\",status=\"2xx\"} 1\n"));
    assert_non_null(strstr(text.data, "dreamapid_provider_requests_total{provider=\"stripe\",status=\"5xx\"} 1\n"));
    assert_non_null(strstr(text.data, "dreamapid_provider_requests_total{provider=\"stripe\",status=\"none\"} 1\n"));
    assert_non_null(strstr(text.data, "dreamapid_provider_requests_total{provider=\"clerk\",status=\"2xx\"} 0\n"));
    dream_buffer_clear(&text);
    dreamd_upstream_free(upstream);
    dreamd_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upstream__sorts_answers_by_what_can_be_done),
        cmocka_unit_test(test_upstream__bounds_the_providers_words),
        cmocka_unit_test(test_upstream__after_the_stop_everything_fails_at_once),
        cmocka_unit_test(test_upstream__a_failure_on_the_spot_may_be_followed_by_the_next_call),
        cmocka_unit_test(test_upstream__counts_what_it_asked),
    };

    return cmocka_run_group_tests_name("upstream", tests, NULL, NULL);
}
