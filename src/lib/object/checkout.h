/* SPDX-License-Identifier: Apache-2.0 */
/* checkout.h - the sort of object that a checkout is: carts bring one too. */
#ifndef DREAM_LIB_OBJECT_CHECKOUT_H
#define DREAM_LIB_OBJECT_CHECKOUT_H

#include "lib/call.h"

extern const dream_noun dream_noun_checkout;

#endif
