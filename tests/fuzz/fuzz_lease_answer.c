/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_lease_answer.c - what a server says to a client that meters: each line answers one POST /api/leases. However it contradicts
 * itself, no more is admitted than it granted, and no more is reported than was admitted. */
#include "metered.h"

#include "lib/meter/lease_wire.h"

enum { STEPS = 12, LINES_MAX = 16, STEP_MS = 700 };

/* What the client may take from an answer. */
static uint64_t granted_by(const char *body)
{
    dream_lease_answer *answer = NULL;
    char problem[DREAM_PROBLEM_SIZE];
    dreamapi_status status = dream_noun_lease_answer.parse(body, strlen(body), (void **)&answer, problem);
    uint64_t granted = 0;

    FUZZ_CHECK(status == DREAMAPI_OK || status == DREAMAPI_PROTOCOL);
    FUZZ_CHECK((status == DREAMAPI_OK) == (answer != NULL));
    for (size_t i = 0; answer != NULL && i < answer->grant_count; i++) {
        const dream_grant_answer *grant = &answer->grants[i];
        if (grant->error != NULL)
            continue;
        FUZZ_CHECK(grant->granted > 0 && grant->ttl_ms >= 0);
        granted += (uint64_t)grant->granted;
    }
    if (answer != NULL)
        dream_noun_lease_answer.release(answer);
    return granted;
}

static void check_decision(const dreamapi_decision *decision, dreamapi_status status)
{
    FUZZ_CHECK((decision->allowed != 0) == (status == DREAMAPI_OK));
    FUZZ_CHECK(status != DREAMAPI_NOMEM && status != DREAMAPI_INVALID);
    FUZZ_CHECK(decision->retry_after_ms >= -1);
}

static uint64_t use_some(metered *m, dreamapi_meter *meter)
{
    dreamapi_decision decision;
    uint64_t admitted = 0;

    for (int step = 0; step < STEPS; step++) {
        int64_t units = 1 + step % 3;
        dreamapi_status status = dreamapi_meter_use(meter, units, &decision);
        check_decision(&decision, status);
        admitted += status == DREAMAPI_OK ? (uint64_t)units : 0;
        if (status == DREAMAPI_OK && step == 5 && dreamapi_meter_refund(meter, &decision) == DREAMAPI_OK)
            (void)dreamapi_meter_check(meter, 1, &decision);
        dreamapi_test_clock_advance(m->clock, STEP_MS);
        (void)dreamapi_client_perform(m->client);
    }
    (void)dreamapi_client_flush(m->client, 1000, NULL);
    return admitted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    char *text = fuzz_text(data, size);
    char *rest = text;
    dreamapi_meter *meter;
    uint64_t granted = 0, admitted;
    metered m;

    metered_open(&m, NULL, "[\"leases\",\"idempotency\",\"server-side\"]");
    for (int i = 0; i < LINES_MAX && rest != NULL; i++) {
        const char *line = fuzz_line(&rest);
        granted += granted_by(line);
        metered_answer(&m, "/api/leases", line, 1);
    }
    params.wait_ms = 100;
    FUZZ_CHECK(dreamapi_meter_open(m.client, "user_1", &params, &meter, NULL) == DREAMAPI_OK);
    admitted = use_some(&m, meter);
    FUZZ_CHECK(admitted <= granted);
    FUZZ_CHECK(metered_most_claimed(&m) <= admitted);
    dreamapi_meter_close(meter);
    metered_close(&m);
    free(text);
    return 0;
}
