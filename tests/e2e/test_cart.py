# SPDX-License-Identifier: Apache-2.0
"""Carts and stock: what a cart may hold, that stock goes down by exactly what was paid for however the events arrive, and what the
payment provider's failures mean."""

import http.client
import random

import pytest

import daemon
import stage as stages

PRODUCTS = [stages.product("plain", None), stages.product("ten", 10), stages.product("floor", 10), stages.product("exact", 100),
            stages.product("crash", 200), stages.product("late", 10), stages.product("foreign", 10), stages.product("pair", 5)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with stages.Stage(tmp_path_factory.mktemp("cart"), PRODUCTS) as made:
        yield made


def buy(stage, items, key=None, **fields):
    headers = {**stage.public("shop"), **({"Idempotency-Key": key} if key else {})}
    return stage.ask("POST", "/api/cart/checkout", headers, {"items": items, **fields})


# What a cart may hold.


@pytest.mark.parametrize("quantity", [0, -1, -(2**63), 1.5, 2**53, 1e30, "2", "", True, False, [], {}],
                         ids=str)
def test_a_quantity_is_a_positive_integer(stage, quantity):
    stage.stand.take_calls()
    answer = buy(stage, [{"tier": "ten", "quantity": quantity}])
    assert (answer.status, stage.stand.take_calls()) == (400, []), answer


@pytest.mark.parametrize("items", [
    None, "plain", 7, {}, [], [None], ["plain"], [7], [[]], [{}], [{"quantity": 1}], [{"tier": None}], [{"tier": ""}], [{"tier": 7}],
    [{"priceId": ["price_plain"]}], [{"productId": {}}], [{"tier": "x" * 300}], [{"tier": "plain"}] * 101,
    [{"tier": "plain"}, {"tier": "nobody"}], [{"tier": "plain", "priceId": "price_ten"}], [{"productId": "prod_plain", "priceId": "price_ten"}]],
    ids=lambda items: str(items)[:40])
def test_items_that_make_no_sense_are_a_400_and_ask_nobody(stage, items):
    stage.stand.take_calls()
    answer = buy(stage, items)
    assert (answer.status, stage.stand.take_calls()) == (400, []), answer


def test_lines_of_one_product_are_summed_before_stock_is_checked(stage):
    stage.stand.take_calls()
    assert buy(stage, [{"tier": "ten", "quantity": 6}, {"priceId": "price_ten", "quantity": 5}]).json == {
        "error": "Not enough inventory for Ten"}
    assert stage.stand.take_calls() == []
    assert buy(stage, [{"tier": "TEN", "quantity": 6}, {"productId": "prod_ten", "quantity": 4}]).status == 200
    sent = stage.stand.take_calls(at_least=1)[0]["body"]
    assert {name: value for name, value in sent.items() if name.startswith("line_items")} == {
        "line_items[0][price]": "price_ten", "line_items[0][quantity]": "10"}


def test_a_cart_reserves_nothing(stage):
    for _ in range(3):
        assert buy(stage, [{"tier": "ten", "quantity": 10}]).status == 200
    assert stage.stock("ten") == 10


@pytest.mark.parametrize("field", ["successUrl", "cancelUrl"])
@pytest.mark.parametrize("url, status", [(stages.SHOP_URL + "/ok", 200), ("https://evil.test/ok", 400), ("javascript:alert(1)", 400),
                                         (stages.SHOP_URL + "@evil.test/", 400)])
def test_buyers_return_to_allowed_origins_only(stage, field, url, status):
    assert buy(stage, [{"tier": "plain"}], **{field: url}).status == status


def test_a_cart_with_a_key_is_one_session(stage):
    stage.stand.take_calls()
    first, again = buy(stage, [{"tier": "plain"}], key="cart-1"), buy(stage, [{"tier": "plain"}], key="cart-1")
    assert (first.status, again.text) == (200, first.text)
    assert len(stage.stand.take_calls(at_least=1)) == 1
    assert buy(stage, [{"tier": "plain", "quantity": 2}], key="cart-1").status == 422


@pytest.mark.parametrize("status, retry_after", [(500, None), (503, None), (429, "7"), (401, None)])
def test_a_payment_provider_that_fails_is_a_502_and_may_be_asked_again(stage, status, retry_after):
    stage.stand.answer_next("stripe", "POST", "/v1/checkout/sessions", status, {"error": {"message": "no"}},
                            {"Retry-After": retry_after} if retry_after else {})
    failed = buy(stage, [{"tier": "plain"}], key=f"cart-{status}")
    assert failed.status == 502
    assert retry_after is None or failed.headers["retry-after"] == retry_after
    assert buy(stage, [{"tier": "plain"}], key=f"cart-{status}").status == 200


@pytest.mark.parametrize("token", ["nonsense", None], ids=["bad token", "good token"])
def test_a_cart_is_a_guests_and_takes_nothing_of_a_users_rate(stage, token):
    """The contract knows no user here: a token beside the cart is neither verified nor counted for, however often it comes."""
    headers = {**stage.public("shop"), **({"X-Clerk-Token": token} if token else stage.token("user_cart", "shop"))}
    for _ in range(120):  # more than the default rate limit
        answer = stage.ask("POST", "/api/cart/checkout", headers, {"items": [{"tier": "plain"}], "userId": "user_cart"})
        assert answer.status == 200, answer


# What was paid for leaves the stock.


def test_32_orders_at_once_leave_no_stock_below_zero(stage):
    events = [stage.order({"price_floor": 1}) for _ in range(32)]
    answers = stages.at_once(32, stage.deliver, events)
    assert {answer.status for answer in answers} == {200}
    assert stage.stock("floor") == 0
    assert buy(stage, [{"tier": "floor"}]).json == {"error": "Item sold out: Floor"}


def test_32_orders_delivered_thrice_at_once_to_two_processes_count_once_each(stage):
    events = [stage.order({"price_exact": 2, "price_plain": 1}) for _ in range(32)]
    with daemon.Daemon(stage.folder, "--db", stage.db, "--free-ports", env=stage.env) as second:
        deliveries = [(event, url) for event in events for url in (stage.serve.api, second.api, second.api)]
        random.Random(7).shuffle(deliveries)
        answers = stages.at_once(32, lambda one: stage.deliver(one[0], url=one[1]), deliveries)
        assert second.stop() == 0
    assert {answer.status for answer in answers} == {200}
    assert sum("idempotent" not in answer.json for answer in answers) == 32
    assert stage.stock("exact") == 100 - 2 * 32
    assert stage.stock("plain") is None


def test_orders_that_a_crash_interrupts_count_once_each(stage):
    """What was not answered is delivered again, as Stripe does."""
    events = [stage.order({"price_crash": 1}) for _ in range(120)]
    killer = stages.KillAfter(stage, 40)

    def deliver(event):
        try:
            answer = stage.deliver(event)
        except (OSError, http.client.HTTPException):
            return False
        killer.answered()
        return answer.status == 200

    done = stages.at_once(8, deliver, events)
    stage.start()
    assert 40 <= done.count(True) < 120
    assert set(stages.at_once(8, deliver, [event for event, is_done in zip(events, done) if not is_done])) == {True}
    assert {stage.deliver(event).json.get("idempotent") for event in events} == {True}
    assert stage.stock("crash") == 200 - 120


def test_an_order_whose_lines_cannot_be_read_counts_with_its_next_delivery(stage):
    event = stage.order({"price_late": 3})
    path = f"/v1/checkout/sessions/{event['data']['object']['id']}/line_items"
    for status, body in ((503, {"error": {"message": "no"}}), (429, {"error": {"message": "slow"}}), (200, {}), (200, {"data": [{}]})):
        stage.stand.answer_next("stripe", "GET", path, status, body)
        assert stage.deliver(event).status in (500, 502), (status, body)
        assert stage.stock("late") == 10
    assert stage.deliver(event).json == {"received": True}
    assert stage.deliver(event).json == {"received": True, "idempotent": True}
    assert stage.stock("late") == 7


@pytest.mark.parametrize("account", ["acct_b", "acct_nobody"])
def test_another_accounts_order_takes_nothing(stage, account):
    assert stage.deliver(stage.order({"price_foreign": 1}, account=account)).status == 200
    assert stage.stock("foreign") == 10


def test_an_order_signed_for_test_mode_takes_nothing_from_a_live_shop(stage):
    before = stage.stock("pair")
    assert stage.deliver(stage.order({"price_pair": 1}), mode="test").status in (200, 400)
    assert stage.stock("pair") == before


def test_an_order_of_a_sibling_project_takes_nothing(stage):
    before = stage.stock("pair")
    assert stage.deliver(stage.order({"price_pair": 1}, key="sibling")).status == 200
    assert stage.stock("pair") == before


def test_an_order_asks_with_the_connected_accounts_token(stage):
    stage.stand.take_calls()
    assert stage.deliver(stage.order({"price_plain": 1})).status == 200
    assert [call["credential"] for call in stage.stand.take_calls(at_least=1)] == [stage.names["<connected-token-live>"]]
