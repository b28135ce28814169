/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - admits a user's requests in the process, from a lease, and says what that took.
 *
 *   cc meter.c $(pkg-config --cflags --libs dreamapi) -o meter
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./meter user_2abc 1000000 /tmp/usage.journal
 *
 * With a fourth argument, "kill", it ends itself as kill -9 would, with everything still to report: the journal has the
 * count, and whoever opens it next settles it. */
#include <dreamapi.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The request's own work would follow each use that is allowed. */
static long serve(dreamapi_meter *meter, long wanted)
{
    dreamapi_decision decision;
    long served = 0;
    double began = seconds();
    while (served < wanted && dreamapi_meter_use(meter, 1, &decision) == DREAMAPI_OK)
        served++;
    printf("served: %ld in %.0f ms, %.0f ns each\n", served, (seconds() - began) * 1e3,
           served > 0 ? (seconds() - began) * 1e9 / (double)served : 0.0);
    if (served < wanted)
        printf("refused: plan %s, %lld of %lld used\n", decision.plan, (long long)decision.used,
               (long long)decision.limit);
    return served;
}

static void report(dreamapi_client *client)
{
    dreamapi_meter_stats stats;
    if (dreamapi_client_meter_stats(client, &stats) == DREAMAPI_OK)
        printf("requests: %lld, for %lld units granted\n", (long long)stats.requests, (long long)stats.units_granted);
}

int main(int argc, char **argv)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_client *client = NULL;
    dreamapi_meter *meter = NULL;
    dreamapi_error error;
    dreamapi_status status;
    if (argc < 4 || argc > 5 || (argc == 5 && strcmp(argv[4], "kill") != 0)) {
        fprintf(stderr, "usage: %s USER REQUESTS JOURNAL [kill]   (DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n",
                argv[0]);
        dreamapi_options_free(options);
        return 2;
    }
    (void)dreamapi_options_set_journal(options, argv[3]);
    status = dreamapi_client_new(options, &client, &error);
    if (status == DREAMAPI_OK)
        status = dreamapi_meter_open(client, argv[1], NULL, &meter, &error);
    if (status == DREAMAPI_OK) {
        (void)serve(meter, atol(argv[2]));
        report(client);
        if (argc == 5) {
            (void)fflush(stdout);
            (void)raise(SIGKILL);
        }
        status = dreamapi_client_flush(client, 5000, &error);
    }
    if (status != DREAMAPI_OK)
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(error.status), error.message);
    dreamapi_meter_close(meter);
    dreamapi_client_free(client);
    dreamapi_options_free(options);
    return status == DREAMAPI_OK ? 0 : 1;
}
