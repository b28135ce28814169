/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - whose turn it is to do the client's work, and waiting for more of it. */
#ifndef DREAM_LIB_ENGINE_H
#define DREAM_LIB_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/client.h"

/* Hands a call to the driver. The lock is held. */
void dream_engine_post(dreamapi_client *client, dreamapi_call *call);
/* Makes the driver look at the inbox. The lock is held. */
void dream_engine_wake(dreamapi_client *client);

/* threads = 0: becomes the driver unless somebody is, does what can be done, and steps back. */
void dream_engine_perform(dreamapi_client *client);
/* threads = 0: works for at most `timeout_ms`, or waits for somebody else who does; one round. */
void dream_engine_drive(dreamapi_client *client, int64_t timeout_ms);
/* Waits until the call is finished or `timeout_ms` is over (negative: never over), driving the client meanwhile if it
 * has no thread. The lock is held, and is let go of in between. */
void dream_engine_wait_for(dreamapi_client *client, dreamapi_call *call, int64_t timeout_ms);

/* The worker thread's function; the argument is the client. */
void *dream_engine_worker(void *client);
/* Ends every call with DREAMAPI_CANCELLED. With a worker, it has ended; without, this thread becomes the driver for good. */
void dream_engine_close(dreamapi_client *client);

#endif
