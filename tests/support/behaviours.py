# SPDX-License-Identifier: Apache-2.0
"""The rows of tests/wire/behaviours.json: reads them, and is the server of one of them on a real socket. `behaviours.py --write` makes
docs/behaviours.md of them."""
import json
import pathlib
import re
import socket
import sys
import threading
import time

import listener

TOP = pathlib.Path(__file__).resolve().parents[2]
FILE = TOP / "tests" / "wire" / "behaviours.json"
PAGE = TOP / "docs" / "behaviours.md"
SECRET_KEY = "sk_live_scripted"


class Rows:
    def __init__(self, path=FILE):
        read = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        self.answers, self.rows = read["answers"], read["rows"]

    def answer_at(self, listed, at):
        """The last one serves all that follow."""
        answer = listed[min(at, len(listed) - 1)]
        return self.answers[answer] if isinstance(answer, str) else answer


class Asked:
    def __init__(self, handler, body):
        self.method, self.path = handler.command, handler.path.removeprefix("/prefix")
        self.key, self.token = handler.headers.get("Idempotency-Key", ""), handler.headers.get("X-Clerk-Token", "")
        self.authorization, self.body, self.at = handler.headers.get("Authorization"), body, time.monotonic()


class Server:
    """Serves one row. Nobody listens at all if the row has no answers."""

    def __init__(self, rows, row):
        self.rows, self.row = rows, row
        self.asked, self.probes, self.grants = [], 0, 0
        self.lock, self.was_asked, self.over = threading.Lock(), threading.Condition(), threading.Event()
        self.server = None
        if not row["server"] and "leases" not in row:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.url = f"http://127.0.0.1:{free.getsockname()[1]}/prefix"
            return
        server = self

        class Handler(listener.Handler):
            def serve(self):
                server.serve(self, self.body())

            do_GET = do_POST = do_PATCH = do_DELETE = serve

        self.server = listener.Listener(Handler)
        self.url = f"{self.server.url}/prefix"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        if self.server:
            self.server.close()

    def serve(self, handler, body):
        if handler.path == "/prefix/api/leases":
            return self.give(handler, self.leases(json.loads(body)))
        if handler.path == "/prefix/health":
            with self.lock:
                self.probes += 1
            return self.give(handler, {"status": 200, "body": {"status": "ok", "extensions": self.row.get("announces", [])}})
        with self.was_asked:
            self.asked.append(Asked(handler, body))
            at = len(self.asked) - 1
            self.was_asked.notify_all()
        return self.give(handler, self.rows.answer_at(self.row["server"], at))

    def wait_asked(self, count):
        with self.was_asked:
            assert self.was_asked.wait_for(lambda: len(self.asked) >= count, 20)

    def give(self, handler, answer):
        if "silent" in answer:
            self.over.wait(30)
            handler.close_connection = True
            return
        text = answer.get("text", json.dumps(answer["body"]) if "body" in answer else "").encode()
        handler.send_response(answer.get("status", 200))
        for name, value in answer.get("headers", {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "1000" if "cut" in answer else str(len(text)))
        handler.end_headers()
        handler.wfile.write(b"{" if "cut" in answer else text)
        handler.close_connection = handler.close_connection or "cut" in answer

    def leases(self, request):
        wishes = []
        for wish in request.get("acquire", []):
            with self.lock:
                grant, self.grants = self.rows.answer_at(self.row["leases"], self.grants), self.grants + 1
            if "silent" in grant:
                return grant
            wishes.append({**grant, "requestId": wish["requestId"], "periodStart": "2023-11-01", "periodEnd": "2023-11-30"})
            if "error" not in grant:
                wishes[-1].update(leaseId=wish["requestId"], state="active", ttlMs=60000, held=grant["granted"], lost=0, rate=None)
        settled = [{"leaseId": one["leaseId"], "state": "final" if one.get("final") else "active"} for one in request.get("settle", [])]
        refunded = [{"id": one["id"], "state": "applied"} for one in request.get("refunds", [])]
        return {"status": 200, "body": {"storeEpoch": 1, "settled": settled, "refunded": refunded, "grants": wishes}}


# ---- what must be ----

class Findings(list):
    """Sentences about what was wrong."""

    def words(self, found, known):
        self.extend(f"this runner knows no {word}" for word in found if word not in known.split())

    def same(self, what, got, expected):
        if got != expected or isinstance(got, bool) != isinstance(expected, bool):
            self.append(f"{what}: expected {expected!r}, not {got!r}")

    def wait(self, gives, got_ms):
        """What is left of a time is rounded up."""
        most_ms = gives.get("retryAfterUpToMs")
        if most_ms is None:
            self.same("retryAfterMs", got_ms, gives.get("retryAfterMs"))
        elif got_ms is None or not most_ms - 5000 < got_ms <= most_ms + 1:
            self.append(f"retryAfterUpToMs: expected {most_ms}, not {got_ms}")

    def asked(self, server):
        """Compares what the server was asked with what it should be asked."""
        row, made = server.row, {}
        self.same("requests", len(server.asked), len(row["asked"]))
        if row["probes"] is not None:
            self.same("probes", server.probes, row["probes"])
        before = None
        for got, expected in zip(server.asked, row["asked"]):
            self.words(expected, "method path key token afterMs")
            self.same("request", (got.method, got.path, got.token), (expected["method"], expected["path"], expected.get("token", "")))
            self.same("authorization", got.authorization, f"Bearer {SECRET_KEY}")
            key = expected.get("key", "")
            if key.startswith("$"):
                if len(got.key) < 16 or made.setdefault(key, got.key) != got.key or list(made.values()).count(got.key) > 1:
                    self.append(f"{key} is {got.key!r}: no key that was made, as another one, or unlike before")
            else:
                self.same("key", got.key, key)
            if before and got.key and got.key == before.key:
                self.same("the body of another try", got.body, before.body)
            if before and (got.at - before.at) * 1000 < expected.get("afterMs", 0):
                self.append(f"it came after {got.at - before.at} s")
            before = got


# ---- the page ----

def sentence(step):
    """What is done, in words."""
    if "call" in step:
        given = [f"key `{json.dumps(step['key'])[1:-1]}`" if "key" in step else "", "a token" if "token" in step else "",
                 f"{step['timeoutMs']} ms" if "timeoutMs" in step else "", "cancelled in flight" if "cancel" in step else ""]
        return f"`{step['call']}`" + "".join(f", {word}" for word in given if word)
    if "refund" in step:
        return "take it back"
    return f"use {step['use']}" if "use" in step else f"check {step['check']}"


TOLD = {"http": "HTTP {}", "retriable": "retriable", "local": "local", "retryAfterMs": "again after {} ms",
        "retryAfterUpToMs": "again after at most {} ms", "serverError": "the server's words: {}", "requestId": "request id {}"}


def result(gives):
    told = [TOLD.get(name, name + " {}").format(value) for name, value in gives.items() if name not in ("status", "message") and value != ""]
    return f"`{gives['status']}`" + (f" ({', '.join(told)})" if told else "")


def answered(answer):
    if isinstance(answer, str):
        return answer
    if "cut" in answer:
        return "cut off"
    told = [str(answer["status"])] + [f"{name}: {value}" for name, value in answer.get("headers", {}).items()]
    said = answer.get("body", {}).get("error") or ("retryAfter" if "retryAfter" in answer.get("body", {}) else "")
    return " ".join(told) + (f" “{said}”" if said else "")


def lease(grant):
    return grant if isinstance(grant, str) else f"grants {grant['granted']}" if "granted" in grant else f"`{grant['error']}`"


def listed(items):
    """Equal neighbours once, with their number."""
    groups = []
    for item in items:
        if groups and groups[-1][0] == item:
            groups[-1][1] += 1
        else:
            groups.append([item, 1])
    return "; ".join(item if count == 1 else f"{item} ({count} times)" for item, count in groups)


def request(asked):
    key = asked.get("key", "")
    made = f"key {key[1:]}" if key.startswith("$") else f"key `{key}`" if key else ""
    extra = [word for word in (made, "a token" if "token" in asked else "", f"after {asked['afterMs']} ms" if "afterMs" in asked else "") if word]
    return f"{asked['method']} {asked['path']}" + (f" ({', '.join(extra)})" if extra else "")


def settings(row):
    told = [f"{name} {value}" for part in ("client", "meter") for name, value in row.get(part, {}).items() if name != "token"]
    return ", ".join(told + [f"extension `{name}`" for name in row.get("announces", [])])


HEAD = """# Behaviours

What the library does of itself, in C, C++, Python and Go the same. This page is made from `tests/wire/behaviours.json`, and each of its rows is run in each of
the four languages by the tests: what a call gives, and what the server was asked, must be exactly this. Why it is so is in [retries.md](retries.md),
[errors.md](errors.md) and [meters.md](meters.md).

*Server*: its answers, one a request, the last one to all that follow; *silence* is none, *cut off* one that ends in its middle, and *customer* and
other words are the good answers. *Gives*: the status, and of a failure what else is known. *Asked*: every request but the question for extensions and those for leases. A *key* of one letter is one that the library
made; the same letter is the same key. All tries of a call have the same body. Python raises `asyncio.CancelledError` where a task is cancelled.
"""


def page(rows):
    lines, topic = [HEAD], None
    for row in rows.rows:
        if row["topic"] != topic:
            topic = row["topic"]
            lines.append(f"\n## {topic.capitalize()}\n\n| behaviour | server | done | gives | asked |\n| --- | --- | --- | --- | --- |\n")
        server = "nobody listens" if not row["server"] and "leases" not in row else listed(map(lease, row["leases"])) if "leases" in row else \
            listed(map(answered, row["server"]))
        more = settings(row)
        cells = [row["name"] + (f" ({more})" if more else ""), server, listed(map(sentence, row["do"])), listed(result(step["gives"]) for step in row["do"]),
                 listed(map(request, row["asked"])) or "nothing"]
        lines.append("| " + " | ".join(re.sub(r"\s+", " ", cell.replace("|", "\\|")) for cell in cells) + " |\n")
    return "".join(lines)


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    PAGE.write_text(page(Rows()), encoding="utf-8")
