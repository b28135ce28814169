/* SPDX-License-Identifier: Apache-2.0 */
/* test_curl_memory.c - every allocation is refused once in turn, libcurl's included, over real sockets: of every typed
 * call, while its client asks what the server knows, connects, sends, is answered 503 and sends again; of a call that is
 * cancelled; of a name that is looked up; of making a client with each option; of more calls than there are connections.
 * Each time an orderly status comes back in time, and the client lives on. That nothing leaks is asan's to say.
 *
 * The linker sends our own allocations to refusing.c, cJSON's and libcurl's come through their hooks: this program
 * initialises libcurl with them before the library's counted initialisation. OpenSSL has an allocator of its own, and is left
 * out: the server speaks plain http. */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "scripted.h"
#include "stage.h"
#include "support/refusing.h"

enum { ANSWER_SIZE = 2048, PATIENCE_MS = 10000 };

/* ---- libcurl's memory ---- */

static atomic_long refused_to_curl;

static void *count_refused(void *memory)
{
    if (!memory)
        atomic_fetch_add(&refused_to_curl, 1);
    return memory;
}

static void *curl_malloc(size_t size)
{
    return count_refused(__wrap_malloc(size));
}

static void *curl_calloc(size_t count, size_t size)
{
    return count_refused(__wrap_calloc(count, size));
}

static void *curl_realloc(void *old, size_t size)
{
    return count_refused(__wrap_realloc(old, size));
}

static char *curl_strdup(const char *text)
{
    return count_refused(__wrap_strdup(text));
}

/* ---- calls ---- */

/* What memory that ran out comes to, in libcurl or in us. */
static bool is_orderly(dreamapi_status status)
{
    switch (status) {
    case DREAMAPI_OK:
    case DREAMAPI_NOMEM:
    case DREAMAPI_UNAVAILABLE: /* libcurl says of some that it failed, not why */
    case DREAMAPI_OUTCOME_UNKNOWN:
    case DREAMAPI_PROTOCOL: /* in the answer's head: an older libcurl says the same of a head that is too large */
        return true;
    default:
        return false;
    }
}

static dreamapi_status use(stage *s, const typed_call *row, bool is_cancelled)
{
    dreamapi_call *call = NULL;
    dreamapi_status status = row->start(s->client, &call);

    if (status == DREAMAPI_OK && is_cancelled) {
        (void)dreamapi_client_perform(s->client);
        dreamapi_call_cancel(call);
    }
    if (status == DREAMAPI_OK)
        status = dreamapi_call_wait(call, -1, &s->error);
    dreamapi_call_free(call);
    return status;
}

static char good[ANSWER_SIZE]; /* written while no server reads it */

/* False when the call needs no more than `index` allocations. */
static bool refuse_one(stage *s, const typed_call *row, long index, bool is_cancelled)
{
    static const fault_act acts[] = {
        { .answer = "HTTP/1.1 503 T\r\nContent-Length: 2\r\n\r\n{}" },
        { .answer = good },
    };
    dreamapi_status status;
    bool was_reached;

    fault_server_arm(&s->server, acts, 2);
    fault_server_health(&s->server, EVERY_EXTENSION, false);
    stage_make_client(s, 0);
    refusing_begin_here(index);
    status = use(s, row, is_cancelled);
    was_reached = refusing_end();
    if (!is_orderly(status) && !(is_cancelled && status == DREAMAPI_CANCELLED))
        fail_msg("allocation %ld refused: %s: %s", index, dreamapi_status_name(status), s->error.message);
    if (!was_reached && !is_cancelled)
        stage_expect(s, row->sentence, status, DREAMAPI_OK);
    fault_server_arm(&s->server, NULL, 0);
    stage_expect(s, "the next call", dreamapi_tier_list(s->client, NULL, NULL, &s->error), DREAMAPI_OK);
    return was_reached;
}

static void test_call(void **state)
{
    const typed_call *row = *state;
    long count = 0;
    long cancelled = 0;
    stage s;

    fault_answer(good, sizeof(good), 200, "", row->answer);
    stage_open(&s);
    assert_int_equal(dreamapi_options_set_timeout_ms(s.options, PATIENCE_MS), DREAMAPI_OK);
    atomic_store(&refused_to_curl, 0);
    while (refuse_one(&s, row, count, false))
        count++;
    while (refuse_one(&s, row, cancelled, true))
        cancelled++;
    print_message("# %s: %ld allocations refused, %ld when cancelled; %ld of them libcurl's\n", row->sentence, count,
                  cancelled, atomic_load(&refused_to_curl));
    assert_true(count > 50 && atomic_load(&refused_to_curl) > 50);
    stage_close(&s);
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
    /* Past the linker's --wrap these would call the C library. */
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
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, free, curl_realloc, curl_strdup, curl_calloc)
        != CURLE_OK)
        return 1;
    memcpy(tests, others, sizeof(others));
    for (size_t i = 0; i < typed_call_count; i++) {
        tests[i + 2].name = typed_calls[i].sentence;
        tests[i + 2].test_func = test_call;
        tests[i + 2].initial_state = &typed_calls[i];
    }
    failed = _cmocka_run_group_tests("faults_curl_memory", tests, typed_call_count + 2, NULL, NULL);
    free(tests);
    curl_global_cleanup();
    return failed;
}
