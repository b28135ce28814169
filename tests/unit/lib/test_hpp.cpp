/* SPDX-License-Identifier: Apache-2.0 */
/* test_hpp.cpp - dreamapi.hpp as a C++ program uses it, over the scripted transport and the virtual clock. Prints TAP: cmocka's
 * failures jump over destructors. */
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
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
