"""Labelled datasets on disk: read whole or not at all, replaced whole. No pickles.

May import xarray, ontogeny.checksums, ontogeny.files and ontogeny.errors.
"""

import shutil
from pathlib import Path
from typing import Any

import xarray as xr

from ontogeny.checksums import CODECS, CheckedStore, consolidate, is_sealed, read_metadata
from ontogeny.errors import DamagedError
from ontogeny.files import FolderLock, plain_words

PATIENCE = 60.0
"""Seconds to wait for another writer of the same dataset."""


def stored_dataset(path: Path, remedy: str = "make it anew") -> xr.Dataset | None:
    """Return the dataset that is there, every number as it was written; None where there is none.

    Parameters
    ----------
    path
        The folder of a zarr group.
    remedy
        What to do about a damaged one, as the last words of the sentence.

    Raises
    ------
    DamagedError
        If it is damaged; the message names the file and what is lost.
    """
    if not path.is_dir():
        return None
    metadata = read_metadata(path, remedy)
    sealed = is_sealed(metadata)
    where: Any = CheckedStore(path, metadata, remedy) if sealed else path
    try:
        with xr.open_dataset(where, engine="zarr", consolidated=sealed) as data:
            return _with_plain_text(data.load())
    except DamagedError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        msg = f"expected a whole dataset in {path}, got {error!r}: {remedy}"
        raise DamagedError(msg) from error


def replace_dataset(data: xr.Dataset, path: Path) -> None:
    """Write a dataset beside its place, then move it there; one writer at a time.

    Raises
    ------
    RunError
        If there is no room, or the folder cannot be written.
    """
    fresh, stale = (path.with_name(f".{path.name}.{n}.tmp") for n in ("new", "old"))
    lock = FolderLock(path.with_name(f".{path.name}.lock"), patience=PATIENCE)
    with lock, plain_words(path):
        for leftover in (fresh, stale):  # of a writer that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            long = _with_long_text(data)
            encoding = {name: {"compressors": CODECS} for name in long.variables}
            long.to_zarr(
                fresh, mode="w", consolidated=False, zarr_format=3, encoding=encoding,
                write_empty_chunks=True,
            )  # fmt: skip
            consolidate(fresh, {})
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
