/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_stripe.c - POST /webhook/stripe: payments and subscriptions become plans, orders lower the stock.
 *
 * The secret that the signature matches decides the mode of all that follows. An event is looked at in the store (seen? older
 * than what was applied?), then the user's metadata at the identity provider is brought up to date, then one transaction
 * records and applies the event: a failure before that leaves nothing, and Stripe delivers again. Events about one user
 * go one at a time (lanes.h). Another process may still have overtaken this one, so what the provider was told is compared
 * with the plan in force afterwards, and put right. A paid order is alike, but what comes first is asking Stripe what was
 * sold. An order is paid when its checkout completes, or days later, by a bank debit: the stock falls when it is paid.
 *
 * Who may say what: an event applies to the project that its metadata names, if that project is of the event's mode, of the
 * platform that connected the event's account, and the user's own: the user's metadata names it, or names none while the
 * project has stored the user as its customer. Everything else is only recorded, as are plans that are no tier. */
#include <string.h>

#include "common/crypto.h"
#include "common/json.h"
#include "common/webhook.h"
#include "net/log.h"
#include "service/api/handlers.h"
#include "service/api/ownership.h"
#include "service/api/payment.h"
#include "service/api/webhook_event.h"
#include "service/provider/clerk.h"
#include "service/store/customers.h"
#include "service/store/keys.h"
#include "service/store/plans.h"
#include "service/store/tiers.h"

/* How often the provider is told again while other processes change the plan. */
enum { MAX_CORRECTIONS = 4 };

static const char metadata_failed[] = "Failed to update user metadata";
static const char lines_failed[] = "Failed to read the order's line items";

struct webhook {
    enum dreamd_mode mode;
    dreamd_stripe_event event;
    const char *payload;  /* the body, borrowed from the request */
    const char *user_key; /* the publishable key in the user's metadata; NULL: none, or not asked yet */
    cJSON *metadata;      /* the user's, to be merged; owned */
    bool has_project;
    bool is_stored;    /* the project the event names has the user as a customer */
    bool is_tombstone; /* the customer was deleted here */
    bool is_unusable;  /* nothing to apply: the event is recorded only */
    dreamd_project project;
    const char *plan;      /* the tier's name as the project spells it; NULL if the event names none of the project's */
    const char *next_plan; /* what the event leads to; NULL: what the metadata says stays */
    const char *told_plan; /* what the provider's metadata says by now; NULL: none, or nothing was told */
    const char *plan_in_force;
    int corrections;
    dreamd_payment_account account;
    dreamd_stripe_line *lines; /* what an order sold */
    size_t line_count;
    dreamd_event_outcome outcome;
};

/* ---- the ends ---- */

static void end_webhook(dreamd_call *call, unsigned status, cJSON *body)
{
    struct webhook *webhook = call->state;

    if (webhook) {
        cJSON_Delete(webhook->metadata);
        webhook->metadata = NULL;
    }
    dreamd_call_answer(call, status, body);
}

static void answer_received(dreamd_call *call, bool is_repeat)
{
    cJSON *body = cJSON_CreateObject();
    bool is_ok = dream_json_set_bool(body, "received", true);

    if (is_repeat)
        is_ok = dream_json_set_bool(body, "idempotent", true) && is_ok;
    if (!is_ok) {
        cJSON_Delete(body);
        body = NULL;
    }
    end_webhook(call, 200, body);
}

static void refuse(dreamd_call *call, unsigned status, const char *error)
{
    cJSON *body = cJSON_CreateObject();

    if (!dream_json_set_string(body, "error", error)) {
        cJSON_Delete(body);
        body = NULL;
    }
    end_webhook(call, status, body);
}

/* A provider did not do its part: 502, or 500 if it knows nothing of what the event is about. Stripe delivers again. */
static void refuse_provider(dreamd_call *call, const char *error, const dreamd_upstream_answer *answer)
{
    struct webhook *webhook = call->state;
    cJSON *body = cJSON_CreateObject();
    bool is_unknown = answer->outcome == DREAMD_UPSTREAM_NOT_FOUND;

    cJSON_Delete(webhook->metadata);
    webhook->metadata = NULL;
    if (!dream_json_set_string(body, "error", error) || !dream_json_set_string(body, "details", answer->message)) {
        cJSON_Delete(body);
        body = NULL;
    }
    dreamd_call_set(call, is_unknown ? 500 : 502, body);
    if (!is_unknown)
        call->retry_after_s = DREAMD_UPSTREAM_RETRY_S;
    dreamd_call_send(call);
}

static void refuse_store(dreamd_call *call, dreamd_db_status status)
{
    struct webhook *webhook = call->state;

    cJSON_Delete(webhook->metadata);
    webhook->metadata = NULL;
    dreamd_call_refuse_store(call, status);
}

/* ---- store work ---- */

/* Does the event's account speak for this platform? Without an account it is about our own objects, which we made. */
static dreamd_db_status check_account(dreamd_db *db, const struct webhook *webhook, const dreamd_project *project,
                                      bool *out)
{
    char owner[DREAMD_ID_SIZE] = "";
    bool is_found = false;
    dreamd_db_status status = DREAMD_DB_OK;

    *out = true;
    if (!webhook->event.account)
        return DREAMD_DB_OK;
    status = dreamd_stripe_account_owner(db, webhook->event.account, webhook->mode, owner, &is_found);
    *out = is_found && strcmp(owner, project->platform_id) == 0;
    return status;
}

/* The project a publishable key names, if the event may speak about it. */
static dreamd_db_status find_project(dreamd_db *db, struct webhook *webhook, const char *publishable_key)
{
    dreamd_project project;
    bool is_found = false;
    bool is_allowed = false;
    dreamd_db_status status = dreamd_project_of_publishable_key(db, publishable_key, &project, &is_found);

    webhook->has_project = false;
    if (status == DREAMD_DB_OK && is_found && project.mode == webhook->mode)
        status = check_account(db, webhook, &project, &is_allowed);
    if (status == DREAMD_DB_OK && is_allowed) {
        webhook->project = project;
        webhook->has_project = true;
    }
    return status;
}

static bool gives_plan(const struct webhook *webhook)
{
    const char *status = webhook->event.subscription.status;

    return status && (strcmp(status, "active") == 0 || strcmp(status, "trialing") == 0);
}

/* Buyers may have named the tier by its display name, which no limit is found by. What is no tier (any more) gives nothing, but
 * does not keep its subscription from ending. */
static dreamd_db_status find_plan(dreamd_db *db, const dreamd_call *call, struct webhook *webhook)
{
    dreamd_tier tier;
    bool is_found = false;
    dreamd_db_status status = DREAMD_DB_OK;

    webhook->plan = NULL;
    webhook->is_unusable = false;
    if (!webhook->has_project || !webhook->event.tier)
        return DREAMD_DB_OK;
    status = dreamd_tier_find(db, &webhook->project, webhook->event.tier, DREAMD_TIER_BY_NAME_OR_DISPLAY_NAME,
                              call->arena, &tier, &is_found);
    if (is_found)
        webhook->plan = tier.name;
    webhook->is_unusable = !is_found && gives_plan(webhook);
    return status;
}

static dreamd_event event_of(struct webhook *webhook)
{
    bool is_applied = webhook->has_project && !webhook->is_unusable && webhook->event.kind != DREAMD_STRIPE_OTHER
                      && webhook->event.kind != DREAMD_STRIPE_ORDER;

    webhook->event.subscription.plan = webhook->plan;
    return (dreamd_event){
        .source = webhook->mode == DREAMD_LIVE ? "stripe-live" : "stripe-test",
        .event_id = webhook->event.id,
        .type = webhook->event.type,
        .created_s = webhook->event.created_s,
        .payload = webhook->payload,
        .project = webhook->has_project ? &webhook->project : NULL,
        .subscription = is_applied ? &webhook->event.subscription : NULL,
        .sale = webhook->has_project && webhook->event.kind == DREAMD_STRIPE_ORDER ? &webhook->event.sale : NULL,
    };
}

static dreamd_db_status look(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct webhook *webhook = call->state;
    dreamd_customer customer = { 0 };
    bool is_found = false;
    dreamd_event event;
    dreamd_db_status status = DREAMD_DB_OK;

    webhook->has_project = false;
    webhook->is_stored = false;
    webhook->is_tombstone = false;
    if (webhook->event.publishable_key)
        status = find_project(db, webhook, webhook->event.publishable_key);
    if (status == DREAMD_DB_OK)
        status = find_plan(db, call, webhook);
    if (status == DREAMD_DB_OK && webhook->has_project && webhook->event.user_id) {
        status = dreamd_customer_find(db, &webhook->project, webhook->event.user_id, call->arena, &customer, &is_found);
        webhook->is_stored = is_found && !customer.is_deleted;
        webhook->is_tombstone = is_found && customer.is_deleted;
    }
    if (status != DREAMD_DB_OK)
        return status;
    event = event_of(webhook);
    return dreamd_event_look(db, &event, &webhook->outcome);
}

/* With the user's metadata at hand: an event that named no project is about the user's, one that named another's is not ours to
 * apply, and a user of no project is the event's project's only if that has had them before. */
static dreamd_db_status settle_project(dreamd_db *db, const dreamd_call *call, struct webhook *webhook)
{
    bool is_own = webhook->is_stored;
    dreamd_db_status status = DREAMD_DB_OK;

    if (!webhook->has_project) {
        if (!webhook->event.publishable_key && webhook->user_key)
            status = find_project(db, webhook, webhook->user_key);
        return status == DREAMD_DB_OK ? find_plan(db, call, webhook) : status;
    }
    if (webhook->user_key)
        status = dreamd_is_own_key(db, &webhook->project, webhook->user_key, &is_own);
    if (status == DREAMD_DB_OK && !is_own)
        webhook->has_project = false;
    return status;
}

static dreamd_db_status look_at_user(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct webhook *webhook = call->state;
    dreamd_db_status status = settle_project(db, call, webhook);
    dreamd_event event = event_of(webhook);

    webhook->next_plan = NULL;
    if (status != DREAMD_DB_OK || !event.subscription)
        return status;
    return dreamd_plan_after(db, &event, call->arena, &webhook->next_plan);
}

/* What was sold leaves the stock; more than there was leaves none. */
static dreamd_db_status take_stock(dreamd_db *db, const struct webhook *webhook)
{
    dreamd_db_status status = DREAMD_DB_OK;
    bool is_stocked = false;

    for (size_t i = 0; status == DREAMD_DB_OK && i < webhook->line_count; i++)
        status = dreamd_tier_take_stock(db, &webhook->project, webhook->lines[i].price_id, webhook->lines[i].quantity,
                                        &is_stocked);
    return status;
}

static dreamd_db_status find_account(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct webhook *webhook = call->state;

    return dreamd_payment_find_account(db, call, &webhook->project, &webhook->account);
}

static dreamd_db_status apply(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct webhook *webhook = call->state;
    dreamd_event event = event_of(webhook);
    dreamd_db_status status = dreamd_event_apply(db, &event, call->now_ms, &webhook->outcome);

    if (status == DREAMD_DB_OK && webhook->outcome == DREAMD_EVENT_APPLIED)
        status = take_stock(db, webhook);
    if (status == DREAMD_DB_OK && webhook->told_plan)
        status =
            dreamd_plan_in_force(db, &webhook->project, webhook->event.user_id, call->arena, &webhook->plan_in_force);
    return status;
}

static dreamd_db_status look_again(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct webhook *webhook = call->state;

    return dreamd_plan_in_force(db, &webhook->project, webhook->event.user_id, call->arena, &webhook->plan_in_force);
}

/* ---- the steps ---- */

/* The event is applied; a provider that cannot be told now is told with the user's next event. */
static void warn_of_wrong_plan(const struct webhook *webhook, const char *reason)
{
    dreamd_log(DREAMD_LOG_WARN, "plan_not_told", dreamd_log_text("user_id", webhook->event.user_id),
               dreamd_log_text("project_id", webhook->project.project_id),
               dreamd_log_text("plan", webhook->plan_in_force), dreamd_log_text("reason", reason));
}

static void compare_plans(dreamd_call *call);

static void on_looked_again(void *arg, dreamd_db_status status)
{
    dreamd_call *call = arg;
    const struct webhook *webhook = call->state;

    if (status == DREAMD_DB_OK) {
        compare_plans(call);
        return;
    }
    warn_of_wrong_plan(webhook, "the store could not be read");
    answer_received(call, webhook->outcome == DREAMD_EVENT_DUPLICATE);
}

static void on_corrected(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;
    struct webhook *webhook = call->state;

    if (user) {
        webhook->told_plan = webhook->plan_in_force;
        dreamd_store_read(call->service->store, look_again, on_looked_again, call);
        return;
    }
    warn_of_wrong_plan(webhook, answer->message);
    answer_received(call, webhook->outcome == DREAMD_EVENT_DUPLICATE);
}

static void tell_plan_again(dreamd_call *call)
{
    struct webhook *webhook = call->state;
    cJSON *metadata = cJSON_CreateObject();

    webhook->corrections++;
    if (dream_json_set_string(metadata, "plan", webhook->plan_in_force))
        dreamd_clerk_merge_metadata(call->service->upstream, webhook->mode, webhook->event.user_id, metadata,
                                    on_corrected, call);
    else
        refuse(call, 500, "Out of memory");
    cJSON_Delete(metadata);
}

/* Between telling the provider and applying, another process may have applied something newer and told it first. */
static void compare_plans(dreamd_call *call)
{
    const struct webhook *webhook = call->state;
    bool is_right =
        !webhook->told_plan || !webhook->plan_in_force || strcmp(webhook->told_plan, webhook->plan_in_force) == 0;

    if (!is_right && webhook->corrections < MAX_CORRECTIONS) {
        tell_plan_again(call);
        return;
    }
    if (!is_right)
        warn_of_wrong_plan(webhook, "it keeps changing");
    answer_received(call, webhook->outcome == DREAMD_EVENT_DUPLICATE);
}

static void on_applied(void *arg, dreamd_db_status status)
{
    if (status != DREAMD_DB_OK)
        refuse_store(arg, status);
    else
        compare_plans(arg);
}

static void start_apply(dreamd_call *call)
{
    dreamd_store_write(call->service->store, apply, on_applied, call);
}

static void on_merged(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;
    struct webhook *webhook = call->state;

    if (user) {
        start_apply(call);
    } else if (answer->outcome == DREAMD_UPSTREAM_NOT_FOUND && webhook->event.kind == DREAMD_STRIPE_ENDED) {
        /* A subscription that ends must end here even if its user is gone there; a stranger's makes nobody a customer. */
        webhook->told_plan = NULL;
        webhook->is_unusable = !webhook->is_stored;
        start_apply(call);
    } else {
        refuse_provider(call, metadata_failed, answer);
    }
}

/* ---- orders ---- */

/* The lines in the call's memory; false when there is no room. */
static bool keep_lines(dreamd_call *call, const dreamd_stripe_line *lines, size_t count)
{
    struct webhook *webhook = call->state;

    webhook->lines = dream_arena_alloc(call->arena, (count + 1) * sizeof *lines);
    for (size_t i = 0; webhook->lines && i < count; i++) {
        webhook->lines[i] = lines[i];
        webhook->lines[i].price_id = dream_arena_strdup(call->arena, lines[i].price_id);
        if (!webhook->lines[i].price_id)
            return false;
    }
    webhook->line_count = count;
    return webhook->lines != NULL;
}

static void on_lines(void *context, const dreamd_upstream_answer *answer, const dreamd_stripe_line *lines, size_t count)
{
    dreamd_call *call = context;

    if (!lines)
        refuse_provider(call, lines_failed, answer);
    else if (!keep_lines(call, lines, count))
        refuse(call, 500, "Out of memory");
    else
        start_apply(call);
}

/* Asks the account that the event is of: with the token it gave us, if it is still the connected one. */
static void on_account(void *arg, dreamd_db_status status)
{
    dreamd_call *call = arg;
    struct webhook *webhook = call->state;
    const char *wanted = webhook->event.account;
    dreamd_stripe_actor actor = { .mode = webhook->mode, .account = wanted };
    dreamd_stripe_account account;

    if (status != DREAMD_DB_OK) {
        refuse_store(call, status);
        return;
    }
    dreamd_payment_take_account(&webhook->account, &account);
    if (webhook->account.is_found && wanted && strcmp(account.account_id, wanted) == 0)
        actor = dreamd_payment_actor(&account, webhook->mode, NULL);
    dreamd_stripe_get_lines(call->service->upstream, &actor, webhook->event.sale.session_id, on_lines, call);
    dream_wipe(&account, sizeof account);
}

/* ---- subscriptions ---- */

/* False when out of memory. */
static bool fill_metadata(struct webhook *webhook)
{
    const dreamd_subscription *subscription = &webhook->event.subscription;
    bool is_ok = true;

    if (!webhook->user_key)
        is_ok = dream_json_set_string(webhook->metadata, "publishableKey", webhook->project.publishable_key);
    if (webhook->next_plan)
        is_ok = dream_json_set_string(webhook->metadata, "plan", webhook->next_plan) && is_ok;
    if (subscription->stripe_customer_id && webhook->event.kind != DREAMD_STRIPE_ENDED)
        is_ok = dream_json_set_string(webhook->metadata, "stripeCustomerId", subscription->stripe_customer_id) && is_ok;
    if (webhook->event.kind == DREAMD_STRIPE_CHANGED)
        is_ok = dream_json_set_string(webhook->metadata, "subscriptionId", subscription->subscription_id) && is_ok;
    return is_ok;
}

static void start_merge(dreamd_call *call)
{
    struct webhook *webhook = call->state;
    cJSON *metadata = webhook->metadata;

    if (webhook->is_unusable) {
        dreamd_log(DREAMD_LOG_WARN, "webhook_of_unknown_tier", dreamd_log_text("event_id", webhook->event.id),
                   dreamd_log_text("type", webhook->event.type), dreamd_log_text("tier", webhook->event.tier),
                   dreamd_log_text("project_id", webhook->project.project_id));
        start_apply(call);
        return;
    }
    if (!webhook->has_project) {
        dreamd_log(DREAMD_LOG_WARN, "webhook_not_applied", dreamd_log_text("event_id", webhook->event.id),
                   dreamd_log_text("type", webhook->event.type), dreamd_log_text("account", webhook->event.account),
                   dreamd_log_text("reason", "no project that this account and user belong to"));
        start_apply(call);
        return;
    }
    if (!fill_metadata(webhook)) {
        refuse(call, 500, "Out of memory");
        return;
    }
    webhook->metadata = NULL;
    webhook->told_plan = dream_arena_strdup(call->arena, dream_json_string(metadata, "plan"));
    dreamd_clerk_merge_metadata(call->service->upstream, webhook->mode, webhook->event.user_id, metadata, on_merged,
                                call);
    cJSON_Delete(metadata);
}

static void on_user_looked_at(void *arg, dreamd_db_status status)
{
    dreamd_call *call = arg;

    if (status != DREAMD_DB_OK)
        refuse_store(call, status);
    else
        start_merge(call);
}

static void on_user(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    dreamd_call *call = context;
    struct webhook *webhook = call->state;
    const char *key = NULL;

    if (!user) {
        on_merged(call, answer, NULL);
        return;
    }
    key = dream_json_string(user->metadata, "publishableKey");
    webhook->metadata = user->metadata ? cJSON_Duplicate(user->metadata, true) : cJSON_CreateObject();
    webhook->user_key = key && *key && strlen(key) < DREAMD_KEY_SIZE ? dream_arena_strdup(call->arena, key) : NULL;
    if (!webhook->metadata)
        refuse(call, 500, "Out of memory");
    else
        dreamd_store_read(call->service->store, look_at_user, on_user_looked_at, call);
}

static void on_looked(void *arg, dreamd_db_status status)
{
    dreamd_call *call = arg;
    const struct webhook *webhook = call->state;
    /* A project that the event names but may not speak about will not become right by asking for the user. */
    bool is_hopeless = webhook->event.publishable_key && !webhook->has_project;

    if (status != DREAMD_DB_OK)
        refuse_store(call, status);
    else if (webhook->outcome == DREAMD_EVENT_DUPLICATE)
        answer_received(call, true);
    else if (webhook->event.kind == DREAMD_STRIPE_OTHER || webhook->outcome == DREAMD_EVENT_STALE
             || webhook->is_tombstone)
        start_apply(call);
    else if (webhook->event.kind == DREAMD_STRIPE_ORDER && webhook->has_project)
        dreamd_store_read(call->service->store, find_account, on_account, call);
    else if (is_hopeless || webhook->is_unusable)
        start_merge(call);
    else
        dreamd_clerk_get_user(call->service->upstream, webhook->mode, webhook->event.user_id, on_user, call);
}

static void on_turn(void *context)
{
    dreamd_call *call = context;

    dreamd_store_read(call->service->store, look, on_looked, call);
}

/* ---- the delivery ---- */

/* The mode whose secret signed this; false if none did. The test secret is tried first. */
static bool find_mode(const dreamd_call *call, const char *signature, const char *body, size_t size,
                      enum dreamd_mode *out)
{
    static const enum dreamd_mode order[] = { DREAMD_TEST, DREAMD_LIVE };

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const char *secret = call->service->settings->stripe[order[i]].webhook_secret;

        *out = order[i];
        if (secret
            && dream_stripe_signature_verify(signature, secret, body, size, call->now_ms / 1000,
                                             DREAM_WEBHOOK_TOLERANCE_S))
            return true;
    }
    return false;
}

static bool has_secret(const dreamd_settings *settings)
{
    return settings->stripe[DREAMD_LIVE].webhook_secret || settings->stripe[DREAMD_TEST].webhook_secret;
}

/* Signed and readable: waits for its turn. */
static void take_event(dreamd_call *call)
{
    struct webhook *webhook = call->state;
    const char *error = dreamd_stripe_event_read(call->body, &webhook->event);

    if (error) {
        refuse(call, 400, error);
        return;
    }
    if (webhook->event.is_live != (webhook->mode == DREAMD_LIVE)) {
        /* A live endpoint is told of its accounts' test events too. They come again, signed for the test endpoint. */
        dreamd_log(DREAMD_LOG_INFO, "webhook_of_other_mode", dreamd_log_text("event_id", webhook->event.id),
                   dreamd_log_text("secret_of", dreamd_mode_text(webhook->mode)));
        answer_received(call, false);
        return;
    }
    call->lanes = call->service->lanes;
    call->place = (dreamd_lane_place){
        .name = webhook->event.user_id ? webhook->event.user_id : webhook->event.id,
        .fn = on_turn,
        .context = call,
    };
    dreamd_lane_enter(call->lanes, &call->place);
}

void dreamd_webhook_stripe(dreamd_call *call)
{
    const char *signature = dreamd_request_header(call->request, "Stripe-Signature");
    struct webhook *webhook = dream_arena_alloc(call->arena, sizeof *webhook);
    size_t size = 0;

    call->content_type = DREAMD_WEBHOOK_TYPE;
    call->state = webhook;
    if (!webhook) {
        refuse(call, 500, "Out of memory");
        return;
    }
    webhook->payload = dreamd_request_body(call->request, &size);
    if (!signature || !*signature)
        refuse(call, 400, "No signature");
    else if (!has_secret(call->service->settings))
        refuse(call, 500, "Webhook secret not configured");
    else if (!find_mode(call, signature, webhook->payload, size, &webhook->mode))
        refuse(call, 400, "Webhook signature verification failed");
    else if (dreamd_call_body(call) != DREAMD_BODY_OBJECT)
        refuse(call, 400, "Invalid payload");
    else
        take_event(call);
}
