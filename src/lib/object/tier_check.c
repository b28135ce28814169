/* SPDX-License-Identifier: Apache-2.0 */
/* tier_check.c - dreamapi_tier_check: a list of tiers that is kept, and the plan of a user.
 * One fetch of the list is under way at a time; whoever cannot do without its answer waits, and works the client meanwhile if
 * that has no thread. */
#include <dreamapi/tier_check.h>
#include <dreamapi/usage.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/client.h"
#include "lib/engine.h"
#include "lib/error.h"
#include "lib/meter/metering.h"
#include "lib/object/tier.h"
#include "lib/params.h"
#include "lib/text.h"

enum {
    FRESH_MS = 5 * 60 * 1000,
    USABLE_MS = 60 * 60 * 1000,
    LOOK_AGAIN_MS = 10 * 1000, /* for a tier that is missing, and in the background after a failure */
    SLICE_MS = 20,
    NS_PER_MS = 1000000
};

/* ---- the cache ---- */

bool dream_tier_cache_init(dream_tier_cache *cache)
{
    pthread_condattr_t attributes;
    bool is_done;

    if (pthread_condattr_init(&attributes) != 0)
        return false;
    is_done = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0
              && pthread_cond_init(&cache->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (is_done && pthread_mutex_init(&cache->lock, NULL) != 0) {
        pthread_cond_destroy(&cache->changed);
        is_done = false;
    }
    return is_done;
}

void dream_tier_cache_clear(dream_tier_cache *cache, bool is_foreign)
{
    if (is_foreign && pthread_mutex_trylock(&cache->lock) != 0)
        return; /* a thread that does not exist here was changing it */
    dreamapi_tiers_free(cache->list);
    free(cache->plans);
    if (is_foreign)
        return;
    pthread_cond_destroy(&cache->changed);
    pthread_mutex_destroy(&cache->lock);
}

/* `list` may be NULL. The lock is held. */
static void end_fetch(dreamapi_client *client, dreamapi_tiers *list, const dreamapi_error *error)
{
    dream_tier_cache *cache = &client->tiers;

    cache->error = *error;
    if (list != NULL) {
        dreamapi_tiers_free(cache->list);
        cache->list = list;
        cache->fetched_ms = dream_settings_now_ms(&client->settings);
    } else {
        cache->not_before_ms = dream_settings_now_ms(&client->settings) + LOOK_AGAIN_MS;
    }
    cache->is_fetching = false;
    cache->fetches++;
    pthread_cond_broadcast(&cache->changed);
}

/* The driver's. */
static void on_fetched(dreamapi_call *call, void *context)
{
    dreamapi_client *client = context;
    void *list = NULL;
    dreamapi_error error;

    (void)dream_call_take(call, &dream_noun_tiers, &list, &error);
    pthread_mutex_lock(&client->tiers.lock);
    end_fetch(client, list, &error);
    pthread_mutex_unlock(&client->tiers.lock);
    dreamapi_call_free(call);
}

/* The lock is held. */
static void fetch_behind(dreamapi_client *client)
{
    dream_request request;

    if (client->tiers.is_fetching)
        return;
    dream_request_begin(&request, client, "GET", "/api/tiers", NULL);
    client->tiers.is_fetching = true;
    if (dream_call_start_inside(client, "tier_list", &dream_noun_tiers, &request, on_fetched, client, NULL)
        != DREAMAPI_OK)
        client->tiers.is_fetching = false;
}

/* The lock is held, and is let go of in between. */
static void fetch_now(dreamapi_client *client, int64_t left_ms)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    dreamapi_tiers *list = NULL;
    dreamapi_error error;

    client->tiers.is_fetching = true;
    pthread_mutex_unlock(&client->tiers.lock);
    options.timeout_ms = left_ms;
    (void)dreamapi_tier_list(client, &options, &list, &error);
    pthread_mutex_lock(&client->tiers.lock);
    end_fetch(client, list, &error);
}

/* Until somebody else's fetch ends. The lock is held, and is let go of in between. */
static void wait_a_little(dreamapi_client *client, int64_t left_ms)
{
    dream_tier_cache *cache = &client->tiers;
    int64_t slice_ms = left_ms < SLICE_MS ? left_ms : SLICE_MS;
    struct timespec until;

    if (!client->has_worker && client->settings.clock.sleep_ms == NULL) {
        pthread_mutex_unlock(&cache->lock);
        dream_engine_drive(client, slice_ms);
        pthread_mutex_lock(&cache->lock);
        return;
    }
    /* Virtual time is moved on by the thread whose fetch it is: else it could be over before that thread has begun. */
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += slice_ms * NS_PER_MS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&cache->changed, &cache->lock, &until);
}

/* Waits for the fetch that is under way, else makes one. The lock is held, and is let go of in between. */
static dreamapi_status fetch(dreamapi_client *client, int64_t until_ms, dreamapi_error *error)
{
    dream_tier_cache *cache = &client->tiers;
    unsigned seen = cache->fetches;
    bool is_own = false;

    /* Somebody else's time is not ours. */
    while (cache->fetches == seen || (!is_own && cache->error.status == DREAMAPI_TIMEOUT)) {
        int64_t left_ms = until_ms - dream_settings_now_ms(&client->settings);
        if (left_ms <= 0)
            return dream_error_set(error, DREAMAPI_TIMEOUT,
                                   "tier_check: the deadline passed before the list of tiers came");
        is_own = !cache->is_fetching;
        if (is_own)
            fetch_now(client, left_ms);
        else
            wait_a_little(client, left_ms);
    }
    if (cache->error.status == DREAMAPI_OK)
        return DREAMAPI_OK;
    if (error != NULL)
        *error = cache->error;
    return cache->error.status;
}

/* Sees to it that there is a list no older than `usable_ms`; one that is not fresh is fetched in the background. The lock is held. */
static dreamapi_status ensure_list(dreamapi_client *client, int64_t usable_ms, int64_t until_ms, dreamapi_error *error)
{
    dream_tier_cache *cache = &client->tiers;
    int64_t now_ms = dream_settings_now_ms(&client->settings);

    if (cache->list == NULL || now_ms - cache->fetched_ms >= usable_ms)
        return fetch(client, until_ms, error);
    if (now_ms - cache->fetched_ms >= FRESH_MS && now_ms >= cache->not_before_ms)
        fetch_behind(client);
    return DREAMAPI_OK;
}

/* ---- a user's plan ---- */

typedef struct check {
    dreamapi_client *client;
    const char *user_id;
    dreamapi_tier_check_params params;
    dreamapi_call_options options;
    int64_t until_ms;
    dreamapi_tier_verdict *out;
    dreamapi_error *error;
} check;

static void take_plan(check *c, const char *plan, dreamapi_source source, int64_t age_ms)
{
    (void)snprintf(c->out->plan, sizeof(c->out->plan), "%s", plan);
    c->out->source = source;
    c->out->age_ms = age_ms < 0 ? 0 : age_ms;
}

/* As the user's meter last heard it. */
static bool plan_of_meter(check *c)
{
    dream_metering *metering = atomic_load(&c->client->metering);
    const dream_account *account;
    dream_line plan;
    int64_t age_ms;

    if (metering == NULL || c->user_id == NULL)
        return false;
    account = dream_accounts_find(&metering->accounts, c->user_id, "default");
    if (account == NULL || atomic_load(&account->answered_at_ns) == 0 || (plan = atomic_load(&account->plan)) == 0)
        return false;
    age_ms = (dream_metering_now_ns(metering) - atomic_load(&account->answered_at_ns)) / NS_PER_MS;
    if (age_ms >= c->params.max_age_ms)
        return false;
    take_plan(c, ((const dream_text_record *)dream_journal_at(metering->journal, plan))->text,
              atomic_load(&account->current) != 0 ? DREAMAPI_SOURCE_LEASE : DREAMAPI_SOURCE_CACHE, age_ms);
    return true;
}

static dream_plan_slot *slot_of(dream_tier_cache *cache, const dream_user_key *user)
{
    return &cache->plans[(user->bytes[0] | (unsigned)user->bytes[1] << 8) % DREAM_PLAN_SLOTS];
}

static bool plan_of_cache(check *c, const dream_user_key *user)
{
    dream_tier_cache *cache = &c->client->tiers;
    const dream_plan_slot *slot;
    bool is_found = false;
    int64_t age_ms;

    pthread_mutex_lock(&cache->lock);
    if (cache->plans != NULL) {
        slot = slot_of(cache, user);
        age_ms = dream_settings_now_ms(&c->client->settings) - slot->at_ms;
        is_found =
            slot->plan[0] != '\0' && memcmp(&slot->user, user, sizeof(*user)) == 0 && age_ms < c->params.max_age_ms;
        if (is_found)
            take_plan(c, slot->plan, DREAMAPI_SOURCE_CACHE, age_ms);
    }
    pthread_mutex_unlock(&cache->lock);
    return is_found;
}

static void remember_plan(check *c, const dream_user_key *user, const char *plan)
{
    dream_tier_cache *cache = &c->client->tiers;
    dream_plan_slot *slot;

    if (strlen(plan) >= DREAM_PLAN_SIZE)
        return;
    pthread_mutex_lock(&cache->lock);
    if (cache->plans == NULL)
        cache->plans = calloc(DREAM_PLAN_SLOTS, sizeof(*cache->plans));
    if (cache->plans != NULL) {
        slot = slot_of(cache, user);
        slot->user = *user;
        slot->at_ms = dream_settings_now_ms(&c->client->settings);
        (void)snprintf(slot->plan, sizeof(slot->plan), "%s", plan);
    }
    pthread_mutex_unlock(&cache->lock);
}

static dreamapi_status plan_of_server(check *c, const dream_user_key *user)
{
    dreamapi_usage *usage = NULL;
    dreamapi_status status;

    c->options.timeout_ms = c->until_ms - dream_settings_now_ms(&c->client->settings);
    if (c->options.timeout_ms <= 0)
        return dream_error_set(c->error, DREAMAPI_TIMEOUT,
                               "tier_check: the deadline passed before the plan was asked for");
    status = dreamapi_usage_get(c->client, c->user_id, &c->options, &usage, c->error);
    if (status == DREAMAPI_OK) {
        take_plan(c, dreamapi_usage_plan(usage), DREAMAPI_SOURCE_SERVER, 0);
        remember_plan(c, user, dreamapi_usage_plan(usage));
    }
    dreamapi_usage_free(usage);
    return status;
}

static dreamapi_status find_plan(check *c)
{
    dream_user_key user = { { 0 } };
    bool is_one_user = (c->user_id == NULL) != (c->options.user_token == NULL);

    if (c->params.plan != NULL) {
        take_plan(c, c->params.plan, DREAMAPI_SOURCE_CALLER, 0);
        return DREAMAPI_OK;
    }
    if (is_one_user && !dream_user_key_make(c->user_id, c->options.user_token, &user))
        return dream_error_nomem(c->error);
    /* Neither or both: refused by the call. */
    if (is_one_user && (plan_of_meter(c) || plan_of_cache(c, &user)))
        return DREAMAPI_OK;
    return plan_of_server(c, &user);
}

/* ---- the question ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_same_plan(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == '\0' && *b == '\0';
}

/* `*out_place` is where it stands in the list. */
static const dreamapi_tier *find_tier(const dreamapi_tiers *list, const char *plan, size_t *out_place)
{
    for (size_t i = 0; i < dreamapi_tiers_count(list); i++) {
        *out_place = i;
        if (is_same_plan(dreamapi_tier_id(dreamapi_tiers_at(list, i)), plan))
            return dreamapi_tiers_at(list, i);
    }
    return NULL;
}

static bool is_at_least(const dreamapi_tiers *list, const char *plan, const char *min_plan)
{
    size_t place = 0;
    size_t min_place = 0;
    const dreamapi_tier *tier = find_tier(list, plan, &place);
    const dreamapi_tier *min = find_tier(list, min_plan, &min_place);

    if (tier == NULL || min == NULL)
        return false;
    if (dreamapi_tier_price(tier) != dreamapi_tier_price(min))
        return dreamapi_tier_price(tier) > dreamapi_tier_price(min);
    return place >= min_place;
}

static bool has_feature(const dreamapi_tiers *list, const char *plan, const char *feature)
{
    size_t place;
    const dreamapi_tier *tier = find_tier(list, plan, &place);

    for (size_t i = 0; i < dreamapi_tier_feature_count(tier); i++) {
        if (strcmp(dreamapi_tier_feature(tier, i), feature) == 0)
            return true;
    }
    return false;
}

static bool is_missing(const check *c, const char *plan)
{
    size_t place;

    return plan != NULL && find_tier(c->client->tiers.list, plan, &place) == NULL;
}

/* The cache's lock is held. */
static dreamapi_status decide(check *c)
{
    dream_tier_cache *cache = &c->client->tiers;
    dreamapi_status status = ensure_list(c->client, USABLE_MS, c->until_ms, c->error);
    int64_t list_age_ms;

    if (status == DREAMAPI_OK && (is_missing(c, c->out->plan) || is_missing(c, c->params.min_plan)))
        status = ensure_list(c->client, LOOK_AGAIN_MS, c->until_ms, c->error);
    if (status != DREAMAPI_OK)
        return status;
    if (is_missing(c, c->params.min_plan))
        return dream_error_refuse(c->error, DREAMAPI_NOT_FOUND, "tier_check: no tier is named as min_plan says");
    c->out->allowed = c->params.min_plan != NULL ? is_at_least(cache->list, c->out->plan, c->params.min_plan)
                                                 : has_feature(cache->list, c->out->plan, c->params.feature);
    list_age_ms = dream_settings_now_ms(&c->client->settings) - cache->fetched_ms;
    if (list_age_ms > c->out->age_ms)
        c->out->age_ms = list_age_ms;
    return DREAMAPI_OK;
}

static dreamapi_status read_question(check *c, const dreamapi_tier_check_params *params,
                                     const dreamapi_call_options *options)
{
    static const dreamapi_tier_check_params defaults = DREAMAPI_TIER_CHECK_PARAMS_INIT;
    dreamapi_status status = dream_params_copy(params, &c->params, sizeof(c->params), c->error);

    if (status == DREAMAPI_OK)
        status = dream_params_copy(options, &c->options, sizeof(c->options), c->error);
    if (status != DREAMAPI_OK)
        return status;
    if (params == NULL)
        c->params = defaults;
    c->options.struct_size = sizeof(c->options);
    if ((c->params.min_plan == NULL) == (c->params.feature == NULL))
        return dream_error_refuse(c->error, DREAMAPI_INVALID, "give either min_plan or feature");
    if (c->params.plan != NULL && (!dream_text_is_id(c->params.plan)))
        return dream_error_refuse(c->error, DREAMAPI_INVALID, "plan is no name of a plan");
    if (c->params.max_age_ms < 0)
        return dream_error_refuse(c->error, DREAMAPI_INVALID, "max_age_ms is negative");
    if (c->options.timeout_ms < 0 || c->options.timeout_ms > DREAMAPI_MAX_TIMEOUT_MS)
        return dream_error_refuse(c->error, DREAMAPI_INVALID, "timeout_ms is out of range");
    c->until_ms = dream_settings_now_ms(&c->client->settings)
                  + (c->options.timeout_ms > 0 ? c->options.timeout_ms : c->client->settings.timeout_ms);
    return DREAMAPI_OK;
}

dreamapi_status dreamapi_tier_check(dreamapi_client *client, const char *user_id,
                                    const dreamapi_tier_check_params *params, const dreamapi_call_options *options,
                                    dreamapi_tier_verdict *out_verdict, dreamapi_error *error)
{
    check c = { .client = client, .user_id = user_id, .out = out_verdict, .error = error };
    dreamapi_status status;

    if (out_verdict == NULL)
        return dream_error_refuse(error, DREAMAPI_INVALID, "out_verdict is NULL");
    *out_verdict = (dreamapi_tier_verdict){ .age_ms = -1 };
    status = dream_client_check(client, error);
    if (status == DREAMAPI_OK)
        status = read_question(&c, params, options);
    if (status == DREAMAPI_OK)
        status = find_plan(&c);
    if (status != DREAMAPI_OK)
        return status;
    pthread_mutex_lock(&client->tiers.lock);
    status = decide(&c);
    pthread_mutex_unlock(&client->tiers.lock);
    if (status == DREAMAPI_OK)
        dream_error_clear(error);
    else
        out_verdict->age_ms = -1;
    return status;
}
