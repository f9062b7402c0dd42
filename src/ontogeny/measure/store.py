"""measures.zarr: the first measures of a run; and how all measures of a run are kept.

May import numpy, xarray, ontogeny.record, ontogeny.run and below only.
"""

import os
from collections.abc import Callable
from dataclasses import asdict

import xarray as xr
from threadpoolctl import threadpool_limits

from ontogeny.measure.categories import (
    Chance,
    confusion,
    label_layers,
    label_units,
    preferred_token,
    signals,
    token_margins,
)
from ontogeny.measure.dynamics import label_onsets, learning_curves
from ontogeny.measure.keeping import Making, Save, keep, open_kept
from ontogeny.progress import Progress, silent
from ontogeny.run import RunFolder

FILE = "measures.zarr"


def measure_run(
    run: RunFolder | str | os.PathLike[str],
    *,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure a run's record into its measures.zarr, or return what is there and fresh.

    Parameters
    ----------
    run
        A run, or its folder.
    chance
        How nulls and intervals are drawn.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    RunError
        If there is no record, or no room for the measures.
    InputError
        If the record lacks what a measure needs.
    """
    settled = chance or Chance()

    def measure(record: xr.Dataset, _: RunFolder) -> xr.Dataset:
        return measure_record(record, chance=settled, progress=progress)

    return kept(run, FILE, measure, chance=settled, progress=progress)


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

    Parameters
    ----------
    run
        A run, or its folder.
    file
        Name of the zarr group in the run's folder, such as measures.zarr.
    measure
        What makes the measures; called where there are none, or stale or damaged ones.
    chance
        How nulls and intervals are drawn; part of the key.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).
    version
        Of measures of your own: raise it when their code changes, and they are stale. Ontogeny's
        have theirs in `ontogeny.measure.keeping.KINDS`.

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

    name = file.partition(".")[0]
    return keep(folder, Making(name, asdict(chance), make, version), progress or silent)


def open_measures(run: RunFolder | str | os.PathLike[str]) -> xr.Dataset:
    """Return the measures of a run, fresh or refused.

    Raises
    ------
    DamagedError
        If they are damaged.
    RunError
        If there are none, or they are of another state of the record or of another version.
    """
    return open_kept(run if isinstance(run, RunFolder) else RunFolder.open(run), "measures")


def measure_record(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Compute the first measures of a record: curves, token signals, onsets, confusion.

    Raises
    ------
    InputError
        If the record lacks what a measure needs.
    """
    chance = chance or Chance()
    found = signals(record, chance, progress)
    layers, tokens = label_layers(record, found, chance), token_margins(record, chance=chance)
    parts = [
        learning_curves(record), label_units(record, found), layers, tokens,
        label_onsets(record, found, layers, tokens, chance=chance), confusion(record).to_dataset(),
        preferred_token(record).to_dataset(),
    ]  # fmt: skip
    data = xr.merge(parts, compat="override", join="exact", combine_attrs="override")
    held = {"hold": parts[4].attrs["hold"], "measured_step": int(record["step"][-1])}
    data.attrs = asdict(chance) | held
    return data
