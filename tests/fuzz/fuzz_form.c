/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_form.c - any text as a form that the sandbox is sent: what it becomes is JSON that reads as the same again. */
#include "fuzz.h"

#include "sandbox/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    cJSON *root = NULL, *again;
    sandbox_form_status status = sandbox_form_parse(text, size, &root);
    char *first, *second;

    FUZZ_CHECK(status != SANDBOX_FORM_NOMEM && (status == SANDBOX_FORM_OK) == (root != NULL));
    free(text);
    if (root == NULL)
        return 0;
    first = dream_json_print(root);
    FUZZ_CHECK(first != NULL);
    again = dream_json_parse(first, strlen(first), NULL);
    FUZZ_CHECK(again != NULL);
    second = dream_json_print(again);
    FUZZ_CHECK(second != NULL && strcmp(first, second) == 0);
    cJSON_Delete(root);
    cJSON_Delete(again);
    free(first);
    free(second);
    return 0;
}
