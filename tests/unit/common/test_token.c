/* SPDX-License-Identifier: Apache-2.0 */
/* test_token.c - tokens good and bad, and the words of each refusal (wire cases jwt-*). */
#include "common/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/encoding.h"
#include "common/rsa.h"
#include "rsa_vectors.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NOW INT64_C(1700000000)
#define NOW_MS (NOW * 1000)
#define NOW_TEXT "Tue, 14 Nov 2023 22:13:20 GMT"
#define HEADER "{\"alg\":\"RS256\",\"kid\":\"live\",\"typ\":\"JWT\"}"
#define PAYLOAD "{\"sub\":\"user_1\",\"exp\":1700000060}"
#define GENERATED_HINT                                                                                                 \
    "of the provided session token. Please make sure that the __session cookie or the HTTP authorization header "      \
    "contain a Clerk-generated session JWT. The following kid is available: "

static const dream_token_rules rules = { .now_wall_ms = NOW_MS, .skew_ms = DREAM_TOKEN_SKEW_S * INT64_C(1000) };
static dream_rsa_key *key, *rogue;
static dream_jwks *jwks;

static void append_jwk(dream_buffer *out, const char *kid, const dream_rsa_key *from)
{
    dream_buffer n = DREAM_BUFFER_INIT, e = DREAM_BUFFER_INIT;

    dream_rsa_public_parts(from, &n, &e);
    dream_buffer_printf(out, "{\"kty\":\"RSA\",\"kid\":\"%s\",\"n\":\"", kid);
    dream_base64url_encode(out, n.data, n.size);
    dream_buffer_text(out, "\",\"e\":\"");
    dream_base64url_encode(out, e.data, e.size);
    dream_buffer_text(out, "\"}");
    dream_buffer_clear(&n);
    dream_buffer_clear(&e);
}

static int make_keys(void **state)
{
    dream_buffer text = DREAM_BUFFER_INIT;

    (void)state;
    key = dream_rsa_generate(2048);
    rogue = dream_rsa_generate(2048);
    if (key == NULL || rogue == NULL)
        return -1;
    dream_buffer_text(&text, "{\"keys\":[");
    append_jwk(&text, "live", key);
    dream_buffer_text(&text, ",{\"kty\":\"RSA\",\"kid\":\"py-key\",\"e\":\"AQAB\",\"n\":\"" VECTOR_MODULUS "\"}]}");
    jwks = dream_jwks_parse(text.data, text.size);
    dream_buffer_clear(&text);
    return jwks != NULL ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    dream_rsa_free(key);
    dream_rsa_free(rogue);
    dream_jwks_unref(jwks);
    return 0;
}

/* Owned. */
static char *make_token(const dream_rsa_key *signer, dream_rsa_hash hash, const char *header, const char *payload)
{
    dream_buffer token = DREAM_BUFFER_INIT, signature = DREAM_BUFFER_INIT;

    dream_base64url_encode(&token, header, strlen(header));
    dream_buffer_char(&token, '.');
    dream_base64url_encode(&token, payload, strlen(payload));
    assert_true(dream_rsa_sign(signer, hash, token.data, token.size, &signature));
    dream_buffer_char(&token, '.');
    dream_base64url_encode(&token, signature.data, signature.size);
    dream_buffer_clear(&signature);
    return dream_buffer_take(&token);
}

static dream_token_status verify(const char *token, char message[256])
{
    dream_claims *claims = NULL;
    dream_token_status status = dream_token_verify(token, jwks, &rules, &claims, message);

    assert_int_equal(status == DREAM_TOKEN_OK, claims != NULL);
    dream_claims_unref(claims);
    return status;
}

static void test_token__verifies_one_signed_elsewhere(void **state)
{
    dream_claims *claims;
    char message[256] = "old";

    (void)state;
    assert_int_equal(dream_token_verify(VECTOR_JWT, jwks, &rules, &claims, message), DREAM_TOKEN_OK);
    assert_string_equal(message, "");
    assert_string_equal(claims->user_id, "user_py");
    assert_string_equal(claims->email, "py@example.test");
    assert_string_equal(claims->publishable_key, "pk_live_1");
    assert_string_equal(claims->plan, "pro");
    assert_string_equal(claims->session_id, "sess_1");
    assert_int_equal(claims->issued_at_s, 1700000000);
    assert_int_equal(claims->expires_at_s, 1700000060);
    assert_int_equal(strncmp(claims->json, "{\"sub\":\"user_py\",", 17), 0);
    dream_claims_unref(claims);
    dream_claims_unref(NULL);
    assert_int_equal(dream_token_verify(VECTOR_JWT, jwks, &rules, &claims, NULL), DREAM_TOKEN_OK);
    dream_claims_unref(claims);
}

static void test_token__verifies_each_hash(void **state)
{
    static const struct {
        const char *header;
        dream_rsa_hash hash;
        dream_token_status status;
    } cases[] = {
        { "{\"alg\":\"RS256\",\"kid\":\"live\"}", DREAM_RSA_SHA256, DREAM_TOKEN_OK },
        { "{\"alg\":\"RS384\",\"kid\":\"live\"}", DREAM_RSA_SHA384, DREAM_TOKEN_OK },
        { "{\"alg\":\"RS512\",\"kid\":\"live\"}", DREAM_RSA_SHA512, DREAM_TOKEN_OK },
        { "{\"alg\":\"RS256\",\"kid\":\"live\"}", DREAM_RSA_SHA512, DREAM_TOKEN_INVALID },
        { "{\"alg\":\"RS512\",\"kid\":\"live\"}", DREAM_RSA_SHA256, DREAM_TOKEN_INVALID },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        char *token = make_token(key, cases[i].hash, cases[i].header, PAYLOAD);

        assert_int_equal(verify(token, NULL), cases[i].status);
        free(token);
    }
}

/* What each header or payload is answered with; `message` is the beginning of the text. */
static void test_token__refuses_in_the_words_of_the_contract(void **state)
{
    static const struct {
        const char *header, *payload;
        dream_token_status status;
        const char *message;
    } cases[] = {
        { HEADER, PAYLOAD, DREAM_TOKEN_OK, "" },
        { "{\"alg\":\"none\",\"kid\":\"live\"}", PAYLOAD, DREAM_TOKEN_INVALID,
          "Invalid JWT algorithm \"none\". Supported: RS256,RS384,RS512." },
        { "{\"alg\":\"none\"}", PAYLOAD, DREAM_TOKEN_INVALID,
          "Invalid JWT algorithm \"none\". Supported: RS256,RS384,RS512." },
        { "{\"alg\":\"HS256\",\"kid\":\"live\"}", PAYLOAD, DREAM_TOKEN_INVALID, "Invalid JWT algorithm \"HS256\"." },
        { "{\"alg\":\"rs256\",\"kid\":\"live\"}", PAYLOAD, DREAM_TOKEN_INVALID, "Invalid JWT algorithm \"rs256\"." },
        { "{\"alg\":null,\"kid\":\"live\"}", PAYLOAD, DREAM_TOKEN_INVALID, "Invalid JWT algorithm null." },
        { "{\"alg\":[\"RS256\"],\"kid\":\"live\"}", PAYLOAD, DREAM_TOKEN_INVALID,
          "Invalid JWT algorithm [\"RS256\"]." },
        { "{\"kid\":\"live\"}", PAYLOAD, DREAM_TOKEN_INVALID, "Invalid JWT algorithm undefined." },
        { "{\"alg\":\"RS256\",\"kid\":\"live\",\"typ\":\"JWE\"}", PAYLOAD, DREAM_TOKEN_INVALID,
          "Invalid JWT type \"JWE\". Expected \"JWT\"." },
        { "{\"alg\":\"RS256\",\"kid\":\"live\",\"typ\":null}", PAYLOAD, DREAM_TOKEN_INVALID, "Invalid JWT type null." },
        { "{\"alg\":\"RS256\",\"kid\":\"live\",\"crit\":[\"b64\"],\"b64\":false}", PAYLOAD, DREAM_TOKEN_INVALID,
          "Invalid JWT header: critical extensions (crit)" },
        { "{}", PAYLOAD, DREAM_TOKEN_INVALID,
          "Unable to find a signing key in JWKS that matches the kid='undefined' " GENERATED_HINT },
        { "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", PAYLOAD, DREAM_TOKEN_INVALID,
          "Unable to find a signing key in JWKS that matches the kid='undefined' " GENERATED_HINT },
        { "{\"alg\":\"RS256\",\"kid\":7}", PAYLOAD, DREAM_TOKEN_INVALID,
          "Unable to find a signing key in JWKS that matches the kid='undefined' " },
        { "{\"alg\":\"RS256\",\"kid\":\"x\"}", PAYLOAD, DREAM_TOKEN_UNKNOWN_KEY,
          "Unable to find a signing key in JWKS that matches the kid='x' " GENERATED_HINT "live, py-key" },
        { "{\"alg\":\"RS256\",\"kid\":\"a\\nb\\u00e9\"}", PAYLOAD, DREAM_TOKEN_UNKNOWN_KEY,
          "Unable to find a signing key in JWKS that matches the kid='a?b?"
          "?' " },
        { HEADER, "{\"exp\":1700000060}", DREAM_TOKEN_INVALID,
          "Subject claim (sub) is required and must be a string. Received undefined." },
        { HEADER, "{\"sub\":7,\"exp\":1700000060}", DREAM_TOKEN_INVALID,
          "Subject claim (sub) is required and must be a string. Received 7." },
        { HEADER, "{\"sub\":\"\",\"exp\":1700000060}", DREAM_TOKEN_INVALID,
          "Subject claim (sub) is required and must be a string. Received \"\"." },
        { HEADER, "{\"sub\":\"a\\nb\",\"exp\":1700000060}", DREAM_TOKEN_INVALID, "Subject claim (sub) is required" },
        { HEADER, "{\"sub\":\"user_1\"}", DREAM_TOKEN_INVALID,
          "Invalid JWT expiry date claim (exp) undefined. Expected number." },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":\"1700000060\"}", DREAM_TOKEN_INVALID,
          "Invalid JWT expiry date claim (exp) \"1700000060\". Expected number." },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1e300}", DREAM_TOKEN_INVALID,
          "Invalid JWT expiry date claim (exp) 1e+300." },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1e999}", DREAM_TOKEN_INVALID, "Invalid JWT expiry date claim (exp) " },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1699996400}", DREAM_TOKEN_INVALID,
          "JWT is expired. Expiry date: Tue, 14 Nov 2023 21:13:20 GMT, Current date: " NOW_TEXT "." },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1699999701}", DREAM_TOKEN_OK, "" },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1699999701.9}", DREAM_TOKEN_OK, "" },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1699999700}", DREAM_TOKEN_INVALID, "JWT is expired." },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":-9007199254740991}", DREAM_TOKEN_INVALID, "JWT is expired." },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":9007199254740991}", DREAM_TOKEN_OK, "" },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1700007200,\"nbf\":1700000300}", DREAM_TOKEN_OK, "" },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1700007200,\"nbf\":1700003600}", DREAM_TOKEN_INVALID,
          "JWT cannot be used prior to not before date claim (nbf). Not before date: Tue, 14 Nov 2023 23:13:20 GMT; "
          "Current date: " NOW_TEXT ";" },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1700007200,\"nbf\":1700000301}", DREAM_TOKEN_INVALID,
          "JWT cannot be used prior to not before date claim (nbf)." },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1700007200,\"nbf\":null}", DREAM_TOKEN_INVALID,
          "Invalid JWT not before date claim (nbf) null. Expected number." },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1700007200,\"iat\":1700000300}", DREAM_TOKEN_OK, "" },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1700007200,\"iat\":1700000301}", DREAM_TOKEN_INVALID,
          "JWT issued at date claim (iat) is in the future. Issued at date: Tue, 14 Nov 2023 22:18:21 GMT; Current "
          "date: " NOW_TEXT ";" },
        { HEADER, "{\"sub\":\"user_1\",\"exp\":1700007200,\"iat\":\"now\"}", DREAM_TOKEN_INVALID,
          "Invalid JWT issued at date claim (iat) \"now\". Expected number." },
        { HEADER, "{\"sub\":\"user_1\",\"sub\":\"user_2\",\"exp\":1700000060}", DREAM_TOKEN_INVALID,
          "Invalid JWT form." },
        { HEADER, "[\"user_1\"]", DREAM_TOKEN_INVALID, "Invalid JWT form. The payload is not a JSON object." },
        { HEADER, "{\"sub\":\"user_1\\u0000x\",\"exp\":1700000060}", DREAM_TOKEN_INVALID, "Invalid JWT form." },
        { "\"RS256\"", PAYLOAD, DREAM_TOKEN_INVALID, "Invalid JWT form. The header is not a JSON object." },
        { "{\"alg\":\"RS256\",\"kid\":\"live\",\"kid\":\"x\"}", PAYLOAD, DREAM_TOKEN_INVALID, "Invalid JWT form." },
    };
    char message[256];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        char *token = make_token(key, DREAM_RSA_SHA256, cases[i].header, cases[i].payload);
        size_t size = strlen(cases[i].message);

        assert_int_equal(verify(token, message), cases[i].status);
        if (strncmp(message, cases[i].message, size) != 0 || (size == 0 && message[0] != '\0'))
            fail_msg("row %zu: %s", i, message);
        free(token);
    }
}

static void test_token__bad_signature_is_refused(void **state)
{
    char *token = make_token(rogue, DREAM_RSA_SHA256, HEADER, PAYLOAD);
    char message[256];
    char *dot;

    (void)state;
    assert_int_equal(verify(token, message), DREAM_TOKEN_INVALID);
    assert_string_equal(message, "JWT signature is invalid.");
    /* No signature at all, and one of another length. */
    dot = strrchr(token, '.');
    dot[1] = '\0';
    assert_int_equal(verify(token, message), DREAM_TOKEN_INVALID);
    assert_string_equal(message, "JWT signature is invalid.");
    memcpy(dot + 1, "AAAA", 5);
    assert_int_equal(verify(token, message), DREAM_TOKEN_INVALID);
    assert_string_equal(message, "JWT signature is invalid.");
    free(token);
}

static void test_token__every_changed_character_is_refused(void **state)
{
    char *token = make_token(key, DREAM_RSA_SHA256, HEADER, PAYLOAD);
    size_t size = strlen(token);
    size_t i;

    (void)state;
    assert_int_equal(verify(token, NULL), DREAM_TOKEN_OK);
    for (i = 0; i < size; i++) {
        char was = token[i];

        token[i] = was == 'A' ? 'B' : 'A';
        if (verify(token, NULL) == DREAM_TOKEN_OK)
            fail_msg("character %zu", i);
        token[i] = was;
    }
    /* The last digit carries bits that say nothing: another spelling of the same signature is refused too. */
    token[size - 1]++;
    assert_int_not_equal(verify(token, NULL), DREAM_TOKEN_OK);
    free(token);
}

/* A set remembers the header of the first good token; others, before and after, are judged as if it did not. */
static void test_token__a_header_that_is_known_spares_no_other_check(void **state)
{
    static const char other[] = "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"rogue\"}";
    static const char twice[] = "{\"sub\":\"user_1\",\"exp\":1700000060,\"exp\":1700000060}";
    const struct {
        char *token;
        dream_token_status status;
        const char *message;
    } rows[] = {
        { make_token(key, DREAM_RSA_SHA256, HEADER, PAYLOAD), DREAM_TOKEN_OK, "" },
        { make_token(rogue, DREAM_RSA_SHA256, HEADER, PAYLOAD), DREAM_TOKEN_INVALID, "JWT signature is invalid." },
        { make_token(key, DREAM_RSA_SHA512, HEADER, PAYLOAD), DREAM_TOKEN_INVALID, "JWT signature is invalid." },
        { make_token(rogue, DREAM_RSA_SHA256, other, PAYLOAD), DREAM_TOKEN_OK, "" },
        { make_token(key, DREAM_RSA_SHA256, other, PAYLOAD), DREAM_TOKEN_INVALID, "JWT signature is invalid." },
        { make_token(key, DREAM_RSA_SHA256, HEADER, twice), DREAM_TOKEN_INVALID,
          "Invalid JWT form. The payload is not a JSON object." },
        { make_token(key, DREAM_RSA_SHA256, "{\"alg\":\"none\",\"kid\":\"live\"}", PAYLOAD), DREAM_TOKEN_INVALID,
          "Invalid JWT algorithm \"none\". Supported: RS256,RS384,RS512." },
    };
    dream_buffer text = DREAM_BUFFER_INIT;

    (void)state;
    dream_buffer_text(&text, "{\"keys\":[");
    append_jwk(&text, "live", key);
    dream_buffer_char(&text, ',');
    append_jwk(&text, "rogue", rogue);
    dream_buffer_text(&text, "]}");
    /* Each is the first once, and meets what that one left behind twice. */
    for (size_t first = 0; first < COUNT(rows); first++) {
        dream_jwks *set = dream_jwks_parse(text.data, text.size);

        for (size_t i = 0; i < 2 * COUNT(rows); i++) {
            size_t row = (first + i) % COUNT(rows);
            dream_claims *claims;
            char message[256];

            if (dream_token_verify(rows[row].token, set, &rules, &claims, message) != rows[row].status
                || strcmp(message, rows[row].message) != 0)
                fail_msg("row %zu after row %zu: %s", row, first, message);
            dream_claims_unref(claims);
        }
        dream_jwks_unref(set);
    }
    for (size_t row = 0; row < COUNT(rows); row++)
        free(rows[row].token);
    dream_buffer_clear(&text);
}

static void test_token__malformed_texts_are_refused(void **state)
{
    static const struct {
        const char *token, *message;
    } cases[] = {
        { "", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "not-a-jwt", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "a.b", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "a.b.c.d", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "..", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "...", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { ".e30.", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "e30..", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "e30.e30.\n", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { " e30.e30.", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "e30.e3\x7f.", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "e30.e3\xc3\xa9.", "Invalid JWT form. A JWT consists of three parts separated by dots." },
        { "a.b.c", "Unexpected end of data" },
        { "e30=.e30.", "Unexpected end of data" },
        { "e30.e+0.", "Unexpected end of data" },
        { "e30.e30.!", "Unexpected end of data" },
        { "eA.e30.", "Invalid JWT form. The header is not a JSON object." },
        { "e30.eA.", "Invalid JWT form. The payload is not a JSON object." },
    };
    char message[256];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        assert_int_equal(verify(cases[i].token, message), DREAM_TOKEN_INVALID);
        if (strcmp(message, cases[i].message) != 0)
            fail_msg("row %zu: %s", i, message);
    }
    assert_int_equal(verify(NULL, message), DREAM_TOKEN_INVALID);
}

static void test_token__size_is_bounded(void **state)
{
    dream_buffer payload = DREAM_BUFFER_INIT;
    char *token;
    size_t size;

    (void)state;
    /* Grow the payload until the token is exactly as long as allowed, or a little less. */
    for (size = 11000; size < 13000; size++) {
        char message[256];

        dream_buffer_printf(&payload, "{\"sub\":\"user_1\",\"exp\":1700000060,\"x\":\"%0*d\"}", (int)size, 1);
        token = make_token(key, DREAM_RSA_SHA256, HEADER, dream_buffer_str(&payload));
        dream_buffer_clear(&payload);
        if (strlen(token) < DREAM_TOKEN_MAX_SIZE - 4) {
            size += (DREAM_TOKEN_MAX_SIZE - strlen(token)) * 3 / 4 - 3;
            free(token);
            continue;
        }
        if (strlen(token) <= DREAM_TOKEN_MAX_SIZE) {
            assert_int_equal(verify(token, message), DREAM_TOKEN_OK);
            free(token);
            continue;
        }
        assert_int_equal(verify(token, message), DREAM_TOKEN_INVALID);
        assert_string_equal(message, "Invalid JWT form. A JWT consists of three parts separated by dots.");
        free(token);
        return;
    }
    fail_msg("no token was too long");
}

static void test_token__without_a_key_set_every_key_is_unknown(void **state)
{
    char *token = make_token(key, DREAM_RSA_SHA256, HEADER, PAYLOAD);
    dream_claims *claims;
    char message[256];

    (void)state;
    assert_int_equal(dream_token_verify(token, NULL, &rules, &claims, message), DREAM_TOKEN_UNKNOWN_KEY);
    assert_null(claims);
    assert_non_null(strstr(message, "kid='live'"));
    free(token);
    /* Fetching keys cannot help these. */
    assert_int_equal(dream_token_verify("a.b.c", NULL, &rules, &claims, message), DREAM_TOKEN_INVALID);
    token = make_token(key, DREAM_RSA_SHA256, "{\"alg\":\"RS256\"}", PAYLOAD);
    assert_int_equal(dream_token_verify(token, NULL, &rules, &claims, message), DREAM_TOKEN_INVALID);
    free(token);
}

static void test_token__long_texts_do_not_overflow_the_message(void **state)
{
    char kid[400], header[500], message[256 + 1];
    char *token;

    (void)state;
    memset(kid, 'k', sizeof(kid) - 1);
    kid[sizeof(kid) - 1] = '\0';
    snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid);
    token = make_token(key, DREAM_RSA_SHA256, header, PAYLOAD);
    message[256] = '#';
    assert_int_equal(verify(token, message), DREAM_TOKEN_UNKNOWN_KEY);
    assert_true(strlen(message) < 256);
    assert_int_equal(message[256], '#');
    free(token);
}

static void test_token__claims_are_read_nested_then_flat(void **state)
{
    static const struct {
        const char *members, *publishable_key, *plan, *email;
    } cases[] = {
        { "\"publicMetadata\":{\"publishableKey\":\"n\",\"plan\":\"pro\"},\"publishableKey\":\"f\",\"plan\":\"free\"",
          "n", "pro", NULL },
        { "\"publishableKey\":\"f\",\"plan\":\"free\",\"email\":\"e\"", "f", "free", "e" },
        { "\"public_metadata\":{\"publishableKey\":\"s\",\"plan\":\"pro\",\"email\":\"m\"}", "s", "pro", "m" },
        { "\"publicMetadata\":{\"plan\":\"pro\"},\"public_metadata\":{\"plan\":\"x\"},\"publishableKey\":\"f\"", "f",
          "pro", NULL },
        { "\"publicMetadata\":null,\"plan\":\"free\"", NULL, "free", NULL },
        { "\"publicMetadata\":\"text\",\"plan\":7,\"publishableKey\":null", NULL, NULL, NULL },
        { "\"publicMetadata\":{\"plan\":\"\"},\"plan\":\"free\",\"email\":\"\"", NULL, "free", NULL },
        { "\"email\":\"e\",\"publicMetadata\":{\"email\":\"m\"},\"primary_email\":\"p\"", NULL, NULL, "e" },
        { "\"publicMetadata\":{\"email\":\"m\"},\"primary_email\":\"p\"", NULL, NULL, "m" },
        { "\"primary_email\":\"p\"", NULL, NULL, "p" },
        { "\"x\":1", NULL, NULL, NULL },
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        const char *expected[3] = { cases[i].publishable_key, cases[i].plan, cases[i].email };
        dream_claims *claims;
        const char *read[3];
        char payload[400];
        char *token;
        size_t j;

        snprintf(payload, sizeof(payload), "{\"sub\":\"user_1\",\"exp\":1700000060,%s}", cases[i].members);
        token = make_token(key, DREAM_RSA_SHA256, HEADER, payload);
        assert_int_equal(dream_token_verify(token, jwks, &rules, &claims, NULL), DREAM_TOKEN_OK);
        read[0] = claims->publishable_key;
        read[1] = claims->plan;
        read[2] = claims->email;
        for (j = 0; j < 3; j++) {
            if ((read[j] == NULL) != (expected[j] == NULL) || (read[j] != NULL && strcmp(read[j], expected[j]) != 0))
                fail_msg("row %zu, value %zu: %s", i, j, read[j] != NULL ? read[j] : "(none)");
        }
        assert_string_equal(claims->json, payload);
        assert_null(claims->session_id);
        assert_int_equal(claims->issued_at_s, 0);
        dream_claims_unref(claims);
        free(token);
    }
}

/* ---- rules ---- */

static void test_token__rules_are_about_issuer_audience_party_and_project(void **state)
{
#define OWN                                                                                                            \
    PAYLOAD_OPEN ",\"iss\":\"https://i\",\"aud\":[\"shop\",\"back\"],\"azp\":\"https://"                               \
                 "a\",\"publishableKey\":\"pk_1\"}"
#define PAYLOAD_OPEN "{\"sub\":\"user_1\",\"exp\":1700000060"
    static const char *const parties[] = { "https://b", "https://a", NULL }, *const none[] = { NULL };
    static const char *const keys[] = { "pk_0", "pk_1", NULL }, *const others[] = { "pk_2", NULL };
    const struct {
        const char *payload;
        dream_token_rules rules;
        dream_token_status status;
    } cases[] = {
        { OWN, { .issuer = NULL }, DREAM_TOKEN_OK },
        { OWN, { .issuer = "https://i" }, DREAM_TOKEN_OK },
        { OWN, { .issuer = "https://j" }, DREAM_TOKEN_INVALID },
        { OWN, { .issuer = "https://" }, DREAM_TOKEN_INVALID },
        { PAYLOAD, { .issuer = "https://i" }, DREAM_TOKEN_INVALID },
        { OWN, { .audience = "shop" }, DREAM_TOKEN_OK },
        { OWN, { .audience = "back" }, DREAM_TOKEN_OK },
        { OWN, { .audience = "sho" }, DREAM_TOKEN_INVALID },
        { OWN, { .audience = "shop\nback" }, DREAM_TOKEN_OK }, /* the caller's own text; no token can say this */
        { PAYLOAD_OPEN ",\"aud\":\"shop\"}", { .audience = "shop" }, DREAM_TOKEN_OK },
        { PAYLOAD_OPEN ",\"aud\":\"x\\nshop\"}", { .audience = "shop" }, DREAM_TOKEN_INVALID },
        { PAYLOAD_OPEN ",\"aud\":[[\"shop\"],{\"a\":\"shop\"},7]}", { .audience = "shop" }, DREAM_TOKEN_INVALID },
        { PAYLOAD, { .audience = "shop" }, DREAM_TOKEN_INVALID },
        { PAYLOAD, { .audience = "" }, DREAM_TOKEN_INVALID },
        { OWN, { .authorized_parties = parties }, DREAM_TOKEN_OK },
        { OWN, { .authorized_parties = none }, DREAM_TOKEN_INVALID },
        { PAYLOAD, { .authorized_parties = parties }, DREAM_TOKEN_INVALID },
        { PAYLOAD_OPEN ",\"azp\":\"https://c\"}", { .authorized_parties = parties }, DREAM_TOKEN_INVALID },
        { OWN, { .publishable_keys = keys }, DREAM_TOKEN_OK },
        { OWN, { .publishable_keys = others }, DREAM_TOKEN_FOREIGN },
        { PAYLOAD, { .publishable_keys = keys }, DREAM_TOKEN_FOREIGN },
        /* Nested goes before flat. */
        { PAYLOAD_OPEN ",\"publishableKey\":\"pk_1\",\"publicMetadata\":{\"publishableKey\":\"pk_2\"}}",
          { .publishable_keys = keys },
          DREAM_TOKEN_FOREIGN },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *token = make_token(key, DREAM_RSA_SHA256, HEADER, cases[i].payload);
        dream_token_rules asked = cases[i].rules;
        dream_claims *claims = NULL;
        char message[256] = "";

        asked.now_wall_ms = NOW_MS;
        if (dream_token_verify(token, jwks, &asked, &claims, message) != cases[i].status)
            fail_msg("row %zu: %s", i, message);
        assert_int_equal(message[0] == '\0', cases[i].status == DREAM_TOKEN_OK);
        dream_claims_unref(claims);
        /* Of a token that was verified before, the same rules are asked. */
        assert_int_equal(dream_token_verify(token, jwks, &rules, &claims, NULL), DREAM_TOKEN_OK);
        assert_int_equal(dream_claims_check(claims, &asked, message), cases[i].status);
        dream_claims_unref(claims);
        free(token);
    }
}

static void test_token__the_skew_is_the_callers(void **state)
{
    dream_token_rules asked = { .now_wall_ms = (NOW + 60) * 1000 - 1 };
    char *token = make_token(key, DREAM_RSA_SHA256, HEADER, PAYLOAD);
    dream_claims *claims = NULL;

    (void)state;
    assert_int_equal(dream_token_verify(token, jwks, &asked, &claims, NULL), DREAM_TOKEN_OK);
    asked.now_wall_ms++;
    assert_int_equal(dream_claims_check(claims, &asked, NULL), DREAM_TOKEN_INVALID);
    asked.skew_ms = 1;
    assert_int_equal(dream_claims_check(claims, &asked, NULL), DREAM_TOKEN_OK);
    dream_claims_unref(claims);
    free(token);
}

/* ---- keys ---- */

static void test_token__the_key_decides_on_the_algorithm(void **state)
{
    static const struct {
        const char *set, *header;
        bool is_good;
    } cases[] = {
        { "\"alg\":\"RS256\",", "{\"alg\":\"RS256\",\"kid\":\"k\"}", true },
        { "\"alg\":\"RS512\",", "{\"alg\":\"RS256\",\"kid\":\"k\"}", false },
        { "", "{\"alg\":\"ES256\",\"kid\":\"k\"}", false },
        { "\"alg\":\"ES256\",", "{\"alg\":\"RS256\",\"kid\":\"k\"}", false },
        { "\"alg\":\"ES256\",", "{\"alg\":\"ES256\",\"kid\":\"k\"}", false },
        { "", "{\"alg\":\"HS256\",\"kid\":\"k\"}", false },
        { "", "{\"alg\":\"none\",\"kid\":\"k\"}", false },
    };
    dream_buffer n = DREAM_BUFFER_INIT, n64 = DREAM_BUFFER_INIT, e = DREAM_BUFFER_INIT;

    (void)state;
    assert_true(dream_rsa_public_parts(key, &n, &e));
    dream_base64url_encode(&n64, n.data, n.size);
    for (size_t i = 0; i < COUNT(cases); i++) {
        dream_buffer text = DREAM_BUFFER_INIT;
        char *token = make_token(key, DREAM_RSA_SHA256, cases[i].header, PAYLOAD);
        dream_claims *claims = NULL;
        dream_jwks *set;

        dream_buffer_printf(&text, "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k\",%s\"e\":\"AQAB\",\"n\":\"%s\"}]}",
                            cases[i].set, n64.data);
        set = dream_jwks_parse(text.data, text.size);
        assert_non_null(set);
        if ((dream_token_verify(token, set, &rules, &claims, NULL) == DREAM_TOKEN_OK) != cases[i].is_good)
            fail_msg("row %zu", i);
        dream_claims_unref(claims);
        dream_jwks_unref(set);
        dream_buffer_clear(&text);
        free(token);
    }
    dream_buffer_clear(&n);
    dream_buffer_clear(&n64);
    dream_buffer_clear(&e);
}

static void test_token__a_key_from_pem_takes_any_kid_but_no_other_algorithm(void **state)
{
    static const struct {
        const char *header;
        bool is_good;
    } cases[] = {
        { "{\"alg\":\"RS256\"}", true },
        { "{\"alg\":\"RS256\",\"kid\":\"any\"}", true },
        { "{}", false },
        { "{\"typ\":\"JWT\"}", false },
        { "{\"alg\":\"ES256\"}", false },
        { "{\"alg\":\"none\"}", false },
        { "{\"alg\":\"HS256\"}", false },
        { "{\"kid\":\"any\"}", false },
    };
    dream_buffer pem = DREAM_BUFFER_INIT;
    dream_jwks *set;

    (void)state;
    assert_true(dream_rsa_public_pem(key, &pem));
    set = dream_jwks_from_pem(pem.data);
    assert_non_null(set);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *token = make_token(key, DREAM_RSA_SHA256, cases[i].header, PAYLOAD);
        dream_claims *claims = NULL;

        if ((dream_token_verify(token, set, &rules, &claims, NULL) == DREAM_TOKEN_OK) != cases[i].is_good)
            fail_msg("row %zu", i);
        dream_claims_unref(claims);
        free(token);
    }
    dream_jwks_unref(set);
    dream_buffer_clear(&pem);
}

static void test_token__es256_signed_elsewhere(void **state)
{
    static const char text[] = "{\"keys\":[" VECTOR_EC_JWK "]}";
    dream_jwks *sets[] = { dream_jwks_parse(text, sizeof(text) - 1), dream_jwks_from_pem(VECTOR_EC_PEM) };

    (void)state;
    for (size_t i = 0; i < COUNT(sets); i++) {
        dream_claims *claims = NULL;
        char *token = strdup(VECTOR_EC_JWT);
        size_t size = strlen(token);

        assert_int_equal(dream_jwks_count(sets[i]), 1);
        assert_int_equal(dream_token_verify(token, sets[i], &rules, &claims, NULL), DREAM_TOKEN_OK);
        assert_string_equal(claims->user_id, "user_ec");
        dream_claims_unref(claims);
        /* The last character has two bits of nothing, which must be zero. */
        for (size_t at = size - 86; at < size; at++) {
            char before = token[at];

            token[at] = before == 'A' ? 'B' : 'A';
            assert_int_equal(dream_token_verify(token, sets[i], &rules, &claims, NULL), DREAM_TOKEN_INVALID);
            token[at] = before;
        }
        token[size - 1] = '\0';
        assert_int_equal(dream_token_verify(token, sets[i], &rules, &claims, NULL), DREAM_TOKEN_INVALID);
        free(token);
        dream_jwks_unref(sets[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token__verifies_one_signed_elsewhere),
        cmocka_unit_test(test_token__verifies_each_hash),
        cmocka_unit_test(test_token__refuses_in_the_words_of_the_contract),
        cmocka_unit_test(test_token__bad_signature_is_refused),
        cmocka_unit_test(test_token__every_changed_character_is_refused),
        cmocka_unit_test(test_token__a_header_that_is_known_spares_no_other_check),
        cmocka_unit_test(test_token__malformed_texts_are_refused),
        cmocka_unit_test(test_token__size_is_bounded),
        cmocka_unit_test(test_token__without_a_key_set_every_key_is_unknown),
        cmocka_unit_test(test_token__long_texts_do_not_overflow_the_message),
        cmocka_unit_test(test_token__claims_are_read_nested_then_flat),
        cmocka_unit_test(test_token__rules_are_about_issuer_audience_party_and_project),
        cmocka_unit_test(test_token__the_skew_is_the_callers),
        cmocka_unit_test(test_token__the_key_decides_on_the_algorithm),
        cmocka_unit_test(test_token__a_key_from_pem_takes_any_kid_but_no_other_algorithm),
        cmocka_unit_test(test_token__es256_signed_elsewhere),
    };

    return cmocka_run_group_tests_name("token", tests, make_keys, free_keys);
}
