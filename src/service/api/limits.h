/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - how often keys and addresses may fail, and how often they may ask for what costs the payment provider.
 *
 * A key that failed often is not looked up for a while, nor is any from an address that failed often: but a key that this process has
 * accepted, and not refused since, is not held up by what others do at its address. All of it is in one throttle (throttle.h),
 * which the service's context has; without one nothing is limited. */
#ifndef DREAMD_API_LIMITS_H
#define DREAMD_API_LIMITS_H

#include "service/api/call.h"

/* False, with the call's answer prepared (429), if this key is not to be looked up now. */
bool dreamd_limits_may_try(dreamd_call *call, const char *key);
/* The key is a good one, and whoever asked has it not: counts for the address alone, and the key's owner stays known there. */
void dreamd_limits_address_failed(dreamd_call *call);
void dreamd_limits_key_failed(dreamd_call *call, const char *key);
void dreamd_limits_key_accepted(dreamd_call *call, const char *key);

/* Counts a cart of the call's project, and of its address where no backend vouches for it. False, with the answer prepared (429), if
 * it is one too many. */
bool dreamd_limits_may_buy(dreamd_call *call);

#endif
