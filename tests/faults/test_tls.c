/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c - peers that get TLS wrong, each in one way: tls_peer.py, started here; main's arguments say how.
 * Whatever it is, no byte of a request leaves, and a POST's outcome is clear. A refusal is final; a handshake that the
 * network cut is tried again.
 *
 * libcurl asks for the peer's address as soon as it is connected, and finds none if the reset was faster. A getpeername of
 * our own, which it calls instead of the C library's, makes that certain. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

enum { LINE_SIZE = 128, TIMEOUT_MS = 20000 };

typedef struct tls_row {
    const char *sentence;
    const char *manner;
    dreamapi_status status;
    int port;
    bool is_peer_gone;
} tls_row;

static tls_row rows[] = {
    { "a good certificate is taken", "good", DREAMAPI_OK, 0 },
    { "an expired certificate is refused", "expired", DREAMAPI_TLS, 0 },
    { "a certificate of tomorrow is refused", "future", DREAMAPI_TLS, 0 },
    { "a certificate for another address is refused", "wrong-name", DREAMAPI_TLS, 0 },
    { "a certificate of an unknown authority is refused", "unknown-authority", DREAMAPI_TLS, 0 },
    { "a protocol older than TLS 1.2 is refused", "old-protocol", DREAMAPI_TLS, 0 },
    { "plain http on a port for TLS is refused", "plain-http", DREAMAPI_TLS, 0 },
    { "noise instead of a handshake is refused", "garbage", DREAMAPI_TLS, 0 },
    { "a reset before the handshake sends nothing, and may be repeated", "cut-at-once", DREAMAPI_UNAVAILABLE, 0 },
    { "a reset that libcurl sees before the handshake sends nothing, and may be repeated", "cut-at-once",
      DREAMAPI_UNAVAILABLE, 0, .is_peer_gone = true },
    { "a reset in the handshake sends nothing, and may be repeated", "cut-in-handshake", DREAMAPI_UNAVAILABLE, 0 },
    { "an end in the server's hello sends nothing, and may be repeated", "cut-after-hello", DREAMAPI_UNAVAILABLE, 0 },
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static bool is_peer_gone;

/* Under a name of ours, because the C library's headers declare the other in a way of their own. */
__attribute__((visibility("default"))) int find_peer(int fd, void *address, void *size) __asm__("getpeername");

int find_peer(int fd, void *address, void *size)
{
    if (!is_peer_gone)
        return (int)syscall(SYS_getpeername, fd, address, size);
    errno = ENOTCONN;
    return -1;
}

static char *const *peer_command; /* python, script */
static char folder[] = "/tmp/dreamapi-faults-XXXXXX";
static pid_t peer;
static int peer_input = -1; /* its end ends the peer */
static FILE *peer_output;

static void become_peer(int input[2], int output[2])
{
    char *arguments[ROW_COUNT + 4] = { peer_command[0], peer_command[1], folder };

    for (size_t i = 0; i < ROW_COUNT; i++)
        arguments[3 + i] = (char *)(uintptr_t)rows[i].manner;
    (void)dup2(input[0], STDIN_FILENO);
    (void)dup2(output[1], STDOUT_FILENO);
    (void)close(input[1]);
    (void)close(output[0]);
    (void)execv(arguments[0], arguments);
    _exit(127);
}

static bool start_peer(void)
{
    int input[2];
    int output[2];
    char manner[LINE_SIZE];
    int port;

    if (!mkdtemp(folder) || pipe(input) != 0 || pipe(output) != 0)
        return false;
    peer = fork();
    if (peer < 0)
        return false;
    if (peer == 0)
        become_peer(input, output);
    (void)close(input[0]);
    (void)close(output[1]);
    peer_input = input[1];
    peer_output = fdopen(output[0], "r");
    while (peer_output && fscanf(peer_output, "%127s %d", manner, &port) == 2) {
        if (strcmp(manner, "ready") == 0)
            return true;
        for (size_t i = 0; i < ROW_COUNT; i++) {
            if (strcmp(rows[i].manner, manner) == 0)
                rows[i].port = port;
        }
    }
    return false;
}

/* Ends the peer; returns how many requests came over connections that should have been refused. */
static int stop_peer(void)
{
    char line[LINE_SIZE];
    int wrong = 0;

    (void)close(peer_input);
    while (fgets(line, sizeof(line), peer_output))
        wrong += strncmp(line, "request", 7) == 0 && strcmp(line, "request good\n") != 0;
    (void)fclose(peer_output);
    (void)waitpid(peer, NULL, 0);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        (void)snprintf(line, sizeof(line), "%s/%s.pem", folder, rows[i].manner);
        (void)unlink(line);
    }
    (void)rmdir(folder);
    return wrong;
}

static void test_tls(void **state)
{
    const tls_row *row = *state;
    char text[LINE_SIZE];
    stage s;

    stage_open(&s);
    s.timeout_ms = TIMEOUT_MS;
    (void)snprintf(text, sizeof(text), "https://127.0.0.1:%d", row->port);
    assert_int_equal(dreamapi_options_set_base_url(s.options, text), DREAMAPI_OK);
    (void)snprintf(text, sizeof(text), "%s/%s.pem", folder, row->manner);
    assert_int_equal(dreamapi_options_set_ca_file(s.options, text), DREAMAPI_OK);
    stage_make_client(&s, 0);
    is_peer_gone = row->is_peer_gone;
    for (work kind = WORK_GET; kind <= WORK_POST; kind++) {
        stage_expect(&s, work_names[kind], stage_do(&s, kind), row->status);
        assert_int_equal(s.error.retriable, row->status == DREAMAPI_UNAVAILABLE);
    }
    is_peer_gone = false;
    stage_close(&s);
}

int main(int count, char **arguments)
{
    int failed;

    if (count != 3) {
        (void)fprintf(stderr, "usage: %s PYTHON tls_peer.py\n", arguments[0]);
        return 2;
    }
    peer_command = arguments + 1;
    if (!start_peer())
        return 1;
    failed = stage_run("faults_tls", test_tls, rows, sizeof(rows[0]), ROW_COUNT);
    if (stop_peer() > 0) {
        (void)fprintf(stderr, "a request left over a refused connection\n");
        failed++;
    }
    return failed;
}
