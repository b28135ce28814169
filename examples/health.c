/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - asks whether the service is up and what it can do: a probe for a deployment script, which ends with 0 or 1.
 *
 *   cc health.c $(pkg-config --cflags --libs dreamapi) -o health
 *   ./health http://127.0.0.1:8787 idempotency server-side
 *
 * Further arguments are extensions that must be announced. */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The options may go as soon as the client is made. No key: this call sends none. */
static dreamapi_status make_client(const char *url, dreamapi_client **out, dreamapi_error *error)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_status status = DREAMAPI_NOMEM;
    if (options)
        status = dreamapi_options_set_base_url(options, url);
    /* A probe is short, and says what is now: no retries. */
    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_timeout_ms(options, 2000);
    if (status == DREAMAPI_OK)
        status = dreamapi_options_set_max_retries(options, 0);
    /* Setters tell no details; dreamapi_client_new does. */
    if (status == DREAMAPI_OK)
        status = dreamapi_client_new(options, out, error);
    else
        snprintf(error->message, sizeof error->message, "%s", dreamapi_status_text(status));
    dreamapi_options_free(options);
    return status;
}

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_health *health = NULL;
    dreamapi_error error;
    int is_fine = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: %s URL [EXTENSION...]\n", argv[0]);
        return 2;
    }
    dreamapi_status status = make_client(argv[1], &client, &error);
    if (status == DREAMAPI_OK)
        status = dreamapi_health_get(client, NULL, &health, &error);
    if (status != DREAMAPI_OK) {
        printf("down: %s: %s\n", dreamapi_status_name(status), error.message);
        goto done;
    }

    is_fine = strcmp(dreamapi_health_status(health), "ok") == 0;
    printf("status: %s\n", dreamapi_health_status(health));
    for (size_t i = 0; i < dreamapi_health_extension_count(health); i++)
        printf("extension: %s\n", dreamapi_health_extension(health, i));
    for (int i = 2; i < argc; i++) {
        if (!dreamapi_health_has_extension(health, argv[i])) {
            printf("missing: %s\n", argv[i]);
            is_fine = 0;
        }
    }

done:
    dreamapi_health_free(health);
    dreamapi_client_free(client);
    return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
