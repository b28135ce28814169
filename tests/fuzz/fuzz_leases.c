/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_leases.c - any body of POST /api/leases, several to an input, one a line: no user is granted more than the plan's limit, and the
 * store keeps its invariants. */
#include "served.h"

#include "common/json.h"

enum { LIMIT = 100, LINES_MAX = 6 };

/* Grants of one request, to users of the plan "free", as all are but those whom no one knows. */
static void check_grants(const char *body)
{
    cJSON *answer = dream_json_parse(body, strlen(body), NULL);
    const cJSON *grant;
    int64_t granted, limit;

    cJSON_ArrayForEach(grant, dream_json_get(answer, "grants"))
    {
        if (!dream_json_int(grant, "granted", &granted))
            continue;
        FUZZ_CHECK(granted > 0);
        FUZZ_CHECK(!dream_json_int(grant, "limit", &limit) || (granted <= limit && limit <= LIMIT));
    }
    cJSON_Delete(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *rest = text;
    served_answer answer;

    served_begin();
    for (int i = 0; i < LINES_MAX && rest != NULL; i++) {
        char *line = fuzz_line(&rest);
        served_ask(&(served_request){ "POST", "/api/leases", NULL, line, strlen(line) }, &answer);
        if (answer.status == 200)
            check_grants(answer.body);
        served_answer_clear(&answer);
    }
    served_check_store();
    free(text);
    return 0;
}
