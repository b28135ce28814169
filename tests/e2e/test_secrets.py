# SPDX-License-Identifier: Apache-2.0
"""Secrets that went through a busy service, in requests that succeeded and that failed in every way, are in none of its logs, metrics,
answers and files: by a search that first finds each of them where it was planted."""

import base64
import hashlib
import json
import pathlib
import signal
import time
import uuid

import pytest

import daemon
import providers
import signing
import stage as stages
import tenant

MASTER_KEY = "".join(f"{3 * i % 256:02x}" for i in range(7, 39))
PASSWORD = "correct horse battery " + "staple"


def forms(secret):
    """How it could be written down: as it is, in hex and base64 (at any offset), reversed."""
    raw = secret.encode()
    yield raw
    yield raw.hex().encode()
    yield raw[::-1]
    for pad in range(3):
        text = base64.b64encode(bytes(pad) + raw)
        yield text[(0, 4, 4)[pad]:-4]  # what the neighbours cannot change
    if len(secret) == 64 and set(secret) <= set("0123456789abcdef"):
        yield bytes.fromhex(secret)


def found(secrets, text):
    return {name for name, secret in secrets.items() if any(form in text for form in forms(secret))}


class Watched:
    """A stage whose answers are all kept."""

    def __init__(self, stage):
        self.stage, self.answers = stage, []

    def ask(self, *args, **more):
        answer = self.stage.ask(*args, **more)
        self.answers.append(json.dumps(answer.headers) + answer.text)
        return answer.status


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A service after much work, stopped; the secrets; what it said."""
    stage = stages.Stage(tmp_path_factory.mktemp("secrets"), env={"DREAMAPID_MASTER_KEY": MASTER_KEY})
    stand, names, told = stage.stand, stage.names, {}
    watched = Watched(stage)
    told.update({name: value for name, value in names.items() if name.startswith(("<sk-", "<connected-token"))})
    told["master key"] = MASTER_KEY
    for mode in providers.MODES:
        told.update({f"stripe {mode}": stand.secret_key("stripe", mode), f"clerk {mode}": stand.secret_key("clerk", mode),
                     f"stripe webhook {mode}": stand.webhook_secret(mode), f"clerk webhook {mode}": stand.clerk_webhook_secret(mode)})
    told.update({"unknown key": "sk_live_" + uuid.uuid4().hex * 2, "password": PASSWORD, "wrong webhook": "whsec_" + uuid.uuid4().hex})
    try:
        drive(stage, watched, told)
        metrics = daemon.ask(stage.serve.admin, "GET", "/metrics").text
        assert stage.serve.stop() == 0
        log = stage.serve.log_path.read_bytes()
        log += daemon.run("check", "--db", stage.db, env=stage.env).stdout.encode()
        yield stage, told, {"log": log, "metrics": metrics.encode(), "answers": "\n".join(watched.answers).encode()}
    finally:
        stage.close()


def drive(stage, watched, told):
    user = stage.new_customer()
    tokens = {"good token": stage.token(user), "expired token": {"X-Clerk-Token": providers.user_token(
        user, stage.names["<pk-app>"], lifetime_s=-600)}, "rogue token": stage.token(user, signed_by="rogue"),
        "token of another": stage.token(user, "other")}
    told.update({name: token["X-Clerk-Token"].split(".")[2] for name, token in tokens.items()})
    statuses = [watched.ask("POST", "/api/data", {**stage.public(), **token}) for token in tokens.values()]
    assert sorted(set(statuses)) == [200, 401, 403]
    for key in ("app", "test", "revoked", "expired", "other"):
        for method, path in (("GET", "/api/usage?userId=" + user), ("GET", "/api/customers"), ("GET", "/nowhere"),
                             ("POST", "/api/create-checkout"), ("DELETE", "/api/customers/user_none")):
            watched.ask(method, path, stage.secret(key))
    wrong = told["unknown key"]
    for path in ("/api/usage?key=" + wrong, "/api/customers/" + wrong, "/" + wrong, "/api/assets/x/" + wrong, "/api/tiers?%zz=" + wrong):
        for headers in ({"Authorization": "Bearer " + wrong}, stage.secret(), {}, {"Authorization": "Basic " + wrong}):
            watched.ask("GET", path, headers)
    customer = {"email": stages.new_email(), "password": PASSWORD, "plan": "free"}
    keyed = {**stage.secret(), "Idempotency-Key": "with-a-password"}
    told["hash of the password's request"] = plain_hash("POST", "/api/customers", json.dumps(customer))
    assert [watched.ask("POST", "/api/customers", keyed, customer) for _ in range(2)] == [201, 201]
    assert watched.ask("POST", "/api/customers", keyed, {**customer, "password": PASSWORD + "!"}) == 422
    assert watched.ask("POST", "/api/customers", stage.secret(), {**customer, "email": "no address"}) in (400, 422)
    for code, to, path in ((500, "stripe", "/v1/checkout/sessions"), (401, "stripe", "/v1/checkout/sessions"), (401, "clerk", "/v1/users")):
        stage.stand.answer_next(to, "POST", path, code, {"error": {"message": "upstream trouble"}, "errors": [{"message": "x", "code": "y"}]})
        watched.ask("POST", "/api/create-checkout" if to == "stripe" else "/api/customers", stage.secret(),
                    {"userId": user, "tier": "pro"} if to == "stripe" else {"email": stages.new_email(), "password": PASSWORD})
    assert watched.ask("POST", "/api/create-checkout", stage.secret(), {"userId": user, "tier": "pro"}) == 200
    for secret in (None, told["wrong webhook"]):
        for mode in providers.MODES:
            deliveries = (stage.deliver(stripe_event(mode), mode, secret),
                          stage.deliver_clerk({"object": "event", "type": "session.created", "data": {"id": "sess_1"}}, mode=mode, secret=secret and wire_secret(secret)))
            watched.answers += [answer.text for answer in deliveries]
            assert {answer.status for answer in deliveries} == ({400} if secret else {200})


def stripe_event(mode):
    return {"id": "evt_" + uuid.uuid4().hex, "object": "event", "type": "invoice.paid", "created": int(time.time()),
            "livemode": mode == "live", "data": {"object": {"id": "in_1", "object": "invoice"}}}


def wire_secret(secret):
    return "whsec_" + base64.b64encode(secret.encode()).decode()


def plain_hash(method, path, body):
    """What an idempotency key without the master key's part would remember."""
    inner = hashlib.sha256(b"\n" + body.encode()).hexdigest()
    return hashlib.sha256(f"{method}\n{path}\n{inner}".encode()).hexdigest()


def files_of(stage):
    return {path.name: path.read_bytes() for path in pathlib.Path(stage.folder).rglob("*") if path.is_file() and path.suffix != ".log"}


def test_the_search_finds_each_secret_where_it_is_planted(busy):
    _, told, _ = busy
    assert len(told) > 20
    for name, secret in told.items():
        for form in forms(secret):
            assert found({name: secret}, b"some text " + form + b" more text") == {name}
        assert found({name: secret}, b"a" + base64.b64encode(b"xy" + secret.encode() + b"z")) == {name}


def test_no_secret_is_in_logs_metrics_or_answers(busy):
    _, told, said = busy
    assert all(len(text) > 1000 for text in said.values())
    assert b'"event":"request"' in said["log"]
    assert {where: found(told, text) for where, text in said.items()} == {"log": set(), "metrics": set(), "answers": set()}


def test_no_secret_is_in_the_database_or_beside_it(busy):
    stage, told, _ = busy
    files = files_of(stage)
    assert stage.db.name in files
    assert {name: found(told, text) for name, text in files.items()} == {name: set() for name in files}
    # The search can find what is there.
    assert found({"publishable": stage.names["<pk-app>"]}, files[stage.db.name])


def test_a_provider_that_would_hear_its_key_in_the_clear_is_a_warning(tmp_path):
    for base, is_warned in (("http://stripe.example.test", True), ("http://127.0.0.1:9", False), ("https://stripe.example.test", False)):
        env = {"STRIPE_SECRET_KEY": "sk_live_x", "STRIPE_API_BASE": base, "STRIPE_API_BASE_TEST": "https://x.test"}
        with daemon.Daemon(tmp_path, "--db", tmp_path / "p.db", "--free-ports", env=env) as serve:
            assert serve.stop() == 0
            assert ('"event":"provider_in_the_clear"' in serve.log()) == is_warned, base


@pytest.mark.parametrize("limit", ["1048576", "0:1048576"])
def test_a_crash_leaves_no_core(limit, tmp_path):
    """Whatever limit it was started with: systemd's is a soft 0, which a kernel that pipes cores takes for none."""
    with daemon.Daemon(tmp_path, "--db", tmp_path / "c.db", "--free-ports", under=("prlimit", f"--core={limit}")) as serve:
        limits = pathlib.Path(f"/proc/{serve.pid}/limits").read_text()
        soft = next(line for line in limits.splitlines() if line.startswith("Max core file size")).split()[4]
        assert soft == "1"
        serve.process.send_signal(signal.SIGSEGV)
        assert serve.process.wait(20) != 0
        assert not list(tmp_path.glob("*core*"))


def places_in_memory(pid, needles):
    """For each of the process's own mappings in which a needle is: is it left out of core dumps?"""
    found, begin, end, is_own = [], 0, 0, False
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
            if ":" not in line.split()[0]:
                addresses, rights = line.split()[:2]
                begin, end = (int(part, 16) for part in addresses.split("-"))
                is_own = rights.startswith("rw") and end - begin <= 1 << 28  # a sanitizer's shadow is larger
            elif line.startswith("VmFlags:") and is_own:
                memory.seek(begin)
                try:
                    text = memory.read(end - begin)
                except OSError:
                    continue
                if any(needle in text for needle in needles):
                    found.append("dd" in line.split())
    return found


def test_the_master_key_is_in_memory_that_no_core_file_shows(tmp_path):
    db = tmp_path / "m.db"
    names = tenant.load(tmp_path, db, [{"key": "app", "tiers": [tenant.tier("free", 5)]}])
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports", env={"PLANTED": "a secret in the environment"}) as serve:
        signed = signing.sign(signing.Message("GET", serve.api + "/api/tiers"), names["<pk-app>"], names["<sk-app>"])
        assert daemon.ask(serve.api, "GET", "/api/tiers", signed.headers).status == 200
        key = (tmp_path / "m.db.key").read_text().strip()
        assert set(places_in_memory(serve.pid, [b"a secret in the environment"])) == {False}
        assert places_in_memory(serve.pid, [bytes.fromhex(key), key.encode()]) == [True]
        # What the request was checked with is gone.
        assert places_in_memory(serve.pid, [signing.derived_key(names["<sk-app>"]), names["<sk-app>"].encode()]) == []
        assert serve.stop() == 0
