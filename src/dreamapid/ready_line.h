/* SPDX-License-Identifier: Apache-2.0 */
/* ready_line.h - the one line that `serve` prints when it is ready: where everything listens, as JSON. */
#ifndef DREAMAPID_READY_LINE_H
#define DREAMAPID_READY_LINE_H

#include "sandbox/sandbox.h"

/* `box` may be NULL. Owned; holds the sandbox's keys, so release it with dream_free_secret. NULL when out of memory. */
char *dreamd_ready_line(const char *api_url, const char *admin_url, const sandbox *box);

#endif
