/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_server.c - http_server.h, met by raw sockets on loopback. */
#include "net/http_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "raw.h"

#define HOST "Host: shop.example\r\n"

enum { MAX_BODY = 4096, MAX_LARGE_BODY = 4 * MAX_BODY, FILE_SIZE = 3000000, HELD_MAX = 256 };

/* The server under test and what its handler keeps for later. */
struct fixture {
    dreamd_metrics *metrics;
    dreamd_http_server *server;
    uint16_t port;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    dreamd_request *held[HELD_MAX];
    unsigned held_count;
    unsigned denied_count;
    unsigned admitted_count;
};

/* ---- the handler ---- */

static void echo(dreamd_request *request)
{
    size_t size;
    const char *body = dreamd_request_body(request, &size);
    const char *a = dreamd_request_query(request, "a");
    const char *host = dreamd_request_header(request, "hOsT");
    const char *absent = dreamd_request_header(request, "X-Absent");
    char *text = dream_arena_printf(dreamd_request_arena(request), "%s|%s|a=%s|host=%s|%s|%s|%zu:%s",
                                    dreamd_request_method(request), dreamd_request_path(request), a ? a : "(none)",
                                    host ? host : "(none)", absent ? absent : "(none)", dreamd_request_remote(request),
                                    size, body);
    dreamd_request_set_route(request, "ANY /echo");
    assert_int_equal(body[size], '\0');
    dreamd_request_answer(request, 200, "text/plain", text, strlen(text));
}

static void hold(struct fixture *fixture, dreamd_request *request)
{
    pthread_mutex_lock(&fixture->lock);
    fixture->held[fixture->held_count++] = request;
    pthread_cond_broadcast(&fixture->arrived);
    pthread_mutex_unlock(&fixture->lock);
}

static void answer_path(dreamd_request *request, unsigned status)
{
    const char *path = dreamd_request_path(request); /* gone with the answer: which copies it first */
    dreamd_request_answer(request, status, "text/plain", path, strlen(path));
}

/* A file that counts its bytes, gone with its descriptor. */
static int make_file(void)
{
    static unsigned char piece[FILE_SIZE];
    char path[] = "/tmp/test-http-server-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)unlink(path);
    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = (unsigned char)(i % 251);
    assert_int_equal(write(fd, piece, sizeof piece), FILE_SIZE);
    return fd;
}

static const dreamd_constant_header constants[] = {
    { "X-Content-Type-Options", "nosniff" },
    { "X-Shop", "ours" },
    { NULL, NULL },
};

static void handle(void *context, dreamd_request *request)
{
    const char *path = dreamd_request_path(request);
    if (strncmp(path, "/later", 6) == 0) {
        hold(context, request);
    } else if (strcmp(path, "/twice") == 0) {
        dreamd_request_answer(request, 200, "text/plain", "first", 5);
        dreamd_request_answer(request, 500, "text/plain", "second", 6);
    } else if (strcmp(path, "/empty") == 0) {
        dreamd_request_answer(request, 204, NULL, "ignored", 7);
    } else if (strcmp(path, "/file") == 0) {
        dreamd_request_answer_file(request, 200, "image/png", make_file(), FILE_SIZE);
    } else if (strcmp(path, "/bare") == 0) {
        dreamd_request_answer(request, 200, NULL, NULL, 0);
    } else if (strncmp(path, "/constant", 9) == 0) {
        dreamd_request_set_constant_headers(request, constants);
        answer_path(request, strcmp(path, "/constant404") == 0 ? 404 : 200);
    } else if (strcmp(path, "/headers") == 0) {
        assert_true(dreamd_request_set_header(request, "Location", "https://shop.example/a?b=c"));
        assert_true(dreamd_request_set_header(request, "Set-Cookie", "a=1"));
        assert_false(dreamd_request_set_header(request, "X-Forged", "a\r\nb: c"));
        assert_false(dreamd_request_set_header(request, "X-Forged", "a\n"));
        assert_false(dreamd_request_set_header(request, "X Forged", "a"));
        assert_false(dreamd_request_set_header(request, "X-Forged:", "a"));
        assert_false(dreamd_request_set_header(request, "", "a"));
        assert_false(dreamd_request_set_header(request, "X-Forged", NULL));
        assert_false(dreamd_request_set_header(request, "content-length", "0"));
        assert_false(dreamd_request_set_header(request, "Transfer-Encoding", "chunked"));
        assert_false(dreamd_request_set_header(request, "Connection", "close"));
        dreamd_request_answer(request, 302, "text/plain", "", 0);
    } else {
        echo(request);
    }
}

static void count_one(struct fixture *fixture, unsigned *counted)
{
    pthread_mutex_lock(&fixture->lock);
    (*counted)++;
    pthread_cond_broadcast(&fixture->arrived);
    pthread_mutex_unlock(&fixture->lock);
}

/* Whether a large body may come: not at all, later, or at once. */
static void admit_large(void *context, dreamd_request *request)
{
    struct fixture *fixture = context;
    const char *path = dreamd_request_path(request);
    assert_true(dreamd_request_set_header(request, "X-Asked", "1"));
    if (strstr(path, "/denied")) {
        count_one(fixture, &fixture->denied_count);
        answer_path(request, 401);
    } else if (strstr(path, "/asked")) {
        hold(fixture, request);
    } else {
        dreamd_request_admit(request);
        count_one(fixture, &fixture->admitted_count);
    }
}

/* ---- set up ---- */

static struct timespec in_patience(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += RAW_PATIENCE_MS / 1000;
    return at;
}

static void wait_count(struct fixture *fixture, const unsigned *counted, unsigned count)
{
    const struct timespec at = in_patience();
    int code = 0;
    pthread_mutex_lock(&fixture->lock);
    while (*counted < count && code == 0)
        code = pthread_cond_timedwait(&fixture->arrived, &fixture->lock, &at);
    pthread_mutex_unlock(&fixture->lock);
    assert_int_equal(code, 0);
}

static void wait_held(struct fixture *fixture, unsigned count)
{
    wait_count(fixture, &fixture->held_count, count);
}

static dreamd_request *take_held(struct fixture *fixture)
{
    wait_held(fixture, 1);
    pthread_mutex_lock(&fixture->lock);
    dreamd_request *request = fixture->held[--fixture->held_count];
    pthread_mutex_unlock(&fixture->lock);
    return request;
}

static bool is_large(const char *method, const char *path)
{
    return strcmp(method, "POST") == 0 && strstr(path, "large") != NULL;
}

static dreamd_http_server_options usual(struct fixture *fixture)
{
    return (dreamd_http_server_options){ .name = "test",
                                         .listen = "127.0.0.1:0",
                                         .max_body = MAX_BODY,
                                         .is_large = is_large,
                                         .max_large_body = MAX_LARGE_BODY,
                                         .admit_large = admit_large,
                                         .handler = handle,
                                         .context = fixture,
                                         .metrics = fixture->metrics };
}

static void start(struct fixture *fixture, const dreamd_http_server_options *options)
{
    char error[256];
    fixture->server = dreamd_http_server_start(options, error);
    if (!fixture->server)
        fail_msg("%s", error);
    fixture->port = raw_port(dreamd_http_server_url(fixture->server));
}

static int set_up_stopped(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!fixture)
        return -1;
    fixture->metrics = dreamd_metrics_new();
    (void)pthread_mutex_init(&fixture->lock, NULL);
    (void)pthread_cond_init(&fixture->arrived, NULL);
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    if (set_up_stopped(state) != 0)
        return -1;
    const dreamd_http_server_options options = usual(*state);
    start(*state, &options);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    dreamd_http_server_stop(fixture->server, 0);
    dreamd_metrics_free(fixture->metrics);
    (void)pthread_cond_destroy(&fixture->arrived);
    (void)pthread_mutex_destroy(&fixture->lock);
    free(fixture);
    return 0;
}

static bool page_has(struct fixture *fixture, const char *line)
{
    dream_buffer page = DREAM_BUFFER_INIT;
    dreamd_metrics_print(fixture->metrics, &page);
    bool is_there = strstr(dream_buffer_str(&page), line) != NULL;
    dream_buffer_clear(&page);
    return is_there;
}

/* A request counts when libmicrohttpd is done with it, shortly after its client has the answer. */
static void wait_for_page(struct fixture *fixture, const char *line)
{
    const struct timespec pause = { 0, 2000000 };
    int64_t deadline = raw_now_ms() + RAW_PATIENCE_MS;
    while (!page_has(fixture, line)) {
        assert_true(raw_now_ms() < deadline);
        (void)nanosleep(&pause, NULL);
    }
}

static void assert_answer(struct fixture *fixture, const char *request, int status, const char *body)
{
    raw_answer answer = raw_exchange(fixture->port, request);
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.body, body);
    raw_answer_clear(&answer);
}

static void assert_has(const raw_answer *answer, const char *name, const char *value)
{
    char found[256];
    if (!raw_header(answer, name, found))
        fail_msg("no %s in %s", name, answer->head);
    assert_string_equal(found, value);
}

/* ---- what a handler sees ---- */

static void test_request__is_seen_as_sent(void **state)
{
    static const struct {
        const char *request, *seen;
    } rows[] = {
        { "GET /a%20b/%2e%2E/c HTTP/1.1\r\n" HOST "\r\n",
          "GET|/a%20b/%2e%2E/c|a=(none)|host=shop.example|(none)|127.0.0.1|0:" },
        { "POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
          "POST|/p|a=(none)|host=shop.example|(none)|127.0.0.1|5:hello" },
        { "PUT /p HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
          "PUT|/p|a=(none)|host=shop.example|(none)|127.0.0.1|0:" },
        { "DELETE /d?a=1 HTTP/1.1\r\n" HOST "\r\n", "DELETE|/d|a=1|host=shop.example|(none)|127.0.0.1|0:" },
        { "PATCH /p HTTP/1.1\r\n" HOST
          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n",
          "PATCH|/p|a=(none)|host=shop.example|(none)|127.0.0.1|7:abcdefg" },
        { "GET /x HTTP/1.0\r\n\r\n", "GET|/x|a=(none)|host=(none)|(none)|127.0.0.1|0:" },
        { "GET http://other.example:81/x?a=b HTTP/1.1\r\n" HOST "\r\n",
          "GET|/x|a=b|host=other.example:81|(none)|127.0.0.1|0:" },
        { "GET HTTPS://other.example HTTP/1.1\r\n" HOST "\r\n",
          "GET|/|a=(none)|host=other.example|(none)|127.0.0.1|0:" },
        { "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS|*|a=(none)|host=shop.example|(none)|127.0.0.1|0:" },
        { "GET //x HTTP/1.1\r\n" HOST "\r\n", "GET|//x|a=(none)|host=shop.example|(none)|127.0.0.1|0:" },
        { "GET /x HTTP/1.1\r\n" HOST "X-Absent:  two  words \r\n\r\n",
          "GET|/x|a=(none)|host=shop.example|two  words|127.0.0.1|0:" },
        { "GET /x HTTP/1.1\r\n" HOST "X-Absent:\r\n\r\n", "GET|/x|a=(none)|host=shop.example||127.0.0.1|0:" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_answer(*state, rows[i].request, 200, rows[i].seen);
}

static void test_query__is_decoded(void **state)
{
    static const struct {
        const char *query, *value;
    } rows[] = {
        { "a=1", "1" },
        { "a=", "" },
        { "a", "" },
        { "b=2&a=1", "1" },
        { "a=1&a=2", "1" },
        { "", "(none)" },
        { "aa=1", "(none)" },
        { "A=1", "(none)" },
        { "a=x%26y%3Dz", "x&y=z" },
        { "a=one+two%20three%2B", "one two three+" },
        { "%61=1", "1" },
        { "a=caf%C3%A9", "caf\xc3\xa9" },
        { "a=%zz", "(none)" },
        { "a=%", "(none)" },
        { "a=%00", "(none)" },
        { "&&a=1&&", "1" },
        { "=1&a=2", "2" },
        { "a=b=c", "b=c" },
        { "a=?x", "?x" },
        { "ab=1&a", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[256], seen[256];
        (void)snprintf(request, sizeof request, "GET /q?%s HTTP/1.1\r\n" HOST "\r\n", rows[i].query);
        (void)snprintf(seen, sizeof seen, "GET|/q|a=%s|host=shop.example|(none)|127.0.0.1|0:", rows[i].value);
        assert_answer(*state, request, 200, seen);
    }
}

static void test_request_id__is_echoed_if_sane_and_made_if_not(void **state)
{
    static const struct {
        const char *sent;
        bool is_kept;
    } rows[] = {
        { "req_1.2:3-Z", true },
        { "", false },
        { "a b", false },
        { "a\"b", false },
        { "<script>", false },
        { "caf\xc3\xa9", false },
        { "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
          "8901234567890123456789",
          false },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[512], id[256];
        (void)snprintf(request, sizeof request, "GET / HTTP/1.1\r\n" HOST "X-Request-Id: %s\r\n\r\n", rows[i].sent);
        raw_answer answer = raw_exchange(fixture->port, request);
        assert_true(raw_header(&answer, "X-Request-Id", id));
        assert_int_equal(strcmp(id, rows[i].sent) == 0, rows[i].is_kept);
        if (!rows[i].is_kept) {
            assert_int_equal(strlen(id), 20);
            assert_memory_equal(id, "req_", 4);
        }
        raw_answer_clear(&answer);
    }
}

static void test_request_id__made_ones_differ(void **state)
{
    struct fixture *fixture = *state;
    char first[256], second[256];
    raw_answer one = raw_exchange(fixture->port, "GET / HTTP/1.1\r\n" HOST "\r\n");
    raw_answer two = raw_exchange(fixture->port, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_true(raw_header(&one, "X-Request-Id", first) && raw_header(&two, "X-Request-Id", second));
    assert_string_not_equal(first, second);
    raw_answer_clear(&one);
    raw_answer_clear(&two);
}

/* ---- what is refused ---- */

static void test_malformed__is_refused_and_the_connection_closed(void **state)
{
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        { "GET / HTTP/1.1\r\n\r\n", 400 }, /* no Host */
        { "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
        { "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400 },
        { "GET x HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET ftp://x/ HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "CONNECT shop.example:443 HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\nhello", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nhello", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\nhello", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
        { "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n", 413 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999999\r\n\r\n", 413 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n", 413 },
        { "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\nhello", 400 }, /* ignored here, obeyed by a proxy */
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n" HOST "X(: a\r\n\r\n", 400 },
        { "G\x01T / HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET /\x1b[0m HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET /?\x07 HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET / HTTP/2.0\r\n" HOST "\r\n", 505 },
        { "GET / HTTP/9.9\r\n" HOST "\r\n", 505 },
        { "nonsense\r\n\r\n", 400 },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char rest[4096];
        int fd = raw_connect(fixture->port);
        raw_text(fd, rows[i].request);
        raw_answer answer = raw_read(fd, false);
        /* libmicrohttpd closes on some without a word, which refuses them as well. */
        if (answer.status != rows[i].status && answer.status != 0)
            fail_msg("row %zu: %d %s", i, answer.status, answer.body);
        /* For a bad Content-Length, libmicrohttpd 0.9.75 writes the head of its 400 twice. It closes, so that misleads
         * nobody; what matters is that nothing was served. */
        raw_rest(fd, rest);
        if (strstr(rest, " 200 "))
            fail_msg("row %zu: served: %s", i, rest);
        (void)close(fd);
        raw_answer_clear(&answer);
    }
    assert_answer(fixture, "GET /alive HTTP/1.1\r\n" HOST "\r\n", 200,
                  "GET|/alive|a=(none)|host=shop.example|(none)|127.0.0.1|0:");
}

static void test_malformed__our_refusals_are_json(void **state)
{
    struct fixture *fixture = *state;
    raw_answer answer = raw_exchange(fixture->port, "GET ftp://x/ HTTP/1.1\r\n" HOST "X-Request-Id: abc\r\n\r\n");
    assert_int_equal(answer.status, 400);
    assert_string_equal(answer.body, "{\"error\":\"The request target is not a path\"}");
    assert_has(&answer, "Content-Type", "application/json");
    assert_has(&answer, "X-Request-Id", "abc");
    assert_has(&answer, "Connection", "close");
    raw_answer_clear(&answer);
}

/* libmicrohttpd ends texts at a NUL. What counts: nothing behind it is taken for a request of its own. */
static void test_head__nul_bytes_do_not_smuggle(void **state)
{
    static const char path[] = "GET /a\0b HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    static const char header[] = "GET /a HTTP/1.1\r\n" HOST "X-Absent: a\0GET /b HTTP/1.1\r\nConnection: close\r\n\r\n";
    struct fixture *fixture = *state;
    for (int i = 0; i < 2; i++) {
        int fd = raw_connect(fixture->port);
        raw_send(fd, i == 0 ? path : header, (i == 0 ? sizeof path : sizeof header) - 1);
        raw_answer answer = raw_read(fd, false);
        assert_true(answer.status == 400 || answer.status == 200);
        assert_true(raw_is_closed(fd));
        raw_answer_clear(&answer);
        (void)close(fd);
    }
}

static void test_head__too_large_is_refused(void **state)
{
    enum { SIZE = 40000 };
    struct fixture *fixture = *state;
    char *text = malloc(SIZE + 1);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    for (int i = 0; i < 3; i++) {
        int fd = raw_connect(fixture->port);
        raw_text(fd, i == 0 ? "GET /" : "GET / HTTP/1.1\r\n" HOST);
        for (int line = 0; i == 1 && line < 4000; line++)
            raw_text(fd, "A: b\r\n");
        raw_text(fd, i == 2 ? "X-Long: " : "");
        if (i != 1)
            raw_text(fd, text);
        raw_text(fd, i == 0 ? " HTTP/1.1\r\n" HOST "\r\n" : "\r\n\r\n");
        raw_answer answer = raw_read(fd, false);
        assert_true(answer.status == (i == 0 ? 414 : 431) || answer.status == 0);
        raw_answer_clear(&answer);
        (void)close(fd);
    }
    free(text);
    assert_answer(fixture, "GET /bare HTTP/1.1\r\n" HOST "\r\n", 200, "");
}

/* ---- bodies ---- */

static void send_body(int fd, size_t size)
{
    char piece[1000];
    memset(piece, 'x', sizeof piece);
    while (size > 0) {
        size_t part = size < sizeof piece ? size : sizeof piece;
        raw_send(fd, piece, part);
        size -= part;
    }
}

/* Sends the first `part` of a body. */
static int begin_part(struct fixture *fixture, const char *path, size_t size, size_t part)
{
    char head[128];
    int fd = raw_connect(fixture->port);
    (void)snprintf(head, sizeof head, "POST %s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", path, size);
    raw_text(fd, head);
    send_body(fd, part);
    return fd;
}

static int begin_post(struct fixture *fixture, const char *path, size_t size)
{
    return begin_part(fixture, path, size, size);
}

static raw_answer post_sized(struct fixture *fixture, const char *path, size_t size)
{
    int fd = begin_post(fixture, path, size);
    raw_answer answer = raw_read(fd, false);
    (void)close(fd);
    return answer;
}

static void test_body__limit_is_exact(void **state)
{
    static const struct {
        const char *path;
        size_t size;
        int status;
    } rows[] = {
        { "/", MAX_BODY - 1, 200 },
        { "/", MAX_BODY, 200 },
        { "/", MAX_BODY + 1, 413 },
        { "/", 2 * MAX_BODY, 413 },
        { "/large", MAX_BODY + 1, 200 },
        { "/large", MAX_LARGE_BODY, 200 },
        { "/large", MAX_LARGE_BODY + 1, 413 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        raw_answer answer = post_sized(*state, rows[i].path, rows[i].size);
        assert_int_equal(answer.status, rows[i].status);
        if (answer.status == 413)
            assert_string_equal(answer.body, "{\"error\":\"The request body is too large\"}");
        raw_answer_clear(&answer);
    }
}

static void test_body__chunked_limit_is_exact(void **state)
{
    struct fixture *fixture = *state;
    for (size_t chunks = 1; chunks <= 2 * MAX_BODY / 512; chunks++) {
        int fd = raw_connect(fixture->port);
        raw_text(fd, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t i = 0; i < chunks; i++) {
            raw_text(fd, "200\r\n");
            send_body(fd, 512);
            raw_text(fd, "\r\n");
        }
        raw_text(fd, "0\r\n\r\n");
        raw_answer answer = raw_read(fd, false);
        assert_int_equal(answer.status, chunks * 512 <= MAX_BODY ? 200 : 413);
        raw_answer_clear(&answer);
        (void)close(fd);
    }
}

static void test_body__chunks_without_end_are_cut_off(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        raw_text(fd, "200\r\n");
        send_body(fd, 512);
        raw_text(fd, "\r\n");
    }
    assert_true(raw_is_closed(fd));
    (void)close(fd);
}

static int status_of_post(struct fixture *fixture, const char *path, size_t size)
{
    raw_answer answer = post_sized(fixture, path, size);
    int status = answer.status;
    if (status == 503)
        assert_has(&answer, "Retry-After", "1");
    raw_answer_clear(&answer);
    return status;
}

static void test_body__only_so_many_large_ones_are_kept(void **state)
{
    struct fixture *fixture = *state;
    int clients[DREAMD_MAX_LARGE_BODIES];
    int64_t started = raw_now_ms();
    for (int i = 0; i < DREAMD_MAX_LARGE_BODIES; i++)
        clients[i] = begin_post(fixture, "/later/large", MAX_BODY + 1);
    wait_held(fixture, DREAMD_MAX_LARGE_BODIES);
    assert_int_equal(status_of_post(fixture, "/large", MAX_BODY + 1), 503);
    assert_int_equal(status_of_post(fixture, "/large", MAX_BODY), 200); /* takes no place */
    answer_path(take_held(fixture), 200);
    /* The place is free when the memory is, a moment after the answer. */
    while (status_of_post(fixture, "/large", MAX_LARGE_BODY) == 503)
        assert_true(raw_now_ms() < started + RAW_PATIENCE_MS);
    while (fixture->held_count > 0)
        answer_path(take_held(fixture), 200);
    for (int i = 0; i < DREAMD_MAX_LARGE_BODIES; i++)
        (void)close(clients[i]);
}

static void assert_closing_answer(int fd, int status, const char *text)
{
    raw_answer answer = raw_read(fd, false);
    assert_int_equal(answer.status, status);
    if (!strstr(answer.body, text))
        fail_msg("%s", answer.body);
    raw_answer_clear(&answer);
    (void)close(fd);
}

static void test_large__who_is_denied_takes_no_place(void **state)
{
    enum { CLIENTS = 2 * DREAMD_MAX_LARGE_BODIES };
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = begin_part(fixture, "/large/denied", MAX_LARGE_BODY, MAX_BODY + 1);
    wait_count(fixture, &fixture->denied_count, CLIENTS);
    assert_int_equal(status_of_post(fixture, "/large", MAX_LARGE_BODY), 200);
    for (int i = 0; i < CLIENTS; i++) {
        send_body(clients[i], MAX_LARGE_BODY - MAX_BODY - 1);
        assert_closing_answer(clients[i], 401, "/large/denied");
    }
    assert_int_equal(fixture->held_count, 0);
}

static void test_large__is_let_in_or_answered_later(void **state)
{
    struct fixture *fixture = *state;
    char expected[32];
    char unexpected[256];
    int fd = begin_post(fixture, "/large/asked", MAX_LARGE_BODY);
    dreamd_request_admit(take_held(fixture));
    raw_answer answer = raw_read(fd, false);
    (void)snprintf(expected, sizeof expected, "|%d:xxx", MAX_LARGE_BODY);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, expected));
    assert_false(raw_header(&answer, "X-Asked", unexpected));
    raw_answer_clear(&answer);
    (void)close(fd);
    fd = begin_post(fixture, "/large/asked", MAX_LARGE_BODY);
    answer_path(take_held(fixture), 403);
    assert_closing_answer(fd, 403, "/large/asked");
}

static void test_large__is_let_in_between_chunks(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "POST /large/asked HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int sent = 0; sent < MAX_LARGE_BODY; sent += 1024) {
        raw_text(fd, "400\r\n");
        send_body(fd, 1024);
        raw_text(fd, "\r\n");
    }
    raw_text(fd, "0\r\n\r\n");
    dreamd_request_admit(take_held(fixture));
    char expected[32];
    (void)snprintf(expected, sizeof expected, "|%d:xxx", MAX_LARGE_BODY);
    assert_closing_answer(fd, 200, expected);
}

static void test_large__a_slow_one_loses_its_place(void **state)
{
    struct fixture *fixture = *state;
    dreamd_http_server_options options = usual(fixture);
    int clients[DREAMD_MAX_LARGE_BODIES];
    int64_t started = raw_now_ms();
    size_t sent = MAX_BODY + 1;
    options.large_grace_ms = 100;
    start(fixture, &options);
    for (int i = 0; i < DREAMD_MAX_LARGE_BODIES; i++)
        clients[i] = begin_part(fixture, "/large", MAX_LARGE_BODY, sent);
    wait_count(fixture, &fixture->admitted_count, DREAMD_MAX_LARGE_BODIES);
    /* Never idle, and never done. */
    do {
        assert_true(raw_now_ms() < started + RAW_PATIENCE_MS && sent < MAX_LARGE_BODY - 1);
        for (int i = 0; i < DREAMD_MAX_LARGE_BODIES; i++)
            send_body(clients[i], 1);
        sent++;
    } while (status_of_post(fixture, "/large", MAX_LARGE_BODY) != 200
             || raw_now_ms() < started + 2 * (int64_t)options.large_grace_ms);
    for (int i = 0; i < DREAMD_MAX_LARGE_BODIES; i++) {
        send_body(clients[i], MAX_LARGE_BODY - sent);
        assert_closing_answer(clients[i], 408, "The request body came too slowly");
    }
}

static void test_body__continue_is_sent_to_who_waits(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    raw_answer interim = raw_read(fd, false);
    assert_int_equal(interim.status, 100);
    raw_text(fd, "hello");
    raw_answer answer = raw_read(fd, false);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, "5:hello"));
    raw_answer_clear(&interim);
    raw_answer_clear(&answer);
    (void)close(fd);
}

static void test_body__too_large_is_refused_before_continue(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 4097\r\nExpect: 100-continue\r\n\r\n");
    raw_answer answer = raw_read(fd, false);
    assert_int_equal(answer.status, 413);
    assert_true(raw_is_closed(fd));
    raw_answer_clear(&answer);
    (void)close(fd);
}

static void test_body__arrives_byte_by_byte(void **state)
{
    static const char request[] = "POST /slow HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello";
    struct fixture *fixture = *state;
    const struct timespec pause = { 0, 1000000 }; /* lets each byte be a packet; nothing waits for it */
    int fd = raw_connect(fixture->port);
    for (size_t i = 0; i < sizeof request - 1; i++) {
        raw_send(fd, request + i, 1);
        (void)nanosleep(&pause, NULL);
    }
    raw_answer answer = raw_read(fd, false);
    assert_non_null(strstr(answer.body, "5:hello"));
    raw_answer_clear(&answer);
    (void)close(fd);
}

static void test_slow__client_is_cut_off(void **state)
{
    static const char *const starts[] = { "GET /slow HTTP/1.1\r\nHo",
                                          "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel", "" };
    struct fixture *fixture = *state;
    dreamd_http_server_options options = usual(fixture);
    options.idle_timeout_s = 1;
    start(fixture, &options);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        int fd = raw_connect(fixture->port);
        raw_text(fd, starts[i]);
        raw_answer answer = raw_read(fd, false); /* nothing, or 408 */
        assert_true(answer.status == 0 || answer.status == 408);
        raw_answer_clear(&answer);
        (void)close(fd);
    }
}

/* ---- answers ---- */

static void test_answer__headers_and_their_refusals(void **state)
{
    struct fixture *fixture = *state;
    char value[256];
    raw_answer answer = raw_exchange(fixture->port, "GET /headers HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.status, 302);
    assert_has(&answer, "Location", "https://shop.example/a?b=c");
    assert_has(&answer, "Set-Cookie", "a=1");
    assert_has(&answer, "Content-Type", "text/plain");
    assert_has(&answer, "Content-Length", "0");
    assert_true(raw_header(&answer, "Date", value));
    assert_false(raw_header(&answer, "X-Forged", value));
    assert_false(raw_header(&answer, "Connection", value));
    raw_answer_clear(&answer);
}

static unsigned count_of(const raw_answer *answer, const char *text)
{
    unsigned count = 0;
    for (const char *at = strstr(answer->head, text); at; at = strstr(at + 1, text))
        count++;
    return count;
}

/* What is kept of one answer must not show in the next. */
static void test_answer__kept_headers_serve_each_its_own_id_and_body(void **state)
{
    static const struct {
        const char *path;
        int status;
    } rows[] = { { "/constant200", 200 }, { "/constant404", 404 }, { "/constant", 200 }, { "/constant_1x", 200 },
                 { "/bare", 200 },        { "/constant404", 404 }, { "/bare", 200 },     { "/constant200", 200 } };
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    for (size_t i = 0; i < 10 * sizeof rows / sizeof rows[0]; i++) {
        size_t row = i % (sizeof rows / sizeof rows[0]);
        bool is_bare = strcmp(rows[row].path, "/bare") == 0;
        char request[128], id[32];
        (void)snprintf(id, sizeof id, "id-%.*zu", (int)(1 + i % 3), i);
        (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "X-Request-Id: %s\r\n\r\n", rows[row].path,
                       id);
        raw_text(fd, request);
        raw_answer answer = raw_read(fd, false);
        assert_int_equal(answer.status, rows[row].status);
        assert_string_equal(answer.body, is_bare ? "" : rows[row].path);
        assert_has(&answer, "X-Request-Id", id);
        assert_int_equal(count_of(&answer, "X-Request-Id:"), 1);
        assert_int_equal(count_of(&answer, "X-Content-Type-Options:"), 1);
        assert_int_equal(count_of(&answer, "Cache-Control:"), 1);
        assert_int_equal(count_of(&answer, "Content-Type:"), !is_bare);
        assert_int_equal(count_of(&answer, "X-Shop: ours"), !is_bare);
        raw_answer_clear(&answer);
    }
    (void)close(fd);
}

static void test_answer__without_type_or_body(void **state)
{
    struct fixture *fixture = *state;
    char value[256];
    raw_answer answer = raw_exchange(fixture->port, "GET /bare HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.status, 200);
    assert_has(&answer, "Content-Length", "0");
    assert_false(raw_header(&answer, "Content-Type", value));
    raw_answer_clear(&answer);
}

static void test_answer__204_has_no_body(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "GET /empty HTTP/1.1\r\n" HOST "\r\nGET /bare HTTP/1.1\r\n" HOST "\r\n");
    raw_answer first = raw_read(fd, true);
    assert_int_equal(first.status, 204);
    raw_answer second = raw_read(fd, false); /* would be misread if a body had come */
    assert_int_equal(second.status, 200);
    raw_answer_clear(&first);
    raw_answer_clear(&second);
    (void)close(fd);
}

static void test_answer__head_has_the_length_and_no_body(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "HEAD /h HTTP/1.1\r\n" HOST "\r\nGET /bare HTTP/1.1\r\n" HOST "\r\n");
    raw_answer first = raw_read(fd, true);
    assert_int_equal(first.status, 200);
    assert_has(&first, "Content-Length", "54");
    raw_answer second = raw_read(fd, false);
    assert_int_equal(second.status, 200);
    raw_answer_clear(&first);
    raw_answer_clear(&second);
    (void)close(fd);
}

static void test_answer__large_one_is_whole(void **state)
{
    enum { SIZE = 3 << 20 };
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    char *body = malloc(SIZE);
    assert_non_null(body);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)(i * 31);
    raw_text(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    dreamd_request_answer(take_held(fixture), 200, "application/octet-stream", body, SIZE);
    raw_answer answer = raw_read(fd, false);
    assert_int_equal(answer.body_size, SIZE);
    assert_memory_equal(answer.body, body, SIZE);
    raw_answer_clear(&answer);
    free(body);
    (void)close(fd);
}

static void test_answer__file_is_whole(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 2; i++) {
        int fd = raw_connect(fixture->port);
        raw_text(fd, "GET /file HTTP/1.1\r\n" HOST "\r\n");
        raw_answer answer = raw_read(fd, false);
        assert_int_equal(answer.status, 200);
        assert_has(&answer, "Content-Type", "image/png");
        assert_int_equal(answer.body_size, FILE_SIZE);
        for (size_t byte = 0; byte < FILE_SIZE; byte++) {
            if ((unsigned char)answer.body[byte] != byte % 251)
                fail_msg("byte %zu is another", byte);
        }
        raw_answer_clear(&answer);
        (void)close(fd);
    }
}

static void test_answer__file_that_comes_too_late_is_closed(void **state)
{
    struct fixture *fixture = *state;
    int client = raw_connect(fixture->port);
    int file = make_file();
    raw_text(client, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    wait_held(fixture, 1);
    dreamd_http_server_stop(fixture->server, 10);
    fixture->server = NULL;
    dreamd_request_answer_file(take_held(fixture), 200, NULL, file, FILE_SIZE);
    assert_int_equal(fcntl(file, F_GETFD), -1);
    (void)close(client);
}

static void test_connection__is_kept_and_pipelined_in_order(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "GET /later/1 HTTP/1.1\r\n" HOST "\r\n"
                 "POST /2 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                 "GET /3 HTTP/1.1\r\n" HOST "\r\n");
    answer_path(take_held(fixture), 200);
    static const char *const wanted[] = { "/later/1", "|/2|", "|/3|" };
    for (size_t i = 0; i < 3; i++) {
        raw_answer answer = raw_read(fd, false);
        assert_int_equal(answer.status, 200);
        assert_non_null(strstr(answer.body, wanted[i]));
        raw_answer_clear(&answer);
    }
    (void)close(fd);
}

static void test_connection__close_is_honoured(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "GET /bare HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    raw_answer answer = raw_read(fd, false);
    assert_int_equal(answer.status, 200);
    assert_true(raw_is_closed(fd));
    raw_answer_clear(&answer);
    (void)close(fd);
}

static void test_connection__limit_does_not_wedge_the_server(void **state)
{
    enum { CLIENTS = 12 };
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    dreamd_http_server_options options = usual(fixture);
    options.max_connections = 4;
    options.threads = 1;
    start(fixture, &options);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = raw_connect(fixture->port);
    for (int i = 0; i < CLIENTS; i++)
        (void)close(clients[i]);
    assert_answer(fixture, "GET /bare HTTP/1.1\r\n" HOST "\r\n", 200, "");
}

/* ---- later answers ---- */

static void test_later__answer_comes_from_another_thread(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "GET /later/x?a=1 HTTP/1.1\r\n" HOST "\r\n");
    dreamd_request *request = take_held(fixture);
    assert_string_equal(dreamd_request_query(request, "a"), "1");
    assert_string_equal(dreamd_request_header(request, "host"), "shop.example");
    assert_true(page_has(fixture, "dreamapid_http_in_flight{server=\"test\"} 1\n"));
    assert_true(dreamd_request_set_header(request, "Retry-After", "2"));
    answer_path(request, 429);
    raw_answer answer = raw_read(fd, false);
    assert_int_equal(answer.status, 429);
    assert_string_equal(answer.body, "/later/x");
    assert_has(&answer, "Retry-After", "2");
    raw_answer_clear(&answer);
    (void)close(fd);
    wait_for_page(fixture, "dreamapid_http_in_flight{server=\"test\"} 0\n");
}

static void *answer_all(void *context)
{
    struct fixture *fixture = context;
    for (;;) {
        pthread_mutex_lock(&fixture->lock);
        dreamd_request *request = fixture->held_count ? fixture->held[--fixture->held_count] : NULL;
        pthread_mutex_unlock(&fixture->lock);
        if (!request)
            return NULL;
        answer_path(request, 200);
    }
}

static void test_later__two_hundred_at_once(void **state)
{
    enum { CLIENTS = 200, THREADS = 4 };
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    pthread_t threads[THREADS];
    for (int i = 0; i < CLIENTS; i++) {
        char request[64];
        clients[i] = raw_connect(fixture->port);
        (void)snprintf(request, sizeof request, "GET /later/%d HTTP/1.1\r\n" HOST "\r\n", i);
        raw_text(clients[i], request);
    }
    wait_held(fixture, CLIENTS);
    assert_answer(fixture, "GET /bare HTTP/1.1\r\n" HOST "\r\n", 200, ""); /* they cost no thread */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, answer_all, fixture), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < CLIENTS; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/later/%d", i);
        raw_answer answer = raw_read(clients[i], false);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, path);
        raw_answer_clear(&answer);
        (void)close(clients[i]);
    }
}

/* An answer that comes while the handler returns meets the connection before, at and after its suspension. */
static void *answer_as_they_come(void *context)
{
    struct fixture *fixture = context;
    for (int i = 0; i < 300; i++)
        answer_path(take_held(fixture), 200);
    return NULL;
}

static void test_later__answer_races_the_suspension(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_as_they_come, fixture), 0);
    int fd = raw_connect(fixture->port);
    for (int i = 0; i < 300; i++) {
        raw_text(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
        raw_answer answer = raw_read(fd, false);
        assert_int_equal(answer.status, 200);
        raw_answer_clear(&answer);
    }
    (void)close(fd);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_later__client_gone_meanwhile(void **state)
{
    const struct linger reset = { 1, 0 };
    struct fixture *fixture = *state;
    for (int i = 0; i < 4; i++) {
        int fd = raw_connect(fixture->port);
        raw_text(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
        wait_held(fixture, 1);
        if (i % 2)
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        (void)close(fd);
        dreamd_request *request = take_held(fixture);
        assert_string_equal(dreamd_request_path(request), "/later");
        answer_path(request, 200);
        wait_for_page(fixture, "dreamapid_http_in_flight{server=\"test\"} 0\n");
    }
    assert_answer(fixture, "GET /bare HTTP/1.1\r\n" HOST "\r\n", 200, "");
}

static void test_client__gone_in_the_midst_of_its_request(void **state)
{
    static const char *const parts[] = { "GET /x HT", "GET /x HTTP/1.1\r\nHost: a",
                                         "POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nab",
                                         "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nab" };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int fd = raw_connect(fixture->port);
        raw_text(fd, parts[i]);
        (void)close(fd);
    }
    assert_answer(fixture, "GET /bare HTTP/1.1\r\n" HOST "\r\n", 200, "");
    /* The last answer is counted out just after it was read. */
    wait_for_page(fixture, "dreamapid_http_in_flight{server=\"test\"} 0\n");
}

/* ---- twice ---- */

static void test_twice__inside_the_handler_is_no_harm(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 3; i++)
        assert_answer(fixture, "GET /twice HTTP/1.1\r\n" HOST "\r\n", 200, "first");
}

static void test_twice__later_is_no_harm(void **state)
{
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    raw_text(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    dreamd_request *request = take_held(fixture);
    answer_path(request, 200);
    raw_answer answer = raw_read(fd, false);
    assert_int_equal(answer.status, 200);
    wait_for_page(fixture, "dreamapid_http_in_flight{server=\"test\"} 0\n");
    dreamd_request_answer(request, 500, NULL, "again", 5); /* its memory was let go of by now */
    raw_answer_clear(&answer);
    (void)close(fd);
    assert_answer(fixture, "GET /bare HTTP/1.1\r\n" HOST "\r\n", 200, "");
}

/* ---- stop ---- */

static void test_stop__answers_what_is_left_with_503(void **state)
{
    enum { CLIENTS = 20 };
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = raw_connect(fixture->port);
        raw_text(clients[i], "GET /later HTTP/1.1\r\n" HOST "X-Request-Id: mine\r\n\r\n");
    }
    wait_held(fixture, CLIENTS);
    dreamd_http_server_stop(fixture->server, 10);
    fixture->server = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        raw_answer answer = raw_read(clients[i], false);
        assert_int_equal(answer.status, 503);
        assert_string_equal(answer.body, "{\"error\":\"Service is shutting down\"}");
        assert_has(&answer, "Retry-After", "1");
        assert_has(&answer, "X-Request-Id", "mine");
        assert_has(&answer, "Connection", "close");
        assert_true(raw_is_closed(clients[i]));
        raw_answer_clear(&answer);
        (void)close(clients[i]);
    }
    /* Their owners still hold them: what they read is there, and their answers go nowhere. */
    for (int i = 0; i < CLIENTS; i++) {
        dreamd_request *request = fixture->held[i];
        assert_string_equal(dreamd_request_header(request, "Host"), "shop.example");
        assert_true(dreamd_request_set_header(request, "X-Late", "1"));
        answer_path(request, 200);
    }
    fixture->held_count = 0;
}

struct stopping {
    struct fixture *fixture;
    int64_t drain_ms;
    pthread_t thread;
};

static void *stop_now(void *context)
{
    struct stopping *stopping = context;
    dreamd_http_server_stop(stopping->fixture->server, stopping->drain_ms);
    stopping->fixture->server = NULL;
    return NULL;
}

static void begin_stop(struct stopping *stopping)
{
    assert_int_equal(pthread_create(&stopping->thread, NULL, stop_now, stopping), 0);
}

static void test_stop__drains_and_keeps_new_work_out(void **state)
{
    struct fixture *fixture = *state;
    struct stopping stopping = { .fixture = fixture, .drain_ms = RAW_PATIENCE_MS };
    int waiting = raw_connect(fixture->port);
    int kept = raw_connect(fixture->port);
    int64_t started = raw_now_ms();
    char value[256];
    raw_text(waiting, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    wait_held(fixture, 1);
    raw_text(kept, "GET /bare HTTP/1.1\r\n" HOST "\r\n");
    begin_stop(&stopping);
    /* On the kept connection: served, until the stop is seen; then told to close, or refused. */
    raw_answer answer = raw_read(kept, false);
    while (!raw_header(&answer, "Connection", value)) {
        assert_int_equal(answer.status, 200);
        assert_true(raw_now_ms() < started + RAW_PATIENCE_MS);
        raw_answer_clear(&answer);
        raw_text(kept, "GET /bare HTTP/1.1\r\n" HOST "\r\n");
        answer = raw_read(kept, false);
    }
    assert_string_equal(value, "close");
    assert_true(answer.status == 503 || answer.status == 200);
    raw_answer_clear(&answer);
    answer_path(take_held(fixture), 200);
    answer = raw_read(waiting, false);
    assert_int_equal(answer.status, 200);
    assert_int_equal(pthread_join(stopping.thread, NULL), 0);
    assert_true(raw_now_ms() < started + RAW_PATIENCE_MS); /* it did not sit the drain out */
    raw_answer_clear(&answer);
    (void)close(waiting);
    (void)close(kept);
}

static void test_stop__with_idle_and_half_sent_connections(void **state)
{
    struct fixture *fixture = *state;
    int idle = raw_connect(fixture->port);
    int half = raw_connect(fixture->port);
    raw_text(half, "POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nab");
    assert_answer(fixture, "GET /bare HTTP/1.1\r\n" HOST "\r\n", 200, "");
    int64_t started = raw_now_ms();
    dreamd_http_server_stop(fixture->server, RAW_PATIENCE_MS);
    fixture->server = NULL;
    assert_true(raw_now_ms() < started + RAW_PATIENCE_MS / 2); /* they are no work in hand */
    (void)close(idle);
    (void)close(half);
}

static void test_stop__with_a_client_that_does_not_read(void **state)
{
    enum { SIZE = 32 << 20 };
    struct fixture *fixture = *state;
    int fd = raw_connect(fixture->port);
    char *body = calloc(1, SIZE);
    assert_non_null(body);
    raw_text(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    dreamd_request_answer(take_held(fixture), 200, NULL, body, SIZE);
    free(body);
    int64_t started = raw_now_ms();
    dreamd_http_server_stop(fixture->server, 10);
    fixture->server = NULL;
    assert_true(raw_now_ms() < started + RAW_PATIENCE_MS / 2);
    (void)close(fd);
}

static void test_stop__with_large_bodies_that_wait_to_be_let_in(void **state)
{
    enum { CLIENTS = 20 };
    struct fixture *fixture = *state;
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = begin_post(fixture, "/large/asked", MAX_BODY + 1);
    wait_held(fixture, CLIENTS);
    dreamd_http_server_stop(fixture->server, 10);
    fixture->server = NULL;
    for (int i = 0; i < CLIENTS; i++)
        assert_closing_answer(clients[i], 503, "Service is shutting down");
    for (int i = 0; i < CLIENTS / 2; i++) /* too late, either way */
        dreamd_request_admit(take_held(fixture));
    for (int i = 0; i < CLIENTS / 2; i++)
        answer_path(take_held(fixture), 200);
}

static void *admit_all(void *context)
{
    struct fixture *fixture = context;
    for (;;) {
        pthread_mutex_lock(&fixture->lock);
        dreamd_request *request = fixture->held_count > 0 ? fixture->held[--fixture->held_count] : NULL;
        pthread_mutex_unlock(&fixture->lock);
        if (!request)
            return NULL;
        dreamd_request_admit(request);
    }
}

static void test_stop__races_the_admissions(void **state)
{
    enum { ROUNDS = 20, CLIENTS = DREAMD_MAX_LARGE_BODIES };
    struct fixture *fixture = *state;
    for (int round = 0; round < ROUNDS; round++) {
        int clients[CLIENTS];
        pthread_t threads[2];
        const dreamd_http_server_options options = usual(fixture);
        start(fixture, &options);
        for (int i = 0; i < CLIENTS; i++)
            clients[i] = begin_post(fixture, "/large/asked", MAX_LARGE_BODY);
        wait_held(fixture, CLIENTS);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, admit_all, fixture), 0);
        dreamd_http_server_stop(fixture->server, round % 2);
        fixture->server = NULL;
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < CLIENTS; i++) {
            raw_answer answer = raw_read(clients[i], false);
            assert_true(answer.status == 200 || answer.status == 503 || answer.status == 0);
            raw_answer_clear(&answer);
            (void)close(clients[i]);
        }
    }
}

/* Answers and stop at the same moment: each request is answered by one of them, and nothing is resumed too late. */
static void test_stop__races_the_answers(void **state)
{
    enum { ROUNDS = 20, CLIENTS = 30 };
    struct fixture *fixture = *state;
    for (int round = 0; round < ROUNDS; round++) {
        int clients[CLIENTS];
        pthread_t threads[2];
        const dreamd_http_server_options options = usual(fixture);
        start(fixture, &options);
        for (int i = 0; i < CLIENTS; i++) {
            clients[i] = raw_connect(fixture->port);
            raw_text(clients[i], "GET /later HTTP/1.1\r\n" HOST "\r\n");
        }
        wait_held(fixture, CLIENTS);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, answer_all, fixture), 0);
        dreamd_http_server_stop(fixture->server, 0);
        fixture->server = NULL;
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < CLIENTS; i++) {
            raw_answer answer = raw_read(clients[i], false);
            assert_true(answer.status == 200 || answer.status == 503);
            raw_answer_clear(&answer);
            (void)close(clients[i]);
        }
    }
}

/* Threads that are just awake used to meet the stop at the listening socket. */
static void test_stop__right_after_answers(void **state)
{
    enum { ROUNDS = 300, CLIENTS = 4 };
    struct fixture *fixture = *state;
    for (int round = 0; round < ROUNDS; round++) {
        int clients[CLIENTS];
        const dreamd_http_server_options options = usual(fixture);
        start(fixture, &options);
        for (int i = 0; i < CLIENTS; i++) {
            clients[i] = raw_connect(fixture->port);
            raw_text(clients[i], "GET /bare HTTP/1.1\r\n" HOST "\r\n");
        }
        for (int i = 0; i < CLIENTS; i++) {
            raw_answer answer = raw_read(clients[i], false);
            assert_int_equal(answer.status, 200);
            raw_answer_clear(&answer);
            (void)close(clients[i]);
        }
        dreamd_http_server_stop(fixture->server, 1000);
        fixture->server = NULL;
    }
}

static void test_stop__null_is_fine(void **state)
{
    (void)state;
    dreamd_http_server_stop(NULL, 100);
}

/* ---- start ---- */

static void assert_no_start(struct fixture *fixture, const char *listen_at, const char *words)
{
    char error[256];
    dreamd_http_server_options options = usual(fixture);
    options.listen = listen_at;
    dreamd_http_server *server = dreamd_http_server_start(&options, error);
    assert_null(server);
    if (!strstr(error, words))
        fail_msg("\"%s\" does not say \"%s\"", error, words);
}

static void test_start__says_why_it_cannot(void **state)
{
    static const char *const bad[] = { NULL,
                                       "",
                                       ":",
                                       ":80",
                                       "8787",
                                       "127.0.0.1",
                                       "127.0.0.1:",
                                       "127.0.0.1:x",
                                       "127.0.0.1:-1",
                                       "127.0.0.1:65536",
                                       "127.0.0.1:80 ",
                                       "::1:80",
                                       "[::1]",
                                       "[::1:80",
                                       "[]:80",
                                       "shop.example:80",
                                       "300.0.0.1:80",
                                       "127.0.0.1:99999999999999999999" };
    struct fixture *fixture = *state;
    char in_use[64];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_no_start(fixture, bad[i], "ADDR:PORT");
    (void)snprintf(in_use, sizeof in_use, "127.0.0.1:%u", fixture->port);
    assert_no_start(fixture, in_use, "another program listens there");
    assert_no_start(fixture, "203.0.113.7:0", "no such address");
}

static void test_start__url_is_one_to_connect_to(void **state)
{
    static const struct {
        const char *listen, *prefix;
    } rows[] = {
        { "127.0.0.1:0", "http://127.0.0.1:" },
        { "0.0.0.0:0", "http://127.0.0.1:" },
        { "localhost:0", "http://127.0.0.1:" },
        { "127.0.0.2:0", "http://127.0.0.2:" },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dreamd_http_server_options options = usual(fixture);
        options.listen = rows[i].listen;
        start(fixture, &options);
        const char *url = dreamd_http_server_url(fixture->server);
        assert_memory_equal(url, rows[i].prefix, strlen(rows[i].prefix));
        assert_int_not_equal(fixture->port, 0);
        dreamd_http_server_stop(fixture->server, 0);
        fixture->server = NULL;
    }
}

static void test_start__ipv6_takes_ipv4_too(void **state)
{
    struct fixture *fixture = *state;
    char error[256];
    dreamd_http_server_options options = usual(fixture);
    options.listen = "[::]:0";
    fixture->server = dreamd_http_server_start(&options, error);
    if (!fixture->server) { /* a machine without IPv6 is told so */
        assert_non_null(strstr(error, "IPv6"));
        return;
    }
    fixture->port = raw_port(dreamd_http_server_url(fixture->server));
    assert_answer(fixture, "GET /x HTTP/1.1\r\n" HOST "\r\n", 200,
                  "GET|/x|a=(none)|host=shop.example|(none)|127.0.0.1|0:");
}

static void test_start__defaults_without_metrics(void **state)
{
    struct fixture *fixture = *state;
    const dreamd_http_server_options options = { .listen = "127.0.0.1:0", .handler = handle, .context = fixture };
    start(fixture, &options);
    assert_answer(fixture, "GET /bare HTTP/1.1\r\n" HOST "\r\n", 200, "");
}

/* ---- metrics and logs ---- */

static void test_metrics__count_by_route_and_class(void **state)
{
    struct fixture *fixture = *state;
    assert_answer(fixture, "GET /bare HTTP/1.1\r\n" HOST "\r\n", 200, "");
    raw_answer one = raw_exchange(fixture->port, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    raw_answer two = raw_exchange(fixture->port, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    raw_answer bad = raw_exchange(fixture->port, "GET /echo HTTP/1.1\r\n" HOST HOST "\r\n");
    wait_for_page(fixture, "dreamapid_http_requests_total{server=\"test\",route=\"ANY /echo\",status=\"2xx\"} 2\n");
    wait_for_page(fixture, "dreamapid_http_requests_total{server=\"test\",route=\"other\",status=\"2xx\"} 1\n");
    wait_for_page(fixture, "dreamapid_http_requests_total{server=\"test\",route=\"other\",status=\"4xx\"} 1\n");
    wait_for_page(fixture, "dreamapid_http_request_seconds_count{server=\"test\",route=\"ANY /echo\"} 2\n");
    wait_for_page(fixture, "dreamapid_http_in_flight{server=\"test\"} 0\n");
    raw_answer_clear(&one);
    raw_answer_clear(&two);
    raw_answer_clear(&bad);
}

static char *made_routes[200];

static void handle_made_route(void *context, dreamd_request *request)
{
    (void)context;
    int number = atoi(dreamd_request_path(request) + 1);
    dreamd_request_set_route(request, made_routes[number]);
    dreamd_request_answer(request, 200, NULL, NULL, 0);
}

static void test_metrics__series_are_bounded(void **state)
{
    enum { ROUTES = sizeof made_routes / sizeof made_routes[0] };
    struct fixture *fixture = *state;
    dreamd_http_server_options options = usual(fixture);
    options.handler = handle_made_route;
    start(fixture, &options);
    int fd = raw_connect(fixture->port);
    for (int i = 0; i < ROUTES; i++) {
        char request[96], route[32];
        (void)snprintf(route, sizeof route, "GET /%d", i);
        made_routes[i] = strdup(route);
        assert_non_null(made_routes[i]);
        (void)snprintf(request, sizeof request, "%s HTTP/1.1\r\n" HOST "\r\n", route);
        raw_text(fd, request);
        raw_answer answer = raw_read(fd, false);
        assert_int_equal(answer.status, 200);
        raw_answer_clear(&answer);
    }
    (void)close(fd);
    wait_for_page(fixture, "dreamapid_http_requests_total{server=\"test\",route=\"GET /127\",status=\"2xx\"} 1\n");
    wait_for_page(fixture, "dreamapid_http_requests_total{server=\"test\",route=\"other\",status=\"2xx\"} 72\n");
    assert_false(page_has(fixture, "route=\"GET /128\""));
    dreamd_http_server_stop(fixture->server, 0);
    fixture->server = NULL;
    for (int i = 0; i < ROUTES; i++)
        free(made_routes[i]);
}

static void test_log__one_line_without_query_or_headers(void **state)
{
    struct fixture *fixture = *state;
    char out[4096];
    int ends[2];
    dreamd_http_server_options options = usual(fixture);
    options.is_logged = true;
    int before = dup(STDERR_FILENO);
    assert_true(before >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    start(fixture, &options);
    raw_answer answer =
        raw_exchange(fixture->port, "POST /bare?code=secret1 HTTP/1.1\r\n" HOST "X-Request-Id: mine\r\n"
                                    "Authorization: Bearer secret2\r\nContent-Length: 7\r\n\r\nsecret3");
    dreamd_http_server_stop(fixture->server, 1000);
    fixture->server = NULL;
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    (void)close(before);
    (void)close(ends[1]);
    ssize_t size = read(ends[0], out, sizeof out - 1);
    (void)close(ends[0]);
    assert_true(size > 0);
    out[size] = '\0';
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(
        out,
        "\"event\":\"request\",\"server\":\"test\",\"method\":\"POST\",\"path\":\"/bare\",\"status\":200,\"us\":"));
    assert_non_null(strstr(out, "\"request_id\":\"mine\",\"remote\":\"127.0.0.1\"}\n"));
    assert_null(strstr(out, "secret"));
    assert_ptr_equal(strchr(out, '\n'), out + size - 1);
    raw_answer_clear(&answer);
}

int main(void)
{
#define RUNNING(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define STOPPED(test) cmocka_unit_test_setup_teardown(test, set_up_stopped, tear_down)
    const struct CMUnitTest tests[] = {
        RUNNING(test_request__is_seen_as_sent),
        RUNNING(test_query__is_decoded),
        RUNNING(test_request_id__is_echoed_if_sane_and_made_if_not),
        RUNNING(test_request_id__made_ones_differ),
        RUNNING(test_malformed__is_refused_and_the_connection_closed),
        RUNNING(test_malformed__our_refusals_are_json),
        RUNNING(test_head__nul_bytes_do_not_smuggle),
        RUNNING(test_head__too_large_is_refused),
        RUNNING(test_body__limit_is_exact),
        RUNNING(test_body__chunked_limit_is_exact),
        RUNNING(test_body__chunks_without_end_are_cut_off),
        RUNNING(test_body__only_so_many_large_ones_are_kept),
        RUNNING(test_large__who_is_denied_takes_no_place),
        RUNNING(test_large__is_let_in_or_answered_later),
        RUNNING(test_large__is_let_in_between_chunks),
        STOPPED(test_large__a_slow_one_loses_its_place),
        RUNNING(test_body__continue_is_sent_to_who_waits),
        RUNNING(test_body__too_large_is_refused_before_continue),
        RUNNING(test_body__arrives_byte_by_byte),
        STOPPED(test_slow__client_is_cut_off),
        RUNNING(test_answer__headers_and_their_refusals),
        RUNNING(test_answer__kept_headers_serve_each_its_own_id_and_body),
        RUNNING(test_answer__without_type_or_body),
        RUNNING(test_answer__204_has_no_body),
        RUNNING(test_answer__head_has_the_length_and_no_body),
        RUNNING(test_answer__large_one_is_whole),
        RUNNING(test_answer__file_is_whole),
        RUNNING(test_answer__file_that_comes_too_late_is_closed),
        RUNNING(test_connection__is_kept_and_pipelined_in_order),
        RUNNING(test_connection__close_is_honoured),
        STOPPED(test_connection__limit_does_not_wedge_the_server),
        RUNNING(test_later__answer_comes_from_another_thread),
        RUNNING(test_later__two_hundred_at_once),
        RUNNING(test_later__answer_races_the_suspension),
        RUNNING(test_later__client_gone_meanwhile),
        RUNNING(test_client__gone_in_the_midst_of_its_request),
        RUNNING(test_twice__inside_the_handler_is_no_harm),
        RUNNING(test_twice__later_is_no_harm),
        RUNNING(test_stop__answers_what_is_left_with_503),
        RUNNING(test_stop__with_large_bodies_that_wait_to_be_let_in),
        STOPPED(test_stop__races_the_admissions),
        RUNNING(test_stop__drains_and_keeps_new_work_out),
        RUNNING(test_stop__with_idle_and_half_sent_connections),
        RUNNING(test_stop__with_a_client_that_does_not_read),
        STOPPED(test_stop__races_the_answers),
        STOPPED(test_stop__right_after_answers),
        cmocka_unit_test(test_stop__null_is_fine),
        RUNNING(test_start__says_why_it_cannot),
        STOPPED(test_start__url_is_one_to_connect_to),
        STOPPED(test_start__ipv6_takes_ipv4_too),
        STOPPED(test_start__defaults_without_metrics),
        RUNNING(test_metrics__count_by_route_and_class),
        STOPPED(test_metrics__series_are_bounded),
        STOPPED(test_log__one_line_without_query_or_headers),
    };
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
