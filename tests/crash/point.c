/* SPDX-License-Identifier: Apache-2.0 */
/* point.c - dies where it was told to: DREAM_KILL_AT="name:n" ends this process with SIGKILL when it passes the point for the n-th time.
 * Forked children go on counting from where their parent was. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "points.h"

const char *const crash_point_names[DREAM_POINT_COUNT] = {
#define NAME(name) [DREAM_POINT_##name] = #name,
    DREAM_POINTS(NAME)
#undef NAME
};

static int wanted = -1;
static _Atomic long passes_left;

bool crash_points_read(void)
{
    const char *text = getenv("DREAM_KILL_AT");
    const char *colon = text == NULL ? NULL : strchr(text, ':');

    if (text == NULL)
        return true;
    for (int i = 0; colon != NULL && i < DREAM_POINT_COUNT; i++) {
        if (strlen(crash_point_names[i]) == (size_t)(colon - text)
            && memcmp(crash_point_names[i], text, (size_t)(colon - text)) == 0) {
            atomic_store(&passes_left, strtol(colon + 1, NULL, 10));
            wanted = i;
        }
    }
    return wanted >= 0;
}

void dream_point_pass(dream_point point)
{
    if ((int)point == wanted && atomic_fetch_sub(&passes_left, 1) == 1)
        (void)kill(getpid(), SIGKILL);
}
