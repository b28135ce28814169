/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - what verifying a token costs: one seen before, beside hashing it, and new ones, beside the bare check of their signatures.
 * token [--smoke]. Keys are given, so that nothing is fetched; tokens are as large as Clerk makes them. */
#include <dreamapi.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "common/crypto.h"
#include "common/encoding.h"
#include "common/p256.h"
#include "common/rsa.h"

/* A slice takes new tokens only, so there is one for each. */
enum { RSA_SLICE = 25, P256_SLICE = 4, SMOKE_SLICE = 4, ROUNDS = 101, SMOKE_ROUNDS = 3 };

#define PAYLOAD                                                                                                        \
    "{\"azp\":\"https://shop.example.test\",\"email\":\"ada@example.test\",\"exp\":4102444800,\"iat\":1700000000,"     \
    "\"iss\":\"https://clerk.example.test\",\"jti\":\"%08d\",\"nbf\":1700000000,\"plan\":\"pro\","                     \
    "\"publicMetadata\":{\"plan\":\"pro\",\"publishableKey\":\"pk_live_1\"},\"publishableKey\":\"pk_live_1\","         \
    "\"sid\":\"sess_2abcdefghijklmnopqrstuvwxyz\",\"sub\":\"user_2abcdefghijklmnopqrstuvwxyz\"}"

typedef struct signed_text {
    char *token;
    size_t signed_size; /* up to the second dot */
    dream_buffer signature;
} signed_text;

typedef struct stage {
    dreamapi_client *client;
    signed_text *texts;
    long count, slice;
    long next, next_bare;
    dream_rsa_key *rsa; /* one of the two */
    dream_p256_key *p256;
} stage;

/* ---- subjects and floors ---- */

static void hash(void *context, long count)
{
    const signed_text *text = ((stage *)context)->texts;
    unsigned char digest[DREAM_SHA256_SIZE];
    size_t size = strlen(text->token);

    for (long i = 0; i < count; i++) {
        if (!dream_sha256(text->token, size, digest))
            bench_die("cannot hash");
    }
}

static void verify(const stage *s, const char *token)
{
    dreamapi_token *verified = NULL;
    dreamapi_error error;

    if (dreamapi_token_verify(s->client, token, NULL, NULL, &verified, &error) != DREAMAPI_OK)
        bench_die(error.message);
    dreamapi_token_free(verified);
}

static void verify_known(void *context, long count)
{
    const stage *s = context;

    for (long i = 0; i < count; i++)
        verify(s, s->texts->token);
}

static void verify_new(void *context, long count)
{
    stage *s = context;

    for (long i = 0; i < count; i++)
        verify(s, s->texts[s->next++].token);
}

static void check_bare(void *context, long count)
{
    stage *s = context;

    for (long i = 0; i < count; i++) {
        const signed_text *text = &s->texts[s->next_bare++];
        const unsigned char *signature = (const unsigned char *)text->signature.data;
        bool is_good = s->rsa != NULL ? dream_rsa_verify(s->rsa, DREAM_RSA_SHA256, text->token, text->signed_size,
                                                         signature, text->signature.size)
                                      : dream_p256_verify(s->p256, text->token, text->signed_size, signature,
                                                          text->signature.size);
        if (!is_good)
            bench_die("a signature is not good");
    }
}

/* ---- the stage ---- */

static dreamapi_client *make_client(const char *keys)
{
    dreamapi_options *options = dreamapi_options_new();
    dreamapi_client *client = NULL;
    dreamapi_error error;

    if (options == NULL || dreamapi_options_set_base_url(options, "http://127.0.0.1:1") != DREAMAPI_OK
        || dreamapi_options_set_publishable_key(options, "pk_live_1") != DREAMAPI_OK
        || dreamapi_options_set_threads(options, 0) != DREAMAPI_OK
        || dreamapi_options_set_token_keys(options, keys) != DREAMAPI_OK)
        bench_die("cannot set options");
    if (dreamapi_client_new(options, &client, &error) != DREAMAPI_OK)
        bench_die(error.message);
    dreamapi_options_free(options);
    return client;
}

static void split(signed_text *text)
{
    const char *dot = strrchr(text->token, '.');

    text->signed_size = (size_t)(dot - text->token);
    if (!dream_base64url_decode(&text->signature, dot + 1, strlen(dot + 1)))
        bench_die("cannot split a token");
}

static void append_unsigned(dream_buffer *out, const char *alg, int number)
{
    char header[96], payload[sizeof(PAYLOAD) + 16];
    int size = snprintf(header, sizeof(header),
                        "{\"alg\":\"%s\",\"cat\":\"cl_B7d4PD222AAA\",\"kid\":\"ins_1\",\"typ\":\"JWT\"}", alg);

    dream_base64url_encode(out, header, (size_t)size);
    dream_buffer_char(out, '.');
    size = snprintf(payload, sizeof(payload), PAYLOAD, number);
    dream_base64url_encode(out, payload, (size_t)size);
}

static void finish(dream_buffer *token, const void *signature, size_t size, signed_text *out)
{
    dream_buffer_char(token, '.');
    dream_base64url_encode(token, signature, size);
    out->token = dream_buffer_take(token);
    if (out->token == NULL)
        bench_die("out of memory");
    split(out);
}

static void sign_rsa(const dream_rsa_key *key, int number, signed_text *out)
{
    dream_buffer token = DREAM_BUFFER_INIT, signature = DREAM_BUFFER_INIT;

    append_unsigned(&token, "RS256", number);
    if (!dream_rsa_sign(key, DREAM_RSA_SHA256, token.data, token.size, &signature))
        bench_die("cannot sign");
    finish(&token, signature.data, signature.size, out);
    dream_buffer_clear(&signature);
}

/* ---- P-256: our own code only verifies ---- */

typedef struct signer {
    mbedtls_ecp_group curve;
    mbedtls_ecp_point point;
    mbedtls_mpi secret, r, s;
} signer;

static int random_bytes(void *unused, unsigned char *out, size_t size)
{
    (void)unused;
    return dream_random(out, size) ? 0 : -1;
}

static void signer_make(signer *key, unsigned char out_point[65])
{
    size_t size = 0;

    mbedtls_ecp_group_init(&key->curve);
    mbedtls_ecp_point_init(&key->point);
    mbedtls_mpi_init(&key->secret);
    mbedtls_mpi_init(&key->r);
    mbedtls_mpi_init(&key->s);
    if (mbedtls_ecp_group_load(&key->curve, MBEDTLS_ECP_DP_SECP256R1) != 0
        || mbedtls_ecp_gen_keypair(&key->curve, &key->secret, &key->point, random_bytes, NULL) != 0
        || mbedtls_ecp_point_write_binary(&key->curve, &key->point, MBEDTLS_ECP_PF_UNCOMPRESSED, &size, out_point, 65)
               != 0)
        bench_die("cannot make a key");
}

static void signer_clear(signer *key)
{
    mbedtls_ecp_group_free(&key->curve);
    mbedtls_ecp_point_free(&key->point);
    mbedtls_mpi_free(&key->secret);
    mbedtls_mpi_free(&key->r);
    mbedtls_mpi_free(&key->s);
}

static void sign_p256(signer *key, int number, signed_text *out)
{
    dream_buffer token = DREAM_BUFFER_INIT;
    unsigned char digest[DREAM_SHA256_SIZE], signature[DREAM_P256_SIGNATURE];

    append_unsigned(&token, "ES256", number);
    if (!dream_sha256(token.data, token.size, digest)
        || mbedtls_ecdsa_sign(&key->curve, &key->r, &key->s, &key->secret, digest, sizeof(digest), random_bytes, NULL)
               != 0
        || mbedtls_mpi_write_binary(&key->r, signature, DREAM_P256_NUMBER) != 0
        || mbedtls_mpi_write_binary(&key->s, signature + DREAM_P256_NUMBER, DREAM_P256_NUMBER) != 0)
        bench_die("cannot sign");
    finish(&token, signature, sizeof(signature), out);
}

static void append_jwks(dream_buffer *out, const unsigned char point[65])
{
    dream_buffer_text(out, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"ins_1\",\"x\":\"");
    dream_base64url_encode(out, point + 1, DREAM_P256_NUMBER);
    dream_buffer_text(out, "\",\"y\":\"");
    dream_base64url_encode(out, point + 1 + DREAM_P256_NUMBER, DREAM_P256_NUMBER);
    dream_buffer_text(out, "\"}]}");
}

static void free_stage(stage *s)
{
    for (long i = 0; i < s->count; i++) {
        free(s->texts[i].token);
        dream_buffer_clear(&s->texts[i].signature);
    }
    free(s->texts);
    dreamapi_client_free(s->client);
    dream_rsa_free(s->rsa);
    dream_p256_free(s->p256);
}

/* ---- rows ---- */

static void report(const char *name, const bench_pair *pair, double bound)
{
    bench_result result = bench_compare(pair);

    bench_print(&(bench_row){ name, "us CPU", result.value_ns / 1000, result.floor_ns / 1000, result.ratio,
                              BENCH_AT_MOST, bound });
}

static void prepare(stage *s, long slice)
{
    s->slice = slice;
    s->count = (bench_count(ROUNDS, SMOKE_ROUNDS) + 1) * slice;
    s->texts = calloc((size_t)s->count, sizeof(*s->texts));
    if (s->texts == NULL)
        bench_die("out of memory");
}

static void measure(stage *s, const char *what)
{
    int rounds = (int)bench_count(ROUNDS, SMOKE_ROUNDS);
    bench_pair known = { hash, s, verify_known, s, bench_count(2000, 20), rounds, 0, CLOCK_THREAD_CPUTIME_ID };
    bench_pair fresh = { check_bare, s, verify_new, s, s->slice, rounds, 0, CLOCK_THREAD_CPUTIME_ID };
    char name[64];

    (void)snprintf(name, sizeof(name), "token verified anew, %s", what);
    report(name, &fresh, 1.1);
    (void)snprintf(name, sizeof(name), "token verified before, %s", what);
    report(name, &known, 2);
}

static void measure_rsa(void)
{
    stage s = { .rsa = dream_rsa_generate(2048) };
    dream_buffer pem = DREAM_BUFFER_INIT;

    prepare(&s, bench_count(RSA_SLICE, SMOKE_SLICE));
    if (s.rsa == NULL || !dream_rsa_public_pem(s.rsa, &pem))
        bench_die("cannot make a key");
    for (long i = 0; i < s.count; i++)
        sign_rsa(s.rsa, (int)i, &s.texts[i]);
    s.client = make_client(pem.data);
    dream_buffer_clear(&pem);
    measure(&s, "RS256");
    free_stage(&s);
}

static void measure_p256(void)
{
    dream_buffer keys = DREAM_BUFFER_INIT;
    unsigned char point[65];
    stage s = { .p256 = NULL };
    signer key;

    prepare(&s, bench_count(P256_SLICE, SMOKE_SLICE));
    signer_make(&key, point);
    for (long i = 0; i < s.count; i++)
        sign_p256(&key, (int)i, &s.texts[i]);
    append_jwks(&keys, point);
    s.p256 = dream_p256_public(point + 1, point + 1 + DREAM_P256_NUMBER);
    s.client = make_client(keys.data);
    measure(&s, "ES256");
    dream_buffer_clear(&keys);
    signer_clear(&key);
    free_stage(&s);
}

int main(int argc, char **argv)
{
    bench_begin("token", &argc, &argv);
    (void)fprintf(stderr, "token: seen before, and new\n");
    measure_rsa();
    measure_p256();
    return 0;
}
