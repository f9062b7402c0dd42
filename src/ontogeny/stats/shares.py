"""Shares of draws: their intervals, and whether two kinds are taken for each other beyond chance.

May import numpy and scipy only.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from numpy import ndarray as Array
from scipy.special import ndtri
from scipy.stats import binom


def wilson_interval(
    share: Real[Array, "*batch"], of: Real[Array, "*#batch"] | int, *, level: float = 0.95
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Return Wilson's interval of a share of a number of independent draws.

    Shares need not be whole numbers of draws: where exemplars of one group count once, the share
    is that of exemplars and the number that of groups (Wilson 1927, JASA 22:209-212).

    Parameters
    ----------
    share
        From 0 to 1.
    of
        Number of draws, above 0.
    level
        Confidence.

    Returns
    -------
    tuple of Array
        Lower and upper ends, from 0 to 1.
    """
    z = float(ndtri((1 + level) / 2))
    centre = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    reach = z / (1 + z**2 / of) * np.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return np.clip(centre - reach, 0.0, share), np.clip(centre + reach, share, 1.0)


class Confusions(NamedTuple):
    """How often each two tokens are taken for each other; [token, token], NaN on the diagonal."""

    share: Float[Array, "token token"]
    """Share of the two tokens' exemplars that are classified as the other one."""
    by_chance: Float[Array, "token token"]
    """What it would be if each token's errors were spread over the other tokens evenly, or as all
    exemplars are spread over them, whichever is more."""
    bound: Float[Array, "token token"]
    """What errors spread by chance pass in no pair, with the level (binomial, Bonferroni)."""


def confusions(
    table: Float[Array, "token token"],
    exemplars: Int[Array, " token"],
    draws: Int[Array, " token"],
    *,
    level: float = 0.95,
) -> Confusions:
    """Return the confusions of every two tokens beside errors that are spread by chance.

    Where a network leans to some token, the errors of all others go there: that is no confusion of
    two tokens. With e(i) errors of token i among n tokens, and a(j) of all exemplars classified as
    j, chance sends e(i) / (n - 1) of them to j, or e(i) a(j) / sum of a(k) over k other than i.

    Parameters
    ----------
    table
        Share of a token's exemplars (row) that are classified as each token (column).
    exemplars
        How many exemplars each token has.
    draws
        How many of them are independent of each other: groups of exemplars.
    level
        Confidence over all pairs together.

    Returns
    -------
    Confusions
        All NaN where a token has no exemplar, or there are fewer than three tokens: the errors of
        two tokens cannot be spread otherwise.
    """
    n = len(exemplars)
    if n < 3 or not np.isfinite(table).all():
        nothing = np.full((n, n), np.nan)
        return Confusions(nothing, nothing.copy(), nothing.copy())
    errors = np.where(np.eye(n, dtype=bool), 0.0, table * exemplars[:, None])
    of = np.add.outer(exemplars, exemplars)
    independent = np.add.outer(draws, draws)
    answered = (table * exemplars[:, None]).sum(axis=0)
    others = np.maximum(answered.sum() - answered, 1e-300)  # none answered: no errors either
    leaning = errors.sum(axis=1, keepdims=True) * answered / others[:, None]
    # evenly over the others, whatever their number of exemplars: a wrong answer is dealt to a name
    evenly = np.broadcast_to(errors.sum(axis=1, keepdims=True) / (n - 1), (n, n))
    # of the pair as a whole, since it is tested as a whole
    by_chance = np.maximum(evenly + evenly.T, leaning + leaning.T) / of
    chance = (1 - level) / (n * (n - 1) / 2)
    # counted in groups, whose exemplars err together: exemplars would make chance look narrower
    bound = binom.ppf(1 - chance, independent, by_chance) / independent
    off = np.where(np.eye(n, dtype=bool), np.nan, 1.0)
    return Confusions((errors + errors.T) / of * off, by_chance * off, bound * off)


class Rise(NamedTuple):
    """How far a loss rises from its lowest snapshot to the end."""

    place: int
    """Of the snapshot with the lowest loss of the exemplars that choose it."""
    rise: float
    """Mean over the other exemplars."""
    low: float
    high: float
    """Middle 95 % of the rise, groups of exemplars resampled."""
    bound: float
    """95 % quantile of the resampled rise about its mean: what no rise passes with 95 %."""


def rise_after_lowest(
    loss: Float[Array, "snapshot exemplar"],
    chooses: Bool[Array, " exemplar"],
    weights: Float[Array, "resample other"],
) -> Rise:
    """Return how far a loss rises after its lowest snapshot, on exemplars that did not choose it.

    Parameters
    ----------
    loss
        Of each exemplar.
    chooses
        Which exemplars choose the snapshot; the others are measured.
    weights
        How often each of the other exemplars is drawn in each resample.

    Returns
    -------
    Rise
        In the units of the loss.
    """
    place = int(np.argmin(loss[:, chooses].mean(axis=1)))
    # exemplars that chose the lowest snapshot would make it lower than it is, and so every
    # rise larger
    rise = (loss[-1] - loss[place])[~chooses]
    again = weights @ rise / weights.sum(axis=1)
    low, high = np.quantile(again, [0.025, 0.975])
    bound = float(np.quantile(again - rise.mean(), 0.95))
    return Rise(place, float(rise.mean()), float(low), float(high), bound)
