/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.c - a table of places in sets; a name can be in any place of its set. The mutex is held over one set's search. */
#include "service/api/throttle.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"

enum { SETS = 1024, WAYS = 8, KNOWN = 4096, NETWORK_BYTES = 8 };

struct place {
    uint64_t name;
    int64_t due_ms; /* when all that happened is paid for; the past: the place is free */
};

struct dreamd_throttle {
    uint64_t seed;
    atomic_int_least64_t refusing_until_ms; /* nobody is refused from then on, as far as anything has happened */
    _Atomic uint64_t known[KNOWN];
    pthread_mutex_t mutex;
    struct place places[SETS][WAYS]; /* under `mutex` */
};

dreamd_throttle *dreamd_throttle_new(void)
{
    dreamd_throttle *throttle = calloc(1, sizeof *throttle);

    if (!throttle)
        return NULL;
    for (size_t i = 0; i < (size_t)SETS * WAYS; i++)
        throttle->places[i / WAYS][i % WAYS].due_ms = INT64_MIN;
    atomic_init(&throttle->refusing_until_ms, INT64_MIN);
    if (dream_random(&throttle->seed, sizeof throttle->seed) && pthread_mutex_init(&throttle->mutex, NULL) == 0)
        return throttle;
    free(throttle);
    return NULL;
}

void dreamd_throttle_free(dreamd_throttle *throttle)
{
    if (!throttle)
        return;
    pthread_mutex_destroy(&throttle->mutex);
    free(throttle);
}

/* ---- names ---- */

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

uint64_t dreamd_throttle_name(const dreamd_throttle *throttle, unsigned kind, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t name = mix(throttle->seed + kind) ^ size;

    while (size > 0) {
        uint64_t word = 0;
        size_t step = size < sizeof word ? size : sizeof word;
        memcpy(&word, at, step);
        name = mix((name ^ word) + throttle->seed);
        at += step;
        size -= step;
    }
    return name ? name : 1;
}

uint64_t dreamd_throttle_address(const dreamd_throttle *throttle, unsigned kind, const char *address)
{
    unsigned char bytes[16];

    if (inet_pton(AF_INET, address, bytes) == 1)
        return dreamd_throttle_name(throttle, kind, bytes, 4);
    if (inet_pton(AF_INET6, address, bytes) == 1)
        return dreamd_throttle_name(throttle, kind, bytes, NETWORK_BYTES);
    return dreamd_throttle_name(throttle, kind, address, strlen(address));
}

/* ---- what happened ---- */

/* How far ahead of the present a name may be due, and still go on. */
static int64_t tolerance_ms(const dreamd_rate *rate)
{
    return (rate->burst - 1) * rate->interval_ms;
}

static struct place *set_of(dreamd_throttle *throttle, uint64_t name)
{
    return throttle->places[name % SETS];
}

int64_t dreamd_throttle_wait(dreamd_throttle *throttle, uint64_t name, const dreamd_rate *rate, int64_t now_ms)
{
    int64_t wait_ms = 0;

    if (now_ms >= atomic_load_explicit(&throttle->refusing_until_ms, memory_order_relaxed))
        return 0;
    pthread_mutex_lock(&throttle->mutex);
    const struct place *places = set_of(throttle, name);
    for (int i = 0; i < WAYS; i++)
        if (places[i].name == name && places[i].due_ms > now_ms)
            wait_ms = places[i].due_ms - now_ms - tolerance_ms(rate);
    pthread_mutex_unlock(&throttle->mutex);
    return wait_ms > 0 ? wait_ms : 0;
}

/* The name's own place, else the one that is due first. */
static struct place *find_place(dreamd_throttle *throttle, uint64_t name)
{
    struct place *places = set_of(throttle, name);
    struct place *first = &places[0];

    for (int i = 0; i < WAYS; i++) {
        if (places[i].name == name)
            return &places[i];
        if (places[i].due_ms < first->due_ms)
            first = &places[i];
    }
    first->name = name;
    first->due_ms = INT64_MIN;
    return first;
}

void dreamd_throttle_count(dreamd_throttle *throttle, uint64_t name, const dreamd_rate *rate, int64_t now_ms)
{
    pthread_mutex_lock(&throttle->mutex);
    struct place *place = find_place(throttle, name);
    const int64_t latest_ms = now_ms + tolerance_ms(rate) + rate->interval_ms;
    place->due_ms = (place->due_ms > now_ms ? place->due_ms : now_ms) + rate->interval_ms;
    if (place->due_ms > latest_ms)
        place->due_ms = latest_ms;
    const int64_t free_at_ms = place->due_ms - tolerance_ms(rate);
    if (free_at_ms > atomic_load_explicit(&throttle->refusing_until_ms, memory_order_relaxed))
        atomic_store_explicit(&throttle->refusing_until_ms, free_at_ms, memory_order_relaxed);
    pthread_mutex_unlock(&throttle->mutex);
}

/* ---- who is known ---- */

void dreamd_throttle_know(dreamd_throttle *throttle, uint64_t name)
{
    _Atomic uint64_t *place = &throttle->known[name % KNOWN];

    if (atomic_load_explicit(place, memory_order_relaxed) != name) /* or every request would write the same line */
        atomic_store_explicit(place, name, memory_order_relaxed);
}

void dreamd_throttle_forget(dreamd_throttle *throttle, uint64_t name)
{
    (void)atomic_compare_exchange_strong(&throttle->known[name % KNOWN], &name, 0);
}

bool dreamd_throttle_knows(const dreamd_throttle *throttle, uint64_t name)
{
    return atomic_load_explicit(&throttle->known[name % KNOWN], memory_order_relaxed) == name;
}
