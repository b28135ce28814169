# SPDX-License-Identifier: Apache-2.0
"""What all end-to-end tests share: the path to tests/support, and the lines that are printed after the last test."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.dont_write_bytecode = True

SUMMARY = []


def pytest_terminal_summary(terminalreporter):
    for line in SUMMARY:
        terminalreporter.write_line(line)
