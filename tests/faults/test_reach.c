/* SPDX-License-Identifier: Apache-2.0 */
/* test_reach.c - servers that cannot be reached: nobody listens, the name has no address, the proxy refuses, is
 * gone or breaks off, a kept connection is dead. A request that never left says so, also a POST. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stage.h"

enum { ACTS = 16, SHORT_MS = 400, TIMEOUT_MS = 20000 };

typedef struct reach_row reach_row;

struct reach_row {
    const char *sentence;
    void (*play)(stage *s, const reach_row *row);
    fault_act act; /* the proxy's */
    dreamapi_status status;
    const char *base_url; /* NULL: the server's own */
    const char *proxy;    /* NULL: the server */
    int64_t timeout_ms;   /* 0: enough */
};

static bool is_unsent(const dreamapi_error *error)
{
    return error->status != DREAMAPI_OUTCOME_UNKNOWN && error->http_status == 0 && error->retriable == 1;
}

static void expect_unreachable(stage *s, const reach_row *row)
{
    for (work kind = WORK_GET; kind < WORK_COUNT; kind++) {
        dreamapi_status status = stage_do(s, kind);
        /* A machine without a name server may take its time to say that there is no such name. */
        if (status == DREAMAPI_TIMEOUT && row->base_url && strstr(row->base_url, ".invalid"))
            continue;
        stage_expect(s, work_names[kind], status, row->status);
        if (!is_unsent(&s->error))
            fail_msg("%s: retriable %d: %s", work_names[kind], s->error.retriable, s->error.message);
    }
}

static void play_refused(stage *s, const reach_row *row)
{
    stage other;

    /* A port that was somebody's a moment ago. */
    stage_open(&other);
    assert_int_equal(dreamapi_options_set_base_url(s->options, other.server.url), DREAMAPI_OK);
    stage_close(&other);
    stage_make_client(s, 0);
    expect_unreachable(s, row);
}

static void play_unknown_name(stage *s, const reach_row *row)
{
    assert_int_equal(dreamapi_options_set_base_url(s->options, row->base_url), DREAMAPI_OK);
    s->timeout_ms = 3000;
    stage_make_client(s, 0);
    expect_unreachable(s, row);
}

static void play_proxy(stage *s, const reach_row *row)
{
    fault_act acts[ACTS];

    for (size_t i = 0; i < ACTS; i++)
        acts[i] = row->act;
    fault_server_arm(&s->server, acts, ACTS);
    assert_int_equal(dreamapi_options_set_base_url(s->options, "https://api.example.test"), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_proxy(s->options, row->proxy ? row->proxy : s->server.url), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_max_retries(s->options, 1), DREAMAPI_OK);
    if (row->timeout_ms > 0)
        s->timeout_ms = row->timeout_ms;
    stage_make_client(s, 0);
    expect_unreachable(s, row);
    assert_int_equal(fault_server_counts(&s->server).posts, 0);
    fault_server_arm(&s->server, NULL, 0);
}

static void wait_until_closed(stage *s)
{
    int64_t until_ms = stage_now_ms() + TIMEOUT_MS;

    while (fault_server_counts(&s->server).open > 0) {
        assert_true(stage_now_ms() < until_ms);
        (void)usleep(1000);
    }
}

/* The server closes a connection that lies idle, and the client has had time to hear of it. */
static void play_closed_while_idle(stage *s, const reach_row *row)
{
    const fault_act closing = { .end = FAULT_CLOSE };

    (void)row;
    for (work kind = WORK_GET; kind < WORK_COUNT; kind++) {
        stage_make_client(s, 1);
        stage_learn(s, kind == WORK_KEYED_POST ? KNOWS_KEYS : KNOWS_NOTHING);
        fault_server_arm(&s->server, &closing, 1);
        stage_expect(s, "first", stage_do(s, WORK_GET), DREAMAPI_OK);
        wait_until_closed(s);
        stage_expect(s, work_names[kind], stage_do(s, kind), DREAMAPI_OK);
        assert_int_equal(fault_server_counts(&s->server).touched, 2);
    }
}

/* It closes it at the very moment when the next request comes: nobody can tell whether it was read. */
static void play_closed_as_request_comes(stage *s, const reach_row *row)
{
    const fault_act acts[] = { { .end = FAULT_KEEP }, { .cut = FAULT_CUT_REQUEST, .at = 0, .end = row->act.end } };

    for (work kind = WORK_GET; kind < WORK_COUNT; kind++) {
        stage_make_client(s, 1);
        stage_learn(s, kind == WORK_KEYED_POST ? KNOWS_KEYS : KNOWS_NOTHING);
        fault_server_arm(&s->server, acts, 2);
        stage_expect(s, "first", stage_do(s, WORK_GET), DREAMAPI_OK);
        stage_expect(s, work_names[kind], stage_do(s, kind),
                     kind == WORK_POST ? DREAMAPI_OUTCOME_UNKNOWN : DREAMAPI_OK);
        assert_int_equal(fault_server_counts(&s->server).works, kind == WORK_KEYED_POST);
    }
}

#define PROXY_SAYS(line)                                                                                               \
    {                                                                                                                  \
        .answer = "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"                                                     \
    }

static reach_row rows[] = {
    { "a refused connection surely sent nothing", play_refused, { 0 }, DREAMAPI_UNAVAILABLE },
    { "a name without an address surely sent nothing",
      play_unknown_name,
      { 0 },
      DREAMAPI_UNAVAILABLE,
      .base_url = "https://no-such-host.invalid" },
    { "a proxy that nobody is surely sent nothing",
      play_proxy,
      { 0 },
      DREAMAPI_UNAVAILABLE,
      .proxy = "http://127.0.0.1:1" },
    { "a proxy that forbids the tunnel lets nothing through", play_proxy, PROXY_SAYS("403 F"), DREAMAPI_UNAVAILABLE },
    { "a proxy that wants a password lets nothing through", play_proxy,
      PROXY_SAYS("407 P\r\nProxy-Authenticate: Basic realm=\"x\""), DREAMAPI_UNAVAILABLE },
    { "a proxy that cannot reach the server lets nothing through", play_proxy, PROXY_SAYS("502 B"),
      DREAMAPI_UNAVAILABLE },
    { "a proxy that is busy lets nothing through", play_proxy, PROXY_SAYS("503 B\r\nRetry-After: 5"),
      DREAMAPI_UNAVAILABLE },
    { "a proxy that redirects lets nothing through", play_proxy, PROXY_SAYS("302 M\r\nLocation: http://127.0.0.1:1/"),
      DREAMAPI_UNAVAILABLE },
    { "a proxy that resets lets nothing through",
      play_proxy,
      { .cut = FAULT_CUT_REQUEST, .end = FAULT_RESET },
      DREAMAPI_UNAVAILABLE },
    { "a proxy that closes without a word lets nothing through",
      play_proxy,
      { .cut = FAULT_CUT_ANSWER, .end = FAULT_CLOSE },
      DREAMAPI_UNAVAILABLE },
    { "a proxy that breaks off its answer lets nothing through",
      play_proxy,
      { .cut = FAULT_CUT_ANSWER, .at = 12, .end = FAULT_RESET },
      DREAMAPI_UNAVAILABLE },
    { "a proxy that keeps silent costs the deadline and no more",
      play_proxy,
      { .cut = FAULT_CUT_ANSWER, .end = FAULT_HOLD },
      DREAMAPI_TIMEOUT,
      .timeout_ms = SHORT_MS },
    { "a connection closed while idle is not used again", play_closed_while_idle },
    { "a connection closed as the request comes", play_closed_as_request_comes, { .end = FAULT_CLOSE } },
    { "a connection reset as the request comes", play_closed_as_request_comes, { .end = FAULT_RESET } },
};

static void test_reach(void **state)
{
    const reach_row *row = *state;
    stage s;

    stage_open(&s);
    s.timeout_ms = TIMEOUT_MS;
    row->play(&s, row);
    stage_close(&s);
}

int main(void)
{
    return stage_run("faults_reach", test_reach, rows, sizeof(rows[0]), sizeof(rows) / sizeof(rows[0]));
}
