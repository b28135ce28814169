# SPDX-License-Identifier: Apache-2.0
"""GET /api/customers: every customer once, newest first, page by page, whatever is made and deleted between the pages; what may be
asked for, and what may not."""

import base64
import threading
import urllib.parse

import pytest

import daemon
import providers
import stage as stages
import wire

COUNT = 250
DAY_MS = 86400 * 1000


def row(user_id, key, number, **more):
    """A customer row; ten share each creation time, so that pages end between customers of one time."""
    return {"platformId": "<platform>", "publishableKey": f"<pk-{key}>", "clerkUserId": user_id, "status": "active",
            "email": f"{user_id}@example.test", "createdAt": f"2026-01-{1 + number // 10:02}T00:00:00.000Z", **more}


# Of the project <pk-app>: what filters look for. Of <pk-sibling>: the many that paging goes through.
FILTERED = [row("user_ann", "app", 0, email="ann@example.test", plan="pro"), row("user_anna", "app", 10, email="Anna@Example.test", plan="PRO"),
            row("user_bob", "app", 20, email="bob@example.test", plan="max"), row("user_percent", "app", 30, email="a%n@example.test"),
            row("user_under", "app", 40, email="a_n@example.test"), row("user_nomail", "app", 50, email=None),
            row("user_gone", "app", 60, email="ann.gone@example.test", status="deleted")]
MANY = [row(f"user_many{n:03}", "sibling", n) for n in range(COUNT)]
SUBSCRIBED = {"platformId": "<platform>", "publishableKey": "<pk-app>", "userId": "user_bob", "subscriptionId": "sub_bob", "plan": "pro",
              "status": "active", "amount": 900, "currency": "usd", "priceId": "price_pro", "productId": "prod_pro"}
USED = {"platformId": "<platform>", "publishableKey": "<pk-app>", "userId": "user_ann", "usageCount": 4,
        "periodStart": "<today>", "periodEnd": "<today+29>"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    rows = wire.fill({"users": FILTERED + MANY, "subscriptions": [SUBSCRIBED], "usage": [USED]}, wire.date_names())
    with stages.Stage(tmp_path_factory.mktemp("list"), rows=rows) as made:
        yield made


def listed(stage, key="app", **query):
    answer = stage.ask("GET", "/api/customers?" + urllib.parse.urlencode(query), stage.secret(key))
    assert answer.status == 200, answer
    assert set(answer.json) >= {"customers", "nextCursor"}
    return answer.json


def names(page):
    return [customer["id"] for customer in page["customers"]]


def pages(stage, key, limit, between=lambda number: None, **query):
    """All pages to the end; `between` is called after each."""
    number, cursor = 0, None
    while True:
        page = listed(stage, key, limit=limit, **query, **({"cursor": cursor} if cursor else {}))
        yield page
        cursor, number = page["nextCursor"], number + 1
        if cursor is None:
            return
        assert number <= COUNT * 2, "the pages do not end"
        between(number)


# What a page shows.


def test_a_customer_is_shown_with_what_counts_now(stage):
    shown = {customer["id"]: customer for customer in listed(stage)["customers"]}
    assert list(shown) == ["user_nomail", "user_under", "user_percent", "user_bob", "user_anna", "user_ann"]
    ann, bob, nomail = shown["user_ann"], shown["user_bob"], shown["user_nomail"]
    assert (ann["email"], ann["plan"], ann["usage"]["count"], ann["usage"]["limit"]) == ("ann@example.test", "pro", 4, 10)
    assert ann["publishableKey"] == stage.names["<pk-app>"]
    assert (bob["plan"], bob["usage"]["count"], bob["usage"]["periodStart"]) == ("pro", 0, None)
    assert (nomail["email"], nomail["plan"]) == (None, "free")
    assert ann["createdAt"] == bob["createdAt"] - 2 * DAY_MS


def test_nobody_but_the_store_is_asked(stage):
    stage.stand.take_calls()
    listed(stage)
    assert stage.stand.take_calls() == []


@pytest.mark.parametrize("query, expected", [
    ({"email": "ann"}, ["user_anna", "user_ann"]), ({"email": "ANN"}, ["user_anna", "user_ann"]), ({"email": "ann@"}, ["user_ann"]),
    ({"email": "anna@example.test"}, ["user_anna"]), ({"email": "a%"}, ["user_percent"]), ({"email": "a_"}, ["user_under"]), ({"email": "%"}, []),
    ({"email": "nn@"}, []), ({"email": "'"}, []), ({"email": "*"}, []), ({"email": "\\"}, []), ({"email": "\u00e4"}, []), ({"email": "\U0010ffff"}, []),
    ({"plan": "pro"}, ["user_bob", "user_anna", "user_ann"]), ({"plan": "PRO"}, ["user_bob", "user_anna", "user_ann"]), ({"plan": "max"}, []),
    ({"plan": "free"}, ["user_nomail", "user_under", "user_percent"]), ({"plan": "nobody"}, []), ({"plan": "%"}, []),
    ({"plan": "pro", "email": "ann"}, ["user_anna", "user_ann"]), ({"plan": "pro", "email": "bob"}, ["user_bob"]),
    ({"plan": "free", "email": "ann"}, [])], ids=ascii)
@pytest.mark.parametrize("limit", [1, 20])
def test_filters_match_what_they_say_on_pages_of_any_size(stage, query, expected, limit):
    assert [user_id for page in pages(stage, "app", limit, **query) for user_id in names(page)] == expected


@pytest.mark.parametrize("query", [
    "limit=0", "limit=-1", "limit=101", "limit=1.5", "limit=x", "limit=", "limit=1e1", "limit=%2010", "limit=99999999999999999999", "email=",
    "email=" + "x" * 330, "plan=", "plan=" + "x" * 70, "cursor=", "cursor=x", "cursor=%00", "cursor=!!!!", "cursor=" + "A" * 600, "cursor=LjE",
    "cursor=" + base64.urlsafe_b64encode(b"12345").decode(), "cursor=" + base64.urlsafe_b64encode(b"-1.user_a").decode().rstrip("="),
    "cursor=" + base64.urlsafe_b64encode(b"1.").decode().rstrip("="), "cursor=" + base64.urlsafe_b64encode(b"1.a\0b").decode().rstrip("="),
    "cursor=" + base64.urlsafe_b64encode(b"99999999999999999999.user_a").decode().rstrip("=")])
def test_a_question_that_makes_no_sense_is_a_400(stage, query):
    answer = stage.ask("GET", "/api/customers?" + query, stage.secret())
    assert answer.status == 400, answer


def test_another_projects_cursor_shows_nothing_of_it(stage):
    cursor = listed(stage, "sibling", limit=10)["nextCursor"]
    assert set(names(listed(stage, cursor=cursor))) <= {row["clerkUserId"] for row in FILTERED}
    assert names(listed(stage, "other", cursor=cursor)) == []


# Paging.


@pytest.mark.parametrize("limit", [1, 7, 10, 99, 100])
def test_the_pages_together_are_everybody_once_newest_first(stage, limit):
    seen = [customer for page in pages(stage, "sibling", limit) for customer in page["customers"]]
    many = [customer["id"] for customer in seen if customer["id"].startswith("user_many")]
    assert sorted(many) == [f"user_many{n:03}" for n in range(COUNT)]
    times = [customer["createdAt"] for customer in seen]
    assert times == sorted(times, reverse=True)


def test_who_is_made_or_deleted_between_pages_moves_nobody_else(tmp_path):
    rows = {"users": [row(f"user_many{n:03}", "app", n) for n in range(120)]}
    with stages.Stage(tmp_path, rows=rows) as stage:
        doomed = iter(f"user_many{n:03}" for n in (115, 3, 60, 0, 30, 44))
        gone = set()

        def disturb(_):
            stage.new_customer()
            user_id = next(doomed, None)
            if user_id:
                providers_know(stage, user_id)
                assert stage.ask("DELETE", "/api/customers/" + user_id, stage.secret()).status == 200
                gone.add(user_id)

        seen = [user_id for page in pages(stage, "app", 10, disturb) for user_id in names(page)]
        assert len(seen) == len(set(seen))
        assert {f"user_many{n:03}" for n in range(120)} - gone <= set(seen) <= {f"user_many{n:03}" for n in range(120)}


def providers_know(stage, user_id):
    stage.stand.add_user(user_id, user_id + "@example.test", {"publishableKey": stage.names["<pk-app>"], "plan": "free"})


def test_paging_while_others_are_made_and_used_at_once(tmp_path):
    """Eight readers go through all pages while customers are made by API calls and by first uses of tokens."""
    rows = {"users": [row(f"user_many{n:03}", "app", n) for n in range(100)]}
    with stages.Stage(tmp_path, rows=rows) as stage:
        is_over = threading.Event()

        def make():
            count = 0
            while not is_over.is_set():
                stage.new_customer()
                headers = {**stage.public(), "X-Clerk-Token": providers.user_token(f"user_new{count}", stage.names["<pk-app>"], email="n@example.test")}
                assert daemon.ask(stage.serve.api, "POST", "/api/data", headers).status == 200
                count += 1

        maker = threading.Thread(target=make)
        maker.start()
        try:
            results = stages.at_once(8, lambda _: [name for page in pages(stage, "app", 7) for name in names(page)], range(8))
        finally:
            is_over.set()
            maker.join()
        for seen in results:
            assert len(seen) == len(set(seen))
            assert {f"user_many{n:03}" for n in range(100)} <= set(seen)


def test_a_customer_shows_up_and_goes_with_what_the_api_does(stage):
    user_id = stage.new_customer("test", plan="pro")
    assert names(listed(stage, "test")) == [user_id]
    assert names(listed(stage, "test", plan="pro")) == [user_id]
    assert stage.ask("PATCH", "/api/customers/" + user_id, stage.secret("test"), {"plan": "max"}).status == 200
    assert (names(listed(stage, "test", plan="pro")), names(listed(stage, "test", plan="max"))) == ([], [user_id])
    assert stage.ask("DELETE", "/api/customers/" + user_id, stage.secret("test")).status == 200
    assert names(listed(stage, "test")) == []
