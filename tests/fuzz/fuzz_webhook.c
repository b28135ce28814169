/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_webhook.c - the headers of webhooks: Stripe's on the first line, Svix's id, timestamp and signature on the next three, then the
 * body. One that verifies names the signature that belongs to this body; one that was made verifies, and with no other secret. */
#include "fuzz.h"

#include "common/webhook.h"

/* Any id is signed, and a longer one never verifies. */
enum { NOW_S = 1700000000, ID_MAX = 128 };
static const char secret[] = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
static const char other[] = "whsec_MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

typedef struct webhook {
    const char *stripe;
    dream_svix_headers svix;
    const char *body;
    size_t size;
} webhook;

/* Does some time within the tolerance make a signature that the header names? Hexadecimal digits may be of either case. */
static bool is_made_by_us(const char *header, const char *id, const webhook *w)
{
    for (int64_t at = NOW_S - DREAM_WEBHOOK_TOLERANCE_S; at <= NOW_S + DREAM_WEBHOOK_TOLERANCE_S; at++) {
        dream_buffer made = DREAM_BUFFER_INIT;
        bool is_here;
        FUZZ_CHECK(id ? dream_svix_signature_make(&made, id, secret, w->body, w->size, at)
                      : dream_stripe_signature_make(&made, secret, w->body, w->size, at));
        is_here = strcasestr(header, id ? made.data : strstr(made.data, "v1=") + 3) != NULL;
        dream_buffer_clear(&made);
        if (is_here)
            return true;
    }
    return false;
}

static void try_as_sent(const webhook *w)
{
    if (dream_stripe_signature_verify(w->stripe, secret, w->body, w->size, NOW_S, DREAM_WEBHOOK_TOLERANCE_S))
        FUZZ_CHECK(is_made_by_us(w->stripe, NULL, w));
    if (dream_svix_signature_verify(&w->svix, secret, w->body, w->size, NOW_S, DREAM_WEBHOOK_TOLERANCE_S))
        FUZZ_CHECK(is_made_by_us(w->svix.signature, w->svix.id, w));
    FUZZ_CHECK(!dream_stripe_signature_verify(w->stripe, other, w->body, w->size, NOW_S, DREAM_WEBHOOK_TOLERANCE_S));
    FUZZ_CHECK(!dream_svix_signature_verify(&w->svix, other, w->body, w->size, NOW_S, DREAM_WEBHOOK_TOLERANCE_S));
    /* Header texts as secrets: those are a developer's to paste. */
    if (w->svix.signature != NULL)
        (void)dream_svix_signature_verify(&w->svix, w->svix.signature, w->body, w->size, NOW_S,
                                          DREAM_WEBHOOK_TOLERANCE_S);
}

static void try_signed(const webhook *w)
{
    dream_buffer made = DREAM_BUFFER_INIT;

    FUZZ_CHECK(dream_stripe_signature_make(&made, secret, w->body, w->size, NOW_S));
    FUZZ_CHECK(dream_stripe_signature_verify(made.data, secret, w->body, w->size, NOW_S, DREAM_WEBHOOK_TOLERANCE_S));
    FUZZ_CHECK(!dream_stripe_signature_verify(made.data, other, w->body, w->size, NOW_S, DREAM_WEBHOOK_TOLERANCE_S));
    dream_buffer_clear(&made);
    if (w->svix.id == NULL || w->svix.id[0] == '\0' || strlen(w->svix.id) > ID_MAX)
        return;
    FUZZ_CHECK(dream_svix_signature_make(&made, w->svix.id, secret, w->body, w->size, NOW_S));
    FUZZ_CHECK(dream_svix_signature_verify(&(dream_svix_headers){ w->svix.id, "1700000000", made.data }, secret,
                                           w->body, w->size, NOW_S, DREAM_WEBHOOK_TOLERANCE_S));
    dream_buffer_clear(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *rest = text;
    webhook w = { .stripe = fuzz_line(&rest) };

    w.svix.id = fuzz_line(&rest);
    w.svix.timestamp = fuzz_line(&rest);
    w.svix.signature = fuzz_line(&rest);
    w.body = rest == NULL ? "" : rest;
    w.size = rest == NULL ? 0 : size - (size_t)(rest - text);
    try_as_sent(&w);
    try_signed(&w);
    free(text);
    return 0;
}
