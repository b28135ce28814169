/* SPDX-License-Identifier: Apache-2.0 */
/* pay_page.c - the page a person pays on: plain HTML, no script. It shows what a checkout session sells, takes the
 * card and says what is wrong with it; what a payment brings about is stripe_pay.c. Everything from outside is
 * escaped, and the page's policy allows nothing but its own style. Addresses were checked to be http or https when the
 * session was made. */
#include "sandbox/stripe.h"

#include <string.h>

#include "common/json.h"
#include "sandbox/card.h"
#include "sandbox/page.h"

static const char hint[] = "Pay with <code>4242 4242 4242 4242</code>, any future date, any three digits.";

/* Browsers apply form-action to where the answer redirects, too, and that is the shop's address, which may redirect
 * further: schemes are all that can be told beforehand. */
static const char form_action[] = "'self' http: https:";

/* What was typed, and what is wrong with it. */
struct form {
    const char *email;
    const char *number;
    const char *expiry;
    const char *email_error;
    sandbox_card_check card;
};

/* ---- what is bought ---- */

static void put_line(dream_buffer *out, const cJSON *item)
{
    const cJSON *price = dream_json_get(item, "price");
    const cJSON *recurring = dream_json_get(price, "recurring");
    bool is_metered = !cJSON_IsNumber(dream_json_get(item, "quantity"));
    int64_t quantity = sandbox_page_int(item, "quantity");
    dream_buffer_text(out, "<li><span class=\"name\">");
    sandbox_page_text(out, dream_json_string(item, "description"));
    if (is_metered || quantity > 1 || cJSON_IsObject(recurring)) { /* else the amount beside it says it all */
        dream_buffer_text(out, "<small>");
        if (is_metered)
            dream_buffer_text(out, "Billed by use, ");
        else if (quantity > 1)
            dream_buffer_printf(out, "%lld × ", (long long)quantity);
        sandbox_page_money(out, sandbox_page_int(price, "unit_amount"), price);
        dream_buffer_text(out, is_metered ? " per unit" : quantity > 1 ? " each" : "");
        sandbox_page_interval(out, recurring);
        dream_buffer_text(out, "</small>");
    }
    dream_buffer_text(out, "</span><span class=\"amount\">");
    sandbox_page_money(out, sandbox_page_int(item, "amount_total"), item);
    dream_buffer_text(out, "</span></li>");
}

/* What follows later: the trial's end, the amount that recurs. */
static void put_later(dream_buffer *out, const cJSON *session)
{
    const cJSON *data = dream_json_get(session, "_subscription_data");
    const cJSON *item, *first = NULL;
    int64_t recurring = 0, days = sandbox_page_int(data, "trial_period_days");
    cJSON_ArrayForEach(item, dream_json_get(session, "_line_items"))
    {
        if (!cJSON_IsObject(dream_json_get(dream_json_get(item, "price"), "recurring")))
            continue;
        recurring += sandbox_page_int(item, "amount_total");
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
    sandbox_page_money(out, recurring, session);
    sandbox_page_interval(out, dream_json_get(dream_json_get(first, "price"), "recurring"));
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
    sandbox_page_text(out, title_of(call, session));
    dream_buffer_text(out, "</h1><p class=\"total\">");
    sandbox_page_money(out, sandbox_page_int(session, "amount_total"), session);
    dream_buffer_text(out, "</p>");
    put_later(out, session);
    dream_buffer_text(out, "<ul>");
    cJSON_ArrayForEach(item, dream_json_get(session, "_line_items")) put_line(out, item);
    dream_buffer_text(out, "<li class=\"due\"><span>Total due today</span><span class=\"amount\">");
    sandbox_page_money(out, sandbox_page_int(session, "amount_total"), session);
    dream_buffer_text(out, "</span></li></ul>");
    if (cancel)
        sandbox_page_link(out, "back", cancel, "Cancel and go back");
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
        sandbox_page_text(out, field->value);
        dream_buffer_char(out, '"');
    }
    if (field->error)
        dream_buffer_printf(out, " aria-invalid=\"true\" aria-describedby=\"%s-error\"", field->name);
    dream_buffer_char(out, '>');
    if (field->error) {
        dream_buffer_printf(out, "<p class=\"wrong\" id=\"%s-error\">", field->name);
        sandbox_page_text(out, field->error);
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
    bool is_trial = sandbox_page_int(data, "trial_period_days") > 0 || dream_json_get(data, "trial_end") != NULL;
    dream_buffer_text(out, "<button type=\"submit\">");
    if (is_subscription(session)) {
        dream_buffer_text(out, is_trial ? "Start trial" : "Subscribe");
    } else {
        dream_buffer_text(out, "Pay ");
        sandbox_page_money(out, sandbox_page_int(session, "amount_total"), session);
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
        sandbox_page_text(out, has_error(form) ? "Please check the fields below." : form->card.decline);
        dream_buffer_text(out, "</p>");
    }
    /* The browser's own checks would hide ours, which say more. */
    dream_buffer_text(out, "<form method=\"post\" novalidate action=\"/pay/");
    sandbox_page_text(out, dream_json_string(session, "id"));
    dream_buffer_text(out, "\">");
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
    sandbox_page_head(&page, title_of(call, session), hint, NULL);
    put_summary(call, &page, session);
    put_form(&page, session, form);
    sandbox_page_answer(call, status, &page, form_action);
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
        sandbox_page_notice(call, 404, "There is nothing to pay here",
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
        sandbox_page_notice(call, is_payment ? 409 : 200, "This is already paid",
                            "Nothing more is due. You were not charged again.", success_url(call, session), "Continue");
    else
        sandbox_page_notice(call, 410, "This page has expired",
                            "Go back to the shop and start again. You were not charged.",
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

/* ---- the holder's bank asks whether it was them (3-D Secure) ---- */

/* Sends the buyer to the bank's page, and remembers what is to be paid when they come back. */
static void ask_holder(sandbox_call *call, cJSON *session, const char *email)
{
    sandbox_set_text(call, session, "_email_to_confirm", email);
    stripe_update(call, session, dream_json_string(session, "customer"), NULL);
    sandbox_page_redirect(call, sandbox_printf(call, "/pay/%s/confirm", dream_json_string(session, "id")), form_action);
}

/* An open session whose card is with the bank; NULL after sending everyone else to the pay page. */
static cJSON *confirmable_session(sandbox_call *call, bool is_payment)
{
    cJSON *session = open_session(call, is_payment);
    if (session && !dream_json_string(session, "_email_to_confirm")) {
        sandbox_page_redirect(call, sandbox_printf(call, "/pay/%s", dream_json_string(session, "id")), form_action);
        return NULL;
    }
    return session;
}

void pay_page_confirm_show(sandbox_call *call)
{
    const cJSON *session = confirmable_session(call, false);
    dream_buffer page = DREAM_BUFFER_INIT;
    if (!session)
        return;
    sandbox_page_head(&page, "Confirm your payment", "This page plays your bank.", "single");
    dream_buffer_text(&page, "<div class=\"card\"><h1 class=\"said\">Confirm your payment</h1><p>Your bank asks "
                             "whether it is you who pays ");
    sandbox_page_money(&page, sandbox_page_int(session, "amount_total"), session);
    dream_buffer_text(&page, ".</p><form method=\"post\">"
                             "<button name=\"answer\" value=\"complete\">Yes, it is me</button>"
                             "<button class=\"second\" name=\"answer\" value=\"fail\">No, refuse it</button>"
                             "</form></div>");
    sandbox_page_answer(call, 200, &page, form_action);
}

void pay_page_confirm(sandbox_call *call)
{
    cJSON *session = sandbox_page_is_own_form(call) ? confirmable_session(call, true) : NULL;
    if (!session)
        return;
    const char *email = dream_json_string(session, "_email_to_confirm");
    if (strcmp(sandbox_page_typed(call, "answer"), "complete") == 0) {
        stripe_complete_session(call, session, email, NULL);
        if (call->status == 0)
            sandbox_page_redirect(call, success_url(call, session), form_action);
        return;
    }
    struct form form = { .email = email, .card.decline = sandbox_card_unconfirmed };
    answer_form(call, 402, session, &form);
}

/* ---- paying ---- */

void pay_page_submit(sandbox_call *call)
{
    cJSON *session = open_session(call, true);
    if (!session)
        return;
    const char *fixed = fixed_email(session);
    struct form form = { .email = fixed ? fixed : sandbox_page_typed(call, "email"),
                         .number = sandbox_page_typed(call, "card_number"),
                         .expiry = sandbox_page_typed(call, "exp"),
                         .card = sandbox_card(sandbox_page_typed(call, "card_number"), sandbox_page_typed(call, "exp"),
                                              sandbox_page_typed(call, "cvc"), call->now_s) };
    if (!sandbox_is_email(form.email))
        form.email_error = *form.email ? "Your email address is incomplete or invalid." : "Enter your email address.";
    if (form.card.fails_later && !form.card.is_debit && sandbox_page_int(session, "amount_total") > 0)
        form.card.decline = "Your card was declined."; /* later is now, unless a trial comes first */
    if (has_error(&form) || form.card.decline) {
        answer_form(call, has_error(&form) ? 422 : 402, session, &form);
        return;
    }
    if (form.card.is_confirmed_by_holder) {
        ask_holder(call, session, form.email);
        return;
    }
    stripe_complete_session(call, session, form.email, &form.card);
    if (call->status == 0)
        sandbox_page_redirect(call, success_url(call, session), form_action);
}
