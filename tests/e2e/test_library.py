# SPDX-License-Identifier: Apache-2.0
"""The library against the real service on real sockets: many threads on one client and one user's allowance, with the service
stopped, killed and started again under them. What the library says was counted is what was counted."""

import subprocess

import pytest

import daemon
import tenant

LIMIT = 1000
THREADS = 32
CALLS_EACH = 35
USER = "user_hammered"


@pytest.fixture
def place(tmp_path):
    db = tmp_path / "library.db"
    names = tenant.load(tmp_path, db, [{"key": "app", "tiers": [tenant.tier("free", LIMIT, rateLimit=None)]}], [tenant.user(USER, "app")])
    return tmp_path, db, names


def start_hammer(serve, names):
    program = daemon.build_dir() / "tests/e2e/hammer"
    env = daemon.environment({"DREAMAPI_BASE_URL": serve.api, "DREAMAPI_SECRET_KEY": names["<sk-app>"]})
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", program, USER, str(THREADS), str(CALLS_EACH)], env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_successes(hammer, count):
    """Reads the hammer's lines up to this one; they come at each hundredth success."""
    for line in hammer.stdout:
        if line.strip() == str(count):
            return
    raise AssertionError("the hammer ended early: " + hammer.stderr.read())


def finish(hammer, serve, db, names):
    """The hammer got the limit exactly, and so says the store. Returns how many calls it had to repeat."""
    out, err = hammer.communicate(timeout=90)
    assert hammer.returncode == 0, out + err
    counts = dict(part.split("=") for part in out.strip().splitlines()[-1].split())
    assert (int(counts["ok"]), int(counts["limit"])) == (LIMIT, THREADS * CALLS_EACH - LIMIT), out + err
    with tenant.Backend(serve.api, names["<sk-app>"]) as backend:
        assert backend.usage(USER)["usageCount"] == LIMIT
    assert serve.stop() == 0
    checked = daemon.run("check", "--db", db, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return int(counts["repeated"])


def same_ports(serve):
    return [word for part in ("api", "admin") for word in (f"--listen-{part}", serve.urls[part].removeprefix("http://"))]


def test_threads_on_one_client_get_exactly_the_limit(place):
    folder, db, names = place
    with daemon.Daemon(folder, "--db", db, "--free-ports") as serve:
        assert finish(start_hammer(serve, names), serve, db, names) == 0


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_limit_holds_through_the_library_over_a_restart(place, end):
    folder, db, names = place
    first = daemon.Daemon(folder, "--db", db, "--free-ports")
    hammer = start_hammer(first, names)
    try:
        wait_for_successes(hammer, 300)
        getattr(first, end)()
        with daemon.Daemon(folder, "--db", db, *same_ports(first)) as second:
            assert finish(hammer, second, db, names) > 0, "the restart hit no call: this run proved nothing"
    finally:
        first.kill()
        if hammer.poll() is None:
            hammer.kill()
            hammer.wait()


def test_what_only_this_service_announces_works_through_the_library(tmp_path):
    db = tmp_path / "library.db"
    users = [f"user_{n}" for n in range(5)]
    names = tenant.load(tmp_path, db, [{"key": "app", "tiers": [tenant.tier("free", 8, rateLimit=None)]}],
                        [tenant.user(user, "app") for user in users])
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports") as serve:
        env = daemon.environment({"DREAMAPI_BASE_URL": serve.api, "DREAMAPI_SECRET_KEY": names["<sk-app>"]})
        done = subprocess.run([daemon.build_dir() / "tests/e2e/extensions", users[0], "7"], env=env, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("page")] == ["page 2", "page 2", "page 1"]
    assert sorted(line for line in lines if line.startswith("customer")) == [f"customer {user} free none 8" for user in users]
    assert [line for line in lines if line.startswith("outcome")] == ["outcome applied"] * 8 + ["outcome duplicate"]
    assert lines[-3:] == ["history 30 days, last 8", "dashboard 5 customers, 8 units, 1 keys", "totals live 1"]
