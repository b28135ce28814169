# SPDX-License-Identifier: Apache-2.0
"""The service's worst day: a full disk, a locked or broken database, an identity provider that is slow, wrong or gone, and a kill
at each single write to the disk. It answers with the contract's errors, loses nothing that it acknowledged, and `dreamapid check`
holds afterwards. DREAMAPI_LONG=1 kills at more writes."""

import concurrent.futures
import http.client
import os
import shutil
import signal
import sqlite3

import pytest

import daemon
import providers
import tenant

IS_LONG = os.environ.get("DREAMAPI_LONG") == "1"
USER = "user_worst"


@pytest.fixture
def identity():
    stand_in = providers.Providers()
    yield stand_in
    stand_in.close()


def load(folder, db, limit=1000):
    return tenant.load(folder, db, [{"key": "a", "tiers": [tenant.tier("free", limit, rateLimit=None)]}], [tenant.user(USER, "a")])


def checked(db):
    done = daemon.run("check", "--db", db, check=False)
    assert done.returncode == 0, done.stdout


# ---- the disk ----

def tampered(what, how):
    """A command that becomes dreamapid, with its system calls tampered with: `how` in strace's words."""
    return "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={what}", "-e", f"inject={what}:{how}"


def stop_tampering(service):
    with open(f"/proc/{service.pid}/status", encoding="ascii") as status:
        tracer = int(next(line.split()[1] for line in status if line.startswith("TracerPid:")))
    assert tracer != 0
    os.kill(tracer, signal.SIGKILL)  # the kernel then lets go of what it traced


def test_a_full_disk_refuses_and_counts_nothing_and_is_forgotten_once_there_is_room(tmp_path):
    db = tmp_path / "full.db"
    names = load(tmp_path, db)
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports", under=tampered("pwrite64", "error=ENOSPC:when=40+")) as service:
        with tenant.Backend(service.api, names["<sk-a>"]) as backend:
            counted, answer = 0, backend.track(USER)
            while answer.status == 200 and counted < 1000:
                counted, answer = counted + 1, backend.track(USER)
            assert answer.status == 503 and "error" in answer.json, answer
            assert counted > 0 and backend.track(USER).status == 503
            assert daemon.ask(service.api, "GET", "/health").status == 200
            stop_tampering(service)
            daemon.wait_for("the recovery", lambda: backend.track(USER).status == 200)
            assert backend.usage(USER)["usageCount"] == counted + 1
        assert service.stop() == 0
    checked(db)


def test_a_locked_database_is_waited_for(tmp_path):
    db = tmp_path / "locked.db"
    names = load(tmp_path, db)
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports") as service, concurrent.futures.ThreadPoolExecutor(1) as pool:
        with tenant.Backend(service.api, names["<sk-a>"]) as backend:
            lock = sqlite3.connect(db, isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            waiting = pool.submit(backend.track, USER)
            with pytest.raises(concurrent.futures.TimeoutError):
                waiting.result(0.5)
            assert daemon.ask(service.api, "GET", "/health").status == 200
            lock.execute("ROLLBACK")
            assert waiting.result(20).status == 200
            lock.close()
        assert service.stop() == 0
    checked(db)


@pytest.mark.parametrize("bytes_of", ["no database at all" * 400, "", "SQLite format 3\0" + "\xff" * 4000])
def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path, bytes_of):
    db = tmp_path / "broken.db"
    data = bytes_of.encode("latin-1")
    db.write_bytes(data)
    done = daemon.run("serve", "--db", db, "--free-ports", check=False, timeout_s=20) if data else None
    if done is None:
        # An empty file is a new database.
        with daemon.Daemon(tmp_path, "--db", db, "--free-ports") as service:
            assert service.stop() == 0
        return
    assert done.returncode == 1
    assert str(db) in done.stderr
    assert db.read_bytes() == data


def test_a_page_that_rots_is_found_by_check_and_does_not_take_the_service_down(tmp_path):
    db = tmp_path / "rotten.db"
    names = load(tmp_path, db)
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports") as service:
        with tenant.Backend(service.api, names["<sk-a>"]) as backend:
            for _ in range(20):
                assert backend.track(USER).status == 200
        assert service.stop() == 0
    connection = sqlite3.connect(db)
    root, size = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'usage_counts'").fetchone()[0], \
        connection.execute("PRAGMA page_size").fetchone()[0]
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with open(db, "r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)
    done = daemon.run("check", "--db", db, check=False)
    assert done.returncode == 1 and done.stdout, done
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports") as service:
        with tenant.Backend(service.api, names["<sk-a>"]) as backend:
            answer = backend.track(USER)
            assert answer.status in (500, 503) and "error" in answer.json, answer
            assert backend.ask("GET", "/api/tiers").status == 200
        assert service.stop() == 0


# ---- the providers ----

@pytest.mark.parametrize("status, body", [(200, {"unexpected": True}), (200, []), (200, "text"), (200, None), (301, {}), (401, {}),
                                          (403, {"errors": []}), (500, {"errors": "many"}), (503, {})])
def test_an_identity_provider_that_talks_nonsense_is_a_bad_gateway(tmp_path, identity, status, body):
    db = tmp_path / "nonsense.db"
    names = load(tmp_path, db)
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports", env=identity.environment()) as service:
        with tenant.Backend(service.api, names["<sk-a>"]) as backend:
            identity.answer_next("clerk", "POST", "/v1/users", status, body)
            answer = backend.ask("POST", "/api/customers", {"email": "x@example.test"})
            assert answer.status == 502, answer
            assert answer.headers.get("retry-after")
            assert backend.ask("POST", "/api/customers", {"email": "y@example.test"}).status == 201
        assert service.stop() == 0
    checked(db)


def test_providers_that_are_gone_cost_the_calls_that_need_them_and_no_others(tmp_path):
    db = tmp_path / "gone.db"
    names = load(tmp_path, db)
    nobody = "http://127.0.0.1:1"
    env = {f"{app}_{what}{mode}": value for app in ("ENDUSER_CLERK", "PLATFORM_CLERK", "STRIPE") for mode in ("", "_TEST")
           for what, value in (("SECRET_KEY", "sk_live_gone" if not mode else "sk_test_gone"), ("API_BASE", nobody))}
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports", env=env) as service:
        with tenant.Backend(service.api, names["<sk-a>"]) as backend:
            for method, path, body in (("POST", "/api/customers", {"email": "x@example.test"}), ("GET", f"/api/customers/{USER}", None),
                                       ("POST", "/api/create-checkout", {"userId": USER, "tier": "free"})):
                answer = backend.ask(method, path, body)
                assert answer.status in (400, 502) and "error" in answer.json, answer
            assert backend.track(USER).status == 200
        assert service.stop() == 0
    checked(db)


def test_a_slow_identity_provider_holds_up_its_own_calls_alone(tmp_path, identity):
    db = tmp_path / "slow.db"
    names = load(tmp_path, db)
    waiting_calls = 64
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports", env=identity.environment()) as service, \
            concurrent.futures.ThreadPoolExecutor(waiting_calls) as pool:
        holds = [identity.hold("clerk", "POST", "/v1/users") for _ in range(waiting_calls)]
        headers = {"Authorization": "Bearer " + names["<sk-a>"]}
        made = [pool.submit(daemon.ask, service.api, "POST", "/api/customers", headers, {"email": f"slow{i}@example.test"})
                for i in range(waiting_calls)]
        for hold in holds:
            hold.wait_arrived()
        with tenant.Backend(service.api, names["<sk-a>"]) as backend:
            for _ in range(50):
                assert backend.track(USER).status == 200
        assert not any(answer.done() for answer in made)
        for hold in holds:
            hold.release()
        assert [answer.result(30).status for answer in made] == [201] * waiting_calls
        assert service.stop() == 0
    checked(db)


# ---- a kill at each write ----

@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A loaded store, copied for each kill."""
    folder = tmp_path_factory.mktemp("loaded")
    return folder / "loaded.db", load(folder, folder / "loaded.db")


def use_until_it_dies(service, secret_key, keys):
    """The keys that got their 200, and the one whose answer was lost."""
    answered = []
    try:
        with tenant.Backend(service.api, secret_key) as backend:
            for key in keys:
                answer = backend.track(USER, key)
                assert answer.status == 200, answer
                answered.append(key)
    except (OSError, http.client.HTTPException):
        return answered
    raise AssertionError("it outlived all its writes")


@pytest.mark.parametrize("syscall", ["fdatasync", "pwrite64"])
@pytest.mark.parametrize("when", range(1, 61 if IS_LONG else 11))
def test_killed_at_a_write_it_lost_nothing_it_acknowledged(tmp_path, loaded, syscall, when):
    db = tmp_path / "killed.db"
    for suffix in ("", ".key"):
        shutil.copy(f"{loaded[0]}{suffix}", f"{db}{suffix}")
    secret_key = loaded[1]["<sk-a>"]
    keys = [f"key-{number}" for number in range(200)]
    answered = []
    try:
        with daemon.Daemon(tmp_path, "--db", db, "--free-ports", under=tampered(syscall, f"signal=SIGKILL:when={when}")) as service:
            answered = use_until_it_dies(service, secret_key, keys)
    except AssertionError as failure:
        # The kill may hit the start itself.
        if "before it was ready" not in str(failure):
            raise
    with daemon.Daemon(tmp_path, "--db", db, "--free-ports") as service:
        with tenant.Backend(service.api, secret_key) as backend:
            for key in keys[:len(answered) + 1]:
                answer = backend.track(USER, key)
                assert answer.status == 200, answer
                assert key not in answered or answer.headers.get("idempotent-replayed") == "true"
            assert backend.usage(USER)["usageCount"] == len(answered) + 1
        assert service.stop() == 0
    checked(db)
