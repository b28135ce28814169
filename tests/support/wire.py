# SPDX-License-Identifier: Apache-2.0
"""The recorded wire cases (tests/wire): reads them, fills their placeholders, makes the tokens and signatures they describe, and
compares answers with them. Running them is tests/e2e/test_wire_service.py; the library's half is tests/wire/run_library.c."""

import base64
import copy
import datetime
import hashlib
import hmac
import json
import pathlib
import re
import time

import providers

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "wire"

PATTERNS = {
    "<user>": r"user_[A-Za-z0-9]+", "<id>": r"user_[A-Za-z0-9]+", "<int>": r"-?\d+", "<seconds>": r"[1-9]\d*",
    "<iso-time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<utc-time>": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "<http-time>": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
    "<checkout-url>": r"https://checkout\.stripe\.example\.test/c/pay/cs_\w+",
    "<portal-url>": r"https://billing\.stripe\.example\.test/p/session/bps_\w+",
}
PLACEHOLDER = re.compile(r"<[a-z][a-z0-9+-]*>")
# Lists whose order nobody promises, and the members that tell their items apart: of these, the first that they have.
UNORDERED = ("tiers", "products", "customers", "apiKeys")
NAMED_BY = ("id", "userId", "name")


def load_fixture():
    return json.loads((FOLDER / "fixture.json").read_text())


def load_cases():
    """All cases, in the order in which they were observed."""
    cases = []
    for path in sorted(FOLDER.glob("*.json")):
        # Other files are tables of another kind.
        for case in json.loads(path.read_text()).get("cases", []):
            cases.append({**case, "file": path.name})
    return sorted(cases, key=lambda case: case["n"])


def fill(value, names):
    """A copy with every placeholder that `names` knows replaced."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: str(names.get(found[0], found[0])), value)
    if isinstance(value, list):
        return [fill(item, names) for item in value]
    if isinstance(value, dict):
        return {fill(key, names): fill(item, names) for key, item in value.items()}
    return value


def date_names(now=None):
    now = now or datetime.datetime.now(datetime.timezone.utc)
    later = now + datetime.timedelta(days=20)
    return {"<today>": now.date().isoformat(), "<today+29>": (now.date() + datetime.timedelta(days=29)).isoformat(),
            "<in-20-days>": later.strftime("%Y-%m-%dT%H:%M:%S.000Z")}


def user_id(case, attempt=0):
    """The end user a case speaks of: cases with the same label share it."""
    label = case.get("setup", {}).get("user") or "case" + str(case["n"])
    return "user_wire" + label + ("x%d" % attempt if attempt else "")


def case_token(case, names):
    """The user token that the case's request describes."""
    wanted = case["request"].get("jwt")
    if wanted is None:
        return providers.user_token(names["<user>"], names["<pk>"])
    now = int(time.time())
    claims = {**fill(wanted.get("claims", {}), names), "iat": now + wanted.get("iat_in_s", -5), "nbf": now + wanted.get("nbf_in_s", -5)}
    if wanted.get("exp_in_s") is not None:
        claims["exp"] = now + wanted["exp_in_s"]
    if "sub" in wanted:
        claims["sub"] = fill(wanted["sub"], names)
    kid = "ins_liveKid" if "<jwt-bad-signature>" in json.dumps(case["request"]["headers"]) else None
    return providers.make_token(claims, wanted.get("signed_by", "live"), wanted.get("header"), kid)


def stripe_signature(body, secret, age_s=0):
    sent_at = int(time.time()) - age_s
    mac = hmac.new(secret.encode(), f"{sent_at}.".encode() + body, hashlib.sha256)
    return f"t={sent_at},v1={mac.hexdigest()}"


def svix_headers(body, secret, event_id, age_s=0):
    """The headers of a delivery by Clerk."""
    sent_at = str(int(time.time()) - age_s)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{event_id}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    return {"svix-id": event_id, "svix-timestamp": sent_at, "svix-signature": "v1," + base64.b64encode(mac).decode()}


def request_of(case, names):
    """(method, path, headers, body bytes or None) with everything filled in."""
    request = case["request"]
    body = None
    if "body_raw" in request:
        body = request["body_raw"].encode()
    elif request.get("body") is not None:
        body = json.dumps(fill(request["body"], names)).encode()
    names = dict(names)
    for name in ("<jwt>", "<jwt-expired>", "<jwt-bad-signature>", "<jwt-unknown-key>"):
        if name in json.dumps(request["headers"]):
            names[name] = case_token(case, names)
    if "signature" in request:
        secret = names.get("<%s>" % request["signature"]["secret"].replace(" ", "-"), "whsec_nobodys")
        names["<stripe-signature>"] = stripe_signature(body, secret, request["signature"]["age_s"])
    return request["method"], fill(request["path"], names), fill(request["headers"], names), body


def differences(expected, actual, loose=(), path="body"):
    """Sentences that say where `actual` is not what was expected. Objects may have more members than expected; placeholders
    stand for their pattern; of `loose` paths only presence and type count."""
    if path in loose:
        same = type(expected) is type(actual)
        return [] if same else [f"{path}: expected some {type(expected).__name__}, not {actual!r}"]
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{path}: expected an object, not {actual!r}"]
        found = [f"{path}.{name}: missing" for name in expected if name not in actual]
        for name in expected.keys() & actual.keys():
            found += differences(_sorted(name, expected[name]), _sorted(name, actual[name]), loose, f"{path}.{name}")
        return found
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return [f"{path}: expected a list of {len(expected)}, not {actual!r}"]
        return [text for i, (e, a) in enumerate(zip(expected, actual)) for text in differences(e, a, loose, f"{path}[{i}]")]
    if expected == "<int>":
        return [] if type(actual) is int else [f"{path}: expected an integer, not {actual!r}"]
    if isinstance(expected, str) and PLACEHOLDER.search(expected):
        return [] if isinstance(actual, str) and _fits(expected, actual) else [f"{path}: expected {expected!r}, not {actual!r}"]
    # True == 1 in Python, but not on the wire.
    return [] if actual == expected and type(actual) is type(expected) else [f"{path}: expected {expected!r}, not {actual!r}"]


def _sorted(name, value):
    if name in UNORDERED and isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return sorted(value, key=lambda item: str(next((item[member] for member in NAMED_BY if member in item), "")))
    return value


def _fits(expected, actual):
    pattern, at = "", 0
    for found in PLACEHOLDER.finditer(expected):
        pattern += re.escape(expected[at:found.start()]) + PATTERNS.get(found[0], re.escape(found[0]))
        at = found.end()
    return re.fullmatch(pattern + re.escape(expected[at:]), actual) is not None


def expected_answer(case):
    """What the service is held to: the recorded answer, unless a rule changed it."""
    answer = copy.deepcopy(case.get("expected") or case["response"])
    if "expected" not in case:
        answer["loose"] = case.get("loose", [])
    return answer


def expected_calls(case):
    return case.get("expected_upstream", case.get("upstream", []))


def is_stripe_webhook(case):
    return case["request"]["path"] == "/webhook/stripe" and case["request"]["method"] == "POST"


def answer_differences(case, answer, names, always):
    wanted = fill(expected_answer(case), names)
    found = []
    if answer.status != wanted["status"]:
        found.append(f"status: expected {wanted['status']}, not {answer.status}")
    headers = dict(wanted["headers"])
    if not is_stripe_webhook(case):
        headers = {**always, **headers}
    found += differences(headers, answer.headers, wanted.get("loose", ()), "headers")
    if wanted["body"] is None:
        return found + ([] if answer.text == "" else [f"body: expected none, not {answer.text!r}"])
    if isinstance(wanted["body"], str):
        return found + ([] if answer.text == wanted["body"] else [f"body: expected {wanted['body']!r}, not {answer.text!r}"])
    try:
        body = answer.json
    except ValueError:
        return found + [f"body: not JSON: {answer.text!r}"]
    return found + differences(wanted["body"], body, wanted.get("loose", ()))


def call_differences(case, calls, names):
    """Compares the calls to the providers with those recorded: the same ones, in the same order unless they are made at once."""
    wanted = fill(expected_calls(case), names)
    if case.get("setup", {}).get("calls_at_once"):
        wanted, calls = (sorted(some, key=lambda call: (call["to"], call["method"], call["path"])) for some in (wanted, calls))
    got = [f"{c['to']} {c['method']} {c['path']}" for c in calls]
    listed = [f"{c['to']} {c['method']} {c['path']}" for c in wanted]
    if got != listed:
        return [f"upstream: expected {listed}, not {got}"]
    found = []
    for i, (expected, actual) in enumerate(zip(wanted, calls)):
        credential = names.get("<%s>" % expected["credential"].replace(" ", "-"), expected["credential"])
        if actual["credential"] != credential:
            found.append(f"upstream[{i}].credential: expected {expected['credential']}")
        if expected["body"] is not None or actual["body"] is not None:
            found += differences(expected["body"], actual["body"], (), f"upstream[{i}].body")
    return found
