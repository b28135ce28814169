/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - keys per mode, the fetch they wait for, and the cache of verified tokens. How a token is checked is
 * common/token; how keys are asked for is provider/clerk.
 *
 * The mutex guards the realms. No signature is checked, no fetch started and no callback run while it is held. */
#include "service/identity.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/jwks.h"
#include "common/timefmt.h"
#include "net/log.h"
#include "service/provider/clerk.h"
#include "service/store/model.h"

enum { TOKEN_CACHE_ENTRIES = 16384 };

/* A verification that waits for a fetch. */
struct waiter {
    struct waiter *next;
    const char *token;
    dreamd_identity_fn *fn;
    void *context;
};

struct realm {
    dreamd_identity *identity;
    enum dreamd_mode mode;
    dream_jwks *keys;        /* owned reference; NULL before the first fetch */
    int64_t fetched_at_ms;   /* of `keys` */
    int64_t attempted_at_ms; /* when the last fetch began or ended */
    bool was_attempted;
    bool was_failure; /* of the last fetch */
    bool is_fetching;
    struct waiter *waiters;
};

struct dreamd_identity {
    dreamd_identity_world world;
    dream_token_cache *cache;
    pthread_mutex_t mutex;
    struct realm realms[DREAMD_MODES];
};

/* ---- the real world ---- */

static void fetch_from_clerk(void *world, enum dreamd_mode mode, dreamd_upstream_fn *fn, void *context)
{
    dreamd_clerk_get_keys(world, mode, fn, context);
}

static int64_t real_monotonic_ms(void *world)
{
    (void)world;
    return dream_monotonic_ms();
}

static int64_t real_wall_ms(void *world)
{
    (void)world;
    return dream_wall_ms();
}

dreamd_identity *dreamd_identity_new(dreamd_upstream *upstream)
{
    dreamd_identity_world world = { fetch_from_clerk, real_monotonic_ms, real_wall_ms, upstream };

    return dreamd_identity_new_in(&world);
}

dreamd_identity *dreamd_identity_new_in(const dreamd_identity_world *world)
{
    dreamd_identity *identity = calloc(1, sizeof *identity);

    if (!identity)
        return NULL;
    identity->world = *world;
    identity->cache = dream_token_cache_new(TOKEN_CACHE_ENTRIES);
    if (!identity->cache || pthread_mutex_init(&identity->mutex, NULL) != 0) {
        dream_token_cache_free(identity->cache);
        free(identity);
        return NULL;
    }
    for (int mode = 0; mode < DREAMD_MODES; mode++) {
        identity->realms[mode].identity = identity;
        identity->realms[mode].mode = (enum dreamd_mode)mode;
    }
    return identity;
}

void dreamd_identity_free(dreamd_identity *identity)
{
    if (!identity)
        return;
    for (int mode = 0; mode < DREAMD_MODES; mode++)
        dream_jwks_unref(identity->realms[mode].keys);
    dream_token_cache_free(identity->cache);
    pthread_mutex_destroy(&identity->mutex);
    free(identity);
}

/* ---- fetching ---- */

/* True if a key of `before` is not in `after`: what it vouched for must be forgotten. */
static bool has_lost_keys(const dream_jwks *before, const dream_jwks *after)
{
    for (size_t i = 0; before && i < dream_jwks_count(before); i++) {
        if (!dream_jwks_find(after, dream_jwks_kid(before, i)))
            return true;
    }
    return false;
}

static dream_jwks *read_keys(const dreamd_upstream_answer *answer)
{
    char *text = answer->outcome == DREAMD_UPSTREAM_OK ? dream_json_print(answer->json) : NULL;
    dream_jwks *keys = text ? dream_jwks_parse(text, strlen(text)) : NULL;

    free(text);
    return keys;
}

static void verify_with(dreamd_identity *identity, struct realm *realm, const struct waiter *waiter, dream_jwks *keys);

static void on_keys(void *context, const dreamd_upstream_answer *answer)
{
    struct realm *realm = context;
    dreamd_identity *identity = realm->identity;
    dream_jwks *fresh = read_keys(answer);
    dream_jwks *keys = NULL;
    struct waiter *waiters = NULL;
    int64_t now_ms = identity->world.monotonic_ms(identity->world.world);
    bool is_revoking = false;

    pthread_mutex_lock(&identity->mutex);
    realm->is_fetching = false;
    realm->attempted_at_ms = now_ms;
    realm->was_failure = !fresh;
    if (fresh) {
        is_revoking = has_lost_keys(realm->keys, fresh);
        dream_jwks_unref(realm->keys);
        realm->keys = fresh;
        realm->fetched_at_ms = now_ms;
    }
    if (realm->keys)
        keys = dream_jwks_ref(realm->keys);
    waiters = realm->waiters;
    realm->waiters = NULL;
    pthread_mutex_unlock(&identity->mutex);

    if (is_revoking)
        dream_token_cache_forget(identity->cache, dreamd_mode_text(realm->mode));
    if (!fresh)
        dreamd_log(DREAMD_LOG_WARN, "signing_keys_not_fetched", dreamd_log_text("mode", dreamd_mode_text(realm->mode)),
                   dreamd_log_text("failure", answer->outcome == DREAMD_UPSTREAM_OK ? "no key set" : answer->message));
    while (waiters) {
        struct waiter *waiter = waiters;

        waiters = waiter->next;
        if (fresh)
            verify_with(identity, realm, waiter, keys);
        else
            waiter->fn(waiter->context, DREAMD_IDENTITY_UNAVAILABLE, NULL,
                       "The identity provider could not be reached");
        free(waiter);
    }
    dream_jwks_unref(keys);
}

/* ---- verifying ---- */

static void put_in_cache(dreamd_identity *identity, struct realm *realm, const char *token, const dream_claims *claims,
                         const dream_jwks *keys)
{
    bool is_current = false;

    /* A key set that was replaced meanwhile may have lost the key that vouched for this token. */
    pthread_mutex_lock(&identity->mutex);
    is_current = realm->keys == keys;
    if (is_current)
        dream_token_cache_put(identity->cache, dreamd_mode_text(realm->mode), token, claims);
    pthread_mutex_unlock(&identity->mutex);
}

static dream_token_status check_token(dreamd_identity *identity, struct realm *realm, const char *token,
                                      dream_jwks *keys, dream_claims **out, char message[256])
{
    int64_t now_ms = identity->world.wall_ms(identity->world.world);
    dream_token_status status = dream_token_verify(token, keys, now_ms, out, message);

    if (status == DREAM_TOKEN_OK)
        put_in_cache(identity, realm, token, *out, keys);
    return status;
}

static void report(const struct waiter *waiter, dream_token_status status, dream_claims *claims, const char *message)
{
    if (status == DREAM_TOKEN_OK)
        waiter->fn(waiter->context, DREAMD_IDENTITY_OK, claims, "");
    else if (status == DREAM_TOKEN_NOMEM)
        waiter->fn(waiter->context, DREAMD_IDENTITY_UNAVAILABLE, NULL, "Out of memory");
    else
        waiter->fn(waiter->context, DREAMD_IDENTITY_INVALID, NULL, message);
}

/* The last word: with these keys or not at all. */
static void verify_with(dreamd_identity *identity, struct realm *realm, const struct waiter *waiter, dream_jwks *keys)
{
    char message[256] = "";
    dream_claims *claims = NULL;
    dream_token_status status = check_token(identity, realm, waiter->token, keys, &claims, message);

    report(waiter, status, claims, message);
}

static void start_fetch(struct realm *realm)
{
    dreamd_identity *identity = realm->identity;

    identity->world.fetch_keys(identity->world.world, realm->mode, on_keys, realm);
}

enum decision { USE_KEYS, USE_KEYS_AND_FETCH, WAIT, WAIT_AND_FETCH, GIVE_UP, NO_MEMORY };

/* Under the mutex: may a fetch begin now? Marks it begun. */
static bool begin_fetch(struct realm *realm, int64_t now_ms, int64_t pause_ms)
{
    if (realm->is_fetching)
        return false;
    if (realm->was_attempted && now_ms - realm->attempted_at_ms < pause_ms)
        return false;
    realm->is_fetching = true;
    realm->was_attempted = true;
    realm->attempted_at_ms = now_ms;
    return true;
}

/* Under the mutex. */
static bool add_waiter(struct realm *realm, const struct waiter *waiter)
{
    struct waiter *copy = malloc(sizeof *copy);

    if (!copy)
        return false;
    *copy = *waiter;
    copy->next = realm->waiters;
    realm->waiters = copy;
    return true;
}

/* Under the mutex: the token must wait for keys that are not here, asking for them at most every `pause_ms`. */
static enum decision decide_wait(struct realm *realm, const struct waiter *waiter, int64_t now_ms, int64_t pause_ms)
{
    bool is_begun = begin_fetch(realm, now_ms, pause_ms);

    if (!realm->is_fetching)
        return GIVE_UP;
    if (add_waiter(realm, waiter))
        return is_begun ? WAIT_AND_FETCH : WAIT;
    if (is_begun)
        realm->is_fetching = false;
    return NO_MEMORY;
}

/* Under the mutex. */
static enum decision decide(struct realm *realm, const struct waiter *waiter, int64_t now_ms, dream_jwks **out_keys)
{
    int64_t age_ms = now_ms - realm->fetched_at_ms;

    if (!realm->keys || age_ms > DREAMD_KEYS_USABLE_MS)
        return decide_wait(realm, waiter, now_ms, realm->was_failure ? DREAMD_KEYS_RETRY_MS : 0);
    *out_keys = dream_jwks_ref(realm->keys);
    if (age_ms > DREAMD_KEYS_FRESH_MS && begin_fetch(realm, now_ms, realm->was_failure ? DREAMD_KEYS_UNKNOWN_MS : 0))
        return USE_KEYS_AND_FETCH;
    return USE_KEYS;
}

/* The token names a key that `keys` lacks: newer keys may have it. */
static void ask_for_newer(dreamd_identity *identity, struct realm *realm, const struct waiter *waiter,
                          const dream_jwks *keys, const char *message)
{
    int64_t now_ms = identity->world.monotonic_ms(identity->world.world);
    enum decision decision = USE_KEYS;
    dream_jwks *newer = NULL;

    pthread_mutex_lock(&identity->mutex);
    if (realm->keys && realm->keys != keys)
        newer = dream_jwks_ref(realm->keys);
    else
        decision = decide_wait(realm, waiter, now_ms, DREAMD_KEYS_UNKNOWN_MS);
    pthread_mutex_unlock(&identity->mutex);

    if (newer)
        verify_with(identity, realm, waiter, newer);
    else if (decision == WAIT_AND_FETCH)
        start_fetch(realm);
    else if (decision == GIVE_UP)
        waiter->fn(waiter->context, DREAMD_IDENTITY_INVALID, NULL, message);
    else if (decision == NO_MEMORY)
        waiter->fn(waiter->context, DREAMD_IDENTITY_UNAVAILABLE, NULL, "Out of memory");
    dream_jwks_unref(newer);
}

static void verify_at_hand(dreamd_identity *identity, struct realm *realm, const struct waiter *waiter,
                           dream_jwks *keys)
{
    char message[256] = "";
    dream_claims *claims = NULL;
    dream_token_status status = check_token(identity, realm, waiter->token, keys, &claims, message);

    if (status == DREAM_TOKEN_UNKNOWN_KEY)
        ask_for_newer(identity, realm, waiter, keys, message);
    else
        report(waiter, status, claims, message);
}

void dreamd_identity_verify(dreamd_identity *identity, enum dreamd_mode mode, const char *token, dreamd_identity_fn *fn,
                            void *context)
{
    struct realm *realm = &identity->realms[mode];
    struct waiter waiter = { NULL, token, fn, context };
    int64_t now_ms = identity->world.monotonic_ms(identity->world.world);
    int64_t wall_ms = identity->world.wall_ms(identity->world.world);
    enum decision decision = GIVE_UP;
    dream_claims *claims = NULL;
    dream_jwks *keys = NULL;

    pthread_mutex_lock(&identity->mutex);
    decision = decide(realm, &waiter, now_ms, &keys);
    pthread_mutex_unlock(&identity->mutex);

    if (decision == WAIT_AND_FETCH || decision == USE_KEYS_AND_FETCH)
        start_fetch(realm);
    if (decision == GIVE_UP)
        fn(context, DREAMD_IDENTITY_UNAVAILABLE, NULL, "The identity provider could not be reached");
    if (decision == NO_MEMORY)
        fn(context, DREAMD_IDENTITY_UNAVAILABLE, NULL, "Out of memory");
    if (!keys)
        return;
    if (dream_token_cache_get(identity->cache, dreamd_mode_text(mode), token, wall_ms, &claims))
        fn(context, DREAMD_IDENTITY_OK, claims, "");
    else
        verify_at_hand(identity, realm, &waiter, keys);
    dream_jwks_unref(keys);
}
