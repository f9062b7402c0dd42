"""Phases: steps at which measures change their course, and whether they have any phases.

May import numpy only.

References
----------
Bai & Perron 2003, Journal of Applied Econometrics 18:1-22 (optimal segmentation);
Phipson & Smyth 2010 (a permutation p-value is never 0).
"""

import numpy as np
from jaxtyping import Float, Int, Real

from ontogeny.errors import InputError

MAX_CHANGES = 5
"""Most changes of course that are looked for."""


def _segment_costs(series: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Residual sum of squares of a line through snapshots i to j - 1, at [i, j]."""
    n = len(position)
    # standardised, so that the thresholds below hold for steps as for their logarithms
    x = (position - position.mean()) / max(position.std(), 1e-300)

    def sums(values: np.ndarray) -> np.ndarray:
        # running sums: the fit of every segment costs a subtraction, not a pass over its snapshots
        total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
        return total[None, :] - total[:, None]

    count = np.maximum(np.arange(n + 1) - np.arange(n + 1)[:, None], 1)
    sx, sxx = sums(x), sums(x**2)
    spread = sxx - sx**2 / count
    cost = np.zeros((n + 1, n + 1))
    for y in series.T:
        sy = sums(y)
        joint = sums(x * y) - sx * sy / count
        # a segment of one snapshot, or of one position, has no slope: it keeps its mean alone
        slope_part = np.where(spread > 1e-12, joint**2 / np.where(spread > 1e-12, spread, 1), 0)
        cost += sums(y**2) - sy**2 / count - slope_part
    return np.maximum(cost, 0)


def change_points(
    series: Float[np.ndarray, "step measure"],
    position: Real[np.ndarray, " step"],
    *,
    max_changes: int = MAX_CHANGES,
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

    Examples
    --------
    Two measures that are flat up to snapshot 20 and run on a slope after it:

    >>> from ontogeny.stats.changepoints import change_points
    >>> position = np.arange(40.0)
    >>> noise = np.random.default_rng(0).standard_normal((40, 2))
    >>> rises = np.maximum(0, position - 20)[:, None]
    >>> change_points(rises * [2, -1] + noise, position).tolist()
    [21]
    """
    _check(series, min_size)
    return _phases(series, position, max_changes, min_size)[0]


def _check(series: np.ndarray, min_size: int) -> None:
    if min_size < 3:
        message = f"expected phases of at least 3 snapshots, got min_size={min_size}"
        raise InputError(message + "; a line fits any two")
    if not np.isfinite(series).all():
        message = "expected measures without NaN, got NaN; leave out the steps or measures with NaN"
        raise InputError(message)


def _phases(
    series: np.ndarray, position: np.ndarray, max_changes: int, min_size: int
) -> tuple[np.ndarray, float]:
    """Return the first snapshots of later phases, and by how much they better one line's score."""
    centred = series - series.mean(axis=0)
    size = centred.std(axis=0)
    # a constant measure would be divided by rounding and then vote with the weight of any other
    varying = size > 1e-12 * np.abs(series).max(axis=0, initial=0)
    n, m = len(series), int(varying.sum())
    found, best, line = np.empty(0, dtype=np.int64), np.inf, 0.0
    if m == 0 or n < 2 * min_size:
        return found, 0.0
    cost = _segment_costs(centred[:, varying] / size[varying], position.astype(np.float64))
    length = np.arange(n + 1) - np.arange(n + 1)[:, None]
    cost[length < min_size] = np.inf
    for changes, error in _segmentations(cost, min(max_changes, n // min_size - 1)):
        # below this, the residual is rounding and not a phase
        fit = n * m * np.log(max(error, 1e-20 * n * m) / (n * m))
        score = fit + (len(changes) + 1) * (2 * m + 1) * np.log(n * m)
        if not len(changes):
            line = score
        if score < best - 1e-9:
            best, found = score, changes
    return found, line - best


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


def phase_test(
    series: Float[np.ndarray, "step measure"],
    position: Real[np.ndarray, " step"],
    *,
    n_permutations: int = 199,
    min_size: int = 4,
    rng: np.random.Generator,
) -> float:
    """Tell whether measures have common phases, or only wander as one steady drift would.

    Null: one drift for each measure, plus increments in no order, however much the measures share
    them. The increments of all measures together, less the drift and over the root of the time
    they take, are shuffled over the snapshots: what the measures have in common at a snapshot
    stays in common, only its place in training is lost.
    p = (1 + dealings that gain as much by phases) / (1 + dealings), the gain being that of the
    score of :func:`change_points` over one line.

    Exact for random walks over even snapshots, however dependent the measures are; conservative
    for noise about a line, whose dealt increments wander. It does not tell phases with edges from
    one smooth bend: both are changes of course.

    Parameters
    ----------
    series
        Measures at the snapshots, of one network or of several.
    position
        Where the snapshots lie, ascending, as for :func:`change_points`.
    n_permutations
        How many dealings.
    min_size
        Fewest snapshots of a phase.
    rng
        Source of randomness.

    Returns
    -------
        p, above 0 and at most 1; 1 where one line does, and with fewer than 2 `min_size` snapshots.

    Raises
    ------
    InputError
        On NaN, or a `min_size` below 3.
    """
    _check(series, min_size)
    changes, gain = _phases(series, position, MAX_CHANGES, min_size)
    if not len(changes):
        return 1.0
    span = np.diff(position.astype(np.float64))[:, None]
    drift = (series[-1] - series[0]) / span.sum()
    # over the root of the time: a walk's increments are exchangeable only at equal variance
    step = (np.diff(series, axis=0) - drift * span) / np.sqrt(span)
    reached = 0
    for _ in range(n_permutations):
        # whole rows are dealt: measures that jump together still do, or shared noise would
        # pass for phases
        dealt = drift * span + np.sqrt(span) * rng.permutation(step)
        walk = np.concatenate([series[:1], series[0] + np.cumsum(dealt, axis=0)])
        reached += _phases(walk, position, MAX_CHANGES, min_size)[1] >= gain - 1e-9
    return (1 + reached) / (1 + n_permutations)
