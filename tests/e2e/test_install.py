# SPDX-License-Identifier: Apache-2.0
"""What `./dev install PREFIX` leaves behind is what a user links: pkg-config, the quickstart, the service. Headers and exported
symbols are checked at build time (tests/unit/lib/check_headers.py, check_exports.py)."""
import os
import re
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DREAMAPI_BUILD_DIR", os.path.join(TOP, "build"))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """The build installed into a folder that it was not configured for: the package must find itself there."""
    root = tmp_path_factory.mktemp("install")
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", str(root)], check=True,
                   stdout=subprocess.DEVNULL)
    found = [base for base, _, names in os.walk(root) if "dreamapi.h" in names]
    assert len(found) == 1
    return os.path.dirname(found[0])


def pkg_config(prefix, *words):
    folders = [base for base, _, names in os.walk(prefix) if "dreamapi.pc" in names]
    assert len(folders) == 1
    # Nothing but our own package may be needed to link: the libraries below it are private.
    env = {**os.environ, "PKG_CONFIG_LIBDIR": folders[0]}
    return subprocess.run(["pkg-config", f"--define-variable=prefix={prefix}", *words, "dreamapi"], env=env, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()


def library(prefix):
    for base, _, names in os.walk(prefix):
        for name in names:
            if name == "libdreamapi.so":
                return os.path.join(base, name)
    raise AssertionError("no libdreamapi.so")


def test_the_quickstart_builds_and_runs_against_the_installed_prefix(prefix, tmp_path):
    program = str(tmp_path / "quickstart")
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", os.path.join(TOP, "examples", "quickstart.c"), "-o", program,
                    *pkg_config(prefix, "--cflags", "--libs")], check=True)
    env = {name: value for name, value in os.environ.items() if name not in ("DREAMAPI_BASE_URL", "LD_LIBRARY_PATH")}
    run = subprocess.run([program, "ada@example.com", "pro"], env=env, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 1
    assert "DREAMAPI_INVALID" in run.stderr and "DREAMAPI_BASE_URL" in run.stderr


def test_the_service_is_installed_and_names_its_version(prefix):
    run = subprocess.run([os.path.join(prefix, "bin", "dreamapid"), "--version"], check=True, stdout=subprocess.PIPE, text=True)
    assert re.match(r"dreamapid \d+\.\d+\.\d+", run.stdout)


def test_demo_runs_end_to_end():
    run = subprocess.run(["python3", os.path.join(TOP, "examples", "stack.py"), "demo", BUILD], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, timeout=120)
    assert run.returncode == 0, run.stdout
    assert "Demo passed" in run.stdout
