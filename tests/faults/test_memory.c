/* SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c - every allocation of every typed call is refused once in turn: while it starts, waits for
 * what the server knows, is sent, sent again after a 503, read, taken or cancelled; and every allocation of making a client
 * with each option. Each time an orderly status comes back, and the same client's next call succeeds. That nothing leaks
 * is asan's to say.
 *
 * The linker sends our own allocations here (--wrap), cJSON's come through its hooks: in a test program they are ours to
 * set. libcurl's are its own affair; the scripted transport stands in its place. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "scripted.h"
#include "stage.h"
#include "support/refusing.h"

static bool is_orderly(dreamapi_status status, bool is_cancelled)
{
    switch (status) {
    case DREAMAPI_OK:
    case DREAMAPI_NOMEM:
    /* The scripted transport's own memory ran out, or what the server announces was lost with it. */
    case DREAMAPI_UNAVAILABLE:
    case DREAMAPI_TOKEN_REQUIRED:
    case DREAMAPI_UNSUPPORTED:
    case DREAMAPI_OUTCOME_UNKNOWN:
        return true;
    case DREAMAPI_CANCELLED:
        return is_cancelled;
    default:
        return false;
    }
}

/* ---- calls ---- */

static void script(scripted *s, const typed_call *row)
{
    if (strcmp(row->path, "/health") != 0)
        (void)dreamapi_test_transport_add_simple(s->transport, "/health", 200, EVERY_EXTENSION);
    (void)dreamapi_test_transport_add_simple(s->transport, row->path, 503, "{\"error\":\"x\"}");
    (void)dreamapi_test_transport_add_simple(s->transport, row->path, 200, row->answer);
}

static dreamapi_status use(scripted *s, const typed_call *row, bool is_cancelled)
{
    dreamapi_call *call = NULL;
    dreamapi_status status = row->start(s->client, &call);

    if (status == DREAMAPI_OK && is_cancelled) {
        (void)dreamapi_client_perform(s->client);
        dreamapi_call_cancel(call);
    }
    if (status == DREAMAPI_OK)
        status = dreamapi_call_wait(call, -1, NULL);
    dreamapi_call_free(call);
    return status;
}

/* False when the call needs no more than `index` allocations. */
static bool refuse_one(const typed_call *row, long index, bool is_cancelled)
{
    scripted s;
    dreamapi_status status;
    bool was_reached;

    scripted_open(&s);
    script(&s, row);
    refusing_begin(index);
    status = use(&s, row, is_cancelled);
    was_reached = refusing_end();
    if (!is_orderly(status, is_cancelled) || (!was_reached && !is_cancelled && status != DREAMAPI_OK))
        fail_msg("allocation %ld refused: %s", index, dreamapi_status_name(status));
    /* The client lives on. What is left of the script, if anything, is used up first. */
    (void)dreamapi_test_transport_add_simple(s.transport, "/api/tiers", 200, "{\"tiers\":[]}");
    if (strcmp(row->path, "/api/tiers") != 0)
        assert_int_equal(dreamapi_tier_list(s.client, NULL, NULL, NULL), DREAMAPI_OK);
    scripted_close(&s);
    return was_reached;
}

static void test_call(void **state)
{
    const typed_call *row = *state;
    long count = 0;
    long cancelled = 0;

    while (refuse_one(row, count, false))
        count++;
    while (refuse_one(row, cancelled, true))
        cancelled++;
    print_message("# %s: %ld allocations refused, %ld when cancelled\n", row->sentence, count, cancelled);
    assert_true(count > 10);
}

/* ---- making a client ---- */

static void ignore_line(void *user_data, dreamapi_log_level level, const char *message)
{
    (void)user_data;
    (void)level;
    (void)message;
}

static dreamapi_status set_all(dreamapi_options *options, int threads)
{
    dreamapi_status status = dreamapi_options_set_base_url(options, "http://127.0.0.1:1/prefix");

    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_secret_key(options, "sk_live_1");
    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_publishable_key(options, "pk_live_1");
    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_ca_file(options, "/nowhere/ca.pem");
    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_proxy(options, "http://127.0.0.1:1");
    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_user_agent_suffix(options, "shop/1");
    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_log(options, ignore_line, NULL);
    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_timeout_ms(options, 1000);
    return status == DREAMAPI_OK ? dreamapi_options_set_threads(options, threads) : status;
}

static bool refuse_one_of_making(long index, int threads)
{
    dreamapi_options *options;
    dreamapi_client *client = NULL;
    dreamapi_status status = DREAMAPI_NOMEM;
    bool was_reached;

    refusing_begin(index);
    options = dreamapi_options_new();
    if (options)
        status = set_all(options, threads);
    if (status == DREAMAPI_OK)
        status = dreamapi_client_new(options, &client, NULL);
    was_reached = refusing_end();
    if (status != DREAMAPI_OK && (status != DREAMAPI_NOMEM || client))
        fail_msg("allocation %ld refused: %s", index, dreamapi_status_name(status));
    if (!was_reached)
        assert_int_equal(status, DREAMAPI_OK);
    /* The options live on. */
    if (!client && options) {
        assert_int_equal(set_all(options, threads), DREAMAPI_OK);
        assert_int_equal(dreamapi_client_new(options, &client, NULL), DREAMAPI_OK);
    }
    dreamapi_client_free(client);
    dreamapi_options_free(options);
    return was_reached;
}

static void test_making(void **state)
{
    (void)state;
    for (int threads = 0; threads <= 1; threads++) {
        long count = 0;
        while (refuse_one_of_making(count, threads))
            count++;
        print_message("# client_new, threads %d: %ld allocations refused\n", threads, count);
        assert_true(count > 10);
    }
}

/* ---- more calls than connections ---- */

enum { QUEUED_CALLS = 70, QUEUE_STEP = 23 };

/* Nobody listens at the other end. The built-in transport keeps what is beyond its 64 connections in a queue. */
static bool refuse_one_of_queue(long index)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_client *client = NULL;
    dreamapi_call *calls[QUEUED_CALLS] = { NULL };
    bool was_reached;

    assert_int_equal(set_all(options, 0), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_timeout_ms(options, 20000), DREAMAPI_OK);
    assert_int_equal(dreamapi_options_set_max_retries(options, 0), DREAMAPI_OK);
    assert_int_equal(dreamapi_client_new(options, &client, NULL), DREAMAPI_OK);
    refusing_begin(index);
    for (int i = 0; i < QUEUED_CALLS; i++)
        (void)dreamapi_tier_list_start(client, NULL, &calls[i], NULL);
    for (int i = 0; i < QUEUED_CALLS; i++) {
        dreamapi_status status = calls[i] ? dreamapi_call_wait(calls[i], -1, NULL) : DREAMAPI_NOMEM;
        if (status != DREAMAPI_NOMEM && status != DREAMAPI_UNAVAILABLE)
            fail_msg("allocation %ld refused: %s", index, dreamapi_status_name(status));
        dreamapi_call_free(calls[i]);
    }
    was_reached = refusing_end();
    assert_int_equal(dreamapi_tier_list(client, NULL, NULL, NULL), DREAMAPI_UNAVAILABLE);
    dreamapi_client_free(client);
    dreamapi_options_free(options);
    return was_reached;
}

static void test_queue(void **state)
{
    long index = 0;
    long step = stage_is_long() ? 1 : QUEUE_STEP;

    (void)state;
    while (refuse_one_of_queue(index))
        index += step;
    print_message("# queue: every allocation of %ld, in steps of %ld\n", index, step);
    assert_true(index > QUEUED_CALLS);
}

int main(void)
{
    /* cJSON would call the C library past the linker's --wrap. */
    cJSON_Hooks hooks = { .malloc_fn = __wrap_malloc, .free_fn = free };
    const struct CMUnitTest others[] = {
        { "making a client with each option", test_making, NULL, NULL, NULL },
        { "more calls than connections", test_queue, NULL, NULL, NULL },
    };
    struct CMUnitTest *tests = calloc(typed_call_count + 2, sizeof(*tests));
    int failed;

    if (!tests)
        return 1;
    cJSON_InitHooks(&hooks);
    memcpy(tests, others, sizeof(others));
    for (size_t i = 0; i < typed_call_count; i++) {
        tests[i + 2].name = typed_calls[i].sentence;
        tests[i + 2].test_func = test_call;
        tests[i + 2].initial_state = &typed_calls[i];
    }
    failed = _cmocka_run_group_tests("faults_memory", tests, typed_call_count + 2, NULL, NULL);
    free(tests);
    return failed;
}
