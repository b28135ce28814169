/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.h - Stripe's webhook signature: header "t=<unix>,v1=<hex HMAC-SHA256 of 't.body'>[,v1=...]".
 * Both directions: the service verifies, the sandbox signs. */
#ifndef DREAM_COMMON_WEBHOOK_H
#define DREAM_COMMON_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

enum { DREAM_WEBHOOK_TOLERANCE_S = 300 };

/* True if any v1 signature matches, compared in constant time, and |now - t| <= tolerance_s. */
bool dream_stripe_signature_verify(const char *header, const char *secret, const void *body, size_t size, int64_t now_s,
                                   int64_t tolerance_s);
bool dream_stripe_signature_make(dream_buffer *out, const char *secret, const void *body, size_t size, int64_t now_s);

#endif
