/* SPDX-License-Identifier: Apache-2.0 */
/* p256.c - ECDSA signatures over mbedTLS, by names that 2.28 and 3.x share. mbedTLS keeps a table of multiples of the base
 * point in its description of the curve, and makes it at first use: a third of a check. So a key keeps one description
 * from check to check, which the thread that uses it takes away meanwhile; whoever finds none makes one, and nobody waits. */
#include "common/p256.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"

enum { POINT_SIZE = 1 + 2 * DREAM_P256_NUMBER, UNCOMPRESSED = 4 };

struct dream_p256_key {
    unsigned char bytes[POINT_SIZE];
    mbedtls_ecp_point point; /* read-only once made */
    _Atomic(mbedtls_ecp_group *) spare;
};

static void curve_free(mbedtls_ecp_group *curve)
{
    if (curve == NULL)
        return;
    mbedtls_ecp_group_free(curve);
    free(curve);
}

static mbedtls_ecp_group *curve_take(dream_p256_key *key)
{
    mbedtls_ecp_group *curve = atomic_exchange(&key->spare, NULL);

    if (curve != NULL)
        return curve;
    curve = malloc(sizeof(*curve));
    if (curve == NULL)
        return NULL;
    mbedtls_ecp_group_init(curve);
    if (mbedtls_ecp_group_load(curve, MBEDTLS_ECP_DP_SECP256R1) == 0)
        return curve;
    curve_free(curve);
    return NULL;
}

static void curve_return(dream_p256_key *key, mbedtls_ecp_group *curve)
{
    curve_free(atomic_exchange(&key->spare, curve));
}

static bool set_point(dream_p256_key *key)
{
    mbedtls_ecp_group *curve = curve_take(key);
    bool is_set;

    if (curve == NULL)
        return false;
    is_set = key->bytes[0] == UNCOMPRESSED
             && mbedtls_ecp_point_read_binary(curve, &key->point, key->bytes, POINT_SIZE) == 0
             && mbedtls_ecp_check_pubkey(curve, &key->point) == 0;
    curve_return(key, curve);
    return is_set;
}

static dream_p256_key *key_of(const unsigned char bytes[POINT_SIZE])
{
    dream_p256_key *key = calloc(1, sizeof(*key));

    if (key == NULL)
        return NULL;
    memcpy(key->bytes, bytes, POINT_SIZE);
    mbedtls_ecp_point_init(&key->point);
    if (set_point(key))
        return key;
    dream_p256_free(key);
    return NULL;
}

void dream_p256_free(dream_p256_key *key)
{
    if (key == NULL)
        return;
    mbedtls_ecp_point_free(&key->point);
    curve_free(atomic_load(&key->spare));
    free(key);
}

dream_p256_key *dream_p256_public(const unsigned char *x, const unsigned char *y)
{
    unsigned char bytes[POINT_SIZE] = { UNCOMPRESSED };

    memcpy(bytes + 1, x, DREAM_P256_NUMBER);
    memcpy(bytes + 1 + DREAM_P256_NUMBER, y, DREAM_P256_NUMBER);
    return key_of(bytes);
}

dream_p256_key *dream_p256_from_pem(const char *pem)
{
    unsigned char bytes[POINT_SIZE];
    unsigned char *at = bytes + sizeof(bytes);
    dream_p256_key *key = NULL;
    mbedtls_pk_context pk;

    mbedtls_pk_init(&pk);
    /* It is written from the end backwards; a point of another curve that is as long is found out by not being on this one. */
    if (mbedtls_pk_parse_public_key(&pk, (const unsigned char *)pem, strlen(pem) + 1) == 0
        && mbedtls_pk_get_type(&pk) == MBEDTLS_PK_ECKEY && mbedtls_pk_write_pubkey(&at, bytes, &pk) == POINT_SIZE)
        key = key_of(bytes);
    mbedtls_pk_free(&pk);
    return key;
}

bool dream_p256_is_same(const dream_p256_key *a, const dream_p256_key *b)
{
    return memcmp(a->bytes, b->bytes, POINT_SIZE) == 0;
}

bool dream_p256_verify(dream_p256_key *key, const void *bytes, size_t size, const unsigned char *signature,
                       size_t signature_size)
{
    unsigned char digest[DREAM_SHA256_SIZE];
    mbedtls_ecp_group *curve = signature_size == DREAM_P256_SIGNATURE ? curve_take(key) : NULL;
    mbedtls_mpi r, s;
    bool is_good;

    if (curve == NULL)
        return false;
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    is_good = dream_sha256(bytes, size, digest) && mbedtls_mpi_read_binary(&r, signature, DREAM_P256_NUMBER) == 0
              && mbedtls_mpi_read_binary(&s, signature + DREAM_P256_NUMBER, DREAM_P256_NUMBER) == 0
              && mbedtls_ecdsa_verify(curve, digest, DREAM_SHA256_SIZE, &key->point, &r, &s) == 0;
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    curve_return(key, curve);
    return is_good;
}
