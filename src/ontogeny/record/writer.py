"""Writing a record: laid out once, then one step after another, each whole or not there.

Data are written first, behind the committed length; replacing the group's metadata commits them.
Chunks and metadata carry checksums, and the metadata note a checksum of each step's values.
May import numpy, xarray, zarr, checksums, files, errors and the rest of the record.
"""

import math
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr
import zarr

from ontogeny import checksums
from ontogeny.checksums import CODECS, CheckedStore
from ontogeny.errors import InputError, RunError
from ontogeny.files import FolderLock, plain_words, sweep, synchronise
from ontogeny.record.definitions import STEP, definition
from ontogeny.record.reader import FIXED, ROWS, committed, read_metadata, remedy
from ontogeny.record.validity import validate

_CHUNK_BYTES = 2**16
"""Rows of fewer bytes share chunks of about this size; larger rows are a chunk each."""


class RecordWriter:
    """Appends steps to a record; its only writer until it is closed.

    Parameters
    ----------
    path
        The record's folder; `RecordWriter.create` lays a new one out.
    patience
        Seconds to wait for another writer to finish.

    Raises
    ------
    RunError
        If there is no record, it is of a newer schema, or somebody else writes it.
    DamagedError
        If its metadata are damaged.
    """

    def __init__(self, path: str | os.PathLike[str], *, patience: float = 0) -> None:
        self.path = Path(path).absolute()
        self._metadata = read_metadata(self.path)
        self._lock = _lock(self.path, patience)
        self._lock.__enter__()
        try:
            sweep(self.path)
            self._metadata = read_metadata(self.path)
            self._store = CheckedStore(
                self.path, self._metadata, remedy(self.path), read_only=False
            )
            with zarr.config.set({"array.write_empty_chunks": True}):  # else a lost chunk is one
                group = zarr.open_group(self._store, mode="r+", use_consolidated=True)
                arrays = self._metadata["consolidated_metadata"]["metadata"]
                growing = [n for n, a in arrays.items() if STEP in a["dimension_names"]]
                self._growing: dict[str, zarr.Array] = {n: group[n] for n in growing}  # pyright: ignore[reportAttributeAccessIssue]
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path: str | os.PathLike[str], template: xr.Dataset) -> Self:
        """Lay out a new record without steps, and open it.

        Parameters
        ----------
        path
            The record's folder; must not be there.
        template
            A valid record of length 0 along step: coordinates, variables and attributes.

        Raises
        ------
        InputError
            If the template is not a valid record.
        RunError
            If the folder is there or cannot be written.
        """
        validate(template)
        path = Path(path).absolute()
        if path.exists():
            msg = f"expected no record in {path}, got one: open it, or delete it to begin again"
            raise RunError(msg)
        with plain_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with _lock(path), plain_words(path):
            half = path.with_name(f"{path.name}.new")
            shutil.rmtree(half, ignore_errors=True)
            _lay_out(half, template)
            half.rename(path)
            synchronise(path.parent)
        return cls(path)

    @property
    def n_steps(self) -> int:
        """Steps committed."""
        return committed(self._metadata)

    @property
    def attributes(self) -> dict[str, Any]:
        """The record's attributes."""
        return self._metadata["attributes"]

    @property
    def variables(self) -> frozenset[str]:
        """Names of what grows along step."""
        return frozenset(self._growing)

    def column(self, name: str) -> np.ndarray:
        """Return the committed values of a variable, [step, ...]."""
        return np.asarray(self._growing[name][: self.n_steps])

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one step and commit it.

        Parameters
        ----------
        row
            Each variable along step -> its values at this step.

        Raises
        ------
        InputError
            If variables are missing or unknown, a shape does not fit, or the step is not after
            the last one.
        RunError
            If the disk is full or fails; the steps before are whole.
        """
        values = self._checked(row)
        n = self.n_steps
        with plain_words(self.path):
            for name, array in self._growing.items():
                array.resize((n + 1, *array.shape[1:]))
                array[n] = values[name]
            for array in self._growing.values():
                self._synchronise(array, n)
        stored = {
            n: v if v.dtype.kind in "OUST" else v.astype(self._growing[n].dtype, copy=False)
            for n, v in values.items()
        }
        self._commit(n + 1, [*self._rows, _check_value(stored)])

    def truncate(self, n_steps: int) -> None:
        """Keep the first steps only."""
        if n_steps < self.n_steps:
            self._commit(n_steps, self._rows[:n_steps])

    def drop_damaged(self) -> None:
        """Keep the steps before the first that is damaged, so that the rest is written anew.

        Raises
        ------
        DamagedError
            If what all steps share is damaged.
        """
        damages = list(self._store.damages())
        for _, row, error in damages:
            if row < 0:
                raise error
        self.truncate(min((row for _, row, _ in damages), default=self.n_steps))
        for key, _, _ in damages:
            (self.path / key).unlink(missing_ok=True)

    def close(self) -> None:
        """Let others write."""
        self._lock.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _checked(self, row: Mapping[str, Any]) -> dict[str, np.ndarray]:
        values = {name: np.asarray(value) for name, value in row.items()}
        faults = [f"no {name}" for name in self._growing if name not in values]
        faults += [f"unknown {name}" for name in values if name not in self._growing]
        for name, array in self._growing.items():
            if name in values and values[name].shape != array.shape[1:]:
                faults.append(f"{name} of shape {values[name].shape}, not {array.shape[1:]}")
        steps = self.column(STEP)
        if STEP in values and len(steps) and values[STEP] <= steps[-1]:
            faults.append(f"step {values[STEP]} after step {steps[-1]}")
        if faults:
            msg = (
                f"expected a next row of {self.path}, got {'; '.join(faults)}: give a row that fits"
            )
            raise InputError(msg)
        return values

    def _synchronise(self, array: zarr.Array, row: int) -> None:
        """Make the chunk that holds a row durable; one of fill values only has no file."""
        chunk = (row // array.chunks[0], *[0] * (array.ndim - 1))
        file = self.path / array.basename / array.metadata.encode_chunk_key(chunk)
        if file.exists():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @property
    def _rows(self) -> list[int]:
        """CRC-32s of the committed steps; of steps of before checksums nothing is known."""
        return checksums.notes_of(self._metadata).get(ROWS, [0] * self.n_steps)

    def _commit(self, n_steps: int, rows: list[int]) -> None:
        notes, before = {**checksums.notes_of(self._metadata), ROWS: rows}, self.n_steps
        try:
            self._set_length(n_steps)
            self._metadata |= checksums.seal(self.path, self._metadata, notes)
        except BaseException:
            self._set_length(before)
            raise

    def _set_length(self, n_steps: int) -> None:
        arrays = self._metadata["consolidated_metadata"]["metadata"]
        for name in self._growing:
            arrays[name]["shape"][0] = n_steps


def _lay_out(folder: Path, template: xr.Dataset) -> None:
    """Write a template as a zarr group whose metadata are consolidated."""
    group = zarr.open_group(folder, mode="w", zarr_format=3)
    for name, variable in template.variables.items():
        is_text = definition(str(name)).dtype == "string" or variable.dtype.kind in "OUT"
        is_float = variable.dtype.kind == "f"
        array = group.create_array(
            str(name),
            shape=variable.shape,
            chunks=_chunks(variable),
            dtype="string" if is_text else variable.dtype,
            fill_value="" if is_text else np.nan if is_float else 0,
            dimension_names=[str(d) for d in variable.dims],
            compressors=CODECS,
            config={"write_empty_chunks": True},
        )
        array.attrs.update(variable.attrs)
        if variable.size:
            array[...] = variable.values.astype(object) if is_text else variable.values
    coordinates = " ".join(str(n) for n in template.coords if n not in template.dims)
    group.attrs.update({**template.attrs, "coordinates": coordinates})
    fixed = {str(n): v.values for n, v in template.variables.items() if STEP not in v.dims}
    checksums.consolidate(folder, {FIXED: _check_value(fixed), ROWS: []})


def _check_value(values: Mapping[str, np.ndarray]) -> int:
    """Return a CRC-32 of arrays by name and content."""
    code = 0
    for name in sorted(values):
        array = values[name]
        code = zlib.crc32(f"{name} {array.dtype.kind} {array.shape}".encode(), code)
        is_text = array.dtype.kind in "OUST"
        data = repr(array.tolist()).encode() if is_text else np.ascontiguousarray(array).tobytes()
        code = zlib.crc32(data, code)
    return code


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    """Chunk along step only: small rows together, large rows each on its own."""
    sizes = [max(1, size) for size in variable.shape]
    if STEP in variable.dims:
        itemsize = 64 if variable.dtype.kind in "OUT" else variable.dtype.itemsize
        sizes[0] = max(1, _CHUNK_BYTES // (itemsize * math.prod(sizes[1:])))
    return tuple(sizes)


def _lock(path: Path, patience: float = 0) -> FolderLock:
    return FolderLock(path.with_name(f".{path.name}.lock"), patience=patience)
