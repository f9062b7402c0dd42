"""Whether something begins earlier in the units of one token than in those of the others.

May import numpy only.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array

FEWEST = 5
"""Units that a token needs for its share to be compared."""


class Leads(NamedTuple):
    """Shares of units in which something has begun, [snapshot, token].

    NaN for a token with too few units, and where no unit has another token.
    """

    own: Float[Array, "snapshot token"]
    """Of the token's units."""
    others: Float[Array, "snapshot token"]
    """Of all other tokens' units."""
    low: Float[Array, "snapshot token"]
    """Lower end of the 95 % interval of own - others, units resampled."""
    high: Float[Array, "snapshot token"]
    bound: Float[Array, "snapshot token"]
    """What own - others stays below for every token with 95 % where units' tokens are shuffled."""


def leads(
    begun: Bool[Array, "unit snapshot"],
    token: Int[Array, " unit"],
    layer: Int[Array, " unit"],
    n_tokens: int,
    *,
    n_draws: int,
    rng: np.random.Generator,
) -> Leads:
    """Compare, at each snapshot, in which share of each token's units something has begun.

    Parameters
    ----------
    begun
        Whether it has begun in a unit by a snapshot.
    token
        Each unit's token.
    layer
        Each unit's layer: tokens are shuffled within layers, which begin at times of their own.
    n_tokens
        How many tokens there are; the bound is corrected over them.
    n_draws
        Shuffles, and resamples.
    """
    # within layers: tokens are not spread evenly over depth, and depth alone may set when
    # units begin
    dealt = shuffled_within(token, layer, n_draws=n_draws, rng=rng)
    columns = []
    for k in range(n_tokens):
        mine = token == k
        if mine.sum() < FEWEST or mine.all():
            columns.append(np.full((5, begun.shape[1]), np.nan))
            continue
        null = np.subtract(*_shares(begun, dealt == k))
        # a share of 5 % for each token (Bonferroni), as any of them may be the one that leads
        bound = np.quantile(null, 1 - 0.05 / n_tokens, axis=0)
        own, others = (share[0] for share in _shares(begun, mine[None]))
        low, high = _interval(own, others, int(mine.sum()), int((~mine).sum()), n_draws, rng)
        columns.append(np.stack([own, others, low, high, bound]))
    return Leads(*np.stack(columns, axis=2))


def shuffled_within(
    token: Int[Array, " unit"],
    layer: Int[Array, " unit"],
    *,
    n_draws: int,
    rng: np.random.Generator,
) -> Int[Array, "draw unit"]:
    """Return units' tokens shuffled among the units of each layer."""
    dealt = np.tile(token, (n_draws, 1))
    for one in np.unique(layer):
        dealt[:, layer == one] = rng.permuted(dealt[:, layer == one], axis=1)
    return dealt


def _shares(begun: Array, mine: Array) -> tuple[Array, Array]:
    """Return the shares of own and of other units that have begun, [draw, snapshot]."""
    count, n_mine = mine.astype(np.float64) @ begun, mine.sum(axis=1, keepdims=True)
    others = begun.sum(axis=0) - count
    return count / n_mine, others / (mine.shape[1] - n_mine)


def _interval(
    own: Array, others: Array, n_own: int, n_others: int, n_draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the middle 95 % of own - others; shares of resampled units are binomial."""
    # a draw of units with replacement gives a binomial count, so that none has to be drawn
    again = rng.binomial(n_own, own, (n_draws, len(own))) / n_own
    again = again - rng.binomial(n_others, others, (n_draws, len(others))) / n_others
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    return low, high
