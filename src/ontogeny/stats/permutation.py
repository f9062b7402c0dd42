"""Nulls by shuffling: tokens are shuffled over groups of exemplars, never within a group.

May import numpy only.

References
----------
Westfall & Young 1993 (the maximum over a family of tests);
Phipson & Smyth 2010 (a permutation p-value is never 0).
"""

import math

import numpy as np
from jaxtyping import Float, Int, Shaped

Array = np.ndarray


def group_blocks(
    token: Int[Array, " exemplar"], group: Shaped[Array, " exemplar"]
) -> tuple[Int[Array, " exemplar"], Int[Array, " block"]]:
    """Return the block of each exemplar and the token of each block.

    A block is what is shuffled or resampled as one: all exemplars of a group. Where a group holds
    several tokens (one photograph filed under two names) it counts as one block per token.

    Examples
    --------
    >>> from ontogeny.stats.permutation import group_blocks
    >>> block, token_of_block = group_blocks(np.array([0, 0, 1]), np.array([7, 7, 9]))
    >>> block.tolist(), token_of_block.tolist()
    ([0, 0, 1], [0, 1])
    """
    _, group_code = np.unique(group, return_inverse=True)
    width = int(token.max(initial=0)) + 1
    cells, block = np.unique(group_code * width + token, return_inverse=True)
    return block.astype(np.int64), (cells % width).astype(np.int64)


def shuffled_tokens(
    token: Int[Array, " exemplar"],
    group: Shaped[Array, " exemplar"],
    *,
    n_shuffles: int,
    rng: np.random.Generator,
) -> Int[Array, "shuffle exemplar"]:
    """Deal the tokens anew over the groups, `n_shuffles` times; a group keeps one token.

    The number of groups per token is kept; where groups differ in size, the number of exemplars
    per token varies between shuffles, as it would had the groups been named anew.
    :func:`ontogeny.stats.groups.group_permutations` gives places instead of tokens.

    Examples
    --------
    The exemplars of a group get the same token.

    >>> from ontogeny.stats.permutation import shuffled_tokens
    >>> token, group = np.array([0, 0, 0, 1, 1, 1]), np.array([5, 5, 6, 7, 7, 8])
    >>> rng = np.random.default_rng(0)
    >>> shuffled_tokens(token, group, n_shuffles=3, rng=rng)
    array([[1, 1, 0, 0, 0, 1],
           [1, 1, 1, 0, 0, 0],
           [0, 0, 1, 0, 0, 1]])
    """
    block, token_of_block = group_blocks(token, group)
    # blocks are dealt, not exemplars: those of a group are exchangeable only together
    dealt = rng.permuted(np.tile(token_of_block, (n_shuffles, 1)), axis=1)
    return dealt[:, block]


def group_resamples(
    token: Int[Array, " exemplar"],
    group: Shaped[Array, " exemplar"],
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> Float[Array, "resample exemplar"]:
    """Return how often each exemplar is drawn when groups are drawn with replacement per token.

    Examples
    --------
    The last two exemplars are one group, the only one of its token.

    >>> from ontogeny.stats.permutation import group_resamples
    >>> token, group = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 3, 3])
    >>> rng = np.random.default_rng(0)
    >>> group_resamples(token, group, n_resamples=3, rng=rng).astype(int)
    array([[1, 1, 1, 1, 1],
           [0, 0, 3, 1, 1],
           [2, 1, 0, 1, 1]])
    """
    block, token_of_block = group_blocks(token, group)
    counts = np.zeros((n_resamples, len(token_of_block)))
    for name in np.unique(token_of_block):
        members = np.flatnonzero(token_of_block == name)
        even = np.full(len(members), 1 / len(members))
        counts[:, members] = rng.multinomial(len(members), even, size=n_resamples)
    return counts[:, block]


def upper_quantile(
    null: Float[Array, " shuffle *family"], level: float
) -> Float[Array, " *family"]:
    """Return the value that a quantity free of token structure exceeds with at most 1 - `level`.

    It is the k-th smallest of the n shuffles with k = ceil(level * (n + 1)), so that counting the
    observed value among the shuffles the bound is exact; infinite where n is too small for
    `level`. NaN stays NaN.

    Examples
    --------
    19 shuffles are enough for 5 %, and not for 1 %:

    >>> from ontogeny.stats.permutation import upper_quantile
    >>> null = np.arange(1.0, 20.0)
    >>> float(upper_quantile(null, 0.95)), float(upper_quantile(null, 0.99))
    (19.0, inf)
    """
    n_shuffles = null.shape[0]
    # less a hair: the product may come out a rounding above a whole number, and the rank
    # one too high
    rank = math.ceil(level * (n_shuffles + 1) - 1e-9)
    # no quantile of so few shuffles bounds the level: none is better than one that is too low
    if rank > n_shuffles:
        return np.where(np.isnan(null).any(axis=0), np.nan, np.inf)
    return np.asarray(np.partition(null, rank - 1, axis=0)[rank - 1])


def p_value(
    observed: Float[Array, " *family"], null: Float[Array, " shuffle *family"]
) -> Float[Array, " *family"]:
    """Return (1 + number of shuffles that reach the observed value) / (1 + number of shuffles).

    Examples
    --------
    Larger than all of 19 shuffles, and than 9 of them:

    >>> from ontogeny.stats.permutation import p_value
    >>> null = np.arange(1.0, 20.0)
    >>> float(p_value(np.array(99.0), null)), float(p_value(np.array(10.0), null))
    (0.05, 0.55)
    """
    # the observed value is itself one of the shuffles under the null, hence the 1 above and below
    reached = 1 + np.sum(null >= observed, axis=0)
    return np.where(np.isnan(observed), np.nan, reached / (1 + null.shape[0]))


def corrected_threshold(
    null: Float[Array, " shuffle *family"], level: float
) -> Float[Array, " *family"]:
    """Return thresholds that no member of a family free of token structure passes, with `level`.

    Each member is centred and scaled by its null; the upper quantile of the largest standardised
    value of each shuffle gives one z for all: threshold = null mean + z * null deviation.
    Infinite where the null does not vary, NaN where it is not defined.

    References
    ----------
    Westfall & Young 1993.

    Examples
    --------
    What each of 100 quantities passes with 5 %, and what any of them does:

    >>> from ontogeny.stats.permutation import corrected_threshold, upper_quantile
    >>> null = np.random.default_rng(0).standard_normal((999, 100))
    >>> alone, together = upper_quantile(null, 0.95), corrected_threshold(null, 0.95)
    >>> round(float(alone.mean()), 1), round(float(together.mean()), 1)
    (1.6, 3.3)
    """
    mean, deviation = null.mean(axis=0), null.std(axis=0, ddof=1)
    varies = deviation > 1e-12 * np.maximum(np.abs(mean), 1e-300)
    if not varies.any():
        return np.where(np.isnan(mean), np.nan, np.inf)
    # studentised first: a member with a wide null would else set the threshold of all the others
    largest = ((null[:, varies] - mean[varies]) / deviation[varies]).max(axis=1)
    z = upper_quantile(largest, level)
    return np.where(varies, mean + z * deviation, np.where(np.isnan(mean), np.nan, np.inf))
