/* SPDX-License-Identifier: Apache-2.0 */
/* test_transport_curl.c - the built-in transport on real sockets, against a server
 * that keeps, breaks, delays and garbles on purpose. What counts most: a POST is never sent twice
 * unless our retry rule said so. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "loopback_server.h"

enum { SOON_MS = 10000 };

struct stage {
    server server;
    dreamapi_options *options;
    dreamapi_client *client;
    dreamapi_error error;
};

static struct stage *stage;

static int set_up(void **state)
{
    stage = calloc(1, sizeof(*stage));
    stage->options = dreamapi_options_new();
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dreamapi_client_free(stage->client);
    dreamapi_options_free(stage->options);
    if (stage->server.function != NULL)
        server_stop(&stage->server);
    free(stage);
    return 0;
}

static void play(server_function function)
{
    server_start(&stage->server, function);
    dreamapi_options_set_base_url(stage->options, stage->server.url);
    dreamapi_options_set_secret_key(stage->options, "sk_live_1");
    assert_int_equal(dreamapi_client_new(stage->options, &stage->client, &stage->error), DREAMAPI_OK);
}

static void expect(dreamapi_status status, dreamapi_status expected)
{
    if (status != expected)
        fail_msg("%s instead of %s: %s", dreamapi_status_name(status), dreamapi_status_name(expected),
                 stage->error.message);
}

static dreamapi_status get_customer(void)
{
    return dreamapi_customer_get(stage->client, "user_1", NULL, NULL, &stage->error);
}

static dreamapi_status create_customer(void)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;

    params.email = "a@example.test";
    return dreamapi_customer_create(stage->client, &params, NULL, NULL, &stage->error);
}

static bool is_last(const server *s, const char *start)
{
    return strncmp(s->requests[atomic_load(&s->request_count) - 1], start, strlen(start)) == 0;
}

/* Answers everything well, on kept connections. */
static void serve_well(server *s, int fd, int connection)
{
    (void)connection;
    while (server_read(s, fd))
        server_answer(fd, 200, is_last(s, "GET /health") ? "{\"status\":\"ok\"}" : CUSTOMER);
}

/* ---- connections ---- */

static void test_transport_curl__one_connection_serves_many_calls(void **state)
{
    (void)state;
    play(serve_well);
    for (int i = 0; i < 5; i++)
        expect(get_customer(), DREAMAPI_OK);
    expect(create_customer(), DREAMAPI_OK);
    assert_int_equal(atomic_load(&stage->server.connections), 1);
    assert_int_equal(atomic_load(&stage->server.request_count), 7);
}

static void test_transport_curl__the_request_on_the_wire_is_as_meant(void **state)
{
    const char *request;

    (void)state;
    play(serve_well);
    expect(create_customer(), DREAMAPI_OK);
    request = stage->server.requests[1];
    assert_non_null(strstr(request, "POST /api/customers HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "\r\nAuthorization: Bearer sk_live_1\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Length: 26\r\n"));
    assert_non_null(strstr(request, "\r\nUser-Agent: libdreamapi/"));
    assert_non_null(strstr(request, "\r\nIdempotency-Key: "));
    assert_non_null(strstr(request, "\r\n\r\n{\"email\":\"a@example.test\"}"));
    assert_null(strcasestr(request, "Expect:"));
    assert_null(strcasestr(request, "Accept-Encoding:"));
    assert_null(strcasestr(request, "Transfer-Encoding:"));
    assert_null(strstr(stage->server.requests[0], "Authorization"));
}

static void test_transport_curl__every_method_is_sent(void **state)
{
    dreamapi_customer_update_params params = DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT;

    (void)state;
    play(serve_well);
    params.plan = "pro";
    expect(dreamapi_customer_update(stage->client, "a/../b", &params, NULL, NULL, &stage->error), DREAMAPI_OK);
    expect(dreamapi_customer_delete(stage->client, "user_1", NULL, NULL, &stage->error), DREAMAPI_OK);
    assert_non_null(strstr(stage->server.requests[0], "PATCH /api/customers/a%2F..%2Fb HTTP/1.1\r\n"));
    assert_non_null(strstr(stage->server.requests[0], "\r\n\r\n{\"plan\":\"pro\"}"));
    assert_non_null(strstr(stage->server.requests[1], "DELETE /api/customers/user_1 HTTP/1.1\r\n"));
    assert_null(strcasestr(stage->server.requests[1], "Content-Length"));
}

static void test_transport_curl__an_environment_proxy_is_not_used_for_loopback(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("all_proxy", "http://127.0.0.1:9", 1);
    play(serve_well);
    expect(get_customer(), DREAMAPI_OK);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

/* The first connection answers one request and hangs up on the second without a word. */
static void serve_one_then_hang_up(server *s, int fd, int connection)
{
    if (connection > 0) {
        serve_well(s, fd, connection);
        return;
    }
    if (server_read(s, fd))
        server_answer(fd, 200, is_last(s, "GET /health") ? "{\"status\":\"ok\"}" : CUSTOMER);
    (void)server_read(s, fd);
}

static void test_transport_curl__a_get_on_a_connection_that_died_is_repeated_once(void **state)
{
    (void)state;
    dreamapi_options_set_max_retries(stage->options, 0);
    play(serve_one_then_hang_up);
    expect(get_customer(), DREAMAPI_OK);
    expect(get_customer(), DREAMAPI_OK);
    assert_int_equal(atomic_load(&stage->server.connections), 2);
    assert_int_equal(server_count(&stage->server, "GET /api/customers"), 3);
}

static void test_transport_curl__a_post_on_a_connection_that_died_is_never_sent_again(void **state)
{
    (void)state;
    play(serve_one_then_hang_up);
    expect(create_customer(), DREAMAPI_OUTCOME_UNKNOWN);
    dreamapi_client_free(stage->client);
    stage->client = NULL;
    assert_int_equal(server_count(&stage->server, "POST "), 1);
}

/* Hangs up after the headers of the second request, its body unread. */
static void serve_one_then_hang_up_after_headers(server *s, int fd, int connection)
{
    char bytes[16];

    if (connection > 0) {
        serve_well(s, fd, connection);
        return;
    }
    if (server_read(s, fd))
        server_answer(fd, 200, "{\"status\":\"ok\"}");
    if (recv(fd, bytes, sizeof(bytes), 0) > 0)
        server_reset(fd);
}

static void test_transport_curl__a_post_that_is_cut_off_while_being_sent_is_never_sent_again(void **state)
{
    (void)state;
    play(serve_one_then_hang_up_after_headers);
    expect(create_customer(), DREAMAPI_OUTCOME_UNKNOWN);
    dreamapi_client_free(stage->client);
    stage->client = NULL;
    assert_int_equal(server_count(&stage->server, "POST "), 0); /* on no later connection */
}

static void serve_keyed_one_then_hang_up(server *s, int fd, int connection)
{
    if (connection > 0) {
        serve_well(s, fd, connection);
        return;
    }
    if (server_read(s, fd))
        server_answer(fd, 200, ALL_EXTENSIONS);
    (void)server_read(s, fd);
}

static void test_transport_curl__a_keyed_post_on_a_connection_that_died_is_repeated_with_its_key(void **state)
{
    const char *first;
    const char *second;

    (void)state;
    play(serve_keyed_one_then_hang_up);
    expect(create_customer(), DREAMAPI_OK);
    assert_int_equal(server_count(&stage->server, "POST "), 2);
    first = strstr(stage->server.requests[1], "Idempotency-Key: ");
    second = strstr(stage->server.requests[2], "Idempotency-Key: ");
    assert_non_null(first);
    assert_non_null(second);
    assert_memory_equal(first, second, strlen("Idempotency-Key: ") + 36);
}

/* Answers and closes, as a server does whose keep-alive time is over. */
static void serve_one_and_close(server *s, int fd, int connection)
{
    (void)connection;
    if (server_read(s, fd))
        server_answer(fd, 200, is_last(s, "GET /health") ? "{\"status\":\"ok\"}" : CUSTOMER);
}

static void test_transport_curl__a_connection_closed_in_between_is_noticed_before_a_post(void **state)
{
    dreamapi_status status;

    (void)state;
    play(serve_one_and_close);
    for (int i = 0; i < 10; i++) {
        status = create_customer();
        /* Whether the farewell is seen in time is up to the kernel; what may not happen is a second POST. */
        if (status != DREAMAPI_OK)
            expect(status, DREAMAPI_OUTCOME_UNKNOWN);
    }
    dreamapi_client_free(stage->client);
    stage->client = NULL;
    assert_true(server_count(&stage->server, "POST ") <= 10);
}

/* ---- failures ---- */

static void test_transport_curl__a_refused_connection_surely_sent_nothing(void **state)
{
    (void)state;
    play(serve_well);
    server_stop(&stage->server);
    stage->server.function = NULL;
    expect(create_customer(), DREAMAPI_UNAVAILABLE);
    assert_int_equal(stage->error.retriable, 1);
    expect(get_customer(), DREAMAPI_UNAVAILABLE);
}

static void test_transport_curl__a_name_without_an_address_is_unavailable(void **state)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    (void)state;
    options.timeout_ms = 3000;
    dreamapi_options_set_base_url(stage->options, "https://no-such-host.invalid");
    dreamapi_options_set_max_retries(stage->options, 0);
    assert_int_equal(dreamapi_client_new(stage->options, &stage->client, &stage->error), DREAMAPI_OK);
    if (dreamapi_tier_list(stage->client, &options, NULL, &stage->error) != DREAMAPI_TIMEOUT)
        assert_int_equal(stage->error.status, DREAMAPI_UNAVAILABLE);
}

/* Breaks off in the middle of the first answer's body. */
static void serve_half_a_body(server *s, int fd, int connection)
{
    bool is_health;

    while (server_read(s, fd)) {
        is_health = is_last(s, "GET /health");
        if (is_health || connection > 1) {
            server_answer(fd, 200, is_health ? "{\"status\":\"ok\"}" : CUSTOMER);
            continue;
        }
        server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"customer\":");
        server_reset(fd);
        return;
    }
}

static void test_transport_curl__an_answer_that_breaks_off_is_retried_for_a_get(void **state)
{
    (void)state;
    play(serve_half_a_body);
    expect(get_customer(), DREAMAPI_OK);
    assert_int_equal(server_count(&stage->server, "GET /api/customers"), 3);
}

static void test_transport_curl__an_answer_that_breaks_off_is_unclear_for_a_post(void **state)
{
    (void)state;
    play(serve_half_a_body);
    expect(create_customer(), DREAMAPI_OUTCOME_UNKNOWN);
    assert_int_equal(server_count(&stage->server, "POST "), 1);
}

static void serve_nothing(server *s, int fd, int connection)
{
    (void)connection;
    if (server_read(s, fd))
        server_wait(s, fd);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_transport_curl__a_silent_server_costs_the_deadline_and_no_more(void **state)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    int64_t start_ms = now_ms();

    (void)state;
    options.timeout_ms = 200;
    play(serve_nothing);
    expect(dreamapi_customer_get(stage->client, "user_1", &options, NULL, &stage->error), DREAMAPI_TIMEOUT);
    assert_true(now_ms() - start_ms >= 200);
    assert_true(now_ms() - start_ms < SOON_MS);
}

/* One byte a request, then silence: the answer never gets complete. */
static void serve_a_trickle(server *s, int fd, int connection)
{
    (void)connection;
    if (!server_read(s, fd))
        return;
    server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{");
    server_wait(s, fd);
}

static void test_transport_curl__a_trickling_server_costs_the_deadline_and_no_more(void **state)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

    (void)state;
    options.timeout_ms = 200;
    play(serve_a_trickle);
    expect(dreamapi_customer_get(stage->client, "user_1", &options, NULL, &stage->error), DREAMAPI_TIMEOUT);
}

static void test_transport_curl__cancelling_ends_a_transfer(void **state)
{
    dreamapi_call *call = NULL;

    (void)state;
    play(serve_nothing);
    expect(dreamapi_customer_get_start(stage->client, "user_1", NULL, &call, &stage->error), DREAMAPI_OK);
    assert_int_equal(dreamapi_call_wait(call, 50, NULL), DREAMAPI_PENDING);
    dreamapi_call_cancel(call);
    expect(dreamapi_call_wait(call, SOON_MS, &stage->error), DREAMAPI_CANCELLED);
    dreamapi_call_free(call);
}

static void serve_too_much(server *s, int fd, int connection)
{
    char line[1001];

    (void)connection;
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    if (!server_read(s, fd))
        return;
    server_send(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 100; i++)
        server_send(fd, line);
}

static void test_transport_curl__a_body_without_end_is_cut_off(void **state)
{
    (void)state;
    dreamapi_options_set_max_response_size(stage->options, 4096);
    play(serve_too_much);
    expect(get_customer(), DREAMAPI_PROTOCOL);
    assert_int_equal(server_count(&stage->server, "GET "), 1);
}

static void serve_too_many_headers(server *s, int fd, int connection)
{
    (void)connection;
    if (!server_read(s, fd))
        return;
    server_send(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 3000; i++)
        server_send(fd, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    server_send(fd, "Content-Length: 2\r\n\r\n{}");
}

static void test_transport_curl__headers_without_end_are_cut_off(void **state)
{
    (void)state;
    play(serve_too_many_headers);
    expect(get_customer(), DREAMAPI_PROTOCOL);
}

static void serve_garbage(server *s, int fd, int connection)
{
    (void)connection;
    if (server_read(s, fd))
        server_send(fd, "220 mail.example.test ESMTP\r\n\r\n");
}

static void test_transport_curl__an_answer_that_is_no_http_is_a_protocol_error(void **state)
{
    (void)state;
    play(serve_garbage);
    expect(get_customer(), DREAMAPI_PROTOCOL);
    assert_int_equal(server_count(&stage->server, "GET "), 1);
}

static void serve_a_redirect(server *s, int fd, int connection)
{
    (void)connection;
    while (server_read(s, fd))
        server_send(fd, "HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
}

static void test_transport_curl__a_redirect_is_not_followed(void **state)
{
    (void)state;
    play(serve_a_redirect);
    expect(get_customer(), DREAMAPI_PROTOCOL);
    assert_int_equal(atomic_load(&stage->server.request_count), 1);
}

static void serve_in_pieces(server *s, int fd, int connection)
{
    (void)connection;
    while (server_read(s, fd)) {
        server_send(fd, "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
        server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Request-Id:  req_9 \r\n\r\n");
        server_send(fd, "a\r\n{\"customer\r\n");
        server_send(fd, "c\r\n\":{\"id\":\"u\"}\r\n");
        server_send(fd, "1\r\n}\r\n0\r\nX-Trailer: 1\r\n\r\n");
    }
}

static void test_transport_curl__chunks_hints_and_trailers_are_understood(void **state)
{
    (void)state;
    play(serve_in_pieces);
    expect(get_customer(), DREAMAPI_OK);
    assert_string_equal(stage->error.request_id, "req_9");
    expect(get_customer(), DREAMAPI_OK);
    assert_int_equal(atomic_load(&stage->server.connections), 1);
}

/* Speaks first, and not TLS. */
static void greet(server *s, int fd, int connection)
{
    (void)connection;
    server_send(fd, "220 mail.example.test ESMTP\r\n\r\n");
    server_wait(s, fd);
}

static void test_transport_curl__tls_is_not_spoken_to_a_server_that_does_not(void **state)
{
    char url[80];

    (void)state;
    server_start(&stage->server, greet);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", stage->server.port);
    dreamapi_options_set_base_url(stage->options, url);
    assert_int_equal(dreamapi_client_new(stage->options, &stage->client, &stage->error), DREAMAPI_OK);
    expect(dreamapi_tier_list(stage->client, NULL, NULL, &stage->error), DREAMAPI_TLS);
    assert_int_equal(atomic_load(&stage->server.connections), 1);
}

/* ---- a host's loop ---- */

static void test_transport_curl__a_host_loop_drives_it_without_a_thread(void **state)
{
    dreamapi_call *calls[3];
    int finished = 0;
    int64_t until_ms = now_ms() + SOON_MS;

    (void)state;
    dreamapi_options_set_threads(stage->options, 0);
    play(serve_one_and_close); /* the three calls come on three connections, and this server takes one at a time */
    for (int i = 0; i < 3; i++)
        expect(dreamapi_customer_get_start(stage->client, "user_1", NULL, &calls[i], &stage->error), DREAMAPI_OK);
    while (finished < 3 && now_ms() < until_ms) {
        struct pollfd fd = { dreamapi_client_fd(stage->client), POLLIN, 0 };
        int64_t timeout_ms = dreamapi_client_timeout_ms(stage->client);
        (void)poll(&fd, 1, timeout_ms < 0 || timeout_ms > 1000 ? 1000 : (int)timeout_ms);
        expect(dreamapi_client_perform(stage->client), DREAMAPI_OK);
        while (dreamapi_client_next(stage->client) != NULL)
            finished++;
    }
    assert_int_equal(finished, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dreamapi_call_result(calls[i], NULL), DREAMAPI_OK);
        dreamapi_call_free(calls[i]);
    }
}

static void test_transport_curl__a_blocking_call_works_without_a_thread(void **state)
{
    (void)state;
    dreamapi_options_set_threads(stage->options, 0);
    play(serve_well);
    expect(get_customer(), DREAMAPI_OK);
    expect(create_customer(), DREAMAPI_OK);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_transport_curl__one_connection_serves_many_calls),
        WITH(test_transport_curl__the_request_on_the_wire_is_as_meant),
        WITH(test_transport_curl__every_method_is_sent),
        WITH(test_transport_curl__an_environment_proxy_is_not_used_for_loopback),
        WITH(test_transport_curl__a_get_on_a_connection_that_died_is_repeated_once),
        WITH(test_transport_curl__a_post_on_a_connection_that_died_is_never_sent_again),
        WITH(test_transport_curl__a_post_that_is_cut_off_while_being_sent_is_never_sent_again),
        WITH(test_transport_curl__a_keyed_post_on_a_connection_that_died_is_repeated_with_its_key),
        WITH(test_transport_curl__a_connection_closed_in_between_is_noticed_before_a_post),
        WITH(test_transport_curl__a_refused_connection_surely_sent_nothing),
        WITH(test_transport_curl__a_name_without_an_address_is_unavailable),
        WITH(test_transport_curl__an_answer_that_breaks_off_is_retried_for_a_get),
        WITH(test_transport_curl__an_answer_that_breaks_off_is_unclear_for_a_post),
        WITH(test_transport_curl__a_silent_server_costs_the_deadline_and_no_more),
        WITH(test_transport_curl__a_trickling_server_costs_the_deadline_and_no_more),
        WITH(test_transport_curl__cancelling_ends_a_transfer),
        WITH(test_transport_curl__a_body_without_end_is_cut_off),
        WITH(test_transport_curl__headers_without_end_are_cut_off),
        WITH(test_transport_curl__an_answer_that_is_no_http_is_a_protocol_error),
        WITH(test_transport_curl__a_redirect_is_not_followed),
        WITH(test_transport_curl__chunks_hints_and_trailers_are_understood),
        WITH(test_transport_curl__tls_is_not_spoken_to_a_server_that_does_not),
        WITH(test_transport_curl__a_host_loop_drives_it_without_a_thread),
        WITH(test_transport_curl__a_blocking_call_works_without_a_thread),
    };
    return cmocka_run_group_tests_name("transport_curl", tests, NULL, NULL);
}
