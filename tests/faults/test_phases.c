/* SPDX-License-Identifier: Apache-2.0 */
/* test_phases.c - the deadline passes, or another thread cancels, in each phase of a call: in the queue for a
 * connection, while the server is asked what it knows, while its name is looked up, while connecting, in the TLS handshake,
 * sending, waiting, receiving, pausing before a retry. With a thread of the client's own and without. Each happens to a
 * GET, to a POST of which the server knows no key, and to a keyed one, with a key of the caller's and with the library's.
 *
 * No try of any of them follows by itself. A keyed POST is then repeated with its key, as its caller would: that succeeds,
 * and the work is done once. `retriable` says 1 when the same call again can do no harm.
 *
 * The name lookup is held up by a getaddrinfo of our own, which libcurl calls instead of the C library's; sending by a
 * small send buffer, through a socket() of our own. */
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "small_socket.h"
#include "stage.h"

enum { POOL = 64, SHORT_MS = 250, PROBE_MS = 1000, LONG_MS = 60000, SOON_MS = 8000 };

/* ---- what libcurl finds instead of the C library ---- */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool is_gate_open;
static int lookups;

/* A name server that does not answer until the test is over. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **out);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)name;
    (void)service;
    (void)hints;
    *out = NULL;
    pthread_mutex_lock(&gate_lock);
    lookups++;
    pthread_cond_broadcast(&gate_changed);
    while (!is_gate_open)
        pthread_cond_wait(&gate_changed, &gate_lock);
    lookups--;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
    return EAI_NONAME;
}

static void wait_for_lookup(void)
{
    pthread_mutex_lock(&gate_lock);
    while (lookups == 0)
        pthread_cond_wait(&gate_changed, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
}

static void open_gate(void)
{
    pthread_mutex_lock(&gate_lock);
    is_gate_open = true;
    pthread_cond_broadcast(&gate_changed);
    while (lookups > 0)
        pthread_cond_wait(&gate_changed, &gate_lock);
    is_gate_open = false;
    pthread_mutex_unlock(&gate_lock);
}

/* ---- the phases ---- */

typedef enum phase { QUEUE, PROBE, DNS, CONNECT, TLS, SENDING, WAITING, RECEIVING, PAUSING } phase;

typedef struct phase_row {
    const char *sentence;
    phase phase;
    int threads;
    bool is_cancelled;    /* else its deadline passes */
    dreamapi_status get;  /* how a GET ends */
    dreamapi_status post; /* how a POST ends */
} phase_row;

#define ROWS(where, phase, get, post)                                                                                  \
    { "the deadline passes " where, phase, 1, false, get, post },                                                      \
        { "the deadline passes " where ", without a thread", phase, 0, false, get, post },                             \
        { "another thread cancels " where, phase, 1, true, DREAMAPI_CANCELLED, DREAMAPI_CANCELLED },                   \
    {                                                                                                                  \
        "another thread cancels " where ", without a thread", phase, 0, true, DREAMAPI_CANCELLED, DREAMAPI_CANCELLED   \
    }

static phase_row rows[] = {
    ROWS("in the queue for a connection", QUEUE, DREAMAPI_TIMEOUT, DREAMAPI_TIMEOUT),
    /* A GET of a user's usage cannot go on without an answer, and gives each try half of the time that is left: the tries
     * are over before the deadline is. A POST goes on without extensions, and then hangs. One try of half a second leaves
     * the other half as a margin; with four retries it would be a thirty-second part. */
    ROWS("while the server is asked what it knows", PROBE, DREAMAPI_UNAVAILABLE, DREAMAPI_OUTCOME_UNKNOWN),
    ROWS("while the name is looked up", DNS, DREAMAPI_TIMEOUT, DREAMAPI_TIMEOUT),
    ROWS("while connecting", CONNECT, DREAMAPI_TIMEOUT, DREAMAPI_TIMEOUT),
    ROWS("in the TLS handshake", TLS, DREAMAPI_TIMEOUT, DREAMAPI_TIMEOUT),
    ROWS("while sending", SENDING, DREAMAPI_TIMEOUT, DREAMAPI_OUTCOME_UNKNOWN),
    ROWS("while waiting for the answer", WAITING, DREAMAPI_TIMEOUT, DREAMAPI_OUTCOME_UNKNOWN),
    ROWS("while receiving", RECEIVING, DREAMAPI_TIMEOUT, DREAMAPI_OUTCOME_UNKNOWN),
    /* A pause that would last beyond the deadline is not begun: the call ends at once with what the server said. */
    ROWS("while pausing", PAUSING, DREAMAPI_RATE_LIMITED, DREAMAPI_RATE_LIMITED),
};

typedef struct scene {
    stage stage;
    const phase_row *row;
    work kind;
    char key[FAULT_KEY_SIZE];     /* of a keyed POST, with which it is repeated */
    dreamapi_call *filling[POOL]; /* calls that occupy every connection */
    crowded_listener crowd;
    pthread_t canceller;
    dreamapi_call *call;
} scene;

static void start_call(scene *c)
{
    stage *s = &c->stage;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_status status;

    options.timeout_ms = s->timeout_ms;
    if (c->row->phase == PROBE && c->kind == WORK_GET)
        status = dreamapi_usage_get_start(s->client, "user_1", &options, &c->call, &s->error);
    else if (c->row->phase == SENDING && c->kind != WORK_GET)
        status = start_long_post(s, &c->call);
    else
        status = stage_start(s, c->kind, &c->call);
    stage_expect(s, "start", status, DREAMAPI_OK);
    if (c->kind == WORK_KEYED_POST)
        (void)snprintf(c->key, sizeof(c->key), "%s", dreamapi_call_idempotency_key(c->call));
}

/* ---- before the call ---- */

static void fill_pool(scene *c)
{
    stage *s = &c->stage;
    int64_t timeout_ms = s->timeout_ms;

    s->timeout_ms = LONG_MS;
    for (int i = 0; i < POOL; i++)
        stage_expect(s, "fill", stage_start(s, WORK_GET, &c->filling[i]), DREAMAPI_OK);
    s->timeout_ms = timeout_ms;
    /* Without a thread, somebody has to work until they are all on their way. */
    for (int64_t until_ms = stage_now_ms() + SOON_MS; fault_server_counts(&s->server).touched < POOL;) {
        assert_true(stage_now_ms() < until_ms);
        (void)dreamapi_call_wait(c->filling[0], 5, NULL);
    }
}

static void prepare_client(scene *c)
{
    stage *s = &c->stage;
    char url[64];

    if (c->row->phase == DNS)
        (void)dreamapi_options_set_base_url(s->options, "https://slow.invalid");
    if (c->row->phase == CONNECT)
        (void)dreamapi_options_set_base_url(s->options, crowded_listener_open(&c->crowd));
    if (c->row->phase == TLS) {
        (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", s->server.port);
        (void)dreamapi_options_set_base_url(s->options, url);
    }
    stage_make_client(s, c->row->threads);
}

static void prepare(scene *c)
{
    static const fault_act hold = { .cut = FAULT_CUT_ANSWER, .end = FAULT_HOLD };
    static const fault_act hold_request = { .cut = FAULT_CUT_REQUEST, .at = 20, .end = FAULT_HOLD };
    static const fault_act hold_in_answer = { .cut = FAULT_CUT_ANSWER, .at = 30, .end = FAULT_HOLD };
    static const fault_act pause = { .answer = "HTTP/1.1 429 T\r\nRetry-After: 30\r\nContent-Length: 2\r\n\r\n{}" };
    static fault_act holds[POOL + 1];
    stage *s = &c->stage;

    small_socket_is_on = c->row->phase == SENDING;
    s->timeout_ms = c->row->is_cancelled ? LONG_MS : c->row->phase == PROBE ? PROBE_MS : SHORT_MS;
    if (c->row->phase == PROBE)
        (void)dreamapi_options_set_max_retries(s->options, 0);
    prepare_client(c);
    if (c->row->phase == PROBE) {
        fault_server_health(&s->server, NULL, false);
        fault_server_arm(&s->server, &hold, 1);
        return;
    }
    if (c->row->phase == DNS || c->row->phase == CONNECT || c->row->phase == TLS)
        return;
    stage_learn(s, c->kind == WORK_KEYED_POST ? KNOWS_KEYS : KNOWS_NOTHING);
    for (int i = 0; i <= POOL; i++)
        holds[i] = hold;
    if (c->row->phase == QUEUE) {
        fault_server_arm(&s->server, holds, POOL + 1);
        fill_pool(c);
        return;
    }
    fault_server_arm(&s->server,
                     c->row->phase == SENDING     ? &hold_request
                     : c->row->phase == WAITING   ? &hold
                     : c->row->phase == RECEIVING ? &hold_in_answer
                                                  : &pause,
                     1);
}

/* ---- during the call ---- */

/* Waits for what can be seen of a phase from outside. */
static void wait_for_phase(scene *c)
{
    switch (c->row->phase) {
    case PROBE:
        assert_true(fault_server_wait_probes(&c->stage.server, 1));
        break;
    case DNS:
        wait_for_lookup();
        break;
    case TLS:
        assert_true(fault_server_wait_connections(&c->stage.server, 1));
        break;
    case SENDING:
    case WAITING:
    case RECEIVING:
    case PAUSING:
        assert_true(fault_server_wait_touched(&c->stage.server, 1));
        break;
    case QUEUE:
    case CONNECT:
        break;
    }
    /* From there the call needs some moments more, and nothing outside tells when it is there. */
    (void)usleep(20000);
}

static void *cancel(void *argument)
{
    scene *c = argument;

    wait_for_phase(c);
    dreamapi_call_cancel(c->call);
    return NULL;
}

static void finish(scene *c)
{
    stage *s = &c->stage;

    dreamapi_call_free(c->call);
    for (int i = 0; i < POOL; i++)
        dreamapi_call_free(c->filling[i]);
    open_gate();
    stage_close(s);
    open_gate();
    crowded_listener_close(&c->crowd);
    small_socket_is_on = false;
}

/* ---- after the call ---- */

/* In these phases bytes of the request have left. */
static bool has_arrived(const scene *c)
{
    return c->row->phase == SENDING || c->row->phase == WAITING || c->row->phase == RECEIVING
           || (c->row->phase == PROBE && !c->row->is_cancelled);
}

/* In the others the server is out of reach, and the client does not know what it can do. */
static bool knows_server(const scene *c)
{
    return c->row->phase == QUEUE || c->row->phase >= SENDING;
}

static int expected_retriable(const scene *c)
{
    if (c->kind == WORK_GET || !has_arrived(c))
        return 1;
    /* With a key that its caller does not know by heart the same call again would be another one. */
    return c->kind == WORK_KEYED_POST && knows_server(c) && c->stage.key != NULL;
}

static void repeat_with_key(scene *c)
{
    stage *s = &c->stage;
    fault_counts counts;

    s->key = c->key;
    s->timeout_ms = LONG_MS;
    small_socket_is_on = false;
    stage_expect(s, "the same with its key", stage_do(s, WORK_KEYED_POST), DREAMAPI_OK);
    counts = fault_server_counts(&s->server);
    if (counts.works != 1 || counts.keys != 1)
        fail_msg("done %d times under %d keys", counts.works, counts.keys);
}

static void end_in_phase(const phase_row *row, work kind, const char *key)
{
    scene c = { .row = row, .kind = kind };
    stage *s = &c.stage;
    int64_t start_ms;
    int64_t took_ms;
    dreamapi_status status;
    fault_counts counts;

    stage_open(s);
    s->key = key;
    prepare(&c);
    start_ms = stage_now_ms();
    start_call(&c);
    if (row->is_cancelled)
        assert_int_equal(pthread_create(&c.canceller, NULL, cancel, &c), 0);
    status = dreamapi_call_wait(c.call, SOON_MS, &s->error);
    took_ms = stage_now_ms() - start_ms;
    if (row->is_cancelled)
        pthread_join(c.canceller, NULL);
    counts = fault_server_counts(&s->server);
    stage_expect(s, work_names[kind], status, kind == WORK_GET ? row->get : row->post);
    if (!row->is_cancelled && status != DREAMAPI_RATE_LIMITED && status != DREAMAPI_UNAVAILABLE && took_ms < SHORT_MS)
        fail_msg("it ended after %d ms", (int)took_ms);
    if (took_ms > SOON_MS - 1000)
        fail_msg("it took %d ms", (int)took_ms);
    /* In the handshake it is the client's hello that the server sees: that of the call, and of GET /health. */
    if (counts.touched > (row->phase == QUEUE ? POOL : row->phase == TLS ? 2 : 1) || counts.works > 1)
        fail_msg("%d requests reached the server", counts.touched);
    if (row->phase == TLS)
        assert_int_equal(counts.requests, 0);
    if (s->error.retriable != expected_retriable(&c))
        fail_msg("%s%s: retriable is %d", work_names[kind], key ? " with a key of its caller's" : "",
                 s->error.retriable);
    /* In the queue the other calls still hold every connection. */
    if (kind == WORK_KEYED_POST && knows_server(&c) && row->phase != QUEUE)
        repeat_with_key(&c);
    finish(&c);
}

static void test_phase(void **state)
{
    end_in_phase(*state, WORK_GET, NULL);
    end_in_phase(*state, WORK_POST, NULL);
    end_in_phase(*state, WORK_KEYED_POST, "order-1");
    end_in_phase(*state, WORK_KEYED_POST, NULL);
}

int main(void)
{
    return stage_run("faults_phases", test_phase, rows, sizeof(rows[0]), sizeof(rows) / sizeof(rows[0]));
}
