# SPDX-License-Identifier: Apache-2.0
"""POST /webhook/clerk: what the identity provider tells of users counts once, in the order of what happened and not of what arrived, and
only when it is the provider that tells it."""

import json
import random
import time
import uuid

import pytest

import stage as stages
import wire

NOW_MS = int(time.time() * 1000)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with stages.Stage(tmp_path_factory.mktemp("clerk")) as made:
        yield made


@pytest.fixture
def user_id():
    return "user_" + uuid.uuid4().hex


def changed(stage, user_id, at_ms, email="new@example.test", kind="updated", key="app", plan="free", **more):
    return {"object": "event", "type": "user." + kind, "timestamp": at_ms, "data": {
        "id": user_id, "object": "user", "first_name": "Nina", "last_name": None, "created_at": NOW_MS - 5000, "updated_at": at_ms,
        "email_addresses": [{"id": "idn_1", "object": "email_address", "email_address": email}], "primary_email_address_id": "idn_1",
        "public_metadata": {"publishableKey": stage.names.get(f"<pk-{key}>", key), "plan": plan}, "private_metadata": {}, **more}}


def deleted(user_id, at_ms=None):
    return {"object": "event", "type": "user.deleted", "timestamp": at_ms or NOW_MS, "data": {"id": user_id, "object": "user", "deleted": True}}


def shown(stage, user_id, key="app"):
    """The customer as the list shows it; None if it does not."""
    cursor = ""
    while cursor is not None:
        page = stage.ask("GET", "/api/customers?limit=100" + (f"&cursor={cursor}" if cursor else ""), stage.secret(key)).json
        for customer in page["customers"]:
            if customer["id"] == user_id:
                return customer
        cursor = page["nextCursor"]
    return None


def ok(answer):
    assert answer.status == 200, answer
    return answer.json


# What it does.


def test_a_user_made_there_is_a_customer_here(stage, user_id):
    assert ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, "Made@example.test", "created", plan="pro"))) == {"received": True}
    customer = shown(stage, user_id)
    assert (customer["email"], customer["firstName"], customer["plan"]) == ("Made@example.test", "Nina", "pro")
    assert stage.ask("POST", "/api/data", stage.secret(), {"userId": user_id}).json["usage"]["limit"] == 10


def test_a_user_gone_there_meters_no_more_here(stage, user_id):
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, kind="created")))
    headers = {**stage.public(), **stage.token(user_id)}
    assert stage.ask("POST", "/api/data", headers).status == 200
    ok(stage.deliver_clerk(deleted(user_id)))
    assert shown(stage, user_id) is None
    assert stage.ask("POST", "/api/data", headers).status == 401
    assert stage.ask("POST", "/api/data", stage.secret(), {"userId": user_id}).status == 404


def test_a_plan_set_here_is_not_taken_back_by_what_is_told_there(stage):
    user_id = stage.new_customer(plan="pro")
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, plan="max")))
    assert shown(stage, user_id)["plan"] == "pro"


@pytest.mark.parametrize("kind", ["session.created", "organization.created", "email.created"])
def test_other_events_are_received_and_do_nothing(stage, user_id, kind):
    event = {**changed(stage, user_id, NOW_MS), "type": kind}
    assert ok(stage.deliver_clerk(event)) == {"received": True}
    assert shown(stage, user_id) is None


# Order.


def test_an_older_change_that_comes_late_changes_nothing(stage, user_id):
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS + 2000, "newest@example.test")))
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, "oldest@example.test", "created")))
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS + 1000, "older@example.test")))
    assert shown(stage, user_id)["email"] == "newest@example.test"


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_arrival_ends_in_the_newest_state(stage, user_id, seed):
    events = [changed(stage, user_id, NOW_MS + n, f"mail{n}@example.test", "updated" if n else "created") for n in range(8)]
    random.Random(seed).shuffle(events)
    assert {answer.status for answer in stages.at_once(8, stage.deliver_clerk, events)} == {200}
    assert shown(stage, user_id)["email"] == "mail7@example.test"


def test_a_change_that_comes_after_the_end_brings_nobody_back(stage, user_id):
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, kind="created")))
    ok(stage.deliver_clerk(deleted(user_id, NOW_MS + 2000)))
    for at_ms in (NOW_MS + 1000, NOW_MS + 3000):
        ok(stage.deliver_clerk(changed(stage, user_id, at_ms)))
        assert shown(stage, user_id) is None
        assert stage.ask("POST", "/api/data", {**stage.public(), **stage.token(user_id)}).status == 401


# Repeats.


def test_a_user_deleted_before_anybody_knew_it_stays_unknown(stage, user_id):
    ok(stage.deliver_clerk(deleted(user_id, NOW_MS + 2000)))
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, kind="created")))
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS + 1000)))
    assert shown(stage, user_id) is None


def test_a_delivery_that_is_repeated_is_applied_once(stage, user_id):
    event_id = "msg_" + uuid.uuid4().hex
    event = changed(stage, user_id, NOW_MS, "once@example.test")
    assert ok(stage.deliver_clerk(event, event_id)) == {"received": True}
    assert ok(stage.deliver_clerk(event, event_id)) == {"received": True, "idempotent": True}
    # The id decides, not what comes with it.
    assert ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS + 9000, "twice@example.test"), event_id)) == {"received": True, "idempotent": True}
    assert shown(stage, user_id)["email"] == "once@example.test"


def test_16_deliveries_of_one_event_at_once_are_one(stage, user_id):
    event_id = "msg_" + uuid.uuid4().hex
    event = changed(stage, user_id, NOW_MS, kind="created")
    answers = stages.at_once(16, lambda _: ok(stage.deliver_clerk(event, event_id)), range(16))
    assert sum("idempotent" not in answer for answer in answers) == 1


def test_the_two_instances_ids_do_not_meet(stage, user_id):
    event_id = "msg_" + uuid.uuid4().hex
    assert "idempotent" not in ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS), event_id))
    assert "idempotent" not in ok(stage.deliver_clerk(changed(stage, user_id + "t", NOW_MS, key="test"), event_id, "test"))
    assert shown(stage, user_id) and shown(stage, user_id + "t", "test")


# Who may tell.


def signed(stage, body, **change):
    headers = wire.svix_headers(body, stage.stand.clerk_webhook_secret("live"), "msg_" + uuid.uuid4().hex, change.pop("age_s", 0))
    return {**headers, "Content-Type": "application/json", **change}


@pytest.mark.parametrize("change", [
    {"svix-signature": "v1,AAAA"}, {"svix-signature": "v1,"}, {"svix-signature": "v2,xxxx"}, {"svix-signature": ""}, {"svix-id": "msg_other"},
    {"svix-timestamp": "0"}, {"svix-timestamp": "x"}, {"svix-timestamp": ""}, {"svix-timestamp": "99999999999999999999"}, {"age_s": 301}, {"age_s": -301},
    {"age_s": 86400}, {"svix-id": None}, {"svix-timestamp": None}, {"svix-signature": None}], ids=str)
def test_what_is_not_signed_for_now_is_refused(stage, user_id, change):
    body = json.dumps(changed(stage, user_id, NOW_MS)).encode()
    headers = {name: value for name, value in signed(stage, body, **change).items() if value is not None}
    assert stage.ask("POST", "/webhook/clerk", headers, body).status == 400
    assert shown(stage, user_id) is None


def test_one_good_signature_among_several_is_enough(stage, user_id):
    body = json.dumps(changed(stage, user_id, NOW_MS)).encode()
    headers = signed(stage, body)
    headers["svix-signature"] = "v1,AAAA v1a,BBBB " + headers["svix-signature"]
    assert stage.ask("POST", "/webhook/clerk", headers, body).status == 200


def test_a_body_that_was_changed_on_the_way_is_refused(stage, user_id):
    body = json.dumps(changed(stage, user_id, NOW_MS)).encode()
    headers = signed(stage, body)
    for other in (body + b" ", body.replace(b"Nina", b"Mona"), b"", body[:-1]):
        assert stage.ask("POST", "/webhook/clerk", headers, other).status == 400
    assert shown(stage, user_id) is None


@pytest.mark.parametrize("secret", ["whsec_" + "QUFB" * 8, "whsec_", "QUFB"])
def test_another_secret_is_refused(stage, user_id, secret):
    assert stage.deliver_clerk(changed(stage, user_id, NOW_MS), secret=secret).status == 400


def test_stripes_signature_says_nothing_here_nor_clerks_there(stage, user_id):
    body = json.dumps(changed(stage, user_id, NOW_MS)).encode()
    stripe = {"Stripe-Signature": wire.stripe_signature(body, stage.stand.webhook_secret("live"))}
    assert stage.ask("POST", "/webhook/clerk", stripe, body).status == 400
    assert stage.ask("POST", "/webhook/stripe", signed(stage, body), body).status == 400


@pytest.mark.parametrize("body", [b"", b"{bad", b"[]", b"7", b"{}", b'{"type":"user.updated"}', b'{"type":"user.updated","data":[]}',
                                  b'{"type":"user.updated","data":{}}', b'{"type":"user.deleted","data":{"id":7}}', b'{"type":7,"data":{"id":"user_x"}}'])
def test_a_signed_event_that_makes_no_sense_is_a_400(stage, body):
    assert stage.ask("POST", "/webhook/clerk", signed(stage, body), body).status == 400


# Modes and projects.


def test_the_test_instance_tells_nothing_of_a_live_project(stage):
    user_id = stage.new_customer()
    before = shown(stage, user_id)
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS + 99999, "evil@example.test"), mode="test"))
    ok(stage.deliver_clerk(deleted(user_id, NOW_MS + 99999), mode="test"))
    assert shown(stage, user_id) == before
    assert shown(stage, user_id, "test") is None


@pytest.mark.parametrize("key", ["pk_live_" + "0" * 32, "", "nonsense", "x" * 500])
def test_a_user_of_no_project_of_ours_is_nobodys_customer(stage, user_id, key):
    assert ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, key=key))) == {"received": True}
    for own in ("app", "sibling", "other"):
        assert shown(stage, user_id, own) is None


def test_a_change_told_for_one_project_leaves_the_others_alone(stage, user_id):
    ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, "own@example.test", key="sibling")))
    assert shown(stage, user_id, "sibling")["email"] == "own@example.test"
    assert shown(stage, user_id) is None and shown(stage, user_id, "other") is None


def test_what_was_told_is_kept_over_a_crash(tmp_path):
    with stages.Stage(tmp_path) as stage:
        ids = [f"user_crash{n}" for n in range(20)]
        for user_id in ids:
            ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, kind="created"), "msg_" + user_id))
        stage.restart_after_kill()
        assert all(shown(stage, user_id) for user_id in ids)
        assert all("idempotent" in ok(stage.deliver_clerk(changed(stage, user_id, NOW_MS, kind="created"), "msg_" + user_id)) for user_id in ids)
