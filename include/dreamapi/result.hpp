/* SPDX-License-Identifier: Apache-2.0 */
/* result.hpp - how the C++ interface says what went wrong: a result is an answer or an error, and cannot be ignored.
 *
 *     auto customer = client.customer_create(params);
 *     if (!customer)
 *         return fail(customer.error().message());
 *     use(customer->id());
 *
 * With exceptions, customer.value() throws dreamapi::failure instead; without, it ends the program. */
#ifndef DREAMAPI_RESULT_HPP
#define DREAMAPI_RESULT_HPP

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#if defined(__cpp_exceptions)
#include <stdexcept>
#endif

#include <dreamapi.h>

#include <dreamapi/detail.hpp>
#include <dreamapi/values.hpp>

namespace dreamapi {

/// The constant's name, such as "DREAMAPI_LIMIT".
inline std::string_view name(status code) noexcept
{
    return dreamapi_status_name(static_cast<dreamapi_status>(code));
}

/// The details of a failure; a copy of everything, so it outlives client and call.
class error {
public:
    error() noexcept : error_() {}
    explicit error(const dreamapi_error &c_error) noexcept : error_(c_error) {}
    /// A status without further details.
    explicit error(dreamapi_status code) noexcept : error_()
    {
        const std::string_view text = dreamapi_status_text(code);

        error_.status = code;
        error_.retry_after_ms = error_.used = error_.limit = -1;
        text.copy(error_.message, sizeof(error_.message) - 1);
    }

    enum status code() const noexcept { return static_cast<enum status>(error_.status); }
    /// The answer's HTTP status; nothing when there was no answer.
    std::optional<int> http_status() const noexcept
    {
        return error_.http_status != 0 ? std::optional<int>(error_.http_status) : std::nullopt;
    }
    /// Making the same call again later may succeed, and cannot do its work twice.
    bool retriable() const noexcept { return error_.retriable != 0; }
    /// The client refused by itself and sent nothing.
    bool local() const noexcept { return error_.local != 0; }
    /// How long the server asked to wait.
    std::optional<std::chrono::milliseconds> retry_after() const noexcept
    {
        return error_.retry_after_ms >= 0
                   ? std::optional<std::chrono::milliseconds>(std::chrono::milliseconds(error_.retry_after_ms))
                   : std::nullopt;
    }
    /// With status::limit: units used in this period.
    std::optional<std::int64_t> used() const noexcept { return detail::optional_number(error_.used, -1); }
    /// With status::limit: units that the plan allows.
    std::optional<std::int64_t> limit() const noexcept { return detail::optional_number(error_.limit, -1); }
    /// The server's id of the request, for a support question; "" if it gave none.
    std::string_view request_id() const noexcept { return error_.request_id; }
    /// The server's own words; "" if it said nothing.
    std::string_view server_error() const noexcept { return error_.server_error; }
    /// One sentence for a log. Never contains a secret.
    std::string_view message() const noexcept { return error_.message; }
    /// The C struct.
    dreamapi_error &c() noexcept { return error_; }
    const dreamapi_error &c() const noexcept { return error_; }

private:
    dreamapi_error error_;
};

#if defined(__cpp_exceptions)
/// What result::value throws.
class failure : public std::runtime_error {
public:
    explicit failure(const class error &error) : std::runtime_error(std::string(error.message())), error_(error) {}
    const class error &error() const noexcept { return error_; }
    enum status code() const noexcept { return error_.code(); }

private:
    class error error_;
};
#endif

namespace detail {

/* For a text with a NUL, where C is not asked. */
inline class error cut_error(dreamapi_status code = DREAMAPI_INVALID) noexcept
{
    static constexpr std::string_view text = "A text contains a NUL byte.";
    class error error(code);

    error.c().message[text.copy(error.c().message, sizeof(error.c().message) - 1)] = '\0';
    error.c().local = 1;
    return error;
}

[[noreturn]] inline void fail(const class error &error)
{
#if defined(__cpp_exceptions)
    throw failure(error);
#else
    (void)error;
    std::abort();
#endif
}

} // namespace detail

/// An answer or an error.
template <class Answer> class [[nodiscard]] result {
public:
    result(Answer answer) : state_(std::in_place_index<0>, std::move(answer)) {}
    result(class error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }
    /// The answer. On a failure throws `failure`, or ends the program where there are no exceptions.
    Answer &value() &
    {
        require();
        return *std::get_if<0>(&state_);
    }
    const Answer &value() const &
    {
        require();
        return *std::get_if<0>(&state_);
    }
    Answer value() &&
    {
        require();
        return std::move(*std::get_if<0>(&state_));
    }
    /// The same, without a look: only after ok().
    Answer &operator*() noexcept { return *std::get_if<0>(&state_); }
    const Answer &operator*() const noexcept { return *std::get_if<0>(&state_); }
    Answer *operator->() noexcept { return std::get_if<0>(&state_); }
    const Answer *operator->() const noexcept { return std::get_if<0>(&state_); }
    /// Only after a failure.
    const class error &error() const noexcept { return *std::get_if<1>(&state_); }
    enum status code() const noexcept { return ok() ? status::ok : error().code(); }

private:
    void require() const
    {
        if (!ok())
            detail::fail(error());
    }

    std::variant<Answer, class error> state_;
};

/// Success without an answer, or an error.
template <> class [[nodiscard]] result<void> {
public:
    result() noexcept = default;
    result(class error error) : error_(std::move(error)) {}

    bool ok() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return ok(); }
    /// Throws `failure` on a failure, or ends the program where there are no exceptions.
    void value() const
    {
        if (error_)
            detail::fail(*error_);
    }
    const class error &error() const noexcept { return *error_; }
    enum status code() const noexcept { return ok() ? status::ok : error_->code(); }

private:
    std::optional<class error> error_;
};

namespace detail {

template <class Answer, class Object> result<Answer> answer(Object *object, class error error)
{
    if (error.c().status == DREAMAPI_OK)
        return Answer(object);
    return error;
}

inline result<void> answer(class error error)
{
    if (error.c().status == DREAMAPI_OK)
        return {};
    return error;
}

} // namespace detail

/// A call under way. Owned; letting go of it cancels it. Any thread.
template <class Answer> class pending {
public:
    /// Takes ownership of a C call.
    explicit pending(dreamapi_call *call = nullptr) noexcept : call_(call) {}
    pending(pending &&other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
    pending &operator=(pending &&other) noexcept
    {
        if (this != &other)
            dreamapi_call_free(std::exchange(call_, std::exchange(other.call_, nullptr)));
        return *this;
    }
    pending(const pending &) = delete;
    pending &operator=(const pending &) = delete;
    ~pending() { dreamapi_call_free(call_); }

    /// Waits until it is finished, at most `timeout`; status::pending when it is not by then.
    result<void> wait(std::chrono::milliseconds timeout) const
    {
        class error error;

        dreamapi_call_wait(call_, timeout.count() >= 0 ? timeout.count() : 0, &error.c());
        return detail::answer(std::move(error));
    }
    /// Waits as long as the call's own deadline lets it.
    result<void> wait() const
    {
        class error error;

        dreamapi_call_wait(call_, -1, &error.c());
        return detail::answer(std::move(error));
    }
    /// Asks it to stop; returns at once.
    void cancel() noexcept { dreamapi_call_cancel(call_); }
    /// Takes the answer; status::pending while the call is not finished.
    result<Answer> take()
    {
        typename detail::taker<Answer>::object *object = nullptr;
        class error error;

        detail::taker<Answer>::take(call_, &object, &error.c());
        return detail::answer<Answer>(object, std::move(error));
    }
    /// What the call was or will be sent with; "" for calls that have none.
    std::string_view idempotency_key() const noexcept { return detail::text(dreamapi_call_idempotency_key(call_)); }
    /// The C call, borrowed: what client::next hands out.
    dreamapi_call *get() const noexcept { return call_; }

private:
    dreamapi_call *call_;
};

} // namespace dreamapi

#endif
