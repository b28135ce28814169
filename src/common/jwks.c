/* SPDX-License-Identifier: Apache-2.0 */
/* jwks.c - reads a key set. A set mixes keys for many purposes, so one that we
 * cannot use is passed over; only a text that is no set at all is refused. Nothing
 * changes after parsing but the reference count, which is atomic. */
#include "common/jwks.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/encoding.h"
#include "common/json.h"

/* Providers list a handful; look-up is linear. */
enum { MAX_KEYS = 100 };

struct entry {
    char *kid;
    dream_rsa_key *key;
};

struct dream_jwks {
    atomic_uint references;
    size_t count;
    struct entry entries[];
};

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

static bool is_usable(const cJSON *jwk)
{
    const char *kty = dream_json_string(jwk, "kty");

    if (kty == NULL || strcmp(kty, "RSA") != 0 || dream_json_string(jwk, "kid") == NULL)
        return false;
    if (!is_absent_or(jwk, "use", "sig") || !may_verify(jwk))
        return false;
    /* A key made for PSS or for encryption must not vouch for our signatures. */
    return is_absent_or(jwk, "alg", "RS256") || is_absent_or(jwk, "alg", "RS384") || is_absent_or(jwk, "alg", "RS512");
}

/* Owned; NULL if the numbers are no usable key, or out of memory (`out_of_memory` tells). */
static dream_rsa_key *key_of(const cJSON *jwk, bool *out_of_memory)
{
    const char *n = dream_json_string(jwk, "n");
    const char *e = dream_json_string(jwk, "e");
    dream_buffer modulus = DREAM_BUFFER_INIT;
    dream_buffer exponent = DREAM_BUFFER_INIT;
    dream_rsa_key *key = NULL;

    if (n != NULL && e != NULL && dream_base64url_decode(&modulus, n, strlen(n))
        && dream_base64url_decode(&exponent, e, strlen(e)))
        key = dream_rsa_public(dream_buffer_str(&modulus), modulus.size, dream_buffer_str(&exponent), exponent.size);
    *out_of_memory = modulus.is_failed || exponent.is_failed;
    dream_buffer_clear(&modulus);
    dream_buffer_clear(&exponent);
    return key;
}

/* False only when out of memory. */
static bool add(dream_jwks *jwks, const cJSON *jwk)
{
    const char *kid = dream_json_string(jwk, "kid");
    struct entry entry = { NULL, NULL };
    bool out_of_memory;

    /* Of two keys with one name the first counts: which one is meant must not depend on the token. */
    if (!is_usable(jwk) || dream_jwks_find(jwks, kid) != NULL)
        return true;
    entry.key = key_of(jwk, &out_of_memory);
    if (entry.key == NULL)
        return !out_of_memory;
    entry.kid = strdup(kid);
    if (entry.kid == NULL) {
        dream_rsa_free(entry.key);
        return false;
    }
    jwks->entries[jwks->count++] = entry;
    return true;
}

dream_jwks *dream_jwks_parse(const char *text, size_t size)
{
    cJSON *root = dream_json_parse(text, size, NULL);
    const cJSON *keys = dream_json_get(root, "keys");
    dream_jwks *jwks = NULL;
    const cJSON *jwk;

    if (!cJSON_IsArray(keys))
        goto done;
    jwks = calloc(1, sizeof(*jwks) + MAX_KEYS * sizeof(jwks->entries[0]));
    if (jwks == NULL)
        goto done;
    atomic_init(&jwks->references, 1);
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
    for (i = 0; i < jwks->count; i++) {
        free(jwks->entries[i].kid);
        dream_rsa_free(jwks->entries[i].key);
    }
    free(jwks);
}

const dream_rsa_key *dream_jwks_find(const dream_jwks *jwks, const char *kid)
{
    size_t i;

    if (jwks == NULL || kid == NULL)
        return NULL;
    for (i = 0; i < jwks->count; i++) {
        if (strcmp(jwks->entries[i].kid, kid) == 0)
            return jwks->entries[i].key;
    }
    return NULL;
}

size_t dream_jwks_count(const dream_jwks *jwks)
{
    return jwks != NULL ? jwks->count : 0;
}

const char *dream_jwks_kid(const dream_jwks *jwks, size_t index)
{
    return index < dream_jwks_count(jwks) ? jwks->entries[index].kid : NULL;
}
