/* SPDX-License-Identifier: Apache-2.0 */
/* sign.c - a request signed as the library does for each try (nonce, digest, base, MAC, three header values) beside the bare digest
 * of the body and the bare HMAC of the same base. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "common/crypto.h"
#include "common/timefmt.h"
#include "lib/signer.h"

#define URL "https://api.example.com/api/data"

static dream_nonces nonces;
static char body[100];
static char base[600];
static size_t base_size;

static int64_t wall_ms(void *user_data)
{
    (void)user_data;
    return dream_wall_ms();
}

static int random_bytes(void *user_data, void *out, size_t size)
{
    (void)user_data;
    return dream_random(out, size) ? 0 : -1;
}

static void bare(void *context, long count)
{
    const dream_settings *settings = context;
    unsigned char digest[DREAM_SHA256_SIZE];

    for (long i = 0; i < count; i++) {
        if (!dream_sha256(body, sizeof(body), digest)
            || !dream_hmac_sha256(settings->signing_key, DREAM_SIGNING_KEY_SIZE, base, base_size, digest))
            bench_die("no digest");
    }
}

static void sign(void *context, long count)
{
    const dream_settings *settings = context;
    dream_buffer text = { .data = body, .size = sizeof(body) };
    dream_signer signer;

    memset(&signer, 0, sizeof(signer));
    signer.nonces = &nonces;
    for (long i = 0; i < count; i++) {
        if (dream_signer_sign(&signer, settings, "POST", URL, &text) != DREAMAPI_OK)
            bench_die("no signature");
    }
    dream_signer_clear(&signer);
}

/* The bytes that were signed once, for the floor. */
static void make_base(const dream_settings *settings)
{
    dream_buffer text = { .data = body, .size = sizeof(body) }, made = DREAM_BUFFER_INIT;
    dream_signer signer;
    dream_http_signature signature;
    dream_signed_request request = {
        .method = { "POST", 4 }, .authority = { "api.example.com", 15 }, .path = { "/api/data", 9 }, .query = { "", 0 }
    };

    memset(&signer, 0, sizeof(signer));
    signer.nonces = &nonces;
    if (dream_signer_sign(&signer, settings, "POST", URL, &text) != DREAMAPI_OK)
        bench_die("no signature");
    request.content_digest = signer.digest.data;
    if (dream_signature_parse(signer.input.data, signer.signature.data, &signature) != NULL
        || dream_signature_verify(&signature, &request, settings->signing_key) != NULL
        || dream_signature_base(&signature, &request, &made) != NULL || made.size > sizeof(base))
        bench_die("the signature does not verify");
    memcpy(base, made.data, made.size);
    base_size = made.size;
    dream_buffer_clear(&made);
    dream_signer_clear(&signer);
}

int main(int argc, char **argv)
{
    static unsigned char key[DREAM_SIGNING_KEY_SIZE] = { 1 };
    static char keyid[] = "pk_live_00000000000000000000000000000001.0123456789abcdef";
    dream_settings settings = { .signing_key = key, .keyid = keyid, .random = random_bytes };
    bench_pair pair = { .floor = bare,
                        .floor_context = &settings,
                        .subject = sign,
                        .subject_context = &settings,
                        .clock = CLOCK_THREAD_CPUTIME_ID };
    bench_result result;

    bench_begin("sign", &argc, &argv);
    settings.base_url.is_https = true;
    settings.clock.wall_ms = wall_ms;
    memset(body, 'x', sizeof(body));
    make_base(&settings);
    pair.count = bench_count(2000, 2);
    pair.rounds = (int)bench_count(41, 3);
    result = bench_compare(&pair);
    bench_print(&(bench_row){ "signing a request of 100 bytes", "us CPU", result.value_ns / 1e3, result.floor_ns / 1e3,
                              result.ratio, BENCH_AT_MOST, 1.5 });
    return 0;
}
