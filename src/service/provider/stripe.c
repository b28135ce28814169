/* SPDX-License-Identifier: Apache-2.0 */
/* stripe.c - builds Stripe's requests and reads its answers. Transfers, outcomes and metrics are upstream.c.
 * Credentials are put together in wiped buffers and go nowhere else. No state, any thread. */
#include "service/provider/stripe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/encoding.h"
#include "common/json.h"
#include "service/provider/form.h"

/* {"error":{"message":...}} */
static const char *error_text(const cJSON *json)
{
    return dream_json_string(dream_json_get(json, "error"), "message");
}

/* NULL when neither the account nor this mode's platform has a key. */
static const char *credential(const dreamd_settings *settings, const dreamd_stripe_actor *actor)
{
    return actor->access_token ? actor->access_token : settings->stripe[actor->mode].secret_key;
}

/* Header lines of a call; `storage` owns their texts. */
struct head {
    dream_buffer storage[3];
    const char *lines[6];
};

static void head_clear(struct head *head)
{
    for (size_t i = 0; i < sizeof head->storage / sizeof head->storage[0]; i++)
        dream_buffer_clear(&head->storage[i]);
}

/* False when out of memory. */
static bool head_fill(struct head *head, const dreamd_settings *settings, const dreamd_stripe_actor *actor)
{
    size_t count = 0;
    dream_buffer *next = head->storage;

    *head = (struct head){ .storage = { [0] = { .is_secret = true } } };
    dream_buffer_printf(next, "Authorization: Bearer %s", credential(settings, actor));
    if (next->is_failed)
        return false;
    head->lines[count++] = dream_buffer_str(next++);
    head->lines[count++] = "Content-Type: application/x-www-form-urlencoded";
    head->lines[count++] = "User-Agent: dreamapid";
    if (!actor->access_token && actor->account) {
        dream_buffer_printf(next, "Stripe-Account: %s", actor->account);
        if (next->is_failed)
            return false;
        head->lines[count++] = dream_buffer_str(next++);
    }
    if (actor->idempotency_key) {
        dream_buffer_printf(next, "Idempotency-Key: %s", actor->idempotency_key);
        if (next->is_failed)
            return false;
        head->lines[count++] = dream_buffer_str(next++);
    }
    head->lines[count] = NULL;
    return true;
}

/* `form` NULL: no body. */
static void ask(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *method, const char *path,
                const dream_buffer *form, dreamd_upstream_fn *fn, void *context)
{
    const dreamd_settings *settings = dreamd_upstream_settings(upstream);
    dream_buffer url = DREAM_BUFFER_INIT;
    struct head head;

    if (!settings->stripe[actor->mode].api_base || !credential(settings, actor)) {
        dreamd_upstream_fail(fn, context, "The payment provider is not configured");
        return;
    }
    dream_buffer_printf(&url, "%s%s", settings->stripe[actor->mode].api_base, path);
    if (!head_fill(&head, settings, actor) || url.is_failed || (form && form->is_failed)) {
        dreamd_upstream_fail(fn, context, "Out of memory");
    } else {
        dreamd_upstream_call call = {
            .provider = DREAMD_PROVIDER_STRIPE,
            .method = method,
            .url = dream_buffer_str(&url),
            .headers = head.lines,
            .body = form ? form->data : NULL,
            .body_size = form ? form->size : 0,
            .error_text = error_text,
        };
        dreamd_upstream_start(upstream, &call, fn, context);
    }
    head_clear(&head);
    dream_buffer_clear(&url);
}

static void post(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *path,
                 const dream_buffer *form, dreamd_upstream_fn *fn, void *context)
{
    ask(upstream, actor, "POST", path, form, fn, context);
}

/* ---- pages: checkout and portal sessions ---- */

struct page_call {
    dreamd_stripe_url_fn *fn;
    void *context;
};

static void on_page(void *context, const dreamd_upstream_answer *answer)
{
    struct page_call *call = context;
    const char *url = answer->outcome == DREAMD_UPSTREAM_OK ? dream_json_string(answer->json, "url") : NULL;
    dreamd_upstream_answer reported = *answer;

    if (answer->outcome == DREAMD_UPSTREAM_OK && (!url || url[0] == '\0')) {
        url = NULL;
        reported.outcome = DREAMD_UPSTREAM_UNAVAILABLE;
        reported.message = "The payment provider's answer names no address";
    }
    call->fn(call->context, &reported, url);
    free(call);
}

/* Takes `form`. */
static void post_page(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *path, dream_buffer *form,
                      dreamd_stripe_url_fn *fn, void *context)
{
    struct page_call *call = malloc(sizeof *call);

    if (call) {
        *call = (struct page_call){ fn, context };
        post(upstream, actor, path, form, on_page, call);
    } else {
        dreamd_upstream_answer answer = { DREAMD_UPSTREAM_UNAVAILABLE, 0, "Out of memory", -1, NULL };
        fn(context, &answer, NULL);
    }
    dream_buffer_clear(form);
}

static void fill_checkout(dream_buffer *form, const dreamd_stripe_checkout *checkout)
{
    bool has_email = checkout->customer_email && *checkout->customer_email;

    dreamd_form_text(form, "success_url", checkout->success_url);
    dreamd_form_text(form, "cancel_url", checkout->cancel_url);
    /* Stripe refuses an empty address, and asks the buyer for one where none is given. */
    dreamd_form_text(form, "customer_email", has_email ? checkout->customer_email : NULL);
    dreamd_form_text(form, "client_reference_id", checkout->user_id);
    dreamd_form_text(form, "mode", "subscription");
    dreamd_form_text(form, "line_items[0][price]", checkout->price_id);
    dreamd_form_text(form, "line_items[0][quantity]", "1");
    dreamd_form_text(form, "metadata[userId]", checkout->user_id);
    dreamd_form_text(form, "metadata[tier]", checkout->tier);
    dreamd_form_text(form, "metadata[publishableKey]", checkout->publishable_key);
    dreamd_form_text(form, "subscription_data[metadata][userId]", checkout->user_id);
    dreamd_form_text(form, "subscription_data[metadata][tier]", checkout->tier);
    dreamd_form_text(form, "subscription_data[metadata][publishableKey]", checkout->publishable_key);
    dreamd_form_text(form, "automatic_tax[enabled]", checkout->is_tax_enabled ? "true" : NULL);
    if (checkout->trial_days > 0)
        dreamd_form_int(form, "subscription_data[trial_period_days]", checkout->trial_days);
}

void dreamd_stripe_create_checkout(dreamd_upstream *upstream, const dreamd_stripe_actor *actor,
                                   const dreamd_stripe_checkout *checkout, dreamd_stripe_url_fn *fn, void *context)
{
    dream_buffer form = DREAM_BUFFER_INIT;

    fill_checkout(&form, checkout);
    post_page(upstream, actor, "/v1/checkout/sessions", &form, fn, context);
}

static void fill_line(dream_buffer *form, size_t index, const dreamd_stripe_line *line)
{
    char name[48];

    (void)snprintf(name, sizeof name, "line_items[%zu][price]", index);
    dreamd_form_text(form, name, line->price_id);
    (void)snprintf(name, sizeof name, "line_items[%zu][quantity]", index);
    dreamd_form_int(form, name, line->quantity);
}

void dreamd_stripe_create_order(dreamd_upstream *upstream, const dreamd_stripe_actor *actor,
                                const dreamd_stripe_order *order, dreamd_stripe_url_fn *fn, void *context)
{
    dream_buffer form = DREAM_BUFFER_INIT;

    dreamd_form_text(&form, "mode", "payment");
    dreamd_form_text(&form, "success_url", order->success_url);
    dreamd_form_text(&form, "cancel_url", order->cancel_url);
    dreamd_form_text(&form, "customer_email", order->customer_email);
    dreamd_form_text(&form, "metadata[publishableKey]", order->publishable_key);
    dreamd_form_text(&form, "metadata[platformId]", order->platform_id);
    for (size_t i = 0; i < order->count; i++)
        fill_line(&form, i, &order->lines[i]);
    dreamd_form_text(&form, "automatic_tax[enabled]", order->is_tax_enabled ? "true" : NULL);
    post_page(upstream, actor, "/v1/checkout/sessions", &form, fn, context);
}

void dreamd_stripe_create_portal(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *customer_id,
                                 const char *return_url, dreamd_stripe_url_fn *fn, void *context)
{
    dream_buffer form = DREAM_BUFFER_INIT;

    dreamd_form_text(&form, "customer", customer_id);
    dreamd_form_text(&form, "return_url", return_url);
    post_page(upstream, actor, "/v1/billing_portal/sessions", &form, fn, context);
}

/* ---- what a session sold ---- */

struct lines_call {
    dreamd_stripe_lines_fn *fn;
    void *context;
};

/* False if the answer is no list of lines, or not all of it. */
static bool read_lines(const cJSON *json, dreamd_stripe_line lines[DREAMD_STRIPE_MAX_LINES], size_t *out_count)
{
    const cJSON *data = dream_json_get(json, "data");
    const cJSON *item = NULL;

    *out_count = 0;
    if (!cJSON_IsArray(data) || dream_json_bool(json, "has_more", false))
        return false;
    cJSON_ArrayForEach(item, data)
    {
        dreamd_stripe_line *line = &lines[*out_count];

        if (*out_count == DREAMD_STRIPE_MAX_LINES)
            return false;
        line->price_id = dream_json_string(dream_json_get(item, "price"), "id");
        if (!line->price_id || !*line->price_id || !dream_json_int(item, "quantity", &line->quantity)
            || line->quantity < 1)
            return false;
        *out_count += 1;
    }
    return true;
}

static void on_lines(void *context, const dreamd_upstream_answer *answer)
{
    struct lines_call *call = context;
    dreamd_stripe_line lines[DREAMD_STRIPE_MAX_LINES];
    size_t count = 0;
    bool is_ok = answer->outcome == DREAMD_UPSTREAM_OK;
    dreamd_upstream_answer reported = *answer;

    if (is_ok && !read_lines(answer->json, lines, &count)) {
        is_ok = false;
        reported.outcome = DREAMD_UPSTREAM_UNAVAILABLE;
        reported.message = "The payment provider's answer is no list of line items";
    }
    call->fn(call->context, &reported, is_ok ? lines : NULL, count);
    free(call);
}

void dreamd_stripe_get_lines(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *session_id,
                             dreamd_stripe_lines_fn *fn, void *context)
{
    dream_buffer path = DREAM_BUFFER_INIT;
    struct lines_call *call = malloc(sizeof *call);

    dream_buffer_text(&path, "/v1/checkout/sessions/");
    dream_percent_encode(&path, session_id, strlen(session_id));
    dream_buffer_printf(&path, "/line_items?limit=%d", (int)DREAMD_STRIPE_MAX_LINES);
    if (call && !path.is_failed) {
        *call = (struct lines_call){ fn, context };
        ask(upstream, actor, "GET", dream_buffer_str(&path), NULL, on_lines, call);
    } else {
        dreamd_upstream_answer answer = { DREAMD_UPSTREAM_UNAVAILABLE, 0, "Out of memory", -1, NULL };
        free(call);
        fn(context, &answer, NULL, 0);
    }
    dream_buffer_clear(&path);
}

/* ---- the waiting forms ---- */

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t is_answered;
    bool is_done;
    bool is_ok;
    char *out_id;
    char *error;
};

static void on_created(void *context, const dreamd_upstream_answer *answer)
{
    struct waiter *waiter = context;
    const char *id = answer->outcome == DREAMD_UPSTREAM_OK ? dream_json_string(answer->json, "id") : NULL;

    pthread_mutex_lock(&waiter->mutex);
    if (id && *id && snprintf(waiter->out_id, DREAMD_STRIPE_ID_SIZE, "%s", id) < DREAMD_STRIPE_ID_SIZE)
        waiter->is_ok = true;
    else
        (void)snprintf(waiter->error, 256, "Stripe: %.240s",
                       answer->outcome == DREAMD_UPSTREAM_OK ? "the answer names no usable id" : answer->message);
    waiter->is_done = true;
    pthread_cond_signal(&waiter->is_answered);
    pthread_mutex_unlock(&waiter->mutex);
}

static bool post_and_wait(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *path,
                          const dream_buffer *form, char *out_id, char *error)
{
    struct waiter waiter = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, out_id, error };

    post(upstream, actor, path, form, on_created, &waiter);
    pthread_mutex_lock(&waiter.mutex);
    while (!waiter.is_done)
        pthread_cond_wait(&waiter.is_answered, &waiter.mutex);
    pthread_mutex_unlock(&waiter.mutex);
    pthread_cond_destroy(&waiter.is_answered);
    pthread_mutex_destroy(&waiter.mutex);
    return waiter.is_ok;
}

bool dreamd_stripe_wait_account(dreamd_upstream *upstream, const dreamd_stripe_actor *actor, const char *email,
                                char out_id[DREAMD_STRIPE_ID_SIZE], char error[256])
{
    dream_buffer form = DREAM_BUFFER_INIT;
    bool is_ok = false;

    dreamd_form_text(&form, "type", "standard");
    dreamd_form_text(&form, "email", email);
    is_ok = post_and_wait(upstream, actor, "/v1/accounts", &form, out_id, error);
    dream_buffer_clear(&form);
    return is_ok;
}

bool dreamd_stripe_wait_product(dreamd_upstream *upstream, const dreamd_stripe_actor *actor,
                                const dreamd_stripe_product *product, char out_id[DREAMD_STRIPE_ID_SIZE],
                                char error[256])
{
    dream_buffer form = DREAM_BUFFER_INIT;
    bool is_ok = false;

    dreamd_form_text(&form, "name", product->name);
    dreamd_form_text(&form, "description", product->description && *product->description ? product->description : NULL);
    dreamd_form_text(&form, "images[0]", product->image_url);
    dreamd_form_text(&form, "metadata[platformId]", product->platform_id);
    dreamd_form_text(&form, "metadata[tierName]", product->tier_name);
    dreamd_form_int(&form, "metadata[limit]", product->limit);
    is_ok = post_and_wait(upstream, actor, "/v1/products", &form, out_id, error);
    dream_buffer_clear(&form);
    return is_ok;
}

bool dreamd_stripe_wait_price(dreamd_upstream *upstream, const dreamd_stripe_actor *actor,
                              const dreamd_stripe_price *price, char out_id[DREAMD_STRIPE_ID_SIZE], char error[256])
{
    dream_buffer form = DREAM_BUFFER_INIT;
    bool is_ok = false;

    dreamd_form_text(&form, "product", price->product_id);
    dreamd_form_int(&form, "unit_amount", price->unit_amount);
    dreamd_form_text(&form, "currency", "usd");
    dreamd_form_text(&form, "recurring[interval]", price->is_recurring ? "month" : NULL);
    is_ok = post_and_wait(upstream, actor, "/v1/prices", &form, out_id, error);
    dream_buffer_clear(&form);
    return is_ok;
}
