/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_pay.c - what a payment brings about: customer, subscription and invoice, or payment intent, and the events
 * that tell of it, all in the transaction that completes the session. */
#include "sandbox/stripe.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"

#define DAY_S INT64_C(86400)

static const char subscription_skeleton[] =
    "{\"id\":\"\",\"object\":\"subscription\",\"application\":null,\"application_fee_percent\":null,\"automatic_tax\":"
    "{\"disabled_reason\":null,\"enabled\":false,\"liability\":null},\"billing_cycle_anchor\":0,"
    "\"billing_cycle_anchor_config\":null,\"billing_mode\":{\"type\":\"classic\"},\"billing_thresholds\":null,"
    "\"cancel_at\":null,\"cancel_at_period_end\":false,\"canceled_at\":null,\"cancellation_details\":{\"comment\":null,"
    "\"feedback\":null,\"reason\":null},\"collection_method\":\"charge_automatically\",\"currency\":\"\","
    "\"current_period_end\":0,\"current_period_start\":0,\"customer\":\"\",\"days_until_due\":null,"
    "\"default_payment_method\":null,\"default_source\":null,\"default_tax_rates\":[],\"description\":null,"
    "\"discounts\":[],\"ended_at\":null,\"invoice_settings\":{\"account_tax_ids\":null,\"issuer\":{\"type\":\"self\"}},"
    "\"items\":{\"object\":\"list\",\"data\":[],\"has_more\":false,\"total_count\":0,\"url\":\"\"},"
    "\"latest_invoice\":null,\"metadata\":{},\"next_pending_invoice_item_invoice\":null,\"on_behalf_of\":null,"
    "\"pause_collection\":null,\"payment_settings\":{\"payment_method_options\":null,\"payment_method_types\":null,"
    "\"save_default_payment_method\":\"off\"},\"pending_invoice_item_interval\":null,\"pending_setup_intent\":null,"
    "\"pending_update\":null,\"plan\":null,\"quantity\":1,\"schedule\":null,\"start_date\":0,\"status\":\"active\","
    "\"test_clock\":null,\"transfer_data\":null,\"trial_end\":null,\"trial_settings\":{\"end_behavior\":"
    "{\"missing_payment_method\":\"create_invoice\"}},\"trial_start\":null}";

static const char item_skeleton[] =
    "{\"id\":\"\",\"object\":\"subscription_item\",\"billing_thresholds\":null,\"created\":0,\"current_period_end\":0,"
    "\"current_period_start\":0,\"discounts\":[],\"metadata\":{},\"plan\":{},\"price\":{},\"quantity\":1,"
    "\"subscription\":\"\",\"tax_rates\":[]}";

static const char plan_skeleton[] =
    "{\"id\":\"\",\"object\":\"plan\",\"active\":true,\"amount\":0,\"amount_decimal\":\"0\",\"billing_scheme\":\"per_"
    "unit\","
    "\"created\":0,\"currency\":\"\",\"interval\":\"\",\"interval_count\":1,\"livemode\":false,\"metadata\":{},"
    "\"meter\":null,\"nickname\":null,\"product\":\"\",\"tiers_mode\":null,\"transform_usage\":null,"
    "\"trial_period_days\":null,\"usage_type\":\"licensed\"}";

static const char invoice_skeleton[] =
    "{\"id\":\"\",\"object\":\"invoice\",\"account_country\":\"US\",\"account_name\":null,\"amount_due\":0,"
    "\"amount_paid\":0,\"amount_remaining\":0,\"attempt_count\":1,\"attempted\":true,\"auto_advance\":false,"
    "\"billing_reason\":\"subscription_create\",\"collection_method\":\"charge_automatically\",\"currency\":\"\","
    "\"customer\":\"\",\"customer_email\":null,\"customer_name\":null,\"description\":null,\"discounts\":[],"
    "\"due_date\":null,\"ending_balance\":0,\"hosted_invoice_url\":null,\"invoice_pdf\":null,\"lines\":{\"object\":"
    "\"list\",\"data\":[],\"has_more\":false,\"total_count\":0,\"url\":\"\"},\"metadata\":{},\"number\":\"\","
    "\"paid\":true,\"parent\":{\"quote_details\":null,\"subscription_details\":{\"metadata\":{},\"subscription\":\"\"},"
    "\"type\":\"subscription_details\"},\"period_end\":0,\"period_start\":0,\"starting_balance\":0,\"status\":\"paid\","
    "\"status_transitions\":{\"finalized_at\":0,\"marked_uncollectible_at\":null,\"paid_at\":0,\"voided_at\":null},"
    "\"subscription\":\"\",\"subtotal\":0,\"total\":0}";

static const char line_skeleton[] =
    "{\"id\":\"\",\"object\":\"line_item\",\"amount\":0,\"currency\":\"\",\"description\":\"\",\"discountable\":true,"
    "\"invoice\":\"\",\"livemode\":false,\"metadata\":{},\"period\":{\"end\":0,\"start\":0},\"pricing\":{\"price_"
    "details\":"
    "{\"price\":\"\",\"product\":\"\"},\"type\":\"price_details\",\"unit_amount_decimal\":\"0\"},\"quantity\":1}";

static const char payment_skeleton[] =
    "{\"id\":\"\",\"object\":\"payment_intent\",\"amount\":0,\"amount_received\":0,\"capture_method\":\"automatic\","
    "\"currency\":\"\",\"customer\":null,\"description\":null,\"metadata\":{},\"payment_method_types\":[\"card\"],"
    "\"receipt_email\":null,\"status\":\"succeeded\"}";

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (month == 1 && is_leap);
}

int64_t stripe_add_interval(int64_t from_s, const char *interval, int64_t count)
{
    if (strcmp(interval, "day") == 0)
        return from_s + count * DAY_S;
    if (strcmp(interval, "week") == 0)
        return from_s + 7 * count * DAY_S;
    struct tm date;
    time_t from = (time_t)from_s;
    if (!gmtime_r(&from, &date))
        return from_s;
    int64_t months = date.tm_mon + (strcmp(interval, "year") == 0 ? 12 * count : count);
    date.tm_year += (int)(months / 12);
    date.tm_mon = (int)(months % 12);
    /* January 31 and a month is the last of February, as Stripe bills it. */
    int last = days_in_month(date.tm_year + 1900, date.tm_mon);
    if (date.tm_mday > last)
        date.tm_mday = last;
    return timegm(&date);
}

/* ---- the customer ---- */

/* The session's customer; made from the address if the session has none and wants one. */
static const cJSON *settle_customer(sandbox_call *call, cJSON *session, const char *email)
{
    const char *id = dream_json_string(session, "customer");
    const char *creation = dream_json_string(session, "customer_creation");
    if (id) {
        const cJSON *known = sandbox_read(call, "customer", id);
        if (known)
            return known;
    } else if (creation && strcmp(creation, "if_required") == 0) {
        return NULL; /* a single payment needs none: the buyer stays a guest */
    }
    const cJSON *customer = stripe_make_customer(call, email);
    if (!customer)
        return NULL;
    sandbox_set_text(call, session, "customer", dream_json_string(customer, "id"));
    return customer;
}

/* ---- the subscription ---- */

static void fill_plan(sandbox_call *call, cJSON *plan, const cJSON *price)
{
    static const char *const same[] = { "id",       "active",   "created",  "currency",
                                        "livemode", "metadata", "nickname", "product" };
    static const char *const recurring[] = { "interval", "interval_count", "usage_type" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        sandbox_embed(call, plan, same[i], dream_json_get(price, same[i]));
    for (size_t i = 0; i < sizeof recurring / sizeof *recurring; i++)
        sandbox_embed(call, plan, recurring[i], dream_json_get(dream_json_get(price, "recurring"), recurring[i]));
    sandbox_embed(call, plan, "amount", dream_json_get(price, "unit_amount"));
    sandbox_embed(call, plan, "amount_decimal", dream_json_get(price, "unit_amount_decimal"));
}

cJSON *stripe_make_item(sandbox_call *call, const cJSON *subscription, const cJSON *price, const cJSON *quantity)
{
    cJSON *item = sandbox_skeleton(call, item_skeleton);
    cJSON *plan = sandbox_skeleton(call, plan_skeleton);
    if (!item || !plan)
        return NULL;
    fill_plan(call, plan, price);
    sandbox_set_text(call, item, "id", sandbox_new_id(call, "si_", 14));
    sandbox_set_int(call, item, "created", call->now_s);
    sandbox_embed(call, item, "current_period_start", dream_json_get(subscription, "current_period_start"));
    sandbox_embed(call, item, "current_period_end", dream_json_get(subscription, "current_period_end"));
    sandbox_embed(call, item, "plan", plan);
    sandbox_embed(call, item, "price", price);
    if (quantity)
        sandbox_embed(call, item, "quantity", quantity);
    sandbox_set_text(call, item, "subscription", dream_json_string(subscription, "id"));
    return item;
}

/* The first recurring line tells the period; Stripe, too, wants all lines to agree. */
static const cJSON *first_recurring(const cJSON *session)
{
    const cJSON *line;
    cJSON_ArrayForEach(line, dream_json_get(session, "_line_items"))
    {
        const cJSON *recurring = dream_json_get(dream_json_get(line, "price"), "recurring");
        if (cJSON_IsObject(recurring))
            return recurring;
    }
    return NULL;
}

static void set_period(sandbox_call *call, cJSON *subscription, const cJSON *session)
{
    const cJSON *data = dream_json_get(session, "_subscription_data");
    const cJSON *recurring = first_recurring(session);
    const char *interval = dream_json_string(recurring, "interval");
    int64_t count = 1, trial_days = 0, trial_end = 0;
    (void)dream_json_int(recurring, "interval_count", &count);
    (void)dream_json_int(data, "trial_period_days", &trial_days);
    if (!dream_json_int(data, "trial_end", &trial_end) && trial_days > 0)
        trial_end = call->now_s + trial_days * DAY_S;
    int64_t end = trial_end ? trial_end : stripe_add_interval(call->now_s, interval ? interval : "month", count);
    sandbox_set_int(call, subscription, "start_date", call->now_s);
    sandbox_set_int(call, subscription, "current_period_start", call->now_s);
    sandbox_set_int(call, subscription, "current_period_end", end);
    sandbox_set_int(call, subscription, "billing_cycle_anchor", trial_end ? trial_end : call->now_s);
    if (trial_end) {
        sandbox_set_text(call, subscription, "status", "trialing");
        sandbox_set_int(call, subscription, "trial_start", call->now_s);
        sandbox_set_int(call, subscription, "trial_end", trial_end);
    }
}

static void add_items(sandbox_call *call, cJSON *subscription, const cJSON *session)
{
    cJSON *items = sandbox_member(subscription, "items");
    const cJSON *line;
    cJSON_ArrayForEach(line, dream_json_get(session, "_line_items"))
    {
        const cJSON *price = dream_json_get(line, "price");
        if (!cJSON_IsObject(dream_json_get(price, "recurring")))
            continue; /* bought once: on the invoice only */
        const cJSON *item = stripe_make_item(call, subscription, price, dream_json_get(line, "quantity"));
        if (item)
            sandbox_append(call, sandbox_member(items, "data"), item);
    }
    int count = cJSON_GetArraySize(sandbox_member(items, "data"));
    sandbox_set_int(call, items, "total_count", count);
    sandbox_set_text(
        call, items, "url",
        sandbox_printf(call, "/v1/subscription_items?subscription=%s", dream_json_string(subscription, "id")));
    if (count == 1) {
        const cJSON *only = sandbox_member(items, "data")->child;
        sandbox_embed(call, subscription, "plan", dream_json_get(only, "plan"));
        sandbox_embed(call, subscription, "quantity", dream_json_get(only, "quantity"));
    }
}

static cJSON *make_subscription(sandbox_call *call, const cJSON *session, const cJSON *customer)
{
    cJSON *subscription = stripe_new(call, subscription_skeleton, "sub_1", 23);
    const cJSON *data = dream_json_get(session, "_subscription_data");
    if (!subscription)
        return NULL;
    sandbox_set_text(call, subscription, "customer", dream_json_string(customer, "id"));
    sandbox_embed(call, subscription, "currency", dream_json_get(session, "currency"));
    sandbox_embed(call, subscription, "metadata", dream_json_get(data, "metadata"));
    sandbox_embed(call, subscription, "description", dream_json_get(data, "description"));
    set_period(call, subscription, session);
    add_items(call, subscription, session);
    return subscription;
}

/* ---- the invoice ---- */

static void add_invoice_line(sandbox_call *call, cJSON *invoice, const cJSON *bought, const cJSON *subscription)
{
    cJSON *line = sandbox_skeleton(call, line_skeleton);
    const cJSON *price = dream_json_get(bought, "price");
    const char *status = dream_json_string(subscription, "status");
    bool is_trial = status && strcmp(status, "trialing") == 0 && cJSON_IsObject(dream_json_get(price, "recurring"));
    if (!line)
        return;
    cJSON *period = sandbox_member(line, "period");
    cJSON *pricing = sandbox_member(line, "pricing");
    cJSON *details = sandbox_member(pricing, "price_details");
    sandbox_set_text(call, line, "id", sandbox_new_id(call, "il_1", 23));
    if (is_trial)
        sandbox_set_int(call, line, "amount", 0);
    else
        sandbox_embed(call, line, "amount", dream_json_get(bought, "amount_total"));
    sandbox_embed(call, line, "currency", dream_json_get(bought, "currency"));
    sandbox_embed(call, line, "description", dream_json_get(bought, "description"));
    sandbox_embed(call, line, "quantity", dream_json_get(bought, "quantity"));
    sandbox_set_text(call, line, "invoice", dream_json_string(invoice, "id"));
    sandbox_embed(call, line, "livemode", dream_json_get(invoice, "livemode"));
    sandbox_embed(call, line, "metadata", dream_json_get(subscription, "metadata"));
    sandbox_embed(call, period, "start", dream_json_get(subscription, "current_period_start"));
    sandbox_embed(call, period, "end", dream_json_get(subscription, "current_period_end"));
    sandbox_embed(call, details, "price", dream_json_get(price, "id"));
    sandbox_embed(call, details, "product", dream_json_get(price, "product"));
    sandbox_embed(call, pricing, "unit_amount_decimal", dream_json_get(price, "unit_amount_decimal"));
    sandbox_append(call, sandbox_member(sandbox_member(invoice, "lines"), "data"), line);
}

static void set_invoice_links(sandbox_call *call, cJSON *invoice, const cJSON *subscription, const cJSON *customer)
{
    cJSON *details = sandbox_member(sandbox_member(invoice, "parent"), "subscription_details");
    cJSON *transitions = sandbox_member(invoice, "status_transitions");
    const cJSON *subscription_id = dream_json_get(subscription, "id");
    sandbox_set_text(call, invoice, "customer", dream_json_string(customer, "id"));
    sandbox_set_text(call, invoice, "customer_email", dream_json_string(customer, "email"));
    sandbox_embed(call, invoice, "subscription", subscription_id);
    sandbox_embed(call, details, "subscription", subscription_id);
    sandbox_embed(call, details, "metadata", dream_json_get(subscription, "metadata"));
    sandbox_set_int(call, transitions, "finalized_at", call->now_s);
    sandbox_set_int(call, transitions, "paid_at", call->now_s);
    sandbox_set_int(call, invoice, "period_start", call->now_s);
    sandbox_set_int(call, invoice, "period_end", call->now_s);
}

/* What an invoice is made of. */
struct bill {
    const cJSON *lines; /* as a checkout session's */
    const cJSON *customer;
    int64_t total;
    const char *number;
    const char *reason;
};

static cJSON *make_invoice(sandbox_call *call, const struct bill *bill, const cJSON *subscription)
{
    static const char *const amounts[] = { "amount_due", "amount_paid", "subtotal", "total" };
    cJSON *invoice = stripe_new(call, invoice_skeleton, "in_1", 23);
    const cJSON *bought;
    if (!invoice)
        return NULL;
    sandbox_set_text(call, invoice, "number", bill->number);
    sandbox_set_text(call, invoice, "billing_reason", bill->reason);
    sandbox_embed(call, invoice, "currency", dream_json_get(subscription, "currency"));
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
        sandbox_set_int(call, invoice, amounts[i], bill->total);
    set_invoice_links(call, invoice, subscription, bill->customer);
    cJSON_ArrayForEach(bought, bill->lines) add_invoice_line(call, invoice, bought, subscription);
    cJSON *lines = sandbox_member(invoice, "lines");
    sandbox_set_int(call, lines, "total_count", cJSON_GetArraySize(sandbox_member(lines, "data")));
    sandbox_set_text(call, lines, "url",
                     sandbox_printf(call, "/v1/invoices/%s/lines", dream_json_string(invoice, "id")));
    return invoice;
}

/* ---- billing a subscription that exists ---- */

/* "AB12CD34-0002" after "AB12CD34-0001". */
static const char *next_number(sandbox_call *call, const cJSON *subscription)
{
    const cJSON *latest = sandbox_read(call, "invoice", dream_json_string(subscription, "latest_invoice"));
    const char *number = dream_json_string(latest, "number");
    const char *hyphen = number ? strchr(number, '-') : NULL;
    if (!hyphen)
        return sandbox_printf(call, "%s-0001", sandbox_new_id(call, "", 8));
    return sandbox_printf(call, "%.*s-%04ld", (int)(hyphen - number), number, strtol(hyphen + 1, NULL, 10) + 1);
}

/* The items as lines of an order. */
static cJSON *lines_of(sandbox_call *call, const cJSON *subscription, int64_t *out_total)
{
    cJSON *lines = sandbox_skeleton(call, "[]");
    const cJSON *item;
    *out_total = 0;
    cJSON_ArrayForEach(item, dream_json_get(dream_json_get(subscription, "items"), "data"))
    {
        const cJSON *price = dream_json_get(item, "price");
        const cJSON *product = sandbox_read(call, "product", dream_json_string(price, "product"));
        cJSON *line = sandbox_skeleton(call, "{}");
        int64_t unit = 0, quantity = 0; /* a metered item has no quantity: its use is not counted */
        (void)dream_json_int(price, "unit_amount", &unit);
        (void)dream_json_int(item, "quantity", &quantity);
        if (!lines || !line)
            return NULL;
        sandbox_embed(call, line, "price", price);
        sandbox_set_int(call, line, "amount_total", unit * quantity);
        sandbox_set_text(call, line, "currency", dream_json_string(price, "currency"));
        sandbox_set_text(call, line, "description", dream_json_string(product, "name"));
        sandbox_set_int(call, line, "quantity", quantity);
        sandbox_append(call, lines, line);
        *out_total += unit * quantity;
    }
    return lines;
}

static void mark_invoice(sandbox_call *call, cJSON *invoice, bool is_paid, int64_t total)
{
    cJSON *times = sandbox_member(invoice, "status_transitions");
    sandbox_set_text(call, invoice, "status", is_paid ? "paid" : "open");
    sandbox_set_bool(call, invoice, "paid", is_paid);
    sandbox_set_int(call, invoice, "amount_paid", is_paid ? total : 0);
    sandbox_set_int(call, invoice, "amount_remaining", is_paid ? 0 : total);
    if (is_paid)
        sandbox_set_int(call, times, "paid_at", call->now_s);
    else
        sandbox_set_text(call, times, "paid_at", NULL);
}

/* The card was refused: the invoice stays open, and the subscription waits for the money. */
static void mark_unpaid(sandbox_call *call, cJSON *invoice, cJSON *subscription, int64_t total)
{
    mark_invoice(call, invoice, false, total);
    sandbox_set_text(call, subscription, "status", "past_due");
}

void stripe_bill(sandbox_call *call, cJSON *subscription)
{
    const char *customer_id = dream_json_string(subscription, "customer");
    struct bill bill = { .customer = sandbox_read(call, "customer", customer_id), .reason = "subscription_update" };
    bill.lines = lines_of(call, subscription, &bill.total);
    bill.number = next_number(call, subscription);
    cJSON *invoice = bill.lines ? make_invoice(call, &bill, subscription) : NULL;
    bool is_paid = bill.total == 0 || !dream_json_bool(subscription, "_charge_fails", false);
    if (!invoice)
        return;
    if (!is_paid)
        mark_unpaid(call, invoice, subscription, bill.total);
    sandbox_embed(call, subscription, "latest_invoice", dream_json_get(invoice, "id"));
    stripe_insert(call, invoice, customer_id, dream_json_string(subscription, "id"));
    stripe_emit(call, is_paid ? "invoice.paid" : "invoice.payment_failed", invoice, NULL);
}

/* ---- completing ---- */

static void mark_complete(sandbox_call *call, cJSON *session, const char *email, bool is_paid)
{
    cJSON *details = sandbox_skeleton(call, "{\"address\":null,\"email\":\"\",\"name\":null,\"phone\":null,"
                                            "\"tax_exempt\":\"none\",\"tax_ids\":[]}");
    if (!details)
        return;
    sandbox_set_text(call, details, "email", email);
    sandbox_embed(call, session, "customer_details", details);
    sandbox_set_text(call, session, "status", "complete");
    sandbox_set_text(call, session, "payment_status", is_paid ? "paid" : "unpaid");
    sandbox_set_text(call, session, "url", NULL);
}

/* Is anything to be debited? Then it takes its time. */
static bool is_debited(const cJSON *session, const sandbox_card_check *card)
{
    int64_t total = 0;
    return card->is_debit && dream_json_int(session, "amount_total", &total) && total > 0;
}

/* The bank's answer about what a completed session left open: the session's part of it. */
static void end_debit(sandbox_call *call, cJSON *session, const char *lookup, bool is_paid)
{
    if (is_paid) {
        sandbox_set_text(call, session, "payment_status", "paid");
        stripe_update(call, session, dream_json_string(session, "customer"), lookup);
    }
    stripe_emit(call, is_paid ? "checkout.session.async_payment_succeeded" : "checkout.session.async_payment_failed",
                session, NULL);
}

static void end_first_invoice(sandbox_call *call, cJSON *invoice, cJSON *subscription, bool is_paid)
{
    const char *customer_id = dream_json_string(subscription, "customer");
    const cJSON *before = sandbox_copy(call, subscription);
    int64_t total = 0;
    (void)dream_json_int(invoice, "total", &total);
    if (is_paid)
        mark_invoice(call, invoice, true, total);
    else
        mark_unpaid(call, invoice, subscription, total);
    stripe_update(call, invoice, customer_id, dream_json_string(subscription, "id"));
    stripe_update(call, subscription, customer_id, NULL);
    stripe_emit(call, is_paid ? "invoice.paid" : "invoice.payment_failed", invoice, NULL);
    stripe_emit_change(call, "customer.subscription.updated", before, subscription);
}

static void complete_subscription(sandbox_call *call, cJSON *session, const char *email, const sandbox_card_check *card)
{
    bool is_open = is_debited(session, card);
    const cJSON *customer = settle_customer(call, session, email);
    cJSON *subscription = customer ? make_subscription(call, session, customer) : NULL;
    struct bill bill = { .lines = dream_json_get(session, "_line_items"),
                         .customer = customer,
                         .number = next_number(call, NULL),
                         .reason = "subscription_create" };
    (void)dream_json_int(session, "amount_total", &bill.total);
    cJSON *invoice = subscription ? make_invoice(call, &bill, subscription) : NULL;
    if (!invoice)
        return;
    if (card->fails_later)
        sandbox_set_bool(call, subscription, "_charge_fails", true);
    if (is_open) /* which makes the subscription active all the same */
        mark_invoice(call, invoice, false, bill.total);
    const char *customer_id = dream_json_string(customer, "id");
    const char *subscription_id = dream_json_string(subscription, "id");
    sandbox_embed(call, subscription, "latest_invoice", dream_json_get(invoice, "id"));
    sandbox_embed(call, session, "subscription", dream_json_get(subscription, "id"));
    sandbox_embed(call, session, "invoice", dream_json_get(invoice, "id"));
    mark_complete(call, session, email, !is_open);
    stripe_insert(call, subscription, customer_id, NULL);
    stripe_insert(call, invoice, customer_id, subscription_id);
    stripe_update(call, session, customer_id, subscription_id);
    stripe_emit(call, "checkout.session.completed", session, NULL);
    stripe_emit(call, "customer.subscription.created", subscription, NULL);
    if (!is_open) {
        stripe_emit(call, "invoice.paid", invoice, NULL);
        return;
    }
    end_first_invoice(call, invoice, subscription, !card->fails_later);
    end_debit(call, session, subscription_id, !card->fails_later);
}

/* Where the money of a payment is. */
static void mark_payment(sandbox_call *call, cJSON *payment, const cJSON *session, const char *status)
{
    bool is_paid = strcmp(status, "succeeded") == 0;
    sandbox_set_text(call, payment, "status", status);
    if (is_paid)
        sandbox_embed(call, payment, "amount_received", dream_json_get(session, "amount_total"));
    else
        sandbox_set_int(call, payment, "amount_received", 0);
}

static void end_payment(sandbox_call *call, cJSON *payment, cJSON *session, bool is_paid)
{
    mark_payment(call, payment, session, is_paid ? "succeeded" : "requires_payment_method");
    stripe_update(call, payment, dream_json_string(payment, "customer"), NULL);
    stripe_emit(call, is_paid ? "payment_intent.succeeded" : "payment_intent.payment_failed", payment, NULL);
    end_debit(call, session, NULL, is_paid);
}

static void complete_payment(sandbox_call *call, cJSON *session, const char *email, const sandbox_card_check *card)
{
    bool is_open = is_debited(session, card);
    const cJSON *customer = settle_customer(call, session, email);
    cJSON *payment = stripe_new(call, payment_skeleton, "pi_3", 23);
    if (!payment)
        return;
    sandbox_embed(call, payment, "amount", dream_json_get(session, "amount_total"));
    mark_payment(call, payment, session, is_open ? "processing" : "succeeded");
    sandbox_embed(call, payment, "currency", dream_json_get(session, "currency"));
    sandbox_embed(call, payment, "metadata", dream_json_get(session, "_payment_metadata"));
    sandbox_set_text(call, payment, "customer", dream_json_string(customer, "id"));
    sandbox_embed(call, session, "payment_intent", dream_json_get(payment, "id"));
    mark_complete(call, session, email, !is_open);
    stripe_insert(call, payment, dream_json_string(customer, "id"), NULL);
    stripe_update(call, session, dream_json_string(session, "customer"), NULL);
    stripe_emit(call, is_open ? "payment_intent.processing" : "payment_intent.succeeded", payment, NULL);
    stripe_emit(call, "checkout.session.completed", session, NULL);
    if (is_open)
        end_payment(call, payment, session, !card->fails_later);
}

void stripe_complete_session(sandbox_call *call, cJSON *session, const char *email, const sandbox_card_check *card)
{
    static const sandbox_card_check good = { .is_debit = false };
    const char *mode = dream_json_string(session, "mode");
    if (mode && strcmp(mode, "subscription") == 0)
        complete_subscription(call, session, email, card ? card : &good);
    else
        complete_payment(call, session, email, card ? card : &good);
}
