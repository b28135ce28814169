/* SPDX-License-Identifier: Apache-2.0 */
/* product.c - prints what a shop has on its shelf.
 *
 *   cc product.c $(pkg-config --cflags --libs dreamapi) -o product
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_PUBLISHABLE_KEY=pk_live_... ./product */
#include <dreamapi.h>

#include <stdio.h>
#include <stdlib.h>

static void print_product(const dreamapi_product *product)
{
    /* Only the id is never NULL; the key is the name that carts may use (cart.c). */
    const char *key = dreamapi_product_key(product) ? dreamapi_product_key(product) : dreamapi_product_id(product);
    const char *name = dreamapi_product_display_name(product);
    const char *currency = dreamapi_product_currency(product);
    long long price = (long long)dreamapi_product_price(product);
    printf("%s (%s): %lld.%02lld %s", name ? name : key, key, price / 100, price % 100, currency ? currency : "");
    /* The numbers are those of this moment: only the checkout decides who gets the last piece. */
    if (dreamapi_product_sold_out(product))
        printf(", sold out");
    else if (dreamapi_product_inventory(product) != DREAMAPI_UNLIMITED)
        printf(", %lld left", (long long)dreamapi_product_inventory(product));
    printf("\n");
}

int main(void)
{
    dreamapi_client *client = NULL;
    dreamapi_products *products = NULL;
    dreamapi_error error;
    dreamapi_status status = dreamapi_client_new(NULL, &client, &error);
    if (status == DREAMAPI_OK)
        status = dreamapi_product_list(client, NULL, &products, &error);
    if (status != DREAMAPI_OK)
        fprintf(stderr, "%s: %s\n", dreamapi_status_name(status), error.message);
    /* A list that could not be fetched counts 0, as every accessor takes NULL. */
    for (size_t i = 0; i < dreamapi_products_count(products); i++)
        print_product(dreamapi_products_at(products, i));
    dreamapi_products_free(products);
    dreamapi_client_free(client);
    return status == DREAMAPI_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
