/* SPDX-License-Identifier: Apache-2.0 */
/* lanes.c - a list of lanes in use, each with its queue. There are about as many as webhooks in hand, so a list will do.
 * The mutex guards all links but next_turn, which is the running thread's own; nothing is called under it. */
#include "service/api/lanes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct dreamd_lanes {
    pthread_mutex_t mutex;
    dreamd_lane_place *heads;
};

dreamd_lanes *dreamd_lanes_new(void)
{
    dreamd_lanes *lanes = calloc(1, sizeof *lanes);

    if (lanes && pthread_mutex_init(&lanes->mutex, NULL) != 0) {
        free(lanes);
        return NULL;
    }
    return lanes;
}

void dreamd_lanes_free(dreamd_lanes *lanes)
{
    if (!lanes)
        return;
    pthread_mutex_destroy(&lanes->mutex);
    free(lanes);
}

/* Places whose turn it is, on this thread. */
static _Thread_local struct {
    bool is_running;
    dreamd_lane_place *first;
    dreamd_lane_place **end;
} turns;

static void run(dreamd_lane_place *place)
{
    place->next_turn = NULL;
    if (turns.is_running) {
        *turns.end = place;
        turns.end = &place->next_turn;
        return;
    }
    turns.is_running = true;
    turns.first = place;
    turns.end = &place->next_turn;
    while (turns.first) {
        place = turns.first;
        turns.first = place->next_turn;
        if (!turns.first)
            turns.end = &turns.first;
        place->fn(place->context); /* its memory may be gone afterwards */
    }
    turns.is_running = false;
}

static dreamd_lane_place *find_head(const dreamd_lanes *lanes, const char *name)
{
    dreamd_lane_place *head = lanes->heads;

    while (head && strcmp(head->name, name) != 0)
        head = head->next_lane;
    return head;
}

static void append(dreamd_lane_place *head, dreamd_lane_place *place)
{
    while (head->next_behind)
        head = head->next_behind;
    head->next_behind = place;
}

void dreamd_lane_enter(dreamd_lanes *lanes, dreamd_lane_place *place)
{
    dreamd_lane_place *head = NULL;

    place->next_lane = NULL;
    place->next_behind = NULL;
    pthread_mutex_lock(&lanes->mutex);
    head = find_head(lanes, place->name);
    if (head) {
        append(head, place);
    } else {
        place->next_lane = lanes->heads;
        lanes->heads = place;
    }
    pthread_mutex_unlock(&lanes->mutex);
    if (!head)
        run(place);
}

void dreamd_lane_leave(dreamd_lanes *lanes, dreamd_lane_place *place)
{
    dreamd_lane_place **link = &lanes->heads;
    dreamd_lane_place *next = NULL;

    pthread_mutex_lock(&lanes->mutex);
    while (*link != place)
        link = &(*link)->next_lane;
    next = place->next_behind;
    *link = next ? next : place->next_lane;
    if (next)
        next->next_lane = place->next_lane;
    pthread_mutex_unlock(&lanes->mutex);
    if (next)
        run(next);
}
