/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_portal.c - the billing portal's API: configurations, and sessions that lead a customer to the portal. The
 * page itself is portal_page.c. A session is kept under the secret of its address (kind "portal"), since the API never
 * shows one again. */
#include "sandbox/stripe.h"

#include <string.h>

#include "common/json.h"

/* An address that nobody opened is good for this long; portal_page.c prolongs it with each visit. */
enum { UNOPENED_S = 300, MAX_PRODUCTS = 10, MAX_PRICES = 10 };

static const char configuration_skeleton[] =
    "{\"id\":\"\",\"object\":\"billing_portal.configuration\",\"active\":true,\"application\":null,\"business_"
    "profile\":"
    "{\"headline\":null,\"privacy_policy_url\":null,\"terms_of_service_url\":null},\"default_return_url\":null,"
    "\"features\":{\"customer_update\":{\"allowed_updates\":[],\"enabled\":false},\"invoice_history\":{\"enabled\":"
    "false},\"payment_method_update\":{\"enabled\":false,\"payment_method_configuration\":null},\"subscription_"
    "cancel\":"
    "{\"cancellation_reason\":{\"enabled\":false,\"options\":[\"too_expensive\",\"missing_features\","
    "\"switched_service\",\"unused\",\"other\"]},\"enabled\":false,\"mode\":\"at_period_end\",\"proration_behavior\":"
    "\"none\"},\"subscription_update\":{\"billing_cycle_anchor\":null,\"default_allowed_updates\":[],\"enabled\":false,"
    "\"products\":[],\"proration_behavior\":\"none\",\"schedule_at_period_end\":{\"conditions\":[]},"
    "\"trial_update_behavior\":\"end_trial\"}},\"is_default\":false,\"login_page\":{\"enabled\":false,\"url\":null},"
    "\"metadata\":{},\"name\":null,\"updated\":0}";

static const char session_skeleton[] =
    "{\"id\":\"\",\"object\":\"billing_portal.session\",\"configuration\":\"\",\"customer\":\"\",\"customer_account\":"
    "null,\"flow\":null,\"locale\":null,\"on_behalf_of\":null,\"return_url\":null,\"url\":\"\",\"_expires_at\":0}";

/* ---- configurations ---- */

static void set_flag(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *object, const char *name)
{
    if (dream_json_get(from, name))
        sandbox_set_bool(call, object, name, stripe_flag(call, from, prefix, name, false));
}

/* A text that must be one of `choices`, each followed by a blank; absent: unchanged. */
static void set_choice(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *object, const char *name,
                       const char *choices)
{
    const char *text = stripe_text(call, from, prefix, name);
    if (!text)
        return;
    if (sandbox_is_named(choices, text))
        sandbox_set_text(call, object, name, text);
    else
        stripe_refuse(call, NULL, stripe_param_name(call, prefix, name), "Invalid %s: must be one of %s", name,
                      choices);
}

/* The same for a list of texts; an empty text empties it. */
static void set_choices(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *object, const char *name,
                        const char *choices)
{
    const cJSON *given = dream_json_get(from, name);
    const cJSON *one;
    if (!given)
        return;
    if (!stripe_has(from, name)) {
        sandbox_embed(call, object, name, sandbox_skeleton(call, "[]"));
        return;
    }
    if (!cJSON_IsArray(given))
        stripe_refuse(call, NULL, stripe_param_name(call, prefix, name), "Invalid array");
    cJSON_ArrayForEach(one, given)
    {
        if (!cJSON_IsString(one) || !sandbox_is_named(choices, one->valuestring))
            stripe_refuse(call, NULL, stripe_param_name(call, prefix, name), "Invalid array: must be some of %s",
                          choices);
    }
    if (call->status == 0)
        sandbox_embed(call, object, name, given);
}

/* One price of a product that customers may switch to. */
static void check_price(sandbox_call *call, const char *id, const char *product, const char *param)
{
    const cJSON *price = id ? sandbox_read(call, "price", id) : NULL;
    const char *of = dream_json_string(price, "product");
    if (!price)
        stripe_no_such(call, &stripe_price, id ? id : "", param);
    else if (!of || strcmp(of, product) != 0)
        stripe_refuse(call, NULL, param, "The price `%.100s` does not belong to the product `%.100s`.", id, product);
    else if (!cJSON_IsObject(dream_json_get(price, "recurring")))
        stripe_refuse(call, NULL, param, "The price `%.100s` is not recurring.", id);
}

static void add_product(sandbox_call *call, const cJSON *given, const char *prefix, cJSON *products)
{
    cJSON *made = sandbox_skeleton(call, "{\"adjustable_quantity\":{\"enabled\":false,\"maximum\":null,\"minimum\":1},"
                                         "\"prices\":[],\"product\":\"\"}");
    if (!made || !stripe_check_names(call, given, prefix, "product prices "))
        return;
    const char *id = stripe_required_text(call, given, prefix, "product");
    const cJSON *prices = dream_json_get(given, "prices");
    const cJSON *price;
    if (id && !sandbox_read(call, "product", id))
        stripe_no_such(call, &stripe_product, id, stripe_param_name(call, prefix, "product"));
    if (!cJSON_IsArray(prices) || cJSON_GetArraySize(prices) > MAX_PRICES)
        stripe_refuse(call, "parameter_missing", stripe_param_name(call, prefix, "prices"),
                      "Invalid array: one to %d prices.", MAX_PRICES);
    if (call->status != 0)
        return;
    cJSON_ArrayForEach(price, prices)
        check_price(call, cJSON_GetStringValue(price), id, stripe_param_name(call, prefix, "prices"));
    if (call->status != 0)
        return;
    sandbox_set_text(call, made, "product", id);
    sandbox_embed(call, made, "prices", prices);
    sandbox_append(call, products, made);
}

static void set_products(sandbox_call *call, const cJSON *from, const char *prefix, cJSON *feature)
{
    const cJSON *given = dream_json_get(from, "products");
    const cJSON *one;
    int index = 0;
    if (!given)
        return;
    prefix = stripe_param_name(call, prefix, "products");
    cJSON *products = sandbox_skeleton(call, "[]");
    if (stripe_has(from, "products") && (!cJSON_IsArray(given) || cJSON_GetArraySize(given) > MAX_PRODUCTS))
        stripe_refuse(call, NULL, prefix, "Invalid array: at most %d products.", MAX_PRODUCTS);
    if (!products || call->status != 0)
        return;
    cJSON_ArrayForEach(one, given) add_product(call, one, sandbox_printf(call, "%s[%d]", prefix, index++), products);
    sandbox_embed(call, feature, "products", products);
}

static void set_customer_update(sandbox_call *call, const cJSON *given, const char *prefix, cJSON *feature)
{
    set_choices(call, given, prefix, feature, "allowed_updates", "email address shipping phone tax_id name ");
}

static void set_cancel(sandbox_call *call, const cJSON *given, const char *prefix, cJSON *feature)
{
    const cJSON *reason = stripe_table(call, given, prefix, "cancellation_reason");
    set_choice(call, given, prefix, feature, "mode", "immediately at_period_end ");
    set_choice(call, given, prefix, feature, "proration_behavior", "none create_prorations always_invoice ");
    if (!reason)
        return;
    cJSON *kept = sandbox_member(feature, "cancellation_reason");
    prefix = stripe_param_name(call, prefix, "cancellation_reason");
    if (!stripe_check_names(call, reason, prefix, "enabled options "))
        return;
    set_flag(call, reason, prefix, kept, "enabled");
    set_choices(call, reason, prefix, kept, "options", stripe_feedbacks);
}

static void set_update(sandbox_call *call, const cJSON *given, const char *prefix, cJSON *feature)
{
    set_choices(call, given, prefix, feature, "default_allowed_updates", "price quantity promotion_code ");
    set_choice(call, given, prefix, feature, "proration_behavior", "none create_prorations always_invoice ");
    set_choice(call, given, prefix, feature, "trial_update_behavior", "end_trial continue_trial ");
    set_products(call, given, prefix, feature);
}

static const struct {
    const char *name;
    const char *params;
    void (*set)(sandbox_call *call, const cJSON *given, const char *prefix, cJSON *feature); /* beside `enabled` */
} features[] = {
    { "customer_update", "enabled allowed_updates ", set_customer_update },
    { "invoice_history", "enabled ", NULL },
    { "payment_method_update", "enabled ", NULL },
    { "subscription_cancel", "enabled mode cancellation_reason proration_behavior ", set_cancel },
    { "subscription_update", "enabled default_allowed_updates products proration_behavior trial_update_behavior ",
      set_update },
};

static void set_features(sandbox_call *call, cJSON *configuration)
{
    const cJSON *given = stripe_table(call, call->params, NULL, "features");
    if (!given
        || !stripe_check_names(call, given, "features",
                               "customer_update invoice_history payment_method_update subscription_cancel "
                               "subscription_update "))
        return;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        const cJSON *one = stripe_table(call, given, "features", features[i].name);
        const char *prefix = stripe_param_name(call, "features", features[i].name);
        cJSON *feature = sandbox_member(sandbox_member(configuration, "features"), features[i].name);
        if (!one || !stripe_check_names(call, one, prefix, features[i].params))
            continue;
        if (!call->id) /* a new one: what is given must say whether it is on */
            (void)stripe_required_text(call, one, prefix, "enabled");
        set_flag(call, one, prefix, feature, "enabled");
        if (features[i].set)
            features[i].set(call, one, prefix, feature);
    }
}

static void set_tables(sandbox_call *call, cJSON *configuration)
{
    static const char *const texts[] = { "headline", "privacy_policy_url", "terms_of_service_url" };
    const cJSON *profile = stripe_table(call, call->params, NULL, "business_profile");
    const cJSON *login = stripe_table(call, call->params, NULL, "login_page");
    if (profile
        && stripe_check_names(call, profile, "business_profile", "headline privacy_policy_url terms_of_service_url "))
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            stripe_set_text(call, profile, sandbox_member(configuration, "business_profile"), texts[i]);
    if (login && stripe_check_names(call, login, "login_page", "enabled ")
        && stripe_flag(call, login, "login_page", "enabled", false))
        stripe_refuse(call, NULL, "login_page[enabled]", "The sandbox plays no login page: make a session.");
}

/* What both create and update take. */
static void set_configuration(sandbox_call *call, cJSON *configuration)
{
    if (stripe_has(call->params, "default_return_url"))
        sandbox_set_text(call, configuration, "default_return_url", stripe_url(call, "default_return_url", false));
    else
        stripe_set_text(call, call->params, configuration, "default_return_url");
    stripe_set_text(call, call->params, configuration, "name");
    stripe_set_metadata(call, call->params, NULL, configuration);
    set_tables(call, configuration);
    set_features(call, configuration);
    sandbox_set_int(call, configuration, "updated", call->now_s);
}

void stripe_portal_configuration_create(sandbox_call *call)
{
    cJSON *configuration = stripe_new(call, configuration_skeleton, "bpc_1", 23);
    if (!configuration)
        return;
    if (!dream_json_get(call->params, "features"))
        stripe_refuse(call, "parameter_missing", "features", "Missing required param: features.");
    set_configuration(call, configuration);
    if (call->status != 0)
        return;
    stripe_insert(call, configuration, NULL, NULL);
    stripe_emit(call, "billing_portal.configuration.created", configuration, NULL);
    stripe_answer(call, configuration);
}

static const char *lookup_of(const cJSON *configuration)
{
    return dream_json_bool(configuration, "is_default", false) ? "default" : NULL;
}

void stripe_portal_configuration_update(sandbox_call *call)
{
    cJSON *configuration = stripe_read(call, &stripe_portal_configuration);
    const cJSON *before = configuration ? sandbox_copy(call, configuration) : NULL;
    if (!before)
        return;
    stripe_set_flag(call, call->params, configuration, "active");
    set_configuration(call, configuration);
    if (lookup_of(configuration) && !dream_json_bool(configuration, "active", true))
        stripe_refuse(call, NULL, "active", "You cannot deactivate the default configuration.");
    if (call->status != 0)
        return;
    stripe_update(call, configuration, NULL, lookup_of(configuration));
    stripe_emit_change(call, "billing_portal.configuration.updated", before, configuration);
    stripe_answer(call, configuration);
}

/* ---- the default ---- */

static bool take_first(void *context, cJSON *json)
{
    *(cJSON **)context = json;
    return false;
}

/* Stripe's comes into being when someone saves the portal's settings in its dashboard. There is none here: everything
 * is on. */
static cJSON *make_default(sandbox_call *call)
{
    cJSON *configuration = stripe_new(call, configuration_skeleton, "bpc_1", 23);
    if (!configuration)
        return NULL;
    cJSON *all = sandbox_member(configuration, "features");
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        sandbox_set_bool(
            call, sandbox_member(all, features[i].name), "enabled",
            strcmp(features[i].name, "payment_method_update") != 0 && strcmp(features[i].name, "customer_update") != 0);
    sandbox_set_bool(call, sandbox_member(sandbox_member(all, "subscription_cancel"), "cancellation_reason"), "enabled",
                     true);
    sandbox_embed(call, sandbox_member(all, "subscription_update"), "default_allowed_updates",
                  sandbox_skeleton(call, "[\"price\"]"));
    sandbox_set_bool(call, configuration, "is_default", true);
    sandbox_set_int(call, configuration, "updated", call->now_s);
    stripe_insert(call, configuration, NULL, lookup_of(configuration));
    return configuration;
}

static const cJSON *default_configuration(sandbox_call *call)
{
    cJSON *found = NULL;
    sandbox_doc_scan(call->tx, &call->scope,
                     &(sandbox_scan){ .kind = stripe_portal_configuration.kind, .lookup = "default" }, take_first,
                     &found);
    return found ? sandbox_keep(call, found) : make_default(call);
}

/* ---- sessions ---- */

static const cJSON *choose_configuration(sandbox_call *call)
{
    const char *id = stripe_text(call, call->params, NULL, "configuration");
    if (!id)
        return call->status == 0 ? default_configuration(call) : NULL;
    const cJSON *configuration = sandbox_read(call, stripe_portal_configuration.kind, id);
    if (!configuration)
        stripe_no_such(call, &stripe_portal_configuration, id, "configuration");
    else if (!dream_json_bool(configuration, "active", false))
        stripe_refuse(call, NULL, "configuration", "The configuration `%.100s` is not active.", id);
    return call->status == 0 ? configuration : NULL;
}

static bool check_customer(sandbox_call *call, const char *id)
{
    const cJSON *customer = id ? sandbox_read(call, "customer", id) : NULL;
    if (id && (!customer || stripe_is_deleted(customer)))
        stripe_no_such(call, &stripe_customer, id, "customer");
    return call->status == 0;
}

void stripe_portal_session_create(sandbox_call *call)
{
    cJSON *session = stripe_new(call, session_skeleton, "bps_1", 23);
    const char *secret = sandbox_new_id(call, call->instance->mode == SANDBOX_LIVE ? "live_" : "test_", 48);
    const char *customer = stripe_required_text(call, call->params, NULL, "customer");
    const char *return_url = stripe_url(call, "return_url", false);
    if (!session || !secret || !check_customer(call, customer))
        return;
    const cJSON *configuration = choose_configuration(call);
    if (!configuration)
        return;
    sandbox_set_text(call, session, "customer", customer);
    sandbox_embed(call, session, "configuration", dream_json_get(configuration, "id"));
    sandbox_set_text(call, session, "return_url",
                     return_url ? return_url : dream_json_string(configuration, "default_return_url"));
    stripe_set_text(call, call->params, session, "locale");
    sandbox_set_int(call, session, "_expires_at", call->now_s + UNOPENED_S);
    sandbox_set_text(call, session, "url", sandbox_printf(call, "%s/portal/%s", call->instance->url, secret));
    (void)sandbox_insert(call, &(sandbox_doc){ "portal", secret, customer, NULL }, session);
    stripe_emit(call, "billing_portal.session.created", session, NULL);
    stripe_answer(call, session);
}
