/* SPDX-License-Identifier: Apache-2.0 */
/* test_rsa.c - keys in and out, foreign signatures, tampering, and many threads on one key. */
#include "common/rsa.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/encoding.h"
#include "rsa_vectors.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
    dream_rsa_hash hash;
    const char *signature_hex;
} signatures[] = {
    { DREAM_RSA_SHA256, VECTOR_SHA256 },
    { DREAM_RSA_SHA384, VECTOR_SHA384 },
    { DREAM_RSA_SHA512, VECTOR_SHA512 },
};

static dream_rsa_key *own; /* generated once: that takes most of a second */

static int make_own(void **state)
{
    (void)state;
    own = dream_rsa_generate(2048);
    return own != NULL ? 0 : -1;
}

static int free_own(void **state)
{
    (void)state;
    dream_rsa_free(own);
    return 0;
}

static dream_rsa_key *from_parts(const char *modulus64, const char *exponent64)
{
    dream_buffer modulus = DREAM_BUFFER_INIT, exponent = DREAM_BUFFER_INIT;
    dream_rsa_key *key;

    assert_true(dream_base64url_decode(&modulus, modulus64, strlen(modulus64)));
    assert_true(dream_base64url_decode(&exponent, exponent64, strlen(exponent64)));
    key = dream_rsa_public(dream_buffer_str(&modulus), modulus.size, dream_buffer_str(&exponent), exponent.size);
    dream_buffer_clear(&modulus);
    dream_buffer_clear(&exponent);
    return key;
}

static bool verify_hex(const dream_rsa_key *key, dream_rsa_hash hash, const char *text, const char *hex)
{
    unsigned char signature[256];

    assert_true(dream_hex_decode(hex, strlen(hex), signature, sizeof(signature)));
    return dream_rsa_verify(key, hash, text, strlen(text), signature, sizeof(signature));
}

static void test_rsa__verifies_foreign_signatures_of_each_hash(void **state)
{
    dream_rsa_key *keys[2];
    size_t i, j, k;

    (void)state;
    keys[0] = from_parts(VECTOR_MODULUS, VECTOR_EXPONENT);
    keys[1] = dream_rsa_from_pem(VECTOR_PUBLIC_PEM);
    for (i = 0; i < COUNT(keys); i++) {
        assert_non_null(keys[i]);
        for (j = 0; j < COUNT(signatures); j++) {
            for (k = 0; k < COUNT(signatures); k++)
                assert_int_equal(verify_hex(keys[i], signatures[j].hash, VECTOR_TEXT, signatures[k].signature_hex),
                                 j == k);
        }
        dream_rsa_free(keys[i]);
    }
}

static void test_rsa__refuses_any_change(void **state)
{
    dream_rsa_key *key = from_parts(VECTOR_MODULUS, VECTOR_EXPONENT);
    unsigned char signature[257] = { 0 };
    static const size_t places[] = { 0, 1, 100, 254, 255 };
    size_t i;

    (void)state;
    assert_true(dream_hex_decode(VECTOR_SHA256, 512, signature, 256));
    for (i = 0; i < COUNT(places); i++) {
        signature[places[i]] ^= 1;
        assert_false(dream_rsa_verify(key, DREAM_RSA_SHA256, VECTOR_TEXT, strlen(VECTOR_TEXT), signature, 256));
        signature[places[i]] ^= 1;
    }
    assert_true(dream_rsa_verify(key, DREAM_RSA_SHA256, VECTOR_TEXT, strlen(VECTOR_TEXT), signature, 256));
    assert_false(dream_rsa_verify(key, DREAM_RSA_SHA256, VECTOR_TEXT "x", strlen(VECTOR_TEXT) + 1, signature, 256));
    assert_false(dream_rsa_verify(key, DREAM_RSA_SHA256, VECTOR_TEXT, strlen(VECTOR_TEXT), signature, 255));
    assert_false(dream_rsa_verify(key, DREAM_RSA_SHA256, VECTOR_TEXT, strlen(VECTOR_TEXT), signature, 257));
    assert_false(dream_rsa_verify(key, DREAM_RSA_SHA256, VECTOR_TEXT, strlen(VECTOR_TEXT), signature, 0));
    assert_false(verify_hex(key, DREAM_RSA_SHA256, VECTOR_TEXT, VECTOR_PSS));
    /* Zero, one, and more than the modulus. */
    memset(signature, 0, 256);
    assert_false(dream_rsa_verify(key, DREAM_RSA_SHA256, VECTOR_TEXT, strlen(VECTOR_TEXT), signature, 256));
    signature[255] = 1;
    assert_false(dream_rsa_verify(key, DREAM_RSA_SHA256, VECTOR_TEXT, strlen(VECTOR_TEXT), signature, 256));
    memset(signature, 0xff, 256);
    assert_false(dream_rsa_verify(key, DREAM_RSA_SHA256, VECTOR_TEXT, strlen(VECTOR_TEXT), signature, 256));
    dream_rsa_free(key);
}

static void test_rsa__refuses_unusable_numbers(void **state)
{
    unsigned char modulus[1100], exponent[9] = { 1, 0, 0, 0, 0, 0, 0, 0, 1 };

    (void)state;
    assert_null(from_parts(VECTOR_MODULUS_1024, VECTOR_EXPONENT));
    assert_null(from_parts(VECTOR_MODULUS, "AA"));   /* 0 */
    assert_null(from_parts(VECTOR_MODULUS, "AQ"));   /* 1 */
    assert_null(from_parts(VECTOR_MODULUS, "AQAA")); /* even */
    assert_null(from_parts(VECTOR_MODULUS, ""));
    assert_null(from_parts("", VECTOR_EXPONENT));
    memset(modulus, 0xff, sizeof(modulus));
    assert_null(dream_rsa_public(modulus, 256, exponent, 9)); /* 65 bits */
    assert_null(dream_rsa_public(modulus, 1025, "\1\0\1", 3));
    assert_null(dream_rsa_public(modulus, 1100, "\1\0\1", 3));
    modulus[255] = 0xfe;
    assert_null(dream_rsa_public(modulus, 256, "\1\0\1", 3));
    modulus[0] = 0;
    modulus[255] = 0xff;
    assert_null(dream_rsa_public(modulus, 256, "\1\0\1", 3)); /* 2040 bits */
    memset(modulus, 0, sizeof(modulus));
    assert_null(dream_rsa_public(modulus, 256, "\1\0\1", 3));
}

static void test_rsa__ignores_leading_zeroes(void **state)
{
    dream_buffer modulus = DREAM_BUFFER_INIT, n = DREAM_BUFFER_INIT, e = DREAM_BUFFER_INIT;
    dream_rsa_key *key;

    (void)state;
    dream_buffer_char(&modulus, '\0');
    assert_true(dream_base64url_decode(&modulus, VECTOR_MODULUS, strlen(VECTOR_MODULUS)));
    key = dream_rsa_public(modulus.data, modulus.size, "\0\1\0\1", 4);
    assert_non_null(key);
    assert_true(verify_hex(key, DREAM_RSA_SHA256, VECTOR_TEXT, VECTOR_SHA256));
    assert_true(dream_rsa_public_parts(key, &n, &e));
    assert_int_equal(n.size, 256);
    assert_memory_equal(n.data, modulus.data + 1, 256);
    assert_int_equal(e.size, 3);
    assert_memory_equal(e.data, "\1\0\1", 3);
    dream_buffer_clear(&modulus);
    dream_buffer_clear(&n);
    dream_buffer_clear(&e);
    dream_rsa_free(key);
}

static void test_rsa__refuses_texts_that_are_no_rsa_key(void **state)
{
    static const char *const bad[] = { "", "x", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
                                       "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", VECTOR_EC_PEM };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++)
        assert_null(dream_rsa_from_pem(bad[i]));
    assert_null(dream_rsa_from_pem(NULL));
    dream_rsa_free(NULL);
}

static void test_rsa__generates_usable_sizes_only(void **state)
{
    (void)state;
    assert_null(dream_rsa_generate(0));
    assert_null(dream_rsa_generate(1024));
    assert_null(dream_rsa_generate(2047));
    assert_null(dream_rsa_generate(2049));
    assert_null(dream_rsa_generate(8194));
}

static void test_rsa__verifies_what_it_signed(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(signatures); i++) {
        dream_buffer signature = DREAM_BUFFER_INIT;

        assert_true(dream_rsa_sign(own, signatures[i].hash, "text", 4, &signature));
        assert_int_equal(signature.size, 256);
        assert_true(dream_rsa_verify(own, signatures[i].hash, "text", 4, (unsigned char *)signature.data, 256));
        assert_false(dream_rsa_verify(own, signatures[i].hash, "texT", 4, (unsigned char *)signature.data, 256));
        dream_buffer_clear(&signature);
    }
}

static void test_rsa__private_pem_makes_the_same_key(void **state)
{
    dream_buffer pem = DREAM_BUFFER_INIT, first = DREAM_BUFFER_INIT, second = DREAM_BUFFER_INIT;
    dream_rsa_key *copy;

    (void)state;
    pem.is_secret = true;
    assert_true(dream_rsa_private_pem(own, &pem));
    copy = dream_rsa_from_pem(dream_buffer_str(&pem));
    assert_non_null(copy);
    /* PKCS#1 v1.5 has no random part: equal keys make equal signatures. */
    assert_true(dream_rsa_sign(own, DREAM_RSA_SHA256, "text", 4, &first));
    assert_true(dream_rsa_sign(copy, DREAM_RSA_SHA256, "text", 4, &second));
    assert_memory_equal(first.data, second.data, 256);
    dream_buffer_clear(&pem);
    dream_buffer_clear(&first);
    dream_buffer_clear(&second);
    dream_rsa_free(copy);
}

static void test_rsa__public_pem_verifies_but_cannot_sign(void **state)
{
    dream_buffer pem = DREAM_BUFFER_INIT, signature = DREAM_BUFFER_INIT, none = DREAM_BUFFER_INIT;
    dream_rsa_key *half;

    (void)state;
    assert_true(dream_rsa_public_pem(own, &pem));
    half = dream_rsa_from_pem(dream_buffer_str(&pem));
    assert_non_null(half);
    assert_true(dream_rsa_sign(own, DREAM_RSA_SHA512, "text", 4, &signature));
    assert_true(dream_rsa_verify(half, DREAM_RSA_SHA512, "text", 4, (unsigned char *)signature.data, signature.size));
    assert_false(dream_rsa_sign(half, DREAM_RSA_SHA512, "text", 4, &none));
    assert_false(dream_rsa_private_pem(half, &none));
    assert_int_equal(none.size, 0);
    dream_buffer_clear(&pem);
    dream_buffer_clear(&signature);
    dream_rsa_free(half);
}

static void test_rsa__public_pem_of_a_foreign_key_is_unchanged(void **state)
{
    dream_rsa_key *key = from_parts(VECTOR_MODULUS, VECTOR_EXPONENT);
    dream_buffer pem = DREAM_BUFFER_INIT;

    (void)state;
    assert_true(dream_rsa_public_pem(key, &pem));
    assert_string_equal(dream_buffer_str(&pem), VECTOR_PUBLIC_PEM);
    dream_buffer_clear(&pem);
    dream_rsa_free(key);
}

static void test_rsa__reports_a_buffer_that_failed(void **state)
{
    dream_buffer out = DREAM_BUFFER_INIT, other = DREAM_BUFFER_INIT;

    (void)state;
    out.limit = 1;
    assert_false(dream_rsa_sign(own, DREAM_RSA_SHA256, "text", 4, &out));
    assert_false(dream_rsa_public_pem(own, &out));
    assert_false(dream_rsa_private_pem(own, &out));
    assert_false(dream_rsa_public_parts(own, &out, &other));
    dream_buffer_clear(&out);
    dream_buffer_clear(&other);
}

static atomic_int wrong_answers;

/* Half of the threads check signatures and half make them, all with one key. */
static void *use_own_key(void *argument)
{
    const dream_buffer *signature = argument;
    int i;

    for (i = 0; i < 25; i++) {
        dream_buffer made = DREAM_BUFFER_INIT;

        if (!dream_rsa_verify(own, DREAM_RSA_SHA256, "text", 4, (unsigned char *)signature->data, signature->size))
            atomic_fetch_add(&wrong_answers, 1);
        if (dream_rsa_verify(own, DREAM_RSA_SHA256, "other", 5, (unsigned char *)signature->data, signature->size))
            atomic_fetch_add(&wrong_answers, 1);
        if (i % 5 == 0
            && (!dream_rsa_sign(own, DREAM_RSA_SHA256, "text", 4, &made)
                || memcmp(made.data, signature->data, signature->size) != 0))
            atomic_fetch_add(&wrong_answers, 1);
        dream_buffer_clear(&made);
    }
    return NULL;
}

static void test_rsa__one_key_serves_many_threads(void **state)
{
    dream_buffer signature = DREAM_BUFFER_INIT;
    pthread_t threads[4];
    size_t i;

    (void)state;
    assert_true(dream_rsa_sign(own, DREAM_RSA_SHA256, "text", 4, &signature));
    for (i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_own_key, &signature), 0);
    for (i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&wrong_answers), 0);
    dream_buffer_clear(&signature);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsa__verifies_foreign_signatures_of_each_hash),
        cmocka_unit_test(test_rsa__refuses_any_change),
        cmocka_unit_test(test_rsa__refuses_unusable_numbers),
        cmocka_unit_test(test_rsa__ignores_leading_zeroes),
        cmocka_unit_test(test_rsa__refuses_texts_that_are_no_rsa_key),
        cmocka_unit_test(test_rsa__generates_usable_sizes_only),
        cmocka_unit_test(test_rsa__verifies_what_it_signed),
        cmocka_unit_test(test_rsa__private_pem_makes_the_same_key),
        cmocka_unit_test(test_rsa__public_pem_verifies_but_cannot_sign),
        cmocka_unit_test(test_rsa__public_pem_of_a_foreign_key_is_unchanged),
        cmocka_unit_test(test_rsa__reports_a_buffer_that_failed),
        cmocka_unit_test(test_rsa__one_key_serves_many_threads),
    };

    return cmocka_run_group_tests_name("rsa", tests, make_own, free_own);
}
