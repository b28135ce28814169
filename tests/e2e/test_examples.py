# SPDX-License-Identifier: Apache-2.0
"""Every program in examples/, run as its first lines say against a real service with its sandbox, and what it prints. The
quickstart is run by ./dev demo."""

import os
import re
import signal
import subprocess
import urllib.parse
import urllib.request

import pytest

import daemon
import pages
import tenant

FOLDER = daemon.ROOT / "examples"
TIERS = [
    {"name": "free", "displayName": "Free", "price": 0, "limit": 3, "rateLimit": None, "features": ["3 calls"]},
    {"name": "pro", "displayName": "Pro", "price": 2900, "limit": 100, "popular": True, "trialDays": 14},
    {"name": "scale", "displayName": "Scale", "price": 99050, "limit": "unlimited"},
    {"name": "mug", "displayName": "Mug", "price": 1250, "limit": 0, "billingMode": "one_off", "inventory": 5},
    {"name": "poster", "displayName": "Poster", "price": 800, "limit": 0, "billingMode": "one_off", "soldOut": True},
]
RUN_BY_DEMO = {"quickstart"}
# What each needs to get as far as making a client; testing.c needs nothing.
ARGUMENTS = {"asset": (__file__, "text/plain"), "async_poll": (), "cart": ("ada@example.com", "mug", "1"),
             "checkout": ("user_1", "pro", "order-1"), "customer": ("ada@example.com", "pro"), "dashboard": ("10",),
             "health": ("http://127.0.0.1:1",), "meter": ("user_1", "1", "/nonexistent/usage.journal"),
             "no_threads": ("user_1", "1"), "portal": ("user_1", "http://localhost/"), "product": (),
             "quickstart": ("ada@example.com", "pro"), "tier": (), "usage": ("user_1", "1")}


def bare_run(name, *arguments):
    """In an environment without settings."""
    return subprocess.run([daemon.build_dir() / "examples" / name, *arguments], env=daemon.environment(), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


class Stage:
    """A service with its sandbox and one tenant."""

    def __init__(self, folder):
        self.db = folder / "examples.db"
        self.serve = daemon.Daemon(folder, "--sandbox", "--db", self.db, "--free-ports")
        self.keys = tenant.create(self.db, folder, tiers=TIERS)

    def run(self, name, *arguments, key="secretKey", status=0):
        """What the example printed."""
        env = {"DREAMAPI_BASE_URL": self.serve.api}
        env["DREAMAPI_SECRET_KEY" if key == "secretKey" else "DREAMAPI_PUBLISHABLE_KEY"] = self.keys[key]
        run = subprocess.run([daemon.build_dir() / "examples" / name, *arguments], env=daemon.environment(env), text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert run.returncode == status, run.stdout + run.stderr
        return run.stdout

    def backend(self):
        return tenant.Backend(self.serve.api, self.keys["secretKey"])

    def new_user(self, name):
        with self.backend() as backend:
            answer = backend.ask("POST", "/api/customers", {"email": f"{name}@example.com"})
        assert answer.status == 201, answer
        return answer.json["customer"]["id"]

    def paying_user(self, name):
        """A user on plan pro, as soon as the service has heard of the payment."""
        user = self.new_user(name)
        pages.pays(self.run("checkout", user, "pro", "order-" + name).removeprefix("pay at: ").strip())
        with self.backend() as backend:
            daemon.wait_for("the upgrade", lambda: backend.usage(user)["plan"] == "pro")
        return user


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    made = Stage(tmp_path_factory.mktemp("examples"))
    yield made
    assert made.serve.stop() == 0
    checked = daemon.run("check", "--db", made.db, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_example_is_built_short_and_run_here():
    names = {path.stem for path in FOLDER.glob("*.c")}
    assert {name for name in names if f"def test_{name}(" in open(__file__, encoding="utf-8").read()} == names - RUN_BY_DEMO
    assert set(ARGUMENTS) == names - {"testing"}
    for name in names:
        assert os.access(daemon.build_dir() / "examples" / name, os.X_OK), name
        if name not in RUN_BY_DEMO:
            assert len((FOLDER / (name + ".c")).read_text().splitlines()) < 80, name


@pytest.mark.parametrize("name", sorted(name for name in ARGUMENTS if ARGUMENTS[name]))
def test_an_example_called_wrongly_says_how(name):
    run = bare_run(name)
    assert run.returncode == 2 and run.stderr.startswith("usage: ")


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - {"health"}))
def test_an_example_without_settings_says_which(name):
    run = bare_run(name, *ARGUMENTS[name])
    assert run.returncode == 1 and "DREAMAPI_BASE_URL" in run.stderr


def test_customer(stage):
    printed = stage.run("customer", "grace@example.com", "pro")
    assert re.fullmatch(r"created: user_\w+\nread: grace@example.com, first name Ada, plan free\nchanged: plan pro\ndeleted\n", printed)


def test_tier(stage):
    assert stage.run("tier", key="publishableKey") == (
        "Free (free): 0.00, 3 units\n  - 3 calls\n"
        "Pro (pro): 29.00, 100 units, 14 days free, popular\n"
        "Scale (scale): 990.50, unlimited\n")


def test_usage(stage):
    user = stage.new_user("usage")
    printed = stage.run("usage", user, "5")
    assert re.fullmatch(r"(served\n){3}refused: 3 of 3 used\nplan free: used 3, limit 3, left 0, until \d{4}-\d\d-\d\d\n", printed)


def test_meter(stage, tmp_path):
    user, journal = stage.new_user("meter"), tmp_path / "usage.journal"
    assert re.match(r"served: 1 in \d+ ms, \d+ ns each\nrequests: \d+, for \d+ units granted\n",
                    stage.run("meter", user, "1", journal, "kill", status=-signal.SIGKILL))
    printed = stage.run("meter", user, "5", journal)
    assert re.search(r"^served: 2 in .*\nrefused: plan free, 3 of 3 used$", printed, re.MULTILINE), printed
    with stage.backend() as backend:
        assert backend.usage(user)["usageCount"] == 3


def test_usage_of_nobody(stage):
    assert stage.run("usage", "user_nobody", "1", status=1) == ""


def test_health(stage):
    printed = stage.run("health", stage.serve.api, "idempotency", "server-side")
    assert printed.startswith("status: ok\n") and "extension: idempotency\n" in printed and "missing" not in printed
    assert stage.run("health", stage.serve.api, "levitation", status=1).endswith("missing: levitation\n")
    assert stage.run("health", "http://127.0.0.1:1", status=1).startswith("down: DREAMAPI_UNAVAILABLE: ")


def test_checkout(stage):
    user = stage.new_user("checkout")
    first = stage.run("checkout", user, "pro", "order-1")
    assert re.fullmatch(r"pay at: http://\S+\n", first)
    assert stage.run("checkout", user, "pro", "order-1") == first, "the same order is the same page"
    assert stage.run("checkout", user, "pro", "order-2") != first
    assert stage.run("checkout", user, "no-such-tier", "order-3", status=1).startswith("refused: ")


def test_portal(stage):
    user = stage.paying_user("portal")
    assert re.fullmatch(r"manage at: http\S+\n", stage.run("portal", user, "http://localhost:5173/account"))
    assert stage.run("portal", stage.new_user("idle"), "http://localhost:5173/account", status=1).startswith("nothing to manage: ")


def test_product(stage):
    assert sorted(stage.run("product", key="publishableKey").splitlines()) == [
        "Mug (mug): 12.50 usd, 5 left", "Poster (poster): 8.00 usd, sold out"]


def test_cart(stage):
    printed = stage.run("cart", "ada@example.com", "mug", "2", key="publishableKey")
    assert re.fullmatch(r"pay at: http://\S+\n", printed)
    for items, words in ((("mug", "6"), "Not enough inventory for Mug"), (("poster", "1"), "Item sold out: Poster"),
                         (("cup", "1"), "Invalid item: cup")):
        assert stage.run("cart", "ada@example.com", *items, key="publishableKey", status=1) == f"refused: {words}\n"


def test_asset(stage, tmp_path):
    picture = tmp_path / "mug.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    printed = stage.run("asset", picture, "image/png")
    path = re.fullmatch(r"stored as \S*mug\.png: (\S+)\n", printed).group(1)
    with urllib.request.urlopen(urllib.parse.urljoin(stage.serve.api, path), timeout=30) as answer:
        assert answer.read() == picture.read_bytes()
    assert stage.run("asset", tmp_path / "nothing.png", "image/png", status=1) == ""


def test_dashboard(stage):
    users = [stage.new_user(f"dash{count}") for count in range(3)]
    with stage.backend() as backend:
        for count, user in enumerate(users):
            for _ in range(count):
                assert backend.track(user).status == 200
    lines = stage.run("dashboard", "1000").splitlines()
    assert re.fullmatch(r"\d+ active subscriptions, \d+\.\d\d a month, \d+ units used", lines[0])
    assert re.fullmatch(r"\d+ users, the busiest:", lines[1])
    order = [line for line in lines if "dash" in line]
    assert order == [f"  dash{count}@example.com: plan free, used {count}" for count in (2, 1, 0)]


def test_async_poll(stage):
    users = [stage.new_user(f"poll{i}") for i in range(4)]
    with stage.backend() as backend:
        assert backend.track(users[1]).status == 200
    printed = stage.run("async_poll", *users)
    assert sorted(printed.splitlines()) == sorted(f"{user}: {int(user == users[1])} used" for user in users)
    assert stage.run("async_poll", users[0], "user_nobody", status=1).count("\n") == 2


def test_no_threads(stage):
    assert stage.run("no_threads", stage.new_user("single"), "20") == "3 served, 17 refused, 0 failed\n"


def test_testing():
    run = bare_run("testing")
    assert (run.returncode, run.stdout) == (0, "all passed, 5 requests\n")
