# SPDX-License-Identifier: Apache-2.0
"""The extension `idempotency`: a POST repeated with its Idempotency-Key does its work once and gets its first answer again."""

import concurrent.futures
import uuid

import pytest

import daemon
import providers
import tenant

USERS = ["user_one", "user_two"]


@pytest.fixture(scope="module")
def standin():
    stand = providers.Providers()
    yield stand
    stand.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, standin):
    """A service with two projects of one platform: (folder, db, names, daemon)."""
    folder = tmp_path_factory.mktemp("idempotency")
    db = folder / "keys.db"
    projects = [{"key": key, "tiers": [tenant.tier("free", 1000, rateLimit=None), tenant.tier("slow", 1000, rateLimit=1)]}
                for key in ("app", "other")]
    users = [tenant.user(u, key, f"{u}@{key}.example.test") for u in USERS for key in ("app", "other")]
    names = tenant.load(folder, db, projects, users, env=standin.environment())
    with daemon.Daemon(folder, "--db", db, "--free-ports", env=standin.environment()) as serve:
        yield folder, db, names, serve
        assert serve.stop() == 0


@pytest.fixture
def backend(stage, standin):
    _, _, names, serve = stage
    standin.take_calls()
    with tenant.Backend(serve.api, names["<sk-app>"]) as made:
        yield made


def new_key():
    return str(uuid.uuid4())


def new_customer():
    return {"email": f"{uuid.uuid4().hex}@example.test"}


def test_health_announces_the_extension(stage):
    extensions = daemon.ask(stage[3].api, "GET", "/health").json["extensions"]
    assert {"idempotency", "server-side"} <= set(extensions)


def test_a_repeated_charge_counts_once_and_answers_the_same(backend):
    before = backend.usage("user_one")["usageCount"]
    key = new_key()
    first, second = backend.track("user_one", key), backend.track("user_one", key)
    assert first.status == second.status == 200
    assert first.text == second.text
    assert backend.usage("user_one")["usageCount"] == before + 1


def test_without_a_key_each_request_counts(backend):
    before = backend.usage("user_one")["usageCount"]
    assert backend.track("user_one").status == backend.track("user_one").status == 200
    assert backend.usage("user_one")["usageCount"] == before + 2


def test_a_repeated_creation_reaches_the_identity_provider_once(backend, standin):
    key, body = new_key(), new_customer()
    first, second = (backend.ask("POST", "/api/customers", body, key) for _ in range(2))
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert len(standin.take_calls()) == 1


def test_a_refusal_is_remembered_too(backend, standin):
    key, body = new_key(), {"email": "not-an-email"}
    first, second = (backend.ask("POST", "/api/customers", body, key) for _ in range(2))
    assert (first.status, second.status) == (400, 400)
    assert first.json == second.json
    assert len(standin.take_calls()) == 1


def test_a_repeat_at_once_by_many_counts_once(backend, stage):
    before = backend.usage("user_one")["usageCount"]
    key = new_key()
    headers = {"Authorization": "Bearer " + stage[2]["<sk-app>"], "Idempotency-Key": key}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(daemon.ask, stage[3].api, "POST", "/api/data", headers, {"userId": "user_one"}) for _ in range(16)]
        statuses = {one.result().status for one in asked}
    assert 200 in statuses and statuses <= {200, 409}
    assert backend.usage("user_one")["usageCount"] == before + 1


def test_the_same_key_with_another_body_is_refused(backend):
    key = new_key()
    assert backend.track("user_one", key).status == 200
    before = backend.usage("user_two")["usageCount"]
    refused = backend.track("user_two", key)
    assert refused.status == 422
    assert refused.json["error"]
    assert backend.usage("user_two")["usageCount"] == before


def test_a_key_still_in_flight_is_refused_for_now(backend, stage, standin):
    key, body = new_key(), new_customer()
    headers = {"Authorization": "Bearer " + stage[2]["<sk-app>"], "Idempotency-Key": key}
    with concurrent.futures.ThreadPoolExecutor(1) as pool, standin.hold("clerk", "POST", "/v1/users") as held:
        first = pool.submit(daemon.ask, stage[3].api, "POST", "/api/customers", headers, body)
        held.wait_arrived()
        meanwhile = backend.ask("POST", "/api/customers", body, key)
        assert meanwhile.status == 409
        assert int(meanwhile.headers["retry-after"]) > 0
        held.release()
        assert first.result(20).status == 201
    assert backend.ask("POST", "/api/customers", body, key).json == first.result().json
    assert len(standin.take_calls()) == 1


def test_a_key_is_free_again_after_a_failure_of_the_provider(backend, standin):
    key, body = new_key(), new_customer()
    standin.answer_next("clerk", "POST", "/v1/users", 503, {"errors": [{"message": "service unavailable"}]})
    assert backend.ask("POST", "/api/customers", body, key).status == 502
    assert backend.ask("POST", "/api/customers", body, key).status == 201
    assert len(standin.take_calls()) == 2


def test_a_key_is_free_again_after_a_rate_limit(backend, standin):
    made = backend.ask("POST", "/api/customers", {**new_customer(), "plan": "slow"})
    slow = made.json["customer"]["id"]
    key = new_key()
    statuses = [backend.track(slow, new_key()).status for _ in range(3)]  # three calls see one minute end at most
    assert 429 in statuses
    last = backend.track(slow, key)
    if last.status == 429:  # free, so another body is no mismatch
        last = backend.track("user_one", key)
    assert last.status == 200


def test_two_projects_do_not_share_keys(backend, stage):
    key = new_key()
    assert backend.track("user_one", key).json["usage"]["count"] > 0
    with tenant.Backend(stage[3].api, stage[2]["<sk-other>"]) as other:
        before = other.usage("user_one")["usageCount"]
        assert other.track("user_one", key).json["usage"]["count"] == before + 1


def test_two_paths_do_not_share_keys(backend):
    key = new_key()
    assert backend.track("user_one", key).status == 200
    assert backend.ask("POST", "/api/customers", new_customer(), key).status == 201


def test_a_publishable_key_with_a_token_is_covered_too(stage):
    names = stage[2]
    headers = {"X-Publishable-Key": names["<pk-app>"], "Idempotency-Key": new_key(),
               "X-Clerk-Token": providers.user_token("user_two", names["<pk-app>"])}
    first, second = (daemon.ask(stage[3].api, "POST", "/api/data", headers) for _ in range(2))
    assert first.status == 200
    assert first.json == second.json


def test_a_remembered_answer_survives_a_kill(tmp_path, standin):
    names = tenant.load(tmp_path, tmp_path / "k.db", [{"key": "app", "tiers": [tenant.tier("free", 5)]}],
                        [tenant.user("user_one", "app")], env=standin.environment())
    key, answers = new_key(), []
    for _ in range(2):
        serve = daemon.Daemon(tmp_path, "--db", tmp_path / "k.db", "--free-ports", env=standin.environment())
        with tenant.Backend(serve.api, names["<sk-app>"]) as backend:
            answers.append(backend.track("user_one", key))
        serve.kill()
    assert answers[0].status == 200
    assert answers[0].json == answers[1].json


def test_a_key_in_flight_at_a_kill_names_the_time_until_it_is_free(tmp_path, standin):
    names = tenant.load(tmp_path, tmp_path / "k.db", [{"key": "app", "tiers": [tenant.tier("free", 5)]}], env=standin.environment())
    key, body = new_key(), new_customer()
    headers = {"Authorization": "Bearer " + names["<sk-app>"], "Idempotency-Key": key}
    serve = daemon.Daemon(tmp_path, "--db", tmp_path / "k.db", "--free-ports", env=standin.environment())
    with concurrent.futures.ThreadPoolExecutor(1) as pool, standin.hold("clerk", "POST", "/v1/users") as held:
        first = pool.submit(daemon.ask, serve.api, "POST", "/api/customers", headers, body)
        held.wait_arrived()
        serve.kill()
        held.release()
        assert first.exception(20) is not None
    with daemon.Daemon(tmp_path, "--db", tmp_path / "k.db", "--free-ports", env=standin.environment()) as again:
        answer = daemon.ask(again.api, "POST", "/api/customers", headers, body)
        assert answer.status == 409
        assert 0 < int(answer.headers["retry-after"]) <= 30
