#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles the programs of docs/event-loops.md and runs them against a server that takes its time and answers the first
request with 503, so that a loop needs both the descriptor and the timer.

  check_loops.py DOCUMENT COMPILER INCLUDE LIBRARY_FOLDER
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.dont_write_bytecode = True

import listener  # noqa: E402 - found by the path above

CALLS = 5
TIMEOUT_S = 60
CUSTOMER = b'{"customer":{"id":"user_1"}}'


class Handler(listener.Handler):
    lock = threading.Lock()
    requests = 0

    def do_GET(self):
        with Handler.lock:
            Handler.requests += 1
            is_first = Handler.requests == 1
        time.sleep(0.05)
        body = b"{}" if is_first else CUSTOMER
        self.answer(503 if is_first else 200, body)


def programs(document):
    """Name and text of each program: its first line is a comment that begins with its file name."""
    with open(document) as file:
        blocks = re.findall(r"^```c\n(.*?)^```$", file.read(), re.M | re.S)
    return {re.match(r"/\* (\S+)\.c:", block).group(1): block for block in blocks}


def uv_flags():
    if not shutil.which("pkg-config"):
        return None
    done = subprocess.run(["pkg-config", "--cflags", "--libs", "libuv"], text=True, capture_output=True)
    return done.stdout.split() if done.returncode == 0 else None


def compile_program(folder, name, text, flags):
    compiler, include, library = sys.argv[2:5]
    source, program = os.path.join(folder, name + ".c"), os.path.join(folder, name)
    with open(source, "w") as file:
        file.write(text)
    subprocess.run([*compiler.split(), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-D_DEFAULT_SOURCE", f"-I{include}",
                    source, "-o", program, f"-L{library}", "-ldreamapi", f"-Wl,-rpath,{library}", *flags], check=True)
    return program


def run(program, address):
    Handler.requests = 0
    environment = {**os.environ, "DREAMAPI_BASE_URL": address, "DREAMAPI_SECRET_KEY": "sk_live_1"}
    done = subprocess.run([program], text=True, capture_output=True, env=environment, timeout=TIMEOUT_S)
    # One request was answered 503 and sent again.
    return done.returncode == 0 and done.stdout == "DREAMAPI_OK\n" * CALLS and Handler.requests == CALLS + 1


def main():
    address = listener.Listener(Handler).url
    found = programs(sys.argv[1])
    assert set(found) == {"loop_epoll", "loop_uv"}, sorted(found)
    failed = 0
    print(f"1..{len(found)}")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, text) in enumerate(found.items(), 1):
            flags = uv_flags() if name == "loop_uv" else []
            if flags is None:
                print(f"ok {number} - {name} # SKIP libuv is not installed")
                continue
            is_good = run(compile_program(folder, name, text, flags), address)
            failed += not is_good
            print(f"{'ok' if is_good else 'not ok'} {number} - {name} finishes its calls")
    return 1 if failed else 0


sys.exit(main())
