/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tiers_file.c - any text as a file of tiers: what is taken keeps what the store demands, what is not has a reason. */
#include "fuzz.h"

#include "dreamapid/tiers_file.h"

static void check_tier(const dreamd_tier *tier)
{
    cJSON *features = dream_json_parse(tier->features_json, strlen(tier->features_json), NULL);
    cJSON *meters = tier->meters_json ? dream_json_parse(tier->meters_json, strlen(tier->meters_json), NULL) : NULL;

    FUZZ_CHECK(tier->name && tier->name[0] && tier->display_name);
    FUZZ_CHECK(tier->price_minor >= 0 && tier->limit >= 0 && tier->rate_limit >= 0 && tier->inventory >= 0);
    FUZZ_CHECK(tier->trial_days >= DREAMD_NO_TRIAL);
    FUZZ_CHECK(cJSON_IsArray(features));
    FUZZ_CHECK(!tier->meters_json || cJSON_IsObject(meters));
    cJSON_Delete(features);
    cJSON_Delete(meters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    cJSON *document = dream_json_parse(text, size, NULL);
    dream_arena *arena = dream_arena_new();
    dreamd_tier_set set = { NULL, 0 };
    char error[256] = "";

    FUZZ_CHECK(arena != NULL);
    if (dreamd_tiers_document_read(document, arena, &set, error)) {
        FUZZ_CHECK(set.count > 0);
        for (size_t i = 0; i < set.count; i++)
            check_tier(&set.tiers[i]);
    } else {
        FUZZ_CHECK(error[0] != '\0' && strlen(error) < sizeof error);
    }
    dream_arena_free(arena);
    cJSON_Delete(document);
    free(text);
    return 0;
}
