"""Phases: steps at which a measure changes its course, and where several measures agree.

May import numpy only.

References
----------
Bai & Perron 2003, Journal of Applied Econometrics 18:1-22 (optimal segmentation).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real

from ontogeny.errors import InputError


class Agreement(NamedTuple):
    """Snapshots at which measures agree, how many do, and p values corrected over snapshots."""

    snapshot: np.ndarray
    n_measures: np.ndarray
    p: np.ndarray


def _segment_costs(series: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Residual sum of squares of a line through snapshots i to j - 1, at [i, j]."""
    n = len(position)
    x = (position - position.mean()) / max(position.std(), 1e-300)

    def sums(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
        return total[None, :] - total[:, None]

    count = np.maximum(np.arange(n + 1) - np.arange(n + 1)[:, None], 1)
    sx, sxx = sums(x), sums(x**2)
    spread = sxx - sx**2 / count
    cost = np.zeros((n + 1, n + 1))
    for y in series.T:
        sy = sums(y)
        joint = sums(x * y) - sx * sy / count
        slope_part = np.where(spread > 1e-12, joint**2 / np.where(spread > 1e-12, spread, 1), 0)
        cost += sums(y**2) - sy**2 / count - slope_part
    return np.maximum(cost, 0)


def change_points(
    series: Float[np.ndarray, "step measure"],
    position: Real[np.ndarray, " step"],
    *,
    max_changes: int = 5,
    min_size: int = 4,
) -> Int[np.ndarray, " change"]:
    """Snapshots at which all given measures together start a new course.

    Fits a line to every phase and chooses the phases of least squared error by dynamic
    programming; their number minimises
    n m ln(RSS / (n m)) + k (2 m + 1) ln(n m), k phases of n snapshots and m measures.
    Every measure is scaled to its standard deviation first, so that each weighs the same.
    A change is seen no finer than the snapshots: it lies between the one before and the one given.

    Parameters
    ----------
    series
        Measures at the snapshots; one column is a single measure's change points.
    position
        Where the snapshots lie, ascending: steps, or log(1 + step), or their number. A phase is a
        straight line over this axis.
    max_changes
        Most changes to look for.
    min_size
        Fewest snapshots of a phase, at least 3 (a line fits two).

    Returns
    -------
        Indices of the first snapshot of each phase but the first; none where one line does, where
        nothing varies, and with fewer than 2 `min_size` snapshots.

    Raises
    ------
    InputError
        On NaN, or a `min_size` below 3.
    """
    if min_size < 3:
        message = f"expected phases of at least 3 snapshots, got min_size={min_size}"
        raise InputError(message + "; a line fits any two")
    if not np.isfinite(series).all():
        message = "expected measures without NaN, got NaN; leave out the steps or measures with NaN"
        raise InputError(message)
    centred = series - series.mean(axis=0)
    size = centred.std(axis=0)
    varying = size > 1e-12 * np.abs(series).max(axis=0, initial=0)
    n, m = len(series), int(varying.sum())
    if m == 0 or n < 2 * min_size:
        return np.empty(0, dtype=np.int64)
    cost = _segment_costs(centred[:, varying] / size[varying], position.astype(np.float64))
    length = np.arange(n + 1) - np.arange(n + 1)[:, None]
    cost[length < min_size] = np.inf
    best, found = np.inf, np.empty(0, dtype=np.int64)
    for changes, error in _segmentations(cost, min(max_changes, n // min_size - 1)):
        # below this, the residual is rounding and not a phase
        fit = n * m * np.log(max(error, 1e-20 * n * m) / (n * m))
        score = fit + (len(changes) + 1) * (2 * m + 1) * np.log(n * m)
        if score < best - 1e-9:
            best, found = score, changes
    return found


def _segmentations(cost: np.ndarray, max_changes: int) -> list[tuple[np.ndarray, float]]:
    """Best segmentation into 1, 2, ... phases: its changes and its error."""
    n = len(cost) - 1
    error, came_from, result = cost[0].copy(), [], []
    for k in range(max_changes + 1):
        changes, end = [], n
        for back in reversed(came_from):
            end = back[end]
            changes.append(end)
        result.append((np.array(changes[::-1], dtype=np.int64), float(error[n])))
        if k < max_changes:
            total = error[:, None] + cost
            came_from.append(total.argmin(axis=0))
            error = total.min(axis=0)
    return result


def change_agreement(
    changes: Sequence[Int[np.ndarray, " _"]],
    n_steps: int,
    *,
    window: int = 1,
    n_permutations: int = 999,
    rng: np.random.Generator,
) -> Agreement:
    """Snapshots at which more measures change than independent measures would.

    Counts, around every snapshot, the measures with a change no more than `window` snapshots
    away, and keeps the peaks of at least two measures. Null: each measure's changes shifted along
    the snapshots, cyclically, by a random amount of its own;
    p = (1 + number of shifts whose largest count anywhere reaches it) / (1 + permutations).

    Parameters
    ----------
    changes
        Change points of each measure, from :func:`change_points`.
    n_steps
        How many snapshots there are.
    window
        How far apart changes may be to agree, in snapshots.
    n_permutations
        How many shifts to draw.
    rng
        Source of randomness.

    Returns
    -------
        Agreements in order of the step: the middle snapshot of each peak, the number of measures
        and p.
    """
    marks = np.zeros((len(changes), n_steps), dtype=bool)
    for row, found in zip(marks, changes, strict=True):
        row[found] = True
    near = np.zeros_like(marks)
    for shift in range(-window, window + 1):
        near |= np.roll(marks, shift, axis=1) & _inside(n_steps, shift)
    count = near.sum(axis=0)
    wrapped = np.zeros_like(marks)
    for shift in range(-window, window + 1):
        wrapped |= np.roll(marks, shift, axis=1)
    largest = np.empty(n_permutations)
    columns = np.arange(n_steps)
    for k in range(n_permutations):
        offset = rng.integers(n_steps, size=(len(changes), 1))
        shifted = np.take_along_axis(wrapped, (columns + offset) % n_steps, axis=1)
        largest[k] = shifted.sum(axis=0).max(initial=0)
    index = _peaks(count)
    reached = np.sum(largest[:, None] >= count[index], axis=0)
    return Agreement(index, count[index], (1 + reached) / (1 + n_permutations))


def _inside(n: int, shift: int) -> np.ndarray:
    """Where a shift by `np.roll` has not wrapped around."""
    column = np.arange(n) - shift
    return (column >= 0) & (column < n)


def _peaks(count: np.ndarray) -> np.ndarray:
    """Middles of the plateaus of at least 2 that are higher than what lies beside them."""
    middles, start = [], 0
    for stop in range(1, len(count) + 1):
        if stop == len(count) or count[stop] != count[start]:
            left = count[start - 1] if start else -1
            right = count[stop] if stop < len(count) else -1
            if count[start] >= 2 and count[start] > max(left, right):
                middles.append((start + stop - 1) // 2)
            start = stop
    return np.array(middles, dtype=np.int64)
