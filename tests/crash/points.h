/* SPDX-License-Identifier: Apache-2.0 */
/* points.h - the marked places of src/lib/meter/point.h, by name. */
#ifndef DREAM_CRASH_POINTS_H
#define DREAM_CRASH_POINTS_H

#include <stdbool.h>

#include "lib/meter/point.h"

extern const char *const crash_point_names[DREAM_POINT_COUNT];

/* Reads DREAM_KILL_AT; false if it names no point. Before any thread. */
bool crash_points_read(void);

#endif
