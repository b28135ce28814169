/* SPDX-License-Identifier: Apache-2.0 */
/* customer.c - a customer's life: sign up, read, move to another plan, delete.
 *
 *   cc customer.c $(pkg-config --cflags --libs dreamapi) -o customer
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./customer ada@example.com pro */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>

static const char *or_none(const char *text)
{
    return text ? text : "none";
}

/* The idempotency key is made of what the work is about, here the address: whoever runs this again after a crash
 * gets the customer of the first run, not a second one. The server remembers keys for a day. */
static dreamapi_status sign_up(dreamapi_client *client, const char *email, dreamapi_customer **out,
                               dreamapi_error *error)
{
    dreamapi_customer_params who = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    char key[128];
    snprintf(key, sizeof key, "sign-up-%s", email);
    options.idempotency_key = key;
    who.email = email;
    who.first_name = "Ada";
    who.plan = "free";
    return dreamapi_customer_create(client, &who, &options, out, error);
}

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_customer *created = NULL, *read = NULL, *changed = NULL;
    dreamapi_error error;
    dreamapi_status status;
    if (argc != 3) {
        fprintf(stderr, "usage: %s EMAIL PLAN   (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n", argv[0]);
        return 2;
    }
    status = dreamapi_client_new(NULL, &client, &error);
    if (status == DREAMAPI_OK)
        status = sign_up(client, argv[1], &created, &error);
    if (status != DREAMAPI_OK)
        goto done;
    /* The text is borrowed from `created`, and good until that is freed. */
    const char *id = dreamapi_customer_id(created);
    printf("created: %s\n", id);

    status = dreamapi_customer_get(client, id, NULL, &read, &error);
    if (status != DREAMAPI_OK)
        goto done;
    /* An accessor gives NULL where the answer says nothing. */
    printf("read: %s, first name %s, plan %s\n", or_none(dreamapi_customer_email(read)),
           or_none(dreamapi_customer_first_name(read)), or_none(dreamapi_customer_plan(read)));

    dreamapi_customer_update_params change = DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT;
    change.plan = argv[2];
    status = dreamapi_customer_update(client, id, &change, NULL, &changed, &error);
    if (status != DREAMAPI_OK)
        goto done;
    printf("changed: plan %s\n", or_none(dreamapi_customer_plan(changed)));

    /* Results that nobody needs are NULL. */
    status = dreamapi_customer_delete(client, id, NULL, NULL, &error);
    if (status == DREAMAPI_OK)
        printf("deleted\n");

done:
    if (status != DREAMAPI_OK)
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(status), error.message);
    dreamapi_customer_free(changed);
    dreamapi_customer_free(read);
    dreamapi_customer_free(created);
    dreamapi_client_free(client);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
