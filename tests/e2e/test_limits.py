# SPDX-License-Identifier: Apache-2.0
"""A limit holds exactly: 32 clients that use one user's 1000 units at once get 1000 of them, no more and no fewer, also when the
service is killed in the middle and what was lost is sent again with its key."""

import concurrent.futures
import http.client
import sqlite3
import threading
import time

import pytest

import daemon
import providers
import tenant

LIMIT = 1000
CLIENTS = 32
REQUESTS_EACH = 35  # together 120 more than the limit
USER = "user_hammered"
RATE_LIMIT = 50
SLOW_USERS = ["user_slow1", "user_slow2", "user_slow3"]


class Crowd:
    """The clients. Each request has a key of its own; one that brought no answer is sent again with it, once the service is
    back. `answers` maps each key to the status it got in the end."""

    def __init__(self, urls, headers, body, requests_each=REQUESTS_EACH):
        self.urls, self.headers, self.body, self.requests_each = urls, headers, body, requests_each
        self.answers = {}
        self.retried = 0
        self._changed = threading.Condition()
        self.is_up = threading.Event()
        self.is_up.set()

    def run(self):
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            for done in concurrent.futures.as_completed([pool.submit(self._client, n) for n in range(CLIENTS)], timeout=120):
                done.result()

    def wait_for_successes(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: self.successes() >= count, 60), f"fewer than {count} successes in a minute"

    def successes(self):
        return self.count(200)

    def count(self, status):
        return list(self.answers.values()).count(status)

    def _client(self, number):
        connection = daemon.Connection(self.urls[number % len(self.urls)])
        for i in range(self.requests_each):
            key = f"client-{number}-request-{i}"
            status = self._ask(connection, key)
            with self._changed:
                self.answers[key] = status
                self._changed.notify_all()
        connection.close()

    def _ask(self, connection, key):
        for _ in range(100):
            try:
                return connection.ask("POST", "/api/data", {**self.headers, "Idempotency-Key": key}, self.body).status
            except (OSError, http.client.HTTPException):
                connection.close()
                self.retried += 1
                assert self.is_up.wait(60), "the service did not come back"
        raise AssertionError(f"no answer to {key} in 100 tries")


@pytest.fixture(scope="module")
def standin():
    stand = providers.Providers()
    yield stand
    stand.close()


@pytest.fixture
def place(tmp_path, standin):
    """A folder with a store in it: a project whose free tier has the limit and no rate limit, and one with a rate limit."""
    db = tmp_path / "limits.db"
    names = tenant.load(tmp_path, db, [{"key": "app", "tiers": [tenant.tier("free", LIMIT, rateLimit=None)]},
                                       {"key": "slow", "tiers": [tenant.tier("free", LIMIT, rateLimit=RATE_LIMIT)]}],
                        [tenant.user(USER, "app"), *(tenant.user(user, "slow") for user in SLOW_USERS)], env=standin.environment())
    return tmp_path, db, names


def by_secret_key(names):
    return {"Authorization": "Bearer " + names["<sk-app>"]}, {"userId": USER}


def by_user_token(names):
    return {"X-Publishable-Key": names["<pk-app>"], "X-Clerk-Token": providers.user_token(USER, names["<pk-app>"])}, None


def assert_exactly_the_limit(crowd, serve, names, db):
    assert (crowd.successes(), crowd.count(403)) == (LIMIT, CLIENTS * REQUESTS_EACH - LIMIT)
    with tenant.Backend(serve.api, names["<sk-app>"]) as backend:
        usage = backend.usage(USER)
    assert (usage["usageCount"], usage["remaining"]) == (LIMIT, 0)
    assert serve.stop() == 0
    checked = daemon.run("check", "--db", db, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("credentials", [by_secret_key, by_user_token])
def test_clients_at_once_get_exactly_the_limit(place, standin, credentials):
    folder, db, names = place
    with daemon.Daemon(folder, "--db", db, "--free-ports", env=standin.environment()) as serve:
        crowd = Crowd([serve.api], *credentials(names))
        crowd.run()
        assert_exactly_the_limit(crowd, serve, names, db)


def test_the_limit_holds_exactly_over_kills_in_the_middle(place, standin):
    folder, db, names = place
    serve = daemon.Daemon(folder, "--db", db, "--free-ports", env=standin.environment())
    ports = [word for part in ("api", "admin") for word in (f"--listen-{part}", serve.urls[part].removeprefix("http://"))]
    crowd = Crowd([serve.api], *by_secret_key(names))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(crowd.run)
        try:
            for successes in (LIMIT // 4, LIMIT // 2, LIMIT * 3 // 4):
                crowd.wait_for_successes(successes)
                crowd.is_up.clear()
                serve.kill()
                serve = daemon.Daemon(folder, "--db", db, *ports, env=standin.environment())
                crowd.is_up.set()
            running.result(120)
            assert crowd.retried > 0, "the kills hit no request: this run proved nothing"
            assert_exactly_the_limit(crowd, serve, names, db)
        finally:
            crowd.is_up.set()
            serve.kill()


def test_the_limit_holds_over_two_services_on_one_database(place, standin):
    folder, db, names = place
    with daemon.Daemon(folder, "--db", db, "--free-ports", env=standin.environment()) as one, \
            daemon.Daemon(folder, "--db", db, "--free-ports", env=standin.environment()) as other:
        crowd = Crowd([one.api, other.api], *by_secret_key(names))
        crowd.run()
        assert other.stop() == 0
        assert_exactly_the_limit(crowd, one, names, db)


def test_the_rate_limit_holds_exactly(place, standin):
    folder, db, names = place
    headers = {"Authorization": "Bearer " + names["<sk-slow>"]}
    with daemon.Daemon(folder, "--db", db, "--free-ports", env=standin.environment()) as serve:
        for user in SLOW_USERS:
            minute = int(time.time()) // 60
            crowd = Crowd([serve.api], headers, {"userId": user}, requests_each=5)
            crowd.run()
            if int(time.time()) // 60 == minute:  # else two windows were open to this user
                break
        assert (crowd.successes(), crowd.count(429)) == (RATE_LIMIT, CLIENTS * 5 - RATE_LIMIT)
        assert serve.stop() == 0


def test_check_finds_a_store_that_was_tampered_with(place):
    """The test above leans on `dreamapid check`; here it shows that it can fail."""
    _, db, _ = place
    with sqlite3.connect(db) as connection:
        connection.execute("update api_keys set secret_key_hash = 'x'")
    connection.close()
    assert daemon.run("check", "--db", db, check=False).returncode != 0
