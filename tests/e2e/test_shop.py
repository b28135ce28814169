# SPDX-License-Identifier: Apache-2.0
"""A shop against the built-in sandbox, over HTTP only: products, a cart, a guest who pays, the stock afterwards; and the portal of
a user who subscribed."""

import pytest

import daemon
import pages
import tenant

TIERS = [{"name": "shirt", "displayName": "Shirt", "price": 2500, "limit": "unlimited", "billingMode": "one_off", "inventory": 5},
         {"name": "card", "displayName": "Card", "price": 300, "limit": "unlimited", "billingMode": "one_off"},
         {"name": "pro", "displayName": "Pro", "price": 900, "limit": 100}]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A service with its sandbox and one shop: (daemon, keys)."""
    folder = tmp_path_factory.mktemp("shop")
    db = folder / "shop.db"
    with daemon.Daemon(folder, "--sandbox", "--db", db, "--free-ports") as serve:
        yield serve, tenant.create(db, folder, tiers=TIERS, project="Shop", type="store")
        assert serve.stop() == 0
    assert daemon.run("check", "--db", db, check=False).returncode == 0


def ask(shop, method, path, body=None):
    return daemon.ask(shop[0].api, method, path, {"X-Publishable-Key": shop[1]["publishableKey"]}, body)


def stock(shop, name):
    return next(product for product in ask(shop, "GET", "/api/products").json["products"] if product["key"] == name)


def check_out(shop, *items):
    return ask(shop, "POST", "/api/cart/checkout", {"items": list(items)})


def test_a_guest_buys_and_the_stock_goes_down(shop):
    made = check_out(shop, {"tier": "shirt", "quantity": 2}, {"priceId": stock(shop, "card")["priceId"]}, {"tier": "SHIRT"})
    assert made.status == 200, made
    page = pages.open_page(made.json["url"])
    assert page.status == 200 and "$78.00" in page.text
    declined = pages.pay(made.json["url"], card_number="4000 0000 0000 0002")
    assert declined.status != 303 and stock(shop, "shirt")["inventory"] == 5
    pages.pays(made.json["url"])
    daemon.wait_for("the order", lambda: stock(shop, "shirt")["inventory"] == 2)
    assert stock(shop, "card")["inventory"] is None
    refused = check_out(shop, {"tier": "shirt", "quantity": 3})
    assert (refused.status, refused.json) == (400, {"error": "Not enough inventory for Shirt"})


def test_two_guests_may_pay_for_the_last_pieces_and_the_stock_ends_at_none(shop):
    urls = [check_out(shop, {"tier": "shirt", "quantity": stock(shop, "shirt")["inventory"]}).json["url"] for _ in range(2)]
    for url in urls:
        pages.pays(url)
    daemon.wait_for("both orders", lambda: stock(shop, "shirt")["soldOut"])
    assert stock(shop, "shirt")["inventory"] == 0
    assert check_out(shop, {"tier": "shirt"}).json == {"error": "Item sold out: Shirt"}


DEBIT, EMPTY_DEBIT = ({"email": "ben@example.test", "card_number": number} for number in ("000123456789", "000222222227"))


def test_a_bank_debit_lowers_the_stock_only_if_it_is_paid(tmp_path):
    db = tmp_path / "debit.db"
    with daemon.Daemon(tmp_path, "--sandbox", "--db", db, "--free-ports") as serve:
        shop = serve, tenant.create(db, tmp_path, tiers=TIERS, project="Shop", type="store")
        for means in (EMPTY_DEBIT, DEBIT):
            page = check_out(shop, {"tier": "shirt", "quantity": 2}).json["url"]
            assert pages.open_page(page, means).status == 303
            assert pages.open_page(page, means).status == 409
        daemon.wait_for("the debit", lambda: stock(shop, "shirt")["inventory"] == 3)

        def told():
            answer = daemon.ask(serve.api, "GET", "/api/dashboard", {"Authorization": "Bearer " + shop[1]["secretKey"]}).json
            types = [event["type"].removeprefix("checkout.session.") for event in answer["webhook"]["recent"]]
            return sorted(types) == ["async_payment_failed", "async_payment_succeeded", "completed", "completed"] and answer

        metrics = daemon.wait_for("all four events", told)["metrics"]
        assert (metrics["storeSalesCount"], metrics["storeTotalRevenue"], stock(shop, "shirt")["inventory"]) == (1, 5000, 3)
        assert serve.stop() == 0
    assert daemon.run("check", "--db", db, check=False).returncode == 0


def test_a_subscription_whose_first_debit_fails_ends_without_the_plan(shop):
    serve, keys = shop
    with tenant.Backend(serve.api, keys["secretKey"]) as backend:

        def subscribe(email, means):
            user_id = backend.ask("POST", "/api/customers", {"email": email}).json["customer"]["id"]
            page = backend.ask("POST", "/api/create-checkout", {"userId": user_id, "tier": "pro"}).json["url"]
            assert pages.open_page(page, {**means, "email": email}).status == 303
            return user_id

        def status(user_id):
            listed = backend.ask("GET", "/api/customers?limit=100").json["customers"]
            return next((one["status"], one["plan"]) for one in listed if one["id"] == user_id)

        paid, failed = subscribe("cy@example.test", DEBIT), subscribe("di@example.test", EMPTY_DEBIT)
        daemon.wait_for("the paid one", lambda: status(paid) == ("active", "pro"))
        daemon.wait_for("the failed one", lambda: status(failed) == ("past_due", "free"))


def test_a_subscriber_opens_the_portal(shop):
    serve, keys = shop
    with tenant.Backend(serve.api, keys["secretKey"]) as backend:
        user_id = backend.ask("POST", "/api/customers", {"email": "ada@example.com"}).json["customer"]["id"]
        before = backend.ask("POST", "/api/customer-portal", {"userId": user_id})
        assert (before.status, before.json) == (400, {"error": "No active subscription found"})
        page = backend.ask("POST", "/api/create-checkout", {"userId": user_id, "tier": "pro"}).json["url"]
        pages.pays(page)
        daemon.wait_for("the upgrade", lambda: backend.usage(user_id)["plan"] == "pro")
        portal = backend.ask("POST", "/api/customer-portal", {"userId": user_id, "returnUrl": "http://localhost:5173/account"})
        assert portal.status == 200, portal
        assert pages.open_page(portal.json["url"]).status == 200
