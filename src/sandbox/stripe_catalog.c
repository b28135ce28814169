/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_catalog.c - products and their prices: one amount per unit, once or at an interval. Tiers, packages and amounts that
 * customers choose are not played. */
#include "sandbox/stripe.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

enum { MAX_AMOUNT = 99999999, MAX_INTERVALS = 1095, MAX_IMAGES = 8, MAX_ID = 80 };

static const char product_skeleton[] =
    "{\"id\":\"\",\"object\":\"product\",\"active\":true,\"attributes\":[],\"default_price\":null,\"description\":null,"
    "\"images\":[],\"marketing_features\":[],\"metadata\":{},\"name\":\"\",\"package_dimensions\":null,"
    "\"shippable\":null,\"statement_descriptor\":null,\"tax_code\":null,\"type\":\"service\",\"unit_label\":null,"
    "\"updated\":0,\"url\":null}";

static const char price_skeleton[] =
    "{\"id\":\"\",\"object\":\"price\",\"active\":true,\"billing_scheme\":\"per_unit\",\"currency\":\"\","
    "\"custom_unit_amount\":null,\"lookup_key\":null,\"metadata\":{},\"nickname\":null,\"product\":\"\","
    "\"recurring\":null,\"tax_behavior\":\"unspecified\",\"tiers_mode\":null,\"transform_quantity\":null,"
    "\"type\":\"one_time\",\"unit_amount\":0,\"unit_amount_decimal\":\"0\"}";

static const char recurring_skeleton[] =
    "{\"aggregate_usage\":null,\"interval\":\"\",\"interval_count\":1,\"meter\":null,\"trial_period_days\":null,"
    "\"usage_type\":\"licensed\"}";

/* ---- products ---- */

/* An id of the caller's own: its products are known by it in other systems. */
static void set_own_id(sandbox_call *call, const cJSON *from, cJSON *object)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *id = stripe_text(call, from, NULL, "id");
    if (!id)
        return;
    if (strlen(id) > MAX_ID || id[strspn(id, allowed)])
        stripe_refuse(call, NULL, "id", "Invalid id: letters, digits, underscores and hyphens, at most %d.", MAX_ID);
    else
        sandbox_set_text(call, object, "id", id);
}

static void set_product_fields(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *product)
{
    static const char *const names[] = { "description", "url", "unit_label", "statement_descriptor", "tax_code" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        stripe_set_text(call, from, product, names[i]);
    stripe_set_flag(call, from, product, "active");
    stripe_set_flag(call, from, product, "shippable");
    if (dream_json_get(from, "name"))
        sandbox_set_text(call, product, "name", stripe_text(call, from, prefix, "name"));
    const cJSON *images = dream_json_get(from, "images");
    if (cJSON_IsArray(images) && cJSON_GetArraySize(images) <= MAX_IMAGES)
        sandbox_embed(call, product, "images", images);
    else if (images && stripe_has(from, "images"))
        stripe_refuse(call, NULL, "images", "Invalid array: at most %d images", MAX_IMAGES);
    else if (images)
        sandbox_embed(call, product, "images", sandbox_skeleton(call, "[]"));
    stripe_set_metadata(call, from, prefix, product);
    sandbox_set_int(call, product, "updated", call->now_s);
}

cJSON *stripe_make_product(sandbox_call *call, const cJSON *from, const char *prefix)
{
    cJSON *product = stripe_new(call, product_skeleton, "prod_", 14);
    if (!product)
        return NULL;
    (void)stripe_required_text(call, from, prefix, "name");
    set_product_fields(call, from, prefix, product);
    if (!prefix)
        set_own_id(call, from, product);
    if (call->status != 0)
        return NULL;
    stripe_insert(call, product, NULL, NULL);
    stripe_emit(call, "product.created", product, NULL);
    return call->status == 0 ? product : NULL;
}

void stripe_product_create(sandbox_call *call)
{
    const cJSON *first = stripe_table(call, call->params, NULL, "default_price_data");
    cJSON *product = stripe_make_product(call, call->params, NULL);
    if (!product)
        return;
    if (first) {
        if (!stripe_check_names(call, first, "default_price_data",
                                "currency unit_amount unit_amount_decimal recurring tax_behavior metadata "))
            return;
        const cJSON *price = stripe_make_price(call, first, "default_price_data", product);
        if (!price)
            return;
        sandbox_set_text(call, product, "default_price", dream_json_string(price, "id"));
        stripe_update(call, product, NULL, NULL);
    }
    stripe_answer(call, product);
}

static void set_default_price(sandbox_call *call, cJSON *product)
{
    const char *id =
        stripe_has(call->params, "default_price") ? stripe_text(call, call->params, NULL, "default_price") : NULL;
    const cJSON *price = id ? sandbox_read(call, "price", id) : NULL;
    const char *owner = dream_json_string(price, "product");
    if (id && (!owner || strcmp(owner, call->id) != 0))
        stripe_no_such(call, &stripe_price, id, "default_price");
    else
        stripe_set_text(call, call->params, product, "default_price");
}

void stripe_product_update(sandbox_call *call)
{
    cJSON *product = stripe_read(call, &stripe_product);
    const cJSON *before = product ? sandbox_copy(call, product) : NULL;
    if (!before)
        return;
    set_product_fields(call, call->params, NULL, product);
    set_default_price(call, product);
    if (call->status != 0)
        return;
    stripe_update(call, product, NULL, NULL);
    stripe_emit_change(call, "product.updated", before, product);
    stripe_answer(call, product);
}

/* ---- prices ---- */

static bool set_currency(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *price)
{
    const char *text = stripe_required_text(call, from, prefix, "currency");
    if (!text)
        return false;
    const char *code = sandbox_lower(call, text);
    bool is_code = code && strlen(code) == 3 && islower((unsigned char)code[0]) && islower((unsigned char)code[1])
                   && islower((unsigned char)code[2]);
    if (!is_code) {
        stripe_refuse(call, NULL, stripe_param_name(call, prefix, "currency"),
                      "Invalid currency: %.20s. Stripe currently supports three-letter ISO 4217 codes.", text);
        return false;
    }
    sandbox_set_text(call, price, "currency", code);
    return true;
}

/* Whole minor units; a decimal amount must be whole, too. */
static bool set_amount(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *price)
{
    const char *name = stripe_has(from, "unit_amount") ? "unit_amount" : "unit_amount_decimal";
    if (!stripe_has(from, name)) {
        const char *param = stripe_param_name(call, prefix, "unit_amount");
        stripe_refuse(call, "parameter_missing", param,
                      "You must specify one of `unit_amount` or `unit_amount_decimal`: the sandbox plays no tiers.");
        return false;
    }
    int64_t amount = stripe_int(call, from, prefix, name, -1, 0, MAX_AMOUNT);
    if (amount < 0)
        return false;
    sandbox_set_int(call, price, "unit_amount", amount);
    sandbox_set_text(call, price, "unit_amount_decimal", sandbox_printf(call, "%lld", (long long)amount));
    return true;
}

static bool set_recurring(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *price)
{
    static const char intervals[] = "day week month year ";
    const cJSON *given = stripe_table(call, from, prefix, "recurring");
    if (!given)
        return call->status == 0;
    prefix = stripe_param_name(call, prefix, "recurring");
    cJSON *recurring = sandbox_skeleton(call, recurring_skeleton);
    if (!recurring || !stripe_check_names(call, given, prefix, "interval interval_count usage_type trial_period_days "))
        return false;
    const char *interval = stripe_required_text(call, given, prefix, "interval");
    const char *usage = stripe_text(call, given, prefix, "usage_type");
    int64_t count = stripe_int(call, given, prefix, "interval_count", 1, 1, MAX_INTERVALS);
    if (interval && !sandbox_is_named(intervals, interval))
        stripe_refuse(call, NULL, stripe_param_name(call, prefix, "interval"),
                      "Invalid interval: must be one of month, year, week, or day");
    if (usage && strcmp(usage, "licensed") != 0 && strcmp(usage, "metered") != 0)
        stripe_refuse(call, NULL, stripe_param_name(call, prefix, "usage_type"),
                      "Invalid usage_type: must be one of licensed or metered");
    if (call->status != 0)
        return false;
    sandbox_set_text(call, recurring, "interval", interval);
    sandbox_set_int(call, recurring, "interval_count", count);
    sandbox_set_text(call, recurring, "usage_type", usage ? usage : "licensed");
    sandbox_embed(call, price, "recurring", recurring);
    sandbox_set_text(call, price, "type", "recurring");
    return true;
}

cJSON *stripe_make_price(sandbox_call *call, const cJSON *from, const char *prefix, const cJSON *product)
{
    cJSON *price = stripe_new(call, price_skeleton, "price_1", 23);
    const char *product_id = dream_json_string(product, "id");
    if (!price || !set_currency(call, from, prefix, price) || !set_amount(call, from, prefix, price)
        || !set_recurring(call, from, prefix, price))
        return NULL;
    sandbox_set_text(call, price, "product", product_id);
    stripe_set_text(call, from, price, "nickname");
    stripe_set_text(call, from, price, "lookup_key");
    stripe_set_text(call, from, price, "tax_behavior");
    stripe_set_flag(call, from, price, "active");
    stripe_set_metadata(call, from, prefix, price);
    if (!prefix)
        set_own_id(call, from, price);
    if (call->status != 0)
        return NULL;
    stripe_insert(call, price, product_id, dream_json_string(price, "lookup_key"));
    stripe_emit(call, "price.created", price, NULL);
    return call->status == 0 ? price : NULL;
}

static const cJSON *choose_product(sandbox_call *call)
{
    const cJSON *data = stripe_table(call, call->params, NULL, "product_data");
    const char *id = stripe_text(call, call->params, NULL, "product");
    if (call->status != 0)
        return NULL;
    if (!id && !data) {
        stripe_refuse(call, "parameter_missing", "product",
                      "You must specify either `product` or `product_data` when "
                      "creating a price.");
        return NULL;
    }
    if (data)
        return stripe_check_names(call, data, "product_data",
                                  "name active metadata statement_descriptor tax_code unit_label ")
                   ? stripe_make_product(call, data, "product_data")
                   : NULL;
    const cJSON *product = sandbox_read(call, "product", id);
    if (!product)
        stripe_no_such(call, &stripe_product, id, "product");
    return product;
}

void stripe_price_create(sandbox_call *call)
{
    const cJSON *product = choose_product(call);
    const cJSON *price = product ? stripe_make_price(call, call->params, NULL, product) : NULL;
    if (price)
        stripe_answer(call, price);
}

void stripe_price_update(sandbox_call *call)
{
    cJSON *price = stripe_read(call, &stripe_price);
    const cJSON *before = price ? sandbox_copy(call, price) : NULL;
    if (!before)
        return;
    stripe_set_flag(call, call->params, price, "active");
    stripe_set_text(call, call->params, price, "nickname");
    stripe_set_text(call, call->params, price, "lookup_key");
    stripe_set_metadata(call, call->params, NULL, price);
    if (call->status != 0)
        return;
    stripe_update(call, price, dream_json_string(price, "product"), dream_json_string(price, "lookup_key"));
    stripe_emit_change(call, "price.updated", before, price);
    stripe_answer(call, price);
}
