/* SPDX-License-Identifier: Apache-2.0 */
/* stripe_list.c - list objects: newest first, pages by id, filters as data; and expand[]. */
#include "sandbox/stripe.h"

#include <string.h>

#include "common/json.h"

enum { DEFAULT_PAGE = 10, MAX_PAGE = 100, MAX_EXPAND = 20, MAX_EXPAND_DEPTH = 4 };

static bool subscription_is_listed(sandbox_call *call, const cJSON *object)
{
    const char *wanted = stripe_text(call, call->params, NULL, "status");
    const char *price = stripe_text(call, call->params, NULL, "price");
    const char *status = dream_json_string(object, "status");
    const cJSON *item;
    bool has_price = price == NULL;
    cJSON_ArrayForEach(item, dream_json_get(dream_json_get(object, "items"), "data"))
    {
        const char *id = dream_json_string(dream_json_get(item, "price"), "id");
        has_price = has_price || (id && strcmp(id, price) == 0);
    }
    bool is_canceled = status && strcmp(status, "canceled") == 0;
    if (!wanted) /* what is over is listed on request only */
        return has_price && !is_canceled;
    if (strcmp(wanted, "all") == 0)
        return has_price;
    return has_price && (strcmp(wanted, "ended") == 0 ? is_canceled : status && strcmp(wanted, status) == 0);
}

static bool session_is_listed(sandbox_call *call, const cJSON *object)
{
    const char *wanted = stripe_text(call, call->params, NULL, "status");
    cJSON *copy = wanted ? sandbox_copy(call, object) : NULL;
    if (!copy)
        return true;
    stripe_session_settle(call, copy);
    return stripe_session_is(copy, wanted);
}

static const stripe_filter customer_filters[] = { { "email", "email", STRIPE_MATCH_LOOKUP },
                                                  { "created", "created", STRIPE_MATCH_TIME } };
static const stripe_filter product_filters[] = { { "active", "active", STRIPE_MATCH_FLAG },
                                                 { "ids", "id", STRIPE_MATCH_ANY },
                                                 { "url", "url", STRIPE_MATCH_TEXT },
                                                 { "created", "created", STRIPE_MATCH_TIME } };
static const stripe_filter price_filters[] = {
    { "product", "product", STRIPE_MATCH_PARENT },     { "active", "active", STRIPE_MATCH_FLAG },
    { "currency", "currency", STRIPE_MATCH_TEXT },     { "type", "type", STRIPE_MATCH_TEXT },
    { "lookup_keys", "lookup_key", STRIPE_MATCH_ANY }, { "created", "created", STRIPE_MATCH_TIME }
};
static const stripe_filter session_filters[] = { { "customer", "customer", STRIPE_MATCH_PARENT },
                                                 { "subscription", "subscription", STRIPE_MATCH_LOOKUP },
                                                 { "payment_intent", "payment_intent", STRIPE_MATCH_TEXT },
                                                 { "created", "created", STRIPE_MATCH_TIME } };
static const stripe_filter subscription_filters[] = { { "customer", "customer", STRIPE_MATCH_PARENT },
                                                      { "created", "created", STRIPE_MATCH_TIME } };
static const stripe_filter invoice_filters[] = { { "customer", "customer", STRIPE_MATCH_PARENT },
                                                 { "subscription", "subscription", STRIPE_MATCH_LOOKUP },
                                                 { "status", "status", STRIPE_MATCH_TEXT },
                                                 { "created", "created", STRIPE_MATCH_TIME } };
static const stripe_filter event_filters[] = { { "type", "type", STRIPE_MATCH_LOOKUP },
                                               { "types", "type", STRIPE_MATCH_ANY },
                                               { "created", "created", STRIPE_MATCH_TIME } };

static const stripe_filter configuration_filters[] = { { "active", "active", STRIPE_MATCH_FLAG },
                                                       { "is_default", "is_default", STRIPE_MATCH_FLAG } };
#define FILTERS(table) table, sizeof table / sizeof *table
const stripe_resource stripe_account = { "account", "account", "/v1/accounts", NULL, 0, NULL };
const stripe_resource stripe_customer = { "customer", "id", "/v1/customers", FILTERS(customer_filters), NULL };
const stripe_resource stripe_product = { "product", "id", "/v1/products", FILTERS(product_filters), NULL };
const stripe_resource stripe_price = { "price", "price", "/v1/prices", FILTERS(price_filters), NULL };
const stripe_resource stripe_session = { "checkout.session", "session", "/v1/checkout/sessions",
                                         FILTERS(session_filters), session_is_listed };
const stripe_resource stripe_subscription = { "subscription", "id", "/v1/subscriptions", FILTERS(subscription_filters),
                                              subscription_is_listed };
const stripe_resource stripe_invoice = { "invoice", "invoice", "/v1/invoices", FILTERS(invoice_filters), NULL };
const stripe_resource stripe_event = { "event", "id", "/v1/events", FILTERS(event_filters), NULL };
const stripe_resource stripe_portal_configuration = { "billing_portal.configuration", "configuration",
                                                      "/v1/billing_portal/configurations",
                                                      FILTERS(configuration_filters), NULL };
const stripe_resource stripe_payment_intent = { "payment_intent", "intent", "/v1/payment_intents", NULL, 0, NULL };

/* ---- pages ---- */

struct page {
    sandbox_call *call;
    const stripe_resource *resource;
    cJSON *list;
    int64_t limit;
    int64_t count;
    bool is_backward; /* found oldest first; to be shown newest first */
};

static bool is_any(const cJSON *wanted, const char *value)
{
    const cJSON *one;
    cJSON_ArrayForEach(one,
                       wanted) if (value && cJSON_IsString(one) && strcmp(one->valuestring, value) == 0) return true;
    return false;
}

static bool is_in_time(sandbox_call *call, const cJSON *wanted, int64_t time)
{
    if (!cJSON_IsObject(wanted))
        return time == stripe_int(call, call->params, NULL, "created", time, 0, INT64_MAX);
    return time > stripe_int(call, wanted, "created", "gt", -1, 0, INT64_MAX)
           && time >= stripe_int(call, wanted, "created", "gte", 0, 0, INT64_MAX)
           && time < stripe_int(call, wanted, "created", "lt", INT64_MAX, 0, INT64_MAX)
           && time <= stripe_int(call, wanted, "created", "lte", INT64_MAX, 0, INT64_MAX);
}

static bool passes(sandbox_call *call, const stripe_filter *filter, const cJSON *object)
{
    const cJSON *wanted = dream_json_get(call->params, filter->param);
    const char *value = dream_json_string(object, filter->member);
    int64_t time = 0;
    if (!wanted)
        return true;
    switch (filter->match) {
    case STRIPE_MATCH_FLAG:
        return dream_json_bool(object, filter->member, false)
               == stripe_flag(call, call->params, NULL, filter->param, false);
    case STRIPE_MATCH_TIME:
        return dream_json_int(object, filter->member, &time) && is_in_time(call, wanted, time);
    case STRIPE_MATCH_ANY:
        return is_any(wanted, value);
    case STRIPE_MATCH_PARENT:
    case STRIPE_MATCH_LOOKUP:
    case STRIPE_MATCH_TEXT:
        break;
    }
    const char *text = stripe_text(call, call->params, NULL, filter->param);
    return text && value && strcmp(text, value) == 0;
}

static bool is_listed(struct page *page, const cJSON *object)
{
    const stripe_resource *resource = page->resource;
    if (stripe_is_deleted(object))
        return false;
    for (size_t i = 0; i < resource->filter_count; i++)
        if (!passes(page->call, &resource->filters[i], object))
            return false;
    return !resource->is_listed || resource->is_listed(page->call, object);
}

static bool collect(void *context, cJSON *json)
{
    struct page *page = context;
    if (!is_listed(page, json)) {
        cJSON_Delete(json);
        return page->call->status == 0;
    }
    if (page->count == page->limit) { /* one more than asked for: there is a next page */
        cJSON_Delete(json);
        sandbox_set_bool(page->call, page->list, "has_more", true);
        return false;
    }
    cJSON *data = sandbox_member(page->list, "data");
    bool done = page->is_backward ? cJSON_InsertItemInArray(data, 0, json) : cJSON_AddItemToArray(data, json);
    if (!done) {
        cJSON_Delete(json);
        page->call->is_nomem = true;
    }
    page->count++;
    return done;
}

/* The place of the object a page begins or ends at; 0 if the parameter is absent. */
static int64_t read_cursor(sandbox_call *call, const stripe_resource *resource, const char *name)
{
    const char *id = stripe_text(call, call->params, NULL, name);
    int64_t seq = id ? sandbox_doc_seq(call->tx, &call->scope, resource->kind, id) : 0;
    if (id && seq == 0)
        stripe_no_such(call, resource, id, name);
    return seq;
}

/* The index that serves one of the filters. */
static void choose_index(sandbox_call *call, const stripe_resource *resource, sandbox_scan *scan)
{
    for (size_t i = 0; i < resource->filter_count; i++) {
        const stripe_filter *filter = &resource->filters[i];
        if (filter->match == STRIPE_MATCH_PARENT && !scan->parent)
            scan->parent = stripe_text(call, call->params, NULL, filter->param);
        if (filter->match == STRIPE_MATCH_LOOKUP && !scan->lookup)
            scan->lookup = stripe_text(call, call->params, NULL, filter->param);
    }
}

void stripe_list(sandbox_call *call)
{
    const stripe_resource *resource = call->route->subject;
    struct page page = { .call = call, .resource = resource, .list = stripe_list_of(call, NULL, resource->url) };
    sandbox_scan scan = { .kind = resource->kind };
    page.limit = stripe_int(call, call->params, NULL, "limit", DEFAULT_PAGE, 1, MAX_PAGE);
    scan.before_seq = read_cursor(call, resource, "starting_after");
    scan.after_seq = read_cursor(call, resource, "ending_before");
    if (scan.before_seq && scan.after_seq)
        stripe_refuse(call, NULL, NULL, "You cannot parameterize both starting_after and ending_before.");
    choose_index(call, resource, &scan);
    if (call->status != 0 || !page.list)
        return;
    page.is_backward = scan.is_oldest_first = scan.after_seq != 0;
    sandbox_doc_scan(call->tx, &call->scope, &scan, collect, &page);
    stripe_answer(call, page.list);
}

/* ---- expand[] ---- */

/* Members that hold the id of another object. */
static const struct {
    const char *member;
    const stripe_resource *resource;
} expandable[] = {
    { "customer", &stripe_customer },
    { "product", &stripe_product },
    { "default_price", &stripe_price },
    { "subscription", &stripe_subscription },
    { "latest_invoice", &stripe_invoice },
    { "invoice", &stripe_invoice },
    { "payment_intent", &stripe_payment_intent },
    { "configuration", &stripe_portal_configuration },
};

/* The member as an object: fetched in place of its id, or there already. NULL: null, or nothing to expand. */
static cJSON *expand_member(sandbox_call *call, cJSON *object, const char *name, bool *is_known)
{
    *is_known = true;
    if (strcmp(name, "line_items") == 0 && dream_json_get(object, "_line_items")) {
        const char *url = sandbox_printf(call, "/v1/checkout/sessions/%s/line_items", dream_json_string(object, "id"));
        sandbox_embed(call, object, name, stripe_list_of(call, dream_json_get(object, "_line_items"), url));
        return sandbox_member(object, name);
    }
    cJSON *value = sandbox_member(object, name);
    if (cJSON_IsObject(value) || cJSON_IsArray(value))
        return value;
    for (size_t i = 0; i < sizeof expandable / sizeof *expandable; i++) {
        if (!value || strcmp(name, expandable[i].member) != 0)
            continue;
        const cJSON *found = sandbox_read(call, expandable[i].resource->kind, cJSON_GetStringValue(value));
        if (!found)
            return NULL;
        sandbox_embed(call, object, name, stripe_public(call, found));
        return sandbox_member(object, name);
    }
    *is_known = false;
    return NULL;
}

static void expand_path(sandbox_call *call, cJSON *object, const char *path, int depth)
{
    char name[64];
    size_t size = strcspn(path, ".");
    bool is_known = false;
    cJSON *element;
    if (cJSON_IsArray(object)) {
        cJSON_ArrayForEach(element, object) expand_path(call, element, path, depth);
        return;
    }
    if (depth == 0) {
        stripe_refuse(call, "property_expansion_max_depth", "expand",
                      "You cannot expand more than %d levels of a property.", MAX_EXPAND_DEPTH);
        return;
    }
    cJSON *value = NULL;
    if (size > 0 && size < sizeof name) {
        memcpy(name, path, size);
        name[size] = '\0';
        value = expand_member(call, object, name, &is_known);
    }
    if (!is_known)
        stripe_refuse(call, NULL, "expand", "This property cannot be expanded (%.100s).", path);
    else if (value && path[size])
        expand_path(call, value, path + size + 1, depth - 1);
}

void stripe_expand(sandbox_call *call, cJSON *object)
{
    const cJSON *paths = dream_json_get(call->params, "expand");
    const cJSON *path;
    if (paths && (!cJSON_IsArray(paths) || cJSON_GetArraySize(paths) > MAX_EXPAND)) {
        stripe_refuse(call, NULL, "expand", "Invalid array");
        return;
    }
    cJSON_ArrayForEach(path, paths)
    {
        const char *text = cJSON_GetStringValue(path);
        bool is_list = text && strncmp(text, "data.", 5) == 0;
        if (text && call->status == 0)
            expand_path(call, object, text, MAX_EXPAND_DEPTH + (is_list ? 1 : 0));
    }
}
