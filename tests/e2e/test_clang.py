# SPDX-License-Identifier: Apache-2.0
"""What the other compiler says of the public headers, and its formatter of all C: ./dev check brings them. gcc's part is in tests/unit/lib
and tests/abi."""

import os
import subprocess
import sys

import pytest

import daemon

INCLUDE = daemon.ROOT / "include"
pytestmark = pytest.mark.plain


def run(*words, **extra):
    done = subprocess.run([sys.executable, *map(str, words)], env={**os.environ, **extra}, capture_output=True, text=True, timeout=300)
    bad = [line for line in done.stdout.splitlines() if line.startswith(("not ok", "#", "Bail out"))]
    assert (done.returncode, bad) == (0, []), done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
def test_every_header_compiles_alone_under_clang():
    headers = sorted([*INCLUDE.glob("*.h*"), *INCLUDE.glob("dreamapi/*.h*")])
    said = run(daemon.ROOT / "tests/unit/lib/check_headers.py", "clang", "clang++", INCLUDE, *headers)
    assert "dreamapi.hpp compiles alone as c++2b" in said


@pytest.mark.long
def test_the_binary_interface_is_the_same_under_clang():
    run(daemon.ROOT / "tests/abi/abi.py", "check", CC="clang")


@pytest.mark.long
def test_the_c_is_laid_out_as_the_formatter_has_it():
    """By Debian 12's version: others break some lines elsewhere."""
    files = sorted(path for folder in ("include", "src", "tests", "examples") for path in (daemon.ROOT / folder).rglob("*.[ch]"))
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", *files], cwd=daemon.ROOT, capture_output=True, text=True, timeout=300)
    assert len(files) > 100 and done.returncode == 0, done.stderr
