/* SPDX-License-Identifier: Apache-2.0 */
/* test_forks.c - the process forks at each moment of a call. Rows are those of the table "Forks" in
 * docs/threads-and-forks.md, whose numbers their sentences begin with (check_rows.py compares).
 *
 * In each, the child finds every function refused, frees everything, and works with a client of its own; it is ended by an
 * alarm if it hangs. The parent's call then ends as if nothing had happened, and the server has had it once. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "small_socket.h"
#include "stage.h"

enum { CHILD_FAILED = 1, SOON_S = 20, SOON_MS = 20000, PLAIN_FORKS = 40, LONG_FORKS = 600, BUSY_CALLS = 8 };

typedef enum moment {
    IDLE,
    UNFETCHED,
    CONNECTING,
    PROBING,
    SENDING,
    WAITING,
    RECEIVING,
    PAUSING,
    AT_WORK,
    OPTIONS_ALONE
} moment;

typedef struct fork_row {
    const char *sentence;
    moment moment;
    int threads;
} fork_row;

static fork_row rows[] = {
    { "F1: forked while idle, with a thread", IDLE, 1 },
    { "F1: forked while idle, without a thread", IDLE, 0 },
    { "F2: forked with a finished call not yet fetched, with a thread", UNFETCHED, 1 },
    { "F2: forked with a finished call not yet fetched, without a thread", UNFETCHED, 0 },
    { "F3: forked while connecting, with a thread", CONNECTING, 1 },
    { "F3: forked while connecting, without a thread", CONNECTING, 0 },
    { "F4: forked while the server is asked what it knows, with a thread", PROBING, 1 },
    { "F4: forked while the server is asked what it knows, without a thread", PROBING, 0 },
    { "F5: forked while sending, with a thread", SENDING, 1 },
    { "F5: forked while sending, without a thread", SENDING, 0 },
    { "F6: forked while waiting for the answer, with a thread", WAITING, 1 },
    { "F6: forked while waiting for the answer, without a thread", WAITING, 0 },
    { "F7: forked while receiving, with a thread", RECEIVING, 1 },
    { "F7: forked while receiving, without a thread", RECEIVING, 0 },
    { "F8: forked while pausing before a retry, with a thread", PAUSING, 1 },
    { "F8: forked while pausing before a retry, without a thread", PAUSING, 0 },
    { "F9: forked at any moment while the thread is at work", AT_WORK, 1 },
    { "F10: options made before the fork serve the child", OPTIONS_ALONE, 1 },
};

typedef struct scene {
    stage stage;
    const fork_row *row;
    crowded_listener crowd;
    dreamapi_call *call;
    dreamapi_customer *customer; /* a result that was taken before the fork */
} scene;

/* ---- the child ---- */

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "child: %s\n", #condition);                                                          \
            _exit(CHILD_FAILED);                                                                                       \
        }                                                                                                              \
    } while (0)

static void find_all_refused(scene *c)
{
    dreamapi_client *client = c->stage.client;
    dreamapi_call *started = NULL;
    dreamapi_error error;

    CHECK(dreamapi_customer_get(client, "u", NULL, NULL, &error) == DREAMAPI_FORKED);
    CHECK(error.status == DREAMAPI_FORKED && error.local == 1);
    CHECK(dreamapi_tier_list_start(client, NULL, &started, NULL) == DREAMAPI_FORKED && !started);
    CHECK(dreamapi_usage_track(client, "u", NULL, NULL, NULL, NULL) == DREAMAPI_FORKED);
    CHECK(dreamapi_health_get(client, NULL, NULL, NULL) == DREAMAPI_FORKED);
    CHECK(dreamapi_client_fd(client) == -1 && dreamapi_client_timeout_ms(client) == -1);
    CHECK(!dreamapi_client_next(client) && dreamapi_client_perform(client) == DREAMAPI_FORKED);
    if (!c->call)
        return;
    CHECK(dreamapi_call_wait(c->call, -1, NULL) == DREAMAPI_FORKED);
    CHECK(dreamapi_call_result(c->call, NULL) == DREAMAPI_FORKED);
    CHECK(dreamapi_customer_result(c->call, NULL, NULL) == DREAMAPI_FORKED);
    CHECK(!dreamapi_call_json(c->call));
    dreamapi_call_cancel(c->call);
}

static void use_a_client_of_its_own(scene *c)
{
    dreamapi_client *client = NULL;
    dreamapi_error error;

    small_socket_is_on = false;
    CHECK(dreamapi_options_set_base_url(c->stage.options, c->stage.server.url) == DREAMAPI_OK);
#ifdef __SANITIZE_THREAD__
    /* That sanitizer cannot follow a thread begun in the child of a process with threads. */
    CHECK(dreamapi_options_set_threads(c->stage.options, 0) == DREAMAPI_OK);
#endif
    CHECK(dreamapi_client_new(c->stage.options, &client, &error) == DREAMAPI_OK);
    CHECK(dreamapi_customer_get(client, "user_1", NULL, NULL, &error) == DREAMAPI_OK);
    dreamapi_client_free(client);
}

static void be_the_child(scene *c, bool is_call_freed_first)
{
    (void)alarm(SOON_S);
    if (c->stage.client)
        find_all_refused(c);
    /* A result belongs to whoever took it; the child has its copy. */
    if (c->customer) {
        CHECK(strcmp(dreamapi_customer_id(c->customer), "user_1") == 0);
        dreamapi_customer_free(c->customer);
    }
    if (is_call_freed_first)
        dreamapi_call_free(c->call);
    dreamapi_client_free(c->stage.client);
    if (!is_call_freed_first)
        dreamapi_call_free(c->call);
    use_a_client_of_its_own(c);
    dreamapi_options_free(c->stage.options);
    _exit(0);
}

static void run_child(scene *c, bool is_call_freed_first)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        be_the_child(c, is_call_freed_first);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %d", status);
}

/* ---- bringing the parent to the moment ---- */

static void start_call(scene *c)
{
    stage *s = &c->stage;

    if (c->row->moment == SENDING)
        stage_expect(s, "start", start_long_post(s, &c->call), DREAMAPI_OK);
    else
        stage_expect(s, "start", stage_start(s, WORK_POST, &c->call), DREAMAPI_OK);
}

static bool has_come(scene *c)
{
    fault_counts counts = fault_server_counts(&c->stage.server);

    switch (c->row->moment) {
    case PROBING:
        return counts.probes > 0;
    case CONNECTING:
        return true;
    case PAUSING:
        return counts.requests > 0;
    default:
        return counts.touched > 0;
    }
}

/* Works until the server sees the moment, and some moments more. */
static void reach_moment(scene *c)
{
    int64_t until_ms = stage_now_ms() + SOON_MS;

    while (!has_come(c)) {
        assert_true(stage_now_ms() < until_ms);
        assert_int_equal(dreamapi_call_wait(c->call, 5, NULL), DREAMAPI_PENDING);
    }
    assert_int_equal(dreamapi_call_wait(c->call, 30, NULL), DREAMAPI_PENDING);
}

static void prepare(scene *c)
{
    static const fault_act in_request = { .cut = FAULT_GATE_REQUEST, .at = 20 };
    static const fault_act waiting = { .cut = FAULT_GATE_ANSWER };
    static const fault_act in_answer = { .cut = FAULT_GATE_ANSWER, .at = 30 };
    static const fault_act pause = { .answer = "HTTP/1.1 429 T\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}" };
    stage *s = &c->stage;
    moment when = c->row->moment;

    small_socket_is_on = when == SENDING;
    if (when == CONNECTING)
        (void)dreamapi_options_set_base_url(s->options, crowded_listener_open(&c->crowd));
    stage_make_client(s, c->row->threads);
    if (when == PROBING)
        fault_server_gate_health(&s->server);
    else if (when != CONNECTING)
        stage_learn(s, KNOWS_NOTHING);
    fault_server_arm(&s->server,
                     when == SENDING     ? &in_request
                     : when == WAITING   ? &waiting
                     : when == RECEIVING ? &in_answer
                                         : &pause,
                     when >= SENDING && when <= PAUSING);
}

/* ---- the rows ---- */

static void fork_while_idle(scene *c)
{
    stage *s = &c->stage;

    stage_expect(s, "first", stage_start(s, WORK_GET, &c->call), DREAMAPI_OK);
    if (c->row->moment == UNFETCHED) {
        /* Another call's end shows that this one has ended too, as the server takes one after the other. */
        while (dreamapi_call_result(c->call, NULL) == DREAMAPI_PENDING)
            stage_expect(s, "second", stage_do(s, WORK_GET), DREAMAPI_OK);
    } else {
        stage_expect(s, "first", dreamapi_call_wait(c->call, -1, &s->error), DREAMAPI_OK);
        stage_expect(s, "take", dreamapi_customer_result(c->call, &c->customer, &s->error), DREAMAPI_OK);
    }
    fault_server_arm(&s->server, NULL, 0);
    run_child(c, false);
    run_child(c, true);
    if (c->row->moment == UNFETCHED)
        assert_ptr_equal(dreamapi_client_next(s->client), c->call);
    /* The parent's connection is as it was: only the children made new ones. */
    stage_expect(s, "afterwards", stage_do(s, WORK_GET), DREAMAPI_OK);
    assert_int_equal(fault_server_counts(&s->server).connections, 2);
}

static void fork_during_call(scene *c)
{
    stage *s = &c->stage;
    fault_counts counts;
    dreamapi_status expected = DREAMAPI_OK;

    start_call(c);
    reach_moment(c);
    run_child(c, false);
    run_child(c, true);
    fault_server_release(&s->server);
    if (c->row->moment == CONNECTING) {
        /* Its server never accepts. */
        dreamapi_call_cancel(c->call);
        expected = DREAMAPI_CANCELLED;
    }
    stage_expect(s, "the parent's call", dreamapi_call_wait(c->call, SOON_MS, &s->error), expected);
    counts = fault_server_counts(&s->server);
    assert_int_equal(counts.works, c->row->moment == CONNECTING ? 0 : c->row->moment == PAUSING ? 2 : 1);
    assert_int_equal(counts.keys, c->row->moment == CONNECTING ? 0 : 1);
    if (c->row->moment != CONNECTING)
        stage_expect(s, "afterwards", stage_do(s, WORK_GET), DREAMAPI_OK);
}

static void fork_at_work(scene *c)
{
    stage *s = &c->stage;
    dreamapi_call *calls[BUSY_CALLS];
    int forks = stage_is_long() ? LONG_FORKS : PLAIN_FORKS;
    unsigned seed = 7;

    for (int i = 0; i < forks; i++) {
        for (int k = 0; k < BUSY_CALLS; k++)
            stage_expect(s, "start", stage_start(s, WORK_POST, &calls[k]), DREAMAPI_OK);
        c->call = calls[i % BUSY_CALLS];
        (void)usleep((unsigned)rand_r(&seed) % 1500);
        run_child(c, i % 2 == 0);
        for (int k = 0; k < BUSY_CALLS; k++) {
            stage_expect(s, "call", dreamapi_call_wait(calls[k], SOON_MS, &s->error), DREAMAPI_OK);
            dreamapi_call_free(calls[k]);
        }
    }
    c->call = NULL;
    assert_int_equal(fault_server_counts(&s->server).posts, forks * BUSY_CALLS);
}

/* The allocators of asan and tsan do not survive a fork while another thread allocates: a program of nothing but malloc,
 * free and fork hangs in the child now and then. */
static bool may_fork_at_work(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#else
    return true;
#endif
}

static void test_fork(void **state)
{
    scene c = { .row = *state };

    stage_open(&c.stage);
    if (c.row->moment == OPTIONS_ALONE) {
        run_child(&c, false);
    } else {
        prepare(&c);
        if (c.row->moment == IDLE || c.row->moment == UNFETCHED)
            fork_while_idle(&c);
        else if (c.row->moment == AT_WORK && may_fork_at_work())
            fork_at_work(&c);
        else if (c.row->moment != AT_WORK)
            fork_during_call(&c);
    }
    dreamapi_customer_free(c.customer);
    dreamapi_call_free(c.call);
    stage_close(&c.stage);
    crowded_listener_close(&c.crowd);
}

int main(void)
{
    return stage_run("faults_forks", test_fork, rows, sizeof(rows[0]), sizeof(rows) / sizeof(rows[0]));
}
