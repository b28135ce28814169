/* SPDX-License-Identifier: Apache-2.0 */
/* cart.c - buys several products at once, for somebody who need not be a user, and prints where to pay.
 *
 *   cc cart.c $(pkg-config --cflags --libs dreamapi) -o cart
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_PUBLISHABLE_KEY=pk_live_... ./cart ada@example.com mug 2 poster 1 */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>

enum { MAX_KINDS = 20 };

int main(int argc, char **argv)
{
    dreamapi_client *client = NULL;
    dreamapi_checkout *checkout = NULL;
    dreamapi_error error;
    dreamapi_status status;
    if (argc < 4 || argc % 2 != 0 || argc > 2 + 2 * MAX_KINDS) {
        fprintf(stderr, "usage: %s EMAIL PRODUCT QUANTITY [PRODUCT QUANTITY]...\n", argv[0]);
        return 2;
    }
    status = dreamapi_client_new(NULL, &client, &error);
    if (status != DREAMAPI_OK)
        goto done;

    /* An item names a product by one of its three names: the developer's own, or one of Stripe's two. Prices are never
     * sent: they are the server's. */
    dreamapi_cart_item items[MAX_KINDS] = { 0 };
    size_t count = (size_t)(argc - 2) / 2;
    for (size_t i = 0; i < count; i++) {
        items[i].tier = argv[2 + 2 * i];
        items[i].quantity = atoi(argv[3 + 2 * i]);
    }
    dreamapi_cart_params cart = DREAMAPI_CART_PARAMS_INIT;
    cart.items = items;
    cart.item_count = count;
    cart.email = argv[1];
    status = dreamapi_cart_checkout(client, &cart, NULL, &checkout, &error);
    switch (status) {
    case DREAMAPI_OK:
        /* A page reserves nothing: stock goes down when somebody has paid. */
        printf("pay at: %s\n", dreamapi_checkout_url(checkout));
        break;
    case DREAMAPI_INVALID:
        /* No such product, sold out, too few left, or a quantity that makes no sense. */
        printf("refused: %s\n", error.local ? error.message : error.server_error);
        break;
    default:
        break;
    }

done:
    if (status != DREAMAPI_OK)
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(status), error.message);
    dreamapi_checkout_free(checkout);
    dreamapi_client_free(client);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
