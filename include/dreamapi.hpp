/* SPDX-License-Identifier: Apache-2.0 */
/* dreamapi.hpp - the library for C++17: the C interface with owners, results and chrono, and nothing else. Header only; link
 * libdreamapi as ever.
 *
 *     auto client = dreamapi::client::make(dreamapi::options().base_url(url).secret_key(key).journal(path));
 *     auto meter = client->open_meter(user_id);
 *     if (auto decision = meter->use())
 *         serve();
 *     else
 *         refuse(decision.reason(), decision.retry_after());
 *
 * What the C headers say of units, threads and forks holds here. Objects are moved, never copied; values are read through
 * std::string_view and std::optional; failures are results (dreamapi/result.hpp), which the compiler does not let you ignore.
 * A text with a NUL in it, which C would see cut, is status::invalid, and nothing is sent (a webhook's header:
 * status::protocol). Every call may throw std::bad_alloc where it copies texts; nothing else throws but result::value. */
#ifndef DREAMAPI_HPP
#define DREAMAPI_HPP

#if !defined(__cplusplus) || __cplusplus < 201703L
#error "dreamapi.hpp needs C++17"
#endif

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dreamapi.h>

#include <dreamapi/calls.hpp>
#include <dreamapi/params.hpp>
#include <dreamapi/result.hpp>
#include <dreamapi/values.hpp>

namespace dreamapi {

/// What dreamapi::client is made from. The setters can be chained; what one of them refuses, client::make reports.
class options {
public:
    options() : options_(dreamapi_options_new())
    {
        if (!options_)
            status_ = DREAMAPI_NOMEM;
    }

    /// "https://host[:port][/prefix]"; not set: DREAMAPI_BASE_URL from the environment.
    options &base_url(const std::string &url) { return keep(dreamapi_options_set_base_url, url, "base_url"); }
    /// The project's secret key; not set: DREAMAPI_SECRET_KEY from the environment.
    options &secret_key(const std::string &key) { return keep(dreamapi_options_set_secret_key, key, "secret_key"); }
    /// The same from a buffer that is wiped; see dreamapi_options_take_secret_key.
    options &take_secret_key(char *buffer, std::size_t size)
    {
        return note(dreamapi_options_take_secret_key(get(), buffer, size), "take_secret_key");
    }
    /// DREAMAPI_AUTH_SIGNATURE: requests are signed, and the secret key is sent nowhere.
    options &auth(dreamapi_auth auth) { return note(dreamapi_options_set_auth(get(), auth), "auth"); }
    options &publishable_key(const std::string &key)
    {
        return keep(dreamapi_options_set_publishable_key, key, "publishable_key");
    }
    /// The total time of a call, retries included.
    options &timeout(std::chrono::milliseconds timeout)
    {
        return note(dreamapi_options_set_timeout_ms(get(), timeout.count()), "timeout");
    }
    /// 1: the client works on a thread of its own; 0: on whichever thread calls perform.
    options &threads(int threads) { return note(dreamapi_options_set_threads(get(), threads), "threads"); }
    options &max_response_size(std::size_t bytes)
    {
        return note(dreamapi_options_set_max_response_size(get(), bytes), "max_response_size");
    }
    options &max_retries(int retries) { return note(dreamapi_options_set_max_retries(get(), retries), "max_retries"); }
    /// A PEM file of certificates to trust instead of the system's.
    options &ca_file(const std::string &path) { return keep(dreamapi_options_set_ca_file, path, "ca_file"); }
    options &proxy(const std::string &url) { return keep(dreamapi_options_set_proxy, url, "proxy"); }
    options &user_agent_suffix(const std::string &suffix)
    {
        return keep(dreamapi_options_set_user_agent_suffix, suffix, "user_agent_suffix");
    }
    /// Where meters keep their counts; without one a crash loses what was not settled.
    options &journal(const std::string &path) { return keep(dreamapi_options_set_journal, path, "journal"); }
    /// Where the end users' identity provider has its key set, for token_verify.
    options &jwks_url(const std::string &url) { return keep(dreamapi_options_set_jwks_url, url, "jwks_url"); }
    /// The keys themselves, as a key set or PEM: then token_verify fetches nothing.
    options &token_keys(const std::string &keys) { return keep(dreamapi_options_set_token_keys, keys, "token_keys"); }
    /// How long the end of a client may take to settle what meters spent.
    options &close_timeout(std::chrono::milliseconds timeout)
    {
        return note(dreamapi_options_set_close_timeout_ms(get(), timeout.count()), "close_timeout");
    }

    /// The first refusal so far; DREAMAPI_OK if there was none.
    dreamapi_status status() const noexcept { return status_; }
    /// The setter that refused; "" if none did.
    std::string_view refused() const noexcept { return refused_; }
    /// The C object, borrowed: for the setters of dreamapi/options.h that this class has no word for.
    dreamapi_options *get() const noexcept { return options_.get(); }

private:
    struct releaser {
        void operator()(dreamapi_options *options) const noexcept { dreamapi_options_free(options); }
    };

    options &note(dreamapi_status status, const char *setter) noexcept
    {
        if (status_ == DREAMAPI_OK && status != DREAMAPI_OK) {
            status_ = status;
            refused_ = setter;
        }
        return *this;
    }
    options &keep(dreamapi_status (*set)(dreamapi_options *, const char *), const std::string &text, const char *setter)
    {
        return note(detail::has_nul(text) ? DREAMAPI_INVALID : set(get(), text.c_str()), setter);
    }

    std::unique_ptr<dreamapi_options, releaser> options_;
    dreamapi_status status_ = DREAMAPI_OK;
    const char *refused_ = "";
};

/// The answer of a meter: true when allowed.
class [[nodiscard]] decision {
public:
    decision() noexcept : status_(DREAMAPI_OK), decision_() {}
    decision(dreamapi_status code, const dreamapi_decision &c_decision) noexcept : status_(code), decision_(c_decision) {}

    bool allowed() const noexcept { return status_ == DREAMAPI_OK && decision_.allowed != 0; }
    explicit operator bool() const noexcept { return allowed(); }
    enum status code() const noexcept { return static_cast<enum status>(status_); }
    enum reason reason() const noexcept { return static_cast<enum reason>(decision_.reason); }
    enum source source() const noexcept { return static_cast<enum source>(decision_.source); }
    std::int64_t units() const noexcept { return decision_.units; }
    /// The tier in force; "" when not known. Borrowed for the client's life.
    std::string_view plan() const noexcept { return detail::text(decision_.plan); }
    /// Units in this period, or DREAMAPI_UNLIMITED; nothing when not known, as with the next two.
    std::optional<std::int64_t> limit() const noexcept { return detail::optional_number(decision_.limit, -1); }
    std::optional<std::int64_t> used() const noexcept { return detail::optional_number(decision_.used, -1); }
    /// Units that may still be used, or DREAMAPI_UNLIMITED.
    std::optional<std::int64_t> remaining() const noexcept { return detail::optional_number(decision_.remaining, -1); }
    /// After this asking again may bring another answer.
    std::optional<std::chrono::milliseconds> retry_after() const noexcept { return time(decision_.retry_after_ms); }
    /// How old the server's part of the answer is.
    std::optional<std::chrono::milliseconds> age() const noexcept { return time(decision_.age_ms); }
    /// The most units that can have been admitted beyond what the server granted; 0 with a lease.
    std::int64_t max_over() const noexcept { return decision_.max_over; }
    /// The C struct.
    dreamapi_decision &c() noexcept { return decision_; }

private:
    static std::optional<std::chrono::milliseconds> time(std::int64_t ms) noexcept
    {
        return ms >= 0 ? std::optional<std::chrono::milliseconds>(std::chrono::milliseconds(ms)) : std::nullopt;
    }

    dreamapi_status status_;
    dreamapi_decision decision_;
};

/// How a meter behaves; what is left out takes the library's default.
struct meter_params {
    /// None: "default".
    std::optional<std::string> meter;
    enum policy policy = policy::wait;
    /// With policy::wait: the longest wait of one use.
    std::optional<std::chrono::milliseconds> wait;
    /// With policy::allow: the most units admitted beyond what is granted.
    std::int64_t allow_units = 0;
    /// Where the server has no leases: the user's token.
    std::optional<std::string> user_token;
    /// Where the server has no leases: 0: each use is one request; more: at most this many units are admitted before it confirmed them.
    std::int64_t cached_units = 0;

    /// The C struct; borrows from this one.
    dreamapi_meter_params c() const noexcept
    {
        dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;

        params.meter = detail::c_text(meter);
        params.policy = static_cast<dreamapi_policy>(policy);
        if (wait)
            params.wait_ms = wait->count();
        params.allow_units = allow_units;
        params.user_token = detail::c_text(user_token);
        params.cached_units = cached_units;
        return params;
    }
};

/// One user's allowance on one meter. Any thread, and any number of them; closed when the object ends.
class meter {
public:
    /// Units set aside for work whose size is known only afterwards. Let go of without a commit, it bills nothing.
    class reservation {
    public:
        reservation(reservation &&other) noexcept
            : meter_(std::exchange(other.meter_, nullptr)), reservation_(other.reservation_)
        {}
        reservation &operator=(reservation &&other) noexcept
        {
            if (this != &other) {
                drop();
                meter_ = std::exchange(other.meter_, nullptr);
                reservation_ = other.reservation_;
            }
            return *this;
        }
        reservation(const reservation &) = delete;
        reservation &operator=(const reservation &) = delete;
        ~reservation() { drop(); }

        std::int64_t units() const noexcept { return reservation_.units; }
        /// Books what the work really took; ends the reservation. See dreamapi_meter_commit.
        decision commit(std::int64_t units) noexcept
        {
            dreamapi_decision c_decision = {};
            const dreamapi_status status = dreamapi_meter_commit(std::exchange(meter_, nullptr), &reservation_, units, &c_decision);

            return decision(status, c_decision);
        }

    private:
        friend class meter;
        reservation(dreamapi_meter *meter, const dreamapi_reservation &c_reservation) noexcept
            : meter_(meter), reservation_(c_reservation)
        {}
        void drop() noexcept
        {
            if (meter_ != nullptr)
                (void)dreamapi_meter_commit(std::exchange(meter_, nullptr), &reservation_, 0, nullptr);
        }

        dreamapi_meter *meter_; // null once it is over; the meter outlives its reservations
        dreamapi_reservation reservation_;
    };

    /// Takes ownership of a C meter.
    explicit meter(dreamapi_meter *c_meter = nullptr) noexcept : meter_(c_meter) {}

    /// Admits and counts `units`, all or none.
    decision use(std::int64_t units = 1) noexcept
    {
        dreamapi_decision c_decision;
        const dreamapi_status status = dreamapi_meter_use(get(), units, &c_decision);

        return decision(status, c_decision);
    }
    /// What use() would say now; counts nothing, waits for nothing.
    decision check(std::int64_t units = 1) const noexcept
    {
        dreamapi_decision c_decision;
        const dreamapi_status status = dreamapi_meter_check(get(), units, &c_decision);

        return decision(status, c_decision);
    }
    /// Takes an admitted use back, once.
    result<void> refund(decision &decision)
    {
        const dreamapi_status status = dreamapi_meter_refund(get(), &decision.c());

        return status == DREAMAPI_OK ? result<void>() : result<void>(error(status));
    }
    /// Sets units aside for at most `hold`. On a refusal there is none, and `out_decision`, if given, says why.
    std::optional<reservation> reserve(std::int64_t units, std::chrono::milliseconds hold, decision *out_decision = nullptr) noexcept
    {
        dreamapi_reservation c_reservation;
        dreamapi_decision c_decision;
        const dreamapi_status status = dreamapi_meter_reserve(get(), units, hold.count(), &c_reservation, &c_decision);

        if (out_decision != nullptr)
            *out_decision = decision(status, c_decision);
        if (status != DREAMAPI_OK)
            return std::nullopt;
        return reservation(get(), c_reservation);
    }
    /// The C meter, borrowed.
    dreamapi_meter *get() const noexcept { return meter_.get(); }

private:
    struct closer {
        void operator()(dreamapi_meter *meter) const noexcept { dreamapi_meter_close(meter); }
    };

    std::unique_ptr<dreamapi_meter, closer> meter_;
};

/// The answer of client::tier_check.
class tier_verdict {
public:
    explicit tier_verdict(const dreamapi_tier_verdict &verdict) noexcept : verdict_(verdict) {}

    bool allowed() const noexcept { return verdict_.allowed != 0; }
    enum source source() const noexcept { return static_cast<enum source>(verdict_.source); }
    /// The user's plan.
    std::string_view plan() const noexcept { return verdict_.plan; }
    std::chrono::milliseconds age() const noexcept { return std::chrono::milliseconds(verdict_.age_ms); }

private:
    dreamapi_tier_verdict verdict_;
};

/// Remembers webhooks that were taken, so that none is taken twice. Any thread.
class webhook_replays {
public:
    /// For at most `capacity` webhooks at a time.
    static result<webhook_replays> make(std::size_t capacity)
    {
        dreamapi_webhook_replays *replays = nullptr;
        class error error;

        dreamapi_webhook_replays_new(capacity, &replays, &error.c());
        return detail::answer<webhook_replays>(replays, std::move(error));
    }
    /// Takes ownership of a C replay set.
    explicit webhook_replays(dreamapi_webhook_replays *replays = nullptr) noexcept : replays_(replays) {}
    /// The C replay set, borrowed.
    dreamapi_webhook_replays *get() const noexcept { return replays_.get(); }

private:
    struct releaser {
        void operator()(dreamapi_webhook_replays *replays) const noexcept { dreamapi_webhook_replays_free(replays); }
    };

    std::unique_ptr<dreamapi_webhook_replays, releaser> replays_;
};

/// A webhook as it arrived; `body` is borrowed.
struct webhook {
    enum webhook_scheme scheme = webhook_scheme::standard;
    /// The headers' values; none: it was not sent. Stripe sends a signature alone. One with a NUL in it is status::protocol.
    std::optional<std::string> signature;
    std::optional<std::string> id;
    std::optional<std::string> timestamp;
    /// Raw, before anything parsed or changed it.
    std::string_view body;
};

/// Is it genuine, timely and, with `replays`, new? `secrets`: the endpoint's, the new one and the old while it is being replaced.
/// The statuses of a refusal are those of dreamapi_webhook_verify.
inline result<void> webhook_verify(const webhook &webhook, const std::vector<std::string> &secrets, const webhook_replays *replays = nullptr,
                                   std::chrono::seconds tolerance = std::chrono::seconds(300))
{
    const std::vector<const char *> c_secrets = detail::c_texts(secrets);
    dreamapi_webhook_params params = DREAMAPI_WEBHOOK_PARAMS_INIT;
    class error error;

    params.scheme = static_cast<dreamapi_webhook_scheme>(webhook.scheme);
    params.signature = detail::c_text(webhook.signature);
    params.id = detail::c_text(webhook.id);
    params.timestamp = detail::c_text(webhook.timestamp);
    params.body = webhook.body.data();
    params.body_size = webhook.body.size();
    params.secrets = c_secrets.empty() ? nullptr : c_secrets.data();
    params.tolerance_s = tolerance.count();
    params.replays = replays != nullptr ? replays->get() : nullptr;
    if (detail::has_cut(c_secrets))
        return detail::cut_error();
    if (detail::has_cut({ params.signature, params.id, params.timestamp }))
        return detail::cut_error(DREAMAPI_PROTOCOL);
    dreamapi_webhook_verify(&params, &error.c());
    return detail::answer(std::move(error));
}

/// One project of one service. Any thread. Meters, calls and pages hold what they need of it, so all may end in any order.
class client : public calls<client> {
public:
    /// Makes a client; touches no network.
    static result<client> make(const options &options = dreamapi::options())
    {
        dreamapi_client *c_client = nullptr;
        class error error;

        if (options.status() != DREAMAPI_OK) {
            error = dreamapi::error(options.status());
            const std::string text = "The option " + std::string(options.refused()) + " was refused: "
                                     + dreamapi_status_text(options.status());
            error.c().message[text.copy(error.c().message, sizeof(error.c().message) - 1)] = '\0';
            return error;
        }
        dreamapi_client_new(options.get(), &c_client, &error.c());
        return detail::answer<client>(c_client, std::move(error));
    }
    /// Takes ownership of a C client.
    explicit client(dreamapi_client *c_client = nullptr) noexcept : client_(c_client) {}

    result<meter> open_meter(const std::string &user_id, const meter_params &params = {}) const
    {
        const auto c_params = params.c();
        dreamapi_meter *c_meter = nullptr;
        class error error;

        dreamapi_meter_open(get(), detail::c_text(user_id), &c_params, &c_meter, &error.c());
        return detail::answer<meter>(c_meter, std::move(error));
    }
    /// meter::use for programs that keep no meters.
    decision use(const std::string &user_id, std::int64_t units = 1) const noexcept
    {
        dreamapi_decision c_decision = {};
        const dreamapi_status status = dreamapi_client_use(get(), detail::c_text(user_id), nullptr, units, &c_decision);

        return decision(status, c_decision);
    }
    /// Reports every count and hands every unit back now.
    result<void> flush(std::chrono::milliseconds timeout) const
    {
        class error error;

        dreamapi_client_flush(get(), timeout.count(), &error.c());
        return detail::answer(std::move(error));
    }
    /// Is the user's plan at least this one, or does it have this feature?
    result<tier_verdict> tier_check(const std::optional<std::string> &user_id, const tier_check_params &params,
                                    const call_options &options = {}) const
    {
        const auto c_params = params.c();
        const auto c_options = options.c();
        dreamapi_tier_verdict verdict;
        class error error;

        if (detail::has_cut({ detail::c_text(user_id), c_params.min_plan, c_params.feature, c_params.plan })
            || detail::has_cut({ c_options.idempotency_key, c_options.user_token, c_options.traceparent }))
            return detail::cut_error();
        dreamapi_tier_check(get(), detail::c_text(user_id), &c_params, &c_options, &verdict, &error.c());
        if (error.c().status != DREAMAPI_OK)
            return error;
        return tier_verdict(verdict);
    }
    /// Counts since the client was made.
    result<dreamapi_meter_stats> meter_stats() const
    {
        dreamapi_meter_stats stats;
        const dreamapi_status status = dreamapi_client_meter_stats(get(), &stats);

        if (status != DREAMAPI_OK)
            return error(status);
        return stats;
    }
    /// Every customer of a list, page by page: `visit` gets each and returns false to stop.
    result<void> each_customer(const customer_list_params &params, const std::function<bool(customer_view)> &visit,
                               const call_options &options = {}) const
    {
        customer_list_params page_params = params;

        for (;;) {
            auto page = calls<client>::customer_list(page_params, options);
            if (!page)
                return page.error();
            for (const customer_view customer : page->items()) {
                if (!visit(customer))
                    return {};
            }
            if (!page->next_cursor())
                return {};
            page_params.cursor = std::string(*page->next_cursor());
        }
    }

    /// For the program's own loop: see dreamapi_client_fd.
    int fd() const noexcept { return dreamapi_client_fd(get()); }
    /// The next finished call, to be compared with pending::get; null when there is none.
    dreamapi_call *next() const noexcept { return dreamapi_client_next(get()); }
    /// With threads(0): does what can be done without waiting.
    result<void> perform() const
    {
        const dreamapi_status status = dreamapi_client_perform(get());

        return status == DREAMAPI_OK ? result<void>() : result<void>(error(status));
    }
    /// With threads(0): when to call perform() even if fd() stays quiet; nothing: never.
    std::optional<std::chrono::milliseconds> timeout() const noexcept
    {
        const std::int64_t ms = dreamapi_client_timeout_ms(get());

        return ms >= 0 ? std::optional<std::chrono::milliseconds>(std::chrono::milliseconds(ms)) : std::nullopt;
    }
    /// The C client, borrowed.
    dreamapi_client *get() const noexcept { return client_.get(); }

private:
    struct releaser {
        void operator()(dreamapi_client *client) const noexcept { dreamapi_client_free(client); }
    };

    std::unique_ptr<dreamapi_client, releaser> client_;
};

} // namespace dreamapi

#endif
