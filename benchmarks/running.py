"""The whole of `ontogeny run`, in seconds and peak memory, as a user meets it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import Row

SIZES = (15, 60)
"""Snapshots of the two runs whose peak memory is compared."""


def rows() -> list[Row]:
    """Time a default run of the built-in task, and compare memory between lengths of record."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        trained = sum(
            measured(*stage)[0]
            for stage in (("train", "faces", "--out", str(run)), ("observe", str(run)))
        )
        total = trained + sum(measured(stage, str(run))[0] for stage in ("measure", "report"))
        peaks = []
        for snapshots in SIZES:
            short = Path(folder) / f"short{snapshots}"
            how = ("--steps", "60", "--snapshots", str(snapshots))
            measured("train", "faces", *how, "--out", str(short))
            peaks.append(measured("observe", str(short))[1])
    growth = peaks[1] / peaks[0]
    return [
        Row("run of 1,200 steps: train and observe", trained, 180.0, "budget", trained / 180,
            "<= 180 s", trained <= 180),
        Row("run of 1,200 steps: all stages", total, 360.0, "budget", total / 360,
            "<= 360 s", total <= 360),
        Row("peak memory of observing 60 snapshots", peaks[1], peaks[0], "15 snapshots", growth,
            "<= 1.05 x", growth <= 1.05, unit="MiB"),
    ]  # fmt: skip


def measured(*arguments: str) -> tuple[float, float]:
    """Run one command in a process of its own; return its seconds and its peak memory in MiB."""
    code = (
        "import json, resource, sys, time; from ontogeny.cli import main; t = time.perf_counter()\n"
        "code = main(sys.argv[1:] + ['--quiet']); s = time.perf_counter() - t\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "print(json.dumps([code, s, peak]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    status, elapsed, peak = json.loads(done.stdout.splitlines()[-1])
    if status:
        msg = f"ontogeny {' '.join(arguments)} ended with {status}: {done.stderr}"
        raise RuntimeError(msg)
    return elapsed, peak
