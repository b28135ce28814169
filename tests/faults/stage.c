/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - see stage.h. */
#include "stage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

const char *const work_names[WORK_COUNT] = { "GET", "POST", "keyed POST" };

/* Jitter of 0, so that no test waits; keys as they should be. Jitter is asked for in 4 bytes. */
static int random_without_jitter(void *user_data, void *out, size_t size)
{
    (void)user_data;
    if (size == sizeof(uint32_t)) {
        memset(out, 0, size);
        return 0;
    }
    return getrandom(out, size, 0) == (ssize_t)size ? 0 : -1;
}

void stage_open(stage *s)
{
    memset(s, 0, sizeof(*s));
    fault_server_start(&s->server, 128, 0);
    fault_server_health(&s->server, KNOWS_NOTHING, false);
    s->options = dreamapi_options_new();
    assert_non_null(s->options);
    assert_int_equal(dreamapi_options_set_base_url(s->options, s->server.url), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_secret_key(s->options, "sk_live_1"), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_random(s->options, random_without_jitter, NULL), DREAMAPI_OK);
}

void stage_close(stage *s)
{
    dreamapi_client_free(s->client);
    dreamapi_options_free(s->options);
    fault_server_stop(&s->server);
}

void stage_make_client(stage *s, int threads)
{
    dreamapi_client_free(s->client);
    s->client = NULL;
    assert_int_equal(dreamapi_options_set_threads(s->options, threads), DREAMAPI_OK);
    stage_expect(s, "client_new", dreamapi_client_new(s->options, &s->client, &s->error), DREAMAPI_OK);
}

void stage_learn(stage *s, const char *health)
{
    fault_server_health(&s->server, health, true);
    stage_expect(s, "health_get", dreamapi_health_get(s->client, NULL, NULL, &s->error), DREAMAPI_OK);
}

dreamapi_status stage_start(stage *s, work kind, dreamapi_call **out_call)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    options.timeout_ms = s->timeout_ms;
    params.email = "a@example.test";
    if (kind == WORK_GET)
        return dreamapi_customer_get_start(s->client, "user_1", &options, out_call, &s->error);
    options.idempotency_key = s->key;
    return dreamapi_customer_create_start(s->client, &params, &options, out_call, &s->error);
}

dreamapi_status stage_do(stage *s, work kind)
{
    dreamapi_call *call = NULL;
    dreamapi_status status = stage_start(s, kind, &call);

    if (status == DREAMAPI_OK)
        status = dreamapi_call_wait(call, -1, &s->error);
    dreamapi_call_free(call);
    return status;
}

void stage_expect(const stage *s, const char *what, dreamapi_status status, dreamapi_status expected)
{
    if (status != expected)
        fail_msg("%s: %s instead of %s: %s", what, dreamapi_status_name(status), dreamapi_status_name(expected),
                 s->error.message);
}

int64_t stage_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool stage_is_long(void)
{
    const char *text = getenv("DREAMAPI_LONG");

    return text && strcmp(text, "1") == 0;
}

int stage_run(const char *group, CMUnitTestFunction test, void *rows, size_t row_size, size_t count)
{
    struct CMUnitTest *tests = calloc(count, sizeof(*tests));
    int failed;

    if (!tests)
        return 1;
    for (size_t i = 0; i < count; i++) {
        char *row = (char *)rows + i * row_size;
        tests[i].name = *(const char *const *)(const void *)row;
        tests[i].test_func = test;
        tests[i].initial_state = row;
    }
    failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    free(tests);
    return failed;
}
