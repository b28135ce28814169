/* SPDX-License-Identifier: Apache-2.0 */
/* sigpipe.h - keeps SIGPIPE from the host while this thread is inside libcurl. */
#ifndef DREAM_LIB_SIGPIPE_H
#define DREAM_LIB_SIGPIPE_H

#include <stdbool.h>

typedef struct dream_sigpipe_guard {
    bool is_active; /* this guard blocked the signal, and unblocks it */
} dream_sigpipe_guard;

void dream_sigpipe_block(dream_sigpipe_guard *guard);
void dream_sigpipe_unblock(dream_sigpipe_guard *guard);

#endif
