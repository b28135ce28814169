/* SPDX-License-Identifier: Apache-2.0 */
/* portal_page.c - the billing portal as a customer sees it: subscriptions, a change of plan, the end and its
 * revocation, invoices. Plain HTML, no script. The address holds an unguessable secret and is all that is needed;
 * forms must come from our own pages. What a change brings about is stripe_subscriptions.c. Each answered visit
 * prolongs the session, so that even a look is a write. */
#include "sandbox/stripe.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "sandbox/page.h"

enum { VISIT_S = 3600, MAX_SUBSCRIPTIONS = 20, MAX_INVOICES = 24, MAX_OFFERS = 24 };

static const char own_forms[] = "'self'";
static const char hint[] = "This page plays Stripe's customer portal.";

/* What an open portal shows; all of it kept by the call. */
struct portal {
    const cJSON *session;
    const cJSON *features;
    const cJSON *configuration;
    const char *path; /* "/portal/SECRET" */
};

/* ---- opening ---- */

static bool is_enabled(const struct portal *portal, const char *feature)
{
    return dream_json_bool(dream_json_get(portal->features, feature), "enabled", false);
}

static void prolong(sandbox_call *call, cJSON *session)
{
    sandbox_set_int(call, session, "_expires_at", call->now_s + VISIT_S);
    (void)sandbox_update(call, &(sandbox_doc){ "portal", call->id, dream_json_string(session, "customer"), NULL },
                         session);
}

/* The portal of the path, its account as the call's scope; false after answering that there is none. */
static bool open_portal(sandbox_call *call, struct portal *out)
{
    char account[SANDBOX_ID_SIZE];
    cJSON *session = sandbox_doc_find(call->tx, &call->scope, "portal", call->id, account);
    if (!session) {
        sandbox_page_notice(call, 404, "There is no portal here", "Check the address, or open it from the shop again.",
                            NULL, NULL);
        return false;
    }
    if (!sandbox_keep(call, session) || !(call->scope.account = dream_arena_strdup(call->arena, account))) {
        call->is_nomem = true;
        return false;
    }
    if (sandbox_page_int(session, "_expires_at") <= call->now_s) {
        sandbox_page_notice(call, 410, "This page has expired",
                            "For your safety it closes by itself. Nothing was lost.",
                            dream_json_string(session, "return_url"), "Go back");
        return false;
    }
    prolong(call, session);
    out->session = session;
    out->configuration =
        sandbox_read(call, stripe_portal_configuration.kind, dream_json_string(session, "configuration"));
    out->features = dream_json_get(out->configuration, "features");
    out->path = sandbox_printf(call, "/portal/%s", call->id);
    return !call->is_nomem;
}

static void go_home(sandbox_call *call, const struct portal *portal, const char *done)
{
    if (call->status == 0)
        sandbox_page_redirect(call, sandbox_printf(call, "%s?done=%s", portal->path, done), own_forms);
}

/* ---- what there is to show ---- */

struct pile {
    sandbox_call *call;
    cJSON *array;
    int left;
};

static bool take(void *context, cJSON *json)
{
    struct pile *pile = context;
    if (!cJSON_AddItemToArray(pile->array, json)) {
        cJSON_Delete(json);
        pile->call->is_nomem = true;
        return false;
    }
    return --pile->left > 0;
}

static bool take_current(void *context, cJSON *json)
{
    const char *status = dream_json_string(json, "status");
    if (status && strcmp(status, "canceled") != 0)
        return take(context, json);
    cJSON_Delete(json);
    return true;
}

/* The customer's documents of a kind, newest first. */
static const cJSON *read_pile(sandbox_call *call, const struct portal *portal, const char *kind, int max,
                              sandbox_scan_fn *fn)
{
    struct pile pile = { call, sandbox_skeleton(call, "[]"), max };
    const char *customer = dream_json_string(portal->session, "customer");
    if (pile.array)
        sandbox_doc_scan(call->tx, &call->scope, &(sandbox_scan){ .kind = kind, .parent = customer }, fn, &pile);
    return pile.array;
}

static const cJSON *first_item(const cJSON *subscription)
{
    const cJSON *items = dream_json_get(dream_json_get(subscription, "items"), "data");
    return items ? items->child : NULL;
}

static const char *product_name(sandbox_call *call, const cJSON *price)
{
    const cJSON *product = sandbox_read(call, "product", dream_json_string(price, "product"));
    const char *name = dream_json_string(product, "name");
    return name ? name : "Subscription";
}

static bool has_status(const cJSON *subscription, const char *status)
{
    const char *have = dream_json_string(subscription, "status");
    return have && strcmp(have, status) == 0;
}

static bool is_ending(const cJSON *subscription)
{
    return dream_json_get(subscription, "cancel_at") && !cJSON_IsNull(dream_json_get(subscription, "cancel_at"));
}

/* Stripe's portal, too, changes only what has one plan. */
static bool may_switch(const struct portal *portal, const cJSON *subscription)
{
    const cJSON *items = dream_json_get(dream_json_get(subscription, "items"), "data");
    return is_enabled(portal, "subscription_update") && cJSON_GetArraySize(items) == 1 && !is_ending(subscription);
}

/* ---- what there is to switch to ---- */

static bool is_metered(const cJSON *price)
{
    const char *usage = dream_json_string(dream_json_get(price, "recurring"), "usage_type");
    return usage && strcmp(usage, "metered") == 0;
}

static bool is_named_offer(const cJSON *products, const cJSON *price)
{
    const cJSON *product, *id;
    cJSON_ArrayForEach(product, products)
    {
        cJSON_ArrayForEach(id, dream_json_get(product, "prices"))
        {
            if (cJSON_Compare(id, dream_json_get(price, "id"), true))
                return true;
        }
    }
    return false;
}

/* Whether the portal offers this price in place of the one paid now: the configuration's, or else all that are on
 * sale. */
static bool is_offer(sandbox_call *call, const struct portal *portal, const cJSON *price, const cJSON *current)
{
    const cJSON *products = dream_json_get(dream_json_get(portal->features, "subscription_update"), "products");
    if (!cJSON_IsObject(dream_json_get(price, "recurring")) || is_metered(price)
        || !dream_json_bool(price, "active", false)
        || !cJSON_Compare(dream_json_get(price, "currency"), dream_json_get(current, "currency"), true))
        return false;
    if (cJSON_GetArraySize(products) > 0)
        return is_named_offer(products, price);
    const cJSON *product = sandbox_read(call, "product", dream_json_string(price, "product"));
    return product && dream_json_bool(product, "active", false) && !stripe_is_deleted(product);
}

static int compare_amounts(const void *a, const void *b)
{
    int64_t left = sandbox_page_int(*(const cJSON *const *)a, "unit_amount");
    int64_t right = sandbox_page_int(*(const cJSON *const *)b, "unit_amount");
    return left < right ? -1 : left > right;
}

/* Every price of the account that is offered, cheapest first; returns how many. */
static size_t read_offers(sandbox_call *call, const struct portal *portal, const cJSON *current,
                          const cJSON *out[MAX_OFFERS])
{
    struct pile pile = { call, sandbox_skeleton(call, "[]"), INT32_MAX };
    const cJSON *price;
    size_t count = 0;
    if (!pile.array)
        return 0;
    sandbox_doc_scan(call->tx, &call->scope, &(sandbox_scan){ .kind = "price" }, take, &pile);
    cJSON_ArrayForEach(price, pile.array)
    {
        if (count < MAX_OFFERS && is_offer(call, portal, price, current))
            out[count++] = price;
    }
    qsort(out, count, sizeof *out, compare_amounts);
    return count;
}

/* ---- pieces of pages ---- */

/* "3 May 2026". */
static void put_date(dream_buffer *out, int64_t time_s)
{
    struct tm date;
    char text[64];
    time_t time = (time_t)time_s;
    if (gmtime_r(&time, &date) && strftime(text, sizeof text, "%B %Y", &date) > 0)
        dream_buffer_printf(out, "%d %s", date.tm_mday, text);
}

/* "$29.00 per month", times the quantity. */
static void put_price(dream_buffer *out, const cJSON *price, int64_t quantity)
{
    sandbox_page_money(out, sandbox_page_int(price, "unit_amount") * quantity, price);
    sandbox_page_interval(out, dream_json_get(price, "recurring"));
}

static int64_t quantity_of(const cJSON *item)
{
    int64_t quantity = 1;
    (void)dream_json_int(item, "quantity", &quantity);
    return quantity;
}

static void put_link(dream_buffer *out, const struct portal *portal, const char *class, const char *action,
                     const cJSON *subscription, const char *text)
{
    dream_buffer_printf(out, "<a class=\"%s\" href=\"%s/%s/", class, portal->path, action);
    sandbox_page_text(out, dream_json_string(subscription, "id"));
    dream_buffer_printf(out, "\">%s</a>", text);
}

static void put_form(dream_buffer *out, const struct portal *portal, const char *method, const char *action,
                     const cJSON *subscription)
{
    dream_buffer_printf(out, "<form method=\"%s\" action=\"%s/%s/", method, portal->path, action);
    sandbox_page_text(out, dream_json_string(subscription, "id"));
    dream_buffer_text(out, "\">");
}

static void put_back(dream_buffer *out, const struct portal *portal)
{
    sandbox_page_link(out, "back first", portal->path, "← Back to your subscriptions");
}

/* ---- the overview ---- */

static const struct {
    const char *done;
    const char *text;
} news[] = {
    { "ends", "Your subscription will end. You can change your mind until then." },
    { "over", "Your subscription has ended." },
    { "kept", "Your subscription goes on." },
    { "plan", "Your plan was changed." },
};

static void put_news(sandbox_call *call, dream_buffer *out)
{
    const char *done = sandbox_page_typed(call, "done");
    for (size_t i = 0; i < sizeof news / sizeof *news; i++)
        if (strcmp(done, news[i].done) == 0)
            dream_buffer_printf(out, "<p class=\"news\" role=\"status\">%s</p>", news[i].text);
}

static void put_state(dream_buffer *out, const cJSON *subscription)
{
    const char *label = is_ending(subscription)                  ? "Ends soon"
                        : has_status(subscription, "active")     ? "Active"
                        : has_status(subscription, "trialing")   ? "Free trial"
                        : has_status(subscription, "incomplete") ? "Incomplete"
                                                                 : "Payment failed";
    bool is_good = !is_ending(subscription) && (*label == 'A' || *label == 'F');
    dream_buffer_printf(out, "<span class=\"badge%s\">%s</span>", is_good ? "" : " warn", label);
}

/* What comes next, and when. */
static void put_next(dream_buffer *out, const cJSON *subscription)
{
    const cJSON *item = first_item(subscription);
    const cJSON *price = dream_json_get(item, "price");
    bool is_end = is_ending(subscription);
    dream_buffer_text(out, "<p>");
    if (is_end)
        dream_buffer_text(out, "Ends on ");
    else if (has_status(subscription, "trialing"))
        dream_buffer_text(out, "Free until ");
    else if (has_status(subscription, "past_due"))
        dream_buffer_text(out, "The last payment failed. The paid period ends on ");
    else
        dream_buffer_text(out, "Renews on ");
    put_date(out, sandbox_page_int(subscription, is_end ? "cancel_at" : "current_period_end"));
    if (is_end) {
        dream_buffer_text(out, ". You keep it until then and are not charged again");
    } else if (!has_status(subscription, "past_due") && !is_metered(price)) {
        dream_buffer_text(out, has_status(subscription, "trialing") ? ", then " : " for ");
        sandbox_page_money(out, sandbox_page_int(price, "unit_amount") * quantity_of(item), price);
    }
    dream_buffer_text(out, ".</p>");
}

static void put_actions(dream_buffer *out, const struct portal *portal, const cJSON *subscription)
{
    dream_buffer_text(out, "<div class=\"actions\">");
    if (may_switch(portal, subscription))
        put_link(out, portal, "button", "plan", subscription, "Change plan");
    if (is_enabled(portal, "subscription_cancel")) {
        if (is_ending(subscription)) {
            put_form(out, portal, "post", "resume", subscription);
            dream_buffer_text(out, "<button type=\"submit\">Keep my subscription</button></form>");
        } else {
            put_link(out, portal, "button second", "cancel", subscription, "Cancel subscription");
        }
    }
    dream_buffer_text(out, "</div>");
}

static void put_subscription(sandbox_call *call, dream_buffer *out, const struct portal *portal,
                             const cJSON *subscription)
{
    const cJSON *item;
    dream_buffer_text(out, "<section class=\"card\">");
    cJSON_ArrayForEach(item, dream_json_get(dream_json_get(subscription, "items"), "data"))
    {
        const cJSON *price = dream_json_get(item, "price");
        dream_buffer_text(out, "<div class=\"plan\"><h2>");
        sandbox_page_text(out, product_name(call, price));
        dream_buffer_text(out, "</h2>");
        if (item == first_item(subscription))
            put_state(out, subscription);
        dream_buffer_text(out, "</div><p class=\"price\">");
        if (is_metered(price))
            dream_buffer_text(out, "Billed by use: ");
        put_price(out, price, quantity_of(item));
        if (quantity_of(item) > 1)
            dream_buffer_printf(out, " <small>(%lld units)</small>", (long long)quantity_of(item));
        dream_buffer_text(out, "</p>");
    }
    put_next(out, subscription);
    put_actions(out, portal, subscription);
    dream_buffer_text(out, "</section>");
}

static void put_invoice(dream_buffer *out, const cJSON *invoice)
{
    bool is_paid = has_status(invoice, "paid");
    dream_buffer_text(out, "<tr><td>");
    put_date(out, sandbox_page_int(invoice, "created"));
    dream_buffer_text(out, "</td><td class=\"number\">");
    sandbox_page_text(out, dream_json_string(invoice, "number"));
    dream_buffer_text(out, "</td><td class=\"amount\">");
    sandbox_page_money(out, sandbox_page_int(invoice, "total"), invoice);
    dream_buffer_printf(out, "</td><td><span class=\"badge%s\">%s</span></td></tr>", is_paid ? "" : " warn",
                        is_paid ? "Paid" : "Open");
}

static void put_invoices(sandbox_call *call, dream_buffer *out, const struct portal *portal)
{
    const cJSON *invoices = read_pile(call, portal, "invoice", MAX_INVOICES, take);
    const cJSON *invoice;
    dream_buffer_text(out, "<section class=\"card\" aria-labelledby=\"invoices\"><h2 id=\"invoices\">Invoices</h2>");
    if (cJSON_GetArraySize(invoices) == 0) {
        dream_buffer_text(out, "<p class=\"after\">There are none yet.</p></section>");
        return;
    }
    dream_buffer_text(out, "<table><thead><tr><th scope=\"col\">Date</th><th scope=\"col\" class=\"number\">Number</th>"
                           "<th scope=\"col\" class=\"amount\">Amount</th><th scope=\"col\">Status</th></tr></thead>"
                           "<tbody>");
    cJSON_ArrayForEach(invoice, invoices) put_invoice(out, invoice);
    dream_buffer_text(out, "</tbody></table></section>");
}

static void put_links(dream_buffer *out, const struct portal *portal)
{
    const cJSON *profile = dream_json_get(portal->configuration, "business_profile");
    static const struct {
        const char *member;
        const char *text;
    } links[] = { { "terms_of_service_url", "Terms" }, { "privacy_policy_url", "Privacy" } };
    dream_buffer_text(out, "<p class=\"note\">");
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        const char *url = dream_json_string(profile, links[i].member);
        if (url && (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0))
            sandbox_page_link(out, "inline", url, links[i].text);
    }
    dream_buffer_text(out, "</p>");
}

void portal_page_show(sandbox_call *call)
{
    struct portal portal;
    dream_buffer page = DREAM_BUFFER_INIT;
    const cJSON *subscription;
    if (!open_portal(call, &portal))
        return;
    const char *headline = dream_json_string(dream_json_get(portal.configuration, "business_profile"), "headline");
    const char *return_url = dream_json_string(portal.session, "return_url");
    const cJSON *customer = sandbox_read(call, "customer", dream_json_string(portal.session, "customer"));
    const cJSON *subscriptions = read_pile(call, &portal, "subscription", MAX_SUBSCRIPTIONS, take_current);
    sandbox_page_head(&page, "Your subscriptions", hint, "portal");
    if (return_url)
        sandbox_page_link(&page, "back first", return_url, "← Return to the shop");
    dream_buffer_text(&page, "<h1 class=\"said\">");
    sandbox_page_text(&page, headline ? headline : "Your subscriptions");
    dream_buffer_text(&page, "</h1>");
    if (dream_json_string(customer, "email")) {
        dream_buffer_text(&page, "<p class=\"after\">");
        sandbox_page_text(&page, dream_json_string(customer, "email"));
        dream_buffer_text(&page, "</p>");
    }
    put_news(call, &page);
    cJSON_ArrayForEach(subscription, subscriptions) put_subscription(call, &page, &portal, subscription);
    if (cJSON_GetArraySize(subscriptions) == 0)
        dream_buffer_text(&page, "<section class=\"card\"><p>You have no subscription.</p></section>");
    if (is_enabled(&portal, "invoice_history"))
        put_invoices(call, &page, &portal);
    put_links(&page, &portal);
    sandbox_page_answer(call, 200, &page, own_forms);
}

/* ---- one subscription ---- */

/* The customer's own subscription of the path, not over yet; NULL after answering. */
static cJSON *open_subscription(sandbox_call *call, struct portal *portal)
{
    if (!open_portal(call, portal))
        return NULL;
    cJSON *subscription = sandbox_read(call, "subscription", call->sub);
    if (subscription && !has_status(subscription, "canceled")
        && cJSON_Compare(dream_json_get(subscription, "customer"), dream_json_get(portal->session, "customer"), true))
        return subscription;
    sandbox_page_notice(call, 404, "There is no such subscription", "It may have ended meanwhile.", portal->path,
                        "Back to your subscriptions");
    return NULL;
}

static void answer_not_offered(sandbox_call *call, const struct portal *portal)
{
    sandbox_page_notice(call, 403, "This cannot be done here",
                        "The shop does not offer this change. Nothing was changed.", portal->path,
                        "Back to your subscriptions");
}

/* ---- the end ---- */

static const struct {
    const char *feedback;
    const char *text;
} reasons[] = {
    { "too_expensive", "It is too expensive" },
    { "missing_features", "I need more features" },
    { "switched_service", "I found something else" },
    { "unused", "I do not use it" },
    { "customer_service", "Customer service was not good enough" },
    { "too_complex", "It is too complicated" },
    { "low_quality", "Its quality is not good enough" },
    { "other", "Something else" },
};

static bool is_listed(const cJSON *options, const char *feedback)
{
    const cJSON *option;
    cJSON_ArrayForEach(option, options)
    {
        if (cJSON_IsString(option) && strcmp(option->valuestring, feedback) == 0)
            return true;
    }
    return false;
}

static void put_reasons(dream_buffer *out, const cJSON *asked)
{
    if (!dream_json_bool(asked, "enabled", false))
        return;
    dream_buffer_text(out, "<fieldset><legend>Why do you leave? <small>(you need not say)</small></legend>");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (is_listed(dream_json_get(asked, "options"), reasons[i].feedback))
            dream_buffer_printf(
                out,
                "<label class=\"choice\"><input type=\"radio\" name=\"feedback\" value=\"%s\"><span>%s</span></label>",
                reasons[i].feedback, reasons[i].text);
    dream_buffer_text(out, "</fieldset>");
}

static bool ends_at_once(const struct portal *portal)
{
    const char *mode = dream_json_string(dream_json_get(portal->features, "subscription_cancel"), "mode");
    return mode && strcmp(mode, "immediately") == 0;
}

void portal_page_cancel_show(sandbox_call *call)
{
    struct portal portal;
    dream_buffer page = DREAM_BUFFER_INIT;
    const cJSON *subscription = open_subscription(call, &portal);
    if (!subscription)
        return;
    if (!is_enabled(&portal, "subscription_cancel")) {
        answer_not_offered(call, &portal);
        return;
    }
    const cJSON *feature = dream_json_get(portal.features, "subscription_cancel");
    sandbox_page_head(&page, "Cancel your subscription", hint, "portal");
    put_back(&page, &portal);
    dream_buffer_text(&page, "<section class=\"card\"><h1 class=\"said\">Cancel ");
    sandbox_page_text(&page, product_name(call, dream_json_get(first_item(subscription), "price")));
    dream_buffer_text(&page, "?</h1><p>");
    if (ends_at_once(&portal)) {
        dream_buffer_text(&page, "It ends at once.");
    } else {
        dream_buffer_text(&page, "You keep it until ");
        put_date(&page, sandbox_page_int(subscription, "current_period_end"));
        dream_buffer_text(&page, " and are not charged again. Until then you can change your mind.");
    }
    dream_buffer_text(&page, "</p>");
    put_form(&page, &portal, "post", "cancel", subscription);
    put_reasons(&page, dream_json_get(feature, "cancellation_reason"));
    dream_buffer_text(&page, "<button type=\"submit\" class=\"danger\">Cancel subscription</button></form>");
    sandbox_page_link(&page, "button second", portal.path, "Keep it");
    dream_buffer_text(&page, "</section>");
    sandbox_page_answer(call, 200, &page, own_forms);
}

void portal_page_cancel(sandbox_call *call)
{
    struct portal portal;
    cJSON *subscription = sandbox_page_is_own_form(call) ? open_subscription(call, &portal) : NULL;
    if (!subscription)
        return;
    const char *typed = sandbox_page_typed(call, "feedback");
    const char *feedback = *typed && sandbox_is_named(stripe_feedbacks, typed) ? typed : NULL;
    if (!is_enabled(&portal, "subscription_cancel")) {
        answer_not_offered(call, &portal);
    } else if (ends_at_once(&portal)) {
        sandbox_set_text(call, sandbox_member(subscription, "cancellation_details"), "feedback", feedback);
        stripe_subscription_end(call, subscription);
        go_home(call, &portal, "over");
    } else {
        stripe_subscription_end_later(call, subscription, true, feedback);
        go_home(call, &portal, "ends");
    }
}

void portal_page_resume(sandbox_call *call)
{
    struct portal portal;
    cJSON *subscription = sandbox_page_is_own_form(call) ? open_subscription(call, &portal) : NULL;
    if (!subscription)
        return;
    if (!is_enabled(&portal, "subscription_cancel")) {
        answer_not_offered(call, &portal);
        return;
    }
    stripe_subscription_end_later(call, subscription, false, NULL);
    go_home(call, &portal, "kept");
}

/* ---- another plan ---- */

static void put_offer(sandbox_call *call, dream_buffer *out, const cJSON *price, bool is_current, int64_t quantity)
{
    dream_buffer_text(out, "<label class=\"choice\"><input type=\"radio\" name=\"price\" required value=\"");
    sandbox_page_text(out, dream_json_string(price, "id"));
    dream_buffer_printf(out, "\"%s><span><strong>", is_current ? " disabled" : "");
    sandbox_page_text(out, product_name(call, price));
    dream_buffer_text(out, "</strong>");
    if (is_current)
        dream_buffer_text(out, " <span class=\"badge\">Your plan</span>");
    dream_buffer_text(out, "<small>");
    put_price(out, price, quantity);
    dream_buffer_text(out, "</small></span></label>");
}

static void answer_offers(sandbox_call *call, const struct portal *portal, const cJSON *subscription)
{
    const cJSON *offers[MAX_OFFERS];
    dream_buffer page = DREAM_BUFFER_INIT;
    const cJSON *item = first_item(subscription);
    const cJSON *current = dream_json_get(item, "price");
    size_t count = read_offers(call, portal, current, offers), others = 0;
    sandbox_page_head(&page, "Change your plan", hint, "portal");
    put_back(&page, portal);
    dream_buffer_text(&page, "<section class=\"card\"><h1 class=\"said\">Change your plan</h1>");
    put_form(&page, portal, "get", "plan", subscription);
    dream_buffer_text(&page, "<fieldset><legend>Choose a plan</legend>");
    for (size_t i = 0; i < count; i++) {
        bool is_current = cJSON_Compare(dream_json_get(offers[i], "id"), dream_json_get(current, "id"), true);
        put_offer(call, &page, offers[i], is_current, quantity_of(item));
        others += is_current ? 0 : 1;
    }
    dream_buffer_text(&page, "</fieldset>");
    dream_buffer_text(&page, others > 0 ? "<button type=\"submit\">Continue</button>"
                                        : "<p class=\"after\">There is no other plan at the moment.</p>");
    dream_buffer_text(&page, "</form></section>");
    sandbox_page_answer(call, 200, &page, own_forms);
}

static bool ends_trial(const struct portal *portal, const cJSON *subscription)
{
    const char *behavior =
        dream_json_string(dream_json_get(portal->features, "subscription_update"), "trial_update_behavior");
    return has_status(subscription, "trialing") && !(behavior && strcmp(behavior, "continue_trial") == 0);
}

static void put_consequence(dream_buffer *out, const struct portal *portal, const cJSON *subscription,
                            const cJSON *price)
{
    const cJSON *item = first_item(subscription);
    bool is_trial_over = ends_trial(portal, subscription);
    bool is_due = is_trial_over || stripe_subscription_restarts(subscription, dream_json_get(item, "price"), price);
    dream_buffer_text(out, "<p>");
    if (is_due) {
        dream_buffer_text(out, is_trial_over ? "Your free trial ends, and a new period begins today. Due today: "
                                             : "A new period begins today. Due today: ");
        sandbox_page_money(out, sandbox_page_int(price, "unit_amount") * quantity_of(item), price);
    } else {
        dream_buffer_text(out, "Nothing is due today. The new price counts from ");
        put_date(out, sandbox_page_int(subscription, "current_period_end"));
    }
    dream_buffer_text(out, ".</p>");
}

static void answer_choice(sandbox_call *call, const struct portal *portal, const cJSON *subscription,
                          const cJSON *price)
{
    dream_buffer page = DREAM_BUFFER_INIT;
    const cJSON *item = first_item(subscription);
    const cJSON *current = dream_json_get(item, "price");
    sandbox_page_head(&page, "Confirm your new plan", hint, "portal");
    put_back(&page, portal);
    dream_buffer_text(&page,
                      "<section class=\"card\"><h1 class=\"said\">Confirm your new plan</h1><dl><dt>Until now</dt>"
                      "<dd><strong>");
    sandbox_page_text(&page, product_name(call, current));
    dream_buffer_text(&page, "</strong>, ");
    put_price(&page, current, quantity_of(item));
    dream_buffer_text(&page, "</dd><dt>From now on</dt><dd><strong>");
    sandbox_page_text(&page, product_name(call, price));
    dream_buffer_text(&page, "</strong>, ");
    put_price(&page, price, quantity_of(item));
    dream_buffer_text(&page, "</dd></dl>");
    put_consequence(&page, portal, subscription, price);
    put_form(&page, portal, "post", "plan", subscription);
    dream_buffer_text(&page, "<input type=\"hidden\" name=\"price\" value=\"");
    sandbox_page_text(&page, dream_json_string(price, "id"));
    dream_buffer_text(&page, "\"><button type=\"submit\">Confirm</button></form>");
    put_link(&page, portal, "button second", "plan", subscription, "Choose another");
    dream_buffer_text(&page, "</section>");
    sandbox_page_answer(call, 200, &page, own_forms);
}

/* The price that was chosen, if the portal offers it and it is another one; NULL after answering. */
static const cJSON *chosen_price(sandbox_call *call, const struct portal *portal, const cJSON *subscription)
{
    const cJSON *current = dream_json_get(first_item(subscription), "price");
    const cJSON *price = sandbox_read(call, "price", sandbox_page_typed(call, "price"));
    if (price && is_offer(call, portal, price, current)
        && !cJSON_Compare(dream_json_get(price, "id"), dream_json_get(current, "id"), true))
        return price;
    answer_not_offered(call, portal);
    return NULL;
}

void portal_page_plan_show(sandbox_call *call)
{
    struct portal portal;
    const cJSON *subscription = open_subscription(call, &portal);
    if (!subscription)
        return;
    if (!may_switch(&portal, subscription)) {
        answer_not_offered(call, &portal);
    } else if (!dream_json_get(call->params, "price")) {
        answer_offers(call, &portal, subscription);
    } else {
        const cJSON *price = chosen_price(call, &portal, subscription);
        if (price)
            answer_choice(call, &portal, subscription, price);
    }
}

void portal_page_plan(sandbox_call *call)
{
    struct portal portal;
    cJSON *subscription = sandbox_page_is_own_form(call) ? open_subscription(call, &portal) : NULL;
    if (!subscription)
        return;
    if (!may_switch(&portal, subscription)) {
        answer_not_offered(call, &portal);
        return;
    }
    const cJSON *price = chosen_price(call, &portal, subscription);
    if (!price)
        return;
    stripe_subscription_switch(call, subscription, price, ends_trial(&portal, subscription));
    go_home(call, &portal, "plan");
}
