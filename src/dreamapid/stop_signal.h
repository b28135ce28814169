/* SPDX-License-Identifier: Apache-2.0 */
/* stop_signal.h - SIGTERM, SIGINT and SIGHUP as something to wait for, instead of an interruption.
 * They are blocked before any thread starts, so that all threads inherit that, and taken by sigwait: nothing ever runs in a
 * signal handler. */
#ifndef DREAMAPID_STOP_SIGNAL_H
#define DREAMAPID_STOP_SIGNAL_H

#include <stdbool.h>

/* In main's thread, before any other thread exists. SIGPIPE is ignored from here on: a peer that closes is an error code. */
bool dreamd_stop_signal_block(void);
/* Returns the signal that came. */
int dreamd_stop_signal_wait(void);
/* From now on the next of them ends the process at once, with DREAMD_EXIT_FAILED. */
void dreamd_stop_signal_arm(void);
/* Takes that back. Once, after arm. */
void dreamd_stop_signal_disarm(void);

#endif
