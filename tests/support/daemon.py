# SPDX-License-Identifier: Apache-2.0
"""Runs the built dreamapid for tests: its one-shot commands, and `serve` with a bounded wait for the line that says where it
listens. Build folder: DREAMAPI_BUILD_DIR, default build/ beside this tree. Every process started here dies with the test
process, even when that one is killed (setpriv --pdeathsig), so start them from the main thread only."""

import contextlib
import http.client
import json
import os
import pathlib
import selectors
import signal
import subprocess
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_S = 20
STOP_S = 15


def build_dir():
    return pathlib.Path(os.environ.get("DREAMAPI_BUILD_DIR") or ROOT / "build").resolve()


def binary():
    for path in (build_dir() / "src/dreamapid/dreamapid", build_dir() / "bin/dreamapid"):
        if path.exists():
            return str(path)
    raise FileNotFoundError(f"no dreamapid in {build_dir()}: build it, or name the build folder in DREAMAPI_BUILD_DIR")


def environment(extra=None):
    """A surrounding without any setting of the person who runs the tests."""
    base = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
            if name in os.environ}
    return {**base, **(extra or {})}


def run(*args, env=None, check=True, timeout_s=60):
    """One command to its end: the finished process, output as text."""
    done = subprocess.run([binary(), *map(str, args)], env=environment(env), capture_output=True, text=True, timeout=timeout_s)
    if check:
        assert done.returncode == 0, f"dreamapid {' '.join(map(str, args))}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def last_json_line(text):
    return json.loads(text.strip().splitlines()[-1])


class Daemon:
    """`dreamapid serve ARGS`, ready when made. `urls` is the line it printed. Use as a context manager, or call `stop`. `under` is
    a command that becomes it (with the same pid), as `unshare` does. `program` is the binary, that of the build folder if None."""

    def __init__(self, folder, *args, env=None, under=(), program=None):
        self.log_path = pathlib.Path(folder) / f"serve-{time.monotonic_ns()}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *under, str(program or binary()), "serve", *map(str, args)],
                                            env=environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                            cwd=folder)
        try:
            self.urls = json.loads(self._first_line())
        except BaseException:
            self.kill()
            raise
        self.api = self.urls["api"]
        self.admin = self.urls["admin"]

    def _first_line(self):
        deadline = time.monotonic() + START_S
        text = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in text:
                assert selector.select(max(0, deadline - time.monotonic())), f"not ready after {START_S} s\n{self.log()}"
                piece = os.read(self.process.stdout.fileno(), 65536)
                assert piece, f"serve ended with {self.process.wait(5)} before it was ready\n{self.log()}"
                text += piece
        return text.split(b"\n")[0]

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(errors="replace")[-20000:]

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @contextlib.contextmanager
    def away(self):
        """Stopped in the midst of whatever it does, as a host that hangs: connections are made, and nobody answers."""
        halt(self.process)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s=STOP_S):
        """The exit status; fails the test when it has not ended by itself."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {timeout_s} s\n{self.log()}") from None

    def kill(self):
        """SIGKILL: what a crash or a lost machine looks like. Does nothing to one that has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """The graceful end; the exit status. After `kill` or `stop` it does nothing."""
        if self.process.returncode is None:
            self.terminate()
            status = self.wait()
            self.process.stdout.close()
            return status
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def halt(process):
    """SIGSTOP; returns when no thread runs any more: until the one that takes the signal is scheduled, the others go on."""
    process.send_signal(signal.SIGSTOP)
    assert os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED


class Answer:
    """What came back: `status`, `headers` (lower-case names), `text`, and `json` if it is that."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.text}"


class Connection:
    """A keep-alive connection of one thread to one address. Errors of the socket are the caller's to see: nothing is retried."""

    def __init__(self, url, timeout_s=30, tls=None):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "https":
            self._http = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=tls)
        else:
            self._http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)

    def ask(self, method, path, headers=None, body=None):
        """`body`: bytes as they are, text encoded, anything else as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        self._http.request(method, path, body=body, headers=headers)
        return Answer(self._http.getresponse())

    def close(self):
        self._http.close()


def ask(url, method, path, headers=None, body=None, timeout_s=30, tls=None):
    """One request on a connection of its own. `tls` says whom to trust over https."""
    connection = Connection(url, timeout_s, tls)
    try:
        return connection.ask(method, path, headers, body)
    finally:
        connection.close()


def wait_for(what, happened, timeout_s=15):
    """Polls until `happened()` is true and returns its value. The pause only spares the processor: nothing depends on it."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = happened()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s} s"
        time.sleep(0.02)
