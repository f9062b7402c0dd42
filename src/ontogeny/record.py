"""The record: one labelled dataset of a development, on disk while it grows.

It is a zarr v3 group that xarray reads. The group's own zarr.json holds the metadata of all arrays
(consolidated), and replacing that one file is what commits a step: data are written first, behind
the committed length, and whatever a killed writer left there is overwritten by the next. So a
reader sees whole steps only, each once, in order. May import files and errors; no torch.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import xarray as xr
import zarr

from ontogeny.errors import InputError, RunError
from ontogeny.files import FolderLock, plain_words, sweep, synchronise, write_atomically

SCHEMA = 2
"""1: without nulls, attribution, interaction and clones."""
NAME = "record.zarr"
"""The record's folder in the folder of a run."""

# Dimensions
STEP, EXEMPLAR, UNIT, EDGE, TOKEN, SPLIT = "step", "exemplar", "unit", "edge", "token", "split"
LEVEL, PAIR = "level", "pair"
Y, X, COLOUR = "y", "x", "channel"

# Coordinates
EPOCH, EXAMPLES_SEEN, WEIGHTS = "epoch", "examples_seen", "weights_hash"
LAYER, CHANNEL, SOURCE, TARGET = "layer", "channel", "source", "target"
EXEMPLAR_TOKEN, EXEMPLAR_SPLIT, EXEMPLAR_HALF, GROUP = (
    "exemplar_token", "exemplar_split", "exemplar_half", "group",
)  # fmt: skip
FACTOR = "factor_"

# Variables
LOSS, ACCURACY, TOKEN_ACCURACY = "loss", "accuracy", "token_accuracy"
ACTIVATION, ACTIVATION_MAXIMUM, LOGIT = "activation", "activation_maximum", "logit"
UNIT_MEAN, UNIT_VARIANCE, UNIT_MAXIMUM = "unit_mean", "unit_variance", "unit_maximum"
COUPLING, COUPLING_TOKEN_SIGNAL = "coupling", "coupling_token_signal"
COUPLING_CONTRAST, IMAGE = "coupling_contrast", "image"
COUPLING_NULL, COUPLING_CONTRAST_NULL = "coupling_null", "coupling_contrast_null"
EDGE_ATTRIBUTION, INTERACTION = "edge_attribution", "interaction"
INTERACTION_FIRST, INTERACTION_SECOND = "interaction_first", "interaction_second"
CLONE_LOSS, CLONE_ACCURACY = "clone_loss", "clone_accuracy"
CLONE_TOKEN_ACCURACY = "clone_token_accuracy"

SPLITS = ("train", "probe")
"""Coordinates of `split`."""
LEVELS = (0.95, 0.99, 0.999)
"""Coordinates of `level`."""
PAIRS = ((0, 1), (0, 2), (1, 2))
"""Ranks (0 is the strongest) of the two parents that each coordinate of `pair` stands for."""
ATTRIBUTES = ("schema", "config", "seed", "data_hash", "versions", "tokens", "layers")
"""Every record has these attributes; None where they are unknown."""

_CHUNK_BYTES = 2**16
"""Rows of fewer bytes share chunks of about this size; larger rows are a chunk each."""
_METADATA = "zarr.json"


@dataclass(frozen=True)
class Variable:
    """What a name in the record means."""

    dims: tuple[str, ...]
    dtype: str
    """A numpy type; "string" for text; "" where it may be either."""
    units: str
    long_name: str
    is_coordinate: bool = False
    is_required: bool = False


def _coordinate(
    dims: str, dtype: str, units: str, long_name: str, *, required: bool = False
) -> Variable:
    return Variable(tuple(dims.split()), dtype, units, long_name, True, required)


_OVER = "over the probe's exemplars and, for maps, positions"

VARIABLES: dict[str, Variable] = {
    STEP: _coordinate("step", "int64", "1", "optimiser updates done", required=True),
    EPOCH: _coordinate("step", "float64", "1", "examples seen / training exemplars"),
    EXAMPLES_SEEN: _coordinate("step", "int64", "1", "training exemplars shown, with repeats"),
    WEIGHTS: _coordinate(
        "step", "string", "", "SHA-256 of the weights that were observed", required=True
    ),
    EXEMPLAR: _coordinate("exemplar", "int64", "1", "index in the task", required=True),
    EXEMPLAR_TOKEN: _coordinate("exemplar", "string", "", "the exemplar's token"),
    EXEMPLAR_SPLIT: _coordinate("exemplar", "string", "", "part of the task it belongs to"),
    EXEMPLAR_HALF: _coordinate(
        "exemplar", "int8", "1", "0 or 1, in turns within each token: halves for choosing and "
        "for reporting",
    ),
    GROUP: _coordinate("exemplar", "int64", "1", "exemplars that belong together"),
    UNIT: _coordinate("unit", "string", "", "layer:channel of the unit", required=True),
    LAYER: _coordinate("unit", "string", "", "the unit's layer", required=True),
    CHANNEL: _coordinate("unit", "int64", "1", "the unit's index in its layer", required=True),
    EDGE: _coordinate("edge", "int64", "1", "index of the edge; by layer, target, source"),
    SOURCE: _coordinate("edge", "string", "", "unit below, or pixels:channel"),
    TARGET: _coordinate("edge", "string", "", "unit above"),
    TOKEN: _coordinate("token", "string", "", "network output: the token", required=True),
    SPLIT: _coordinate("split", "string", "", "exemplars that a curve is taken over"),
    LEVEL: _coordinate("level", "float64", "1", "share of a null's edges that stay below a value"),
    PAIR: _coordinate(
        "pair", "int64", "1", "pairs of a unit's three strongest parents: 0 first and second, "
        "1 first and third, 2 second and third",
    ),
    LOSS: Variable(
        (STEP, SPLIT), "float64", "nat", "mean cross-entropy; probe: all its exemplars; train: a "
        "fixed part of the training exemplars, without augmentation (attribute train_exemplars), "
        "or the training's own batch where none is known",
    ),
    ACCURACY: Variable(
        (STEP, SPLIT), "float64", "1", "share of exemplars whose largest logit is their token's; "
        "exemplars as for loss",
    ),
    TOKEN_ACCURACY: Variable(
        (STEP, SPLIT, TOKEN), "float64", "1", "accuracy among the exemplars of one token",
    ),
    ACTIVATION: Variable(
        (STEP, EXEMPLAR, UNIT), "float32", "a.u.", "output behind the nonlinearity, mean over "
        "positions; the last layer's is its raw output", is_required=True,
    ),
    ACTIVATION_MAXIMUM: Variable(
        (STEP, EXEMPLAR, UNIT), "float32", "a.u.", "output behind the nonlinearity, maximum over "
        "positions", is_required=True,
    ),
    LOGIT: Variable(
        (STEP, EXEMPLAR, TOKEN), "float32", "nat", "the network's output", is_required=True,
    ),
    UNIT_MEAN: Variable(
        (STEP, UNIT), "float32", "a.u.", f"mean activation {_OVER}", is_required=True,
    ),
    UNIT_VARIANCE: Variable(
        (STEP, UNIT), "float32", "a.u.^2", f"population variance of the activation {_OVER}",
        is_required=True,
    ),
    UNIT_MAXIMUM: Variable(
        (STEP, UNIT), "float32", "a.u.", f"maximum activation {_OVER}", is_required=True,
    ),
    COUPLING: Variable(
        (STEP, EDGE), "float32", "1", "Cov(z_ij, z_j) / Var(z_j): share of the target's "
        f"pre-activation variance that comes through the source, {_OVER}; sums to 1 over sources; "
        "NaN for dead targets",
    ),
    COUPLING_TOKEN_SIGNAL: Variable(
        (STEP, EDGE), "float32", "1", "Cov(E[z_ij | token], E[z_j | token]) / Var(z_j): the part "
        "of the coupling that lies between tokens; sums to the target's eta squared",
    ),
    COUPLING_CONTRAST: Variable(
        (STEP, EDGE, TOKEN), "float16", "1", "(E[z_ij | token] - E[z_ij | not token]) / sum over "
        "sources of its absolute value: -1 ... 1; sums to the token's contrast at the target over "
        "that sum; NaN where all terms are 0",
    ),
    COUPLING_NULL: Variable(
        (STEP, UNIT, LEVEL), "float32", "1", "value that a share `level` of |coupling| into the "
        "unit's layer stays below when that layer's weights are permuted and its input is kept "
        "(attribute nulls); the same for all units of a layer",
    ),
    COUPLING_CONTRAST_NULL: Variable(
        (STEP, UNIT, LEVEL), "float32", "1", "as coupling_null, for |coupling_contrast|, all "
        "tokens pooled",
    ),
    EDGE_ATTRIBUTION: Variable(
        (STEP, EDGE, TOKEN), "float16", "nat", "E[sum over positions of z_ij * d(y_c - mean of "
        "y)/d z_j | token c], y the network's output: what the edge gives to the token's own "
        "logit, to first order; over exemplars of half 0",
    ),
    INTERACTION: Variable(
        (STEP, UNIT, PAIR), "float32", "1", "E[a(11) - a(10) - a(01) + a(00)] / sd(a): a is the "
        "activation, 0 takes a parent's z_ij away; over exemplars of half 0 and a lattice of "
        "positions (attribute interactions); 0 where there is no nonlinearity, NaN for dead units "
        "and where there is no such pair",
    ),
    INTERACTION_FIRST: Variable(
        (STEP, UNIT, PAIR), "int16", "1", "channel, in the layer below, of the pair's parent with "
        "the larger |coupling|; -1 where there is no such pair",
    ),
    INTERACTION_SECOND: Variable(
        (STEP, UNIT, PAIR), "int16", "1", "channel, in the layer below, of the pair's other parent",
    ),
    CLONE_LOSS: Variable(
        (STEP,), "float64", "nat", "mean cross-entropy on Gaussian clones (attribute clones)",
    ),
    CLONE_ACCURACY: Variable(
        (STEP,), "float64", "1", "share of Gaussian clones whose largest logit is their token's",
    ),
    CLONE_TOKEN_ACCURACY: Variable(
        (STEP, TOKEN), "float64", "1", "accuracy among the Gaussian clones of one token",
    ),
    IMAGE: Variable((EXEMPLAR, Y, X, COLOUR), "uint8", "1", "the exemplar as it was shown"),
}  # fmt: skip


def definition(name: str) -> Variable:
    """Return what a name in the record means; factors are defined by their prefix.

    Raises
    ------
    InputError
        If records have no such variable.
    """
    if name.startswith(FACTOR):
        words = f"generative factor {name.removeprefix(FACTOR)}"
        return _coordinate("exemplar", "", "", words)
    if name not in VARIABLES:
        msg = f"expected a variable of the record ({', '.join(VARIABLES)}), got {name}"
        raise InputError(msg)
    return VARIABLES[name]


def validate(record: xr.Dataset) -> None:
    """Check a dataset against the record's schema.

    Raises
    ------
    InputError
        If anything does not fit; the message lists all that does not.
    """
    faults = _faults(record)
    if faults:
        msg = (
            f"expected a record of schema {SCHEMA} or lower, got {'; '.join(faults)}: "
            "mend all of these"
        )
        raise InputError(msg)


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
    metadata = _read_metadata(folder)
    if not _committed(metadata):
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
        folder / NAME if not (folder / _METADATA).exists() and folder.suffix != ".zarr" else folder
    )


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
        If there is no record, it is damaged, of a newer schema, or somebody else writes it.
    """

    def __init__(self, path: str | os.PathLike[str], *, patience: float = 0) -> None:
        self.path = Path(path).absolute()
        self._metadata = _read_metadata(self.path)
        self._lock = _lock(self.path)
        _take(self._lock, patience)
        try:
            sweep(self.path)
            self._metadata = _read_metadata(self.path)
            group = zarr.open_group(self.path, mode="r+", use_consolidated=True)
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
        return _committed(self._metadata)

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
        self._commit(n + 1)

    def truncate(self, n_steps: int) -> None:
        """Keep the first steps only."""
        if n_steps < self.n_steps:
            self._commit(n_steps)

    def close(self) -> None:
        """Let others write."""
        self._lock.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
            msg = f"expected a next row of {self.path}, got {'; '.join(faults)}: mend the row"
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

    def _commit(self, n_steps: int) -> None:
        arrays = self._metadata["consolidated_metadata"]["metadata"]
        for name in self._growing:
            arrays[name]["shape"][0] = n_steps
        write_atomically(self.path / _METADATA, json.dumps(self._metadata).encode())


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
        )
        array.attrs.update(variable.attrs)
        if variable.size:
            array[...] = variable.values.astype(object) if is_text else variable.values
    coordinates = " ".join(str(n) for n in template.coords if n not in template.dims)
    group.attrs.update({**template.attrs, "coordinates": coordinates})
    metadata = json.loads((folder / _METADATA).read_bytes())
    arrays = {n: json.loads((folder / str(n) / _METADATA).read_bytes()) for n in template.variables}
    metadata["consolidated_metadata"] = {
        "kind": "inline", "must_understand": False, "metadata": arrays,
    }  # fmt: skip
    write_atomically(folder / _METADATA, json.dumps(metadata).encode())


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    """Chunk along step only: small rows together, large rows each on its own."""
    sizes = [max(1, size) for size in variable.shape]
    if STEP in variable.dims:
        itemsize = 64 if variable.dtype.kind in "OUT" else variable.dtype.itemsize
        sizes[0] = max(1, _CHUNK_BYTES // (itemsize * math.prod(sizes[1:])))
    return tuple(sizes)


def _lock(path: Path) -> FolderLock:
    return FolderLock(path.with_name(f".{path.name}.lock"))


def _take(lock: FolderLock, patience: float) -> None:
    """Take a lock, if need be when another writer has let go of it."""
    end = time.monotonic() + patience
    while True:
        try:
            lock.__enter__()
        except RunError as error:
            is_busy = isinstance(error.__context__, BlockingIOError)
            if not is_busy or time.monotonic() >= end:
                raise
            time.sleep(0.02)
        else:
            return


def _read_metadata(folder: Path) -> dict[str, Any]:
    """Return the group's metadata if it is that of a record this version can read."""
    if not folder.is_dir():
        msg = f"expected a record in {folder}, got nothing there: observe the run first"
        raise RunError(msg)
    try:
        metadata = json.loads((folder / _METADATA).read_bytes())
        schema = int(metadata["attributes"]["schema"])
        _committed(metadata)
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


def _committed(metadata: Mapping[str, Any]) -> int:
    return int(metadata["consolidated_metadata"]["metadata"][STEP]["shape"][0])


def _plain_text(record: xr.Dataset) -> xr.Dataset:
    """Return a record whose text is numpy's usual kind, which every library takes."""
    text = {
        name: (variable.dims, variable.values.astype(object).astype(str), variable.attrs)
        for name, variable in record.variables.items()
        if variable.dtype.kind in "OT"
    }
    return record.assign_coords(text)


def _faults(record: xr.Dataset) -> list[str]:
    faults = [f"no attribute {name}" for name in ATTRIBUTES if name not in record.attrs]
    schema = record.attrs.get("schema", SCHEMA)
    if not isinstance(schema, int) or not 1 <= schema <= SCHEMA:
        faults.append(f"schema {schema}")
    required = (name for name, v in VARIABLES.items() if v.is_required)
    faults += [f"no {name}" for name in required if name not in record.variables]
    for name in map(str, record.variables):
        if name in VARIABLES or name.startswith(FACTOR):
            faults += _variable_faults(name, record)
        else:
            faults.append(f"unknown variable {name}")
    if COUPLING in record and not {SOURCE, TARGET} <= set(record.coords):
        faults.append("coupling without source and target")
    if STEP in record and np.any(np.diff(record[STEP].values) <= 0):
        faults.append("steps that do not ascend")
    if (
        UNIT in record
        and len(np.unique(record[UNIT].values.astype(object).astype(str))) < record.sizes[UNIT]
    ):
        faults.append("units that share a name")
    return faults


def _variable_faults(name: str, record: xr.Dataset) -> list[str]:
    expected, variable = definition(name), record.variables[name]
    faults = []
    if variable.dims != expected.dims:
        faults.append(f"{name} over {variable.dims}, not {expected.dims}")
    kinds = {"": "UOTiufb", "string": "UOT"}.get(expected.dtype) or np.dtype(expected.dtype).kind
    if variable.dtype.kind not in kinds:
        faults.append(f"{name} of {variable.dtype}, not {expected.dtype}")
    if (name in record.coords) != expected.is_coordinate:
        role = "a coordinate" if expected.is_coordinate else "a variable"
        faults.append(f"{name} that is not {role}")
    faults += [
        f"{name} without {key}" for key in ("units", "long_name") if key not in variable.attrs
    ]
    return faults
