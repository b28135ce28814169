/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.c - dreamapi_webhook_verify, and the set of webhooks that were taken. Signatures are common/webhook.c's.
 * The set is an array without order: it is small, and a pass over it both finds a replay and drops what is too old. Its lock is
 * held over such a pass alone. */
#include <dreamapi/webhook.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/webhook.h"
#include "lib/error.h"
#include "lib/params.h"

struct entry {
    unsigned char digest[DREAM_SHA256_SIZE];
    int64_t time_s;
};

struct dreamapi_webhook_replays {
    pthread_mutex_t lock;
    pid_t owner; /* a lock that another thread held at the time of a fork stays locked in the child */
    size_t capacity, count;
    int64_t tolerance_s; /* the largest yet */
    int64_t forgotten_s; /* the newest time that was dropped: whether one not newer was seen cannot be told */
    struct entry entries[];
};

dreamapi_status dreamapi_webhook_replays_new(size_t capacity, dreamapi_webhook_replays **out_replays,
                                             dreamapi_error *error)
{
    dreamapi_webhook_replays *replays;

    if (out_replays == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "out_replays is NULL");
    *out_replays = NULL;
    if (capacity < 1 || capacity > DREAMAPI_WEBHOOK_REPLAYS_MAX)
        return dream_error_refuse(error, DREAMAPI_INVALID, "capacity is out of range");
    replays = calloc(1, sizeof(*replays) + capacity * sizeof(replays->entries[0]));
    if (replays == NULL)
        return dream_error_nomem(error);
    if (pthread_mutex_init(&replays->lock, NULL) != 0) {
        free(replays);
        return dream_error_nomem(error);
    }
    replays->owner = getpid();
    replays->capacity = capacity;
    replays->forgotten_s = -1;
    *out_replays = replays;
    dream_error_clear(error);
    return DREAMAPI_OK;
}

void dreamapi_webhook_replays_free(dreamapi_webhook_replays *replays)
{
    if (replays == NULL)
        return;
    if (replays->owner == getpid())
        pthread_mutex_destroy(&replays->lock);
    free(replays);
}

/* Drops what no check would take any more; true if the webhook is among the rest. */
static bool sweep(dreamapi_webhook_replays *replays, const dream_webhook *webhook)
{
    bool is_seen = false;
    size_t i = 0;

    while (i < replays->count) {
        struct entry *entry = &replays->entries[i];

        if (entry->time_s < webhook->now_s && webhook->now_s - entry->time_s > replays->tolerance_s) {
            if (entry->time_s > replays->forgotten_s)
                replays->forgotten_s = entry->time_s;
            *entry = replays->entries[--replays->count];
            continue;
        }
        if (memcmp(entry->digest, webhook->digest, sizeof(entry->digest)) == 0)
            is_seen = true;
        i++;
    }
    return is_seen;
}

/* The lock is held. */
static dreamapi_status enter(dreamapi_webhook_replays *replays, const dream_webhook *webhook, dreamapi_error *error)
{
    if (webhook->tolerance_s > replays->tolerance_s)
        replays->tolerance_s = webhook->tolerance_s;
    if (sweep(replays, webhook))
        return dream_error_refuse(error, DREAMAPI_CONFLICT, "webhook: replayed, it was taken before");
    if (webhook->time_s <= replays->forgotten_s)
        return dream_error_refuse(error, DREAMAPI_TIMEOUT, "webhook: outside the tolerance of an earlier check");
    if (replays->count == replays->capacity) {
        (void)dream_error_refuse(error, DREAMAPI_UNAVAILABLE, "webhook: the replay set is full");
        if (error != NULL)
            error->retriable = 1;
        return DREAMAPI_UNAVAILABLE;
    }
    memcpy(replays->entries[replays->count].digest, webhook->digest, sizeof(webhook->digest));
    replays->entries[replays->count++].time_s = webhook->time_s;
    return DREAMAPI_OK;
}

static dreamapi_status look_for_replay(dreamapi_webhook_replays *replays, const dream_webhook *webhook,
                                       dreamapi_error *error)
{
    dreamapi_status status;

    if (replays->owner != getpid())
        return dream_error_refuse(error, DREAMAPI_FORKED, "webhook: the replay set is the parent process's");
    pthread_mutex_lock(&replays->lock);
    status = enter(replays, webhook, error);
    pthread_mutex_unlock(&replays->lock);
    return status;
}

static dreamapi_status explain(dream_webhook_verdict verdict, dreamapi_error *error)
{
    switch (verdict) {
    case DREAM_WEBHOOK_GOOD:
        return DREAMAPI_OK;
    case DREAM_WEBHOOK_MISSING:
        return dream_error_refuse(error, DREAMAPI_PROTOCOL, "webhook: a header is missing");
    case DREAM_WEBHOOK_MALFORMED:
        return dream_error_refuse(error, DREAMAPI_PROTOCOL, "webhook: a header is malformed");
    case DREAM_WEBHOOK_UNMATCHED:
        return dream_error_refuse(error, DREAMAPI_AUTH, "webhook: no signature matches");
    case DREAM_WEBHOOK_OUTSIDE:
        return dream_error_refuse(error, DREAMAPI_TIMEOUT, "webhook: outside tolerance");
    case DREAM_WEBHOOK_BAD_SECRET:
        return dream_error_refuse(error, DREAMAPI_INVALID, "webhook: secrets has none, or one that cannot be used");
    case DREAM_WEBHOOK_FAILED:
    default:
        return dream_error_nomem(error);
    }
}

static dreamapi_status check_params(const dreamapi_webhook_params *params, dreamapi_error *error)
{
    if (params->scheme != DREAMAPI_WEBHOOK_STRIPE && params->scheme != DREAMAPI_WEBHOOK_STANDARD)
        return dream_error_refuse(error, DREAMAPI_INVALID, "scheme is not known");
    if (params->secrets == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "secrets is NULL");
    if (params->body == NULL && params->body_size > 0)
        return dream_error_refuse(error, DREAMAPI_INVALID, "body is NULL");
    if (params->tolerance_s < 0 || params->now_s < 0)
        return dream_error_refuse(error, DREAMAPI_INVALID, "tolerance_s or now_s is negative");
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_webhook_verify(const dreamapi_webhook_params *params, dreamapi_error *error)
{
    dreamapi_webhook_params given;
    dreamapi_status status = dream_params_copy(params, &given, sizeof(given), error);
    dream_svix_headers headers;
    dream_webhook webhook;

    if (status == DREAMAPI_OK)
        status = check_params(&given, error);
    if (status != DREAMAPI_OK)
        return status;
    webhook = (dream_webhook){ given.secrets, given.body, given.body_size, given.now_s, given.tolerance_s, 0, { 0 } };
    headers = (dream_svix_headers){ given.id, given.timestamp, given.signature };
    if (webhook.now_s == 0)
        webhook.now_s = time(NULL);
    status = explain(given.scheme == DREAMAPI_WEBHOOK_STRIPE ? dream_stripe_signature_judge(&webhook, given.signature)
                                                             : dream_svix_signature_judge(&webhook, &headers),
                     error);
    if (status == DREAMAPI_OK && given.replays != NULL)
        status = look_for_replay(given.replays, &webhook, error);
    if (status == DREAMAPI_OK)
        dream_error_clear(error);
    return status;
}
