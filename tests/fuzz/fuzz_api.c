/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_api.c - what a developer's backend sends, past the key: method and target on the first line, then the body. Webhooks are signed
 * here. Answered, and the store keeps its invariants. */
#include "served.h"

#include "common/timefmt.h"
#include "common/webhook.h"

/* The headers that a provider would add. */
static void sign(const served_request *request, dream_buffer *headers)
{
    int64_t now_s = dream_wall_ms() / 1000;

    if (strncmp(request->target, "/webhook/stripe", 15) == 0) {
        dream_buffer_text(headers, "Stripe-Signature: ");
        FUZZ_CHECK(dream_stripe_signature_make(headers, STAGE_SECRET, request->body, request->size, now_s));
        dream_buffer_text(headers, "\r\n");
    } else if (strncmp(request->target, "/webhook/clerk", 14) == 0) {
        char id[32];
        (void)snprintf(id, sizeof(id), "msg_%zu", request->size);
        dream_buffer_printf(headers, "svix-id: %s\r\nsvix-timestamp: %lld\r\nsvix-signature: ", id, (long long)now_s);
        FUZZ_CHECK(dream_svix_signature_make(headers, id, SERVED_CLERK_SECRET, request->body, request->size, now_s));
        dream_buffer_text(headers, "\r\n");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *rest = text;
    char *line = fuzz_line(&rest);
    char *blank = strchr(line, ' ');
    dream_buffer headers = DREAM_BUFFER_INIT;
    served_answer answer;

    served_begin();
    if (blank != NULL && blank > line && blank[1] == '/') {
        served_request request = { .method = line, .target = blank + 1, .body = rest ? rest : "" };
        *blank = '\0';
        request.size = rest ? size - (size_t)(rest - text) : 0;
        sign(&request, &headers);
        request.headers = dream_buffer_str(&headers);
        served_ask(&request, &answer);
        served_answer_clear(&answer);
        served_check_store();
    }
    dream_buffer_clear(&headers);
    free(text);
    return 0;
}
