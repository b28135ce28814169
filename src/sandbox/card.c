/* SPDX-License-Identifier: Apache-2.0 */
/* card.c - card.h. The numbers are Stripe's published test numbers. */
#include "sandbox/card.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

enum { MIN_DIGITS = 12, MAX_DIGITS = 19, MAX_YEARS_AHEAD = 50 };

static const char declined[] = "Your card was declined.";
const char sandbox_card_unconfirmed[] =
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.";

enum outcome { PAYS, IS_DECLINED, WANTS_CONFIRMATION, FAILS_LATER };

static const struct {
    const char *number;
    enum outcome outcome;
    const char *decline;
} test_cards[] = {
    { "4242424242424242", PAYS, NULL },
    { "4000056655665556", PAYS, NULL }, /* Visa, debit */
    { "5555555555554444", PAYS, NULL }, /* Mastercard */
    { "2223003122003222", PAYS, NULL },
    { "5200828282828210", PAYS, NULL },
    { "5105105105105100", PAYS, NULL },
    { "378282246310005", PAYS, NULL }, /* American Express */
    { "371449635398431", PAYS, NULL },
    { "6011111111111117", PAYS, NULL }, /* Discover */
    { "6011000990139424", PAYS, NULL },
    { "3056930009020004", PAYS, NULL }, /* Diners Club */
    { "3566002020360505", PAYS, NULL }, /* JCB */
    { "6200000000000005", PAYS, NULL }, /* UnionPay */
    { "4000002500003155", WANTS_CONFIRMATION, NULL },
    { "4000002760003184", WANTS_CONFIRMATION, NULL },
    { "4000000000000341", FAILS_LATER, NULL },
    { "4000000000000002", IS_DECLINED, declined },
    { "4000000000009995", IS_DECLINED, "Your card has insufficient funds. Try a different card." },
    { "4000000000009987", IS_DECLINED, declined }, /* lost */
    { "4000000000009979", IS_DECLINED, declined }, /* stolen */
    { "4000000000000069", IS_DECLINED, "Your card has expired. Try a different card." },
    { "4000000000000127", IS_DECLINED, "Your card's security code is incorrect." },
    { "4000000000000119", IS_DECLINED, "An error occurred while processing your card. Try again in a little bit." },
};

static const struct {
    const char *number;
    bool fails_later;
} test_accounts[] = {
    { "000123456789", false }, { "000222222227", true }, /* insufficient funds */
};

/* The digits of a number typed with blanks or hyphens; false if there is anything else in it. */
static bool read_digits(const char *text, char out[MAX_DIGITS + 1])
{
    size_t count = 0;
    for (; *text; text++) {
        if (*text == ' ' || *text == '-')
            continue;
        if (!isdigit((unsigned char)*text) || count == MAX_DIGITS)
            return false;
        out[count++] = *text;
    }
    out[count] = '\0';
    return count >= MIN_DIGITS;
}

/* ISO/IEC 7812-1, annex B. */
static bool passes_luhn(const char *digits)
{
    int sum = 0;
    size_t size = strlen(digits);
    for (size_t i = 0; i < size; i++) {
        int digit = digits[size - 1 - i] - '0';
        if (i % 2 == 1)
            digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
        sum += digit;
    }
    return sum % 10 == 0;
}

static const char *check_number(const char *text, char digits[MAX_DIGITS + 1])
{
    if (!text || !*text)
        return "Enter a card number.";
    if (!read_digits(text, digits) || !passes_luhn(digits))
        return "Your card number is invalid.";
    return NULL;
}

/* "12/34", "12 / 2034", "1234". */
static bool read_expiry(const char *text, int *month, int *year)
{
    char digits[7];
    size_t count = 0;
    for (; *text; text++) {
        if (*text == ' ')
            continue;
        if (*text == '/' || *text == '-') {
            if (count == 1) { /* "1/34" */
                digits[1] = digits[0];
                digits[0] = '0';
                count = 2;
            } else if (count != 2) {
                return false;
            }
            continue;
        }
        if (!isdigit((unsigned char)*text) || count == 6)
            return false;
        digits[count++] = *text;
    }
    if (count != 4 && count != 6)
        return false;
    *month = (digits[0] - '0') * 10 + digits[1] - '0';
    *year = 0;
    for (size_t i = 2; i < count; i++)
        *year = *year * 10 + digits[i] - '0';
    if (count == 4)
        *year += 2000;
    return *month >= 1 && *month <= 12;
}

static const char *check_expiry(const char *text, int64_t now_s)
{
    int month, year;
    struct tm today;
    time_t now = (time_t)now_s;
    if (!text || !*text)
        return "Enter the expiration date.";
    if (!read_expiry(text, &month, &year) || !gmtime_r(&now, &today))
        return "Your card's expiration date is invalid. Write it as MM / YY.";
    int this_year = today.tm_year + 1900;
    if (year < this_year || (year == this_year && month < today.tm_mon + 1))
        return "Your card's expiration date is in the past.";
    if (year > this_year + MAX_YEARS_AHEAD)
        return "Your card's expiration year is invalid.";
    return NULL;
}

/* American Express prints four digits on the front, everyone else three on the back. */
static bool is_amex(const char *digits)
{
    return strncmp(digits, "34", 2) == 0 || strncmp(digits, "37", 2) == 0;
}

static const char *check_code(const char *text, const char *digits)
{
    size_t size = is_amex(digits) ? 4 : 3;
    if (!text || !*text)
        return "Enter the security code.";
    if (strlen(text) != size || text[strspn(text, "0123456789")])
        return size == 4 ? "Your card's security code has four digits." : "Your card's security code has three digits.";
    return NULL;
}

static void ask_bank(sandbox_card_check *check, const char *digits)
{
    for (size_t i = 0; i < sizeof test_cards / sizeof *test_cards; i++) {
        if (strcmp(digits, test_cards[i].number) != 0)
            continue;
        check->decline = test_cards[i].decline;
        check->is_confirmed_by_holder = test_cards[i].outcome == WANTS_CONFIRMATION;
        check->fails_later = test_cards[i].outcome == FAILS_LATER;
        return;
    }
    check->decline =
        "Your card was declined. This is a sandbox: use the test card 4242 4242 4242 4242, never a real one.";
}

static bool is_account(const char *number, sandbox_card_check *out)
{
    char digits[MAX_DIGITS + 1] = "";
    bool is_number = number && read_digits(number, digits);
    for (size_t i = 0; is_number && i < sizeof test_accounts / sizeof *test_accounts; i++) {
        if (strcmp(digits, test_accounts[i].number) != 0)
            continue;
        *out = (sandbox_card_check){ .is_debit = true, .fails_later = test_accounts[i].fails_later };
        return true;
    }
    return false;
}

sandbox_card_check sandbox_card(const char *number, const char *expiry, const char *code, int64_t now_s)
{
    char digits[MAX_DIGITS + 1] = "";
    sandbox_card_check account;
    if (is_account(number, &account))
        return account;
    sandbox_card_check check = { .number = check_number(number, digits), .expiry = check_expiry(expiry, now_s) };
    check.code = check_code(code, digits); /* how long it is depends on the number */
    if (!check.number && !check.expiry && !check.code)
        ask_bank(&check, digits);
    return check;
}
