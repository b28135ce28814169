/* SPDX-License-Identifier: Apache-2.0 - made by bindings/generate.py from the headers in include/dreamapi */
/* values.hpp - what calls answer and what they are given. Included by dreamapi.hpp. */
#ifndef DREAMAPI_VALUES_HPP
#define DREAMAPI_VALUES_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <dreamapi.h>
#include <dreamapi/detail.hpp>

namespace dreamapi {

/// One code for each cause a caller can act on. Codes are only ever added: treat an unknown one as a failure.
enum class status : int {
    ok = 0,
    /// A bad argument, or the server found the request malformed (400, 422). Repeating it will not help.
    invalid = 1,
    /// Out of memory.
    nomem = 2,
    /// The key or the user token is missing, unknown, revoked or expired (401).
    auth = 3,
    /// The key is good but may not do this (403).
    forbidden = 4,
    /// No such customer, or not one of this project's (404).
    not_found = 5,
    /// The request contradicts the present state, or its idempotency key is in use (409).
    conflict = 6,
    /// The user's plan has no units left in this period; dreamapi_error.used and .limit tell the numbers. Nothing was
    /// counted.
    limit = 7,
    /// Too many requests in this minute (429); see dreamapi_error.retry_after_ms and .local. Nothing was counted.
    rate_limited = 8,
    /// The deadline passed, and the request was surely not carried out or may be repeated without harm.
    timeout = 9,
    /// The call was cancelled, or its client was freed. The message says if the request may have been carried out.
    cancelled = 10,
    /// The service cannot be reached, or says that it cannot answer now (502, 503, 504).
    unavailable = 11,
    /// The request may have been carried out, and repeating it could do its work twice. The library did not. Repeating
    /// it with the same idempotency key is safe where dreamapi_error.retriable is 1.
    outcome_unknown = 12,
    /// This library, or this server, cannot do that.
    unsupported = 13,
    /// The server wants the end user's token for this (dreamapi_call_options.user_token). Nothing was sent.
    token_required = 14,
    /// The answer is not what the contract says; with calls that are no POST also: it is no HTTP, or larger than
    /// allowed. A POST was carried out all the same, unless the answer is a redirect.
    protocol = 15,
    /// The platform's own subscription has ended (403 subscription_expired): every call fails until it is renewed.
    subscription_expired = 16,
    /// No trusted connection: certificate, name or protocol version was refused. Nothing was sent.
    tls = 17,
    /// The server failed in a way it did not explain (any other 5xx).
    server = 18,
    /// The client was made before fork() and belongs to the parent. Make a new one in the child.
    forked = 19,
    /// The call is not finished yet.
    pending = 20,
    /// The journal cannot be used: damaged, of another version or another server, or no room for it. The message says
    /// which.
    journal = 21,
};

/// How much a log line matters. Codes are only ever added.
enum class log_level : int {
    warning = 1,
    info = 2,
    debug = 3,
};

/// Why a decision is what it is. Codes are only ever added.
enum class reason : int {
    /// Allowed.
    none = 0,
    /// The plan has too few units left in this period.
    limit = 1,
    /// There would be enough, but other holders have them at the moment.
    held = 2,
    /// Too many calls in this minute.
    rate = 3,
    /// No unit is here, and the server was not asked yet or did not answer in time.
    empty = 4,
    /// No unit is here, and the server cannot be reached.
    unavailable = 5,
    /// The server knows no such user, or deleted them.
    no_customer = 6,
    /// The server refused the client: key, plan of the platform, a token that is needed. The status says which.
    refused = 7,
};

/// Where an answer comes from. Codes are only ever added.
enum class source : int {
    /// From nowhere: nothing is known.
    none = 0,
    /// From a lease: exact.
    lease = 1,
    /// From what the server last said, remembered.
    cache = 2,
    /// From the server, asked for this decision.
    server = 3,
    /// From the meter's policy, as nothing better was at hand (DREAMAPI_POLICY_ALLOW).
    fallback = 4,
    /// From the caller (dreamapi_tier_check).
    caller = 5,
};

/// What a use does when no unit is at hand and the server was not heard. A refusal by the server is never waited out.
enum class policy : int {
    /// Wait for the server, up to dreamapi_meter_params.wait_ms; then refuse.
    wait = 0,
    /// Refuse at once; the server is asked meanwhile.
    deny = 1,
    /// Allow, up to dreamapi_meter_params.allow_units beyond what is granted; they are billed from the next leases.
    allow = 2,
};

/// How a sender signs. Codes are only ever added.
enum class webhook_scheme : int {
    /// Not said yet: refused.
    none = 0,
    /// Stripe-Signature: t=...,v1=...; the secret is used as it is, "whsec_" included.
    stripe = 1,
    /// Standard Webhooks and Svix; the secret is base64, with or without "whsec_" before it.
    standard = 2,
};

/// A file that the service keeps. A view: valid as long as the object that it was taken from.
class asset_view {
public:
    explicit asset_view(const dreamapi_asset *object = nullptr) noexcept : object_(object) {}

    /// The file's name at the service.
    std::string_view key() const noexcept { return detail::text(dreamapi_asset_key(object_)); }

    /// The file's address; without scheme and host it begins with '/' and belongs after the base URL.
    std::string_view url() const noexcept { return detail::text(dreamapi_asset_url(object_)); }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_asset_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_asset *get() const noexcept { return object_; }

protected:
    const dreamapi_asset *object_;
};

/// A file that the service keeps. Owned, and moved, never copied.
class asset : public asset_view {
public:
    /// Takes ownership of a C object.
    explicit asset(dreamapi_asset *object = nullptr) noexcept : asset_view(object) {}
    asset(asset &&other) noexcept : asset_view(other.release()) {}
    asset &operator=(asset &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    asset(const asset &) = delete;
    asset &operator=(const asset &) = delete;
    ~asset() { reset(); }

    /// Gives the C object away.
    dreamapi_asset *release() noexcept
    {
        return const_cast<dreamapi_asset *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_asset *object = nullptr) noexcept
    {
        dreamapi_asset_free(const_cast<dreamapi_asset *>(std::exchange(object_, object)));
    }
};

/// A page where a user pays. A view: valid as long as the object that it was taken from.
class checkout_view {
public:
    explicit checkout_view(const dreamapi_checkout *object = nullptr) noexcept : object_(object) {}

    /// The address to send the user to.
    std::string_view url() const noexcept { return detail::text(dreamapi_checkout_url(object_)); }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_checkout_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_checkout *get() const noexcept { return object_; }

protected:
    const dreamapi_checkout *object_;
};

/// A page where a user pays. Owned, and moved, never copied.
class checkout : public checkout_view {
public:
    /// Takes ownership of a C object.
    explicit checkout(dreamapi_checkout *object = nullptr) noexcept : checkout_view(object) {}
    checkout(checkout &&other) noexcept : checkout_view(other.release()) {}
    checkout &operator=(checkout &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    checkout(const checkout &) = delete;
    checkout &operator=(const checkout &) = delete;
    ~checkout() { reset(); }

    /// Gives the C object away.
    dreamapi_checkout *release() noexcept
    {
        return const_cast<dreamapi_checkout *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_checkout *object = nullptr) noexcept
    {
        dreamapi_checkout_free(const_cast<dreamapi_checkout *>(std::exchange(object_, object)));
    }
};

/// What the service says about a customer. A view: valid as long as the object that it was taken from.
class customer_view {
public:
    explicit customer_view(const dreamapi_customer *object = nullptr) noexcept : object_(object) {}

    /// The customer's id.
    std::string_view id() const noexcept { return detail::text(dreamapi_customer_id(object_)); }

    /// NULL when the answer does not say.
    std::optional<std::string_view> email() const noexcept { return detail::optional_text(dreamapi_customer_email(object_)); }

    /// NULL when not known.
    std::optional<std::string_view> first_name() const noexcept { return detail::optional_text(dreamapi_customer_first_name(object_)); }

    /// NULL when not known.
    std::optional<std::string_view> last_name() const noexcept { return detail::optional_text(dreamapi_customer_last_name(object_)); }

    /// The name of the tier; nothing when the answer does not say.
    std::optional<std::string_view> plan() const noexcept { return detail::optional_text(dreamapi_customer_plan(object_)); }

    /// The project's publishable key; nothing when the answer does not say.
    std::optional<std::string_view> publishable_key() const noexcept { return detail::optional_text(dreamapi_customer_publishable_key(object_)); }

    /// Milliseconds since 1970-01-01T00:00Z; 0 when the answer does not say.
    std::optional<std::int64_t> created_at() const noexcept { return detail::optional_number(dreamapi_customer_created_at(object_), 0); }

    /// The subscription's, as in "active"; "none" without one; nothing when the answer does not say (only lists do).
    std::optional<std::string_view> status() const noexcept { return detail::optional_text(dreamapi_customer_status(object_)); }

    /// Units used in this period; nothing when the answer does not say (only lists do).
    std::optional<std::int64_t> usage_count() const noexcept { return detail::optional_number(dreamapi_customer_usage_count(object_), -1); }

    /// Units the plan allows in a period, or DREAMAPI_UNLIMITED; nothing when the answer does not say (only lists do).
    std::optional<std::int64_t> usage_limit() const noexcept { return detail::optional_number(dreamapi_customer_usage_limit(object_), -1); }

    /// The server's remark on what it did; nothing if it made none.
    std::optional<std::string_view> message() const noexcept { return detail::optional_text(dreamapi_customer_message(object_)); }

    /// 1 unless the answer says "success": false.
    bool success() const noexcept { return dreamapi_customer_success(object_) != 0; }

    /// The whole answer as it came and for a customer of a list.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_customer_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_customer *get() const noexcept { return object_; }

protected:
    const dreamapi_customer *object_;
};

/// What the service says about a customer. Owned, and moved, never copied.
class customer : public customer_view {
public:
    /// Takes ownership of a C object.
    explicit customer(dreamapi_customer *object = nullptr) noexcept : customer_view(object) {}
    customer(customer &&other) noexcept : customer_view(other.release()) {}
    customer &operator=(customer &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    customer(const customer &) = delete;
    customer &operator=(const customer &) = delete;
    ~customer() { reset(); }

    /// Gives the C object away.
    dreamapi_customer *release() noexcept
    {
        return const_cast<dreamapi_customer *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_customer *object = nullptr) noexcept
    {
        dreamapi_customer_free(const_cast<dreamapi_customer *>(std::exchange(object_, object)));
    }
};

/// One page of a list of customers. A value, like a customer; its customers and their texts are borrowed until
/// dreamapi_customers_free. A view: valid as long as the object that it was taken from.
class customers_view {
public:
    explicit customers_view(const dreamapi_customers *object = nullptr) noexcept : object_(object) {}

    /// One of them, borrowed from the page;
    detail::list<customer_view, dreamapi_customers> items() const noexcept
    {
        return { object_, dreamapi_customers_count, [](const dreamapi_customers *object, std::size_t index) {
            return customer_view(dreamapi_customers_at(object, index));
        } };
    }

    /// Where the next page begins; nothing when this is the last one. One with few customers, or none, need not be the
    /// last.
    std::optional<std::string_view> next_cursor() const noexcept { return detail::optional_text(dreamapi_customers_next_cursor(object_)); }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_customers_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_customers *get() const noexcept { return object_; }

protected:
    const dreamapi_customers *object_;
};

/// One page of a list of customers. A value, like a customer; its customers and their texts are borrowed until
/// dreamapi_customers_free. Owned, and moved, never copied.
class customers : public customers_view {
public:
    /// Takes ownership of a C object.
    explicit customers(dreamapi_customers *object = nullptr) noexcept : customers_view(object) {}
    customers(customers &&other) noexcept : customers_view(other.release()) {}
    customers &operator=(customers &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    customers(const customers &) = delete;
    customers &operator=(const customers &) = delete;
    ~customers() { reset(); }

    /// Gives the C object away.
    dreamapi_customers *release() noexcept
    {
        return const_cast<dreamapi_customers *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_customers *object = nullptr) noexcept
    {
        dreamapi_customers_free(const_cast<dreamapi_customers *>(std::exchange(object_, object)));
    }
};

/// One user of a dashboard, with subscription and usage. A view: valid as long as the object that it was taken from.
class dashboard_customer_view {
public:
    explicit dashboard_customer_view(const dreamapi_dashboard_customer *object = nullptr) noexcept : object_(object) {}

    /// The user's id.
    std::string_view user_id() const noexcept { return detail::text(dreamapi_dashboard_customer_user_id(object_)); }

    /// NULL if there is none.
    std::optional<std::string_view> email() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_email(object_)); }

    /// The name of the tier in force; nothing when the answer does not say.
    std::optional<std::string_view> plan() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_plan(object_)); }

    /// The subscription's, as in "active"; "none" without one.
    std::optional<std::string_view> status() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_status(object_)); }

    /// Units used in this period.
    std::int64_t usage_count() const noexcept { return dreamapi_dashboard_customer_usage_count(object_); }

    /// Units the plan allows in a period, or DREAMAPI_UNLIMITED.
    std::int64_t limit() const noexcept { return dreamapi_dashboard_customer_limit(object_); }

    /// First day of the period, "YYYY-MM-DD" in UTC; NULL before the first use.
    std::optional<std::string_view> period_start() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_period_start(object_)); }

    /// Last day of the period, "YYYY-MM-DD" in UTC; NULL before the first use.
    std::optional<std::string_view> period_end() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_period_end(object_)); }

    /// When the subscription's paid period ends, in ISO 8601; NULL without a subscription.
    std::optional<std::string_view> current_period_end() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_current_period_end(object_)); }

    /// When the subscription was or will be over, in ISO 8601; nothing if nobody cancelled it.
    std::optional<std::string_view> canceled_at() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_canceled_at(object_)); }

    /// Stripe's; nothing if there is none.
    std::optional<std::string_view> subscription_id() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_subscription_id(object_)); }

    /// Stripe's; nothing if there is none.
    std::optional<std::string_view> stripe_customer_id() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_stripe_customer_id(object_)); }

    /// Stripe's; nothing if there is none.
    std::optional<std::string_view> price_id() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_price_id(object_)); }

    /// Stripe's; nothing if there is none.
    std::optional<std::string_view> product_id() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_product_id(object_)); }

    /// What a period costs, in the currency's smallest unit (cents); nothing when the answer does not say.
    std::optional<std::int64_t> amount() const noexcept { return detail::optional_number(dreamapi_dashboard_customer_amount(object_), -1); }

    /// Three small letters, as in "usd"; nothing when the answer does not say.
    std::optional<std::string_view> currency() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_currency(object_)); }

    /// The user's project; nothing when the answer does not say.
    std::optional<std::string_view> publishable_key() const noexcept { return detail::optional_text(dreamapi_dashboard_customer_publishable_key(object_)); }

    /// The C object; borrowed.
    const dreamapi_dashboard_customer *get() const noexcept { return object_; }

protected:
    const dreamapi_dashboard_customer *object_;
};

/// One tier or product of a dashboard. A view: valid as long as the object that it was taken from.
class dashboard_tier_view {
public:
    explicit dashboard_tier_view(const dreamapi_dashboard_tier *object = nullptr) noexcept : object_(object) {}

    /// The tier's id, which plans are named by.
    std::string_view name() const noexcept { return detail::text(dreamapi_dashboard_tier_name(object_)); }

    /// The name to show to people; nothing when the answer does not say.
    std::optional<std::string_view> display_name() const noexcept { return detail::optional_text(dreamapi_dashboard_tier_display_name(object_)); }

    /// In the currency's smallest unit (cents).
    std::int64_t price() const noexcept { return dreamapi_dashboard_tier_price(object_); }

    /// Units in a period, or DREAMAPI_UNLIMITED.
    std::int64_t limit() const noexcept { return dreamapi_dashboard_tier_limit(object_); }

    /// Stripe's price; NULL for a free tier.
    std::optional<std::string_view> price_id() const noexcept { return detail::optional_text(dreamapi_dashboard_tier_price_id(object_)); }

    /// Stripe's product; NULL for a free tier.
    std::optional<std::string_view> product_id() const noexcept { return detail::optional_text(dreamapi_dashboard_tier_product_id(object_)); }

    /// 1 for the tier that the developer marks as popular.
    bool popular() const noexcept { return dreamapi_dashboard_tier_popular(object_) != 0; }

    /// Pieces in stock, or DREAMAPI_UNLIMITED when stock is not counted.
    std::int64_t inventory() const noexcept { return dreamapi_dashboard_tier_inventory(object_); }

    /// 1 when none is left.
    bool sold_out() const noexcept { return dreamapi_dashboard_tier_sold_out(object_) != 0; }

    /// The tier's project; nothing when the answer does not say.
    std::optional<std::string_view> publishable_key() const noexcept { return detail::optional_text(dreamapi_dashboard_tier_publishable_key(object_)); }

    /// "saas", "store" or "membership"; nothing when the answer does not say.
    std::optional<std::string_view> project_type() const noexcept { return detail::optional_text(dreamapi_dashboard_tier_project_type(object_)); }

    /// The C object; borrowed.
    const dreamapi_dashboard_tier *get() const noexcept { return object_; }

protected:
    const dreamapi_dashboard_tier *object_;
};

/// One project's key of a dashboard. A view: valid as long as the object that it was taken from.
class dashboard_api_key_view {
public:
    explicit dashboard_api_key_view(const dreamapi_dashboard_api_key *object = nullptr) noexcept : object_(object) {}

    /// What the project is named by.
    std::string_view publishable_key() const noexcept { return detail::text(dreamapi_dashboard_api_key_publishable_key(object_)); }

    /// In UTC, as the server writes it; nothing when the answer does not say.
    std::optional<std::string_view> created_at() const noexcept { return detail::optional_text(dreamapi_dashboard_api_key_created_at(object_)); }

    /// "active" or "revoked"; nothing when the answer does not say.
    std::optional<std::string_view> status() const noexcept { return detail::optional_text(dreamapi_dashboard_api_key_status(object_)); }

    /// The project's name; nothing if it has none.
    std::optional<std::string_view> name() const noexcept { return detail::optional_text(dreamapi_dashboard_api_key_name(object_)); }

    /// "saas", "store" or "membership"; nothing when the answer does not say.
    std::optional<std::string_view> project_type() const noexcept { return detail::optional_text(dreamapi_dashboard_api_key_project_type(object_)); }

    /// "live" or "test"; nothing when the answer does not say.
    std::optional<std::string_view> mode() const noexcept { return detail::optional_text(dreamapi_dashboard_api_key_mode(object_)); }

    /// The C object; borrowed.
    const dreamapi_dashboard_api_key *get() const noexcept { return object_; }

protected:
    const dreamapi_dashboard_api_key *object_;
};

/// One event that Stripe or Clerk reported. A view: valid as long as the object that it was taken from.
class dashboard_event_view {
public:
    explicit dashboard_event_view(const dreamapi_dashboard_event *object = nullptr) noexcept : object_(object) {}

    /// As in "checkout.session.completed".
    std::string_view type() const noexcept { return detail::text(dreamapi_dashboard_event_type(object_)); }

    /// In UTC, as the server writes it; nothing when the answer does not say.
    std::optional<std::string_view> created_at() const noexcept { return detail::optional_text(dreamapi_dashboard_event_created_at(object_)); }

    /// What was reported, as JSON without white space; nothing when the answer does not say.
    std::optional<std::string_view> payload() const noexcept { return detail::optional_text(dreamapi_dashboard_event_payload(object_)); }

    /// The C object; borrowed.
    const dreamapi_dashboard_event *get() const noexcept { return object_; }

protected:
    const dreamapi_dashboard_event *object_;
};

/// A project's figures, users, tiers, keys and events. A view: valid as long as the object that it was taken from.
class dashboard_view {
public:
    explicit dashboard_view(const dreamapi_dashboard *object = nullptr) noexcept : object_(object) {}

    /// Subscriptions that are active or in trial.
    std::int64_t active_subs() const noexcept { return dreamapi_dashboard_active_subs(object_); }

    /// Those of them that end with their period.
    std::int64_t canceling_subs() const noexcept { return dreamapi_dashboard_canceling_subs(object_); }

    /// What the subscriptions bring in a month, in the smallest unit (cents) of their main currency.
    std::int64_t mrr() const noexcept { return dreamapi_dashboard_mrr(object_); }

    /// Units that all users used in their present periods.
    std::int64_t usage_this_period() const noexcept { return dreamapi_dashboard_usage_this_period(object_); }

    /// Carts that were paid.
    std::int64_t store_sales_count() const noexcept { return dreamapi_dashboard_store_sales_count(object_); }

    /// What they brought, in the currency's smallest unit (cents).
    std::int64_t store_total_revenue() const noexcept { return dreamapi_dashboard_store_total_revenue(object_); }

    /// Products with few pieces left, by the server's measure.
    std::int64_t low_stock_products() const noexcept { return dreamapi_dashboard_low_stock_products(object_); }

    /// Pieces in stock, of products whose stock is counted.
    std::int64_t total_inventory() const noexcept { return dreamapi_dashboard_total_inventory(object_); }

    /// Of the project whose dashboard this is; nothing when the answer does not say.
    std::optional<std::string_view> publishable_key() const noexcept { return detail::optional_text(dreamapi_dashboard_publishable_key(object_)); }

    /// Stands for the secret key where one is shown; never the key. NULL when the answer does not say.
    std::optional<std::string_view> secret_key_masked() const noexcept { return detail::optional_text(dreamapi_dashboard_secret_key_masked(object_)); }

    /// The developer's platform; nothing when the answer does not say.
    std::optional<std::string_view> platform_id() const noexcept { return detail::optional_text(dreamapi_dashboard_platform_id(object_)); }

    /// Stripe's; NULL as long as none is connected.
    std::optional<std::string_view> stripe_account_id() const noexcept { return detail::optional_text(dreamapi_dashboard_stripe_account_id(object_)); }

    /// When the newest of the recent events came, in UTC, as the server writes it; nothing if none came.
    std::optional<std::string_view> last_event_at() const noexcept { return detail::optional_text(dreamapi_dashboard_last_event_at(object_)); }

    /// What the answer is about: the platform; nothing when the answer does not say.
    std::optional<std::string_view> filter_platform_id() const noexcept { return detail::optional_text(dreamapi_dashboard_filter_platform_id(object_)); }

    /// What the answer is about: the project; nothing when the answer does not say.
    std::optional<std::string_view> filter_publishable_key() const noexcept { return detail::optional_text(dreamapi_dashboard_filter_publishable_key(object_)); }

    /// What the answer is about: "live" or "test"; nothing when the answer does not say.
    std::optional<std::string_view> filter_mode() const noexcept { return detail::optional_text(dreamapi_dashboard_filter_mode(object_)); }

    /// One of them, borrowed from the dashboard;
    detail::list<dashboard_customer_view, dreamapi_dashboard> customers() const noexcept
    {
        return { object_, dreamapi_dashboard_customer_count, [](const dreamapi_dashboard *object, std::size_t index) {
            return dashboard_customer_view(dreamapi_dashboard_customer_at(object, index));
        } };
    }

    /// 1 when the project has further users, which this answer leaves out; 0 when it does not say. See
    /// dreamapi_customer_pages_open.
    bool has_more_customers() const noexcept { return dreamapi_dashboard_has_more_customers(object_) != 0; }

    /// One of them, borrowed from the dashboard;
    detail::list<dashboard_tier_view, dreamapi_dashboard> tiers() const noexcept
    {
        return { object_, dreamapi_dashboard_tier_count, [](const dreamapi_dashboard *object, std::size_t index) {
            return dashboard_tier_view(dreamapi_dashboard_tier_at(object, index));
        } };
    }

    /// One of them, borrowed from the dashboard;
    detail::list<dashboard_api_key_view, dreamapi_dashboard> api_keys() const noexcept
    {
        return { object_, dreamapi_dashboard_api_key_count, [](const dreamapi_dashboard *object, std::size_t index) {
            return dashboard_api_key_view(dreamapi_dashboard_api_key_at(object, index));
        } };
    }

    /// One of them, borrowed from the dashboard;
    detail::list<dashboard_event_view, dreamapi_dashboard> events() const noexcept
    {
        return { object_, dreamapi_dashboard_event_count, [](const dreamapi_dashboard *object, std::size_t index) {
            return dashboard_event_view(dreamapi_dashboard_event_at(object, index));
        } };
    }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_dashboard_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_dashboard *get() const noexcept { return object_; }

protected:
    const dreamapi_dashboard *object_;
};

/// A project's figures, users, tiers, keys and events. Owned, and moved, never copied.
class dashboard : public dashboard_view {
public:
    /// Takes ownership of a C object.
    explicit dashboard(dreamapi_dashboard *object = nullptr) noexcept : dashboard_view(object) {}
    dashboard(dashboard &&other) noexcept : dashboard_view(other.release()) {}
    dashboard &operator=(dashboard &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    dashboard(const dashboard &) = delete;
    dashboard &operator=(const dashboard &) = delete;
    ~dashboard() { reset(); }

    /// Gives the C object away.
    dreamapi_dashboard *release() noexcept
    {
        return const_cast<dreamapi_dashboard *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_dashboard *object = nullptr) noexcept
    {
        dreamapi_dashboard_free(const_cast<dreamapi_dashboard *>(std::exchange(object_, object)));
    }
};

/// The figures of all projects of a platform. A view: valid as long as the object that it was taken from.
class totals_view {
public:
    explicit totals_view(const dreamapi_totals *object = nullptr) noexcept : object_(object) {}

    /// What the subscriptions bring in a month, in the smallest unit (cents) of their main currency.
    std::int64_t mrr() const noexcept { return dreamapi_totals_mrr(object_); }

    /// Subscriptions that are active or in trial.
    std::int64_t active_subs() const noexcept { return dreamapi_totals_active_subs(object_); }

    /// Those of them that end with their period.
    std::int64_t canceling_subs() const noexcept { return dreamapi_totals_canceling_subs(object_); }

    /// Tiers and products on sale.
    std::int64_t total_products() const noexcept { return dreamapi_totals_total_products(object_); }

    /// Projects in live mode.
    std::int64_t live_projects() const noexcept { return dreamapi_totals_live_projects(object_); }

    /// Projects of `mode`; nothing when the answer does not say.
    std::optional<std::int64_t> projects() const noexcept { return detail::optional_number(dreamapi_totals_projects(object_), -1); }

    /// What the figures are of: "live" or "test"; nothing when the answer does not say.
    std::optional<std::string_view> mode() const noexcept { return detail::optional_text(dreamapi_totals_mode(object_)); }

    /// The developer's platform; nothing when the answer does not say.
    std::optional<std::string_view> platform_id() const noexcept { return detail::optional_text(dreamapi_totals_platform_id(object_)); }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_totals_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_totals *get() const noexcept { return object_; }

protected:
    const dreamapi_totals *object_;
};

/// The figures of all projects of a platform. Owned, and moved, never copied.
class totals : public totals_view {
public:
    /// Takes ownership of a C object.
    explicit totals(dreamapi_totals *object = nullptr) noexcept : totals_view(object) {}
    totals(totals &&other) noexcept : totals_view(other.release()) {}
    totals &operator=(totals &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    totals(const totals &) = delete;
    totals &operator=(const totals &) = delete;
    ~totals() { reset(); }

    /// Gives the C object away.
    dreamapi_totals *release() noexcept
    {
        return const_cast<dreamapi_totals *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_totals *object = nullptr) noexcept
    {
        dreamapi_totals_free(const_cast<dreamapi_totals *>(std::exchange(object_, object)));
    }
};

/// What the service says about itself. A view: valid as long as the object that it was taken from.
class health_view {
public:
    explicit health_view(const dreamapi_health *object = nullptr) noexcept : object_(object) {}

    /// "ok" when all is well.
    std::string_view status() const noexcept { return detail::text(dreamapi_health_status(object_)); }

    /// The name of one of them, such as "idempotency";
    detail::list<std::string_view, dreamapi_health> extensions() const noexcept
    {
        return { object_, dreamapi_health_extension_count, [](const dreamapi_health *object, std::size_t index) {
            return std::string_view(dreamapi_health_extension(object, index));
        } };
    }

    /// 1 if the server announces this extension. NULL is never announced.
    bool has_extension(const std::string &name) const noexcept { return dreamapi_health_has_extension(object_, detail::c_text(name)) != 0; }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_health_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_health *get() const noexcept { return object_; }

protected:
    const dreamapi_health *object_;
};

/// What the service says about itself. Owned, and moved, never copied.
class health : public health_view {
public:
    /// Takes ownership of a C object.
    explicit health(dreamapi_health *object = nullptr) noexcept : health_view(object) {}
    health(health &&other) noexcept : health_view(other.release()) {}
    health &operator=(health &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    health(const health &) = delete;
    health &operator=(const health &) = delete;
    ~health() { reset(); }

    /// Gives the C object away.
    dreamapi_health *release() noexcept
    {
        return const_cast<dreamapi_health *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_health *object = nullptr) noexcept
    {
        dreamapi_health_free(const_cast<dreamapi_health *>(std::exchange(object_, object)));
    }
};

/// A page where a user manages what they pay for. A view: valid as long as the object that it was taken from.
class portal_view {
public:
    explicit portal_view(const dreamapi_portal *object = nullptr) noexcept : object_(object) {}

    /// The address to send the user to.
    std::string_view url() const noexcept { return detail::text(dreamapi_portal_url(object_)); }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_portal_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_portal *get() const noexcept { return object_; }

protected:
    const dreamapi_portal *object_;
};

/// A page where a user manages what they pay for. Owned, and moved, never copied.
class portal : public portal_view {
public:
    /// Takes ownership of a C object.
    explicit portal(dreamapi_portal *object = nullptr) noexcept : portal_view(object) {}
    portal(portal &&other) noexcept : portal_view(other.release()) {}
    portal &operator=(portal &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    portal(const portal &) = delete;
    portal &operator=(const portal &) = delete;
    ~portal() { reset(); }

    /// Gives the C object away.
    dreamapi_portal *release() noexcept
    {
        return const_cast<dreamapi_portal *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_portal *object = nullptr) noexcept
    {
        dreamapi_portal_free(const_cast<dreamapi_portal *>(std::exchange(object_, object)));
    }
};

/// One product of a list. A view: valid as long as the object that it was taken from.
class product_view {
public:
    explicit product_view(const dreamapi_product *object = nullptr) noexcept : object_(object) {}

    /// The product's id.
    std::string_view id() const noexcept { return detail::text(dreamapi_product_id(object_)); }

    /// The name that the developer gave it in the settings, which carts may name it by; nothing when the answer does
    /// not say.
    std::optional<std::string_view> key() const noexcept { return detail::optional_text(dreamapi_product_key(object_)); }

    /// The name as the service shows it; nothing when the answer does not say.
    std::optional<std::string_view> name() const noexcept { return detail::optional_text(dreamapi_product_name(object_)); }

    /// The name to show to people; nothing when the answer does not say.
    std::optional<std::string_view> display_name() const noexcept { return detail::optional_text(dreamapi_product_display_name(object_)); }

    /// May be ""; nothing when the answer does not say.
    std::optional<std::string_view> description() const noexcept { return detail::optional_text(dreamapi_product_description(object_)); }

    /// In the currency's smallest unit (cents).
    std::int64_t price() const noexcept { return dreamapi_product_price(object_); }

    /// Three small letters, as in "usd"; nothing when the answer does not say.
    std::optional<std::string_view> currency() const noexcept { return detail::optional_text(dreamapi_product_currency(object_)); }

    /// NULL if there is none.
    std::optional<std::string_view> image_url() const noexcept { return detail::optional_text(dreamapi_product_image_url(object_)); }

    /// Pieces in stock, or DREAMAPI_UNLIMITED when stock is not counted.
    std::int64_t inventory() const noexcept { return dreamapi_product_inventory(object_); }

    /// 1 when none is left.
    bool sold_out() const noexcept { return dreamapi_product_sold_out(object_) != 0; }

    /// Stripe's price; NULL for a product that cannot be bought yet.
    std::optional<std::string_view> price_id() const noexcept { return detail::optional_text(dreamapi_product_price_id(object_)); }

    /// Stripe's product; NULL for a product that cannot be bought yet.
    std::optional<std::string_view> product_id() const noexcept { return detail::optional_text(dreamapi_product_product_id(object_)); }

    /// One of the features;
    detail::list<std::string_view, dreamapi_product> features() const noexcept
    {
        return { object_, dreamapi_product_feature_count, [](const dreamapi_product *object, std::size_t index) {
            return std::string_view(dreamapi_product_feature(object, index));
        } };
    }

    /// The C object; borrowed.
    const dreamapi_product *get() const noexcept { return object_; }

protected:
    const dreamapi_product *object_;
};

/// A list of products. A view: valid as long as the object that it was taken from.
class products_view {
public:
    explicit products_view(const dreamapi_products *object = nullptr) noexcept : object_(object) {}

    /// One of them, borrowed from the list;
    detail::list<product_view, dreamapi_products> items() const noexcept
    {
        return { object_, dreamapi_products_count, [](const dreamapi_products *object, std::size_t index) {
            return product_view(dreamapi_products_at(object, index));
        } };
    }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_products_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_products *get() const noexcept { return object_; }

protected:
    const dreamapi_products *object_;
};

/// A list of products. Owned, and moved, never copied.
class products : public products_view {
public:
    /// Takes ownership of a C object.
    explicit products(dreamapi_products *object = nullptr) noexcept : products_view(object) {}
    products(products &&other) noexcept : products_view(other.release()) {}
    products &operator=(products &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    products(const products &) = delete;
    products &operator=(const products &) = delete;
    ~products() { reset(); }

    /// Gives the C object away.
    dreamapi_products *release() noexcept
    {
        return const_cast<dreamapi_products *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_products *object = nullptr) noexcept
    {
        dreamapi_products_free(const_cast<dreamapi_products *>(std::exchange(object_, object)));
    }
};

/// One tier of a list. A view: valid as long as the object that it was taken from.
class tier_view {
public:
    explicit tier_view(const dreamapi_tier *object = nullptr) noexcept : object_(object) {}

    /// The tier's id, which plans are named by.
    std::string_view id() const noexcept { return detail::text(dreamapi_tier_id(object_)); }

    /// The name as the service shows it; nothing when the answer does not say.
    std::optional<std::string_view> name() const noexcept { return detail::optional_text(dreamapi_tier_name(object_)); }

    /// The name to show to people; nothing when the answer does not say.
    std::optional<std::string_view> display_name() const noexcept { return detail::optional_text(dreamapi_tier_display_name(object_)); }

    /// In the currency's smallest unit (cents).
    std::int64_t price() const noexcept { return dreamapi_tier_price(object_); }

    /// Units in a period, or DREAMAPI_UNLIMITED.
    std::int64_t limit() const noexcept { return dreamapi_tier_limit(object_); }

    /// One of the features;
    detail::list<std::string_view, dreamapi_tier> features() const noexcept
    {
        return { object_, dreamapi_tier_feature_count, [](const dreamapi_tier *object, std::size_t index) {
            return std::string_view(dreamapi_tier_feature(object, index));
        } };
    }

    /// May be ""; nothing when the answer does not say.
    std::optional<std::string_view> description() const noexcept { return detail::optional_text(dreamapi_tier_description(object_)); }

    /// "subscription" or "one_off"; nothing when the answer does not say.
    std::optional<std::string_view> billing_mode() const noexcept { return detail::optional_text(dreamapi_tier_billing_mode(object_)); }

    /// NULL if there is none.
    std::optional<std::string_view> image_url() const noexcept { return detail::optional_text(dreamapi_tier_image_url(object_)); }

    /// Pieces in stock, or DREAMAPI_UNLIMITED when stock is not counted.
    std::int64_t inventory() const noexcept { return dreamapi_tier_inventory(object_); }

    /// 1 when none is left.
    bool sold_out() const noexcept { return dreamapi_tier_sold_out(object_) != 0; }

    /// 1 for the tier that the developer marks as popular.
    bool popular() const noexcept { return dreamapi_tier_popular(object_) != 0; }

    /// Stripe's price; NULL for a free tier.
    std::optional<std::string_view> stripe_price_id() const noexcept { return detail::optional_text(dreamapi_tier_stripe_price_id(object_)); }

    /// The same under the wire's other name.
    std::optional<std::string_view> price_id() const noexcept { return detail::optional_text(dreamapi_tier_price_id(object_)); }

    /// Stripe's product; NULL for a free tier.
    std::optional<std::string_view> product_id() const noexcept { return detail::optional_text(dreamapi_tier_product_id(object_)); }

    /// Days of trial; nothing when there is no trial.
    std::optional<std::int64_t> trial_days() const noexcept { return detail::optional_number(dreamapi_tier_trial_days(object_), -1); }

    /// The C object; borrowed.
    const dreamapi_tier *get() const noexcept { return object_; }

protected:
    const dreamapi_tier *object_;
};

/// A list of tiers. A view: valid as long as the object that it was taken from.
class tiers_view {
public:
    explicit tiers_view(const dreamapi_tiers *object = nullptr) noexcept : object_(object) {}

    /// One of them, borrowed from the list;
    detail::list<tier_view, dreamapi_tiers> items() const noexcept
    {
        return { object_, dreamapi_tiers_count, [](const dreamapi_tiers *object, std::size_t index) {
            return tier_view(dreamapi_tiers_at(object, index));
        } };
    }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_tiers_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_tiers *get() const noexcept { return object_; }

protected:
    const dreamapi_tiers *object_;
};

/// A list of tiers. Owned, and moved, never copied.
class tiers : public tiers_view {
public:
    /// Takes ownership of a C object.
    explicit tiers(dreamapi_tiers *object = nullptr) noexcept : tiers_view(object) {}
    tiers(tiers &&other) noexcept : tiers_view(other.release()) {}
    tiers &operator=(tiers &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    tiers(const tiers &) = delete;
    tiers &operator=(const tiers &) = delete;
    ~tiers() { reset(); }

    /// Gives the C object away.
    dreamapi_tiers *release() noexcept
    {
        return const_cast<dreamapi_tiers *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_tiers *object = nullptr) noexcept
    {
        dreamapi_tiers_free(const_cast<dreamapi_tiers *>(std::exchange(object_, object)));
    }
};

/// What a verified token says. Immutable; any thread may read it, also after the client is gone. A view: valid as long
/// as the object that it was taken from.
class token_view {
public:
    explicit token_view(const dreamapi_token *object = nullptr) noexcept : object_(object) {}

    /// `sub`.
    std::string_view user_id() const noexcept { return detail::text(dreamapi_token_user_id(object_)); }

    /// The project: `publicMetadata.publishableKey`, else `publishableKey`.
    std::optional<std::string_view> publishable_key() const noexcept { return detail::optional_text(dreamapi_token_publishable_key(object_)); }

    /// `publicMetadata.plan`, else `plan`: as the provider had it when the token was made. dreamapi_tier_check takes it
    /// as a plan.
    std::optional<std::string_view> plan() const noexcept { return detail::optional_text(dreamapi_token_plan(object_)); }

    /// `email`, else `publicMetadata.email`, else `primary_email`.
    std::optional<std::string_view> email() const noexcept { return detail::optional_text(dreamapi_token_email(object_)); }

    /// `sid`.
    std::optional<std::string_view> session_id() const noexcept { return detail::optional_text(dreamapi_token_session_id(object_)); }

    /// `exp`, in milliseconds since 1970-01-01T00:00Z, without the skew.
    std::int64_t expires_at_ms() const noexcept { return dreamapi_token_expires_at_ms(object_); }

    /// The payload as it was signed: JSON.
    std::string_view json() const noexcept { return detail::text(dreamapi_token_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_token *get() const noexcept { return object_; }

protected:
    const dreamapi_token *object_;
};

/// What a verified token says. Immutable; any thread may read it, also after the client is gone. Owned, and moved,
/// never copied.
class token : public token_view {
public:
    /// Takes ownership of a C object.
    explicit token(dreamapi_token *object = nullptr) noexcept : token_view(object) {}
    token(token &&other) noexcept : token_view(other.release()) {}
    token &operator=(token &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    token(const token &) = delete;
    token &operator=(const token &) = delete;
    ~token() { reset(); }

    /// Gives the C object away.
    dreamapi_token *release() noexcept
    {
        return const_cast<dreamapi_token *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_token *object = nullptr) noexcept
    {
        dreamapi_token_free(const_cast<dreamapi_token *>(std::exchange(object_, object)));
    }
};

/// What a user used, and what the plan allows. A view: valid as long as the object that it was taken from.
class usage_view {
public:
    explicit usage_view(const dreamapi_usage *object = nullptr) noexcept : object_(object) {}

    /// The user's id; nothing when the answer does not say (after dreamapi_usage_track).
    std::optional<std::string_view> user_id() const noexcept { return detail::optional_text(dreamapi_usage_user_id(object_)); }

    /// The name of the tier in force.
    std::string_view plan() const noexcept { return detail::text(dreamapi_usage_plan(object_)); }

    /// Units used in this period.
    std::int64_t usage_count() const noexcept { return dreamapi_usage_usage_count(object_); }

    /// The same number under the wire's other name.
    std::int64_t count() const noexcept { return dreamapi_usage_count(object_); }

    /// Units the plan allows in a period, or DREAMAPI_UNLIMITED.
    std::int64_t limit() const noexcept { return dreamapi_usage_limit(object_); }

    /// Units left, or DREAMAPI_UNLIMITED; never negative. Limit minus count where the answer does not say.
    std::int64_t remaining() const noexcept { return dreamapi_usage_remaining(object_); }

    /// First day of the period, "YYYY-MM-DD" in UTC; nothing when the answer does not say.
    std::optional<std::string_view> period_start() const noexcept { return detail::optional_text(dreamapi_usage_period_start(object_)); }

    /// Last day of the period, "YYYY-MM-DD" in UTC; nothing when the answer does not say.
    std::optional<std::string_view> period_end() const noexcept { return detail::optional_text(dreamapi_usage_period_end(object_)); }

    /// The server's remark on what it did; nothing if it made none.
    std::optional<std::string_view> message() const noexcept { return detail::optional_text(dreamapi_usage_message(object_)); }

    /// 1 unless the answer says "success": false.
    bool success() const noexcept { return dreamapi_usage_success(object_) != 0; }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_usage_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_usage *get() const noexcept { return object_; }

protected:
    const dreamapi_usage *object_;
};

/// What a user used, and what the plan allows. Owned, and moved, never copied.
class usage : public usage_view {
public:
    /// Takes ownership of a C object.
    explicit usage(dreamapi_usage *object = nullptr) noexcept : usage_view(object) {}
    usage(usage &&other) noexcept : usage_view(other.release()) {}
    usage &operator=(usage &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    usage(const usage &) = delete;
    usage &operator=(const usage &) = delete;
    ~usage() { reset(); }

    /// Gives the C object away.
    dreamapi_usage *release() noexcept
    {
        return const_cast<dreamapi_usage *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_usage *object = nullptr) noexcept
    {
        dreamapi_usage_free(const_cast<dreamapi_usage *>(std::exchange(object_, object)));
    }
};

/// What became of one event. A view: valid as long as the object that it was taken from.
class usage_outcome_view {
public:
    explicit usage_outcome_view(const dreamapi_usage_outcome *object = nullptr) noexcept : object_(object) {}

    /// The event's id, given or made; nothing when the answer does not say.
    std::optional<std::string_view> id() const noexcept { return detail::optional_text(dreamapi_usage_outcome_id(object_)); }

    /// "applied": counted now. "duplicate": counted before, also by an earlier try of this call. "limit": the plan has
    /// too few units left, nothing counted. "error": nothing counted, see dreamapi_usage_outcome_error. Others may be
    /// added.
    std::string_view status() const noexcept { return detail::text(dreamapi_usage_outcome_status(object_)); }

    /// What was wrong with the event, in the server's words; nothing if nothing was.
    std::optional<std::string_view> error() const noexcept { return detail::optional_text(dreamapi_usage_outcome_error(object_)); }

    /// The C object; borrowed.
    const dreamapi_usage_outcome *get() const noexcept { return object_; }

protected:
    const dreamapi_usage_outcome *object_;
};

/// What became of each event, in the order in which they were given. A view: valid as long as the object that it was
/// taken from.
class usage_outcomes_view {
public:
    explicit usage_outcomes_view(const dreamapi_usage_outcomes *object = nullptr) noexcept : object_(object) {}

    /// One of them, borrowed from the list;
    detail::list<usage_outcome_view, dreamapi_usage_outcomes> items() const noexcept
    {
        return { object_, dreamapi_usage_outcomes_count, [](const dreamapi_usage_outcomes *object, std::size_t index) {
            return usage_outcome_view(dreamapi_usage_outcomes_at(object, index));
        } };
    }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_usage_outcomes_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_usage_outcomes *get() const noexcept { return object_; }

protected:
    const dreamapi_usage_outcomes *object_;
};

/// What became of each event, in the order in which they were given. Owned, and moved, never copied.
class usage_outcomes : public usage_outcomes_view {
public:
    /// Takes ownership of a C object.
    explicit usage_outcomes(dreamapi_usage_outcomes *object = nullptr) noexcept : usage_outcomes_view(object) {}
    usage_outcomes(usage_outcomes &&other) noexcept : usage_outcomes_view(other.release()) {}
    usage_outcomes &operator=(usage_outcomes &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    usage_outcomes(const usage_outcomes &) = delete;
    usage_outcomes &operator=(const usage_outcomes &) = delete;
    ~usage_outcomes() { reset(); }

    /// Gives the C object away.
    dreamapi_usage_outcomes *release() noexcept
    {
        return const_cast<dreamapi_usage_outcomes *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_usage_outcomes *object = nullptr) noexcept
    {
        dreamapi_usage_outcomes_free(const_cast<dreamapi_usage_outcomes *>(std::exchange(object_, object)));
    }
};

/// One day of a history. A view: valid as long as the object that it was taken from.
class history_day_view {
public:
    explicit history_day_view(const dreamapi_history_day *object = nullptr) noexcept : object_(object) {}

    /// "YYYY-MM-DD" in UTC.
    std::string_view date() const noexcept { return detail::text(dreamapi_history_day_date(object_)); }

    /// Units used on that day.
    std::int64_t units() const noexcept { return dreamapi_history_day_units(object_); }

    /// The C object; borrowed.
    const dreamapi_history_day *get() const noexcept { return object_; }

protected:
    const dreamapi_history_day *object_;
};

/// What became of a subscription. A view: valid as long as the object that it was taken from.
class history_event_view {
public:
    explicit history_event_view(const dreamapi_history_event *object = nullptr) noexcept : object_(object) {}

    /// When it happened ("at" on the wire), in ISO 8601.
    std::string_view time() const noexcept { return detail::text(dreamapi_history_event_time(object_)); }

    /// Whose subscription; nothing when the answer does not say.
    std::optional<std::string_view> user_id() const noexcept { return detail::optional_text(dreamapi_history_event_user_id(object_)); }

    /// Stripe's; nothing if there is none.
    std::optional<std::string_view> subscription_id() const noexcept { return detail::optional_text(dreamapi_history_event_subscription_id(object_)); }

    /// What happened, as the server names it.
    std::string_view type() const noexcept { return detail::text(dreamapi_history_event_type(object_)); }

    /// The name of the tier; nothing when the answer does not say.
    std::optional<std::string_view> plan() const noexcept { return detail::optional_text(dreamapi_history_event_plan(object_)); }

    /// The subscription's from then on; nothing when the answer does not say.
    std::optional<std::string_view> status() const noexcept { return detail::optional_text(dreamapi_history_event_status(object_)); }

    /// What a period costs, in the currency's smallest unit (cents); nothing when the answer does not say.
    std::optional<std::int64_t> amount() const noexcept { return detail::optional_number(dreamapi_history_event_amount(object_), -1); }

    /// Three small letters, as in "usd"; nothing when the answer does not say.
    std::optional<std::string_view> currency() const noexcept { return detail::optional_text(dreamapi_history_event_currency(object_)); }

    /// The C object; borrowed.
    const dreamapi_history_event *get() const noexcept { return object_; }

protected:
    const dreamapi_history_event *object_;
};

/// Usage day by day. A view: valid as long as the object that it was taken from.
class history_view {
public:
    explicit history_view(const dreamapi_history *object = nullptr) noexcept : object_(object) {}

    /// Whose history; NULL: the whole project's.
    std::optional<std::string_view> user_id() const noexcept { return detail::optional_text(dreamapi_history_user_id(object_)); }

    /// Of which meter; nothing when the answer does not say.
    std::optional<std::string_view> meter() const noexcept { return detail::optional_text(dreamapi_history_meter(object_)); }

    /// The first day, "YYYY-MM-DD" in UTC; nothing when the answer does not say.
    std::optional<std::string_view> from() const noexcept { return detail::optional_text(dreamapi_history_from(object_)); }

    /// The last day, "YYYY-MM-DD" in UTC; nothing when the answer does not say.
    std::optional<std::string_view> to() const noexcept { return detail::optional_text(dreamapi_history_to(object_)); }

    /// One of them, borrowed from the history;
    detail::list<history_day_view, dreamapi_history> days() const noexcept
    {
        return { object_, dreamapi_history_day_count, [](const dreamapi_history *object, std::size_t index) {
            return history_day_view(dreamapi_history_day_at(object, index));
        } };
    }

    /// One of them, borrowed from the history;
    detail::list<history_event_view, dreamapi_history> events() const noexcept
    {
        return { object_, dreamapi_history_event_count, [](const dreamapi_history *object, std::size_t index) {
            return history_event_view(dreamapi_history_event_at(object, index));
        } };
    }

    /// 1 when there were more events in these days than the server tells at once.
    bool has_more_events() const noexcept { return dreamapi_history_has_more_events(object_) != 0; }

    /// The whole answer as it came.
    std::optional<std::string_view> json() const noexcept { return detail::optional_text(dreamapi_history_json(object_)); }

    /// The C object; borrowed.
    const dreamapi_history *get() const noexcept { return object_; }

protected:
    const dreamapi_history *object_;
};

/// Usage day by day. Owned, and moved, never copied.
class history : public history_view {
public:
    /// Takes ownership of a C object.
    explicit history(dreamapi_history *object = nullptr) noexcept : history_view(object) {}
    history(history &&other) noexcept : history_view(other.release()) {}
    history &operator=(history &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    history(const history &) = delete;
    history &operator=(const history &) = delete;
    ~history() { reset(); }

    /// Gives the C object away.
    dreamapi_history *release() noexcept
    {
        return const_cast<dreamapi_history *>(std::exchange(object_, nullptr));
    }
    void reset(dreamapi_history *object = nullptr) noexcept
    {
        dreamapi_history_free(const_cast<dreamapi_history *>(std::exchange(object_, object)));
    }
};

/// Who buys what. Empty fields are not sent.
struct checkout_params {
    /// The buying user. Needs a secret key and a server that takes user ids; else give dreamapi_call_options.user_token
    /// and leave this none.
    std::optional<std::string> user_id;
    /// The tier's id or its display name; the server's choice is "pro".
    std::optional<std::string> tier;
    /// One of the tier's prices; none takes the tier's own.
    std::optional<std::string> price_id;
    /// Where the page sends the user after paying; none takes the server's choice.
    std::optional<std::string> success_url;
    /// Where the page sends the user who does not pay; none takes the server's choice.
    std::optional<std::string> cancel_url;

    /// The C struct; borrows from this one.
    dreamapi_checkout_params c() const noexcept
    {
        dreamapi_checkout_params params = DREAMAPI_CHECKOUT_PARAMS_INIT;

        params.user_id = detail::c_text(user_id);
        params.tier = detail::c_text(tier);
        params.price_id = detail::c_text(price_id);
        params.success_url = detail::c_text(success_url);
        params.cancel_url = detail::c_text(cancel_url);
        return params;
    }
};

/// A customer to create. Empty fields are not sent.
struct customer_params {
    /// Required.
    std::optional<std::string> email;
    /// Any text.
    std::optional<std::string> first_name;
    /// Any text.
    std::optional<std::string> last_name;
    /// The name of a tier; the server's choice is "free".
    std::optional<std::string> plan;
    /// none: the customer signs in by other means. Wiped after sending.
    std::optional<std::string> password;

    /// The C struct; borrows from this one.
    dreamapi_customer_params c() const noexcept
    {
        dreamapi_customer_params params = DREAMAPI_CUSTOMER_PARAMS_INIT;

        params.email = detail::c_text(email);
        params.first_name = detail::c_text(first_name);
        params.last_name = detail::c_text(last_name);
        params.plan = detail::c_text(plan);
        params.password = detail::c_text(password);
        return params;
    }
};

/// What to change of a customer. Empty fields stay as they are.
struct customer_update_params {
    /// The name of a tier.
    std::optional<std::string> plan;

    /// The C struct; borrows from this one.
    dreamapi_customer_update_params c() const noexcept
    {
        dreamapi_customer_update_params params = DREAMAPI_CUSTOMER_UPDATE_PARAMS_INIT;

        params.plan = detail::c_text(plan);
        return params;
    }
};

/// Which customers, and how many at once. Empty fields are not sent.
struct customer_list_params {
    /// The most customers on a page; 0 takes the server's choice. A server has its own upper bound. Negative ones are
    /// DREAMAPI_INVALID.
    std::optional<std::int64_t> limit;
    /// Where to go on: dreamapi_customers_next_cursor of the page before, with the same `email` and `plan`; none: from
    /// the beginning.
    std::optional<std::string> cursor;
    /// Only those whose address begins with this.
    std::optional<std::string> email;
    /// Only those on the tier of this name.
    std::optional<std::string> plan;

    /// The C struct; borrows from this one.
    dreamapi_customer_list_params c() const noexcept
    {
        dreamapi_customer_list_params params = DREAMAPI_CUSTOMER_LIST_PARAMS_INIT;

        if (limit)
            params.limit = *limit;
        params.cursor = detail::c_text(cursor);
        params.email = detail::c_text(email);
        params.plan = detail::c_text(plan);
        return params;
    }
};

/// Whose portal. Empty fields are not sent.
struct portal_params {
    /// The paying user. Needs a secret key and a server that takes user ids; else give dreamapi_call_options.user_token
    /// and leave this none.
    std::optional<std::string> user_id;
    /// Where the page sends the user back to; none takes the server's choice. A server may not heed it.
    std::optional<std::string> return_url;

    /// The C struct; borrows from this one.
    dreamapi_portal_params c() const noexcept
    {
        dreamapi_portal_params params = DREAMAPI_PORTAL_PARAMS_INIT;

        params.user_id = detail::c_text(user_id);
        params.return_url = detail::c_text(return_url);
        return params;
    }
};

/// The question: either min_plan or feature.
struct tier_check_params {
    /// Allowed if the user's plan is this one or a later one in the order of plans.
    std::optional<std::string> min_plan;
    /// Allowed if the tier of the user's plan lists this feature.
    std::optional<std::string> feature;
    /// The user's plan, if it is known already, as from dreamapi_decision.plan: then neither user_id nor token is
    /// needed. none: it is found out.
    std::optional<std::string> plan;
    /// How old a remembered plan of the user may be, in milliseconds; 0: the server is asked each time.
    std::optional<std::int64_t> max_age_ms;

    /// The C struct; borrows from this one.
    dreamapi_tier_check_params c() const noexcept
    {
        dreamapi_tier_check_params params = DREAMAPI_TIER_CHECK_PARAMS_INIT;

        params.min_plan = detail::c_text(min_plan);
        params.feature = detail::c_text(feature);
        params.plan = detail::c_text(plan);
        if (max_age_ms)
            params.max_age_ms = *max_age_ms;
        return params;
    }
};

/// How to count. There is nothing to choose yet.
struct usage_track_params {
    /// The C struct; borrows from this one.
    dreamapi_usage_track_params c() const noexcept
    {
        dreamapi_usage_track_params params = DREAMAPI_USAGE_TRACK_PARAMS_INIT;

        return params;
    }
};

/// Which history. Empty fields are not sent.
struct usage_history_params {
    /// Whose; none: the whole project's.
    std::optional<std::string> user_id;
    /// The first day, "YYYY-MM-DD" in UTC; none takes the server's choice, 30 days up to `to`.
    std::optional<std::string> from;
    /// The last day, which belongs to it; none: today.
    std::optional<std::string> to;
    /// Of which meter; none takes the default meter.
    std::optional<std::string> meter;

    /// The C struct; borrows from this one.
    dreamapi_usage_history_params c() const noexcept
    {
        dreamapi_usage_history_params params = DREAMAPI_USAGE_HISTORY_PARAMS_INIT;

        params.user_id = detail::c_text(user_id);
        params.from = detail::c_text(from);
        params.to = detail::c_text(to);
        params.meter = detail::c_text(meter);
        return params;
    }
};

} // namespace dreamapi

#endif
