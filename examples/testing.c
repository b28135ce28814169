/* SPDX-License-Identifier: Apache-2.0 */
/* testing.c - how a program that uses the library tests itself: the answers come from a script, and time is virtual. No server,
 * no waiting: the retries of a bad day run in a moment, the same way each time.
 *
 *   cc testing.c $(pkg-config --cflags --libs dreamapi) -o testing && ./testing */
#include <dreamapi.h>
#include <dreamapi/testing.h>

#undef NDEBUG /* the asserts are the test */
#include <assert.h>
#include <stdio.h>

/* The code under test, as it would be in your program: the HTTP status for one request of a user. */
static int serve(dreamapi_client *client, const char *user)
{
    dreamapi_error error;
    switch (dreamapi_usage_track(client, user, NULL, NULL, NULL, &error)) {
    case DREAMAPI_OK:
        return 200;
    case DREAMAPI_LIMIT:
        return 402;
    case DREAMAPI_RATE_LIMITED:
        return 429;
    default:
        return 503;
    }
}

static dreamapi_client *make_client(dreamapi_test_transport *transport, dreamapi_test_clock *clock)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_client *client = NULL;
    dreamapi_options_set_base_url(options, "https://service.example");
    dreamapi_options_set_secret_key(options, "sk_test_1");
    dreamapi_test_transport_install(transport, options);
    dreamapi_test_clock_install(clock, options);
    assert(dreamapi_client_new(options, &client, NULL) == DREAMAPI_OK);
    dreamapi_options_free(options);
    return client;
}

int main(void)
{
    dreamapi_test_transport *transport = dreamapi_test_transport_new();
    dreamapi_test_clock *clock = dreamapi_test_clock_new(1700000000000);
    assert(transport && clock);
    /* A server that knows idempotency keys and user ids; the library asks for that before its first POST. */
    dreamapi_test_answer health = DREAMAPI_TEST_ANSWER_INIT;
    health.path = "/health";
    health.times = DREAMAPI_TEST_ALWAYS;
    health.body = "{\"status\":\"ok\",\"extensions\":[\"idempotency\",\"server-side\"]}";
    dreamapi_test_transport_add(transport, &health);
    dreamapi_client *client = make_client(transport, clock);

    /* A server that is down twice, and names a time: the client waits, in virtual time, and the user notices nothing. */
    dreamapi_test_answer busy = DREAMAPI_TEST_ANSWER_INIT;
    busy.http_status = 503;
    busy.headers = (const char *const[]){ "Retry-After: 5", NULL };
    busy.times = 2;
    dreamapi_test_transport_add(transport, &busy);
    dreamapi_test_transport_add_simple(transport, "/api/data", 200, "{\"usageCount\":1,\"limit\":5,\"plan\":\"free\"}");
    int64_t before = dreamapi_test_clock_monotonic_ms(clock);
    assert(serve(client, "user_1") == 200);
    assert(dreamapi_test_transport_count_path(transport, "/api/data") == 3);
    assert(dreamapi_test_clock_monotonic_ms(clock) - before == 10000);

    /* The plan's limit: refused at once, and not tried again. */
    dreamapi_test_transport_add_simple(transport, "/api/data", 403,
                                       "{\"error\":\"Tier limit reached\",\"usageCount\":5,\"limit\":5}");
    assert(serve(client, "user_1") == 402);
    assert(dreamapi_test_transport_count_path(transport, "/api/data") == 4);

    printf("all passed, %zu requests\n", dreamapi_test_transport_request_count(transport));
    dreamapi_client_free(client);
    dreamapi_test_transport_free(transport);
    dreamapi_test_clock_free(clock);
    return 0;
}
