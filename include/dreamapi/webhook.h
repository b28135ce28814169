/* SPDX-License-Identifier: Apache-2.0 */
/** @file webhook.h
 * "Did this webhook come from whom it says, just now, and for the first time?" Answered from the request's headers and its raw
 * body: no client, no network. docs/webhooks.md has a whole example.
 *
 * The schemes are Stripe's (header Stripe-Signature) and Standard Webhooks' with its symmetric signatures, v1, which are Svix's
 * and Clerk's too (headers webhook-id, webhook-timestamp, webhook-signature, or the same three with svix- before them). */
#ifndef DREAMAPI_WEBHOOK_H
#define DREAMAPI_WEBHOOK_H

#include <dreamapi/base.h>
#include <dreamapi/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a sender signs. Codes are only ever added. */
typedef enum dreamapi_webhook_scheme {
    /** Not said yet: refused. */
    DREAMAPI_WEBHOOK_NONE = 0,
    /** Stripe-Signature: t=...,v1=...; the secret is used as it is, "whsec_" included. */
    DREAMAPI_WEBHOOK_STRIPE = 1,
    /** Standard Webhooks and Svix; the secret is base64, with or without "whsec_" before it. */
    DREAMAPI_WEBHOOK_STANDARD = 2
} dreamapi_webhook_scheme;

/** Remembers webhooks that were taken, so that none is taken twice within its tolerance. Any thread may use one, several at once.
 * It belongs to the process that made it: in a forked child it answers DREAMAPI_FORKED, and other processes know nothing of it. */
typedef struct dreamapi_webhook_replays dreamapi_webhook_replays;

/** Most entries of a replay set. */
#define DREAMAPI_WEBHOOK_REPLAYS_MAX 1000000

/** Makes a replay set for at most `capacity` webhooks (1 to DREAMAPI_WEBHOOK_REPLAYS_MAX) at a time; 40 bytes each are allocated at
 * once and no more later. Take more than will come in twice the tolerance. Each check passes once over the entries, a
 * microsecond or two for a thousand. `*out_replays` is owned (dreamapi_webhook_replays_free), NULL on failure.
 * DREAMAPI_INVALID or DREAMAPI_NOMEM. */
DREAMAPI_API dreamapi_status dreamapi_webhook_replays_new(size_t capacity, dreamapi_webhook_replays **out_replays,
                                                          dreamapi_error *error);
/** Releases the set, which no thread may be using. NULL is fine. */
DREAMAPI_API void dreamapi_webhook_replays_free(dreamapi_webhook_replays *replays);

/** A webhook as it arrived. Everything is borrowed for the call. */
typedef struct dreamapi_webhook_params {
    /** sizeof(dreamapi_webhook_params), set by DREAMAPI_WEBHOOK_PARAMS_INIT. */
    size_t struct_size;
    /** Required. */
    dreamapi_webhook_scheme scheme;
    /** The value of Stripe-Signature, webhook-signature or svix-signature; NULL: it was not sent. */
    const char *signature;
    /** The value of webhook-id or svix-id; not Stripe's. NULL: it was not sent. */
    const char *id;
    /** The value of webhook-timestamp or svix-timestamp; not Stripe's. NULL: it was not sent. */
    const char *timestamp;
    /** The raw body, before anything parsed or changed it. May be NULL if `body_size` is 0. */
    const void *body;
    /** Its size in bytes. */
    size_t body_size;
    /** The endpoint's secrets, ended by NULL: one, or while it is being replaced the new one and the old. Required. */
    const char *const *secrets;
    /** How far the time that was signed may be from now, in seconds, in either direction; from 0 on. */
    int64_t tolerance_s;
    /** Now, in seconds since 1970-01-01T00:00Z; 0: the system's clock is asked. */
    int64_t now_s;
    /** Where to look for replays, and to remember this one; NULL: they are not looked for. */
    dreamapi_webhook_replays *replays;
} dreamapi_webhook_params;

/** Nothing set but a tolerance of 300 seconds. */
#define DREAMAPI_WEBHOOK_PARAMS_INIT                                                                                   \
    {                                                                                                                  \
        sizeof(dreamapi_webhook_params), DREAMAPI_WEBHOOK_NONE, NULL, NULL, NULL, NULL, 0, NULL, 300, 0, NULL          \
    }

/** Checks a webhook. Signatures are compared in constant time, each of the header's first 16 with each secret.
 *
 * DREAMAPI_OK: genuine, timely, and not seen before by `replays`.
 * DREAMAPI_INVALID: the parameters cannot be used, such as a secret that is no base64; not the sender's fault.
 * DREAMAPI_PROTOCOL: a header is missing or malformed; the message says which of the two.
 * DREAMAPI_AUTH: no signature in the header was made with one of the secrets over this body.
 * DREAMAPI_TIMEOUT: genuine, but signed longer than the tolerance ago, or ahead: an old recording, or a clock that is wrong.
 * DREAMAPI_CONFLICT: genuine and timely, and `replays` has seen it.
 * DREAMAPI_UNAVAILABLE: genuine, but `replays` is full; answer 503, and the sender comes again.
 * DREAMAPI_NOMEM, DREAMAPI_FORKED (see dreamapi_webhook_replays).
 *
 * `replays` knows a webhook by the bytes that were signed, so a sender's own repetition, signed anew, is no replay: whoever must not
 * act twice on one event remembers the event's id with what it did. An entry lives as long as its time is within the largest
 * tolerance that the set was asked with; setting the clock back brings none of the forgotten ones in again.
 * Memory: one copy of the body while it is checked. Any thread. */
DREAMAPI_API dreamapi_status dreamapi_webhook_verify(const dreamapi_webhook_params *params, dreamapi_error *error);

#ifdef __cplusplus
}
#endif

#endif
