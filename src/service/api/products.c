/* SPDX-License-Identifier: Apache-2.0 */
/* products.c - GET /api/products: what the project sells once and for all, in the wire's form. Its plans are tiers.c. */
#include <string.h>

#include "common/json.h"
#include "service/api/handlers.h"
#include "service/store/tiers.h"

struct products {
    dreamd_tier *tiers;
    size_t count;
};

static dreamd_db_status list_tiers(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct products *products = call->state;

    return dreamd_tier_list(db, &call->project, call->arena, &products->tiers, &products->count);
}

static bool set_features(cJSON *json, const dreamd_tier *product)
{
    cJSON *features = cJSON_Parse(product->features_json);

    return dream_json_set(json, "features", features ? features : cJSON_CreateArray());
}

/* NULL when out of memory. */
static cJSON *product_json(const dreamd_tier *product)
{
    cJSON *json = cJSON_CreateObject();
    bool is_unlimited = product->inventory == DREAMD_UNLIMITED;
    bool is_ok = dream_json_set_string(json, "id", product->product_id ? product->product_id : product->name)
                 && dream_json_set_string(json, "key", product->name)
                 && dream_json_set_string(json, "name", product->display_name)
                 && dream_json_set_string(json, "displayName", product->display_name)
                 && dream_json_set_string(json, "description", product->description)
                 && dream_json_set_int(json, "price", product->price_minor)
                 && dream_json_set_string(json, "currency", "usd")
                 && dream_json_set_string(json, "imageUrl", product->image_url)
                 && (is_unlimited ? dream_json_set_null(json, "inventory")
                                  : dream_json_set_int(json, "inventory", product->inventory))
                 && dream_json_set_bool(json, "soldOut", product->is_sold_out || product->inventory == 0)
                 && dream_json_set_string(json, "priceId", product->price_id)
                 && dream_json_set_string(json, "productId", product->product_id) && set_features(json, product);

    if (is_ok)
        return json;
    cJSON_Delete(json);
    return NULL;
}

/* NULL when out of memory. */
static cJSON *products_json(const struct products *products)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < products->count; i++) {
        cJSON *json = NULL;

        if (strcmp(products->tiers[i].billing_mode, "one_off") != 0)
            continue;
        json = product_json(&products->tiers[i]);
        is_ok = json && cJSON_AddItemToArray(list, json);
        if (!is_ok)
            cJSON_Delete(json);
    }
    is_ok = dream_json_set(body, "products", list) && is_ok;
    if (is_ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}

static void answer_products(dreamd_call *call)
{
    dreamd_call_answer(call, 200, products_json(call->state));
}

void dreamd_products_list(dreamd_call *call)
{
    call->state = dream_arena_alloc(call->arena, sizeof(struct products));
    if (!call->state)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (call->is_selection_empty)
        answer_products(call);
    else
        dreamd_call_read(call, list_tiers, answer_products);
}
