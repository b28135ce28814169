/* SPDX-License-Identifier: Apache-2.0 */
/* test_password.c - kept passwords: checked, salted, never readable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/password.h"

static void test_password__only_the_right_one_matches(void **state)
{
    (void)state;
    char hash[SANDBOX_PASSWORD_HASH_SIZE];
    assert_true(sandbox_password_hash("correct horse", hash));
    assert_null(strstr(hash, "correct"));
    assert_true(sandbox_password_matches("correct horse", hash));
    assert_false(sandbox_password_matches("correct horsf", hash));
    assert_false(sandbox_password_matches("", hash));
}

static void test_password__same_password_is_kept_differently_each_time(void **state)
{
    (void)state;
    char one[SANDBOX_PASSWORD_HASH_SIZE], two[SANDBOX_PASSWORD_HASH_SIZE];
    assert_true(sandbox_password_hash("same", one) && sandbox_password_hash("same", two));
    assert_string_not_equal(one, two);
}

/* Made with Python: hashlib.pbkdf2_hmac("sha256", b"password", bytes(range(16)), 3). */
static void test_password__is_the_published_algorithm(void **state)
{
    (void)state;
    assert_true(sandbox_password_matches("password",
                                         "pbkdf2_sha256$3$000102030405060708090a0b0c0d0e0f$"
                                         "83f02df76177f087db0920644015f81c83c4e71c6ca94cb3af794eee3706630f"));
}

static void test_password__damaged_hash_matches_nothing(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "",
        "pbkdf2_sha256$",
        "pbkdf2_sha256$3",
        "pbkdf2_sha256$0$000102030405060708090a0b0c0d0e0f$"
        "83f02df76177f087db0920644015f81c83c4e71c6ca94cb3af794eee3706630f",
        "pbkdf2_sha256$3$000102030405060708090a0b0c0d0e0f$",
        "pbkdf2_sha256$3$0g0102030405060708090a0b0c0d0e0f$"
        "83f02df76177f087db0920644015f81c83c4e71c6ca94cb3af794eee3706630f",
        "bcrypt$3$000102030405060708090a0b0c0d0e0f$83f02df76177f087db0920644015f81c83c4e71c6ca94cb3af794eee3706630f",
        "pbkdf2_sha256$99999999999$00$00",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        assert_false(sandbox_password_matches("password", damaged[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_password__only_the_right_one_matches),
        cmocka_unit_test(test_password__same_password_is_kept_differently_each_time),
        cmocka_unit_test(test_password__is_the_published_algorithm),
        cmocka_unit_test(test_password__damaged_hash_matches_nothing),
    };
    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
