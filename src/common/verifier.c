/* SPDX-License-Identifier: Apache-2.0 */
/* verifier.c - which keys, and the cache before them. How a token is checked is token.c. */
#include "common/verifier.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/token_cache.h"

enum { PROBLEM_SIZE = 160 };

struct dream_verifier {
    bool is_fixed;
    unsigned char name_key
        [DREAM_SIPHASH_KEY_SIZE]; /* of this verifier alone, so that nobody can make a second token of one name */
    pthread_mutex_t lock;         /* guards all below */
    dream_token_cache *cache;
    dream_jwks *keys;        /* a reference; NULL before the first fetch */
    int64_t fetched_at_ms;   /* of `keys` */
    int64_t attempted_at_ms; /* when the last fetch began or ended */
    bool was_attempted;
    bool was_failure; /* of the last fetch */
    bool is_fetching;
    unsigned fetches;
    char problem[PROBLEM_SIZE];
};

dream_verifier *dream_verifier_new(size_t tokens, dream_jwks *fixed)
{
    dream_verifier *verifier = calloc(1, sizeof(*verifier));

    if (verifier == NULL)
        return NULL;
    verifier->cache = dream_token_cache_new(tokens);
    if (verifier->cache == NULL || !dream_random(verifier->name_key, sizeof(verifier->name_key))
        || pthread_mutex_init(&verifier->lock, NULL) != 0) {
        dream_token_cache_free(verifier->cache);
        free(verifier);
        return NULL;
    }
    verifier->is_fixed = fixed != NULL;
    verifier->keys = dream_jwks_ref(fixed);
    return verifier;
}

void dream_verifier_free(dream_verifier *verifier)
{
    if (verifier == NULL)
        return;
    dream_jwks_unref(verifier->keys);
    dream_token_cache_free(verifier->cache);
    (void)pthread_mutex_destroy(&verifier->lock);
    dream_wipe(verifier->name_key, sizeof(verifier->name_key));
    free(verifier);
}

void dream_verifier_abandon(dream_verifier *verifier)
{
    if (verifier == NULL || pthread_mutex_trylock(&verifier->lock) != 0)
        return;
    (void)pthread_mutex_unlock(&verifier->lock);
    dream_verifier_free(verifier);
}

/* ---- keys; the lock is held ---- */

/* May a fetch begin now? Marks it begun. */
static bool begin_fetch(dream_verifier *verifier, dream_verification *work, int64_t pause_ms)
{
    if (verifier->is_fetching || (verifier->was_attempted && work->now_ms - verifier->attempted_at_ms < pause_ms))
        return false;
    verifier->is_fetching = verifier->was_attempted = true;
    verifier->attempted_at_ms = work->now_ms;
    work->must_fetch = true;
    return true;
}

static dream_token_status report_no_keys(const dream_verifier *verifier, dream_verification *work)
{
    (void)snprintf(work->message, sizeof(work->message),
                   "The keys that tokens are signed with could not be fetched: %s", verifier->problem);
    return DREAM_TOKEN_NO_KEYS;
}

/* WAIT for the fetch that is under way, or that the caller is to begin, unless the last one is not `pause_ms` ago: then `otherwise`. */
static dream_token_status want_keys(dream_verifier *verifier, dream_verification *work, int64_t pause_ms,
                                    dream_token_status otherwise)
{
    (void)begin_fetch(verifier, work, pause_ms);
    work->fetches = verifier->fetches;
    if (verifier->is_fetching)
        return DREAM_TOKEN_WAIT;
    return verifier->was_failure ? report_no_keys(verifier, work) : otherwise;
}

static dream_token_status get_keys(dream_verifier *verifier, dream_verification *work, dream_jwks **out)
{
    int64_t age_ms = work->now_ms - verifier->fetched_at_ms;

    *out = NULL;
    if (!verifier->is_fixed) {
        if (verifier->keys == NULL || age_ms > DREAM_KEYS_USABLE_MS)
            return want_keys(verifier, work, verifier->was_failure ? DREAM_KEYS_RETRY_MS : 0, DREAM_TOKEN_NO_KEYS);
        if (age_ms > DREAM_KEYS_FRESH_MS)
            (void)begin_fetch(verifier, work, verifier->was_failure ? DREAM_KEYS_UNKNOWN_MS : 0);
    }
    *out = dream_jwks_ref(verifier->keys);
    return DREAM_TOKEN_OK;
}

/* The token names a key that `*keys` lacks: others that came meanwhile may have it (OK), or newer ones. */
static dream_token_status get_newer_keys(dream_verifier *verifier, dream_verification *work, dream_jwks **keys)
{
    if (verifier->is_fixed)
        return DREAM_TOKEN_INVALID;
    if (verifier->keys == *keys)
        return want_keys(verifier, work, DREAM_KEYS_UNKNOWN_MS, DREAM_TOKEN_INVALID);
    dream_jwks_unref(*keys);
    *keys = dream_jwks_ref(verifier->keys);
    return DREAM_TOKEN_OK;
}

/* ---- verifying ---- */

static dream_token_status verify(dream_verifier *verifier, dream_verification *work, dream_jwks **keys)
{
    dream_token_status status;

    do {
        status = dream_token_verify(work->token, *keys, &work->rules, &work->claims, work->message);
        if (status != DREAM_TOKEN_UNKNOWN_KEY)
            return status;
        (void)pthread_mutex_lock(&verifier->lock);
        status = get_newer_keys(verifier, work, keys);
        (void)pthread_mutex_unlock(&verifier->lock);
    } while (status == DREAM_TOKEN_OK);
    return status;
}

static dream_token_status check_known(dream_verification *work, dream_claims *claims)
{
    dream_token_status status = dream_claims_check(claims, &work->rules, work->message);

    if (status == DREAM_TOKEN_OK)
        work->claims = claims;
    else
        dream_claims_unref(claims);
    return status;
}

dream_token_status dream_verifier_try(dream_verifier *verifier, dream_verification *work)
{
    /* Of a text too long for a token, the beginning: no such one is ever in the table. */
    dream_siphash name =
        dream_siphash_of(verifier->name_key, work->token, strnlen(work->token, DREAM_TOKEN_MAX_SIZE + 1));
    dream_claims *known = NULL;
    dream_jwks *keys;
    dream_token_status status;

    work->claims = NULL;
    work->must_fetch = false;
    work->message[0] = '\0';
    (void)pthread_mutex_lock(&verifier->lock);
    status = get_keys(verifier, work, &keys);
    if (status == DREAM_TOKEN_OK && (known = dream_token_cache_get(verifier->cache, name)) != NULL)
        (void)dream_claims_ref(known);
    (void)pthread_mutex_unlock(&verifier->lock);
    if (known != NULL)
        status = check_known(work, known);
    else if (status == DREAM_TOKEN_OK)
        status = verify(verifier, work, &keys);
    if (status == DREAM_TOKEN_OK && known == NULL) {
        (void)pthread_mutex_lock(&verifier->lock);
        /* Keys that came meanwhile may lack the one that vouched for this token. */
        if (verifier->keys == keys)
            dream_token_cache_put(verifier->cache, name, work->claims, work->rules.now_wall_ms);
        (void)pthread_mutex_unlock(&verifier->lock);
    }
    dream_jwks_unref(keys);
    return status;
}

/* ---- the fetch's end ---- */

void dream_verifier_fetched(dream_verifier *verifier, dream_jwks *keys, int64_t now_ms, const char *problem)
{
    dream_jwks *before = NULL;

    (void)pthread_mutex_lock(&verifier->lock);
    verifier->is_fetching = false;
    verifier->attempted_at_ms = now_ms;
    verifier->was_failure = keys == NULL;
    verifier->fetches++;
    (void)snprintf(verifier->problem, sizeof(verifier->problem), "%s", keys == NULL ? problem : "");
    if (keys != NULL) {
        if (!dream_jwks_has_all(keys, verifier->keys))
            dream_token_cache_forget(verifier->cache);
        before = verifier->keys;
        verifier->keys = keys;
        verifier->fetched_at_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&verifier->lock);
    dream_jwks_unref(before);
}

unsigned dream_verifier_fetches(dream_verifier *verifier)
{
    unsigned fetches;

    (void)pthread_mutex_lock(&verifier->lock);
    fetches = verifier->fetches;
    (void)pthread_mutex_unlock(&verifier->lock);
    return fetches;
}
