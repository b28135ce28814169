/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_token.c - end users' tokens. Inputs that begin with "{" are a header and, on the next line, a payload, which are signed here;
 * others are a whole token, held against a key of which one signature is known. Only what was signed verifies, with its own key
 * alone, and not with any character changed. */
#include "fuzz.h"

#include "common/encoding.h"
#include "common/json.h"
#include "common/rsa.h"
#include "common/token.h"
#include "unit/common/rsa_vectors.h"

enum { NOW_S = 1700000000 };
static const dream_token_rules rules = { .now_wall_ms = (int64_t)NOW_S * 1000, .skew_ms = DREAM_TOKEN_SKEW_S * 1000 };

static dream_rsa_key *signer;
static dream_jwks *own;   /* the signer's public key as "k" */
static dream_jwks *other; /* another key under the same name */
static dream_jwks *known; /* that of rsa_vectors.h as "py-key" */

static dream_jwks *set_of(const dream_rsa_key *key)
{
    dream_buffer modulus = DREAM_BUFFER_INIT, exponent = DREAM_BUFFER_INIT, text = DREAM_BUFFER_INIT;
    dream_jwks *jwks;

    FUZZ_CHECK(dream_rsa_public_parts(key, &modulus, &exponent));
    dream_buffer_text(&text, "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"");
    dream_base64url_encode(&text, modulus.data, modulus.size);
    dream_buffer_text(&text, "\",\"e\":\"");
    dream_base64url_encode(&text, exponent.data, exponent.size);
    dream_buffer_text(&text, "\"}]}");
    jwks = dream_jwks_parse(text.data, text.size);
    FUZZ_CHECK(jwks != NULL && dream_jwks_count(jwks) == 1);
    dream_buffer_clear(&modulus);
    dream_buffer_clear(&exponent);
    dream_buffer_clear(&text);
    return jwks;
}

/* New ones in each run: inputs hold no signature of theirs. */
static void make_keys(void)
{
    static const char vector[] =
        "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"py-key\",\"n\":\"" VECTOR_MODULUS "\",\"e\":\"" VECTOR_EXPONENT "\"}]}";
    dream_rsa_key *stranger;

    if (signer != NULL)
        return;
    signer = dream_rsa_generate(2048);
    stranger = dream_rsa_generate(2048);
    known = dream_jwks_parse(vector, strlen(vector));
    FUZZ_CHECK(signer != NULL && stranger != NULL && known != NULL);
    own = set_of(signer);
    other = set_of(stranger);
    dream_rsa_free(stranger);
}

static void sign(dream_buffer *text, dream_rsa_hash hash)
{
    dream_buffer signature = DREAM_BUFFER_INIT;

    FUZZ_CHECK(dream_rsa_sign(signer, hash, text->data, text->size, &signature));
    dream_buffer_char(text, '.');
    dream_base64url_encode(text, signature.data, signature.size);
    dream_buffer_clear(&signature);
}

/* PKCS#1 v1.5 signatures are deterministic: there is one for each hash. */
static bool is_signed_by_us(const char *token)
{
    size_t signed_size = (size_t)(strrchr(token, '.') - token);
    bool is_found = false;

    for (int hash = DREAM_RSA_SHA256; hash <= DREAM_RSA_SHA512 && !is_found; hash++) {
        dream_buffer text = DREAM_BUFFER_INIT;
        dream_buffer_append(&text, token, signed_size);
        sign(&text, (dream_rsa_hash)hash);
        is_found = strcmp(dream_buffer_str(&text), token) == 0;
        dream_buffer_clear(&text);
    }
    return is_found;
}

static void check_claims(const dream_claims *claims, const char *token)
{
    bool out_of_memory;
    cJSON *payload = dream_json_parse(claims->json, strlen(claims->json), &out_of_memory);
    const char *subject = dream_json_string(payload, "sub");

    FUZZ_CHECK(is_signed_by_us(token));
    FUZZ_CHECK(subject != NULL && strcmp(subject, claims->user_id) == 0 && subject[0] != '\0');
    FUZZ_CHECK(claims->expires_at_s >= NOW_S - DREAM_TOKEN_SKEW_S);
    FUZZ_CHECK(claims->issued_at_s <= NOW_S + DREAM_TOKEN_SKEW_S);
    cJSON_Delete(payload);
}

static void try_signed(char *token, size_t at)
{
    char message[256];
    dream_claims *claims = NULL;
    dream_token_status status = dream_token_verify(token, own, &rules, &claims, message);

    FUZZ_CHECK(status != DREAM_TOKEN_NOMEM);
    FUZZ_CHECK((status == DREAM_TOKEN_OK) == (claims != NULL));
    if (status == DREAM_TOKEN_OK)
        check_claims(claims, token);
    dream_claims_unref(claims);
    FUZZ_CHECK(dream_token_verify(token, other, &rules, &claims, message) != DREAM_TOKEN_OK);
    FUZZ_CHECK(dream_token_verify(token, NULL, &rules, &claims, NULL) != DREAM_TOKEN_OK);
    token[at % strlen(token)] ^= 1;
    FUZZ_CHECK(dream_token_verify(token, own, &rules, &claims, message) != DREAM_TOKEN_OK);
}

static void try_as_sent(const char *token)
{
    char message[256];
    dream_claims *claims = NULL;

    if (dream_token_verify(token, known, &rules, &claims, message) == DREAM_TOKEN_OK)
        FUZZ_CHECK(strcmp(token, VECTOR_JWT) == 0);
    dream_claims_unref(claims);
}

static char *make_token(char *text)
{
    dream_buffer token = DREAM_BUFFER_INIT;
    char *rest = text;
    const char *header = fuzz_line(&rest);

    dream_base64url_encode(&token, header, strlen(header));
    dream_buffer_char(&token, '.');
    if (rest != NULL)
        dream_base64url_encode(&token, rest, strlen(rest));
    sign(&token, strstr(header, "512")   ? DREAM_RSA_SHA512
                 : strstr(header, "384") ? DREAM_RSA_SHA384
                                         : DREAM_RSA_SHA256);
    return dream_buffer_take(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *token;

    make_keys();
    try_as_sent(text);
    if (text[0] == '{') {
        token = make_token(text);
        try_signed(token, size * 7919);
        free(token);
    }
    free(text);
    return 0;
}
