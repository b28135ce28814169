/* SPDX-License-Identifier: Apache-2.0 */
/* tier.h - the request for the list of tiers, for the library's own calls. */
#ifndef DREAM_LIB_OBJECT_TIER_H
#define DREAM_LIB_OBJECT_TIER_H

#include <dreamapi/tier.h>

#include "lib/call.h"

extern const dream_noun dream_noun_tiers; /* dreamapi_tiers */

#endif
