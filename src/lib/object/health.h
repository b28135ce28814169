/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - reading an answer to GET /health, for the typed call and for the client's own question. */
#ifndef DREAM_LIB_OBJECT_HEALTH_H
#define DREAM_LIB_OBJECT_HEALTH_H

#include "lib/call.h"

extern const dream_noun dream_noun_health;

#endif
