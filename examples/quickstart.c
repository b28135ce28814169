/* SPDX-License-Identifier: Apache-2.0 */
/* quickstart.c - the whole job in one program: create a customer, meter their usage until the free plan's limit refuses
 * them, send them to checkout, wait until the payment has upgraded them, and go on.
 *
 *   cc quickstart.c $(pkg-config --cflags --libs dreamapi) -o quickstart
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./quickstart ada@example.com pro */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Each question is one of the user's requests in this minute: 30 of the usual 100. */
enum { UPGRADE_WAIT_S = 600, UPGRADE_POLL_S = 2 };

/* Serves one request of `user`: admitted while the plan's allowance lasts. */
static dreamapi_status serve_one(dreamapi_client *client, const char *user, dreamapi_error *error)
{
    dreamapi_usage *usage = NULL;
    dreamapi_status status = dreamapi_usage_track(client, user, NULL, NULL, &usage, error);
    if (status == DREAMAPI_OK)
        printf("served: %lld used on plan %s\n", (long long)dreamapi_usage_count(usage), dreamapi_usage_plan(usage));
    else if (status == DREAMAPI_LIMIT)
        printf("refused: %lld of %lld used\n", (long long)error->used, (long long)error->limit);
    dreamapi_usage_free(usage);
    return status;
}

/* Asks until the user is on `plan`. A web backend would simply see it at the user's next request. */
static dreamapi_status wait_for_plan(dreamapi_client *client, const char *user, const char *plan, dreamapi_error *error)
{
    const struct timespec pause = { UPGRADE_POLL_S, 0 };
    const time_t deadline = time(NULL) + UPGRADE_WAIT_S;
    while (time(NULL) < deadline) {
        dreamapi_usage *usage = NULL;
        dreamapi_status status = dreamapi_usage_get(client, user, NULL, &usage, error);
        int is_there = status == DREAMAPI_OK && strcmp(dreamapi_usage_plan(usage), plan) == 0;
        dreamapi_usage_free(usage);
        if (is_there)
            return DREAMAPI_OK;
        if (status != DREAMAPI_OK && !error->retriable)
            return status;
        nanosleep(&pause, NULL);
    }
    snprintf(error->message, sizeof error->message, "no payment arrived within %d s", UPGRADE_WAIT_S);
    return error->status = DREAMAPI_TIMEOUT;
}

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_customer *customer = NULL;
    dreamapi_checkout *checkout = NULL;
    dreamapi_error error;
    dreamapi_status status;
    if (argc != 3) {
        fprintf(stderr, "usage: %s EMAIL TIER   (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);

    /* Base URL and secret key come from the environment. */
    status = dreamapi_client_new(NULL, &client, &error);
    if (status != DREAMAPI_OK)
        goto done;

    dreamapi_customer_params who = DREAMAPI_CUSTOMER_PARAMS_INIT;
    who.email = argv[1];
    who.plan = "free";
    status = dreamapi_customer_create(client, &who, NULL, &customer, &error);
    if (status != DREAMAPI_OK)
        goto done;
    const char *user = dreamapi_customer_id(customer);
    printf("customer: %s\n", user);

    do
        status = serve_one(client, user, &error);
    while (status == DREAMAPI_OK);
    if (status != DREAMAPI_LIMIT)
        goto done;

    dreamapi_checkout_params offer = DREAMAPI_CHECKOUT_PARAMS_INIT;
    offer.user_id = user;
    offer.tier = argv[2];
    status = dreamapi_checkout_create(client, &offer, NULL, &checkout, &error);
    if (status != DREAMAPI_OK)
        goto done;
    printf("checkout: %s\n", dreamapi_checkout_url(checkout));
    printf("waiting for the payment (in the sandbox, card 4242 4242 4242 4242, any later date, any code)\n");

    status = wait_for_plan(client, user, argv[2], &error);
    if (status != DREAMAPI_OK)
        goto done;
    printf("upgraded: %s\n", argv[2]);
    status = serve_one(client, user, &error);

done:
    if (status != DREAMAPI_OK)
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(status), error.message);
    dreamapi_checkout_free(checkout);
    dreamapi_customer_free(customer);
    dreamapi_client_free(client);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
