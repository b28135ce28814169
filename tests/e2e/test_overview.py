# SPDX-License-Identifier: Apache-2.0
"""What a developer sees of all customers at once: dashboard and totals, the list of customers, batches of usage events and the
usage's history; and Clerk's webhooks, which keep the customers true. Test and live never meet in any of them."""

import base64
import hashlib
import hmac
import json
import time
import uuid

import pytest

import daemon
import providers
import tenant

DAY_MS = 86400000
TIERS = [tenant.tier("free", 5, rateLimit=2), tenant.tier("pro", 100, rateLimit=None, price=2900, priceId="price_pro", productId="prod_pro")]


@pytest.fixture(scope="module")
def stand():
    made = providers.Providers()
    yield made
    made.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, stand):
    """A service with one platform's live and test project: (daemon, names)."""
    folder = tmp_path_factory.mktemp("overview")

    def project(key, mode="live"):
        return {"pk": f"<pk-{key}>", "sk": f"<sk-{key}>", "mode": mode, "type": "saas", "name": key, "tiers": TIERS}

    (folder / "fixture.json").write_text(json.dumps({"platforms": {"<platform>": {
        "subscription": "active", "stripe_connected": True, "projects": [project("app"), project("test", "test")]}}}))
    loaded = daemon.run("fixture", "load", "--db", folder / "o.db", folder / "fixture.json", env=stand.environment())
    names = daemon.last_json_line(loaded.stdout)
    with daemon.Daemon(folder, "--db", folder / "o.db", "--free-ports", env=stand.environment()) as serve:
        yield serve, names
        assert serve.stop() == 0
    checked = daemon.run("check", "--db", folder / "o.db", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def app(stage, stand):
    stand.take_calls()
    with tenant.Backend(stage[0].api, stage[1]["<sk-app>"]) as backend:
        yield backend


@pytest.fixture
def test_app(stage):
    with tenant.Backend(stage[0].api, stage[1]["<sk-test>"]) as backend:
        yield backend


def new_customer(backend, email=None, **fields):
    made = backend.ask("POST", "/api/customers", {"email": email or f"{uuid.uuid4().hex}@example.test", **fields})
    assert made.status == 201, made
    return made.json["customer"]["id"]


def get(backend, path):
    answer = backend.ask("GET", path)
    assert answer.status == 200, answer
    return answer.json


def batch(backend, *events, key=None):
    answer = backend.ask("POST", "/api/usage/batch", {"events": list(events)}, key)
    assert answer.status == 200, answer
    return answer.json["results"]


def event(user_id, units=1, **more):
    return {"id": uuid.uuid4().hex, "userId": user_id, "units": units, **more}


# ---- what is announced, and to whom ----

def test_health_announces_the_extensions(stage):
    announced = daemon.ask(stage[0].api, "GET", "/health").json["extensions"]
    assert {"customer-list", "usage-batch", "usage-history"} <= set(announced)


@pytest.mark.parametrize("method, path", [("GET", "/api/customers"), ("GET", "/api/dashboard"), ("GET", "/api/dashboard/totals"),
                                          ("POST", "/api/usage/batch"), ("GET", "/api/usage/history")])
def test_a_publishable_key_is_refused(stage, method, path):
    answer = daemon.ask(stage[0].api, method, path, {"X-Publishable-Key": stage[1]["<pk-app>"]})
    assert answer.status == 403, answer
    assert answer.json["error"] == "Forbidden"


# ---- the list of customers ----

def test_customers_are_listed_page_by_page(app):
    prefix = uuid.uuid4().hex[:8]
    made = [new_customer(app, f"{prefix}{i}@example.test", firstName=f"N{i}") for i in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = get(app, f"/api/customers?limit=2&email={prefix.upper()}" + (f"&cursor={cursor}" if cursor else ""))
        assert 1 <= len(page["customers"]) <= 2
        seen += page["customers"]
        cursor = page["nextCursor"]
    assert sorted(row["id"] for row in seen) == sorted(made)
    assert [row["createdAt"] for row in seen] == sorted((row["createdAt"] for row in seen), reverse=True)
    assert seen[0]["plan"] == "free" and seen[0]["status"] == "none" and seen[0]["usage"]["limit"] == 5


def test_customers_are_found_by_plan_with_their_usage(app, stage):
    user = new_customer(app, plan="pro")
    app.track(user)
    rows = {row["id"]: row for row in get(app, "/api/customers?plan=PRO&limit=100")["customers"]}
    assert rows[user]["usage"]["count"] == 1 and rows[user]["usage"]["limit"] == 100
    assert rows[user]["publishableKey"] == stage[1]["<pk-app>"]
    assert user not in {row["id"] for row in get(app, "/api/customers?plan=free&limit=100")["customers"]}
    assert app.ask("DELETE", f"/api/customers/{user}").status == 200
    assert user not in {row["id"] for row in get(app, "/api/customers?plan=pro&limit=100")["customers"]}


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=", "limit=-1", "limit=1.5", "email=", "plan=", "cursor=",
                                   "cursor=!!", "cursor=YWJj", "cursor=MTIzLg", "email=" + "a" * 321, "plan=" + "a" * 65])
def test_bad_parameters_of_the_list_are_400(app, query):
    answer = app.ask("GET", "/api/customers?" + query)
    assert answer.status == 400, answer
    assert answer.json["error"].startswith("Invalid ")


# ---- usage events ----

def test_a_batch_counts_each_event_once(app):
    user = new_customer(app)
    first, second = event(user, 2), event(user, 2)
    assert [r["status"] for r in batch(app, first, second, first)] == ["applied", "applied", "duplicate"]
    results = batch(app, first, event(user, 2), event(user), event("user_nobody"))
    assert [r["status"] for r in results] == ["duplicate", "limit", "applied", "error"]
    assert results[0]["id"] == first["id"] and results[3]["error"] == "Customer not found"
    assert app.usage(user)["usageCount"] == 5


def test_a_batch_takes_nothing_of_the_rate(app):
    user = new_customer(app)
    batch(app, *[event(user) for _ in range(4)])
    assert [app.track(user).status for _ in range(2)] == [200, 403]
    assert app.track(user).status == 429


def test_a_batch_is_idempotent_by_key_too(app):
    user = new_customer(app)
    key, sent = uuid.uuid4().hex, event(user)
    assert batch(app, sent, key=key) == batch(app, sent, key=key)
    assert app.ask("POST", "/api/usage/batch", {"events": [event(user)]}, key).status == 422
    assert batch(app, sent)[0]["status"] == "duplicate"


def test_the_time_of_an_event_is_text_or_milliseconds(app):
    user = new_customer(app)
    now = int(time.time() * 1000)
    yesterday = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now / 1000 - 86400))
    results = batch(app, event(user, at=yesterday), event(user, at=now), event(user, at=None), event(user, at=now + 600000),
                    event(user, at=now - 36 * DAY_MS), event(user, at="yesterday"), event(user, at=-1))
    assert [r["status"] for r in results] == ["applied"] * 3 + ["error"] * 4
    days = {d["date"]: d["units"] for d in get(app, f"/api/usage/history?userId={user}")["days"]}
    assert days[yesterday[:10]] == 1 and sum(days.values()) == 3


def test_a_bad_event_is_its_own_failure(app):
    user = new_customer(app)
    bad = [{"userId": user}, event(user) | {"id": ""}, event(user) | {"id": 7}, event(""), event(user, 0), event(user, 1.5),
           event(user, "2"), event(user, meter=""), event(user, meter=3), 5, None, event(user) | {"id": "x" * 129}]
    results = batch(app, *bad, event(user))
    assert [r["status"] for r in results] == ["error"] * len(bad) + ["applied"]
    assert all(r["error"] for r in results[:-1])


@pytest.mark.parametrize("body", [None, "{", "[]", {}, {"events": None}, {"events": []}, {"events": {}}, {"events": [{}] * 1001}])
def test_a_batch_that_is_none_is_400(app, body):
    answer = app.ask("POST", "/api/usage/batch", body)
    assert answer.status == 400, answer
    assert answer.json["error"] == "Invalid request"


def test_a_thousand_events_are_one_request(app):
    user = new_customer(app, plan="pro")
    statuses = [r["status"] for r in batch(app, *[event(user) for _ in range(1000)])]
    assert statuses == ["applied"] * 100 + ["limit"] * 900


# ---- history ----

def test_history_has_every_day_asked_for(app):
    user = new_customer(app)
    app.track(user)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    answer = get(app, f"/api/usage/history?userId={user}&from=2026-01-01&to=2026-01-03")
    assert [d["date"] for d in answer["days"]] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert answer["events"] == [] and answer["userId"] == user and answer["hasMoreEvents"] is False
    whole = get(app, "/api/usage/history")
    assert len(whole["days"]) == 30 and whole["days"][-1]["date"] >= today and whole["userId"] is None
    assert sum(d["units"] for d in whole["days"]) >= 1


@pytest.mark.parametrize("query, status", [("from=2026-1-1", 400), ("from=2026-02-30", 400), ("to=yesterday", 400), ("to=", 400),
                                           ("from=2026-01-02&to=2026-01-01", 400), ("from=2025-01-01&to=2026-02-05", 400),
                                           ("from=2025-01-01&to=2026-02-04", 200), ("from=2026-01-01T00:00:00Z", 400),
                                           ("userId=", 400), ("userId=user_nobody", 404), ("meter=", 400), ("meter=tokens", 200)])
def test_history_refuses_what_it_cannot_answer(app, query, status):
    answer = app.ask("GET", "/api/usage/history?" + query)
    assert answer.status == status, answer


# ---- the dashboard ----

def stripe_event(stage, stand, mode, body):
    text = json.dumps(body)
    stamp = int(time.time())
    signature = hmac.new(stand.webhook_secret(mode).encode(), f"{stamp}.{text}".encode(), hashlib.sha256).hexdigest()
    return daemon.ask(stage[0].api, "POST", "/webhook/stripe", {"Stripe-Signature": f"t={stamp},v1={signature}"}, text)


def subscribed(stage, stand, user, mode="live", key="app", account="acct_a"):
    answer = stripe_event(stage, stand, mode, {
        "id": "evt_" + uuid.uuid4().hex, "type": "customer.subscription.updated", "created": int(time.time()), "livemode": mode == "live",
        "account": account, "data": {"object": {
            "id": "sub_" + user, "status": "active", "customer": "cus_1", "canceled_at": None,
            "metadata": {"userId": user, "tier": "pro", "publishableKey": stage[1][f"<pk-{key}>"]},
            "items": {"data": [{"price": {"id": "price_pro", "product": "prod_pro", "unit_amount": 2900, "currency": "usd"}}]}}}})
    assert answer.status == 200, answer


def test_the_dashboard_adds_up_and_keeps_the_modes_apart(app, test_app, stage, stand):
    before, test_before = (get(b, "/api/dashboard")["metrics"] for b in (app, test_app))
    totals_before = get(app, "/api/dashboard/totals")["totals"]
    user = new_customer(app)
    subscribed(stage, stand, user)
    app.track(user)
    after = get(app, "/api/dashboard")
    assert after["metrics"]["activeSubs"] == before["activeSubs"] + 1
    assert after["metrics"]["mrr"] == before["mrr"] + 2900
    assert after["metrics"]["usageThisPeriod"] == before["usageThisPeriod"] + 1
    row = next(r for r in after["customers"] if r["userId"] == user)
    assert (row["plan"], row["status"], row["amount"], row["usageCount"], row["limit"]) == ("pro", "active", 2900, 1, 100)
    assert after["webhook"]["recent"][0]["type"] == "customer.subscription.updated"
    assert after["webhook"]["recent"][0]["payload"]["data"]["object"]["id"] == "sub_" + user
    assert get(test_app, "/api/dashboard")["metrics"] == test_before
    assert {k["mode"] for k in after["keys"]["apiKeys"]} == {"live"}
    totals = get(app, "/api/dashboard/totals")["totals"]
    assert totals["mrr"] == totals_before["mrr"] + 2900 and totals["liveProjects"] == 1 and totals["totalProducts"] == 2
    of_test = get(test_app, "/api/dashboard/totals")
    assert of_test["mode"] == "test" and of_test["totals"]["mrr"] == 0 and of_test["totals"]["liveProjects"] == 0
    history = get(app, f"/api/usage/history?userId={user}")
    assert [e["plan"] for e in history["events"]] == ["pro"] and history["events"][0]["amount"] == 2900


def test_the_identity_provider_tells_of_subscriptions_the_store_does_not_know(app, stage, stand):
    user = new_customer(app, plan="pro")
    stand.users["live"][user]["public_metadata"].update(subscriptionId="sub_told", stripeCustomerId="cus_told")
    row = next(r for r in get(app, "/api/dashboard")["customers"] if r["userId"] == user)
    assert (row["subscriptionId"], row["stripeCustomerId"], row["amount"], row["currency"]) == ("sub_told", "cus_told", 2900, None)
    stand.users["live"][user]["public_metadata"]["publishableKey"] = "pk_live_of_somebody_else"
    row = next(r for r in get(app, "/api/dashboard")["customers"] if r["userId"] == user)
    assert row["subscriptionId"] is None


def test_the_dashboard_asks_for_few_profiles_and_lives_without_them(stage, stand, app):
    for _ in range(25):
        user = new_customer(app)
    stand.take_calls()
    get(app, "/api/dashboard")
    assert len(stand.take_calls()) == 20
    for _ in range(20):
        stand.answer_next("clerk", "GET", f"/v1/users/{user}", 503, {})
    assert get(app, "/api/dashboard")["customers"]
    stand.take_calls()
    assert get(app, "/api/dashboard")["customers"]
    assert stand.take_calls() == []


# ---- Clerk's webhooks ----

def clerk_event(stage, stand, body, mode="live", delivery=None, stamp=None, secret=None, text=None):
    text = text if text is not None else json.dumps(body)
    delivery = delivery or "msg_" + uuid.uuid4().hex
    stamp = str(stamp or int(time.time()))
    key = base64.b64decode((secret or stand.clerk_webhook_secret(mode)).removeprefix("whsec_"))
    digest = hmac.new(key, f"{delivery}.{stamp}.{text}".encode(), hashlib.sha256).digest()
    return daemon.ask(stage[0].api, "POST", "/webhook/clerk", {"svix-id": delivery, "svix-timestamp": stamp,
                                                               "svix-signature": "v1," + base64.b64encode(digest).decode()}, text)


def user_event(user, key, kind="user.updated", email="ada@example.test", at=None, **metadata):
    at = at or int(time.time() * 1000)
    return {"type": kind, "object": "event", "data": {
        "id": user, "object": "user", "first_name": "Ada", "last_name": None, "primary_email_address_id": "idn_1",
        "email_addresses": [{"id": "idn_1", "email_address": email}], "created_at": at, "updated_at": at,
        "public_metadata": {"publishableKey": key, **metadata}}}


def listed(backend, user):
    return next((r for r in get(backend, "/api/customers?limit=100")["customers"] if r["id"] == user), None)


def test_clerk_tells_of_a_new_member_and_of_its_changes(app, stage, stand):
    user, key, now = "user_" + uuid.uuid4().hex, stage[1]["<pk-app>"], int(time.time() * 1000)
    made = clerk_event(stage, stand, user_event(user, key, "user.created", at=now, plan="pro"))
    assert made.status == 200 and made.json == {"received": True} and made.headers["content-type"].startswith("text/plain"), made
    assert (listed(app, user)["email"], listed(app, user)["plan"]) == ("ada@example.test", "pro")
    assert clerk_event(stage, stand, user_event(user, key, email="new@example.test", at=now + 5)).status == 200
    assert clerk_event(stage, stand, user_event(user, key, email="late@example.test", at=now + 4)).status == 200
    assert listed(app, user)["email"] == "new@example.test"


def test_clerk_delivers_twice_and_is_heard_once(app, stage, stand):
    user, delivery = "user_" + uuid.uuid4().hex, "msg_" + uuid.uuid4().hex
    body = user_event(user, stage[1]["<pk-app>"])
    assert clerk_event(stage, stand, body, delivery=delivery).json == {"received": True}
    assert clerk_event(stage, stand, body, delivery=delivery).json == {"received": True, "idempotent": True}


def test_a_user_deleted_at_clerk_meters_no_more(app, stage, stand):
    user, key = "user_" + uuid.uuid4().hex, stage[1]["<pk-app>"]
    token = providers.user_token(user, key)
    track = {"X-Publishable-Key": key, "X-Clerk-Token": token}
    assert clerk_event(stage, stand, user_event(user, key)).status == 200
    assert daemon.ask(stage[0].api, "POST", "/api/data", track).status == 200
    assert clerk_event(stage, stand, {"type": "user.deleted", "data": {"id": user, "deleted": True, "object": "user"}}).status == 200
    assert daemon.ask(stage[0].api, "POST", "/api/data", track).status == 401
    assert listed(app, user) is None
    assert clerk_event(stage, stand, user_event(user, key, at=int(time.time() * 1000) + 5)).status == 200
    assert listed(app, user) is None


def test_a_webhook_of_one_mode_touches_nothing_of_the_other(app, test_app, stage, stand):
    user = "user_" + uuid.uuid4().hex
    assert clerk_event(stage, stand, user_event(user, stage[1]["<pk-app>"]), mode="test").status == 200
    assert listed(app, user) is None and listed(test_app, user) is None
    assert clerk_event(stage, stand, user_event(user, stage[1]["<pk-test>"]), mode="test").status == 200
    assert listed(test_app, user)
    assert clerk_event(stage, stand, {"type": "user.deleted", "data": {"id": user}}, mode="live").status == 200
    assert listed(test_app, user)


def test_deliveries_that_cannot_be_trusted_or_read_are_400(stage, stand):
    body = user_event("user_1", stage[1]["<pk-app>"])
    stranger = "whsec_" + base64.b64encode(b"a stranger's secret").decode()
    assert clerk_event(stage, stand, body, secret=stranger).json == {"error": "Webhook signature verification failed"}
    assert clerk_event(stage, stand, body, stamp=int(time.time()) - 400).status == 400
    assert clerk_event(stage, stand, body, stamp=int(time.time()) + 400).status == 400
    assert daemon.ask(stage[0].api, "POST", "/webhook/clerk", {}, body).json == {"error": "No signature"}
    for text in ("", "{", "[]", "{}", '{"type":"user.created","data":{}}', '{"type":"user.deleted","data":{"id":5}}', '{"type":7,"data":{}}'):
        answer = clerk_event(stage, stand, None, text=text)
        assert (answer.status, answer.json) == (400, {"error": "Invalid payload"}), text
    assert clerk_event(stage, stand, {"type": "session.created", "data": {"id": "sess_1"}}).status == 200


def test_without_a_secret_webhooks_are_500(tmp_path):
    with daemon.Daemon(tmp_path, "--db", tmp_path / "n.db", "--free-ports") as serve:
        answer = daemon.ask(serve.api, "POST", "/webhook/clerk", {"svix-id": "m", "svix-timestamp": "1", "svix-signature": "v1,x"}, "{}")
        assert (answer.status, answer.json) == (500, {"error": "Webhook secret not configured"})
