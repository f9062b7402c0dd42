"""Representational dissimilarity: distances between exemplars or tokens, and their comparison.

All distances are per unit (divided by the number of units), so that layers of different width
compare; dead units count in that number. Distances between tokens come from the same functions,
given token means in place of patterns. May import numpy only.

References
----------
Kriegeskorte, Mur & Bandettini 2008, Frontiers in Systems Neuroscience 2:4.
Nili et al. 2014, PLoS Computational Biology 10:e1003553.
Walther et al. 2016, NeuroImage 137:188-200.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real, Shaped

from ontogeny.errors import InputError
from ontogeny.stats.tokens import token_means, token_residuals

Comparison = Literal["spearman", "rho_a"]

_BLOCK = 16
"""Permutations compared at a time."""


class PermutationTest(NamedTuple):
    """A statistic, its values under permutation and the share of those that reach it."""

    statistic: np.ndarray
    null: np.ndarray
    p: np.ndarray


def _distances_from_gram(gram: np.ndarray) -> None:
    """Turn twice the inner products, in place, into squared distances; the diagonal is 0."""
    square = np.diagonal(gram) / 2
    np.subtract(square, gram, out=gram)
    gram += square[:, None]
    np.fill_diagonal(gram, square * 0)  # keeps NaN
    if not gram.min() >= 0:
        np.maximum(gram, 0, out=gram)


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
        Responses; leading axes are a batch, computed one after the other.

    Returns
    -------
        Symmetric matrices with a zero diagonal; NaN in the rows of a pattern that holds NaN.
        Distances below 1e-8 of the spread of the patterns are lost to rounding.
    """
    *batch, n_exemplars, n_units = patterns.shape
    rdm = np.empty((int(np.prod(batch)), n_exemplars, n_exemplars))
    for x, out in zip(patterns.reshape(-1, n_exemplars, n_units), rdm, strict=True):
        centred = x - x.mean(axis=0, dtype=np.float64) if _is_finite(x) else _rowwise(x)
        centred *= np.sqrt(2 / n_units)
        np.matmul(centred, centred.T, out=out)
        _distances_from_gram(out)
    return rdm.reshape(*batch, n_exemplars, n_exemplars)


def _is_finite(x: np.ndarray) -> bool:
    return bool(np.isfinite(np.sum(x, dtype=np.float64)))


def _rowwise(x: np.ndarray) -> np.ndarray:
    """Centre on the mean of the finite patterns; patterns that are not finite become NaN."""
    finite = np.isfinite(x).all(axis=-1)
    centred = np.full(x.shape, np.nan)
    if finite.any():
        centred[finite] = x[finite] - x[finite].mean(axis=0, dtype=np.float64)
    return centred


def correlation_rdm(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
) -> Float[np.ndarray, "*batch exemplar exemplar"]:
    """One minus the Pearson correlation, across units, of every two patterns.

    d(a, b) = 1 - corr(x_a, x_b), from 0 to 2, no unit.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.

    Returns
    -------
        Symmetric matrices with a zero diagonal. NaN in the rows of a pattern that is the same in
        all units (its correlation is undefined, e.g. all units silent) or holds NaN; all NaN with
        one unit.
    """
    *batch, n_exemplars, n_units = patterns.shape
    rdm = np.empty((int(np.prod(batch)), n_exemplars, n_exemplars))
    for x, out in zip(patterns.reshape(-1, n_exemplars, n_units), rdm, strict=True):
        centred = x - x.mean(axis=-1, dtype=np.float64, keepdims=True)
        size = np.sqrt(np.einsum("eu,eu->e", centred, centred))
        noise = 4 * np.finfo(np.float64).eps * np.abs(x).max(axis=-1) * np.sqrt(n_units)
        size[~(size > noise)] = np.nan
        centred /= size[:, None]
        np.matmul(centred, centred.T, out=out)
        np.subtract(1, out, out=out)
        np.clip(out, 0, 2, out=out)
        np.fill_diagonal(out, size * 0)
    return rdm.reshape(*batch, n_exemplars, n_exemplars)


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
    """
    *batch, n_exemplars, n_units = patterns.shape
    flat = patterns.reshape(-1, n_exemplars, n_units)
    precision = np.full((len(flat), n_units, n_units), np.nan)
    present = len(np.unique(token))
    dof = n_exemplars - present
    for x, out in zip(flat, precision, strict=True):
        if present < n_tokens or dof < 2 or not _is_finite(x):
            continue
        residuals = token_residuals(x, token, n_tokens)
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
    return covariance * np.where(off, 1 - shrink, 1.0)


def mahalanobis_rdm(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    precision: Float[np.ndarray, "*#batch unit unit"],
) -> Float[np.ndarray, "*batch exemplar exemplar"]:
    """Squared Mahalanobis distance per unit between every two patterns.

    d(a, b) = (x_a - x_b)' P (x_a - x_b) / n_units, at least 0, no unit.

    Parameters
    ----------
    patterns
        Responses or token means; leading axes are a batch.
    precision
        P, symmetric positive semi-definite, from :func:`noise_precision`.

    Returns
    -------
        Symmetric matrices with a zero diagonal; all NaN where the precision is NaN.
    """
    n_units = patterns.shape[-1]
    precision = np.broadcast_to(precision, (*patterns.shape[:-2], n_units, n_units))
    rdm = np.empty((*patterns.shape[:-1], patterns.shape[-2]))
    for index in np.ndindex(*patterns.shape[:-2]):
        x = _rowwise(patterns[index])
        rdm[index] = x @ precision[index] @ x.T * (2 / n_units)
        _distances_from_gram(rdm[index])
    return rdm


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
    """
    n_folds = int(fold.max()) + 1
    cells = token_means(patterns, fold * n_tokens + token, n_folds * n_tokens)
    return cells.reshape(*patterns.shape[:-2], n_folds, n_tokens, patterns.shape[-1])


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


def identity_rdm(label: Shaped[np.ndarray, " item"]) -> Float[np.ndarray, "item item"]:
    """Model distances: 0 between items of one label, 1 between items of different labels.

    Parameters
    ----------
    label
        Token, group or any other label of each item.

    Returns
    -------
        A symmetric matrix of 0 and 1.
    """
    return (label[:, None] != label).astype(np.float64)


def difference_rdm(value: Real[np.ndarray, " item"]) -> Float[np.ndarray, "item item"]:
    """Model distances: absolute difference of a factor, |v_a - v_b|.

    Parameters
    ----------
    value
        The factor's value for each item; NaN where unknown.

    Returns
    -------
        A symmetric matrix in the factor's unit, NaN where a value is.
    """
    value = value.astype(np.float64)
    return np.abs(value[:, None] - value)


def sharing_rdm(has_part: Shaped[np.ndarray, "item part"]) -> Float[np.ndarray, "item item"]:
    """Model distances: share of parts that two items do not have in common (Jaccard).

    d(a, b) = 1 - |parts of a and b| / |parts of a or b|, from 0 to 1.

    Parameters
    ----------
    has_part
        Whether each item has each part (bool or 0/1).

    Returns
    -------
        A symmetric matrix; NaN between two items without any part.
    """
    part = has_part.astype(np.float64)
    both = part @ part.T
    count = part.sum(axis=1)
    either = count[:, None] + count - both
    with np.errstate(invalid="ignore"):
        return np.where(either > 0, 1 - both / np.where(either > 0, either, 1), np.nan)


def upper_triangle(
    rdm: Float[np.ndarray, "*batch item item"],
) -> Float[np.ndarray, "*batch pair"]:
    """Distances of each pair once, row by row above the diagonal (scipy's condensed form).

    Parameters
    ----------
    rdm
        Symmetric matrices.

    Returns
    -------
        n_items (n_items - 1) / 2 values.
    """
    n_items = rdm.shape[-1]
    flat = np.flatnonzero(np.triu(np.ones((n_items, n_items), dtype=bool), k=1))
    return np.take(rdm.reshape(*rdm.shape[:-2], -1), flat, axis=-1)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Average ranks around 0; all NaN where a value is NaN."""
    n = values.shape[-1]
    ranks = np.full(values.shape, np.nan)
    for row, out in zip(values.reshape(-1, n), ranks.reshape(-1, n), strict=True):
        order = row.argsort()
        ascending = row[order]
        if n and np.isfinite(ascending[-1]):  # NaN sorts last
            starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
            size = np.diff(starts, append=n)
            out[order] = np.repeat(starts + (size - n) / 2, size)
    return ranks


def _scale(ranks: np.ndarray, comparison: Comparison) -> np.ndarray:
    """Divide centred ranks so that an inner product is the correlation asked for."""
    n = ranks.shape[-1]
    size = np.sqrt(np.sum(ranks**2, axis=-1, keepdims=True))
    scale = size if comparison == "spearman" else np.full_like(size, np.sqrt((n**3 - n) / 12))
    return ranks / np.where(size > 0, scale, np.nan)


def rank_correlation(
    rdms: Float[np.ndarray, "*batch pair"],
    models: Float[np.ndarray, "model pair"],
    *,
    comparison: Comparison = "spearman",
) -> Float[np.ndarray, "*batch model"]:
    """Rank correlation of RDMs with model RDMs, from -1 to 1.

    "spearman" is Pearson's correlation of average ranks. "rho_a" is the expectation of Spearman's
    correlation when ties are broken at random, 12 sum(x y) / (n^3 - n) on centred average ranks:
    it does not favour models that predict ties, and stays below 1 for these
    (Schütt et al. 2023, eLife 12:e82566).

    Parameters
    ----------
    rdms
        Distances of each pair of items (:func:`upper_triangle`).
    models
        Distances that the models predict, in the same order.
    comparison
        Which correlation.

    Returns
    -------
        Correlations. NaN where distances or predictions hold NaN or are all equal, and with
        fewer than 3 pairs.
    """
    if rdms.shape[-1] < 3:
        return np.full((*rdms.shape[:-1], len(models)), np.nan)
    left = _scale(_centred_ranks(rdms), comparison)
    return left @ _scale(_centred_ranks(models), comparison).T


def partial_rank_correlation(
    rdms: Float[np.ndarray, "*batch pair"],
    model: Float[np.ndarray, " pair"],
    controls: Float[np.ndarray, "control pair"],
) -> Float[np.ndarray, "*batch"]:
    """Spearman correlation of RDMs with a model after the controls' ranks are regressed out.

    The correlation of the two residuals of ranks on the controls' ranks and a constant,
    from -1 to 1.

    Parameters
    ----------
    rdms
        Distances of each pair of items.
    model
        Distances that the model predicts.
    controls
        Predictions to hold constant (pixels, nuisance factors).

    Returns
    -------
        Correlations. NaN where the controls explain the model or the distances entirely, and on
        NaN.
    """
    control = _centred_ranks(controls).T
    left, right = _centred_ranks(rdms), _centred_ranks(model)
    sides = []
    if not np.isfinite(control).all() or rdms.shape[-1] < 3 + len(controls):
        return np.full(rdms.shape[:-1], np.nan)
    basis, spread, _ = np.linalg.svd(control, full_matrices=False)
    basis = basis[:, spread > spread.max(initial=0) * 1e-10]
    for ranks in (left, right):
        rest = ranks - (ranks @ basis) @ basis.T
        size = np.sqrt(np.sum(rest**2, axis=-1, keepdims=True))
        full = np.sqrt(np.sum(ranks**2, axis=-1, keepdims=True))
        sides.append(rest / np.where(size > 1e-8 * full, size, np.nan))
    return np.asarray(sides[0] @ sides[1])


def noise_ceiling(
    rdms: Float[np.ndarray, "*batch seed pair"],
    *,
    comparison: Comparison = "spearman",
) -> tuple[Float[np.ndarray, "*batch"], Float[np.ndarray, "*batch"]]:
    """How well the best model could do, given how much RDMs differ between seeds.

    Upper: mean correlation of each seed's RDM with the mean of ranks over all seeds, its own
    included. Lower: the same with its own left out. The true model's correlation is expected
    between the two (Nili et al. 2014).

    Parameters
    ----------
    rdms
        Distances of each pair of items in each seed.
    comparison
        "spearman" or "rho_a", as for :func:`rank_correlation`.

    Returns
    -------
        Lower and upper bound, from -1 to 1; NaN with fewer than 2 seeds, and on NaN.
    """
    n_seeds = rdms.shape[-2]
    if n_seeds < 2:
        return np.full(rdms.shape[:-2], np.nan), np.full(rdms.shape[:-2], np.nan)
    ranks = _centred_ranks(rdms)
    total = ranks.sum(axis=-2, keepdims=True)
    own = _scale(ranks, comparison)
    bounds = []
    for pooled in (total - ranks, np.broadcast_to(total, ranks.shape)):
        # averages are rounded so that ranks tied in exact arithmetic stay tied
        again = _scale(_centred_ranks(np.round(pooled, 6)), comparison)
        bounds.append(np.asarray(np.einsum("...p,...p->...", own, again).mean(axis=-1)))
    return bounds[0], bounds[1]


def permutation_test(
    rdms: Float[np.ndarray, "*batch item item"],
    model: Float[np.ndarray, "item item"],
    permutations: Int[np.ndarray, "permutation item"],
    *,
    comparison: Comparison = "spearman",
) -> PermutationTest:
    """Test the correlation of RDMs with a model by exchanging items (whole groups of them).

    The model's rows and columns are permuted together; p = (1 + number of permuted correlations
    that are at least the observed one) / (1 + number of permutations): one-sided.
    Pairs of items are not independent, hence items and not pairs are exchanged.

    Parameters
    ----------
    rdms
        Symmetric matrices of distances.
    model
        Predicted distances.
    permutations
        From :func:`ontogeny.stats.groups.group_permutations`.
    comparison
        "spearman" or "rho_a".

    Returns
    -------
        statistic (batch), null (permutation, batch) and p (batch); p is NaN where the statistic
        is.

    Raises
    ------
    InputError
        Without permutations.
    """
    if not len(permutations):
        message = "expected at least one permutation, got none; draw 1,000 or more"
        raise InputError(message)
    left = _scale(_centred_ranks(upper_triangle(rdms)), comparison)
    right = _scale(_centred_ranks(upper_triangle(model)), comparison)
    n_items = model.shape[-1]
    one, other = np.triu_indices(n_items, k=1)
    square = np.zeros((n_items, n_items))
    square[one, other] = square[other, one] = right
    statistic = left @ right
    null = np.empty((len(permutations), *statistic.shape))
    for start in range(0, len(permutations), _BLOCK):
        block = permutations[start : start + _BLOCK]
        moved = np.take(square, block[:, one] * n_items + block[:, other])
        null[start : start + _BLOCK] = np.moveaxis(left @ moved.T, -1, 0)
    reached = np.sum(null >= statistic - 1e-12, axis=0)
    p = (1 + reached) / (1 + len(permutations))
    return PermutationTest(np.asarray(statistic), null, np.where(np.isnan(statistic), np.nan, p))
