"""From which step on the lower layers do for the upper ones of a later step.

A graft has its lower layers of one step and the others of another one (`step_b`). May import numpy
only.

References
----------
Raghu et al. 2017 (freeze training: lower layers converge first);
Zhang, Bengio & Singer 2022, Are All Layers Created Equal? (layers put back to earlier steps).
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num

Array = np.ndarray


class Difference(NamedTuple):
    """A difference of two accuracies on the same exemplars, with its interval."""

    mean: Float[Array, " *batch"]
    low: Float[Array, " *batch"]
    high: Float[Array, " *batch"]


def paired_difference(
    right: Bool[Array, "*batch exemplar"],
    other: Bool[Array, "*#batch exemplar"],
    weights: Float[Array, "resample exemplar"],
    *,
    level: float = 0.95,
) -> Difference:
    """Return how much more often `right` is True than `other`, over the same exemplars.

    The interval holds the middle `level` of the same difference over resamples. Exemplars on which
    both agree count as 0, so that it is narrower than the intervals of the two accuracies.

    Parameters
    ----------
    right, other
        Whether each exemplar is classified correctly, by either network.
    weights
        How often each exemplar is drawn in each resample, groups whole
        (:func:`ontogeny.stats.permutation.group_resamples`).
    level
        Confidence.

    Returns
    -------
    Difference
        From -1 to 1.

    Examples
    --------
    One of four exemplars is lost; drawn twice or not at all it makes the ends of the interval.

    >>> from ontogeny.stats.readiness import paired_difference
    >>> right, other = np.array([True, True, False, False]), np.array([True, True, True, False])
    >>> weights = np.array([[1.0, 1, 0, 2], [1, 1, 2, 0]])
    >>> [float(part.round(2)) for part in paired_difference(right, other, weights, level=0.999)]
    [-0.25, -0.5, -0.0]
    """
    change = right.astype(np.float64) - other
    # counts first, which are whole: a difference of 0 is then 0, whatever the order of the sum
    again = change @ weights.T / weights.sum(axis=1)
    low, high = np.quantile(again, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    return Difference(change.mean(axis=-1), low, high)


def ready_interval(
    as_good: Bool[Array, "*batch step step_b"], steps: Int[Array, " step"]
) -> tuple[Float[Array, "*batch step_b"], Float[Array, "*batch step_b"]]:
    """Return the interval (after, by] of steps from which on the lower layers do for each `step_b`.

    `by` is the first step from which all grafts up to `step_b` are as good as the network of
    `step_b`, which itself is; `after` is the step before it on the grid, -inf where there is none:
    the lower layers did from the first step on.

    Parameters
    ----------
    as_good
        Whether the graft of the lower layers of `step` under the upper ones of `step_b` is; only
        steps before `step_b` are read.
    steps
        Of the grid, ascending, the same along both axes.

    Examples
    --------
    For step 4, step 1 did and step 2 did not, so that its lower layers come after step 2:

    >>> from ontogeny.stats.readiness import ready_interval
    >>> as_good = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1]], bool)
    >>> after, by = ready_interval(as_good, np.array([0, 1, 2, 4]))
    >>> after.tolist(), by.tolist()
    ([-inf, -inf, 0.0, 2.0], [0.0, 0.0, 1.0, 4.0])
    """
    place = np.arange(len(steps))
    fails = ~as_good & (place[:, None] < place)
    # from the last failure on, not from the first success: later steps may lose what was there
    last = np.where(fails, place[:, None], -1).max(axis=-2)
    ends = np.concatenate([[-math.inf], steps])
    return ends[last + 1], ends[last + 2]


def lead(
    ready: Float[Array, "*batch step_b"], steps: Num[Array, " step_b"]
) -> Float[Array, "*batch step_b"]:
    """Return log2((t + 1) / (s + 1)): how many doublings of the step t lies behind s.

    Steps count from 1, so that the first has a lead too; an interval that is open to the left
    (-inf) begins at step 0. NaN stays NaN.

    Examples
    --------
    >>> from ontogeny.stats.readiness import lead
    >>> lead(np.array([-np.inf, 3.0, 7.0]), np.array([7, 7, 7])).tolist()
    [3.0, 1.0, 0.0]
    """
    return np.log2((steps + 1) / (np.maximum(ready, 0.0) + 1))


def loss_time(loss: Float[Array, " step"]) -> Float[Array, " step"]:
    """Return the share of the whole fall of the loss that is done by each step, from 0 to 1.

    tau(t) = (L(0) - lowest L up to t) / (L(0) - lowest L). NaN where the loss never falls or is
    NaN somewhere.

    Examples
    --------
    >>> from ontogeny.stats.readiness import loss_time
    >>> loss_time(np.array([2.0, 2.5, 1.0, 1.5, 0.0])).tolist()
    [0.0, 0.0, 0.5, 0.5, 1.0]
    """
    fallen = loss[0] - np.minimum.accumulate(loss)
    return fallen / fallen[-1] if fallen[-1] > 0 else np.full_like(fallen, np.nan)
