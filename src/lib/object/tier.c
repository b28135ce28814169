/* SPDX-License-Identifier: Apache-2.0 */
/* tier.c - dreamapi_tier_* and dreamapi_tiers_*: the call, and the list it brings. */
#include "lib/object/tier.h"

#include <stdlib.h>

#include "lib/object/document.h"

struct dreamapi_tier {
    const char *id;
    const char *name;
    const char *display_name;
    int64_t price;
    int64_t limit;
    const cJSON *features;
    const char *description;
    const char *billing_mode;
    const char *image_url;
    int64_t inventory;
    bool sold_out;
    bool popular;
    const char *stripe_price_id;
    const char *price_id;
    const char *product_id;
    int64_t trial_days;
};

struct dreamapi_tiers {
    dream_document document;
    dream_list list;
};

static const dream_field fields[] = {
    { "id", DREAM_FIELD_TEXT, offsetof(dreamapi_tier, id), true, 0 },
    { "name", DREAM_FIELD_TEXT, offsetof(dreamapi_tier, name), false, 0 },
    { "displayName", DREAM_FIELD_TEXT, offsetof(dreamapi_tier, display_name), false, 0 },
    { "price", DREAM_FIELD_INT, offsetof(dreamapi_tier, price), true, 0 },
    { "limit", DREAM_FIELD_LIMIT, offsetof(dreamapi_tier, limit), true, 0 },
    { "features", DREAM_FIELD_TEXTS, offsetof(dreamapi_tier, features), false, 0 },
    { "description", DREAM_FIELD_TEXT, offsetof(dreamapi_tier, description), false, 0 },
    { "billingMode", DREAM_FIELD_TEXT, offsetof(dreamapi_tier, billing_mode), false, 0 },
    { "imageUrl", DREAM_FIELD_TEXT, offsetof(dreamapi_tier, image_url), false, 0 },
    { "inventory", DREAM_FIELD_LIMIT, offsetof(dreamapi_tier, inventory), false, DREAMAPI_UNLIMITED },
    { "soldOut", DREAM_FIELD_BOOL, offsetof(dreamapi_tier, sold_out), false, 0 },
    { "popular", DREAM_FIELD_BOOL, offsetof(dreamapi_tier, popular), false, 0 },
    { "stripePriceId", DREAM_FIELD_TEXT, offsetof(dreamapi_tier, stripe_price_id), false, 0 },
    { "priceId", DREAM_FIELD_TEXT, offsetof(dreamapi_tier, price_id), false, 0 },
    { "productId", DREAM_FIELD_TEXT, offsetof(dreamapi_tier, product_id), false, 0 },
    { "trialDays", DREAM_FIELD_INT, offsetof(dreamapi_tier, trial_days), false, -1 },
};

static const dream_list_kind kind = { "tiers", fields, sizeof(fields) / sizeof(fields[0]), sizeof(dreamapi_tier),
                                      NULL };

static void release(void *object)
{
    dreamapi_tiers_free(object);
}

static dreamapi_status read_tiers(void *object, char problem[DREAM_PROBLEM_SIZE])
{
    dreamapi_tiers *tiers = object;

    return dream_list_read(tiers->document.root, &kind, &tiers->list, problem);
}

static dreamapi_status parse(const char *body, size_t size, void **out_object, char problem[DREAM_PROBLEM_SIZE])
{
    return dream_object_make(body, size, sizeof(dreamapi_tiers), read_tiers, release, out_object, problem);
}

const dream_noun dream_noun_tiers = { "list of tiers", parse, release };

/* ---- calls ---- */

dreamapi_status dreamapi_tier_list(dreamapi_client *client, const dreamapi_call_options *options,
                                   dreamapi_tiers **out_tiers, dreamapi_error *error)
{
    dream_request request;
    void *object;
    dreamapi_status status;

    dream_request_begin(&request, client, "GET", "/api/tiers", options);
    status = dream_call_run(client, "tier_list", &dream_noun_tiers, &request, &object, error);
    if (out_tiers != NULL)
        *out_tiers = object;
    else
        dreamapi_tiers_free(object);
    return status;
}

dreamapi_status dreamapi_tier_list_start(dreamapi_client *client, const dreamapi_call_options *options,
                                         dreamapi_call **out_call, dreamapi_error *error)
{
    dream_request request;

    dream_request_begin(&request, client, "GET", "/api/tiers", options);
    return dream_call_start(client, "tier_list", &dream_noun_tiers, &request, out_call, error);
}

dreamapi_status dreamapi_tiers_result(dreamapi_call *call, dreamapi_tiers **out_tiers, dreamapi_error *error)
{
    void *object = NULL;
    dreamapi_status status = dream_call_take(call, &dream_noun_tiers, out_tiers == NULL ? NULL : &object, error);

    if (out_tiers != NULL)
        *out_tiers = object;
    return status;
}

/* ---- the list ---- */

size_t dreamapi_tiers_count(const dreamapi_tiers *tiers)
{
    return tiers == NULL ? 0 : tiers->list.count;
}

const dreamapi_tier *dreamapi_tiers_at(const dreamapi_tiers *tiers, size_t index)
{
    const dreamapi_tier *items = tiers == NULL ? NULL : tiers->list.items;

    return tiers == NULL || index >= tiers->list.count ? NULL : &items[index];
}

const char *dreamapi_tiers_json(const dreamapi_tiers *tiers)
{
    return tiers == NULL ? NULL : tiers->document.json;
}

void dreamapi_tiers_free(dreamapi_tiers *tiers)
{
    if (tiers == NULL)
        return;
    dream_document_clear(&tiers->document);
    free(tiers->list.items);
    free(tiers);
}

/* ---- one tier ---- */

const char *dreamapi_tier_id(const dreamapi_tier *tier)
{
    return tier == NULL ? NULL : tier->id;
}

const char *dreamapi_tier_name(const dreamapi_tier *tier)
{
    return tier == NULL ? NULL : tier->name;
}

const char *dreamapi_tier_display_name(const dreamapi_tier *tier)
{
    return tier == NULL ? NULL : tier->display_name;
}

int64_t dreamapi_tier_price(const dreamapi_tier *tier)
{
    return tier == NULL ? 0 : tier->price;
}

int64_t dreamapi_tier_limit(const dreamapi_tier *tier)
{
    return tier == NULL ? 0 : tier->limit;
}

size_t dreamapi_tier_feature_count(const dreamapi_tier *tier)
{
    return tier == NULL ? 0 : dream_texts_count(tier->features);
}

const char *dreamapi_tier_feature(const dreamapi_tier *tier, size_t index)
{
    return tier == NULL ? NULL : dream_texts_at(tier->features, index);
}

const char *dreamapi_tier_description(const dreamapi_tier *tier)
{
    return tier == NULL ? NULL : tier->description;
}

const char *dreamapi_tier_billing_mode(const dreamapi_tier *tier)
{
    return tier == NULL ? NULL : tier->billing_mode;
}

const char *dreamapi_tier_image_url(const dreamapi_tier *tier)
{
    return tier == NULL ? NULL : tier->image_url;
}

int64_t dreamapi_tier_inventory(const dreamapi_tier *tier)
{
    return tier == NULL ? 0 : tier->inventory;
}

int dreamapi_tier_sold_out(const dreamapi_tier *tier)
{
    return tier == NULL ? 0 : tier->sold_out;
}

int dreamapi_tier_popular(const dreamapi_tier *tier)
{
    return tier == NULL ? 0 : tier->popular;
}

const char *dreamapi_tier_stripe_price_id(const dreamapi_tier *tier)
{
    return tier == NULL ? NULL : tier->stripe_price_id;
}

const char *dreamapi_tier_price_id(const dreamapi_tier *tier)
{
    return tier == NULL ? NULL : tier->price_id;
}

const char *dreamapi_tier_product_id(const dreamapi_tier *tier)
{
    return tier == NULL ? NULL : tier->product_id;
}

int64_t dreamapi_tier_trial_days(const dreamapi_tier *tier)
{
    return tier == NULL ? -1 : tier->trial_days;
}
