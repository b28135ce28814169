# SPDX-License-Identifier: Apache-2.0
"""The paths to what these tests share with the end-to-end tests."""

import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "e2e")]
sys.dont_write_bytecode = True
