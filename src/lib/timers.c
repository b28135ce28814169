/* SPDX-License-Identifier: Apache-2.0 */
/* timers.c - the heap. Each timer knows its place, so that moving one on and
 * taking one out cost no search. One thread. */
#include "lib/timers.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

void dream_timers_clear(dream_timers *timers)
{
    free(timers->heap);
    timers->heap = NULL;
    timers->count = 0;
    timers->capacity = 0;
}

static void put(dream_timers *timers, size_t index, dream_timer *timer)
{
    timers->heap[index] = timer;
    timer->place = index + 1;
}

static void rise(dream_timers *timers, size_t index)
{
    dream_timer *timer = timers->heap[index];

    while (index > 0) {
        size_t above = (index - 1) / 2;
        if (timers->heap[above]->due_ms <= timer->due_ms)
            break;
        put(timers, index, timers->heap[above]);
        index = above;
    }
    put(timers, index, timer);
}

static void sink(dream_timers *timers, size_t index)
{
    dream_timer *timer = timers->heap[index];

    for (;;) {
        size_t below = 2 * index + 1;
        if (below >= timers->count)
            break;
        if (below + 1 < timers->count && timers->heap[below + 1]->due_ms < timers->heap[below]->due_ms)
            below++;
        if (timer->due_ms <= timers->heap[below]->due_ms)
            break;
        put(timers, index, timers->heap[below]);
        index = below;
    }
    put(timers, index, timer);
}

static bool make_room(dream_timers *timers)
{
    size_t capacity = timers->capacity == 0 ? FIRST_CAPACITY : timers->capacity * 2;
    dream_timer **heap;

    if (timers->count < timers->capacity)
        return true;
    heap = realloc(timers->heap, capacity * sizeof(*heap));
    if (heap == NULL)
        return false;
    timers->heap = heap;
    timers->capacity = capacity;
    return true;
}

bool dream_timers_set(dream_timers *timers, dream_timer *timer, int64_t due_ms)
{
    if (timer->place == 0) {
        if (!make_room(timers))
            return false;
        put(timers, timers->count++, timer);
    }
    timer->due_ms = due_ms;
    rise(timers, timer->place - 1);
    sink(timers, timer->place - 1);
    return true;
}

void dream_timers_cancel(dream_timers *timers, dream_timer *timer)
{
    size_t index;
    dream_timer *last;

    if (timer->place == 0)
        return;
    index = timer->place - 1;
    last = timers->heap[--timers->count];
    timer->place = 0;
    if (last == timer)
        return;
    put(timers, index, last);
    rise(timers, index);
    sink(timers, last->place - 1);
}

dream_timer *dream_timers_first(const dream_timers *timers)
{
    return timers->count == 0 ? NULL : timers->heap[0];
}
