"""How measures of a run are kept in its folder, Ontogeny's own sets as well as another's.

May import xarray, ontogeny.measure and ontogeny.run.
"""

import os
from collections.abc import Callable
from dataclasses import asdict

import xarray as xr
from threadpoolctl import threadpool_limits

from ontogeny.measure.keeping import Kind, Making, Save, keep
from ontogeny.measure.quantity import Chance
from ontogeny.progress import Progress, silent
from ontogeny.run import RunFolder

Measure = Callable[[xr.Dataset, RunFolder], xr.Dataset]
"""Measures a record; the run gives what the record does not hold."""


def kept(
    run: RunFolder | str | os.PathLike[str],
    file: str,
    measure: Measure,
    *,
    chance: Chance,
    progress: Progress | None = None,
    version: int = 1,
) -> xr.Dataset:
    """Measure a run's record into a file of its folder, or return what is there and fresh.

    For measures of your own; Ontogeny's are made by name (`ontogeny.measure.measure_run`).

    Parameters
    ----------
    run
        A run, or its folder.
    file
        Name of the zarr group in the run's folder, such as mine.zarr.
    measure
        What makes the measures; called where there are none, or stale or damaged ones.
    chance
        How nulls and intervals are drawn; part of the key.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).
    version
        Raise it when the code of the measures changes, and they are stale.

    Raises
    ------
    RunError
        If there is no record, or no room for the measures.
    """
    name = file.partition(".")[0]
    return kept_as(Kind(name, name, version), run, measure, chance=chance, progress=progress)


def kept_as(
    kind: Kind,
    run: RunFolder | str | os.PathLike[str],
    measure: Measure,
    *,
    chance: Chance,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure a run's record into the file of a kind, or return what is there and fresh.

    Raises
    ------
    RunError
        If there is no record, or no room for the measures.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)

    def make(record: xr.Dataset, _: Save) -> xr.Dataset:
        with threadpool_limits(1, "blas"):  # matrices are small: threads would wait on each other
            data = measure(record, folder)
        data.attrs |= asdict(chance)
        return data

    return keep(folder, Making(kind, asdict(chance), make), progress or silent)
