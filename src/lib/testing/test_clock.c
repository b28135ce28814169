/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c - the virtual clock of dreamapi/testing.h: two numbers that move
 * when a client waits or a test says so. Any thread. */
#include <dreamapi/testing.h>

#include <stdatomic.h>
#include <stdlib.h>

enum { FIRST_MONOTONIC_MS = 1000000 };

struct dreamapi_test_clock {
    _Atomic int64_t monotonic_ms;
    _Atomic int64_t wall_ms;
};

dreamapi_test_clock *dreamapi_test_clock_new(int64_t wall_ms)
{
    dreamapi_test_clock *clock = malloc(sizeof(*clock));

    if (clock == NULL)
        return NULL;
    atomic_init(&clock->monotonic_ms, FIRST_MONOTONIC_MS);
    atomic_init(&clock->wall_ms, wall_ms);
    return clock;
}

void dreamapi_test_clock_free(dreamapi_test_clock *clock)
{
    free(clock);
}

static int64_t monotonic_ms(void *user_data)
{
    return dreamapi_test_clock_monotonic_ms(user_data);
}

static int64_t wall_ms(void *user_data)
{
    return dreamapi_test_clock_wall_ms(user_data);
}

static void sleep_ms(void *user_data, int64_t ms)
{
    dreamapi_test_clock_advance(user_data, ms);
}

dreamapi_status dreamapi_test_clock_install(dreamapi_test_clock *clock, dreamapi_options *options)
{
    dreamapi_clock functions = { sizeof(functions), clock, monotonic_ms, wall_ms, sleep_ms };

    return clock == NULL ? DREAMAPI_INVALID : dreamapi_options_set_clock(options, &functions);
}

void dreamapi_test_clock_advance(dreamapi_test_clock *clock, int64_t ms)
{
    if (clock == NULL || ms <= 0)
        return;
    atomic_fetch_add(&clock->monotonic_ms, ms);
    atomic_fetch_add(&clock->wall_ms, ms);
}

void dreamapi_test_clock_set_wall_ms(dreamapi_test_clock *clock, int64_t wall_ms)
{
    if (clock != NULL)
        atomic_store(&clock->wall_ms, wall_ms);
}

int64_t dreamapi_test_clock_monotonic_ms(const dreamapi_test_clock *clock)
{
    return clock == NULL ? 0 : atomic_load(&clock->monotonic_ms);
}

int64_t dreamapi_test_clock_wall_ms(const dreamapi_test_clock *clock)
{
    return clock == NULL ? 0 : atomic_load(&clock->wall_ms);
}
