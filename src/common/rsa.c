/* SPDX-License-Identifier: Apache-2.0 */
/* rsa.c - RSA signatures over mbedTLS (2.28 and 3.x; where they differ is the
 * first block below). An mbedTLS RSA context is no read-only thing: even checking
 * a signature takes its mutex, or fills its caches where mbedTLS has no threads.
 * So the public half is prepared once, never operated on, and copied for each
 * check: that adds 0.15 to some 40 us (2048 bits), and checks never wait for each
 * other, while behind a mutex two threads get no more done than one.
 * Signing, which only the sandbox does, takes the signer's lock. */
#include "common/rsa.h"

#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/version.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"

/* A modulus outside is too weak, or takes too long to check. */
enum { MIN_BITS = 2048, MAX_BITS = 8192, MAX_SIZE = MAX_BITS / 8 };
/* Exponents are 3 or 65537 in practice; a long one only buys slow checks. */
enum { MAX_EXPONENT_BITS = 64 };
/* An 8192-bit private key takes 6.4 KB. */
enum { MAX_PEM_SIZE = 8192 };

struct signer {
    pthread_mutex_t lock; /* guards `pk`: signing updates its blinding values */
    mbedtls_pk_context pk;
};

struct dream_rsa_key {
    mbedtls_rsa_context verifier; /* only ever copied */
    struct signer *signer;        /* NULL for a public key */
};

/* ---- what differs between mbedTLS 2.28 and 3.x ---- */

static int random_bytes(void *unused, unsigned char *out, size_t size)
{
    (void)unused;
    return dream_random(out, size) ? 0 : MBEDTLS_ERR_RSA_RNG_FAILED;
}

#if MBEDTLS_VERSION_MAJOR >= 3
static void rsa_init(mbedtls_rsa_context *rsa)
{
    mbedtls_rsa_init(rsa);
}

static int rsa_verify(mbedtls_rsa_context *rsa, mbedtls_md_type_t hash, unsigned digest_size,
                      const unsigned char *digest, const unsigned char *signature)
{
    return mbedtls_rsa_rsassa_pkcs1_v15_verify(rsa, hash, digest_size, digest, signature);
}

static int rsa_sign(mbedtls_rsa_context *rsa, mbedtls_md_type_t hash, unsigned digest_size, const unsigned char *digest,
                    unsigned char *signature)
{
    return mbedtls_rsa_rsassa_pkcs1_v15_sign(rsa, random_bytes, NULL, hash, digest_size, digest, signature);
}

static int pk_parse_private(mbedtls_pk_context *pk, const char *pem)
{
    return mbedtls_pk_parse_key(pk, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0, random_bytes, NULL);
}
#else
static void rsa_init(mbedtls_rsa_context *rsa)
{
    mbedtls_rsa_init(rsa, MBEDTLS_RSA_PKCS_V15, 0);
}

static int rsa_verify(mbedtls_rsa_context *rsa, mbedtls_md_type_t hash, unsigned digest_size,
                      const unsigned char *digest, const unsigned char *signature)
{
    return mbedtls_rsa_rsassa_pkcs1_v15_verify(rsa, NULL, NULL, MBEDTLS_RSA_PUBLIC, hash, digest_size, digest,
                                               signature);
}

static int rsa_sign(mbedtls_rsa_context *rsa, mbedtls_md_type_t hash, unsigned digest_size, const unsigned char *digest,
                    unsigned char *signature)
{
    return mbedtls_rsa_rsassa_pkcs1_v15_sign(rsa, random_bytes, NULL, MBEDTLS_RSA_PRIVATE, hash, digest_size, digest,
                                             signature);
}

static int pk_parse_private(mbedtls_pk_context *pk, const char *pem)
{
    return mbedtls_pk_parse_key(pk, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0);
}
#endif

/* ---- making keys ---- */

static dream_rsa_key *key_new(void)
{
    dream_rsa_key *key = calloc(1, sizeof(*key));

    if (key != NULL)
        rsa_init(&key->verifier);
    return key;
}

static struct signer *signer_new(void)
{
    struct signer *signer = calloc(1, sizeof(*signer));

    if (signer == NULL)
        return NULL;
    if (pthread_mutex_init(&signer->lock, NULL) != 0) {
        free(signer);
        return NULL;
    }
    mbedtls_pk_init(&signer->pk);
    return signer;
}

static void signer_free(struct signer *signer)
{
    if (signer == NULL)
        return;
    mbedtls_pk_free(&signer->pk); /* wipes */
    (void)pthread_mutex_destroy(&signer->lock);
    free(signer);
}

void dream_rsa_free(dream_rsa_key *key)
{
    if (key == NULL)
        return;
    mbedtls_rsa_free(&key->verifier);
    signer_free(key->signer);
    free(key);
}

/* Fills the verifier and runs it once, so that copies carry the constant which mbedTLS derives on first use. */
static bool set_public(dream_rsa_key *key, const mbedtls_mpi *modulus, const mbedtls_mpi *exponent)
{
    size_t bits = mbedtls_mpi_bitlen(modulus);
    unsigned char one[MAX_SIZE] = { 0 };
    unsigned char ignored[MAX_SIZE];

    if (bits < MIN_BITS || bits > MAX_BITS || mbedtls_mpi_bitlen(exponent) > MAX_EXPONENT_BITS)
        return false;
    if (mbedtls_rsa_import(&key->verifier, modulus, NULL, NULL, NULL, exponent) != 0)
        return false;
    if (mbedtls_rsa_complete(&key->verifier) != 0 || mbedtls_rsa_check_pubkey(&key->verifier) != 0)
        return false;
    one[mbedtls_rsa_get_len(&key->verifier) - 1] = 1;
    return mbedtls_rsa_public(&key->verifier, one, ignored) == 0;
}

static bool set_public_from(dream_rsa_key *key, const mbedtls_rsa_context *rsa)
{
    mbedtls_mpi modulus, exponent;
    bool is_set;

    mbedtls_mpi_init(&modulus);
    mbedtls_mpi_init(&exponent);
    is_set =
        mbedtls_rsa_export(rsa, &modulus, NULL, NULL, NULL, &exponent) == 0 && set_public(key, &modulus, &exponent);
    mbedtls_mpi_free(&modulus);
    mbedtls_mpi_free(&exponent);
    return is_set;
}

dream_rsa_key *dream_rsa_public(const void *modulus, size_t modulus_size, const void *exponent, size_t exponent_size)
{
    dream_rsa_key *key = key_new();
    mbedtls_mpi n, e;
    bool is_set;

    if (key == NULL)
        return NULL;
    mbedtls_mpi_init(&n);
    mbedtls_mpi_init(&e);
    /* Leading zeroes are tolerated, within reason. */
    is_set = modulus_size <= MAX_SIZE + 8 && exponent_size <= MAX_SIZE
             && mbedtls_mpi_read_binary(&n, modulus, modulus_size) == 0
             && mbedtls_mpi_read_binary(&e, exponent, exponent_size) == 0 && set_public(key, &n, &e);
    mbedtls_mpi_free(&n);
    mbedtls_mpi_free(&e);
    if (!is_set) {
        dream_rsa_free(key);
        return NULL;
    }
    return key;
}

static bool is_rsa(const mbedtls_pk_context *pk)
{
    return mbedtls_pk_get_type(pk) == MBEDTLS_PK_RSA;
}

static bool load_public_pem(dream_rsa_key *key, const char *pem)
{
    mbedtls_pk_context public_pk;
    bool is_set = false;

    mbedtls_pk_init(&public_pk);
    if (mbedtls_pk_parse_public_key(&public_pk, (const unsigned char *)pem, strlen(pem) + 1) == 0)
        is_set = is_rsa(&public_pk) && set_public_from(key, mbedtls_pk_rsa(public_pk));
    mbedtls_pk_free(&public_pk);
    return is_set;
}

dream_rsa_key *dream_rsa_public_from_pem(const char *pem)
{
    dream_rsa_key *key = key_new();

    if (key != NULL && load_public_pem(key, pem))
        return key;
    dream_rsa_free(key);
    return NULL;
}

/* Leaves `key->signer` only if the text holds a private key; takes the public half from either kind. */
static bool load_pem(dream_rsa_key *key, const char *pem)
{
    if (pk_parse_private(&key->signer->pk, pem) == 0)
        return is_rsa(&key->signer->pk) && set_public_from(key, mbedtls_pk_rsa(key->signer->pk));
    signer_free(key->signer);
    key->signer = NULL;
    return load_public_pem(key, pem);
}

dream_rsa_key *dream_rsa_from_pem(const char *pem)
{
    dream_rsa_key *key = key_new();

    if (key == NULL || pem == NULL)
        goto failed;
    key->signer = signer_new();
    if (key->signer == NULL || !load_pem(key, pem))
        goto failed;
    return key;
failed:
    dream_rsa_free(key);
    return NULL;
}

dream_rsa_key *dream_rsa_generate(unsigned bits)
{
    dream_rsa_key *key = NULL;
    mbedtls_rsa_context *rsa;

    if (bits < MIN_BITS || bits > MAX_BITS || bits % 2 != 0)
        return NULL;
    key = key_new();
    if (key == NULL)
        return NULL;
    key->signer = signer_new();
    if (key->signer == NULL)
        goto failed;
    if (mbedtls_pk_setup(&key->signer->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) != 0)
        goto failed;
    rsa = mbedtls_pk_rsa(key->signer->pk);
    if (mbedtls_rsa_gen_key(rsa, random_bytes, NULL, bits, 65537) != 0 || !set_public_from(key, rsa))
        goto failed;
    return key;
failed:
    dream_rsa_free(key);
    return NULL;
}

/* ---- using keys ---- */

/* Both numbers, padded with zeroes to full length. */
static bool export_public(const dream_rsa_key *key, unsigned char out[MAX_SIZE + MAX_EXPONENT_BITS / 8])
{
    return mbedtls_rsa_export_raw(&key->verifier, out, MAX_SIZE, NULL, 0, NULL, 0, NULL, 0, out + MAX_SIZE,
                                  MAX_EXPONENT_BITS / 8)
           == 0;
}

bool dream_rsa_is_same(const dream_rsa_key *a, const dream_rsa_key *b)
{
    unsigned char left[MAX_SIZE + MAX_EXPONENT_BITS / 8], right[sizeof(left)];

    return export_public(a, left) && export_public(b, right) && memcmp(left, right, sizeof(left)) == 0;
}

static mbedtls_md_type_t md_type(dream_rsa_hash hash)
{
    switch (hash) {
    case DREAM_RSA_SHA384:
        return MBEDTLS_MD_SHA384;
    case DREAM_RSA_SHA512:
        return MBEDTLS_MD_SHA512;
    case DREAM_RSA_SHA256:
        break;
    }
    return MBEDTLS_MD_SHA256;
}

/* The digest's size, 0 on failure. */
static unsigned digest_of(dream_rsa_hash hash, const void *bytes, size_t size, unsigned char out[MBEDTLS_MD_MAX_SIZE])
{
    const mbedtls_md_info_t *info = mbedtls_md_info_from_type(md_type(hash));

    if (info == NULL || mbedtls_md(info, size > 0 ? bytes : "", size, out) != 0)
        return 0;
    return mbedtls_md_get_size(info);
}

static bool verify_digest(const dream_rsa_key *key, mbedtls_md_type_t hash, const unsigned char *digest,
                          unsigned digest_size, const unsigned char *signature)
{
    mbedtls_rsa_context rsa;
    bool is_good = false;

    rsa_init(&rsa);
    if (mbedtls_rsa_copy(&rsa, &key->verifier) == 0)
        is_good = rsa_verify(&rsa, hash, digest_size, digest, signature) == 0;
    mbedtls_rsa_free(&rsa);
    return is_good;
}

bool dream_rsa_verify(const dream_rsa_key *key, dream_rsa_hash hash, const void *bytes, size_t size,
                      const unsigned char *signature, size_t signature_size)
{
    unsigned char digest[MBEDTLS_MD_MAX_SIZE];
    unsigned digest_size;

    if (signature_size != mbedtls_rsa_get_len(&key->verifier))
        return false;
    digest_size = digest_of(hash, bytes, size, digest);
    return digest_size != 0 && verify_digest(key, md_type(hash), digest, digest_size, signature);
}

bool dream_rsa_sign(const dream_rsa_key *key, dream_rsa_hash hash, const void *bytes, size_t size,
                    dream_buffer *out_signature)
{
    unsigned char digest[MBEDTLS_MD_MAX_SIZE];
    unsigned char signature[MAX_SIZE];
    unsigned digest_size;
    int result;

    if (key->signer == NULL)
        return false;
    digest_size = digest_of(hash, bytes, size, digest);
    if (digest_size == 0)
        return false;
    (void)pthread_mutex_lock(&key->signer->lock);
    result = rsa_sign(mbedtls_pk_rsa(key->signer->pk), md_type(hash), digest_size, digest, signature);
    (void)pthread_mutex_unlock(&key->signer->lock);
    if (result != 0)
        return false;
    dream_buffer_append(out_signature, signature, mbedtls_rsa_get_len(&key->verifier));
    return !out_signature->is_failed;
}

bool dream_rsa_private_pem(const dream_rsa_key *key, dream_buffer *out)
{
    unsigned char pem[MAX_PEM_SIZE];
    int result;

    if (key->signer == NULL)
        return false;
    (void)pthread_mutex_lock(&key->signer->lock);
    result = mbedtls_pk_write_key_pem(&key->signer->pk, pem, sizeof(pem));
    (void)pthread_mutex_unlock(&key->signer->lock);
    if (result == 0)
        dream_buffer_text(out, (const char *)pem);
    dream_wipe(pem, sizeof(pem));
    return result == 0 && !out->is_failed;
}

bool dream_rsa_public_pem(const dream_rsa_key *key, dream_buffer *out)
{
    unsigned char pem[MAX_PEM_SIZE];
    mbedtls_pk_context pk;
    bool is_written = false;

    mbedtls_pk_init(&pk);
    if (mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) != 0)
        goto done;
    if (mbedtls_rsa_copy(mbedtls_pk_rsa(pk), &key->verifier) != 0)
        goto done;
    if (mbedtls_pk_write_pubkey_pem(&pk, pem, sizeof(pem)) != 0)
        goto done;
    dream_buffer_text(out, (const char *)pem);
    is_written = !out->is_failed;
done:
    mbedtls_pk_free(&pk);
    return is_written;
}

static void append_number(dream_buffer *out, const unsigned char *bytes, size_t size)
{
    while (size > 0 && *bytes == 0) {
        bytes++;
        size--;
    }
    dream_buffer_append(out, bytes, size);
}

bool dream_rsa_public_parts(const dream_rsa_key *key, dream_buffer *out_modulus, dream_buffer *out_exponent)
{
    unsigned char numbers[MAX_SIZE + MAX_EXPONENT_BITS / 8];

    if (!export_public(key, numbers))
        return false;
    append_number(out_modulus, numbers, MAX_SIZE);
    append_number(out_exponent, numbers + MAX_SIZE, MAX_EXPONENT_BITS / 8);
    return !out_modulus->is_failed && !out_exponent->is_failed;
}
