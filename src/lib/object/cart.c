/* SPDX-License-Identifier: Apache-2.0 */
/* cart.c - dreamapi_cart_*: the call. What it brings is checkout.c's. */
#include <dreamapi/cart.h>

#include "lib/object/checkout.h"

static void add_item(dream_request *request, const dreamapi_cart_item *item)
{
    if (item->price_id == NULL && item->product_id == NULL && item->tier == NULL)
        dream_request_refuse(request, "an item has no name: set price_id, product_id or tier");
    if (item->quantity < 0)
        dream_request_refuse(request, "an item's quantity is negative");
    dream_request_item_begin(request);
    dream_request_field(request, "priceId", "price_id", item->price_id);
    dream_request_field(request, "productId", "product_id", item->product_id);
    dream_request_field(request, "tier", "tier", item->tier);
    if (item->quantity > 0)
        dream_request_int(request, "quantity", item->quantity);
    dream_request_item_end(request);
}

static void build_checkout(dream_request *request, const dreamapi_client *client, const dreamapi_cart_params *given,
                           const dreamapi_call_options *options)
{
    dreamapi_cart_params params;

    dream_request_begin(request, client, "POST", "/api/cart/checkout", options);
    dream_request_params(request, given, &params, sizeof(params));
    if (params.items == NULL || params.item_count == 0 || params.item_count > DREAMAPI_CART_MAX_ITEMS) {
        dream_request_refuse(request, "a cart has 1 to %d items", DREAMAPI_CART_MAX_ITEMS);
        return;
    }
    dream_request_list_begin(request, "items");
    for (size_t i = 0; i < params.item_count; i++)
        add_item(request, &params.items[i]);
    dream_request_list_end(request);
    dream_request_field(request, "email", "email", params.email);
    dream_request_field(request, "successUrl", "success_url", params.success_url);
    dream_request_field(request, "cancelUrl", "cancel_url", params.cancel_url);
}

dreamapi_status dreamapi_cart_checkout(dreamapi_client *client, const dreamapi_cart_params *params,
                                       const dreamapi_call_options *options, dreamapi_checkout **out_checkout,
                                       dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    build_checkout(&request, client, params, options);
    status = dream_call_run(client, "cart_checkout", &dream_noun_checkout, &request, &object, error);
    if (out_checkout != NULL)
        *out_checkout = object;
    else
        dreamapi_checkout_free(object);
    return status;
}

dreamapi_status dreamapi_cart_checkout_start(dreamapi_client *client, const dreamapi_cart_params *params,
                                             const dreamapi_call_options *options, dreamapi_call **out_call,
                                             dreamapi_error *error)
{
    dream_request request;

    build_checkout(&request, client, params, options);
    return dream_call_start(client, "cart_checkout", &dream_noun_checkout, &request, out_call, error);
}
