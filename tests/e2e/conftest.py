# SPDX-License-Identifier: Apache-2.0
"""What all end-to-end tests share: the path to tests/support, the Python package, which is built once a run, and the lines that are
printed after the last test."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.dont_write_bytecode = True

import daemon  # noqa: E402 - found by the path above

SUMMARY = []


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes its seconds: only ./dev check runs it, with DREAMAPI_LONG=1")
    config.addinivalue_line("markers", "plain: not for a build with sanitizers (tests/suite.sh)")


def pytest_collection_modifyitems(config, items):
    """A long test is no case of the short run: a skipped one would count as a failure."""
    if os.environ.get("DREAMAPI_LONG"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_terminal_summary(terminalreporter):
    for line in SUMMARY:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def python_source(tmp_path_factory):
    """A copy of the Python package's source, as pip leaves files in it, and the environment in which it finds the library: installed under a
    prefix, by pkg-config."""
    root = tmp_path_factory.mktemp("python")
    subprocess.run(["meson", "install", "-C", str(daemon.build_dir()), "--no-rebuild", "--quiet", "--destdir", str(root)], check=True,
                   stdout=subprocess.DEVNULL)
    config, prefix = next(root.rglob("dreamapi.pc")), next(root.rglob("dreamapi.h")).parent.parent
    config.write_text(re.sub(r"^prefix=.*", f"prefix={prefix}", config.read_text(), flags=re.MULTILINE))
    shutil.copytree(daemon.ROOT / "bindings" / "python", root / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    return root / "source", {**os.environ, "PKG_CONFIG_PATH": str(config.parent)}


@pytest.fixture(scope="session")
def package_path(python_source):
    """The folder in which the Python package was installed, from what is on the machine already."""
    source, environment = python_source
    site = source.parent / "site"
    # Nobody waits for the optimizer but the one test that measures.
    flags = {} if os.environ.get("DREAMAPI_LONG") == "1" else {"CFLAGS": "-O0"}
    built = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-build-isolation", "--no-deps",
                            "--target", str(site), str(source)], env={**environment, **flags}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)
    assert built.returncode == 0, built.stdout
    return site


@pytest.fixture(scope="session")
def package(package_path):
    """The package, imported into this process."""
    sys.path.insert(0, str(package_path))
    import dreamapi
    yield dreamapi
    sys.path.remove(str(package_path))
