/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - the frame of the pages people see (pay page, portal): plain HTML, no script. A page allows nothing but its
 * own style sheet, nobody may frame it or keep it, and what comes from outside goes in through sandbox_page_text. */
#ifndef SANDBOX_PAGE_H
#define SANDBOX_PAGE_H

#include "sandbox/call.h"

enum { SANDBOX_PAGE_STYLES = 2 };
extern const char *const sandbox_page_styles[SANDBOX_PAGE_STYLES];

/* The text, escaped for content and for attributes in either quotes; NULL is "". */
void sandbox_page_text(dream_buffer *out, const char *text);
/* An amount in the currency of `object`. */
void sandbox_page_money(dream_buffer *out, int64_t amount, const cJSON *object);
int64_t sandbox_page_int(const cJSON *object, const char *name); /* 0 if there is none */
/* " per month", " every 3 months"; nothing if `recurring` is none. */
void sandbox_page_interval(dream_buffer *out, const cJSON *recurring);
void sandbox_page_link(dream_buffer *out, const char *class, const char *url, const char *text);

/* Everything up to the page's content; `hint` is HTML and says beside the ribbon's word what to do. `main_class` may
 * be NULL. */
void sandbox_page_head(dream_buffer *out, const char *title, const char *hint, const char *main_class);
/* Ends the page and answers it; takes the buffer's storage. `form_action` is where its forms may lead, as the policy
 * has it. */
void sandbox_page_answer(sandbox_call *call, unsigned status, dream_buffer *page, const char *form_action);
/* A page with one thing to say. `link` may be NULL. */
void sandbox_page_notice(sandbox_call *call, unsigned status, const char *title, const char *text, const char *link,
                         const char *link_text);
/* 303; a NULL address is out of memory. */
void sandbox_page_redirect(sandbox_call *call, const char *url, const char *form_action);

/* What was typed into a field; "" if nothing. */
const char *sandbox_page_typed(sandbox_call *call, const char *name);
/* Whether a form came from one of our own pages, as far as the browser tells. Answers if not. */
bool sandbox_page_is_own_form(sandbox_call *call);

#endif
