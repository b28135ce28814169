/* SPDX-License-Identifier: Apache-2.0 */
/* test_ids.c - UUID layout by RFC 9562's own examples; prefixes and lengths of random ids. */
#include "common/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_uuid4__sets_version_and_variant_only(void **state)
{
    static const unsigned char zeroes[16] = { 0 };
    unsigned char ones[16];
    char out[37];

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    dream_uuid4_text(zeroes, out);
    assert_string_equal(out, "00000000-0000-4000-8000-000000000000");
    dream_uuid4_text(ones, out);
    assert_string_equal(out, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

static void test_uuid4__matches_the_standard_example(void **state)
{
    static const unsigned char random[16] = { 0x91, 0x91, 0x08, 0xf7, 0x52, 0xd1, 0x33, 0x20,
                                              0x5b, 0xac, 0xf8, 0x47, 0xdb, 0x41, 0x48, 0xa8 };
    char out[37];

    (void)state;
    dream_uuid4_text(random, out);
    assert_string_equal(out, "919108f7-52d1-4320-9bac-f847db4148a8");
}

static void test_uuid7__matches_the_standard_example(void **state)
{
    static const unsigned char random[16] = { 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0x0c, 0xc3,
                                              0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f };
    char out[37];

    (void)state;
    dream_uuid7_text(INT64_C(1645557742000), random, out);
    assert_string_equal(out, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void test_uuid7__sorts_by_time(void **state)
{
    static const unsigned char zeroes[16] = { 0 };
    unsigned char ones[16];
    char earlier[37], later[37];

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    dream_uuid7_text(INT64_C(1700000000000), ones, earlier);
    dream_uuid7_text(INT64_C(1700000000001), zeroes, later);
    assert_true(strcmp(earlier, later) < 0);
    dream_uuid7_text(-1, zeroes, earlier);
    assert_string_equal(earlier, "00000000-0000-7000-8000-000000000000");
}

static void test_random_id__is_a_prefix_and_lower_hex(void **state)
{
    char first[4 + 2 * 100 + 1], second[sizeof(first)];

    (void)state;
    memset(first, 'x', sizeof(first));
    assert_true(dream_random_id("cus_", 100, first));
    assert_true(dream_random_id("cus_", 100, second));
    assert_int_equal(strlen(first), sizeof(first) - 1);
    assert_memory_equal(first, "cus_", 4);
    assert_int_equal(strspn(first + 4, "0123456789abcdef"), 200);
    assert_string_not_equal(first, second);
}

static void test_random_id__of_no_bytes_is_the_prefix(void **state)
{
    char out[4];

    (void)state;
    assert_true(dream_random_id("a_", 0, out));
    assert_string_equal(out, "a_");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uuid4__sets_version_and_variant_only),
        cmocka_unit_test(test_uuid4__matches_the_standard_example),
        cmocka_unit_test(test_uuid7__matches_the_standard_example),
        cmocka_unit_test(test_uuid7__sorts_by_time),
        cmocka_unit_test(test_random_id__is_a_prefix_and_lower_hex),
        cmocka_unit_test(test_random_id__of_no_bytes_is_the_prefix),
    };

    return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
