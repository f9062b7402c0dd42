"""How a unit's responses tell one token from the rest, and how they are spread over exemplars.

Everything that depends on order is computed from one pass of ranks: a shuffle of the tokens or
another token is then a matrix product. May import numpy only.

References
----------
Green & Swets 1966 (d'); DeLong et al. 1988 (placements); Treves & Rolls 1991, Vinje & Gallant 2000
(sparseness); Miller 1955 (bias of entropies); Morcos et al. 2018 (class selectivity).
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Real

Array = np.ndarray

N_BINS = 8
"""Bins of equal occupancy into which responses fall for `token_information`."""


def ranks(response: Real[Array, "*batch exemplar unit"]) -> Float[Array, "*batch exemplar unit"]:
    """Return each response's rank among the exemplars, 1 ... n, ties sharing their mean rank.

    In single precision, which holds them exactly. NaN for a unit with any NaN.

    Examples
    --------
    >>> from ontogeny.stats.tuning import ranks
    >>> ranks(np.array([[0.3], [9.0], [0.3], [0.1]])).ravel().tolist()
    [2.5, 4.0, 2.5, 1.0]
    """
    rows = np.ascontiguousarray(np.swapaxes(response, -1, -2))
    shape, n = rows.shape, rows.shape[-1]
    rows = rows.reshape(-1, n)
    order = np.argsort(rows, axis=1)
    ranked = np.take_along_axis(rows, order, axis=1)
    places = np.empty(rows.shape, dtype=np.float32)
    places[:] = np.arange(1, n + 1)
    fresh = np.ones(rows.shape, dtype=bool)
    fresh[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    tied = ~fresh.all(axis=1)
    places[tied] = _mean_places(fresh[tied])
    out = np.empty_like(places)
    np.put_along_axis(out, order, places, axis=1)
    out[np.isnan(ranked[:, -1])] = np.nan
    return np.swapaxes(out.reshape(shape), -1, -2)


def _mean_places(fresh: Array) -> Array:
    """Return the mean place, from 1, of each run of equal values that begins where `fresh`."""
    n = fresh.shape[1]
    index = np.arange(n, dtype=np.int32)
    ends = np.ones_like(fresh)
    ends[:, :-1] = fresh[:, 1:]
    first = np.maximum.accumulate(np.where(fresh, index, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, index, n)[:, ::-1], axis=1)[:, ::-1]
    return (first + last) / 2 + 1


def auroc(
    rank: Float[Array, "exemplar unit"], member: Bool[Array, "set exemplar"]
) -> Float[Array, "set unit"]:
    """Return how well each unit tells the members of each set from all other exemplars.

    P(member's response > other's response) + P(equal) / 2, within 0 ... 1; .5 tells nothing,
    below .5 the unit answers the set less than the rest. From `ranks`:
    (mean rank of the m members - (m + 1) / 2) / (n - m). NaN for a set that is empty or holds
    all, and for a unit with NaN.

    Examples
    --------
    The first two exemplars are of the token. One unit answers them most, one the first only.

    >>> from ontogeny.stats.tuning import auroc, ranks
    >>> response = np.array([[8.0, 9.0], [9.0, 1.0], [1.0, 2.0], [0.0, 0.0]])
    >>> member = np.array([[True, True, False, False]])
    >>> auroc(ranks(response), member).tolist()
    [[1.0, 0.75]]
    """
    count = member.sum(axis=1)[:, None]
    others = member.shape[1] - count
    sums = member.astype(rank.dtype) @ rank
    fine = (count > 0) & (others > 0)
    # sums of ranks stay exact in single precision for thousands of exemplars; no loop over pairs
    value = (sums / np.maximum(count, 1) - (count + 1) / 2) / np.maximum(others, 1)
    return np.where(fine, value, np.nan).astype(rank.dtype)


def placements(
    response: Real[Array, "exemplar unit"], member: Bool[Array, " exemplar"]
) -> Float[Array, "exemplar unit"]:
    """Return for each member the share of others below it; for each other, of members above it.

    Equal responses count half. The mean over members, like that over others, is the AUROC.
    """
    rank = ranks(response)
    placed = np.empty_like(rank)
    n_members = int(member.sum())
    n_others = len(member) - n_members
    # ranks among all less ranks among members count the others below, ties as halves
    placed[member] = (rank[member] - ranks(response[member])) / n_others
    placed[~member] = 1 - (rank[~member] - ranks(response[~member])) / n_members
    return placed


def resampled_auroc(
    placed: Float[Array, "exemplar unit"],
    member: Bool[Array, " exemplar"],
    weights: Float[Array, "resample exemplar"],
) -> Float[Array, "resample unit"]:
    """Return the AUROC of resamples in which exemplar i occurs `weights[:, i]` times.

    To first order: the mean of the members' placements plus that of the others', less the AUROC
    itself. What is left out is of the order 1 / n. NaN for a resample without members or others.
    """
    weights = weights.astype(placed.dtype)
    total = np.zeros((len(weights), placed.shape[1]), dtype=placed.dtype)
    for side in (member, ~member):
        weight = weights[:, side]
        count = weight.sum(axis=1)[:, None]
        mean = np.divide(
            weight @ placed[side], count, where=count > 0, out=np.full_like(total, np.nan)
        )
        total += mean
    return total - placed[member].mean(axis=0)


def d_prime(
    response: Real[Array, "*batch exemplar unit"], token: Int[Array, " exemplar"], n_tokens: int
) -> Float[Array, "*batch unit token"]:
    """Return (mean of the token - mean of the rest) / sqrt((variance + variance of the rest) / 2).

    Unbounded; 0 where the means agree. NaN where neither side varies, or a side has fewer than 2
    exemplars.

    Examples
    --------
    Means 2 and 0, both of variance 2:

    >>> from ontogeny.stats.tuning import d_prime
    >>> response, token = np.array([[1.0], [3.0], [-1.0], [1.0]]), np.array([0, 0, 1, 1])
    >>> d_prime(response, token, 2).ravel().round(2).tolist()
    [1.41, -1.41]
    """
    x = response.astype(np.float64)
    # centred first: a large common activation would cost the variances their digits
    x = x - x.mean(axis=-2, keepdims=True)
    columns = []
    for name in range(n_tokens):
        own, rest = x[..., token == name, :], x[..., token != name, :]
        if min(own.shape[-2], rest.shape[-2]) < 2:
            columns.append(np.full((*x.shape[:-2], x.shape[-1]), np.nan))
            continue
        gap = own.mean(axis=-2) - rest.mean(axis=-2)
        spread = np.sqrt((own.var(axis=-2, ddof=1) + rest.var(axis=-2, ddof=1)) / 2)
        columns.append(np.divide(gap, spread, where=spread > 0, out=np.full(spread.shape, np.nan)))
    return np.stack(columns, axis=-1)


def lifetime_sparseness(
    response: Real[Array, "*batch exemplar unit"],
) -> Float[Array, "*batch unit"]:
    """Return how few exemplars carry a unit's response: (1 - (E r)^2 / E r^2) / (1 - 1 / n).

    0 when all exemplars drive the unit alike, 1 when one alone does. NaN for a unit that is
    silent, and for one with negative responses, of which it is not defined.

    Examples
    --------
    A unit that all exemplars drive alike, and one that a single exemplar drives:

    >>> from ontogeny.stats.tuning import lifetime_sparseness
    >>> response = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 5.0]])
    >>> lifetime_sparseness(response).round(2).tolist()
    [0.0, 1.0]
    """
    r = response.astype(np.float64)
    n = r.shape[-2]
    power = np.mean(r**2, axis=-2)
    fine = (power > 0) & (r.min(axis=-2) >= 0)
    share = np.divide(r.mean(axis=-2) ** 2, power, where=fine, out=np.full(power.shape, np.nan))
    return (1 - share) / (1 - 1 / n)


def token_information(
    rank: Float[Array, "exemplar unit"],
    token: Int[Array, " exemplar"],
    n_tokens: int,
    *,
    n_bins: int = N_BINS,
) -> Float[Array, " unit"]:
    """Return the information, in bits, that a unit's response carries about the token.

    Responses fall into bins of equal occupancy (equal responses into one bin); the plug-in
    I = sum p(b, c) log2(p(b, c) / (p(b) p(c))) is corrected by Miller's term
    (K_bc - K_b - K_c + 1) / (2 n ln 2) with K the numbers of occupied cells, so that it is about 0
    without token structure and may be slightly below. A lower bound of what the response itself
    carries, at most log2(min(bins, tokens)). NaN for a unit with NaN.

    Examples
    --------
    Two tokens of 40 exemplars each are one bit, for a unit that keeps them apart:

    >>> from ontogeny.stats.tuning import ranks, token_information
    >>> token = np.repeat([0, 1], 40)
    >>> rng = np.random.default_rng(0)
    >>> response = np.stack([token + 0.1 * rng.uniform(size=80), rng.uniform(size=80)], axis=1)
    >>> token_information(ranks(response), token, 2).round(1).tolist()
    [1.0, 0.0]
    """
    n = len(token)
    # by rank, so that a unit's scale and its outliers do not decide where bins end
    bins = np.clip(np.floor((rank - 0.5) / n * n_bins), 0, n_bins - 1)
    member = (token == np.arange(n_tokens)[:, None]).astype(np.float32)
    counts = np.stack([member @ (bins == b).astype(np.float32) for b in range(n_bins)])
    joint = counts.astype(np.float64) / n
    entropies = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
    plug_in = entropies[0] + entropies[1] - _entropy(joint.reshape(-1, joint.shape[-1]))
    cells = (joint > 0).sum(axis=(0, 1))
    sides = (joint.sum(axis=1) > 0).sum(axis=0) + (joint.sum(axis=0) > 0).sum(axis=0)
    # the plug-in is biased upwards by its degrees of freedom, which only occupied cells have
    value = plug_in - (cells - sides + 1) / (2 * n * np.log(2))
    return np.where(np.isnan(rank).any(axis=0), np.nan, value)


def _entropy(share: Array) -> Array:
    """Return the entropy in bits over the first axis."""
    return -np.sum(share * np.log2(np.where(share > 0, share, 1)), axis=0)


def mean_selectivity(
    means: Float[Array, "token unit"], preferred: Int[Array, " unit"]
) -> Float[Array, " unit"]:
    """Return (m_p - m) / (m_p + m): m_p the mean of the preferred token, m that of the others.

    The preferred token must come from other exemplars than the means: chosen on the same ones the
    index is above 0 without any structure, the more the sparser the unit. NaN where a mean is
    negative or all are 0, and where no token is preferred (-1).
    """
    n_tokens, n_units = means.shape
    own = means[preferred, np.arange(n_units)]
    rest = (means.sum(axis=0) - own) / (n_tokens - 1)
    fine = (means.min(axis=0) >= 0) & (own + rest > 0) & (preferred >= 0)
    return np.divide(own - rest, own + rest, where=fine, out=np.full(n_units, np.nan))
