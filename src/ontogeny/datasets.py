"""Labelled datasets on disk: read whole or not at all, replaced whole. No pickles.

May import xarray and ontogeny.files.
"""

import os
import shutil
from pathlib import Path

import xarray as xr

from ontogeny.files import plain_words


def stored_dataset(path: Path) -> xr.Dataset | None:
    """Return the dataset that is there; None where there is none or it is damaged."""
    if not path.is_dir():
        return None
    try:
        with xr.open_dataset(path, engine="zarr", consolidated=False) as data:
            return _with_plain_text(data.load())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def replace_dataset(data: xr.Dataset, path: Path) -> None:
    """Write a dataset beside its place, then move it there.

    Raises
    ------
    RunError
        If there is no room, or the folder cannot be written.
    """
    fresh, stale = (path.with_name(f".{path.name}.{os.getpid()}-{n}.tmp") for n in ("new", "old"))
    with plain_words(path):
        try:
            _with_long_text(data).to_zarr(fresh, mode="w", consolidated=False, zarr_format=3)
            if path.exists():
                path.replace(stale)
            fresh.replace(path)
        finally:
            for leftover in (fresh, stale):
                shutil.rmtree(leftover, ignore_errors=True)


def _with_long_text(data: xr.Dataset) -> xr.Dataset:
    """Return the data with text of any length: zarr 3 has a specification for no other."""
    fixed = {n: (v.dims, v.values.astype(object), v.attrs) for n, v in data.variables.items()
             if v.dtype.kind == "U"}  # fmt: skip
    return data.assign_coords(fixed)


def _with_plain_text(data: xr.Dataset) -> xr.Dataset:
    """Return the data with text of numpy's usual kind."""
    text = {n: (v.dims, v.values.astype(object).astype(str), v.attrs)
            for n, v in data.variables.items() if v.dtype.kind in "OT"}  # fmt: skip
    return data.assign_coords(text)
