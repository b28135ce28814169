/* SPDX-License-Identifier: Apache-2.0 */
/** @file cart.h
 * Carts: several products of product.h, paid for at once by somebody who need
 * not be a user. What comes back is a checkout (checkout.h). */
#ifndef DREAMAPI_CART_H
#define DREAMAPI_CART_H

#include <dreamapi/checkout.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The most items a cart may have. */
#define DREAMAPI_CART_MAX_ITEMS 100

/** Pieces of one product, named by one of its three names. NULL fields are not sent. Unlike other structs this one lies in
 * arrays, so it has no size of its own and does not grow. Zero it, then set what you need. */
typedef struct dreamapi_cart_item {
    /** dreamapi_product_price_id. */
    const char *price_id;
    /** dreamapi_product_product_id. */
    const char *product_id;
    /** dreamapi_product_key. */
    const char *tier;
    /** From 1 up; 0 takes the server's choice, which is 1. Negative numbers are DREAMAPI_INVALID. A server may cut it: the
     * hosted service sells at most 99 pieces at once. */
    int64_t quantity;
} dreamapi_cart_item;

/** Which items to buy. NULL fields are not sent. */
typedef struct dreamapi_cart_params {
    /** sizeof(dreamapi_cart_params), set by DREAMAPI_CART_PARAMS_INIT. */
    size_t struct_size;
    /** `item_count` of them; copied. */
    const dreamapi_cart_item *items;
    /** 1 to DREAMAPI_CART_MAX_ITEMS. */
    size_t item_count;
    /** Where the receipt goes; NULL: the page asks. */
    const char *email;
    /** Where the page sends the buyer after paying; NULL takes the server's choice. */
    const char *success_url;
    /** Where the page sends the buyer who does not pay; NULL takes the server's choice. */
    const char *cancel_url;
} dreamapi_cart_params;

/** No item, no field set. */
#define DREAMAPI_CART_PARAMS_INIT                                                                                      \
    {                                                                                                                  \
        sizeof(dreamapi_cart_params), NULL, 0, NULL, NULL, NULL                                                        \
    }

/** Makes a checkout page for the items (POST /api/cart/checkout). Either key will do. `*out_checkout` is owned
 * (dreamapi_checkout_free), NULL on failure; may be NULL. DREAMAPI_INVALID also when the server does not know an item or has too few
 * pieces of it; dreamapi_error.server_error names it. Any status of a call may come. */
DREAMAPI_API dreamapi_status dreamapi_cart_checkout(dreamapi_client *client, const dreamapi_cart_params *params,
                                                    const dreamapi_call_options *options,
                                                    dreamapi_checkout **out_checkout, dreamapi_error *error);
/** dreamapi_cart_checkout without waiting; dreamapi_checkout_result takes the checkout out. `*out_call` is owned
 * (dreamapi_call_free), NULL on failure. */
DREAMAPI_API dreamapi_status dreamapi_cart_checkout_start(dreamapi_client *client, const dreamapi_cart_params *params,
                                                          const dreamapi_call_options *options,
                                                          dreamapi_call **out_call, dreamapi_error *error);

#ifdef __cplusplus
}
#endif

#endif
