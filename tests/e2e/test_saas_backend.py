# SPDX-License-Identifier: Apache-2.0
"""examples/saas-backend: every line of its README as it stands there, against a service with its sandbox; and what the README only says:
refusals, webhooks, and an end that loses nothing and comes in time."""

import concurrent.futures
import contextlib
import fnmatch
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

import daemon
import providers
import tenant
import wire

README = daemon.ROOT / "examples" / "saas-backend" / "README.md"
PROGRAM = daemon.build_dir() / "examples" / "saas-backend"
WEBHOOK_SECRET = "whsec_example"
TIERS = [{"name": "free", "displayName": "Free", "price": 0, "limit": 5},
         {"name": "pro", "displayName": "Pro", "price": 2900, "limit": 5000000, "rateLimit": None},
         {"name": "busy", "displayName": "Busy", "price": 0, "limit": 1000, "rateLimit": 2}]
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Stage:
    """A service with its sandbox and one tenant, and what ./dev up prints of them."""

    def __init__(self, folder):
        self.folder, self.db = folder, folder / "s.db"
        self.serve = daemon.Daemon(folder, "--sandbox", "--db", self.db, "--free-ports")
        self.keys = tenant.create(self.db, folder, tiers=TIERS)
        self.clerk = self.serve.urls["sandbox"]["clerkEndUser"]["live"]
        self.exports = {"DREAMAPI_BASE_URL": self.serve.api, "DREAMAPI_PUBLISHABLE_KEY": self.keys["publishableKey"],
                        "DREAMAPI_SECRET_KEY": self.keys["secretKey"], "DREAMAPI_JWKS_URL": self.clerk["url"] + "/.well-known/jwks.json",
                        "CLERK_URL": self.clerk["url"], "CLERK_SECRET_KEY": self.clerk["secretKey"]}

    def usage(self, user_id):
        with tenant.Backend(self.serve.api, self.keys["secretKey"]) as backend:
            return backend.usage(user_id)

    def customer(self, name, plan="free"):
        with tenant.Backend(self.serve.api, self.keys["secretKey"]) as backend:
            return backend.ask("POST", "/api/customers", {"email": f"{name}@example.test", "plan": plan}).json["customer"]["id"]

    def token(self, user_id):
        """As the front end has it."""
        headers = {"Authorization": "Bearer " + self.clerk["secretKey"]}
        session = daemon.ask(self.clerk["url"], "POST", "/v1/sessions", headers, {"user_id": user_id}).json["id"]
        return daemon.ask(self.clerk["url"], "POST", f"/v1/sessions/{session}/tokens/end-user-api", headers, {}).json["jwt"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    made = Stage(tmp_path_factory.mktemp("saas"))
    yield made
    assert made.serve.stop() == 0
    assert daemon.run("check", "--db", made.db, check=False).returncode == 0


class Backend:
    """The program, listening. `command` is a line of a shell that ends in it."""

    def __init__(self, stage, folder, command=f"exec {PROGRAM}", **settings):
        env = daemon.environment({**stage.exports, "LISTEN": "127.0.0.1:0", **settings})
        self.log = folder / "backend.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "bash", "-c", command], cwd=folder, env=env,
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        self.url = re.fullmatch(r"listening on (http://\S+)\n", self.process.stdout.readline()).group(1)

    def ask(self, method, path, token=None, headers=None, body=None):
        return daemon.ask(self.url, method, path, {**(headers or {}), **({"Authorization": "Bearer " + token} if token else {})}, body)

    def answer(self, token):
        return self.ask("POST", "/answer", token)

    def stop(self, number=signal.SIGTERM):
        """What it printed since it listened."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=30)[0]
        assert self.process.returncode == 0, self.log.read_text()
        return said


@contextlib.contextmanager
def running(stage, folder, **settings):
    backend = Backend(stage, folder, STRIPE_WEBHOOK_SECRET=WEBHOOK_SECRET, **settings)
    try:
        yield backend
    finally:
        if backend.process.poll() is None:
            backend.process.kill()
        backend.process.wait()
        backend.process.stdout.close()


# ---- the README ----

def blocks():
    """Its shell blocks, with the paths of this build."""
    text = README.read_text(encoding="utf-8").replace("build/", f"{daemon.build_dir()}/")
    return FENCE.findall(text)


def test_every_line_of_the_readme_does_what_it_says(stage, tmp_path):
    up, start, *lines = blocks()
    assert up == "./dev up\n" and len(lines) >= 4
    # The program replaces its shell, so that a signal finds it.
    backend = Backend(stage, tmp_path, re.sub(r"(\S+)$", r"exec \1", start.strip()))
    try:
        script = "".join(lines)
        assert script.count("http://127.0.0.1:8080") == 1
        script = script.replace("http://127.0.0.1:8080", backend.url)
        said = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", script], env=daemon.environment(stage.exports), cwd=tmp_path, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        promised = [line[2:] for line in script.splitlines() if line.startswith("# ")]
        assert said.returncode == 0 and len(promised) >= 8, said.stdout
        assert len(said.stdout.splitlines()) == len(promised), said.stdout
        for line, promise in zip(said.stdout.splitlines(), promised):
            assert fnmatch.fnmatchcase(line, promise.replace("…", "*")), (promise, line)
        assert "event of 36 bytes\n" in (printed := backend.stop(signal.SIGINT)) and printed.endswith("stopped; all usage is reported\n")
        assert backend.log.read_text() == ""
    finally:
        if backend.process.poll() is None:
            backend.process.kill()
            backend.process.wait()


def test_dev_up_prints_the_settings_that_the_readme_relies_on():
    text = (daemon.ROOT / "examples" / "stack.py").read_text(encoding="utf-8")
    assert set(re.findall(r"^  export (\w+)=", text, re.MULTILINE)) == {
        "DREAMAPI_BASE_URL", "DREAMAPI_PUBLISHABLE_KEY", "DREAMAPI_SECRET_KEY", "DREAMAPI_JWKS_URL", "CLERK_URL", "CLERK_SECRET_KEY"}
    assert README.read_text(encoding="utf-8").count("six `export` lines") == 1


# ---- settings ----

def test_it_explains_its_settings_and_says_which_is_missing(stage):
    said = subprocess.run([PROGRAM, "--help"], env=daemon.environment(), text=True, stdout=subprocess.PIPE, check=True).stdout
    source = (README.parent / "main.c").read_text()
    assert {name for name in re.findall(r'setting\("(\w+)"\)', source)} <= set(re.findall(r"^  ([A-Z_]+) ", said, re.MULTILINE))
    assert subprocess.run([PROGRAM, "--port"], env=daemon.environment(), stderr=subprocess.DEVNULL).returncode == 2
    for change, words in (({"DREAMAPI_JWKS_URL": ""}, "DREAMAPI_JWKS_URL is not set"), ({"LISTEN": "localhost"}, "not an address"),
                          ({"LISTEN": "127.0.0.1:65536"}, "not an address"), ({"STOP_SECONDS": "soon"}, "STOP_SECONDS"),
                          ({"DREAMAPI_JWKS_URL": "ftp://x/"}, "refused"),
                          ({"LISTEN": stage.serve.api.removeprefix("http://")}, "cannot listen")):
        run = subprocess.run([PROGRAM], env=daemon.environment({**stage.exports, **change}), text=True, stderr=subprocess.PIPE, timeout=30)
        assert run.returncode == 1 and words in run.stderr, run.stderr


# ---- routes ----

@pytest.fixture(scope="module")
def backend(stage, tmp_path_factory):
    with running(stage, tmp_path_factory.mktemp("routes")) as backend:
        yield backend
        backend.stop()


def test_only_a_good_token_of_this_project_comes_in(stage, backend):
    ada = stage.customer("ada.token")
    nobody = backend.answer(None)
    assert nobody.status == 401 and nobody.headers["www-authenticate"] == "Bearer"
    good = stage.token(ada)
    assert backend.answer(good[:-4] + "AAAA").status == 401
    assert backend.ask("POST", "/answer", headers={"Authorization": "Basic YTpi"}).status == 401
    other = tenant.create(stage.db, stage.folder, email="other@example.test")
    with tenant.Backend(stage.serve.api, other["secretKey"]) as elsewhere:
        mallory = elsewhere.ask("POST", "/api/customers", {"email": "mallory@example.test"}).json["customer"]["id"]
    assert backend.answer(stage.token(mallory)).status == 403
    assert backend.answer(good).json == {"answer": 42, "plan": "free", "used": 1, "limit": 5, "remaining": 4}


def test_a_deleted_customer_is_none(stage, backend):
    gone = stage.customer("gone")
    token = stage.token(gone)
    with tenant.Backend(stage.serve.api, stage.keys["secretKey"]) as service:
        assert service.ask("DELETE", "/api/customers/" + gone).status == 200
    assert backend.answer(token).status == 403


def test_many_at_once_get_exactly_what_the_plan_has(stage, backend):
    user = stage.customer("many")
    token = stage.token(user)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: backend.answer(token), range(24)))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [402] * 19
    assert sorted(answer.json["used"] for answer in answers if answer.status == 200)[-1] == 5
    refused = next(answer for answer in answers if answer.status == 402)
    assert (refused.json["limit"], refused.json["remaining"], refused.json["upgrade"]) == (5, 0, "/upgrade")


def test_who_is_too_fast_is_told_when_to_come_again(stage, backend):
    token = stage.token(stage.customer("fast", "busy"))
    answers = [backend.answer(token) for _ in range(7)]  # a minute may end in between
    late = next(answer for answer in answers if answer.status != 200)
    assert late.status == 429 and 1 <= int(late.headers["retry-after"]) <= 60 and late.json["upgrade"] == "/upgrade"


def test_the_upgrade_is_the_next_plan_and_for_who_pays_the_portal(stage, backend):
    user = stage.customer("buyer")
    page = backend.ask("POST", "/upgrade", stage.token(user))
    assert page.status == 201 and page.json["tier"] == "pro" and page.json["url"].startswith("http://")
    assert backend.ask("POST", "/upgrade").status == 401


@pytest.mark.parametrize("method, path, status", [("GET", "/health", 200), ("GET", "/nothing", 404), ("GET", "/answer", 405), ("PUT", "/me", 405)])
def test_routes(backend, method, path, status):
    assert backend.ask(method, path).status == status


def test_webhooks_are_taken_if_signed_just_now(stage, backend):
    def send(body, secret=WEBHOOK_SECRET, age_s=0, **headers):
        signed = {"Stripe-Signature": wire.stripe_signature(body, secret, age_s)}
        return backend.ask("POST", "/webhooks/stripe", headers={**signed, **headers}, body=body).status
    body = b'{"id":"evt_1","text":"\xc3\xa9"}'
    assert [send(body), send(body), send(body, age_s=4000), send(body, "whsec_other")] == [200, 200, 400, 400]
    assert backend.ask("POST", "/webhooks/stripe", body=body).status == 400
    assert send(b"x" * ((1 << 20) + 1)) == 413


def test_without_a_secret_no_webhook_is_taken(stage, tmp_path):
    with running(stage, tmp_path) as backend:
        backend.stop()
    started = Backend(stage, tmp_path)
    try:
        assert started.ask("POST", "/webhooks/stripe", headers={"Stripe-Signature": wire.stripe_signature(b"{}", "", 0)}, body="{}").status == 404
        started.stop()
    finally:
        started.process.kill()
        started.process.wait()


# ---- the end ----

def test_the_end_reports_what_was_used_and_hands_the_rest_back(stage, tmp_path):
    user = stage.customer("settled")
    with running(stage, tmp_path) as backend:
        assert [backend.answer(stage.token(user)).status for _ in range(2)] == [200, 200]
        assert backend.stop() == "stopped; all usage is reported\n"
    usage = stage.usage(user)
    assert (usage["usageCount"], usage["held"], usage["lost"]) == (2, 0, 0)


def test_a_request_under_way_is_answered_and_new_ones_are_not_taken(stage, tmp_path):
    user = stage.customer("underway")
    token = stage.token(user)
    with running(stage, tmp_path) as backend:
        assert backend.answer(token).status == 200  # keys are there
        parts = backend.url.removeprefix("http://").split(":")
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
    assert stage.usage(user)["usageCount"] == 2


def is_refused(parts):
    try:
        socket.create_connection((parts[0], int(parts[1])), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_end_comes_in_time_with_the_service_away_and_the_journal_has_the_rest(stage, tmp_path):
    user = stage.customer("away")
    with running(stage, tmp_path, USAGE_JOURNAL="usage.journal", STOP_SECONDS="3") as backend:
        assert backend.answer(stage.token(user)).status == 200
        os.kill(stage.serve.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            backend.process.terminate()
            backend.process.wait(20)
            assert time.monotonic() - began < 3 + 2  # two for a busy machine
            assert "usage is yet to be reported" in backend.log.read_text()
        finally:
            os.kill(stage.serve.pid, signal.SIGCONT)
    settled = subprocess.run([daemon.build_dir() / "src/cli/dreamapi", "journal", "settle", "usage.journal"], cwd=tmp_path, text=True,
                             env=daemon.environment(stage.exports), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert settled.returncode == 0, settled.stdout
    usage = stage.usage(user)
    assert (usage["usageCount"], usage["held"], usage["lost"]) == (1, 0, 0)
