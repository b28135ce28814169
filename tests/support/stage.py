# SPDX-License-Identifier: Apache-2.0
"""A service with several platforms and projects, and the stand-ins it talks to: what tests of one endpoint start from. Its
projects are <pk-app> (live), <pk-test> (test), <pk-sibling> (live, same platform), <pk-shop> (a live store, same platform),
<pk-revoked> (same platform), <pk-other> (another platform) and <pk-expired> (a platform whose grace is over)."""

import concurrent.futures
import json
import threading
import time
import uuid

import daemon
import providers
import tenant
import wire

APP_URL = "https://app.example.test"
SHOP_URL = "https://shop.example.test"
TIERS = [tenant.tier("free", 3, rateLimit=None),
         tenant.tier("pro", 10, rateLimit=None, price=900, priceId="price_pro", productId="prod_pro"),
         tenant.tier("max", None, rateLimit=None, price=9900, priceId="price_max", productId="prod_max")]


def product(name, inventory, **more):
    return tenant.tier(name, None, price=500, priceId="price_" + name, productId="prod_" + name, billingMode="one_off",
                       inventory=inventory, **more)


def project(key, mode="live", kind="saas", tiers=None, **more):
    return {"pk": f"<pk-{key}>", "sk": f"<sk-{key}>", "mode": mode, "type": kind, "name": key.title(), "tiers": TIERS if tiers is None else tiers,
            **more}


class Stage:
    """`names` has the real keys and ids, `stand` the providers, `serve` the daemon. Close it, or use it as a context manager: the
    end must be clean and the store sound."""

    def __init__(self, folder, products=(), env=None, rows=None, tiers=None):
        self.folder, self.db = folder, folder / "stage.db"
        self.stand = providers.Providers()
        self.env = {**self.stand.environment(), "FRONTEND_URL": APP_URL, "ALLOWED_ORIGINS": SHOP_URL, **(env or {})}
        self.serve = None
        platforms = {
            "<platform>": {"subscription": "active", "stripe_connected": True, "projects": [
                project("app", tiers=tiers), project("test", "test", tiers=tiers), project("sibling", tiers=tiers),
                project("shop", kind="store", tiers=list(products)), project("revoked", status="revoked")]},
            "<platform-other>": {"subscription": "active", "stripe_connected": True, "projects": [project("other", tiers=tiers)]},
            "<platform-expired>": {"subscription": "canceled, grace ended 13 days ago", "stripe_connected": True,
                                   "projects": [project("expired", tiers=tiers)]}}
        try:
            file = folder / "stage.json"
            file.write_text(json.dumps({"platforms": platforms, **(rows or {})}))
            loaded = daemon.run("fixture", "load", "--db", self.db, file, env=self.env)
            self.names = daemon.last_json_line(loaded.stdout)
            self.start()
        except BaseException:
            self.stand.close()
            raise

    def start(self):
        self.serve = daemon.Daemon(self.folder, "--db", self.db, "--free-ports", env=self.env)

    def restart_after_kill(self):
        self.serve.kill()
        self.start()

    def backend(self, key="app"):
        return tenant.Backend(self.serve.api, self.names[f"<sk-{key}>"])

    def ask(self, method, path, headers=None, body=None):
        return daemon.ask(self.serve.api, method, path, headers, body)

    def public(self, key="app"):
        return {"X-Publishable-Key": self.names[f"<pk-{key}>"]}

    def secret(self, key="app"):
        return {"Authorization": "Bearer " + self.names[f"<sk-{key}>"]}

    def token(self, user_id, key="app", plan="free", signed_by="live"):
        return {"X-Clerk-Token": providers.user_token(user_id, self.names[f"<pk-{key}>"], plan, signed_by=signed_by)}

    def new_customer(self, key="app", metadata=None, **fields):
        """A customer made through the API. `metadata` is added to what the identity provider then knows."""
        made = self.ask("POST", "/api/customers", self.secret(key), {"email": new_email(), **fields})
        assert made.status == 201, made
        user_id = made.json["customer"]["id"]
        if metadata:
            self.stand.users["test" if key == "test" else "live"][user_id]["public_metadata"].update(metadata)
        return user_id

    def deliver(self, event, mode="live", secret=None, age_s=0, url=None):
        """An event of Stripe, signed. `url`: another process than `serve`."""
        body = json.dumps(event).encode()
        headers = {"Stripe-Signature": wire.stripe_signature(body, secret or self.stand.webhook_secret(mode), age_s),
                   "Content-Type": "application/json"}
        return daemon.ask(url or self.serve.api, "POST", "/webhook/stripe", headers, body)

    def deliver_clerk(self, event, event_id=None, mode="live", secret=None, age_s=0):
        """An event of Clerk, signed as svix does."""
        body = json.dumps(event).encode()
        headers = wire.svix_headers(body, secret or self.stand.clerk_webhook_secret(mode), event_id or "msg_" + uuid.uuid4().hex, age_s)
        return self.ask("POST", "/webhook/clerk", {**headers, "Content-Type": "application/json"}, body)

    def order(self, lines, key="shop", **more):
        """The event of a paid order of {price id: quantity}; the stand-in knows its lines."""
        session = "cs_" + uuid.uuid4().hex
        self.stand.add_order(session, lines)
        return {"id": "evt_" + uuid.uuid4().hex, "object": "event", "account": "acct_a", "created": int(time.time()), "livemode": True,
                "type": "checkout.session.completed", "data": {"object": {
                    "id": session, "object": "checkout.session", "mode": "payment", "payment_status": "paid", "customer": None,
                    "amount_total": 500 * sum(lines.values()), "currency": "usd",
                    "metadata": {"publishableKey": self.names[f"<pk-{key}>"], "platformId": self.names["<platform>"]}}}, **more}

    def stock(self, name, key="shop"):
        listed = self.ask("GET", "/api/products", self.public(key))
        return next(item["inventory"] for item in listed.json["products"] if item["key"] == name)

    def close(self):
        try:
            if self.serve:
                assert self.serve.stop() == 0
                checked = daemon.run("check", "--db", self.db, check=False)
                assert checked.returncode == 0, checked.stdout + checked.stderr
        finally:
            if self.serve:
                self.serve.kill()
            self.stand.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class KillAfter:
    """Kills the service when this many answers have come. Clients tell each answer; as they wait while the service is killed, only what
    the others have under way can still be answered."""

    def __init__(self, stage, answers):
        self._stage, self._left, self._lock = stage, answers, threading.Lock()

    def answered(self):
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._stage.serve.kill()


def new_email():
    return uuid.uuid4().hex + "@example.test"


def at_once(clients, do, items):
    """`do(item)` for all items, on this many threads: the results in order. An exception of one is raised here."""
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return list(pool.map(do, items))
