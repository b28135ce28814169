/* SPDX-License-Identifier: Apache-2.0 */
/* global.h - what the process shares: libcurl's own initialisation. Any thread. */
#ifndef DREAM_LIB_GLOBAL_H
#define DREAM_LIB_GLOBAL_H

#include <stdbool.h>

bool dream_global_acquire(void); /* false when libcurl cannot be initialised */
void dream_global_release(void);

#endif
