/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.h - the signatures of webhooks. Stripe's: header "t=<unix>,v1=<hex HMAC-SHA256 of 't.body'>[,v1=...]". Svix's, which
 * Clerk uses: headers svix-id, svix-timestamp and svix-signature "v1,<base64 HMAC-SHA256 of 'id.timestamp.body'>[ v1,...]", with
 * the bytes that the secret "whsec_<base64>" stands for.
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

/* The three headers as sent; each may be NULL, which verifies as false. */
typedef struct dream_svix_headers {
    const char *id;
    const char *timestamp;
    const char *signature;
} dream_svix_headers;

/* True if any v1 signature matches, compared in constant time, and |now - timestamp| <= tolerance_s. A secret that is not
 * base64 behind an optional "whsec_" verifies nothing. */
bool dream_svix_signature_verify(const dream_svix_headers *headers, const char *secret, const void *body, size_t size,
                                 int64_t now_s, int64_t tolerance_s);
/* Appends "v1,<base64>", the value of svix-signature. The timestamp that goes with it is `now_s` in decimal. */
bool dream_svix_signature_make(dream_buffer *out, const char *id, const char *secret, const void *body, size_t size,
                               int64_t now_s);

#endif
