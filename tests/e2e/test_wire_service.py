# SPDX-License-Identifier: Apache-2.0
"""Runs every recorded wire case (tests/wire) against the real dreamapid, with stand-ins for Clerk and Stripe: one test a case, in
the order of observation. What a case's `given` needs is loaded as fixture rows or made by the cases that it names; a case run
alone therefore gives the same result. Cases that need a store of their own get a service of their own."""

import concurrent.futures
import datetime
import json
import time

import pytest

import daemon
import providers as standin
import wire
from conftest import SUMMARY

CASES = wire.load_cases()
BY_NAME = {case["name"]: case for case in CASES}
FIXTURE = wire.load_fixture()
ALWAYS = next(iter(FIXTURE["conventions"]["always"].values()))
APP_URL = "https://app.example.test"


class WireService:
    """One dreamapid with the wire cases' platforms, and the stand-ins it talks to."""

    def __init__(self, folder, cases):
        self._db = folder / "wire.db"
        self.providers = standin.Providers()
        self._serve = None
        self.done = set()
        self._customers = {}
        self._uploads = {}
        self._deliveries = set()
        try:
            self._load(folder, cases)
            has_providers = all(case.get("setup", {}).get("providers", True) for case in cases)
            env = {**(self.providers.environment() if has_providers else {}), "FRONTEND_URL": APP_URL}
            for case in cases:
                env.update(case.get("setup", {}).get("settings", {}))
            self._serve = daemon.Daemon(folder, "--db", self._db, "--free-ports", env=env)
        except BaseException:
            self.close()
            raise
        self.url = self._serve.api

    def _load(self, folder, cases):
        rows = {"users": [], "usage": [], "subscriptions": []}
        for case in cases:
            setup = case.get("setup", {})
            label = {"<user>": wire.user_id(case), "<label>": setup.get("user", ""), **wire.date_names(), **setup.get("names", {})}
            for kind, listed in rows.items():
                listed += [row for row in wire.fill(setup.get(kind, []), label) if row not in listed]
        file = folder / "fixture.json"
        file.write_text(json.dumps({"platforms": FIXTURE["fixture"]["platforms"], **rows}))
        loaded = daemon.run("fixture", "load", "--db", self._db, file, env=self.providers.environment())
        self.names = daemon.last_json_line(loaded.stdout)
        self.names["<sk-with-test-prefix>"] = self.names["<sk>"].replace("sk_live_", "sk_test_")
        self.names["<default-app-url>"] = APP_URL
        for mode in standin.MODES:
            self.names[f"<{mode}-identity-secret>"] = self.providers.secret_key("clerk", mode)
            self.names[f"<{mode}-webhook-secret>"] = self.providers.webhook_secret(mode)
        for case in cases:
            setup = case.get("setup", {})
            for mode, users in setup.get("clerk", {}).items():
                for user in wire.fill(users, {**self.names, **setup.get("names", {}), "<user>": wire.user_id(case)}):
                    if user["id"] not in self.providers.users[mode]:
                        self.providers.add_user(user["id"], user["email"], user["public_metadata"], mode)

    def case_names(self, case, attempt=0):
        return {**self.names, **wire.date_names(), **self._id_of_customer(case), **case.get("setup", {}).get("names", {}),
                "<user>": wire.user_id(case, attempt)}

    def _id_of_customer(self, case):
        """<id>, if the identity provider knows the case's customer or did before a case deleted it."""
        email = case.get("setup", {}).get("customer")
        known = email and (self.providers.user_by_email(email) or self._customers.get(email))
        if not known:
            return {}
        self._customers[email] = known
        return {"<id>": known}

    def run(self, case):
        """Sends the case's request, after what has to come before it: (answer, upstream calls, names)."""
        setup = case.get("setup", {})
        for earlier in setup.get("after", []):
            if earlier not in self.done:
                self.run(BY_NAME[earlier])
        self.done.add(case["name"])
        for delivery in setup.get("deliveries", []):
            self._deliver(delivery, self.case_names(case))
        if "rate_used" not in setup:
            return self._send(case, self.case_names(case))
        for attempt in range(1, 4):
            names = self.case_names(case, attempt)
            minute = int(time.time()) // 60
            self._use_rate(case, names, setup["rate_used"])
            result = self._send(case, names)
            if int(time.time()) // 60 == minute:
                return result
        raise AssertionError("three minutes ended within three attempts")

    def _deliver(self, delivery, names):
        """Hands the service an event that a case needs to have happened: once, however many cases need it."""
        if delivery["event"]["id"] in self._deliveries:
            return
        self._deliveries.add(delivery["event"]["id"])
        for answer in delivery.get("answers", []):
            self.providers.answer_next(**answer)
        body = json.dumps(wire.fill(delivery["event"], names)).encode()
        headers = {"Stripe-Signature": wire.stripe_signature(body, names["<live-webhook-secret>"]), "Content-Type": "application/json"}
        answer = daemon.ask(self.url, "POST", "/webhook/stripe", headers, body)
        assert answer.status == 200, answer

    def _send(self, case, names):
        for answer in case.get("setup", {}).get("answers", []):
            self.providers.answer_next(**answer)
        self.providers.take_calls()
        method, path, headers, body = wire.request_of(case, names)
        if "asset" in case.get("setup", {}):
            path = self._uploads[case["setup"]["asset"]]
        answer = daemon.ask(self.url, method, path, headers, body)
        if method == "POST" and path == "/api/assets" and answer.status == 200:
            self._uploads[case["name"]] = answer.json["url"]
        calls = self.providers.take_calls(at_least=len(wire.expected_calls(case)))
        return answer, calls, {**names, **self._id_of_customer(case)}

    def _use_rate(self, case, names, calls):
        headers = wire.request_of(case, names)[2]

        def use(count):
            connection = daemon.Connection(self.url)
            for _ in range(count):
                assert connection.ask("GET", "/api/usage", headers).status in (200, 429)
            connection.close()

        workers = 8
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(use, [calls // workers + (i < calls % workers) for i in range(workers)]))

    def close(self):
        """The end must be clean and the store sound, whatever the cases did."""
        try:
            if self._serve:
                assert self._serve.stop() == 0
                checked = daemon.run("check", "--db", self._db, check=False)
                assert checked.returncode == 0, checked.stdout + checked.stderr
        finally:
            self.providers.close()


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """The running services by name, each started when its first case comes."""
    running = {}

    def get(name):
        if name not in running:
            cases = [case for case in CASES if case.get("setup", {}).get("service", "main") == name]
            running[name] = WireService(tmp_path_factory.mktemp("wire-" + name), cases)
        return running[name]

    yield get
    SUMMARY.extend(_summary())
    for service in running.values():
        service.close()


_ran = []


def _summary():
    lines = [f"{len(_ran)} of {len(CASES)} wire cases ran against the service"]
    changed = [case for case in _ran if "rule" in case]
    lines.append(f"{len(changed)} of them changed by a rule:")
    for rule in dict.fromkeys(case["rule"] for case in changed):
        lines.append(f"{sum(case['rule'] == rule for case in changed):4} by: {rule}")
    return lines


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_wire(case, services):
    service = services(case.get("setup", {}).get("service", "main"))
    _ran.append(case)
    before = datetime.datetime.now(datetime.timezone.utc)
    answer, calls, names = service.run(case)
    found = wire.answer_differences(case, answer, {**names, **wire.date_names()}, ALWAYS)
    if found:  # the day may have ended while the service answered
        found = wire.answer_differences(case, answer, {**names, **wire.date_names(before)}, ALWAYS)
    found += wire.call_differences(case, calls, names)
    assert not found, "\n".join([case["given"], *found, f"answer: {answer}"])
