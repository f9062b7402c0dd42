"""Representational dissimilarity: distances between exemplars or tokens.

All distances are per unit (divided by the number of units), so that layers of different width
compare; inactive units count in that number. Distances between tokens come from the same functions,
given token means in place of patterns. What models predict and how it compares with distances is
in :mod:`ontogeny.stats.rsa`. May import numpy only.

Precision: patterns in double give distances to about 1e-14 of the patterns' spread. Patterns in
single, as a record holds them, give distances within 5e-5 of each distance (in recorded layers
3e-5 at most), up to twice as fast: inner products of centred patterns in single precision, and in
double for pairs so near (squared distance below about 1/40 of the patterns' squared lengths) that
single would lose more; where these are many (late layers, whose tokens are compact), all in double.

References
----------
Kriegeskorte, Mur & Bandettini 2008, Frontiers in Systems Neuroscience 2:4.
Walther et al. 2016, NeuroImage 137:188-200.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, Real

from ontogeny.stats.checks import finite_members, require_tokens, rounding
from ontogeny.stats.rsa import (  # passed on: one place to import RDMs from
    difference_rdm,
    identity_rdm,
    noise_ceiling,
    partial_rank_correlation,
    rank_correlation,
    upper_triangle,
)
from ontogeny.stats.tokens import token_means, token_residuals

__all__ = [
    "correlation_rdm",
    "crossnobis_rdm",
    "difference_rdm",
    "fold_means",
    "identity_rdm",
    "noise_ceiling",
    "noise_precision",
    "partial_rank_correlation",
    "rank_correlation",
    "squared_euclidean_rdm",
    "upper_triangle",
]

_CHUNK = 1 << 17
"""Distances computed at a time: few enough to stay in a core's cache, so many that the steps of a
small RDM (tokens) go through one product."""
_NEAR = 0.05
"""Squared distance over squared length below which a distance needs double precision."""
_FEW = 16
"""Near pairs per exemplar that are cheaper one by one than all pairs again in double."""
_LEAST = 1e-20
"""Squared lengths from this to its inverse are safe in single precision."""


def squared_euclidean_rdm(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
) -> Float[np.ndarray, "*batch exemplar exemplar"]:
    """Squared Euclidean distance per unit between every two patterns.

    d(a, b) = sum_u (x_au - x_bu)^2 / n_units, at least 0, in squared units of activation.
    It is what rsatoolbox 0.3.2 calls "euclidean" (squared, divided by channels).
    Noise biases it upwards: use :func:`crossnobis_rdm` to ask whether tokens differ.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch, computed a few at a time.

    Returns
    -------
        Symmetric matrices with a zero diagonal, in double precision (for patterns in single, to
        5e-5: see the head of the module); NaN in the rows of a pattern that holds NaN.
        Distances below 1e-8 of the spread of patterns in double are lost to rounding.

    Examples
    --------
    (3 ** 2 + 4 ** 2) / 2 units:

    >>> from ontogeny.stats.rdm import squared_euclidean_rdm
    >>> squared_euclidean_rdm(np.array([[0, 0], [3, 4]]))
    array([[ 0. , 12.5],
           [12.5,  0. ]])
    """
    return _by_chunk(patterns, _squared_euclidean)


def correlation_rdm(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
) -> Float[np.ndarray, "*batch exemplar exemplar"]:
    """One minus the Pearson correlation, across units, of every two patterns.

    d(a, b) = 1 - corr(x_a, x_b), from 0 to 2, no unit.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch, computed a few at a time.

    Returns
    -------
        Symmetric matrices with a zero diagonal, in double precision (for patterns in single, to
        5e-5: see the head of the module). NaN in the rows of a pattern that is the same in all
        units (its correlation is undefined, e.g. all units silent) or holds NaN; all NaN with one
        unit.

    Examples
    --------
    >>> from ontogeny.stats.rdm import correlation_rdm
    >>> alike, louder, opposite = [1, 2, 3], [2, 4, 6], [3, 2, 1]
    >>> correlation_rdm(np.array([alike, louder, opposite])).round(2)[0].tolist()
    [0.0, 0.0, 2.0]
    """
    return _by_chunk(patterns, _correlation)


def _by_chunk(
    patterns: np.ndarray, kernel: Callable[[np.ndarray, np.ndarray, bool], None]
) -> np.ndarray:
    """Let the kernel fill distances of a few batch members at a time."""
    *batch, n_exemplars, n_units = patterns.shape
    flat = patterns.reshape(-1, n_exemplars, n_units)
    rdm = np.empty((len(flat), n_exemplars, n_exemplars))
    size = max(1, _CHUNK // max(n_exemplars, 1) ** 2)
    for start in range(0, len(flat), size):
        some = slice(start, start + size)
        kernel(flat[some], rdm[some], patterns.dtype == np.float32)
    return rdm.reshape(*batch, n_exemplars, n_exemplars)


def _squared_euclidean(x: np.ndarray, out: np.ndarray, single: bool) -> None:
    """Fill squared distances per unit of a few members."""
    centred = _centred(x)
    # the factor of the distance is put into the patterns, which are fewer than the distances
    centred *= np.sqrt(2 / max(x.shape[-1], 1))
    near = _euclidean_in_single(centred, out) if single else None
    if near is None:
        _gram(centred, out)
        _distances_from_gram(out)
    else:
        _near_again(centred, near, out)


def _correlation(x: np.ndarray, out: np.ndarray, single: bool) -> None:
    """Fill correlation distances: half the squared distances of patterns of length 1."""
    n_units = x.shape[-1]
    centred = x.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinity minus infinity: NaN, as promised
        mean = centred @ np.full(n_units, 1 / max(n_units, 1))
        centred -= mean[..., None]
    length = np.sqrt(np.einsum("beu,beu->be", centred, centred))
    length[~(length > rounding(np.abs(mean), n_units))] = np.nan
    centred *= (1 / length)[..., None]
    own = np.arange(x.shape[-2])
    gram = _gram(centred.astype(np.float32)) if single else _gram(centred, out)
    gram[..., own, own] = 0
    largest, least = gram.max(initial=0), gram.min(initial=0)
    near = gram >= 1 - _NEAR / 2 if single and not largest < 1 - _NEAR / 2 else None
    np.subtract(1, gram, out=gram)
    if not (largest <= 1 and least >= -1):
        np.clip(gram, 0, 2, out=gram)
    if single:
        np.copyto(out, gram)
    if near is not None:
        _near_again(centred, near, out)
    out[..., own, own] = length * 0  # keeps NaN


def _gram(patterns: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return the inner products; the product of a matrix with itself costs half of one."""
    return np.matmul(patterns, np.swapaxes(patterns, -1, -2), out=out)


def _centred(x: np.ndarray) -> np.ndarray:
    """Centre each member; patterns that are not finite become NaN, the others are kept."""
    centred = x.astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean = np.full(x.shape[-2], 1 / max(x.shape[-2], 1)) @ centred
    if not np.isfinite(mean).all():
        return np.stack([_rowwise(member) for member in x])
    centred -= mean[..., None, :]
    return centred


def _rowwise(x: np.ndarray) -> np.ndarray:
    """Centre on the mean of the finite patterns; patterns that are not finite become NaN."""
    finite = np.isfinite(x).all(axis=-1)
    centred = np.full(x.shape, np.nan)
    if finite.any():
        centred[finite] = x[finite] - x[finite].mean(axis=0, dtype=np.float64)
    return centred


def _distances_from_gram(gram: np.ndarray) -> None:
    """Turn inner products, in place, into halves of squared distances; the diagonal is 0."""
    square = np.diagonal(gram, axis1=-2, axis2=-1) / 2
    np.subtract(square[..., None, :], gram, out=gram)
    gram += square[..., :, None]
    own = np.arange(gram.shape[-1])
    gram[..., own, own] = square * 0  # keeps NaN
    if not gram.min(initial=0) >= 0:
        np.maximum(gram, 0, out=gram)


def _euclidean_in_single(centred: np.ndarray, out: np.ndarray) -> np.ndarray | None:
    """Fill halves of squared distances and mark the pairs too near for single precision.

    None, and nothing filled, where squares would overflow or vanish in single precision.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        gram = _gram(centred.astype(np.float32))
    square = np.diagonal(gram, axis1=-2, axis2=-1).copy()
    largest = np.fmax.reduce(square, axis=-1, initial=0)  # NaN passed over
    if not np.all((largest == 0) | ((largest > _LEAST) & (largest < 1 / _LEAST))):
        return None
    _distances_from_gram(gram)
    np.copyto(out, gram)
    # squares cancel where the distance is small beside the length, and single precision has
    # 7 digits
    near = gram <= np.float32(_NEAR / 2) * square[..., None, :]
    own = np.arange(gram.shape[-1])
    near[..., own, own] = False
    return near


def _near_again(centred: np.ndarray, near: np.ndarray, out: np.ndarray) -> None:
    """Replace halves of squared distances in double: of the near pairs, or of all if many."""
    for which in np.flatnonzero(near.any(axis=(-1, -2))):
        x, distance = centred[which], out[which]
        if np.count_nonzero(near[which]) > _FEW * len(x):
            _gram(x, distance)
            _distances_from_gram(distance)
        else:
            a, b = np.nonzero(near[which])
            gap = x[a] - x[b]
            distance[a, b] = distance[b, a] = np.einsum("pu,pu->p", gap, gap) / 2


def noise_precision(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
    *,
    shrinkage: bool = True,
) -> Float[np.ndarray, "*batch unit unit"]:
    """Inverse of the within-token covariance of the units.

    The covariance of the residuals from the token means, on n_exemplars - n_tokens degrees of
    freedom; its correlations are shrunk towards 0 by lambda = sum Var(r_ij) / sum r_ij^2 over
    i != j, clipped to [0, 1] (Schäfer & Strimmer 2005).
    rsatoolbox's "shrinkage_diag" uses n - 1 in some places where the paper has n, and
    n - 1 degrees of freedom unless told otherwise.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.
    token
        Index of each exemplar's token.
    n_tokens
        How many tokens there are.
    shrinkage
        False: the plain covariance.

    Returns
    -------
        Precision matrices. Rows and columns of a unit that is constant over all exemplars are 0:
        it takes no part. All NaN where all units are constant, where a unit is constant within
        every token but differs between them (infinitely precise), where there are no more degrees
        of freedom than units and no shrinkage, where a token has no exemplar, and on NaN.

    Examples
    --------
    The exemplars of a token vary by 1 in the first unit and by 2 in the second; that tokens lie
    apart is not noise.

    >>> from ontogeny.stats.rdm import noise_precision
    >>> patterns = np.array([[-1, 2], [1, 2], [-1, -2], [1, -2], [9, 0], [9, 0]])
    >>> noise_precision(patterns, np.array([0, 0, 0, 0, 1, 1]), 2).round(2)
    array([[1.  , 0.  ],
           [0.  , 0.25]])
    """
    *batch, n_exemplars, n_units = patterns.shape
    require_tokens(token, n_tokens, n_exemplars=n_exemplars)
    flat = patterns.reshape(-1, n_exemplars, n_units)
    precision = np.full((len(flat), n_units, n_units), np.nan)
    present = len(np.unique(token))
    dof = n_exemplars - present
    for x, out in zip(flat, precision, strict=True):
        if present < n_tokens or dof < 2 or not finite_members(x):
            continue
        residuals = token_residuals(x, token, n_tokens)
        # only constant units stand aside: one that varies between tokens alone would be
        # infinitely precise
        live = np.ptp(x, axis=0) > 0
        variance = np.einsum("eu,eu->u", residuals, residuals) / dof
        tiny = (1e-12 * np.abs(x).max(axis=0)) ** 2
        too_few = dof <= live.sum() and not shrinkage
        if too_few or not live.any() or not np.all(variance[live] > tiny[live]):
            continue
        out[:] = 0
        covariance = _covariance(residuals[:, live], dof, shrinkage=shrinkage)
        out[np.ix_(live, live)] = np.linalg.inv(covariance)
    return precision.reshape(*batch, n_units, n_units)


def _covariance(residuals: np.ndarray, dof: int, *, shrinkage: bool) -> np.ndarray:
    n = len(residuals)
    covariance = residuals.T @ residuals / dof
    if not shrinkage:
        return covariance
    standard = residuals / np.sqrt(np.mean(residuals**2, axis=0))
    mean = standard.T @ standard / n
    spread = standard.T**2 @ standard**2 - n * mean**2
    off = ~np.eye(len(mean), dtype=bool)
    strength = np.sum((n / (n - 1) * mean[off]) ** 2)
    noise = n / (n - 1) ** 3 * np.sum(spread[off])
    shrink = min(1.0, noise / strength) if strength > 0 else 1.0
    # variances are kept: shrinking correlations alone does not mix the scales of units
    return covariance * np.where(off, 1 - shrink, 1.0)


@np.errstate(invalid="ignore")  # infinity minus infinity: NaN, as promised
def fold_means(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    fold: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "*batch fold token unit"]:
    """Token means in each fold on its own.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.
    token
        Index of each exemplar's token.
    fold
        Fold of each exemplar, 0 to n_folds - 1; groups of related exemplars must be whole
        (:func:`ontogeny.stats.groups.grouped_folds`).
    n_tokens
        How many tokens there are.

    Returns
    -------
        Means; NaN for a token that is absent from a fold.

    Examples
    --------
    >>> from ontogeny.stats.rdm import fold_means
    >>> patterns = np.array([[1], [3], [10], [20]])
    >>> token, fold = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> fold_means(patterns, token, fold, 2)[..., 0].tolist()
    [[1.0, 10.0], [3.0, 20.0]]
    """
    require_tokens(token, n_tokens, n_exemplars=patterns.shape[-2])
    n_folds = int(fold.max()) + 1
    cells = token_means(patterns, fold * n_tokens + token, n_folds * n_tokens)
    return cells.reshape(*patterns.shape[:-2], n_folds, n_tokens, patterns.shape[-1])


@np.errstate(invalid="ignore")  # infinity minus infinity: NaN, as promised
def crossnobis_rdm(
    means: Float[np.ndarray, "*batch fold token unit"],
    precision: Float[np.ndarray, "*#batch unit unit"] | None = None,
) -> Float[np.ndarray, "*batch token token"]:
    """Cross-validated squared Mahalanobis distance per unit between tokens.

    d(a, b) = mean over ordered pairs of different folds f, g of
    (m_fa - m_fb)' P (m_ga - m_gb) / n_units. Its expectation is 0 where the tokens do not differ,
    so it may be negative; it is an unbiased estimate of the squared distance.
    Each fold weighs the same; rsatoolbox weighs a fold by its number of exemplars in the average
    of the others, which is the same when folds are equal.

    Parameters
    ----------
    means
        Token means per fold, from :func:`fold_means`.
    precision
        P from :func:`noise_precision`; without it the distance is squared Euclidean.

    Returns
    -------
        Symmetric matrices with a zero diagonal. NaN for a token that is absent from any fold;
        all NaN with one fold.

    Examples
    --------
    Means of two folds x two tokens x one unit. What both folds show is a distance; what changes
    its sign from fold to fold is none, and comes out below 0.

    >>> from ontogeny.stats.rdm import crossnobis_rdm
    >>> float(crossnobis_rdm(np.array([[[0.0], [2.0]], [[0.0], [2.0]]]))[0, 1])
    4.0
    >>> float(crossnobis_rdm(np.array([[[0.0], [2.0]], [[0.0], [-2.0]]]))[0, 1])
    -4.0
    """
    *batch, n_folds, n_tokens, n_units = means.shape
    if n_folds < 2:
        return np.full((*batch, n_tokens, n_tokens), np.nan)
    white = means if precision is None else means @ precision[..., None, :, :]
    total, total_white = means.sum(axis=-3), white.sum(axis=-3)
    gram = total @ np.swapaxes(total_white, -1, -2)
    gram -= np.einsum("...fau,...fbu->...ab", means, white, optimize=True)
    gram /= n_folds * (n_folds - 1) * n_units
    square = np.diagonal(gram, axis1=-2, axis2=-1)
    rdm = square[..., :, None] + square[..., None, :] - gram - np.swapaxes(gram, -1, -2)
    own = np.arange(n_tokens)
    rdm[..., own, own] = square * 0
    return rdm
