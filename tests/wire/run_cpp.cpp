/* SPDX-License-Identifier: Apache-2.0 */
/* run_cpp.cpp - the recorded wire cases through dreamapi.hpp: every field of an answer that the recorded one has a word for must say the same,
 * and every field must be had by some case. See cases.h; the list of fields is made from the headers (fields.py). */
#include "cases.h"

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <dreamapi.hpp>

#include "fields.hpp"

extern "C" const char *const wire_language = "C++";

namespace {

std::optional<std::string> text_of(const cJSON *object, const char *name)
{
    const char *text = wire_text_of(object, name);

    return text != nullptr ? std::optional<std::string>(text) : std::nullopt;
}

/* ---- the answer ---- */

/* The fields that some case had a word for, as "tier.price". */
std::set<std::string> compared;

/* Compares a value with the recorded objects that it was made from. */
class comparison {
public:
    comparison(wire_report &report, std::vector<const cJSON *> recorded)
        : report_(report), recorded_(std::move(recorded))
    {}

    void operator()(const char *type, const char *name, std::string_view got)
    {
        const cJSON *there = find(type, name);

        if (there != nullptr && std::strcmp(name, "json") != 0)
            expect(name, says(there, got), std::string(got));
    }
    void operator()(const char *type, const char *name, std::optional<std::string_view> got)
    {
        const cJSON *there = find(type, name);

        if (there != nullptr)
            expect(name, got ? says(there, *got) : !cJSON_IsString(there), got ? std::string(*got) : "nothing");
    }
    void operator()(const char *type, const char *name, std::int64_t got)
    {
        const cJSON *there = find(type, name);

        if (there != nullptr)
            expect(name, got == number(there), std::to_string(got));
    }
    void operator()(const char *type, const char *name, std::optional<std::int64_t> got)
    {
        const cJSON *there = find(type, name);

        if (there != nullptr && (got || !cJSON_IsNull(there)))
            expect(name, got && *got == number(there), got ? std::to_string(*got) : "nothing");
    }
    void operator()(const char *type, const char *name, bool got)
    {
        const cJSON *there = find(type, name);

        if (there != nullptr)
            expect(name, got == (cJSON_IsTrue(there) != 0), got ? "true" : "false");
    }
    template <class Item, class Object>
    void operator()(const char *type, const char *name, dreamapi::detail::list<Item, Object> got)
    {
        const cJSON *there = find(type, name);

        if (there == nullptr)
            return;
        expect(name, got.size() == static_cast<std::size_t>(cJSON_GetArraySize(there)),
               std::to_string(got.size()) + " parts");
        for (std::size_t i = 0; i < got.size(); i++)
            item(name, got[i], cJSON_GetArrayItem(there, static_cast<int>(i)));
    }

private:
    const cJSON *find(const char *type, const char *name)
    {
        for (const cJSON *part : recorded_) {
            if (const cJSON *there = wire_member(part, name)) {
                compared.insert(std::string(type) + "." + name);
                return there;
            }
        }
        return nullptr;
    }
    void expect(const char *name, bool is_right, const std::string &got)
    {
        if (!is_right)
            wire_wrong(&report_, "%s is %s", name, got.c_str());
    }
    static std::int64_t number(const cJSON *there)
    {
        return cJSON_IsNumber(there) ? static_cast<std::int64_t>(there->valuedouble) : DREAMAPI_UNLIMITED;
    }
    /* An object is told as its JSON. */
    static bool says(const cJSON *there, std::string_view got)
    {
        if (cJSON_IsString(there))
            return got == there->valuestring;
        cJSON *again = cJSON_Parse(std::string(got).c_str());
        const bool is_same = cJSON_Compare(again, there, true) != 0;

        cJSON_Delete(again);
        return is_same;
    }
    void item(const char *name, std::string_view got, const cJSON *there)
    {
        expect(name, says(there, got), std::string(got));
    }
    template <class View> void item(const char *, const View &got, const cJSON *there)
    {
        comparison inner(report_, { there });

        each_field(got, inner);
    }

    wire_report &report_;
    std::vector<const cJSON *> recorded_;
};

using parts = std::vector<const cJSON *>;

std::string sure(std::optional<std::string_view> text)
{
    return text ? std::string(*text) : std::string();
}

/* What comes of a call: the failure, or a value whose fields are in these parts of the answer. */
template <class Answer>
dreamapi_status read(wire_run *run, const dreamapi::result<Answer> &answer, const cJSON *recorded, const parts &where)
{
    run->error = answer ? dreamapi_error{} : answer.error().c();
    if (!answer)
        return run->error.status;
    comparison compare(run->report, where);
    each_field(*answer, compare);
    if constexpr (!std::is_same_v<Answer, dreamapi::health>) {
        cJSON *again = cJSON_Parse(sure(answer->json()).c_str());
        if (!cJSON_Compare(again, recorded, true))
            wire_wrong(&run->report, "json is %s", sure(answer->json()).c_str());
        cJSON_Delete(again);
    }
    return DREAMAPI_OK;
}

/* Some lists and figures of the dashboard lie elsewhere, and under other names. */
class dashboard_parts {
public:
    explicit dashboard_parts(const cJSON *answer) : renamed_(cJSON_CreateObject())
    {
        const cJSON *keys = wire_member(answer, "keys"), *webhook = wire_member(answer, "webhook"),
                    *filters = wire_member(answer, "filters");

        add("filterPlatformId", filters, "platformId");
        add("filterPublishableKey", filters, "publishableKey");
        add("filterMode", filters, "mode");
        add("events", webhook, "recent");
        add("lastEventAt", webhook, "lastEventAt");
        parts_ = { wire_member(answer, "metrics"), keys, renamed_, answer };
    }
    dashboard_parts(const dashboard_parts &) = delete;
    dashboard_parts &operator=(const dashboard_parts &) = delete;
    ~dashboard_parts()
    {
        cJSON_Delete(renamed_);
    }
    const parts &get() const
    {
        return parts_;
    }

private:
    void add(const char *name, const cJSON *from, const char *there)
    {
        if (const cJSON *item = wire_member(from, there))
            cJSON_AddItemToObject(renamed_, name, cJSON_Duplicate(item, 1));
    }

    cJSON *renamed_;
    parts parts_;
};

template <class List>
dreamapi_status read_list(wire_run *run, const dreamapi::result<List> &answer, const cJSON *recorded, const char *name)
{
    cJSON *renamed = cJSON_CreateObject();

    cJSON_AddItemReferenceToObject(renamed, "items", cJSON_GetObjectItemCaseSensitive(recorded, name));
    const dreamapi_status status = read(run, answer, recorded, { renamed });
    cJSON_Delete(renamed);
    return status;
}

parts of_customer(const cJSON *answer)
{
    return { answer, wire_member(answer, wire_member(answer, "deleted") != nullptr
                                                 && !cJSON_IsBool(wire_member(answer, "deleted"))
                                             ? "deleted"
                                             : "customer") };
}

/* Only extensions have these; the tests of extensions read them. */
const std::set<std::string> of_extensions = { "customer.status",     "customer.usageCount",
                                              "customer.usageLimit", "dashboard.hasMoreCustomers",
                                              "totals.mode",         "totals.projects",
                                              "health.extensions" };
const std::set<std::string> values_of_extensions = { "customers",     "history",        "history_day", "history_event",
                                                     "usage_outcome", "usage_outcomes", "token" };

/* Visits fields of no object, for their names. */
class names {
public:
    explicit names(wire_report &report) : report_(report) {}
    template <class Got> void operator()(const char *type, const char *name, const Got &)
    {
        const std::string field = std::string(type) + "." + name;

        if (std::strcmp(name, "json") != 0
            && compared.count(field) + of_extensions.count(field) + values_of_extensions.count(type) == 0)
            wire_wrong(&report_, "no case has a word for %s", field.c_str());
    }

private:
    wire_report &report_;
};

/* ---- the calls ---- */

dreamapi::cart_params cart_of(const cJSON *body)
{
    dreamapi::cart_params params;
    const cJSON *item;

    cJSON_ArrayForEach(item, wire_member(body, "items"))
        params.items.push_back({ text_of(item, "priceId"), text_of(item, "productId"), text_of(item, "tier"),
                                 wire_int_of(item, "quantity", 0) });
    params.email = text_of(body, "email");
    params.success_url = text_of(body, "successUrl");
    params.cancel_url = text_of(body, "cancelUrl");
    return params;
}

dreamapi_status upload(wire_run *run, const dreamapi::client &client, const dreamapi::call_options &options,
                       const cJSON *body, const cJSON *answer)
{
    std::vector<unsigned char> data(WIRE_TEXT_SIZE);
    const int size = wire_decode_base64(wire_text_of(body, "data"), data.data());
    const std::string bytes(data.begin(), data.begin() + size);
    dreamapi::asset_params params;

    params.filename = *text_of(body, "filename");
    params.content_type = text_of(body, "contentType");
    params.data = bytes;
    return read(run, client.asset_upload(params, options), answer, { answer });
}

dreamapi_status send(wire_run *run, const dreamapi::client &client, const dreamapi::call_options &options,
                     const cJSON *body, const cJSON *answer)
{
    const std::string id = run->id != nullptr ? run->id : "";

    switch (run->kind->call) {
    case WIRE_HEALTH_GET:
        return read(run, client.health_get(options), answer, { answer });
    case WIRE_TIER_LIST:
        return read_list(run, client.tier_list(options), answer, "tiers");
    case WIRE_PRODUCT_LIST:
        return read_list(run, client.product_list(options), answer, "products");
    case WIRE_USAGE_GET:
        return read(run, client.usage_get(std::nullopt, options), answer, { answer });
    case WIRE_USAGE_TRACK:
        return read(run, client.usage_track(std::nullopt, {}, options), answer,
                    { answer, wire_member(answer, "usage"), wire_member(answer, "data") });
    case WIRE_CHECKOUT_CREATE: {
        dreamapi::checkout_params params;
        params.tier = text_of(body, "tier");
        params.price_id = text_of(body, "priceId");
        params.success_url = text_of(body, "successUrl");
        params.cancel_url = text_of(body, "cancelUrl");
        return read(run, client.checkout_create(params, options), answer, { answer });
    }
    case WIRE_PORTAL_CREATE: {
        dreamapi::portal_params params;
        params.return_url = text_of(body, "returnUrl");
        return read(run, client.portal_create(params, options), answer, { answer });
    }
    case WIRE_CUSTOMER_CREATE: {
        dreamapi::customer_params params;
        params.email = text_of(body, "email");
        params.first_name = text_of(body, "firstName");
        params.last_name = text_of(body, "lastName");
        params.plan = text_of(body, "plan");
        params.password = text_of(body, "password");
        return read(run, client.customer_create(params, options), answer, of_customer(answer));
    }
    case WIRE_CUSTOMER_GET:
        return read(run, client.customer_get(id, options), answer, of_customer(answer));
    case WIRE_CUSTOMER_UPDATE: {
        dreamapi::customer_update_params params;
        params.plan = text_of(body, "plan");
        return read(run, client.customer_update(id, params, options), answer, of_customer(answer));
    }
    case WIRE_CUSTOMER_DELETE:
        return read(run, client.customer_delete(id, options), answer, of_customer(answer));
    case WIRE_CART_CHECKOUT:
        return read(run, client.cart_checkout(cart_of(body), options), answer, { answer });
    case WIRE_DASHBOARD_GET:
        return read(run, client.dashboard_get(options), answer, dashboard_parts(answer).get());
    case WIRE_DASHBOARD_TOTALS:
        return read(run, client.dashboard_totals(options), answer, { wire_member(answer, "totals"), answer });
    case WIRE_ASSET_UPLOAD:
        return upload(run, client, options, body, answer);
    }
    wire_bail_out("no such call", run->kind->path);
}

} // namespace

dreamapi_status wire_send(wire_run *run, const cJSON *body, const cJSON *answer)
{
    dreamapi::options settings;
    dreamapi::call_options options;

    settings.base_url(run->base_url).max_retries(0).threads(0);
    if (run->secret_key != nullptr)
        settings.secret_key(run->secret_key);
    if (run->publishable_key != nullptr)
        settings.publishable_key(run->publishable_key);
    wire_must(dreamapi_test_transport_install(run->transport, settings.get()));
    options.idempotency_key = run->options.idempotency_key;
    if (run->options.user_token != nullptr)
        options.user_token = run->options.user_token;
    return send(run, dreamapi::client::make(settings).value(), options, body, answer);
}

void wire_all_done(wire_report *report)
{
    names visit(*report);

    each_value(visit);
}
