/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.c - see fixture.h. Uses the public interface alone, as a user's tests would. */
#include "fixture.h"

#include <stdlib.h>

static int fill(void *data, void *out, size_t size)
{
    fixture *f = data;
    unsigned char *bytes = out;

    f->random_calls++;
    for (size_t i = 0; i < size; i++)
        bytes[i] = f->has_no_jitter ? 0 : (unsigned char)(f->random_calls * 73 + i * 31);
    return 0;
}

int fixture_set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));

    unsetenv("DREAMAPI_BASE_URL");
    unsetenv("DREAMAPI_SECRET_KEY");
    unsetenv("DREAMAPI_PUBLISHABLE_KEY");
    f->transport = dreamapi_test_transport_new();
    f->clock = dreamapi_test_clock_new((int64_t)FIXTURE_WALL_MS * 1000);
    f->options = dreamapi_options_new();
    dreamapi_test_transport_install(f->transport, f->options);
    dreamapi_test_clock_install(f->clock, f->options);
    dreamapi_options_set_random(f->options, fill, f);
    dreamapi_options_set_base_url(f->options, "https://api.example.test");
    dreamapi_options_set_secret_key(f->options, "sk_live_1");
    dreamapi_options_set_threads(f->options, 0);
    *state = f;
    return 0;
}

void fixture_make_client(fixture *f)
{
    fixture_expect(f, dreamapi_client_new(f->options, &f->client, &f->error), DREAMAPI_OK);
}

int fixture_set_up_client(void **state)
{
    (void)fixture_set_up(state);
    fixture_make_client(*state);
    return 0;
}

int fixture_tear_down(void **state)
{
    fixture *f = *state;

    dreamapi_client_free(f->client);
    dreamapi_options_free(f->options);
    dreamapi_test_transport_free(f->transport);
    dreamapi_test_clock_free(f->clock);
    free(f);
    return 0;
}

static void add(fixture *f, const dreamapi_test_answer *answer)
{
    assert_int_equal(dreamapi_test_transport_add(f->transport, answer), DREAMAPI_OK);
}

void fixture_answer(fixture *f, const char *path, int http_status, const char *header, const char *body)
{
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;
    const char *headers[2] = { header, NULL };

    answer.path = path;
    answer.http_status = http_status;
    answer.headers = headers;
    answer.body = body;
    add(f, &answer);
}

void fixture_fail(fixture *f, const char *path, dreamapi_failure failure, int maybe_sent)
{
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    answer.path = path;
    answer.http_status = 0;
    answer.failure = failure;
    answer.maybe_sent = maybe_sent;
    add(f, &answer);
}

void fixture_never(fixture *f, const char *path)
{
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    answer.path = path;
    answer.delay_ms = DREAMAPI_TEST_NEVER;
    add(f, &answer);
}

void fixture_extensions(fixture *f, const char *body)
{
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    answer.path = "/health";
    answer.times = DREAMAPI_TEST_ALWAYS;
    answer.body = body;
    add(f, &answer);
}

size_t fixture_count(const fixture *f, const char *path)
{
    return dreamapi_test_transport_count_path(f->transport, path);
}

static bool is_to(const dreamapi_test_request *request, const char *path)
{
    const char *url = dreamapi_test_request_url(request);
    size_t size = strcspn(url, "?");

    return strlen(path) <= size && strncmp(url + size - strlen(path), path, strlen(path)) == 0;
}

const dreamapi_test_request *fixture_request(const fixture *f, const char *path, size_t index)
{
    for (size_t i = 0; i < dreamapi_test_transport_request_count(f->transport); i++) {
        const dreamapi_test_request *request = dreamapi_test_transport_request(f->transport, i);
        if (is_to(request, path) && index-- == 0)
            return request;
    }
    fail_msg("there was no such request to %s", path);
    return NULL;
}

const char *fixture_header(const fixture *f, const char *path, size_t index, const char *name)
{
    return dreamapi_test_request_header(fixture_request(f, path, index), name);
}

int64_t fixture_pause_ms(const fixture *f, const char *path, size_t before, size_t after)
{
    return dreamapi_test_request_at_ms(fixture_request(f, path, after))
           - dreamapi_test_request_at_ms(fixture_request(f, path, before));
}

int64_t fixture_now_ms(const fixture *f)
{
    return dreamapi_test_clock_monotonic_ms(f->clock);
}

void fixture_expect(const fixture *f, dreamapi_status status, dreamapi_status expected)
{
    if (status != expected)
        fail_msg("%s instead of %s: %s", dreamapi_status_name(status), dreamapi_status_name(expected),
                 f->error.message);
}

void fixture_expect_protocol(dreamapi_status (*call)(fixture *f), const char *path, const char *body)
{
    void *state;
    fixture *f;
    dreamapi_status status;

    fixture_set_up_client(&state);
    f = state;
    fixture_extensions(f, ALL_EXTENSIONS);
    fixture_answer(f, path, 200, NULL, body);
    status = call(f);
    if (status != DREAMAPI_PROTOCOL || fixture_count(f, path) != 1 || f->error.http_status != 200
        || f->error.retriable != 0)
        fail_msg("%s: %s", body, dreamapi_status_name(status));
    fixture_tear_down(&state);
}
