"""measures.zarr: what was measured of a run, with the key of what it was measured from.

The key is a hash of the record's attributes, of all its small variables (loss, accuracies, logits,
every unit's mean and variance, at every recorded step) and of the source text of ontogeny.stats
and ontogeny.measure. So measures of a record that has grown, or made by another version, are
known to be stale.
May import numpy, xarray, ontogeny.record, ontogeny.run and below only.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from importlib import resources

import xarray as xr
from threadpoolctl import threadpool_limits

from ontogeny.datasets import replace_dataset, stored_dataset
from ontogeny.errors import RunError
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
from ontogeny.progress import Progress, silent
from ontogeny.record import NAME as RECORD
from ontogeny.record import open_record
from ontogeny.run import RunFolder

FILE = "measures.zarr"
_LARGE = {"exemplar", "edge", "y"}
KEY = "key"


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
) -> xr.Dataset:
    """Measure a run's record into a file of its folder, or return what is there and fresh.

    Parameters
    ----------
    run
        A run, or its folder.
    file
        Name of the zarr group in the run's folder, such as measures.zarr.
    measure
        What makes the measures; called where there are none, or stale ones.
    chance
        How nulls and intervals are drawn; part of the key.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    RunError
        If there is no record, or no room for the measures.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    say, name = progress or silent, file.partition(".")[0]
    with open_record(folder.path / RECORD) as record:
        key = record_key(record, chance)
        found = stored_dataset(folder.path / file)
        if found is not None and found.attrs.get(KEY) == key:
            say(f"{name}: fresh", 1, 1)
            return found
        say(f"{name}: stale, measured again" if found is not None else f"{name}: none yet", 0, 1)
        with threadpool_limits(1, "blas"):  # matrices are small: threads would wait on each other
            data = measure(record, folder)
    data.attrs = {**data.attrs, **asdict(chance), KEY: key}
    replace_dataset(data, folder.path / file)
    return data


def open_measures(run: RunFolder | str | os.PathLike[str]) -> xr.Dataset:
    """Return the measures of a run, fresh or refused.

    Raises
    ------
    RunError
        If there are none, or they are of another state of the record or of another version.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    data = stored_dataset(folder.path / FILE)
    if data is None:
        msg = f"expected measures in {folder.path / FILE}, got none: run `ontogeny measure`"
        raise RunError(msg)
    chance = Chance(**{name: data.attrs[name] for name in asdict(Chance())})
    with open_record(folder.path / RECORD) as record:
        fresh = data.attrs.get(KEY) == record_key(record, chance)
    if not fresh:
        msg = (
            f"expected measures of the record as it is, got {folder.path / FILE} of an earlier "
            "state or another version: run `ontogeny measure`"
        )
        raise RunError(msg)
    return data


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


def record_key(record: xr.Dataset, chance: Chance) -> str:
    """Return the hash that measures of this record, by this version, carry."""
    digest = hashlib.sha256(_source().encode())
    digest.update(json.dumps(asdict(chance), sort_keys=True).encode())
    digest.update(json.dumps(record.attrs, sort_keys=True, default=str).encode())
    for name in sorted(map(str, record.variables)):
        variable = record[name]
        if name == "logit" or not set(variable.dims) & _LARGE:
            values = variable.values
            text = values.dtype.kind in "OUST"
            digest.update(f"{name}{variable.dims}{variable.shape}".encode())
            digest.update(repr(values.tolist()).encode() if text else values.tobytes())
    return digest.hexdigest()


@cache
def _source() -> str:
    """Return the hash of the source text that measures are made by."""
    digest = hashlib.sha256()
    for package in ("ontogeny.stats", "ontogeny.measure"):
        for file in sorted(resources.files(package).iterdir(), key=lambda f: f.name):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return digest.hexdigest()
