# SPDX-License-Identifier: Apache-2.0
"""The library in a process that is not its own: plugins that are loaded and unloaded, two of them at once, and a process that ends with a
client open, a transfer under way, threads calling or after a fork. `../load` has the programs; DREAMAPI_LONG=1 runs more rounds, and under
valgrind."""

import contextlib
import os
import socket
import ssl
import subprocess
import threading

import pytest

import certificates
import daemon
import listener

pytestmark = pytest.mark.plain

INCLUDE, LIBRARY, SOURCES = daemon.ROOT / "include", daemon.build_dir() / "src/lib", daemon.ROOT / "tests/load"
ROUNDS = 100 if os.environ.get("DREAMAPI_LONG") else 20
# The archive needs what is beneath it. mbedTLS's own archive is not position-independent in Debian: in a shared object it is shared.
LINKED = {"shared": ["-ldreamapi", f"-Wl,-rpath,{LIBRARY}"],
          "archive": ["-l:libdreamapi.a", "-Wl,--exclude-libs,ALL", "-lmbedcrypto", "-lcurl", "-lcjson", "-pthread"]}
CASES = ["load-only", "load-and-use", "two-plugins", "client-left", "freed-late", "transfer-left", "threads-calling", "fork-then-exit"]
STOP_HALFWAY = ("transfer-left", "fork-then-exit")
VALGRIND = ["valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=9"]


class Handler(listener.Handler):
    """Answers GET /health, on a connection of its own, and nothing else."""
    def do_GET(self):
        if self.path != "/health":
            self.server.held.set()
            self.server.is_over.wait()
            return
        self.answer(200, b'{"status":"ok"}', Connection="close")


class Server(listener.Listener):
    """Threads that hold a request end when it does."""

    def __init__(self, tls=None):
        self.held, self.is_over = threading.Event(), threading.Event()
        super().__init__(Handler, tls)

    def close(self):
        self.is_over.set()
        super().close()


def compile_c(source, target, *words):
    subprocess.run(["cc", "-D_GNU_SOURCE", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", str(SOURCES / source), "-o", str(target), *words], check=True)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    program = tmp_path_factory.mktemp("host") / "host"
    compile_c("host.c", program, "-pthread")
    return program


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    """For each way to link, two copies: the loader takes one file for one object."""
    folder, made = tmp_path_factory.mktemp("plugins"), {}
    for kind, words in LINKED.items():
        first, second = folder / f"{kind}-1.so", folder / f"{kind}-2.so"
        compile_c("plugin.c", first, "-fPIC", "-shared", "-fvisibility=hidden", f"-I{INCLUDE}", f"-L{LIBRARY}", *words)
        second.write_bytes(first.read_bytes())
        made[kind] = [str(first), str(second)]
    return made


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """The server's context, and the file of the authority that vouches for it."""
    authority = certificates.Authority(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("load"))
    return context, authority.file


def run_host(words, case, settings=None, context=None):
    with Server(context) as server:
        env = {**daemon.environment(), "ROUNDS": str(ROUNDS), **(settings or {}), "BASE_URL": server.url}
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *words], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        try:
            if case in STOP_HALFWAY:
                assert process.stdout.readline() == "running\n"
                assert server.held.wait(30)
            out, err = process.communicate(timeout=300)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
    assert process.returncode == 0, (process.returncode, out + err)


def test_the_page_links_a_plugin_as_it_is_done_here():
    assert " ".join(["-LPREFIX/lib", *LINKED["archive"]]) in (daemon.ROOT / "docs/linking.md").read_text()


@pytest.mark.parametrize("kind", LINKED)
@pytest.mark.parametrize("case", CASES)
def test_a_host_comes_to_a_clean_end(host, plugins, case, kind):
    run_host([host, case, *plugins[kind]], case)


# Over https the TLS library beneath libcurl ends before the process does: a thread that still uses it would crash.
@pytest.mark.parametrize("kind", LINKED)
@pytest.mark.parametrize("case", ["client-left", "freed-late", "transfer-left", "threads-calling", "fork-then-exit"])
def test_a_host_that_spoke_https_comes_to_a_clean_end(host, plugins, tls, case, kind):
    context, authority = tls
    run_host([host, case, *plugins[kind]], case, {"CA_FILE": str(authority)}, context)


# Each connection reads all the system's certificates: 64 that begin at once take seconds, more on a busy machine.
def test_a_host_that_begins_many_connections_over_https_comes_to_a_clean_end(host, plugins):
    assert os.path.getsize("/etc/ssl/certs/ca-certificates.crt") > 100000
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent, contextlib.ExitStack() as kept:
        env = {**daemon.environment(), "BASE_URL": f"https://127.0.0.1:{silent.getsockname()[1]}"}
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", host, "connections-begun", plugins["shared"][0]], env=env,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        kept.callback(process.kill)
        assert process.stdout.readline() == "running\n"
        silent.settimeout(30)
        for _ in range(3):  # have begun to speak
            assert kept.enter_context(silent.accept()[0]).recv(1)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (process.returncode, out + err)


def test_a_plugin_with_the_archive_within_shows_nothing_of_it(plugins):
    shown = subprocess.run(["nm", "-D", "--defined-only", plugins["archive"][0]], check=True, capture_output=True, text=True).stdout
    assert {line.split()[2] for line in shown.splitlines()} == {"plugin_open", "plugin_call", "plugin_start", "plugin_close"}


# Of a client that is left open valgrind would search the journal's whole range for pointers: a gigabyte, most of it past the file's end.
@pytest.mark.long
@pytest.mark.parametrize("case", ["load-and-use", "freed-late"])
def test_a_plugin_leaks_nothing(host, plugins, case):
    run_host([*VALGRIND, host, case, *plugins["archive"]], case, {"ROUNDS": "4"})
