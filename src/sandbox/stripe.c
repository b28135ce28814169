/* SPDX-License-Identifier: Apache-2.0 */
/* stripe.c - Stripe's front door: routes, keys and accounts, parameters, idempotency keys, the error envelope. What the
 * routes do is in the other stripe_*.c files, pay_page.c and portal_page.c. Handlers run on the server's threads. */
#include "sandbox/stripe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/encoding.h"
#include "common/json.h"
#include "sandbox/form.h"

#define DAY_MS INT64_C(86400000)
enum { MAX_IDEMPOTENCY_KEY = 255 };

#define PAGE "limit starting_after ending_before expand "
#define PRODUCT_FIELDS                                                                                                 \
    "name active description metadata images url unit_label statement_descriptor tax_code shippable expand "
#define CUSTOMER_FIELDS "name email phone description metadata address preferred_locales expand "
/* The second half is taken as Stripe takes it and changes nothing here: no tax, no discounts, cards only. */
#define SESSION_FIELDS                                                                                                 \
    "mode success_url cancel_url customer customer_email customer_creation client_reference_id metadata line_items "   \
    "subscription_data payment_intent_data expires_at locale currency expand ui_mode "                                 \
    "allow_promotion_codes automatic_tax billing_address_collection customer_update payment_method_collection "        \
    "payment_method_types phone_number_collection submit_type tax_id_collection "

#define PORTAL_FIELDS "business_profile default_return_url features login_page metadata name expand "

static const sandbox_route routes[] = {
    { "POST", "/v1/accounts", SANDBOX_WRITE, stripe_account_create,
      "type country email business_type business_profile capabilities controller default_currency metadata expand ",
      NULL },
    { "GET", "/v1/account", SANDBOX_READ, stripe_account_own, "expand ", NULL },
    { "GET", "/v1/accounts/:id", SANDBOX_READ, stripe_get, "expand ", &stripe_account },
    { "POST", "/v1/customers", SANDBOX_WRITE, stripe_customer_create, CUSTOMER_FIELDS, NULL },
    { "GET", "/v1/customers", SANDBOX_READ, stripe_list, PAGE "email created ", &stripe_customer },
    { "GET", "/v1/customers/:id", SANDBOX_READ, stripe_get, "expand ", &stripe_customer },
    { "POST", "/v1/customers/:id", SANDBOX_WRITE, stripe_customer_update, CUSTOMER_FIELDS, NULL },
    { "DELETE", "/v1/customers/:id", SANDBOX_WRITE, stripe_customer_delete, "", NULL },
    { "POST", "/v1/products", SANDBOX_WRITE, stripe_product_create, PRODUCT_FIELDS "id default_price_data ", NULL },
    { "GET", "/v1/products", SANDBOX_READ, stripe_list, PAGE "active ids url created ", &stripe_product },
    { "GET", "/v1/products/:id", SANDBOX_READ, stripe_get, "expand ", &stripe_product },
    { "POST", "/v1/products/:id", SANDBOX_WRITE, stripe_product_update, PRODUCT_FIELDS "default_price ", NULL },
    { "POST", "/v1/prices", SANDBOX_WRITE, stripe_price_create,
      "id currency unit_amount unit_amount_decimal active metadata nickname product product_data recurring lookup_key "
      "tax_behavior billing_scheme expand ",
      NULL },
    { "GET", "/v1/prices", SANDBOX_READ, stripe_list, PAGE "active currency product type lookup_keys created ",
      &stripe_price },
    { "GET", "/v1/prices/:id", SANDBOX_READ, stripe_get, "expand ", &stripe_price },
    { "POST", "/v1/prices/:id", SANDBOX_WRITE, stripe_price_update, "active metadata nickname lookup_key expand ",
      NULL },
    { "POST", "/v1/checkout/sessions", SANDBOX_WRITE, stripe_session_create, SESSION_FIELDS, NULL },
    { "GET", "/v1/checkout/sessions", SANDBOX_READ, stripe_list,
      PAGE "customer subscription payment_intent status created ", &stripe_session },
    { "GET", "/v1/checkout/sessions/:id", SANDBOX_READ, stripe_session_get, "expand ", &stripe_session },
    { "POST", "/v1/checkout/sessions/:id/expire", SANDBOX_WRITE, stripe_session_expire, "expand ", NULL },
    { "GET", "/v1/checkout/sessions/:id/line_items", SANDBOX_READ, stripe_session_line_items, PAGE, NULL },
    { "GET", "/v1/subscriptions", SANDBOX_READ, stripe_list, PAGE "customer price status created ",
      &stripe_subscription },
    { "GET", "/v1/subscriptions/:id", SANDBOX_READ, stripe_get, "expand ", &stripe_subscription },
    { "POST", "/v1/subscriptions/:id", SANDBOX_WRITE, stripe_subscription_update,
      "metadata cancel_at_period_end cancel_at items cancellation_details trial_end proration_behavior description "
      "expand ",
      NULL },
    { "DELETE", "/v1/subscriptions/:id", SANDBOX_WRITE, stripe_subscription_cancel,
      "invoice_now prorate cancellation_details expand ", NULL },
    { "GET", "/v1/invoices", SANDBOX_READ, stripe_list, PAGE "customer subscription status created ", &stripe_invoice },
    { "GET", "/v1/invoices/:id", SANDBOX_READ, stripe_get, "expand ", &stripe_invoice },
    { "GET", "/v1/payment_intents/:id", SANDBOX_READ, stripe_get, "expand ", &stripe_payment_intent },
    { "GET", "/v1/events", SANDBOX_READ, stripe_list, PAGE "type types created ", &stripe_event },
    { "GET", "/v1/events/:id", SANDBOX_READ, stripe_event_get, "expand ", &stripe_event },
    { "POST", "/v1/billing_portal/configurations", SANDBOX_WRITE, stripe_portal_configuration_create, PORTAL_FIELDS,
      NULL },
    { "GET", "/v1/billing_portal/configurations", SANDBOX_READ, stripe_list, PAGE "active is_default ",
      &stripe_portal_configuration },
    { "GET", "/v1/billing_portal/configurations/:id", SANDBOX_READ, stripe_get, "expand ",
      &stripe_portal_configuration },
    { "POST", "/v1/billing_portal/configurations/:id", SANDBOX_WRITE, stripe_portal_configuration_update,
      PORTAL_FIELDS "active ", NULL },
    { "POST", "/v1/billing_portal/sessions", SANDBOX_WRITE, stripe_portal_session_create,
      "customer return_url configuration locale expand ", NULL },
    { "GET", "/portal/:id", SANDBOX_WRITE, portal_page_show, NULL, NULL },
    { "GET", "/portal/:id/cancel/:sub", SANDBOX_WRITE, portal_page_cancel_show, NULL, NULL },
    { "POST", "/portal/:id/cancel/:sub", SANDBOX_WRITE, portal_page_cancel, NULL, NULL },
    { "POST", "/portal/:id/resume/:sub", SANDBOX_WRITE, portal_page_resume, NULL, NULL },
    { "GET", "/portal/:id/plan/:sub", SANDBOX_WRITE, portal_page_plan_show, NULL, NULL },
    { "POST", "/portal/:id/plan/:sub", SANDBOX_WRITE, portal_page_plan, NULL, NULL },
    { "GET", "/pay/:id", SANDBOX_READ, pay_page_show, NULL, NULL },
    { "POST", "/pay/:id", SANDBOX_WRITE, pay_page_submit, NULL, NULL },
    { "GET", "/pay/:id/confirm", SANDBOX_READ, pay_page_confirm_show, NULL, NULL },
    { "POST", "/pay/:id/confirm", SANDBOX_WRITE, pay_page_confirm, NULL, NULL },
};

/* ---- refusals ---- */

void stripe_error(sandbox_call *call, unsigned status, const char *type, const char *code, const char *param,
                  const char *message)
{
    cJSON *envelope = sandbox_skeleton(call, "{\"error\":{}}");
    cJSON *error = envelope ? envelope->child : NULL;
    if (!error)
        return;
    if (code) {
        char *url = sandbox_printf(call, "https://stripe.com/docs/error-codes/%s", code);
        for (char *p = url; p && *p; p++)
            if (*p == '_')
                *p = '-';
        sandbox_set_text(call, error, "code", code);
        sandbox_set_text(call, error, "doc_url", url);
    }
    sandbox_set_text(call, error, "message", message);
    if (param)
        sandbox_set_text(call, error, "param", param);
    sandbox_set_text(call, error, "type", type);
    sandbox_answer_json(call, status, envelope);
}

void stripe_refuse(sandbox_call *call, const char *code, const char *param, const char *format, ...)
{
    char message[512];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(message, sizeof message, format, values);
    va_end(values);
    stripe_error(call, 400, "invalid_request_error", code, param, message);
}

/* ---- who is asking ---- */

/* The key of a Bearer header, or of a Basic one's user name; in the call's arena, NULL if there is none. */
static const char *read_key(sandbox_call *call)
{
    const char *header = dreamd_request_header(call->request, "Authorization");
    if (!header)
        return NULL;
    if (strncasecmp(header, "Bearer ", 7) == 0)
        return dream_arena_strdup(call->arena, header + 7);
    if (strncasecmp(header, "Basic ", 6) != 0)
        return NULL;
    const char *key = NULL;
    dream_buffer text = { .is_secret = true };
    if (dream_base64_decode(&text, header + 6, strlen(header + 6)) && !text.is_failed) {
        const char *user = dream_buffer_str(&text);
        key = dream_arena_strndup(call->arena, user, strcspn(user, ":"));
    }
    dream_buffer_clear(&text);
    return key;
}

static void refuse_key(sandbox_call *call, const char *key)
{
    const char *message;
    size_t size = key ? strlen(key) : 0;
    if (size == 0)
        message = "You did not provide an API key. You need to provide your API key in the Authorization header, using "
                  "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
    else if (size < 16)
        message = "Invalid API Key provided.";
    else /* as much as tells keys apart, and no more */
        message = sandbox_printf(call, "Invalid API Key provided: %.8s*********%s", key, key + size - 4);
    (void)dreamd_request_set_header(call->request, "WWW-Authenticate", "Bearer realm=\"Stripe\"");
    stripe_error(call, 401, "invalid_request_error", NULL, NULL, message);
}

static void refuse_account(sandbox_call *call, const char *account)
{
    stripe_error(call, 403, "invalid_request_error", "account_invalid", NULL,
                 sandbox_printf(call,
                                "The provided key does not have access to account '%s' (or that account does not "
                                "exist). Application access may have been revoked.",
                                account));
}

/* The connected account whose token `key` is; NULL if it is none. Reads its own snapshot: the handler's transaction must
 * know the account from its first statement on. */
static const char *account_of_token(sandbox_call *call, const char *key)
{
    char hash[2 * DREAM_SHA256_SIZE + 1];
    if (!dream_sha256_hex(key, strlen(key), hash))
        return NULL;
    const cJSON *token = sandbox_read(call, "token", hash);
    return dream_json_string(token, "account");
}

static void resolve_account(sandbox_call *call)
{
    const char *platform = call->instance->identity.id;
    const char *wanted = dreamd_request_header(call->request, "Stripe-Account");
    const char *key = read_key(call);
    const char *own = NULL;
    if (key && *key)
        own =
            dream_equal_secret_text(key, call->instance->identity.secret_key) ? platform : account_of_token(call, key);
    if (!own)
        refuse_key(call, key);
    else if (!wanted || strcmp(wanted, own) == 0)
        call->scope.account = own;
    else if (own != platform || !sandbox_read(call, "account", wanted))
        refuse_account(call, wanted);
    else
        call->scope.account = wanted;
}

static sandbox_store_status authenticate(sandbox_call *call)
{
    sandbox_store_status status;
    call->scope.account = call->instance->identity.id;
    call->tx = sandbox_tx_begin(call->instance->store, false, &status);
    if (!call->tx)
        return status;
    resolve_account(call);
    status = sandbox_tx_status(call->tx);
    sandbox_tx_rollback(call->tx);
    call->tx = NULL;
    return status;
}

/* ---- parameters ---- */

typedef struct query_reader {
    cJSON *root;
    sandbox_form_status status;
} query_reader;

static bool add_query(void *context, const char *name, const char *value)
{
    query_reader *reader = context;
    reader->status = sandbox_form_add(reader->root, name, value);
    return reader->status == SANDBOX_FORM_OK;
}

static sandbox_form_status read_query(sandbox_call *call, cJSON **out_root)
{
    query_reader reader = { cJSON_CreateObject(), SANDBOX_FORM_OK };
    if (!reader.root)
        return SANDBOX_FORM_NOMEM;
    bool is_read = dreamd_request_each_query(call->request, add_query, &reader);
    if (!is_read && reader.status == SANDBOX_FORM_OK)
        reader.status = SANDBOX_FORM_MALFORMED;
    if (reader.status == SANDBOX_FORM_OK)
        reader.status = sandbox_form_finish(reader.root);
    *out_root = reader.root;
    return reader.status;
}

/* A POST's parameters are its body, everything else's are its query. */
static bool read_params(sandbox_call *call)
{
    size_t size;
    cJSON *root = NULL;
    bool is_post = strcmp(call->route->method, "POST") == 0;
    const char *body = dreamd_request_body(call->request, &size);
    sandbox_form_status status = is_post ? sandbox_form_parse(body, size, &root) : read_query(call, &root);
    if (root)
        call->params = sandbox_keep(call, root);
    if (status == SANDBOX_FORM_NOMEM)
        call->is_nomem = true;
    else if (status != SANDBOX_FORM_OK)
        stripe_refuse(
            call, NULL, NULL,
            status == SANDBOX_FORM_TOO_LARGE
                ? "Too many parameters, or nested too deeply."
                : "Invalid request (check that your POST content type is application/x-www-form-urlencoded).");
    return call->params && !call->is_nomem && call->status == 0;
}

/* ---- idempotency keys ---- */

static bool hash_params(sandbox_call *call, char out[65])
{
    char *text = dream_json_print(call->params);
    bool done = text && dream_sha256_hex(text, strlen(text), out);
    cJSON_free(text);
    return done;
}

static void refuse_replay(sandbox_call *call, const char *key, const sandbox_replay *old, const char *path)
{
    const char *message =
        strcmp(old->path, path) == 0
            ? sandbox_printf(
                call,
                "Keys for idempotent requests can only be used with the same parameters they were first used "
                "with. Try using a key other than '%s' if you meant to execute a different request.",
                key)
            : sandbox_printf(call,
                             "Keys for idempotent requests can only be used for the same endpoint they were first used "
                             "for ('%s' vs '%s'). Try using a key other than '%s' if you meant to execute a different "
                             "request.",
                             path, old->path, key);
    stripe_error(call, 400, "idempotency_error", NULL, NULL, message);
}

static void answer_replay(sandbox_call *call, const sandbox_replay *old)
{
    dream_buffer body = DREAM_BUFFER_INIT;
    dream_buffer_text(&body, old->body);
    (void)dreamd_request_set_header(call->request, "Idempotent-Replayed", "true");
    sandbox_answer_text(call, (unsigned)old->status, "application/json", &body);
}

/* The handler, at most once per key. The answer is kept in the transaction that did the work. */
static void run_once(sandbox_call *call)
{
    const char *key = dreamd_request_header(call->request, "Idempotency-Key");
    if (!key || call->route->access != SANDBOX_WRITE || strcmp(call->route->method, "POST") != 0) {
        call->route->handler(call);
        return;
    }
    if (strlen(key) > MAX_IDEMPOTENCY_KEY) {
        stripe_refuse(call, NULL, NULL, "Idempotency keys must be at most %d characters long.", MAX_IDEMPOTENCY_KEY);
        return;
    }
    (void)dreamd_request_set_header(call->request, "Idempotency-Key", key);
    sandbox_replay now = { .body = NULL };
    sandbox_replay old = { .body = NULL };
    (void)snprintf(now.path, sizeof now.path, "%s", dreamd_request_path(call->request));
    if (!hash_params(call, now.hash)) {
        call->is_nomem = true;
        return;
    }
    if (sandbox_replay_read(call->tx, &call->scope, key, call->now_ms - DAY_MS, &old)) {
        if (strcmp(old.path, now.path) == 0 && strcmp(old.hash, now.hash) == 0)
            answer_replay(call, &old);
        else
            refuse_replay(call, key, &old, now.path);
        free(old.body);
        return;
    }
    call->route->handler(call);
    if (call->status < 200 || call->status > 299 || call->body.is_failed)
        return;
    now.status = call->status;
    now.body = call->body.data;
    sandbox_replay_keep(call->tx, &call->scope, key, &now, call->now_ms, call->now_ms - DAY_MS);
}

/* ---- from request to answer ---- */

static void answer_failure(sandbox_call *call, sandbox_store_status status)
{
    call->is_nomem = false;
    if (status == SANDBOX_STORE_BUSY)
        stripe_error(
            call, 429, "invalid_request_error", "lock_timeout", NULL,
            "This object cannot be accessed right now because another API request or Stripe process is currently "
            "accessing it. If you see this error intermittently, retry the request.");
    else
        stripe_error(call, 500, "api_error", NULL, NULL, "An error occurred in the sandbox. Its log says more.");
}

static void set_headers(sandbox_call *call)
{
    const char *version = dreamd_request_header(call->request, "Stripe-Version");
    const char *id = sandbox_new_id(call, "req_", 14);
    if (id)
        (void)dreamd_request_set_header(call->request, "Request-Id", id);
    (void)dreamd_request_set_header(call->request, "Stripe-Version", version ? version : STRIPE_API_VERSION);
}

static sandbox_store_status serve_api(sandbox_call *call)
{
    set_headers(call);
    sandbox_store_status status = authenticate(call);
    if (status != SANDBOX_STORE_OK || call->status != 0)
        return status;
    if (!read_params(call))
        return SANDBOX_STORE_NOMEM;
    if (!stripe_check_names(call, call->params, NULL, call->route->params))
        return SANDBOX_STORE_OK;
    return sandbox_call_run(call, run_once);
}

/* The pages: no key, since whoever has the address may use them. They look up the account by the session. */
static sandbox_store_status serve_page(sandbox_call *call)
{
    return read_params(call) ? sandbox_call_run(call, call->route->handler) : SANDBOX_STORE_NOMEM;
}

static void serve(sandbox_call *call)
{
    bool is_other_method;
    const sandbox_route *route = sandbox_route_find(call, routes, sizeof routes / sizeof *routes, &is_other_method);
    if (!route) {
        set_headers(call);
        stripe_error(call, 404, "invalid_request_error", NULL, NULL,
                     sandbox_printf(call, "Unrecognized request URL (%s: %.200s). The sandbox does not serve it.",
                                    dreamd_request_method(call->request), dreamd_request_path(call->request)));
        return;
    }
    dreamd_request_set_route(call->request, route->path);
    bool is_page = strncmp(route->path, "/v1/", 4) != 0;
    sandbox_store_status status = is_page ? serve_page(call) : serve_api(call);
    if (call->status == 0)
        answer_failure(call, status);
}

void stripe_handle(void *context, dreamd_request *request)
{
    sandbox_call call;
    if (sandbox_call_init(&call, context, request))
        serve(&call);
    sandbox_call_finish(&call);
}
