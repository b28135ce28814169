# SPDX-License-Identifier: Apache-2.0
"""Who reaches what: every endpoint, asked with another platform's key, a sibling project's, the other mode's, a revoked one and
that of a platform whose subscription is over. None sees or changes anything of the project it is not of."""

import json

import pytest

import stage as stages

SHELF = [stages.product("mug", 10)]

# Endpoints that speak about the one user they name: {user} in the path or the body.
ABOUT_A_USER = [
    ("GET", "/api/usage?userId={user}", None),
    ("POST", "/api/data", {"userId": "{user}"}),
    ("POST", "/api/create-checkout", {"userId": "{user}", "tier": "pro"}),
    ("POST", "/checkout", {"userId": "{user}", "tier": "pro"}),
    ("POST", "/api/customer-portal", {"userId": "{user}"}),
    ("GET", "/api/usage/history?userId={user}", None),
    ("GET", "/api/customers/{user}", None),
    ("PATCH", "/api/customers/{user}", {"plan": "max", "firstName": "Mallory"}),
    ("DELETE", "/api/customers/{user}", None),
]
# Endpoints that speak about the whole project of the key.
ABOUT_A_PROJECT = [
    ("GET", "/api/tiers", None),
    ("GET", "/api/products", None),
    ("POST", "/api/cart/checkout", {"items": [{"priceId": "price_mug"}]}),
    ("POST", "/api/customers", {"email": "new@example.test"}),
    ("POST", "/api/assets", {"filename": "a.txt", "data": "aGk="}),
    ("GET", "/api/customers", None),
    ("GET", "/api/customers?email={email}", None),
    ("POST", "/api/usage/batch", {"events": [{"id": "foreign", "userId": "{user}"}]}),
    ("POST", "/api/leases", {"holder": "foreign", "refunds": [{"id": "foreign", "leaseId": "foreign", "units": 1}]}),
    ("GET", "/api/usage/history", None),
    ("GET", "/api/dashboard", None),
    ("GET", "/api/dashboard/totals", None),
]
ALL = ABOUT_A_USER + ABOUT_A_PROJECT
# What a publishable key opens at all, and with the token of which user.
PUBLIC = [("GET", "/api/tiers", False), ("GET", "/api/products", False), ("POST", "/api/cart/checkout", False), ("GET", "/api/usage", True),
          ("POST", "/api/data", True), ("POST", "/api/create-checkout", True), ("POST", "/api/customer-portal", True)]


def ids(endpoints):
    return [f"{method} {path}" for method, path, _ in endpoints]


class Victim:
    """A user of <pk-app> with everything a user can have, and a check that nobody changed it."""

    def __init__(self, stage):
        self.stage = stage
        self.email = stages.new_email()
        made = stage.ask("POST", "/api/customers", stage.secret(), {"email": self.email, "plan": "pro", "firstName": "Vic"})
        self.user_id = made.json["customer"]["id"]
        stage.stand.users["live"][self.user_id]["public_metadata"]["stripeCustomerId"] = "cus_victim"
        assert stage.ask("POST", "/api/data", stage.secret(), {"userId": self.user_id}).status == 200
        self.before = self._look()

    def _look(self):
        return (self.stage.ask("GET", "/api/customers/" + self.user_id, self.stage.secret()).json,
                self.stage.ask("GET", "/api/usage?userId=" + self.user_id, self.stage.secret()).json, self.stage.stock("mug"))

    def request(self, endpoint):
        method, path, body = endpoint
        filled = json.loads(json.dumps(body).replace("{user}", self.user_id))
        return method, path.replace("{user}", self.user_id).replace("{email}", self.email), filled

    def ask(self, endpoint, headers):
        method, path, body = self.request(endpoint)
        if method == "POST" and path == "/api/customers":
            body = {"email": stages.new_email()}
        return self.stage.ask(method, path, headers, body)

    def assert_untouched(self, answer):
        for secret in (self.email, "cus_victim"):
            assert secret not in answer.text, answer
        assert self._look() == self.before, answer


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with stages.Stage(tmp_path_factory.mktemp("isolation"), SHELF) as made:
        yield made


@pytest.fixture(scope="module")
def victim(stage):
    return Victim(stage)


@pytest.mark.parametrize("endpoint", ABOUT_A_USER, ids=ids(ABOUT_A_USER))
@pytest.mark.parametrize("key", ["other", "sibling", "shop", "test"])
def test_the_user_is_unknown_to_another_projects_key(stage, victim, key, endpoint):
    stage.stand.take_calls()
    answer = victim.ask(endpoint, stage.secret(key))
    assert answer.status in (403, 404), answer
    assert [call for call in stage.stand.take_calls() if call["method"] != "GET"] == []
    victim.assert_untouched(answer)


@pytest.mark.parametrize("endpoint", ABOUT_A_PROJECT, ids=ids(ABOUT_A_PROJECT))
@pytest.mark.parametrize("key", ["other", "sibling", "test"])
def test_another_projects_key_shows_nothing_of_the_project(stage, victim, key, endpoint):
    answer = victim.ask(endpoint, stage.secret(key))
    assert victim.user_id not in answer.text and "prod_mug" not in answer.text
    # The dashboard lists the platform's keys of its mode.
    assert stage.names["<pk-app>"] not in answer.text or (key, endpoint[1]) == ("sibling", "/api/dashboard")
    victim.assert_untouched(answer)


@pytest.mark.parametrize("endpoint", ALL, ids=ids(ALL))
@pytest.mark.parametrize("key, status", [("revoked", 401), ("expired", 403)])
def test_a_key_that_is_over_opens_nothing(stage, victim, key, status, endpoint):
    for headers in (stage.secret(key), {**stage.secret(key), **stage.public()}):
        stage.stand.take_calls()
        answer = victim.ask(endpoint, headers)
        assert (answer.status, stage.stand.take_calls()) == (status, []), answer
        victim.assert_untouched(answer)


@pytest.mark.parametrize("endpoint", ALL, ids=ids(ALL))
@pytest.mark.parametrize("key, status", [("app", 403), ("shop", 403), ("revoked", 401)])
def test_another_platforms_publishable_key_beside_a_secret_one_is_refused(stage, victim, key, status, endpoint):
    stage.stand.take_calls()
    answer = victim.ask(endpoint, {**stage.secret("other"), **stage.public(key)})
    assert (answer.status, stage.stand.take_calls()) == (status, []), answer
    victim.assert_untouched(answer)


@pytest.mark.parametrize("endpoint", ALL, ids=ids(ALL))
def test_a_test_key_selects_no_live_project(stage, victim, endpoint):
    """A publishable key beside a secret one selects a project of the same platform, but never across modes."""
    stage.stand.take_calls()
    answer = victim.ask(endpoint, {**stage.secret("test"), **stage.public()})
    assert victim.user_id not in answer.text and stage.names["<pk-app>"] not in answer.text, answer
    assert [call for call in stage.stand.take_calls() if call["mode"] == "live"] == []
    victim.assert_untouched(answer)


@pytest.mark.parametrize("path", ["/api/tiers", "/api/products", "/api/dashboard"])
@pytest.mark.parametrize("key", ["shop", "app"])
def test_a_secret_key_selects_a_sibling_of_its_platform(stage, key, path):
    selected = stage.ask("GET", path, {**stage.secret("sibling"), **stage.public(key)})
    assert (selected.status, selected.text) == (200, stage.ask("GET", path, stage.secret(key)).text)


@pytest.mark.parametrize("endpoint", PUBLIC, ids=ids(PUBLIC))
@pytest.mark.parametrize("key, status", [("revoked", 401), ("expired", 403)])
def test_a_publishable_key_that_is_over_opens_nothing(stage, victim, key, status, endpoint):
    answer = stage.ask(endpoint[0], endpoint[1], {**stage.public(key), **stage.token(victim.user_id)})
    assert answer.status == status
    victim.assert_untouched(answer)


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in PUBLIC if endpoint[2]], ids=lambda it: it[1])
@pytest.mark.parametrize("key", ["other", "sibling", "shop", "test"])
@pytest.mark.parametrize("signed_by", ["live", "test"])
def test_a_token_is_for_its_own_project_and_mode(stage, victim, key, signed_by, endpoint):
    answer = stage.ask(endpoint[0], endpoint[1], {**stage.public(key), **stage.token(victim.user_id, signed_by=signed_by)})
    assert answer.status in (401, 403), answer
    victim.assert_untouched(answer)


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in ALL if (endpoint[0], endpoint[1].split("?")[0]) not in {(m, p) for m, p, _ in PUBLIC}],
                         ids=lambda it: f"{it[0]} {it[1]}")
def test_what_needs_a_secret_key_is_closed_to_publishable_ones(stage, victim, endpoint):
    answer = victim.ask(endpoint, {**stage.public(), **stage.token(victim.user_id)})
    assert answer.status == 403
    victim.assert_untouched(answer)
