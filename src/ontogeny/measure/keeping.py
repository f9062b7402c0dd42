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

    name: str
    holds: str
    """What it holds, in words."""
    version: int = 1
    """To be raised when a number changes its meaning or its value, and when one is added."""
    act: str = "measure"
    """The command that makes it."""
    made: str = "measured"


PICTURES = Kind("pictures", "pictures of detectors", version=2, act="pictures", made="made")
"""What `ontogeny.pictures` makes; sets of measures are listed in `ontogeny.measure.sets`."""
GRAFTS = Kind("grafts", "grafts across time", act="grafts", made="made")
"""What `ontogeny.grafts` makes."""

Save = Callable[[xr.Dataset], None]
"""Keeps what is made so far, to be looked at meanwhile."""


@dataclass(frozen=True)
class Making:
    """How something that is kept is made."""

    kind: Kind
    choice: Mapping[str, Any]
    """What it depends on besides the record; what JSON can hold."""
    make: Callable[[xr.Dataset, Save], xr.Dataset]
    """Makes it from the record."""
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
    kind = making.kind
    # before anything is opened: a record that grows meanwhile makes what is kept stale, not wrong
    record_now = identity(run.path / RECORD)
    fresh = {_key(kind, one, record_now) for one in (making.choice, *making.enough)}
    try:
        found = stored_dataset(_place(run, kind))
        why = f"stale, {kind.made} again" if found is not None else "none yet"
    except DamagedError:
        found, why = None, f"damaged, {kind.made} again"
    if found is not None and found.attrs.get(KEY) in fresh and not found.attrs.get(PARTIAL):
        say(f"{kind.name}: fresh", 1, 1)
        return found
    say(f"{kind.name}: {why}", 0, 1)
    with open_record(run.path / RECORD) as record:  # it may have grown by now
        attributes = {
            MADE_WITH: json.dumps(making.choice, sort_keys=True),
            KEY: _key(kind, making.choice, record.encoding[IDENTITY]),
        }

        def save(data: xr.Dataset) -> None:
            replace_dataset(data.assign_attrs(attributes | {PARTIAL: 1}), _place(run, kind))

        data = making.make(record, save).assign_attrs(attributes)
    # whole or not at all: what is there may be read at this moment
    replace_dataset(data, _place(run, kind))
    return data


def open_kept(run: RunFolder, kind: Kind) -> xr.Dataset:
    """Return what is kept of a run, fresh or refused.

    It may be partial while the rest is still being made.

    Raises
    ------
    DamagedError
        If it is damaged.
    RunError
        If there is none, or it is of another state of the record or of another version.
    """
    path = _place(run, kind)
    remedy = f"run {command(kind.act, run.path)}"
    found = stored_dataset(path, remedy)
    if found is None:
        msg = f"expected {kind.holds} in {path.name}, got none yet: {remedy}"
        raise RunError(msg)
    if not _is_fresh(found.attrs, kind, identity(run.path / RECORD)):
        msg = (
            f"expected {kind.holds} of the record as it is, got {path.name} of another state of "
            f"the record, or of another version: {remedy}"
        )
        raise RunError(msg)
    return found


def is_kept(run: RunFolder, kind: Kind, choice: Mapping[str, Any]) -> bool:
    """Say whether what is kept of a kind is whole, fresh and made in this way."""
    try:
        attributes = open_kept(run, kind).attrs
    except RunError:
        return False
    made = attributes[MADE_WITH]
    return not attributes.get(PARTIAL) and json.loads(made) == json.loads(json.dumps(choice))


def _place(run: RunFolder, kind: Kind) -> Path:
    return run.path / f"{kind.name}.zarr"


def _is_fresh(attributes: Mapping[str, Any], kind: Kind, record: str) -> bool:
    try:
        choice = json.loads(attributes[MADE_WITH])
    except (KeyError, ValueError):  # of an earlier version
        return False
    return attributes.get(KEY) == _key(kind, choice, record)


def _key(kind: Kind, choice: Mapping[str, Any], record: str) -> str:
    content = json.dumps([kind.name, kind.version, choice, record], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
