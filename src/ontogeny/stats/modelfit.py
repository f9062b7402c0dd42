"""How well models account for dissimilarities, and what exchanging groups of exemplars gives.

Many RDMs (rows: steps and layers) are compared with one model and its permutations in one product.
Ranks and RDMs themselves are those of :mod:`ontogeny.stats.rdm`. May import numpy only.

References
----------
Kriegeskorte, Mur & Bandettini 2008, Frontiers in Systems Neuroscience 2:4.
Legendre 2000, Journal of Statistical Computation and Simulation 67:37-73 (partial Mantel tests).
"""

import numpy as np
from jaxtyping import Float, Int, Shaped

Array = np.ndarray

_REST = 1e-4
"""Share of a row's length below which what controls leave of it is rounding (single precision)."""


def centred_ranks(values: Float[Array, "*batch pair"]) -> Float[Array, "*batch pair"]:
    """Average ranks around 0.

    Parameters
    ----------
    values
        Distances of each pair of exemplars.

    Returns
    -------
        Ranks less their mean, multiples of 1/2 and so exact in single precision up to 8 million
        pairs; NaN throughout a row that holds NaN.
    """
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


def control_basis(controls: Float[Array, "control pair"]) -> Float[Array, "pair direction"]:
    """Orthonormal directions that centred ranks of controls span.

    Parameters
    ----------
    controls
        Centred ranks of what models are to be compared beyond.

    Returns
    -------
        Directions, no more than there are controls; those that do not vary add none.
    """
    basis, spread, _ = np.linalg.svd(controls.T.astype(np.float64), full_matrices=False)
    return basis[:, spread > 1e-10 * spread.max(initial=1e-300)]


def standardised(
    ranks: Float[Array, "row pair"], basis: Float[Array, "pair direction"] | None = None
) -> Float[Array, "row pair"]:
    """Regress controls out of centred ranks and scale what is left to length 1.

    Parameters
    ----------
    ranks
        Centred ranks; single precision is kept.
    basis
        What to regress out, of :func:`control_basis`.

    Returns
    -------
        Rows of length 1; NaN where nothing varies beyond the controls, and on NaN.
    """
    rest = ranks
    if basis is not None and basis.shape[1]:
        basis = basis.astype(ranks.dtype)
        # by the basis, never by a matrix pair x pair
        rest = ranks - (ranks @ basis) @ basis.T
    size = np.sqrt(np.einsum("rp,rp->r", rest, rest))
    full = np.sqrt(np.einsum("rp,rp->r", ranks, ranks))
    # relative to the row's own length: what is left of a row that controls span is rounding
    return rest / np.where(size > _REST * full, size, np.nan)[:, None]


def fit(
    rows: Float[Array, "row pair"],
    models: Float[Array, "model pair"],
    basis: Float[Array, "pair direction"] | None = None,
) -> Float[Array, "row model"]:
    """Correlate rows with models after the controls are regressed out of both.

    (x - P x)'(m - P m) / (|x - P x| |m - P m|), P the projection on the controls, m centred: with
    ranks on both sides Spearman's correlation, or its partial form; from -1 to 1.

    Parameters
    ----------
    rows
        Of :func:`standardised`, with the same controls.
    models
        Ranks that models predict, as they are or permuted.
    basis
        The controls.

    Returns
    -------
        Correlations. NaN where a row is NaN, or where a model does not vary beyond the controls.
    """
    centred = models - models.mean(axis=1, keepdims=True)
    square = np.einsum("mp,mp->m", centred, centred)
    left = square
    if basis is not None and basis.shape[1]:
        along = centred @ basis.astype(centred.dtype)
        left = square - np.einsum("md,md->m", along, along)
    valid = left > _REST * square
    size = np.sqrt(np.where(valid, left, np.nan))
    return rows @ (centred / size[:, None]).T


def exchanges(
    stratum: Int[Array, " exemplar"],
    group: Shaped[Array, " exemplar"],
    *,
    n_permutations: int,
    rng: np.random.Generator,
) -> Int[Array, "permutation exemplar"]:
    """Exchange whole groups of equal size within strata; the order within a group is kept.

    Parameters
    ----------
    stratum
        What exemplars must share to be exchanged: their token, or the same for all.
    group
        Which exemplars belong together. Where a group lies in several strata its parts move apart.
    n_permutations
        How many to draw.
    rng
        Source of randomness.

    Returns
    -------
        Index arrays p, to be used as ``model[p][:, p]``. A group without another of its size in
        its stratum stays; where none can move, all permutations are the identity.
    """
    _, code = np.unique(group, return_inverse=True)
    width = int(code.max(initial=0)) + 1
    cell = stratum.astype(np.int64) * width + code
    order = np.argsort(cell, kind="stable")
    name, start, size = np.unique(cell[order], return_index=True, return_counts=True)
    moved = np.tile(np.arange(len(group)), (n_permutations, 1))
    for kind in np.unique(np.stack([name // width, size]), axis=1).T:
        own = start[(name // width == kind[0]) & (size == kind[1])]
        places = order[own[:, None] + np.arange(kind[1])]
        drawn = rng.permuted(np.tile(np.arange(len(own)), (n_permutations, 1)), axis=1)
        moved[:, places.ravel()] = places[drawn].reshape(n_permutations, -1)
    return moved


def token_exchanges(
    token: Int[Array, " exemplar"], *, n_permutations: int, rng: np.random.Generator
) -> Int[Array, "permutation exemplar"]:
    """Exchange tokens as wholes, for models in which exemplars of a token are all the same.

    Parameters
    ----------
    token
        Index of each exemplar's token.
    n_permutations
        How many to draw; n tokens have n! arrangements only, so p is not below 1 / n!.
    rng
        Source of randomness.

    Returns
    -------
        For each exemplar of token c the first exemplar of the token that takes c's place:
        index arrays p, to be used as ``model[p][:, p]``.
    """
    _, first, own = np.unique(token, return_index=True, return_inverse=True)
    drawn = rng.permuted(np.tile(first, (n_permutations, 1)), axis=1)
    return drawn[:, own]


def moved_pairs(
    model: Float[Array, " pair"], permutations: Int[Array, "permutation exemplar"]
) -> Float[Array, "permutation pair"]:
    """Permute a model's exemplars: the pair (a, b) gets what the pair (p(a), p(b)) had.

    Parameters
    ----------
    model
        Ranks for each pair above the diagonal, row by row.
    permutations
        Of :func:`exchanges` or :func:`token_exchanges`.

    Returns
    -------
        The model for each permutation, in the model's precision. An exemplar paired with itself,
        which occurs where tokens are exchanged, gets the lowest rank: no distance.
    """
    n = permutations.shape[1]
    one, other = np.triu_indices(n, k=1)
    # the lowest rank on the diagonal: an exemplar that is drawn twice is at no distance from itself
    square = np.full((n, n), model.min(), dtype=model.dtype)
    square[one, other] = square[other, one] = model
    return np.take(square, permutations[:, one] * n + permutations[:, other])


def resampled_fit(
    ranks: Float[Array, "row pair"],
    models: Float[Array, "model pair"],
    weights: Float[Array, "resample exemplar"],
) -> Float[Array, "resample row model"]:
    """Correlate with models again in resamples of the exemplars.

    The pair (a, b) counts w_a w_b times, and an exemplar paired with its own copy not at all.
    Ranks are those of the whole sample, not drawn anew.

    Parameters
    ----------
    ranks, models
        Centred ranks.
    weights
        How often each exemplar is drawn.

    Returns
    -------
        Weighted correlations of ranks; NaN where nothing varies, and on NaN.
    """
    one, other = np.triu_indices(weights.shape[1], k=1)
    weight = weights[:, one] * weights[:, other]
    weight = (weight / weight.sum(axis=1, keepdims=True)).astype(ranks.dtype)
    mean, square = weight @ ranks.T, weight @ (ranks**2).T
    spread = square - mean**2
    # a resample may consist of one exemplar's copies; what is left of its variance is rounding
    spread = np.sqrt(np.where(spread > 1e-6 * square, spread, np.nan))
    found = np.empty((len(weights), len(ranks), len(models)), dtype=ranks.dtype)
    for k, model in enumerate(models.astype(ranks.dtype)):
        centre, own = weight @ model, weight @ model**2
        size = own - centre**2
        size = np.sqrt(np.where(size > 1e-6 * own, size, np.nan))
        both = weight @ (ranks * model).T
        found[:, :, k] = (both - mean * centre[:, None]) / (spread * size[:, None])
    return found
