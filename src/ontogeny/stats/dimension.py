"""How many dimensions a cloud of patterns fills: linear (variance) and intrinsic (neighbours).

May import numpy and scipy only.

References
----------
Gao et al. 2017, bioRxiv 214262 (participation ratio).
Song et al. 2012, Journal of Machine Learning Research 13:1393-1434 (unbiased tr(S^2)).
Facco et al. 2017, Scientific Reports 7:12140 (TwoNN).
Denti et al. 2022, Scientific Reports 12:20005 (Gride; the unbiased TwoNN estimate).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from scipy.optimize import root_scalar

from ontogeny.stats.rdm import squared_euclidean_rdm

MIN_DISTINCT = 10
"""Fewest distinct patterns from which a neighbour-based dimension is given."""
ROUNDING = 32
"""Patterns no further apart than this many units of rounding are the same: a network gives an
exemplar shown twice, in other batches, activations that differ by a few of them."""
_SAFE = (1e-12, 1e12)
"""Largest deviations whose squares single precision holds with room for smaller ones."""


@np.errstate(invalid="ignore")  # infinity minus infinity: NaN, as promised
def participation_ratio(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    *,
    corrected: bool = True,
) -> Float[np.ndarray, "*batch"]:
    """Participation ratio tr(S)^2 / tr(S^2) of the covariance S: how many directions share it.

    From 1 (all variance along one direction) to the number of units (the same along each).
    The plain ratio of a sample of n cannot exceed n - 1 and is far too low where units are many:
    500 independent units give 83 from 100 exemplars. Corrected, numerator and denominator are
    replaced by their unbiased estimates from distinct exemplars (U-statistics of 4 exemplars,
    valid for any distribution), so that the ratio may exceed the number of units by noise.
    scikit-dimension and others report the plain ratio.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.
    corrected
        Remove the small-sample bias.

    Returns
    -------
        Ratios. NaN where patterns do not vary, where the estimate of tr(S^2) is not positive (no
        direction stands out of the noise), with fewer than 4 exemplars (2 if not corrected), and
        on NaN.

    Examples
    --------
    A ball, the same flattened to a disc, and a ball in 500 dimensions of which 50 points are known:

    >>> from ontogeny.stats.dimension import participation_ratio
    >>> rng = np.random.default_rng(0)
    >>> ball = rng.standard_normal((500, 3))
    >>> disc, wide = ball * [1, 1, 0.01], rng.standard_normal((50, 500))
    >>> [int(participation_ratio(x).round()) for x in (ball, disc, wide)]
    [3, 2, 493]
    >>> int(participation_ratio(wide, corrected=False).round())
    44
    """
    *batch, n, n_units = patterns.shape
    if n < (4 if corrected else 2):
        return np.full(batch, np.nan)
    flat = patterns.reshape(-1, n, n_units)
    mean = flat.mean(axis=-2, keepdims=True, dtype=np.float64)
    x = flat - mean
    own = np.einsum("beu,beu->be", x, x)
    turned = np.swapaxes(x, -1, -2)
    # the smaller of the two Gram matrices: both have the same sum of squares
    inner = turned @ x if n_units <= n else x @ turned
    trace, fourth = own.sum(axis=-1), np.sum(own**2, axis=-1)
    square = np.sum(inner**2, axis=(-1, -2))
    floor = (1e-14 * np.abs(mean).max(axis=(-1, -2), initial=0)) ** 2 * n * n_units
    if corrected:
        top, bottom = _unbiased(n, trace, fourth, square)
    else:
        top, bottom = trace**2, square
    # an estimate this far below the plain sum is the rest of a cancellation, of either sign
    valid = (trace > floor) & (bottom > 1e-12 * square)
    return np.where(valid, top / np.where(valid, bottom, 1), np.nan).reshape(batch)


def _unbiased(
    n: int, trace: np.ndarray, fourth: np.ndarray, square: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate tr(S)^2 and tr(S^2) without bias from sums over the centred Gram matrix K.

    trace = sum K_ii, fourth = sum K_ii^2, square = sum K_ij^2. The first estimate averages
    D_ij D_kl / 4 over distinct i, j, k, l, with D the squared distances; the second is HSIC_1.
    """
    all_pairs = (2 * n * trace) ** 2
    shared_one = n**2 * fourth + 3 * n * trace**2
    shared_two = 2 * n * fourth + 2 * trace**2 + 4 * square
    distinct = all_pairs - 4 * shared_one + 2 * shared_two
    top = distinct / (4 * n * (n - 1) * (n - 2) * (n - 3))
    bottom = square - fourth + trace**2 / ((n - 1) * (n - 2)) - 2 * fourth / (n - 2)
    return top, bottom / (n * (n - 3))


def distinct_patterns(
    patterns: Real[np.ndarray, "exemplar unit"], *, merge: float = 0.0
) -> Bool[np.ndarray, " exemplar"]:
    """Mark the exemplars that do not repeat an earlier one.

    Two exemplars are the same if their distance is within :func:`rounding` of 0.

    Parameters
    ----------
    patterns
        Responses.
    merge
        Exemplars closer than this share of the median distance between exemplars count as one
        too; 0: only those that are the same.

    Returns
    -------
        True for the exemplars to keep, in their order.
    """
    square = squared_euclidean_rdm(patterns.astype(np.float64))
    # rounding reaches about 1e-14 of the patterns' own square length: candidates, then exact
    length = np.max(np.einsum("eu,eu->e", *[patterns - patterns.mean(axis=0)] * 2))
    # relative to the median distance, which near-copies do not move as they would a mean or minimum
    radius = merge * np.sqrt(np.median(square[np.triu_indices(len(square), k=1)]))
    radius = max(radius, rounding(patterns))
    # these are candidates by inner products, whose rounding grows with length; the gap decides
    close = square <= radius**2 + 1e-12 * length / patterns.shape[1]
    keep = np.ones(len(patterns), dtype=bool)
    for late, early in np.argwhere(np.tril(close, k=-1)):
        if keep[early] and keep[late]:
            gap = np.mean((patterns[late].astype(np.float64) - patterns[early]) ** 2)
            keep[late] = gap > radius**2
    return keep


def rounding(patterns: Real[np.ndarray, "exemplar unit"]) -> float:
    """Distance per root unit below which two patterns cannot be kept apart.

    32 e L, with e the unit of rounding of the patterns' type (2^-23 in single precision; 0 for
    whole numbers) and L the largest root mean square over units of any pattern.

    Parameters
    ----------
    patterns
        Responses, not centred: rounding grows with the values.

    Returns
    -------
        The distance, in the patterns' unit.
    """
    if patterns.dtype.kind != "f" or not patterns.size:
        return 0.0
    longest = np.einsum("eu,eu->e", patterns, patterns, dtype=np.float64).max()
    return ROUNDING * float(np.finfo(patterns.dtype).eps) * np.sqrt(longest / patterns.shape[1])


def neighbour_distances(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    n_neighbours: int,
    *,
    group: Int[np.ndarray, " exemplar"] | None = None,
) -> Float[np.ndarray, "*batch exemplar neighbour"]:
    """Distances per root unit from every exemplar to its nearest ones, ascending.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.
    n_neighbours
        How many.
    group
        Exemplars of the same group (near-duplicates: views of one scene) are not neighbours.

    Returns
    -------
        sqrt(sum_u (x_au - x_bu)^2 / n_units). NaN where an exemplar has fewer neighbours than
        asked for, and everywhere in a batch element that holds NaN.
    """
    *batch, n, n_units = patterns.shape
    flat = patterns.reshape(-1, n, n_units)
    result = np.full((len(flat), n, n_neighbours), np.nan)
    available = min(n_neighbours, n - 1)
    if available < 1 or not n_units:
        return result.reshape(*batch, n, n_neighbours)
    search = _Search(patterns, group)
    for x, out in zip(flat, result, strict=True):
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            mean = np.full(n, 1 / n) @ x
        if np.isfinite(mean).all():
            out[:, :available] = search.distances(x, mean, available)
    return result.reshape(*batch, n, n_neighbours)


class _Search:
    """Nearest neighbours in one batch member after another, in the same memory.

    Candidates are ranked in single precision, by closeness: inner product less half the other's
    squared length. Two closenesses are in doubt where they differ by less than the bound of their
    errors, for sums of products in any order; rows in which the last neighbour and the next
    exemplar are in doubt are ranked again in double. What is returned is measured in double.
    """

    def __init__(self, patterns: np.ndarray, group: np.ndarray | None) -> None:
        n, n_units = patterns.shape[-2:]
        self.barred = None
        if group is not None and len(np.unique(group)) < n:
            same = group[:, None] == group
            # added to the closeness: minus infinity bars a whole group without a loop over
            # exemplars
            self.barred = np.where(same, np.float32(-np.inf), np.float32(0))
        self._single = np.empty((n, n_units), dtype=np.float32)
        self._closeness = np.empty((n, n), dtype=np.float32)
        self._gap = np.empty((n, n_units))
        self._taken = np.empty((n, n_units), dtype=patterns.dtype)

    def distances(self, x: np.ndarray, mean: np.ndarray, k: int) -> np.ndarray:
        """Return distances per root unit to the k nearest, ascending; NaN where there are fewer."""
        doubt = self._rank(x, mean)
        index, found = _largest(self._closeness, min(k + 1, len(x) - 1))
        if found.shape[1] > k:
            with np.errstate(invalid="ignore"):  # only barred exemplars are left: no doubt
                # "not larger" and not "smaller", so that a NaN is in doubt as well
                unsure = np.flatnonzero(~(found[:, -2] - found[:, -1] > doubt))
            index, found = index[:, :k], found[:, :k]
            unsure = unsure[np.isfinite(found[unsure, -1])]
            if len(unsure):
                index[unsure] = self._ranked_in_double(x, mean, unsure, k)
        return self._measured(x, index, missing=np.isneginf(found))

    def _rank(self, x: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Fill the closeness of all pairs and return the doubt in each row."""
        np.subtract(x, mean, out=self._single, casting="same_kind")
        largest = max(self._single.max(), -self._single.min())
        # outside this range squares vanish or overflow in single precision; ranks do not
        # depend on scale
        if not _SAFE[0] < largest < _SAFE[1]:
            scale = float(np.abs(x - mean).max()) or 1.0
            np.divide(x - mean, scale, out=self._single, casting="same_kind")
        closeness = np.matmul(self._single, self._single.T, out=self._closeness)
        square = np.diagonal(closeness).copy()
        closeness -= square / 2
        np.fill_diagonal(closeness, -np.inf)
        if self.barred is not None:
            closeness += self.barred
        longest = np.sqrt(square.max())
        # bound of the rounding of a product of so many terms, for this row and the longest other
        return 2**-23 * (x.shape[1] + 8) * longest * (np.sqrt(square) + longest / 2)

    def _ranked_in_double(
        self, x: np.ndarray, mean: np.ndarray, rows: np.ndarray, k: int
    ) -> np.ndarray:
        centred = np.subtract(x, mean, out=self._gap)
        closeness = centred[rows] @ centred.T - np.einsum("eu,eu->e", centred, centred) / 2
        closeness[np.arange(len(rows)), rows] = -np.inf
        if self.barred is not None:
            closeness += self.barred[rows]
        return _largest(closeness, k)[0]

    def _measured(self, x: np.ndarray, index: np.ndarray, *, missing: np.ndarray) -> np.ndarray:
        found = np.empty(index.shape)
        for k in range(index.shape[1]):
            np.take(x, index[:, k], axis=0, out=self._taken, mode="clip")
            gap = np.subtract(x, self._taken, out=self._gap, dtype=np.float64)
            np.einsum("eu,eu->e", gap, gap, out=found[:, k])
        found[missing] = np.nan
        found.sort(axis=1)
        return np.sqrt(found / x.shape[1])


def _largest(values: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the n largest values of each row, largest first, and these; overwrites values."""
    rows = np.arange(len(values))
    if n > 5:
        index = np.argpartition(-values, n - 1, axis=1)[:, :n]
        found = np.take_along_axis(values, index, axis=1)
        order = np.argsort(-found, axis=1)
        return np.take_along_axis(index, order, axis=1), np.take_along_axis(found, order, axis=1)
    index = np.empty((len(values), n), dtype=np.intp)
    found = np.empty((len(values), n))
    for k in range(n):  # passes over the maximum beat a partition
        index[:, k] = values.argmax(axis=1)
        found[:, k] = values[rows, index[:, k]]
        values[rows, index[:, k]] = -np.inf
    return index, found


def _among_distinct(
    x: np.ndarray, found: np.ndarray, group: np.ndarray | None, merge: float
) -> np.ndarray:
    """Neighbour distances without repeated patterns; no row at all where too few are left."""
    if merge > 0 or np.any(found[:, 0] <= rounding(x)):
        keep = distinct_patterns(x, merge=merge)
        own = None if group is None else group[keep]
        found = neighbour_distances(x[keep], found.shape[1], group=own)
    return found if len(found) >= MIN_DISTINCT else found[:0]


def _likeliest_dimension(found: np.ndarray, k: int) -> float:
    """Root of the score of the Gride likelihood; for k = 1 it is (N - 1) / sum of log ratios."""
    near, far = found[:, k - 1], found[:, 2 * k - 1]
    if not len(found) or not np.isfinite(far).all():
        return np.nan
    ratio = np.log(far / near)
    total = ratio.sum()
    if not total > 0:
        return np.nan
    if k == 1:
        return (len(ratio) - 1) / total

    def score(d: float) -> float:
        # mu^d / (mu^d - 1) = 1 / (1 - exp(-d ln mu)); ln mu / (1 - ...) tends to 1 / d at mu = 1
        tied = ratio == 0
        part = np.where(tied, 1 / d, ratio / np.where(tied, 1, -np.expm1(-d * ratio)))
        return (len(ratio) - 1) / d + (k - 1) * part.sum() - (2 * k - 1) * total

    high = 1.0
    # the score falls with d from above to below 0: doubling finds a bracket whatever the dimension
    while score(high) > 0:
        high *= 2
    low = high / 2 if high > 1 else 1e-6
    return root_scalar(score, bracket=(low, high), xtol=1e-12, rtol=1e-12).root


def two_nn(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    *,
    group: Int[np.ndarray, " exemplar"] | None = None,
    merge: float = 0.0,
) -> Float[np.ndarray, "*batch"]:
    """Intrinsic dimension from the ratio of the distances to the two nearest neighbours.

    d = (N - 1) / sum_i ln(r_i2 / r_i1), the unbiased maximum-likelihood estimate; above 0.
    scikit-dimension's default instead discards the 10 % largest ratios and fits a line to their
    empirical distribution; its ``method="mle"`` with ``discard_fraction=0`` is this estimate.
    Boundaries bias it downwards in high dimension (16 for 20 at 1,500 points). Near-duplicates
    ruin it (0.2 for 20): name them by `group`, `merge` them, or look at larger scales with
    :func:`gride`.

    Parameters
    ----------
    patterns
        Responses of one token, or of all; leading axes are a batch.
    group
        Exemplars of the same group are not neighbours of each other.
    merge
        Exemplars closer than this share of the median distance count as one; those within
        :func:`rounding` of each other always do.

    Returns
    -------
        Dimensions. NaN with fewer than 10 distinct patterns, where an exemplar has no two
        neighbours outside its group, where all ratios are 1, and on NaN.

    Examples
    --------
    A helix in three dimensions is a line; a cube is not.

    >>> from ontogeny.stats.dimension import two_nn
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 6, 500)
    >>> helix = np.stack([np.cos(angle), np.sin(angle), angle], axis=1)
    >>> float(two_nn(helix).round(1)), float(two_nn(rng.uniform(size=(500, 3))).round(1))
    (1.0, 2.9)
    """
    return gride(patterns, (1,), group=group, merge=merge)[..., 0]


def gride(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    scales: Sequence[int],
    *,
    group: Int[np.ndarray, " exemplar"] | None = None,
    merge: float = 0.0,
) -> Float[np.ndarray, "*batch scale"]:
    """Intrinsic dimension over scales, from the distances to the k-th and 2k-th neighbour.

    Maximises the likelihood of mu_i = r_i,2k / r_ik, whose density is
    d (mu^d - 1)^(k-1) / (B(k, k) mu^((2k-1)d+1)), with N - 1 in place of N, so that k = 1 equals
    :func:`two_nn`. Larger k looks at larger scales: where the estimate at k = 1 is far below the
    others, near-duplicates or noise are seen and not the token. scikit-dimension's GRIDE also
    discards ratios above q50 + 20 (q95 - q50).

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.
    scales
        The k, each at least 1.
    group
        Exemplars of the same group are not neighbours of each other.
    merge
        As for :func:`two_nn`.

    Returns
    -------
        Dimensions; NaN as for :func:`two_nn`, and at scales with 2k not below the number of
        distinct patterns.

    Examples
    --------
    A blurred circle is a plane to those who look closely, and a line from further away:

    >>> from ontogeny.stats.dimension import gride
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 6, 500)
    >>> circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    >>> gride(circle + 0.02 * rng.standard_normal((500, 2)), [1, 4, 32]).round(1).tolist()
    [2.0, 1.5, 1.0]
    """
    *batch, n, n_units = patterns.shape
    dimension = np.full((int(np.prod(batch)), len(scales)), np.nan)
    flat = patterns.reshape(-1, n, n_units)
    nearest = neighbour_distances(flat, 2 * max(scales), group=group)
    for x, found, out in zip(flat, nearest, dimension, strict=True):
        distinct = _among_distinct(x, found, group, merge)
        out[:] = [_likeliest_dimension(distinct, k) for k in scales]
    return dimension.reshape(*batch, len(scales))
