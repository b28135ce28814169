# SPDX-License-Identifier: Apache-2.0
"""The table of behaviours (tests/wire/behaviours.json): through both of Python's clients here, that the runners of C and C++ did every row and can
fail, and docs/behaviours.md against it. Go's runner is bindings/go/behaviours_test.go, and test_go.py counts its rows."""
import asyncio
import copy
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import behaviours
import daemon
from conftest import SUMMARY

pytestmark = pytest.mark.plain

ROWS = behaviours.Rows()
NAMES = [row["name"] for row in ROWS.rows]
ARGUMENTS = {"customer_get": (("user_1",), {}), "customer_create": ((), {"email": "ada@example.test"}), "customer_update": (("user_1",), {"plan": "free"}),
             "customer_delete": (("user_1",), {})}


def ms(seconds):
    return None if seconds is None else round(seconds * 1000)


class Run:
    """One row through one kind of client."""

    def __init__(self, package, row, is_async):
        self.package, self.row, self.is_async = package, row, is_async
        self.found, self.server = behaviours.Findings(), behaviours.Server(ROWS, row)
        self.used = None

    def all(self):
        """Sentences about what was wrong."""
        row, found = self.row, self.found
        found.words(row, "topic name client announces meter leases server do asked probes")
        found.words(row.get("client", {}), "maxRetries timeoutMs")
        given = {"max_retries": row.get("client", {}).get("maxRetries"), "timeout": self.seconds(row.get("client", {}), "timeoutMs"), "close_timeout": 0.5}
        kind = self.package.AsyncClient if self.is_async else self.package.Client
        with self.server:
            if self.is_async:
                asyncio.run(self.steps_async(kind, given))
            else:
                with kind(self.server.url, behaviours.SECRET_KEY, **given) as client:
                    for step in row["do"]:
                        self.step(client, step, self.call)
            found.asked(self.server)
        return [f"{row['name']}: {one}" for one in found]

    async def steps_async(self, kind, given):
        async with kind(self.server.url, behaviours.SECRET_KEY, **given) as client:
            for step in self.row["do"]:
                if "call" in step:
                    self.found.words(step, "call key token timeoutMs cancel gives")
                    await self.call_async(client, step)
                else:
                    self.step(client, step, None)

    @staticmethod
    def seconds(given, name):
        return given[name] / 1000 if name in given else None

    def step(self, client, step, call):
        if "call" in step:
            self.found.words(step, "call key token timeoutMs cancel gives")
            call(client, step)
        elif "refund" in step:
            self.found.words(step, "refund gives")
            self.refund(step["gives"])
        else:
            self.found.words(step, "use check gives")
            self.decide(client, step)

    # -- calls --

    def arguments(self, step):
        ids, named = ARGUMENTS.get(step["call"]) or ((None if "token" in step else "user_1",), {})
        options = self.package.CallOptions(timeout=self.seconds(step, "timeoutMs"), idempotency_key=step.get("key"), user_token=step.get("token"))
        return ids, {**named, "options": options}

    def call(self, client, step):
        ids, named = self.arguments(step)
        if step.get("cancel"):
            # A call that waits in its thread ends with its client.
            count = len(self.server.asked)
            threading.Thread(target=lambda: (self.server.wait_asked(count + 1), client.close()), daemon=True).start()
        try:
            self.value(step["gives"], getattr(client, step["call"])(*ids, **named))
        except self.package.DreamAPIError as problem:
            self.failure(step["gives"], problem)

    async def call_async(self, client, step):
        ids, named = self.arguments(step)
        count = len(self.server.asked)
        task = asyncio.ensure_future(getattr(client, step["call"])(*ids, **named))
        if step.get("cancel"):
            await asyncio.to_thread(self.server.wait_asked, count + 1)
            task.cancel()
        try:
            self.value(step["gives"], await task)
        except asyncio.CancelledError:
            self.found.same("status", "CANCELLED", step["gives"]["status"])
        except self.package.DreamAPIError as problem:
            self.failure(step["gives"], problem)

    def value(self, gives, got):
        self.found.words(gives, "status plan")
        self.found.same("status", "OK", gives["status"])
        self.found.same("plan", got.plan or "", gives.get("plan", ""))

    def failure(self, gives, got):
        """Everything is told; what a row does not name has nothing to say."""
        found = self.found
        found.words(gives, "status http retriable local retryAfterMs retryAfterUpToMs used limit requestId serverError message")
        found.same("status", got.code.name, gives["status"])
        for name, value in (("http", got.http_status), ("used", got.used), ("limit", got.limit), ("requestId", got.request_id),
                            ("serverError", got.server_error)):
            found.same(name, value, gives.get(name))
        found.same("retriable", got.retriable, gives.get("retriable", False))
        found.same("local", got.local, gives.get("local", False))
        found.wait(gives, ms(got.retry_after))
        found.same("message", str(got), gives.get("message", str(got) or None))

    # -- the meter --

    def meter(self, client):
        if not hasattr(self, "opened"):
            given = self.row["meter"]
            self.found.words(given, "token policy waitMs allowUnits")
            policy = self.package.Policy[given.get("policy", "wait").upper()]
            self.opened = client.open_meter("user_1", policy=policy, wait=self.seconds(given, "waitMs"), allow_units=given.get("allowUnits", 0),
                                            user_token=given.get("token"))
        return self.opened

    def decide(self, client, step):
        meter, gives, found = self.meter(client), step["gives"], self.found
        if "use" in step:
            self.used = got = meter.use(step["use"])
        else:
            got = meter.check(step["check"])
        found.words(gives, "status reason source plan limit used remaining retryAfterMs retryAfterUpToMs")
        found.same("status", got.status.name, gives["status"])
        found.same("allowed", bool(got), gives["status"] == "OK")
        found.same("reason", got.reason.name.lower(), gives["reason"])
        found.same("source", got.source.name.lower(), gives["source"])
        for name in ("plan", "limit", "used", "remaining"):
            found.same(name, getattr(got, name), gives.get(name, getattr(got, name)))
        if "retryAfterMs" in gives or "retryAfterUpToMs" in gives:
            found.wait(gives, ms(got.retry_after))

    def refund(self, gives):
        self.found.words(gives, "status")
        try:
            self.opened.refund(self.used)
            status = "OK"
        except self.package.DreamAPIError as problem:
            status = problem.code.name
        self.found.same("status", status, gives["status"])


def test_every_row_through_both_of_pythons_clients(package, monkeypatch):
    """They wait for most of their time, so some go at once."""
    monkeypatch.delenv("DREAMAPI_PUBLISHABLE_KEY", raising=False)
    both = [(row, is_async) for row in ROWS.rows for is_async in (False, True)]
    with ThreadPoolExecutor(16) as pool:
        wrong = list(pool.map(lambda one: Run(package, *one).all(), both))
    SUMMARY.append(f"behaviours through Python's two clients: {len(wrong)}")
    assert len(wrong) == 2 * len(NAMES) and not any(wrong), "\n".join(one for row in wrong for one in row)


def test_a_row_that_is_not_understood_or_not_true_fails_in_python(package):
    for spoil in SPOILED:
        row = copy.deepcopy(ROWS.rows[0])
        spoil(row)
        assert Run(package, row, False).all()


def unknown_word(row):
    row["do"][0]["gives"]["tomorrow"] = 1


def unknown_topic(row):
    row["weather"] = "rain"


def other_status(row):
    row["do"][0]["gives"] = {"status": "NOT_FOUND", "http": 404}


def one_request_more(row):
    row["asked"].append(row["asked"][0])


def another_plan(row):
    row["do"][0]["gives"]["plan"] = "pro"


SPOILED = (unknown_word, unknown_topic, other_status, one_request_more, another_plan)


def run_program(name, path):
    return subprocess.run([daemon.build_dir() / "tests" / "wire" / name, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


@pytest.mark.parametrize("name", ["behave_c", "behave_cpp"])
def test_the_runners_of_c_and_cpp_do_every_row_and_can_fail(name, tmp_path):
    run = run_program(name, behaviours.FILE)
    assert run.returncode == 0, run.stdout
    assert [line.partition(" - ")[2] for line in run.stdout.splitlines() if line.startswith("ok ")] == NAMES
    spoiled = []
    for spoil in SPOILED:
        row = copy.deepcopy(ROWS.rows[0])
        spoil(row)
        spoiled.append(row)
    file = tmp_path / "spoiled.json"
    file.write_text(json.dumps({"answers": ROWS.answers, "rows": spoiled}))
    run = run_program(name, file)
    assert run.returncode == 1 and run.stdout.count("not ok ") == len(SPOILED), run.stdout


def test_no_two_rows_have_one_name_and_every_topic_has_some():
    assert len(set(NAMES)) == len(NAMES)
    assert {row["topic"] for row in ROWS.rows} >= {"retries", "deadlines", "cancelling", "idempotency keys", "errors", "meters by request",
                                                   "meters by lease"}


def test_the_page_is_made_from_the_table():
    assert behaviours.PAGE.read_text(encoding="utf-8") == behaviours.page(ROWS), "run tests/support/behaviours.py --write"
