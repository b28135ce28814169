/* SPDX-License-Identifier: Apache-2.0 */
/* no_threads.c - a program with one thread and its own epoll loop: the library starts no thread, and works only when the loop
 * calls it. Counts units of one user, all calls in flight at once.
 *
 *   cc no_threads.c $(pkg-config --cflags --libs dreamapi) -o no_threads
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./no_threads user_2abc 20 */
#include <dreamapi.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

static int ok, refused, failed;

static void count(dreamapi_call *call)
{
    dreamapi_error error;
    dreamapi_status status = dreamapi_call_result(call, &error);
    if (status == DREAMAPI_OK)
        ok++;
    else if (status == DREAMAPI_LIMIT)
        refused++;
    else
        fprintf(stderr, "%s\n", error.message), failed++;
    dreamapi_call_free(call);
}

/* One round of the loop: sleep until something is to do, let the client work, fetch what is finished. */
static int turn(int loop, dreamapi_client *client)
{
    /* How long the loop may sleep: the client has timers (retries, deadlines), as the program has its own. */
    int64_t wait_ms = dreamapi_client_timeout_ms(client);
    struct epoll_event events[16];
    int ready = epoll_wait(loop, events, 16, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms);
    if (ready < 0 && errno != EINTR)
        return -1;
    /* The program's own descriptors would be served here, too. This never waits, and may be called more often than needed. */
    dreamapi_client_perform(client);
    for (dreamapi_call *call; (call = dreamapi_client_next(client));)
        count(call);
    return 0;
}

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_error error = { .message = "out of memory" };
    int calls = argc == 3 ? atoi(argv[2]) : 0;
    if (calls < 1) {
        fprintf(stderr, "usage: %s USER CALLS   (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n", argv[0]);
        return 2;
    }
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_status status = dreamapi_options_set_threads(options, 0);
    if (status == DREAMAPI_OK)
        status = dreamapi_client_new(options, &client, &error);
    dreamapi_options_free(options);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event interest = { .events = EPOLLIN };
    if (status != DREAMAPI_OK || epoll_ctl(loop, EPOLL_CTL_ADD, dreamapi_client_fd(client), &interest) != 0) {
        fprintf(stderr, "%s\n", status != DREAMAPI_OK ? error.message : "no descriptors left");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < calls; i++) {
        dreamapi_call *call = NULL;
        if (dreamapi_usage_track_start(client, argv[1], NULL, NULL, &call, &error) != DREAMAPI_OK)
            failed++;
    }
    while (ok + refused + failed < calls && turn(loop, client) == 0)
        continue;
    printf("%d served, %d refused, %d failed\n", ok, refused, failed);
    dreamapi_client_free(client);
    return ok + refused == calls ? EXIT_SUCCESS : EXIT_FAILURE;
}
