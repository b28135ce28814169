/* SPDX-License-Identifier: Apache-2.0 */
/* usage.h - the requests about usage, for the library's own calls. */
#ifndef DREAM_LIB_OBJECT_USAGE_H
#define DREAM_LIB_OBJECT_USAGE_H

#include <dreamapi/usage.h>
#include <dreamapi/usage_batch.h>

#include "lib/call.h"

extern const dream_noun dream_noun_usage;          /* dreamapi_usage */
extern const dream_noun dream_noun_usage_outcomes; /* dreamapi_usage_outcomes */

void dream_usage_build_get(dream_request *request, const dreamapi_client *client, const char *user_id,
                           const dreamapi_call_options *options);
void dream_usage_build_track(dream_request *request, const dreamapi_client *client, const char *user_id,
                             const dreamapi_usage_track_params *params, const dreamapi_call_options *options);
void dream_usage_build_batch(dream_request *request, const dreamapi_client *client, const dreamapi_usage_event *events,
                             size_t count, const dreamapi_call_options *options);

#endif
