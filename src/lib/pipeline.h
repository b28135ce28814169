/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.h - a call's way from start to end: one state machine for blocking and
 * started calls alike. Called by the driver only, without the lock. */
#ifndef DREAM_LIB_PIPELINE_H
#define DREAM_LIB_PIPELINE_H

#include "lib/call.h"
#include "lib/client.h"

void dream_pipeline_admit(dreamapi_call *call);  /* a new call */
void dream_pipeline_cancel(dreamapi_call *call); /* in any phase, finished included */
void dream_pipeline_timer(dreamapi_client *client, dream_timer *timer);
void dream_pipeline_ended(dreamapi_client *client, dreamapi_exchange *exchange);
void dream_pipeline_work(dreamapi_client *client);  /* lets calls without a request try again */
void dream_pipeline_close(dreamapi_client *client); /* ends everything */

#endif
