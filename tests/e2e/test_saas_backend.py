# SPDX-License-Identifier: Apache-2.0
"""examples/saas-backend: every line of its README as it stands there, against a service with its sandbox; and what the README only says:
refusals, webhooks, and an end that loses nothing and comes in time."""

import concurrent.futures
import contextlib
import http.client
import re
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

import daemon
import pages
import readme
import tenant
import wire

FOLDER = readme.EXAMPLES / "saas-backend"
PROGRAM = daemon.build_dir() / "examples" / "saas-backend"
WEBHOOK_SECRET = "whsec_example"
BUSY = {"name": "busy", "displayName": "Busy", "price": 0, "limit": 1000, "rateLimit": 2}
TEAM = {"name": "team", "displayName": "Team", "price": 9900, "limit": "unlimited", "rateLimit": None}


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    made = readme.Up(tmp_path_factory.mktemp("saas"), more=[BUSY])
    yield made
    made.close()


class Backend(readme.Program):
    def __init__(self, up, folder, line=str(PROGRAM), **settings):
        super().__init__(up, folder, line, **{"LISTEN": "127.0.0.1:0", "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET, **settings})

    def ask(self, method, path, token=None, headers=None, body=None):
        return daemon.ask(self.where, method, path, {**(headers or {}), **({"Authorization": "Bearer " + token} if token else {})}, body)

    def answer(self, token):
        return self.ask("POST", "/answer", token)

    def stop(self, number=signal.SIGTERM):
        return super().stop(number)


def test_every_line_of_the_readme_does_what_it_says(up, tmp_path):
    dev_up, start, *lines = readme.blocks("saas-backend")
    assert dev_up == "./dev up\n" and len(lines) >= 4
    with Backend(up, tmp_path, start) as backend:
        script = "".join(lines)
        assert script.count("http://127.0.0.1:8080") == 1
        readme.follow(up, tmp_path, script.replace("http://127.0.0.1:8080", backend.where))
        assert backend.stop(signal.SIGINT) == "event of 36 bytes\nstopped; all usage is reported\n"
        assert backend.log() == ""


def test_dev_up_prints_the_settings_that_the_readme_relies_on(up):
    assert readme.printed_by_dev_up() == set(up.exports)
    assert len(up.exports) == 6 and "six `export` lines" in (FOLDER / "README.md").read_text(encoding="utf-8")


# ---- settings ----

def test_it_explains_its_settings_and_says_which_is_missing(up):
    said = subprocess.run([PROGRAM, "--help"], env=daemon.environment(), text=True, stdout=subprocess.PIPE, check=True).stdout
    source = (FOLDER / "main.c").read_text()
    assert {name for name in re.findall(r'setting\("(\w+)"\)', source)} <= set(re.findall(r"^  ([A-Z_]+) ", said, re.MULTILINE))
    assert subprocess.run([PROGRAM, "--port"], env=daemon.environment(), stderr=subprocess.DEVNULL).returncode == 2
    for change, words in (({"DREAMAPI_JWKS_URL": ""}, "DREAMAPI_JWKS_URL is not set"), ({"LISTEN": "localhost"}, "not an address"),
                          ({"LISTEN": "127.0.0.1:65536"}, "not an address"), ({"STOP_SECONDS": "soon"}, "STOP_SECONDS"),
                          ({"DREAMAPI_JWKS_URL": "ftp://x/"}, "refused"),
                          ({"LISTEN": up.serve.api.removeprefix("http://")}, "cannot listen")):
        run = subprocess.run([PROGRAM], env=daemon.environment({**up.exports, **change}), text=True, stderr=subprocess.PIPE, timeout=30)
        assert run.returncode == 1 and words in run.stderr, run.stderr


# ---- routes ----

@pytest.fixture(scope="module")
def backend(up, tmp_path_factory):
    with Backend(up, tmp_path_factory.mktemp("routes")) as backend:
        yield backend
        backend.stop()


def test_only_a_good_token_of_this_project_comes_in(up, backend):
    ada = up.customer("ada.token")
    nobody = backend.answer(None)
    assert nobody.status == 401 and nobody.headers["www-authenticate"] == "Bearer"
    good = up.token(ada)
    assert backend.answer(good[:-4] + "AAAA").status == 401
    assert backend.ask("POST", "/answer", headers={"Authorization": "Basic YTpi"}).status == 401
    other = tenant.create(up.db, up.folder, email="other@example.test")
    with tenant.Backend(up.serve.api, other["secretKey"]) as elsewhere:
        mallory = elsewhere.ask("POST", "/api/customers", {"email": "mallory@example.test"}).json["customer"]["id"]
    assert backend.answer(up.token(mallory)).status == 403
    assert backend.answer(good).json == {"answer": 42, "plan": "free", "used": 1, "limit": 5, "remaining": 4}


def test_a_deleted_customer_is_none(up, backend):
    gone = up.customer("gone")
    token = up.token(gone)
    with tenant.Backend(up.serve.api, up.keys["secretKey"]) as service:
        assert service.ask("DELETE", "/api/customers/" + gone).status == 200
    assert backend.answer(token).status == 403


def test_many_at_once_get_exactly_what_the_plan_has(up, backend):
    user = up.customer("many")
    token = up.token(user)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: backend.answer(token), range(24)))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [402] * 19
    assert sorted(answer.json["used"] for answer in answers if answer.status == 200)[-1] == 5
    refused = next(answer for answer in answers if answer.status == 402)
    assert (refused.json["limit"], refused.json["remaining"], refused.json["upgrade"]) == (5, 0, "/upgrade")


def test_who_is_too_fast_is_told_when_to_come_again(up, backend):
    token = up.token(up.customer("fast", "busy"))
    answers = [backend.answer(token) for _ in range(7)]  # a minute may end in between
    late = next(answer for answer in answers if answer.status != 200)
    assert late.status == 429 and 1 <= int(late.headers["retry-after"]) <= 60 and late.json["upgrade"] == "/upgrade"


def test_the_upgrade_is_the_next_plan(up, backend):
    user = up.customer("buyer")
    page = backend.ask("POST", "/upgrade", up.token(user))
    assert page.status == 201 and page.json["tier"] == "pro" and page.json["url"].startswith("http://")
    assert backend.ask("POST", "/upgrade").status == 401


def test_who_pays_already_changes_plans_on_the_portal(tmp_path):
    up = readme.Up(tmp_path, more=[TEAM])
    with contextlib.closing(up), Backend(up, tmp_path) as backend:
        user = up.customer("payer")
        token = up.token(user)
        pages.pays(backend.ask("POST", "/upgrade", token).json["url"])
        daemon.wait_for("the upgrade", lambda: up.ask("GET", "/api/usage?userId=" + user).json["plan"] == "pro")
        page = backend.ask("POST", "/upgrade", token)
        assert page.status == 201 and "tier" not in page.json, page
        portal = pages.open_page(page.json["url"])
        assert portal.status == 200 and "Pro" in portal.text
        backend.stop()


def test_who_may_pay_for_a_plan_that_is_sold_no_longer_gets_the_portal(up, backend):
    user = up.customer("loyal")
    token = up.token(user)
    with sqlite3.connect(up.db) as db:
        db.execute("UPDATE customers SET plan = 'vintage', current_plan = 'vintage' WHERE user_id = ?", (user,))
    page = backend.ask("POST", "/upgrade", token)
    assert "tier" not in page.json and "portal_create" in backend.log(), page.text  # this one pays nothing, so the portal has no page


@pytest.mark.parametrize("method, path, status", [("GET", "/health", 200), ("GET", "/nothing", 404), ("GET", "/answer", 405), ("PUT", "/me", 405)])
def test_routes(backend, method, path, status):
    assert backend.ask(method, path).status == status


def test_webhooks_are_taken_if_signed_just_now(up, backend):
    def send(body, secret=WEBHOOK_SECRET, age_s=0, **headers):
        signed = {"Stripe-Signature": wire.stripe_signature(body, secret, age_s)}
        return backend.ask("POST", "/webhooks/stripe", headers={**signed, **headers}, body=body).status
    body = b'{"id":"evt_1","text":"\xc3\xa9"}'
    assert [send(body), send(body), send(body, age_s=4000), send(body, "whsec_other")] == [200, 200, 400, 400]
    assert backend.ask("POST", "/webhooks/stripe", body=body).status == 400
    assert send(b"x" * ((1 << 20) + 1)) == 413


def test_without_a_secret_no_webhook_is_taken(up, tmp_path):
    with Backend(up, tmp_path, STRIPE_WEBHOOK_SECRET="") as backend:
        signed = {"Stripe-Signature": wire.stripe_signature(b"{}", "")}
        assert backend.ask("POST", "/webhooks/stripe", headers=signed, body="{}").status == 404
        backend.stop()


# ---- the end ----

def test_the_end_reports_what_was_used_and_hands_the_rest_back(up, tmp_path):
    user = up.customer("settled")
    with Backend(up, tmp_path) as backend:
        assert [backend.answer(up.token(user)).status for _ in range(2)] == [200, 200]
        assert backend.stop() == "stopped; all usage is reported\n"
    assert up.usage(user) == (2, 0, 0)


def test_a_request_under_way_is_answered_and_new_ones_are_not_taken(up, tmp_path):
    user = up.customer("underway")
    token = up.token(user)
    with Backend(up, tmp_path) as backend:
        assert backend.answer(token).status == 200  # keys are there
        parts = backend.where.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(parts[0], int(parts[1]), timeout=30)
        connection.putrequest("POST", "/answer")
        connection.putheader("Authorization", "Bearer " + token)
        connection.putheader("Content-Length", "2")
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        assert connection.sock.recv(9, socket.MSG_WAITALL) == b"HTTP/1.1 "  # it has the head, and asks for the rest
        connection.sock.recv(100)
        backend.process.terminate()
        daemon.wait_for("no new connections", lambda: is_refused(parts))
        assert backend.process.poll() is None
        connection.send(b"{}")
        answer = daemon.Answer(connection.getresponse())
        assert answer.status == 200 and answer.headers["connection"] == "close"
        connection.close()
        assert backend.process.communicate(timeout=15)[0] == "stopped; all usage is reported\n"
    assert up.usage(user) == (2, 0, 0)


def is_refused(parts):
    try:
        socket.create_connection((parts[0], int(parts[1])), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was being made when the socket was let go
        return False
    return False


@pytest.mark.long
def test_the_end_comes_in_time_with_the_service_away_and_the_journal_has_the_rest(up, tmp_path):
    user = up.customer("away")
    with Backend(up, tmp_path, USAGE_JOURNAL="usage.journal", STOP_SECONDS="3") as backend:
        assert backend.answer(up.token(user)).status == 200
        with up.serve.away():
            began = time.monotonic()
            backend.process.terminate()
            backend.process.wait(20)
            assert time.monotonic() - began < 3 + 2  # two for a busy machine
            assert "usage is yet to be reported" in backend.log()
    settled = subprocess.run([daemon.build_dir() / "src/cli/dreamapi", "journal", "settle", "usage.journal"], cwd=tmp_path, text=True,
                             env=daemon.environment(up.exports), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert settled.returncode == 0, settled.stdout
    assert up.usage(user) == (1, 0, 0)
