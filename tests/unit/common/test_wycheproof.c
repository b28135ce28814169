/* SPDX-License-Identifier: Apache-2.0 */
/* test_wycheproof.c - the vectors in wycheproof/ (see its README): how signatures, keys and tokens have been forged elsewhere.
 * The folder is the first argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/encoding.h"
#include "common/json.h"
#include "common/jwks.h"
#include "common/p256.h"
#include "common/rsa.h"

static const char *folder;

static cJSON *load(const char *name)
{
    dream_buffer text = DREAM_BUFFER_INIT;
    char path[512], part[65536];
    cJSON *json;
    size_t got;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    while ((got = fread(part, 1, sizeof(part), file)) > 0)
        dream_buffer_append(&text, part, got);
    (void)fclose(file);
    json = dream_json_parse(text.data, text.size, NULL);
    assert_non_null(json);
    dream_buffer_clear(&text);
    return json;
}

/* Owned; `*out_size` bytes. */
static unsigned char *bytes_of(const cJSON *object, const char *name, size_t *out_size)
{
    const char *hex = dream_json_string(object, name);
    unsigned char *bytes;

    assert_non_null(hex);
    *out_size = strlen(hex) / 2;
    bytes = malloc(*out_size + 1);
    assert_non_null(bytes);
    assert_true(dream_hex_decode(hex, 2 * *out_size, bytes, *out_size));
    return bytes;
}

/* Fails the test with the case's number unless the result is the expected one. Returns 1, to be counted. */
static int judge(const cJSON *test, bool is_good)
{
    const char *result = dream_json_string(test, "result");
    int64_t number = 0;

    assert_true(dream_json_int(test, "tcId", &number));
    if (strcmp(result, "acceptable") != 0 && is_good != (strcmp(result, "valid") == 0))
        fail_msg("case %d, %s: %s", (int)number, dream_json_string(test, "comment"), is_good ? "accepted" : "refused");
    return 1;
}

static void test_wycheproof__rsa_signatures(void **state)
{
    cJSON *groups = load("rsa_2048_sha256.json");
    const cJSON *group, *test;
    int count = 0;

    (void)state;
    cJSON_ArrayForEach(group, groups)
    {
        size_t n_size, e_size, size, signature_size;
        unsigned char *n = bytes_of(group, "n", &n_size), *e = bytes_of(group, "e", &e_size);
        dream_rsa_key *key = dream_rsa_public(n, n_size, e, e_size);

        assert_non_null(key);
        cJSON_ArrayForEach(test, dream_json_get(group, "tests"))
        {
            unsigned char *bytes = bytes_of(test, "msg", &size);
            unsigned char *signature = bytes_of(test, "sig", &signature_size);

            count += judge(test, dream_rsa_verify(key, DREAM_RSA_SHA256, bytes, size, signature, signature_size));
            free(bytes);
            free(signature);
        }
        dream_rsa_free(key);
        free(n);
        free(e);
    }
    assert_int_equal(count, 259);
    cJSON_Delete(groups);
}

static void test_wycheproof__ecdsa_signatures(void **state)
{
    cJSON *groups = load("ecdsa_p256_sha256_p1363.json");
    const cJSON *group, *test;
    int count = 0;

    (void)state;
    cJSON_ArrayForEach(group, groups)
    {
        size_t point_size, size, signature_size;
        unsigned char *point = bytes_of(group, "uncompressed", &point_size);
        dream_p256_key *key;

        assert_int_equal(point_size, 65);
        key = dream_p256_public(point + 1, point + 33);
        assert_non_null(key);
        cJSON_ArrayForEach(test, dream_json_get(group, "tests"))
        {
            unsigned char *bytes = bytes_of(test, "msg", &size);
            unsigned char *signature = bytes_of(test, "sig", &signature_size);

            count += judge(test, dream_p256_verify(key, bytes, size, signature, signature_size));
            free(bytes);
            free(signature);
        }
        dream_p256_free(key);
        free(point);
    }
    assert_int_equal(count, 262);
    cJSON_Delete(groups);
}

/* A JWS in its compact form, by the parts that token.c checks tokens with: what these cases sign is no JWT's payload. */
static bool verify_jws(const dream_jwks *set, const char *jws)
{
    const char *first = strchr(jws, '.');
    const char *second = first != NULL ? strchr(first + 1, '.') : NULL;
    dream_buffer header = DREAM_BUFFER_INIT, payload = DREAM_BUFFER_INIT, signature = DREAM_BUFFER_INIT;
    dream_signature how = DREAM_SIGNATURE_RS256;
    const dream_jwks_key *key;
    cJSON *json = NULL;
    bool is_good = false;

    if (second != NULL && strchr(second + 1, '.') == NULL && dream_base64url_decode(&header, jws, (size_t)(first - jws))
        && dream_base64url_decode(&payload, first + 1, (size_t)(second - first - 1))
        && dream_base64url_decode(&signature, second + 1, strlen(second + 1)) && header.size > 0)
        json = dream_json_parse(header.data, header.size, NULL);
    key = dream_jwks_find(set, dream_json_string(json, "kid"));
    if (key != NULL && dream_signature_named(dream_json_string(json, "alg"), &how))
        is_good = dream_jwks_key_verify(key, how, jws, (size_t)(second - jws),
                                        (const unsigned char *)dream_buffer_str(&signature), signature.size);
    cJSON_Delete(json);
    dream_buffer_clear(&header);
    dream_buffer_clear(&payload);
    dream_buffer_clear(&signature);
    return is_good;
}

/* What a group names is one key or a whole set. */
static dream_jwks *set_of(const cJSON *group)
{
    const cJSON *public_part = dream_json_get(group, "public");
    char *key = dream_json_print(public_part);
    dream_buffer text = DREAM_BUFFER_INIT;
    dream_jwks *set;

    assert_non_null(key);
    if (dream_json_get(public_part, "keys") != NULL)
        dream_buffer_text(&text, key);
    else
        dream_buffer_printf(&text, "{\"keys\":[%s]}", key);
    set = dream_jwks_parse(text.data, text.size);
    assert_non_null(set);
    dream_buffer_clear(&text);
    free(key);
    return set;
}

static void test_wycheproof__keys_and_tokens(void **state)
{
    cJSON *groups = load("jws.json");
    const cJSON *group, *test;
    int count = 0;

    (void)state;
    cJSON_ArrayForEach(group, groups)
    {
        dream_jwks *set = set_of(group);

        cJSON_ArrayForEach(test, dream_json_get(group, "tests")) count +=
            judge(test, verify_jws(set, dream_json_string(test, "jws")));
        dream_jwks_unref(set);
    }
    assert_int_equal(count, 322);
    cJSON_Delete(groups);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wycheproof__rsa_signatures),
        cmocka_unit_test(test_wycheproof__ecdsa_signatures),
        cmocka_unit_test(test_wycheproof__keys_and_tokens),
    };

    if (argc < 2)
        return 2;
    folder = argv[1];
    return cmocka_run_group_tests_name("wycheproof", tests, NULL, NULL);
}
