"""What a unit is beyond its recombinations: gain, p, and bounds for the best of many units.

A recombination has the unit's parents, weights and bias, with the weights dealt anew. If its wiring
meant nothing, the unit would be one more deal: so p is exact whatever the selectivity is.
May import numpy only.

References
----------
Phipson and Smyth 2010 (p of random permutations); Tukey 1958 (leaving out one part at a time).
"""

import numpy as np
from jaxtyping import Bool, Float, Int

Array = np.ndarray
_NORMAL = 1.959964
"""97.5 % quantile of the normal distribution."""
TIE = 1e-6
"""Selectivities this near are equal: they are kept in single precision."""


def reach_p(
    own: Float[Array, " *unit"], dealt: Float[Array, "*unit deal"]
) -> Float[Array, " *unit"]:
    """Return (1 + deals that reach the unit's own value) / (deals + 1); NaN where own is.

    A deal that changes nothing, as of a row of one entry, reaches it: up to `TIE` values are equal.

    Examples
    --------
    >>> from ontogeny.stats.gains import reach_p
    >>> reach_p(np.array([0.9, 0.2]), np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]])).tolist()
    [0.25, 0.75]
    """
    known = np.isfinite(own) & np.isfinite(dealt).all(axis=-1)
    reached = (dealt >= own[..., None] - TIE).sum(axis=-1)
    return np.where(known, (1 + reached) / (1 + dealt.shape[-1]), np.nan)


def best_gain_bound(dealt: Float[Array, "unit deal"]) -> float:
    """Return the gain that no unit passes by chance, with 1 - 1 / (deals + 1) for all together.

    Each deal is taken as if it were the units' own wiring, its gains over the other deals, and of
    these the largest over units. Deals and own wiring being alike under chance, the largest gain of
    all units passes the largest of these once in deals + 1 times. NaN without units or 2 deals.

    Examples
    --------
    >>> from ontogeny.stats.gains import best_gain_bound
    >>> best_gain_bound(np.array([[0.1, 0.2, 0.3], [0.0, 0.0, 0.6]]))
    0.6
    """
    dealt = dealt[np.isfinite(dealt).all(axis=1)]
    n_deals = dealt.shape[1]
    if not len(dealt) or n_deals < 2:
        return np.nan
    others = (dealt.sum(axis=1, keepdims=True) - dealt) / (n_deals - 1)
    return float((dealt - others).max())


def gain_scores(
    own: Float[Array, " *cell"], dealt: Float[Array, "*cell deal"]
) -> tuple[Float[Array, " *cell"], Float[Array, "*cell deal"]]:
    """Return how many standard deviations own values, and each deal's, lie above the other deals.

    So that cells whose deals scatter little and those where they scatter much can be compared: the
    largest score of all cells has as its null the largest of each deal.

    Examples
    --------
    >>> from ontogeny.stats.gains import gain_scores
    >>> own, dealt = gain_scores(np.array([0.8]), np.array([[0.1, 0.2, 0.3, 0.4]]))
    >>> own.round(1).tolist(), dealt.round(1).tolist()
    ([4.3], [[-2.0, -0.4, 0.4, 2.0]])
    """
    n = dealt.shape[-1]
    mean, sd = dealt.mean(axis=-1), dealt.std(axis=-1, ddof=1)
    others = (dealt.sum(axis=-1, keepdims=True) - dealt) / (n - 1)
    squares = (dealt**2).sum(axis=-1, keepdims=True) - dealt**2
    spread = np.sqrt(np.maximum(squares - (n - 1) * others**2, 0) / (n - 2))
    return (own - mean) / np.maximum(sd, TIE), (dealt - others) / np.maximum(spread, TIE)


def left_out_interval(
    value: Float[Array, " *any"], left_out: Float[Array, " fold *any"]
) -> tuple[Float[Array, " *any"], Float[Array, " *any"]]:
    """Return the 95 % interval of a value from its values with one fold after another left out.

    value -+ 1.96 sd, sd^2 = (F - 1) / F sum over folds of (left out - mean)^2; NaN with one fold.

    Examples
    --------
    >>> from ontogeny.stats.gains import left_out_interval
    >>> low, high = left_out_interval(np.array([0.5]), np.array([[0.4], [0.5], [0.6]]))
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.27], [0.73])
    """
    reach = _NORMAL * jackknife_error(left_out)
    return value - reach, value + reach


def jackknife_error(left_out: Float[Array, " fold *batch"]) -> Float[Array, " *batch"]:
    """Return the standard error of a value from those with one fold after another left out.

    sd^2 = (F - 1) / F sum over folds of (left out - mean)^2; NaN with one fold.

    Examples
    --------
    >>> from ontogeny.stats.gains import jackknife_error
    >>> round(float(jackknife_error(np.array([0.4, 0.5, 0.6]))), 2)
    0.12
    """
    n_folds = len(left_out)
    if n_folds < 2:
        return np.full(left_out.shape[1:], np.nan)
    about = left_out - left_out.mean(axis=0)
    return np.asarray(np.sqrt((n_folds - 1) / n_folds * (about**2).sum(axis=0)))


def matched(
    gain: Float[Array, "unit source"], amplitude: Float[Array, " source"], count: int
) -> tuple[Float[Array, "unit source"], Float[Array, "unit source"]]:
    """Compare each source's gain with those of the sources of the same unit nearest in amplitude.

    Parameters
    ----------
    gain
        NaN where there is no edge.
    amplitude
        How much each source responds.
    count
        Sources to compare with, half of them weaker as far as there are as many.

    Returns
    -------
        Mean gain of the matched sources, and p = (1 + matched ones that reach the source's own) /
        (1 + matched); NaN where there are fewer than `count` of them, or any gain is.

    Examples
    --------
    The middle one of three, beside the other two:

    >>> from ontogeny.stats.gains import matched
    >>> mean, p = matched(np.array([[0.1, 0.9, 0.3]]), np.array([1.0, 2.0, 3.0]), 2)
    >>> mean.round(2).tolist(), p.round(2).tolist()
    ([[0.6, 0.2, 0.5]], [[1.0, 0.33, 0.67]])
    """
    n_sources = gain.shape[1]
    if n_sources <= count:
        missing = np.full(gain.shape, np.nan)
        return missing, missing
    order = np.argsort(amplitude, kind="stable")
    near = np.empty((n_sources, count), dtype=np.int64)
    for place, source in enumerate(order):
        first = min(max(0, place - count // 2), n_sources - count - 1)
        window = order[first : first + count + 1]
        near[source] = window[window != source]
    others = gain[:, near]  # [unit, source, matched]
    reached = (others >= gain[..., None] - TIE).sum(axis=-1)
    known = np.isfinite(gain) & np.isfinite(others).all(axis=-1)
    mean = np.where(known, others.mean(axis=-1), np.nan)
    return mean, np.where(known, (1 + reached) / (1 + count), np.nan)


def best_source(
    chooses: Float[Array, " source"], is_wired: Bool[Array, "unit source"]
) -> Int[Array, " unit"]:
    """Return each unit's most selective source, by the exemplars that choose; -1 where none is."""
    score = np.where(is_wired, np.nan_to_num(chooses, nan=-1.0), -1.0)
    best = score.argmax(axis=1)
    return np.where(score[np.arange(len(best)), best] >= 0, best, -1)
