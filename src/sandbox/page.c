/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - page.h. Knows what a page is made of, not what it is about. One thread works on a call. */
#include "sandbox/page.h"

#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "common/json.h"
#include "sandbox/money.h"

/* Where a page without forms may send them: nowhere. */
static const char no_forms[] = "'none'";

/* ---- text ---- */

static const char *entity_of(char letter)
{
    switch (letter) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void sandbox_page_text(dream_buffer *out, const char *text)
{
    for (; text && *text; text++) {
        const char *entity = entity_of(*text);
        if (entity)
            dream_buffer_text(out, entity);
        else
            dream_buffer_char(out, *text);
    }
}

int64_t sandbox_page_int(const cJSON *object, const char *name)
{
    int64_t value = 0;
    (void)dream_json_int(object, name, &value);
    return value;
}

void sandbox_page_money(dream_buffer *out, int64_t amount, const cJSON *object)
{
    const char *currency = dream_json_string(object, "currency");
    dream_buffer text = DREAM_BUFFER_INIT;
    sandbox_money(&text, amount, currency ? currency : "usd");
    sandbox_page_text(out, text.is_failed ? "" : dream_buffer_str(&text));
    dream_buffer_clear(&text);
}

void sandbox_page_interval(dream_buffer *out, const cJSON *recurring)
{
    const char *interval = dream_json_string(recurring, "interval");
    int64_t count = sandbox_page_int(recurring, "interval_count");
    if (!interval)
        return;
    if (count > 1)
        dream_buffer_printf(out, " every %lld %ss", (long long)count, interval);
    else
        dream_buffer_printf(out, " per %s", interval);
}

void sandbox_page_link(dream_buffer *out, const char *class, const char *url, const char *text)
{
    dream_buffer_printf(out, "<a class=\"%s\" href=\"", class);
    sandbox_page_text(out, url);
    dream_buffer_text(out, "\">");
    sandbox_page_text(out, text);
    dream_buffer_text(out, "</a>");
}

/* ---- the frame ---- */

void sandbox_page_head(dream_buffer *out, const char *title, const char *hint, const char *main_class)
{
    dream_buffer_text(out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                           "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                           "<meta name=\"robots\" content=\"noindex\"><title>");
    sandbox_page_text(out, title);
    dream_buffer_text(out, " · Sandbox</title>");
    for (size_t i = 0; i < SANDBOX_PAGE_STYLES; i++) {
        dream_buffer_text(out, "<style>");
        dream_buffer_text(out, sandbox_page_styles[i]);
        dream_buffer_text(out, "</style>");
    }
    dream_buffer_text(out, "</head><body><div class=\"ribbon\"><strong>SANDBOX</strong> No real money moves. ");
    dream_buffer_text(out, hint);
    dream_buffer_text(out, "</div><main");
    if (main_class)
        dream_buffer_printf(out, " class=\"%s\"", main_class);
    dream_buffer_char(out, '>');
}

static void set_policy(sandbox_call *call, const char *form_action)
{
    unsigned char hash[DREAM_SHA256_SIZE];
    dream_buffer policy = DREAM_BUFFER_INIT;
    dream_buffer_text(&policy, "default-src 'none'; style-src");
    for (size_t i = 0; i < SANDBOX_PAGE_STYLES; i++) {
        if (!dream_sha256(sandbox_page_styles[i], strlen(sandbox_page_styles[i]), hash))
            call->is_nomem = true;
        dream_buffer_text(&policy, " 'sha256-");
        dream_base64_encode(&policy, hash, sizeof hash);
        dream_buffer_char(&policy, '\'');
    }
    dream_buffer_printf(&policy, "; form-action %s; base-uri 'none'; frame-ancestors 'none'", form_action);
    if (policy.is_failed
        || !dreamd_request_set_header(call->request, "Content-Security-Policy", dream_buffer_str(&policy)))
        call->is_nomem = true;
    dream_buffer_clear(&policy);
}

static void set_headers(sandbox_call *call, const char *form_action)
{
    set_policy(call, form_action);
    (void)dreamd_request_set_header(call->request, "Cache-Control", "no-store");
    /* Not "no-referrer": browsers would then send "Origin: null" with our own forms. */
    (void)dreamd_request_set_header(call->request, "Referrer-Policy", "same-origin");
    (void)dreamd_request_set_header(call->request, "X-Content-Type-Options", "nosniff");
}

void sandbox_page_answer(sandbox_call *call, unsigned status, dream_buffer *page, const char *form_action)
{
    dream_buffer_text(page, "</main></body></html>");
    set_headers(call, form_action);
    sandbox_answer_text(call, status, "text/html; charset=utf-8", page);
}

void sandbox_page_notice(sandbox_call *call, unsigned status, const char *title, const char *text, const char *link,
                         const char *link_text)
{
    dream_buffer page = DREAM_BUFFER_INIT;
    sandbox_page_head(&page, title, "", "single");
    dream_buffer_text(&page, "<div class=\"card\"><h1 class=\"said\">");
    sandbox_page_text(&page, title);
    dream_buffer_text(&page, "</h1><p>");
    sandbox_page_text(&page, text);
    dream_buffer_text(&page, "</p>");
    if (link)
        sandbox_page_link(&page, "button", link, link_text);
    dream_buffer_text(&page, "</div>");
    sandbox_page_answer(call, status, &page, no_forms);
}

void sandbox_page_redirect(sandbox_call *call, const char *url, const char *form_action)
{
    dream_buffer empty = DREAM_BUFFER_INIT;
    dream_buffer_text(&empty, "");
    set_headers(call, form_action);
    if (!url || !dreamd_request_set_header(call->request, "Location", url))
        call->is_nomem = true;
    sandbox_answer_text(call, 303, NULL, &empty);
}

/* ---- forms ---- */

const char *sandbox_page_typed(sandbox_call *call, const char *name)
{
    const char *text = dream_json_string(call->params, name);
    return text ? text : "";
}

bool sandbox_page_is_own_form(sandbox_call *call)
{
    static const char scheme[] = "http://";
    const char *origin = dreamd_request_header(call->request, "Origin");
    const char *host = dreamd_request_header(call->request, "Host");
    if (!origin) /* no browser: whoever knows the address may act */
        return true;
    if (host && strncmp(origin, scheme, sizeof scheme - 1) == 0 && strcasecmp(origin + sizeof scheme - 1, host) == 0)
        return true;
    sandbox_page_notice(call, 403, "This did not come from here",
                        "Another site sent this form. Nothing was changed. Open the page from the shop and try again.",
                        NULL, NULL);
    return false;
}
