# SPDX-License-Identifier: Apache-2.0
"""More connections than the service takes, more requests on one than anybody reads answers of, clients that are half gone: others are
answered meanwhile within a few tries, memory stays bounded, and afterwards everything is as before."""

import contextlib
import os
import resource
import socket
import threading
import urllib.parse

import pytest

import daemon
import providers
import tenant

FILES = 1024       # that the flooded service may open
CROWD = FILES + 100
TRIES = 5          # of a second each, for who comes new
MEMORY_KB = 64 << 10
PIPELINED = 20_000
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module", autouse=True)
def files_for_the_flood():
    """The flood's own ends are files of this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("floods")
    stand = providers.Providers()
    env = stand.environment()
    # What a sanitized build keeps of freed memory is no use of the service's.
    env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
    names = tenant.load(folder, folder / "f.db", [{"key": "app", "tiers": [tenant.tier("free", 1000, rateLimit=None)]}],
                        [tenant.user("user_one", "app")], env=env)
    with daemon.Daemon(folder, "--db", folder / "f.db", "--free-ports", env=env,
                       under=("prlimit", f"--nofile={FILES}:{FILES}")) as serve:
        yield serve, names
        assert serve.stop() == 0
    stand.close()


@pytest.fixture(autouse=True)
def nothing_is_left_of_it(stage):
    serve, names = stage
    with tenant.Backend(serve.api, names["<sk-app>"]) as backend:
        assert backend.track("user_one").status == 200
    memory = memory_kb(serve)
    yield
    tries_of_a_newcomer(serve)
    assert memory_kb(serve) < memory + memory_allowed_kb(serve)
    with tenant.Backend(serve.api, names["<sk-app>"]) as backend:
        for _ in range(20):
            assert backend.track("user_one").status == 200


def memory_kb(serve):
    with open(f"/proc/{serve.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def memory_allowed_kb(serve):
    """How much more it may be: a sanitizer shadows each byte with several of its own."""
    with open(f"/proc/{serve.pid}/maps", encoding="utf-8") as maps:
        return MEMORY_KB * (4 if "san.so" in maps.read() else 1)


def connect(serve):
    parts = urllib.parse.urlsplit(serve.api)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def tries_of_a_newcomer(serve):
    """How many connections a client that gives each a second needs until it is answered."""
    for number in range(1, TRIES + 1):
        with contextlib.suppress(OSError):
            assert daemon.ask(serve.api, "GET", "/health", timeout_s=1).status == 200
            return number
    raise AssertionError(f"not answered in {TRIES} tries")


UNFINISHED = (b"", b"GET /hea", b"POST /api/data HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")


def test_more_connections_than_there_is_room_for_keep_nobody_out_for_long(stage):
    serve, names = stage
    memory = memory_kb(serve)
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(tenant.Backend(serve.api, names["<sk-app>"]))
        assert kept.track("user_one").status == 200
        for i in range(CROWD):
            stack.enter_context(connect(serve)).sendall(UNFINISHED[i % 3])
        assert serve.open_files() > FILES / 2
        assert kept.track("user_one").status == 200  # who is in stays in
        tries_of_a_newcomer(serve)
        assert daemon.ask(serve.admin, "GET", "/health").status == 200
        assert memory_kb(serve) < memory + memory_allowed_kb(serve)


def test_clients_that_are_half_gone_keep_nobody_out(stage):
    """Each has said that nothing more comes, in the middle of a request, and stays."""
    serve, _ = stage
    with contextlib.ExitStack() as stack:
        for i in range(FILES):
            connection = stack.enter_context(connect(serve))
            connection.sendall(UNFINISHED[i % 3])
            connection.shutdown(socket.SHUT_WR)
        tries_of_a_newcomer(serve)


def test_requests_without_end_on_one_connection_wait_for_their_answers_to_be_read(stage):
    serve, _ = stage
    memory = memory_kb(serve)
    with connect(serve) as flood:
        def send():
            with contextlib.suppress(OSError):
                flood.sendall(HEALTH * PIPELINED)

        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(20):
            assert tries_of_a_newcomer(serve) == 1
        assert memory_kb(serve) < memory + memory_allowed_kb(serve)
        answered, rest = 0, b""
        while answered < PIPELINED:
            piece = flood.recv(1 << 20)
            assert piece, f"closed after {answered} answers"
            data = rest + piece
            answered += data.count(b"HTTP/1.1 200 ")
            rest = data[-12:] if b"HTTP/1.1 200 " not in data[-12:] else b""
        sender.join()
    assert answered == PIPELINED


class Trickle:
    """Connections that send one more byte each time they are asked, and never a whole request."""

    def __init__(self, stack, serve, text, count):
        self._all = []
        for _ in range(count):
            connection = stack.enter_context(connect(serve))
            connection.sendall(text)
            connection.setblocking(False)
            self._all.append(connection)

    def go_on(self):
        for connection in self._all:
            with contextlib.suppress(OSError):
                connection.send(b"a")


TRICKLING = {"heads": b"GET /health HTTP/1.1\r\nHost: x\r\nX: ", "bodies": UNFINISHED[2]}


@pytest.mark.parametrize("what", ["heads", pytest.param("bodies", marks=pytest.mark.long)])
def test_clients_that_send_a_byte_now_and_then_keep_nobody_out_for_long(stage, what):
    """None of them is ever idle (slowloris)."""
    serve, _ = stage
    with contextlib.ExitStack() as stack:
        crowd = Trickle(stack, serve, TRICKLING[what], FILES - 200)  # fills what there is, and some wait

        def is_let_in():
            crowd.go_on()
            with contextlib.suppress(OSError):
                return daemon.ask(serve.api, "GET", "/health", timeout_s=0.5).status == 200
        daemon.wait_for("a newcomer's answer", is_let_in, timeout_s=10)
