# SPDX-License-Identifier: Apache-2.0
"""The recorded wire cases (tests/wire) through the Python package, both its clients, against a server that gives the recorded answer: the
request must be the recorded one, every field of the answer what the answer says, and a refusal the exception that it means. Which cases a
typed call can send is decided as in tests/wire/run_library.c."""
import asyncio
import base64
import dataclasses
import json

import pytest

import listener
import wire
from conftest import SUMMARY

pytestmark = pytest.mark.plain

SOME_INT = 1767225600123
NAMES = {"<sk>": "sk_live_" + "0" * 64, "<sk-test>": "sk_test_" + "0" * 64, "<pk>": "pk_live_" + "0" * 32, "<pk-test>": "pk_test_" + "0" * 32,
         "<jwt>": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyX3dpcmUxIn0.c2lnbmF0dXJl", "<platform>": "plt_1", "<user>": "user_wire1", "<id>": "user_wire2",
         "<today>": "2026-11-23", "<today+29>": "2026-12-22", "<seconds>": "7", "<utc-time>": "2026-11-23 12:00:00",
         "<iso-time>": "2026-12-22T12:00:00.000Z", "<portal-url>": "https://portal.example.test/p/session_1",
         "<checkout-url>": "https://checkout.example.test/c/pay/cs_1", "<http-time>": "Mon, 23 Nov 2026 12:00:00 GMT"}
KEY = "key-of-this-call"

# method, path (one that ends with "/" takes an id), what the body may hold and the parameters for it, what it must hold, is it on a user's behalf
KINDS = [
    ("GET", "/health", "health_get", {}, None, False),
    ("GET", "/api/tiers", "tier_list", {}, None, False),
    ("GET", "/api/usage", "usage_get", {}, None, True),
    ("POST", "/api/data", "usage_track", {}, None, True),
    ("POST", "/api/create-checkout", "checkout_create",
     {"tier": "tier", "priceId": "price_id", "successUrl": "success_url", "cancelUrl": "cancel_url"}, None, True),
    ("POST", "/api/customers", "customer_create",
     {"email": "email", "firstName": "first_name", "lastName": "last_name", "plan": "plan", "password": "password"}, "email", False),
    ("GET", "/api/customers/", "customer_get", {}, None, False),
    ("PATCH", "/api/customers/", "customer_update", {"plan": "plan"}, None, False),
    ("DELETE", "/api/customers/", "customer_delete", {}, None, False),
    ("POST", "/api/customer-portal", "portal_create", {"returnUrl": "return_url"}, None, True),
    ("GET", "/api/products", "product_list", {}, None, False),
    ("POST", "/api/cart/checkout", "cart_checkout",
     {"items": "items", "email": "email", "successUrl": "success_url", "cancelUrl": "cancel_url"}, "items", False),
    ("GET", "/api/dashboard", "dashboard_get", {}, None, False),
    ("GET", "/api/dashboard/totals", "dashboard_totals", {}, None, False),
    ("POST", "/api/assets", "asset_upload", {"filename": "filename", "contentType": "content_type", "data": "data"}, "filename", False),
]
ITEM = {"priceId": "price_id", "productId": "product_id", "tier": "tier", "quantity": "quantity"}


def filled(value):
    if value == "<int>":
        return SOME_INT
    if isinstance(value, dict):
        return {name: filled(item) for name, item in value.items()}
    return [filled(item) for item in value] if isinstance(value, list) else wire.fill(value, NAMES)


def kind_of(request):
    for kind in KINDS:
        is_path = request["path"].startswith(kind[1]) if kind[1].endswith("/") else request["path"] == kind[1]
        if request["method"] == kind[0] and is_path:
            return kind
    return None


def is_sendable(request):
    kind = kind_of(request)
    if kind is None or "body_raw" in request:
        return False
    method, _, _, fields, needed, is_on_behalf = kind
    headers, body = request["headers"], request.get("body")
    if set(headers) - {"Authorization", "X-Publishable-Key", "X-Clerk-Token", "Content-Type"}:
        return False
    authorization, publishable = headers.get("Authorization"), headers.get("X-Publishable-Key")
    if authorization is not None and (not authorization.startswith("Bearer ") or len(authorization) == 7 or publishable is not None):
        return False
    if publishable == "" or is_on_behalf != ("X-Clerk-Token" in headers) or method == "PATCH" and body is None:
        return False
    if set(body or {}) - set(fields) or needed and not (body or {}).get(needed):
        return False
    return is_cart(body["items"]) if "items" in fields else is_base64(body.get("data")) if "data" in fields else True


def is_cart(items):
    return isinstance(items, list) and len(items) <= 100 and all(
        isinstance(item, dict) and not set(item) - set(ITEM) and set(item) - {"quantity"} and item.get("quantity", 1) >= 1
        and all(isinstance(value, int if name == "quantity" else str) for name, value in item.items()) for item in items)


def is_base64(text):
    try:
        return bool(text and base64.b64decode(text, validate=True))
    except ValueError:
        return False


def arguments(package, request):
    """Of the call: positional, and by name."""
    _, path, _, fields, _, _ = kind_of(request)
    named = {fields[name]: value for name, value in (request.get("body") or {}).items()}
    if "items" in named:
        named["items"] = [package.CartItem(**{"quantity": 0, **{ITEM[name]: value for name, value in item.items()}}) for item in named["items"]]
    if "data" in named:
        named["data"] = base64.b64decode(named["data"])
    return ([request["path"][len(path):]] if path.endswith("/") else []), named


class Stage:
    """A server that gives one answer to everything, but to the client's own question for extensions."""

    def __init__(self):
        stage = self

        class Handler(listener.Handler):
            def serve(self):
                body = self.body()
                is_question = self.path == "/prefix/health" and stage.case_path != "/health"
                if not is_question:
                    stage.asked.append((self.command, self.path, self.headers, body))
                stage.give(self, {"status": 200, "headers": {}, "body": {"status": "ok"}} if is_question else stage.answer)

            do_GET = do_POST = do_PATCH = do_DELETE = serve

        self.server = listener.Listener(Handler)
        self.url = f"{self.server.url}/prefix"

    def begin(self, request, answer):
        self.case_path, self.answer, self.asked = request["path"], answer, []

    @staticmethod
    def give(handler, answer):
        body = json.dumps(answer.get("body")).encode()
        handler.send_response(answer["status"])
        for name, value in answer["headers"].items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture(scope="module")
def stage():
    stage = Stage()
    yield stage
    stage.server.shutdown()
    stage.server.server_close()


# ---- what came back ----

def camel(name):
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def parts_of(call, body):
    """The recorded members by the names of the value's fields, where these are not at the top of the answer."""
    if call.startswith("customer"):
        return {**body, **(body.get("customer") or body.get("deleted") or {})}
    if call == "usage_track":
        return {**body, **body["usage"], "usageCount": body["usage"]["count"], "message": (body.get("data") or {}).get("message")}
    if call == "usage_get":
        return {**body, "count": body["usageCount"]}
    if call in ("tier_list", "product_list"):
        return {**body, "items": body[{"tier_list": "tiers", "product_list": "products"}[call]]}
    if call == "dashboard_totals":
        return {**body, **body["totals"]}
    if call == "dashboard_get":
        return {**body, **body["metrics"], **body["keys"], **{"filter" + name[0].upper() + name[1:]: value for name, value in body["filters"].items()},
                "lastEventAt": body["webhook"]["lastEventAt"], "events": body["webhook"]["recent"], "apiKeys": body["keys"]["apiKeys"]}
    return body


def wrong_fields(package, value, recorded, path):
    """Sentences, and how many fields were compared."""
    found, compared = [], 0
    for field in dataclasses.fields(value):
        got, name = getattr(value, field.name), camel(field.name)
        if field.name == "json" or name not in recorded:
            continue
        wanted = recorded[name]
        if isinstance(got, tuple) and got and dataclasses.is_dataclass(got[0]):
            for at, item in enumerate(got):
                more, count = wrong_fields(package, item, wanted[at], f"{path}.{field.name}[{at}]")
                found, compared = found + more, compared + count
            got, wanted = len(got), len(wanted)
        elif isinstance(got, tuple):
            got, wanted = list(got), wanted or []
        elif isinstance(got, int) and wanted in ("unlimited", None):
            wanted = package.UNLIMITED
        elif field.name == "payload":
            got = json.loads(got)
        compared += 1
        if got != wanted:
            found.append(f"{path}.{field.name}: expected {wanted!r}, not {got!r}")
    return found, compared


def expected_error(package, http_status, body):
    """The exception that the answer means; the hosted service has some statuses wrong and tells the cause in a text."""
    texts = [str(body.get(name) or "") for name in ("error", "message")]
    rows = [(403, "Tier limit reached", package.TierLimitError), (403, "subscription_expired", package.SubscriptionExpiredError),
            (500, "Not Found", package.NotFoundError), (500, "No price ID configured for tier", package.InvalidError),
            (500, "No such price", package.InvalidError), (400, "", package.InvalidError), (401, "", package.AuthError),
            (403, "", package.ForbiddenError), (404, "", package.NotFoundError), (429, "", package.RateLimitError),
            (500, "", package.DreamAPIError), (502, "", package.UnavailableError)]
    return next(kind for status, text, kind in rows if status == http_status and any(one.startswith(text) for one in texts))


def wrong_error(package, problem, answer):
    body, headers = answer["body"], {name.lower(): value for name, value in answer["headers"].items()}
    kind = expected_error(package, answer["status"], body)
    words = ": ".join(str(body[name]) for name in ("error", "message") if isinstance(body.get(name), str))
    is_limit = kind is package.TierLimitError
    wanted = {"http_status": answer["status"], "server_error": words.encode()[:255].decode("utf-8", "replace") or None, "local": False,
              "retry_after": float(headers["retry-after"]) if "retry-after" in headers else None,
              "used": body.get("usageCount") if is_limit else None, "limit": body.get("limit") if is_limit else None}
    found = [f"{name}: expected {value!r}, not {getattr(problem, name)!r}" for name, value in wanted.items() if getattr(problem, name) != value]
    return found + ([] if type(problem) is kind else [f"expected {kind.__name__}, not {problem!r}"])


def wrong_request(stage, request):
    if len(stage.asked) != 1:
        return [f"{len(stage.asked)} requests were sent"]
    method, path, headers, body = stage.asked[0]
    found = [] if (method, path) == (request["method"], "/prefix" + request["path"]) else [f"sent {method} {path}"]
    for name in ("Authorization", "X-Publishable-Key", "X-Clerk-Token"):
        if headers.get(name) != request["headers"].get(name):
            found.append(f"{name}: {headers.get(name)!r}")
    if headers.get("Idempotency-Key") != (KEY if method == "POST" else None):
        found.append(f"Idempotency-Key: {headers.get('Idempotency-Key')!r}")
    if (json.loads(body) if body else {}) != (request.get("body") or {}):
        found.append(f"body: {body!r}")
    return found


def run_case(package, stage, request, answer, is_async):
    """Sentences about what was wrong, and the number of fields compared."""
    stage.begin(request, answer)
    call = kind_of(request)[2]
    ids, named = arguments(package, request)
    authorization = request["headers"].get("Authorization", "Bearer ")
    settings = {"base_url": stage.url, "secret_key": authorization[7:] or None, "publishable_key": request["headers"].get("X-Publishable-Key"),
                "max_retries": 0, "timeout": 10}
    options = package.CallOptions(idempotency_key=KEY, user_token=request["headers"].get("X-Clerk-Token"))

    async def ask_async():
        async with package.AsyncClient(**settings) as client:
            return await getattr(client, call)(*ids, **named, options=options)

    def ask():
        with package.Client(**settings) as client:
            return getattr(client, call)(*ids, **named, options=options)

    try:
        value = asyncio.run(ask_async()) if is_async else ask()
    except package.DreamAPIError as problem:
        return wrong_error(package, problem, answer) + wrong_request(stage, request), 6
    found, compared = wrong_fields(package, value, parts_of(call, answer["body"]), call)
    if hasattr(value, "json") and json.loads(value.json) != answer["body"]:
        found.append(f"json: {value.json}")
    if answer["status"] >= 300:
        found.append(f"{answer['status']} raised nothing")
    return found + wrong_request(stage, request), compared


@pytest.mark.parametrize("name", ["Client", "AsyncClient"])
def test_every_recorded_case_that_a_call_can_send(package, stage, name):
    wrong, ran, sendable, compared, cases = [], 0, 0, 0, wire.load_cases()
    for case in map(filled, cases):
        if not is_sendable(case["request"]):
            continue
        sendable += 1
        for which in ("response", "expected"):
            if which in case:
                found, count = run_case(package, stage, case["request"], case[which], name == "AsyncClient")
                wrong += [f"{case['n']} {case['name']}, {which}: {one}" for one in found]
                ran, compared = ran + 1, compared + count
    SUMMARY.append(f"wire cases through Python's {name}: {ran} answers, {compared} fields; {len(cases) - sendable} cases that no typed call can send")
    assert not wrong, "\n".join(wrong)
    expected = wire.load_fixture()["typedCalls"]
    assert (sendable, ran) == (expected["cases"], expected["answers"]) and compared > 1000
