/* SPDX-License-Identifier: Apache-2.0 */
/* test_fork.c - a client belongs to the process that made it: a child is told so,
 * may free it, and does the parent no harm. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "loopback_server.h"

enum { CHECK_FAILED = 1, SOON_S = 20 };

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "child: %s\n", #condition);                                                          \
            _exit(CHECK_FAILED);                                                                                       \
        }                                                                                                              \
    } while (0)

/* Runs `function` in a child; a child that hangs is ended by its alarm and fails the test. */
static void in_child(void (*function)(fixture *f, dreamapi_call *call), fixture *f, dreamapi_call *call)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(SOON_S);
        function(f, call);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %d", status);
}

static void serve_customers(server *s, int fd, int connection)
{
    (void)connection;
    while (server_read(s, fd))
        server_answer(fd, 200, CUSTOMER);
}

static void serve_nothing(server *s, int fd, int connection)
{
    (void)connection;
    if (server_read(s, fd))
        server_wait(s, fd);
}

static void use_everything(fixture *f, dreamapi_call *call)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_customer *customer = NULL;
    dreamapi_call *started = NULL;

    params.email = "a@example.test";
    CHECK(dreamapi_customer_get(f->client, "u", NULL, &customer, &f->error) == DREAMAPI_FORKED);
    CHECK(f->error.status == DREAMAPI_FORKED && customer == NULL);
    CHECK(dreamapi_customer_create_start(f->client, &params, NULL, &started, NULL) == DREAMAPI_FORKED);
    CHECK(started == NULL);
    CHECK(dreamapi_call_wait(call, -1, NULL) == DREAMAPI_FORKED);
    CHECK(dreamapi_call_result(call, NULL) == DREAMAPI_FORKED);
    CHECK(dreamapi_customer_result(call, &customer, NULL) == DREAMAPI_FORKED);
    CHECK(dreamapi_call_json(call) == NULL);
    CHECK(dreamapi_client_fd(f->client) == -1);
    CHECK(dreamapi_client_next(f->client) == NULL);
    CHECK(dreamapi_client_perform(f->client) == DREAMAPI_FORKED);
    CHECK(dreamapi_client_timeout_ms(f->client) == -1);
    dreamapi_call_cancel(call);
}

static void free_client_then_call(fixture *f, dreamapi_call *call)
{
    use_everything(f, call);
    dreamapi_client_free(f->client);
    dreamapi_call_free(call);
}

static void free_call_then_client(fixture *f, dreamapi_call *call)
{
    dreamapi_call_free(call);
    dreamapi_client_free(f->client);
}

static void make_a_new_client(fixture *f, dreamapi_call *call)
{
    dreamapi_client *client = NULL;
    dreamapi_status status;

    (void)call;
#ifdef __SANITIZE_THREAD__
    /* That sanitizer cannot follow a thread begun in the child of a process with threads. */
    dreamapi_options_set_threads(f->options, 0);
#endif
    CHECK(dreamapi_client_new(f->options, &client, &f->error) == DREAMAPI_OK);
    status = dreamapi_customer_get(client, "u", NULL, NULL, &f->error);
    CHECK(status == DREAMAPI_OK);
    dreamapi_client_free(client);
    dreamapi_client_free(f->client);
}

static void start_client(fixture *f, server *s, server_function function, int threads)
{
    server_start(s, function);
    dreamapi_options_set_base_url(f->options, s->url);
    dreamapi_options_set_transport(f->options, NULL);
    dreamapi_options_set_clock(f->options, NULL);
    dreamapi_options_set_threads(f->options, threads);
    fixture_make_client(f);
}

static dreamapi_call *start_get(fixture *f)
{
    dreamapi_call *call = NULL;

    fixture_expect(f, dreamapi_customer_get_start(f->client, "u", NULL, &call, &f->error), DREAMAPI_OK);
    return call;
}

static void idle_client(fixture *f, int threads)
{
    server s;
    dreamapi_call *call;

    start_client(f, &s, serve_customers, threads);
    call = start_get(f);
    fixture_expect(f, dreamapi_call_wait(call, -1, &f->error), DREAMAPI_OK);
    in_child(free_client_then_call, f, call);
    in_child(free_call_then_client, f, call);
    /* The parent's connection is as it was. */
    fixture_expect(f, dreamapi_customer_get(f->client, "u", NULL, NULL, &f->error), DREAMAPI_OK);
    assert_int_equal(atomic_load(&s.connections), 1);
    dreamapi_call_free(call);
    dreamapi_client_free(f->client);
    f->client = NULL;
    server_stop(&s);
}

static void test_fork__an_idle_client_with_a_thread_is_let_go_in_the_child(void **state)
{
    idle_client(*state, 1);
}

static void test_fork__an_idle_client_without_a_thread_is_let_go_in_the_child(void **state)
{
    idle_client(*state, 0);
}

static void test_fork__a_call_under_way_stays_the_parents(void **state)
{
    fixture *f = *state;
    server s;
    dreamapi_call *call;

    start_client(f, &s, serve_nothing, 1);
    call = start_get(f);
    assert_int_equal(dreamapi_call_wait(call, 50, NULL), DREAMAPI_PENDING);
    in_child(free_client_then_call, f, call);
    in_child(free_call_then_client, f, call);
    assert_int_equal(dreamapi_call_result(call, NULL), DREAMAPI_PENDING);
    dreamapi_call_cancel(call);
    assert_int_equal(dreamapi_call_wait(call, -1, NULL), DREAMAPI_CANCELLED);
    dreamapi_call_free(call);
    dreamapi_client_free(f->client);
    f->client = NULL;
    server_stop(&s);
}

static void serve_one_and_close(server *s, int fd, int connection)
{
    (void)connection;
    if (server_read(s, fd))
        server_answer(fd, 200, CUSTOMER);
}

static void test_fork__a_child_works_with_a_client_of_its_own(void **state)
{
    fixture *f = *state;
    server s;

    start_client(f, &s, serve_one_and_close, 1);
    fixture_expect(f, dreamapi_customer_get(f->client, "u", NULL, NULL, &f->error), DREAMAPI_OK);
    in_child(make_a_new_client, f, NULL);
    dreamapi_client_free(f->client);
    f->client = NULL;
    server_stop(&s);
}

enum { FILLERS = 4 };

/* A port whose queue is full: who connects to it waits. `fillers` fill it. */
static int waiting_port(char *url, size_t size, int fillers[FILLERS])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    (void)snprintf(url, size, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

enum { PIPES = 8 };
static int pipes[PIPES][2];

static void free_client_and_use_pipes(fixture *f, dreamapi_call *call)
{
    char byte = 'x';

    (void)call;
    dreamapi_client_free(f->client);
    for (int i = 0; i < PIPES; i++) {
        CHECK(write(pipes[i][1], &byte, 1) == 1);
        CHECK(read(pipes[i][0], &byte, 1) == 1);
    }
}

/* libcurl closes a socket that never got connected without telling. */
static void test_fork__a_child_keeps_what_took_the_number_of_an_unconnected_socket(void **state)
{
    fixture *f = *state;
    char url[64];
    int fillers[FILLERS];
    int port = waiting_port(url, sizeof(url), fillers);

    dreamapi_options_set_base_url(f->options, url);
    dreamapi_options_set_transport(f->options, NULL);
    dreamapi_options_set_clock(f->options, NULL);
    dreamapi_options_set_threads(f->options, 0);
    dreamapi_options_set_timeout_ms(f->options, 20);
    fixture_make_client(f);
    fixture_expect(f, dreamapi_customer_get(f->client, "u", NULL, NULL, &f->error), DREAMAPI_TIMEOUT);
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(pipe(pipes[i]), 0);
    in_child(free_client_and_use_pipes, f, NULL);
    for (int i = 0; i < PIPES; i++) {
        (void)close(pipes[i][0]);
        (void)close(pipes[i][1]);
    }
    for (int i = 0; i < FILLERS; i++)
        (void)close(fillers[i]);
    (void)close(port);
}

static void test_fork__the_test_transport_is_let_go_in_the_child_too(void **state)
{
    fixture *f = *state;
    dreamapi_call *call;

    fixture_make_client(f);
    fixture_never(f, NULL);
    call = start_get(f);
    assert_int_equal(dreamapi_client_perform(f->client), DREAMAPI_OK);
    in_child(free_client_then_call, f, call);
    in_child(free_call_then_client, f, call);
    dreamapi_call_free(call);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_fork__an_idle_client_with_a_thread_is_let_go_in_the_child),
        WITH(test_fork__an_idle_client_without_a_thread_is_let_go_in_the_child),
        WITH(test_fork__a_call_under_way_stays_the_parents),
        WITH(test_fork__a_child_works_with_a_client_of_its_own),
        WITH(test_fork__a_child_keeps_what_took_the_number_of_an_unconnected_socket),
        WITH(test_fork__the_test_transport_is_let_go_in_the_child_too),
    };
    return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
