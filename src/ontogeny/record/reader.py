"""Reading a record: whole steps only, also while it grows.

May import numpy, xarray, errors and the record's definitions.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ontogeny.errors import RunError
from ontogeny.record.definitions import NAME, SCHEMA, STEP

METADATA = "zarr.json"
"""The file whose replacement commits a step."""


def open_record(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open a record, or the record of a run, for reading; it may be growing at the same time.

    Parameters
    ----------
    path
        The record's folder or the run's.

    Returns
    -------
    xr.Dataset
        All steps committed so far; big arrays are read when they are used.

    Raises
    ------
    RunError
        If there is no record, it is damaged, of a newer schema, or holds no step yet.
    """
    folder = find_record(path)
    metadata = read_metadata(folder)
    if not committed(metadata):
        msg = (
            f"expected a record with observed steps in {folder}, got none yet: "
            "wait for the first snapshot, or observe the run"
        )
        raise RunError(msg)
    try:
        record = xr.open_zarr(folder, consolidated=True, chunks=None)  # pyright: ignore[reportArgumentType]
        return _plain_text(record)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        msg = f"expected a whole record in {folder}, got {error!r}: delete it and observe again"
        raise RunError(msg) from error


def find_record(path: str | os.PathLike[str]) -> Path:
    """Return the folder of a record, given it or the run that holds it."""
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
        metadata = json.loads((folder / METADATA).read_bytes())
        schema = int(metadata["attributes"]["schema"])
        committed(metadata)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        msg = (
            f"expected a record in {folder}, got something else or a damaged one ({error!r}): "
            "delete it and observe the run again"
        )
        raise RunError(msg) from error
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
