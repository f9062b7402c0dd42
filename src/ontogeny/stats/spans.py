"""Spans of snapshots over which something holds: when it begins, ends, and what changes places.

A span counts where it holds for at least `hold` snapshots on end. Indices are those of snapshots;
n, the number of snapshots, stands for "not by the end". May import numpy only.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

Array = np.ndarray


class Change(NamedTuple):
    """One label's span gives way to another's."""

    before: int
    after: int
    begun: int
    """First snapshot of the label before."""
    last: int
    """Last snapshot of the label before."""
    first: int
    """First snapshot of the label after."""


def held(beyond: Bool[Array, "*batch snapshot"], hold: int) -> Bool[Array, "*batch snapshot"]:
    """Keep only spans of at least `hold` snapshots.

    Examples
    --------
    >>> from ontogeny.stats.spans import held
    >>> held(np.array([True, False, True, True, True]), 2).tolist()
    [False, False, True, True, True]
    """
    n_snapshots = beyond.shape[-1]
    kept = np.zeros_like(beyond)
    length = np.zeros(beyond.shape[:-1], dtype=np.int64)
    for k in range(n_snapshots):
        length = np.where(beyond[..., k], length + 1, 0)
        kept[..., k] = length >= hold
    for k in range(n_snapshots - 2, -1, -1):
        kept[..., k] |= beyond[..., k] & kept[..., k + 1] & beyond[..., k + 1]
    return kept


def first_index(flags: Bool[Array, "*batch snapshot"]) -> Int[Array, " *batch"]:
    """Return the first snapshot that is True, n where none is."""
    n_snapshots = flags.shape[-1]
    return np.asarray(np.where(flags.any(axis=-1), flags.argmax(axis=-1), n_snapshots))


def end_index(flags: Bool[Array, "*batch snapshot"]) -> Int[Array, " *batch"]:
    """Return the snapshot after the last that is True: n if the last one is, 0 if none is."""
    n_snapshots = flags.shape[-1]
    after = n_snapshots - flags[..., ::-1].argmax(axis=-1)
    return np.asarray(np.where(flags.any(axis=-1), after, 0))


def constant_from(labels: Int[Array, "*batch snapshot"]) -> Int[Array, " *batch"]:
    """Return the first snapshot from which a label stays what it is at the end."""
    return end_index(labels != labels[..., -1:])


def label_changes(labels: Int[Array, " snapshot"], hold: int) -> list[Change]:
    """Return where one label gives way to another, each held for at least `hold` snapshots.

    Labels below 0 are none; spans of the same label with a gap between are one.
    """
    starts = np.flatnonzero(np.diff(labels, prepend=labels[0] - 1))
    ends = np.append(starts[1:], len(labels))
    found: list[Change] = []
    current: tuple[int, int, int] | None = None
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        label = int(labels[start])
        if label < 0 or end - start < hold:
            continue
        if current is None or label == current[0]:
            current = (label, current[1] if current else start, end - 1)
            continue
        found.append(Change(current[0], label, current[1], current[2], start))
        current = (label, start, end - 1)
    return found


def between_snapshots(
    index: Int[Array, " *batch"], steps: Int[Array, " snapshot"]
) -> tuple[Float[Array, " *batch"], Float[Array, " *batch"]]:
    """Return the steps (after, by] between which an event by snapshot `index` lies.

    -inf: before the first snapshot; inf: not by the last.
    """
    after = np.concatenate([[-np.inf], steps])[index]
    by = np.concatenate([steps, [np.inf]])[index]
    return after, by
