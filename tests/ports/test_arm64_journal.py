# SPDX-License-Identifier: Apache-2.0
"""A journal is the same file on both processors: it is laid out as docs/journal.md says, and what a killed process of the one left, a
process of the other settles to the unit, which takes each to find the other's counts, seals, names and times where it would have put
them. (On one machine. A journal that came from another one is a copy.)"""

import os
import pathlib

import pytest

import crash
import test_crash
import test_journal_doc

ROOT, BUILD = (pathlib.Path(os.environ["DREAMAPI_ARM64_" + name]) for name in ("ROOT", "DIR"))
EMULATOR = ["qemu-aarch64", "-L", str(ROOT)]
WORKERS = {"amd64": [crash.program()], "arm64": [*EMULATOR, str(BUILD / "tests/crash/crash_worker")]}
OPERATIONS = 60


def test_the_layout_is_the_documents(tmp_path):
    test_journal_doc.check_document(tmp_path, ["aarch64-linux-gnu-gcc", f"--sysroot={ROOT}"], EMULATOR)


@pytest.mark.parametrize("point", [None, "install_active", "fold_counted", "settle_remembered"])
@pytest.mark.parametrize("spender, settler", [("arm64", "amd64"), ("amd64", "arm64")])
def test_what_one_left_the_other_settles_exactly(tmp_path, monkeypatch, spender, settler, point):
    with test_crash.Field(tmp_path, test_crash.seed()) as field:
        monkeypatch.setattr(crash.Worker, "command", WORKERS[spender])
        worker = field.start(kill_at=point and point + ":2")
        test_crash.after(field, worker, 10**9 if point else OPERATIONS)
        assert worker.has_ended == (point is not None)
        field.kill(worker)
        monkeypatch.setattr(crash.Worker, "command", WORKERS[settler])
        field.end_round()
