/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_client.c - http_client.h against our own server, and against scripted ones that misbehave. */
#include "net/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/http_server.h"
#include "raw.h"

enum { REQUEST_MAX = 1 << 20, CONNECTIONS_MAX = 64 };

/* ---- one exchange ---- */

struct got {
    sem_t is_done;
    atomic_int calls;
    int status;
    char failure[256];
    bool is_timeout, is_unsent;
    char *body;
    size_t body_size;
    int64_t retry_after_ms, elapsed_us;
    pthread_t thread;
};

static void on_reply(void *context, const dreamd_reply *reply)
{
    struct got *got = context;
    got->status = reply->status;
    (void)snprintf(got->failure, sizeof got->failure, "%s", reply->failure ? reply->failure : "");
    got->is_timeout = reply->is_timeout;
    got->is_unsent = reply->is_unsent;
    got->body = malloc(reply->body_size + 1);
    if (got->body)
        memcpy(got->body, reply->body, reply->body_size + 1); /* with its NUL */
    got->body_size = reply->body_size;
    got->retry_after_ms = reply->retry_after_ms;
    got->elapsed_us = reply->elapsed_us;
    got->thread = pthread_self();
    atomic_fetch_add(&got->calls, 1);
    (void)sem_post(&got->is_done);
}

static void got_init(struct got *got)
{
    memset(got, 0, sizeof *got);
    assert_int_equal(sem_init(&got->is_done, 0, 0), 0);
}

static void got_wait(struct got *got)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += 2 * RAW_PATIENCE_MS / 1000;
    assert_int_equal(sem_timedwait(&got->is_done, &at), 0);
}

static void got_clear(struct got *got)
{
    free(got->body);
    (void)sem_destroy(&got->is_done);
}

static struct got *ask(dreamd_http_client *client, const dreamd_outbound *outbound)
{
    static struct got got;
    free(got.body); /* of the exchange before */
    got_init(&got);
    dreamd_http_client_send(client, outbound, on_reply, &got);
    got_wait(&got);
    assert_non_null(got.body);
    assert_int_equal(strlen(got.body), got.body_size);
    (void)sem_destroy(&got.is_done);
    if (got.status == 0) { /* what every failure looks like */
        assert_string_not_equal(got.failure, "");
        assert_int_equal(got.body_size, 0);
        assert_int_equal(got.retry_after_ms, -1);
    } else {
        assert_string_equal(got.failure, "");
        assert_false(got.is_timeout || got.is_unsent);
    }
    return &got;
}

/* ---- a scripted server ---- */

struct script {
    void (*serve)(struct script *script, int fd, int number);
    int listener;
    char url[64];
    pthread_t thread;
    pthread_t workers[CONNECTIONS_MAX];
    atomic_int connections;
    atomic_int requests;  /* complete ones */
    const char *text;     /* what serve_text writes */
    pthread_mutex_t lock; /* guards what follows */
    char last[8192];      /* the head of the last request */
    size_t last_body;     /* bytes its body was to have */
};

struct connection {
    struct script *script;
    int fd;
    int number;
};

static void *run_connection(void *context)
{
    struct connection *connection = context;
    connection->script->serve(connection->script, connection->fd, connection->number);
    (void)close(connection->fd);
    free(connection);
    return NULL;
}

static void *run_script(void *context)
{
    struct script *script = context;
    const struct timeval patience = { RAW_PATIENCE_MS / 1000, 0 };
    for (;;) {
        int fd = accept(script->listener, NULL, NULL);
        int number = atomic_load(&script->connections);
        struct connection *connection = fd >= 0 ? malloc(sizeof *connection) : NULL;
        if (!connection || number == CONNECTIONS_MAX) {
            free(connection);
            return NULL; /* the listener was shut down */
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        *connection = (struct connection){ script, fd, number };
        if (pthread_create(&script->workers[number], NULL, run_connection, connection) != 0)
            return NULL;
        atomic_store(&script->connections, number + 1);
    }
}

static void script_start(struct script *script, void (*serve)(struct script *, int, int))
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    memset(script, 0, sizeof *script);
    script->serve = serve;
    (void)pthread_mutex_init(&script->lock, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(script->listener >= 0);
    assert_int_equal(bind(script->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(script->listener, 64), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(script->url, sizeof script->url, "http://127.0.0.1:%u/x", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&script->thread, NULL, run_script, script), 0);
}

/* After the client is gone: its open connections would hold the workers. */
static void script_stop(struct script *script)
{
    (void)shutdown(script->listener, SHUT_RDWR);
    (void)pthread_join(script->thread, NULL);
    for (int i = 0; i < atomic_load(&script->connections); i++)
        (void)pthread_join(script->workers[i], NULL);
    (void)close(script->listener);
    (void)pthread_mutex_destroy(&script->lock);
}

/* The head of the last request; borrowed until the next call. */
static const char *last_head(struct script *script, size_t *out_body)
{
    static char head[sizeof script->last];
    pthread_mutex_lock(&script->lock);
    memcpy(head, script->last, sizeof head);
    if (out_body)
        *out_body = script->last_body;
    pthread_mutex_unlock(&script->lock);
    return head;
}

/* Reads one request; false at the end of the connection. */
static bool read_request(struct script *script, int fd)
{
    char head[sizeof script->last];
    char piece[4096];
    size_t size = 0, left = 0;
    while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0) {
        if (size == sizeof head - 1 || recv(fd, head + size, 1, 0) != 1)
            return false;
        size++;
    }
    head[size] = '\0';
    const char *length = strcasestr(head, "\r\nContent-Length:");
    if (length)
        left = strtoul(length + 17, NULL, 10);
    pthread_mutex_lock(&script->lock);
    memcpy(script->last, head, size + 1);
    script->last_body = left;
    pthread_mutex_unlock(&script->lock);
    while (left > 0) {
        ssize_t got = recv(fd, piece, left < sizeof piece ? left : sizeof piece, 0);
        if (got <= 0)
            return false;
        left -= (size_t)got;
    }
    atomic_fetch_add(&script->requests, 1);
    return true;
}

static void write_text(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void serve_text(struct script *script, int fd, int number)
{
    (void)number;
    if (read_request(script, fd))
        write_text(fd, script->text);
}

static void serve_kept(struct script *script, int fd, int number)
{
    (void)number;
    while (read_request(script, fd))
        write_text(fd, script->text);
}

static const char ok_text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* ---- requests ---- */

static void test_send__says_what_it_was_given(void **state)
{
    static const char *const typed[] = { "Content-Type: application/json", "X-Key: 1", NULL };
    static const struct {
        dreamd_outbound outbound;
        const char *line, *has, *has_not;
    } rows[] = {
        { { .method = "GET" }, "GET /x HTTP/1.1\r\n", "\r\nUser-Agent: dreamapid\r\n", "Content-" },
        { { .method = "POST", .body = "ab", .body_size = 2 },
          "POST /x HTTP/1.1\r\n",
          "\r\nContent-Length: 2\r\n",
          "Content-Type" },
        { { .method = "POST", .body = "ab", .body_size = 2, .headers = typed },
          "POST /x HTTP/1.1\r\n",
          "\r\nContent-Type: application/json\r\nX-Key: 1\r\n",
          "Expect" },
        { { .method = "POST" }, "POST /x HTTP/1.1\r\n", "\r\nContent-Length: 0\r\n", "Content-Type" },
        { { .method = "PUT", .body = "ab", .body_size = 2 },
          "PUT /x HTTP/1.1\r\n",
          "\r\nContent-Length: 2\r\n",
          "Expect" },
        { { .method = "PATCH" }, "PATCH /x HTTP/1.1\r\n", "\r\nContent-Length: 0\r\n", "Transfer-Encoding" },
        { { .method = "DELETE" }, "DELETE /x HTTP/1.1\r\n", "\r\nHost: 127.0.0.1:", "Content-" },
        { { .method = "DELETE", .body = "ab", .body_size = 2 },
          "DELETE /x HTTP/1.1\r\n",
          "\r\nContent-Length: 2\r\n",
          "Expect" },
    };
    struct script script;
    (void)state;
    script_start(&script, serve_kept);
    script.text = ok_text;
    dreamd_http_client *client = dreamd_http_client_new();
    assert_non_null(client);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dreamd_outbound outbound = rows[i].outbound;
        outbound.url = script.url;
        struct got *got = ask(client, &outbound);
        assert_int_equal(got->status, 200);
        assert_string_equal(got->body, "ok");
        size_t body;
        const char *head = last_head(&script, &body);
        assert_memory_equal(head, rows[i].line, strlen(rows[i].line));
        if (!strstr(head, rows[i].has) || strstr(head, rows[i].has_not))
            fail_msg("row %zu: %s", i, head);
        assert_int_equal(body, outbound.body_size);
    }
    dreamd_http_client_free(client);
    script_stop(&script);
}

static void test_send__path_is_as_given(void **state)
{
    static const char *const paths[] = { "/a/../b/./c", "/..", "/.", "/a/%2e%2e/b" };
    struct script script;
    (void)state;
    script_start(&script, serve_kept);
    script.text = ok_text;
    dreamd_http_client *client = dreamd_http_client_new();
    assert_non_null(client);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char url[128], line[128];
        size_t body;
        (void)snprintf(url, sizeof url, "%.*s%s", (int)(strlen(script.url) - strlen("/x")), script.url, paths[i]);
        (void)snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", paths[i]);
        const dreamd_outbound outbound = { .method = "GET", .url = url };
        assert_int_equal(ask(client, &outbound)->status, 200);
        const char *head = last_head(&script, &body);
        assert_memory_equal(head, line, strlen(line));
    }
    dreamd_http_client_free(client);
    script_stop(&script);
}

static void test_send__head_has_no_body(void **state)
{
    struct script script;
    (void)state;
    script_start(&script, serve_text);
    script.text = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    dreamd_http_client *client = dreamd_http_client_new();
    struct got *got = ask(client, &(dreamd_outbound){ .method = "HEAD", .url = script.url });
    assert_int_equal(got->status, 200);
    assert_int_equal(got->body_size, 0);
    dreamd_http_client_free(client);
    script_stop(&script);
}

static void test_send__large_body_is_whole(void **state)
{
    struct script script;
    char *body = calloc(1, REQUEST_MAX);
    (void)state;
    assert_non_null(body);
    script_start(&script, serve_text);
    script.text = ok_text;
    dreamd_http_client *client = dreamd_http_client_new();
    const dreamd_outbound outbound = { .method = "POST", .url = script.url, .body = body, .body_size = REQUEST_MAX };
    size_t sent = 0;
    assert_int_equal(ask(client, &outbound)->status, 200);
    (void)last_head(&script, &sent);
    assert_int_equal(sent, REQUEST_MAX);
    assert_int_equal(atomic_load(&script.requests), 1);
    dreamd_http_client_free(client);
    script_stop(&script);
    free(body);
}

static void test_send__connection_is_kept(void **state)
{
    struct script script;
    (void)state;
    script_start(&script, serve_kept);
    script.text = ok_text;
    dreamd_http_client *client = dreamd_http_client_new();
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            ask(client, &(dreamd_outbound){ .method = "POST", .url = script.url, .body = "a", .body_size = 1 })->status,
            200);
    assert_int_equal(atomic_load(&script.connections), 1);
    dreamd_http_client_free(client);
    script_stop(&script);
}

static void test_send__malformed_is_refused_unsent(void **state)
{
    static const char *const broken[] = { "X-A: b\r\nX-C: d", NULL };
    static const char *const nameless[] = { "just words", NULL };
    static const dreamd_outbound rows[] = {
        { .method = "GET", .url = "http://127.0.0.1:1/\r\nX: y" },
        { .method = "GET", .url = "http://127.0.0.1:1/", .headers = broken },
        { .method = "GET", .url = "http://127.0.0.1:1/", .headers = nameless },
        { .method = "GET X", .url = "http://127.0.0.1:1/" },
        { .method = "G\r\nET", .url = "http://127.0.0.1:1/" },
        { .method = "", .url = "http://127.0.0.1:1/" },
        { .method = NULL, .url = "http://127.0.0.1:1/" },
        { .method = "GET", .url = NULL },
        { .method = "GET", .url = "" },
        { .method = "GET", .url = "file:///etc/hostname" },
        { .method = "GET", .url = "ftp://127.0.0.1/" },
        { .method = "GET", .url = "gopher://127.0.0.1/" },
        { .method = "GET", .url = "http://127.0.0.1:99999/" },
        { .method = "GET", .url = "http://" },
    };
    (void)state;
    dreamd_http_client *client = dreamd_http_client_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct got *got = ask(client, &rows[i]);
        if (got->status != 0 || !got->is_unsent || got->is_timeout)
            fail_msg("row %zu: %d %s", i, got->status, got->failure);
    }
    dreamd_http_client_free(client);
}

static void test_send__inputs_are_copied(void **state)
{
    struct script script;
    struct got got;
    char method[] = "POST", url[64], header[] = "X-Key: mine", body[] = "body";
    const char *headers[] = { header, NULL };
    (void)state;
    script_start(&script, serve_text);
    script.text = ok_text;
    (void)snprintf(url, sizeof url, "%s", script.url);
    dreamd_http_client *client = dreamd_http_client_new();
    got_init(&got);
    dreamd_http_client_send(
        client, &(dreamd_outbound){ .method = method, .url = url, .headers = headers, .body = body, .body_size = 4 },
        on_reply, &got);
    memset(method, 'x', 4);
    memset(url, 'x', sizeof url - 1);
    memset(header, 'x', sizeof header - 1);
    headers[0] = NULL;
    got_wait(&got);
    assert_int_equal(got.status, 200);
    assert_memory_equal(last_head(&script, NULL), "POST /x HTTP/1.1\r\n", 18);
    assert_non_null(strstr(last_head(&script, NULL), "\r\nX-Key: mine\r\n"));
    got_clear(&got);
    dreamd_http_client_free(client);
    script_stop(&script);
}

static void test_send__loopback_needs_no_proxy(void **state)
{
    struct script script;
    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("no_proxy", "shop.example", 1), 0);
    script_start(&script, serve_text);
    script.text = ok_text;
    dreamd_http_client *client = dreamd_http_client_new();
    assert_int_equal(ask(client, &(dreamd_outbound){ .method = "GET", .url = script.url })->status, 200);
    dreamd_http_client_free(client);
    script_stop(&script);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("no_proxy"), 0);
}

/* ---- replies ---- */

static void test_reply__is_read_or_refused(void **state)
{
    static const struct {
        const char *text;
        int status;
        const char *body; /* of an answer; words of the failure else */
        int64_t retry_after_ms;
    } rows[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", -1 },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, "abcde", -1 },
        { "HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", -1 },
        { "HTTP/1.1 204 No Content\r\n\r\n", 204, "", -1 },
        { "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302, "", -1 },
        { "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 429, "", 7000 },
        { "HTTP/1.1 429 Slow\r\nretry-after:\t7 \r\nContent-Length: 0\r\n\r\n", 429, "", 7000 },
        { "HTTP/1.1 503 No\r\nRetry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n", 503, "", 0 },
        { "HTTP/1.1 503 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", 503, "", -1 },
        { "HTTP/1.1 503 No\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n", 503, "", -1 },
        { "HTTP/1.1 503 No\r\nRetry-After: "
          "0000000000000000000000000000000000000000000000000000000000000000000000001\r\nContent-Length: 0\r\n\r\n",
          503, "", -1 },
        { "HTTP/1.1 503 No\r\nRetry-After-Not: 5\r\nContent-Length: 0\r\n\r\n", 503, "", -1 },
        { "HTTP/1.1 103 Hints\r\nRetry-After: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", -1 },
        { "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", 500, "oops", -1 },
        { "", 0, "without an answer", -1 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut", 0, "before the answer was complete", -1 },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 0, "(", -1 },
        { "not http at all, and long enough to see\r\n\r\n", 0, "", -1 },
        { "HTTP/1.1 2", 0, "", -1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct script script;
        script_start(&script, serve_text);
        script.text = rows[i].text;
        dreamd_http_client *client = dreamd_http_client_new();
        struct got *got =
            ask(client, &(dreamd_outbound){ .method = "POST", .url = script.url, .body = "a", .body_size = 1 });
        if (got->status != rows[i].status || got->retry_after_ms != rows[i].retry_after_ms)
            fail_msg("row %zu: %d %s %lld", i, got->status, got->failure, (long long)got->retry_after_ms);
        if (got->status)
            assert_string_equal(got->body, rows[i].body);
        else if (!strstr(got->failure, rows[i].body) || got->is_unsent)
            fail_msg("row %zu: %s", i, got->failure);
        assert_int_equal(atomic_load(&script.requests), 1);
        dreamd_http_client_free(client);
        script_stop(&script);
    }
}

static void test_reply__size_is_bounded(void **state)
{
    static const struct {
        size_t max;
        const char *text;
        int status;
    } rows[] = {
        { 5, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200 },
        { 4, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0 },
        { 4, "HTTP/1.1 200 OK\r\n\r\nhello", 0 },
        { 4, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct script script;
        script_start(&script, serve_text);
        script.text = rows[i].text;
        dreamd_http_client *client = dreamd_http_client_new();
        struct got *got =
            ask(client, &(dreamd_outbound){ .method = "GET", .url = script.url, .max_response = rows[i].max });
        assert_int_equal(got->status, rows[i].status);
        if (!got->status)
            assert_string_equal(got->failure, "The answer is larger than allowed");
        dreamd_http_client_free(client);
        script_stop(&script);
    }
}

/* Writes headers until nobody listens any more. */
static void serve_endless_head(struct script *script, int fd, int number)
{
    (void)number;
    if (!read_request(script, fd))
        return;
    write_text(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 100000; i++)
        if (send(fd, "X-Filler: 0123456789\r\n", 22, MSG_NOSIGNAL) != 22)
            return;
}

static void test_reply__head_is_bounded(void **state)
{
    struct script script;
    (void)state;
    script_start(&script, serve_endless_head);
    dreamd_http_client *client = dreamd_http_client_new();
    struct got *got = ask(client, &(dreamd_outbound){ .method = "GET", .url = script.url });
    assert_int_equal(got->status, 0);
    assert_string_equal(got->failure, "The answer's head is larger than allowed");
    dreamd_http_client_free(client);
    script_stop(&script);
}

/* ---- no answer ---- */

static void test_refused__is_unsent(void **state)
{
    struct script script;
    (void)state;
    script_start(&script, serve_text);
    script_stop(&script); /* a port where surely nobody listens */
    dreamd_http_client *client = dreamd_http_client_new();
    struct got *got =
        ask(client, &(dreamd_outbound){ .method = "POST", .url = script.url, .body = "a", .body_size = 1 });
    assert_int_equal(got->status, 0);
    assert_true(got->is_unsent);
    assert_false(got->is_timeout);
    assert_non_null(strstr(got->failure, "does not take the connection"));
    dreamd_http_client_free(client);
}

static void serve_silence(struct script *script, int fd, int number)
{
    char byte;
    (void)number;
    if (read_request(script, fd))
        (void)recv(fd, &byte, 1, 0); /* until the client gives up */
}

static void test_timeout__is_told_and_may_have_arrived(void **state)
{
    struct script script;
    (void)state;
    script_start(&script, serve_silence);
    dreamd_http_client *client = dreamd_http_client_new();
    struct got *got =
        ask(client,
            &(dreamd_outbound){ .method = "POST", .url = script.url, .body = "a", .body_size = 1, .timeout_ms = 200 });
    assert_int_equal(got->status, 0);
    assert_true(got->is_timeout);
    assert_false(got->is_unsent);
    assert_true(got->elapsed_us >= 190000);
    assert_int_equal(atomic_load(&script.requests), 1);
    dreamd_http_client_free(client);
    script_stop(&script);
}

/* ---- a kept connection that turns out dead ---- */

/* The first connection answers one request, reads the next as a whole, and hangs up on it. Later ones answer. */
static void serve_then_hang_up(struct script *script, int fd, int number)
{
    while (read_request(script, fd)) {
        if (number == 0 && atomic_load(&script->requests) > 1)
            return;
        write_text(fd, script->text);
    }
}

static void test_dead_connection__request_is_sent_twice_only_if_that_is_safe(void **state)
{
    static const char *const keyed[] = { "Idempotency-Key: k1", NULL };
    static char large[300000];
    static const struct {
        dreamd_outbound outbound;
        bool is_answered;
        int requests;
    } rows[] = {
        { { .method = "POST", .body = "pay", .body_size = 3 }, false, 2 },
        { { .method = "POST", .body = large, .body_size = sizeof large }, false, 2 },
        { { .method = "PATCH", .body = "pay", .body_size = 3 }, false, 2 },
        { { .method = "POST", .body = "pay", .body_size = 3, .headers = keyed }, true, 3 },
        { { .method = "POST", .body = large, .body_size = sizeof large, .headers = keyed }, true, 3 },
        { { .method = "PUT", .body = "pay", .body_size = 3 }, true, 3 },
        { { .method = "GET" }, true, 3 },
        { { .method = "DELETE" }, true, 3 },
        { { .method = "POST" }, true, 2 }, /* no body: on a connection of its own from the start */
        { { .method = "PATCH" }, true, 2 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct script script;
        script_start(&script, serve_then_hang_up);
        script.text = ok_text;
        dreamd_http_client *client = dreamd_http_client_new();
        assert_int_equal(ask(client, &(dreamd_outbound){ .method = "GET", .url = script.url })->status, 200);
        dreamd_outbound outbound = rows[i].outbound;
        outbound.url = script.url;
        struct got *got = ask(client, &outbound);
        if (got->status != (rows[i].is_answered ? 200 : 0) || atomic_load(&script.requests) != rows[i].requests)
            fail_msg("row %zu: %d %s, %d requests", i, got->status, got->failure, atomic_load(&script.requests));
        assert_false(got->is_unsent); /* it may well have arrived */
        dreamd_http_client_free(client);
        script_stop(&script);
    }
}

/* Answers one request on each connection and hangs up at once, as a server with a short idle time does. */
static void test_dead_connection__closed_while_idle_is_noticed(void **state)
{
    struct script script;
    const struct timespec pause = { 0, 20000000 }; /* lets the close arrive; the test holds without it as well */
    (void)state;
    script_start(&script, serve_text);
    script.text = ok_text;
    dreamd_http_client *client = dreamd_http_client_new();
    for (int i = 0; i < 5; i++) {
        struct got *got =
            ask(client, &(dreamd_outbound){ .method = "POST", .url = script.url, .body = "a", .body_size = 1 });
        assert_true(got->status == 200 || (got->status == 0 && !got->is_timeout));
        assert_true(atomic_load(&script.requests) <= i + 1);
        (void)nanosleep(&pause, NULL);
    }
    dreamd_http_client_free(client);
    script_stop(&script);
}

/* ---- many ---- */

static void handle_echo(void *context, dreamd_request *request)
{
    size_t size;
    (void)context;
    const void *body = dreamd_request_body(request, &size);
    dreamd_request_answer(request, 200, "text/plain", body, size);
}

struct sender {
    dreamd_http_client *client;
    const char *url;
    struct got got[50];
    pthread_t thread;
};

static void *send_many(void *context)
{
    struct sender *sender = context;
    for (int i = 0; i < 50; i++) {
        char body[32];
        int size = snprintf(body, sizeof body, "%p/%d", context, i);
        dreamd_http_client_send(
            sender->client,
            &(dreamd_outbound){
                .method = "POST", .url = sender->url, .body = body, .body_size = (size_t)size, .timeout_ms = 60000 },
            on_reply, &sender->got[i]);
    }
    return NULL;
}

static void test_many__threads_get_their_own_replies(void **state)
{
    enum { SENDERS = 4 };
    char error[256];
    struct sender *senders = calloc(SENDERS, sizeof *senders);
    const dreamd_http_server_options options = { .listen = "127.0.0.1:0", .handler = handle_echo };
    (void)state;
    assert_non_null(senders);
    dreamd_http_server *server = dreamd_http_server_start(&options, error);
    assert_non_null(server);
    dreamd_http_client *client = dreamd_http_client_new();
    for (int s = 0; s < SENDERS; s++) {
        senders[s].client = client;
        senders[s].url = dreamd_http_server_url(server);
        for (int i = 0; i < 50; i++)
            got_init(&senders[s].got[i]);
        assert_int_equal(pthread_create(&senders[s].thread, NULL, send_many, &senders[s]), 0);
    }
    for (int s = 0; s < SENDERS; s++)
        assert_int_equal(pthread_join(senders[s].thread, NULL), 0);
    for (int s = 0; s < SENDERS; s++) {
        for (int i = 0; i < 50; i++) {
            char body[32];
            struct got *got = &senders[s].got[i];
            got_wait(got);
            (void)snprintf(body, sizeof body, "%p/%d", (void *)&senders[s], i);
            assert_int_equal(got->status, 200);
            assert_string_equal(got->body, body);
            assert_true(pthread_equal(got->thread, senders[0].got[0].thread));
            assert_false(pthread_equal(got->thread, pthread_self()));
            got_clear(got);
        }
    }
    dreamd_http_client_free(client);
    dreamd_http_server_stop(server, 1000);
    free(senders);
}

/* A handler that waits for another server, as the service does: suspended here, answered from the client's thread. */
struct relay {
    dreamd_http_client *client;
    const char *url;
};

static void on_relayed(void *context, const dreamd_reply *reply)
{
    dreamd_request_answer(context, reply->status ? (unsigned)reply->status : 502, "text/plain", reply->body,
                          reply->body_size);
}

static void handle_relay(void *context, dreamd_request *request)
{
    struct relay *relay = context;
    size_t size;
    const void *body = dreamd_request_body(request, &size);
    dreamd_http_client_send(
        relay->client,
        &(dreamd_outbound){ .method = "POST", .url = relay->url, .body = body, .body_size = size, .timeout_ms = 60000 },
        on_relayed, request);
}

static void test_many__through_a_suspended_handler(void **state)
{
    enum { REQUESTS = 200 };
    char error[256];
    static struct got got[REQUESTS];
    struct relay relay;
    (void)state;
    dreamd_http_server *back = dreamd_http_server_start(
        &(dreamd_http_server_options){ .listen = "127.0.0.1:0", .handler = handle_echo }, error);
    assert_non_null(back);
    relay.client = dreamd_http_client_new();
    relay.url = dreamd_http_server_url(back);
    dreamd_http_server *front = dreamd_http_server_start(
        &(dreamd_http_server_options){ .listen = "127.0.0.1:0", .handler = handle_relay, .context = &relay }, error);
    assert_non_null(front);
    dreamd_http_client *client = dreamd_http_client_new();
    for (int i = 0; i < REQUESTS; i++) {
        char body[16];
        int size = snprintf(body, sizeof body, "n%d", i);
        got_init(&got[i]);
        dreamd_http_client_send(client,
                                &(dreamd_outbound){ .method = "POST",
                                                    .url = dreamd_http_server_url(front),
                                                    .body = body,
                                                    .body_size = (size_t)size,
                                                    .timeout_ms = 60000 },
                                on_reply, &got[i]);
    }
    for (int i = 0; i < REQUESTS; i++) {
        char body[16];
        got_wait(&got[i]);
        (void)snprintf(body, sizeof body, "n%d", i);
        assert_int_equal(got[i].status, 200);
        assert_string_equal(got[i].body, body);
        got_clear(&got[i]);
    }
    dreamd_http_client_free(client);
    dreamd_http_server_stop(front, 1000);
    dreamd_http_client_free(relay.client);
    dreamd_http_server_stop(back, 1000);
}

/* ---- free ---- */

static void test_free__fails_what_is_under_way_once(void **state)
{
    enum { REQUESTS = 20 };
    struct script script;
    struct got got[REQUESTS];
    (void)state;
    script_start(&script, serve_silence);
    dreamd_http_client *client = dreamd_http_client_new();
    for (int i = 0; i < REQUESTS; i++) {
        got_init(&got[i]);
        dreamd_http_client_send(client, &(dreamd_outbound){ .method = "GET", .url = script.url }, on_reply, &got[i]);
    }
    dreamd_http_client_free(client);
    for (int i = 0; i < REQUESTS; i++) {
        assert_int_equal(atomic_load(&got[i].calls), 1);
        assert_int_equal(got[i].status, 0);
        assert_string_equal(got[i].failure, "The client is stopping");
        got_clear(&got[i]);
    }
    script_stop(&script);
}

struct persistent {
    dreamd_http_client *client;
    const char *url;
    int sent;
    int failed;
};

static void on_reply_send_again(void *context, const dreamd_reply *reply)
{
    struct persistent *persistent = context;
    persistent->failed += reply->status == 0;
    if (persistent->sent++ < 3)
        dreamd_http_client_send(persistent->client, &(dreamd_outbound){ .method = "GET", .url = persistent->url },
                                on_reply_send_again, context);
}

static void test_free__callbacks_may_send_again(void **state)
{
    struct script script;
    (void)state;
    script_start(&script, serve_silence);
    struct persistent persistent = { .client = dreamd_http_client_new(), .url = script.url };
    dreamd_http_client_send(persistent.client, &(dreamd_outbound){ .method = "GET", .url = script.url },
                            on_reply_send_again, &persistent);
    dreamd_http_client_free(persistent.client);
    assert_int_equal(persistent.failed, 4);
    script_stop(&script);
}

static void test_free__null_and_unused(void **state)
{
    (void)state;
    dreamd_http_client_free(NULL);
    dreamd_http_client_free(dreamd_http_client_new());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send__says_what_it_was_given),
        cmocka_unit_test(test_send__path_is_as_given),
        cmocka_unit_test(test_send__head_has_no_body),
        cmocka_unit_test(test_send__large_body_is_whole),
        cmocka_unit_test(test_send__connection_is_kept),
        cmocka_unit_test(test_send__malformed_is_refused_unsent),
        cmocka_unit_test(test_send__inputs_are_copied),
        cmocka_unit_test(test_send__loopback_needs_no_proxy),
        cmocka_unit_test(test_reply__is_read_or_refused),
        cmocka_unit_test(test_reply__size_is_bounded),
        cmocka_unit_test(test_reply__head_is_bounded),
        cmocka_unit_test(test_refused__is_unsent),
        cmocka_unit_test(test_timeout__is_told_and_may_have_arrived),
        cmocka_unit_test(test_dead_connection__request_is_sent_twice_only_if_that_is_safe),
        cmocka_unit_test(test_dead_connection__closed_while_idle_is_noticed),
        cmocka_unit_test(test_many__threads_get_their_own_replies),
        cmocka_unit_test(test_many__through_a_suspended_handler),
        cmocka_unit_test(test_free__fails_what_is_under_way_once),
        cmocka_unit_test(test_free__callbacks_may_send_again),
        cmocka_unit_test(test_free__null_and_unused),
    };
    return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
