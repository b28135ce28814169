/* SPDX-License-Identifier: Apache-2.0 */
/* checkout.c - makes the page where a user pays for a tier, and prints where to send them.
 *
 *   cc checkout.c $(pkg-config --cflags --libs dreamapi) -o checkout
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./checkout user_2abc pro order-1017 */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_checkout *checkout = NULL;
    dreamapi_error error;
    dreamapi_status status;
    if (argc != 4) {
        fprintf(stderr, "usage: %s USER TIER ORDER   (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n", argv[0]);
        return 2;
    }
    status = dreamapi_client_new(NULL, &client, &error);
    if (status != DREAMAPI_OK)
        goto done;

    dreamapi_checkout_params offer = DREAMAPI_CHECKOUT_PARAMS_INIT;
    offer.user_id = argv[1];
    offer.tier = argv[2];
    /* The service puts the session's id in the place of the braces. Do not hand out anything on this page: the payment is
     * true once the service has heard of it, which shows as the user's plan (dreamapi_usage_get). */
    offer.success_url =
        "http://localhost:5173/thanks?session={CHECKOUT_SESSION_ID}"; /* the service must allow the origin */
    offer.cancel_url = "http://localhost:5173/prices";

    /* A user who clicks twice, or a program that repeats this after a crash, gets the same page for the same order. */
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    options.idempotency_key = argv[3];
    options.timeout_ms = 10000;

    status = dreamapi_checkout_create(client, &offer, &options, &checkout, &error);
    switch (status) {
    case DREAMAPI_OK:
        printf("pay at: %s\n", dreamapi_checkout_url(checkout));
        break;
    case DREAMAPI_NOT_FOUND:
        printf("no such user: %s\n", argv[1]);
        break;
    case DREAMAPI_INVALID:
        /* The server's own words say what is wrong with the request. They are text from outside: escape them in HTML. */
        printf("refused: %s\n", error.server_error);
        break;
    case DREAMAPI_OUTCOME_UNKNOWN:
        /* With a key of our own this is harmless: run it again. */
        printf("unclear, %s\n", error.retriable ? "try again" : "look whether a page was made");
        break;
    default:
        break;
    }

done:
    if (status != DREAMAPI_OK)
        fprintf(stderr, "%s: %s (request %s)\n", dreamapi_status_name(status), error.message, error.request_id);
    dreamapi_checkout_free(checkout);
    dreamapi_client_free(client);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
