# SPDX-License-Identifier: Apache-2.0
"""The extension `signatures`: the library and the service against an independent implementation of RFC 9421, what is refused (a copy,
anything changed, too old, after a restart, by a second process), and that a key handed over in signed mode is nowhere afterwards:
not on the wire, not in memory, not in a log, not in the database."""

import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import re
import secrets
import subprocess
import urllib.parse

import pytest

import daemon
import signing
import tenant

TIERS = [{"name": "free", "displayName": "Free", "price": 0, "limit": 5},
         {"name": "pro", "displayName": "Pro", "price": 2900, "limit": 100}]


class Stage:
    """serve with the sandbox, and one tenant whose keys are known."""

    def __init__(self, folder):
        self.folder, self.db = folder, folder / "signed.db"
        self.serve = daemon.Daemon(folder, "--db", self.db, "--free-ports", "--sandbox")
        keys = tenant.create(self.db, folder, tiers=TIERS, env=self.sandbox())
        self.pk, self.sk = keys["publishableKey"], keys["secretKey"]

    def sandbox(self):
        live = self.serve.urls["sandbox"]
        return {"STRIPE_API_BASE": live["stripe"]["live"]["url"], "STRIPE_SECRET_KEY": live["stripe"]["live"]["secretKey"]}

    def message(self, method="GET", target="/api/tiers", body=b"", host=None, **headers):
        return signing.Message(method, (host or self.serve.api) + target,
                               {**({"Content-Type": "application/json"} if body else {}), **headers}, body)

    def sign(self, message, **how):
        return signing.sign(message, how.pop("pk", self.pk), how.pop("sk", self.sk), **how)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    made = Stage(tmp_path_factory.mktemp("signed"))
    yield made
    assert made.serve.stop() == 0


def send(url, message):
    """Sends a message to `url`, with the Host it was made for."""
    parts = urllib.parse.urlsplit(message.url)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return daemon.ask(url, message.method, target, {**message.headers, "Host": parts.netloc}, message.body or None)


def refused(answer, why):
    return answer.status == 401 and set(answer.json) == {"error", "message"} and why in json.dumps(answer.json)


# Signed by the other implementation, verified by ours.


def test_health_announces_it(stage):
    assert "signatures" in daemon.ask(stage.serve.api, "GET", "/health").json["extensions"]


def test_a_signed_request_opens_what_its_secret_key_opens(stage):
    assert send(stage.serve.api, stage.sign(stage.message())).status == 200
    listed = send(stage.serve.api, stage.sign(stage.message(target="/api/customers?limit=2&email=a%40b%20c")))
    assert listed.status == 200 and listed.json["customers"] == []
    body = json.dumps({"email": f"{secrets.token_hex(4)}@example.test", "plan": "free"}).encode()
    assert send(stage.serve.api, stage.sign(stage.message("POST", "/api/customers", body))).status == 201


def test_a_copy_is_refused(stage):
    message = stage.sign(stage.message())
    assert send(stage.serve.api, message).status == 200
    assert refused(send(stage.serve.api, message), "used before")


def test_the_same_number_under_another_signature_is_refused(stage):
    number = secrets.token_hex(16)
    assert send(stage.serve.api, stage.sign(stage.message(), nonce=number)).status == 200
    assert refused(send(stage.serve.api, stage.sign(stage.message(target="/api/customers"), nonce=number)), "used before")


@pytest.mark.parametrize("age_s, why", [(301, "seconds ago"), (-310, "seconds ahead"), (100_000, "seconds ago")])
def test_a_signature_out_of_time_is_refused_and_told_so(stage, age_s, why):
    answer = send(stage.serve.api, stage.sign(stage.message(), age_s=age_s, life_s=1_000_000))
    assert refused(answer, why) and answer.json["error"] == "Signature out of time" and "clock" in answer.json["message"]


def test_a_signature_just_in_time_is_accepted_and_an_expired_one_is_not(stage):
    assert send(stage.serve.api, stage.sign(stage.message(), age_s=290)).status == 200
    assert send(stage.serve.api, stage.sign(stage.message(), age_s=-290)).status == 200
    assert refused(send(stage.serve.api, stage.sign(stage.message(), age_s=20, life_s=10)), "seconds ago")


CHANGES = {
    "method": lambda m: setattr(m, "method", "PUT"),
    "authority": lambda m: setattr(m, "url", m.url.replace("127.0.0.1", "localhost")),
    "path": lambda m: setattr(m, "url", m.url.replace("/api/customers", "/api/cUstomers")),
    "query": lambda m: setattr(m, "url", m.url.replace("a=1", "a=2")),
    "no query": lambda m: setattr(m, "url", m.url.replace("?a=1", "")),
    "body": lambda m: setattr(m, "body", m.body.replace(b"free", b"pro!")),
    "no body": lambda m: setattr(m, "body", b""),
    "digest": lambda m: m.headers.update({"Content-Digest": signing.digest(b"other")}),
    "body and digest": lambda m: (setattr(m, "body", b"{}"), m.headers.update({"Content-Digest": signing.digest(b"{}")})),
    "no digest": lambda m: m.headers.pop("Content-Digest"),
    "created": lambda m: edit(m, r"created=(\d+)", lambda n: f"created={int(n[1]) + 1}"),
    "expires": lambda m: edit(m, r"expires=(\d+)", lambda n: f"expires={int(n[1]) + 1}"),
    "nonce": lambda m: edit(m, r'nonce="\w', 'nonce="z'),
    "alg": lambda m: edit(m, "hmac-sha256", "hmac-sha512"),
    "order": lambda m: edit(m, '"@method" "@authority"', '"@authority" "@method"'),
    "components": lambda m: edit(m, ' "@query"', ""),
    "label": lambda m: edit(m, "sig1", "sig2"),
    "key": lambda m: edit(m, r"\.(\w{16})", ".0123456789abcdef"),
    "signature": lambda m: m.headers.update(
        {"Signature": re.sub(":.", lambda n: ":B" if n[0] != ":B" else ":C", m.headers["Signature"], count=1)}),
    "no signature": lambda m: m.headers.pop("Signature"),
    "no input": lambda m: m.headers.pop("Signature-Input"),
}


def edit(message, pattern, replacement):
    changed, count = re.subn(pattern, replacement, message.headers["Signature-Input"])
    assert count == 1
    message.headers["Signature-Input"] = changed


def test_whatever_is_changed_is_refused_and_spends_nothing(stage):
    body = b'{"email":"changed@example.test","plan":"free"}'
    message = stage.sign(stage.message("POST", "/api/customers?a=1", body))
    headers, url = dict(message.headers), message.url
    for name, change in CHANGES.items():
        other = signing.Message("POST", url, headers, body)
        change(other)
        answer = send(stage.serve.api, other)
        assert answer.status == 401 and answer.json["error"], (name, answer)
    assert send(stage.serve.api, message).status == 201


def test_what_the_contract_wants_must_be_there(stage):
    for components in (["@method", "@authority", "@path"], ["@method"], []):
        assert refused(send(stage.serve.api, stage.sign(stage.message(), components=components)), "must cover")
    body = b"{}"
    uncovered = stage.sign(stage.message("POST", "/api/customers", body), components=list(signing.COMPONENTS))
    assert refused(send(stage.serve.api, uncovered), "content-digest")
    assert refused(send(stage.serve.api, stage.sign(stage.message(), life_s=None)), "must have the parameters")
    assert refused(send(stage.serve.api, stage.sign(stage.message(), nonce="")), "must have the parameters")
    assert refused(send(stage.serve.api, stage.sign(stage.message(), include_alg=False)), "alg")


def test_other_fields_may_be_covered_and_count_then(stage):
    message = stage.message(X_Tag="a")
    message.headers = {"X-Tag": "a"}
    stage.sign(message, components=[*signing.COMPONENTS, "x-tag"])
    message.headers["X-Tag"] = "b"
    assert refused(send(stage.serve.api, message), "not this key's")
    message.headers["X-Tag"] = "a"
    assert send(stage.serve.api, message).status == 200


def test_a_publishable_key_beside_it_must_be_covered(stage):
    message = stage.sign(stage.message())
    message.headers["X-Publishable-Key"] = stage.pk
    assert refused(send(stage.serve.api, message), "x-publishable-key")
    message = signing.Message("GET", stage.serve.api + "/api/tiers", {"X-Publishable-Key": stage.pk})
    stage.sign(message, components=[*signing.COMPONENTS, "x-publishable-key"])
    assert send(stage.serve.api, message).status == 200


def test_the_authority_is_the_same_in_any_spelling(stage):
    """RFC 9421 2.2.3: in lower case, without the scheme's own port."""
    for host in ("api.example.test", "API.Example.Test", "api.example.test:80", "API.EXAMPLE.TEST:80"):
        message = stage.sign(stage.message(host="http://api.example.test"))
        assert daemon.ask(stage.serve.api, "GET", "/api/tiers", {**message.headers, "Host": host}).status == 200, host
    for host in ("api.example.test:443", "api.example.test:8080", "api.example.test:", "example.test"):
        message = stage.sign(stage.message(host="http://api.example.test"))
        assert refused(daemon.ask(stage.serve.api, "GET", "/api/tiers", {**message.headers, "Host": host}), "not this key's"), host


@pytest.mark.parametrize("name", ["Signature-Input", "Signature", "Content-Digest", "X-Tag"])
def test_a_field_that_comes_twice_is_refused(stage, name):
    """Which of the two is meant would be each reader's guess."""
    body = b'{"email":"twice@example.test","plan":"free"}'
    message = signing.Message("POST", stage.serve.api + "/api/customers", {"X-Tag": "a"}, body)
    stage.sign(message, components=[*signing.COMPONENTS, "content-digest", "x-tag"])
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(stage.serve.api).netloc, timeout=20)
    connection.putrequest("POST", "/api/customers")
    for field, value in [*message.headers.items(), (name, "b"), ("Content-Length", str(len(body)))]:
        connection.putheader(field, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    assert answer.status == 401 and b"more than once" in answer.read()
    connection.close()


def test_live_and_test_keys_do_not_mix(stage):
    test = tenant.create(stage.db, stage.folder, email="test@example.test", mode="test",
                         env={"STRIPE_API_BASE_TEST": stage.serve.urls["sandbox"]["stripe"]["test"]["url"],
                              "STRIPE_SECRET_KEY_TEST": stage.serve.urls["sandbox"]["stripe"]["test"]["secretKey"],
                              **stage.sandbox()})
    own = stage.sign(stage.message(), pk=test["publishableKey"], sk=test["secretKey"])
    assert send(stage.serve.api, own).status == 200
    for pk, sk in ((stage.pk, test["secretKey"]), (test["publishableKey"], stage.sk)):
        assert send(stage.serve.api, stage.sign(stage.message(), pk=pk, sk=sk)).json["error"] == "Invalid API key"


@pytest.mark.parametrize("size", [1000, 3 << 20])
def test_an_upload_is_judged_by_its_digest(stage, size):
    data = base64.b64encode(secrets.token_bytes(64) * (size // 64)).decode()
    body = json.dumps({"filename": "a.bin", "data": data}).encode()
    message = stage.sign(stage.message("POST", "/api/assets", body))
    good, message.body = message.body, message.body[:-3] + (b"A" if message.body[-3:-2] != b"A" else b"B") + message.body[-2:]
    assert len(good) == len(message.body) and good != message.body
    assert refused(send(stage.serve.api, message), "the body is not the one")
    message.body = good
    assert send(stage.serve.api, message).status == 200
    assert refused(send(stage.serve.api, message), "used before")


def test_the_example_in_the_docs_is_right():
    page = (daemon.ROOT / "docs/security.md").read_text()
    key, request, base, fields = re.findall(r"^```(?:text|http)\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL)[:4]
    pk, sk = "pk_test_1", "sk_test_0123456789abcdef"
    assert f"`{sk}`" in page and f"`{pk}`" in page
    assert bytes.fromhex(key) == signing.derived_key(sk)
    head, body = request.split("\n\n")
    assert f"Content-Digest: {signing.digest(body.encode())}" in head.splitlines()
    params, signature = (line.split(": dream=")[1] for line in fields.splitlines())
    assert params.endswith(f'keyid="{signing.keyid(pk, sk)}"')
    assert base == "\n".join(['"@method": POST', '"@authority": api.example.com', '"@path": /api/data', '"@query": ?',
                              f'"content-digest": {signing.digest(body.encode())}', f'"@signature-params": {params}'])
    assert signature == ":" + base64.b64encode(hmac.digest(signing.derived_key(sk), base.encode(), "sha256")).decode() + ":"


def test_of_copies_that_cross_one_is_let_in(stage):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            message = stage.sign(stage.message())
            statuses = sorted(answer.status for answer in pool.map(lambda _, m=message: send(stage.serve.api, m), range(8)))
            assert statuses == [200] + 7 * [401]


# Numbers outlive a process, and count for all of them.


def test_a_copy_is_refused_by_a_second_process_and_after_a_crash(tmp_path):
    stage = Stage(tmp_path)
    try:
        message = stage.sign(stage.message())
        assert send(stage.serve.api, message).status == 200
        with daemon.Daemon(tmp_path, "--db", stage.db, "--free-ports") as other:
            assert refused(send(other.api, message), "used before")
            fresh = stage.sign(stage.message())
            assert send(other.api, fresh).status == 200
            assert refused(send(stage.serve.api, fresh), "used before")
        stage.serve.kill()
        with daemon.Daemon(tmp_path, "--db", stage.db, "--free-ports") as again:
            assert refused(send(again.api, message), "used before")
            assert send(again.api, stage.sign(stage.message())).status == 200
    finally:
        stage.serve.kill()


# Signed by the library.


def run_flow(stage, mode, url):
    """What examples/quickstart.c does, in one mode: the lines it printed."""
    done = subprocess.run([daemon.build_dir() / "tests/e2e/signed", mode, url, stage.pk], input=stage.sk.encode(),
                          env=daemon.environment(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    """The same flow in both modes, each against a service of its own: {mode: (stage, lines, recorder)}."""
    made = {}
    for mode in ("bearer", "signature"):
        stage = Stage(tmp_path_factory.mktemp(mode))
        with signing.Recorder(stage.serve.api) as recorder:
            made[mode] = (stage, run_flow(stage, mode, recorder.url), recorder)
        assert stage.serve.stop() == 0
    return made


def test_signed_or_not_the_library_gets_the_same_answers(flows):
    lines = {mode: [line for line in flow[1] if not line.startswith("searched=")] for mode, flow in flows.items()}
    assert lines["signature"] == lines["bearer"]
    assert lines["signature"].count("usage_track: DREAMAPI_OK") == 5
    assert {"usage_track: DREAMAPI_LIMIT", "checkout_create: DREAMAPI_OK", "meter_use: DREAMAPI_OK",
            "flush: DREAMAPI_OK", "used: 5 of 5 on free"} <= set(lines["signature"])


def test_in_signed_mode_the_secret_never_travels(flows):
    stage, _, recorder = flows["bearer"]
    assert stage.sk.encode() in recorder.sent
    stage, _, recorder = flows["signature"]
    for start in range(8, len(stage.sk) - 16):
        assert stage.sk[start:start + 16].encode() not in recorder.sent
    assert b"Authorization" not in recorder.sent and signing.derived_key(stage.sk) not in recorder.sent


def test_what_the_library_signs_the_other_implementation_verifies(flows):
    stage, _, recorder = flows["signature"]
    signed = [message for message in recorder.messages() if not message.url.endswith("/health")]
    assert len(signed) >= 10 and {message.method for message in signed} == {"GET", "POST"}
    numbers = set()
    for message in signed:
        result = signing.verify(message, stage.sk)
        assert result.parameters["keyid"] == signing.keyid(stage.pk, stage.sk)
        assert result.parameters["alg"] == "hmac-sha256" and result.parameters["expires"] == result.parameters["created"] + 300
        numbers.add(result.parameters["nonce"])
    assert len(numbers) == len(signed)


def test_what_was_captured_is_refused_by_the_service(flows):
    stage, _, recorder = flows["signature"]
    message = next(m for m in recorder.messages() if m.url.endswith("/api/customers"))
    with daemon.Daemon(stage.folder, "--db", stage.db, "--free-ports", "--sandbox") as serve:
        assert refused(send(serve.api, message), "used before")
        message.body = message.body.replace(b"ada", b"eve")
        assert refused(send(serve.api, message), "not the one")


def test_the_key_is_nowhere_afterwards(flows):
    """Memory is searched by the program itself, tests/e2e/signed.c."""
    stage, lines, _ = flows["signature"]
    found = re.fullmatch(r"searched=(\d+) planted=(\d+) left=(\d+)", lines[-1])
    assert found, lines
    searched, planted, left = map(int, found.groups())
    assert searched > 1 << 20 and planted >= 1 and left == 0
    needles = [stage.sk.encode(), stage.sk[8:24].encode(), stage.sk[-16:].encode(), signing.derived_key(stage.sk)]
    planted = stage.folder / "planted"
    planted.write_bytes(b"x" + stage.sk.encode())
    holders = {path.name: needle for path in stage.folder.rglob("*") if path.is_file() for needle in needles
               if needle in path.read_bytes()}
    assert set(holders) == {"planted"}, holders
    assert hashlib.sha256(stage.sk.encode()).hexdigest().encode() in stage.db.read_bytes()
