/* SPDX-License-Identifier: Apache-2.0 - made by bindings/generate.py from the headers in include/dreamapi */
/* calls.hpp - the client's calls, one method each. Included by dreamapi.hpp. */
#ifndef DREAMAPI_CALLS_HPP
#define DREAMAPI_CALLS_HPP

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dreamapi.h>
#include <dreamapi/params.hpp>
#include <dreamapi/result.hpp>
#include <dreamapi/values.hpp>

namespace dreamapi {

namespace detail {

template <> struct taker<asset> {
    using object = dreamapi_asset;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_asset_result(call, out, error);
    }
};

template <> struct taker<checkout> {
    using object = dreamapi_checkout;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_checkout_result(call, out, error);
    }
};

template <> struct taker<customer> {
    using object = dreamapi_customer;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_customer_result(call, out, error);
    }
};

template <> struct taker<customers> {
    using object = dreamapi_customers;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_customers_result(call, out, error);
    }
};

template <> struct taker<dashboard> {
    using object = dreamapi_dashboard;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_dashboard_result(call, out, error);
    }
};

template <> struct taker<totals> {
    using object = dreamapi_totals;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_totals_result(call, out, error);
    }
};

template <> struct taker<health> {
    using object = dreamapi_health;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_health_result(call, out, error);
    }
};

template <> struct taker<portal> {
    using object = dreamapi_portal;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_portal_result(call, out, error);
    }
};

template <> struct taker<products> {
    using object = dreamapi_products;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_products_result(call, out, error);
    }
};

template <> struct taker<tiers> {
    using object = dreamapi_tiers;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_tiers_result(call, out, error);
    }
};

template <> struct taker<token> {
    using object = dreamapi_token;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_token_result(call, out, error);
    }
};

template <> struct taker<usage> {
    using object = dreamapi_usage;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_usage_result(call, out, error);
    }
};

template <> struct taker<usage_outcomes> {
    using object = dreamapi_usage_outcomes;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_usage_outcomes_result(call, out, error);
    }
};

template <> struct taker<history> {
    using object = dreamapi_history;
    static dreamapi_status take(dreamapi_call *call, object **out, dreamapi_error *error) noexcept
    {
        return dreamapi_history_result(call, out, error);
    }
};

} // namespace detail

/// What a client can ask the service. Each call waits for its answer, retries included, within one deadline; each has a twin
/// that only starts it. Any thread.
template <class Client> class calls {
public:
    /// Uploads a file (POST /api/assets), in base64 within JSON: about 1.4 times its size, held in memory until the
    /// call ends. `asset` is owned, none on failure. DREAMAPI_UNSUPPORTED: the server keeps no files. Any status
    /// of a call may come.
    result<asset> asset_upload(const asset_params &params, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_asset *object = nullptr;
        class error error;

        dreamapi_asset_upload(self(), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<asset>(object, std::move(error));
    }
    /// asset_upload without waiting.
    result<pending<asset>> asset_upload_start(const asset_params &params, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_asset_upload_start(self(), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<asset>>(started, std::move(error));
    }

    /// Makes a checkout page (POST /api/create-checkout); `params` may be left out when a user token is given.
    /// `checkout` is owned, none on failure. DREAMAPI_TOKEN_REQUIRED, with nothing sent: no token, and no user id
    /// that this client and server could use. Any other status of a call may come.
    result<checkout> checkout_create(const checkout_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_checkout *object = nullptr;
        class error error;

        dreamapi_checkout_create(self(), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<checkout>(object, std::move(error));
    }
    /// checkout_create without waiting.
    result<pending<checkout>> checkout_create_start(const checkout_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_checkout_create_start(self(), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<checkout>>(started, std::move(error));
    }

    /// Makes a checkout page for the items (POST /api/cart/checkout). Either key will do. `checkout` is owned
    /// (dreamapi_checkout_free), none on failure. DREAMAPI_INVALID also when the server does not know an item or has
    /// too few pieces of it; dreamapi_error.server_error names it. Any status of a call may come.
    result<checkout> cart_checkout(const cart_params &params, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_checkout *object = nullptr;
        class error error;

        dreamapi_cart_checkout(self(), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<checkout>(object, std::move(error));
    }
    /// cart_checkout without waiting.
    result<pending<checkout>> cart_checkout_start(const cart_params &params, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_cart_checkout_start(self(), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<checkout>>(started, std::move(error));
    }

    /// Creates a customer (POST /api/customers). `customer` is owned, NULL on failure; `out_customer` may be NULL.
    /// DREAMAPI_INVALID also when the address is taken. Any status of a call may come.
    result<customer> customer_create(const customer_params &params, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_customer *object = nullptr;
        class error error;

        dreamapi_customer_create(self(), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<customer>(object, std::move(error));
    }
    /// customer_create without waiting.
    result<pending<customer>> customer_create_start(const customer_params &params, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_customer_create_start(self(), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<customer>>(started, std::move(error));
    }

    /// Reads a customer (GET /api/customers/{id}). `customer` is owned, none on failure.
    result<customer> customer_get(const std::string &customer_id, const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_customer *object = nullptr;
        class error error;

        dreamapi_customer_get(self(), detail::c_text(customer_id), &c_options, &object, &error.c());
        return detail::answer<customer>(object, std::move(error));
    }
    /// customer_get without waiting.
    result<pending<customer>> customer_get_start(const std::string &customer_id, const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_customer_get_start(self(), detail::c_text(customer_id), &c_options, &started, &error.c());
        return detail::answer<pending<customer>>(started, std::move(error));
    }

    /// Changes a customer (PATCH /api/customers/{id}); `params` may be left out, which changes nothing. `customer`
    /// is owned, none on failure. The answer holds id, email and plan only. It sets values, so it is repeated like a
    /// GET.
    result<customer> customer_update(const std::string &customer_id, const customer_update_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_customer *object = nullptr;
        class error error;

        dreamapi_customer_update(self(), detail::c_text(customer_id), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<customer>(object, std::move(error));
    }
    /// customer_update without waiting.
    result<pending<customer>> customer_update_start(const std::string &customer_id, const customer_update_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_customer_update_start(self(), detail::c_text(customer_id), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<customer>>(started, std::move(error));
    }

    /// Deletes a customer (DELETE /api/customers/{id}). `customer` tells who it was (id and email); owned, NULL on
    /// failure. DREAMAPI_NOT_FOUND after a retry can mean that the first try did it: the message says so.
    result<customer> customer_delete(const std::string &customer_id, const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_customer *object = nullptr;
        class error error;

        dreamapi_customer_delete(self(), detail::c_text(customer_id), &c_options, &object, &error.c());
        return detail::answer<customer>(object, std::move(error));
    }
    /// customer_delete without waiting.
    result<pending<customer>> customer_delete_start(const std::string &customer_id, const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_customer_delete_start(self(), detail::c_text(customer_id), &c_options, &started, &error.c());
        return detail::answer<pending<customer>>(started, std::move(error));
    }

    /// Reads one page of the project's customers, newest first (GET /api/customers); `params` may be left out. Needs a
    /// server with the extension `customer-list`; else DREAMAPI_UNSUPPORTED with nothing sent. `customers` is
    /// owned, none on failure.
    result<customers> customer_list(const customer_list_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_customers *object = nullptr;
        class error error;

        dreamapi_customer_list(self(), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<customers>(object, std::move(error));
    }
    /// customer_list without waiting.
    result<pending<customers>> customer_list_start(const customer_list_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_customer_list_start(self(), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<customers>>(started, std::move(error));
    }

    /// Reads the project's dashboard (GET /api/dashboard). It is as long as the project has users: see
    /// dreamapi_options_set_max_response_size. `dashboard` is owned, none on failure.
    result<dashboard> dashboard_get(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_dashboard *object = nullptr;
        class error error;

        dreamapi_dashboard_get(self(), &c_options, &object, &error.c());
        return detail::answer<dashboard>(object, std::move(error));
    }
    /// dashboard_get without waiting.
    result<pending<dashboard>> dashboard_get_start(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_dashboard_get_start(self(), &c_options, &started, &error.c());
        return detail::answer<pending<dashboard>>(started, std::move(error));
    }

    /// Reads the figures of all projects (GET /api/dashboard/totals). `totals` is owned, none on failure.
    result<totals> dashboard_totals(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_totals *object = nullptr;
        class error error;

        dreamapi_dashboard_totals(self(), &c_options, &object, &error.c());
        return detail::answer<totals>(object, std::move(error));
    }
    /// dashboard_totals without waiting.
    result<pending<totals>> dashboard_totals_start(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_dashboard_totals_start(self(), &c_options, &started, &error.c());
        return detail::answer<pending<totals>>(started, std::move(error));
    }

    /// Asks the service (GET /health), sending no key. `health` is owned, none on failure. What it announces is
    /// also what the client goes by from then on.
    result<health> health_get(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_health *object = nullptr;
        class error error;

        dreamapi_health_get(self(), &c_options, &object, &error.c());
        return detail::answer<health>(object, std::move(error));
    }
    /// health_get without waiting.
    result<pending<health>> health_get_start(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_health_get_start(self(), &c_options, &started, &error.c());
        return detail::answer<pending<health>>(started, std::move(error));
    }

    /// Makes a portal page (POST /api/customer-portal); `params` may be left out when a user token is given.
    /// `portal` is owned, none on failure. DREAMAPI_TOKEN_REQUIRED, with nothing sent: no token, and no user id
    /// that this client and server could use. DREAMAPI_INVALID also when the user never paid for anything. Any other
    /// status of a call may come.
    result<portal> portal_create(const portal_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_portal *object = nullptr;
        class error error;

        dreamapi_portal_create(self(), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<portal>(object, std::move(error));
    }
    /// portal_create without waiting.
    result<pending<portal>> portal_create_start(const portal_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_portal_create_start(self(), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<portal>>(started, std::move(error));
    }

    /// Lists the products (GET /api/products). Either key will do. `products` is owned, none on failure.
    result<products> product_list(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_products *object = nullptr;
        class error error;

        dreamapi_product_list(self(), &c_options, &object, &error.c());
        return detail::answer<products>(object, std::move(error));
    }
    /// product_list without waiting.
    result<pending<products>> product_list_start(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_product_list_start(self(), &c_options, &started, &error.c());
        return detail::answer<pending<products>>(started, std::move(error));
    }

    /// Lists the tiers (GET /api/tiers). Either key will do. `tiers` is owned, none on failure.
    result<tiers> tier_list(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_tiers *object = nullptr;
        class error error;

        dreamapi_tier_list(self(), &c_options, &object, &error.c());
        return detail::answer<tiers>(object, std::move(error));
    }
    /// tier_list without waiting.
    result<pending<tiers>> tier_list_start(const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_tier_list_start(self(), &c_options, &started, &error.c());
        return detail::answer<pending<tiers>>(started, std::move(error));
    }

    /// Verifies a token. Of `options` (may be NULL) the timeout counts, if keys have to be waited for. `params` may be
    /// left out. DREAMAPI_OK: `token` is owned (dreamapi_token_free). DREAMAPI_AUTH: malformed, no good signature,
    /// not in time, or not as `params` ask; dreamapi_error.message says which. DREAMAPI_FORBIDDEN: good, but of another
    /// project. DREAMAPI_UNAVAILABLE: there are no keys, or not the token's, and none could be fetched; this says
    /// nothing about the token. DREAMAPI_TIMEOUT: they did not come in time. DREAMAPI_INVALID: also when the client has
    /// no source of keys. Any thread; with keys at hand it does not wait.
    result<token> token_verify(const std::string &token_text, const token_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();

        if (detail::has_cut({ detail::c_text(token_text) }) || c_params.has_cut())
            return detail::cut_error();
        const auto c_options = options.c();
        dreamapi_token *object = nullptr;
        class error error;

        dreamapi_token_verify(self(), detail::c_text(token_text), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<token>(object, std::move(error));
    }
    /// token_verify without waiting.
    result<pending<token>> token_verify_start(const std::string &token_text, const token_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();

        if (detail::has_cut({ detail::c_text(token_text) }) || c_params.has_cut())
            return detail::cut_error();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_token_verify_start(self(), detail::c_text(token_text), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<token>>(started, std::move(error));
    }

    /// Reads a user's usage (GET /api/usage); counts nothing. `usage` is owned, none on failure.
    result<usage> usage_get(const std::optional<std::string> &user_id, const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_usage *object = nullptr;
        class error error;

        dreamapi_usage_get(self(), detail::c_text(user_id), &c_options, &object, &error.c());
        return detail::answer<usage>(object, std::move(error));
    }
    /// usage_get without waiting.
    result<pending<usage>> usage_get_start(const std::optional<std::string> &user_id, const call_options &options = {}) const
    {
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_usage_get_start(self(), detail::c_text(user_id), &c_options, &started, &error.c());
        return detail::answer<pending<usage>>(started, std::move(error));
    }

    /// Counts one unit if the plan allows it (POST /api/data); `params` may be left out. DREAMAPI_OK: counted.
    /// DREAMAPI_LIMIT: refused, nothing counted; dreamapi_error.used and .limit tell. DREAMAPI_OUTCOME_UNKNOWN: may
    /// have been counted. `usage` is owned, none on failure.
    result<usage> usage_track(const std::optional<std::string> &user_id, const usage_track_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_usage *object = nullptr;
        class error error;

        dreamapi_usage_track(self(), detail::c_text(user_id), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<usage>(object, std::move(error));
    }
    /// usage_track without waiting.
    result<pending<usage>> usage_track_start(const std::optional<std::string> &user_id, const usage_track_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_usage_track_start(self(), detail::c_text(user_id), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<usage>>(started, std::move(error));
    }

    /// Reports `count` events, 1 to DREAMAPI_USAGE_BATCH_MAX (POST /api/usage/batch); all are copied. DREAMAPI_OK: the
    /// server looked at each; what it found is in the outcomes, and some may have been refused. `outcomes` is
    /// owned, none on failure. With an id in every event an unclear outcome is repeated by the library, and may be by
    /// you, since an event that was counted is not counted again.
    result<usage_outcomes> usage_batch(const std::vector<usage_event> &events, const call_options &options = {}) const
    {
        const auto c_events = detail::c_array(events);
        const auto c_options = options.c();
        dreamapi_usage_outcomes *object = nullptr;
        class error error;

        dreamapi_usage_batch(self(), c_events.data(), c_events.size(), &c_options, &object, &error.c());
        return detail::answer<usage_outcomes>(object, std::move(error));
    }
    /// usage_batch without waiting.
    result<pending<usage_outcomes>> usage_batch_start(const std::vector<usage_event> &events, const call_options &options = {}) const
    {
        const auto c_events = detail::c_array(events);
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_usage_batch_start(self(), c_events.data(), c_events.size(), &c_options, &started, &error.c());
        return detail::answer<pending<usage_outcomes>>(started, std::move(error));
    }

    /// Reads a history (GET /api/usage/history); `params` may be left out. DREAMAPI_INVALID also for days that the
    /// server does not take, such as too many. `history` is owned, none on failure.
    result<history> usage_history(const usage_history_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_history *object = nullptr;
        class error error;

        dreamapi_usage_history(self(), detail::at(c_params), &c_options, &object, &error.c());
        return detail::answer<history>(object, std::move(error));
    }
    /// usage_history without waiting.
    result<pending<history>> usage_history_start(const usage_history_params &params = {}, const call_options &options = {}) const
    {
        const auto &c_params = params.c();
        const auto c_options = options.c();
        dreamapi_call *started = nullptr;
        class error error;

        dreamapi_usage_history_start(self(), detail::at(c_params), &c_options, &started, &error.c());
        return detail::answer<pending<history>>(started, std::move(error));
    }

private:
    dreamapi_client *self() const noexcept { return static_cast<const Client *>(this)->get(); }
};

} // namespace dreamapi

#endif
