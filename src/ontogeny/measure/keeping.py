"""What is kept of a run beside its record, and the one rule by which it is fresh.

Each kind is one zarr group of the run's folder. It carries a key: a hash of its name, its version,
how it was made, and the identity of the record it was made from. The record's identity lies in its
metadata, so that asking whether something is fresh reads two small files.
May import xarray, ontogeny.datasets, ontogeny.record and ontogeny.run.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from ontogeny.datasets import replace_dataset, stored_dataset
from ontogeny.errors import DamagedError, RunError, command
from ontogeny.progress import Progress
from ontogeny.record import IDENTITY, identity, open_record
from ontogeny.record import NAME as RECORD
from ontogeny.run import RunFolder

KEY, MADE_WITH, PARTIAL = "key", "made_with", "partial"
"""Attributes: the key; how it was made, as JSON; 1 as long as some of it is still to be made."""


@dataclass(frozen=True)
class Kind:
    """A kind of what is kept, NAME.zarr in the run's folder."""

    holds: str
    version: int = 1
    """To be raised when a number changes its meaning or its value, and when one is added."""
    act: str = "measure"
    """The command that makes it."""
    made: str = "measured"


KINDS = {
    "measures": Kind("curves, token signals and onsets"),
    "structure": Kind("category structure"),
    "detectors": Kind("tuning and lives of units", version=2),
    "graph": Kind("births, deaths and assemblies of couplings"),
    "pictures": Kind("pictures of detectors", version=2, act="pictures", made="made"),
}
"""All kinds that Ontogeny makes, by name."""


Save = Callable[[xr.Dataset], None]
"""Keeps what is made so far, to be looked at meanwhile."""


@dataclass(frozen=True)
class Making:
    """How something that is kept is made."""

    name: str
    """One of `KINDS`, or another."""
    choice: Mapping[str, Any]
    """What it depends on besides the record; what JSON can hold."""
    make: Callable[[xr.Dataset, Save], xr.Dataset]
    """Makes it from the record."""
    version: int = 1
    """Of a name that is not in `KINDS`."""
    enough: Sequence[Mapping[str, Any]] = ()
    """Other choices that hold at least as much."""


def keep(run: RunFolder, making: Making, say: Progress) -> xr.Dataset:
    """Return what is kept of a run; make it if it is not there, incomplete, damaged or stale.

    Parameters
    ----------
    run
        The run; it needs a record.
    making
        What, and how it is made.
    say
        Told whether it was fresh, or why it is made.

    Raises
    ------
    RunError
        If there is no record, or no room.
    """
    name, kind = making.name, KINDS.get(making.name, Kind(making.name, making.version))
    record_now = identity(run.path / RECORD)
    fresh = {_key(name, kind, one, record_now) for one in (making.choice, *making.enough)}
    try:
        found = stored_dataset(_place(run, name))
        why = f"stale, {kind.made} again" if found is not None else "none yet"
    except DamagedError:
        found, why = None, f"damaged, {kind.made} again"
    if found is not None and found.attrs.get(KEY) in fresh and not found.attrs.get(PARTIAL):
        say(f"{name}: fresh", 1, 1)
        return found
    say(f"{name}: {why}", 0, 1)
    with open_record(run.path / RECORD) as record:  # it may have grown by now
        attributes = {
            MADE_WITH: json.dumps(making.choice, sort_keys=True),
            KEY: _key(name, kind, making.choice, record.encoding[IDENTITY]),
        }

        def save(data: xr.Dataset) -> None:
            replace_dataset(data.assign_attrs(attributes | {PARTIAL: 1}), _place(run, name))

        data = making.make(record, save).assign_attrs(attributes)
    replace_dataset(data, _place(run, name))
    return data


def open_kept(run: RunFolder, name: str) -> xr.Dataset:
    """Return what is kept of a run under one of the names of `KINDS`, fresh or refused.

    It may be partial while the rest is still being made.

    Raises
    ------
    DamagedError
        If it is damaged.
    RunError
        If there is none, or it is of another state of the record or of another version.
    """
    kind, path = KINDS[name], _place(run, name)
    remedy = f"run {command(kind.act, run.path)}"
    found = stored_dataset(path, remedy)
    if found is None:
        msg = f"expected {kind.holds} in {path.name}, got none yet: {remedy}"
        raise RunError(msg)
    if not _is_fresh(found.attrs, name, kind, identity(run.path / RECORD)):
        msg = (
            f"expected {kind.holds} of the record as it is, got {path.name} of another state of "
            f"the record, or of another version: {remedy}"
        )
        raise RunError(msg)
    return found


def is_kept(run: RunFolder, name: str, choice: Mapping[str, Any]) -> bool:
    """Say whether what is kept under a name is whole, fresh and made in this way."""
    try:
        attributes = open_kept(run, name).attrs
    except RunError:
        return False
    made = attributes[MADE_WITH]
    return not attributes.get(PARTIAL) and json.loads(made) == json.loads(json.dumps(choice))


def _place(run: RunFolder, name: str) -> Path:
    return run.path / f"{name}.zarr"


def _is_fresh(attributes: Mapping[str, Any], name: str, kind: Kind, record: str) -> bool:
    try:
        choice = json.loads(attributes[MADE_WITH])
    except (KeyError, ValueError):  # of an earlier version
        return False
    return attributes.get(KEY) == _key(name, kind, choice, record)


def _key(name: str, kind: Kind, choice: Mapping[str, Any], record: str) -> str:
    content = json.dumps([name, kind.version, choice, record], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
