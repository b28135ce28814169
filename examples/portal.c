/* SPDX-License-Identifier: Apache-2.0 */
/* portal.c - makes the page where a paying user cancels, changes plan or card and reads invoices, and prints where to send them.
 *
 *   cc portal.c $(pkg-config --cflags --libs dreamapi) -o portal
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./portal user_2abc http://localhost:5173/account */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_portal *portal = NULL;
    dreamapi_error error;
    dreamapi_status status;
    if (argc != 3) {
        fprintf(stderr, "usage: %s USER RETURN_URL   (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set)\n", argv[0]);
        return 2;
    }
    status = dreamapi_client_new(NULL, &client, &error);
    if (status != DREAMAPI_OK)
        goto done;

    /* The page belongs to this user alone and soon expires: make it when they ask for it, and do not keep it. What they
     * change there shows in their plan (dreamapi_usage_get) as soon as the service has heard of it. */
    dreamapi_portal_params params = DREAMAPI_PORTAL_PARAMS_INIT;
    params.user_id = argv[1];
    params.return_url = argv[2];
    status = dreamapi_portal_create(client, &params, NULL, &portal, &error);
    switch (status) {
    case DREAMAPI_OK:
        printf("manage at: %s\n", dreamapi_portal_url(portal));
        break;
    case DREAMAPI_INVALID:
    case DREAMAPI_NOT_FOUND:
        /* Somebody who never paid has nothing to manage: offer a checkout instead. */
        printf("nothing to manage: %s\n", error.server_error);
        break;
    default:
        break;
    }

done:
    if (status != DREAMAPI_OK)
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(status), error.message);
    dreamapi_portal_free(portal);
    dreamapi_client_free(client);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
