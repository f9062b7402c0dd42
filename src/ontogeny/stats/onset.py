"""When a quantity leaves its null: an interval between two snapshots, never a bare number.

The onset is the first snapshot from which the quantity stays beyond its threshold to the end of
the record, for at least `hold` snapshots. An index of 0 is left-censored (beyond from the first
snapshot on); an index of n, the number of snapshots, is right-censored (not, or not yet for
`hold` snapshots). May import numpy only.

References
----------
Turnbull 1976 (interval-censored times).
"""

import math

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray

HOLD = 3
"""Snapshots for which a quantity must stay beyond its threshold."""


def onset_index(
    values: Float[Array, "*batch snapshot"],
    threshold: Float[Array, "*#batch snapshot"],
    *,
    hold: int = HOLD,
) -> Int[Array, " *batch"]:
    """Return the index of the onset's snapshot: 0 left-censored, n right-censored.

    NaN is not beyond anything.

    Examples
    --------
    The second snapshot is beyond .5 but falls back; the fourth stays.

    >>> from ontogeny.stats.onset import onset_index
    >>> values = np.array([0.1, 0.9, 0.2, 0.8, 0.9, 0.9])
    >>> int(onset_index(values, np.full(6, 0.5), hold=2))
    3
    """
    n_snapshots = values.shape[-1]
    # counted from the end: an early excursion above the threshold is no onset if it does not last
    run = _last_run(values > threshold)
    return np.asarray(np.where(run >= hold, n_snapshots - run, n_snapshots))


def onset_interval(
    values: Float[Array, " snapshot"],
    threshold: Float[Array, " snapshot"],
    steps: Int[Array, " snapshot"],
    *,
    hold: int = HOLD,
) -> tuple[float, float]:
    """Return the interval (after, by] of steps in which the onset lies.

    `after` is the last snapshot at which the quantity is not beyond its threshold, -inf where
    there is none (left-censored); `by` is the next snapshot, +inf where the quantity has not been
    beyond for `hold` snapshots (right-censored).

    Examples
    --------
    Between steps 2 and 4, and, for what never comes, after the last:

    >>> from ontogeny.stats.onset import onset_interval
    >>> values, steps = np.array([0.1, 0.9, 0.2, 0.8, 0.9, 0.9]), np.array([0, 1, 2, 4, 8, 16])
    >>> onset_interval(values, np.full(6, 0.5), steps, hold=2)
    (2.0, 4.0)
    >>> onset_interval(values, np.full(6, 2.0), steps, hold=2)
    (16.0, inf)
    """
    run = int(_last_run(values > threshold))
    after = float(steps[-run - 1]) if run < len(steps) else -math.inf
    by = float(steps[len(steps) - run]) if run >= hold else math.inf
    return after, by


def excursions(
    values: Float[Array, "*batch snapshot"],
    threshold: Float[Array, "*#batch snapshot"],
    *,
    hold: int = HOLD,
) -> Int[Array, " *batch"]:
    """Count how often the quantity was beyond for `hold` snapshots and fell back.

    Examples
    --------
    >>> from ontogeny.stats.onset import excursions
    >>> values = np.array([0.9, 0.9, 0.2, 0.8, 0.9, 0.9])
    >>> int(excursions(values, np.full(6, 0.5), hold=2))
    1
    """
    beyond = values > threshold
    length = np.zeros(beyond.shape[:-1], dtype=np.int64)
    count = np.zeros_like(length)
    for snapshot in range(beyond.shape[-1]):
        inside = beyond[..., snapshot]
        count += ~inside & (length >= hold)
        length = np.where(inside, length + 1, 0)
    return np.asarray(count)


def confidence_interval(
    index: Int[Array, " resample *batch"],
    steps: Int[Array, " snapshot"],
    *,
    level: float = 0.95,
) -> tuple[Float[Array, " *batch"], Float[Array, " *batch"]]:
    """Return the interval (after, by] that holds the middle `level` of resampled onset indices.

    Its ends are ends of snapshot intervals; censored resamples count as earlier or later than
    every snapshot, so that an end may be infinite.

    Examples
    --------
    Half of the resamples begin at the snapshot of step 2, the others at the next:

    >>> from ontogeny.stats.onset import confidence_interval
    >>> index, steps = np.array([2] * 50 + [3] * 50), np.array([0, 1, 2, 4, 8])
    >>> after, by = confidence_interval(index[:, None], steps)
    >>> after.tolist(), by.tolist()
    ([1.0], [4.0])
    """
    ranked = np.sort(index, axis=0)
    # order statistics and no interpolation: an index between two snapshots means nothing
    tail = math.floor((1 - level) / 2 * len(ranked) + 1e-9)
    first, last = ranked[tail], ranked[len(ranked) - 1 - tail]
    after = np.concatenate([[-math.inf], steps])[first]
    by = np.concatenate([steps, [math.inf]])[last]
    return after, by


def _last_run(beyond: Array) -> Array:
    """Return for how many snapshots, counted from the last one backwards, all are True."""
    backwards = ~beyond[..., ::-1]
    n_snapshots = beyond.shape[-1]
    return np.where(backwards.any(axis=-1), backwards.argmax(axis=-1), n_snapshots)
