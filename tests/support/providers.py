# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for Clerk (the identity provider) and Stripe, for tests that need to see and to script what the service asks of
them. They answer only what the wire cases recorded; the sandbox in dreamapid is the one that plays the real thing.

Four loopback servers in this process: each provider as a live and a test instance. Every call is recorded, in one order over
all four, except the fetching of signing keys, which is counted apart. One lock guards all state; it is never held while an
answer waits for a `Hold`."""

import base64
import json
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import listener

MODES = ("live", "test")


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SigningKey:
    """An RSA key of an identity instance, with the key id it is listed under."""

    def __init__(self, kid):
        self.kid = kid
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self):
        numbers = self._key.public_key().public_numbers()
        return {"use": "sig", "kty": "RSA", "kid": self.kid, "alg": "RS256",
                "n": _b64(numbers.n.to_bytes(256, "big")), "e": _b64(numbers.e.to_bytes(3, "big"))}

    def sign(self, text):
        return self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())


_signing_keys = {}


def signing_key(name):
    """The key of 'live', 'test' or 'rogue' (listed nowhere): made once a process, as making one costs a tenth of a second."""
    if name not in _signing_keys:
        _signing_keys[name] = SigningKey(f"ins_{name}Kid")
    return _signing_keys[name]


def make_token(claims, signed_by="live", header=None, kid=None):
    """A signed token with exactly these claims. `header` replaces the parts of the usual header it names; an empty one leaves
    out the key id. `kid` claims another key's id."""
    key = signing_key(signed_by)
    head = {"alg": "RS256", "typ": "JWT"}
    if header is None or header:
        head["kid"] = kid or key.kid
    head.update(header or {})
    text = _b64(json.dumps(head).encode()) + "." + _b64(json.dumps(claims).encode())
    signature = b"" if head["alg"] == "none" else key.sign(text)
    return text + "." + _b64(signature)


def user_token(user_id, publishable_key, plan="free", email=None, signed_by="live", lifetime_s=600):
    """A token as an end user's backend sends it."""
    now = int(time.time())
    claims = {"sub": user_id, "iat": now - 5, "nbf": now - 5, "exp": now + lifetime_s,
              "publicMetadata": {"publishableKey": publishable_key, "plan": plan}}
    if email:
        claims["email"] = email
    return make_token(claims, signed_by)


class Hold:
    """Keeps one kind of call waiting for its answer until `release`, as a slow provider would."""

    def __init__(self, to, method, path):
        self.what = (to, method, path)
        self.arrived = threading.Event()
        self._go = threading.Event()

    def wait_arrived(self, timeout_s=10):
        assert self.arrived.wait(timeout_s), f"no {self.what} came within {timeout_s} s"

    def release(self):
        self._go.set()

    def _pass(self):
        self.arrived.set()
        self._go.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


class Providers:
    """All four stand-ins. `calls` is what the service asked, as dicts with to, mode, credential, account, method, path, body."""

    def __init__(self):
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self.calls = []
        self.jwks_fetches = {mode: 0 for mode in MODES}
        self.users = {mode: {} for mode in MODES}
        self.sessions = {}
        self.orders = {}
        self._scripted = []
        self._holds = []
        self._next = 0
        self._servers = {}
        for to in ("clerk", "stripe"):
            for mode in MODES:
                self._servers[to, mode] = _start_server(self, to, mode)

    def url(self, to, mode):
        return self._servers[to, mode].url

    def secret_key(self, to, mode):
        return f"sk_{mode}_standin{to}"

    def webhook_secret(self, mode):
        return f"whsec_standin{mode}"

    def clerk_webhook_secret(self, mode):
        return "whsec_" + base64.b64encode(f"standin of clerk, {mode}".encode()).decode()

    def environment(self):
        """The settings that make dreamapid talk to these stand-ins, and let buyers return to the recorded cases' shop."""
        names = {"ALLOWED_ORIGINS": "https://shop.example.test"}
        for mode, suffix in (("live", ""), ("test", "_TEST")):
            for app in ("ENDUSER_CLERK", "PLATFORM_CLERK"):
                names[f"{app}_SECRET_KEY{suffix}"] = self.secret_key("clerk", mode)
                names[f"{app}_API_BASE{suffix}"] = self.url("clerk", mode)
            names[f"ENDUSER_CLERK_WEBHOOK_SECRET{suffix}"] = self.clerk_webhook_secret(mode)
            names[f"STRIPE_SECRET_KEY{suffix}"] = self.secret_key("stripe", mode)
            names[f"STRIPE_API_BASE{suffix}"] = self.url("stripe", mode)
            names[f"STRIPE_WEBHOOK_SECRET{suffix}"] = self.webhook_secret(mode)
        return names

    def add_user(self, user_id, email, public_metadata, mode="live"):
        with self._lock:
            self.users[mode][user_id] = _clerk_user(user_id, email, public_metadata)

    def add_order(self, session_id, lines):
        """The line items of a checkout session: {price id: quantity}."""
        with self._lock:
            self.orders[session_id] = [{"id": f"li_{session_id}_{i}", "object": "item", "quantity": quantity,
                                        "price": {"id": price, "object": "price"}} for i, (price, quantity) in enumerate(lines.items())]

    def user_by_email(self, email):
        """The id under which either instance knows this address; None if neither does."""
        with self._lock:
            for mode in MODES:
                for user in self.users[mode].values():
                    if any(a["email_address"].lower() == email.lower() for a in user["email_addresses"]):
                        return user["id"]
        return None

    def answer_next(self, to, method, path, status, body, headers=None):
        """The next such call gets this answer instead of the stand-in's own."""
        with self._lock:
            self._scripted.append(((to, method, path), status, body, headers or {}))

    def hold(self, to, method, path):
        """The next such call waits until the returned Hold is released."""
        held = Hold(to, method, path)
        with self._lock:
            self._holds.append(held)
        return held

    def take_calls(self, at_least=0, timeout_s=5):
        """Returns and forgets the calls recorded so far, once there are `at_least` so many (or the time is over)."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while len(self.calls) < at_least and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
            taken, self.calls = self.calls, []
            return taken

    def close(self):
        for held in list(self._holds):
            held.release()
        for server in self._servers.values():
            server.close()
            server.server_close()

    # What the servers below call.

    def handle(self, to, mode, method, path, headers, body):
        """One call: (status, headers, body)."""
        if to == "clerk" and (method, path) == ("GET", "/v1/jwks"):
            with self._lock:
                self.jwks_fetches[mode] += 1
                scripted = _take(self._scripted, lambda s: s[0] == (to, method, path))
            return (scripted[1], scripted[3], scripted[2]) if scripted else (200, {}, {"keys": [signing_key(mode).jwk()]})
        credential = headers.get("Authorization", "").removeprefix("Bearer ")
        call = {"to": to, "mode": mode, "credential": credential, "account": headers.get("Stripe-Account"), "method": method,
                "path": path, "body": body}
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
            held = _take(self._holds, lambda h: h.what == (to, method, path))
        if held:
            held._pass()
        with self._lock:
            scripted = _take(self._scripted, lambda s: s[0] == (to, method, path))
            if scripted:
                return scripted[1], scripted[3], scripted[2]
            if to == "clerk":
                if credential != self.secret_key("clerk", mode):
                    return _clerk_error(401, "The provided Clerk Secret Key is invalid.", "clerk_key_invalid")
                return self._clerk(mode, method, path, body or {})
            return self._stripe(mode, method, path, body or {})

    def _new_id(self, prefix):
        self._next += 1
        return f"{prefix}{self._next:06d}"

    def _clerk(self, mode, method, path, body):
        users = self.users[mode]
        parts = path.strip("/").split("/")
        if (method, path) == ("POST", "/v1/users"):
            return self._create_user(users, body)
        if parts[:2] == ["v1", "users"] and len(parts) in (3, 4):
            user = users.get(parts[2])
            if user is None:
                return _clerk_error(404, "Not Found", "resource_not_found")
            if method == "GET" and len(parts) == 3:
                return 200, {}, user
            if method == "DELETE" and len(parts) == 3:
                del users[parts[2]]
                return 200, {}, {"id": parts[2], "object": "user", "deleted": True}
            if method == "PATCH":
                metadata = body.get("public_metadata", {})
                user["public_metadata"] = {**user["public_metadata"], **metadata} if len(parts) == 4 else metadata
                return 200, {}, user
        return _clerk_error(404, "Not Found", "resource_not_found")

    def _create_user(self, users, body):
        email = (body.get("email_address") or [""])[0]
        if "@" not in email:
            return _clerk_error(422, "is invalid", "form_param_format_invalid")
        taken = {a["email_address"].lower() for u in users.values() for a in u["email_addresses"]}
        if email.lower() in taken:
            return _clerk_error(422, "That email address is taken. Please try another.", "form_identifier_exists")
        if "password" in body and len(body["password"]) < 8:
            return _clerk_error(422, "Passwords must be 8 characters or more.", "form_password_length_too_short")
        user = _clerk_user(self._new_id("user_wire"), email, body.get("public_metadata", {}))
        user["first_name"], user["last_name"] = body.get("first_name"), body.get("last_name")
        users[user["id"]] = user
        return 200, {}, user

    def _stripe(self, mode, method, path, body):
        if (method, path) == ("POST", "/v1/checkout/sessions"):
            price = body.get("line_items[0][price]", "")
            if price.startswith("price_missing"):
                return 400, {}, {"error": {"type": "invalid_request_error", "code": "resource_missing",
                                           "message": f"No such price: '{price}'"}}
            name = self._new_id(f"cs_{mode}_")
            self.sessions[name] = {"id": name, "object": "checkout.session", "mode": body.get("mode"), "status": "open",
                                   "url": f"https://checkout.stripe.example.test/c/pay/{name}"}
            return 200, {}, self.sessions[name]
        if (method, path) == ("POST", "/v1/billing_portal/sessions"):
            customer = body.get("customer", "")
            if customer.startswith("cus_missing"):
                return 400, {}, {"error": {"type": "invalid_request_error", "code": "resource_missing",
                                           "message": f"No such customer: '{customer}'"}}
            name = self._new_id("bps_")
            return 200, {}, {"id": name, "object": "billing_portal.session", "customer": customer,
                             "url": f"https://billing.stripe.example.test/p/session/{name}"}
        if (method, path.rsplit("/", 1)[1]) == ("GET", "line_items"):
            return 200, {}, {"object": "list", "url": path, "has_more": False, "data": self.orders.get(path.split("/")[4], [])}
        if method == "POST" and path in ("/v1/products", "/v1/prices"):
            kind = path.rsplit("/", 1)[1].rstrip("s")
            return 200, {}, {"id": self._new_id(kind.replace("product", "prod") + "_"), "object": kind}
        return 404, {}, {"error": {"type": "invalid_request_error", "message": f"Unrecognized request URL ({method}: {path})"}}


def _take(items, wanted):
    for i, item in enumerate(items):
        if wanted(item):
            return items.pop(i)
    return None


def _clerk_error(status, message, code):
    return status, {}, {"errors": [{"message": message, "long_message": message, "code": code}]}


def _clerk_user(user_id, email, public_metadata):
    addresses = [{"id": "idn_" + user_id, "object": "email_address", "email_address": email}] if email else []
    return {"id": user_id, "object": "user", "first_name": None, "last_name": None, "email_addresses": addresses,
            "primary_email_address_id": addresses[0]["id"] if addresses else None, "public_metadata": public_metadata,
            "private_metadata": {}, "unsafe_metadata": {}, "created_at": int(time.time() * 1000), "updated_at": int(time.time() * 1000)}


def _start_server(providers, to, mode):
    class Handler(listener.Handler):
        def _any(self):
            raw, body = self.body(), None
            if raw and "json" in (self.headers.get("Content-Type") or ""):
                body = json.loads(raw)
            elif raw:
                body = dict(urllib.parse.parse_qsl(raw.decode(), keep_blank_values=True))
            path = urllib.parse.urlsplit(self.path).path
            status, headers, answer = providers.handle(to, mode, self.command, path, self.headers, body)
            self.answer(status, json.dumps(answer).encode(), **headers, Content_Type="application/json")

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _any

    return listener.Listener(Handler)
