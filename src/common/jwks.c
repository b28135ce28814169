/* SPDX-License-Identifier: Apache-2.0 */
/* jwks.c - reads a key set. A set mixes keys for many purposes, so one that we
 * cannot use is passed over; only a text that is no set at all is refused. Nothing
 * changes after parsing but the reference count, which is atomic, and the one header
 * that is remembered, which is written once. */
#include "common/jwks.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/encoding.h"
#include "common/json.h"
#include "common/p256.h"
#include "common/rsa.h"

/* Providers list a handful; look-up is linear. */
enum { MAX_KEYS = 100 };
/* In base64; the usual ones take about 100. */
enum { MAX_HEADER = 192 };
enum { HEADER_NONE, HEADER_WRITING, HEADER_READY };

struct dream_jwks_key {
    char *kid; /* NULL: for tokens with any */
    bool is_bound;
    dream_signature bound; /* the only signature it vouches for, if is_bound */
    dream_rsa_key *rsa;    /* one of the two */
    dream_p256_key *p256;
};

struct dream_jwks {
    atomic_uint references;
    atomic_int header_state; /* the two below change once, before HEADER_READY */
    dream_jwks_header header;
    char header_text[MAX_HEADER];
    size_t count;
    dream_jwks_key entries[];
};

bool dream_signature_named(const char *alg, dream_signature *out)
{
    static const char names[][6] = { "RS256", "RS384", "RS512", "ES256" };
    size_t i;

    for (i = 0; alg != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], alg) == 0) {
            *out = (dream_signature)i;
            return true;
        }
    }
    return false;
}

/* ---- using keys ---- */

bool dream_jwks_key_takes(const dream_jwks_key *key, dream_signature signature)
{
    if (key->is_bound && signature != key->bound)
        return false;
    return (signature == DREAM_SIGNATURE_ES256) == (key->p256 != NULL);
}

bool dream_jwks_key_verify(const dream_jwks_key *key, dream_signature how, const void *bytes, size_t size,
                           const unsigned char *signature, size_t signature_size)
{
    static const dream_rsa_hash hashes[] = { DREAM_RSA_SHA256, DREAM_RSA_SHA384, DREAM_RSA_SHA512 };

    if (!dream_jwks_key_takes(key, how))
        return false;
    if (key->p256 != NULL)
        return dream_p256_verify(key->p256, bytes, size, signature, signature_size);
    return dream_rsa_verify(key->rsa, hashes[how], bytes, size, signature, signature_size);
}

static void clear_key(dream_jwks_key *key)
{
    free(key->kid);
    dream_rsa_free(key->rsa);
    dream_p256_free(key->p256);
}

static bool is_same(const dream_jwks_key *a, const dream_jwks_key *b)
{
    if (a->is_bound != b->is_bound || (a->is_bound && a->bound != b->bound))
        return false;
    if (a->p256 != NULL)
        return b->p256 != NULL && dream_p256_is_same(a->p256, b->p256);
    return b->rsa != NULL && dream_rsa_is_same(a->rsa, b->rsa);
}

/* ---- reading ---- */

static bool is_absent_or(const cJSON *jwk, const char *name, const char *expected)
{
    const cJSON *value = dream_json_get(jwk, name);

    return value == NULL || (cJSON_IsString(value) && strcmp(value->valuestring, expected) == 0);
}

/* RFC 7517 4.3: an array of what the key is for, if given. */
static bool may_verify(const cJSON *jwk)
{
    const cJSON *operations = dream_json_get(jwk, "key_ops");
    const cJSON *operation;

    if (operations == NULL)
        return true;
    cJSON_ArrayForEach(operation, operations)
    {
        if (cJSON_IsString(operation) && strcmp(operation->valuestring, "verify") == 0)
            return true;
    }
    return false;
}

/* Is it a key to check signatures with that we know, and which one alone? */
static bool read_use(const cJSON *jwk, dream_jwks_key *out)
{
    const cJSON *alg = dream_json_get(jwk, "alg");

    if (dream_json_string(jwk, "kid") == NULL || !is_absent_or(jwk, "use", "sig") || !may_verify(jwk))
        return false;
    /* A key made for PSS or for encryption must not vouch for our signatures. */
    out->is_bound = alg != NULL;
    return alg == NULL || dream_signature_named(cJSON_GetStringValue(alg), &out->bound);
}

/* Decodes two numbers; false if one is missing or malformed. */
static bool read_numbers(const cJSON *jwk, const char *const names[2], dream_buffer numbers[2])
{
    for (int i = 0; i < 2; i++) {
        const char *text = dream_json_string(jwk, names[i]);
        if (text == NULL || !dream_base64url_decode(&numbers[i], text, strlen(text)))
            return false;
    }
    return true;
}

static void make_rsa(dream_jwks_key *out, const dream_buffer numbers[2])
{
    out->rsa = dream_rsa_public(dream_buffer_str(&numbers[0]), numbers[0].size, dream_buffer_str(&numbers[1]),
                                numbers[1].size);
}

/* RFC 7518 6.2.1.2: coordinates have all their bytes. */
static void make_p256(dream_jwks_key *out, const dream_buffer numbers[2])
{
    if (numbers[0].size == DREAM_P256_NUMBER && numbers[1].size == DREAM_P256_NUMBER)
        out->p256 = dream_p256_public((const unsigned char *)numbers[0].data, (const unsigned char *)numbers[1].data);
}

/* Neither kind is set if the numbers are no usable key. False only when out of memory. */
static bool read_key(const cJSON *jwk, dream_jwks_key *out)
{
    static const char *const rsa_names[] = { "n", "e" }, *const p256_names[] = { "x", "y" };
    dream_buffer numbers[2] = { DREAM_BUFFER_INIT, DREAM_BUFFER_INIT };
    const char *kty = dream_json_string(jwk, "kty");
    const char *crv = dream_json_string(jwk, "crv");
    bool is_failed;

    if (kty != NULL && strcmp(kty, "RSA") == 0 && read_numbers(jwk, rsa_names, numbers))
        make_rsa(out, numbers);
    else if (kty != NULL && strcmp(kty, "EC") == 0 && crv != NULL && strcmp(crv, "P-256") == 0
             && read_numbers(jwk, p256_names, numbers))
        make_p256(out, numbers);
    is_failed = numbers[0].is_failed || numbers[1].is_failed;
    dream_buffer_clear(&numbers[0]);
    dream_buffer_clear(&numbers[1]);
    return !is_failed;
}

/* False only when out of memory. */
static bool add(dream_jwks *jwks, const cJSON *jwk)
{
    const char *kid = dream_json_string(jwk, "kid");
    dream_jwks_key key = { .kid = NULL };

    /* Of two keys with one name the first counts: which one is meant must not depend on the token. */
    if (!read_use(jwk, &key) || dream_jwks_find(jwks, kid) != NULL)
        return true;
    if (!read_key(jwk, &key))
        return false;
    /* A key of one type that is bound to an algorithm of the other is good for nothing. */
    if ((key.rsa == NULL && key.p256 == NULL) || (key.is_bound && !dream_jwks_key_takes(&key, key.bound))) {
        clear_key(&key);
        return true;
    }
    key.kid = strdup(kid);
    if (key.kid == NULL) {
        clear_key(&key);
        return false;
    }
    jwks->entries[jwks->count++] = key;
    return true;
}

static dream_jwks *jwks_new(size_t room)
{
    dream_jwks *jwks = calloc(1, sizeof(*jwks) + room * sizeof(jwks->entries[0]));

    if (jwks != NULL)
        atomic_init(&jwks->references, 1);
    return jwks;
}

dream_jwks *dream_jwks_parse(const char *text, size_t size)
{
    cJSON *root = dream_json_parse(text, size, NULL);
    const cJSON *keys = dream_json_get(root, "keys");
    dream_jwks *jwks = NULL;
    const cJSON *jwk;

    if (!cJSON_IsArray(keys))
        goto done;
    jwks = jwks_new(MAX_KEYS);
    if (jwks == NULL)
        goto done;
    cJSON_ArrayForEach(jwk, keys)
    {
        if (jwks->count == MAX_KEYS)
            break;
        if (!add(jwks, jwk)) {
            dream_jwks_unref(jwks);
            jwks = NULL;
            goto done;
        }
    }
done:
    cJSON_Delete(root);
    return jwks;
}

dream_jwks *dream_jwks_from_pem(const char *pem)
{
    dream_jwks *jwks = jwks_new(1);

    if (jwks == NULL)
        return NULL;
    jwks->entries[0].rsa = dream_rsa_public_from_pem(pem);
    if (jwks->entries[0].rsa == NULL)
        jwks->entries[0].p256 = dream_p256_from_pem(pem);
    jwks->count = 1;
    if (jwks->entries[0].rsa != NULL || jwks->entries[0].p256 != NULL)
        return jwks;
    dream_jwks_unref(jwks);
    return NULL;
}

dream_jwks *dream_jwks_ref(dream_jwks *jwks)
{
    if (jwks != NULL)
        atomic_fetch_add_explicit(&jwks->references, 1, memory_order_relaxed);
    return jwks;
}

void dream_jwks_unref(dream_jwks *jwks)
{
    size_t i;

    if (jwks == NULL || atomic_fetch_sub_explicit(&jwks->references, 1, memory_order_acq_rel) > 1)
        return;
    for (i = 0; i < jwks->count; i++)
        clear_key(&jwks->entries[i]);
    free(jwks);
}

const dream_jwks_key *dream_jwks_find(const dream_jwks *jwks, const char *kid)
{
    size_t i;

    for (i = 0; i < dream_jwks_count(jwks); i++) {
        const dream_jwks_key *key = &jwks->entries[i];
        if (key->kid == NULL || (kid != NULL && strcmp(key->kid, kid) == 0))
            return key;
    }
    return NULL;
}

bool dream_jwks_recall(const dream_jwks *jwks, dream_jwks_header *header)
{
    if (jwks == NULL || atomic_load_explicit(&jwks->header_state, memory_order_acquire) != HEADER_READY)
        return false;
    if (header->size != jwks->header.size || memcmp(header->text, jwks->header_text, header->size) != 0)
        return false;
    header->key = jwks->header.key;
    header->how = jwks->header.how;
    return true;
}

void dream_jwks_remember(dream_jwks *jwks, const dream_jwks_header *header)
{
    int none = HEADER_NONE;

    if (header->size > MAX_HEADER || !atomic_compare_exchange_strong(&jwks->header_state, &none, HEADER_WRITING))
        return;
    jwks->header = *header;
    jwks->header.text = jwks->header_text;
    memcpy(jwks->header_text, header->text, header->size);
    atomic_store_explicit(&jwks->header_state, HEADER_READY, memory_order_release);
}

size_t dream_jwks_count(const dream_jwks *jwks)
{
    return jwks != NULL ? jwks->count : 0;
}

const char *dream_jwks_kid(const dream_jwks *jwks, size_t index)
{
    return index < dream_jwks_count(jwks) ? jwks->entries[index].kid : NULL;
}

bool dream_jwks_has_all(const dream_jwks *after, const dream_jwks *before)
{
    size_t i;

    for (i = 0; i < dream_jwks_count(before); i++) {
        const dream_jwks_key *key = dream_jwks_find(after, before->entries[i].kid);
        if (key == NULL || !is_same(key, &before->entries[i]))
            return false;
    }
    return true;
}
