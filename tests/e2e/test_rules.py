# SPDX-License-Identifier: Apache-2.0
"""The rules that no recorded case shows: keys of other platforms and modes, deleted customers, changes of plan, the short paths,
return addresses, webhooks that come twice, at once, late or with the wrong mode's secret, and providers that fail."""

import concurrent.futures
import json
import time
import uuid

import pytest

import daemon
import providers
import tenant
import wire

TIERS = [tenant.tier("free", 3, rateLimit=None), tenant.tier("pro", 10, rateLimit=None, price=900, priceId="price_pro", productId="prod_pro"),
         tenant.tier("max", None, rateLimit=None, price=9900, priceId="price_max", productId="prod_max")]


@pytest.fixture(scope="module")
def stand():
    made = providers.Providers()
    yield made
    made.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, stand):
    """A service with two platforms: (daemon, names). <pk-app> live and <pk-test> test are one platform's, <pk-other> another's."""
    folder = tmp_path_factory.mktemp("rules")

    def project(key, mode="live"):
        return {"pk": f"<pk-{key}>", "sk": f"<sk-{key}>", "mode": mode, "type": "saas", "name": "App", "tiers": TIERS}

    (folder / "fixture.json").write_text(json.dumps({"platforms": {
        "<platform>": {"subscription": "active", "stripe_connected": True, "projects": [project("app"), project("test", "test")]},
        "<platform-other>": {"subscription": "active", "stripe_connected": True, "projects": [project("other")]}}}))
    loaded = daemon.run("fixture", "load", "--db", folder / "r.db", folder / "fixture.json", env=stand.environment())
    env = {**stand.environment(), "FRONTEND_URL": "https://app.example.test",
           "ALLOWED_ORIGINS": "https://shop.example.test,https://two.example.test:8443"}
    with daemon.Daemon(folder, "--db", folder / "r.db", "--free-ports", env=env) as serve:
        yield serve, daemon.last_json_line(loaded.stdout)
        assert serve.stop() == 0
    checked = daemon.run("check", "--db", folder / "r.db", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def app(stage, stand):
    stand.take_calls()
    with tenant.Backend(stage[0].api, stage[1]["<sk-app>"]) as backend:
        yield backend


def new_customer(backend, **fields):
    made = backend.ask("POST", "/api/customers", {"email": f"{uuid.uuid4().hex}@example.test", **fields})
    assert made.status == 201, made
    return made.json["customer"]["id"]


def subscription_event(user_id, key, event_type, created, status="active", tier="pro", subscription=None, **more):
    return {"id": "evt_" + uuid.uuid4().hex, "object": "event", "account": "acct_a", "created": created, "livemode": True,
            "type": "customer.subscription." + event_type, "data": {"object": {
                "id": subscription or "sub_" + user_id, "object": "subscription", "customer": "cus_" + user_id, "status": status,
                "canceled_at": None, "cancellation_details": {"comment": None}, "current_period_end": int(time.time()) + 86400,
                "items": {"data": [{"price": {"id": "price_pro", "product": "prod_pro", "unit_amount": 900, "currency": "usd"}}]},
                "metadata": {"userId": user_id, "tier": tier, "publishableKey": key}}}, **more}


def deliver(stage, stand, event, mode="live"):
    body = json.dumps(event).encode()
    headers = {"Stripe-Signature": wire.stripe_signature(body, stand.webhook_secret(mode)), "Content-Type": "application/json"}
    return daemon.ask(stage[0].api, "POST", "/webhook/stripe", headers, body)


NOW = int(time.time())


# Keys.


def test_a_secret_key_with_another_platforms_publishable_key_is_refused(stage, app):
    for path in ("/api/tiers", "/api/usage?userId=user_x"):
        assert app.ask("GET", path, X_Publishable_Key=stage[1]["<pk-other>"]).status == 403


def test_a_customer_of_one_mode_is_unknown_to_the_other(stage, app):
    user_id = new_customer(app)
    with tenant.Backend(stage[0].api, stage[1]["<sk-test>"]) as test_mode:
        assert test_mode.track(user_id).status == 404
        assert test_mode.ask("GET", "/api/customers/" + user_id).status == 404
        assert test_mode.ask("DELETE", "/api/customers/" + user_id).status == 404
    assert app.track(user_id).status == 200


def test_another_platform_cannot_meter_or_see_the_customer(stage, app):
    user_id = new_customer(app)
    with tenant.Backend(stage[0].api, stage[1]["<sk-other>"]) as other:
        assert other.track(user_id).status == 404
        assert other.ask("GET", "/api/usage?userId=" + user_id).status == 404
        assert other.ask("POST", "/api/create-checkout", {"userId": user_id, "tier": "pro"}).status in (403, 404)


def test_a_user_id_needs_the_secret_key(stage, app):
    user_id = new_customer(app)
    headers = {"X-Publishable-Key": stage[1]["<pk-app>"]}
    assert daemon.ask(stage[0].api, "POST", "/api/data", headers, {"userId": user_id}).status == 401
    assert daemon.ask(stage[0].api, "GET", "/api/usage?userId=" + user_id, headers).status == 401


# Customers and their plans.


def test_the_token_of_a_deleted_customer_no_longer_meters(stage, app):
    user_id = new_customer(app)
    headers = {"X-Publishable-Key": stage[1]["<pk-app>"], "X-Clerk-Token": providers.user_token(user_id, stage[1]["<pk-app>"])}
    assert daemon.ask(stage[0].api, "POST", "/api/data", headers).status == 200
    assert app.ask("DELETE", "/api/customers/" + user_id).status == 200
    assert daemon.ask(stage[0].api, "POST", "/api/data", headers).status == 401
    assert daemon.ask(stage[0].api, "GET", "/api/usage", headers).status == 401
    assert app.track(user_id).status == 404


def test_a_change_of_plan_keeps_the_count(app):
    user_id = new_customer(app)
    assert [app.track(user_id).status for _ in range(4)] == [200, 200, 200, 403]
    assert app.ask("PATCH", "/api/customers/" + user_id, {"plan": "pro"}).status == 200
    assert app.track(user_id).json["usage"] == {"count": 4, "limit": 10, "plan": "pro", "held": 0, "lost": 0}
    assert app.ask("PATCH", "/api/customers/" + user_id, {"plan": "free"}).status == 200
    assert app.track(user_id).status == 403
    assert (app.usage(user_id)["usageCount"], app.usage(user_id)["remaining"]) == (4, 0)
    assert app.ask("PATCH", "/api/customers/" + user_id, {"plan": "max"}).status == 200
    assert app.track(user_id).json["usage"] == {"count": 5, "limit": "unlimited", "plan": "max", "held": 0, "lost": 0}


def test_an_unknown_plan_is_refused_where_it_is_set(app):
    user_id = new_customer(app)
    assert app.ask("PATCH", "/api/customers/" + user_id, {"plan": "platinum"}).status == 400
    assert app.usage(user_id)["plan"] == "free"


def test_the_stored_plan_counts_more_than_the_tokens(stage, app):
    user_id = new_customer(app, plan="pro")
    headers = {"X-Publishable-Key": stage[1]["<pk-app>"], "X-Clerk-Token": providers.user_token(user_id, stage[1]["<pk-app>"], "max")}
    assert daemon.ask(stage[0].api, "GET", "/api/usage", headers).json["plan"] == "pro"


@pytest.mark.parametrize("name", ["count", "banned", ".", "..", "%2e%2e", "%2E", "user_x%3Fy", "user_x%23", "user_x.", "user_%C3%A9", "x"])
def test_what_is_no_user_id_is_an_unknown_customer_without_asking(app, stand, name):
    for method, body in (("GET", None), ("PATCH", {"plan": "pro"}), ("DELETE", None)):
        assert app.ask(method, "/api/customers/" + name, body).status == 404, method
    assert stand.take_calls() == []


@pytest.mark.parametrize("query", ["userId=a%00b", "userId=%zz", "userId=%", "userId=user_a&x=%00", "%00=1"])
def test_a_query_that_cannot_be_decoded_is_a_400(app, query):
    answer = app.ask("GET", "/api/usage?" + query)
    assert (answer.status, answer.json["error"]) == (400, "Invalid query")


@pytest.mark.parametrize("spelled, plan", [("FREE", "free"), ("Pro", "pro"), ("mAX", "max")])
def test_a_plan_is_kept_as_its_tier_is_called(stage, app, stand, spelled, plan):
    made = app.ask("POST", "/api/customers", {"email": f"{uuid.uuid4().hex}@example.test", "plan": spelled})
    assert made.json["customer"]["plan"] == plan
    user_id = made.json["customer"]["id"]
    assert stand.take_calls()[-1]["body"]["public_metadata"]["plan"] == plan
    assert app.ask("PATCH", "/api/customers/" + user_id, {"plan": "pro"}).status == 200
    assert app.ask("PATCH", "/api/customers/" + user_id, {"plan": spelled}).json["customer"]["plan"] == plan
    assert stand.take_calls()[-1]["body"]["public_metadata"]["plan"] == plan
    assert app.ask("GET", "/api/customers/" + user_id).json["customer"]["plan"] == plan
    assert app.usage(user_id)["plan"] == plan


def test_a_change_of_plan_answers_the_plan_in_force(stage, app, stand):
    user_id = new_customer(app)
    key = stage[1]["<pk-app>"]
    assert deliver(stage, stand, subscription_event(user_id, key, "created", NOW, tier="max")).status == 200
    stand.take_calls()
    for plan in ("free", "pro"):
        assert app.ask("PATCH", "/api/customers/" + user_id, {"plan": plan}).json["customer"]["plan"] == "max"
        assert stand.take_calls()[-1]["body"]["public_metadata"]["plan"] == "max"
        assert app.ask("GET", "/api/customers/" + user_id).json["customer"]["plan"] == "max"
    # What was set counts once the subscription is not paid any more.
    assert deliver(stage, stand, subscription_event(user_id, key, "updated", NOW + 1, "past_due", tier="max")).status == 200
    assert app.ask("GET", "/api/customers/" + user_id).json["customer"]["plan"] == "pro"


def test_a_user_of_no_project_is_nobodys_customer(stage, app, stand):
    """Not even after a token of theirs was used here: whoever holds a secret key could else read and delete them."""
    user_id = "user_" + uuid.uuid4().hex
    stand.add_user(user_id, "keyless@example.test", {})
    token = providers.make_token({"sub": user_id, "iat": int(time.time()) - 5, "exp": int(time.time()) + 600})
    for name in ("<pk-app>", "<pk-other>"):
        headers = {"X-Publishable-Key": stage[1][name], "X-Clerk-Token": token}
        assert daemon.ask(stage[0].api, "POST", "/api/data", headers).status == 200
    for name in ("<sk-app>", "<sk-other>"):
        with tenant.Backend(stage[0].api, stage[1][name]) as backend:
            for method, body in (("GET", None), ("PATCH", {"plan": "pro"}), ("DELETE", None)):
                answer = backend.ask(method, "/api/customers/" + user_id, body)
                assert (answer.status, answer.json["error"]) == (404, "Not found"), method
    assert {call["method"] for call in stand.take_calls()} == {"GET"}


# The short paths.


def test_the_short_paths_do_the_same(app, stand):
    made = app.ask("POST", "/customers", {"email": f"{uuid.uuid4().hex}@example.test"})
    assert made.status == 201
    bought = app.ask("POST", "/checkout", {"userId": made.json["customer"]["id"], "tier": "pro"})
    assert (bought.status, set(bought.json)) == (200, {"url"})
    assert [call["path"].split("/")[2] for call in stand.take_calls()] == ["users", "users", "checkout"]


def test_a_short_checkout_without_a_user_is_refused(app):
    assert app.ask("POST", "/checkout", {"tier": "pro"}).status == 400


# Return addresses.


@pytest.mark.parametrize("url, status", [
    ("https://shop.example.test/ok", 200), ("https://two.example.test:8443/x?y=z", 200), ("https://app.example.test/own", 200),
    ("https://evil.example.test/ok", 400), ("https://shop.example.test.evil.test/", 400), ("https://two.example.test/", 400),
    ("https://shop.example.test@evil.test/", 400), ("http://shop.example.test/ok", 400), ("javascript:alert(1)", 400),
    ("//shop.example.test/ok", 400), ("https://evil.test\\@shop.example.test/", 400), ("/relative", 400)])
def test_buyers_return_to_allowed_origins_only(app, url, status):
    user_id = new_customer(app)
    for field in ("successUrl", "cancelUrl"):
        assert app.ask("POST", "/api/create-checkout", {"userId": user_id, "tier": "pro", field: url}).status == status, field


def test_a_foreign_origin_does_not_become_a_return_address(app, stand):
    user_id = new_customer(app)
    stand.take_calls()
    assert app.ask("POST", "/api/create-checkout", {"userId": user_id, "tier": "pro"}, Origin="https://evil.test").status == 200
    sent = stand.take_calls(at_least=2)[-1]["body"]
    assert sent["success_url"].startswith("https://app.example.test/")


# Webhooks.


def test_an_event_delivered_many_times_at_once_is_applied_once(stage, app, stand):
    user_id = new_customer(app)
    event = subscription_event(user_id, stage[1]["<pk-app>"], "created", NOW)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: deliver(stage, stand, event), range(16)))
    assert {answer.status for answer in answers} == {200}
    assert sum("idempotent" not in answer.json for answer in answers) == 1
    assert app.usage(user_id)["plan"] == "pro"


def test_an_older_event_that_comes_late_changes_nothing(stage, app, stand):
    user_id = new_customer(app)
    key = stage[1]["<pk-app>"]
    assert deliver(stage, stand, subscription_event(user_id, key, "updated", NOW + 10, tier="max")).status == 200
    assert deliver(stage, stand, subscription_event(user_id, key, "created", NOW, tier="pro")).status == 200
    assert app.usage(user_id)["plan"] == "max"
    assert deliver(stage, stand, subscription_event(user_id, key, "deleted", NOW + 20, "canceled")).status == 200
    assert deliver(stage, stand, subscription_event(user_id, key, "updated", NOW + 15, tier="max")).status == 200
    assert app.usage(user_id)["plan"] == "free"


def test_a_canceled_users_old_token_gives_nothing(stage, app, stand):
    user_id = new_customer(app)
    key = stage[1]["<pk-app>"]
    deliver(stage, stand, subscription_event(user_id, key, "created", NOW))
    deliver(stage, stand, subscription_event(user_id, key, "deleted", NOW + 1, "canceled"))
    headers = {"X-Publishable-Key": key, "X-Clerk-Token": providers.user_token(user_id, key, "pro")}
    assert daemon.ask(stage[0].api, "GET", "/api/usage", headers).json["plan"] == "free"


def test_an_event_with_the_test_secret_does_not_touch_a_live_project(stage, app, stand):
    user_id = new_customer(app)
    event = subscription_event(user_id, stage[1]["<pk-app>"], "created", NOW)
    assert deliver(stage, stand, event, mode="test").status in (200, 400)
    assert app.usage(user_id)["plan"] == "free"


def test_an_event_for_another_platforms_account_does_not_touch_this_one(stage, app, stand):
    """The account of a Connect event says whose it is; metadata is written by whoever makes the checkout."""
    user_id = new_customer(app)
    event = subscription_event(user_id, stage[1]["<pk-app>"], "created", NOW, account="acct_b")
    assert deliver(stage, stand, event).status in (200, 400, 403)
    assert app.usage(user_id)["plan"] == "free"


def test_a_failure_of_the_identity_provider_leaves_the_event_for_the_next_delivery(stage, app, stand):
    user_id = new_customer(app)
    event = subscription_event(user_id, stage[1]["<pk-app>"], "created", NOW)
    down = {"errors": [{"message": "service unavailable"}]}
    stand.answer_next("clerk", "GET", f"/v1/users/{user_id}", 503, down)
    stand.answer_next("clerk", "PATCH", f"/v1/users/{user_id}/metadata", 503, down)
    first = deliver(stage, stand, event)
    assert first.status >= 500
    second = first
    for _ in range(3):
        second = deliver(stage, stand, event) if second.status >= 500 else second
    assert second.status == 200
    assert app.usage(user_id)["plan"] == "pro"


@pytest.mark.parametrize("body", [b"", b"{nope", b"[]", b"7", b"{}", b'{"id":5}', b'{"id":"evt_x","type":"customer.subscription.updated"}',
                                  b'{"id":"evt_y","type":"customer.subscription.updated","data":{"object":[]}}'])
def test_a_signed_event_that_makes_no_sense_is_a_400(stage, stand, body):
    headers = {"Stripe-Signature": wire.stripe_signature(body, stand.webhook_secret("live"))}
    assert daemon.ask(stage[0].api, "POST", "/webhook/stripe", headers, body).status == 400


# Providers that fail.


@pytest.mark.parametrize("status", [500, 502, 503, 429, 401])
def test_a_failing_identity_provider_is_a_502_to_the_client(app, stand, status):
    stand.answer_next("clerk", "POST", "/v1/users", status, {"errors": [{"message": "no"}]}, {"Retry-After": "3"} if status == 429 else {})
    answer = app.ask("POST", "/api/customers", {"email": f"{uuid.uuid4().hex}@example.test"})
    assert answer.status == 502
    if status != 401:
        assert int(answer.headers["retry-after"]) == 3 if status == 429 else int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("answer", [{"status": 200, "body": []}, {"status": 200, "body": {}}, {"status": 302, "body": {}}])
def test_an_answer_that_makes_no_sense_is_a_502(app, stand, answer):
    user_id = new_customer(app)
    stand.answer_next("stripe", "POST", "/v1/checkout/sessions", answer["status"], answer["body"])
    assert app.ask("POST", "/api/create-checkout", {"userId": user_id, "tier": "pro"}).status == 502


def test_without_signing_keys_a_token_is_no_401(tmp_path):
    stand = providers.Providers()
    names = tenant.load(tmp_path, tmp_path / "x.db", [{"key": "app", "tiers": TIERS}], env=stand.environment())
    headers = {"X-Publishable-Key": names["<pk-app>"], "X-Clerk-Token": providers.user_token("user_a", names["<pk-app>"])}
    with daemon.Daemon(tmp_path, "--db", tmp_path / "x.db", "--free-ports", env=stand.environment()) as serve:
        for _ in range(3):
            stand.answer_next("clerk", "GET", "/v1/jwks", 503, {"errors": []})
        refused = daemon.ask(serve.api, "GET", "/api/usage", headers)
        assert refused.status == 502
        assert int(refused.headers["retry-after"]) > 0
        daemon.wait_for("a verified token", lambda: daemon.ask(serve.api, "GET", "/api/usage", headers).status == 200)
        assert serve.stop() == 0
    stand.close()


def test_a_provider_that_does_not_answer_keeps_nobody_else_waiting(stage, app, stand):
    user_id = new_customer(app)
    headers = {"Authorization": "Bearer " + stage[1]["<sk-app>"]}
    body = {"email": f"{uuid.uuid4().hex}@example.test"}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        holds = [stand.hold("clerk", "POST", "/v1/users") for _ in range(8)]
        waiting = [pool.submit(daemon.ask, stage[0].api, "POST", "/api/customers", headers, {**body, "email": f"{n}{body['email']}"})
                   for n in range(8)]
        for held in holds:
            held.wait_arrived()
        assert app.track(user_id).status == 200
        for held in holds:
            held.release()
        assert [one.result(20).status for one in waiting] == [201] * 8


# A tier bought by its display name is that tier.


def test_a_tier_bought_by_its_display_name_gives_its_plan(stage, app, stand):
    user_id = new_customer(app)
    stand.take_calls()
    assert app.ask("POST", "/api/create-checkout", {"userId": user_id, "tier": "Pro"}).status == 200
    sent = stand.take_calls(at_least=2)[-1]["body"]
    assert sent["line_items[0][price]"] == "price_pro"
    event = subscription_event(user_id, stage[1]["<pk-app>"], "created", NOW, tier=sent["subscription_data[metadata][tier]"])
    assert deliver(stage, stand, event).status == 200
    assert app.usage(user_id)["limit"] == 10
