/* SPDX-License-Identifier: Apache-2.0 */
/* script.c - keeps what was asked, and plays the HTTP client's side of the answer. One thread. */
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void script_send(void *transport, const dreamd_outbound *outbound, dreamd_reply_fn *fn, void *context)
{
    script *self = transport;
    script_call *call = &self->calls[self->count];

    assert_true(self->count < SCRIPT_MAX);
    self->count++;
    (void)snprintf(call->method, sizeof call->method, "%s", outbound->method);
    (void)snprintf(call->url, sizeof call->url, "%s", outbound->url);
    for (size_t i = 0; outbound->headers && outbound->headers[i]; i++) {
        strncat(call->headers, outbound->headers[i], sizeof call->headers - strlen(call->headers) - 1);
        strncat(call->headers, "\n", sizeof call->headers - strlen(call->headers) - 1);
    }
    (void)snprintf(call->body, sizeof call->body, "%.*s", (int)outbound->body_size,
                   outbound->body ? (const char *)outbound->body : "");
    call->timeout_ms = outbound->timeout_ms;
    call->fn = fn;
    call->context = context;
}

void script_reply(script *self, int index, int status, const char *body)
{
    dreamd_reply reply = {
        .status = status,
        .failure = status == 0 ? "connection refused by 10.0.0.1" : NULL,
        .body = body,
        .body_size = strlen(body),
        .retry_after_ms = status == 429 ? 2000 : -1,
        .elapsed_us = 10,
    };

    assert_true(index < self->count);
    self->calls[index].fn(self->calls[index].context, &reply);
}

static char clerk_live[] = "https://clerk-live.test";
static char clerk_test[] = "https://clerk-test.test";
static char stripe_live[] = "https://stripe-live.test";
static char stripe_test[] = "https://stripe-test.test";
static char clerk_live_key[] = "sk_clerk_live";
static char clerk_test_key[] = "sk_clerk_test";
static char stripe_live_key[] = "sk_stripe_live";
static char stripe_test_key[] = "sk_stripe_test";

dreamd_settings script_settings(void)
{
    return (dreamd_settings){
        .clerk_end_user = { [DREAMD_LIVE] = { .api_base = clerk_live, .secret_key = clerk_live_key },
                            [DREAMD_TEST] = { .api_base = clerk_test, .secret_key = clerk_test_key } },
        .stripe = { [DREAMD_LIVE] = { .api_base = stripe_live, .secret_key = stripe_live_key },
                    [DREAMD_TEST] = { .api_base = stripe_test, .secret_key = stripe_test_key } },
    };
}
