# SPDX-License-Identifier: Apache-2.0
"""GET /api/dashboard and its totals: sums that follow what happens, exactly and at once; a page that no bad row and no failing
provider takes down; and nothing of another mode."""

import sqlite3
import time
import uuid

import pytest

import stage as stages

SHELF = [stages.product("mug", 100), stages.product("cap", 3), stages.product("pin", 0), stages.product("ebook", None)]


@pytest.fixture
def stage(tmp_path):
    with stages.Stage(tmp_path, SHELF) as made:
        yield made


def dashboard(stage, key="app", **headers):
    answer = stage.ask("GET", "/api/dashboard", {**stage.secret(key), **headers})
    assert answer.status == 200, answer
    return answer.json


def metrics(stage, key="app"):
    return dashboard(stage, key)["metrics"]


def totals(stage, key="app"):
    return stage.ask("GET", "/api/dashboard/totals", stage.secret(key)).json["totals"]


def subscription(stage, user_id, kind, created, status="active", amount=900, tier="pro", key="app", currency="usd", every=("month", 1), **fields):
    return {"id": "evt_" + uuid.uuid4().hex, "object": "event", "account": "acct_a", "created": created, "livemode": True,
            "type": "customer.subscription." + kind, "data": {"object": {
                "id": "sub_" + user_id, "object": "subscription", "customer": "cus_" + user_id, "status": status, "canceled_at": None,
                "current_period_end": int(time.time()) + 86400,
                "items": {"data": [{"price": {"id": "price_" + tier, "product": "prod_" + tier, "unit_amount": amount, "currency": currency,
                                              "recurring": {"interval": every[0], "interval_count": every[1]}}}]},
                "metadata": {"userId": user_id, "tier": tier, "publishableKey": stage.names[f"<pk-{key}>"]}, **fields}}}


NOW = int(time.time())


# Sums.


def test_sums_follow_subscriptions(stage):
    user_id = stage.new_customer()

    def after(*event, **fields):
        assert stage.deliver(subscription(stage, user_id, *event, **fields)).status == 200
        now = metrics(stage)
        assert {name: now[name] for name in ("activeSubs", "cancelingSubs", "mrr")} == {
            name: totals(stage)[name] for name in ("activeSubs", "cancelingSubs", "mrr")}
        return now["activeSubs"], now["cancelingSubs"], now["mrr"]

    assert after("created", NOW, "incomplete") == (0, 0, 0)
    assert after("updated", NOW + 1, "trialing") == (1, 0, 900)
    assert after("updated", NOW + 2, amount=9900, tier="max") == (1, 0, 9900)
    assert after("updated", NOW + 1, amount=100) == (1, 0, 9900)  # older, and late
    assert after("updated", NOW + 3, amount=9900, tier="max", canceled_at=NOW) == (1, 1, 9900)
    assert after("updated", NOW + 4, "past_due", amount=9900, tier="max") == (0, 0, 0)
    assert after("updated", NOW + 5, amount=9900, tier="max") == (1, 0, 9900)
    assert after("deleted", NOW + 6, "canceled", amount=9900, tier="max", canceled_at=NOW) == (0, 0, 0)


def test_revenue_is_told_a_month_and_each_currency_apart(stage):
    def subscribe(**terms):
        assert stage.deliver(subscription(stage, stage.new_customer(), "created", NOW, **terms)).status == 200
        shown = {name: metrics(stage)[name] for name in ("mrr", "mrrCurrency", "mrrByCurrency")}
        assert {name: totals(stage)[name] for name in shown} == shown
        return shown["mrr"], shown["mrrCurrency"], shown["mrrByCurrency"]

    assert (metrics(stage)["mrr"], metrics(stage)["mrrCurrency"], metrics(stage)["mrrByCurrency"]) == (0, None, {})
    assert subscribe() == (900, "usd", {"usd": 900})
    assert subscribe(amount=12000, every=("year", 1)) == (1900, "usd", {"usd": 1900})
    assert subscribe(amount=5000, currency="eur") == (1900, "usd", {"usd": 1900, "eur": 5000})
    assert subscribe(amount=300, every=("week", 1)) == (3200, "usd", {"usd": 3200, "eur": 5000})
    assert metrics(stage)["activeSubs"] == 4


def test_a_checkout_that_comes_late_leaves_the_amount(stage):
    user_id = stage.new_customer()
    own = subscription(stage, user_id, "created", NOW, "trialing")
    checkout = {**own, "id": "evt_" + uuid.uuid4().hex, "created": NOW + 1, "type": "checkout.session.completed", "data": {"object": {
        "id": "cs_1", "object": "checkout.session", "mode": "subscription", "payment_status": "no_payment_required", "amount_total": 0,
        "currency": "usd", "client_reference_id": user_id, "customer": "cus_" + user_id, "subscription": "sub_" + user_id,
        "metadata": own["data"]["object"]["metadata"]}}}
    for event in (own, checkout):
        assert stage.deliver(event).status == 200
    assert (metrics(stage)["mrr"], dashboard(stage)["customers"][0]["amount"]) == (900, 900)


def test_a_debited_order_is_sold_when_it_is_paid(stage):
    ordered = stage.order({"price_mug": 2})
    session = ordered["data"]["object"]
    paid = {**ordered, "id": "evt_" + uuid.uuid4().hex, "type": "checkout.session.async_payment_succeeded"}
    ordered = {**ordered, "data": {"object": {**session, "payment_status": "unpaid"}}}
    failed = {**ordered, "id": "evt_" + uuid.uuid4().hex, "type": "checkout.session.async_payment_failed"}

    def after(event):
        assert stage.deliver(event).status == 200
        return stage.stock("mug"), metrics(stage, "shop")["storeSalesCount"], metrics(stage, "shop")["storeTotalRevenue"]

    assert after(failed) == (100, 0, 0)
    assert after(ordered) == (100, 0, 0)
    assert after(paid) == (98, 1, 1000)
    assert after(paid) == (98, 1, 1000)
    assert after({**paid, "id": "evt_" + uuid.uuid4().hex}) == (98, 1, 1000)
    assert len(dashboard(stage, "shop")["webhook"]["recent"]) == 4


def test_sums_are_exact_when_everything_happens_at_once(stage):
    users = [stage.new_customer() for _ in range(16)]
    work = [subscription(stage, user_id, "created", NOW) for user_id in users] * 2
    work += [subscription(stage, user_id, "updated", NOW + 1, amount=1000 + n) for n, user_id in enumerate(users)]
    work += [stage.order({"price_mug": 2}) for _ in range(20)] * 2 + [("use", user_id) for user_id in users] * 2

    def do(item):
        if isinstance(item, tuple):
            return stage.ask("POST", "/api/data", stage.secret(), {"userId": item[1]}).status
        return stage.deliver(item).status

    assert set(stages.at_once(24, do, work)) == {200}
    app, shop = metrics(stage), metrics(stage, "shop")
    assert (app["activeSubs"], app["mrr"], app["usageThisPeriod"]) == (16, sum(1000 + n for n in range(16)), 32)
    assert (shop["storeSalesCount"], shop["storeTotalRevenue"], shop["totalInventory"]) == (20, 20 * 1000, 60 + 3)
    assert (shop["lowStockProducts"], shop["mrr"], app["storeSalesCount"]) == (1, 0, 0)
    assert totals(stage)["mrr"] == app["mrr"]


def test_a_deleted_customer_leaves_the_page(stage):
    user_id = stage.new_customer()
    assert stage.deliver(subscription(stage, user_id, "created", NOW)).status == 200
    assert stage.ask("DELETE", "/api/customers/" + user_id, stage.secret()).status == 200
    assert [customer for customer in dashboard(stage)["customers"] if customer["userId"] == user_id] == []


def test_the_last_events_are_shown_newest_first(stage):
    for n in range(14):
        assert stage.deliver(stage.order({"price_ebook": 1})).status == 200
    webhook = dashboard(stage, "shop")["webhook"]
    assert len(webhook["recent"]) == 10
    assert webhook["lastEventAt"] == webhook["recent"][0]["createdAt"]
    assert all(event["payload"]["data"]["object"]["mode"] == "payment" for event in webhook["recent"])
    assert dashboard(stage)["webhook"] == {"lastEventAt": None, "recent": []}


# What must not take the page down.


def in_the_store(stage, *statements):
    """Rows that no request could make: what a bug, a restore or a hand at the database leaves."""
    stage.serve.kill()
    with sqlite3.connect(stage.db) as db:
        for statement in statements:
            db.execute(statement)
    db.close()
    stage.start()


BAD_ROWS = {
    "a payload that is no JSON": "UPDATE events SET payload = '{\"half'",
    "an empty payload": "UPDATE events SET payload = ''",
    "no payload": "UPDATE events SET payload = NULL",
    "a payload of another kind": "UPDATE events SET payload = '[[[1]]]'",
    "a payload that is no UTF-8": "UPDATE events SET payload = CAST(x'7b2261223a22ff22' AS TEXT)",
    "features that are no JSON": "UPDATE tiers SET features_json = 'Fast, cheap'",
    "features that are no list": "UPDATE tiers SET features_json = '{\"a\":1}'",
    "empty features": "UPDATE tiers SET features_json = ''",
    "a plan that no tier has": "UPDATE customers SET plan = 'platinum', current_plan = 'platinum'",
    "a subscription's plan that no tier has": "UPDATE subscriptions SET plan = 'platinum'",
    "a status nobody knows": "UPDATE subscriptions SET status = 'confused'",
    "an email that is no UTF-8": "UPDATE customers SET email = CAST(x'ff40fe' AS TEXT)",
    "an email that is none": "UPDATE customers SET email = 'nobody'",
    "times at the end of time": "UPDATE subscriptions SET current_period_end_ms = 9223372036854775807, canceled_at_ms = 9223372036854775807",
    "times before all time": "UPDATE subscriptions SET current_period_end_ms = -9223372036854775807",
    "an amount without end": "UPDATE subscriptions SET amount_minor = 9223372036854775807",
    "an amount nobody told": "UPDATE subscriptions SET amount_minor = NULL, currency = NULL",
    "stock without end": "UPDATE tiers SET inventory = 9223372036854775806",
    "a price without end": "UPDATE tiers SET price_minor = 9007199254740993",
}


@pytest.mark.parametrize("statement", BAD_ROWS.values(), ids=BAD_ROWS)
def test_one_bad_row_takes_no_page_down(tmp_path, statement):
    stage = stages.Stage(tmp_path, SHELF)
    try:
        user_id = stage.new_customer()
        assert stage.deliver(subscription(stage, user_id, "created", NOW)).status == 200
        assert stage.deliver(stage.order({"price_mug": 1})).status == 200
        in_the_store(stage, statement)
        for key in ("app", "shop"):
            assert dashboard(stage, key)["keys"]["publishableKey"] == stage.names[f"<pk-{key}>"]
        assert [customer["userId"] for customer in dashboard(stage)["customers"]] == [user_id]
        assert len(dashboard(stage, "shop")["webhook"]["recent"]) == 1
        for path in ("/api/dashboard/totals", "/api/customers", "/api/tiers", "/api/products", "/api/usage?userId=" + user_id,
                     "/api/usage/history", "/api/usage/history?userId=" + user_id):
            for key in ("app", "shop"):
                answer = stage.ask("GET", path, stage.secret(key))
                assert answer.status == 200 or (key == "shop" and "userId" in path and answer.status == 404), (path, answer)
                assert answer.text.isprintable()
    finally:
        stage.serve.kill()  # `dreamapid check` would rightly find fault with the store
        stage.stand.close()


@pytest.mark.parametrize("status, body", [(500, {}), (503, {}), (429, {"errors": []}), (404, {}), (200, []), (200, {"public_metadata": 7})], ids=str)
def test_a_failing_identity_provider_leaves_the_page_standing(stage, status, body):
    users = [stage.new_customer() for _ in range(3)]
    for user_id in users:
        stage.stand.answer_next("clerk", "GET", "/v1/users/" + user_id, status, body)
    page = dashboard(stage)
    assert {customer["userId"] for customer in page["customers"]} == set(users)
    assert all(customer["email"] for customer in page["customers"])


def test_what_the_provider_says_of_another_projects_user_is_not_shown(stage):
    user_id = stage.new_customer(metadata={"plan": "max", "stripeCustomerId": "cus_secret", "subscriptionId": "sub_secret"})
    stage.stand.users["live"][user_id]["public_metadata"]["publishableKey"] = stage.names["<pk-other>"]
    assert "secret" not in stage.ask("GET", "/api/dashboard", stage.secret()).text.replace("secretKeyMasked", "")


def test_a_large_project_is_a_bounded_page(tmp_path):
    rows = {"users": [{"platformId": "<platform>", "publishableKey": "<pk-app>", "clerkUserId": f"user_many{n:04}", "status": "active",
                       "email": f"many{n}@example.test", "createdAt": f"2026-01-{1 + n % 28:02}T00:00:00.000Z"} for n in range(1100)]}
    with stages.Stage(tmp_path, rows=rows) as stage:
        stage.stand.take_calls()
        page = dashboard(stage)
        assert (len(page["customers"]), page["hasMoreCustomers"]) == (1000, True)
        assert len(stage.stand.take_calls()) <= 20


# Modes.


def test_nothing_of_the_other_mode_is_counted_or_listed(stage):
    live, test = stage.new_customer(), stage.new_customer("test")
    assert stage.deliver(subscription(stage, live, "created", NOW)).status == 200
    event = subscription(stage, test, "created", NOW, amount=55, key="test")
    assert stage.deliver({**event, "livemode": False}, "test").status == 200
    assert (totals(stage)["mrr"], totals(stage, "test")["mrr"], totals(stage, "sibling")["mrr"]) == (900, 55, 900)
    assert (metrics(stage)["mrr"], metrics(stage, "test")["mrr"], metrics(stage, "sibling")["mrr"]) == (900, 55, 0)
    for key, own, other in (("app", live, test), ("test", test, live)):
        page = dashboard(stage, key)
        assert [customer["userId"] for customer in page["customers"]] == [own]
        assert other not in str(page)
        assert {shown["mode"] for shown in page["keys"]["apiKeys"]} == {"test" if key == "test" else "live"}


def test_no_page_shows_a_secret_key(stage):
    text = stage.ask("GET", "/api/dashboard", stage.secret()).text
    assert "sk_live_" not in text and "sk_test_" not in text
    assert stage.names["<connected-token-live>"] not in text
