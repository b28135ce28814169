/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - prints what a client takes, as plain numbers that run.py puts into rows.
 * memory idle THREADS: bytes of this process with a client that did nothing yet, with one that made a request, and the client's
 * threads.
 * memory meters FOLDER COUNT: bytes that each of COUNT open meters takes, first without and then with a lease. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "memory_of.h"
#include "support/grants.h"

static void need(dreamapi_status status)
{
    if (status != DREAMAPI_OK)
        bench_die(dreamapi_status_name(status));
}

static int count_threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    const struct dirent *entry;
    int count = 0;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        count += entry->d_name[0] != '.';
    if (folder != NULL)
        (void)closedir(folder);
    return count;
}

static dreamapi_options *begin_options(void)
{
    dreamapi_options *options = dreamapi_options_new();

    need(dreamapi_options_set_base_url(options, "http://127.0.0.1:1"));
    need(dreamapi_options_set_secret_key(options, "sk_test_bench"));
    return options;
}

static int idle(int threads)
{
    dreamapi_options *options = begin_options();
    dreamapi_health *health = NULL;
    dreamapi_client *client;
    long fresh;

    need(dreamapi_options_set_threads(options, threads));
    need(dreamapi_options_set_max_retries(options, 0));
    need(dreamapi_client_new(options, &client, NULL));
    dreamapi_options_free(options);
    fresh = memory_of_this_process();
    /* Nobody listens there; what libcurl sets up for a request stays. */
    if (dreamapi_health_get(client, NULL, &health, NULL) == DREAMAPI_OK)
        bench_die("port 1 answers");
    (void)printf("%ld %ld %d\n", fresh, memory_of_this_process(), count_threads() - 1);
    dreamapi_client_free(client);
    return 0;
}

static void open_all(dreamapi_client *client, dreamapi_meter **meters, long count)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    char id[48];

    /* Refusing at once, so that leases are asked for by the thousand. */
    params.policy = DREAMAPI_POLICY_DENY;
    for (long i = 0; i < count; i++) {
        (void)snprintf(id, sizeof(id), "user_2abcDEFghiJKL%08ld", i);
        need(dreamapi_meter_open(client, id, &params, &meters[i], NULL));
    }
}

static void lease_all(dreamapi_meter **meters, long count)
{
    long waiting;

    do {
        waiting = 0;
        for (long i = 0; i < count; i++)
            waiting += dreamapi_meter_use(meters[i], 1, NULL) != DREAMAPI_OK;
        (void)usleep(10000);
    } while (waiting > 0);
}

static int meters(const char *folder, long count)
{
    static grants settings = { .units = 1000000, .ttl_ms = 3600000 };
    dreamapi_transport transport = grants_transport(&settings);
    dreamapi_options *options = begin_options();
    dreamapi_meter **all = malloc((size_t)count * sizeof(dreamapi_meter *));
    dreamapi_client *client;
    dreamapi_meter *first;
    char path[512];
    long before, open, leased;

    (void)snprintf(path, sizeof(path), "%s/memory.journal", folder);
    need(dreamapi_options_set_transport(options, &transport));
    need(dreamapi_options_set_journal(options, path));
    need(dreamapi_client_new(options, &client, NULL));
    dreamapi_options_free(options);
    /* What the first meter brings is not each meter's. */
    need(dreamapi_meter_open(client, "user_first", NULL, &first, NULL));
    need(dreamapi_meter_use(first, 1, NULL));
    memset((void *)all, 1, (size_t)count * sizeof(dreamapi_meter *));
    before = memory_of_this_process();
    open_all(client, all, count);
    open = memory_of_this_process();
    lease_all(all, count);
    leased = memory_of_this_process();
    (void)printf("%.1f %.1f\n", (double)(open - before) / (double)count, (double)(leased - before) / (double)count);
    for (long i = 0; i < count; i++)
        dreamapi_meter_close(all[i]);
    dreamapi_meter_close(first);
    dreamapi_client_free(client);
    free((void *)all);
    (void)unlink(path);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("memory", &argc, &argv);
    if (argc == 3 && strcmp(argv[1], "idle") == 0)
        return idle(atoi(argv[2]));
    if (argc == 4 && strcmp(argv[1], "meters") == 0 && atol(argv[3]) > 0)
        return meters(argv[2], atol(argv[3]));
    bench_die("idle THREADS, or meters FOLDER COUNT");
}
