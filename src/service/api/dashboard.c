/* SPDX-License-Identifier: Apache-2.0 */
/* dashboard.c - GET /api/dashboard and GET /api/dashboard/totals: a developer's overview of a project and of a platform.
 *
 * Sums come from totals that the store keeps, lists are bounded, so the page costs the same however large the tenant is; all
 * customers are paged through by GET /api/customers. Customers without a subscription may have one that only the identity
 * provider's metadata tells of: it is asked for a few of them, at once, and what it does not tell is left out.
 * A key sees its own mode only, in the totals too. */
#include <stdatomic.h>
#include <string.h>

#include "common/timefmt.h"
#include "service/api/customer_row.h"
#include "service/api/handlers.h"
#include "service/provider/clerk.h"
#include "service/store/dashboard.h"
#include "service/store/totals.h"

enum {
    PROFILES_MAX = 20,
    PROFILE_PAUSE_MS = 10000,
    LOW_STOCK_MAX = 5 /* fewer than these and not none */
};

struct page;

/* What the identity provider tells of a customer; NULLs until it does. */
struct profile {
    struct page *page;
    const char *email;
    const char *plan;
    const char *subscription_id;
    const char *stripe_customer_id;
};

struct page {
    dreamd_call *call;
    dreamd_overview overview;
    dreamd_totals totals;
    int64_t usage;
    dreamd_tier *tiers;
    size_t tier_count;
    dreamd_listed_customer *customers;
    size_t customer_count;
    dreamd_customer_place next;
    struct profile *profiles;        /* one for each customer */
    atomic_int pending;              /* look-ups under way, and one for whoever starts them */
    dreamd_platform_totals platform; /* of the totals alone */
};

static struct page *page_new(dreamd_call *call)
{
    struct page *page = dream_arena_alloc(call->arena, sizeof *page);

    call->state = page;
    if (page)
        page->call = call;
    else
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    return page;
}

/* ---- the store ---- */

static dreamd_db_status load_customers(dreamd_db *db, dreamd_call *call, struct page *page)
{
    dreamd_customer_query query = { .limit = DREAMD_CUSTOMER_PAGE_MAX, .now_ms = call->now_ms };
    dreamd_db_status status = dreamd_customer_list(db, &call->project, &query, call->arena, &page->customers,
                                                   &page->customer_count, &page->next);

    if (status == DREAMD_DB_OK && page->customer_count > 0) {
        page->profiles = dream_arena_alloc(call->arena, page->customer_count * sizeof *page->profiles);
        if (!page->profiles)
            return DREAMD_DB_NOMEM;
    }
    return status;
}

static dreamd_db_status load(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct page *page = call->state;
    dreamd_db_status status = dreamd_overview_read(db, &call->project, call->arena, &page->overview);

    if (status == DREAMD_DB_OK)
        status = dreamd_totals_read(db, &call->project, &page->totals);
    if (status == DREAMD_DB_OK)
        status = dreamd_totals_usage(db, &call->project, dream_day_of_ms(call->now_ms), &page->usage);
    if (status == DREAMD_DB_OK)
        status = dreamd_tier_list(db, &call->project, call->arena, &page->tiers, &page->tier_count);
    return status == DREAMD_DB_OK ? load_customers(db, call, page) : status;
}

/* ---- the answer's parts ---- */

static bool set_time(cJSON *json, const char *name, int64_t ms)
{
    char text[25];

    if (ms <= 0)
        return dream_json_set_null(json, name);
    dream_iso_text(ms, text);
    return dream_json_set_string(json, name, text);
}

static bool set_amount(cJSON *json, const char *name, int64_t minor)
{
    return minor < 0 ? dream_json_set_null(json, name) : dream_json_set_int(json, name, minor);
}

/* Adds `item` (taken, NULL: out of memory) to the list. */
static bool add(cJSON *list, cJSON *item)
{
    if (item && list && cJSON_AddItemToArray(list, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static cJSON *checked(cJSON *json, bool is_ok)
{
    if (is_ok)
        return json;
    cJSON_Delete(json);
    return NULL;
}

/* `mrr` is in the main currency; what comes in others is not added to it, but told beside it. */
static bool set_mrr(cJSON *json, const dreamd_totals *totals)
{
    cJSON *by_currency = cJSON_CreateObject();
    bool has_any = totals->currency_count > 0;
    bool is_ok = dream_json_set_int(json, "mrr", has_any ? totals->mrr[0].mrr_minor : 0)
                 && dream_json_set_string(json, "mrrCurrency", has_any ? totals->mrr[0].currency : NULL);

    for (size_t i = 0; is_ok && i < totals->currency_count; i++)
        is_ok = dream_json_set_int(by_currency, totals->mrr[i].currency, totals->mrr[i].mrr_minor);
    return dream_json_set(json, "mrrByCurrency", by_currency) && is_ok;
}

static cJSON *metrics_json(const struct page *page)
{
    cJSON *json = cJSON_CreateObject();
    int64_t low_stock = 0;
    int64_t inventory = 0;
    bool is_ok = false;

    for (size_t i = 0; i < page->tier_count; i++) {
        int64_t stock = page->tiers[i].inventory;

        if (stock == DREAMD_UNLIMITED)
            continue;
        low_stock += stock > 0 && stock <= LOW_STOCK_MAX;
        inventory = stock > DREAM_JSON_MAX_INT - inventory ? DREAM_JSON_MAX_INT : inventory + stock;
    }
    is_ok = dream_json_set_int(json, "activeSubs", page->totals.active_subs)
            && dream_json_set_int(json, "cancelingSubs", page->totals.canceling_subs) && set_mrr(json, &page->totals)
            && dream_json_set_int(json, "usageThisPeriod", page->usage)
            && dream_json_set_int(json, "storeSalesCount", page->totals.sales_count)
            && dream_json_set_int(json, "storeTotalRevenue", page->totals.revenue_minor)
            && dream_json_set_int(json, "lowStockProducts", low_stock)
            && dream_json_set_int(json, "totalInventory", inventory);
    return checked(json, is_ok);
}

static const char *first_of(const char *stored, const char *told)
{
    return stored && *stored ? stored : told;
}

/* What a customer pays: as the subscription says, else the tier's price; of a free one nothing is said. */
static int64_t amount_of(const dreamd_subscription *subscription, const dreamd_tier *tier)
{
    if (subscription->amount_minor >= 0)
        return subscription->amount_minor;
    return tier && tier->price_minor > 0 ? tier->price_minor : -1;
}

static cJSON *customer_json(const struct page *page, const dreamd_listed_customer *listed,
                            const struct profile *profile)
{
    static const dreamd_subscription none = DREAMD_SUBSCRIPTION_INIT;
    const dreamd_subscription *subscription = listed->has_subscription ? &listed->subscription : &none;
    const char *plan = !listed->has_plan && profile->plan ? profile->plan : listed->plan;
    const dreamd_tier *tier = dreamd_row_tier(page->tiers, page->tier_count, plan);
    cJSON *json = cJSON_CreateObject();
    bool is_ok =
        dream_json_set_string(json, "userId", listed->customer.user_id)
        && dream_json_set_string(json, "email", first_of(listed->customer.email, profile->email))
        && dream_json_set_string(json, "plan", plan) && dream_json_set_string(json, "status", dreamd_row_status(listed))
        && dreamd_row_set_usage(json, "usageCount", listed, tier ? tier->limit : 0)
        && set_time(json, "currentPeriodEnd", subscription->current_period_end_ms)
        && set_time(json, "canceledAt", subscription->canceled_at_ms)
        && dream_json_set_string(json, "subscriptionId",
                                 first_of(subscription->subscription_id, profile->subscription_id))
        && dream_json_set_string(json, "stripeCustomerId",
                                 first_of(subscription->stripe_customer_id, profile->stripe_customer_id))
        && dream_json_set_string(json, "priceId", first_of(subscription->price_id, tier ? tier->price_id : NULL))
        && dream_json_set_string(json, "productId", first_of(subscription->product_id, tier ? tier->product_id : NULL))
        && set_amount(json, "amount", amount_of(subscription, tier))
        && dream_json_set_string(json, "currency", subscription->currency)
        && dream_json_set_string(json, "publishableKey", page->call->project.publishable_key);

    return checked(json, is_ok);
}

static cJSON *customers_json(const struct page *page)
{
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < page->customer_count; i++)
        is_ok = add(list, customer_json(page, &page->customers[i], &page->profiles[i]));
    return checked(list, is_ok);
}

static cJSON *tier_json(const struct page *page, const dreamd_tier *tier)
{
    cJSON *json = cJSON_CreateObject();
    bool is_unlimited = tier->inventory == DREAMD_UNLIMITED;
    bool is_ok = dream_json_set_string(json, "name", tier->name)
                 && dream_json_set_string(json, "displayName", tier->display_name)
                 && dream_json_set_int(json, "price", tier->price_minor)
                 && dreamd_row_set_limit(json, "limit", tier->limit)
                 && dream_json_set_string(json, "priceId", tier->price_id)
                 && dream_json_set_string(json, "productId", tier->product_id)
                 && dream_json_set_bool(json, "popular", tier->is_popular)
                 && set_amount(json, "inventory", is_unlimited ? -1 : tier->inventory)
                 && dream_json_set_bool(json, "soldOut", tier->is_sold_out || tier->inventory == 0)
                 && dream_json_set_string(json, "publishableKey", page->call->project.publishable_key)
                 && dream_json_set_string(json, "projectType", page->call->project.type);

    return checked(json, is_ok);
}

static cJSON *tiers_json(const struct page *page)
{
    cJSON *list = cJSON_CreateArray();
    bool is_ok = list != NULL;

    for (size_t i = 0; is_ok && i < page->tier_count; i++)
        is_ok = add(list, tier_json(page, &page->tiers[i]));
    return checked(list, is_ok);
}

static cJSON *key_json(const struct page *page, const dreamd_shown_key *key)
{
    cJSON *json = cJSON_CreateObject();
    char created[20];
    bool is_ok = false;

    dream_utc_text(key->created_at_ms, created);
    is_ok = dream_json_set_string(json, "publishableKey", key->publishable_key)
            && dream_json_set_string(json, "createdAt", created)
            && dream_json_set_string(json, "status", key->is_active ? "active" : "revoked")
            && dream_json_set_string(json, "name", key->project_name)
            && dream_json_set_string(json, "projectType", key->project_type)
            && dream_json_set_string(json, "mode", dreamd_mode_text(page->call->project.mode));
    return checked(json, is_ok);
}

/* A secret key is stored as a hash: there is nothing to mask, and the mask says nothing. */
static cJSON *keys_json(const struct page *page)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *list = cJSON_CreateArray();
    bool is_ok = dream_json_set_string(json, "publishableKey", page->call->project.publishable_key)
                 && dream_json_set_string(json, "secretKeyMasked", "********")
                 && dream_json_set_string(json, "platformId", page->call->project.platform_id);

    for (size_t i = 0; is_ok && i < page->overview.key_count; i++)
        is_ok = add(list, key_json(page, &page->overview.keys[i]));
    is_ok = dream_json_set(json, "apiKeys", list) && is_ok;
    is_ok = dream_json_set_string(json, "stripeAccountId", page->overview.stripe_account_id) && is_ok;
    return checked(json, is_ok);
}

/* A payload that is no JSON is shown as null: one bad row takes no page down. */
static cJSON *event_json(const dreamd_shown_event *event)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *payload = event->payload ? dream_json_parse(event->payload, strlen(event->payload), NULL) : NULL;
    char recorded[20];
    bool is_ok = false;

    dream_utc_text(event->recorded_at_ms, recorded);
    is_ok = dream_json_set_string(json, "type", event->type) && dream_json_set_string(json, "createdAt", recorded);
    is_ok = dream_json_set(json, "payload", payload ? payload : cJSON_CreateNull()) && is_ok;
    return checked(json, is_ok);
}

static cJSON *webhook_json(const struct page *page)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *list = cJSON_CreateArray();
    char last[20] = "";
    bool is_ok = list != NULL;

    if (page->overview.event_count > 0)
        dream_utc_text(page->overview.events[0].recorded_at_ms, last);
    is_ok = dream_json_set_string(json, "lastEventAt", last[0] ? last : NULL) && is_ok;
    for (size_t i = 0; is_ok && i < page->overview.event_count; i++)
        is_ok = add(list, event_json(&page->overview.events[i]));
    is_ok = dream_json_set(json, "recent", list) && is_ok;
    return checked(json, is_ok);
}

static cJSON *filters_json(const struct page *page)
{
    const dreamd_project *project = &page->call->project;
    cJSON *json = cJSON_CreateObject();
    bool is_ok = dream_json_set_string(json, "platformId", project->platform_id)
                 && dream_json_set_string(json, "publishableKey", project->publishable_key)
                 && dream_json_set_string(json, "mode", dreamd_mode_text(project->mode));

    return checked(json, is_ok);
}

static void answer_page(dreamd_call *call)
{
    const struct page *page = call->state;
    cJSON *body = cJSON_CreateObject();
    bool is_ok =
        dream_json_set(body, "metrics", metrics_json(page)) && dream_json_set(body, "customers", customers_json(page))
        && dream_json_set_bool(body, "hasMoreCustomers", page->next.is_there)
        && dream_json_set(body, "tiers", tiers_json(page)) && dream_json_set(body, "keys", keys_json(page))
        && dream_json_set(body, "webhook", webhook_json(page)) && dream_json_set(body, "filters", filters_json(page));

    dreamd_call_answer(call, 200, checked(body, is_ok));
}

/* ---- the identity provider ---- */

/* May this project see what the metadata says? A user may have moved on to another one. */
static bool is_own_metadata(const struct page *page, const cJSON *metadata)
{
    const char *key = dream_json_string(metadata, "publishableKey");

    for (size_t i = 0; key && i < page->overview.key_count; i++) {
        if (strcmp(page->overview.keys[i].publishable_key, key) == 0)
            return strcmp(page->overview.keys[i].project_id, page->call->project.project_id) == 0;
    }
    return false;
}

static void finish_one(struct page *page)
{
    if (atomic_fetch_sub(&page->pending, 1) == 1)
        answer_page(page->call);
}

/* With a user: on the HTTP client's thread alone, so the arena has one writer. Without one nothing is allocated. */
static void on_profile(void *context, const dreamd_upstream_answer *answer, const dreamd_clerk_user *user)
{
    struct profile *profile = context;
    struct page *page = profile->page;
    dream_arena *arena = page->call->arena;

    if (answer->outcome == DREAMD_UPSTREAM_UNAVAILABLE)
        atomic_store(&page->call->service->email_pause_until_ms, dream_monotonic_ms() + PROFILE_PAUSE_MS);
    if (user && is_own_metadata(page, user->metadata)) {
        profile->email = dream_arena_strdup(arena, user->email);
        profile->plan = dream_arena_strdup(arena, dream_json_string(user->metadata, "plan"));
        profile->subscription_id = dream_arena_strdup(arena, dream_json_string(user->metadata, "subscriptionId"));
        profile->stripe_customer_id = dream_arena_strdup(arena, dream_json_string(user->metadata, "stripeCustomerId"));
    }
    finish_one(page);
}

static void ask_profiles(dreamd_call *call)
{
    struct page *page = call->state;
    bool is_paused = dream_monotonic_ms() < atomic_load(&call->service->email_pause_until_ms);
    size_t asked = 0;

    atomic_init(&page->pending, 1);
    for (size_t i = 0; !is_paused && i < page->customer_count && asked < PROFILES_MAX; i++) {
        if (page->customers[i].has_subscription)
            continue;
        asked++;
        page->profiles[i].page = page;
        atomic_fetch_add(&page->pending, 1);
        dreamd_clerk_get_user(call->service->upstream, call->project.mode, page->customers[i].customer.user_id,
                              on_profile, &page->profiles[i]);
    }
    finish_one(page);
}

void dreamd_dashboard_get(dreamd_call *call)
{
    if (call->is_selection_empty)
        dreamd_call_refuse(call, 403, "Publishable key mismatch", "Live and test keys do not go together");
    else if (page_new(call))
        dreamd_call_read(call, load, ask_profiles);
}

/* ---- the totals ---- */

static dreamd_db_status load_totals(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct page *page = call->state;

    return dreamd_totals_of_platform(db, call->project.platform_id, call->project.mode, &page->platform);
}

static void answer_totals(dreamd_call *call)
{
    const dreamd_platform_totals *platform = &((const struct page *)call->state)->platform;
    bool is_live = call->project.mode == DREAMD_LIVE;
    cJSON *body = cJSON_CreateObject();
    cJSON *totals = cJSON_CreateObject();
    bool is_ok = set_mrr(totals, &platform->sums)
                 && dream_json_set_int(totals, "activeSubs", platform->sums.active_subs)
                 && dream_json_set_int(totals, "cancelingSubs", platform->sums.canceling_subs)
                 && dream_json_set_int(totals, "totalProducts", platform->products)
                 && dream_json_set_int(totals, "liveProjects", is_live ? platform->projects : 0)
                 && dream_json_set_int(totals, "projects", platform->projects);

    is_ok = dream_json_set(body, "totals", totals) && is_ok;
    is_ok = dream_json_set_string(body, "platformId", call->project.platform_id)
            && dream_json_set_string(body, "mode", dreamd_mode_text(call->project.mode)) && is_ok;
    dreamd_call_answer(call, 200, checked(body, is_ok));
}

void dreamd_dashboard_totals(dreamd_call *call)
{
    if (page_new(call))
        dreamd_call_read(call, load_totals, answer_totals);
}
