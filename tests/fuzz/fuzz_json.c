/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_json.c - any text as JSON: what was read and is printed reads as the same again; both readers agree. */
#include "fuzz.h"

#include "common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool out_of_memory;
    cJSON *value = dream_json_parse((const char *)data, size, &out_of_memory);
    char *first, *second;
    cJSON *again, *whole;

    FUZZ_CHECK(!out_of_memory);
    whole = dream_json_parse_whole((const char *)data, size, &out_of_memory);
    FUZZ_CHECK(!out_of_memory && (whole != NULL) == (value != NULL));
    if (value == NULL)
        return 0;
    first = dream_json_print(value);
    FUZZ_CHECK(first != NULL);
    again = dream_json_parse(first, strlen(first), &out_of_memory);
    FUZZ_CHECK(again != NULL);
    second = dream_json_print(again);
    FUZZ_CHECK(second != NULL && strcmp(first, second) == 0);
    free(second);
    second = dream_json_print(whole);
    FUZZ_CHECK(second != NULL && strcmp(first, second) == 0);
    free(whole);
    cJSON_Delete(value);
    cJSON_Delete(again);
    free(first);
    free(second);
    return 0;
}
