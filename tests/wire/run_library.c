/* SPDX-License-Identifier: Apache-2.0 */
/* run_library.c - runs the recorded wire cases against the library: run_library CASE-FILE...
 *
 * Each case that a typed call can send is sent through the library's scripted transport, once for the recorded answer and once
 * for what a rule made of it. The request must be the recorded one, and every accessor of the answer, or every field of the
 * error, must say what the answer says. Each POST runs twice, at a server without and with the extension `idempotency`: its
 * key is sent in both cases, and one answer is one answer.
 * Prints TAP, one line for each case and answer; cases that no typed call can send are counted apart. One thread. */
#include <cjson/cJSON.h>
#include <dreamapi.h>
#include <dreamapi/testing.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char base_url[] = "https://api.example.test/prefix";
static const char idempotency_key[] = "key-of-this-call";
static const double some_int = 1767225600123;

enum { TEXT_SIZE = 4096, REPORT_SIZE = 8192 };

struct run;

/* A typed call: which requests it can send, how, and how its answer is read. */
struct kind {
    const char *method;
    const char *path;          /* ends with '/': one id follows */
    const char *const *fields; /* what its body may hold; NULL: it has none */
    const char *needed;        /* the field without which it sends nothing; NULL: none */
    bool is_on_behalf;         /* of the user whose token is given */
    dreamapi_status (*send)(struct run *run, const cJSON *body, const cJSON *answer);
    const char *(*why_not)(const cJSON *body); /* looks further into the body; NULL: there is nothing more to look at */
};

struct run {
    const cJSON *request;
    const cJSON *answer;
    const struct kind *kind;
    const char *id;
    dreamapi_client *client;
    dreamapi_call_options options;
    dreamapi_error error;
    char report[REPORT_SIZE]; /* what was wrong; "" so far nothing */
};

/* ---- reports ---- */

static void wrong(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void wrong(struct run *run, const char *format, ...)
{
    size_t used = strlen(run->report);
    va_list arguments;

    (void)snprintf(run->report + used, sizeof(run->report) - used, "#   ");
    used = strlen(run->report);
    va_start(arguments, format);
    (void)vsnprintf(run->report + used, sizeof(run->report) - used, format, arguments);
    va_end(arguments);
    used = strlen(run->report);
    (void)snprintf(run->report + used, sizeof(run->report) - used, "\n");
}

static void expect_text(struct run *run, const char *what, const char *got, const char *expected)
{
    if (got == NULL || expected == NULL ? got != expected : strcmp(got, expected) != 0)
        wrong(run, "%s: expected %s, not %s", what, expected == NULL ? "NULL" : expected, got == NULL ? "NULL" : got);
}

static void expect_int(struct run *run, const char *what, int64_t got, int64_t expected)
{
    if (got != expected)
        wrong(run, "%s: expected %lld, not %lld", what, (long long)expected, (long long)got);
}

/* ---- reading the recorded JSON ---- */

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* NULL for what is absent, null or no text: as the accessors have it. */
static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(member(object, name));
}

/* "unlimited" and null are without an end; `absent` stands in for nothing at all. */
static int64_t int_of(const cJSON *object, const char *name, int64_t absent)
{
    const cJSON *item = member(object, name);

    if (item == NULL)
        return absent;
    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : DREAMAPI_UNLIMITED;
}

static int bool_of(const cJSON *object, const char *name, int absent)
{
    const cJSON *item = member(object, name);

    return item == NULL ? absent : cJSON_IsTrue(item);
}

/* ---- placeholders ---- */

static const struct {
    const char *start; /* of the placeholder, without its '<' */
    const char *value;
} values[] = {
    { "sk-test", "sk_test_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" },
    { "sk", "sk_live_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" },
    { "pk-test", "pk_test_00112233445566778899aabbccddeeff" },
    { "pk", "pk_live_00112233445566778899aabbccddeeff" },
    { "jwt", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyX3dpcmUxIn0.c2lnbmF0dXJl" },
    { "platform", "plt_00112233445566778899aabbccddeeff" },
    { "user", "user_wire1" },
    { "id", "user_wire2" },
    { "today+29", "2026-12-22" },
    { "today", "2026-11-23" },
    { "seconds", "7" },
    { "utc-time", "2026-11-23 12:00:00" },
    { "iso-time", "2026-12-22T12:00:00.000Z" },
    { "portal-url", "https://portal.example.test/p/session_1" },
    { "checkout-url", "https://checkout.example.test/c/pay/cs_1" },
    { "http-time", "Mon, 23 Nov 2026 12:00:00 GMT" },
};

static const char *value_of(const char *start)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (strncmp(start, values[i].start, strlen(values[i].start)) == 0)
            return values[i].value;
    }
    return "";
}

/* Owned (free()); every <placeholder> replaced. */
static char *filled(const char *text)
{
    char *out = calloc(1, strlen(text) * 8 + TEXT_SIZE);
    size_t size = 0;

    if (out == NULL)
        exit(1);
    while (*text != '\0') {
        const char *end = *text == '<' ? strchr(text, '>') : NULL;
        if (end == NULL) {
            out[size++] = *text++;
            continue;
        }
        size += (size_t)sprintf(out + size, "%s", value_of(text + 1));
        text = end + 1;
    }
    return out;
}

static void fill(cJSON *item)
{
    if (cJSON_IsString(item) && strcmp(item->valuestring, "<int>") == 0) {
        cJSON_free(item->valuestring);
        item->valuestring = NULL;
        item->type = cJSON_Number;
        cJSON_SetNumberValue(item, some_int);
    } else if (cJSON_IsString(item) && strchr(item->valuestring, '<') != NULL) {
        char *text = filled(item->valuestring);
        cJSON_free(item->valuestring);
        item->valuestring = text;
    }
    for (cJSON *child = item->child; child != NULL; child = child->next)
        fill(child);
}

/* ---- the typed calls ---- */

static dreamapi_status send_health(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_health *health;
    dreamapi_status status = dreamapi_health_get(run->client, &run->options, &health, &run->error);

    (void)body;
    if (health != NULL) {
        expect_text(run, "status", dreamapi_health_status(health), text_of(answer, "status"));
        expect_int(run, "extension_count", (int64_t)dreamapi_health_extension_count(health), 0);
        expect_text(run, "extension", dreamapi_health_extension(health, 0), NULL);
        expect_int(run, "has_extension", dreamapi_health_has_extension(health, "idempotency"), 0);
    }
    dreamapi_health_free(health);
    return status;
}

static void check_features(struct run *run, const dreamapi_tier *tier, const cJSON *features)
{
    int count = cJSON_GetArraySize(features);

    expect_int(run, "feature_count", (int64_t)dreamapi_tier_feature_count(tier), count);
    for (int i = 0; i < count; i++)
        expect_text(run, "feature", dreamapi_tier_feature(tier, (size_t)i),
                    cJSON_GetStringValue(cJSON_GetArrayItem(features, i)));
    expect_text(run, "feature past the end", dreamapi_tier_feature(tier, (size_t)count), NULL);
}

static void check_tier(struct run *run, const dreamapi_tier *tier, const cJSON *recorded)
{
    const cJSON *trial = member(recorded, "trialDays");

    expect_text(run, "id", dreamapi_tier_id(tier), text_of(recorded, "id"));
    expect_text(run, "name", dreamapi_tier_name(tier), text_of(recorded, "name"));
    expect_text(run, "display_name", dreamapi_tier_display_name(tier), text_of(recorded, "displayName"));
    expect_int(run, "price", dreamapi_tier_price(tier), int_of(recorded, "price", 0));
    expect_int(run, "limit", dreamapi_tier_limit(tier), int_of(recorded, "limit", 0));
    check_features(run, tier, member(recorded, "features"));
    expect_text(run, "description", dreamapi_tier_description(tier), text_of(recorded, "description"));
    expect_text(run, "billing_mode", dreamapi_tier_billing_mode(tier), text_of(recorded, "billingMode"));
    expect_text(run, "image_url", dreamapi_tier_image_url(tier), text_of(recorded, "imageUrl"));
    expect_int(run, "inventory", dreamapi_tier_inventory(tier), int_of(recorded, "inventory", DREAMAPI_UNLIMITED));
    expect_int(run, "sold_out", dreamapi_tier_sold_out(tier), bool_of(recorded, "soldOut", 0));
    expect_int(run, "popular", dreamapi_tier_popular(tier), bool_of(recorded, "popular", 0));
    expect_text(run, "stripe_price_id", dreamapi_tier_stripe_price_id(tier), text_of(recorded, "stripePriceId"));
    expect_text(run, "price_id", dreamapi_tier_price_id(tier), text_of(recorded, "priceId"));
    expect_text(run, "product_id", dreamapi_tier_product_id(tier), text_of(recorded, "productId"));
    expect_int(run, "trial_days", dreamapi_tier_trial_days(tier),
               cJSON_IsNumber(trial) ? (int64_t)trial->valuedouble : -1);
}

static dreamapi_status send_tiers(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_tiers *tiers;
    dreamapi_status status = dreamapi_tier_list(run->client, &run->options, &tiers, &run->error);
    const cJSON *recorded = member(answer, "tiers");
    char *sent = cJSON_PrintUnformatted(answer);

    (void)body;
    if (tiers != NULL) {
        int count = cJSON_GetArraySize(recorded);
        expect_int(run, "tiers_count", (int64_t)dreamapi_tiers_count(tiers), count);
        for (int i = 0; i < count; i++)
            check_tier(run, dreamapi_tiers_at(tiers, (size_t)i), cJSON_GetArrayItem(recorded, i));
        if (dreamapi_tiers_at(tiers, (size_t)count) != NULL)
            wrong(run, "there is a tier past the end");
        expect_text(run, "json", dreamapi_tiers_json(tiers), sent);
    }
    cJSON_free(sent);
    dreamapi_tiers_free(tiers);
    return status;
}

/* Usage comes flat from GET /api/usage and in parts from POST /api/data. */
static void check_usage(struct run *run, const dreamapi_usage *usage, const cJSON *answer)
{
    const cJSON *part = member(answer, "usage");
    const cJSON *usual = part == NULL ? answer : part;
    int64_t count = int_of(usual, part == NULL ? "usageCount" : "count", 0);
    int64_t limit = int_of(usual, "limit", 0);
    int64_t left = limit == DREAMAPI_UNLIMITED ? limit : limit > count ? limit - count : 0;
    char *sent = cJSON_PrintUnformatted(answer);

    expect_text(run, "user_id", dreamapi_usage_user_id(usage), text_of(answer, "userId"));
    expect_text(run, "plan", dreamapi_usage_plan(usage), text_of(usual, "plan"));
    expect_int(run, "usage_count", dreamapi_usage_usage_count(usage), count);
    expect_int(run, "count", dreamapi_usage_count(usage), count);
    expect_int(run, "limit", dreamapi_usage_limit(usage), limit);
    expect_int(run, "remaining", dreamapi_usage_remaining(usage), int_of(answer, "remaining", left));
    expect_text(run, "period_start", dreamapi_usage_period_start(usage), text_of(answer, "periodStart"));
    expect_text(run, "period_end", dreamapi_usage_period_end(usage), text_of(answer, "periodEnd"));
    expect_text(run, "message", dreamapi_usage_message(usage), text_of(member(answer, "data"), "message"));
    expect_int(run, "success", dreamapi_usage_success(usage), bool_of(answer, "success", 1));
    expect_text(run, "json", dreamapi_usage_json(usage), sent);
    cJSON_free(sent);
}

static dreamapi_status send_usage_get(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_usage *usage;
    dreamapi_status status = dreamapi_usage_get(run->client, NULL, &run->options, &usage, &run->error);

    (void)body;
    if (usage != NULL)
        check_usage(run, usage, answer);
    dreamapi_usage_free(usage);
    return status;
}

static dreamapi_status send_usage_track(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_usage *usage;
    dreamapi_status status = dreamapi_usage_track(run->client, NULL, NULL, &run->options, &usage, &run->error);

    (void)body;
    if (usage != NULL)
        check_usage(run, usage, answer);
    dreamapi_usage_free(usage);
    return status;
}

static dreamapi_status send_checkout(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_checkout_params params = DREAMAPI_CHECKOUT_PARAMS_INIT;
    dreamapi_checkout *checkout;
    dreamapi_status status;
    char *sent = cJSON_PrintUnformatted(answer);

    params.tier = text_of(body, "tier");
    params.price_id = text_of(body, "priceId");
    params.success_url = text_of(body, "successUrl");
    params.cancel_url = text_of(body, "cancelUrl");
    status =
        dreamapi_checkout_create(run->client, body == NULL ? NULL : &params, &run->options, &checkout, &run->error);
    if (checkout != NULL) {
        expect_text(run, "url", dreamapi_checkout_url(checkout), text_of(answer, "url"));
        expect_text(run, "json", dreamapi_checkout_json(checkout), sent);
    }
    cJSON_free(sent);
    dreamapi_checkout_free(checkout);
    return status;
}

static dreamapi_status send_portal(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_portal_params params = DREAMAPI_PORTAL_PARAMS_INIT;
    dreamapi_portal *portal;
    dreamapi_status status;
    char *sent = cJSON_PrintUnformatted(answer);

    params.return_url = text_of(body, "returnUrl");
    status = dreamapi_portal_create(run->client, body == NULL ? NULL : &params, &run->options, &portal, &run->error);
    if (portal != NULL) {
        expect_text(run, "url", dreamapi_portal_url(portal), text_of(answer, "url"));
        expect_text(run, "json", dreamapi_portal_json(portal), sent);
    }
    cJSON_free(sent);
    dreamapi_portal_free(portal);
    return status;
}

static void check_product(struct run *run, const dreamapi_product *product, const cJSON *recorded)
{
    const cJSON *features = member(recorded, "features");
    int count = cJSON_GetArraySize(features);

    expect_text(run, "id", dreamapi_product_id(product), text_of(recorded, "id"));
    expect_text(run, "key", dreamapi_product_key(product), text_of(recorded, "key"));
    expect_text(run, "name", dreamapi_product_name(product), text_of(recorded, "name"));
    expect_text(run, "display_name", dreamapi_product_display_name(product), text_of(recorded, "displayName"));
    expect_text(run, "description", dreamapi_product_description(product), text_of(recorded, "description"));
    expect_int(run, "price", dreamapi_product_price(product), int_of(recorded, "price", 0));
    expect_text(run, "currency", dreamapi_product_currency(product), text_of(recorded, "currency"));
    expect_text(run, "image_url", dreamapi_product_image_url(product), text_of(recorded, "imageUrl"));
    expect_int(run, "inventory", dreamapi_product_inventory(product),
               int_of(recorded, "inventory", DREAMAPI_UNLIMITED));
    expect_int(run, "sold_out", dreamapi_product_sold_out(product), bool_of(recorded, "soldOut", 0));
    expect_text(run, "price_id", dreamapi_product_price_id(product), text_of(recorded, "priceId"));
    expect_text(run, "product_id", dreamapi_product_product_id(product), text_of(recorded, "productId"));
    expect_int(run, "feature_count", (int64_t)dreamapi_product_feature_count(product), count);
    for (int i = 0; i < count; i++)
        expect_text(run, "feature", dreamapi_product_feature(product, (size_t)i),
                    cJSON_GetStringValue(cJSON_GetArrayItem(features, i)));
    expect_text(run, "feature past the end", dreamapi_product_feature(product, (size_t)count), NULL);
}

static dreamapi_status send_products(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_products *products;
    dreamapi_status status = dreamapi_product_list(run->client, &run->options, &products, &run->error);
    const cJSON *recorded = member(answer, "products");
    char *sent = cJSON_PrintUnformatted(answer);

    (void)body;
    if (products != NULL) {
        int count = cJSON_GetArraySize(recorded);
        expect_int(run, "products_count", (int64_t)dreamapi_products_count(products), count);
        for (int i = 0; i < count; i++)
            check_product(run, dreamapi_products_at(products, (size_t)i), cJSON_GetArrayItem(recorded, i));
        if (dreamapi_products_at(products, (size_t)count) != NULL)
            wrong(run, "there is a product past the end");
        expect_text(run, "json", dreamapi_products_json(products), sent);
    }
    cJSON_free(sent);
    dreamapi_products_free(products);
    return status;
}

static dreamapi_status send_cart(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_cart_item items[DREAMAPI_CART_MAX_ITEMS] = { { NULL, NULL, NULL, 0 } };
    dreamapi_cart_params params = DREAMAPI_CART_PARAMS_INIT;
    dreamapi_checkout *checkout;
    dreamapi_status status;
    const cJSON *item;
    char *sent = cJSON_PrintUnformatted(answer);

    params.items = items;
    cJSON_ArrayForEach(item, member(body, "items"))
    {
        dreamapi_cart_item *at = &items[params.item_count++];
        at->price_id = text_of(item, "priceId");
        at->product_id = text_of(item, "productId");
        at->tier = text_of(item, "tier");
        at->quantity = int_of(item, "quantity", 0);
    }
    params.email = text_of(body, "email");
    params.success_url = text_of(body, "successUrl");
    params.cancel_url = text_of(body, "cancelUrl");
    status = dreamapi_cart_checkout(run->client, &params, &run->options, &checkout, &run->error);
    if (checkout != NULL) {
        expect_text(run, "url", dreamapi_checkout_url(checkout), text_of(answer, "url"));
        expect_text(run, "json", dreamapi_checkout_json(checkout), sent);
    }
    cJSON_free(sent);
    dreamapi_checkout_free(checkout);
    return status;
}

/* A cart is a list of one to so many objects, each with a name and a quantity that makes sense. */
static const char *why_not_cart(const cJSON *body)
{
    static const char *const names[] = { "priceId", "productId", "tier", "quantity" };
    const cJSON *items = member(body, "items"), *item, *field;

    if (!cJSON_IsArray(items) || cJSON_GetArraySize(items) == 0)
        return "a required parameter is missing";
    if (cJSON_GetArraySize(items) > DREAMAPI_CART_MAX_ITEMS)
        return "it has more items than a cart";
    cJSON_ArrayForEach(item, items)
    {
        if (!cJSON_IsObject(item) || int_of(item, "quantity", 1) < 1)
            return "an item is none that the library makes";
        cJSON_ArrayForEach(field, item)
        {
            size_t i = 0;
            while (i < 4 && strcmp(names[i], field->string) != 0)
                i++;
            if (i == 4 || (i == 3 ? !cJSON_IsNumber(field) : !cJSON_IsString(field)))
                return "an item is none that the library makes";
        }
        if (text_of(item, "priceId") == NULL && text_of(item, "productId") == NULL && text_of(item, "tier") == NULL)
            return "an item is none that the library makes";
    }
    return NULL;
}

/* The reverse of what the library does. `out` is large enough; -1 if the text is not base64. */
static int decode_base64(const char *text, unsigned char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text);
    unsigned bits = 0;
    int size = 0, have = 0;

    while (length > 0 && text[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++) {
        const char *letter = strchr(letters, text[i]);
        if (letter == NULL)
            return -1;
        bits = bits << 6 | (unsigned)(letter - letters);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[size++] = (unsigned char)(bits >> have);
        }
    }
    return size;
}

static dreamapi_status send_asset(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;
    dreamapi_asset *asset;
    dreamapi_status status;
    unsigned char data[TEXT_SIZE];
    char *sent = cJSON_PrintUnformatted(answer);

    params.filename = text_of(body, "filename");
    params.content_type = text_of(body, "contentType");
    params.data = data;
    params.size = (size_t)decode_base64(text_of(body, "data"), data);
    status = dreamapi_asset_upload(run->client, &params, &run->options, &asset, &run->error);
    if (asset != NULL) {
        expect_text(run, "key", dreamapi_asset_key(asset), text_of(answer, "key"));
        expect_text(run, "url", dreamapi_asset_url(asset), text_of(answer, "url"));
        expect_text(run, "json", dreamapi_asset_json(asset), sent);
    }
    cJSON_free(sent);
    dreamapi_asset_free(asset);
    return status;
}

static const char *why_not_asset(const cJSON *body)
{
    unsigned char data[TEXT_SIZE];
    const char *text = text_of(body, "data");

    if (text == NULL || text[0] == '\0')
        return "a required parameter is missing";
    if (strlen(text) >= TEXT_SIZE || decode_base64(text, data) < 1)
        return "its data is not base64";
    return NULL;
}

static void check_dashboard_customer(struct run *run, const dreamapi_dashboard_customer *customer,
                                     const cJSON *recorded)
{
    expect_text(run, "user_id", dreamapi_dashboard_customer_user_id(customer), text_of(recorded, "userId"));
    expect_text(run, "email", dreamapi_dashboard_customer_email(customer), text_of(recorded, "email"));
    expect_text(run, "plan", dreamapi_dashboard_customer_plan(customer), text_of(recorded, "plan"));
    expect_text(run, "status", dreamapi_dashboard_customer_status(customer), text_of(recorded, "status"));
    expect_int(run, "usage_count", dreamapi_dashboard_customer_usage_count(customer),
               int_of(recorded, "usageCount", 0));
    expect_int(run, "limit", dreamapi_dashboard_customer_limit(customer), int_of(recorded, "limit", 0));
    expect_text(run, "period_start", dreamapi_dashboard_customer_period_start(customer),
                text_of(recorded, "periodStart"));
    expect_text(run, "period_end", dreamapi_dashboard_customer_period_end(customer), text_of(recorded, "periodEnd"));
    expect_text(run, "current_period_end", dreamapi_dashboard_customer_current_period_end(customer),
                text_of(recorded, "currentPeriodEnd"));
    expect_text(run, "canceled_at", dreamapi_dashboard_customer_canceled_at(customer), text_of(recorded, "canceledAt"));
    expect_text(run, "subscription_id", dreamapi_dashboard_customer_subscription_id(customer),
                text_of(recorded, "subscriptionId"));
    expect_text(run, "stripe_customer_id", dreamapi_dashboard_customer_stripe_customer_id(customer),
                text_of(recorded, "stripeCustomerId"));
    expect_text(run, "price_id", dreamapi_dashboard_customer_price_id(customer), text_of(recorded, "priceId"));
    expect_text(run, "product_id", dreamapi_dashboard_customer_product_id(customer), text_of(recorded, "productId"));
    expect_int(run, "amount", dreamapi_dashboard_customer_amount(customer),
               cJSON_IsNumber(member(recorded, "amount")) ? int_of(recorded, "amount", -1) : -1);
    expect_text(run, "currency", dreamapi_dashboard_customer_currency(customer), text_of(recorded, "currency"));
    expect_text(run, "publishable_key", dreamapi_dashboard_customer_publishable_key(customer),
                text_of(recorded, "publishableKey"));
}

static void check_dashboard_tier(struct run *run, const dreamapi_dashboard_tier *tier, const cJSON *recorded)
{
    expect_text(run, "name", dreamapi_dashboard_tier_name(tier), text_of(recorded, "name"));
    expect_text(run, "display_name", dreamapi_dashboard_tier_display_name(tier), text_of(recorded, "displayName"));
    expect_int(run, "price", dreamapi_dashboard_tier_price(tier), int_of(recorded, "price", 0));
    expect_int(run, "limit", dreamapi_dashboard_tier_limit(tier), int_of(recorded, "limit", 0));
    expect_text(run, "price_id", dreamapi_dashboard_tier_price_id(tier), text_of(recorded, "priceId"));
    expect_text(run, "product_id", dreamapi_dashboard_tier_product_id(tier), text_of(recorded, "productId"));
    expect_int(run, "popular", dreamapi_dashboard_tier_popular(tier), bool_of(recorded, "popular", 0));
    expect_int(run, "inventory", dreamapi_dashboard_tier_inventory(tier),
               int_of(recorded, "inventory", DREAMAPI_UNLIMITED));
    expect_int(run, "sold_out", dreamapi_dashboard_tier_sold_out(tier), bool_of(recorded, "soldOut", 0));
    expect_text(run, "publishable_key", dreamapi_dashboard_tier_publishable_key(tier),
                text_of(recorded, "publishableKey"));
    expect_text(run, "project_type", dreamapi_dashboard_tier_project_type(tier), text_of(recorded, "projectType"));
}

static void check_dashboard_api_key(struct run *run, const dreamapi_dashboard_api_key *api_key, const cJSON *recorded)
{
    expect_text(run, "publishable_key", dreamapi_dashboard_api_key_publishable_key(api_key),
                text_of(recorded, "publishableKey"));
    expect_text(run, "created_at", dreamapi_dashboard_api_key_created_at(api_key), text_of(recorded, "createdAt"));
    expect_text(run, "status", dreamapi_dashboard_api_key_status(api_key), text_of(recorded, "status"));
    expect_text(run, "name", dreamapi_dashboard_api_key_name(api_key), text_of(recorded, "name"));
    expect_text(run, "project_type", dreamapi_dashboard_api_key_project_type(api_key),
                text_of(recorded, "projectType"));
    expect_text(run, "mode", dreamapi_dashboard_api_key_mode(api_key), text_of(recorded, "mode"));
}

static void check_dashboard_event(struct run *run, const dreamapi_dashboard_event *event, const cJSON *recorded)
{
    char *payload = cJSON_PrintUnformatted(member(recorded, "payload"));

    expect_text(run, "type", dreamapi_dashboard_event_type(event), text_of(recorded, "type"));
    expect_text(run, "created_at", dreamapi_dashboard_event_created_at(event), text_of(recorded, "createdAt"));
    expect_text(run, "payload", dreamapi_dashboard_event_payload(event), payload);
    cJSON_free(payload);
}

static void check_figures(struct run *run, const dreamapi_dashboard *dashboard, const cJSON *answer)
{
    const cJSON *metrics = member(answer, "metrics"), *keys = member(answer, "keys"),
                *webhook = member(answer, "webhook"), *filters = member(answer, "filters");

    expect_int(run, "active_subs", dreamapi_dashboard_active_subs(dashboard), int_of(metrics, "activeSubs", 0));
    expect_int(run, "canceling_subs", dreamapi_dashboard_canceling_subs(dashboard),
               int_of(metrics, "cancelingSubs", 0));
    expect_int(run, "mrr", dreamapi_dashboard_mrr(dashboard), int_of(metrics, "mrr", 0));
    expect_int(run, "usage_this_period", dreamapi_dashboard_usage_this_period(dashboard),
               int_of(metrics, "usageThisPeriod", 0));
    expect_int(run, "store_sales_count", dreamapi_dashboard_store_sales_count(dashboard),
               int_of(metrics, "storeSalesCount", 0));
    expect_int(run, "store_total_revenue", dreamapi_dashboard_store_total_revenue(dashboard),
               int_of(metrics, "storeTotalRevenue", 0));
    expect_int(run, "low_stock_products", dreamapi_dashboard_low_stock_products(dashboard),
               int_of(metrics, "lowStockProducts", 0));
    expect_int(run, "total_inventory", dreamapi_dashboard_total_inventory(dashboard),
               int_of(metrics, "totalInventory", 0));
    expect_text(run, "publishable_key", dreamapi_dashboard_publishable_key(dashboard), text_of(keys, "publishableKey"));
    expect_text(run, "secret_key_masked", dreamapi_dashboard_secret_key_masked(dashboard),
                text_of(keys, "secretKeyMasked"));
    expect_text(run, "platform_id", dreamapi_dashboard_platform_id(dashboard), text_of(keys, "platformId"));
    expect_text(run, "stripe_account_id", dreamapi_dashboard_stripe_account_id(dashboard),
                text_of(keys, "stripeAccountId"));
    expect_text(run, "last_event_at", dreamapi_dashboard_last_event_at(dashboard), text_of(webhook, "lastEventAt"));
    expect_text(run, "filter_platform_id", dreamapi_dashboard_filter_platform_id(dashboard),
                text_of(filters, "platformId"));
    expect_text(run, "filter_publishable_key", dreamapi_dashboard_filter_publishable_key(dashboard),
                text_of(filters, "publishableKey"));
    expect_text(run, "filter_mode", dreamapi_dashboard_filter_mode(dashboard), text_of(filters, "mode"));
}

#define CHECK_PARTS(part, recorded)                                                                                    \
    do {                                                                                                               \
        const cJSON *list = recorded;                                                                                  \
        size_t count = (size_t)cJSON_GetArraySize(list);                                                               \
        expect_int(run, #part "_count", (int64_t)dreamapi_dashboard_##part##_count(dashboard), (int64_t)count);        \
        for (size_t i = 0; i < count; i++)                                                                             \
            check_dashboard_##part(run, dreamapi_dashboard_##part##_at(dashboard, i),                                  \
                                   cJSON_GetArrayItem(list, (int)i));                                                  \
        if (dreamapi_dashboard_##part##_at(dashboard, count) != NULL)                                                  \
            wrong(run, "there is a " #part " past the end");                                                           \
    } while (0)

static dreamapi_status send_dashboard(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_dashboard *dashboard;
    dreamapi_status status = dreamapi_dashboard_get(run->client, &run->options, &dashboard, &run->error);
    char *sent = cJSON_PrintUnformatted(answer);

    (void)body;
    if (dashboard != NULL) {
        check_figures(run, dashboard, answer);
        expect_int(run, "has_more_customers", dreamapi_dashboard_has_more_customers(dashboard),
                   bool_of(answer, "hasMoreCustomers", 0));
        CHECK_PARTS(customer, member(answer, "customers"));
        CHECK_PARTS(tier, member(answer, "tiers"));
        CHECK_PARTS(api_key, member(member(answer, "keys"), "apiKeys"));
        CHECK_PARTS(event, member(member(answer, "webhook"), "recent"));
        expect_text(run, "json", dreamapi_dashboard_json(dashboard), sent);
    }
    cJSON_free(sent);
    dreamapi_dashboard_free(dashboard);
    return status;
}

static dreamapi_status send_totals(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_totals *totals;
    dreamapi_status status = dreamapi_dashboard_totals(run->client, &run->options, &totals, &run->error);
    const cJSON *recorded = member(answer, "totals");
    char *sent = cJSON_PrintUnformatted(answer);

    (void)body;
    if (totals != NULL) {
        expect_int(run, "mrr", dreamapi_totals_mrr(totals), int_of(recorded, "mrr", 0));
        expect_int(run, "active_subs", dreamapi_totals_active_subs(totals), int_of(recorded, "activeSubs", 0));
        expect_int(run, "canceling_subs", dreamapi_totals_canceling_subs(totals), int_of(recorded, "cancelingSubs", 0));
        expect_int(run, "total_products", dreamapi_totals_total_products(totals), int_of(recorded, "totalProducts", 0));
        expect_int(run, "live_projects", dreamapi_totals_live_projects(totals), int_of(recorded, "liveProjects", 0));
        expect_int(run, "projects", dreamapi_totals_projects(totals), int_of(recorded, "projects", -1));
        expect_text(run, "mode", dreamapi_totals_mode(totals), text_of(answer, "mode"));
        expect_text(run, "platform_id", dreamapi_totals_platform_id(totals), text_of(answer, "platformId"));
        expect_text(run, "json", dreamapi_totals_json(totals), sent);
    }
    cJSON_free(sent);
    dreamapi_totals_free(totals);
    return status;
}

static void check_customer(struct run *run, dreamapi_customer *customer, const cJSON *answer)
{
    const cJSON *recorded = member(answer, "customer");
    char *sent = cJSON_PrintUnformatted(answer);

    if (recorded == NULL)
        recorded = member(answer, "deleted");
    if (customer != NULL) {
        expect_text(run, "id", dreamapi_customer_id(customer), text_of(recorded, "id"));
        expect_text(run, "email", dreamapi_customer_email(customer), text_of(recorded, "email"));
        expect_text(run, "first_name", dreamapi_customer_first_name(customer), text_of(recorded, "firstName"));
        expect_text(run, "last_name", dreamapi_customer_last_name(customer), text_of(recorded, "lastName"));
        expect_text(run, "plan", dreamapi_customer_plan(customer), text_of(recorded, "plan"));
        expect_text(run, "publishable_key", dreamapi_customer_publishable_key(customer),
                    text_of(recorded, "publishableKey"));
        expect_int(run, "created_at", dreamapi_customer_created_at(customer), int_of(recorded, "createdAt", 0));
        expect_text(run, "message", dreamapi_customer_message(customer), text_of(answer, "message"));
        expect_int(run, "success", dreamapi_customer_success(customer), bool_of(answer, "success", 1));
        expect_text(run, "json", dreamapi_customer_json(customer), sent);
    }
    cJSON_free(sent);
    dreamapi_customer_free(customer);
}

static dreamapi_status send_customer_create(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;
    dreamapi_customer *customer;
    dreamapi_status status;

    params.email = text_of(body, "email");
    params.first_name = text_of(body, "firstName");
    params.last_name = text_of(body, "lastName");
    params.plan = text_of(body, "plan");
    params.password = text_of(body, "password");
    status = dreamapi_customer_create(run->client, &params, &run->options, &customer, &run->error);
    check_customer(run, customer, answer);
    return status;
}

static dreamapi_status send_customer_get(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_customer *customer;
    dreamapi_status status = dreamapi_customer_get(run->client, run->id, &run->options, &customer, &run->error);

    (void)body;
    check_customer(run, customer, answer);
    return status;
}

static dreamapi_status send_customer_update(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_customer_update_params params = DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT;
    dreamapi_customer *customer;
    dreamapi_status status;

    params.plan = text_of(body, "plan");
    status = dreamapi_customer_update(run->client, run->id, &params, &run->options, &customer, &run->error);
    check_customer(run, customer, answer);
    return status;
}

static dreamapi_status send_customer_delete(struct run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi_customer *customer;
    dreamapi_status status = dreamapi_customer_delete(run->client, run->id, &run->options, &customer, &run->error);

    (void)body;
    check_customer(run, customer, answer);
    return status;
}

static const char *const checkout_fields[] = { "tier", "priceId", "successUrl", "cancelUrl", NULL };
static const char *const create_fields[] = { "email", "firstName", "lastName", "plan", "password", NULL };
static const char *const portal_fields[] = { "returnUrl", NULL };
static const char *const cart_fields[] = { "items", "email", "successUrl", "cancelUrl", NULL };
static const char *const asset_fields[] = { "filename", "contentType", "data", NULL };
static const char *const update_fields[] = { "plan", NULL };

static const struct kind kinds[] = {
    { "GET", "/health", NULL, NULL, false, send_health, NULL },
    { "GET", "/api/tiers", NULL, NULL, false, send_tiers, NULL },
    { "GET", "/api/usage", NULL, NULL, true, send_usage_get, NULL },
    { "POST", "/api/data", NULL, NULL, true, send_usage_track, NULL },
    { "POST", "/api/create-checkout", checkout_fields, NULL, true, send_checkout, NULL },
    { "POST", "/api/customers", create_fields, "email", false, send_customer_create, NULL },
    { "GET", "/api/customers/", NULL, NULL, false, send_customer_get, NULL },
    { "PATCH", "/api/customers/", update_fields, NULL, false, send_customer_update, NULL },
    { "DELETE", "/api/customers/", NULL, NULL, false, send_customer_delete, NULL },
    { "POST", "/api/customer-portal", portal_fields, NULL, true, send_portal, NULL },
    { "GET", "/api/products", NULL, NULL, false, send_products, NULL },
    { "POST", "/api/cart/checkout", cart_fields, NULL, false, send_cart, why_not_cart },
    { "GET", "/api/dashboard", NULL, NULL, false, send_dashboard, NULL },
    { "GET", "/api/dashboard/totals", NULL, NULL, false, send_totals, NULL },
    { "POST", "/api/assets", asset_fields, "filename", false, send_asset, why_not_asset },
};

/* ---- what a typed call can send ---- */

static const struct kind *kind_of(const cJSON *request, const char **out_id)
{
    const char *method = text_of(request, "method"), *path = text_of(request, "path");

    *out_id = NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t size = strlen(kinds[i].path);
        bool takes_id = kinds[i].path[size - 1] == '/';
        if (strcmp(method, kinds[i].method) != 0
            || (takes_id ? strncmp(path, kinds[i].path, size) != 0 : strcmp(path, kinds[i].path) != 0))
            continue;
        if (takes_id)
            *out_id = path + size;
        return &kinds[i];
    }
    return NULL;
}

static const char *why_not_body(const struct kind *kind, const cJSON *request)
{
    const cJSON *body = member(request, "body"), *item;
    const char *needed = kind->needed == NULL ? "-" : text_of(body, kind->needed);

    if (member(request, "body_raw") != NULL)
        return "its body is no JSON";
    if (needed == NULL || needed[0] == '\0')
        return "a required parameter is missing";
    if (strcmp(kind->method, "PATCH") == 0 && body == NULL)
        return "it has no body";
    cJSON_ArrayForEach(item, body)
    {
        const char *const *field = kind->fields;
        while (field != NULL && *field != NULL && strcmp(*field, item->string) != 0)
            field++;
        if (field == NULL || *field == NULL)
            return "its body has fields that the call has no parameter for";
    }
    return kind->why_not == NULL ? NULL : kind->why_not(body);
}

/* A client sends one key, and the user's token in one header. */
static const char *why_not_headers(const struct kind *kind, const cJSON *headers)
{
    const char *authorization = text_of(headers, "Authorization");
    const cJSON *item;

    cJSON_ArrayForEach(item, headers)
    {
        if (strcmp(item->string, "Authorization") != 0 && strcmp(item->string, "X-Publishable-Key") != 0
            && strcmp(item->string, "X-Clerk-Token") != 0 && strcmp(item->string, "Content-Type") != 0)
            return "it has headers that the library does not send";
    }
    if (authorization != NULL && (strncmp(authorization, "Bearer ", 7) != 0 || authorization[7] == '\0'))
        return "its Authorization is none that the library makes";
    if (authorization != NULL && member(headers, "X-Publishable-Key") != NULL)
        return "it has both keys";
    if (member(headers, "X-Publishable-Key") != NULL && text_of(headers, "X-Publishable-Key")[0] == '\0')
        return "its key is empty";
    if (kind->is_on_behalf != (member(headers, "X-Clerk-Token") != NULL))
        return "a user token is missing, or there is one that the call does not take";
    return NULL;
}

static const char *why_not(const cJSON *request, const struct kind *kind)
{
    const char *why;

    if (kind == NULL)
        return "there is no such call";
    why = why_not_headers(kind, member(request, "headers"));
    return why != NULL ? why : why_not_body(kind, request);
}

/* ---- the request that was sent ---- */

static const dreamapi_test_request *find_sent(struct run *run, const dreamapi_test_transport *transport)
{
    const dreamapi_test_request *found = NULL;
    bool is_health = strcmp(run->kind->path, "/health") == 0;

    for (size_t i = 0; i < dreamapi_test_transport_request_count(transport); i++) {
        const dreamapi_test_request *sent = dreamapi_test_transport_request(transport, i);
        const char *url = dreamapi_test_request_url(sent);
        bool is_question = strlen(url) >= 7 && strcmp(url + strlen(url) - 7, "/health") == 0;
        if (is_question != is_health)
            continue;
        if (found != NULL)
            wrong(run, "the request was sent more than once");
        found = sent;
    }
    if (found == NULL)
        wrong(run, "nothing was sent: %s", run->error.message);
    return found;
}

static void check_sent_headers(struct run *run, const dreamapi_test_request *sent)
{
    static const char *const names[] = { "Authorization", "X-Publishable-Key", "X-Clerk-Token" };
    const cJSON *headers = member(run->request, "headers");
    const char *type = dreamapi_test_request_header(sent, "Content-Type");
    bool is_post = strcmp(run->kind->method, "POST") == 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        expect_text(run, names[i], dreamapi_test_request_header(sent, names[i]), text_of(headers, names[i]));
    if (dreamapi_test_request_body(sent) != NULL)
        expect_text(run, "Content-Type", type, "application/json");
    expect_text(run, "Idempotency-Key", dreamapi_test_request_header(sent, "Idempotency-Key"),
                is_post ? idempotency_key : NULL);
}

static void check_sent_body(struct run *run, const dreamapi_test_request *sent)
{
    const char *text = dreamapi_test_request_body(sent);
    const cJSON *recorded = member(run->request, "body");
    cJSON *body = text == NULL ? NULL : cJSON_Parse(text);
    cJSON *empty = cJSON_CreateObject();

    if (text != NULL && body == NULL)
        wrong(run, "the body sent is no JSON: %s", text);
    /* Where the recorded request had no body an empty object says the same. */
    if (body != NULL && !cJSON_Compare(body, recorded == NULL ? empty : recorded, true))
        wrong(run, "the body sent is %s", text);
    if (body == NULL && recorded != NULL)
        wrong(run, "no body was sent");
    cJSON_Delete(body);
    cJSON_Delete(empty);
}

static void check_sent(struct run *run, const dreamapi_test_transport *transport)
{
    const dreamapi_test_request *sent = find_sent(run, transport);
    char url[TEXT_SIZE];

    if (sent == NULL)
        return;
    (void)snprintf(url, sizeof(url), "%s%s", base_url, text_of(run->request, "path"));
    expect_text(run, "method", dreamapi_test_request_method(sent), run->kind->method);
    expect_text(run, "url", dreamapi_test_request_url(sent), url);
    check_sent_headers(run, sent);
    check_sent_body(run, sent);
}

/* ---- the error ---- */

/* What the header error.h promises for an answer; the two texts are those whose HTTP status the hosted service has wrong. */
static dreamapi_status expected_status(int http_status, const char *what)
{
    static const struct {
        int http_status;
        const char *what;
        dreamapi_status status;
    } rows[] = {
        { 403, "Tier limit reached", DREAMAPI_LIMIT },
        { 403, "subscription_expired", DREAMAPI_SUBSCRIPTION_EXPIRED },
        { 500, "Not Found", DREAMAPI_NOT_FOUND },
        { 500, "No price ID configured for tier", DREAMAPI_INVALID },
        { 500, "No such price", DREAMAPI_INVALID },
        { 400, "", DREAMAPI_INVALID },
        { 401, "", DREAMAPI_AUTH },
        { 403, "", DREAMAPI_FORBIDDEN },
        { 404, "", DREAMAPI_NOT_FOUND },
        { 429, "", DREAMAPI_RATE_LIMITED },
        { 500, "", DREAMAPI_SERVER },
        { 502, "", DREAMAPI_UNAVAILABLE },
    };

    if (http_status < 300)
        return DREAMAPI_OK;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].http_status == http_status && strncmp(what, rows[i].what, strlen(rows[i].what)) == 0)
            return rows[i].status;
    }
    return DREAMAPI_PROTOCOL;
}

/* The status that the answer means. The hosted service also gives 500 with the cause in "message". */
static dreamapi_status status_of_answer(const cJSON *answer)
{
    int http_status = (int)int_of(answer, "status", 0);
    const char *what = text_of(member(answer, "body"), "error"), *why = text_of(member(answer, "body"), "message");
    dreamapi_status by_why = expected_status(http_status, why == NULL ? "" : why);
    dreamapi_status by_what = expected_status(http_status, what == NULL ? "" : what);

    return by_what == expected_status(http_status, "") ? by_why : by_what;
}

static void check_error(struct run *run, const cJSON *answer)
{
    const dreamapi_error *error = &run->error;
    const cJSON *body = member(answer, "body");
    const char *retry_after = text_of(member(answer, "headers"), "retry-after");
    const char *what = text_of(body, "error"), *why = text_of(body, "message");
    char words[2 * sizeof(error->server_error)];

    (void)snprintf(words, sizeof(words), "%s%s%s", what == NULL ? "" : what, why == NULL ? "" : ": ",
                   why == NULL ? "" : why);
    words[sizeof(error->server_error) - 1] = '\0';
    expect_int(run, "http_status", error->http_status, int_of(answer, "status", 0));
    expect_text(run, "server_error", error->server_error, words);
    expect_int(run, "retry_after_ms", error->retry_after_ms, retry_after == NULL ? -1 : 1000 * atoll(retry_after));
    expect_int(run, "used", error->used, error->status == DREAMAPI_LIMIT ? int_of(body, "usageCount", -1) : -1);
    expect_int(run, "limit", error->limit, error->status == DREAMAPI_LIMIT ? int_of(body, "limit", -1) : -1);
    expect_int(run, "local", error->local, 0);
    if (error->http_status == 429)
        expect_int(run, "retriable", error->retriable, 1);
    if (error->http_status == 400 || error->http_status == 401 || error->http_status == 403
        || error->http_status == 404)
        expect_int(run, "retriable", error->retriable, 0);
}

/* ---- one run ---- */

static void must(dreamapi_status status)
{
    if (status == DREAMAPI_OK)
        return;
    printf("Bail out! setting up failed with %s\n", dreamapi_status_name(status));
    exit(1);
}

static void script(dreamapi_test_transport *transport, const struct run *run, bool is_announced)
{
    dreamapi_test_answer answer = DREAMAPI_TEST_ANSWER_INIT;
    const cJSON *headers = member(run->answer, "headers"), *item;
    char lines[16][TEXT_SIZE];
    const char *pointers[17] = { NULL };
    int count = 0;
    char *body = cJSON_PrintUnformatted(member(run->answer, "body"));

    cJSON_ArrayForEach(item, headers)
    {
        (void)snprintf(lines[count], TEXT_SIZE, "%s: %s", item->string, item->valuestring);
        pointers[count] = lines[count];
        count++;
    }
    answer.http_status = (int)int_of(run->answer, "status", 0);
    answer.headers = pointers;
    answer.body = body;
    answer.path = strcmp(run->kind->path, "/health") == 0 ? "/health" : NULL;
    must(dreamapi_test_transport_add(transport, &answer));
    if (is_announced)
        must(dreamapi_test_transport_add_simple(transport, "/health", 200,
                                                "{\"status\":\"ok\",\"extensions\":[\"idempotency\"]}"));
    cJSON_free(body);
}

static void make_client(struct run *run, dreamapi_test_transport *transport)
{
    dreamapi_options *options = dreamapi_options_new();
    const cJSON *headers = member(run->request, "headers");
    const char *authorization = text_of(headers, "Authorization");

    must(options == NULL ? DREAMAPI_NOMEM : DREAMAPI_OK);
    must(dreamapi_options_set_base_url(options, base_url));
    if (authorization != NULL)
        must(dreamapi_options_set_secret_key(options, authorization + 7));
    if (text_of(headers, "X-Publishable-Key") != NULL)
        must(dreamapi_options_set_publishable_key(options, text_of(headers, "X-Publishable-Key")));
    must(dreamapi_options_set_max_retries(options, 0));
    must(dreamapi_options_set_threads(options, 0));
    must(dreamapi_test_transport_install(transport, options));
    must(dreamapi_client_new(options, &run->client, &run->error));
    dreamapi_options_free(options);
}

static void run_once(struct run *run, bool is_announced)
{
    dreamapi_test_transport *transport = dreamapi_test_transport_new();
    dreamapi_status status, expected = status_of_answer(run->answer);

    must(transport == NULL ? DREAMAPI_NOMEM : DREAMAPI_OK);
    script(transport, run, is_announced);
    make_client(run, transport);
    run->options = (dreamapi_call_options)DREAMAPI_CALL_OPTIONS_INIT;
    run->options.idempotency_key = idempotency_key;
    run->options.user_token = text_of(member(run->request, "headers"), "X-Clerk-Token");
    memset(&run->error, 0x5a, sizeof(run->error)); /* the call has to write all of it */
    status = run->kind->send(run, member(run->request, "body"), member(run->answer, "body"));
    expect_text(run, "status", dreamapi_status_name(status), dreamapi_status_name(expected));
    expect_int(run, "error.status", run->error.status, status);
    if (status != DREAMAPI_OK)
        check_error(run, run->answer);
    check_sent(run, transport);
    dreamapi_client_free(run->client);
    dreamapi_test_transport_free(transport);
}

static bool run_case(const cJSON *the_case, const char *which)
{
    static int number = 0;
    struct run run = { .request = member(the_case, "request"), .answer = member(the_case, which) };

    run.kind = kind_of(run.request, &run.id);
    run_once(&run, false);
    if (strcmp(run.kind->method, "POST") == 0)
        run_once(&run, true);
    printf("%s %d - %s: %s\n%s", run.report[0] == '\0' ? "ok" : "not ok", ++number, text_of(the_case, "name"), which,
           run.report);
    return run.report[0] == '\0';
}

/* ---- all of them ---- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long size;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0
        && (text = calloc(1, (size_t)size + 1)) != NULL && fread(text, 1, (size_t)size, file) != (size_t)size)
        text[0] = '\0';
    if (file != NULL)
        fclose(file);
    return text;
}

struct counts {
    int cases, runs, changed, failed, unsendable;
};

static void run_file(const char *path, struct counts *counts)
{
    char *text = read_file(path);
    cJSON *root = text == NULL ? NULL : cJSON_Parse(text), *item;
    const cJSON *cases = member(root, "cases");

    if (cJSON_GetArraySize(cases) == 0) {
        printf("Bail out! no cases in %s\n", path);
        exit(1);
    }
    cJSON_ArrayForEach(item, cases)
    {
        const char *why, *id;
        fill(item);
        why = why_not(member(item, "request"), kind_of(member(item, "request"), &id));
        if (why != NULL) {
            printf("# no typed call sends %s: %s\n", text_of(item, "name"), why);
            counts->unsendable++;
            continue;
        }
        counts->cases++;
        counts->runs++;
        counts->failed += !run_case(item, "response");
        if (member(item, "expected") == NULL)
            continue;
        counts->changed++;
        counts->runs++;
        counts->failed += !run_case(item, "expected");
    }
    cJSON_Delete(root);
    free(text);
}

int main(int argc, char **argv)
{
    struct counts counts = { 0, 0, 0, 0, 0 };

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    /* The library takes from the environment what it is not given. */
    (void)unsetenv("DREAMAPI_SECRET_KEY");
    (void)unsetenv("DREAMAPI_PUBLISHABLE_KEY");
    for (int i = 1; i < argc; i++)
        run_file(argv[i], &counts);
    printf("# %d wire cases ran against the library, %d of them with the answer that a rule changed as well; "
           "%d cannot be sent by a typed call\n",
           counts.cases, counts.changed, counts.unsendable);
    printf("1..%d\n", counts.runs);
    return counts.failed == 0 && counts.runs > 0 ? 0 : 1;
}
