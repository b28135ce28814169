/* SPDX-License-Identifier: Apache-2.0 */
/* async_poll.c - many calls in flight at once, collected under the program's own poll(): reads the usage of every user named.
 *
 *   cc async_poll.c $(pkg-config --cflags --libs dreamapi) -o async_poll
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./async_poll user_1 user_2 user_3 */
#include <dreamapi.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A finished call: its result is taken, and then the call is released. Returns 1 if it went well. */
static int collect(dreamapi_call *call)
{
    const char *user = dreamapi_call_user_data(call);
    dreamapi_usage *usage = NULL;
    dreamapi_error error;
    dreamapi_status status = dreamapi_usage_result(call, &usage, &error);
    if (status == DREAMAPI_OK)
        printf("%s: %lld used\n", user, (long long)dreamapi_usage_count(usage));
    else
        printf("%s: %s\n", user, dreamapi_status_name(status));
    dreamapi_usage_free(usage);
    dreamapi_call_free(call);
    return status == DREAMAPI_OK;
}

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_error error;
    int in_flight = 0, went_well = 0;
    if (dreamapi_client_new(NULL, &client, &error) != DREAMAPI_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }

    /* Beginning a call never waits. The client opens a bounded number of connections; what is more waits its turn. */
    for (int i = 1; i < argc; i++) {
        dreamapi_call *call = NULL;
        if (dreamapi_usage_get_start(client, argv[i], NULL, &call, &error) != DREAMAPI_OK) {
            printf("%s: %s\n", argv[i], error.message);
            continue;
        }
        dreamapi_call_set_user_data(call, argv[i]);
        in_flight++;
    }

    /* One descriptor for all calls. In a real program it stands beside the listening socket and all others. It stays
     * readable while a finished call is waiting to be fetched; never read from it. No timeout: every call has a deadline. */
    struct pollfd watched = { .fd = dreamapi_client_fd(client), .events = POLLIN };
    while (in_flight > 0) {
        if (poll(&watched, 1, -1) < 0 && errno != EINTR) {
            fprintf(stderr, "poll: %s\n", strerror(errno));
            break;
        }
        /* Calls come in the order in which they finish. */
        for (dreamapi_call *call; (call = dreamapi_client_next(client)); in_flight--)
            went_well += collect(call);
    }

    dreamapi_client_free(client);
    return went_well == argc - 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
