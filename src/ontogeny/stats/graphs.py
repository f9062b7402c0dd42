"""Layered weighted graphs over time: births and deaths of edges, concentration, hubs, flow.

An edge list is `source`, `target` (indices of nodes) and a weight; layers are blocks of edges with
targets in one layer. May import numpy, scipy only.

References
----------
Hill 1973 (effective numbers); Pearson 1895 (type III law); Box & Andersen 1955 (permutation
moments).
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import gammaincc, ndtr, ndtri
from scipy.stats import rankdata

Array = np.ndarray

HOLD = 3
"""Snapshots in a row in which an edge must be present (absent) to be born (to die)."""


class Transitions:
    """Births and deaths of many edges, snapshot by snapshot, in memory of the size of one.

    An edge is born at the first of `hold` snapshots in a row in which it is present, and dies at
    the first of `hold` in a row in which it is not; it is unborn before the first snapshot.

    Parameters
    ----------
    n_edges
        How many edges.
    hold
        Snapshots in a row.
    """

    def __init__(self, n_edges: int, hold: int = HOLD) -> None:
        self.is_alive = np.zeros(n_edges, dtype=bool)
        self._streak = np.zeros(n_edges, dtype=np.int32)
        self._hold = hold

    def add(
        self, present: Bool[Array, " edge"]
    ) -> tuple[Bool[Array, " edge"], Bool[Array, " edge"]]:
        """Take the next snapshot; return who was born, who died `hold` - 1 snapshots ago."""
        self._streak += 1
        self._streak[present == self.is_alive] = 0
        flips = self._streak == self._hold
        self._streak[flips] = 0
        self.is_alive ^= flips
        return flips & self.is_alive, flips & ~self.is_alive


def transitions(
    present: Bool[Array, "snapshot edge"], *, hold: int = HOLD
) -> tuple[Bool[Array, "snapshot edge"], Bool[Array, "snapshot edge"]]:
    """Return at which snapshot each edge is born and at which it dies (see `Transitions`).

    The last `hold` - 1 snapshots have neither: it is not yet known whether it lasts.
    """
    born, died = np.zeros_like(present), np.zeros_like(present)
    state = Transitions(present.shape[1], hold)
    for k, row in enumerate(present):
        births, deaths = state.add(row)
        if k >= hold - 1:
            born[k - hold + 1], died[k - hold + 1] = births, deaths
    return born, died


def score_correlation(a: Float[Array, " edge"], b: Float[Array, " edge"]) -> float:
    """Return the correlation of the normal scores of two snapshots of the same edges.

    Ranks are turned into quantiles of the normal law, so that heavy tails do not decide; within
    -1 ... 1, NaN where fewer than 3 edges are finite in both, or either does not vary.
    """
    both = np.isfinite(a) & np.isfinite(b)
    n = int(both.sum())
    if n < 3:
        return float("nan")
    # half a rank from either end, where the normal quantiles would be infinite
    x, y = (ndtri((rankdata(v[both]) - 0.5) / n) for v in (a, b))
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 1e-12 else float("nan")


def chance_births(
    correlation: Float[Array, " gap"],
    *,
    level: float = 0.99,
    hold: int = HOLD,
    n_paths: int = 20_000,
    rng: np.random.Generator,
) -> tuple[Float[Array, " snapshot"], Float[Array, " snapshot"]]:
    """Return how likely an edge that means nothing is born, and dies, at each snapshot.

    Its coupling is taken to follow a stationary normal path x[k+1] = r[k] x[k] + sqrt(1 - r[k]^2) e
    with the correlation r[k] of snapshots k and k + 1, and to be present where |x| is above its
    `level` quantile. Simulated; paths that start present are born at snapshot 0.
    A path forgets its start faster than weights do (which keep a part of their initial values), so
    that births after snapshot 0 are over- rather than underestimated.
    """
    bound = ndtri((1 + level) / 2)
    r = np.clip(np.nan_to_num(correlation), -1, 1)
    x = rng.standard_normal(n_paths)
    present = np.empty((len(r) + 1, n_paths), dtype=bool)
    present[0] = np.abs(x) > bound
    for k, now in enumerate(r):
        x = now * x + np.sqrt(1 - now**2) * rng.standard_normal(n_paths)
        # both tails: an edge is there by its size, of whichever sign
        present[k + 1] = np.abs(x) > bound
    # by the same rule of holding as real edges, or chance would be counted by another measure
    born, died = transitions(present, hold=hold)
    return born.mean(axis=1), died.mean(axis=1)


def concentration(
    weight: Float[Array, " edge"], owner: Int[Array, " edge"], n_owners: int
) -> Float[Array, " owner"]:
    """Return 1 / sum of squared shares of |weight| among each owner's edges.

    The effective number of edges: 1 where one carries all, the number of edges where all carry the
    same. NaN edges count as none; NaN for an owner whose edges carry nothing.

    Examples
    --------
    The four edges of one node carry the same; of the other's two, one carries all.

    >>> from ontogeny.stats.graphs import concentration
    >>> weight, owner = np.array([1.0, -1.0, 1.0, 1.0, 5.0, 0.0]), np.array([0, 0, 0, 0, 1, 1])
    >>> concentration(weight, owner, 2).tolist()
    [4.0, 1.0]
    """
    size = np.nan_to_num(np.abs(weight))
    total = np.bincount(owner, size, n_owners)
    square = np.bincount(owner, size**2, n_owners)
    return np.divide(total**2, square, where=square > 0, out=np.full(n_owners, np.nan))


def sharing(amount: Float[Array, "*batch token"]) -> Float[Array, " *batch"]:
    """Return the entropy of non-negative amounts over tokens divided by ln n.

    0: one token has all; 1: all have the same. NaN where there is nothing, or one token only.

    Examples
    --------
    A unit that two tokens use alike, and one that is the first's above all:

    >>> from ontogeny.stats.graphs import sharing
    >>> sharing(np.array([[3.0, 3.0], [5.0, 1.0]])).round(2).tolist()
    [1.0, 0.65]
    """
    total = amount.sum(axis=-1, keepdims=True)
    share = np.divide(amount, total, where=total > 0, out=np.full(amount.shape, np.nan))
    safe = np.where(share > 0, share, 1.0)
    n_tokens = amount.shape[-1]
    entropy = -(share * np.log(safe)).sum(axis=-1)
    return entropy / np.log(n_tokens) if n_tokens > 1 else np.full(entropy.shape, np.nan)


def portions(share: Float[Array, "*batch target source"]) -> Float[Array, "*batch target source"]:
    """Return shares as portions: each target's, their magnitudes sum to 1.

    portion(j, i) = share(j, i) / sum over sources i' of |share(j, i')|. NaN is no share; a target
    without any has no portions, all 0.
    """
    known = np.where(np.isnan(share), 0.0, share).astype(np.float64, copy=False)
    total = np.abs(known).sum(axis=-1, keepdims=True)
    return np.divide(known, total, where=total > 0, out=np.zeros(known.shape))


def flow_down(
    portion: Iterable[Float[Array, "*batch target source"]],
    start: Float[Array, "*batch unit"],
    *,
    breadth: int | None = None,
) -> list[tuple[Float[Array, "*batch _"], Float[Array, "*batch _"]]]:
    """Pass each unit's flow on to its sources by the magnitudes of their portions.

    flow(i) = sum over targets j of flow(j) |portion(j, i)|;
    net(i) = sum over targets j of net(j) portion(j, i): what takes away counts as negative.

    Parameters
    ----------
    portion
        Of the edges into the start's layer, into the layer below it, and so on (see `portions`).
    start
        Flow that enters at each unit of the start's layer.
    breadth
        How many units of each layer below pass their flow on, those with most; None: all.

    Returns
    -------
    list
        Flow and net flow of the units of each layer, from the start's down; 0 for a unit that does
        not pass it on.

    Examples
    --------
    One target draws 3/4 from its first source, and a quarter is taken away by its second.

    >>> from ontogeny.stats.graphs import flow_down, portions
    >>> into = portions(np.array([[3.0, -1.0]]))
    >>> [start, (flow, net)] = flow_down([into], np.array([1.0]))
    >>> flow.tolist(), net.tolist()
    ([0.75, 0.25], [0.75, -0.25])
    """
    found = [(start, start)]
    for own in portion:
        flow, net = (values[..., None, :] for values in found[-1])
        passed, kept_net = (flow @ np.abs(own))[..., 0, :], (net @ own)[..., 0, :]
        # by flow, not by net flow: what adds and takes away the same is still a road
        kept = largest(passed, passed.shape[-1] if breadth is None else breadth)
        found.append((passed * kept, kept_net * kept))
    return found


def largest(values: Float[Array, "*batch unit"], count: int) -> Bool[Array, "*batch unit"]:
    """Mark the `count` largest positive values, the first ones of equals."""
    kept = np.zeros(values.shape, dtype=bool)
    order = np.argsort(-values, axis=-1, kind="stable")[..., :count]
    np.put_along_axis(kept, order, True, axis=-1)
    return kept & (values > 0)


def fewest_holding(values: Float[Array, "*batch unit"], share: float) -> Bool[Array, "*batch unit"]:
    """Mark the fewest of non-negative values that hold a share of their sum, the largest first.

    Of equals the first ones; a value of 0 holds nothing and is never marked.

    Examples
    --------
    >>> from ontogeny.stats.graphs import fewest_holding
    >>> fewest_holding(np.array([0.1, 0.6, 0.0, 0.3]), 0.8).tolist()
    [False, True, False, True]
    """
    order = np.argsort(-values, axis=-1, kind="stable")
    falling = np.take_along_axis(values, order, axis=-1).astype(np.float64)
    # what the larger ones hold without it: exactly what they need it for
    before = np.cumsum(falling, axis=-1) - falling
    needed = before < share * falling.sum(axis=-1, keepdims=True)
    kept = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(kept, order, needed, axis=-1)
    return kept & (values > 0)


def permuted_sharing(
    amount: Float[Array, "unit token"], *, n_shuffles: int, rng: np.random.Generator
) -> Float[Array, " shuffle"]:
    """Return the mean sharing index, weighed by amount, when each token's amounts change owners.

    Each token keeps how unequally it uses the units; which units two tokens have in common is left
    to chance. Observed values above it: tokens use the same units; below: units of their own.
    """
    draws = np.tile(amount, (n_shuffles, 1, 1))
    draws = rng.permuted(draws, axis=1)
    return mean_sharing(draws)


def mean_sharing(amount: Float[Array, "*batch unit token"]) -> Float[Array, " *batch"]:
    """Return the mean of `sharing` over units, weighed by their amounts; NaN without any."""
    weight = amount.sum(axis=-1)
    total = weight.sum(axis=-1)
    carried = (np.nan_to_num(sharing(amount)) * weight).sum(axis=-1)
    return np.divide(carried, total, where=total > 0, out=np.full(total.shape, np.nan))


def hub_p(
    weight: Float[Array, " edge"],
    source: Int[Array, " edge"],
    target: Int[Array, " edge"],
    n_nodes: int,
) -> Float[Array, " node"]:
    """Return how likely a node's out-strength is as large when each target deals its weights anew.

    The null deals the |weights| of every target over that target's sources, independently: targets
    keep their weights, sources get any of them. Its first three moments are exact, sums over
    targets; the tail is that of a Pearson type III law with these moments. NaN edges count as 0.
    NaN for nodes that are no source, or whose null does not vary.
    """
    size = np.nan_to_num(np.abs(weight))
    count = np.maximum(np.bincount(target, minlength=n_nodes), 1)
    mean = np.bincount(target, size, n_nodes) / count
    off = size - mean[target]
    variance = np.bincount(target, off**2, n_nodes) / count
    third = np.bincount(target, off**3, n_nodes) / count
    total, m, v, k3 = (
        np.bincount(source, values, n_nodes)
        for values in (size, mean[target], variance[target], third[target])
    )
    p = np.full(n_nodes, np.nan)
    varies = v > 1e-24
    p[varies] = _pearson_tail(
        (total[varies] - m[varies]) / np.sqrt(v[varies]), k3[varies] / v[varies] ** 1.5
    )
    return p


def reuse_by_chance(
    present: Bool[Array, " edge"],
    source: Int[Array, " edge"],
    target: Int[Array, " edge"],
    n_nodes: int,
) -> float:
    """Return edges per recruited source where each target draws its sources at random.

    A source is recruited if any of its edges is present. With d_j present of n_j edges into target
    j the expected number of recruited sources is the sum over sources i of 1 - the product over
    targets j of i of (1 - d_j / n_j). NaN without present edges.
    """
    count = np.maximum(np.bincount(target, minlength=n_nodes), 1)
    rate = np.bincount(target, present, n_nodes) / count
    with np.errstate(divide="ignore"):
        missed = np.log1p(-rate)
    spared = np.zeros(n_nodes)
    # logarithms are added: a product of many factors near 1 would lose them
    np.add.at(spared, source, missed[target])
    recruited = float((1 - np.exp(spared))[np.unique(source)].sum())
    return float(present.sum() / recruited) if recruited > 0 else float("nan")


def _pearson_tail(z: Array, skew: Array) -> Array:
    """Return P(Z >= z) of a standardised Pearson type III variable; normal for no skew."""
    # a gamma law with so little skew needs a shape too large for the incomplete gamma function
    nearly = np.abs(skew) < 1e-4
    g = np.where(nearly, 1.0, skew)
    shape = 4 / g**2
    x = np.maximum(shape + z * 2 / g, 0.0)
    upper = gammaincc(shape, x)
    return np.where(nearly, ndtr(-z), np.where(g > 0, upper, 1 - upper))
