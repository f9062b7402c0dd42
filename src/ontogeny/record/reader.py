"""Reading a record: whole steps only, also while it grows.

May import numpy, xarray, errors and the record's definitions.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ontogeny import checksums
from ontogeny.checksums import METADATA, CheckedStore
from ontogeny.errors import DamagedError, RunError, command
from ontogeny.record.definitions import NAME, SCHEMA, SEALED, STEP, WEIGHTS

FIXED, ROWS = "fixed", "rows"
"""Notes in the metadata: CRC-32s of what does not grow, and of each step's values."""
IDENTITY = "identity"
"""Where `Dataset.encoding` of an opened record holds its `identity`."""


def open_record(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open a record, or the record of a run, for reading; it may be growing at the same time.

    Parameters
    ----------
    path
        The record's folder or the run's.

    Returns
    -------
    xr.Dataset
        All steps committed so far; big arrays are read when they are used. Damage among them is a
        `DamagedError` then.

    Raises
    ------
    RunError
        If there is no record, it is of a newer schema, or holds no step yet.
    DamagedError
        If its metadata or its coordinates are damaged.

    Examples
    --------
    >>> record = ont.open_record("runs/tiny")
    >>> dict(zip(record.activation.dims, record.activation.shape))
    {'step': 11, 'exemplar': 60, 'unit': 43}
    >>> round(float(record.accuracy.sel(split="probe", step=300)), 2)
    0.83
    """
    folder = find_record(path)
    metadata = read_metadata(folder)
    if not committed(metadata):
        msg = (
            f"expected a record with observed steps in {folder}, got none yet: "
            "wait for the first snapshot, or observe the run"
        )
        raise RunError(msg)
    store = CheckedStore(folder, metadata, remedy(folder))
    try:
        record = xr.open_zarr(store, consolidated=True, chunks=None)  # pyright: ignore[reportArgumentType]
        for name in record.coords:  # small; a record whose coordinates are damaged is not opened
            record.variables[name].load()
        record = _plain_text(record)
    except DamagedError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        msg = f"expected a whole record in {folder}, got {error!r}: {remedy(folder)}"
        raise DamagedError(msg) from error
    record.encoding[IDENTITY] = _identity(metadata, record)
    return record


def identity(path: str | os.PathLike[str]) -> str:
    """Return a hash of a record's content, by which its measures are known to be fresh.

    It is taken from the metadata, where the writer notes a CRC-32 of each step's values; nothing
    else is read. Two records of the same values have the same, whatever versions wrote them.

    Raises
    ------
    RunError
        If there is no record, it is damaged, of a newer schema, or holds no step yet.

    Examples
    --------
    The record of a run, or by its own folder:

    >>> from ontogeny.record import identity
    >>> identity("runs/tiny") == identity("runs/tiny/record.zarr")
    True
    """
    metadata = read_metadata(find_record(path))
    if not committed(metadata) or ROWS not in checksums.notes_of(metadata):
        with open_record(path) as record:
            return record.encoding[IDENTITY]
    return _identity(metadata, None)


def _identity(metadata: Mapping[str, Any], record: xr.Dataset | None) -> str:
    """Hash metadata and their notes; a record of before notes gives its steps and weights."""
    notes = checksums.notes_of(metadata)
    if record is not None and ROWS not in notes:
        notes = {n: record[n].values.tolist() for n in (STEP, WEIGHTS) if n in record}
    attributes = {n: v for n, v in metadata["attributes"].items() if n != "versions"}
    arrays = metadata["consolidated_metadata"]["metadata"]
    shapes = {name: array["shape"] for name, array in arrays.items()}
    content = [attributes, shapes, *(notes.get(n) for n in (FIXED, ROWS, STEP, WEIGHTS))]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def remedy(folder: Path) -> str:
    """Return what to do about a damaged record."""
    if folder.name == NAME and (folder.parent / "run.json").exists():
        return f"run {command('observe', folder.parent)}, which makes what is lost anew"
    return "restore it from a copy, or delete it and record again"


def find_record(path: str | os.PathLike[str]) -> Path:
    """Return the folder of a record, given it or the run that holds it.

    Examples
    --------
    >>> from ontogeny.record import find_record
    >>> find_record("runs/tiny").name
    'record.zarr'
    """
    folder = Path(path).absolute()
    return (
        folder / NAME if not (folder / METADATA).exists() and folder.suffix != ".zarr" else folder
    )


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return the group's metadata if it is that of a record this version can read."""
    if not folder.is_dir():
        msg = f"expected a record in {folder}, got nothing there: observe the run first"
        raise RunError(msg)
    try:
        metadata = checksums.read_metadata(folder, remedy(folder))
        schema = int(metadata["attributes"]["schema"])
        committed(metadata)
    except DamagedError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        msg = (
            f"expected a record in {folder}, got something else or a damaged one ({error!r}): "
            f"{remedy(folder)}"
        )
        raise DamagedError(msg) from error
    if SEALED <= schema <= SCHEMA and not checksums.is_sealed(metadata):
        msg = f"expected a checksum in {folder / METADATA}, got none: {remedy(folder)}"
        raise DamagedError(msg)
    if schema > SCHEMA:
        msg = f"expected a record of schema {SCHEMA} or lower, got {schema}: update ontogeny"
        raise RunError(msg)
    return metadata


def committed(metadata: Mapping[str, Any]) -> int:
    """Return how many steps a record's metadata promise."""
    return int(metadata["consolidated_metadata"]["metadata"][STEP]["shape"][0])


def _plain_text(record: xr.Dataset) -> xr.Dataset:
    """Return a record whose text is numpy's usual kind, which every library takes."""
    text = {
        name: (variable.dims, variable.values.astype(object).astype(str), variable.attrs)
        for name, variable in record.variables.items()
        if variable.dtype.kind in "OT"
    }
    return record.assign_coords(text)
