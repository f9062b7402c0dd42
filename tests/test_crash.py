"""Real processes, really killed (SIGKILL): whatever the moment, the run ends in the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

from crash_worker import CONFIG, KILLS
from ontogeny.record import open_record
from ontogeny.run import RunFolder

pytestmark = [pytest.mark.torch, pytest.mark.slow]

HERE = Path(__file__).parent


def work(folder, *arguments):
    worker = subprocess.run(
        [sys.executable, HERE / "crash_worker.py", folder, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert worker.returncode == 0, worker.stderr
    assert worker.stderr == ""
    return json.loads(worker.stdout)


def assert_same_end(run, whole):
    assert run.state == "complete"
    assert run.steps == whole.steps == CONFIG.snapshot_steps
    for kind in ("snapshots", "resume"):
        for file in (whole.path / kind).iterdir():
            assert (run.path / kind / file.name).read_bytes() == file.read_bytes(), file
    assert (run.path / "curve.csv").read_bytes() == (whole.path / "curve.csv").read_bytes()
    assert run.curve().step.tolist() == list(range(1, CONFIG.steps + 1))
    assert not [p for p in run.path.rglob("*.tmp") if "record" not in str(p)]


def test_fifty_kills_at_random_moments_change_no_bit(tmp_path):
    outcome = work(tmp_path, 0)
    assert outcome["kills"] == KILLS
    whole = RunFolder.open(tmp_path / "whole")
    record = open_record(whole.path)
    assert record["step"].values.tolist() == list(CONFIG.snapshot_steps)
    for index in range(outcome["runs"]):
        run = RunFolder.open(tmp_path / f"run{index}")
        assert_same_end(run, whole)
        xr.testing.assert_identical(open_record(run.path).load(), record.load())


def test_kills_at_and_within_file_operations_change_no_bit(tmp_path):
    """All operations of the beginning, then a spread of those of the training and its end."""
    operations = [*range(1, 24), *range(24, 200, 11)]
    outcome = work(tmp_path, *operations)
    assert outcome["kills"] >= 30
    whole = RunFolder.open(tmp_path / "whole")
    for operation in operations:
        assert_same_end(RunFolder.open(tmp_path / f"at{operation}"), whole)
