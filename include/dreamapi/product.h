/* SPDX-License-Identifier: Apache-2.0 */
/** @file product.h
 * Products: what the project sells once, piece by piece (cart.h buys them), in
 * the server's order (none is promised). What is sold as a plan is in tier.h.
 *
 * A list of products is a value: it is owned by whoever received it, does not
 * change, and outlives client and call. Any thread may read it. Its products and their
 * texts are borrowed until dreamapi_products_free. Accessors take NULL. */
#ifndef DREAMAPI_PRODUCT_H
#define DREAMAPI_PRODUCT_H

#include <dreamapi/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One product of a list. */
typedef struct dreamapi_product dreamapi_product;
/** A list of products. */
typedef struct dreamapi_products dreamapi_products;

/** Lists the products (GET /api/products). Either key will do. `*out_products` is owned, NULL on failure; may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_product_list(dreamapi_client *client, const dreamapi_call_options *options,
                                                   dreamapi_products **out_products, dreamapi_error *error);
/** dreamapi_product_list without waiting. `*out_call` is owned (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_product_list_start(dreamapi_client *client, const dreamapi_call_options *options,
                                                         dreamapi_call **out_call, dreamapi_error *error);

/** Takes the list out of a finished call; owned. The call's status; DREAMAPI_PENDING if it is not finished,
 * DREAMAPI_INVALID if the call was about something else or its object was taken before. `out_products` may be NULL. */
DREAMAPI_API dreamapi_status dreamapi_products_result(dreamapi_call *call, dreamapi_products **out_products,
                                                      dreamapi_error *error);

/** Number of products; 0 for NULL. */
DREAMAPI_API size_t dreamapi_products_count(const dreamapi_products *products);
/** One of them, borrowed from the list; NULL past the end. */
DREAMAPI_API const dreamapi_product *dreamapi_products_at(const dreamapi_products *products, size_t index);
/** The whole answer as it came; NULL for NULL. */
DREAMAPI_API const char *dreamapi_products_json(const dreamapi_products *products);
/** Releases the list and its products. NULL is fine. */
DREAMAPI_API void dreamapi_products_free(dreamapi_products *products);

/** The product's id; never NULL but for a NULL object. */
DREAMAPI_API const char *dreamapi_product_id(const dreamapi_product *product);
/** The name that the developer gave it in the settings, which carts may name it by; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_product_key(const dreamapi_product *product);
/** The name as the service shows it; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_product_name(const dreamapi_product *product);
/** The name to show to people; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_product_display_name(const dreamapi_product *product);
/** May be ""; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_product_description(const dreamapi_product *product);
/** In the currency's smallest unit (cents); 0 for NULL. */
DREAMAPI_API int64_t dreamapi_product_price(const dreamapi_product *product);
/** Three small letters, as in "usd"; NULL when the answer does not say. */
DREAMAPI_API const char *dreamapi_product_currency(const dreamapi_product *product);
/** NULL if there is none. */
DREAMAPI_API const char *dreamapi_product_image_url(const dreamapi_product *product);
/** Pieces in stock, or DREAMAPI_UNLIMITED when stock is not counted; 0 for NULL. */
DREAMAPI_API int64_t dreamapi_product_inventory(const dreamapi_product *product);
/** 1 when none is left. */
DREAMAPI_API int dreamapi_product_sold_out(const dreamapi_product *product);
/** Stripe's price; NULL for a product that cannot be bought yet. */
DREAMAPI_API const char *dreamapi_product_price_id(const dreamapi_product *product);
/** Stripe's product; NULL for a product that cannot be bought yet. */
DREAMAPI_API const char *dreamapi_product_product_id(const dreamapi_product *product);
/** Number of features; 0 for NULL. */
DREAMAPI_API size_t dreamapi_product_feature_count(const dreamapi_product *product);
/** One of the features; NULL past the end. */
DREAMAPI_API const char *dreamapi_product_feature(const dreamapi_product *product, size_t index);

#ifdef __cplusplus
}
#endif

#endif
