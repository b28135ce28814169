/* SPDX-License-Identifier: Apache-2.0 */
/* pay_page.c - the page a person pays on: plain HTML, no script. It shows what a checkout session sells, takes the card and
 * says what is wrong with it; what a payment brings about is stripe_pay.c. Everything from outside is escaped, and the page's
 * policy allows nothing but its own style. Addresses were checked to be http or https when the session was made. */
#include "sandbox/pay_page.h"

#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "common/json.h"
#include "sandbox/card.h"
#include "sandbox/money.h"
#include "sandbox/stripe.h"

/* What was typed, and what is wrong with it. */
struct form {
    const char *email;
    const char *number;
    const char *expiry;
    const char *email_error;
    sandbox_card_check card;
};

/* ---- text ---- */

static void put_escaped(dream_buffer *out, const char *text)
{
    for (; text && *text; text++) {
        switch (*text) {
        case '&':
            dream_buffer_text(out, "&amp;");
            break;
        case '<':
            dream_buffer_text(out, "&lt;");
            break;
        case '>':
            dream_buffer_text(out, "&gt;");
            break;
        case '"':
            dream_buffer_text(out, "&quot;");
            break;
        case '\'':
            dream_buffer_text(out, "&#39;");
            break;
        default:
            dream_buffer_char(out, *text);
        }
    }
}

static int64_t amount_of(const cJSON *object, const char *name)
{
    int64_t amount = 0;
    (void)dream_json_int(object, name, &amount);
    return amount;
}

static void put_money(dream_buffer *out, int64_t amount, const cJSON *object)
{
    const char *currency = dream_json_string(object, "currency");
    dream_buffer text = DREAM_BUFFER_INIT;
    sandbox_money(&text, amount, currency ? currency : "usd");
    put_escaped(out, text.is_failed ? "" : dream_buffer_str(&text));
    dream_buffer_clear(&text);
}

/* " per month", " every 3 months". */
static void put_interval(dream_buffer *out, const cJSON *recurring)
{
    const char *interval = dream_json_string(recurring, "interval");
    int64_t count = amount_of(recurring, "interval_count");
    if (!interval)
        return;
    if (count > 1)
        dream_buffer_printf(out, " every %lld %ss", (long long)count, interval);
    else
        dream_buffer_printf(out, " per %s", interval);
}

/* ---- the page's frame ---- */

static void put_head(dream_buffer *out, const char *title, const char *main_class)
{
    dream_buffer_text(out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                           "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                           "<meta name=\"robots\" content=\"noindex\"><title>");
    put_escaped(out, title);
    dream_buffer_text(out, " · Sandbox</title><style>");
    dream_buffer_text(out, sandbox_pay_style);
    dream_buffer_text(
        out, "</style></head><body><div class=\"ribbon\"><strong>SANDBOX</strong> No real money moves. Pay with "
             "<code>4242 4242 4242 4242</code>, any future date, any three digits.</div><main");
    if (main_class)
        dream_buffer_printf(out, " class=\"%s\"", main_class);
    dream_buffer_char(out, '>');
}

static void put_foot(dream_buffer *out)
{
    dream_buffer_text(out, "</main></body></html>");
}

static void set_headers(sandbox_call *call)
{
    unsigned char hash[DREAM_SHA256_SIZE];
    dream_buffer policy = DREAM_BUFFER_INIT;
    dream_buffer_text(&policy, "default-src 'none'; style-src 'sha256-");
    if (!dream_sha256(sandbox_pay_style, strlen(sandbox_pay_style), hash))
        call->is_nomem = true;
    dream_base64_encode(&policy, hash, sizeof hash);
    /* Browsers apply form-action to where the answer redirects, too, and that is the shop's address, which may redirect
     * further: schemes are all that can be told beforehand. */
    dream_buffer_text(&policy, "'; form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'");
    if (policy.is_failed
        || !dreamd_request_set_header(call->request, "Content-Security-Policy", dream_buffer_str(&policy)))
        call->is_nomem = true;
    dream_buffer_clear(&policy);
    (void)dreamd_request_set_header(call->request, "Cache-Control", "no-store");
    (void)dreamd_request_set_header(call->request, "Referrer-Policy", "no-referrer");
    (void)dreamd_request_set_header(call->request, "X-Content-Type-Options", "nosniff");
}

static void answer_page(sandbox_call *call, unsigned status, dream_buffer *page)
{
    put_foot(page);
    set_headers(call);
    sandbox_answer_text(call, status, "text/html; charset=utf-8", page);
}

/* A page with one thing to say. `link` may be NULL. */
static void answer_notice(sandbox_call *call, unsigned status, const char *title, const char *text, const char *link,
                          const char *link_text)
{
    dream_buffer page = DREAM_BUFFER_INIT;
    put_head(&page, title, "single");
    dream_buffer_text(&page, "<div class=\"card\"><h2>");
    put_escaped(&page, title);
    dream_buffer_text(&page, "</h2><p>");
    put_escaped(&page, text);
    dream_buffer_text(&page, "</p>");
    if (link) {
        dream_buffer_text(&page, "<a class=\"button\" href=\"");
        put_escaped(&page, link);
        dream_buffer_text(&page, "\">");
        put_escaped(&page, link_text);
        dream_buffer_text(&page, "</a>");
    }
    dream_buffer_text(&page, "</div>");
    answer_page(call, status, &page);
}

/* ---- what is bought ---- */

static void put_line(dream_buffer *out, const cJSON *item)
{
    const cJSON *price = dream_json_get(item, "price");
    const cJSON *recurring = dream_json_get(price, "recurring");
    bool is_metered = !cJSON_IsNumber(dream_json_get(item, "quantity"));
    int64_t quantity = amount_of(item, "quantity");
    dream_buffer_text(out, "<li><span class=\"name\">");
    put_escaped(out, dream_json_string(item, "description"));
    if (is_metered || quantity > 1 || cJSON_IsObject(recurring)) { /* else the amount beside it says it all */
        dream_buffer_text(out, "<small>");
        if (is_metered)
            dream_buffer_text(out, "Billed by use, ");
        else if (quantity > 1)
            dream_buffer_printf(out, "%lld × ", (long long)quantity);
        put_money(out, amount_of(price, "unit_amount"), price);
        dream_buffer_text(out, is_metered ? " per unit" : quantity > 1 ? " each" : "");
        put_interval(out, recurring);
        dream_buffer_text(out, "</small>");
    }
    dream_buffer_text(out, "</span><span class=\"amount\">");
    put_money(out, amount_of(item, "amount_total"), item);
    dream_buffer_text(out, "</span></li>");
}

/* What follows later: the trial's end, the amount that recurs. */
static void put_later(dream_buffer *out, const cJSON *session)
{
    const cJSON *data = dream_json_get(session, "_subscription_data");
    const cJSON *item, *first = NULL;
    int64_t recurring = 0, days = amount_of(data, "trial_period_days");
    cJSON_ArrayForEach(item, dream_json_get(session, "_line_items"))
    {
        if (!cJSON_IsObject(dream_json_get(dream_json_get(item, "price"), "recurring")))
            continue;
        recurring += amount_of(item, "amount_total");
        first = first ? first : item;
    }
    if (!first)
        return;
    dream_buffer_text(out, "<p class=\"after\">");
    if (days > 0)
        dream_buffer_printf(out, "%lld day%s free, then ", (long long)days, days == 1 ? "" : "s");
    else if (dream_json_get(data, "trial_end"))
        dream_buffer_text(out, "Free for now, then ");
    else
        dream_buffer_text(out, "Renews at ");
    put_money(out, recurring, session);
    put_interval(out, dream_json_get(dream_json_get(first, "price"), "recurring"));
    dream_buffer_text(out, "</p>");
}

static bool is_subscription(const cJSON *session)
{
    const char *mode = dream_json_string(session, "mode");
    return mode && strcmp(mode, "subscription") == 0;
}

/* "Subscribe to Pro Plan", "Pay for 3 items". */
static const char *title_of(sandbox_call *call, const cJSON *session)
{
    const cJSON *items = dream_json_get(session, "_line_items");
    const char *verb = is_subscription(session) ? "Subscribe to" : "Pay for";
    int count = cJSON_GetArraySize(items);
    if (count == 1)
        return sandbox_printf(call, "%s %s", verb, dream_json_string(items->child, "description"));
    return sandbox_printf(call, "%s %d items", verb, count);
}

static void put_summary(sandbox_call *call, dream_buffer *out, const cJSON *session)
{
    const char *cancel = dream_json_string(session, "cancel_url");
    const cJSON *item;
    dream_buffer_text(out, "<section aria-labelledby=\"what\"><h1 id=\"what\">");
    put_escaped(out, title_of(call, session));
    dream_buffer_text(out, "</h1><p class=\"total\">");
    put_money(out, amount_of(session, "amount_total"), session);
    dream_buffer_text(out, "</p>");
    put_later(out, session);
    dream_buffer_text(out, "<ul>");
    cJSON_ArrayForEach(item, dream_json_get(session, "_line_items")) put_line(out, item);
    dream_buffer_text(out, "<li class=\"due\"><span>Total due today</span><span class=\"amount\">");
    put_money(out, amount_of(session, "amount_total"), session);
    dream_buffer_text(out, "</span></li></ul>");
    if (cancel) {
        dream_buffer_text(out, "<a class=\"back\" href=\"");
        put_escaped(out, cancel);
        dream_buffer_text(out, "\">Cancel and go back</a>");
    }
    dream_buffer_text(out, "</section>");
}

/* ---- the form ---- */

struct field {
    const char *name;
    const char *label;
    const char *attributes; /* trusted */
    const char *value;
    const char *error;
};

static void put_field(dream_buffer *out, const struct field *field)
{
    dream_buffer_printf(out,
                        "<div class=\"field\"><label for=\"%s\">%s</label><input id=\"%s\" name=\"%s\" %s required",
                        field->name, field->label, field->name, field->name, field->attributes);
    if (field->value) {
        dream_buffer_text(out, " value=\"");
        put_escaped(out, field->value);
        dream_buffer_char(out, '"');
    }
    if (field->error)
        dream_buffer_printf(out, " aria-invalid=\"true\" aria-describedby=\"%s-error\"", field->name);
    dream_buffer_char(out, '>');
    if (field->error) {
        dream_buffer_printf(out, "<p class=\"wrong\" id=\"%s-error\">", field->name);
        put_escaped(out, field->error);
        dream_buffer_text(out, "</p>");
    }
    dream_buffer_text(out, "</div>");
}

static bool has_error(const struct form *form)
{
    return form->email_error || form->card.number || form->card.expiry || form->card.code;
}

/* The address the seller gave, which the buyer does not change; NULL if it is the buyer's to tell. */
static const char *fixed_email(const cJSON *session)
{
    return dream_json_string(dream_json_get(session, "customer_details"), "email");
}

static void put_button(dream_buffer *out, const cJSON *session)
{
    const cJSON *data = dream_json_get(session, "_subscription_data");
    bool is_trial = amount_of(data, "trial_period_days") > 0 || dream_json_get(data, "trial_end") != NULL;
    dream_buffer_text(out, "<button type=\"submit\">");
    if (is_subscription(session)) {
        dream_buffer_text(out, is_trial ? "Start trial" : "Subscribe");
    } else {
        dream_buffer_text(out, "Pay ");
        put_money(out, amount_of(session, "amount_total"), session);
    }
    dream_buffer_text(out, "</button>");
}

static void put_form(dream_buffer *out, const cJSON *session, const struct form *form)
{
    const char *fixed = fixed_email(session);
    const struct field email = { "email", "Email",
                                 fixed ? "type=\"email\" autocomplete=\"email\" readonly"
                                       : "type=\"email\" autocomplete=\"email\" maxlength=\"254\"",
                                 fixed ? fixed : form->email, form->email_error };
    const struct field number = { "card_number", "Card number",
                                  "type=\"text\" inputmode=\"numeric\" autocomplete=\"cc-number\" maxlength=\"23\" "
                                  "placeholder=\"4242 4242 4242 4242\"",
                                  form->number, form->card.number };
    const struct field expiry = { "exp", "Expires (MM / YY)",
                                  "type=\"text\" inputmode=\"numeric\" autocomplete=\"cc-exp\" maxlength=\"9\" "
                                  "placeholder=\"12 / 34\"",
                                  form->expiry, form->card.expiry };
    const struct field code = {
        "cvc", "Security code",
        "type=\"text\" inputmode=\"numeric\" autocomplete=\"cc-csc\" maxlength=\"4\" placeholder=\"123\"", NULL,
        form->card.code
    }; /* never sent back */
    dream_buffer_text(out, "<section class=\"card\" aria-labelledby=\"how\"><h2 id=\"how\">Pay with card</h2>");
    if (form->card.decline || has_error(form)) {
        dream_buffer_text(out, "<p class=\"alert\" role=\"alert\">");
        put_escaped(out, has_error(form) ? "Please check the fields below." : form->card.decline);
        dream_buffer_text(out, "</p>");
    }
    /* The browser's own checks would hide ours, which say more. */
    dream_buffer_text(out, "<form method=\"post\" novalidate>");
    put_field(out, &email);
    put_field(out, &number);
    dream_buffer_text(out, "<div class=\"pair\">");
    put_field(out, &expiry);
    put_field(out, &code);
    dream_buffer_text(out, "</div>");
    put_button(out, session);
    dream_buffer_text(out,
                      "</form><p class=\"note\">This page plays Stripe Checkout for tests. Do not type a real card.</p>"
                      "</section>");
}

static void answer_form(sandbox_call *call, unsigned status, const cJSON *session, const struct form *form)
{
    dream_buffer page = DREAM_BUFFER_INIT;
    put_head(&page, title_of(call, session), NULL);
    put_summary(call, &page, session);
    put_form(&page, session, form);
    answer_page(call, status, &page);
}

/* ---- handlers ---- */

/* Where the buyer goes after paying, told which session it was. */
static const char *success_url(sandbox_call *call, const cJSON *session)
{
    static const char mark[] = "{CHECKOUT_SESSION_ID}";
    const char *url = dream_json_string(session, "success_url");
    dream_buffer out = DREAM_BUFFER_INIT;
    const char *found;
    while (url && (found = strstr(url, mark)) != NULL) {
        dream_buffer_append(&out, url, (size_t)(found - url));
        dream_buffer_text(&out, dream_json_string(session, "id"));
        url = found + sizeof mark - 1;
    }
    dream_buffer_text(&out, url ? url : "");
    const char *copy = out.is_failed ? NULL : dream_arena_strdup(call->arena, dream_buffer_str(&out));
    dream_buffer_clear(&out);
    if (!copy)
        call->is_nomem = true;
    return copy;
}

/* The session, and its account as the call's scope; NULL after answering that there is none to pay. */
static cJSON *open_session(sandbox_call *call, bool is_payment)
{
    char account[SANDBOX_ID_SIZE];
    cJSON *session = sandbox_doc_find(call->tx, &call->scope, stripe_session.kind, call->id, account);
    if (!session) {
        answer_notice(call, 404, "There is nothing to pay here",
                      "Check the address, or go back to the shop and start again.", NULL, NULL);
        return NULL;
    }
    if (!sandbox_keep(call, session) || !(call->scope.account = dream_arena_strdup(call->arena, account))) {
        call->is_nomem = true;
        return NULL;
    }
    stripe_session_settle(call, session);
    if (stripe_session_is(session, "open"))
        return session;
    if (stripe_session_is(session, "complete"))
        answer_notice(call, is_payment ? 409 : 200, "This is already paid",
                      "Nothing more is due. You were not charged again.", success_url(call, session), "Continue");
    else
        answer_notice(call, 410, "This page has expired", "Go back to the shop and start again. You were not charged.",
                      dream_json_string(session, "cancel_url"), "Go back");
    return NULL;
}

void pay_page_show(sandbox_call *call)
{
    const cJSON *session = open_session(call, false);
    struct form empty = { 0 };
    if (session)
        answer_form(call, 200, session, &empty);
}

static const char *typed(sandbox_call *call, const char *name)
{
    const char *text = dream_json_string(call->params, name);
    return text ? text : "";
}

static void redirect(sandbox_call *call, const char *url)
{
    dream_buffer empty = DREAM_BUFFER_INIT;
    dream_buffer_text(&empty, "");
    set_headers(call);
    if (!url || !dreamd_request_set_header(call->request, "Location", url))
        call->is_nomem = true;
    sandbox_answer_text(call, 303, NULL, &empty);
}

void pay_page_submit(sandbox_call *call)
{
    cJSON *session = open_session(call, true);
    if (!session)
        return;
    const char *fixed = fixed_email(session);
    struct form form = { .email = fixed ? fixed : typed(call, "email"),
                         .number = typed(call, "card_number"),
                         .expiry = typed(call, "exp"),
                         .card = sandbox_card(typed(call, "card_number"), typed(call, "exp"), typed(call, "cvc"),
                                              call->now_s) };
    if (!sandbox_is_email(form.email))
        form.email_error = *form.email ? "Your email address is incomplete or invalid." : "Enter your email address.";
    if (has_error(&form) || form.card.decline) {
        answer_form(call, has_error(&form) ? 422 : 402, session, &form);
        return;
    }
    stripe_complete_session(call, session, form.email);
    if (call->status == 0)
        redirect(call, success_url(call, session));
}
