# SPDX-License-Identifier: Apache-2.0
"""Tenants for tests, without a browser: fixture rows loaded into a store, and calls to one project with its secret key."""

import json
import pathlib

import daemon


def load(folder, db, projects, users=(), env=None, stripe_connected=True):
    """One platform with these projects, each {"key": suffix, "tiers": [...]} with further fixture fields; `users` are rows.
    Returns what `fixture load` printed: "<pk-KEY>" and "<sk-KEY>" and so on, with the real values."""
    rows = []
    for project in projects:
        key = project["key"]
        rows.append({"pk": f"<pk-{key}>", "sk": f"<sk-{key}>", "mode": "live", "type": "saas", "name": key,
                     **{name: value for name, value in project.items() if name != "key"}})
    file = pathlib.Path(folder) / "tenant.json"
    file.write_text(json.dumps({"platforms": {"<platform>": {"subscription": "active", "stripe_connected": stripe_connected,
                                                             "projects": rows}}, "users": list(users)}))
    return daemon.last_json_line(daemon.run("fixture", "load", "--db", db, file, env=env).stdout)


def tier(name, limit, **more):
    """A tier with no price; `more` are further fixture fields, such as rateLimit."""
    return {"name": name, "displayName": name.title(), "price": 0, "limit": limit, "priceId": None, "productId": None, **more}


def user(user_id, key, email=None):
    return {"platformId": "<platform>", "publishableKey": f"<pk-{key}>", "clerkUserId": user_id,
            "email": email or user_id.replace("_", ".").lower() + "@example.test", "status": "active"}


def create(db, folder, email="dev@example.test", tiers=None, env=None, **options):
    """`dreamapid tenant create`: {"platformId", "publishableKey", "secretKey"}."""
    file = pathlib.Path(folder) / "tiers.json"
    file.write_text(json.dumps({"tiers": tiers or [
        {"name": "free", "displayName": "Free", "price": 0, "limit": 5},
        {"name": "pro", "displayName": "Pro", "price": 2900, "limit": 100}]}))
    words = [word for name, value in options.items() for word in ("--" + name, value)]
    return daemon.last_json_line(daemon.run("tenant", "create", "--db", db, "--email", email, "--tiers", file, *words,
                                            env=env).stdout)


class Backend:
    """A developer's backend: one keep-alive connection with the secret key. Not for several threads."""

    def __init__(self, url, secret_key):
        self._connection = daemon.Connection(url)
        self._key = {"Authorization": "Bearer " + secret_key}

    def ask(self, method, path, body=None, key=None, **headers):
        """`key` is the idempotency key; `headers` are written with underscores."""
        sent = {**self._key, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if key:
            sent["Idempotency-Key"] = key
        return self._connection.ask(method, path, sent, body)

    def track(self, user_id, key=None):
        return self.ask("POST", "/api/data", {"userId": user_id}, key)

    def usage(self, user_id):
        """The usage as JSON."""
        answer = self.ask("GET", "/api/usage?userId=" + user_id)
        assert answer.status == 200, answer
        return answer.json

    def close(self):
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
