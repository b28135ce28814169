/* SPDX-License-Identifier: Apache-2.0 */
/* timers.h - who wants to be woken when: a binary heap by due time. Belongs to the thread that drives the client. */
#ifndef DREAM_LIB_TIMERS_H
#define DREAM_LIB_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what waits. All zero means: not waiting. */
typedef struct dream_timer {
    int64_t due_ms;
    size_t place; /* index in the heap plus 1; 0 = not in it */
    void *owner;
} dream_timer;

typedef struct dream_timers {
    dream_timer **heap;
    size_t count;
    size_t capacity;
} dream_timers;

void dream_timers_clear(dream_timers *timers);
/* Sets or moves a timer. False when out of memory, which cannot happen for one that is already set. */
bool dream_timers_set(dream_timers *timers, dream_timer *timer, int64_t due_ms);
void dream_timers_cancel(dream_timers *timers, dream_timer *timer); /* fine if it is not set */
/* The earliest timer, still set; NULL if there is none. */
dream_timer *dream_timers_first(const dream_timers *timers);

#endif
