/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.c - wraps mbedTLS's hashes, HMAC, HKDF and AES-GCM; RSA is rsa.c. Only
 * interfaces that 2.28 and 3.x share are used (the md layer, not sha256.h, whose
 * names changed). Every call has its own context: no locks, any thread. */
#include "common/crypto.h"

#include <errno.h>
#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/encoding.h"

enum { NONCE_SIZE = 12, TAG_SIZE = 16 };

static const mbedtls_md_info_t *sha256(void)
{
    return mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
}

/* mbedTLS hands empty inputs to memcpy, which may not be given NULL. */
static const unsigned char *bytes_of(const void *bytes)
{
    return bytes != NULL ? bytes : (const unsigned char *)"";
}

bool dream_sha256(const void *bytes, size_t size, unsigned char out[DREAM_SHA256_SIZE])
{
    return mbedtls_md(sha256(), bytes_of(bytes), size, out) == 0;
}

bool dream_sha256_hex(const void *bytes, size_t size, char out[2 * DREAM_SHA256_SIZE + 1])
{
    unsigned char digest[DREAM_SHA256_SIZE];

    if (!dream_sha256(bytes, size, digest))
        return false;
    dream_hex_encode(digest, sizeof(digest), out);
    return true;
}

bool dream_hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size,
                       unsigned char out[DREAM_SHA256_SIZE])
{
    return mbedtls_md_hmac(sha256(), bytes_of(key), key_size, bytes_of(bytes), size, out) == 0;
}

bool dream_hkdf_sha256(const void *key, size_t key_size, const void *salt, size_t salt_size, const char *info,
                       unsigned char *out, size_t out_size)
{
    const unsigned char *label = bytes_of(info);

    return mbedtls_hkdf(sha256(), bytes_of(salt), salt_size, bytes_of(key), key_size, label,
                        strlen((const char *)label), out, out_size)
           == 0;
}

bool dream_aead_seal(const unsigned char key[32], const void *aad, size_t aad_size, const void *plain, size_t size,
                     unsigned char *out)
{
    unsigned char *nonce = out;
    unsigned char *cipher = out + NONCE_SIZE;
    mbedtls_gcm_context gcm;
    bool is_sealed = false;

    mbedtls_gcm_init(&gcm);
    if (!dream_random(nonce, NONCE_SIZE))
        goto done;
    if (mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256) != 0)
        goto done;
    is_sealed = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, size, nonce, NONCE_SIZE, bytes_of(aad), aad_size,
                                          bytes_of(plain), cipher, TAG_SIZE, cipher + size)
                == 0;
done:
    mbedtls_gcm_free(&gcm);
    return is_sealed;
}

bool dream_aead_open(const unsigned char key[32], const void *aad, size_t aad_size, const void *sealed, size_t size,
                     unsigned char *out)
{
    const unsigned char *nonce = sealed;
    const unsigned char *cipher = nonce + NONCE_SIZE;
    mbedtls_gcm_context gcm;
    bool is_open = false;

    if (size < DREAM_AEAD_OVERHEAD)
        return false;
    size -= DREAM_AEAD_OVERHEAD;
    mbedtls_gcm_init(&gcm);
    if (mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256) != 0)
        goto done;
    /* On a bad tag this clears `out`: nothing unproven reaches the caller. */
    is_open = mbedtls_gcm_auth_decrypt(&gcm, size, nonce, NONCE_SIZE, bytes_of(aad), aad_size, cipher + size, TAG_SIZE,
                                       cipher, out)
              == 0;
done:
    mbedtls_gcm_free(&gcm);
    return is_open;
}

bool dream_random(void *out, size_t size)
{
    unsigned char *to = out;

    while (size > 0) {
        ssize_t got = getrandom(to, size, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        size -= (size_t)got;
    }
    return true;
}

bool dream_equal_secret(const void *a, const void *b, size_t size)
{
    const volatile unsigned char *left = a;
    const volatile unsigned char *right = b;
    unsigned char difference = 0;
    size_t i;

    for (i = 0; i < size; i++)
        difference |= (unsigned char)(left[i] ^ right[i]);
    return difference == 0;
}

bool dream_equal_secret_text(const char *a, const char *b)
{
    size_t size;

    if (a == NULL || b == NULL)
        return false;
    size = strlen(a);
    return strlen(b) == size && dream_equal_secret(a, b, size);
}

void dream_wipe(void *bytes, size_t size)
{
    if (bytes != NULL)
        explicit_bzero(bytes, size);
}

void dream_wipe_text(char *text)
{
    if (text != NULL)
        dream_wipe(text, strlen(text));
}

void dream_free_secret(char *text)
{
    dream_wipe_text(text);
    free(text);
}
