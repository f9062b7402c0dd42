"""What layers construct: bounds for all of them together, curves drawn again, shares of means.

The deals are the null: under it a unit's own wiring is one more deal, and so is that of all units
together. Each deal in turn is therefore taken as if it were the own wiring, and the most that any
of them gives in any layer is passed once in deals + 1 times. May import numpy only.

References
----------
Westfall and Young 1993 (largest value over all that is looked at); Wu 1986 (multipliers);
Kendall 1938 (rank correlation).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray


def share_bounds(
    own: Float[Array, " unit"],
    dealt: Float[Array, "unit deal"],
    layers: Sequence[Int[Array, " _"]],
) -> Float[Array, " layer"]:
    """Return the share of constructed units that no layer passes by chance, in 19 of 20 networks.

    A deal's share in a layer is that of the units of which it is above all others and the own
    wiring. Shares are compared in binomial standard deviations, since layers differ in size. NaN
    where a value is missing.

    Examples
    --------
    The second deal is the best one in half of the units:

    >>> from ontogeny.stats.layergains import share_bounds
    >>> own, dealt = np.array([0.1, 0.9]), np.array([[0.2, 0.3, 0.1], [0.1, 0.2, 0.3]])
    >>> share_bounds(own, dealt, [np.array([0, 1])]).round(2).tolist()
    [0.5]
    """
    n_deals = dealt.shape[1]
    if not np.isfinite(dealt).all():
        return np.full(len(layers), np.nan)
    every = np.concatenate([np.where(np.isnan(own), -np.inf, own)[:, None], dealt], axis=1)
    two = np.partition(every, n_deals - 1, axis=1)[:, -2:]
    best = (every == two[:, 1:]) & (two[:, 1:] > two[:, :1])
    chance = 1 / (n_deals + 1)
    sd = np.array([np.sqrt(chance * (1 - chance) / len(units)) for units in layers])
    shares = np.stack([best[units, 1:].mean(axis=0) for units in layers])
    return chance + sd * ((shares - chance) / sd[:, None]).max()


def drawn_again(
    value: Float[Array, " *batch"],
    left_out: Float[Array, " fold *batch"],
    normal: Float[Array, "draw fold"],
) -> Float[Array, " draw *batch"]:
    """Return a value as other exemplars would give it, from its values with a fold left out.

    value + sqrt((F - 1) / F) sum over folds of normal (left out - mean): its variance is that of
    leaving folds out in turn, and what belongs together (steps, layers) moves together.

    Examples
    --------
    >>> from ontogeny.stats.layergains import drawn_again
    >>> drawn_again(np.array(0.5), np.array([0.4, 0.6]), np.array([[0.0, 1.0]])).round(2).tolist()
    [0.57]
    """
    n_folds = len(left_out)
    about = left_out - left_out.mean(axis=0)
    return value + np.sqrt((n_folds - 1) / n_folds) * np.tensordot(normal, about, axes=1)


def means_of_units(
    values: Float[Array, "*batch unit"], weights: Float[Array, "draw unit"]
) -> Float[Array, " draw *batch"]:
    """Return means over the units that are known, units weighed as drawn; NaN where none is.

    Examples
    --------
    >>> from ontogeny.stats.layergains import means_of_units
    >>> means_of_units(np.array([1.0, 4.0, np.nan]), np.array([[1.0, 1, 1], [2, 0, 1]])).tolist()
    [2.5, 1.0]
    """
    known = np.isfinite(values)
    total = np.tensordot(weights, np.where(known, values, 0.0), axes=(1, values.ndim - 1))
    count = np.tensordot(weights, known.astype(np.float64), axes=(1, values.ndim - 1))
    return np.divide(total, count, where=count > 0, out=np.full(total.shape, np.nan))


def rank_order(
    place: Float[Array, " layer"], time: Float[Array, "*batch layer"]
) -> Float[Array, " *batch"]:
    """Return Kendall's rank correlation tau-b of two orders; NaN where one of them is one value.

    Examples
    --------
    The upper layers first, the lowest two together:

    >>> from ontogeny.stats.layergains import rank_order
    >>> round(float(rank_order(np.arange(4.0), np.array([9.0, 9.0, 4.0, 2.0]))), 2)
    -0.91
    """
    first, second = (np.sign(v[..., :, None] - v[..., None, :]) for v in (place, time))
    both = (first * second).sum(axis=(-2, -1))
    size = np.sqrt((first**2).sum(axis=(-2, -1)) * (second**2).sum(axis=(-2, -1)))
    return np.divide(both, size, where=size > 0, out=np.full(np.shape(both), np.nan))
