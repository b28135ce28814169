/* SPDX-License-Identifier: Apache-2.0 */
/* test_jwks.c - which keys of a set are listed, and how long a set lives. */
#include "common/jwks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/encoding.h"
#include "rsa_vectors.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NUMBERS "\"n\":\"" VECTOR_MODULUS "\",\"e\":\"AQAB\""

static dream_jwks *parse(const char *text)
{
    return dream_jwks_parse(text, strlen(text));
}

static void test_jwks__lists_a_key_that_verifies(void **state)
{
    dream_jwks *jwks =
        parse("{\"keys\":[{\"use\":\"sig\",\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"RS256\"," NUMBERS "}]}");
    unsigned char signature[256];

    (void)state;
    assert_non_null(jwks);
    assert_int_equal(dream_jwks_count(jwks), 1);
    assert_string_equal(dream_jwks_kid(jwks, 0), "a");
    assert_null(dream_jwks_kid(jwks, 1));
    assert_null(dream_jwks_find(jwks, "b"));
    assert_null(dream_jwks_find(jwks, ""));
    assert_null(dream_jwks_find(jwks, NULL));
    assert_true(dream_hex_decode(VECTOR_SHA256, 512, signature, 256));
    assert_true(dream_jwks_key_verify(dream_jwks_find(jwks, "a"), DREAM_SIGNATURE_RS256, VECTOR_TEXT,
                                      strlen(VECTOR_TEXT), signature, 256));
    dream_jwks_unref(jwks);
}

static void test_jwks__passes_over_keys_it_cannot_use(void **state)
{
    static const struct {
        const char *members;
        size_t count;
    } cases[] = {
        { "\"kty\":\"RSA\",\"kid\":\"a\"," NUMBERS, 1 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"RS512\"," NUMBERS, 1 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"key_ops\":[\"sign\",\"verify\"]," NUMBERS, 1 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"x5t\":\"whatever\"," NUMBERS, 1 },
        { "\"kty\":\"EC\",\"kid\":\"a\"," NUMBERS, 0 },
        { "\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AAAA\"", 0 },
        { "\"kid\":\"a\"," NUMBERS, 0 },
        { "\"kty\":\"RSA\"," NUMBERS, 0 },
        { "\"kty\":\"RSA\",\"kid\":7," NUMBERS, 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"use\":\"enc\"," NUMBERS, 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"use\":null," NUMBERS, 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"PS256\"," NUMBERS, 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"RSA-OAEP\"," NUMBERS, 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"alg\":\"HS256\"," NUMBERS, 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"key_ops\":[\"encrypt\"]," NUMBERS, 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"key_ops\":\"verify\"," NUMBERS, 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"e\":\"AQAB\"", 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" VECTOR_MODULUS "\"", 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" VECTOR_MODULUS_1024 "\",\"e\":\"AQAB\"", 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" VECTOR_MODULUS "==\",\"e\":\"AQAB\"", 0 },
        { "\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"\",\"e\":\"\"", 0 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        dream_buffer text = DREAM_BUFFER_INIT;
        dream_jwks *jwks;

        dream_buffer_printf(&text, "{\"keys\":[{%s}]}", cases[i].members);
        jwks = parse(dream_buffer_str(&text));
        assert_non_null(jwks);
        if (dream_jwks_count(jwks) != cases[i].count)
            fail_msg("row %zu", i);
        dream_jwks_unref(jwks);
        dream_buffer_clear(&text);
    }
}

static void test_jwks__keeps_good_keys_beside_bad_ones(void **state)
{
    dream_jwks *jwks =
        parse("{\"keys\":[7,null,{},{\"kty\":\"EC\",\"kid\":\"x\"},{\"kty\":\"RSA\",\"kid\":\"a\"," NUMBERS
              "},\"text\",{\"kty\":\"RSA\",\"kid\":\"b\"," NUMBERS "}],\"more\":1}");

    (void)state;
    assert_int_equal(dream_jwks_count(jwks), 2);
    assert_string_equal(dream_jwks_kid(jwks, 0), "a");
    assert_string_equal(dream_jwks_kid(jwks, 1), "b");
    dream_jwks_unref(jwks);
}

static void test_jwks__first_of_two_keys_with_one_name_counts(void **state)
{
    dream_jwks *jwks = parse("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\"," NUMBERS
                             "},{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"" VECTOR_MODULUS "\",\"e\":\"Aw\"}]}");
    unsigned char signature[256];

    (void)state;
    assert_int_equal(dream_jwks_count(jwks), 1);
    assert_true(dream_hex_decode(VECTOR_SHA256, 512, signature, 256));
    assert_true(dream_jwks_key_verify(dream_jwks_find(jwks, "a"), DREAM_SIGNATURE_RS256, VECTOR_TEXT,
                                      strlen(VECTOR_TEXT), signature, 256));
    dream_jwks_unref(jwks);
}

static void test_jwks__bounds_the_number_of_keys(void **state)
{
    dream_buffer text = DREAM_BUFFER_INIT;
    dream_jwks *jwks;
    int i;

    (void)state;
    dream_buffer_text(&text, "{\"keys\":[");
    for (i = 0; i < 102; i++)
        dream_buffer_printf(&text, "%s{\"kty\":\"RSA\",\"kid\":\"%d\"," NUMBERS "}", i > 0 ? "," : "", i);
    dream_buffer_text(&text, "]}");
    jwks = parse(dream_buffer_str(&text));
    assert_int_equal(dream_jwks_count(jwks), 100);
    dream_jwks_unref(jwks);
    dream_buffer_clear(&text);
}

static void test_jwks__refuses_what_is_no_key_set(void **state)
{
    static const char *const bad[] = { "",
                                       "x",
                                       "[]",
                                       "null",
                                       "{}",
                                       "{\"keys\":{}}",
                                       "{\"keys\":null}",
                                       "{\"keys\":[]",
                                       "{\"keys\":[],\"keys\":[]}",
                                       "<html></html>" };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++)
        assert_null(parse(bad[i]));
}

static void test_jwks__an_empty_set_is_a_set(void **state)
{
    dream_jwks *jwks = parse("{\"keys\":[]}");

    (void)state;
    assert_non_null(jwks);
    assert_int_equal(dream_jwks_count(jwks), 0);
    assert_null(dream_jwks_find(jwks, "a"));
    dream_jwks_unref(jwks);
}

static void test_jwks__lives_until_the_last_reference(void **state)
{
    dream_jwks *jwks = parse("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\"," NUMBERS "}]}");

    (void)state;
    assert_ptr_equal(dream_jwks_ref(jwks), jwks);
    dream_jwks_unref(jwks);
    assert_string_equal(dream_jwks_kid(jwks, 0), "a");
    dream_jwks_unref(jwks);
    dream_jwks_unref(NULL);
    assert_null(dream_jwks_ref(NULL));
    assert_null(dream_jwks_find(NULL, "a"));
    assert_int_equal(dream_jwks_count(NULL), 0);
}

static void test_jwks__remembers_one_header_byte_for_byte(void **state)
{
    static const char text[] = "eyJhbGciOiJSUzI1NiJ9";
    char longest[400];
    dream_jwks *jwks = parse("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\"," NUMBERS "}]}");
    dream_jwks_header header = { longest, sizeof(longest), dream_jwks_find(jwks, "a"), DREAM_SIGNATURE_RS512 };
    dream_jwks_header asked = { text, strlen(text), NULL, DREAM_SIGNATURE_RS256 };

    (void)state;
    memset(longest, 'A', sizeof(longest));
    assert_false(dream_jwks_recall(NULL, &asked));
    assert_false(dream_jwks_recall(jwks, &asked));
    dream_jwks_remember(jwks, &header); /* too long to be kept */
    assert_false(dream_jwks_recall(jwks, &header));
    header.text = text;
    header.size = strlen(text);
    dream_jwks_remember(jwks, &header);
    assert_true(dream_jwks_recall(jwks, &asked));
    assert_ptr_equal(asked.key, header.key);
    assert_int_equal(asked.how, DREAM_SIGNATURE_RS512);
    asked.size--;
    assert_false(dream_jwks_recall(jwks, &asked));
    asked.text = "eyJhbGciOiJSUzI1NiJ8";
    asked.size++;
    assert_false(dream_jwks_recall(jwks, &asked));
    dream_jwks_remember(jwks, &asked); /* the first one stays */
    assert_false(dream_jwks_recall(jwks, &asked));
    dream_jwks_unref(jwks);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jwks__lists_a_key_that_verifies),
        cmocka_unit_test(test_jwks__passes_over_keys_it_cannot_use),
        cmocka_unit_test(test_jwks__keeps_good_keys_beside_bad_ones),
        cmocka_unit_test(test_jwks__first_of_two_keys_with_one_name_counts),
        cmocka_unit_test(test_jwks__bounds_the_number_of_keys),
        cmocka_unit_test(test_jwks__refuses_what_is_no_key_set),
        cmocka_unit_test(test_jwks__an_empty_set_is_a_set),
        cmocka_unit_test(test_jwks__lives_until_the_last_reference),
        cmocka_unit_test(test_jwks__remembers_one_header_byte_for_byte),
    };

    return cmocka_run_group_tests_name("jwks", tests, NULL, NULL);
}
