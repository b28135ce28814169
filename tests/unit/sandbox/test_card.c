/* SPDX-License-Identifier: Apache-2.0 */
/* test_card.c - what a typed card is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/card.h"

/* 2026-11-23, 12:00 UTC */
#define NOW_S INT64_C(1795435200)

static const char good[] = "4242424242424242";

static void test_card__test_card_pays_however_it_is_typed(void **state)
{
    (void)state;
    static const char *const numbers[] = { "4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242",
                                           " 42424242 42424242 " };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sandbox_card_check check = sandbox_card(numbers[i], "12/40", "123", NOW_S);
        assert_true(!check.number && !check.expiry && !check.code && !check.decline);
    }
}

static void test_card__number_must_be_one(void **state)
{
    (void)state;
    static const char *const numbers[] = { NULL,
                                           "",
                                           " ",
                                           "4242",
                                           "4242424242424241",
                                           "42424242424242424242",
                                           "4242x4242y4242z4242",
                                           "0x4242424242424242",
                                           "424242424242424\xc2\xb2" };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sandbox_card_check check = sandbox_card(numbers[i], "12/40", "123", NOW_S);
        assert_non_null(check.number);
        assert_null(check.decline); /* the bank is not asked */
    }
}

static const struct {
    const char *number;
    const char *said; /* a part of it */
} declines[] = {
    { "4000000000000002", "was declined" },         { "4000 0000 0000 9995", "insufficient funds" },
    { "4000000000009987", "was declined" },         { "4000000000009979", "was declined" },
    { "4000000000000069", "has expired" },          { "4000000000000127", "security code is incorrect" },
    { "4000000000000119", "processing your card" }, { "4111111111111111", "This is a sandbox" },
    { "5555555555554451", "This is a sandbox" },
};

static void test_card__declining_cards_say_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof declines / sizeof *declines; i++) {
        sandbox_card_check check = sandbox_card(declines[i].number, "12/40", "123", NOW_S);
        assert_null(check.number);
        assert_non_null(check.decline);
        assert_non_null(strstr(check.decline, declines[i].said));
        assert_false(check.is_confirmed_by_holder || check.fails_later);
    }
}

static void test_card__every_brand_pays_with_a_code_of_its_length(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        const char *code;
        const char *wrong_code;
    } brands[] = { { "4242424242424242", "123", "1234" },  { "5555555555554444", "123", "1234" },
                   { "2223003122003222", "123", "12" },    { "378282246310005", "1234", "123" },
                   { "371449635398431", "1234", "12345" }, { "6011111111111117", "123", "1234" },
                   { "3056930009020004", "123", "1234" },  { "3566002020360505", "123", "1234" },
                   { "6200000000000005", "123", "1234" },  { "4000056655665556", "123", "" },
                   { "3782 822463 10005", "0000", "000a" } };
    for (size_t i = 0; i < sizeof brands / sizeof *brands; i++) {
        sandbox_card_check check = sandbox_card(brands[i].number, "12/40", brands[i].code, NOW_S);
        assert_true(!check.number && !check.expiry && !check.code && !check.decline);
        assert_false(check.is_confirmed_by_holder || check.fails_later);
        assert_non_null(sandbox_card(brands[i].number, "12/40", brands[i].wrong_code, NOW_S).code);
    }
}

static void test_card__some_cards_pay_later_or_not_at_all(void **state)
{
    (void)state;
    sandbox_card_check secure = sandbox_card("4000002500003155", "12/40", "123", NOW_S);
    sandbox_card_check empty = sandbox_card("4000000000000341", "12/40", "123", NOW_S);
    assert_true(!secure.decline && secure.is_confirmed_by_holder && !secure.fails_later);
    assert_true(!empty.decline && !empty.is_confirmed_by_holder && empty.fails_later);
}

static void test_card__a_bank_account_needs_neither_expiry_nor_code(void **state)
{
    (void)state;
    sandbox_card_check full = sandbox_card("000 123 456 789", NULL, "", NOW_S);
    sandbox_card_check empty = sandbox_card("000222222227", "", NULL, NOW_S);
    assert_true(full.is_debit && !full.fails_later && !full.number && !full.expiry && !full.code && !full.decline);
    assert_true(empty.is_debit && empty.fails_later && !empty.number && !empty.expiry && !empty.code && !empty.decline);
    assert_non_null(sandbox_card("000123456780", "12/40", "123", NOW_S).number);
}

static const struct {
    const char *expiry;
    bool is_good;
} expiries[] = {
    { "11/26", true },  { "11 / 26", true }, { "1126", true },      { "11/2026", true }, { "1/27", true },
    { "01-27", true },  { "12/76", true },   { "10/26", false },    { "12/25", false },  { "13/30", false },
    { "00/30", false }, { "", false },       { "1", false },        { "12", false },     { "12/", false },
    { "12/3", false },  { "12/345", false }, { "12/20300", false }, { "/1230", false },  { "12/3/0", false },
    { "ab/cd", false }, { "12/77", false },  { "12/9999", false },  { NULL, false },
};

static void test_card__expiry_is_this_month_or_later(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expiries / sizeof *expiries; i++) {
        sandbox_card_check check = sandbox_card(good, expiries[i].expiry, "123", NOW_S);
        if ((check.expiry == NULL) != expiries[i].is_good)
            print_error("wrong about %s\n", expiries[i].expiry ? expiries[i].expiry : "NULL");
        assert_int_equal(check.expiry == NULL, expiries[i].is_good);
    }
}

static void test_card__code_has_three_digits(void **state)
{
    (void)state;
    static const char *const codes[] = { NULL, "", "1", "12", "1234", "12a", "   ", "-12" };
    assert_null(sandbox_card(good, "12/40", "000", NOW_S).code);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_non_null(sandbox_card(good, "12/40", codes[i], NOW_S).code);
}

static void test_card__all_that_is_wrong_is_told_at_once(void **state)
{
    (void)state;
    sandbox_card_check check = sandbox_card("1", "2", "3", NOW_S);
    assert_true(check.number && check.expiry && check.code && !check.decline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_card__test_card_pays_however_it_is_typed),
        cmocka_unit_test(test_card__number_must_be_one),
        cmocka_unit_test(test_card__declining_cards_say_why),
        cmocka_unit_test(test_card__every_brand_pays_with_a_code_of_its_length),
        cmocka_unit_test(test_card__some_cards_pay_later_or_not_at_all),
        cmocka_unit_test(test_card__a_bank_account_needs_neither_expiry_nor_code),
        cmocka_unit_test(test_card__expiry_is_this_month_or_later),
        cmocka_unit_test(test_card__code_has_three_digits),
        cmocka_unit_test(test_card__all_that_is_wrong_is_told_at_once),
    };
    return cmocka_run_group_tests_name("card", tests, NULL, NULL);
}
