/* SPDX-License-Identifier: Apache-2.0 */
/* metered.c - see metered.h. */
#include "metered.h"

#include "common/json.h"

static int fill(void *data, void *out, size_t size)
{
    uint64_t *state = data;

    for (size_t i = 0; i < size; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ((unsigned char *)out)[i] = (unsigned char)(*state >> 56);
    }
    return 0;
}

void metered_open(metered *m, const char *journal, const char *extensions)
{
    dreamapi_test_answer health = DREAMAPI_TEST_ANSWER_INIT;
    dreamapi_error error;
    char body[256];

    m->options = dreamapi_options_new();
    m->transport = dreamapi_test_transport_new();
    m->clock = dreamapi_test_clock_new(INT64_C(1700000000000));
    m->client = NULL;
    m->random = 1;
    FUZZ_CHECK(dreamapi_options_set_base_url(m->options, "https://api.example.test") == DREAMAPI_OK);
    FUZZ_CHECK(dreamapi_options_set_secret_key(m->options, "sk_live_1") == DREAMAPI_OK);
    FUZZ_CHECK(dreamapi_options_set_threads(m->options, 0) == DREAMAPI_OK);
    FUZZ_CHECK(dreamapi_options_set_random(m->options, fill, &m->random) == DREAMAPI_OK);
    FUZZ_CHECK(journal == NULL || dreamapi_options_set_journal(m->options, journal) == DREAMAPI_OK);
    FUZZ_CHECK(dreamapi_test_transport_install(m->transport, m->options) == DREAMAPI_OK);
    FUZZ_CHECK(dreamapi_test_clock_install(m->clock, m->options) == DREAMAPI_OK);
    (void)snprintf(body, sizeof(body), "{\"status\":\"ok\",\"extensions\":%s}", extensions);
    health.path = "/health";
    health.body = body;
    health.times = DREAMAPI_TEST_ALWAYS;
    FUZZ_CHECK(dreamapi_test_transport_add(m->transport, &health) == DREAMAPI_OK);
    if (dreamapi_client_new(m->options, &m->client, &error) != DREAMAPI_OK)
        FUZZ_CHECK(journal != NULL && error.status == DREAMAPI_JOURNAL && error.message[0] != '\0');
}

void metered_close(metered *m)
{
    dreamapi_client_free(m->client);
    dreamapi_test_transport_free(m->transport);
    dreamapi_test_clock_free(m->clock);
    dreamapi_options_free(m->options);
}

void metered_answer(metered *m, const char *path, const char *body, int times)
{
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;

    answer.method = "POST";
    answer.path = path;
    answer.body = body;
    answer.times = times;
    FUZZ_CHECK(dreamapi_test_transport_add(m->transport, &answer) == DREAMAPI_OK);
}

static uint64_t sum_of(const cJSON *list, const char *field)
{
    const cJSON *item;
    uint64_t sum = 0;
    int64_t units;

    cJSON_ArrayForEach(item, list)
    {
        FUZZ_CHECK(dream_json_int(item, field, &units) && units >= 0);
        sum += (uint64_t)units;
    }
    return sum;
}

uint64_t metered_most_claimed(const metered *m)
{
    uint64_t most = 0;

    for (size_t i = 0; i < dreamapi_test_transport_request_count(m->transport); i++) {
        const char *body = dreamapi_test_request_body(dreamapi_test_transport_request(m->transport, i));
        cJSON *request = body == NULL ? NULL : dream_json_parse(body, strlen(body), NULL);
        uint64_t claimed;
        FUZZ_CHECK(body == NULL || request != NULL);
        claimed =
            sum_of(dream_json_get(request, "settle"), "admitted") + sum_of(dream_json_get(request, "events"), "units");
        most = claimed > most ? claimed : most;
        cJSON_Delete(request);
    }
    return most;
}
