# SPDX-License-Identifier: Apache-2.0
"""Cached meters of a server without leases, in real processes: however often they are killed, no more than the bound is admitted ahead
of what the server counted, nothing is billed twice, and what is billed never is known to the byte."""

import mmap
import os
import signal
import struct
import subprocess

import pytest

import bare
import daemon

BOUND = 20
SLOTS = 64


class Witness:
    """What the programs themselves say of their uses."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(16 * SLOTS))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 16 * SLOTS)

    def sum(self, which):
        return sum(struct.unpack_from("qq", self.map, 16 * slot)[which] for slot in range(SLOTS))

    @property
    def begun(self):
        return self.sum(0)

    @property
    def admitted(self):
        return self.sum(1)


class Run:
    def __init__(self, tmp_path, kind, limit=10**6):
        self.witness = Witness(tmp_path / "witness")
        self.journal = tmp_path / "journal"
        self.server = bare.Bare(kind, limit, self.check)
        self.slots = 0
        self.allowance = 0  # uses of killed threads that may have been admitted without their word

    def check(self, counted):
        over = self.witness.admitted - counted
        assert over <= BOUND, "%d admitted ahead of the count" % over

    def environment(self):
        return {**os.environ, "DREAMAPI_BASE_URL": self.server.url, "DREAMAPI_SECRET_KEY": "sk_test_1", "JOURNAL": str(self.journal)}

    def program(self, *arguments, **options):
        return subprocess.Popen([daemon.build_dir() / "tests/e2e/direct", *arguments], env=self.environment(), **options)

    def start(self, threads):
        self.slots += 1
        return self.program("user_1", str(BOUND), str(threads), str(self.witness.path), str(self.slots))

    def kill_at(self, program, counted):
        """Killed by the server, in the middle of a report."""
        def kill(now):
            if now >= counted and program.poll() is None:
                program.send_signal(signal.SIGKILL)
        self.server.on_count = kill
        assert program.wait(timeout=60) == -signal.SIGKILL
        self.server.on_count = lambda now: None

    def flush(self):
        told = self.program("flush", stdout=subprocess.PIPE, text=True)
        text = told.communicate(timeout=60)[0].split()
        assert told.returncode == 0
        return text[0], int(text[1].split("=")[1]), int(text[2].split("=")[1])


@pytest.mark.parametrize("kind", ["plain", "keyed", "batch"])
def test_kills__what_was_admitted_is_billed_once_or_known_to_be_in_doubt(tmp_path, kind):
    run = Run(tmp_path, kind)
    with run.server as server:
        for number in range(1, 6):
            run.kill_at(run.start(threads=4), counted=100 * number)
        status, unreported, doubtful = run.flush()
        assert (status, unreported) == ("DREAMAPI_OK", 0)
        assert server.problems == []
        # A killed thread's last use may have been admitted without its word.
        assert run.witness.admitted <= server.counted + doubtful <= run.witness.begun
        # A report that was cut off is in doubt only where the server could not tell.
        assert doubtful <= 5 if kind == "plain" else doubtful == 0


@pytest.mark.parametrize("kind", ["plain", "keyed", "batch"])
def test_answers_that_get_lost__nothing_is_billed_twice(tmp_path, kind):
    run = Run(tmp_path, kind, limit=400)
    with run.server as server:
        server.lose = lambda requests: requests in (30, 60, 90)
        assert run.start(threads=4).wait(timeout=120) == 0
        status, _, doubtful = run.flush()
        assert status in ("DREAMAPI_OK", "DREAMAPI_LIMIT")
        assert server.problems == []
        assert server.counted == 400 <= run.witness.admitted
        assert run.witness.admitted - BOUND <= server.counted
        assert doubtful <= 3 if kind == "plain" else doubtful == 0


@pytest.mark.parametrize("kind", ["plain", "batch"])
def test_processes_of_one_journal__together_they_stay_within_the_bound(tmp_path, kind):
    run = Run(tmp_path, kind, limit=600)
    with run.server as server:
        programs = [run.start(threads=3) for _ in range(3)]
        run.kill_at(programs[0], counted=200)
        assert [program.wait(timeout=120) for program in programs[1:]] == [0, 0]
        _, _, doubtful = run.flush()
        assert server.problems == []
        assert server.counted == 600
        assert run.witness.admitted <= 600 + BOUND
        assert doubtful <= 1 if kind == "plain" else doubtful == 0


@pytest.mark.parametrize("kind", ["plain", "batch"])
def test_processes_that_are_stopped_together__all_is_reported_and_nothing_twice(tmp_path, kind):
    run = Run(tmp_path, kind)
    with run.server as server:
        programs = [run.start(threads=2) for _ in range(4)]
        daemon.wait_for("some uses of each", lambda: all(struct.unpack_from("qq", run.witness.map, 16 * slot)[1] > 5 for slot in range(1, 5)))
        for program in programs:
            program.send_signal(signal.SIGTERM)
        assert [program.wait(timeout=60) for program in programs] == [0] * 4
        assert server.problems == []
        assert server.counted == run.witness.admitted
