/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_fixture_file.c - any text as a fixture: taken whole, or refused with a reason. */
#include "fuzz.h"

#include "dreamapid/fixture_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    cJSON *document = dream_json_parse(text, size, NULL);
    dream_arena *arena = dream_arena_new();
    dreamd_fixture fixture = { .platforms = NULL };
    char error[256] = "";

    FUZZ_CHECK(arena != NULL);
    if (cJSON_IsObject(document)) {
        if (dreamd_fixture_read(document, INT64_C(1700000000000), arena, &fixture, error)) {
            for (size_t i = 0; i < fixture.user_count; i++)
                FUZZ_CHECK(fixture.users[i].project != NULL);
            for (size_t i = 0; i < fixture.usage_count; i++)
                FUZZ_CHECK(fixture.usage[i].project != NULL);
            for (size_t i = 0; i < fixture.subscription_count; i++)
                FUZZ_CHECK(fixture.subscriptions[i].project != NULL);
        } else {
            FUZZ_CHECK(error[0] != '\0' && strlen(error) < sizeof error);
        }
        dreamd_fixture_clear(&fixture);
    }
    dream_arena_free(arena);
    cJSON_Delete(document);
    free(text);
    return 0;
}
