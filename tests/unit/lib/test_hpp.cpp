/* SPDX-License-Identifier: Apache-2.0 */
/* test_hpp.cpp - dreamapi.hpp as a C++ program uses it, over the scripted transport and the virtual clock. Prints TAP: cmocka's
 * failures jump over destructors. */
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include <dreamapi.hpp>
#include <dreamapi/testing.h>

namespace {

struct failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

#define EXPECT(claim)                                                                                                  \
    do {                                                                                                               \
        if (!(claim))                                                                                                  \
            throw failed(std::string(#claim) + " at line " + std::to_string(__LINE__));                                \
    } while (false)

/* A client of a server that answers what the test scripted. */
class fixture {
public:
    fixture() : clock_(dreamapi_test_clock_new(1700000000000)), transport_(dreamapi_test_transport_new())
    {
        options_.base_url("https://api.example.com").secret_key("sk_test_key").threads(0).max_retries(0);
        EXPECT(dreamapi_test_clock_install(clock_.get(), options_.get()) == DREAMAPI_OK);
        EXPECT(dreamapi_test_transport_install(transport_.get(), options_.get()) == DREAMAPI_OK);
    }

    dreamapi::client client() { return dreamapi::client::make(options_).value(); }
    void answer(const char *path, int http_status, const char *body)
    {
        EXPECT(dreamapi_test_transport_add_simple(transport_.get(), path, http_status, body) == DREAMAPI_OK);
    }
    /* An answer that never comes. */
    void keep_silent()
    {
        dreamapi_test_answer silence = DREAMAPI_TEST_ANSWER_INIT;

        silence.delay_ms = DREAMAPI_TEST_NEVER;
        EXPECT(dreamapi_test_transport_add(transport_.get(), &silence) == DREAMAPI_OK);
    }
    std::int64_t now_ms() const { return dreamapi_test_clock_monotonic_ms(clock_.get()); }
    dreamapi::options &options() { return options_; }
    std::size_t requests() const { return dreamapi_test_transport_request_count(transport_.get()); }
    std::string last_body() const
    {
        const std::size_t count = dreamapi_test_transport_request_count(transport_.get());
        const char *body = dreamapi_test_request_body(dreamapi_test_transport_request(transport_.get(), count - 1));

        return body != nullptr ? body : "";
    }

private:
    struct releaser {
        void operator()(dreamapi_test_clock *clock) const { dreamapi_test_clock_free(clock); }
        void operator()(dreamapi_test_transport *transport) const { dreamapi_test_transport_free(transport); }
    };
    std::unique_ptr<dreamapi_test_clock, releaser> clock_;
    std::unique_ptr<dreamapi_test_transport, releaser> transport_;
    dreamapi::options options_;
};

const char *const ada = "{\"customer\":{\"id\":\"user_1\",\"email\":\"ada@example.com\",\"plan\":\"pro\"}}";

void a_customer_is_created_and_read()
{
    fixture f;
    dreamapi::client client = f.client();
    dreamapi::customer_params params;

    f.answer("/api/customers", 200, ada);
    params.email = "ada@example.com";
    params.plan = std::string_view("pro");
    auto customer = client.customer_create(params);
    EXPECT(customer);
    EXPECT(customer.code() == dreamapi::status::ok);
    EXPECT(customer->id() == "user_1");
    EXPECT(customer->plan() == "pro");
    EXPECT(!customer->first_name());
    EXPECT(!customer->created_at());
    EXPECT(!customer->usage_count());
    EXPECT(f.last_body().find("\"plan\":\"pro\"") != std::string::npos);
    EXPECT(f.last_body().find("firstName") == std::string::npos);
}

void a_failure_is_a_result_with_the_servers_words()
{
    fixture f;
    dreamapi::client client = f.client();

    f.answer("/api/customers/user_2", 404, "{\"error\":\"Not found\",\"message\":\"no such customer\"}");
    auto customer = client.customer_get("user_2");
    EXPECT(!customer);
    EXPECT(customer.code() == dreamapi::status::not_found);
    EXPECT(dreamapi::name(customer.code()) == "DREAMAPI_NOT_FOUND");
    EXPECT(customer.error().http_status() == 404);
    EXPECT(!customer.error().retry_after());
    EXPECT(!customer.error().retriable());
    EXPECT(!customer.error().message().empty());
}

void value_throws_what_went_wrong()
{
    fixture f;
    dreamapi::client client = f.client();

    f.answer("/api/customers/user_2", 404, "{\"error\":\"Not found\"}");
    try {
        (void)client.customer_get("user_2").value();
    } catch (const dreamapi::failure &failure) {
        EXPECT(failure.code() == dreamapi::status::not_found);
        EXPECT(std::string(failure.what()) == failure.error().message());
        return;
    }
    EXPECT(!"nothing was thrown");
}

void an_option_that_is_refused_is_named()
{
    auto client = dreamapi::client::make(dreamapi::options().base_url("https://api.example.com").timeout(std::chrono::seconds(-1)).threads(1));

    EXPECT(!client);
    EXPECT(client.code() == dreamapi::status::invalid);
    EXPECT(client.error().message().find("timeout") != std::string_view::npos);
}

void lists_are_walked_with_for()
{
    fixture f;
    dreamapi::client client = f.client();
    std::string names;

    f.answer("/api/tiers", 200,
             "{\"tiers\":[{\"id\":\"free\",\"name\":\"free\",\"price\":0,\"limit\":5},{\"id\":\"pro\",\"name\":\"pro\",\"price\":2900,"
             "\"limit\":\"unlimited\",\"features\":[\"a\",\"b\"]}]}");
    auto tiers = client.tier_list();
    EXPECT(tiers);
    EXPECT(tiers->items().size() == 2);
    for (const dreamapi::tier_view tier : tiers->items()) {
        names += tier.id();
        for (std::string_view feature : tier.features())
            names += feature;
    }
    EXPECT(names == "freeproab");
    EXPECT(tiers->items()[1].limit() == DREAMAPI_UNLIMITED);
}

void objects_move_and_end_in_any_order()
{
    fixture f;
    dreamapi::customer kept;
    std::vector<dreamapi::customer> many;

    {
        dreamapi::client client = f.client();
        f.answer("/api/customers/user_1", 200, ada);
        f.answer("/api/customers/user_1", 200, ada);
        many.push_back(client.customer_get("user_1").value());
        kept = client.customer_get("user_1").value();
        dreamapi::client other = std::move(client);
        EXPECT(client.get() == nullptr);
        EXPECT(other.get() != nullptr);
    }
    many.push_back(std::move(kept));
    EXPECT(kept.get() == nullptr);
    EXPECT(many[0].id() == "user_1" && many[1].id() == "user_1");
    static_assert(!std::is_copy_constructible_v<dreamapi::customer> && std::is_nothrow_move_constructible_v<dreamapi::customer>);
    static_assert(!std::is_copy_constructible_v<dreamapi::client> && !std::is_copy_constructible_v<dreamapi::meter>);
}

void a_call_that_was_started_is_handed_out_and_taken()
{
    fixture f;
    dreamapi::client client = f.client();

    f.answer("/api/customers/user_1", 200, ada);
    auto call = client.customer_get_start("user_1").value();
    EXPECT(call.take().code() == dreamapi::status::pending);
    for (int i = 0; i < 100 && call.wait(std::chrono::milliseconds(0)).code() == dreamapi::status::pending; i++)
        EXPECT(client.perform());
    auto customer = call.take();
    EXPECT(customer && customer->id() == "user_1");
    EXPECT(call.take().code() == dreamapi::status::invalid);
}

void a_call_that_is_dropped_is_cancelled()
{
    fixture f;
    dreamapi::client client = f.client();

    {
        auto call = client.customer_get_start("user_1").value();
        call.cancel();
        EXPECT(!call.wait());
        EXPECT(call.take().code() == dreamapi::status::cancelled);
    }
    EXPECT(client.next() == nullptr);
}

void a_cart_lists_its_lines()
{
    fixture f;
    dreamapi::client client = f.client();
    dreamapi::cart_params cart;

    f.answer("/api/cart/checkout", 200, "{\"url\":\"https://pay.example.com/1\"}");
    cart.items.push_back({ "price_1", "prod_1", "shirt", 2 });
    cart.items.push_back({ "price_2", std::nullopt, std::nullopt, 1 });
    cart.email = "ada@example.com";
    auto checkout = client.cart_checkout(cart);
    EXPECT(checkout && checkout->url() == "https://pay.example.com/1");
    EXPECT(f.last_body().find("\"price_2\"") != std::string::npos);
}

void a_meter_admits_and_refuses()
{
    fixture f;
    dreamapi::client client = f.client();
    dreamapi::meter_params params;

    f.answer("/api/data", 200, "{\"success\":true,\"usage\":{\"count\":1,\"limit\":5,\"plan\":\"free\"}}");
    params.user_token = "token";
    auto meter = client.open_meter("user_1", params);
    EXPECT(meter);
    auto decision = meter->use();
    EXPECT(decision);
    EXPECT(decision.source() == dreamapi::source::server);
    EXPECT(decision.limit() == 5);
    EXPECT(decision.max_over() == 0);
    f.answer("/api/data", 403, "{\"error\":\"Tier limit reached\",\"limit\":5,\"usageCount\":5}");
    decision = meter->use();
    EXPECT(!decision);
    EXPECT(decision.code() == dreamapi::status::limit);
    EXPECT(decision.reason() == dreamapi::reason::limit);
    EXPECT(meter->refund(decision).code() == dreamapi::status::invalid || meter->refund(decision).code() == dreamapi::status::unsupported);
    EXPECT(!meter->reserve(1, std::chrono::seconds(1), &decision));
    EXPECT(decision.code() == dreamapi::status::unsupported);
    EXPECT(client.meter_stats().value().meters_open == 1);
}

void a_webhook_that_nobody_signed_is_refused_by_its_cause()
{
    auto replays = dreamapi::webhook_replays::make(10);
    dreamapi::webhook webhook;

    EXPECT(replays);
    webhook.body = "{}";
    EXPECT(dreamapi::webhook_verify(webhook, { "whsec_MDEyMzQ1Njc4OWFiY2RlZg==" }, &*replays).code() == dreamapi::status::protocol);
    webhook.id = "msg_1";
    webhook.timestamp = "1700000000";
    webhook.signature = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    EXPECT(dreamapi::webhook_verify(webhook, { "whsec_MDEyMzQ1Njc4OWFiY2RlZg==" }).code() == dreamapi::status::auth);
    EXPECT(dreamapi::webhook_verify(webhook, {}).code() == dreamapi::status::invalid);
    EXPECT(!dreamapi::webhook_replays::make(0));
}

void a_token_of_no_known_key_is_refused()
{
    auto client = dreamapi::client::make(dreamapi::options().base_url("https://api.example.com").publishable_key("pk_1").threads(0)
                                             .token_keys("{\"keys\":[]}"));

    EXPECT(!client || client->token_verify("a.b.c", {}).code() == dreamapi::status::auth);
    auto without = dreamapi::client::make(dreamapi::options().base_url("https://api.example.com").publishable_key("pk_1").threads(0));
    EXPECT(without && without->token_verify("a.b.c", {}).code() == dreamapi::status::invalid);
}

/* A text that C would see as "ada". */
const std::string with_nul("ada\0other", 9);
/* RFC 7517, appendix A.1. */
const char *const key_set = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
                            "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"use\":\"sig\",\"kid\":\"1\"}]}";

void an_option_with_a_nul_is_refused_and_not_cut()
{
    using options = dreamapi::options;
    options &(options::*const setters[])(const std::string &) = {
        &options::base_url,          &options::secret_key, &options::publishable_key, &options::ca_file,    &options::proxy,
        &options::user_agent_suffix, &options::journal,    &options::jwks_url,        &options::token_keys,
    };

    for (const auto setter : setters) {
        options refusing;

        EXPECT((refusing.*setter)(with_nul).status() == DREAMAPI_INVALID);
    }
}

bool is_refused(dreamapi::status code)
{
    return code == dreamapi::status::invalid;
}

/* All texts of such parameters, one at a time: what is refused then? */
template <class Params, class Call>
void each_is_refused(const std::vector<std::optional<std::string> Params::*> &texts, const Params &good, Call call)
{
    for (std::size_t i = 0; i < texts.size(); i++) {
        Params params = good;

        params.*texts[i] = with_nul;
        if (!is_refused(call(params).code()))
            throw failed("text " + std::to_string(i) + " of " + typeid(Params).name());
    }
}

void a_text_with_a_nul_is_refused_and_not_cut()
{
    fixture f;
    dreamapi::client client = f.client();
    using dreamapi::cart_item, dreamapi::cart_params, dreamapi::checkout_params, dreamapi::customer_params, dreamapi::usage_event;
    using dreamapi::call_options, dreamapi::customer_list_params, dreamapi::portal_params, dreamapi::usage_history_params;

    each_is_refused({ &checkout_params::user_id, &checkout_params::tier, &checkout_params::price_id, &checkout_params::success_url,
                      &checkout_params::cancel_url },
                    checkout_params{ "user_1", {}, {}, {}, {} }, [&](auto &params) { return client.checkout_create(params); });
    each_is_refused({ &customer_params::email, &customer_params::first_name, &customer_params::last_name, &customer_params::plan,
                      &customer_params::password },
                    customer_params{ "ada@example.com", {}, {}, {}, {} }, [&](auto &params) { return client.customer_create(params); });
    each_is_refused({ &customer_list_params::cursor, &customer_list_params::email, &customer_list_params::plan }, customer_list_params{},
                    [&](auto &params) { return client.customer_list(params); });
    each_is_refused({ &portal_params::user_id, &portal_params::return_url }, portal_params{ "user_1", {} },
                    [&](auto &params) { return client.portal_create(params); });
    each_is_refused({ &usage_history_params::user_id, &usage_history_params::from, &usage_history_params::to, &usage_history_params::meter },
                    usage_history_params{}, [&](auto &params) { return client.usage_history(params); });
    each_is_refused({ &cart_params::email, &cart_params::success_url, &cart_params::cancel_url }, cart_params{ { cart_item() }, {}, {}, {} },
                    [&](auto &params) { return client.cart_checkout(params); });
    each_is_refused({ &cart_item::price_id, &cart_item::product_id, &cart_item::tier }, cart_item(),
                    [&](auto &item) { return client.cart_checkout({ { item }, {}, {}, {} }); });
    each_is_refused({ &usage_event::id, &usage_event::meter }, usage_event{ {}, "user_1", {}, 1, {} },
                    [&](auto &event) { return client.usage_batch({ event }); });
    each_is_refused({ &call_options::idempotency_key, &call_options::user_token, &call_options::traceparent }, call_options(),
                    [&](auto &options) { return client.tier_list(options); });
    EXPECT(is_refused(client.usage_batch({ { {}, with_nul, {}, 1, {} } }).code()));
    EXPECT(is_refused(client.asset_upload({ with_nul, {}, "data" }).code()));
    EXPECT(is_refused(client.asset_upload({ "a.png", with_nul, "data" }).code()));
    EXPECT(is_refused(client.customer_get(with_nul).code()));
    EXPECT(is_refused(client.customer_get_start(with_nul).code()));
    EXPECT(is_refused(client.customer_update(with_nul, { "pro" }).code()));
    EXPECT(is_refused(client.customer_delete(with_nul).code()));
    EXPECT(is_refused(client.usage_get(with_nul).code()));
    EXPECT(is_refused(client.usage_track(with_nul).code()));
    EXPECT(f.requests() == 0);
}

/* What C itself does not look at. */
void a_meter_a_tier_a_token_and_a_webhook_take_no_text_with_a_nul()
{
    fixture f;
    dreamapi::client client = f.options().publishable_key("pk_1").token_keys(key_set).status() == DREAMAPI_OK ? f.client() : dreamapi::client();
    using dreamapi::call_options, dreamapi::meter_params, dreamapi::tier_check_params, dreamapi::token_params;
    const tier_check_params is_pro{ "pro", {}, "pro", {} };
    dreamapi::webhook webhook{ dreamapi::webhook_scheme::stripe, "t=1,v1=00", {}, {}, "{}" };

    EXPECT(is_refused(client.open_meter(with_nul).code()));
    EXPECT(is_refused(client.use(with_nul).code()));
    each_is_refused({ &meter_params::meter, &meter_params::user_token }, meter_params(),
                    [&](auto &params) { return client.open_meter("user_1", params); });
    EXPECT(is_refused(client.tier_check(with_nul, is_pro).code()));
    each_is_refused({ &tier_check_params::min_plan, &tier_check_params::plan }, is_pro,
                    [&](auto &params) { return client.tier_check({}, params); });
    EXPECT(is_refused(client.tier_check({}, { {}, with_nul, "pro", {} }).code()));
    each_is_refused({ &call_options::idempotency_key, &call_options::user_token, &call_options::traceparent }, call_options(),
                    [&](auto &options) { return client.tier_check({}, is_pro, options); });
    EXPECT(client.token_verify("a.b.c", {}).code() == dreamapi::status::auth);
    EXPECT(is_refused(client.token_verify(with_nul, {}).code()));
    EXPECT(is_refused(client.token_verify_start(with_nul, {}).code()));
    EXPECT(client.token_verify(with_nul, {}).error().local());
    each_is_refused({ &token_params::issuer, &token_params::audience }, token_params(),
                    [&](auto &params) { return client.token_verify("a.b.c", params); });
    EXPECT(is_refused(client.token_verify("a.b.c", { {}, {}, { "https://a.example", with_nul }, {}, false, {} }).code()));
    EXPECT(is_refused(client.token_verify("a.b.c", { {}, {}, {}, { with_nul }, false, {} }).code()));
    EXPECT(dreamapi::webhook_verify(webhook, { "whsec_1" }).code() == dreamapi::status::auth);
    EXPECT(is_refused(dreamapi::webhook_verify(webhook, { "whsec_1", with_nul }).code()));
    webhook = { dreamapi::webhook_scheme::standard, "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "msg_1", "1700000000", "{}" };
    for (const auto header : { &dreamapi::webhook::signature, &dreamapi::webhook::id, &dreamapi::webhook::timestamp }) {
        dreamapi::webhook sent = webhook;

        *(sent.*header) += std::string("\0", 1); // the sender's fault, not the program's
        EXPECT(dreamapi::webhook_verify(sent, { "whsec_MDEy" }).code() == dreamapi::status::protocol);
    }
    EXPECT(f.requests() == 0);
}

/* How long a call that is never answered takes, on its client's clock. */
std::int64_t taken_ms(const dreamapi::call_options &options)
{
    fixture f;
    dreamapi::client client = f.client();
    const std::int64_t before_ms = f.now_ms();

    f.keep_silent();
    EXPECT(client.tier_list(options).code() == dreamapi::status::timeout);
    return f.now_ms() - before_ms;
}

void what_is_left_of_a_deadline_is_a_timeout()
{
    using namespace std::chrono;
    dreamapi::call_options options;

    EXPECT(taken_ms(options) == 30000);
    for (const nanoseconds left : { nanoseconds(-1), nanoseconds(0), nanoseconds(1), nanoseconds(milliseconds(1)), nanoseconds::min() }) {
        options.timeout = left;
        EXPECT(taken_ms(options) == 1);
    }
    options.timeout = hours(-2562047788016); // its milliseconds do not fit
    EXPECT(options.c().timeout_ms == 1);
    options.timeout = microseconds(2001);
    EXPECT(taken_ms(options) == 3);
    options.timeout = seconds(5);
    EXPECT(*options.timeout == seconds(5) && taken_ms(options) == 5000);
    options.timeout = hours(24);
    EXPECT(options.c().timeout_ms == DREAMAPI_MAX_TIMEOUT_MS);
    fixture f;
    dreamapi::client client = f.client();
    for (const dreamapi::call_options &too_long : { dreamapi::call_options{ milliseconds(DREAMAPI_MAX_TIMEOUT_MS + 1), {}, {}, {} },
                                                    dreamapi::call_options{ hours::max(), {}, {}, {} } })
        EXPECT(is_refused(client.tier_list(too_long).code()));
}

const struct {
    const char *name;
    void (*run)();
} cases[] = {
    { "a customer is created and read", a_customer_is_created_and_read },
    { "a failure is a result with the server's words", a_failure_is_a_result_with_the_servers_words },
    { "value throws what went wrong", value_throws_what_went_wrong },
    { "an option that is refused is named", an_option_that_is_refused_is_named },
    { "lists are walked with for", lists_are_walked_with_for },
    { "objects move and end in any order", objects_move_and_end_in_any_order },
    { "a call that was started is handed out and taken", a_call_that_was_started_is_handed_out_and_taken },
    { "a call that is dropped is cancelled", a_call_that_is_dropped_is_cancelled },
    { "a cart lists its lines", a_cart_lists_its_lines },
    { "a webhook that nobody signed is refused by its cause", a_webhook_that_nobody_signed_is_refused_by_its_cause },
    { "a token of no known key is refused", a_token_of_no_known_key_is_refused },
    { "a meter admits and refuses", a_meter_admits_and_refuses },
    { "an option with a NUL is refused and not cut", an_option_with_a_nul_is_refused_and_not_cut },
    { "a text with a NUL is refused and not cut", a_text_with_a_nul_is_refused_and_not_cut },
    { "a meter, a tier, a token and a webhook take no text with a NUL", a_meter_a_tier_a_token_and_a_webhook_take_no_text_with_a_nul },
    { "what is left of a deadline is a timeout", what_is_left_of_a_deadline_is_a_timeout },
};

} // namespace

int main()
{
    int number = 0, bad = 0;

    std::printf("1..%zu\n", sizeof(cases) / sizeof(cases[0]));
    for (const auto &test : cases) {
        number++;
        try {
            test.run();
            std::printf("ok %d - %s\n", number, test.name);
        } catch (const std::exception &problem) {
            std::printf("not ok %d - %s\n# %s\n", number, test.name, problem.what());
            bad++;
        }
    }
    return bad != 0;
}
