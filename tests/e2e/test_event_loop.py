# SPDX-License-Identifier: Apache-2.0
"""examples/event-loop: its README line by line; one thread serves all; who waits for the service delays nobody and costs no processor time."""

import os
import signal
import socket
import subprocess
import time

import pytest

import daemon
import readme

LINE = f"{daemon.build_dir()}/examples/event-loop 127.0.0.1 0 usage.journal"


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    made = readme.Up(tmp_path_factory.mktemp("loop"))
    yield made
    made.close()


@pytest.fixture
def server(up, tmp_path):
    with readme.Program(up, tmp_path, LINE) as server:
        yield server


class Peer:
    """A connection to the server."""

    def __init__(self, server):
        host, port = server.where.split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._file = self._socket.makefile("r", encoding="utf-8")

    def send(self, *users):
        self._socket.sendall("".join(user + "\n" for user in users).encode())

    def read(self):
        """A line; "" when the server has closed the connection."""
        try:
            return self._file.readline().rstrip("\n")
        except ConnectionResetError:  # with something of ours unread
            return ""

    def ask(self, *users):
        self.send(*users)
        return [self.read() for _ in users]

    def close(self):
        self._file.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def processor_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))


def test_every_line_of_the_readme_does_what_it_says(up, tmp_path):
    dev_up, start, *lines = readme.blocks("event-loop")
    assert dev_up == "./dev up\n" and len(lines) == 1 and start.endswith(" 9000\n")
    with readme.Program(up, tmp_path, start.replace(" 9000", " 0")) as server:
        assert lines[0].count("127.0.0.1/9000") == 1
        readme.follow(up, tmp_path, lines[0].replace("127.0.0.1/9000", server.where.replace(":", "/")))
        server.stop(signal.SIGINT)


def test_called_wrongly_it_says_how(up):
    program = LINE.split()[0]
    run = subprocess.run([program], env=daemon.environment(), stderr=subprocess.PIPE, text=True, timeout=30)
    assert run.returncode == 2 and run.stderr.startswith("usage: ")
    taken = up.serve.api.rsplit(":", 1)[1]
    run = subprocess.run([program, "127.0.0.1", taken], env=daemon.environment(up.exports), stderr=subprocess.PIPE, text=True, timeout=30)
    assert run.returncode == 1 and "address already in use" in run.stderr


def test_one_thread_serves_many_peers_exactly_the_limit(up, server):
    user = up.customer("many")
    peers = [Peer(server) for _ in range(8)]
    for peer in peers:
        peer.send(*[user] * 3)
    answers = [peer.read() for peer in peers for _ in range(3)]
    assert sum(answer.startswith("served") for answer in answers) == 5
    assert answers.count("refused: the plan is used up") == 19
    assert os.listdir(f"/proc/{server.process.pid}/task") == [str(server.process.pid)]
    for peer in peers:
        peer.close()
    server.stop(signal.SIGTERM)
    assert up.usage(user) == (5, 0, 0)


def test_who_waits_for_the_service_delays_nobody(up, server):
    known, new = up.customer("known", "pro"), up.customer("new")
    with Peer(server) as busy, Peer(server) as patient, Peer(server) as gone:
        assert busy.ask(known) == ["served, 4999999 left"]
        with up.serve.away():
            patient.send(new, new)
            gone.send(new)
            gone.close()
            began = time.monotonic()
            assert [busy.ask(known) for _ in range(5)][4] == ["served, 4999994 left"]  # one by one: the first may be read before the others' lines
            assert time.monotonic() - began < 1, "the one that waits holds nobody up"
            before = processor_ticks(server.process.pid)
            time.sleep(0.3)  # what is measured is the time of waiting itself
            assert processor_ticks(server.process.pid) - before < 3, "it sleeps until there is something to do"
        answers = [patient.read(), patient.read()]
        assert all(answer.startswith("served, ") for answer in answers)
    server.stop(signal.SIGTERM)
    assert up.usage(new)[1:] == (0, 0)


@pytest.mark.long
def test_with_the_service_away_patience_ends(up, server):
    with Peer(server) as peer:
        with up.serve.away():
            assert peer.ask("user_anybody") == ["refused: not at the moment"]
    server.stop(signal.SIGTERM)


def test_a_line_without_an_end_is_not_kept(server):
    with Peer(server) as peer:
        peer.send("x" * 300)
        assert peer.read() == ""
    server.stop(signal.SIGTERM)
