/* SPDX-License-Identifier: Apache-2.0 */
/* test_encoding.c - RFC 4648 vectors both ways, and what the decoders refuse. */
#include "common/encoding.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void test_hex__encodes_in_lower_case(void **state)
{
    static const unsigned char bytes[] = { 0x00, 0x01, 0x7f, 0x80, 0xab, 0xff };
    char out[13];

    (void)state;
    dream_hex_encode(bytes, sizeof(bytes), out);
    assert_string_equal(out, "00017f80abff");
    dream_hex_encode(bytes, 0, out);
    assert_string_equal(out, "");
}

static void test_hex__decodes_either_case(void **state)
{
    static const unsigned char expected[] = { 0x00, 0xab, 0xCD, 0xef };
    unsigned char out[4];

    (void)state;
    assert_true(dream_hex_decode("00abCDeF", 8, out, 4));
    assert_memory_equal(out, expected, 4);
    assert_true(dream_hex_decode("", 0, out, 0));
}

static void test_hex__refuses_what_does_not_fit_exactly(void **state)
{
    static const char *const bad[] = { "0", "000", "0g", "g0", "0 ", "0x", "-1", "+1", "\xc3\xa9" };
    unsigned char out[4];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++)
        assert_false(dream_hex_decode(bad[i], strlen(bad[i]), out, strlen(bad[i]) / 2));
    assert_false(dream_hex_decode("0000", 4, out, 1));
    assert_false(dream_hex_decode("0000", 4, out, 3));
    assert_false(dream_hex_decode("", 0, out, 1));
}

static const struct {
    const char *plain, *base64, *base64url;
} vectors[] = {
    { "", "", "" },
    { "f", "Zg==", "Zg" },
    { "fo", "Zm8=", "Zm8" },
    { "foo", "Zm9v", "Zm9v" },
    { "foob", "Zm9vYg==", "Zm9vYg" },
    { "fooba", "Zm9vYmE=", "Zm9vYmE" },
    { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    { "\xfb\xff\xbf", "+/+/", "-_-_" },
    { "\xff", "/w==", "_w" },
};

static void test_base64__encodes_the_vectors(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(vectors); i++) {
        dream_buffer padded = DREAM_BUFFER_INIT, url = DREAM_BUFFER_INIT;

        dream_base64_encode(&padded, vectors[i].plain, strlen(vectors[i].plain));
        dream_base64url_encode(&url, vectors[i].plain, strlen(vectors[i].plain));
        assert_string_equal(dream_buffer_str(&padded), vectors[i].base64);
        assert_string_equal(dream_buffer_str(&url), vectors[i].base64url);
        dream_buffer_clear(&padded);
        dream_buffer_clear(&url);
    }
}

static void test_base64__decodes_the_vectors(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(vectors); i++) {
        dream_buffer padded = DREAM_BUFFER_INIT, url = DREAM_BUFFER_INIT;

        assert_true(dream_base64_decode(&padded, vectors[i].base64, strlen(vectors[i].base64)));
        assert_true(dream_base64url_decode(&url, vectors[i].base64url, strlen(vectors[i].base64url)));
        assert_string_equal(dream_buffer_str(&padded), vectors[i].plain);
        assert_string_equal(dream_buffer_str(&url), vectors[i].plain);
        dream_buffer_clear(&padded);
        dream_buffer_clear(&url);
    }
}

static void test_base64__every_byte_survives_both_ways(void **state)
{
    unsigned char bytes[256 + 2];
    size_t size, i;

    (void)state;
    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 167 + 13);
    for (size = sizeof(bytes) - 4; size <= sizeof(bytes); size++) {
        dream_buffer text = DREAM_BUFFER_INIT, back = DREAM_BUFFER_INIT;

        dream_base64url_encode(&text, bytes, size);
        assert_true(dream_base64url_decode(&back, text.data, text.size));
        assert_int_equal(back.size, size);
        assert_memory_equal(back.data, bytes, size);
        dream_buffer_clear(&text);
        dream_buffer_clear(&back);
    }
}

static void test_base64__refuses_anything_but_the_one_spelling(void **state)
{
    static const char *const bad[] = { "Z",    "Zg",   "Zg=",   "Zg===",    "Z===",     "====",
                                       "=",    "Zm8",  "Zm9v=", "Zm9v====", "Zh==",     "Zm9=",
                                       "Zm-v", "Zm_v", "Zm 9",  "Zm9\n",    "Zg==Zg==", "Z=g=" };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        dream_buffer out = DREAM_BUFFER_INIT;

        if (dream_base64_decode(&out, bad[i], strlen(bad[i])))
            fail_msg("accepted %s", bad[i]);
        dream_buffer_clear(&out);
    }
}

static void test_base64url__refuses_anything_but_the_one_spelling(void **state)
{
    static const char *const bad[] = { "Z",    "Zg==", "Zm8=", "Zh",   "Zm9",     "Zm9vY",
                                       "Zm+v", "Zm/v", "Zm 9", "Zm.v", "\xc3\xa9" };
    dream_buffer out = DREAM_BUFFER_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        if (dream_base64url_decode(&out, bad[i], strlen(bad[i])))
            fail_msg("accepted %s", bad[i]);
        dream_buffer_clear(&out);
    }
    /* A NUL inside the given size is a bad character too. */
    assert_false(dream_base64url_decode(&out, "Zm\0v", 4));
    dream_buffer_clear(&out);
}

static void test_base64__reports_a_buffer_that_failed(void **state)
{
    dream_buffer out = DREAM_BUFFER_INIT;

    (void)state;
    out.limit = 2;
    assert_false(dream_base64_decode(&out, "Zm9v", 4));
    assert_true(out.is_failed);
    dream_buffer_clear(&out);
}

static void test_percent__keeps_only_unreserved_characters(void **state)
{
    dream_buffer out = DREAM_BUFFER_INIT;

    (void)state;
    dream_percent_encode(&out, "AZaz09-._~ +&=/?%\xc3\xa9\n", 20);
    assert_string_equal(dream_buffer_str(&out), "AZaz09-._~%20%2B%26%3D%2F%3F%25%C3%A9%0A");
    dream_buffer_clear(&out);
}

static void test_percent__decodes_with_and_without_form_rules(void **state)
{
    dream_buffer form = DREAM_BUFFER_INIT, plain = DREAM_BUFFER_INIT;

    (void)state;
    assert_true(dream_percent_decode(&form, "a+b%2Bc%2f%c3%A9", 16, true));
    assert_string_equal(dream_buffer_str(&form), "a b+c/\xc3\xa9");
    assert_true(dream_percent_decode(&plain, "a+b%2Bc", 7, false));
    assert_string_equal(dream_buffer_str(&plain), "a+b+c");
    dream_buffer_clear(&form);
    dream_buffer_clear(&plain);
}

static void test_percent__refuses_bad_escapes_and_nul(void **state)
{
    static const char *const bad[] = { "%", "a%", "%4", "%g0", "%0g", "%%41", "%00", "a%00b", "% 1" };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        dream_buffer out = DREAM_BUFFER_INIT;

        if (dream_percent_decode(&out, bad[i], strlen(bad[i]), true))
            fail_msg("accepted %s", bad[i]);
        dream_buffer_clear(&out);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex__encodes_in_lower_case),
        cmocka_unit_test(test_hex__decodes_either_case),
        cmocka_unit_test(test_hex__refuses_what_does_not_fit_exactly),
        cmocka_unit_test(test_base64__encodes_the_vectors),
        cmocka_unit_test(test_base64__decodes_the_vectors),
        cmocka_unit_test(test_base64__every_byte_survives_both_ways),
        cmocka_unit_test(test_base64__refuses_anything_but_the_one_spelling),
        cmocka_unit_test(test_base64url__refuses_anything_but_the_one_spelling),
        cmocka_unit_test(test_base64__reports_a_buffer_that_failed),
        cmocka_unit_test(test_percent__keeps_only_unreserved_characters),
        cmocka_unit_test(test_percent__decodes_with_and_without_form_rules),
        cmocka_unit_test(test_percent__refuses_bad_escapes_and_nul),
    };

    return cmocka_run_group_tests_name("encoding", tests, NULL, NULL);
}
