/* SPDX-License-Identifier: Apache-2.0 */
/* product.c - dreamapi_product_* and dreamapi_products_*: the call, and the list it brings. */
#include <dreamapi/product.h>

#include <stdlib.h>

#include "lib/object/document.h"

struct dreamapi_product {
    const char *id;
    const char *key;
    const char *name;
    const char *display_name;
    const char *description;
    int64_t price;
    const char *currency;
    const char *image_url;
    int64_t inventory;
    bool sold_out;
    const char *price_id;
    const char *product_id;
    const cJSON *features;
};

struct dreamapi_products {
    dream_document document;
    dream_list list;
};

static const dream_field fields[] = {
    { "id", DREAM_FIELD_TEXT, offsetof(dreamapi_product, id), true, 0 },
    { "key", DREAM_FIELD_TEXT, offsetof(dreamapi_product, key), false, 0 },
    { "name", DREAM_FIELD_TEXT, offsetof(dreamapi_product, name), false, 0 },
    { "displayName", DREAM_FIELD_TEXT, offsetof(dreamapi_product, display_name), false, 0 },
    { "description", DREAM_FIELD_TEXT, offsetof(dreamapi_product, description), false, 0 },
    { "price", DREAM_FIELD_INT, offsetof(dreamapi_product, price), true, 0 },
    { "currency", DREAM_FIELD_TEXT, offsetof(dreamapi_product, currency), false, 0 },
    { "imageUrl", DREAM_FIELD_TEXT, offsetof(dreamapi_product, image_url), false, 0 },
    { "inventory", DREAM_FIELD_LIMIT, offsetof(dreamapi_product, inventory), false, DREAMAPI_UNLIMITED },
    { "soldOut", DREAM_FIELD_BOOL, offsetof(dreamapi_product, sold_out), false, 0 },
    { "priceId", DREAM_FIELD_TEXT, offsetof(dreamapi_product, price_id), false, 0 },
    { "productId", DREAM_FIELD_TEXT, offsetof(dreamapi_product, product_id), false, 0 },
    { "features", DREAM_FIELD_TEXTS, offsetof(dreamapi_product, features), false, 0 },
};

static const dream_list_kind kind = { "products", fields, sizeof(fields) / sizeof(fields[0]), sizeof(dreamapi_product),
                                      NULL };

static void release(void *object)
{
    dreamapi_products_free(object);
}

static dreamapi_status read_products(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_products *products = object;

    return dream_list_read(products->document.root, &kind, &products->list, problem);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_products), read_products, release, out_object, problem);
}

static const dream_noun noun = { "list of products", parse, release };

/* ---- calls ---- */

dreamapi_status dreamapi_product_list(dreamapi_client *client, const dreamapi_call_options *options,
                                      dreamapi_products **out_products, dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    dream_request_begin(&request, client, "GET", "/api/products", options);
    status = dream_call_run(client, "product_list", &noun, &request, &object, error);
    if (out_products != NULL)
        *out_products = object;
    else
        dreamapi_products_free(object);
    return status;
}

dreamapi_status dreamapi_product_list_start(dreamapi_client *client, const dreamapi_call_options *options,
                                            dreamapi_call **out_call, dreamapi_error *error)
{
    dream_request request;

    dream_request_begin(&request, client, "GET", "/api/products", options);
    return dream_call_start(client, "product_list", &noun, &request, out_call, error);
}

dreamapi_status dreamapi_products_result(dreamapi_call *call, dreamapi_products **out_products, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &noun, out_products == NULL ? NULL : &object, error);

    if (out_products != NULL)
        *out_products = object;
    return status;
}

/* ---- the list ---- */

size_t dreamapi_products_count(const dreamapi_products *products)
{
    return products == NULL ? 0 : products->list.count;
}

const dreamapi_product *dreamapi_products_at(const dreamapi_products *products, size_t index)
{
    const dreamapi_product *items = products == NULL ? NULL : products->list.items;

    return products == NULL || index >= products->list.count ? NULL : &items[index];
}

const char *dreamapi_products_json(const dreamapi_products *products)
{
    return products == NULL ? NULL : products->document.json;
}

void dreamapi_products_free(dreamapi_products *products)
{
    if (products == NULL)
        return;
    dream_document_clear(&products->document);
    free(products->list.items);
    free(products);
}

/* ---- one product ---- */

const char *dreamapi_product_id(const dreamapi_product *product)
{
    return product == NULL ? NULL : product->id;
}

const char *dreamapi_product_key(const dreamapi_product *product)
{
    return product == NULL ? NULL : product->key;
}

const char *dreamapi_product_name(const dreamapi_product *product)
{
    return product == NULL ? NULL : product->name;
}

const char *dreamapi_product_display_name(const dreamapi_product *product)
{
    return product == NULL ? NULL : product->display_name;
}

const char *dreamapi_product_description(const dreamapi_product *product)
{
    return product == NULL ? NULL : product->description;
}

int64_t dreamapi_product_price(const dreamapi_product *product)
{
    return product == NULL ? 0 : product->price;
}

const char *dreamapi_product_currency(const dreamapi_product *product)
{
    return product == NULL ? NULL : product->currency;
}

const char *dreamapi_product_image_url(const dreamapi_product *product)
{
    return product == NULL ? NULL : product->image_url;
}

int64_t dreamapi_product_inventory(const dreamapi_product *product)
{
    return product == NULL ? 0 : product->inventory;
}

int dreamapi_product_sold_out(const dreamapi_product *product)
{
    return product == NULL ? 0 : product->sold_out;
}

const char *dreamapi_product_price_id(const dreamapi_product *product)
{
    return product == NULL ? NULL : product->price_id;
}

const char *dreamapi_product_product_id(const dreamapi_product *product)
{
    return product == NULL ? NULL : product->product_id;
}

size_t dreamapi_product_feature_count(const dreamapi_product *product)
{
    return product == NULL ? 0 : dream_texts_count(product->features);
}

const char *dreamapi_product_feature(const dreamapi_product *product, size_t index)
{
    return product == NULL ? NULL : dream_texts_at(product->features, index);
}
