# SPDX-License-Identifier: Apache-2.0
"""A server that counts uses as the original hosted service does, and announces no leases: in plain, or with idempotency keys, or with
batches. It looks at a witness at each count: `check` is called with the count before it, while nothing else is counted."""

import json
import threading

import listener

ANNOUNCED = {"plain": ["server-side"], "keyed": ["server-side", "idempotency"], "batch": ["server-side", "usage-batch"]}


class Bare:
    def __init__(self, kind, limit, check=lambda counted: None):
        self.kind, self.limit, self.check = kind, limit, check
        self.counted, self.requests, self.problems = 0, 0, []
        self.lock, self.seen = threading.Lock(), {}
        self.on_count = lambda counted: None  # run before the answer is given
        self.lose = lambda requests: False  # True: counted, but the connection breaks before the answer
        outer = self

        class Handler(listener.Handler):
            def do_GET(self):
                self.give(*outer.get(self.path))

            def do_POST(self):
                body = json.loads(self.body() or b"{}")
                with outer.lock:
                    outer.requests += 1
                    lose = outer.lose(outer.requests)
                    answer = outer.post(self.path, body, self.headers.get("Idempotency-Key"))
                    outer.on_count(outer.counted)
                if lose:
                    self.close_connection = True
                else:
                    self.give(*answer)

            def give(self, status, body):
                self.answer(status, json.dumps(body).encode(), Content_Type="application/json")

        self.server = listener.Listener(Handler)
        self.url = self.server.url

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def get(self, path):
        if path.startswith("/health"):
            return 200, {"status": "ok", "extensions": ANNOUNCED[self.kind]}
        if path.startswith("/api/usage"):
            with self.lock:
                return 200, {"userId": "user_1", "plan": "free", "usageCount": self.counted, "limit": self.limit}
        return 404, {"error": "Not found"}

    def count(self, units):
        try:
            self.check(self.counted)
        except AssertionError as problem:
            self.problems.append(str(problem))
        if self.counted + units > self.limit:
            return False
        self.counted += units
        return True

    def post(self, path, body, key):
        if path == "/api/usage/batch" and self.kind == "batch":
            return 200, {"results": [{"id": event["id"], "status": self.event(event)} for event in body["events"]]}
        if path != "/api/data":
            return 404, {"error": "Not found"}
        if self.kind == "keyed" and key in self.seen:
            return self.seen[key]
        if self.count(1):
            answer = 200, {"success": True, "usage": {"count": self.counted, "limit": self.limit, "plan": "free"}}
        else:
            answer = 403, {"error": "Tier limit reached", "usageCount": self.counted, "limit": self.limit}
        self.seen[key] = answer
        return answer

    def event(self, event):
        if event["id"] in self.seen:
            return "duplicate"
        if not self.count(event["units"]):
            return "limit"
        self.seen[event["id"]] = True
        return "applied"
