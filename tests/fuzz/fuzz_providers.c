/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_providers.c - what Clerk and Stripe answer. An input is the answer's status on the first line, then its body; every kind of
 * call gets it. Each is told of it exactly once, with a result only where the outcome is good, and then with all that a result has. */
#include "fuzz.h"

#include "service/provider/clerk.h"
#include "service/provider/stripe.h"

static char address[] = "https://provider.test";
static char secret[] = "sk_provider";

typedef struct answered {
    int status;
    const char *body;
    size_t size;
    int heard;
} answered;

static answered current;

static void reply_at_once(void *transport, const dreamd_outbound *outbound, dreamd_reply_fn *fn, void *context)
{
    dreamd_reply reply = { .status = current.status,
                           .failure = current.status == 0 ? "it does not answer" : NULL,
                           .body = current.body,
                           .body_size = current.size,
                           .retry_after_ms = -1 };

    (void)transport;
    FUZZ_CHECK(strncmp(outbound->url, address, strlen(address)) == 0);
    fn(context, &reply);
}

static void hear(const dreamd_upstream_answer *answer, bool has_result)
{
    current.heard++;
    FUZZ_CHECK(answer->message != NULL && strlen(answer->message) < DREAMD_UPSTREAM_MESSAGE_SIZE);
    FUZZ_CHECK(!has_result || (answer->outcome == DREAMD_UPSTREAM_OK && current.status / 100 == 2));
}

static void hear_user(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    (void)context;
    hear(answer, user != NULL);
    (void)dreamd_clerk_is_taken(answer);
    FUZZ_CHECK(user == NULL || (user->id != NULL && user->id[0] != '\0'));
    FUZZ_CHECK(user == NULL || user->metadata == NULL || cJSON_IsObject(user->metadata));
}

static void hear_url(void *context, const dreamd_upstream_answer *answer, const char *url)
{
    (void)context;
    hear(answer, url != NULL);
}

static void hear_lines(void *context, const dreamd_upstream_answer *answer, const dreamd_stripe_line *lines,
                       size_t count)
{
    (void)context;
    hear(answer, lines != NULL);
    FUZZ_CHECK(count <= DREAMD_STRIPE_MAX_LINES);
    for (size_t i = 0; lines != NULL && i < count; i++)
        FUZZ_CHECK(lines[i].price_id != NULL && lines[i].price_id[0] != '\0' && lines[i].quantity >= 1);
}

static void hear_plain(void *context, const dreamd_upstream_answer *answer)
{
    (void)context;
    hear(answer, false);
}

static void ask_clerk(dreamd_upstream *upstream)
{
    static const dreamd_clerk_new_user ada = { "ada@example.test", "password", "Ada", NULL, "pk_live_1", "free" };

    dreamd_clerk_get_user(upstream, DREAMD_LIVE, "user_1", hear_user, NULL);
    dreamd_clerk_create_user(upstream, DREAMD_LIVE, &ada, hear_user, NULL);
    dreamd_clerk_find_user(upstream, DREAMD_LIVE, "ada@example.test", hear_user, NULL);
    dreamd_clerk_delete_user(upstream, DREAMD_LIVE, "user_1", hear_plain, NULL);
    dreamd_clerk_get_keys(upstream, DREAMD_LIVE, hear_plain, NULL);
}

static void ask_stripe(dreamd_upstream *upstream)
{
    static const dreamd_stripe_actor actor = { .mode = DREAMD_LIVE, .account = "acct_1" };
    static const dreamd_stripe_checkout checkout = { .success_url = "https://shop.test/ok",
                                                     .cancel_url = "https://shop.test/no",
                                                     .user_id = "user_1",
                                                     .tier = "pro",
                                                     .publishable_key = "pk_live_1",
                                                     .price_id = "price_1" };
    char id[DREAMD_STRIPE_ID_SIZE];
    char error[256] = "";

    dreamd_stripe_create_checkout(upstream, &actor, &checkout, hear_url, NULL);
    dreamd_stripe_create_portal(upstream, &actor, "cus_1", "https://shop.test", hear_url, NULL);
    dreamd_stripe_get_lines(upstream, &actor, "cs_1", hear_lines, NULL);
    if (dreamd_stripe_wait_account(upstream, &actor, "ada@example.test", id, error))
        FUZZ_CHECK(current.status / 100 == 2 && id[0] != '\0' && memchr(id, '\0', sizeof(id)) != NULL);
    else
        FUZZ_CHECK(error[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dreamd_settings settings = { .clerk_end_user[DREAMD_LIVE] = { .api_base = address, .secret_key = secret },
                                 .stripe[DREAMD_LIVE] = { .api_base = address, .secret_key = secret } };
    dreamd_upstream *upstream = dreamd_upstream_new_over(&settings, NULL, reply_at_once, NULL);
    char *text = fuzz_text(data, size);
    char *rest = text;
    int status = atoi(fuzz_line(&rest));

    FUZZ_CHECK(upstream != NULL);
    current = (answered){ .status = status >= 100 && status < 600 ? status : 0, .body = rest == NULL ? "" : rest };
    current.size = rest == NULL ? 0 : size - (size_t)(rest - text);
    ask_clerk(upstream);
    FUZZ_CHECK(current.heard == 5);
    ask_stripe(upstream);
    FUZZ_CHECK(current.heard == 8);
    dreamd_upstream_free(upstream);
    free(text);
    return 0;
}
