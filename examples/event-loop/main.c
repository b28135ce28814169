/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - a server of one thread on libuv, whose library starts no thread either: each line that comes in is a user's id, and costs
 * that user a unit of their plan. Nothing here ever waits but the loop: a user of whom nothing is known yet is answered when the
 * service was heard, and everybody else meanwhile.
 *
 *   cc main.c $(pkg-config --cflags --libs dreamapi libuv) -o event-loop
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./event-loop 127.0.0.1 9000 usage.journal */
#include <dreamapi.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* The longest that a line waits for the service; the longest line; how long the end may take. */
enum { PATIENCE_MS = 2000, LINE_SIZE = 256, STOP_MS = 3000 };

/* A client of this server. */
struct peer {
    uv_tcp_t stream;
    struct host *host;
    struct peer *next_waiting;
    uint64_t waits_since_ms; /* 0: does not wait */
    size_t size;
    char input[LINE_SIZE];
};

struct host {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_signal_t ends[2];
    /* The three things that the library needs of a loop: its descriptor, its time, and a look at that time before each wait. */
    uv_poll_t readable;
    uv_timer_t timer;
    uv_prepare_t before_wait;
    dreamapi_client *client;
    struct peer *waiting, **last_waiting; /* in the order in which they began to */
};

/* ---- one line ---- */

static void on_closed(uv_handle_t *stream)
{
    free(stream->data);
}

/* Sends a line. Who does not take the answers to what they sent is let go: 0. */
static int reply(struct peer *peer, const char *text)
{
    uv_buf_t buffer = uv_buf_init((char *)text, (unsigned)strlen(text));
    if (uv_try_write((uv_stream_t *)&peer->stream, &buffer, 1) == (int)buffer.len)
        return 1;
    uv_close((uv_handle_t *)&peer->stream, on_closed);
    return 0;
}

static const char *words_for(dreamapi_reason reason)
{
    switch (reason) {
    case DREAMAPI_REASON_LIMIT:
        return "the plan is used up";
    case DREAMAPI_REASON_HELD:
    case DREAMAPI_REASON_RATE:
        return "too fast";
    case DREAMAPI_REASON_NO_CUSTOMER:
        return "no customer";
    default:
        return "not at the moment";
    }
}

/* Meters a line and answers it; 0 if the peer is gone or has to wait. */
static int serve(struct peer *peer, const char *user)
{
    struct host *host = peer->host;
    dreamapi_decision decision;
    char text[128];
    dreamapi_status status = dreamapi_client_use(host->client, user, NULL, 1, &decision);
    if (status != DREAMAPI_OK && decision.reason == DREAMAPI_REASON_EMPTY) {
        uint64_t now_ms = uv_now(&host->loop);
        if (peer->waits_since_ms == 0)
            peer->waits_since_ms = now_ms;
        if (now_ms - peer->waits_since_ms < PATIENCE_MS) {
            peer->next_waiting = NULL;
            *host->last_waiting = peer;
            host->last_waiting = &peer->next_waiting;
            uv_read_stop((uv_stream_t *)&peer->stream); /* one line of a peer at a time */
            return 0;
        }
    }
    peer->waits_since_ms = 0;
    if (status == DREAMAPI_OK && decision.remaining == DREAMAPI_UNLIMITED)
        (void)snprintf(text, sizeof(text), "served\n");
    else if (status == DREAMAPI_OK)
        (void)snprintf(text, sizeof(text), "served, %lld left\n", (long long)decision.remaining);
    else
        (void)snprintf(text, sizeof(text), "refused: %s\n", words_for(decision.reason));
    return reply(peer, text);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct peer *peer = handle->data;
    (void)suggested;
    *out = uv_buf_init(peer->input + peer->size, (unsigned)(sizeof(peer->input) - peer->size));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

/* Serves the lines that are here. */
static void serve_lines(struct peer *peer)
{
    char *end;
    while ((end = memchr(peer->input, '\n', peer->size))) {
        *end = '\0';
        if (!serve(peer, peer->input)) {
            *end = '\n'; /* it comes again when the wait is over */
            return;
        }
        peer->size -= (size_t)(end + 1 - peer->input);
        memmove(peer->input, end + 1, peer->size);
    }
    if (peer->size == sizeof(peer->input)) /* a line without an end */
        uv_close((uv_handle_t *)&peer->stream, on_closed);
    else
        uv_read_start((uv_stream_t *)&peer->stream, on_allocate, on_read);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct peer *peer = stream->data;
    (void)buffer;
    if (size < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    peer->size += (size_t)size;
    serve_lines(peer);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct peer *peer = status == 0 ? calloc(1, sizeof(*peer)) : NULL;
    if (!peer)
        return;
    peer->host = listener->data;
    uv_tcp_init(listener->loop, &peer->stream);
    peer->stream.data = peer;
    if (uv_accept(listener, (uv_stream_t *)&peer->stream) == 0)
        serve_lines(peer);
    else
        uv_close((uv_handle_t *)&peer->stream, on_closed);
}

/* ---- the library in the loop ---- */

/* Lets the library work, and asks again for those who wait. */
static void work(struct host *host)
{
    dreamapi_client_perform(host->client);
    struct peer *peer = host->waiting;
    host->waiting = NULL;
    host->last_waiting = &host->waiting;
    while (peer) {
        struct peer *next = peer->next_waiting;
        serve_lines(peer);
        peer = next;
    }
    /* Calls that were begun with a _start function would be fetched here, with dreamapi_client_next. */
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    work(poll->data);
}

static void on_time(uv_timer_t *timer)
{
    work(timer->data);
}

/* How long the loop may sleep: until the library has something to do, or somebody's patience is over. */
static void before_wait(uv_prepare_t *prepare)
{
    struct host *host = prepare->data;
    int64_t wait_ms = dreamapi_client_timeout_ms(host->client);
    if (host->waiting) {
        int64_t left_ms = (int64_t)(host->waiting->waits_since_ms + PATIENCE_MS - uv_now(&host->loop));
        if (wait_ms < 0 || wait_ms > left_ms)
            wait_ms = left_ms > 0 ? left_ms : 0;
    }
    if (wait_ms < 0)
        uv_timer_stop(&host->timer);
    else
        uv_timer_start(&host->timer, on_time, (uint64_t)wait_ms, 0);
}

/* ---- start and end ---- */

static void close_handle(uv_handle_t *handle, void *host)
{
    int is_peer = handle->type == UV_TCP && handle != (uv_handle_t *)&((struct host *)host)->listener;
    if (!uv_is_closing(handle))
        uv_close(handle, is_peer ? on_closed : NULL);
}

static void on_end(uv_signal_t *signal, int number)
{
    (void)number;
    uv_stop(signal->loop);
}

static dreamapi_client *make_client(const char *journal)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_meter_params meters = DREAMAPI_METER_PARAMS_INIT;
    dreamapi_client *client = NULL;
    dreamapi_error error = { .message = "out of memory" };
    meters.policy = DREAMAPI_POLICY_DENY; /* what is not at hand is refused at once, and fetched meanwhile */
    if (dreamapi_options_set_threads(options, 0) != DREAMAPI_OK
        || dreamapi_options_set_journal(options, journal) != DREAMAPI_OK
        || dreamapi_options_set_meter_defaults(options, &meters) != DREAMAPI_OK
        || dreamapi_client_new(options, &client, &error) != DREAMAPI_OK)
        fprintf(stderr, "%s\n", error.message);
    dreamapi_options_free(options);
    return client;
}

/* A libuv status of 0 is success. */
static int listen_at(struct host *host, const char *address, int port)
{
    struct sockaddr_storage bound;
    int size = sizeof(bound);
    struct sockaddr_in where;
    int status = uv_tcp_init(&host->loop, &host->listener);
    host->listener.data = host;
    if (status == 0)
        status = uv_ip4_addr(address, port, &where);
    if (status == 0)
        status = uv_tcp_bind(&host->listener, (const struct sockaddr *)&where, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&host->listener, 128, on_connection);
    if (status == 0)
        status = uv_tcp_getsockname(&host->listener, (struct sockaddr *)&bound, &size);
    if (status == 0)
        printf("listening on %s:%d\n", address, ntohs(((struct sockaddr_in *)&bound)->sin_port));
    return status;
}

static int watch(struct host *host)
{
    static const int numbers[] = { SIGTERM, SIGINT };
    int status = uv_poll_init(&host->loop, &host->readable, dreamapi_client_fd(host->client));
    host->readable.data = host->timer.data = host->before_wait.data = host;
    uv_timer_init(&host->loop, &host->timer);
    uv_prepare_init(&host->loop, &host->before_wait);
    uv_prepare_start(&host->before_wait, before_wait);
    for (size_t i = 0; i < 2 && status == 0; i++) {
        uv_signal_init(&host->loop, &host->ends[i]);
        status = uv_signal_start(&host->ends[i], on_end, numbers[i]);
    }
    return status == 0 ? uv_poll_start(&host->readable, UV_READABLE, on_readable) : status;
}

int main(int argc, char **argv)
{
    struct host host = { .last_waiting = &host.waiting };
    dreamapi_error error;
    if (argc < 3 || argc > 4) {
        fprintf(stderr,
                "usage: %s IPV4-ADDRESS PORT [JOURNAL]   (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n",
                argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    host.client = make_client(argv[3]);
    if (!host.client)
        return EXIT_FAILURE;
    uv_loop_init(&host.loop);
    int status = watch(&host);
    if (status == 0)
        status = listen_at(&host, argv[1], atoi(argv[2]));
    if (status == 0)
        uv_run(&host.loop, UV_RUN_DEFAULT);
    else
        fprintf(stderr, "%s:%s: %s\n", argv[1], argv[2], uv_strerror(status));
    uv_walk(&host.loop, close_handle, &host);
    uv_run(&host.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&host.loop);
    /* Nobody is served any more, so this may wait: counts are reported, units handed back. What the journal then still has is
     * settled by the next start. */
    if (dreamapi_client_flush(host.client, STOP_MS, &error) != DREAMAPI_OK)
        fprintf(stderr, "usage is yet to be reported: %s\n", error.message);
    dreamapi_client_free(host.client);
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
