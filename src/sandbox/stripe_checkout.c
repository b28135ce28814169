/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_checkout.c - checkout sessions: made, shown, expired. Paying one is stripe_pay.c, behind pay_page.c.
 * A session keeps its line items and the subscription's parameters in members of the sandbox's own. */
#include "sandbox/stripe.h"

#include <string.h>

#include "common/json.h"

#define MINUTE_S INT64_C(60)
#define DAY_S INT64_C(86400)
enum { MAX_LINE_ITEMS = 100, MAX_QUANTITY = 999999, MAX_REFERENCE = 200, MAX_TRIAL_DAYS = 730, MIN_OPEN_MINUTES = 30 };
#define MAX_TOTAL INT64_C(99999999999)

static const char session_skeleton[] =
    "{\"id\":\"\",\"object\":\"checkout.session\",\"adaptive_pricing\":null,\"after_expiration\":null,"
    "\"allow_promotion_codes\":null,\"amount_subtotal\":0,\"amount_total\":0,\"automatic_tax\":{\"enabled\":false,"
    "\"liability\":null,\"provider\":null,\"status\":null},\"billing_address_collection\":null,\"cancel_url\":null,"
    "\"client_reference_id\":null,\"client_secret\":null,\"collected_information\":null,\"consent\":null,"
    "\"consent_collection\":null,\"currency\":null,\"custom_fields\":[],\"custom_text\":{\"after_submit\":null,"
    "\"shipping_address\":null,\"submit\":null,\"terms_of_service_acceptance\":null},\"customer\":null,"
    "\"customer_creation\":null,\"customer_details\":null,\"customer_email\":null,\"discounts\":[],\"expires_at\":0,"
    "\"invoice\":null,\"invoice_creation\":null,\"locale\":null,\"metadata\":{},\"mode\":\"\",\"payment_intent\":null,"
    "\"payment_link\":null,\"payment_method_collection\":\"if_required\",\"payment_method_options\":{},"
    "\"payment_method_types\":[\"card\"],\"payment_status\":\"unpaid\",\"phone_number_collection\":{\"enabled\":false},"
    "\"recovered_from\":null,\"saved_payment_method_options\":null,\"setup_intent\":null,"
    "\"shipping_address_collection\":null,\"shipping_cost\":null,\"shipping_options\":[],\"status\":\"open\","
    "\"submit_type\":null,\"subscription\":null,\"success_url\":null,\"total_details\":{\"amount_discount\":0,"
    "\"amount_shipping\":0,\"amount_tax\":0},\"ui_mode\":\"hosted\",\"url\":null,\"_line_items\":[],"
    "\"_subscription_data\":{\"metadata\":{},\"trial_period_days\":0,\"description\":null},\"_payment_metadata\":{}}";

static const char item_skeleton[] =
    "{\"id\":\"\",\"object\":\"item\",\"amount_discount\":0,\"amount_subtotal\":0,\"amount_tax\":0,\"amount_total\":0,"
    "\"currency\":\"\",\"description\":\"\",\"price\":{},\"quantity\":1}";

/* What comes of the lines as they are read. */
struct order {
    int64_t total;
    const char *currency;
    bool has_recurring;
    bool has_one_time;
};

bool stripe_session_is(const cJSON *session, const char *status)
{
    const char *have = dream_json_string(session, "status");
    return have && strcmp(have, status) == 0;
}

void stripe_session_settle(sandbox_call *call, cJSON *session)
{
    int64_t expires_at = 0;
    if (stripe_session_is(session, "open") && dream_json_int(session, "expires_at", &expires_at)
        && expires_at <= call->now_s) {
        sandbox_set_text(call, session, "status", "expired");
        sandbox_set_text(call, session, "url", NULL);
    }
}

/* ---- line items ---- */

/* A price made for this session alone; it is kept, but cannot be ordered again. */
static const cJSON *make_inline_price(sandbox_call *call, const cJSON *data, const char *prefix)
{
    prefix = stripe_param_name(call, prefix, "price_data");
    if (!stripe_check_names(call, data, prefix,
                            "currency product product_data recurring unit_amount unit_amount_decimal "
                            "tax_behavior "))
        return NULL;
    const cJSON *product_data = stripe_table(call, data, prefix, "product_data");
    const char *id = product_data ? NULL : stripe_required_text(call, data, prefix, "product");
    const cJSON *product =
        product_data ? stripe_make_product(call, product_data, stripe_param_name(call, prefix, "product_data"))
        : id         ? sandbox_read(call, "product", id)
                     : NULL;
    if (id && !product)
        stripe_no_such(call, &stripe_product, id, stripe_param_name(call, prefix, "product"));
    cJSON *price = product ? stripe_make_price(call, data, prefix, product) : NULL;
    if (price) {
        sandbox_set_bool(call, price, "active", false);
        stripe_update(call, price, dream_json_string(product, "id"), NULL);
    }
    return price;
}

static const cJSON *choose_price(sandbox_call *call, const cJSON *given, const char *prefix)
{
    const cJSON *data = stripe_table(call, given, prefix, "price_data");
    if (data)
        return make_inline_price(call, data, prefix);
    const char *id = stripe_required_text(call, given, prefix, "price");
    const cJSON *price = id ? sandbox_read(call, "price", id) : NULL;
    const char *param = stripe_param_name(call, prefix, "price");
    if (id && !price) {
        stripe_no_such(call, &stripe_price, id, param);
    } else if (price && !dream_json_bool(price, "active", false)) {
        stripe_refuse(call, NULL, param, "The price specified is inactive. This field only accepts active prices.");
        price = NULL;
    }
    return price;
}

static void add_to_order(sandbox_call *call, struct order *order, const cJSON *price, int64_t amount)
{
    const char *currency = dream_json_string(price, "currency");
    order->total += amount;
    if (cJSON_IsObject(dream_json_get(price, "recurring")))
        order->has_recurring = true;
    else
        order->has_one_time = true;
    if (!order->currency)
        order->currency = currency;
    if (strcmp(order->currency, currency) != 0)
        stripe_refuse(call, NULL, "line_items",
                      "You cannot combine currencies on a single subscription or payment: %s and "
                      "%s.",
                      order->currency, currency);
    else if (order->total > MAX_TOTAL)
        stripe_refuse(call, "amount_too_large", "line_items", "The total of the line items is too large.");
}

static void add_line(sandbox_call *call, cJSON *session, struct order *order, const cJSON *given, const char *prefix)
{
    cJSON *item = sandbox_skeleton(call, item_skeleton);
    if (!item || !stripe_check_names(call, given, prefix, "price price_data quantity adjustable_quantity "))
        return;
    const cJSON *price = choose_price(call, given, prefix);
    if (!price)
        return;
    const char *usage = dream_json_string(dream_json_get(price, "recurring"), "usage_type");
    bool is_metered = usage && strcmp(usage, "metered") == 0;
    if (is_metered && stripe_has(given, "quantity"))
        stripe_refuse(call, NULL, stripe_param_name(call, prefix, "quantity"),
                      "Quantity should not be specified where usage_type is `metered`. Remove quantity from `%s`.",
                      prefix);
    else if (!is_metered)
        (void)stripe_required_text(call, given, prefix, "quantity");
    int64_t quantity = stripe_int(call, given, prefix, "quantity", is_metered ? 0 : 1, 1, MAX_QUANTITY);
    int64_t unit = 0;
    (void)dream_json_int(price, "unit_amount", &unit);
    add_to_order(call, order, price, unit * quantity);
    if (call->status != 0)
        return;
    const cJSON *product = sandbox_read(call, "product", dream_json_string(price, "product"));
    const char *name = dream_json_string(product, "name");
    sandbox_set_text(call, item, "id", sandbox_new_id(call, "li_1", 23));
    sandbox_set_int(call, item, "amount_subtotal", unit * quantity);
    sandbox_set_int(call, item, "amount_total", unit * quantity);
    sandbox_set_text(call, item, "currency", order->currency);
    sandbox_set_text(call, item, "description", name ? name : "");
    sandbox_embed(call, item, "price", price);
    if (is_metered)
        sandbox_set_text(call, item, "quantity", NULL);
    else
        sandbox_set_int(call, item, "quantity", quantity);
    sandbox_append(call, sandbox_member(session, "_line_items"), item);
}

static void add_lines(sandbox_call *call, cJSON *session, struct order *order)
{
    const cJSON *lines = dream_json_get(call->params, "line_items");
    const cJSON *line;
    int index = 0;
    if (cJSON_GetArraySize(lines) > MAX_LINE_ITEMS || (lines && !cJSON_IsArray(lines))) {
        stripe_refuse(call, NULL, "line_items", "Invalid array: at most %d line items", MAX_LINE_ITEMS);
        return;
    }
    cJSON_ArrayForEach(line, lines)
    {
        if (call->status != 0 || call->is_nomem)
            return;
        add_line(call, session, order, line, sandbox_printf(call, "line_items[%d]", index++));
    }
}

/* ---- the session ---- */

static bool set_mode(sandbox_call *call, cJSON *session, const struct order *order)
{
    const char *mode = stripe_required_text(call, call->params, NULL, "mode");
    if (!mode)
        return false;
    bool is_subscription = strcmp(mode, "subscription") == 0;
    if (!is_subscription && strcmp(mode, "payment") != 0)
        stripe_refuse(call, NULL, "mode",
                      "Invalid mode: must be one of payment or subscription (the sandbox plays no setup)");
    else if (!order->currency)
        stripe_refuse(call, "parameter_missing", "line_items", "Missing required param: line_items.");
    else if (is_subscription && !order->has_recurring)
        stripe_refuse(call, NULL, "line_items",
                      "You must provide at least one recurring price in `subscription` mode when using prices.");
    else if (!is_subscription && order->has_recurring)
        stripe_refuse(call, NULL, "line_items",
                      "You specified `payment` mode but passed a recurring price. Either switch to "
                      "`subscription` mode or use only one-time prices.");
    if (call->status != 0)
        return false;
    sandbox_set_text(call, session, "mode", mode);
    if (is_subscription)
        sandbox_set_text(call, session, "payment_method_collection", "always");
    else
        sandbox_set_text(call, session, "customer_creation", "if_required");
    return true;
}

/* The hosted service always sends customer_email, empty when it knows none: that counts as absent. */
static void set_customer(sandbox_call *call, cJSON *session)
{
    const char *id = stripe_text(call, call->params, NULL, "customer");
    const char *email =
        stripe_has(call->params, "customer_email") ? stripe_text(call, call->params, NULL, "customer_email") : NULL;
    const char *creation = stripe_text(call, call->params, NULL, "customer_creation");
    const cJSON *customer = id ? sandbox_read(call, "customer", id) : NULL;
    if (id && email)
        stripe_refuse(call, NULL, "customer_email",
                      "You may only specify one of these parameters: customer, customer_email.");
    else if (id && (!customer || stripe_is_deleted(customer)))
        stripe_no_such(call, &stripe_customer, id, "customer");
    else if (email && !sandbox_is_email(email))
        stripe_refuse(call, "email_invalid", "customer_email", "Invalid email address: %.200s", email);
    sandbox_set_text(call, session, "customer", id);
    sandbox_set_text(call, session, "customer_email", email);
    if (creation && (strcmp(creation, "always") == 0 || strcmp(creation, "if_required") == 0))
        sandbox_set_text(call, session, "customer_creation", creation);
    if (!email && customer)
        email = dream_json_string(customer, "email");
    if (email) {
        cJSON *details = sandbox_skeleton(call, "{\"address\":null,\"email\":\"\",\"name\":null,\"phone\":null,"
                                                "\"tax_exempt\":\"none\",\"tax_ids\":null}");
        sandbox_set_text(call, details, "email", email);
        if (details)
            sandbox_embed(call, session, "customer_details", details);
    }
}

static void set_subscription_data(sandbox_call *call, cJSON *session)
{
    const cJSON *given = stripe_table(call, call->params, NULL, "subscription_data");
    cJSON *data = sandbox_member(session, "_subscription_data");
    const char *mode = dream_json_string(session, "mode");
    if (!given)
        return;
    if (strcmp(mode, "subscription") != 0) {
        stripe_refuse(call, NULL, "subscription_data", "You can not pass `subscription_data` in `%s` mode.", mode);
        return;
    }
    if (!stripe_check_names(call, given, "subscription_data",
                            "metadata trial_period_days trial_end trial_settings description "))
        return;
    stripe_set_metadata(call, given, "subscription_data", data);
    stripe_set_text(call, given, data, "description");
    sandbox_set_int(call, data, "trial_period_days",
                    stripe_int(call, given, "subscription_data", "trial_period_days", 0, 1, MAX_TRIAL_DAYS));
    int64_t trial_end = stripe_int(call, given, "subscription_data", "trial_end", 0, call->now_s + 2 * DAY_S,
                                   call->now_s + MAX_TRIAL_DAYS * DAY_S);
    if (trial_end > 0)
        sandbox_set_int(call, data, "trial_end", trial_end);
}

static void set_payment_data(sandbox_call *call, cJSON *session)
{
    const cJSON *given = stripe_table(call, call->params, NULL, "payment_intent_data");
    const char *mode = dream_json_string(session, "mode");
    if (!given)
        return;
    if (strcmp(mode, "payment") != 0) {
        stripe_refuse(call, NULL, "payment_intent_data", "You can not pass `payment_intent_data` in `%s` mode.", mode);
        return;
    }
    if (!stripe_check_names(call, given, "payment_intent_data", "metadata description "))
        return;
    cJSON *holder = sandbox_skeleton(call, "{\"metadata\":{}}");
    if (!holder)
        return;
    stripe_set_metadata(call, given, "payment_intent_data", holder);
    sandbox_embed(call, session, "_payment_metadata", dream_json_get(holder, "metadata"));
}

static void set_flags(sandbox_call *call, cJSON *session)
{
    static const char *const tables[] = { "automatic_tax", "phone_number_collection" };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const cJSON *given = stripe_table(call, call->params, NULL, tables[i]);
        if (given)
            sandbox_set_bool(call, sandbox_member(session, tables[i]), "enabled",
                             stripe_flag(call, given, tables[i], "enabled", false));
    }
    stripe_set_flag(call, call->params, session, "allow_promotion_codes");
    stripe_set_text(call, call->params, session, "billing_address_collection");
    stripe_set_text(call, call->params, session, "locale");
    stripe_set_text(call, call->params, session, "submit_type");
}

static void set_texts(sandbox_call *call, cJSON *session)
{
    const char *reference = stripe_has(call->params, "client_reference_id")
                                ? stripe_text(call, call->params, NULL, "client_reference_id")
                                : NULL;
    const char *ui = stripe_text(call, call->params, NULL, "ui_mode");
    if (reference && strlen(reference) > MAX_REFERENCE)
        stripe_refuse(call, "parameter_invalid_string_long", "client_reference_id",
                      "Invalid string: must be at most %d characters", MAX_REFERENCE);
    if (ui && strcmp(ui, "hosted") != 0 && strcmp(ui, "hosted_page") != 0)
        stripe_refuse(call, NULL, "ui_mode", "The sandbox plays the hosted page only.");
    sandbox_set_text(call, session, "client_reference_id", reference);
    sandbox_set_text(call, session, "success_url", stripe_url(call, "success_url", true));
    sandbox_set_text(call, session, "cancel_url", stripe_url(call, "cancel_url", false));
    sandbox_set_int(call, session, "expires_at",
                    stripe_int(call, call->params, NULL, "expires_at", call->now_s + DAY_S,
                               call->now_s + MIN_OPEN_MINUTES * MINUTE_S - MINUTE_S, call->now_s + DAY_S + MINUTE_S));
    stripe_set_metadata(call, call->params, NULL, session);
    set_flags(call, session);
}

/* What is due today: nothing of what recurs, during a trial. */
static void set_amounts(sandbox_call *call, cJSON *session, const struct order *order)
{
    const cJSON *data = dream_json_get(session, "_subscription_data");
    int64_t trial_days = 0, due = order->total;
    (void)dream_json_int(data, "trial_period_days", &trial_days);
    if (trial_days > 0 || dream_json_get(data, "trial_end")) {
        const cJSON *item;
        due = 0;
        cJSON_ArrayForEach(item, dream_json_get(session, "_line_items"))
        {
            int64_t amount = 0;
            if (!cJSON_IsObject(dream_json_get(dream_json_get(item, "price"), "recurring"))
                && dream_json_int(item, "amount_total", &amount))
                due += amount;
        }
    }
    sandbox_set_int(call, session, "amount_subtotal", due);
    sandbox_set_int(call, session, "amount_total", due);
    sandbox_set_text(call, session, "currency", order->currency);
}

void stripe_session_create(sandbox_call *call)
{
    bool is_live = call->instance->mode == SANDBOX_LIVE;
    cJSON *session = stripe_new(call, session_skeleton, is_live ? "cs_live_a1" : "cs_test_a1", 56);
    struct order order = { 0 };
    if (!session)
        return;
    set_texts(call, session);
    add_lines(call, session, &order);
    if (call->status != 0 || !set_mode(call, session, &order))
        return;
    set_customer(call, session);
    set_subscription_data(call, session);
    set_payment_data(call, session);
    if (call->status != 0)
        return;
    set_amounts(call, session, &order);
    sandbox_set_text(call, session, "url",
                     sandbox_printf(call, "%s/pay/%s", call->instance->url, dream_json_string(session, "id")));
    stripe_insert(call, session, dream_json_string(session, "customer"), NULL);
    stripe_answer(call, session);
}

void stripe_session_get(sandbox_call *call)
{
    cJSON *session = stripe_read(call, &stripe_session);
    if (!session)
        return;
    stripe_session_settle(call, session);
    stripe_answer(call, session);
}

void stripe_session_expire(sandbox_call *call)
{
    cJSON *session = stripe_read(call, &stripe_session);
    if (!session)
        return;
    stripe_session_settle(call, session);
    if (!stripe_session_is(session, "open")) {
        stripe_refuse(call, NULL, NULL,
                      "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout "
                      "Session has a status of \"%s\".",
                      dream_json_string(session, "status"));
        return;
    }
    sandbox_set_text(call, session, "status", "expired");
    sandbox_set_text(call, session, "url", NULL);
    sandbox_set_int(call, session, "expires_at", call->now_s);
    stripe_update(call, session, dream_json_string(session, "customer"), NULL);
    stripe_emit(call, "checkout.session.expired", session, NULL);
    stripe_answer(call, session);
}

/* The place of the line a page begins or ends at; -1 if the parameter is absent. */
static int line_place(sandbox_call *call, const cJSON *lines, const char *name)
{
    const char *wanted = stripe_text(call, call->params, NULL, name);
    const cJSON *line;
    int place = 0;
    if (!wanted)
        return -1;
    cJSON_ArrayForEach(line, lines)
    {
        const char *id = dream_json_string(line, "id");
        if (id && strcmp(id, wanted) == 0)
            return place;
        place++;
    }
    stripe_refuse(call, "resource_missing", name, "No such line item: '%.200s'", wanted);
    return -1;
}

void stripe_session_line_items(sandbox_call *call)
{
    const cJSON *session = stripe_read(call, &stripe_session);
    const cJSON *lines = dream_json_get(session, "_line_items");
    if (!session)
        return;
    int limit = (int)stripe_int(call, call->params, NULL, "limit", 10, 1, 100);
    int after = line_place(call, lines, "starting_after");
    int before = line_place(call, lines, "ending_before");
    int count = cJSON_GetArraySize(lines);
    if (after >= 0 && before >= 0)
        stripe_refuse(call, NULL, NULL, "You cannot parameterize both starting_after and ending_before.");
    cJSON *list = stripe_list_of(call, NULL, sandbox_printf(call, "/v1/checkout/sessions/%s/line_items", call->id));
    if (call->status != 0 || !list)
        return;
    int from = before < 0 ? after + 1 : before > limit ? before - limit : 0;
    int to = before >= 0 ? before : count - from > limit ? from + limit : count;
    for (int i = from; i < to; i++)
        sandbox_append(call, sandbox_member(list, "data"), cJSON_GetArrayItem(lines, i));
    sandbox_set_bool(call, list, "has_more", before >= 0 ? from > 0 : to < count);
    stripe_answer(call, list);
}
