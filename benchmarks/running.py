"""The whole of `ontogeny run`, beside the bare training of the same steps, as a user meets it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import Row

SIZES = (15, 60)
"""Snapshots of the two runs whose peak memory is compared."""


QUICK = 60.0
"""Seconds within which a quick run is whole."""
BARE = """
import time
from ontogeny.config import Config
from ontogeny.model import vgg
from ontogeny.tasks import load_task
from ontogeny.train import Training
task = load_task("faces")
config = Config().settled(mirrors=task.mirrors, n_train=len(task.train))
training = Training(vgg(task), task, config)
began = time.perf_counter()
while training.step < training.config.steps:
    training.advance()
print(time.perf_counter() - began)
"""
"""The same updates, with as many threads as torch chooses; nothing is written or looked at."""


def rows() -> list[Row]:
    """Time whole runs of the built-in task, and compare memory between lengths of record."""
    with tempfile.TemporaryDirectory() as folder:
        bare = float(subprocess.run(
            [sys.executable, "-c", BARE], check=True, capture_output=True, text=True
        ).stdout)  # fmt: skip
        whole = measured("run", "faces", "--out", str(Path(folder) / "run"))[0]
        quick = measured("run", "faces", "--quick", "--out", str(Path(folder) / "quick"))[0]
        peaks = []
        for snapshots in SIZES:
            short = Path(folder) / f"short{snapshots}"
            how = ("--steps", "60", "--snapshots", str(snapshots))
            measured("train", "faces", *how, "--out", str(short))
            peaks.append(measured("observe", str(short))[1])
    growth = peaks[1] / peaks[0]
    return [
        Row("`ontogeny run`, 1,200 steps, with pictures, report and page", whole, bare,
            "bare training of the same steps", whole / bare, "<= 2.0 x", whole <= 2 * bare),
        Row("`ontogeny run --quick`, with pictures, report and page", quick, QUICK, "budget",
            quick / QUICK, "<= 60 s", quick <= QUICK),
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
