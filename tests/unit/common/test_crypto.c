/* SPDX-License-Identifier: Apache-2.0 */
/* test_crypto.c - published vectors (FIPS 180, RFC 4231, RFC 5869, the GCM paper) and tampering. */
#include "common/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/encoding.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static size_t from_hex(const char *text, unsigned char *out)
{
    size_t size = strlen(text) / 2;

    assert_true(dream_hex_decode(text, strlen(text), out, size));
    return size;
}

static void test_sha256__matches_the_vectors(void **state)
{
    char out[65];

    (void)state;
    assert_true(dream_sha256_hex("", 0, out));
    assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(dream_sha256_hex(NULL, 0, out));
    assert_string_equal(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(dream_sha256_hex("abc", 3, out));
    assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_hmac__matches_rfc_4231(void **state)
{
    static const struct {
        const char *key_hex, *data_hex, *mac_hex;
    } vectors[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
          "dddddddddddddddddddddddddddddddd",
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { "0102030405060708090a0b0c0d0e0f10111213141516171819",
          "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
          "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
          "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    };
    unsigned char key[64], data[64], expected[32], out[32];
    unsigned char long_key[131];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(vectors); i++) {
        size_t key_size = from_hex(vectors[i].key_hex, key);
        size_t size = from_hex(vectors[i].data_hex, data);

        from_hex(vectors[i].mac_hex, expected);
        assert_true(dream_hmac_sha256(key, key_size, data, size, out));
        assert_memory_equal(out, expected, 32);
    }
    /* Test case 6: a key longer than a block is hashed first. */
    memset(long_key, 0xaa, sizeof(long_key));
    from_hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", expected);
    assert_true(dream_hmac_sha256(long_key, sizeof(long_key), "Test Using Larger Than Block-Size Key - Hash Key First",
                                  54, out));
    assert_memory_equal(out, expected, 32);
}

static void test_hmac__takes_empty_inputs(void **state)
{
    unsigned char expected[32], out[32];

    (void)state;
    from_hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", expected);
    assert_true(dream_hmac_sha256(NULL, 0, NULL, 0, out));
    assert_memory_equal(out, expected, 32);
}

static void test_hkdf__matches_rfc_5869(void **state)
{
    unsigned char key[22], salt[13], expected[42], out[42];

    (void)state;
    memset(key, 0x0b, sizeof(key));
    from_hex("000102030405060708090a0b0c", salt);
    from_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", expected);
    assert_true(dream_hkdf_sha256(key, 22, salt, 13, "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9", out, 42));
    assert_memory_equal(out, expected, 42);
    from_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8", expected);
    assert_true(dream_hkdf_sha256(key, 22, NULL, 0, "", out, 42));
    assert_memory_equal(out, expected, 42);
    assert_true(dream_hkdf_sha256(key, 22, NULL, 0, NULL, out, 42));
    assert_memory_equal(out, expected, 42);
}

static void test_hkdf__refuses_more_than_it_can_give(void **state)
{
    static unsigned char out[255 * 32 + 1];

    (void)state;
    assert_true(dream_hkdf_sha256("k", 1, NULL, 0, "i", out, sizeof(out) - 1));
    assert_false(dream_hkdf_sha256("k", 1, NULL, 0, "i", out, sizeof(out)));
}

static void test_aead__opens_a_published_vector(void **state)
{
    static const unsigned char key[32] = { 0 };
    static const unsigned char zeroes[16] = { 0 };
    unsigned char sealed[44], out[16];

    (void)state;
    /* Test case 14: key, nonce and text are zeroes. */
    from_hex("000000000000000000000000cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919", sealed);
    memset(out, 0xee, sizeof(out));
    assert_true(dream_aead_open(key, NULL, 0, sealed, sizeof(sealed), out));
    assert_memory_equal(out, zeroes, 16);
}

static void test_aead__opens_what_it_sealed(void **state)
{
    static const unsigned char key[32] = "0123456789abcdef0123456789abcde";
    unsigned char sealed[5 + DREAM_AEAD_OVERHEAD], again[5 + DREAM_AEAD_OVERHEAD], out[5];

    (void)state;
    assert_true(dream_aead_seal(key, "row 1", 5, "hello", 5, sealed));
    assert_true(dream_aead_seal(key, "row 1", 5, "hello", 5, again));
    assert_memory_not_equal(sealed, again, sizeof(sealed));
    assert_true(dream_aead_open(key, "row 1", 5, sealed, sizeof(sealed), out));
    assert_memory_equal(out, "hello", 5);
    assert_true(dream_aead_seal(key, NULL, 0, NULL, 0, sealed));
    assert_true(dream_aead_open(key, NULL, 0, sealed, DREAM_AEAD_OVERHEAD, out));
}

static void test_aead__refuses_any_change(void **state)
{
    unsigned char key[32] = "0123456789abcdef0123456789abcde";
    unsigned char sealed[5 + DREAM_AEAD_OVERHEAD], out[5];
    size_t i;

    (void)state;
    assert_true(dream_aead_seal(key, "row 1", 5, "hello", 5, sealed));
    for (i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 1;
        assert_false(dream_aead_open(key, "row 1", 5, sealed, sizeof(sealed), out));
        sealed[i] ^= 1;
    }
    assert_false(dream_aead_open(key, "row 2", 5, sealed, sizeof(sealed), out));
    assert_false(dream_aead_open(key, "row 1", 4, sealed, sizeof(sealed), out));
    for (i = 0; i < sizeof(sealed); i++)
        assert_false(dream_aead_open(key, "row 1", 5, sealed, i, out));
    key[31] ^= 1;
    assert_false(dream_aead_open(key, "row 1", 5, sealed, sizeof(sealed), out));
}

static void test_random__fills_all_of_it(void **state)
{
    unsigned char first[300] = { 0 }, second[300] = { 0 };

    (void)state;
    assert_true(dream_random(first, sizeof(first)));
    assert_true(dream_random(second, sizeof(second)));
    assert_memory_not_equal(first, second, sizeof(first));
    /* 44 zero bytes at the end by chance: once in 2^352. */
    assert_memory_not_equal(
        first + 256, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 44);
    assert_true(dream_random(NULL, 0));
}

static void test_equal_secret__compares_all_bytes(void **state)
{
    (void)state;
    assert_true(dream_equal_secret("abc", "abc", 3));
    assert_true(dream_equal_secret("abc", "xyz", 0));
    assert_false(dream_equal_secret("abc", "abd", 3));
    assert_false(dream_equal_secret("abc", "bbc", 3));
    assert_false(dream_equal_secret("a\0c", "a\0d", 3));
}

static void test_equal_secret_text__differs_by_length_and_null(void **state)
{
    (void)state;
    assert_true(dream_equal_secret_text("", ""));
    assert_true(dream_equal_secret_text("abc", "abc"));
    assert_false(dream_equal_secret_text("abc", "abcd"));
    assert_false(dream_equal_secret_text("abcd", "abc"));
    assert_false(dream_equal_secret_text(NULL, "abc"));
    assert_false(dream_equal_secret_text("abc", NULL));
    assert_false(dream_equal_secret_text(NULL, NULL));
}

static void test_wipe__leaves_zeroes(void **state)
{
    static const char zeroes[8] = { 0 };
    char bytes[8] = "secret!";
    char text[8] = "abc\0def";

    (void)state;
    dream_wipe(bytes, sizeof(bytes));
    assert_memory_equal(bytes, zeroes, 8);
    dream_wipe_text(text);
    assert_memory_equal(text, "\0\0\0\0def", 8);
    dream_wipe(NULL, 5);
    dream_wipe_text(NULL);
    dream_free_secret(NULL);
    dream_free_secret(strdup("secret"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256__matches_the_vectors),
        cmocka_unit_test(test_hmac__matches_rfc_4231),
        cmocka_unit_test(test_hmac__takes_empty_inputs),
        cmocka_unit_test(test_hkdf__matches_rfc_5869),
        cmocka_unit_test(test_hkdf__refuses_more_than_it_can_give),
        cmocka_unit_test(test_aead__opens_a_published_vector),
        cmocka_unit_test(test_aead__opens_what_it_sealed),
        cmocka_unit_test(test_aead__refuses_any_change),
        cmocka_unit_test(test_random__fills_all_of_it),
        cmocka_unit_test(test_equal_secret__compares_all_bytes),
        cmocka_unit_test(test_equal_secret_text__differs_by_length_and_null),
        cmocka_unit_test(test_wipe__leaves_zeroes),
    };

    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
