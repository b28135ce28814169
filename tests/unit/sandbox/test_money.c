/* SPDX-License-Identifier: Apache-2.0 */
/* test_money.c - amounts as people read them, and the dates money is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sandbox/money.h"
#include "sandbox/stripe.h"

static const struct {
    int64_t amount;
    const char *currency;
    const char *text;
} amounts[] = {
    { 2900, "usd", "$29.00" },
    { 5, "usd", "$0.05" },
    { 0, "eur", "€0.00" },
    { -1250, "gbp", "-£12.50" },
    { 500, "jpy", "¥500" },
    { 500, "krw", "500 KRW" },
    { 12500, "kwd", "12.500 KWD" },
    { 100, "chf", "1.00 CHF" },
    { 99999999, "usd", "$999999.99" },
    { INT64_MIN, "jpy", "-¥9223372036854775808" },
};

static void test_money__has_the_currencys_decimals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
        dream_buffer text = DREAM_BUFFER_INIT;
        sandbox_money(&text, amounts[i].amount, amounts[i].currency);
        assert_string_equal(dream_buffer_str(&text), amounts[i].text);
        dream_buffer_clear(&text);
    }
}

static const struct {
    int64_t from_s;
    const char *interval;
    int64_t count;
    int64_t to_s;
} intervals[] = {
    { 1769866200, "month", 1, 1772285400 },  /* 2026-01-31 13:30 -> 2026-02-28 13:30 */
    { 1706707800, "month", 1, 1709213400 },  /* 2024-01-31 13:30 -> 2024-02-29 13:30 */
    { 1766325600, "month", 1, 1769004000 },  /* 2025-12-21 14:00 -> 2026-01-21 14:00 */
    { 1709213400, "year", 1, 1740749400 },   /* 2024-02-29 13:30 -> 2025-02-28 13:30 */
    { 1766325600, "month", 14, 1803218400 }, /* 2025-12-21 14:00 -> 2027-02-21 14:00 */
    { 1766325600, "week", 2, 1767535200 },   { 1766325600, "day", 3, 1766584800 },
};

static void test_add_interval__clamps_to_the_months_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++)
        assert_int_equal(stripe_add_interval(intervals[i].from_s, intervals[i].interval, intervals[i].count),
                         intervals[i].to_s);
}

static void test_deliver_delay__grows_and_stops_growing(void **state)
{
    (void)state;
    assert_int_equal(sandbox_deliver_delay_ms(1), 200);
    assert_int_equal(sandbox_deliver_delay_ms(2), 400);
    assert_int_equal(sandbox_deliver_delay_ms(5), 3200);
    assert_int_equal(sandbox_deliver_delay_ms(9), 30000);
    assert_int_equal(sandbox_deliver_delay_ms(4000000000u), 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_money__has_the_currencys_decimals),
        cmocka_unit_test(test_add_interval__clamps_to_the_months_end),
        cmocka_unit_test(test_deliver_delay__grows_and_stops_growing),
    };
    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
