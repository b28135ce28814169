# SPDX-License-Identifier: Apache-2.0
"""A smoke run of ./dev bench's programs: that every row comes, in the shape that build/bench.json promises. No figure is judged."""

import json
import subprocess
import sys

import pytest

import daemon

pytestmark = pytest.mark.plain

RUN = daemon.ROOT / "tests/bench/run.py"
# The beginning of each row's name, and how many rows begin with it.
ROWS = {"libdreamapi.so, stripped": 1, "idle client": 2, "threads of an idle client": 2, "memory per meter": 2,
        "dreamapi_meter_use": 11, "dreamapi_client_use": 4, "token verified": 4, "lease": 2, "signing a request": 1, "batch events": 1,
        "CPU per item": 3, "POST /api/data": 1, "CPU per POST /api/data": 1, "CPU per GET /health": 1,
        "requests/s of nginx": 1, "CPU per request of nginx": 1}


def test_a_smoke_run_brings_every_row_with_its_floor_and_gate(tmp_path):
    file = tmp_path / "bench.json"
    run = subprocess.run([sys.executable, RUN, "--smoke", daemon.build_dir(), file], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(file.read_text())
    assert told["smoke"] is True and told["machine"]["cores"] >= 1
    for row in told["rows"]:
        assert set(row) == {"name", "value", "unit", "floor", "ratio", "gate", "ok"}, row
        assert isinstance(row["value"], (int, float)) and row["unit"], row
        assert (row["gate"] is None) == (row["ok"] is None), row
        assert row["ratio"] is None or (row["floor"] > 0 and row["ratio"] > 0), row
        assert row["name"] in run.stdout
    names = [row["name"] for row in told["rows"]]
    assert len(set(names)) == len(names)
    assert {start: sum(name.startswith(start) for name in names) for start in ROWS} == ROWS
