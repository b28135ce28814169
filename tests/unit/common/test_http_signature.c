/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_signature.c - signed requests against the RFC's own examples, and what must not pass.
 * The key derivation's values were computed with Python's hmac module, not with the code under test. */
#include "common/http_signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/encoding.h"
#include "rfc9421_vectors.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SECRET_KEY "sk_test_0123456789abcdef"
#define KEYID "pk_test_1.6f752b7237c6e81c"
#define NOW 1700000000
#define BODY "{\"userId\":\"user_1\"}"
#define FILLER "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define ALL "(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\")"
#define PARAMS ";created=1700000000;expires=1700000300;nonce=\"n1\";alg=\"hmac-sha256\";keyid=\"" KEYID "\""

static dream_slice slice(const char *text)
{
    return (dream_slice){ text, strlen(text) };
}

static const char *rfc_field(void *context, const char *name)
{
    static const char *const fields[][2] = { { "date", " " RFC_DATE "\t" },
                                             { "content-type", RFC_TYPE },
                                             { "content-length", "18" } };
    (void)context;
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (strcmp(fields[i][0], name) == 0)
            return fields[i][1];
    }
    return NULL;
}

static dream_signed_request rfc_request(void)
{
    return (dream_signed_request){ .method = slice("POST"),
                                   .authority = slice("Example.COM"),
                                   .path = slice("/foo"),
                                   .query = slice("param=Value&Pet=dog"),
                                   .content_digest = RFC_DIGEST,
                                   .field = rfc_field };
}

static void test_http_signature__builds_the_bases_of_the_rfc(void **state)
{
    dream_signed_request request = rfc_request();

    (void)state;
    for (size_t i = 0; i < COUNT(rfc_vectors); i++) {
        const struct rfc_vector *vector = &rfc_vectors[i];
        char input[1024], expected[2048];
        dream_buffer base = DREAM_BUFFER_INIT;
        dream_http_signature signature;

        (void)snprintf(input, sizeof(input), "sig=%s", vector->input);
        (void)snprintf(expected, sizeof(expected), "%s\"@signature-params\": %s", vector->lines, vector->input);
        assert_null(dream_signature_parse(input, "sig=:" FILLER ":", &signature));
        assert_null(dream_signature_base(&signature, &request, &base));
        assert_string_equal(dream_buffer_str(&base), expected);
        dream_buffer_clear(&base);
    }
}

static void test_http_signature__has_the_rfcs_hmac(void **state)
{
    dream_signed_request request = rfc_request();
    dream_buffer base = DREAM_BUFFER_INIT, key = DREAM_BUFFER_INIT;
    dream_http_signature signature;
    unsigned char mac[DREAM_SHA256_SIZE];
    char input[1024];

    (void)state;
    (void)snprintf(input, sizeof(input), "sig-b25=%s", rfc_vectors[3].input);
    assert_string_equal(rfc_vectors[3].section, "B.2.5");
    assert_null(dream_signature_parse(input, RFC_HMAC_SIGNATURE, &signature));
    assert_int_equal(signature.params.created_s, 1618884473);
    assert_string_equal(signature.params.keyid, "test-shared-secret");
    assert_null(dream_signature_base(&signature, &request, &base));
    assert_true(dream_base64_decode(&key, RFC_SHARED_SECRET, strlen(RFC_SHARED_SECRET)));
    assert_true(dream_hmac_sha256(key.data, key.size, base.data, base.size, mac));
    assert_memory_equal(mac, signature.mac, sizeof(mac));
    dream_buffer_clear(&base);
    dream_buffer_clear(&key);
}

static void test_http_signature__reads_the_white_space_that_structured_fields_allow(void **state)
{
    dream_http_signature signature;

    (void)state;
    assert_null(
        dream_signature_parse(" sig=(  \"date\"   \"@path\" );  created=1 \t", "sig=:" FILLER ": ", &signature));
    assert_string_equal(signature.input, "(\"date\" \"@path\");created=1");
    assert_true(dream_signature_covers(&signature, "@path"));
    assert_false(dream_signature_covers(&signature, "@pat"));
    assert_null(dream_signature_parse("s=();nonce=\"a\\\"b\\\\c\"", "s=:" FILLER ":", &signature));
    assert_string_equal(signature.params.nonce, "a\"b\\c");
    assert_string_equal(signature.input, "();nonce=\"a\\\"b\\\\c\"");
}

static void test_http_signature__refuses_what_is_malformed_and_says_why(void **state)
{
    static const struct {
        const char *input, *signature, *problem;
    } cases[] = {
        { NULL, "s=:" FILLER ":", "Signature-Input is missing" },
        { "s=()", NULL, "Signature is missing" },
        { "", "s=:" FILLER ":", "Signature-Input is malformed" },
        { "s", "s=:" FILLER ":", "Signature-Input is malformed" },
        { "s=", "s=:" FILLER ":", "Signature-Input is malformed" },
        { "S=()", "s=:" FILLER ":", "Signature-Input is malformed" },
        { "s=(", "s=:" FILLER ":", "names a component that is none" },
        { "s=(\"a\"", "s=:" FILLER ":", "Signature-Input is malformed" },
        { "s=(\"a", "s=:" FILLER ":", "names a component that is none" },
        { "s=(\"\")", "s=:" FILLER ":", "names a component that is none" },
        { "s=(\"@\")", "s=:" FILLER ":", "names a component that is none" },
        { "s=(\"A\")", "s=:" FILLER ":", "names a component that is none" },
        { "s=(\"a\nb\")", "s=:" FILLER ":", "names a component that is none" },
        { "s=(a)", "s=:" FILLER ":", "names a component that is none" },
        { "s=(\"a\"\"b\")", "s=:" FILLER ":", "Signature-Input is malformed" },
        { "s=(\"a\"\t\"b\")", "s=:" FILLER ":", "Signature-Input is malformed" },
        { "s=(\"a\" \"a\")", "s=:" FILLER ":", "names a component twice" },
        { "s=(\"@query-param\";name=\"Pet\")", "s=:" FILLER ":", "components with parameters are not supported" },
        { "s=(\"@path\";req)", "s=:" FILLER ":", "components with parameters are not supported" },
        { "s=() ;created=1", "s=:" FILLER ":", "Signature-Input is malformed" },
        { "s=();", "s=:" FILLER ":", "a parameter that is not known" },
        { "s=();Created=1", "s=:" FILLER ":", "a parameter that is not known" },
        { "s=();surprise=1", "s=:" FILLER ":", "a parameter that is not known" },
        { "s=();created=1;created=1", "s=:" FILLER ":", "a parameter twice" },
        { "s=();created", "s=:" FILLER ":", "value is not readable" },
        { "s=();created=", "s=:" FILLER ":", "value is not readable" },
        { "s=();created=\"1\"", "s=:" FILLER ":", "value is not readable" },
        { "s=();created=-1", "s=:" FILLER ":", "value is not readable" },
        { "s=();created=01", "s=:" FILLER ":", "value is not readable" },
        { "s=();created=1.5", "s=:" FILLER ":", "Signature-Input is malformed" },
        { "s=();created=1000000000000000", "s=:" FILLER ":", "value is not readable" },
        { "s=();nonce=abc", "s=:" FILLER ":", "value is not readable" },
        { "s=();nonce=\"abc", "s=:" FILLER ":", "value is not readable" },
        { "s=();nonce=\"a\\bc\"", "s=:" FILLER ":", "value is not readable" },
        { "s=();nonce=\"a\\", "s=:" FILLER ":", "value is not readable" },
        { "s=();nonce=\"\x7f\"", "s=:" FILLER ":", "value is not readable" },
        { "s=(), t=()", "s=:" FILLER ":", "more than one signature" },
        { "s=()", "s=:" FILLER ":, t=:" FILLER ":", "more than one signature" },
        { "s=()", "t=:" FILLER ":", "different labels" },
        { "s=()", "s=" FILLER, "not 32 bytes" },
        { "s=()", "s=:" FILLER, "not 32 bytes" },
        { "s=()", "s=::", "not 32 bytes" },
        { "s=()", "s=:AAAA:", "not 32 bytes" },
        { "s=()", "s=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA:", "not 32 bytes" },
        { "s=()", "s=:" FILLER ":;a", "Signature is malformed" },
    };
    dream_http_signature signature;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *problem = dream_signature_parse(cases[i].input, cases[i].signature, &signature);
        if (problem == NULL || strstr(problem, cases[i].problem) == NULL)
            fail_msg("case %zu: %s", i, problem == NULL ? "accepted" : problem);
    }
}

static void test_http_signature__has_limits(void **state)
{
    char input[DREAM_SIGNATURE_MAX_HEADER + 8];
    dream_http_signature signature;
    size_t size = 3;

    (void)state;
    memcpy(input, "s=(", size);
    for (int i = 0; i <= DREAM_SIGNATURE_MAX_COMPONENTS; i++)
        size += (size_t)snprintf(input + size, sizeof(input) - size, "%s\"a%d\"", i > 0 ? " " : "", i);
    memcpy(input + size, ")", 2);
    assert_string_equal(dream_signature_parse(input, "s=:" FILLER ":", &signature),
                        "Signature-Input names too many components");
    memset(input, ' ', sizeof(input) - 1);
    memcpy(input, "s=()", 4);
    input[DREAM_SIGNATURE_MAX_HEADER] = '\0';
    assert_null(dream_signature_parse(input, "s=:" FILLER ":", &signature));
    input[DREAM_SIGNATURE_MAX_HEADER] = ' ';
    input[DREAM_SIGNATURE_MAX_HEADER + 1] = '\0';
    assert_string_equal(dream_signature_parse(input, "s=:" FILLER ":", &signature),
                        "Signature-Input or Signature is too long");
}

static void test_http_signature__derives_keys_as_documented(void **state)
{
    static const char expected[] = "cb88a5e89a143305695238974d14c6ee28dc18b6d8d6d10fdfb85ff97b88cd05";
    unsigned char key[DREAM_SIGNING_KEY_SIZE];
    char key_id[DREAM_KEY_ID_SIZE], hex[2 * sizeof(key) + 1];

    (void)state;
    assert_true(dream_signing_key_derive(SECRET_KEY, key));
    dream_hex_encode(key, sizeof(key), hex);
    assert_string_equal(hex, expected);
    assert_true(dream_key_id_of(SECRET_KEY, key_id));
    assert_string_equal(key_id, KEYID + strlen("pk_test_1."));
}

struct signed_request {
    dream_signed_request request;
    dream_buffer digest, input, signature;
    unsigned char key[DREAM_SIGNING_KEY_SIZE];
};

static void sign(struct signed_request *out)
{
    dream_signing signing = { out->key, KEYID, "n1", NOW };

    memset(out, 0, sizeof(*out));
    dream_content_digest_make(&out->digest, BODY, strlen(BODY));
    out->request = (dream_signed_request){ .method = slice("POST"),
                                           .authority = slice("localhost:8787"),
                                           .path = slice("/api/data"),
                                           .query = slice(""),
                                           .content_digest = dream_buffer_str(&out->digest) };
    assert_true(dream_signing_key_derive(SECRET_KEY, out->key));
    assert_true(dream_signature_sign(&out->request, &signing, &out->input, &out->signature));
}

static void clear(struct signed_request *signed_request)
{
    dream_buffer_clear(&signed_request->digest);
    dream_buffer_clear(&signed_request->input);
    dream_buffer_clear(&signed_request->signature);
}

static void test_http_signature__signs_what_it_verifies(void **state)
{
    struct signed_request own;
    dream_http_signature signature;

    (void)state;
    sign(&own);
    assert_string_equal(dream_buffer_str(&own.input), "dream=" ALL PARAMS);
    assert_null(dream_signature_parse(own.input.data, own.signature.data, &signature));
    assert_null(dream_signature_check_form(&signature, true));
    assert_null(dream_signature_verify(&signature, &own.request, own.key));
    assert_null(dream_content_digest_check(own.request.content_digest, BODY, strlen(BODY)));
    clear(&own);
}

static void test_http_signature__covers_no_digest_where_there_is_no_body(void **state)
{
    struct signed_request own;
    dream_buffer input = DREAM_BUFFER_INIT, mac = DREAM_BUFFER_INIT;
    dream_http_signature signature;

    (void)state;
    sign(&own);
    own.request.content_digest = NULL;
    assert_true(dream_signature_sign(&own.request, &(dream_signing){ own.key, KEYID, "n", NOW }, &input, &mac));
    assert_null(dream_signature_parse(input.data, mac.data, &signature));
    assert_null(dream_signature_check_form(&signature, false));
    assert_string_equal(dream_signature_check_form(&signature, true),
                        "it must cover content-digest, as there is a body");
    dream_buffer_clear(&input);
    dream_buffer_clear(&mac);
    clear(&own);
}

static void test_http_signature__refuses_any_changed_component_or_key(void **state)
{
    struct signed_request own;
    dream_http_signature signature;

    (void)state;
    sign(&own);
    assert_null(dream_signature_parse(own.input.data, own.signature.data, &signature));
    for (int i = 0; i < 6; i++) {
        dream_signed_request other = own.request;
        unsigned char key[DREAM_SIGNING_KEY_SIZE];

        memcpy(key, own.key, sizeof(key));
        switch (i) {
        case 0:
            other.method = slice("PUT");
            break;
        case 1:
            other.authority = slice("localhost:8788");
            break;
        case 2:
            other.path = slice("/api/Data");
            break;
        case 3:
            other.query = slice("a");
            break;
        case 4:
            other.content_digest = RFC_DIGEST_SHA256;
            break;
        default:
            key[0] ^= 1;
        }
        assert_string_equal(dream_signature_verify(&signature, &other, key),
                            "it is not this key's signature over this request");
    }
    own.request.content_digest = NULL;
    assert_non_null(strstr(dream_signature_verify(&signature, &own.request, own.key), "component"));
    clear(&own);
}

/* Each byte of each of the two fields changed: none may still verify as what it was. */
static void test_http_signature__refuses_any_changed_byte_of_its_fields(void **state)
{
    struct signed_request own;
    dream_buffer *fields[] = { &own.input, &own.signature };

    (void)state;
    sign(&own);
    for (size_t field = 0; field < COUNT(fields); field++) {
        for (size_t at = strlen("dream="); at < fields[field]->size; at++) {
            dream_http_signature signature;
            char *byte = &fields[field]->data[at];
            char old = *byte;

            *byte = old == 'A' ? 'B' : 'A';
            if (dream_signature_parse(own.input.data, own.signature.data, &signature) == NULL
                && dream_signature_verify(&signature, &own.request, own.key) == NULL)
                fail_msg("byte %zu of field %zu may be changed", at, field);
            *byte = old;
        }
    }
    clear(&own);
}

static void test_http_signature__a_line_break_in_a_value_forges_no_line(void **state)
{
    struct signed_request own;
    dream_buffer input = DREAM_BUFFER_INIT, mac = DREAM_BUFFER_INIT;

    (void)state;
    sign(&own);
    own.request.path = slice("/a\n\"@query\": ?x");
    assert_false(dream_signature_sign(&own.request, &(dream_signing){ own.key, KEYID, "n", NOW }, &input, &mac));
    dream_buffer_clear(&input);
    dream_buffer_clear(&mac);
    clear(&own);
}

static void test_http_signature__wants_what_the_contract_wants(void **state)
{
    static const struct {
        const char *input, *problem;
    } cases[] = {
        { "s=(\"@method\" \"@authority\" \"@path\" \"content-digest\")" PARAMS, "must cover @method" },
        { "s=(\"@method\" \"@authority\" \"@query\" \"content-digest\")" PARAMS, "must cover @method" },
        { "s=(\"@method\" \"@path\" \"@query\" \"content-digest\")" PARAMS, "must cover @method" },
        { "s=(\"@authority\" \"@path\" \"@query\" \"content-digest\")" PARAMS, "must cover @method" },
        { "s=(\"@method\" \"@authority\" \"@path\" \"@query\")" PARAMS, "must cover content-digest" },
        { "s=" ALL ";expires=1;nonce=\"n\";alg=\"hmac-sha256\";keyid=\"k\"", "must have the parameters" },
        { "s=" ALL ";created=1;nonce=\"n\";alg=\"hmac-sha256\";keyid=\"k\"", "must have the parameters" },
        { "s=" ALL ";created=1;expires=1;alg=\"hmac-sha256\";keyid=\"k\"", "must have the parameters" },
        { "s=" ALL ";created=1;expires=1;nonce=\"\";alg=\"hmac-sha256\";keyid=\"k\"", "must have the parameters" },
        { "s=" ALL ";created=1;expires=1;nonce=\"n\";alg=\"hmac-sha256\"", "must have the parameters" },
        { "s=" ALL ";created=1;expires=1;nonce=\"n\";keyid=\"k\"", "its alg must be" },
        { "s=" ALL ";created=1;expires=1;nonce=\"n\";alg=\"hmac-sha512\";keyid=\"k\"", "its alg must be" },
    };
    dream_http_signature signature;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *problem;

        assert_null(dream_signature_parse(cases[i].input, "s=:" FILLER ":", &signature));
        problem = dream_signature_check_form(&signature, true);
        if (problem == NULL || strstr(problem, cases[i].problem) == NULL)
            fail_msg("case %zu: %s", i, problem == NULL ? "accepted" : problem);
    }
}

static void test_http_signature__counts_for_300_seconds(void **state)
{
    static const struct {
        int64_t expires_s, now_s;
        dream_signature_time time;
    } cases[] = {
        { NOW + 300, NOW, DREAM_SIGNATURE_IN_TIME },
        { NOW + 300, NOW + 300, DREAM_SIGNATURE_IN_TIME },
        { NOW + 9000, NOW + 300, DREAM_SIGNATURE_IN_TIME },
        { NOW + 9000, NOW + 301, DREAM_SIGNATURE_TOO_LATE },
        { NOW + 10, NOW + 10, DREAM_SIGNATURE_IN_TIME },
        { NOW + 10, NOW + 11, DREAM_SIGNATURE_TOO_LATE },
        { NOW + 300, NOW - 300, DREAM_SIGNATURE_IN_TIME },
        { NOW + 300, NOW - 301, DREAM_SIGNATURE_TOO_EARLY },
        { 0, NOW, DREAM_SIGNATURE_TOO_LATE },
    };
    dream_http_signature signature;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memset(&signature, 0, sizeof(signature));
        signature.params.created_s = NOW;
        signature.params.expires_s = cases[i].expires_s;
        if (dream_signature_check_time(&signature, cases[i].now_s) != cases[i].time)
            fail_msg("case %zu", i);
    }
}

static void test_http_signature__checks_content_digests(void **state)
{
    static const struct {
        const char *field, *problem;
    } cases[] = {
        { RFC_DIGEST_SHA256, NULL },
        { " " RFC_DIGEST " ,\t" RFC_DIGEST_SHA256 " ", NULL },
        { NULL, "missing" },
        { "", "malformed" },
        { RFC_DIGEST, "has no sha-256" },
        { RFC_DIGEST_SHA256 ",", "malformed" },
        { RFC_DIGEST_SHA256 ";a", "malformed" },
        { RFC_DIGEST_SHA256 "," RFC_DIGEST_SHA256, "malformed" },
        { "sha-256=" FILLER, "malformed" },
        { "sha-256=:" FILLER, "malformed" },
        { "sha-256=:AAAA:", "malformed" },
        { "sha-256=:" FILLER ":", "not the one of its" },
        { "SHA-256=:" FILLER ":", "malformed" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *problem = dream_content_digest_check(cases[i].field, RFC_BODY, strlen(RFC_BODY));
        if ((problem == NULL) != (cases[i].problem == NULL)
            || (problem != NULL && strstr(problem, cases[i].problem) == NULL))
            fail_msg("case %zu: %s", i, problem == NULL ? "accepted" : problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_signature__builds_the_bases_of_the_rfc),
        cmocka_unit_test(test_http_signature__has_the_rfcs_hmac),
        cmocka_unit_test(test_http_signature__reads_the_white_space_that_structured_fields_allow),
        cmocka_unit_test(test_http_signature__refuses_what_is_malformed_and_says_why),
        cmocka_unit_test(test_http_signature__has_limits),
        cmocka_unit_test(test_http_signature__derives_keys_as_documented),
        cmocka_unit_test(test_http_signature__signs_what_it_verifies),
        cmocka_unit_test(test_http_signature__covers_no_digest_where_there_is_no_body),
        cmocka_unit_test(test_http_signature__refuses_any_changed_component_or_key),
        cmocka_unit_test(test_http_signature__refuses_any_changed_byte_of_its_fields),
        cmocka_unit_test(test_http_signature__a_line_break_in_a_value_forges_no_line),
        cmocka_unit_test(test_http_signature__wants_what_the_contract_wants),
        cmocka_unit_test(test_http_signature__counts_for_300_seconds),
        cmocka_unit_test(test_http_signature__checks_content_digests),
    };

    return cmocka_run_group_tests_name("http_signature", tests, NULL, NULL);
}
