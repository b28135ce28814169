/* SPDX-License-Identifier: Apache-2.0 */
/* tiers_file.c - checks the tiers that a user wrote and turns them into the store's form.
 * The fields are those of the hosted service's POST /create-products, with `rateLimit` and `meters` beside them. Making
 * products of them is cmd_tenant_create.c. */
#include "dreamapid/tiers_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "dreamapid/record.h"

enum {
    ERROR_SIZE = 256,
    MAX_TIERS = 500,
    MAX_NAME = 100,
    MAX_TEXT = 1000,
    MAX_PRICE = 99999999, /* Stripe takes no more than eight digits */
    MAX_TRIAL_DAYS = 730, /* nor longer trials than two years */
    MAX_METERS = 20
};

static const char *const fields_to_make[] = { "name",        "displayName", "price",     "limit",     "billingMode",
                                              "description", "imageUrl",    "inventory", "trialDays", "features",
                                              "popular",     "soldOut",     "rateLimit", "meters",    NULL };
static const char *const fields_made[] = { "name",        "displayName", "price",     "limit",     "billingMode",
                                           "description", "imageUrl",    "inventory", "trialDays", "features",
                                           "popular",     "soldOut",     "rateLimit", "meters",    "priceId",
                                           "productId",   NULL };

static const char *out_of_memory(dreamd_record *record)
{
    dreamd_record_refuse(record, "it", "cannot be kept: out of memory");
    return NULL;
}

static const char *keep(dreamd_record *record, dream_arena *arena, const char *text)
{
    const char *copy = dream_arena_strdup(arena, text);
    return copy || !text ? copy : out_of_memory(record);
}

/* Takes value; the text of it lives in the arena. */
static const char *keep_json(dreamd_record *record, dream_arena *arena, cJSON *value)
{
    char *text = value ? dream_json_print(value) : NULL;
    const char *copy = text ? keep(record, arena, text) : out_of_memory(record);
    free(text);
    cJSON_Delete(value);
    return copy;
}

static cJSON *split_features(const char *text)
{
    cJSON *list = cJSON_CreateArray();
    while (list && *text) {
        text += strspn(text, " ");
        size_t size = strcspn(text, ",");
        size_t trimmed = size;
        while (trimmed > 0 && text[trimmed - 1] == ' ')
            trimmed--;
        char *piece = strndup(text, trimmed);
        bool is_kept = trimmed == 0 || (piece && cJSON_AddItemToArray(list, cJSON_CreateString(piece)));
        free(piece);
        if (!is_kept) {
            cJSON_Delete(list);
            return NULL;
        }
        text += size + (text[size] == ',');
    }
    return list;
}

/* A list of texts, or one text with commas. */
static void read_features(dreamd_record *record, dream_arena *arena, dreamd_tier *tier)
{
    const cJSON *value = dream_json_get(record->object, "features");
    const cJSON *item;
    if (record->is_bad || !value || cJSON_IsNull(value))
        return;
    if (cJSON_IsString(value)) {
        tier->features_json = keep_json(record, arena, split_features(value->valuestring));
        return;
    }
    cJSON_ArrayForEach(item, value)
    {
        if (!cJSON_IsString(item) || !cJSON_IsArray(value) || strlen(item->valuestring) > MAX_TEXT)
            dreamd_record_refuse(record, "features", "must be a list of texts");
    }
    if (!cJSON_IsArray(value))
        dreamd_record_refuse(record, "features", "must be a list of texts");
    if (!record->is_bad)
        tier->features_json = keep_json(record, arena, cJSON_Duplicate(value, true));
}

static bool is_meter_name(const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return size > 0 && size <= 64 && name[size] == '\0' && strcmp(name, "default") != 0;
}

static void read_meter(dreamd_record *record, const cJSON *meter, cJSON *out)
{
    static const char *const fields[] = { "limit", NULL };
    char name[DREAMD_RECORD_NAME_SIZE];
    int64_t limit = DREAMD_UNLIMITED;
    if (!is_meter_name(meter->string)) {
        dreamd_record_refuse(record, "meters", "names must be a-z, 0-9, _ or - (\"default\" is the tier's own limit)");
        return;
    }
    (void)snprintf(name, sizeof name, "%.60s meter %.24s", record->name, meter->string);
    dreamd_record inner = dreamd_record_open(meter, name, fields, record->error);
    dreamd_record_limit(&inner, "limit", 0, DREAMD_RECORD_NEEDED, &limit);
    record->is_bad = inner.is_bad;
    if (record->is_bad)
        return;
    cJSON *kept = cJSON_AddObjectToObject(out, meter->string);
    if (limit == DREAMD_UNLIMITED ? !dream_json_set_null(kept, "limit") : !dream_json_set_int(kept, "limit", limit))
        (void)out_of_memory(record);
}

static void read_meters(dreamd_record *record, dream_arena *arena, dreamd_tier *tier)
{
    const cJSON *value = dream_json_get(record->object, "meters");
    const cJSON *meter;
    if (record->is_bad || !value || cJSON_IsNull(value))
        return;
    if (!cJSON_IsObject(value) || cJSON_GetArraySize(value) > MAX_METERS) {
        dreamd_record_refuse(record, "meters", "must be an object such as {\"tokens\":{\"limit\":1000}}");
        return;
    }
    cJSON *kept = cJSON_CreateObject();
    cJSON_ArrayForEach(meter, value)
    {
        if (!record->is_bad)
            read_meter(record, meter, kept);
    }
    if (record->is_bad)
        cJSON_Delete(kept);
    else
        tier->meters_json = keep_json(record, arena, kept);
}

static bool is_web_address(const char *text)
{
    return strncmp(text, "https://", 8) == 0 ? text[8] != '\0' : strncmp(text, "http://", 7) == 0 && text[7] != '\0';
}

static void read_texts(dreamd_record *record, dream_arena *arena, dreamd_tier *tier)
{
    const unsigned optional = DREAMD_RECORD_NULL_IS_ABSENT;
    dreamd_record_text(record, "name", MAX_NAME, DREAMD_RECORD_NEEDED, &tier->name);
    tier->display_name = tier->name;
    dreamd_record_text(record, "displayName", MAX_NAME, optional, &tier->display_name);
    dreamd_record_text(record, "billingMode", MAX_NAME, optional, &tier->billing_mode);
    dreamd_record_text(record, "imageUrl", MAX_TEXT, optional, &tier->image_url);
    dreamd_record_text(record, "priceId", MAX_NAME, optional, &tier->price_id);
    dreamd_record_text(record, "productId", MAX_NAME, optional, &tier->product_id);
    const cJSON *description = dream_json_get(record->object, "description");
    if (!cJSON_IsString(description) || description->valuestring[0]) /* an empty one is as good as none */
        dreamd_record_text(record, "description", MAX_TEXT, optional, &tier->description);
    if (strcmp(tier->billing_mode, "subscription") != 0 && strcmp(tier->billing_mode, "one_off") != 0)
        dreamd_record_refuse(record, "billingMode", "must be \"subscription\" or \"one_off\"");
    if (tier->image_url && !is_web_address(tier->image_url))
        dreamd_record_refuse(record, "imageUrl", "must be an http or https address");
    if (record->is_bad)
        return;
    tier->name = keep(record, arena, tier->name);
    tier->display_name = keep(record, arena, tier->display_name);
    tier->billing_mode = keep(record, arena, tier->billing_mode);
    tier->image_url = keep(record, arena, tier->image_url);
    tier->price_id = keep(record, arena, tier->price_id);
    tier->product_id = keep(record, arena, tier->product_id);
    tier->description = keep(record, arena, tier->description);
}

static void read_numbers(dreamd_record *record, dreamd_tier *tier)
{
    const unsigned optional = DREAMD_RECORD_NULL_IS_ABSENT;
    dreamd_record_int(record, "price", 0, MAX_PRICE, DREAMD_RECORD_NEEDED, &tier->price_minor);
    dreamd_record_limit(record, "limit", 0, DREAMD_RECORD_NEEDED, &tier->limit);
    dreamd_record_limit(record, "rateLimit", 1, 0, &tier->rate_limit);
    dreamd_record_limit(record, "inventory", 0, 0, &tier->inventory);
    dreamd_record_int(record, "trialDays", 0, MAX_TRIAL_DAYS, optional, &tier->trial_days);
    dreamd_record_bool(record, "popular", &tier->is_popular);
    dreamd_record_bool(record, "soldOut", &tier->is_sold_out);
    if (tier->trial_days == 0)
        tier->trial_days = DREAMD_NO_TRIAL;
    if (tier->trial_days != DREAMD_NO_TRIAL && strcmp(tier->billing_mode, "one_off") == 0)
        dreamd_record_refuse(record, "trialDays", "makes no sense for what is paid once");
}

static bool read_tier(const cJSON *object, size_t number, dreamd_tier_form form, dream_arena *arena, dreamd_tier *out,
                      char error[ERROR_SIZE])
{
    char name[DREAMD_RECORD_NAME_SIZE];
    const char *given = dream_json_string(object, "name");
    if (given)
        (void)snprintf(name, sizeof name, "tier \"%.60s\"", given);
    else
        (void)snprintf(name, sizeof name, "tier number %zu", number);
    dreamd_record record =
        dreamd_record_open(object, name, form == DREAMD_TIERS_MADE ? fields_made : fields_to_make, error);
    *out = (dreamd_tier)DREAMD_TIER_INIT;
    read_texts(&record, arena, out);
    if (!record.is_bad)
        read_numbers(&record, out);
    read_features(&record, arena, out);
    read_meters(&record, arena, out);
    return !record.is_bad;
}

/* Names are looked up without case, so two that differ in case alone would hide one another. */
static bool are_names_unique(const dreamd_tier_set *set, char error[ERROR_SIZE])
{
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcasecmp(set->tiers[i].name, set->tiers[j].name) == 0) {
                (void)snprintf(error, ERROR_SIZE, "tier \"%.60s\": there are two tiers of this name",
                               set->tiers[i].name);
                return false;
            }
        }
    }
    return true;
}

bool dreamd_tiers_read(const cJSON *array, dreamd_tier_form form, dream_arena *arena, dreamd_tier_set *out,
                       char error[ERROR_SIZE])
{
    const cJSON *item;
    int size = cJSON_IsArray(array) ? cJSON_GetArraySize(array) : -1;
    *out = (dreamd_tier_set){ NULL, 0 };
    error[0] = '\0';
    if (size < 0 || size > MAX_TIERS || (size == 0 && form == DREAMD_TIERS_TO_MAKE)) {
        (void)snprintf(error, ERROR_SIZE, "\"tiers\" must be a list of %d to %d tiers", form == DREAMD_TIERS_TO_MAKE,
                       MAX_TIERS);
        return false;
    }
    out->tiers = dream_arena_alloc(arena, ((size_t)size + 1) * sizeof *out->tiers);
    if (!out->tiers) {
        (void)snprintf(error, ERROR_SIZE, "out of memory");
        return false;
    }
    cJSON_ArrayForEach(item, array)
    {
        if (!read_tier(item, out->count + 1, form, arena, &out->tiers[out->count], error))
            return false;
        out->count++;
    }
    return are_names_unique(out, error);
}

bool dreamd_tiers_document_read(const cJSON *document, dream_arena *arena, dreamd_tier_set *out, char error[ERROR_SIZE])
{
    static const char *const fields[] = { "tiers", NULL };
    dreamd_record record = dreamd_record_open(document, "the file", fields, error);
    *out = (dreamd_tier_set){ NULL, 0 };
    if (!record.is_bad && !dream_json_get(document, "tiers"))
        dreamd_record_refuse(&record, "\"tiers\"", "is missing");
    return !record.is_bad
           && dreamd_tiers_read(dream_json_get(document, "tiers"), DREAMD_TIERS_TO_MAKE, arena, out, error);
}
