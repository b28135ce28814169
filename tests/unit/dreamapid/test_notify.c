/* SPDX-License-Identifier: Apache-2.0 */
/* test_notify.c - what a service manager hears, at a socket with a file and at one without. */
#include "dreamapid/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* Listens at `path` ("@name": without a file) and says so in the environment. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
        0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

static void hears(const char *path)
{
    char heard[32] = "";
    int fd = listen_at(path);
    assert_true(dreamd_notify("READY=1"));
    assert_int_equal(recv(fd, heard, sizeof heard - 1, MSG_DONTWAIT), 7);
    assert_string_equal(heard, "READY=1");
    (void)close(fd);
}

static void test_notify__reaches_a_socket_with_a_file_and_one_without(void **state)
{
    char folder[] = "/tmp/notify-XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    hears(path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    (void)snprintf(path, sizeof path, "@notify-%ld", (long)getpid());
    hears(path);
}

static void test_notify__has_nothing_to_do_where_nobody_wants_to_know(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_true(dreamd_notify("READY=1"));
    assert_int_equal(setenv("NOTIFY_SOCKET", "", 1), 0);
    assert_true(dreamd_notify("READY=1"));
}

static void test_notify__says_when_it_could_not(void **state)
{
    char far_too_long[256];
    (void)state;
    memset(far_too_long, 'x', sizeof far_too_long - 1);
    far_too_long[0] = '/';
    far_too_long[sizeof far_too_long - 1] = '\0';
    const char *const wrong[] = { "/nonexistent/socket", "relative", far_too_long };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", wrong[i], 1), 0);
        assert_false(dreamd_notify("READY=1"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify__reaches_a_socket_with_a_file_and_one_without),
        cmocka_unit_test(test_notify__has_nothing_to_do_where_nobody_wants_to_know),
        cmocka_unit_test(test_notify__says_when_it_could_not),
    };
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
