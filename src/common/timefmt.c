/* SPDX-License-Identifier: Apache-2.0 */
/* timefmt.c - clocks, and dates as texts. The calendar is computed here rather
 * than by the C library, whose functions depend on locale and time zone and are
 * not all thread-safe. Texts show years 0 to 9999 (times outside are shown as the
 * nearest of them); parsers take 1970 to 9999. No state, any thread. */
#include "common/timefmt.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#define MS_PER_S INT64_C(1000)
#define S_PER_DAY INT64_C(86400)
#define MS_PER_DAY (S_PER_DAY * MS_PER_S)

/* Days from 1970-01-01 to 0000-01-01 and to 9999-12-31. */
#define FIRST_DAY INT64_C(-719528)
#define LAST_DAY INT64_C(2932896)

/* A server that says "come back in a century" means "do not"; ten years keep sums within range. */
#define RETRY_AFTER_MAX_S (INT64_C(3650) * S_PER_DAY)

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char *const day_names[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

struct civil {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second, ms;
};

/* ---- clocks ---- */

static int64_t clock_ms(clockid_t id)
{
    struct timespec now;

    /* Cannot fail: both clocks exist and the address is good. */
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / 1000000;
}

int64_t dream_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t dream_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

/* ---- the calendar ---- */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days before the 1st of January of `year` (0 to 9999), counted from year 0. Year 0 is a leap year. */
static int64_t days_before_year(int year)
{
    int last = year - 1;

    return year == 0 ? 0 : (int64_t)year * 365 + 1 + last / 4 - last / 100 + last / 400;
}

static int64_t day_of_civil(const struct civil *civil)
{
    int64_t day = FIRST_DAY + days_before_year(civil->year) + civil->day - 1;
    int month;

    for (month = 1; month < civil->month; month++)
        day += month_days(civil->year, month);
    return day;
}

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0 ? 1 : 0);
}

static int64_t clamp(int64_t value, int64_t lowest, int64_t highest)
{
    if (value < lowest)
        return lowest;
    return value > highest ? highest : value;
}

static struct civil civil_of_day(int64_t day)
{
    struct civil civil = { 0, 1, 1, 0, 0, 0, 0 };
    int64_t left = clamp(day, FIRST_DAY, LAST_DAY) - FIRST_DAY;

    /* 400 years hold 146097 days; the guess is at most one year early. */
    civil.year = (int)(left * 400 / 146097);
    if (civil.year < 9999 && days_before_year(civil.year + 1) <= left)
        civil.year++;
    if (days_before_year(civil.year) > left)
        civil.year--;
    left -= days_before_year(civil.year);
    for (; left >= month_days(civil.year, civil.month); civil.month++)
        left -= month_days(civil.year, civil.month);
    civil.day = (int)left + 1;
    return civil;
}

static struct civil civil_of_ms(int64_t wall_ms)
{
    int64_t ms = clamp(wall_ms, FIRST_DAY * MS_PER_DAY, (LAST_DAY + 1) * MS_PER_DAY - 1);
    int64_t day = floor_div(ms, MS_PER_DAY);
    struct civil civil = civil_of_day(day);

    ms -= day * MS_PER_DAY;
    civil.ms = (int)(ms % 1000);
    civil.second = (int)(ms / MS_PER_S % 60);
    civil.minute = (int)(ms / (60 * MS_PER_S) % 60);
    civil.hour = (int)(ms / (3600 * MS_PER_S));
    return civil;
}

/* Checks every field; second 60 is a leap second and counts as the next minute's first. */
static bool ms_of_civil(const struct civil *civil, int64_t *out_ms)
{
    if (civil->year < 1970 || civil->year > 9999 || civil->month < 1 || civil->month > 12 || civil->day < 1)
        return false;
    if (civil->day > month_days(civil->year, civil->month))
        return false;
    if (civil->hour > 23 || civil->minute > 59 || civil->second > 60)
        return false;
    *out_ms = day_of_civil(civil) * MS_PER_DAY
              + ((civil->hour * INT64_C(60) + civil->minute) * 60 + civil->second) * MS_PER_S + civil->ms;
    return true;
}

static bool is_in_range(int64_t ms)
{
    return ms >= 0 && ms < (LAST_DAY + 1) * MS_PER_DAY;
}

/* ---- writing ---- */

static char *put_number(char *out, int value, int width)
{
    int i;

    for (i = width - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + width;
}

static char *put_text(char *out, const char *text, size_t size)
{
    memcpy(out, text, size);
    return out + size;
}

static char *put_date(char *out, const struct civil *civil)
{
    out = put_number(out, civil->year, 4);
    *out++ = '-';
    out = put_number(out, civil->month, 2);
    *out++ = '-';
    return put_number(out, civil->day, 2);
}

static char *put_time(char *out, const struct civil *civil)
{
    out = put_number(out, civil->hour, 2);
    *out++ = ':';
    out = put_number(out, civil->minute, 2);
    *out++ = ':';
    return put_number(out, civil->second, 2);
}

int32_t dream_day_of_ms(int64_t wall_ms)
{
    return (int32_t)clamp(floor_div(wall_ms, MS_PER_DAY), INT32_MIN, INT32_MAX);
}

void dream_day_text(int32_t day, char out[11])
{
    struct civil civil = civil_of_day(day);

    *put_date(out, &civil) = '\0';
}

void dream_iso_text(int64_t wall_ms, char out[25])
{
    struct civil civil = civil_of_ms(wall_ms);

    out = put_date(out, &civil);
    *out++ = 'T';
    out = put_time(out, &civil);
    *out++ = '.';
    out = put_number(out, civil.ms, 3);
    *out++ = 'Z';
    *out = '\0';
}

void dream_utc_text(int64_t wall_ms, char out[20])
{
    struct civil civil = civil_of_ms(wall_ms);

    out = put_date(out, &civil);
    *out++ = ' ';
    *put_time(out, &civil) = '\0';
}

void dream_http_date_text(int64_t wall_ms, char out[30])
{
    struct civil civil = civil_of_ms(wall_ms);
    /* 1970-01-01 was a Thursday; the sum is kept positive. */
    int64_t weekday = (day_of_civil(&civil) - FIRST_DAY + 6) % 7;

    out = put_text(out, day_names[weekday], 3);
    out = put_text(out, ", ", 2);
    out = put_number(out, civil.day, 2);
    *out++ = ' ';
    out = put_text(out, month_names + (ptrdiff_t)3 * (civil.month - 1), 3);
    *out++ = ' ';
    out = put_number(out, civil.year, 4);
    *out++ = ' ';
    out = put_time(out, &civil);
    memcpy(out, " GMT", 5);
}

/* ---- reading; each helper moves `at` only when it returns true ---- */

static bool take_text(const char **at, const char *text)
{
    size_t size = strlen(text);

    if (strncmp(*at, text, size) != 0)
        return false;
    *at += size;
    return true;
}

static bool take_number(const char **at, int width, int *out)
{
    int value = 0;
    int i;

    for (i = 0; i < width; i++) {
        if ((*at)[i] < '0' || (*at)[i] > '9')
            return false;
        value = value * 10 + (*at)[i] - '0';
    }
    *at += width;
    *out = value;
    return true;
}

static bool take_date(const char **at, struct civil *civil)
{
    return take_number(at, 4, &civil->year) && take_text(at, "-") && take_number(at, 2, &civil->month)
           && take_text(at, "-") && take_number(at, 2, &civil->day);
}

static bool take_time(const char **at, struct civil *civil)
{
    return take_number(at, 2, &civil->hour) && take_text(at, ":") && take_number(at, 2, &civil->minute)
           && take_text(at, ":") && take_number(at, 2, &civil->second);
}

/* Up to nine digits after the point; what is finer than a millisecond is cut off. */
static bool take_fraction(const char **at, int *out_ms)
{
    int scale = 100;
    int digit, count;

    *out_ms = 0;
    if (!take_text(at, "."))
        return true;
    for (count = 0; count < 9 && take_number(at, 1, &digit); count++, scale /= 10)
        *out_ms += digit * scale;
    return count > 0;
}

/* "Z" or "+HH:MM"; `out_minutes` is how far local time is ahead of UTC. */
static bool take_zone(const char **at, int *out_minutes)
{
    int hours, minutes;
    int sign = 1;

    *out_minutes = 0;
    if (take_text(at, "Z"))
        return true;
    if (take_text(at, "-"))
        sign = -1;
    else if (!take_text(at, "+"))
        return false;
    if (!take_number(at, 2, &hours) || !take_text(at, ":") || !take_number(at, 2, &minutes))
        return false;
    *out_minutes = sign * (hours * 60 + minutes);
    return hours <= 23 && minutes <= 59;
}

static bool take_month(const char **at, int *out)
{
    for (*out = 1; *out <= 12; ++*out) {
        if (strncmp(*at, month_names + (ptrdiff_t)3 * (*out - 1), 3) == 0) {
            *at += 3;
            return true;
        }
    }
    return false;
}

/* The whole name, or its first three letters. Whether the name fits the date is not asked: nothing depends on it. */
static bool take_weekday(const char **at, bool *out_is_long)
{
    size_t i;

    for (i = 0; i < 7; i++) {
        *out_is_long = take_text(at, day_names[i]);
        if (*out_is_long)
            return true;
        if (strncmp(*at, day_names[i], 3) == 0) {
            *at += 3;
            return true;
        }
    }
    return false;
}

bool dream_day_parse(const char *text, int32_t *out_day)
{
    struct civil civil = { 0, 0, 0, 0, 0, 0, 0 };
    const char *at = text;
    int64_t ms;

    if (text == NULL || !take_date(&at, &civil) || (*at != '\0' && *at != 'T') || !ms_of_civil(&civil, &ms))
        return false;
    *out_day = (int32_t)(ms / MS_PER_DAY);
    return true;
}

bool dream_iso_parse(const char *text, int64_t *out_wall_ms)
{
    struct civil civil = { 0, 0, 0, 0, 0, 0, 0 };
    const char *at = text;
    int ahead_minutes;
    int64_t ms;

    if (text == NULL || !take_date(&at, &civil) || !take_text(&at, "T") || !take_time(&at, &civil))
        return false;
    if (!take_fraction(&at, &civil.ms) || !take_zone(&at, &ahead_minutes) || *at != '\0')
        return false;
    if (!ms_of_civil(&civil, &ms))
        return false;
    ms -= ahead_minutes * 60 * MS_PER_S;
    if (!is_in_range(ms))
        return false;
    *out_wall_ms = ms;
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", after the weekday. */
static bool take_imf(const char **at, struct civil *civil)
{
    return take_text(at, ", ") && take_number(at, 2, &civil->day) && take_text(at, " ") && take_month(at, &civil->month)
           && take_text(at, " ") && take_number(at, 4, &civil->year) && take_text(at, " ") && take_time(at, civil)
           && take_text(at, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT", after the weekday. No date before 1970 is meant, so 70 to 99 are this past century. */
static bool take_rfc850(const char **at, struct civil *civil)
{
    if (!take_text(at, ", ") || !take_number(at, 2, &civil->day) || !take_text(at, "-")
        || !take_month(at, &civil->month) || !take_text(at, "-") || !take_number(at, 2, &civil->year))
        return false;
    civil->year += civil->year >= 70 ? 1900 : 2000;
    return take_text(at, " ") && take_time(at, civil) && take_text(at, " GMT");
}

/* "Sun Nov  6 08:49:37 1994", after the weekday. */
static bool take_asctime(const char **at, struct civil *civil)
{
    if (!take_text(at, " ") || !take_month(at, &civil->month) || !take_text(at, " "))
        return false;
    if (!take_number(at, take_text(at, " ") ? 1 : 2, &civil->day))
        return false;
    return take_text(at, " ") && take_time(at, civil) && take_text(at, " ") && take_number(at, 4, &civil->year);
}

bool dream_http_date_parse(const char *text, int64_t *out_wall_ms)
{
    struct civil civil = { 0, 0, 0, 0, 0, 0, 0 };
    const char *at = text;
    bool is_long, is_read;
    int64_t ms;

    if (text == NULL || !take_weekday(&at, &is_long))
        return false;
    if (is_long)
        is_read = take_rfc850(&at, &civil);
    else
        is_read = *at == ',' ? take_imf(&at, &civil) : take_asctime(&at, &civil);
    if (!is_read || *at != '\0' || !ms_of_civil(&civil, &ms) || !is_in_range(ms))
        return false;
    *out_wall_ms = ms;
    return true;
}

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

/* Digits only, to the end; a huge number stops at the cap. */
static bool parse_seconds(const char *at, int64_t *out_s)
{
    int64_t seconds = 0;
    int digit;

    if (*at == '\0')
        return false;
    while (take_number(&at, 1, &digit)) {
        seconds = seconds * 10 + digit;
        if (seconds > RETRY_AFTER_MAX_S)
            seconds = RETRY_AFTER_MAX_S;
    }
    *out_s = seconds;
    return *skip_space(at) == '\0';
}

bool dream_retry_after_parse(const char *text, int64_t now_wall_ms, int64_t *out_ms)
{
    char date[40]; /* the longest form has 33 characters */
    int64_t value;
    size_t size;

    if (text == NULL)
        return false;
    text = skip_space(text);
    if (parse_seconds(text, &value)) {
        *out_ms = value * MS_PER_S;
        return true;
    }
    size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    if (size >= sizeof(date))
        return false;
    memcpy(date, text, size);
    date[size] = '\0';
    if (!dream_http_date_parse(date, &value))
        return false;
    /* `now` is clamped to the range of dates, so that the difference cannot overflow. */
    *out_ms = clamp(value - clamp(now_wall_ms, 0, (LAST_DAY + 1) * MS_PER_DAY), 0, RETRY_AFTER_MAX_S * MS_PER_S);
    return true;
}
