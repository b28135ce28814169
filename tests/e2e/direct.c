/* SPDX-License-Identifier: Apache-2.0 */
/* direct.c - what test_direct.py runs: threads that use one user's units through a cached meter, against a server without leases.
 *
 *   direct USER CACHED THREADS WITNESS SLOT   until killed, told to stop (SIGTERM), or the plan is used up
 *   direct flush                              reports what is left, and prints what could not be
 *
 * Where the service is, its key and the journal come from the environment. WITNESS is a file that the test maps: in its slot, how many
 * uses were begun and how many were admitted. */
#include <dreamapi.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 64, MAX_THREADS = 16, FLUSH_MS = 20000, CLOSE_MS = 10000 };

static atomic_int is_over;

static void stop(int number)
{
    (void)number;
    atomic_store(&is_over, 1);
}

struct slot {
    _Atomic long long begun;
    _Atomic long long admitted;
};

struct crowd {
    dreamapi_meter *meter;
    struct slot *slot;
};

static void *work(void *argument)
{
    struct crowd *crowd = argument;
    dreamapi_status status;

    do {
        atomic_fetch_add(&crowd->slot->begun, 1);
        status = dreamapi_meter_use(crowd->meter, 1, NULL);
        if (status == DREAMAPI_OK)
            atomic_fetch_add(&crowd->slot->admitted, 1);
        else
            atomic_fetch_sub(&crowd->slot->begun, 1);
    } while (status != DREAMAPI_LIMIT && atomic_load(&is_over) == 0);
    return NULL;
}

static struct slot *map_slot(const char *path, const char *number)
{
    int fd = open(path, O_RDWR);
    struct slot *slots = mmap(NULL, SLOTS * sizeof(*slots), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd < 0 || slots == MAP_FAILED)
        exit(3);
    (void)close(fd);
    return &slots[atoi(number) % SLOTS];
}

static int use(dreamapi_client *client, char **argv)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    struct crowd crowd = { .slot = map_slot(argv[4], argv[5]) };
    pthread_t threads[MAX_THREADS];
    int count = atoi(argv[3]);

    params.cached_units = atoi(argv[2]);
    if (count < 1 || count > MAX_THREADS
        || dreamapi_meter_open(client, argv[1], &params, &crowd.meter, NULL) != DREAMAPI_OK)
        return 3;
    for (int i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, work, &crowd) != 0)
            return 3;
    }
    for (int i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    dreamapi_meter_close(crowd.meter);
    return 0;
}

static int flush(dreamapi_client *client)
{
    dreamapi_meter_stats stats;
    dreamapi_error error;
    dreamapi_status status = dreamapi_client_flush(client, FLUSH_MS, &error);

    if (dreamapi_client_meter_stats(client, &stats) != DREAMAPI_OK)
        return 3;
    (void)printf("%s unreported=%lld doubtful=%lld\n", dreamapi_status_name(status), (long long)stats.units_unreported,
                 (long long)stats.units_doubtful);
    return 0;
}

int main(int argc, char **argv)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_client *client = NULL;
    dreamapi_error error;
    int result = 2;

    (void)signal(SIGTERM, stop);
    (void)dreamapi_options_set_journal(options, getenv("JOURNAL"));
    (void)dreamapi_options_set_close_timeout_ms(options, CLOSE_MS);
    if (dreamapi_client_new(options, &client, &error) != DREAMAPI_OK)
        (void)fprintf(stderr, "direct: %s\n", error.message);
    else if (argc == 6)
        result = use(client, argv);
    else if (argc == 2 && strcmp(argv[1], "flush") == 0)
        result = flush(client);
    dreamapi_client_free(client);
    dreamapi_options_free(options);
    return result;
}
