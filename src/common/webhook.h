/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.h - the signatures of webhooks. Stripe's: header "t=<unix>,v1=<hex HMAC-SHA256 of 't.body'>[,v1=...]". Svix's, which
 * Clerk uses, and with "webhook" for "svix" in the headers' names Standard Webhooks': headers svix-id, svix-timestamp and
 * svix-signature "v1,<base64 HMAC-SHA256 of 'id.timestamp.body'>[ v1,...]", with the bytes that the secret "whsec_<base64>" stands
 * for. Both directions: service and library verify, the sandbox signs. */
#ifndef DREAM_COMMON_WEBHOOK_H
#define DREAM_COMMON_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/crypto.h"

enum { DREAM_WEBHOOK_TOLERANCE_S = 300 };

/* What there is to say of a webhook. */
typedef enum dream_webhook_verdict {
    DREAM_WEBHOOK_GOOD,
    DREAM_WEBHOOK_MISSING,    /* a header that the scheme needs is NULL */
    DREAM_WEBHOOK_MALFORMED,  /* one is not what the scheme says */
    DREAM_WEBHOOK_UNMATCHED,  /* no signature was made with any of the secrets over this body */
    DREAM_WEBHOOK_OUTSIDE,    /* genuine, but older or newer than the tolerance */
    DREAM_WEBHOOK_BAD_SECRET, /* there is no secret, or one that the scheme cannot use */
    DREAM_WEBHOOK_FAILED      /* out of memory */
} dream_webhook_verdict;

/* A delivery to judge. */
typedef struct dream_webhook {
    const char *const *secrets; /* ends with NULL; each is tried */
    const void *body;
    size_t size;
    int64_t now_s, tolerance_s;
    int64_t time_s; /* out: when it was signed, if the headers could be read */
    unsigned char
        digest[DREAM_SHA256_SIZE]; /* out, if GOOD or OUTSIDE: SHA-256 of what was signed, whatever the secret */
} dream_webhook;

/* Good if any v1 signature matches any secret, compared in constant time, and |now - t| <= tolerance_s. */
dream_webhook_verdict dream_stripe_signature_judge(dream_webhook *webhook, const char *header);
/* The same as a yes or no for one secret, which may be NULL. */
bool dream_stripe_signature_verify(const char *header, const char *secret, const void *body, size_t size, int64_t now_s,
                                   int64_t tolerance_s);
bool dream_stripe_signature_make(dream_buffer *out, const char *secret, const void *body, size_t size, int64_t now_s);

/* The three headers as sent. */
typedef struct dream_svix_headers {
    const char *id;
    const char *timestamp;
    const char *signature;
} dream_svix_headers;

/* Good if any v1 signature matches any secret, compared in constant time, and |now - timestamp| <= tolerance_s. A secret is
 * base64 behind an optional "whsec_". */
dream_webhook_verdict dream_svix_signature_judge(dream_webhook *webhook, const dream_svix_headers *headers);
/* The same as a yes or no for one secret, which may be NULL. */
bool dream_svix_signature_verify(const dream_svix_headers *headers, const char *secret, const void *body, size_t size,
                                 int64_t now_s, int64_t tolerance_s);
/* Appends "v1,<base64>", the value of svix-signature. The timestamp that goes with it is `now_s` in decimal. */
bool dream_svix_signature_make(dream_buffer *out, const char *id, const char *secret, const void *body, size_t size,
                               int64_t now_s);

#endif
