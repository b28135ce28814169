/* SPDX-License-Identifier: Apache-2.0 */
/* test_token.c - tokens good and bad, the words of each refusal (wire cases jwt-*), and the cache of verified ones. */
#include "common/token.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/encoding.h"
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
    dream_token_status status = dream_token_verify(token, jwks, NOW_MS, &claims, message);

    assert_int_equal(status == DREAM_TOKEN_OK, claims != NULL);
    dream_claims_free(claims);
    return status;
}

static void test_token__verifies_one_signed_elsewhere(void **state)
{
    dream_claims *claims;
    char message[256] = "old";

    (void)state;
    assert_int_equal(dream_token_verify(VECTOR_JWT, jwks, NOW_MS, &claims, message), DREAM_TOKEN_OK);
    assert_string_equal(message, "");
    assert_string_equal(claims->user_id, "user_py");
    assert_string_equal(claims->email, "py@example.test");
    assert_string_equal(claims->publishable_key, "pk_live_1");
    assert_string_equal(claims->plan, "pro");
    assert_string_equal(claims->session_id, "sess_1");
    assert_int_equal(claims->issued_at_s, 1700000000);
    assert_int_equal(claims->expires_at_s, 1700000060);
    assert_int_equal(strncmp(claims->json, "{\"sub\":\"user_py\",", 17), 0);
    dream_claims_free(claims);
    dream_claims_free(NULL);
    assert_int_equal(dream_token_verify(VECTOR_JWT, jwks, NOW_MS, &claims, NULL), DREAM_TOKEN_OK);
    dream_claims_free(claims);
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
    assert_int_equal(dream_token_verify(token, NULL, NOW_MS, &claims, message), DREAM_TOKEN_UNKNOWN_KEY);
    assert_null(claims);
    assert_non_null(strstr(message, "kid='live'"));
    free(token);
    /* Fetching keys cannot help these. */
    assert_int_equal(dream_token_verify("a.b.c", NULL, NOW_MS, &claims, message), DREAM_TOKEN_INVALID);
    token = make_token(key, DREAM_RSA_SHA256, "{\"alg\":\"RS256\"}", PAYLOAD);
    assert_int_equal(dream_token_verify(token, NULL, NOW_MS, &claims, message), DREAM_TOKEN_INVALID);
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
        assert_int_equal(dream_token_verify(token, jwks, NOW_MS, &claims, NULL), DREAM_TOKEN_OK);
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
        dream_claims_free(claims);
        free(token);
    }
}

/* ---- cache ---- */

static dream_claims sample(const char *user_id, int64_t expires_at_s)
{
    dream_claims claims = { 0 };

    claims.user_id = (char *)(uintptr_t)user_id;
    claims.json = (char *)(uintptr_t) "{}";
    claims.expires_at_s = expires_at_s;
    return claims;
}

static void put(dream_token_cache *cache, const char *realm, const char *token, int64_t expires_at_s)
{
    dream_claims claims = sample(token, expires_at_s);

    dream_token_cache_put(cache, realm, token, &claims);
}

static bool has(dream_token_cache *cache, const char *realm, const char *token, int64_t now_s)
{
    dream_claims *claims = NULL;
    bool is_known = dream_token_cache_get(cache, realm, token, now_s * 1000, &claims);

    assert_int_equal(is_known, claims != NULL);
    if (is_known)
        assert_string_equal(claims->user_id, token);
    dream_claims_free(claims);
    return is_known;
}

static void test_cache__answers_with_copies(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(4);
    char user[] = "user_1", plan[] = "pro", json[] = "{}", email[] = "e", pk[] = "pk", sid[] = "s";
    dream_claims claims = { user, email, pk, plan, sid, json, 5, NOW };
    dream_claims *found;

    (void)state;
    dream_token_cache_put(cache, "live", "token", &claims);
    user[0] = plan[0] = email[0] = pk[0] = sid[0] = json[0] = '#';
    assert_true(dream_token_cache_get(cache, "live", "token", NOW_MS, &found));
    assert_string_equal(found->user_id, "user_1");
    assert_string_equal(found->email, "e");
    assert_string_equal(found->publishable_key, "pk");
    assert_string_equal(found->plan, "pro");
    assert_string_equal(found->session_id, "s");
    assert_string_equal(found->json, "{}");
    assert_int_equal(found->issued_at_s, 5);
    assert_int_equal(found->expires_at_s, NOW);
    dream_token_cache_free(cache);
    assert_string_equal(found->user_id, "user_1"); /* outlives the cache */
    dream_claims_free(found);
    dream_token_cache_free(NULL);
}

static void test_cache__keeps_realms_and_tokens_apart(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(8);

    (void)state;
    put(cache, "live", "a", NOW);
    assert_true(has(cache, "live", "a", NOW));
    assert_false(has(cache, "test", "a", NOW));
    assert_false(has(cache, "live", "b", NOW));
    assert_false(has(cache, "livea", "", NOW));
    assert_false(has(cache, "liv", "ea", NOW));
    dream_token_cache_free(cache);
}

static void test_cache__entry_answers_until_expiry_and_skew(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(8);

    (void)state;
    put(cache, "live", "a", NOW);
    assert_true(has(cache, "live", "a", NOW + DREAM_TOKEN_SKEW_S - 1));
    assert_false(has(cache, "live", "a", NOW + DREAM_TOKEN_SKEW_S));
    /* It is gone for good, even if the clock steps back. */
    assert_false(has(cache, "live", "a", NOW));
    dream_token_cache_free(cache);
}

static void test_cache__drops_the_expired_first_then_the_oldest(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(3);

    (void)state;
    put(cache, "live", "long", NOW + 5000);
    put(cache, "live", "short", NOW);
    put(cache, "live", "middle", NOW + 3000);
    assert_false(has(cache, "live", "other", NOW + 1000)); /* tells the time: "short" has expired */
    put(cache, "live", "new", NOW + 2000);
    assert_true(has(cache, "live", "long", NOW + 1000));
    assert_true(has(cache, "live", "middle", NOW + 1000));
    assert_true(has(cache, "live", "new", NOW + 1000));
    put(cache, "live", "newer", NOW + 2000);
    assert_false(has(cache, "live", "long", NOW + 1000));
    assert_true(has(cache, "live", "middle", NOW + 1000));
    assert_true(has(cache, "live", "new", NOW + 1000));
    assert_true(has(cache, "live", "newer", NOW + 1000));
    dream_token_cache_free(cache);
}

static void test_cache__put_again_replaces(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(2);

    (void)state;
    put(cache, "live", "a", NOW);
    put(cache, "live", "b", NOW + 1000);
    put(cache, "live", "a", NOW + 1000);
    assert_true(has(cache, "live", "a", NOW + 1000));
    assert_true(has(cache, "live", "b", NOW + 1000));
    /* "a" is now the newer of the two. */
    put(cache, "live", "c", NOW + 1000);
    assert_true(has(cache, "live", "a", NOW + 1000));
    assert_false(has(cache, "live", "b", NOW + 1000));
    dream_token_cache_free(cache);
}

static void test_cache__forgets_one_realm(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(100);
    char token[20];
    int i;

    (void)state;
    for (i = 0; i < 40; i++) {
        snprintf(token, sizeof(token), "token-%d", i);
        put(cache, i % 2 == 0 ? "live" : "test", token, NOW + (i * 7) % 40);
    }
    dream_token_cache_forget(cache, "live");
    dream_token_cache_forget(cache, "unheard of");
    for (i = 0; i < 40; i++) {
        snprintf(token, sizeof(token), "token-%d", i);
        assert_int_equal(has(cache, i % 2 == 0 ? "live" : "test", token, NOW), i % 2 == 1);
    }
    put(cache, "live", "again", NOW);
    assert_true(has(cache, "live", "again", NOW));
    dream_token_cache_free(cache);
}

static void test_cache__of_no_entries_keeps_nothing(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(0);

    (void)state;
    put(cache, "live", "a", NOW);
    assert_false(has(cache, "live", "a", NOW));
    dream_token_cache_forget(cache, "live");
    dream_token_cache_free(cache);
}

/* Compares the cache with a plain array over many steps, so that heap, list and chains must stay in step. */
static void test_cache__agrees_with_a_simple_model(void **state)
{
    enum { TOKENS = 40, ROOM = 13, STEPS = 6000 };
    dream_token_cache *cache = dream_token_cache_new(ROOM);
    struct {
        int64_t expires_at_s; /* 0: not there */
        int put_at;
    } model[TOKENS] = { { 0, 0 } };
    uint32_t random = 12345;
    int64_t now = NOW;
    char token[20];
    int step, i;

    (void)state;
    for (step = 1; step <= STEPS; step++) {
        int which, count = 0, expired = -1, oldest = -1;
        bool is_put;

        random = random * 1664525 + 1013904223;
        which = (int)(random >> 16) % TOKENS;
        is_put = (random >> 8 & 3) == 0;
        now += random >> 28;
        snprintf(token, sizeof(token), "token-%d", which);
        if (model[which].expires_at_s != 0 && model[which].expires_at_s + DREAM_TOKEN_SKEW_S <= now)
            model[which].expires_at_s = 0;
        if (has(cache, "live", token, now) != (model[which].expires_at_s != 0))
            fail_msg("step %d", step);
        if (!is_put)
            continue;
        for (i = 0; i < TOKENS; i++) {
            if (model[i].expires_at_s == 0)
                continue;
            count++;
            if (expired < 0 || model[i].expires_at_s < model[expired].expires_at_s)
                expired = i;
            if (oldest < 0 || model[i].put_at < model[oldest].put_at)
                oldest = i;
        }
        if (model[which].expires_at_s == 0 && count == ROOM)
            model[model[expired].expires_at_s + DREAM_TOKEN_SKEW_S <= now ? expired : oldest].expires_at_s = 0;
        /* Distinct times: which of two equals goes first is nobody's business. */
        model[which].expires_at_s = now - DREAM_TOKEN_SKEW_S + 1 + (int64_t)(random % 97) * 41 + which;
        model[which].put_at = step;
        put(cache, "live", token, model[which].expires_at_s);
    }
    dream_token_cache_free(cache);
}

static atomic_int wrong_answers;

static void *use_cache(void *argument)
{
    dream_token_cache *cache = argument;
    char token[20];
    int i;

    for (i = 0; i < 2000; i++) {
        dream_claims claims, *found;

        snprintf(token, sizeof(token), "token-%d", i % 37);
        if (dream_token_cache_get(cache, "live", token, NOW_MS, &found)) {
            if (strcmp(found->user_id, token) != 0)
                atomic_fetch_add(&wrong_answers, 1);
            dream_claims_free(found);
        } else {
            claims = sample(token, NOW);
            dream_token_cache_put(cache, "live", token, &claims);
        }
        if (i % 501 == 500)
            dream_token_cache_forget(cache, "live");
    }
    return NULL;
}

static void test_cache__serves_many_threads(void **state)
{
    dream_token_cache *cache = dream_token_cache_new(16);
    pthread_t threads[4];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, cache), 0);
    for (i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&wrong_answers), 0);
    dream_token_cache_free(cache);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token__verifies_one_signed_elsewhere),
        cmocka_unit_test(test_token__verifies_each_hash),
        cmocka_unit_test(test_token__refuses_in_the_words_of_the_contract),
        cmocka_unit_test(test_token__bad_signature_is_refused),
        cmocka_unit_test(test_token__every_changed_character_is_refused),
        cmocka_unit_test(test_token__malformed_texts_are_refused),
        cmocka_unit_test(test_token__size_is_bounded),
        cmocka_unit_test(test_token__without_a_key_set_every_key_is_unknown),
        cmocka_unit_test(test_token__long_texts_do_not_overflow_the_message),
        cmocka_unit_test(test_token__claims_are_read_nested_then_flat),
        cmocka_unit_test(test_cache__answers_with_copies),
        cmocka_unit_test(test_cache__keeps_realms_and_tokens_apart),
        cmocka_unit_test(test_cache__entry_answers_until_expiry_and_skew),
        cmocka_unit_test(test_cache__drops_the_expired_first_then_the_oldest),
        cmocka_unit_test(test_cache__put_again_replaces),
        cmocka_unit_test(test_cache__forgets_one_realm),
        cmocka_unit_test(test_cache__of_no_entries_keeps_nothing),
        cmocka_unit_test(test_cache__agrees_with_a_simple_model),
        cmocka_unit_test(test_cache__serves_many_threads),
    };

    return cmocka_run_group_tests_name("token", tests, make_keys, free_keys);
}
