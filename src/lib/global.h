/* SPDX-License-Identifier: Apache-2.0 */
/* global.h - what the process shares: libcurl's own initialisation, and its end. Any thread. */
#ifndef DREAM_LIB_GLOBAL_H
#define DREAM_LIB_GLOBAL_H

#include <stdbool.h>

bool dream_global_acquire(void); /* false when libcurl cannot be initialised */
void dream_global_release(void);

/* Around whatever may touch TLS. False: the process is ending, and the TLS library beneath libcurl is, or is about to be, cleaned up:
 * leave libcurl alone. Each is followed by dream_global_leave, whatever it said. */
bool dream_global_enter(void);
void dream_global_leave(void);
bool dream_global_is_ending(void);

#endif
