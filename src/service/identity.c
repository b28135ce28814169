/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - a verifier per mode, the fetch that its keys come by, and who waits for it. How tokens are checked and how long keys
 * are good is common/verifier; how keys are asked for is provider/clerk.
 *
 * The mutex guards the lists of waiters. No signature is checked, no fetch started and no callback run while it is held. */
#include "service/identity.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
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
    dream_verifier *verifier;
    struct waiter *waiters;
};

struct dreamd_identity {
    dreamd_identity_world world;
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

static bool prepare_realms(dreamd_identity *identity)
{
    for (int mode = 0; mode < DREAMD_MODES; mode++) {
        struct realm *realm = &identity->realms[mode];
        realm->identity = identity;
        realm->mode = (enum dreamd_mode)mode;
        realm->verifier = dream_verifier_new(TOKEN_CACHE_ENTRIES, NULL);
        if (!realm->verifier)
            return false;
    }
    return true;
}

static void free_realms(dreamd_identity *identity)
{
    for (int mode = 0; mode < DREAMD_MODES; mode++)
        dream_verifier_free(identity->realms[mode].verifier);
    free(identity);
}

dreamd_identity *dreamd_identity_new_in(const dreamd_identity_world *world)
{
    dreamd_identity *identity = calloc(1, sizeof *identity);

    if (!identity)
        return NULL;
    identity->world = *world;
    if (!prepare_realms(identity) || pthread_mutex_init(&identity->mutex, NULL) != 0) {
        free_realms(identity);
        return NULL;
    }
    return identity;
}

void dreamd_identity_free(dreamd_identity *identity)
{
    if (!identity)
        return;
    pthread_mutex_destroy(&identity->mutex);
    free_realms(identity);
}

/* ---- fetching ---- */

static dream_jwks *read_keys(const dreamd_upstream_answer *answer)
{
    char *text = answer->outcome == DREAMD_UPSTREAM_OK ? dream_json_print(answer->json) : NULL;
    dream_jwks *keys = text ? dream_jwks_parse(text, strlen(text)) : NULL;

    free(text);
    return keys;
}

static void attempt(struct realm *realm, const struct waiter *waiter);

static void on_keys(void *context, const dreamd_upstream_answer *answer)
{
    struct realm *realm = context;
    dreamd_identity *identity = realm->identity;
    const char *problem = answer->outcome == DREAMD_UPSTREAM_OK ? "no key set" : answer->message;
    dream_jwks *keys = read_keys(answer);
    struct waiter *waiters = NULL;

    if (!keys)
        dreamd_log(DREAMD_LOG_WARN, "signing_keys_not_fetched", dreamd_log_text("mode", dreamd_mode_text(realm->mode)),
                   dreamd_log_text("failure", problem));
    dream_verifier_fetched(realm->verifier, keys, identity->world.monotonic_ms(identity->world.world), problem);
    pthread_mutex_lock(&identity->mutex);
    waiters = realm->waiters;
    realm->waiters = NULL;
    pthread_mutex_unlock(&identity->mutex);
    while (waiters) {
        struct waiter *waiter = waiters;

        waiters = waiter->next;
        attempt(realm, waiter);
        free(waiter);
    }
}

/* ---- verifying ---- */

enum waiting { WAITING, TOO_LATE, NO_MEMORY };

/* Until the fetch ends that was under way; TOO_LATE if it has. */
static enum waiting wait_for_keys(struct realm *realm, const struct waiter *waiter, const dream_verification *work)
{
    pthread_mutex_t *mutex = &realm->identity->mutex;
    struct waiter *copy = malloc(sizeof *copy);
    enum waiting result = WAITING;

    if (!copy)
        return NO_MEMORY;
    *copy = *waiter;
    pthread_mutex_lock(mutex);
    if (dream_verifier_fetches(realm->verifier) == work->fetches) {
        copy->next = realm->waiters;
        realm->waiters = copy;
    } else {
        result = TOO_LATE;
    }
    pthread_mutex_unlock(mutex);
    if (result == TOO_LATE)
        free(copy);
    return result;
}

static void report(const struct waiter *waiter, dream_token_status status, const dream_verification *work)
{
    if (status == DREAM_TOKEN_OK)
        waiter->fn(waiter->context, DREAMD_IDENTITY_OK, work->claims, "");
    else if (status == DREAM_TOKEN_NO_KEYS)
        waiter->fn(waiter->context, DREAMD_IDENTITY_UNAVAILABLE, NULL, "The identity provider could not be reached");
    else if (status == DREAM_TOKEN_NOMEM)
        waiter->fn(waiter->context, DREAMD_IDENTITY_UNAVAILABLE, NULL, "Out of memory");
    else
        waiter->fn(waiter->context, DREAMD_IDENTITY_INVALID, NULL, work->message);
}

static void attempt(struct realm *realm, const struct waiter *waiter)
{
    const dreamd_identity_world *world = &realm->identity->world;
    dream_verification work = { .token = waiter->token, .rules.skew_ms = DREAM_TOKEN_SKEW_S * INT64_C(1000) };
    dream_token_status status = DREAM_TOKEN_OK;
    enum waiting waiting = TOO_LATE;

    do {
        work.now_ms = world->monotonic_ms(world->world);
        work.rules.now_wall_ms = world->wall_ms(world->world);
        status = dream_verifier_try(realm->verifier, &work);
        if (status == DREAM_TOKEN_WAIT)
            waiting = wait_for_keys(realm, waiter, &work);
        if (work.must_fetch)
            world->fetch_keys(world->world, realm->mode, on_keys, realm);
    } while (status == DREAM_TOKEN_WAIT && waiting == TOO_LATE);
    if (status == DREAM_TOKEN_WAIT && waiting == NO_MEMORY)
        report(waiter, DREAM_TOKEN_NOMEM, &work);
    else if (status != DREAM_TOKEN_WAIT)
        report(waiter, status, &work);
}

void dreamd_identity_verify(dreamd_identity *identity, enum dreamd_mode mode, const char *token, dreamd_identity_fn *fn,
                            void *context)
{
    const struct waiter waiter = { NULL, token, fn, context };

    attempt(&identity->realms[mode], &waiter);
}
