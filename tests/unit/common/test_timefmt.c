/* SPDX-License-Identifier: Apache-2.0 */
/* test_timefmt.c - the calendar against known days and the C library, texts both ways, Retry-After. */
#include "common/timefmt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define DAY_MS INT64_C(86400000)
#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static void test_clocks__are_sane(void **state)
{
    int64_t first = dream_monotonic_ms();

    (void)state;
    assert_true(dream_wall_ms() > INT64_C(1600000000000));
    assert_true(dream_monotonic_ms() >= first);
}

static void test_day__knows_leap_years_and_centuries(void **state)
{
    static const struct {
        int32_t day;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01" },     { 11016, "2000-02-29" }, { 11017, "2000-03-01" },
        { 19722, "2023-12-31" }, { 19723, "2024-01-01" }, { 19782, "2024-02-29" },
        { 47540, "2100-02-28" }, { 47541, "2100-03-01" }, { 2932896, "9999-12-31" },
    };
    char out[11];
    size_t i;
    int32_t day;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        dream_day_text(cases[i].day, out);
        assert_string_equal(out, cases[i].text);
        assert_true(dream_day_parse(cases[i].text, &day));
        assert_int_equal(day, cases[i].day);
    }
}

static void test_day__shows_days_before_1970_and_clamps_the_rest(void **state)
{
    static const struct {
        int32_t day;
        const char *text;
    } cases[] = {
        { -1, "1969-12-31" },      { -719162, "0001-01-01" },   { -719163, "0000-12-31" }, { -719528, "0000-01-01" },
        { -719529, "0000-01-01" }, { INT32_MIN, "0000-01-01" }, { 2932897, "9999-12-31" }, { INT32_MAX, "9999-12-31" },
    };
    char out[11];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        dream_day_text(cases[i].day, out);
        assert_string_equal(out, cases[i].text);
    }
}

static void test_day__agrees_with_the_c_library_every_day(void **state)
{
    char ours[11], theirs[24];
    int32_t day, back;

    (void)state;
    for (day = 0; day <= 2932896; day += day < 60000 ? 1 : 211) {
        time_t seconds = (time_t)day * 86400;
        struct tm tm;

        dream_day_text(day, ours);
        assert_non_null(gmtime_r(&seconds, &tm));
        strftime(theirs, sizeof(theirs), "%Y-%m-%d", &tm);
        if (strcmp(ours, theirs) != 0 || !dream_day_parse(ours, &back) || back != day)
            fail_msg("day %d: %s, should be %s", day, ours, theirs);
    }
}

static void test_day_of_ms__rounds_down_and_stays_in_range(void **state)
{
    (void)state;
    assert_int_equal(dream_day_of_ms(0), 0);
    assert_int_equal(dream_day_of_ms(DAY_MS - 1), 0);
    assert_int_equal(dream_day_of_ms(DAY_MS), 1);
    assert_int_equal(dream_day_of_ms(-1), -1);
    assert_int_equal(dream_day_of_ms(-DAY_MS), -1);
    assert_int_equal(dream_day_of_ms(-DAY_MS - 1), -2);
    assert_int_equal(dream_day_of_ms(INT64_MAX), INT32_MAX);
    assert_int_equal(dream_day_of_ms(INT64_MIN), INT32_MIN);
}

static void test_day_parse__takes_a_day_or_a_time_and_nothing_else(void **state)
{
    static const char *const bad[] = {
        "",           "2024",       "2024-1-1",    "2024-01",     "2024-01-",    "2024-01-0",  "2024-00-10",
        "2024-13-01", "2024-01-00", "2024-01-32",  "2023-02-29",  "2100-02-29",  "2024-04-31", "1969-12-31",
        "0000-01-01", "24-01-01",   " 2024-01-01", "2024-01-01 ", "2024-01-011", "2024/01/01", "+024-01-01",
        "2024-01-1T", "2024-0a-01",
    };
    int32_t day = 5;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (dream_day_parse(bad[i], &day))
            fail_msg("accepted %s", bad[i]);
    }
    assert_false(dream_day_parse(NULL, &day));
    assert_int_equal(day, 5);
    assert_true(dream_day_parse("2024-02-29T23:59:59.999Z", &day));
    assert_int_equal(day, 19782);
}

static void test_texts__show_one_moment_in_each_form(void **state)
{
    char iso[25], utc[20], http[30];
    int64_t moment = INT64_C(784111777) * 1000 + 7;

    (void)state;
    dream_iso_text(moment, iso);
    dream_utc_text(moment, utc);
    dream_http_date_text(moment, http);
    assert_string_equal(iso, "1994-11-06T08:49:37.007Z");
    assert_string_equal(utc, "1994-11-06 08:49:37");
    assert_string_equal(http, "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void test_texts__clamp_times_that_have_no_text(void **state)
{
    char iso[25], http[30];

    (void)state;
    dream_iso_text(-1, iso);
    assert_string_equal(iso, "1969-12-31T23:59:59.999Z");
    dream_http_date_text(-1, http);
    assert_string_equal(http, "Wed, 31 Dec 1969 23:59:59 GMT");
    dream_iso_text(INT64_MIN, iso);
    assert_string_equal(iso, "0000-01-01T00:00:00.000Z");
    dream_http_date_text(INT64_MIN, http);
    assert_string_equal(http, "Sat, 01 Jan 0000 00:00:00 GMT");
    dream_iso_text(LAST_MS, iso);
    assert_string_equal(iso, "9999-12-31T23:59:59.999Z");
    dream_iso_text(INT64_MAX, iso);
    assert_string_equal(iso, "9999-12-31T23:59:59.999Z");
}

static void test_http_date__names_every_weekday_and_month(void **state)
{
    char ours[30], theirs[40];
    int day;

    (void)state;
    for (day = 0; day < 800; day++) {
        time_t seconds = (time_t)day * 86400 + 86399;
        struct tm tm;
        int64_t back;

        dream_http_date_text(seconds * INT64_C(1000), ours);
        assert_non_null(gmtime_r(&seconds, &tm));
        strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_string_equal(ours, theirs);
        assert_true(dream_http_date_parse(ours, &back));
        assert_int_equal(back, seconds * INT64_C(1000));
    }
}

static void test_iso_parse__takes_fractions_and_offsets(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T00:00:00.000Z", 0 },
        { "1970-01-01T00:00:01.5Z", 1500 },
        { "1970-01-01T00:00:01.25Z", 1250 },
        { "1970-01-01T00:00:01.123999999Z", 1123 },
        { "1970-01-01T01:00:00+01:00", 0 },
        { "1970-01-01T00:00:00-01:30", 5400000 },
        { "2016-12-31T23:59:60Z", INT64_C(1483228800000) },
        { "9999-12-31T23:59:59.999Z", LAST_MS },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        int64_t ms = -7;

        if (!dream_iso_parse(cases[i].text, &ms) || ms != cases[i].ms)
            fail_msg("%s read as %lld", cases[i].text, (long long)ms);
    }
}

static void test_iso_parse__refuses_what_is_no_moment(void **state)
{
    static const char *const bad[] = {
        "",
        "2024-01-01",
        "2024-01-01T",
        "2024-01-01T00:00",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00z",
        "2024-01-01 00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00+0100",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+01:60",
        "2024-01-01T00:00:00+",
        "2024-02-30T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "10000-01-01T00:00:00Z",
        "2024-01-01T-1:00:00Z",
    };
    int64_t ms = -7;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (dream_iso_parse(bad[i], &ms))
            fail_msg("accepted %s", bad[i]);
    }
    assert_false(dream_iso_parse(NULL, &ms));
    assert_int_equal(ms, -7);
}

static void test_http_date_parse__takes_all_three_forms(void **state)
{
    static const char *const same[] = { "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994" };
    int64_t ms;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(same); i++) {
        ms = 0;
        if (!dream_http_date_parse(same[i], &ms) || ms != INT64_C(784111777000))
            fail_msg("%s read as %lld", same[i], (long long)ms);
    }
    assert_true(dream_http_date_parse("Wed Nov 16 08:49:37 1994", &ms));
    assert_int_equal(ms, INT64_C(784975777000));
    assert_true(dream_http_date_parse("Thursday, 01-Jan-70 00:00:00 GMT", &ms));
    assert_int_equal(ms, 0);
    assert_true(dream_http_date_parse("Tuesday, 31-Dec-69 23:59:59 GMT", &ms));
    assert_int_equal(ms, INT64_C(3155759999000)); /* 2069 */
}

static void test_http_date_parse__refuses_other_forms(void **state)
{
    static const char *const bad[] = {
        "",
        "Sun",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  x 08:49:37 1994",
        "1994-11-06T08:49:37Z",
    };
    int64_t ms;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (dream_http_date_parse(bad[i], &ms))
            fail_msg("accepted %s", bad[i]);
    }
    assert_false(dream_http_date_parse(NULL, &ms));
}

static void test_retry_after__takes_seconds_and_dates(void **state)
{
    static const int64_t now = INT64_C(784111777000);
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        { "0", 0 },
        { "1", 1000 },
        { "120", 120000 },
        { " 120\t", 120000 },
        { "007", 7000 },
        { "315360000", INT64_C(315360000000) },
        { "315360001", INT64_C(315360000000) },
        { "99999999999999999999999999999999999999", INT64_C(315360000000) },
        { "Sun, 06 Nov 1994 08:50:37 GMT", 60000 },
        { " Sunday, 06-Nov-94 08:50:37 GMT ", 60000 },
        { "Sun Nov  6 08:50:37 1994", 60000 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
        { "Sun, 06 Nov 1994 08:49:36 GMT", 0 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(315360000000) },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        int64_t ms = -7;

        if (!dream_retry_after_parse(cases[i].text, now, &ms) || ms != cases[i].ms)
            fail_msg("'%s' read as %lld", cases[i].text, (long long)ms);
    }
}

static void test_retry_after__refuses_what_says_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1s",
        "1 2",
        "soon",
        "0x10",
        "1e3",
        "Sun, 06 Nov 1994 08:49:37 GMT, and then a text that is far too long for a date"
    };
    int64_t ms = -7;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (dream_retry_after_parse(bad[i], 0, &ms))
            fail_msg("accepted %s", bad[i]);
    }
    assert_false(dream_retry_after_parse(NULL, 0, &ms));
    assert_int_equal(ms, -7);
}

static void test_retry_after__copes_with_any_clock(void **state)
{
    int64_t ms;

    (void)state;
    assert_true(dream_retry_after_parse("Sun, 06 Nov 1994 08:49:37 GMT", INT64_MIN, &ms));
    assert_int_equal(ms, INT64_C(315360000000));
    assert_true(dream_retry_after_parse("Sun, 06 Nov 1994 08:49:37 GMT", INT64_MAX, &ms));
    assert_int_equal(ms, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks__are_sane),
        cmocka_unit_test(test_day__knows_leap_years_and_centuries),
        cmocka_unit_test(test_day__shows_days_before_1970_and_clamps_the_rest),
        cmocka_unit_test(test_day__agrees_with_the_c_library_every_day),
        cmocka_unit_test(test_day_of_ms__rounds_down_and_stays_in_range),
        cmocka_unit_test(test_day_parse__takes_a_day_or_a_time_and_nothing_else),
        cmocka_unit_test(test_texts__show_one_moment_in_each_form),
        cmocka_unit_test(test_texts__clamp_times_that_have_no_text),
        cmocka_unit_test(test_http_date__names_every_weekday_and_month),
        cmocka_unit_test(test_iso_parse__takes_fractions_and_offsets),
        cmocka_unit_test(test_iso_parse__refuses_what_is_no_moment),
        cmocka_unit_test(test_http_date_parse__takes_all_three_forms),
        cmocka_unit_test(test_http_date_parse__refuses_other_forms),
        cmocka_unit_test(test_retry_after__takes_seconds_and_dates),
        cmocka_unit_test(test_retry_after__refuses_what_says_nothing),
        cmocka_unit_test(test_retry_after__copes_with_any_clock),
    };

    return cmocka_run_group_tests_name("timefmt", tests, NULL, NULL);
}
