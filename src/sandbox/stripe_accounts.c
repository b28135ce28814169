/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_accounts.c - connected accounts, and customers. An account made here is at once fully usable, and the answer to its
 * making carries its own keys, as Stripe's API did before Connect's OAuth took that over. */
#include "sandbox/stripe.h"

#include <string.h>

#include "common/crypto.h"
#include "common/json.h"

static const char account_skeleton[] =
    "{\"id\":\"\",\"object\":\"account\",\"business_profile\":{\"mcc\":null,\"name\":null,\"support_email\":null,"
    "\"support_phone\":null,\"support_url\":null,\"url\":null},\"business_type\":null,\"capabilities\":"
    "{\"card_payments\":\"active\",\"transfers\":\"active\"},\"charges_enabled\":true,\"country\":\"US\","
    "\"default_currency\":\"usd\",\"details_submitted\":true,\"email\":null,\"metadata\":{},\"payouts_enabled\":true,"
    "\"requirements\":{\"currently_due\":[],\"disabled_reason\":null,\"eventually_due\":[],\"past_due\":[]},"
    "\"settings\":{\"dashboard\":{\"display_name\":null,\"timezone\":\"Etc/UTC\"}},\"type\":\"standard\"}";

static const char customer_skeleton[] =
    "{\"id\":\"\",\"object\":\"customer\",\"address\":null,\"balance\":0,\"currency\":null,\"default_source\":null,"
    "\"delinquent\":false,\"description\":null,\"discount\":null,\"email\":null,\"invoice_prefix\":null,"
    "\"invoice_settings\":{\"custom_fields\":null,\"default_payment_method\":null,\"footer\":null,"
    "\"rendering_options\":null},\"metadata\":{},\"name\":null,\"next_invoice_sequence\":1,\"phone\":null,"
    "\"preferred_locales\":[],\"shipping\":null,\"tax_exempt\":\"none\",\"test_clock\":null}";

static const char address_skeleton[] =
    "{\"city\":null,\"country\":null,\"line1\":null,\"line2\":null,\"postal_code\":null,\"state\":null}";

/* ---- accounts ---- */

/* A new key pair of the account. Only a hash of the secret one is kept. */
static cJSON *make_keys(sandbox_call *call, const char *account)
{
    bool is_live = call->instance->mode == SANDBOX_LIVE;
    char hash[2 * DREAM_SHA256_SIZE + 1];
    cJSON *keys = sandbox_skeleton(call, "{\"publishable\":\"\",\"secret\":\"\"}");
    cJSON *token = sandbox_skeleton(call, "{}");
    const char *secret = sandbox_new_id(call, is_live ? "sk_live_" : "sk_test_", 48);
    if (!keys || !token || !secret)
        return NULL;
    if (!dream_sha256_hex(secret, strlen(secret), hash)) {
        call->is_nomem = true;
        return NULL;
    }
    sandbox_set_text(call, keys, "secret", secret);
    sandbox_set_text(call, keys, "publishable", sandbox_new_id(call, is_live ? "pk_live_" : "pk_test_", 48));
    sandbox_set_text(call, token, "account", account);
    (void)sandbox_insert(call, &(sandbox_doc){ "token", hash, account, NULL }, token);
    return keys;
}

void stripe_account_create(sandbox_call *call)
{
    static const char *const types[] = { "standard", "express", "custom" };
    cJSON *account = stripe_new(call, account_skeleton, "acct_1", 15);
    const char *type = stripe_text(call, call->params, NULL, "type");
    if (!account)
        return;
    if (strcmp(call->scope.account, call->instance->identity.id) != 0) {
        stripe_error(call, 403, "invalid_request_error", NULL, NULL, "Only the platform's own key may make accounts.");
        return;
    }
    bool is_known = type == NULL;
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        is_known = is_known || strcmp(type, types[i]) == 0;
    if (!is_known) {
        stripe_refuse(call, NULL, "type", "Invalid type: must be one of standard, express, or custom");
        return;
    }
    if (type)
        sandbox_set_text(call, account, "type", type);
    cJSON_DeleteItemFromObjectCaseSensitive(account, "livemode"); /* accounts have none */
    stripe_set_text(call, call->params, account, "email");
    stripe_set_text(call, call->params, account, "country");
    stripe_set_text(call, call->params, account, "business_type");
    stripe_set_text(call, call->params, account, "default_currency");
    stripe_set_metadata(call, call->params, NULL, account);
    if (call->status != 0)
        return;
    stripe_insert(call, account, NULL, dream_json_string(account, "email"));
    const cJSON *keys = make_keys(call, dream_json_string(account, "id"));
    if (!keys)
        return;
    sandbox_embed(call, account, "keys", keys); /* in this answer only */
    stripe_answer(call, account);
}

void stripe_account_own(sandbox_call *call)
{
    const char *own = call->scope.account;
    cJSON *account = NULL;
    call->scope.account = call->instance->identity.id;
    if (strcmp(own, call->scope.account) != 0) {
        account = sandbox_read(call, "account", own);
    } else { /* the platform's own account is made with the file and has nothing to be kept */
        account = sandbox_skeleton(call, account_skeleton);
        if (!account)
            return;
        sandbox_set_text(call, account, "id", own);
    }
    stripe_answer(call, account);
}

/* ---- customers ---- */

static void set_address(sandbox_call *call, cJSON *customer)
{
    static const char names[] = "city country line1 line2 postal_code state ";
    const cJSON *given = stripe_has(call->params, "address") ? stripe_table(call, call->params, NULL, "address") : NULL;
    cJSON *address = given ? sandbox_skeleton(call, address_skeleton) : NULL;
    const cJSON *member;
    if (!address || !stripe_check_names(call, given, "address", names))
        return;
    cJSON_ArrayForEach(member, given) stripe_set_text(call, given, address, member->string);
    sandbox_embed(call, customer, "address", address);
}

static void set_fields(sandbox_call *call, cJSON *customer)
{
    static const char *const names[] = { "name", "email", "phone", "description" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        stripe_set_text(call, call->params, customer, names[i]);
    const char *email = stripe_has(call->params, "email") ? dream_json_string(customer, "email") : NULL;
    if (email && !sandbox_is_email(email))
        stripe_refuse(call, "email_invalid", "email", "Invalid email address: %.200s", email);
    const cJSON *locales = dream_json_get(call->params, "preferred_locales");
    if (cJSON_IsArray(locales))
        sandbox_embed(call, customer, "preferred_locales", locales);
    set_address(call, customer);
    stripe_set_metadata(call, call->params, NULL, customer);
}

static cJSON *new_customer(sandbox_call *call)
{
    cJSON *customer = stripe_new(call, customer_skeleton, "cus_", 14);
    if (customer)
        sandbox_set_text(call, customer, "invoice_prefix", sandbox_new_id(call, "", 8));
    return customer;
}

cJSON *stripe_make_customer(sandbox_call *call, const char *email)
{
    cJSON *customer = new_customer(call);
    if (!customer)
        return NULL;
    sandbox_set_text(call, customer, "email", email);
    stripe_insert(call, customer, NULL, email);
    stripe_emit(call, "customer.created", customer, NULL);
    return customer;
}

void stripe_customer_create(sandbox_call *call)
{
    cJSON *customer = new_customer(call);
    if (!customer)
        return;
    set_fields(call, customer);
    if (call->status != 0)
        return;
    stripe_insert(call, customer, NULL, dream_json_string(customer, "email"));
    stripe_emit(call, "customer.created", customer, NULL);
    stripe_answer(call, customer);
}

void stripe_customer_update(sandbox_call *call)
{
    cJSON *customer = stripe_read(call, &stripe_customer);
    const cJSON *before = customer ? sandbox_copy(call, customer) : NULL;
    if (!before)
        return;
    set_fields(call, customer);
    if (call->status != 0)
        return;
    stripe_update(call, customer, NULL, dream_json_string(customer, "email"));
    stripe_emit_change(call, "customer.updated", before, customer);
    stripe_answer(call, customer);
}

typedef struct id_list {
    sandbox_call *call;
    cJSON *found;
} id_list;

static bool collect(void *context, cJSON *json)
{
    id_list *list = context;
    if (!sandbox_keep(list->call, json))
        return false;
    sandbox_append(list->call, list->found, json);
    return true;
}

/* A deleted customer's subscriptions end with it. */
static void cancel_subscriptions(sandbox_call *call)
{
    id_list list = { call, sandbox_skeleton(call, "[]") };
    cJSON *subscription;
    if (!list.found)
        return;
    sandbox_doc_scan(call->tx, &call->scope, &(sandbox_scan){ .kind = "subscription", .parent = call->id }, collect,
                     &list);
    cJSON_ArrayForEach(subscription, list.found) stripe_subscription_end(call, subscription);
}

void stripe_customer_delete(sandbox_call *call)
{
    cJSON *customer = stripe_read(call, &stripe_customer);
    cJSON *deleted = sandbox_skeleton(call, "{\"id\":\"\",\"object\":\"customer\",\"deleted\":true}");
    if (!customer || !deleted)
        return;
    sandbox_set_text(call, deleted, "id", call->id);
    cancel_subscriptions(call);
    stripe_emit(call, "customer.deleted", customer, NULL);
    stripe_update(call, deleted, NULL, NULL); /* stays, so that its id is known as deleted */
    stripe_answer(call, deleted);
}
