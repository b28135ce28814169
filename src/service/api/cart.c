/* SPDX-License-Identifier: Apache-2.0 */
/* cart.c - POST /api/cart/checkout: a page of the payment provider where a guest buys products, once.
 *
 * Steps: one piece of work claims the key, settles what is bought against the stock and finds the developer's payment account;
 * the provider makes the session. Nothing is reserved: stock goes down when the payment comes in (webhook_stripe.c).
 * Nothing is taken of the rate limit, which counts users: a cart has none, a token beside it is not read; how many there may be is limits.c. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/crypto.h"
#include "common/json.h"
#include "service/api/handlers.h"
#include "service/api/limits.h"
#include "service/api/payment.h"
#include "service/api/replay.h"
#include "service/store/tiers.h"

enum {
    MAX_ITEMS = DREAMD_STRIPE_MAX_LINES,
    MAX_QUANTITY = 99, /* of one line; more is cut, as the contract has it */
    MAX_ID = 255
};

/* What an item names the product by: whatever is given must fit. */
struct item {
    const char *price_id;
    const char *product_id;
    const char *tier;
    int64_t quantity;
};

struct cart {
    struct item *items;
    size_t count;
    const char *email; /* NULL: the provider asks for it */
    const char *success_url;
    const char *cancel_url;
    bool is_refused; /* by store work: the answer is prepared */
    dreamd_tier *tiers;
    size_t tier_count;
    int64_t *wanted; /* of each tier */
    dreamd_stripe_line *lines;
    size_t line_count;
    dreamd_payment_account account;
};

/* ---- what is asked for ---- */

static bool refuse_item(dreamd_call *call, size_t index, const char *error, const char *what)
{
    char message[96];

    (void)snprintf(message, sizeof message, "items[%zu] %s", index, what);
    dreamd_call_set_error(call, 400, error, message);
    return false;
}

/* Absent, null and "" are NULL. False if it is no text, or longer than any id. */
static bool read_id(const cJSON *json, const char *name, const char **out)
{
    const cJSON *value = dream_json_get(json, name);

    *out = NULL;
    if (!value || cJSON_IsNull(value))
        return true;
    if (!cJSON_IsString(value) || strlen(value->valuestring) > MAX_ID)
        return false;
    if (value->valuestring[0] != '\0')
        *out = value->valuestring;
    return true;
}

static bool read_quantity(const cJSON *json, int64_t *out)
{
    const cJSON *value = dream_json_get(json, "quantity");

    *out = 1;
    if (!value || cJSON_IsNull(value))
        return true;
    if (!dream_json_int(json, "quantity", out) || *out < 1)
        return false;
    if (*out > MAX_QUANTITY)
        *out = MAX_QUANTITY;
    return true;
}

static bool read_item(dreamd_call *call, size_t index, const cJSON *json, struct item *out)
{
    if (!read_id(json, "priceId", &out->price_id) || !read_id(json, "productId", &out->product_id)
        || !read_id(json, "tier", &out->tier) || (!out->price_id && !out->product_id && !out->tier))
        return refuse_item(call, index, "Invalid item", "needs a priceId, a productId or a tier");
    if (!read_quantity(json, &out->quantity))
        return refuse_item(call, index, "Invalid quantity", "needs a quantity that is a positive integer");
    return true;
}

static bool read_items(dreamd_call *call, struct cart *cart)
{
    const cJSON *list = dream_json_get(call->body, "items");
    const cJSON *json = NULL;
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    char message[64];

    if (count < 1) {
        dreamd_call_set_error(call, 400, "No items provided", NULL);
        return false;
    }
    if (count > MAX_ITEMS) {
        (void)snprintf(message, sizeof message, "A cart has at most %d items", (int)MAX_ITEMS);
        dreamd_call_set_error(call, 400, "Too many items", message);
        return false;
    }
    cart->items = dream_arena_alloc(call->arena, (size_t)count * sizeof *cart->items);
    cart->lines = dream_arena_alloc(call->arena, (size_t)count * sizeof *cart->lines);
    if (!cart->items || !cart->lines) {
        dreamd_call_set_error(call, 500, "Internal error", "Out of memory");
        return false;
    }
    cJSON_ArrayForEach(json, list)
    {
        if (!read_item(call, cart->count, json, &cart->items[cart->count]))
            return false;
        cart->count++;
    }
    return true;
}

static bool read_request(dreamd_call *call, struct cart *cart)
{
    (void)dreamd_call_body(call); /* no body, and none that can be read, is a cart without items */
    return read_items(call, cart) && dreamd_call_text(call, "email", DREAMD_MAX_EMAIL, "Invalid request", &cart->email)
           && dreamd_payment_read_url(call, "successUrl", "/cart?success=true", &cart->success_url)
           && dreamd_payment_read_url(call, "cancelUrl", "/cart?canceled=true", &cart->cancel_url);
}

/* ---- what is bought ---- */

static bool is_same(const char *wanted, const char *stored)
{
    return !wanted || (stored && strcmp(wanted, stored) == 0);
}

/* A product that can be bought and that everything given of the item fits; NULL if there is none. */
static const dreamd_tier *find_product(const struct cart *cart, const struct item *item)
{
    for (size_t i = 0; i < cart->tier_count; i++) {
        const dreamd_tier *tier = &cart->tiers[i];

        if (tier->price_id && strcmp(tier->billing_mode, "one_off") == 0 && is_same(item->price_id, tier->price_id)
            && is_same(item->product_id, tier->product_id) && (!item->tier || strcasecmp(item->tier, tier->name) == 0))
            return tier;
    }
    return NULL;
}

static void set_refusal(dreamd_call *call, const char *error, const char *name)
{
    const char *text = dream_arena_printf(call->arena, "%s%s", error, name);

    ((struct cart *)call->state)->is_refused = true;
    dreamd_call_set_error(call, 400, text ? text : error, NULL);
}

/* Adds the item to what is wanted of its product. False, with the refusal set, if it cannot be bought. */
static bool add_item(dreamd_call *call, struct cart *cart, const struct item *item)
{
    const dreamd_tier *product = find_product(cart, item);
    const char *named = item->price_id ? item->price_id : item->product_id ? item->product_id : item->tier;
    int64_t *wanted = NULL;

    if (!product) {
        set_refusal(call, "Invalid item: ", named);
        return false;
    }
    if (product->is_sold_out || product->inventory == 0) {
        set_refusal(call, "Item sold out: ", product->display_name);
        return false;
    }
    wanted = &cart->wanted[product - cart->tiers];
    *wanted += item->quantity; /* at most MAX_ITEMS times MAX_QUANTITY */
    if (*wanted <= product->inventory)
        return true;
    set_refusal(call, "Not enough inventory for ", product->display_name);
    return false;
}

/* One line a product, in the order in which the items first name it. */
static void add_line(struct cart *cart, const struct item *item)
{
    const dreamd_tier *product = find_product(cart, item);
    int64_t *wanted = &cart->wanted[product - cart->tiers];

    if (*wanted > 0)
        cart->lines[cart->line_count++] = (dreamd_stripe_line){ product->price_id, *wanted };
    *wanted = 0;
}

static dreamd_db_status settle_items(dreamd_db *db, dreamd_call *call)
{
    struct cart *cart = call->state;
    dreamd_db_status status = dreamd_tier_list(db, &call->project, call->arena, &cart->tiers, &cart->tier_count);

    if (status != DREAMD_DB_OK)
        return status;
    cart->line_count = 0;
    cart->wanted = dream_arena_alloc(call->arena, (cart->tier_count + 1) * sizeof *cart->wanted);
    if (!cart->wanted)
        return DREAMD_DB_NOMEM;
    for (size_t i = 0; i < cart->count; i++) {
        if (!add_item(call, cart, &cart->items[i]))
            return DREAMD_DB_OK;
    }
    for (size_t i = 0; i < cart->count; i++)
        add_line(cart, &cart->items[i]);
    return DREAMD_DB_OK;
}

static dreamd_db_status settle(dreamd_db *db, void *arg)
{
    dreamd_call *call = arg;
    struct cart *cart = call->state;
    dreamd_db_status status = dreamd_replay_claim(db, call);

    cart->is_refused = false;
    if (status != DREAMD_DB_OK || !dreamd_replay_is_fresh(call))
        return status;
    status = settle_items(db, call);
    if (status == DREAMD_DB_OK && cart->is_refused)
        return dreamd_replay_finish(db, call);
    if (status == DREAMD_DB_OK)
        status = dreamd_payment_find_account(db, call, &call->project, &cart->account);
    return status;
}

/* ---- the session ---- */

static void on_session(void *context, const dreamd_upstream_answer *answer, const char *url)
{
    dreamd_call *call = context;

    if (answer->outcome == DREAMD_UPSTREAM_UNAVAILABLE)
        dreamd_call_refuse_upstream(call, answer, NULL);
    else if (answer->outcome != DREAMD_UPSTREAM_OK)
        dreamd_call_refuse(call, 400, answer->message, NULL);
    else
        dreamd_payment_answer_url(call, url);
}

static void start_session(dreamd_call *call)
{
    struct cart *cart = call->state;
    char key[65];
    const char *upstream_key = dreamd_replay_upstream_key(call, key) ? key : NULL;
    dreamd_stripe_order order = {
        .success_url = cart->success_url,
        .cancel_url = cart->cancel_url,
        .customer_email = cart->email,
        .publishable_key = call->project.publishable_key,
        .platform_id = call->project.platform_id,
        .lines = cart->lines,
        .count = cart->line_count,
        .is_tax_enabled = call->project.is_tax_enabled,
    };
    dreamd_stripe_account account;
    dreamd_stripe_actor actor;

    dreamd_payment_take_account(&cart->account, &account);
    actor = dreamd_payment_actor(&account, call->project.mode, upstream_key);
    dreamd_stripe_create_order(call->service->upstream, &actor, &order, on_session, call);
    dream_wipe(&account, sizeof account);
}

static void on_settled(dreamd_call *call)
{
    const struct cart *cart = call->state;

    if (!dreamd_replay_is_fresh(call)) {
        dreamd_replay_set_answer(call);
        dreamd_call_send(call);
        return;
    }
    if (cart->is_refused) {
        dreamd_call_send(call);
        return;
    }
    call->has_claim = call->key != NULL;
    if (cart->account.is_found)
        start_session(call);
    else
        dreamd_call_refuse(call, 500, "Developer has not connected their Stripe account", NULL);
}

void dreamd_cart_checkout(dreamd_call *call)
{
    struct cart *cart = dream_arena_alloc(call->arena, sizeof *cart);

    call->state = cart;
    if (!cart)
        dreamd_call_refuse(call, 500, "Internal error", "Out of memory");
    else if (call->is_selection_empty)
        dreamd_call_refuse(call, 403, "Publishable key mismatch", "Live and test keys do not go together");
    else if (!read_request(call, cart) || !dreamd_limits_may_buy(call))
        dreamd_call_send(call);
    else if (call->key)
        dreamd_call_write(call, settle, on_settled);
    else
        dreamd_call_read(call, settle, on_settled);
}
