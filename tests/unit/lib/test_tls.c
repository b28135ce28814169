/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c - whom the built-in transport trusts over https. The server is
 * tls_server.py, started here; main's arguments say how. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

static char *const *server_command; /* python, script */

struct stage {
    char folder[32];
    char certificate[64];
    pid_t server;
    int input; /* its end ends the server */
    FILE *output;
    int port;
    dreamapi_options *options;
    dreamapi_client *client;
    dreamapi_error error;
};

static void become_server(struct stage *stage, int input[2], int output[2])
{
    (void)dup2(input[0], STDIN_FILENO);
    (void)dup2(output[1], STDOUT_FILENO);
    (void)close(input[1]);
    (void)close(output[0]);
    (void)execl(server_command[0], server_command[0], server_command[1], stage->certificate, (char *)NULL);
    _exit(127);
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    int input[2];
    int output[2];

    strcpy(stage->folder, "/tmp/dreamapi-tls-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    (void)snprintf(stage->certificate, sizeof(stage->certificate), "%s/certificate.pem", stage->folder);
    assert_int_equal(pipe(input), 0);
    assert_int_equal(pipe(output), 0);
    stage->server = fork();
    assert_true(stage->server >= 0);
    if (stage->server == 0)
        become_server(stage, input, output);
    (void)close(input[0]);
    (void)close(output[1]);
    stage->input = input[1];
    stage->output = fdopen(output[0], "r");
    assert_non_null(stage->output);
    assert_int_equal(fscanf(stage->output, "%d", &stage->port), 1);
    stage->options = dreamapi_options_new();
    dreamapi_options_set_secret_key(stage->options, "sk_live_1");
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;

    dreamapi_client_free(stage->client);
    dreamapi_options_free(stage->options);
    (void)close(stage->input);
    (void)waitpid(stage->server, NULL, 0);
    (void)fclose(stage->output);
    (void)unlink(stage->certificate);
    (void)rmdir(stage->folder);
    free(stage);
    return 0;
}

static dreamapi_status get_customer(struct stage *stage, const char *host)
{
    char url[64];

    (void)snprintf(url, sizeof(url), "https://%s:%d", host, stage->port);
    assert_int_equal(dreamapi_options_set_base_url(stage->options, url), DREAMAPI_OK);
    assert_int_equal(dreamapi_client_new(stage->options, &stage->client, &stage->error), DREAMAPI_OK);
    return dreamapi_customer_get(stage->client, "user_1", NULL, NULL, &stage->error);
}

/* Ends the server and counts its lines of this kind, "request" or "connection". It prints one before it answers. */
static int ended_with(struct stage *stage, const char *kind)
{
    char line[32] = "";
    int count = 0;

    (void)close(stage->input);
    stage->input = -1;
    while (fgets(line, sizeof(line), stage->output) != NULL)
        count += strncmp(line, kind, strlen(kind)) == 0;
    return count;
}

static void test_tls__a_certificate_nobody_vouches_for_is_refused_and_nothing_is_sent(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(get_customer(stage, "127.0.0.1"), DREAMAPI_TLS);
    assert_int_equal(stage->error.retriable, 0);
    assert_int_equal(stage->error.http_status, 0);
    assert_int_equal(ended_with(stage, "request"), 0);
}

static void test_tls__a_certificate_from_the_ca_file_is_taken(void **state)
{
    struct stage *stage = *state;

    dreamapi_options_set_ca_file(stage->options, stage->certificate);
    if (get_customer(stage, "127.0.0.1") != DREAMAPI_OK)
        fail_msg("%s", stage->error.message);
    assert_int_equal(ended_with(stage, "request"), 1);
}

static void test_tls__a_certificate_for_another_name_is_refused_and_nothing_is_sent(void **state)
{
    struct stage *stage = *state;

    dreamapi_options_set_ca_file(stage->options, stage->certificate);
    assert_int_equal(get_customer(stage, "localhost"), DREAMAPI_TLS);
    assert_int_equal(ended_with(stage, "request"), 0);
}

static void test_tls__a_ca_file_that_is_none_is_an_error_not_a_way_round(void **state)
{
    struct stage *stage = *state;

    dreamapi_options_set_ca_file(stage->options, "/nowhere/ca.pem");
    assert_int_equal(get_customer(stage, "127.0.0.1"), DREAMAPI_TLS);
    assert_int_equal(ended_with(stage, "request"), 0);
}

/* A farewell of the child's copy ("close notify") would end the parent's connection. */
static void test_tls__a_child_that_frees_the_client_leaves_the_connection_alone(void **state)
{
    struct stage *stage = *state;
    int status;
    int done[2];
    char byte;
    pid_t child;

    dreamapi_options_set_ca_file(stage->options, stage->certificate);
    if (get_customer(stage, "127.0.0.1") != DREAMAPI_OK)
        fail_msg("%s", stage->error.message);
    assert_int_equal(pipe(done), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dreamapi_client_free(stage->client);
        if (write(done[1], "x", 1) == 1)
            /* Not by _exit: valgrind would then take OpenSSL's memory of the worker, a thread that no child has, for leaks. */
            (void)kill(getpid(), SIGKILL);
        _exit(1);
    }
    (void)close(done[1]);
    assert_int_equal(read(done[0], &byte, 1), 1);
    (void)close(done[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(dreamapi_customer_get(stage->client, "user_1", NULL, NULL, &stage->error), DREAMAPI_OK);
    assert_int_equal(ended_with(stage, "connection"), 1);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        WITH(test_tls__a_certificate_nobody_vouches_for_is_refused_and_nothing_is_sent),
        WITH(test_tls__a_certificate_from_the_ca_file_is_taken),
        WITH(test_tls__a_certificate_for_another_name_is_refused_and_nothing_is_sent),
        WITH(test_tls__a_ca_file_that_is_none_is_an_error_not_a_way_round),
        WITH(test_tls__a_child_that_frees_the_client_leaves_the_connection_alone),
    };

    if (count != 3) {
        (void)fprintf(stderr, "usage: %s PYTHON tls_server.py\n", arguments[0]);
        return 2;
    }
    server_command = arguments + 1;
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
