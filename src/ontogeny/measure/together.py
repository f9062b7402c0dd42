"""All measures of a run, kinds side by side on the machine's cores.

May import ontogeny.measure and ontogeny.run.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import xarray as xr

from ontogeny.measure.categories import Progress
from ontogeny.measure.detectors import detectors_run
from ontogeny.measure.graphs import graph_run
from ontogeny.measure.store import measure_run
from ontogeny.measure.structure import structure_run
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
        Called with a few words when a kind is done.

    Raises
    ------
    RunError
        If there is no record, or no room.
    InputError
        If the record lacks what a measure needs.
    """
    path = run.path if isinstance(run, RunFolder) else Path(run)
    measure_run(path, progress=progress)
    count = workers or min(len(KINDS), os.cpu_count() or 1)
    if progress is not None:
        progress(", ".join(KINDS))
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        running: dict[Future[None], str] = {pool.submit(_keep, k, path): k for k in KINDS}
        for done in as_completed(running):
            done.result()
            if progress is not None:
                progress(f"{running[done]}: done")


def _keep(kind: str, path: Path) -> None:
    """Measure one kind; the data stay on disk."""
    KINDS[kind](path)
