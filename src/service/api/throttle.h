/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.h - how often something may happen to each of any number of names, in bounded memory.
 * Each name has one time, by the generic cell rate algorithm (ITU-T I.371): `burst` at once, then one each `interval_ms`; what
 * is not used comes back by itself. Where more names are active than there is room for, those that would be forgotten first make
 * room: whoever has very many addresses gets more, and nobody gets less. Counts are this process's. Any thread. */
#ifndef DREAMD_API_THROTTLE_H
#define DREAMD_API_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dreamd_throttle dreamd_throttle;

typedef struct dreamd_rate {
    int64_t burst;
    int64_t interval_ms;
} dreamd_rate;

dreamd_throttle *dreamd_throttle_new(void);
void dreamd_throttle_free(dreamd_throttle *throttle); /* NULL is fine */

/* A name for `bytes` among those of its kind. Nobody outside can tell which ones fall together. */
uint64_t dreamd_throttle_name(const dreamd_throttle *throttle, unsigned kind, const void *bytes, size_t size);
/* The same for a numeric address: an IPv6 client has a whole /64 at its hands, so that is what counts. */
uint64_t dreamd_throttle_address(const dreamd_throttle *throttle, unsigned kind, const char *address);

/* How long until it may happen again, in ms; 0: it may now. `now_ms` is monotonic. Costs one load while nobody is refused. */
int64_t dreamd_throttle_wait(dreamd_throttle *throttle, uint64_t name, const dreamd_rate *rate, int64_t now_ms);
/* It happened, whether it might or not; but nobody waits longer than for one. */
void dreamd_throttle_count(dreamd_throttle *throttle, uint64_t name, const dreamd_rate *rate, int64_t now_ms);

/* Names that are known to be good: kept until others of the same place take it. */
void dreamd_throttle_know(dreamd_throttle *throttle, uint64_t name);
void dreamd_throttle_forget(dreamd_throttle *throttle, uint64_t name);
bool dreamd_throttle_knows(const dreamd_throttle *throttle, uint64_t name);

#endif
