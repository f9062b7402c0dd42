"""All measures of a run, kinds side by side on the machine's cores.

May import ontogeny.measure and ontogeny.run.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import xarray as xr

from ontogeny.measure.detectors import detectors_run
from ontogeny.measure.graphs import graph_run
from ontogeny.measure.store import measure_run
from ontogeny.measure.structure import structure_run
from ontogeny.progress import Parts, Progress
from ontogeny.run import RunFolder

KINDS: dict[str, Callable[[Path], xr.Dataset]] = {
    "category structure": structure_run,
    "couplings over steps": graph_run,
    "tuning and lives of units": detectors_run,
}
"""Kinds that need each nothing of the others, the longest first."""


def measure_all(
    run: RunFolder | str | os.PathLike[str],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Bring all of a run's measures up to its record: measures, structure, detectors, graph.

    Each kind is a process of its own, that reads the record and writes one file of the run's
    folder; nothing is sent between them. What is fresh is skipped.

    Parameters
    ----------
    run
        A run, or its folder.
    workers
        Kinds at a time; None: as many as there are cores, 3 at most. Each takes up to 0.9 GB.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    RunError
        If there is no record, or no room.
    InputError
        If the record lacks what a measure needs.
    """
    path = run.path if isinstance(run, RunFolder) else Path(run)
    stages = Parts(progress, {"measures": 1, "kinds": 12})
    measure_run(path, progress=stages.of("measures"))
    say = stages.of("kinds")
    count = workers or min(len(KINDS), os.cpu_count() or 1)
    say(", ".join(KINDS), 0, len(KINDS))
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        running: dict[Future[None], str] = {pool.submit(_keep, k, path): k for k in KINDS}
        for number, done in enumerate(as_completed(running), start=1):
            done.result()
            say(f"{running[done]}: done", number, len(KINDS))


def _keep(kind: str, path: Path) -> None:
    """Measure one kind; the data stay on disk."""
    KINDS[kind](path)
