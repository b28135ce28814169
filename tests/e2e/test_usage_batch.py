# SPDX-License-Identifier: Apache-2.0
"""POST /api/usage/batch: every event once under its id, whatever is repeated, sent at once or cut off by a crash; limits hold exactly; one
bad event spoils no other."""

import datetime
import http.client
import random
import uuid

import pytest

import stage as stages
import tenant

PATH = "/api/usage/batch"
TIERS = [tenant.tier("free", 50, rateLimit=2), tenant.tier("big", 100000, rateLimit=None),
         tenant.tier("max", None, rateLimit=None, meters={"tokens": {"limit": 10}})]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with stages.Stage(tmp_path_factory.mktemp("batch"), tiers=TIERS) as made:
        yield made


def events(user_id, count, **fields):
    return [{"id": f"evt-{uuid.uuid4().hex}", "userId": user_id, **fields} for _ in range(count)]


def send(stage, batch, key="app", **headers):
    return stage.ask("POST", PATH, {**stage.secret(key), **headers}, {"events": batch})


def statuses(answer):
    assert answer.status == 200, answer
    return [result["status"] for result in answer.json["results"]]


def used(stage, user_id, key="app"):
    return stage.ask("GET", "/api/usage?userId=" + user_id, stage.secret(key)).json["usageCount"]


# Counting.


def test_a_thousand_events_are_counted_in_the_order_asked(stage):
    user_id = stage.new_customer(plan="big")
    batch = events(user_id, 1000)
    answer = send(stage, batch)
    assert statuses(answer) == ["applied"] * 1000
    assert [result["id"] for result in answer.json["results"]] == [event["id"] for event in batch]
    assert used(stage, user_id) == 1000


def test_an_id_counts_once_within_a_batch_and_ever_after(stage):
    user_id = stage.new_customer(plan="big")
    batch = events(user_id, 20, units=3)
    assert statuses(send(stage, batch + batch[:5])) == ["applied"] * 20 + ["duplicate"] * 5
    assert statuses(send(stage, batch)) == ["duplicate"] * 20
    assert statuses(send(stage, [{**event, "units": 7} for event in batch])) == ["duplicate"] * 20
    assert used(stage, user_id) == 60


def test_ids_belong_to_a_project(stage):
    users = {key: stage.new_customer(key, plan="big") for key in ("app", "sibling", "test", "other")}
    for key, user_id in users.items():
        assert statuses(send(stage, [{"id": "shared", "userId": user_id}], key)) == ["applied"]
        assert used(stage, user_id, key) == 1


def test_a_limit_lets_in_what_fits_and_remembers_no_id_that_did_not(stage):
    user_id = stage.new_customer()
    batch = events(user_id, 60)
    assert statuses(send(stage, batch)) == ["applied"] * 50 + ["limit"] * 10
    assert used(stage, user_id) == 50
    assert stage.ask("PATCH", "/api/customers/" + user_id, stage.secret(), {"plan": "big"}).status == 200
    assert statuses(send(stage, batch)) == ["duplicate"] * 50 + ["applied"] * 10
    assert used(stage, user_id) == 60


def test_what_does_not_fit_makes_no_way_for_less_to_be_lost(stage):
    user_id = stage.new_customer()
    batch = [{**event, "units": units} for event, units in zip(events(user_id, 4), (30, 21, 20, 1))]
    assert statuses(send(stage, batch)) == ["applied", "limit", "applied", "limit"]
    assert used(stage, user_id) == 50


def test_events_take_nothing_of_the_rate(stage):
    user_id = stage.new_customer()
    for _ in range(5):
        assert statuses(send(stage, events(user_id, 3))) == ["applied"] * 3


def test_each_meter_has_a_limit_of_its_own(stage):
    user_id = stage.new_customer(plan="max")
    assert statuses(send(stage, events(user_id, 12, meter="tokens") + events(user_id, 12))) == ["applied"] * 10 + ["limit"] * 2 + ["applied"] * 12
    assert used(stage, user_id) == 12


def test_32_senders_of_the_same_events_count_each_once(stage):
    """And what is left of the limit is given out to the last unit, beside direct uses."""
    user_id = stage.new_customer(plan="big")
    pool = events(user_id, 400)

    def one(seed):
        mine = pool[:]
        random.Random(seed).shuffle(mine)
        found = statuses(send(stage, mine[:200])) + statuses(send(stage, mine[200:]))
        assert stage.ask("POST", "/api/data", stage.secret(), {"userId": user_id}).status == 200
        return found

    results = stages.at_once(32, one, range(32))
    assert sum(found.count("applied") for found in results) == 400
    assert sum(found.count("duplicate") for found in results) == 400 * 31
    assert used(stage, user_id) == 400 + 32


def test_a_limit_holds_against_batches_and_direct_uses_at_once(stage):
    user_id = stage.new_customer(plan="big")
    assert statuses(send(stage, events(user_id, 1, units=100000 - 500))) == ["applied"]

    def one(number):
        if number % 2:
            return [stage.ask("POST", "/api/data", stage.secret(), {"userId": user_id}).status for _ in range(20)].count(200)
        return statuses(send(stage, events(user_id, 50))).count("applied")

    assert sum(stages.at_once(16, one, range(32))) == 500
    assert used(stage, user_id) == 100000


def listed_period(stage, user_id):
    rows = stage.ask("GET", "/api/customers", stage.secret()).json["customers"]
    return next(row["usage"]["periodStart"] for row in rows if row["id"] == user_id)


def test_an_event_that_is_refused_begins_no_period(stage):
    user_id = stage.new_customer()
    then = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=3)).isoformat().replace("+00:00", "Z")
    assert statuses(send(stage, events(user_id, 1, units=51, at=then))) == ["limit"]
    assert listed_period(stage, user_id) is None
    assert statuses(send(stage, events(user_id, 1))) == ["applied"]
    assert listed_period(stage, user_id) > then


def test_counts_end_where_numbers_do_and_sums_fail_nobody(stage):
    """1100 users of an unlimited plan who use 2^53 - 1 each come to more than 2^63; one unit more is an error of its event alone."""
    users = stages.at_once(4, lambda _: stage.new_customer("sibling", plan="max"), range(1100))
    most = [event for user_id in users for event in events(user_id, 1, units=2**53 - 1)]
    assert statuses(send(stage, most[:999] + events(users[0], 1), "sibling")) == ["applied"] * 999 + ["error"]
    assert statuses(send(stage, most[999:], "sibling")) == ["applied"] * 101
    assert used(stage, users[0], "sibling") == 2**53 - 1
    assert stage.ask("POST", "/api/data", stage.secret("sibling"), {"userId": users[0]}).status == 403
    shown = stage.ask("GET", "/api/dashboard", stage.secret("sibling"))
    assert (shown.status, shown.json["metrics"]["usageThisPeriod"]) == (200, 2**53 - 1)
    history = stage.ask("GET", "/api/usage/history", stage.secret("sibling"))
    assert history.status == 200 and max(day["units"] for day in history.json["days"]) == 2**53 - 1


# What is no event.


BAD = [None, 7, "x", [], {}, {"id": "a"}, {"id": "", "userId": "{user}"}, {"id": 7, "userId": "{user}"}, {"id": "x" * 129, "userId": "{user}"},
       {"id": "a\nb", "userId": "{user}"}, {"id": "a", "userId": ""}, {"id": "a", "userId": 7}, {"id": "a", "userId": "user_nobody"},
       {"id": "a", "userId": "{user}", "units": 0}, {"id": "a", "userId": "{user}", "units": -1}, {"id": "a", "userId": "{user}", "units": 1.5},
       {"id": "a", "userId": "{user}", "units": "2"}, {"id": "a", "userId": "{user}", "units": 1e300}, {"id": "a", "userId": "{user}", "units": True},
       {"id": "a", "userId": "{user}", "meter": ""}, {"id": "a", "userId": "{user}", "meter": "m" * 65}, {"id": "a", "userId": "{user}", "meter": 7},
       {"id": "a", "userId": "{user}", "at": "yesterday"}, {"id": "a", "userId": "{user}", "at": -1}, {"id": "a", "userId": "{user}", "at": []},
       {"id": "a", "userId": "{user}", "at": "2020-01-01T00:00:00Z"}, {"id": "a", "userId": "{user}", "at": "2999-01-01T00:00:00Z"},
       {"id": "a", "userId": "{user}", "at": 1e300}]


def test_one_bad_event_spoils_no_other(stage):
    user_id = stage.new_customer(plan="big")
    good = events(user_id, len(BAD) + 1)
    batch = [good[0]]
    for number, (bad, event) in enumerate(zip(BAD, good[1:])):
        if isinstance(bad, dict):
            bad = {name: user_id if value == "{user}" else f"bad-{number}" if value == "a" else value for name, value in bad.items()}
        batch += [bad, event]
    answer = send(stage, batch)
    found = statuses(answer)
    assert found == ["applied"] + ["error", "applied"] * len(BAD), list(zip(batch, found))
    assert all(result["error"] for result in answer.json["results"] if result["status"] == "error")
    assert used(stage, user_id) == len(good)


@pytest.mark.parametrize("plan", ["big", "max"])
@pytest.mark.parametrize("units", [2**53 - 1, 2**53, 2**62, 2**63 - 1])
def test_units_without_end_are_not_counted_and_spoil_no_other(stage, plan, units):
    user_id = stage.new_customer(plan=plan)
    first, huge, again, last = events(user_id, 4)
    found = statuses(send(stage, [first, {**huge, "units": units}, {**again, "units": units}, last]))
    assert (found[0], found[3]) == ("applied", "applied")
    assert used(stage, user_id) == 2 + units * found.count("applied") - units * 2


@pytest.mark.parametrize("body", ["", "{bad", "[]", "7", {}, {"events": None}, {"events": []}, {"events": {}}, {"events": "x"},
                                  {"events": [{"id": "a", "userId": "b"}] * 1001}], ids=lambda body: str(body)[:20])
def test_what_is_no_batch_is_a_400(stage, body):
    assert stage.ask("POST", PATH, {**stage.secret(), "Content-Type": "application/json"}, body).status == 400


def test_a_user_of_another_project_is_unknown(stage):
    user_id = stage.new_customer(plan="big")
    for key in ("sibling", "test", "other"):
        assert statuses(send(stage, events(user_id, 1), key)) == ["error"]
    assert used(stage, user_id) == 0


def test_a_deleted_user_is_counted_no_more(stage):
    user_id = stage.new_customer(plan="big")
    assert stage.ask("DELETE", "/api/customers/" + user_id, stage.secret()).status == 200
    assert statuses(send(stage, events(user_id, 2))) == ["error"] * 2


# When it was.


def test_an_event_of_another_day_counts_on_that_day(stage):
    """The user's first use ever is reported two days late: the period begins on that day."""
    user_id = stage.new_customer(plan="big")
    now = datetime.datetime.now(datetime.timezone.utc)
    then = now - datetime.timedelta(days=2)
    assert statuses(send(stage, events(user_id, 3, at=then.isoformat().replace("+00:00", "Z")) + events(user_id, 2))) == ["applied"] * 5
    assert used(stage, user_id) == 5
    days = stage.ask("GET", f"/api/usage/history?userId={user_id}", stage.secret()).json["days"]
    assert {day["date"]: day["units"] for day in days if day["units"]} in (
        {then.date().isoformat(): 3, now.date().isoformat(): 2}, {then.date().isoformat(): 3, (now + datetime.timedelta(days=1)).date().isoformat(): 2})


# What is lost on the way.


def test_a_batch_with_a_key_gives_its_first_answer_again(stage):
    user_id = stage.new_customer(plan="big")
    batch, key = events(user_id, 5), uuid.uuid4().hex
    first = send(stage, batch, **{"Idempotency-Key": key})
    assert statuses(first) == ["applied"] * 5
    assert send(stage, batch, **{"Idempotency-Key": key}).text == first.text
    assert send(stage, batch[1:], **{"Idempotency-Key": key}).status == 422
    assert used(stage, user_id) == 5


@pytest.mark.parametrize("after", [1, 5, 8])
def test_batches_of_1000_with_duplicates_over_a_kill_count_each_event_once(tmp_path, after):
    """Four senders report 12 batches of 1000, a tenth of each also in another batch. Those whose answer was lost are sent again."""
    with stages.Stage(tmp_path, tiers=TIERS) as stage:
        user_id = stage.new_customer(plan="big")
        own = [events(user_id, 900) for _ in range(12)]
        batches = [own[n] + own[(n + 1) % 12][:100] for n in range(12)]
        for batch in batches:
            random.Random(3).shuffle(batch)
        applied, killer = [], stages.KillAfter(stage, after)

        def report(batch):
            try:
                found = statuses(send(stage, batch))
            except (OSError, http.client.HTTPException):
                return False
            killer.answered()
            applied.append(found.count("applied"))
            return True

        done = stages.at_once(4, report, batches)
        stage.start()
        assert after <= done.count(True) < 12
        counted = used(stage, user_id)
        assert sum(applied) <= counted <= 12 * 900
        assert {True} == set(stages.at_once(4, report, [batch for batch, is_done in zip(batches, done) if not is_done]))
        assert used(stage, user_id) == 12 * 900
        assert set(statuses(send(stage, batches[0]))) == {"duplicate"}
