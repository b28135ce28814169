# SPDX-License-Identifier: Apache-2.0
"""POST /api/customer-portal beyond the recorded cases: for a user that a backend names, where it leads back to, whose customers it
opens, and what the providers' failures mean."""

import pytest

import daemon
import stage as stages
import tenant

PATH = "/api/customer-portal"
RATED = [tenant.tier("free", 100, rateLimit=2)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with stages.Stage(tmp_path_factory.mktemp("portal")) as made:
        yield made


def payer(stage, key="app"):
    return stage.new_customer(key, {"stripeCustomerId": "cus_" + key})


def open_portal(stage, user_id, key="app", **fields):
    return stage.ask("POST", PATH, stage.secret(key), {"userId": user_id, **fields})


def test_a_backend_opens_the_portal_of_a_user_it_names(stage):
    user_id = payer(stage)
    stage.stand.take_calls()
    answer = open_portal(stage, user_id)
    assert (answer.status, set(answer.json)) == (200, {"url"})
    asked = stage.stand.take_calls(at_least=2)[-1]
    assert asked["credential"] == stage.names["<connected-token-live>"]
    assert asked["body"] == {"customer": "cus_app", "return_url": stages.APP_URL + "/dashboard"}


def test_a_test_project_asks_with_the_test_accounts_token(stage):
    user_id = payer(stage, "test")
    stage.stand.take_calls()
    assert open_portal(stage, user_id, "test").status == 200
    assert [(call["mode"], call["credential"]) for call in stage.stand.take_calls(at_least=2)] == [
        ("test", stage.stand.secret_key("clerk", "test")), ("test", stage.names["<connected-token-test>"])]


def test_a_user_id_needs_the_secret_key(stage):
    assert stage.ask("POST", PATH, stage.public(), {"userId": payer(stage)}).status == 401


@pytest.mark.parametrize("key", ["sibling", "test", "other"])
def test_another_project_cannot_open_it(stage, key):
    user_id = payer(stage)
    stage.stand.take_calls()
    assert open_portal(stage, user_id, key).status in (403, 404)
    assert [call for call in stage.stand.take_calls() if call["to"] == "stripe"] == []


def test_a_user_whose_metadata_names_another_project_has_none(stage):
    user_id = payer(stage)
    stage.stand.users["live"][user_id]["public_metadata"]["publishableKey"] = stage.names["<pk-other>"]
    stage.stand.take_calls()
    assert open_portal(stage, user_id).status == 403
    assert [call for call in stage.stand.take_calls() if call["to"] == "stripe"] == []


def test_a_deleted_user_has_none(stage):
    user_id = payer(stage)
    assert stage.ask("DELETE", "/api/customers/" + user_id, stage.secret()).status == 200
    assert open_portal(stage, user_id).status == 404
    assert stage.ask("POST", PATH, {**stage.public(), **stage.token(user_id)}).status == 401


@pytest.mark.parametrize("url, status", [
    (stages.SHOP_URL + "/account", 200), (stages.APP_URL + "/x?y=z", 200), ("https://evil.test/", 400), (stages.SHOP_URL + ".evil.test/", 400),
    (stages.SHOP_URL + "@evil.test/", 400), ("javascript:alert(1)", 400), ("//shop.example.test/", 400), (7, 400), ("/relative", 400)], ids=str)
def test_it_leads_back_to_allowed_origins_only(stage, url, status):
    user_id = payer(stage)
    stage.stand.take_calls()
    assert open_portal(stage, user_id, returnUrl=url).status == status
    calls = stage.stand.take_calls(at_least=2 if status == 200 else 0)
    assert [call["body"]["return_url"] for call in calls if call["to"] == "stripe"] == ([url] if status == 200 else [])


def test_a_foreign_origin_does_not_become_the_return_address(stage):
    user_id = payer(stage)
    stage.stand.take_calls()
    assert stage.ask("POST", PATH, {**stage.secret(), "Origin": "https://evil.test"}, {"userId": user_id}).status == 200
    assert stage.stand.take_calls(at_least=2)[-1]["body"]["return_url"] == stages.APP_URL + "/dashboard"


def test_a_body_that_is_no_json_is_a_400(stage):
    headers = {**stage.public(), **stage.token(payer(stage)), "Content-Type": "application/json"}
    for body in ("{bad", '{"returnUrl":', "\x00"):
        assert stage.ask("POST", PATH, headers, body).status == 400, body


@pytest.mark.parametrize("to", ["clerk", "stripe"])
@pytest.mark.parametrize("status, retry_after", [(500, None), (503, None), (429, "7"), (401, None)])
def test_a_provider_that_fails_is_a_502(stage, to, status, retry_after):
    user_id = payer(stage)
    method, path = ("GET", "/v1/users/" + user_id) if to == "clerk" else ("POST", "/v1/billing_portal/sessions")
    stage.stand.answer_next(to, method, path, status, {"error": {"message": "no"}, "errors": []},
                            {"Retry-After": retry_after} if retry_after else {})
    failed = open_portal(stage, user_id)
    assert failed.status == 502
    assert retry_after is None or failed.headers["retry-after"] == retry_after
    assert open_portal(stage, user_id).status == 200


@pytest.mark.parametrize("body", [{}, [], {"url": 7}, {"url": ""}], ids=str)
def test_an_answer_without_an_address_is_a_502(stage, body):
    user_id = payer(stage)
    stage.stand.answer_next("stripe", "POST", "/v1/billing_portal/sessions", 200, body)
    assert open_portal(stage, user_id).status == 502


def test_a_request_with_a_key_is_one_session(stage):
    user_id = payer(stage)
    headers = {**stage.secret(), "Idempotency-Key": "portal-1"}
    first = stage.ask("POST", PATH, headers, {"userId": user_id})
    stage.stand.take_calls()
    assert (first.status, stage.ask("POST", PATH, headers, {"userId": user_id}).text) == (200, first.text)
    assert stage.stand.take_calls() == []


def test_it_takes_its_share_of_the_rate(tmp_path):
    with stages.Stage(tmp_path, tiers=RATED) as stage:
        user_id = payer(stage)
        # The minute may turn between two requests, so that a third passes; it cannot turn twice within five.
        answers = [open_portal(stage, user_id).status for _ in range(5)]
        assert answers.count(200) in (2, 3, 4) and answers.count(429) == 5 - answers.count(200)


def test_without_providers_only_what_needs_them_fails(tmp_path):
    names = tenant.load(tmp_path, tmp_path / "x.db", [{"key": "app", "tiers": stages.TIERS}], [tenant.user("user_a", "app")])
    with daemon.Daemon(tmp_path, "--db", tmp_path / "x.db", "--free-ports") as serve, tenant.Backend(serve.api, names["<sk-app>"]) as app:
        assert daemon.ask(serve.api, "GET", "/health").status == 200
        assert app.track("user_a").json["usage"]["count"] == 1
        for path, body in ((PATH, {"userId": "user_a"}), ("/api/customers", {"email": "a@example.test"})):
            assert app.ask("POST", path, body).status == 502
        assert serve.stop() == 0
