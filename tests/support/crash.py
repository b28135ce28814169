# SPDX-License-Identifier: Apache-2.0
"""Workers that spend units and are killed (tests/crash), and what an outside witness knows of them. The witness is a file that both
map: per thread and account the least and the most units that can have been admitted."""

import json
import mmap
import os
import pathlib
import signal
import sqlite3
import struct
import subprocess
import time
import urllib.error
import urllib.request
import zlib

import daemon
import listener

ACCOUNTS, SLOTS = 8, 512
HEAD, SLOT = struct.Struct("<4q"), struct.Struct(f"<{2 + 2 * ACCOUNTS}q")
ENDED = 2


def program():
    return str(daemon.build_dir() / "tests/crash/crash_worker")


def may_fork():
    """False where the thread sanitizer watches: it gives up on a child, of a process with threads, that starts one itself."""
    options = json.loads((daemon.build_dir() / "meson-info/intro-buildoptions.json").read_text())
    return not any(option["name"] == "b_sanitize" and "thread" in option["value"] for option in options)


def points():
    return subprocess.run([program(), "points"], capture_output=True, text=True, check=True).stdout.split()


def wait_until(happened, timeout_s=30):
    """Like daemon.wait_for, but looks as often as it can: the moments at which workers are killed depend on it."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {timeout_s} s"
        time.sleep(0.0005)


class Leaseless:
    """The service as one that announces no leases: everything else passes through."""

    def __init__(self, api):
        class Handler(listener.Handler):
            def pass_on(self):
                request = urllib.request.Request(api + self.path, data=self.body() or None, method=self.command, headers={
                    name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection", "content-length")})
                try:
                    with urllib.request.urlopen(request, timeout=20) as answer:
                        status, found = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, found = error.code, error.read()
                if self.path == "/health":
                    found = found.replace(b'"leases"', b'"not-leases"')
                self.answer(status, found, Content_Type="application/json")

            do_GET = do_POST = pass_on

        self._server = listener.Listener(Handler)
        self.url = self._server.url

    def close(self):
        self._server.close()


class Witness:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.write_bytes(bytes(HEAD.size + SLOTS * SLOT.size))
        with open(self.path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def _head(self):
        return HEAD.unpack_from(self._map, 0)

    def slots(self):
        return [SLOT.unpack_from(self._map, HEAD.size + i * SLOT.size) for i in range(min(self._head()[1], SLOTS))]

    def operations(self):
        return sum(slot[1] for slot in self.slots())

    @property
    def failed(self):
        return self._head()[3]

    @property
    def forks(self):
        return self._head()[2]

    def stop(self):
        struct.pack_into("<q", self._map, 0, 1)

    def bounds(self):
        """[(least, most)] by account. Only a thread that was killed leaves the two apart."""
        slots = self.slots()
        for slot in slots:
            assert slot[0] != ENDED or slot[2:2 + ACCOUNTS] == slot[2 + ACCOUNTS:], "a thread ended within an operation"
            apart = sum(a != b for a, b in zip(slot[2:2 + ACCOUNTS], slot[2 + ACCOUNTS:]))
            assert apart <= 1, "a thread was in two operations at once"
        return [(sum(slot[2 + i] for slot in slots), sum(slot[2 + ACCOUNTS + i] for slot in slots)) for i in range(ACCOUNTS)]

    def close(self):
        self._map.close()


def is_running(pid):
    """False for one that is dead and only not waited for."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def members(group):
    """The running processes of a process group."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields and fields[0] not in "ZX" and int(fields[2]) == group:
            found.append(int(path.parent.name))
    return found


class Worker:
    """One process (and the children it forks), in a process group of its own."""
    command = [program()]

    def __init__(self, stage, witness, *words, kill_at=None, base_url=None):
        self.witness = witness
        env = {"DREAMAPI_BASE_URL": base_url or stage.serve.api, "DREAMAPI_SECRET_KEY": stage.names["<sk-app>"]}
        if kill_at:
            env["DREAM_KILL_AT"] = kill_at
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.command, *map(str, words)], env=daemon.environment(env),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        start_new_session=True)

    @property
    def has_ended(self):
        return self.process.poll() is not None

    def kill(self):
        """SIGKILL, to it and to the children that it forked. Returns when none of them runs."""
        group = self.process.pid
        for pid in [group] if self.process.returncode is None else []:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for pid in members(group):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not members(group))
        self._close()

    def finish(self, timeout_s=60):
        """Its exit status, once its children have ended, too."""
        try:
            out, err = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("a worker did not end") from None
        wait_until(lambda: not members(self.process.pid), timeout_s)
        self.errors = err
        self._close()
        return self.process.returncode

    def _close(self):
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()


class Books:
    """What the service has booked, by (user, meter): {"used", "held", "lost"}."""

    def __init__(self, db):
        self._db = db

    def of(self, user_id, meter):
        with sqlite3.connect(f"file:{self._db}?mode=ro", uri=True, timeout=20) as db:
            row = db.execute("SELECT SUM(used), SUM(held), SUM(lost) FROM usage_counts WHERE user_id = ? AND meter = ?",
                             (user_id, meter)).fetchone()
        return tuple(value or 0 for value in row)


# ---- the journal's header, as src/lib/meter/journal.h lays it out ----

IDENTITY_IN_FORCE, IS_CLEAN, IDENTITIES, IDENTITY_SIZE = 16, 20, 80, 200
BOOT, HOLDER = slice(8, 24), slice(56, 96)


class Header:
    def __init__(self, path):
        self._path = pathlib.Path(path)

    def _identity(self, bytes_):
        start = IDENTITIES + (struct.unpack_from("<I", bytes_, IDENTITY_IN_FORCE)[0] & 1) * IDENTITY_SIZE
        return start, bytearray(bytes_[start:start + IDENTITY_SIZE])

    @property
    def holder(self):
        return bytes(self._identity(self._path.read_bytes()[:IDENTITIES + 2 * IDENTITY_SIZE])[1][HOLDER]).rstrip(b"\0").decode()

    @property
    def is_clean(self):
        return struct.unpack_from("<I", self._path.read_bytes()[:IDENTITIES], IS_CLEAN)[0] != 0

    def reboot(self):
        """Writes down that it was last open in another boot than this one."""
        with open(self._path, "r+b") as file:
            start, identity = self._identity(file.read(IDENTITIES + 2 * IDENTITY_SIZE))
            assert struct.unpack_from("<I", identity)[0] == zlib.crc32(bytes(identity[4:])), "the header is laid out otherwise"
            identity[BOOT] = os.urandom(16)
            struct.pack_into("<I", identity, 0, zlib.crc32(bytes(identity[4:])))
            file.seek(start)
            file.write(identity)
