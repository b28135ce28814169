# SPDX-License-Identifier: Apache-2.0
"""GET /api/usage/history: units by day and what became of subscriptions, of one user and of the whole project; the sums are those
of the uses, and questions that make no sense are refused."""

import datetime
import time
import urllib.parse
import uuid

import pytest

import stage as stages
import tenant

PATH = "/api/usage/history"
TIERS = [tenant.tier("free", 1000, rateLimit=None, meters={"tokens": {"limit": 500}}),
         tenant.tier("pro", 2000, rateLimit=None, price=900, priceId="price_pro", productId="prod_pro")]


def day(back=0):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=back)).date().isoformat()


def usage_row(user_id, used, start, end):
    return {"platformId": "<platform>", "publishableKey": "<pk-app>", "userId": user_id, "usageCount": used, "periodStart": start, "periodEnd": end}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    rows = {"usage": [usage_row("user_rolled", 40, day(45), day(16))]}
    with stages.Stage(tmp_path_factory.mktemp("history"), tiers=TIERS, rows=rows) as made:
        yield made


def ask(stage, key="app", **query):
    return stage.ask("GET", PATH + "?" + urllib.parse.urlencode({name.strip("_"): value for name, value in query.items()}), stage.secret(key))


def history(stage, key="app", **query):
    answer = ask(stage, key, **query)
    assert answer.status == 200, answer
    return answer.json


def units(found):
    return {one["date"]: one["units"] for one in found["days"] if one["units"]}


def use(stage, user_id, count, key="app"):
    for _ in range(count):
        assert stage.ask("POST", "/api/data", stage.secret(key), {"userId": user_id}).status == 200


def change(stage, user_id, kind, created, status="active", key="app"):
    event = {"id": "evt_" + uuid.uuid4().hex, "object": "event", "account": "acct_a", "created": created, "livemode": True,
             "type": "customer.subscription." + kind, "data": {"object": {
                 "id": "sub_" + user_id, "object": "subscription", "customer": "cus_" + user_id, "status": status, "canceled_at": None,
                 "items": {"data": [{"price": {"id": "price_pro", "product": "prod_pro", "unit_amount": 900, "currency": "usd"}}]},
                 "metadata": {"userId": user_id, "tier": "pro", "publishableKey": stage.names[f"<pk-{key}>"]}}}}
    assert stage.deliver(event).status == 200


# Units.


def test_without_days_it_shows_the_last_thirty(stage):
    found = history(stage, userId=stage.new_customer())
    assert len(found["days"]) == 30
    assert (found["days"][0]["date"], found["days"][-1]["date"]) == (found["from"], found["to"])
    assert found["to"] in (day(), day(1)) and {one["units"] for one in found["days"]} == {0}


def test_a_users_days_sum_to_what_was_used(stage):
    user_id = stage.new_customer()
    use(stage, user_id, 5)
    found = units(history(stage, userId=user_id))
    assert sum(found.values()) == 5 and set(found) <= {day(), day(1)}


def test_days_of_a_period_that_is_over_stay(stage):
    use(stage, "user_rolled", 2)
    found = history(stage, userId="user_rolled", from_=day(60), to=day())
    assert sum(units(found).values()) == 42
    assert min(units(found)) >= day(46)
    assert sum(units(history(stage, userId="user_rolled", from_=day(60), to=day(16))).values()) == 40
    assert units(history(stage, userId="user_rolled", from_=day(14), to=day(5))) == {}


def test_the_projects_days_are_the_sum_of_its_users(stage):
    before = sum(units(history(stage, "sibling")).values())
    users = [stage.new_customer("sibling") for _ in range(8)]
    stages.at_once(8, lambda user_id: use(stage, user_id, 10, "sibling"), users)
    assert sum(units(history(stage, "sibling")).values()) == before + 80
    assert [sum(units(history(stage, "sibling", userId=user_id)).values()) for user_id in users] == [10] * 8
    assert history(stage, "sibling")["userId"] is None


def test_a_meter_has_days_of_its_own(stage):
    user_id = stage.new_customer()
    batch = [{"id": uuid.uuid4().hex, "userId": user_id, "units": 30, "meter": "tokens"}, {"id": uuid.uuid4().hex, "userId": user_id, "units": 4}]
    assert stage.ask("POST", "/api/usage/batch", stage.secret(), {"events": batch}).status == 200
    assert sum(units(history(stage, userId=user_id)).values()) == 4
    assert sum(units(history(stage, userId=user_id, meter="tokens")).values()) == 30
    assert units(history(stage, userId=user_id, meter="nothing")) == {}


def test_a_refused_use_is_no_use(stage):
    user_id = stage.new_customer()
    batch = [{"id": uuid.uuid4().hex, "userId": user_id, "units": 1000}, {"id": uuid.uuid4().hex, "userId": user_id, "units": 1}]
    answer = stage.ask("POST", "/api/usage/batch", stage.secret(), {"events": batch})
    assert [result["status"] for result in answer.json["results"]] == ["applied", "limit"]
    assert stage.ask("POST", "/api/data", stage.secret(), {"userId": user_id}).status == 403
    assert sum(units(history(stage, userId=user_id)).values()) == 1000


def test_a_deleted_customer_has_a_history_all_the_same(stage):
    user_id = stage.new_customer()
    use(stage, user_id, 3)
    assert stage.ask("DELETE", "/api/customers/" + user_id, stage.secret()).status == 200
    assert sum(units(history(stage, userId=user_id)).values()) == 3


# Subscriptions.


def test_what_became_of_a_subscription_is_told_newest_first(stage):
    user_id, now = stage.new_customer(), int(time.time())
    change(stage, user_id, "created", now - 30, "incomplete")
    change(stage, user_id, "updated", now - 20)
    change(stage, user_id, "updated", now - 25, "past_due")  # late: never applied
    change(stage, user_id, "deleted", now - 10, "canceled")
    found = history(stage, userId=user_id)
    assert [(event["type"].rsplit(".", 1)[1], event["status"], event["plan"], event["amount"]) for event in found["events"]] == [
        ("deleted", "canceled", "pro", 900), ("updated", "active", "pro", 900), ("created", "incomplete", "pro", 900)]
    assert found["events"][1]["at"] == datetime.datetime.fromtimestamp(now - 20, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert found["hasMoreEvents"] is False


def test_events_of_days_that_were_not_asked_for_are_left_out(stage):
    user_id, now = stage.new_customer(), int(time.time())
    change(stage, user_id, "created", now - 3 * 86400)
    assert history(stage, userId=user_id, from_=day(1), to=day())["events"] == []
    assert len(history(stage, userId=user_id, from_=day(4), to=day(2))["events"]) == 1


def test_a_projects_events_are_those_of_its_users_and_of_nobody_else(stage):
    here, there = stage.new_customer("sibling"), stage.new_customer()
    change(stage, here, "created", int(time.time()), key="sibling")
    change(stage, there, "created", int(time.time()))
    assert {event["userId"] for event in history(stage, "sibling")["events"]} == {here}
    assert there in {event["userId"] for event in history(stage)["events"]}


# Questions.


@pytest.mark.parametrize("query", [
    "from=yesterday", "from=2026-1-1", "from=2026-02-30", "from=2026-13-01", "from=2026-01-01T00:00:00Z", "from=", "from=-001-01-01", "from=20260101",
    "to=", "to=x", "to=2026-00-10", "from=2026-01-02&to=2026-01-01", "from=2020-01-01&to=2026-01-01", "userId=", "userId=" + "u" * 200, "meter=",
    "meter=" + "m" * 70, "from=0000-00-00", "from=2026-01-01%00", "userId=a%00b"])
def test_a_question_that_makes_no_sense_is_a_400(stage, query):
    answer = stage.ask("GET", PATH + "?" + query, stage.secret())
    assert answer.status == 400, answer


@pytest.mark.parametrize("start, end, count", [("2024-02-28", "2024-03-01", 3), ("1970-01-01", "1970-01-01", 1), ("9998-12-01", "9999-12-31", 396),
                                               ("2025-01-01", "2026-02-04", 400)])
def test_every_day_asked_for_is_in_the_answer(stage, start, end, count):
    found = history(stage, from_=start, to=end)
    dates = [one["date"] for one in found["days"]]
    assert (len(dates), dates[0], dates[-1]) == (count, start, end)
    assert dates == sorted(set(dates))


def test_401_days_are_too_many(stage):
    assert ask(stage, from_="2025-01-01", to="2026-02-05").status == 400


@pytest.mark.parametrize("key", ["sibling", "test", "other"])
def test_another_projects_user_is_unknown(stage, key):
    assert ask(stage, key, userId="user_rolled").status == 404


# Over a crash.


def test_a_crash_takes_no_answered_use_out_of_the_days(tmp_path):
    with stages.Stage(tmp_path, tiers=TIERS) as stage:
        users = [stage.new_customer() for _ in range(4)]
        stages.at_once(4, lambda user_id: use(stage, user_id, 25), users)
        stage.restart_after_kill()
        assert sum(units(history(stage)).values()) == 100
        assert [sum(units(history(stage, userId=user_id)).values()) for user_id in users] == [25] * 4
