/* SPDX-License-Identifier: Apache-2.0 */
/* behave_cpp.cpp - the behaviours through dreamapi.hpp. See behaviours.h. */
#include "behaviours.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <dreamapi.hpp>

extern "C" const char *const behave_language = "C++";

namespace {

using std::chrono::milliseconds;

struct session {
    wire_stage *stage;
    dreamapi::client client;
    std::optional<dreamapi::meter> meter;
    dreamapi::decision decision;
};

std::unique_ptr<session> here;

dreamapi::meter_params meter_params(const behave_setup &setup)
{
    dreamapi::meter_params params;

    if (setup.meter_token != nullptr)
        params.user_token = setup.meter_token;
    params.policy = static_cast<dreamapi::policy>(setup.policy);
    if (setup.wait_ms >= 0)
        params.wait = milliseconds(setup.wait_ms);
    params.allow_units = setup.allow_units;
    return params;
}

template <std::size_t Size> void put(char (&out)[Size], std::string_view text)
{
    out[text.copy(out, Size - 1)] = '\0';
}

std::int64_t ms(std::optional<milliseconds> span)
{
    return span ? span->count() : -1;
}

/* ---- calls ---- */

template <class Answer> void take(behave_outcome *out, const dreamapi::result<Answer> &answer)
{
    out->status = static_cast<dreamapi_status>(answer.code());
    if (answer) {
        put(out->plan, std::optional<std::string_view>(answer->plan()).value_or(""));
        return;
    }
    const dreamapi::error &error = answer.error();
    out->http_status = error.http_status().value_or(0);
    out->is_retriable = error.retriable();
    out->is_local = error.local();
    out->retry_after_ms = ms(error.retry_after());
    out->used = error.used().value_or(-1);
    out->limit = error.limit().value_or(-1);
    put(out->request_id, error.request_id());
    put(out->server_error, error.server_error());
    put(out->message, error.message());
}

dreamapi::customer_params ada()
{
    dreamapi::customer_params params;

    params.email = "ada@example.test";
    return params;
}

void cancel(std::string_view call, const dreamapi::call_options &options, behave_outcome *out)
{
    const std::size_t before = here->stage->asked_count;
    auto started = call == "customer_get" ? here->client.customer_get_start("user_1", options)
                                          : here->client.customer_create_start(ada(), options);

    for (int i = 0; i < 100 && here->stage->asked_count == before; i++)
        here->client.perform().value();
    started->cancel();
    if (started->wait())
        wire_bail_out("a call without an answer was not cancelled", here->stage->asked[before].path);
    take(out, started->take());
}

} // namespace

void behave_begin(const behave_setup *setup)
{
    dreamapi::options options;

    options.base_url(stage_base_url).secret_key(stage_secret_key).threads(0);
    if (setup->timeout_ms != 0)
        options.timeout(milliseconds(setup->timeout_ms));
    if (setup->max_retries >= 0)
        options.max_retries(static_cast<int>(setup->max_retries));
    stage_install(setup->stage, options.get());
    here.reset(new session{ setup->stage, dreamapi::client::make(options).value(), std::nullopt, {} });
    if (setup->has_meter)
        here->meter = here->client.open_meter("user_1", meter_params(*setup)).value();
}

void behave_end(void)
{
    here.reset();
}

void behave_call(const behave_step *step, behave_outcome *out)
{
    const std::string_view call = step->call;
    const dreamapi::client &client = here->client;
    dreamapi::call_options options;

    if (step->timeout_ms != 0)
        options.timeout = milliseconds(step->timeout_ms);
    if (step->key != nullptr)
        options.idempotency_key = step->key;
    if (step->token != nullptr)
        options.user_token = step->token;
    if (step->is_cancelled) {
        cancel(call, options, out);
    } else if (call == "customer_get") {
        take(out, client.customer_get("user_1", options));
    } else if (call == "customer_create") {
        take(out, client.customer_create(ada(), options));
    } else if (call == "customer_update") {
        dreamapi::customer_update_params changes;
        changes.plan = "free";
        take(out, client.customer_update("user_1", changes, options));
    } else if (call == "customer_delete") {
        take(out, client.customer_delete("user_1", options));
    } else if (call == "usage_track") {
        const auto user = step->token != nullptr ? std::nullopt : std::optional<std::string>("user_1");
        take(out, client.usage_track(user, {}, options));
    } else {
        wire_bail_out("no such call", step->call);
    }
}

/* ---- the meter ---- */

static void take(behave_outcome *out, const dreamapi::decision &decision)
{
    out->status = static_cast<dreamapi_status>(decision.code());
    out->reason = static_cast<dreamapi_reason>(decision.reason());
    out->source = static_cast<dreamapi_source>(decision.source());
    out->limit = decision.limit().value_or(-1);
    out->used = decision.used().value_or(-1);
    out->remaining = decision.remaining().value_or(-1);
    out->retry_after_ms = ms(decision.retry_after());
    put(out->plan, decision.plan());
}

void behave_use(int64_t units, behave_outcome *out)
{
    here->decision = here->meter->use(units);
    take(out, here->decision);
}

void behave_check(int64_t units, behave_outcome *out)
{
    take(out, here->meter->check(units));
}

void behave_refund(behave_outcome *out)
{
    out->status = static_cast<dreamapi_status>(here->meter->refund(here->decision).code());
}
