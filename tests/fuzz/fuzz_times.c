/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_times.c - any text as Retry-After and as each sort of date: what was read and is printed reads as the same again. */
#include "fuzz.h"

#include "common/timefmt.h"

static void try_http_date(const char *text)
{
    char first[30], second[30];
    int64_t ms, again;

    if (!dream_http_date_parse(text, &ms))
        return;
    dream_http_date_text(ms, first);
    FUZZ_CHECK(dream_http_date_parse(first, &again));
    FUZZ_CHECK(again == ms);
    dream_http_date_text(again, second);
    FUZZ_CHECK(strcmp(first, second) == 0);
}

static void try_iso(const char *text)
{
    char printed[25];
    int64_t ms, again;

    if (!dream_iso_parse(text, &ms))
        return;
    dream_iso_text(ms, printed);
    FUZZ_CHECK(dream_iso_parse(printed, &again));
    FUZZ_CHECK(again == ms);
}

static void try_day(const char *text)
{
    char printed[11];
    int32_t day, again;

    if (!dream_day_parse(text, &day))
        return;
    dream_day_text(day, printed);
    FUZZ_CHECK(dream_day_parse(printed, &again));
    FUZZ_CHECK(again == day && strncmp(printed, text, 10) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    int64_t wait_ms;

    try_http_date(text);
    try_iso(text);
    try_day(text);
    if (dream_retry_after_parse(text, INT64_C(1700000000000), &wait_ms))
        FUZZ_CHECK(wait_ms >= 0);
    free(text);
    return 0;
}
