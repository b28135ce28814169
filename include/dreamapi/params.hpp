/* SPDX-License-Identifier: Apache-2.0 */
/* params.hpp - the parameters that are more than texts and numbers; the others are in values.hpp. Included by dreamapi.hpp. */
#ifndef DREAMAPI_PARAMS_HPP
#define DREAMAPI_PARAMS_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dreamapi.h>

#include <dreamapi/detail.hpp>

namespace dreamapi {

/// What any call can be given besides its own parameters.
struct call_options {
    /// Total time for this call, up to DREAMAPI_MAX_TIMEOUT_MS; none takes the client's. Any std::chrono::duration, in whole milliseconds
    /// rounded up; what is left of a deadline that has passed, none or less, is 1 ms, so that the call ends at once.
    std::optional<detail::timeout> timeout;
    /// For calls that create or count: give your own to be able to repeat the call, even after a restart, without doing its work twice.
    std::optional<std::string> idempotency_key;
    /// The end user's token, for calls on a user's behalf.
    std::optional<std::string> user_token;
    /// A W3C trace context that the call belongs to.
    std::optional<std::string> traceparent;

    /// The C struct; borrows from this one.
    dreamapi_call_options c() const noexcept
    {
        dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;

        if (timeout)
            options.timeout_ms = timeout->count() > 0 ? timeout->count() : 1; // 0 would be the client's
        options.idempotency_key = detail::c_text(idempotency_key);
        options.user_token = detail::c_text(user_token);
        options.traceparent = detail::c_text(traceparent);
        return options;
    }
};

/// A file to upload. `data` is borrowed until the call returns.
struct asset_params {
    std::string filename;
    /// As in "image/png"; none takes the server's choice.
    std::optional<std::string> content_type;
    /// Any bytes, at most DREAMAPI_ASSET_MAX_SIZE.
    std::string_view data;

    /// The C struct; borrows from this one.
    dreamapi_asset_params c() const noexcept
    {
        dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;

        params.filename = detail::c_text(filename);
        params.content_type = detail::c_text(content_type);
        params.data = data.data();
        params.size = data.size();
        return params;
    }
};

/// A line of a cart; its three names are the product's.
struct cart_item {
    std::optional<std::string> price_id;
    std::optional<std::string> product_id;
    std::optional<std::string> tier;
    std::int64_t quantity = 1;

    /// The C struct; borrows from this one.
    dreamapi_cart_item c() const noexcept
    {
        return { detail::c_text(price_id), detail::c_text(product_id), detail::c_text(tier), quantity };
    }
};

/// A guest's cart.
struct cart_params {
    std::vector<cart_item> items;
    /// Where the receipt goes; none: the page asks.
    std::optional<std::string> email;
    std::optional<std::string> success_url;
    std::optional<std::string> cancel_url;

    /// The C struct with the array that it points into; borrows from this one.
    class c_params {
    public:
        explicit c_params(const cart_params &params) : items_(detail::c_array(params.items)), params_(DREAMAPI_CART_PARAMS_INIT)
        {
            params_.items = items_.data();
            params_.item_count = items_.size();
            params_.email = detail::c_text(params.email);
            params_.success_url = detail::c_text(params.success_url);
            params_.cancel_url = detail::c_text(params.cancel_url);
        }
        c_params(const c_params &) = delete;
        c_params &operator=(const c_params &) = delete;
        const dreamapi_cart_params *get() const noexcept { return &params_; }

    private:
        std::vector<dreamapi_cart_item> items_;
        dreamapi_cart_params params_;
    };
    c_params c() const { return c_params(*this); }
};

/// What an end user's token must say besides being signed and in time.
struct token_params {
    /// `iss` must be this; none: any.
    std::optional<std::string> issuer;
    /// `aud` must be or have this; none: it is not looked at.
    std::optional<std::string> audience;
    /// `azp` must be one of these; empty: it is not looked at. Name your own origins here.
    std::vector<std::string> authorized_parties;
    /// The token must name one of these projects; empty: the client's own.
    std::vector<std::string> publishable_keys;
    /// Tokens of any project, or none.
    bool any_project = false;
    /// How far clocks may differ.
    std::optional<std::chrono::milliseconds> skew;

    /// The C struct with the lists that it points into; borrows from this one.
    class c_params {
    public:
        explicit c_params(const token_params &params)
            : parties_(detail::c_texts(params.authorized_parties)), keys_(detail::c_texts(params.publishable_keys)),
              params_(DREAMAPI_TOKEN_PARAMS_INIT)
        {
            params_.issuer = detail::c_text(params.issuer);
            params_.audience = detail::c_text(params.audience);
            params_.authorized_parties = parties_.empty() ? nullptr : parties_.data();
            params_.publishable_keys = keys_.empty() ? nullptr : keys_.data();
            params_.any_project = params.any_project;
            if (params.skew)
                params_.skew_ms = params.skew->count();
        }
        c_params(const c_params &) = delete;
        c_params &operator=(const c_params &) = delete;
        const dreamapi_token_params *get() const noexcept { return &params_; }
        /// A text has a NUL in it.
        bool has_cut() const noexcept
        {
            return detail::has_cut({ params_.issuer, params_.audience }) || detail::has_cut(parties_) || detail::has_cut(keys_);
        }

    private:
        std::vector<const char *> parties_;
        std::vector<const char *> keys_;
        dreamapi_token_params params_;
    };
    c_params c() const { return c_params(*this); }
};

/// Units that a user used.
struct usage_event {
    /// What the event is counted once by; none makes one.
    std::optional<std::string> id;
    std::string user_id;
    /// None takes the default meter.
    std::optional<std::string> meter;
    std::int64_t units = 1;
    /// When it happened; none: when it reaches the server.
    std::optional<std::chrono::system_clock::time_point> at;

    /// The C struct; borrows from this one.
    dreamapi_usage_event c() const noexcept
    {
        using namespace std::chrono;
        const std::int64_t at_ms = at ? duration_cast<milliseconds>(at->time_since_epoch()).count() : 0;

        return { detail::c_text(id), detail::c_text(user_id), detail::c_text(meter), units, at_ms };
    }
};

namespace detail {

template <class Params> const Params *at(const Params &params) noexcept
{
    return &params;
}

inline const dreamapi_cart_params *at(const cart_params::c_params &params) noexcept
{
    return params.get();
}

inline const dreamapi_token_params *at(const token_params::c_params &params) noexcept
{
    return params.get();
}

} // namespace detail
} // namespace dreamapi

#endif
