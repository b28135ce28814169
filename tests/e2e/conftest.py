# SPDX-License-Identifier: Apache-2.0
"""What all end-to-end tests share: the path to tests/support, and the lines that are printed after the last test."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.dont_write_bytecode = True

SUMMARY = []


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes its seconds: only ./dev check runs it, with DREAMAPI_LONG=1")


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
