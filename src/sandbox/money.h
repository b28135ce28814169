/* SPDX-License-Identifier: Apache-2.0 */
/* money.h - amounts for people to read: "$29.00", "€5.00", "¥500", "12.500 KWD". Any thread. */
#ifndef SANDBOX_MONEY_H
#define SANDBOX_MONEY_H

#include <stdint.h>

#include "common/buffer.h"

/* `currency` is a lower-case ISO 4217 code; amounts are in its smallest unit, as Stripe counts them. */
void sandbox_money(dream_buffer *out, int64_t amount_minor, const char *currency);

#endif
