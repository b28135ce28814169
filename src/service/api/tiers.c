/* SPDX-License-Identifier: Apache-2.0 */
/* tiers.c - GET /api/tiers: the plans and products of the project, in the wire's form. */
#include "service/store/tiers.h"
#include "common/json.h"
#include "service/api/handlers.h"

struct tiers {
    dreamd_tier *list;
    size_t count;
};

static dreamd_db_status list_tiers(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct tiers *tiers = call->state;

    return dreamd_tier_list(db, &call->project, call->arena, &tiers->list, &tiers->count);
}

/* Unlimited is a word in limits, null in stock. */
static bool set_limit(cJSON *json, const char *name, int64_t limit)
{
    return limit == DREAMD_UNLIMITED ? dream_json_set_string(json, name, "unlimited")
                                     : dream_json_set_int(json, name, limit);
}

static bool set_stock(cJSON *json, const dreamd_tier *tier)
{
    bool is_unlimited = tier->inventory == DREAMD_UNLIMITED;

    if (is_unlimited)
        return dream_json_set_null(json, "inventory");
    return dream_json_set_int(json, "inventory", tier->inventory);
}

static bool set_features(cJSON *json, const dreamd_tier *tier)
{
    cJSON *features = cJSON_Parse(tier->features_json ? tier->features_json : "[]");

    if (!cJSON_IsArray(features)) {
        cJSON_Delete(features);
        features = cJSON_CreateArray();
    }
    return dream_json_set(json, "features", features);
}

/* NULL when out of memory. */
static cJSON *tier_json(const dreamd_tier *tier)
{
    cJSON *json = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(json, "id", tier->name)
                 && dream_json_set_string(json, "name", tier->display_name)
                 && dream_json_set_string(json, "displayName", tier->display_name)
                 && dream_json_set_int(json, "price", tier->price_minor) && set_limit(json, "limit", tier->limit)
                 && set_features(json, tier) && dream_json_set_string(json, "description", tier->description)
                 && dream_json_set_string(json, "billingMode", tier->billing_mode)
                 && dream_json_set_string(json, "imageUrl", tier->image_url) && set_stock(json, tier)
                 && dream_json_set_bool(json, "soldOut", tier->is_sold_out || tier->inventory == 0)
                 && dream_json_set_bool(json, "popular", tier->is_popular)
                 && dream_json_set_string(json, "stripePriceId", tier->price_id)
                 && dream_json_set_string(json, "priceId", tier->price_id)
                 && dream_json_set_string(json, "productId", tier->product_id)
                 && (tier->trial_days == DREAMD_NO_TRIAL ? dream_json_set_null(json, "trialDays")
                                                         : dream_json_set_int(json, "trialDays", tier->trial_days));

    if (is_ok)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static void answer_tiers(dreamd_call *call)
{
    const struct tiers *tiers = call->state;
    cJSON *body = cJSON_CreateObject();
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < tiers->count; i++) {
        cJSON *json = tier_json(&tiers->list[i]);

        is_ok = json && cJSON_AddItemToArray(list, json);
        if (!is_ok)
            cJSON_Delete(json);
    }
    is_ok = dream_json_set(body, "tiers", list) && is_ok;
    if (!is_ok) {
        cJSON_Delete(body);
        body = NULL;
    }
    dreamd_call_answer(call, 200, body);
}

void dreamd_tiers_list(dreamd_call *call)
{
    call->state = dream_arena_alloc(call->arena, sizeof(struct tiers));
    if (!call->state)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (call->is_selection_empty)
        answer_tiers(call);
    else
        dreamd_call_read(call, list_tiers, answer_tiers);
}
