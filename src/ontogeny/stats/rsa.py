"""Models of representational dissimilarity, and how well they account for what was measured.

Distances themselves come from :mod:`ontogeny.stats.rdm`; here are the distances that a model
predicts, the rank correlations of the two, and the ceiling that noise sets. May import numpy only.

References
----------
Nili et al. 2014, PLoS Computational Biology 10:e1003553.
Schütt et al. 2023, eLife 12:e82566 (rho-a).
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Real, Shaped

from ontogeny.stats.modelfit import centred_ranks

Comparison = Literal["spearman", "rho_a"]


def identity_rdm(label: Shaped[np.ndarray, " item"]) -> Float[np.ndarray, "item item"]:
    """Model distances: 0 between items of one label, 1 between items of different labels.

    Parameters
    ----------
    label
        Token, group or any other label of each item.

    Returns
    -------
        A symmetric matrix of 0 and 1.

    Examples
    --------
    >>> from ontogeny.stats.rsa import identity_rdm
    >>> identity_rdm(np.array(["ada", "ada", "bo"])).tolist()
    [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
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

    Examples
    --------
    >>> from ontogeny.stats.rsa import difference_rdm
    >>> difference_rdm(np.array([0.0, 1.0, 3.0])).tolist()
    [[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]]
    """
    value = value.astype(np.float64)
    return np.abs(value[:, None] - value)


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


def _scale(ranks: np.ndarray, comparison: Comparison) -> np.ndarray:
    """Divide centred ranks so that an inner product is the correlation asked for."""
    n = ranks.shape[-1]
    size = np.sqrt(np.sum(ranks**2, axis=-1, keepdims=True))
    # rho-a divides by what ranks without ties would have, so that ties lose and do not gain
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

    Examples
    --------
    Distances in the order that a model predicts, and in the opposite one:

    >>> from ontogeny.stats.rsa import rank_correlation
    >>> model = np.array([[0.0, 1.0, 2.0]])
    >>> rank_correlation(np.array([[0.1, 0.2, 9.0], [9.0, 0.2, 0.1]]), model).round(2).tolist()
    [[1.0], [-1.0]]
    """
    if rdms.shape[-1] < 3:
        return np.full((*rdms.shape[:-1], len(models)), np.nan)
    left = _scale(centred_ranks(rdms), comparison)
    return left @ _scale(centred_ranks(models), comparison).T


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

    Examples
    --------
    Distances that follow the pixels, as the model does; beside what pixels explain nothing is left.

    >>> from ontogeny.stats.rsa import partial_rank_correlation, rank_correlation
    >>> rng = np.random.default_rng(0)
    >>> pixels = rng.uniform(size=500)
    >>> seen, model = (pixels + 0.2 * rng.standard_normal(500) for _ in range(2))
    >>> float(rank_correlation(seen, model[None]).round(1)[0])
    0.7
    >>> abs(round(float(partial_rank_correlation(seen, model, pixels[None])), 1))
    0.0
    """
    control = centred_ranks(controls).T
    left, right = centred_ranks(rdms), centred_ranks(model)
    sides = []
    if not np.isfinite(control).all() or rdms.shape[-1] < 3 + len(controls):
        return np.full(rdms.shape[:-1], np.nan)
    basis, spread, _ = np.linalg.svd(control, full_matrices=False)
    # controls that say the same add one direction; dividing by what differs would divide by
    # rounding
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

    Examples
    --------
    Two seeds that agree, and two that do not:

    >>> from ontogeny.stats.rsa import noise_ceiling
    >>> alike, unlike = np.array([[1.0, 2, 3], [1, 2, 3]]), np.array([[1.0, 2, 3], [2, 1, 3]])
    >>> [[round(float(bound), 2) for bound in noise_ceiling(x)] for x in (alike, unlike)]
    [[1.0, 1.0], [0.5, 0.87]]
    """
    n_seeds = rdms.shape[-2]
    if n_seeds < 2:
        return np.full(rdms.shape[:-2], np.nan), np.full(rdms.shape[:-2], np.nan)
    ranks = centred_ranks(rdms)
    total = ranks.sum(axis=-2, keepdims=True)
    own = _scale(ranks, comparison)
    bounds = []
    for pooled in (total - ranks, np.broadcast_to(total, ranks.shape)):
        # averages are rounded so that ranks tied in exact arithmetic stay tied
        again = _scale(centred_ranks(np.round(pooled, 6)), comparison)
        bounds.append(np.asarray(np.einsum("...p,...p->...", own, again).mean(axis=-1)))
    return bounds[0], bounds[1]
