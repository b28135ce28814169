/* SPDX-License-Identifier: Apache-2.0 */
/* lanes.h - one at a time, by name: work on the same thing waits its turn without holding a thread.
 *
 * The webhook needs it: telling the identity provider and storing an event are two steps, and two events about one user must
 * not cross between them. Lanes are this process' own. Over several processes the store's order of events decides, and a
 * process whose event was overtaken between the two steps tells the provider again, from the store (webhook_stripe.c). Any
 * thread. */
#ifndef DREAMD_API_LANES_H
#define DREAMD_API_LANES_H

#include <stdbool.h>

typedef struct dreamd_lanes dreamd_lanes;
typedef void dreamd_lane_fn(void *context);

/* A place in a lane, in the caller's storage, which lives until dreamd_lane_leave. */
typedef struct dreamd_lane_place {
    const char *name; /* borrowed until dreamd_lane_leave */
    dreamd_lane_fn *fn;
    void *context;
    struct dreamd_lane_place *next_lane;   /* of the places at the head */
    struct dreamd_lane_place *next_behind; /* who waits for this lane */
    struct dreamd_lane_place *next_turn;   /* of the places a thread is about to run */
} dreamd_lane_place;

dreamd_lanes *dreamd_lanes_new(void);        /* NULL when out of memory */
void dreamd_lanes_free(dreamd_lanes *lanes); /* all lanes empty; NULL is fine */
/* Calls place->fn when the lane is free: now, or from the leave of who is before. */
void dreamd_lane_enter(dreamd_lanes *lanes, dreamd_lane_place *place);
/* Exactly once for each place, after its fn was called; runs the next one's, or, when called from within a place's fn, leaves
 * that to the thread's outermost call: a long queue makes no deep stack. */
void dreamd_lane_leave(dreamd_lanes *lanes, dreamd_lane_place *place);

#endif
